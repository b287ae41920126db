"""The fast epoch does what Keras' `model.fit` does, from the same start and in the same order."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from experiments.data import datasets
from experiments.files.errors import UserError
from experiments.study.model import Arm, Part, Study
from experiments.training import trainer
from experiments.training.trainer import Trainer, initial_weights

EXAMPLES = ("example-1", "example-3")


def fit(arm: Arm, dataset: datasets.Dataset, seed: int, jit_compile: bool = False) -> keras.Model:
    """Keras' own training for one epoch, from the arm's start and in its order."""
    model = trainer.build(arm, dataset.x_train.shape[1], dataset.classes)
    model.set_weights(trainer.initial_weights(model, seed, arm.initializer))
    trainer.seed_dropout(model, seed)
    arguments = {**dict(arm.optimizer.arguments), "learning_rate": arm.learning_rate}
    optimizer = keras.optimizers.get({"class_name": arm.optimizer.name, "config": arguments})
    model.compile(optimizer=optimizer, loss=trainer.loss_function(arm.loss), jit_compile=jit_compile)
    order = trainer.batch_order(seed, 1, len(dataset.x_train))
    x = dataset.x_train[order].astype("float32") / dataset.pixel_max
    y = trainer.targets(arm, dataset.y_train[order], dataset.classes)
    model.fit(x, y, batch_size=arm.batch_size, epochs=1, shuffle=False, verbose=0)
    return model


def cut(dataset: datasets.Dataset, images: int) -> datasets.Dataset:
    return replace(dataset, x_train=dataset.x_train[:images], y_train=dataset.y_train[:images])


@pytest.mark.parametrize("name", EXAMPLES)
def test_fifty_steps_give_the_same_weights_as_model_fit(plan: Study, mnist: datasets.Dataset, name: str) -> None:
    arm, small = plan.arm(name), cut(mnist, 50 * 32)
    expected = fit(arm, small, seed=0).get_weights()
    found = Trainer(arm, small).train(arm, 0, 1).weights
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


@pytest.mark.slow("two epochs as Keras trains them")
@pytest.mark.parametrize("name", EXAMPLES)
def test_an_epoch_gives_the_same_accuracy_as_model_fit(plan: Study, mnist: datasets.Dataset, name: str) -> None:
    arm = plan.arm(name)
    outputs = fit(arm, mnist, seed=0).predict(mnist.x_test.astype("float32") / 255, batch_size=1000, verbose=0)
    expected = np.mean(outputs.argmax(1) == mnist.y_test)
    assert Trainer(arm, mnist).train(arm, 0, 1).test_accuracy[0] == pytest.approx(expected, abs=0.003)


HIDDEN = (Part("relu"), Part("gelu", (("approximate", True),)), Part("sigmoid"))
SMOOTHED = Part("categorical_crossentropy", (("label_smoothing", 0.1),))
VOCABULARY: dict[str, dict[str, Any]] = {
    "momentum and L2": {
        "optimizer": Part("sgd", (("momentum", 0.9), ("nesterov", True))),
        "learning_rate": 0.01,
        "l2": 0.01,
    },
    "RMSprop and He's initial weights": {
        "optimizer": Part("rmsprop", (("rho", 0.8),)),
        "initializer": Part("he_normal"),
        "hidden": (Part("relu"),),
    },
    "AdamW, two layers and smoothed targets": {
        "optimizer": Part("adamw", (("weight_decay", 0.1),)),
        "hidden": (Part("tanh"), Part("elu", (("alpha", 0.5),))),
        "output": Part("softmax"),
        "loss": SMOOTHED,
    },
    "Nadam, three layers and a weighted error": {
        "optimizer": Part("nadam"),
        "hidden": HIDDEN,
        "loss": Part("weighted_mean_squared_error", (("undershoot", 4.0),)),
    },
}


@pytest.mark.parametrize("changes", VOCABULARY.values(), ids=VOCABULARY)
def test_fifty_steps_with_other_words_of_keras_give_the_same_weights_as_model_fit(
    plan: Study, digits: datasets.Dataset, changes: dict[str, Any]
) -> None:
    arm = replace(plan.arm("example-1"), batch_size=28, width=32, **changes)
    small = cut(digits, 50 * 28)
    expected = fit(arm, small, seed=0)
    found = Trainer(arm, small).train(arm, 0, 1)
    for one, other in zip(found.weights, expected.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)
    assert found.training_loss == pytest.approx(expected.history.history["loss"], rel=1e-5)  # with the penalty of L2


def test_dropout_gives_the_same_weights_as_model_fit_compiled_by_xla(plan: Study, digits: datasets.Dataset) -> None:
    """Without XLA, TensorFlow draws other masks from the same seeds."""
    arm = replace(plan.arm("example-1"), batch_size=28, dropout=0.3, hidden=HIDDEN)
    small = cut(digits, 50 * 28)
    expected = fit(arm, small, seed=0, jit_compile=True).get_weights()
    trainer = Trainer(arm, small)
    trainer.train(arm, 1, 1)
    for one, other in zip(trainer.train(arm, 0, 1).weights, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_dropout_drops_its_share_in_training_and_nothing_when_predicting(plan: Study, digits: datasets.Dataset) -> None:
    arm = replace(plan.arm("example-1"), dropout=0.25, hidden=(Part("linear"),), width=1000)
    model = trainer.build(arm, 64, 10)
    model.set_weights(trainer.initial_weights(model, 0))
    hidden, dropout, _ = model.layers
    values = hidden(digits.x_test[:100].astype("float32"))
    dropped = dropout(values, training=True).numpy()
    assert np.mean(dropped == 0) == pytest.approx(0.25, abs=0.01)
    np.testing.assert_allclose(dropped[dropped != 0], values.numpy()[dropped != 0] / 0.75, rtol=1e-5)
    assert np.array_equal(dropout(values, training=False), values)


def test_each_seed_and_each_layer_draws_masks_of_its_own(plan: Study) -> None:
    arm = replace(plan.arm("example-1"), dropout=0.5, hidden=(Part("tanh"),) * 2)
    model = trainer.build(arm, 4, 3)
    drawn = []
    for seed in (0, 1, 0):
        trainer.seed_dropout(model, seed)
        drawn += [layer(np.ones((1, 64)), training=True).numpy().tobytes() for layer in model.layers[1:4:2]]
    assert drawn[:2] == drawn[4:]
    assert len(set(drawn)) == 4


def test_l2_is_charged_for_every_kernel_that_trains(plan: Study) -> None:
    arm = replace(plan.arm("example-1"), l2=0.5, hidden=(Part("tanh"),) * 2, width=3)
    for features_of, kernels in (("", 3), ("other", 1)):
        model = trainer.build(replace(arm, features_of=features_of), 4, 2)
        model.set_weights([np.ones(weight.shape) for weight in model.weights])
        assert sum(map(float, model.losses)) == pytest.approx(0.5 * sum((3 * 2, 3 * 3, 4 * 3)[:kernels]))


def test_a_smaller_last_batch_is_trained_too(plan: Study, digits: datasets.Dataset) -> None:
    arm, odd = plan.arm("example-3"), cut(digits, 3 * 32 + 5)
    expected = fit(arm, odd, seed=1).get_weights()
    for one, other in zip(Trainer(arm, odd).train(arm, 1, 1).weights, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-5)


def test_a_run_depends_on_its_seed_and_not_on_earlier_runs(plan: Study, digits: datasets.Dataset) -> None:
    arm = plan.arm("example-1")
    trainer = Trainer(arm, digits)
    first, other, again = (trainer.train(arm, seed, 2) for seed in (0, 1, 0))
    assert all(np.array_equal(a, b) for a, b in zip(first.weights, again.weights, strict=True))
    assert first.training_loss == again.training_loss
    assert not np.array_equal(first.weights[0], other.weights[0])


def test_arms_with_the_same_seed_start_from_the_same_weights_where_shapes_agree(plan: Study) -> None:
    starts = []
    for name in ("example-1", "example-3"):
        model = trainer.build(plan.arm(name), 784, 10)
        starts.append(trainer.initial_weights(model, 100))
    assert all(np.array_equal(a, b) for a, b in zip(*starts, strict=True))


def test_the_start_is_glorot_uniform_with_zero_biases(plan: Study) -> None:
    kernel, bias, _, _ = trainer.initial_weights(trainer.build(plan.arm("example-1"), 784, 10), 0)
    limit = np.sqrt(6 / (784 + 128))
    assert not bias.any()
    assert 0.999 * limit < np.abs(kernel).max() <= limit
    assert abs(kernel.mean()) < 1e-3


def test_a_kernel_is_drawn_by_keras_initializer_from_seed_and_position(plan: Study) -> None:
    model = trainer.build(plan.arm("example-1"), 784, 10)
    scaled = Part("variance_scaling", (("mode", "fan_avg"), ("scale", 2.0)))
    for part, spread in ((Part("he_normal"), 2 / 784), (scaled, 4 / (784 + 128)), (Part("constant"), 0)):
        first, bias, second, _ = trainer.initial_weights(model, 0, part)
        assert first.var() == pytest.approx(spread, rel=0.05)
        assert not bias.any()
        assert np.array_equal(trainer.initial_weights(model, 0, part)[2], second)
        assert spread == 0 or not np.array_equal(trainer.initial_weights(model, 1, part)[2], second)


@pytest.mark.parametrize(
    ("make", "part", "reason"),
    [
        (trainer.optimizer, Part("sgd", (("momentum", 2.0),)), r"sgd\(momentum=2.0\): `momentum` must be a float"),
        (trainer.optimizer, Part("sgd", (("clipnorm", 1.0), ("clipvalue", 1.0))), "Only one of `clipnorm`"),
    ],
)
def test_a_value_that_keras_refuses_is_one_line(make: Callable[[Part], object], part: Part, reason: str) -> None:
    with pytest.raises(UserError, match=rf"^Keras refuses .*{reason}.*\. Fix this part's arguments in study\.toml\.$"):
        make(part)


def test_each_epoch_visits_every_image_once_in_a_new_order() -> None:
    first, second = trainer.batch_order(100, 1, 1000), trainer.batch_order(100, 2, 1000)
    assert sorted(first) == list(range(1000))
    assert not np.array_equal(first, second)


def test_targets_are_high_for_the_class_and_low_for_the_others(plan: Study) -> None:
    coded = trainer.targets(plan.arm("targets"), np.array([2, 0]), 3)
    assert coded.tolist() == [[-1, -1, 1], [1, -1, -1]]


def test_the_one_sided_error_ignores_only_negative_outputs_on_wrong_classes() -> None:
    target = np.array([[0, 0, 1]], np.float32)
    loss = trainer.loss_function(Part("one_sided_mean_squared_error"))(
        target, np.array([[-0.5, 0.4, -0.1]], np.float32)
    )
    assert loss.numpy() == pytest.approx([(0 + 0.16 + 1.21) / 3])


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, 0.25 + 0.16 + 0.04 + 1.21),
        ({"undershoot": 4.0}, 4 * 0.25 + 0.16 + 0.04 + 1.21),
        ({"wrong": 0.5}, 0.5 * (0.25 + 0.16 + 0.04) + 1.21),
        ({"undershoot": 4.0, "wrong": 0.5}, 2 * 0.25 + 0.5 * (0.16 + 0.04) + 1.21),
        ({"overshoot": 0.0}, 0.25 + 0.16 + 0.04 + 1.21),
    ],
)
def test_a_weighted_error_is_the_one_computed_by_hand(arguments: dict[str, float], expected: float) -> None:
    """Low target −1, high target 1: the first output is below the low one, the right class's below the high one."""
    loss = trainer.loss_function(Part("weighted_mean_squared_error", tuple(arguments.items())))
    target, output = (np.array([row], np.float32) for row in ([-1, -1, -1, 1], [-1.5, -0.6, -0.8, -0.1]))
    assert loss(target, output).numpy() == pytest.approx([expected / 4])


