"""Trained weights + Dataset → numbers. Each measure says what it is and where its definition comes from.

A run's outputs y are [n, K] float32, one row a test image, one column a class, after the arm's readout.
"""

from __future__ import annotations

from typing import Any

import numpy as np

HISTOGRAM_EDGES = np.linspace(-1.5, 1.5, 61)  # in output units; what lies outside counts into the end bins
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def read_out(outputs: np.ndarray, readout: str) -> np.ndarray:
    """What the arm reports for the model's outputs: as they are, or (y + 1) / 2, the article's Example 2.

    In float32, as the article's own code computes it: rounding can make ties that were none.
    """
    return (outputs + 1) / 2 if readout == "half_shift" else outputs


def measure(outputs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """All measures of one run, by name. outputs: [n, K] after the readout; labels: [n] in 0 … K − 1."""
    predictions = outputs.argmax(axis=1)
    target = outputs[np.arange(len(labels)), labels]
    is_target = np.eye(outputs.shape[1], dtype=bool)[labels]
    return {
        "test_accuracy": float(np.mean(predictions == labels)),
        "predictions": "".join(map(str, predictions)),  # one digit a test image
        "wrong_images": np.flatnonzero(predictions != labels).tolist(),  # their places among the test images
        "confusion": confusion(predictions, labels, outputs.shape[1]),
        "target_outputs": distribution(target),
        "other_outputs": distribution(outputs[~is_target]),
        "row_sum_mean": float(outputs.sum(axis=1, dtype=np.float64).mean()),
        "negative_share": float(np.mean(outputs < 0)),
    }


def confusion(predictions: np.ndarray, labels: np.ndarray, classes: int) -> list[list[int]]:
    """Counts [K][K]: row the true class, column the predicted one (scikit-learn's convention)."""
    return np.bincount(labels.astype(int) * classes + predictions, minlength=classes**2).reshape(classes, -1).tolist()


def distribution(values: np.ndarray) -> dict[str, Any]:
    """Mean, quantiles (NumPy's linear interpolation) and counts over HISTOGRAM_EDGES of `values`, any shape."""
    values = values.astype(np.float64).ravel()
    inside = np.clip(values, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
    return {
        "mean": float(values.mean()),
        "quantiles": [float(q) for q in np.quantile(values, QUANTILES)],
        "counts": np.histogram(inside, HISTOGRAM_EDGES)[0].tolist(),
    }
