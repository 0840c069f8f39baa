"""The editor in which a copy of a network is changed, one row a layer, with shapes and counts that follow.

    begin(architecture)                       # in a button's callback
    show_editor(input_shape, classes)         # shows it while a copy is being changed

Only a network that can learn the images can be kept, under a name of its own.
"""

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, NamedTuple, get_args

import streamlit as st
from pydantic.fields import FieldInfo

from core.networks.editing import (
    KINDS_IN_A_RESIDUAL,
    Layers,
    Path,
    can_move,
    changed,
    inserted,
    moved,
    new_layer,
    places,
    removed,
)
from core.networks.kinds import KINDS
from core.networks.layers import (
    CLASSES,
    Architecture,
    Layer,
    LayerError,
    LayerRow,
    Shape,
    check_network,
    iter_layer_rows,
)
from core.networks.registry import free_name, save
from ui.shared.settings import choose
from ui.train.layer_table import sizes

_COLUMNS = (5, 13, 5, 6)
_FIELD_WIDTH = 112
_UNITS = 64
_LITTLE = 1e-9


class _Draft(NamedTuple):
    """A copy that is being changed. The `revision` counts moves and removals, after which widgets begin anew."""

    base: str
    layers: Layers
    revision: int = 0


def begin(architecture: Architecture) -> None:
    """Open the editor on a copy of a network."""
    st.session_state["draft"] = _Draft(architecture.name, architecture.layers)
    st.session_state["draft-name"] = free_name(architecture.name)


def show_editor(input_shape: Shape, classes: int) -> None:
    """Show the editor if a copy is being changed."""
    if "draft" in st.session_state:
        st.dialog(
            f"Change a copy of {st.session_state['draft'].base}",
            width="large",
            icon=":material/layers:",
            on_dismiss=_end,
        )(_edit)(input_shape, classes)


def _edit(input_shape: Shape, classes: int) -> None:
    if "draft" not in st.session_state:  # it was kept
        st.rerun()
    draft = st.session_state["draft"]
    tried = Architecture(name=st.session_state["draft-name"], description="", layers=draft.layers)
    rows, misfit = _follow(tried, input_shape, classes)
    _show_head(rows, misfit, classes)
    title, _, shape, buttons = st.columns(_COLUMNS, vertical_alignment="center")
    title.markdown("**Images**")
    shape.markdown(sizes(input_shape))
    with buttons, st.container(horizontal=True, horizontal_alignment="right"):
        _show_adder((0,), input_shape[-1])
    for path, name, layer in places(draft.layers):
        _show_layer(path, name, layer, rows.get(name))
        if misfit and misfit.layer == name:
            st.error(misfit.reason, icon=":material/error:")


def _follow(tried: Architecture, input_shape: Shape, classes: int) -> tuple[dict[str, LayerRow], LayerError | None]:
    """Return the rows up to the first layer that does not fit, by name, and what is wrong with that one."""
    rows = {}
    try:
        for row in iter_layer_rows(tried, input_shape, classes):
            rows[row.name] = row
        check_network(tried, input_shape, classes)
    except LayerError as error:
        return rows, error
    except ValueError as error:
        return rows, LayerError(tried.name, "", str(error).partition(": ")[2])
    return rows, None


