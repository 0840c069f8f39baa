"""What a launch of a run or search will do and how long it will take, the learning rate drawn, and its button.

show_plan(config, ("pytorch", "keras"))
"""

import math
import time
from statistics import fmean

import numpy as np
import streamlit as st

from core.charts.runs import schedule_curve
from core.config import FRAMEWORK_TITLES, MOST_SEEDS, Framework, RunConfig, configure, with_seeds
from core.datasets import Dataset, load
from core.jobs.calibration import calibration_progress, start_calibration
from core.jobs.estimates import Basis, estimate_time
from core.jobs.scheduler import prepare
from core.networks.layers import check_network
from core.networks.pretrained import check_pretrained, recommend_pretrained
from core.networks.registry import get_architecture
from core.runs import open_store
from core.studies.search.specification import Specification
from core.system.text import duration
from core.training.loop import split_of, validation_of
from core.training.schedules import preview
from ui.shared.dialogs import refresh_page
from ui.shared.formatting import counted, escape_markdown
from ui.shared.launching import configs_for, launch, launch_search
from ui.shared.settings import settings_to_launch
from ui.train.recipe_picker import chosen_frameworks
from ui.train.search_form import chosen_search, search_in_words, show_search_options

_SEEDS_HELP = (
    "How many times it is trained, each time with the next seed. The spread of the results tells whether a "
    f"difference is more than luck; 5 say a good deal. A whole number from 1 to {MOST_SEEDS}."
)

_SAMPLED = 3
"""By so many trials the time of a search is estimated."""

_REFRESH_S = 1.0
_REST_S = 3.0

_BASES: dict[Basis, str] = {
    "guess": "a guess: no run like it yet",
    "timed": "from some steps timed here",
    "runs": "from earlier runs here",
}
"""Where an estimate comes from, in words, the least certain first."""


def show_plan(config: RunConfig, frameworks: tuple[Framework, ...]) -> None:
    """Show the plan of a run, of one for each of several frameworks and seeds, or of a search where settings vary.

    Raises:
        ValueError: if the network does not fit the data, or there are too many or too few seeds or images.
    """
    dataset, training_rows, validation_labels = _splits(config)
    configs = configs_for(config, frameworks)
    prepare(configs)
    # First, at a place of their own: what comes and goes with a setting must not push the button from under a click.
    with st.container(horizontal=True, vertical_alignment="bottom"):
        seeds = _choose_seeds()
        with_seeds(config, seeds)
        button = st.container(width="content")
    estimate = st.container()
    show_search_options()
    specification, refusal = None, ""
    try:
        specification = chosen_search(config, frameworks, seeds)
    except ValueError as error:
        refusal = str(error)
    with button:  # also where values are refused: they may be typed anew, and it pressed at once
        title = _launch_title(specification)
        st.button(title, type="primary", icon=":material/play_arrow:", key="launch", on_click=_launch)
    with estimate:
        if refusal:
            st.error(escape_markdown(refusal), icon=":material/error:")
        elif specification is None:
            _show_estimate([configs], seeds)
        else:
            if trials := specification.most_trials:
                _show_estimate(specification.sample(_SAMPLED) or [configs], seeds * trials)
            st.caption(search_in_words(specification))
    given = ", as given," if config.validation_part == "given" else ""
    st.markdown(
        f"{' and '.join(FRAMEWORK_TITLES[framework] for framework in frameworks)} "
        f"{'each train' if len(frameworks) > 1 else 'trains'} on a training set of {len(training_rows):,} images, with "
        f"a validation set of {len(validation_labels):,}{given} and a test set of {len(dataset.test.images):,}."
    )
    if dataset.specification.preparation == "photo" and (
        advice := recommend_pretrained(config.architecture, len(training_rows), dataset.image_shape)
    ):
        st.info(escape_markdown(advice), icon=":material/lightbulb:")
    if config.schedule != "constant" or config.warmup_epochs:
        st.altair_chart(
            schedule_curve(*preview(config, math.ceil(len(training_rows) / config.batch_size))), key="schedule"
        )


