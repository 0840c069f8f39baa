"""Starting a search from the Train page: which settings vary, how they are chosen, and when it ends.

show_search_form(config, frameworks)
st.switch_page("../pages/train.py", query_params=search_address(specification))    # a copy of a search

What is entered stands in the page's address.
"""

import streamlit as st

from core.config import FRAMEWORK_TITLES, MOST_SEEDS, RunConfig, configure
from core.networks.editing import places
from core.networks.layers import CLASSES
from core.networks.registry import get_architecture
from core.runs import new_id, open_store
from core.studies.search.control import start_search
from core.studies.search.space import LAYER_SETTINGS, NOT_VARIED, title_of
from core.studies.search.specification import PRUNERS, SAMPLERS, USUAL_TRIALS, Specification, specify
from ui.shared.formatting import counted, escape_markdown
from ui.shared.launching import submitter
from ui.shared.presses import pressed
from ui.train.recipe_picker import BOTH

_EXAMPLES = {
    "learning_rate": "0.001..1:log",
    "batch_size": "32, 64, 128",
    "optimizer": "sgd, adam",
    "dropout": "0..0.5",
}
_VALUES_HELP = "A list such as 32, 64, 128, or a range such as 0.001..1, or 0.001..1:log, which is divided by ratios."

_TRIALS_HELP = (
    "How many settings to try. By default all of a grid; otherwise "
    f"{USUAL_TRIALS}, unless minutes or images limit the search."
)


def show_search_form(config: RunConfig, frameworks: tuple[str, ...]) -> None:
    """Offer to vary some settings, those above staying the same, and begin the search."""
    # Open where the address says what to vary, or the first look would not show it.
    with st.expander(
        "Search over settings",
        icon=":material/manage_search:",
        key="search-form",
        expanded="vary" in st.query_params,
    ):
        vary = _choose_values(config)
        first, second = st.columns(2)
        with first:
            sampler = st.selectbox(
                "Sampler",
                list(SAMPLERS),
                index=list(SAMPLERS).index("tpe"),
                format_func=SAMPLERS.__getitem__,
                key="sampler",
                bind="query-params",
                help="A grid tries all combinations, a range at five places. TPE learns from earlier trials which "
                "values do well.",
            )
            trials = _choose_limit("Trials", _TRIALS_HELP, "Automatic")
            images = _choose_limit("Images", "Ends the search when its runs have trained on so many images in all.")
        with second:
            pruner = st.selectbox(
                "Pruning",
                list(PRUNERS),
                format_func=PRUNERS.__getitem__,
                key="pruner",
                bind="query-params",
                help="Stops a trial early that falls behind earlier ones in validation accuracy.",
            )
            minutes = _choose_limit("Minutes", "Ends the search after so many minutes of work; pauses do not count.")
            seeds = st.number_input(
                "Seeds for each trial",
                value=1,
                step=1,
                key="search-seeds",
                bind="query-params",
                help=f"A whole number from 1 to {MOST_SEEDS}.",
            )
        if not vary:
            st.caption("Choose the settings to vary.")
            return
        try:
            if seeds is None:
                raise ValueError(f"Seeds: expected a whole number from 1 to {MOST_SEEDS}, received none.")
            specification = specify(
                configure(**config.model_dump()),
                [f"{name}={values}" for name, values in vary.items()],
                sampler=sampler,
                pruner=pruner,
                pairs=len(frameworks) > 1 and "framework" not in vary,
                seeds=seeds,
                trials=trials,
                minutes=minutes,
                images=images,
            )
        except ValueError as error:
            st.caption(escape_markdown(str(error)))
            return
        st.caption(_in_words(specification))
        if pressed("Search", type="primary", icon=":material/manage_search:", key="search-start"):
            search_id = start_search(open_store(), specification, submission=new_id(), submitter=submitter())
            st.switch_page("../pages/search.py", query_params={"search": search_id})


def search_address(specification: Specification) -> dict[str, str | list[str]]:
    """Return what Train's address says where the form holds a search; the settings that do not vary are not part."""
    limits = {name: getattr(specification, name) for name in ("trials", "minutes", "images")}
    return {
        "frameworks": BOTH if specification.pairs else FRAMEWORK_TITLES[specification.config.framework],
        "vary": [title_of(dimension.name) for dimension in specification.space],
        **{f"values-{dimension.name}": dimension.in_words() for dimension in specification.space},
        "sampler": SAMPLERS[specification.sampler],
        "pruner": PRUNERS[specification.pruner],
        "search-seeds": str(specification.seeds),
        **{name: f"{limit:g}" for name, limit in limits.items() if limit is not None},
    }


def _choose_values(config: RunConfig) -> dict[str, str]:
    """Return the settings to vary, each with what was typed of its values."""
    names = st.multiselect(
        "Vary",
        _names(config),
        format_func=title_of,
        key="vary",
        bind="query-params",
        help="The settings that a search tries several values of; all others stay as they are.",
    )
    return {
        name: st.text_input(
            title_of(name),
            key=f"values-{name}",
            bind="query-params",
            placeholder=_EXAMPLES.get(name, "32, 64, 128"),
            help=_VALUES_HELP,
        )
        for name in names
    }


def _choose_limit(title: str, explanation: str, otherwise: str = "No limit") -> int | None:
    return st.number_input(
        title, value=None, step=1, placeholder=otherwise, key=title.lower(), bind="query-params", help=explanation
    )


def _in_words(specification: Specification) -> str:
    trials = min((each for each in (specification.trials, specification.size) if each is not None), default=None)
    limits = [
        *([] if trials is None else [counted(trials, "trial")]),
        *([] if specification.minutes is None else [f"{specification.minutes:g} minutes of work"]),
        *([] if specification.images is None else [f"{specification.images:,} images"]),
    ]
    return f"At most {', '.join(limits)}; {counted(specification.seeds, 'seed')} for each trial."


def _names(config: RunConfig) -> list[str]:
    """Return what can be varied, the usual ones first, and those of single layers last."""
    usual = ["learning_rate", "batch_size", "optimizer"]
    layers = [(name, layer) for _, name, layer in places(get_architecture(config.architecture).layers)]
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
