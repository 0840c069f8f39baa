"""Data sets from the command line: listed, imported, fetched, renamed, deleted.

    python -m core datasets [--json]
    python -m core datasets inspect PATH [--json]
    python -m core datasets import PATH [--name NAME] [--size 32x32] [--colour grey] [--json]
    python -m core datasets import PATH --label-column gesture --fit pad    # what was guessed, decided otherwise
    python -m core datasets fetch fashion-mnist [--json]
    python -m core datasets rename NAME "A better title"
    python -m core datasets delete NAME
    python -m core datasets restore NAME

Progress goes to stderr, what was asked for to stdout, with `--json` as one value on the last line.
What is wrong with the input is one sentence on stderr and exit code 2.
"""

import argparse
import json
import re
import sys
from pathlib import Path
from typing import Any, get_args

import numpy as np

from core import datasets
from core.cli.parsing import Parser, command_parser, exit_with_error, show
from core.datasets import background_import, importing
from core.datasets.catalogue import CATALOGUE
from core.datasets.choices import NAMES as CHOICES
from core.datasets.choices import Choices, HeldOut, Orientation, ValidationUse, option_of
from core.datasets.deriving import derivation_of
from core.datasets.grouping import groups_of
from core.datasets.importing import Plan, Report, report_as_json
from core.datasets.specification import Fit, Preparation
from core.runs import open_store
from core.system.files import explain_refusal
from core.system.text import printable, quoted

_SHOWN = 20
"""So many of the files that were left out are printed; the report on the disk has all."""

_MOST_COMPARED = 200_000
"""Of more images near-duplicates are not looked for at the end of an import, which would take minutes and much memory:
the pages offer it."""


def main(arguments: list[str] | None = None) -> None:
    """Do what the options say, or refuse it with a sentence."""
    options = _parser().parse_args(arguments)
    try:
        options.do(options)
    except ValueError as error:
        exit_with_error(str(error))
    except BrokenPipeError:  # no fault of the data: whoever reads has read enough
        raise
    except OSError as error:
        exit_with_error(f"It could not be written or read: {explain_refusal(error) or f'{error.strerror or error}.'}")


def _parser() -> Parser:
    parser = command_parser("datasets", __doc__)
    parser.set_defaults(do=_list)
    parser.add_argument("--json", action="store_true", help="print one JSON value")
    commands = parser.add_subparsers(metavar="COMMAND", parser_class=Parser)

    def add(name: str, do: Any, text: str) -> Parser:
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(do=do)
        command.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON value")
        return command

    look = add("inspect", _inspect, "Say what an import would do.")
    look.add_argument("path", metavar="PATH", type=Path)
    _add_choices(look)
    look.add_argument("--samples", type=Path, help=argparse.SUPPRESS)  # where to write images for the dashboard
    bring = add("import", _import, "Bring in a file, a folder or a zip.")
    bring.add_argument("path", metavar="PATH", type=Path)
    bring.add_argument("--name", metavar="NAME", help="what it is called; by default after the file")
    bring.add_argument("--size", metavar="HxW", type=_size, help="height and width in pixels, such as 32x32")
    bring.add_argument("--colour", choices=list(importing.CHANNELS), help="by default that of the images")
    _add_choices(bring)
    bring.add_argument("--job", help=argparse.SUPPRESS)  # the dashboard's import that this process does
    fetch = add("fetch", _fetch, "Download a data set of the catalogue.")
    fetch.add_argument("name", metavar="NAME", help=f"one of {', '.join(CATALOGUE)}")
    fetch.add_argument("--job", help=argparse.SUPPRESS)
    for name, do, text in (
        ("rename", _rename, "Change what people read for a data set; its name stays."),
        ("delete", _delete, "Take a data set away, unless runs use it."),
        ("restore", _restore, "Bring back a data set that was deleted."),
    ):
        command = add(name, do, text)
        command.add_argument("name", metavar="NAME")
        if do is _rename:
            command.add_argument("title", metavar="TITLE")
    return parser


