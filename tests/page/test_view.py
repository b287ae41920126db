"""The view models: each decision is turned by numbers, and templates decide nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import reduce
from pathlib import Path
from typing import Any

import pytest
from jinja2 import Environment, nodes

from experiments.files.errors import UserError
from report.claims import load as ledgers
from report.claims.model import Verdict
from report.claims.verdicts import judge, judge_predictions
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


def run(arm: str, seed: int, accuracy: float, curve: Sequence[float] = (), **more: Any) -> dict[str, Any]:
    by_epoch = {"test_accuracy_by_epoch": list(curve)}
    return {"arm": arm, "seed": seed, "test_accuracy": accuracy, "epochs": len(curve), **by_epoch, **more}


RATED = [
    run(f"best-rate-{arm}", 1, 0.9, learning_rate=0.001, schedule="constant") for arm in ("example-1", "cross-entropy")
]
LEVEL = equal(0, -0.1, 0.1, True)  # which has the margin of a quarter of a point, too
SMALL, HALF = (0.2, 0.1, 0.3), (0.5, 0.4, 0.6)
WALL = ("wall_4", "wall_quarter", "wall_sixteenth", "wall_0")


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        ("recipe.positive", rows(recipe=GAIN), rows(recipe=NONE)),
        ("recipe.negative", rows(recipe=LOSS), rows(recipe=NONE)),
        ("targets.includes_zero", rows(targets=NONE), rows(targets=LOSS)),
        ("equivalence.favours_first", equal(0.1, -0.1, 0.2, True), equal(-0.1, -0.2, 0.1, True)),
        ("targets_close_gap", rows(recipe=GAIN, targets=(0.51, 0.1, 0.9)), rows(recipe=GAIN, targets=(0.5, 0.1, 0.9))),
        ("targets_close_gap", rows(recipe=GAIN, targets=GAIN), rows(recipe=GAIN, targets=(0.9, -0.1, 1.9))),
        ("answer.undershooting_costs", rows(targets=GAIN, one_sided=GAIN), rows(targets=GAIN, one_sided=NONE)),
        ("answer.undershooting_costs", rows(targets=GAIN, one_sided=GAIN), rows(targets=NONE, one_sided=GAIN)),
        ("answer.tanh_is_incidental", rows(linear_one_sided=GAIN), rows(linear_one_sided=NONE)),
        ("right.advice_holds", rows(loss=GAIN), rows(loss=NONE)),
        ("right.names_the_place", rows(sigmoid_output=GAIN), rows(sigmoid_output=NONE)),
        ("right.leads_repeat", rows(recipe=GAIN, loss=GAIN), rows(recipe=NONE, loss=GAIN)),
        ("right.leads_repeat", rows(recipe=GAIN, loss=GAIN), rows(recipe=GAIN, loss=NONE)),
        ("why.answers", rows(targets=NONE, one_sided=NONE, loss=NONE), rows(targets=NONE, one_sided=NONE)),
        ("why.no_deficit", rows(recipe=NONE), rows(recipe=GAIN)),
        (
            "why.tells_gain",
            rows(targets=GAIN, one_sided=GAIN, loss=GAIN),
            rows(targets=GAIN, one_sided=NONE, loss=GAIN),
        ),
        (
            "why.closes_most",
            rows(loss=GAIN, targets=(0.51, 0.4, 0.6), one_sided=GAIN),
            rows(loss=GAIN, targets=HALF, one_sided=GAIN),
        ),
        ("why.compares_bounded", rows(softmax_output=NONE, sigmoid_output=NONE), rows(softmax_output=NONE)),
        ("why.compares_linear", rows(output=NONE, linear_one_sided=NONE), rows(output=NONE)),
        ("why.linear_gap_stays", rows(targets=GAIN, output=(0.49, 0, 1)), rows(targets=GAIN, output=HALF)),
        ("changes.single_gain", rows(targets=GAIN, hidden=NONE), rows(targets=GAIN, hidden=GAIN)),
        ("wall.rises", rows(**dict.fromkeys(WALL, GAIN)), rows(**{**dict.fromkeys(WALL, GAIN), "wall_quarter": LOSS})),
        ("wall.sigmoid_loses", rows(sigmoid_undershoots=GAIN), rows(sigmoid_undershoots=NONE)),
        (
            "wall.shams_help_less",
            rows(wrong_half=SMALL, one_sided=GAIN, overshoot_free=SMALL, linear_one_sided=GAIN),
            rows(wrong_half=SMALL, one_sided=GAIN, overshoot_free=HALF, linear_one_sided=GAIN),
        ),
        (
            "wall.sham_is_weak",
            rows(wrong_half=SMALL, wall_quarter=SMALL),
            rows(wrong_half=HALF, wall_quarter=SMALL),
        ),
        (
            "wall.half_decides",
            [*rows(sigmoid_undershoots=GAIN, sigmoid_half=(0.4, 0.25, 0.6)), *LEVEL],
            [*rows(sigmoid_undershoots=GAIN, sigmoid_half=(0.4, 0.26, 0.6)), *LEVEL],
        ),
        (
            "wall.half_decides",
            [*rows(sigmoid_undershoots=(1.0, 0.26, 1.5), sigmoid_half=SMALL), *LEVEL],
            [*rows(sigmoid_undershoots=(1.0, 0.25, 1.5), sigmoid_half=SMALL), *LEVEL],
        ),
        ("factorial.both_gain", rows(loss=GAIN), rows(loss=NONE)),
        (
            "rates.rate_accounts_for_it",
            [*rows(best_rate=(0.25, 0, 1)), *LEVEL],
            [*rows(best_rate=(0.26, 0, 1)), *LEVEL],
        ),
        (
            "sgd.example_1_behind",
            rows(best_sgd=GAIN, best_sgd_targets=LOSS),
            rows(best_sgd=LOSS, best_sgd_targets=GAIN),
        ),
        ("sgd.targets_behind", rows(best_sgd=LOSS, best_sgd_targets=GAIN), rows(best_sgd=GAIN, best_sgd_targets=LOSS)),
    ],
)
def test_contrasts_turn_decisions(name: str, yes: list[dict[str, Any]], no: list[dict[str, Any]]) -> None:
    for contrasts, decided in ((yes, True), (no, False)):
        found = view(results({"example-1": arm()}, contrasts, RATED))
        assert reduce(getattr, name.split("."), found) is decided


def deep(**kept: float) -> dict[str, Any]:
    """Networks of eight layers by what they keep of the signal."""
    return {
        f"depth8-{hidden.replace('_', '-')}-mse": arm(
            block="depth", depth=8, gradient={"start": {"first_over_output": ratio}}
        )
        for hidden, ratio in kept.items()
    }


def slopes(example_1: float, targets: float) -> dict[str, Any]:
    values = {"example-1": example_1, "targets": targets}
    return {name: arm(saturation={"final": {"output_slope_other": slope}}) for name, slope in values.items()}


def started(example_1: float, targets: float, cross_entropy: float, name: str = "saturated") -> dict[str, Any]:
    values = {"example-1": example_1, "targets": targets, "cross-entropy": cross_entropy}
    return {f"{name}-{recipe}": arm(accuracy) for recipe, accuracy in values.items()}


def kept_flat(slope: float, example_1: float, cross_entropy: float) -> dict[str, Any]:
    """Example 1's output slope at the start, and the shares of saturated hidden units at the end."""
    arms = hidden(example_1, 0, cross_entropy)
    arms["example-1"]["saturation"]["start"] = {"output_slope_other": slope}
    return arms


