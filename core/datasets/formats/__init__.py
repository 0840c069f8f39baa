"""The formats that images come in, one module each; see `core.datasets.formats.source` for what such a module has.

A new format is a new file here. What recognises more than others do says so by a `POSITION` behind theirs.
"""

import importlib
import pkgutil
from types import ModuleType

_USUAL_POSITION = 50


def find_formats() -> tuple[ModuleType, ...]:
    """Return the modules here that recognise a source, in the order in which they are asked.

    That is the order of their `POSITION`, 50 where they have none, and among equals of their names: the more
    particular come before the more general.
    """
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    formats = [module for module in modules if hasattr(module, "detect")]
    return tuple(sorted(formats, key=lambda module: (getattr(module, "POSITION", _USUAL_POSITION), module.__name__)))
