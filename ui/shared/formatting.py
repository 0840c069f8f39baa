"""The same words for the same things on every page: states, titles, times."""

import re
import string
from collections.abc import Collection, Iterable
from typing import Literal

from core.config import FRAMEWORK_TITLES
from core.jobs.failures import CAUSES
from core.runs import FinishedRun, Run
from core.system.text import duration

WORD_JOINER = "\u2060"
"""It takes no room and is not seen, and what stands at its sides is no address, icon or formula any more."""

_REPLACED = re.compile(r":(?=[\w+/-])|-(?=[->])|<(?=-)|@|www(?=\.)", re.IGNORECASE)

_Colour = Literal["green", "red", "orange", "blue"]

_ENDING_BADGES: dict[str, tuple[str, _Colour]] = {
    "done": (":material/check:", "green"),
    "failed": (":material/error:", "red"),
    "stopped": (":material/stop:", "orange"),
    "paused": (":material/pause:", "blue"),
}
"""An icon and a colour for each way to come to rest; the word always stands beside them."""


def badge_of(run: Run) -> tuple[str, _Colour]:
    """Return the icon and the colour of a run that has come to rest."""
    return (":material/warning:", "orange") if run.doubt else _ENDING_BADGES[run.state]


def counted(count: int, thing: str) -> str:
    """Return a number with its noun: "1 epoch", "3 epochs"."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"


def status(run: Run) -> str:
    """Say in one line where a run is."""
    framework = FRAMEWORK_TITLES[run.config.framework]
    if run.unresponsive:
        return f"{framework} · {state_of(run)}"
    match run.state:
        case "queued":
            return f"{framework} · waiting for a free device"
        case "starting":
            return f"{framework} · starting"
        case "running":
            ending = "stopping" if run.stop_requested else "pausing" if run.pause_requested else None
            parts = [framework, ending or "training"]
            if run.images_per_second:
                parts += [f"epoch {run.progress * run.config.epochs:.1f} of {run.config.epochs}"]
                parts += [f"{run.images_per_second:,.0f} images/s"]
            if run.seconds_left is not None:
                parts += [f"{duration(run.seconds_left)} left"]
            return " · ".join(parts)
        case "done":
            accuracy = run.results.test_accuracy
            return f"{framework} · {state_of(run)}" + ("" if accuracy is None else f" · test accuracy {accuracy:.2%}")
    return f"{framework} · {state_of(run)} after {run.progress:.0%}"


def state_of(run: Run) -> str:
    """Say a run's state in a word or two: "running", "failed: out of memory"."""
    if run.unresponsive:
        return "not responding"
    if run.state == "running" and (run.stop_requested or run.pause_requested):
        return "stopping" if run.stop_requested else "pausing"
    if run.doubt:
        return f"done, but {run.doubt.title}"
    return f"failed: {CAUSES[run.cause]}" if run.state == "failed" and run.cause in CAUSES else run.state


def load(run: Run) -> str | None:
    """Say what the process of a run uses while it trains: "PyTorch 620 MB of memory, CPU 190 %"."""
    if run.state != "running" or not run.process_load:
        return None
    megabytes, cpu_percent = run.process_load["memory_bytes"] / 1e6, run.process_load["cpu_percent"]
    memory = f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes:.0f} MB"
    return f"{FRAMEWORK_TITLES[run.config.framework]} {memory} of memory, CPU {cpu_percent:.0f} %"


def kept_epoch(run: FinishedRun) -> str:
    """Say which epoch's weights a finished run has kept, and whether it stopped before it had to."""
    results, config = run.results, run.config
    trained = counted(config.epochs if results.epochs is None else results.epochs, "epoch")
    if results.stopped_early:
        waited = counted(config.patience, "epoch")
        return f"Epoch {results.best_epoch} kept. Stopped early after {trained}: {waited} had brought nothing better."
    return f"Epoch {results.best_epoch} of {trained} kept."


def escape_markdown(text: str) -> str:
    """Return Markdown that shows `text` as it is, whatever a stranger has put into the name of a class or a file.

    It is for what Streamlit takes for Markdown: texts, captions, alerts, toasts, helps, labels of buttons, links and
    pills. The choices of a list, fields, tables and charts show a text as it is, and would show the backslashes.
    """
    # Streamlit replaces emoji and icon codes, arrows and dashes even where they are escaped, and makes links of web and
    # mail addresses, but not across a joiner.
    parted = _REPLACED.sub(rf"\g<0>{WORD_JOINER}", " ".join(text.split()))
    return "".join(f"\\{letter}" if letter in string.punctuation else letter for letter in parted)


def column_names(labels: Iterable[str], beside: Collection[str]) -> list[str]:
    """Return labels that users may have chosen as names of columns: none is that of a column `beside` them.

    One that would be gets a joiner, which nobody sees.
    """
    return [f"{label}{WORD_JOINER}" if label in beside else label for label in labels]


def escape_badge(text: str) -> str:
    """Return `text` for `st.badge`, which escapes brackets itself: escaped twice, they would show a backslash."""
    return re.sub(r"\\([\[\]])", r"\1", escape_markdown(text))