def hidden(example_1: float, targets: float, cross_entropy: float) -> dict[str, Any]:
    values = {"example-1": example_1, "targets": targets, "cross-entropy": cross_entropy}
    return {name: arm(saturation={"final": {"hidden": [share]}}) for name, share in values.items()}


@pytest.mark.parametrize(
    ("name", "yes", "no"),
    [
        (
            "exactly.leads_on_the_way",
            {"cross-entropy": arm(mean_epoch_accuracy=0.9), "targets": arm(mean_epoch_accuracy=0.8)},
            {"cross-entropy": arm(mean_epoch_accuracy=0.8), "targets": arm(mean_epoch_accuracy=0.9)},
        ),
        ("right.mechanism_shows", started(0.8, 0.95, 0.9), started(0.9, 0.8, 0.9)),
        (
            "right.hidden_ends_saturated",
            kept_flat(0.51, 0.8, 0.7),
            kept_flat(0.49, 0.8, 0.7),
        ),
        ("right.hidden_ends_saturated", kept_flat(0.51, 0.8, 0.7), kept_flat(0.51, 0.8, 0.8)),
        ("saturated.sgd.shows", started(0.8, 0.95, 0.9), started(0.9, 0.8, 0.9)),
        ("right.gradients_vanish", deep(tanh=1, sigmoid=0.09), deep(tanh=1, sigmoid=0.11)),
        ("depth.compares_vanishing", deep(tanh=1, sigmoid=1), deep(tanh=1, relu=1)),
        ("depth.all_measured", deep(tanh=1, relu=1, sigmoid=1, relu_he=1), deep(tanh=1, relu=1, sigmoid=1)),
        ("depth.sigmoid_keeps_least", deep(tanh=2, relu=3, sigmoid=1), deep(tanh=2, relu=1, sigmoid=1)),
        ("depth.relu_keeps_less_than_tanh", deep(tanh=2, relu=1), deep(tanh=1, relu=1)),
        ("depth.he_keeps_more", deep(relu_he=2, relu=1), deep(relu_he=1, relu=1)),
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
            "saturated.both",
            started(0.8, 0.8, 0.9) | started(0.8, 0.8, 0.9, "saturated-adam"),
            started(0.8, 0.8, 0.9) | started(0.9, 0.8, 0.9, "saturated-adam"),
        ),
        (
            "training.loses_less",
            {"example-1": arm(generalization_gap=0.01), "cross-entropy": arm(generalization_gap=0.02)},
            {"example-1": arm(generalization_gap=0.02), "cross-entropy": arm(generalization_gap=0.02)},
        ),
        ("training.compares_saturation", hidden(0, 0, 0), {"example-1": arm(saturation={"final": {"hidden": [1]}})}),
        ("confusions.compares", {"example-1": arm(), "example-3": arm()}, {"example-1": arm()}),
        (
            "confusions.compares_always",
            {"example-1": arm(always_wrong=1), "example-3": arm(always_wrong=0)},
            {"example-1": arm(always_wrong=1), "example-3": arm(always_wrong=None)},
        ),
        ("reliability.maps_outputs", {"example-2": arm()}, {"example-1": arm()}),
        (
            "others.compares_calibration",
            {"example-1": arm(), "targets": arm(), "cross-entropy": arm()},
            {"example-1": arm(), "targets": arm()},
        ),
    ],
)
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


def networks(**pushes: Mapping[str, Any]) -> dict[str, Any]:
    """Results of Example 1 and of others on lower targets, with the push that is given of each."""
    arms = {
        name: arm(
            **{"block": "dose", "output": "tanh", "loss": "mean_squared_error", "low_target": -0.1 * place, **more},
            other_outputs={"counts": [1] * 60},
            push={"below_target": 0.4, "below_target_mean": 0.002, "ahead": 0.0, **push},
        )
        for place, (name, push) in enumerate({key.replace("_", "-"): value for key, value in pushes.items()}.items())
        for more in [{"loss": "one_sided_mean_squared_error", "low_target": 0.0} if name == "one-sided" else {}]
    }
    return {**results(arms), "runs": [run(name, seed, 0.97, [0.97]) for name in arms for seed in (1, 2)]}


