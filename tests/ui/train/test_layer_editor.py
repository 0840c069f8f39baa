"""The layer editor, without a browser: a copy is changed, counted, refused with a sentence, kept and used."""

import pytest
from streamlit.testing.v1 import AppTest

from core.config import RunConfig
from core.jobs.scheduler import submit
from core.networks.editing import places, removed
from core.networks.kinds import KINDS
from core.networks.layers import Activation, Architecture, Dense, Flatten, count_parameters
from core.networks.registry import custom_names, delete, get_architecture, save
from core.networks.zoo import ARCHITECTURES
from core.runs import Store, open_store
from tests.page import page_at, plain


@pytest.fixture
def page(store: Store) -> AppTest:  # noqa: ARG001 (nobody works off its queue)
    """The Train page."""
    return page_at("train").run()


@pytest.fixture
def editor(page: AppTest) -> AppTest:
    """The Train page with the editor open on a copy of ann-100: flatten, dense, activation, dense."""
    page.selectbox(key="setting-architecture").set_value("ann-100").run()
    return page.button(key="edit").click().run()


def texts(page: AppTest) -> str:
    return "\n".join(text.value for text in page.markdown)


def add(page: AppTest, kind: str, below: int | str = "top") -> None:
    page.menu_button(key=f"draft-{below}-Add").click(kind).run()


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_layer_of_every_network_is_shown_and_kept_as_it_is(page: AppTest, name: str) -> None:
    page.selectbox(key="setting-architecture").set_value(name).run()
    page.button(key="edit").click().run()

    assert not page.exception
    assert not page.error
    for _, layer, _ in places(ARCHITECTURES[name].layers):
        assert f"[{layer}]" in texts(page)
    assert f"**{count_parameters(ARCHITECTURES[name], (28, 28, 1), 10):,} parameters**" in texts(page)
    page.button(key="save-network").click().run()
    assert get_architecture(f"my-{name}").layers == ARCHITECTURES[name].layers


def test_shapes_and_counts_follow_a_change(editor: AppTest) -> None:
    editor.number_input(key="draft-1-units").set_value(50).run()

    assert "**39,760 parameters**" in texts(editor)
    assert "39,250 parameters" in texts(editor)


def test_a_changed_copy_is_kept_chosen_and_launched(editor: AppTest) -> None:
    editor.number_input(key="draft-1-units").set_value(50).run()
    editor.text_input(key="draft-name").set_value("small").run()
    editor.button(key="save-network").click().run()

    assert get_architecture("small").layers == (
        Flatten(),
        Dense(units=50),
        Activation(),
        Dense(units="classes"),
    )
    assert editor.selectbox(key="setting-architecture").value == "small"
    assert not [button for button in editor.button if button.key == "save-network"]
    editor.button(key="launch").click().run()
    assert {run.config.architecture for run in open_store().find()} == {"small"}
    assert ARCHITECTURES["ann-100"].layers[1].units == 100


def test_layers_are_moved_added_and_removed(editor: AppTest) -> None:
    add(editor, "dropout", below=1)
    editor.button(key="draft-4-Move down").click().run()
    editor.number_input(key="draft-4-rate").set_value(0.1).run()
    editor.button(key="draft-2-Remove").click().run()
    editor.button(key="save-network").click().run()

    assert [layer.kind for layer in get_architecture("my-ann-100").layers] == ["flatten", "dense", "dropout", "dense"]
    assert get_architecture("my-ann-100").layers[2].rate == 0.1


@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_every_kind_can_be_added_and_each_of_its_fields_changed(editor: AppTest, kind: str) -> None:
    add(editor, kind)

    for widget in list(editor.number_input):
        if widget.key.startswith("draft-4-"):
            value = widget.value + widget.step if widget.value + widget.step < 1 or widget.step == 1 else 0.5
            editor.number_input(key=widget.key).set_value(value).run()
            assert getattr(editor.session_state["draft"].layers[0], widget.key.rpartition("-")[2]) == value
    for choice in list(editor.selectbox):
        if choice.key.startswith("draft-4-"):
            editor.selectbox(key=choice.key).set_value(choice.options[-1]).run()
            assert getattr(editor.session_state["draft"].layers[0], choice.key.rpartition("-")[2]) == choice.options[-1]
    for tick in list(editor.checkbox):
        if tick.key.startswith("draft-4-"):
            editor.checkbox(key=tick.key).set_value(not tick.value).run()
    assert not editor.exception
    assert not editor.session_state["draft"].refused


def test_what_is_typed_reaches_its_layer_wherever_that_is_by_then(editor: AppTest) -> None:
    editor.button(key="draft-0-Remove").click()
    editor.button(key="draft-2-Move down").click()
    editor.number_input(key="draft-1-units").set_value(33)
    editor.run()

    assert not editor.exception
    assert [layer.kind for layer in editor.session_state["draft"].layers] == ["dense", "dense", "activation"]
    assert editor.session_state["draft"].layers[0].units == 33


def test_what_is_typed_into_a_layer_that_is_gone_changes_no_other(editor: AppTest) -> None:
    draft = editor.session_state["draft"]
    for late in (
        editor.button(key="draft-1-Remove").click(),
        editor.button(key="draft-1-Move up").click(),
        editor.number_input(key="draft-1-units").set_value(34),
        editor.checkbox(key="draft-1-units-classes").check(),
        editor.menu_button(key="draft-1-Add").click("dropout"),
    ):
        gone = draft._replace(layers=removed(draft.layers, (1,)), identities=removed(draft.identities, (1,)))
        editor.session_state["draft"] = gone
        late.run()

        assert editor.session_state["draft"].layers == gone.layers
        assert not editor.exception
        editor.session_state["draft"] = draft
        editor.run()


