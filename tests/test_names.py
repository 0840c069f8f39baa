"""What is defined in the code has the field's name for it, and what users chose is quoted as it is written."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

FORMER = {
    **{"take_up": "resume_pending", "feel_pulse": "check_heartbeat", "AT_REST": "INACTIVE", "GoingOn": "PendingRun"},
    **{"Told": "FailureReport", "spares": "warm_pool", "hand_over": "assign", "give_way": "lower_priority"},
    **{"in_turn": "fair_order", "thinning": "downsampling", "circumstances": "cache_key", "lean": "ema_weight"},
    **{"leans": "ema_weights", "weight_average": "ema_decay", "warps": "affine", "by_chance": "not significant"},
    **{"Spread": "MeanStd", "Parting": "Divergence", "insights": "cache"},
    **{"recognise": "detect", "LeftOut": "Skipped", "summarise": "layer_rows", "mistakes": "errors", "knob": "setting"},
    **{"literal": "escape_markdown", "bell": "notifications", "close_up": "image_detail", "beat": "heartbeat"},
}
"""Names that a practitioner would have to learn, each with the one that is known."""


def defined(tree: ast.Module) -> set[str]:
    """Return all names that a module gives: functions, classes, arguments, variables and attributes."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.arg):
            names.add(node.arg)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return {name.strip("_") for name in names}


@pytest.mark.parametrize("place", ["core", "ui", "pages"])
def test_names_are_those_of_the_field(place: str):
    found = [
        f"{path.relative_to(ROOT)}: {name} is called {FORMER[name]}"
        for path in sorted((ROOT / place).rglob("*.py"))
        for name in sorted(defined(ast.parse(path.read_text(encoding="utf-8"))) & FORMER.keys())
    ]

    assert not found


def test_a_planted_name_is_found():
    assert defined(ast.parse("def f(spares): self._beat = [lean for lean in spares]")) & FORMER.keys() == {
        *("spares", "beat", "lean"),
    }


@pytest.mark.parametrize("place", ["core", "ui", "pages"])
def test_no_sentence_quotes_as_python_does(place: str):
    """Which doubles backslashes; `core.system.text.quoted` does not. Code that Duet writes is Python, and may."""
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / place).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FormattedValue) and node.conversion == ord("r") and path.name != "kind.py"
    ]

    assert not found


def test_tables_come_from_one_function():
    """Which keeps texts from being formulas in what is downloaded; pixels have none, nor has what frameworks do."""
    found = {
        str(path.relative_to(ROOT))
        for place in ("ui", "pages")
        for path in (ROOT / place).rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("dataframe", "data_editor", "table")
    }

    assert found == {f"ui/shared/{name}.py" for name in ("data_table", "pixels", "framework_defaults")}
