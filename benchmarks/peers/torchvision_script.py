"""PyTorch as in its tutorials: torchvision's MNIST, `ToTensor` and `Normalize`, a `DataLoader`, float32."""

import time
from collections.abc import Iterable, Iterator

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset, Subset

import core.datasets.fetching  # isort: skip  # noqa: F401, lets torchvision be imported beside a CPU torch
from torchvision import datasets, transforms

from benchmarks.turns import Turns

_PROBED_IMAGES = 6000


def ann_100() -> nn.Module:
    """Return the network `ann-100`."""
    return nn.Sequential(nn.Flatten(), nn.Linear(28 * 28, 100), nn.ReLU(), nn.Linear(100, 10))


def cnn_64_32_32() -> nn.Module:
    """Return the network `cnn-64-32-32`."""
    return nn.Sequential(
        nn.Conv2d(1, 64, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(64, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 32, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Flatten(),
        nn.Linear(4 * 4 * 32, 100),
        nn.ReLU(),
        nn.Linear(100, 10),
    )


NETWORKS = {"ann-100": ann_100, "cnn-64-32-32": cnn_64_32_32}


def epochs(turns: Turns, *, architecture: str, root: str, images: int | None, repeats: int) -> None:
    """Train on so many of the images, or all; a turn is one epoch. The loader has its best number of workers.

    Args:
        root: the folder in which torchvision's class finds its files.
    """
    torch.manual_seed(42)
    dataset = mnist(root, train=True)
    if images:
        dataset = Subset(dataset, range(images))
    model = NETWORKS[architecture]()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    workers = _best_workers(dataset)
    loader = DataLoader(dataset, batch_size=64, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    train(model, optimizer, _first(loader))
    for _ in range(repeats):
        with turns.measure() as figures:
            train(model, optimizer, loader)
            figures["workers"] = workers


def mnist(root: str, train: bool) -> Dataset:
    """Return a split of torchvision's MNIST, normalised with the mean and deviation that everyone uses."""
    transform = transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1307,), (0.3081,))])
    return datasets.MNIST(root, train=train, transform=transform)


def train(model: nn.Module, optimizer: torch.optim.Optimizer, loader: Iterable) -> None:
    """Train one epoch."""
    criterion = nn.CrossEntropyLoss()
    model.train()
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = criterion(model(inputs), labels)
        loss.backward()
        optimizer.step()


def _best_workers(dataset: Dataset) -> int:
    """Return the number of workers with which a loader is fastest once they run, from none to one a core."""
    part = Subset(dataset, range(min(_PROBED_IMAGES, len(dataset))))
    return min(range(torch.get_num_threads() + 1), key=lambda workers: _seconds(part, workers))


def _seconds(dataset: Dataset, workers: int) -> float:
    loader = DataLoader(dataset, batch_size=64, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    for _ in loader:
        pass
    began = time.perf_counter()
    for _ in loader:
        pass
    return time.perf_counter() - began


def _first(loader: DataLoader) -> Iterator:
    """Yield one batch, as a warm-up."""
    yield next(iter(loader))
