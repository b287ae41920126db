"""Activations, losses, optimizers and initializers as study.toml names them, and mistakes in that."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from experiments.files.errors import UserError
from experiments.study import load as studies
from experiments.study.model import Arm, Part, Study

STUDY = """
version = 1
[defaults]
hidden = "tanh"
output = "tanh"
loss = "mean_squared_error"
low_target = 0
high_target = 1
depth = 1
width = 8
optimizer = "adam"
learning_rate = 0.001
batch_size = 32
readout = "as_is"
[datasets.mnist]
epochs = 1
[datasets.digits]
epochs = 1
[blocks.all]
question = "What?"
seeds = [0, 1]
[confirmatory]
declared = 2026-01-01
measure = "test_accuracy"
confidence = 0.95
[[arms]]
block = "all"
name = "an-arm"
"""


def study(folder: Path, *lines: str, name: str = "an-arm") -> Study:
    """The study with one arm, or family, that has those lines."""
    path = folder / "study.toml"
    path.write_text("\n".join([STUDY.replace("an-arm", name), *lines]), encoding="utf-8")
    return studies.load(path)


def arm(folder: Path, *lines: str) -> Arm:
    (only,) = study(folder, *lines).arms
    return only


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ('optimizer = "rmsprop"', Part("rmsprop")),
        ('optimizer = { name = "rmsprop" }', Part("rmsprop")),
        ('optimizer = { name = "sgd", nesterov = true, momentum = 0.9 }', "sgd(momentum=0.9, nesterov=True)"),
        ('optimizer = { name = "sgd", momentum = 1 }', Part("sgd", (("momentum", 1.0),))),
        ('optimizer = { name = "adam", beta_1 = 0.9 }', Part("adam")),  # Keras' own default says nothing
        ('optimizer = { name = "adam", clipnorm = 1 }', Part("adam", (("clipnorm", 1),))),
        ("[arms.optimizer]\nname = 'adamw'\nweight_decay = 0.1", "adamw(weight_decay=0.1)"),
        ('optimizer = "RMSprop"', Part("rmsprop")),
    ],
)
def test_an_optimizer_is_a_name_or_a_table_with_its_arguments(tmp_path: Path, line: str, expected: Part | str) -> None:
    optimizer = arm(tmp_path, line).optimizer
    assert optimizer == expected or str(optimizer) == expected


@pytest.mark.parametrize(
    ("alias", "name"),
    [("mse", "mean_squared_error"), ("MAE", "mean_absolute_error"), ("LogCosh", "log_cosh"), ("huber", "huber")],
)
def test_other_names_that_keras_has_for_a_loss_mean_the_same(tmp_path: Path, alias: str, name: str) -> None:
    assert arm(tmp_path, f'loss = "{alias}"').loss == Part(name)


def test_weights_of_our_own_loss_are_arguments(tmp_path: Path) -> None:
    loss = arm(tmp_path, 'loss = { name = "weighted_mean_squared_error", undershoot = 4, wrong = 1 }').loss
    assert loss == Part("weighted_mean_squared_error", (("undershoot", 4.0),))


def test_what_no_line_names_is_as_it_always_was(tmp_path: Path) -> None:
    plain = arm(tmp_path)
    assert (plain.initializer, plain.dropout, plain.l2) == (Part("glorot_uniform"), 0, 0)
    lines = 'initializer = "HeNormal"', "dropout = 0.5", "l2 = 1e-4"
    other = arm(tmp_path, *lines)
    assert (other.initializer, other.dropout, other.l2) == (Part("he_normal"), 0.5, 0.0001)


def test_one_activation_is_that_of_every_hidden_layer(tmp_path: Path) -> None:
    deep = arm(tmp_path, 'hidden = { name = "leaky_relu", negative_slope = 0.1 }', "depth = 3")
    assert deep.hidden == (Part("leaky_relu", (("negative_slope", 0.1),)),) * 3
    assert (deep.depth, deep.settings()["hidden"]) == (3, "leaky_relu(negative_slope=0.1)")


def test_a_list_of_activations_is_one_for_each_hidden_layer(tmp_path: Path) -> None:
    deep = arm(tmp_path, 'hidden = ["tanh", { name = "elu", alpha = 0.5 }]')
    assert deep.hidden == (Part("tanh"), Part("elu", (("alpha", 0.5),)))
    assert (deep.depth, deep.settings()["hidden"]) == (2, "tanh, elu(alpha=0.5)")


def test_a_list_whose_key_is_in_the_name_is_a_family_of_names_tables_and_lists(tmp_path: Path) -> None:
    hidden = 'hidden = ["leaky_relu", { name = "elu", alpha = 0.5 }, ["tanh", "relu"]]'
    family = study(tmp_path, hidden, 'title = "With {hidden}"', name="arm-{hidden}").arms
    assert [one.name for one in family] == ["arm-leaky-relu", "arm-elu-alpha-0.5", "arm-tanh-relu"]
    assert [one.depth for one in family] == [1, 1, 2]
    assert family[2].title == "With tanh-relu"
    optimizers = 'optimizer = ["adam", { name = "sgd", nesterov = true }]'
    assert [one.name for one in study(tmp_path, optimizers, name="{optimizer}").arms] == ["adam", "sgd-nesterov-true"]


WRONG = {
    "an unknown name": (
        'optimizer = "adamm"',
        """arm 'an-arm'.optimizer is "adamm". Expected one of Keras' optimizers, such as adam, """,
    ),
    "an unknown name without a near one": (
        'hidden = "xyz"',
        'hidden is "xyz". Expected one of Keras\' activations, such',
    ),
    "the name of something else": (
        'loss = "softmax"',
        "arm 'an-arm'.loss is \"softmax\". Expected one of Keras' losses,",
    ),
    "a loss that cannot be used": ('loss = "sparse_categorical_crossentropy"', "such as categorical_crossentropy,"),
    "neither text nor table": (
        "loss = 1",
        """arm 'an-arm'.loss is 1. Expected one of Keras' losses as a text, or as a table""",
    ),
    "no name": (
        "optimizer = { momentum = 0.9 }",
        "arm 'an-arm'.optimizer.name is missing. Expected one of Keras' optimizers",
    ),
    "a foreign argument": (
        'optimizer = { name = "sgd", rho = 0.9 }',
        "arm 'an-arm'.optimizer.rho is 0.9. Expected an argument of sgd: momentum, nesterov, ",
    ),
    "an argument of what has none": (
        'output = { name = "tanh", alpha = 1 }',
        "arm 'an-arm'.output.alpha is 1. Expected no argument, as tanh takes none.",
    ),
    "the rate as an argument": (
        'optimizer = { name = "sgd", learning_rate = 0.1 }',
        "arm 'an-arm'.optimizer.learning_rate is 0.1. Expected an argument of sgd: ",
    ),
    "text for a number": (
        'initializer = { name = "random_normal", stddev = "1" }',
        "arm 'an-arm'.initializer.stddev is \"1\". Expected a number.",
    ),
    "a number for true or false": (
        'optimizer = { name = "sgd", nesterov = 1 }',
        "arm 'an-arm'.optimizer.nesterov is 1. Expected true or false.",
    ),
    "true for a number": ('optimizer = { name = "sgd", momentum = true }', "momentum is true. Expected a number."),
    "a weight out of range": (
        'loss = { name = "weighted_mean_squared_error", wrong = -1 }',
        "arm 'an-arm'.loss.wrong is -1. Expected 0 to 100, a weight of squared errors.",
    ),
    "a loss that needs another output": (
        'loss = { name = "categorical_crossentropy", label_smoothing = 0.1 }',
        'is "categorical_crossentropy(label_smoothing=0.1)". Expected output = "softmax" with it, not "tanh".',
    ),
    "a loss that needs one of several outputs": (
        'loss = "poisson"',
        'Expected output = "exponential" or "hard_sigmoid"',
    ),
    "a loss that needs other targets": (
        'loss = "categorical_hinge"\nlow_target = -1',
        "low_target is -1.0. Expected targets 0 and 1 with categorical_hinge.",
    ),
    "a list that is not as long as the network is deep": (
        'hidden = ["tanh", "relu"]\ndepth = 3',
        "arm 'an-arm'.depth is 3. Expected 2, as many as hidden has activations, or no depth.",
    ),
    "no layer": ("hidden = []", "arm 'an-arm'.hidden is []. Expected 1 to 64 activations, one for each hidden layer."),
    "all dropped": ("dropout = 1", "arm 'an-arm'.dropout is 1.0. Expected 0 or more, below 1."),
    "a negative penalty": ("l2 = -1", "arm 'an-arm'.l2 is -1.0. Expected 0 to 100."),
    "a list of optimizers": ('optimizer = ["adam", "sgd"]', "or several and a name with {optimizer} in it."),
}


