"""What a page shows of names, wherever it writes them: in the document, on the canvas of a chart or table, in a hover.

record_drawing(page)                            # before the page is opened
open_page(page, "data")
assert_written(HOSTILE_NAMES, text_of(page))
assert_written(HOSTILE_NAMES, drawn(page))
assert_inert(page, requests)
"""

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Locator, Page

_JOINER = "\u2060"
_LEAST = 8
"""Letters that a name which is cut off still has."""

_RECORD = """
window.drawnTexts = new Set()
for (const kind of [CanvasRenderingContext2D, globalThis.OffscreenCanvasRenderingContext2D]) {
  const fillText = kind.prototype.fillText
  kind.prototype.fillText = function (text, ...place) {
    window.drawnTexts.add(String(text))
    return fillText.call(this, text, ...place)
  }
}
"""

_FOREIGN = """own => [...document.querySelectorAll("*"), ...[...document.querySelectorAll("*")]
    .filter(each => each.shadowRoot).flatMap(each => [...each.shadowRoot.querySelectorAll("*")])]
  .flatMap(each => ["src", "href", "xlink:href", "action", "srcdoc", "data", "poster"]
    .map(name => each.getAttribute(name))
    .filter(value => value !== null && value !== "")
    .map(value => [each.tagName.toLowerCase(), value]))
  .filter(([tag, value]) => !/^(data:(image|font)|blob:|#)/.test(value)
    && new URL(value, document.baseURI).origin !== own)
  .map(([tag, value]) => `${tag} ${value}`)
"""

_MADE_OF_MARKDOWN = ".katex, mark, del, [data-testid=stMarkdownContainer] :is(h4, h5, h6, ol, blockquote)"
"""What no text of Duet's own makes, and names would."""

_MARKS = "svg .role-mark:is(.mark-rect, .mark-symbol) > path"

_HOVER = """marks => {
  const told = []
  // Vega answers an event before it returns, so there is nothing to wait for, and no bar is too thin to be met.
  const send = (mark, kind) => mark.dispatchEvent(new PointerEvent(kind, {bubbles: true, cancelable: true}))
  for (const mark of marks) {
    send(mark, "pointermove")
    const tooltip = document.querySelector("#vg-tooltip-element.visible")
    if (tooltip) told.push([
      [...tooltip.querySelectorAll("td.value")].map(each => each.textContent),
      tooltip.querySelectorAll(":not(table, tbody, tr, td)").length,
      tooltip.innerHTML,
    ])
    send(mark, "pointerout")
  }
  return told
}
"""

_WORDS_OF_TABLES = """() => [...document.querySelectorAll("canvas [role=gridcell], canvas [role=columnheader]")]
    .map(each => each.textContent)
"""

_TITLES = """() => [...document.querySelectorAll("*"), ...[...document.querySelectorAll("*")]
    .filter(each => each.shadowRoot).flatMap(each => [...each.shadowRoot.querySelectorAll("*")])]
  .flatMap(each => [each.getAttribute("title"), each.getAttribute("aria-label"), each.getAttribute("alt")])
  .filter(value => value)
"""


def record_drawing(page: "Page") -> None:
    """Note from now on all that is written on a canvas of the page."""
    page.add_init_script(_RECORD)


def drawn(page: "Page") -> list[str]:
    """Return what was written on canvases, and stands in drawings of the document, since the page was loaded."""
    return [*page.evaluate("() => [...window.drawnTexts]"), *page.locator("svg text").all_text_contents()]


def text_of(place: "Page | Locator") -> list[str]:
    """Return the lines that somebody reads, without the joiners that nobody sees."""
    place = place.locator("body") if hasattr(place, "goto") else place
    return place.inner_text().replace(_JOINER, "").split("\n")


def in_tables(page: "Page") -> list[str]:
    """Return what stands in the cells and heads of tables, as a screen reader reads them."""
    return page.evaluate(_WORDS_OF_TABLES)


def at_rest(page: "Page") -> list[str]:
    """Return what elements say where the pointer rests, or to a screen reader."""
    return page.evaluate(_TITLES)


def hovered(chart: "Locator") -> set[str]:
    """Return what the hovers of a Vega-Lite chart say, where the pointer comes upon each bar and point that it drew.

    A row of a hover is a title and a text, and nothing in it is any other element.
    """
    marks = chart.locator(_MARKS)
    marks.first.wait_for(state="attached")
    told = marks.evaluate_all(_HOVER)
    assert told, "no mark of the chart has a hover"
    assert [html for _, others, html in told if others] == []
    return {value for values, *_ in told for value in values}


def assert_written(names: Iterable[str], lines: Iterable[str], *, may_be_cut: bool = False) -> None:
    """See each name somewhere in some lines as it is written.

    Args:
        may_be_cut: where room is short, its beginning is enough, with an ellipsis or without one.
    """
    lines = list(dict.fromkeys(lines))
    missing = [name for name in names if not are_written([name], lines, may_be_cut=may_be_cut)]
    assert not missing, (missing, lines)


def are_written(names: Iterable[str], lines: Iterable[str], *, may_be_cut: bool = False) -> bool:
    """Return whether `assert_written` would find each name."""
    lines = list(lines)
    return all(any(_is_in(name, line, may_be_cut) for line in lines) for name in names)


def _is_in(name: str, line: str, may_be_cut: bool) -> bool:
    beginning = line.removesuffix("…").rstrip()
    if may_be_cut and len(beginning) >= _LEAST and name.startswith(beginning):
        return True
    # A backslash before it would be one of Duet's.
    return re.search(rf"(?<!\\){re.escape(name)}", line) is not None


def assert_inert(page: "Page", own: str, requests: Sequence[str]) -> None:
    """See that no name has become an element, has run, or has asked for anything."""
    assert page.evaluate("window.ran") is None
    assert page.evaluate(_FOREIGN, own) == []
    assert page.locator(_MADE_OF_MARKDOWN).count() == 0
    assert [url for url in requests if not url.startswith((own, own.replace("http", "ws", 1), "data:", "blob:"))] == []
