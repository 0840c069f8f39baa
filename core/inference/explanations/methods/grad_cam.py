"""Grad-CAM at a chosen layer."""

from core.inference.explanations.class_activation import grad_cam
from core.inference.explanations.method import Method

METHOD = Method(
    name="grad-cam",
    title="Grad-CAM",
    description="Where a layer sees what speaks for the class; each of its channels counts as a whole.",
    explain=grad_cam,
    needs_layer=True,
    is_signed=False,
    position=3,
)
