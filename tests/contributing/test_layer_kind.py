"""A new layer kind is one file in `core/networks/kinds`: the tests of all kinds then cover it as they are."""

from tests.contributing.copying import copy_project, run_tests

KIND = '''"""A learnt factor for each channel."""

from typing import Any, ClassVar, Literal

from core.networks.kind import LayerKind, OnnxGraph
from core.networks.windows import Shape


class ChannelScale(LayerKind):
    """Multiplies each channel by a number of its own, which begins as one.

    Both frameworks have it as a depthwise convolution of 1×1, whose kernels are the factors.
    """

    TITLE: ClassVar = "Channel scale"
    IN_A_RESIDUAL: ClassVar = True
    INITIAL_VALUES: ClassVar = {"kernel": 1.0}
    PYTORCH_WEIGHTS: ClassVar = {"kernel": ("weight", (2, 3, 0, 1))}

    kind: Literal["channel_scale"] = "channel_scale"

    def output_shape(self, shape: Shape) -> Shape:
        if len(shape) != 3:
            raise ValueError(f"A channel scale needs an image (height, width, channels), received {shape}.")
        return shape

    def weights(self, shape: Shape) -> dict[str, Shape]:
        return {"kernel": (1, 1, shape[-1], 1)}

    def build_pytorch(self, shape: Shape, torch: Any) -> Any:
        return torch.nn.Conv2d(shape[-1], shape[-1], 1, groups=shape[-1], bias=False)

    def build_keras(self, shape: Shape, name: str, keras: Any, tensorflow: Any, *, aligned: bool) -> Any:
        return keras.layers.DepthwiseConv2D(1, use_bias=False, name=name)

    def pytorch_source(self, shape: Shape, *branches: str) -> list[str]:
        return [f"nn.Conv2d({shape[-1]}, {shape[-1]}, 1, groups={shape[-1]}, bias=False)"]

    def keras_source(self, shape: Shape, *, initialisation: str) -> str:
        return 'layers.DepthwiseConv2D(1, use_bias=False, depthwise_initializer="ones")'

    def add_onnx(self, graph: OnnxGraph, name: str, shape: Shape, *values: str) -> str:
        return graph.add("Mul", *values, graph.weight(f"{name}/kernel", (3, 2, 0, 1)))
'''

COVERED = (
    # The record, and the editor.
    *("test_begins_as_a_layer_that_fits", "test_explains_its_count", "test_stands_in_a_residual_if_it_says_so"),
    *("test_new_layer_fits_an_image", "test_a_layer_of_every_kind_can_be_added_and_each_of_its_fields_changed"),
    # Both engines.
    *("test_has_the_shapes_and_counts_of_its_record", "test_gives_the_same_logits_in_float32"),
    *("test_gives_the_same_logits_and_gradients_in_float64", "test_goes_on_bit_for_bit"),
    # Every export.
    *("test_onnx_predicts_as_duet_does", "test_keras_opens_its_own_and_predicts_as_duet_does"),
    *("test_pytorch_script_and_weights_predict_as_duet_does", "test_keras_script_predicts_as_duet_does"),
)
"""Tests that must have been about the new kind."""


def test_a_new_layer_kind_is_one_file(tmp_path):
    project = copy_project(tmp_path)
    (project / "core/networks/kinds/channel_scale.py").write_text(KIND)

    passed = run_tests(
        project,
        "channel_scale",
        "tests/networks/test_kinds.py",
        "tests/networks/test_editing.py",
        "tests/engines/test_kinds.py",
        "tests/export/test_kinds.py",
        "tests/ui/train/test_layer_editor.py",
    )

    for test in COVERED:
        assert any(f".{test}[" in each for each in passed), test