def test_errors_are_counted_over_shared_seeds_beside_those_of_all_seeds() -> None:
    found = networks(example_1={}, one_sided={})
    found["arms"]["example-1"] |= {"seeds": [1, 2, 3], "test_accuracy": {"mean": 0.9, "min": 0.9, "max": 0.9}}
    found["runs"] = [
        *[run("example-1", seed, accuracy) for seed, accuracy in ((1, 0.96), (2, 0.97), (3, 0.77))],
        *[run("one-sided", seed, 0.98) for seed in (1, 2)],
    ]
    told = view(found).push_back
    assert told is not None
    assert (told.errors, told.free_errors, told.seeds, told.all_errors, told.all_seeds) == (350, 200, 2, 1000, 3)
    assert told.helps
    found["runs"][-1]["test_accuracy"] = found["runs"][-2]["test_accuracy"] = 0.965
    assert not view(found).push_back.helps  # as many errors


def test_low_outputs_are_harmless_if_at_most_one_in_a_hundred_could_decide_an_answer() -> None:
    for ahead, told in ((None, None), (0.01, 0.01), (0.011, None)):
        assert view(networks(example_1={"ahead": ahead}, one_sided={})).push_back.ahead == told


def test_a_network_pushes_up_less_if_there_is_some_push_of_that_kind_and_it_is_weaker() -> None:
    for sizes, told in (({"weaker": 0.001, "none": 0.0}, True), ({"as_strong": 0.002, "none": 0.0}, False)):
        found = networks(example_1={}, **{name: {"below_target_mean": size} for name, size in sizes.items()})
        assert view(found).push_back.weaker is told
    assert view(networks(example_1={"below_target_mean": 0.0}, weaker={})).push_back.weaker is False


@pytest.mark.parametrize(
    ("accuracies", "told"), [((0.96, 0.97, 0.98), True), ((0.98, 0.97, 0.99), False), ((0.96, 0.97, 0.95), False)]
)
def test_push_and_distance_both_count_if_weaker_pushes_and_wider_targets_go_with_fewer_errors(
    accuracies: Sequence[float], told: bool
) -> None:
    found = networks(example_1={}, one_sided={"below_target_mean": 0.0}, targets={"below_target_mean": 0.0})
    found["arms"]["targets"] |= {"low_target": -1.0}
    scores = dict(zip(found["arms"], accuracies, strict=True))
    found["runs"] = [run(name, seed, scores[name]) for name in scores for seed in (1, 2)]
    assert view(found).push_back.both_count is told


def test_targets_at_the_ends_only_lower_outputs_if_no_push_lifts_one() -> None:
    for lifted, told in ((0.0, True), (0.001, False)):
        assert view(networks(example_1={}, targets={"below_target": lifted})).push_back.ends_only_lower is told
    assert view(networks(example_1={}, one_sided={})).push_back.ends_only_lower is False


def test_without_a_second_network_or_without_its_push_nothing_is_said_of_the_push() -> None:
    assert view(networks(example_1={})).push_back is None
    assert view(networks(example_1={"below_target_mean": None}, one_sided={})).push_back is None


def moments(article: Sequence[float], free: Sequence[float]) -> dict[str, Any]:
    """Results of the two networks, whose outputs for the 4 end so."""
    arms = {
        name: arm(digit_outputs={when: {"mean": outputs} for when in ("start", "final")})
        for name, outputs in (("example-1", article), ("one-sided", free))
    }
    return {**results(arms), "runs": [run(name, 1, 0.97, [0.97]) for name in arms]}


def test_the_outputs_for_the_digit_decide_whether_both_networks_answer_and_which_one_sinks() -> None:
    right, low = [0.0] * 4 + [0.9] + [0.004] * 5, [-0.9] * 4 + [0.9] + [-0.5] * 5
    told = view(moments(right, low)).one_digit
    assert (told.article, told.free, told.both_answer, told.sinks) == (0.0, -0.68, True, True)
    assert not view(moments(low, right)).one_digit.sinks
    assert not view(moments([0.95, *right[1:]], low)).one_digit.both_answer
    assert view(moments([None, *right[1:]], low)).one_digit is None


def test_hidden_saturation_is_tested_by_relu_only_where_example_1_has_most_of_it() -> None:
    for shares, tested in (((0.8, 0.7, 0.6), True), ((0.8, 0.8, 0.6), False), ((0.8, 0.7, 0.8), False)):
        assert decision("training.relu_tests_it", hidden(*shares), rows(hidden=NONE)) is tested
        assert decision("training.relu_tests_it", hidden(*shares)) is False


def test_a_deficit_is_one_of_fitting_if_the_lead_on_the_training_images_is_above_the_margin() -> None:
    for lead, fitting in ((0.0026, True), (0.0024, False)):
        scores = {"example-1": 0.98, "cross-entropy": 0.98 + lead}
        arms = {name: arm(training_accuracy={"mean": score}) for name, score in scores.items()}
        training = decision("training", arms, LEVEL)
        assert training.is_fitting is fitting
        assert training.lead == pytest.approx(lead)
        assert [row.arm for row in training.fitted] == ["example-1", "cross-entropy"]


def test_the_exact_readout_wins_back_less_than_half_of_the_gap_or_not() -> None:
    for gain, less in ((0.0049, True), (0.0051, False)):
        arms = {"example-1": arm(0.96, least_squares_accuracy={"mean": 0.96 + gain})}
        readouts = decision("readouts", arms, rows(loss=GAIN, reread=SMALL))
        assert readouts.wins_back_less is less
        assert readouts.least_squares == pytest.approx(gain)
        assert decision("readouts.wins_back_less", arms, rows(loss=GAIN, reread=HALF)) is False


def held_out(accuracy: float, rate: float, schedule: str = "constant") -> dict[str, Any]:
    return arm(held_out_accuracy={"mean": accuracy}, learning_rate=rate, schedule=schedule)


