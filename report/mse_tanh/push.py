"""Two figures that explain: one digit through training, and what a low target does to outputs that are low enough."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.analysis.measures import HISTOGRAM_EDGES
from experiments.analysis.results import ArmResult, OutputRanges, Results, require
from experiments.data import strokes
from experiments.plots import svg
from experiments.plots.figures import Figure
from experiments.plots.formats import decimal, plain_percent, signed
from experiments.plots.style import GRID, INK, MUTED, SERIES, WIDTH
from experiments.plots.toolkit import Axes, Tile, draw_cubic, finish, hide_ticks, stacked_tiles, tiles
from report.mse_tanh import networks
from report.mse_tanh.networks import (
    ARTICLE,
    ENDS,
    FREE,
    IMAGES,
    Moments,
    Network,
    network_label,
    right_class,
    targets_label,
    wrong_mean,
)

COLOURS = {ARTICLE: SERIES[0], FREE: SERIES[1], ENDS: SERIES[3]}
BAR, LARGE = 5.6, 14  # in points: the width of a bar, and the size of the number of errors


# ---------------------------------------------------------------------------------------------- one digit


def one_digit(results: Results) -> Figure | None:
    """The outputs for a digit of our own before, early in and after training: of the article's network, and of the one
    that is not charged for wrong classes below 0.
    """
    arms = {name: arm for name in (ARTICLE, FREE) if (arm := results["arms"].get(name))}
    moments = {name: networks.moments(results, name) for name in arms}
    if len(arms) < 2 or not all(moments.values()):
        return None
    title = _ends(moments)
    canvas, (head, *bodies) = stacked_tiles(0.85, *[2.2] * len(arms))
    head.set_gid(svg.part(title))
    _draw_digit(head, {len(arm["seeds"]) for arm in arms.values()})
    rows: list[list[str]] = []
    for body, (name, arm) in zip(bodies, arms.items(), strict=True):
        body.set_gid(svg.part(f"Targets {network_label(arm)}"))
        places = body.subplots(1, len(moments[name]), sharey=True, squeeze=False)[0]
        for place, (when, outputs) in zip(places, moments[name].items(), strict=True):
            _draw_outputs(place, arm, outputs, COLOURS[name], svg.rows(len(rows)))
            place.set_title(when, color=MUTED, pad=3)
            rows.append(_row(name, when, outputs))
        body.suptitle(f"Targets {network_label(arm)}", x=0, ha="left", fontweight="bold", color=COLOURS[name])
        means = " → ".join(_two_decimals(wrong_mean(outputs)) for outputs in moments[name].values())
        body.supxlabel(f"Mean of wrong classes: {means}", x=0, ha="left", color=MUTED)
    return finish(
        canvas,
        "one-digit",
        title,
        f"The outputs of all classes for a {strokes.FOUR_LABEL} drawn in code, from −1 to 1: means over the seeds and "
        "their range, before training, after the first epoch and at the end. Short lines are the targets. "
        + " ".join(f"Targets {network_label(arm)}: {_told(moments[name])}" for name, arm in arms.items()),
        arms=arms,
        columns=("Arm", "When", *(f"Class {k}, mean (range)" for k in range(len(rows[0]) - 2))),
        rows=rows,
        measures=("digit_outputs",),
    )


def _told(moments: Mapping[str, OutputRanges]) -> str:
    """How a network's outputs develop, in words."""
    right, wrong = (
        ", ".join(f"{_two_decimals(value(outputs))} {when}" for when, outputs in moments.items())
        for value in (right_class, wrong_mean)
    )
    return f"the right class {right}, the wrong ones on average {wrong}."


def _draw_outputs(axes: Axes, arm: ArmResult, outputs: OutputRanges, colour: str, gid: str) -> None:
    """A bar for each class, a thin line from the lowest seed to the highest, and a short line at each target."""
    wrong = [k for k in range(len(outputs["mean"])) if k != strokes.FOUR_LABEL]
    for classes, fill, target, opacity in (
        (wrong, colour, arm["low_target"], 0.75),
        ([strokes.FOUR_LABEL], INK, arm["high_target"], 1),
    ):
        means, lows, highs = ([outputs[key][k] for k in classes] for key in ("mean", "min", "max"))
        _draw_upright(axes, classes, [0] * len(classes), means, color=fill, linewidth=BAR, alpha=opacity, gid=gid)
        _draw_upright(axes, classes, lows, highs, color=fill, linewidth=0.8)
        axes.plot(
            [x for k in classes for x in (k - 0.42, k + 0.42, k)],
            [y for _ in classes for y in (target, target, np.nan)],
            color=colour,
            linewidth=1.75,
        )
    axes.set(xlim=(-0.7, 9.7), ylim=(-1.1, 1.15), yticks=(-1, 0, 1))
    axes.set_yticklabels(["−1", "0", "1"])
    axes.set_xticks(range(len(outputs["mean"])), [str(k) for k in range(len(outputs["mean"]))], color=MUTED)
    axes.get_xticklabels()[strokes.FOUR_LABEL].set(color=INK, fontweight="bold")
    axes.grid(axis="y")
    hide_ticks(axes, "left", "bottom")


