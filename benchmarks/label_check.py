"""How many of the wrong labels that were planted in MNIST are found, how soon, and what correcting them is worth.

    python -m benchmarks.label_check                    # 600 wrong labels, three seeds of each training
    python -m benchmarks.label_check --seeds 5

It works in a home of its own, by the commands that a user would give, and writes `docs/label_check.md` anew after each
training, with a picture of the first suspects of MNIST as it is.
"""

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from core.cli.parsing import Parser, exit_with_error
from core.datasets import Dataset, load
from core.datasets.decisions import Decision
from core.datasets.deriving import derive
from core.datasets.inspection.gallery import enlarge
from core.studies.comparison import mean_std
from core.studies.replication import machine
from core.system.files import replacing, write_bytes
from core.system.paths import PROJECT

DOCUMENT = PROJECT / "docs" / "label_check.md"
PICTURE = PROJECT / "docs" / "pictures" / "label_check.png"

LOOKED_AT = 800
"""So many of the first suspects a person is taken to look at."""

RECIPE = "fast-99"
_SHOWN, _COLUMNS, _SIDE, _CAPTION = 20, 10, 84, 18


class Timed(NamedTuple):
    """What a command has printed as JSON, and how long it took: on the clock, and of processors."""

    value: Any
    seconds: float
    cpu_seconds: float


def main(arguments: list[str] | None = None) -> int:
    """Plant, check, correct, train again, and write the document."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog="python -m benchmarks.label_check", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--wrong", type=int, default=600, metavar="N", help="labels to plant (default 600)")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="trainings of each kind (default 3)")
    options = parser.parse_args(given)
    if not 1 <= options.wrong <= 30_000 or options.seeds < 2:
        exit_with_error("Expected 1 to 30,000 wrong labels and at least 2 seeds.")
    command = " ".join(["python -m benchmarks.label_check", *given])
    with tempfile.TemporaryDirectory() as home:
        os.environ["DUET_HOME"] = home
        os.environ.pop("DUET_STORE", None)
        write_document(command, options.wrong, options.seeds, Path(home))
    return 0


def plant(dataset: Dataset, count: int, seed: int = 0) -> list[Decision]:
    """Return decisions that give `count` training images, drawn at random, any other class."""
    generator = np.random.default_rng(seed)
    labels, classes = dataset.train.labels, len(dataset.class_names)
    chosen = generator.choice(len(labels), count, replace=False)
    others = (labels[chosen] + generator.integers(1, classes, count)) % classes
    return [
        Decision("train", int(index), "relabel", int(labels[index]), int(other))
        for index, other in zip(chosen, others, strict=True)
    ]


def decide(suspects: Sequence[dict[str, Any]], truth: Dataset) -> list[dict[str, Any]]:
    """Return what somebody who knows the true labels decides on suspects."""
    decided = []
    for suspect in suspects:
        right = truth.class_names[truth.train.labels[suspect["index"]]]
        action = {"action": "keep"} if right == suspect["label"] else {"action": "relabel", "new_label": right}
        decided.append(suspect | action)
    return decided


def write_document(command: str, wrong: int, seeds: int, folder: Path) -> None:
    """Measure everything and write the document and its picture."""
    mnist = load("mnist")
    planted = plant(mnist, wrong)
    _say(f"{wrong} wrong labels are planted.")
    spoilt = derive(mnist, planted, name="MNIST, spoilt", by=command)
    found = _run("labels", "check", spoilt, "--json")
    indices = {decision.index for decision in planted}
    caught = len(indices & {suspect["index"] for suspect in found.value[:LOOKED_AT]})
    _say(f"{caught} of {wrong} are among the first {LOOKED_AT} suspects, after {found.seconds:.0f} s.")
    decisions = folder / "decisions.json"
    decisions.write_text(json.dumps(decide(found.value[:LOOKED_AT], mnist)))
    # Where all were found, the corrected data are MNIST's again, bit for bit, which are there already.
    corrected = "mnist" if caught == wrong else _apply(spoilt, decisions, "MNIST, corrected")
    decisions.write_text(json.dumps([suspect | {"action": "relabel"} for suspect in found.value[:LOOKED_AT]]))
    unseen = _apply(spoilt, decisions, "MNIST, corrected unseen")
    kinds = {
        "as they are": "mnist",
        f"{wrong:,} of them wrong": spoilt,
        "corrected by somebody who looks" + (": those of MNIST again" if caught == wrong else ""): corrected,
        f"each of the {LOOKED_AT} relabelled as suggested, unseen": unseen,
    }
    measured: dict[str, list[float]] = {name: [] for name in kinds.values()}

    def write() -> None:
        accuracies = {title: measured[name] for title, name in kinds.items()}
        write_bytes(DOCUMENT, _text(command, wrong, caught, found, accuracies).encode())

    write()
    _draw(_run("labels", "check", "mnist", "--limit", str(_SHOWN), "--json").value, mnist)
    for seed in range(seeds):  # what is measured so far is told, so that this can be stopped
        for name, accuracies in measured.items():
            accuracies.append(_accuracy(name, seed))
            write()


def _text(
    command: str,
    wrong: int,
    caught: int,
    found: Timed,
    accuracies: dict[str, list[float]],
) -> str:
    rows = "\n".join(
        f"| {title} | {mean_std(values).in_words('.4f') if values else 'not trained yet'} | {len(values)} |"
        for title, values in accuracies.items()
    )
    load_average = f", load average {os.getloadavg()[0]:.1f} at its end" if hasattr(os, "getloadavg") else ""
    return f"""# Finding wrong labels

