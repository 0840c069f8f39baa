"""The predict page, without a browser: what it shows for drawings, files and test images, good and bad."""

import base64
import io
import pickle
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from streamlit.testing.v1 import AppTest

from core.config import configure
from core.datasets import load
from core.datasets.inspection.gallery import png
from core.runs import new_id, open_store
from core.system.paths import run_directory
from core.training import checkpoints
from tests.bad_files import bad_files
from tests.datasets.test_decoding import png_of
from tests.image_modes import in_all_modes
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


def best_run() -> str:
    runs = open_store().find(states=("done",))
    return max(runs, key=lambda run: (run.doubt is None, run.results.val_accuracy)).id


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
    assert f"{title} · ann-100" in [plain(caption.value) for caption in page.caption]
    assert len(page.get("vega_lite_chart")) == 1
    assert not page.error


def test_a_chosen_run_gets_into_the_address(page):
    page.run()
    other = run_of("keras") if page.selectbox[0].value == run_of("pytorch") else run_of("pytorch")
    page.selectbox[0].set_value(other).run()
    page.run()

    assert page.selectbox[0].value == other
    assert page.query_params["run"] == other


def test_a_run_that_is_not_there_is_said_and_not_replaced_by_another(page):
    page.query_params["run"] = "<b>x</b>"
    page.run()

    assert not page.exception
    assert "There is no run" in page.warning[0].value
    assert "<b>" not in page.warning[0].value
    assert page.selectbox[0].value is None
    assert len(page.selectbox) == 1, "nothing is read until another one is chosen"
    page.selectbox[0].set_value(best_run()).run()
    assert page.query_params["run"] == best_run()
    assert not page.exception


def test_a_run_that_is_not_done_is_said_and_not_replaced_by_another(page):
    queued = open_store().create(configure(), submission=new_id())
    page.query_params["run"] = queued
    page.run()

    assert f"Run {queued} is queued" in page.warning[0].value
    assert page.selectbox[0].value is None
    open_store().request_stop(queued)


def test_a_chosen_run_that_another_tab_deletes_is_not_replaced_by_another(page):
    page.run()
    chosen = page.selectbox[0].value
    open_store().delete(chosen)
    try:
        page.run()
        assert not page.exception
        assert "not here any more" in page.warning[0].value
        assert page.selectbox[0].value is None
    finally:
        open_store().restore(chosen)


def test_a_second_opinion_reads_the_same_image(page, sevens):
    upload(page, ("seven.png", sevens[0]))
    next(toggle for toggle in page.toggle if toggle.label.startswith("Second opinion")).set_value(True).run()

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
    assert list(table["File"]) == ["\u2060=one.png", "b.png"]  # no formula in what is downloaded
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


def test_several_digits_are_shown_in_their_boxes_in_order(page):
    digits = load("mnist").test.images[:3, ..., 0]
    upload(page, ("line.png", png(255 - np.pad(np.hstack(list(digits)).repeat(4, 0).repeat(4, 1), 20)[..., None])))

    assert not page.exception
    assert len(page.dataframe[0].value) == 3
    assert len(plain(answers(page)[0]).split(": ")[1].split()[0]) == 3


def test_an_earlier_epoch_predicts_with_its_own_weights(page, sevens):
    run_id = best_run()
    directory = run_directory(run_id)
    newest = checkpoints.load(directory)
    forgetful = {name: np.zeros_like(values) for name, values in newest.weights.items()}
    checkpoints.keep_epoch_weights(directory, 1, forgetful)
    page.query_params["run"] = run_id
    try:
        upload(page, ("seven.png", sevens[0]))
        slider = page.select_slider(key=f"epoch-{run_id}")
        slider.set_value(1).run()
        assert any("after epoch 1" in plain(caption.value) for caption in page.caption)
        assert "perhaps 0" in plain(answers(page)[0]), "all classes are as probable with weights of zero"
        page.select_slider(key=f"epoch-{run_id}").set_value(newest.epoch).run()
        assert "7" in answers(page)[0]
        assert not page.exception
    finally:
        (directory / "epoch-0001.safetensors").unlink()


def test_a_digit_is_the_same_in_images_of_all_modes(page):
    files = in_all_modes(load("mnist").test.images[0, ..., 0])
    upload(page, *files.items())

    assert not page.exception
    assert not page.error
    table = page.dataframe[0].value
    assert list(table["File"]) == list(files)
    (predicted,) = {label for column in table if column.endswith("predicted") for label in table[column]}
    assert predicted == "7"


def test_what_poses_as_an_image_gets_a_sentence_each(page):
    posing = {
        "bomb.png": png_of(50_000, 50_000),
        "page.png": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
        "drawing.png": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
        "model.png": pickle.dumps({"weights": [1.0]}),
        "links.png": b"\x89HDF\r\n\x1a\n" + bytes(100),
    }
    upload(page, *posing.items())

    assert not page.exception
    for name, error in zip(posing, page.error, strict=True):
        assert plain(error.value).startswith(f"{name}: expected ")
        assert "received" in error.value
    assert not answers(page)


def test_what_is_adjusted_changes_how_the_image_is_prepared(page, sevens):
    upload(page, ("seven.png", sevens[0]))
    page.slider(key="angle").set_value(20).run()

    assert not page.exception
    assert any("Turned" in text.value for text in page.markdown)


def test_a_pairs_explanations_are_shown_with_their_agreement(page, sevens):
    page.session_state["answers-explained"] = True
    upload(page, ("seven.png", sevens[0]))
    if not [said for said in page.markdown if "rank correlation" in said.value]:
        page.toggle[0].set_value(True)
        page.run()

    assert "Integrated gradients" in page.selectbox(key="answers-method").options
    assert "LayerCAM" not in page.selectbox(key="answers-method").options  # ann-100 has no convolution
    assert [said for said in page.markdown if "rank correlation" in said.value]
    assert not page.exception
