"""The train page, without a browser: settings, recipes, refusals, the layer table, and what a launch queues."""

import dataclasses
import json
import threading
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path

import numpy as np
import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from core.config import FRAMEWORK_TITLES, GROUPS, OPTIMIZER_FIELDS, SCHEDULE_FIELDS, RunConfig, configure, is_used
from core.datasets import delete, load, rename
from core.inference.service import PredictionService
from core.networks.layers import count_parameters
from core.networks.zoo import ARCHITECTURES
from core.recipes import RECIPES
from core.runs import Store
from core.training.loop import first_batch
from tests.page import page_at, plain
from tests.sample_data import make_dataset, noise, plant_faults
from tests.sample_data import store as keep_dataset
from ui.shared.first_batch import SHOWN, _threads


def refused(*_arguments: object, **_options: object) -> None:
    raise AssertionError("a process was started")


@pytest.fixture(autouse=True)
def nothing_is_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.system.background.spawn", refused)


class Answering(PredictionService):
    """In place of the warm process: it turns images upside down once it is told to go on."""

    def __init__(self) -> None:
        super().__init__("pytorch")
        self.go_on = threading.Event()
        self.asked: list[np.ndarray] = []

    def augment(self, images: np.ndarray, transforms: np.ndarray) -> np.ndarray:
        self.asked.append(transforms)
        assert self.go_on.wait(20)
        return images[:, ::-1]


@pytest.fixture
def warm_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    service = Answering()
    monkeypatch.setattr("ui.shared.first_batch.prediction_service", lambda _framework: service)
    yield service
    service.go_on.set()
    _threads().shutdown(cancel_futures=True)  # one that comes to it later would ask the real process
    st.cache_resource.clear()


@pytest.fixture
def page(store: Store, warm_process: Answering) -> AppTest:  # noqa: ARG001 (no other process must start)
    return page_at("train").run()


def address_of(page: AppTest) -> dict[str, str]:
    """What the page's address says, by name."""
    return {name: "".join(text) for name, text in page.query_params.items()}


def captions(page: AppTest) -> str:
    return "\n".join(caption.value for caption in page.caption)


def widgets(page: AppTest) -> dict[str, object]:
    """The widgets of the settings that are shown, by the setting's name."""
    widgets = (*page.selectbox, *page.number_input, *page.text_input, *page.toggle)
    return {widget.key.removeprefix("setting-"): widget for widget in widgets if str(widget.key).startswith("setting-")}


@pytest.mark.parametrize(("optimizer", "schedule"), list(zip(OPTIMIZER_FIELDS, cycle(SCHEDULE_FIELDS), strict=False)))
def test_every_setting_that_does_something_has_a_widget_with_help(page: AppTest, optimizer: str, schedule: str) -> None:
    page.selectbox(key="setting-optimizer").set_value(optimizer)
    page.selectbox(key="setting-schedule").set_value(schedule).run()

    settings = configure(optimizer=optimizer, schedule=schedule).model_dump()
    assert not page.exception
    assert set(widgets(page)) == {name for name in settings if name != "framework" and is_used(name, settings)}
    assert all(widget.help for widget in widgets(page).values())


def test_a_setting_goes_when_another_below_it_makes_it_idle(page: AppTest) -> None:
    page.selectbox(key="setting-validation_part").set_value("test").run()
    assert "validation_share" not in widgets(page)
    page.selectbox(key="setting-validation_part").set_value("last").run()
    assert "validation_share" in widgets(page)


def test_groups_have_headings_in_their_order(page: AppTest) -> None:
    headings = [text.value.strip("*") for text in page.markdown if text.value.strip("*") in GROUPS]

    assert headings == list(GROUPS)


def test_choices_have_plain_titles(page: AppTest) -> None:
    assert "One-cycle" in page.selectbox(key="setting-schedule").options
    assert "Highest validation accuracy" in page.selectbox(key="setting-monitor").options


def test_the_learning_rate_follows_the_optimizer_until_the_user_sets_it(page: AppTest) -> None:
    page.selectbox(key="setting-optimizer").set_value("adam").run()
    assert page.number_input(key="setting-learning_rate").value == 0.001
    assert "The learning rate is now 0.001, as is usual for Adam. It was 0.01." in captions(page)

    page.selectbox(key="setting-optimizer").set_value("adadelta").run()
    assert page.number_input(key="setting-learning_rate").value == 1.0

    page.number_input(key="setting-learning_rate").set_value(0.3).run()
    assert "The learning rate" not in captions(page)
    page.selectbox(key="setting-optimizer").set_value("sgd").run()
    assert page.number_input(key="setting-learning_rate").value == 0.3
    assert "The learning rate stays at 0.3, as you have set it. 0.01 is usual for SGD" in captions(page)


