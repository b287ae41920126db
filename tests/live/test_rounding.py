"""Rounding a layer keeps its sums: what one weight loses, those after it and the bias make up for."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.live.rounding import LARGEST, LEFT_OUT, OCTAVE, Inputs, Rounded, round_layer, steps

RNG = np.random.default_rng(0)
KERNEL, BIAS = RNG.normal(0, 1, (30, 8)), RNG.normal(0, 1, 8)
CORRELATED = RNG.normal(0, 1, (500, 5)) @ RNG.normal(0, 1, (5, 30)) + RNG.normal(0, 0.1, (500, 30))


def products(inputs: np.ndarray) -> np.ndarray:
    whole = np.hstack([inputs, np.ones((len(inputs), 1))])
    return whole.T @ whole


def rounded(inputs: np.ndarray, kept: np.ndarray, step: float) -> Rounded:
    return round_layer(KERNEL, BIAS, Inputs.of(products(inputs), kept), np.full(8, step))


def sums(inputs: np.ndarray, kept: np.ndarray, step: float = 0.5) -> np.ndarray:
    layer = rounded(inputs, kept, step)
    return inputs @ layer.kernel + layer.bias


def error(inputs: np.ndarray, rounded: np.ndarray) -> float:
    return float(np.mean((inputs @ KERNEL + BIAS - rounded) ** 2))


EVERY = np.ones(30, bool)


def test_sums_over_correlated_inputs_lose_far_less_than_by_rounding_alone() -> None:
    layer = rounded(CORRELATED, EVERY, 0.5)
    step = steps(layer.inputs, layer.units)
    alone = CORRELATED @ (np.rint(KERNEL / step) * step) + BIAS
    assert error(CORRELATED, sums(CORRELATED, EVERY)) < error(CORRELATED, alone) / 4


def test_steps_by_what_an_input_varies_lose_less_than_one_step_that_takes_as_many_bits() -> None:
    inputs = RNG.normal(0, np.geomspace(1, 0.01, 30), (500, 30))
    layer = rounded(inputs, EVERY, 0.01)
    assert layer.inputs[-1] - layer.inputs[0] == pytest.approx(OCTAVE * np.log2(100), abs=1)
    step = np.exp2(layer.inputs.mean() / OCTAVE) * 0.01
    one_step = inputs @ (np.rint(KERNEL / step) * step) + BIAS
    assert error(inputs, sums(inputs, EVERY, 0.01)) < error(inputs, one_step) / 4


def test_what_is_left_out_and_never_varies_is_in_the_bias() -> None:
    inputs = CORRELATED.copy()
    inputs[:, 3] = 5.0
    kept = np.arange(30) != 3
    whole, without = (error(inputs, sums(inputs, which, 0.05)) for which in (EVERY, kept))
    assert without == pytest.approx(whole, rel=0.5)
    lost = inputs[:, kept] @ KERNEL[kept] + BIAS
    assert without < error(inputs, lost) / 1000


@pytest.mark.parametrize("step", [1, 0.1, 1e-9])
def test_steps_are_as_wanted_unless_codes_would_be_too_large(step: float) -> None:
    kept = np.arange(30) > 4
    layer = rounded(CORRELATED, kept, step)
    assert (layer.inputs == LEFT_OUT).tolist() == (~kept).tolist()
    assert not layer.codes[~kept].any()
    largest = np.abs(KERNEL[kept] / steps(layer.inputs, layer.units)[kept]).max(axis=0)
    assert largest.max() <= LARGEST
    as_wanted = np.abs(2 ** (layer.units / OCTAVE) / step - 1) < 0.1
    assert np.where(as_wanted, True, largest > LARGEST / 1.2).all()
    assert as_wanted.any() == (step > 1e-3)


def test_a_unit_without_any_weight_stays_one() -> None:
    layer = round_layer(np.zeros((30, 1)), np.ones(1), Inputs.of(products(CORRELATED), EVERY), np.full(1, 0.1))
    assert not layer.codes.any()
    assert layer.bias == pytest.approx(1)


def test_a_unit_that_moves_nothing_has_no_codes_and_its_mean_sum() -> None:
    layer = rounded(CORRELATED, EVERY, np.inf)
    assert not layer.codes.any()
    means = CORRELATED.mean(axis=0) @ KERNEL + BIAS
    np.testing.assert_allclose(layer.bias, means, atol=1e-3)
