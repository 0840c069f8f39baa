"""How fast the data page answers with all 70,000 images of MNIST: each view, and what is computed for it.

    python -m benchmarks.data_page

Works in a home of its own, which it removes again. A view is timed as a rerun of the whole page in the
server, without a browser; the first run of each computes what later ones find. Exit code 1 if a later run
of a view takes longer than `BOUND_S`.
"""

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

from streamlit.testing.v1 import AppTest

from core.charts.datasets import class_distribution, map_chart, value_histogram
from core.datasets import load
from core.datasets.inspection.gallery import class_counts, split_rows
from core.datasets.inspection.health import check_health, compare_shares
from core.datasets.inspection.image_map import principal_components
from core.datasets.inspection.neighbours import nearest
from core.datasets.inspection.statistics import statistics
from core.system.paths import PROJECT
from ui.data import VIEWS

BOUND_S = 0.3
REPEATS = 7


def main() -> int:
    """Measure and print, one line a figure; first what is computed, then the views."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["DUET_HOME"] = home
        print(f"{_processor()}, {os.cpu_count()} cores, {os.getloadavg()[0]:.1f} processes at work on them")
        load("mnist").train.images.sum()  # unpacked, and in the memory
        print(f"{'':34}{'first':>9}{'later':>9}")
        for title, compute in _computations().items():
            _show(title, *_time(compute))
        met = True
        for view in VIEWS:
            first, later = _time(partial(AppTest.run, _page(view)))
            _show(f"view {view}", first, later)
            met &= later <= BOUND_S
        print(f"every view within {BOUND_S * 1000:.0f} ms: {'kept' if met else 'MISSED'}")
    return 0 if met else 1


def _computations() -> dict[str, Callable[[], object]]:
    dataset = load("mnist")
    names = dataset.class_names
    rows = split_rows(dataset, share=0.1, seed=42)
    counts = class_counts(dataset, rows)
    titles = {"train": "Training", "test": "Test"}
    return {
        "draw the splits": partial(split_rows, dataset, share=0.1, seed=42),
        "chart of the classes": partial(class_distribution, counts, names, shares=False),
        "shares compared": partial(compare_shares, counts["train"], counts["test"]),
        "nearest of 70,000": partial(nearest, dataset, 17, 20),
        "means, spreads, histograms": partial(statistics, dataset),
        "chart of the histograms": lambda: value_histogram(statistics(dataset).histograms, titles),
        "PCA of 3,000": partial(principal_components, dataset),
        "chart of the map": lambda: map_chart(dataset, principal_components(dataset), 17),
        "faults in 70,000": partial(check_health, dataset),
    }


def _page(view: str) -> AppTest:
    page = AppTest.from_file(str(PROJECT / "ui" / "main.py"), default_timeout=60).run()
    page.switch_page("../pages/data.py")
    page.query_params["view"] = view
    return page


def _time(compute: Callable[[], object]) -> tuple[float, float]:
    """Return the seconds of the first call, and the median of the later ones."""
    seconds = []
    for _ in range(1 + REPEATS):
        began = time.perf_counter()
        compute()
        seconds.append(time.perf_counter() - began)
    return seconds[0], median(seconds[1:])


def _show(title: str, first: float, later: float) -> None:
    print(f"{title:34}{first * 1000:6.0f} ms{later * 1000:6.0f} ms", flush=True)


def _processor() -> str:
    """Name the machine's processor; on Linux in full."""
    try:
        with Path("/proc/cpuinfo").open() as file:
            return next(line.split(":")[1].strip() for line in file if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


if __name__ == "__main__":
    sys.exit(main())
