"""Rounding a layer keeps its sums: what one weight loses, those after it and the bias make up for."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.live.rounding import Inputs, round_layer

RNG = np.random.default_rng(0)
KERNEL, BIAS = RNG.normal(0, 1, (30, 8)), RNG.normal(0, 1, 8)
CORRELATED = RNG.normal(0, 1, (500, 5)) @ RNG.normal(0, 1, (5, 30)) + RNG.normal(0, 0.1, (500, 30))


def products(inputs: np.ndarray) -> np.ndarray:
    whole = np.hstack([inputs, np.ones((len(inputs), 1))])
    return whole.T @ whole


def sums(inputs: np.ndarray, kept: np.ndarray, bits: int = 4) -> np.ndarray:
    codes, scales, bias = round_layer(KERNEL, BIAS, Inputs.of(products(inputs), kept), bits)
    return inputs @ (codes * scales) + bias


def error(inputs: np.ndarray, rounded: np.ndarray) -> float:
    return float(np.mean((inputs @ KERNEL + BIAS - rounded) ** 2))


def test_sums_over_correlated_inputs_lose_far_less_than_by_rounding_alone() -> None:
    scales = np.abs(KERNEL).max(axis=0) / 7
    alone = CORRELATED @ (np.rint(KERNEL / scales) * scales) + BIAS
    assert error(CORRELATED, sums(CORRELATED, np.ones(30, bool))) < error(CORRELATED, alone) / 4


def test_what_is_left_out_and_never_varies_is_in_the_bias() -> None:
    inputs = CORRELATED.copy()
    inputs[:, 3] = 5.0
    kept = np.arange(30) != 3
    whole, without = (error(inputs, sums(inputs, which, bits=8)) for which in (np.ones(30, bool), kept))
    assert without == pytest.approx(whole, rel=0.5)
    lost = inputs[:, kept] @ KERNEL[kept] + BIAS
    assert without < error(inputs, lost) / 1000


@pytest.mark.parametrize("bits", [2, 6, 8])
def test_codes_use_their_bits_and_left_out_weights_are_zero(bits: int) -> None:
    kept = np.arange(30) > 4
    codes, scales, _ = round_layer(KERNEL, BIAS, Inputs.of(products(CORRELATED), kept), bits)
    assert np.abs(codes).max() <= 2 ** (bits - 1) - 1
    assert not codes[~kept].any()
    assert codes[kept].any(axis=0).all()
    np.testing.assert_allclose(scales * (2 ** (bits - 1) - 1), np.abs(KERNEL[kept]).max(axis=0), rtol=1e-6)


def test_a_unit_without_any_weight_stays_one() -> None:
    codes, scales, bias = round_layer(
        np.zeros((30, 1)), np.ones(1), Inputs.of(products(CORRELATED), np.ones(30, bool)), 6
    )
    assert not codes.any()
    assert np.isfinite(scales).all()
    assert bias == pytest.approx(1)
