"""Train the published experiments that are missing, and compare their figures with the reported ones.

python -m core replicate                             # every recipe once, in its own framework
python -m core replicate --recipe ann-100 --seeds 5
python -m core replicate --recipe ann-100 --framework pytorch
python -m core replicate --quick                     # a minute: does everything run?
"""

import json
import sys
from dataclasses import asdict
from typing import get_args

from core.cli.parsing import Parser, command_parser, exit_with_error
from core.config import FRAMEWORK_TITLES, Framework
from core.recipes import RECIPES, get_recipe
from core.runs import open_store
from core.studies import replication
from core.studies.replication import INTERRUPTED, QUICK, as_table, config_of, data_of, finished_runs, rows, write_report


def main(arguments: list[str] | None = None) -> int:
    """Train what is missing, recipe by recipe and then seed by seed, and write the table."""
    given = sys.argv[1:] if arguments is None else arguments
    options = _parser().parse_args(given)
    changes = QUICK if options.quick else {}
    try:
        recipes = [get_recipe(name) for name in options.recipe or RECIPES if get_recipe(name).reported]
    except ValueError as error:
        exit_with_error(str(error))
    if options.seeds < 1:
        exit_with_error(f"Seeds (--seeds): expected a whole number, at least 1, received {options.seeds}.")
    store, failed = open_store(), False
    for number in range(options.seeds):
        for recipe in recipes:
            data = data_of(recipe)
            if data.name is None:
                print(f"{recipe.name} is left out: import {data.title} first.", file=sys.stderr)
                continue
            framework = options.framework or recipe.settings["framework"]
            config = config_of(recipe, framework, data.name, **changes)
            config = config.model_copy(update={"seed": config.seed + number})
            if config.seed in {run.config.seed for run in finished_runs(store, config)}:
                continue
            print(f"{recipe.name} in {FRAMEWORK_TITLES[framework]}, seed {config.seed}", file=sys.stderr)
            code = replication.train(config)
            if code == INTERRUPTED:
                return code
            failed = failed or code != 0
            if not options.quick:
                write_report(store, replication.DOCUMENT, " ".join(["python -m core replicate", *given]))
    if not options.quick:
        write_report(store, replication.DOCUMENT, " ".join(["python -m core replicate", *given]))
    found = list(rows(store, **changes))
    print(json.dumps([asdict(row) for row in found]) if options.json else as_table(found))
    return 1 if failed else 0


def _parser() -> Parser:
    parser = command_parser("replicate", __doc__)
    parser.add_argument("--recipe", metavar="NAME", nargs="+", help="only these recipes")
    parser.add_argument("--framework", choices=get_args(Framework), help="by default each recipe's own")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="how many trainings of each recipe")
    parser.add_argument("--quick", action="store_true", help="2,000 images, one epoch; the documents stay as they are")
    parser.add_argument("--json", action="store_true", help="print the rows as one JSON array")
    return parser
