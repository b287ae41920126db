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
from experiments.study.model import DatasetRuns, Study
from report import __main__ as command
from report.claims import load as ledgers
from report.claims import margins, rules, words
from report.claims.model import (
    CANNOT_TELL,
    HOLDS,
    NO_QUESTION,
    NOT,
    NOT_MEASURED,
    NOT_TESTABLE,
    PARTLY,
    REFUTED,
    SUPPORTED,
    Evidence,
    Flip,
    Ledger,
    Question,
    Threshold,
    Verdict,
)
from report.claims.verdicts import judge, judge_predictions, seeds_agreeing
from report.page import site
from tests import fixture

ROOT = Path(__file__).parents[2]
LEDGER = tomllib.loads((ROOT / "report" / "mse_tanh" / "claims.toml").read_text())
CLAIMS = {claim["id"]: claim for claim in LEDGER["claims"]}
TESTED = {
    f"{name}, {part}": claim[part]
    for name, claim in CLAIMS.items()
    for part in ("stated", "general")
    if "supported" in claim[part]
}


def test_claims_have_unique_ids_and_the_date_of_the_contrasts(plan: Study) -> None:
    assert len(LEDGER["claims"]) == len(CLAIMS) == len(ledgers.load(fixture.LEDGER).claims)
    assert ledgers.load(fixture.LEDGER).declared == plan.declared


@pytest.mark.parametrize("name", CLAIMS)
def test_every_quote_is_in_the_article_word_for_word(name: str) -> None:
    quote = CLAIMS[name]["quote"]
    text = " ".join(fixture.ARTICLE.read_text().split())
    places = [text.find(fragment) for fragment in ([quote] if isinstance(quote, str) else quote)]
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", TESTED)
def test_every_rule_uses_all_of_its_evidence(name: str) -> None:
    question = TESTED[name]
    texts = [question["supported"], question.get("partly", "0")]
    named = {node.id for text in texts for node in ast.walk(ast.parse(text, mode="eval")) if isinstance(node, ast.Name)}
    assert set(question["evidence"]) <= named


def test_all_evidence_names_arms_and_contrasts_in_the_study(plan: Study) -> None:
    ledgers.check(ledgers.load(fixture.LEDGER), plan, fixture.LEDGER)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("arm example-4 test_accuracy mean", "the arm 'example-4'"),
        ("arm example-* test_accuracy mean", "the arm 'example-*'"),
        ("arm example-1 plateau / contrast recip n", "the contrast 'recip'"),
        ("largest example-1|rat-* test_accuracy mean", "the arm 'rat-*'"),
    ],
)
def test_evidence_missing_from_the_study_is_an_error_that_names_the_claim(
    tmp_path: Path, plan: Study, number: str, message: str
) -> None:
    given = ledger(tmp_path, number=number)
    with pytest.raises(UserError, match=r"claims\.toml:11: claim 'c'\.stated\.evidence\.gap names ") as error:
        ledgers.check(given, plan, tmp_path / "claims.toml")
    assert message in str(error.value)
    assert "study.toml does not have. Fix the name" in str(error.value)


@pytest.mark.parametrize(
    ("number", "message"),
    [
        ("arm example-1 test_acuracy mean", "'test_acuracy mean' of the arm 'example-1', which is no number"),
        ("arm example-1 test_acuracy mean", "no number of the results. Did you mean test_accuracy? Expected one of "),
        ("arm example-1 test_acuracy mean", "test_accuracy, held_out_accuracy, "),
        ("arm example-1 test_accuracy maen", "Did you mean mean? Expected one of mean, standard_deviation, "),
        ("arm example-1 xyz", "which is no number of the results. Expected one of "),
        (
            "arm example-1 test_accuracy means",
            "standard_deviation, interval, min, max in place of 'means'. Fix the path.",
        ),
        ("arm example-1 test_accuracy", "Expected one of mean, standard_deviation, interval, min, max after it."),
        ("arm example-1 plateau mean", "Expected nothing in place of 'mean'."),
        ("arm example-1 loss", "Expected a number after it."),
        ("arm example-1 confusion 3 four", "Expected a place such as 0 or -1 in place of 'four'."),
        ("contrast recipe interval low", "Expected a place such as 0 or -1 in place of 'low'."),
        ("contrast recipe p-holm", "'p-holm' of the contrast 'recipe'"),
        ("largest example-1|rate-* n", "'n' of the arm 'example-1|rate-*'"),
    ],
)
def test_a_number_that_results_never_have_is_an_error_and_not_missing_for_ever(
    tmp_path: Path, plan: Study, number: str, message: str
) -> None:
    given = ledger(tmp_path, number=number)
    with pytest.raises(UserError, match=r"claims\.toml:11: claim 'c'\.stated\.evidence\.gap names ") as error:
        ledgers.check(given, plan, tmp_path / "claims.toml")
    assert message in str(error.value)