def test_a_choice_of_the_rate_has_what_was_tried_and_what_did_as_well_on_the_held_out_images() -> None:
    arms = {
        "rate-example-1-0.001": held_out(0.1 + 0.2, 0.001),
        "rate-example-1-0.003": held_out(0.2, 0.003),
        "rate-example-1-cosine": held_out(0.3, 0.001, "cosine"),
        "rate-cross-entropy-0.001": held_out(0.31, 0.001),
        "rate-cross-entropy-0.003": held_out(0.32, 0.003),
    }
    runs = [
        run("best-rate-example-1", 1, 0.9, learning_rate=0.001, schedule="constant"),
        run("best-rate-cross-entropy", 1, 0.9, learning_rate=0.003, schedule="constant"),
    ]
    rates = view(results(arms, rows(best_rate=GAIN), runs)).rates
    assert rates is not None
    own, other = rates.choices
    assert [(setting.rate, setting.schedule) for setting in own.ties] == [(0.001, "cosine")]
    assert (own.arm, own.chosen.rate, other.arm, other.chosen.rate) == ("example-1", 0.001, "cross-entropy", 0.003)
    assert (other.ties, rates.tried, rates.seeds) == ((), 3, 2)
    assert (rates.held_out, rates.held_out_usual) == pytest.approx((0.02, 0.01))


def test_held_out_leads_are_smaller_only_if_both_are() -> None:
    scores = {"rate-example-1-0.001": 0.9, "rate-cross-entropy-0.001": 0.901, "rate-cross-entropy-0.003": 0.902}
    arms = {name: held_out(score, 0.001) for name, score in scores.items()}
    best = [run(f"best-rate-{n}", 1, 0.9, learning_rate=0.1, schedule="") for n in ("example-1", "cross-entropy")]
    for best_rate, usual, smaller in (((0.3, 0, 1), 0.002, True), ((0.1, 0, 1), 0.002, False), (GAIN, 0.0005, False)):
        runs = [*best, run("tanh-tanh-mse", 1, 0.9), run("tanh-softmax-ce", 1, 0.9 + usual)]
        rates = view(results(arms, rows(best_rate=best_rate), runs)).rates
        assert rates is not None
        assert rates.held_out_is_smaller is smaller


def test_choosing_a_rate_closes_little_if_more_than_half_of_the_lead_on_the_same_seeds_stays() -> None:
    runs = [run("tanh-tanh-mse", 1, 0.9), run("tanh-softmax-ce", 1, 0.91), run("cross-entropy", 1, 0.95)]
    for lead, little in (((0.51, 0.4, 0.6), True), (HALF, False)):
        rates = view(results({}, rows(best_rate=lead), runs)).rates
        assert rates is not None
        assert rates.rate_closes_little is little
        assert rates.usual == pytest.approx(0.01)


def test_all_chose_a_rate_under_sgd_only_if_it_is_the_same_one_of_the_same() -> None:
    contrasts = rows(best_sgd=GAIN, best_sgd_targets=GAIN)
    names = ("example-1", "targets", "cross-entropy")
    arms = {f"sgd-{name}-{rate:g}": held_out(rate, rate) for name in names for rate in (0.1, 0.3)}
    for last, same in ((0.3, True), (0.1, False)):
        rates = dict(zip(names, (0.3, 0.3, last), strict=True))
        runs = [run(f"best-sgd-{name}", 1, 0.9, learning_rate=r, schedule="constant") for name, r in rates.items()]
        sgd = view(results(arms, contrasts, runs)).sgd
        assert sgd is not None
        assert len(sgd.choices) == 3
        assert bool(sgd.all_chose) is same


def test_a_linear_output_with_relu_is_a_share_only_where_both_gain() -> None:
    for gain, lead, share in ((0.006, 0.01, 0.6), (0.006, -0.01, None), (-0.006, 0.01, None)):
        scores = {"relu-tanh-mse": 0.9, "relu-linear-mse": 0.9 + gain, "relu-softmax-ce": 0.9 + lead}
        linear = decision_of_runs("linear_with_relu", [run(name, 1, score) for name, score in scores.items()])
        assert (linear.gain, linear.share) == (pytest.approx(gain), share and pytest.approx(share))


def test_a_linear_output_matters_more_with_relu_if_it_is_a_larger_share_there() -> None:
    runs = [run("relu-tanh-mse", 1, 0.9), run("relu-linear-mse", 1, 0.906), run("relu-softmax-ce", 1, 0.91)]
    for output, more in (((0.59, 0, 1), True), ((0.61, 0, 1), False)):
        assert view(results({}, rows(output=output, loss=GAIN), runs)).linear_with_relu.more is more


def test_what_a_sigmoid_loses_by_nearness_is_a_share_only_where_both_lose() -> None:
    wall = decision("wall", {}, rows(sigmoid_undershoots=GAIN, sigmoid_half=(0.4, 0.2, 0.6)))
    assert (wall.half_loses, wall.nearness) == pytest.approx((0.006, 0.6))
    assert decision("wall.nearness", {}, rows(sigmoid_undershoots=GAIN, sigmoid_half=(1.1, 0.2, 2.0))) is None
    assert decision("wall.nearness", {}, rows(sigmoid_undershoots=NONE, sigmoid_half=LOSS)) is None


def test_features_depend_on_the_reader_only_if_one_prefers_example_1_and_another_does_not() -> None:
    for exact, depends in ((0.96, True), (0.91, False)):
        arms = {
            "example-1": arm(least_squares_accuracy={"mean": exact}),
            "cross-entropy": arm(least_squares_accuracy={"mean": 0.95}),
            "tanh-tanh-mse": arm(0.90),
            "cross-entropy-read-by-example-1": arm(0.92),
            "example-1-read-by-cross-entropy": arm(0.91),
            "tanh-softmax-ce": arm(0.95),
        }
        assert decision("readouts.depends", arms) is depends
        del arms["tanh-tanh-mse"]
        assert decision("readouts.depends", arms) is False


