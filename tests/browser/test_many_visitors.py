"""Twenty visitors at once, each with a page of the real server's, as a browser asks for it but without one."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.config import FRAMEWORK_TITLES
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.inference.predictions import verdict
from core.inference.service import prediction_service
from core.runs import Run, open_store
from tests import processes
from tests.browser.app import Server
from tests.session import PageSession
from ui.shared.formatting import escape_markdown

_VISITORS = 20
_ROUNDS = 3
_MORE_BYTES = 150e6


@pytest.fixture
def runs(trained_home: Path, monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """A finished run of each framework, a pair for the page."""
    monkeypatch.setenv("DUET_HOME", str(trained_home))
    by_framework = {run.config.framework: run for run in open_store().find(states=("done",))}
    return [by_framework[framework] for framework in FRAMEWORK_TITLES]


@pytest.fixture
def server(runs: list[Run], trained_home: Path) -> Iterator[Server]:  # noqa: ARG001 (in their home)
    served = Server(trained_home)
    served.start()
    yield served
    served.close()


@pytest.mark.slow
def test_all_get_the_answers_they_would_get_alone_and_memory_is_bounded(server: Server, runs: list[Run]):
    for run in runs:  # so that both frameworks are loaded
        ask(server, run)
    before = memory(server)
    asked = runs * (_ROUNDS * _VISITORS // 2)
    with ThreadPoolExecutor(_VISITORS) as visitors:
        answered = list(visitors.map(lambda run: ask(server, run), asked))
    after = memory(server)

    images = load("mnist").test.images
    assert len({row for row, _ in answered}) > _VISITORS
    for run, (row, texts) in zip(asked, answered, strict=True):
        alone = prediction_service(run.config.framework).read(run.id, png(images[row]), "alone")
        assert escape_markdown(verdict(alone)) in texts
    assert after < before + _MORE_BYTES


def ask(server: Server, run: Run) -> tuple[int, list[str]]:
    """Open Predict with a test image by chance: which one it is, and all that the page says."""
    with PageSession(server.url, "predict", run=run.id, **{"from": "Test image"}) as session:
        assert session.failures == []
        (row,) = (found[1] for text in session.texts if (found := re.match(r"Test image ([\d,]+) is of class", text)))
        return int(row.replace(",", "")), session.texts


def memory(server: Server) -> int:
    """Return the resident bytes of the dashboard and of all that it has started."""
    return sum(process.memory_info().rss for process in processes.of_home(server.home))
