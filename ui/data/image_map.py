"""Map: images that are alike lie close together, and a mark that is clicked shows its image."""

import numpy as np
import streamlit as st

from core.charts.datasets import map_chart
from core.datasets import Dataset
from core.datasets.inspection import image_map
from core.datasets.inspection.gallery import labels_of_all
from core.datasets.inspection.image_map import ImageMap
from ui.shared.address import number_in_address
from ui.shared.image_detail import pick_image, show_image_detail
from ui.shared.presses import pressed

_BESIDE = 20
_REFRESH_S = 0.5


def show(dataset: Dataset) -> None:
    """Let the kind of map be chosen; compute and show it."""
    kind = st.segmented_control(
        "Map by",
        ["PCA", "t-SNE"],
        default="PCA",
        required=True,
        key="map",
        bind="query-params",
        help="PCA looks along the two directions in which the images vary most. t-SNE keeps close what is alike.",
    )
    found: image_map.ImageMap | None
    if kind == "PCA":
        with st.spinner("Projecting the images …"):
            found = image_map.principal_components(dataset)
    else:
        # Asked in this order, since what goes on now may have ended a moment later.
        goes_on = image_map.progress(dataset.fingerprint) is not None
        found = image_map.find_neighbourhoods(dataset)
    if found is None:
        _compute(dataset, goes_on)
    else:
        _show_map(dataset, found, kind)


def _compute(dataset: Dataset, goes_on: bool) -> None:
    """Have the map computed in the background, and show how far it has come."""
    asked = f"map-asked-{dataset.fingerprint}"
    if not goes_on:
        if st.session_state.get(asked):
            st.error("The map could not be computed: its process ended unexpectedly.", icon=":material/error:")
            if not pressed("Try again", key="map-again"):
                return
        st.session_state[asked] = True
        image_map.start(dataset.specification.name)
    st.fragment(_watch, run_every=_REFRESH_S)(dataset)


def _watch(dataset: Dataset) -> None:
    share = image_map.progress(dataset.fingerprint)
    if share is None:
        st.rerun()
    st.progress(min(1.0, share), text="Computing the map. It goes on if you leave this page.")


@st.fragment
def _show_map(dataset: Dataset, found: ImageMap, kind: str) -> None:
    everything = len(labels_of_all(dataset))
    drawn = f"{len(found.positions):,} of the {everything:,} images, each class in proportion"
    if found.explained is not None:
        meaning = f"The two axes explain {found.explained.sum():.0%} of the variance."
    else:
        meaning = "Neighbours are alike; distances between groups and the axes mean nothing."
    st.caption(f"{drawn if len(found.positions) < everything else 'All images'}. {meaning}")
    key = f"map-{kind}-{dataset.fingerprint[:12]}"
    picked = number_in_address("point", below=everything, otherwise=int(found.positions[0]))
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=700):
            st.altair_chart(
                map_chart(dataset, found, picked),
                key=key,
                on_select=lambda: _take_clicked(key, everything),
                selection_mode=["pick", "zoom"],
            )
            st.caption(
                "Click a mark to see its image, or a class below to see it alone. Drag to move, turn the wheel to "
                "zoom, double-click to see all of it again."
            )
        with st.container(width=330):
            show_image_detail(dataset, picked, 280)
            beside = _beside(found, picked)
            if len(beside):
                st.caption("Beside it on the map; pick one to walk on.")
                pick_image(
                    "beside",
                    dataset,
                    beside,
                    ["beside it"] * len(beside),
                    columns=5,
                    picked=None,
                    on_pick=lambda position: st.query_params.update(point=str(position)),
                    title="Images beside it",
                )


def _take_clicked(key: str, everything: int) -> None:
    """Put the clicked mark into the address."""
    clicked = st.session_state[key]["selection"].get("pick") or [{}]
    position = clicked[0].get("position")
    # The number comes from a browser.
    if isinstance(position, int) and 0 <= position < everything:
        st.query_params["point"] = str(position)


def _beside(found: ImageMap, position: int) -> np.ndarray:
    """Return the positions of the images whose marks are closest to that of `position`; none if it has no mark."""
    here = np.flatnonzero(found.positions == position)
    if not len(here):
        return here
    distances = ((found.points - found.points[here[0]]) ** 2).sum(axis=1)
    order = np.argsort(distances, kind="stable")
    return found.positions[order[order != here[0]][:_BESIDE]]