def test_the_swap_loses_only_where_its_gain_is_negative() -> None:
    for score, loses in ((0.8, 0.1), (0.95, None)):
        runs = [run("cross-entropy", 1, 0.9), run("cross-entropy-read-by-example-1", 1, score)]
        assert view(results({}, runs=runs)).readouts.cross_entropy_loses == (loses and pytest.approx(loses))


NO_ARMS: Arms = {}


def notes(arms: Arms = NO_ARMS, contrasts: Sequence[Mapping[str, Any]] = (), runs: Sequence[Any] = ()) -> Any:
    return view(results(arms, contrasts, runs)).notes


def test_a_sigmoid_on_cross_entropy_is_noted_only_where_it_is_the_most_accurate_with_relu() -> None:
    heads = ("tanh-mse", "tanh-targets", "linear-mse", "sigmoid-mse", "softmax-mse")
    others = {**{f"relu-{head}": arm(0.97) for head in heads}, "relu-softmax-ce": arm(0.975)}
    for score, lead, matters in ((0.976, 0.006, True), (0.975, None, False)):
        found = notes({**others, "relu-sigmoid-bce": arm(score)}, LEVEL)
        assert found.sigmoid_lead == (lead and pytest.approx(lead))
        assert found.sigmoid_lead_matters is matters
    assert (
        notes({**others, "relu-softmax-ce": arm(0.971), "relu-sigmoid-bce": arm(0.972)}, LEVEL).sigmoid_lead_matters
        is False
    )
    assert notes({"relu-sigmoid-bce": arm(0.99)}, LEVEL).sigmoid_lead is None


def test_fashion_mnist_is_undecidable_where_so_few_seeds_allow_no_significant_p() -> None:
    for smallest, undecidable in ((0.06, True), (0.05, False)):
        there = results({}, [contrast("recipe", *GAIN, p_smallest=smallest)])
        whole = {**results({}), "replications": {"fashion_mnist": there}, "confidence": 0.95}
        found = view(whole).notes
        assert (found.fashion_seeds, found.fashion_p, found.fashion_is_undecidable) == (10, smallest, undecidable)
    assert notes().fashion_is_undecidable is False


def test_hidden_units_are_only_more_saturated_if_taking_that_away_wins_back_less_than_half() -> None:
    for shares, output, relu, only in (
        ((0.8, 0, 0.7), SMALL, SMALL, True),
        ((0.7, 0, 0.7), SMALL, SMALL, False),
        ((0.8, 0, 0.7), HALF, SMALL, False),
        ((0.8, 0, 0.7), SMALL, HALF, False),
    ):
        found = notes(hidden(*shares), rows(output=output, hidden=relu, loss=GAIN, recipe=GAIN))
        assert found.only_more_saturated is only
    assert notes({}, rows(output=SMALL, hidden=HALF, loss=GAIN, recipe=GAIN)).relu_share == pytest.approx(0.5)
    assert notes({}, rows(output=LOSS, loss=GAIN)).linear_share is None


def test_deep_tanh_layers_are_slow_without_vanishing_only_if_they_lose_and_keep_their_signal() -> None:
    def deep_tanh(kept: float, accuracy: float) -> Any:
        signals = {"depth1-tanh-ce": 2.0, "depth8-tanh-ce": 2.0 * kept}
        arms = {
            n: arm(block="depth", depth=8, gradient={"start": {"first_over_output": s}}) for n, s in signals.items()
        }
        runs = [run("depth1-tanh-ce", 1, 0.97), run("depth8-tanh-ce", 1, accuracy)]
        return view(results(arms, LEVEL, runs))

    slow = deep_tanh(0.6, 0.96)
    assert slow.notes.slows_unvanished is True
    assert (slow.depth.cross_entropy_loses, slow.depth.cross_entropy_keeps) == pytest.approx((0.01, 0.6))
    assert deep_tanh(0.09, 0.96).notes.slows_unvanished is False
    assert deep_tanh(0.6, 0.969).notes.slows_unvanished is False
    assert notes(deep(tanh=2, relu=3, sigmoid=0.09)).by_sigmoid is True
    assert notes(deep(tanh=2, relu=3, sigmoid=0.11)).by_sigmoid is False


def test_example_1_still_rises_under_sgd_only_if_each_of_the_last_epochs_is_better() -> None:
    for curve, rises in (([0.5, 0.1, 0.2, 0.3], True), ([0.1, 0.2, 0.2], False)):
        assert notes(runs=[run("best-sgd-example-1", 1, 0.3, curve)]).sgd_rises is rises


def test_notes_have_the_share_of_the_map_and_the_pace_of_targets() -> None:
    arms = {
        "example-2": arm(map_seconds=0.001, predict_seconds=0.01),
        "best-sgd-targets": arm(epochs_to_plateau={"mean": 6.2}),
    }
    assert (notes(arms).map_share, notes(arms).sgd_targets_pace) == (pytest.approx(0.1), 6.2)


def test_the_place_of_targets_counts_only_if_every_shift_gains_and_is_not_all_if_each_gains_less_than_both_ends() -> (
    None
):
    scores = {"example-1": 0.90, "gap1-low-0.5": 0.905, "gap1-low-1": 0.908, "low-1": 0.91}
    for changed, counts, not_all in (
        ({}, True, True),
        ({"gap1-low-0.5": 0.90}, False, True),
        ({"gap1-low-1": 0.91}, True, False),
    ):
        both = {**scores, **changed}
        arms = {name: arm(score) for name, score in both.items()}
        dose = view(results(arms, runs=[run(name, 1, score) for name, score in both.items()])).dose
        assert (dose.place_counts, dose.place_is_not_all) == (counts, not_all)


def test_most_of_the_gain_comes_with_the_output_if_it_adds_more_than_the_loss_does_afterwards() -> None:
    for loss_adds, output in ((0.009, True), (0.011, False)):
        runs = [run("tanh-softmax-mse", 1, 0.9), run("tanh-softmax-ce", 1, 0.9 + loss_adds)]
        factorial = view(results({}, rows(softmax_output=GAIN, loss=GAIN), runs)).factorial
        assert (factorial.compares, factorial.mostly_output) == (True, output)


