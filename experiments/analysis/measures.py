"""Weights and outputs of a run → numbers. Each measure says what it is and where its definition comes from.

Outputs y are [n, K], one row an image, one column a class. A layer's z are its pre-activations: y = activation(z).
L is an image's own loss, as Keras defines it: squared error and binary cross-entropy are means over the K outputs,
categorical cross-entropy is a sum. What is undefined or not finite, as after a diverged run, is None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.data.datasets import Dataset
from experiments.study.model import Arm

HISTOGRAM_EDGES = np.linspace(-1.5, 1.5, 61)  # in output units; what lies outside counts into the end bins
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
CONFIDENCE_EDGES = np.linspace(0, 1, 16)  # 15 bins, each with its upper edge and without its lower one
SMALLEST_PROBABILITY = 1e-7  # Keras' own epsilon: one image costs at most 16.1
PROBED_IMAGES = 2000  # the first so many training images; all of them where there are fewer
SATURATED = 0.95  # |tanh| above it, or a sigmoid above it or below 1 − it


def measure(
    arm: Arm, snapshots: Mapping[str, Sequence[np.ndarray]], outputs: np.ndarray, dataset: Dataset
) -> dict[str, Any]:
    """All measures of one run, by name, ready for JSON.

    snapshots: weights in Keras' order, [kernel, bias] a layer, by when they were taken ("start", "epoch_1", "final").
    outputs: [n_test, K] float32, those of the final weights for the test images, before the readout.
    """
    with np.errstate(all="ignore"):  # a diverged run overflows; its measures are None
        probed = probe(arm, snapshots, dataset)
        read = read_out(outputs, arm.readout)
        return {
            **predicted(read, dataset.y_test),
            "calibration": calibration(probabilities(arm, outputs), read.argmax(axis=1), dataset.y_test),
            "gradient": {name: gradient for name, (gradient, _) in probed.items()},
            "saturation": {name: saturated for name, (_, saturated) in probed.items()},
        }


def number(value: Any) -> float | None:
    """A float that JSON can hold: None where `value` is not finite."""
    return float(value) if np.isfinite(value) else None


def share(hits: np.ndarray, values: np.ndarray) -> float | None:
    """The fraction of `hits` that are true; None unless all `values`, from which they were told, are finite."""
    return float(hits.mean()) if np.isfinite(values).all() else None


# ---------------------------------------------------------------------------------------------- outputs


def read_out(outputs: np.ndarray, readout: str) -> np.ndarray:
    """What the arm reports for the model's outputs: as they are, or (y + 1) / 2, the article's Example 2.

    In float32, as the article's own code computes it: rounding can make ties that were none.
    """
    return (outputs + 1) / 2 if readout == "half_shift" else outputs


def predicted(outputs: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """What the outputs [n, K] after the readout say, against the labels [n] in 0 … K − 1, and how they are spread.

    The prediction is the class of the largest output: the first of several, and NumPy takes NaN for the largest.
    tied_share: of the images, those whose largest output is not the only one of its size, as where outputs round to 1.
    """
    predictions = outputs.argmax(axis=1)
    is_target = np.eye(outputs.shape[1], dtype=bool)[labels]
    return {
        "test_accuracy": float(np.mean(predictions == labels)),
        "predictions": "".join(chr(ord("0") + int(said)) for said in predictions),  # a sign a test image, from "0"
        "wrong_images": np.flatnonzero(predictions != labels).tolist(),  # their places among the test images
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

    Values that are NaN are in no bin.
    """
    values = values.astype(np.float64).ravel()
    inside = np.clip(values, HISTOGRAM_EDGES[0], HISTOGRAM_EDGES[-1])
    return {
        "mean": number(values.mean()),
        "quantiles": [number(q) for q in np.quantile(values, QUANTILES)],
        "counts": np.histogram(inside, HISTOGRAM_EDGES)[0].tolist(),
    }


# ---------------------------------------------------------------------------------------------- probabilities


def probabilities(arm: Arm, outputs: np.ndarray) -> np.ndarray:
    """Outputs [n, K] before the readout → what they say as probabilities, [n, K] float64 in [0, 1], not normalised.

    An arm with Example 2's readout is taken at its word, (y + 1) / 2. Else sigmoid and softmax outputs are
    probabilities as they are, and tanh and linear ones on the scale of their own targets: the minimiser of the squared
    error is E[t | x] = low + (high − low) P(class | x) (Bishop 2006, section 1.5.5), solved for P.
    """
    if arm.readout == "half_shift":
        mapped = read_out(outputs, arm.readout).astype(np.float64)
    elif arm.output in ("sigmoid", "softmax"):
        mapped = outputs.astype(np.float64)
    else:
        mapped = (outputs.astype(np.float64) - arm.low_target) / (arm.high_target - arm.low_target)
    return np.clip(mapped, 0, 1)


