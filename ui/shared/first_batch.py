"""The first batch of an augmented run, by the code that trains it; nothing waits for that code to start.

show_first_batch(config)
"""

from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
import streamlit as st

from core.config import FRAMEWORK_TITLES, RunConfig
from core.datasets import load
from core.engines.augmentation import is_augmented, warnings
from core.inference.service import NoAnswerError, prediction_service
from core.training.loop import first_batch
from ui.shared.dialogs import refresh_page
from ui.shared.formatting import escape_markdown
from ui.shared.presses import pressed
from ui.shared.sprite_grid import sprite_grid

SHOWN = 36
"""So many images of the batch at the most."""

_COLUMNS = 12
_REFRESH_S = 0.5
_THREADS = 2

# The settings on which the first batch depends.
_DECIDE = (
    *("framework", "dataset", "batch_size", "seed", "train_limit", "validation_share", "validation_part"),
    *("rotation", "zoom", "shift_x", "shift_y", "flip_horizontal", "flip_vertical", "erasing"),
)


def show_first_batch(config: RunConfig) -> None:
    """Show the images that a run learns from first as they are changed, if it changes them at all."""
    if not is_augmented(config):
        return
    for warning in warnings(config, load(config.dataset).specification):
        st.warning(warning, icon=":material/warning:")
    settings = RunConfig(**{name: getattr(config, name) for name in _DECIDE}).model_dump_json()
    asked = _asked(settings, load(config.dataset).fingerprint)
    is_coming = not asked.done()
    st.fragment(_watch, run_every=_REFRESH_S if is_coming else None)(settings, asked, is_coming)


def _watch(settings: str, asked: Future[tuple[np.ndarray, list[str]]], was_coming: bool) -> None:
    config = RunConfig.model_validate_json(settings)
    title = FRAMEWORK_TITLES[config.framework]
    st.markdown("**First batch, as it is trained**")
    if not asked.done():
        st.caption(f"{title} is starting; the images will be here in a few seconds.")
        return
    if was_coming:
        refresh_page()  # so that it is not looked at every half second any more
    try:
        images, names = asked.result()
    except NoAnswerError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        if pressed("Try again", key="first-batch-again", icon=":material/replay:"):
            _asked.clear()
            st.rerun()
        return
    sprite_grid(
        "first-batch",
        images,
        columns=_COLUMNS,
        names=names,
        picked=None,
        on_pick=lambda _position: None,
        title="First batch",
    )
    some = f"The first {len(images)} of {config.batch_size:,} images" if len(images) < config.batch_size else "All"
    st.caption(
        f"{some} of the first step with seed {config.seed}, changed by the code with which {title} trains. "
        "Every epoch changes every image by other amounts."
    )


@st.cache_resource(max_entries=32, show_spinner=False)
def _asked(settings: str, fingerprint: str) -> Future[tuple[np.ndarray, list[str]]]:  # noqa: ARG001, the cache's key
    return _threads().submit(_change, RunConfig.model_validate_json(settings))


@st.cache_resource
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_THREADS, thread_name_prefix="first-batch")


def _change(config: RunConfig) -> tuple[np.ndarray, list[str]]:
    """Return images of the first batch as training changes them, uint8 `(N, H, W, C)`, and their classes' names."""
    dataset = load(config.dataset)
    batch = first_batch(config, dataset)
    assert batch.transforms is not None, "only a run that augments is shown"
    indices = batch.indices[:SHOWN]
    changed = prediction_service(config.framework).augment(dataset.train.images[indices], batch.transforms[:SHOWN])
    return changed, [dataset.class_names[label] for label in dataset.train.labels[indices]]
