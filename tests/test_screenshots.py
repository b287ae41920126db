"""The pictures of the page show all of it."""

from __future__ import annotations

import struct
from pathlib import Path

from playwright.sync_api import Browser

from tests import screenshots
from tests.test_browser import browser as browser  # a fixture


def test_a_tall_page_is_cut_into_pieces_that_leave_nothing_out(browser: Browser, tmp_path: Path) -> None:
    sheet = browser.new_page(viewport={"width": 300, "height": 200})
    sheet.set_content("<style>body { margin: 0; height: 5000px }</style>")
    screenshots.pieces(sheet, tmp_path)
    sizes = [struct.unpack(">II", path.read_bytes()[16:24]) for path in sorted(tmp_path.iterdir())]
    assert sizes == [(300, 2400), (300, 2400), (300, 200)]
