"""Every layer kind in every export: the scripts and files predict as Duet does, from the same weights."""

import io
import zipfile

import numpy as np
import pytest

from core.export import build
from core.networks.kinds import KINDS
from core.networks.layers import Convolution, DepthwiseConvolution, Residual, layer_rows
from core.training.metrics import softmax
from tests.export.test_export import NAMES, RUN, duets_answer, load_module, run_onnx, save
from tests.export.test_scripts import SCRIPTS, run
from tests.networks.kinds import IMAGES, each_example, network_of
from tests.sample_networks import draw_data

TOLERANCE = 1e-5


@pytest.fixture
def images() -> np.ndarray:
    return draw_data(IMAGES, len(NAMES), 7)[0]


@each_example
def test_onnx_predicts_as_duet_does(layer, images):
    save(network_of(layer), IMAGES)

    np.testing.assert_allclose(
        run_onnx(build(RUN, "onnx"), images), duets_answer("pytorch", images), rtol=0, atol=TOLERANCE
    )


@each_example
def test_pytorch_script_and_weights_predict_as_duet_does(layer, images, tmp_path):
    import torch

    save(network_of(layer), IMAGES)
    zipfile.ZipFile(io.BytesIO(build(RUN, "pytorch"))).extractall(tmp_path)
    (tmp_path / "train.py").write_bytes(build(RUN, "pytorch-script"))
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)

    for source in ("model.py", "train.py"):
        module = load_module(tmp_path / source)
        network = module.build_model().eval()
        network.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
        with torch.inference_mode():
            found = softmax(network(module.preprocess(pixels)).numpy())
        np.testing.assert_allclose(found, duets_answer("pytorch", images), rtol=0, atol=TOLERANCE)


@each_example
def test_keras_script_predicts_as_duet_does(layer, images, tmp_path):
    checkpoint = save(network_of(layer), IMAGES)
    (tmp_path / "train.py").write_bytes(build(RUN, "keras-script"))

    network = load_module(tmp_path / "train.py").build_model()
    for row in layer_rows(network_of(layer), IMAGES, len(NAMES)):
        for key in row.layer.weights(row.input_shape):
            built = network.get_layer(row.name.replace("/", "."))
            variable = getattr(built, row.layer.KERAS_WEIGHTS.get(key, key))
            variable.assign(checkpoint.weights[f"{row.name}/{key}"])

    found = softmax(np.asarray(network(images)))
    np.testing.assert_allclose(found, duets_answer("keras", images), rtol=0, atol=TOLERANCE)


@each_example
def test_keras_opens_its_own_and_predicts_as_duet_does(layer, images, tmp_path):
    import keras

    save(network_of(layer), IMAGES)
    (tmp_path / "model.keras").write_bytes(build(RUN, "keras"))

    found = keras.models.load_model(tmp_path / "model.keras", safe_mode=True)(images).numpy()

    np.testing.assert_allclose(found, duets_answer("keras", images), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("script", SCRIPTS)
@pytest.mark.parametrize("initialisation", ["shared", "he"])
def test_scripts_train_a_network_of_all_kinds(script, initialisation, tmp_path):
    layers = [record.examples()[0] for record in KINDS.values()]
    layers += [Residual.examples()[-1], Convolution(filters=4, groups=2), DepthwiseConvolution(bias=False)]
    # The residual wants four channels, and the pooling pixels.
    layers.sort(key=lambda layer: ("pool" in layer.kind, layer.kind in ("convolution", "flatten")))
    save(network_of(*layers), IMAGES, epochs=1, initialisation=initialisation)
    pixels, labels = draw_data(IMAGES, len(NAMES), 90)
    np.savez(tmp_path / "d.npz", x_train=pixels[:70], y_train=labels[:70], x_test=pixels[70:], y_test=labels[70:])

    assert 0 <= run(script, tmp_path, "--data", "d.npz") <= 1


@pytest.mark.parametrize(("initialisation", "spread"), [("shared", (1 / 9) ** 0.5), ("he", (2 / 9) ** 0.5)])
def test_keras_script_draws_a_depthwise_kernel_by_its_own_fans(initialisation, spread, tmp_path):
    save(network_of(Convolution(filters=256), DepthwiseConvolution()), IMAGES, initialisation=initialisation)
    (tmp_path / "train.py").write_bytes(build(RUN, "keras-script"))

    kernel = load_module(tmp_path / "train.py").build_model().get_layer("depthwise_convolution_1").kernel

    assert np.std(kernel) == pytest.approx(spread, rel=0.05)
