"""What the prose about this article decides by the numbers: one dataclass a template, loaded from here by its path.

Accuracies, differences and shares are fractions. What was not measured is None, and a decision over it False. A
comparison that is a contrast is taken from there, so that it has the same numbers everywhere on the page.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from fnmatch import fnmatch
from itertools import pairwise
from statistics import fmean
from typing import cast

from experiments.analysis.results import RunResult, Summary
from experiments.data import strokes
from report.mse_tanh import networks
from report.page.measured import Difference, Measured, changes, is_above, minus

ONE_CHANGE = ("targets", "one-sided", "loss", "hidden", "output")  # the contrasts that change one thing in Example 1
LEVEL = "0.97"  # the accuracy whose first epoch is reported


@dataclass(frozen=True)
class Contrasts:
    """The contrasts by name."""

    recipe: Difference | None
    targets: Difference | None
    output: Difference | None
    loss: Difference | None
    hidden: Difference | None
    one_sided: Difference | None
    linear_one_sided: Difference | None
    equivalence: Difference | None
    wall_4: Difference | None
    wall_quarter: Difference | None
    wall_sixteenth: Difference | None
    wall_0: Difference | None
    wall_whole: Difference | None
    sigmoid_undershoots: Difference | None
    sigmoid_half: Difference | None
    wrong_half: Difference | None
    overshoot_free: Difference | None
    sigmoid_output: Difference | None
    softmax_output: Difference | None
    linear_loss: Difference | None
    best_rate: Difference | None
    best_sgd: Difference | None
    best_sgd_targets: Difference | None
    reread: Difference | None


CONTRASTS = tuple(field.name for field in fields(Contrasts))


def contrasts(results: Summary) -> Contrasts:
    m = Measured(results)
    return Contrasts(**{name: m.contrast(name.replace("_", "-")) for name in CONTRASTS})


def is_gain(contrast: Difference | None) -> bool:
    """Whether it was measured and its whole interval over seeds is above 0."""
    return contrast is not None and contrast.positive


def is_less_than_half(part: Difference | None, whole: Difference | None) -> bool:
    """Whether both were measured and the mean of one is below half of the other's."""
    return part is not None and whole is not None and part.mean < whole.mean / 2


# ---------------------------------------------------------------------------------------------- the answer


@dataclass(frozen=True)
class Answer:
    """answer.html, at-length.html, headline.html and readme.md.

    not_in_itself: whether Example 1 is behind, and other targets or another charge for undershooting help; comes_close:
    whether targets −1 and 1 then come within the margin of cross-entropy.

    undershooting_costs: whether not penalising it is a gain, by the loss and by the targets; tanh_is_incidental:
    whether it is one with a linear output too, None where that was not measured. margin_images, margin_of_errors: the
    equivalence margin in test images, and as a share of cross-entropy's errors. errors: a run's mean number of errors
    on the test images, by arm.
    """

    example_1: float | None
    example_3: float | None
    targets: float | None
    cross_entropy: float | None
    epochs: int | None
    undershooting_costs: bool
    not_in_itself: bool
    comes_close: bool
    tanh_is_incidental: bool | None
    margin_images: int | None
    margin_of_errors: float | None
    errors: Mapping[str, int]


def _answer(m: Measured, c: Contrasts) -> Answer:
    margin, errors = m.margin("equivalence"), m.number("cross-entropy", "test_error", "mean")
    undershooting_costs = is_gain(c.targets) and is_gain(c.one_sided)
    return Answer(
        m.mean_accuracy("example-1"),
        m.mean_accuracy("example-3"),
        m.mean_accuracy("targets"),
        m.mean_accuracy("cross-entropy"),
        m.epochs("example-1"),
        undershooting_costs,
        undershooting_costs and is_gain(c.recipe),
        bool(c.equivalence and c.equivalence.equivalent),
        c.linear_one_sided.positive if c.linear_one_sided else None,
        None if margin is None else round(margin * m.results["dataset"]["test_images"]),
        margin / errors if margin is not None and errors else None,
        {arm: count for arm in WAYS_OUT if (count := _errors(m, arm)) is not None},
    )


WAYS_OUT = ("example-1", "targets", "one-sided", "cross-entropy")


def _errors(m: Measured, arm: str) -> int | None:
    """A run's mean number of errors on the test images."""
    share = m.number(arm, "test_error", "mean")
    return None if share is None else round(share * m.results["dataset"]["test_images"])


@dataclass(frozen=True)
class LinearWithRelu:
    """What a linear output in place of tanh gains with a hidden ReLU.

    share: of cross-entropy's lead there, None unless both gain; more: it is a larger one than with a hidden tanh.
    """

    gain: float | None
    share: float | None
    seeds: int | None
    more: bool


def _linear_with_relu(m: Measured, c: Contrasts) -> LinearWithRelu:
    gain, lead = (m.lead(arm, "relu-tanh-mse") for arm in ("relu-linear-mse", "relu-softmax-ce"))
    share = gain / lead if gain and lead and min(gain, lead) > 0 else None
    return LinearWithRelu(gain, share, m.seeds("relu-linear-mse"), is_above(share, _share(c.output, c.loss)))


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


# ---------------------------------------------------------------------------------------------- why


@dataclass(frozen=True)
class Why:
    """why.html: which of three answers is given. tells_gain: not penalising undershooting is a gain, and so is
    cross-entropy, to compare it with. closes_most: not penalising it, by the loss and by targets.

    bounded_gain: under squared error, so do outputs that cannot undershoot 0. linear_gap_stays: a linear output, which
    undershoots as tanh does, wins less than half of what targets do. unpenalised: the accuracy of a linear output where
    undershooting is not penalised; unpenalised_lead: its lead over cross-entropy, and whether there is one.
    """

    answers: bool
    no_deficit: bool
    tells_gain: bool
    closes_most: bool
    compares_bounded: bool
    bounded_gain: bool
    compares_linear: bool
    linear_gap_stays: bool
    unpenalised: float | None
    unpenalised_lead: float | None
    unpenalised_leads: bool


