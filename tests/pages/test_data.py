"""The data page, without a browser: what it shows for what is chosen or asked for in the address."""

import json
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from core.datasets import load

MAIN = Path(__file__).resolve().parents[2] / "ui" / "main.py"


@pytest.fixture(scope="module")
def duet_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One store for the module: unpacking MNIST once is enough."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def page(duet_home: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setenv("DUET_HOME", str(duet_home))
    return AppTest.from_file(str(MAIN), default_timeout=20).run().switch_page("../pages/data.py")


def grid(page: AppTest) -> dict:
    """Return what the grid of images was given."""
    return json.loads(page.get("bidi_component")[0].proto.json)


def close_up(page: AppTest) -> str:
    return next(text.value for text in page.markdown if text.value.startswith("**Class"))


def test_the_summary_and_the_first_images(page: AppTest) -> None:
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
    assert len(grid(page)["names"]) == 80
    assert grid(page)["picked"] == 0
    assert close_up(page) == "**Class 5**, training image 0"
    assert page.dataframe[0].value.shape == (28, 28)
    assert (page.dataframe[0].value.to_numpy() == load("mnist").train.images[0, ..., 0]).all()


def test_the_bars_count_images_or_show_shares(page: AppTest) -> None:
    page.run()
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert [bar["name"] for bar in figure["data"]] == ["Training", "Validation", "Test"]
    page.button_group(key="bars").set_value("Shares").run()
    figure = json.loads(page.get("plotly_chart")[0].proto.spec)
    assert figure["layout"]["yaxis"]["title"]["text"] == "Share of the split"


def test_a_class_filter_shows_only_that_class_from_its_first_page(page: AppTest) -> None:
    page.run()
    page.get("pagination")[0].set_value(3).run()
    before = grid(page)["names"]
    page.button_group(key="class").set_value("7").run()
    names = grid(page)["names"]
    assert names != before
    assert all(name.endswith("class 7") for name in names)
    assert page.session_state["page"] == 1
    assert close_up(page).startswith("**Class 7**")


def test_the_address_chooses_split_class_page_and_image(page: AppTest) -> None:
    page.query_params.update({"split": "Test", "class": "7", "page": "2", "image": "17"})
    page.run()
    assert not page.exception
    assert page.button_group(key="split").value == "test"
    assert page.button_group(key="class").value == "7"
    assert close_up(page) == "**Class 7**, test image 17"
    assert grid(page)["picked"] is None, "image 17 is on the first page"
    sevens = [row for row in range(10_000) if load("mnist").test.labels[row] == 7]
    assert grid(page)["names"][0] == f"Image {sevens[80]:,}, class 7"


@pytest.mark.parametrize(
    "address",
    [{"image": "abc"}, {"image": "9" * 5000}, {"image": "-1"}, {"page": "9999"}, {"class": "x"}, {"split": "x"}],
    ids=lambda address: str(address)[:30],
)
def test_nonsense_in_the_address_falls_back(page: AppTest, address: dict[str, str]) -> None:
    page.query_params.update(address)
    page.run()
    assert not page.exception
    assert close_up(page) == "**Class 5**, training image 0"
