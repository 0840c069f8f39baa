"""List the runs, and change them: `python -m core runs [VERB] … [--json]`.

    python -m core runs --json
    python -m core runs list --state running --search lenet
    python -m core runs show 3f9c0a1b2c3d               # its figures, and in words what is to be said of it
    python -m core runs stop 3f9c0a1b2c3d 0d1e2f3a4b5c
    python -m core runs clone 3f9c0a1b2c3d --set batch_size=32
    python -m core runs move 3f9c0a1b2c3d front
    python -m core runs check                           # is what they have kept whole? 1 where it is not

Wrong input, and a change that a run's state does not allow, is refused with a sentence each and exit code 2.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import get_args

from core.cli.parsing import Parser, command_parser, exit_with_error, show, submitter
from core.jobs.deaths import note_deaths
from core.jobs.scheduler import ensure_running
from core.runs.integrity import find_damage
from core.runs.lists import Order
from core.runs.queue import Move
from core.runs.run import Run, State, new_id, summary
from core.runs.store import Store, open_store
from core.studies.findings import find_findings
from core.system.paths import checked_run_id
from core.system.text import quoted

_ALL = 1_000_000
"""More runs than there are."""

_Verb = Callable[[Store, argparse.Namespace], list[str]]
"""Does what was asked for, and returns the ids of the runs that it concerned; what it cannot do is a ValueError."""


class _PartlyRefusedError(ValueError):
    """Of several runs, some could not be changed: a sentence a line says why; `changed` are the ids of the others."""

    def __init__(self, refusals: Sequence[str], changed: Sequence[str]):
        super().__init__("\n".join(refusals))
        self.changed = changed


def main(arguments: list[str] | None = None) -> int:
    """Do what the arguments say, by default list the newest runs."""
    options = _parser().parse_args(arguments)
    try:
        store = open_store()
        note_deaths(store)
        if options.verb == "check":
            return _check(store, options)
        if options.verb == "show":
            return _show(store, options)
        return _list(store, options) if options.verb in (None, "list") else _change(store, options)
    except ValueError as error:
        exit_with_error(str(error))


def _list(store: Store, options: argparse.Namespace) -> int:
    filters = {name: getattr(options, name, None) for name in ("search", "tag", "architecture", "framework", "dataset")}
    if states := getattr(options, "state", None):
        filters["states"] = states
    if getattr(options, "deleted", False):
        filters["deleted"] = True
    if getattr(options, "queue", False):
        runs = store.queue()[: options.limit]
    else:
        order: Order = getattr(options, "order", "newest")
        runs = store.find(limit=options.limit, offset=getattr(options, "offset", 0), order=order, **filters)
    if options.json:
        print(json.dumps([summary(run) for run in runs]))
        return 0
    if not runs:
        print("No run fits." if any(filters.values()) else "No runs yet. Start one: python -m core train --epochs 1")
    _print(runs)
    return 0


def _check(store: Store, options: argparse.Namespace) -> int:
    """Print of each run whether what it has kept is whole; return 1 if something is not."""
    given = [store.get(checked_run_id(run_id)) for run_id in options.run_id] or store.find(limit=_ALL)
    found = {run.id: find_damage(run) for run in given}
    if options.json:
        print(json.dumps([{"run_id": run_id, "damage": damage} for run_id, damage in found.items()]))
    else:
        for run_id, damage in found.items():
            for sentence in damage or [f"{run_id}  whole"]:
                show(sentence)
    return 1 if any(found.values()) else 0


def _show(store: Store, options: argparse.Namespace) -> int:
    """Print of each run its figures and, where it is done, what there is to say of it."""
    runs = [store.get(checked_run_id(run_id)) for run_id in options.run_id]
    told = {run.id: find_findings(store, done) if (done := run.finished()) else [] for run in runs}
    if options.json:
        findings = {run_id: [finding.as_json() for finding in found] for run_id, found in told.items()}
        print(json.dumps([summary(run) | {"findings": findings[run.id]} for run in runs]))
        return 0
    for run in runs:
        _print([run])
        for sentence in [run.doubt.reason] if run.doubt else []:
            show(f"  {sentence}")
        for finding in told[run.id]:
            show(f"  {finding.sentence}")
    return 0


def _change(store: Store, options: argparse.Namespace) -> int:
    given = list(dict.fromkeys(options.run_id)) if isinstance(options.run_id, list) else [options.run_id]
    for run_id in given:  # none is changed where one is wrong
        store.get(checked_run_id(run_id))
    options.run_ids = given
    refused = None
    try:
        changed_ids: Sequence[str] = _VERBS[options.verb](store, options)
    except _PartlyRefusedError as error:
        refused, changed_ids = error, error.changed
    changed = [store.get(run_id) for run_id in changed_ids]
    if any(run.state == "queued" or run.stop_requested or run.pause_requested for run in changed):
        ensure_running()
    if options.json:
        print(json.dumps([summary(run) for run in changed]))
    else:
        _print(changed)
    if refused is not None:
        for sentence in str(refused).split("\n"):
            show(sentence, sys.stderr)
        raise SystemExit(2)
    return 0


def _print(runs: Sequence[Run]) -> None:
    for run in runs:
        accuracy = "–" if run.results.test_accuracy is None else f"{run.results.test_accuracy:.4f}"
        tags = "".join(f"  #{tag}" for tag in run.tags)
        state = "deleted" if run.deleted_at is not None else run.state
        doubt = f"  but {run.doubt.title}" if run.doubt else ""
        show(f"{run.id}  {state:8}  {run.title:40}  test accuracy {accuracy}{doubt}{tags}")


def _each(change: Callable[[Store, str], None]) -> _Verb:
    def change_all(store: Store, options: argparse.Namespace) -> list[str]:
        refusals, changed = [], []
        for run_id in options.run_ids:
            try:
                change(store, run_id)
            except ValueError as error:
                refusals.append(str(error))
            else:
                changed.append(run_id)
        if refusals:
            raise _PartlyRefusedError(refusals, changed)
        return changed

    return change_all


def _clone(store: Store, options: argparse.Namespace) -> list[str]:
    changes = dict(_assignment(text) for text in options.set or ())
    return [store.clone(options.run_id, submission=new_id(), submitter=submitter(), **changes)]


def _rename(store: Store, options: argparse.Namespace) -> list[str]:
    store.rename(options.run_id, options.name)
    return options.run_ids


def _tag(store: Store, options: argparse.Namespace) -> list[str]:
    if not options.tags and not options.remove:
        raise ValueError("Tags: expected at least one to put on, or --remove TAG, received none.")
    store.tag(options.run_id, add=options.tags, remove=options.remove or ())
    return options.run_ids


def _note(store: Store, options: argparse.Namespace) -> list[str]:
    store.annotate(options.run_id, options.text)
    return options.run_ids


def _move(store: Store, options: argparse.Namespace) -> list[str]:
    store.move(options.run_id, options.where)
    return options.run_ids


def _prioritise(store: Store, options: argparse.Namespace) -> list[str]:
    store.set_priority(options.run_id, options.priority)
    return options.run_ids


_FOR_MANY: dict[str, tuple[str, _Verb]] = {
    "stop": ("ask runs to stop; what they have learned is kept", _each(Store.request_stop)),
    "pause": ("ask runs to leave their device until they are resumed", _each(Store.request_pause)),
    "resume": ("queue failed, stopped or paused runs, to go on where they were", _each(Store.resume)),
    "retry": ("queue failed, stopped or paused runs, to begin anew", _each(Store.retry)),
    "delete": ("take runs off the lists; restore undoes it", _each(Store.delete)),
    "restore": ("put deleted runs back on the lists", _each(Store.restore)),
}

_VERBS: dict[str, _Verb] = {
    **{name: verb for name, (_, verb) in _FOR_MANY.items()},
    "clone": _clone,
    "rename": _rename,
    "tag": _tag,
    "note": _note,
    "move": _move,
    "priority": _prioritise,
}


def _parser() -> Parser:
    parser = command_parser("runs", __doc__)
    parser.add_argument("--json", action="store_true", help="print one JSON array")
    parser.add_argument("--limit", metavar="N", type=_count, default=50, help="how many to list (default 50)")
    # Not given after a verb, it must not take back what was given before it.
    shared = Parser(add_help=False)
    shared.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="print one JSON array")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", title="verbs")

    def add(name: str, text: str) -> Parser:
        return verbs.add_parser(name, help=text, description=f"{text.capitalize()}.", parents=[shared])

    _add_filters(add("list", "list runs"))
    shown = add("show", "print the figures of runs, and in words what is to be said of them")
    shown.add_argument("run_id", metavar="RUN_ID", nargs="+")
    check = add("check", "say whether the weights, states and predictions that runs have kept are whole")
    check.add_argument("run_id", metavar="RUN_ID", nargs="*", help="by default all that are not deleted")
    for name, (text, _) in _FOR_MANY.items():
        add(name, text).add_argument("run_id", metavar="RUN_ID", nargs="+")
    clone = add("clone", "queue a new run with the settings of another one")
    clone.add_argument("run_id", metavar="RUN_ID")
    clone.add_argument("--set", metavar="SETTING=VALUE", action="append", help="change a setting, such as epochs=5")
    rename = add("rename", "call a run by a name; an empty one takes the name away")
    rename.add_argument("run_id", metavar="RUN_ID")
    rename.add_argument("name", metavar="NAME")
    tag = add("tag", "put tags on a run")
    tag.add_argument("run_id", metavar="RUN_ID")
    tag.add_argument("tags", metavar="TAG", nargs="*")
    tag.add_argument("--remove", metavar="TAG", action="append", help="take a tag off")
    note = add("note", "keep a note with a run; an empty one takes the note away")
    note.add_argument("run_id", metavar="RUN_ID")
    note.add_argument("text", metavar="TEXT")
    move = add("move", "move a waiting run in the queue")
    move.add_argument("run_id", metavar="RUN_ID")
    move.add_argument("where", choices=get_args(Move))
    priority = add("priority", "let a waiting run start before those of lower priority")
    priority.add_argument("run_id", metavar="RUN_ID")
    priority.add_argument("priority", type=int, metavar="NUMBER")
    return parser


def _add_filters(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--limit", metavar="N", type=_count, help="how many to list (default 50)", default=argparse.SUPPRESS
    )
    parser.add_argument("--offset", metavar="N", type=_count, default=0, help="how many to leave out before them")
    parser.add_argument("--state", choices=get_args(State), action="append", help="only those in this state")
    parser.add_argument("--search", metavar="TEXT", help="a part of the name, note, tag, network, data set or id")
    for name in ("tag", "architecture", "framework", "dataset"):
        parser.add_argument(f"--{name}", metavar="NAME", help=f"only those of this {name}")
    parser.add_argument("--order", choices=get_args(Order), default="newest", help="which come first (default newest)")
    parser.add_argument("--deleted", action="store_true", help="those that are deleted")
    parser.add_argument("--queue", action="store_true", help="those that wait, in the order of their start")


def _assignment(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"--set: expected SETTING=VALUE such as epochs=5, received {quoted(text)}.")
    return name.strip().replace("-", "_"), value


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        raise argparse.ArgumentTypeError(f"expected a whole number, at least 1, received {quoted(text)}")
    return int(text)