def test_only_an_output_of_the_right_class_above_the_high_target_overshoots() -> None:
    loss = trainer.loss_function(Part("weighted_mean_squared_error", (("overshoot", 0.25),)))
    target, output = (np.array([row], np.float32) for row in ([0, 0, 1], [1.5, 0.5, 1.5]))
    assert loss(target, output).numpy() == pytest.approx([(2.25 + 0.25 + 0.25 * 0.25) / 3])


def test_squared_error_on_plus_and_minus_one_is_four_times_that_of_the_sigmoid_of_twice_z() -> None:
    z = np.linspace(-3, 3, 7).astype(np.float32)
    target = np.array([0, 1, 0, 1, 0, 1, 0], np.float32)
    squared_error = trainer.loss_function(Part("mean_squared_error"))
    tanh = squared_error((2 * target - 1)[None], keras.ops.tanh(z)[None])
    sigmoid = squared_error(target[None], keras.ops.sigmoid(2 * z)[None])
    np.testing.assert_allclose(tanh, 4 * sigmoid, rtol=1e-5)


def test_softmax_starts_near_the_loss_of_guessing(plan: Study, digits: datasets.Dataset) -> None:
    trainer = Trainer(plan.arm("example-3"), digits)
    outputs = trainer.outputs(initial_weights(trainer.model, 0))
    nll = -np.log(outputs[np.arange(len(outputs)), digits.y_test]).mean()
    assert nll == pytest.approx(np.log(10), abs=0.35)


