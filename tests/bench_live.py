"""`make bench WHAT=live`: what the networks in the page cost: bytes, the time until they run, and that of one answer.

Measured in Chromium on a page of the record, as a fresh clone makes it; the median of the rounds counts. An answer is
that of all networks to one drawing: from strokes to an image, and from the image to the outputs.
"""

from __future__ import annotations

import gzip
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page

from tests import chromium
from tests.live import networks

ROUNDS = 9
PASSES = 200  # in a round
TIMED = """passes => { const section = document.getElementById('try');
  const drawing = JSON.parse(document.getElementById('drawings').textContent).digits[4];
  const image = section.image(drawing);
  const each = act => { const start = performance.now();
    for (let n = 0; n < passes; n++) act();
    return (performance.now() - start) / passes; };
  return [each(() => section.image(drawing)), each(() => section.ask(image))]; }"""


def main() -> None:
    if not chromium.PATH:
        sys.exit(f"error: this needs Chromium. Install it: {chromium.INSTALL}.")
    with tempfile.TemporaryDirectory() as folder, chromium.launched() as browser:
        command = ["-m", "report", "first", "--results", folder, "--site", f"{folder}/site"]
        subprocess.run([sys.executable, *command], check=True, capture_output=True)
        page = Path(folder, "site", "index.html")
        text = networks.text(networks.committed()).encode()
        print(f"the networks in the page {len(text) / 1e3:8.1f} kB, {len(gzip.compress(text)) / 1e3:.1f} kB gzipped")
        print(f"the page                 {page.stat().st_size / 1e3:8.1f} kB")
        rounds = [measure(browser.new_page(), page) for _ in range(ROUNDS)]
    labels = ("ready after opening", "an image of strokes", "all networks' answer")
    for label, times in zip(labels, zip(*rounds, strict=True), strict=True):
        print(f"{label:24} {statistics.median(times):8.3f} ms")
    print(f"\nMedian of {ROUNDS} rounds.")


def measure(sheet: Page, page: Path) -> tuple[float, float, float]:
    """Milliseconds until the networks run, of an image, and of an answer."""
    sheet.goto(page.as_uri())
    sheet.locator(".try.live").wait_for()
    ready = sheet.evaluate("performance.getEntriesByName('networks')[0].startTime")
    image, answer = sheet.evaluate(TIMED, PASSES)
    sheet.close()
    return ready, image, answer


if __name__ == "__main__":
    main()
