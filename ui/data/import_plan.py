"""What is about to be imported: all that was recognised, to be changed, a preview, and the button to begin.

choices = change_guesses(plan, choices, datasets)   # another look is taken with these
if choice := choose_import(plan):
    start_import(path, choices=choices, **choice)
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st

from core.datasets import free_title
from core.datasets.choices import Choices
from core.datasets.conversion import fit
from core.datasets.formats.source import PARTS, Guess, Part
from core.datasets.importing import CHANNELS, MAX_SIDE, MIN_SIDE, Plan
from core.system.text import shortened
from ui.data.import_report import show_skipped
from ui.data.picture_row import show_row
from ui.shared.formatting import counted, escape_markdown
from ui.shared.presses import pressed

_DOWNSAMPLED = 200
_SIZES = 5
_CLASSES = 30

_TITLES = {
    "splits": "Folders called train, test …",
    "classes": "Folders that are the classes",
    "label_column": "Column of classes",
    "header": "First row names columns",
    "scale": "Value of white",
    "preparation": "Images from outside",
    "fit": "Other proportions",
    "validation_as": "Validation images",
    "test_part": "Test images, as none came",
}
"""What guesses are called, where that is not the name of their field."""

_YES_NO = {True: "yes", False: "no"}

_WORDS: Mapping[str, Mapping[Any, str]] = {
    "splits": _YES_NO,
    "header": _YES_NO,
    "orientation": {"as-is": "as they are"},
    "classes": {"outer": "the outer ones", "inner": "the inner ones"},
    "validation_as": {"given": "as given", "test": "taken for the test", "train": "training images, too"},
    "test_part": {"stratified": "drawn one by one", "grouped": "near-duplicates together"},
}
"""What values of guesses are called, where that is not the value."""

_OF_DIVISION = ("validation_as", "test_part")
"""Guesses that other splits may make idle. A choice that does nothing any more is forgotten: an import refuses it."""

_FITTED = {"crop": "the middle", "pad": "all of it, padded", "squeeze": "all of it, squeezed"}


def change_guesses(plan: Plan, choices: Choices, datasets: tuple[str, ...]) -> Choices:
    """Let what was guessed be decided otherwise; return the choices, which are those given unless one is changed.

    Args:
        datasets: where several data sets lie side by side, the folder of each; `choices` has the one that was chosen.
    """
    offered = {guess.name for guess in plan.guesses}
    changed = {
        name: value for name, value in choices.as_values().items() if name in offered or name not in _OF_DIVISION
    }
    with st.expander("What was guessed, to be changed", icon=":material/tune:", expanded=bool(plan.datasets)):
        if datasets:
            folder = st.selectbox(
                "Data set: several lie here, choose one",
                datasets,
                index=datasets.index(choices.dataset) if choices.dataset in datasets else None,
                key="import-dataset",
            )
            if folder and folder != choices.dataset:
                return Choices(dataset=folder)  # what was chosen otherwise was chosen for another one
        with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
            for guess in plan.guesses:
                value = _change(guess)
                if value != guess.value:
                    changed[guess.name] = value
        if plan.splits or choices.train or choices.test or choices.validation:
            with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
                changed |= _change_splits(plan, choices)
    return Choices(**changed)


def _change(guess: Guess) -> Any:
    """Show one guess and return it, or what was chosen instead."""
    title, key = _TITLES.get(guess.name, guess.name.replace("_", " ").capitalize()), f"import-{guess.name}"
    if guess.options:
        _begin_with(key, guess.value if guess.value in guess.options else None)
        return st.selectbox(
            title,
            guess.options,
            format_func=lambda value: _WORDS.get(guess.name, {}).get(value, str(value)),
            width=180,
            key=key,
        )
    if isinstance(guess.value, int | float):
        _begin_with(key, float(guess.value))
        return st.number_input(title, 1.0, 65535.0, format="%g", width=160, key=key)
    _begin_with(key, guess.value)
    return st.text_input(title, width=160, key=key).strip() or guess.value


def _begin_with(key: str, value: Any) -> None:
    """Give a field that begins anew its value in such a way that the browser's own one follows, too."""
    st.session_state.setdefault(key, value)