def _add_choices(command: Parser) -> None:
    """Add the options that decide what is guessed otherwise."""
    add = command.add_argument_group("instead of what is guessed").add_argument
    add("--dataset", metavar="FOLDER", help="which of several data sets that lie side by side")
    add("--splits", action=argparse.BooleanOptionalAction, help="whether train, test and the like are splits")
    add("--classes", choices=("outer", "inner"), help="where folders lie in folders, which are the classes")
    for part in ("train", "validation", "test"):
        add(f"--{part}", metavar="PATH", help=f"the folder or file of the {part} split")
    add("--label-column", metavar="NAME", help="a table's column of classes: its name, number, first or last")
    add("--header", action=argparse.BooleanOptionalAction, help="whether tables begin with names of columns")
    add("--encoding", metavar="NAME", help="of tables and of names in archives, such as cp1252")
    add("--scale", metavar="WHITE", type=_white, help="the value of white, such as 1, 16 or 4095")
    add("--orientation", choices=get_args(Orientation), help="transposed exchanges rows and columns")
    add("--preparation", choices=get_args(Preparation), help="what images from outside are taken for")
    add("--fit", choices=get_args(Fit), help="how images of other proportions are brought into those chosen")
    add(
        "--validation-as",
        choices=get_args(ValidationUse),
        help="what validation images become that came beside training images: kept as given for runs to validate on, "
        "the test images, where no others came, or training images like the others",
    )
    add(
        "--test-part",
        choices=get_args(HeldOut),
        help="how test images are held out where none came; grouped: images that are variations of one another stay "
        "together",
    )


def _choices(options: argparse.Namespace) -> Choices:
    return Choices(**{name: getattr(options, name) for name in CHOICES})


def _white(text: str) -> float:
    try:
        white = float(text)
    except ValueError:
        white = 0.0
    if not 0 < white <= 65535:
        raise argparse.ArgumentTypeError(f"expected a value of white above 0, at most 65535, received {quoted(text)}")
    return white


def _size(text: str) -> tuple[int, int]:
    match = re.fullmatch(r"(\d{1,4})(?:[x×](\d{1,4}))?", text)
    if not match:
        raise argparse.ArgumentTypeError(f"expected a size such as 32x32, received {quoted(text)}")
    return int(match[1]), int(match[2] or match[1])


def _list(options: argparse.Namespace) -> None:
    rows: list[dict[str, Any]] = []
    damaged = []
    for name in datasets.names():
        try:
            dataset = datasets.load(name)
        except ValueError as error:
            damaged.append(str(error))
            continue
        rows.append(
            {
                "name": name,
                "title": dataset.specification.title,
                "images": {"train": len(dataset.train.labels), "test": len(dataset.test.labels)},
                "validation_images": dataset.specification.validation_images,
                "shape": dataset.image_shape,
                "classes": len(dataset.class_names),
                "bundled": dataset.specification.bundled,
                "fingerprint": dataset.fingerprint,
                "derived_from": derivation.source if (derivation := derivation_of(name)) else None,
                "source": dataset.specification.source,
                "licence": dataset.specification.licence,
            }
        )
    for sentence in damaged:
        show(sentence, sys.stderr)
    if options.json:
        print(json.dumps(rows))
        return
    for row in rows:
        size = "×".join(map(str, row["shape"]))
        given = f", {row['validation_images']:,} of them to validate on" if row["validation_images"] else ""
        show(
            f"{row['name']:<24} {row['title']}: {row['images']['train']:,}{given} + {row['images']['test']:,} images, "
            f"{size}, {row['classes']} classes"
        )


def _inspect(options: argparse.Namespace) -> None:
    plan = importing.inspect(options.path, _choices(options))
    if options.samples:
        np.savez(options.samples, *(sample.image for sample in plan.samples))
    if options.json:
        print(json.dumps(background_import.plan_as_json(plan)))
        return
    _print_plan(plan)


