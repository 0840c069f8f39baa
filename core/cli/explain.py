"""Show what the network of a run looked at in an image.

    python -m core explain 3f9c0a1b2c3d seven.png --method integrated-gradients --out why.png
    python -m core explain 3f9c0a1b2c3d seven.png --method layer-cam --layer convolution_1 --out why.png
    python -m core explain 3f9c0a1b2c3d seven.png --method occlusion --beside 8d2e6f7a9b01 --out both.png --json

The picture has the image as the network sees it, and the explanation on it: orange speaks for the class, purple against
it. With `--beside` that of another run comes after it, and how much the two agree is printed. Of several characters in
one image, the first is explained.
"""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from core.cli.parsing import command_parser, exit_with_error, show
from core.config import configure
from core.datasets.inspection.gallery import png
from core.inference.answers import Prediction
from core.inference.explanations import METHODS, agreement, choose_layer, get_method, overlay
from core.inference.service import Predictor
from core.runs import open_store
from core.system.files import write_bytes
from core.system.paths import run_directory
from core.system.text import quoted

_SIDE = 280


class _Explained(NamedTuple):
    """What a run makes of the image, and why; `values` are float64 `(height, width)`."""

    run_id: str
    prediction: Prediction
    label: int
    layer: str | None
    values: np.ndarray


def main(arguments: list[str] | None = None) -> int:
    """Explain, write the picture and print what it shows."""
    parser = command_parser("explain", __doc__)
    parser.add_argument("run_id", metavar="RUN_ID", help="the run; python -m core runs lists them")
    parser.add_argument("image", metavar="IMAGE", help="a PNG, JPEG, WebP, BMP, GIF or TIFF file")
    methods = "; ".join(f"{name}: {method.description}" for name, method in METHODS.items())
    parser.add_argument("--method", metavar="NAME", default=next(iter(METHODS)), help=methods)
    parser.add_argument("--layer", metavar="NAME", help="the layer that a map shows, by default the last one that can")
    parser.add_argument("--class", metavar="NAME", dest="label", help="what to explain, by default what is predicted")
    parser.add_argument("--beside", metavar="RUN_ID", help="another run, whose explanation is compared")
    parser.add_argument("--framework", metavar="NAME", help="that explains, by default the one each run was trained in")
    parser.add_argument("--out", metavar="PATH", type=Path, required=True, help="the picture, a PNG file")
    parser.add_argument("--json", action="store_true", help="print all values as one JSON object")
    options = parser.parse_args(arguments)
    try:
        data = Path(options.image).read_bytes()
    except OSError as error:
        exit_with_error(f"{options.image}: {error.strerror or type(error).__name__}.")
    runs = [options.run_id, *([options.beside] if options.beside else [])]
    try:
        explained = [_explain(run_id, data, options) for run_id in runs]
        if len({each.values.shape for each in explained}) > 1:
            raise ValueError("Beside (--beside): expected a run with images of the same size.")
    except ValueError as error:
        exit_with_error(str(error))
    pictures = [overlay(explained[0].prediction.pixels, np.zeros(explained[0].values.shape), _SIDE)]
    pictures += [overlay(each.prediction.pixels, each.values, _SIDE) for each in explained]
    try:
        write_bytes(options.out, png(np.hstack(pictures)))
    except OSError as error:
        exit_with_error(f"Out (--out): {options.out} cannot be written: {error.strerror or type(error).__name__}.")
    told: dict[str, Any] = {
        "explanations": [_as_json(each, options.method) for each in explained],
        "picture": str(options.out),
    }
    if options.beside:
        told["agreement"] = _agreement(explained)
    if options.json:
        print(json.dumps(told))
    else:
        _show(told)
    return 0


def _explain(run_id: str, data: bytes, options: Any) -> _Explained:
    run = open_store().get(run_id)
    framework = configure(framework=options.framework or run.config.framework).framework
    predictor = Predictor(run_directory(run.id), framework)
    prediction = predictor.read(data, options.image)
    names = prediction.class_names
    if options.label is not None and options.label not in names:
        raise ValueError(f"Class (--class): expected one of {', '.join(names)}, received {quoted(options.label)}.")
    label = int(prediction.probabilities.argmax()) if options.label is None else names.index(options.label)
    layer = choose_layer(predictor.description, get_method(options.method), options.layer)
    return _Explained(
        run.id, prediction, label, layer, predictor.explain(prediction.pixels, options.method, label, layer)
    )


def _as_json(explained: _Explained, method: str) -> dict[str, Any]:
    prediction, label = explained.prediction, explained.label
    return {
        "run": explained.run_id,
        "file": prediction.name,
        "label": prediction.class_names[label],
        "probability": float(prediction.probabilities[label]),
        "method": method,
        "layer": explained.layer,
        "values": explained.values.tolist(),
    }


def _agreement(explained: list[_Explained]) -> dict[str, float | None]:
    correlation, overlap = agreement(*(each.values for each in explained))
    return {"correlation": None if np.isnan(correlation) else correlation, "overlap": overlap}


def _show(told: dict[str, Any]) -> None:
    for each in told["explanations"]:
        where = f" at {each['layer']}" if each["layer"] else ""
        show(f"{each['run']}  {each['file']}  {each['label']}  {each['probability']:.2%}  {each['method']}{where}")
    if "agreement" in told:
        correlation, overlap = told["agreement"].values()
        rank = "not defined" if correlation is None else f"{correlation:.2f}"
        show(f"They agree: rank correlation {rank}; {overlap:.0%} of the tenth that matters most is the same.")
    show(told["picture"])
