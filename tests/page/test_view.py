"""The view models: each decision is turned by numbers, and templates decide nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from experiments.files.errors import UserError
from report.claims import load as ledgers
from report.claims.verdicts import judge
from report.mse_tanh.view import view
from report.page import render
from report.page import view as page
from report.page.measured import Measured
from tests import fixture

ROOT = Path(__file__).parents[2]
TEMPLATES = [
    *sorted((ROOT / "templates").glob("*.html")),
    *sorted(path for path in (ROOT / "report" / "mse_tanh" / "prose").rglob("*") if path.suffix in (".html", ".md")),
]

Arms = Mapping[str, Mapping[str, Any]]


def arm(mean: float = 0.97, lowest: float | None = None, highest: float | None = None, **more: Any) -> dict[str, Any]:
    """An arm of two seeds; its extremes are its mean where they are not given."""
    low, high = mean if lowest is None else lowest, mean if highest is None else highest
    accuracy = {"mean": mean, "min": low, "max": high}
    error = {"mean": 1 - mean}
    basic = {"block": "examples", "depth": 1, "width": 128, "seeds": [1, 2], "low_target": 0.0, "high_target": 1.0}
    return {**basic, "test_accuracy": accuracy, "test_error": error, **more}


def contrast(name: str, mean: float, low: float, high: float, **more: Any) -> dict[str, Any]:
    """A measured contrast, its mean and interval given in percentage points."""
    fractions = {"mean": mean / 100, "interval": [low / 100, high / 100], "bootstrap": [low / 100, high / 100]}
    return {"name": name, "question": f"{name}?", "n": 10, **fractions, **more}


def results(arms: Arms, contrasts: Sequence[Mapping[str, Any]] = (), runs: Sequence[Any] = ()) -> dict[str, Any]:
    return {
        "dataset": {"name": "mnist", "test_images": 10_000, "fallback": ""},
        "arms": arms,
        "contrasts": contrasts,
        "runs": runs,
        "replications": {},
        "not_replicated": {},
    }


def decision(name: str, arms: Arms, contrasts: Sequence[Mapping[str, Any]] = ()) -> Any:
    return reduce(getattr, name.split("."), view(results(arms, contrasts)))


def decision_of_runs(name: str, runs: Sequence[Mapping[str, Any]]) -> Any:
    return reduce(getattr, name.split("."), view(results({}, runs=runs)))


def rows(**contrasts: tuple[float, float, float]) -> list[dict[str, Any]]:
    return [contrast(name.replace("_", "-"), *numbers) for name, numbers in contrasts.items()]


GAIN, LOSS, NONE = (1.0, 0.5, 1.5), (-1.0, -1.5, -0.5), (0.1, -0.4, 0.6)


def equal(mean: float, low: float, high: float, equivalent: bool) -> list[dict[str, Any]]:
    return [contrast("equivalence", mean, low, high, equivalent=equivalent, equivalence_margin=0.0025)]


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("recipe.positive", rows(recipe=GAIN), rows(recipe=NONE)),
        ("recipe.negative", rows(recipe=LOSS), rows(recipe=NONE)),
        ("targets.includes_zero", rows(targets=NONE), rows(targets=LOSS)),
        ("targets_close_gap", rows(recipe=GAIN, targets=(0.51, 0.1, 0.9)), rows(recipe=GAIN, targets=(0.5, 0.1, 0.9))),
        ("targets_close_gap", rows(recipe=GAIN, targets=GAIN), rows(recipe=GAIN, targets=(0.9, -0.1, 1.9))),
        ("answer.target_of_0_costs", rows(targets=GAIN, one_sided=GAIN), rows(targets=GAIN, one_sided=NONE)),
        ("answer.target_of_0_costs", rows(targets=GAIN, one_sided=GAIN), rows(targets=NONE, one_sided=GAIN)),
        ("right.advice_holds", rows(loss=GAIN), rows(loss=NONE)),
        ("others.compares_linear", rows(loss=NONE, output=NONE), rows(loss=NONE)),
        ("why.no_deficit", rows(recipe=NONE), rows(recipe=GAIN)),
        ("why.linear_gap_stays", rows(targets=GAIN, output=(0.49, 0, 1)), rows(targets=GAIN, output=(0.5, 0, 1))),
        (
            "why.answers",
            rows(targets=NONE, one_sided=NONE) + equal(0, -0.1, 0.1, True),
            rows(targets=NONE, one_sided=NONE),
        ),
        (
            "why.three_things_meet",
            rows(targets=GAIN, one_sided=GAIN) + equal(0, -0.1, 0.1, True),
            rows(targets=GAIN, one_sided=GAIN) + equal(0, -0.4, 0.4, False),
        ),
        ("changes.single_gain", rows(targets=GAIN, hidden=NONE), rows(targets=GAIN, hidden=GAIN)),
    ],
)
def test_contrasts_turn_decisions(name: str, yes: list[dict[str, Any]], no: list[dict[str, Any]]) -> None:
    assert decision(name, {"example-1": arm()}, yes) is True
    assert decision(name, {"example-1": arm()}, no) is False


def deep(**kept: float) -> dict[str, Any]:
    """Networks of eight layers by what they keep of the signal."""
    return {
        f"depth8-{hidden}-ce": arm(block="depth", depth=8, gradient={"start": {"first_over_output": ratio}})
        for hidden, ratio in kept.items()
    }


def scored(block: str = "depth", depth: int = 8, **accuracies: tuple[float, float]) -> dict[str, Any]:
    """Networks of eight layers by the accuracy of their worst and best seed."""
    return {
        f"depth8-{hidden}-ce": arm(low, low, high, block=block, depth=depth, gradient={"start": {}})
        for hidden, (low, high) in accuracies.items()
    }


def slopes(example_1: float, targets: float) -> dict[str, Any]:
    values = {"example-1": example_1, "targets": targets}
    return {name: arm(saturation={"final": {"output_slope_other": slope}}) for name, slope in values.items()}


def places(own: float, shifted: float, low: float, far: float) -> dict[str, Any]:
    return {"low0": arm(own), "gap1-low-0.5": arm(shifted), "gap1-low-1": arm(low), "low-1": arm(far)}


def sgd(**scores: float) -> dict[str, Any]:
    """For each network two learning rates; the better one has this accuracy."""
    both = [(name.replace("_", "-"), score) for name, score in scores.items()]
    return {
        f"sgd-{name}-{rate}": arm(mean_epoch_accuracy=score - loss)
        for name, score in both
        for rate, loss in (("0.1", 0.0), ("1", 0.3))
    }


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        (
            "exactly.leads_on_the_way",
            {"cross-entropy": arm(mean_epoch_accuracy=0.9), "targets": arm(mean_epoch_accuracy=0.8)},
            {"cross-entropy": arm(mean_epoch_accuracy=0.8), "targets": arm(mean_epoch_accuracy=0.9)},
        ),
        (
            "right.mechanism_shows",
            {"saturated-cross-entropy": arm(0.9), "saturated-example-1": arm(0.8)},
            {"saturated-cross-entropy": arm(0.8), "saturated-example-1": arm(0.8)},
        ),
        (
            "saturated.mechanism_shows",
            {"saturated-cross-entropy": arm(0.9), "saturated-example-1": arm(0.8)},
            {"saturated-cross-entropy": arm(0.7), "saturated-example-1": arm(0.8)},
        ),
        ("right.gradients_vanish", deep(tanh=1, sigmoid=0.09), deep(tanh=1, sigmoid=0.11)),
        ("depth.compares_vanishing", deep(tanh=1, sigmoid=1), deep(tanh=1, relu=1)),
        ("depth.all_measured", deep(tanh=1, relu=1, sigmoid=1), deep(tanh=1, sigmoid=1)),
        ("depth.sigmoid_keeps_least", deep(tanh=2, relu=3, sigmoid=1), deep(tanh=2, relu=1, sigmoid=1)),
        ("depth.relu_keeps_less_than_tanh", deep(tanh=2, relu=1, sigmoid=3), deep(tanh=1, relu=1, sigmoid=3)),
        (
            "depth.relu_is_more_accurate",
            scored(tanh=(0.8, 0.9), relu=(0.91, 0.92), sigmoid=(0, 1)),
            scored(tanh=(0.8, 0.9), relu=(0.9, 0.92), sigmoid=(0, 1)),
        ),
        (
            "depth.relu_learns_no_worse",
            scored(tanh=(0.8, 0.9), relu=(0.7, 0.8), sigmoid=(0, 1)),
            scored(tanh=(0.8, 0.9), relu=(0.7, 0.79), sigmoid=(0, 1)),
        ),
        ("dose.place_counts", places(0.90, 0.92, 0.91, 0.93), places(0.91, 0.92, 0.91, 0.93)),
        ("dose.place_is_not_all", places(0.90, 0.92, 0.91, 0.93), places(0.90, 0.92, 0.91, 0.92)),
        ("dose.compares_places", places(0.9, 0.9, 0.9, 0.9), {"low0": arm(), "low-1": arm()}),
        (
            "dose.inside_is_better",
            {"inside-0.8": arm(0.98, 0.97, 0.99), "low-1": arm(0.96)},
            {"inside-0.8": arm(0.98, 0.96, 0.99), "low-1": arm(0.96)},
        ),
        (
            "dose.ends_are_better",
            {"inside-0.8": arm(0.95), "low-1": arm(0.96)},
            {"inside-0.8": arm(0.96), "low-1": arm(0.96)},
        ),
        (
            "dose.seeds_overlap",
            {"inside-0.8": arm(0.96), "low-1": arm(0.96)},
            {"inside-0.8": arm(0.95), "low-1": arm(0.96)},
        ),
        (
            "factorial.both_gain",
            {"example-1": arm(0.9), "cross-entropy": arm(0.91), "tanh-softmax-mse": arm(0.9)},
            {"example-1": arm(0.9), "cross-entropy": arm(0.90), "tanh-softmax-mse": arm(0.9)},
        ),
        (
            "factorial.mostly_output",
            {"example-1": arm(0.9), "cross-entropy": arm(0.94), "tanh-softmax-mse": arm(0.93)},
            {"example-1": arm(0.9), "cross-entropy": arm(0.94), "tanh-softmax-mse": arm(0.91)},
        ),
        ("confusions.compares", {"example-1": arm(), "example-3": arm()}, {"example-1": arm()}),
        ("reliability.maps_outputs", {"example-2": arm()}, {"example-1": arm()}),
        (
            "others.compares_calibration",
            {"example-1": arm(), "targets": arm(), "cross-entropy": arm()},
            {"example-1": arm(), "targets": arm()},
        ),
        (
            "sgd.example_1_behind",
            sgd(cross_entropy=0.9, example_1=0.8, targets=0.9),
            sgd(cross_entropy=0.8, example_1=0.9, targets=0.7),
        ),
        (
            "sgd.targets_behind",
            sgd(cross_entropy=0.9, example_1=0.9, targets=0.8),
            sgd(cross_entropy=0.8, example_1=0.7, targets=0.9),
        ),
    ],
)  # fmt: skip
def test_measures_of_arms_turn_decisions(name: str, yes: Arms, no: Arms) -> None:
    assert decision(name, yes) is True
    assert decision(name, no) is False


def test_the_slopes_and_the_gain_decide_together_whether_saturation_explains_the_deficit() -> None:
    gains, loses = rows(targets=GAIN), rows(targets=LOSS)
    assert decision("outputs.does_not_explain", slopes(0.9, 0.5), gains) is True
    assert decision("outputs.does_not_explain", slopes(0.5, 0.9), gains) is False
    assert decision("outputs.does_not_explain", slopes(0.9, 0.5), loses) is False
    assert decision("outputs.flatter", slopes(0.5, 0.9), gains) is False
    assert decision("outputs.better", slopes(0.9, 0.5), loses) is False
    assert decision("outputs", slopes(0.9, 0.5)) is None


@pytest.mark.parametrize(
    ("best", "stays", "accounts"), [(0.9751, True, False), (0.974, False, False), (0.972, False, True)]
)
def test_the_lead_at_the_best_rates_says_how_much_the_rate_accounts_for(
    best: float, stays: bool, accounts: bool
) -> None:
    arms = {"best-rate-example-1": arm(0.970), "best-rate-example-3": arm(best)}
    rates = decision("rates", arms, rows(recipe=GAIN) + equal(0, -0.1, 0.1, True))
    assert (rates.rate_closes_nothing, rates.rate_accounts_for_it) == (stays, accounts)
    assert rates.lead == pytest.approx(best - 0.970)


def run(arm: str, seed: int, accuracy: float, curve: Sequence[float] = ()) -> dict[str, Any]:
    by_epoch = {"test_accuracy_by_epoch": list(curve)}
    return {"arm": arm, "seed": seed, "test_accuracy": accuracy, "epochs": len(curve), **by_epoch}


def test_a_lead_is_over_the_seeds_that_both_arms_share_else_between_their_means() -> None:
    runs = [run("a", 1, 0.9), run("a", 2, 0.8), run("b", 2, 0.7), run("c", 3, 0.5)]
    measured = Measured(results({}, runs=runs))
    assert measured.lead("a", "b") == pytest.approx(0.1)
    assert measured.lead("a", "c") == pytest.approx(0.35)
    assert measured.lead("a", "d") is None


def test_each_hidden_layer_suits_its_own_output_only_if_both_lose_by_the_swap() -> None:
    names = ("example-1", "cross-entropy", "cross-entropy-read-by-example-1", "example-1-read-by-cross-entropy")
    for scores, suits in (((0.9, 0.9, 0.8, 0.8), True), ((0.9, 0.9, 0.9, 0.8), False), ((0.9, 0.9, 0.8, 0.9), False)):
        runs = [run(name, 1, score) for name, score in zip(names, scores, strict=True)]
        assert view(results({}, runs=runs)).readouts.each_suits_its_own is suits


def test_the_last_quarter_of_the_long_runs_is_averaged() -> None:
    first, second = [0.1] * 6 + [0.90, 0.92], [0.9] * 6 + [0.93, 0.91]
    runs = [run("long-example-1", 1, 0.92, first), run("long-cross-entropy", 1, 0.91, second)]
    runs.append(run("example-1", 1, 0.9, [0.9] * 4))
    long = view(results({}, runs=runs)).long
    assert long is not None
    assert (long.epochs, long.averaged, long.times_as_long, long.still_ahead) == (8, 2, 2.0, True)
    assert [long.lead, long.lowest, long.highest] == pytest.approx([0.01, -0.01, 0.03])
    turned = [run("long-example-1", 1, 0.91, second), run("long-cross-entropy", 1, 0.92, first)]
    assert decision_of_runs("long.still_ahead", turned) is False


def test_numbers_of_the_prose_are_computed_by_hand() -> None:
    arms = {
        "example-1": arm(0.96, first_epoch_at={"0.97": [5, None, 3]}, block="long", seeds=[1]),
        "example-3": arm(0.98, first_epoch_at={"0.97": [None, None, None]}, block="sgd", seeds=[1]),
        "other": arm(),
    }
    v = view(results(arms))
    assert v.fewer_errors == pytest.approx(0.5)  # 0.02 against 0.04
    assert (v.confusions.example_1, v.confusions.example_3) == (400, 200)
    assert v.limits.single_seed_blocks == ("long", "sgd")
    assert [(row.reaching, row.first_epoch) for row in v.learning_curves.examples] == [(2, 3), (0, None)]
    assert decision("sgd.example_1_gap", sgd(cross_entropy=0.8, example_1=0.9, targets=0.9)) == pytest.approx(0.1)


def test_a_gain_over_seeds_that_other_images_could_undo_is_uncertain() -> None:
    certain, uncertain = contrast("targets", *GAIN), contrast("hidden", *GAIN, bootstrap=[0.0, 0.02])
    changes = view(results({}, [certain, uncertain, contrast("output", *LOSS)])).changes
    assert (changes.number, changes.gains) == (3, 2)
    assert [change.name for change in changes.uncertain] == ["hidden"]


def test_the_hidden_layer_gains_more_in_the_replication_only_if_the_intervals_do_not_overlap() -> None:
    contrasts = rows(targets=GAIN, hidden=(0.1, 0.0, 0.2), recipe=GAIN)
    for low, more in ((0.21, True), (0.2, False)):
        other = results({}, rows(targets=GAIN, hidden=(0.5, low, 0.8), recipe=GAIN))
        replication = view({**results({}, contrasts), "replications": {"digits": other}}).replication
        assert replication is not None
        assert replication.hidden_gains_more is more


def test_without_any_measurement_every_part_is_there_and_decides_nothing() -> None:
    v = view(results({}))
    assert (v.recipe, v.replication, v.long, v.outputs, v.rates, v.sgd, v.fewer_errors) == (None,) * 7
    parts = [part for part in vars(v).values() if hasattr(part, "__dataclass_fields__")]
    assert len(parts) > 10
    assert not [value for part in parts for value in vars(part).values() if value is True]


# ---------------------------------------------------------------------------------------------- the page's view


LEDGER = ledgers.load(fixture.LEDGER)


def rows_of(found: dict[str, Any], **options: Any) -> tuple[page.ClaimRow, ...]:
    """The rows of this article's claims; `options`: recorded, robustness."""
    figures = {figure.name: figure for figure in fixture.draw(found, pictures=False)}
    options = {"recorded": {}, "robustness": {}, **options}
    return page.claim_rows(found, figures, judge(LEDGER, found), questions={}, ledger=LEDGER, **options)


