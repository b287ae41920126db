"""Weights of a run → its fit, its gradient signal, its saturation, its push on wrong classes. Imports TensorFlow.

The derivatives are TensorFlow's own, by automatic differentiation of the arm's Keras model and loss in float64, so any
activation, loss or layer of Keras can be measured. z are a layer's pre-activations, its output is activation(z), and
δ = ∂L/∂z, where L is an image's own loss as Keras defines it: squared error and binary cross-entropy are means over the
K outputs, categorical cross-entropy is a sum. The penalty of L2 is not in it, and dropout is off.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from experiments.analysis.measures import LeastSquares, number, read_out, share
from experiments.data import strokes
from experiments.data.datasets import MNIST, Dataset
from experiments.study.model import Arm, Part
from experiments.training import trainer
from experiments.training.trainer import Activation, Loss

IMAGES = 2000  # the first so many training images; all of them where there are fewer
SATURATION = 0.95
UNSATURATED_RANGE = {"tanh": (-SATURATION, SATURATION), "sigmoid": (1 - SATURATION, SATURATION)}
RELU = Part("relu")
ANSWER_DECIMALS = 3  # of outputs: finer than a picture shows
BLOCK = 2000  # images that are predicted at a time: few enough for the processor's cache and for wide layers


def measure(arm: Arm, snapshots: Mapping[str, Sequence[np.ndarray]], dataset: Dataset) -> dict[str, Any]:
    """Gradient and saturation of each snapshot, on the same IMAGES, what it says to a digit of our own, and the final
    one's push and fit, ready for JSON.

    snapshots: weights in Keras' order, [kernel, bias] a layer, by when they were taken ("start", "epoch_1", "final").
    What is undefined or not finite, as after a diverged run, is None.
    """
    network, forward = _networks(arm, dataset)
    images = tf.constant(dataset.x_train[:IMAGES] / dataset.pixel_max)
    is_target = np.eye(dataset.classes, dtype=bool)[dataset.y_train[:IMAGES]]
    targets = tf.constant(np.where(is_target, arm.high_target, arm.low_target))
    digit = _own_digit(dataset)
    gradients, saturations, pushes, answers = {}, {}, {}, {}
    for name, weights in snapshots.items():
        layers = network(weights, images, targets)
        with np.errstate(all="ignore"):  # a diverged run overflows
            gradients[name] = gradient([layer.deltas for layer in layers], [layer.kernel_gradient for layer in layers])
            saturations[name] = saturation(arm, layers, is_target)
            pushes[name] = push(layers[-1], is_target, arm.low_target)
        if digit is not None:
            answers[name] = [number(round(y, ANSWER_DECIMALS)) for y in network.outputs(digit).tolist()]
    forward.model.set_weights(snapshots["final"])
    return {
        "gradient": gradients,
        "saturation": saturations,
        "push": pushes["final"],
        "digit_outputs": answers or None,
        **fit(forward, arm.readout, dataset),
    }


def _own_digit(dataset: Dataset) -> tf.Tensor | None:
    """The 4 of `data.strokes`, float64 [1, pixels]; None unless the network has learned MNIST, in MNIST's form."""
    drawn = strokes.draw(strokes.FOUR)
    if dataset.name != MNIST.name or drawn.shape != dataset.x_train.shape[1:]:
        return None
    return tf.constant(drawn[None] / strokes.PIXEL_MAX)


# ---------------------------------------------------------------------------------------------- fit


