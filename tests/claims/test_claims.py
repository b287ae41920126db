"""The ledger can be trusted: rules say what they seem to, errors are told, and margins are where verdicts turn."""

from __future__ import annotations

import ast
import math
import tomllib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from experiments.files.errors import UserError
from experiments.plots import formats
from experiments.study.model import Study
from report import __main__ as command
from report.article import document
from report.claims import load as ledgers
from report.claims import margins, rules
from report.claims.model import NOT, PARTLY, SUPPORTED, Claim, Evidence, Flip, Verdict
from report.claims.verdicts import judge, seeds_agreeing
from report.page import render, site
from tests import fixture

ROOT = Path(__file__).parents[2]
LEDGER = tomllib.loads((ROOT / "report" / "mse_tanh" / "claims.toml").read_text())
CLAIMS = {claim["id"]: claim for claim in LEDGER["claims"]}
TESTED = {name: claim for name, claim in CLAIMS.items() if "not_testable" not in claim}


def test_claims_have_unique_ids_and_the_date_of_the_contrasts(plan: Study) -> None:
    assert len(LEDGER["claims"]) == len(CLAIMS) == len(ledgers.load(fixture.LEDGER))
    assert LEDGER["declared"].isoformat() == plan.declared


@pytest.mark.parametrize("name", CLAIMS)
def test_every_quote_is_in_the_article_word_for_word(name: str) -> None:
    quote = CLAIMS[name]["quote"]
    text = " ".join(fixture.ARTICLE.read_text().split())
    places = [text.find(fragment) for fragment in ([quote] if isinstance(quote, str) else quote)]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", TESTED)
def test_every_rule_uses_its_evidence_and_nothing_else(name: str) -> None:
    claim = TESTED[name]
    texts = [claim["supported"], claim.get("partly", "0")]
    names = {node.id for text in texts for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}
    assert names - {"abs"} == set(claim["evidence"])


def test_all_evidence_names_arms_and_contrasts_in_the_study(plan: Study) -> None:
    ledgers.check(ledgers.load(fixture.LEDGER), plan, fixture.LEDGER)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("arm example-4 test_accuracy mean", "the arm 'example-4'"),
        ("arm example-* test_accuracy mean", "the arm 'example-*'"),
        ("arm example-1 n / contrast recip n", "the contrast 'recip'"),
        ("largest example-1|rat-* test_accuracy mean", "the arm 'rat-*'"),
    ],
)
def test_evidence_missing_from_the_study_is_an_error_that_names_the_claim(
    tmp_path: Path, plan: Study, number: str, message: str
) -> None:
    given = ledger(tmp_path, number=number)
    with pytest.raises(UserError, match=r"claims\.toml:10: claim 'c'\.evidence\.gap names ") as error:
        ledgers.check(given, plan, tmp_path / "claims.toml")
    assert message in str(error.value)
    assert "study.toml does not have. Fix the name" in str(error.value)


# ---------------------------------------------------------------------------------------------- judging

RESULTS = {
    "arms": {
        "one": {"accuracy": {"mean": 0.97}, "list": [1.5, None], "nothing": None, "zero": 0},
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
        ("arm one list 0 / arm one zero", None),
    ],
)
def test_evidence_comes_from_the_results_and_is_none_if_not_measured(expression: str, expected: float | None) -> None:
    found = rules.number_at(expression, RESULTS)
    assert found == (None if expected is None else pytest.approx(expected))


@pytest.mark.parametrize(
    ("rule", "expected"),
    [("a > 0.5 and b < 2", True), ("a > 0.5 and not b < 2", False), ("abs(-a) <= b / 2 + 0.5", True),
     ("a > 9 or b == 1", True), ("max(a, b, 0) - min(a, b) > 0.3", False)],
)  # fmt: skip
def test_rules_evaluate_to_hand_computed_outcomes(rule: str, expected: bool) -> None:
    assert rules.evaluate(rule, {"a": 0.75, "b": 1.0}) is expected


@pytest.mark.parametrize(
    "rule",
    ["__import__('os')", "a.real", "(lambda: 1)()", "a ** 9999999", "[a][0]", "'text'", "a if a else b", "open(a)"],
)
def test_anything_else_in_a_rule_is_refused(rule: str) -> None:
    with pytest.raises(ValueError, match="a rule may not say"):
        rules.evaluate(rule, {"a": 1.0, "b": 1.0})


