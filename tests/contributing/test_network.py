"""A new built-in network is one entry of `core.networks.zoo.ARCHITECTURES`."""

from tests.contributing.copying import copy_project, insert, run_tests

ENTRY = """        Architecture(
            name="tried-net",
            description="A convolution with a stride, and a small dense layer.",
            layers=(
                *_normalised(8, stride=2),
                MaxPool(),
                Flatten(),
                *_hidden(20),
                Dense(units="classes"),
            ),
        ),
"""


def test_a_new_network_is_one_entry(tmp_path):
    project = copy_project(tmp_path)
    insert(project / "core/networks/zoo.py", '        Architecture(\n            name="cnn-64-32-32",\n', ENTRY)

    passed = run_tests(
        project,
        "tried-net",
        "tests/networks/test_layers.py",
        "tests/engines/test_engines.py",
        "tests/export/test_export.py",
        "tests/ui/train/test_layer_editor.py",
    )

    for test in (
        "test_can_learn_mnist",
        "test_has_the_shapes_and_parameters_of_the_description",
        "test_lose_the_same_on_the_same_batches",
        "test_onnx_predicts_as_duet_does",
        "test_keras_opens_its_own_and_predicts_as_duet_does",
        "test_pytorch_opens_its_own_and_predicts_as_duet_does",
    ):
        assert any(f".{test}[" in each for each in passed), test
