"""Which settings of a search do well: parallel coordinates, importance, slices, and a contour of two settings.

show_analysis(search)
"""

from itertools import combinations

import streamlit as st

from core.charts.search import contour, importance_bars, parallel_coordinates, slices, trial_frame
from core.runs import Search, open_store
from core.studies.search.control import specification_of
from core.studies.search.space import title_of

VIEWS = ("Parallel coordinates", "Importance", "Slices", "Contour")
_ENOUGH = 4


def show_analysis(search: Search) -> None:
    """Show the chosen view of the trials that are done by now; the others are not computed."""
    specification, trials = specification_of(search), open_store().trials(search.id)
    frame = trial_frame(specification.space, trials)
    space = specification.space
    st.subheader("Which settings do well")
    if (frame["state"] == "done").sum() < _ENOUGH:
        st.caption(f"From {_ENOUGH} finished trials on, this shows which settings do well.")
        return
    views = VIEWS if len(space) > 1 else VIEWS[:-1]
    view = st.segmented_control("View", views, default=views[0], required=True, key="view", bind="query-params")
    if view == "Parallel coordinates":
        st.altair_chart(parallel_coordinates(frame, space), key="search-parallel")
        st.caption("A line is a trial that is done, through its settings to the validation accuracy it reached.")
    elif view == "Importance":
        from core.studies.search.suggestions import get_importances  # Optuna takes .3 s to import

        importances = get_importances(specification, trials)
        st.altair_chart(importance_bars({title_of(name): each for name, each in importances.items()}), key="importance")
        st.caption("How much each setting decides whether a trial is among the best tenth, by PED-ANOVA.")
    elif view == "Slices":
        for row in range(0, len(space), 2):
            for column, dimension in zip(st.columns(2), space[row : row + 2], strict=False):
                column.altair_chart(slices(frame, dimension), key=f"slice-{dimension.name}")
    else:
        titles = {f"{one.title} and {other.title}": (one, other) for one, other in combinations(space, 2)}
        chosen = st.selectbox("Settings", list(titles), key="contour-settings")
        st.plotly_chart(contour(frame, *titles[chosen]), key="search-contour")
