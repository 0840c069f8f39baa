"""What a form is in which a run can leave Duet: an entry of `core.export.FORMATS`."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A form in which a run can leave Duet.

    Args:
        name: what the command line calls it.
        module: the module with its `build(run_id, checkpoint) -> bytes`, by name, as it may import a framework. Where
            it does not, that is the entry's own module.
        title: what people read.
        ending: that of its file, which no other format has.
        description: what it is for, in a sentence.
        position: those with a lower one are offered before it; equals are in the order of their names.
    """

    name: str
    module: str
    title: str
    ending: str
    description: str
    position: int = 100
