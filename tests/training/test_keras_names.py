"""keras_names.json is what Keras' registries say, and whatever it lists can be trained and measured."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from experiments.analysis import measures
from experiments.data import datasets
from experiments.study import parts
from experiments.study.model import Arm, Part, Study
from experiments.training import keras_names, network_measures, trainer
from experiments.training.trainer import Trainer

FIX = "Run: python -m experiments.training.keras_names"


def test_the_list_is_that_of_the_installed_keras() -> None:
    assert parts.NAMES.read_text() == keras_names.text(keras_names.names()), FIX


def test_all_that_keras_knows_is_either_listed_or_left_out_for_a_reason() -> None:
    content = keras_names.names()
    for kind, registry in keras_names.REGISTRIES.items():
        aliases = {name.lower() if kind == "optimizers" else name for name in content["aliases"][kind]}
        left_out = {*keras_names.LEFT_OUT[kind]}
        left_out |= {name for name in registry if keras_names.to_snake_case(name) in left_out}
        left_out |= {"STFTInitializer"}
        assert set(registry) - left_out <= set(content[kind]) | aliases
        assert not left_out & set(content[kind])


def test_our_losses_take_the_arguments_that_a_study_can_name() -> None:
    assert set(trainer.OUR_LOSSES) == set(parts.OUR_LOSSES)
    weighted = keras_names.arguments(trainer.weighted_mean_squared_error)
    assert {name: weighted[name] for name in weighted if name not in ("target", "output")} == parts.OUR_LOSSES[
        "weighted_mean_squared_error"
    ]


def arm_of(plan: Study, kind: str, name: str) -> Arm:
    """Example 1 with narrow layers and that activation, loss, optimizer or initializer."""
    arm = replace(plan.arm("example-1"), width=8)
    if kind == "activations":
        return replace(arm, hidden=(Part(name),), output=Part(name))
    if kind == "losses":
        return replace(arm, loss=Part(name), output=Part(parts.OUTPUTS.get(name, ("tanh",))[0]))
    return replace(arm, **{kind.removesuffix("s"): Part(name)})


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "name"), [(kind, name) for kind in keras_names.REGISTRIES for name in parts.known(kind)]
)
def test_whatever_is_listed_trains_in_the_compiled_epoch_and_is_measured(
    plan: Study, digits: datasets.Dataset, kind: str, name: str
) -> None:
    arm, small = arm_of(plan, kind, name), replace(digits, x_train=digits.x_train[:70], y_train=digits.y_train[:70])
    shared = Trainer(arm, small)
    first, again = shared.train(arm, 0, 2), shared.train(arm, 0, 2)
    assert np.isfinite(first.training_loss).all()
    assert all(np.array_equal(one, other) for one, other in zip(first.weights, again.weights, strict=True))
    if name not in ("zeros", "constant", "ones"):  # from which no signal comes, or too strong a one
        assert not np.array_equal(first.weights[0], shared.start(arm, 0)[0])
    numbers = measures.measure(arm, shared.outputs(first.weights), small)
    numbers |= network_measures.measure(arm, {"final": first.weights}, small)
    json.dumps(numbers, allow_nan=False)
    assert None not in numbers["gradient"]["final"]["delta_rms"]


@pytest.mark.parametrize("name", [name for name in parts.known("losses") if name not in parts.OUR_LOSSES])
def test_a_listed_loss_is_one_number_an_image_that_depends_on_this_image_alone(name: str) -> None:
    targets, outputs = np.eye(3, dtype=np.float32)[[0, 1]], np.array([[0.2, 0.3, 0.5], [0.6, 0.3, 0.1]], np.float32)
    loss = trainer.loss_function(Part(name))
    both, alone = loss(targets, outputs).numpy(), loss(targets[:1], outputs[:1]).numpy()
    assert (both.shape, alone.shape) == ((2,), (1,))
    assert both[0] == alone[0]
