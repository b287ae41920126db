"""Outputs of a run → numbers. Each measure says what it is and where its definition comes from.

Outputs y are [n, K], one row an image, one column a class. What is undefined or not finite, as after a diverged run, is
None. What is measured inside the network is in `network_measures`, which needs TensorFlow; this module does not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from experiments.data.datasets import Dataset
from experiments.study.model import Arm
from experiments.study.parts import SQUARED_ERRORS

HISTOGRAM_EDGES = np.linspace(-1.5, 1.5, 61)  # in output units; the end bins also count what lies outside
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIDENCE_EDGES = np.linspace(0, 1, 16)  # 15 bins; a value on an edge belongs to the bin below
MIN_PROBABILITY = 1e-7  # Keras' own epsilon: one image costs at most 16.1
MAX_FEATURES = 1024  # of which a least-squares readout is computed: the time grows with the cube
MIN_VARIANCE = 1e-12  # of the largest: below it, features differ by the rounding of float32 alone


def measure(arm: Arm, outputs: np.ndarray, dataset: Dataset) -> dict[str, Any]:
    """All measures of a run's outputs, by name, ready for JSON.

    outputs: [n_test, K] float32, those of the final weights for the test images, before the readout.
    """
    with np.errstate(all="ignore"):  # a diverged run overflows; its measures are None
        readout = read_out(outputs, arm.readout)
        return {
            **prediction_measures(readout, dataset.y_test),
            "calibration": calibration(probabilities(arm, outputs), readout.argmax(axis=1), dataset.y_test),
        }


def number(value: Any) -> float | None:
    """A float that JSON can hold: None where `value` is not finite."""
    return float(value) if np.isfinite(value) else None


def share(hits: np.ndarray, values: np.ndarray) -> float | None:
    """The fraction of `hits` that are true; None unless all `values`, which they were computed from, are finite."""
    return float(hits.mean()) if np.isfinite(values).all() else None


# ---------------------------------------------------------------------------------------------- outputs


def read_out(outputs: np.ndarray, readout: str) -> np.ndarray:
    """What the arm reports for the model's outputs: as they are, or (y + 1) / 2, the article's Example 2.

    In float32, as in the article's own code, where rounding can make ties of different outputs.
    """
    return (outputs + 1) / 2 if readout == "half_shift" else outputs


def prediction_measures(outputs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Compares the outputs [n, K] after the readout with the labels [n] in 0 … K − 1, and describes their distribution.

    The prediction is the class of the largest output: the first of several, and NumPy takes NaN for the largest.
    tied_share: the fraction of images where several outputs share the largest value, for example by rounding to 1.
    """
    predictions = outputs.argmax(axis=1)
    is_target = np.eye(outputs.shape[1], dtype=bool)[labels]
    return {
        "test_accuracy": float(np.mean(predictions == labels)),
        "predictions": "".join(chr(ord("0") + int(label)) for label in predictions),  # one character an image
        "wrong_images": np.flatnonzero(predictions != labels).tolist(),  # their indices among the test images
        "confusion": confusion(predictions, labels, outputs.shape[1]),
        "target_outputs": distribution(outputs[is_target]),
        "other_outputs": distribution(outputs[~is_target]),
        "tied_share": share((outputs == outputs.max(axis=1, keepdims=True)).sum(axis=1) > 1, outputs),
        "row_sum_mean": number(outputs.sum(axis=1, dtype=np.float64).mean()),
        "negative_share": share(outputs < 0, outputs),
    }


def confusion(predictions: np.ndarray, labels: np.ndarray, classes: int) -> list[list[int]]:
    """Counts [K][K]: row the true class, column the predicted one (scikit-learn's convention)."""
    return np.bincount(labels.astype(int) * classes + predictions, minlength=classes**2).reshape(classes, -1).tolist()


