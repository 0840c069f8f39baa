"""Programs that take turns: their order, what they report, and that one that fails stops no other."""

import pytest

from benchmarks.turns import Program, in_turns


def count(name: str, times: int, notes) -> Program:
    return Program("tests.benchmarks.programs:count", {"name": name, "times": times, "notes": str(notes)})


def test_programs_alternate_until_each_has_ended(tmp_path):
    notes = tmp_path / "notes"

    found = in_turns({"a": count("a", 3, notes), "b": count("b", 2, notes)})

    assert notes.read_text().split() == ["a1", "b1", "a2", "b2", "a3"]
    assert found["a"].values("number") == [1, 2, 3]
    assert found["a"].median("number") == 2
    assert all(seconds > 0 for seconds in found["b"].values("seconds"))
    assert not found["a"].failure


def test_turn_can_have_ended_earlier():
    found = in_turns({"a": Program("tests.benchmarks.programs:stop_early")})

    assert found["a"].values("seconds")[0] < 0


def test_program_has_an_environment_of_its_own():
    options = {"variable": "OF_ITS_OWN"}
    plain = Program("tests.benchmarks.programs:tell", options)
    changed = Program("tests.benchmarks.programs:tell", options, {"OF_ITS_OWN": "2"})

    found = in_turns({"plain": plain, "changed": changed}, {"OF_ITS_OWN": "1"})

    assert found["plain"].values("told") == ["1"]
    assert found["changed"].values("told") == ["2"]


@pytest.mark.parametrize("after", [0, 1])
def test_failure_is_told_and_the_others_go_on(tmp_path, after):
    failing = Program("tests.benchmarks.programs:fail", {"after": after})

    found = in_turns({"a": failing, "b": count("b", 3, tmp_path / "notes")})

    assert found["a"].failure == "ValueError: there is no such thing"
    assert len(found["a"].turns) == after
    assert found["b"].values("number") == [1, 2, 3]
    assert not found["b"].failure
