"""How fast Duet answers when its store is full: lists, every page, a live tick, and a curve of a million points.

    python -m benchmarks.store [--runs 10000] [--points 10000000] [--store URL] > docs/store_benchmark.md

Fills a database of its own in a temporary folder, or the empty one that `--store` names, with runs of which one has
a million points (or a tenth of all, if that is less) with a spike planted in it. Times are medians of `REPEATS` on
the server's side: queries and what Python makes of them, and reruns of whole pages without a browser; beside them the
processor time, which other work on the machine hardly changes and to which the bounds apply, unless the database is a
server's. Exit code 1 if a bound is missed.
"""

import gc
import os
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median

import numpy as np
import sqlalchemy as sa
from streamlit.testing.v1 import AppTest

from core.config import RunConfig, configure
from core.datasets import Dataset, load
from core.runs import FinishedResults, Store, open_store
from core.runs.downsampling import add_blocks
from core.runs.folding import settings_key
from core.runs.lists import Order
from core.runs.predictions import Predictions, write_predictions
from core.runs.schema import FROM_CONFIG, FROM_RESULTS, blocks, epochs, metrics, runs, tags
from core.runs.table import METRICS
from core.studies.replication import machine
from core.system.paths import PROJECT, run_directory
from core.training.metrics import confusion
from core.training.records import Epoch, StepMetrics
from tests import processes

REPEATS = 9
LIST_S, PAGE_S, TICK_S, CURVE_S = 0.150, 0.300, 0.020, 0.100
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
            f"{size}, made in {time.perf_counter() - started:.0f} s. Medians of {REPEATS}; "
            f"the bounds apply to {'what is measured' if options.store else 'the processor time'}.\n\n"
            "| what | measured | processor | at most | |\n|---|---:|---:|---:|---|"
        )
        show = partial(_show, waits=bool(options.store))
        met = [
            *(show(f"list: {title}", look, LIST_S) for title, look in _lists(store).items()),
            *(show(f"table: {title}", look, LIST_S) for title, look in _tables(store).items()),
            *(show(f"page: {title}", _page(name, query), PAGE_S) for title, (name, query) in _pages(spiked).items()),
            show("live tick of a running run", _tick(store), TICK_S),
            show(f"curve of {long:,} points", lambda: store.curve(spiked, "train"), CURVE_S),
        ]
        curve = store.curve(spiked, "train")
        kept = max(point.loss for _, point in curve) == SPIKE
        print(f"\nThe spike is among the {len(curve):,} points drawn of {long:,}: {'yes' if kept else '**lost**'}.")
        store.close()
        processes.end(Path(folder))  # what the pages have begun to have ready
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


def _tables(store: Store) -> dict[str, Callable[[], object]]:
    """Return what the table of runs asks for, sorted by a figure or a setting, with a row for all seeds or for each."""

    def page(*, folded: bool = True, sort: str = "created_at", **filters: object) -> Callable[[], object]:
        def look() -> object:
            rows = store.rows(folded=folded, sort=sort, **filters)
            curves = store.validation_curves([row.newest for row in rows])
            return curves, store.count_rows(folded=folded, **filters), store.best_rows(folded=folded, **filters)

        return look

    return {
        "the newest": page(),
        "each run a row": page(folded=False),
        "by validation accuracy": page(sort="val_accuracy"),
        "by learning rate": page(sort="learning_rate"),
        "filtered and searched": page(states=("done",), framework="keras", search="run"),
    }


