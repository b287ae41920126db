"""The comment on a pull request: what moved between two sites, nothing where nothing did, and never too long.

golden-comparison.md is the comment of made-up results; RENEW_GOLDEN=1 writes it anew.
"""

from __future__ import annotations

import os
import re
import shutil
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.files.sealed import read_json, to_json
from experiments.plots import figures
from experiments.study.model import Study
from report import __main__ as command
from report.page import site
from report.sharing import comment
from report.sharing.comment import Site
from tests import fixture
from tests.sharing.test_workflows import REFUSED

GOLDEN = Path(__file__).parents[1] / "golden-comparison.md"
MNIST = Source(datasets.MNIST, None, "a fixture")
LONGEST = 65_536  # characters that GitHub allows in a comment


@pytest.fixture(scope="module")
def sites(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Two sites; in the second the examples have changed places, and the last arm's runs are missing."""
    folder = tmp_path_factory.mktemp("sites")
    first = f"example-3, seed {plan.block('examples').seeds[0]}, on mnist"  # so that not every seed shows the same
    scores = ({first: 0.977}, {"example-1": 0.978, "example-2": 0.978, "example-3": 0.965, first: 0.964})
    for name, changed, runs in (("a", scores[0], None), ("b", scores[1], 88)):
        score = fixture.SCORES | changed
        found = fixture.results(plan, folder / name, MNIST, score, runs, ("examples", "changes"))
        figures.update(found, folder / name / "plots", fixture.draw, fixture.FIGURES)
        options = ["--results", str(folder / name), "--site", str(folder / name / "site")]
        command.main(command.parse(["render", *options]))
    return folder / "a" / "site", folder / "b" / "site"


def compared(*folders: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    capsys.readouterr()
    status = command.main(command.parse(["compare", "--format", "markdown", *map(str, folders)]))
    return status, capsys.readouterr().out


def test_the_comment_is_the_expected_one(sites: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    status, told = compared(*sites, capsys=capsys)
    told = re.sub(r"[\d,.]+ kB", "… kB", re.sub(r"\| `\S+\.png` .*\n", "", told))  # pictures differ between machines
    if os.environ.get("RENEW_GOLDEN"):
        GOLDEN.write_text(told, encoding="utf-8")
    assert (status, told) == (0, GOLDEN.read_text(encoding="utf-8"))


def test_nothing_is_said_where_nothing_moved(sites: tuple[Path, Path], capsys: pytest.CaptureFixture[str]) -> None:
    assert compared(sites[0], sites[0], capsys=capsys) == (0, "")


@pytest.mark.parametrize(("grown", "told"), [(1.009, False), (1.02, True), (0.98, True)])
def test_the_pages_size_alone_is_told_from_a_hundredth_on(sites: tuple[Path, Path], grown: float, told: bool) -> None:
    before = comment.read(sites[0])
    sizes = {**before.sizes, "index.html": round(grown * before.sizes["index.html"])}
    assert ("| `index.html` |" in comment.write(before, replace(before, sizes=sizes))) == told


def test_a_new_close_call_is_told_and_so_is_one_that_is_gone(sites: tuple[Path, Path]) -> None:
    one = comment.read(sites[0])
    asked = ("far-more-effective", "stated")
    none, close = replace(one, close=frozenset()), replace(one, close=frozenset({asked}))
    row = "| `far-more-effective` | as the article puts it | supported | {} |"
    assert row.format("yes") in comment.write(none, close)
    assert row.format("no more") in comment.write(close, none)


def test_a_changed_rule_turns_a_verdict_though_no_number_changed(
    sites: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = shutil.copytree(sites[0], tmp_path / "site")
    path = changed / "data" / "claims.json"
    claims = read_json(path, site.CLAIMS_FORMAT)
    (row,) = (row for row in claims["claims"] if row["claim"]["id"] == "far-more-effective")
    row["verdicts"]["stated"]["verdict"] = "partly supported"
    path.write_bytes(to_json(claims))
    told = compared(sites[0], changed, capsys=capsys)[1]
    assert "| `far-more-effective` | as the article puts it | supported | partly supported |" in told
    assert "Effects" not in told


def test_a_claim_that_only_one_site_has_is_named(sites: tuple[Path, Path]) -> None:
    one = comment.read(sites[0])
    fewer = replace(one, verdicts={name: v for name, v in one.verdicts.items() if name[0] != "far-more-effective"})
    assert "Only in one of them: `far-more-effective`." in comment.write(one, fewer)


def large(one: Site, name: str) -> tuple[Site, Site]:
    """Two sites of which a thousand questions, arms and files differ, with names as long as they may be."""
    names = [f"{name}{number:04}".rjust(64, "x") for number in range(1000)]
    arm = one.results["arms"]["example-1"]
    low, high = deepcopy(arm), deepcopy(arm)
    high["test_accuracy"]["mean"] -= 0.5
    return tuple(
        Site(
            {**one.results, "arms": dict.fromkeys(names, result)},
            {(name, asks): verdict for name in names for asks in ("stated", "general")},
            frozenset((name, "stated") for name in names) if close else frozenset(),
            {f"{name}.html": size for name in names},
        )
        for result, verdict, close, size in ((low, "supported", False, 10), (high, "not supported", True, 10**12))
    )


@pytest.mark.parametrize("name", ["a", "`|]<@", "<!--"])
def test_a_comment_is_never_longer_than_github_allows_and_never_refused(sites: tuple[Path, Path], name: str) -> None:
    told = comment.write(*large(comment.read(sites[0]), name))
    assert "… and 1960 more." in told
    assert len(told) < LONGEST - 500
    assert not re.search(REFUSED, told)


@pytest.mark.parametrize("wrong", ["no-folder", ""])
def test_anything_but_two_rendered_sites_is_an_error_that_shows_the_command(tmp_path: Path, wrong: str) -> None:
    with pytest.raises(UserError, match=r"Expected two folders that 'make render' wrote: make compare A=old/site"):
        command.main(command.parse(["compare", "--format", "markdown", *[str(tmp_path / wrong)] * 2]))
