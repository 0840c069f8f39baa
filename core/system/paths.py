"""Where Duet keeps what it makes: runs, their database, imported and unpacked data.

`data_dir()` is the folder `checkpoints/` beside the code, or whatever `DUET_HOME` names.
"""

import os
import re
from pathlib import Path

from core.system.text import quoted

PROJECT = Path(__file__).resolve().parents[2]

_RUN_ID = re.compile(r"[0-9a-f]{12}")


def data_dir() -> Path:
    """Return the folder of this installation's runs and data, made if it is not there yet."""
    place = Path(os.environ.get("DUET_HOME") or PROJECT / "checkpoints").expanduser().resolve()
    place.mkdir(parents=True, exist_ok=True)
    return place


def place_in_home(path: Path) -> str:
    """Return what a page calls a file of Duet's: by where it lies in `data_dir()`, whose place is nobody's business."""
    return f"{path.relative_to(data_dir()).as_posix()} in Duet's folder"


def checked_run_id(run_id: str) -> str:
    """Return a run's id as it is.

    Raises:
        ValueError: if it is not twelve hexadecimal digits.
    """
    if not _RUN_ID.fullmatch(run_id):
        raise ValueError(
            f"Run id: expected twelve digits or letters a–f such as 3f9c0a1b2c3d, received {quoted(run_id)}."
        )
    return run_id


def run_directory(run_id: str) -> Path:
    """Return the folder of one run. Only opaque ids make paths, so nothing can point outside.

    Raises:
        ValueError: if `run_id` is not twelve hexadecimal digits.
    """
    return data_dir() / "runs" / checked_run_id(run_id)


def store_url() -> str:
    """Return the database's SQLAlchemy URL: SQLite inside `data_dir()` unless `DUET_STORE` names one."""
    return os.environ.get("DUET_STORE") or f"sqlite:///{data_dir() / 'duet.sqlite3'}"
