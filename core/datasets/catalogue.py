"""Well-known data sets that are not bundled, but fetched on request; see `core.datasets.fetching`.

Names, licences and classes only: knowing what there is needs no framework. A new one is one entry.
"""

import string
from dataclasses import dataclass, field
from typing import Any

from core.datasets.specification import Preparation, Specification


@dataclass(frozen=True)
class Entry:
    """A data set to fetch.

    Attributes:
        specification: what is known about it.
        loader: its class in `torchvision.datasets`.
        megabytes: about how much is downloaded.
        options: what the class is given besides the place and the split.
        first_label: the label of the first class.
    """

    specification: Specification
    loader: str
    megabytes: int
    options: dict[str, Any] = field(default_factory=dict)
    first_label: int = 0


def _specification(
    name: str,
    title: str,
    class_names: tuple[str, ...],
    source: str,
    licence: str,
    preparation: Preparation = "handwriting",
) -> Specification:
    return Specification(name, title, class_names, preparation, source, licence)


_DIGITS = tuple(string.digits)
_EMNIST = "Cohen, Afshar, Tapson and van Schaik: EMNIST, an extension of MNIST to handwritten letters, 2017"

_ENTRIES = (
    Entry(
        _specification(
            "fashion-mnist",
            "Fashion-MNIST",
            ("T-shirt", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),
            "Xiao, Rasul and Vollgraf: Fashion-MNIST, 2017 (Zalando Research)",
            "MIT",
            "photo",
        ),
        "FashionMNIST",
        31,
    ),
    Entry(
        _specification(
            "kmnist",
            "KMNIST",
            ("o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"),
            "KMNIST dataset (created by CODH), adapted from the Kuzushiji dataset (created by NIJL and others)",
            "CC BY-SA 4.0",
        ),
        "KMNIST",
        21,
    ),
    Entry(
        _specification(
            "emnist-balanced",
            "EMNIST balanced",
            (*_DIGITS, *string.ascii_uppercase, *"abdefghnqrt"),
            _EMNIST,
            "not stated (NIST Special Database 19)",
        ),
        "EMNIST",
        562,
        {"split": "balanced"},
    ),
    Entry(
        _specification(
            "emnist-letters",
            "EMNIST letters",
            tuple(string.ascii_uppercase),
            _EMNIST,
            "not stated (NIST Special Database 19)",
        ),
        "EMNIST",
        562,
        {"split": "letters"},
        first_label=1,
    ),
    Entry(
        _specification(
            "qmnist",
            "QMNIST",
            _DIGITS,
            "Yadav and Bottou: Cold case, the lost MNIST digits, 2019",
            "BSD 3-clause",
        ),
        "QMNIST",
        21,
    ),
    Entry(
        _specification(
            "usps",
            "USPS",
            _DIGITS,
            "Hull: A database for handwritten text recognition research, 1994",
            "not stated",
        ),
        "USPS",
        9,
    ),
)

CATALOGUE: dict[str, Entry] = {entry.specification.name: entry for entry in _ENTRIES}
