"""Text as people and terminals may read it."""

import pytest

from core.system.text import is_no_text, printable, shortened
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
