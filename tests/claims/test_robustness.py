"""How robust a verdict is said to be: against the rules, against simulated repetitions, and from a page alone."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from experiments.analysis import evidence, records
from experiments.study import load as studies
from report.claims import load as ledgers
from report.claims import robustness, rules
from report.claims.model import PREDICTION, Ledger
from report.claims.redraw import AsMeasured
from report.claims.redrawn import Redrawn
from report.sharing import verify
from tests import bench_robustness, fixture
from tests.claims import imagined

HEAD = """
version = 2
declared = 2026-01-15
[thresholds]
"""
CLAIM = """
[[claims]]
id = "{id}"
quote = "words"
[claims.general]
none = "There is none."
[claims.stated]
question = "Is it so?"
reading = "So."
supported = "{supported}"
partly = "{partly}"
"""
SUPERIOR = "contrast lead superiority"
MEAN = "arm one test_accuracy mean - arm two test_accuracy mean"
SEEDS = {"one": range(200, 206), "two": range(200, 206)}


def ledger(
    folder: Path, supported: str, partly: str = "", matters: float = 0.0025, half: float = 0.5, **paths: str
) -> Ledger:
    """One claim with these rules, over evidence at these paths."""
    limits = {"matters": matters, "other": 1.0, "half": half, "significant": 0.05}
    units = {name: "percent" if path == SUPERIOR else "number" for name, path in paths.items()}
    lines = [
        f'evidence.{name} = {{ path = "{path}", label = "it", unit = "{units[name]}" }}' for name, path in paths.items()
    ]
    used = [f'{name} = {{ value = {limit}, reason = "So." }}\n' for name, limit in limits.items() if name in supported]
    text = CLAIM.format(id="claim", supported=supported, partly=partly)
    (folder / "claims.toml").write_text(HEAD + "".join(used) + text + "\n".join(lines))
    return ledgers.load(folder / "claims.toml")


def study(folder: Path, lead: float, **changed: Any) -> tuple[dict, dict]:
    """Results and evidence of two arms, the first ahead by so much; each run's values are `changed`."""
    plan = imagined.study(folder, SEEDS)
    observations = imagined.runs(np.random.default_rng(0), {"one": 0.03 - lead, "two": 0.03}, SEEDS)
    runs = [{**run, **{key: value(run) for key, value in changed.items()}} for run in observations]
    results = {**imagined.results(plan, runs), "replications": {}, "recorded": None}
    return results, {"runs": runs, "replications": {}}


def assessed(ledger: Ledger, of: tuple[dict, dict]) -> Any:
    return robustness.assess(ledger, *of)["claim"]["stated"]


# ---------------------------------------------------------------------------------------------- redraws


@pytest.fixture(scope="module")
def whole() -> tuple[dict, dict]:
    results, content = imagined.complete(studies.load(), images=1000)
    return {**results, "recorded": None}, content


@pytest.fixture(scope="module")
def claims() -> Ledger:
    return ledgers.load(fixture.LEDGER)


def test_every_number_that_a_claim_names_is_redrawn(whole: tuple[dict, dict], claims: Ledger) -> None:
    study = robustness.Study(claims, *whole)
    paths = {named.path for question in claims.questions.values() for named in question.evidence.values()}
    assert len(paths) > 90
    assert [path for path in paths if not study.is_redrawn(path) and "_seconds" not in path] == []


def test_the_redraw_that_changes_nothing_gives_every_number_that_a_claim_names(
    whole: tuple[dict, dict], claims: Ledger
) -> None:
    (results, content), other = whole, whole[0]["replications"]["fashion_mnist"]
    fashion = Redrawn(other, content["replications"]["fashion_mnist"], AsMeasured())
    redrawn = Redrawn(results, content["runs"], AsMeasured(), others={"fashion_mnist": fashion})
    for question in claims.questions.values():
        for named in (named for named in question.evidence.values() if "_seconds" not in named.path):
            number = redrawn.number_at(named.path)
            assert number is not None, named.path
            assert number == pytest.approx(rules.number_at(named.path, results), rel=1e-9, abs=1e-9), named.path


def test_rules_say_of_all_redraws_what_they_say_of_each(claims: Ledger) -> None:
    rng, limits = np.random.default_rng(0), claims.limits()
    ruled = [question for question in claims.questions.values() if question.supported and question.evidence]
    assert len(ruled) > 30
    for question in ruled:
        thresholds = np.array([-1, 0, 0.001, 0.005, 0.02, 0.3, 0.7, 3, *limits.values()])
        numbers = {name: rng.choice(thresholds, 60) for name in question.evidence}
        each = [
            rules.verdict_of(question, {name: float(values[place]) for name, values in numbers.items()}, limits)
            for place in range(60)
        ]
        assert robustness.verdicts_in(question, numbers, limits).tolist() == each


