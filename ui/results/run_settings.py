"""With which settings runs were trained, and the first batch as they changed it.

show_settings(runs)
"""

from collections.abc import Sequence

import pandas as pd

from core.config import FRAMEWORK_TITLES
from core.datasets import names
from core.runs import Run
from core.studies.comparison import settings_in_words, value_of_setting
from ui.shared.data_table import show_data_table
from ui.shared.first_batch import show_first_batch


def show_settings(runs: Sequence[Run]) -> None:
    """Show a row a setting that does something, a column a run; and of augmented runs what was trained on first."""
    words = settings_in_words([run.config for run in runs])
    rows = {title: values for title, values in words.items() if any(value is not None for value in values)}
    columns = [FRAMEWORK_TITLES[run.config.framework] for run in runs]
    table = pd.DataFrame([[value_of_setting(value) for value in values] for values in rows.values()], columns=columns)
    table.insert(0, "Setting", list(rows))
    show_data_table(table, hide_index=True, width="content", height="content", key="settings-of-run")
    if runs[0].config.dataset in names():
        show_first_batch(runs[0].config)
