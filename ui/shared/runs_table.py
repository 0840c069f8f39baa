"""A table of runs, a row for all that train the same thing: a click on a row's network opens its newest run.

Only that button opens a run, so that a click on a column's head sorts and nothing else, and the arrow keys move.
It takes no key, so a menu below the table has the same runs for the keyboard.

show_rows(store.rows(limit=10), key="last-runs")
chosen = choose_rows(rows, key="runs", best=store.best_rows(), columns=["Batch size", "Test loss"])
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core.config import FRAMEWORK_TITLES, Framework, RunConfig
from core.datasets import get_specification
from core.runs import open_store
from core.runs.table import Figure, Row
from core.studies.comparison import MeanStd, differing_settings, settings_in_words, value_of_setting
from ui.shared.data_table import show_data_table
from ui.shared.formatting import escape_markdown, state_of

FIGURES: Mapping[str, tuple[str, str]] = {
    "Test accuracy": ("test_accuracy", ".2%"),
    "Validation accuracy": ("val_accuracy", ".2%"),
    "Test loss": ("test_loss", ".4f"),
    "Training, seconds": ("train_seconds", ".1f"),
    "Images per second": ("images_per_second", ",.0f"),
    "Parameters": ("parameters", ",.0f"),
}
"""The column and the format of each figure by its title."""

SETTINGS: Mapping[str, str] = {
    str(field.title): name
    for name, field in RunConfig.model_fields.items()
    if name not in ("architecture", "dataset", "framework", "seed")  # of which each has a column, or rows are folded by
}
"""The settings that can have a column, by their titles."""

_ALWAYS = ("Epochs", "Batch size", "Learning rate")
_QUIET = ("Threads", "Device")
_COLUMNS = {
    "State": st.column_config.TextColumn(width=130),
    "Best": st.column_config.TextColumn(help="The highest validation accuracy of the runs that fit, a data set."),
    "Δ points": st.column_config.NumberColumn(
        format="%+.2f", help="Test accuracy of Keras minus that of PyTorch, in percentage points."
    ),
    "Validation": st.column_config.LineChartColumn(help="Validation accuracy over the epochs of the newest run."),
    "Progress": st.column_config.ProgressColumn(width=110, format="percent", min_value=0, max_value=1),
    "Launched": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
    "Tags": st.column_config.ListColumn(),
}


def show_rows(rows: Sequence[Row], key: str) -> None:
    """Show rows in the order they come; a click on a network opens the results of its newest run."""
    if not rows:
        st.info("No runs yet. Press *Train both now* on the Home page, or choose the settings on the Train page.")
        return
    digest = _digest(rows)
    show_data_table(rows_frame(rows), key=f"{key}-{digest}", **_looks(rows, f"{key}-open-{digest}"))
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption("Click a network to open its newest run.", width="content")
        _show_menu(rows, f"{key}-menu")


def choose_rows(rows: Sequence[Row], key: str, best: Collection[str], columns: Sequence[str]) -> list[Row]:
    """Show rows, open the newest run of the one whose network is clicked, and return those that are selected.

    Args:
        best: the keys of those that are marked.
        columns: titles of `FIGURES` and `SETTINGS`; none for the settings that differ.
    """
    digest = _digest(rows)  # what is selected is known by its position, so a table of other rows is another one
    picked = show_data_table(
        rows_frame(rows, best, columns),
        key=f"{key}-{digest}",
        on_select="rerun",
        selection_mode="multi-row",
        **_looks(rows, f"{key}-open-{digest}"),
    )
    _show_menu(rows, f"{key}-menu")
    return [rows[row] for row in picked.selection.rows]


def rows_frame(rows: Sequence[Row], best: Collection[str] = (), columns: Sequence[str] = ()) -> pd.DataFrame:
    """Return a row a row with what tells them apart; columns in which there is nothing are left out."""
    newest = [row.newest for row in rows]
    curves = open_store().validation_curves([run for run in newest if run.state == "done"])
    frame = pd.DataFrame(
        {
            "Network": [run.config.architecture for run in newest],
            **{title: [_accuracy(row, framework) for row in rows] for framework, title in FRAMEWORK_TITLES.items()},
            "Δ points": [_difference(row) for row in rows],
            "Best": ["★" if row.key in best else "" for row in rows],
            "Name": [run.name for run in newest],
            "Data": [_data_title(run.config.dataset) for run in newest],
            "State": [_state(row) for row in rows],
            "Progress": [run.progress if run.state in ("starting", "running") else None for run in newest],
            "Validation": [curves.get(run.id) for run in newest],
            **_chosen(rows, columns or _differing(rows)),
            "Launched": [pd.Timestamp(run.created_at, unit="s", tz="UTC") for run in newest],
            "Tags": [list(run.tags) for run in newest],
        }
    )
    empty = [name for name in ("Name", "Tags", "Best") if not frame[name].map(bool).any()]
    empty += [name for name in ("Progress", "Δ points", "Validation") if frame[name].isna().all()]
    empty += [title for title in FRAMEWORK_TITLES.values() if not frame[title].map(bool).any()]
    return frame.drop(columns=[*empty, *(["Data"] if frame["Data"].nunique() == 1 else [])])


def _accuracy(row: Row, framework: Framework) -> str:
    """Return the test accuracy of a framework's runs, "98.04% ± 0.10% (3)"; a dash where none is done."""
    runs = row.frameworks.get(framework)
    if runs is None:
        return ""
    figure = runs.figures.get("test_accuracy")
    return "–" if figure is None else _in_words(figure, ".2%")


