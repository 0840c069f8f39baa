"""What a launch will do and how long it will take, how the learning rate will change, and the button that launches.

show_plan(config, ("pytorch", "keras"))
"""

import math
import time

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
from core.system.text import duration
from core.training.loop import split_of, validation_of
from core.training.schedules import preview
from ui.shared.dialogs import refresh_page
from ui.shared.formatting import escape_markdown
from ui.shared.launching import configs_for, launch
from ui.shared.settings import settings_to_launch
from ui.train.recipe_picker import chosen_frameworks

_SEEDS_HELP = (
    "How many times it is trained, each time with the next seed. The spread of the results tells whether a "
    f"difference is more than luck; 5 say a good deal. A whole number from 1 to {MOST_SEEDS}."
)

_REFRESH_S = 1.0
_REST_S = 3.0

_BASES: dict[Basis, str] = {
    "guess": "a guess: no run like it yet",
    "timed": "from some steps timed here",
    "runs": "from earlier runs here",
}
"""Where an estimate comes from, in words, the least certain first."""


def show_plan(config: RunConfig, frameworks: tuple[Framework, ...]) -> None:
    """Show the plan of a run, or of one for each of several frameworks and seeds.

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
        st.button("Launch", type="primary", icon=":material/play_arrow:", key="launch", on_click=_launch)
    _show_estimate(configs, seeds)
    st.markdown(
        f"{' and '.join(FRAMEWORK_TITLES[framework] for framework in frameworks)} "
        f"{'each train' if len(frameworks) > 1 else 'trains'} on a training set of {len(training_rows):,} images, with "
        f"a validation set of {len(validation_labels):,} and a test set of {len(dataset.test.images):,}."
    )
    if dataset.specification.preparation == "photo" and (
        advice := recommend_pretrained(config.architecture, len(training_rows), dataset.image_shape)
    ):
        st.info(escape_markdown(advice), icon=":material/lightbulb:")
    if config.schedule != "constant" or config.warmup_epochs:
        st.altair_chart(
            schedule_curve(*preview(config, math.ceil(len(training_rows) / config.batch_size))), key="schedule"
        )


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
    frameworks, seeds = chosen_frameworks(), st.session_state["seeds"]
    try:
        config = configure(**{**settings_to_launch(), "framework": frameworks[0]})
        _splits(config)
        run_ids = launch(configs_for(config, frameworks), seeds)
    except ValueError as error:
        st.toast(escape_markdown(str(error)), icon=":material/error:")
    else:
        st.switch_page("../pages/results.py", query_params={"run": run_ids[0]})


def _choose_seeds() -> int:
    st.session_state.setdefault("seeds", st.session_state.get("chosen-seeds", 1))
    shown = st.session_state["seeds"]  # the default, too, as that of a setting
    chosen = st.number_input("Seeds", value=shown, step=1, key="seeds", help=_SEEDS_HELP, width=130)
    st.session_state["chosen-seeds"] = chosen  # the widget's own is forgotten when the page is left
    return chosen


def _show_estimate(configs: list[RunConfig], seeds: int) -> None:
    """Say how long it will take; as long as that is a guess, time some steps when nothing else is to be done."""
    st.session_state["planned-at"] = time.monotonic()
    store = open_store()
    unknown = [each for each in configs if estimate_time(store, each).basis == "guess"]
    still_to_time = any(calibration_progress(each) in ("never", "running") for each in unknown)
    st.fragment(_watch_estimate, run_every=_REFRESH_S if still_to_time else None)(configs, seeds, still_to_time)


def _watch_estimate(configs: list[RunConfig], seeds: int, still_to_time: bool) -> None:
    try:
        estimates = [estimate_time(open_store(), each) for each in configs]
    except ValueError:  # its data set or network has gone, as the page says when it runs anew
        refresh_page()
        return
    guessed = [config for config, each in zip(configs, estimates, strict=True) if each.basis == "guess"]
    if still_to_time and not guessed:
        refresh_page()  # so that it is not looked at any more
    if time.monotonic() - st.session_state["planned-at"] >= _REST_S:  # it does not while settings still change
        for config in guessed:
            start_calibration(config)
    basis = min((each.basis for each in estimates), key=list(_BASES).index)
    timing = any(calibration_progress(config) == "running" for config in guessed)
    words = "a guess; some steps are being timed" if timing else _BASES[basis]
    st.markdown(f"**About {duration(seeds * max(each.seconds for each in estimates))}** ({words})")