def normalised(rows: np.ndarray) -> np.ndarray:
    """[n, K], 0 or more → [n, K] whose rows sum to one. A row of zeros says nothing and becomes uniform."""
    sums = rows.sum(axis=1, keepdims=True)
    return np.where(sums > 0, rows / np.where(sums > 0, sums, 1), 1 / rows.shape[1])


def calibration(unnormalised: np.ndarray, predictions: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """How far the probabilities [n, K] of n images can be taken at their word; they are normalised by row first.

    ece: Σ over bins of (count / n) |accuracy − mean confidence|, in 0 … 1 (Guo et al. 2017, section 2). The
        confidence is the top probability. The accuracy is that of `predictions` [n], from before the outputs were
        clipped, which makes ties: each has the top probability, if not alone.
    ece_as_is: the same with the top probability as it was before normalising, as whoever reads the outputs would.
    reliability: those bins, as [lower edge, count, mean confidence, accuracy]; empty ones are left out.
    brier: Σ over classes of (p − one-hot)², mean over images, in 0 … 2 (Brier 1950).
    nll: −ln p of the image's class, mean over images, in nats; p clipped at SMALLEST_PROBABILITY.
    top_mean: mean top probability, in 1/K … 1. sum_before_mean: mean row sum before normalising, in 0 … K;
    sum_error: mean distance of that sum from 1.
    """
    if not np.isfinite(unnormalised).all():
        return dict.fromkeys(
            ("ece", "ece_as_is", "reliability", "brier", "nll", "top_mean", "sum_before_mean", "sum_error")
        )
    rows = normalised(unnormalised)
    top = rows.max(axis=1)
    bins = reliability(top, predictions == labels)
    is_target = np.eye(rows.shape[1], dtype=bool)[labels]
    return {
        "ece": calibration_error(bins),
        "ece_as_is": calibration_error(reliability(unnormalised.max(axis=1), predictions == labels)),
        "reliability": bins,
        "brier": float(np.square(rows - is_target).sum(axis=1).mean()),
        "nll": float(-np.log(np.maximum(rows[is_target], SMALLEST_PROBABILITY)).mean()),
        "top_mean": float(top.mean()),
        "sum_before_mean": float(unnormalised.sum(axis=1).mean()),
        "sum_error": float(np.abs(unnormalised.sum(axis=1) - 1).mean()),
    }


def calibration_error(bins: Sequence[Sequence[float]]) -> float:
    """Σ over bins of (count / n) |accuracy − mean confidence|, from what `reliability` returns."""
    return sum(count * abs(right - confident) for _, count, confident, right in bins) / sum(row[1] for row in bins)


def reliability(confidence: np.ndarray, right: np.ndarray) -> list[list[float]]:
    """[n] in 0 … 1 and [n] bool → [lower edge, count, mean confidence, accuracy] of each bin that is not empty."""
    place = np.searchsorted(CONFIDENCE_EDGES[1:-1], confidence)  # an edge belongs to the bin below it, as in the paper
    bins = []
    for n in np.unique(place):
        own = place == n
        bins.append(
            [float(CONFIDENCE_EDGES[n]), int(own.sum()), float(confidence[own].mean()), float(right[own].mean())]
        )
    return bins


# ---------------------------------------------------------------------------------------------- inside the network


def probe(
    arm: Arm, snapshots: Mapping[str, Sequence[np.ndarray]], dataset: Dataset
) -> dict[str, tuple[dict[str, Any], dict[str, Any]]]:
    """Gradient and saturation of each snapshot, on the same PROBED_IMAGES. In float64, without training's rounding."""
    images = dataset.x_train[:PROBED_IMAGES] / dataset.pixel_max
    is_target = np.eye(dataset.classes, dtype=bool)[dataset.y_train[:PROBED_IMAGES]]
    found = {}
    for name, weights in snapshots.items():
        kernels = [np.asarray(kernel, np.float64) for kernel in weights[::2]]
        layers = forward(arm, kernels, weights[1::2], images)
        deltas = backward(arm, kernels, layers, np.where(is_target, arm.high_target, arm.low_target))
        found[name] = (gradient([images, *layers[:-1]], deltas), saturation(arm, layers, is_target))
    return found


def sigmoid(z: np.ndarray) -> np.ndarray:
    """σ(z) = 1 / (1 + e^−z), by element."""
    with np.errstate(over="ignore"):  # an infinite e^−z makes σ 0, as it should
        return 1 / (1 + np.exp(-z))


def softmax(z: np.ndarray) -> np.ndarray:
    """e^z of each row [K] over its sum."""
    powers = np.exp(z - z.max(axis=1, keepdims=True))  # the largest exponent is 0: no overflow
    return powers / powers.sum(axis=1, keepdims=True)


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": sigmoid,
    "linear": lambda z: z,
    "softmax": softmax,
}
SLOPES: dict[
    str, Callable[[np.ndarray], np.ndarray]
] = {  # the derivative, told from the activation's value; softmax has none of its own for each output
    "tanh": lambda y: 1 - y**2,
    "relu": lambda y: np.where(y > 0, 1.0, 0.0),  # 0 at z = 0, as in TensorFlow
    "sigmoid": lambda y: y * (1 - y),
    "linear": np.ones_like,
}