GAP = "arm two-0.3 accuracy mean - arm one accuracy mean"


def ledger(
    tmp_path: Path, supported: str = "gap > 0.0025", partly: str = "gap > 0", number: str = GAP, more: str = ""
) -> tuple[Claim, ...]:
    path = tmp_path / "claims.toml"
    path.write_text(
        f'# one claim\n[[claims]]\nid = "c"\nquote = "q"\nquestion = "?"\nsupported = "{supported}"\n'
        f'partly = "{partly}"\n{more}\n[claims.evidence]\n'
        f'gap = {{ path = "{number}", label = "the gap", unit = "points" }}\n'
    )
    return ledgers.load(path)


def test_a_claim_records_its_line_its_figures_and_that_its_rule_was_added_later(tmp_path: Path) -> None:
    (claim,) = ledger(tmp_path, more='figures = ["changes", "rates"]\nafter_runs = true')
    assert (claim.line, claim.figures, claim.after_runs) == (2, ("changes", "rates"), True)
    assert claim.evidence["gap"] == Evidence(GAP, "the gap", "points")
    (plain,) = ledger(tmp_path)
    assert (plain.figures, plain.after_runs) == ((), False)


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.95, "supported"), (0.979, "partly supported"), (0.99, "not supported"), (None, "not measured")],
)
def test_the_verdict_follows_the_numbers(tmp_path: Path, mean: float | None, verdict: str) -> None:
    changed = {**RESULTS, "arms": {**RESULTS["arms"], "one": {"accuracy": {"mean": mean}}}}
    (judged,) = judge(ledger(tmp_path), changed)
    assert judged.verdict == verdict


@pytest.mark.parametrize(
    ("supported", "message"),
    [
        ("gap >", "invalid syntax"),
        ("lap > 0", "it names 'lap', which is not among its evidence"),
        ("gap > open", "it names 'open', which is not among its evidence"),
        ("gap.x > 0", "may not say 'gap.x'"),
        ("1 / gap > 0", "may not divide by evidence"),
        ("gap / gap > 0", "may not divide by evidence"),
        ("gap * gap > 0", "may not multiply a number by itself"),
        ("gap > 1 / 0", "division by zero"),
        ("1 > 0", "it says the same whatever is measured"),
        ("True", "it says the same whatever is measured"),
        ("", "Expected a comparison of its evidence. Fix this line."),
    ],
)
def test_an_unreadable_rule_is_an_error_that_names_the_claim_and_the_line(
    tmp_path: Path, supported: str, message: str
) -> None:
    with pytest.raises(UserError, match=r"claims\.toml:6: claim 'c'\.supported is ") as error:
        ledger(tmp_path, supported)
    assert f'"{supported}"' in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("figure = []", "unknown key 'figure'"),
        ('figures = "changes"', '.figures is "changes". Expected a list of texts.'),
        ('figures = ["changes", ""]', '.figures is ["changes", ""]. Expected a list of texts.'),
        ("after_runs = 1", ".after_runs is 1. Expected true or false."),
        ("partly = 0", ".partly is 0. Expected a comparison of its evidence."),
        ("evidence = 1", ".evidence is 1. Expected a table [claims.evidence]."),
        ('evidence.a = "arm one n"', '.evidence.a is "arm one n". Expected { path = "…", '),
        ('evidence.a = { path = "arm one n", unit = "p" }', ".evidence.a.label is missing. Expected words"),
        ('evidence.a = { label = "it", unit = "p" }', ".evidence.a.path is missing. Expected where it is"),
        (
            'evidence.a = { path = "arm one n", label = "it", unit = "p", so = 1 }',
            "unknown key 'so'. Known here: path, label, unit.",
        ),
        (
            'evidence.a = { path = "arm one n", label = "it", unit = "miles" }',
            '.a.unit is "miles". Expected one of points,',
        ),
        (
            'evidence.a = { path = "arm one", label = "it", unit = "p" }',
            "\"arm one\". Expected 'arm NAME KEY …' or its like",
        ),
        ('evidence.a = { path = "every one n", label = "it", unit = "p" }', "its like in place of 'every one n'"),
        (
            f'evidence.a = {{ path = "{GAP} / arm one n", label = "it", unit = "p" }}',
            "Expected one number of the res",
        ),
    ],
)
def test_an_invalid_key_or_value_is_an_error_with_its_line(tmp_path: Path, more: str, message: str) -> None:
    path = tmp_path / "claims.toml"
    evidence = "" if "evidence" in more else 'evidence.a = { path = "arm one n", label = "it", unit = "number" }\n'
    path.write_text(f'[[claims]]\nid = "c"\nquote = "q"\nquestion = "?"\nsupported = "a > 0"\n{more}\n{evidence}')
    with pytest.raises(UserError, match=r"claims\.toml:6: (unknown key|claim 'c'\.)") as error:
        ledgers.load(path)
    assert message in str(error.value)


