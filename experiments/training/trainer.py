"""Run + Dataset → trained weights and the learning curve. Imports TensorFlow.

Model, loss, optimizer and initial weights come from Keras, as the arm's parts name them. Only the epoch is ours:
instead of one call for each step, a whole epoch is one XLA program that gathers uint8 images in the epoch's order,
scales them, and steps through the batches. It does what `model.fit` does (a test compares the weights) in about a tenth
of the time. It is compiled once and used for all seeds.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from experiments.data.datasets import Dataset
from experiments.files.errors import UserError
from experiments.study.model import Arm, Part
from experiments.study.parts import known

GLOROT = Part("glorot_uniform")
DROPOUT = 1  # keeps the seeds of masks apart from those of kernels

Activation = Callable[[tf.Tensor], tf.Tensor]
Loss = Callable[[tf.Tensor, tf.Tensor], tf.Tensor]  # targets and outputs [n, K] → loss of each image [n]


@dataclass(frozen=True)
class Trained:
    """One finished run.

    snapshots: weights under "epoch_1" and "final", each in Keras' order, [kernel, bias] a layer, float32.
    Each list below has one entry an epoch.
    training_loss: mean over the epoch's images, in the loss's own scale, plus the mean penalty of L2 over its steps:
        what model.fit reports. Not finite once the run has diverged.
    test_accuracy: fraction of the test images (or held-out images) whose largest output is that of their class.
    epoch_seconds: the epoch's training alone, without evaluation and without compilation.
    """

    seed: int
    snapshots: dict[str, list[np.ndarray]]
    training_loss: list[float]
    test_accuracy: list[float]
    epoch_seconds: list[float]

    @property
    def weights(self) -> list[np.ndarray]:
        return self.snapshots["final"]

    @property
    def diverged_epoch(self) -> int | None:
        """The first epoch, from 1, whose loss is not finite; None if there is none."""
        return next((n for n, loss in enumerate(self.training_loss, 1) if not math.isfinite(loss)), None)


# ---------------------------------------------------------------------------------------------- parts


def weighted_mean_squared_error(
    target: tf.Tensor, output: tf.Tensor, undershoot: float = 1.0, overshoot: float = 1.0, wrong: float = 1.0
) -> tf.Tensor:
    """Mean squared error with weights by image and class. [batch, K] → [batch].

    target: the same low target for all wrong classes, and a higher one for the right class.
    undershoot: weight of the error of a wrong class whose output is below the low target; overshoot: of the right
    class's where its output is above the high target; wrong: of all wrong classes' errors, times undershoot below.
    """
    one = tf.ones_like(output)
    is_right = target == tf.reduce_max(target, axis=-1, keepdims=True)
    of_right = tf.where(output > target, one * overshoot, one)
    of_wrong = tf.where(output < target, one * undershoot * wrong, one * wrong)
    return tf.reduce_mean(tf.where(is_right, of_right, of_wrong) * tf.square(output - target), axis=-1)


OUR_LOSSES: dict[str, Loss] = {
    "one_sided_mean_squared_error": partial(weighted_mean_squared_error, undershoot=0.0),
    "weighted_mean_squared_error": weighted_mean_squared_error,
}


def activation(part: Part) -> Activation:
    """Keras' function, with the part's arguments."""
    return _with_arguments(keras.activations.get(part.name), part)


def loss_function(part: Part) -> Loss:
    """Targets and outputs [batch, K] → loss of each example [batch]. Keras' own function, or one of ours."""
    return _with_arguments(OUR_LOSSES.get(part.name) or keras.losses.get(part.name), part)


def _with_arguments(function: Callable[..., tf.Tensor], part: Part) -> Callable[..., tf.Tensor]:
    return partial(function, **dict(part.arguments)) if part.arguments else function


def optimizer(part: Part) -> keras.optimizers.Optimizer:
    """Keras' optimizer. Raises `UserError` where Keras refuses the value of an argument."""
    return _keras_object(keras.optimizers.get, part, {})


def _keras_object(get: Callable[[dict[str, object]], Any], part: Part, others: Mapping[str, object]) -> Any:
    """What Keras' `get` makes of the part, with the `others` as arguments that the part does not have."""
    try:
        return get({"class_name": part.name, "config": {**others, **dict(part.arguments)}})
    except (TypeError, ValueError) as error:
        reason = str(error).rstrip(". ")
        raise UserError(f"Keras refuses {part}: {reason}. Fix this part's arguments in study.toml.") from error


