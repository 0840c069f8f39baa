"""The rows of a benchmark's table: what each compares and asks for, and what it came to.

row = Row("1", "an epoch of ann-100", contest="ann-100 pytorch", peer="peer", least_ratio=10)
result = judge(row, found, images=60_000)     # found: what `in_turns` measured of its contest
as_line(result), as_table([result])
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean, median

from benchmarks.turns import Measured
from core.networks.layers import layer_rows
from core.networks.zoo import ARCHITECTURES


class UnmeasuredError(Exception):
    """A row has no figure; the message says why."""


def median_seconds(measured: Measured) -> float:
    """Return the median over the turns."""
    return measured.median("seconds")


def most_megabytes(measured: Measured) -> float:
    """Return the most memory of a turn, in units of 10⁶ bytes."""
    return max(measured.values("bytes")) / 1e6


def seconds_to(accuracy: float) -> Callable[[Measured], float]:
    """Return what finds the seconds of training, averaged over the seeds, until their mean accuracy is reached.

    Turns that tell their epoch add up; others are whole trainings.
    """

    def find(measured: Measured) -> float:
        seconds = mean = 0.0
        for epoch in sorted({turn.get("epoch", 1) for turn in measured.turns}):
            turns = [turn for turn in measured.turns if turn.get("epoch", 1) == epoch]
            seconds += fmean(turn["seconds"] for turn in turns)
            mean = fmean(turn["accuracy"] for turn in turns)
            if mean >= accuracy:
                return seconds
        raise UnmeasuredError(f"reached {mean:.4f} instead of {accuracy}")

    return find


@dataclass(frozen=True)
class Row:
    """A row of the table: which programs of which contest it compares, and what it asks of them.

    `figure` makes one number of a program's turns. The ratio is the peer's number by ours, each round's where it has
    rounds, and should be at least `least_ratio`; ours should be at most `most`, in its `unit`. Where a `network` is
    trained, its share of the roof is told, and `least_share` asks for that; the contest then has a program `roof`.
    Where the `engine` is told apart, so is the share of our time that was spent outside of it. A row whose `recipe` is
    not there yet is not measured.
    """

    number: str
    what: str
    contest: str
    ours: str = "ours"
    peer: str | None = None
    peer_title: str = "–"
    unit: str = "s"
    figure: Callable[[Measured], float] = median_seconds
    least_ratio: float | None = None
    most: float | None = None
    network: str | None = None
    least_share: float | None = None
    engine: bool = False
    recipe: str | None = None

    @property
    def target(self) -> str:
        """What is asked, in words."""
        asked = [
            self.least_ratio and f"≥ {self.least_ratio:.2g}×",
            self.most and f"≤ {self.most:g} {self.unit}",
            self.least_share and f"≥ {self.least_share:.0%} of the roof",
        ]
        return ", ".join(text for text in asked if text)


@dataclass(frozen=True)
class Result:
    """What a row came to.

    `ratio` is the median of the rounds', `spread` the lowest and highest of them, `share` that of the roof, `outside`
    that of our time which was not spent in the engine.
    """

    number: str
    what: str
    peer_title: str
    unit: str
    target: str
    ours: float | None = None
    peer: float | None = None
    ratio: float | None = None
    spread: tuple[float, float] | None = None
    images_per_second: float | None = None
    share: float | None = None
    outside: float | None = None
    met: bool = False
    failure: str = ""


def judge(row: Row, found: Mapping[str, Measured], images: int) -> Result:
    """Make a result of what the programs of a row's contest measured; a training's turn took so many images."""
    programs = {name: found[name] for name in (row.ours, row.peer, row.network and "roof") if name}
    for name, measured in programs.items():
        if measured.failure:
            return unmeasured(row, f"{name} failed: {measured.failure}")
    try:
        ours = row.figure(programs[row.ours])
        peer = row.figure(programs[row.peer]) if row.peer else None
    except UnmeasuredError as error:
        return unmeasured(row, str(error))
    rounds = _rounds(programs[row.ours], programs[row.peer]) if row.peer else []
    ratio = median(rounds) if rounds else peer / ours if peer else None
    speed = images / ours if row.network else None
    share = speed * step_flops(row.network) / (programs["roof"].median("gflops") * 1e9) if row.network else None
    met = (
        (row.least_ratio is None or ratio >= row.least_ratio)
        and (row.most is None or ours <= row.most)
        and (row.least_share is None or share >= row.least_share)
    )
    return Result(
        **_described(row),
        ours=ours,
        peer=peer,
        ratio=ratio,
        spread=(min(rounds), max(rounds)) if rounds else None,
        images_per_second=speed,
        share=share,
        outside=_outside(programs[row.ours]) if row.engine else None,
        met=met,
    )


def unmeasured(row: Row, reason: str) -> Result:
    """Make the result of a row that has no figures."""
    return Result(**_described(row), failure=reason)


def _described(row: Row) -> dict[str, str]:
    return {name: getattr(row, name) for name in ("number", "what", "peer_title", "unit", "target")}


def _rounds(ours: Measured, peer: Measured) -> list[float]:
    """Return the ratio of each round, where both measured the same in it; else none."""
    if any("seed" in turn for turn in (*ours.turns, *peer.turns)):
        return []
    return [b / a for a, b in zip(ours.values("seconds"), peer.values("seconds"), strict=True)]


def _outside(measured: Measured) -> float:
    """Return the median share of a turn that was not spent in the engine."""
    return median(1 - turn["engine"] / turn["seconds"] for turn in measured.turns)


def step_flops(network: str) -> int:
    """Return the floating-point operations that a training step needs for each image of MNIST.

    Each multiplication comes with an addition. The gradients of a layer's weights and of its input cost as much
    as its output; the input of the first layer needs no gradient.
    """
    rows = layer_rows(ARCHITECTURES[network], (28, 28, 1), 10)
    multiplications = [row.multiplications for row in rows if row.multiplications]
    return 2 * (3 * sum(multiplications) - multiplications[0])


def as_table(results: Iterable[Result]) -> str:
    """Return results as a Markdown table."""
    heads = ("#", "what", "ours", "peer", "ratio", "target", "met", "share of the roof")
    lines = [f"| {' | '.join(heads)} |", "|---|---|---|---|---|---|---|---:|"]
    return "\n".join([*lines, *(f"| {' | '.join(_cells(result))} |" for result in results)])


def as_line(result: Result) -> str:
    """Return a result as a line of plain text."""
    number, what, *cells, met, share = _cells(result)
    verdict = {"yes": "met", "**no**": "MISSED"}.get(met, met)
    shown = (*cells[:2], f"{cells[2]} (asked: {cells[3]})".strip(), verdict, share and f"{share} of the roof")
    return f"{number:4}{what}\n    {'; '.join(cell for cell in shown if cell)}"


def _cells(result: Result) -> list[str]:
    if result.failure:
        return [result.number, result.what, result.failure, "", "", result.target, "not measured", ""]
    speed = f", {result.images_per_second:,.0f} images/s" if result.images_per_second else ""
    outside = f", of which outside of the engine {result.outside:.1%}" if result.outside is not None else ""
    spread = f" ({result.spread[0]:.3g}–{result.spread[1]:.3g})" if result.spread else ""
    return [
        result.number,
        result.what,
        f"{_amount(result.ours, result.unit)}{speed}{outside}",
        f"{_amount(result.peer, result.unit)}: {result.peer_title}" if result.peer else "",
        f"{result.ratio:.3g}×{spread}" if result.ratio else "",
        result.target,
        "yes" if result.met else "**no**",
        f"{result.share:.0%}" if result.share else "",
    ]


def _amount(value: float, unit: str) -> str:
    return f"{value * 1000:.3g} ms" if unit == "s" and value < 1 else f"{value:,.4g} {unit}"
