"""The plan of an import on the page: what was guessed is shown, changed, and imported as changed."""

import shutil
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.datasets.background_import import import_progress, start_import
from tests.datasets import sources
from tests.field.inputs import images, table
from tests.page import page_at
from tests.waiting import wait_for
from ui.shared.formatting import escape_markdown


@pytest.fixture
def page() -> AppTest:
    page = page_at("data")
    page.query_params.update({"view": "Add data", "source": "Path on this machine"})
    page.run()
    return page


def _says(page: AppTest, text: str) -> bool:
    """Say whether a text stands on the page, whatever of it is escaped."""
    return any(text in markdown.value.replace("\\", "") for markdown in page.markdown)


def _import(page: AppTest) -> str:
    """Press the button and return the name of the data set that comes of it."""
    next(button for button in page.button if button.label == "Import").click().run()
    import_id = page.query_params["import"]
    wait_for(lambda: import_progress(import_id).state != "running")
    ended = import_progress(import_id)
    assert ended.state == "done", ended.sentence
    return ended.report.name


@pytest.mark.usefixtures("ends_processes")
def test_another_column_of_classes_is_looked_at_and_imported(page: AppTest, tmp_path: Path) -> None:
    header = ["label", "species", *(f"pixel{number}" for number in range(16))]
    rows = [line.split(",") for line in table(["0", "1"] * 4).splitlines()[1:]]
    content = [header, *([row[0], "ab"[number // 4], *row[1:]] for number, row in enumerate(rows))]
    path = sources.written(tmp_path, {"t.csv": "\n".join(map(",".join, content))}) / "t.csv"

    page.text_input(key="import-path").set_value(str(path)).run()
    assert _says(page, "2 classes: 0, 1.")
    page.selectbox(key="import-label_column").select("species").run()
    assert _says(page, "2 classes: a, b.")
    assert not page.exception
    assert datasets.load(_import(page)).class_names == ("a", "b")


@pytest.mark.usefixtures("ends_processes")
def test_of_several_data_sets_one_must_be_chosen(page: AppTest, tmp_path: Path) -> None:
    one = images(train__cats=5, train__dogs=5, test__cats=2, test__dogs=2)
    other = images(train__emus=5, train__owls=6, test__emus=2, test__owls=2)
    files = {f"one/{name}": data for name, data in one.items()} | {f"two/{name}": data for name, data in other.items()}
    sources.written(tmp_path, files)

    page.text_input(key="import-path").set_value(str(tmp_path)).run()
    assert next(button for button in page.button if button.label == "Import").disabled
    page.selectbox(key="import-dataset").select("two").run()
    assert not page.exception
    assert _says(page, "2 classes: emus, owls.")
    page.selectbox(key="import-dataset").select("one").run()
    assert _says(page, "2 classes: cats, dogs.")
    page.selectbox(key="import-dataset").select("two").run()
    assert datasets.load(_import(page)).class_names == ("emus", "owls")


def test_folders_that_were_no_splits_can_be_splits_again(page: AppTest, tmp_path: Path) -> None:
    path = sources.written(tmp_path, images(train__a=5, train__b=5, test__a=2, test__b=2))

    page.text_input(key="import-path").set_value(str(path)).run()
    page.selectbox(key="import-splits").select(False).run()
    assert _says(page, "2 classes: test, train.")
    page.selectbox(key="import-splits").select(True).run()
    assert _says(page, "2 classes: a, b.")


@pytest.mark.usefixtures("ends_processes")
def test_another_test_folder_leaves_the_training_images(page: AppTest, tmp_path: Path) -> None:
    path = sources.written(tmp_path, images(train__a=6, train__b=6, val__a=3, val__b=3, test__a=2, test__b=2))

    page.text_input(key="import-path").set_value(str(path)).run()
    page.text_input(key="import-test").set_value("val").run()

    for _ in range(2):  # the second one changes nothing
        shown = [page.text_input(key=f"import-{part}").value for part in ("train", "validation", "test")]
        assert shown == ["train", "", "val"]
        assert _says(page, "Train: 12 images, from train")
        assert _says(page, "Test: 6 images, from val")
        page.run()
    dataset = datasets.load(_import(page))
    assert (len(dataset.train.images), len(dataset.test.images)) == (12, 6)


@pytest.mark.usefixtures("ends_processes")
def test_what_validation_images_become_is_shown_changed_and_imported_as_changed(page: AppTest, tmp_path: Path) -> None:
    path = sources.written(tmp_path, images(train__a=10, train__b=10, val__a=3, val__b=3))

    page.text_input(key="import-path").set_value(str(path)).run()
    use = page.selectbox(key="import-validation_as")
    assert (use.value, use.options) == ("given", ["as given", "taken for the test", "training images, too"])
    use.select("test").run()
    assert "The validation images that came with the data are the test images" in page.info[0].value
    page.selectbox(key="import-validation_as").select("given").run()

    assert not page.exception
    assert "6 validation images, kept as given" in page.info[0].value.replace("\\", "")
    page.selectbox(key="import-test_part").select("grouped").run()
    dataset = datasets.load(_import(page))
    assert dataset.specification.validation_images == 6
    assert (len(dataset.train.images), len(dataset.test.images)) == (22, 4)


def test_a_choice_that_other_splits_make_idle_is_forgotten(page: AppTest, tmp_path: Path) -> None:
    path = sources.written(tmp_path, images(train__a=6, train__b=6, val__a=3, val__b=3, test__a=2, test__b=2))

    page.text_input(key="import-path").set_value(str(path)).run()
    page.selectbox(key="import-validation_as").select("train").run()
    page.text_input(key="import-validation").set_value("").run()

    assert not page.exception
    assert not page.error
    assert "validation_as" not in page.session_state["look"].choices.as_values()


def test_a_choice_that_cannot_be_met_is_a_sentence(page: AppTest, tmp_path: Path) -> None:
    path = sources.written(tmp_path, images(train__a=5, train__b=5, test__a=2, test__b=2))

    page.text_input(key="import-path").set_value(str(path)).run()
    page.text_input(key="import-test").set_value("elsewhere").run()
    assert escape_markdown("there is none called 'elsewhere'") in page.error[0].value
    assert not page.exception


def test_plan_whose_files_have_gone_asks_for_them_again(page: AppTest, tmp_path: Path) -> None:
    path = sources.written(tmp_path / "here", images(train__a=5, train__b=5, test__a=2, test__b=2))
    page.text_input(key="import-path").set_value(str(path)).run()
    shutil.rmtree(path)

    next(button for button in page.button if button.label == "Import").click().run()

    assert "give the files again" in page.error[0].value
    assert "import" not in page.query_params


@pytest.mark.usefixtures("ends_processes")
def test_failed_import_is_listed_in_every_tab_until_it_is_dismissed(page: AppTest, tmp_path: Path) -> None:
    import_id = start_import(tmp_path / "nothing-here.zip")
    wait_for(lambda: import_progress(import_id).state == "failed")

    page.run()
    assert _says(page, "Failed.")
    page.button(key=f"dismiss-{import_id}").click().run()
    assert not page.exception
    assert not _says(page, "Failed.")