def page_of(found: dict[str, Any], **options: Any) -> page.PageView:
    figures = {figure.name: figure for figure in fixture.draw(found, pictures=False)}
    labels = render.load_prose(fixture.PROSE).changes
    return page.page_view(found, figures, rows_of(found, **options), {}, labels, {}, LEDGER)


def test_notices_follow_the_results(results: dict) -> None:
    def notices(dataset: Mapping[str, Any] = {}, **changed: Any) -> page.Notices:
        return page.notices({**results, **changed, "dataset": {**results["dataset"], **dataset}})

    usual = notices()
    assert (usual.being_measured, usual.stand_in, usual.other_data, usual.unfinished) == (False,) * 4
    assert notices({"measuring": True}).being_measured
    assert notices({"fallback": "no network"}).stand_in
    assert notices({"name": "digits"}).other_data
    assert notices(runs_expected=31).unfinished
    assert notices(runs_missing={"depth": 3}).missing == {"depth": 3}


def test_the_data_sets_facts_are_computed() -> None:
    assert page.data({"name": "mnist", "test_images": 10_000}) == page.Data(True, True, 0.0001)
    assert page.data({"name": "digits", "test_images": 500}) == page.Data(False, True, 0.002)
    assert page.data({"name": "kinds", "test_images": 100}) == page.Data(False, False, 0.01)