def test_a_claim_without_evidence_is_an_error_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text('\n[[claims]]\nid = "c"\nquote = "q"\nquestion = "?"\nsupported = "a > 0"\n')
    with pytest.raises(UserError, match=r"claims\.toml:2: claim 'c'\.evidence is missing\. Expected a table"):
        ledgers.load(path)


# ---------------------------------------------------------------------------------------------- telling


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (0.0089, "points", "+0.89 points"),
        (-0.0089, "points", "−0.89 points"),
        (-0.00001, "points", "0.00 points"),
        (0.9714, "percent", "97.1 %"),
        (0.00012, "percent", "0.012 %"),
        (0.000000123, "percent", "0.0000123 %"),
        (0.0123, "times", "0.0123 ×"),
        (43210.0, "times", "43200 ×"),
        (-4.3641, "number", "−4.36"),
        (0.00195, "p", "0.002"),
        (0.0009, "p", "< 0.001"),
        (1.0, "yes", "yes"),
        (0.0, "yes", "no"),
        (None, "points", "not measured"),
    ],
)
def test_numbers_are_written_with_their_units(value: float | None, unit: str, expected: str) -> None:
    assert formats.in_unit(value, unit).replace(formats.NARROW, " ") == expected


def claim(supported: str, partly: str = "", **units: str) -> Claim:
    """A claim on evidence of these units, by name; each is told as 'the NAME'."""
    given = {name: Evidence("arm x n", f"the {name}", unit) for name, unit in units.items()}
    return Claim("c", ("q",), "?", given, supported, partly, "")


def margin(about: Claim, **values: float | None) -> str:
    """The sentence, with common spaces."""
    verdict = rules.verdict_of(about, values)
    judged = Verdict(about, verdict, values, tuple(margins.flips(about, values)), {})
    return margins.margin(judged).replace(formats.NARROW, " ")


def test_the_margin_describes_the_nearest_flip_in_a_sentence() -> None:
    lead = claim("lead > 0.0025", lead="points")
    assert (
        margin(lead, lead=0.0061) == "Would become not supported if the lead fell to +0.25 points; it is +0.61 points."
    )
    assert (
        margin(lead, lead=0.0011) == "Would become supported if the lead rose above +0.25 points; it is +0.11 points."
    )
    share = claim("share <= 0.5", share="percent")
    assert margin(share, share=0.4) == "Would become not supported if the share rose above 50 %; it is 40 %."
    assert margin(share, share=0.7) == "Would become supported if the share fell to 50 %; it is 70 %."
    at_least = claim("share >= 0.5", share="percent")
    assert margin(at_least, share=0.7) == "Would become not supported if the share fell below 50 %; it is 70 %."
    alike = claim("alike == 0", alike="yes")
    assert margin(alike, alike=1.0) == "Would become supported if the alike were no; it is yes."


def test_a_margin_too_small_for_the_usual_digits_gets_more_digits() -> None:
    told = margin(claim("lead > 0.0025", lead="points"), lead=0.002514)
    assert told == "Would become not supported if the lead fell to +0.250 points; it is +0.251 points."