def _why(m: Measured, c: Contrasts, answer: Answer) -> Why:
    ways = (c.targets, c.one_sided)
    lead = m.lead("linear-one-sided", "cross-entropy")
    return Why(
        all((*ways, c.loss)),
        bool(c.recipe and c.recipe.low <= 0),
        answer.undershooting_costs and is_gain(c.loss),
        all(way and c.loss and way.mean > c.loss.mean / 2 for way in ways),
        bool(c.softmax_output and c.sigmoid_output),
        is_gain(c.softmax_output) and is_gain(c.sigmoid_output),
        bool(c.output and c.linear_one_sided),
        is_less_than_half(c.output, c.targets),
        m.mean_accuracy("linear-one-sided"),
        lead,
        is_above(lead, 0),
    )


@dataclass(frozen=True)
class Changes:
    """why/changes.html: how many changes are gains over seeds; those that might not be on other test images."""

    number: int
    gains: int
    all_gain: bool
    single_gain: bool
    uncertain: tuple[Difference, ...]


def _changes(m: Measured) -> Changes:
    measured = [change.difference for change in changes(m.results, dict.fromkeys(ONE_CHANGE, ""))]
    gains = [change for change in measured if change.positive]
    uncertain = tuple(change for change in gains if change.uncertain_over_images)
    return Changes(len(measured), len(gains), len(gains) == len(measured) > 1, len(gains) == 1, uncertain)


@dataclass(frozen=True)
class OneDigit:
    """why/one-digit.html. article, free: the mean output of wrong classes for our digit at the end, in the article's
    network and where nothing is charged below the low target; target: that one.

    both_answer: in both, the right class's mean output is the largest. sinks: wrong classes end lower without the
    charge.
    """

    digit: int
    article: float
    free: float
    target: float
    both_answer: bool
    sinks: bool


def _one_digit(m: Measured) -> OneDigit | None:
    arms = (networks.ARTICLE, networks.FREE)
    moments = [networks.moments(m.results, arm) for arm in arms if m.number(arm, "digit_outputs")]
    if len(moments) < len(arms) or not all(moments):
        return None
    ends = [[*of_arm.values()][-1] for of_arm in moments]
    article, free = map(networks.wrong_mean, ends)
    answers = all(networks.answers(end) for end in ends)
    return OneDigit(
        strokes.FOUR_LABEL,
        round(article, 2) or 0.0,
        round(free, 2) or 0.0,
        m.number(networks.ARTICLE, "low_target"),
        answers,
        free < article,
    )


@dataclass(frozen=True)
class PushBack:
    """why/push-back.html. Errors are of networks.IMAGES images, over the `seeds` that all networks share; all_errors:
    over all seeds of the article's network.

    ahead: of the article's outputs that were low enough, those that could decide an answer, where they are few. helps:
    not penalising them makes fewer errors. ends_only_lower: targets −1 and 1 push none up. target: the low one.
    shown: all networks, those with the nearest targets first. weaker: some push up less hard. both_count: how hard
    outputs are pushed up, and how far apart the targets are. unexplained: two differ that agree in both.
    """

    ahead: float | None
    images: int
    errors: int
    free_errors: int | None
    helps: bool
    shown: tuple[networks.Network, ...]
    weaker: bool
    both_count: bool
    unexplained: bool
    ends_only_lower: bool
    target: float
    seeds: int
    all_errors: int
    all_seeds: int


def _push_back(m: Measured) -> PushBack | None:
    measured = {network.name: network for network in networks.networks(m.results)}
    article, free, ends = (measured.get(name) for name in (networks.ARTICLE, networks.FREE, networks.ENDS))
    accuracy, seeds = m.mean_accuracy(networks.ARTICLE), m.seeds(networks.ARTICLE)
    if article is None or article.push["below_target"] is None or accuracy is None or seeds is None:
        return None
    shown = sorted(measured.values(), key=lambda network: (network.distance, -(network.strength or 0)))
    return PushBack(
        article.push["ahead"] if article.is_harmless_below else None,
        networks.IMAGES,
        round(article.errors),
        round(free.errors) if free else None,
        free is not None and free.errors < article.errors,
        tuple(shown),
        any(network.strength and network.strength < 1 for network in shown),
        _both_count(shown),
        any(
            a.whole_errors != b.whole_errors
            for a, b in pairwise(n for n in shown if not n.strength)
            if a.distance == b.distance
        ),
        ends is not None and ends.push["below_target"] == 0,
        article.arm["low_target"],
        article.seeds,
        round(networks.IMAGES * (1 - accuracy)),
        seeds,
    )


def _both_count(shown: Sequence[networks.Network]) -> bool:
    """Whether, equally far apart, a weaker push up means fewer errors, as do wider targets that push no harder."""
    pairs = [(one, other) for one in shown for other in shown if one is not other]
    near = [(a, b) for a, b in pairs if a.distance == b.distance and (a.strength or 0) > (b.strength or 0)]
    wide = [(a, b) for a, b in pairs if a.distance < b.distance and (a.strength or 0) >= (b.strength or 0)]
    return bool(near and wide) and all(a.whole_errors >= b.whole_errors for a, b in (*near, *wide))


