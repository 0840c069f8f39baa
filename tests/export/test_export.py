"""Exports: each is opened by its own framework, without Duet, and predicts as Duet does."""

import importlib.util
import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import numpy as np
import onnxruntime
import pytest
import safetensors.numpy

from core.cli.export import main
from core.config import Framework, Normalization, choices_of, configure
from core.engines.normalization import Scaling
from core.export import FORMATS, build, export, file_name, get_format, onnx
from core.inference.service import Predictor
from core.networks.layers import Architecture, Shape
from core.system.paths import PROJECT, run_directory
from core.training import checkpoints
from core.training.checkpoints import Checkpoint, Description
from core.training.metrics import softmax
from tests.sample_networks import NETWORKS, draw_data, draw_weights

RUN = "3f9c0a1b2c3d"
NAMES = ("zero", "Größe", 'a "quoted" $name', "three\\", "🙂\n")

each_network = pytest.mark.parametrize(("architecture", "shape"), NETWORKS.values(), ids=NETWORKS)


def save(
    architecture: Architecture, shape: Shape, class_names: tuple[str, ...] = NAMES, **settings: object
) -> Checkpoint:
    """Save a checkpoint with random weights as that of `RUN`."""
    config = configure(**settings)
    standard = Scaling(tuple(0.01 + 0.002 * channel for channel in range(shape[-1])), (-0.7,) * shape[-1])
    description = Description(
        config=config,
        architecture=architecture,
        input_shape=shape,
        class_names=class_names,
        preparation="photo",
        fingerprint="0123",
        standard_scaling=standard if config.normalization == "standard" else None,
    )
    directory = run_directory(RUN)
    directory.mkdir(parents=True, exist_ok=True)
    dtype = np.float64 if config.precision == "float64" else np.float32
    weights = {name: each.astype(dtype) for name, each in draw_weights(architecture, shape, len(class_names)).items()}
    checkpoints.save(directory, 1, weights, description)
    return checkpoints.load(directory)


def duets_answer(framework: Framework, images: np.ndarray) -> np.ndarray:
    return Predictor(run_directory(RUN), framework).predict(images)


def run_onnx(content: bytes, images: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(content)
    (found,) = session.run(["probabilities"], {"images": images})
    return found


def load_module(path: Path) -> ModuleType:
    """Import a script as a process of its own would: without the precision that another test has left Keras with."""
    if "keras" in sys.modules:
        sys.modules["keras"].config.set_dtype_policy("float32")
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def unpacked(tmp_path: Path, architecture: Architecture, shape: Shape) -> Path:
    """The folder of an unpacked PyTorch export."""
    save(architecture, shape)
    zipfile.ZipFile(io.BytesIO(build(RUN, "pytorch"))).extractall(tmp_path)
    return tmp_path


@each_network
def test_onnx_predicts_as_duet_does(architecture, shape):
    save(architecture, shape)
    images, _ = draw_data(shape, len(NAMES), 7)

    found = run_onnx(build(RUN, "onnx"), images)

    assert found.dtype == np.float32
    np.testing.assert_allclose(found, duets_answer("pytorch", images), rtol=0, atol=1e-5)


@each_network
def test_onnx_gives_what_the_engine_sees(architecture, shape):
    checkpoint = save(architecture, shape)
    images, _ = draw_data(shape, len(NAMES), 7)
    predictor = Predictor(run_directory(RUN), "pytorch")

    graph = onnx.build(RUN, checkpoint, features=True)

    outputs = onnxruntime.InferenceSession(graph).run(None, {"images": images})
    engine = predictor._engine
    expected = (predictor.predict(images), engine.predict(images), engine.features(images))
    for found, wanted in zip(outputs, expected, strict=True):
        assert found.shape == wanted.shape
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-4)


@each_network
def test_keras_opens_its_own_and_predicts_as_duet_does(architecture, shape, tmp_path):
    import keras

    save(architecture, shape)
    path = tmp_path / "model.keras"
    path.write_bytes(build(RUN, "keras"))
    images, _ = draw_data(shape, len(NAMES), 7)

    found = keras.models.load_model(path, safe_mode=True)(images).numpy()

    np.testing.assert_allclose(found, duets_answer("keras", images), rtol=0, atol=1e-5)


@each_network
def test_pytorch_opens_its_own_and_predicts_as_duet_does(unpacked, architecture, shape):
    import torch

    module = load_module(unpacked / "model.py")
    model = module.build_model()
    state = torch.load(unpacked / "weights.pt", weights_only=True)
    model.load_state_dict(state)
    images, _ = draw_data(shape, len(NAMES), 7)

    with torch.inference_mode():
        outputs = model.eval()(module.preprocess(torch.from_numpy(images).permute(0, 3, 1, 2))).numpy()

    found = outputs if architecture.gives_probabilities else softmax(outputs)
    np.testing.assert_allclose(found, duets_answer("pytorch", images), rtol=0, atol=1e-5)
    as_safetensors = safetensors.numpy.load_file(unpacked / "weights.safetensors")
    assert as_safetensors.keys() == state.keys()
    for name, values in state.items():
        np.testing.assert_array_equal(as_safetensors[name], values.numpy())
    assert module.CLASS_NAMES == NAMES


