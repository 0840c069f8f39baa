"""Read images from the command line with the network of a run, as the Predict page does.

    python -m core predict 3f9c0a1b2c3d seven.png four.jpg
    python -m core predict 3f9c0a1b2c3d *.png --json
    python -m core predict 3f9c0a1b2c3d *.png --csv
    python -m core predict 3f9c0a1b2c3d seven.png --framework keras
    python -m core predict 3f9c0a1b2c3d seven.png --epoch 2

With `--json` stdout is one array with an object an image, see `core.inference.prediction_json`; with `--csv` a table
with a row for each character that was found, see `core.inference.predictions`, in which no text can pass for a
spreadsheet's formula. An image that cannot be read gets a sentence on stderr and exit code 2; the others are answered
all the same.
"""

import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from pathlib import Path

from core.cli.parsing import command_parser, exit_with_error, show
from core.config import configure
from core.inference.answers import Prediction, Unreadable
from core.inference.prediction_json import prediction_json
from core.inference.predictions import prediction_table, to_csv
from core.inference.service import Predictor
from core.runs import open_store
from core.system.paths import run_directory

_WORTH_MENTION = 0.0001


def main(arguments: list[str] | None = None) -> int:
    """Read the images and print what they are."""
    parser = command_parser("predict", __doc__)
    parser.add_argument("run_id", metavar="RUN_ID", help="the run whose network reads; python -m core runs lists them")
    parser.add_argument("images", metavar="IMAGE", nargs="+", help="a PNG, JPEG, WebP, BMP, GIF or TIFF file")
    parser.add_argument(
        "--framework", metavar="NAME", help="the framework that reads, by default the one it learned in"
    )
    parser.add_argument(
        "--uncalibrated",
        action="store_true",
        help="print the network's own probabilities, not those at the temperature that suits its validation images",
    )
    parser.add_argument(
        "--epoch",
        type=int,
        metavar="N",
        help="read with the weights after so many epochs: a run keeps those of 1, 2, 4, 8 and so on",
    )
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the answers as one JSON array")
    form.add_argument("--csv", action="store_true", help="print the answers as a table of comma-separated values")
    options = parser.parse_args(arguments)
    with _stdout_kept_clean():
        try:
            run = open_store().get(options.run_id)
            framework = configure(framework=options.framework or run.config.framework).framework
            predictor = Predictor(run_directory(run.id), framework, options.epoch)
            if options.epoch is None:
                predictor.measure_familiarity(run_directory(run.id))
        except ValueError as error:
            exit_with_error(str(error))
        answers = [_read(predictor, name, is_calibrated=not options.uncalibrated) for name in options.images]
    for answer in answers:
        if isinstance(answer, Unreadable):
            show(answer.reason, sys.stderr)
    if options.json:
        print(json.dumps([prediction_json(answer) for answer in answers]))
    elif options.csv:
        for line in to_csv(prediction_table(answers)).decode().rstrip("\n").split("\n"):
            show(line)
    else:
        _show([answer for answer in answers if isinstance(answer, Prediction)])
    return 2 if any(isinstance(answer, Unreadable) for answer in answers) else 0


@contextmanager
def _stdout_kept_clean() -> Iterator[None]:
    """Let whatever libraries print, by Python or by the system, go to stderr while the block runs."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        os.dup2(kept, 1)
        os.close(kept)


def _read(predictor: Predictor, name: str, *, is_calibrated: bool) -> Prediction | Unreadable:
    try:
        return predictor.read(Path(name).read_bytes(), name, is_calibrated=is_calibrated)
    except OSError as error:
        return Unreadable(name, f"{name}: {error.strerror or type(error).__name__}.")
    except ValueError as error:
        return Unreadable(name, str(error))


def _show(predictions: list[Prediction]) -> None:
    """Print a line an image: its name, the answer, and the runners-up that are worth a mention."""
    width = max((len(prediction.name) for prediction in predictions), default=0)
    for prediction in predictions:
        told = f"{prediction.name:{width}}  {prediction.label}  {prediction.probability:7.2%}"
        if others := _runners_up(prediction):
            told += f"   then {', '.join(others)}"
        show(" ".join([told, *(f"  {warning}" for warning in prediction.warnings)]))


def _runners_up(prediction: Prediction) -> list[str]:
    """Return the next two classes with their probabilities, if there is one thing in the picture."""
    if len(prediction.found) > 1:
        return []
    shares = prediction.probabilities
    return [
        f"{prediction.class_names[i]}  {shares[i]:7.2%}"
        for i in shares.argsort()[::-1][1:3]
        if shares[i] >= _WORTH_MENTION
    ]