def test_rules_may_use_all_that_rules_may_use() -> None:
    question = bench_robustness.question(
        "min(a, b) - abs(-c) / 2 > 0 and not (a == b) or max(a, b) >= 2 * 3 + 1", a="x x"
    )
    numbers = {"a": np.array([1.0, 1, 7, 2]), "b": np.array([2.0, 1, 0, 2]), "c": np.array([1.0, 0, 9, 8])}
    expected = [
        rules.verdict_of(question, {name: float(values[place]) for name, values in numbers.items()}, {})
        for place in range(4)
    ]
    assert robustness.verdicts_in(question, numbers, {}).tolist() == expected


def test_a_page_alone_says_the_same_as_all_evidence(whole: tuple[dict, dict], claims: Ledger) -> None:
    results, content = whole
    content = {**content, "record": "", "expected": {}, "arms": {}, "quick": False, "source": None}
    carried = evidence.unpack(verify.carried(content, results, {}, claims, ""))
    of_page = robustness.assess(claims, json.loads(json.dumps(results, sort_keys=True)), carried)
    assert of_page == robustness.assess(claims, results, content)
    shares = [one["images"] for of_claim in of_page.values() for one in of_claim.values()]
    assert sum(share is not None for share in shares) > 20
    assert any(run["wrong_images"] is None for run in carried["runs"])  # a page carries those of some arms alone


def test_a_clear_lead_stays_and_a_lead_near_the_threshold_is_a_close_call(tmp_path: Path) -> None:
    results, content = study(tmp_path, 0.01)
    lead = rules.number_at(MEAN, results)
    assert lead is not None
    clear, close = (
        assessed(ledger(tmp_path, "lead > matters", matters=share * lead, lead=MEAN), (results, content))
        for share in (0.2, 0.99)
    )
    assert (clear["seeds"], clear["images"], clear["close"]) == (1, 1, False)
    assert 0.4 < close["images"] < close["seeds"] < 0.9
    assert close["close"]


def test_images_count_only_where_an_accuracy_decides_whose_wrong_images_are_known(tmp_path: Path) -> None:
    rule = ledger(tmp_path, "lead > matters", lead=MEAN)
    assert assessed(rule, study(tmp_path, 0.003, wrong_images=lambda run: None))["images"] is None
    other = ledger(tmp_path, "share > other", share="arm one negative_share")
    assert assessed(other, study(tmp_path, 0.003))["images"] is None


def test_what_a_single_run_decides_or_arithmetic_has_no_share(tmp_path: Path) -> None:
    results, content = study(tmp_path, 0.01)
    single = {**content, "runs": [run for run in content["runs"] if run["seed"] == 200]}
    plan = imagined.study(tmp_path, SEEDS)
    of_one = {**imagined.results(plan, single["runs"]), "replications": {}, "recorded": None}
    rule = ledger(tmp_path, "lead > matters", lead=MEAN)
    assert robustness.assess(rule, of_one, single) == {}
    (claim,) = rule.claims
    stated = replace(claim.parts["stated"], theorem=True)
    theorem = replace(rule, claims=(replace(claim, parts={**claim.parts, "stated": stated}),))
    assert robustness.assess(theorem, results, content) == {}


@pytest.mark.parametrize("path", ["arm one always_wrong", "arm one map_seconds / arm one predict_seconds"])
def test_what_times_or_counts_over_all_images_decide_has_no_share(tmp_path: Path, path: str) -> None:
    robust = assessed(ledger(tmp_path, "it > 0", it=path), study(tmp_path, 0.003))
    assert (robust["seeds"], robust["images"], robust["close"]) == (None, None, False)


def test_times_stay_as_measured_beside_what_is_redrawn(tmp_path: Path) -> None:
    paths = {"lead": MEAN, "ratio": "arm one map_seconds / arm two map_seconds"}
    of = study(tmp_path, 0.01, map_seconds=lambda run: 1 + 9 * (run["seed"] % 2))
    assert assessed(ledger(tmp_path, "lead > 0 and ratio == other", **paths), of)["seeds"] == 1


# ---------------------------------------------------------------------------------------------- elsewhere


def test_verdicts_at_other_thresholds_name_the_one_that_is_enough(tmp_path: Path) -> None:
    share = "arm one negative_share"
    rule = ledger(tmp_path, "lead > matters and share < other", "lead > 0", lead=MEAN, share=share, matters=0.006)
    robust = assessed(rule, study(tmp_path, 0.01, negative_share=lambda run: 0.6))
    assert (robust["half"], robust["twice"]) == ("partly supported", "partly supported")
    assert robust["alone"] == {"twice of matters": "partly supported", "half of other": "partly supported"}


