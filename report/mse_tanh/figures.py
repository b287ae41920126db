"""The figures of this article: those that name its arms and blocks, and the generic ones for its arms.

`draw` is the contract of an article's figures.py, which experiments/plots describes. Each figure is a function
results → Figure, or None where the runs that it compares are not there yet. Its title says what it shows, chosen and
filled in by the numbers. Arms with different seeds are compared over the seeds that they share.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatch
from typing import Any, NamedTuple

import numpy as np

from experiments.analysis.results import ArmResult, ContrastResult, PlateauEpochs, Results, RunResult, require
from experiments.plots import generic, svg
from experiments.plots.figures import MAX_MARKS, Figure, final_accuracy, plotted_runs, plotted_values
from experiments.plots.formats import DASH, count, decimal, plain_percent, points, ratio, share
from experiments.plots.selection import (
    TEST_ACCURACY,
    accuracy_curves,
    accuracy_name,
    arms_matching,
    arms_of_blocks,
    describe_marks,
    mean_accuracy,
    mean_score,
    measured_contrasts,
    on_shared_seeds,
    on_test_images,
    ranking,
    runs_of,
    scores,
    seeds_of,
    short_title,
    with_own_models,
)
from experiments.plots.style import INK, MUTED, SERIES, WIDTH, Recipe
from experiments.plots.toolkit import (
    Axes,
    draw_dumbbell,
    draw_seeds,
    finish,
    hide_ticks,
    label_lines,
    label_rows,
    labelled_panels,
    labelled_rows,
    name_height,
    row_headings,
    row_places,
    rows_height,
    rows_of_arm,
    stacked,
    subplots,
)
from report.mse_tanh import push
from report.mse_tanh.networks import targets_label

RECIPES = {
    "example-1": Recipe("Example 1", SERIES[0], "o"),
    "example-2": Recipe("Example 2", SERIES[0], "D"),
    "example-3": Recipe("Example 3", SERIES[2], "s"),
    "targets": Recipe("targets ±1", SERIES[3], "^"),
    "cross-entropy": Recipe("cross-entropy", INK, "v"),
    "tanh-softmax-mse": Recipe("softmax, squared error", MUTED, "D"),
    "one-sided": Recipe("below 0 not penalised", SERIES[1], "D"),
}
HIDDEN = {  # no networks, so without colours
    "tanh": Recipe("tanh", INK, "o"),
    "relu": Recipe("ReLU", MUTED, "s"),
    "sigmoid": Recipe("sigmoid", MUTED, "^"),
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
        Plot(push.one_digit, ["example-1", "one-sided"]),
        Plot(push.push_back, ["example-1"]),
        Plot(training, ["example-1", "cross-entropy"]),
        Plot(learning_curves, ["example-1"]),
        Plot(outputs, ["example-1"]),
        Plot(confusions, ["example-1"]),
        Plot(changes, ["contrast *"]),
        Plot(wall, ["example-1"]),
        Plot(controls, ["wrong-half", "sigmoid-*"]),
        Plot(dose, ["low*"]),
        Plot(factorial, ["tanh-*", "relu-*"]),
        Plot(rates, ["rate-*"], held_out=True),
        Plot(sgd, ["sgd-*"], held_out=True),
        Plot(saturated, ["saturated-*"]),
        Plot(depth, ["depth*"]),
        Plot(readouts, ["example-1", "cross-entropy"]),
        Plot(long, [f"long-{recipe}" for recipe in LONGER]),
        Plot(reliability, ["example-1", "cross-entropy"]),
    ]


def _available(results: Results, names: Iterable[str]) -> dict[str, ArmResult]:
    """Those of the arms that are measured, in this order."""
    return {name: results["arms"][name] for name in names if name in results["arms"]}


# ---------------------------------------------------------------------------------------------- generic figures


def _examples(results: Results) -> dict[str, ArmResult]:
    """The arms of the examples, and the one beside them that says why."""
    return {**arms_of_blocks(results, "examples"), **_available(results, ["targets"])}


def accuracy(results: Results) -> Figure:
    """The errors of the networks that the answer is about; before they are measured, the accuracy of the examples."""
    arms = _available(results, NETWORKS)
    if len(arms) < len(NETWORKS):
        return generic.accuracy(results, _examples(results), RECIPES)
    canvas, axes = subplots(figsize=(WIDTH, 0.62 * len(arms) + 0.4))
    images = results["dataset"]["test_images"]
    runs = [run for name in arms for run in plotted_runs(runs_of(results, name))]
    means = {name: images * (1 - mean_accuracy(arm)) for name, arm in arms.items()}
    most = 0.0
    for row, (name, (network, made_of)) in enumerate(NETWORKS.items()):
        colour = RECIPES[name].colour
        wrong = [images * (1 - score / 100) for score in plotted_values(scores(results, name))]
        most = max(most, *wrong)
        axes.text(0, row - 0.5, network, fontweight="bold", in_layout=False)
        axes.text(0, row - 0.19, made_of, color=MUTED, in_layout=False)
        axes.plot([0, means[name]], [row, row], color=colour, linewidth=BAR, solid_capstyle="butt")
        style: Any = {"color": colour, "mew": 0, "alpha": 0.75, "gid": rows_of_arm(runs, name)}
        axes.plot(wrong, [row + 0.2] * len(wrong), "o", markersize=3, **style)
        style = {"ha": "right", "va": "center_baseline", "transform": axes.get_yaxis_transform()}
        axes.text(1, row, f"{means[name]:.0f}", fontsize=LARGE, fontweight="bold", **style)
        if (fewer := round(means["example-1"]) - round(means[name])) > 0:
            axes.text(
                max(means[name], *wrong) + images / 2000, row, f"{fewer} fewer", va="center_baseline", color=MUTED
            )
    axes.set(xticks=[], yticks=[], xlim=(0, 1.16 * most), ylim=(len(arms) - 0.75, -0.7))
    axes.set_xlabel(f"Errors in {images:,} test images\nBars: the mean. Dots: single runs.", color=MUTED)
    hide_ticks(axes, "left", "bottom")
    rows = [(NETWORKS[run["arm"]][0], str(run["seed"]), f"{images * (1 - final_accuracy(run)):.0f}") for run in runs]
    return finish(
        canvas,
        "accuracy",
        _fewer_errors(means),
        f"Errors in {images:,} test images. Bars: the mean of the runs. Dots: single runs. "
        + "; ".join(f"{NETWORKS[name][0]} ({NETWORKS[name][1]}): {mean:.0f}" for name, mean in means.items())
        + ".",
        arms,
        ("Network", "Seed", "Errors"),
        rows,
    )


BAR, LARGE = 8, 13.8  # in points: how thick a bar is, and the size of the numbers beside bars
NETWORKS = {  # by arm: what a network is to the article, and what it is made of
    "example-1": ("Example 1, the article’s network", "tanh output, squared error, targets 0 and 1"),
    "targets": ("The same, with targets −1 and 1", "only the targets changed"),
    "cross-entropy": ("The same, with cross-entropy", "softmax output on the same hidden layer"),
    "example-3": ("Example 3, the article’s recommendation", "hidden ReLU, softmax output, cross-entropy"),
}


def _fewer_errors(means: Mapping[str, float]) -> str:
    fewer = 1 - means["targets"] / means["example-1"]
    if fewer > 0:
        return f"Targets of −1 instead of 0 remove {share(fewer, 0)} of the errors"
    return "Targets of −1 instead of 0 remove none of the errors"


def outputs(results: Results) -> Figure:
    return generic.outputs(results, _examples(results), RECIPES)


def confusions(results: Results) -> Figure:
    return generic.confusions(results, with_own_models(arms_of_blocks(results, "examples")), RECIPES)


def reliability(results: Results) -> Figure:
    arms = _available(results, ("example-1", "targets", "tanh-softmax-mse", "cross-entropy"))
    return generic.reliability(results, arms, RECIPES, _probabilities)


CALIBRATED = 0.05  # of the calibration error: below it, outputs nearly are probabilities


def _probabilities(errors: Mapping[str, float]) -> str:
    """Whether the outputs of Example 1 are probabilities, by the calibration errors by label."""
    own = errors.get("Example 1")
    others = {label: error for label, error in errors.items() if label != "Example 1"}
    if own is None or not others:
        return generic.calibration_range(errors)
    best = min(others, key=lambda label: others[label])
    answer = "nearly are" if own < CALIBRATED else "are not"
    error, other = plain_percent(own, 1), plain_percent(others[best], 1)
    return f"Example 1’s {answer}: calibration error {error}, against {other} with {best}"


# ---------------------------------------------------------------------------------------------- over the epochs


def learning_curves(results: Results) -> Figure | None:
    """Example 1 against the others after each epoch."""
    names = [*_available(results, ("example-1", "targets", "cross-entropy", "example-3"))]
    shared = on_shared_seeds(results, names)
    if shared is None:
        return None
    curves = {name: accuracy_curves(shared, name).mean(0) for name in names}
    plateaus = {name: plateau for name in names if (plateau := results["arms"][name].get("epochs_to_plateau"))}
    pace = "; ".join(f"{RECIPES[name].label} after {plateau['mean']:.1f}" for name, plateau in plateaus.items())
    return generic.plot_epochs(
        shared,
        "learning-curves",
        _slower(plateaus) or _behind(curves),
        {name: RECIPES[name] for name in names},
        more=f"Epochs until a run comes within half a point of its own plateau, on average: {pace}." if pace else "",
    )


def _slower(plateaus: Mapping[str, PlateauEpochs]) -> str:
    """Whether Example 1 takes longer to its own plateau than cross-entropy to its own; "" where one has none."""
    own, other = (plateaus[name]["mean"] if name in plateaus else None for name in ("example-1", "cross-entropy"))
    if own is None or other is None:
        return ""
    answer = "Yes" if own > other else "No"
    return f"{answer}: Example 1 comes near its own plateau after {own:.1f} epochs, cross-entropy after {other:.1f}"


def _behind(curves: Mapping[str, np.ndarray]) -> str:
    """After how many epochs Example 1 is less accurate than all others."""
    epochs = min(map(len, curves.values()))
    own, *others = (curve[:epochs] for curve in curves.values())
    if not others:
        return f"Example 1 reaches {own[-1]:.2f} % after epoch {len(own)}"
    behind, ahead = (int(np.all([sign * (o - own) > 0 for o in others], axis=0).sum()) for sign in (1, -1))
    if ahead == len(own):
        return "Example 1 is ahead after every epoch"
    if behind == len(own):
        return "Example 1 is behind after every epoch"
    return f"Example 1 is behind all others after {behind} of {len(own)} epochs"


LONGER = ("example-1", "cross-entropy")


def long(results: Results) -> Figure | None:
    """Example 1 against cross-entropy, trained for longer: on the test images, and how well the training images fit."""
    recipes = {f"long-{recipe}": RECIPES[recipe] for recipe in LONGER}
    shared = on_shared_seeds(results, recipes)
    if shared is None:
        return None
    last = {name: float(accuracy_curves(shared, name).mean(0)[-1]) / 100 for name in recipes}
    fits = {f"long-{recipe}": _training_accuracy_by_epoch(results, recipe, seeds_of(shared)) for recipe in LONGER}
    epochs = runs_of(shared, "long-example-1")[0]["epochs"]
    lead = last["long-cross-entropy"] - last["long-example-1"]
    answer = f"{'No' if lead > 0 else 'Yes'}: after {epochs} epochs"
    title = f"{answer} {ranking({recipes[name].label: value for name, value in last.items()})}"
    more = ""
    if all(epochs in fit for fit in fits.values()):
        own, other = (fits[name][epochs] for name in recipes)
        leads = f"{points(lead)} points on test, {points(other - own)} on training images"
        title = f"{answer}, cross-entropy’s lead is {leads}"
        more = "On the training images: " + "; ".join(
            f"{recipes[name].label} {plain_percent(value)} after epoch {epoch}"
            for name, fit in fits.items()
            for epoch, value in fit.items()
        )
    return generic.plot_epochs(shared, "long", title, recipes, fits if more else None, more and more + ".")


def _training_accuracy_by_epoch(results: Results, recipe: str, seeds: Sequence[int]) -> dict[int, float]:
    """The mean training accuracy at the end of an arm's usual runs, and of its longer ones, where both were measured.

    With the same seed the longer run passes through the shorter one.
    """
    fits = {}
    for name in (recipe, f"long-{recipe}"):
        runs = [run for run in runs_of(results, name) if run["seed"] in seeds]
        values = [run["training_accuracy"] for run in runs if run["training_accuracy"] is not None]
        if len(values) == len(seeds):
            fits[runs[0]["epochs"]] = float(np.mean(values))
    return fits


# ---------------------------------------------------------------------------------------------- what an arm is called


CHANGES = {  # where the title would be too long
    "one-sided": "below 0 not penalised",
    "linear-one-sided": "linear output, below 0 not penalised",
    "cross-entropy": "softmax and cross-entropy",
}


def _change(results: Results, name: str) -> str:
    """What an arm's title says beside `Example 1`."""
    title = short_title(results["arms"][name]["title"])
    return CHANGES.get(name) or re.sub(r"^Example 1(,| with) (an? )?", "", title)