def test_what_is_not_shown_is_neither_refused_nor_launched(page: AppTest, store: Store) -> None:
    page.number_input(key="setting-momentum").set_value(7.0).run()
    assert "--momentum" in plain(page.error[0].value)

    page.selectbox(key="setting-optimizer").set_value("adam").run()
    assert not page.error
    page.button(key="launch").click().run()
    assert {run.config.momentum for run in store.find()} == {RunConfig().momentum}


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_the_layers_are_counted_before_anything_is_trained(page: AppTest, name: str) -> None:
    page.selectbox(key="setting-architecture").set_value(name).run()

    parameters = count_parameters(ARCHITECTURES[name], (28, 28, 1), 10)
    assert page.dataframe[0].value["Parameters"].sum() == parameters
    assert any(f"{parameters:,} parameters" in text.value for text in page.markdown)
    page.toggle(key="counts-explained").set_value(True).run()
    explained = page.dataframe[0].value["How the count comes about"]
    learnt = page.dataframe[0].value["Parameters"] > 0
    assert all(explained[learnt].str.contains(" = "))
    assert set(explained[~learnt]) == {"nothing to learn"}


@pytest.mark.parametrize(("name", "value"), [("epochs", 0), ("learning_rate", -1.0), ("train_limit", 100_000)])
def test_a_value_out_of_range_is_refused_in_the_command_lines_words(page: AppTest, name: str, value: float) -> None:
    page.number_input(key=f"setting-{name}").set_value(value).run()

    assert len(page.error) == 1
    assert f"--{name.replace('_', '-')}" in plain(page.error[0].value)
    assert "launch" not in [button.key for button in page.button], "it can be launched all the same"
    if name != "train_limit":
        with pytest.raises(ValueError, match="expected") as refusal:
            configure(**{name: value})
        assert plain(page.error[0].value) == str(refusal.value)


HERE = [name for name, recipe in RECIPES.items() if recipe.settings["dataset"] == "mnist"]


def test_recipes_whose_data_are_missing_are_not_offered(page: AppTest) -> None:
    assert page.selectbox(key="recipe").options == ["Own settings", *HERE]
    assert f"{len(RECIPES) - len(HERE)} more want Sign Language MNIST" in page.caption[0].value


@pytest.mark.parametrize("name", HERE)
def test_a_recipe_fills_the_form(page: AppTest, name: str) -> None:
    page.selectbox(key="recipe").set_value(name).run()

    settings = configure(**RECIPES[name].settings).model_dump()
    for setting, value in RECIPES[name].settings.items():
        if setting != "framework" and is_used(setting, settings):
            assert widgets(page)[setting].value == value
    framework = RECIPES[name].settings.get("framework")
    assert page.segmented_control(key="frameworks").value == FRAMEWORK_TITLES.get(framework, "Both")
    assert "Everything is as the recipe says" in captions(page)


def test_what_was_changed_since_is_marked_and_reset_by_one_click(page: AppTest) -> None:
    page.selectbox(key="recipe").set_value("ann-100").run()
    page.number_input(key="setting-epochs").set_value(5).run()
    page.selectbox(key="setting-optimizer").set_value("adam").run()
    page.toggle(key="setting-flip_vertical").set_value(True).run()
    page.segmented_control(key="frameworks").set_value("PyTorch").run()

    assert "5 settings changed: Framework, Epochs, Learning rate, Optimizer, Vertical flip." in page.markdown[0].value
    for says in ("15", "SGD with momentum", "off", "Keras"):
        assert f"Changed. The recipe says {says}." in captions(page)
    page.button(key="reset-recipe").click().run()
    assert "Changed" not in captions(page)
    assert page.number_input(key="setting-epochs").value == 15
    assert page.toggle(key="setting-flip_vertical").value is False
    assert page.segmented_control(key="frameworks").value == "Keras"
    assert "reset-recipe" not in [button.key for button in page.button]


