"""Find labels that are likely to be wrong, and make a data set without them.

    python -m core labels check mnist
    python -m core labels check mnist --json > suspects.json
    python -m core labels apply mnist decisions.json --name "MNIST, corrected"

`check` trains five networks, each on four fifths of the training images, and prints the images whose label another
class is predicted for, the most suspicious first. Its score is the probability that is left for the label, 0 to 1.

`apply` makes a data set in which labels are as it was decided; the original stays as it is. The decisions are JSON: a
list of objects, such as what `check --json` prints, with an action added to those that are decided:

    [{"split": "train", "index": 17, "label": "4", "suggested": "9", "score": 0.01, "action": "relabel"},
     {"split": "train", "index": 203, "action": "relabel", "new_label": "7"},
     {"split": "train", "index": 5, "action": "leave out"},
     {"split": "test", "index": 8, "action": "keep"}]

split and index name the image, counted from 0. Labels are the names of classes. label is the one that the image has
now; another one is refused, so that decisions on other data are never taken for some on these. An image that is
relabelled gets its new_label; without one the suggested; where neither is given, label itself. An entry without an
action is undecided, and changes nothing. The list may also lie in an object as "decisions", beside the "fingerprint"
of the data set, which is checked then: such are the files that the dashboard keeps.
"""

import argparse
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from core.cli.parsing import Parser, command_parser, exit_with_error, show, submitter
from core.config import Framework
from core.datasets import Dataset, load
from core.datasets.decisions import read_decisions
from core.datasets.deriving import derive, describe_decisions
from core.studies.label_check import Check, Suspect, check_labels
from core.system.text import printable, quoted
from core.training.records import DivergedError


def main(arguments: list[str] | None = None) -> None:
    """Do what the options say, or refuse it with a sentence."""
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except (ValueError, DivergedError) as error:
        exit_with_error(str(error))


def _parser() -> Parser:
    parser = command_parser("labels", __doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = (__doc__ or "").partition("\n\n")[2]
    commands = parser.add_subparsers(metavar="COMMAND", required=True, parser_class=Parser)

    def add(name: str, do: Any, text: str) -> Parser:
        command = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=parser.epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
        )
        command.set_defaults(do=do)
        command.add_argument("dataset", metavar="DATASET", help="the name of a data set")
        return command

    check = add("check", _check, "Print the training images whose labels are likely to be wrong.")
    check.add_argument("--framework", choices=get_args(Framework), default="pytorch", help="by default pytorch")
    check.add_argument("--seed", type=int, default=42, help="of the folds and of the networks (default 42)")
    check.add_argument("--limit", metavar="N", type=_limit, help="print only so many")
    check.add_argument("--json", action="store_true", help="print them as one JSON list")
    apply = add("apply", _apply, "Make a data set with the labels that were decided.")
    apply.add_argument("decisions", metavar="DECISIONS.json", type=Path, help="the decisions, as told below")
    apply.add_argument("--name", metavar="NAME", required=True, help="what the new data set is called")
    apply.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _limit(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1, received {quoted(text)}")
    return int(text)


def _check(options: argparse.Namespace) -> None:
    dataset = load(options.dataset)
    shown = sys.stderr.isatty()
    found = check_labels(
        dataset, Check(options.dataset, options.framework, options.seed), _show_progress if shown else _ignore
    )
    if shown:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
    ranked = found.ranked[: options.limit]
    if options.json:
        print(json.dumps([_as_json(suspect, dataset) for suspect in ranked]))
        return
    for suspect in ranked:
        label, suggested = (dataset.class_names[each] for each in (suspect.label, suspect.suggested))
        show(f"train {suspect.index:>7}  labelled {label}, suggested {suggested}, score {suspect.score:.4f}")
    total = len(dataset.train.labels)
    show(
        f"{len(found.ranked):,} of {total:,} training images are suspected; about {found.estimated:,} labels are "
        "wrong, by the estimate of cleanlab.",
        sys.stderr,
    )
    if found.unchecked:
        show(f"{found.unchecked:,} could not be checked, as they are the only ones of their class.", sys.stderr)


def _as_json(suspect: Suspect, dataset: Dataset) -> dict[str, Any]:
    return {
        "split": "train",
        "index": suspect.index,
        "label": dataset.class_names[suspect.label],
        "suggested": dataset.class_names[suspect.suggested],
        "score": suspect.score,
    }


def _show_progress(share: float, sentence: str) -> None:
    print(f"\r\x1b[K{share:.0%} · {printable(sentence)}", end="", file=sys.stderr, flush=True)


def _ignore(_share: float, _sentence: str) -> None:
    pass


def _apply(options: argparse.Namespace) -> None:
    dataset = load(options.dataset)
    try:
        values = json.loads(options.decisions.read_bytes())
    except OSError as error:
        exit_with_error(f"Decisions: {options.decisions} could not be read: {error.strerror or error}.")
    except ValueError as error:
        exit_with_error(f"Decisions: expected JSON in {options.decisions}, but it is none ({error}).")
    decided = read_decisions(values, dataset)
    check = values.get("check") if isinstance(values, Mapping) else None
    name = derive(
        dataset,
        decided.decisions,
        name=options.name,
        by=submitter(),
        check=check if isinstance(check, Mapping) else None,
    )
    made = load(name)
    if options.json:
        print(
            json.dumps(
                {
                    "name": name,
                    "title": made.specification.title,
                    "derived_from": dataset.specification.name,
                    "images": {"train": len(made.train.labels), "test": len(made.test.labels)},
                    "decisions": len(decided.decisions),
                    "undecided": decided.undecided,
                    "fingerprint": made.fingerprint,
                }
            )
        )
        return
    undecided = f", {decided.undecided:,} undecided" if decided.undecided else ""
    show(
        f"{made.specification.title} ({name}) is here, made of {dataset.specification.title}: "
        f"{describe_decisions(decided.decisions)}{undecided}"
    )
    show(
        f"  {len(made.train.labels):,} images to train on, {len(made.test.labels):,} to test on, "
        f"SHA-256 {made.fingerprint}"
    )