def _rate_label(trained: ArmResult | RunResult) -> str:
    """The learning rate of an arm or a run."""
    rate = f"{trained['learning_rate']:g}"
    return rate if trained["schedule"] == "constant" else f"{rate}, {trained['schedule']}"


def _head_label(arm: ArmResult) -> str:
    """An arm's output activation and loss, and the targets where they could be others."""
    label = f"{arm['output']}, {LOSSES.get(arm['loss'], arm['loss'])}"
    return f"{label}, {targets_label(arm)}" if arm["output"] in ("tanh", "linear") else label


def _over_seeds(results: Results) -> str:
    number = len(seeds_of(results))
    return f"over {count(number)} seed{'s' if number > 1 else ''}"


# ---------------------------------------------------------------------------------------------- one change at a time


def changes(results: Results) -> Figure | None:
    """The declared contrasts, by what they compare with. None while no single change to Example 1 is measured."""
    single = [
        contrast
        for contrast in measured_contrasts(results)
        if contrast["confirmatory"]
        and contrast["second"] == "example-1"
        and results["arms"][contrast["first"]]["block"] == "changes"
    ]
    if not single:
        return None
    return generic.contrasts(
        results,
        "changes",
        _helpful(results, single),
        lambda contrast: _change_beside(results, contrast),
        lambda contrast: _reference(results, contrast),
        lambda contrast: RECIPES[contrast["first"]].colour if contrast["first"] in RECIPES else INK,
    )


