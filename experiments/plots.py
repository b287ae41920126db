"""Saved numbers → plots. The only importer of matplotlib.

Each plot is a function results → Figure. Its title says what it shows, chosen and filled in by the numbers; its
description and its table say it to those who do not see the plot.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib
import numpy as np

from experiments import svg
from experiments.figures import Figure
from experiments.measures import HISTOGRAM_EDGES, QUANTILES

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

INK, MUTED, GRID, PAPER = "#111111", "#666666", "#dddddd", "#fefefe"  # roles: see svg.COLOURS
SERIES = ("#d55e00", "#cc79a7", "#0072b2", "#009e73")
MARKERS = ("o", "D", "s", "^")
STYLE: Any = {  # matplotlib types each key of its settings as a literal
    "svg.fonttype": "none",
    "svg.hashsalt": "article-under-test",
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "lines.linewidth": 1.6,
    "figure.constrained_layout.use": True,
}
WIDTH = 4.6  # inches: so narrow that labels stay readable on a phone


def draw(results: Mapping[str, Any]) -> list[Figure]:
    """Every plot that the results have the numbers for."""
    plots: Sequence[Callable[[Mapping[str, Any]], Figure]] = (accuracy, learning_curves, outputs, confusions)
    with matplotlib.rc_context(STYLE):
        return [plot(results) for plot in plots]


def _finished(canvas: Canvas, name: str, title: str, description: str, **table: Any) -> Figure:
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    plt.close(canvas)
    drawing = svg.clean(buffer.getvalue(), name, title, description)
    rows = tuple(tuple(row) for row in table["rows"])
    return Figure(name, title, description, tuple(table["columns"]), rows, drawing)


# ---------------------------------------------------------------------------------------------- words for numbers


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def points(difference: float, digits: int = 2) -> str:
    """A difference of two fractions in percentage points, signed with a true minus."""
    return f"{100 * difference:+.{digits}f}".replace("-", "−")


def data_name(results: Mapping[str, Any]) -> str:
    return {"mnist": "MNIST", "digits": "scikit-learn's small digits"}[results["dataset"]["name"]]


def _short(title: str) -> str:
    """An arm's title up to its colon: `Example 1`."""
    return title.split(":")[0]


# ---------------------------------------------------------------------------------------------- the plots


def accuracy(results: Mapping[str, Any]) -> Figure:
    """Final test accuracy of each arm: every seed a mark, the mean a bar with its interval."""
    arms = results["arms"]
    canvas, axes = plt.subplots(figsize=(WIDTH, 0.5 + 0.62 * len(arms)))
    for row, (name, arm) in enumerate(arms.items()):
        values = [100 * run["test_accuracy"] for run in results["runs"] if run["arm"] == name]
        colour, mean = SERIES[row % len(SERIES)], 100 * arm["test_accuracy"]["mean"]
        spread = np.linspace(-0.13, 0.13, len(values)) if len(values) > 1 else [0]
        axes.plot(values, row + np.asarray(spread), MARKERS[row % 4], color=colour, markersize=3.4, alpha=0.75, mew=0)
        if interval := arm["test_accuracy"]["interval"]:
            axes.plot([100 * bound for bound in interval], [row - 0.26] * 2, color=INK, linewidth=1.2)
        axes.plot([mean], [row - 0.26], "|", color=INK, markersize=7, markeredgewidth=1.6)
        axes.text(mean, row - 0.36, f"{mean:.2f} %", ha="center", va="bottom", fontweight="bold")
    axes.set(yticks=range(len(arms)), yticklabels=[_short(a["title"]) for a in arms.values()])
    axes.set(ylim=(len(arms) - 0.6, -0.75), xlabel=f"Test accuracy, % of {results['dataset']['test_images']:,} images")
    axes.grid(axis="x")
    axes.tick_params(length=0)
    axes.spines["left"].set_visible(False)
    title = _ranking({_short(arm["title"]): arm["test_accuracy"]["mean"] for arm in arms.values()})
    told = "; ".join(
        f"{_short(arm['title'])}: mean {percent(arm['test_accuracy']['mean'])}, from "
        f"{percent(arm['test_accuracy']['min'])} to {percent(arm['test_accuracy']['max'])} over "
        f"{len(arm['seeds'])} seeds"
        for arm in arms.values()
    )
    rows = [[run["arm"], str(run["seed"]), percent(run["test_accuracy"])] for run in results["runs"]]
    return _finished(
        canvas,
        "accuracy",
        title,
        f"Test accuracy of every run on {data_name(results)}, one row an arm. {told}.",
        columns=("Arm", "Seed", "Test accuracy"),
        rows=rows,
    )


