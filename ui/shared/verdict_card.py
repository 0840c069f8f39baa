"""The answer first: what each of some runs reached on the test images, and whether two of them differ.

    show_verdict([SeedGroup("0", "PyTorch", (run,)), SeedGroup("1", "Keras", (other,))])

The same on a run's page and at the head of Compare: of two single runs, or of two settings with several seeds each.
"""

from collections.abc import Sequence

import numpy as np
import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from core.config import MOST_SEEDS, RunConfig
from core.studies.groups import SeedGroup, are_matched
from core.studies.verdicts import Verdict, compare_groups, compare_runs
from core.training.metrics import wilson_interval
from ui.shared.formatting import counted, escape_markdown, kept_epoch
from ui.shared.launching import launch_each
from ui.shared.presses import pressed
from ui.shared.test_predictions import test_answers, with_test_predictions


def show_verdict(groups: Sequence[SeedGroup]) -> DeltaGenerator:
    """Show a card for one or two runs or groups of seeds, and of two that saw the same test images their difference.

    Returns:
        The place for what else there is to say: beside a single card, or below all of them.
    """
    two = len(groups) == 2
    cards = st.columns(3 if two else [1, 2])
    for group, card in zip(groups, cards, strict=False):
        with card.container(border=True, height="stretch"):
            _show_figures(group)
    if not two:
        return cards[1]
    first, second = groups
    if first.fingerprint == second.fingerprint:
        with cards[2].container(border=True, height="stretch"):
            _show_difference(first, second)
    else:
        cards[2].caption("They were tested on different images, so their accuracies are not set against each other.")
    return st.container()


def _show_figures(group: SeedGroup) -> None:
    accuracy, results = group.spread("test_accuracy"), group.runs[0].results
    images = int(np.sum(results.confusion))
    st.metric(f"Test accuracy, {escape_markdown(group.label)}", accuracy.in_words(".2%"))
    if len(group.runs) > 1:
        st.caption(
            f"Mean ± standard deviation of {counted(len(group.runs), 'seed')}, from {images:,} test images. "
            f"Test loss {group.spread('test_loss').in_words('.4f')}, "
            f"validation accuracy {group.spread('val_accuracy').in_words('.2%')}, "
            f"trained in {group.spread('train_seconds').in_words('.1f')} s each."
        )
        return
    low, high = wilson_interval(results.test_accuracy, images)
    st.caption(
        f"95% interval {low:.2%} to {high:.2%}, from {images:,} test images. Test loss {results.test_loss:.4f}, "
        f"validation accuracy {results.val_accuracy:.2%}, trained in {results.train_seconds:.1f} s. "
        f"{kept_epoch(group.runs[0])}"
    )


def _show_difference(first: SeedGroup, second: SeedGroup) -> None:
    names = first.label, second.label
    verdict = _compare(first, second)
    if verdict is None:
        return
    said = tuple(escape_markdown(name) for name in names)
    st.metric(f"Difference, {said[1]} − {said[0]}", f"{100 * verdict.difference:+z.2f} points")
    st.markdown(f"**{escape_markdown(verdict.sentence)}**")
    if verdict.low is not None and verdict.high is not None:
        basis = ", seed by seed" if are_matched(first, second) else ", by Welch's test over the seeds"
        basis = "" if verdict.mcnemar else basis
        st.caption(f"95% interval {100 * verdict.low:+z.2f} to {100 * verdict.high:+z.2f} points{basis}.")
    if test := verdict.mcnemar:
        st.caption(
            f"{counted(test.only_first, 'test image')} predicted correctly by {said[0]} alone, "
            f"{test.only_second:,} by {said[1]} alone: {test.in_words}, for these two trainings."
        )
    if verdict.more_seeds:
        _offer_seeds(first, second, verdict.more_seeds)
    with st.popover("Margin", icon=":material/straighten:", type="tertiary"):  # of the first screen little is left
        _choose_margin()


def _compare(first: SeedGroup, second: SeedGroup) -> Verdict | None:
    """Return what can be said of two; None where what that rests on is damaged, which is told."""
    names = first.label, second.label
    margin = _margin()
    if len(first.runs) > 1 or len(second.runs) > 1:
        images = int(np.sum(first.runs[0].results.confusion))
        accuracies = first.figures("test_accuracy"), second.figures("test_accuracy")
        matched = are_matched(first, second)
        return compare_groups(*accuracies, images=images, names=names, margin=margin, matched=matched)
    runs = with_test_predictions([first.runs[0], second.runs[0]])
    if len(runs) < 2:
        return None
    (ones, labels), (others, _) = (test_answers(run.id, run.ended_at) for run in runs)
    return compare_runs(ones.argmax(axis=1) == labels, others.argmax(axis=1) == labels, names=names, margin=margin)


def _margin() -> float | None:
    """Return the difference that does not matter, 0 to 1, from the field below or the address; None if not set."""
    given = st.session_state.get("margin")
    if given is None and "margin" not in st.session_state:
        try:
            given = float(st.query_params.get("margin", ""))
        except ValueError:
            return None
    return None if given is None or not 0 <= given <= 100 else given / 100


def _choose_margin() -> None:
    st.number_input(
        "Differences that do not matter, points",
        value=None,
        min_value=0.0,
        max_value=100.0,
        step=0.05,
        format="%g",
        placeholder="What so many test images cannot tell",
        key="margin",
        bind="query-params",
        help="The region of practical equivalence: a difference that surely lies within it is none. Empty takes the "
        "noise floor, which is the difference that chance alone brings in 5% of the cases on so many test images.",
    )


def _offer_seeds(first: SeedGroup, second: SeedGroup, more: int) -> None:
    """Offer to train about as many more seeds as would tell, and to watch them on Compare."""
    count = min(more, MOST_SEEDS)
    if pressed(
        f"Train {counted(count, 'more seed')} of each",
        icon=":material/casino:",
        key="more-seeds",
        help=None if more <= count else f"The first {count} of them: so many are launched at once at the most.",
    ):
        run_ids = launch_each(_next_seeds(first, second), seeds=count)
        together = dict.fromkeys([*first.ids, *second.ids, *run_ids])
        st.switch_page("../pages/compare.py", query_params={"runs": ",".join(together)})


def _next_seeds(first: SeedGroup, second: SeedGroup) -> list[list[RunConfig]]:
    """Return the settings of both with the first seed that neither has, in one list if they can be a pair."""
    seed = 1 + max(run.config.seed for group in (first, second) for run in group.runs)
    configs = [group.runs[-1].config.model_copy(update={"seed": seed}) for group in (first, second)]
    alike = configs[0].model_copy(update={"framework": configs[1].framework}) == configs[1]
    return [configs] if alike and first.framework != second.framework else [[config] for config in configs]
