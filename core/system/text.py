"""Numbers and lists as people read them, and names that strangers chose as text of one line.

print(printable(name))
"""

import re
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


def capitalized(text: str) -> str:
    """Return a text with a capital at its beginning, and all else as it is: names in it stay what they are."""
    return text[:1].upper() + text[1:]


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


_FORMULA_BEGINNINGS = tuple("=+-@\t\r\n\uff1d\uff0b\uff0d\uff20")
"""The last four are such signs as wide as Chinese characters, which spreadsheets of some languages take as well."""


def is_like_a_formula(text: str) -> bool:
    """Return whether a spreadsheet would take a text in a cell for a formula, which may ask for an address.

    A number with a sign is a number there.
    """
    return text.startswith(_FORMULA_BEGINNINGS) and not re.fullmatch(r"[+-][0-9]+(\.[0-9]+)?", text)


def quoted(value: object) -> str:
    """Return a text between quotes and otherwise as it is, its backslashes too; `repr` of anything else.

    It stands in a line, as `printable` has it.
    """
    if not isinstance(value, str):
        return repr(value)
    quote = '"' if "'" in value and '"' not in value else "'"
    return f"{quote}{printable(value)}{quote}"
