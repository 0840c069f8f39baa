"""What classes can and cannot do for lack of images: told in the plan, and again when all images are counted."""

from collections.abc import Mapping

from core.system.text import quoted

RARE = 5
"""A class of fewer training images is told as rare."""

_SHOWN = 8


def check_classes(counts: Mapping[str, Mapping[str, int]]) -> None:
    """Do nothing if a network can learn from so many images.

    Args:
        counts: the number of images of each class, by split; with the split "test" only where one came with the data.

    Raises:
        ValueError: if there are fewer than two classes, or training and test images have no class in common.
    """
    known = [name for name, classes in _of_all(counts).items() if classes]
    if len(known) < 2:
        raise ValueError(
            f"Expected images of at least two classes, received only {quoted(known[0] if known else 'none')}."
        )
    learnt, tested = set(counts.get("train", {})), set(counts.get("test", {}))
    if learnt and tested and not learnt & tested:
        cased = {name.casefold() for name in learnt} & {name.casefold() for name in tested}
        fix = "spell them alike, capitals too" if cased else "give both the same names"
        raise ValueError(
            f"Expected test images of the classes that are learnt, {_listed(learnt)}, received {_listed(tested)}: "
            f"{fix}."
        )


def doubts(counts: Mapping[str, Mapping[str, int]]) -> list[str]:
    """Return a sentence for each way in which classes cannot be learnt or scored.

    Args:
        counts: the number of images of each class, by split; with the split "validation" only where that is kept.
    """
    train, test = counts.get("train", {}), counts.get("test", {})
    found = []
    if train and (unlearnt := {*test, *counts.get("validation", {})} - set(train)):
        found.append(f"Without training images, so that no network can learn them: {_listed(unlearnt)}.")
    if test and (unscored := set(train) - set(test)):
        found.append(f"Without test images, so that they are not scored: {_listed(unscored)}.")
    most = max(train.values(), default=0)
    rare = {name: count for name, count in train.items() if count < RARE and count * 4 <= most}
    if rare:
        told = [f"{name} ({count})" for name, count in sorted(rare.items(), key=lambda entry: entry[1])]
        found.append(f"Rare, so that they are hardly learnt, with few training images: {_listed(told, in_order=True)}.")
    return found


def _of_all(counts: Mapping[str, Mapping[str, int]]) -> dict[str, int]:
    result: dict[str, int] = {}
    for classes in counts.values():
        for name, count in classes.items():
            result[name] = result.get(name, 0) + count
    return result


def _listed(names, in_order: bool = False) -> str:
    names = list(names) if in_order else sorted(names)
    more = f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more
