"""Keras's own form, one `.keras` file: pixels from 0 to 255 in, probabilities out.

    model = keras.models.load_model("digits.keras")
    probabilities = model.predict(images)               # (N, H, W, C)

The file is a zip; beside what Keras writes it holds a `description.json` with the class names. Imports
keras, as only Keras writes its own files; `core.export` runs this in a process of its own.
"""

import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np

from core.engines import get_engine
from core.export.keras_script import model_source
from core.export.metadata import describe
from core.networks.layers import layer_rows
from core.training.checkpoints import Checkpoint


def build(run_id: str, checkpoint: Checkpoint) -> bytes:
    """Return the file."""
    get_engine("keras")  # before the import: it chooses what Keras computes with, and how images lie
    import keras

    keras.config.set_floatx("float32")
    keras.config.set_dtype_policy("float32")
    names = {"keras": keras, "layers": keras.layers}
    # What is exported is the very network of the exported script, from source that holds numbers and literals only.
    exec(model_source(checkpoint.description), names)
    model = names["build_model"]()
    description = checkpoint.description
    for row in layer_rows(description.architecture, description.input_shape, len(description.class_names)):
        for key in row.layer.weights(row.input_shape):
            variable = getattr(model.get_layer(row.name.replace("/", ".")), row.layer.KERAS_WEIGHTS.get(key, key))
            variable.assign(checkpoint.weights[f"{row.name}/{key}"].astype(np.float32))
    if not description.architecture.gives_probabilities:
        model = keras.Model(model.input, keras.layers.Softmax(name="probabilities")(model.output))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("description.json", json.dumps(describe(run_id, checkpoint), indent=2))
        return path.read_bytes()
