"""Augmentation as in PyTorch's tutorials: `v2.RandomAffine` in a data set's transform, so image by image."""

import torch

import core.datasets.fetching  # isort: skip  # noqa: F401, lets torchvision be imported beside a CPU torch
from torchvision.transforms import InterpolationMode, v2

from benchmarks.turns import Turns
from core.datasets import load


def augment(turns: Turns, *, degrees: float, zoom: float, shift: float, images: int, repeats: int) -> None:
    """Augment so many images; a turn is all of them once."""
    torch.manual_seed(42)
    transform = v2.RandomAffine(
        degrees, translate=(shift, shift), scale=(1 - zoom, 1 + zoom), interpolation=InterpolationMode.BILINEAR
    )
    inputs = torch.tensor(load("mnist").train.images[:images]).permute(0, 3, 1, 2).float() / 255
    for image in inputs[:100]:
        transform(image)
    for _ in range(repeats):
        with turns.measure():
            for image in inputs:
                transform(image)
