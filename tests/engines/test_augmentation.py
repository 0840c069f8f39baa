"""Augmentation: the maps that are drawn, and that both frameworks change images by them alike."""

import numpy as np
import pytest

from core.config import FRAMEWORK_TITLES, RunConfig, configure
from core.datasets import get_specification
from core.engines import get_engine
from core.engines.augmentation import draw_transforms, is_augmented, warnings

SHAPE = (9, 13, 1)
EVERYTHING = {
    "rotation": 30,
    "zoom": 0.2,
    "shift_x": 0.2,
    "shift_y": 0.1,
    "flip_horizontal": True,
    "flip_vertical": True,
    "erasing": 0.5,
}


def transforms(count: int = 200, shape: tuple[int, int, int] = SHAPE, **settings: object) -> np.ndarray:
    return draw_transforms(configure(**settings), shape, count, np.random.default_rng(1))


def pictures(count: int, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (count, *shape), dtype=np.uint8)


@pytest.fixture(params=FRAMEWORK_TITLES)
def engine_module(request: pytest.FixtureRequest):
    return get_engine(request.param)


def test_without_any_setting_an_image_stays_as_it_is(engine_module):
    images = pictures(5)

    assert not is_augmented(configure())
    np.testing.assert_allclose(engine_module.augment(images, transforms(5)), images, atol=1e-3)


def test_everything_is_tried():
    groups = {name: (field.json_schema_extra or {}).get("group") for name, field in RunConfig.model_fields.items()}
    assert set(EVERYTHING) == {name for name, group in groups.items() if group == "Augmentation"}


@pytest.mark.parametrize("name", EVERYTHING)
def test_each_setting_makes_a_run_augmented(name):
    assert is_augmented(configure(**{name: EVERYTHING[name]}))


def test_a_horizontal_flip_mirrors_about_half_of_the_images(engine_module):
    images = pictures(200)
    changed = engine_module.augment(images, transforms(flip_horizontal=True))

    mirrored = [np.allclose(after, before[:, ::-1], atol=1e-2) for before, after in zip(images, changed, strict=True)]
    kept = [np.allclose(after, before, atol=1e-2) for before, after in zip(images, changed, strict=True)]
    assert all(np.logical_xor(mirrored, kept))
    assert 70 < sum(mirrored) < 130


def test_a_vertical_flip_turns_upside_down(engine_module):
    images = pictures(200)
    changed = engine_module.augment(images, transforms(flip_vertical=True))

    flipped = [np.allclose(after, before[::-1], atol=1e-2) for before, after in zip(images, changed, strict=True)]
    assert 70 < sum(flipped) < 130


def test_a_shift_moves_by_its_share_of_the_side_at_most(engine_module):
    dot = np.zeros((300, 21, 31, 1), np.uint8)
    dot[:, 10, 15] = 255
    changed = engine_module.augment(dot, transforms(300, (21, 31, 1), shift_x=0.2))

    columns = (changed[..., 0] * np.arange(31)).sum(axis=(1, 2)) / changed.sum(axis=(1, 2, 3))
    rows = (changed[..., 0] * np.arange(21)[:, np.newaxis]).sum(axis=(1, 2)) / changed.sum(axis=(1, 2, 3))
    np.testing.assert_allclose(rows, 10, atol=1e-3)
    assert np.abs(columns - 15).max() <= 0.2 * 31 + 1e-3
    assert columns.max() > 15 + 5
    assert columns.min() < 15 - 5


def test_a_quarter_turn_is_numpys(engine_module):
    images = pictures(1, (9, 9, 1))
    turned = draw_transforms(configure(rotation=90), (9, 9, 1), 1, _Always(1.0))

    changed = engine_module.augment(images, turned)[0]
    matches = [k for k in range(4) if np.allclose(changed, np.rot90(images[0], k), atol=1e-2)]
    assert matches in ([1], [3])


def test_a_zoom_of_a_half_doubles_what_is_small(engine_module):
    blob = np.zeros((1, 21, 21, 1), np.uint8)
    blob[0, 8:13, 8:13] = 255
    larger = draw_transforms(configure(zoom=0.5), (21, 21, 1), 1, _Always(1.0))

    grown = (engine_module.augment(blob, larger)[0] / 255).sum() / 25
    assert grown == pytest.approx(1.5**2, rel=0.1)


