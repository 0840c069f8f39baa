"""The optimizers, by name: each is a module of this package, and nothing outside it lists them.

    OPTIMIZERS["adam"].title

A new one is a new module with its entry as `OPTIMIZER`, see `core.config.optimizer`. The page, the command line, both
engines, both exported scripts, the parity study and the tests take it from here.
"""

import importlib
import pkgutil
from collections.abc import Mapping

from core.config.optimizer import Optimizer


def _discover() -> dict[str, Optimizer]:
    entries = [
        importlib.import_module(f"{__name__}.{module.name}").OPTIMIZER for module in pkgutil.iter_modules(__path__)
    ]
    return {entry.name: entry for entry in sorted(entries, key=lambda entry: (entry.position, entry.name))}


OPTIMIZERS: Mapping[str, Optimizer] = _discover()
"""Every optimizer, in the order in which they are offered."""
