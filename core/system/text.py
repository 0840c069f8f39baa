"""Numbers and lists as people read them, and names that strangers chose as text of one line.

print(printable(name))
"""

import unicodedata
from collections.abc import Iterable, Sequence


def duration(seconds: float) -> str:
    """Return a duration in words, such as "12 s", "3 min 20 s" or "1 h 5 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def shortened(items: Sequence[str], most: int = 5) -> str:
    """Return the first items of a list and how many more there are, such as "a, b and 1,203 more"."""
    return ", ".join(items[:most]) + (f" and {len(items) - most:,} more" if len(items) > most else "")


def in_words(names: Iterable[str]) -> str:
    """Return at least one name as a part of a sentence, such as "SGD, Adam and AdamW"."""
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


_DIRECTION_MARKS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_no_text(letter: str) -> bool:
    """Return whether a character is none that a name is written with.

    Such are control characters (line ends too), line and paragraph separators, marks that turn the direction of
    writing, and lone surrogates.
    """
    return letter in _DIRECTION_MARKS or unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")


def printable(text: str) -> str:
    """Return a text as a terminal may show it in a line: what `is_no_text` as its escape, such as `\\x1b`."""
    return "".join(letter.encode("unicode_escape").decode() if is_no_text(letter) else letter for letter in text)