def test_a_contrast_that_is_not_measured_has_a_row_without_numbers(results: dict) -> None:
    measured, *others = page.contrast_rows(results)
    assert measured.difference is not None
    assert measured.difference.mean == pytest.approx(0.013)
    assert others[0] == page.ContrastRow(others[0].question, None)
    half = {**results["contrasts"][0], "mcnemar_share": 0.7}
    assert page.contrast_rows({"contrasts": [half]})[0].told_apart == 7


def test_claims_have_their_evidence_and_figures_in_rows(results: dict) -> None:
    found = page_of(results)
    parts = [part for row in found.claims for part in row.parts]
    assert [row.number for row in found.claims] == [*range(1, len(found.claims) + 1)]
    assert {row.stated.verdict for row in found.supported} <= {"supported"}
    assert all(row.label[0] == row.label[0].upper() for part in parts for row in part.evidence)
    assert any(row.seeds for part in parts for row in part.evidence)
    drawn = {figure.name for figure in fixture.draw(results, pictures=False)}
    assert {name for row in found.claims for name, _ in row.figures} <= drawn
    assert not found.single_claim


def test_the_two_parts_of_a_claim_say_what_they_ask(results: dict) -> None:
    rows = page_of(results).claims
    assert {row.stated.label for row in rows} == {"as the article has it"}
    assert {row.general.label for row in rows} == {"the reason", "in general"}
    for row in rows:
        assert row.asked == tuple(part for part in row.parts if not part.question.none)