def build(arm: Arm, pixels: int, classes: int, dtype: str = "float32") -> keras.Sequential:
    """The network of `arm`: [batch, pixels] in [0, 1] → [batch, classes], both `dtype`."""
    model = keras.Sequential([keras.Input((pixels,), dtype=dtype)])
    regularizer = keras.regularizers.L2(arm.l2) if arm.l2 else None
    options = {"kernel_regularizer": regularizer, "dtype": dtype}
    for part in arm.hidden:
        model.add(keras.layers.Dense(arm.width, activation(part), trainable=not arm.features_of, **options))
        if arm.dropout:
            model.add(keras.layers.Dropout(arm.dropout, dtype=dtype))
    model.add(keras.layers.Dense(classes, activation(arm.output), **options))
    return model


def initial_weights(model: keras.Model, seed: int, initializer: Part = GLOROT) -> list[np.ndarray]:
    """Kernels of Keras' `initializer`, and zero biases. A kernel depends only on seed, position and shape.

    Raises `UserError` where Keras refuses the value of an argument.
    """
    weights = []
    for index, weight in enumerate(model.weights):
        if len(weight.shape) == 1:
            weights.append(np.zeros(weight.shape, np.float32))
        else:
            kernel = _initializer(initializer, _layer_seed(seed, index))(weight.shape)
            weights.append(np.asarray(kernel, np.float32))
    return weights


def _initializer(part: Part, seed: int) -> Callable[[Sequence[int]], tf.Tensor]:
    """Keras' initializer, with that seed if it draws."""
    defaults = known("initializers")[part.name]  # Keras makes no Constant without its value
    made = _keras_object(keras.initializers.get, part, defaults)
    return _keras_object(keras.initializers.get, part, {**defaults, "seed": seed}) if hasattr(made, "seed") else made


def _layer_seed(*of: int) -> int:
    """What a layer draws its kernel or its masks from, by the run's seed and the layer's position."""
    return int(np.random.SeedSequence(of).generate_state(1)[0])


def seed_dropout(model: keras.Model, seed: int) -> None:
    """Sets what the masks of dropout are drawn from, as if each layer were new with a seed of its own."""
    for position, layer in enumerate(model.layers):
        if isinstance(layer, keras.layers.Dropout):
            layer.seed_generator.state.assign([_layer_seed(seed, position, DROPOUT), 0])


# ---------------------------------------------------------------------------------------------- a run


def batch_order(seed: int, epoch: int, images: int) -> np.ndarray:
    """The order in which `epoch` (from 1) visits the training images: [images] int32. The same in every arm."""
    return np.random.default_rng([seed, epoch]).permutation(images).astype(np.int32)


def targets(arm: Arm, labels: np.ndarray, classes: int) -> np.ndarray:
    """[n] labels → [n, classes] float32: high_target for the image's class, low_target for the others."""
    one_hot = np.eye(classes, dtype=np.float32)[labels]
    return np.float32(arm.low_target) + np.float32(arm.high_target - arm.low_target) * one_hot


def learning_rates(arm: Arm, epoch: int, epochs: int, steps: int) -> np.ndarray:
    """The rate of each step of `epoch` (from 1): [steps] float32. "cosine" is Keras' CosineDecay over all epochs."""
    if arm.schedule == "constant":
        return np.full(steps, arm.learning_rate, np.float32)
    step = np.arange((epoch - 1) * steps, epoch * steps)
    return (arm.learning_rate * (1 + np.cos(np.pi * step / (epochs * steps))) / 2).astype(np.float32)