@pytest.mark.parametrize(("units", "shown"), [(0, "0"), (100_000, "100,000")])
def test_a_number_that_a_layer_does_not_take_is_refused_and_not_saved_as_another(
    editor: AppTest, units: int, shown: str
) -> None:
    editor.number_input(key="draft-1-units").set_value(units)
    editor.button(key="save-network").click().run()

    sentence = f"Units: expected a whole number from 1 to 8,192, received {shown}."
    assert [plain(error.value) for error in editor.error] == [sentence, sentence]
    assert custom_names() == []
    editor.number_input(key="draft-1-units").set_value(33)
    editor.button(key="save-network").click().run()
    assert get_architecture("my-ann-100").layers[1].units == 33


def test_a_layer_that_does_not_fit_is_explained_and_cannot_be_saved(editor: AppTest) -> None:
    editor.button(key="draft-0-Remove").click().run()

    (error,) = editor.error
    assert error.value == "A dense layer needs one row of numbers, received (28, 28, 1): put a flatten before it."
    assert "`dense_1` does not fit" in texts(editor)
    editor.button(key="save-network").click().run()
    assert f"dense_1: {error.value}" in [plain(refusal.value) for refusal in editor.error]
    assert custom_names() == []
    add(editor, "flatten")
    assert not editor.error
    editor.button(key="save-network").click().run()
    assert custom_names() == ["my-ann-100"]


def test_a_network_must_end_in_the_classes(editor: AppTest) -> None:
    editor.checkbox(key="draft-3-units-classes").uncheck().run()

    assert "one number a class" in editor.error[0].value
    editor.number_input(key="draft-3-units").set_value(10).run()
    assert not editor.error
    editor.checkbox(key="draft-3-units-classes").check().run()
    assert not editor.error


def test_without_layers_there_is_nothing_to_learn(editor: AppTest) -> None:
    for number in range(4):
        editor.button(key=f"draft-{number}-Remove").click().run()

    assert not editor.exception
    assert "It has nothing to learn" in texts(editor)
    editor.button(key="save-network").click().run()
    assert "It has nothing to learn" in editor.error[0].value
    assert custom_names() == []


def test_layers_within_a_residual_are_changed(page: AppTest) -> None:
    page.selectbox(key="setting-architecture").set_value("resnet-small").run()
    page.button(key="edit").click().run()
    page.number_input(key="draft-8-filters").set_value(16).run()
    assert "A residual adds its input, (14, 14, 32), to what its layers give, (14, 14, 16)" in page.error[0].value
    page.number_input(key="draft-8-filters").set_value(32).run()
    page.button(key="draft-7-Remove").click().run()
    page.button(key="draft-4-Move down").click().run()
    page.button(key="save-network").click().run()

    layers = get_architecture("my-resnet-small").layers
    assert [layer.kind for layer in layers[4:6]] == ["activation", "residual"]
    assert [layer.kind for layer in layers[5].layers] == ["convolution", "batch_norm", "convolution", "batch_norm"]


@pytest.mark.parametrize(
    ("name", "sentence"), [("My net", "expected 1 to 40"), ("ann-100", "comes with Duet"), ("taken", "other layers")]
)
def test_a_name_that_cannot_be_is_refused(editor: AppTest, name: str, sentence: str) -> None:
    save(Architecture(name="taken", description="", layers=(Flatten(), Dense(units="classes"))))
    editor.text_input(key="draft-name").set_value(name).run()
    editor.button(key="save-network").click().run()

    assert sentence in editor.error[0].value
    assert custom_names() == ["taken"]
    editor.text_input(key="draft-name").set_value("mine").run()
    editor.button(key="save-network").click().run()
    assert custom_names() == ["mine", "taken"]


def test_a_network_is_deleted_and_brought_back(editor: AppTest) -> None:
    editor.button(key="save-network").click().run()
    editor.button(key="delete-network").click().run()

    assert custom_names() == []
    assert editor.selectbox(key="setting-architecture").value == "cnn-64-32-32"
    assert not [button for button in editor.button if button.key == "delete-network"]
    editor.button(key="undo-network").click().run()
    assert custom_names() == ["my-ann-100"]
    assert editor.selectbox(key="setting-architecture").value == "my-ann-100"
    assert not editor.exception


def test_a_network_that_a_run_waits_with_is_not_deleted(editor: AppTest) -> None:
    editor.button(key="save-network").click().run()
    (run_id,) = submit(open_store(), [RunConfig(architecture="my-ann-100")], submission="waits")
    editor.button(key="delete-network").click().run()

    assert run_id in editor.error[0].value
    assert custom_names() == ["my-ann-100"]


def test_a_network_that_was_deleted_is_not_quietly_another_one(editor: AppTest) -> None:
    editor.button(key="save-network").click().run()
    delete("my-ann-100", lambda _name: [])  # in another tab
    editor.run()

    assert not editor.exception
    assert "my-ann-100 (deleted)" in editor.selectbox(key="setting-architecture").options
    assert "received 'my-ann-100'" in plain(editor.error[0].value)
    assert not [button for button in editor.button if button.key == "launch"]


def test_a_network_for_other_images_cannot_be_launched(page: AppTest) -> None:
    save(Architecture(name="for-24", description="", layers=(Flatten(), Dense(units=24))))
    page.run()
    page.selectbox(key="setting-architecture").set_value("for-24").run()

    assert "for-24, layer dense_1: The last layer gives one number a class" in plain(page.error[0].value)
    assert not [button for button in page.button if button.key == "launch"]