def test_a_recipe_and_its_changes_are_there_again_after_another_page(page: AppTest) -> None:
    page.selectbox(key="recipe").set_value("ann-100").run()
    page.number_input(key="setting-epochs").set_value(5).run()
    page.switch_page("../pages/home.py").run()
    page.switch_page("../pages/train.py").run()

    assert page.selectbox(key="recipe").value == "ann-100"
    assert "Changed. The recipe says 15." in captions(page)


def test_own_settings_are_not_compared(page: AppTest) -> None:
    page.selectbox(key="recipe").set_value("ann-100").run()
    page.selectbox(key="recipe").set_value("Own settings").run()
    page.number_input(key="setting-epochs").set_value(5).run()

    assert "recipe says" not in captions(page)
    assert page.selectbox(key="setting-architecture").value == "ann-100", "what a recipe filled in stays"


def test_a_browser_that_sees_only_the_defaults_shows_what_is_chosen(page: AppTest) -> None:
    """Of two runs of the page in quick succession only the first tells it to change what it shows."""
    page.selectbox(key="recipe").set_value("best").run()
    page.number_input(key="setting-batch_size").set_value(77).run()

    assert page.number_input(key="setting-batch_size").proto.default == 77
    for widget in (*page.number_input, *page.toggle):
        assert widget.proto.default == (widget.value or 0)
    for widget in page.selectbox:
        if widget.key.startswith("setting-"):
            assert widget.options[widget.proto.default] == widget.format_func(widget.value)


@pytest.mark.parametrize(("choice", "frameworks"), [("Both", 2), ("PyTorch", 1), ("Keras", 1)])
def test_a_launch_queues_what_was_chosen(page: AppTest, store: Store, choice: str, frameworks: int) -> None:
    page.segmented_control(key="frameworks").set_value(choice).run()
    page.number_input(key="setting-epochs").set_value(7).run()
    page.number_input(key="setting-train_limit").set_value(500).run()
    page.button(key="launch").click().run()

    runs = store.find()
    assert len(runs) == frameworks
    assert {(run.config.epochs, run.config.train_limit, run.state) for run in runs} == {(7, 500, "queued")}


def test_data_set_that_another_tab_deletes_is_not_replaced_by_another(page: AppTest, store: Store) -> None:
    keep_dataset(plant_faults())
    page.run()
    page.selectbox(key="setting-dataset").set_value("tiny").run()
    delete("tiny", lambda _name: [])

    page.button(key="launch").click().run()

    assert not page.exception
    assert store.find() == []
    assert page.selectbox(key="setting-dataset").value == "tiny"
    assert "The data set tiny is not here" in plain(page.warning[0].value)
    assert "launch" not in {button.key for button in page.button}


def test_validation_images_follow_the_data_set_that_is_chosen(page: AppTest, store: Store) -> None:
    given = make_dataset(noise(40, (28, 28, 1)), [0, 1] * 20, noise(4, (28, 28, 1), 1), [0, 1] * 2, validation_images=8)
    keep_dataset(given)
    page.run()
    assert "As given" not in page.selectbox(key="setting-validation_part").options

    page.selectbox(key="setting-dataset").set_value("tiny").run()
    assert page.selectbox(key="setting-validation_part").value == "given"
    assert "validation_share" not in widgets(page)
    assert any(
        "training set of 32 images, with a validation set of 8, as given," in text.value for text in page.markdown
    )
    opened = page_at("train", dataset="tiny").run()
    assert opened.selectbox(key="setting-validation_part").value == "given"
    assert address_of(page) == address_of(opened) == {"dataset": "tiny"}

    opened.selectbox(key="setting-validation_part").set_value("stratified").run()
    assert address_of(opened) == {"dataset": "tiny", "validation_part": "stratified"}
    reloaded = page_at("train", **address_of(opened)).run()
    assert reloaded.selectbox(key="setting-validation_part").value == "stratified"

    page.button(key="launch").click().run()
    assert {run.config.validation_part for run in store.find()} == {"given"}


@pytest.mark.usefixtures("page")
def test_validation_images_are_drawn_again_for_a_data_set_that_none_came_with() -> None:
    given = make_dataset(noise(40, (28, 28, 1)), [0, 1] * 20, noise(4, (28, 28, 1), 1), [0, 1] * 2, validation_images=8)
    keep_dataset(given)
    opened = page_at("train", dataset="tiny").run()

    opened.selectbox(key="setting-dataset").set_value("mnist").run()

    assert opened.selectbox(key="setting-validation_part").value == "stratified"
    assert "As given" not in opened.selectbox(key="setting-validation_part").options
    assert not opened.exception


