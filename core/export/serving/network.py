"""The ONNX export in onnxruntime, as what `core.inference.predictor` predicts with and learns what is familiar from."""

import numpy as np
import onnxruntime

_AT_ONCE = 250


class OnnxNetwork:
    """An export that gives logits and features beside its probabilities."""

    def __init__(self, graph: bytes, threads: int = 0):
        """Load the bytes of an export; it computes on so many threads, on all cores for 0."""
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
        self._session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
        self._last: tuple[np.ndarray, tuple[np.ndarray, np.ndarray]] | None = None

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits, or what a last softmax gives, float32 `(N, classes)`, of uint8 images `(N, H, W, C)`."""
        return self._run(images)[0]

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what goes into the last layer that learns, float32 `(N, size)`."""
        return self._run(images)[1]

    def _run(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return both for images; who asks for one mostly asks for the other of the very same array next."""
        if self._last is None or self._last[0] is not images:
            parts = [
                self._session.run(["logits", "features"], {"images": np.asarray(images[i : i + _AT_ONCE])})
                for i in range(0, len(images), _AT_ONCE)
            ]
            logits, features = (np.concatenate(both) for both in zip(*parts, strict=True))
            self._last = images, (logits, features)
        return self._last[1]
