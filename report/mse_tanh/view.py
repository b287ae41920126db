"""What the prose about this article decides by the numbers: one dataclass a template, loaded from here by its path.

Accuracies, differences and shares are fractions. What was not measured is None, and a decision over it False.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import cast

from experiments.analysis.results import Summary
from report.page.measured import Difference, Measured, Spread, changes, is_above, minus

ONE_CHANGE = ("targets", "one-sided", "loss", "hidden", "output")  # the contrasts that change one thing in Example 1
LEVEL = "0.97"  # the accuracy whose first epoch is told
HIDDEN = {"tanh": "tanh", "relu": "ReLU", "sigmoid": "sigmoid"}


@dataclass(frozen=True)
class Answer:
    """answer.html: accuracies, and whether both ways around the target of 0 are gains."""

    example_1: float | None
    example_3: float | None
    targets: float | None
    cross_entropy: float | None
    target_of_0_costs: bool


def _answer(m: Measured) -> Answer:
    targets, one_sided = m.contrast("targets"), m.contrast("one-sided")
    return Answer(
        m.mean_accuracy("example-1"),
        m.mean_accuracy("example-3"),
        m.mean_accuracy("targets"),
        m.mean_accuracy("cross-entropy"),
        bool(targets and one_sided and targets.positive and one_sided.positive),
    )


@dataclass(frozen=True)
class Exactly:
    """exactly.html. compared, changed: predictions of Example 1, and how many of them Example 2's map changes.

    accuracy_moved: Example 2's accuracy − Example 1's. lead_on_the_way: of cross-entropy over targets −1 and 1, in
    accuracy averaged over the epochs.
    """

    compared: int | None
    changed: int | None
    accuracy_moved: float | None
    lead_on_the_way: float | None
    leads_on_the_way: bool


def _exactly(m: Measured) -> Exactly:
    lead = m.lead("cross-entropy", "targets", "mean_epoch_accuracy")
    return Exactly(
        m.number("example-2", "readout_of", "compared"),
        m.number("example-2", "readout_of", "changed"),
        minus(m.mean_accuracy("example-2"), m.mean_accuracy("example-1")),
        lead,
        is_above(lead, 0),
    )


@dataclass(frozen=True)
class Limits:
    """limits.html: Example 1's network, and the blocks that have an arm with a single seed."""

    depth: int | None
    width: int | None
    single_seed_blocks: tuple[str, ...]


def _limits(m: Measured) -> Limits:
    single = [arm["block"] for arm in m.results["arms"].values() if len(arm["seeds"]) < 2]
    return Limits(m.number("example-1", "depth"), m.number("example-1", "width"), tuple(dict.fromkeys(single)))


@dataclass(frozen=True)
class Others:
    """others.html: what of other studies' findings is compared with this one's. `*_error`: of calibration."""

    compares_linear: bool
    lead_over_linear: float | None
    lead_over_relu_linear: float | None
    compares_saturated: bool
    saturated: float | None
    saturated_epochs: int | None
    compares_calibration: bool
    cross_entropy_error: float | None
    targets_error: float | None
    example_1_error: float | None
    example_1_error_undivided: float | None


def _others(m: Measured) -> Others:
    return Others(
        bool(m.contrast("loss") and m.contrast("output")),
        m.lead("cross-entropy", "linear-output"),
        m.lead("example-3", "relu-linear-targets"),
        m.accuracy("saturated-example-1") is not None and m.contrast("equivalence") is not None,
        m.mean_accuracy("saturated-example-1"),
        m.epochs("saturated-example-1"),
        all(name in m.results["arms"] for name in ("targets", "cross-entropy", "example-1")),
        m.calibration("cross-entropy"),
        m.calibration("targets"),
        m.calibration("example-1"),
        m.calibration("example-1", "ece_as_is"),
    )


@dataclass(frozen=True)
class Replication:
    """elsewhere/digits.html: the contrasts on the digits, and whether the hidden layer gains more there."""

    targets: Difference
    hidden: Difference
    recipe: Difference
    hidden_gains_more: bool


