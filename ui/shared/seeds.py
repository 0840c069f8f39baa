"""Runs that differ by their seed alone: how far their results spread, and whether the frameworks really differ.

runs = choose_group()
show_seeds(runs)
show_way_to_seeds(run)      # on the page of one of them
"""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from core.charts.comparison import seed_bands, seed_frame
from core.charts.runs import METRICS
from core.config import FRAMEWORK_TITLES
from core.runs import FinishedRun, Run, finished, open_store
from core.studies.comparison import mean_std, paired_difference, seed_groups
from ui.shared.formatting import counted

_FIGURES = {
    "Test accuracy": ("test_accuracy", ".2%"),
    "Test loss": ("test_loss", ".4f"),
    "Validation accuracy": ("val_accuracy", ".2%"),
    "Training, seconds": ("train_seconds", ".1f"),
}
_FEW = 5
_MOST_RUNS = 1000


def choose_group() -> list[Run]:
    """Offer what was launched with several seeds, the newest first, and return all its runs, oldest first."""
    groups = seed_groups(open_store().find(limit=_MOST_RUNS))
    if not groups:
        st.info("Nothing was trained with several seeds yet. Choose a number of *Seeds* on the Train page.")
        return []
    asked = st.query_params.get("group")
    if asked and asked not in groups:
        st.warning(
            "This address names runs that are not here: they may have been deleted, or made on another machine. "
            "Choose others below.",
            icon=":material/link_off:",
        )
    chosen = st.selectbox(
        "Launched together",
        list(groups),
        index=list(groups).index(asked) if asked in groups else None if asked else 0,
        placeholder="Choose",
        format_func=lambda group: _title(groups[group]),
        key="seed-group",
    )
    return groups[chosen][::-1] if chosen else []


def show_seeds(runs: Sequence[Run]) -> None:
    """Show the spread of the finished ones of some runs."""
    done = finished(runs)
    if len(done) < len(runs):
        st.caption(f"{len(done)} of {counted(len(runs), 'run')} are done; the others are not counted.")
    if not done:
        return
    by_framework = {
        framework: found
        for framework in FRAMEWORK_TITLES
        if (found := {run.config.seed: run for run in done if run.config.framework == framework})
    }
    frame = seed_frame(
        {run.id: open_store().epochs(run.id) for run in done}, {run.id: run.config.framework for run in done}
    )
    for column, metric in zip(st.columns(2, gap="medium"), METRICS, strict=True):
        column.altair_chart(seed_bands(frame, metric), key=f"seeds-{metric}")
    fewest = min(len(found) for found in by_framework.values())
    st.dataframe(
        pd.DataFrame(
            {
                "Framework": FRAMEWORK_TITLES[framework],
                "Seeds": len(found),
                **{
                    title: mean_std([getattr(run.results, figure) for run in found.values()]).in_words(form)
                    for title, (figure, form) in _FIGURES.items()
                },
            }
            for framework, found in by_framework.items()
        ),
        hide_index=True,
        width="content",
        key="seed-figures",
    )
    st.caption(_what_the_spread_is(fewest))
    if len(by_framework) > 1:
        _show_difference(*by_framework.values())


def show_way_to_seeds(run: Run) -> None:
    """Say of a run that was launched with others of other seeds where they are compared."""
    if run.group:
        together = len({each.config.seed for each in open_store().find(group=run.group, limit=_MOST_RUNS)})
        st.page_link(
            "../pages/compare.py",
            label=f"One of {counted(together, 'seed')}: see them all",
            icon=":material/casino:",
            query_params={"comparison": "Seeds", "group": run.group},
        )


def _show_difference(first: dict[int, FinishedRun], second: dict[int, FinishedRun]) -> None:
    """Say by how much the second framework's test accuracy differs from the first's, seed by seed."""
    seeds = sorted(first.keys() & second.keys())
    accuracies = [[each[seed].results.test_accuracy for seed in seeds] for each in (first, second)]
    difference = paired_difference(*accuracies)
    if difference is None:
        st.info("Whether the frameworks differ can be told from two seeds that both have finished.")
        return
    names = [FRAMEWORK_TITLES[next(iter(each.values())).config.framework] for each in (first, second)]
    verdict = "Significant at the 5% level." if difference.significant else "Not significant at the 5% level."
    st.info(
        f"Test accuracy of {names[1]} minus that of {names[0]}, seed by seed: "
        f"**{100 * difference.mean_std.mean:+.2f} percentage points** on average over {len(seeds)} seeds "
        f"(95% interval {100 * difference.low:+.2f} to {100 * difference.high:+.2f}). {verdict}",
        icon=":material/balance:",
    )


def _what_the_spread_is(seeds: int) -> str:
    if seeds == 1:
        return "One seed has no spread yet."
    told = "Bands, and the figures after ±, are one standard deviation of single runs around the mean of the seeds."
    return told if seeds >= _FEW else f"{told} From {seeds} seeds it is known only roughly."


def _title(runs: Sequence[Run]) -> str:
    config = runs[0].config
    frameworks = [title for name, title in FRAMEWORK_TITLES.items() if name in {run.config.framework for run in runs}]
    seeds = counted(len({run.config.seed for run in runs}), "seed")
    launched = datetime.fromtimestamp(runs[-1].created_at).strftime("%d %b %H:%M")
    return f"{config.architecture} · {' and '.join(frameworks)} · {seeds} · {launched}"
