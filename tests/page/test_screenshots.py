"""The pictures of the page show all of it."""

from __future__ import annotations

import io
import struct
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser

from tests import picture, screenshots
from tests.page.test_browser import path as path  # a fixture


def test_the_window_is_scrolled_to_the_end_of_the_page(browser: Browser, tmp_path: Path) -> None:
    sheet = browser.new_page(viewport={"width": 300, "height": 200})
    sheet.set_content("<body style='margin: 0'>" + "<p style='margin: 0; height: 250px; background: #f00'></p>" * 2)
    screenshots.pieces(sheet, tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["01.png", "02.png", "03.png"]
    assert sheet.evaluate("scrollY") == 300
    assert {struct.unpack(">II", path.read_bytes()[16:24]) for path in tmp_path.iterdir()} == {(300, 200)}


def test_the_readmes_picture_is_a_window_with_the_title_at_its_top(browser: Browser, path: Path) -> None:
    taken = picture.first_screen(browser, path)
    shown = Image.open(io.BytesIO(taken))
    assert (shown.format, shown.size) == ("WEBP", (1440, 900))
    assert len(shown.convert("RGB").getcolors(1_000_000)) > 256  # which no palette holds
    assert len(taken) < 80_000
    assert 0 < browser.contexts[-1].pages[0].locator("h1").bounding_box()["y"] < 50
