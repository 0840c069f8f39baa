"""Initial weights that both frameworks start from."""

import math

import numpy as np
import pytest

from core.config import choices_of
from core.engines import get_engine
from core.engines.initialisation import initial_weights
from core.networks.layers import layer_rows
from core.networks.zoo import ARCHITECTURES
from tests.sample_networks import NETWORKS


@pytest.mark.parametrize("method", [name for name in choices_of("initialisation") if name != "framework"])
@pytest.mark.parametrize(("architecture", "shape"), NETWORKS.values(), ids=NETWORKS)
class TestEveryNetwork:
    def test_gets_each_weight_in_its_canonical_shape(self, architecture, shape, method):
        weights = initial_weights(architecture, shape, 10, 1, method)

        assert {name: values.shape for name, values in weights.items()} == {
            f"{row.name}/{key}": size
            for row in layer_rows(architecture, shape, 10)
            for key, size in row.layer.weights(row.input_shape).items()
        }
        assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}

    def test_starts_with_nothing_added_and_batch_norm_as_the_identity(self, architecture, shape, method):
        expected = {"bias": 0, "beta": 0, "moving_mean": 0, "gamma": 1, "moving_variance": 1}
        for name, values in initial_weights(architecture, shape, 10, 1, method).items():
            if not name.endswith("/kernel"):
                np.testing.assert_array_equal(values, expected[name.rpartition("/")[2]], err_msg=name)

    def test_is_drawn_alike_from_the_same_seed_only(self, architecture, shape, method):
        first, same, other = (initial_weights(architecture, shape, 10, seed, method) for seed in (1, 1, 2))

        for name, values in first.items():
            np.testing.assert_array_equal(values, same[name])
            if name.endswith("/kernel"):
                assert np.mean(values == other[name]) < 0.1


@pytest.mark.parametrize(
    ("network", "name", "fan_in", "fan_out"),
    [
        ("ann-100", "dense_1", 784, 100),
        ("ann-100", "dense_2", 100, 10),
        ("cnn-64-32-32", "convolution_1", 3 * 3 * 1, 3 * 3 * 64),
        ("cnn-64-32-32", "convolution_2", 3 * 3 * 64, 3 * 3 * 32),
        ("cnn-quick", "convolution_1", 5 * 5 * 1, 5 * 5 * 16),
    ],
)
def test_kernels_fill_their_glorot_interval_evenly(network, name, fan_in, fan_out):
    limit = math.sqrt(6 / (fan_in + fan_out))

    kernel = initial_weights(ARCHITECTURES[network], (28, 28, 1), 10, seed=3)[f"{name}/kernel"]

    assert np.abs(kernel).max() <= np.float32(limit)
    quarters, _ = np.histogram(kernel, bins=4, range=(-limit, limit))
    assert quarters.sum() == kernel.size
    # Five standard deviations of the number of values that fall into a quarter.
    np.testing.assert_allclose(quarters, kernel.size / 4, atol=5 * math.sqrt(kernel.size * 3 / 16))


@pytest.mark.parametrize(
    ("network", "name", "fan_in"),
    [("ann-100", "dense_1", 784), ("cnn-64-32-32", "convolution_2", 3 * 3 * 64), ("cnn-quick", "convolution_2", 144)],
)
def test_he_kernels_are_normal_by_their_inputs_as_in_both_frameworks(network, name, fan_in):
    torch, keras = get_engine("pytorch").torch, get_engine("keras").keras
    kernel = initial_weights(ARCHITECTURES[network], (28, 28, 1), 10, seed=3, method="he")[f"{name}/kernel"]
    channels_first = torch.empty(kernel.T.shape)  # outputs, inputs and the window, the other way round
    torch.nn.init.kaiming_normal_(channels_first, nonlinearity="relu")
    initializer = keras.initializers.VarianceScaling(2, "fan_in", "untruncated_normal", seed=1)

    for values in (kernel, channels_first.numpy(), np.asarray(initializer(kernel.shape))):
        # Five standard deviations of each figure.
        assert values.mean() == pytest.approx(0, abs=5 * math.sqrt(2 / fan_in / kernel.size))
        assert values.std() == pytest.approx(math.sqrt(2 / fan_in), rel=5 / math.sqrt(2 * kernel.size))
        within = np.mean(np.abs(values) < math.sqrt(2 / fan_in))
        assert within == pytest.approx(math.erf(math.sqrt(1 / 2)), abs=5 * 0.47 / math.sqrt(kernel.size))


def test_seed_of_the_weights_is_not_that_of_the_batches():
    """The same numbers that order the images must not make the weights as well."""
    order = np.random.default_rng(1).uniform(-1, 1, 784 * 100)
    kernel = initial_weights(ARCHITECTURES["ann-100"], (28, 28, 1), 10, seed=1)["dense_1/kernel"].ravel()

    assert abs(np.corrcoef(order, kernel)[0, 1]) < 0.02