@dataclass(frozen=True)
class Outputs:
    """why/outputs.html: the mean slope of tanh at the wrong classes at the end, in Example 1 and with other targets."""

    slope: float
    slope_with_targets: float
    flatter: bool
    better: bool
    does_not_explain: bool


def _outputs(m: Measured, c: Contrasts) -> Outputs | None:
    here, there = (m.number(arm, "saturation", "final", "output_slope_other") for arm in ("example-1", "targets"))
    if here is None or there is None or c.targets is None:
        return None
    return Outputs(here, there, there < here, c.targets.mean > 0, there < here and c.targets.positive)


@dataclass(frozen=True)
class Wall:
    """why/wall.html. steps: what penalising undershooting less adds, from four times to not at all.

    half_loses: what a sigmoid loses on 0 and ½; nearness: as a share of what it loses on ½ and 1, where both lose.
    half_decides: the contrast of these two alone refutes the prediction, because it may be smaller than what matters.
    sham_is_weak: halving all errors of wrong classes adds no more than quartering the penalty for undershooting alone.
    """

    steps: tuple[Difference, ...]
    rises: bool
    sigmoid_loses: bool
    half_loses: float | None
    nearness: float | None
    half_decides: bool
    compares_shams: bool
    shams_help_less: bool
    sham_is_weak: bool


def _wall(m: Measured, c: Contrasts) -> Wall:
    steps = [step for step in (c.wall_4, c.wall_quarter, c.wall_sixteenth, c.wall_0) if step]
    whole, half, margin = c.sigmoid_undershoots, c.sigmoid_half, m.margin("equivalence")
    loses = whole.mean - half.mean if whole and half else None
    return Wall(
        tuple(steps),
        bool(steps) and all(step.mean > 0 for step in steps),
        is_gain(whole),
        loses,
        loses / whole.mean if loses is not None and loses > 0 and whole and is_gain(whole) else None,
        bool(whole and half and margin is not None and half.low <= margin < whole.low),
        all((c.wrong_half, c.one_sided, c.overshoot_free, c.linear_one_sided)),
        is_less_than_half(c.wrong_half, c.one_sided) and is_less_than_half(c.overshoot_free, c.linear_one_sided),
        bool(c.wrong_half and c.wall_quarter and c.wrong_half.mean <= c.wall_quarter.mean),
    )


@dataclass(frozen=True)
class Shifted:
    """An arm by the targets it was trained on, and its lead over Example 1 on the seeds that both have."""

    low: float
    high: float
    lead: float
    seeds: int


@dataclass(frozen=True)
class Dose:
    """why/dose.html. shifted: targets as far apart as Example 1's own, further down each time; ends: −1 and 1; inside:
    well inside tanh's range. All on the same seeds.

    place_counts: each of the shifted ones is ahead of Example 1; place_is_not_all: and behind targets −1 and 1.
    behind_ends: how far `inside` is behind targets −1 and 1.
    """

    shifted: tuple[Shifted, ...]
    ends: Shifted | None
    seeds: int | None
    place_counts: bool
    place_is_not_all: bool
    inside: Shifted | None
    behind_ends: float | None
    inside_is_better: bool
    ends_are_better: bool


def _shifted(m: Measured, arm: str) -> Shifted | None:
    lead, seeds = m.lead(arm, "example-1"), m.seeds(arm)
    low, high = m.number(arm, "low_target"), m.number(arm, "high_target")
    return None if lead is None or seeds is None else Shifted(low, high, lead, seeds)


def _dose(m: Measured) -> Dose:
    shifted = tuple(s for s in (_shifted(m, arm) for arm in ("gap1-low-0.5", "gap1-low-1")) if s)
    both = _shifted(m, "low-1")
    behind = m.lead("low-1", "inside-0.8")
    inside, ends = m.accuracy("inside-0.8"), m.accuracy("low-1")
    return Dose(
        shifted,
        both,
        min((s.seeds for s in shifted), default=None),
        bool(shifted) and all(s.lead > 0 for s in shifted),
        bool(shifted) and both is not None and all(s.lead < both.lead for s in shifted),
        _shifted(m, "inside-0.8") if behind is not None else None,
        behind,
        bool(inside and ends and inside.all_above(ends)),
        bool(inside and ends and ends.all_above(inside)),
    )


@dataclass(frozen=True)
class Factorial:
    """why/factorial.html. from_loss: what cross-entropy adds to a softmax output on squared error."""

    from_loss: float | None
    seeds: int | None
    compares: bool
    both_gain: bool
    mostly_output: bool


def _factorial(m: Measured, c: Contrasts) -> Factorial:
    from_loss = m.lead("tanh-softmax-ce", "tanh-softmax-mse")
    from_output = c.softmax_output.mean if c.softmax_output else None
    return Factorial(
        from_loss,
        m.seeds("tanh-softmax-mse"),
        from_loss is not None and c.softmax_output is not None and c.loss is not None,
        is_gain(c.loss),
        is_above(from_output, from_loss),
    )


# ---------------------------------------------------------------------------------------------- fit and speed


@dataclass(frozen=True)
class Fitted:
    """An arm's accuracy on the images that it was trained on, and on the test images."""

    arm: str
    training: float
    test: float


@dataclass(frozen=True)
class Training:
    """why/training.html. lead: cross-entropy's over Example 1 on the training images; is_fitting: whether it matters;
    loses_less: whether Example 1 loses less than cross-entropy from the training images to the test images.

    saturated: the share of hidden units in the flat parts of tanh at the end, by arm. relu_tests_it: Example 1 has the
    largest of these, and what a hidden ReLU adds was measured.
    """

    fitted: tuple[Fitted, ...]
    epochs: int | None
    lead: float | None
    is_fitting: bool
    loses_less: bool
    saturated: Mapping[str, float]
    compares_saturation: bool
    relu_tests_it: bool


