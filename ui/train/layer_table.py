"""The layers of a network with their output shapes and parameters, before anything is trained."""

from contextlib import suppress

import pandas as pd
import streamlit as st

from core.networks.layers import Architecture, LayerError, LayerRow, Shape, explain_parameters, iter_layer_rows
from ui.shared.data_table import show_data_table


def show_layers(architecture: Architecture, input_shape: Shape, classes: int) -> None:
    """Show a row a layer up to the first that does not fit, the sum of the parameters, and how each comes about."""
    rows: list[LayerRow] = []
    with suppress(LayerError):  # the page says it where it refuses the launch
        rows.extend(iter_layer_rows(architecture, input_shape, classes))
    table = {
        "Layer": ["↳ " * row.name.count("/") + (row.layer.ROW_TITLE or row.layer.TITLE) for row in rows],
        "Settings": [row.layer.describe() for row in rows],
        "Output shape": [sizes(row.output_shape) for row in rows],
        "Parameters": [row.parameters for row in rows],
    }
    place = st.container()
    if st.toggle("How each count comes about", key="counts-explained"):
        table["How the count comes about"] = [explain_parameters(row) for row in rows]
        del table["Settings"]
    with place:
        show_data_table(
            pd.DataFrame(table),
            hide_index=True,
            height="content",
            column_config={"Parameters": st.column_config.NumberColumn(format="localized")},
        )
    total = sum(row.parameters for row in rows)
    place.markdown(f"**{total:,} parameters** in both frameworks, for images of {sizes(input_shape)}.")


def sizes(shape: Shape) -> str:
    """Return a shape in words, such as "28 × 28 × 64"."""
    return " × ".join(f"{size:,}" for size in shape)
