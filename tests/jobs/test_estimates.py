"""Estimates of how long a run will take."""

from types import SimpleNamespace

import pytest

from core.config import configure
from core.jobs.estimates import estimate_time
from core.runs import Results, open_store
from tests.sample_data import make_dataset, noise, store

LITE0 = {"architecture": "efficientnet-lite0"}


def untrained() -> SimpleNamespace:
    """A store in which nothing was trained yet."""
    return SimpleNamespace(speeds=lambda _config: {})


def trained(**speeds: float) -> SimpleNamespace:
    """A store with runs alike, by batch size: `trained(b64=5000)` had 64 images a batch at 5,000 images a second."""
    return SimpleNamespace(speeds=lambda _config: {int(name[1:]): speed for name, speed in speeds.items()})


class TestMeasured:
    def test_is_images_by_speed_and_some_seconds_to_start(self):
        config = configure(epochs=4, validation_share=0.1, framework="pytorch")

        assert estimate_time(trained(b64=5400), config) == (pytest.approx(4 * 54_000 / 5400 + 3), "runs")

    def test_counts_only_the_images_that_are_used(self):
        config = configure(epochs=1, validation_share=0.5, train_limit=1000)

        assert estimate_time(trained(b64=100), config).seconds == pytest.approx(500 / 100 + 3)

    def test_does_not_count_validation_images_that_came_with_the_data(self):
        store(make_dataset(noise(80), [0, 1] * 40, noise(4, seed=1), [0, 1] * 2, validation_images=30))
        config = configure(dataset="tiny", epochs=1, validation_part="given", framework="pytorch")

        assert estimate_time(trained(b64=10), config).seconds == pytest.approx(50 / 10 + 3)

    @pytest.mark.parametrize(("batch_size", "speed"), [(1, 10), (20, 10), (100, 1000), (8192, 1000)])
    def test_takes_the_batch_size_that_is_the_fewest_doublings_away(self, batch_size, speed):
        config = configure(epochs=1, train_limit=1000, validation_share=0.1, batch_size=batch_size)

        assert estimate_time(trained(b8=10, b128=1000), config).seconds == pytest.approx(900 / speed + 3)


class TestGuessed:
    @pytest.mark.parametrize("framework", ["pytorch", "keras"])
    def test_is_said_to_be_a_guess(self, framework):
        estimate = estimate_time(untrained(), configure(framework=framework))

        assert estimate.basis == "guess"
        assert 3 < estimate.seconds < 3600

    def test_grows_with_the_epochs(self):
        start = estimate_time(untrained(), configure(epochs=1)).seconds
        more = [estimate_time(untrained(), configure(epochs=epochs)).seconds - start for epochs in (2, 3, 11)]

        assert more == pytest.approx([more[0], 2 * more[0], 10 * more[0]])

    @pytest.mark.parametrize(
        ("longer", "shorter"),
        [
            ({"architecture": "cnn-64-32-32"}, {"architecture": "ann-100"}),
            ({"batch_size": 1}, {"batch_size": 64}),
            (LITE0 | {"fine_tuning": "all"}, LITE0 | {"fine_tuning": "last"}),
            (LITE0 | {"fine_tuning": "last"}, LITE0 | {"fine_tuning": "head"}),
            ({"validation_share": 0.1}, {"validation_share": 0.5}),
            ({}, {"train_limit": 1000}),
        ],
    )
    def test_is_longer_for_more_work(self, longer, shorter):
        assert (
            estimate_time(untrained(), configure(**longer)).seconds
            > estimate_time(untrained(), configure(**shorter)).seconds
        )


def test_learns_from_the_runs_of_the_store():
    store = open_store()
    config = configure(epochs=1, train_limit=1000)
    assert estimate_time(store, config).basis == "guess"

    run_id = store.create(config, submission="tried", claimed=True)
    store.finish(run_id, store.get(run_id).attempt, "done", Results(images_per_second=90.0))

    assert estimate_time(store, config) == (pytest.approx(900 / 90 + 3), "runs")
    for other in (
        *({"architecture": "ann-100"}, {"framework": "keras"}, {"threads": 1}, {"device": "gpu:0"}),
        *({"precision": "bfloat16"}, {"rotation": 10}),
    ):
        assert estimate_time(store, configure(train_limit=1000, **other)).basis == "guess"


class TestTimed:
    @pytest.fixture(autouse=True)
    def timed(self, monkeypatch):
        monkeypatch.setattr("core.jobs.calibration.speed", lambda _config: 90.0)

    def test_is_told_to_come_from_timed_steps(self):
        config = configure(epochs=2, train_limit=1000)

        assert estimate_time(untrained(), config) == (pytest.approx(2 * 900 / 90 + 3), "timed")

    def test_gives_way_to_what_runs_have_shown(self):
        config = configure(epochs=2, train_limit=1000)

        assert estimate_time(trained(b64=900), config) == (pytest.approx(2 * 900 / 900 + 3), "runs")
