"""The rules of the verdicts can be read: quotes are the article's own, evidence names what the study has."""

from __future__ import annotations

import ast
import re
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest

from experiments import plots, study
from experiments.errors import UserError
from report import article, claims, page

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


# ---------------------------------------------------------------------------------------------- judging

RESULTS = {
    "arms": {
        "one": {"accuracy": {"mean": 0.97}, "list": [1.5, None], "nothing": None},
        "two-0.3": {"accuracy": {"mean": 0.98}},
    },
    "contrasts": [{"name": "recipe", "interval": [0.004, 0.012], "equivalent": True}],
}


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("arm one accuracy mean", 0.97),
        ("arm two-0.3 accuracy mean - arm one accuracy mean", 0.01),
        ("arm one accuracy mean / arm two-0.3 accuracy mean", 0.97 / 0.98),
        ("largest one|two-* accuracy mean", 0.98),
        ("smallest one|two-* accuracy mean", 0.97),
        ("contrast recipe interval 0", 0.004),
        ("contrast recipe interval -1", 0.012),
        ("contrast recipe equivalent", 1),
        ("arm one list 1", None),
        ("arm one list 5", None),
        ("arm one nothing at all", None),
        ("arm three accuracy mean", None),
        ("largest three|one missing", None),
        ("arm one list 0 / arm one nothing", None),
    ],
)
def test_evidence_is_read_off_the_results_and_none_where_it_is_not_measured(
    expression: str, expected: float | None
) -> None:
    found = claims.evidence(expression, RESULTS)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("a > 0.5 and b < 2", True), ("a > 0.5 and not b < 2", False), ("abs(-a) <= b / 2 + 0.5", True),
     ("a > 9 or b == 1", True), ("max(a, b, 0) - min(a, b) > 0.3", False)],
)  # fmt: skip
def test_a_rule_says_of_its_numbers_what_is_worked_out_by_hand(rule: str, expected: bool) -> None:
    assert claims.evaluate(rule, {"a": 0.75, "b": 1.0}) is expected


@pytest.mark.parametrize(
    "rule",
    ["__import__('os')", "a.real", "(lambda: 1)()", "a ** 9999999", "[a][0]", "'text'", "a if a else b", "open(a)"],
)
def test_a_rule_can_say_nothing_else(rule: str) -> None:
    with pytest.raises(ValueError, match="a rule may not say"):
        claims.evaluate(rule, {"a": 1.0, "b": 1.0})


def ledger(tmp_path: Path, supported: str = "gap > 0.0025", partly: str = "gap > 0") -> tuple[claims.Claim, ...]:
    path = tmp_path / "claims.toml"
    path.write_text(
        f'[[claims]]\nid = "c"\nquote = "q"\nquestion = "?"\nsupported = "{supported}"\npartly = "{partly}"\n'
        '[claims.evidence]\ngap = "arm two-0.3 accuracy mean - arm one accuracy mean"\n'
    )
    return claims.load(path)


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.95, "supported"), (0.979, "partly supported"), (0.99, "not supported"), (None, "not measured")],
)
def test_the_verdict_turns_with_the_numbers(tmp_path: Path, mean: float | None, verdict: str) -> None:
    changed = {**RESULTS, "arms": {**RESULTS["arms"], "one": {"accuracy": {"mean": mean}}}}
    (judged,) = claims.judge(ledger(tmp_path), changed)
    assert judged.verdict == verdict


@pytest.mark.parametrize(
    ("supported", "told"),
    [("gap >", "invalid syntax"), ("lap > 0", "'lap'"), ("gap > open", "'open'"), ("gap.x > 0", "may not say 'gap.x'")],
)
def test_a_rule_that_cannot_be_read_is_named_with_its_claim(tmp_path: Path, supported: str, told: str) -> None:
    with pytest.raises(UserError, match=r"claims\.toml:1: claim 'c': ") as error:
        ledger(tmp_path, supported)
    assert told in str(error.value)


def test_the_ledger_stands_on_the_page_with_what_decided_each_claim(results: dict) -> None:
    verdicts = claims.judge(claims.load(), results)
    drawn = {figure.name: figure for figure in plots.draw(results)}
    html = page.render(results, drawn, article.load(), page.settings(), verdicts)
    assert html.count('<li id="claim-') == 21
    assert "“My experience working on various image recognition projects … has consistently" in html
    assert "<code>gain</code> = 0: <code>arm example-2 test_accuracy mean - arm example-1" in html
