"""Wrong labels that were planted among MNIST's are suspected; how folds, recipes and rare classes are treated."""

import time

import numpy as np
import pytest

from core.datasets import Dataset, load
from core.studies import label_check
from core.studies.label_check import (
    FOLDS,
    Check,
    cancel_check,
    check_labels,
    check_progress,
    fold_config,
    fold_of,
    start_check,
    suspects,
)
from tests.sample_data import make_dataset, noise, store

IMAGES, WRONG = 600, 12
CHECK = Check("tiny")


def plant(images: int = IMAGES, wrong: int = WRONG) -> tuple[Dataset, np.ndarray]:
    """Return the first images of MNIST, stored as a data set with some labels changed, and which those are."""
    mnist = load("mnist")
    labels = mnist.train.labels[:images].copy()
    generator = np.random.default_rng(0)
    planted = generator.choice(images, wrong, replace=False)
    labels[planted] = (labels[planted] + generator.integers(1, 10, wrong)) % 10
    made = make_dataset(
        mnist.train.images[:images], labels, mnist.test.images[:20], mnist.test.labels[:20], mnist.class_names
    )
    return store(made), planted


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let each network see few images."""
    monkeypatch.setattr(label_check, "_IMAGES", 5_000)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("framework", ["pytorch", pytest.param("keras", marks=pytest.mark.slow)])
def test_planted_labels_are_suspected_first_and_what_they_were_is_suggested(framework):
    dataset, planted = plant()
    told: list[tuple[float, str]] = []

    found = check_labels(dataset, Check("tiny", framework), lambda *progress: told.append(progress))

    first = found.ranked[: 3 * WRONG]
    caught = {suspect.index: suspect for suspect in first if suspect.index in planted}
    assert len(caught) >= WRONG - 1
    truth = load("mnist").train.labels
    assert sum(suspect.suggested == truth[index] for index, suspect in caught.items()) >= len(caught) - 1
    assert [suspect.score for suspect in found.ranked] == sorted(suspect.score for suspect in found.ranked)
    assert all(
        suspect.label == dataset.train.labels[suspect.index] != suspect.suggested
        and 0 <= suspect.score < suspect.confidence <= 1
        for suspect in found.ranked
    )
    assert 0 <= found.estimated < IMAGES / 4
    assert [share for share, _ in told] == sorted(share for share, _ in told)
    assert {sentence for _, sentence in told} == {*(f"Fold {i} of 5" for i in range(1, 6)), "Ranking the labels"}
    assert suspects(dataset, Check("tiny", framework)) == found  # kept
    assert suspects(dataset, Check("tiny", framework, seed=1)) is None


@pytest.mark.slow
@pytest.mark.usefixtures("quick")
def test_planted_outliers_are_among_the_least_typical():
    mnist = load("mnist")
    images = mnist.train.images[:IMAGES].copy()
    planted = np.arange(10, 20)
    images[planted] = 255 - images[planted]  # dark digits on white
    dataset = store(make_dataset(images, mnist.train.labels[:IMAGES], images[:2], [0, 1], mnist.class_names))

    found = check_labels(dataset, CHECK).outliers

    assert [outlier.typicality for outlier in found] == sorted(outlier.typicality for outlier in found)
    assert len({outlier.index for outlier in found} & {*planted.tolist()}) >= 8
    assert len(found) == 100


@pytest.mark.usefixtures("quick")
def test_an_image_that_is_alone_in_its_class_is_not_suspected():
    images = noise(30, (12, 12, 1))
    dataset = store(make_dataset(images, [0] * 15 + [1] * 14 + [2], images[:2], [0, 1], ("a", "b", "alone")))

    found = check_labels(dataset, CHECK)

    assert found.unchecked == 1
    assert all(suspect.index != 29 for suspect in found.ranked)


def test_folds_spread_each_class_evenly():
    labels = np.repeat([0, 1, 2], [50, 23, 4])

    folds = fold_of(labels, seed=1)

    for label in range(3):
        counts = np.bincount(folds[labels == label], minlength=FOLDS)
        assert counts.max() - counts.min() <= 1
    assert (folds != fold_of(labels, seed=2)).any()


def test_the_quickest_recipe_that_fits_is_taken_and_few_images_are_seen_more_often():
    mnist = fold_config(load("mnist"), Check("mnist"))
    assert (mnist.architecture, mnist.epochs, mnist.warmup_epochs) == ("cnn-fast", 1, 0.25)

    few = make_dataset(noise(3_000, (28, 28, 1)), np.arange(3_000) % 2, noise(2, (28, 28, 1)), [0, 1])
    assert (fold_config(few, CHECK).epochs, fold_config(few, CHECK).warmup_epochs) == (20, 5.0)

    small = make_dataset(noise(40), np.arange(40) % 2, noise(2), [0, 1])  # too small for that network
    assert (fold_config(small, CHECK).architecture, fold_config(small, CHECK).epochs) == ("cnn-quick", 60)


@pytest.mark.slow
@pytest.mark.usefixtures("ends_processes")  # it may still be on its way out
def test_a_check_runs_apart_is_kept_and_is_begun_once():
    dataset, _ = plant(images=60, wrong=2)
    assert check_progress(CHECK).state == "never"
    start_check(CHECK)
    start_check(CHECK)  # a second visitor
    deadline = time.monotonic() + 300
    while check_progress(CHECK).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)

    assert check_progress(CHECK).state == "done", check_progress(CHECK).sentence
    assert suspects(dataset, CHECK) is not None


def test_a_check_can_be_stopped_and_leaves_nothing():
    dataset, _ = plant()
    start_check(CHECK)
    cancel_check(CHECK)

    assert check_progress(CHECK).state == "cancelled"
    assert suspects(dataset, CHECK) is None
