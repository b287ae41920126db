"""Redraws: the numbers of imagined repetitions, against those of the results and against their known distribution."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from experiments.analysis import inference
from experiments.analysis.results import Observation, Summary
from report.claims import redraw, redrawn
from report.claims.redraw import AsMeasured, Seeds
from report.claims.redrawn import Redrawn
from report.claims.rules import number_at
from tests.claims import imagined

SEEDS = {"one": range(200, 212), "two": range(200, 212), "few": range(200, 205), "other": range(3)}
PLANNED = {**SEEDS, "planned": range(200, 203)}
CONTRASTS = (
    ("near", "one", "two"),
    ("paired", "one", "few"),
    ("same", "one", "two", "equivalence_margin = 0.0025"),
    ("unmeasured", "one", "planned"),
)
PATHS = [
    *(f"arm {arm} {key} {part}" for arm in ("one", "few", "other")
      for key in ("test_accuracy", "test_error", "training_accuracy")
      for part in ("mean", "min", "max", "standard_deviation", "interval 0", "interval 1")),
    *(f"arm one {key}" for key in (
        "mean_epoch_accuracy", "plateau", "epochs_to_plateau mean", "generalization_gap",
        "least_squares_accuracy mean", "negative_share", "row_sum_mean", "calibration ece",
        "gradient start first_over_output", "saturation final hidden 0", "target_outputs mean",
        "target_outputs quantiles 1",
    )),
    *(f"contrast {name} {key}" for name in ("near", "paired", "same") for key in (
        "mean", "interval 0", "interval 1", "prediction_interval 0", "two_way_interval 1", "bootstrap 0", "detectable",
        "superiority", "p", "p_holm", "mcnemar_share",
    )),
    "contrast same equivalent",
    "contrast same equivalence_interval 1",
    "arm one test_accuracy mean - arm few test_accuracy mean",
    "largest one|few test_accuracy mean - smallest t* test_accuracy max",
    "arm one negative_share / arm two negative_share",
]  # fmt: skip


@pytest.fixture(scope="module")
def observations() -> list[Observation]:
    errors = {"one": 0.03, "two": 0.0301, "few": 0.025, "other": 0.04}
    return imagined.runs(np.random.default_rng(0), errors, SEEDS)


@pytest.fixture(scope="module")
def results(observations: list[Observation], tmp_path_factory: pytest.TempPathFactory) -> Summary:
    return imagined.results(imagined.study(tmp_path_factory.mktemp("study"), PLANNED, CONTRASTS), observations)


@pytest.mark.parametrize("path", PATHS)
def test_the_redraw_that_changes_nothing_gives_the_numbers_of_the_results(
    path: str, results: Summary, observations: list[Observation]
) -> None:
    (number,) = Redrawn(results, observations, AsMeasured()).number_at(path)
    assert number == pytest.approx(number_at(path, results), abs=1e-9, rel=1e-9)


@pytest.mark.parametrize(
    "path",
    ["arm one always_wrong", "arm one no_such_key", "contrast unmeasured mean", "arm no x", "arm one predict_seconds"],
)
def test_what_is_no_function_of_single_runs_or_the_machines_is_not_redrawn(
    path: str, results: Summary, observations: list[Observation]
) -> None:
    assert Redrawn(results, observations, AsMeasured()).number_at(path) is None


# ---------------------------------------------------------------------------------------------- seeds


def test_arms_over_the_same_seeds_are_redrawn_together() -> None:
    drawn = Seeds.draw(range(8), 50)
    first, second = np.random.default_rng(0).normal(size=(2, 8))
    repeated = drawn.repeat(first, range(8)) - drawn.repeat(second, range(8))
    assert repeated == pytest.approx(drawn.repeat(first - second, range(8)))


def test_an_arm_with_some_of_the_seeds_is_redrawn_with_those_as_far_as_they_go() -> None:
    together, apart = [], []
    for state in range(20):
        values = np.random.default_rng(state).normal(size=12)
        whole, part, other = (
            Seeds.draw(range(12), state=which).repeat(values[:n], range(n)).mean(axis=1)
            for n, which in ((12, 0), (6, 0), (6, 1))
        )
        together.append(np.corrcoef(whole, part)[0, 1])
        apart.append(np.corrcoef(whole, other)[0, 1])
    assert np.mean(together) > 0.35  # √½ is the most that six of twelve runs can have in common with all
    assert abs(np.mean(apart)) < 0.02


@pytest.mark.parametrize("n", [5, 12])
def test_the_mean_of_a_redraw_is_as_far_from_the_measured_one_as_a_repetition_would_be(n: int) -> None:
    """Twice the variance of a mean, and tails as long as those of Student's t: a plain bootstrap has half."""
    values = np.random.default_rng(n).normal(0, 1, n)
    means = Seeds.draw(range(n), 20_000).repeat(values, range(n)).mean(axis=1)
    error = np.std(values, ddof=1) * np.sqrt(2 / n)
    low, high = np.quantile(means, [0.1, 0.9])
    from scipy import stats

    expected = error * stats.t(n - 1).ppf(0.9)
    assert (low, high) == pytest.approx((values.mean() - expected, values.mean() + expected), abs=0.08 * error)