def _reference(results: Results, contrast: ContrastResult) -> str:
    """What a contrast compares with; Example 3 stands apart, because it is no single change."""
    if contrast["second"] == "example-1":
        return f"Example 1, {'all at once' if contrast['first'] == 'example-3' else 'one change at a time'}"
    return "a linear output" if contrast["second"] == "linear-output" else _change(results, contrast["second"])


def _change_beside(results: Results, contrast: ContrastResult) -> str:
    """What the first arm of a contrast changes; what it has in common with the second is left out."""
    first, second = (_change(results, contrast[end]) for end in ("first", "second"))
    return _capitalised(first.removeprefix(f"{second}, "))


def _capitalised(text: str) -> str:
    return text[0].upper() + text[1:]


def _helpful(results: Results, single: Sequence[ContrastResult]) -> str:
    """Which single changes to Example 1 help by more than the margin of equivalence, and what the others do."""
    margin = max(contrast["equivalence_margin"] or 0 for contrast in results["contrasts"])
    level = 1 - results["confidence"]
    helpful = [contrast for contrast in single if contrast["mean"] > margin and contrast["p_holm"] < level]
    others = [contrast["mean"] for contrast in single if contrast not in helpful]
    if not helpful:
        return f"No single change to Example 1 clearly adds more than {points(margin, signed=False)} points"
    means = [contrast["mean"] for contrast in helpful]
    most = points(max(others), signed=False) if others else ""
    if len(helpful) == 1:
        rest = f"; the rest, at most {most}" if others else ""
        return (
            f"A single change clearly helps, {_change(results, helpful[0]['first'])}: {points(means[0])} points{rest}"
        )
    rest = f"; the other {count(len(others))}, at most {most}" if others else ""
    low, high = points(min(means), signed=False), points(max(means), signed=False)
    return f"{_capitalised(count(len(helpful)))} single changes each add {low} to {high} points{rest}"


TRAINED = (
    "example-1",
    "linear-output",
    "relu",
    "targets",
    "one-sided",
    "linear-one-sided",
    "cross-entropy",
    "example-3",
)


def training(results: Results) -> Figure | None:
    """How well arms fit the training images beside the test images, how saturated they end, and what none gets right.

    Arms with other seeds than Example 1 are left out: how many images are always wrong depends on the number of runs.
    None where no training accuracy was measured, as in an older record, or not yet that of cross-entropy.
    """
    arms = {
        name: arm
        for name, arm in _available(results, TRAINED).items()
        if arm.get("training_accuracy") and arm["seeds"] == results["arms"]["example-1"]["seeds"]
    }
    if not {"example-1", "cross-entropy"} <= arms.keys():
        return None
    labels = [_capitalised(_change(results, name)) for name in arms]
    xlabels = ("Accuracy, %:\ntest ○, training ●", "Saturated\nunits, %", "Wrong in\nevery run")
    canvas, (fit, flat, wrong) = labelled_panels(labels, (), xlabels, (3, 1.5, 1.5))
    for row, (name, arm) in enumerate(arms.items()):
        colour = RECIPES[name].colour if name in RECIPES else MUTED
        draw_dumbbell(fit, (100 * mean_accuracy(arm), 100 * _training_mean(arm)), row, colour, "o", (row, row))
        for axes, value in ((flat, _final_saturation(arm)), (wrong, arm.get("always_wrong"))):
            if value is not None:
                shown = 100 * value if axes is flat else value
                axes.plot([shown], [row], "o", color=colour, markersize=5, mew=0, gid=svg.rows(row))
    flat.set(xlim=(0, 100), xticks=(0, 50, 100))
    wrong.set_xlim(left=0)
    wrong.locator_params(axis="x", nbins=2)
    return finish(
        canvas,
        "training",
        _fitting(arms),
        f"Accuracy on the test images and on the training images, over {count(len(arms['example-1']['seeds']))} seeds; "
        "the share of hidden tanh outputs beyond ±0.95 at the end; the test images that every run gets wrong. "
        + "; ".join(
            f"{label}: test {plain_percent(mean_accuracy(arm))}, training {plain_percent(_training_mean(arm))}"
            for label, arm in zip(labels, arms.values(), strict=True)
        )
        + ".",
        arms=arms,
        columns=("Arm", "Seeds", "Test accuracy", "Training accuracy", "Saturated hidden units", "Wrong in every run"),
        rows=[
            [
                *(name, str(len(arm["seeds"])), plain_percent(mean_accuracy(arm)), plain_percent(_training_mean(arm))),
                *(plain_percent(_final_saturation(arm), 1), decimal(arm.get("always_wrong"), 0)),
            ]
            for name, arm in arms.items()
        ],
    )


def _training_mean(arm: ArmResult) -> float:
    return float(require(arm.get("training_accuracy"))["mean"])


