"""The optimizers, by name: each is a module of this package, and nothing outside it lists them.

    OPTIMIZERS["adam"].title

A new one is a new module with its entry as `OPTIMIZER`, see `core.config.optimizer`. The page, the command line, both
engines, both exported scripts, the parity study and the tests take it from here.
"""

from collections.abc import Mapping

from core.config.optimizer import Optimizer
from core.system.discovery import discover

OPTIMIZERS: Mapping[str, Optimizer] = discover(__name__, "OPTIMIZER")
"""Every optimizer, in the order in which they are offered."""
