"""The digit that is drawn in code: in MNIST's form."""

from __future__ import annotations

import numpy as np

from experiments.data import strokes


def drawn() -> np.ndarray:
    return strokes.draw(strokes.FOUR).reshape(28, 28)


def test_the_digit_fills_the_box_that_mnist_scales_digits_into_and_is_centred_by_mass() -> None:
    image = drawn().astype(float)
    rows, columns = (np.flatnonzero(image.sum(axis=axis)) for axis in (1, 0))
    assert 19 <= np.ptp(rows) + 1 <= 21  # a four is higher than wide
    assert np.ptp(columns) < np.ptp(rows)
    for axis in (0, 1):
        assert abs(image.sum(axis=axis) @ np.arange(28) / image.sum() - 14) < 0.02


def test_the_size_of_the_strokes_and_where_they_are_change_nothing() -> None:
    moved = [3 * stroke + (40, -7) for stroke in strokes.FOUR]
    np.testing.assert_array_equal(strokes.draw(moved).reshape(28, 28), drawn())


def test_the_pen_is_as_wide_as_it_is_said_to_be_with_a_soft_edge() -> None:
    image = strokes.draw([np.array([(0, 0), (0, 10)])]).reshape(28, 28)[14] / 255
    assert abs(image.sum() - 2 * strokes.RADIUS) < 0.01
    assert ((image > 0) & (image < 1)).any()
