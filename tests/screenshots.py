"""`make screenshots`: site/index.html in every way that it is read, as pictures in screenshots/, for people to look at.

Each way has a folder; its pictures are of a tall window, scrolled down until the page ends. In print: print.pdf, and
its first pages where poppler's pdftoppm is there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import Browser, Page

from tests import chromium

ROOT = Path(__file__).parent.parent
INDEX = ROOT / "site" / "index.html"
FOLDER = ROOT / "screenshots"
WINDOW_HEIGHT = 2000  # CSS pixels
PRINTED_PAGES = 6


def window(width: int, scale: int = 1) -> dict[str, object]:
    """A window so many CSS pixels wide; each is `scale` pixels of the picture."""
    return {"viewport": {"width": width, "height": WINDOW_HEIGHT}, "device_scale_factor": scale}


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
    """What the window shows, from the top of the page to its end.

    The window is scrolled, for in a picture of the full page what stays in sight would stand only once.
    """
    height = sheet.viewport_size["height"]
    for number, top in enumerate(range(0, sheet.evaluate("document.documentElement.scrollHeight"), height), 1):
        sheet.evaluate(f"scrollTo({{top: {top}, behavior: 'instant'}})")
        sheet.screenshot(path=folder / f"{number:02}.png")


def printed(sheet: Page, folder: Path) -> None:
    sheet.pdf(path=folder / "print.pdf", format="A4")
    if shutil.which("pdftoppm"):
        command = ["pdftoppm", "-r", "80", "-png", "-l", str(PRINTED_PAGES), folder / "print.pdf", folder / "page"]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