def test_several_numbers_have_letters_for_the_rule_and_a_single_one_has_none(results: dict) -> None:
    for row in page_of(results).claims:
        for part in row.parts:
            letters = [number.letter for number in part.evidence]
            assert letters == ([""] if len(letters) == 1 else [f"({'abcdefghijkl'[n]})" for n in range(len(letters))])


def test_a_threshold_is_shown_in_the_unit_of_what_it_is_compared_with(results: dict) -> None:
    thresholds = {row.name: row for row in page_of(results).thresholds}
    assert thresholds["matters"].value == "0.25 points"
    assert thresholds["matters"].reason == LEDGER.thresholds["matters"].reason


def test_a_verdict_on_the_record_is_in_a_row_only_if_it_is_another_one(results: dict) -> None:
    recorded = {
        judged.claim.id: {part: verdict.verdict for part, verdict in judged.verdicts.items()}
        for judged in judge(LEDGER, results)
    }
    recorded[LEDGER.claims[0].id]["general"] = "another"
    rows = rows_of(results, recorded=recorded)
    assert [part.verdict_on_record for row in rows for part in row.parts] == [
        "",
        "another",
        *[""] * (2 * len(rows) - 2),
    ]
    comparison = {"recorded": "2026-01-01", "processors": ["P"], "contrasts": [{"agree": True}, {"agree": False}]}
    record = page.record({**results, "record_comparison": comparison}, rows, recorded)
    assert record is not None
    assert (record.agreeing, record.compared) == (1, 2)
    assert record.verdicts == sum(not question.none for claim in LEDGER.claims for question in claim.parts.values())
    assert record.turned == rows[:1]


