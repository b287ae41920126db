"""`make screenshots`: site/index.html in every way that it is read, as pictures in screenshots/, for people to look at.

Each way has a folder; the page is cut into pieces, from the top down. In print: print.pdf, and its first pages where
poppler's pdftoppm is there.
"""

from __future__ import annotations

import itertools
import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests import chromium

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "site" / "index.html"
FOLDER = ROOT / "screenshots"
PIECE_HEIGHT = 2400  # CSS pixels
PRINTED_PAGES = 6
PATIENCE_MS = 300_000  # a busy machine takes its time over a page so tall


def window(width: int, scale: int = 1) -> dict[str, object]:
    return {"viewport": {"width": width, "height": 900 // scale}, "device_scale_factor": scale}


WAYS: dict[str, dict[str, object]] = {  # of the browser's window
    "light-1280": window(1280),
    "dark-1280": {**window(1280), "color_scheme": "dark"},
    "light-1440": window(1440),
    "light-375": window(375, scale=2),
    "dark-375": {**window(375, scale=2), "color_scheme": "dark"},
    "light-320": window(320, scale=2),
    "zoomed-to-200-percent": window(640, scale=2),  # of a window 1280 pixels wide
    "without-script": {**window(1280), "java_script_enabled": False},
    "unfolded-1280": window(1280),
    "print": window(1280),
}


def main() -> None:
    if not INDEX.exists():
        sys.exit("error: site/index.html is missing. Run 'make screenshots', which renders it first.")
    if not chromium.PATH:
        sys.exit(f"error: the screenshots need Chromium. Install it: {chromium.INSTALL}.")
    shutil.rmtree(FOLDER, ignore_errors=True)
    with chromium.launched() as browser:
        for way in WAYS:
            folder = FOLDER / way
            folder.mkdir(parents=True)
            take(browser, way, folder)
            print(f"{way:24}{len(list(folder.glob('*.png'))):3} pictures", flush=True)
    print("They are in screenshots/.")


def take(browser: Browser, way: str, folder: Path) -> None:
    with browser.new_context(**WAYS[way]) as context:
        sheet = context.new_page()
        sheet.goto(INDEX.as_uri())
        if way == "unfolded-1280":
            sheet.evaluate("document.querySelectorAll('details').forEach(details => details.open = true)")
        if way == "print":
            printed(sheet, folder)
        else:
            pieces(sheet, folder)


def pieces(sheet: Page, folder: Path) -> None:
    """The whole page, cut where a piece is full."""
    box = sheet.locator("html").bounding_box()
    assert box
    for number in itertools.count(1):
        top = (number - 1) * PIECE_HEIGHT
        height = min(PIECE_HEIGHT, box["height"] - top)
        if height <= 0:
            break
        clip = {"x": 0, "y": top, "width": box["width"], "height": height}
        sheet.screenshot(path=folder / f"{number:02}.png", full_page=True, clip=clip, timeout=PATIENCE_MS)


def printed(sheet: Page, folder: Path) -> None:
    sheet.pdf(path=folder / "print.pdf", format="A4")
    if shutil.which("pdftoppm"):
        command = ["pdftoppm", "-r", "80", "-png", "-l", str(PRINTED_PAGES), folder / "print.pdf", folder / "page"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
