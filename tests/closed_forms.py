"""Gradient signal, saturation and push by hand-written back-propagation: what `network_measures` must agree with.

It knows the activations and losses of the committed study and needs no TensorFlow, so that made-up runs are measured
fast.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy import special

from experiments.analysis.measures import number, share
from experiments.data.datasets import Dataset
from experiments.study.model import Arm, Part
from experiments.study.parts import OUR_LOSSES, SQUARED_ERRORS

Array = np.ndarray

IMAGES, SATURATION = 2000, 0.95


ACTIVATIONS = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "sigmoid": special.expit,
    "linear": lambda z: z,
    "softmax": lambda z: special.softmax(z, axis=1),
}
SLOPES = {  # from the activation's value
    "tanh": lambda y: 1 - y**2,
    "relu": lambda y: np.where(y > 0, 1.0, 0.0),
    "sigmoid": lambda y: y * (1 - y),
    "linear": np.ones_like,
}


HIDDEN = ("tanh", "relu", "sigmoid")
LOSSES = ("categorical_crossentropy", "binary_crossentropy", *SQUARED_ERRORS)


def are_known(arm: Arm) -> bool:
    """Whether the arm's network and loss have their closed forms here."""
    plain = [*arm.hidden, arm.output, *([] if arm.loss.name in OUR_LOSSES else [arm.loss])]
    return (
        not any(part.arguments for part in plain)
        and len(set(arm.hidden)) == 1
        and arm.hidden[0].name in HIDDEN
        and arm.output.name in ACTIVATIONS
        and arm.loss.name in LOSSES
    )


def output_delta(y: Array, targets: Array, output: str, loss: Part) -> Array:
    """∂L/∂z [n, K] of the output layer, from its outputs and targets [n, K] (Bishop 2006, section 4.3.6)."""
    if loss.name == "categorical_crossentropy":
        return y - targets
    if loss.name == "binary_crossentropy":
        return (y - targets) / y.shape[1]
    slope = 2 / y.shape[1] * error_weights(y, targets, loss) * (y - targets)
    if output == "softmax":
        return y * (slope - (y * slope).sum(axis=1, keepdims=True))
    return slope * SLOPES[output](y)


def error_weights(y: Array, targets: Array, loss: Part) -> Array:
    """The weight of each squared error [n, K]."""
    factors = dict(loss.arguments) | ({"undershoot": 0.0} if loss.name == "one_sided_mean_squared_error" else {})
    is_right = targets == targets.max(axis=1, keepdims=True)
    of_right = np.where(y > targets, factors.get("overshoot", 1.0), 1.0)
    of_wrong = np.where(y < targets, factors.get("undershoot", 1.0), 1.0) * factors.get("wrong", 1.0)
    return np.where(is_right, of_right, of_wrong)


def measure(arm: Arm, snapshots: Mapping[str, Sequence[Array]], dataset: Dataset) -> dict[str, Any]:
    """What `network_measures.measure` returns, without how well the weights fit."""
    images = dataset.x_train[:IMAGES] / dataset.pixel_max
    is_target = np.eye(dataset.classes, dtype=bool)[dataset.y_train[:IMAGES]]
    targets = np.where(is_target, arm.high_target, arm.low_target)
    activations = [part.name for part in (*arm.hidden, arm.output)]
    gradients, saturations, pushes = {}, {}, {}
    first: dict[int, str] = {}  # made-up weights are often the same ones throughout
    for name, weights in snapshots.items():
        if (known := first.setdefault(id(weights), name)) != name:
            gradients[name], saturations[name], pushes[name] = gradients[known], saturations[known], pushes[known]
            continue
        kernels, biases = [np.asarray(kernel, np.float64) for kernel in weights[::2]], weights[1::2]
        layers = [images]
        for kernel, bias in zip(kernels, biases, strict=True):
            layers.append(ACTIVATIONS[activations[len(layers) - 1]](layers[-1] @ kernel + bias))
        deltas = [output_delta(layers[-1], targets, arm.output.name, arm.loss)]
        for kernel, activation, values in zip(kernels[:0:-1], activations[-2::-1], layers[-2:0:-1], strict=True):
            deltas.insert(0, (deltas[0] @ kernel.T) * SLOPES[activation](values))
        gradients[name] = _gradient(layers[:-1], deltas)
        saturations[name] = _saturation(arm, layers[1:], is_target)
        pushes[name] = _push(layers[-1], deltas[-1], is_target, arm.low_target)
    return {"gradient": gradients, "saturation": saturations, "push": pushes["final"], "digit_outputs": None}


def _gradient(inputs: Sequence[Array], deltas: Sequence[Array]) -> dict[str, Any]:
    rms = [np.sqrt(np.square(delta).sum(axis=1).mean()) for delta in deltas]
    norms = [np.linalg.norm(below.T @ delta) / len(delta) for below, delta in zip(inputs, deltas, strict=True)]
    return {
        "delta_rms": [number(value) for value in rms],
        "kernel_norm": [number(value) for value in norms],
        "first_over_output": number(rms[0] / rms[-1]),
    }


def _push(outputs: Array, deltas: Array, is_target: Array, low_target: float) -> dict[str, Any]:
    """Image by image and class by class."""
    below, total, ahead = 0.0, 0.0, []
    for row, sizes, right in zip(outputs, np.abs(deltas), is_target.argmax(axis=1), strict=True):
        for k, y in enumerate(row):
            if k != right:
                total += sizes[k]
                if y < low_target:
                    below += sizes[k]
                    ahead.append(y >= row[right])
    return {
        "below_target": below / total if total else None,
        "below_target_mean": below / (outputs.size - len(outputs)),
        "ahead": float(np.mean(ahead)) if ahead else None,
    }


def _saturation(arm: Arm, layers: Sequence[Array], is_target: Array) -> dict[str, Any]:
    hidden, dead, target, other = None, None, None, None
    (activation,) = {part.name for part in arm.hidden}
    if activation == "relu":
        dead = [share((values == 0).all(axis=0), values) for values in layers[:-1]]
    else:
        low = -SATURATION if activation == "tanh" else 1 - SATURATION
        hidden = [share((values < low) | (values > SATURATION), values) for values in layers[:-1]]
    if arm.output.name in ("tanh", "sigmoid"):
        slopes = SLOPES[arm.output.name](layers[-1])
        target, other = number(slopes[is_target].mean()), number(slopes[~is_target].mean())
    return {"hidden": hidden, "dead": dead, "output_slope_target": target, "output_slope_other": other}
