"""Measures against hand-computed values and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix

from experiments import measures

OUTPUTS = np.array([[0.9, -0.1, 0.2], [0.3, 0.4, -0.5], [0.6, 0.1, 0.5], [-0.2, -0.3, -0.1]], np.float32)
LABELS = np.array([0, 1, 2, 2])


def test_accuracy_predictions_and_wrong_images_are_those_counted_by_hand() -> None:
    found = measures.measure(OUTPUTS, LABELS)
    assert found["test_accuracy"] == 0.75
    assert found["predictions"] == "0102"
    assert found["wrong_images"] == [2]


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    labels, said = np.array([0, 1, 2, 2, 1, 0, 2]), np.array([0, 2, 2, 1, 1, 0, 0])
    assert measures.confusion(said, labels, 3) == confusion_matrix(labels, said).tolist()


def test_target_and_other_outputs_are_told_apart() -> None:
    found = measures.measure(OUTPUTS, LABELS)
    assert found["target_outputs"]["mean"] == pytest.approx((0.9 + 0.4 + 0.5 - 0.1) / 4)
    assert sum(found["target_outputs"]["counts"]) == 4
    assert sum(found["other_outputs"]["counts"]) == 8


def test_row_sums_and_negative_outputs() -> None:
    found = measures.measure(OUTPUTS, LABELS)
    assert found["row_sum_mean"] == pytest.approx((1.0 + 0.2 + 1.2 - 0.6) / 4)
    assert found["negative_share"] == pytest.approx(5 / 12)


def test_the_histogram_counts_outliers_into_its_end_bins() -> None:
    counts = measures.distribution(np.array([-9.0, 0.01, 9.0]))["counts"]
    assert (counts[0], counts[-1], sum(counts)) == (1, 1, 3)


def test_the_articles_map_halves_and_shifts_in_float32() -> None:
    mapped = measures.read_out(np.array([-1, 0, 1], np.float32), "half_shift")
    assert mapped.tolist() == [0, 0.5, 1]
    assert mapped.dtype == np.float32


def test_the_articles_map_can_tie_what_differed() -> None:
    outputs = np.array([[1e-9, 2e-9]], np.float32)
    assert measures.measure(outputs, np.array([1]))["predictions"] == "1"
    assert measures.measure(measures.read_out(outputs, "half_shift"), np.array([1]))["predictions"] == "0"