@pytest.mark.parametrize(
    "number", ["arm example-1 first_epoch_at 0.95 0", "arm example-1 confusion 3 -1", "contrast recipe equivalent"]
)
def test_numbers_in_lists_and_tables_and_yes_or_no_may_be_evidence(tmp_path: Path, plan: Study, number: str) -> None:
    ledgers.check(ledger(tmp_path, number=number), plan, fixture.LEDGER)


# ---------------------------------------------------------------------------------------------- judging

RESULTS = {
    "arms": {
        "one": {"accuracy": {"mean": 0.97}, "list": [1.5, None], "nothing": None, "zero": 0, "seeds": [1, 2, 3]},
        "two-0.3": {"accuracy": {"mean": 0.98}, "seeds": [1, 2, 3, 4, 5]},
    },
    "contrasts": [
        {"name": "recipe", "interval": [0.004, 0.012], "equivalent": True, "n": 5, "mean": 0.008, "seeds_agreeing": 5}
    ],
    "runs": [],
    "replications": {"fashion_mnist": {"arms": {"one": {"accuracy": {"mean": 0.8}, "seeds": [1, 2]}}, "contrasts": []}},
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
        ("fashion_mnist arm one accuracy mean", 0.8),
        ("arm one accuracy mean - fashion_mnist arm one accuracy mean", 0.17),
        ("fashion_mnist arm two-0.3 accuracy mean", None),
        ("fashion_mnist contrast recipe interval 0", None),
    ],
)
def test_evidence_comes_from_the_results_and_is_none_if_not_measured(expression: str, expected: float | None) -> None:
    found = rules.number_at(expression, RESULTS)
    assert found == (None if expected is None else pytest.approx(expected))


def test_evidence_on_a_data_set_that_was_not_measured_is_none() -> None:
    alone = {name: value for name, value in RESULTS.items() if name != "replications"}  # as in an older record
    for results in (alone, {**RESULTS, "replications": {}}):
        assert rules.number_at("fashion_mnist arm one accuracy mean", results) is None
        assert rules.number_at("arm one accuracy mean", results) == 0.97


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


HEAD = "version = 2\ndeclared = 2026-01-01\n"
MATTERS = 'thresholds.matters = { value = 0.0025, reason = "why" }\n'
NO_SECOND = '[claims.general]\nnone = "why not"\n'


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "claims.toml"
    path.write_text(text)
    return path


def ledger(
    tmp_path: Path, supported: str = "gap > matters", partly: str = "gap > 0", number: str = GAP, more: str = ""
) -> Ledger:
    """A ledger of one claim, whose rule is on line 9."""
    text = (
        f'{HEAD}{MATTERS}[[claims]]\nid = "c"\nquote = "q"\n[claims.stated]\nquestion = "?"\n'
        f'supported = "{supported}"\npartly = "{partly}"\n'
        f'evidence.gap = {{ path = "{number}", label = "the gap", unit = "points" }}\nreading = "so"\n{more}\n'
    )
    return ledgers.load(write(tmp_path, text + NO_SECOND))


def test_a_claim_has_two_questions_with_their_lines_and_what_they_ask(tmp_path: Path) -> None:
    read = ledger(tmp_path, more="after_runs = true")
    (claim,) = read.claims
    stated, general = claim.parts["stated"], claim.parts["general"]
    assert (claim.line, stated.line, stated.asks, stated.reading, stated.after_runs) == (4, 7, "stated", "so", True)
    assert stated.evidence["gap"] == Evidence(GAP, "the gap", "points")
    assert (general.line, general.asks, general.none) == (14, "general", "why not")
    assert (read.thresholds, read.declared) == ({"matters": Threshold(0.0025, "why")}, "2026-01-01")


def test_thresholds_can_be_halved_and_doubled_all_at_once(tmp_path: Path) -> None:
    read = ledger(tmp_path)
    assert read.limits() == {"matters": 0.0025}
    assert (read.limits(0.5), read.limits(2)) == ({"matters": 0.00125}, {"matters": 0.005})


def stated(given: Ledger, results: dict) -> Verdict:
    """The verdict on the first claim as the article puts it."""
    return judge(given, results)[0].verdicts["stated"]


def with_mean(mean: float | None, seeds: list[int] | None = None) -> dict:
    """RESULTS with another accuracy of the arm 'one'."""
    one = {"accuracy": {"mean": mean}, "seeds": seeds or [1, 2, 3]}
    return {**RESULTS, "arms": {**RESULTS["arms"], "one": one}}


