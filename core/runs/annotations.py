"""What users write on runs: names, notes and tags; and deleting them, which can be undone until they are purged."""

import time
from collections.abc import Iterable
from shutil import rmtree

import sqlalchemy as sa

from core.runs.lists import Lists
from core.runs.run import INACTIVE
from core.runs.schema import runs, tags
from core.system.paths import run_directory

_NAME_LENGTH = 100
_TAG_LENGTH = 40
_NOTE_LENGTH = 10_000


class Annotations(Lists):
    """The part of the store that is about names, notes, tags and deleting."""

    def rename(self, run_id: str, name: str) -> None:
        """Call a run by a name; an empty one takes the name away.

        Raises:
            ValueError: if there is no such run, or the name is too long.
        """
        self._label(run_id, name=_checked("Name", " ".join(name.split()), _NAME_LENGTH) or None)

    def annotate(self, run_id: str, note: str) -> None:
        """Keep a note with a run, of one line or many; an empty one takes the note away.

        Raises:
            ValueError: if there is no such run, or the note is too long.
        """
        self._label(run_id, note=_checked("Note", note.strip(), _NOTE_LENGTH) or None)

    def tag(self, run_id: str, add: Iterable[str] = (), remove: Iterable[str] = ()) -> None:
        """Put tags on a run, and take others off.

        Raises:
            ValueError: if there is no such run, or a tag is empty or too long.
        """
        added, removed = ({" ".join(tag.split()) for tag in given} for given in (add, remove))
        for tag in added:
            if not _checked("Tag", tag, _TAG_LENGTH):
                raise ValueError(f"Tag: expected 1 to {_TAG_LENGTH} characters, received none.")
        self.get(run_id)
        with self._engine.begin() as connection:
            connection.execute(tags.delete().where(tags.c.run_id == run_id, tags.c.tag.in_(added | removed)))
            if added:
                connection.execute(tags.insert(), [{"run_id": run_id, "tag": tag} for tag in sorted(added)])

    def delete(self, run_id: str) -> None:
        """Take a run that is not training off the lists; `restore` undoes it. One that waits is stopped.

        Raises:
            ValueError: if there is no such run, it is training, or it is deleted already.
        """
        now = time.time()
        mine = runs.c.id == run_id
        with self._engine.begin() as connection:
            connection.execute(
                runs.update().where(mine, runs.c.state == "queued").values(state="stopped", ended_at=now)
            )
            changed = connection.execute(
                runs.update()
                .where(mine, runs.c.state.in_(INACTIVE), runs.c.deleted_at.is_(None))
                .values(deleted_at=now)
            )
        if not changed.rowcount:
            run = self.get(run_id)
            if run.deleted_at is not None:
                raise ValueError(f"Run {run_id} is deleted already: restore brings it back.")
            raise ValueError(f"Run {run_id} is {run.state}: stop it, then delete it.")

    def restore(self, run_id: str) -> None:
        """Undo a deletion.

        Raises:
            ValueError: if there is no such run, or no longer, or it is not deleted.
        """
        restored = runs.update().where(runs.c.id == run_id, runs.c.deleted_at.is_not(None)).values(deleted_at=None)
        with self._engine.begin() as connection:
            changed = connection.execute(restored).rowcount
        if not changed:
            raise ValueError(f"Run {self.get(run_id).id} is not deleted, so there is nothing to restore.")

    def purge(self, older_than_s: float = 0) -> list[str]:
        """Remove for good what was deleted so many seconds ago or earlier, by default all of it; return the ids.

        The folder goes first: if this is cut off, the run is still listed as deleted, and purged the next time.
        """
        query = sa.select(runs.c.id).where(runs.c.deleted_at.is_not(None))
        if older_than_s:  # all of it also where the clock was set back since
            query = query.where(runs.c.deleted_at <= time.time() - older_than_s)
        with self._reading() as connection:
            doomed = list(connection.scalars(query))
        for run_id in doomed:
            directory = run_directory(run_id)
            if directory.exists():
                rmtree(directory)
            with self._engine.begin() as connection:
                connection.execute(runs.delete().where(runs.c.id == run_id, runs.c.deleted_at.is_not(None)))
        return doomed

    def _label(self, run_id: str, **values: str | float | None) -> None:
        self.get(run_id)
        with self._engine.begin() as connection:
            connection.execute(runs.update().where(runs.c.id == run_id).values(**values))


def _checked(title: str, text: str, length: int) -> str:
    if len(text) > length:
        raise ValueError(f"{title}: expected at most {length:,} characters, received {len(text):,}.")
    if "\0" in text:  # PostgreSQL keeps none
        raise ValueError(f"{title}: expected text, received a NUL character.")
    return text
