"""Overview: how much there is, of what size, where it comes from, and how the classes are spread."""

import numpy as np
import pandas as pd
import streamlit as st

from core.charts.datasets import class_distribution, describe_balance, describe_differences, distribution_frame
from core.datasets import Dataset
from core.datasets.deriving import Derivation, derivation_of
from core.datasets.importing import report_of
from core.datasets.inspection.gallery import SPLIT_TITLES, class_counts
from core.datasets.inspection.health import compare_shares
from ui.data.import_report import show_report
from ui.data.splits import USUAL, rows_of
from ui.shared.class_doubts import show_class_doubts
from ui.shared.data_table import show_data_table
from ui.shared.formatting import escape_markdown


def show(dataset: Dataset) -> None:
    """Show the summary, the distribution, and the report of the import."""
    rows = rows_of(dataset)
    _show_summary(dataset, rows)
    _show_distribution(dataset, rows)
    if derivation := derivation_of(dataset.specification.name):
        _show_derivation(derivation)
    if report := report_of(dataset.specification.name):
        with st.expander("How it was imported", icon=":material/receipt_long:"):
            show_report(report)


def _show_summary(dataset: Dataset, rows: dict[str, np.ndarray]) -> None:
    height, width, channels = dataset.image_shape
    figures: dict[str, str | int] = {
        "Images": f"{sum(map(len, rows.values())):,}",
        **{SPLIT_TITLES[split]: f"{len(members):,}" for split, members in rows.items()},
        "Classes": len(dataset.class_names),
        "Image": f"{height}×{width}×{channels}",
        "Memory": f"{(dataset.train.images.nbytes + dataset.test.images.nbytes) / 1e6:.1f} MB",
    }
    with st.container(horizontal=True, gap="medium"):
        for title, figure in figures.items():
            st.metric(title, figure, width="content")
    known = dataset.specification
    st.caption(
        f"Source: {escape_markdown(known.source)}. Licence: {escape_markdown(known.licence)}.  \n"
        f"Fingerprint: `{dataset.fingerprint}`"
    )


def _show_derivation(derivation: Derivation) -> None:
    """Say of what a data set was made, and by which decisions."""
    with st.expander("How it was made", icon=":material/fact_check:"):
        st.markdown(
            f"Made of **{escape_markdown(derivation.title)}** by {escape_markdown(derivation.made_by)} on "
            f"{derivation.made_at[:10]}: {derivation.summary}. That data set's fingerprint: `{derivation.fingerprint}`"
        )
        show_data_table(pd.DataFrame(derivation.decisions), hide_index=True, key="derivation")


@st.fragment
def _show_distribution(dataset: Dataset, rows: dict[str, np.ndarray]) -> None:
    names = dataset.class_names
    counts = class_counts(dataset, rows)
    st.subheader("Class distribution")
    st.write(
        f"{escape_markdown(describe_balance(counts, names))} "
        + (
            "Validation images are those that came with the data, on which runs with the usual settings validate."
            if dataset.specification.validation_images
            else f"Validation is the {USUAL.validation_share:.0%} of the training images that a run with the usual "
            "settings holds back."
        )
    )
    show_class_doubts(dataset)
    differences = compare_shares(counts["train"] + counts["validation"], counts["test"])
    if differences:
        st.warning(escape_markdown(describe_differences(differences, names)), icon=":material/balance:")
    unit = st.segmented_control(
        "Bars show", ["Images", "Shares"], default="Images", required=True, key="bars", bind="query-params"
    )
    chart = class_distribution(counts, names, shares=unit == "Shares")
    with st.container(width=860):
        st.altair_chart(chart, key="distribution")
    with st.expander("The same as a table", icon=":material/table:"):
        table = distribution_frame(counts, names).pivot_table("images", "class", "split", sort=False)
        table = table.astype(int).assign(All=table.sum(axis=1).astype(int)).rename_axis("Class").reset_index()
        show_data_table(table, hide_index=True, height="content", width="content")