@pytest.mark.parametrize(
    ("mean", "verdict"),
    [(0.95, "supported"), (0.979, "partly supported"), (0.99, "not supported"), (None, "not measured")],
)
def test_the_verdict_follows_the_numbers(tmp_path: Path, mean: float | None, verdict: str) -> None:
    assert stated(ledger(tmp_path), with_mean(mean)).verdict == verdict


def test_a_verdict_has_the_smallest_number_of_seeds_behind_it_and_is_hollow_below_five(tmp_path: Path) -> None:
    few = stated(ledger(tmp_path), RESULTS)
    assert (few.seeds, few.hollow) == (3, True)
    enough = stated(ledger(tmp_path), with_mean(0.97, [1, 2, 3, 4, 5, 6]))
    assert (enough.seeds, enough.hollow) == (5, False)
    largest = stated(ledger(tmp_path, number="largest one|two-* accuracy mean"), RESULTS)
    assert largest.seeds == 3
    contrast = stated(ledger(tmp_path, number="contrast recipe interval 0"), RESULTS)
    assert (contrast.seeds, contrast.hollow) == (5, False)
    elsewhere = stated(ledger(tmp_path, number="fashion_mnist arm one accuracy mean"), RESULTS)
    assert elsewhere.seeds == 2


def test_a_single_seed_decides_nothing(tmp_path: Path) -> None:
    alone = stated(ledger(tmp_path), with_mean(0.95, [1]))
    assert (alone.verdict, alone.seeds, alone.flips, alone.hollow) == (CANNOT_TELL, 1, (), False)
    assert margins.margin(alone) == ""
    assert stated(ledger(tmp_path), with_mean(None, [1])).verdict == NOT_MEASURED


def test_evidence_on_another_data_set_must_run_there_and_not_with_one_seed(tmp_path: Path, plan: Study) -> None:
    given = ledger(tmp_path, number="fashion_mnist arm example-1 test_accuracy mean")
    place = r"claims\.toml:11: claim 'c'\.stated\.evidence\.gap "
    others = {name: runs for name, runs in plan.datasets.items() if name != "fashion_mnist"}
    for runs in ({}, {"fashion_mnist": DatasetRuns(10, frozenset({"example-3"}))}):
        with pytest.raises(
            UserError, match=place + r"names 'example-1' on fashion_mnist, where .* does not run it\. List"
        ):
            ledgers.check(given, replace(plan, datasets={**others, **runs}), tmp_path / "claims.toml")
    elsewhere = DatasetRuns(10, frozenset({"example-1"}), seeds=1)
    with pytest.raises(
        UserError, match=place + r"rests on 'example-1', whose block 'examples' has one seed on fashion_mnist"
    ):
        ledgers.check(given, replace(plan, datasets={**others, "fashion_mnist": elsewhere}), tmp_path / "claims.toml")
    several = replace(elsewhere, seeds=2)
    ledgers.check(given, replace(plan, datasets={**others, "fashion_mnist": several}), tmp_path / "claims.toml")


def test_a_page_needs_the_numbers_of_an_arm_by_data_set(tmp_path: Path) -> None:
    given = ledger(tmp_path, number="fashion_mnist arm one n - arm two test_error mean")
    assert rules.keys_by_arm(given, ["one", "two"]) == {"two": [("test_error", "mean")]}
    assert rules.keys_by_arm(given, ["one", "two"], "fashion_mnist") == {"one": [("n",)]}


def questions(tmp_path: Path, stated: str, general: str) -> Ledger:
    text = f'{HEAD}[[claims]]\nid = "c"\nquote = "q"\n[claims.stated]\n{stated}\n[claims.general]\n{general}\n'
    return ledgers.load(write(tmp_path, text))


RULE = (
    'question = "?"\nreading = "so"\nsupported = "gap > 0"\n'
    f'evidence.gap = {{ path = "{GAP}", label = "the gap", unit = "points" }}'
)


def test_a_question_may_be_missing_untestable_or_a_theorem(tmp_path: Path) -> None:
    (judged,) = judge(questions(tmp_path, 'question = "?"\nnot_testable = "why"', 'none = "none"'), RESULTS)
    assert [verdict.verdict for verdict in judged.verdicts.values()] == [NOT_TESTABLE, NO_QUESTION]
    theorem = 'asks = "reason"\nquestion = "?"\nreading = "so"\ntheorem = true'
    (judged,) = judge(questions(tmp_path, RULE, theorem), RESULTS)
    assert judged.verdicts["stated"].verdict == SUPPORTED
    proved = judged.verdicts["general"]
    assert (proved.verdict, proved.question.asks, proved.seeds, proved.hollow) == (SUPPORTED, "reason", None, False)


