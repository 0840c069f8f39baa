"""The encoding of bytes that are not UTF-8: names in archives and labels in tables, often of one or two letters.

    guess_encoding([b"K\\xe4se", b"K\\xf6se"])         # "cp1252"

Detectors made for whole texts fail on so little, so a reading is judged by what speaks against it: symbols
inside words, scripts that mix in one word, words of nothing but accents, and characters that are rare.
"""

import unicodedata
from collections.abc import Iterable
from itertools import pairwise

CANDIDATES = (
    *("cp1252", "cp1251", "gbk", "cp932", "big5", "cp949", "cp1250", "cp1253", "cp1254", "cp1255", "cp1256"),
    *("cp437", "cp850", "cp866", "koi8-r", "mac-roman"),
)
"""The encodings that are tried, the more frequent first."""

_IDEOGRAPHS = {"gbk": "gb2312", "cp932": "shift_jis"}
"""The sets that hold the everyday characters of an encoding."""

_RARE = 1.0
_ODD = 1.5


def is_utf8(data: bytes) -> bool:
    """Say whether bytes are UTF-8."""
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def guess_encoding(texts: Iterable[bytes]) -> str:
    """Return the encoding of texts that were written by one program, in Python's words.

    `utf-8` if all are that; otherwise that of `CANDIDATES` which gives the most plausible words.
    """
    texts = sorted({text for text in texts if not text.isascii()})
    if all(map(is_utf8, texts)):
        return "utf-8"
    return min(CANDIDATES, key=lambda encoding: sum(_implausibility(text, encoding) for text in texts))


def _implausibility(text: bytes, encoding: str) -> float:
    """Return how much speaks against a reading, 0 for nothing."""
    try:
        read = text.decode(encoding)
    except UnicodeDecodeError:
        return 1e9
    return sum(_of_word(word, encoding) for word in _words(read))


def _words(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or not letter.isascii() else " " for letter in text).split()


def _of_word(word: str, encoding: str) -> float:
    against = 0.0
    scripts = set()
    for letter in word:
        if letter.isascii():
            scripts |= {"LATIN"} if letter.isalpha() else set()
            continue
        category = unicodedata.category(letter)
        if category[0] not in "LM":
            against += 3 * _ODD if category in ("Cc", "Cn", "Co") else _ODD
            continue
        script = unicodedata.name(letter, "UNNAMED").split()[0]
        scripts.add("CJK" if script in ("HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA") else script)
        against += _RARE * _is_rare(letter, script, encoding)
    accents = sum(not letter.isascii() for letter in word)
    if scripts == {"LATIN"} and accents > max(1, len(word) // 2):
        against += accents * _ODD / 2
    if any(before.islower() and after.isupper() for before, after in pairwise(word)):
        against += _ODD / 2
    return against + _ODD * max(0, len(scripts) - 1)


def _is_rare(letter: str, script: str, encoding: str) -> bool:
    """Say whether a letter is seldom used by those who use the encoding."""
    if script == "HALFWIDTH":
        return True
    if script == "LATIN" and encoding in ("cp1252", "mac-roman", "cp850", "cp437"):
        return False
    if script != "CJK":
        return False
    if encoding == "big5":
        return not 0xA440 <= int.from_bytes(letter.encode("big5", "replace")) <= 0xC67E
    try:
        place = letter.encode(_IDEOGRAPHS.get(encoding, "gb2312"))
    except UnicodeEncodeError:
        return True
    # The first level of GB 2312 ends with row 55, that of JIS X 0208 with row 47.
    return place[0] > (0xD7 if _IDEOGRAPHS.get(encoding) == "gb2312" else 0x98)
