import os

import numpy as np
import pytest

from core.engines import kept_features
from core.engines.kept_features import KeptFeatures
from core.system.paths import data_dir


class Counted:
    """Gives each image's mean, four times, and counts how many it was asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, images: np.ndarray) -> np.ndarray:
        self.asked += len(images)
        return np.repeat(images.mean(axis=(1, 2, 3), dtype=np.float32)[:, None], 4, axis=1)


def draw(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 5, 5, 1), np.uint8)


def test_each_image_is_computed_once():
    images, first, second = draw(6), Counted(), Counted()

    expected = KeptFeatures("a", first).of(images[[0, 1, 2, 3]])
    again = KeptFeatures("a", second).of(images)

    assert np.array_equal(again[:4], expected)
    assert (first.asked, second.asked) == (4, 2)
    KeptFeatures("b", third := Counted()).of(images)
    assert third.asked == 6, "other layers"


def test_of_too_many_those_in_use_are_kept(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept_features, "MOST_BYTES", 20_000)  # a file has room for 208 images
    KeptFeatures("a", Counted()).of(draw(150, seed=1))

    KeptFeatures("a", Counted()).of(draw(150, seed=2))

    assert (data_dir() / "features" / "a.safetensors").stat().st_size < 20_000
    KeptFeatures("a", in_use := Counted()).of(draw(150, seed=2))
    assert in_use.asked == 0
    KeptFeatures("a", before := Counted()).of(draw(150, seed=1))
    assert 0 < before.asked < 150


def test_the_longest_unused_files_are_removed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept_features, "MOST_BYTES", 20_000)
    folder = data_dir() / "features"
    for age, name in enumerate("abc"):
        KeptFeatures(name, Counted()).of(draw(110, seed=age))  # 5.3 kB each
        os.utime(folder / f"{name}.safetensors", times=(age, age))
    KeptFeatures("a", Counted()).of(draw(1))  # so it is in use

    KeptFeatures("d", Counted()).of(draw(110, seed=9))

    assert sorted(path.stem for path in folder.glob("*.safetensors")) == ["a", "c", "d"]


def test_what_does_not_fit_is_given_all_the_same(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(kept_features, "MOST_BYTES", 1)

    assert KeptFeatures("a", Counted()).of(draw(3)).shape == (3, 4)