def test_a_theorem_with_evidence_is_judged_by_it_and_no_seeds_count(tmp_path: Path) -> None:
    verdict = stated(questions(tmp_path, RULE + "\ntheorem = true", 'none = "none"'), with_mean(0.99, [1]))
    assert (verdict.verdict, verdict.seeds, verdict.hollow) == (NOT, None, False)


@pytest.mark.parametrize(
    ("supported", "message"),
    [
        ("gap >", "invalid syntax"),
        ("lap > 0", "it names 'lap', which is neither evidence nor a threshold"),
        ("gap > open", "it names 'open', which is neither evidence nor a threshold"),
        ("gap > 0.0025", "it has the number 0.0025 of its own: add it to [thresholds] and name it here"),
        ("2 * gap > 0", "it has the number 2 of its own: add it to [thresholds]"),
        ("gap > True", "it has the number True of its own"),
        ("gap.x > 0", "may not say 'gap.x'"),
        ("matters / gap > 0", "may not divide by evidence"),
        ("gap / gap > 0", "may not divide by evidence"),
        ("gap * gap > 0", "may not multiply a number by itself"),
        ("gap > matters / 0", "division by zero"),
        ("matters > 0", "'matters > 0' says the same whatever is measured"),
        ("gap > 0 or 0 == 0", "'0 == 0' says the same whatever is measured"),
        ("gap > 0 and matters > 0", "'matters > 0' says the same whatever is measured"),
        ("gap > 0 and False", "it has the number False of its own"),
        ("gap", "it is a number"),
        ("not 0", "'not 0' says the same whatever is measured"),
        ("False", "it has the number False of its own"),
        ("", "Expected a comparison of its evidence. Fix this line."),
    ],
)
def test_an_unreadable_rule_is_an_error_that_names_the_claim_and_the_line(
    tmp_path: Path, supported: str, message: str
) -> None:
    with pytest.raises(UserError, match=r"claims\.toml:9: claim 'c'\.stated\.supported is ") as error:
        ledger(tmp_path, supported)
    assert f'"{supported}"' in str(error.value)
    assert message in str(error.value)


