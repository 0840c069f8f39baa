"""Registries that are folders: an entry is a module, and being in the folder is all it takes.

OPTIMIZERS = discover("core.config.optimizers", "OPTIMIZER")
"""

import importlib
import pkgutil
from typing import Any


def discover(package: str, name: str) -> dict[str, Any]:
    """Return what each module of `package` has as `name`, by the entry's own `name`.

    They are in the order of their `position`, and where that is the same, of their names.

    Raises:
        AttributeError: if a module has no such entry.
    """
    path = importlib.import_module(package).__path__
    modules = [importlib.import_module(f"{package}.{module.name}") for module in pkgutil.iter_modules(path)]
    entries = [getattr(module, name) for module in modules]
    return {entry.name: entry for entry in sorted(entries, key=lambda entry: (entry.position, entry.name))}
