"""The figures of this article: those that name its arms and blocks, and the generic ones for its arms.

`draw` is the contract of an article's figures.py, which experiments/plots describes. Each figure is a function
results → Figure. Its title says what it shows, chosen and filled in by the numbers.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any, NamedTuple

import numpy as np

from experiments.analysis.results import ArmResult, Results, RunResult, require
from experiments.plots import generic, svg
from experiments.plots.figures import Figure, final_accuracy, plotted_runs, plotted_values
from experiments.plots.formats import DASH, decimal, plain_percent, points, ratio
from experiments.plots.selection import (
    accuracy_curves,
    arms_matching,
    arms_of_blocks,
    describe_marks,
    mean_accuracy,
    measured_contrasts,
    on_test_images,
    ranking,
    runs_of,
    scores,
    short_title,
    with_own_models,
)
from experiments.plots.style import INK, MARKERS, MUTED, SERIES, WIDTH, Recipe
from experiments.plots.toolkit import (
    Axes,
    Canvas,
    draw_seeds,
    finish,
    hide_ticks,
    label_lines,
    labelled_rows,
    recipes_by_row,
    rows_of_arm,
    subplots,
)

RECIPES = {
    "example-1": Recipe("Example 1", SERIES[0], "o"),
    "example-2": Recipe("Example 2", SERIES[1], "D"),
    "example-3": Recipe("Example 3", SERIES[2], "s"),
    "targets": Recipe("targets ±1", SERIES[3], "^"),
    "cross-entropy": Recipe("softmax cross-entropy", INK, "v"),
    "sigmoid-mse": Recipe("sigmoid squared error", MUTED, "P"),
    "tanh-softmax-mse": Recipe("softmax squared error", SERIES[1], "D"),
    "sigmoid-bce": Recipe("sigmoid cross-entropy", SERIES[1], "D"),
}
HIDDEN = {
    "tanh": Recipe("tanh", SERIES[0], "o"),
    "relu": Recipe("ReLU", SERIES[2], "s"),
    "sigmoid": Recipe("sigmoid", SERIES[3], "^"),
}
LOSSES = {
    "mean_squared_error": "squared error",
    "one_sided_mean_squared_error": "one-sided squared error",
    "categorical_crossentropy": "cross-entropy",
    "binary_crossentropy": "cross-entropy",
}


class Plot(NamedTuple):
    """A figure, and the arms that it needs: each pattern must match an arm, or a contrast that has pairs of runs."""

    draw: Callable[[Results], Figure | None]
    needs: Sequence[str]
    held_out: bool = False  # whether it shows arms that are measured on held-out images beside those on test images


def draw(results: Results) -> list[Figure]:
    """Every figure that the results have the numbers for."""
    tested = on_test_images(results)
    figures = []
    for plot in _plots():
        visible = results if plot.held_out else tested
        if _has_needs(visible, plot):
            figures.append(plot.draw(visible))
    return [figure for figure in figures if figure]


def _has_needs(results: Results, plot: Plot) -> bool:
    names = [*results["arms"], *(f"contrast {contrast['name']}" for contrast in measured_contrasts(results))]
    return all(any(fnmatch(name, pattern) for name in names) for pattern in plot.needs)


def _plots() -> list[Plot]:
    """The figures in the order in which they are drawn and saved."""
    return [
        Plot(accuracy, ["*"]),
        Plot(learning_curves, ["example-1"]),
        Plot(outputs, ["example-1"]),
        Plot(confusions, ["example-1"]),
        Plot(changes, ["targets", "cross-entropy", "contrast *"]),
        Plot(factorial, ["targets", "cross-entropy", "example-3", "tanh-*", "relu-*"]),
        Plot(dose, ["low0", "low-*"]),
        Plot(rates, [f"{kind}-{recipe}*" for kind in ("rate", "best-rate") for recipe in RATED], held_out=True),
        Plot(sgd, [f"sgd-{recipe}-*" for recipe in DESCENDED]),
        Plot(saturated, [f"saturated-{recipe}" for recipe in SATURATED]),
        Plot(depth, ["depth*-mse", "depth*-ce"]),
        Plot(readouts, ["example-1", "cross-entropy", *READ]),
        Plot(long, ["long-example-1", "long-cross-entropy"]),
        Plot(reliability, ["example-1", "targets", "cross-entropy"]),
    ]


# ---------------------------------------------------------------------------------------------- generic figures


def _examples(results: Results) -> dict[str, ArmResult]:
    """The arms of the examples, and the one beside them that says why."""
    return {**arms_of_blocks(results, "examples"), **arms_matching(results, "targets")}


def accuracy(results: Results) -> Figure:
    return generic.accuracy(results, _examples(results), RECIPES)


def learning_curves(results: Results) -> Figure:
    examples = arms_of_blocks(results, "examples")
    return generic.learning_curves(results, with_own_models(examples), recipes_by_row(examples))


def outputs(results: Results) -> Figure:
    return generic.outputs(results, _examples(results))


def confusions(results: Results) -> Figure:
    return generic.confusions(results, with_own_models(arms_of_blocks(results, "examples")), RECIPES)


CALIBRATED = ("example-1", "targets", "tanh-softmax-mse", "cross-entropy")


def reliability(results: Results) -> Figure:
    arms = {name: results["arms"][name] for name in CALIBRATED if name in results["arms"]}
    return generic.reliability(results, arms, RECIPES)


def changes(results: Results) -> Figure:
    return generic.contrasts(results, "changes", _largest_change(results), _change)


def _change(arm: ArmResult) -> str:
    """What an arm's title says beside `Example 1`."""
    return re.sub(r"^Example 1(,| with) ", "", short_title(arm["title"]))