def _final_saturation(arm: ArmResult) -> float | None:
    """The share of the last hidden layer's outputs that are saturated after training; None for ReLU."""
    hidden = arm["saturation"] and arm["saturation"]["final"].get("hidden")
    return hidden[-1] if hidden else None


def _fitting(arms: Mapping[str, ArmResult]) -> str:
    """Whether Example 1 fits the training images better than cross-entropy, if not the test images."""
    own, other = (_training_mean(arms[name]) for name in ("example-1", "cross-entropy"))
    answer = "No: Example 1 fits worse, too" if own < other else "Yes: Example 1 fits better" if own > other else "No"
    return f"{answer}: {plain_percent(own)} of training images right, cross-entropy {plain_percent(other)}"


# ---------------------------------------------------------------------------------------------- what could refute us

WALL = {"wall-4": "4", "example-1": "1", "wall-quarter": "¼", "wall-sixteenth": "1⁄16", "one-sided": "0"}
FREE = "Below 0 not penalised"
GENTLER = ("Control: wrong classes’ errors halved", "Control: above 1 not penalised")
EFFECTS = {  # by network, what is changed in it: the arm with the change and the arm without it
    "Example 1": {
        FREE: ("one-sided", "example-1"),
        GENTLER[0]: ("wrong-half", "example-1"),
    },
    "a linear output": {
        FREE: ("linear-one-sided", "linear-output"),
        GENTLER[1]: ("overshoot-free", "linear-output"),
    },
    "a sigmoid output": {
        "Targets ½ and 1: can undershoot": ("sigmoid-undershoots", "tanh-sigmoid-mse"),
        "Control: targets 0 and ½, equally close": ("sigmoid-half", "tanh-sigmoid-mse"),
    },
}


class Effect(NamedTuple):
    """A change of a network: the arms with and without it, and how much accuracy it adds, by seed."""

    network: str
    label: str
    first: str
    second: str
    gains: Mapping[int, float]

    @property
    def mean(self) -> float:
        return float(np.mean([*self.gains.values()]))


def wall(results: Results) -> Figure | None:
    """Accuracy by what undershooting the low target costs.

    None while no other weight than Example 1's was measured, or no seed that all arms share.
    """
    weights = {name: weight for name, weight in WALL.items() if name in results["arms"]}
    shared = on_shared_seeds(results, weights)
    if shared is None or not {*weights} - {"example-1", "one-sided"}:
        return None
    by_seed = _accuracy_by_seed(shared)
    means = [mean_score(shared, name) for name in weights]
    seeds = seeds_of(shared)[:MAX_MARKS]
    canvas, axes = subplots(figsize=(WIDTH, 2.7))
    _draw_steps(axes, weights, [[by_seed[name][seed] for seed in seeds] for name in weights])
    axes.plot([100 * mean for mean in means], color=INK, linewidth=2)
    for step, (before, after) in enumerate(itertools.pairwise(means)):
        style: Any = {"ha": "right", "va": "bottom", "fontweight": "bold"}
        axes.text(step + 0.5, 50 * (before + after) + 0.22, points(after - before), **style)
    axes.set_ylim(top=axes.get_ylim()[1] + 0.15)
    return finish(
        canvas,
        "wall",
        _rising(means),
        f"Test accuracy by the weight of undershooting in the loss, {_over_seeds(shared)}, and their mean. "
        + "; ".join(f"{weight}: {plain_percent(mean)}" for weight, mean in zip(weights.values(), means, strict=True))
        + ".",
        arms=weights,
        columns=("Arm", "Seed", "Test accuracy"),
        rows=[(name, str(seed), plain_percent(by_seed[name][seed])) for name in weights for seed in seeds],
    )


def _accuracy_by_seed(results: Results) -> dict[str, dict[int, float]]:
    """By arm."""
    return {name: {run["seed"]: final_accuracy(run) for run in runs_of(results, name)} for name in results["arms"]}


def controls(results: Results) -> Figure | None:
    """What not penalising undershooting does, and beside it what like changes do. None while no seed is shared."""
    pairs = [(network, label, *pair) for network, changes in EFFECTS.items() for label, pair in changes.items()]
    pairs = [pair for pair in pairs if {*pair[2:]} <= results["arms"].keys()]
    shared = on_shared_seeds(results, dict.fromkeys(name for pair in pairs for name in pair[2:]))
    if shared is None:
        return None
    by_seed = _accuracy_by_seed(shared)
    effects = [Effect(*pair, {k: y - by_seed[pair[3]][k] for k, y in by_seed[pair[2]].items()}) for pair in pairs]
    seeds = seeds_of(shared)[:MAX_MARKS]
    headings = row_headings([f"changes to {effect.network}" for effect in effects])
    notes = [points(effect.mean) for effect in effects]
    texts = ([effect.label for effect in effects], notes, "Change in test accuracy, points")
    canvas, axes = labelled_rows(*texts, headings, zero=True)
    _draw_gains(axes, effects, row_places(len(effects), headings), seeds)
    return finish(
        canvas,
        "controls",
        _gentler(effects),
        f"What changes do to a network, in points of test accuracy, paired by seed, {_over_seeds(shared)}. "
        + "; ".join(f"{e.label} ({e.network}): {note}" for e, note in zip(effects, notes, strict=True))
        + ".",
        arms=shared["arms"],
        columns=("Arm", "Compared with", "Seed", "Change"),
        rows=[(e.first, e.second, str(seed), points(e.gains[seed])) for e in effects for seed in seeds],
    )


def _gentler(effects: Sequence[Effect]) -> str:
    """Whether gentler losses that do not single out undershooting help half as much as not penalising it."""
    free = [effect.mean for effect in effects if effect.label == FREE]
    gentle = [effect.mean for effect in effects if effect.label in GENTLER]
    if not free or not gentle:
        return "What changes like these add"
    answer = "No" if all(mean < min(free) / 2 for mean in gentle) else "In part"
    most, least = points(max(gentle), signed=False), points(min(free), signed=False)
    return f"{answer}: controls gain at most {most} points, not penalising outputs below 0 at least {least}"