def test_erasing_blacks_out_one_rectangle_in_its_share_of_the_images(engine_module):
    images = np.full((400, *SHAPE), 200, np.uint8)
    changed = engine_module.augment(images, transforms(400, erasing=0.5))

    black = (changed == 0).all(axis=3)
    assert set(np.unique(changed)) <= {0, 200}
    assert 150 < black.any(axis=(1, 2)).sum() < 250
    for rectangle in black[black.any(axis=(1, 2))]:
        rows, columns = rectangle.any(axis=1), rectangle.any(axis=0)
        assert rectangle.sum() == rows.sum() * columns.sum(), "it has holes or another shape"
        assert np.ptp(np.flatnonzero(rows)) + 1 == rows.sum()
        assert 0 < rectangle.mean() < 0.5


@pytest.mark.parametrize("erasing", [0.5, 0.0])
@pytest.mark.parametrize("shape", [(28, 28, 1), (11, 17, 3), (8, 8, 3)])
def test_both_frameworks_give_the_same_pixels(shape, erasing):
    images, maps = pictures(1000, shape), transforms(1000, shape, **EVERYTHING | {"erasing": erasing})

    first, second = (get_engine(framework).augment(images, maps) for framework in FRAMEWORK_TITLES)
    np.testing.assert_allclose(first / 255, second / 255, atol=1e-5)
    assert np.abs(first - images).mean() > 10, "nothing was changed"


@pytest.mark.parametrize("settings", [EVERYTHING, EVERYTHING | {"erasing": 0.0}], ids=["erasing", "not erasing"])
def test_training_sees_what_the_preview_shows(engine_module, settings):
    """One step on augmented images equals one step on images that were changed beforehand."""
    from core.engines.initialisation import initial_weights
    from core.networks.zoo import ARCHITECTURES

    shape, network = (28, 28, 1), ARCHITECTURES["ann-100"]
    images, labels = pictures(8, shape), np.arange(8)
    maps = transforms(8, shape, **settings)
    indices = np.arange(8)[np.newaxis]
    changed = np.rint(engine_module.augment(images, maps)).astype(np.uint8)
    trained = []
    for data, chunk in ((images, maps[np.newaxis]), (changed, None)):
        engine = engine_module.Engine(configure(**settings), network, shape, 10)
        engine.load_weights(initial_weights(network, shape, 10, seed=3))
        engine.load_data(data, labels)
        engine.train(indices, transforms=chunk)
        trained.append(engine.weights())
    for name, weight in trained[0].items():
        np.testing.assert_allclose(weight, trained[1][name], atol=1e-4)


def test_chunk_of_more_images_than_are_changed_at_once_is_trained_the_same(engine_module, monkeypatch):
    from core.engines.initialisation import initial_weights
    from core.networks.zoo import ARCHITECTURES

    shape, network = (28, 28, 1), ARCHITECTURES["ann-100"]
    maps = transforms(12, shape, **EVERYTHING).reshape(3, 4, 2, -1)
    trained = []
    for at_once in (2**20, 1):
        if hasattr(engine_module, "_PIXELS_AT_ONCE"):
            monkeypatch.setattr(engine_module, "_PIXELS_AT_ONCE", at_once)
        engine = engine_module.Engine(configure(**EVERYTHING), network, shape, 10)
        engine.load_weights(initial_weights(network, shape, 10, seed=3))
        engine.load_data(pictures(12, shape), np.arange(12) % 10)
        trained.append(engine.train(np.arange(12).reshape(3, 4), transforms=maps).losses)
    np.testing.assert_allclose(*trained, rtol=1e-4)


@pytest.mark.parametrize(
    ("settings", "found"),
    [({}, 0), ({"rotation": 10}, 0), ({"flip_horizontal": True}, 1), ({"flip_vertical": True, "rotation": 90}, 2)],
)
def test_what_changes_the_meaning_of_a_digit_is_said(settings, found):
    assert len(warnings(configure(**settings), get_specification("mnist"))) == found


class _Always:
    """A generator that draws the same place of every range, as a share of it."""

    def __init__(self, share: float):
        self._share = share

    def uniform(self, low, high, size):
        return np.full(size, low + self._share * (high - low))

    def random(self, size):
        return np.full(size, 0.999)
