"""Whether a run was slower than runs like it are on this machine."""

import math

import numpy as np
from scipy.special import stdtrit

from core.studies.findings.evidence import Evidence
from core.studies.findings.finding import Finding

_FEWEST_RUNS = 5
_CONSIDERABLE = 0.75
_SURELY = 0.01


def slower_than_usual(evidence: Evidence) -> Finding | None:
    """Say how much slower it was, where that is below what the next run like the others would be in 99% of the cases.

    The prediction interval is that of a normal distribution of the speeds' logarithms.
    """
    speed, others = evidence.run.results.images_per_second, np.log(evidence.usual_speeds)
    if len(others) < _FEWEST_RUNS or speed <= 0:
        return None
    usual = float(np.exp(others.mean()))
    width = float(others.std(ddof=1)) * math.sqrt(1 + 1 / len(others))
    bound = float(others.mean() + stdtrit(len(others) - 1, _SURELY) * width)
    if math.log(speed) >= bound or speed >= _CONSIDERABLE * usual:
        return None
    return Finding(
        "slower_than_usual",
        f"Slower than usual on this machine: {speed:,.0f} images a second, where {len(others):,} runs like it reached "
        f"{usual:,.0f}.",
        view="Curves",
        figures={"images_per_second": speed, "usual": usual, "runs": len(others)},
    )
