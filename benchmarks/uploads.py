"""How well a run reads what people upload: test digits of MNIST, changed as in `tests/uploads.py`.

    python -m benchmarks.uploads RUN_ID

Takes 200 digits, evenly spread over the test split, and prints the share read correctly after each
change; first, for comparison, without any file or preparation. Exit code 1 if one is below its bar.
"""

import sys

import numpy as np

from core.cli.parsing import Parser, exit_with_error
from core.datasets import load
from core.inference.service import Predictor
from core.system.paths import run_directory
from tests.uploads import CHANGES

_COUNT = 200
_SEED = 20260727
_BAR = 0.95
_BARS = {"untouched": 0.98}


def main(arguments: list[str] | None = None) -> int:
    """Measure and print."""
    parser = Parser(prog="python -m benchmarks.uploads", description=__doc__.splitlines()[0])
    parser.add_argument("run_id", metavar="RUN_ID", help="a run on MNIST; the bars are those of cnn-64-32-32, 3 epochs")
    try:
        predictor = Predictor(run_directory(parser.parse_args(arguments).run_id))
    except ValueError as error:
        exit_with_error(str(error))
    generator = np.random.default_rng(_SEED)
    test = load("mnist").test
    rows = np.arange(0, len(test.labels), len(test.labels) // _COUNT)
    direct = predictor.predict(test.images[rows]).argmax(axis=1)
    print(f"{'(the pixels)':18}{np.mean(direct == test.labels[rows]):7.1%}")
    met = True
    for name, change in CHANGES.items():
        read = [_answer(predictor, change(test.images[row, ..., 0], generator), name) for row in rows]
        share, bar = np.mean(read == test.labels[rows]), _BARS.get(name, _BAR)
        met &= bool(share >= bar)
        print(f"{name:18}{share:7.1%}   bar {bar:.0%}{'' if share >= bar else '   missed'}", flush=True)
    return 0 if met else 1


def _answer(predictor: Predictor, data: bytes, name: str) -> int:
    """Return the label that is read, or -1 where there is not one alone."""
    try:
        found = predictor.read(data, name).found
    except ValueError:
        return -1
    return int(found[0].probabilities.argmax()) if len(found) == 1 else -1


if __name__ == "__main__":
    sys.exit(main())
