"""A map of the images of a data set: alike ones lie close together. At once by PCA, better by t-SNE.

    found = principal_components(dataset)       # ImageMap, computed within a second
    find_neighbourhoods(dataset)                # ImageMap, or None while it has not been computed
    start("mnist")                              # computes it in a process of its own, about 15 s
    progress(dataset.fingerprint)               # 0.4, or None while nothing is being computed

`python -m core.datasets.inspection.image_map NAME` is that process. Both maps show the same sample of the images, each
class in proportion, and are kept by `core.datasets.inspection.cache`.

t-SNE is openTSNE's: unlike scikit-learn's, it says how far it has come. UMAP would have brought a
compiler (numba, LLVM) of over 100 MB for the same picture of some thousand points.
"""

import argparse
from typing import NamedTuple

import numpy as np

from core.datasets import Dataset, load
from core.datasets.inspection.cache import cache_folder, get_or_compute, read_cached, write_cached
from core.datasets.inspection.gallery import images_at, labels_of_all, stratified_sample
from core.system.background import Job, Journal
from core.system.processes import lower_priority

MOST_IMAGES = 3_000
"""A map of more points is slower to draw and no easier to read."""

_MOST_BYTES = 128 * 2**20
"""The sample's pixels as float32 take no more than this."""

_COMPONENTS = 50
"""t-SNE starts from so many principal components, as van der Maaten and Hinton did."""

_SEED = 42
_PCA = "pca-1"
_TSNE = "tsne-1"
_PHASES = (250, 500)
"""Iterations of t-SNE with and without early exaggeration, openTSNE's defaults."""

_NEIGHBOURS = 30


class ImageMap(NamedTuple):
    """Where images lie.

    positions: which images, int64 `(n,)`; see `core.datasets.inspection.gallery`.
    points: where each lies, float32 `(n, 2)`.
    explained: the share of the images' variance along each axis, `(2,)`; None where axes mean nothing.
    """

    positions: np.ndarray
    points: np.ndarray
    explained: np.ndarray | None


def principal_components(dataset: Dataset) -> ImageMap:
    """Project a sample of the images onto the two directions in which they vary most."""
    found = get_or_compute(dataset.fingerprint, _PCA, lambda: _project(dataset))
    return ImageMap(found["positions"], found["scores"][:, :2], found["explained"][:2])


def find_neighbourhoods(dataset: Dataset) -> ImageMap | None:
    """Return the map by t-SNE, if it has been computed: the same images as in `principal_components`."""
    found = read_cached(dataset.fingerprint, _TSNE)
    return None if found is None else ImageMap(found["positions"], found["points"], None)


def start(name: str) -> None:
    """Begin to compute the map by t-SNE of the data set `name`, unless that is going on or done."""
    dataset = load(name)
    _job(dataset.fingerprint).start(
        "core.datasets.inspection.image_map", name, unless=lambda: find_neighbourhoods(dataset) is not None
    )


def progress(fingerprint: str) -> float | None:
    """Return how much of the map by t-SNE is computed, 0 to 1; None if nothing is at work on it."""
    status = _job(fingerprint).status()
    return status.share if status.state == "running" else None


def components(images: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Find the principal components of images by a randomised singular value decomposition.

    Halko, Martinsson and Tropp, "Finding structure with randomness", 2011, algorithms 4.4 and 5.1:
    ten directions more than asked for and four power iterations.

    Args:
        images: uint8 `(n, H, W, C)`, at least two.
        count: how many components; fewer come back where there are fewer pixels or images.

    Returns:
        The coordinates of the images along the components, float32 `(n, count)`, and the share of the
        variance that each explains, float64 `(count,)`. A coordinate's sign is such that the largest is positive.
    """
    pixels = images.reshape(len(images), -1).astype(np.float32)
    pixels -= pixels.mean(axis=0)
    width = min(count + 10, *pixels.shape)
    basis = pixels @ np.random.default_rng(seed).standard_normal((pixels.shape[1], width), np.float32)
    for _ in range(4):
        basis = np.linalg.qr(basis)[0]
        basis = pixels @ np.linalg.qr(pixels.T @ basis)[0]
    basis = np.linalg.qr(basis)[0]
    left, values, _ = np.linalg.svd(basis.T @ pixels, full_matrices=False)
    scores = (basis @ left * values)[:, :count]
    scores *= np.where(scores.max(axis=0) < -scores.min(axis=0), -1, 1)
    total = float(np.square(pixels, dtype=np.float64).sum()) or 1.0
    return scores.astype(np.float32), values[:count].astype(np.float64) ** 2 / total


def _project(dataset: Dataset) -> dict[str, np.ndarray]:
    count = min(MOST_IMAGES, _MOST_BYTES // (4 * int(np.prod(dataset.image_shape))))
    positions = stratified_sample(labels_of_all(dataset), count, _SEED)
    scores, explained = components(images_at(dataset, positions), _COMPONENTS, _SEED)
    return {"positions": positions, "scores": scores, "explained": explained}


def _job(fingerprint: str) -> Job:
    return Job(cache_folder(fingerprint) / _TSNE)


def _compute(dataset: Dataset) -> None:
    """Compute the map by t-SNE and keep it."""
    import openTSNE  # slow to import, and only this process needs it

    found = get_or_compute(dataset.fingerprint, _PCA, lambda: _project(dataset))
    journal = Journal(_job(dataset.fingerprint).folder)
    done = 0

    def advance(iteration: int, _error: float, _points: np.ndarray) -> None:
        nonlocal done
        # Each phase counts its iterations anew.
        journal.advance((done + iteration) / sum(_PHASES))
        if iteration == _PHASES[0] and not done:
            done = iteration

    scores = found["scores"].astype(np.float64)
    points = openTSNE.TSNE(
        # It needs three times as many neighbours as its perplexity.
        perplexity=min(_NEIGHBOURS, (len(scores) - 1) / 3),
        early_exaggeration_iter=_PHASES[0],
        n_iter=_PHASES[1],
        initialization=openTSNE.initialization.rescale(scores[:, :2]),
        neighbors="exact",
        negative_gradient_method="bh",
        # One thread: with more, it is slower beside a training.
        n_jobs=1,
        random_state=_SEED,
        callbacks=advance,
        callbacks_every_iters=10,
    ).fit(scores)
    write_cached(
        dataset.fingerprint, _TSNE, {"positions": found["positions"], "points": np.asarray(points).astype(np.float32)}
    )


def main(arguments: list[str] | None = None) -> None:
    """Compute the map by t-SNE of one data set."""
    parser = argparse.ArgumentParser(prog="python -m core.datasets.inspection.image_map", description=__doc__)
    parser.add_argument("name", metavar="NAME", help="a data set")
    _compute(load(parser.parse_args(arguments).name))


if __name__ == "__main__":
    lower_priority()
    main()
