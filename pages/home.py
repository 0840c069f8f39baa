"""Home: what Duet is, one button that shows it, what is running, and the last runs.

What was launched here is in the address, `?pair=ID`, so that a reload shows it again.
"""

import streamlit as st

from core.config import RunConfig, configure
from core.jobs.estimates import estimate_time
from core.recipes import get_recipe
from core.runs import ACTIVE, INACTIVE, Run, open_store
from core.system.text import duration
from ui.shared.formatting import escape_markdown
from ui.shared.launching import both, configs_for, launch
from ui.shared.live import watch
from ui.shared.run_queue import show_queue
from ui.shared.runs_table import show_rows

_MOST_PENDING = 1000


def show_welcome() -> None:
    """Say what this is, with the button that trains both frameworks."""
    st.title("Duet")
    st.write(
        "Train the same image classifier in PyTorch and in Keras, watch both learn, see their errors, "
        "and let them classify what you draw."
    )
    configs = configs_for(configure(**get_recipe("quick").settings), both())
    try:
        estimate = max(estimate_time(store, config).seconds for config in configs)
    except ValueError as error:  # there is no room for its data set
        st.warning(escape_markdown(str(error)), icon=":material/image_not_supported:")
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Train both now", type="primary", icon=":material/play_arrow:", on_click=train_both, args=(configs,))
        st.caption(f"A small network learns handwritten digits in both frameworks, in about {duration(estimate)}.")
    ask_again(configs)


def train_both(configs: list[RunConfig], *, again: bool = False) -> None:
    """Launch a pair; while one like it still waits or trains, launched in whichever tab, ask first."""
    going_on = any(_is_one_of(run, configs) for run in store.find(states=("queued", *ACTIVE), limit=_MOST_PENDING))
    st.session_state["asked-again"] = going_on and not again
    if again or not going_on:
        st.session_state["shown"] = launch(configs)


def _is_one_of(run: Run, configs: list[RunConfig]) -> bool:
    """Say whether a run is what one of the configs launches, on whichever device it has been given."""
    return any(config.model_copy(update={"device": run.config.device}) == run.config for config in configs)


def ask_again(configs: list[RunConfig]) -> None:
    """Ask whether a second pair is wanted beside the one that goes on, where the button was pressed again."""
    if not st.session_state.get("asked-again"):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info("A pair waits or trains already, below. Another one trains the same anew, after it.")
        st.button("Train another", key="again", on_click=train_both, args=(configs,), kwargs={"again": True})


def launched_here() -> list[Run]:
    """Return the runs that were launched on this page last, in this visit or before a reload."""
    if run_ids := st.session_state.get("shown"):
        return store.find(ids=run_ids, order="oldest", deleted=None)
    pair = st.query_params.get("pair")
    return store.find(pair=pair, order="oldest", deleted=None) if pair else []


def keep_in_address(runs: list[Run]) -> None:
    """Let the address name the pair that was launched here."""
    if runs and runs[0].pair and st.query_params.get("pair") != runs[0].pair:
        st.query_params["pair"] = runs[0].pair


def show_current(runs: list[Run]) -> None:
    """Show the runs that go on, or the ones that were launched here, and what to do next."""
    st.subheader("Training now" if any(run.state not in INACTIVE for run in runs) else "Just trained")
    watch(runs, key="home")
    if any(run.state == "done" for run in runs):
        finished = next(run for run in runs if run.state == "done")
        with st.container(horizontal=True):
            st.page_link(
                "../pages/predict.py", label="Draw a digit", icon=":material/draw:", query_params={"run": finished.id}
            )
            st.page_link(
                "../pages/results.py",
                label="See the errors",
                icon=":material/show_chart:",
                query_params={"run": finished.id, "view": "Errors"},
            )


store = open_store()
show_welcome()
pending = store.find(states=("queued", "starting", "running"), limit=2, order="oldest")
launched = launched_here()
keep_in_address(launched)
shown = launched or pending
if shown:
    show_current(shown)
show_queue(besides=[run.id for run in shown])
st.subheader("Last runs")
show_rows(store.rows(limit=10), key="last-runs")