def _training(m: Measured, c: Contrasts) -> Training:
    fits = []
    for arm in ("example-1", "targets", "one-sided", "cross-entropy"):
        training, test = m.number(arm, "training_accuracy", "mean"), m.mean_accuracy(arm)
        if training is not None and test is not None:
            fits.append(Fitted(arm, training, test))
    lead = m.lead("cross-entropy", "example-1", "training_accuracy")
    layers = {arm: m.number(arm, "saturation", "final", "hidden") for arm in ("example-1", "targets", "cross-entropy")}
    saturated = {arm: shares[0] for arm, shares in layers.items() if shares and shares[0] is not None}
    compares = len(saturated) == len(layers)
    return Training(
        tuple(fits),
        m.epochs("example-1"),
        lead,
        is_above(lead, m.margin("equivalence")),
        is_above(*(m.number(arm, "generalization_gap") for arm in ("cross-entropy", "example-1"))),
        saturated,
        compares,
        compares
        and c.hidden is not None
        and saturated["example-1"] > max(saturated["targets"], saturated["cross-entropy"]),
    )


@dataclass(frozen=True)
class Reaching:
    """An arm's runs that reach the level, of how many, and the first epoch after which one does."""

    arm: str
    reaching: int
    seeds: int | None
    epochs: int | None
    first_epoch: int | None


@dataclass(frozen=True)
class Pace:
    """How many epochs Example 1 and cross-entropy take to come near their own plateaus."""

    example_1: float
    cross_entropy: float


@dataclass(frozen=True)
class LearningCurves:
    """why/learning-curves.html. lead: of cross-entropy over Example 1, in accuracy averaged over the epochs."""

    level: float
    examples: tuple[Reaching, ...]
    lead: float | None
    adam: Pace | None
    sgd: Pace | None


def _learning_curves(m: Measured) -> LearningCurves:
    examples = []
    for arm in ("example-1", "example-3"):
        first = m.number(arm, "first_epoch_at", LEVEL)
        if first is not None:
            epochs = [epoch for epoch in first if epoch is not None]
            examples.append(Reaching(arm, len(epochs), m.seeds(arm), m.epochs(arm), min(epochs, default=None)))
    lead = m.lead("cross-entropy", "example-1", "mean_epoch_accuracy")
    return LearningCurves(float(LEVEL), tuple(examples), lead, _pace(m, ""), _pace(m, "best-sgd-"))


def _pace(m: Measured, prefix: str) -> Pace | None:
    """Under plain SGD the arms' names have a prefix."""
    first, second = (m.number(f"{prefix}{arm}", "epochs_to_plateau", "mean") for arm in ("example-1", "cross-entropy"))
    return None if first is None or second is None else Pace(first, second)


@dataclass(frozen=True)
class Long:
    """why/long.html: cross-entropy's lead over Example 1 in the last quarter of the long runs, and its extremes.

    training_lead: on the training images at the end; earlier: after the article's epochs, of which half_stays or not.
    only_training_caught_up: less than half of it stays there, and more than half of the lead on the test images.
    """

    epochs: int
    times_as_long: float | None
    seeds: int | None
    averaged: int
    lead: float
    still_ahead: bool
    lowest: float
    highest: float
    training_lead: float | None
    earlier: float | None
    half_stays: bool
    only_training_caught_up: bool


