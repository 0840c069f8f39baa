"""Where what is deleted goes, so that it can be brought back.

    trash = Trash("data set", data_dir() / "datasets", data_dir() / "trash" / "datasets")
    trash.delete("pets")                # out of the folder
    trash.restore("pets")               # the one that was deleted last is back in it

What is deleted keeps its name, with the time in nanoseconds behind a tilde, which tells apart what had the same name.
"""

from collections.abc import Iterator
from pathlib import Path
from time import time_ns

from core.system.files import move
from core.system.text import quoted


class Trash:
    """What was deleted of one kind of files or folders. Whoever calls holds the lock of that kind, if it has one."""

    def __init__(self, kind: str, place: Path, trash: Path, suffix: str = ""):
        """Describe a trash.

        Args:
            kind: what is deleted, for messages, such as "data set".
            place: the folder that things are deleted from and come back to.
            trash: where they lie meanwhile, in the same file system; made when something is deleted.
            suffix: what the names of files end in, such as ".json"; it is no part of the name that is asked by.
        """
        self._kind = kind
        self._place = place
        self._trash = trash
        self._suffix = suffix

    def delete(self, name: str) -> None:
        """Move what has a name out of its place.

        Raises:
            ValueError: if nothing has, as where somebody else has just deleted it.
        """
        place = self._place / f"{name}{self._suffix}"
        if not place.exists():
            raise ValueError(f"Expected the name of a {self._kind}, received {quoted(name)}.")
        self._trash.mkdir(parents=True, exist_ok=True)
        # By the newest that is there, as a clock may have been set back since.
        number = max((time_ns(), *(number + 1 for number, _ in self._entries(name))))
        move(place, self._trash / f"{name}~{number}{self._suffix}")

    def restore(self, name: str) -> None:
        """Put what was deleted last of a name back into its place.

        Raises:
            ValueError: if nothing of that name was deleted, or something else has the name now.
        """
        deleted = self.find(name)
        if deleted is None:
            raise ValueError(f"Expected the name of a {self._kind} that was deleted, received {quoted(name)}.")
        place = self._place / f"{name}{self._suffix}"
        if place.exists():
            raise ValueError(
                f"Expected that the name {quoted(name)} is free, but a newer {self._kind} has it: delete that first."
            )
        move(deleted, place)

    def find(self, name: str) -> Path | None:
        """Return where what was deleted last of a name lies; None if nothing was."""
        return max(self._entries(name), default=(0, None))[1]

    def names(self) -> set[str]:
        """Return the names of all that was deleted."""
        return {name for name, _, _ in self._all()}

    def _entries(self, wanted: str) -> list[tuple[int, Path]]:
        return [(number, path) for name, number, path in self._all() if name == wanted]

    def _all(self) -> Iterator[tuple[str, int, Path]]:
        """Yield the name, the time and the place of each; an older Duet gave networks no time."""
        for path in self._trash.glob(f"*{self._suffix}"):
            name, _, number = path.name.removesuffix(self._suffix).partition("~")
            yield name, int(number) if number.isdecimal() else 0, path