def set_seeds(seeds: int) -> None:
    """Have the plan begin with so many seeds."""
    st.session_state["chosen-seeds"] = seeds


def _launch_title(specification: Specification | None) -> str:
    if specification is None:
        return "Launch"
    trials = specification.most_trials
    return f"Launch {counted(trials, 'trial')}" if trials else "Launch search"


def _splits(config: RunConfig) -> tuple[Dataset, np.ndarray, np.ndarray]:
    """Return the data, the rows that are trained on and the labels of the validation set; refuse what does not fit."""
    dataset = load(config.dataset)
    check_network(
        get_architecture(config.architecture), dataset.image_shape, len(dataset.class_names), config.batch_size
    )
    check_pretrained(config.architecture, dataset.image_shape)
    return dataset, split_of(config, dataset).train, validation_of(config, dataset).labels


def _launch() -> None:
    """Launch what the widgets say by now, which the page below the button may not show yet."""
    # A run of the page that had no plan to show, and which the browser has not seen yet, has forgotten its fields.
    frameworks, seeds = chosen_frameworks(), st.session_state.get("seeds", st.session_state.get("chosen-seeds", 1))
    try:
        config = configure(**{**settings_to_launch(), "framework": frameworks[0]})
        _splits(config)
        if specification := chosen_search(config, frameworks, seeds):
            page, query = "search", {"search": launch_search(specification)}
        else:
            page, query = "results", {"run": launch(configs_for(config, frameworks), seeds)[0]}
    except ValueError as error:
        st.toast(escape_markdown(str(error)), icon=":material/error:")
    else:
        st.switch_page(f"../pages/{page}.py", query_params=query)


def _choose_seeds() -> int:
    st.session_state.setdefault("seeds", st.session_state.get("chosen-seeds", 1))
    shown = st.session_state["seeds"]  # the default, too, as that of a setting
    chosen = st.number_input("Seeds", value=shown, step=1, key="seeds", help=_SEEDS_HELP, width=130)
    st.session_state["chosen-seeds"] = chosen  # the widget's own is forgotten when the page is left
    return chosen


def _show_estimate(launches: list[list[RunConfig]], times: int) -> None:
    """Say how long it will take; as long as that is a guess, time some steps when nothing else is to be done.

    Args:
        launches: the runs, or pairs that train side by side; of a search, those of some of its trials.
        times: how many like them are made, one after the other.
    """
    st.session_state["planned-at"] = time.monotonic()
    store = open_store()
    unknown = [each for configs in launches for each in configs if estimate_time(store, each).basis == "guess"]
    still_to_time = any(calibration_progress(each) in ("never", "running") for each in unknown)
    st.fragment(_watch_estimate, run_every=_REFRESH_S if still_to_time else None)(launches, times, still_to_time)


def _watch_estimate(launches: list[list[RunConfig]], times: int, still_to_time: bool) -> None:
    try:
        estimated = [[(each, estimate_time(open_store(), each)) for each in configs] for configs in launches]
    except ValueError:  # its data set or network has gone, as the page says when it runs anew
        refresh_page()
        return
    estimates = [estimate for made in estimated for _, estimate in made]
    guessed = [config for made in estimated for config, each in made if each.basis == "guess"]
    if still_to_time and not guessed:
        refresh_page()  # so that it is not looked at any more
    if time.monotonic() - st.session_state["planned-at"] >= _REST_S:  # it does not while settings still change
        for config in guessed:
            start_calibration(config)
    basis = min((each.basis for each in estimates), key=list(_BASES).index)
    timing = any(calibration_progress(config) == "running" for config in guessed)
    words = "a guess; some steps are being timed" if timing else _BASES[basis]
    seconds = times * fmean(max(each.seconds for _, each in made) for made in estimated)
    st.markdown(f"**About {duration(seconds)}** ({words})")
