"""A day of use in small: many short runs one after another, with a dashboard up and a page open that watches each.

    python -m tests.endurance               # 200 runs
    python -m tests.endurance --runs 20

Prints what dashboard, scheduler and database take at the start, in the middle and at the end; exit code 1 if it grows.
The start is after a tenth of the runs, when both processes have loaded what they need.
"""

import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import psutil

from core.cli.parsing import Parser
from core.config import configure
from core.jobs.scheduler import submit
from core.runs import INACTIVE, new_id
from core.studies.replication import machine
from core.system.text import duration
from tests import processes
from tests.browser.app import Server
from tests.faults.place import Place, a_place
from tests.session import PageSession

_RUN = configure(architecture="ann-100", train_limit=500, epochs=2, threads=1)
_RUN_S = 300.0


class Measure(NamedTuple):
    """What is sampled: its unit, and how much more at the end than at the start still counts as flat."""

    name: str
    unit: str
    slack: float


MEASURES = (
    Measure("memory of the dashboard", "MB", 30),
    Measure("file descriptors of the dashboard", "", 3),
    Measure("threads of the dashboard", "", 3),
    Measure("memory of the scheduler", "MB", 10),
    Measure("file descriptors of the scheduler", "", 3),
    Measure("threads of the scheduler", "", 1),
    Measure("write-ahead log", "MB", 4.2),
    Measure("shared memory of the log", "MB", 0.1),
    Measure("Duet's processes", "", 1),
)

Sample = dict[str, float]


def run_all(place: Place, runs: int) -> tuple[list[Sample], list[str]]:
    """Train so many runs, one after another, and return a sample after each and what went wrong."""
    dashboard = Server(place.home)
    place.closing.callback(dashboard.close)
    dashboard.start()
    samples, wrong, schedulers = [], [], set()
    with PageSession(dashboard.url) as session:
        for number in range(runs):
            (run_id,) = submit(place.store, [_RUN], submission=new_id())
            session.open("results", run=run_id)
            deadline = time.monotonic() + _RUN_S
            while place.store.get(run_id).state not in INACTIVE and time.monotonic() < deadline:
                session.watch(0.2)
            run = place.store.get(run_id)
            if run.state != "done":
                wrong.append(f"Run {number + 1} is {run.state}: {run.failure}")
            (scheduler,) = processes.of_home(place.home, "core.jobs.scheduler")
            schedulers.add(scheduler.pid)
            samples.append(_sample(place.home, psutil.Process(dashboard.pid), scheduler))
            if (number + 1) % 10 == 0:
                print(f"{number + 1} of {runs} runs", file=sys.stderr, flush=True)
        wrong += [f"The page showed {failure}" for failure in session.failures]
    if len(schedulers) > 1:
        wrong.append(f"There were {len(schedulers)} schedulers, one after another.")
    return samples, wrong


def _sample(home: Path, dashboard: psutil.Process, scheduler: psutil.Process) -> Sample:
    sample: Sample = {}
    for name, process in (("dashboard", dashboard), ("scheduler", scheduler)):
        with process.oneshot():
            sample[f"memory of the {name}"] = process.memory_info().rss / 1e6
            sample[f"file descriptors of the {name}"] = process.num_fds()
            sample[f"threads of the {name}"] = process.num_threads()
    database = home / "duet.sqlite3"
    sample["write-ahead log"] = database.with_name(f"{database.name}-wal").stat().st_size / 1e6
    sample["shared memory of the log"] = database.with_name(f"{database.name}-shm").stat().st_size / 1e6
    sample["Duet's processes"] = len(processes.of_home(home))
    return sample


class Row(NamedTuple):
    """A measure at the start, in the middle and at the end."""

    measure: Measure
    start: float
    middle: float
    end: float

    @property
    def flat(self) -> bool:
        """Whether it does not grow."""
        return self.end <= self.start + self.measure.slack


def table(samples: Sequence[Sample]) -> list[Row]:
    """Return each measure as the median of three samples at the start, in the middle and at the end."""
    first = len(samples) // 10
    places = [range(at, at + 3) for at in (first, (first + len(samples)) // 2 - 1, len(samples) - 3)]
    rows = []
    for measure in MEASURES:
        values = [sorted(samples[at][measure.name] for at in place)[1] for place in places]
        rows.append(Row(measure, *values))
    return rows


def as_table(rows: Sequence[Row]) -> str:
    """Return the rows as a Markdown table."""
    lines = ["| What | Start | Middle | End | Flat |", "| --- | ---: | ---: | ---: | --- |"]
    for row in rows:
        unit = f" {row.measure.unit}" if row.measure.unit else ""
        digits = ".1f" if row.measure.unit else ".0f"
        cells = (f"{value:{digits}}{unit}" for value in row[1:])
        lines.append(f"| {row.measure.name} | {' | '.join(cells)} | {'yes' if row.flat else '**no**'} |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Train the runs and print the table."""
    parser = Parser(prog="python -m tests.endurance", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--runs", type=int, default=200, help="how many, at least 10 (default 200)")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    if options.runs < 10:
        parser.error(f"Runs (--runs): expected at least 10, received {options.runs}")
    started = time.monotonic()
    with a_place(seed=0, long=True) as place:
        samples, wrong = run_all(place, options.runs)
    rows = table(samples)
    seconds = time.monotonic() - started
    if options.json:
        rows_as_json = [row.measure._asdict() | row._asdict() | {"flat": row.flat} for row in rows]
        print(json.dumps({"machine": machine(), "runs": options.runs, "rows": rows_as_json, "wrong": wrong}))
    else:
        print(f"# A day of use in small\n\nWritten by `python -m tests.endurance --runs {options.runs}`:")
        print(f"{options.runs} runs one after another in {duration(seconds)}; {machine()}\n\n{as_table(rows)}")
        print("".join(f"\n{sentence}" for sentence in wrong), end="")
    return 1 if wrong or not all(row.flat for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
