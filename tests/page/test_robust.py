"""What the page says of how robust a verdict is: in a line beside it, and on the strip."""

from __future__ import annotations

import re
from html import unescape
from types import SimpleNamespace
from typing import Any

import pytest

from experiments.plots import formats
from report.claims import load as ledgers
from report.claims.model import Question, Robustness
from report.page import render, robust
from tests import fixture

LEDGER = ledgers.load(fixture.LEDGER)
CLAIM, PREDICTION = LEDGER.claims[0].parts["stated"], LEDGER.predictions[0].question
SURE: Robustness = {
    "seeds": 1.0,
    "images": 1.0,
    "half": "supported",
    "twice": "supported",
    "alone": {},
    "endpoints": {"epoch 8": "supported"},
    "fashion": None,
    "close": False,
}


def text_of(template: str, **context: Any) -> str:
    """The text of a template, with plain blanks."""
    html = render._environment(render.TEMPLATES).get_template(template).render(context)
    return " ".join(unescape(re.sub("<[^>]+>", "", html)).split())


def line(question: Question = CLAIM, **changed: Any) -> str:
    """The text beside the verdict "supported"."""
    row = robust.robust_row(question, "supported", {**SURE, **changed}, LEDGER)
    return text_of("robustness.html", part=SimpleNamespace(robust=row))


@pytest.mark.parametrize(
    ("share", "text"),
    [(1.0, ">\u202f99"), (0.996, ">\u202f99"), (0.994, "99"), (0.97, "97"), (0.006, "1"), (0.0, "<\u202f1")],
)
def test_an_estimate_is_never_given_as_certain(share: float, text: str) -> None:
    assert formats.estimate(share) == text


def test_a_share_of_repetitions_is_called_an_estimate() -> None:
    estimated = (
        "An estimated 97 % of repetitions with other seeds would give this verdict, 95 % with other test images too."
    )
    assert line(seeds=0.97, images=0.95).startswith(estimated)
    assert line().startswith("An estimated > 99 % of repetitions")
    assert "this verdict, and as many with other test images too." in line()
    assert "images" not in line(images=None)


def test_where_nothing_is_redrawn_nothing_is_said_of_repetitions() -> None:
    assert line(seeds=None, images=None) == "The same in every other view."


def test_a_claim_names_the_views_that_differ_and_a_prediction_names_all_as_the_strip_lacks_it() -> None:
    text = line(twice="cannot be met", fashion="cannot be decided")
    assert "Elsewhere: cannot be met with twice the thresholds, cannot be decided on Fashion-MNIST." in text
    assert text.endswith("The same in every other view.")
    assert "The same: with half the thresholds, with twice the thresholds, after epoch 8." in line(PREDICTION)


def part(verdict: str, **changed: Any) -> Any:
    row = robust.robust_row(CLAIM, verdict, {**SURE, **changed}, LEDGER)
    return SimpleNamespace(verdict=verdict, is_asked=True, hollow=False, robust=row)


def strip(*parts: Any) -> robust.Strip:
    claim = SimpleNamespace(id="a", quote=("words",))
    return robust.strip([SimpleNamespace(parts=parts, claim=claim, number=1)])  # type: ignore[list-item]


def test_the_strip_frames_single_shares_below_ninety_and_knows_what_its_legend_needs() -> None:
    found = strip(part("supported", seeds=0.9, images=0.89), part("supported", seeds=None, images=None))
    assert found.columns == ("as measured", "seeds", "seeds, images", "half", "twice", "epoch 8")
    shares = [cell for cell in found.rows[0].cells if cell.is_share]
    assert [(cell.share, cell.close) for cell in shares] == [(0.9, False), (0.89, True)]
    assert (found.has_shares, found.has_views, found.has_undecided) == (True, True, False)
    undecided = strip(part("supported", seeds=None, images=None, twice="cannot be met"), part("supported"))
    assert undecided.has_undecided
    assert not strip(part("supported", seeds=None, images=None), part("supported", seeds=None, images=None)).has_shares


def test_the_legend_of_the_strip_says_what_its_numbers_and_rings_are_where_it_has_some() -> None:
    def shown(**changed: Any) -> str:
        both = strip(part("supported", **changed), part("supported", **changed))
        return text_of("strip.html", page=SimpleNamespace(has_hollow=False, strip=both))

    plain, full = shown(seeds=None, images=None), shown(fashion="cannot be decided")
    for words in ("A number is an estimate: of simulated repetitions", "A dash: too few seeds"):
        assert (plain.count(words), full.count(words)) == (0, 1)
    assert ">99" in full