def _replication(m: Measured) -> Replication | None:
    replications = cast(Mapping[str, Summary], m.results.get("replications", {}))  # a data set has none of its own
    if "digits" not in replications:
        return None
    other = Measured(replications["digits"])
    targets, hidden, recipe = (other.contrast(name) for name in ("targets", "hidden", "recipe"))
    here = m.contrast("hidden")
    if not (targets and hidden and recipe and here and m.contrast("targets") and m.contrast("recipe")):
        return None
    return Replication(targets, hidden, recipe, hidden.low > here.high)


@dataclass(frozen=True)
class Right:
    """right.html. saturated_gap: from cross-entropy to Example 1 where outputs start saturated."""

    saturated_gap: float | None
    mechanism_shows: bool
    gradients_vanish: bool
    advice_holds: bool


def _right(m: Measured, depth: Depth) -> Right:
    gap = minus(m.mean_accuracy("saturated-cross-entropy"), m.mean_accuracy("saturated-example-1"))
    tanh, sigmoid = depth.kept("tanh"), depth.kept("sigmoid")
    loss = m.contrast("loss")
    return Right(
        gap,
        is_above(gap, 0),
        tanh is not None and is_above(tanh / 10, sigmoid),
        bool(loss and loss.positive),
    )


# ---------------------------------------------------------------------------------------------- why


@dataclass(frozen=True)
class Why:
    """why.html: which of three answers is given, and leads over Example 1 on the seeds of the arms named."""

    answers: bool
    no_deficit: bool
    three_things_meet: bool
    softmax_lead: float | None
    sigmoid_lead: float | None
    compares_bounded: bool
    linear_gap_stays: bool
    linear_targets_lead: float | None
    other_seeds: int | None


def _why(m: Measured) -> Why:
    recipe, targets, one_sided, output, same = (
        m.contrast(name) for name in ("recipe", "targets", "one-sided", "output", "equivalence")
    )
    softmax, sigmoid = m.lead("tanh-softmax-mse", "low0"), m.lead("tanh-sigmoid-mse", "low0")
    return Why(
        bool(targets and one_sided and same),
        recipe is not None and recipe.low <= 0,
        _answer(m).target_of_0_costs and same is not None and same.equivalent,
        softmax,
        sigmoid,
        softmax is not None and sigmoid is not None,
        bool(output and targets and output.mean < targets.mean / 2),
        m.lead("tanh-linear-targets", "low0"),
        m.seeds("low0"),
    )


@dataclass(frozen=True)
class Changes:
    """why/changes.html: how many changes are gains over seeds; those whose bootstrap interval includes 0 after all."""

    number: int
    gains: int
    single_gain: bool
    uncertain: tuple[Difference, ...]


def _changes(m: Measured) -> Changes:
    measured = [change.difference for change in changes(m.results, dict.fromkeys(ONE_CHANGE, ""))]
    gains = [change for change in measured if change.positive]
    uncertain = tuple(change for change in gains if change.bootstrap_low <= 0)
    return Changes(len(measured), len(gains), len(gains) == 1, uncertain)


@dataclass(frozen=True)
class Confusions:
    """why/confusions.html: errors a run on the test images, rounded."""

    example_1: int | None
    example_3: int | None
    compares: bool


def _confusions(m: Measured) -> Confusions:
    def errors(arm: str) -> int | None:
        share = m.number(arm, "test_error", "mean")
        return None if share is None else round(share * m.results["dataset"]["test_images"])

    first, third = errors("example-1"), errors("example-3")
    return Confusions(first, third, first is not None and third is not None)


@dataclass(frozen=True)
class Signal:
    """A deep network. kept: the size of δ in its first hidden layer over that in the output layer, before training."""

    label: str
    kept: float | None
    accuracy: Spread
    seeds: int


@dataclass(frozen=True)
class Depth:
    """why/depth.html: the deepest networks under cross-entropy, by hidden activation, those that are measured.

    Decisions are False unless all three are measured.
    """

    layers: int | None
    epochs: int | None
    signals: Mapping[str, Signal]
    all_measured: bool
    sigmoid_keeps_least: bool
    relu_keeps_less_than_tanh: bool
    relu_is_more_accurate: bool
    relu_learns_no_worse: bool

    @property
    def compares_vanishing(self) -> bool:
        return "tanh" in self.signals and "sigmoid" in self.signals

    def kept(self, hidden: str) -> float | None:
        return self.signals[hidden].kept if hidden in self.signals else None


