"""`make bench`: how large the page is and how long it takes to render, beside nbconvert with the same text and figures.

Both are whole processes that write a page anew, in turn; the median of the rounds counts. The page is that of what was
measured here, with its evidence, or else the record's. nbconvert is installed into a virtual environment that is gone
afterwards. Its page fetches scripts from elsewhere, which are not in its size; this project's fetches nothing.
"""

from __future__ import annotations

import gzip
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

from experiments.store.store import RESULTS
from tests import fixture
from tests.article.test_article import Text

ROUNDS = 3


def main() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        results, site = folder / "results", folder / "site"
        shutil.copytree(RESULTS, results, ignore=shutil.ignore_patterns("runs", ".lock"))
        stand_in = ["-m", "experiments", "stand-in", "--results", str(results), "--figures", str(fixture.FIGURES)]
        print(done([sys.executable, *stand_in]), end="")
        ours = [sys.executable, "-m", "report", "render", "--results", str(results), "--site", str(site)]
        ways = {"this project": (ours, site / "index.html")}
        if nbconvert := installed(folder):
            done(ours)
            notebook = folder / "peer.ipynb"
            notebook.write_text(json.dumps(as_notebook(site / "index.html", results / "plots")))
            python, label = nbconvert
            ways[label] = ([python, "-m", "nbconvert", "--to", "html", str(notebook)], folder / "peer.html")
        seconds: dict[str, list[float]] = {label: [] for label in ways}
        for number in range(1, ROUNDS + 1):
            print(f"Round {number} of {ROUNDS} …", flush=True)
            for label, (command, page) in ways.items():
                page.unlink(missing_ok=True)
                start = time.perf_counter()
                done(command)
                seconds[label].append(time.perf_counter() - start)
        report({label: (statistics.median(seconds[label]), page.read_bytes()) for label, (_, page) in ways.items()})


def report(found: dict[str, tuple[float, bytes]]) -> None:
    """A row a way, and each in multiples of the first."""
    print(f"\n{'':20}{'s to render':>22}{'kB':>22}{'kB gzipped':>22}")
    rows = {label: (took, len(page) / 1e3, len(gzip.compress(page)) / 1e3) for label, (took, page) in found.items()}
    first = next(iter(rows.values()))
    for label, row in rows.items():
        cells = (f"{value:.2f} ({value / one:.2f} ×)" for value, one in zip(row, first, strict=True))
        print(f"{label:20}" + "".join(f"{cell:>22}" for cell in cells))
    print(f"\nMedian of {ROUNDS} rounds, whole processes. (In brackets: multiples of this project's.)")


def installed(folder: Path) -> tuple[str, str] | None:
    """A Python that has nbconvert, and its name and version; None, said in a line, where it cannot be installed."""
    print("Installing nbconvert, to compare with …", flush=True)
    venv.create(folder / "peer", with_pip=True)
    python = str(folder / "peer" / "bin" / "python")
    pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--retries", "1", "nbconvert"]
    if subprocess.run(pip, capture_output=True).returncode:
        print("nbconvert cannot be installed here, so that this project's page stands alone.")
        return None
    return python, f"nbconvert {done([python, '-m', 'nbconvert', '--version']).strip()}"


def done(command: list[str]) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def as_notebook(index: Path, plots: Path) -> dict[str, object]:
    """A notebook with the article, the page's own text, and the figures as outputs."""
    main = index.read_text(encoding="utf-8").split("<main>")[1].split("</main>")[0]
    own = re.sub(r'<section id="article".*?</section>|<svg.*?</svg>', "", main, flags=re.DOTALL)
    texts = [fixture.ARTICLE.read_text(encoding="utf-8"), *"".join(Text(own).found).split("\n\n")]
    words = [{"cell_type": "markdown", "metadata": {}, "source": text} for text in texts]
    figures = [
        {
            "cell_type": "code",
            "execution_count": None,
            "metadata": {},
            "source": "",
            "outputs": [{"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": svg.read_text()}}],
        }
        for svg in sorted(plots.glob("*.svg"))
    ]
    return {"nbformat": 4, "nbformat_minor": 4, "metadata": {}, "cells": words + figures}


if __name__ == "__main__":
    main()
