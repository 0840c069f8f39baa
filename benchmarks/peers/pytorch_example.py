"""The `mnist` example of github.com/pytorch/examples: written anew from its published settings.

Two convolutions (32 and 64 filters of 3×3), pooling, dropout .25, a dense layer of 128, dropout .5;
Adadelta at a rate of 1 that each epoch multiplies by .7; batches of 64. It does not shuffle on a CPU;
here it does, which makes it more accurate and no slower.
"""

import time

import torch
from torch import nn
from torch.optim.lr_scheduler import StepLR
from torch.utils.data import DataLoader, Subset

from benchmarks.peers.torchvision_script import mnist
from benchmarks.turns import Turns


def time_to_accuracy(turns: Turns, *, root: str, images: int | None, target: float, seeds: int, epochs: int) -> None:
    """Train epoch by epoch, each seed in turn, until their mean accuracy on the test images is reached.

    A turn is an epoch of one seed on so many of the images, or all. It reports its `epoch`, the `seconds` of
    training alone, and the `accuracy` on the test images after it.
    """
    dataset = mnist(root, train=True)
    if images:
        dataset = Subset(dataset, range(images))
    loader = DataLoader(dataset, batch_size=64, shuffle=True)
    test = DataLoader(mnist(root, train=False), batch_size=1000)
    trainings = [_Training(seed) for seed in range(seeds)]
    for epoch in range(1, epochs + 1):
        accuracies = []
        for training in trainings:
            with turns.measure() as figures:
                began = time.perf_counter()
                training.epoch(loader)
                seconds = time.perf_counter() - began
                accuracies.append(training.accuracy(test))
                figures.update(epoch=epoch, seconds=seconds, accuracy=accuracies[-1])
        if sum(accuracies) / seeds >= target:
            return


class _Training:
    """A network in training, with its optimizer and schedule."""

    def __init__(self, seed: int):
        torch.manual_seed(seed)
        self._model = nn.Sequential(
            nn.Conv2d(1, 32, 3),
            nn.ReLU(),
            nn.Conv2d(32, 64, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Dropout(0.25),
            nn.Flatten(),
            nn.Linear(12 * 12 * 64, 128),
            nn.ReLU(),
            nn.Dropout(0.5),
            nn.Linear(128, 10),
            nn.LogSoftmax(dim=1),
        )
        self._optimizer = torch.optim.Adadelta(self._model.parameters(), lr=1.0)
        self._schedule = StepLR(self._optimizer, step_size=1, gamma=0.7)

    def epoch(self, loader: DataLoader) -> None:
        self._model.train()
        for inputs, labels in loader:
            self._optimizer.zero_grad()
            loss = nn.functional.nll_loss(self._model(inputs), labels)
            loss.backward()
            self._optimizer.step()
        self._schedule.step()

    @torch.no_grad()
    def accuracy(self, loader: DataLoader) -> float:
        self._model.eval()
        correct = sum((self._model(inputs).argmax(1) == labels).sum().item() for inputs, labels in loader)
        return correct / len(loader.dataset)
