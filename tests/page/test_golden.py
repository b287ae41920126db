"""The page of made-up results stands in golden.html, so that a change of the page is read as a change of that file.

`make golden` writes it anew. Drawings, style and script are left out, and all that differs between machines or with
the versions of libraries; text stands there a sentence a line.
"""

from __future__ import annotations

import difflib
import json
import os
import re
from copy import deepcopy
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from experiments.analysis import evidence, records, summary
from experiments.data import datasets
from experiments.data.sources import BESIDE_MNIST, Source
from experiments.files.sealed import read_json
from experiments.store.store import Store
from experiments.study.model import Run, Study
from report.article.folder import open_folder
from report.page import compose
from tests import fixture
from tests.page.test_browser import opened
from tests.page.test_drawings import WIDTHS, flaws

GOLDEN = Path(__file__).parents[1] / "golden.html"
LINES_TOLD = 20  # of what differs
MNIST = Source(datasets.MNIST, None, "a fixture")
LEFT_OUT = (  # what is replaced, and by what
    (r"(?<=<style>).*?(?=</style>)|(?<=<script>).*?(?=</script>)", ""),  # the policy on the page has their hashes
    (r"<svg .*?(<title.*?</title>(?:<desc.*?</desc>)?).*?</svg>", r"<svg>\1</svg>"),
    (r'<span class="\w{1,3}">(.*?)</span>', r"\1"),  # the colours of code
    (r"</(t[dhr]|li|d[dt])>", ""),  # the ends that HTML lets one leave out
    (r"(?<=[.!?]) +(?=\S)", "\n"),  # the blank after a sentence
    (r"(?<=\n)\s+(?=<|\n)|\n(?=\n)", ""),  # indentation of HTML, empty lines
)


def made_up(runs: list[Run], step: int) -> dict[str, float]:
    """A score for each run, told apart by seed and by arm, but for arms that train the same, as Examples 1 and 2 do."""
    trained = list(dict.fromkeys(str(run.arm.training_spec()) for run in runs))
    number = {run.arm.name: trained.index(str(run.arm.training_spec())) for run in runs}
    return {
        str(run): 0.964 + 0.001 * (step * number[run.arm.name] % 16 + run.seed * (number[run.arm.name] + 2) % 7)
        for run in runs
    }


def rounded(results: dict) -> dict:
    """Processors differ in a number's last digits, and so in how it is rounded where it lies between two."""
    return json.loads(json.dumps(results), parse_float=lambda text: float(f"{float(text):.12g}"))


@pytest.fixture(scope="module")
def page(plan: Study, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page of made-up results of every block and on every data set."""
    folder = tmp_path_factory.mktemp("golden")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD", folder / "record.json")
        results = whole(plan, folder)
        drawn = {figure.name: figure for figure in fixture.draw(results)}
        content = read_json(folder / "evidence.json", evidence.FORMAT)
        return compose.compose(open_folder(), results, drawn, "", "what the page is derived from", content).html


def whole(plan: Study, folder: Path) -> dict:
    """Made-up results of everything, and a record that has one contrast the other way."""
    store, mnist = Store(folder), plan.runs("mnist")
    fixture.fill(store, mnist, MNIST, made_up(mnist, step=7))
    others = {name: plan.runs(name) for name in BESIDE_MNIST}
    for (name, runs), step in zip(others.items(), (3, 5), strict=True):
        fixture.fill(store, runs, BESIDE_MNIST[name], made_up(runs, step))
    results = rounded(summary.update(plan, mnist, MNIST, store, others))
    results["versions"] = [["a library", "1.0"]]
    other = deepcopy(results)
    other["contrasts"][0] |= {"mean": -0.01, "interval": [-0.02, -0.001]}
    records.write(other)
    return records.merge_record(results, records.read())


def told(html: str) -> str:
    """The page as golden.html has it."""
    html = re.sub(r"(<math.*?>)(.*?)</math>", lambda found: f"{found[1]}{re.sub('<.*?>', '', found[2])}</math>", html)
    for pattern, kept in LEFT_OUT:
        html = re.sub(pattern, kept, html, flags=re.DOTALL)
    return html.strip() + "\n"


def differing(golden: str, page: str) -> list[str]:
    """The lines that differ, the first of them where they are many."""
    texts = golden.splitlines(), page.splitlines()
    lines = list(difflib.unified_diff(*texts, "tests/golden.html", "the page", n=0, lineterm=""))
    more = len(lines) - LINES_TOLD
    return [*lines[:LINES_TOLD], f"… and {more} lines more"] if more > 0 else lines


def test_the_page_matches_the_golden_page(page: str) -> None:
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(told(page), encoding="utf-8")
    if lines := differing(GOLDEN.read_text(encoding="utf-8"), told(page)):
        advice = (
            "The page is no longer tests/golden.html. If that is meant, run 'make golden' and read what it changed."
        )
        pytest.fail("\n".join([advice, *lines]), pytrace=False)


@pytest.mark.parametrize("width", WIDTHS)
def test_text_in_its_drawings_is_large_enough_whole_and_alone_in_its_place(
    browser: Browser, page: str, tmp_path: Path, width: int
) -> None:
    path = tmp_path / "index.html"
    path.write_text(page)
    assert flaws(opened(browser, path, viewport={"width": width, "height": 800})) == []
