"""How well a network predicts what people photograph, draw and save: test digits, each changed as that changes them.

    python -m benchmarks.prediction                              # the recipe best, 1,000 digits of each kind
    python -m benchmarks.prediction --recipe fast-99.5 --count 200

Predicts with the newest finished run of the recipe, which is trained first where there is none, and writes
`docs/prediction.md` anew. A digit counts as right if it alone was found and its class predicted. Exit code 1 if one
kind is below its bar.
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image
from scipy import ndimage

from core.cli.parsing import Parser, exit_with_error
from core.config import configure
from core.datasets import load
from core.inference.service import Predictor
from core.recipes import get_recipe
from core.runs import FinishedRun, open_store
from core.studies.replication import finished_runs, machine, train
from core.system.files import write_bytes
from core.system.paths import PROJECT, run_directory
from core.training import familiarity
from tests import uploads

DOCUMENT = PROJECT / "docs" / "prediction.md"

_SEED = 20_261_128
_BAR, _PHOTO_BAR = 0.97, 0.93
_PHOTO = "phone-like photo"

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]


def main(arguments: list[str] | None = None) -> int:
    """Measure, print and write."""
    given = sys.argv[1:] if arguments is None else arguments
    parser = Parser(prog="python -m benchmarks.prediction", description=__doc__.splitlines()[0], allow_abbrev=False)
    parser.add_argument("--recipe", metavar="NAME", default="best", help="whose network predicts (default best)")
    parser.add_argument("--count", type=int, metavar="N", default=1_000, help="digits of each kind (default 1000)")
    parser.add_argument("--out", metavar="FILE", type=Path, default=DOCUMENT, help="where the table goes")
    options = parser.parse_args(given)
    try:
        run = _run_of(options.recipe)
    except ValueError as error:
        exit_with_error(str(error))
    if run is None:
        return 1
    directory = run_directory(run.id)
    predictor = Predictor(directory)
    predictor.measure_familiarity(directory)
    test = load("mnist").test
    rows = np.linspace(0, len(test.labels) - 1, options.count).astype(int)
    lines, met = [], True
    for kind, change in KINDS.items():
        bar = _PHOTO_BAR if kind == _PHOTO else _BAR
        right, strange = measure(predictor, kind, change, test.images[rows, ..., 0], np.asarray(test.labels)[rows])
        met &= right >= bar
        lines.append(f"| {kind} | {right:.3f} | {bar:.2f}{'' if right >= bar else ', missed'} | {strange:.3f} |")
        print(lines[-1], flush=True)
    write_bytes(
        options.out, _document(" ".join(["python -m benchmarks.prediction", *given]), run, rows, lines).encode()
    )
    return 0 if met else 1


def measure(
    predictor: Predictor, kind: str, change: Change, digits: np.ndarray, labels: np.ndarray
) -> tuple[float, float]:
    """Return which share of some digits, uint8 `(N, 28, 28)`, is predicted right once changed, and which is unfamiliar.

    What cannot be read, or is taken for several, is wrong.
    """
    generator = np.random.default_rng([_SEED, sum(kind.encode())])
    right = strange = 0
    for digit, label in zip(digits, labels, strict=True):
        changed = change(digit, generator)
        data = changed if isinstance(changed, bytes) else _file(changed, 40 if kind == "JPEG 40" else None)
        try:
            prediction = predictor.read(data, "digit")
        except ValueError:
            continue
        right += prediction.label == str(label)
        strange += prediction.unfamiliar
    return right / len(digits), strange / len(digits)


def _run_of(recipe: str) -> FinishedRun | None:
    """Return the newest finished run of a recipe, trained now if there is none; None if that failed."""
    config = configure(**get_recipe(recipe).settings)
    store = open_store()
    if not finished_runs(store, config) and train(config):
        return None
    return max(finished_runs(store, config), key=lambda run: run.ended_at)


def _on_paper(digit: np.ndarray, scale: float, margin: float = 0.4) -> np.ndarray:
    """Return the ink of a digit, 0 to 1, `scale` times larger with paper around it."""
    side = round(28 * scale)
    ink = np.asarray(Image.fromarray(digit).resize((side, side), Image.Resampling.BICUBIC)) / 255
    return np.pad(ink, round(margin * side))


def _inverted(digit: np.ndarray, _generator: np.random.Generator) -> np.ndarray:
    return 255.0 - digit


def _scaled(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return 255 * (1 - _on_paper(digit, generator.uniform(2, 10), 0))


def _off_centre(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    ink = _on_paper(digit, 4, 0)
    room = generator.integers(0, 120, 4)
    return 255 * (1 - np.pad(ink, ((room[0], room[1]), (room[2], room[3]))))


def _rotated(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return 255 * (1 - ndimage.rotate(_on_paper(digit, 4), generator.uniform(-15, 15), reshape=False, order=1))


def _jpeg(digit: np.ndarray, _generator: np.random.Generator) -> np.ndarray:
    return 255 * (1 - _on_paper(digit, 4))


def _coloured(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    """On grey or coloured paper, with dark ink of any colour."""
    paper = generator.uniform(140, 250, 3) if generator.random() < 0.5 else np.full(3, generator.uniform(120, 230))
    ink = _on_paper(digit, 4)[..., np.newaxis]
    return paper * (1 - ink) + generator.uniform(0, 60, 3) * ink


def _shadowed(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    ink = _on_paper(digit, 5)
    rows, columns = np.mgrid[-0.5 : 0.5 : len(ink) * 1j, -0.5 : 0.5 : len(ink) * 1j]
    angle = generator.uniform(0, 2 * np.pi)
    light = 0.7 + 0.6 * generator.uniform(0.4, 1) * (rows * np.sin(angle) + columns * np.cos(angle)) / np.sqrt(2)
    return 235 * light * (1 - 0.85 * ink)


def _blurred(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    return 255 * (1 - ndimage.gaussian_filter(_on_paper(digit, 5), generator.uniform(2, 5)))


def _salted(digit: np.ndarray, generator: np.random.Generator) -> np.ndarray:
    image = 255 * (1 - _on_paper(digit, 4))
    chance = generator.random(image.shape)
    return np.where(chance < 0.02, 0, np.where(chance > 0.98, 255, image))


def _tight(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    return uploads.cropped_tightly(digit, generator)


def _photographed(digit: np.ndarray, generator: np.random.Generator) -> bytes:
    """All of it, mildly: turned, from the side, grainy coloured paper in a shadow, out of focus, noise, JPEG."""
    ink = ndimage.rotate(_on_paper(digit, 6, 0.6), generator.uniform(-8, 8), reshape=False, order=1)
    return uploads.photographed(np.clip(ink, 0, 1), generator)


KINDS: dict[str, Callable[..., np.ndarray | bytes]] = {
    "inverted": _inverted,
    "2 to 10 times larger": _scaled,
    "off centre": _off_centre,
    "rotated by up to 15°": _rotated,
    "JPEG 40": _jpeg,
    "grey or coloured paper": _coloured,
    "shadow gradient": _shadowed,
    "blur": _blurred,
    "salt and pepper": _salted,
    "thin pen": uploads.thin_pen,
    "thick pen": uploads.thick_pen,
    "tightly cropped": _tight,
    _PHOTO: _photographed,
}


def _file(values: np.ndarray, quality: int | None) -> bytes:
    image = Image.fromarray(np.clip(np.rint(values), 0, 255).astype(np.uint8))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=quality) if quality else image.save(file, "PNG")
    return file.getvalue()


def _document(command: str, run: FinishedRun, rows: np.ndarray, lines: list[str]) -> str:
    known = familiarity.read(run_directory(run.id))
    told = ""
    if known is not None:
        area, strangers, digits = known.measured
        told = (
            f"\nOf 500 made-up strangers (letters, signs, scribbles, textures, noise) {strangers:.1%} are called "
            f"unfamiliar, of the test digits themselves {digits:.1%}; the AUROC is {area:.4f}.\n"
        )
    return f"""# What people photograph, draw and save

Written by `{command}`: {len(rows):,} test digits of MNIST, changed in one way at a time, predicted by
{run.config.architecture} ({run.config.framework}, test accuracy {run.results.test_accuracy:.2%}) with all of Duet's
preparation. Right is a digit that alone was found in its picture and whose class was predicted. {machine()}.

| changed | right | bar | called unfamiliar |
|---|---:|---:|---:|
{chr(10).join(lines)}
{told}"""


if __name__ == "__main__":
    sys.exit(main())
