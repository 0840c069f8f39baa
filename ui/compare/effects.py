"""What a setting does to what runs reach, and which runs are the best for what they cost.

show_effects()
"""

from collections.abc import Sequence
from typing import NamedTuple

import streamlit as st

from core.charts.effects import effect_chart, effect_frame, pareto_chart, pareto_frame
from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.runs import open_store
from core.runs.table import Measured
from core.studies.comparison import mean_std
from core.studies.effects import Family, varied_settings
from core.studies.groups import setting_in_label
from ui.shared.formatting import counted, escape_markdown


class _Metric(NamedTuple):
    name: str
    form: str


_METRICS = {
    "Test accuracy": _Metric("test_accuracy", ".2%"),
    "Validation accuracy": _Metric("val_accuracy", ".2%"),
    "Test loss": _Metric("test_loss", ".4f"),
    "Training, seconds": _Metric("train_seconds", ",.1f"),
    "Images per second": _Metric("images_per_second", ",.0f"),
}
_COSTS = {"Training, seconds": "train_seconds", "Parameters": "parameters"}
_LABELLED = [name for name in RunConfig.model_fields if name not in ("dataset", "device", "threads", "seed")]
_TOLD = ("dataset", "architecture", "batch_size", "learning_rate", "optimizer", "epochs", "train_limit")


def show_effects() -> None:
    """Show the setting that is chosen against its effect, and accuracy against cost."""
    measured = open_store().measured()
    families = varied_settings(measured)
    st.subheader("A setting and its effect")
    if families:
        _show_effect(families)
    else:
        st.info(
            "No two finished runs share all settings but one. Launch a run twice with one setting changed, such as the "
            "batch size, or let *Search* try several values; several *Seeds* show what is chance."
        )
    if measured:
        _show_costs(measured)


def _show_effect(families: dict[str, list[Family]]) -> None:
    titles = {str(RunConfig.model_fields[name].title): name for name in families}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        title = st.selectbox("Setting", list(titles), key="effect-setting", bind="query-params", width=220)
        metric_title = st.selectbox("Effect on", list(_METRICS), key="effect-metric", bind="query-params", width=220)
        name, metric = titles[title], _METRICS[metric_title]
        found = families[name]
        family = found[0]
        if len(found) > 1:
            chosen = st.selectbox(
                "Of runs with",
                range(len(found)),
                format_func=lambda place: f"{_shared(found[place], name)} ({len(found[place].values)} values)",
                key=f"effect-family-{name}",
                width=480,
            )
            family = found[chosen]
    frame = effect_frame(family, name, metric.name)
    st.altair_chart(effect_chart(frame, title, metric_title.lower(), form=metric.form), key="effect")
    st.caption(
        f"{counted(len(family.runs), 'run')} with {escape_markdown(_shared(family, name))} that differ by this "
        "setting, seed and framework alone. Dots are means over the seeds, bars one standard deviation of single runs."
    )


def _shared(family: Family, name: str) -> str:
    return " · ".join(said for each in _TOLD if each != name and (said := setting_in_label(each, family.shared)))


def _show_costs(measured: Sequence[Measured]) -> None:
    """Show accuracy against time or parameters, seeds as one, with those that none beats in both."""
    st.subheader("Accuracy and cost")
    datasets = list(dict.fromkeys(run.settings["dataset"] for run in measured))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        cost = st.segmented_control("Against", list(_COSTS), default="Training, seconds", required=True, key="cost")
        dataset = datasets[0]
        if len(datasets) > 1:
            dataset = st.selectbox("Data set", datasets, key="cost-dataset", width=220)
    points = _points([run for run in measured if run.settings["dataset"] == dataset], _COSTS[cost])
    if not points:
        st.caption("No run has these figures.")
        return
    frame = pareto_frame(points)
    st.altair_chart(pareto_chart(frame, cost.lower()), key="pareto")
    front = frame[frame["front"]].sort_values("cost")
    best = ", ".join(
        f"{escape_markdown(label)} ({accuracy:.2%})"
        for label, accuracy in zip(front["label"], front["accuracy"], strict=True)
    )
    st.caption(f"Ringed: the Pareto front, which no other beats in both. In the order of cost: {best}.")


def _points(measured: Sequence[Measured], cost: str) -> list[tuple[str, str, float, float, int]]:
    """Return label, framework, mean cost, mean accuracy and number of the seeds of each setting and framework."""
    groups: dict[tuple[str, Framework], list[Measured]] = {}
    for run in measured:
        if run.figures[cost] is not None and run.figures["test_accuracy"] is not None:
            groups.setdefault((run.key, run.settings["framework"]), []).append(run)
    told = [each[0].settings for each in groups.values()]
    differing = [name for name in _LABELLED if len({setting_in_label(name, each) for each in told}) > 1]
    return [
        (
            " · ".join(said for name in differing if (said := setting_in_label(name, runs[0].settings))),
            FRAMEWORK_TITLES[framework],
            mean_std([run.figures[cost] or 0.0 for run in runs]).mean,
            mean_std([run.figures["test_accuracy"] or 0.0 for run in runs]).mean,
            len(runs),
        )
        for (_, framework), runs in groups.items()
    ]
