"""A network of one's own: a copy is changed layer by layer, an impossible one is explained, a possible one kept."""

import json
import re

from playwright.sync_api import Page, expect

from tests.browser.app import Server, choose, failures_of, fill, open_page, screenshot, settled


def test_a_layer_is_edited_and_an_impossible_shape_is_explained(page: Page, server: Server, complaints: list[str]):
    open_page(page, "train")
    choose(page, "Network", "ann-100")
    expect(page.get_by_text("79,510 parameters")).to_be_visible()
    page.get_by_role("button", name="Change a copy").click()
    editor = page.get_by_role("dialog")
    fill(page, "Units", 32)
    expect(editor.get_by_text("25,450 parameters")).to_be_visible()
    expect(editor.get_by_text("25,120 parameters")).to_be_visible()

    page.locator(".st-key-draft-0-Remove").get_by_role("button").click()
    expect(editor.get_by_text("A dense layer needs one row of numbers, received (28, 28, 1)")).to_be_visible()
    keep = editor.get_by_role("button", name="Save and use")
    keep.click()
    expect(editor.get_by_text("dense_1: A dense layer needs one row of numbers")).to_be_visible()
    settled(page)
    screenshot(page, "misfit")

    page.locator(".st-key-draft-top-Add").get_by_role("button").click()
    page.get_by_role("menuitem", name="Flatten").click()
    expect(editor.get_by_text("25,450 parameters")).to_be_visible()
    fill(page, "Units", 33)
    screenshot(page, "editor")
    keep.click()

    expect(editor).to_have_count(0)
    expect(page.get_by_role("combobox", name="Network")).to_have_value("my-ann-100")
    expect(page.get_by_text(re.compile("26,245 parameters in both"))).to_be_visible()
    kept = json.loads((server.home / "networks" / "my-ann-100.json").read_text())
    assert [layer["kind"] for layer in kept["layers"]] == ["flatten", "dense", "activation", "dense"]
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_text("my-ann-100 was deleted")).to_be_visible()
    page.get_by_role("button", name="Undo").dblclick()
    expect(page.get_by_role("combobox", name="Network")).to_have_value("my-ann-100")
    settled(page)
    assert failures_of(page) == []
    assert complaints == []


def test_what_is_changed_of_a_recipe_is_marked_and_reset(page: Page, complaints: list[str]):
    open_page(page, "train")
    choose(page, "Start from", "ann-100")
    expect(page.get_by_text("Everything is as the recipe says.")).to_be_visible()
    fill(page, "Epochs", 4)
    expect(page.get_by_text("Changed. The recipe says 15.")).to_be_visible()
    expect(page.get_by_text("1 setting changed: Epochs.")).to_be_visible()
    screenshot(page, "recipe-changed")

    page.get_by_role("button", name="Reset").click()
    expect(page.get_by_text("Changed. The recipe says")).to_have_count(0)
    expect(page.get_by_role("spinbutton", name="Epochs")).to_have_value("15")
    assert complaints == []