def _largest_change(results: Results) -> str:
    """Which single change to Example 1 does most, if any is beyond chance."""
    arms = results["arms"]
    single = [
        contrast
        for contrast in measured_contrasts(results)
        if contrast["confirmatory"]
        and contrast["equivalence_margin"] is None
        and arms[contrast["first"]]["block"] == "changes"
    ]
    significant = [contrast for contrast in single if contrast["p_holm"] < 1 - results["confidence"]]
    if not significant:
        return f"None of {len(single)} changes to Example 1 shifts the accuracy beyond chance"
    largest = max(significant, key=lambda contrast: abs(contrast["mean"]))
    change = _change(arms[largest["first"]])
    return f"Largest of {len(single)} changes to Example 1: {change}, {points(largest['mean'])} points"


# ---------------------------------------------------------------------------------------------- what an arm is called


def _rate_label(trained: ArmResult | RunResult) -> str:
    """The learning rate of an arm or a run."""
    rate = f"{trained['learning_rate']:g}"
    return rate if trained["schedule"] == "constant" else f"{trained['schedule']} from {rate}"


def _head_label(arm: ArmResult) -> str:
    """An arm's output activation and loss, and the targets where they could be others."""
    label = f"{arm['output']}, {LOSSES[arm['loss']]}"
    return f"{label}, {_targets_label(arm)}" if arm["output"] in ("tanh", "linear") else label


def _targets_label(arm: ArmResult) -> str:
    return f"{arm['low_target']:g} and {arm['high_target']:g}".replace("-", "−")


# ---------------------------------------------------------------------------------------------- this article's figures


