"""LayerCAM at a chosen layer."""

from core.inference.explanations.class_activation import layer_cam
from core.inference.explanations.method import Method

METHOD = Method(
    name="layer-cam",
    title="LayerCAM",
    description="Where a layer sees what speaks for the class; each of its values counts by itself.",
    explain=layer_cam,
    needs_layer=True,
    is_signed=False,
    position=4,
)
