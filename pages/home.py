"""Home: what Duet is, one button that shows it, what is running, and the last runs."""

import streamlit as st

from core.config import configure
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
        "Train the same image classifier in PyTorch and in Keras, watch both learn, see where they err, "
        "and let them read what you draw."
    )
    configs = configs_for(configure(**get_recipe("quick").settings), both())
    estimate = max(estimate_time(store, config).seconds for config in configs)
    with st.container(horizontal=True, vertical_alignment="center"):
        if st.button("Train both now", type="primary", icon=":material/play_arrow:"):
            st.session_state["shown"] = launch(configs)
        st.caption(f"A small network learns handwritten digits in both frameworks, in about {duration(estimate)}.")


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
                label="See where they err",
                icon=":material/show_chart:",
                query_params={"run": finished.id},
            )


store = open_store()
show_welcome()
pending = store.find(states=("queued", "starting", "running"), limit=2, order="oldest")
shown = [store.get(run_id) for run_id in st.session_state.get("shown", [])] or pending
if shown:
    show_current(shown)
show_queue(besides=[run.id for run in shown])
st.subheader("Last runs")
show_runs(store.find(limit=10), key="last-runs")
