"""The settings of a run as options say them, beside a recipe or an earlier run."""

from collections.abc import Mapping
from typing import Any

from core.config import RunConfig, configure
from core.datasets import usual_validation_part


def configure_chosen(chosen: Mapping[str, Any]) -> RunConfig:
    """Check what is chosen and return the run; where that says nothing of it, validation images are taken as is usual.

    Raises:
        ValueError: as `configure` does.
    """
    config = configure(**chosen)
    if "validation_part" in chosen:
        return config
    return config.model_copy(update={"validation_part": usual_validation_part(config.dataset)})
