"""The mathematics against SciPy, statsmodels, values computed by hand, and simulation."""

from __future__ import annotations

import itertools
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas
import pytest
import statsmodels.api as sm
from scipy import stats
from statsmodels.formula import api as formulas
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.nonparametric import rank_compare_2indep
from statsmodels.stats.weightstats import DescrStatsW

from experiments.analysis import inference
from tests import intervals
from tests.intervals import models

ROOT = Path(__file__).parents[2]
DIFFERENCES = [0.012, 0.009, 0.011, 0.007, 0.013, 0.010, -0.002, 0.008]


def test_the_t_interval_matches_scipys_and_statsmodels() -> None:
    expected = stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(0.95)
    assert inference.t_interval(DIFFERENCES, 0.95) == pytest.approx((expected.low, expected.high))
    assert inference.t_interval(DIFFERENCES, 0.9) == pytest.approx(DescrStatsW(DIFFERENCES).tconfint_mean(0.1))


@pytest.mark.parametrize("further", [1, 10])
def test_the_prediction_interval_matches_statsmodels(further: int) -> None:
    fitted = sm.OLS(DIFFERENCES, np.ones(len(DIFFERENCES))).fit()
    expected = fitted.get_prediction([[1]], weights=np.array([further])).conf_int(obs=True, alpha=0.05)[0]
    assert inference.prediction_interval(DIFFERENCES, 0.95, further) == pytest.approx(tuple(expected))


def test_of_very_many_further_seeds_the_mean_is_as_uncertain_as_the_true_one() -> None:
    many = inference.prediction_interval(DIFFERENCES, 0.95, 10**12)
    assert many == pytest.approx(inference.t_interval(DIFFERENCES, 0.95))


def test_intervals_and_superiority_take_many_resamples_at_once() -> None:
    first, second = np.random.default_rng(0).integers(0, 9, (2, 3, 4, 6)) / 100
    for interval in (inference.t_interval, inference.prediction_interval):
        low, high = interval(first, 0.95)
        for place in np.ndindex(3, 4):
            assert (low[place], high[place]) == pytest.approx(interval(first[place].tolist(), 0.95))
    shares = inference.superiority(first, second[..., :5])
    for place in np.ndindex(3, 4):
        assert shares[place] == pytest.approx(inference.superiority(first[place], second[place][:5]))


def test_the_t_interval_at_twice_the_level_matches_two_one_sided_tests() -> None:
    low, high = inference.t_interval(DIFFERENCES, 2 * 0.95 - 1)
    assert stats.ttest_1samp(DIFFERENCES, low, alternative="greater").pvalue == pytest.approx(0.05)
    assert stats.ttest_1samp(DIFFERENCES, high, alternative="less").pvalue == pytest.approx(0.05)


def test_equal_differences_have_a_zero_width_interval_and_no_detectable_difference() -> None:
    assert inference.t_interval([0.1] * 10, 0.95) == (0.1, 0.1)
    assert inference.detectable_difference([0.1] * 10, 0.95) == 0


def test_a_single_value_is_refused() -> None:
    with pytest.raises(ValueError, match="n = 1"):
        inference.t_interval([0.1], 0.95)
    with pytest.raises(ValueError, match="n = 1"):
        inference.detectable_difference([0.1], 0.95)
    with pytest.raises(ValueError, match="n = 1"):
        inference.prediction_interval([0.1], 0.95)
    with pytest.raises(ValueError, match="n = 1"):
        inference.two_way_interval(np.zeros((1, 5)), 0.95)
    with pytest.raises(ValueError, match="n = 1"):
        inference.bootstrap_interval(np.ones((1, 5), bool), np.zeros((1, 5), bool), 0.95)