def factorial(results: Results) -> Figure:
    """Every output, loss and target coding, with hidden tanh and with hidden ReLU."""
    heads: dict[str, dict[str, str]] = {}
    for name, arm in arms_of_blocks(results, "examples", "changes", "factorial").items():
        if arm["readout"] == "as_is":
            heads.setdefault(_head_label(arm), {})[arm["hidden"]] = name
    means = {
        head: {hidden: 100 * mean_accuracy(results["arms"][name]) for hidden, name in group.items()}
        for head, group in heads.items()
    }
    order = sorted(means, key=lambda head: -max(means[head].values()))
    notes = [" · ".join(f"{HIDDEN[h].label} {means[head][h]:.2f}" for h in sorted(means[head])[::-1]) for head in order]
    canvas, axes = labelled_rows(order, notes, "Test accuracy, %: ● hidden tanh, ■ hidden ReLU; lines: all seeds")
    cells = [(row, head, hidden, name) for row, head in enumerate(order) for hidden, name in heads[head].items()]
    for number, (row, head, hidden, name) in enumerate(cells):
        _, colour, marker = HIDDEN[hidden]
        place, values = row + 0.12 * (hidden == "relu"), scores(results, name)
        axes.plot([min(values), max(values)], [place, place], color=colour, linewidth=1)
        axes.plot([means[head][hidden]], [place], marker, color=colour, markersize=5, mew=0, gid=svg.rows(number))
    return finish(
        canvas,
        "factorial",
        _larger_factor(means),
        "Test accuracy by output activation, loss and targets, with hidden tanh and hidden ReLU. "
        + "; ".join(f"{head}: {note}" for head, note in zip(order, notes, strict=True))
        + ".",
        arms=[name for _, _, _, name in cells],
        columns=("Output, loss, targets", "Hidden", "Arm", "Seeds", "Mean test accuracy"),
        rows=[
            [head, HIDDEN[h].label, name, str(len(runs_of(results, name))), f"{means[head][h]:.2f} %"]
            for _, head, h, name in cells
        ],
    )


def _larger_factor(means: Mapping[str, Mapping[str, float]]) -> str:
    """Which moves accuracy more: what comes after the hidden layer, or its activation."""
    both = [pair for pair in means.values() if len(pair) == 2]
    spread = {
        "outputs, losses and targets": max(
            max(group[h] for group in both) - min(group[h] for group in both) for h in both[0]
        ),
        "hidden activations": max(max(pair.values()) - min(pair.values()) for pair in both),
    }
    (more, most), (less, least) = sorted(spread.items(), key=lambda item: -item[1])
    return f"Up to {most:.2f} points lie between {more}, {least:.2f} between {less}"


def dose(results: Results) -> Figure:
    """Accuracy against the target of the wrong classes; other targets of the right class marked apart."""
    arms = sorted(arms_of_blocks(results, "dose").items(), key=lambda item: -item[1]["low_target"])
    towards_1 = {arm["low_target"]: 100 * mean_accuracy(arm) for _, arm in arms if arm["high_target"] == 1}
    canvas, axes = subplots(figsize=(WIDTH, 3.2))
    axes.plot(list(towards_1), list(towards_1.values()), color=SERIES[2])
    others = []
    runs = [run for name, _ in arms for run in plotted_runs(runs_of(results, name))]
    for name, arm in arms:
        low, high = arm["low_target"], arm["high_target"]
        colour, marker = (SERIES[2], "s") if high == 1 else (SERIES[0], MARKERS[high - low > 1])
        values = plotted_values(scores(results, name))
        style: Any = {"color": colour, "markersize": 3.4, "mew": 0, "gid": rows_of_arm(runs, name)}
        axes.plot([low] * len(values), values, marker, **style)
        if high != 1:
            others.append((f"right class to {high:g}", SERIES[0], low, 100 * mean_accuracy(arm)))
    axes.set(xlim=(0.05, -1.05), xlabel="Target of the wrong classes", ylabel="Test accuracy, %")
    axes.set_xticks([0, -0.25, -0.5, -0.75, -1])
    axes.margins(y=0.12)
    axes.grid(axis="y")
    hide_ticks(axes)
    lowest = min(towards_1)
    label_lines(axes, [("right class to 1", SERIES[2], lowest, towards_1[lowest]), *others])
    return finish(
        canvas,
        "dose",
        _best_target(towards_1),
        f"Test accuracy of {describe_marks(results, dict(arms), 'seed')} against the target of the wrong "
        "classes; the line joins the means for the right class trained towards 1. "
        + "; ".join(f"{_targets_label(arm)}: {plain_percent(mean_accuracy(arm))}" for _, arm in arms)
        + ".",
        arms=dict(arms),
        columns=("Arm", "Targets", "Seed", "Test accuracy"),
        rows=[
            [run["arm"], _targets_label(dict(arms)[run["arm"]]), str(run["seed"]), plain_percent(final_accuracy(run))]
            for run in runs
        ],
    )


