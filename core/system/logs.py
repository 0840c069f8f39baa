"""A log that grows, read from where it was last read.

log = read_on(path)
log = read_on(path, log)        # reads only what was written since
log.text
"""

import codecs
from dataclasses import dataclass
from pathlib import Path

KEPT = 20_000
"""How many characters of a log's end are kept."""

_MOST_BYTES = 4 * KEPT  # at most four of them make one character


@dataclass(frozen=True)
class Log:
    """The end of a log, as far as it has been read.

    `position` are the bytes that were read; `pending` those of a character whose end was not written yet.
    """

    text: str = ""
    position: int = 0
    pending: bytes = b""


def read_on(path: Path, log: Log | None = None) -> Log:
    """Return the end of a log, of which `log` was read before. One that is not there yet, or no longer, is empty.

    What is no UTF-8 is shown as �. A log that has become shorter is read anew.
    """
    try:
        with path.open("rb") as file:
            size = file.seek(0, 2)
            before = log if log is not None and log.position <= size else Log()
            skips = size - before.position > _MOST_BYTES
            file.seek(size - _MOST_BYTES if skips else before.position)
            content = file.read(_MOST_BYTES)
            position = file.tell()
    except FileNotFoundError:
        return Log()
    if skips:
        before = Log()
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    text = before.text + decoder.decode(before.pending + content)
    return Log(text[-KEPT:], position, decoder.getstate()[0])
