"""A training step in PyTorch with each choice that the engine has made left open, for `benchmarks.choices`."""

import ctypes
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from typing import Literal

# As in core.engines.pytorch; must be set before the import.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

import torch
from torch import nn

from benchmarks.turns import Turns
from core.datasets import load
from core.networks.layers import Layer, named, pool_before_relu
from core.networks.zoo import ARCHITECTURES


def steps(
    turns: Turns,
    *,
    network: str,
    batch_size: int,
    steps: int,
    repeats: int,
    threads: int,
    layout: Literal["channels_last", "channels_first", "onednn"] = "channels_last",
    pool_first: bool = True,
    memory_kept: bool = True,
    pixels_at_once: int = 1_048_576,
    pick: Literal["index", "index_select"] = "index",
    update: Literal["fused", "foreach", "loop"] = "fused",
    precision: Literal["float32", "bfloat16"] = "float32",
    compiled: bool = False,
) -> None:
    """Train so many steps a turn; it reports the `seconds` and the processor seconds, `cpu`, of all threads."""
    torch.set_num_threads(threads)
    torch.manual_seed(42)
    if memory_kept:
        library = ctypes.CDLL(None)
        library.mallopt(-4, 0)
        library.mallopt(-1, 2**30)
    train = load("mnist").train
    images, labels = torch.tensor(train.images), torch.tensor(train.labels)
    model = _network(network, pool_first)
    model.to(memory_format=torch.channels_last if layout == "channels_last" else torch.contiguous_format)
    optimizer = torch.optim.SGD(
        model.parameters(), 0.01, momentum=0.9, **{"loop": {"foreach": False}}.get(update, {update: True})
    )
    run = torch.compile(model) if compiled else model

    def batches(indices: torch.Tensor) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        count = max(1, pixels_at_once // (batch_size * images[0].numel()))
        for i in range(0, len(indices), count):
            chosen = indices[i : i + count].flatten()
            taken = images[chosen] if pick == "index" else images.index_select(0, chosen)
            pixels = taken.to(torch.float32).mul_(1 / 255)
            yield from zip(pixels.split(batch_size), labels[chosen].split(batch_size), strict=True)

    def chunk(count: int) -> None:
        losses, outputs = [], []
        indices = torch.randint(len(labels), (count, batch_size))
        for pixels, answers in batches(indices):
            pixels = pixels.permute(0, 3, 1, 2)
            if layout != "channels_last":
                pixels = pixels.contiguous()
            if layout == "onednn":
                pixels = pixels.to_mkldnn()
            with torch.autocast("cpu", torch.bfloat16) if precision == "bfloat16" else nullcontext():
                logits = run(pixels).float()
            loss = nn.functional.cross_entropy(logits, answers)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            losses.append(loss.detach())
            outputs.append(logits.detach())
        torch.stack(losses), (torch.stack(outputs).argmax(dim=2) == labels[indices]).sum(dim=1)

    chunk(steps)
    for _ in range(repeats):
        with turns.measure() as figures:
            began = time.process_time()
            chunk(steps)
            figures["cpu"] = time.process_time() - began


class _Flatten(nn.Module):
    """Flattens in the canonical order: height, width, channel."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        dense = images.to_dense() if images.is_mkldnn else images
        return dense.permute(0, 2, 3, 1).flatten(1)


def _network(name: str, pool_first: bool) -> nn.Sequential:
    """Return one of the networks of `benchmarks.choices`; their convolutions are padded alike on all sides."""
    layers = list(named(ARCHITECTURES[name].for_classes(10).layers))
    shape, chain = (28, 28, 1), nn.Sequential()
    outputs = []
    for _, layer in layers:
        outputs.append(_build(layer, shape))
        shape = layer.output_shape(shape)
    built = {id(layer): module for (_, layer), module in zip(layers, outputs, strict=True)}
    for _, layer in pool_before_relu(layers) if pool_first else layers:
        chain.append(built[id(layer)])
    return chain


def _build(layer: Layer, shape: tuple[int, ...]) -> nn.Module:
    match layer.kind:
        case "convolution":
            padding = layer.kernel // 2 if layer.padding == "same" else 0
            return nn.Conv2d(shape[-1], layer.filters, layer.kernel, layer.stride, padding)
        case "batch_norm":
            return nn.BatchNorm2d(shape[-1])
        case "max_pool":
            return nn.MaxPool2d(layer.size, layer.stride, ceil_mode=layer.padding == "same")
        case "flatten":
            return _Flatten()
        case "dense":
            return nn.Linear(shape[0], layer.units)
        case "activation":
            return nn.ReLU()
    raise ValueError(f"Expected a layer of the networks that are measured, received {layer.kind!r}.")
