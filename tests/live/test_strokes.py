"""What is drawn becomes an image as MNIST has them, wherever and however large it was drawn."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.data import strokes as pen
from experiments.data.datasets import Dataset
from experiments.live import shapes, strokes
from tests.live import networks

EVERY = [*map(shapes.drawn, shapes.DIGITS), *map(shapes.drawn, shapes.LETTERS.values())]


@pytest.mark.parametrize("drawn", EVERY, ids=[*"0123456789", *shapes.LETTERS])
def test_an_image_fills_the_box_and_has_its_centre_of_mass_in_the_middle(drawn: strokes.Strokes) -> None:
    image = strokes.image(drawn).reshape(28, 28)
    assert pen.centre_of_mass(image) == pytest.approx([14, 14], abs=0.05)
    sides = [np.flatnonzero((image > 0.5).any(axis=axis)) for axis in (0, 1)]
    assert max(side[-1] - side[0] + 1 for side in sides) in (19, 20, 21)
    assert 0 <= image.min() < image.max() == 1


@pytest.mark.parametrize("drawn", EVERY, ids=[*"0123456789", *shapes.LETTERS])
def test_where_and_how_large_it_is_drawn_changes_nothing(drawn: strokes.Strokes) -> None:
    four_pixels = 4 * 100 / 28
    moved = [0.5 * stroke + (four_pixels, -four_pixels) for stroke in drawn]
    np.testing.assert_allclose(strokes.image(moved), strokes.image(drawn), atol=1e-9)


def test_a_dot_is_as_wide_as_the_pen() -> None:
    image = strokes.image([np.array([[30.0, 70.0]])]).reshape(28, 28)
    assert image[14, 14] == 1
    assert image[14, 15] == pytest.approx(0.75)
    assert image[14, 16] == 0
    assert image.sum() == pytest.approx(np.pi * pen.RADIUS**2, rel=0.1)


def test_a_curve_goes_through_its_control_points_and_is_sampled_at_equal_distances() -> None:
    controls = ((0.0, 0.0), (40.0, 10.0), (50.0, 60.0))
    curve = strokes.smooth(controls)
    assert min(np.hypot(*(curve - controls[1]).T)) == pytest.approx(0)
    steps = np.hypot(*np.diff(strokes.resample(curve, 50), axis=0).T)
    assert steps.max() / steps.min() < 1.05
    np.testing.assert_allclose(strokes.resample(curve, 2), [controls[0], controls[-1]])


def test_the_digits_that_the_page_blends_have_the_same_strokes_and_points() -> None:
    first, last = (shapes.drawn(shapes.DIGITS[digit]) for digit in (shapes.FROM, shapes.TO))
    assert [stroke.shape for stroke in first] == [stroke.shape for stroke in last]


def test_variations_are_the_same_each_time_and_lie_in_the_field_once_written() -> None:
    once, again = ([drawn for _, drawn in shapes.variations(2)] for _ in range(2))
    for first, second in zip(once, again, strict=True):
        numbers = shapes.whole_numbers(first)
        assert numbers == shapes.whole_numbers(second)
        assert 0 <= min(map(min, numbers)) < max(map(max, numbers)) <= 100


def test_the_records_networks_read_our_digits_and_disagree_where_the_page_says_so() -> None:
    committed = networks.committed()
    loaded = networks.layers(committed)
    digits = np.array([strokes.image(shapes.drawn(digit)) for digit in shapes.DIGITS])
    assert networks.answers(loaded, digits) == [[digit] * 3 for digit in range(10)]
    assert len(committed["contested"]) == 3
    for drawing in committed["contested"]:
        image = strokes.image(shapes.from_numbers(drawing["strokes"]))
        (answers,) = networks.answers(loaded, image[None])
        assert answers[0] != drawing["digit"]
        assert drawing["digit"] in answers


@pytest.mark.slow("reads all test images of MNIST")
def test_digits_shifted_by_four_pixels_are_read_as_before_once_centred(mnist: Dataset) -> None:
    """Without it, the shift costs tens of points: this is why a drawing is centred."""
    loaded = networks.layers(networks.committed())
    images = mnist.x_test.reshape(-1, 28, 28) / 255
    fields = np.pad(images, ((0, 0), (16, 8), (8, 16)))  # 52 × 52 pixels, the images four beside the middle

    def window(field: np.ndarray, across: int, down: int) -> np.ndarray:
        return field[down : down + 28, across : across + 28]

    shifted = np.array([window(field, 12, 12) for field in fields])
    centred = np.array([window(field, *np.rint(mass(field) - pen.CENTRE).astype(int)) for field in fields])
    for network in loaded:
        before, lost, after = (
            np.mean(network.outputs(np.reshape(kind, (-1, 784))).argmax(axis=1) == mnist.y_test)
            for kind in (images, shifted, centred)
        )
        assert before - after < 0.003
        assert before - lost > 0.1


def mass(field: np.ndarray) -> np.ndarray:
    """The centre of mass of a field of any size, across and down."""
    return np.array([field.sum(axis=axis) @ np.arange(len(field)) for axis in (0, 1)]) / field.sum()
