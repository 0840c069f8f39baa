"""Plots, tables and sentences about a data set.

    figure = class_distribution(class_counts(dataset, rows), dataset.class_names, shares=False)

Figures are Plotly's and take their colours from the page's theme, so they suit light and dark.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from pandas.io.formats.style import Styler

from core.gallery import SPLIT_TITLES


def class_distribution(counts: Mapping[str, np.ndarray], class_names: Sequence[str], *, shares: bool) -> go.Figure:
    """Draw how often each class occurs in each split, as bars side by side.

    Args:
        counts: images of each class `(classes,)` by split.
        class_names: one name a class.
        shares: show each class as its share of the split, so that splits of different size compare.
    """
    figure = go.Figure()
    for split, of_split in counts.items():
        portions = of_split / max(1, of_split.sum())
        figure.add_bar(
            name=SPLIT_TITLES[split],
            x=list(class_names),
            y=portions if shares else of_split,
            customdata=np.column_stack([of_split, portions]),
            hovertemplate="class %{x}: %{customdata[0]:,} images, %{customdata[1]:.1%}",
        )
    figure.update_layout(
        barmode="group",
        bargap=0.25,
        height=320,
        margin={"l": 0, "r": 0, "t": 8, "b": 0},
        hovermode="x unified",
        legend={"orientation": "h", "x": 0, "y": 1.02, "yanchor": "bottom"},
    )
    # Names that look like numbers, such as the digits of MNIST, are still names.
    figure.update_xaxes(title="Class", type="category", fixedrange=True)
    figure.update_yaxes(
        title="Share of the split" if shares else "Images", tickformat=".0%" if shares else ",", fixedrange=True
    )
    return figure


def describe_balance(counts: Mapping[str, np.ndarray], class_names: Sequence[str]) -> str:
    """Say in a sentence how evenly all images are spread over the classes."""
    total = np.sum(list(counts.values()), axis=0)
    rarest, commonest = int(total.argmin()), int(total.argmax())
    ratio = total[commonest] / max(1, total[rarest])
    verdict = (
        "The classes are nearly balanced"
        if ratio < 1.5
        else "The classes are somewhat unbalanced"
        if ratio < 3
        else "The classes are strongly unbalanced"
    )
    return (
        f"{verdict}: the most frequent, {class_names[commonest]}, has {total[commonest]:,} images, "
        f"the rarest, {class_names[rarest]}, has {total[rarest]:,}."
    )


def pixel_table(pixels: np.ndarray) -> Styler:
    """Return one channel, uint8 `(H, W)`, as a table of its values with cells as bright as their pixels."""
    names = [str(column) for column in range(pixels.shape[1])]
    styles = np.array([f"background-color: rgb({v},{v},{v}); color: {_readable_on(v)}" for v in range(256)])
    table = pd.DataFrame(pixels.astype(int), columns=names)
    return table.style.format("{:d}").apply(lambda _: styles[pixels], axis=None)


def _readable_on(grey: int) -> str:
    """Return a text colour with a contrast of at least 4.5 on `grey`, fainter on black, which is mostly paper."""
    return "#7d7d7d" if grey == 0 else "#fff" if grey < 117 else "#000"
