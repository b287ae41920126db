"""Statistics against SciPy and values computed by hand."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from experiments import statistics, study
from experiments.sources import Source
from tests import fixture

DIFFERENCES = [0.012, 0.009, 0.011, 0.007, 0.013, 0.010, -0.002, 0.008]


def test_the_t_interval_is_that_of_scipy() -> None:
    expected = stats.ttest_1samp(DIFFERENCES, 0).confidence_interval(0.95)
    assert statistics.t_interval(DIFFERENCES, 0.95) == pytest.approx((expected.low, expected.high))


def test_the_sign_flip_p_is_that_of_scipys_exact_permutation_test() -> None:
    expected = stats.permutation_test(
        (np.array(DIFFERENCES),), np.mean, permutation_type="samples", n_resamples=np.inf
    ).pvalue
    assert statistics.sign_flip_p(DIFFERENCES) == pytest.approx(expected)


def test_ten_equal_signs_give_two_of_1024() -> None:
    assert statistics.sign_flip_p([0.01 + 0.001 * n for n in range(10)]) == 2 / 1024


def test_no_difference_has_p_one() -> None:
    assert statistics.sign_flip_p([0.0, 0.0, 0.0]) == 1


def test_more_than_twenty_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="21 pairs"):
        statistics.sign_flip_p([0.1] * 21)


def test_equivalence_holds_inside_the_margin_and_not_at_its_edge() -> None:
    assert statistics.equivalence_p([0.0001 * n for n in range(-4, 6)], 0.0025) == 1 / 1024
    assert statistics.equivalence_p([0.0025 + 0.0001 * n for n in range(-4, 6)], 0.0025) > 0.5


def test_holm_multiplies_the_smallest_by_the_number_of_tests_and_never_decreases() -> None:
    assert statistics.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert statistics.holm([0.6, 0.5]) == [1, 1]


def test_mcnemar_is_the_binomial_test_of_the_discordant_images() -> None:
    assert statistics.mcnemar_p(1, 5) == pytest.approx(2 * (1 + 6) / 64)
    assert statistics.mcnemar_p(0, 0) == 1


def test_an_arm_is_summarised_over_its_seeds(results: dict) -> None:
    accuracy = results["arms"]["example-3"]["test_accuracy"]
    assert accuracy["mean"] == pytest.approx(0.9785)  # five seeds at 0.978, five with two images more of 2,000
    assert (accuracy["min"], accuracy["max"]) == (0.978, 0.979)
    assert np.sum(results["arms"]["example-3"]["confusion"]) == 10 * fixture.TEST_IMAGES


def test_a_contrast_is_paired_by_seed_and_counts_discordant_images(results: dict) -> None:
    recipe = results["contrasts"][0]
    assert (recipe["name"], recipe["n"]) == ("recipe", 10)
    assert recipe["differences"] == pytest.approx([0.013] * 10)
    assert recipe["mcnemar_p"] == pytest.approx([2 * 0.5**26] * 10)


def test_contrasts_without_runs_say_so_and_count_in_holms_family(results: dict) -> None:
    rest = results["contrasts"][1:]
    assert [contrast["n"] for contrast in rest] == [0] * 6
    assert results["contrasts"][0]["p_holm"] == pytest.approx(7 * 2 / 1024)


def test_example_2s_map_is_compared_with_example_1s_predictions(results: dict) -> None:
    readout = results["arms"]["example-2"]["readout_of"]
    assert readout == {"arm": "example-1", "changed": 0, "compared": 10 * fixture.TEST_IMAGES}


def test_unfinished_runs_are_counted_as_missing(plan: study.Study, tmp_path: Path) -> None:
    found = fixture.results(plan, tmp_path, Source("mnist", None, "a fixture"), runs=12)
    assert (len(found["runs"]), found["runs_expected"]) == (12, 30)


def test_results_are_written_anew_only_when_something_changed(plan: study.Study, tmp_path: Path) -> None:
    source = Source("mnist", None, "a fixture")
    fixture.results(plan, tmp_path, source)
    before = (tmp_path / "results.json").stat().st_mtime_ns
    fixture.results(plan, tmp_path, source)
    assert (tmp_path / "results.json").stat().st_mtime_ns == before
    changed = replace(plan, confidence=0.9)
    assert fixture.results(changed, tmp_path, source)["confidence"] == 0.9
