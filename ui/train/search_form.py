"""A search on the Train page: which settings vary, over which values, and how and how long these are searched.

for name in choose_varied():
    show_values(name)               # in place of the setting's own field
show_search_options()
specification = chosen_search(config, frameworks, seeds)                # None where nothing varies
st.switch_page("../pages/train.py", query_params=search_address(specification))    # a copy of a search

What is entered stands in the page's address. A list of values is a grid at once; all else begins as is usual.
"""

from typing import Any

import streamlit as st

from core.config import FRAMEWORK_TITLES, RunConfig
from core.networks.editing import places
from core.networks.layers import CLASSES
from core.networks.registry import get_architecture
from core.studies.search.space import LAYER_SETTINGS, NOT_VARIED, title_of, value_in_words
from core.studies.search.specification import PRUNERS, SAMPLERS, USUAL_TRIALS, Specification, specify
from ui.shared.formatting import counted
from ui.shared.settings import settings
from ui.train.recipe_picker import BOTH

_EXAMPLES = {
    "learning_rate": "0.001..1:log",
    "batch_size": "32, 64, 128",
    "optimizer": "sgd, adam",
    "dropout": "0..0.5",
}
_VALUES_HELP = "A list such as 32, 64, 128, or a range such as 0.001..1, or 0.001..1:log, which is divided by ratios."

_AUTOMATIC = "automatic"
_SAMPLERS = {_AUTOMATIC: "Automatic"} | {str(name): title for name, title in SAMPLERS.items()}
_LIMITS = ("trials", "minutes", "images")

_TRIALS_HELP = (
    "How many settings to try. By default all of a grid; otherwise "
    f"{USUAL_TRIALS}, unless minutes or images limit the search."
)


def choose_varied() -> list[str]:
    """Let the user pick the settings that vary, and return them."""
    return st.multiselect(
        "Vary",
        _names(settings()["architecture"]),
        format_func=title_of,
        key="vary",
        bind="query-params",
        select_all=False,  # nobody searches over everything
        placeholder="Settings to try several values of",
        help="Each takes a list of values or a range, and the launch becomes a search over them; all other settings "
        "stay as they are.",
    )


def show_values(name: str) -> None:
    """Show the field for the values of a setting that varies; it begins with the one that is set."""
    st.text_input(
        title_of(name),
        value=_present(name),
        key=f"values-{name}",
        bind="query-params",
        icon=":material/manage_search:",
        placeholder=_EXAMPLES.get(name, "32, 64, 128"),
        help=_VALUES_HELP,
    )


def show_search_options() -> None:
    """Show how a search is done and what limits it, where settings vary."""
    if not st.session_state["vary"]:
        return
    # Open where the address says one of them, or the first look would not show it.
    expanded = any(name in st.query_params for name in ("sampler", "pruner", *_LIMITS))
    with st.expander("Search options", icon=":material/manage_search:", key="search-options", expanded=expanded):
        first, second = st.columns(2)
        with first:
            st.selectbox(
                "Sampler",
                list(_SAMPLERS),
                format_func=_SAMPLERS.__getitem__,
                key="sampler",
                bind="query-params",
                help="A grid tries all combinations, a range at five places. TPE learns from earlier trials which "
                "values do well. Automatic is a grid over lists, and TPE where there is a range.",
            )
            _choose_limit("Trials", _TRIALS_HELP, "Automatic")
            _choose_limit("Images", "Ends the search when its runs have trained on so many images in all.")
        with second:
            st.selectbox(
                "Pruning",
                list(PRUNERS),
                format_func=PRUNERS.__getitem__,
                key="pruner",
                bind="query-params",
                help="Stops a trial early that falls behind earlier ones in validation accuracy.",
            )
            _choose_limit("Minutes", "Ends the search after so many minutes of work; pauses do not count.")


def chosen_search(config: RunConfig, frameworks: tuple[str, ...], seeds: int) -> Specification | None:
    """Return the search that the widgets say by now, in a callback too; None where no setting varies.

    Args:
        config: what does not vary.
        seeds: so many runs or pairs for each trial.

    Raises:
        ValueError: if values or options are refused.
    """
    varied: list[str] = st.session_state.get("vary", [])
    if not varied:
        return None
    values = {name: st.session_state.get(f"values-{name}", _present(name)) for name in varied}
    options: dict[str, Any] = {name: st.session_state.get(name) for name in ("sampler", "pruner", *_LIMITS)}
    if options["sampler"] == _AUTOMATIC:
        options["sampler"] = None
    return specify(
        config,
        [f"{name}={text}" for name, text in values.items()],
        pairs=len(frameworks) > 1 and "framework" not in varied,
        seeds=seeds,
        **{**options, "pruner": options["pruner"] or "none"},
    )


def search_in_words(specification: Specification) -> str:
    """Return how a search goes about, and what ends it."""
    trials, minutes, images = specification.most_trials, specification.minutes, specification.images
    limits = [
        *([] if trials is None else [counted(trials, "trial")]),
        *([] if minutes is None else [f"{minutes:g} minutes of work"]),
        *([] if images is None else [f"{images:,} images"]),
    ]
    return (
        f"{SAMPLERS[specification.sampler]} search. At most {', '.join(limits)}; "
        f"{counted(specification.seeds, 'seed')} for each trial."
    )


def search_address(specification: Specification) -> dict[str, str | list[str]]:
    """Return what Train's address says where the form holds a search; the settings that do not vary are not part."""
    limits = {name: getattr(specification, name) for name in ("trials", "minutes", "images")}
    return {
        "frameworks": BOTH if specification.pairs else FRAMEWORK_TITLES[specification.config.framework],
        "vary": [title_of(dimension.name) for dimension in specification.space],
        **{f"values-{dimension.name}": dimension.in_words() for dimension in specification.space},
        "sampler": SAMPLERS[specification.sampler],
        "pruner": PRUNERS[specification.pruner],
        **{name: f"{limit:g}" for name, limit in limits.items() if limit is not None},
    }


def _choose_limit(title: str, explanation: str, otherwise: str = "No limit") -> None:
    st.number_input(
        title, value=None, step=1, placeholder=otherwise, key=title.lower(), bind="query-params", help=explanation
    )


def _present(name: str) -> str:
    """Return the value that a setting has, as a user would type it; none of settings of layers, which have many."""
    return value_in_words(settings()[name]) if name in settings() else ""


def _names(network: str) -> list[str]:
    """Return what can be varied, the usual ones first, and those of single layers last, where the network is here."""
    usual = ["learning_rate", "batch_size", "optimizer"]
    try:
        layers = [(name, layer) for _, name, layer in places(get_architecture(network).layers)]
    except ValueError:  # deleted or damaged, as the launch is told
        layers = []
    kinds = [layer.kind for _, layer in layers]
    # The last dense layer has one unit a class.
    of_all = [name for name, (kind, _) in LAYER_SETTINGS.items() if kinds.count(kind) > (kind == "dense")]
    of_one = [
        f"{name}.{field}"
        for name, layer in layers
        for field in type(layer).model_fields
        if field not in ("kind", "layers") and getattr(layer, field) != CLASSES
    ]
    others = [name for name in RunConfig.model_fields if name not in (*usual, *NOT_VARIED, "device", "threads")]
    return [*usual, *of_all, *others, *of_one]
