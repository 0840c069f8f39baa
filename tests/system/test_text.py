"""Lists as people read them."""

import pytest

from core.system.text import shortened


@pytest.mark.parametrize(
    ("count", "text"), [(0, ""), (1, "0"), (3, "0, 1, 2"), (4, "0, 1, 2 and 1 more"), (5003, "0, 1, 2 and 5,000 more")]
)
def test_long_list_says_how_many_more_there_are(count, text):
    assert shortened([str(number) for number in range(count)], most=3) == text
