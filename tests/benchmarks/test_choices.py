"""The choices that are measured: each makes a difference that its framework's step knows, and one is measured."""

import ast

import pytest

from benchmarks import choices
from benchmarks.choices import CHOICES, WORKLOADS, Choice, Found, Workload, as_markdown, measure
from core.system.paths import PROJECT


@pytest.mark.parametrize(
    "choice", [choice for choice in CHOICES if choice.options], ids=lambda choice: f"{choice.framework}, {choice.other}"
)
def test_choice_is_one_that_the_step_leaves_open(choice):
    tree = ast.parse((PROJECT / "benchmarks" / f"steps_{choice.framework}.py").read_text())
    (steps,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "steps")
    arguments = zip(steps.args.kwonlyargs, steps.args.kw_defaults, strict=True)
    defaults = {argument.arg: default and ast.literal_eval(default) for argument, default in arguments}

    (option,) = choice.options

    assert option in defaults
    assert choice.options[option] != defaults[option]


@pytest.mark.parametrize("choice", CHOICES, ids=lambda choice: f"{choice.framework}, {choice.other}")
def test_choice_makes_one_difference(choice):
    assert len(choice.options) + len(choice.environment) == 1


@pytest.mark.slow
def test_choice_is_measured_on_both_sides(monkeypatch):
    monkeypatch.setattr(choices, "REPEATS", 1)
    choice = Choice("pytorch", "fused", "foreach", {"update": "foreach"})

    (found,) = measure([choice], [Workload("ann-100", 8, 2)], cpu=True)

    assert found.failure == ""
    assert found.taken > 0
    assert found.other > 0


def test_table_tells_factors_and_failures():
    choice = Choice("pytorch", "fused", "foreach", {"update": "foreach"})
    found = [Found(choice, WORKLOADS[0], taken=2.0, other=3.0), Found(choice, WORKLOADS[1], failure="no such thing")]

    text = as_markdown(found, "command", cpu=False)

    assert "| PyTorch | fused | foreach | ann-100, 64 | 2 ms | 3 ms | 1.50 |" in text
    assert "| PyTorch | fused | foreach | cnn-64-32-32, 64 |  | no such thing |  |" in text
