"""What near-duplicates do to the figures of a run: see `core.studies.leaks`."""

from core.runs.predictions import Part
from core.studies.findings.evidence import Evidence
from core.studies.findings.finding import Finding
from core.studies.verdicts import noise_floor

_MOST_LEAK = 0.5
"""Where this share of the images leaks, the accuracy proves little, whatever the others say."""


def leaks_into_validation(evidence: Evidence) -> Finding | None:
    """Say that validation images have near-duplicates among the training images, where the accuracy rests on them."""
    return _leaks(evidence, "validation")


def leaks_into_test(evidence: Evidence) -> Finding | None:
    """Say the same of the test images."""
    return _leaks(evidence, "test")


def _leaks(evidence: Evidence, part: Part) -> Finding | None:
    found = evidence.leaks.get(part)
    if found is None:
        return None
    leaking = found.given_images - found.images
    rests = found.accuracy is not None and found.given - found.accuracy > noise_floor(found.accuracy, found.images)
    if not leaking or not (rests or leaking >= _MOST_LEAK * found.given_images):
        return None
    without = "" if found.accuracy is None else f", without them {found.accuracy:.1%} of {found.images:,}"
    return Finding(
        f"leaks_into_{part}",
        f"The {part} images leak: {leaking:,} of {found.given_images:,} are near-duplicates of training images. With "
        f"them the accuracy is {found.given:.1%}{without}.",
        view="Errors",
        figures={"leaking": leaking, "images": found.given_images, "accuracy": found.given}
        | ({} if found.accuracy is None else {"accuracy_without": found.accuracy}),
    )
