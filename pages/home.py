"""Home: what Duet is, one button that shows it, what is running, and the last runs."""

import streamlit as st

from core.config import RunConfig, configure
from core.jobs.estimates import estimate_time
from core.recipes import get_recipe
from core.runs import INACTIVE, Run, open_store
from core.system.text import duration
from ui.shared.launching import both, configs_for, launch
from ui.shared.live import watch
from ui.shared.run_queue import show_queue
from ui.shared.runs_table import show_runs


def show_welcome() -> None:
    """Say what this is, with the button that trains both frameworks."""
    st.title("Duet")
    st.write(
        "Train the same image classifier in PyTorch and in Keras, watch both learn, see their errors, "
        "and let them classify what you draw."
    )
    configs = configs_for(configure(**get_recipe("quick").settings), both())
    estimate = max(estimate_time(store, config).seconds for config in configs)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button("Train both now", type="primary", icon=":material/play_arrow:", on_click=train_both, args=(configs,))
        st.caption(f"A small network learns handwritten digits in both frameworks, in about {duration(estimate)}.")
    ask_again(configs)


def train_both(configs: list[RunConfig], *, again: bool = False) -> None:
    """Launch a pair; while one from here still goes on, ask first."""
    going_on = any(run.state not in INACTIVE for run in launched_here())
    st.session_state["asked-again"] = going_on and not again
    if again or not going_on:
        st.session_state["shown"] = launch(configs)


def ask_again(configs: list[RunConfig]) -> None:
    """Ask whether a second pair is wanted beside the one that goes on, where the button was pressed again."""
    if not st.session_state.get("asked-again"):
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info("A pair is training already, below. Another one trains the same anew, after it.")
        st.button("Train another", key="again", on_click=train_both, args=(configs,), kwargs={"again": True})


def launched_here() -> list[Run]:
    """Return the runs that were launched on this page last, in this visit."""
    return store.find(ids=st.session_state.get("shown", []), order="oldest", deleted=None)


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
                query_params={"run": finished.id},
            )


store = open_store()
show_welcome()
pending = store.find(states=("queued", "starting", "running"), limit=2, order="oldest")
shown = launched_here() or pending
if shown:
    show_current(shown)
show_queue(besides=[run.id for run in shown])
st.subheader("Last runs")
show_runs(store.find(limit=10), key="last-runs")
