"""What becomes of files as people have them, as a table: each case, right or wrong, and what came.

python -m tests.field                    # the cases of this folder
python -m tests.field FOLDER             # any folder of inputs: what each becomes, to be read beside its expected.txt
"""

import argparse
import os
import tempfile
from pathlib import Path

_NOTES = {"expected.txt", "steps.txt", "path.txt", "command.txt", "addresses.txt"}


def main() -> None:
    """Run the cases in a home of their own and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as home:
        os.environ["DUET_HOME"] = home
        raise SystemExit(_run_cases() if options.folder is None else _run_folder(options.folder))


def _run_cases() -> int:
    from core import datasets
    from tests.field.cases import CASES
    from tests.field.outcome import outcome_of

    wrong = 0
    for case in CASES:
        with tempfile.TemporaryDirectory() as place:
            outcome = outcome_of(case, Path(place))
        for name in datasets.names()[1:]:
            datasets.delete(name, lambda _: [])
        wrong += not outcome.is_right
        print(f"{'right' if outcome.is_right else 'WRONG':<6} {case.kind:<40} {outcome.came[:160]}")
    print(f"{len(CASES) - wrong} of {len(CASES)} right")
    return int(wrong > 0)


def _run_folder(folder: Path) -> int:
    from core.datasets.importing import inspect

    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        expected = case / "expected.txt"
        print(f"{case.name}: {expected.read_text().strip() if expected.exists() else ''}")
        for path in sorted(case.iterdir()):
            if path.name in _NOTES or path.suffix == ".sh":
                continue
            try:
                plan = inspect(path)
                counts = ", ".join(f"{part} {count}" for part, count in (plan.images or {}).items())
                came = f"{plan.format}; {', '.join(plan.class_names)[:80]}; {counts}; {len(plan.skipped)} left out"
            except ValueError as error:
                came = f"refused: {error}"
            print(f"    {path.name:<32} {came}")
    return 0


if __name__ == "__main__":
    main()