def _change_splits(plan: Plan, choices: Choices) -> dict[str, str | None]:
    """Show where each split lies and return the places of all where one was changed, or nothing.

    All, as those that are not said are left out: so is one that lies in several places, of which the plan tells then. A
    place that is chosen for a split is no longer that of another.
    """
    before = {part: getattr(choices, part) or ", ".join(plan.splits.get(part, ())) for part in PARTS}
    shown = {part: _show_split(part, place) for part, place in before.items()}
    moved = {place for part, place in shown.items() if place != before[part]}
    if not moved:
        return {}
    taken = {part for part in PARTS if before[part] in moved or len(plan.splits.get(part, ())) > 1}
    return {part: None if part in taken and place == before[part] else place or None for part, place in shown.items()}


def _show_split(part: Part, place: str) -> str:
    _begin_with(f"import-{part}", place)
    return st.text_input(f"{part.capitalize()} folder or file", width=240, key=f"import-{part}").strip()


def choose_import(plan: Plan) -> dict[str, Any] | None:
    """Show a plan and let its name, size and colour be changed; return them when the import is to begin."""
    _show_findings(plan)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        name = st.text_input("Name", free_title(plan.title), max_chars=80, width=320, key="import-name")
        height, width = (
            st.number_input(title, value=side, step=1, width=120, key=f"import-{title.lower()}")
            for title, side in zip(("Height", "Width"), plan.size, strict=True)
        )
        colour = st.segmented_control(
            "Colour",
            list(CHANNELS),
            format_func=str.capitalize,
            default=plan.colour,
            required=True,
            key="import-colour",
        )
    if not all(MIN_SIDE <= side <= MAX_SIDE for side in (height, width)):
        st.error(
            f"Height and width: expected {MIN_SIDE} to {MAX_SIDE} pixels, received {height:,}×{width:,}.",
            icon=":material/error:",
        )
        return None
    _show_preview(plan, (height, width, CHANNELS[colour]))
    if pressed("Import", key="import-now", type="primary", icon=":material/download:", disabled=bool(plan.datasets)):
        return {"name": name, "size": (height, width), "colour": colour}
    return None


def _show_findings(plan: Plan) -> None:
    sizes = [f"{height}×{width}" for height, width in plan.sizes]
    told = shortened(sizes, _SIZES)
    classes = ", ".join(plan.class_names[:_CLASSES]) + (" …" if len(plan.class_names) > _CLASSES else "")
    count = f", {sum(plan.images.values()):,} images" if plan.images else ""
    st.success(
        f"Recognised: {escape_markdown(plan.format)}, {counted(plan.files, 'file')}{count}.", icon=":material/check:"
    )
    for part, names in ((part, plan.splits[part]) for part in PARTS if part in plan.splits):
        counted_images = f"{plan.images[part]:,} images" if plan.images and part in plan.images else "images"
        more = " …" if len(names) > _SIZES else ""
        st.markdown(f"{part.capitalize()}: {counted_images}, from {escape_markdown(', '.join(names[:_SIZES]))}{more}")
    st.markdown(
        f"{len(plan.class_names)} classes: {escape_markdown(classes)}.  \nSizes of the images looked at: {told} pixels."
    )
    for note in plan.notes:
        st.info(escape_markdown(note), icon=":material/info:")
    show_skipped(plan.skipped)


def _show_preview(plan: Plan, shape: tuple[int, int, int]) -> None:
    """Show a few images as they come, and below as a network will see them."""
    names = [sample.class_name for sample in plan.samples]
    st.caption("As they come")
    show_row([_thinned(sample.image) for sample in plan.samples], names)
    st.caption(f"As a network will see them: {_FITTED[plan.fit]}, in the size and colour chosen above")
    show_row([fit(sample.image, shape, plan.fit) for sample in plan.samples], names)


def _thinned(image: np.ndarray) -> np.ndarray:
    """Leave out so many lines and columns of a large image that its longer side is about `_DOWNSAMPLED`."""
    step = max(1, max(image.shape[:2]) // _DOWNSAMPLED)
    return image[::step, ::step]
