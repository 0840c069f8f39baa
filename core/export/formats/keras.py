"""Keras's own form."""

from core.export.format import Format

FORMAT = Format(
    name="keras",
    module="core.export.keras",
    title="Keras model",
    ending=".keras",
    description="One file that keras.models.load_model opens: pixels from 0 to 255 in, probabilities out.",
    position=1,
)