def test_a_rule_too_deep_to_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"claims\.toml:9: .*it is nested more than 100 deep"):
        ledger(tmp_path, f"gap > {'-' * 200}0")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ("because = 1", "because is 1. Expected a table"),
        ('because.true = "it is"', "unknown key 'true'. Known here: supported, partly supported, not supported"),
        ('because.supported = "a b c d e f g h i"', "Expected at most eight words: it stands in the margin"),
        ('asks = "reason"', "unknown key 'asks'"),
        ("after_runs = 1", ".after_runs is 1. Expected true or false."),
        ("theorem = 1", ".theorem is 1. Expected true or false."),
        ("partly = 0", ".partly is 0. Expected a comparison of its evidence."),
        ("evidence = 1", ".evidence is 1. Expected a table [claims.stated.evidence]."),
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
        (
            'evidence.a = { path = "fashion_mnist arm one", label = "it", unit = "p" }',
            "Expected 'arm NAME KEY …' or its like in place of 'fashion_mnist arm one'",
        ),
        (
            'evidence.a = { path = "cifar arm one n", label = "it", unit = "p" }',
            "its like in place of 'cifar arm one n'",
        ),
        (
            f'evidence.a = {{ path = "{GAP} / arm one n", label = "it", unit = "p" }}',
            "Expected one number of the res",
        ),
        ('evidence.a-b = { path = "arm one n", label = "it", unit = "p" }', "under a name of letters, digits and _"),
        ('evidence.max = { path = "arm one n", label = "it", unit = "p" }', "under a name of letters, digits and _"),
        ('evidence.at = { path = "arm one n", label = "it", unit = "p" }', "it under a name that no threshold has"),
    ],
)
def test_an_invalid_key_or_value_of_a_question_is_an_error_with_its_line(
    tmp_path: Path, more: str, message: str
) -> None:
    evidence = "" if "evidence" in more else 'evidence.a = { path = "arm one n", label = "it", unit = "number" }\n'
    top = f'{HEAD}thresholds.at = {{ value = 1, reason = "why" }}\n[[claims]]\nid = "c"\nquote = "q"\n'
    question = f'[claims.stated]\nquestion = "?"\nsupported = "a > at"\n{more}\n{evidence}reading = "so"\n'
    with pytest.raises(UserError, match=r"claims\.toml:10: (unknown key|claim 'c'\.stated\.)") as error:
        ledgers.load(write(tmp_path, top + question + NO_SECOND))
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        (
            "version = 2",
            "version = 1",
            1,
            "version is 1. Expected 2, with two tables in each claim: [claims.stated] and",
        ),
        ("declared = 2026-01-01\n", "", 1, "declared is missing. Expected the day on which the rules were fixed"),
        ("value = 0.0025", "value = 0", 3, "thresholds.matters.value is 0.0. Expected a number above 0."),
        ("value = 0.0025", 'value = "small"', 3, 'thresholds.matters.value is "small". Expected a number above 0.'),
        (', reason = "why"', "", 3, "thresholds.matters.reason is missing. Expected a sentence."),
        (', reason = "why"', ', reason = "why", for = 1', 3, "unknown key 'for'. Known here: value, reason."),
        ('{ value = 0.0025, reason = "why" }', "0.0025", 3, "thresholds.matters is 0.0025. Expected { value ="),
        (
            "thresholds.matters",
            "thresholds.and",
            3,
            "Expected it under a name of letters, digits and _, which rules can",
        ),
        ("gap > matters", "gap > 0", 3, "Expected a threshold that a rule uses. Fix this line."),
        ('quote = "q"', 'quote = ["q", ""]', 6, '.quote is ["q", ""]. Expected words of the article, or a list'),
        (
            'quote = "q"',
            'quote = "q"\nquestion = "?"',
            7,
            "unknown key 'question'. Known here: id, quote, figures, seen",
        ),
        ('quote = "q"', 'quote = "q"\nfigures = "changes"', 7, '.figures is "changes". Expected a list of texts.'),
        (
            '[claims.general]\nnone = "why not"',
            "",
            4,
            "claim 'c'.general is missing. Expected a table [claims.general] with",
        ),
        ('none = "why not"', "", 14, "claim 'c'.general is missing. Expected a table [claims.general] with a question"),
        ('none = "why not"', 'none = ""', 15, "claim 'c'.general.none is \"\". Expected a sentence."),
        ('none = "why not"', 'none = "a"\nnot_testable = "b"', 16, "Expected no not_testable beside none."),
        ('none = "why not"', 'none = "a"\nquestion = "?"', 16, "Expected no question beside none."),
        ('none = "why not"', 'none = "a"\nsupported = "gap > 0"', 16, "Expected no supported beside none."),
        ('none = "why not"', 'not_testable = "a"\npartly = "gap > 0"', 16, "Expected no partly beside not_testable."),
        ('none = "why not"', 'asks = "why"', 15, "claim 'c'.general.asks is \"why\". Expected one of reason, general."),
        ('reading = "so"\n', "", 7, "claim 'c'.stated.reading is missing. Expected a sentence."),
    ],
)
def test_a_mistake_in_the_ledger_is_an_error_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    ledger(tmp_path)
    text = (tmp_path / "claims.toml").read_text()
    assert old in text
    with pytest.raises(UserError) as error:
        ledgers.load(write(tmp_path, text.replace(old, new, 1)))
    assert f"claims.toml:{line}: " in str(error.value)
    assert message in str(error.value)


def test_a_claim_without_any_question_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"claims\.toml:6: .*Expected a question in at least one of the two tables"):
        questions(tmp_path, 'none = "a"', 'none = "b"')


def test_a_question_without_evidence_is_an_error_with_its_line(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"claims\.toml:6: claim 'c'\.stated\.evidence is missing\. Expected a table"):
        questions(tmp_path, 'question = "?"\nreading = "so"\nsupported = "a > 0"', 'none = "b"')


@pytest.mark.parametrize("number", ["arm {} test_accuracy mean", "largest {}|targets test_accuracy mean"])
def test_evidence_of_a_single_seed_is_refused_and_told_to_add_seeds(tmp_path: Path, plan: Study, number: str) -> None:
    block = replace(plan.block("dose"), seeds=(0,))
    alone = replace(plan, blocks=tuple(block if b.name == "dose" else b for b in plan.blocks))
    given = ledger(tmp_path, number=number.format("low0"))
    ledgers.check(given, plan, tmp_path / "claims.toml")
    with pytest.raises(UserError, match=r"claims\.toml:11: claim 'c'\.stated\.evidence\.gap rests on 'low0'") as error:
        ledgers.check(given, alone, tmp_path / "claims.toml")
    assert "whose block 'dose' has one seed on mnist in " in str(error.value)
    assert "study.toml. One seed decides nothing: add seeds there, or name other arms." in str(error.value)