@pytest.mark.parametrize("normalization", choices_of("normalization"))
@pytest.mark.parametrize("name", ["ann-100", "valid padding"])
def test_preprocessing_is_the_runs_own(name: str, normalization: Normalization, tmp_path):
    import keras
    import torch

    architecture, shape = NETWORKS[name]
    description = save(architecture, shape, normalization=normalization).description
    images, _ = draw_data(shape, len(NAMES), 7)
    expected = duets_answer("pytorch", images)

    np.testing.assert_allclose(run_onnx(build(RUN, "onnx"), images), expected, atol=1e-5)
    (tmp_path / "model.keras").write_bytes(build(RUN, "keras"))
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(images), expected, atol=1e-5)
    zipfile.ZipFile(io.BytesIO(build(RUN, "pytorch"))).extractall(tmp_path)
    module = load_module(tmp_path / "model.py")
    pixels = torch.from_numpy(images).permute(0, 3, 1, 2)
    scaled = module.preprocess(pixels).permute(0, 2, 3, 1)
    multiply, then_add = description.scaling
    np.testing.assert_allclose(scaled, images * np.array(multiply) + np.array(then_add), atol=1e-5)
    model = module.build_model().eval()
    model.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    with torch.inference_mode():
        np.testing.assert_allclose(softmax(model(module.preprocess(pixels)).numpy()), expected, atol=1e-5)


def test_a_run_in_float64_leaves_as_float32(tmp_path):
    architecture, shape = NETWORKS["ann-100"]
    save(architecture, shape, precision="float64")
    images, _ = draw_data(shape, len(NAMES), 7)

    np.testing.assert_allclose(run_onnx(build(RUN, "onnx"), images), duets_answer("pytorch", images), atol=1e-5)
    (tmp_path / "model.keras").write_bytes(build(RUN, "keras"))
    with zipfile.ZipFile(io.BytesIO(build(RUN, "pytorch"))) as archive:
        weights = safetensors.numpy.load(archive.read("weights.safetensors"))
    assert {values.dtype for values in weights.values()} == {np.dtype(np.float32)}


def test_every_file_says_what_it_is(tmp_path):
    checkpoint = save(*NETWORKS["ann-100"], normalization="symmetric")
    (tmp_path / "model.keras").write_bytes(build(RUN, "keras"))
    (tmp_path / "model.zip").write_bytes(build(RUN, "pytorch"))
    metadata = onnxruntime.InferenceSession(build(RUN, "onnx")).get_modelmeta().custom_metadata_map
    found = [
        *(
            json.loads(zipfile.ZipFile(tmp_path / name).read("description.json"))
            for name in ("model.keras", "model.zip")
        ),
        {key: json.loads(value) for key, value in metadata.items()},
    ]
    for described in found:
        assert described["run"] == RUN
        assert described["class_names"] == list(NAMES)
        assert described["preparation"] == "photo"
        assert described["normalization"] == {"multiply": [2 / 255], "then_add": [-1.0]}
        assert described["config"] == checkpoint.description.config.model_dump(mode="json")


def test_onnx_states_its_opset_and_imports_no_framework():
    import onnx

    from core.export.onnx import OPSET

    save(*NETWORKS["cnn-quick"])
    model = onnx.load_from_string(build(RUN, "onnx"))

    assert [(entry.domain, entry.version) for entry in model.opset_import] == [("", OPSET)]
    onnx.checker.check_model(model, full_check=True)


def test_a_process_of_its_own_makes_it(duet_home):  # noqa: ARG001
    save(*NETWORKS["ann-100"])

    assert export(RUN, "keras-script") == build(RUN, "keras-script")
    with pytest.raises(ValueError, match="Run 0123456789ab has no checkpoint yet"):
        export("0123456789ab", "onnx")


def test_command_writes_the_file(tmp_path, capsys):
    save(*NETWORKS["ann-100"])
    path = tmp_path / "digits.onnx"

    assert main([RUN, "--format", "onnx", "--output", str(path)]) == 0

    assert capsys.readouterr().out == f"{path}\n"
    assert path.read_bytes() == build(RUN, "onnx")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([RUN, "--format", "pickle"], "Format (--format): expected one of pytorch, keras, onnx, "),
        (["0123456789ab", "--format", "onnx"], "Run 0123456789ab has no checkpoint yet"),
        (["../../etc", "--format", "onnx"], "Run id: expected twelve"),
        (
            [RUN, "--format", "onnx", "--output", "/nowhere/x.onnx"],
            "Output (--output): /nowhere/x.onnx cannot be written",
        ),
        ([RUN], "The following arguments are required: --format."),
    ],
)
def test_wrong_input_is_refused_with_one_sentence(arguments, sentence, capsys):
    save(*NETWORKS["ann-100"])
    with pytest.raises(SystemExit) as refusal:
        main(arguments)

    assert refusal.value.code == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_explained(name):
    entry = get_format(name)

    assert entry.name == name
    assert entry.description.endswith(".")
    assert file_name(RUN, name).startswith(f"duet-{RUN}")
    assert len({file_name(RUN, other) for other in FORMATS}) == len(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_is_made_and_listed(name, tmp_path, monkeypatch, capsys):
    save(*NETWORKS["ann-100"])
    monkeypatch.chdir(tmp_path)

    assert main([RUN, "--format", name]) == 0

    assert (tmp_path / capsys.readouterr().out.strip()).stat().st_size > 1000
    with pytest.raises(SystemExit):
        main(["--help"])
    assert f"{name}: {get_format(name).description}" in " ".join(capsys.readouterr().out.split())


def test_listing_them_imports_no_framework():
    code = "import sys, core.export; print([name for name in ('torch', 'keras', 'onnx') if name in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