def _pages(run_id: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Return every page, and views that read many runs, by what they are called: the file's name and the query."""
    pages = {path.stem.capitalize(): (path.stem, {}) for path in sorted((PROJECT / "pages").glob("*.py"))}
    return pages | {
        "Results, each run a row": ("results", {"together": "false"}),
        "Results, by validation accuracy": ("results", {"sort": "Validation accuracy"}),
        "Results, a run": ("results", {"run": run_id}),
        "Results, its errors": ("results", {"run": run_id, "view": "Errors"}),
        "Compare, settings": ("compare", {"comparison": "Settings"}),
        "Compare, a pair": ("compare", {"runs": ",".join(_ids(2))}),
    }


def _tick(store: Store) -> Callable[[], object]:
    """Return what a live page does each time for a run that goes on: where it is, and its new points."""
    run_id = store.create(configure(), submission="live")
    attempt = store.claim(run_id)
    store.begin(run_id, attempt, total_steps=10**6)
    for first in range(1, _SEEN + _NEW, 1000):
        store.add_metrics(run_id, attempt, first, [_point(number) for number in range(first, first + 1000)])
    return lambda: (store.get(run_id), store.metrics(run_id, after=_SEEN))


def _page(name: str, query: dict[str, str]) -> Callable[[], object]:
    """Return a rerun of a page, as the dashboard's process makes it."""
    page = AppTest.from_file(str(PROJECT / "ui" / "main.py"), default_timeout=60).switch_page(f"../pages/{name}.py")
    for key, value in query.items():
        page.query_params[key] = value

    def look() -> object:
        page.run()
        if page.exception:
            raise RuntimeError(f"{name}: {page.exception[0].message}")
        return page

    look()
    gc.freeze()  # as the dashboard does when it starts
    return look


def _point(number: int) -> StepMetrics:
    return StepMetrics(number, number / 900, "train", 1 / number, 0.5, number / 4, 1000.0, 0.01, 1.0)


def _show(title: str, look: Callable[[], object], bound_s: float, *, waits: bool) -> bool:
    """Measure and print one row; return whether the bound is kept, which of what waits for a server is that of time."""
    look()
    seconds, busy = [], []
    for _ in range(REPEATS):
        started, busy_before = time.perf_counter(), time.process_time()
        look()
        seconds.append(time.perf_counter() - started)
        busy.append(time.process_time() - busy_before)
    met = median(seconds if waits else busy) <= bound_s
    figures = f"{median(seconds) * 1000:.1f} ms | {median(busy) * 1000:.1f} ms | {bound_s * 1000:.0f} ms"
    print(f"| {title} | {figures} | {'kept' if met else '**missed**'} |", flush=True)
    return met


def _fill(store: Store, count: int, points: int, long: int) -> str:
    """Make runs and measurements by the database itself; return the id of the run with the most."""
    configs = [
        configure(architecture=architecture, framework=framework, batch_size=batch_size, learning_rate=rate)
        for rate in (0.1, 0.03, 0.01, 0.003)
        for batch_size in (32, 64, 128)
        for architecture in ("ann-100", "cnn-64-32-32")
        for framework in ("pytorch", "keras")
    ]
    short = max((points - long) // (count - 1), 1)
    first, second, *_ = ids = _ids(count)
    predictions, results = _reached(load("mnist"))
    with store._engine.begin() as connection:
        rows = [_row(run_id, number, configs, results) for number, run_id in enumerate(ids)]
        connection.execute(runs.insert(), rows)
        for number in range(1, configs[0].epochs + 1):
            epoch = Epoch(number, number, 0.1, 0.9, 0.1, 0.9 + number / 1000, 0.01, 1.0, results.confusion)._asdict()
            connection.execute(epochs.insert(), [{"run_id": run_id, **epoch} for run_id in ids])
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
    for run_id in (first, second):
        run_directory(run_id).mkdir(parents=True)
        write_predictions(run_directory(run_id), "test", predictions)
    with store._reading() as connection:
        if connection.dialect.name == "sqlite":  # a store does so by itself once it writes measurements
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        else:
            connection.exec_driver_sql("ANALYZE")
    return first


def _ids(count: int) -> list[str]:
    return [f"{number:012x}" for number in range(count)]


def _row(run_id: str, number: int, configs: list[RunConfig], reached: FinishedResults) -> dict[str, object]:
    """Return a row of the table of runs: half have a name of their own, half are seeds of few settings."""
    config = configs[number % len(configs)].model_copy(update={"seed": number // len(configs)})
    state = _STATES[number % len(_STATES)]
    accuracy = 0.9 + number % 997 / 10_000
    results = {**reached.as_json(), "test_accuracy": accuracy, "val_accuracy": accuracy} if state == "done" else {}
    return {
        "id": run_id,
        "submission": run_id,
        "config": config.model_dump(mode="json"),
        "state": state,
        "attempt": 1,
        "created_at": 1.7e9 + number,
        "ended_at": 1.7e9 + number + 60,
        "position": number + 1,
        "pair": f"{number // 2:012x}",
        "name": f"run {number}" if number % 4 > 1 else None,
        "results": results,
        "settings_key": settings_key(config.model_dump()),
        **{column: getattr(config, column) for column in FROM_CONFIG},
        **{column: results.get(column) for column in {*FROM_RESULTS, *METRICS}},
    }


def _reached(dataset: Dataset) -> tuple[Predictions, FinishedResults]:
    """Return what a network might answer on the test images, one in twenty of them wrongly, and its figures."""
    labels = np.asarray(dataset.test.labels)
    classes = len(dataset.class_names)
    predicted = np.where(np.arange(len(labels)) % 20, labels, (labels + 1) % classes)
    answers = np.full((len(labels), classes), 0.1 / (classes - 1), np.float32)
    answers[np.arange(len(labels)), predicted] = 0.9
    results = FinishedResults(
        parameters=79_510,
        epochs=10,
        train_seconds=50.0,
        images_per_second=5000.0,
        best_epoch=10,
        val_loss=0.1,
        val_accuracy=0.95,
        fingerprint=dataset.fingerprint,
        test_loss=0.1,
        test_accuracy=0.95,
        confusion=confusion(labels, predicted, classes).tolist(),
    )
    return Predictions(answers, labels, np.arange(len(labels))), results


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