def test_a_contrast_of_single_seeds_is_refused_too(tmp_path: Path, plan: Study) -> None:
    alone = replace(plan, blocks=tuple(replace(block, seeds=(0,)) for block in plan.blocks))
    given = ledger(tmp_path, number="contrast recipe mean")
    with pytest.raises(UserError, match=r"\.gap rests on 'example-3', whose block 'examples' has one seed on mnist"):
        ledgers.check(given, alone, tmp_path / "claims.toml")


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


THRESHOLDS = {"quarter": 0.0025, "half": 0.5, "one": 1, "two": 2}


def claim(supported: str, partly: str = "", **units: str) -> Question:
    """A question on evidence of these units, by name; each is labelled 'the NAME'."""
    given = {name: Evidence("arm x n", f"the {name}", unit) for name, unit in units.items()}
    return Question("stated", "stated", "?", "so", given, supported, partly)


def margin(about: Question, **values: float | None) -> str:
    """The sentence, with common spaces."""
    return margins.margin(verdict_on(about, **values)).replace(formats.NARROW, " ")


def verdict_on(about: Question, **values: float | None) -> Verdict:
    verdict = rules.verdict_of(about, values, THRESHOLDS)
    return Verdict(about, verdict, values, tuple(margins.flips(about, values, THRESHOLDS)))


def test_the_margin_describes_the_nearest_flip_in_a_sentence() -> None:
    lead = claim("lead > quarter", lead="points")
    assert (
        margin(lead, lead=0.0061) == "Would become not supported if the lead fell to +0.25 points; it is +0.61 points."
    )
    assert (
        margin(lead, lead=0.0011) == "Would become supported if the lead rose above +0.25 points; it is +0.11 points."
    )
    share = claim("share <= half", share="percent")
    assert margin(share, share=0.4) == "Would become not supported if the share rose above 50 %; it is 40 %."
    assert margin(share, share=0.7) == "Would become supported if the share fell to 50 %; it is 70 %."
    at_least = claim("share >= half", share="percent")
    assert margin(at_least, share=0.7) == "Would become not supported if the share fell below 50 %; it is 70 %."
    assert " if (a) fell to 50" in margins.margin(verdict_on(share, share=0.7), {"share": "(a)"})
    alike = claim("alike == 0", alike="yes")
    assert margin(alike, alike=1.0) == "Would become supported if the alike were no; it is yes."


def test_a_margin_too_small_for_the_usual_digits_gets_more_digits() -> None:
    told = margin(claim("lead > quarter", lead="points"), lead=0.002514)
    assert told == "Would become not supported if the lead fell to +0.250 points; it is +0.251 points."


def test_a_verdict_that_no_single_number_can_change_says_so_and_an_open_one_has_no_margin() -> None:
    both = claim("a > one and b > one", a="number", b="number")
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
    found = margins.flips(claim(supported, partly, **dict.fromkeys(values, "number")), values, {})
    assert [(flip.name, flip.limit, flip.rises, flip.verdict) for flip in found] == expected
    assert [flip.value for flip in found] == [values[flip.name] for flip in found]


def test_a_yes_can_only_become_a_no() -> None:
    about = claim("alike == 0 and gap > 1", "alike < 0.5", alike="yes", gap="number")
    values = {"alike": 1.0, "gap": 2.0}
    assert margins.flips(about, values, {}) == [Flip("alike", 1.0, 0.0, False, YES, True)]
    assert margins.flips(about, {**values, "alike": 0.0}, {})[1] == Flip("alike", 0.0, 1.0, True, NO, True)
    assert margins.flips(claim("alike == 0 or gap > 1", alike="yes", gap="number"), {**values, "alike": 0.0}, {}) == []


def test_a_flip_says_whether_the_limit_itself_turns_the_verdict() -> None:
    (above,), (reached,) = (
        margins.flips(claim(rule, x="number"), {"x": 1.0}, THRESHOLDS) for rule in ("x > two", "x >= two")
    )
    assert (above.limit, above.at_limit) == (2.0, False)
    assert (reached.limit, reached.at_limit) == (2.0, True)


def test_thresholds_stay_while_evidence_moves() -> None:
    found = margins.flips(claim("x > two * y", x="number", y="number"), {"x": 3.0, "y": 1.0}, THRESHOLDS)
    assert {(flip.name, flip.limit) for flip in found} == {("x", 2.0), ("y", 1.5)}


