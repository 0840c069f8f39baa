"""What people decided about the labels of a data set: relabel an image, leave it out, or keep it as it is.

    decisions = read_decisions(json.loads(text), dataset)       # a file's, checked against the data set
    notebook = Notebook(dataset)                                # those made on the page, kept on the disk
    notebook.decide(Decision("train", 17, "relabel", label=4, new_label=9), by="ada")
    notebook.take_back("train", 17)

`core.datasets.deriving` makes a data set of them. A file of decisions is JSON: a list, or an object with the list as
`decisions`, such as

    [{"split": "train", "index": 17, "label": "4", "suggested": "9", "score": 0.01, "action": "relabel"},
     {"split": "train", "index": 203, "action": "relabel", "new_label": "7"},
     {"split": "train", "index": 5, "action": "leave out"},
     {"split": "test", "index": 8, "action": "keep"}]

The first is an entry as `labels check --json` prints it, with an action added. Labels are the names of classes. `label`
is the label that the image has now; one that has another is refused, so that the decisions of one data set are never
taken for another's. What an image is relabelled to is its `new_label`; without one the `suggested`; and where neither
is given, `label` itself. Entries without an action are undecided and count for nothing. An object may also name the
`fingerprint` of the data set, which is checked then.
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

from filelock import FileLock

from core.datasets.dataset import Dataset, Split
from core.system.files import write_json
from core.system.paths import data_dir
from core.system.text import quoted, shortened

Action = Literal["relabel", "leave out", "keep"]

_KEYS = ("split", "index", "label", "suggested", "score", "action", "new_label", "by", "at")


@dataclass(frozen=True)
class Decision:
    """What is to become of an image.

    Attributes:
        split: "train" or "test".
        index: its row in that split.
        action: what was decided.
        label: the label it has.
        new_label: the label it gets, if it is relabelled.
        by: who decided, if that is known.
        at: when, in ISO 8601, if that is known.
    """

    split: str
    index: int
    action: Action
    label: int
    new_label: int | None = None
    by: str = ""
    at: str = ""


class Decided(NamedTuple):
    """The decisions of a file, and how many of its entries are undecided."""

    decisions: tuple[Decision, ...]
    undecided: int


def read_decisions(values: Any, dataset: Dataset) -> Decided:
    """Return the decisions of a file about a data set.

    Args:
        values: what JSON holds; the form is told above.

    Raises:
        ValueError: with a sentence that names the entry, counted from 1, what was expected and what came.
    """
    if isinstance(values, Mapping):
        found = values.get("fingerprint", dataset.fingerprint)
        if found != dataset.fingerprint:
            raise ValueError(
                f"Decisions: expected those on {dataset.specification.title}, whose fingerprint is "
                f"{dataset.fingerprint}, received some on the data of fingerprint {found}. Name the data set that "
                "they were made on."
            )
        values = values.get("decisions")
    if not isinstance(values, list):
        raise ValueError(
            'Decisions: expected a list of objects such as {"split": "train", "index": 17, "action": "leave out"}, '
            f"received {_shown(values)}."
        )
    names = {name: label for label, name in enumerate(dataset.class_names)}
    found_at: dict[tuple[str, int], int] = {}
    decisions = []
    for number, entry in enumerate(values, 1):
        try:
            decision = _read(entry, dataset, names)
            if decision is None:
                continue
            place = decision.split, decision.index
            if place in found_at:
                raise ValueError(f"expected one on each image, received another in entry {found_at[place]:,}")
        except ValueError as error:
            raise ValueError(f"Decisions, entry {number:,}: {error}.") from None
        found_at[place] = number
        decisions.append(decision)
    return Decided(tuple(decisions), len(values) - len(decisions))


def as_json(decision: Decision, dataset: Dataset) -> dict[str, Any]:
    """Return a decision as an entry of a file."""
    names = dataset.class_names
    entry: dict[str, Any] = {"split": decision.split, "index": decision.index, "label": names[decision.label]}
    entry["action"] = decision.action
    if decision.new_label is not None:
        entry["new_label"] = names[decision.new_label]
    return entry | {key: value for key in ("by", "at") if (value := getattr(decision, key))}


class Notebook:
    """The decisions that were made on the page about the data of a fingerprint, in the order of their making.

    They lie in `data_dir()/decisions/FINGERPRINT.json`, with the settings of the check that they answer. Whoever looks
    sees all of a change or nothing of it, and two who decide at once lose nothing.
    """

    def __init__(self, dataset: Dataset):
        self._dataset = dataset
        self.path = data_dir() / "decisions" / f"{dataset.fingerprint}.json"

    def read(self) -> tuple[Decision, ...]:
        """Return all decisions, the oldest first.

        Raises:
            ValueError: if the file is damaged.
        """
        values = self.contents()
        return read_decisions(values, self._dataset).decisions if values else ()

    def contents(self) -> dict[str, Any]:
        """Return the whole file, as it may be given to `labels apply`; nothing if nothing was decided.

        Raises:
            ValueError: if it is damaged.
        """
        try:
            values = json.loads(self.path.read_bytes())
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise ValueError(
                f"The decisions on {self._dataset.specification.title} cannot be read ({error}). Move {self.path} away "
                "to begin anew."
            ) from None
        return values if isinstance(values, dict) else {"decisions": values}

    def decide(self, decision: Decision, *, by: str, check: Mapping[str, Any] | None = None) -> None:
        """Add a decision, in the place of an earlier one on the same image.

        Args:
            by: who decides.
            check: the settings of the check that it answers, of JSON's values; those noted before stay if not given.

        Raises:
            ValueError: if the file is damaged.
            OSError: if it cannot be written.
        """
        made = Decision(**vars(decision) | {"by": by, "at": f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"})
        with self._lock():
            others = [each for each in self.read() if (each.split, each.index) != (made.split, made.index)]
            self._write([*others, made], check)

    def take_back(self, split: str, index: int) -> None:
        """Remove the decision on an image, if there is one.

        Raises:
            ValueError: if the file is damaged.
            OSError: if it cannot be written.
        """
        with self._lock():
            kept = [each for each in self.read() if (each.split, each.index) != (split, index)]
            self._write(kept, None)

    def _write(self, decisions: Sequence[Decision], check: Mapping[str, Any] | None) -> None:
        write_json(
            self.path,
            {
                "dataset": self._dataset.specification.name,
                "fingerprint": self._dataset.fingerprint,
                "check": dict(check) if check is not None else self.contents().get("check"),
                "decisions": [as_json(each, self._dataset) for each in decisions],
            },
        )

    def _lock(self) -> FileLock:
        self.path.parent.mkdir(exist_ok=True)
        return FileLock(Path(f"{self.path}.lock"))


def _read(entry: Any, dataset: Dataset, names: Mapping[str, int]) -> Decision | None:
    """Return the decision of an entry, or None if it has no action."""
    if not isinstance(entry, dict):
        raise ValueError(f"expected an object with split, index and action, received {_shown(entry)}")
    if unknown := [str(key) for key in entry if key not in _KEYS]:
        raise ValueError(f"expected only {', '.join(_KEYS)}, received {shortened(unknown)}")
    splits: dict[str, Split] = {"train": dataset.train, "test": dataset.test}
    split, index, action = (entry.get(key) for key in ("split", "index", "action"))
    if split not in splits:
        raise ValueError(f"expected train or test as split, received {_shown(split)}")
    labels = splits[split].labels
    if not isinstance(index, int) or isinstance(index, bool) or not 0 <= index < len(labels):
        raise ValueError(
            f"expected a whole number from 0 to {len(labels) - 1:,} as index of a {split} image of "
            f"{dataset.specification.title}, received {_shown(index)}"
        )
    if action not in (None, *get_args(Action)):
        raise ValueError(f"expected one of {', '.join(get_args(Action))} as action, received {_shown(action)}")
    label = int(labels[index])
    given = {key: _label_of(entry[key], key, names) for key in ("label", "suggested", "new_label") if key in entry}
    new = next((given[key] for key in ("new_label", "suggested", "label") if key in given), None)
    # Alone, in an entry that relabels, `label` can only be what the image is to get.
    is_new = action == "relabel" and given.keys() == {"label"}
    if "label" in given and given["label"] != label and not is_new:
        raise ValueError(
            f"expected {quoted(dataset.class_names[label])} as label, which {split} image {index:,} of "
            f"{dataset.specification.title} has, received {_shown(entry['label'])}: were these made on other data? "
            "To give it another label than the suggested one, write that as new_label"
        )
    if action is None:
        return None
    by, at = (str(entry.get(key, ""))[:200] for key in ("by", "at"))
    if action != "relabel":
        return Decision(split, index, action, label, by=by, at=at)
    if new is None:
        raise ValueError("expected a new_label, or a suggested one, to relabel to, received neither")
    if new == label:
        raise ValueError(
            f"expected another label than {quoted(dataset.class_names[label])}, which {split} image {index:,} has "
            "already: to keep it, write keep as action"
        )
    return Decision(split, index, action, label, new, by, at)


def _label_of(value: Any, key: str, names: Mapping[str, int]) -> int:
    """Return the label of the class that is called `value`; a number stands for the class that is called so."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    with suppress(KeyError, TypeError):
        return names[value]
    raise ValueError(
        f"expected the name of a class as {key}, one of {shortened(list(names), 20)}, received {quoted(value)}"
    )


def _shown(value: Any) -> str:
    """Return a value of JSON's as a message may quote it."""
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:60]}…"
