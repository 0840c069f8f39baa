"""Health: what is wrong with the images or their labels, and which ones."""

import numpy as np
import streamlit as st

from core.charts.datasets import describe_differences
from core.datasets import Dataset
from core.datasets.inspection.gallery import page_count, page_of
from core.datasets.inspection.health import Finding, check_health, compare_shares
from core.datasets.inspection.near_duplicates import check_near_duplicates
from core.system.text import capitalized
from ui.shared.address import number_in_address
from ui.shared.formatting import escape_markdown
from ui.shared.image_detail import pick_image, show_image_detail
from ui.shared.near_duplicates import offer_search

COLUMNS = 10
SIZE = 80


@st.fragment
def show(dataset: Dataset) -> None:
    """Show each finding as a sentence, and the images of the chosen one."""
    with st.spinner("Comparing all images …", show_time=True):
        findings = check_health(dataset)
    classes = len(dataset.class_names)
    differences = compare_shares(
        *(np.bincount(split.labels, minlength=classes) for split in (dataset.train, dataset.test))
    )
    near = check_near_duplicates(dataset)
    findings += [near] if near else []
    for finding in findings:
        _line(finding.title, finding.sentence, sound=not len(finding.positions))
    _line(
        "Shares of the classes",
        describe_differences(differences, dataset.class_names)
        if differences
        else "Training and test images are spread over the classes alike.",
        sound=not differences,
    )
    if near is None:
        offer_search(dataset)
    faulty = {finding.key: finding for finding in findings if len(finding.positions)}
    if not faulty:
        return
    key = st.segmented_control(
        "Show the images",
        list(faulty),
        format_func=lambda key: f"{faulty[key].title} ({len(faulty[key].positions):,})",
        default=next(iter(faulty)),
        required=True,
        key="finding",
        wrap=True,
        bind="query-params",
        on_change=_start_over,
    )
    _show_images(dataset, faulty[key])


def _line(title: str, sentence: str, *, sound: bool) -> None:
    icon = ":green[:material/check_circle:]" if sound else ":orange[:material/warning:]"
    st.markdown(f"{icon} **{title}.** {escape_markdown(sentence)}")


def _show_images(dataset: Dataset, finding: Finding) -> None:
    with st.container(horizontal=True, gap="medium"):
        with st.container(width=596):
            above = st.container()
            page = st.pagination(page_count(finding.positions, SIZE), key="finding-page", bind="query-params")
        places = page_of(np.arange(len(finding.positions)), page, SIZE)
        shown = finding.positions[places]
        everything = len(dataset.train.labels) + len(dataset.test.labels)
        picked = number_in_address("faulty", below=everything, otherwise=int(shown[0]))
        with above:
            pick_image(
                "faulty-images",
                dataset,
                shown,
                [finding.remark(place) for place in places],
                columns=COLUMNS,
                picked=picked,
                on_pick=lambda position: st.query_params.update(faulty=str(position)),
                title=finding.title,
            )
        with st.container(width=420):
            show_image_detail(dataset, picked, 280)
            for place in np.flatnonzero(finding.positions == picked):
                st.caption(escape_markdown(capitalized(finding.remark(int(place)))))


def _start_over() -> None:
    st.session_state["finding-page"] = 1
    st.query_params.pop("faulty", None)
