"""Compare as a visitor meets it: the verdict on a pair, a setting and its effect, and parity: ask, wait, look."""

import re
from contextlib import closing

import pytest
from playwright.sync_api import Page, expect

from core.config import configure
from core.runs import Store
from tests.browser.app import Server, choose, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS
from tests.runs.making import finished_results


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


@pytest.mark.slow
def test_verdict_on_a_pair_follows_the_margin(page: Page, trained_server: Server, complaints: list[str]):
    page.goto(f"{trained_server.url}/compare")
    settled(page)
    difference = page.get_by_test_id("stMetric").filter(has_text="Difference, Keras − PyTorch")
    expect(difference).to_contain_text(re.compile(r"[+-]\d+\.\d\d points"))
    page.get_by_role("button", name="Margin").click()
    margin = page.get_by_role("spinbutton", name="Differences that do not matter, points")
    margin.fill("100")
    margin.press("Enter")

    expect(page.get_by_text("No difference beyond 100.00 points.")).to_be_visible()
    expect(page).to_have_url(re.compile(r"[?&]margin=100\b"))
    page.reload()
    settled(page)
    expect(page.get_by_text("No difference beyond 100.00 points.")).to_be_visible()
    ends = page.locator("[data-testid=stVegaLiteChart] [aria-roledescription='text mark container']")
    expect(ends.get_by_text("Keras", exact=True).first).to_be_attached()
    screenshot(page, "verdict")
    assert complaints == []


@pytest.mark.slow
def test_setting_is_set_against_its_effect(page: Page, trained_server: Server, complaints: list[str]):
    with closing(Store(f"sqlite:///{trained_server.home / 'duet.sqlite3'}")) as store:
        for size in (32, 256):
            config = configure(architecture="lenet-5", batch_size=size, seed=7)
            run_id = store.create(config, submission=f"effect-{size}", claimed=True)
            store.begin(run_id, 1, total_steps=10)
            store.finish(run_id, 1, "done", finished_results(test_accuracy=0.9 + size / 10_000))
    page.goto(f"{trained_server.url}/compare")
    settled(page)
    page.get_by_role("radiogroup", name="Show").get_by_text("Settings").click()

    expect(page.get_by_role("heading", name="A setting and its effect")).to_be_visible()
    expect(page.get_by_role("combobox", name=re.compile("Setting"))).to_have_value("Batch size")
    expect(page.get_by_text(re.compile("^2 runs with .*lenet-5"))).to_be_visible()
    expect(page.locator("[data-testid=stVegaLiteChart] path[aria-roledescription='line mark']").first).to_be_attached()
    choose(page, "Effect on", "Test loss")
    expect(page).to_have_url(re.compile(r"[?&]effect-metric=Test"))
    expect(page.get_by_text("Ringed: the Pareto front")).to_be_visible()
    screenshot(page, "settings")
    assert complaints == []