def _best_target(means: Mapping[float, float]) -> str:
    best = max(means, key=lambda low: means[low])
    if best == 0:
        return "No lower target of the wrong classes does better than 0"
    return f"Lower targets of the wrong classes: up to {points((means[best] - means[0]) / 100)} points against 0"


RATED = ("example-1", "targets", "example-3")


def rates(results: Results) -> Figure:
    """Accuracy on the held-out images by learning rate, a line an arm; what the best rate scores on the test images."""
    by_recipe = {
        r: dict(sorted(arms_matching(results, f"rate-{r}-*").items(), key=lambda i: _pace(i[1]))) for r in RATED
    }
    best = {recipe: results["arms"][f"best-rate-{recipe}"] for recipe in RATED}
    chosen = {recipe: _rate_label(runs_of(results, f"best-rate-{recipe}")[0]) for recipe in RATED}
    summary = "; ".join(
        f"{RECIPES[r].label} {plain_percent(mean_accuracy(arm))} at {chosen[r]}" for r, arm in best.items()
    )
    held = [
        (name, _rate_label(arm), arm, "held-out images") for group in by_recipe.values() for name, arm in group.items()
    ]
    tested = [(f"best-rate-{r}", chosen[r], arm, "test images") for r, arm in best.items()]
    return finish(
        _held_out(results, by_recipe),
        "rates",
        "Each at its best rate, " + ranking({RECIPES[r].label: mean_accuracy(arm) for r, arm in best.items()}),
        f"Accuracy of {describe_marks(results, (name for name, *_ in held), 'seed')} on held-out training images by "
        f"learning rate. On the test images, each at the rate that is best there: {summary}.",
        arms=[name for name, *_ in held + tested],
        columns=("Arm", "Learning rate", "Seeds", "Mean accuracy", "Measured on"),
        rows=[
            [name, rate, str(len(arm["seeds"])), plain_percent(mean_accuracy(arm)), images]
            for name, rate, arm, images in held + tested
        ],
    )


def _held_out(results: Results, by_recipe: Mapping[str, Mapping[str, ArmResult]]) -> Canvas:
    """Every seed at its rate, constant rates joined through their means, schedules to their right."""
    arms = sorted((arm for group in by_recipe.values() for arm in group.values()), key=_pace)
    ticks = list(dict.fromkeys(map(_rate_label, arms)))
    canvas, axes = subplots(figsize=(WIDTH, 3.0))
    ends = []
    row = itertools.count()
    for recipe, group in by_recipe.items():
        label, colour, marker = RECIPES[recipe]
        for name, arm in group.items():
            values = plotted_values(scores(results, name))
            style: Any = {"color": colour, "markersize": 4, "mew": 0, "gid": svg.rows(next(row))}
            axes.plot([ticks.index(_rate_label(arm))] * len(values), values, marker, **style)
        means = [(ticks.index(_rate_label(arm)), 100 * mean_accuracy(arm)) for arm in group.values()]
        line = [mean for mean, arm in zip(means, group.values(), strict=True) if arm["schedule"] == "constant"]
        axes.plot(*zip(*line, strict=True), color=colour)
        ends.append((label, colour, *means[-1]))
    axes.set(xlabel="Learning rate of Adam", ylabel="Accuracy on held-out images, %")
    axes.set_xticks(range(len(ticks)), [tick.replace(" ", "\n", 1) for tick in ticks])
    axes.margins(x=0.06)
    axes.grid(axis="y")
    hide_ticks(axes)
    label_lines(axes, ends)
    return canvas


def _pace(arm: ArmResult) -> tuple[bool, float]:
    """Sorts constant rates by size, before schedules."""
    return arm["schedule"] != "constant", arm["learning_rate"]


DESCENDED = ("example-3", "cross-entropy", "targets", "example-1", "sigmoid-bce", "sigmoid-mse")


