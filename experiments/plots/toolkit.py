"""What figures are made of: axes, rows, marks, labels, and the finished Figure. The only importer of matplotlib.

`gid=svg.rows(…)` ties the marks of a drawing to the rows of its table.
"""

from __future__ import annotations

import io
import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cache
from types import MappingProxyType
from typing import Any, cast

import matplotlib
import numpy as np

from experiments.analysis.results import ArmResult, Results, RunResult
from experiments.plots import svg
from experiments.plots.figures import Figure, PlottedRun, plotted_values
from experiments.plots.formats import plain_percent
from experiments.plots.selection import accuracy_name, data_name, mean_accuracy, scores, select_arms, short_title
from experiments.plots.style import (
    GRID,
    INK,
    LARGEST_FONT_SIZE,
    LINE,
    MARKERS,
    MUTED,
    PAPER,
    PNG_DPI,
    PREVIEW_DPI,
    PREVIEW_SIZE,
    SERIES,
    STYLE,
    WIDTH,
    Recipe,
)

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes as Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure as MatplotlibFigure
from matplotlib.figure import SubFigure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.patches import Rectangle as Rectangle
from matplotlib.path import Path
from matplotlib.textpath import text_to_path
from matplotlib.transforms import ScaledTranslation

Canvas = MatplotlibFigure
Tile = SubFigure
subplots = plt.subplots
_pictures: ContextVar[bool] = ContextVar("pictures")  # whether figures get PNGs: they cost half the time


@contextmanager
def styled(pictures: bool = True) -> Iterator[None]:
    """Within it, matplotlib draws in the project's style. Without `pictures`, figures have their drawings alone."""
    token = _pictures.set(pictures)
    try:
        with matplotlib.rc_context(STYLE):
            yield
    finally:
        _pictures.reset(token)