@pytest.mark.parametrize("seed", [0, 1])
def test_superiority_matches_mann_whitneys_u_and_statsmodels(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first, second = rng.integers(0, 9, 11), rng.integers(2, 12, 13)  # with ties
    found = inference.superiority(first, second)
    assert found == pytest.approx(stats.mannwhitneyu(first, second).statistic / (11 * 13))
    assert found == pytest.approx(rank_compare_2indep(first, second).prob1)


def test_superiority_is_1_if_the_worst_beats_the_best_and_one_half_if_all_tie() -> None:
    assert inference.superiority([0.97, 0.98], [0.95, 0.96, 0.969]) == 1
    assert inference.superiority([0.97] * 3, [0.97] * 2) == 0.5


@pytest.mark.parametrize(("differences", "power"), [(DIFFERENCES, 0.8), (DIFFERENCES[:3], 0.5)])
def test_the_t_test_finds_the_detectable_difference_with_the_stated_power(
    differences: list[float], power: float
) -> None:
    true_mean = inference.detectable_difference(differences, 0.95, power)
    scatter = np.std(differences, ddof=1)
    samples = np.random.default_rng(0).normal(true_mean, scatter, (100_000, len(differences)))
    found = stats.ttest_1samp(samples, 0, axis=1)
    assert np.mean((found.pvalue < 0.05) & (found.statistic > 0)) == pytest.approx(power, abs=0.005)


def test_ten_differences_detect_about_one_standard_deviation_whatever_their_mean() -> None:
    scatter = np.array([1.0, -1.0] * 5) * np.sqrt(0.9)
    assert inference.detectable_difference(scatter, 0.95) == pytest.approx(0.996, abs=0.001)
    assert inference.detectable_difference(scatter + 7, 0.95) == pytest.approx(0.996, abs=0.001)


def flipped_p(differences: np.ndarray, **options: object) -> float:
    """SciPy's p of the sign-flip test."""
    given = {"permutation_type": "samples", "n_resamples": np.inf, **options}
    return float(stats.permutation_test((differences,), np.mean, **given).pvalue)  # type: ignore[arg-type]


def images_gained(n: int, mean: float) -> np.ndarray:
    """Made-up differences over 10,000 images."""
    return np.random.default_rng(n).normal(mean, 20, n).round() / 10_000


@pytest.mark.parametrize("differences", [np.array(DIFFERENCES), images_gained(17, 8)], ids=["8", "17"])
def test_the_sign_flip_p_matches_scipys_exact_permutation_test(differences: np.ndarray) -> None:
    assert inference.sign_flip_p(differences.tolist(), 10_000) == flipped_p(differences)


def test_the_sign_flip_p_is_the_share_of_all_signs_whose_mean_is_as_far_from_0() -> None:
    sums = [abs(np.dot(signs, DIFFERENCES)) for signs in itertools.product((1, -1), repeat=len(DIFFERENCES))]
    assert inference.sign_flip_p(DIFFERENCES, 1000) == np.mean(np.array(sums) >= sum(DIFFERENCES) - 1e-12)


def test_ten_equal_signs_give_p_of_2_in_1024_which_is_the_smallest_they_can_give() -> None:
    assert inference.sign_flip_p([0.01 + 0.001 * n for n in range(10)], 1000) == 2 / 1024
    assert inference.smallest_p(10, equivalence=False) == 2 / 1024
    assert inference.equivalence_p([0.0] * 10, 0.001, 1000) == inference.smallest_p(10, equivalence=True) == 1 / 1024


def test_no_difference_gives_p_1() -> None:
    assert inference.sign_flip_p([0.0, 0.0, 0.0], 1000) == 1
    assert inference.sign_flip_p([0.0] * 30, 1000) == 1


def test_equivalence_holds_inside_the_margin_but_not_at_its_edge() -> None:
    assert inference.equivalence_p([0.0001 * n for n in range(-4, 6)], 0.0025, 10_000) == 1 / 1024
    assert inference.equivalence_p([0.0025 + 0.0001 * n for n in range(-4, 6)], 0.0025, 10_000) > 0.5


@pytest.mark.parametrize("mean", [8, -3, 0])
def test_counting_by_convolution_gives_the_same_p_as_enumeration(mean: int, monkeypatch: pytest.MonkeyPatch) -> None:
    differences = images_gained(19, mean).tolist()
    gone_through = inference.sign_flip_p(differences, 10_000), inference.equivalence_p(differences, 0.0025, 10_000)
    monkeypatch.setattr(inference, "MAX_ENUMERATED", 0)
    counted = inference.sign_flip_p(differences, 10_000), inference.equivalence_p(differences, 0.0025, 10_000)
    assert counted == gone_through


def test_many_equal_magnitudes_give_the_p_of_the_sign_test() -> None:
    for positive in (60, 35, 50):
        differences = [0.003] * positive + [-0.003] * (100 - positive)
        expected = stats.binomtest(positive, 100).pvalue
        assert inference.sign_flip_p(differences, 1000) == pytest.approx(expected, rel=1e-12)


def test_random_signs_over_many_pairs_estimate_the_same_p() -> None:
    differences = images_gained(300, 2)
    expected = flipped_p(differences, n_resamples=20_000, rng=np.random.default_rng(0), vectorized=True)
    assert inference.sign_flip_p(differences.tolist(), 10_000) == pytest.approx(expected, abs=0.01)


def test_a_p_too_small_for_a_float_is_not_reported_as_0() -> None:
    assert inference.sign_flip_p([0.001] * 5000, 1000) == 2 * inference.MIN_SHARE
    assert inference.smallest_p(5000, equivalence=False) == 2 * inference.MIN_SHARE


def test_a_margin_between_whole_images_is_rounded_down_for_many_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    differences = (np.random.default_rng(0).integers(-3, 4, 18) / 357).tolist()  # a margin of 0.8925 images
    gone_through = inference.equivalence_p(differences, 0.0025, 357)
    monkeypatch.setattr(inference, "MAX_ENUMERATED", 0)
    counted = inference.equivalence_p(differences, 0.0025, 357)
    assert counted == inference.equivalence_p(differences, 0.875 / 357, 357)
    assert gone_through <= counted == pytest.approx(gone_through, abs=0.02)


def test_holm_multiplies_the_smallest_by_the_number_of_tests_and_never_decreases() -> None:
    assert inference.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert inference.holm([0.6, 0.5]) == [1, 1]


def test_holm_matches_statsmodels() -> None:
    for p_values in np.random.default_rng(0).random((5, 7)).round(1) ** 3:  # with ties, small ones and 1
        assert inference.holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1])


