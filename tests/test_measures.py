"""Measures against hand-computed values, finite differences, scikit-learn, SciPy and TensorFlow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from scipy import special
from sklearn.metrics import accuracy_score, brier_score_loss, confusion_matrix, log_loss

from experiments.analysis import measures
from experiments.data import datasets
from experiments.data.datasets import Dataset
from experiments.study import arms
from experiments.study import load as studies
from experiments.study.model import Arm
from experiments.training import trainer

OUTPUTS = np.array([[0.9, -0.1, 0.2], [0.3, 0.4, -0.5], [0.6, 0.1, 0.5], [-0.2, -0.3, -0.1]], np.float32)
LABELS = np.array([0, 1, 2, 2], np.uint8)
EXAMPLE_1 = studies.load().arm("example-1")
SQUARED = ("mean_squared_error", "one_sided_mean_squared_error")
PAIRS = [(output, loss) for output in arms.OUTPUT for loss in SQUARED]
PAIRS += [("softmax", "categorical_crossentropy"), ("sigmoid", "binary_crossentropy")]
CODINGS = [(0.0, 1.0), (-1.0, 1.0), (-0.25, 1.0), (-1.0, 0.0)]


def tiny_arm(**changes: Any) -> Arm:
    """Example 1 with two hidden layers of three units, and with what `changes` name."""
    return replace(EXAMPLE_1, **{"width": 3, "depth": 2, **changes})


def tiny_dataset(classes: int = 3, images: int = 6) -> Dataset:
    """Images of four pixels from 0 to 5, the same to train and to test with, and of one class after the other."""
    pixels = np.random.default_rng(7).integers(0, 6, (images, 4)).astype(np.uint8)
    labels = (np.arange(images) % classes).astype(np.uint8)
    return Dataset("tiny", pixels, labels, pixels, labels, pixel_max=5, classes=classes)


def tiny_weights(*units: int) -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    shapes = [shape for below, above in pairwise(units) for shape in ((below, above), (above,))]
    return [rng.normal(0, 0.8, shape).astype(np.float32) for shape in shapes]


def measured(arm: Arm, outputs: np.ndarray = OUTPUTS, labels: np.ndarray = LABELS) -> dict[str, Any]:
    """The measures of made-up outputs, without any snapshot."""
    classes = outputs.shape[1]
    pixels = np.zeros((len(labels), 4), np.uint8)
    return measures.measure(arm, {}, outputs, Dataset("tiny", pixels, labels, pixels, labels, 5, classes))


def calibration(rows: list[list[float]], labels: list[int]) -> dict[str, Any]:
    """The calibration of probabilities whose largest is the prediction."""
    return measures.calibration(np.array(rows), np.argmax(rows, axis=1), np.array(labels))


# ---------------------------------------------------------------------------------------------- outputs


def test_accuracy_predictions_and_wrong_images_are_those_counted_by_hand() -> None:
    found = measured(tiny_arm())
    assert found["test_accuracy"] == 0.75
    assert found["predictions"] == "0102"
    assert found["wrong_images"] == [2]


def test_the_confusion_matrix_is_that_of_scikit_learn() -> None:
    labels, said = np.array([0, 1, 2, 2, 1, 0, 2]), np.array([0, 2, 2, 1, 1, 0, 0])
    assert measures.confusion(said, labels, 3) == confusion_matrix(labels, said).tolist()


def test_target_and_other_outputs_are_told_apart() -> None:
    found = measured(tiny_arm())
    assert found["target_outputs"]["mean"] == pytest.approx((0.9 + 0.4 + 0.5 - 0.1) / 4)
    assert sum(found["target_outputs"]["counts"]) == 4
    assert sum(found["other_outputs"]["counts"]) == 8


def test_row_sums_and_negative_outputs() -> None:
    found = measured(tiny_arm())
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
    outputs, labels = np.array([[1e-9, 2e-9]], np.float32), np.array([1])
    assert measured(tiny_arm(), outputs, labels)["predictions"] == "1"
    assert measured(tiny_arm(readout="half_shift"), outputs, labels)["predictions"] == "0"


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
def test_outputs_become_probabilities_on_their_codings_own_scale_or_as_example_2_says(
    changes: dict[str, Any], expected: list[float]
) -> None:
    outputs = np.array([[-1, -0.5, 0.5, 1]], np.float32)
    assert measures.probabilities(tiny_arm(**changes), outputs).tolist() == [expected]


def test_linear_outputs_beyond_the_targets_are_clipped_and_still_predict_by_the_largest() -> None:
    found = measured(tiny_arm(output="linear"), np.array([[1.5, 2.5, -3.0]], np.float32), np.array([1]))
    assert found["calibration"]["sum_before_mean"] == 2
    assert found["calibration"]["top_mean"] == 0.5
    assert found["calibration"]["reliability"] == [[pytest.approx(7 / 15), 1, 0.5, found["test_accuracy"]]]


@pytest.mark.parametrize("output", ["sigmoid", "softmax"])
def test_sigmoid_and_softmax_outputs_are_probabilities_as_they_are(output: str) -> None:
    loss = {"sigmoid": "binary_crossentropy", "softmax": "categorical_crossentropy"}[output]
    outputs = np.array([[0.25, 0.5, 0.125]], np.float32)
    assert measures.probabilities(tiny_arm(output=output, loss=loss), outputs).tolist() == outputs.tolist()


def test_rows_are_normalised_and_a_row_of_zeros_becomes_uniform() -> None:
    rows = np.array([[0.2, 0.2, 0.4], [0, 0, 0]])
    np.testing.assert_allclose(measures.normalised(rows), [[0.25, 0.25, 0.5], [1 / 3] * 3])


def test_calibration_reports_the_row_sum_before_and_scores_the_rows_after_normalising() -> None:
    found = calibration([[0.2, 0.2], [0, 0], [1, 0.6]], [0, 1, 0])
    assert found["sum_before_mean"] == pytest.approx((0.4 + 0 + 1.6) / 3)
    assert found["sum_error"] == pytest.approx((0.6 + 1 + 0.6) / 3)
    assert found["top_mean"] == pytest.approx((0.5 + 0.5 + 0.625) / 3)
    assert found["nll"] == pytest.approx(-(np.log(0.5) + np.log(0.5) + np.log(0.625)) / 3)


def test_the_calibration_error_and_the_reliability_curve_are_those_computed_by_hand() -> None:
    rows = [[0.9, 0.1], [0.92, 0.08], [0.88, 0.12], [0.55, 0.45]]
    found = calibration(rows, [0, 1, 0, 1])
    expected = [[8 / 15, 1, 0.55, 0], [13 / 15, 3, 0.9, 2 / 3]]
    np.testing.assert_allclose(found["reliability"], expected)
    assert found["ece"] == pytest.approx(1 / 4 * 0.55 + 3 / 4 * (0.9 - 2 / 3))


def test_a_confidence_on_a_bins_edge_belongs_to_the_bin_below() -> None:
    bins = measures.reliability(np.array([0.2, 0.2 + 1e-9, 1.0]), np.array([True, False, True]))
    np.testing.assert_allclose([lower for lower, *_ in bins], [2 / 15, 3 / 15, 14 / 15])


def test_the_reliability_curve_averages_to_the_accuracy_even_where_clipping_makes_ties() -> None:
    rng = np.random.default_rng(0)
    outputs, labels = rng.normal(0.5, 1, (200, 4)).astype(np.float32), rng.integers(0, 4, 200)
    found = measured(tiny_arm(output="linear"), outputs, labels)
    right = sum(count * accuracy for _, count, _, accuracy in found["calibration"]["reliability"])
    assert right / 200 == pytest.approx(found["test_accuracy"])
    assert found["test_accuracy"] == accuracy_score(labels, outputs.argmax(1))


def test_brier_and_log_loss_are_those_of_scikit_learn() -> None:
    rng = np.random.default_rng(1)
    rows, labels = rng.dirichlet(np.ones(4), 50), rng.integers(0, 4, 50)
    found = measures.calibration(rows, rows.argmax(1), labels)
    assert found["nll"] == pytest.approx(log_loss(labels, rows, labels=range(4)))
    brier = brier_score_loss(labels, rows, labels=range(4), scale_by_half=False)
    assert found["brier"] == pytest.approx(brier)


def test_a_sure_and_wrong_answer_costs_two_in_brier_and_sixteen_in_log_loss() -> None:
    found = calibration([[1, 0]], [1])
    assert (found["brier"], found["ece"]) == (2, 1)
    assert found["nll"] == pytest.approx(-np.log(1e-7))


def test_an_untrained_softmax_says_about_one_tenth_to_each_class() -> None:
    digits = datasets.load(datasets.DIGITS)
    arm = tiny_arm(width=128, depth=1, output="softmax", loss="categorical_crossentropy")
    model = trainer.build(arm, digits.x_test.shape[1], digits.classes)
    model.set_weights(trainer.initial_weights(model, seed=0))
    outputs = model(digits.x_test / np.float32(digits.pixel_max)).numpy()
    found = measures.calibration(measures.probabilities(arm, outputs), outputs.argmax(1), digits.y_test)
    assert found["nll"] == pytest.approx(np.log(10), abs=0.3)


# ---------------------------------------------------------------------------------------------- gradients

ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "tanh": np.tanh,
    "relu": lambda z: z * (z > 0),
    "sigmoid": special.expit,
    "linear": lambda z: z,
    "softmax": lambda z: special.softmax(z, axis=1),
}


def losses(z: np.ndarray, targets: np.ndarray, output: str, loss: str) -> np.ndarray:
    """[n] losses of the output layer's z [n, K], written apart from the measures, with SciPy."""
    y = ACTIVATIONS[output](z)
    if loss == "categorical_crossentropy":
        return -(targets * special.log_softmax(z, axis=1)).sum(axis=1)
    if loss == "binary_crossentropy":
        return -(targets * special.log_expit(z) + (1 - targets) * special.log_expit(-z)).mean(axis=1)
    charged = np.ones_like(y) if loss == "mean_squared_error" else 1.0 - ((targets == 0) & (y < 0))
    return (charged * (y - targets) ** 2).mean(axis=1)


