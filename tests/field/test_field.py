"""Every kind of input comes in right, or is refused with its sentence."""

import pytest

from tests.field.cases import CASES, Case
from tests.field.outcome import outcome_of


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.kind)
def test_what_people_have_comes_in_right_or_is_told(case: Case, tmp_path):
    outcome = outcome_of(case, tmp_path)

    assert outcome.is_right, outcome.came
