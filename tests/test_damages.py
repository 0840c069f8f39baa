"""Each damage to what a run has kept is a sentence, at the command line and on the pages, and takes no memory."""

import shutil
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
import streamlit as st

from core import cli
from core.config import FRAMEWORK_TITLES
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.export import FORMATS
from core.runs import Run, Store, open_store
from core.runs.predictions import read_predictions
from core.system.paths import run_directory
from core.system.tensors import unpack
from core.training import checkpoints
from tests.damages import (
    DAMAGED_FAMILIARITY,
    DAMAGED_STATES,
    DAMAGED_TEST_PREDICTIONS,
    DAMAGED_VALIDATION_PREDICTIONS,
    DAMAGED_WEIGHTS,
    GIGABYTES,
    keep_state,
)
from tests.page import page_at, plain
from tests.runs.making import CONFIG
from ui.shared.test_predictions import test_answers as answers_of_tests

SOME = ["a header of gigabytes", "weights of another shape", "no number in the weights", "gigabytes behind the weights"]


def mostly_slow(damages: dict[str, object], quick: list[str]) -> list:
    return [name if name in quick else pytest.param(name, marks=pytest.mark.slow) for name in damages]


@pytest.fixture(scope="module")
def duet_home(trained_home: Path) -> Iterator[Path]:
    """The home with a finished run of each framework, instead of an empty one for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(trained_home))
        yield trained_home


@pytest.fixture
def run(duet_home: Path) -> Iterator[Run]:  # noqa: ARG001 (where it is)
    """A finished run whose folder may be damaged, and is whole again afterwards."""
    run = next(each for each in open_store().find(states=("done",)) if each.config.framework == "pytorch")
    whole = run_directory(run.id).with_name("whole")
    shutil.copytree(run_directory(run.id), whole)
    forget_what_was_read()
    yield run
    shutil.rmtree(run_directory(run.id))
    whole.rename(run_directory(run.id))
    forget_what_was_read()


def forget_what_was_read() -> None:
    """Let pages read anew what they keep, as a server that is started does."""
    answers_of_tests.clear()
    st.cache_data.clear()


@pytest.fixture
def image(tmp_path: Path) -> str:
    (tmp_path / "seven.png").write_bytes(png(load("mnist").test.images[0]))
    return str(tmp_path / "seven.png")


def said(capsys: pytest.CaptureFixture, *arguments: str) -> tuple[int, list[str]]:
    """Run a command in this process; return its exit code and what it wrote on stderr."""
    try:
        code = cli.main(arguments)
    except SystemExit as ended:
        code = int(ended.code or 0)
    return code, capsys.readouterr().err.splitlines()


def is_sentence(lines: list[str], run: Run) -> bool:
    (line,) = lines
    return line.startswith(f"Run {run.id}: ") and line.endswith(".") and line.isprintable() and "Traceback" not in line


@pytest.mark.parametrize("name", mostly_slow(DAMAGED_WEIGHTS, SOME))
def test_damaged_weights_are_a_sentence_at_the_command_line(run, image, tmp_path, capsys, name):
    DAMAGED_WEIGHTS[name](run_directory(run.id))
    capsys.readouterr()

    tracemalloc.start()
    for arguments in (
        ("predict", run.id, image),
        *(("export", run.id, "--format", form, "--output", str(tmp_path / "out")) for form in FORMATS),
        ("train", "--from", run.id, "--epochs", "1"),
    ):
        code, lines = said(capsys, *arguments)
        assert (code, is_sentence(lines, run)) == (2, True), (arguments, lines)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert peak < GIGABYTES / 10
    assert not (tmp_path / "out").exists()
    assert said(capsys, "runs", "check", run.id) == (1, [])
    assert said(capsys, "runs") == (0, [])


@pytest.mark.parametrize("name", mostly_slow(DAMAGED_WEIGHTS, SOME))
def test_damaged_weights_are_a_sentence_on_the_pages(run, name):
    DAMAGED_WEIGHTS[name](run_directory(run.id))

    page = page_at("predict", timeout=120, run=run.id, **{"from": "Test image"}).run()
    assert not page.exception
    assert any(plain(error.value).startswith(f"Run {run.id}: ") for error in page.error), [*page.error]
    for address, query in (("results", {"run": run.id}), ("compare", {})):
        page = page_at(address, **query).run()
        assert not page.exception
        assert not page.error


@pytest.mark.parametrize(
    "name", mostly_slow(DAMAGED_TEST_PREDICTIONS, ["no test predictions", "test predictions of another run"])
)
def test_damaged_predictions_are_a_sentence_on_the_pages(run, name):
    DAMAGED_TEST_PREDICTIONS[name](run_directory(run.id))

    for address, query in (("results", {"run": run.id, "view": "Errors"}), ("compare", {})):
        page = page_at(address, **query).run()
        assert not page.exception
        sentences = [plain(warning.value) for warning in page.warning]
        assert any(f"Run {run.id}: test.safetensors" in sentence for sentence in sentences), sentences
        assert any("train the run again" in sentence for sentence in sentences)
    page = page_at("results", run=run.id).run()
    assert [metric.value for metric in page.metric if metric.label.startswith("Test accuracy")]
    assert page_at("results", run=run.id, view="Classes").run().dataframe
    assert list(page_at("results", run=run.id, view="Export").run().get("download_button"))


@pytest.mark.parametrize("name", mostly_slow(DAMAGED_VALIDATION_PREDICTIONS, ["cut validation predictions"]))
def test_damaged_validation_predictions_are_a_sentence_beside_all_else(run, name):
    DAMAGED_VALIDATION_PREDICTIONS[name](run_directory(run.id))

    page = page_at("results", run=run.id, view="Confidence").run()

    assert not page.exception
    (warning,) = (plain(each.value) for each in page.warning)
    assert f"Run {run.id}: validation.safetensors" in warning
    assert not page_at("results", run=run.id, view="Errors").run().warning


@pytest.mark.parametrize("name", [*DAMAGED_TEST_PREDICTIONS, *DAMAGED_VALIDATION_PREDICTIONS])
def test_damaged_predictions_are_a_sentence_at_the_command_line(run, capsys, name):
    (DAMAGED_TEST_PREDICTIONS | DAMAGED_VALIDATION_PREDICTIONS)[name](run_directory(run.id))

    tracemalloc.start()
    code = cli.main(["runs", "check", run.id])
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    (sentence,) = capsys.readouterr().out.splitlines()
    assert (code, peak < GIGABYTES / 10) == (1, True)
    assert sentence.startswith(f"Run {run.id}: {'validation' if 'validation' in name else 'test'}.safetensors")
    assert sentence.isprintable()
    assert said(capsys, "runs") == (0, [])


@pytest.mark.parametrize("name", DAMAGED_FAMILIARITY)
def test_damaged_familiarity_keeps_no_network_from_predicting(run, image, capsys, name):
    cli.main(["predict", run.id, image])
    before = capsys.readouterr().out
    DAMAGED_FAMILIARITY[name](run_directory(run.id))

    assert cli.main(["predict", run.id, image]) == 0
    assert capsys.readouterr().out == before


@pytest.mark.parametrize("name", DAMAGED_STATES)
def test_damaged_state_is_a_sentence_where_its_run_is_to_go_on(store: Store, capsys, name):
    run_id = store.create(CONFIG, submission=name, claimed=True)
    store.fail(run_id, 1, failure="It was killed.", advice="", cause="killed")
    keep_state(run_id, CONFIG)
    DAMAGED_STATES[name](run_directory(run_id))
    run = store.get(run_id)

    code, lines = said(capsys, "runs", "resume", run_id)

    assert (code, is_sentence(lines, run)) == (2, True), lines
    assert store.get(run_id).state == "failed"
    assert said(capsys, "runs", "check", run_id) == (1, [])
    store.delete(run_id)


def test_what_is_whole_is_told_so(run, capsys):
    assert cli.main(["runs", "check"]) == 0

    assert sorted(line.split()[1] for line in capsys.readouterr().out.splitlines()) == ["whole"] * len(FRAMEWORK_TITLES)
    assert read_predictions(run.id, "test") is not None


def test_what_an_earlier_duet_has_written_opens(run):
    """It wrote no hash and no run's id beside predictions, no rows, and no hash of a manifest."""
    directory = run_directory(run.id)
    before = read_predictions(run.id, "test")
    for part in ("test", "validation"):
        arrays = unpack((directory / f"{part}.safetensors").read_bytes()).arrays
        checkpoints.write_arrays(
            directory / f"{part}.safetensors", {name: arrays[name] for name in ("probabilities", "labels")}
        )

    page = page_at("results", run=run.id).run()

    assert not page.exception
    assert [*page.warning] == []
    assert (read_predictions(run.id, "test").probabilities == before.probabilities).all()
