"""The plan of an import in Chromium: what was thought is shown, changed there, and imported as it was changed."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.datasets import Dataset, get_specification, load, names
from core.runs import new_id
from tests.browser.app import Server, choose, open_page, screenshot, settled
from tests.browser.test_data import see
from tests.browser.waiting import PATIENCE_MS
from tests.field.inputs import (
    Make,
    columns_of,
    digits,
    digits_csv,
    file,
    folder,
    images,
    npz,
    pictures,
    table,
)

TWO = ["0", "1"] * 4
_DIGITS, _OF = digits(70)
_SIDEWAYS = _DIGITS.swapaxes(1, 2)
_TALL = pictures({"a": 5, "b": 5}, shape=(128, 16, 3))


@dataclass(frozen=True)
class Changed:
    """An input, what the plan says of it, what is chosen there instead, and what must come of that.

    Attributes:
        make: writes the input.
        said, says: words on the page before and after the change.
        field: the field that is changed, and `value` what is chosen or typed there.
        is_right: whether the data set that comes of it is as it was chosen.
    """

    make: Make
    said: str
    field: str
    value: str
    says: str
    is_right: Callable[[Dataset], bool]


def _counts(dataset: Dataset) -> tuple[int, int]:
    return len(dataset.train.images), len(dataset.test.images)


def _all_images(dataset: Dataset) -> set[bytes]:
    return {image.tobytes() for split in (dataset.train, dataset.test) for image in split.images}


def _side_by_side(**sets: dict[str, bytes]) -> Make:
    return folder({f"{name}/{path}": data for name, files in sets.items() for path, data in files.items()})


def _with_species(row: list[str]) -> list[str]:
    return [row[0], "species" if row[0] == "label" else "ab"[int(row[1]) % 2], *row[1:]]


CASES = {
    "label column": Changed(
        file("t.csv", columns_of(table(TWO), _with_species)),
        "2 classes: 0, 1.",
        "Column of classes",
        "species",
        "2 classes: a, b.",
        lambda dataset: dataset.class_names == ("a", "b"),
    ),
    "header": Changed(
        file("t.csv", table(TWO, header=None)),
        "1 file, 8 images",
        "First row names columns",
        "yes",
        "1 file, 7 images",
        lambda dataset: sum(_counts(dataset)) == 7,
    ),
    "no splits": Changed(
        folder(images(train__a=6, train__b=6, test__a=2, test__b=2)),
        "2 classes: a, b.",
        "Folders called train, test …",
        "no",
        "2 classes: test, train.",
        lambda dataset: dataset.class_names == ("test", "train"),
    ),
    "split folder": Changed(
        folder(images(train__a=6, train__b=6, val__a=3, val__b=3, test__a=2, test__b=2)),
        "Test: 4 images, from",
        "Test folder or file",
        "val",
        "Test: 6 images, from",
        lambda dataset: _counts(dataset) == (12, 6),
    ),
    "inner folders": Changed(
        folder(pictures({f"{sign} test/{time}": 5 for sign in ("negative", "positive") for time in ("dawn", "dusk")})),
        "2 classes: negative test, positive test.",
        "Folders that are the classes",
        "the inner ones",
        "2 classes: dawn, dusk.",
        lambda dataset: dataset.class_names == ("dawn", "dusk"),
    ),
    "preparation": Changed(
        file("digits.csv", digits_csv(_DIGITS, _OF)),
        "10 classes: 0, 1, 2",
        "Images from outside",
        "photo",
        "10 classes: 0, 1, 2",
        lambda dataset: dataset.specification.preparation == "photo",
    ),
    "squeezed": Changed(
        folder(_TALL),
        "all of it, padded",
        "Other proportions",
        "squeeze",
        "all of it, squeezed",
        lambda dataset: all(image.std(axis=(0, 1)).min() > 0 for image in dataset.train.images),
    ),
    "white": Changed(
        npz(images=_DIGITS // 16 + (_DIGITS == 255), labels=_OF),
        "with 16 as white",
        "Value of white",
        "32",
        "10 classes: 0, 1, 2",
        lambda dataset: max(image.max() for image in dataset.train.images) == 128,
    ),
    "data set": Changed(
        _side_by_side(
            one=images(train__cats=5, train__dogs=5, test__cats=2, test__dogs=2),
            two=images(train__emus=5, train__owls=6, test__emus=2, test__owls=2),
        ),
        "2 classes: cats, dogs.",
        "Data set: several lie here, choose one",
        "two",
        "2 classes: emus, owls.",
        lambda dataset: _counts(dataset) == (11, 4),
    ),
    "orientation": Changed(
        file("emnist-digits-train.csv", digits_csv(_SIDEWAYS, _OF)),
        "they are turned upright",
        "Orientation",
        "as they are",
        "10 classes: 0, 1, 2",
        lambda dataset: _all_images(dataset) == {image.tobytes() for image in _SIDEWAYS},
    ),
}


def _look_at(page: Page, path: Path) -> None:
    open_page(page, "data", view="Add data", source="Path on this machine")
    page.get_by_label("File or folder", exact=True).fill(str(path))
    page.get_by_label("File or folder", exact=True).press("Enter")
    see(page.get_by_text("As a network will see them"))
    settled(page)


def _change(page: Page, field: str, value: str) -> None:
    """Choose or type something else for what was guessed; the fields lie open where one must be chosen."""
    guesses = page.get_by_text("What was guessed, to be changed")
    if not page.get_by_label(field, exact=True).first.is_visible():
        guesses.click()
    if page.get_by_role("combobox", name=field).count():
        choose(page, field, value)
    else:
        page.get_by_label(field, exact=True).fill(value)
        page.get_by_label(field, exact=True).press("Enter")


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_a_guess_is_shown_changed_and_imported_as_changed(
    page: Page,
    server: Server,
    complaints: list[str],
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("DUET_HOME", str(server.home))
    case, before = CASES[name], set(names())
    _look_at(page, case.make(tmp_path))
    see(page.get_by_text(case.said, exact=False).first)
    screenshot(page, f"plan-{name}")

    _change(page, case.field, case.value)
    see(page.get_by_text(case.says, exact=False).first)
    settled(page)
    if case.said != case.field and not case.says.startswith(case.said) and case.said != case.says:
        expect(page.get_by_text(case.said, exact=False)).to_have_count(0)
    screenshot(page, f"plan-{name}-changed")
    page.get_by_role("textbox", name="Name").fill(title := f"{name} {new_id()}")
    page.get_by_role("textbox", name="Name").press("Enter")
    settled(page)
    page.get_by_role("button", name="Import", exact=True).click()

    see(page.get_by_text(re.compile(r" is here: \d+ images")))
    expect(page.get_by_role("button", name="See the images")).to_be_visible(timeout=PATIENCE_MS)
    (imported,) = set(names()) - before
    assert get_specification(imported).title == title
    assert case.is_right(load(imported))
    assert complaints == []
