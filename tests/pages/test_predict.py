"""The predict page, without a browser: what it shows for drawings, files and test images, good and bad."""

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.config import configure
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.runs import new_id, open_store
from tests.bad_files import bad_files
from tests.page import page_at, plain


@pytest.fixture(scope="module")
def duet_home(trained_home: Path) -> Iterator[Path]:
    """The home with trained runs, instead of an empty one for each test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DUET_HOME", str(trained_home))
        yield trained_home


@pytest.fixture
def page() -> AppTest:
    return page_at("predict", timeout=60)


@pytest.fixture(scope="module")
def sevens() -> list[bytes]:
    """Three test images as files; the first is a seven."""
    return [png(digit) for digit in load("mnist").test.images[:3]]


def run_of(framework: str) -> str:
    return next(run.id for run in open_store().find(states=("done",)) if run.config.framework == framework)


def upload(page: AppTest, *files: tuple[str, bytes]) -> AppTest:
    page.query_params["from"] = "Upload"
    page.run()
    page.file_uploader(key="files").set_value([(name, data, "image/png") for name, data in files])
    return page.run()


def answers(page: AppTest) -> list[str]:
    return [header.value for header in page.header]


def test_without_runs_it_says_what_to_do(page, tmp_path, monkeypatch):
    monkeypatch.setenv("DUET_HOME", str(tmp_path))
    page.run()

    assert not page.exception
    assert "Nothing has been trained yet" in page.info[0].value
    assert [link.proto.label for link in page.get("page_link")] == ["Train a network"]
    assert not page.selectbox


@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_the_run_in_the_address_reads(page, framework, sevens):
    page.query_params["run"] = run_of(framework)
    upload(page, ("seven.png", sevens[0]))

    assert not page.exception
    assert page.selectbox[0].value == run_of(framework)
    assert len(answers(page)) == 1
    title = {"pytorch": "PyTorch", "keras": "Keras"}[framework]
    assert f"{title} · ann-100" in [caption.value for caption in page.caption]
    assert len(page.get("vega_lite_chart")) == 1
    assert not page.error


def test_a_chosen_run_gets_into_the_address(page):
    page.run()
    other = run_of("keras") if page.selectbox[0].value == run_of("pytorch") else run_of("pytorch")
    page.selectbox[0].set_value(other).run()
    page.run()

    assert page.selectbox[0].value == other
    assert page.query_params["run"] == other


def test_a_run_that_is_not_there_is_said_and_the_newest_used(page):
    page.query_params["run"] = "<b>x</b>"
    page.run()

    assert not page.exception
    assert "There is no run" in page.warning[0].value
    assert "<b>" not in page.warning[0].value
    assert page.selectbox[0].value == open_store().find(states=("done",))[0].id


def test_a_run_that_is_not_done_is_said_and_the_newest_used(page):
    queued = open_store().create(configure(), submission=new_id())
    page.query_params["run"] = queued
    page.run()

    assert f"Run {queued} is queued" in page.warning[0].value
    assert page.selectbox[0].value == open_store().find(states=("done",))[0].id
    open_store().request_stop(queued)


def test_a_second_opinion_reads_the_same_image(page, sevens):
    upload(page, ("seven.png", sevens[0]))
    page.toggle[0].set_value(True).run()

    assert not page.exception
    assert len(answers(page)) == 2
    assert len(page.get("vega_lite_chart")) == 2


def test_a_drawing_is_read_with_all_its_steps(page, sevens, monkeypatch):
    page.run()
    assert "Use mouse, pen or finger" in page.caption[0].value
    digit = Image.open(io.BytesIO(sevens[0])).resize((280, 280)).point(lambda value: 255 - value)
    file = io.BytesIO()
    digit.save(file, "PNG")
    drawing = f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"
    monkeypatch.setattr("ui.predict.canvas._component", lambda **_: {"image": drawing})
    page.run()

    assert not page.exception
    assert plain(answers(page)[0]).startswith(("Prediction: ", "Low confidence: "))
    steps = [text.value for text in page.markdown]
    assert steps[0].startswith("**1. ")
    assert "Centred" in steps[-1]
    assert len(page.get("image")) == len(steps) + 1  # and what the network sees


def test_many_files_become_a_table_beside_the_errors(page, sevens):
    upload(
        page, ("=one.png", sevens[0]), *((name, data) for name, (data, _) in bad_files().items()), ("b.png", sevens[1])
    )

    assert not page.exception
    table = page.dataframe[0].value
    assert list(table["File"]) == ["=one.png", "b.png"]
    assert all(data_url.startswith("data:image/png;base64,") for data_url in table["image"])
    shown = [error.value.replace("\\", "") for error in page.error]
    for (name, (_, reason)), sentence in zip(bad_files().items(), shown, strict=True):
        assert sentence.startswith(name)
        assert reason in sentence
    assert page.subheader[0].value.replace("\\", "") == "=one.png"
    assert len(answers(page)) == 1


def test_a_name_from_outside_is_shown_as_it_is(page, sevens):
    name = "![x](http://example.org/x.png) <script>.png"
    upload(page, (name, b"text"), ("good.png", sevens[0]))

    assert not page.exception
    assert "![x](" not in page.error[0].value
    assert plain(page.error[0].value).startswith(name)


def test_one_bad_file_alone_gets_only_its_sentence(page):
    upload(page, ("empty.png", b""))

    assert not page.exception
    assert "received an empty file" in page.error[0].value
    assert not answers(page)
    assert not page.get("image")


def test_a_test_image_can_be_read_and_changed_for_another(page):
    page.query_params["from"] = "Test image"
    page.run()

    assert not page.exception
    assert len(answers(page)) == 1
    first = page.session_state["test-row"]
    page.button[0].click().run()
    assert page.session_state["test-row"] != first