def test_a_lead_is_over_the_seeds_that_both_arms_share_else_between_their_means() -> None:
    runs = [run("a", 1, 0.9), run("a", 2, 0.8), run("b", 2, 0.7), run("c", 3, 0.5)]
    measured = Measured(results({}, runs=runs))
    assert measured.lead("a", "b") == pytest.approx(0.1)
    assert measured.lead("a", "c") == pytest.approx(0.35)
    assert measured.lead("a", "d") is None


def test_each_hidden_layer_suits_its_own_output_only_if_both_lose_by_the_swap() -> None:
    for score, reread, suits in ((0.8, LOSS, True), (0.9, LOSS, False), (0.8, GAIN, False)):
        runs = [run("cross-entropy", 1, 0.9), run("cross-entropy-read-by-example-1", 1, score)]
        assert view(results({}, rows(reread=reread), runs)).readouts.each_suits_its_own is suits


def test_the_last_quarter_of_the_long_runs_is_averaged_over_their_seeds() -> None:
    first, second = [0.1] * 6 + [0.90, 0.92], [0.9] * 6 + [0.93, 0.91]
    runs = [run("long-example-1", 1, 0.92, first), run("long-cross-entropy", 1, 0.91, second)]
    runs.append(run("example-1", 1, 0.9, [0.9] * 4))
    long = view(results({}, runs=runs)).long
    assert long is not None
    assert (long.epochs, long.averaged, long.times_as_long, long.still_ahead) == (8, 2, 2.0, True)
    assert [long.lead, long.lowest, long.highest] == pytest.approx([0.01, -0.01, 0.03])
    turned = [run("long-example-1", 1, 0.91, second), run("long-cross-entropy", 1, 0.92, first)]
    assert decision_of_runs("long.still_ahead", turned) is False
    both = view(results({}, runs=[*runs[:2], run("long-cross-entropy", 2, 0.91, [1.0] * 8)])).long
    assert both is not None
    assert both.lead == pytest.approx((0.065 + 0.035) / 2)  # 0.965 and 0.955 against 0.90 and 0.92


def test_only_the_training_images_are_caught_up_with_if_half_of_the_lead_on_the_test_images_stays() -> None:
    def caught(early: float, late: float, test: float) -> tuple[bool, bool]:
        scores = {
            "example-1": 0.9,
            "cross-entropy": 0.9 + early,
            "long-example-1": 0.9,
            "long-cross-entropy": 0.9 + late,
        }
        arms = {name: arm(training_accuracy={"mean": score}) for name, score in scores.items()}
        runs = [run("long-example-1", 1, 0.9, [0.9]), run("long-cross-entropy", 1, 0.9 + test, [0.9 + test])]
        long = view(results(arms, rows(loss=GAIN), runs)).long
        assert long is not None
        return long.only_training_caught_up, long.half_stays

    assert caught(0.02, 0.009, 0.006) == (True, False)
    assert caught(0.02, 0.011, 0.006) == (False, True)
    assert caught(0.02, 0.009, 0.004) == (False, False)
    assert caught(-0.02, 0.011, 0.006) == (False, False)


def test_depth_slows_tanh_or_helps_it_by_what_eight_layers_lose_against_one() -> None:
    for deep_one, slows, helps in ((0.9, True, False), (0.95, False, False), (0.96, False, True)):
        scores = {"depth1-tanh-mse": 0.95, "depth8-tanh-mse": deep_one}
        arms = {name: arm(score, block="depth", depth=int(name[5])) for name, score in scores.items()}
        depth = view(results(arms, LEVEL, [run(name, 1, score) for name, score in scores.items()])).depth
        assert (depth.slows, depth.helps) == (slows, helps)


def test_numbers_of_the_prose_are_computed_by_hand() -> None:
    arms = {
        "example-1": arm(0.96, first_epoch_at={"0.97": [5, None, 3]}, seeds=[1, 2, 3]),
        "example-3": arm(0.98, first_epoch_at={"0.97": [None, None, None]}),
        "cross-entropy": arm(0.98),
    }
    v = view(results(arms, LEVEL))
    assert v.fewer_errors == pytest.approx(0.5)  # 0.02 against 0.04
    assert (v.confusions.example_1, v.confusions.example_3) == (400, 200)
    assert v.limits.fewest_seeds == 2
    assert [(row.reaching, row.first_epoch) for row in v.learning_curves.examples] == [(2, 3), (0, None)]
    assert v.answer.margin_images == 25
    assert v.answer.margin_of_errors == pytest.approx(0.125)  # 0.0025 of 0.02
    assert view(results(started(0.5, 0.6, 0.9))).right.saturated_gap == pytest.approx(0.4)


def test_a_gain_over_seeds_that_other_images_could_undo_is_uncertain() -> None:
    certain = contrast("targets", *GAIN, two_way_interval=[0.001, 0.02])
    uncertain = contrast("hidden", *GAIN, two_way_interval=[-0.001, 0.02])
    changes = view(results({}, [certain, uncertain, contrast("output", *LOSS)])).changes
    assert (changes.number, changes.gains) == (3, 2)
    assert [change.name for change in changes.uncertain] == ["hidden"]


def elsewhere(here: Sequence[Any], dataset: str, there: Sequence[Any]) -> Any:
    return view({**results({}, here), "replications": {dataset: results({}, there)}})


def test_the_hidden_layer_gains_more_on_the_digits_only_if_the_intervals_do_not_overlap() -> None:
    here = rows(targets=GAIN, hidden=(0.1, 0.0, 0.2), recipe=GAIN)
    for low, more in ((0.21, True), (0.2, False)):
        there = rows(targets=GAIN, hidden=(0.5, low, 0.8), recipe=GAIN)
        assert elsewhere(here, "digits", there).digits.hidden_gains_more is more


