"""Read images from the command line with the network of a run.

    python -m core predict 3f9c0a1b2c3d seven.png four.jpg
    python -m core predict 3f9c0a1b2c3d *.png --json
    python -m core predict 3f9c0a1b2c3d seven.png --framework keras

With `--json` the last line of stdout is one array with an object an image. An image that cannot be
read gets a sentence on stderr and exit code 2; the others are answered all the same.
"""

import json
import sys
from pathlib import Path
from typing import Any

from core.cli.parsing import command_parser, exit_with_error, show
from core.config import configure
from core.inference.service import Prediction, Predictor, Unreadable
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
    parser.add_argument("--json", action="store_true", help="print the answers as one JSON array")
    options = parser.parse_args(arguments)
    try:
        run = open_store().get(options.run_id)
        framework = configure(framework=options.framework or run.config.framework).framework
        predictor = Predictor(run_directory(run.id), framework)
    except ValueError as error:
        exit_with_error(str(error))

    answers = [_read(predictor, name) for name in options.images]
    for answer in answers:
        if isinstance(answer, Unreadable):
            show(answer.reason, sys.stderr)
    if options.json:
        print(json.dumps([_as_json(answer) for answer in answers]))
    else:
        _show([answer for answer in answers if isinstance(answer, Prediction)])
    return 2 if any(isinstance(answer, Unreadable) for answer in answers) else 0


def _read(predictor: Predictor, name: str) -> Prediction | Unreadable:
    try:
        return predictor.read(Path(name).read_bytes(), name)
    except OSError as error:
        return Unreadable(name, f"{name}: {error.strerror or type(error).__name__}.")
    except ValueError as error:
        return Unreadable(name, str(error))


def _as_json(answer: Prediction | Unreadable) -> dict[str, Any]:
    if isinstance(answer, Unreadable):
        return {"file": answer.name, "error": answer.reason}
    probabilities = dict(zip(answer.class_names, map(float, answer.probabilities), strict=True))
    label = max(probabilities, key=lambda name: probabilities[name])
    return {
        "file": answer.name,
        "label": label,
        "probability": probabilities[label],
        "probabilities": probabilities,
    }


def _show(readings: list[Prediction]) -> None:
    """Print a line an image: its name, the answer, and the runners-up that are worth a mention."""
    width = max((len(reading.name) for reading in readings), default=0)
    for reading in readings:
        order = reading.probabilities.argsort()[::-1][:3]
        shown = [f"{reading.class_names[i]}  {reading.probabilities[i]:7.2%}" for i in order]
        others = [text for text, i in zip(shown, order, strict=True) if reading.probabilities[i] >= _WORTH_MENTION][1:]
        show(f"{reading.name:{width}}  {shown[0]}" + (f"   then {', '.join(others)}" if others else ""))
