"""Chromium as the system has it, driven by Playwright: for the browser tests, the audit and the screenshots."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

PATH = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
INSTALL = (
    "sudo apt-get install --no-install-recommends chromium (Debian, Ubuntu) or brew install --cask chromium (macOS)"
)


@contextmanager
def launched() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, chromium_sandbox=False)
        yield browser
        browser.close()
