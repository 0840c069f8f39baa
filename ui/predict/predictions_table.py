"""What networks make of many images: a table to choose one from, and the same as a file.

picked = show_data_table(runs, files, chosen)      # the chosen one of st.file_uploader's files
"""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit.runtime.uploaded_file_manager import UploadedFile

from core.config import FRAMEWORK_TITLES
from core.inference.answers import Prediction, Unreadable
from core.inference.predictions import prediction_table, to_csv
from core.inference.preprocessing import Adjustments
from core.inference.service import prediction_service
from core.runs import FinishedRun
from ui.predict.advanced import Advanced
from ui.shared.data_table import show_data_table
from ui.shared.formatting import escape_markdown
from ui.shared.picture import data_url

_MOST_REASONS = 5
_SHOWN_EVERY = 10


def show_table(runs: Sequence[FinishedRun], files: Sequence[UploadedFile], chosen: Advanced) -> UploadedFile | None:
    """Show a row an image that can be read; return the chosen image, the first one at the start."""
    answers = {run.id: _read_all(run, files, chosen) for run in runs}
    first = answers[runs[0].id]
    _show_reasons([one for one in first if isinstance(one, Unreadable)])
    readable = [i for i in range(len(files)) if all(isinstance(answers[run.id][i], Prediction) for run in runs)]
    if not readable:
        return None
    shown: dict[str, list[Any]] = {
        "image": [data_url(one.pixels) for i in readable if isinstance(one := first[i], Prediction)]
    }
    columns: dict[str, Any] = {"image": st.column_config.ImageColumn("", width=60)}
    for run in runs:
        title = _name(run, runs)
        found = [(one.label, one.probability) for i in readable if isinstance(one := answers[run.id][i], Prediction)]
        shown |= {f"{title}: predicted": [label for label, _ in found], f"{title}'s probability": [p for _, p in found]}
        columns[f"{title}'s probability"] = st.column_config.ProgressColumn(
            format="percent", min_value=0, max_value=1, width=160
        )
    notes = [
        "; ".join(
            dict.fromkeys(w for run in runs if isinstance(one := answers[run.id][i], Prediction) for w in one.warnings)
        )
        for i in readable
    ]
    if any(notes):
        shown["Note"] = notes
    shown["File"] = [files[i].name for i in readable]  # last: a phone shows the first columns
    event = show_data_table(
        pd.DataFrame(shown),
        key="readings",
        width="content",
        hide_index=True,
        column_config=columns,
        row_height=40,
        height=min(40 * len(readable) + 40, 400),
        on_select="rerun",
        selection_mode="single-row-required",
        selection_default={"selection": {"rows": [0]}},
    )
    tables = [prediction_table(answers[run.id]).assign(run=run.id, framework=run.config.framework) for run in runs]
    st.download_button(
        "Download as CSV",
        to_csv(pd.concat(tables)),
        file_name="predictions.csv",
        mime="text/csv",
        icon=":material/download:",
        on_click="ignore",
    )
    rows = [row for row in event.selection.rows if row < len(readable)]
    return files[readable[rows[0] if rows else 0]]


def _name(run: FinishedRun, runs: Sequence[FinishedRun]) -> str:
    """Return the framework, or the run's id as well where several have that."""
    title = FRAMEWORK_TITLES[run.config.framework]
    alike = sum(other.config.framework == run.config.framework for other in runs)
    return title if alike == 1 else f"{title} {run.id}"


def _read_all(run: FinishedRun, files: Sequence[UploadedFile], chosen: Advanced) -> list[Prediction | Unreadable]:
    title = FRAMEWORK_TITLES[run.config.framework]
    progress = st.empty()
    answers = []
    for i, file in enumerate(files):
        if i % _SHOWN_EVERY == 0:
            progress.progress(i / len(files), f"{title}: image {i + 1} of {len(files)}")
        answers.append(
            _read_once(run, file.file_id, chosen.adjustments, chosen.is_calibrated, chosen.epoch_of(run), file)
        )
    progress.empty()
    return answers


@st.cache_data(max_entries=2000, show_spinner=False, hash_funcs={FinishedRun: lambda run: run.id, Adjustments: repr})
def _read_once(
    run: FinishedRun,
    file_id: str,  # noqa: ARG001, the cache's key
    adjustments: Adjustments,
    is_calibrated: bool,
    epoch: int | None,
    _file: UploadedFile,
) -> Prediction | Unreadable:
    """Read a file that may be asked for at every rerun; the steps, which are large, are left out."""
    service = prediction_service(run.config.framework)
    read = service.read(run.id, _file.getvalue(), _file.name, adjustments, calibrated=is_calibrated, epoch=epoch)
    return read if isinstance(read, Unreadable) else read._replace(steps=())


def _show_reasons(refused: Sequence[Unreadable]) -> None:
    for one in refused[:_MOST_REASONS]:
        st.error(escape_markdown(one.reason), icon=":material/broken_image:")
    if len(refused) > _MOST_REASONS:
        st.error(f"{len(refused) - _MOST_REASONS} more images cannot be read; the CSV says why.")
