"""How fast the store answers when it is full: lists, a live tick, and a curve of a million points.

    python -m benchmarks.store [--runs 10000] [--points 10000000] [--store URL] > docs/store_benchmark.md

Fills a database of its own in a temporary folder, or the empty one that `--store` names, with runs of which one has
a million points (or a tenth of all, if that is less) with a spike planted in it. Times are medians of `REPEATS` on
the server's side: queries and what Python makes of them, and the whole page of the list without a browser. Exit
code 1 if a bound is missed.
"""

import gc
import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from statistics import median

import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from core.config import RunConfig, configure
from core.runs import Store, open_store
from core.runs.downsampling import add_blocks
from core.runs.lists import Order
from core.runs.schema import FROM_CONFIG, blocks, metrics, runs, tags
from core.studies.replication import machine
from core.system.paths import PROJECT
from core.training.records import StepMetrics

REPEATS = 9
LIST_S, TICK_S, CURVE_S = 0.150, 0.020, 0.100
MOST_POINTS = 1_000_000
SPIKE = 1234.5
_SEEN, _NEW = 19_000, 1000
"""How many points a live page has drawn already, and how many are new."""

_STATES = ("done",) * 17 + ("failed", "stopped", "paused")


def main(arguments: list[str] | None = None) -> int:
    """Fill a store, measure it, and print a table."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--points", type=int, default=10_000_000)
    parser.add_argument("--store", metavar="URL", help="an empty database (default: a new SQLite file)")
    options = parser.parse_args(given)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["DUET_HOME"] = folder
        if options.store:
            os.environ["DUET_STORE"] = options.store
        file = Path(folder) / "duet.sqlite3"
        store = open_store()
        started = time.perf_counter()
        long = min(MOST_POINTS, options.points // 10)
        spiked = _fill(store, options.runs, options.points, long)
        size = f", {file.stat().st_size / 2**20:,.0f} MiB" if file.exists() else ""
        print(
            f"# A full store\n\nWritten by `{' '.join(['python -m benchmarks.store', *given])}` on {machine()}, with "
            f"{os.getloadavg()[0]:.1f} processes at work before: {options.runs:,} runs and {options.points:,} points"
            f"{size}, made in {time.perf_counter() - started:.0f} s. Medians of {REPEATS}.\n\n"
            "| what | measured | at most | |\n|---|---:|---:|---|"
        )
        met = [
            *(_show(f"list: {title}", look, LIST_S) for title, look in _lists(store).items()),
            _show("list: the whole page", _page(), LIST_S),
            _show("live tick of a running run", _tick(store), TICK_S),
            _show(f"curve of {long:,} points", lambda: store.curve(spiked, "train"), CURVE_S),
        ]
        curve = store.curve(spiked, "train")
        kept = max(point.loss for _, point in curve) == SPIKE
        print(f"\nThe spike is among the {len(curve):,} points drawn of {long:,}: {'yes' if kept else '**lost**'}.")
        store.close()
    return 0 if all(met) and kept else 1


def _lists(store: Store) -> dict[str, Callable[[], object]]:
    """Return what a list page asks for, with several filters: one page, how many there are, and what to filter by."""

    def page(limit: int = 50, offset: int = 0, order: Order = "newest", **filters: object) -> Callable[[], object]:
        return lambda: (
            store.find(limit=limit, offset=offset, order=order, **filters),
            store.count(**filters),
            store.tags(),
            [store.values(column) for column in ("architecture", "dataset", "framework")],
        )

    return {
        "the newest": page(),
        "the last page": page(offset=max(store.count() - 50, 0)),
        "the most accurate": page(order="most accurate"),
        "filtered": page(states=("done",), architecture="ann-100", framework="keras", tag="tag 3"),
        "searched": page(search="run 77"),
    }


def _tick(store: Store) -> Callable[[], object]:
    """Return what a live page does each time for a run that goes on: where it is, and its new points."""
    run_id = store.create(configure(), submission="live")
    attempt = store.claim(run_id)
    store.begin(run_id, attempt, total_steps=10**6)
    for first in range(1, _SEEN + _NEW, 1000):
        store.add_metrics(run_id, attempt, first, [_point(number) for number in range(first, first + 1000)])
    return lambda: (store.get(run_id), store.metrics(run_id, after=_SEEN))


def _page() -> Callable[[], object]:
    """Return a rerun of the Results page with the list, as the dashboard's process makes it."""
    page = AppTest.from_file(str(PROJECT / "ui" / "main.py"), default_timeout=60).run()
    page.switch_page("../pages/results.py").run()
    gc.freeze()  # as the dashboard does when it starts
    return page.run


