"""What a careful colleague would say of a finished run: up to five sentences, each with its figures and its evidence.

    for finding in find_findings(store, run):
        finding.sentence        # "4 and 9 are confused: 212 of 1,991 test images of the two (10.6%) are …"
        finding.query           # {"view": "Errors", "cell": "4-9"}: where a run's page shows that

Nothing is said that chance explains: each check has the interval, or the noise floor of so many images, that it rests
on. Of a run that has learnt nothing, `Run.doubt` says so and why; here it is only told whether its data leak.
"""

from collections.abc import Callable

from core.runs import FinishedRun, Store
from core.studies.findings.data import leaks_into_test, leaks_into_validation
from core.studies.findings.errors import classes_confused, classes_never_predicted, more_confident_than_right
from core.studies.findings.evidence import Evidence, gather
from core.studies.findings.finding import Finding
from core.studies.findings.learning import loss_jumps, overfitting, still_improving
from core.studies.findings.speed import slower_than_usual

__all__ = ["CHECKS", "Evidence", "Finding", "find_findings", "gather", "judge"]

MOST = 5

CHECKS: dict[str, Callable[[Evidence], Finding | None]] = {
    check.__name__: check
    for check in (
        leaks_into_validation,
        leaks_into_test,
        classes_never_predicted,
        loss_jumps,
        overfitting,
        still_improving,
        classes_confused,
        more_confident_than_right,
        slower_than_usual,
    )
}
"""What is looked for, the most important first. A new check is a function and its line here."""

_BESIDES_A_DOUBT = ("leaks_into_validation", "leaks_into_test")


def find_findings(store: Store, run: FinishedRun) -> list[Finding]:
    """Return what is to be said of a run, the most important first."""
    return judge(gather(store, run))


def judge(evidence: Evidence) -> list[Finding]:
    """Return what evidence says, the most important first, at most `MOST`."""
    names = _BESIDES_A_DOUBT if evidence.run.doubt else tuple(CHECKS)
    found = (CHECKS[name](evidence) for name in names)
    return [finding for finding in found if finding][:MOST]
