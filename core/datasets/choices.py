"""What a person decides about an import instead of what would be guessed.

    choices = Choices(label_column="gesture", fit="pad")
    Choices(**choices.as_values())                     # the same again, from values that JSON has
    choices.as_options()                               # ["--label-column=gesture", "--fit=pad"]

A field is an option of `inspect` and `import`, and a field of the plan on the page; see `core.datasets.importing`.
"""

from dataclasses import asdict, dataclass, fields
from typing import Any, Literal

from core.datasets.specification import Fit, Preparation

Orientation = Literal["as-is", "transposed"]

HeldOut = Literal["stratified", "grouped"]

ValidationUse = Literal["given", "test", "train"]


@dataclass(frozen=True)
class Choices:
    """Each None stands for the guess.

    Attributes:
        dataset: the folder of the one to import, where several data sets lie side by side.
        splits: whether folders and files called after splits are such; False makes classes of them.
        classes: where folders lie in folders, whether the outer or the inner ones are the classes.
        train, validation, test: the folder, file or arrays of a split, by path or name.
        label_column: the name of a table's column of classes, or its number, the first being 1, or "last".
        header: whether tables have names of columns in their first row.
        encoding: of tables and of names in archives, in Python's words.
        scale: the value of white, such as 1, 16 or 255.
        orientation: `transposed` exchanges rows and columns of every image.
        preparation: how an image from outside is brought into the data set's form.
        fit: how images of other proportions are brought into those of the data set.
        validation_as: what validation images that came beside training images become: `given`, those that runs validate
            on; `test`, the test images, where no others came; `train`, training images like the others.
        test_part: how test images are held out where none came: at random, each class in proportion, or in whole
            groups of near-duplicates, see `core.datasets.grouping`.
    """

    dataset: str | None = None
    splits: bool | None = None
    classes: Literal["outer", "inner"] | None = None
    train: str | None = None
    validation: str | None = None
    test: str | None = None
    label_column: str | None = None
    header: bool | None = None
    encoding: str | None = None
    scale: float | None = None
    orientation: Orientation | None = None
    preparation: Preparation | None = None
    fit: Fit | None = None
    validation_as: ValidationUse | None = None
    test_part: HeldOut | None = None

    def as_values(self) -> dict[str, Any]:
        """Return the fields that are decided."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def as_options(self) -> list[str]:
        """Return the options of the command line that decide the same."""
        options = []
        for name, value in self.as_values().items():
            option = name.replace("_", "-")
            if isinstance(value, bool):
                options.append(f"--{option}" if value else f"--no-{option}")
            else:
                options.append(f"--{option}={value:g}" if isinstance(value, float) else f"--{option}={value}")
        return options


NAMES = tuple(field.name for field in fields(Choices))
"""The fields, in their order."""


def option_of(name: str) -> str:
    """Return the option of the command line that decides a field."""
    return f"--{name.replace('_', '-')}"