def _draw_upright(axes: Axes, classes: Sequence[int], starts: Sequence[Any], ends: Sequence[Any], **style: Any) -> None:
    """An upright line for each class, all in one path."""
    ys = [y for start, end in zip(starts, ends, strict=True) for y in (start, end, np.nan)]
    axes.plot(np.repeat(classes, 3), ys, solid_capstyle="butt", **style)


def _draw_digit(head: Tile, runs: Collection[int]) -> None:
    """The digit itself, and how to read the bars below it. runs: how many each network has."""
    picture, words = head.subplots(1, 2, width_ratios=(1, 9))
    for stroke in strokes.FOUR:
        picture.plot(*zip(*stroke, strict=True), color=INK, linewidth=3.5)
    picture.invert_yaxis()
    picture.set_aspect("equal")
    number = f"{min(runs)} " if len(runs) == 1 else ""
    text = (
        f"A {strokes.FOUR_LABEL} that we drew, and the outputs for it.\n"
        "Coloured: the wrong classes.\n"
        "Short lines: targets.\n"
        f"Thin lines: the range over all {number}runs."
    )
    words.text(0, 0.5, text, va="center", linespacing=1.25)
    for axes in (picture, words):
        axes.axis("off")


def _two_decimals(value: float) -> str:
    return decimal(round(value, 2) or 0.0, 2)  # not −0.00


def _row(name: str, when: str, outputs: OutputRanges) -> list[str]:
    ranges = zip(outputs["mean"], outputs["min"], outputs["max"], strict=True)
    cells = ([_two_decimals(require(value)) for value in values] for values in ranges)
    return [name, when, *(f"{mean} ({low} to {high})" for mean, low, high in cells)]


def _ends(moments: Mapping[str, Moments]) -> str:
    """Where the wrong classes' outputs end in both networks."""
    article, free = (_two_decimals(wrong_mean([*moments[name].values()][-1])) for name in (ARTICLE, FREE))
    return f"Wrong classes end at {article} in the article’s network, at {free} where below 0 is not penalised"


# ---------------------------------------------------------------------------------------------- the push


def colour_of(network: Network) -> str:
    return COLOURS.get(network.name, MUTED)


INSIDE = slice(10, 50)  # the bins of HISTOGRAM_EDGES from −1 to 1, the range of tanh
NARROW = -0.6  # below a lower target, a word has no room


