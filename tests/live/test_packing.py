"""Layers are the same once they are read again, and their codes are written so that they take few bits."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest

from experiments.live import packing
from experiments.live.rounding import LEFT_OUT, Rounded

RNG = np.random.default_rng(0)


def layer(inputs: np.ndarray, units: int) -> Rounded:
    """Codes are about as large as the steps are fine."""
    exponents = RNG.integers(-12, 12, units).astype(np.int8)
    sizes = 4 * 2.0 ** (-np.add.outer(inputs.astype(float), exponents) / 4)
    codes = np.clip(np.rint(RNG.normal(0, sizes)), -127, 127).astype(np.int8)
    codes[inputs == LEFT_OUT] = 0
    return Rounded(codes, inputs, exponents, RNG.normal(0, 1, units).astype(np.float32))


def exponents(count: int) -> np.ndarray:
    return RNG.integers(-12, 12, count).astype(np.int8)


PIXELS = np.where(np.arange(300) % 5, exponents(300), np.int8(LEFT_OUT))
LAYERS = [layer(PIXELS, 64), layer(exponents(64), 16), layer(exponents(16), 10)]


def test_layers_are_the_same_once_they_are_read_again() -> None:
    read = packing.decode(packing.encode(LAYERS), [64, 16, 10], PIXELS)
    for before, after in zip(LAYERS, read, strict=True):
        for name in ("codes", "inputs", "units", "bias", "kernel"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))


def test_codes_in_the_order_of_their_steps_take_fewer_bytes_than_in_that_of_the_weights() -> None:
    codes = LAYERS[0].codes[PIXELS != LEFT_OUT]
    head = 64 * 5
    assert len(packing.encode(LAYERS[:1])) * 6 / 8 - head < 0.9 * len(zlib.compress(codes.tobytes(), 9))


@pytest.mark.parametrize("count", [9, 11])
def test_as_many_numbers_are_unpacked_as_were_packed_and_no_others(count: int) -> None:
    numbers = np.arange(10, dtype=np.int8)
    text = packing.pack(numbers.tobytes())
    assert packing.unpack(text, 10).tolist() == numbers.tolist()
    with pytest.raises(ValueError, match=f"not {count} bytes of numbers"):
        packing.unpack(text, count)
    with pytest.raises(ValueError, match="not 10 bytes of numbers"):
        packing.unpack(base64.b64encode(base64.b64decode(text)[:-1]).decode(), 10)