def _depth(m: Measured) -> Depth:
    layers = max((arm["depth"] for arm in m.results["arms"].values() if arm["block"] == "depth"), default=None)
    signals = {}
    for hidden, label in HIDDEN.items():
        name = f"depth{layers}-{hidden}-ce"
        kept, accuracy, seeds = (
            m.number(name, "gradient", "start", "first_over_output"),
            m.accuracy(name),
            m.seeds(name),
        )
        if accuracy and seeds:
            signals[hidden] = Signal(label, kept, accuracy, seeds)
    epochs = m.epochs(f"depth{layers}-tanh-ce")
    if len(signals) < len(HIDDEN):
        return Depth(layers, epochs, signals, False, False, False, False, False)
    tanh, relu, sigmoid = (signals[hidden] for hidden in HIDDEN)
    return Depth(
        layers,
        epochs,
        signals,
        True,
        is_above(tanh.kept, sigmoid.kept) and is_above(relu.kept, sigmoid.kept),
        is_above(tanh.kept, relu.kept),
        relu.accuracy.all_above(tanh.accuracy),
        not tanh.accuracy.all_above(relu.accuracy),
    )


@dataclass(frozen=True)
class Coding:
    """An arm by the targets it was trained on."""

    low: float
    high: float
    accuracy: Spread
    seeds: int


@dataclass(frozen=True)
class Dose:
    """why/dose.html. shifted, low: as far apart as Example 1's own targets, but further down; far: twice as far.

    inside, ends: targets well inside tanh's range, and at its ends.
    """

    own: Coding | None
    shifted: Coding | None
    low: Coding | None
    far: Coding | None
    compares_places: bool
    place_counts: bool
    place_is_not_all: bool
    inside: Coding | None
    compares_inside: bool
    inside_is_better: bool
    ends_are_better: bool
    seeds_overlap: bool


def _coding(m: Measured, arm: str) -> Coding | None:
    accuracy, seeds = m.accuracy(arm), m.seeds(arm)
    low, high = m.number(arm, "low_target"), m.number(arm, "high_target")
    return Coding(low, high, accuracy, seeds) if accuracy and seeds else None


def _dose(m: Measured) -> Dose:
    own, shifted, low, far, inside = (
        _coding(m, arm) for arm in ("low0", "gap1-low-0.5", "gap1-low-1", "low-1", "inside-0.8")
    )
    places = counts = not_all = False
    if own and shifted and low and far:
        nearer = (shifted.accuracy, low.accuracy)
        places, counts = True, all(accuracy.all_above(own.accuracy) for accuracy in nearer)
        not_all = all(far.accuracy.all_above(accuracy) for accuracy in nearer)
    inside_better = bool(inside and far and inside.accuracy.all_above(far.accuracy))
    ends_better = bool(inside and far and far.accuracy.all_above(inside.accuracy))
    overlap = bool(inside and far) and not inside_better and not ends_better
    return Dose(
        own, shifted, low, far, places, counts, not_all,
        inside, bool(inside and far), inside_better, ends_better, overlap,
    )  # fmt: skip


@dataclass(frozen=True)
class Factorial:
    """why/factorial.html: accuracies of softmax under squared error and under cross-entropy, and of Example 1."""

    softmax: float | None
    both: float | None
    example_1: float | None
    compares: bool
    both_gain: bool
    mostly_output: bool


def _factorial(m: Measured) -> Factorial:
    softmax, both, own = (m.mean_accuracy(arm) for arm in ("tanh-softmax-mse", "cross-entropy", "example-1"))
    from_output, from_loss = minus(softmax, own), minus(both, softmax)
    return Factorial(softmax, both, own, from_loss is not None, is_above(both, own), is_above(from_output, from_loss))


@dataclass(frozen=True)
class Reaching:
    """An arm's runs that reach the level, of how many, and the first epoch after which one does."""

    arm: str
    reaching: int
    seeds: int | None
    epochs: int | None
    first_epoch: int | None


@dataclass(frozen=True)
class LearningCurves:
    """why/learning-curves.html. lead: of cross-entropy over Example 1, in accuracy averaged over the epochs."""

    level: float
    examples: tuple[Reaching, ...]
    lead: float | None


