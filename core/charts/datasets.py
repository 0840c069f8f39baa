"""Plots, tables and sentences about a data set.

    chart = class_distribution(class_counts(dataset, rows), dataset.class_names, shares=False)

Charts are Altair's, which are updated in place; they take their colours from the page's theme, so they suit light and
dark. Names of classes are only ever data of a chart, never part of its description, so any name is shown as it is.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from pandas.io.formats.style import Styler

from core.datasets import Dataset
from core.datasets.inspection.gallery import SPLIT_TITLES, describe_place, labels_of_all
from core.datasets.inspection.health import ShareDifference
from core.datasets.inspection.image_map import ImageMap

_BAR = 9
"""Thickness of a bar on the screen, in pixels."""

_FEW_LETTERS = 60

_CLASS_COLOURS = (
    "#4477aa",
    "#ee6677",
    "#228833",
    "#ccaa22",
    "#33aacc",
    "#aa3377",
    "#8c8c8c",
    "#e08214",
    "#7b5fc0",
    "#8d5a3b",
)
"""Paul Tol's "bright" scheme, two of its colours darker, and three more; the shapes help where hues are confused."""

_CLASS_SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right")
"""Seven to ten colours, so that the pair of both repeats only after 70 classes."""

_CHANNELS = {1: ("grey",), 3: ("red", "green", "blue")}
_CHANNEL_COLOURS = {"grey": "#7f7f7f", "red": "#d0505e", "green": "#2f9150", "blue": "#4a7fc1"}


def class_distribution(counts: Mapping[str, np.ndarray], class_names: Sequence[str], *, shares: bool) -> alt.LayerChart:
    """Draw how often each class occurs in each split, as bars side by side, and beside them how often in all.

    Args:
        counts: images of each class `(classes,)` by split.
        class_names: one name a class.
        shares: show each class as its share of the split, so that splits of different size compare.
    """
    frame = distribution_frame(counts, class_names)
    frame["length"] = frame["share"] if shares else frame["images"].astype(float)
    titles = [SPLIT_TITLES[split] for split in counts]
    y = alt.Y("class:N", title=None, sort=None, axis=alt.Axis(labelLimit=160, ticks=False, domain=False))
    bars = (
        alt.Chart(frame)
        .mark_bar(cornerRadiusEnd=2)
        .encode(
            y=y,
            yOffset=alt.YOffset("split:N", sort=titles),
            x=alt.X(
                "length:Q",
                title=None,
                axis=alt.Axis(format=".0%" if shares else ",d", tickCount=5, orient="top"),
            ),
            color=alt.Color("split:N", title=None, sort=titles, legend=alt.Legend(orient="top")),
            tooltip=[
                alt.Tooltip("class:N"),
                alt.Tooltip("split:N"),
                alt.Tooltip("images:Q", format=",d"),
                alt.Tooltip("share:Q", format=".2%"),
            ],
        )
    )
    totals = frame.groupby("class", sort=False).agg(images=("images", "sum"), length=("length", "max")).reset_index()
    figures = (
        alt.Chart(totals)
        .mark_text(align="left", dx=6, color="gray")
        .encode(y=y, x="length:Q", text=alt.Text("images:Q", format=",d"))
    )
    height = max(1, len(class_names)) * (_BAR * len(titles) + 12)
    return alt.LayerChart(layer=[bars, figures]).properties(height=height)


def are_short(class_names: Sequence[str]) -> bool:
    """Say whether the names together are short enough to be written all at once."""
    return len("".join(class_names)) <= _FEW_LETTERS


def distribution_frame(counts: Mapping[str, np.ndarray], class_names: Sequence[str]) -> pd.DataFrame:
    """Return a row for each class and split: `class`, `split`, `images` and its `share` of the split, 0 to 1."""
    return pd.concat(
        pd.DataFrame(
            {
                "class": list(class_names),
                "split": SPLIT_TITLES[split],
                "images": of_split,
                "share": of_split / max(1, of_split.sum()),
            }
        )
        for split, of_split in counts.items()
    )


def value_histogram(histograms: Mapping[str, np.ndarray], titles: Mapping[str, str]) -> alt.Chart:
    """Draw which share of the pixels has which value, a line for each split and channel.

    The scale of the shares is logarithmic, as paper alone can make up four fifths of all pixels.

    Args:
        histograms: how many pixels have each value, int64 `(C, 256)`, by split.
        titles: what each split is called.
    """
    frames = []
    for split, histogram in histograms.items():
        # Four values are one step: single ones would be noise.
        steps = histogram.reshape(len(histogram), 64, 4).sum(axis=2)
        for channel, counts in zip(_CHANNELS[len(histogram)], steps, strict=True):
            share = np.append(counts, counts[-1]) / max(1, counts.sum())  # the last step ends at 256
            frames.append(
                pd.DataFrame({"value": np.arange(65) * 4, "share": share, "channel": channel, "split": titles[split]})
            )
    frame = pd.concat(frames)
    channels = _CHANNELS[len(next(iter(histograms.values())))]
    return (
        alt.Chart(frame[frame["share"] > 0])
        .mark_line(interpolate="step-after", strokeWidth=2)
        .encode(
            x=alt.X(
                "value:Q",
                title="pixel value",
                scale=alt.Scale(domain=[0, 256], nice=False),
                axis=alt.Axis(values=[0, 64, 128, 192, 256], grid=False),
            ),
            y=alt.Y(
                "share:Q",
                title="share of the pixels",
                scale=alt.Scale(type="log"),
                axis=alt.Axis(format="~%", values=[10.0**power for power in range(-6, 1)]),
            ),
            color=alt.Color(
                "channel:N",
                title=None,
                scale=alt.Scale(domain=list(channels), range=[_CHANNEL_COLOURS[channel] for channel in channels]),
                legend=alt.Legend(orient="top") if len(channels) > 1 else None,
            ),
            strokeDash=alt.StrokeDash(
                "split:N",
                title=None,
                scale=alt.Scale(domain=list(titles.values()), range=[[1, 0], [4, 3]]),
                legend=alt.Legend(orient="top", symbolType="stroke", symbolStrokeColor="#888888"),
            ),
            tooltip=[
                alt.Tooltip("split:N"),
                alt.Tooltip("channel:N"),
                alt.Tooltip("value:Q", title="values from"),
                alt.Tooltip("share:Q", format=".2%"),
            ],
        )
        .properties(height=300)
    )


