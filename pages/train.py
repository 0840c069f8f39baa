"""Train: choose a network, a framework and the settings, see what will be trained, launch it.

What is chosen is in the address: `?epochs=5&optimizer=adam`.
"""

import streamlit as st

from core.config import Framework, configure
from core.datasets import Dataset
from core.jobs.devices import known_devices
from core.networks.registry import get_architecture
from ui.shared.dialogs import refresh_page
from ui.shared.first_batch import show_first_batch
from ui.shared.formatting import escape_markdown
from ui.shared.framework_defaults import show_terms
from ui.shared.open_dataset import open_dataset
from ui.shared.page_title import set_page_title
from ui.shared.settings import setting, settings, settings_to_launch
from ui.train.address import keep_choice, restore_choice
from ui.train.custom_networks import show_deletion, show_way_back
from ui.train.layer_editor import begin, show_editor
from ui.train.layer_table import show_layers
from ui.train.plan import show_plan
from ui.train.recipe_picker import choose_frameworks, choose_recipe, show_changes
from ui.train.setting_groups import show_settings


def choose_device(frameworks: tuple[Framework, ...]) -> None:
    """Offer the devices that every chosen framework has."""
    found = [known_devices(framework) for framework in frameworks]
    shared = [device for device in found[0].devices if all(device.name in dict(other.devices) for other in found)]
    titles = {device.name: device.title for device in shared}
    chosen = settings()["device"]
    if chosen not in titles and not all(devices.probed for devices in found):
        titles[chosen] = f"{chosen} (still looked for)"
    setting("device", titles | {"auto": "The next free one"} if len(titles) > 1 else titles)
    with st.container():  # one place with or without the line, so that no field below moves and is built anew
        if not all(devices.probed for devices in found):
            wait_for_devices(frameworks)


@st.fragment(run_every=1)
def wait_for_devices(frameworks: tuple[Framework, ...]) -> None:
    """Say that devices are still looked for, and offer them when they have been found."""
    if all(known_devices(framework).probed for framework in frameworks):
        refresh_page()
    st.caption("Still looking for GPUs; they will be offered here.")


def show_network(name: str, dataset: Dataset) -> None:
    """Show the layers of a network for the images of a data set, and what can be done with it."""
    try:
        architecture = get_architecture(name)
    except ValueError:  # deleted or damaged, as the refusal of the launch has said
        show_deletion(name)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader("Layers", width="stretch")
        st.button("Change a copy", key="edit", icon=":material/edit:", on_click=begin)
        show_deletion(name)
    st.caption(escape_markdown(architecture.description))
    show_layers(architecture, dataset.image_shape, len(dataset.class_names))
    show_editor(dataset.image_shape, len(dataset.class_names))


st.title("Train")
restore_choice()
form, plan = st.columns([2, 3], gap="large")
with form:
    choose_recipe()
    changes = st.container()
    frameworks = choose_frameworks()
    setting("defaults")
    terms = st.container()
    choose_device(frameworks)
    show_settings()
    with changes:
        show_changes()
set_page_title(settings()["architecture"], "Train")
with plan:
    if dataset := open_dataset(settings()["dataset"]):
        try:
            config = configure(**{**settings_to_launch(), "framework": frameworks[0]})
            show_plan(config, frameworks)
            show_first_batch(config)
            if len(frameworks) > 1:
                with terms:
                    show_terms(config)
        except ValueError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")
    show_way_back()
    if dataset:
        show_network(settings()["architecture"], dataset)
keep_choice()
