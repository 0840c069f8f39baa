"""One row of the table of defaults that PyTorch and Keras do not share; `core.engines.framework_defaults` has them all.

What differs in one optimizer only is a row of that optimizer, in `core.config.optimizers`.
"""

from typing import Literal, NamedTuple

DecidedBy = Literal["defaults", "initialisation", "the network", "always", "never"]


class FrameworkDefault(NamedTuple):
    """One default that the frameworks do not share, and what an aligned pair has in its place.

    `decided_by` tells what makes a pair equal: the setting `defaults`, another setting, or Duet itself, which always
    does the same in both.
    """

    name: str
    pytorch: str
    keras: str
    aligned: str
    changes: str
    decided_by: DecidedBy
