"""Search for good settings: trials in Duet's queue, the best chosen by validation accuracy.

    python -m core search --vary batch-size=32,64,128 --vary learning-rate=0.001..1:log --trials 20
    python -m core search --vary optimizer=sgd,adam --vary filters=16,32,64 --epochs 2 --json
    python -m core search show SEARCH_ID
    python -m core search list
    python -m core search pause SEARCH_ID
    python -m core search extend SEARCH_ID --trials 10

The options of `train` say what stays the same in all trials. A list of values is a grid unless `--sampler` says
otherwise, a range is searched by TPE. The runs wait in the queue like any others and are on the Results page; the
search goes on if this command ends, but Ctrl-C stops it. The best is the one with the highest validation accuracy:
whoever chooses by the test images can no longer tell by them how good the choice is.
"""

import json
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from typing import get_args

from core.cli.parsing import Parser, command_parser, exit_with_error, program, show
from core.cli.settings import configure_chosen
from core.config import MOST_SEEDS, RunConfig, expected, option
from core.jobs.deaths import note_deaths
from core.recipes import get_recipe
from core.runs import Search, Store, Trial, new_id, open_store
from core.studies.search.control import (
    ensure_driving,
    extend_search,
    pause_search,
    resume_search,
    specification_of,
    start_search,
    stop_search,
)
from core.studies.search.outcome import best_trial, search_summary
from core.studies.search.space import GRID_POINTS, value_in_words
from core.studies.search.specification import USUAL_TRIALS, Pruner, Sampler, specify

_INTERRUPTED = 130
_LOOK_S = 0.2