def test_the_smallest_holm_p_is_that_of_the_smallest_p_among_the_others_as_they_are() -> None:
    p_values, least = [2 / 1024] * 6 + [0.3], [2 / 1024] * 6 + [1 / 1024]
    assert inference.smallest_holm(p_values, least) == pytest.approx([7 * 2 / 1024] * 6 + [7 * 1 / 1024])
    adjusted = inference.holm(p_values)
    assert adjusted[:6] == inference.smallest_holm(p_values, least)[:6]
    assert adjusted[6] > inference.smallest_holm(p_values, least)[6]
    assert inference.smallest_holm([0.001, 0.5], [0.001, 0.01]) == [0.002, 0.01]  # the second one's counts once


def test_mcnemar_is_the_binomial_test_of_the_discordant_images() -> None:
    assert inference.mcnemar_p([(1, 5), (0, 0)]) == pytest.approx([2 * (1 + 6) / 64, 1])
    pairs = [(one, other) for one in range(12) for other in range(12) if one + other]
    expected = [stats.binomtest(one, one + other).pvalue for one, other in pairs]
    assert inference.mcnemar_p(pairs) == pytest.approx(expected, rel=1e-12)
    expected = [mcnemar([[50, one], [other, 7]], exact=True).pvalue for one, other in pairs]
    assert inference.mcnemar_p(pairs) == pytest.approx(expected, rel=1e-12)