def sgd(results: Results) -> Figure:
    """Mean accuracy over the epochs against the learning rate of plain gradient descent, a line an arm."""
    by_recipe = {r: sorted(arms_matching(results, f"sgd-{r}-*").values(), key=_pace) for r in DESCENDED}
    converged = {r: [arm for arm in group if not arm["diverged_seeds"]] for r, group in by_recipe.items()}
    best = {r: max(group, key=_mean_epoch) for r, group in converged.items() if group}
    summary = "; ".join(f"{RECIPES[r].label} {_mean_epoch(a):.2f} % at {_rate_label(a)}" for r, a in best.items())
    diverged = [
        f"{RECIPES[r].label} at {_rate_label(a)}"
        for r, group in by_recipe.items()
        for a in group
        if a["diverged_seeds"]
    ]
    return finish(
        _descent(by_recipe, converged),
        "sgd",
        "Plain SGD, best rates: " + ranking({RECIPES[r].label: _mean_epoch(a) / 100 for r, a in best.items()}),
        "Mean accuracy over the epochs, on a scale that widens towards 100 %, against the learning rate. Each at its "
        f"best rate: {summary}. " + (f"Diverged: {', '.join(diverged)}." if diverged else "No run diverged."),
        arms=arms_matching(results, "sgd-*"),
        columns=("Arm", "Learning rate", "Mean accuracy over the epochs", "Final test accuracy", "Diverged seeds"),
        rows=[
            [r, _rate_label(a), f"{_mean_epoch(a):.2f} %", plain_percent(mean_accuracy(a)), str(a["diverged_seeds"])]
            for r, group in by_recipe.items()
            for a in group
        ],
    )


def _mean_epoch(arm: ArmResult) -> float:
    return 100 * require(arm["mean_epoch_accuracy"])


def _descent(by_recipe: Mapping[str, Sequence[ArmResult]], converged: Mapping[str, Sequence[ArmResult]]) -> Canvas:
    """Lines of the arms that converged; a cross at the bottom where a run diverged, side by side at one rate."""
    canvas, axes = subplots(figsize=(WIDTH, 3.6))
    ends = []
    first = 0  # the row of the table with which the recipe begins
    for place, (recipe, group) in enumerate(by_recipe.items()):
        label, colour, marker = RECIPES[recipe]
        line = [(arm["learning_rate"], _mean_epoch(arm)) for arm in converged[recipe]]
        drawn, lost = ([first + n for n, arm in enumerate(group) if bool(arm["diverged_seeds"]) == d] for d in (0, 1))
        if line:
            axes.plot(*zip(*line, strict=True), marker=marker, color=colour, markersize=4, mew=0, gid=svg.rows(*drawn))
            ends.append((label, colour, *line[0]))
        shift = 1.1 ** (place - (len(by_recipe) - 1) / 2)
        crosses = [arm["learning_rate"] * shift for arm in group if arm["diverged_seeds"]]
        axes.plot(crosses, [6] * len(crosses), "x", color=colour, markersize=5, gid=svg.rows(*lost))
        first += len(group)
    every = sorted({arm["learning_rate"] for group in by_recipe.values() for arm in group})
    summary = "" if converged == by_recipe else "; × diverged"
    axes.set(xscale="log", xlim=(every[0] / 1.4, every[-1] * 1.4), xlabel=f"Learning rate{summary}")
    axes.set_xticks(every, [f"{rate:g}" for rate in every])
    axes.set_xticks([], minor=True)
    axes.set_yscale("function", functions=(lambda a: -np.log10(101 - a), lambda v: 101 - 10**-v))
    axes.set(yticks=(10, 50, 80, 90, 95), ylim=(3, 98.5), ylabel="Mean accuracy over the epochs, % (stretched)")
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.grid(axis="y")
    hide_ticks(axes, "left")
    label_lines(axes, ends, left=True)
    return canvas


SATURATED = ("example-1", "targets", "sigmoid-mse", "sigmoid-bce", "cross-entropy")