def map_chart(dataset: Dataset, image_map: ImageMap, picked: int | None) -> alt.LayerChart:
    """Draw a map of images, a mark each, in the colour and shape of its class; a short name is written where most are.

    Its selections are "pick", the `position` of a mark that is clicked, and "zoom".

    Args:
        picked: the position of the image that is ringed, if it is on the map.
    """
    labels = labels_of_all(dataset)[image_map.positions]
    names = list(dataset.class_names)
    frame = pd.DataFrame(
        {
            "x": image_map.points[:, 0],
            "y": image_map.points[:, 1],
            "class": [names[label] for label in labels],
            # Not "image": a hover would take that for the address of a picture, and load it.
            "place": [describe_place(dataset, position) for position in image_map.positions.tolist()],
            "position": image_map.positions,
            "ring": np.where(image_map.positions == picked, "picked", "other"),
        }
    )
    axes = [
        alt.Axis(labels=False, ticks=False, grid=False, domain=False)
        if image_map.explained is None
        else alt.Axis(labels=False, ticks=False, grid=False)
        for _ in range(2)
    ]
    titles = (
        (None, None)
        if image_map.explained is None
        else [
            f"{nth} component, {share:.1%} of the variance"
            for nth, share in zip(("first", "second"), image_map.explained, strict=True)
        ]
    )
    base = alt.Chart(frame).encode(
        x=alt.X("x:Q", title=titles[0], axis=axes[0], scale=alt.Scale(zero=False, padding=12)),
        y=alt.Y("y:Q", title=titles[1], axis=axes[1], scale=alt.Scale(zero=False, padding=12)),
        tooltip=["class:N", "place:N"],
    )
    highlighted = alt.selection_point(name="legend", fields=["class"], bind="legend")
    marks = (
        base.mark_point(filled=True, size=34, clip=True, cursor="pointer")
        .encode(
            color=alt.Color(
                "class:N", title=None, sort=names, scale=_cycled(names, _CLASS_COLOURS), legend=_legend(names)
            ),
            shape=alt.Shape(
                "class:N", title=None, sort=names, scale=_cycled(names, _CLASS_SHAPES), legend=_legend(names)
            ),
            opacity=alt.when(highlighted).then(alt.value(0.75)).otherwise(alt.value(0.06)),
        )
        .add_params(
            highlighted,
            alt.selection_point(name="pick", fields=["position"], toggle=False),
            alt.selection_interval(name="zoom", bind="scales"),
        )
        .properties(name="marks")
    )
    names_written = alt.Chart(_densest(frame)).encode(x="x:Q", y="y:Q", text="class:N")
    # Dark letters with a light edge are read on any ground.
    text: dict[str, Any] = {"fontSize": 17, "fontWeight": "bold", "clip": True, "limit": 120}
    written = [
        names_written.mark_text(**text, stroke="white", strokeWidth=5, strokeJoin="round", opacity=0.9),
        names_written.mark_text(**text, color="#1a1a1a"),
    ]
    ring = (
        base.transform_filter(alt.datum.ring == "picked")
        .mark_point(size=260, strokeWidth=3, filled=False, clip=True)
        .encode(color=alt.value("#d81b60"))
    )
    return alt.LayerChart(layer=[marks, *(written if are_short(names) else ()), ring]).properties(height=560)


def _densest(frame: pd.DataFrame) -> pd.DataFrame:
    """Return for each class the middle of its marks in that square of the map, of 16 by 16, where most of them are."""
    squares = [pd.cut(frame[axis], 16, labels=False).rename(f"square {axis}") for axis in ("x", "y")]
    middles = frame.groupby(["class", *squares])[["x", "y"]].agg({"x": ["mean", "size"], "y": "mean"})
    middles.columns = ["x", "marks", "y"]
    return middles.sort_values("marks", ascending=False).reset_index().drop_duplicates("class")[["class", "x", "y"]]


def _legend(names: Sequence[str]) -> alt.Legend:
    columns = 8 if are_short(names) else 3
    return alt.Legend(orient="bottom", columns=columns, labelLimit=110, symbolSize=80, symbolOpacity=1, symbolLimit=0)


def _cycled(names: Sequence[str], values: Sequence[str]) -> alt.Scale:
    """Give each name one of the values, beginning again where they end."""
    return alt.Scale(domain=list(names), range=[values[i % len(values)] for i in range(len(names))])


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


def describe_differences(differences: Sequence[ShareDifference], class_names: Sequence[str]) -> str:
    """Say which classes have another share of the training images than of the test images, at most five of them."""
    told = [
        f"{class_names[difference.label]} ({difference.train:.1%} of training, {difference.test:.1%} of test)"
        for difference in differences[:5]
    ]
    rest = len(differences) - len(told)
    return (
        f"Training and test images are spread differently over {len(differences)} of {len(class_names)} classes, more "
        f"than chance explains: {', '.join(told)}{f' and {rest} more' if rest else ''}. An accuracy over all test "
        "images weighs the classes otherwise than the training did; look at the accuracy of each class."
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
