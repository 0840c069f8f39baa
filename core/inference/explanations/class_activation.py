"""Maps of a layer's values, weighted by what they do to the output of a class.

Grad-CAM weights each channel by its mean gradient: Selvaraju, Cogswell, Das, Vedantam, Parikh and Batra, "Grad-CAM",
2017. LayerCAM weights each value by its own, so that the map of an early layer is as fine as that layer: Jiang, Zhang,
Hou, Cheng and Wei, "LayerCAM", IEEE Transactions on Image Processing 30, 2021.
"""

import numpy as np
from PIL import Image

from core.engines import Engine


def grad_cam(engine: Engine, pixels: np.ndarray, label: int, layer: str | None) -> np.ndarray:
    """Return the map of Grad-CAM, float64 `(height, width)`, of the size of the image."""
    values, gradients = _of_layer(engine, pixels, label, layer)
    return _enlarged(np.maximum((values * gradients.mean(axis=(0, 1))).sum(axis=2), 0), pixels)


def layer_cam(engine: Engine, pixels: np.ndarray, label: int, layer: str | None) -> np.ndarray:
    """Return the map of LayerCAM, float64 `(height, width)`, of the size of the image."""
    values, gradients = _of_layer(engine, pixels, label, layer)
    return _enlarged(np.maximum((values * np.maximum(gradients, 0)).sum(axis=2), 0), pixels)


def _of_layer(engine: Engine, pixels: np.ndarray, label: int, layer: str | None) -> tuple[np.ndarray, np.ndarray]:
    values, gradients = engine.output_gradients(pixels[None].astype(np.float32), np.array([label]), layer)
    return values[0].astype(np.float64), gradients[0].astype(np.float64)


def _enlarged(values: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    height, width, _ = pixels.shape
    picture = Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BILINEAR)
    return np.asarray(picture).astype(np.float64)
