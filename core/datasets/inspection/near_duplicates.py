"""Images that are variations of images of the other split: what they prove, a network may know by heart.

    start("mnist")                              # looks for them in a process of its own, seconds
    progress(dataset.fingerprint)               # Status("running")
    check_near_duplicates(dataset)              # a Finding; None while they have not been looked for

`python -m core.datasets.inspection.near_duplicates NAME` is that process. Imports look for them at their end.
"""

import argparse

import numpy as np

from core.datasets import Dataset, load
from core.datasets.grouping import groups_of, known_groups
from core.datasets.inspection.cache import cache_folder
from core.datasets.inspection.gallery import describe_place
from core.datasets.inspection.health import Finding
from core.system.background import Job, Status
from core.system.processes import lower_priority


def check_near_duplicates(dataset: Dataset) -> Finding | None:
    """Return the images that have near-duplicates in the other split, group by group; None while nobody has looked."""
    groups = known_groups(dataset)
    if groups is None:
        return None
    in_test = np.arange(len(groups)) >= len(dataset.train.labels)
    # A group has the number of its first image, and those of the train split are counted first.
    across = np.bincount(groups[in_test], minlength=len(groups))[groups] > 0
    across &= groups < len(dataset.train.labels)
    members = np.flatnonzero(across)
    positions = members[np.argsort(groups[members], kind="stable")]
    last = np.zeros(len(groups), np.int64)
    last[groups[positions]] = positions
    count = int(in_test[positions].sum())
    return Finding(
        key="near",
        title="Near-duplicates across the splits",
        sentence=f"{count:,} test image{' is a variation of one' if count == 1 else 's are variations of images'} to "
        "train on, so the test accuracy flatters. Results shows it without them too; with grouped validation images a "
        "run holds back whole groups."
        if count
        else "No test image is a variation of a training image.",
        positions=positions,
        remark=lambda i: (
            "like "
            + describe_place(
                dataset,
                int(groups[positions[i]] if in_test[positions[i]] else last[groups[positions[i]]]),
            )
        ),
    )


def start(name: str) -> None:
    """Begin to look for near-duplicates in the data set `name`, unless that is going on or done."""
    dataset = load(name)
    _job(dataset.fingerprint).start(
        "core.datasets.inspection.near_duplicates", name, unless=lambda: known_groups(dataset) is not None
    )


def progress(fingerprint: str) -> Status:
    """Return whether near-duplicates are being looked for; what comes of it is told by `check_near_duplicates`."""
    return _job(fingerprint).status()


def _job(fingerprint: str) -> Job:
    return Job(cache_folder(fingerprint) / "near-duplicates")


def main(arguments: list[str] | None = None) -> None:
    """Look for the near-duplicates of one data set."""
    parser = argparse.ArgumentParser(prog="python -m core.datasets.inspection.near_duplicates", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="a data set")
    groups_of(load(parser.parse_args(arguments).name))


if __name__ == "__main__":
    lower_priority()
    main()
