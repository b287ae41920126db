"""The mathematics against SciPy, values computed by hand, and simulation."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments.analysis import inference

ROOT = Path(__file__).parents[2]
DIFFERENCES = [0.012, 0.009, 0.011, 0.007, 0.013, 0.010, -0.002, 0.008]


def test_the_t_interval_matches_scipys() -> None:
    expected = stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(0.95)
    assert inference.t_interval(DIFFERENCES, 0.95) == pytest.approx((expected.low, expected.high))


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
        inference.bootstrap_interval(np.ones((1, 5), bool), np.zeros((1, 5), bool), 0.95)


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


def test_ten_equal_signs_give_p_of_2_in_1024() -> None:
    assert inference.sign_flip_p([0.01 + 0.001 * n for n in range(10)], 1000) == 2 / 1024


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


def test_mcnemar_is_the_binomial_test_of_the_discordant_images() -> None:
    assert inference.mcnemar_p([(1, 5), (0, 0)]) == pytest.approx([2 * (1 + 6) / 64, 1])
    pairs = [(one, other) for one in range(12) for other in range(12) if one + other]
    expected = [stats.binomtest(one, one + other).pvalue for one, other in pairs]
    assert inference.mcnemar_p(pairs) == pytest.approx(expected, rel=1e-12)


def test_no_interval_or_test_imports_scipy_stats() -> None:
    code = (
        "import sys; from experiments.analysis import inference as i; x = [0.1, 0.2, 0.4];"
        "i.t_interval(x, 0.95), i.detectable_difference(x, 0.95), i.mcnemar_p([(1, 5)]);"
        "print('scipy.special' in sys.modules, 'scipy.stats' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout.split() == ["True", "False"]


# ---------------------------------------------------------------------------------------------- the bootstrap


def models(
    rng: np.random.Generator, n_seeds: int, n_images: int, seed_sd: float = 0.02
) -> tuple[np.ndarray, np.ndarray, float]:
    """Two arms' wrong images, [n_seeds, n_images] each, and the true difference of accuracy, first − second.

    An image is wrong where a sum of normal effects is above 0: the arm's level, how hard the image is, how hard it
    is for this arm, the seed's, and chance. So the share of wrong images over all seeds and images is known: Φ of
    the level over the root of the summed variances. Levels and effects give about MNIST's errors and overlap.
    """
    levels, image_sd, arm_image_sd, chance_sd = (-2.3, -2.1), 1.0, 0.3, 0.3
    total = np.sqrt(image_sd**2 + arm_image_sd**2 + seed_sd**2 + chance_sd**2)
    hard = rng.normal(0, image_sd, n_images)
    first, second = (
        level
        + hard
        + rng.normal(0, arm_image_sd, n_images)
        + rng.normal(0, seed_sd, (n_seeds, 1))
        + rng.normal(0, chance_sd, (n_seeds, n_images))
        > 0
        for level in levels
    )
    return first, second, float(stats.norm.cdf(levels[1] / total) - stats.norm.cdf(levels[0] / total))


def seeds_alone_coverage(n: int, confidence: float, simulations: int = 10_000) -> tuple[float, float]:
    """How often Student's interval, and a percentile bootstrap over seeds, holds the true mean of n normal values."""
    rng = np.random.default_rng(0)
    values = rng.normal(0, 1, (simulations, n))
    means = values @ (rng.multinomial(n, np.full(n, 1 / n), size=1000) / n).T  # [simulations, resamples]
    low, high = np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2], axis=1)
    student = [np.prod(inference.t_interval(row, confidence)) < 0 for row in values[:2000]]
    return float(np.mean(student)), float(np.mean((low < 0) & (high > 0)))


def two_way_coverage(seed_sd: float, simulations: int) -> float:
    """How often the bootstrap's 95 % interval over ten seeds and 1,000 images holds the true difference."""
    rng = np.random.default_rng(0)
    held = 0
    for number in range(simulations):
        first, second, truth = models(rng, 10, 1000, seed_sd)
        low, high = inference.bootstrap_interval(first, second, 0.95, resamples=500, seed=number)
        held += low <= truth <= high
    return held / simulations


def test_a_percentile_bootstrap_over_ten_seeds_alone_is_too_narrow_and_students_interval_is_not() -> None:
    student, percentile = seeds_alone_coverage(10, 0.95)
    assert student == pytest.approx(0.95, abs=0.015)
    assert percentile == pytest.approx(0.90, abs=0.015)


def test_the_bootstrap_over_seeds_and_images_has_its_nominal_coverage() -> None:
    assert two_way_coverage(seed_sd=0.02, simulations=400) >= 0.93


def test_the_bootstrap_is_too_narrow_if_seeds_vary_far_more_than_images() -> None:
    assert two_way_coverage(seed_sd=0.5, simulations=400) < 0.93


def test_the_bootstrap_counts_chance_on_single_images_three_times() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.random((2, 40, 4000)) < 0.1
    low, high = inference.bootstrap_interval(first, second, 0.95)
    once = 2 * 1.96 * np.sqrt(2 * 0.1 * 0.9 / first.size)
    assert (high - low) / once == pytest.approx(np.sqrt(3), rel=0.15)


def test_the_bootstrap_matches_drawing_seeds_and_images_one_by_one() -> None:
    first, second, _ = models(np.random.default_rng(1), 6, 500)
    rng = np.random.default_rng(2)
    differences = second.astype(float) - first
    means = [differences[np.ix_(rng.integers(6, size=6), rng.integers(500, size=500))].mean() for _ in range(10_000)]
    found = inference.bootstrap_interval(first, second, 0.95)
    assert found == pytest.approx(np.quantile(means, [0.025, 0.975]), abs=0.0006)


def test_fewer_resamples_of_many_seeds_give_about_the_same_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    first, second, _ = models(np.random.default_rng(1), 400, 500)
    fewer = inference.bootstrap_interval(first, second, 0.95)
    monkeypatch.setattr(inference, "MAX_DRAWN_SEEDS", 400 * inference.RESAMPLES)
    low, high = inference.bootstrap_interval(first, second, 0.95)
    assert fewer == pytest.approx((low, high), abs=0.06 * (high - low))
    assert fewer != (low, high)


def test_the_bootstrap_gives_the_same_interval_each_time() -> None:
    first, second, _ = models(np.random.default_rng(0), 10, 10_000)
    found = inference.bootstrap_interval(first, second, 0.95)
    assert inference.bootstrap_interval(first, second, 0.95) == found


def test_models_that_differ_on_no_image_have_a_zero_width_bootstrap_interval() -> None:
    wrong = np.random.default_rng(0).random((3, 50)) < 0.2
    assert inference.bootstrap_interval(wrong, wrong, 0.95) == (0, 0)


def test_models_that_differ_on_every_image_have_a_zero_width_bootstrap_interval() -> None:
    wrong = np.ones((3, 50), bool)
    assert inference.bootstrap_interval(~wrong, wrong, 0.95) == pytest.approx((1, 1))
