"""One thing to say of a run."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Finding:
    """A sentence on a run, with what it rests on.

    Attributes:
        name: that of its check.
        sentence: to be read as text; the names of classes in it are as their data set has them.
        view: of the run's page, where the evidence is to be seen.
        cell: of the confusion matrix, which that view opens, as the page's address has it.
        figures: the numbers that the sentence gives, by name.
    """

    name: str
    sentence: str
    view: str
    figures: Mapping[str, float] = field(default_factory=dict)
    cell: str | None = None

    @property
    def query(self) -> dict[str, str]:
        """What the address of a run's page says to show the evidence."""
        return {"view": self.view} | ({"cell": self.cell} if self.cell else {})

    def as_json(self) -> dict[str, Any]:
        """Return it as the command line tells it."""
        return {"name": self.name, "sentence": self.sentence, "figures": dict(self.figures), **self.query}