def _draw_steps(axes: Axes, weights: Mapping[str, str], accuracies: Sequence[Sequence[float]]) -> None:
    """accuracies: by weight, of each seed. Every seed is a mark, and a line from weight to weight.

    weights: how each arm's weight is written.
    """
    for line in zip(*accuracies, strict=True):
        axes.plot([100 * value for value in line], color=MUTED, linewidth=0.5)
    row = itertools.count()
    for place, (name, values) in enumerate(zip(weights, accuracies, strict=True)):
        colour = RECIPES[name].colour if name in RECIPES else MUTED
        style: Any = {"color": colour, "markersize": 4, "mew": 0, "gid": svg.rows(*(next(row) for _ in values))}
        axes.plot([place] * len(values), [100 * value for value in values], "o", **style)
    axes.set_xticks(range(len(weights)), [*weights.values()])
    name_height(axes, "Test accuracy, %")
    axes.set_xlabel("Penalty for undershooting, times the usual")
    axes.locator_params(axis="y", nbins=5)
    axes.grid(axis="y")
    hide_ticks(axes)


def _draw_gains(axes: Axes, effects: Sequence[Effect], places: Sequence[float], seeds: Sequence[int]) -> None:
    for number, (place, effect) in enumerate(zip(places, effects, strict=True)):
        colour = MUTED if effect.label.startswith("Control") else INK
        gid = svg.rows(*(number * len(seeds) + seed for seed in range(len(seeds))))
        draw_seeds(axes, [100 * effect.gains[seed] for seed in seeds], 100 * effect.mean, place, colour, "o", gid)


def _rising(means: Sequence[float]) -> str:
    """At how many steps accuracy rises while undershooting is penalised less and less."""
    rising = sum(later > earlier for earlier, later in itertools.pairwise(means))
    steps, total = len(means) - 1, points(means[-1] - means[0])
    if rising == steps:
        return f"The less undershooting is penalised, the higher the accuracy: {total} points in all"
    return f"Accuracy rises at {rising} of {steps} steps as undershooting is penalised less: {total} points in all"


# ---------------------------------------------------------------------------------------------- outputs and targets


def factorial(results: Results) -> Figure | None:
    """Every output, loss and target coding, with hidden tanh and hidden ReLU. None while no two can be compared."""
    shared = on_shared_seeds(results, arms_of_blocks(results, "outputs"))
    if shared is None:
        return None
    heads: dict[str, dict[str, str]] = {}
    for name, arm in shared["arms"].items():
        heads.setdefault(_head_label(arm), {})[arm["hidden"]] = name
    means = {
        head: {hidden: 100 * mean_score(shared, name) for hidden, name in group.items()}
        for head, group in heads.items()
    }
    if not any(len(pair) == 2 for pair in means.values()):
        return None
    order = sorted(means, key=lambda head: -max(means[head].values()))
    cells = [(row, head, hidden, name) for row, head in enumerate(order) for hidden, name in heads[head].items()]
    notes = [" · ".join(f"{HIDDEN[h].label} {means[head][h]:.2f}" for h in sorted(means[head])[::-1]) for head in order]
    marked = [
        "  ".join(f"{generic.SYMBOLS[HIDDEN[h].marker]}{means[head][h]:.2f}" for h in sorted(means[head])[::-1])
        for head in order
    ]
    canvas, axes = labelled_rows(
        order, marked, "Test accuracy, %: hidden tanh ●, hidden ReLU ■; lines: from the lowest seed to the highest"
    )
    for number, (row, head, hidden, name) in enumerate(cells):
        _, colour, marker = HIDDEN[hidden]
        place, values = row + 0.12 * (hidden == "relu"), scores(shared, name)
        axes.plot([min(values), max(values)], [place, place], color=colour, linewidth=1)
        axes.plot([means[head][hidden]], [place], marker, color=colour, markersize=5, mew=0, gid=svg.rows(number))
    return finish(
        canvas,
        "factorial",
        _larger_factor(means),
        f"Test accuracy by output, loss and targets, with hidden tanh and hidden ReLU, {_over_seeds(shared)}. "
        + "; ".join(f"{head}: {note}" for head, note in zip(order, notes, strict=True))
        + ".",
        arms=[name for _, _, _, name in cells],
        columns=("Output, loss, targets", "Hidden", "Arm", "Seeds", "Mean test accuracy"),
        rows=[
            [head, HIDDEN[h].label, name, str(len(runs_of(shared, name))), f"{means[head][h]:.2f} %"]
            for _, head, h, name in cells
        ],
    )


def _larger_factor(means: Mapping[str, Mapping[str, float]]) -> str:
    """Which moves accuracy more: what comes after the hidden layer, or its activation."""
    both = [pair for pair in means.values() if len(pair) == 2]
    head = max(max(group[h] for group in both) - min(group[h] for group in both) for h in both[0])
    hidden = max(max(pair.values()) - min(pair.values()) for pair in both)
    parts = {"output, loss and targets": head, "hidden activation": hidden}
    (more, most), (less, least) = sorted(parts.items(), key=lambda item: -item[1])
    return f"Up to {most:.2f} points come from {more}, up to {least:.2f} from {less}"


def dose(results: Results) -> Figure | None:
    """Where the targets lie, a row a coding from the worst to the best, and what they score."""
    shared = on_shared_seeds(results, arms_of_blocks(results, "dose"))
    if shared is None:
        return None
    means = {name: mean_score(shared, name) for name in shared["arms"]}
    arms = {name: shared["arms"][name] for name in sorted(means, key=lambda name: means[name])}
    runs = [run for name in arms for run in plotted_runs(runs_of(shared, name))]
    canvas, (left, right) = labelled_panels(
        [targets_label(arm) for arm in arms.values()],
        [plain_percent(means[name]) for name in arms],
        ("Targets: wrong ○,\nright class ●", "Test accuracy, %"),
        (2, 3),
    )
    left.set(xlim=(-1.1, 1.1), xticks=(-1, 0, 1))
    first = 0
    for row, (name, arm) in enumerate(arms.items()):
        colour, values = _targets_colour(arm), plotted_values(scores(shared, name))
        draw_dumbbell(left, (arm["low_target"], arm["high_target"]), row, colour, "o", (first, first))
        draw_seeds(right, values, 100 * means[name], row, colour, "o", rows_of_arm(runs, name))
        first += len(values)
    return finish(
        canvas,
        "dose",
        _best_targets(arms, means),
        f"Where the targets of wrong classes and of the right class lie, and the test accuracy {_over_seeds(shared)}. "
        + "; ".join(f"{targets_label(arm)}: {plain_percent(means[name])}" for name, arm in arms.items())
        + ".",
        arms=arms,
        columns=("Arm", "Targets", "Seed", "Test accuracy"),
        rows=[
            [run["arm"], targets_label(arms[run["arm"]]), str(run["seed"]), plain_percent(final_accuracy(run))]
            for run in runs
        ],
    )