def _learning_curves(m: Measured) -> LearningCurves:
    examples = []
    for arm in ("example-1", "example-3"):
        first = m.number(arm, "first_epoch_at", LEVEL)
        if first is not None:
            epochs = [epoch for epoch in first if epoch is not None]
            examples.append(Reaching(arm, len(epochs), m.seeds(arm), m.epochs(arm), min(epochs, default=None)))
    return LearningCurves(float(LEVEL), tuple(examples), m.lead("cross-entropy", "example-1", "mean_epoch_accuracy"))


@dataclass(frozen=True)
class Long:
    """why/long.html: cross-entropy's lead over Example 1 in the last quarter of the long runs, and its extremes."""

    epochs: int
    times_as_long: float | None
    averaged: int
    lead: float
    still_ahead: bool
    lowest: float
    highest: float


def _long(m: Measured) -> Long | None:
    first, second = (
        next((run["test_accuracy_by_epoch"] for run in m.runs(arm)), None)
        for arm in ("long-example-1", "long-cross-entropy")
    )
    if not first or not second:
        return None
    last = max(1, len(first) // 4)
    late = [theirs - own for own, theirs in zip(first[-last:], second[-last:], strict=True)]
    epochs, usual, lead = m.epochs("long-example-1"), m.epochs("example-1"), fmean(late)
    assert epochs is not None
    return Long(epochs, epochs / usual if usual else None, last, lead, lead > 0, min(late), max(late))


@dataclass(frozen=True)
class Outputs:
    """why/outputs.html: the mean slope of tanh at the wrong classes at the end, in Example 1 and with other targets."""

    slope: float
    slope_with_targets: float
    flatter: bool
    better: bool
    does_not_explain: bool


def _outputs(m: Measured) -> Outputs | None:
    here, there = (m.number(arm, "saturation", "final", "output_slope_other") for arm in ("example-1", "targets"))
    gain = m.contrast("targets")
    if here is None or there is None or gain is None:
        return None
    return Outputs(here, there, there < here, gain.mean > 0, there < here and gain.positive)


@dataclass(frozen=True)
class Rates:
    """why/rates.html. lead: Example 3's over Example 1, each at its best rate."""

    lead: float
    seeds: int | None
    rate_closes_nothing: bool
    rate_accounts_for_it: bool


def _rates(m: Measured) -> Rates | None:
    lead = minus(m.mean_accuracy("best-rate-example-3"), m.mean_accuracy("best-rate-example-1"))
    if lead is None:
        return None
    recipe, margin = m.contrast("recipe"), m.margin("equivalence")
    stays = recipe is not None and lead > recipe.mean / 2
    return Rates(lead, m.seeds("best-rate-example-1"), stays, margin is not None and lead <= margin)


@dataclass(frozen=True)
class Readouts:
    """why/readouts.html: what each hidden layer gains under the other's output, and whether each suits its own."""

    example_1_gains: float | None
    cross_entropy_gains: float | None
    each_suits_its_own: bool
    seeds: int | None


def _readouts(m: Measured) -> Readouts:
    first, second = "example-1-read-by-cross-entropy", "cross-entropy-read-by-example-1"
    suits = is_above(m.lead("example-1", second), 0) and is_above(m.lead("cross-entropy", first), 0)
    return Readouts(m.lead(first, "example-1"), m.lead(second, "cross-entropy"), suits, m.seeds(first))


@dataclass(frozen=True)
class Reliability:
    """why/reliability.html: calibration errors, of the arms under squared error by name.

    `*_undivided`: of outputs that are not divided by their sum. other_output: a wrong class's median in Example 2.
    """

    squared_error: tuple[tuple[str, float | None], ...]
    cross_entropy: float | None
    maps_outputs: bool
    example_2: float | None
    example_1_undivided: float | None
    example_2_undivided: float | None
    other_output: float | None


def _reliability(m: Measured) -> Reliability:
    arms = ("example-1", "linear-output", "targets", "tanh-sigmoid-mse", "tanh-softmax-mse")
    quantiles = m.number("example-2", "other_outputs", "quantiles")
    return Reliability(
        tuple((arm, m.calibration(arm)) for arm in arms if arm in m.results["arms"]),
        m.calibration("cross-entropy"),
        "example-2" in m.results["arms"],
        m.calibration("example-2"),
        m.calibration("example-1", "ece_as_is"),
        m.calibration("example-2", "ece_as_is"),
        quantiles and quantiles[2],
    )


@dataclass(frozen=True)
class Saturated:
    """why/saturated.html: accuracies from a saturated start, and on how many images Example 1's outputs tie."""

    scale: float | None
    epochs: int | None
    example_1: float | None
    cross_entropy: float | None
    mechanism_shows: bool
    tied_share: float | None


def _saturated(m: Measured) -> Saturated:
    stuck, free = m.mean_accuracy("saturated-example-1"), m.mean_accuracy("saturated-cross-entropy")
    return Saturated(
        m.number("saturated-example-1", "output_kernel_scale"),
        m.epochs("saturated-example-1"),
        stuck,
        free,
        is_above(free, stuck),
        m.number("saturated-example-1", "tied_share"),
    )


@dataclass(frozen=True)
class Sgd:
    """why/sgd.html: how far Example 1, and targets −1 and 1, are from cross-entropy, each at its best rate."""

    example_1_gap: float
    example_1_behind: bool
    targets_gap: float
    targets_behind: bool


def _sgd(m: Measured) -> Sgd | None:
    def best(name: str) -> float | None:
        arms = (arm for arm in m.results["arms"] if arm.startswith(f"sgd-{name}-"))
        scores = [m.number(arm, "mean_epoch_accuracy") for arm in arms]
        return max((score for score in scores if score is not None), default=None)

    first, second = (minus(best("cross-entropy"), best(name)) for name in ("example-1", "targets"))
    if first is None or second is None:
        return None
    return Sgd(abs(first), first > 0, abs(second), second > 0)


# ---------------------------------------------------------------------------------------------- all of it


@dataclass(frozen=True)
class View:
    """The contrasts by name, and a part for each template. fewer_errors: Example 3's, as a share of Example 1's."""

    recipe: Difference | None
    targets: Difference | None
    one_sided: Difference | None
    loss: Difference | None
    hidden: Difference | None
    output: Difference | None
    equivalence: Difference | None
    equivalence_margin: float | None
    targets_close_gap: bool
    fewer_errors: float | None
    answer: Answer
    exactly: Exactly
    limits: Limits
    others: Others
    replication: Replication | None
    right: Right
    why: Why
    changes: Changes
    confusions: Confusions
    depth: Depth
    dose: Dose
    factorial: Factorial
    learning_curves: LearningCurves
    long: Long | None
    outputs: Outputs | None
    rates: Rates | None
    readouts: Readouts
    reliability: Reliability
    saturated: Saturated
    sgd: Sgd | None


def view(results: Summary) -> View:
    m = Measured(results)
    recipe, targets = m.contrast("recipe"), m.contrast("targets")
    errors = [m.number(arm, "test_error", "mean") for arm in ("example-1", "example-3")]
    depth = _depth(m)
    return View(
        recipe=recipe,
        targets=targets,
        one_sided=m.contrast("one-sided"),
        loss=m.contrast("loss"),
        hidden=m.contrast("hidden"),
        output=m.contrast("output"),
        equivalence=m.contrast("equivalence"),
        equivalence_margin=m.margin("equivalence"),
        targets_close_gap=bool(recipe and targets and targets.positive and targets.mean > recipe.mean / 2),
        fewer_errors=1 - errors[1] / errors[0] if errors[0] and errors[1] is not None else None,
        answer=_answer(m),
        exactly=_exactly(m),
        limits=_limits(m),
        others=_others(m),
        replication=_replication(m),
        right=_right(m, depth),
        why=_why(m),
        changes=_changes(m),
        confusions=_confusions(m),
        depth=depth,
        dose=_dose(m),
        factorial=_factorial(m),
        learning_curves=_learning_curves(m),
        long=_long(m),
        outputs=_outputs(m),
        rates=_rates(m),
        readouts=_readouts(m),
        reliability=_reliability(m),
        saturated=_saturated(m),
        sgd=_sgd(m),
    )