def differences(loss_of: Callable[[np.ndarray], np.ndarray], z: np.ndarray, step: float = 1e-6) -> np.ndarray:
    """Central finite differences: z [n, units] → ∂L/∂z [n, units] of each image's own loss."""
    columns = np.eye(z.shape[1]) * step
    return np.stack([(loss_of(z + c) - loss_of(z - c)) / (2 * step) for c in columns], axis=1)


@pytest.mark.parametrize(
    ("output", "loss", "coding"),
    [(*pair, coding) for pair in PAIRS for coding in (CODINGS if pair[1] in SQUARED else [(0.0, 1.0)])],
)
def test_the_output_delta_is_the_finite_difference_of_the_loss(
    output: str, loss: str, coding: tuple[float, float]
) -> None:
    z = np.random.default_rng(5).normal(0, 1.5, (6, 4))
    targets = np.where(np.eye(4, dtype=bool)[[0, 1, 2, 3, 0, 1]], coding[1], coding[0])
    delta = measures.output_delta(ACTIVATIONS[output](z), targets, output, loss)
    expected = differences(lambda moved: losses(moved, targets, output, loss), z)
    np.testing.assert_allclose(delta, expected, atol=1e-8)


@pytest.mark.parametrize("hidden", arms.HIDDEN)
@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_each_layers_delta_is_the_finite_difference_of_the_loss(hidden: str, output: str, loss: str) -> None:
    arm = tiny_arm(hidden=hidden, output=output, loss=loss)
    weights = [w.astype(np.float64) for w in tiny_weights(4, 3, 3, 3)]
    kernels, biases = weights[::2], weights[1::2]
    dataset = tiny_dataset(images=30)
    images, targets = dataset.x_train / 5, np.eye(3)[dataset.y_train]

    def losses_from(layer: int) -> Callable[[np.ndarray], np.ndarray]:
        """The loss as a function of that layer's pre-activations."""

        def loss_of(z: np.ndarray) -> np.ndarray:
            for kernel, bias in zip(kernels[layer + 1 :], biases[layer + 1 :], strict=True):
                z = ACTIVATIONS[hidden](z) @ kernel + bias
            return losses(z, targets, output, loss)

        return loss_of

    layers = measures.forward(arm, kernels, biases, images)
    deltas = measures.backward(arm, kernels, layers, targets)
    assert len(deltas) == 3
    for index, below in enumerate([images, *layers[:-1]]):
        z = below @ kernels[index] + biases[index]
        np.testing.assert_allclose(deltas[index], differences(losses_from(index), z), atol=1e-8)


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
    targets = np.array([[t] + [0.0] * 9])
    delta = measures.output_delta(np.array([[y] + [0.1] * 9]), targets, output, loss)
    assert delta[0, 0] == pytest.approx(expected)