def _targets_colour(arm: ArmResult) -> str:
    """Example 1's own, that of targets −1 and 1, or grey."""
    own = {(0.0, 1.0): "example-1", (-1.0, 1.0): "targets"}.get((arm["low_target"], arm["high_target"]))
    return RECIPES[own].colour if own else MUTED


def _best_targets(arms: Mapping[str, ArmResult], means: Mapping[str, float]) -> str:
    """What moving the targets adds at Example 1's distance, and what more distance adds."""
    own = next((name for name, arm in arms.items() if (arm["low_target"], arm["high_target"]) == (0, 1)), None)
    *_, best = arms
    if own is None:
        return f"Targets {targets_label(arms[best])} do best: {plain_percent(means[best])}"
    if best == own:
        return f"Neither: no other targets do better than {targets_label(arms[own])}"
    gains = {name: means[name] - means[own] for name in arms if name != own}
    moved = [gain for name, gain in gains.items() if arms[name]["high_target"] - arms[name]["low_target"] <= 1]
    wider = [gain for name, gain in gains.items() if arms[name]["high_target"] - arms[name]["low_target"] > 1]
    if not moved or not wider:
        gain = points(gains[best], signed=False)
        return f"Targets {targets_label(arms[best])} do best, {gain} points better than {targets_label(arms[own])}"
    near, far = max(moved), max(wider)
    answer = ("Both" if near > 0 else "How far apart") if far > near else "Where they lie"
    gains_of = (
        f"{points(near, signed=False)} points at the same distance, lower and wider ones {points(far, signed=False)}"
    )
    return f"{answer}: lower targets gain {gains_of}"


# ---------------------------------------------------------------------------------------------- the learning rate


def rates(results: Results) -> Figure | None:
    return _best_rates(results, "rates", "rate", _only_the_rate)


def sgd(results: Results) -> Figure | None:
    return _best_rates(results, "sgd", "sgd", lambda means: f"With plain SGD, each at its best rate, {ranking(means)}")


def _only_the_rate(means: Mapping[str, float]) -> str:
    """Whether Example 1 is no longer the worst where each network has its best rate; `means`: accuracy by label."""
    own = means.get("Example 1", 0.0)
    if own < max(means.values()):
        return f"No: each at its best rate, {ranking(means).replace(' lead', ' still lead', 1)}"
    return f"Yes: each at its best rate, {ranking(means)}"


def _best_rates(results: Results, figure: str, kind: str, title: Callable[[Mapping[str, float]], str]) -> Figure | None:
    """Accuracy by learning rate where rates are chosen; below it, each network at its best rate on the test images.

    None unless two networks have chosen a rate and share seeds.
    """
    best = {f"best-{kind}-{recipe}": recipe for recipe in RECIPES if f"best-{kind}-{recipe}" in results["arms"]}
    tried = {
        recipe: dict(sorted(arms_matching(results, f"{kind}-{recipe}-*").items(), key=lambda item: _pace(item[1])))
        for recipe in best.values()
    }
    tested = on_shared_seeds(results, best)
    if tested is None or len(best) < 2 or not all(tried.values()):
        return None
    every = {name: arm for group in tried.values() for name, arm in group.items()}
    chosen = {name: _rate_label(runs_of(tested, name)[0]) for name in best}
    labels = [f"{RECIPES[recipe].label}, rate {chosen[name]}" for name, recipe in best.items()]
    notes = [plain_percent(mean_score(tested, name)) for name in best]
    texts = (labels, notes, "Test accuracy, %, each at its best rate")
    canvas, (top, bottom) = stacked(3, rows_height(*texts))
    _draw_rates(top, results, tried)
    label_rows([bottom], *texts)
    runs = [run for name in best for run in plotted_runs(runs_of(tested, name))]
    for row, (name, recipe) in enumerate(best.items()):
        values = plotted_values(scores(tested, name))
        gid = svg.rows(*(len(every) + place for place, run in enumerate(runs) if run["arm"] == name))
        draw_seeds(bottom, values, 100 * mean_score(tested, name), row, *RECIPES[recipe][1:], gid)
    lost = ", ".join(f"{name}" for name, arm in every.items() if arm["diverged_seeds"])
    return finish(
        canvas,
        figure,
        title({RECIPES[recipe].label: mean_score(tested, name) for name, recipe in best.items()}),
        f"{accuracy_name(every)} of {describe_marks(results, every, 'seed')} by learning rate, on which each network’s "
        f"rate is chosen. Below, each trained anew at its best rate, on the test images, {_over_seeds(tested)}: "
        + "; ".join(f"{label}: {note}" for label, note in zip(labels, notes, strict=True))
        + (f". Diverged: {lost}." if lost else "."),
        arms=[*every, *best],
        columns=("Arm", "Learning rate", "Seed", "Accuracy", "Measured on"),
        rows=[
            *(
                [name, _rate_label(arm), f"{len(arm['seeds'])} seeds", plain_percent(mean_accuracy(arm)), _images(arm)]
                for name, arm in every.items()
            ),
            *(
                [run["arm"], chosen[run["arm"]], str(run["seed"]), plain_percent(final_accuracy(run)), "test images"]
                for run in runs
            ),
        ],
    )


def _images(arm: ArmResult) -> str:
    return "test images" if arm["test_accuracy"] is not None else "held-out images"


WIDE = 20  # points of accuracy: an axis that spans more is stretched towards its upper end


def _draw_rates(axes: Axes, results: Results, tried: Mapping[str, Mapping[str, ArmResult]]) -> None:
    """Every seed at its rate, constant rates joined through their means, then schedules; × where one diverged."""
    arms = sorted((arm for group in tried.values() for arm in group.values()), key=_pace)
    ticks = list(dict.fromkeys(map(_rate_label, arms)))
    ends, row = [], itertools.count()
    for recipe, group in tried.items():
        label, colour, marker = RECIPES[recipe]
        means = []
        for name, arm in group.items():
            place, gid = ticks.index(_rate_label(arm)), svg.rows(next(row))
            if arm["diverged_seeds"]:
                style: Any = {"color": colour, "transform": axes.get_xaxis_transform(), "gid": gid}
                axes.plot([place], [0.03], "x", **style)
                continue
            values = plotted_values(scores(results, name))
            axes.plot([place] * len(values), values, marker, color=colour, markersize=4, mew=0, gid=gid)
            means.append((place, 100 * mean_accuracy(arm), arm["schedule"] == "constant"))
        if means:
            axes.plot(*zip(*[mean[:2] for mean in means if mean[2]], strict=True), color=colour)
            ends.append((label, colour, *means[-1][:2]))
    held_out = all(_images(arm) == "held-out images" for arm in arms)
    measure = "Held-out accuracy, %" if held_out else f"{TEST_ACCURACY}, %"
    axes.locator_params(axis="y", nbins=4)
    low, high = axes.get_ylim()
    if high - low > WIDE:
        axes.set_yscale("function", functions=(lambda a: -np.log10(101 - a), lambda v: 101 - 10**-v))
        axes.set(ylim=(max(0, low), min(high, 99)), yticks=[tick for tick in (10, 50, 80, 90, 95, 98) if tick > low])
        measure += " (stretched)"
    name_height(axes, measure)
    axes.set_xlabel("Learning rate")
    axes.set_xticks(range(len(ticks)), [tick.replace(" ", "\n", 1) for tick in ticks])
    axes.margins(x=0.06)
    axes.grid(axis="y")
    hide_ticks(axes)
    label_lines(axes, ends)