class Trainer:
    """Trains any arm of one computation (`Arm.computation`) on one data set, compiled once.

    `compile_seconds`: how long the compilation took.
    """

    def __init__(self, arm: Arm, dataset: Dataset):
        self.arm = arm
        self.dataset = dataset.with_holdout(arm.holdout)
        self.steps = -(-len(self.dataset.x_train) // arm.batch_size)
        self.model = build(arm, dataset.x_train.shape[1], dataset.classes)
        self.optimizer = optimizer(arm.optimizer)
        self.optimizer.build(self.model.trainable_variables)
        self._fresh_optimizer = [variable.numpy() for variable in self.optimizer.variables]
        self._epoch, self._predict = self._compiled_epoch(), compiled_predict(self.model, self.dataset)
        start = time.perf_counter()
        self._epoch(*self._inputs(arm, 0, 1, 1), tf.constant(0, tf.int64))
        self._predict()
        self.compile_seconds = time.perf_counter() - start

    def start(self, arm: Arm, seed: int, features: Sequence[np.ndarray] | None = None) -> list[np.ndarray]:
        """The weights that a run of `arm` starts from; `features` are weights whose hidden layers it takes over."""
        weights = initial_weights(self.model, seed, arm.initializer)
        if features is not None:
            weights[:-2] = features[:-2]
        weights[-2] = weights[-2] * np.float32(arm.output_kernel_scale)
        return weights

    def train(self, arm: Arm, seed: int, epochs: int, features: Sequence[np.ndarray] | None = None) -> Trained:
        """Trains a run from its own start; earlier runs of this trainer leave no trace."""
        if arm.computation() != self.arm.computation():
            raise ValueError(f"{arm.name} needs another computation than {self.arm.name}")
        self.model.set_weights(self.start(arm, seed, features))
        for variable, value in zip(self.optimizer.variables, self._fresh_optimizer, strict=True):
            variable.assign(value)
        seed_dropout(self.model, seed)
        losses, accuracies, seconds, snapshots = [], [], [], {}
        for epoch in range(1, epochs + 1):
            inputs = self._inputs(arm, seed, epoch, epochs)
            start = time.perf_counter()
            losses.append(float(self.epoch(*inputs)))
            seconds.append(time.perf_counter() - start)
            accuracies.append(float(np.mean(self.outputs().argmax(1) == self.dataset.y_test)))
            if epoch in (1, epochs):
                snapshots["final" if epoch == epochs else "epoch_1"] = [w.numpy() for w in self.model.weights]
        return Trained(seed, {"epoch_1": snapshots["final"], **snapshots}, losses, accuracies, seconds)

    def outputs(self, weights: Sequence[np.ndarray] | None = None) -> np.ndarray:
        """The model's outputs for the test images, [n_test, classes] float32, with its own or other `weights`."""
        if weights is not None:
            self.model.set_weights(weights)
        return self._predict().numpy()

    def epoch(self, order: tf.Tensor, rates: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        """Trains the model on each image once; returns the mean training loss, with the penalty of L2.

        order: [n_train] int32; rates: [steps] float32; targets: [n_train, classes] float32.
        """
        whole_batches = len(self.dataset.x_train) // self.arm.batch_size
        return self._epoch(order, rates, targets, tf.constant(whole_batches, tf.int64))

    def _inputs(self, arm: Arm, seed: int, epoch: int, epochs: int) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        data = self.dataset
        return (
            tf.constant(batch_order(seed, epoch, len(data.x_train))),
            tf.constant(learning_rates(arm, epoch, epochs, self.steps)),
            tf.constant(targets(arm, data.y_train, data.classes)),
        )

    def _compiled_epoch(self) -> Callable[..., tf.Tensor]:
        """The epoch as one XLA program; see `epoch`. Its last argument is the number of whole batches.

        Called with 0 whole batches, it compiles. If the images do not divide evenly, a smaller batch comes last.
        """
        data, model, optimizer = self.dataset, self.model, self.optimizer
        compute_losses = loss_function(self.arm.loss)
        images = tf.constant(data.x_train)
        count, size = len(data.x_train), self.arm.batch_size

        def step(batch: tf.Tensor, rate: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
            x = scaled(tf.gather(images, batch), data.pixel_max)
            optimizer.learning_rate.assign(rate)
            with tf.GradientTape() as tape:
                losses = compute_losses(tf.gather(targets, batch), model(x, training=True))
                loss = tf.add_n([tf.reduce_mean(losses), *model.losses])
            variables = model.trainable_variables
            optimizer.apply(tape.gradient(loss, variables), variables)
            return loss * tf.cast(tf.size(batch), tf.float32)

        @tf.function(jit_compile=True)
        def epoch(order: tf.Tensor, rates: tf.Tensor, targets: tf.Tensor, whole_batches: tf.Tensor) -> tf.Tensor:
            total = tf.constant(0.0)
            batches = tf.reshape(order[: count - count % size], [-1, size])
            index = tf.constant(0, tf.int64)  # not tf.range: XLA would compile anew for each value of its limit
            while index < whole_batches:
                total += step(batches[index], rates[index], targets)
                index += 1
            if count % size:
                total += step(order[count - count % size :], rates[-1], targets)
            return total / count

        return epoch


def scaled(pixels: tf.Tensor, pixel_max: int) -> tf.Tensor:
    """uint8 pixels in 0 … pixel_max → float32 in [0, 1]."""
    return tf.cast(pixels, tf.float32) / float(pixel_max)


def compiled_predict(model: keras.Model, dataset: Dataset) -> Callable[[], tf.Tensor]:
    """A function without arguments: the model's outputs for the test images, [n_test, classes] float32.

    It halves the time by predicting in ten blocks that fit into the processor's cache, if the images divide evenly.
    """
    images = tf.constant(dataset.x_test)
    blocks = tf.reshape(images, (10 if len(images) % 10 == 0 else 1, -1, images.shape[1]))

    def outputs(block: tf.Tensor) -> tf.Tensor:
        return model(scaled(block, dataset.pixel_max), training=False)

    @tf.function(jit_compile=True)
    def predict() -> tf.Tensor:
        return tf.reshape(tf.map_fn(outputs, blocks, fn_output_signature=tf.float32), (len(images), dataset.classes))

    return predict
