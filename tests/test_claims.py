"""The rules of the verdicts can be read: quotes are the article's own, evidence names what the study has."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from experiments import study
from report import article

ROOT = Path(__file__).parent.parent
LEDGER = tomllib.loads((ROOT / "report" / "claims.toml").read_text())
CLAIMS = {claim["id"]: claim for claim in LEDGER["claims"]}
TESTED = {name: claim for name, claim in CLAIMS.items() if "not_testable" not in claim}


def test_the_twenty_one_claims_have_ids_of_their_own_and_the_day_of_the_contrasts(plan: study.Study) -> None:
    assert (len(LEDGER["claims"]), len(CLAIMS)) == (21, 21)
    assert LEDGER["declared"].isoformat() == plan.declared


@pytest.mark.parametrize("name", CLAIMS)
def test_every_quote_stands_in_the_article_word_for_word(name: str) -> None:
    quote = CLAIMS[name]["quote"]
    text = " ".join(article.ARTICLE.read_text().split())
    places = [text.find(fragment) for fragment in ([quote] if isinstance(quote, str) else quote)]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", TESTED)
def test_every_rule_uses_its_evidence_and_nothing_else(name: str) -> None:
    claim = TESTED[name]
    rules = [claim["supported"], claim.get("partly", "0")]
    names = {node.id for rule in rules for node in ast.walk(ast.parse(rule, mode="eval")) if isinstance(node, ast.Name)}
    assert names - {"abs"} == set(claim["evidence"])


@pytest.mark.parametrize("name", TESTED)
def test_every_piece_of_evidence_names_arms_and_contrasts_of_the_study(plan: study.Study, name: str) -> None:
    arms, contrasts = {arm.name for arm in plan.arms}, {contrast.name for contrast in plan.contrasts}
    for expression in TESTED[name]["evidence"].values():
        for operand in re.split(r" [-/] ", expression):
            kind, what, *keys = operand.split()
            assert keys
            if kind == "contrast":
                assert what in contrasts
            elif kind == "arm":
                assert what in arms
            else:
                assert kind in ("largest", "smallest")
                assert all(any(fnmatch(arm, pattern) for arm in arms) for pattern in what.split("|"))