def saturated(results: Results) -> Figure:
    """What arms reach whose outputs start saturated: every seed after the first and after the last epoch."""
    arms = {recipe: results["arms"][f"saturated-{recipe}"] for recipe in SATURATED}
    curves = {recipe: accuracy_curves(results, f"saturated-{recipe}") for recipe in SATURATED}
    last = max(curve.shape[1] for curve in curves.values())
    order = sorted(SATURATED, key=lambda recipe: -mean_accuracy(arms[recipe]))
    canvas, axes = labelled_rows(
        [RECIPES[r].label for r in order],
        [f"{curves[r][:, -1].mean():.2f} %" for r in order],
        f"Test accuracy, %, after epoch 1 (small) and after epoch {last} (large)",
    )
    for row, recipe in enumerate(order):
        _, colour, marker = RECIPES[recipe]
        for epoch, size in ((0, 3), (last - 1, 5.5)):
            values = plotted_values(curves[recipe][:, epoch].tolist())
            style: Any = {"color": colour, "markersize": size, "mew": 0, "gid": svg.rows(last * row + epoch)}
            axes.plot(values, row + min(0.07, 0.5 / len(values)) * np.arange(len(values)), marker, **style)
    axes.set_xlim(0, 100)
    slopes = {r: require(arms[r]["saturation"])["start"]["output_slope_other"] for r in order}
    return finish(
        canvas,
        "saturated",
        "Started saturated, " + ranking({RECIPES[r].label: mean_accuracy(arms[r]) for r in order}),
        "Test accuracy of arms whose output kernel starts so large that outputs are saturated. "
        + "; ".join(
            f"{RECIPES[r].label}: {curves[r][:, 0].mean():.2f} % after epoch 1, {curves[r][:, -1].mean():.2f} % after "
            f"epoch {last}" + ("" if slopes[r] is None else f", mean output slope {slopes[r]:.3f} at the start")
            for r in order
        )
        + ".",
        arms=[f"saturated-{recipe}" for recipe in order],
        columns=("Arm", "Learning rate", "Output slope at the start", "Epoch", "Mean test accuracy"),
        rows=[
            [r, _rate_label(runs_of(results, f"saturated-{r}")[0]), decimal(slopes[r], 4), str(epoch), f"{value:.2f} %"]
            for r in order
            for epoch, value in enumerate(curves[r].mean(0), 1)
        ],
    )


def depth(results: Results) -> Figure:
    """How much of the output layer's gradient signal reaches the first layer at the start, by depth."""
    arms = sorted(arms_of_blocks(results, "depth").items(), key=lambda item: item[1]["depth"])
    heads = list(dict.fromkeys(_head_label(arm) for _, arm in arms))
    canvas, panels = subplots(len(heads), 1, figsize=(WIDTH, 2.1 * len(heads)), sharex=True, sharey=True)
    ends = {
        axes: _depth_panel(axes, head, [(n, arm) for n, (_, arm) in enumerate(arms) if _head_label(arm) == head])
        for axes, head in zip(np.atleast_1d(panels), heads, strict=True)
    }
    for axes, lines in ends.items():
        label_lines(axes, lines)
    axes.set_xlabel("Hidden layers")
    deepest = max(arm["depth"] for _, arm in arms)
    last = [(arm, _signal(arm)) for _, arm in arms if arm["depth"] == deepest]
    summary = "; ".join(
        f"{_head_label(arm)}, hidden {HIDDEN[arm['hidden']].label}: {ratio(value, missing=DASH)}" for arm, value in last
    )
    return finish(
        canvas,
        "depth",
        _vanishing(
            deepest,
            [(HIDDEN[arm["hidden"]].label, value) for arm, value in last if value and _head_label(arm) == heads[0]],
        ),
        f"The first hidden layer's gradient signal over the output layer's, before training, by depth. With {deepest} "
        f"hidden layers: {summary}.",
        arms=dict(arms),
        columns=("Arm", "Hidden layers", "Hidden", "First over output, start", "Mean test accuracy"),
        rows=[
            [
                *(name, str(arm["depth"]), HIDDEN[arm["hidden"]].label),
                *(ratio(_signal(arm), missing=DASH), plain_percent(mean_accuracy(arm))),
            ]
            for name, arm in arms
        ],
    )


def _signal(arm: ArmResult) -> float | None:
    """The first layer's gradient signal over the output layer's at the start; None where it is not finite."""
    return arm["gradient"]["start"]["first_over_output"] if arm["gradient"] else None


