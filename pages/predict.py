"""Predict: a finished run's network reads what you draw, upload or photograph, and shows how it got there.

What is chosen is in the address: `?run=3f9c0a1b2c3d&from=Upload`.
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.config import FRAMEWORK_TITLES
from core.datasets.inspection.gallery import enlarge, png
from core.inference.answers import Prediction
from core.inference.service import prediction_service
from core.runs import FinishedRun, Store, finished, open_store
from ui.predict.advanced import Advanced, choose_advanced
from ui.predict.canvas import drawing_canvas
from ui.predict.paste import paste_images
from ui.predict.predictions import read, show_answers, show_seen, show_steps
from ui.predict.predictions_table import show_table
from ui.shared.explanation import Explained, show_explanations
from ui.shared.formatting import escape_markdown
from ui.shared.open_dataset import open_dataset
from ui.shared.page_title import set_page_title
from ui.shared.picture import show_picture
from ui.shared.presses import pressed

MOST_FILES = 200
FORMATS = ["png", "jpg", "jpeg", "webp", "bmp", "gif", "tif", "tiff"]


def finished_runs(store: Store) -> list[FinishedRun]:
    """Return the newest finished runs, and the one in the address however old it is."""
    runs = finished(store.find(states=("done",)))
    asked = st.query_params.get("run")
    if asked and asked not in {run.id for run in runs}:
        try:
            run = store.get(asked)
        except ValueError as error:
            st.warning(escape_markdown(str(error)))
        else:
            if asked_for := run.finished():
                return [*runs, asked_for]
            st.warning(f"Run {run.id} is {run.state}: it can be used once it is done.")
    return runs


def choose_run(done: list[FinishedRun]) -> FinishedRun | None:
    """Let a finished run be chosen; the address says which, else it is the best on the newest one's data.

    In the place of one that has gone no other is put: none is chosen then.
    """
    runs = {run.id: run for run in done}
    asked = st.query_params.get("run")
    key = f"run-{asked}"  # another address is another widget, so the browser's way back leads back
    before = st.session_state.get(key)
    if before and before not in runs:
        st.session_state[key] = None
        st.warning("The network that was chosen is not here any more. Choose another one.")
    first = None if before and before not in runs else asked or best_of(done).id
    chosen = st.selectbox(
        "Model",
        list(runs),
        index=list(runs).index(first) if first in runs else None,
        placeholder="Choose a network",
        format_func=lambda run_id: (
            f"{runs[run_id].title} · test accuracy {runs[run_id].results.test_accuracy:.2%} · {run_id}"
        ),
        key=key,
        width=640,
        on_change=lambda: st.query_params.update(run=st.session_state[key]),
    )
    return runs[chosen] if chosen else None


def best_of(done: Sequence[FinishedRun]) -> FinishedRun:
    """Return the run with the highest validation accuracy on the data of the newest; without a doubt, if any is."""
    alike = [run for run in done if run.config.dataset == done[0].config.dataset]
    return max(alike, key=lambda run: (run.doubt is None, run.results.val_accuracy))


def second_opinion(run: FinishedRun, done: Sequence[FinishedRun]) -> FinishedRun | None:
    """Return the run in the other framework that is most like `run`: its pair, else the same network, else any."""
    others = [
        other
        for other in done
        if other.config.framework != run.config.framework and other.config.dataset == run.config.dataset
    ]
    return max(others, key=lambda other: (_is_pair(run, other), _is_same_network(run, other)), default=None)


def _is_pair(run: FinishedRun, other: FinishedRun) -> bool:
    return run.pair is not None and run.pair == other.pair


def _is_same_network(run: FinishedRun, other: FinishedRun) -> bool:
    return run.config.architecture == other.config.architecture


@st.fragment
def from_drawing(runs: Sequence[FinishedRun], chosen: Advanced) -> None:
    """Read a drawing each time the pen is lifted."""
    columns = _columns()
    with columns[0]:
        drawing = drawing_canvas("drawing", pen=chosen.pen)
    if drawing is None:
        columns[1].caption("Use mouse, pen or finger. Your drawing is read each time you lift the pen.")
    else:
        _show_reading(runs, drawing, "Your drawing", columns, chosen)


@st.fragment
def from_files(runs: Sequence[FinishedRun], chosen: Advanced) -> None:
    """Read uploaded files: one in detail, many as a table with one of them in detail."""
    files = st.file_uploader(
        f"Images, up to {MOST_FILES}: drawings or photographs, dark on light or light on dark",
        type=FORMATS,
        accept_multiple_files=True,
        key="files",
    )
    paste_images("paste")
    if len(files) > MOST_FILES:
        st.warning(f"Only the first {MOST_FILES} of {len(files):,} images are read; upload fewer at a time.")
    if len(files) == 1:
        _show_image(runs, files[0].getvalue(), files[0].name, chosen)
    elif files:
        picked = show_table(runs, files[:MOST_FILES], chosen)
        if picked is not None:
            st.subheader(escape_markdown(picked.name), anchor=False)
            _show_image(runs, picked.getvalue(), picked.name, chosen)


@st.fragment
def from_camera(runs: Sequence[FinishedRun], chosen: Advanced) -> None:
    """Read a photograph."""
    with st.container(width=480):
        photograph = st.camera_input("Dark ink on light paper, filling much of the picture", key="photograph")
    st.caption("Browsers lend the camera only to this machine itself and over HTTPS.")
    if photograph is not None:
        _show_image(runs, photograph.getvalue(), "Your photograph", chosen)


@st.fragment
def from_test_split(runs: Sequence[FinishedRun], chosen: Advanced) -> None:
    """Read an image that no network has been trained on, and say what it is."""
    dataset = open_dataset(runs[0].config.dataset)
    if dataset is None:
        return
    images, labels = dataset.test
    with st.container(horizontal=True, vertical_alignment="center"):
        another = pressed("Another one", key="another-test-image", icon=":material/shuffle:")
        if another or st.session_state.get("test-row", len(labels)) >= len(labels):
            st.session_state["test-row"] = int(np.random.default_rng().integers(len(labels)))
        row = st.session_state["test-row"]
        st.markdown(f"Test image {row:,} is of class **{escape_markdown(dataset.class_names[labels[row]])}**.")
    _show_image(runs, png(images[row]), f"Test image {row:,}", chosen)


def _show_image(runs: Sequence[FinishedRun], data: bytes, name: str, chosen: Advanced) -> None:
    columns = _columns()
    if reading := _show_reading(runs, data, name, columns, chosen):
        with columns[0]:
            show_picture(enlarge(reading.steps[0].image, 280), alt="The image as it came", width=280)


def _show_reading(
    runs: Sequence[FinishedRun], data: bytes, name: str, columns: Sequence[DeltaGenerator], chosen: Advanced
) -> Prediction | None:
    """Read an image and show all about it beside the first column, which is for the image itself."""
    with columns[1]:
        answers = [(run, read(run, data, name, chosen)) for run in runs]
        show_answers(answers, chosen, key="answers")
    reading = next((answer for _, answer in answers if isinstance(answer, Prediction)), None)
    if reading:
        with columns[2]:
            show_seen(reading)
        explained = [
            Explained(
                *(run.id, run.config.framework, FRAMEWORK_TITLES[run.config.framework], answer.pixels),
                predicted=int(answer.probabilities.argmax()),
                epoch=chosen.epoch_of(run),
            )
            for run, answer in answers
            if isinstance(answer, Prediction)
        ]
        show_explanations(explained, reading.class_names, key="answers")
        show_steps(reading)
    return reading


def _columns() -> Sequence[DeltaGenerator]:
    # On a phone they lie below one another, and the answer matters more than what the network saw.
    return st.columns([7, 8, 5], gap="large")


SOURCES = {"Draw": from_drawing, "Upload": from_files, "Photograph": from_camera, "Test image": from_test_split}

st.title("Predict")
done = finished_runs(open_store())
if not done:
    st.info("Nothing has been trained yet. A network that classifies digits takes about a minute to train.")
    st.page_link("../pages/train.py", label="Train a network", icon=":material/play_circle:")
    st.stop()
run = choose_run(done)
if run is None:
    st.stop()
set_page_title(run.title, "Predict")
other = second_opinion(run, done)
with st.container(horizontal=True, vertical_alignment="bottom", gap="medium"):
    source = st.segmented_control(
        "Image from", list(SOURCES), default="Draw", required=True, key="from", bind="query-params"
    )
    both = other is not None and st.toggle(
        f"Second opinion from {FRAMEWORK_TITLES[other.config.framework]}",
        value=_is_pair(run, other),
        help=f"The same image, read by {escape_markdown(other.title)} as well.",
    )
chosen = choose_advanced(run, done)
runs = list({each.id: each for each in (run, *([other] if both and other else []), *chosen.more)}.values())
for reader in runs:
    prediction_service(reader.config.framework).warm(reader.id)
SOURCES[source](runs, chosen)
