"""What the names of files and folders say: which split, whichever words are glued to it.

split_of("trainingSet")          # SplitName("train", "")
split_of("asl_alphabet_test")    # SplitName("test", "asl alphabet")
split_of("train2017")            # SplitName("train", "2017")
split_of("restraint")            # None
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

Role = Literal["train", "validation", "test", "unlabelled"]

_ROLES: dict[str, Role] = {
    **dict.fromkeys(("train", "training", "trn", "tr"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev", "eval", "evaluation"), "validation"),
    **dict.fromkeys(("test", "testing", "tst", "t10k", "te"), "test"),
    **dict.fromkeys(("pred", "predict", "prediction", "predictions", "unlabeled", "unlabelled", "submission"),
                    "unlabelled"),
}  # fmt: skip

_SHORT = {"tr", "te", "dev", "eval", "trn", "tst"}
"""Words that are splits only where they stand alone."""

_NEUTRAL = {
    *("set", "sets", "data", "dataset", "images", "image", "imgs", "img", "pictures", "pics", "photos", "files"),
    *("split", "part", "folder", "dir", "samples", "sample", "csv", "table", "all", "full", "raw", "the", "x", "y"),
    *("labels", "label", "labelled", "labeled", "final", "new"),
}
"""Words that say nothing about what is in a folder."""


class SplitName(NamedTuple):
    """A name that says a split: which, and the words besides that tell one data set from another."""

    role: Role
    rest: str


def words_of(name: str) -> list[str]:
    """Return the words of a name in small letters: parted by signs, digits and capitals, then unglued."""
    parted = re.sub(r"(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", " ", name)
    parted = re.sub(r"(?i)t10k", " tenk ", parted)
    parted = re.sub(r"(?<=[^\W\d_])(?=\d)|(?<=\d)(?=[^\W\d_])", " ", parted)
    words = [word for word in re.split(r"[\W_]+", parted.lower()) if word]
    return ["t10k" if part == "tenk" else part for word in words for part in _unglued(word)]


def split_of(name: str) -> SplitName | None:
    """Return the split that a name without its ending says; None if it says none, or two that differ."""
    words = words_of(name)
    roles = {_ROLES[word] for word in words if word in _ROLES and not (word in _SHORT and len(words) > 1)}
    if "unlabelled" in roles and len(roles) > 1:
        roles = {"unlabelled"}
    if len(roles) != 1:
        return None
    rest = [word for word in words if word not in _ROLES and word not in _NEUTRAL]
    return SplitName(roles.pop(), " ".join(rest))


def families_among(names: Iterable[str]) -> list[dict[str, Role]]:
    """Return which of some names are splits of one data set, for each data set that they name.

    A family has training and something else, whose names agree in all other words: `a_train` and `a_test`, or
    `train` and `my_test`, but not `his_train` and `her_test`.
    """
    names = sorted(set(names))
    said = {name: split for name in names if (split := split_of(name))}
    said |= _by_substitution([name for name in names if name not in said])
    rests: dict[str, dict[str, Role]] = {}
    for name, split in said.items():
        rests.setdefault(split.rest, {})[name] = split.role
    families = [family for family in rests.values() if _is_family(family)]
    if not families:
        together = {name: split.role for name, split in said.items()}
        words = [set(split.rest.split()) - {w for w in split.rest.split() if w.isdigit()} for split in said.values()]
        longest = max(words, key=len, default=set())
        # One of them may be shorter, as `mnist_train` and `test`; two of unlike words are no family.
        if _is_family(together) and all(part in (set(), longest) for part in words):
            families = [together]
    if len(families) == 1:
        of = families[0]
        families = [of | {name: "unlabelled" for name, split in said.items() if split.role == "unlabelled"}]
        labelled = set(of.values())
        families[0] |= {
            name: split.role
            for name, split in said.items()
            if name not in of and split.role not in labelled and not split.rest
        }
    return families


def _is_family(family: Mapping[str, Role]) -> bool:
    roles = set(family.values())
    return "train" in roles and len(roles) > 1


def _by_substitution(names: Sequence[str]) -> dict[str, SplitName]:
    """Return the splits among names with no sign between the words: `mnisttrain` beside `mnisttest`."""
    known = {name.lower(): name for name in names}
    substitutions: tuple[tuple[str, str, Role], ...] = (
        ("training", "testing", "test"),
        ("train", "test", "test"),
        ("train", "valid", "validation"),
        ("train", "val", "validation"),
    )
    found = {}
    for small, name in known.items():
        for train, other, role in substitutions:
            if train in small and small.replace(train, other) in known:
                rest = small.replace(train, "")
                found[name] = SplitName("train", rest)
                found[known[small.replace(train, other)]] = SplitName(role, rest)
    return found


def stem_of(name: str) -> str:
    """Return a file's name without its endings, such as `.csv.gz`; an ending that is a number stays."""
    return re.sub(r"(\.[A-Za-z][A-Za-z0-9]{0,7})+$", "", name) or name


def _unglued(word: str) -> list[str]:
    """Part a word that is a split's name and a neutral one without a sign between, as `trainset` or `ytrain`."""
    if word in _ROLES or word in _NEUTRAL:
        return [word]
    for role in sorted(_ROLES, key=len, reverse=True):
        if role in _SHORT:
            continue
        for before, after in ((word.removeprefix(role), True), (word.removesuffix(role), False)):
            if before != word and (before in _NEUTRAL or before == ""):
                return [role, before] if after else [before, role]
    return [word]