def test_a_verdict_that_no_single_number_can_change_says_so_and_an_open_one_has_no_margin() -> None:
    both = claim("a > 1 and b > 1", a="number", b="number")
    assert margin(both, a=0.0, b=0.0) == "No single number could change it: several would have to move at once."
    assert margin(both, a=0.0, b=None) == ""
    assert margin(replace(both, not_testable="why"), a=0.0, b=0.0) == ""


# ---------------------------------------------------------------------------------------------- flips

YES, PARTLY, NO = SUPPORTED, PARTLY, NOT


@pytest.mark.parametrize(
    ("supported", "partly", "values", "expected"),
    [
        ("x > 2", "", {"x": 3}, [("x", 2, False, NO)]),
        ("x > 2", "", {"x": 1}, [("x", 2, True, YES)]),
        ("x > 2", "", {"x": 2}, [("x", 2, True, YES)]),  # not yet above it
        ("x > 2", "x > 1", {"x": 3}, [("x", 2, False, PARTLY)]),  # not the further one
        ("x > 2", "x > 1", {"x": 1.75}, [("x", 2, True, YES), ("x", 1, False, NO)]),
        ("x <= y / 2", "", {"x": 3, "y": 4}, [("x", 2, False, YES), ("y", 6, True, YES)]),
        ("2 * x - y + 1 > 0", "", {"x": 1, "y": 1}, [("x", 0, False, NO), ("y", 3, True, NO)]),
        ("abs(x - 1) < 0.05", "", {"x": 1}, [("x", 0.95, False, NO), ("x", 1.05, True, NO)]),
        ("abs(x - 1) < 0.05", "", {"x": 2}, [("x", 1.05, False, YES)]),
        ("abs(x - 1) < 0.05", "", {"x": -2}, [("x", 0.95, True, YES)]),
        ("max(x, y) > 5", "", {"x": 6, "y": 1}, [("x", 5, False, NO)]),
        ("min(x, y) > 5", "", {"x": 6, "y": 1}, [("y", 5, True, YES)]),
        ("abs(abs(x) - 3) < 1", "", {"x": 3}, [("x", 2, False, NO), ("x", 4, True, NO)]),
        ("abs(abs(x) - 3) < 1", "", {"x": 1}, [("x", 2, True, YES), ("x", -2, False, YES)]),
        ("x > 1 and y > 1", "", {"x": 0, "y": 0}, []),
        ("x > 1 and y > 1", "", {"x": 2, "y": 0}, [("y", 1, True, YES)]),
        ("x > 1 or y > 1", "", {"x": 2, "y": 2}, []),
        ("x > 1 and not y > 1", "", {"x": 2, "y": 0}, [("x", 1, False, NO), ("y", 1, True, NO)]),
        ("x > 1 and y > 1", "x > 1 or y > 1", {"x": 4, "y": 2}, [("y", 1, False, PARTLY), ("x", 1, False, PARTLY)]),
        ("x * y > 6", "", {"x": 3, "y": 4}, [("x", 1.5, False, NO), ("y", 2, False, NO)]),
        ("(x > 1) + (y > 1) == 1", "", {"x": 0, "y": 4}, [("x", 1, True, NO), ("y", 1, False, NO)]),
        ("x + abs(x)", "", {"x": 2}, [("x", 0, False, NO)]),
    ],
)
def test_flips_are_at_hand_computed_values(
    supported: str, partly: str, values: dict[str, float], expected: list[tuple[str, float, bool, str]]
) -> None:
    found = margins.flips(claim(supported, partly, **dict.fromkeys(values, "number")), values)
    assert [(flip.name, flip.limit, flip.rises, flip.verdict) for flip in found] == expected
    assert [flip.value for flip in found] == [values[flip.name] for flip in found]


def test_a_yes_can_only_become_a_no() -> None:
    about = claim("alike == 0 and gap > 1", "alike < 0.5", alike="yes", gap="number")
    values = {"alike": 1.0, "gap": 2.0}
    assert margins.flips(about, values) == [Flip("alike", 1.0, 0.0, False, YES)]
    assert margins.flips(about, {**values, "alike": 0.0})[1] == Flip("alike", 0.0, 1.0, True, NO)
    assert margins.flips(claim("alike == 0 or gap > 1", alike="yes", gap="number"), {**values, "alike": 0.0}) == []


