"""The record's page stays short: its bytes, its words, its height and its printed pages have limits."""

from __future__ import annotations

import gzip
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page

from experiments.analysis import records
from report import __main__ as command
from tests import fixture
from tests.page.test_browser import opened

RECORD = fixture.DEFAULT.parents[1] / "experiments" / "record.json"
pytestmark = pytest.mark.slow("renders the record's page, which has every figure, claim and network")

Render = Callable[..., Path]


@pytest.fixture(scope="module")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Render:
    def rendered(*options: str) -> Path:
        folder = tmp_path_factory.mktemp("record")
        places = ["--results", str(folder), "--site", str(folder / "site")]
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(records, "RECORD", RECORD)
            command.main(command.parse(["first", *places, *options]))
        return folder / "site" / "index.html"

    return rendered


@pytest.fixture(scope="module")
def page(rendered: Render) -> Path:
    return rendered()


def kilobytes(page: Path) -> tuple[float, float]:
    """Of the file, and of what a server sends of it."""
    return page.stat().st_size / 1000, len(gzip.compress(page.read_bytes(), 9)) / 1000


def test_the_page_has_few_bytes(page: Path) -> None:
    plain, sent = kilobytes(page)
    assert plain < 640
    assert sent < 300


def test_without_networks_it_has_fewer(rendered: Render) -> None:
    plain, sent = kilobytes(rendered("--no-live"))
    assert plain < 480
    assert sent < 170


def own_words(sheet: Page) -> int:
    """The words to be seen that are not the article's."""
    sheet.evaluate("document.querySelectorAll('.source, .unseen, svg').forEach(other => other.remove())")
    return len(sheet.locator("main").inner_text().split())


def without_notice(sheet: Page) -> Page:
    """The page as it is where its numbers were measured: that they are the record's is not said there."""
    sheet.evaluate("document.querySelectorAll('.notice').forEach(notice => notice.remove())")
    return sheet


def test_its_answer_has_at_most_45_words_and_all_of_it_3500(browser: Browser, page: Path) -> None:
    sheet = opened(browser, page, viewport={"width": 1440, "height": 900})
    assert len(sheet.locator(".lead").inner_text().split()) <= 45
    assert own_words(sheet) <= 3500


def test_it_is_at_most_16000_pixels_high_with_the_whole_article_and_every_claim(browser: Browser, page: Path) -> None:
    sheet = opened(browser, page, viewport={"width": 1440, "height": 900})
    assert sheet.evaluate("document.documentElement.scrollHeight") <= 16_000


def test_answer_bars_and_every_verdict_fit_a_desktops_first_screen(browser: Browser, page: Path) -> None:
    sheet = without_notice(opened(browser, page, viewport={"width": 1440, "height": 1000}))
    box = sheet.locator(".cells").bounding_box()
    assert box["y"] + box["height"] <= 1000


def test_a_phone_shows_the_first_figure_without_a_long_way_down(browser: Browser, page: Path) -> None:
    sheet = without_notice(opened(browser, page, viewport={"width": 375, "height": 700}))
    assert sheet.locator("figure").first.bounding_box()["y"] < 700


def test_it_is_printed_on_at_most_14_pages(browser: Browser, page: Path) -> None:
    sheet = opened(browser, page)
    pdf = sheet.pdf(format="A4", prefer_css_page_size=True)
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) <= 14