def _long(m: Measured, c: Contrasts) -> Long | None:
    first, second = (_mean_curve(m.runs(arm)) for arm in ("long-example-1", "long-cross-entropy"))
    if not first or not second:
        return None
    last = max(1, len(first) // 4)
    late = [theirs - own for own, theirs in zip(first[-last:], second[-last:], strict=True)]
    usual, lead = m.epochs("example-1"), fmean(late)
    early = m.lead("cross-entropy", "example-1", "training_accuracy")
    training = m.lead("long-cross-entropy", "long-example-1", "training_accuracy")
    final = m.lead("long-cross-entropy", "long-example-1")
    return Long(
        epochs=len(first),
        times_as_long=len(first) / usual if usual else None,
        seeds=m.seeds("long-example-1"),
        averaged=last,
        lead=lead,
        still_ahead=lead > 0,
        lowest=min(late),
        highest=max(late),
        training_lead=training,
        earlier=early,
        half_stays=early is not None and training is not None and training >= early / 2 > 0,
        only_training_caught_up=early is not None
        and is_above(early / 2, training)
        and c.loss is not None
        and is_above(final, c.loss.mean / 2),
    )


def _mean_curve(runs: Sequence[RunResult]) -> list[float]:
    """The mean accuracy by epoch of runs on the test images."""
    curves = [run["test_accuracy_by_epoch"] for run in runs]
    return [fmean(epoch) for epoch in zip(*(curve for curve in curves if curve), strict=True)]


# ---------------------------------------------------------------------------------------------- the learning rate


@dataclass(frozen=True)
class Setting:
    """A learning rate and its schedule."""

    rate: float
    schedule: str


@dataclass(frozen=True)
class Choice:
    """What an arm chose on the held-out images. ties: settings that did as well there; the first was kept."""

    arm: str
    chosen: Setting
    ties: tuple[Setting, ...]
    tried: tuple[Setting, ...]
    seeds: int | None
    held_out: float


TIE = 1e-9  # of mean accuracies, which are rounded to binary fractions


def _choices(m: Measured, kind: str, arms: Iterable[str]) -> tuple[Choice, ...]:
    """By arm; `kind`: rate or sgd. Without those that have not chosen."""
    found = (_choice(m, arm, f"{kind}-{arm}-*", next(iter(m.runs(f"best-{kind}-{arm}")), None)) for arm in arms)
    return tuple(choice for choice in found if choice)


def _choice(m: Measured, arm: str, pattern: str, run: RunResult | None) -> Choice | None:
    arms = [name for name in m.results["arms"] if fnmatch(name, pattern)]
    scores = {name: score for name in arms if (score := m.mean(name, "held_out_accuracy")) is not None}
    if run is None or not scores:
        return None
    settings = {name: Setting(m.number(name, "learning_rate"), m.number(name, "schedule")) for name in scores}
    chosen, best = Setting(run["learning_rate"], run["schedule"]), max(scores.values())
    equals = [settings[name] for name, score in scores.items() if score > best - TIE]
    return Choice(
        arm,
        chosen,
        tuple(setting for setting in equals if setting != chosen),
        tuple(sorted(settings.values(), key=lambda setting: (setting.schedule, setting.rate))),
        m.seeds(next(iter(scores))),
        best,
    )


@dataclass(frozen=True)
class Rates:
    """why/rates.html: how much of cross-entropy's lead the rate accounts for. usual: that at the article's own rate.

    tried, seeds: how many settings Example 1 chose from, and on how many seeds each was tried. held_out,
    held_out_usual: cross-entropy's leads on the held-out images on which the rates were chosen. Whether both are the
    smaller ones: held_out_is_smaller.
    """

    choices: tuple[Choice, ...]
    tried: int | None
    seeds: int | None
    usual: float | None
    held_out: float | None
    held_out_usual: float | None
    held_out_is_smaller: bool
    rate_closes_little: bool
    rate_accounts_for_it: bool


def _rates(m: Measured, c: Contrasts) -> Rates | None:
    if c.best_rate is None:
        return None
    choices = _choices(m, "rate", ("example-1", "cross-entropy"))
    best = [choice.held_out for choice in choices]
    held_out = best[1] - best[0] if len(best) == len(("example-1", "cross-entropy")) else None
    held_out_usual = m.lead("rate-cross-entropy-0.001", "rate-example-1-0.001", "held_out_accuracy")
    usual, margin = m.lead("tanh-softmax-ce", "tanh-tanh-mse"), m.margin("equivalence")
    first = next(iter(choices), None)
    return Rates(
        choices,
        len(first.tried) if first else None,
        first.seeds if first else None,
        usual,
        held_out,
        held_out_usual,
        is_above(c.best_rate.mean, held_out) and is_above(usual, held_out_usual),
        usual is not None and c.best_rate.mean > usual / 2,
        margin is not None and c.best_rate.mean <= margin,
    )


@dataclass(frozen=True)
class Sgd:
    """why/sgd.html. epochs: of the runs. choices: of the rate, by arm; all_chose: theirs where it is the same."""

    epochs: int | None
    choices: tuple[Choice, ...]
    all_chose: Choice | None
    example_1_behind: bool
    targets_behind: bool


def _sgd(m: Measured, c: Contrasts) -> Sgd | None:
    if c.best_sgd is None or c.best_sgd_targets is None:
        return None
    choices = _choices(m, "sgd", ("example-1", "targets", "cross-entropy"))
    same = len({(choice.chosen, choice.tried) for choice in choices}) == 1
    return Sgd(
        m.epochs("best-sgd-example-1"),
        choices,
        choices[0] if same else None,
        c.best_sgd.mean > 0,
        c.best_sgd_targets.mean > 0,
    )


# ---------------------------------------------------------------------------------------------- gradients


@dataclass(frozen=True)
class Start:
    """What three networks reach from a saturated start with one optimizer. shows: cross-entropy beats Example 1."""

    example_1: float
    targets: float
    cross_entropy: float
    shows: bool


@dataclass(frozen=True)
class Saturated:
    """why/saturated.html. tied_share: of images on which several of Example 1's outputs are the largest, under SGD."""

    scale: float | None
    epochs: int | None
    sgd: Start | None
    adam: Start | None
    both: bool
    tied_share: float | None


def _saturated(m: Measured) -> Saturated:
    sgd, adam = _start(m, "saturated"), _start(m, "saturated-adam")
    return Saturated(
        m.number("saturated-example-1", "output_kernel_scale"),
        m.epochs("saturated-example-1"),
        sgd,
        adam,
        bool(sgd and adam and sgd.shows and adam.shows),
        m.number("saturated-example-1", "tied_share"),
    )


def _start(m: Measured, prefix: str) -> Start | None:
    own, targets, other = (m.mean_accuracy(f"{prefix}-{arm}") for arm in ("example-1", "targets", "cross-entropy"))
    if own is None or targets is None or other is None:
        return None
    return Start(own, targets, other, other > own)


@dataclass(frozen=True)
class Deep:
    """A deep network. kept: the size of δ in its first hidden layer over that in the output layer, before training."""

    label: str
    kept: float | None
    accuracy: float


@dataclass(frozen=True)
class Depth:
    """why/depth.html: the deepest networks under squared error, by hidden activation; relu_he has He's weights.

    tanh_loses: what depth costs tanh in accuracy; slows, helps: whether that matters. Decisions are False unless all
    are measured. cross_entropy_loses: what it costs under cross-entropy; cross_entropy_keeps: of the signal with a
    single layer.
    """

    layers: int | None
    epochs: int | None
    seeds: int | None
    deep: Mapping[str, Deep]
    all_measured: bool
    tanh_loses: float | None
    cross_entropy_loses: float | None
    cross_entropy_keeps: float | None
    slows: bool
    helps: bool
    sigmoid_keeps_least: bool
    relu_keeps_less_than_tanh: bool
    he_keeps_more: bool

    @property
    def compares_vanishing(self) -> bool:
        return "tanh" in self.deep and "sigmoid" in self.deep

    def kept(self, hidden: str) -> float | None:
        return self.deep[hidden].kept if hidden in self.deep else None


DEEP = {"tanh": "tanh", "sigmoid": "the sigmoid", "relu": "ReLU", "relu_he": "ReLU with He’s weights"}


def _depth(m: Measured) -> Depth:
    layers = max((arm["depth"] for arm in m.results["arms"].values() if arm["block"] == "depth"), default=None)
    deep = {}
    for hidden, label in DEEP.items():
        name = f"depth{layers}-{hidden.replace('_', '-')}-mse"
        accuracy = m.mean_accuracy(name)
        if accuracy is not None:
            deep[hidden] = Deep(label, m.number(name, "gradient", "start", "first_over_output"), accuracy)
    kept = {hidden: network.kept for hidden, network in deep.items()}
    loses = m.lead("depth1-tanh-mse", f"depth{layers}-tanh-mse")
    single, many = (m.number(f"depth{n}-tanh-ce", "gradient", "start", "first_over_output") for n in (1, layers))
    tanh, sigmoid, relu, he = (kept.get(hidden) for hidden in DEEP)
    return Depth(
        layers,
        m.epochs(f"depth{layers}-tanh-mse"),
        m.seeds(f"depth{layers}-tanh-mse"),
        deep,
        len(deep) == len(DEEP),
        loses,
        m.lead("depth1-tanh-ce", f"depth{layers}-tanh-ce"),
        many / single if single and many is not None else None,
        is_above(loses, m.margin("equivalence")),
        is_above(minus(0, loses), m.margin("equivalence")),
        is_above(tanh, sigmoid) and is_above(relu, sigmoid),
        is_above(tanh, relu),
        is_above(he, relu),
    )


# ---------------------------------------------------------------------------------------------- what was learned


@dataclass(frozen=True)
class Reader:
    """A way to read hidden layers, and the accuracy with those of Example 1 and of cross-entropy."""

    name: str
    example_1: float
    cross_entropy: float


READERS = {  # the arms whose accuracy, by this measure, is that of the features of Example 1 and of cross-entropy
    "least squares": ("example-1", "cross-entropy", "least_squares_accuracy"),
    "squared error": ("tanh-tanh-mse", "cross-entropy-read-by-example-1", "test_accuracy"),
    "cross-entropy": ("example-1-read-by-cross-entropy", "tanh-softmax-ce", "test_accuracy"),
}


@dataclass(frozen=True)
class Readouts:
    """why/readouts.html: what cross-entropy's hidden layer gains or loses under Example 1's output.

    each_suits_its_own: neither hidden layer gains by the swap.
    least_squares: what the exact least-squares readout adds to Example 1. wins_back_less: neither that nor a new output
    layer trained with cross-entropy wins back half of the gap. readers: both hidden layers under each; depends: whether
    Example 1's is the worse one for some and not for others.
    """

    cross_entropy_gains: float | None
    cross_entropy_loses: float | None
    swapped: bool
    each_suits_its_own: bool
    least_squares: float | None
    wins_back_less: bool
    readers: tuple[Reader, ...]
    depends: bool


def _readouts(m: Measured, c: Contrasts) -> Readouts:
    gains = m.lead("cross-entropy-read-by-example-1", "cross-entropy")
    swapped = c.reread is not None and gains is not None
    suits = c.reread is not None and c.reread.mean < 0 and is_above(0, gains)
    exact = minus(m.mean("example-1", "least_squares_accuracy"), m.mean_accuracy("example-1"))
    less = is_less_than_half(c.reread, c.loss) and c.loss is not None and is_above(c.loss.mean / 2, exact)
    readers = []
    for name, (own, other, measure) in READERS.items():
        first, second = m.mean(own, measure), m.mean(other, measure)
        if first is not None and second is not None:
            readers.append(Reader(name, first, second))
    worse = {reader.example_1 < reader.cross_entropy for reader in readers}
    return Readouts(
        gains,
        -gains if gains is not None and gains < 0 else None,
        swapped,
        suits,
        exact,
        less,
        tuple(readers),
        len(readers) == len(READERS) and len(worse) > 1,
    )


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
class Confusions:
    """why/confusions.html: errors a run on the test images, rounded; `*_always`: images that every run gets wrong."""

    example_1: int | None
    example_3: int | None
    compares: bool
    example_1_always: int | None
    example_3_always: int | None
    compares_always: bool


def _confusions(m: Measured) -> Confusions:
    counts = _errors(m, "example-1"), _errors(m, "example-3")
    always = m.number("example-1", "always_wrong"), m.number("example-3", "always_wrong")
    return Confusions(*counts, None not in counts, *always, None not in always)


# ---------------------------------------------------------------------------------------------- beyond this study


@dataclass(frozen=True)
class Limits:
    """limits.html: Example 1's network, and the fewest seeds of any arm. images_explain: the share of the scatter.

    held_out_is_smaller: cross-entropy's lead on the held-out images at the article's learning rate.
    """

    depth: int | None
    width: int | None
    fewest_seeds: int | None
    images_explain: float | None
    held_out_is_smaller: bool


def _limits(m: Measured, c: Contrasts, rates: Rates | None) -> Limits:
    seeds = [len(arm["seeds"]) for arm in m.results["arms"].values()]
    share = c.recipe.image_share if c.recipe else None
    return Limits(
        m.number("example-1", "depth"),
        m.number("example-1", "width"),
        min(seeds, default=None),
        share,
        rates is not None and is_above(rates.usual, rates.held_out_usual),
    )


@dataclass(frozen=True)
class Others:
    """others.html: what of other studies' findings is compared with this one's. `*_error`: of calibration."""

    relu_lead_over_linear: float | None
    compares_saturated: bool
    compares_calibration: bool
    cross_entropy_error: float | None
    targets_error: float | None
    example_1_error: float | None
    example_1_error_undivided: float | None


def _others(m: Measured, c: Contrasts, saturated: Saturated) -> Others:
    return Others(
        m.lead("relu-softmax-ce", "relu-linear-mse"),
        saturated.sgd is not None and c.equivalence is not None,
        all(name in m.results["arms"] for name in ("targets", "cross-entropy", "example-1")),
        m.calibration("cross-entropy"),
        m.calibration("targets"),
        m.calibration("example-1"),
        m.calibration("example-1", "ece_as_is"),
    )


UNSATURATED = 0.5  # a mean slope of tanh that is not flat


@dataclass(frozen=True)
class Right:
    """right.html. saturated_gap: from cross-entropy to Example 1 where outputs start saturated.

    names_the_place: a sigmoid, which cannot undershoot, gains on the article's targets. leads_repeat: both differences
    on which many verdicts rest are gains. hidden_ends_saturated: Example 1's outputs start unsaturated, and its hidden
    units end more saturated than cross-entropy's.
    """

    names_the_place: bool
    leads_repeat: bool
    saturated_gap: float | None
    mechanism_shows: bool
    hidden_ends_saturated: bool
    gradients_vanish: bool
    advice_holds: bool


def _right(m: Measured, c: Contrasts, depth: Depth, saturated: Saturated, training: Training) -> Right:
    sgd = saturated.sgd
    tanh, sigmoid = depth.kept("tanh"), depth.kept("sigmoid")
    start = m.number("example-1", "saturation", "start", "output_slope_other")
    return Right(
        is_gain(c.sigmoid_output),
        is_gain(c.recipe) and is_gain(c.loss),
        sgd.cross_entropy - sgd.example_1 if sgd else None,
        bool(sgd and sgd.shows),
        is_above(start, UNSATURATED) and _is_more_saturated(training),
        tanh is not None and is_above(tanh / 10, sigmoid),
        is_gain(c.loss),
    )


def _is_more_saturated(training: Training) -> bool:
    return is_above(training.saturated.get("example-1"), training.saturated.get("cross-entropy"))


@dataclass(frozen=True)
class Notes:
    """Notes under the claims, in claims.toml.

    sigmoid_lead: of a sigmoid on cross-entropy with hidden ReLU, the most accurate network with it, over the best of
    five on squared error; None where it isn't the best. fashion_seeds, fashion_p: seeds on Fashion-MNIST, and the
    smallest p-value that they can give; fashion_is_undecidable: it is above the level. linear_share, relu_share: of
    cross-entropy's and of Example 3's lead, what a linear output and a hidden ReLU add to Example 1.
    only_more_saturated: less than half each, though Example 1's hidden units are the more saturated ones.
    slows_unvanished: deep tanh layers learn more slowly under cross-entropy and keep the signal; by_sigmoid: where
    sigmoid layers lose it. map_share: of a prediction's time. sgd_rises: Example 1's accuracy does in each of the last
    epochs under plain SGD; sgd_targets_pace: epochs that targets −1 and 1 take to their plateau.
    """

    sigmoid_lead: float | None
    sigmoid_lead_matters: bool
    fashion_seeds: int | None
    fashion_p: float | None
    fashion_is_undecidable: bool
    linear_share: float | None
    relu_share: float | None
    only_more_saturated: bool
    slows_unvanished: bool
    by_sigmoid: bool
    map_share: float | None
    sgd_rises: bool
    sgd_targets_pace: float | None


def _notes(m: Measured, c: Contrasts, depth: Depth, training: Training) -> Notes:
    margin, lead = m.margin("equivalence"), _best_sigmoid(m)
    seeds, smallest = _smallest_p(m)
    linear, relu = _share(c.output, c.loss), _share(c.hidden, c.recipe)
    kept, predicting = depth.cross_entropy_keeps, m.number("example-2", "predict_seconds")
    mapping = m.number("example-2", "map_seconds")
    late = _mean_curve(m.runs("best-sgd-example-1"))[-3:]
    return Notes(
        lead,
        is_above(lead, margin),
        seeds,
        smallest,
        smallest is not None and smallest > 1 - m.results["confidence"],
        linear,
        relu,
        is_above(0.5, linear) and is_above(0.5, relu) and _is_more_saturated(training),
        is_above(depth.cross_entropy_loses, margin) and is_above(kept, VANISHING),
        depth.sigmoid_keeps_least and is_above(VANISHING, depth.kept("sigmoid")),
        mapping / predicting if mapping and predicting else None,
        bool(late) and all(later > earlier for earlier, later in pairwise(late)),
        m.mean("best-sgd-targets", "epochs_to_plateau"),
    )


VANISHING = 0.1  # of the signal, as among the thresholds
WITH_RELU = ("tanh-mse", "tanh-targets", "linear-mse", "sigmoid-mse", "softmax-mse")  # those on squared error


def _best_sigmoid(m: Measured) -> float | None:
    scores = [m.mean_accuracy(f"relu-{head}") for head in (*WITH_RELU, "softmax-ce")]
    sigmoid, known = m.mean_accuracy("relu-sigmoid-bce"), [score for score in scores if score is not None]
    if sigmoid is None or len(known) < len(scores) or sigmoid <= max(known):
        return None
    return sigmoid - max(known[: len(WITH_RELU)])


def _share(part: Difference | None, whole: Difference | None) -> float | None:
    """Of a gain, what another one is; None unless both are."""
    return part.mean / whole.mean if part and whole and part.mean > 0 and whole.mean > 0 else None


def _smallest_p(m: Measured) -> tuple[int | None, float | None]:
    """Seeds of Example 3's lead on Fashion-MNIST, and the smallest p-value that they can give."""
    there = _summary_elsewhere(m, "fashion_mnist")
    row = next((row for row in there["contrasts"] if row["name"] == "recipe" and row["n"]), None) if there else None
    return (row["n"], row.get("p_smallest")) if row else (None, None)


@dataclass(frozen=True)
class Digits:
    """elsewhere/digits.html: the contrasts on the digits, and whether the hidden layer gains more there."""

    targets: Difference
    hidden: Difference
    recipe: Difference
    hidden_gains_more: bool


def _digits(m: Measured, c: Contrasts) -> Digits | None:
    other = _elsewhere(m, "digits")
    if not (other and other.targets and other.hidden and other.recipe and c.hidden and c.targets and c.recipe):
        return None
    return Digits(other.targets, other.hidden, other.recipe, other.hidden.low > c.hidden.high)


@dataclass(frozen=True)
class Fashion:
    """elsewhere/fashion_mnist.html: whether all four changes of Example 1 are gains there, and their size.

    smallest, largest: as a share of what the same change gains on MNIST; None unless all are gains on both.
    two_thirds: both are near two thirds. seeds: of each change there.
    """

    same_directions: bool
    behind: tuple[str, ...]
    smallest: float | None
    largest: float | None
    two_thirds: bool
    seeds: int


FASHION = ("recipe", "loss", "targets", "one_sided")


def _fashion(m: Measured, c: Contrasts) -> Fashion | None:
    other = _elsewhere(m, "fashion_mnist")
    pairs = {name: (getattr(c, name), getattr(other, name) if other else None) for name in FASHION}
    both = {name: (here, there) for name, (here, there) in pairs.items() if here and there}
    if len(both) < len(FASHION):
        return None
    behind = tuple(name for name, (_, there) in both.items() if there.mean <= 0)
    gains = not behind and all(here.mean > 0 for here, _ in both.values())
    shares = [there.mean / here.mean for here, there in both.values()] if gains else []
    seeds = min(there.seeds for _, there in both.values())
    near = bool(shares) and all(0.6 < share < 0.73 for share in shares)
    return Fashion(not behind, behind, min(shares, default=None), max(shares, default=None), near, seeds)


def _elsewhere(m: Measured, dataset: str) -> Contrasts | None:
    summary = _summary_elsewhere(m, dataset)
    return contrasts(summary) if summary else None


def _summary_elsewhere(m: Measured, dataset: str) -> Summary | None:
    replications = cast(Mapping[str, Summary], m.results.get("replications", {}))  # a data set has none of its own
    return replications.get(dataset)


def _level(m: Measured, dataset: str) -> Difference | None:
    """Cross-entropy's lead over targets −1 and 1 on another data set."""
    other = _elsewhere(m, dataset)
    return other.equivalence if other else None


# ---------------------------------------------------------------------------------------------- all of it


@dataclass(frozen=True)
class View(Contrasts):
    """The contrasts by name, and a part for each template. fewer_errors: Example 3's, as a share of Example 1's.

    level_on_*: cross-entropy's lead over targets −1 and 1 on other data sets.
    """

    targets_close_gap: bool
    fewer_errors: float | None
    level_on_fashion: Difference | None
    level_on_digits: Difference | None
    linear_with_relu: LinearWithRelu
    answer: Answer
    exactly: Exactly
    why: Why
    changes: Changes
    one_digit: OneDigit | None
    push_back: PushBack | None
    outputs: Outputs | None
    wall: Wall
    dose: Dose
    factorial: Factorial
    training: Training
    learning_curves: LearningCurves
    long: Long | None
    rates: Rates | None
    sgd: Sgd | None
    saturated: Saturated
    depth: Depth
    readouts: Readouts
    reliability: Reliability
    confusions: Confusions
    limits: Limits
    others: Others
    right: Right
    notes: Notes
    digits: Digits | None
    fashion: Fashion | None


def view(results: Summary) -> View:
    m, c = Measured(results), contrasts(results)
    errors = [m.number(arm, "test_error", "mean") for arm in ("example-1", "example-3")]
    answer, depth, saturated, training = _answer(m, c), _depth(m), _saturated(m), _training(m, c)
    rates = _rates(m, c)
    return View(
        **vars(c),
        targets_close_gap=bool(c.recipe and is_gain(c.targets) and c.targets and c.targets.mean > c.recipe.mean / 2),
        fewer_errors=1 - errors[1] / errors[0] if errors[0] and errors[1] is not None else None,
        level_on_fashion=_level(m, "fashion_mnist"),
        level_on_digits=_level(m, "digits"),
        linear_with_relu=_linear_with_relu(m, c),
        answer=answer,
        exactly=_exactly(m),
        why=_why(m, c, answer),
        changes=_changes(m),
        one_digit=_one_digit(m),
        push_back=_push_back(m),
        outputs=_outputs(m, c),
        wall=_wall(m, c),
        dose=_dose(m),
        factorial=_factorial(m, c),
        training=training,
        learning_curves=_learning_curves(m),
        long=_long(m, c),
        rates=rates,
        sgd=_sgd(m, c),
        saturated=saturated,
        depth=depth,
        readouts=_readouts(m, c),
        reliability=_reliability(m),
        confusions=_confusions(m),
        limits=_limits(m, c, rates),
        others=_others(m, c, saturated),
        right=_right(m, c, depth, saturated, training),
        notes=_notes(m, c, depth, training),
        digits=_digits(m, c),
        fashion=_fashion(m, c),
    )
