"""Strokes of a pen → an image as MNIST has them: fitted to a box, drawn with one pen width, centred by its mass.

MNIST's digits were scaled into 20 × 20 pixels and moved until their centre of mass was that of the field (LeCun et al.
1998, section III.A). Networks that only ever saw such images depend on it: two pixels beside it cost them a fifth of
their answers. `templates/try.js` does the same with what is drawn in the page; the tests compare the two.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiments.data.strokes import CENTRE, Strokes, centre_of_mass, ink, scale_to_box

POINTS = 24  # of each stroke that is ready to draw: enough for its curves, and the same for all, so that they blend


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
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    return [(stroke - middle) * scale_to_box(strokes) + CENTRE for stroke in strokes]
