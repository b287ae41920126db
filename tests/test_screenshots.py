"""The pictures of the page show all of it."""

from __future__ import annotations

import struct
from pathlib import Path

from playwright.sync_api import Browser

from tests import screenshots
from tests.test_browser import browser as browser  # a fixture


def test_the_window_is_scrolled_until_the_page_ends(browser: Browser, tmp_path: Path) -> None:
    sheet = browser.new_page(viewport={"width": 300, "height": 200})
    sheet.set_content("<body style='margin: 0'>" + "<p style='margin: 0; height: 250px; background: #f00'></p>" * 2)
    screenshots.pieces(sheet, tmp_path)
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["01.png", "02.png", "03.png"]
    assert sheet.evaluate("scrollY") == 300
    assert {struct.unpack(">II", path.read_bytes()[16:24]) for path in tmp_path.iterdir()} == {(300, 200)}
