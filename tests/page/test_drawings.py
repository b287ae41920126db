"""The text of every drawing can be read on a phone and on a desktop: large enough, whole and alone in its place."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from experiments.analysis import records
from experiments.plots import drawing
from tests import fixture
from tests.page.test_browser import opened

RECORD = records.RECORD
WIDTHS = (320, 375, 520, 1440)  # of screens, in pixels
SMALLEST, LARGEST = 12, 23  # pixels that text is high


def flaws(sheet: Page) -> list[str]:
    """What is wrong with the text in the drawings of an opened page, everything in it unfolded."""
    sheet.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    found: list[str] = sheet.evaluate(FLAWS, [SMALLEST, LARGEST])
    return found


# A drawing is not cut at its edges, and the page has some room beyond them, most of it on the left, where the labels of
# an axis reach out when text is larger. Boxes of text have room above and below the letters, of which two lines below
# each other may share some.
FLAWS = """([smallest, largest]) => [...document.querySelectorAll('figure svg')].flatMap(svg => {
  const frame = svg.getBoundingClientRect(), scale = svg.getScreenCTM().a;
  const title = svg.querySelector('title').textContent;
  const texts = [...svg.querySelectorAll('text')].map(text => ({
    words: text.textContent.trim(), box: text.getBoundingClientRect(),
    size: parseFloat(getComputedStyle(text).fontSize) * scale }));
  const found = texts.flatMap(({words, box, size}) => [
    (size < smallest || size > largest) && `${size.toFixed(1)} px: ${words}`,
    (frame.left - box.left > 8 || box.right - frame.right > 3 || frame.top - box.top > 3
      || box.bottom - frame.bottom > 3) && `outside: ${words}`]);
  texts.forEach(({words, box}, place) => texts.slice(place + 1).forEach(other => {
    const width = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
    const height = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
    if (width > 0.5 && height > box.height / 4) found.push(`overlap: ${words} and ${other.words}`);
  }));
  return (texts.length ? found : ['no text']).filter(Boolean).map(flaw => `${title}: ${flaw}`);
})"""


@pytest.fixture(scope="module")
def recorded() -> dict:
    """The committed record, which has every figure."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD", RECORD)
        record = records.read()
    assert record is not None
    return records.results_of_record(record, records.NOTHING_MEASURED)


@pytest.fixture(scope="module")
def article_page(recorded: dict) -> str:
    return fixture.page_of(recorded)


@pytest.fixture(scope="module")
def generic_page(article_page: str, recorded: dict) -> str:
    """The generic figures of arms with long titles, in the style of the page."""
    style = re.search(r"<style>.*?</style>", article_page, re.DOTALL)
    assert style is not None
    long = "A network with a title that says at length what was changed, and why"
    arms = {name: {**arm, "title": f"{long}: {name}", "block": "mine"} for name, arm in recorded["arms"].items()}
    drawn = drawing.draw({**recorded, "arms": arms}, pictures=False)
    figures = "".join(f"<figure>{figure.svg}</figure>" for figure in drawn)
    return f'<!doctype html><meta name="viewport" content="width=device-width">{style[0]}<main>{figures}</main>'


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("kind", ["article_page", "generic_page"])
def test_text_in_drawings_is_large_enough_whole_and_alone_in_its_place(
    browser: Browser, tmp_path: Path, request: pytest.FixtureRequest, kind: str, width: int
) -> None:
    path = tmp_path / "index.html"
    path.write_text(request.getfixturevalue(kind))
    sheet = opened(browser, path, viewport={"width": width, "height": 800})
    assert sheet.locator("figure svg").count() >= 6
    assert flaws(sheet) == []
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width
    weights = sheet.evaluate("[...document.querySelectorAll('svg .strong')].map(e => getComputedStyle(e).fontWeight)")
    assert set(weights) == {"650"}  # the drawings name it, the style sheet says it
