"""Measures against hand-computed values, finite differences, scikit-learn, SciPy and TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, log_loss

from experiments.analysis import measures
from experiments.data import datasets, strokes
from experiments.data.datasets import Dataset
from experiments.study import load as studies
from experiments.study.model import Arm, Part
from experiments.training import network_measures, trainer
from tests import closed_forms, fixture
from tests.closed_forms import ACTIVATIONS, SLOPES, output_delta

Array = np.ndarray
OUTPUTS = np.array([[0.9, -0.1, 0.2], [0.3, 0.4, -0.5], [0.6, 0.1, 0.5], [-0.2, -0.3, -0.1]], np.float32)
LABELS = np.array([0, 1, 2, 2], np.uint8)
EXAMPLE_1 = studies.load().arm("example-1")
SQUARED = ("mean_squared_error", "one_sided_mean_squared_error")
HIDDEN = ("tanh", "relu", "sigmoid")
PAIRS = [(output, loss) for output in ("tanh", "linear", "sigmoid", "softmax") for loss in SQUARED]
PAIRS += [("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy")]
CODINGS = [(0.0, 1.0), (-1.0, 1.0), (-0.25, 1.0), (-1.0, 0.0)]
ALIKE = pytest.mark.slow("another activation of hidden layers, one for each pair of output and loss, is in `make test`")
NETWORKS = [  # of every hidden activation, output and loss
    pytest.param(hidden, *pair, marks=[] if place % len(HIDDEN) == number else [ALIKE])
    for number, hidden in enumerate(HIDDEN)
    for place, pair in enumerate(PAIRS)
]


def tiny_arm(**changes: Any) -> Arm:
    """Example 1 with hidden layers of three units, two if no depth is given, and with what `changes` name."""
    hidden = (Part(changes.pop("hidden", "tanh")),) * changes.pop("depth", 2)
    parts = {key: Part(changes[key]) for key in ("output", "loss") if isinstance(changes.get(key), str)}
    return replace(EXAMPLE_1, **{"width": 3, "hidden": hidden, **changes, **parts})


def tiny_dataset(classes: int = 3, images: int = 6) -> Dataset:
    """Images of four pixels from 0 to 5, the same to train and to test with, and of one class after the other."""
    pixels = np.random.default_rng(7).integers(0, 6, (images, 4)).astype(np.uint8)
    labels = (np.arange(images) % classes).astype(np.uint8)
    return Dataset("tiny", pixels, labels, pixels, labels, pixel_max=5, classes=classes)


def tiny_weights(*units: int) -> list[Array]:
    rng = np.random.default_rng(3)
    shapes = [shape for below, above in pairwise(units) for shape in ((below, above), (above,))]
    return [rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes]


def measure_outputs(arm: Arm, outputs: Array = OUTPUTS, labels: Array = LABELS) -> dict[str, Any]:
    """The measures of made-up outputs."""
    classes = outputs.shape[1]
    pixels = np.zeros((len(labels), 4), np.uint8)
    return measures.measure(arm, outputs, Dataset("tiny", pixels, labels, pixels, labels, 5, classes))


def calibration(rows: list[list[float]], labels: list[int]) -> dict[str, Any]:
    """The calibration of probabilities whose largest is the prediction."""
    return measures.calibration(np.array(rows), np.argmax(rows, axis=1), np.array(labels))


# ---------------------------------------------------------------------------------------------- outputs


def test_accuracy_predictions_and_wrong_images_are_those_counted_by_hand() -> None:
    result = measure_outputs(tiny_arm())
    assert result["test_accuracy"] == 0.75
    assert result["predictions"] == "0102"
    assert result["wrong_images"] == [2]


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    labels, predictions = np.array([0, 1, 2, 2, 1, 0, 2]), np.array([0, 2, 2, 1, 1, 0, 0])
    assert measures.confusion(predictions, labels, 3) == confusion_matrix(labels, predictions).tolist()


def test_target_and_other_outputs_are_measured_separately() -> None:
    result = measure_outputs(tiny_arm())
    assert result["target_outputs"]["mean"] == pytest.approx((0.9 + 0.4 + 0.5 - 0.1) / 4)
    assert sum(result["target_outputs"]["counts"]) == 4
    assert sum(result["other_outputs"]["counts"]) == 8


def test_row_sums_and_negative_outputs() -> None:
    result = measure_outputs(tiny_arm())
    assert result["row_sum_mean"] == pytest.approx((1.0 + 0.2 + 1.2 - 0.6) / 4)
    assert result["negative_share"] == pytest.approx(5 / 12)


def test_the_histogram_counts_outliers_into_its_end_bins() -> None:
    counts = measures.distribution(np.array([-9.0, 0.01, 9.0]))["counts"]
    assert (counts[0], counts[-1], sum(counts)) == (1, 1, 3)


def test_the_articles_map_halves_and_shifts_in_float32() -> None:
    shifted = measures.read_out(np.array([-1, 0, 1], np.float32), "half_shift")
    assert shifted.tolist() == [0, 0.5, 1]
    assert shifted.dtype == np.float32


def test_the_articles_map_can_tie_what_differed() -> None:
    outputs, labels = np.array([[1e-9, 2e-9]], np.float32), np.array([1])
    assert measure_outputs(tiny_arm(), outputs, labels)["predictions"] == "1"
    assert measure_outputs(tiny_arm(readout="half_shift"), outputs, labels)["predictions"] == "0"


# ---------------------------------------------------------------------------------------------- probabilities


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, [0, 0, 0.5, 1]),
        ({"low_target": -1.0}, [0, 0.25, 0.75, 1]),
        ({"output": "linear", "low_target": -0.5, "high_target": 0.5}, [0, 0, 1, 1]),
        ({"low_target": -0.5, "readout": "half_shift"}, [0, 0.25, 0.75, 1]),
        ({"output": "linear", "low_target": -1.0}, [0, 0.25, 0.75, 1]),
    ],
)
def test_outputs_are_rescaled_from_their_targets_or_as_example_2_does_it(
    changes: dict[str, Any], expected: list[float]
) -> None:
    outputs = np.array([[-1, -0.5, 0.5, 1]], np.float32)
    assert measures.probabilities(tiny_arm(**changes), outputs).tolist() == [expected]


def test_linear_outputs_beyond_the_targets_are_clipped_and_still_predict_by_the_largest() -> None:
    result = measure_outputs(tiny_arm(output="linear"), np.array([[1.5, 2.5, -3.0]], np.float32), np.array([1]))
    assert result["calibration"]["sum_before_mean"] == 2
    assert result["calibration"]["top_mean"] == 0.5
    assert result["calibration"]["reliability"] == [[pytest.approx(7 / 15), 1, 0.5, result["test_accuracy"]]]


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_sigmoid_and_softmax_outputs_are_probabilities_as_they_are(output: str) -> None:
    loss = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy"}[output]
    outputs = np.array([[0.25, 0.5, 0.125]], np.float32)
    assert measures.probabilities(tiny_arm(output=output, loss=loss), outputs).tolist() == outputs.tolist()


def test_rows_are_normalised_and_a_row_of_zeros_becomes_uniform() -> None:
    rows = np.array([[0.2, 0.2, 0.4], [0, 0, 0]])
    np.testing.assert_allclose(measures.normalise(rows), [[0.25, 0.25, 0.5], [1 / 3] * 3])


def test_calibration_reports_the_row_sum_before_and_scores_the_rows_after_normalising() -> None:
    result = calibration([[0.2, 0.2], [0, 0], [1, 0.6]], [0, 1, 0])
    assert result["sum_before_mean"] == pytest.approx((0.4 + 0 + 1.6) / 3)
    assert result["sum_error"] == pytest.approx((0.6 + 1 + 0.6) / 3)
    assert result["top_mean"] == pytest.approx((0.5 + 0.5 + 0.625) / 3)
    assert result["nll"] == pytest.approx(-(np.log(0.5) + np.log(0.5) + np.log(0.625)) / 3)


def test_the_calibration_error_and_the_reliability_curve_are_those_computed_by_hand() -> None:
    rows = [[0.9, 0.1], [0.92, 0.08], [0.88, 0.12], [0.55, 0.45]]
    result = calibration(rows, [0, 1, 0, 1])
    expected = [[8 / 15, 1, 0.55, 0], [13 / 15, 3, 0.9, 2 / 3]]
    np.testing.assert_allclose(result["reliability"], expected)
    assert result["ece"] == pytest.approx(1 / 4 * 0.55 + 3 / 4 * (0.9 - 2 / 3))


def test_a_confidence_on_a_bins_edge_belongs_to_the_bin_below() -> None:
    bins = measures.reliability(np.array([0.2, 0.2 + 1e-9, 1.0]), np.array([True, False, True]))
    np.testing.assert_allclose([lower for lower, *_ in bins], [2 / 15, 3 / 15, 14 / 15])


def test_the_reliability_curve_averages_to_the_accuracy_even_where_clipping_makes_ties() -> None:
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(0.5, 1, (200, 4)).astype(np.float32), rng.integers(0, 4, 200)
    result = measure_outputs(tiny_arm(output="linear"), outputs, labels)
    correct = sum(count * accuracy for _, count, _, accuracy in result["calibration"]["reliability"])
    assert correct / 200 == pytest.approx(result["test_accuracy"])
    assert result["test_accuracy"] == accuracy_score(labels, outputs.argmax(1))


def test_brier_and_log_loss_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    result = measures.calibration(rows, rows.argmax(1), labels)
    assert result["nll"] == pytest.approx(log_loss(labels, rows, labels=range(4)))
    brier = brier_score_loss(labels, rows, labels=range(4), scale_by_half=False)
    assert result["brier"] == pytest.approx(brier)


def test_a_certain_and_wrong_answer_costs_two_in_brier_and_sixteen_in_log_loss() -> None:
    result = calibration([[1, 0]], [1])
    assert (result["brier"], result["ece"]) == (2, 1)
    assert result["nll"] == pytest.approx(-np.log(1e-7))


def test_an_untrained_softmax_gives_each_class_about_one_tenth() -> None:
    digits = datasets.load(datasets.DIGITS)
    arm = tiny_arm(width=128, depth=1, output="softmax", loss="categorical_crossentropy")
    model = trainer.build(arm, digits.x_test.shape[1], digits.classes)
    model.set_weights(trainer.initial_weights(model, seed=0))
    outputs = model(digits.x_test / np.float32(digits.pixel_max)).numpy()
    result = measures.calibration(measures.probabilities(arm, outputs), outputs.argmax(1), digits.y_test)
    assert result["nll"] == pytest.approx(np.log(10), abs=0.3)


def test_outputs_that_no_rule_makes_probabilities_have_no_calibration() -> None:
    for changes in ({"loss": "hinge"}, {"output": "softplus", "loss": "poisson"}):
        result = measure_outputs(tiny_arm(**changes))
        assert set(result["calibration"].values()) == {None}
        assert result["test_accuracy"] == 0.75


@pytest.mark.parametrize("output", ["sigmoid", "gelu"])
def test_any_output_that_squared_error_trains_is_rescaled_from_its_targets(output: str) -> None:
    arm = tiny_arm(output=output, low_target=0.5)
    assert measures.probabilities(arm, np.array([[0.25, 0.75, 1]], np.float32)).tolist() == [[0, 0.5, 1]]


# ---------------------------------------------------------------------------------------------- fit


def least_squares(features: Array, labels: Array, classes: int, block: int = 2) -> measures.LeastSquares:
    """The readout fitted to blocks of that many images."""
    fitted = measures.LeastSquares(classes)
    for start in range(0, len(features), block):
        fitted.add(features[start : start + block].astype(np.float32), labels[start : start + block])
    return fitted


def test_the_least_squares_readout_is_the_one_computed_by_hand() -> None:
    """Class 1 at 0, 2 and 4, class 0 at 6 and 8: the lines of both targets, 0.5 ∓ 0.15 (x − 4), cross at 4 + 2/3."""
    features, labels = np.array([[0.0], [2], [4], [6], [8]]), np.array([1, 1, 1, 0, 0])
    fitted = least_squares(features, labels, 2)
    assert fitted.accuracy(features.astype(np.float32), labels) == 1
    for place, label in ((4.6, 1), (4.7, 0)):
        assert fitted.accuracy(np.array([[place]], np.float32), np.array([label])) == 1


@pytest.mark.parametrize("offset", [0, 1000])
def test_the_least_squares_readout_is_that_of_numpy_wherever_the_features_are(offset: float) -> None:
    rng = np.random.default_rng(0)
    features, labels = rng.normal(offset, 1, (300, 5)).astype(np.float32), rng.integers(0, 3, 300)
    design = np.column_stack([features, np.ones(300)]).astype(np.float64)
    expected = (design @ np.linalg.lstsq(design, np.eye(3)[labels])[0]).argmax(axis=1)
    assert least_squares(features, labels, 3, block=64).accuracy(features, expected) == 1


def test_features_that_repeat_others_or_are_constant_change_nothing() -> None:
    rng = np.random.default_rng(1)
    features, labels = rng.normal(0, 1, (200, 4)), rng.integers(0, 3, 200)
    other = rng.normal(0, 1, (500, 4))
    plain = least_squares(features, labels, 3)

    def more(values: Array) -> Array:
        return np.column_stack([values, values[:, 0], np.zeros(len(values)), np.full(len(values), 0.3)]).astype(
            np.float32
        )

    fitted = least_squares(more(features), labels, 3)
    for label in range(3):
        labels = np.full(500, label)
        assert fitted.accuracy(more(other), labels) == plain.accuracy(other.astype(np.float32), labels)


def test_too_many_features_or_infinite_ones_have_no_least_squares_readout() -> None:
    wide = np.zeros((2, measures.MAX_FEATURES + 1), np.float32)
    assert least_squares(wide, np.array([0, 1]), 2).accuracy(wide, np.array([0, 1])) is None
    infinite = np.array([[np.inf], [0]], np.float32)
    with np.errstate(invalid="ignore"):
        assert least_squares(infinite, np.array([0, 1]), 2).accuracy(infinite, np.array([0, 1])) is None


@pytest.mark.parametrize("readout", ["as_is", "half_shift"])
def test_training_accuracy_is_of_the_training_images_and_the_readout_is_fitted_to_them(readout: str) -> None:
    arm, dataset = tiny_arm(readout=readout), tiny_dataset(images=4100)
    dataset = replace(dataset, x_test=dataset.x_test[:50], y_test=1 - dataset.y_test[:50] % 2)
    model = trainer.build(arm, 4, 3)
    model.set_weights(tiny_weights(4, 3, 3, 3))
    images = dataset.x_train.astype(np.float32) / 5
    hidden = keras.Sequential(model.layers[:-1])
    result = network_measures.measure(arm, {"final": model.get_weights()}, dataset)
    expected = np.mean(measures.read_out(model(images).numpy(), readout).argmax(1) == dataset.y_train)
    assert result["training_accuracy"] == pytest.approx(expected)
    fitted = least_squares(hidden(images).numpy(), dataset.y_train, 3, block=4100)
    assert result["least_squares_accuracy"] == fitted.accuracy(
        hidden(dataset.x_test.astype(np.float32) / 5).numpy(), dataset.y_test
    )


def test_a_network_is_measured_without_its_dropout() -> None:
    weights, dataset = {"final": tiny_weights(4, 3, 3, 3)}, tiny_dataset(images=500)
    plain, dropped = (network_measures.measure(tiny_arm(dropout=rate), weights, dataset) for rate in (0.0, 0.9))
    assert plain == dropped


# ---------------------------------------------------------------------------------------------- gradients


def losses(z: Array, targets: Array, output: str, loss: str) -> Array:
    """[n] losses of the output layer's z [n, K], computed with SciPy, independently of the measures."""
    y = ACTIVATIONS[output](z)
    if loss == "categorical_crossentropy":
        return -(targets * special.log_softmax(z, axis=1)).sum(axis=1)
    if loss == "binary_crossentropy":
        return -(targets * special.log_expit(z) + (1 - targets) * special.log_expit(-z)).mean(axis=1)
    charged = np.ones_like(y) if loss == "mean_squared_error" else 1.0 - ((targets == 0) & (y < 0))
    return (charged * (y - targets) ** 2).mean(axis=1)