def finish(
    canvas: Canvas,
    name: str,
    title: str,
    description: str,
    arms: Iterable[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
    measures: Iterable[str] = (),
) -> Figure:
    """The plot on `canvas` as a Figure.

    arms: those whose runs it shows. measures: which of `evidence.FOR_FIGURES` it shows of them.
    """
    for axes in canvas.axes:
        _align_ends(axes)
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = svg.clean(buffer.getvalue(), name, title, description)
    framed: Any = {"facecolor": PAPER, "bbox_inches": canvas.bbox_inches.padded(MARGIN)}
    picture = png(canvas, dpi=PNG_DPI, **framed) if _pictures.get(True) else b""
    plt.close(canvas)
    table = tuple(tuple(row) for row in rows)
    names = tuple(dict.fromkeys(arms))
    return Figure(name, title, description, names, tuple(columns), table, drawing, tuple(measures), picture)


def _align_ends(axes: Axes) -> None:
    """Lets the labels of ticks at the ends of the axis end with it, so that they don't reach out of the drawing."""
    ends = dict(zip(axes.get_xlim(), ("left", "right"), strict=True))
    for tick, label in zip(axes.get_xticks(), axes.get_xticklabels(), strict=False):  # axes below may have them
        for end, side in ends.items():
            if np.isclose(tick, end):
                label.set(horizontalalignment=side)


def png(canvas: Canvas, **options: Any) -> bytes:
    """The plot as PNG, the same bytes in every build."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", metadata={"Software": None}, **options)
    return buffer.getvalue()


# ---------------------------------------------------------------------------------------------- parts of figures


MAX_LABEL = 28  # characters; a longer one leaves no room for the drawing beside it


def arm_label(name: str, arm: ArmResult) -> str:
    """The arm's title up to its colon, or its name where that is too long; of a long name, its two ends."""
    title = short_title(arm["title"])
    label = title if len(title) <= MAX_LABEL else name
    half = MAX_LABEL // 2
    return label if len(label) <= MAX_LABEL else f"{label[: half - 1]}…{label[-half:]}"


def recipes_by_row(arms: Mapping[str, ArmResult]) -> dict[str, Recipe]:
    """A label, a colour and a marker for each arm, by its place among `arms`."""
    return {
        name: Recipe(arm_label(name, arm), SERIES[row % len(SERIES)], MARKERS[row % len(MARKERS)])
        for row, (name, arm) in enumerate(arms.items())
    }


Headings = Mapping[int, str]  # by row, what is written over it, about it and the rows below it
NO_HEADINGS: Headings = MappingProxyType({})


def labelled_rows(
    labels: Sequence[str], notes: Sequence[str], xlabel: str, headings: Headings = NO_HEADINGS, zero: bool = False
) -> tuple[Canvas, Axes]:
    """Axes with the rows of `label_rows`."""
    canvas, axes = subplots(figsize=(WIDTH, rows_height(labels, notes, xlabel, headings=headings)))
    label_rows([axes], labels, notes, xlabel, headings=headings, zero=zero)
    return canvas, axes


def labelled_panels(
    labels: Sequence[str], notes: Sequence[str], xlabels: Sequence[str], widths: Sequence[float]
) -> tuple[Canvas, list[Axes]]:
    """Axes beside each other, of these relative widths, which share labelled rows."""
    size = (WIDTH, rows_height(labels, notes, *xlabels))
    canvas, grid = subplots(1, len(widths), figsize=size, sharey=True, squeeze=False, width_ratios=widths)
    label_rows(grid[0], labels, notes, *xlabels)
    return canvas, list(grid[0])


def stacked(*heights: float) -> tuple[Canvas, list[Axes]]:
    """Axes one below the other, of so many inches, each as wide as its own labels leave it."""
    canvas, parts = stacked_tiles(*heights)
    return canvas, [part.subplots() for part in parts]


def stacked_tiles(*heights: float) -> tuple[Canvas, list[Tile]]:
    """Tiles one below the other, of so many inches."""
    canvas = plt.figure(figsize=(WIDTH, sum(heights)))
    return canvas, list(canvas.subfigures(len(heights), 1, height_ratios=heights, squeeze=False).flat)


def tiles(rows: int, columns: int, size: tuple[float, float]) -> tuple[Canvas, list[Tile]]:
    """Tiles of `size` in inches, row by row, each for axes of its own."""
    canvas = plt.figure(figsize=(columns * size[0], rows * size[1]))
    return canvas, list(canvas.subfigures(rows, columns, squeeze=False, wspace=0, hspace=0).flat)


MARGIN = 0.05  # inches above and below what is drawn
ROW = 0.22  # inches from one row to the next, and a line of text for each line of its label
HEADING = 0.65  # of the distance of rows, for a heading


def rows_height(labels: Sequence[str], notes: Sequence[str], *xlabels: str, headings: Headings = NO_HEADINGS) -> float:
    """The height in inches of axes with these labelled rows."""
    lines, pitch = _layout(labels, notes)
    below = LINE * (1 + max(len(_wrapped(xlabel)) for xlabel in xlabels))
    return 3 * MARGIN + below + (len(lines) + 0.2 + HEADING * len(headings)) * pitch


def row_headings(groups: Sequence[str]) -> Headings:
    """A heading where each group of rows begins. groups: by row, the heading of its group."""
    return {row: group for row, group in enumerate(groups) if row == groups.index(group)}


def row_places(rows: int, headings: Headings = NO_HEADINGS) -> list[float]:
    """Where rows are on the axis: 0, 1, 2 …, moved down by the headings above."""
    return [row + HEADING * sum(first <= row for first in headings) for row in range(rows)]


def label_rows(
    panels: Sequence[Axes],
    labels: Sequence[str],
    notes: Sequence[str],
    *xlabels: str,
    headings: Headings = NO_HEADINGS,
    zero: bool = False,
) -> None:
    """Gives axes beside each other a row for each label, which is over the row on the left; notes on the right.

    A label may reach over several of the axes, and takes as many lines as it needs beside the notes. zero: whether a
    line is drawn at 0.
    """
    lines, pitch = _layout(labels, notes)
    places, gap, line = row_places(len(labels), headings), LABEL_GAP / pitch, LINE / pitch
    for row, label in enumerate(lines):
        _write(panels[0], 0, places[row] - gap, "\n".join(label), in_layout=False)
    for row, heading in headings.items():
        _write(panels[0], 0, places[row] - gap - line * len(lines[row]), heading, color=MUTED, in_layout=False)
    for row, note in enumerate(notes):
        _write(panels[-1], 1, places[row] - gap, note, ha="right", fontweight="bold")
    for axes, xlabel in zip(panels, xlabels, strict=True):
        axes.set(yticks=[], xlabel="\n".join(_wrapped(xlabel)))
        axes.set_ylim(len(labels) - 0.6 + HEADING * len(headings), -gap - line * max(map(len, lines), default=1))
        axes.locator_params(axis="x", nbins=5)
        axes.add_artist(RowLines(places, pitch, color=GRID, linewidth=0.6, zorder=0.5))
        if zero:
            axes.add_artist(RowLines(places, pitch, [0], color=INK, linewidth=0.8, zorder=1.5))
        hide_ticks(axes, "left")


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text whose lowest line is at `y`, in rows; `x` is a share of the axes' width."""
    axes.text(x, y, text, va="bottom", linespacing=1.15, transform=axes.get_yaxis_transform(), **style)


class RowLines(Line2D):
    """Upright lines, dashed so that they show beside the marks of rows and strike through no label.

    pitch: inches from one row to the next. at: where the lines are on the axis; by default, at its ticks.
    """

    BAND = (-0.06, 0.06)  # where a row's marks are, in inches below its place

    def __init__(self, places: Sequence[float], pitch: float, at: Sequence[float] | None = None, **style: Any) -> None:
        super().__init__([], [], in_layout=False, **style)
        self.at = at
        self.edges = [place + edge / pitch for place in places for edge in self.BAND]

    def draw(self, renderer: RendererBase) -> None:
        """Lays the lines once the axes have their size and their ticks."""
        axes = cast(Axes, self.axes)
        low, high = sorted(axes.get_xlim())
        at = [x for x in (axes.get_xticks() if self.at is None else self.at) if low <= x <= high]
        if at and self.edges:
            heights = axes.transData.transform([(low, edge) for edge in self.edges])[:, 1]
            dashes = np.abs(np.diff(heights, append=0)) / renderer.points_to_pixels(self.get_linewidth())
            self.set_data(np.repeat(at, 3), [self.edges[0], self.edges[-1], np.nan] * len(at))
            is_even = np.allclose(dashes[1:-1:2], dashes[1])
            self.set_linestyle((0, dashes[: 2 if is_even else None].tolist()))
            super().draw(renderer)


LABEL_GAP = 0.06  # inches between a row's label and its marks


def _layout(labels: Sequence[str], notes: Sequence[str]) -> tuple[list[list[str]], float]:
    """The lines of each label, and the distance in inches from one row to the next."""
    room = WIDTH - max((text_width(note, bold=True) + 0.1 for note in notes), default=0)
    lines = [wrap(label, room) for label in labels]
    return lines, ROW + LINE * max(map(len, lines), default=1)


def _wrapped(xlabel: str) -> list[str]:
    return wrap(xlabel, WIDTH)


def name_height(axes: Axes, text: str) -> None:
    """Says over `axes` what their height means: beside them, text would be turned and take their room."""
    axes.set_title("\n".join(wrap(text, WIDTH - 0.5)), loc="left", pad=8)


def wrap(text: str, room: float, bold: bool = False) -> list[str]:
    """The lines of `text`, broken at blanks and hyphens: the fewest that fit so many inches, about equally wide."""
    lines = _broken(text, room, bold)
    while room > 0 and len(narrower := _broken(text, room - 0.05, bold)) == len(lines) > 1:
        lines, room = narrower, room - 0.05
    return lines


def _broken(text: str, room: float, bold: bool) -> list[str]:
    lines = []
    for paragraph in text.split("\n"):
        lines.append("")
        for part in re.findall(r"[^ -]+-*|-+| +", paragraph):
            if lines[-1] and text_width(lines[-1] + part, bold) > room:
                lines.append("")
            lines[-1] += part if lines[-1] else part.lstrip()
    return [line.rstrip() for line in lines]


@cache  # lines are tried at many widths
def text_width(text: str, bold: bool = False) -> float:
    """How wide a text is in inches, in the font that drawings are laid out with, on the smallest phone."""
    font = FontProperties(size=LARGEST_FONT_SIZE, weight="bold" if bold else "normal")
    width, _, _ = text_to_path.get_text_width_height_descent(text.rstrip(), font, ismath=False)
    return float(width) / 72


def hide_ticks(axes: Axes, *sides: str) -> None:
    """Drops the tick marks, and the spines on `sides`."""
    axes.tick_params(length=0, which="both")
    for side in sides:
        axes.spines[side].set_visible(False)


def draw_seeds(
    axes: Axes, values: Sequence[float], mean: float, row: float, colour: str, marker: str, gid: str
) -> None:
    """Every value a mark in `row`, the mean a bar."""
    spread = np.linspace(-0.08, 0.08, len(values)) if len(values) > 1 else np.zeros(1)
    axes.plot(values, row + spread, marker, color=colour, markersize=3.4, alpha=0.75, mew=0, gid=gid)
    axes.plot([mean], [row], "|", color=INK, markersize=9, markeredgewidth=1.4)


def draw_dumbbell(
    axes: Axes, ends: tuple[float, float], row: float, colour: str, marker: str, table_rows: tuple[int, int]
) -> None:
    """Two values in `row`, joined: the first a hollow mark, the second a filled one.

    table_rows: the rows of the table that say them.
    """
    (start, end) = ends
    axes.plot([start, end], [row, row], color=colour, linewidth=1)
    of_start, of_end = map(svg.rows, table_rows)
    axes.plot([start], [row], marker, color=colour, markersize=5, mew=1, markerfacecolor=PAPER, gid=of_start)
    axes.plot([end], [row], marker, color=colour, markersize=5, mew=0, gid=of_end)


def draw_cubic(
    axes: Axes, xs: tuple[float, float], ys: tuple[float, float], slopes: tuple[float, float], **style: Any
) -> None:
    """The cubic polynomial with these values and slopes at both ends, which is one Bézier curve."""
    third = (xs[1] - xs[0]) / 3
    inner = [(xs[0] + third, ys[0] + third * slopes[0]), (xs[1] - third, ys[1] - third * slopes[1])]
    points = [(xs[0], ys[0]), *inner, (xs[1], ys[1])]
    axes.add_patch(PathPatch(Path(points, [Path.MOVETO, *[Path.CURVE4] * 3]), fill=False, capstyle="round", **style))


def rows_of_arm(runs: Sequence[RunResult | PlottedRun], arm: str) -> str:
    """The `gid` of marks that show the runs of one arm, where the table has a row for each of `runs`."""
    return svg.rows(*(row for row, run in enumerate(runs) if run["arm"] == arm))


LINE_LABEL = 1.6  # inches that the label of a line may be wide, before it is broken


def label_lines(axes: Axes, ends: Iterable[tuple[str, str, float, float]]) -> None:
    """Labels lines beside the axes, each with a thin leader to its end: (label, colour, x, y). All must be drawn."""
    ends = [("\n".join(wrap(label, LINE_LABEL, bold=True)), colour, x, y) for label, colour, x, y in ends]
    axes.autoscale_view()
    spots = [(axes.transScale + axes.transLimits).transform((x, y)) for _, _, x, y in ends]
    canvas = axes.get_figure(root=True)
    assert canvas is not None
    widest = max((text_width(line, bold=True) for label, *_ in ends for line in label.split("\n")), default=0)
    reach = axes.transAxes + ScaledTranslation(widest, 0, canvas.dpi_scale_trans)
    axes.add_artist(
        Line2D([1, 1.05], [0, 1], linestyle="", clip_on=False, transform=reach)
    )  # keeps room, and is not seen
    height = axes.bbox.height / canvas.dpi
    lines = max((1 + label.count("\n") for label, *_ in ends), default=1)
    places = spread_out([y for _, y in spots], LINE * lines / height)
    for (label, colour, *_), (x, y), place in zip(ends, spots, places, strict=True):
        style: Any = {"color": colour, "transform": axes.transAxes}
        axes.plot([x, 1.04], [y, place], linewidth=0.5, clip_on=False, **style)
        axes.text(1.05, place, label, va="center_baseline", fontweight="bold", **style)


def spread_out(wanted: Sequence[float], gap: float) -> np.ndarray:
    """The places nearest to `wanted`, in the same order, that are `gap` apart and in 0 … 1 (isotonic regression)."""
    order, steps = np.argsort(wanted, kind="stable"), gap * np.arange(len(wanted))
    free, count = np.asarray(wanted)[order] - steps, len(wanted)
    pooled = [max(min(free[i:k].mean() for k in range(j + 1, count + 1)) for i in range(j + 1)) for j in range(count)]
    places = np.empty(count)
    places[order] = np.clip(pooled, 0, max(0, 1 - steps[-1])) + steps
    return places


# ---------------------------------------------------------------------------------------------- the preview

PREVIEW_ROWS = 4  # more could not be read in a picture 300 pixels wide


def preview(results: Results, finding: str) -> bytes:
    """The finding over the accuracy of the arms of `results`, as PNG; of many arms, the best and the worst."""
    arms = select_arms(results, PREVIEW_ROWS)
    canvas = plt.figure(figsize=PREVIEW_SIZE, dpi=PREVIEW_DPI, facecolor=PAPER, layout="none")
    lines = textwrap.wrap(finding, 33, max_lines=2, placeholder=" …", break_on_hyphens=False)
    canvas.text(0.04, 0.94, "\n".join(lines), fontsize=36, fontweight="bold", va="top", linespacing=1.15)
    axes = canvas.add_axes((0.04, 0.18, 0.92, 0.73 - 0.1 * len(lines)), facecolor=PAPER)
    for row, (name, arm) in enumerate(arms.items()):
        values, colour = plotted_values(scores(results, name)), SERIES[row]
        axes.plot(values, [row] * len(values), MARKERS[row], color=colour, markersize=12, alpha=0.75, mew=0)
        axes.plot([100 * mean_accuracy(arm)], [row], "|", color=INK, markersize=22, markeredgewidth=5)
        style: Any = {"transform": axes.get_yaxis_transform(), "va": "bottom"}
        axes.text(0, row - 0.2, textwrap.shorten(arm["title"], 48, placeholder=" …"), fontsize=25, **style)
        axes.text(1, row - 0.2, plain_percent(mean_accuracy(arm)), fontsize=29, fontweight="bold", ha="right", **style)
    axes.set(yticks=[], ylim=(len(arms) - 0.6, -0.75))
    axes.set_xlabel(f"{accuracy_name(arms)} in % on {data_name(results)}", fontsize=25)
    axes.tick_params(axis="x", labelsize=25, length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x", linewidth=2)
    hide_ticks(axes, "left", "bottom")
    picture = png(canvas, dpi=PREVIEW_DPI)
    plt.close(canvas)
    return picture
