"""The view model: results and verdicts in; what templates show out. Templates choose words, decisions fall here.

A decision is a boolean, a number is ready for a filter, and what was not measured is None. Nothing here names an arm,
a contrast or an article: an article's own decisions are in `view.py` beside its claims, which is loaded by its path.
"""

from __future__ import annotations

import runpy
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from experiments.files.errors import UserError, shown
from report.claims.claims import PARTLY, SUPPORTED, Claim, Verdict

Results = Mapping[str, Any]


@dataclass(frozen=True)
class Spread:
    """An arm's final test accuracy over its seeds, as fractions."""

    mean: float
    lowest: float
    highest: float

    def all_above(self, other: Spread) -> bool:
        """Whether the worst seed is better than the best of the other arm."""
        return self.lowest > other.highest


@dataclass(frozen=True)
class Difference:
    """A contrast that was measured: mean difference of its arms' accuracies and its intervals, as fractions.

    low, high: over seeds; bootstrap_low, bootstrap_high: over test images too. `margin` and what follows it: where the
    contrast asks for equivalence, else None and False.
    """

    name: str
    seeds: int
    mean: float
    low: float
    high: float
    bootstrap_low: float
    bootstrap_high: float
    margin: float | None = None
    equivalence_low: float | None = None
    equivalence_high: float | None = None
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
    def bootstrap_includes_zero(self) -> bool:
        return self.bootstrap_low <= 0 <= self.bootstrap_high


@dataclass(frozen=True)
class Measured:
    """Results, looked up by the names of arms and contrasts: None for what was not measured."""

    results: Results

    def contrast(self, name: str) -> Difference | None:
        row = next((row for row in self.results["contrasts"] if row["name"] == name), None)
        return difference(row) if row and row["n"] else None

    def margin(self, name: str) -> float | None:
        """The equivalence margin that a contrast was declared with, measured or not."""
        return next((row.get("equivalence_margin") for row in self.results["contrasts"] if row["name"] == name), None)

    def number(self, arm: str, *keys: str) -> Any:
        """What stands in an arm's results under these keys, one inside the other."""
        value = self.results["arms"].get(arm)
        for key in keys:
            value = None if value is None else value.get(key)
        return value

    def accuracy(self, arm: str) -> Spread | None:
        spread = self.number(arm, "test_accuracy")
        return spread and Spread(spread["mean"], spread["min"], spread["max"])

    def mean_accuracy(self, arm: str) -> float | None:
        return self.number(arm, "test_accuracy", "mean")

    def calibration(self, arm: str, measure: str = "ece") -> float | None:
        return self.number(arm, "calibration", measure)

    def seeds(self, arm: str) -> int | None:
        """How many seeds were measured."""
        seeds = self.number(arm, "seeds")
        return None if seeds is None else len(seeds)

    def epochs(self, arm: str) -> int | None:
        return next((run["epochs"] for run in self.runs(arm)), None)

    def runs(self, arm: str) -> list[Mapping[str, Any]]:
        return [run for run in self.results["runs"] if run["arm"] == arm]

    def lead(self, first: str, second: str, measure: str = "test_accuracy") -> float | None:
        """How far an arm is ahead of another, as a fraction: over the seeds that they share, else between means."""
        if measure != "test_accuracy":
            return minus(self.number(first, measure), self.number(second, measure))
        scores = [{run["seed"]: run["test_accuracy"] for run in self.runs(arm)} for arm in (first, second)]
        if not all(scores) or any(score is None for by_seed in scores for score in by_seed.values()):
            return None
        shared = scores[0].keys() & scores[1].keys()
        means = [fmean(by_seed[seed] for seed in sorted(shared or by_seed)) for by_seed in scores]
        return means[0] - means[1]


def difference(row: Mapping[str, Any]) -> Difference:
    """A contrast of the results that was measured."""
    low, high = row["interval"]
    bootstrap_low, bootstrap_high = row["bootstrap"]
    equivalence_low, equivalence_high = row.get("equivalence_interval") or (None, None)
    return Difference(
        name=row["name"],
        seeds=row["n"],
        mean=row["mean"],
        low=low,
        high=high,
        bootstrap_low=bootstrap_low,
        bootstrap_high=bootstrap_high,
        margin=row.get("equivalence_margin"),
        equivalence_low=equivalence_low,
        equivalence_high=equivalence_high,
        equivalent=row.get("equivalent", False),
    )


