"""PyTorch's engine: the verbs of `core.engines.engine` on torch tensors.

Images stay channels-last from the data set to the last convolution, so flattening is free and in
the canonical order. Nothing is read back from the device inside a chunk.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from core.engines import tuning
from core.system.text import quoted

tuning.limit_spinning()  # must come before the import of torch

import numpy as np
import torch
from torch import nn

from core.config import RunConfig
from core.config.optimizers import OPTIMIZERS
from core.engines import Chunk, Pixels, available_cores, images_at_once
from core.engines.averaging import ema_weights
from core.engines.cuda_graph import RecordedGraph
from core.engines.normalization import FIXED, Scaling
from core.networks.layers import Architecture, Layer, Shape, before_head, layer_rows, named, pool_before_relu

# A thousand at a time are a little quicker, but hold some 150 MB more, which the process then keeps.
_MOST_PREDICTED = 250

# Batches are taken and scaled several at once up to so many, which spares small ones most of the calls.
_PIXELS_AT_ONCE = 2**20

# By then libraries are loaded and the optimizer has made what it remembers.
_STEPS_BEFORE_RECORDING = 3

tuning.keep_memory()
tuning.leave_compiler_out(torch.optim.Optimizer)


def devices() -> list[dict[str, str]]:
    """Return the name and a description of each device that PyTorch can use here."""
    found = [{"name": "cpu", "title": f"CPU, {available_cores()} cores"}]
    if torch.cuda.is_available():
        found += [
            {"name": f"gpu:{i}", "title": torch.cuda.get_device_name(i)} for i in range(torch.cuda.device_count())
        ]
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "title": "Apple GPU"})
    return found


def versions() -> dict[str, str]:
    """Return the versions that a run records."""
    return {"torch": torch.__version__}


def augment(images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
    """Return uint8 images `(N, H, W, C)` as training sees them: float32, of the same range."""
    channels_first = torch.tensor(images).permute(0, 3, 1, 2).to(torch.float32)
    return _apply_affine(channels_first, torch.tensor(transforms)).permute(0, 2, 3, 1).contiguous().numpy()


class Engine:
    """A network, its optimizer and its data on one device."""

    def __init__(
        self,
        config: RunConfig,
        architecture: Architecture,
        input_shape: Shape,
        classes: int,
        scaling: Scaling | None = None,
        pixels: Pixels = "uint8",
    ):
        torch.set_num_threads(config.threads or available_cores())
        torch.manual_seed(config.seed)
        self._config = config
        self._device = _device(config.device)
        self._dtype = _dtype(config)
        self._scale, self._offset = (
            torch.tensor(values, dtype=self._dtype, device=self._device).reshape(-1, 1, 1)
            for values in scaling or FIXED[config.normalization]
        )
        rows = layer_rows(architecture, input_shape, classes)
        self._layers = {row.name: row.layer.build_pytorch(row.input_shape, torch) for row in rows}
        self._rows = {row.name: row for row in rows}
        self._model = self._chain(named(architecture.for_classes(classes).layers))
        self._model.to(self._device, self._dtype, memory_format=torch.channels_last)
        self._body = self._chain(named(before_head(architecture, input_shape, classes)))
        self._parameters = list(self._model.parameters())
        self._predict_batch = images_at_once(_MOST_PREDICTED, input_shape)
        self._optimizer = OPTIMIZERS[config.optimizer].build_pytorch(config, self._parameters, torch)
        self._counts_on_device = any(self._optimizer.defaults.get(kind) for kind in ("fused", "capturable"))
        self._averages: list[torch.Tensor] = []
        self._graph: RecordedGraph | None = None
        self._update = tuning.plain_step(self._optimizer, torch.no_grad())
        self._start_averages()

    def load_data(self, images: np.ndarray, labels: np.ndarray, class_weights: np.ndarray | None = None) -> None:
        """Put the images and labels to train on, and what an image of each class counts, onto the device."""
        self._images = torch.tensor(images, device=self._device)
        self._labels = torch.tensor(labels, device=self._device)
        self._forget_recording()
        self._class_weights = (
            None if class_weights is None else torch.tensor(class_weights, dtype=self._dtype, device=self._device)
        )

    def train(
        self, indices: np.ndarray, learning_rates: np.ndarray | None = None, transforms: np.ndarray | None = None
    ) -> Chunk:
        """Take one step a row of `indices`, each at its own learning rate."""
        self._model.train()
        batches = torch.from_numpy(np.ascontiguousarray(indices)).to(self._device)
        if learning_rates is None:
            learning_rates = np.full(len(batches), self._config.learning_rate)
        affine = None if transforms is None else torch.from_numpy(transforms).to(self._device)
        run = self._run_graph if self._uses_graph(batches) else self._run_eager
        losses, logits, norm = run(batches, learning_rates, affine)
        correct = (logits.argmax(dim=2) == self._labels[batches]).sum(dim=1)
        return Chunk(losses.cpu().numpy().astype(np.float64), correct.cpu().numpy(), norm.item())

    @torch.inference_mode()
    def predict(self, images: np.ndarray) -> np.ndarray:
        """Return the logits of uint8 images, by the averaged weights where a run has them."""
        self._model.eval()
        batches = (
            torch.tensor(images[i : i + self._predict_batch], device=self._device)
            for i in range(0, len(images), self._predict_batch)
        )
        with self._averaged():
            return torch.cat([self._logits(self._normalise(batch)) for batch in batches]).cpu().numpy()

    @torch.inference_mode()
    def features(self, images: np.ndarray) -> np.ndarray:
        """Return what goes into the last layer that learns, of uint8 images, flattened in the canonical order."""
        self._model.eval()
        batches = (
            torch.tensor(images[i : i + self._predict_batch], device=self._device)
            for i in range(0, len(images), self._predict_batch)
        )
        with self._averaged():
            found = torch.cat([self._body(self._normalise(batch)).float() for batch in batches])
        return (found.permute(0, 2, 3, 1) if found.ndim == 4 else found).flatten(1).cpu().numpy()

    def gradients(self, batch: np.ndarray) -> dict[str, np.ndarray]:
        """Return the gradients of the loss on a batch of indices, in the canonical layout; all weights stay."""
        before = self.weights()
        self._model.train()
        self._optimizer.zero_grad(set_to_none=True)
        pixels, labels = next(self._inputs(torch.from_numpy(batch)[None].to(self._device)))
        loss, _ = self._loss(pixels, labels)
        loss.backward()
        gradients = {
            key: _canonical(tensor.grad, axes) for key, tensor, axes in self._tensors() if tensor.grad is not None
        }
        self.load_weights(before)  # a batch norm's averages have moved
        return gradients

    def output_gradients(
        self, pixels: np.ndarray, labels: np.ndarray, layer: str | None = None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the values of a layer, or the pixels, and the gradients by them of each image's output for a class."""
        self._model.eval()
        images = torch.tensor(pixels, device=self._device)
        seen = [images.requires_grad_()]
        hook = self._layers[layer].register_forward_hook(lambda *given: seen.append(given[-1])) if layer else None
        try:
            with self._averaged(), torch.enable_grad():
                logits = self._logits(self._normalise(images.clone()))  # it changes them in place
                chosen = logits.gather(1, torch.tensor(labels, device=self._device)[:, None]).sum()
                (gradients,) = torch.autograd.grad(chosen, seen[-1])
        finally:
            if hook:
                hook.remove()
        found = [tensor.detach().float().cpu().numpy() for tensor in (seen[-1], gradients)]
        if layer:  # between layers channels come first
            found = [values.transpose(0, 2, 3, 1) if values.ndim == 4 else values for values in found]
        return np.array(found[0], order="C"), np.array(found[1], order="C")

    def weights(self) -> dict[str, np.ndarray]:
        """Return a copy of all weights in the canonical layout, the averaged ones where a run has them."""
        with self._averaged():
            return self._weights()

    @torch.no_grad()
    def load_weights(self, weights: Mapping[str, np.ndarray]) -> None:
        """Take all weights from canonical arrays; their average starts anew."""
        for key, tensor, axes in self._tensors():
            tensor.copy_(torch.tensor(weights[key].transpose(axes)))
        self._start_averages()

    def state(self) -> dict[str, np.ndarray]:
        """Return what the next step depends on: weights, their average, the optimizer and the random numbers."""
        state = {f"weights/{key}": values for key, values in self._weights().items()}
        for i, tensor in enumerate(self._averages):
            state[f"averages/{i}"] = tensor.cpu().numpy().copy()
        for i, parameter in enumerate(self._parameters):
            for key, value in self._optimizer.state[parameter].items():
                if value is not None:
                    state[f"optimizer/{i}/{key}"] = value.cpu().numpy().copy()
        state["random/cpu"] = torch.get_rng_state().numpy().copy()
        if self._device.type == "cuda":
            state["random/device"] = torch.cuda.get_rng_state(self._device).numpy().copy()
        return state | {"steps": np.array(self._steps)}

    @torch.no_grad()
    def load_state(self, state: Mapping[str, np.ndarray]) -> None:
        """Go on from a `state`, as if nothing had happened in between."""
        self.load_weights({key.removeprefix("weights/"): state[key] for key in state if key.startswith("weights/")})
        self._averages = [_like(tensor, state[f"averages/{i}"]) for i, tensor in enumerate(self._averages)]
        for key, value in state.items():
            if key.startswith("optimizer/"):
                _, i, name = key.split("/")
                parameter = self._parameters[int(i)]
                self._optimizer.state[parameter][name] = (
                    _like(parameter, value)
                    if value.shape == parameter.shape
                    else torch.tensor(value, device=self._device if self._counts_on_device else "cpu")
                )
        torch.set_rng_state(torch.tensor(state["random/cpu"]))
        if "random/device" in state:
            torch.cuda.set_rng_state(torch.tensor(state["random/device"]), self._device)
        self._steps = int(state["steps"])

    def _weights(self) -> dict[str, np.ndarray]:
        return {key: _canonical(tensor.detach(), axes) for key, tensor, axes in self._tensors()}

    def _inputs(
        self, batches: torch.Tensor, affine: torch.Tensor | None = None
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        """Yield the pixels and the labels of each batch of indices."""
        size = batches.shape[1]
        count = max(1, _PIXELS_AT_ONCE // (size * self._images[0].numel()))
        for i in range(0, len(batches), count):
            chosen = batches[i : i + count].flatten()
            of_chosen = None if affine is None else affine[i : i + count].flatten(0, 1)
            pixels = self._normalise(self._images[chosen], of_chosen)
            yield from zip(pixels.split(size), self._labels[chosen].split(size), strict=True)

    def _run_eager(
        self, batches: torch.Tensor, learning_rates: np.ndarray, affine: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Take the steps one by one; return their losses, their logits and the length of the last gradient."""
        losses, logits, norm = [], [], None
        weights = ema_weights(self._config.ema_decay, self._steps, len(batches))
        inputs = zip(self._inputs(batches, affine), learning_rates.tolist(), weights, strict=True)
        for (pixels, labels), learning_rate, ema_weight in inputs:
            loss, found, norm = self._step(pixels, labels, learning_rate, ema_weight)
            losses.append(loss)
            logits.append(found)
        self._steps += len(batches)
        self._taken += len(batches)
        return torch.stack(losses), torch.stack(logits), self._norm(norm)

    def _run_graph(
        self, batches: torch.Tensor, learning_rates: np.ndarray, affine: torch.Tensor | None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Take the steps as `_run_eager` does, from a recording."""
        each_step = (learning_rates, ema_weights(self._config.ema_decay, self._steps, len(batches)))
        scalars = (torch.tensor(values, dtype=torch.float32, device=self._device) for values in each_step)
        inputs = (batches, *scalars, *(() if affine is None else (affine,)))
        if self._graph is None:
            self._graph = RecordedGraph(self._whole_step, inputs)
            self._graph_gradients = self._gradients()
        losses, logits, *norms = self._graph(*inputs)
        for parameter, gradient in zip(self._parameters, self._graph_gradients, strict=True):
            parameter.grad = gradient
        self._steps += len(batches)
        return losses, logits, self._norm(norms[0][-1] if norms else None)

    def _uses_graph(self, batches: torch.Tensor) -> bool:
        """Return whether steps on such batches are worth a recording, and can have one by now."""
        return (
            self._device.type == "cuda"
            and self._counts_on_device
            and self._dtype == torch.float32  # a recorded learning rate is no more precise
            and batches.shape[1] == self._config.batch_size
            and self._taken >= _STEPS_BEFORE_RECORDING
        )

    def _whole_step(
        self,
        batch: torch.Tensor,
        learning_rate: torch.Tensor,
        ema_weight: torch.Tensor,
        affine: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, ...]:
        ((pixels, labels),) = self._inputs(batch[None], None if affine is None else affine[None])
        loss, logits, norm = self._step(pixels, labels, learning_rate, ema_weight)
        return (loss, logits) if norm is None else (loss, logits, norm)

    def _step(
        self,
        pixels: torch.Tensor,
        labels: torch.Tensor,
        learning_rate: float | torch.Tensor,
        ema_weight: float | torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor | None]:
        """Take a step; return its loss, its logits and, if it is to be clipped, the length of its gradient."""
        loss, logits = self._loss(pixels, labels)
        for parameter in self._parameters:  # as zero_grad, without what serves the profiler
            parameter.grad = None
        loss.backward()
        norm = self._clip() if self._config.clip_norm else None
        self._optimizer.param_groups[0]["lr"] = learning_rate
        self._update()
        if self._config.ema_decay:
            self._average(ema_weight)
        return loss.detach(), logits.detach(), norm

    def _loss(self, pixels: torch.Tensor, labels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the mean loss of a batch, and its logits."""
        logits = self._logits(pixels)
        loss = partial(nn.functional.cross_entropy, logits, labels, label_smoothing=self._config.label_smoothing)
        if self._class_weights is None or self._config.defaults == "framework":
            # PyTorch's own mean is over the weights of the batch, and what it smooths has those of all classes.
            return loss(weight=self._class_weights), logits
        return (loss(reduction="none") * self._class_weights[labels]).mean(), logits

    def _logits(self, pixels: torch.Tensor) -> torch.Tensor:
        if self._config.precision != "bfloat16":
            return self._model(pixels)
        with torch.autocast(self._device.type, torch.bfloat16):
            return self._model(pixels).float()

    def _gradients(self) -> list[torch.Tensor]:
        return [parameter.grad for parameter in self._parameters if parameter.grad is not None]

    def _norm(self, norm: torch.Tensor | None) -> torch.Tensor:
        """Return the length of the last step's gradient, which is known already if it was clipped."""
        return nn.utils.get_total_norm(self._gradients()) if norm is None else norm

    def _clip(self) -> torch.Tensor:
        """Shorten the gradient to at most `clip_norm`; return how long it was."""
        norm = nn.utils.get_total_norm(self._gradients())
        torch._foreach_mul_(self._gradients(), self._config.clip_norm / norm.clamp(min=self._config.clip_norm))
        return norm

    def _start_averages(self) -> None:
        averaged = self._tensors() if self._config.ema_decay else ()
        self._averages = [tensor.detach().clone() for _, tensor, _ in averaged]
        self._steps = 0
        self._forget_recording()

    def _forget_recording(self) -> None:
        """Record the steps anew: something they read or change lies elsewhere now."""
        self._graph, self._taken = None, 0

    @torch.no_grad()
    def _average(self, ema_weight: float | torch.Tensor) -> None:
        tensors = [tensor for _, tensor, _ in self._tensors()]
        torch._foreach_lerp_(
            self._averages, tensors, ema_weight if isinstance(ema_weight, float) else [ema_weight] * len(tensors)
        )

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """Let the network have its averaged weights, if there are any, while the block runs."""
        if not self._averages:
            yield
            return
        tensors = [tensor for _, tensor, _ in self._tensors()]
        own = [tensor.detach().clone() for tensor in tensors]
        with torch.no_grad():
            torch._foreach_copy_(tensors, self._averages)
            try:
                yield
            finally:
                torch._foreach_copy_(tensors, own)

    def _chain(self, layers: Iterable[tuple[str, Layer]]) -> Any:
        chain = nn.Sequential()
        for name, layer in pool_before_relu(layers):
            branches = layer.branches(self._rows[name].input_shape)
            chains = [self._chain(named(branch.layers, f"{name}/{branch.prefix}")) for branch in branches]
            chain.append(_Branches(self._layers[name], chains) if chains else self._layers[name])
        return chain

    def _normalise(self, images: torch.Tensor, transforms: torch.Tensor | None = None) -> torch.Tensor:
        pixels = images.permute(0, 3, 1, 2).to(torch.float32)
        if transforms is not None:
            pixels = _apply_affine(pixels, transforms).contiguous(memory_format=torch.channels_last)
        return pixels.to(self._dtype).mul_(self._scale).add_(self._offset)

    def _tensors(self) -> Iterator[tuple[str, torch.Tensor, tuple[int, ...]]]:
        """Yield each weight's canonical name, its tensor, and the axes that make the canonical array one like it."""
        for name, row in self._rows.items():
            for key in row.layer.weights(row.input_shape):
                attribute, axes = row.layer.PYTORCH_WEIGHTS[key]
                yield f"{name}/{key}", getattr(self._layers[name], attribute), axes


def _like(tensor: torch.Tensor, values: np.ndarray) -> torch.Tensor:
    """Return values as a tensor that lies in memory as `tensor` does."""
    return torch.empty_like(tensor.detach()).copy_(torch.tensor(values))


def _canonical(tensor: torch.Tensor, axes: tuple[int, ...]) -> np.ndarray:
    """Return a copy of a tensor in the canonical order of axes."""
    return np.array(tensor.cpu().numpy().transpose(np.argsort(axes)), order="C")


def _apply_affine(images: torch.Tensor, transforms: torch.Tensor) -> torch.Tensor:
    """Look each pixel of channels-first images up where its image's transform says, bilinear, black outside.

    Then black out each image's rectangle, if there are any; see `core.engines.augmentation`.
    """
    height, width = images.shape[2:]
    columns = torch.arange(width, dtype=torch.float32, device=images.device)
    rows = torch.arange(height, dtype=torch.float32, device=images.device)
    # grid_sample counts from -1 at the first pixel's centre to 1 at the last one's.
    maps = transforms[:, :, :3] * (2 / torch.stack((columns[-1], rows[-1])))[:, None]
    by_column, by_row, offset = maps[..., None].unbind(2)
    # All x of an image, then all y: three times as fast as a product of each place with each map.
    grid = (by_column * columns)[:, :, None, :] + (by_row * rows + (offset - 1))[..., None]
    moved = nn.functional.grid_sample(
        images, grid.permute(0, 2, 3, 1), mode="bilinear", padding_mode="zeros", align_corners=True
    )
    if transforms.shape[2] == 3:
        return moved
    begins, ends = transforms[:, :, 3, None], transforms[:, :, 4, None]
    inside_x = (columns >= begins[:, 0]) & (columns < ends[:, 0])
    inside_y = (rows >= begins[:, 1]) & (rows < ends[:, 1])
    return moved.masked_fill_((inside_y[:, :, None] & inside_x[:, None, :])[:, None], 0)


class _Branches(nn.Module):
    """Hands what several chains make of the input to a layer that takes them all."""

    def __init__(self, layer: nn.Module, chains: Iterable[nn.Sequential]):
        super().__init__()
        self.layer, self.chains = layer, nn.ModuleList(chains)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.layer(*[chain(values) for chain in self.chains])


def _device(name: str) -> torch.device:
    if name not in {device["name"] for device in devices()}:
        there = ", ".join(device["name"] for device in devices())
        raise ValueError(f"Device (--device): PyTorch has {there} on this machine, received {quoted(name)}.")
    return torch.device(name.replace("gpu", "cuda"))


def _dtype(config: RunConfig) -> torch.dtype:
    if config.precision == "float64" and config.device == "mps":
        raise ValueError(
            "Precision (--precision): expected float32 on an Apple GPU, received 'float64'; or use the CPU."
        )
    return torch.float64 if config.precision == "float64" else torch.float32
