"""What the sign of running work says, and where it leads."""

import pytest

from core.runs.lists import PendingRun
from ui.shared.running_sign import sign_of


def pending(run_id: str, state: str = "running", *, pair: str | None = None, step: int = 0) -> PendingRun:
    return PendingRun(run_id, 1, state, "cpu", "ann-100", pair, step, None if state == "queued" else 100)


@pytest.mark.parametrize(
    ("runs", "text", "progress", "leads_to"),
    [
        ([], "", None, None),
        ([pending("a", step=43)], "1 training · 43%", 0.43, "a"),
        ([pending("a", pair="p", step=40), pending("b", pair="p", step=60)], "2 training · 50%", 0.5, "a"),
        ([pending("a", step=40), pending("b")], "2 training · 20%", 0.2, None),
        ([pending("a", "queued"), pending("b", step=10)], "1 training, 1 waiting · 10%", 0.1, "b"),
        ([pending("a", "queued")], "1 waiting", None, "a"),
        ([pending("a", "queued"), pending("b", "queued")], "2 waiting", None, None),
        ([pending("a", "starting")], "1 training · 0%", 0.0, "a"),
    ],
)
def test_sign_says_how_far_running_work_is(runs, text, progress, leads_to):
    assert sign_of(runs) == {"text": text, "progress": progress, "run": leads_to}