def test_an_undecided_claim_has_no_flips() -> None:
    late = claim("x > 1", "y > 1", x="number", y="number")
    assert margins.flips(late, {"x": 2, "y": None}, {}) == []  # below 1 the verdict would hang on y
    assert margins.flips(replace(late, not_testable="why"), {"x": 2, "y": 2}, {}) == []


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
    present = rules.verdict_of(about, values, {})
    found = {(flip.name, 1 if flip.rises else -1): flip for flip in margins.flips(about, values, {})}
    for name, sign in ((name, sign) for name in values for sign in (-1, 1)):
        flip, start = found.get((name, sign)), values[name]
        steps = [abs(flip.limit - start) * part / 23 for part in range(1, 23)] if flip else [1e-5, 0.1, 1.3, 7.7, 1e4]
        points = [dyadic(start + sign * step) for step in steps]
        between = [point for point in points if not flip or start < point < flip.limit or start > point > flip.limit]
        assert {rules.verdict_of(about, {**values, name: point}, {}) for point in between} <= {present}
        if flip:
            beyond = dyadic(flip.limit + sign * 1e-5)
            assert rules.verdict_of(about, {**values, name: beyond}, {}) == flip.verdict != present


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
def test_asking_for_the_test_accuracy_of_a_held_out_arm_is_refused(plan: Study, tmp_path: Path, number: str) -> None:
    asked = ledger(tmp_path, number=number.format("test_accuracy"))
    with pytest.raises(
        UserError, match=r"evidence\.gap names the test_accuracy of 'rate-example-1-.*Use held_out_accuracy"
    ):
        ledgers.check(asked, plan, fixture.LEDGER)


def test_held_out_accuracy_may_be_evidence(plan: Study, tmp_path: Path) -> None:
    number = "largest rate-example-1-* held_out_accuracy mean"
    ledgers.check(ledger(tmp_path, number=number), plan, fixture.LEDGER)
    assert rules.number_at(number, {"contrasts": [], "arms": {
        "rate-example-1-cosine": {"test_accuracy": None, "held_out_accuracy": {"mean": 0.97}}
    }}) == 0.97  # fmt: skip


@pytest.mark.parametrize("unit", ["p", "percent", "yes"])
def test_evidence_that_is_not_a_difference_has_no_sign_to_agree_on(unit: str) -> None:
    assert seeds_agreeing(Evidence("contrast yes mean", "it", unit), SEEDS) is None


@pytest.mark.parametrize(
    "number",
    [
        "fashion_mnist arm a test_accuracy mean - fashion_mnist arm b test_accuracy mean",
        "fashion_mnist arm a test_accuracy mean - arm b test_accuracy mean",
    ],
)
def test_seeds_agree_within_one_data_set_alone(number: str) -> None:
    both = {"arms": {}, "runs": [], "contrasts": [], "replications": {"fashion_mnist": SEEDS}}
    expected = (1, 3) if number.count("fashion_mnist") == 2 else None
    assert seeds_agreeing(Evidence(number, "it", "points"), both) == expected


# ---------------------------------------------------------------------------------------------- rules in words


@pytest.mark.parametrize(
    ("supported", "partly", "expected"),
    [
        ("a > quarter", "", "Supported if (a) is above 0.25 points."),
        ("a > quarter", "a > 0", "Supported if (a) is above 0.25 points; partly if (a) is above 0."),
        ("a <= quarter and b < half", "", "Supported if (a) is at most 0.25 points and (b) is below 50 %."),
        ("a > 0 and b > 0 and n >= half", "", "Supported if (a) and (b) are both above 0, and (c) is at least 0.5."),
        ("a > 0 or (b > 0 and n < 0)", "", "Supported if (a) is above 0 or ((b) is above 0 and (c) is below 0)."),
        ("(a > 0 or b > 0) or n > 0", "", "Supported if (a), (b) or (c) is above 0."),
        ("a > 0 and b > 0 and n > 0 and y > 0", "", "Supported if (a), (b) and (c) are all above 0, and (d) is yes."),
        ("abs(n - one) < half", "", "Supported if the size of ((c) minus 1) is below 0.5."),
        (
            "min(a, n) > 0",
            "max(a, n) > 0",
            "Supported if (a) and (c) are both above 0; partly if (a) or (c) is above 0.",
        ),
        (
            "max(a, n) <= 0",
            "min(a, n) < 0",
            "Supported if (a) and (c) are both at most 0; partly if (a) or (c) is below 0.",
        ),
        ("y == 0", "y > 0", "Supported if (d) is no; partly if (d) is yes."),
        ("a > b * half", "", "Supported if (a) is above 0.5 times (b)."),
        ("not a + n > -n / two", "", "Supported if not ((a) plus (c) is above (minus (c)) divided by 2)."),
    ],
)
def test_a_rule_is_read_aloud_with_letters_and_thresholds(supported: str, partly: str, expected: str) -> None:
    about = claim(supported, partly, a="points", b="percent", n="number", y="yes")
    assert words.rule(about, THRESHOLDS).replace(formats.NARROW, " ") == expected


