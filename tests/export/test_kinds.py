"""Every layer kind in every export: the scripts and files predict as Duet does, from the same weights."""

import io
import zipfile

import numpy as np
import pytest

from core.export import build
from core.networks.layers import layer_rows
from core.training.metrics import softmax
from tests.export.test_export import NAMES, RUN, duets_answer, load_module, run_onnx, save
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