@pytest.mark.usefixtures("store")
def test_a_data_set_that_goes_while_it_is_chosen_keeps_its_name():
    dataset = make_dataset(noise(20, (28, 28, 1)), np.arange(20) % 2, noise(4, (28, 28, 1)), [0, 1, 0, 1], name="tiny")
    keep_dataset(dataclasses.replace(dataset, specification=dataclasses.replace(dataset.specification, title="Tiny!")))
    page = page_at("train", dataset="tiny").run()
    assert page.selectbox(key="setting-dataset").options[-1] == "Tiny!"
    delete("tiny", lambda _name: [])
    page.run()
    late = page.selectbox(key="setting-dataset")
    late.options.append("Tiny!")

    late.set_value("Tiny!").run()  # a slow browser still sends what it shows, the title

    assert not page.exception
    assert page.session_state["settings"]["dataset"] == "tiny"
    assert "The data set tiny is not here" in plain(page.warning[0].value)
    page.run()
    assert page.selectbox(key="setting-dataset").value == "tiny"


def test_a_schedule_is_drawn_before_launch(page: AppTest) -> None:
    assert not page.get("vega_lite_chart")

    page.selectbox(key="setting-schedule").set_value("one_cycle").run()
    assert len(page.get("vega_lite_chart")) == 1
    page.selectbox(key="setting-schedule").set_value("constant")
    page.number_input(key="setting-warmup_epochs").set_value(1.0).run()
    assert len(page.get("vega_lite_chart")) == 1


def grids(page: AppTest) -> list[dict]:
    """What the grid of the first batch was given, if it is there."""
    return [json.loads(each.proto.json) for each in page.get("bidi_component") if each.key == "first-batch"]


def test_the_first_batch_is_shown_as_it_is_trained_without_waiting_for_it(
    page: AppTest, warm_process: Answering
) -> None:
    assert not grids(page)
    page.number_input(key="setting-rotation").set_value(10.0).run()
    assert "PyTorch is starting" in captions(page)
    assert not grids(page)
    assert "launch" in [button.key for button in page.button]

    warm_process.go_on.set()
    while "PyTorch is starting" in captions(page):
        page.run()

    dataset, config = load("mnist"), configure(rotation=10)
    batch = first_batch(config, dataset)
    (grid,) = grids(page)
    shown = SHOWN if len(batch.indices) > SHOWN else len(batch.indices)
    assert grid["names"] == [dataset.class_names[label] for label in dataset.train.labels[batch.indices[:shown]]]
    np.testing.assert_array_equal(warm_process.asked[0], batch.transforms[:shown])
    page.number_input(key="setting-epochs").set_value(9).run()
    assert len(warm_process.asked) == 1, "what does not change the batch asks again"


def test_an_augmentation_that_changes_meanings_is_warned_of(page: AppTest, warm_process: Answering) -> None:
    warm_process.go_on.set()
    page.toggle(key="setting-flip_vertical").set_value(True).run()

    assert "flipped digit" in page.warning[0].value


