"""Results, looked up by the names of arms and contrasts, for view models. What was not measured is None."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from experiments.analysis.results import ContrastResult, RunResult, Summary


@dataclass(frozen=True)
class Spread:
    """An arm's final test accuracy over its seeds, as fractions."""

    mean: float
    lowest: float
    highest: float

    def all_above(self, other: Spread) -> bool:
        """Whether the worst seed is better than the best of the other arm."""
        return self.lowest > other.highest


Interval = tuple[float, float]  # low, high


@dataclass(frozen=True)
class Difference:
    """A contrast that was measured: mean difference of its arms' accuracies and its intervals, as fractions.

    low, high: over seeds. two_way, bootstrap: over test images too, the bootstrap being the wider one. further: where
    the mean of ten further seeds would fall. image_share: of the scatter over seeds, what finitely many test images
    explain. superiority: of all pairs of runs, the share in which the first arm is ahead. `margin` and what follows
    it: where the contrast asks for equivalence, else None and False.
    """

    name: str
    seeds: int
    mean: float
    low: float
    high: float
    bootstrap: Interval
    two_way: Interval | None = None
    further: Interval | None = None
    image_share: float | None = None
    superiority: float | None = None
    margin: float | None = None
    equivalence: Interval | None = None
    equivalent: bool = False

    @property
    def size(self) -> float:
        return abs(self.mean)

    @property
    def positive(self) -> bool:
        """Whether the whole interval over seeds is above 0."""
        return self.low > 0

    @property
    def negative(self) -> bool:
        return self.high < 0

    @property
    def includes_zero(self) -> bool:
        return not self.positive and not self.negative

    @property
    def favours_first(self) -> bool:
        return self.mean > 0

    @property
    def uncertain_over_images(self) -> bool:
        """Whether 0 is excluded over seeds, but not over seeds and test images."""
        return not self.includes_zero and self.two_way is not None and self.two_way[0] <= 0 <= self.two_way[1]


@dataclass(frozen=True)
class Measured:
    """Results, looked up by the names of arms and contrasts: None for what was not measured."""

    results: Summary

    def contrast(self, name: str) -> Difference | None:
        row = next((row for row in self.results["contrasts"] if row["name"] == name), None)
        return difference(row) if row and row["n"] else None

    def margin(self, name: str) -> float | None:
        """The equivalence margin that a contrast was declared with, measured or not."""
        return next((row.get("equivalence_margin") for row in self.results["contrasts"] if row["name"] == name), None)

    def number(self, arm: str, *keys: str) -> Any:
        """What stands in an arm's results under these keys, one inside the other."""
        value: Any = self.results["arms"].get(arm)
        for key in keys:
            value = None if value is None else value.get(key)
        return value

    def mean(self, arm: str, measure: str) -> float | None:
        """A measure of an arm, which may be a spread over its seeds."""
        value = self.number(arm, measure)
        mean: float | None = value["mean"] if isinstance(value, Mapping) else value
        return mean

    def accuracy(self, arm: str) -> Spread | None:
        spread = self.number(arm, "test_accuracy")
        return spread and Spread(spread["mean"], spread["min"], spread["max"])

    def mean_accuracy(self, arm: str) -> float | None:
        spread = self.accuracy(arm)
        return spread.mean if spread else None

    def calibration(self, arm: str, measure: str = "ece") -> float | None:
        score: float | None = self.number(arm, "calibration", measure)
        return score

    def seeds(self, arm: str) -> int | None:
        """How many seeds were measured."""
        seeds = self.number(arm, "seeds")
        return None if seeds is None else len(seeds)

    def epochs(self, arm: str) -> int | None:
        return next((run["epochs"] for run in self.runs(arm)), None)

    def runs(self, arm: str) -> list[RunResult]:
        return [run for run in self.results["runs"] if run["arm"] == arm]

    def lead(self, first: str, second: str, measure: str = "test_accuracy") -> float | None:
        """How far an arm is ahead of another, as a fraction: over the seeds that they share, else between means."""
        if measure != "test_accuracy":
            return minus(self.mean(first, measure), self.mean(second, measure))
        scores = [
            {run["seed"]: score for run in self.runs(arm) if (score := run["test_accuracy"]) is not None}
            for arm in (first, second)
        ]
        if not all(scores):
            return None
        shared = scores[0].keys() & scores[1].keys()
        means = [fmean(by_seed[seed] for seed in sorted(shared or by_seed)) for by_seed in scores]
        return means[0] - means[1]


def difference(row: ContrastResult) -> Difference:
    """A contrast of the results that was measured. An older record lacks some of its numbers."""
    low, high = row["interval"]
    bootstrap = _interval(row["bootstrap"])
    assert bootstrap is not None
    return Difference(
        name=row["name"],
        seeds=row["n"],
        mean=row["mean"],
        low=low,
        high=high,
        bootstrap=bootstrap,
        two_way=_interval(row.get("two_way_interval")),
        further=_interval(row.get("prediction_interval")),
        image_share=row.get("image_share"),
        superiority=row.get("superiority"),
        margin=row.get("equivalence_margin"),
        equivalence=_interval(row.get("equivalence_interval")),
        equivalent=row.get("equivalent", False),
    )


def _interval(ends: list[float] | None) -> Interval | None:
    return (ends[0], ends[1]) if ends else None


def minus(first: float | None, second: float | None) -> float | None:
    """The difference of two numbers; None where one is not measured."""
    return None if first is None or second is None else first - second


def is_above(first: float | None, second: float | None) -> bool:
    """Whether both numbers are measured and the first is larger."""
    return first is not None and second is not None and first > second


@dataclass(frozen=True)
class Change:
    """A measured contrast that changes one thing: in words, and how much it changes."""

    label: str
    difference: Difference


def changes(results: Summary, labels: Mapping[str, str]) -> tuple[Change, ...]:
    """The measured contrasts that have a label, in the order of the results."""
    measured = Measured(results)
    contrasts = [measured.contrast(row["name"]) for row in results["contrasts"] if row["name"] in labels]
    return tuple(Change(labels[contrast.name], contrast) for contrast in contrasts if contrast)