def _print_plan(plan: Plan) -> None:
    """Print all that an import would do."""
    sizes = ", ".join(f"{height}×{width}" for height, width in list(plan.sizes)[:5])
    show(f"{plan.format} in {plan.files:,} files; {len(plan.class_names)} classes: {', '.join(plan.class_names)[:200]}")
    for part, count in (plan.images or {}).items():
        where = f", from {', '.join(plan.splits[part][:6])}" if part in plan.splits else ""
        show(f"  {part}: {count:,} images{where}")
    show(f"  images looked at: {sizes}; proposed: {plan.size[0]}×{plan.size[1]}, {plan.colour}, called {plan.title}")
    if plan.datasets:
        show(f"  several data sets; choose one: {', '.join(f'--dataset={name}' for name in plan.datasets)}")
    for guess in plan.guesses:
        value = {"True": "yes", "False": "no"}.get(str(guess.value), guess.value)
        show(f"  {guess.name.replace('_', ' ')}: {value} (otherwise: {option_of(guess.name)})")
    _print_skipped(plan.skipped, plan.notes)


def _import(options: argparse.Namespace) -> None:
    def bring(on_progress) -> Report:
        try:
            report = importing.import_dataset(
                options.path,
                name=options.name,
                size=options.size,
                colour=options.colour,
                choices=_choices(options),
                on_progress=on_progress,
            )
            dataset = datasets.load(report.name)
            if len(dataset.train.labels) + len(dataset.test.labels) <= _MOST_COMPARED:
                on_progress(1.0, "Looking for near-duplicates.")
                groups_of(dataset)
            return report
        finally:
            background_import.discard(options.path)

    _print_report(_done(bring, options.job), options.json)


def _fetch(options: argparse.Namespace) -> None:
    def bring(on_progress) -> Report:
        from core.datasets.fetching import fetch  # imports a framework

        return fetch(options.name, on_progress)

    _print_report(_done(bring, options.job), options.json)


def _rename(options: argparse.Namespace) -> None:
    datasets.rename(options.name, options.title)


def _delete(options: argparse.Namespace) -> None:
    datasets.delete(options.name, _runs_that_use)
    show(f"{options.name} is deleted. To bring it back: python -m core datasets restore {options.name}")


def _restore(options: argparse.Namespace) -> None:
    datasets.restore(options.name)


def _runs_that_use(name: str) -> list[str]:
    return [run.id for run in open_store().find(dataset=name, limit=1_000_000)]


def _done(bring, import_id: str | None) -> Report:
    """Run an import, with its progress on the terminal or in the journal of the dashboard's import."""
    if import_id is None:
        report = bring(_show if sys.stderr.isatty() else lambda _share, _sentence: None)
        if sys.stderr.isatty():
            print(file=sys.stderr)
        return report
    journal = background_import.import_journal(import_id)
    try:
        report = bring(journal.advance)
    except ValueError as error:
        journal.end("failed", str(error))
        raise
    except OSError as error:
        refusal = explain_refusal(error) or f"{error.strerror or error}."
        journal.end("failed", f"It could not be written or read: {refusal}")
        raise
    except MemoryError:
        journal.end("failed", "The memory of this machine was not enough.")
        raise
    journal.end("done", f"{report.title} is here: {sum(report.images.values()):,} images.", report_as_json(report))
    return report


def _show(share: float, sentence: str) -> None:
    print(f"\r\x1b[K{share:.0%} · {printable(sentence)}", end="", file=sys.stderr, flush=True)


def _print_report(report: Report, as_json: bool) -> None:
    if as_json:
        print(json.dumps(report_as_json(report)))
        return
    height, width, channels = report.shape
    show(f"{report.title} ({report.name}) is here: {report.format}, {len(report.class_names)} classes")
    given = f", {report.validation_images:,} of them to validate on" if report.validation_images else ""
    show(f"  {report.images['train']:,} images to train on{given}, {report.images['test']:,} to test on")
    show(f"  {height}×{width}×{channels}, SHA-256 {report.fingerprint}")
    _print_skipped(report.skipped, report.notes)


def _print_skipped(skipped, notes) -> None:
    for note in notes:
        show(f"  {note}")
    if skipped:
        show(f"  Left out, {len(skipped):,} in all:")
    for entry in skipped[:_SHOWN]:
        show(f"    {entry.file}: {entry.reason} {entry.fix}")
    if len(skipped) > _SHOWN:
        show(f"    … and {len(skipped) - _SHOWN:,} more")
