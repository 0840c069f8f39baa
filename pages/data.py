"""Data: what there is to learn from. How much, of which classes, and what the images look like up close.

What is chosen is in the address: `?dataset=MNIST&bars=Shares&split=Test&class=7&page=2&image=17`.
"""

import numpy as np
import streamlit as st

from core.config import RunConfig
from core.data_charts import class_distribution, describe_balance
from core.datasets import Dataset, load, names, specify
from core.gallery import (
    SPLIT_TITLES,
    class_counts,
    enlarge,
    of_class,
    page_count,
    page_of,
    split_images,
    split_rows,
)
from ui.pixels import show_numbers
from ui.sprite_grid import sprite_grid

COLUMNS = 10
SIZE = 80  # images on one page
USUAL = RunConfig()


@st.cache_resource(max_entries=8)
def rows_of_splits(_dataset: Dataset, fingerprint: str) -> dict[str, np.ndarray]:  # noqa: ARG001, the cache's key
    """Return the splits that a run with the usual share and seed sees."""
    return split_rows(_dataset, share=USUAL.validation_share, seed=USUAL.seed)


def show_summary(dataset: Dataset, rows: dict[str, np.ndarray]) -> None:
    """Show the size, the shape and the origin of the data set."""
    height, width, channels = dataset.image_shape
    figures = {
        "Images": f"{sum(map(len, rows.values())):,}",
        **{SPLIT_TITLES[split]: f"{len(members):,}" for split, members in rows.items()},
        "Classes": len(dataset.class_names),
        "Image": f"{height}×{width}×{channels}",
        "Memory": f"{(dataset.train.images.nbytes + dataset.test.images.nbytes) / 1e6:.1f} MB",
    }
    with st.container(horizontal=True, gap="medium"):
        for title, figure in figures.items():
            st.metric(title, figure, width="content")
    st.caption(
        f"Source: {dataset.specification.source}. Licence: {dataset.specification.licence}.  \n"
        f"Fingerprint: `{dataset.fingerprint}`"
    )


@st.fragment
def show_distribution(dataset: Dataset, rows: dict[str, np.ndarray]) -> None:
    """Show how often each class occurs in each split."""
    counts = class_counts(dataset, rows)
    st.subheader("Class distribution")
    st.write(
        f"{describe_balance(counts, dataset.class_names)} Validation is the {USUAL.validation_share:.0%} of the "
        "training images that a run with the usual settings holds back."
    )
    unit = st.segmented_control(
        "Bars show", ["Images", "Shares"], default="Images", required=True, key="bars", bind="query-params"
    )
    figure = class_distribution(counts, dataset.class_names, shares=unit == "Shares")
    st.plotly_chart(figure, key="distribution", config={"displayModeBar": False}, alt="Class distribution")


@st.fragment
def show_gallery(dataset: Dataset, rows: dict[str, np.ndarray]) -> None:
    """Show pages of images, and the picked one large and as numbers."""
    st.subheader("Images")
    with st.container(horizontal=True, gap="medium"):
        split = st.segmented_control(
            "Split",
            list(SPLIT_TITLES),
            format_func=SPLIT_TITLES.get,
            default="train",
            required=True,
            key="split",
            bind="query-params",
            on_change=start_over,
        )
        class_name = st.pills(
            "Class (none for all)",
            dataset.class_names,
            key="class",
            bind="query-params",
            wrap=True,
            on_change=start_over,
        )
    label = None if class_name is None else dataset.class_names.index(class_name)
    chosen = of_class(dataset, split, rows[split], label)
    if not len(chosen):
        st.info(f"{SPLIT_TITLES[split]} has no images of class {class_name}.")
        return
    images, labels = split_images(dataset, split)
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=596):
            above = st.container()
            page = st.pagination(page_count(chosen, SIZE), key="page", bind="query-params", on_change=forget_image)
        shown = page_of(chosen, page, SIZE)
        picked = picked_row(len(labels), otherwise=shown[0])
        with above:
            sprite_grid(
                "grid",
                images[shown],
                columns=COLUMNS,
                names=[f"Image {row:,}, class {dataset.class_names[labels[row]]}" for row in shown],
                picked=int(np.flatnonzero(shown == picked)[0]) if picked in shown else None,
                on_pick=lambda position: st.query_params.update(image=int(shown[position])),
            )
        with st.container(width=420):
            of_picked = f"{SPLIT_TITLES[split].lower()} image {picked:,}"
            st.image(enlarge(images[picked], 420), output_format="PNG", alt=f"Enlarged {of_picked}")
            st.markdown(f"**Class {dataset.class_names[labels[picked]]}**, {of_picked}")
    st.write("The same image as the numbers a network receives, 0 for black to 255 for white:")
    show_numbers(images[picked][..., 0], key="numbers")


def start_over() -> None:
    """Another choice of images begins on its first page."""
    st.session_state["page"] = 1
    forget_image()


def forget_image() -> None:
    st.query_params.pop("image", None)


def picked_row(count: int, otherwise: int) -> int:
    """Return the row number in the address; `otherwise` where there is none, or none that exists."""
    asked = st.query_params.get("image", "")
    return int(asked) if asked.isdecimal() and len(asked) < 10 and int(asked) < count else int(otherwise)


st.title("Data")
name = st.selectbox(
    "Data set", names(), format_func=lambda name: specify(name).title, key="dataset", bind="query-params", width=320
)
dataset = load(name)
rows = rows_of_splits(dataset, dataset.fingerprint)
show_summary(dataset, rows)
show_distribution(dataset, rows)
show_gallery(dataset, rows)
