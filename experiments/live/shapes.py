"""What is ready to draw: ten digits, an A and an X, in strokes of our own, and variations. None is from a data set.

A stroke is a curve through its control points, or straight lines between them; the field is 100 × 100, from top left.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from experiments.live.strokes import resample, smooth

Controls = Sequence[tuple[float, float]]


class Stroke(NamedTuple):
    """The control points of one stroke, and whether lines between them are straight."""

    controls: Controls
    straight: bool = False

    def points(self) -> np.ndarray:
        """[points, 2]"""
        return resample(np.array(self.controls, float) if self.straight else smooth(self.controls))


DIGITS: tuple[tuple[Stroke, ...], ...] = (
    (Stroke(((54, 9), (33, 17), (22, 46), (28, 80), (50, 92), (71, 80), (79, 50), (71, 19), (50, 9))),),
    (Stroke(((56, 8), (51, 50), (46, 92)), straight=True),),
    (Stroke(((24, 27), (36, 11), (58, 9), (71, 24), (64, 46), (42, 70), (22, 88), (44, 86), (62, 89), (80, 86))),),
    (Stroke(((25, 18), (44, 8), (67, 15), (67, 36), (44, 46), (69, 54), (75, 76), (54, 92), (24, 84))),),
    (
        Stroke(((36, 10), (29, 34), (21, 58), (44, 60), (64, 57), (84, 54))),
        Stroke(((68, 14), (64, 54), (58, 93)), straight=True),
    ),
    (
        Stroke(((34, 12), (30, 44), (50, 38), (70, 50), (72, 72), (54, 91), (25, 84))),
        Stroke(((34, 12), (54, 12), (74, 9))),
    ),
    (Stroke(((64, 9), (42, 30), (28, 62), (36, 87), (57, 91), (71, 74), (62, 56), (43, 58), (31, 72))),),
    (Stroke(((20, 14), (48, 13), (78, 11), (62, 40), (50, 66), (42, 93))),),
    (
        Stroke(
            (
                (66, 18),
                (48, 8),
                (31, 20),
                (40, 40),
                (62, 56),
                (70, 77),
                (50, 92),
                (31, 78),
                (39, 56),
                (60, 40),
                (66, 18),
            )
        ),
    ),
    (
        Stroke(((70, 18), (46, 9), (29, 26), (33, 46), (54, 48), (70, 30))),
        Stroke(((70, 18), (67, 54), (60, 93)), straight=True),
    ),
)
LETTERS: dict[str, tuple[Stroke, ...]] = {
    "A": (
        Stroke(((22, 92), (50, 8), (78, 92)), straight=True),
        Stroke(((32, 64), (68, 64)), straight=True),
    ),
    "X": (
        Stroke(((22, 10), (78, 90)), straight=True),
        Stroke(((78, 10), (22, 90)), straight=True),
    ),
}
FROM, TO = 4, 9  # the digits that the page blends: each has as many strokes as the other


def drawn(strokes: Sequence[Stroke]) -> list[np.ndarray]:
    return [stroke.points() for stroke in strokes]


def variations(count: int, state: int = 0) -> Iterator[tuple[int, list[np.ndarray]]]:
    """`count` variations of each digit, the mildest first, each with its digit: turned, slanted, squeezed, shaken."""
    rng = np.random.default_rng(state)
    for step in range(count):
        for digit, strokes in enumerate(DIGITS):
            yield digit, _vary(strokes, rng, 0.6 + 0.4 * step / count)


def _vary(strokes: Sequence[Stroke], rng: np.random.Generator, strength: float) -> list[np.ndarray]:
    """strength: 1 turns and slants by some 10 degrees, and moves control points by some 5 of 100."""
    turn, slant, squeeze = strength * rng.normal(0, (0.17, 0.17, 0.15))
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = turned @ np.array([[np.exp(squeeze), slant], [0, 1]])
    varied = []
    for stroke in strokes:
        controls = np.array(stroke.controls) + rng.normal(0, 5 * strength, (len(stroke.controls), 2))
        varied.append(Stroke([tuple(point) for point in (controls - 50) @ linear.T + 50], stroke.straight).points())
    return varied


def whole_numbers(strokes: Sequence[np.ndarray]) -> list[list[int]]:
    """Strokes as they are written: within the field, x0, y0, x1, y1, … of each."""
    points = np.vstack(list(strokes))
    low, size = points.min(axis=0), (points.max(axis=0) - points.min(axis=0)).max()
    inside = [(stroke - low) * min(1, 84 / size) for stroke in strokes]
    room = 100 - np.vstack(inside).max(axis=0)
    return [np.rint(stroke + room / 2).astype(int).ravel().tolist() for stroke in inside]


def from_numbers(numbers: Sequence[Sequence[float]]) -> list[np.ndarray]:
    """Strokes as they are written → arrays [points, 2]."""
    return [np.array(stroke, float).reshape(-1, 2) for stroke in numbers]
