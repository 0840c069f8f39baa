"""Text as people and terminals may read it."""

import pytest

from core.system.text import capitalized, is_like_a_formula, is_no_text, printable, quoted, shortened
from tests.hostile_names import HOSTILE_CONTROLS, HOSTILE_NAMES


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (5003, "0, 1, 2 and 5,000 more")]
)
def test_long_list_says_how_many_more_there_are(count, text):
    assert shortened([str(number) for number in range(count)], most=3) == text


@pytest.mark.parametrize("text", HOSTILE_CONTROLS)
def test_no_name_commands_a_terminal(text):
    shown = printable(text)

    assert not any(map(is_no_text, shown))
    assert shown.endswith(("cat", "dog", "tac"))


@pytest.mark.parametrize("text", [*HOSTILE_NAMES, "手写", "naïve 👩‍🎨", "हिन्दी", "شمس"])
def test_what_is_text_is_printed_as_it_is(text):
    assert printable(text) == text


def test_lone_surrogate_is_printed_as_its_escape():
    assert printable("a\ud800b") == "a\\ud800b"


@pytest.mark.parametrize(("text", "shown"), [("also labelled CAT", "Also labelled CAT"), ("", ""), ("élan", "Élan")])
def test_capital_at_the_beginning_leaves_names_as_they_are(text, shown):
    assert capitalized(text) == shown


@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_what_was_received_is_quoted_as_it_is(text):
    assert quoted(text)[1:-1] == text
    assert quoted(text)[0] == quoted(text)[-1]


@pytest.mark.parametrize(
    ("value", "shown"), [("it's", '"it\'s"'), ("a\nb", "'a\\nb'"), (3, "3"), (None, "None"), (["a"], "['a']")]
)
def test_what_is_quoted_stands_in_a_line(value, shown):
    assert quoted(value) == shown


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        *((text, True) for text in ("=1+1", "+1+1", "-A1", "@SUM(1)", "\t=1", "\r=1", "\n=1", "＝1", "-", "-1\n")),
        *((text, False) for text in ("", "cat", "1-2", "-1", "+0.25", "'=1")),
    ],
)
def test_what_a_spreadsheet_would_calculate_is_known(text, is_one):
    assert is_like_a_formula(text) is is_one