def test_an_undecided_claim_has_no_flips() -> None:
    late = claim("x > 1", "y > 1", x="number", y="number")
    assert margins.flips(late, {"x": 2, "y": None}) == []  # below 1 the verdict would hang on y
    assert margins.flips(replace(late, not_testable="why"), {"x": 2, "y": 2}) == []


quarters = some.integers(-20, 20).map(lambda number: number / 4)  # few and exact, so that ties and touches happen
expressions = some.recursive(
    some.sampled_from(["x", "y"]) | quarters.map(str),
    lambda inner: some.one_of(
        some.tuples(inner, some.sampled_from("+-"), inner).map(lambda t: f"({t[0]} {t[1]} {t[2]})"),
        some.tuples(quarters, some.sampled_from("*"), inner).map(lambda t: f"({t[0]} * {t[2]})"),
        inner.map(lambda text: f"abs({text})"),
        some.tuples(some.sampled_from(["min", "max"]), inner, inner).map(lambda t: f"{t[0]}({t[1]}, {t[2]})"),
    ),
    max_leaves=6,
)
comparisons = some.tuples(expressions, some.sampled_from(["<", "<=", ">", ">="]), expressions).map(" ".join)
any_rule = some.recursive(
    comparisons,
    lambda inner: some.one_of(
        some.tuples(inner, some.sampled_from([" and ", " or "]), inner).map(lambda t: f"({''.join(t)})"),
        inner.map(lambda text: f"(not {text})"),
    ),
    max_leaves=4,
)


def dyadic(number: float) -> float:
    """A number nearby that floats reckon with exactly, and on which no comparison of such rules turns."""
    return (2 * math.floor(number * 2**19) + 1) / 2**20


@settings(max_examples=200, deadline=None, derandomize=True)
@given(any_rule, any_rule, quarters, quarters)
def test_the_verdict_changes_as_announced_just_past_a_flip_and_not_before_it(
    supported: str, partly: str, x: float, y: float
) -> None:
    about, values = claim(supported, partly, x="number", y="number"), {"x": x, "y": y}
    present = rules.verdict_of(about, values)
    found = {(flip.name, 1 if flip.rises else -1): flip for flip in margins.flips(about, values)}
    for name, sign in ((name, sign) for name in values for sign in (-1, 1)):
        flip, start = found.get((name, sign)), values[name]
        steps = [abs(flip.limit - start) * part / 23 for part in range(1, 23)] if flip else [1e-5, 0.1, 1.3, 7.7, 1e4]
        points = [dyadic(start + sign * step) for step in steps]
        between = [point for point in points if not flip or start < point < flip.limit or start > point > flip.limit]
        assert {rules.verdict_of(about, {**values, name: point}) for point in between} <= {present}
        if flip:
            beyond = dyadic(flip.limit + sign * 1e-5)
            assert rules.verdict_of(about, {**values, name: beyond}) == flip.verdict != present


# ---------------------------------------------------------------------------------------------- seeds

SCORES = {
    "a": {1: 0.98, 2: 0.95, 3: 0.96},
    "b": {1: 0.96, 2: 0.96, 3: 0.96, 4: 0.1},
    "c": {9: 0.5},
    "d": {1: 0.9603, 2: 0.9599, 3: 0.9598},
}
SEEDS = {
    "arms": {
        arm: {"test_accuracy": {"mean": mean}} for arm, mean in {"a": 0.97, "b": 0.96, "c": 0.5, "d": 0.96}.items()
    },
    "runs": [{"arm": arm, "seed": s, "test_accuracy": x} for arm, scores in SCORES.items() for s, x in scores.items()],
    "contrasts": [{"name": "yes", "n": 10, "seeds_agreeing": 9, "mean": 0.1}, {"name": "no", "n": 0}],
}