def _in_words(figure: Figure, form: str) -> str:
    told = MeanStd(figure.mean, figure.deviation, figure.count).in_words(form)
    return told if figure.count == 1 else f"{told} ({figure.count})"


def _difference(row: Row) -> float | None:
    figures = [row.frameworks[name].figures for name in FRAMEWORK_TITLES if name in row.frameworks]
    means = [each["test_accuracy"].mean for each in figures if "test_accuracy" in each]
    return 100 * (means[1] - means[0]) if len(means) == 2 else None


def _state(row: Row) -> str:
    if row.count == 1:
        return state_of(row.newest)
    return ", ".join(f"{count} {state}" for state, count in row.states.items())


def _data_title(name: str) -> str:
    try:
        return get_specification(name).title
    except ValueError:  # removed since
        return name


def _differing(rows: Sequence[Row]) -> list[str]:
    """Return the titles of what is always told and of the settings that differ."""
    differing = differing_settings([row.newest.config for row in rows])
    return [title for title in SETTINGS if title in _ALWAYS or (title in differing and title not in _QUIET)]


def _chosen(rows: Sequence[Row], titles: Sequence[str]) -> dict[str, list[Any]]:
    """Return the columns of some titles: figures over all runs of a row, and settings as numbers where they are."""
    words = settings_in_words([row.newest.config for row in rows])
    found: dict[str, list[Any]] = {}
    for title in titles:
        if title in FIGURES:
            found[title] = [_figures(row, *FIGURES[title]) for row in rows]
        elif title in SETTINGS:
            values = words[title]
            numbers = all(
                each is None or (isinstance(each, int | float) and not isinstance(each, bool)) for each in values
            )
            found[title] = values if numbers else [value_of_setting(value) for value in values]
    return found


def _figures(row: Row, name: str, form: str) -> str:
    """Return a figure of each framework, "98.04% · 98.21%"; once where it is the same."""
    told = [
        _in_words(row.frameworks[framework].figures[name], form)
        for framework in FRAMEWORK_TITLES
        if framework in row.frameworks and name in row.frameworks[framework].figures
    ]
    return " · ".join(dict.fromkeys(told))


def _digest(rows: Sequence[Row]) -> str:
    return hashlib.sha256("".join(f"{row.key}{row.newest.id}" for row in rows).encode()).hexdigest()[:12]


def _looks(rows: Sequence[Row], open_key: str) -> dict[str, Any]:
    """Return how a table looks, and that the buttons of its column of networks open these runs."""
    button = st.column_config.ButtonColumn(
        help="Opens the newest run.",
        type="tertiary",
        alignment="left",
        key=open_key,
        on_click=_open,
        args=([row.newest.id for row in rows], open_key),
    )
    return {
        "hide_index": True,
        "column_config": {"Network": button, **_COLUMNS},
        "placeholder": "",
        "height": "content" if len(rows) <= 15 else "auto",
    }


def _show_menu(rows: Sequence[Row], key: str) -> None:
    """Offer the newest run of each row in a menu, in the order in which they come."""
    common = Counter(map(_title, rows))  # the menu knows its entries by their words
    titles = {
        row.newest.id: title if common[title := _title(row)] == 1 else f"{title} · run {row.newest.id}" for row in rows
    }
    st.menu_button(
        "Open a run",
        list(titles),
        format_func=lambda run_id: escape_markdown(titles[run_id]),
        key=key,
        type="tertiary",
        on_click=_open_chosen,
        args=(key,),
    )


def _title(row: Row) -> str:
    """Return what tells a row from others in a menu, "cnn-quick · 98.04% · 98.21% · 28 Nov, 16:06 UTC"."""
    launched = pd.Timestamp(row.newest.created_at, unit="s", tz="UTC")
    accuracies = [accuracy for name in FRAMEWORK_TITLES if (accuracy := _accuracy(row, name)).strip("–")]
    return " · ".join([row.newest.name or row.newest.config.architecture, *accuracies, f"{launched:%d %b, %H:%M} UTC"])


def _open_chosen(key: str) -> None:
    st.switch_page("../pages/results.py", query_params={"run": st.session_state[key]})


def _open(run_ids: Sequence[str], open_key: str) -> None:
    """Open the run of the row that was clicked, in the table as it was shown then."""
    st.switch_page("../pages/results.py", query_params={"run": run_ids[st.session_state[open_key].row]})
