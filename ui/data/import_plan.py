"""What is about to be imported: what was recognised, a preview in the chosen size and colour, and the button to begin.

if choice := choose_import(plan):
    start_import(path, **choice)
"""

from typing import Any

import numpy as np
import streamlit as st

from core.datasets.conversion import fit
from core.datasets.importing import CHANNELS, MAX_SIDE, MIN_SIDE, Plan
from core.system.text import shortened
from ui.data.import_report import show_skipped
from ui.data.picture_row import show_row
from ui.shared.formatting import counted, escape_markdown

_DOWNSAMPLED = 200
_SIZES = 5
_CLASSES = 30


def choose_import(plan: Plan) -> dict[str, Any] | None:
    """Show a plan and let its name, size and colour be changed; return them when the import is to begin."""
    _show_findings(plan)
    with st.container(horizontal=True, gap="medium", vertical_alignment="bottom"):
        name = st.text_input("Name", plan.title, max_chars=80, width=320, key="import-name")
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
    if st.button("Import", type="primary", icon=":material/download:"):
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
    st.caption("As a network will see them: the middle, in the size and colour chosen above")
    show_row([fit(sample.image, shape) for sample in plan.samples], names)


def _thinned(image: np.ndarray) -> np.ndarray:
    """Leave out so many lines and columns of a large image that its longer side is about `_DOWNSAMPLED`."""
    step = max(1, max(image.shape[:2]) // _DOWNSAMPLED)
    return image[::step, ::step]
