"""Parity as a visitor meets it: ask, wait, look."""

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser.app import open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS


@pytest.mark.slow
def test_parity_is_measured_and_drawn(page: Page, complaints: list[str]):
    open_page(page, "compare", comparison="Parity")
    steps = page.get_by_role("spinbutton", name="Steps")
    steps.fill("12")
    steps.press("Enter")
    settled(page)
    page.get_by_role("button", name="Measure").click()

    expect(page.get_by_text("Logits before step 1, float64")).to_be_visible(timeout=PATIENCE_MS)
    figures = page.get_by_test_id("stMetricValue").all_inner_texts()
    assert len(figures) == 8  # logits, loss, gradients and weights in each precision
    assert all(re.fullmatch(r"\d\.\de[-+]\d\d", figure) for figure in figures)
    expect(page.locator("[data-testid=stVegaLiteChart] path[aria-roledescription='line mark']").first).to_be_attached()
    expect(page.get_by_text("No layer's weights part by 1e-09.")).to_be_visible()
    screenshot(page, "parity")
    assert complaints == []