def differences(loss_of: Callable[[Array], Array], z: Array, step: float = 1e-6) -> Array:
    """Central finite differences: z [n, units] → ∂L/∂z [n, units] of each image's own loss."""
    columns = np.eye(z.shape[1]) * step
    return np.stack([(loss_of(z + c) - loss_of(z - c)) / (2 * step) for c in columns], axis=1)


def propagate(model: keras.Sequential, loss: Part, images: Array, targets: Array) -> list[network_measures.Layer]:
    """The layers of `model`, which computes in float64, by automatic differentiation."""
    network = network_measures.Network(model, trainer.loss_function(loss))
    return network(model.get_weights(), tf.constant(images), tf.constant(targets))


def tiny_network(arm: Arm, images: Array, targets: Array, scale: float = 1.0) -> list[network_measures.Layer]:
    """The layers of the arm's network of tiny weights, whose output kernel is `scale` times larger."""
    model = trainer.build(arm, images.shape[1], targets.shape[1], "float64")
    weights = tiny_weights(images.shape[1], *[arm.width] * arm.depth, targets.shape[1])
    weights[-2] = weights[-2] * np.float32(scale)
    model.set_weights(weights)
    return propagate(model, arm.loss, images, targets)


def random_images(count: int = 6, pixels: int = 4) -> Array:
    return np.random.default_rng(5).uniform(0, 1, (count, pixels))