def test_shuffled_labels_teach_nothing(plan: Study, mnist: datasets.Dataset) -> None:
    shuffled = replace(mnist, y_train=np.random.default_rng(0).permutation(mnist.y_train))
    arm = plan.arm("example-3")
    assert Trainer(arm, shuffled).train(arm, 0, 1).test_accuracy[0] == pytest.approx(0.1, abs=0.06)


def test_a_diverging_run_stops_and_records_the_epoch(plan: Study, digits: datasets.Dataset) -> None:
    arm = replace(plan.arm("linear-output"), optimizer=Part("sgd"), learning_rate=100.0)
    trained = Trainer(arm, digits).train(arm, 0, 3)
    assert trained.diverged_epoch in (1, 2)
    assert len(trained.test_accuracy) == 3


def test_arms_of_one_computation_share_a_trainer_and_each_gets_its_own_result(
    plan: Study, digits: datasets.Dataset
) -> None:
    shared = Trainer(plan.arm("example-1"), digits)
    for name in ("targets", "gap1-low-0.5", "rate-example-1-0.003", "best-rate-example-1"):
        arm = replace(plan.arm(name), holdout=0)
        alone = Trainer(arm, digits).train(arm, 3, 2)
        together = shared.train(arm, 3, 2)
        assert together.training_loss == alone.training_loss
    with pytest.raises(ValueError, match="needs another computation"):
        shared.train(plan.arm("example-3"), 0, 1)


