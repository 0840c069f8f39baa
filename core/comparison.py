"""What tells runs apart: the settings in which they differ, and the test images that only one reads.

differing_settings([run.config for run in runs])     # {"Framework": ["pytorch", "tensorflow"]}
run_labels(runs)                                     # short names, unique
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from core.config import FRAMEWORK_TITLES, RunConfig
from core.runs import Run


def differing_settings(configs: Sequence[RunConfig]) -> dict[str, list[Any]]:
    """Return the title of each setting in which configs differ, with the value of each config."""
    values = {
        field.title: [getattr(config, name) for config in configs] for name, field in RunConfig.model_fields.items()
    }
    return {title: each for title, each in values.items() if any(value != each[0] for value in each)}


def run_labels(runs: Sequence[Run]) -> dict[str, str]:
    """Return a name for each run id by which people can tell these runs apart."""
    titles = {run.id: f"{run.config.architecture} · {FRAMEWORK_TITLES[run.config.framework]}" for run in runs}
    often = Counter(titles.values())
    return {run_id: title if often[title] == 1 else f"{title} · {run_id[:4]}" for run_id, title in titles.items()}