@pytest.mark.parametrize("scale", [1, pytest.param(20, marks=pytest.mark.slow("1 and 1000 are in `make test`")), 1000])
@pytest.mark.parametrize(
    ("output", "loss", "coding"),
    [(*pair, coding) for pair in PAIRS for coding in (CODINGS if pair[1] in SQUARED else [(0.0, 1.0)])],
)
def test_the_output_delta_has_its_closed_form_however_saturated_the_outputs_are(
    output: str, loss: str, coding: tuple[float, float], scale: float
) -> None:
    targets = np.where(np.eye(4, dtype=bool)[[0, 1, 2, 3, 0, 1]], coding[1], coding[0])
    layer = tiny_network(tiny_arm(output=output, loss=loss), random_images(), targets, scale)[-1]
    np.testing.assert_allclose(layer.outputs, ACTIVATIONS[output](layer.pre_activations), rtol=1e-12, atol=1e-300)
    expected = output_delta(layer.outputs, targets, output, Part(loss))
    np.testing.assert_allclose(layer.deltas, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("coding", CODINGS)
def test_the_output_delta_of_a_weighted_error_has_its_closed_form(coding: tuple[float, float]) -> None:
    loss = Part("weighted_mean_squared_error", (("overshoot", 0.5), ("undershoot", 4.0), ("wrong", 0.25)))
    targets = np.where(np.eye(4, dtype=bool)[[0, 1, 2, 3, 0, 1]], coding[1], coding[0])
    layer = tiny_network(tiny_arm(output="linear", loss=loss), random_images(), targets)[-1]
    expected = output_delta(layer.outputs, targets, "linear", loss)
    np.testing.assert_allclose(layer.deltas, expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("hidden", "output", "loss"), NETWORKS)
def test_hidden_deltas_and_kernel_gradients_are_those_of_the_chain_rule(hidden: str, output: str, loss: str) -> None:
    """δ_l = (δ_{l+1} Wᵀ_{l+1}) ∘ activation′(z_l) (Rumelhart, Hinton & Williams 1986)."""
    images, targets, kernels = random_images(), np.eye(3)[[0, 1, 2, 0, 1, 2]], tiny_weights(4, 3, 3, 3)[::2]
    layers = tiny_network(tiny_arm(hidden=hidden, output=output, loss=loss), images, targets)
    assert len(layers) == 3
    for layer, above, kernel in zip(layers, layers[1:], kernels[1:], strict=False):
        expected = above.deltas @ kernel.T.astype(np.float64) * SLOPES[hidden](layer.outputs)
        np.testing.assert_allclose(layer.deltas, expected, rtol=1e-12, atol=1e-15)
    for layer, inputs in zip(layers, [images, *(layer.outputs for layer in layers[:-1])], strict=True):
        np.testing.assert_allclose(layer.kernel_gradient, inputs.T @ layer.deltas / 6, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_the_output_delta_is_the_finite_difference_of_the_loss(output: str, loss: str) -> None:
    targets = np.eye(4)[[0, 1, 2, 3, 0, 1]]
    layer = tiny_network(tiny_arm(output=output, loss=loss), random_images(), targets)[-1]
    expected = differences(lambda z: losses(z, targets, output, loss), layer.pre_activations)
    np.testing.assert_allclose(layer.deltas, expected, atol=1e-8)


def gelu(z: Array) -> Array:
    return z * special.ndtr(z)


def test_layers_that_the_study_does_not_use_are_differentiated_too() -> None:
    """GELU, layer normalisation between two layers, and Keras' Huber loss, against finite differences."""
    images, targets = random_images(), np.eye(3)[[0, 1, 2, 0, 1, 2]]
    precise = {"dtype": "float64"}
    inner = [keras.layers.Dense(5, "gelu", **precise), keras.layers.LayerNormalization(epsilon=0.1, **precise)]
    last = [keras.layers.Dropout(0.5, **precise), keras.layers.Dense(3, "gelu", trainable=False, **precise)]
    model = keras.Sequential([keras.Input((4,), **precise), *inner, *last])
    weights = [*tiny_weights(4, 5), *tiny_weights(5, 5)[0][:2], *tiny_weights(5, 3)]  # gains and offsets: two rows
    model.set_weights(weights)
    gain, offset, kernel, bias = (weight.astype(np.float64) for weight in weights[2:])

    def losses_from_output(z: Array) -> Array:
        error = np.abs(gelu(z) - targets)
        return np.where(error <= 1, error**2 / 2, error - 0.5).mean(axis=1)

    def losses_from_hidden(z: Array) -> Array:
        y = gelu(z)
        centred = y - y.mean(axis=1, keepdims=True)
        return losses_from_output(
            (centred / np.sqrt(y.var(axis=1, keepdims=True) + 0.1) * gain + offset) @ kernel + bias
        )

    first, last = propagate(model, Part("huber"), images, targets)
    np.testing.assert_allclose(first.deltas, differences(losses_from_hidden, first.pre_activations), atol=1e-8)
    np.testing.assert_allclose(last.deltas, differences(losses_from_output, last.pre_activations), atol=1e-8)


def test_a_relu_has_slope_0_at_0() -> None:
    arm, targets = tiny_arm(hidden="relu"), np.eye(3)[[0, 1]]
    model = trainer.build(arm, 4, 3, "float64")
    weights = tiny_weights(4, 3, 3, 3)
    model.set_weights([np.zeros_like(weights[0]), *weights[1:2], *weights[2:]])
    model.layers[0].bias.assign(np.zeros(3))
    first = propagate(model, arm.loss, random_images(2), targets)[0]
    assert not first.pre_activations.any()
    assert not first.deltas.any()


@pytest.mark.parametrize(
    ("output", "loss", "y", "t", "expected"),
    [
        ("tanh", "mean_squared_error", 0.5, 0, 0.2 * 0.5 * 0.75),
        ("tanh", "mean_squared_error", 0.5, 1, -0.2 * 0.25 * 1.5),
        ("tanh", "mean_squared_error", 0.5, -1, 0.2 * 1.5 * 0.75),
        ("tanh", "one_sided_mean_squared_error", 0.5, 0, 0.2 * 0.5 * 0.75),
        ("tanh", "one_sided_mean_squared_error", -0.5, 0, 0),
        ("tanh", "one_sided_mean_squared_error", -0.5, 1, -0.2 * 1.5 * 0.75),
        ("sigmoid", "mean_squared_error", 0.8, 1, 0.2 * -0.2 * 0.8 * 0.2),
        ("linear", "mean_squared_error", -3, 1, 0.2 * -4),
        ("sigmoid", "binary_crossentropy", 0.8, 1, -0.02),
        ("softmax", "categorical_crossentropy", 0.1, 1, -0.9),
        ("softmax", "mean_squared_error", 0.1, 1, 0.2 * 0.1 * (-0.9 - (0.1 * -0.9 + 9 * 0.1 * 0.1))),
    ],
)
def test_the_output_delta_has_the_closed_form_of_the_study(
    output: str, loss: str, y: float, t: float, expected: float
) -> None:
    targets = np.array([[t] + [0.0] * 8 + [0.0 if t == 1 else 1.0]])
    delta = output_delta(np.array([[y] + [0.1] * 9]), targets, output, Part(loss))
    assert delta[0, 0] == pytest.approx(expected)


def test_tanh_with_targets_of_one_sign_each_is_the_sigmoid_of_twice_z_four_times_over() -> None:
    z = np.linspace(-4, 4, 10).reshape(2, 5)
    targets = np.eye(5)[[1, 3]]
    tanh, sigmoid = np.tanh(z), special.expit(2 * z)
    np.testing.assert_allclose(np.square(tanh - (2 * targets - 1)), 4 * np.square(sigmoid - targets), atol=1e-12)
    np.testing.assert_allclose(  # by the chain rule twice that in z
        output_delta(tanh, 2 * targets - 1, "tanh", Part("mean_squared_error")),
        8 * output_delta(sigmoid, targets, "sigmoid", Part("mean_squared_error")),
        atol=1e-12,
    )


@pytest.mark.parametrize(("hidden", "output", "loss"), NETWORKS)
def test_kernel_norms_are_those_of_tensorflow_on_the_studys_own_model(hidden: str, output: str, loss: str) -> None:
    low = -0.5 if loss == "mean_squared_error" else 0.0
    arm = tiny_arm(hidden=hidden, output=output, loss=loss, low_target=low)
    dataset = tiny_dataset()
    model = trainer.build(arm, 4, 3)
    model.set_weights(tiny_weights(4, 3, 3, 3))
    targets = tf.constant(trainer.targets(arm, dataset.y_train, 3))
    with tf.GradientTape() as tape:
        outputs = model(trainer.scaled(tf.constant(dataset.x_train), 5))
        loss_value = tf.reduce_mean(trainer.loss_function(arm.loss)(targets, outputs))
    kernels = tape.gradient(loss_value, model.trainable_variables)[::2]

    result = network_measures.measure(arm, {"final": model.get_weights()}, dataset)["gradient"]["final"]
    assert result["kernel_norm"] == pytest.approx([float(tf.norm(kernel)) for kernel in kernels], rel=1e-4)


def test_delta_rms_and_their_ratio_are_those_computed_by_hand() -> None:
    deltas = [np.array([[3.0, 4.0], [0, 1]]), np.array([[1.0], [-1.0]])]
    result = network_measures.gradient(deltas, [np.array([[3.0, 0], [0, 4]]), np.zeros((2, 1))])
    assert result["delta_rms"] == pytest.approx([13**0.5, 1])
    assert result["first_over_output"] == pytest.approx(13**0.5)
    assert result["kernel_norm"] == [5, 0]


def test_a_network_without_a_signal_has_no_ratio_between_its_layers() -> None:
    deltas = [np.zeros((2, 2)), np.zeros((2, 1))]
    with np.errstate(invalid="ignore"):
        result = network_measures.gradient(deltas, [np.zeros((4, 2)), np.zeros((2, 1))])
    assert result == {"delta_rms": [0, 0], "kernel_norm": [0, 0], "first_over_output": None}


def test_gradient_and_saturation_are_those_of_the_first_two_thousand_training_images() -> None:
    dataset, weights = tiny_dataset(images=2100), tiny_weights(4, 3, 3, 3)
    result = [
        network_measures.measure(
            tiny_arm(), {"final": weights}, replace(dataset, x_train=dataset.x_train[:n], y_train=dataset.y_train[:n])
        )
        for n in (1999, 2000, 2100)
    ]
    before, enough, more = ((numbers["gradient"], numbers["saturation"]) for numbers in result)
    assert before != enough == more


# ---------------------------------------------------------------------------------------------- saturation


def saturation(arm: Arm, outputs: list[list[list[float]]], is_target: list[list[bool]]) -> dict[str, Any]:
    """The saturation of layers with these outputs, the last layer's from its z."""
    unused = np.zeros(0)
    layers = [network_measures.Layer(unused, np.array(values), unused, unused) for values in outputs[:-1]]
    last = network_measures.Layer(np.array(outputs[-1]), unused, unused, unused)
    return network_measures.saturation(arm, [*layers, last], np.array(is_target))


def test_saturated_tanh_and_sigmoid_units_are_counted_on_both_sides() -> None:
    last, is_target = [[0.5], [0.0]], [[True], [False]]
    tanh = [[[-0.96, 0.94], [0.97, 0.03]], [[-0.94], [0.96]], last]
    assert saturation(tiny_arm(), tanh, is_target)["hidden"] == [0.5, 0.5]
    sigmoid = [[[0.04, 0.06], [0.94, 0.96]], [[0.01], [0.5]], last]
    assert saturation(tiny_arm(hidden="sigmoid"), sigmoid, is_target)["hidden"] == [0.5, 0.5]


def test_a_relu_unit_is_dead_if_it_is_zero_on_every_image() -> None:
    outputs = [[[0.0, 0, 1, 0], [0, 2, 1, 0]], [[0.0, 3], [1, 0]], [[0.5], [0.0]]]
    result = saturation(tiny_arm(hidden="relu"), outputs, [[True], [False]])
    assert (result["hidden"], result["dead"]) == (None, [0.5, 0])
    assert saturation(tiny_arm(), outputs, [[True], [False]])["dead"] is None


def test_an_activation_without_two_flat_ends_has_no_saturated_and_no_dead_units() -> None:
    result = saturation(tiny_arm(hidden="gelu", depth=1), [[[0.0], [0.0]], [[1.0], [0.0]]], [[True], [False]])
    assert (result["hidden"], result["dead"]) == (None, None)


def test_layers_of_different_activations_each_have_what_their_activation_has() -> None:
    arm = replace(tiny_arm(), hidden=(Part("relu"), Part("tanh"), Part("relu", (("negative_slope", 0.1),))))
    outputs = [[[0.0, 1], [0, 0]], [[0.99, 0], [0, 0]], [[0.0], [0.0]], [[0.5], [0.0]]]
    result = saturation(arm, outputs, [[True], [False]])
    assert (result["dead"], result["hidden"]) == ([0.5, None, None], [None, 0.25, None])


@pytest.mark.parametrize(
    ("output", "derivative"),
    [
        ("tanh", lambda z: 1 - np.tanh(z) ** 2),
        ("sigmoid", lambda z: special.expit(z) * special.expit(-z)),
        ("gelu", lambda z: (gelu(z + 1e-6) - gelu(z - 1e-6)) / 2e-6),
    ],
)
def test_the_output_slope_is_reported_separately_for_target_and_other_outputs(
    output: str, derivative: Callable[[Array], Array]
) -> None:
    z = np.array([[0.5, 0], [3, -0.5]])
    result = saturation(tiny_arm(output=output, depth=0), [z.tolist()], [[True, False], [True, False]])
    target, other = derivative(z).mean(axis=0)
    assert result["output_slope_target"] == pytest.approx(target, rel=1e-8)
    assert result["output_slope_other"] == pytest.approx(other, rel=1e-8)


@pytest.mark.parametrize("output", ["linear", "softmax", "log_softmax"])
def test_there_is_no_output_slope_where_it_is_constant_or_outputs_depend_on_each_other(output: str) -> None:
    result = saturation(tiny_arm(output=output, depth=0), [[[0.5, 0], [3, -0.5]]], [[True, False], [True, False]])
    assert (result["output_slope_target"], result["output_slope_other"]) == (None, None)


# ---------------------------------------------------------------------------------------------- push on wrong classes


def push(outputs: list[list[float]], deltas: list[list[float]], right: list[int], low: float = 0.0) -> dict[str, Any]:
    """The push on wrong classes of an output layer with these outputs and ∂L/∂z, where these classes are right."""
    unused = np.zeros(0)
    layer = network_measures.Layer(unused, np.array(outputs), np.array(deltas), unused)
    with np.errstate(invalid="ignore"):
        return network_measures.push(layer, np.eye(len(outputs[0]), dtype=bool)[right], low)


def test_the_push_below_the_target_is_its_share_of_the_push_on_wrong_classes_alone() -> None:
    outputs = [[0.9, -0.5, 0.25], [-0.2, -0.1, 0.5]]
    deltas = [[-0.7, -0.3, 0.2], [-0.1, -0.6, 0.4]]  # the right classes' are −0.7 and −0.6
    result = push(outputs, deltas, [0, 1])
    assert (result["below_target"], result["ahead"]) == (pytest.approx(0.4), 0)  # of 0.3 + 0.2 + 0.1 + 0.4
    assert result["below_target_mean"] == pytest.approx(0.4 / 4)
    assert push(outputs, deltas, [0, 1], low=-0.25)["below_target"] == pytest.approx(0.3)


def test_outputs_below_the_target_are_ahead_where_the_right_class_is_not_above_them() -> None:
    outputs = [[-0.4, -0.5, -0.3], [-0.2, -0.2, 0.5], [0.9, -0.9, -0.9]]
    assert push(outputs, [[1.0] * 3] * 3, [0, 1, 0])["ahead"] == 2 / 5  # −0.3 above −0.4, and −0.2 as large as −0.2


def test_without_any_push_there_is_no_share_and_without_low_outputs_none_is_ahead() -> None:
    assert push([[0.9, 0.1]], [[0.5, 0.0]], [0]) == {"below_target": None, "below_target_mean": 0, "ahead": None}
    assert push([[0.9, 0.1]], [[0.5, 0.2]], [0]) == {"below_target": 0, "below_target_mean": 0, "ahead": None}


@pytest.mark.parametrize(
    ("output", "loss", "low"), [("tanh", "mean_squared_error", -1.0), ("softmax", "mean_squared_error", 0.0)]
)
def test_nothing_is_pushed_below_a_target_that_outputs_cannot_undershoot(output: str, loss: str, low: float) -> None:
    arm = tiny_arm(output=output, loss=loss, low_target=low)
    result = network_measures.measure(arm, {"final": tiny_weights(4, 3, 3, 3)}, tiny_dataset())
    assert result["push"] == {"below_target": 0, "below_target_mean": 0, "ahead": None}


def test_the_one_sided_error_pushes_nothing_below_the_target_though_outputs_are_there() -> None:
    arm, weights = tiny_arm(loss="one_sided_mean_squared_error"), {"final": tiny_weights(4, 3, 3, 3)}
    one_sided = network_measures.measure(arm, weights, tiny_dataset())["push"]
    usual = network_measures.measure(tiny_arm(), weights, tiny_dataset())["push"]
    assert one_sided["below_target"] == 0 < usual["below_target"]
    assert one_sided["ahead"] == usual["ahead"] is not None


# ---------------------------------------------------------------------------------------------- a digit of our own


def test_the_outputs_for_the_drawn_digit_are_those_of_the_networks_own_model_at_each_moment() -> None:
    digit = strokes.draw(strokes.FOUR)
    pixels = np.stack([digit, digit[::-1]])
    labels = np.array([0, 1], np.uint8)
    dataset = Dataset("mnist", pixels, labels, pixels, labels, pixel_max=255, classes=3)
    arm, moments = tiny_arm(), {name: tiny_weights(784, 3, 3, 3) for name in ("start", "epoch_1", "final")}
    moments["epoch_1"][-1] += 1
    result = network_measures.measure(arm, moments, dataset)["digit_outputs"]
    for name, weights in moments.items():
        model = trainer.build(arm, 784, 3)
        model.set_weights(weights)
        assert result[name] == pytest.approx(model(digit[None] / np.float32(255)).numpy()[0], abs=6e-4)
        assert result[name] == np.round(result[name], 3).tolist()
    assert result["start"] != result["epoch_1"]


@pytest.mark.parametrize("name", ["fashion_mnist", "mine"])
def test_networks_that_learned_other_images_are_not_asked_about_a_digit(name: str) -> None:
    digit = strokes.draw(strokes.FOUR)[None]
    labels = np.zeros(1, np.uint8)
    dataset = Dataset(name, digit, labels, digit, labels, pixel_max=255, classes=3)
    assert network_measures.measure(tiny_arm(), {"final": tiny_weights(784, 3, 3, 3)}, dataset)["digit_outputs"] is None


# ---------------------------------------------------------------------------------------------- all of it


def measure(arm: Arm, snapshots: dict[str, list[Array]], outputs: Array, dataset: Dataset) -> dict[str, Any]:
    """Everything that is measured of a run."""
    return measures.measure(arm, outputs, dataset) | network_measures.measure(arm, snapshots, dataset)


@pytest.mark.parametrize(("hidden", "output", "loss"), NETWORKS)
def test_gradient_and_saturation_are_those_of_the_closed_forms(hidden: str, output: str, loss: str) -> None:
    arm, dataset = tiny_arm(hidden=hidden, output=output, loss=loss), tiny_dataset(images=20)
    snapshots = {"final": tiny_weights(4, 3, 3, 3)}
    result, expected = (module.measure(arm, snapshots, dataset) for module in (network_measures, closed_forms))
    for key, value in expected["push"].items():
        assert result["push"][key] == (value if value is None else pytest.approx(value, rel=1e-9))
    for name in ("gradient", "saturation"):
        values = expected[name]
        assert result[name]["final"].keys() == values["final"].keys()
        for key, value in values["final"].items():
            assert result[name]["final"][key] == (value if value is None else pytest.approx(value, rel=1e-9))


@pytest.mark.parametrize(
    "changes",
    [
        {"hidden": (Part("gelu"),)},
        {"hidden": (Part("linear"),)},
        {"hidden": (Part("tanh"), Part("leaky_relu", (("negative_slope", 0.1),)))},
        {"output": Part("gelu")},
        {"loss": Part("hinge")},
        {"output": Part("softmax"), "loss": Part("categorical_crossentropy", (("label_smoothing", 0.1),))},
    ],
    ids=["gelu", "linear", "mixed layers", "output", "loss", "an argument"],
)
def test_made_up_results_have_the_measures_of_any_network_that_a_study_can_name(changes: dict[str, Any]) -> None:
    arm = replace(EXAMPLE_1, **changes)
    weights, outputs = fixture.snapshot(arm, 0), fixture.outputs(0.97, 0, softmax=False)
    result = fixture.measure(arm, weights, outputs)
    expected = network_measures.measure(arm, {"final": weights}, fixture.DATASET)
    assert result["gradient"]["final"] == expected["gradient"]["final"]
    assert result["saturation"]["final"] == expected["saturation"]["final"]
    assert result.keys() == fixture.measure(EXAMPLE_1, fixture.snapshot(EXAMPLE_1, 0), outputs).keys()


@pytest.mark.parametrize("classes", [2, pytest.param(3, marks=pytest.mark.slow("2 and 10 are in `make test`")), 10])
@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_every_measure_is_there_for_any_number_of_classes(classes: int, output: str, loss: str) -> None:
    arm, dataset = tiny_arm(output=output, loss=loss), tiny_dataset(classes, images=20)
    weights = tiny_weights(4, 3, 3, classes)
    model = trainer.build(arm, 4, classes)
    model.set_weights(weights)
    result = measure(arm, {"start": weights, "final": weights}, model(dataset.x_test / np.float32(5)).numpy(), dataset)
    json.dumps(result, allow_nan=False)
    assert np.shape(result["confusion"]) == (classes, classes)
    assert set(result["calibration"]) == {
        "ece",
        "reliability",
        "brier",
        "ece_as_is",
        "nll",
        "top_mean",
        "sum_before_mean",
        "sum_error",
    }
    for name in ("start", "final"):
        assert len(result["gradient"][name]["delta_rms"]) == len(result["gradient"][name]["kernel_norm"]) == 3
        assert len(result["saturation"][name]["hidden"]) == 2
    assert "epoch_1" not in result["gradient"]
    assert "epoch_1" not in result["saturation"]


@pytest.mark.parametrize(("hidden", "output", "loss"), NETWORKS)
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_diverged_run_has_an_accuracy_and_none_for_what_is_undefined(
    value: float, hidden: str, output: str, loss: str
) -> None:
    arm, dataset, weights = tiny_arm(hidden=hidden, output=output, loss=loss), tiny_dataset(), tiny_weights(4, 3, 3, 3)
    diverged = [np.full_like(weight, value) for weight in weights]
    outputs = np.full((6, 3), np.nan, np.float32)
    result = measure(arm, {"start": weights, "final": diverged}, outputs, dataset)
    json.dumps(result, allow_nan=False)
    assert result["test_accuracy"] == pytest.approx(1 / 3)  # NaN everywhere is class 0
    assert (result["row_sum_mean"], result["negative_share"], result["target_outputs"]["mean"]) == (None, None, None)
    assert result["tied_share"] is None
    assert set(result["calibration"].values()) == {None}
    assert None not in result["gradient"]["start"]["delta_rms"]
    if np.isnan(value):
        assert result["gradient"]["final"]["delta_rms"] == [None] * 3
        assert result["saturation"]["final"]["dead" if hidden == "relu" else "hidden"] == [None, None]


def test_an_infinite_output_is_clipped_like_any_other_and_leaves_no_mean() -> None:
    outputs = OUTPUTS.copy()
    outputs[0, 0] = np.inf
    result = measure_outputs(tiny_arm(output="linear"), outputs)
    json.dumps(result, allow_nan=False)
    assert (result["test_accuracy"], result["row_sum_mean"], result["negative_share"]) == (0.75, None, None)
    assert result["calibration"]["sum_before_mean"] == pytest.approx((1.2 + 0.7 + 1.2 + 0) / 4)


def test_images_where_several_outputs_share_the_largest_value_are_counted() -> None:
    outputs = np.array([[1, 1, 0], [0.5, 0.4, 0.5], [0.2, 0.3, 0.3], [0, 0, 0.1]], np.float32)
    assert measures.prediction_measures(outputs, np.zeros(4, int))["tied_share"] == 0.75


def test_the_error_as_is_takes_the_top_output_before_normalising() -> None:
    rows = np.array([[0.9, 0.9], [0.6, 0.2]])
    result = measures.calibration(rows, np.array([0, 0]), np.array([0, 1]))
    assert result["ece_as_is"] == pytest.approx((0.1 + 0.6) / 2)  # of 0.9 right, of 0.6 wrong, each alone in its bin
    assert result["ece"] == pytest.approx((0.5 + 0.75) / 2)