def test_robustness_is_with_its_question_and_a_close_call_says_so(results: dict) -> None:
    close = {"seeds": 0.8, "images": None, "half": "supported", "twice": "supported", "endpoints": {}, "fashion": None}
    claim = LEDGER.claims[0].id
    found = page_of(results, robustness={claim: {"general": {**close, "close": True}}})
    assert (found.claims[0].stated.robustness, found.claims[0].stated.close) == (None, False)
    assert (found.claims[0].general.robustness["seeds"], found.claims[0].general.close) == (0.8, True)
    assert found.has_close
    assert not page_of(results).has_close


def test_a_contrast_is_uncertain_where_only_its_bootstrap_interval_includes_0() -> None:
    of = "contrast targets interval 0"
    for low, high, uncertain in ((-0.1, 2, True), (0.1, 2, False)):
        row = contrast("targets", *GAIN, bootstrap=[low / 100, high / 100])
        assert bool(page._uncertain(Measured(results({}, [row])), of)) is uncertain
    assert page._uncertain(Measured(results({}, [contrast("targets", *NONE)])), of) is None
    assert page._uncertain(Measured(results({})), "arm a b") is None


def test_arms_are_listed_by_name_with_their_runs_latest_day(results: dict) -> None:
    rows = page.arm_rows(results)
    assert [row.name for row in rows] == ["example-1", "example-2", "example-3"]
    first = rows[0]
    assert (first.layers, first.schedule, first.loss, first.held_out) == (None, "", "mean squared error", 0)
    assert (first.scores[0].seed, round(first.scores[0].percent, 9), first.scores[0].diverged) == (100, 96.5, False)
    assert first.finished == "2026-01-01 00:00"
    runs = [{**run, "depth": 8, "schedule": "cosine", "diverged_epoch": 2} for run in results["runs"]]
    deep = page.arm_rows({**results, "runs": runs})[0]
    assert (deep.layers, deep.schedule, deep.scores[0].diverged) == (8, "cosine", True)
    for hidden, layers in (("tanh, leaky_relu", None), ("relu(max_value=6.0, threshold=1.0)", 2)):
        runs = [{**run, "depth": 2, "hidden": hidden} for run in results["runs"]]
        row = page.arm_rows({**results, "runs": runs})[0]
        assert (row.hidden, row.layers) == (hidden.replace("_", " "), layers)