@pytest.mark.parametrize(
    ("number", "expected"),
    [
        ("contrast yes mean", (9, 10)),
        ("contrast no mean", None),
        ("contrast other mean", None),
        ("arm a test_accuracy mean - arm b test_accuracy mean", (1, 3)),  # one up, one down, one tie; up on the whole
        ("arm b test_accuracy mean - arm a test_accuracy mean", (1, 3)),
        ("smallest a|b test_accuracy mean - largest a|b|c test_accuracy mean", (1, 3)),
        ("arm d test_accuracy mean - arm b test_accuracy mean", None),  # no mean difference but for rounding
        ("arm a test_accuracy mean - arm c test_accuracy mean", None),
        ("arm a test_accuracy mean - arm gone test_accuracy mean", None),
        ("arm a test_accuracy mean / arm b test_accuracy mean", None),
        ("arm a test_accuracy min - arm b test_accuracy mean", None),
        ("arm a test_accuracy mean", None),
    ],
)
def test_seeds_with_the_sign_of_the_mean_are_counted(number: str, expected: tuple[int, int] | None) -> None:
    assert seeds_agreeing(Evidence(number, "it", "points"), SEEDS) == expected


def test_seeds_agree_on_held_out_images_as_they_do_on_test_images() -> None:
    held_out = {
        **SEEDS,
        "arms": {name: {"held_out_accuracy": arm["test_accuracy"]} for name, arm in SEEDS["arms"].items()},
        "runs": [{**r, "test_accuracy": None, "held_out_accuracy": r["test_accuracy"]} for r in SEEDS["runs"]],
    }
    one = Evidence("arm a held_out_accuracy mean - arm b held_out_accuracy mean", "it", "points")
    assert seeds_agreeing(one, held_out) == (1, 3)


@pytest.mark.parametrize("number", ["arm rate-example-1-cosine {} mean", "largest example-1|rate-* {} max"])
def test_asking_for_the_test_accuracy_of_a_held_out_arm_is_refused(plan: Study, number: str) -> None:
    (claim, *_) = ledgers.load(fixture.LEDGER)
    asked = replace(claim, evidence={"x": Evidence(number.format("test_accuracy"), "it", "percent")})
    with pytest.raises(
        UserError, match=r"evidence\.x names the test_accuracy of 'rate-example-1-.*Use held_out_accuracy"
    ):
        ledgers.check([asked], plan, fixture.LEDGER)


def test_held_out_accuracy_may_be_evidence(plan: Study) -> None:
    (claim, *_) = ledgers.load(fixture.LEDGER)
    one = Evidence("largest rate-example-1-* held_out_accuracy mean", "it", "percent")
    ledgers.check([replace(claim, evidence={"x": one})], plan, fixture.LEDGER)
    assert rules.number_at(one.path, {"contrasts": [], "arms": {
        "rate-example-1-cosine": {"test_accuracy": None, "held_out_accuracy": {"mean": 0.97}}
    }}) == 0.97  # fmt: skip


@pytest.mark.parametrize("unit", ["p", "percent", "yes"])
def test_evidence_that_is_not_a_difference_has_no_sign_to_agree_on(unit: str) -> None:
    assert seeds_agreeing(Evidence("contrast yes mean", "it", unit), SEEDS) is None


# ---------------------------------------------------------------------------------------------- the whole ledger


def test_the_command_prints_verdicts_numbers_and_margins_within_100_columns(
    results: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "read_results", lambda *_: (results, {}))
    command.print_claims(command.parse(["claims"]))
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 100
    assert "\nnot supported     slightly-improved\n" in told
    assert "\n  what the map adds to the accuracy: 0.00 points\n" in told
    assert "\n  Would become supported if what the map adds to the accuracy rose above 0.00 points;" in told
    assert "\n  No experiment on MNIST can test" in told
    assert told.splitlines()[-1].startswith(f"{len(CLAIMS)} claims: ")


def test_the_page_has_the_ledger_with_the_evidence_for_each_verdict(results: dict) -> None:
    verdicts = judge(ledgers.load(fixture.LEDGER), results)
    drawn = {figure.name: figure for figure in fixture.draw(results)}
    html = render.render(
        results, drawn, document.load(fixture.ARTICLE), render.load_prose(fixture.PROSE), verdicts, LEDGER["unchecked"]
    )
    assert html.count('<tr id="claim-') == len(CLAIMS)
    assert "“My experience working on various image recognition projects … has consistently" in html
    assert "What the map adds to the accuracy: <strong>0.00 points</strong>" in html
    assert "<code>gain</code> = <code>arm example-2 test_accuracy mean - arm example-1" in html
