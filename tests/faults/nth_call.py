"""Calls to the database, to files and for processes, of which the n-th fails or is the last that a process makes.

for number in count(1):
    with failing(number) as calls:
        act()                               # raises where its n-th call fails
    if calls.made < number:
        break                               # there were no more

was_cut(act, number)                        # the same in a process of its own, which ends there
"""

import builtins
import errno
import io
import os
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import sqlalchemy as sa

from core.runs import StoreError

_FILE_CALLS = ("open", "fsync", "replace", "rename", "mkdir", "unlink", "rmdir")
_REFUSALS = (OSError, sa.exc.SQLAlchemyError, StoreError, ValueError)
"""What may come of a call that has failed: the error itself, or a sentence."""

_CUT = 77
"""How a process ends that was cut off."""


class Calls:
    """How many calls were made so far; the one of a number does not come to pass."""

    def __init__(self, number: int, fail: Callable[[Exception], None]):
        self.made = 0
        self._number, self._fail = number, fail
        self._thread = threading.get_ident()

    def count(self, error: Exception) -> None:
        """Count a call of this thread, and let it fail with an error if it is the one."""
        if threading.get_ident() == self._thread:
            self.made += 1
            if self.made == self._number:
                self._fail(error)


@contextmanager
def failing(number: int) -> Iterator[Calls]:
    """Let the call of a number raise what the disk or the database would; an error that comes of it is no surprise."""
    with _counted(Calls(number, _raise)) as calls, suppress(*_REFUSALS):
        yield calls


@contextmanager
def undisturbed() -> Iterator[Calls]:
    """Let every call come to pass, but for processes, which are counted and not started."""
    with _counted(Calls(0, _raise)) as calls:
        yield calls


def was_cut(act: Callable[[], object], number: int) -> bool:
    """Do something in a process that ends at the call of a number, and say whether it came to that."""
    pid = os.fork()
    if pid == 0:
        code = 0
        try:
            with _counted(Calls(number, lambda _error: os._exit(_CUT))):
                act()
        except BaseException:
            code = 1
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, _CUT), f"It ended with {code} before its call {number}."
    return code == _CUT


def _raise(error: Exception) -> None:
    raise error


@contextmanager
def _counted(calls: Calls) -> Iterator[Calls]:
    full = OSError(errno.EIO, os.strerror(errno.EIO))
    refused = sa.exc.OperationalError("", None, sqlite3.OperationalError("disk I/O error"))

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: object, **options: object) -> Any:
            calls.count(full)
            return original(*arguments, **options)

        return call

    def spawned(*_arguments: object, **_options: object) -> SimpleNamespace:
        """Start nothing, and be counted."""
        calls.count(full)
        return SimpleNamespace(pid=os.getpid(), poll=lambda: None)

    def execute(*_arguments: object) -> None:
        calls.count(refused)

    with ExitStack() as stack:
        for name in _FILE_CALLS:
            stack.enter_context(patch.object(os, name, counted(getattr(os, name))))
        for owner in (builtins, io):
            stack.enter_context(patch.object(owner, "open", counted(owner.open)))
        stack.enter_context(patch.object(subprocess, "Popen", spawned))
        for event in ("before_cursor_execute", "commit"):
            sa.event.listen(sa.Engine, event, execute)
            stack.callback(sa.event.remove, sa.Engine, event, execute)
        yield calls