def test_tanh_with_targets_of_one_sign_each_is_the_sigmoid_of_twice_z_four_times_over() -> None:
    z = np.linspace(-4, 4, 10).reshape(2, 5)
    targets = np.eye(5)[[1, 3]]
    tanh, sigmoid = np.tanh(z), measures.sigmoid(2 * z)
    np.testing.assert_allclose(np.square(tanh - (2 * targets - 1)), 4 * np.square(sigmoid - targets), atol=1e-12)
    np.testing.assert_allclose(  # by the chain rule twice that in z
        measures.output_delta(tanh, 2 * targets - 1, "tanh", "mean_squared_error"),
        8 * measures.output_delta(sigmoid, targets, "sigmoid", "mean_squared_error"),
        atol=1e-12,
    )


@pytest.mark.parametrize("hidden", arms.HIDDEN)
@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_kernel_norms_are_those_of_tensorflow_on_the_studys_own_model(hidden: str, output: str, loss: str) -> None:
    low = -0.5 if loss == "mean_squared_error" else 0.0
    arm = tiny_arm(hidden=hidden, output=output, loss=loss, low_target=low)
    dataset = tiny_dataset()
    model = trainer.build(arm, 4, 3)
    model.set_weights(tiny_weights(4, 3, 3, 3))
    wanted = tf.constant(trainer.targets(arm, dataset.y_train, 3))
    with tf.GradientTape() as tape:
        outputs = model(trainer.scaled(tf.constant(dataset.x_train), 5))
        loss_value = tf.reduce_mean(trainer.loss_function(loss)(wanted, outputs))
    kernels = tape.gradient(loss_value, model.trainable_variables)[::2]

    found = measures.measure(arm, {"final": model.get_weights()}, outputs.numpy(), dataset)["gradient"]["final"]
    assert found["kernel_norm"] == pytest.approx([float(tf.norm(kernel)) for kernel in kernels], rel=1e-4)


