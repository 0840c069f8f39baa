"""Search: all searches; or how one goes or went, `?search=ID`: the best trial, the history, which settings do well."""

import pandas as pd
import streamlit as st

from core.runs import open_store
from core.studies.search.control import specification_of
from ui.search.analysis import show_analysis
from ui.search.progress import show_search
from ui.shared.data_table import show_data_table
from ui.shared.formatting import counted, escape_markdown
from ui.shared.page_title import set_page_title
from ui.shared.presses import pressed
from ui.shared.settings import fill
from ui.train.plan import set_seeds
from ui.train.search_form import search_address


def show_searches() -> None:
    """List the searches, newest first, each with a way to open it."""
    store = open_store()
    searches = store.find_searches()
    if not searches:
        st.info("No search yet. Settings chosen under *Vary* on the Train page begin one.")
        st.page_link("../pages/train.py", label="Choose settings", icon=":material/tune:")
        return
    show_data_table(
        pd.DataFrame(
            {
                "Varied": ", ".join(each.title for each in specification_of(search).space),
                "State": search.state,
                "Trials": sum(store.count_trials(search.id).values()),
                "Network": specification_of(search).config.architecture,
                "Begun": pd.Timestamp(search.created_at, unit="s", tz="UTC"),
                "Search": f"/search?search={search.id}",
            }
            for search in searches
        ),
        hide_index=True,
        key="searches",
        column_config={
            "Begun": st.column_config.DatetimeColumn(format="D MMM, HH:mm"),
            "Search": st.column_config.LinkColumn(display_text="Open"),
        },
    )


asked = st.query_params.get("search")
st.title("Search")
if asked is None:
    show_searches()
else:
    try:
        search = open_store().search(asked)
    except ValueError:
        st.error("This address names a search that is not here: it may have been made on another machine.")
        st.page_link("../pages/search.py", label="All searches", icon=":material/list:")
    else:
        specification = specification_of(search)
        config = specification.config
        set_page_title(config.architecture, "Search", search.state)
        varied = "; ".join(f"{each.title} {each.in_words()}" for each in specification.space)
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(
                escape_markdown(
                    f"{config.architecture} on {config.dataset}, {counted(config.epochs, 'epoch')}. {varied}"
                ),
                width="stretch",
            )
            if pressed(
                "Clone",
                key="search-clone",
                icon=":material/content_copy:",
                help="Fills in this search on the Train page, to be changed and begun as another.",
            ):
                fill(config.model_dump())
                set_seeds(specification.seeds)
                st.switch_page("../pages/train.py", query_params=search_address(specification))
        show_search(search)
        show_analysis(search)
