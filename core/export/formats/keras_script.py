"""The run in plain Keras."""

from core.export.format import Format

FORMAT = Format(
    name="keras-script",
    module="core.export.keras_script",
    title="Keras script",
    ending="-keras.py",
    description="Plain Keras (compile and fit) that repeats the run without Duet; needs tensorflow and the images.",
    position=4,
)