def distribution(values: np.ndarray) -> dict[str, Any]:
    """Mean, quantiles (NumPy's linear interpolation) and counts over HISTOGRAM_EDGES of `values`, any shape.

    NaN is in no bin.
    """
    values = values.astype(np.float64).ravel()
    clipped = np.clip(values, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
    return {
        "mean": number(values.mean()),
        "quantiles": [number(q) for q in np.quantile(values, QUANTILES)],
        "counts": np.histogram(clipped, HISTOGRAM_EDGES)[0].tolist(),
    }


# ---------------------------------------------------------------------------------------------- probabilities


def probabilities(arm: Arm, outputs: np.ndarray) -> np.ndarray | None:
    """Outputs [n, K] before the readout → probabilities [n, K] float64 in [0, 1], whose rows need not sum to 1.

    With Example 2's readout they are what the article says, (y + 1) / 2. Outputs trained with a squared error are
    rescaled from their targets: its minimiser is E[t | x] = low + (high − low) P(class | x) (Bishop 2006, section
    1.5.5), solved for P. Other sigmoid and softmax outputs are probabilities already. What else there is, such as tanh
    trained with a hinge loss, has none: None.
    """
    if arm.readout == "half_shift":
        scores = read_out(outputs, arm.readout).astype(np.float64)
    elif arm.loss.name in SQUARED_ERRORS:
        scores = (outputs.astype(np.float64) - arm.low_target) / (arm.high_target - arm.low_target)
    elif arm.output.name in ("sigmoid", "softmax"):
        scores = outputs.astype(np.float64)
    else:
        return None
    return np.clip(scores, 0, 1)


def normalise(rows: np.ndarray) -> np.ndarray:
    """[n, K], none negative → [n, K] whose rows sum to 1. A row of zeros becomes uniform."""
    sums = rows.sum(axis=1, keepdims=True)
    return np.where(sums > 0, rows / np.where(sums > 0, sums, 1), 1 / rows.shape[1])


def calibration(scores: np.ndarray | None, predictions: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How well the probabilities [n, K] of n images match the outcomes; their rows are normalised first.

    Without probabilities, or where one is not finite, everything is None.

    ece: Σ over bins of (count / n) |accuracy − mean confidence|, in 0 … 1 (Guo et al. 2017, section 2). The
        confidence is the top probability. The accuracy is that of `predictions` [n], which were
        made before the outputs were clipped: clipping makes ties, so several classes can have the top probability.
    ece_as_is: the same with the top probability before normalising, which is what a reader of the outputs sees.
    reliability: those bins, as [lower edge, count, mean confidence, accuracy]; empty ones are left out.
    brier: Σ over classes of (p − one-hot)², mean over images, in 0 … 2 (Brier 1950).
    nll: −ln p of the image's class, mean over images, in nats; p clipped at MIN_PROBABILITY.
    top_mean: mean top probability, in 1/K … 1. sum_before_mean: mean row sum before normalising, in 0 … K;
    sum_error: mean distance of that sum from 1.
    """
    if scores is None or not np.isfinite(scores).all():
        return dict.fromkeys(
            ("ece", "ece_as_is", "reliability", "brier", "nll", "top_mean", "sum_before_mean", "sum_error")
        )
    rows = normalise(scores)
    top = rows.max(axis=1)
    bins = reliability(top, predictions == labels)
    is_target = np.eye(rows.shape[1], dtype=bool)[labels]
    return {
        "ece": calibration_error(bins),
        "ece_as_is": calibration_error(reliability(scores.max(axis=1), predictions == labels)),
        "reliability": bins,
        "brier": float(np.square(rows - is_target).sum(axis=1).mean()),
        "nll": float(-np.log(np.maximum(rows[is_target], MIN_PROBABILITY)).mean()),
        "top_mean": float(top.mean()),
        "sum_before_mean": float(scores.sum(axis=1).mean()),
        "sum_error": float(np.abs(scores.sum(axis=1) - 1).mean()),
    }


def calibration_error(bins: Sequence[Sequence[float]]) -> float:
    """Σ over bins of (count / n) |accuracy − mean confidence|, from what `reliability` returns."""
    images = sum(count for _, count, *_ in bins)
    return sum(count * abs(accuracy - confidence) for _, count, confidence, accuracy in bins) / images


def reliability(confidence: np.ndarray, is_correct: np.ndarray) -> list[list[float]]:
    """[n] in 0 … 1 and [n] bool → [lower edge, count, mean confidence, accuracy] of each bin that is not empty."""
    bin_index = np.searchsorted(CONFIDENCE_EDGES[1:-1], confidence)  # an edge belongs to the bin below, as in the paper
    bins = []
    for index in np.unique(bin_index):
        in_bin = bin_index == index
        edge, count = float(CONFIDENCE_EDGES[index]), int(in_bin.sum())
        bins.append([edge, count, float(confidence[in_bin].mean()), float(is_correct[in_bin].mean())])
    return bins


# ---------------------------------------------------------------------------------------------- least squares


class LeastSquares:
    """The exact least-squares readout of features: the best that squared error on one-hot targets can make of them.

    W and b minimise Σ over images of ‖Wᵀh + b − t‖² (Bishop 2006, section 4.1.3), and of all minima W has the smallest
    norm. They follow from sums over the images in float64, so the images can come in blocks.
    """

    def __init__(self, classes: int):
        self.images, self.by_class = 0, np.zeros(classes)
        self.gram: np.ndarray | None = None  # None before the first block, and where there are too many features

    def add(self, features: np.ndarray, labels: np.ndarray) -> None:
        """Fits to n more images as well: features [n, units] float32, labels [n] in 0 … K − 1."""
        units, classes = features.shape[1], len(self.by_class)
        if units > MAX_FEATURES:
            return
        if self.gram is None:
            self.origin = features.mean(axis=0, dtype=np.float64)  # near the mean: keeps the digits of small variances
            self.gram, self.cross, self.total = np.zeros((units, units)), np.zeros((units, classes)), np.zeros(units)
        values, targets = features - self.origin, np.eye(classes)[labels]
        self.images += len(values)
        self.by_class += targets.sum(axis=0)
        self.total += values.sum(axis=0)
        self.gram += values.T @ values
        self.cross += values.T @ targets

    def accuracy(self, features: np.ndarray, labels: np.ndarray) -> float | None:
        """The fraction of other images whose largest output is that of their class.

        None if there are more than MAX_FEATURES features, or if some are not finite.
        """
        if self.gram is None or not np.isfinite(self.gram).all():
            return None
        mean, shares = self.total / self.images, self.by_class / self.images
        covariance = self.gram / self.images - np.outer(mean, mean)
        kernel = np.linalg.pinv(covariance, MIN_VARIANCE, hermitian=True) @ (
            self.cross / self.images - np.outer(mean, shares)
        )
        outputs = (features - self.origin - mean) @ kernel + shares
        return float(np.mean(outputs.argmax(axis=1) == labels))