def test_fashion_mnist_agrees_only_if_all_four_changes_gain_there_and_sizes_are_compared_with_those_here() -> None:
    names = ("recipe", "loss", "targets", "one_sided")
    here = rows(**dict.fromkeys(names, GAIN))
    agreeing = elsewhere(here, "fashion_mnist", rows(**{**dict.fromkeys(names, HALF), "loss": SMALL})).fashion
    assert (agreeing.same_directions, agreeing.behind) == (True, ())
    assert (agreeing.smallest, agreeing.largest) == pytest.approx((0.2, 0.5))
    assert agreeing.two_thirds is False
    near = elsewhere(here, "fashion_mnist", rows(**dict.fromkeys(names, (0.7, 0.6, 0.8)))).fashion
    assert near.two_thirds is True
    turned = elsewhere(here, "fashion_mnist", rows(**{**dict.fromkeys(names, HALF), "loss": LOSS})).fashion
    assert (turned.same_directions, turned.behind, turned.smallest) == (False, ("loss",), None)
    assert elsewhere(here, "fashion_mnist", rows(recipe=GAIN)).fashion is None


def test_without_any_measurement_every_part_is_there_and_decides_nothing() -> None:
    v = view(results({}))
    assert (v.recipe, v.digits, v.fashion, v.long, v.outputs, v.rates, v.sgd, v.fewer_errors) == (None,) * 8
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
    assert notices(runs_expected=len(results["runs"]) + 1).unfinished
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
    half = {**results["contrasts"][0], "n": 10, "mcnemar_share": 0.7}
    assert page.contrast_rows({"contrasts": [half]})[0].told_apart == 7


def test_contrasts_that_are_only_described_have_a_table_of_their_own_without_p_values(results: dict) -> None:
    tested = results["contrasts"][0]
    described = {key: value for key, value in tested.items() if key not in ("p", "p_holm", "p_smallest")}
    both = {"contrasts": [tested, {**described, "name": "other", "question": "Other?", "confirmatory": False}]}
    (first,), (second,) = page.contrast_rows(both), page.contrast_rows(both, confirmatory=False)
    assert (first.question, second.question) == (tested["question"], "Other?")
    assert first.p_holm == tested["p_holm"]
    assert (second.p_holm, second.p_smallest) == (None, None)
    assert second.difference is not None
    assert second.difference.two_way == tuple(tested["two_way_interval"])


def test_those_that_ask_for_equivalence_are_known_but_not_counted_on_another_data_set(results: dict) -> None:
    one = results["contrasts"][0]
    for margin, compared, known in ((None, 1, False), (0.0025, 0, True)):
        there = {**results, "contrasts": [{**one, "equivalence_margin": margin}]}
        (found,) = page.replications({**results, "replications": {"digits": there}}, {})
        assert (found.compared, found.has_equivalence) == (compared, known)


def test_another_data_set_lists_only_the_contrasts_that_were_measured_there(results: dict) -> None:
    found = page.replications({**results, "replications": {"digits": results}}, {})
    assert [row.question for row in found[0].contrasts] == [results["contrasts"][0]["question"]]


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
    assert {row.stated.label for row in rows} == {"as the article puts it"}
    assert {row.general.label for row in rows} == {"the reason", "in general"}
    for row in rows:
        assert row.asked == tuple(part for part in row.parts if not part.question.none)


def test_several_numbers_have_letters_for_the_rule_and_a_single_one_has_none(results: dict) -> None:
    for row in page_of(results).claims:
        for part in row.parts:
            starts = [line.partition(" = ")[0] for line in part.computed.splitlines()]
            assert part.has_letters == (len(starts) > 1)
            if part.has_letters:
                assert starts == [f"({letter})" for letter in "abcdefghijkl"[: len(starts)]]
            if part.margin and "single number" not in part.margin:
                assert f" if {'(' if part.has_letters else 'it '}" in part.margin


def test_a_threshold_is_shown_in_the_unit_of_what_it_is_compared_with(results: dict) -> None:
    thresholds = {row.name: row for row in page_of(results).thresholds}
    assert thresholds["matters"].value == "0.25 points"
    assert thresholds["matters"].reason == LEDGER.thresholds["matters"].reason


def test_a_verdict_on_the_record_is_in_a_row_only_if_it_is_another_one(results: dict) -> None:
    recorded = {
        judged.claim.id: {part: verdict.verdict for part, verdict in judged.verdicts.items()}
        for judged in judge(LEDGER, results)
    }
    names = [(claim, part) for claim, parts in recorded.items() for part in parts]
    measured = next(name for name in names if recorded[name[0]][name[1]] == "supported")
    unmeasured = next(name for name in names if recorded[name[0]][name[1]] == "not measured")
    for claim, part in (measured, unmeasured):
        recorded[claim][part] = "another"
    rows = rows_of(results, recorded=recorded)
    told = dict(zip(names, (part.verdict_on_record for row in rows for part in row.parts), strict=True))
    assert {name: verdict for name, verdict in told.items() if verdict} == {measured: "another"}
    comparison = {"recorded": "2026-01-01", "processors": ["P"], "contrasts": [{"agree": True}, {"agree": False}]}
    record = page.record({**results, "record_comparison": comparison}, rows, recorded)
    assert record is not None
    assert (record.agreeing, record.compared) == (1, 2)
    assert (record.compares_verdicts, record.same_processor) == (True, False)
    assert [row.claim.id for row in record.turned] == [measured[0]]
    same = {**comparison, "processors": results["processors"]}
    again = page.record({**results, "record_comparison": same}, rows, {})
    assert again is not None
    assert (again.compares_verdicts, again.same_processor) == (False, True)


