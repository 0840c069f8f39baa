"""What a run has come to: the figures that its training and its test leave, as the store and `results.json` keep them.

results = Results.model_validate(stored)      # of any run; what it does not have yet is None
run.finished().results.test_accuracy          # of one that is done: a `FinishedResults`, where nothing is missing
"""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Learning(BaseModel):
    """What a finished training tells of whether it has learnt, to judge it by: see `core.runs.doubts`."""

    model_config = ConfigDict(frozen=True)

    train_loss: float | None = None
    """The mean loss of the last epoch, while it trained."""
    highest_loss: float | None = None
    """The highest mean loss of any epoch, in training or validation."""
    train_accuracy: float | None = None
    """That of the epoch whose weights were kept, while it trained."""
    sample_accuracy: float | None = None
    """That of the kept weights on some of the training images, predicted like any others."""
    batch_norm_lag: float | None = None
    """The share, 0 to 1, of their first values in batch norm's running averages as they were kept; None without one."""
    pixel_spread: float | None = None
    """The standard deviation of a pixel over some of the training images, 0 to 255, on average."""
    brightest_pixel: int | None = None
    """Of the same images, 0 to 255."""


class Results(BaseModel):
    """The figures of a run so far. Those that another version of Duet has kept besides stay with it."""

    model_config = ConfigDict(frozen=True, extra="allow")

    parameters: int | None = None
    """How many numbers its network learns."""
    epochs: int | None = None
    """How many it has trained, the one that it broke off not counted."""
    train_seconds: float | None = None
    """Time spent on steps alone: without validation, checkpoints and the start."""
    images_per_second: float | None = None
    best_epoch: int | None = None
    """The one whose weights were kept, counted from 1; so with the validation figures."""
    stopped_early: bool | None = None
    val_loss: float | None = None
    val_accuracy: float | None = None
    fingerprint: str | None = None
    """That of the data it was trained on."""
    versions: dict[str, str] = Field(default_factory=dict)
    """Those of the framework, by package."""
    test_loss: float | None = None
    test_accuracy: float | None = None
    confusion: list[list[int]] | None = None
    """Test images by true class (row) and predicted class (column)."""
    learning: Learning | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what is kept: only what was measured."""
        return self.model_dump(mode="json", exclude_unset=True)


class FinishedResults(Results):
    """The figures of a run that was trained and tested to its end."""

    parameters: int
    train_seconds: float
    images_per_second: float
    best_epoch: int
    val_loss: float
    val_accuracy: float
    fingerprint: str
    test_loss: float
    test_accuracy: float
    confusion: list[list[int]]