def forward(
    arm: Arm, kernels: Sequence[np.ndarray], biases: Sequence[np.ndarray], images: np.ndarray
) -> list[np.ndarray]:
    """The values of every layer, first hidden … output, each [n, units], for the images [n, pixels] in [0, 1]."""
    layers, below = [], images
    for depth, (kernel, bias) in enumerate(zip(kernels, biases, strict=True), 1):
        below = ACTIVATIONS[arm.output if depth == len(kernels) else arm.hidden](below @ kernel + bias)
        layers.append(below)
    return layers


def output_delta(outputs: np.ndarray, targets: np.ndarray, output: str, loss: str) -> np.ndarray:
    """∂L/∂z of the output layer, [n, K], from its outputs y and targets t [n, K].

    Softmax with cross-entropy: y − t; sigmoid with the binary one: (y − t)/K (Bishop 2006, section 4.3.6).
    Squared error: (2/K)(y − t), 0 where the one-sided loss forgives, times the activation's slope; for softmax, whose
    outputs hang together, g becomes y_k (g_k − Σ_j y_j g_j).
    """
    if loss == "categorical_crossentropy":
        return outputs - targets
    if loss == "binary_crossentropy":
        return (outputs - targets) / outputs.shape[1]
    slope = 2 / outputs.shape[1] * (outputs - targets)  # ∂L/∂y
    if loss == "one_sided_mean_squared_error":
        slope = np.where((targets == 0) & (outputs < 0), 0, slope)
    if output == "softmax":
        return outputs * (slope - (outputs * slope).sum(axis=1, keepdims=True))
    return slope * SLOPES[output](outputs)


def backward(
    arm: Arm, kernels: Sequence[np.ndarray], layers: Sequence[np.ndarray], targets: np.ndarray
) -> list[np.ndarray]:
    """δ_l = ∂L/∂z_l of every layer, first hidden … output, each [n, units], from the values of all layers.

    Back-propagation: δ_l = (δ_{l+1} Wᵀ_{l+1}) ∘ activation′(z_l) (Rumelhart, Hinton & Williams 1986).
    """
    deltas = [output_delta(layers[-1], targets, arm.output, arm.loss)]
    for kernel, values in zip(reversed(kernels[1:]), reversed(layers[:-1]), strict=True):
        deltas.insert(0, (deltas[0] @ kernel.T) * SLOPES[arm.hidden](values))
    return deltas


def gradient(inputs: Sequence[np.ndarray], deltas: Sequence[np.ndarray]) -> dict[str, Any]:
    """The strength of the gradient signal by layer, first hidden … output, from each layer's inputs and δ [n, units].

    delta_rms: root mean square over the images of ‖δ_l‖, the Euclidean norm of one image's ∂L/∂z_l.
    kernel_norm: ‖∂L/∂W_l‖, the Frobenius norm, of the mean loss over the images.
    first_over_output: delta_rms of the first hidden layer over that of the output layer. Glorot & Bengio 2010 compare
        layers so; unlike the norms it does not hang on the scale of the loss, such as 1/K.
    """
    rms = [np.sqrt(np.square(delta).sum(axis=1).mean()) for delta in deltas]
    norms = [np.linalg.norm(below.T @ delta) / len(delta) for below, delta in zip(inputs, deltas, strict=True)]
    return {
        "delta_rms": [number(value) for value in rms],
        "kernel_norm": [number(value) for value in norms],
        "first_over_output": number(rms[0] / rms[-1]),
    }


def saturation(arm: Arm, layers: Sequence[np.ndarray], is_target: np.ndarray) -> dict[str, Any]:
    """How much of the network is flat, from the values of all layers, each [n, units], and [n, K] bool.

    hidden: by hidden layer, the share of units × images that are SATURATED, a limit of the study's own; None for ReLU.
    dead: by hidden layer, the share of units that are 0 on all images; None but for ReLU.
    output_slope_target, output_slope_other: mean derivative of the output activation, tanh′ = 1 − y² in 0 … 1 or
        σ′ = y(1 − y) in 0 … 1/4, where the class is the image's and where it is not; None for linear and softmax.
    """
    hidden, dead = None, None
    if arm.hidden == "relu":
        dead = [share((values == 0).all(axis=0), values) for values in layers[:-1]]
    else:
        lowest = -SATURATED if arm.hidden == "tanh" else 1 - SATURATED
        hidden = [share((values < lowest) | (values > SATURATED), values) for values in layers[:-1]]
    target, other = None, None
    if arm.output in ("tanh", "sigmoid"):
        slopes = SLOPES[arm.output](layers[-1])
        target, other = number(slopes[is_target].mean()), number(slopes[~is_target].mean())
    return {"hidden": hidden, "dead": dead, "output_slope_target": target, "output_slope_other": other}
