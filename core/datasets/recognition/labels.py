"""Labels as they are written to the names of classes: text that stays text, joined only where that is told.

naming = name_classes(["1.0", "2.0", "1"])
naming.names                # {"1.0": "1", "2.0": "2", "1": "1"}
naming.notes                # ("Joined: '1' and '1.0' are one class, 1.",)
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import NamedTuple

MAX_LENGTH = 255
"""The longest name of a class, in characters: what file systems take."""

_BIDIRECTIONAL = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Marks that show the letters after them in another order."""

_NO_TEXT = {"Cs": "half of a letter", "Cc": "a control character", "Zl": "a line's end", "Zp": "a paragraph's end"}
"""What is wrong with letters of these categories."""

_WHOLE = re.compile(r"-?[0-9]+(\.0+)?")

_SAVETXT = re.compile(r"[+-]?[0-9]\.[0-9]{18}e[+-][0-9]{2}")
"""A number as `numpy.savetxt` writes it unless told otherwise."""

_TOLD = 5


class Naming(NamedTuple):
    """The name of the class of each label as written, and a sentence for each joining."""

    names: Mapping[str, str]
    notes: tuple[str, ...]


def check_label(label: str) -> str:
    """Return a label as it is.

    Raises:
        ValueError: if it is no text that can be shown and stored; the message says what was expected instead.
    """
    if not label.strip():
        raise ValueError("a class, received an empty text")
    if len(label) > MAX_LENGTH:
        raise ValueError(f"a class of at most {MAX_LENGTH} characters, received {len(label):,}: shorten it")
    for letter in label:
        reason = _NO_TEXT.get(unicodedata.category(letter))
        reason = "a mark that reorders letters" if letter in _BIDIRECTIONAL else reason
        reason = "a letter that cannot be read" if letter == "\N{REPLACEMENT CHARACTER}" else reason
        if reason or ord(letter) & 0xFFFE == 0xFFFE:  # the last two of each plane are no characters
            raise ValueError(
                f"text, received {ascii(label)[:60]} with {reason or 'no letter'}, U+{ord(letter):04X}: rename the "
                "class"
            )
    return label


def name_classes(labels: Iterable[str]) -> Naming:
    """Return the name of each label.

    Space at the ends goes, and the composed and decomposed spellings of a letter are one. Where all labels are
    whole numbers, some with decimals, the decimals go. Everything else stays as it is written.
    """
    labels = sorted(set(labels))
    names = {label: unicodedata.normalize("NFC", label.strip()) for label in labels}
    if all(_WHOLE.fullmatch(name) for name in names.values()):
        names = {label: name.partition(".")[0] for label, name in names.items()}
    elif all(_SAVETXT.fullmatch(name) for name in names.values()):
        names = {label: _whole(name) for label, name in names.items()}
    written: dict[str, list[str]] = {}
    for label, name in names.items():
        written.setdefault(name, []).append(label)
    joined = [
        f"{' and '.join(map(repr, several))} are one class, {name}" for name, several in written.items() if several[1:]
    ]
    more = f", and {len(joined) - _TOLD:,} more" if len(joined) > _TOLD else ""
    notes = [f"Joined: {'; '.join(joined[:_TOLD])}{more}."] if joined else []
    return Naming(names, tuple(notes))


def in_order(names: Iterable[str]) -> list[str]:
    """Return class names in order: numbers by value, also inside of names, so that `class 2` is before `class 10`."""
    return sorted(names, key=_key)


def _key(name: str) -> tuple:
    if re.fullmatch(r"-?[0-9]+", name) and len(name) < 1000:
        return (0, int(name), name)
    parts = re.split(r"([0-9]+)", name)
    return (1, [(1, part, 0) if place % 2 == 0 else (0, "", int(part)) for place, part in enumerate(parts)], name)


def _whole(number: str) -> str:
    value = float(number)
    return str(int(value)) if value.is_integer() and abs(value) < 2**53 else number
