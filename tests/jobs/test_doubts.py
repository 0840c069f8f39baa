"""Runs trained to learn nothing are named, in both frameworks, and sound ones are not."""

import threading

import numpy as np
import pytest

from core.config import FRAMEWORK_TITLES, configure
from core.datasets import load
from core.jobs.worker import execute
from core.runs import Run, open_store
from tests.sample_data import make_dataset, store

pytestmark = pytest.mark.slow

DIGITS = tuple("0123456789")
SMALL = {"train_limit": 3000, "epochs": 2}
ADAM = {"optimizer": "adam", "learning_rate": 0.002}


def train(**settings) -> Run:
    runs = open_store()
    run_id = runs.create(configure(**settings), submission="a", claimed=True)
    execute(runs, run_id, 1, stop=threading.Event())
    return runs.get(run_id)


@pytest.fixture
def constant(duet_home) -> str:  # noqa: ARG001 (where it lies)
    mnist = load("mnist")
    images = np.full((2000, 28, 28, 1), 128, np.uint8)
    store(make_dataset(images, mnist.train.labels[:2000], images[:500], mnist.test.labels[:500], DIGITS, "constant"))
    return "constant"


@pytest.fixture
def shuffled(duet_home) -> str:  # noqa: ARG001 (where it lies)
    mnist = load("mnist")
    labels = np.random.default_rng(0).permutation(mnist.train.labels[:3000])
    store(make_dataset(mnist.train.images[:3000], labels, *mnist.test, DIGITS, "shuffled"))
    return "shuffled"


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
@pytest.mark.parametrize("architecture", ["cnn-64-32-32", "cnn-quick", "ann-100"])
@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_rate_of_ten_is_named(framework, architecture, optimizer):
    run = train(framework=framework, architecture=architecture, optimizer=optimizer, learning_rate=10, **SMALL)

    if run.state == "failed":  # the loss is not even a number any more
        assert run.cause == "diverged"
    else:
        assert run.doubt.symptom in ("exploded", "one_class", "no_better_than_guessing")
        assert "rate of 10 is too high" in run.doubt.reason


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
@pytest.mark.parametrize("architecture", ["cnn-64-32-32", "cnn-quick"])
def test_images_all_alike_are_named(framework, architecture, constant):
    run = train(framework=framework, architecture=architecture, dataset=constant, epochs=2)

    assert run.doubt.symptom == "one_class"
    assert "hardly differ" in run.doubt.reason


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
@pytest.mark.parametrize("architecture", ["ann-100", "cnn-quick"])
def test_shuffled_labels_are_named(framework, architecture, shuffled):
    run = train(framework=framework, architecture=architecture, dataset=shuffled, epochs=5)

    assert run.doubt.symptom == "no_better_than_guessing"
    assert "labels" in run.doubt.reason + run.doubt.advice


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
@pytest.mark.parametrize("optimizer", [{}, ADAM])
def test_batch_norm_of_few_steps_is_named(framework, optimizer):
    few = {"framework": framework, "architecture": "cnn-quick", "train_limit": 10_000, **optimizer}

    one = train(**few, batch_size=8192, epochs=1)
    assert one.doubt.symptom == "no_better_than_guessing"
    assert "Batch norm" in one.doubt.reason


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
def test_network_that_predicts_worse_than_it_trained_is_named(framework):
    run = train(framework=framework, architecture="cnn-quick", train_limit=10_000, batch_size=1024, epochs=2, **ADAM)

    assert run.doubt.symptom == "batch_norm_lag"
    assert run.results.learning.train_accuracy > run.results.learning.sample_accuracy + 0.1


@pytest.mark.parametrize("framework", FRAMEWORK_TITLES)
@pytest.mark.parametrize(
    "settings",
    [
        {"architecture": "ann-100", "train_limit": 1000, "epochs": 1},
        {"architecture": "cnn-quick", "train_limit": 3000, "epochs": 1},
        {"architecture": "cnn-64-32-32", "train_limit": 5000, "epochs": 3},
        {"architecture": "cnn-fast", **SMALL, **ADAM},
        {"architecture": "cnn-quick", **SMALL, "schedule": "one_cycle", "learning_rate": 0.1},
        {"architecture": "ann-100", **SMALL, "label_smoothing": 0.1, "class_weights": "balanced"},
        {"architecture": "ann-100", **SMALL, "rotation": 15, "shift_x": 0.1, "normalization": "standard"},
        {"architecture": "ann-100", "train_limit": 200, "epochs": 20},  # overfits
        {"architecture": "cnn-quick", **SMALL, "ema_decay": 0.9},
        {"architecture": "ann-100", "train_limit": 10_000, "epochs": 1, "batch_size": 512, **ADAM},
    ],
)
def test_sound_run_is_not_doubted(framework, settings):
    run = train(framework=framework, **settings)

    assert (run.state, run.doubt) == ("done", None)