class Forward:
    """What a network computes from images, uint8 [n, pixels]: outputs of the last hidden layer, and its own.

    Both are float32, [n, units] and [n, K], as in training but without dropout.
    """

    def __init__(self, model: keras.Sequential, pixel_max: int):
        self.model, self.pixel_max = model, pixel_max
        self._run = tf.function(self._layer_outputs, reduce_retracing=True)

    def __call__(self, images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        features, outputs = self._run(tf.constant(images))
        return features.numpy(), outputs.numpy()

    def _layer_outputs(self, images: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        values = trainer.scaled(images, self.pixel_max)
        for layer in self.model.layers[:-1]:
            values = layer(values, training=False)
        return values, self.model.layers[-1](values)


def fit(forward: Forward, readout: str, dataset: Dataset) -> dict[str, Any]:
    """How well the weights of `forward` fit the images that they were trained on, and how well others on top would.

    training_accuracy: the fraction of the training images that are classified rightly, after the readout.
    least_squares_accuracy: the fraction of the test images that the least-squares readout of the last hidden layer
        classifies rightly, fitted to the training images: see `measures.LeastSquares`.
    """
    correct, least_squares = 0, LeastSquares(dataset.classes)
    with np.errstate(all="ignore"):  # a diverged run overflows
        for start in range(0, len(dataset.x_train), BLOCK):
            labels = dataset.y_train[start : start + BLOCK]
            features, outputs = forward(dataset.x_train[start : start + BLOCK])
            correct += int(np.sum(read_out(outputs, readout).argmax(axis=1) == labels))
            least_squares.add(features, labels)
    features, _ = forward(dataset.x_test)
    return {
        "training_accuracy": correct / len(dataset.x_train),
        "least_squares_accuracy": least_squares.accuracy(features, dataset.y_test),
    }


# ---------------------------------------------------------------------------------------------- differentiation


class Layer(NamedTuple):
    """What a layer that has a kernel does with n images, in float64.

    pre_activations, outputs: z and activation(z), [n, units]. deltas: ∂L/∂z of each image's own loss, [n, units].
    kernel_gradient: derivative of the mean loss by the kernel, in its shape.
    """

    pre_activations: np.ndarray
    outputs: np.ndarray
    deltas: np.ndarray
    kernel_gradient: np.ndarray


class Network:
    """A model in float64, without training's rounding, and its loss. TensorFlow traces both once for all weights."""

    def __init__(self, model: keras.Sequential, loss: Loss):
        self.model = model
        self._propagate = tf.function(partial(propagate, model, loss), autograph=False)
        self._outputs = tf.function(partial(model, training=False), autograph=False)

    def __call__(self, weights: Sequence[np.ndarray], images: tf.Tensor, targets: tf.Tensor) -> list[Layer]:
        """Every layer that has a kernel, first hidden … output, for float64 images [n, pixels] and targets [n, K]."""
        self.model.set_weights(weights)
        return [Layer(*map(np.asarray, tensors)) for tensors in self._propagate(images, targets)]

    def outputs(self, image: tf.Tensor) -> np.ndarray:
        """The K outputs for one float64 image [1, pixels], with the weights that were used last."""
        return np.asarray(self._outputs(image))[0]


_cache: dict[tuple[Any, ...], tuple[Network, Forward]] = {}


def _networks(arm: Arm, dataset: Dataset) -> tuple[Network, Forward]:
    """The arm's network in float64 and in float32: those that were used last if they do the same computation."""
    pixels, classes = dataset.x_train.shape[1], dataset.classes
    key = (arm.computation(), pixels, classes, dataset.pixel_max)
    if key not in _cache:
        _cache.clear()
        network = Network(trainer.build(arm, pixels, classes, "float64"), trainer.loss_function(arm.loss))
        _cache[key] = network, Forward(trainer.build(arm, pixels, classes), dataset.pixel_max)
    return _cache[key]


def propagate(
    model: keras.Sequential, loss: Loss, images: tf.Tensor, targets: tf.Tensor
) -> list[tuple[tf.Tensor, ...]]:
    """The fields of `Layer` of every layer that has a kernel, as tensors.

    `loss` gets the output layer's own tensor, in which Keras finds the logits z. From them, and not from y, it computes
    categorical cross-entropy after softmax and binary cross-entropy after sigmoid, in training too. So δ is exactly
    y − t and (y − t)/K, however saturated y is. From y alone, Keras would clip what is within 10⁻⁷ of 0 or 1, and δ
    would be 0 there.
    """
    kernels, pre_activations, outputs = [], [], []
    values = images
    with tf.GradientTape() as tape:
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                z = pre_activation(layer, values)
                tape.watch(z)
                values = layer.activation(z)
                kernels.append(layer.kernel.value)
                pre_activations.append(z)
                outputs.append(values)
            else:
                values = layer(values, training=False)
        losses = loss(targets, values)
    # The gradient of the sum of all losses: an image's z affects its own loss alone, so each row is that image's δ.
    deltas, of_sum = tape.gradient(losses, (pre_activations, kernels))
    mean_gradients = [gradient / images.shape[0] for gradient in of_sum]
    return list(zip(pre_activations, outputs, deltas, mean_gradients, strict=True))


def pre_activation(layer: keras.Layer, values: tf.Tensor) -> tf.Tensor:
    """z of a layer: what it computes from `values`, its input, without its activation."""
    activation, layer.activation = layer.activation, keras.activations.linear
    try:
        return layer(values)
    finally:
        layer.activation = activation


def slope(activation: Activation, pre_activations: np.ndarray) -> np.ndarray | None:
    """The derivative activation′(z) of each z; None if an output depends on other z too, as softmax's do."""
    same_first_z = activation(tf.constant([[0.25, 0.5], [0.25, 0.75]], tf.float64)).numpy()
    if same_first_z[0, 0] != same_first_z[1, 0]:
        return None
    z = tf.constant(pre_activations)
    with tf.GradientTape() as tape:
        tape.watch(z)
        outputs = activation(z)
    return tape.gradient(outputs, z).numpy()


# ---------------------------------------------------------------------------------------------- numbers


def gradient(deltas: Sequence[np.ndarray], kernel_gradients: Sequence[np.ndarray]) -> dict[str, Any]:
    """The strength of the gradient signal by layer, first hidden … output, from what `Layer` calls so.

    delta_rms: root mean square over the images of ‖δ‖, the Euclidean norm of one image's ∂L/∂z.
    kernel_norm: the Frobenius norm of the mean loss's derivative by the kernel.
    first_over_output: delta_rms of the first hidden layer over that of the output layer. Glorot & Bengio 2010 compare
        layers this way. Unlike the norms it doesn't depend on the scale of the loss, such as 1/K.
    """
    rms = [np.sqrt(np.square(delta).sum(axis=1).mean()) for delta in deltas]
    return {
        "delta_rms": [number(value) for value in rms],
        "kernel_norm": [number(np.linalg.norm(kernel_gradient)) for kernel_gradient in kernel_gradients],
        "first_over_output": number(rms[0] / rms[-1]),
    }


def push(output: Layer, is_target: np.ndarray, low_target: float) -> dict[str, Any]:
    """How much of the push on wrong classes goes to outputs that were low enough. is_target: [n, K] bool.

    An output's push is |δ|: how hard the image's own loss pushes its z, up or down. A wrong class's output is low
    enough where it is below its own target already; a push there can only lift it, towards the right class's.

    below_target: of the sum of |δ| over all wrong classes, the share that is on outputs below `low_target`; None where
        nothing is pushed. It is 0 by arithmetic for outputs that can't go below their target, such as tanh on −1 or
        softmax on 0, and where a loss charges nothing there. Elsewhere it is near a half, however weak the push is:
        training ends where pushes up and down on an output cancel.
    below_target_mean: how strong it is: the same sum over the number of all wrong classes' outputs, in units of the
        image's own loss per unit of z. Losses of one scale can be compared, such as Keras' squared errors.
    ahead: of the wrong classes' outputs below `low_target`, the share that is at least as large as the right class's
        output for the same image, so that it could decide the answer; None where none is below.
    """
    wrong = ~is_target
    of_right = output.outputs[is_target][:, None]  # one a row
    below = (output.outputs < low_target) & wrong
    sizes = np.abs(output.deltas)
    ahead = (output.outputs >= of_right)[below]
    return {
        "below_target": number(sizes[below].sum() / sizes[wrong].sum()),
        "below_target_mean": number(sizes[below].sum() / wrong.sum()),
        "ahead": number(ahead.mean()) if ahead.size else None,
    }


def saturation(arm: Arm, layers: Sequence[Layer], is_target: np.ndarray) -> dict[str, Any]:
    """How much of the network is flat. is_target: [n, K] bool, where the class is the image's.

    hidden: by hidden layer, the share of units × images that are beyond SATURATION, a threshold of this study's own;
        None for a layer that is neither tanh nor sigmoid.
    dead: by hidden layer, the share of units that are 0 on all images; None for a layer that is not ReLU.
    output_slope_target, output_slope_other: mean derivative of the output activation, such as tanh′ in 0 … 1 or σ′ in
        0 … 1/4, where the class is the image's and where it is not; None for linear, where it is always 1, and where
        an output depends on all z, as with softmax.
    """
    values = [layer.outputs for layer in layers[:-1]]
    hidden = [_beyond(part, output) for part, output in zip(arm.hidden, values, strict=True)]
    dead = [_dead(part, output) for part, output in zip(arm.hidden, values, strict=True)]
    target, other = None, None
    linear = arm.output.name == "linear"
    slopes = None if linear else slope(trainer.activation(arm.output), layers[-1].pre_activations)
    if slopes is not None:
        target, other = number(slopes[is_target].mean()), number(slopes[~is_target].mean())
    return {
        "hidden": hidden if any(part.name in UNSATURATED_RANGE for part in arm.hidden) else None,
        "dead": dead if RELU in arm.hidden else None,
        "output_slope_target": target,
        "output_slope_other": other,
    }


def _beyond(part: Part, outputs: np.ndarray) -> float | None:
    if part.name not in UNSATURATED_RANGE:
        return None
    low, high = UNSATURATED_RANGE[part.name]
    return share((outputs < low) | (outputs > high), outputs)


def _dead(part: Part, outputs: np.ndarray) -> float | None:
    return share((outputs == 0).all(axis=0), outputs) if part == RELU else None
