"""Strokes of a pen → an image as MNIST has them: fitted to a box, drawn with one pen width, centred by its mass.

MNIST's digits were scaled into 20 × 20 pixels and moved until their centre of mass was that of the field (LeCun et al.
1998, section III.A). Networks that only ever saw such images depend on it: two pixels beside it cost them a fifth of
their answers. `templates/try.js` does the same with what is drawn in the page; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

SIDE = 28  # pixels of an image, across and down; the centre of pixel i is at i
BOX = 20.0  # pixels: the longer side of what is drawn, pen and all
RADIUS = 1.25  # pixels, of the pen
CENTRE = 14.0  # where the centre of mass is put, across and down
POINTS = 24  # of each stroke that is ready to draw: enough for its curves, and the same for all, so that they blend

Strokes = Sequence[np.ndarray]  # each [points, 2]: across and down, in any unit


def smooth(controls: Sequence[tuple[float, float]], pieces: int = 12) -> np.ndarray:
    """A curve [n, 2] through the control points: a uniform Catmull–Rom spline whose ends are doubled."""
    points = np.array([controls[0], *controls, controls[-1]], float)
    before, start, end, after = points[:-3], points[1:-2], points[2:-1], points[3:]
    t = (np.arange(pieces) / pieces)[:, None, None]
    curve = start + t / 2 * (
        end - before + t * (2 * before - 5 * start + 4 * end - after + t * (3 * (start - end) + after - before))
    )
    return np.vstack([curve.swapaxes(0, 1).reshape(-1, 2), points[-1:]])


def resample(line: np.ndarray, count: int = POINTS) -> np.ndarray:
    """So many points [count, 2] at equal distances along a line [n, 2] of some length."""
    along = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    places = np.linspace(0, along[-1], count)
    return np.stack([np.interp(places, along, line[:, axis]) for axis in (0, 1)], axis=1)


def image(strokes: Strokes) -> np.ndarray:
    """The image [28 · 28] in 0 … 1 that a network is given for these strokes, of which one at least has a point."""
    placed = fit(strokes)
    offset = CENTRE - centre_of_mass(ink(placed))
    return ink([stroke + offset for stroke in placed]).ravel()


def fit(strokes: Strokes) -> list[np.ndarray]:
    """The strokes in pixels: as large as the box allows, in the middle of the image. A point alone stays a point."""
    points = np.vstack(list(strokes))
    low, high = points.min(axis=0), points.max(axis=0)
    size = (high - low).max()
    scale = (BOX - 2 * RADIUS) / size if size else 1.0
    return [(stroke - (low + high) / 2) * scale + CENTRE for stroke in strokes]


def ink(strokes: Strokes) -> np.ndarray:
    """How much of each pixel [28, 28] a round pen covers, 0 … 1: by its centre's distance from the nearest stroke."""
    start = np.vstack([stroke[:-1] if len(stroke) > 1 else stroke for stroke in strokes])
    along = np.vstack([np.diff(stroke, axis=0) if len(stroke) > 1 else np.zeros((1, 2)) for stroke in strokes])
    y, x = np.divmod(np.arange(SIDE * SIDE), SIDE)
    apart = np.stack([x, y], axis=1)[:, None] - start  # [pixels, segments, 2]
    length = (along**2).sum(axis=1)
    part = np.clip((apart * along).sum(axis=2) / np.where(length, length, 1), 0, 1)
    nearest = np.hypot(*np.moveaxis(apart - part[:, :, None] * along, 2, 0)).min(axis=1)
    return np.asarray(np.clip(RADIUS + 0.5 - nearest, 0, 1)).reshape(SIDE, SIDE)


def centre_of_mass(pixels: np.ndarray) -> np.ndarray:
    """Of an image [28, 28] that is not empty: across and down, in pixels."""
    places = np.arange(SIDE)
    return np.asarray([pixels.sum(axis=0) @ places, pixels.sum(axis=1) @ places] / pixels.sum())
