"""Figures that fit any study: results → Figure. Each takes the arms to show and how to draw them, or chooses itself.

A title says what the figure shows, chosen and filled in by the numbers; a description and a table say it to readers
who do not see the figure.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Literal

import numpy as np

from experiments.analysis.measures import CONFIDENCE_EDGES, HISTOGRAM_EDGES, QUANTILES
from experiments.analysis.results import ArmResult, ContrastResult, Distribution, Results, require
from experiments.plots import svg
from experiments.plots.figures import Figure, final_accuracy, plotted_runs, plotted_values
from experiments.plots.formats import DASH, decimal, plain_percent, points
from experiments.plots.selection import (
    TEST_ACCURACY,
    accuracy_curves,
    accuracy_name,
    data_name,
    describe_marks,
    join_names,
    mean_accuracy,
    measured_contrasts,
    on_test_images,
    ranking,
    runs_of,
    scores,
    select_arms,
    short_title,
    with_own_models,
)
from experiments.plots.style import GRID, INK, MUTED, PAPER, WIDTH, Recipe
from experiments.plots.toolkit import (
    Rectangle,
    arm_label,
    draw_seeds,
    finish,
    hide_ticks,
    label_lines,
    labelled_rows,
    name_height,
    recipes_by_row,
    row_headings,
    row_places,
    rows_of_arm,
    subplots,
    wrap,
)

Arms = Mapping[str, ArmResult]  # by name, in the order of a figure
MAX_ARMS = 20  # in the figure of accuracies; of more, the best and the worst
MAX_PANELS = 4  # arms in a figure with a panel or a colour for each
MAX_CONTRASTS = 20  # in a figure; of more, those with the smallest p


def draw(results: Results) -> list[Figure]:
    """The figures of an article that has none of its own."""
    tested = on_test_images(results)
    figures = [accuracy(tested), learning_curves(tested)]
    arms = {
        name: arm
        for name, arm in select_arms(tested, MAX_PANELS).items()
        if arm["test_accuracy"] is not None and not arm["diverged_seeds"]
    }
    if arms:
        figures.append(outputs(tested, arms))
        figures.append(reliability(tested, arms))
        if own_models := with_own_models(arms):
            figures.append(confusions(tested, own_models))
    if _selected_contrasts(tested):
        figures.append(contrasts(tested))
    return figures


# ---------------------------------------------------------------------------------------------- accuracy


def accuracy(results: Results, arms: Arms | None = None, recipes: Mapping[str, Recipe] | None = None) -> Figure:
    """Final accuracy of each arm: every seed a mark, the mean a bar."""
    rest = 0 if arms else max(0, len(results["arms"]) - MAX_ARMS)
    arms = arms or select_arms(results, MAX_ARMS)
    recipes = {**recipes_by_row(arms), **(recipes or {})}
    measure = accuracy_name(arms)
    images = f" of {results['dataset']['test_images']:,} images" if measure == TEST_ACCURACY else ""
    canvas, axes = labelled_rows(
        [recipes[name].label for name in arms],
        [plain_percent(mean_accuracy(arm)) for arm in arms.values()],
        f"{measure}, %{images}",
    )
    runs = [run for name in arms for run in plotted_runs(runs_of(results, name))]
    for row, (name, arm) in enumerate(arms.items()):
        values, (_, colour, marker) = plotted_values(scores(results, name)), recipes[name]
        draw_seeds(axes, values, 100 * mean_accuracy(arm), row, colour, marker, rows_of_arm(runs, name))
        if interval := final_accuracy(arm)["interval"]:
            axes.plot([100 * bound for bound in interval], [row + 0.25] * 2, color=INK, linewidth=1.2)
    summary = f"The best and the worst; {rest} arms lie between. " if rest else ""
    summary += "; ".join(
        f"{recipes[name].label}: mean {plain_percent(mean_accuracy(arm))}, from "
        f"{plain_percent(final_accuracy(arm)['min'])} to {plain_percent(final_accuracy(arm)['max'])} over "
        f"{len(arm['seeds'])} seeds"
        for name, arm in arms.items()
    )
    return finish(
        canvas,
        "accuracy",
        ranking({recipes[name].label: mean_accuracy(arm) for name, arm in arms.items()}),
        f"{measure} of {describe_marks(results, arms, 'run')} on {data_name(results)}, a row for each arm. {summary}.",
        arms=arms,
        columns=("Arm", "Seed", measure),
        rows=[[run["arm"], str(run["seed"]), plain_percent(final_accuracy(run))] for run in runs],
    )


def learning_curves(results: Results, arms: Arms | None = None, recipes: Mapping[str, Recipe] | None = None) -> Figure:
    """Accuracy of each arm after each epoch."""
    arms = arms or with_own_models(select_arms(results, MAX_PANELS)) or select_arms(results, MAX_PANELS)
    recipes = {name: {**recipes_by_row(arms), **(recipes or {})}[name] for name in arms}
    curves = {name: accuracy_curves(results, name).mean(0) for name in arms}
    epochs = max(map(len, curves.values()))
    lead = max(curves, key=lambda name: curves[name][0])
    if len(curves) == 1:
        title = f"{recipes[lead].label} reaches {curves[lead][-1]:.2f} % after epoch {epochs}"
    elif len({len(curve) for curve in curves.values()}) > 1:
        title = f"Accuracy after each of up to {epochs} epochs"
    else:
        always = all((curves[lead] >= curve).all() for curve in curves.values())
        span = "after every epoch" if always else "after the first epoch, not after every one"
        title = f"{recipes[lead].label} is ahead {span}"
    return plot_epochs(results, "learning-curves", title, recipes)


def plot_epochs(
    results: Results,
    name: str,
    title: str,
    recipes: Mapping[str, Recipe],
    fits: Mapping[str, Mapping[int, float]] | None = None,
    more: str = "",
) -> Figure:
    """Accuracy after each epoch: the mean over seeds, and the band from the lowest to the highest seed.

    fits: by arm, the mean accuracy on the training images by epoch, where it was measured. more: what else the
    description says.
    """
    curves = {arm: accuracy_curves(results, arm) for arm in recipes}
    measure = accuracy_name({arm: results["arms"][arm] for arm in recipes})
    canvas, axes = subplots(figsize=(WIDTH, 3.1))
    longest = max(curve.shape[1] for curve in curves.values())
    step = 1 if longest <= 12 else 5
    listed: list[tuple[str, int]] = []  # arm and epoch of each row of the table: those with a mark, the first, the last
    ends = []
    for arm, curve in curves.items():
        label, colour, marker = recipes[arm]
        epochs = np.arange(1, curve.shape[1] + 1)
        axes.fill_between(epochs, curve.min(0), curve.max(0), color=colour, alpha=0.18, linewidth=0)
        marked = range(step, len(epochs) + 1, step)
        fit = {epoch: fit for epoch, fit in (fits or {}).get(arm, {}).items() if epoch <= len(epochs)}
        listed += [(arm, epoch) for epoch in sorted({1, *marked, *fit, len(epochs)})]
        tied = {epoch: row for row, (of, epoch) in enumerate(listed) if of == arm}
        places = [epoch - 1 for epoch in marked]
        style: Any = {"markersize": 3, "markevery": places, "gid": svg.rows(*(tied[epoch] for epoch in marked))}
        axes.plot(epochs, curve.mean(0), color=colour, marker=marker, **style)
        ends.append((label, colour, epochs[-1], curve.mean(0)[-1]))
        if fit:
            style = {"markersize": 4, "mew": 1, "gid": svg.rows(*(tied[epoch] for epoch in fit))}
            values = [100 * value for value in fit.values()]
            axes.plot(list(fit), values, ":", color=colour, marker=marker, markerfacecolor=PAPER, **style)
    name_height(axes, "Accuracy, %: test (filled), training (hollow)" if fits else f"{measure}, %")
    axes.set(xlabel="Epoch", xticks=np.arange(1, longest + 1)[step - 1 :: step])
    axes.grid(axis="y")
    hide_ticks(axes)
    label_lines(axes, ends)
    summary = "; ".join(
        f"{recipes[arm].label} goes from {curve.mean(0)[0]:.2f} % after epoch 1 to "
        f"{curve.mean(0)[-1]:.2f} % after epoch {curve.shape[1]}"
        for arm, curve in curves.items()
    )
    return finish(
        canvas,
        name,
        title,
        f"Mean {measure[0].lower()}{measure[1:]} over seeds after each epoch; the bands reach from the lowest to the "
        f"highest seed. {summary}." + (f" {more}" if more else ""),
        arms=curves,
        columns=(
            *("Arm", "Epoch", f"Mean {measure[0].lower()}{measure[1:]}", "Lowest seed", "Highest seed", MEAN_LOSS),
            *([MEAN_FIT] if fits else []),
        ),
        rows=[
            row + ([plain_percent(fits.get(arm, {}).get(epoch))] if fits else [])
            for arm, curve in curves.items()
            for epoch, row in enumerate(_epoch_rows(results, arm, curve), 1)
            if (arm, epoch) in listed
        ],
        measures=("training_loss_by_epoch",),
    )


MEAN_LOSS, MEAN_FIT = "Mean training loss", "Mean training accuracy"


def _epoch_rows(results: Results, arm: str, curve: np.ndarray) -> list[list[str]]:
    losses = zip(*(run["training_loss_by_epoch"] for run in runs_of(results, arm)), strict=True)
    return [
        [arm, str(epoch), *(f"{value:.2f} %" for value in (seeds.mean(), seeds.min(), seeds.max())), _mean_loss(values)]
        for epoch, (seeds, values) in enumerate(zip(curve.T, losses, strict=True), 1)
    ]


def _mean_loss(losses: Sequence[float | None]) -> str:
    finite = [loss for loss in losses if loss is not None]
    return decimal(float(np.mean(finite)) if len(finite) == len(losses) else None, 5)


# ---------------------------------------------------------------------------------------------- outputs and errors


def outputs(results: Results, arms: Arms, recipes: Mapping[str, Recipe] | None = None) -> Figure:
    """How the outputs of target and non-target units are distributed, a panel an arm."""
    recipes = {**recipes_by_row(arms), **(recipes or {})}
    canvas, panels = subplots(len(arms), 1, figsize=(WIDTH, 1.15 * len(arms) + 0.4), sharex=True, squeeze=False)
    kinds: Sequence[tuple[Literal["other_outputs", "target_outputs"], str, str]] = (
        ("other_outputs", MUTED, "wrong classes"),
        ("target_outputs", INK, "right class"),
    )
    for row, (axes, (name, arm)) in enumerate(zip(panels[:, 0], arms.items(), strict=True)):
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
                at = HISTOGRAM_EDGES[np.flatnonzero(share > share.max() / 2)[0]] - 0.03
                axes.text(at, share.max(), label, color=colour, ha="right", va="top", fontweight="bold")
        axes.set_title(recipes[name].label, loc="left", fontweight="bold", pad=2)
        axes.set(yticks=[], xlim=(-1.05, 1.1))
        axes.set_xticks([-1, -0.5, 0, 0.5, 1], ["−1", "−0.5", "0", "0.5", "1"])
        axes.spines["left"].set_visible(False)
        axes.tick_params(length=0)
    panels[-1, 0].set_xlabel("Output of a unit on a test image")
    first = next(iter(arms.values()))
    title = (
        f"{short_title(first['title'])}: {plain_percent(first['negative_share'], 0)} of outputs are negative; "
        f"per image they sum to {decimal(first['row_sum_mean'], 2)} on average"
    )
    summary = "; ".join(
        f"{short_title(arm['title'])}: right class at {decimal(_median(arm['target_outputs']), 2)} in the "
        f"median, wrong classes at {decimal(_median(arm['other_outputs']), 2)}"
        for arm in arms.values()
    )
    return finish(
        canvas,
        "outputs",
        title,
        f"Histograms of the outputs of the unit of the right class and of the units of the wrong classes. {summary}.",
        arms=arms,
        columns=("Arm", "Units", "Mean", *(f"{100 * q:.0f} % quantile" for q in QUANTILES)),
        rows=[
            [name, label, *(decimal(value, 3) for value in (arm[key]["mean"], *require(arm[key]["quantiles"])))]
            for name, arm in arms.items()
            for key, _, label in kinds
        ],
        measures=("target_outputs", "other_outputs"),
    )


def _median(distribution: Distribution) -> float | None:
    return require(distribution["quantiles"])[QUANTILES.index(0.5)]


CONFUSED_PAIRS = 10
SYMBOLS = {"o": "●", "D": "◆", "s": "■", "^": "▲", "v": "▼"}  # of markers, in text
CONFUSION_MARKERS = "os^v"


def confusions(results: Results, arms: Arms, recipes: Mapping[str, Recipe] | None = None) -> Figure:
    """The pairs of true and predicted class that go wrong most, mean number per run."""
    recipes = {**recipes_by_row(arms), **(recipes or {})}
    markers = dict(zip(arms, itertools.cycle(CONFUSION_MARKERS)))
    errors = {name: _errors_per_run(arm) for name, arm in arms.items()}
    highest = np.max(list(errors.values()), axis=0)
    order = sorted(zip(*np.nonzero(highest), strict=True), key=lambda pair: -highest[pair])[:CONFUSED_PAIRS]
    notes = [" · ".join(f"{matrix[pair]:.1f}" for matrix in errors.values()) for pair in order]
    legend = ", ".join(f"{recipes[name].label} {SYMBOLS[marker]}" for name, marker in markers.items())
    canvas, axes = labelled_rows(
        [f"{true} taken for {predicted}" for true, predicted in order], notes, f"Images per run: {legend}"
    )
    for row, pair in enumerate(order):
        for name, matrix in errors.items():
            style: Any = {"color": recipes[name].colour, "markersize": 5, "mew": 0, "gid": svg.rows(row)}
            axes.plot([matrix[pair]], [row], markers[name], **style)
    axes.set_xlim(left=0)
    total = {short_title(arms[name]["title"]): matrix.sum() for name, matrix in errors.items()}
    classes = "digits" if results["dataset"]["name"] in ("mnist", "digits") else "classes"
    return finish(
        canvas,
        "confusions",
        _most_confused({short_title(arms[name]["title"]): m for name, m in errors.items()}, classes == "digits"),
        f"The pairs of {classes} that are confused most, mean number per run. "
        + "; ".join(f"{name}: {count:.1f} errors per run" for name, count in total.items())
        + ". "
        + "; ".join(f"{true} taken for {k}: {note}" for (true, k), note in zip(order, notes, strict=True))
        + ".",
        arms=arms,
        columns=("True class", "Taken for", *(short_title(arm["title"]) for arm in arms.values())),
        rows=[[str(true), str(k), *(f"{m[true, k]:.1f}" for m in errors.values())] for true, k in order],
        measures=("confusion",),
    )


def _most_confused(errors: Mapping[str, np.ndarray], are_digits: bool) -> str:
    """Whether the arms have their most frequent error in common."""
    top = {name: [int(k) for k in np.unravel_index(m.argmax(), m.shape)] for name, m in errors.items() if m.any()}
    if not top:
        return "No image is taken for another"
    pairs = {name: " for ".join(_digit(k) if are_digits else f"class {k}" for k in pair) for name, pair in top.items()}
    if len({*pairs.values()}) == 1:
        ending = "s" if len(top) == 1 else ""
        return f"{join_names(list(top))} most often mistake{ending} {next(iter(pairs.values()))}"
    (name, pair), *rest = pairs.items()
    return "; ".join([f"{name} most often mistakes {pair}", *(f"{name}, {pair}" for name, pair in rest)])


def _digit(digit: int) -> str:
    return f"an {digit}" if digit == EIGHT else f"a {digit}"


EIGHT = 8  # begins with a vowel


def _errors_per_run(arm: ArmResult) -> np.ndarray:
    matrix = np.array(arm["confusion"], float) / len(arm["seeds"])
    np.fill_diagonal(matrix, 0)
    return matrix


# ---------------------------------------------------------------------------------------------- reliability

MIN_IMAGES = 20  # a bin with fewer is in the table alone


def reliability(
    results: Results,
    arms: Arms,
    recipes: Mapping[str, Recipe] | None = None,
    title: Callable[[Mapping[str, float]], str] | None = None,
) -> Figure:
    """Accuracy against confidence, a panel for each arm; of four arms at most.

    title: the finding, by the calibration errors by label; by default, their range.
    """
    recipes = {**recipes_by_row(arms), **(recipes or {})}
    canvas, panels = subplots(2, 2, figsize=(WIDTH, 4.8), sharex=True, sharey=True)
    for axes in panels.flat[len(arms) :]:
        axes.set_visible(False)
    calibrations = {name: require(arm["calibration"]) for name, arm in arms.items()}
    row = itertools.count()
    for axes, (name, calibration) in zip(panels.flat, calibrations.items(), strict=False):
        label, colour, marker = recipes[name]
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.8)
        bins = [(next(row), b) for b in calibration["reliability"]]
        drawn = [(n, b) for n, b in bins if b[1] >= MIN_IMAGES]
        style: Any = {"color": colour, "markersize": 4, "mew": 0, "gid": svg.rows(*(n for n, _ in drawn))}
        axes.plot([b[2] for _, b in drawn], [b[3] for _, b in drawn], marker=marker, **style)
        error = plain_percent(calibration["ece"], 1)
        lines = [*wrap(label, 0.39 * WIDTH, bold=True), f"error {error}"]
        axes.set_title("\n".join(lines), loc="left", fontweight="bold", pad=3)
        axes.set(aspect="equal", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        for set_ticks in (axes.set_xticks, axes.set_yticks):
            set_ticks([0, 0.5, 1], ["0", "0.5", "1"])
        hide_ticks(axes)
    canvas.supxlabel("Confidence: the top probability")
    canvas.supylabel("Accuracy")
    finite = {name: ece for name, scores in calibrations.items() if (ece := scores["ece"]) is not None}
    return finish(
        canvas,
        "reliability",
        (title or calibration_range)({recipes[name].label: error for name, error in finite.items()}),
        f"Accuracy against confidence over the test images, in {len(CONFIDENCE_EDGES) - 1} bins, of which those with "
        f"{MIN_IMAGES} or more are drawn; on the diagonal, confidence is as high as accuracy. "
        + "Expected calibration error: "
        + "; ".join(f"{recipes[name].label} {plain_percent(error, 1)}" for name, error in finite.items())
        + ".",
        arms=arms,
        columns=("Arm", "Bin from", "Images", "Mean confidence", "Accuracy"),
        rows=[
            [name, f"{edge:.3f}", f"{count:.0f}", f"{confidence:.4f}", plain_percent(right)]
            for name, calibration in calibrations.items()
            for edge, count, confidence, right in calibration["reliability"]
        ],
        measures=("reliability",),
    )


def calibration_range(errors: Mapping[str, float]) -> str:
    """The range that calibration errors span, by its ends; what lies between is not ranked."""
    if not errors:
        return "No calibration error is finite"
    if len(errors) == 1:
        return "".join(f"Calibration error of {name}: {plain_percent(error, 1)}" for name, error in errors.items())
    best, worst = (end(errors, key=lambda name: errors[name]) for end in (min, max))
    return f"Calibration error: {plain_percent(errors[best], 1)} ({best}), {plain_percent(errors[worst], 1)} ({worst})"


# ---------------------------------------------------------------------------------------------- contrasts


def contrasts(
    results: Results,
    name: str = "contrasts",
    title: str = "",
    label: Callable[[ContrastResult], str] | None = None,
    reference: Callable[[ContrastResult], str] | None = None,
    colour: Callable[[ContrastResult], str] = lambda _: INK,
) -> Figure:
    """The declared contrasts: mean differences with their intervals, against 0 or against the margin.

    They are grouped by what they compare with. title: the finding; by default, the largest difference that is
    significant. label, reference: what the figure calls a contrast's first and second arm; by default, as `arm_label`.
    colour: of its mark; contrasts with the same `reference` stand together.
    """
    selected = _selected_contrasts(results)
    second = [contrast["second"] for contrast in selected]
    rows = sorted(selected, key=lambda contrast: second.index(contrast["second"]))
    labels = [(label or partial(_end, results, "first"))(contrast) for contrast in rows]
    against = [f"compared with {(reference or partial(_end, results, 'second'))(contrast)}" for contrast in rows]
    headings = row_headings(against)
    confidence = plain_percent(results["confidence"], 0)
    widest = max((c["equivalence_margin"] or 0 for c in rows), default=0)
    margins = f"; grey: ±{100 * widest:g}, agreed to be equal" if widest else ""
    xlabel = f"Difference in test accuracy, points\nLines: {confidence} intervals{margins}"
    canvas, axes = labelled_rows(labels, [points(c["mean"]) for c in rows], xlabel, headings, zero=True)
    for row, (place, contrast) in enumerate(zip(row_places(len(rows), headings), rows, strict=True)):
        if margin := contrast["equivalence_margin"]:
            axes.add_patch(Rectangle((-100 * margin, place - 0.12), 200 * margin, 0.4, color=GRID, lw=0))
        style: Any = {"color": colour(contrast)}
        axes.plot([100 * bound for bound in contrast["interval"]], [place, place], linewidth=2, **style)
        axes.plot([100 * contrast["mean"]], [place], "o", markersize=6, gid=svg.rows(row), **style)
    summary = "; ".join(
        (f"{headings[row]}: " if row in headings else "")
        + f"{text} {points(c['mean'])} points, from {points(c['interval'][0])} to {points(c['interval'][1])}"
        + _equivalence(c)
        for row, (text, c) in enumerate(zip(labels, rows, strict=True))
    )
    return finish(
        canvas,
        name,
        title or _largest_contrast(results, rows),
        f"Mean difference in test accuracy, paired by seed, with its interval; {summary}.",
        arms=[contrast[end] for contrast in rows for end in ("first", "second")],
        columns=("First arm", "Second arm", "Pairs", "Difference", "From", "To", "p (Holm)", "Margin"),
        rows=[
            [
                *(c["first"], c["second"], str(c["n"])),
                *(points(value) for value in (c["mean"], *c["interval"])),
                f"{c['p_holm']:.4f}",
                f"±{100 * c['equivalence_margin']:g}" if c["equivalence_margin"] else DASH,
            ]
            for c in rows
        ],
    )


def _selected_contrasts(results: Results) -> list[ContrastResult]:
    """The measured contrasts that are tested, in the study's order; of many, those with the smallest p."""
    measured = [contrast for contrast in measured_contrasts(results) if contrast["confirmatory"]]
    smallest = sorted(measured, key=lambda contrast: contrast["p_holm"])[:MAX_CONTRASTS]
    return [contrast for contrast in measured if contrast in smallest]


def _end(results: Results, end: Literal["first", "second"], contrast: ContrastResult) -> str:
    """What one of a contrast's two arms is called."""
    return arm_label(contrast[end], results["arms"][contrast[end]])


def _equivalence(contrast: ContrastResult) -> str:
    if contrast["equivalence_margin"] is None:
        return ""
    return f", {'within' if contrast['equivalent'] else 'not shown to be within'} the margin"


def _largest_contrast(results: Results, rows: Sequence[ContrastResult]) -> str:
    significant = [contrast for contrast in rows if contrast["p_holm"] < 1 - results["confidence"]]
    if not significant:
        return f"None of {len(rows)} differences is distinguishable from chance"
    largest = max(significant, key=lambda contrast: abs(contrast["mean"]))
    first, second = _end(results, "first", largest), _end(results, "second", largest)
    return f"{first}, against {second}: {points(largest['mean'])} points"