@pytest.mark.parametrize(
    ("supported", "partly", "names", "expected"),
    [
        ("a > quarter", "a > 0", "a", "Supported if it is above 0.25 points; partly if it is above 0."),
        ("a > 0 and b > 0", "a > 0 or b > 0", "ab", "both numbers are above 0; partly if one of them is."),
        ("min(a, b, c) > 0", "max(a, b, c) > 0", "abc", "all three numbers are above 0; partly if one of them is."),
    ],
)
def test_all_numbers_together_are_not_listed(supported: str, partly: str, names: str, expected: str) -> None:
    about = claim(supported, partly, **dict.fromkeys(names, "points"))
    assert expected in words.rule(about, THRESHOLDS)


def test_a_prediction_holds_or_is_refuted_by_its_rule(tmp_path: Path) -> None:
    prediction = (
        '[[predictions]]\nid = "p"\nsays = "It rises."\nrefuted = "It does not."\nfigures = ["wall"]\n'
        f'holds = "gap > matters"\nevidence.gap = {{ path = "{GAP}", label = "the gap", unit = "points" }}\n'
    )
    ledger(tmp_path)
    text = (tmp_path / "claims.toml").read_text()
    read = ledgers.load(write(tmp_path, text + prediction))
    for mean, verdict in ((0.95, HOLDS), (0.979, REFUTED), (None, NOT_MEASURED)):
        (judged,) = judge_predictions(read, with_mean(mean))
        assert judged.verdict.verdict == verdict
    (judged,) = judge_predictions(read, with_mean(0.95))
    assert margins.margin(judged.verdict) == "Would be refuted if the gap fell to +0.25 points; it is +3.00 points."
    assert words.rule(judged.prediction.question, read.limits()) == "Holds if it is above 0.25 points."
    assert rules.keys_by_arm(read, ["one"])["one"] == [("accuracy", "mean")] * 2
    with pytest.raises(
        UserError, match=r"claims\.toml:21: prediction 'p'\.holds is .*neither evidence nor a threshold"
    ):
        ledgers.load(write(tmp_path, text + prediction.replace("gap > matters", "lap > 0")))
    with pytest.raises(UserError, match=r"an id that no other prediction has"):
        ledgers.load(write(tmp_path, text + 2 * prediction))


def test_a_threshold_has_the_unit_of_what_it_is_compared_with(tmp_path: Path) -> None:
    assert words.units_of_thresholds(ledger(tmp_path)) == {"matters": "points"}
    mixed = replace(ledger(tmp_path), thresholds={"quarter": Threshold(0.0025, "why")})
    about = claim("a > quarter and n > quarter", a="points", n="number")
    given = replace(mixed, claims=(replace(mixed.claims[0], parts={"stated": about}),))
    assert words.units_of_thresholds(given) == {"quarter": "number"}
    about = claim("a > quarter and a > n * quarter", a="points", n="number")
    given = replace(mixed, claims=(replace(mixed.claims[0], parts={"stated": about}),))
    assert words.units_of_thresholds(given) == {"quarter": "points"}


def test_a_product_of_thresholds_keeps_its_points() -> None:
    about, units = claim("a > quarter * two", a="points"), {"quarter": "points", "two": "times"}
    assert words.rule(about, THRESHOLDS, units) == "Supported if it is above 0.25 points times 2."


# ---------------------------------------------------------------------------------------------- the whole ledger


def test_the_command_prints_verdicts_numbers_and_margins_within_100_columns(
    results: dict, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(site, "read_results", lambda *_: (results, {}))
    command.print_claims(command.parse(["claims"]))
    told = capsys.readouterr().out
    assert max(map(len, told.splitlines())) <= 100
    assert "\nslightly-improved\n  not supported     as the article puts it\n" in told
    assert "\n    what the map adds to the accuracy: 0.00 points\n" in told
    assert "\n    Would become supported if what the map adds to the accuracy rose above 0.00 points;" in told
    assert "\n    No experiment on MNIST can test" in told
    assert f"\n\n{len(CLAIMS)} claims, " in told


def test_the_page_has_the_ledger_with_the_evidence_for_each_verdict(results: dict) -> None:
    html = fixture.page_of(results)
    assert html.count('id="claim-') == len(CLAIMS)
    assert "“My experience working on various image recognition projects … has consistently" in html
    assert "What the map adds to the accuracy: <strong>0.00 points</strong>" in html
    assert "<pre>arm example-2 test_accuracy mean - arm example-1 test_accuracy mean</pre>" in html