def _pace(arm: ArmResult) -> tuple[bool, float]:
    """Sorts constant rates by size, before schedules."""
    return arm["schedule"] != "constant", arm["learning_rate"]


# ---------------------------------------------------------------------------------------------- gradients


def saturated(results: Results) -> Figure | None:
    """What arms reach whose outputs start saturated: every seed after the first and after the last epoch."""
    arms = arms_matching(results, "saturated-*")
    recipes = {name: RECIPES[recipe] for name in arms if (recipe := _started_as(name)) in RECIPES}
    shared = on_shared_seeds(results, recipes)
    if shared is None:
        return None
    curves = {name: accuracy_curves(shared, name) for name in recipes}
    last = max(curve.shape[1] for curve in curves.values())
    order = sorted(recipes, key=lambda name: (arms[name]["optimizer"] != "sgd", -curves[name][:, -1].mean()))
    labels = {name: f"{recipes[name].label}, {_optimizer_label(arms[name])}" for name in order}
    canvas, axes = labelled_rows(
        list(labels.values()),
        [f"{curves[name][:, -1].mean():.2f} %" for name in order],
        f"Test accuracy, %\nafter epoch 1 (small) and after epoch {last} (large)",
    )
    for row, name in enumerate(order):
        _, colour, marker = recipes[name]
        for epoch, size in ((0, 2.6), (last - 1, 5)):
            values = plotted_values(curves[name][:, epoch].tolist())
            style: Any = {"color": colour, "markersize": size, "mew": 0, "gid": svg.rows(last * row + epoch)}
            axes.plot(values, row + np.linspace(0, 0.3, len(values)), marker, **style)
    axes.set_xlim(0, 100)
    slopes = {name: (s := arms[name]["saturation"]) and s["start"]["output_slope_other"] for name in order}
    return finish(
        canvas,
        "saturated",
        _from_saturation(
            {_optimizer_label(arms[n]): curves[n][:, -1].mean() for n in order if _started_as(n) == "example-1"}
        ),
        f"Test accuracy of networks whose outputs start saturated, by a large kernel, {_over_seeds(shared)}. "
        + "; ".join(
            f"{labels[name]}: {curves[name][:, 0].mean():.2f} % after epoch 1, {curves[name][:, -1].mean():.2f} % "
            f"after epoch {last}"
            + ("" if slopes[name] is None else f", mean output slope {slopes[name]:.3f} at the start")
            for name in order
        )
        + ".",
        arms=order,
        columns=("Arm", "Learning rate", "Output slope at the start", "Epoch", "Mean test accuracy"),
        rows=[
            [name, _rate_label(runs_of(shared, name)[0]), decimal(slopes[name], 4), str(epoch), f"{value:.2f} %"]
            for name in order
            for epoch, value in enumerate(curves[name].mean(0), 1)
        ],
    )


def _started_as(name: str) -> str:
    """Which network a saturated one is otherwise."""
    return name.removeprefix("saturated-").removeprefix("adam-")


def _optimizer_label(arm: ArmResult) -> str:
    return {"sgd": "plain SGD", "adam": "Adam"}.get(arm["optimizer"], arm["optimizer"])


def _from_saturation(reached: Mapping[str, float]) -> str:
    """What Example 1 reaches from a saturated start, by optimizer."""
    if not reached:
        return "Accuracy from a saturated start"
    summary = ", ".join(f"{value:.1f} % with {optimizer}" for optimizer, value in reached.items())
    only = "only " if max(reached.values()) < HALF else ""
    return f"If outputs start saturated, Example 1 reaches {only}{summary}"


HALF = 50  # per cent of the images


def depth(results: Results) -> Figure | None:
    """What shallow and deep networks get of the gradient's signal before training, and what they score after it."""
    groups: dict[str, dict[int, str]] = {}
    for name, arm in arms_of_blocks(results, "depth").items():
        groups.setdefault(_layers_label(arm), {})[arm["depth"]] = name
    depths = {depth for group in groups.values() for depth in group}
    ends = [min(depths), max(depths)] if depths else []
    pairs = {label: [group[end] for end in ends] for label, group in groups.items() if {*ends} <= group.keys()}
    shared = on_shared_seeds(results, itertools.chain(*pairs.values()))
    if shared is None or len({*ends}) < 2:
        return None
    arms = shared["arms"]
    order = sorted(pairs, key=lambda label: _layers_order(arms[pairs[label][0]]))
    marks = f"{ends[0]} layer ○, {ends[1]} layers ●"
    xlabels = (f"Gradient, first ÷\noutput layer:\n{marks}", f"Test accuracy, %:\n{marks}")
    canvas, (left, right) = labelled_panels(order, (), xlabels, (1, 1))
    left.set_xscale("log")
    left.xaxis.set_major_formatter(lambda value, _: ratio(value))
    left.locator_params(axis="x", numticks=3)
    left.set_xticks([], minor=True)
    for row, label in enumerate(order):
        colour, place = HIDDEN[arms[pairs[label][0]]["hidden"]].colour, (2 * row, 2 * row + 1)
        shallow, deep = pairs[label]
        if (before := _signal(arms[shallow])) and (after := _signal(arms[deep])):
            draw_dumbbell(left, (before, after), row, colour, "o", place)
        ends_of_accuracy = (100 * mean_score(shared, shallow), 100 * mean_score(shared, deep))
        draw_dumbbell(right, ends_of_accuracy, row, colour, "o", place)
    kept = {label: _signal(arms[pairs[label][1]]) for label in order}
    return finish(
        canvas,
        "depth",
        _vanishing(ends[1], {label: signal for label, signal in kept.items() if signal}),
        f"The first hidden layer’s gradient signal over the output layer’s, before training, and test accuracy after "
        f"{shared['runs'][0]['epochs']} epochs, {_over_seeds(shared)}. With {ends[1]} hidden layers: "
        + "; ".join(
            f"{label}: {ratio(kept[label], missing=DASH)}, {plain_percent(mean_score(shared, pairs[label][1]))}"
            for label in order
        )
        + ".",
        arms=[name for label in order for name in pairs[label]],
        columns=("Arm", "Hidden layers", "Hidden, loss", "First over output, start", "Mean test accuracy"),
        rows=[
            [
                name,
                str(number),
                label,
                ratio(_signal(arms[name]), missing=DASH),
                plain_percent(mean_score(shared, name)),
            ]
            for label in order
            for number, name in zip(ends, pairs[label], strict=True)
        ],
    )


