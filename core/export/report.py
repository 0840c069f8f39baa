"""A report of some runs as one HTML file that needs nothing else: no program, no network, no Duet.

    html = report(runs)          # `python -m core report RUN_ID … --out report.html`

It has the accuracies and whether they differ; curves; confusion matrices and the most confident errors; all settings;
and what the runs came from. Runs that differ by their seed alone are one: a mean with its deviation, a band, a verdict
over the seeds. Whatever is chosen by a stranger, such as a class name, is text in it.
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import pandas as pd
import vl_convert
from markupsafe import Markup

from core import __version__
from core.charts.curves import curves, difference_frame, difference_strip, metric_frame
from core.charts.overlay import colours_of, overlay, overlay_frame
from core.charts.runs import METRICS
from core.config import Framework, RunConfig
from core.datasets import Dataset
from core.datasets.inspection.gallery import png
from core.runs import FinishedRun, open_store
from core.runs.predictions import DamagedPredictionsError, Predictions, read_test_predictions
from core.studies.comparison import settings_in_words, value_of_setting
from core.studies.errors import by_confidence
from core.studies.findings import find_findings
from core.studies.findings.evidence import dataset_of
from core.studies.groups import SeedGroup, are_matched, fold_all_seeds
from core.studies.verdicts import compare_groups, compare_runs
from core.system.text import duration, printable
from core.training.metrics import confused_pairs, row_rates, wilson_interval
from core.training.records import StepMetrics

MOST, MOST_RUNS = 12, 100
"""More settings than this are no longer read on paper, or more runs with all their seeds."""

_MISTAKES = 24
_MOST_CLASSES = 40
"""A confusion matrix of more is not read on paper."""
_CHART_WIDTH = 400
_LINES = "#7f7f7f"  # readable on white and on black, as the reader's system chooses which
_CONFIG = {
    "background": None,
    "view": {"stroke": None},
    "title": {"color": _LINES, "anchor": "start"},
    "axis": {"labelColor": _LINES, "titleColor": _LINES, "gridColor": _LINES, "gridOpacity": 0.25, "domain": False},
    "legend": {"labelColor": _LINES, "titleColor": _LINES},
}


def report(runs: Sequence[FinishedRun]) -> str:
    """Return the report of one run or a few, the seeds of a setting as one, HTML of one file.

    Raises:
        ValueError: if there are none, or more than `MOST` settings or `MOST_RUNS` runs.
    """
    if not 1 <= len(runs) <= MOST_RUNS:
        raise ValueError(f"Report: expected 1 to {MOST_RUNS} runs, received {len(runs)}.")
    groups = _groups(runs)
    if len(groups) > MOST:
        raise ValueError(
            f"Report: expected runs of 1 to {MOST} settings, several seeds of a setting being one, received "
            f"{len(groups)}."
        )
    tested = {run.id: _predictions(run) for run in runs}
    networks = sorted({f"{run.config.architecture} on {run.config.dataset}" for run in runs})
    charts, caption = _curves(groups)
    name = runs[0].name or ", ".join(networks)
    return _template().render(
        title=printable(name),
        subtitle=f"Made by Duet {__version__} on {datetime.now():%d %B %Y, %H:%M}.",
        runs=[_described(group, tested[group.runs[0].id]) for group in groups],
        difference=_difference(groups[0], groups[1], tested) if len(groups) == 2 else None,
        differences=_differences(groups, tested),
        charts=charts,
        curves_caption=caption,
        settings=_settings(groups),
        provenance=_provenance(groups),
    )


def _groups(runs: Sequence[FinishedRun]) -> list[SeedGroup]:
    if len(runs) == 1:
        return [SeedGroup(runs[0].id, runs[0].title, (runs[0],))]
    return fold_all_seeds(runs)


def _template() -> jinja2.Template:
    text = Path(__file__).with_name("report.html").read_text(encoding="utf-8")
    return jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def _predictions(run: FinishedRun) -> Predictions | str:
    """Return what a run predicted of the test images, or why that cannot be told."""
    try:
        return read_test_predictions(run.id, run.results.confusion)
    except DamagedPredictionsError as error:
        return str(error)


def _described(group: SeedGroup, tested: Predictions | str) -> dict[str, Any]:
    """Return what there is to say of the runs of a setting; findings and images are those of the first seed.

    Args:
        tested: what that one predicted of the test images, or why it cannot be told.
    """
    run = group.runs[0]
    matrix = np.sum([each.results.confusion for each in group.runs], axis=0)
    dataset = dataset_of(run)
    classes = [str(number) for number in range(len(matrix))] if dataset is None else dataset.class_names
    doubts = [(each, each.doubt) for each in group.runs]
    several = len(group.runs) > 1
    return {
        "label": printable(group.label),
        "accuracy": group.spread("test_accuracy").in_words(".2%"),
        "figures": _figures(group),
        "doubts": [
            f"{f'seed {each.config.seed} is ' if several else ''}done, but {doubt.title}. {doubt.reason}"
            for each, doubt in doubts
            if doubt is not None
        ],
        "seed": f", seed {run.config.seed}" if several else "",
        "findings": [printable(finding.sentence) for finding in find_findings(open_store(), run)],
        "classes": [printable(name) for name in classes],
        "counted": f"Test images of all {len(group.runs)} seeds" if several else "Test images",
        "matrix": _cells(matrix) if len(matrix) <= _MOST_CLASSES else [],
        "confused": ", ".join(
            f"{printable(classes[pair.label])} → {printable(classes[pair.predicted])}: {pair.count:,}"
            for pair in confused_pairs(matrix, limit=5)
        ),
        "errors": [] if dataset is None or isinstance(tested, str) else _errors(dataset, tested),
        "without_images": tested if isinstance(tested, str) else _NO_IMAGES if dataset is None else "",
    }


def _figures(group: SeedGroup) -> str:
    results = group.runs[0].results
    images = int(np.sum(results.confusion))
    if len(group.runs) > 1:
        loss, validation = group.spread("test_loss"), group.spread("val_accuracy")
        return (
            f"Mean ± standard deviation of {len(group.runs)} seeds, from {images:,} test images. Test loss "
            f"{loss.in_words('.4f')}, validation accuracy {validation.in_words('.2%')}, trained in "
            f"{group.spread('train_seconds').in_words('.1f')} s each."
        )
    low, high = wilson_interval(results.test_accuracy, images)
    return (
        f"95% interval {low:.2%} to {high:.2%}, from {images:,} test images. Test loss {results.test_loss:.4f}, "
        f"validation accuracy {results.val_accuracy:.2%}, trained in {duration(results.train_seconds)}."
    )


_NO_IMAGES = "The images that it was tested on are not here any more."


def _cells(matrix: np.ndarray) -> list[list[dict[str, Any]]]:
    """Return the cells of a confusion matrix with how deep their colour is: errors are seen from the first one on."""
    rates = row_rates(matrix)
    return [
        [
            {
                "count": f"{count:,}" if count else "·",
                "right": row == column,
                "share": round(float(rates[row, column]) * (0.5 if row == column else 1) + 0.08, 2) if count else 0,
            }
            for column, count in enumerate(counts)
        ]
        for row, counts in enumerate(matrix.tolist())
    ]


def _errors(dataset: Dataset, tested: Predictions) -> list[dict[str, str]]:
    predicted = tested.probabilities.argmax(axis=1)
    wrong = np.flatnonzero(predicted != tested.labels)
    found = []
    for image in by_confidence(tested.probabilities, wrong)[:_MISTAKES]:
        names = (dataset.class_names[label] for label in (tested.labels[image], predicted[image]))
        true, taken = (printable(name) for name in names)
        picture = base64.b64encode(png(dataset.test.images[image])).decode()
        caption = f"{true} → {taken}, {tested.probabilities[image].max():.1%}"
        found.append({"picture": f"data:image/png;base64,{picture}", "caption": caption})
    return found


def _difference(first: SeedGroup, second: SeedGroup, tested: Mapping[str, Predictions | str]) -> dict[str, str] | None:
    """Say of two that were tested on the same images whether they differ; None where that cannot be told."""
    if first.fingerprint != second.fingerprint:
        return None
    one, other = names = (printable(first.label), printable(second.label))
    if len(first.runs) > 1 or len(second.runs) > 1:
        images = int(np.sum(first.runs[0].results.confusion))
        accuracies = first.figures("test_accuracy"), second.figures("test_accuracy")
        verdict = compare_groups(*accuracies, images=images, names=names, matched=are_matched(first, second))
    else:
        answers = [tested[group.runs[0].id] for group in (first, second)]
        whole = [each for each in answers if not isinstance(each, str)]
        if len(whole) < 2:
            return None
        verdict = compare_runs(*(each.probabilities.argmax(axis=1) == each.labels for each in whole), names=names)
    told = ""
    if verdict.low is not None and verdict.high is not None:
        told = f" 95% interval {100 * verdict.low:+z.2f} to {100 * verdict.high:+z.2f} points."
    if test := verdict.mcnemar:
        told += f" {test.in_words[0].upper()}{test.in_words[1:]}."
    return {
        "title": f"Difference, {other} − {one}",
        "value": f"{100 * verdict.difference:+z.2f} points",
        "sentence": f"{verdict.sentence}{told}",
    }


def _differences(groups: Sequence[SeedGroup], tested: Mapping[str, Predictions | str]) -> list[dict[str, str]]:
    """Say of more than two how each differs from the one that is the best by validation."""
    if len(groups) < 3:
        return []
    best = max(groups, key=lambda group: group.spread("val_accuracy").mean)
    found = [_difference(best, group, tested) for group in groups if group is not best]
    return [each for each in found if each is not None]


def _curves(groups: Sequence[SeedGroup]) -> tuple[list[Markup], str]:
    """Return loss and accuracy as SVG, and how they are to be read."""
    points = {run.id: [point for _, point in open_store().curves(run.id)] for group in groups for run in group.runs}
    several = any(len(group.runs) > 1 for group in groups)
    epochs = max(run.config.epochs for group in groups for run in group.runs)
    frameworks: dict[str, Framework] = {group.runs[0].id: group.framework for group in groups}
    if not several and len(set(frameworks.values())) == len(groups):
        return _matched_curves(points, frameworks, epochs), (
            "Lines are the running mean over the training images, faint what was measured, dots the validation."
        )
    lines = {group.label: [points[run.id] for run in group.runs] for group in groups}
    colours = colours_of(groups, None)
    charts = [
        _svg(overlay(overlay_frame(lines, metric, "validation"), metric, "last 80 %", colours, epochs=epochs).to_dict())
        for metric in METRICS
    ]
    bands = " Lines are the mean over the seeds, bands one standard deviation of single runs." if several else ""
    return charts, f"Validation over the epochs.{bands}"


def _matched_curves(
    points: Mapping[str, Sequence[StepMetrics]], frameworks: Mapping[str, Framework], epochs: int
) -> list[Markup]:
    frames = {metric: metric_frame(points, frameworks, metric, "last 80 %", epochs=epochs) for metric in METRICS}
    charts = [_svg(curves(metric, "last 80 %", epochs=epochs), frame) for metric, frame in frames.items()]
    if len(frameworks) == 2:
        charts += [
            _svg(difference_strip(metric, epochs=epochs), difference_frame(frame)) for metric, frame in frames.items()
        ]
    return charts


def _svg(specification: Mapping[str, Any], frame: pd.DataFrame | None = None) -> Markup:
    """Return a Vega-Lite chart as SVG; nothing is fetched for it."""
    told = {**specification, "width": _CHART_WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}
    told.pop("$schema", None)
    if frame is not None:
        told["data"] = {"values": frame.astype(object).where(frame.notna(), None).to_dict("records")}
    return Markup(vl_convert.vegalite_to_svg(told, config=_CONFIG, allowed_base_urls=[]))


def _settings(groups: Sequence[SeedGroup]) -> list[dict[str, Any]]:
    words = settings_in_words([group.runs[0].config for group in groups])
    seeds = str(RunConfig.model_fields["seed"].title)
    words[seeds] = [", ".join(str(run.config.seed) for run in group.runs) for group in groups]
    return [
        {
            "title": title,
            "cells": [printable(value_of_setting(value)) for value in values],
            "differs": any(value != values[0] for value in values),
        }
        for title, values in words.items()
        if any(value is not None for value in values)
    ]


def _provenance(groups: Sequence[SeedGroup]) -> list[dict[str, str]]:
    """Return a row a run: what it is called, and where it came from."""
    return [
        {
            "Of": printable(group.label),
            "Run": run.id,
            "Seed": str(run.config.seed),
            "Launched": f"{datetime.fromtimestamp(run.created_at):%d %b %Y, %H:%M}",
            "Test accuracy": f"{run.results.test_accuracy:.2%}",
            "Parameters": f"{run.results.parameters:,}",
            "Epoch kept": str(run.results.best_epoch),
            "Images per second": f"{run.results.images_per_second:,.0f}",
            "Versions": printable(", ".join(f"{name} {version}" for name, version in run.results.versions.items())),
            "Fingerprint of the data": run.results.fingerprint,
        }
        for group in groups
        for run in group.runs
    ]