Written by `{command}` on {machine()}{load_average}.

Of MNIST's 60,000 training images {wrong:,} got another label, drawn at random. `python -m core labels check` trains
five networks by the recipe `{RECIPE}`, each on four fifths of the images, and ranks those whose label another class is
predicted for:

| | |
|---|---:|
| wrong labels among the first {LOOKED_AT} suspects | {caught} of {wrong} ({caught / wrong:.1%}) |
| suspects in all | {len(found.value):,} |
| time of the command, with imports | {found.seconds:.0f} s |
| processor time of it | {found.cpu_seconds:.0f} s |

Somebody who knows the true labels looks at these {LOOKED_AT} and corrects those that are wrong, by
`python -m core labels apply`. Then `{RECIPE}` is trained on the data of each kind; the test images are the same, and
their labels were never touched. Mean over the seeds ± the standard deviation over them:

| training labels | test accuracy | seeds |
|---|---:|---:|
{rows}

## The first suspects of MNIST as it is

Nothing is planted here: the twenty training images whose label is the least probable, each with the label it has and
the suggested one.

![The first twenty suspects](pictures/{PICTURE.name})

## Decisions

A file of decisions is JSON; `python -m core labels apply --help` tells its form:

    [{{"split": "train", "index": 17, "label": "4", "suggested": "9", "score": 0.01, "action": "relabel"}},
     {{"split": "train", "index": 203, "action": "relabel", "new_label": "7"}},
     {{"split": "train", "index": 5, "action": "leave out"}},
     {{"split": "test", "index": 8, "action": "keep"}}]

The first is an entry as `labels check --json` prints it, with an action added. `label` is the label that the image has
now, and another one is refused. What an image is relabelled to is its `new_label`; without one the `suggested`; where
neither is given, `label` itself. An entry without an action is undecided and changes nothing.
"""


def _accuracy(dataset: str, seed: int) -> float:
    """Train the recipe on a data set and return its test accuracy."""
    accuracy = float(
        _run("train", "--recipe", RECIPE, "--dataset", dataset, "--seed", str(seed), "--json").value["test_accuracy"]
    )
    _say(f"{dataset}, seed {seed}: test accuracy {accuracy:.4f}")
    return accuracy


def _apply(dataset: str, decisions: Path, title: str) -> str:
    """Make a data set of decisions, and return its name."""
    return _run("labels", "apply", dataset, str(decisions), "--name", title, "--json").value["name"]


def _run(*arguments: str) -> Timed:
    """Run one of Duet's commands in a process of its own, as a user would."""
    began, used = time.perf_counter(), _cpu_seconds()
    done = subprocess.run([sys.executable, "-m", "core", *arguments], cwd=PROJECT, check=True, stdout=subprocess.PIPE)
    return Timed(json.loads(done.stdout.splitlines()[-1]), time.perf_counter() - began, _cpu_seconds() - used)


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _draw(suspects: Sequence[dict[str, Any]], dataset: Dataset) -> None:
    """Write the picture of suspects, each with its label and the suggested one below."""
    lines = -(-len(suspects) // _COLUMNS)
    picture = Image.new("RGB", (_COLUMNS * (_SIDE + 4), lines * (_SIDE + _CAPTION + 4)), "white")
    drawing, font = ImageDraw.Draw(picture), ImageFont.load_default(size=13)
    for place, suspect in enumerate(suspects):
        left, top = place % _COLUMNS * (_SIDE + 4), place // _COLUMNS * (_SIDE + _CAPTION + 4)
        pixels = enlarge(dataset.train.images[suspect["index"]], _SIDE)[..., 0]
        picture.paste(Image.fromarray(pixels), (left, top))
        words = f"{suspect['label']}, rather {suspect['suggested']}"
        drawing.text((left + _SIDE / 2, top + _SIDE + 2), words, fill="black", font=font, anchor="ma")
    with replacing(PICTURE) as unfinished:
        picture.save(unfinished, "PNG", optimize=True)


def _say(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
