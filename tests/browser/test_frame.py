"""Every page of the navigation opens, from a link and by a click, and nothing on it is broken."""

import json
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from core.system.paths import PROJECT
from tests.browser.app import failures_of, open_page, screenshot, settled
from tests.browser.waiting import PATIENCE_MS

PAGES = sorted(path.stem for path in (PROJECT / "pages").glob("*.py"))

_ADDRESSES = {page: "" if page == "home" else page for page in PAGES}


@pytest.mark.parametrize("name", PAGES)
def test_page_opens_from_a_link(page, server, complaints, name):
    open_page(page, _ADDRESSES[name])

    assert page.get_by_role("heading", level=1).count() == 1
    _is_sound(page, server, complaints)
    screenshot(page, f"page-{name}")


def test_navigation_leads_to_every_page(page, server, complaints):
    open_page(page)
    links = page.get_by_test_id("stTopNavLink")
    links.first.wait_for()
    assert sorted(_address(link) for link in links.all()) == sorted(_ADDRESSES.values())

    for address in _ADDRESSES.values():
        next(link for link in links.all() if _address(link) == address).click()
        page.wait_for_url(f"{server.url}/{address}")
        settled(page)
        _is_sound(page, server, complaints)


def test_devices_are_found_and_offered(page, server):
    open_page(page, "train")

    expect(page.get_by_text("Still looking for GPUs")).to_have_count(0, timeout=PATIENCE_MS)
    found = json.loads((server.home / "devices.json").read_text())
    assert found["pytorch"][0]["name"] == "cpu"
    expect(page.get_by_role("combobox", name="Device")).to_have_value(found["pytorch"][0]["title"])


@pytest.mark.slow
def test_page_comes_back_with_the_server(page, server):
    open_page(page)
    first = server.pid

    server.kill()
    page.locator("[data-testid=stApp]:not([data-test-connection-state=CONNECTED])").wait_for()
    server.start()

    settled(page)
    assert server.pid != first


def _address(link) -> str:
    return urlsplit(link.get_attribute("href")).path.strip("/")


def _is_sound(page, server, complaints) -> None:
    assert failures_of(page) == []
    assert complaints == []
    assert "Traceback" not in server.log
