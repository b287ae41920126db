"""The machinery checks any article: a small second one, with its own claims and experiments, from data to page."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.test_page import said
from tests.trained import ROOT, SECOND, STUDY, TEXTS, offline


def command(*arguments: str, status: int = 0) -> str:
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300
    )
    assert result.returncode == status, result.stderr
    return result.stdout if status == 0 else result.stderr


@pytest.fixture(scope="module")
def html(built: Path) -> str:
    return (built / "site" / "index.html").read_text()


def test_another_article_gets_its_own_verdicts_in_its_own_words(html: str) -> None:
    assert "a wider hidden layer is more accurate1 supported than a narrow one" in said(html, "article")
    assert "takes longer to train2 not supported" in said(html, "article")
    assert "not testable here" in said(html, "claims")
    assert "<h1>Three claims, checked on scikit-learn’s small digits: one supported, one not supported" in html


def test_the_first_article_is_not_mentioned(html: str) -> None:
    for word in ("Example 1", "tanh network", "cross-entropy’s lead", "trial", "MNIST’s numbers"):
        assert word not in html
    assert "Recorded on" not in html


def test_unclassified_sentences_are_counted(html: str) -> None:
    assert "Of its 4 sentences, 3 state something that could be checked. One nobody has looked at yet." in said(
        html, "article"
    )


def test_its_verdicts_are_written_as_data(built: Path) -> None:
    written = json.loads((built / "site" / "data" / "claims.json").read_text())
    told = {row["claim"]["id"]: row["verdict"] for row in written["claims"]}
    assert told == {"wider-is-better": "supported", "takes-longer": "not supported", "everybody": "not testable here"}


def test_its_page_contains_every_measure_that_its_claims_need(built: Path) -> None:
    told = command("report", "verify", *STUDY, *TEXTS, str(built / "site" / "index.html"))
    assert told.startswith("Identical: ")


def test_the_terminal_lists_its_verdicts(built: Path) -> None:
    told = command("report", "claims", *STUDY, *TEXTS, "--results", str(built / "results"))
    assert "Would become partly supported if the wide layer’s lead fell to +0.25 points" in " ".join(told.split())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "a wider hidden layer",
            "a hidden layer",
            "claims.toml:6: claim 'wider-is-better': the article nowhere says 'a hidden layer is",
        ),
        ("arm wide test", "arm wild test", "wild"),
        ('question = "Does everybody agree?"\n', "", "claim 'everybody'.question is missing"),
    ],
)
def test_a_mistake_in_the_claims_stops_the_build_and_names_its_place(
    built: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (SECOND / "claims.toml").read_text()
    assert old in text
    path = tmp_path / "claims.toml"
    path.write_text(text.replace(old, new, 1))
    options = (
        *STUDY,
        *TEXTS[:2],
        "--claims",
        str(path),
        "--results",
        str(built / "results"),
        "--site",
        str(tmp_path / "site"),
    )
    said = command("report", "render", *options, status=2)
    assert said.startswith("error: ")
    assert message in said
    assert not (tmp_path / "site" / "index.html").exists()