def _point(number: int) -> StepMetrics:
    return StepMetrics(number, number / 900, "train", 1 / number, 0.5, number / 4, 1000.0, 0.01, 1.0)


def _show(title: str, look: Callable[[], object], bound_s: float) -> bool:
    look()
    seconds = []
    for _ in range(REPEATS):
        started = time.perf_counter()
        look()
        seconds.append(time.perf_counter() - started)
    met = median(seconds) <= bound_s
    kept = "kept" if met else "**missed**"
    print(f"| {title} | {median(seconds) * 1000:.1f} ms | {bound_s * 1000:.0f} ms | {kept} |", flush=True)
    return met


def _fill(store: Store, count: int, points: int, long: int) -> str:
    """Make runs and measurements by the database itself; return the id of the run with the most."""
    configs = [
        configure(architecture=architecture, framework=framework)
        for architecture in ("ann-100", "cnn-64-32-32")
        for framework in ("pytorch", "keras")
    ]
    short = max((points - long) // (count - 1), 1)
    first, second, *_ = ids = [f"{number:012x}" for number in range(count)]
    with store._engine.begin() as connection:
        connection.execute(runs.insert(), [_row(run_id, number, configs) for number, run_id in enumerate(ids)])
        connection.execute(
            tags.insert(), [{"run_id": run_id, "tag": f"tag {number % 20}"} for number, run_id in enumerate(ids)]
        )
        _measure(connection, runs.c.id == first, long)
        _measure(connection, runs.c.id != first, short)
        spike = (metrics.c.run_id == first) & (metrics.c.sequence == long * 2 // 3 | 1)
        connection.execute(metrics.update().where(spike).values(loss=SPIKE))
        add_blocks(connection, first, 0, long)
        add_blocks(connection, second, 0, short)
        others = [runs.c.id if column.name == "run_id" else column for column in blocks.c]
        alike = sa.select(*others).select_from(sa.join(runs, blocks, sa.true()))
        alike = alike.where(blocks.c.run_id == second, runs.c.id.not_in([first, second]))
        connection.execute(blocks.insert().from_select(list(blocks.c.keys()), alike))
    with store._reading() as connection:
        if connection.dialect.name == "sqlite":  # a store does so by itself once it writes measurements
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.exec_driver_sql("ANALYZE")
    return first


def _row(run_id: str, number: int, configs: list[RunConfig]) -> dict[str, object]:
    config = configs[number % len(configs)]
    state = _STATES[number % len(_STATES)]
    accuracy = 0.9 + number % 997 / 10_000 if state == "done" else None
    results = {"test_accuracy": accuracy, "images_per_second": 5000.0, "confusion": [[100] * 10] * 10}
    return {
        "id": run_id,
        "submission": run_id,
        "config": config.model_dump(mode="json"),
        "state": state,
        "attempt": 1,
        "created_at": 1.7e9 + number,
        "position": number + 1,
        "name": f"run {number}",
        "results": results if state == "done" else {},
        "test_accuracy": accuracy,
        **{column: getattr(config, column) for column in FROM_CONFIG},
    }


def _measure(connection: sa.Connection, which: sa.ColumnElement[bool], count: int) -> None:
    """Give runs a falling, noisy curve, every 50th point one of validation."""
    numbers = sa.select(sa.literal(1).label("n")).cte("numbers", recursive=True)
    numbers = numbers.union_all(sa.select(numbers.c.n + 1).where(numbers.c.n < count))
    n = numbers.c.n
    noise = (n * 7919 % 1009) / 1009.0
    values = {
        "run_id": runs.c.id,
        "sequence": n,
        "step": n,
        "epoch": n / 900.0,
        "split": sa.case((n % 50 == 0, "validation"), else_="train"),
        "loss": 2.0 / (1.0 + n / 100.0) + 0.1 * noise,
        "accuracy": 1.0 - 0.5 * noise,
        "seconds": n / 4.0,
        "images_per_second": 5000.0 + noise,
        "learning_rate": sa.literal(0.01),
        "gradient_norm": 1.0 + noise,
    }
    query = sa.select(*(sa.cast(value, metrics.c[name].type) for name, value in values.items()))
    query = query.select_from(sa.join(runs, numbers, sa.true())).where(which).order_by(runs.c.id, n)
    connection.execute(metrics.insert().from_select(list(values), query))


if __name__ == "__main__":
    sys.exit(main())