def _ranking(means: Mapping[str, float]) -> str:
    """Who scores highest and lowest, in words; those within half a hundredth of a point count as equal."""
    high, low = max(means.values()), min(means.values())
    best, worst = ([name for name, mean in means.items() if abs(mean - end) < 5e-5] for end in (high, low))
    if high - low < 5e-5:
        return f"{' and '.join(best)} score the same" if len(best) > 1 else f"{best[0]} scores {percent(high)}"
    return f"{' and '.join(best)} above {' and '.join(worst)}: {100 * (high - low):.2f} points apart"


def learning_curves(results: Mapping[str, Any]) -> Figure:
    """Test accuracy after each epoch: the mean over seeds, and the band from the lowest to the highest seed."""
    curves = {}
    for name, arm in results["arms"].items():
        if arm["readout"] == "as_is":  # another readout of the same models has the same curve
            runs = [run["test_accuracy_by_epoch"] for run in results["runs"] if run["arm"] == name]
            curves[name] = 100 * np.array(runs)
    canvas, axes = plt.subplots(figsize=(WIDTH, 2.9))
    epochs = np.arange(1, max(curve.shape[1] for curve in curves.values()) + 1)
    order = list(results["arms"])
    for name, curve in curves.items():
        colour = SERIES[order.index(name) % len(SERIES)]
        axes.fill_between(epochs, curve.min(0), curve.max(0), color=colour, alpha=0.18, linewidth=0)
        axes.plot(epochs, curve.mean(0), color=colour, marker=MARKERS[order.index(name) % 4], markersize=3)
        label = _short(results["arms"][name]["title"])
        axes.text(epochs[-1], curve.mean(0)[-1], f"  {label}", color=colour, va="center", fontweight="bold")
    axes.set(xlabel="Epoch", ylabel="Test accuracy, %", xlim=(epochs[0], epochs[-1] * 1.24))
    axes.set_xticks(epochs if len(epochs) <= 12 else epochs[4::5])
    axes.spines["bottom"].set_bounds(epochs[0], epochs[-1])
    axes.grid(axis="y")
    axes.tick_params(length=0)
    lead = [name for name, curve in curves.items() if curve.mean(0)[0] == max(c.mean(0)[0] for c in curves.values())]
    ahead = _short(results["arms"][lead[0]]["title"])
    always = all((curves[lead[0]].mean(0) >= curve.mean(0)).all() for name, curve in curves.items() if name != lead[0])
    span = "after every epoch" if always else "after the first epoch, not after every one"
    told = "; ".join(
        f"{_short(results['arms'][name]['title'])} goes from {curve.mean(0)[0]:.2f} % after epoch 1 to "
        f"{curve.mean(0)[-1]:.2f} % after epoch {curve.shape[1]}"
        for name, curve in curves.items()
    )
    loss = {
        name: np.mean(
            [
                [np.nan if v is None else v for v in run["training_loss_by_epoch"]]
                for run in results["runs"]
                if run["arm"] == name
            ],
            axis=0,
        )
        for name in curves
    }
    return _finished(
        canvas,
        "learning-curves",
        f"{ahead} is ahead {span}",
        f"Mean test accuracy over seeds after each epoch; the bands reach from the lowest to the highest seed. {told}.",
        columns=("Arm", "Epoch", "Mean test accuracy", "Lowest seed", "Highest seed", "Mean training loss"),
        rows=[
            [
                name,
                str(epoch),
                f"{curve.mean(0)[i]:.2f} %",
                f"{curve.min(0)[i]:.2f} %",
                f"{curve.max(0)[i]:.2f} %",
                f"{loss[name][i]:.5f}",
            ]
            for name, curve in curves.items()
            for i, epoch in enumerate(range(1, curve.shape[1] + 1))
        ],
    )