def test_the_cosine_schedule_matches_keras(plan: Study) -> None:
    arm = plan.arm("rate-example-1-cosine")
    schedule = keras.optimizers.schedules.CosineDecay(arm.learning_rate, decay_steps=3 * 5)
    expected = [float(schedule(step)) for step in range(5, 10)]
    np.testing.assert_allclose(trainer.learning_rates(arm, 2, 3, 5), expected, rtol=1e-5)


def test_a_scaled_start_multiplies_only_the_output_kernel(plan: Study, digits: datasets.Dataset) -> None:
    scaled, plain = plan.arm("saturated-example-1"), plan.arm("sgd-example-1-0.1")
    trainer = Trainer(scaled, digits)
    for index, (one, other) in enumerate(zip(trainer.start(scaled, 0), trainer.start(plain, 0), strict=True)):
        np.testing.assert_array_equal(one, other * np.float32(20 if index == 2 else 1))


def test_frozen_features_do_not_change_and_only_the_readout_learns(plan: Study, digits: datasets.Dataset) -> None:
    arm = plan.arm("example-1-read-by-cross-entropy")
    features = Trainer(plan.arm("example-1"), digits).train(plan.arm("example-1"), 0, 2).weights
    trainer = Trainer(arm, digits)
    trained = trainer.train(arm, 0, 2, features)
    assert all(np.array_equal(a, b) for a, b in zip(trained.weights[:2], features[:2], strict=True))
    assert not np.array_equal(trained.weights[2], trainer.start(arm, 0, features)[2])