@pytest.mark.parametrize(("lines", "said"), WRONG.values(), ids=WRONG)
def test_a_mistake_is_one_line_with_its_place_and_the_fix(tmp_path: Path, lines: str, said: str) -> None:
    with pytest.raises(UserError) as caught:
        arm(tmp_path, lines)
    message = str(caught.value)
    assert said in message
    assert message.endswith("Fix this line.")
    last = len((tmp_path / "study.toml").read_text().splitlines())
    assert f"study.toml:{last}: " in message


def test_the_line_of_an_argument_in_a_table_of_its_own_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"arm 'an-arm'\.optimizer\.momentun is 0\.9") as caught:
        arm(tmp_path, "[arms.optimizer]", 'name = "sgd"', "momentun = 0.9")
    assert f"study.toml:{len((tmp_path / 'study.toml').read_text().splitlines())}: " in str(caught.value)


def test_a_default_list_gives_way_to_a_single_activation_and_to_another_list(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text(STUDY.replace('hidden = "tanh"', 'hidden = ["tanh", "relu"]').replace("depth = 1\n", ""))
    assert studies.load(path).arms[0].depth == 2
    path.write_text(path.read_text() + 'hidden = "gelu"\ndepth = 1')
    assert studies.load(path).arms[0].hidden == (Part("gelu"),)


def test_names_are_checked_without_tensorflow() -> None:
    hide = "import sys; sys.modules['tensorflow'] = sys.modules['keras'] = None; "
    code = hide + "from experiments.study import load; load.load()"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True).returncode == 0
