"""`python -m core datasets`: what it prints, and how it refuses."""

import json
import subprocess
import sys

import pytest

from core import datasets
from core.cli import datasets as cli
from core.cli.datasets import main
from core.cli.settings import configure_chosen
from core.config import configure
from core.datasets.grouping import known_groups
from core.runs import open_store
from core.system.paths import PROJECT
from core.system.text import is_no_text, printable
from tests.datasets import sources
from tests.hostile_names import HOSTILE_CONTROLS


@pytest.fixture
def archive(tmp_path):
    return str(sources.zipped(tmp_path / "pets.zip", sources.photographs("cat", "dog") | {"cat/a.txt": b""}))


def test_lists_what_there_is(capsys):
    main(["--json"])
    (row,) = json.loads(capsys.readouterr().out)
    assert row["name"] == "mnist"
    assert row["images"] == {"train": 60_000, "test": 10_000}
    assert row["shape"] == [28, 28, 1]
    assert row["fingerprint"] == datasets.load("mnist").fingerprint

    main([])
    assert capsys.readouterr().out.split() == (
        "mnist MNIST: 60,000 + 10,000 images, 28×28×1, 10 classes".split()  # noqa: SIM905
    )


def test_imports_and_prints_the_report(archive, capsys):
    main(["import", archive, "--name", "Cats and dogs", "--size", "16", "--colour", "grey", "--json"])
    report = json.loads(capsys.readouterr().out)
    assert (report["name"], report["shape"]) == ("cats-and-dogs", [16, 16, 1])
    assert report["skipped"] == [
        {"file": "cat/a.txt", "reason": "It is no image.", "fix": "Remove it, or save it as PNG or JPEG."}
    ]

    main(["import", archive, "--size", "12x20"])
    printed = capsys.readouterr().out
    assert "pets (pets) is here: Folders of images, 2 classes" in printed
    assert "12×20×3, SHA-256 " in printed
    assert "cat/a.txt: It is no image. Remove it, or save it as PNG or JPEG." in printed


@pytest.mark.parametrize(("most", "is_known"), [(1_000, True), (5, False)])
def test_near_duplicates_are_looked_for_among_not_too_many(archive, monkeypatch, most, is_known):
    monkeypatch.setattr(cli, "_MOST_COMPARED", most)

    main(["import", archive, "--name", "Pets"])

    assert (known_groups(datasets.load("pets")) is not None) is is_known


def test_looks_without_importing(archive, capsys):
    main(["inspect", archive])

    assert "Folders of images in 10 files; 2 classes: cat, dog" in capsys.readouterr().out
    assert datasets.names() == ["mnist"]


def test_deletes_unless_runs_use_it(archive, capsys):
    main(["import", archive])
    run_id = open_store().create(configure(dataset="pets"), submission="one")
    with pytest.raises(SystemExit) as refused:
        main(["delete", "pets"])
    assert refused.value.code == 2
    assert capsys.readouterr().err == f"pets cannot be deleted while runs use it: delete {run_id} first.\n"

    main(["rename", "pets", "Animals"])
    assert datasets.get_specification("pets").title == "Animals"


def test_deletes_and_restores(archive, capsys):
    main(["import", archive])
    main(["delete", "pets"])
    assert "python -m core datasets restore pets" in capsys.readouterr().out
    assert datasets.names() == ["mnist"]
    main(["restore", "pets"])
    assert datasets.names() == ["mnist", "pets"]


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["import", "missing.zip"], "Expected a file or a folder, but there is none at missing.zip."),
        (["import", "x", "--size", "big"], "Argument --size: expected a size such as 32x32, received 'big'"),
        (["import", "x", "--colour", "red"], "Argument --colour: invalid choice: 'red'"),
        (["delete", "mnist"], "MNIST comes with Duet and cannot be deleted."),
        (["fly"], "Argument COMMAND: invalid choice: 'fly'"),
    ],
)
def test_refuses_with_one_sentence(arguments, sentence, capsys):
    with pytest.raises(SystemExit) as refused:
        main(arguments)

    assert refused.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith(sentence)
    assert error.count("\n") == 1


def test_knowing_and_importing_data_needs_no_framework():
    program = (
        "import sys, core.cli.datasets, core.datasets.catalogue\n"
        "print([name for name in ('torch', 'torchvision', 'tensorflow', 'keras', 'streamlit') if name in sys.modules])"
    )
    printed = subprocess.run([sys.executable, "-c", program], cwd=PROJECT, capture_output=True, text=True, check=True)

    assert printed.stdout == "[]\n"


@pytest.mark.parametrize("name", HOSTILE_CONTROLS)
def test_nothing_printed_commands_the_terminal(name, tmp_path, capsys):
    folder = tmp_path / "pets"
    for path, content in (sources.photographs("cat", "dog") | {f"cat/{name}.txt": b"", f"{name}/x.txt": b""}).items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)

    main(["inspect", str(folder)])
    with pytest.raises(SystemExit):
        main(["inspect", str(tmp_path / name)])
    printed = capsys.readouterr()

    assert printable(name) in printed.err
    assert not any(is_no_text(letter) for letter in (printed.out + printed.err).replace("\n", ""))
    assert len(printed.err.splitlines()) == 1


@pytest.fixture
def with_validation(tmp_path):
    parts = {"train": [0, 1] * 5, "val": [0, 1] * 3, "test": [0, 1] * 2}
    tables = {f"{part}.csv": sources.csv(labels, sources.pixels(len(labels), 8, 8)) for part, labels in parts.items()}
    return str(sources.written(tmp_path / "digits", tables))


def test_validation_images_that_came_are_kept_as_the_plan_says(with_validation, capsys):
    main(["inspect", with_validation])
    planned = capsys.readouterr().out
    assert "6 validation images, kept as given" in planned
    assert "validation as: given (otherwise: --validation-as)" in planned

    main(["import", with_validation, "--name", "Kept"])
    assert "16 images to train on, 6 of them to validate on, 4 to test on" in capsys.readouterr().out
    main([])
    assert "Kept: 16, 6 of them to validate on + 4 images" in capsys.readouterr().out
    main(["--json"])
    assert [row["validation_images"] for row in json.loads(capsys.readouterr().out)] == [0, 6]


def test_validation_images_that_came_are_what_is_chosen(with_validation, capsys):
    main(["import", with_validation, "--name", "Poured", "--validation-as", "train"])

    assert "16 images to train on, 4 to test on" in capsys.readouterr().out
    assert datasets.usual_validation_part("poured") == "stratified"
    with pytest.raises(SystemExit):
        main(["import", with_validation, "--validation-as", "test"])
    assert "expected given or train, as test images came with the data" in capsys.readouterr().err


def test_runs_validate_on_images_that_came_unless_something_else_is_chosen(with_validation):
    main(["import", with_validation, "--name", "Kept"])

    assert configure_chosen({"dataset": "kept"}).validation_part == "given"
    assert configure_chosen({"dataset": "kept", "validation_part": "last"}).validation_part == "last"
    assert configure_chosen({}) == configure()