def test_delta_rms_and_their_ratio_are_those_computed_by_hand() -> None:
    images, deltas = np.zeros((2, 4)), [np.array([[3.0, 4.0], [0, 1]]), np.array([[1.0], [-1.0]])]
    found = measures.gradient([images, np.ones((2, 2))], deltas)
    assert found["delta_rms"] == pytest.approx([13**0.5, 1])
    assert found["first_over_output"] == pytest.approx(13**0.5)
    assert found["kernel_norm"] == [0, 0]


def test_a_network_without_any_signal_has_no_ratio_between_its_layers() -> None:
    deltas = [np.zeros((2, 2)), np.zeros((2, 1))]
    with np.errstate(invalid="ignore"):
        found = measures.gradient([np.ones((2, 2))] * 2, deltas)
    assert found == {"delta_rms": [0, 0], "kernel_norm": [0, 0], "first_over_output": None}


def test_only_the_first_two_thousand_training_images_are_probed() -> None:
    dataset, weights = tiny_dataset(images=2100), tiny_weights(4, 3, 3, 3)
    found = [
        measures.probe(
            tiny_arm(), {"final": weights}, replace(dataset, x_train=dataset.x_train[:n], y_train=dataset.y_train[:n])
        )
        for n in (1999, 2000, 2100)
    ]
    assert found[0] != found[1] == found[2]


# ---------------------------------------------------------------------------------------------- saturation


def test_saturated_tanh_and_sigmoid_units_are_counted_on_both_sides() -> None:
    is_target = np.array([[True], [False]])
    output = np.array([[0.5], [0.0]])
    tanh = [np.array([[-0.96, 0.94], [0.97, 0.03]]), np.array([[-0.94], [0.96]]), output]
    assert measures.saturation(tiny_arm(), tanh, is_target)["hidden"] == [0.5, 0.5]
    sigmoid = [np.array([[0.04, 0.06], [0.94, 0.96]]), np.array([[0.01], [0.5]]), output]
    assert measures.saturation(tiny_arm(hidden="sigmoid"), sigmoid, is_target)["hidden"] == [0.5, 0.5]


def test_a_relu_unit_is_dead_if_it_is_zero_on_every_image() -> None:
    layers = [np.array([[0.0, 0, 1, 0], [0, 2, 1, 0]]), np.array([[0.0, 3], [1, 0]]), np.array([[0.5], [0.0]])]
    found = measures.saturation(tiny_arm(hidden="relu"), layers, np.array([[True], [False]]))
    assert (found["hidden"], found["dead"]) == (None, [0.5, 0])
    assert measures.saturation(tiny_arm(), layers, np.array([[True], [False]]))["dead"] is None


