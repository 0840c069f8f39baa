"""The data page, without a browser: what each view shows for what is chosen or asked for in the address."""

import json
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from streamlit.testing.v1 import AppTest

from core import datasets
from core.config import RunConfig
from core.datasets import load
from core.datasets.importing import import_dataset
from core.datasets.inspection import near_duplicates
from core.datasets.inspection.cache import write_cached
from core.datasets.inspection.image_map import principal_components
from core.runs import new_id, open_store
from tests.page import page_at, plain
from tests.sample_data import make_dataset, noise, plant_faults, store
from ui.data import VIEWS


@pytest.fixture
def page() -> AppTest:
    return page_at("data")


class Unchanged:
    """In place of the warm process: the images as they came. The browser journey asks the real one."""

    def warm(self) -> None:
        pass

    def augment(self, images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        assert images.dtype == np.uint8
        assert transforms.shape == (len(images), 2, 3)
        return images


@pytest.fixture(autouse=True)
def no_warm_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ui.data.augmentation.prediction_service", lambda _framework: Unchanged())


def test_an_augmentation_is_shown_and_warned_of(page: AppTest) -> None:
    page.query_params["view"] = "Augmentation"
    page.run()
    assert "Nothing is changed yet" in texts(page)
    page.number_input(key="setting-rotation").set_value(10.0).run()
    page.toggle(key="setting-flip_horizontal").set_value(True).run()

    assert not page.exception
    assert "flipped digit" in texts(page)
    assert len(grids(page)[0]["names"]) == 6 * 8
    assert page.session_state["settings"]["rotation"] == 10


@pytest.fixture
def images(page: AppTest) -> AppTest:
    page.query_params["view"] = "Images"
    return page


def grids(page: AppTest) -> list[dict]:
    """Return what the grids of images were given, in the order of the page."""
    given = (json.loads(component.proto.json) for component in page.get("bidi_component"))
    return [values for values in given if "names" in values]  # the bell of every page is a component too


def close_up(page: AppTest) -> str:
    return next(text.value for text in page.markdown if text.value.startswith("**Class"))


def texts(page: AppTest) -> str:
    return "\n".join(element.value for kind in (page.markdown, page.info, page.error, page.warning) for element in kind)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("shape", [(8, 8, 1), (12, 10, 3)], ids=str)
def test_every_view_shows_every_kind_of_images(page: AppTest, view: str, shape: tuple[int, int, int]) -> None:
    store(plant_faults(shape))
    page.query_params.update({"view": view, "dataset": "Tiny"})
    page.run()
    assert not page.exception
    assert page.selectbox(key="dataset").value == "tiny"
    assert page.button_group(key="view").value == view


def test_the_overview_sums_up_and_draws_the_classes(page: AppTest) -> None:
    page.run()
    assert not page.exception
    assert {metric.label: metric.value for metric in page.metric} == {
        "Images": "70,000",
        "Training": "54,000",
        "Validation": "6,000",
        "Test": "10,000",
        "Classes": "10",
        "Image": "28×28×1",
        "Memory": "54.9 MB",
    }
    assert load("mnist").fingerprint in page.caption[0].value
    assert page.dataframe[0].value.set_index("Class").loc["7", "All"] == 7293
    assert not page.warning
    assert len(page.get("vega_lite_chart")) == 1


def test_validation_images_that_came_with_the_data_are_those_of_the_overview(page: AppTest) -> None:
    store(make_dataset(noise(20), [0, 1] * 10, noise(4, seed=1), [0, 1] * 2, validation_images=6))
    page.query_params["dataset"] = "Tiny"
    page.run()
    assert not page.exception
    shown = {metric.label: metric.value for metric in page.metric}
    assert (shown["Training"], shown["Validation"], shown["Test"]) == ("14", "6", "4")
    assert any("Validation images are those that came with the data" in text.value for text in page.markdown)


def test_splits_that_differ_are_warned_of(page: AppTest) -> None:
    dataset = plant_faults()
    dataset.test.labels[:] = 1
    store(dataset)
    page.query_params["dataset"] = "Tiny"
    page.run()
    assert any("Training and test images are spread differently" in warning.value for warning in page.warning)


def test_a_class_that_is_not_scored_is_named(page: AppTest) -> None:
    store(make_dataset(noise(20), [0, 1] * 10, noise(4, seed=1), [1] * 4))
    page.query_params["dataset"] = "Tiny"
    page.run()
    assert plain(page.warning[0].value) == "Without test images, so that they are not scored: cat."


def test_the_first_images(images: AppTest) -> None:
    images.run()
    assert len(grids(images)[0]["names"]) == 80
    assert grids(images)[0]["picked"] == 0
    assert close_up(images) == "**Class 5**, training image 0"
    assert (images.dataframe[0].value.to_numpy() == load("mnist").train.images[0, ..., 0]).all()


def test_a_class_filter_shows_only_that_class_from_its_first_page(images: AppTest) -> None:
    images.run()
    images.get("pagination")[0].set_value(3).run()
    images.button_group(key="class").set_value("7").run()
    assert all(name.endswith("class 7") for name in grids(images)[0]["names"])
    assert images.session_state["page"] == 1
    assert close_up(images).startswith("**Class 7**")


def test_the_address_chooses_split_class_page_and_image(images: AppTest) -> None:
    images.query_params.update({"split": "Test", "class": "7", "page": "2", "image": "17"})
    images.run()
    assert not images.exception
    assert images.button_group(key="split").value == "test"
    assert close_up(images) == "**Class 7**, test image 17"
    assert grids(images)[0]["picked"] is None, "image 17 is on the first page"
    sevens = np.flatnonzero(load("mnist").test.labels == 7)
    assert grids(images)[0]["names"][0] == f"Image {sevens[80]:,}, class 7"


def test_a_seed_shuffles_always_alike(images: AppTest) -> None:
    images.run()
    unshuffled = grids(images)[0]["names"]
    images.number_input(key="shuffle").set_value(3).run()
    shuffled = grids(images)[0]["names"]
    assert shuffled != unshuffled
    again = page_at("data", view="Images", shuffle="3").run()
    assert grids(again)[0]["names"] == shuffled


@pytest.mark.parametrize(
    "address",
    [
        {"image": "abc"},
        {"image": "9" * 5000},
        {"image": "-1"},
        {"page": "9999"},
        {"class": "x"},
        {"split": "x"},
        {"shuffle": "x"},
    ],
    ids=lambda address: str(address)[:30],
)
def test_nonsense_in_the_address_falls_back(images: AppTest, address: dict[str, str]) -> None:
    images.query_params.update(address)
    images.run()
    assert not images.exception
    assert close_up(images) == "**Class 5**, training image 0"


def test_data_set_of_the_address_is_opened_by_name_or_title_or_said_to_be_gone() -> None:
    store(plant_faults())

    assert page_at("data", dataset="tiny").run().selectbox(key="dataset").value == "tiny"
    assert page_at("data", dataset="Tiny").run().selectbox(key="dataset").value == "tiny"
    page = page_at("data", dataset="long-gone").run()
    assert page.selectbox(key="dataset").value == "long-gone"
    assert "The data set long-gone is not here" in plain(page.warning[0].value)
    assert not page.exception
    page.selectbox(key="dataset").set_value("mnist").run()
    assert not page.warning


def test_data_set_that_another_tab_deletes_is_not_replaced_by_another() -> None:
    store(plant_faults())
    page = page_at("data", dataset="tiny").run()

    datasets.delete("tiny", lambda _name: [])

    assert "The data set tiny is not here" in plain(page.run().warning[0].value)


def test_the_nearest_of_a_twin_is_its_twin(images: AppTest) -> None:
    store(plant_faults())
    images.query_params.update({"dataset": "Tiny", "image": "3"})
    images.run()
    assert grids(images)[1]["names"][0] == "Test image 5, class dog, 0 of 255 away"


def test_colour_is_shown_by_channel(images: AppTest) -> None:
    dataset = store(plant_faults((8, 8, 3)))
    images.query_params.update({"dataset": "Tiny", "channel": "Blue"})
    images.run()
    assert (images.dataframe[0].value.to_numpy() == dataset.train.images[int(close_up(images)[-1]), ..., 2]).all()


def test_the_map_shows_the_asked_point_and_those_beside_it(page: AppTest) -> None:
    page.query_params.update({"view": "Map", "point": "60017"})
    page.run()
    assert close_up(page) == "**Class 7**, test image 17"
    assert not grids(page), "that image is not on the map"
    on_map = int(principal_components(load("mnist")).positions[7])
    page.query_params["point"] = str(on_map)
    page.run()
    assert close_up(page).endswith(f"image {on_map:,}")
    assert len(grids(page)[0]["names"]) == 20


def test_a_map_by_tsne_is_shown_when_it_is_ready(page: AppTest) -> None:
    dataset = store(plant_faults())
    known = principal_components(dataset)
    write_cached(dataset.fingerprint, "tsne-1", {"positions": known.positions, "points": known.points})
    page.query_params.update({"view": "Map", "map": "t-SNE", "dataset": "Tiny"})
    page.run()
    assert not page.exception
    assert "distances between groups and the axes mean nothing" in page.caption[0].value


@pytest.mark.parametrize(
    ("finding", "remark"),
    [
        ("Duplicates across the splits (2)", "Same as training image 3"),
        ("Duplicates with different labels (2)", "Also labelled dog"),
        ("Blank images (1)", "One colour throughout"),
        ("Exact duplicates (4)", "Same as"),
    ],
)
def test_planted_faults_are_found_and_opened(page: AppTest, finding: str, remark: str) -> None:
    store(plant_faults())
    position = {"Duplicates across the splits (2)": "45", "Duplicates with different labels (2)": "10"}
    page.query_params.update({"dataset": "Tiny", "view": "Health", "finding": finding})
    if finding in position:
        page.query_params["faulty"] = position[finding]
    page.run()
    assert not page.exception
    assert any(remark in caption.value for caption in page.caption)
    assert len(grids(page)[0]["names"]) == int(finding[-2])


def test_near_duplicates_are_looked_for_when_asked_and_opened(page: AppTest) -> None:
    dataset = store(plant_faults())
    page.query_params.update({"dataset": "Tiny", "view": "Health"})
    page.run()
    page.button(key="look-for-near-duplicates").click().run()
    assert not page.exception
    deadline = time.monotonic() + 120
    while near_duplicates.progress(dataset.fingerprint).state == "running":
        assert time.monotonic() < deadline
        time.sleep(0.1)

    page = page_at("data", dataset="Tiny", view="Health", finding="Near-duplicates across the splits (2)").run()

    assert "1 test image is a variation of one to train on" in texts(page)
    assert any(
        "Like training image 3" in caption.value or "Like test image 5" in caption.value for caption in page.caption
    )


def test_sound_data_have_no_images_to_show(page: AppTest) -> None:
    page.query_params["view"] = "Health"
    page.run()
    assert not grids(page)
    assert texts(page).count(":green[") == 5


def test_a_path_that_is_not_there_is_explained(page: AppTest) -> None:
    page.query_params.update({"view": "Add data", "source": "Path on this machine"})
    page.run()
    page.text_input(key="import-path").set_value("/nowhere/photos.zip").run()
    assert "there is none at" in page.error[0].value


def test_an_unknown_import_in_the_address_is_explained(page: AppTest) -> None:
    page.query_params.update({"view": "Add data", "import": "../../etc"})
    page.run()
    assert not page.exception
    assert "There is no import" in page.error[0].value


def test_a_data_set_is_renamed_deleted_and_brought_back(page: AppTest) -> None:
    store(plant_faults())
    page.query_params.update({"view": "Add data", "dataset": "Tiny"})
    page.run()
    page.button(key="delete-tiny").click().run()
    assert datasets.names() == ["mnist"]
    assert page.selectbox(key="dataset").value == "mnist"
    assert "Tiny was deleted" in page.info[0].value
    next(button for button in page.button if button.label == "Undo").click().run()
    assert datasets.names() == ["mnist", "tiny"]
    page.text_input[-1].set_value("Cats *and* dogs")
    next(button for button in page.button if button.label == "Rename").click().run()
    assert datasets.get_specification("tiny").title == "Cats *and* dogs"
    assert not page.exception


def test_a_data_set_in_use_is_not_deleted(page: AppTest) -> None:
    store(plant_faults())
    run_id = open_store().create(RunConfig(dataset="tiny"), submission=new_id())
    page.query_params["view"] = "Add data"
    page.run()
    page.button(key="delete-tiny").click().run()
    assert run_id in page.error[0].value
    assert datasets.names() == ["mnist", "tiny"]


def test_the_report_of_an_import_stays_on_the_overview(page: AppTest, tmp_path: Path) -> None:
    arrays = plant_faults()
    np.savez(
        tmp_path / "beasts.npz",
        x_train=arrays.train.images,
        y_train=arrays.train.labels,
        x_test=arrays.test.images,
        y_test=arrays.test.labels,
    )
    import_dataset(tmp_path / "beasts.npz")
    page.query_params["dataset"] = "beasts"
    page.run()
    assert not page.exception
    assert "40 images to train on, 20 to test on" in texts(page)


def test_hostile_names_stay_text(page: AppTest) -> None:
    hostile = ("<b>x</b> **y** :smile: [l](javascript:1)", "`$x$` -> :material/home: ~~z~~")
    dataset = plant_faults()
    store(replace(dataset, specification=replace(dataset.specification, class_names=hostile)))
    page.query_params.update({"view": "Images", "dataset": "Tiny"})
    page.run()
    assert not page.exception
    assert "**y**" not in close_up(page)