def test_held_out_images_are_used_for_measuring_and_not_for_training(digits: datasets.Dataset) -> None:
    split = digits.with_holdout(100)
    assert (len(split.x_train), len(split.x_test)) == (1340, 100)
    assert np.array_equal(np.concatenate([split.x_train, split.x_test]), digits.x_train)


HOSTILE = {"floatx": "float64", "epsilon": 0.1, "image_data_format": "channels_first", "backend": "jax"}


@pytest.mark.slow("starts TensorFlow")
def test_the_users_settings_of_keras_change_no_training(tmp_path: Path) -> None:
    (tmp_path / "keras.json").write_text(json.dumps(HOSTILE))
    code = """if True:
        from experiments.training import worker
        worker.start_tensorflow()
        import keras
        config = keras.config
        print(config.backend(), config.floatx(), config.epsilon(), config.image_data_format())
    """
    environment = {**os.environ, "KERAS_HOME": str(tmp_path), "KERAS_BACKEND": "jax"}
    result = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=300)
    assert result.stdout.split() == ["tensorflow", "float32", "1e-07", "channels_last"], result.stderr[-2000:]


def test_weights_are_kept_after_the_first_and_the_last_epoch(plan: Study, digits: datasets.Dataset) -> None:
    arm = plan.arm("example-1")
    trainer = Trainer(arm, digits)
    one, three = trainer.train(arm, 0, 1), trainer.train(arm, 0, 3)
    assert all(np.array_equal(a, b) for a, b in zip(one.weights, three.snapshots["epoch_1"], strict=True))
    assert not np.array_equal(one.weights[0], three.weights[0])


@pytest.mark.slow("starts TensorFlow and compiles four networks")
def test_a_gpu_multiplies_in_full_precision_and_gives_the_same_result_each_time() -> None:
    """As far as a machine without one shows: its settings are made, and this code trains under them."""
    code = """if True:
        import tensorflow as tf
        tf.config.list_physical_devices = lambda kind: [kind]
        tf.config.experimental.get_device_details = lambda found: {"device_name": "Made Up 1"}

        from experiments.data import datasets
        from experiments.study import load as studies
        from experiments.training import worker
        assert worker.start_tensorflow() == "Made Up 1"
        assert not tf.config.experimental.tensor_float_32_execution_enabled()

        from experiments.training.trainer import Trainer
        digits, plan = datasets.load(datasets.DIGITS, None), studies.load()
        for name in ("example-1", "example-3", "best-rate-example-1", "one-sided"):
            arm = plan.arm(name)
            print([Trainer(arm, digits).train(arm, 0, 2).training_loss for _ in range(2)])
    """
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert not result.returncode, result.stderr[-2000:]
    for line in result.stdout.splitlines():
        first, second = json.loads(line)
        assert first == second
        assert first[1] < first[0]
