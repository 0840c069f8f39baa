"""The table of differing defaults: whole, and true of the installed frameworks."""

import inspect

import pytest

from core.engines import get_engine
from core.engines.framework_defaults import DECIDED_BY_TITLES, FRAMEWORK_DEFAULTS


@pytest.mark.parametrize("row", FRAMEWORK_DEFAULTS, ids=lambda row: row.name)
def test_every_row_says_all_and_really_differs(row):
    assert all(row)
    assert row.pytorch != row.keras
    assert row.changes.endswith(".")
    assert row.decided_by in DECIDED_BY_TITLES


def test_names_are_unique():
    assert len({row.name for row in FRAMEWORK_DEFAULTS}) == len(FRAMEWORK_DEFAULTS)


@pytest.mark.parametrize(
    ("pytorch", "keras", "values"),
    [
        (("Adam", "eps"), ("Adam", "epsilon"), (1e-8, 1e-7)),
        (("RMSprop", "alpha"), ("RMSprop", "rho"), (0.99, 0.9)),
        (("RMSprop", "eps"), ("RMSprop", "epsilon"), (1e-8, 1e-7)),
        (("RMSprop", "lr"), ("RMSprop", "learning_rate"), (0.01, 0.001)),
        (("SGD", "lr"), ("SGD", "learning_rate"), (0.001, 0.01)),
        (("Adadelta", "lr"), ("Adadelta", "learning_rate"), (1.0, 0.001)),
        (("Adadelta", "rho"), ("Adadelta", "rho"), (0.9, 0.95)),
        (("Adadelta", "eps"), ("Adadelta", "epsilon"), (1e-6, 1e-7)),
        (("AdamW", "lr"), ("AdamW", "learning_rate"), (0.001, 0.001)),
        (("AdamW", "weight_decay"), ("AdamW", "weight_decay"), (0.01, 0.004)),
    ],
)
def test_optimizers_have_the_defaults_that_are_told(pytorch, keras, values):
    for (name, argument), optimizers, value in (
        (pytorch, get_engine("pytorch").torch.optim, values[0]),
        (keras, get_engine("keras").keras.optimizers, values[1]),
    ):
        assert inspect.signature(getattr(optimizers, name)).parameters[argument].default == value


def test_batch_norms_have_the_defaults_that_are_told():
    pytorch, keras = get_engine("pytorch").nn.BatchNorm2d(1), get_engine("keras").keras.layers
    assert (pytorch.eps, pytorch.momentum) == (1e-5, 0.1)
    norm = keras.BatchNormalization()
    assert (norm.epsilon, norm.momentum) == (1e-3, 0.99)
