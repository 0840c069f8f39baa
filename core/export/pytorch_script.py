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
from core.engines.augmentation import ERASED_AREA, ERASED_RATIO, is_augmented
from core.export.script import arguments, call, lines, values
from core.networks.kind import in_lines
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
            initialise=lines(4, _initialise(config, model)),
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
    return "".join(f"{source}\n\n" for source in _classes(modules)) + Template(_MODEL).substitute(
        shape=repr(tuple(description.input_shape)),
        class_names=ascii(tuple(description.class_names)),
        scaled=lines(4, _scaled(description)),
        modules="\n".join(f"        {line}" for source in _sources(modules) for line in f"{source},".splitlines()),
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
    """The source of a layer, a string for each module that it is, the layer itself, and those of its branches."""

    sources: list[str]
    name: str
    layer: Layer
    shape: Shape
    branches: dict[str, tuple["_Module", ...]]


def _modules(layers: Iterable[Layer], shape: Shape, prefix: str = "") -> Iterator[_Module]:
    for name, layer in named(layers, prefix):
        branches = {
            branch.name: tuple(_modules(branch.layers, shape, f"{name}/{branch.prefix}"))
            for branch in layer.branches(shape)
        }
        chains = [in_lines(_sources(modules)) for modules in branches.values()]
        yield _Module(layer.pytorch_source(shape, *chains), name, layer, shape, branches)
        shape = layer.output_shape(shape)


def _sources(modules: Iterable[_Module]) -> list[str]:
    return [source for module in modules for source in module.sources]


def _flat(modules: Iterable[_Module]) -> Iterator[_Module]:
    """Yield modules and those of their branches."""
    for module in modules:
        yield module
        for inner in module.branches.values():
            yield from _flat(inner)


def _classes(modules: Iterable[_Module]) -> list[str]:
    """Return the source of each class that the layers call and PyTorch has not."""
    found = {}
    for module in _flat(modules):
        if module.layer.PYTORCH_CLASS:
            name, source = module.layer.PYTORCH_CLASS
            if any(f"{name}(" in code for code in module.sources):
                found[name] = source
    return list(found.values())


def _state(
    modules: Iterable[_Module], weights: dict[str, np.ndarray], prefix: str = ""
) -> Iterator[tuple[str, np.ndarray]]:
    rows: np.ndarray | None = None  # where each value of a row is in the canonical order, if elsewhere
    position = -1
    for module in modules:
        position += len(module.sources)
        key, layer, shape = f"{prefix}{position}", module.layer, module.shape
        if module.branches and rows is not None:
            raise ValueError("Export (--format): expected a dense layer between a flatten and a residual.")
        for weight in layer.weights(shape):
            name, axes = layer.PYTORCH_WEIGHTS[weight]
            array = weights[f"{module.name}/{weight}"]
            if rows is not None and weight in layer.FEATURE_AXES:
                array = array.take(rows, layer.FEATURE_AXES[weight])
            yield f"{key}.{name}", array.transpose(axes)
        for name, value in layer.PYTORCH_BUFFERS.items():
            yield f"{key}.{name}", np.array(value)
        for branch, inner in module.branches.items():
            yield from _state(inner, weights, f"{key}.{branch}.")
        if layer.kind == "flatten" and len(shape) == 3:
            rows = np.arange(np.prod(shape)).reshape(shape).transpose(2, 0, 1).ravel()
        elif not layer.KEEPS_ORDER:
            rows = None


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


def _initialise(config: RunConfig, model: str) -> list[str]:
    """Return the lines that draw the weights of a network, whose source is `model`, or none if PyTorch draws them."""
    match config.initialisation:
        case "he":
            name, kernels = "He normal", ['nn.init.kaiming_normal_(module.weight, nonlinearity="relu")']
        case "shared" if "groups=" in model:
            parts = 'module.weight.data.chunk(getattr(module, "groups", 1))'
            name, kernels = "Glorot uniform", [f"for group in {parts}:", "    nn.init.xavier_uniform_(group)"]
        case "shared":
            name, kernels = "Glorot uniform", ["nn.init.xavier_uniform_(module.weight)"]
        case _:
            return []
    biases = ["nn.init.zeros_(module.bias)"]
    if "bias=False" in model:
        biases = ["if module.bias is not None:", f"    {biases[0]}"]
    return [
        f"for module in model.modules():  # {name} kernels and zero biases",
        "    if isinstance(module, (nn.Conv2d, nn.Linear)):",
        *(f"        {line}" for line in (*kernels, *biases)),
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

_SCRIPT = '''$header

import numpy as np
import torch
from torch import nn$imports
from torch.utils.data import DataLoader, TensorDataset

$settings

loss_function = nn.CrossEntropyLoss()

$model

$read_data


${grouping}${augment}${erase}${averaging_decay}${averaging}@torch.no_grad()
def evaluate(model, images, labels, device):
    """Return the mean loss and the share predicted correctly."""
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
