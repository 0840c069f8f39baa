"""Reports: what they say, that they need nothing else, and that names are text in them."""

import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from core.cli import main
from core.config import RunConfig
from core.export.report import MOST, MOST_RUNS, report
from core.runs import FinishedRun, Store, finished, new_id, open_store
from core.runs.predictions import read_predictions, write_predictions
from core.studies.findings import find_findings
from core.system.paths import run_directory
from tests.hostile_names import HOSTILE_NAMES

_MOST_BYTES = 3_000_000


class _Reader(HTMLParser):
    """Collects what an HTML file refers to, and the text that it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.references: list[str] = []
        self.elements: list[str] = []
        self.text: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(tag)
        self.references += [value or "" for name, value in attrs if name in ("src", "href", "xlink:href", "action")]

    def handle_data(self, data: str) -> None:
        self.text.append(data)


def read(html: str) -> _Reader:
    reader = _Reader()
    reader.feed(html)
    return reader


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch, trained_home: Path) -> list[FinishedRun]:
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    return finished(open_store().find(states=("done",), order="oldest"))


def test_a_report_needs_nothing_else(runs: list[FinishedRun]) -> None:
    html = report(runs)

    found = read(html)
    assert all(reference.startswith(("data:", "#")) for reference in found.references)
    assert not {"script", "link", "iframe", "object", "base"} & set(found.elements)
    assert "url(" not in re.sub(r"url\(#[^)]*\)", "", html)
    assert "@import" not in html
    assert len(html.encode()) < _MOST_BYTES


def test_a_report_says_what_was_measured(runs: list[FinishedRun]) -> None:
    html = report(runs)

    text = " ".join(read(html).text)
    for run in runs:
        assert f"{run.results.test_accuracy:.2%}" in text
        assert run.results.fingerprint in text
        for finding in find_findings(open_store(), run):
            assert finding.sentence in text
        for row in run.results.confusion:
            assert f"{row[0]:,}" in text
    assert "Difference" in text
    assert "significant at 5%" in text
    assert html.count("<figure>") == 24 * len(runs)
    lines = re.findall(r'aria-roledescription="line mark"[^>]*d="([^"]+)"|d="(M[^"]*L[^"]*)"', html)
    assert len(lines) >= 2 * len(runs), "curves are drawn"


def test_names_are_text_in_a_report(runs: list[FinishedRun]) -> None:
    plain = read(report(runs[:1]))
    for name in HOSTILE_NAMES:
        open_store().rename(runs[0].id, name[:100])
        (renamed,) = finished([open_store().get(runs[0].id)])
        shown = read(report([renamed]))
        assert shown.elements == plain.elements
        assert shown.references == plain.references
    open_store().rename(runs[0].id, "")


def test_what_is_not_done_has_no_report(store: Store, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    run_id = store.create(RunConfig(), submission=new_id())

    with pytest.raises(SystemExit) as ended:
        main(["report", run_id, "--out", str(tmp_path / "report.html")])

    assert ended.value.code == 2
    assert "expected one that is done, and it is queued" in capsys.readouterr().err
    assert not list(tmp_path.glob("*.html"))


def test_a_report_is_written_by_a_command(runs: list[FinishedRun], tmp_path: Path) -> None:
    path = tmp_path / "both.html"

    assert main(["report", *(run.id for run in runs), "--out", str(path)]) == 0

    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def seeds(runs: list[FinishedRun], **settings: object) -> list[FinishedRun]:
    """Return three finished runs like each, with other seeds and a little other figures."""
    store, made = open_store(), []
    for run in runs:
        for number in range(3):
            config = run.config.model_copy(update={"seed": 100 + number, **settings})
            run_id = store.create(config, submission=new_id(), claimed=True)
            shutil.copytree(run_directory(run.id), run_directory(run_id))
            for part in ("test", "validation"):
                write_predictions(run_directory(run_id), part, read_predictions(run.id, part))
            store.begin(run_id, 1, total_steps=1)
            store.add_metrics(run_id, 1, 1, [point for _, point in store.metrics(run.id)])
            accuracy = run.results.test_accuracy + number / 1000
            store.finish(run_id, 1, "done", run.results.model_copy(update={"test_accuracy": accuracy}))
            made.append(run_id)
    return finished([store.get(run_id) for run_id in made])


def test_seeds_are_one_in_a_report(runs: list[FinishedRun]) -> None:
    pytorch, keras = sorted(runs, key=lambda run: run.config.framework, reverse=True)
    many = seeds([pytorch, keras])

    html = report(many)

    text = " ".join(" ".join(read(html).text).split())
    for run in runs:
        assert f"{run.results.test_accuracy + 0.001:.2%} ± 0.10%" in text
    assert text.count("Mean ± standard deviation of 3 seeds") == 2
    assert "Difference, Keras − PyTorch" in text
    assert "95% interval" in text
    assert "100, 101, 102" in text
    assert "Test images of all 3 seeds by true class" in text
    for run, several in ((pytorch, many[:3]), (keras, many[3:])):
        assert f"{3 * run.results.confusion[1][1]:,}" in text
        assert all(each.id in text for each in several)
    assert html.count("<figure>") == 24 * 2
    assert "bands one standard deviation" in text
    assert all(reference.startswith(("data:", "#")) for reference in read(html).references)
    assert len(html.encode()) < _MOST_BYTES


def test_more_than_two_are_told_by_what_they_differ_from_the_best(runs: list[FinishedRun]) -> None:
    many = seeds(runs[:1], epochs=4)

    text = " ".join(" ".join(read(report([*runs, *many])).text).split())

    assert "Differences from the best by validation" in text
    assert text.count("points.") >= 2
    assert text.count("Difference, ") == 2


def test_a_seed_that_was_trained_twice_is_not_lost(runs: list[FinishedRun]) -> None:
    once, again = seeds(runs[:1])[0], seeds(runs[:1])[0]

    text = " ".join(read(report([once, again])).text)

    assert once.id in text
    assert again.id in text


def test_too_many_runs_are_refused(runs: list[FinishedRun]) -> None:
    with pytest.raises(ValueError, match=f"expected 1 to {MOST_RUNS} runs, received {MOST_RUNS + 1}"):
        report([runs[0]] * (MOST_RUNS + 1))
    with pytest.raises(ValueError, match=f"of 1 to {MOST} settings, several seeds of a setting being one, received 13"):
        report([_of_batch_size(runs[0], size) for size in range(1, MOST + 2)])


def _of_batch_size(run: FinishedRun, size: int) -> FinishedRun:
    return replace(run, id=f"{size:012x}", config=run.config.model_copy(update={"batch_size": size}))
