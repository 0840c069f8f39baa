"""The run as one file of plain PyTorch that needs torch and numpy.

`model_source` is its network alone, which the export of weights (`core.export.pytorch`) gives away too;
`state` are the canonical weights as that network's `state_dict`. As is usual in PyTorch it flattens
channels first, so what follows a flatten has its rows in another order than the canonical one.
"""

from collections.abc import Iterable, Iterator
from string import Template
from typing import NamedTuple

import numpy as np

from core.config import RunConfig
from core.config.optimizers import OPTIMIZERS
from core.engines import same_padding
from core.engines.augmentation import ERASED_AREA, ERASED_RATIO, is_augmented
from core.export.script import arguments, call, lines, values
from core.networks.layers import Layer, Shape, named
from core.training.checkpoints import Checkpoint, Description


def build(run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the script as UTF-8."""
    description = checkpoint.description
    config = description.config
    pixels = "batch.to(device)"
    if _is_warped(config):
        pixels = f"augment({pixels})"
    if config.erasing:
        pixels = f"erase({pixels})"
    loss = _loss(config, f"model(preprocess({pixels}))")
    model = model_source(description)
    refuses_one = "nn.BatchNorm1d(" in model
    return (
        Template(_SCRIPT)
        .substitute(
            values(run_id, checkpoint, "pytorch"),
            imports="\nfrom torch.optim import lr_scheduler" if _schedule(config) else "",
            model=model,
            augment=_augment_source(config) if _is_warped(config) else "",
            erase=_erase_source(config) if config.erasing else "",
            averaging=Template(_AVERAGING).substitute(decay=config.ema_decay) if config.ema_decay else "",
            evaluation=lines(8, _evaluation(config)),
            initialise=_INITIALISE.get(config.initialisation, ""),
            prepare=lines(4, _preparation(config)),
            optimizer=lines(4, [f"optimizer = {_optimizer(config)}"]),
            lone=_LONE if refuses_one else "",
            drop=", drop_last=lone" if refuses_one else "",
            schedule=lines(4, _schedule(config)),
            best=lines(4, _best(config)),
            step=lines(12, ["optimizer.zero_grad()", *loss, *_step(config)]),
            skip=lines(8, _skip(config)),
            evaluated=_evaluated(config),
            keep=lines(8, _keep(config)),
            save_last=lines(4, [_save(config)] if config.checkpoint_policy == "last" else []),
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
        scaled=lines(4, _scaled(description)),
        modules="\n".join(f"        {line}" for module in modules for line in f"{module.code},".splitlines()),
    )


def _scaled(description: Description) -> list[str]:
    match description.config.normalization:
        case "unit":
            return ["return images.float() / 255"]
        case "symmetric":
            return ["return images.float() / 127.5 - 1"]
        case "standard":
            factors, summands = (list(values) for values in description.scaling)
            return [
                "images = images.float()",
                f"factors = images.new_tensor({factors})",
                f"summands = images.new_tensor({summands})",
                "return images * factors[:, None, None] + summands[:, None, None]",
            ]


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


def _loss(config: RunConfig, outputs: str) -> list[str]:
    """Return the lines that compute the loss of a batch, whose outputs the expression `outputs` gives."""
    first = []
    if config.precision == "bfloat16":
        first = ["with torch.autocast(device, torch.bfloat16):", f"    outputs = {outputs}"]
        outputs = "outputs.float()"
    weighted = config.class_weights == "balanced"
    if weighted and config.defaults == "aligned":
        unreduced = arguments(outputs, "answers", _smoothing(config), 'reduction="none"')
        return [
            *first,
            "answers = answers.to(device)",
            f"losses = nn.functional.cross_entropy({unreduced})",
            "loss = (losses * class_weights[answers]).mean()",
        ]
    function = "training_loss" if weighted or config.label_smoothing else "loss_function"
    return [*first, f"loss = {function}({outputs}, answers.to(device))"]


def _smoothing(config: RunConfig) -> str | None:
    return f"label_smoothing={config.label_smoothing}" if config.label_smoothing else None


def _preparation(config: RunConfig) -> list[str]:
    """Return what is made before the optimizer: the loss that is learnt from, and the average of the weights."""
    found = []
    weighted, aligned = config.class_weights == "balanced", config.defaults == "aligned"
    if weighted:
        found.append("class_weights = torch.tensor(class_weights, dtype=torch.float32, device=device)")
    if (weighted or config.label_smoothing) and not (weighted and aligned):
        weight = "class_weights" if weighted else None
        found.append(f"training_loss = nn.CrossEntropyLoss({arguments(weight, _smoothing(config))})")
    if config.ema_decay:
        found.append("average = torch.optim.swa_utils.AveragedModel(model, avg_fn=remember, use_buffers=True)")
        found.append("average.n_averaged += 1  # it begins with the initial weights")
    return found


def _optimizer(config: RunConfig) -> str:
    name, own = OPTIMIZERS[config.optimizer].pytorch_source(config)
    return call(name, "model.parameters()", "lr=LEARNING_RATE", *own)


def _schedule(config: RunConfig) -> list[str]:
    """Return the lines that make a scheduler, which is asked once a step, or none where the rate is constant."""
    epochs = config.decay_epochs
    whole = f"{epochs:g} * len(batches)" if epochs % 1 == 0 else f"max(1, round({epochs} * len(batches)))"
    match config.schedule:
        case "constant":
            main = None
        case "step":
            main = f"lr_scheduler.StepLR(optimizer, {whole}, gamma={config.decay_factor})"
        case "exponential":
            factor = f"{config.decay_factor} ** (1 / ({epochs:g} * len(batches)))"
            main = f"lr_scheduler.ExponentialLR(optimizer, gamma={factor})"
        case "cosine":
            main = "lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * len(batches))"
        case "one_cycle":
            rise = f"pct_start={config.warmup_epochs:g} / options.epochs" if config.warmup_epochs else None
            steps = "total_steps=options.epochs * len(batches)"
            last = "cycle_momentum=False"
            made = call("lr_scheduler.OneCycleLR", "optimizer", "LEARNING_RATE", steps, rise, last)
            return [f"scheduler = {made}"]
    if not config.warmup_epochs:
        return [f"scheduler = {main}"] if main else []
    warmup = "lr_scheduler.LinearLR(optimizer, start_factor=1 / warmup, total_iters=warmup - 1)"
    both = [
        "scheduler = lr_scheduler.ChainedScheduler(",
        "    [",
        f"        {main},",
        f"        {warmup},",
        "    ]",
        ")",
    ]
    return [
        f"warmup = max(1, round({config.warmup_epochs:g} * len(batches)))  # steps",
        *(both if main else [f"scheduler = {warmup}"]),
    ]


def _step(config: RunConfig) -> list[str]:
    """Return what follows the loss in each step."""
    clip = f"nn.utils.clip_grad_norm_(model.parameters(), {config.clip_norm})" if config.clip_norm else None
    found = (
        "loss.backward()",
        clip,
        "optimizer.step()",
        "scheduler.step()" if _schedule(config) else None,
        "average.update_parameters(model)" if config.ema_decay else None,
    )
    return [line for line in found if line]


def _evaluation(config: RunConfig) -> list[str]:
    if config.precision != "bfloat16":
        return ["outputs, answers = model(preprocess(batch.to(device))), answers.to(device)"]
    return [
        "with torch.autocast(device, torch.bfloat16):",
        "    outputs = model(preprocess(batch.to(device))).float()",
        "answers = answers.to(device)",
    ]


def _evaluated(config: RunConfig) -> str:
    return "average.module" if config.ema_decay else "model"


def _save(config: RunConfig) -> str:
    return f"torch.save({_evaluated(config)}.state_dict(), options.output)"


def _skip(config: RunConfig) -> list[str]:
    every = config.validation_every
    return [f"if epoch % {every} and epoch < options.epochs:", "    continue"] if every > 1 else []


def _best(config: RunConfig) -> list[str]:
    """Return where what is best so far begins, in runs that look for it."""
    if config.checkpoint_policy == "last" and not config.patience:
        return []
    return ['best_loss = float("inf")' if config.monitor == "val_loss" else "best_accuracy = -1"]


def _keep(config: RunConfig) -> list[str]:
    """Return what follows a validation: the best weights are kept, and no better ones end the training."""
    if not _best(config):
        return []
    figure, sign = ("loss", "<") if config.monitor == "val_loss" else ("accuracy", ">")
    found = [f"if {figure} {sign} best_{figure}:", f"    best_{figure} = {figure}"]
    if config.patience:
        found[-1] = f"    best_{figure}, best_epoch = {figure}, epoch"
    if config.checkpoint_policy == "best":
        found.append(f"    {_save(config)}")
    if config.patience:
        found += [f"elif epoch - best_epoch >= {config.patience}:", "    break"]
    return found


def _is_warped(config: RunConfig) -> bool:
    return is_augmented(config.model_copy(update={"erasing": 0}))


def _erase_source(config: RunConfig) -> str:
    low, high = ERASED_AREA
    return Template(_ERASE).substitute(low=low, high=high, ratio=ERASED_RATIO, share=config.erasing)


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
    """Scale pixels, 0 to 255 and channels first (N, C, H, W), as the network wants them."""$scaled


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

_ERASE = '''def erase(images):
    """Black out a rectangle of each image (N, C, H, W) with a probability of $share."""
    count, _, height, width = images.shape

    def draw(low, high):
        return torch.empty(count, 1, device=images.device).uniform_(low, high)

    area, ratio = draw($low, $high), torch.exp(draw(-np.log($ratio), np.log($ratio)))
    rows = torch.round(torch.sqrt(area / ratio) * height).clamp(1, height)
    columns = torch.round(torch.sqrt(area * ratio) * width).clamp(1, width)
    top, left = torch.floor(draw(0, 1) * (height - rows + 1)), torch.floor(draw(0, 1) * (width - columns + 1))
    ys, xs = torch.arange(height, device=images.device), torch.arange(width, device=images.device)
    inside_y, inside_x = (ys >= top) & (ys < top + rows), (xs >= left) & (xs < left + columns)
    chosen = inside_y[:, :, None] & inside_x[:, None, :] & (draw(0, 1) < $share)[:, :, None]
    return images.masked_fill(chosen[:, None], 0)


'''

_AVERAGING = '''def remember(average, weights, steps):
    """Return the running average of the weights after so many steps."""
    kept = averaging_decay($decay, steps)
    return kept * average + (1 - kept) * weights


'''

_LONE = """
    lone = len(images) % BATCH_SIZE == 1  # one image after all whole batches, too few for BatchNorm1d"""

_INITIALISE = {
    "shared": """
    for module in model.modules():  # Glorot uniform kernels and zero biases
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.xavier_uniform_(module.weight)
            nn.init.zeros_(module.bias)""",
    "he": """
    for module in model.modules():  # He normal kernels and zero biases
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
            nn.init.zeros_(module.bias)""",
}

_SCRIPT = '''$header

import numpy as np
import torch
from torch import nn$imports
from torch.utils.data import DataLoader, TensorDataset

$settings

loss_function = nn.CrossEntropyLoss()

$model

$read_data


${augment}${erase}${averaging_decay}${averaging}@torch.no_grad()
def evaluate(model, images, labels, device):
    """Return the mean loss and the share read correctly."""
    model.eval()
    loss_sum = correct = 0
    for batch, answers in DataLoader(dataset_of(images, labels), batch_size=1000):$evaluation
        loss_sum += loss_function(outputs, answers).item() * len(answers)
        correct += (outputs.argmax(dim=1) == answers).sum().item()
    return loss_sum / len(labels), correct / len(labels)


def dataset_of(images, labels):
    channels_first = images.transpose(0, 3, 1, 2)
    return TensorDataset(torch.tensor(channels_first), torch.tensor(labels))


def main():
$read_options

    torch.manual_seed(SEED)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    images, labels, test_images, test_labels = read_data(options.data)$hold_back$count_classes

    model = build_model()$initialise
    model.to(device)$prepare$optimizer$lone
    batches = DataLoader(dataset_of(images, labels), batch_size=BATCH_SIZE, shuffle=True$drop)$schedule$best
    for epoch in range(1, options.epochs + 1):
        model.train()
        for batch, answers in batches:$step$skip
        loss, accuracy = evaluate($evaluated, *validation, device)
        print(f"epoch {epoch}: validation loss {loss:.4f}, accuracy {accuracy:.4f}", flush=True)$keep
$save_last
    model.load_state_dict(torch.load(options.output, weights_only=True))
    loss, accuracy = evaluate(model, test_images, test_labels, device)
    print(f"test loss {loss:.4f}, accuracy {accuracy:.4f}")


if __name__ == "__main__":
    main()
'''
