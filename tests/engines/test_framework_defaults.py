"""The table of differing defaults: whole, and true of the installed frameworks."""

import inspect

import pytest

from core.config.optimizers import OPTIMIZERS
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


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_have_the_defaults_that_are_told(name):
    entry = OPTIMIZERS[name]
    told: dict[str, dict[str, list]] = {
        "pytorch": {"lr": [entry.framework_rates[0]], "weight_decay": [entry.weight_decay_defaults[0]]},
        "keras": {"learning_rate": [entry.framework_rates[1]], "weight_decay": [entry.weight_decay_defaults[1]]},
    }
    for argument in entry.arguments:
        told["pytorch"].setdefault(argument.pytorch, []).append(argument.pytorch_default)
        told["keras"].setdefault(argument.keras, []).append(argument.keras_default)
    for framework, kind in (
        ("pytorch", getattr(get_engine("pytorch").torch.optim, entry.pytorch)),
        ("keras", getattr(get_engine("keras").keras.optimizers, entry.keras)),
    ):
        parameters = inspect.signature(kind).parameters
        for argument, values in told[framework].items():
            default = parameters[argument].default
            assert (0 if default is None else default) == (values[0] if len(values) == 1 else tuple(values)), argument


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_what_an_optimizer_aligns_is_in_the_table(name):
    entry = OPTIMIZERS[name]
    assert set(entry.framework_defaults) <= set(FRAMEWORK_DEFAULTS)
    aligned = [each for each in entry.arguments if each.pytorch_default != each.keras_default and each.aligned]
    assert len([row for row in entry.framework_defaults if row.decided_by == "defaults"]) >= len(aligned)


def test_batch_norms_have_the_defaults_that_are_told():
    pytorch, keras = get_engine("pytorch").nn.BatchNorm2d(1), get_engine("keras").keras.layers
    assert (pytorch.eps, pytorch.momentum) == (1e-5, 0.1)
    norm = keras.BatchNormalization()
    assert (norm.epsilon, norm.momentum) == (1e-3, 0.99)