def _depth_panel(axes: Axes, head: str, arms: Sequence[tuple[int, ArmResult]]) -> list[tuple[str, str, float, float]]:
    """Draws a line for each hidden activation of `arms`, (row of the table, arm); returns their ends, to be named."""
    ends: list[tuple[str, str, float, float]] = []
    for hidden, (label, colour, marker) in HIDDEN.items():
        group = [(row, arm["depth"], value) for row, arm in arms if arm["hidden"] == hidden and (value := _signal(arm))]
        if group:
            numbers, *line = zip(*group, strict=True)
            axes.plot(*line, marker=marker, color=colour, markersize=4, mew=0, gid=svg.rows(*numbers))
            ends.append((label, colour, *group[-1][1:]))
    axes.set(xscale="log", yscale="log")
    axes.set_title(f"Output: {head}", loc="left", fontweight="bold", pad=3)
    depths = sorted({arm["depth"] for _, arm in arms})
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda value, _: ratio(value))
    axes.set_yticks([], minor=True)
    axes.grid(axis="y")
    hide_ticks(axes)
    return ends


def _vanishing(depth: int, signals: Sequence[tuple[str, float]]) -> str:
    if not signals:
        return f"First-layer over output gradient, up to depth {depth}"
    (weak, low), (strong, high) = (end(signals, key=lambda item: item[1]) for end in (min, max))
    return f"At depth {depth}, first-layer over output gradient: {ratio(low)} with {weak}, {ratio(high)} with {strong}"


READ = ("example-1-read-by-cross-entropy", "cross-entropy-read-by-example-1")


def readouts(results: Results) -> Figure | None:
    """The hidden layers of Example 1 and of the cross-entropy arm, each under its group and the other's output layer.

    None while no seed of all four is measured.
    """
    titles = {
        "example-1": "Example 1",
        READ[0]: "Example 1's hidden layer under cross-entropy's output",
        READ[1]: "cross-entropy's hidden layer under Example 1's output",
        "cross-entropy": "softmax cross-entropy",
    }
    seeds = set.intersection(*({run["seed"] for run in runs_of(results, name)} for name in titles))
    if not seeds:
        return None
    runs = {name: [run for run in runs_of(results, name) if run["seed"] in seeds] for name in titles}
    means = {name: float(np.mean([final_accuracy(run) for run in group])) for name, group in runs.items()}
    notes = [plain_percent(mean) for mean in means.values()]
    canvas, axes = labelled_rows(list(titles.values()), notes, "Test accuracy, %")
    plotted = {name: plotted_runs(group) for name, group in runs.items()}
    every = [run for group in plotted.values() for run in group]
    for row, name in enumerate(titles):
        recipe = RECIPES["cross-entropy" if name.startswith("cross-entropy") else "example-1"]
        values = [100 * final_accuracy(run) for run in plotted[name]]
        draw_seeds(axes, values, 100 * means[name], row, *recipe[1:], rows_of_arm(every, name))
    moved = [points(means[name] - means[name.split("-read-by-")[0]]) for name in READ]
    return finish(
        canvas,
        "readouts",
        f"Hidden layers read by the other's output: Example 1's {moved[0]} points, cross-entropy's {moved[1]}",
        f"Test accuracy over {len(seeds)} seeds; a frozen hidden layer is read by a new output layer. "
        + "; ".join(f"{titles[name]}: {plain_percent(mean)}" for name, mean in means.items())
        + ".",
        arms=titles,
        columns=("Arm", "Seed", "Test accuracy"),
        rows=[[run["arm"], str(run["seed"]), plain_percent(final_accuracy(run))] for run in every],
    )


def long(results: Results) -> Figure:
    """Example 1 against cross-entropy, trained for longer."""
    recipes = {f"long-{recipe}": RECIPES[recipe] for recipe in ("example-1", "cross-entropy")}
    last = {recipe.label: accuracy_curves(results, name).mean(0)[-1] / 100 for name, recipe in recipes.items()}
    epochs = accuracy_curves(results, next(iter(recipes))).shape[1]
    return generic.plot_epochs(results, "long", f"After epoch {epochs}, {ranking(last)}", recipes)