def _show_head(rows: dict[str, LayerRow], misfit: LayerError | None, classes: int) -> None:
    """Show what the network comes to, its name, and the button that keeps it."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name", key="draft-name", max_chars=40, width=280)
        st.button(
            "Keep and use it",
            type="primary",
            icon=":material/check:",
            key="keep-network",
            disabled=misfit is not None,
            on_click=_keep,
        )
        if misfit is None:
            total = sum(row.parameters for row in rows.values())
            st.markdown(f"**{total:,} parameters** · {classes} classes")
        elif misfit.layer:
            st.markdown(f":red[:material/error: `{misfit.layer}` does not fit.]")
        else:
            st.markdown(f":red[:material/error: {misfit.reason}]")
    if refused := st.session_state.pop("draft-refused", None):
        st.error(refused, icon=":material/error:")


def _show_layer(path: Path, name: str, layer: Layer, row: LayerRow | None) -> None:
    title, fields, shape, buttons = st.columns(_COLUMNS, vertical_alignment="center")
    title.markdown(("&emsp;↳ " if len(path) > 1 else "") + f"**{layer.TITLE}**  \n:gray[:small[{name}]]")
    with fields, st.container(horizontal=True, vertical_alignment="bottom"):
        _show_fields(path, layer)
    if row:
        count = f"  \n:gray[:small[{row.parameters:,} parameters]]" if row.parameters else ""
        shape.markdown(f"{sizes(row.output_shape)}{count}")
    else:
        shape.markdown("–")
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _show_buttons(path, row.output_shape[-1] if row else _UNITS)


def _show_fields(path: Path, layer: Layer) -> None:
    revision = st.session_state["draft"].revision
    for field, info in type(layer).model_fields.items():
        if field in ("kind", "layers"):
            continue
        value, key = getattr(layer, field), _key(path, field)
        if field == "units":
            ticked = f"{key}-classes"
            st.checkbox(
                "One a class", value == CLASSES, key=ticked, on_change=_set_classes, args=(revision, path, ticked)
            )
            if value == CLASSES:
                continue
            info = get_args(info.annotation)[0].__metadata__[0]
        common = {
            "label": info.title,
            "help": info.description,
            "key": key,
            "on_change": _set,
            "args": (revision, path, field, key),
            "width": _FIELD_WIDTH,
        }
        if info.annotation is bool:
            st.checkbox(value=value, **common)
        elif choices := get_args(info.annotation):
            st.selectbox(options=choices, index=choices.index(value), **common)
        else:
            low, high = _bounds(info)
            shown = "%g" if isinstance(value, float) else None
            step = (info.json_schema_extra or {}).get("step", type(value)(1))
            st.number_input(min_value=low, max_value=high, value=value, step=step, format=shown, **common)


def _bounds(info: FieldInfo) -> tuple[float, float]:
    """Return the least and the greatest value of a field; an open bound is missed by a little."""
    limits = {name: value for limit in info.metadata for name, value in asdict(limit).items()}
    low = limits["gt"] + _LITTLE if "gt" in limits else limits["ge"]
    high = limits["lt"] - _LITTLE if "lt" in limits else limits["le"]
    kind = info.annotation if info.annotation is float else int
    return kind(low), kind(high)


def _show_buttons(path: Path, channels: int) -> None:
    draft = st.session_state["draft"]
    for name, by, icon in (("Move up", -1, "arrow_upward"), ("Move down", 1, "arrow_downward")):
        st.button(
            f":material/{icon}:",
            key=_key(path, name),
            help=name,
            type="tertiary",
            disabled=not can_move(draft.layers, path, by),
            on_click=_rearrange,
            args=(draft.revision, moved, path, by),
        )
    _show_adder((*path[:-1], path[-1] + 1), channels)
    st.button(
        ":material/delete:",
        key=_key(path, "Remove"),
        help="Remove",
        type="tertiary",
        on_click=_rearrange,
        args=(draft.revision, removed, path),
    )


def _show_adder(path: Path, channels: int) -> None:
    key = _key(path, "Add")
    st.menu_button(
        ":material/add:",
        list(KINDS if len(path) == 1 else KINDS_IN_A_RESIDUAL),
        format_func=lambda kind: KINDS[kind].TITLE,
        key=key,
        help="Add a layer below",
        type="tertiary",
        on_click=_add,
        args=(st.session_state["draft"].revision, path, key, channels),
    )


def _add(revision: int, path: Path, key: str, channels: int) -> None:
    _rearrange(revision, inserted, path, new_layer(st.session_state[key], channels))


def _rearrange(revision: int, change: Callable[..., Layers], *arguments: Any) -> None:
    if _stands(revision):
        draft = st.session_state["draft"]
        st.session_state["draft"] = draft._replace(layers=change(draft.layers, *arguments), revision=draft.revision + 1)


def _set(revision: int, path: Path, field: str, key: str) -> None:
    if _stands(revision):
        draft = st.session_state["draft"]
        st.session_state["draft"] = draft._replace(layers=changed(draft.layers, path, field, st.session_state[key]))


def _set_classes(revision: int, path: Path, key: str) -> None:
    if _stands(revision):
        draft = st.session_state["draft"]
        units = CLASSES if st.session_state[key] else _UNITS
        st.session_state["draft"] = draft._replace(layers=changed(draft.layers, path, "units", units))


def _stands(revision: int) -> bool:
    """Say whether the layers are still where they were when a widget was shown, as after a double click they aren't."""
    return "draft" in st.session_state and st.session_state["draft"].revision == revision


def _keep() -> None:
    """Keep the network and choose it; if its name is refused, keep the sentence for the next run."""
    if "draft" not in st.session_state:  # a second click
        return
    draft, name = st.session_state["draft"], st.session_state["draft-name"].strip()
    try:
        save(Architecture(name=name, description=f"Made from {draft.base}.", layers=draft.layers))
    except ValueError as error:
        st.session_state["draft-refused"] = str(error)
    else:
        choose("architecture", name)
        _end()


def _end() -> None:
    st.session_state.pop("draft", None)


def _key(path: Path, what: str) -> str:
    return f"draft-{st.session_state['draft'].revision}-{'-'.join(map(str, path))}-{what}"
