"""The layer kinds, a file each: what is a module in this folder, is a kind.

    KINDS["convolution"]                      # the class of its record
    Layer                                     # any of them, for pydantic, told apart by `kind`

To add one, add its file; `core.networks.kind.LayerKind` says what it has to hold.
"""

import importlib
import pkgutil
from typing import TYPE_CHECKING, Annotated, Union

from pydantic import Field

from core.networks.kind import LayerKind


def _find_kinds() -> dict[str, type[LayerKind]]:
    """Import each module of this package and return the class that it defines, by kind, in the order of their titles.

    Raises:
        TypeError: if a module does not define one kind.
    """
    found = {}
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        own = [
            value
            for value in vars(module).values()
            if isinstance(value, type) and issubclass(value, LayerKind) and value.__module__ == module.__name__
        ]
        if len(own) != 1:
            names = ", ".join(kind.__name__ for kind in own) or "none"
            raise TypeError(f"{module.__file__}: expected one class derived from LayerKind, found {names}.")
        found[own[0].model_fields["kind"].default] = own[0]
    return dict(sorted(found.items(), key=lambda item: item[1].TITLE))


KINDS: dict[str, type[LayerKind]] = _find_kinds()
"""The class of each kind."""

if TYPE_CHECKING:
    Layer = LayerKind
else:
    Layer = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007
    _InnerLayer = Annotated[
        Union[tuple(kind for kind in KINDS.values() if kind.IN_A_RESIDUAL)],  # noqa: UP007
        Field(discriminator="kind"),
    ]
    for _kind in KINDS.values():
        # Only now is it known what may stand in a residual.
        _kind.model_rebuild(_types_namespace={"InnerLayer": _InnerLayer})