def push_back(results: Results) -> Figure | None:
    """A state for each way to place the targets: where wrong classes' outputs end, and how they are pushed there."""
    shown = networks.networks(results)
    if not shown:
        return None
    canvas, grid = tiles(-(-len(shown) // 2), 2, (WIDTH, 3.8))
    for row, (tile, network) in enumerate(zip(grid, shown, strict=False)):
        tile.set_gid(svg.state(row))
        _draw_state(tile, row, network, shown)
    return finish(
        canvas,
        "push-back",
        _lifted(shown),
        f"For each way to place the targets: a histogram of wrong classes’ outputs on the test images, over all seeds "
        "of the network, and below it how an output is pushed, by where it is. Outputs below their target are pushed "
        f"up; how strongly is relative to targets {targets_label(shown[0].arm)}. Errors are means over the "
        f"{shown[0].seeds} seeds that all networks share. "
        + "; ".join(f"{n.label}: {n.whole_errors} errors, pushed up {_strength(n)}" for n in shown)
        + ".",
        arms=[network.name for network in shown],
        columns=(
            "Targets of wrong classes and of the right class",
            "Arm",
            f"Errors per {IMAGES:,} images",
            "Push on outputs below target, of all on wrong classes",
            "Its strength, relative to the first",
            "Of these outputs, ahead of the right class",
        ),
        rows=[
            [
                n.label,
                n.name,
                str(n.whole_errors),
                plain_percent(n.push["below_target"], 1),
                _strength(n),
                plain_percent(n.push["ahead"], 3),
            ]
            for n in shown
        ],
        measures=("push", "other_outputs"),
    )


def _strength(network: Network) -> str:
    return plain_percent(network.strength, 0)


def _draw_state(tile: Tile, row: int, network: Network, shown: Sequence[Network]) -> None:
    """A histogram of the outputs over the push by output, on the same axis."""
    top, bottom = tile.subplots(2, 1, sharex=True, height_ratios=(2.2, 3.2))
    low = network.arm["low_target"]
    for axes in (top, bottom):
        if low > -1:
            axes.axvspan(-1, low, color=GRID, alpha=0.4, linewidth=0)
        axes.set(xlim=(-1, 1), yticks=())
        hide_ticks(axes, "left")
    _draw_histogram(top, network, svg.rows(row))
    _draw_push(bottom, network, next((n for n in shown if n.name == (ENDS if not row else ARTICLE)), None))
    if network.strength:
        compared = f"\n{_strength(network)} as strong as with {shown[0].label}" if row else ""
        bottom.text(-0.98, 0.54, f"↑ pushed up{compared and ','}{compared}", color=MUTED)


def _draw_histogram(axes: Axes, network: Network, gid: str) -> None:
    edges, shares = HISTOGRAM_EDGES[INSIDE.start : INSIDE.stop + 1], network.shares[INSIDE]
    axes.stairs(shares, edges, fill=True, color=colour_of(network), gid=gid)
    axes.text(0.98, 0.97, "wrong classes’ outputs", ha="right", va="top", color=MUTED)
    axes.text(-0.9, 0.97, _below_target(network), va="top", color=MUTED)
    axes.set(ylim=(0, 1.04))
    style: Any = {"transform": axes.transAxes, "fontweight": "bold"}
    axes.set_title(network.label, loc="left", pad=24, fontweight="bold", color=colour_of(network))
    axes.text(0, 1.05, f"{network.whole_errors}", fontsize=LARGE, color=colour_of(network), **style)
    axes.text(0.13, 1.05, f"errors per {IMAGES:,} images", **style)


def _below_target(network: Network) -> str:
    """What is written where outputs are below their target, as far as there is room."""
    low = network.arm["low_target"]
    word = "harmless" if network.is_harmless_below else ""
    if low == -1:
        return f"nothing is\nbelow {signed(low)}"
    return f"below target{word and ':'}\n{word}" if low >= 0 else word if low >= NARROW else ""


def _draw_push(axes: Axes, network: Network, other: Network | None) -> None:
    """How an output is pushed, by where it is, in this network and, to compare, in another."""
    for drawn in filter(None, (other, network)):
        low = drawn.arm["low_target"]
        start = low if "one_sided" in drawn.arm["loss"] else -1
        draw_cubic(
            axes, (start, 1), (_push(start, low), 0), _slopes(start, low), color=colour_of(drawn), linewidth=1.75
        )
        if start > -1:
            axes.plot([-1, start], [0, 0], color=colour_of(drawn), linewidth=1.75)
        x, y, side = _label_place(drawn, network)
        label = targets_label(drawn.arm)
        if drawn.name == FREE:
            label = f"below {signed(drawn.arm['low_target'])}:\nnot penalised"
        axes.text(x, y, label, color=colour_of(drawn), ha="center", va=side, fontweight="bold")
    axes.plot([-1, 1], [0, 0], color=MUTED, linewidth=0.6)
    axes.text(0.98, -1.95, "↓ pushed down", ha="right", color=MUTED)
    axes.set(ylim=(-2.15, 1.5), xticks=(-1, -0.5, 0, 0.5, 1))
    axes.set_xticklabels(["−1", "−0.5", "0", "0.5", "1"])
    axes.set_xlabel("Output of a wrong class")
    axes.set_title("Push on the output", loc="left", pad=4)


def _label_place(drawn: Network, network: Network) -> tuple[float, float, str]:
    """Where a curve's label has room, and which side of it the place is.

    That is below its lowest point; for the article's curve beside another, above its highest or, where words are there,
    above its lowest.
    """
    y, push = _push_curve(drawn.arm)
    if drawn.name == FREE:
        return -0.5, -0.1, "top"
    if drawn is network or drawn.name != ARTICLE:
        return float(y[push.argmin()]), float(push.min()) - 0.08, "top"
    if network.strength:
        return float(y[push.argmin()]), 0.04, "bottom"
    return float(y[push.argmax()]), float(push.max()) + 0.04, "bottom"


def _push_curve(arm: ArmResult) -> tuple[np.ndarray, np.ndarray]:
    """The push on a wrong class by its output, at 33 places."""
    y, low = np.linspace(-1, 1, 33), arm["low_target"]
    return y, np.where(y < low, 0, _push(y, low)) if "one_sided" in arm["loss"] else _push(y, low)


def _push(y: Any, low: float) -> Any:
    """−∂L/∂z for the output y = tanh z of a wrong class, without its constant factor 2/K: upwards where positive."""
    return (low - y) * (1 - y**2)


def _slopes(start: float, low: float) -> tuple[float, float]:
    """The derivative of `_push` at `start` and at 1."""
    return start**2 - 1 - 2 * start * (low - start), -2 * (low - 1)


def _lifted(shown: Sequence[Network]) -> str:
    """What leaving alone what is below its target does to the errors; else how much of the push lifts it."""
    first, free = shown[0], next((network for network in shown if network.name == FREE), None)
    if free:
        low = signed(free.arm["low_target"])
        return f"Stop penalising outputs below {low}, and {first.whole_errors} errors become {free.whole_errors}"
    share = plain_percent(first.push["below_target"], 0)
    return f"{share} of the push on wrong classes lifts outputs that are already below target"
