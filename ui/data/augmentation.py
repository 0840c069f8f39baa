"""Augmentation: how training would change the images, by the very code that trains."""

import numpy as np
import streamlit as st

from core.config import FRAMEWORK_TITLES, Framework, RunConfig, configure
from core.datasets import Dataset
from core.engines.augmentation import draw_transforms, is_augmented, warnings
from core.inference.service import NoAnswerError, prediction_service
from ui.shared.formatting import escape_markdown
from ui.shared.settings import setting, settings
from ui.shared.sprite_grid import sprite_grid

_KNOBS = ("rotation", "zoom", "shift_x", "shift_y", "flip_horizontal", "flip_vertical", "erasing")
_ROWS = 6
_DRAWS = 7


@st.fragment
def show(dataset: Dataset) -> None:
    """Let the ranges be chosen, and show some images beside several draws of each."""
    for framework in FRAMEWORK_TITLES:
        prediction_service(framework).warm()
    form, preview = st.columns([1, 2], gap="large")
    with form:
        st.caption("These settings are the ones of the Train page: what you choose here is what a launch uses.")
        for name in _KNOBS:
            setting(name)
        seed = int(st.number_input("Draw", min_value=0, value=0, help="Another number shows other random draws."))
    with preview:
        framework = st.segmented_control(
            "Changed by",
            list(FRAMEWORK_TITLES),
            format_func=lambda name: FRAMEWORK_TITLES[name],
            default="pytorch",
            required=True,
            key="changed-by",
            help="The amounts are drawn once for both frameworks, and the pixels agree to a hundred-thousandth.",
        )
        try:
            config = configure(**settings())
        except ValueError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")
        else:
            _show_draws(dataset, config, framework, seed)


def _show_draws(dataset: Dataset, config: RunConfig, framework: Framework, seed: int) -> None:
    for warning in warnings(config, dataset.specification):
        st.warning(warning, icon=":material/warning:")
    if not is_augmented(config):
        st.info("Nothing is changed yet: set a range on the left, such as a rotation of 10 degrees.")
    generator = np.random.default_rng(seed)
    rows = np.sort(generator.choice(len(dataset.train.images), _ROWS, replace=False))
    originals = dataset.train.images[rows]
    transforms = draw_transforms(config, dataset.image_shape, _ROWS * _DRAWS, generator)
    try:
        with st.spinner(f"Starting {FRAMEWORK_TITLES[framework]}: a few seconds the first time"):
            changed = prediction_service(framework).augment(np.repeat(originals, _DRAWS, axis=0), transforms)
    except NoAnswerError as error:
        st.error(escape_markdown(str(error)), icon=":material/error:")
        return
    changed = changed.reshape(_ROWS, _DRAWS, *originals.shape[1:])
    grid = np.concatenate([originals[:, np.newaxis], changed], axis=1).reshape(-1, *originals.shape[1:])
    names = [dataset.class_names[label] for label in dataset.train.labels[rows]]
    st.caption("On the left the image as it is, then seven draws of it.")
    sprite_grid(
        "augmented",
        grid,
        columns=_DRAWS + 1,
        names=[
            f"{name}, {'original' if column == 0 else f'draw {column}'}"
            for name in names
            for column in range(_DRAWS + 1)
        ],
        picked=None,
        on_pick=lambda _position: None,
        title="Augmented images",
    )