def minus(first: float | None, second: float | None) -> float | None:
    """The difference of two numbers; None where one is not measured."""
    return None if first is None or second is None else first - second


def is_above(first: float | None, second: float | None) -> bool:
    """Whether both numbers are measured and the first is larger."""
    return first is not None and second is not None and first > second


# ---------------------------------------------------------------------------------------------- an article's own view


def load(folder: Path) -> Callable[[Results], object]:
    """The function `view` of view.py in an article's folder; one that gives None where there is no such file.

    The function takes the results. Raises `UserError` for a mistake in the file, when it is read and when it is called.
    """
    path = folder / "view.py"
    if not path.is_file():
        return lambda results: None
    try:
        view = runpy.run_path(str(path), run_name=f"{folder.name}.view")["view"]
    except KeyError as error:
        raise UserError(f"{shown(path)}: has no {error}. Expected 'def view(results)'. Add it.") from error
    except Exception as error:
        raise UserError(f"{_place(error, path)}: {error}. Fix it.") from error

    def call(results: Results) -> object:
        try:
            return view(results)
        except Exception as error:
            raise UserError(f"{_place(error, path)}: {type(error).__name__}: {error}. Fix it.") from error

    return call


def _place(error: BaseException, path: Path) -> str:
    """File and line of `path` in which `error` arose."""
    line, traceback = getattr(error, "lineno", None), error.__traceback__
    while traceback:
        if traceback.tb_frame.f_code.co_filename == str(path):
            line = traceback.tb_lineno
        traceback = traceback.tb_next
    return f"{shown(path)}:{line}" if line else shown(path)


# ---------------------------------------------------------------------------------------------- the page's view


@dataclass(frozen=True)
class Data:
    """The data set of the page. one_image: what a single test image counts, as a fraction."""

    is_mnist: bool
    shows_digits: bool
    one_image: float


@dataclass(frozen=True)
class Change:
    """A measured contrast that changes one thing: in words, and how much it changes."""

    label: str
    difference: Difference


@dataclass(frozen=True)
class VerdictCount:
    verdict: str
    number: int
    single: bool


def changes(results: Results, labels: Mapping[str, str]) -> tuple[Change, ...]:
    """The measured contrasts that have a label, in the order of the results."""
    measured = Measured(results)
    found = [measured.contrast(row["name"]) for row in results["contrasts"] if row["name"] in labels]
    return tuple(Change(labels[contrast.name], contrast) for contrast in found if contrast)


def verdict_counts(verdicts: Sequence[str]) -> tuple[VerdictCount, ...]:
    """How often each verdict was given, the most frequent first."""
    return tuple(VerdictCount(verdict, n, n == 1) for verdict, n in Counter(verdicts).most_common())


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its number in the article's order."""

    number: int
    claim: Claim
    verdict: str


@dataclass(frozen=True)
class PageView:
    """What the templates of every article's page decide by.

    equivalence_confidence: of the interval that decides on equivalence. supported, partly_supported: those of `claims`.
    """

    data: Data
    equivalence_confidence: float
    changes: tuple[Change, ...]
    verdict_counts: tuple[VerdictCount, ...]
    claims: tuple[ClaimRow, ...]

    @property
    def supported(self) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.claims if row.verdict == SUPPORTED)

    @property
    def partly_supported(self) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.claims if row.verdict == PARTLY)


def page_view(results: Results, verdicts: Sequence[Verdict], labels: Mapping[str, str]) -> PageView:
    """`verdicts`: in the article's order; `labels`: what a contrast changes, in words, by its name."""
    dataset = results["dataset"]
    return PageView(
        data=Data(dataset["name"] == "mnist", dataset["name"] in ("mnist", "digits"), 1 / dataset["test_images"]),
        equivalence_confidence=2 * results["confidence"] - 1,
        changes=changes(results, labels),
        verdict_counts=verdict_counts([judged.verdict for judged in verdicts]),
        claims=tuple(ClaimRow(number, judged.claim, judged.verdict) for number, judged in enumerate(verdicts, 1)),
    )
