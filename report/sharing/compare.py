"""Two results of the study held against each other: which verdicts turned, which effects moved beyond seed noise."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.analysis.results import ArmResult, Results
from experiments.plots.figures import final_accuracy
from report.claims.model import DECIDED, Ledger
from report.claims.verdicts import judge, judge_predictions


@dataclass(frozen=True)
class Turned:
    """A question of a claim that both results decide, and not in the same way."""

    claim: str
    asks: str  # see `Question.asks`
    before: str
    after: str


SAME = 1e-6  # numbers closer than this differ by the record's rounding alone
NO_SPREAD = 1e-9  # an interval narrower than this is that of equal seeds, but for floating point


@dataclass(frozen=True)
class Measured:
    """The mean over the seeds of one result, as a fraction. `half`: half its interval, 0 where all seeds are equal."""

    mean: float
    half: float
    seeds: int

    @property
    def unknown(self) -> str:
        """Why these seeds do not show by how much seeds differ; nothing where they do."""
        if self.seeds < 2:
            return "one seed"
        return f"{self.seeds} equal seeds" if self.half < NO_SPREAD else ""


@dataclass(frozen=True)
class Effect:
    """A number that both results have."""

    name: str
    before: Measured
    after: Measured

    @property
    def change(self) -> float:
        return self.after.mean - self.before.mean

    @property
    def noise(self) -> float | None:
        """How far seeds alone let the two means lie apart; None where one of the results does not show it.

        Half the interval of the difference of two independent means, from the halves of theirs, which add in squares.
        Schenker and Gentleman 2001, section 2: intervals may overlap and the means still differ.
        """
        return None if self.unknown else math.hypot(self.before.half, self.after.half)

    @property
    def unknown(self) -> str:
        return self.before.unknown or self.after.unknown

    @property
    def moved(self) -> bool:
        return self.noise is not None and abs(self.change) > max(self.noise, SAME)

    @property
    def undecided(self) -> bool:
        """Whether the number changed and nobody can say whether by more than seeds do."""
        return self.noise is None and abs(self.change) > SAME


@dataclass(frozen=True)
class Comparison:
    """`single`: arms and contrasts that only one of the results has measured.

    `undecided`: how many questions can't be decided on the first alone, on the second alone, and on either, each by
    what their verdict is instead.
    """

    turned: tuple[Turned, ...]
    effects: tuple[Effect, ...]
    single: tuple[str, ...]
    undecided: tuple[Mapping[str, int], Mapping[str, int], Mapping[str, int]] = ({}, {}, {})

    @property
    def moved(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.moved]

    @property
    def unclear(self) -> list[Effect]:
        return [effect for effect in self.effects if effect.undecided]

    @property
    def unmoved(self) -> list[Effect]:
        return [effect for effect in self.effects if not effect.moved and not effect.undecided]

    @property
    def differs(self) -> bool:
        return bool(self.turned or self.moved)

    @property
    def counts(self) -> str:
        """How many verdicts turned and how many effects moved, in words."""
        moved = f"{len(self.moved)} of {len(self.effects)} effects moved beyond seed noise, {len(self.unmoved)} did not"
        unclear = f", {len(self.unclear)} undecided: too few seeds, or identical ones" if self.unclear else ""
        return f"{len(self.turned)} verdicts turned; {moved}{unclear}"


def compare(before: Results, after: Results, ledger: Ledger) -> Comparison:
    """What changed from one results.json to another, by the rules of the same claims."""
    return differences(before, after, _verdicts(before, ledger), _verdicts(after, ledger))


def differences(before: Results, after: Results, old: Verdicts, new: Verdicts) -> Comparison:
    """What changed from one results.json to another, with the verdicts that each had."""
    first, second = _measured(before), _measured(after)
    return Comparison(
        tuple(
            Turned(*name, old[name], new[name])
            for name in old
            if name in new and {old[name], new[name]} <= set(DECIDED) and old[name] != new[name]
        ),
        tuple(Effect(name, first[name], second[name]) for name in first if name in second),
        tuple(sorted(first.keys() ^ second.keys())),
        _undecided(old, new),
    )


Verdicts = Mapping[tuple[str, str], str]  # by claim or prediction, and what is asked


def _verdicts(results: Results, ledger: Ledger) -> Verdicts:
    """The verdicts on all questions that results could decide."""
    verdicts = [(judged.claim.id, verdict) for judged in judge(ledger, results) for verdict in judged.verdicts.values()]
    verdicts += [(judged.prediction.id, judged.verdict) for judged in judge_predictions(ledger, results)]
    return {
        (name, verdict.question.asks): verdict.verdict
        for name, verdict in verdicts
        if not verdict.question.none and not verdict.question.not_testable
    }


def _undecided(old: Verdicts, new: Verdicts) -> tuple[Counter[str], Counter[str], Counter[str]]:
    """As in `Comparison`."""
    pairs = [(old[name], new[name]) for name in old if name in new]
    both = Counter(first for first, second in pairs if first == second and first not in DECIDED)
    return (
        Counter(first for first, second in pairs if first not in DECIDED and first != second),
        Counter(second for first, second in pairs if second not in DECIDED and first != second),
        both,
    )


def _measured(results: Results) -> dict[str, Measured]:
    """Every contrast that has pairs of runs, and the accuracy of every arm."""
    contrasts = {
        f"contrast {row['name']}": Measured(row["mean"], _half(row["interval"]), row["n"])
        for row in results["contrasts"]
        if row["n"]
    }
    return contrasts | {_called(name, arm): _accuracy(arm) for name, arm in results["arms"].items()}


def _called(name: str, arm: ArmResult) -> str:
    """An arm that holds out images in one result alone is not the same number in both."""
    return f"arm {name}" if arm["test_accuracy"] is not None else f"arm {name} on held-out images"


def _accuracy(arm: ArmResult) -> Measured:
    accuracy = final_accuracy(arm)
    return Measured(accuracy["mean"], _half(accuracy["interval"]), len(arm["seeds"]))


def _half(interval: Sequence[float] | None) -> float:
    return (interval[1] - interval[0]) / 2 if interval else 0.0