def test_no_interval_or_test_imports_scipy_stats() -> None:
    code = (
        "import sys; from experiments.analysis import inference as i; x = [0.1, 0.2, 0.4];"
        "i.t_interval(x, 0.95), i.detectable_difference(x, 0.95), i.mcnemar_p([(1, 5)]), i.superiority(x, x);"
        "i.two_way_interval(i.np.eye(3), 0.95);"
        "print('scipy.special' in sys.modules, 'scipy.stats' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "False"]


# ---------------------------------------------------------------------------------------------- seeds and images


def crossed(n_seeds: int = 6, n_images: int = 12, seed: float = 1, image: float = 1, rest: float = 1) -> np.ndarray:
    """Values [n_seeds, n_images] with normal effects of these standard deviations, and a mean of 0.3."""
    rng = np.random.default_rng(0)
    effects = rng.normal(0, seed, (n_seeds, 1)) + rng.normal(0, image, (1, n_images))
    return 0.3 + effects + rng.normal(0, rest, (n_seeds, n_images))


def table(values: np.ndarray) -> pandas.DataFrame:
    """The values with their seeds and images, a row each."""
    seeds, images = np.indices(values.shape)
    return pandas.DataFrame({"value": values.ravel(), "seed": seeds.ravel(), "image": images.ravel(), "all": 1})


@pytest.mark.parametrize(
    "values", [crossed(), np.random.default_rng(0).integers(-1, 2, (5, 9), np.int8)], ids=["", "1"]
)
def test_the_mean_squares_match_statsmodels(values: np.ndarray) -> None:
    expected = sm.stats.anova_lm(formulas.ols("value ~ C(seed) + C(image)", table(values)).fit())["mean_sq"]
    assert inference.mean_squares(values) == pytest.approx(tuple(expected))


def test_the_two_way_variance_is_that_of_a_mixed_model() -> None:
    values = crossed()
    effects = {"seed": "0 + C(seed)", "image": "0 + C(image)"}
    fitted = formulas.mixedlm("value ~ 1", table(values), groups="all", vc_formula=effects).fit()  # by REML
    squares = inference.mean_squares(values)
    terms = np.array([squares.seed, squares.image, -squares.interaction])
    freedom = terms.sum() ** 2 / np.sum(terms**2 / [5, 11, 55])
    half = stats.t.ppf(0.975, freedom) * fitted.bse["Intercept"]
    low, high = inference.two_way_interval(values, 0.95)
    assert (high - low) / 2 == pytest.approx(half, rel=1e-4)
    assert (low + high) / 2 == pytest.approx(values.mean())


def test_if_images_differ_by_less_than_chance_the_two_way_interval_is_students() -> None:
    values = crossed(image=0)
    values += values.mean() - values.mean(axis=0)  # images do not differ at all
    low, high = inference.t_interval(values.mean(axis=1), 0.95)
    assert inference.two_way_interval(values, 0.95) == pytest.approx((low, high))
    assert inference.two_way_interval(values.T, 0.95) == pytest.approx((low, high))


def test_if_neither_differs_by_more_than_chance_the_two_way_interval_takes_all_values_for_independent() -> None:
    values = np.array([[1, -1, 0], [-1, 0, 1], [0, 1, -1]])
    freedom, rest = 4, 6 / 4
    half = stats.t.ppf(0.975, freedom) * np.sqrt(rest / 9)
    assert inference.two_way_interval(values, 0.95) == pytest.approx((-half, half))


def test_models_that_differ_alike_on_all_images_have_a_zero_width_two_way_interval() -> None:
    assert inference.two_way_interval(np.ones((3, 5), np.int8), 0.95) == (1, 1)
    assert inference.image_share(np.ones((3, 5), np.int8)) is None


def test_the_share_of_images_is_what_infinitely_many_images_would_take_from_the_scatter() -> None:
    values = crossed(200, 400, seed=0.1, rest=1)  # variances of seeds' means: 0.01, and 1 / 400 by chance on images
    assert inference.image_share(values) == pytest.approx(0.0025 / 0.0125, abs=0.04)
    assert inference.image_share(crossed(200, 400, seed=0)) == pytest.approx(1, abs=0.1)
    assert inference.image_share(np.eye(3) + 1e-3 * np.arange(3)[:, None]) == 1  # seeds that differ by less than chance


# ---------------------------------------------------------------------------------------------- coverage


def seeds_alone_coverage(n: int, confidence: float, simulations: int = 10_000) -> tuple[float, float]:
    """How often Student's interval, and a percentile bootstrap over seeds, holds the true mean of n normal values."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (simulations, n))
    means = values @ (rng.multinomial(n, np.full(n, 1 / n), size=1000) / n).T  # [simulations, resamples]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=1)
    student = [np.prod(inference.t_interval(row, confidence)) < 0 for row in values[:2000]]
    return float(np.mean(student)), float(np.mean((low < 0) & (high > 0)))


def test_a_percentile_bootstrap_over_ten_seeds_alone_is_too_narrow_and_students_interval_is_not() -> None:
    student, percentile = seeds_alone_coverage(10, 0.95)
    assert student == pytest.approx(0.95, abs=0.015)
    assert percentile == pytest.approx(0.90, abs=0.015)


@pytest.fixture(scope="module")
def as_on_mnist() -> intervals.Coverage:
    return intervals.measure(10, 0.06, simulations=300)


@pytest.fixture(scope="module")
def with_other_seeds() -> intervals.Coverage:
    """Where whole seeds differ by far more than chance on images."""
    return intervals.measure(10, 0.5, simulations=300)


def test_the_two_way_interval_has_its_nominal_coverage(
    as_on_mnist: intervals.Coverage, with_other_seeds: intervals.Coverage
) -> None:
    assert as_on_mnist.two_way == pytest.approx(0.95, abs=0.025)
    assert with_other_seeds.two_way == pytest.approx(0.95, abs=0.025)


def test_the_bootstrap_over_seeds_and_images_is_conservative(as_on_mnist: intervals.Coverage) -> None:
    assert as_on_mnist.bootstrap >= max(0.94, as_on_mnist.two_way)
    assert as_on_mnist.widths > 1.05


def test_the_bootstrap_is_too_narrow_if_seeds_vary_far_more_than_images(with_other_seeds: intervals.Coverage) -> None:
    assert with_other_seeds.bootstrap < 0.93
    assert with_other_seeds.widths < 0.9


def test_students_interval_is_one_for_the_same_images_only(as_on_mnist: intervals.Coverage) -> None:
    assert as_on_mnist.student_here == pytest.approx(0.95, abs=0.025)
    assert as_on_mnist.student < 0.85


def test_the_prediction_interval_holds_the_mean_of_ten_further_seeds(as_on_mnist: intervals.Coverage) -> None:
    assert as_on_mnist.prediction == pytest.approx(0.95, abs=0.025)


CASES = [
    pytest.param(number, marks=[pytest.mark.slow("simulates a thousand studies")] if number else [])
    for number in range(len(intervals.CASES))
]


@pytest.mark.parametrize("number", CASES)
def test_the_documents_table_is_what_a_simulation_gives(number: int) -> None:
    n_seeds, seed_sd = intervals.CASES[number]
    simulated = numbers(intervals.row(n_seeds, intervals.measure(n_seeds, seed_sd)))
    assert numbers(intervals.written()[number]) == pytest.approx(simulated, abs=0.4)  # another processor may round


def numbers(line: str) -> list[float]:
    return [float(cell) for cell in re.findall(r"[\d.]+", line)]


def test_the_document_has_a_line_for_each_case() -> None:
    assert [int(numbers(line)[0]) for line in intervals.written()] == [n_seeds for n_seeds, _ in intervals.CASES]


# ---------------------------------------------------------------------------------------------- the bootstrap


def test_the_bootstrap_counts_chance_on_single_images_three_times() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 40, 4000)) < 0.1
    low, high = inference.bootstrap_interval(first, second, 0.95)
    once = 2 * 1.96 * np.sqrt(2 * 0.1 * 0.9 / first.size)
    assert (high - low) / once == pytest.approx(np.sqrt(3), rel=0.15)


def test_the_bootstrap_matches_drawing_seeds_and_images_one_by_one() -> None:
    first, second, *_ = models(np.random.default_rng(1), 6, 500)
    rng = np.random.default_rng(2)
    differences = second.astype(float) - first
    means = [differences[np.ix_(rng.integers(6, size=6), rng.integers(500, size=500))].mean() for _ in range(10_000)]
    found = inference.bootstrap_interval(first, second, 0.95)
    assert found == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.0006)


def test_fewer_resamples_of_many_seeds_give_about_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, *_ = models(np.random.default_rng(1), 400, 500)
    fewer = inference.bootstrap_interval(first, second, 0.95)
    monkeypatch.setattr(inference, "MAX_DRAWN_SEEDS", 400 * inference.RESAMPLES)
    low, high = inference.bootstrap_interval(first, second, 0.95)
    assert fewer == pytest.approx((low, high), abs=0.06 * (high - low))
    assert fewer != (low, high)


def test_the_bootstrap_gives_the_same_interval_each_time() -> None:
    first, second, *_ = models(np.random.default_rng(0), 10, 10_000)
    found = inference.bootstrap_interval(first, second, 0.95)
    assert inference.bootstrap_interval(first, second, 0.95) == found


def test_models_that_differ_on_no_image_have_a_zero_width_bootstrap_interval() -> None:
    wrong = np.random.default_rng(0).random((3, 50)) < 0.2
    assert inference.bootstrap_interval(wrong, wrong, 0.95) == (0, 0)


def test_models_that_differ_on_every_image_have_a_zero_width_bootstrap_interval() -> None:
    wrong = np.ones((3, 50), bool)
    assert inference.bootstrap_interval(~wrong, wrong, 0.95) == pytest.approx((1, 1))
