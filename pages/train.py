"""Train: choose a network, a framework and the knobs, see what will be trained, launch it."""

import streamlit as st

from core.architectures import check
from core.command_line import duration
from core.config import FRAMEWORK_TITLES, Framework, RunConfig, configure
from core.datasets import load, names
from core.devices import known_devices
from core.estimates import estimate_time
from core.networks import get_architecture
from core.recipes import RECIPES, get_recipe
from core.runs import open_store
from core.training import split_of, validation_of
from ui.framework_defaults import show_terms
from ui.knobs import fill, knob, settings
from ui.launching import both, configs_for, launch
from ui.layer_table import show_layers

OWN = "Own settings"
BOTH = "Both"


def choose_recipe() -> None:
    """Offer recipes to start from; picking one fills the form."""

    def start_from() -> None:
        if st.session_state["recipe"] != OWN:
            chosen = get_recipe(st.session_state["recipe"]).settings
            fill(chosen)
            st.session_state["frameworks"] = FRAMEWORK_TITLES.get(chosen.get("framework"), BOTH)

    here = set(names())
    offered = [name for name, recipe in RECIPES.items() if recipe.settings["dataset"] in here]
    recipe = st.selectbox(
        "Start from",
        [OWN, *offered],
        key="recipe",
        on_change=start_from,
        help="A recipe fills in all settings: published experiments, and one of Duet's own.",
    )
    if recipe != OWN:
        st.caption(f"{get_recipe(recipe).description} Source: {get_recipe(recipe).source}.")
        if get_recipe(recipe).assumed:
            st.caption(f"Assumed: {get_recipe(recipe).assumed}")
    if len(offered) < len(RECIPES):
        st.caption(f"{len(RECIPES) - len(offered)} more want Sign Language MNIST, which the Data page brings in.")


def choose_frameworks() -> tuple[Framework, ...]:
    """Let the user pick one framework, or both as a pair."""
    choices = {BOTH: both(), **{title: (name,) for name, title in FRAMEWORK_TITLES.items()}}
    chosen = st.segmented_control(
        "Framework",
        list(choices),
        default=BOTH,
        required=True,
        key="frameworks",
        bind="query-params",
        help="Both trains a pair: same data, same batches, same initial weights, side by side.",
    )
    return choices[chosen]


def choose_device(frameworks: tuple[Framework, ...]) -> None:
    """Offer the devices that every chosen framework has."""
    found = [known_devices(framework) for framework in frameworks]
    shared = [device for device in found[0].devices if all(device.name in dict(other.devices) for other in found)]
    knob("device", {device.name: device.title for device in shared})
    if not all(devices.probed for devices in found):
        wait_for_devices(frameworks)


@st.fragment(run_every=1)
def wait_for_devices(frameworks: tuple[Framework, ...]) -> None:
    """Say that devices are still looked for, and offer them when they have been found."""
    if all(known_devices(framework).probed for framework in frameworks):
        st.rerun()
    st.caption("Still looking for GPUs; they will be offered here.")


def choose_settings() -> None:
    """Show the common knobs, the rest under Advanced."""
    knob("dataset")
    knob("architecture")
    first, second = st.columns(2)
    with first:
        knob("epochs")
        knob("optimizer")
    with second:
        knob("batch_size")
        knob("learning_rate")
    with st.expander("Advanced", icon=":material/tune:"):
        columns = st.columns(2)
        advanced = [name for name, field in RunConfig.model_fields.items() if field.json_schema_extra]
        for position, name in enumerate(advanced):
            with columns[position % 2]:
                knob(name)


def show_plan(config: RunConfig, frameworks: tuple[Framework, ...]) -> None:
    """Say what a launch will do and how long it will take, with the button that does it."""
    dataset = load(config.dataset)
    architecture = get_architecture(config.architecture)
    check(architecture, dataset.image_shape, len(dataset.class_names))
    learnt_from, checked_on = split_of(config, dataset).train, validation_of(config, dataset).labels
    configs = configs_for(config, frameworks)
    estimates = [estimate_time(open_store(), each) for each in configs]
    basis = "from earlier runs here" if all(each.measured for each in estimates) else "a guess: no run like it yet"
    st.markdown(
        f"{' and '.join(FRAMEWORK_TITLES[framework] for framework in frameworks)} "
        f"{'each learn' if len(frameworks) > 1 else 'learns'} from {len(learnt_from):,} images, "
        f"checked on {len(checked_on):,} and tested on {len(dataset.test.images):,}: "
        f"**about {duration(max(each.seconds for each in estimates))}** ({basis})."
    )
    if st.button("Launch", type="primary", icon=":material/play_arrow:", key="launch"):
        run_ids = launch(configs)
        st.switch_page("../pages/results.py", query_params={"run": run_ids[0]})
    st.subheader("Layers")
    st.caption(architecture.description)
    show_layers(architecture, dataset.image_shape, len(dataset.class_names))


st.title("Train")
form, plan = st.columns([2, 3], gap="large")
with form:
    choose_recipe()
    frameworks = choose_frameworks()
    knob("defaults")
    terms = st.container()
    choose_device(frameworks)
    choose_settings()
with plan:
    try:
        config = configure(**{**settings(), "framework": frameworks[0]})
        show_plan(config, frameworks)
        if len(frameworks) > 1:
            with terms:
                show_terms(config)
    except ValueError as error:
        st.error(str(error), icon=":material/error:")