# ---------------------------------------------------------------------------------------------- an article's view.py


def test_the_view_beside_the_claims_is_loaded_by_its_path(tmp_path: Path) -> None:
    assert page.load(tmp_path)({}) is None
    (tmp_path / "view.py").write_text("def view(results):\n    return results['n'] > 1\n")
    assert page.load(tmp_path)({"n": 2}) is True


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x = 1\n", "view.py: has no function 'view'"),
        ("view = 1\n", "view.py: has no function 'view'"),
        ("x = 1\n{}['y']\n", "view.py:2: KeyError: 'y'"),
        ("x = 1\n1 / 0\n", "view.py:2: "),
        ("import sys\nsys.exit(0)\n", "view.py:2: SystemExit: 0"),
        ("def view(results):\n    raise SystemExit(0)\n", "view.py:2: SystemExit: 0"),
        ("def view(:\n", "view.py:1: "),
        ("def view(results):\n    return 1 / results['n']\n", "view.py:2: ZeroDivisionError: "),
    ],
)
def test_a_mistake_in_a_view_is_one_line_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "view.py").write_text(text)
    with pytest.raises(UserError) as error:
        page.load(tmp_path)({"n": 0})
    assert expected in str(error.value)
    assert "\n" not in str(error.value)


# ---------------------------------------------------------------------------------------------- templates only say

