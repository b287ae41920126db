"""`make picture`: docs/page.webp, which the README shows: the page of the committed record, from its title on.

It is the page that a fresh clone renders, whatever was measured here: made-up results would show made-up numbers.
"""

from __future__ import annotations

import io
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image  # matplotlib brings it
from playwright.sync_api import Browser

from experiments.files.durable import write_atomically
from tests import chromium

ROOT = Path(__file__).parent.parent
FIGURES = ROOT / "report" / "mse_tanh" / "figures.py"
PICTURE = ROOT / "docs" / "page.webp"
WINDOW = {"width": 1440, "height": 900}  # CSS pixels; the README shows it narrower


def main() -> None:
    if not chromium.PATH:
        sys.exit(f"error: the picture needs Chromium. Install it: {chromium.INSTALL}.")
    with tempfile.TemporaryDirectory() as folder, chromium.launched() as browser:
        results, site = Path(folder, "results"), Path(folder, "site")
        done("experiments", "stand-in", "--results", str(results), "--figures", str(FIGURES))
        done("report", "render", "--results", str(results), "--site", str(site))
        write_atomically(PICTURE, first_screen(browser, site / "index.html"))
    print(f"{PICTURE.relative_to(ROOT)}: {PICTURE.stat().st_size / 1000:.0f} kB.")


def done(*command: str) -> None:
    subprocess.run([sys.executable, "-m", *command], cwd=ROOT, check=True)


def first_screen(browser: Browser, page: Path) -> bytes:
    """What a window shows of the page, scrolled to its title, as lossless WebP: a quarter of such a PNG."""
    sheet = browser.new_page(viewport=WINDOW)
    sheet.goto(page.as_uri())
    sheet.locator("h1").evaluate("title => scrollTo({top: title.offsetTop - 40, behavior: 'instant'})")
    packed = io.BytesIO()
    Image.open(io.BytesIO(sheet.screenshot())).convert("RGB").save(packed, "WEBP", lossless=True, quality=100, method=6)
    return packed.getvalue()


if __name__ == "__main__":
    main()