def test_equal_values_stay_equal_and_a_single_run_stays_as_it_is() -> None:
    drawn = Seeds.draw(range(4), 10)
    assert (drawn.repeat(np.full(4, 0.1), range(4)) == 0.1).all()
    assert (drawn.repeat(np.array([0.7]), [2]) == 0.7).all()


def test_redraws_are_the_same_every_time() -> None:
    first, second = (Seeds.draw([5, 3, 9], 10).repeat(np.arange(3.0), [3, 5, 9]) for _ in range(2))
    assert (first == second).all()


def test_thousands_of_seeds_take_fewer_redraws_and_bounded_memory() -> None:
    tracemalloc.start()
    repeated = Seeds.draw(range(5000)).repeat(np.arange(5000.0), range(5000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert repeated.shape == (400, 5000)
    assert peak < 500e6


def test_no_redraw_has_an_accuracy_or_a_share_that_no_run_can_have(
    results: Summary, observations: list[Observation]
) -> None:
    redrawn_ = Redrawn(results, observations, Seeds.draw(range(3), 500), {"other": np.linspace(-9, 9, 500)})
    for path in ("test_accuracy min", "training_accuracy max", "negative_share"):
        number = redrawn_.number_at(f"arm other {path}")
        assert number is not None
        assert 0 <= number.min() < number.max() <= (1 if "accuracy" in path else np.inf)
    assert redrawn_.number_at("arm other row_sum_mean").min() < 0  # it may be negative, as some that were measured are


# ---------------------------------------------------------------------------------------------- test images


def test_other_test_images_shift_means_as_far_as_fresh_images_do() -> None:
    """The true variance is known here: an arm's images are hard or not, and its runs agree on most of them."""
    rng, spread, arms = np.random.default_rng(3), [], {"a": range(4), "b": range(4)}
    means = []
    for _ in range(100):
        made = imagined.runs(rng, {"a": 0.03, "b": 0.035}, arms, own_level=0)
        by_arm = {arm: [run for run in made if run["arm"] == arm] for arm in arms}
        shifts = redraw.image_shifts(by_arm, 1000)
        spread.append([np.var(shifts["a"]), np.var(shifts["b"]), np.var(shifts["a"] - shifts["b"])])
        a, b = (np.mean([run["wrong"] for run in by_arm[arm]]) / imagined.IMAGES for arm in arms)
        means.append([a, b, a - b])
    assert np.mean(spread, axis=0) == pytest.approx(2 * np.var(means, axis=0), rel=0.3)


def test_arms_that_are_wrong_on_the_same_images_shift_together_exactly(observations: list[Observation]) -> None:
    one = [run for run in observations if run["arm"] == "one"]
    shifts = redraw.image_shifts({"read": one, "one": one, "two": [r for r in observations if r["arm"] == "two"]}, 100)
    assert (shifts["read"] == shifts["one"]).all()
    assert not (shifts["two"] == shifts["one"]).any()


def test_arms_whose_images_are_unknown_or_that_have_one_run_do_not_shift(observations: list[Observation]) -> None:
    unknown = [{**run, "wrong_images": None} for run in observations[:3]]
    assert redraw.image_shifts({"unknown": unknown, "single": observations[:1]}, 10) == {}


# ---------------------------------------------------------------------------------------------- tests


@pytest.mark.parametrize("n", [2, 5, 12])
def test_p_values_of_all_redraws_are_those_of_each(n: int) -> None:
    differences = np.random.default_rng(n).integers(-20, 40, (30, n)) / 10_000
    differences[0] = 0
    flipped, equivalent = redrawn.sign_flip_p(differences), redrawn.equivalence_p(differences, 0.0025)
    assert flipped == pytest.approx([inference.sign_flip_p(row, 10_000) for row in differences])
    assert equivalent == pytest.approx([inference.equivalence_p(row, 0.0025, 10_000) for row in differences])


def test_of_many_pairs_p_is_that_of_students_t_which_is_near() -> None:
    differences = np.random.default_rng(0).normal(0.0003, 0.001, (20, 30)).round(4)
    exact = [inference.sign_flip_p(row, 10_000) for row in differences]
    assert redrawn.sign_flip_p(differences) == pytest.approx(exact, abs=0.02)


def test_holms_correction_of_all_redraws_is_that_of_each() -> None:
    p = np.random.default_rng(0).random((5, 40)) / 10
    p[0] = p[1]
    assert redrawn.holm(p).T.tolist() == [inference.holm(column) for column in p.T]
