"""What a network makes of an image: asking its warm process, showing the answer and how it came about.

    answer = read(run, data, name, chosen)
    show_answers([(run, answer), (other, other_answer)], chosen, key="drawing")
    show_steps(answer)

Names and reasons come from outside, so they are escaped wherever they are shown.
"""

from collections.abc import Sequence

import numpy as np
import pandas as pd
import streamlit as st
from PIL import Image, ImageOps

from core.charts.runs import probability_bars
from core.config import FRAMEWORK_TITLES
from core.datasets.inspection.gallery import enlarge
from core.inference.answers import Prediction, Unreadable
from core.inference.predictions import boxed, verdict
from core.inference.service import prediction_service
from core.runs import FinishedRun
from ui.predict.advanced import Advanced
from ui.shared.data_table import show_data_table
from ui.shared.formatting import escape_markdown
from ui.shared.picture import data_url, show_picture

_BOX_COLOUR = (0, 114, 178)

_TILE = 140  # side of a step's image on the screen, in pixels; the files have twice as many for sharp screens


def read(run: FinishedRun, data: bytes, name: str, chosen: Advanced) -> Prediction | Unreadable:
    """Read an image with the network of a run, and say what is waited for where that takes long."""
    title = FRAMEWORK_TITLES[run.config.framework]
    with st.spinner(f"Reading. The first time, {title} takes a few seconds to start."):
        return prediction_service(run.config.framework).read(
            run.id, data, name, chosen.adjustments, calibrated=chosen.is_calibrated, epoch=chosen.epoch_of(run)
        )


def show_answers(answers: Sequence[tuple[FinishedRun, Prediction | Unreadable]], chosen: Advanced, key: str) -> None:
    """Show what each network reads, side by side, with the probabilities; or why it cannot."""
    for reason in dict.fromkeys(answer.reason for _, answer in answers if isinstance(answer, Unreadable)):
        st.error(escape_markdown(reason), icon=":material/broken_image:")
    readings = [(run, answer) for run, answer in answers if isinstance(answer, Prediction)]
    if not readings:
        return
    for column, (run, reading) in zip(st.columns(len(readings), gap="medium"), readings, strict=True):
        with column.container(gap="xsmall"):
            st.header(escape_markdown(verdict(reading)), anchor=False)
            epoch = chosen.epoch_of(run)
            st.caption(
                f"{FRAMEWORK_TITLES[run.config.framework]} · {escape_markdown(run.config.architecture)}"
                + (f" · after epoch {epoch}" if epoch else "")
            )
            if len(reading.found) > 1:
                _show_found(reading, key=f"{key}-{run.id}-found")
            else:
                chart = probability_bars(reading.probabilities, reading.class_names, run.config.framework)
                st.altair_chart(chart, key=f"{key}-{run.id}")
            for warning in reading.warnings:
                st.warning(escape_markdown(warning), icon=":material/help:")
    if len({reading.label for _, reading in readings}) > 1:
        st.warning("The networks disagree on this image.", icon=":material/alt_route:")


def _show_found(reading: Prediction, key: str) -> None:
    """Show where each character was found, and a row for each in the order in which they are read."""
    picture = _adjusted_picture(reading)
    show_picture(
        boxed(picture, reading.found, _BOX_COLOUR),
        alt=f"{len(reading.found)} characters, each in a box",
        width=min(2 * _TILE, picture.shape[1]),
    )
    columns = {
        "": [data_url(each.pixels) for each in reading.found],
        "Predicted": [each.label(reading.class_names) for each in reading.found],
        "Probability": [float(each.probabilities.max()) for each in reading.found],
    }
    notes = [
        "unfamiliar" if each.unfamiliar else "touches its neighbour" if each.touching else "" for each in reading.found
    ]
    show_data_table(
        pd.DataFrame(columns | ({"Note": notes} if any(notes) else {})),
        key=key,
        hide_index=True,
        width="content",
        column_config={
            "": st.column_config.ImageColumn("", width=40),
            "Probability": st.column_config.ProgressColumn(format="percent", min_value=0, max_value=1, width=120),
        },
    )


def _adjusted_picture(reading: Prediction) -> np.ndarray:
    """Return the picture that the boxes are places in: as it came, or as it was cut out and turned."""
    chosen = [step.image for step in reading.steps if step.title in ("Received", "Cut out", "Turned")]
    return chosen[-1]


def show_seen(reading: Prediction) -> None:
    """Show the pixels that the network saw, large and crisp."""
    height, width, _ = reading.pixels.shape
    show_picture(enlarge(reading.pixels, 560), alt="What the network sees", width=280)
    st.caption(f"What the network sees: {height}×{width} pixels")


def show_steps(reading: Prediction) -> None:
    """Show how an image, which itself is shown already, was brought into the form of the training images."""
    st.subheader("From your image to what the network sees", anchor=False)
    with st.container(horizontal=True, gap="medium"):
        for i, step in enumerate(reading.steps[1:], start=1):
            with st.container(width=_TILE, gap="xsmall"):
                show_picture(_tile(step.image), alt=step.title, width=_TILE)
                st.markdown(f"**{i}. {step.title}**")
                st.caption(step.explanation)


def _tile(image: np.ndarray) -> np.ndarray:
    """Fit an image of any shape into a transparent square, so that all tiles line up; few pixels stay crisp."""
    side = 2 * _TILE
    picture = Image.fromarray(enlarge(image, side)).convert("RGBA")
    return np.asarray(ImageOps.pad(picture, (side, side), color=(0, 0, 0, 0)))
