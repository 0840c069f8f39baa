"""Each engine offers what `core.engines.engine` says, no more and no less, in the same order."""

import inspect
from collections.abc import Callable
from typing import get_args

import pytest

from core.config import Framework
from core.engines import Engine, EngineModule, get_engine, images_at_once
from core.engines.engine import EngineFactory

FRAMEWORKS: tuple[Framework, ...] = get_args(Framework)

each_framework = pytest.mark.parametrize("framework", FRAMEWORKS)


def verbs(owner: type) -> list[str]:
    return [name for name, member in vars(owner).items() if inspect.isfunction(member) and not name.startswith("_")]


def parameters(function: Callable) -> list[tuple[str, object]]:
    return [(name, each.default) for name, each in inspect.signature(function).parameters.items() if name != "self"]


@each_framework
def test_engine_has_the_verbs_of_the_contract_in_its_order(framework):
    assert verbs(get_engine(framework).Engine) == verbs(Engine)


@each_framework
@pytest.mark.parametrize("verb", verbs(Engine))
def test_verb_takes_what_the_contract_says(framework, verb):
    assert parameters(getattr(get_engine(framework).Engine, verb)) == parameters(getattr(Engine, verb))


@each_framework
def test_engine_is_made_as_the_contract_says(framework):
    assert parameters(get_engine(framework).Engine) == parameters(EngineFactory.__call__)


@each_framework
@pytest.mark.parametrize("function", verbs(EngineModule))
def test_module_has_the_functions_of_the_contract(framework, function):
    assert parameters(getattr(get_engine(framework), function)) == parameters(getattr(EngineModule, function))


def test_fewer_large_images_are_predicted_at_once():
    assert images_at_once(1000, (28, 28, 1)) == 1000
    assert images_at_once(1000, (224, 224, 3)) == 20
    assert images_at_once(250, (5000, 5000, 3)) == 1