@pytest.mark.parametrize(
    ("rule", "half", "twice"),
    [
        ("low > 0 and superiority > half", 0.5, "cannot be met"),  # a share above 1
        ("low > 0 and superiority > half", 0.4, "supported"),
        ("low > 0 and superiority >= half", 0.5, "supported"),  # 1, which all pairs can reach
        ("low > 0 and superiority >= half", 0.8, "supported"),  # never scaled above 1
        ("low > 0 or superiority > half", 0.5, "supported"),  # nothing has to be met
    ],
)
def test_a_share_need_not_exceed_the_whole(tmp_path: Path, rule: str, half: float, twice: str) -> None:
    results, content = study(tmp_path, 0.01)
    plan = imagined.study(tmp_path, SEEDS, [("lead", "one", "two")])
    results = {**imagined.results(plan, content["runs"]), "replications": {}, "recorded": None}
    assert rules.number_at(SUPERIOR, results) == 1
    paths = {"low": "contrast lead interval 0", "superiority": SUPERIOR}
    robust = assessed(ledger(tmp_path, rule, "low > 0", half=half, **paths), (results, content))
    assert (robust["half"], robust["twice"], robust["alone"]) == ("supported", twice, {})


@pytest.mark.parametrize("path", [MEAN, "contrast lead mean"])
def test_other_ends_of_the_training_are_judged_by_their_own_accuracies(tmp_path: Path, path: str) -> None:
    """Epoch by epoch the lead is 0.02, 0, 0.0012 and, at the end, 0.01; the last three have a mean of 0.0037."""

    def curve(run: dict) -> list[float]:
        return [0.9 + lead * (run["arm"] == "one") for lead in (0.02, 0, 0.0012, 0.01)]

    rule = ledger(tmp_path, "lead > matters", "lead > 0", lead=path)
    results, content = study(tmp_path, 0.01, test_accuracy_by_epoch=curve)
    plan = imagined.study(tmp_path, SEEDS, [("lead", "one", "two")])
    of_contrast = {**imagined.results(plan, content["runs"]), "replications": {}, "recorded": None}
    robust = assessed(rule, (of_contrast, content))
    assert robust["endpoints"] == {
        "epoch 2": "not supported",
        "epoch 3": "partly supported",
        "mean of the last three": "supported",
    }
    assert results["arms"].keys() == of_contrast["arms"].keys()


def test_runs_of_a_few_epochs_have_no_other_end(tmp_path: Path) -> None:
    rule = ledger(tmp_path, "lead > matters", lead=MEAN)
    assert assessed(rule, study(tmp_path, 0.01, test_accuracy_by_epoch=lambda run: [0.9] * 3))["endpoints"] == {}
    mixed = study(tmp_path, 0.01, test_accuracy_by_epoch=lambda run: [0.9] * (3 if run["arm"] == "one" else 10))
    assert assessed(rule, mixed)["endpoints"] == {}


def test_the_verdict_on_fashion_mnist_is_that_of_its_own_arms(whole: tuple[dict, dict], claims: Ledger) -> None:
    robust = robustness.assess(claims, *whole)
    fashion = {one["fashion"] for of_claim in robust.values() for one in of_claim.values()}
    assert None in fashion  # of claims whose arms do not run there
    assert len(fashion) > 1
    assert robust[PREDICTION]


@pytest.mark.parametrize(
    ("rule", "seeds", "fashion"),
    [
        ("p < significant", 4, "cannot be decided"),  # four pairs have a p of 1/8 at least
        ("significant > p", 4, "cannot be decided"),
        ("p < significant", 8, "supported"),
        ("p < significant and lead > other", 4, "not supported"),  # whatever p were
        ("p >= significant", 4, "cannot be decided"),
        ("p < significant", 1, None),
        ("lead > 0", 1, "cannot be decided"),
    ],
)
def test_a_p_value_that_few_seeds_cannot_have_decides_nothing_on_fashion_mnist(
    tmp_path: Path, rule: str, seeds: int, fashion: str | None
) -> None:
    plan = imagined.study(tmp_path, {"one": range(200, 208), "two": range(200, 208)}, [("lead", "one", "two")])
    runs = imagined.runs(np.random.default_rng(0), {"one": 0.02, "two": 0.03}, {arm: range(200, 208) for arm in SEEDS})
    there = [run for run in runs if run["seed"] < 200 + seeds]
    results = {**imagined.results(plan, runs), "replications": {"fashion_mnist": imagined.results(plan, there)}}
    content = {"runs": runs, "replications": {"fashion_mnist": there}}
    paths = {name: path for name, path in (("p", "contrast lead p_holm"), ("lead", MEAN)) if name in rule.split()}
    asked = ledger(tmp_path, rule, **paths)
    assert assessed(asked, (results, content))["fashion"] == fashion


