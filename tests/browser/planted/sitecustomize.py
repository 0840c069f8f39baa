"""Let the dashboard fail: every page at its start or, where `DUET_PLANTED` names a file, what that file names.

It names a method of the store, which a fragment or a callback calls, or a file of code that another process runs.
Python imports this where its folder is on the path.
"""

import functools
import os
import sys
from pathlib import Path

_FILE = os.environ.get("DUET_PLANTED")
_STORE = "/core/runs/store.py"
_patched = False


def _named() -> list[str]:
    return Path(_FILE).read_text().split() if _FILE and Path(_FILE).exists() else []


def _fail_on(event: str, arguments: tuple) -> None:
    file = getattr(arguments[0], "co_filename", "") if event == "exec" else ""
    if not file:
        return
    if "/pages/" in file:
        if _FILE is None:
            raise RuntimeError(f"planted-error in {file}")
        _patch()
    elif _FILE and "streamlit" not in sys.orig_argv and any(file.endswith(name) for name in _named() if "/" in name):
        raise RuntimeError(f"planted-error in {file}")


def _patch() -> None:
    global _patched
    if _patched:
        return
    _patched = True
    from core.runs import Store

    for name in ("queue", "move"):
        method = getattr(Store, name)

        @functools.wraps(method)
        def failing(*arguments, name=name, method=method, **options):
            if name in _named():
                raise RuntimeError(f"planted-error in {_STORE}")
            return method(*arguments, **options)

        setattr(Store, name, failing)


sys.addaudithook(_fail_on)
