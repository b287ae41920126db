"""Colours, marks, sizes and matplotlib's settings: how every figure looks. Light: no matplotlib."""

from __future__ import annotations

from typing import Any, NamedTuple

from experiments.plots import svg

INK, MUTED, GRID, PAPER = svg.INK, "#666666", "#dddddd", "#fefefe"  # roles: see svg.COLOURS
SERIES = ("#d55e00", "#cc79a7", "#0072b2", "#009e73")
MARKERS = ("o", "D", "s", "^")
FONT_SIZE = float(svg.FONT_SIZE.removesuffix("px"))
LARGEST_FONT_SIZE = 13.3  # of the same text on the smallest phones, by the style sheet
STYLE: Any = {  # matplotlib types each key of its settings as a literal
    "svg.fonttype": "none",
    "svg.hashsalt": "article-under-test",
    "font.size": FONT_SIZE,
    "axes.titlesize": "medium",
    "figure.titlesize": "medium",
    "figure.labelsize": "medium",
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xaxis.labellocation": "left",  # so that lines of a label stay below each other where text is smaller
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.w_pad": 0,  # the page puts drawings under their titles
    "figure.constrained_layout.wspace": 0.07,
}
WIDTH = 4.54  # inches: so narrow that labels stay readable on a phone, on which drawings are laid out
LINE = 0.185  # inches from one line of text to the next
PNG_DPI = 200
PREVIEW_DPI = 100
PREVIEW_SIZE = (12.0, 6.3)  # inches: 1200 × 630 pixels, which previews of links are cut from


class Recipe(NamedTuple):
    """How every figure names and draws one way of training, in whatever block."""

    label: str
    colour: str
    marker: str
