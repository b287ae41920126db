"""Saved numbers → plots. The only importer of matplotlib.

Each plot is a function results → Figure. Its title says what it shows, chosen and filled in by the numbers; its
description and its table say it to those who do not see the plot. `gid=svg.rows(…)` ties marks to rows of the table.
"""

from __future__ import annotations

import io
import itertools
import re
import textwrap
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from fnmatch import fnmatch
from typing import Any, NamedTuple

import matplotlib
import numpy as np

from experiments.analysis.measures import CONFIDENCE_EDGES, HISTOGRAM_EDGES, QUANTILES
from experiments.plots import svg
from experiments.plots.figures import MAX_MARKS, Figure, accuracy_by_epoch, final_accuracy, folded, marked

matplotlib.use("svg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

INK, MUTED, GRID, PAPER = svg.INK, "#666666", "#dddddd", "#fefefe"  # roles: see svg.COLOURS
SERIES = ("#d55e00", "#cc79a7", "#0072b2", "#009e73")
MARKERS = ("o", "D", "s", "^")
STYLE: Any = {  # matplotlib types each key of its settings as a literal
    "svg.fonttype": "none",
    "svg.hashsalt": "article-under-test",
    "font.size": float(svg.FONT_SIZE.removesuffix("px")),
    "axes.titlesize": "medium",
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
LINE = 0.16  # inches from one line of text to the next


class Recipe(NamedTuple):
    """How every plot names and draws one way of training, in whatever block."""

    label: str
    colour: str
    marker: str


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


_pictures: ContextVar[bool] = ContextVar("pictures")  # whether figures get PNGs: they cost half the time


def draw(results: Mapping[str, Any], pictures: bool = True) -> list[Figure]:
    """Every plot that the results have the numbers for: each of its patterns has an arm, or a contrast's pairs.

    Without `pictures`, figures have their drawings alone, no PNG and no preview.
    """
    token = _pictures.set(pictures)
    try:
        return _draw(results)
    finally:
        _pictures.reset(token)


def _draw(results: Mapping[str, Any]) -> list[Figure]:
    plots: Sequence[tuple[Callable[[Mapping[str, Any]], Figure | None], Sequence[str]]] = (
        (accuracy, ["*"]),
        (learning_curves, ["example-1"]),
        (outputs, ["example-1"]),
        (confusions, ["example-1"]),
        (changes, ["targets", "cross-entropy", "contrast *"]),
        (factorial, ["targets", "cross-entropy", "example-3", "tanh-*", "relu-*"]),
        (dose, ["low0", "low-*"]),
        (rates, [f"{kind}-{recipe}*" for kind in ("rate", "best-rate") for recipe in RATED]),
        (sgd, [f"sgd-{recipe}-*" for recipe in DESCENDED]),
        (saturated, [f"saturated-{recipe}" for recipe in SATURATED]),
        (depth, ["depth*-mse", "depth*-ce"]),
        (readouts, ["example-1", "cross-entropy", *READ]),
        (long, ["long-example-1", "long-cross-entropy"]),
        (reliability, ["example-1", "targets", "cross-entropy"]),
    )
    tested = _tested(results)
    with matplotlib.rc_context(STYLE):
        drawn = []
        for plot, needed in plots:
            shown = results if plot is rates else tested
            there = [*shown["arms"], *(f"contrast {contrast['name']}" for contrast in _measured(shown))]
            if all(any(fnmatch(name, pattern) for name in there) for pattern in needed):
                drawn.append(plot(shown))
        found = [figure for figure in drawn if figure]
        if not _pictures.get():
            return found
        return [replace(found[0], preview=preview(tested, found[0].title)), *found[1:]]


def _tested(results: Mapping[str, Any]) -> Mapping[str, Any]:
    """The results of the arms measured on the test images alone; of all arms where there are none such.

    Accuracy on the test images and accuracy on held-out training images never share an axis.
    """
    arms = {name: arm for name, arm in results["arms"].items() if arm["test_accuracy"] is not None}
    if not arms:
        return results
    return {**results, "arms": arms, "runs": [run for run in results["runs"] if run["arm"] in arms]}


PNG_DPI = 200


def _finished(
    canvas: Canvas,
    name: str,
    title: str,
    description: str,
    arms: Iterable[str],
    columns: Sequence[str],
    rows: Iterable[Sequence[str]],
) -> Figure:
    """The plot on `canvas` as a Figure; `arms` are those whose runs it shows."""
    buffer = io.StringIO()
    canvas.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    drawing = svg.clean(buffer.getvalue(), name, title, description)
    picture = _png(canvas, dpi=PNG_DPI, facecolor=PAPER) if _pictures.get(True) else b""
    plt.close(canvas)
    table = tuple(tuple(row) for row in rows)
    return Figure(name, title, description, tuple(dict.fromkeys(arms)), tuple(columns), table, drawing, png=picture)


def _png(canvas: Canvas, **options: Any) -> bytes:
    """The plot as PNG, the same bytes in every build."""
    buffer = io.BytesIO()
    canvas.savefig(buffer, format="png", metadata={"Software": None}, **options)
    return buffer.getvalue()


# ---------------------------------------------------------------------------------------------- words for numbers


def percent(fraction: float, digits: int = 2) -> str:
    return f"{100 * fraction:.{digits}f} %"


def points(difference: float, digits: int = 2) -> str:
    """A difference of two fractions in percentage points, signed with a true minus."""
    return f"{100 * difference:+.{digits}f}".replace("-", "−")


def data_name(results: Mapping[str, Any]) -> str:
    name = results["dataset"]["name"]
    return str({"mnist": "MNIST", "digits": "scikit-learn's small digits"}.get(name, name))


def signed(value: float | None, digits: int) -> str:
    """A number with a true minus; a dash for one that is not finite or was not measured."""
    return "–" if value is None else f"{value:.{digits}f}".replace("-", "−")


def ratio(value: float) -> str:
    """A positive ratio to two digits, a small one as a fraction: 0.81, 1/43,000."""
    return f"{value:.2g}" if value >= 0.01 else f"1/{float(f'{1 / value:.2g}'):,.0f}"


def _short(title: str) -> str:
    """An arm's title up to its colon: `Example 1`."""
    return title.split(":")[0]


def _changed(arm: Mapping[str, Any]) -> str:
    """What an arm's title says beside `Example 1`."""
    return re.sub(r"^Example 1(,| with) ", "", _short(arm["title"]))


def _rate(trained: Mapping[str, Any]) -> str:
    """The learning rate of an arm or a run."""
    rate = f"{trained['learning_rate']:g}"
    return rate if trained["schedule"] == "constant" else f"{trained['schedule']} from {rate}"


def _head(arm: Mapping[str, Any]) -> str:
    """An arm's output activation and loss, and the targets where they could be others."""
    targets = f", {arm['low_target']:g} and {arm['high_target']:g}".replace("-", "−")
    told = f"{arm['output']}, {LOSSES[arm['loss']]}"
    return told + targets if arm["output"] in ("tanh", "linear") else told


# ---------------------------------------------------------------------------------------------- numbers for plots


def _of(results: Mapping[str, Any], *blocks: str) -> dict[str, Any]:
    """The arms of `blocks` by name, in the order of their names, which is that of results.json."""
    return {name: arm for name, arm in sorted(results["arms"].items()) if arm["block"] in blocks}


def _matching(results: Mapping[str, Any], pattern: str) -> dict[str, Any]:
    return {name: arm for name, arm in results["arms"].items() if fnmatch(name, pattern)}


def _runs(results: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    return [run for run in results["runs"] if run["arm"] == name]


def _scores(results: Mapping[str, Any], name: str) -> list[float]:
    """Final accuracy of each of an arm's runs, in percent."""
    return [100 * final_accuracy(run) for run in _runs(results, name)]


def _every(results: Mapping[str, Any], arms: Iterable[str], what: str) -> str:
    """Of what a figure shows a mark each: `every run`, or quantiles."""
    folded = any(len(results["arms"][name]["seeds"]) > MAX_MARKS for name in arms)
    return f"the {what}s, of many by quantiles," if folded else f"every {what}"


def _mean(arm: Mapping[str, Any]) -> float:
    """An arm's mean final accuracy."""
    return float(final_accuracy(arm)["mean"])


def _measured(results: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The contrasts that there are pairs of runs for."""
    return [contrast for contrast in results["contrasts"] if contrast["n"]]


# ---------------------------------------------------------------------------------------------- parts of plots


def _apart(wanted: Sequence[float], gap: float) -> np.ndarray:
    """The places nearest to `wanted`, in the same order, that are `gap` apart and in 0 … 1 (isotonic regression)."""
    order, steps = np.argsort(wanted, kind="stable"), gap * np.arange(len(wanted))
    free, count = np.asarray(wanted)[order] - steps, len(wanted)
    pooled = [max(min(free[i:k].mean() for k in range(j + 1, count + 1)) for i in range(j + 1)) for j in range(count)]
    places = np.empty(count)
    places[order] = np.clip(pooled, 0, max(0, 1 - steps[-1])) + steps
    return places


def _name_ends(axes: Axes, ends: Iterable[tuple[str, str, float, float]], left: bool = False) -> None:
    """Names lines beside the axes, each with a thin leader to its end: (label, colour, x, y). All must be drawn."""
    ends = list(ends)
    axes.autoscale_view()
    spots = [(axes.transScale + axes.transLimits).transform((x, y)) for _, _, x, y in ends]
    canvas = axes.get_figure(root=True)
    assert canvas is not None
    height = axes.get_position().height * canvas.get_figheight()
    beside = -0.04 if left else 1.04
    for (label, colour, *_), (x, y), place in zip(
        ends, spots, _apart([y for _, y in spots], LINE / height), strict=True
    ):
        axes.plot([x, beside], [y, place], color=colour, linewidth=0.5, transform=axes.transAxes, clip_on=False)
        at = beside + (-0.01 if left else 0.01)
        style: Any = {"ha": "right" if left else "left", "va": "center_baseline", "transform": axes.transAxes}
        axes.text(at, place, label, color=colour, fontweight="bold", **style)


def _rows_of(labels: Sequence[str], notes: Sequence[str], xlabel: str) -> tuple[Canvas, Axes]:
    """Axes with a row for each label, which stands over the row on the left, its note on the right."""
    canvas, axes = plt.subplots(figsize=(WIDTH, 0.55 + 0.42 * len(labels)))
    for row, (label, note) in enumerate(zip(labels, notes, strict=True)):
        axes.text(0, row - 0.24, label, transform=axes.get_yaxis_transform())
        axes.text(1, row - 0.24, note, transform=axes.get_yaxis_transform(), ha="right", fontweight="bold")
    axes.set(yticks=[], ylim=(len(labels) - 0.6, -0.75), xlabel=xlabel)
    axes.grid(axis="x")
    _bare(axes, "left")
    return canvas, axes


def _bare(axes: Axes, *sides: str) -> None:
    """Drops the tick marks, and the spines on `sides`."""
    axes.tick_params(length=0, which="both")
    for side in sides:
        axes.spines[side].set_visible(False)


def _seeds(axes: Axes, values: Sequence[float], mean: float, row: float, colour: str, marker: str, gid: str) -> None:
    """Every value a mark in `row`, the mean a bar."""
    spread = np.linspace(-0.08, 0.08, len(values)) if len(values) > 1 else np.zeros(1)
    axes.plot(values, row + spread, marker, color=colour, markersize=3.4, alpha=0.75, mew=0, gid=gid)
    axes.plot([mean], [row], "|", color=INK, markersize=9, markeredgewidth=1.4)


# ---------------------------------------------------------------------------------------------- the plots


MAX_ARMS = 20  # in one figure; of more, the best and the worst


def _compared(results: Mapping[str, Any], most: int = MAX_ARMS) -> dict[str, Any]:
    """The arms of the examples and the one beside them that tells why; or those of another study, its ends if many."""
    arms = {**_of(results, "examples"), **_matching(results, "targets")} or dict(sorted(results["arms"].items()))
    if len(arms) <= most:
        return arms
    order = sorted(arms, key=lambda name: -_mean(arms[name]))
    return {name: arms[name] for name in (*order[: most // 2], *order[-(most // 2) :])}


def _called(name: str, arm: Mapping[str, Any]) -> str:
    """What plots call an arm beside an axis."""
    return RECIPES[name].label if name in RECIPES else _short(arm["title"])


def accuracy(results: Mapping[str, Any]) -> Figure:
    """Final test accuracy of the examples, or of the arms of another study: every seed a mark, the mean a bar."""
    arms = _compared(results)
    canvas, axes = plt.subplots(figsize=(WIDTH, 0.5 + 0.62 * len(arms)))
    runs = [run for name in arms for run in marked(_runs(results, name))]
    for row, (name, arm) in enumerate(arms.items()):
        values = folded(_scores(results, name))
        colour, mean = SERIES[row % len(SERIES)], 100 * _mean(arm)
        spread = np.linspace(-0.13, 0.13, len(values)) if len(values) > 1 else [0]
        style: Any = {"color": colour, "markersize": 3.4, "alpha": 0.75, "mew": 0, "gid": _rows_where(runs, name)}
        axes.plot(values, row + np.asarray(spread), MARKERS[row % 4], **style)
        if interval := final_accuracy(arm)["interval"]:
            axes.plot([100 * bound for bound in interval], [row - 0.26] * 2, color=INK, linewidth=1.2)
        axes.plot([mean], [row - 0.26], "|", color=INK, markersize=7, markeredgewidth=1.6)
        axes.text(mean, row - 0.36, f"{mean:.2f} %", ha="center", va="bottom", fontweight="bold")
    axes.set(yticks=range(len(arms)), yticklabels=[_called(*item) for item in arms.items()])
    name = _accuracy_name(arms)
    images = f" of {results['dataset']['test_images']:,} images" if name == TEST_ACCURACY else ""
    axes.set(ylim=(len(arms) - 0.6, -0.75), xlabel=f"{name}, %{images}")
    axes.grid(axis="x")
    _bare(axes, "left")
    title = _ranking({_called(name, arm): _mean(arm) for name, arm in arms.items()})
    rest = len(results["arms"]) - len(arms) if len(arms) == MAX_ARMS else 0
    told = f"The best and the worst; {rest} arms lie between. " if rest else ""
    told += "; ".join(
        f"{_called(name, arm)}: mean {percent(_mean(arm))}, from "
        f"{percent(final_accuracy(arm)['min'])} to {percent(final_accuracy(arm)['max'])} over "
        f"{len(arm['seeds'])} seeds"
        for name, arm in arms.items()
    )
    return _finished(
        canvas,
        "accuracy",
        title,
        f"{name} of {_every(results, arms, 'run')} on {data_name(results)}, one row an arm. {told}.",
        arms=arms,
        columns=("Arm", "Seed", name),
        rows=[[run["arm"], str(run["seed"]), percent(final_accuracy(run))] for run in runs],
    )


TEST_ACCURACY = "Test accuracy"


def _accuracy_name(arms: Mapping[str, Any]) -> str:
    """What the accuracy of these arms is called: all are measured on the test images, or none is."""
    tested = all(arm["test_accuracy"] is not None for arm in arms.values())
    return TEST_ACCURACY if tested else "Accuracy on held-out training images"


def _rows_where(runs: Sequence[Mapping[str, Any]], name: str) -> str:
    """The `gid` of marks that show the runs of one arm, where the table has a row for each of `runs`."""
    return svg.rows(*(row for row, run in enumerate(runs) if run["arm"] == name))


def _ranking(means: Mapping[str, float]) -> str:
    """Who scores highest and lowest, in words; those within half a hundredth of a point count as equal."""
    high, low = max(means.values()), min(means.values())
    if high - low < 5e-5:
        return f"{_listed(list(means))} score{'s' if len(means) == 1 else ''} {percent(high)}"
    best, worst = ([name for name, mean in means.items() if abs(mean - end) < 5e-5] for end in (high, low))
    return f"{_listed(best)} above {_listed(worst)}: {100 * (high - low):.2f} points apart"


def _listed(names: Sequence[str]) -> str:
    return " and ".join(names) if len(names) < 3 else f"{len(names)} arms"


def learning_curves(results: Mapping[str, Any]) -> Figure:
    """Test accuracy after each epoch of the examples."""
    recipes = {
        name: Recipe(_short(arm["title"]), SERIES[row % len(SERIES)], MARKERS[row % len(MARKERS)])
        for row, (name, arm) in enumerate(_of(results, "examples").items())
        if arm["readout"] == "as_is"  # another readout of the same models has the same curve
    }
    curves = {name: _curve(results, name).mean(0) for name in recipes}
    lead = max(curves, key=lambda name: curves[name][0])
    always = all((curves[lead] >= curve).all() for curve in curves.values())
    span = "after every epoch" if always else "after the first epoch, not after every one"
    return _over_epochs(results, "learning-curves", f"{recipes[lead].label} is ahead {span}", recipes)


def _curve(results: Mapping[str, Any], name: str) -> np.ndarray:
    """Accuracy in percent, [seeds, epochs]."""
    return 100 * np.array([accuracy_by_epoch(run) for run in _runs(results, name)])


def _over_epochs(results: Mapping[str, Any], name: str, title: str, recipes: Mapping[str, Recipe]) -> Figure:
    """Accuracy after each epoch: the mean over seeds, and the band from the lowest to the highest seed."""
    curves = {arm: _curve(results, arm) for arm in recipes}
    canvas, axes = plt.subplots(figsize=(WIDTH, 2.9))
    epochs = np.arange(1, max(curve.shape[1] for curve in curves.values()) + 1)
    every = 1 if len(epochs) <= 12 else 5
    first = 0  # the row of the table with which the arm begins
    for arm, curve in curves.items():
        _, colour, marker = recipes[arm]
        axes.fill_between(epochs, curve.min(0), curve.max(0), color=colour, alpha=0.18, linewidth=0)
        marked = range(every - 1, len(epochs), every)
        style: Any = {"markersize": 3, "markevery": list(marked), "gid": svg.rows(*(first + epoch for epoch in marked))}
        axes.plot(epochs, curve.mean(0), color=colour, marker=marker, **style)
        first += len(epochs)
    axes.set(xlabel="Epoch", ylabel="Test accuracy, %", xticks=epochs[every - 1 :: every])
    axes.grid(axis="y")
    _bare(axes)
    _name_ends(axes, [(*recipes[arm][:2], epochs[-1], curve.mean(0)[-1]) for arm, curve in curves.items()])
    told = "; ".join(
        f"{recipes[arm].label} goes from {curve.mean(0)[0]:.2f} % after epoch 1 to "
        f"{curve.mean(0)[-1]:.2f} % after epoch {curve.shape[1]}"
        for arm, curve in curves.items()
    )
    return _finished(
        canvas,
        name,
        title,
        f"Mean test accuracy over seeds after each epoch; the bands reach from the lowest to the highest seed. {told}.",
        arms=curves,
        columns=("Arm", "Epoch", "Mean test accuracy", "Lowest seed", "Highest seed", "Mean training loss"),
        rows=[row for arm, curve in curves.items() for row in _epoch_rows(results, arm, curve)],
    )


def _epoch_rows(results: Mapping[str, Any], name: str, curve: np.ndarray) -> list[list[str]]:
    losses = zip(*(run["training_loss_by_epoch"] for run in _runs(results, name)), strict=True)
    return [
        [name, str(epoch), *(f"{value:.2f} %" for value in (seeds.mean(), seeds.min(), seeds.max())), _mean_loss(found)]
        for epoch, (seeds, found) in enumerate(zip(curve.T, losses, strict=True), 1)
    ]


def _mean_loss(losses: Sequence[float | None]) -> str:
    finite = [loss for loss in losses if loss is not None]
    return signed(float(np.mean(finite)) if len(finite) == len(losses) else None, 5)


def outputs(results: Mapping[str, Any]) -> Figure:
    """How the outputs of target and non-target units are distributed, a panel an arm."""
    arms = {**_of(results, "examples"), **_matching(results, "targets")}
    canvas, panels = plt.subplots(len(arms), 1, figsize=(WIDTH, 1.15 * len(arms) + 0.3), sharex=True, squeeze=False)
    kinds = (("other_outputs", SERIES[2], "wrong classes"), ("target_outputs", SERIES[0], "right class"))
    for row, (axes, arm) in enumerate(zip(panels[:, 0], arms.values(), strict=True)):
        for place, (key, colour, label) in enumerate(kinds):
            counts = np.array(arm[key]["counts"])
            share = 100 * counts / counts.sum()
            if arm["output"] != "linear":  # an output of exactly 1 opens a bin that nothing else can fall into
                last = int(np.searchsorted(HISTOGRAM_EDGES, 1 - 1e-9))
                share[last - 1] += share[last]
                share[last] = 0
            low, high = np.searchsorted(HISTOGRAM_EDGES, (-1.06, 1.04))  # what a tanh can give, and a bin more
            edges = HISTOGRAM_EDGES[low : high + 1]
            style: Any = {"alpha": 0.8, "linewidth": 0, "gid": svg.rows(len(kinds) * row + place)}
            axes.stairs(share[low:high], edges, fill=True, color=colour, **style)
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
        f"{_short(arm['title'])}: right class at {signed(arm['target_outputs']['quantiles'][2], 2)} in the median, "
        f"wrong classes at {signed(arm['other_outputs']['quantiles'][2], 2)}"
        for arm in arms.values()
    )
    return _finished(
        canvas,
        "outputs",
        title,
        f"Histograms of the outputs of the unit of the right class and of the units of the wrong classes. {told}.",
        arms=arms,
        columns=("Arm", "Units", "Mean", *(f"{100 * q:.0f} % quantile" for q in QUANTILES)),
        rows=[
            [name, label, *(signed(value, 3) for value in (arm[key]["mean"], *arm[key]["quantiles"]))]
            for name, arm in arms.items()
            for key, _, label in kinds
        ],
    )


CONFUSED_PAIRS = 10


def confusions(results: Mapping[str, Any]) -> Figure:
    """The pairs of true and predicted class that go wrong most, mean number a run, for arms with their own models."""
    arms = {name: arm for name, arm in _of(results, "examples").items() if arm["readout"] == "as_is"}
    errors = {name: _errors_per_run(arm) for name, arm in arms.items()}
    highest = np.max(list(errors.values()), axis=0)
    order = sorted(zip(*np.nonzero(highest), strict=True), key=lambda pair: -highest[pair])[:CONFUSED_PAIRS]
    notes = [" · ".join(f"{matrix[pair]:.1f}" for matrix in errors.values()) for pair in order]
    shown = [f"{RECIPES[name].label} {'●■▲▼'[row % 4]}" for row, name in enumerate(arms)]
    canvas, axes = _rows_of(
        [f"{true} taken for {predicted}" for true, predicted in order], notes, f"Images a run: {', '.join(shown)}"
    )
    for row, pair in enumerate(order):
        for place, (name, matrix) in enumerate(errors.items()):
            style: Any = {"color": RECIPES[name].colour, "markersize": 5, "mew": 0, "gid": svg.rows(row)}
            axes.plot([matrix[pair]], [row], "os^v"[place % 4], **style)
    axes.set_xlim(left=0)
    total = {_short(arms[name]["title"]): matrix.sum() for name, matrix in errors.items()}
    return _finished(
        canvas,
        "confusions",
        _most_confused({_short(arms[name]["title"]): matrix for name, matrix in errors.items()}),
        "The pairs of digits that are confused most, mean number a run. "
        + "; ".join(f"{name}: {count:.1f} errors a run" for name, count in total.items())
        + ". "
        + "; ".join(f"{true} taken for {k}: {note}" for (true, k), note in zip(order, notes, strict=True))
        + ".",
        arms=arms,
        columns=("True class", "Taken for", *(_short(arm["title"]) for arm in arms.values())),
        rows=[[str(true), str(k), *(f"{m[true, k]:.1f}" for m in errors.values())] for true, k in order],
    )


def _most_confused(errors: Mapping[str, np.ndarray]) -> str:
    """Whether the arms have their most frequent error in common."""
    top = {name: tuple(map(int, np.unravel_index(m.argmax(), m.shape))) for name, m in errors.items() if m.any()}
    if not top:
        return "No image is taken for another"
    if len(set(top.values())) == 1:
        (true, predicted) = next(iter(top.values()))
        return f"{_listed(list(top))} most often take{'s' if len(top) == 1 else ''} {true} for {predicted}"
    return "; ".join(f"{name} most often takes {true} for {predicted}" for name, (true, predicted) in top.items())


def _errors_per_run(arm: Mapping[str, Any]) -> np.ndarray:
    matrix = np.array(arm["confusion"], float) / len(arm["seeds"])
    np.fill_diagonal(matrix, 0)
    return matrix


# ---------------------------------------------------------------------------------------------- the preview

PREVIEW_DPI = 100
PREVIEW = (12.0, 6.3)  # inches: 1200 × 630 pixels, which previews of links are cut from
PREVIEW_ROWS = 4  # more could not be read in a picture 300 pixels wide


def preview(results: Mapping[str, Any], finding: str) -> bytes:
    """The finding over the accuracy of the arms, as PNG; of many arms, the best and the worst."""
    arms = _compared(results, PREVIEW_ROWS)
    canvas = plt.figure(figsize=PREVIEW, dpi=PREVIEW_DPI, facecolor=PAPER, layout="none")
    told = textwrap.wrap(finding, 33, max_lines=2, placeholder=" …", break_on_hyphens=False)
    canvas.text(0.04, 0.94, "\n".join(told), fontsize=36, fontweight="bold", va="top", linespacing=1.15)
    axes = canvas.add_axes((0.04, 0.18, 0.92, 0.73 - 0.1 * len(told)), facecolor=PAPER)
    for row, (name, arm) in enumerate(arms.items()):
        values, colour = folded(_scores(results, name)), SERIES[row]
        axes.plot(values, [row] * len(values), MARKERS[row], color=colour, markersize=12, alpha=0.6, mew=0)
        axes.plot([100 * _mean(arm)], [row], "|", color=INK, markersize=22, markeredgewidth=5)
        style: Any = {"transform": axes.get_yaxis_transform(), "va": "bottom"}
        axes.text(0, row - 0.2, textwrap.shorten(arm["title"], 48, placeholder=" …"), fontsize=25, **style)
        axes.text(1, row - 0.2, percent(_mean(arm)), fontsize=29, fontweight="bold", ha="right", **style)
    axes.set(yticks=[], ylim=(len(arms) - 0.6, -0.75))
    axes.set_xlabel(f"{_accuracy_name(arms)} in % on {data_name(results)}", fontsize=25)
    axes.tick_params(axis="x", labelsize=25, length=0)
    axes.locator_params(axis="x", nbins=6)
    axes.grid(axis="x", linewidth=2)
    _bare(axes, "left", "bottom")
    picture = _png(canvas, dpi=PREVIEW_DPI)
    plt.close(canvas)
    return picture


# ---------------------------------------------------------------------------------------------- the plots, why


def changes(results: Mapping[str, Any]) -> Figure:
    """The declared contrasts: mean differences with their intervals, against 0 or against the margin."""
    arms, found = results["arms"], _measured(results)
    labels = [f"{_changed(arms[c['first']])}, against {_changed(arms[c['second']])}" for c in found]
    xlabel = f"Difference in test accuracy, points, {percent(results['confidence'], 0)} interval; grey: the margin"
    canvas, axes = _rows_of(labels, [points(c["mean"]) for c in found], xlabel)
    for row, contrast in enumerate(found):
        if margin := contrast["equivalence_margin"]:
            axes.add_patch(plt.Rectangle((-100 * margin, row - 0.12), 200 * margin, 0.4, color=GRID, lw=0))
        axes.plot([100 * bound for bound in contrast["interval"]], [row, row], color=SERIES[2])
        axes.plot([100 * contrast["mean"]], [row], "o", color=SERIES[2], markersize=5, gid=svg.rows(row))
        axes.plot([0, 0], [row - 0.12, row + 0.28], color=INK, linewidth=0.8)
    told = "; ".join(
        f"{label}: {points(c['mean'])} points, from {points(c['interval'][0])} to {points(c['interval'][1])}"
        + _equivalence(c)
        for label, c in zip(labels, found, strict=True)
    )
    return _finished(
        canvas,
        "changes",
        _largest_change(results, found),
        f"Mean difference in test accuracy, paired by seed, with its interval. {told}.",
        arms=[contrast[end] for contrast in found for end in ("first", "second")],
        columns=("First arm", "Second arm", "Pairs", "Difference", "From", "To", "p (Holm)", "Margin"),
        rows=[
            [
                *(c["first"], c["second"], str(c["n"])),
                *(points(value) for value in (c["mean"], *c["interval"])),
                f"{c['p_holm']:.4f}",
                f"±{100 * c['equivalence_margin']:g}" if c["equivalence_margin"] else "–",
            ]
            for c in found
        ],
    )


def _equivalence(contrast: Mapping[str, Any]) -> str:
    if contrast["equivalence_margin"] is None:
        return ""
    return f", {'within' if contrast['equivalent'] else 'not shown to be within'} the margin"


def _largest_change(results: Mapping[str, Any], found: Sequence[Mapping[str, Any]]) -> str:
    """Which single change to Example 1 does most, if any is beyond chance."""
    arms = results["arms"]
    single = [c for c in found if c["equivalence_margin"] is None and arms[c["first"]]["block"] == "changes"]
    clear = [c for c in single if c["p_holm"] < 1 - results["confidence"]]
    if not clear:
        return f"None of {len(single)} changes to Example 1 shifts the accuracy beyond chance"
    largest = max(clear, key=lambda c: abs(c["mean"]))
    change = _changed(arms[largest["first"]])
    return f"Largest of {len(single)} changes to Example 1: {change}, {points(largest['mean'])} points"


def factorial(results: Mapping[str, Any]) -> Figure:
    """Every output, loss and target coding, with hidden tanh and with hidden ReLU."""
    heads: dict[str, dict[str, str]] = {}
    for name, arm in _of(results, "examples", "changes", "factorial").items():
        if arm["readout"] == "as_is":
            heads.setdefault(_head(arm), {})[arm["hidden"]] = name
    means = {head: {h: 100 * _mean(results["arms"][name]) for h, name in own.items()} for head, own in heads.items()}
    order = sorted(means, key=lambda head: -max(means[head].values()))
    notes = [" · ".join(f"{HIDDEN[h].label} {means[head][h]:.2f}" for h in sorted(means[head])[::-1]) for head in order]
    canvas, axes = _rows_of(order, notes, "Test accuracy, %: ● hidden tanh, ■ hidden ReLU; lines: all seeds")
    cells = [(row, head, hidden, name) for row, head in enumerate(order) for hidden, name in heads[head].items()]
    for number, (row, head, hidden, name) in enumerate(cells):
        _, colour, marker = HIDDEN[hidden]
        place, values = row + 0.12 * (hidden == "relu"), _scores(results, name)
        axes.plot([min(values), max(values)], [place, place], color=colour, linewidth=1)
        axes.plot([means[head][hidden]], [place], marker, color=colour, markersize=5, mew=0, gid=svg.rows(number))
    return _finished(
        canvas,
        "factorial",
        _larger_factor(means),
        "Test accuracy by output activation, loss and targets, with hidden tanh and hidden ReLU. "
        + "; ".join(f"{head}: {note}" for head, note in zip(order, notes, strict=True))
        + ".",
        arms=[name for _, _, _, name in cells],
        columns=("Output, loss, targets", "Hidden", "Arm", "Seeds", "Mean test accuracy"),
        rows=[
            [head, HIDDEN[h].label, name, str(len(_runs(results, name))), f"{means[head][h]:.2f} %"]
            for _, head, h, name in cells
        ],
    )


def _larger_factor(means: Mapping[str, Mapping[str, float]]) -> str:
    """Which moves accuracy more: what comes after the hidden layer, or its activation."""
    both = [own for own in means.values() if len(own) == 2]
    spread = {
        "outputs, losses and targets": max(max(own[h] for own in both) - min(own[h] for own in both) for h in both[0]),
        "hidden activations": max(max(own.values()) - min(own.values()) for own in both),
    }
    (more, most), (less, least) = sorted(spread.items(), key=lambda item: -item[1])
    return f"Up to {most:.2f} points lie between {more}, {least:.2f} between {less}"


def dose(results: Mapping[str, Any]) -> Figure:
    """Accuracy against the target of the wrong classes; other targets of the right class marked apart."""
    arms = sorted(_of(results, "dose").items(), key=lambda item: -item[1]["low_target"])
    towards_1 = {arm["low_target"]: 100 * _mean(arm) for _, arm in arms if arm["high_target"] == 1}
    canvas, axes = plt.subplots(figsize=(WIDTH, 3.2))
    axes.plot(list(towards_1), list(towards_1.values()), color=SERIES[2])
    others = []
    runs = [run for name, _ in arms for run in marked(_runs(results, name))]
    for name, arm in arms:
        low, high = arm["low_target"], arm["high_target"]
        colour, marker = (SERIES[2], "s") if high == 1 else (SERIES[0], MARKERS[high - low > 1])
        values = folded(_scores(results, name))
        style: Any = {"color": colour, "markersize": 3.4, "mew": 0, "gid": _rows_where(runs, name)}
        axes.plot([low] * len(values), values, marker, **style)
        if high != 1:
            others.append((f"right class to {high:g}", SERIES[0], low, 100 * _mean(arm)))
    axes.set(xlim=(0.05, -1.05), xlabel="Target of the wrong classes", ylabel="Test accuracy, %")
    axes.set_xticks([0, -0.25, -0.5, -0.75, -1])
    axes.margins(y=0.12)
    axes.grid(axis="y")
    _bare(axes)
    lowest = min(towards_1)
    _name_ends(axes, [("right class to 1", SERIES[2], lowest, towards_1[lowest]), *others])
    return _finished(
        canvas,
        "dose",
        _best_target(towards_1),
        f"Test accuracy of {_every(results, dict(arms), 'seed')} against the target of the wrong classes; the line "
        "joins the means for the right class trained towards 1. "
        + "; ".join(f"{_targets(arm)}: {percent(_mean(arm))}" for _, arm in arms)
        + ".",
        arms=dict(arms),
        columns=("Arm", "Targets", "Seed", "Test accuracy"),
        rows=[
            [run["arm"], _targets(dict(arms)[run["arm"]]), str(run["seed"]), percent(final_accuracy(run))]
            for run in runs
        ],
    )


def _targets(arm: Mapping[str, Any]) -> str:
    return f"{arm['low_target']:g} and {arm['high_target']:g}".replace("-", "−")


def _best_target(means: Mapping[float, float]) -> str:
    best = max(means, key=lambda low: means[low])
    if best == 0:
        return "No lower target of the wrong classes does better than 0"
    return f"Lower targets of the wrong classes: up to {points((means[best] - means[0]) / 100)} points against 0"


RATED = ("example-1", "targets", "example-3")


def rates(results: Mapping[str, Any]) -> Figure:
    """Accuracy on the held-out images by learning rate, a line an arm; what the best rate scores on the test images."""
    found = {r: dict(sorted(_matching(results, f"rate-{r}-*").items(), key=lambda i: _pace(i[1]))) for r in RATED}
    best = {recipe: results["arms"][f"best-rate-{recipe}"] for recipe in RATED}
    chosen = {recipe: _rate(_runs(results, f"best-rate-{recipe}")[0]) for recipe in RATED}
    told = "; ".join(f"{RECIPES[r].label} {percent(_mean(arm))} at {chosen[r]}" for r, arm in best.items())
    held = [(name, _rate(arm), arm, "held-out images") for own in found.values() for name, arm in own.items()]
    tested = [(f"best-rate-{r}", chosen[r], arm, "test images") for r, arm in best.items()]
    return _finished(
        _held_out(results, found),
        "rates",
        "Each at its best rate, " + _ranking({RECIPES[r].label: _mean(arm) for r, arm in best.items()}),
        f"Accuracy of {_every(results, (name for name, *_ in held), 'seed')} on held-out training images by learning "
        f"rate. On the test images, each at the rate that is best there: {told}.",
        arms=[name for name, *_ in held + tested],
        columns=("Arm", "Learning rate", "Seeds", "Mean accuracy", "Measured on"),
        rows=[
            [name, rate, str(len(arm["seeds"])), percent(_mean(arm)), images]
            for name, rate, arm, images in held + tested
        ],
    )


def _held_out(results: Mapping[str, Any], found: Mapping[str, Mapping[str, Any]]) -> Canvas:
    """Every seed at its rate, constant rates joined through their means, schedules to their right."""
    arms = sorted((arm for own in found.values() for arm in own.values()), key=_pace)
    ticks = list(dict.fromkeys(map(_rate, arms)))
    canvas, axes = plt.subplots(figsize=(WIDTH, 3.0))
    ends = []
    row = itertools.count()
    for recipe, own in found.items():
        label, colour, marker = RECIPES[recipe]
        for name, arm in own.items():
            values = folded(_scores(results, name))
            style: Any = {"color": colour, "markersize": 4, "mew": 0, "gid": svg.rows(next(row))}
            axes.plot([ticks.index(_rate(arm))] * len(values), values, marker, **style)
        means = [(ticks.index(_rate(arm)), 100 * _mean(arm)) for arm in own.values()]
        line = [mean for mean, arm in zip(means, own.values(), strict=True) if arm["schedule"] == "constant"]
        axes.plot(*zip(*line, strict=True), color=colour)
        ends.append((label, colour, *means[-1]))
    axes.set(xlabel="Learning rate of Adam", ylabel="Accuracy on held-out images, %")
    axes.set_xticks(range(len(ticks)), [tick.replace(" ", "\n", 1) for tick in ticks])
    axes.margins(x=0.06)
    axes.grid(axis="y")
    _bare(axes)
    _name_ends(axes, ends)
    return canvas


def _pace(arm: Mapping[str, Any]) -> tuple[bool, float]:
    """Sorts constant rates by size, before schedules."""
    return arm["schedule"] != "constant", arm["learning_rate"]


DESCENDED = ("example-3", "cross-entropy", "targets", "example-1", "sigmoid-bce", "sigmoid-mse")


def sgd(results: Mapping[str, Any]) -> Figure:
    """Mean accuracy over the epochs against the learning rate of plain gradient descent, a line an arm."""
    found = {r: sorted(_matching(results, f"sgd-{r}-*").values(), key=_pace) for r in DESCENDED}
    converged = {r: [arm for arm in own if not arm["diverged_seeds"]] for r, own in found.items()}
    best = {r: max(own, key=_mean_epoch) for r, own in converged.items() if own}
    told = "; ".join(f"{RECIPES[r].label} {_mean_epoch(a):.2f} % at {_rate(a)}" for r, a in best.items())
    diverged = [f"{RECIPES[r].label} at {_rate(a)}" for r, own in found.items() for a in own if a["diverged_seeds"]]
    return _finished(
        _descent(found, converged),
        "sgd",
        "Plain SGD, best rates: " + _ranking({RECIPES[r].label: _mean_epoch(a) / 100 for r, a in best.items()}),
        "Mean accuracy over the epochs, on a scale that widens towards 100 %, against the learning rate. Each at its "
        f"best rate: {told}. " + (f"Diverged: {', '.join(diverged)}." if diverged else "No run diverged."),
        arms=_matching(results, "sgd-*"),
        columns=("Arm", "Learning rate", "Mean accuracy over the epochs", "Final test accuracy", "Diverged seeds"),
        rows=[
            [r, _rate(a), f"{_mean_epoch(a):.2f} %", percent(_mean(a)), str(a["diverged_seeds"])]
            for r, own in found.items()
            for a in own
        ],
    )


def _mean_epoch(arm: Mapping[str, Any]) -> float:
    return 100 * float(arm["mean_epoch_accuracy"])


def _descent(found: Mapping[str, Sequence[Any]], converged: Mapping[str, Sequence[Any]]) -> Canvas:
    """Lines of the arms that converged; a cross at the bottom where a run diverged, side by side at one rate."""
    canvas, axes = plt.subplots(figsize=(WIDTH, 3.6))
    ends = []
    first = 0  # the row of the table with which the recipe begins
    for place, (recipe, own) in enumerate(found.items()):
        label, colour, marker = RECIPES[recipe]
        line = [(arm["learning_rate"], _mean_epoch(arm)) for arm in converged[recipe]]
        drawn, lost = ([first + n for n, arm in enumerate(own) if bool(arm["diverged_seeds"]) == d] for d in (0, 1))
        if line:
            axes.plot(*zip(*line, strict=True), marker=marker, color=colour, markersize=4, mew=0, gid=svg.rows(*drawn))
            ends.append((label, colour, *line[0]))
        shift = 1.1 ** (place - (len(found) - 1) / 2)
        crosses = [arm["learning_rate"] * shift for arm in own if arm["diverged_seeds"]]
        axes.plot(crosses, [6] * len(crosses), "x", color=colour, markersize=5, gid=svg.rows(*lost))
        first += len(own)
    every = sorted({arm["learning_rate"] for own in found.values() for arm in own})
    told = "" if converged == found else "; × diverged"
    axes.set(xscale="log", xlim=(every[0] / 1.4, every[-1] * 1.4), xlabel=f"Learning rate{told}")
    axes.set_xticks(every, [f"{rate:g}" for rate in every])
    axes.set_xticks([], minor=True)
    axes.set_yscale("function", functions=(lambda a: -np.log10(101 - a), lambda v: 101 - 10**-v))
    axes.set(yticks=(10, 50, 80, 90, 95), ylim=(3, 98.5), ylabel="Mean accuracy over the epochs, % (stretched)")
    axes.yaxis.tick_right()
    axes.yaxis.set_label_position("right")
    axes.grid(axis="y")
    _bare(axes, "left")
    _name_ends(axes, ends, left=True)
    return canvas


SATURATED = ("example-1", "targets", "sigmoid-mse", "sigmoid-bce", "cross-entropy")


def saturated(results: Mapping[str, Any]) -> Figure:
    """What arms reach whose outputs start saturated: every seed after the first and after the last epoch."""
    arms = {recipe: results["arms"][f"saturated-{recipe}"] for recipe in SATURATED}
    curves = {recipe: _curve(results, f"saturated-{recipe}") for recipe in SATURATED}
    last = max(curve.shape[1] for curve in curves.values())
    order = sorted(SATURATED, key=lambda recipe: -_mean(arms[recipe]))
    canvas, axes = _rows_of(
        [RECIPES[r].label for r in order],
        [f"{curves[r][:, -1].mean():.2f} %" for r in order],
        f"Test accuracy, %, after epoch 1 (small) and after epoch {last} (large)",
    )
    for row, recipe in enumerate(order):
        _, colour, marker = RECIPES[recipe]
        for epoch, size in ((0, 3), (last - 1, 5.5)):
            values = folded(curves[recipe][:, epoch].tolist())
            style: Any = {"color": colour, "markersize": size, "mew": 0, "gid": svg.rows(last * row + epoch)}
            axes.plot(values, row + min(0.07, 0.5 / len(values)) * np.arange(len(values)), marker, **style)
    axes.set_xlim(0, 100)
    slopes = {r: arms[r]["saturation"]["start"]["output_slope_other"] for r in order}
    return _finished(
        canvas,
        "saturated",
        "Started saturated, " + _ranking({RECIPES[r].label: _mean(arms[r]) for r in order}),
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
            [r, _rate(_runs(results, f"saturated-{r}")[0]), signed(slopes[r], 4), str(epoch), f"{value:.2f} %"]
            for r in order
            for epoch, value in enumerate(curves[r].mean(0), 1)
        ],
    )


def depth(results: Mapping[str, Any]) -> Figure:
    """How much of the output layer's gradient signal reaches the first layer at the start, by depth."""
    arms = sorted(_of(results, "depth").items(), key=lambda item: item[1]["depth"])
    heads = list(dict.fromkeys(_head(arm) for _, arm in arms))
    canvas, panels = plt.subplots(len(heads), 1, figsize=(WIDTH, 2.1 * len(heads)), sharex=True, sharey=True)
    ends = {
        axes: _depth_panel(axes, head, [(n, arm) for n, (_, arm) in enumerate(arms) if _head(arm) == head])
        for axes, head in zip(np.atleast_1d(panels), heads, strict=True)
    }
    for axes, lines in ends.items():
        _name_ends(axes, lines)
    axes.set_xlabel("Hidden layers")
    deepest = max(arm["depth"] for _, arm in arms)
    last = [(arm, _signal(arm)) for _, arm in arms if arm["depth"] == deepest]
    told = "; ".join(f"{_head(arm)}, hidden {HIDDEN[arm['hidden']].label}: {_told(value)}" for arm, value in last)
    return _finished(
        canvas,
        "depth",
        _vanishing(
            deepest,
            [(HIDDEN[arm["hidden"]].label, value) for arm, value in last if value and _head(arm) == heads[0]],
        ),
        f"The first hidden layer's gradient signal over the output layer's, before training, by depth. With {deepest} "
        f"hidden layers: {told}.",
        arms=dict(arms),
        columns=("Arm", "Hidden layers", "Hidden", "First over output, start", "Mean test accuracy"),
        rows=[
            [name, str(arm["depth"]), HIDDEN[arm["hidden"]].label, _told(_signal(arm)), percent(_mean(arm))]
            for name, arm in arms
        ],
    )


def _signal(arm: Mapping[str, Any]) -> float | None:
    """The first layer's gradient signal over the output layer's at the start; None where it is not finite."""
    value = ((arm["gradient"] or {}).get("start") or {}).get("first_over_output")
    return None if value is None else float(value)


def _told(signal: float | None) -> str:
    return ratio(signal) if signal else "–"


def _depth_panel(
    axes: Axes, head: str, arms: Sequence[tuple[int, Mapping[str, Any]]]
) -> list[tuple[str, str, float, float]]:
    """Draws a line for each hidden activation of `arms`, (row of the table, arm); returns their ends, to be named."""
    ends = []
    for hidden, (label, colour, marker) in HIDDEN.items():
        own = [(row, arm["depth"], value) for row, arm in arms if arm["hidden"] == hidden and (value := _signal(arm))]
        if own:
            numbers, *line = zip(*own, strict=True)
            axes.plot(*line, marker=marker, color=colour, markersize=4, mew=0, gid=svg.rows(*numbers))
            ends.append((label, colour, *own[-1][1:]))
    axes.set(xscale="log", yscale="log")
    axes.set_title(f"Output: {head}", loc="left", fontweight="bold", pad=3)
    depths = sorted({arm["depth"] for _, arm in arms})
    axes.set_xticks(depths, [str(depth) for depth in depths])
    axes.set_xticks([], minor=True)
    axes.yaxis.set_major_formatter(lambda value, _: ratio(value))
    axes.set_yticks([], minor=True)
    axes.grid(axis="y")
    _bare(axes)
    return ends


def _vanishing(depth: int, signals: Sequence[tuple[str, float]]) -> str:
    if not signals:
        return f"First-layer over output gradient, up to depth {depth}"
    (weak, low), (strong, high) = (end(signals, key=lambda item: item[1]) for end in (min, max))
    return f"At depth {depth}, first-layer over output gradient: {ratio(low)} with {weak}, {ratio(high)} with {strong}"


READ = ("example-1-read-by-cross-entropy", "cross-entropy-read-by-example-1")


def readouts(results: Mapping[str, Any]) -> Figure | None:
    """The hidden layers of Example 1 and of the cross-entropy arm, each under its own and the other's output layer.

    None while no seed of all four is measured.
    """
    titles = {
        "example-1": "Example 1",
        READ[0]: "Example 1's hidden layer under cross-entropy's output",
        READ[1]: "cross-entropy's hidden layer under Example 1's output",
        "cross-entropy": "softmax cross-entropy",
    }
    seeds = set.intersection(*({run["seed"] for run in _runs(results, name)} for name in titles))
    if not seeds:
        return None
    runs = {name: [run for run in _runs(results, name) if run["seed"] in seeds] for name in titles}
    means = {name: float(np.mean([final_accuracy(run) for run in own])) for name, own in runs.items()}
    canvas, axes = _rows_of(list(titles.values()), [percent(mean) for mean in means.values()], "Test accuracy, %")
    shown = {name: marked(own) for name, own in runs.items()}
    every = [run for own in shown.values() for run in own]
    for row, name in enumerate(titles):
        recipe = RECIPES["cross-entropy" if name.startswith("cross-entropy") else "example-1"]
        values = [100 * final_accuracy(run) for run in shown[name]]
        _seeds(axes, values, 100 * means[name], row, *recipe[1:], _rows_where(every, name))
    moved = [points(means[name] - means[name.split("-read-by-")[0]]) for name in READ]
    return _finished(
        canvas,
        "readouts",
        f"Hidden layers read by the other's output: Example 1's {moved[0]} points, cross-entropy's {moved[1]}",
        f"Test accuracy over {len(seeds)} seeds; a frozen hidden layer is read by a new output layer. "
        + "; ".join(f"{titles[name]}: {percent(mean)}" for name, mean in means.items())
        + ".",
        arms=titles,
        columns=("Arm", "Seed", "Test accuracy"),
        rows=[[run["arm"], str(run["seed"]), percent(final_accuracy(run))] for run in every],
    )


def long(results: Mapping[str, Any]) -> Figure:
    """Example 1 against cross-entropy, trained for longer."""
    recipes = {f"long-{recipe}": RECIPES[recipe] for recipe in ("example-1", "cross-entropy")}
    last = {recipe.label: _curve(results, name).mean(0)[-1] / 100 for name, recipe in recipes.items()}
    epochs = _curve(results, next(iter(recipes))).shape[1]
    return _over_epochs(results, "long", f"After epoch {epochs}, {_ranking(last)}", recipes)


SHOWN_IMAGES = 20  # a bin with fewer is in the table alone
CALIBRATED = ("example-1", "targets", "tanh-softmax-mse", "cross-entropy")


def reliability(results: Mapping[str, Any]) -> Figure:
    """Accuracy against confidence, a panel an arm."""
    arms = {name: results["arms"][name] for name in CALIBRATED if name in results["arms"]}
    canvas, panels = plt.subplots(2, 2, figsize=(WIDTH, 4.5), sharex=True, sharey=True)
    for axes in panels.flat[len(arms) :]:
        axes.set_visible(False)
    errors = {name: arm["calibration"]["ece"] for name, arm in arms.items()}
    row = itertools.count()
    for axes, (name, arm) in zip(panels.flat, arms.items(), strict=False):
        label, colour, marker = RECIPES[name]
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
        bins = [(next(row), b) for b in arm["calibration"]["reliability"]]
        shown = [(n, b) for n, b in bins if b[1] >= SHOWN_IMAGES]
        style: Any = {"color": colour, "markersize": 4, "mew": 0, "gid": svg.rows(*(n for n, _ in shown))}
        axes.plot([b[2] for _, b in shown], [b[3] for _, b in shown], marker=marker, **style)
        told = "–" if errors[name] is None else percent(errors[name], 1)
        axes.set_title(f"{label}\nerror {told}", loc="left", fontweight="bold", pad=3)
        axes.set(aspect="equal", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        _bare(axes)
    canvas.supxlabel("Confidence: the top probability", fontsize=STYLE["font.size"])
    canvas.supylabel("Accuracy", fontsize=STYLE["font.size"])
    known = {name: error for name, error in errors.items() if error is not None}
    return _finished(
        canvas,
        "reliability",
        _calibrated({RECIPES[name].label: error for name, error in known.items()}),
        f"Accuracy against confidence over the test images, in {len(CONFIDENCE_EDGES) - 1} bins, of which those with "
        f"{SHOWN_IMAGES} or more are drawn; on the diagonal, confidence is as high as accuracy. "
        + "Expected calibration error: "
        + "; ".join(f"{RECIPES[name].label} {percent(error, 1)}" for name, error in known.items())
        + ".",
        arms=arms,
        columns=("Arm", "Bin from", "Images", "Mean confidence", "Accuracy"),
        rows=[
            [name, f"{edge:.3f}", f"{count:.0f}", f"{confidence:.4f}", percent(right)]
            for name, arm in arms.items()
            for edge, count, confidence, right in arm["calibration"]["reliability"]
        ],
    )


def _calibrated(errors: Mapping[str, float]) -> str:
    """The range that calibration errors span, by its ends; what lies between is not ranked."""
    best, worst = (end(errors, key=lambda name: errors[name]) for end in (min, max))
    return f"Calibration error from {percent(errors[best], 1)} ({best}) to {percent(errors[worst], 1)} ({worst})"