def test_steps_are_timed_when_the_settings_rest(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    timed: list[RunConfig] = []
    monkeypatch.setattr("ui.train.plan.start_calibration", timed.append)
    assert any("a guess: no run like it yet" in text.value for text in page.markdown)

    monkeypatch.setattr("ui.train.plan._REST_S", 0)
    page.run()

    assert [config.framework for config in timed] == ["pytorch", "keras"]


def test_an_estimate_from_timed_steps_is_told_as_one(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("core.jobs.calibration.speed", lambda _config: 1000.0)
    page.number_input(key="setting-epochs").set_value(2).run()

    assert any("**About 1 min 53 s** (from some steps timed here)" in text.value for text in page.markdown)
    page.number_input(key="seeds").set_value(2).run()
    assert any("**About 3 min 46 s**" in text.value for text in page.markdown)


def test_several_seeds_are_launched_as_one_group(page: AppTest, store: Store) -> None:
    page.number_input(key="seeds").set_value(3).run()
    page.button(key="launch").click().run()

    runs = store.find()
    assert sorted(run.config.seed for run in runs) == [42, 42, 43, 43, 44, 44]
    assert len({run.group for run in runs}) == 1


def test_too_many_seeds_are_refused_in_the_command_lines_words(page: AppTest) -> None:
    page.number_input(key="seeds").set_value(21).run()

    assert plain(page.error[0].value) == "Seeds (--seeds): expected a whole number from 1 to 20, received 21."
    assert "launch" not in [button.key for button in page.button]


def test_the_choice_is_there_again_after_another_page(page: AppTest) -> None:
    page.number_input(key="setting-epochs").set_value(9).run()
    page.switch_page("../pages/home.py").run()
    page.switch_page("../pages/train.py").run()

    assert page.number_input(key="setting-epochs").value == 9


def test_a_reload_brings_back_what_was_set(page: AppTest, warm_process: Answering) -> None:  # noqa: ARG001
    page.selectbox(key="recipe").set_value("ann-100").run()
    page.number_input(key="setting-epochs").set_value(5).run()
    page.number_input(key="setting-train_limit").set_value(1200).run()
    page.number_input(key="seeds").set_value(3).run()
    address = address_of(page)

    reloaded = page_at("train", **address).run()
    assert not reloaded.exception
    assert not reloaded.warning
    assert reloaded.session_state["settings"] == page.session_state["settings"]
    assert reloaded.selectbox(key="recipe").value == "ann-100"
    assert "Changed. The recipe says 15." in captions(reloaded)
    assert reloaded.number_input(key="seeds").value == 3
    assert address_of(reloaded) == address


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("epochs", "3", 3),
        ("rho", "", None),
        ("nesterov", "true", True),
        ("optimizer", "adam", "adam"),
        ("epochs", "0", 0),
    ],
)
def test_the_address_sets(page: AppTest, name: str, text: str, value: object) -> None:  # noqa: ARG001 (no process starts)
    opened = page_at("train", **{name: text}).run()

    assert not opened.exception
    assert opened.session_state["settings"] == {**RunConfig().model_dump(), name: value}


@pytest.mark.parametrize(
    "address",
    [
        {"epochs": "many"},
        {"optimizer": "best"},
        {"recipe": "none"},
        {"epochs": "9" * 20},
        {"zoom": "nan"},
        {"seeds": "x"},
    ],
)
def test_what_the_address_says_wrongly_is_told(page: AppTest, address: dict[str, str]) -> None:  # noqa: ARG001
    opened = page_at("train", **address).run()

    assert not opened.exception
    assert opened.session_state["settings"] == RunConfig().model_dump()
    assert "=".join(*address.items()) in plain(opened.warning[0].value)
    opened.number_input(key="setting-epochs").set_value(5).run()
    assert not opened.warning


def test_a_network_and_data_set_of_the_address_that_have_gone_are_not_replaced(page: AppTest) -> None:  # noqa: ARG001
    opened = page_at("train", dataset="gone", architecture="../gone").run()

    assert not opened.exception
    assert opened.selectbox(key="setting-dataset").value == "gone"
    assert opened.selectbox(key="setting-architecture").value == "../gone"
    assert "launch" not in {button.key for button in opened.button}


def test_a_pretrained_network_is_recommended_for_few_photographs(page: AppTest, store: Store) -> None:
    photographs = noise(20, (224, 224, 3)), [0, 1] * 10, noise(4, (224, 224, 3), seed=1), [0, 1] * 2
    keep_dataset(make_dataset(*photographs))
    page.run()
    page.selectbox(key="setting-dataset").select("tiny").run()
    assert any(
        plain(info.value).startswith("From 18 photographs, efficientnet-lite0 learns more") for info in page.info
    )
    assert not any(select.key == "setting-fine_tuning" for select in page.selectbox)

    page.selectbox(key="setting-architecture").select("efficientnet-lite0").run()

    assert not page.exception
    assert not page.error
    assert not any("learns more" in info.value for info in page.info)
    page.button(key="launch").click().run()
    configs = [run.config for run in store.find()]
    assert {(each.architecture, each.fine_tuning, each.normalization) for each in configs} == {
        ("efficientnet-lite0", "head", "symmetric")
    }


def test_a_damaged_data_set_is_told_in_a_sentence_once(page: AppTest, duet_home: Path) -> None:
    keep_dataset(make_dataset(noise(20), [0, 1] * 10, noise(20, seed=1), [0, 1] * 10))
    (duet_home / "datasets" / "tiny" / "test_labels.npy").unlink()
    rename("tiny", "Damaged")  # so that it is opened anew

    page.run()  # it is among the choices now
    page.selectbox(key="setting-dataset").select("tiny").run()

    assert not page.exception
    assert not page.error
    (told,) = page.warning
    assert "expected four whole arrays" in told.value