_ACTIONS: dict[str, Callable[[Store, str], None]] = {
    "pause": pause_search,
    "resume": resume_search,
    "stop": stop_search,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Search, or show or change a search."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in ("show", "list", "extend", *_ACTIONS):
        return _manage(given[0], given[1:])
    return _search(given)


def _search(arguments: Sequence[str]) -> int:
    options = vars(_parser().parse_args(arguments))
    own = {name: options.pop(name) for name in ("vary", "sampler", "pruner", "pairs", "seeds", "trials", "minutes")}
    own["images"] = options.pop("images")
    as_json, recipe = options.pop("json"), options.pop("recipe")
    chosen = {name: value for name, value in options.items() if value is not None}
    try:
        config = configure_chosen({**(get_recipe(recipe).settings if recipe else {}), **chosen})
        specification = specify(config, **own)
        store = open_store()
        search_id = start_search(store, specification, submission=new_id())
    except ValueError as error:
        exit_with_error(str(error))
    limit = specification.trials or specification.size
    budget = f" of {limit:,}" if limit else ""
    show(
        f"Search {search_id}: {'; '.join(f'{each.title} {each.in_words()}' for each in specification.space)}",
        sys.stderr,
    )
    interrupted = _watch(store, search_id, budget)
    _show(store, search_id, as_json)
    if interrupted:
        return _INTERRUPTED
    return 0 if best_trial(store.trials(search_id)) else 1


def _watch(store: Store, search_id: str, budget: str) -> bool:
    """Tell of each trial that ends, until the search does; return whether somebody has stopped it by Ctrl-C."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    told: set[int] = set()
    asked = False
    while True:
        search = store.search(search_id)
        trials = store.trials(search_id)
        for trial in trials:
            if trial.state != "running" and trial.number not in told:
                told.add(trial.number)
                show(f"Trial {trial.number + 1}{budget}: {_line(trial)}", sys.stderr)
        if search.state in ("done", "stopped") and all(trial.state != "running" for trial in trials):
            return asked
        if stop.is_set() and not asked:
            asked = True
            stop_search(store, search_id)
        note_deaths(store)
        ensure_driving()
        stop.wait(_LOOK_S) if not asked else threading.Event().wait(_LOOK_S)


def _parser() -> Parser:
    parser = command_parser("search", __doc__)
    parser.add_argument(
        "--vary",
        action="append",
        metavar="NAME=VALUES",
        required=True,
        help="a setting and what to try: batch-size=32,64,128 or learning-rate=0.001..1:log; settings of layers are "
        "filters, units, dropout, or one layer's, such as convolution_1.filters. May be given several times.",
    )
    parser.add_argument(
        "--sampler",
        choices=get_args(Sampler),
        help=f"what chooses: a grid tries all combinations, a range at {GRID_POINTS} places; TPE learns from earlier "
        "trials. Default: grid for lists alone, else tpe.",
    )
    parser.add_argument(
        "--pruner",
        choices=get_args(Pruner),
        default="none",
        help="what stops a trial that falls behind. Default: none.",
    )
    parser.add_argument("--pairs", action="store_true", help="train each trial in both frameworks, side by side")
    parser.add_argument(
        "--trials",
        type=int,
        metavar="N",
        help=f"how many settings to try. Default: the whole grid, else {USUAL_TRIALS}.",
    )
    parser.add_argument("--minutes", type=float, metavar="N", help="begin no trial after so many minutes")
    parser.add_argument("--images", type=int, metavar="N", help="begin no trial after training on so many images")
    parser.add_argument(
        "--seeds", type=int, default=1, metavar="N", help=f"trainings of each setting, 1 to {MOST_SEEDS}. Default: 1."
    )
    parser.add_argument("--recipe", metavar="NAME", help="start from the settings of a recipe")
    parser.add_argument("--json", action="store_true", help="print what came of it as one JSON object")
    for name, field in RunConfig.model_fields.items():
        text = f"{field.description} {expected(name).capitalize()}. Default: {field.default}."
        parser.add_argument(option(name), metavar="VALUE", help=text.replace("%", "%%"))
    return parser


def _manage(action: str, arguments: Sequence[str]) -> int:
    parser = Parser(prog=f"{program()} search {action}", description=f"{action.capitalize()} searches.")
    if action != "list":
        parser.add_argument("search_id", metavar="SEARCH_ID")
    if action == "extend":
        parser.add_argument("--trials", type=int, default=0, metavar="N", help="so many more")
        parser.add_argument("--minutes", type=float, default=0, metavar="N", help="so many more")
        parser.add_argument("--images", type=int, default=0, metavar="N", help="so many more")
    parser.add_argument("--json", action="store_true", help="print it as JSON on one line")
    options = parser.parse_args(arguments)
    store = open_store()
    if action == "list":
        return _list(store, options.json)
    try:
        if action == "extend":
            extend_search(
                store, options.search_id, trials=options.trials, minutes=options.minutes, images=options.images
            )
        elif action in _ACTIONS:
            _ACTIONS[action](store, options.search_id)
        _show(store, options.search_id, options.json)
    except ValueError as error:
        exit_with_error(str(error))
    return 0


def _list(store: Store, as_json: bool) -> int:
    found = [(search, store.count_trials(search.id)) for search in store.find_searches()]
    if as_json:
        rows = [
            {"search_id": search.id, "state": search.state, "created_at": search.created_at, "trials": counts}
            for search, counts in found
        ]
        print(json.dumps(rows))
        return 0
    for search, counts in found:
        show(f"{search.id}  {search.state:8}  {sum(counts.values()):5,} trials  {_varied(search)}")
    return 0


def _show(store: Store, search_id: str, as_json: bool) -> None:
    search, trials = store.search(search_id), store.trials(search_id)
    if as_json:
        print(json.dumps(search_summary(search, trials)))
        return
    show(f"Search {search.id} is {search.state}: {_varied(search)}. {search.reason or ''}".rstrip())
    for trial in trials:
        show(f"  {trial.number + 1:4}  {_line(trial)}")
    if best := best_trial(trials):
        show(f"Best by validation accuracy: trial {best.number + 1}, {_line(best)}, run {best.run_ids[0]}")


def _varied(search: Search) -> str:
    return ", ".join(f"{each.name}={each.in_words()}" for each in specification_of(search).space)


def _line(trial: Trial) -> str:
    settings = ", ".join(f"{name}={value_in_words(value)}" for name, value in trial.settings.items())
    reached = "" if trial.val_accuracy is None else f" {trial.val_accuracy:.4f}"
    spread = "" if trial.spread is None else f" ± {trial.spread:.4f}"
    why = f" ({trial.reason})" if trial.state == "failed" and trial.reason else ""
    return f"{settings}: {trial.state}{reached}{spread}{why}"
