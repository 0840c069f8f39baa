"""Which runs train the same thing, but for the seed, the framework and how many threads compute it.

settings_key(config.model_dump()) == settings_key(other.model_dump())
"""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from core.config import RunConfig, is_used

_FREE = ("seed", "framework", "threads")
_DEFAULTS = {name: field.default for name, field in RunConfig.model_fields.items()}


def settings_key(settings: Mapping[str, Any]) -> str:
    """Return twelve hexadecimal digits, the same for settings that differ by seed, framework or threads alone.

    Args:
        settings: values of the fields of `RunConfig`; one that is missing has its default.
    """
    whole = {name: settings.get(name, value) for name, value in _DEFAULTS.items()}
    told = {name: _plain(value) for name, value in whole.items() if name not in _FREE and is_used(name, whole)}
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()[:12]


def _plain(value: Any) -> Any:
    """Return a number as a float, as 0 and 0.0 are one setting."""
    return float(value) if isinstance(value, int | float) else value
