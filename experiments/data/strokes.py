"""Strokes of a pen → ink on MNIST's field of pixels; and a digit of our own, so that anybody may show it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

Strokes = Sequence[np.ndarray]  # each [points, 2]: across and down, in any unit; the pen passes them in straight lines

FOUR: Strokes = (np.array([(5.4, 0.0), (0.6, 8.6), (9.0, 8.6)]), np.array([(6.6, 4.4), (6.6, 13.0)]))
FOUR_LABEL = 4

SIDE = 28  # pixels of an image, across and down; the centre of pixel i is at i
BOX = 20.0  # pixels: the longer side of what is drawn, pen and all
CENTRE = 14.0  # where the centre of mass is put, across and down
RADIUS, SOFTNESS = 1.25, 0.5  # of the pen, in pixels: full ink up to RADIUS − SOFTNESS, none from RADIUS + SOFTNESS
PIXEL_MAX = 255


def draw(strokes: Strokes) -> np.ndarray:
    """The strokes as uint8 [784] in 0 … PIXEL_MAX: scaled to MNIST's box with the pen inside, and centred by mass."""
    scale, low = scale_to_box(strokes), np.vstack(strokes).min(axis=0)
    placed = [scale * (stroke - low) for stroke in strokes]
    for _ in range(2):  # ink is centred only as finely as pixels show it
        shift = CENTRE - centre_of_mass(ink(placed))
        placed = [stroke + shift for stroke in placed]
    image: np.ndarray = np.rint(PIXEL_MAX * ink(placed)).astype(np.uint8)
    return image.ravel()


def scale_to_box(strokes: Strokes) -> float:
    """Pixels a unit of the strokes: as large as the box allows, the pen inside. 1 for a point alone."""
    size = np.ptp(np.vstack(list(strokes)), axis=0).max()
    return float((BOX - 2 * RADIUS) / size) if size else 1.0


def ink(strokes: Strokes) -> np.ndarray:
    """How much of each pixel [28, 28] a round pen covers, 0 … 1: by its centre's distance from the nearest stroke."""
    start = np.vstack([stroke[:-1] if len(stroke) > 1 else stroke for stroke in strokes])
    along = np.vstack([np.diff(stroke, axis=0) if len(stroke) > 1 else np.zeros((1, 2)) for stroke in strokes])
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    apart = np.stack([x, y], axis=1)[:, None] - start  # [pixels, segments, 2]
    length = (along**2).sum(axis=1)
    part = np.clip((apart * along).sum(axis=2) / np.where(length, length, 1), 0, 1)
    nearest = np.hypot(*np.moveaxis(apart - part[:, :, None] * along, 2, 0)).min(axis=1)
    return np.asarray(np.clip((RADIUS + SOFTNESS - nearest) / (2 * SOFTNESS), 0, 1)).reshape(SIDE, SIDE)


def centre_of_mass(pixels: np.ndarray) -> np.ndarray:
    """Of an image [28, 28] that is not empty: across and down, in pixels."""
    places = np.arange(SIDE)
    return np.asarray([pixels.sum(axis=0) @ places, pixels.sum(axis=1) @ places] / pixels.sum())