def _layers_label(arm: ArmResult) -> str:
    """A deep arm's hidden activation, its initial weights unless they are Keras' own choice, and its loss."""
    he = ", He’s weights" if arm["initializer"].startswith("he_") else ""
    return f"{HIDDEN[arm['hidden']].label}{he}, {LOSSES[arm['loss']]}"


def _layers_order(arm: ArmResult) -> tuple[bool, int, str]:
    return arm["output"] != "tanh", list(HIDDEN).index(arm["hidden"]), arm["initializer"]


def _signal(arm: ArmResult) -> float | None:
    """The first layer's gradient signal over the output layer's at the start; None where it is not finite."""
    return arm["gradient"]["start"]["first_over_output"] if arm["gradient"] else None


def _vanishing(depth: int, signals: Mapping[str, float]) -> str:
    if not signals:
        return f"The gradient’s signal at the first of {depth} layers"
    weak, strong = (end(signals, key=lambda label: signals[label]) for end in (min, max))
    least, most = (label.rsplit(", ", 1)[0] for label in (weak, strong))
    low, high = (ratio(signals[label]) for label in (weak, strong))
    if signals[weak] < VANISHED:
        return f"Yes, with {least}: after {depth} layers {low} of the gradient is left; with {most}, ×{high}"
    return f"No: {depth} layers leave {low} ({least}) to {high} ({most}) of the gradient"


VANISHED = 0.01  # of the gradient's signal


# ---------------------------------------------------------------------------------------------- what the layers learned


def readouts(results: Results) -> Figure | None:
    """Hidden layers of Example 1 and of cross-entropy: as trained, under the exact least-squares readout, and swapped.

    What another readout adds is paired with the layer's own by seed. None while neither was measured.
    """
    own = {"example-1": "Example 1", "cross-entropy": "Cross-entropy"}
    shared = on_shared_seeds(results, own)
    rows = [row for name, label in own.items() for row in _readings(results, shared, name, label)] if shared else []
    if len(rows) <= len(own):
        return None
    canvas, axes = labelled_rows(
        [row.label if row.change is None else f"… {row.label.split(', ', 1)[1]}" for row in rows],
        [f"{100 * row.mean:.2f}" + ("" if row.change is None else f" ({points(row.change)})") for row in rows],
        "Test accuracy, %; in brackets: change in points, paired by seed",
    )
    number = itertools.count()
    for place, row in enumerate(rows):
        gid = svg.rows(*(next(number) for _ in row.plotted))
        values = [100 * value for _, value in row.plotted]
        draw_seeds(axes, values, 100 * row.mean, place, *RECIPES[row.features][1:], gid)
    return finish(
        canvas,
        "readouts",
        _won_back(rows),
        "Test accuracy of hidden layers, frozen, under their own output layer, under the exact least-squares "
        "readout, and under a new output layer of the other’s kind. "
        + "; ".join(f"{row.label}: {plain_percent(row.mean)} over {count(len(row.scores))} seeds" for row in rows)
        + ".",
        arms=[row.arm for row in rows],
        columns=("Arm", "Read by", "Seed", "Test accuracy"),
        rows=[[row.arm, row.label, str(seed), plain_percent(value)] for row in rows for seed, value in row.plotted],
    )


class Reading(NamedTuple):
    """A hidden layer under a readout: test accuracy by seed, and the mean change from its own output layer."""

    label: str
    features: str
    arm: str
    scores: Mapping[int, float]
    change: float | None = None

    @property
    def mean(self) -> float:
        return float(np.mean([*self.scores.values()]))

    @property
    def plotted(self) -> list[tuple[int, float]]:
        return list(self.scores.items())[:MAX_MARKS]


def _readings(results: Results, shared: Results, features: str, label: str) -> list[Reading]:
    """How an arm's features are read: by its own output layer, and by what else was measured."""
    own = {run["seed"]: final_accuracy(run) for run in runs_of(shared, features)}
    measured = {run["seed"]: run["least_squares_accuracy"] for run in runs_of(shared, features)}
    exact = {seed: value for seed, value in measured.items() if value is not None}
    readings = [Reading(label, features, features, own)]
    if exact.keys() == own.keys():
        readings.append(_reading(f"{label}, exact readout", features, features, exact, own))
    for name in arms_matching(results, f"{features}-read-by-*"):
        swapped = {run["seed"]: final_accuracy(run) for run in runs_of(results, name) if run["seed"] in own}
        if swapped:
            other = RECIPES[name.split("-read-by-")[1]].label
            readings.append(_reading(f"{label}, {other}’s output layer", features, name, swapped, own))
    return readings


def _reading(label: str, features: str, arm: str, scores: Mapping[int, float], own: Mapping[int, float]) -> Reading:
    return Reading(label, features, arm, scores, float(np.mean([scores[seed] - own[seed] for seed in scores])))


def _won_back(rows: Sequence[Reading]) -> str:
    """How much of the gap between the two networks another readout of Example 1's features wins back."""
    own, *others = (row for row in rows if row.features == "example-1")
    gap = next(row.mean for row in rows if row.arm == "cross-entropy") - own.mean
    if not others or others[0].change is None:
        return f"Cross-entropy’s lead over Example 1: {points(gap)} points"
    if gap <= 0:
        return f"Neither: cross-entropy’s lead over Example 1 is {points(gap)} points"
    how = "an exact readout" if others[0].arm == own.arm else "cross-entropy’s readout"
    lost, won = points(gap, signed=False), points(others[0].change, signed=False)
    if others[0].change <= 0:
        return f"Not the readout: {how} wins Example 1 back none of {lost} points"
    if others[0].change < gap / 2:
        return f"Not only the readout: {how} wins back {won} of the {lost} points that Example 1 lacks"
    return f"Mostly the readout: {how} wins Example 1 back {won} of {lost} points"
