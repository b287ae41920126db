"""A digit of our own, drawn in code: an image in MNIST's form that nobody else made, so that anybody may show it."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

Stroke = Sequence[tuple[float, float]]  # points that the pen passes in straight lines, (right, down) in any unit

FOUR: Sequence[Stroke] = (((5.4, 0.0), (0.6, 8.6), (9.0, 8.6)), ((6.6, 4.4), (6.6, 13.0)))
FOUR_LABEL = 4

SIDE, BOX, PIXEL_MAX = 28, 20, 255  # MNIST scales a digit into a box of 20 × 20 pixels within 28 × 28
CENTRE = 14.0  # where MNIST puts a digit's centre of mass, right and down, with the first pixel's middle at 0
RADIUS, SOFTNESS = 1.25, 0.5  # of the pen, in pixels: full ink up to RADIUS − SOFTNESS, none from RADIUS + SOFTNESS


def draw(strokes: Sequence[Stroke]) -> np.ndarray:
    """The strokes as uint8 [784] in 0 … PIXEL_MAX: scaled to MNIST's box with the pen inside, and centred by mass."""
    points = np.array([point for stroke in strokes for point in stroke])
    low, extent = points.min(axis=0), float(np.ptp(points, axis=0).max())
    scale = (BOX - 2 * RADIUS) / extent
    placed = [scale * (np.array(stroke) - low) for stroke in strokes]
    for _ in range(2):  # ink is centred only as finely as pixels show it
        ink = _ink(placed)
        shift = CENTRE - np.array([ink.sum(axis=0) @ np.arange(SIDE), ink.sum(axis=1) @ np.arange(SIDE)]) / ink.sum()
        placed = [stroke + shift for stroke in placed]
    image: np.ndarray = np.rint(PIXEL_MAX * _ink(placed)).astype(np.uint8)
    return image.ravel()


def _ink(strokes: Sequence[np.ndarray]) -> np.ndarray:
    """How dark each pixel is, [SIDE, SIDE] in 0 … 1, by its distance from the nearest stroke."""
    down, right = np.mgrid[:SIDE, :SIDE]
    pixels = np.stack([right, down], axis=-1)
    lines = [line for stroke in strokes for line in pairwise(stroke)]
    nearest = np.min([_distance(pixels, start, end) for start, end in lines], axis=0)
    ink: np.ndarray = np.clip((RADIUS + SOFTNESS - nearest) / (2 * SOFTNESS), 0, 1)
    return ink


def _distance(pixels: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """From each of the points [SIDE, SIDE, 2] to the line from `start` to `end`."""
    along = end - start
    place = np.clip((pixels - start) @ along / (along @ along), 0, 1)
    distances: np.ndarray = np.linalg.norm(pixels - start - place[..., None] * along, axis=-1)
    return distances
