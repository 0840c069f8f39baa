"""What a network makes of an image: asking its warm process, showing the answer and how it came about.

    answer = read(run, data, name)
    show_answers([(run, answer), (other, other_answer)], key="drawing")
    show_steps(answer)

Names and reasons come from outside, so they are escaped wherever they are shown.
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from PIL import Image, ImageOps

from core.charts.runs import probability_bars
from core.config import FRAMEWORK_TITLES
from core.datasets.inspection.gallery import enlarge
from core.inference.predictions import verdict
from core.inference.service import Prediction, Unreadable, prediction_service
from core.runs import FinishedRun
from ui.shared.formatting import escape_markdown

_TILE = 140  # side of a step's image on the screen, in pixels; the files have twice as many for sharp screens


def read(run: FinishedRun, data: bytes, name: str) -> Prediction | Unreadable:
    """Read an image with the network of a run, and say what is waited for where that takes long."""
    title = FRAMEWORK_TITLES[run.config.framework]
    with st.spinner(f"Reading. The first time, {title} takes a few seconds to start."):
        return prediction_service(run.config.framework).read(run.id, data, name)


def show_answers(answers: Sequence[tuple[FinishedRun, Prediction | Unreadable]], key: str) -> None:
    """Show what each network reads, side by side, with the probabilities; or why it cannot."""
    for reason in dict.fromkeys(answer.reason for _, answer in answers if isinstance(answer, Unreadable)):
        st.error(escape_markdown(reason), icon=":material/broken_image:")
    readings = [(run, answer) for run, answer in answers if isinstance(answer, Prediction)]
    if not readings:
        return
    for column, (run, reading) in zip(st.columns(len(readings), gap="medium"), readings, strict=True):
        with column.container(gap="xsmall"):
            st.header(escape_markdown(verdict(reading)), anchor=False)
            st.caption(f"{FRAMEWORK_TITLES[run.config.framework]} · {run.config.architecture}")
            chart = probability_bars(reading.probabilities, reading.class_names, run.config.framework)
            st.altair_chart(chart, key=f"{key}-{run.config.framework}")
            if reading.damage:
                st.warning(escape_markdown(reading.damage), icon=":material/healing:")
    if len({int(reading.probabilities.argmax()) for _, reading in readings}) > 1:
        st.warning("The two networks disagree on this image.", icon=":material/alt_route:")


def show_seen(reading: Prediction) -> None:
    """Show the pixels that the network saw, large and crisp."""
    height, width, _ = reading.pixels.shape
    st.image(enlarge(reading.pixels, 560), output_format="PNG", alt="What the network sees", width=280)
    st.caption(f"What the network sees: {height}×{width} pixels")


def show_steps(reading: Prediction) -> None:
    """Show how an image, which itself is shown already, was brought into the form of the training images."""
    st.subheader("From your image to what the network sees", anchor=False)
    with st.container(horizontal=True, gap="medium"):
        for i, step in enumerate(reading.steps[1:], start=1):
            with st.container(width=_TILE, gap="xsmall"):
                st.image(_tile(step.image), output_format="PNG", alt=step.title, width=_TILE)
                st.markdown(f"**{i}. {step.title}**")
                st.caption(step.explanation)


def _tile(image: np.ndarray) -> Image.Image:
    """Fit an image of any shape into a transparent square, so that all tiles line up; few pixels stay crisp."""
    side = 2 * _TILE
    return ImageOps.pad(Image.fromarray(enlarge(image, side)).convert("RGBA"), (side, side), color=(0, 0, 0, 0))
