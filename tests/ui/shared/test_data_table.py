"""Tables that Streamlit offers as CSV: no text in one is a formula of a spreadsheet, and all else is as it was."""

import pandas as pd
import pytest
from streamlit.testing.v1 import AppTest


def _page() -> None:
    import pandas as pd

    from ui.shared.data_table import show_data_table

    names = ["=HYPERLINK(1)", "@SUM(1)", "+1+1", "-2.5", "cat", "", None]
    tags = [["=1"], [], ["a", "-b"], [], [], [], []]
    show_data_table(pd.DataFrame({"=head": names, "Tags": tags, "Number": range(-3, 4)}), hide_index=True)


@pytest.fixture(scope="module")
def shown() -> pd.DataFrame:
    (table,) = AppTest.from_function(_page).run().dataframe
    return table.value


def test_formulas_begin_with_a_joiner(shown: pd.DataFrame):
    assert list(shown) == ["\u2060=head", "Tags", "Number"]
    assert list(shown["\u2060=head"])[:3] == ["\u2060=HYPERLINK(1)", "\u2060@SUM(1)", "\u2060+1+1"]
    assert [list(tags) for tags in shown["Tags"]][:3] == [["\u2060=1"], [], ["a", "\u2060-b"]]


def test_all_else_stays_as_it_is(shown: pd.DataFrame):
    assert list(shown["\u2060=head"])[3:6] == ["-2.5", "cat", ""]
    assert pd.isna(shown["\u2060=head"][6])
    assert list(shown["Number"]) == list(range(-3, 4))
