"""Add data: bring in images from a file, a path or the catalogue, and rename or delete what was brought in."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.datasets import Dataset, names
from core.datasets.background_import import discard, inspect_apart, receive, start_fetch, start_import
from core.datasets.catalogue import CATALOGUE
from core.datasets.choices import NAMES as CHOICES
from core.datasets.choices import Choices
from core.datasets.importing import Plan
from ui.data.custom_datasets import show_custom_datasets
from ui.data.import_plan import change_guesses, choose_import
from ui.data.import_progress import show_other_imports, watch_import
from ui.shared.formatting import escape_markdown
from ui.shared.presses import forget_presses, pressed

_FORMATS = (
    "A zip, tar archive or folder with one sub-folder of images a class (also below `train` and `test`) or a table of "
    "labels, CSV tables of pixels such as Sign Language MNIST, Parquet tables of images as Hugging Face has them, "
    "NumPy's `.npz` and `.npy`, MATLAB files of SVHN's or EMNIST's form, or IDX files as of MNIST."
)


_GIVEN = "uploaded"
"""What the address calls the names of the files that are looked at, which a new visit does not have any more."""

_MOST_LETTERS = 200

_SHAPE = ("height", "width", "colour")
"""The fields of a plan that say what the images become."""


class _Look(NamedTuple):
    """What was found at `path` for the files or the path `asked`: a plan, or the sentence why there is none.

    `choices` are what was decided otherwise than guessed, and `datasets` those that lie side by side there.
    """

    asked: object
    path: Path
    plan: Plan | None
    refused: str | None
    choices: Choices
    datasets: tuple[str, ...] = ()


def show(_dataset: Dataset) -> None:
    """Show the import that goes on, or let one begin; then what was imported so far."""
    if import_id := st.query_params.get("import"):
        try:
            watch_import(import_id, on_done=_open, on_close=_close)
        except ValueError as error:
            st.error(escape_markdown(str(error)), icon=":material/error:")
            st.button("Close", on_click=_close)
    else:
        sources: dict[str, Callable[[], None]] = {
            "Upload": _from_upload,
            "Path on this machine": _from_path,
            "Well-known data sets": _from_catalogue,
        }
        source = st.segmented_control(
            "From", list(sources), default="Upload", required=True, key="source", bind="query-params", wrap=True
        )
        sources[source]()
        show_other_imports()
    show_custom_datasets()


def _from_upload() -> None:
    st.caption(_FORMATS)
    given = st.query_params.get(_GIVEN)
    have_gone = given is not None and "look" not in st.session_state
    if have_gone and "imports" not in st.session_state:
        st.session_state["imports"] = 1  # an uploader of another key, which does not show files that have gone
    uploads = st.file_uploader("Files", accept_multiple_files=True, key=f"uploads-{st.session_state.get('imports', 0)}")
    if uploads:
        names = ", ".join(upload.name for upload in uploads)
        st.query_params[_GIVEN] = names if len(names) <= _MOST_LETTERS else f"{len(uploads)} files"
        _plan_import(tuple(upload.file_id for upload in uploads), lambda: _receive(uploads))
    elif have_gone:
        st.warning(
            f"What was uploaded is not here any more ({escape_markdown(given or '')}): Duet was started anew, or the "
            "page was loaded anew. Upload it again to import it.",
            icon=":material/upload_file:",
        )
    elif given is not None:
        del st.query_params[_GIVEN]


def _from_path() -> None:
    st.caption(_FORMATS)
    path = st.text_input("File or folder", placeholder="/home/me/photos", key="import-path").strip()
    if path:
        _plan_import(path, lambda: _expanded(path))


def _expanded(path: str) -> Path:
    """Return a path with the home folder for ~; as it is where there is no such user."""
    try:
        return Path(path).expanduser()
    except RuntimeError:
        return Path(path)


def _from_catalogue() -> None:
    st.caption("They are downloaded from where their authors keep them, and checked.")
    for name, entry in CATALOGUE.items():
        known = entry.specification
        with st.container(horizontal=True, vertical_alignment="center", gap="small"):
            st.markdown(
                f"**{known.title}**, {len(known.class_names)} classes, about {entry.megabytes} MB  \n"
                f":gray[{known.source}. Licence: {known.licence}.]",
                width="stretch",
            )
            here = name in names()
            if pressed("Downloaded" if here else "Download", key=f"fetch-{name}", disabled=here):
                _watch(start_fetch(name))


def _plan_import(asked: object, find_path: Callable[[], Path]) -> None:
    """Look at what was given, once; show it, and begin to import it when that is wanted."""
    look: _Look | None = st.session_state.get("look")
    if look is None or look.asked != asked:
        forget_presses()
        with st.spinner("Looking at it …"):
            look = st.session_state["look"] = _inspect(asked, find_path(), before=look)
    if look.plan is None:
        st.error(escape_markdown(look.refused or ""), icon=":material/error:")
        st.button("Look again", on_click=lambda: st.session_state.pop("look", None))
        return
    choices = change_guesses(look.plan, look.choices, look.datasets)
    if choices != look.choices:
        with st.spinner("Looking at it …"):
            changed = _take_look(asked, look.path, choices, look.datasets)
        if changed.plan is not None:
            _forget(*_SHAPE, *CHOICES)  # they begin anew with what the new plan says
            st.session_state["look"] = changed
            st.rerun()
        st.error(escape_markdown(changed.refused or ""), icon=":material/error:")
    elif choice := choose_import(look.plan):
        if not look.path.exists():
            st.error("What was looked at is not here any more: give the files again.", icon=":material/error:")
            return
        _watch(start_import(look.path, choices=choices, **choice))


def _inspect(asked: object, path: Path, before: _Look | None) -> _Look:
    if before is not None:
        discard(before.path)
        _forget("name", *_SHAPE, *CHOICES)  # what was chosen was chosen for other images
    return _take_look(asked, path, Choices())


def _take_look(asked: object, path: Path, choices: Choices, datasets: tuple[str, ...] = ()) -> _Look:
    try:
        plan = inspect_apart(path, choices)
    except ValueError as error:
        return _Look(asked, path, None, str(error), choices, datasets)
    return _Look(asked, path, plan, None, choices, plan.datasets or datasets)


def _forget(*names: str) -> None:
    """Let fields of the plan begin anew with what the plan says."""
    for name in names:
        st.session_state.pop(f"import-{name}", None)


def _receive(uploads: Sequence[UploadedFile]) -> Path:
    return receive([(upload.name, upload) for upload in uploads])


def _watch(import_id: str) -> None:
    """Leave the choice of a source, with nothing chosen, for the import that has begun."""
    st.session_state.pop("look", None)
    st.session_state["imports"] = st.session_state.get("imports", 0) + 1  # an uploader of another key is empty
    st.query_params.pop(_GIVEN, None)
    st.query_params["import"] = import_id
    st.rerun()


def _open(name: str) -> None:
    st.session_state["dataset"] = name
    st.session_state["view"] = "Overview"
    _close()


def _close() -> None:
    st.query_params.pop("import", None)