def test_a_prediction_about_fashion_mnist_has_no_view_of_it(whole: tuple[dict, dict], claims: Ledger) -> None:
    robust = robustness.assess(claims, *whole)[PREDICTION]
    about = [p for p in claims.predictions if "fashion_mnist" in str(p.question.evidence)]
    assert about
    assert [robust[prediction.id]["fashion"] for prediction in about] == [None] * len(about)


# ---------------------------------------------------------------------------------------------- computed once


def test_robustness_is_computed_again_only_if_numbers_or_rules_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, rule = tmp_path / "robustness.json", ledger(tmp_path, "lead > matters", lead=MEAN)
    results, content = study(tmp_path, 0.003)
    computed = robustness.assess(rule, results, content)
    calls: list[object] = []
    monkeypatch.setattr(robustness, "assess", lambda *given: calls.append(given) or computed)

    def times(rule: Ledger, inputs: str = "first") -> int:
        assert robustness.update(rule, {**results, "inputs": inputs}, content, path) == computed
        return len(calls)

    assert times(rule) == times(rule) == 1
    (claim,) = rule.claims
    reworded = replace(claim, quote=("other",), parts={k: replace(q, question="?") for k, q in claim.parts.items()})
    assert times(replace(rule, claims=(reworded,))) == 1
    assert times(ledger(tmp_path, "abs(lead) > matters", lead=MEAN)) == 2
    assert times(ledger(tmp_path, "abs(lead) > matters", matters=0.1, lead=MEAN)) == 3
    assert times(ledger(tmp_path, "abs(lead) > matters", matters=0.1, lead=SUPERIOR)) == 4
    assert times(ledger(tmp_path, "abs(lead) > matters", matters=0.1, lead=SUPERIOR), "second") == 5


def test_what_is_kept_has_the_order_of_what_was_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(robustness, "assess", lambda *_: {"b": {}, "a": {}})
    rule, (results, content) = ledger(tmp_path, "lead > matters", lead=MEAN), study(tmp_path, 0.003)
    again = robustness.update(rule, {**results, "inputs": "these"}, content, tmp_path / "robustness.json")
    assert list(again) == ["b", "a"]


# ---------------------------------------------------------------------------------------------- of the record


def test_a_page_of_the_record_shows_what_was_written_with_it_until_the_rules_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(records, "RECORD", tmp_path / "record.json")
    (tmp_path / "record.json").write_text("the record")
    path, rule = tmp_path / "robustness.json", ledger(tmp_path, "lead > matters", lead=MEAN)
    results, content = study(tmp_path, 0.003)
    robustness.record(rule, results, content, path)
    recorded = {**results, "recorded": "2026-01-15"}
    assert robustness.of_page(rule, recorded, {}, path) == robustness.assess(rule, results, content)
    assert robustness.of_page(ledger(tmp_path, "lead > 0", lead=MEAN), recorded, {}, path) == {}
    (tmp_path / "record.json").write_text("another record")
    assert robustness.of_page(rule, recorded, {}, path) == {}


# ---------------------------------------------------------------------------------------------- docs/robustness.md


def table(name: str) -> list[str]:
    """The rows of a table in docs/robustness.md."""
    text = bench_robustness.DOCUMENT.read_text(encoding="utf-8")
    return text.split(f"<!-- {name} -->\n")[1].split("\n<!-- end -->")[0].splitlines()[2:]


@pytest.mark.slow("simulates hundreds of studies; in `make test`, test_redraw.py checks what they are redrawn by")
def test_the_table_of_simulations_is_what_the_simulation_gives() -> None:
    assert table("seeds")[0] == bench_robustness.row("normal", 3, bench_robustness.of_seeds("normal", 3))


def test_verdicts_come_back_as_often_as_reported_to_within_three_points() -> None:
    """Overall and in every group, but for two things that the document says.

    Below 70 % they may come back more often, and of rare failures a few seeds show nothing.
    """
    rows = [row for row in table("seeds") if "fails" not in row]
    rows += [row for row in table("images") if "seeds and images" in row]
    assert len(rows) == 14
    for row in rows:
        _, _, _, reported, came_back, *groups, _ = row.split("|")
        lowest, *others = [pair.split("→") for pair in groups]
        assert len(others) == 4
        assert -5 <= float(lowest[0]) - float(lowest[1]) <= 3, row
        assert all(abs(float(first) - float(second)) <= 3 for first, second in [(reported, came_back), *others]), row


def test_a_plain_bootstrap_would_report_too_much() -> None:
    overall = [[float(cell) for cell in row.split("|")[3:5]] for row in table("plain")]
    assert all(reported > came_back for reported, came_back in overall)