def outputs(results: Mapping[str, Any]) -> Figure:
    """How the outputs of target and non-target units are distributed, a panel an arm."""
    arms = results["arms"]
    canvas, panels = plt.subplots(len(arms), 1, figsize=(WIDTH, 1.15 * len(arms) + 0.3), sharex=True, squeeze=False)
    kinds = (("other_outputs", SERIES[2], "wrong classes"), ("target_outputs", SERIES[0], "right class"))
    for row, (axes, arm) in enumerate(zip(panels[:, 0], arms.values(), strict=True)):
        for key, colour, label in kinds:
            counts = np.array(arm[key]["counts"])
            share = 100 * counts / counts.sum()
            low, high = np.searchsorted(HISTOGRAM_EDGES, (-1.06, 1.04))  # what a tanh can give, and a bin more
            edges = HISTOGRAM_EDGES[low : high + 1]
            axes.stairs(share[low:high], edges, fill=True, color=colour, alpha=0.55, linewidth=0)
            if row == 0:
                peak = int(share.argmax())
                at = HISTOGRAM_EDGES[peak] - 0.05
                axes.text(at, share[peak], label, color=colour, ha="right", va="top", fontweight="bold")
        axes.set_title(_short(arm["title"]), loc="left", fontweight="bold", pad=2)
        axes.set(yticks=[], xlim=(-1.05, 1.1))
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0)
    panels[-1, 0].set_xlabel("Output of a unit on a test image")
    first = next(iter(arms.values()))
    title = (
        f"{_short(first['title'])}: {percent(first['negative_share'], 0)} of outputs are negative; "
        f"a row sums to {first['row_sum_mean']:.2f} on average"
    )
    told = "; ".join(
        f"{_short(arm['title'])}: right class at {arm['target_outputs']['quantiles'][2]:.2f} in the median, "
        f"wrong classes at {arm['other_outputs']['quantiles'][2]:.2f}".replace("-", "−")
        for arm in arms.values()
    )
    return _finished(
        canvas,
        "outputs",
        title,
        f"Histograms of the outputs of the unit of the right class and of the units of the wrong classes. {told}.",
        columns=("Arm", "Units", "Mean", *(f"{100 * q:.0f} % quantile" for q in QUANTILES)),
        rows=[
            [name, label, *(f"{value:.3f}".replace("-", "−") for value in (arm[key]["mean"], *arm[key]["quantiles"]))]
            for name, arm in arms.items()
            for key, _, label in kinds
        ],
    )


def confusions(results: Mapping[str, Any]) -> Figure:
    """Wrong predictions by true and predicted class, mean number a run, for each arm with its own models."""
    arms = {name: arm for name, arm in results["arms"].items() if arm["readout"] == "as_is"}
    errors = {name: _errors_per_run(arm) for name, arm in arms.items()}
    worst = max(float(matrix.max()) for matrix in errors.values()) or 1.0
    canvas, panels = plt.subplots(len(arms), 1, figsize=(WIDTH, 3.7 * len(arms)), squeeze=False)
    for axes, (name, matrix) in zip(panels[:, 0], errors.items(), strict=True):
        _confusion_panel(axes, matrix, worst, _short(arms[name]["title"]))
    top = {name: np.unravel_index(matrix.argmax(), matrix.shape) for name, matrix in errors.items()}
    told = "; ".join(
        f"{_short(arms[name]['title'])}: most often {true} taken for {predicted}, "
        f"{errors[name][true, predicted]:.1f} times a run of {errors[name].sum():.1f} errors"
        for name, (true, predicted) in top.items()
    )
    name = next(iter(arms))
    true, predicted = top[name]
    return _finished(
        canvas,
        "confusions",
        f"{_short(arms[name]['title'])} most often takes {true} for {predicted}: "
        f"{errors[name][true, predicted]:.1f} times a run",
        f"Wrong predictions by true class (rows) and predicted class (columns), mean number a run. {told}.",
        columns=("Arm", "True class", *(f"taken for {k}" for k in range(results["dataset"]["classes"]))),
        rows=[
            [name, str(true), *(f"{value:.1f}" for value in row)]
            for name, matrix in errors.items()
            for true, row in enumerate(matrix)
        ],
    )


def _errors_per_run(arm: Mapping[str, Any]) -> np.ndarray:
    matrix = np.array(arm["confusion"], float) / len(arm["seeds"])
    np.fill_diagonal(matrix, 0)
    return matrix


def _confusion_panel(axes: Axes, matrix: np.ndarray, worst: float, title: str) -> None:
    for (true, predicted), value in np.ndenumerate(matrix):
        if value:
            axes.add_patch(
                plt.Rectangle(
                    (predicted - 0.5, true - 0.5), 1, 1, color=SERIES[2], lw=0, alpha=round(0.75 * value / worst, 2)
                )
            )
        if value >= 0.5:
            axes.text(predicted, true, f"{value:.0f}", ha="center", va="center", fontsize=7)
    count = len(matrix)
    axes.set(xlim=(-0.5, count - 0.5), ylim=(count - 0.5, -0.5), xticks=range(count), yticks=range(count))
    axes.set(xlabel="Predicted class", ylabel="True class", aspect="equal")
    axes.set_title(f"{title}: {matrix.sum():.0f} errors a run", loc="left", fontweight="bold")
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
