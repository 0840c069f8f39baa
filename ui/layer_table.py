"""The layers of a network with their output shapes and parameters, before anything is trained."""

import pandas as pd
import streamlit as st

from core.architectures import Architecture, LayerRow, Shape, summarise

_KIND_TITLES = {
    "convolution": "Convolution",
    "batch_norm": "Batch norm",
    "max_pool": "Max pooling",
    "dropout": "Dropout",
    "flatten": "Flatten",
    "dense": "Dense",
    "activation": "Activation",
    "residual": "Sum with the block's input",
}


def show_layers(architecture: Architecture, input_shape: Shape, classes: int) -> None:
    """Show a row a layer, and the sum of the parameters."""
    rows = summarise(architecture, input_shape, classes)
    st.dataframe(
        pd.DataFrame(
            {
                "Layer": ["↳ " * row.name.count("/") + _KIND_TITLES[row.layer.kind] for row in rows],
                "Settings": [_settings(row) for row in rows],
                "Output shape": [" × ".join(map(str, row.output_shape)) for row in rows],
                "Parameters": [row.parameters for row in rows],
            }
        ),
        hide_index=True,
        height="content",
        column_config={"Parameters": st.column_config.NumberColumn(format="localized")},
    )
    total = sum(row.parameters for row in rows)
    st.markdown(f"**{total:,} parameters** in both frameworks, for images of {' × '.join(map(str, input_shape))}.")


def _settings(row: LayerRow) -> str:
    layer = row.layer
    match layer.kind:
        case "convolution":
            stride = f", stride {layer.stride}" if layer.stride > 1 else ""
            return f"{layer.filters} filters of {layer.kernel}×{layer.kernel}{stride}, {layer.padding} padding"
        case "batch_norm":
            return f"ε {layer.epsilon:g}, momentum {layer.momentum:g}"
        case "max_pool":
            return f"{layer.size}×{layer.size}, stride {layer.stride}, {layer.padding} padding"
        case "dropout":
            return f"{layer.rate:.0%} set to zero while training"
        case "dense":
            return f"{layer.units} units"
        case "activation":
            return layer.function
    return ""
