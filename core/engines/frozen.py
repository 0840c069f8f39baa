"""An engine whose first layers stay as they are: what they make of an image is computed once, and kept on the disk.

    engine = make_engine(module, config, architecture, input_shape, classes, scaling)

gives one where a run trains the end of a pretrained network only, and the framework's own engine otherwise. Frozen
layers are as in prediction: a batch norm has its published averages, and nothing is dropped.
"""

import hashlib
import json
from collections.abc import Mapping

import numpy as np

from core.config import RunConfig
from core.engines import Chunk, Engine, EngineModule
from core.engines.kept_features import KeptFeatures
from core.engines.normalization import FIXED, Scaling
from core.networks.layers import Architecture, Dense, Flatten, Layer, Shape, layer_rows
from core.networks.pretrained import PRETRAINED
from core.system.tensors import digest


def frozen_layers(config: RunConfig, architecture: Architecture) -> int:
    """Return how many of a network's first layers a run leaves as they are."""
    known = PRETRAINED.get(architecture.name)
    return known.trainable_from(config.fine_tuning) if known else 0


def trained_network(config: RunConfig, architecture: Architecture, input_shape: Shape) -> tuple[Architecture, Shape]:
    """Return the part of a network that a run trains, and the shape `(height, width, channels)` of its inputs."""
    frozen = frozen_layers(config, architecture)
    if not frozen:
        return architecture, input_shape
    shape = input_shape
    for layer in architecture.layers[:frozen]:
        shape = layer.output_shape(shape)
    layers: tuple[Layer, ...] = architecture.layers[frozen:]
    if len(shape) == 1:  # an engine takes images: one of a single pixel
        shape, layers = (1, 1, *shape), (Flatten(), *layers)
    return architecture.model_copy(update={"layers": layers}), shape


def make_engine(
    module: EngineModule,
    config: RunConfig,
    architecture: Architecture,
    input_shape: Shape,
    classes: int,
    scaling: Scaling | None = None,
) -> Engine:
    """Return the engine that a run trains with, built as `core.engines.engine.EngineFactory` says."""
    if frozen_layers(config, architecture):
        return FrozenEngine(module, config, architecture, input_shape, classes, scaling)
    return module.Engine(config, architecture, input_shape, classes, scaling)


class FrozenEngine:
    """Trains the last layers of a network on what the first ones give; see `core.engines.engine.Engine`.

    It has the weights of the whole network, and gives whole ones, so checkpoints are as any other's.
    """

    def __init__(
        self,
        module: EngineModule,
        config: RunConfig,
        architecture: Architecture,
        input_shape: Shape,
        classes: int,
        scaling: Scaling | None = None,
    ):
        head, self._seen_shape = trained_network(config, architecture, input_shape)
        frozen = frozen_layers(config, architecture)
        # Its features are what goes into its last layer, in the canonical order: all that is frozen.
        flat = [] if self._seen_shape[:2] == (1, 1) else [Flatten()]
        layers = (*architecture.layers[:frozen], *flat, Dense(units=1))
        body = architecture.model_copy(update={"layers": layers})
        self._body = module.Engine(config, body, input_shape, classes, scaling)
        self._head = module.Engine(config, head, self._seen_shape, classes, Scaling((1.0,), (0.0,)), pixels="float32")
        names = list(_weight_names(architecture, input_shape, classes))
        heads = list(_weight_names(head, self._seen_shape, classes))
        self._frozen = names[: len(names) - len(heads)]
        self._names = dict(zip(names[len(self._frozen) :], heads, strict=True))
        kind = [module.versions(), config.precision, scaling or FIXED[config.normalization], input_shape]
        self._kind = json.dumps([*kind, body.model_dump(mode="json")], sort_keys=True)
        self._kept: KeptFeatures | None = None
        self._weights: dict[str, np.ndarray] = {}
        self._waiting: tuple[np.ndarray, np.ndarray, np.ndarray | None] | None = None

    def load_data(self, images: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None) -> None:
        """Put what the frozen layers make of the images onto the device, once their weights are there."""
        self._waiting = (images, labels, class_weights)
        self._see_data()

    def train(
        self, indices: np.ndarray, learning_rates: np.ndarray | None = None, transforms: np.ndarray | None = None
    ) -> Chunk:
        """Take one step a row of `indices`; images cannot be changed, as what is frozen has seen them already."""
        if transforms is not None:
            raise ValueError("Expected images as they are, as the first layers are frozen, received transforms.")
        return self._head.train(indices, learning_rates)

    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of uint8 images."""
        return self._head.predict(self._see(images))

    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what goes into the last layer that learns."""
        return self._head.features(self._see(images))

    def gradients(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradients of the loss on a batch of indices by the weights that learn."""
        found = self._head.gradients(batch)
        return {name: found[own] for name, own in self._names.items() if own in found}

    def output_gradients(
        self, pixels: np.ndarray, labels: np.ndarray, layer: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Refuse: nothing flows back through what is frozen; a prediction's engine has the whole network."""
        raise ValueError("Expected a network of which nothing is frozen, received one that trains its last layers.")

    def weights(self) -> dict[str, np.ndarray]:
        """Return all weights by name, those that are frozen among them."""
        found = self._head.weights()
        return self._weights | {name: found[own] for name, own in self._names.items()}

    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take all weights by name."""
        self._load_frozen(weights)
        self._head.load_weights({own: weights[name] for name, own in self._names.items()})
        self._see_data()

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next step depends on, with the weights of the whole network."""
        state = self._head.state()
        others = {key: values for key, values in state.items() if not key.startswith("weights/")}
        learnt = {f"weights/{name}": state[f"weights/{own}"] for name, own in self._names.items()}
        return {f"weights/{name}": values for name, values in self._weights.items()} | learnt | others

    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`."""
        self._load_frozen({name: state[f"weights/{name}"] for name in self._frozen})
        others = {key: values for key, values in state.items() if not key.startswith("weights/")}
        own = {f"weights/{own}": state[f"weights/{name}"] for name, own in self._names.items()}
        self._see_data()
        self._head.load_state(own | others)

    def _load_frozen(self, weights: Mapping[str, np.ndarray]) -> None:
        self._weights = {name: weights[name] for name in self._frozen}
        drawn = self._body.weights()  # its last layer has no use
        self._body.load_weights(drawn | self._weights)
        key = hashlib.sha256(f"{self._kind} {digest(self._weights)}".encode()).hexdigest()[:32]
        self._kept = KeptFeatures(key, self._body.features)

    def _see_data(self) -> None:
        if self._kept is not None and self._waiting is not None:
            images, labels, class_weights = self._waiting
            self._head.load_data(self._see(images), labels, class_weights)
            self._waiting = None

    def _see(self, images: np.ndarray) -> np.ndarray:
        """Return what the frozen layers give, float32 `(N, height, width, channels)`."""
        assert self._kept is not None, "weights are loaded first"
        return self._kept.of(images).reshape(len(images), *self._seen_shape)


def _weight_names(architecture: Architecture, input_shape: Shape, classes: int) -> list[str]:
    """Return the names of all weights in the order of the layers."""
    return [
        f"{row.name}/{key}"
        for row in layer_rows(architecture, input_shape, classes)
        for key in row.layer.weights(row.input_shape)
    ]
