"""List the recipes: published experiments and presets as named settings.

python -m core recipes
python -m core recipes --json
"""

import json
from collections.abc import Sequence
from dataclasses import asdict

from core.cli.parsing import command_parser
from core.recipes import RECIPES, describe


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the recipes."""
    parser = command_parser("recipes", __doc__)
    parser.add_argument("--json", action="store_true", help="print them as one JSON array")
    if parser.parse_args(arguments).json:
        print(json.dumps([asdict(recipe) for recipe in RECIPES.values()]))
        return 0
    for recipe in RECIPES.values():
        print(f"{recipe.name}: {recipe.description}")
        print(f"  source    {recipe.source}")
        print(f"  settings  {', '.join(f'{name} {value}' for name, value in recipe.settings.items())}")
        if recipe.reported:
            print(f"  reported  {', '.join(describe(figure) for figure in recipe.reported)}")
        if recipe.assumed:
            print(f"  assumed   {recipe.assumed}")
    return 0
