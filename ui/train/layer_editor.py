"""The editor in which a copy of a network is changed, one row a layer, with shapes and counts that follow.

    st.button("Change a copy", on_click=begin)
    show_editor(input_shape, classes)         # shows it while a copy is being changed

Only a network that can learn the images can be saved, under a name of its own. Each layer has a number from its birth,
by which its row, its fields and its buttons go: what is typed or clicked while the page still changes reaches the layer
that it was meant for, wherever that is by then.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from types import MappingProxyType
from typing import Any, NamedTuple, get_args

import streamlit as st
from pydantic.fields import FieldInfo
from streamlit.delta_generator import DeltaGenerator

from core.networks.editing import (
    KINDS_IN_A_RESIDUAL,
    Identities,
    Layers,
    Path,
    can_move,
    changed,
    find_path,
    identify,
    identity_paths,
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
from core.networks.registry import free_name, get_architecture, save
from ui.shared.dialogs import show_dialog
from ui.shared.formatting import escape_markdown
from ui.shared.settings import choose, settings
from ui.train.layer_table import sizes

_COLUMNS = (5, 13, 5, 6)
_FIELD_WIDTH = 112
_UNITS = 64


class _Draft(NamedTuple):
    """A copy that is being changed. What a field does not take is `refused`, with the reason, until it is mended."""

    base: str
    layers: Layers
    identities: Identities
    refused: Mapping[tuple[int, str], str] = MappingProxyType({})

    def refusals(self) -> dict[int, str]:
        """Return for each layer that is still here what its fields have refused."""
        here = dict(identity_paths(self.identities))
        return {number: reason for (number, _), reason in self.refused.items() if number in here}


def begin() -> None:
    """Open the editor on a copy of the network that is chosen by now, which the page may not show yet."""
    if "draft" in st.session_state:  # a second click, which must not throw away what was changed since the first
        return
    try:
        architecture = get_architecture(settings()["architecture"])
    except ValueError as error:  # it was deleted in another tab
        st.toast(escape_markdown(str(error)), icon=":material/error:")
        return
    st.session_state["draft"] = _Draft(
        architecture.name, architecture.layers, identify(architecture.layers, _take_numbers(architecture.layers))
    )
    st.session_state["draft-name"] = free_name(architecture.name)
    st.session_state["draft-shown"] = {}


def _name() -> str:
    """Return the name as it is typed; a run of the page that could not show the editor has forgotten its field."""
    name: str = st.session_state.setdefault("draft-name", free_name(st.session_state["draft"].base))
    return name


def _take_numbers(layers: Layers) -> int:
    """Return the first of so many numbers that no layer of this visit has had."""
    first = st.session_state.get("draft-numbers", 0)
    st.session_state["draft-numbers"] = first + sum(1 for _ in places(layers))
    return first


def show_editor(input_shape: Shape, classes: int) -> None:
    """Show the editor if a copy is being changed."""
    if "draft" in st.session_state:
        show_dialog(
            f"Change a copy of {escape_markdown(st.session_state['draft'].base)}",
            _edit,
            input_shape,
            classes,
            width="large",
            icon=":material/layers:",
            on_dismiss=_end,
        )


def _edit(input_shape: Shape, classes: int) -> None:
    if "draft" not in st.session_state:  # it was saved
        st.rerun()
    draft = st.session_state["draft"]
    rows, misfit = _follow(draft.layers, input_shape, classes)
    _show_head(rows, misfit, input_shape, classes)
    title, _, shape, buttons = st.columns(_COLUMNS, vertical_alignment="center")
    title.markdown("**Images**")
    shape.markdown(sizes(input_shape))
    with buttons, st.container(horizontal=True, horizontal_alignment="right"):
        _show_adder(None, KINDS, input_shape, classes)
    refusals = draft.refusals()
    numbers = [number for number, _ in identity_paths(draft.identities)]
    taken = _take_places(numbers)
    for place, ((path, name, layer), number) in enumerate(zip(places(draft.layers), numbers, strict=True)):
        with _row(taken[place], place, number):
            _show_layer(number, path, name, layer, rows.get(name), input_shape, classes)
            if number in refusals:
                st.error(escape_markdown(refusals[number]), icon=":material/error:")
            elif misfit and misfit.layer == name:
                st.error(misfit.reason, icon=":material/error:")


def _take_places(numbers: Sequence[int]) -> list[DeltaGenerator]:
    """Return a place for each layer's row, and empty those that another layer's row was in.

    What is shown in a place stays there until it is replaced or the run ends, and its fields take what is typed. So no
    row is shown in a new place before its old one was emptied, also that below the last row, or it would be there
    twice. What is noted of a place is true wherever a run is broken off.
    """
    shown: dict[int, int] = st.session_state["draft-shown"]
    taken = []
    for place in range(max(len(numbers), *(place + 1 for place in shown), 0)):
        number = numbers[place] if place < len(numbers) else None
        if number is not None and shown.get(place, number) == number:
            taken.append(st.container(key=_row_key(number)))
            shown[place] = number
        else:
            taken.append(st.empty())
            shown.pop(place, None)
    return taken


def _row(taken: DeltaGenerator, place: int, number: int) -> DeltaGenerator:
    """Return the container of a layer's row in its place, by whose key it stays the same one in the browser."""
    shown: dict[int, int] = st.session_state["draft-shown"]
    if place not in shown:
        taken = taken.container(key=_row_key(number))
        shown[place] = number
    return taken


