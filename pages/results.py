"""Results: all runs; or how one goes or went, `?run=ID`: live curves, then where the network errs and with what.

A run of a pair is shown beside its partner, and what the two reached heads the page.
"""

import streamlit as st

from core.config import FRAMEWORK_TITLES
from core.runs import Run, finished, open_store
from core.studies.groups import SeedGroup
from core.system.paths import checked_run_id
from ui.results.failures import show_doubt, show_failure
from ui.results.findings import show_findings
from ui.results.run_header import show_header, title_parts
from ui.results.runs_list import show_runs_list
from ui.results.search_of_run import show_search_of
from ui.results.seeds_of_run import show_way_to_seeds
from ui.results.views import show_views
from ui.shared.page_title import set_page_title
from ui.shared.run_queue import show_queue
from ui.shared.verdict_card import show_verdict


def show(run: Run) -> None:
    """Show one run, with its partner if it has one; of the views only the one that is open."""
    deleted = run.deleted_at is not None
    group = open_store().find(pair=run.pair, order="oldest", deleted=deleted) if run.pair else [run]
    done = finished(group)
    set_page_title(*title_parts(run, group))
    with st.container():  # whatever comes and goes in it, the charts below keep their place and their zoom
        show_header(run, group)
        show_way_to_seeds(run)
        show_search_of(run)
        for each in group:
            if each.state == "failed":
                show_failure(each)
            show_doubt(each)
        if done:
            groups = [SeedGroup(each.id, FRAMEWORK_TITLES[each.config.framework], (each,)) for each in done]
            with show_verdict(groups):
                show_findings(done)
    show_views(group)


asked = st.query_params.get("run")
if asked is None:
    st.title("Results")
    show_queue()
    show_runs_list()
else:
    try:
        run = open_store().get(checked_run_id(asked))
    except ValueError:
        st.error("This address names a run that is not here: it may have been made on another machine.")
        st.page_link("../pages/results.py", label="All runs", icon=":material/list:")
    else:
        show(run)