def part_row(verdict: str, **question: Any) -> page.PartRow:
    rows = page.claim_rows({**results({})}, {}, judge(LEDGER, results({})), {}, {}, LEDGER, {})
    part = rows[0].stated
    return replace(
        part, verdict=verdict, is_asked=not question.get("none"), question=replace(part.question, **question)
    )


def test_claims_mostly_hold_or_fail_by_what_most_questions_that_numbers_can_decide_say() -> None:
    def mostly(*verdicts: str, **question: Any) -> tuple[bool, bool]:
        found = page.tendency([part_row("supported", **question), *map(part_row, verdicts)])
        return found.holds, found.fails

    assert mostly("supported", "not supported") == (True, False)
    assert mostly("not supported") == (False, False)
    assert mostly("partly supported", "not supported", "not supported", "not supported") == (False, True)
    assert mostly("not measured", "cannot be decided") == (False, False)
    assert mostly("not supported", "not testable here", theorem=True) == (False, True)
    assert mostly("not supported", none="No reason.") == (False, True)
    for verdicts, short in (
        (("partly supported", "not supported"), True),
        (("partly supported",), False),
        (("partly supported", "not measured"), False),
    ):
        assert page.tendency([part_row("supported"), *map(part_row, verdicts)]).falls_short is short


def test_predictions_that_failed_come_first_and_those_that_held_last(monkeypatch: pytest.MonkeyPatch) -> None:
    outcomes = iter(["holds", "refuted", "not measured", "holds", *["holds"] * len(LEDGER.predictions)])
    judged = [
        replace(one, verdict=replace(one.verdict, verdict=next(outcomes)))
        for one in judge_predictions(LEDGER, results({}))
    ]
    monkeypatch.setattr(page, "judge_predictions", lambda *_: judged)
    found = page.prediction_rows(results({}), {}, {}, LEDGER, {})
    assert [row.part.verdict for row in found[:3]] == ["refuted", "not measured", "holds"]
    assert [row.failed for row in found[:3]] == [True, False, False]
    assert [row.held for row in found[:3]] == [False, False, True]
    assert found[2].prediction.id == LEDGER.predictions[0].id


def test_predictions_fail_narrowly_only_if_each_that_fails_is_a_close_call(results: dict) -> None:
    found = page_of(results)
    close = page.robust_row(
        found.claims[0].stated.question,
        "supported",
        {
            "seeds": 0.8,
            "images": None,
            "half": "",
            "twice": "",
            "alone": {},
            "endpoints": {},
            "fashion": None,
            "close": True,
        },
        LEDGER,
    )

    def predictions(*parts: tuple[str, Any]) -> page.PageView:
        row, *_ = found.predictions
        changed = (replace(row, part=replace(row.part, verdict=verdict, robust=robust)) for verdict, robust in parts)
        return replace(found, predictions=tuple(changed))

    assert predictions(("refuted", close), ("holds", None)).failed_narrowly
    assert not predictions(("refuted", close), ("refuted", None)).failed_narrowly
    assert not predictions(("holds", close)).failed_narrowly


def test_single_seeds_are_counted_only_where_there_are_five_or_more() -> None:
    (question,) = [claim.parts["stated"] for claim in LEDGER.claims if claim.id == "slower-convergence"]
    for seeds, counted in ((5, (4, 5)), (4, (None, None))):
        verdict = Verdict(question, "supported", dict.fromkeys(question.evidence, 0.1), (), {"loss": (4, seeds)})
        row = page._evidence_row(verdict, "loss")
        assert (row.agreeing, row.seeds) == counted


def test_robustness_is_with_its_question_and_a_close_call_says_so(results: dict) -> None:
    close = {"seeds": 0.8, "images": None, "half": "supported", "twice": "supported", "alone": {}, "endpoints": {}}
    claim = LEDGER.claims[0].id
    found = page_of(results, robustness={claim: {"general": {**close, "fashion": None, "close": True}}})
    assert (found.claims[0].stated.robust, found.claims[0].stated.close) == (None, False)
    assert found.claims[0].general.robust is not None
    assert (found.claims[0].general.robust.seeds, found.claims[0].general.close) == (0.8, True)
    assert found.has_close
    assert not page_of(results).has_close


def test_a_contrast_is_uncertain_where_only_its_interval_over_images_too_includes_0() -> None:
    of = "contrast targets interval 0"
    for low, high, uncertain in ((-0.1, 2, True), (0.1, 2, False)):
        row = contrast("targets", *GAIN, two_way_interval=[low / 100, high / 100])
        assert bool(page._uncertain(Measured(results({}, [row])), of)) is uncertain
    assert page._uncertain(Measured(results({}, [contrast("targets", *NONE)])), of) is None
    assert page._uncertain(Measured(results({})), "arm a b") is None


def test_arms_are_listed_by_name_with_their_runs_latest_day(results: dict) -> None:
    rows = page.arm_rows(results)
    assert [row.name for row in rows] == ["example-1", "example-2", "example-3"]
    first = rows[0]
    assert (first.layers, first.schedule, first.loss) == (None, "", "mean squared error")
    assert (first.seeds, round(first.scores[0].percent, 9), first.scores[0].diverged) == ("300–310", 96.5, False)
    assert first.finished == "2026-01-01"
    assert page_of(results).single_day == "2026-01-01"
    later = [
        {**run, "finished": "2026-01-02T00:00:00"} if run["arm"] == "example-1" else run for run in results["runs"]
    ]
    assert page_of({**results, "runs": later}).single_day == ""
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
    *("share", "ratio", "estimate", "in_unit"),
    *("css_class", "csp_hash", "listed", "length", "capitalize", "join", "striptags", "truncate", "default", "tojson"),
    *("format", "urlencode", "in_unit", "data_name", "marked_indents", "unbroken", "bold_answer"),
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
    """Whether an expression only names a value, or what people call it: a.b["c"][0]|data_name."""
    while isinstance(node, nodes.Getattr | nodes.Getitem) or (
        isinstance(node, nodes.Filter) and node.name == "data_name"
    ):
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