def test_the_output_slope_is_told_apart_for_target_and_other_outputs() -> None:
    is_target, layers = np.array([[True, False], [True, False]]), [np.zeros((2, 3)), np.array([[0.5, 0], [1, 0.5]])]
    tanh = measures.saturation(tiny_arm(), layers, is_target)
    assert (tanh["output_slope_target"], tanh["output_slope_other"]) == (0.375, 0.875)
    sigmoid = measures.saturation(tiny_arm(output="sigmoid"), layers, is_target)
    assert (sigmoid["output_slope_target"], sigmoid["output_slope_other"]) == (0.125, 0.125)
    for output in ("linear", "softmax"):
        none = measures.saturation(tiny_arm(output=output), layers, is_target)
        assert (none["output_slope_target"], none["output_slope_other"]) == (None, None)


# ---------------------------------------------------------------------------------------------- all of it


@pytest.mark.parametrize("classes", [2, 3, 10])
@pytest.mark.parametrize(("output", "loss"), PAIRS)
def test_every_measure_is_there_for_any_number_of_classes(classes: int, output: str, loss: str) -> None:
    arm, dataset = tiny_arm(output=output, loss=loss), tiny_dataset(classes, images=20)
    weights = tiny_weights(4, 3, 3, classes)
    outputs = measures.forward(arm, weights[::2], weights[1::2], dataset.x_test / 5)[-1].astype(np.float32)
    found = measures.measure(arm, {"start": weights, "final": weights}, outputs, dataset)
    json.dumps(found, allow_nan=False)
    assert np.shape(found["confusion"]) == (classes, classes)
    assert set(found["calibration"]) == {
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
        assert len(found["gradient"][name]["delta_rms"]) == len(found["gradient"][name]["kernel_norm"]) == 3
        assert len(found["saturation"][name]["hidden"]) == 2
    assert "epoch_1" not in found["gradient"]
    assert "epoch_1" not in found["saturation"]


@pytest.mark.parametrize("hidden", arms.HIDDEN)
@pytest.mark.parametrize(("output", "loss"), PAIRS)
@pytest.mark.parametrize("broken", [np.nan, np.inf])
def test_a_diverged_run_has_an_accuracy_and_none_for_what_is_undefined(
    broken: float, hidden: str, output: str, loss: str
) -> None:
    arm, dataset, weights = tiny_arm(hidden=hidden, output=output, loss=loss), tiny_dataset(), tiny_weights(4, 3, 3, 3)
    diverged = [np.full_like(weight, broken) for weight in weights]
    outputs = np.full((6, 3), np.nan, np.float32)
    found = measures.measure(arm, {"start": weights, "final": diverged}, outputs, dataset)
    json.dumps(found, allow_nan=False)
    assert found["test_accuracy"] == pytest.approx(1 / 3)  # NaN everywhere is class 0
    assert (found["row_sum_mean"], found["negative_share"], found["target_outputs"]["mean"]) == (None, None, None)
    assert found["tied_share"] is None
    assert set(found["calibration"].values()) == {None}
    assert None not in found["gradient"]["start"]["delta_rms"]
    if np.isnan(broken):
        assert found["gradient"]["final"]["delta_rms"] == [None] * 3
        assert found["saturation"]["final"]["dead" if hidden == "relu" else "hidden"] == [None, None]


def test_an_infinite_output_is_clipped_like_any_other_and_leaves_no_mean() -> None:
    outputs = OUTPUTS.copy()
    outputs[0, 0] = np.inf
    found = measured(tiny_arm(output="linear"), outputs)
    json.dumps(found, allow_nan=False)
    assert (found["test_accuracy"], found["row_sum_mean"], found["negative_share"]) == (0.75, None, None)
    assert found["calibration"]["sum_before_mean"] == pytest.approx((1.2 + 0.7 + 1.2 + 0) / 4)


def test_images_whose_largest_output_is_not_alone_are_told() -> None:
    outputs = np.array([[1, 1, 0], [0.5, 0.4, 0.5], [0.2, 0.3, 0.3], [0, 0, 0.1]], np.float32)
    assert measures.predicted(outputs, np.zeros(4, int))["tied_share"] == 0.75


def test_the_error_as_is_takes_the_top_output_before_normalising() -> None:
    rows = np.array([[0.9, 0.9], [0.6, 0.2]])
    found = measures.calibration(rows, np.array([0, 0]), np.array([0, 1]))
    assert found["ece_as_is"] == pytest.approx((0.1 + 0.6) / 2)  # of 0.9 right, of 0.6 wrong, each alone in its bin
    assert found["ece"] == pytest.approx((0.5 + 0.75) / 2)