MAX_LOGIC = 160  # characters inside of tags on one line
CHOOSING = {  # filters that only give a value its form
    *("percent", "points", "p_value", "measure", "thousands", "count", "signed", "setting"),
    *("share", "ratio", "in_unit"),
    *("css_class", "csp_hash", "listed", "length", "capitalize", "join", "striptags", "truncate", "default", "tojson"),
    *("format", "urlencode", "in_unit"),
}
CALLS = {"math", "written", "has", "items", "values", "get", "linked_data"}


def decisions(source: str) -> list[str]:
    """What a template computes, compares or calls, with the line; `not` and `is none` ask only whether it is there."""
    found = []
    for node in Environment().parse(source).find_all(nodes.Node):
        match node:
            case nodes.Concat() | nodes.Not():
                pass
            case nodes.BinExpr() | nodes.UnaryExpr() | nodes.Compare():
                found.append(f"{node.lineno}: {type(node).__name__}")
            case nodes.Test(name=name) if name != "none":
                found.append(f"{node.lineno}: is {name}")
            case nodes.Filter(name=name) if name not in CHOOSING:
                found.append(f"{node.lineno}: |{name}")
            case nodes.Call(node=called) if getattr(called, "name", getattr(called, "attr", "")) not in CALLS:
                found.append(f"{node.lineno}: a call")
            case nodes.Assign(node=value) if not is_path(value):
                found.append(f"{node.lineno}: set")
    return found


def is_path(node: nodes.Node) -> bool:
    """Whether an expression only names a value: a.b["c"][0]."""
    while isinstance(node, nodes.Getattr | nodes.Getitem):
        node = node.node
    return isinstance(node, nodes.Name)


def long_lines(source: str) -> list[int]:
    """The lines with more than MAX_LOGIC characters inside of {{ }} and {% %}."""
    logic = [sum(map(len, re.findall(r"\{\{.*?\}\}|\{%.*?%\}", line))) for line in source.splitlines()]
    return [number for number, length in enumerate(logic, 1) if length > MAX_LOGIC]


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: path.name)
def test_a_template_decides_nothing_and_has_no_long_line_of_logic(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert decisions(source) == []
    assert long_lines(source) == []


@pytest.mark.parametrize(
    "source",
    [
        "{{ a + 1 }}",
        "{{ -a }}",
        "{% if a > b %}{% endif %}",
        "{% if a == 'b' %}{% endif %}",
        "{% if a and b %}{% endif %}",
        "{% if a is defined %}{% endif %}",
        "{% set a = b|length %}",
        "{{ a|sum }}",
        "{{ lead(a, b) }}",
    ],
)
def test_a_decision_in_a_template_is_found(source: str) -> None:
    assert decisions(source)


def test_a_long_line_of_logic_is_found() -> None:
    assert long_lines("{{ a }}\n" + "{{ value|share }} " * 10 + "\n") == [2]
    assert long_lines("words " * 100 + "{{ a }}") == []
