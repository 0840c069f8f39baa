"""The run as one file of plain PyTorch that needs torch and numpy.

`model_source` is its network alone, which the export of weights (`core.export.pytorch`) gives away too;
`state` are the canonical weights as that network's `state_dict`. As is usual in PyTorch it flattens
channels first, so what follows a flatten has its rows in another order than the canonical one.
"""

from collections.abc import Iterable, Iterator
from string import Template
from typing import NamedTuple

import numpy as np

from core.architectures import Layer, Shape, named
from core.augmentation import is_augmented
from core.backends import same_padding
from core.checkpoints import Checkpoint, Description
from core.config import RunConfig
from core.export.script import values


def build(run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the script as UTF-8."""
    description = checkpoint.description
    config = description.config
    augmented = is_augmented(config)
    return (
        Template(_SCRIPT)
        .substitute(
            values(run_id, checkpoint),
            model=model_source(description),
            augment=_augment_source(config) if augmented else "",
            batch="augment(batch.to(device))" if augmented else "batch.to(device)",
            initialise=_GLOROT if config.initialisation == "shared" else "",
            optimizer=_optimizer(config),
        )
        .encode()
    )


def model_source(description: Description) -> str:
    """Return the source of `preprocess` and `build_model`; it needs `nn` from torch."""
    layers = description.architecture.for_classes(len(description.class_names)).layers
    modules = list(_modules(layers, description.input_shape))
    residual = _RESIDUAL if any(module.layer.kind == "residual" for module in modules) else ""
    return residual + Template(_MODEL).substitute(
        shape=repr(tuple(description.input_shape)),
        class_names=ascii(tuple(description.class_names)),
        scaled=_scaled(description),
        modules="\n".join(f"        {line}" for module in modules for line in f"{module.code},".splitlines()),
    )


def _scaled(description: Description) -> str:
    match description.config.normalization:
        case "unit":
            return "images.float() / 255"
        case "symmetric":
            return "images.float() / 127.5 - 1"
        case "standard":
            factors, summands = (
                f"images.new_tensor({list(values)}, dtype=torch.float32)[:, None, None]"
                for values in description.scaling
            )
            return f"images.float() * {factors} + {summands}"


def state(checkpoint: Checkpoint) -> dict[str, np.ndarray]:
    """Return the weights, float32, by the names that `build_model`'s network gives them."""
    description = checkpoint.description
    layers = description.architecture.for_classes(len(description.class_names)).layers
    weights = {name: values.astype(np.float32) for name, values in checkpoint.weights.items()}
    return dict(_state(_modules(layers, description.input_shape), weights))


class _Module(NamedTuple):
    """A line, or several, of the network's code, and the layer behind it; `inner` are those of a residual."""

    code: str
    name: str
    layer: Layer
    shape: Shape
    inner: tuple["_Module", ...] = ()


def _modules(layers: Iterable[Layer], shape: Shape, prefix: str = "") -> Iterator[_Module]:
    for name, layer in named(layers, prefix):
        inner = tuple(_modules(layer.layers, shape, f"{name}/")) if layer.kind == "residual" else ()
        for code in _code(layer, shape, inner):
            yield _Module(code, name, layer, shape, inner)
        shape = layer.output_shape(shape)


def _code(layer: Layer, shape: Shape, inner: tuple[_Module, ...]) -> list[str]:
    """Return the modules that a layer is in PyTorch; asymmetric padding is one of its own."""
    match layer.kind:
        case "convolution":
            before, padding = _padding(layer.padding, shape, layer.kernel, layer.stride, "nn.ZeroPad2d({})")
            strides = f", stride={layer.stride}" if layer.stride > 1 else ""
            return [*before, f"nn.Conv2d({shape[-1]}, {layer.filters}, {layer.kernel}{strides}{padding})"]
        case "batch_norm":
            dimensions = 2 if len(shape) == 3 else 1
            momentum = round(1 - layer.momentum, 12)
            return [f"nn.BatchNorm{dimensions}d({shape[-1]}, eps={layer.epsilon}, momentum={momentum})"]
        case "max_pool":
            infinite = 'nn.ConstantPad2d({}, -float("inf"))'
            before, padding = _padding(layer.padding, shape, layer.size, layer.stride, infinite)
            strides = f", stride={layer.stride}" if layer.stride != layer.size else ""
            return [*before, f"nn.MaxPool2d({layer.size}{strides}{padding})"]
        case "dropout":
            return [f"nn.Dropout({layer.rate})"]
        case "flatten":
            return ["nn.Flatten()"]
        case "dense":
            return [f"nn.Linear({shape[0]}, {layer.units})"]
        case "activation":
            return [{"relu": "nn.ReLU()", "softmax": "nn.Softmax(dim=1)"}[layer.function]]
        case "residual":
            lines = "".join(f"\n    {line}" for module in inner for line in f"{module.code},".splitlines())
            return [f"Residual({lines}\n)"]


def _padding(padding: str, shape: Shape, window: int, stride: int, module: str) -> tuple[list[str], str]:
    """Return a module that pads where both sides differ, else the argument that does."""
    if padding == "valid":
        return [], ""
    (top, bottom), (left, right) = (same_padding(size, window, stride) for size in shape[:2])
    if (top, left) == (bottom, right):
        return [], f", padding={top if top == left else (top, left)}" if top or left else ""
    return [module.format((left, right, top, bottom))], ""


def _state(
    modules: Iterable[_Module], weights: dict[str, np.ndarray], prefix: str = ""
) -> Iterator[tuple[str, np.ndarray]]:
    rows: np.ndarray | None = None  # where each row of the next weights is in the canonical order, if elsewhere
    for position, module in enumerate(modules):
        key, layer, shape = f"{prefix}{position}", module.layer, module.shape

        def weight(name: str, canonical: str = module.name) -> np.ndarray:
            return weights[f"{canonical}/{name}"]

        match layer.kind:
            case "flatten" if len(shape) == 3:
                rows = np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
            case "convolution" if "Conv2d" in module.code:
                yield f"{key}.weight", weight("kernel").transpose(3, 2, 0, 1)
                yield f"{key}.bias", weight("bias")
            case "dense":
                kernel = weight("kernel")
                yield f"{key}.weight", (kernel if rows is None else kernel[rows]).T
                yield f"{key}.bias", weight("bias")
                rows = None
            case "batch_norm":
                names = {
                    "weight": "gamma",
                    "bias": "beta",
                    "running_mean": "moving_mean",
                    "running_var": "moving_variance",
                }
                for name, canonical in names.items():
                    array = weight(canonical)
                    yield f"{key}.{name}", array if rows is None else array[rows]
                yield f"{key}.num_batches_tracked", np.array(0)
            case "residual":
                if rows is not None:
                    raise ValueError("Export (--format): expected a dense layer between a flatten and a residual.")
                yield from _state(module.inner, weights, f"{key}.")


def _optimizer(config: RunConfig) -> str:
    match config.optimizer:
        case "sgd":
            return f"torch.optim.SGD(model.parameters(), lr=LEARNING_RATE, momentum={config.momentum})"
        case "adam":
            return "torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)"
        case "rmsprop":
            alpha = ", alpha=0.9" if config.defaults == "aligned" else ""
            return f"torch.optim.RMSprop(model.parameters(), lr=LEARNING_RATE{alpha})"


def _augment_source(config: RunConfig) -> str:
    return Template(_AUGMENT).substitute(
        rotation=config.rotation,
        zoom=config.zoom,
        shift_x=config.shift_x,
        shift_y=config.shift_y,
        flip_x=config.flip_horizontal / 2,
        flip_y=config.flip_vertical / 2,
    )


_RESIDUAL = '''class Residual(nn.Sequential):
    """Adds what its layers make of the input to the input."""

    def forward(self, values):
        return values + super().forward(values)


'''

_MODEL = '''IMAGE_SHAPE = $shape  # height, width, channels
CLASS_NAMES = $class_names  # of the network's outputs, in this order


def preprocess(images):
    """Scale pixels, 0 to 255 and channels first (N, C, H, W), as the network wants them."""
    return $scaled


def build_model():
    return nn.Sequential(
$modules
    )
'''

_AUGMENT = '''def augment(images):
    """Turn, scale, shift and flip each image (N, C, H, W) by amounts of its own, with black around it."""
    count, _, height, width = images.shape
    images = images.float()

    def draw(low, high):
        return torch.empty(count, device=images.device).uniform_(low, high)

    angle, scale = torch.deg2rad(draw(-$rotation, $rotation)), 1 / draw(1 - $zoom, 1 + $zoom)
    flip_x, flip_y = 1 - 2 * (draw(0, 1) < $flip_x).float(), 1 - 2 * (draw(0, 1) < $flip_y).float()
    cosine, sine = scale * torch.cos(angle), scale * torch.sin(angle)
    shift_x, shift_y = draw(-2 * $shift_x, 2 * $shift_x), draw(-2 * $shift_y, 2 * $shift_y)
    theta = torch.stack(
        [
            torch.stack([cosine * flip_x, sine * flip_x * height / width, shift_x], dim=1),
            torch.stack([-sine * flip_y * width / height, cosine * flip_y, shift_y], dim=1),
        ],
        dim=1,
    )
    grid = nn.functional.affine_grid(theta, images.shape, align_corners=False)
    return nn.functional.grid_sample(images, grid, align_corners=False)


'''

_GLOROT = """
    for module in model.modules():  # Glorot uniform kernels and zero biases
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)"""

_SCRIPT = '''"""Train $network in plain PyTorch, as run $run of Duet did.

    python train.py --data FOLDER

FOLDER holds MNIST's four IDX files, gzipped or not; other images come as an .npz file with x_train,
y_train, x_test and y_test. Needs torch and numpy. The weights of the epoch with the lowest validation
loss are kept in best.pt, and tested at the end.$notes
"""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

BATCH_SIZE = $batch_size
EPOCHS = $epochs
LEARNING_RATE = $learning_rate
SEED = $seed
TRAIN_LIMIT = $train_limit  # None uses all training images
VALIDATION_SHARE = $validation_share

loss_function = nn.CrossEntropyLoss()

$model

$read_data


${augment}@torch.no_grad()
def evaluate(model, images, labels, device):
    """Return the mean loss and the share read correctly."""
    model.eval()
    loss_sum = correct = 0
    for batch, answers in DataLoader(dataset_of(images, labels), batch_size=1000):
        outputs, answers = model(preprocess(batch.to(device))), answers.to(device)
        loss_sum += loss_function(outputs, answers).item() * len(answers)
        correct += (outputs.argmax(dim=1) == answers).sum().item()
    return loss_sum / len(labels), correct / len(labels)


def dataset_of(images, labels):
    channels_first = images.transpose(0, 3, 1, 2)
    return TensorDataset(torch.tensor(channels_first), torch.tensor(labels))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--data", type=Path, required=True, help="a folder of IDX files, or an .npz file")
    parser.add_argument("--epochs", type=int, default=EPOCHS)
    parser.add_argument("--train-limit", type=int, default=TRAIN_LIMIT, help="use only so many training images")
    parser.add_argument("--output", type=Path, default=Path("best.pt"))
    options = parser.parse_args()

    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images, labels, test_images, test_labels = read_data(options.data)$hold_back

    model = build_model()$initialise
    model.to(device)
    optimizer = $optimizer
    batches = DataLoader(dataset_of(images, labels), batch_size=BATCH_SIZE, shuffle=True)
    best_loss = float("inf")
    for epoch in range(1, options.epochs + 1):
        model.train()
        for batch, answers in batches:
            optimizer.zero_grad()
            loss = loss_function(model(preprocess($batch)), answers.to(device))
            loss.backward()
            optimizer.step()
        loss, accuracy = evaluate(model, *validation, device)
        print(f"epoch {epoch}: validation loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)
        if loss < best_loss:
            best_loss = loss
            torch.save(model.state_dict(), options.output)

    model.load_state_dict(torch.load(options.output, weights_only=True))
    loss, accuracy = evaluate(model, test_images, test_labels, device)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
'''