def _row_key(number: int) -> str:
    return f"layer-{number}"


def _follow(layers: Layers, input_shape: Shape, classes: int) -> tuple[dict[str, LayerRow], LayerError | None]:
    """Return the rows up to the first layer that does not fit, by name, and what is wrong with that one."""
    tried = Architecture(name=_name(), description="", layers=layers)
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


def _show_head(rows: dict[str, LayerRow], misfit: LayerError | None, input_shape: Shape, classes: int) -> None:
    """Show the network's name, the button that saves it, and what it comes to."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input("Name", key="draft-name", max_chars=40, width=280)
        # Not disabled while something does not fit: it may have been mended just now, which the page does not know yet.
        st.button(
            "Save and use",
            type="primary",
            icon=":material/check:",
            key="save-network",
            on_click=_save,
            args=(input_shape, classes),
        )
    if misfit is None:
        total = sum(row.parameters for row in rows.values())
        st.markdown(f"**{total:,} parameters** · {classes} classes")
    elif misfit.layer:
        st.markdown(f":red[:material/error: `{misfit.layer}` does not fit.]")
    else:
        st.markdown(f":red[:material/error: {misfit.reason}]")
    if refused := st.session_state.pop("draft-refused", None):
        st.error(escape_markdown(refused), icon=":material/error:")


def _show_layer(
    number: int, path: Path, name: str, layer: Layer, row: LayerRow | None, input_shape: Shape, classes: int
) -> None:
    title, fields, shape, buttons = st.columns(_COLUMNS, vertical_alignment="center")
    title.markdown(("&emsp;↳ " if len(path) > 1 else "") + f"**{layer.TITLE}**  \n:gray[:small[{name}]]")
    with fields, st.container(horizontal=True, vertical_alignment="bottom"):
        _show_fields(number, layer)
    if row:
        count = f"  \n:gray[:small[{row.parameters:,} parameters]]" if row.parameters else ""
        shape.markdown(f"{sizes(row.output_shape)}{count}")
    else:
        shape.markdown("–")
    with buttons, st.container(horizontal=True, horizontal_alignment="right", gap="small"):
        _show_buttons(number, path)
        _show_adder(number, KINDS if len(path) == 1 else KINDS_IN_A_RESIDUAL, input_shape, classes)
        st.button(
            ":material/delete:",
            key=_key(number, "Remove"),
            help="Remove",
            type="tertiary",
            on_click=_rearrange,
            args=(number, removed),
        )


def _show_fields(number: int, layer: Layer) -> None:
    for field, info in _fields(layer).items():
        value = getattr(layer, field)
        if field == "units":
            st.checkbox(
                "= number of classes",
                value == CLASSES,
                key=_key(number, "units-classes"),
                on_change=_set_classes,
                args=(number,),
            )
            if value == CLASSES:
                continue
        common: dict[str, Any] = {
            "label": info.title,
            "help": info.description,
            "key": _key(number, field),
            "on_change": _set,
            "args": (number, field),
            "width": _FIELD_WIDTH,
        }
        if info.annotation is bool:
            st.checkbox(value=value, **common)
        elif choices := get_args(info.annotation):
            st.selectbox(options=choices, index=choices.index(value), **common)
        else:
            # Not bounded here: a browser keeps what it finds out of bounds to itself, and the value before would count.
            shown = "%g" if isinstance(value, float) else None
            extra = info.json_schema_extra if isinstance(info.json_schema_extra, dict) else {}
            step = extra.get("step", type(value)(1))
            st.number_input(value=value, step=step, format=shown, **common)


def _fields(layer: Layer) -> dict[str, FieldInfo]:
    """Return the fields of a layer that can be edited; units as the number that they are if not that of the classes."""
    fields = {name: info for name, info in type(layer).model_fields.items() if name not in ("kind", "layers")}
    if "units" in fields:
        fields["units"] = get_args(fields["units"].annotation)[0].__metadata__[0]
    return fields


def _expected(info: FieldInfo) -> str:
    """Say what numbers a field takes, such as "a whole number from 1 to 4,096"."""
    limits = {name: value for limit in info.metadata for name, value in asdict(limit).items()}
    low = f"above {limits['gt']:,}" if "gt" in limits else f"from {limits['ge']:,}"
    high = f"below {limits['lt']:,}" if "lt" in limits else f"{limits['le']:,}"
    return f"{'a number' if info.annotation is float else 'a whole number'} {low} to {high}"


def _show_buttons(number: int, path: Path) -> None:
    layers = st.session_state["draft"].layers
    for name, by, icon in (("Move up", -1, "arrow_upward"), ("Move down", 1, "arrow_downward")):
        st.button(
            f":material/{icon}:",
            key=_key(number, name),
            help=name,
            type="tertiary",
            disabled=not can_move(layers, path, by),
            on_click=_rearrange,
            args=(number, partial(moved, by=by)),
        )


def _show_adder(number: int | None, kinds: Iterable[str], input_shape: Shape, classes: int) -> None:
    """Offer to add a layer below that of a number, or above all of them."""
    key = _key(number, "Add")
    st.menu_button(
        ":material/add:",
        list(kinds),
        format_func=lambda kind: KINDS[kind].TITLE,
        key=key,
        help="Add a layer below",
        type="tertiary",
        on_click=_add,
        args=(number, key, input_shape, classes),
    )


def _add(number: int | None, key: str, input_shape: Shape, classes: int) -> None:
    draft = st.session_state.get("draft")
    above = find_path(draft.identities, number) if draft and number is not None else None
    if draft is None or (number is not None and above is None):  # a second click, or one on a row that was going
        return
    channels = input_shape[-1]
    if above is not None:
        name = next(name for path, name, _ in places(draft.layers) if path == above)
        row = _follow(draft.layers, input_shape, classes)[0].get(name)
        channels = row.output_shape[-1] if row else _UNITS
    layer, path = new_layer(st.session_state[key], channels), (0,) if above is None else (*above[:-1], above[-1] + 1)
    (identity,) = identify((layer,), _take_numbers((layer,)))
    st.session_state["draft"] = draft._replace(
        layers=inserted(draft.layers, path, layer), identities=inserted(draft.identities, path, identity)
    )


def _rearrange(number: int, change: Callable[..., Any]) -> None:
    """Move or remove a layer, unless it was removed by a click before."""
    draft = st.session_state.get("draft")
    if draft and (path := find_path(draft.identities, number)):
        st.session_state["draft"] = draft._replace(
            layers=change(draft.layers, path), identities=change(draft.identities, path)
        )


def _set(number: int, field: str) -> None:
    _change(number, field, st.session_state[_key(number, field)])


def _set_classes(number: int) -> None:
    _change(number, "units", CLASSES if st.session_state[_key(number, "units-classes")] else _UNITS)


def _take_fields(draft: _Draft) -> None:
    """Set every field to what its widget says: the callback of a button may come before that of a field."""
    for (_, _, layer), (number, _) in zip(places(draft.layers), identity_paths(draft.identities), strict=True):
        for field in _fields(layer):
            if field == "units" and st.session_state.get(_key(number, "units-classes")):
                _set_classes(number)
            elif _key(number, field) in st.session_state:
                _set(number, field)


def _change(number: int, field: str, value: Any) -> None:
    """Set a field of a layer, or note what it refuses."""
    draft: _Draft | None = st.session_state.get("draft")
    if draft is None or (path := find_path(draft.identities, number)) is None:
        return
    layer = next(layer for place, _, layer in places(draft.layers) if place == path)
    if getattr(layer, field) == value and (number, field) not in draft.refused:
        return
    refused = {key: reason for key, reason in draft.refused.items() if key != (number, field)}
    try:
        draft = draft._replace(layers=changed(draft.layers, path, field, value))
    except ValueError:
        info = _fields(layer)[field]
        refused[number, field] = f"{info.title}: expected {_expected(info)}, received {value:,}."
    st.session_state["draft"] = draft._replace(refused=MappingProxyType(refused))


def _save(input_shape: Shape, classes: int) -> None:
    """Save the network and choose it; if that is refused, keep the sentence for the next run."""
    if "draft" not in st.session_state:  # a second click
        return
    _take_fields(st.session_state["draft"])
    draft, name = st.session_state["draft"], _name().strip()
    try:
        for reason in draft.refusals().values():
            raise ValueError(reason)
        if misfit := _follow(draft.layers, input_shape, classes)[1]:
            raise ValueError(f"{misfit.layer}: {misfit.reason}" if misfit.layer else misfit.reason)
        save(Architecture(name=name, description=f"Made from {draft.base}.", layers=draft.layers))
    except ValueError as error:
        st.session_state["draft-refused"] = str(error)
    else:
        choose("architecture", name)
        _end()


def _end() -> None:
    st.session_state.pop("draft", None)


def _key(number: int | None, what: str) -> str:
    return f"draft-{'top' if number is None else number}-{what}"
