"""The numbers that evidence names, in every redraw of a study: `rules.number_at` for thousands of imagined results.

What follows from the values of single runs is computed anew. Three approximations: the ends of the bootstrap and of the
two-way interval keep their distances from the mean, in standard deviations of the differences; McNemar's test takes
redrawn counts of discordant images; the p of more than MAX_FLIPPED pairs is that of Student's t. All else is not
redrawn: counts over all images, and times, whose scatter is the machine's and not the seeds'. `Redrawn.number_at` gives
None for them, and the number stays as measured.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from experiments.analysis import inference, summary
from experiments.analysis.results import ContrastResult, Observation, Summary
from report.claims.redraw import Repetition, Shifts
from report.claims.rules import Operand, parse_path

TIMES = ("epoch_seconds", "predict_seconds", "map_seconds")
MAX_FLIPPED = 20  # pairs whose signs are flipped in all ways, in each redraw
Value = Callable[[Observation], Any]  # of a run


class NotRedrawn(LookupError):
    """Of a number that is no function of single runs' values, or that a run lacks."""


def final_accuracy(run: Observation) -> float:
    """After the last epoch, on the images that the run was measured on."""
    return (run["images"] - run["wrong"]) / run["images"]


class Redrawn:
    """The numbers of one data set's results in every redraw, by the paths that evidence has for them."""

    def __init__(
        self,
        results: Summary,
        observations: Sequence[Observation],
        repetition: Repetition,
        shifts: Shifts | None = None,
        accuracy: Value = final_accuracy,
        others: Mapping[str, Redrawn] | None = None,
    ) -> None:
        """observations: of all runs of `results`; shifts: by other test images; accuracy: what counts as a run's;
        others: the numbers on other data sets, by the name that paths begin with.
        """
        self._others = others or {}
        self._repetition, self._shifts, self._accuracy = repetition, shifts or {}, accuracy
        self._confidence, self._contrasts = results["confidence"], results["contrasts"]
        self._runs: dict[str, list[Observation]] = {}
        for run in observations:
            self._runs.setdefault(run["arm"], []).append(run)

    def number_at(self, path: str) -> np.ndarray | None:
        """As `rules.number_at`, in every redraw: [n_redraws]; infinite or NaN where it divides by 0."""
        sign, operands = parse_path(path)
        try:
            first, *second = [self._operand(operand) for operand in operands]
        except NotRedrawn:
            return None
        if not sign:
            return first
        with np.errstate(divide="ignore", invalid="ignore"):
            number: np.ndarray = first - second[0] if sign == "-" else first / second[0]
        return number

    def shifts(self, operand: Operand) -> bool:
        """Whether other test images shift all arms that an operand names."""
        if operand.dataset:
            return operand.dataset in self._others and self._others[operand.dataset].shifts(
                operand._replace(dataset="")
            )
        contrast = [row for row in self._contrasts if row["name"] == operand.name]
        ends = [row[end] for row in contrast for end in ("first", "second")]
        arms = ends if operand.holder == "contrast" else self._arms(operand)
        return bool(arms) and all(arm in self._shifts for arm in arms)

    def _arms(self, operand: Operand) -> list[str]:
        return [arm for arm in self._runs if operand.matches(arm)]

    def _operand(self, operand: Operand) -> np.ndarray:
        if operand.dataset:
            if operand.dataset not in self._others:
                raise NotRedrawn(operand.dataset)
            return self._others[operand.dataset]._operand(operand._replace(dataset=""))
        if operand.holder == "contrast":
            return self._of_contrast(operand.name, *operand.keys)
        arms = self._arms(operand)
        if not arms:
            raise NotRedrawn(operand.name)
        numbers = np.stack([self._of_arm(arm, *operand.keys) for arm in arms])
        return np.asarray(numbers.min(axis=0) if operand.kind == "smallest" else numbers.max(axis=0))

    # ------------------------------------------------------------------------------------------ arms

    def _of_arm(self, arm: str, head: str, *rest: str) -> np.ndarray:
        """A number of an arm, [n_redraws]."""
        match head:
            case "test_accuracy" | "held_out_accuracy":
                return self._spread(self._accuracies(arm), rest)
            case "test_error" | "held_out_error":
                return self._spread(1 - self._accuracies(arm), rest)
            case "training_accuracy" | "least_squares_accuracy":
                return self._spread(self._redraw(arm, _measure(head), highest=1), rest)
            case "generalization_gap":
                training = self._of_arm(arm, "training_accuracy", "mean")
                return np.asarray(training - mean(self._accuracies(arm)))
            case "mean_epoch_accuracy" | "plateau":
                return mean(self._shifted(arm, self._redraw(arm, _OF_CURVE[head], highest=1)))
            case "epochs_to_plateau" if rest == ("mean",):
                return mean(self._redraw(arm, _epochs_to_plateau))
            case _ if head in TIMES:
                raise NotRedrawn(head)
            case "readout_of" if rest == ("changed_share",):
                return mean(self._redraw(arm, _changed_share, highest=1))
        return mean(self._redraw(arm, _measure(head, *rest)))

    def _accuracies(self, arm: str, seeds: Collection[int] | None = None) -> np.ndarray:
        """Of the runs of an arm, or of those with these `seeds`: [n_redraws, n_runs]."""
        return np.asarray(np.clip(self._shifted(arm, self._redraw(arm, self._accuracy, seeds=seeds)), 0, 1))

    def _shifted(self, arm: str, accuracies: np.ndarray) -> np.ndarray:
        """`accuracies` [n_redraws, n_runs] on the test images of the redraw."""
        return accuracies + self._shifts[arm][:, None] if arm in self._shifts else accuracies

    def _redraw(
        self, arm: str, value: Value, highest: float | None = None, seeds: Collection[int] | None = None
    ) -> np.ndarray:
        """What `value` gives of each of an arm's runs: [n_redraws, n_runs, …].

        None that no run can have: none above `highest`, and none below 0 unless one that was measured is.
        """
        runs = [run for run in self._runs.get(arm, ()) if seeds is None or run["seed"] in seeds]
        values = [value(run) for run in runs]
        if not values or any(single is None for single in values) or len({np.shape(single) for single in values}) > 1:
            raise NotRedrawn(arm)
        measured = np.array(values, float)
        redrawn = self._repetition.repeat(measured, [run["seed"] for run in runs])
        return np.asarray(np.clip(redrawn, 0 if measured.min() >= 0 else None, highest))

    def _spread(self, values: np.ndarray, keys: Sequence[str]) -> np.ndarray:
        """A number of the `Spread` of `values` [n_redraws, n_runs]."""
        match keys:
            case ("mean",):
                return mean(values)
            case ("min",):
                return np.asarray(values.min(axis=1))
            case ("max",):
                return np.asarray(values.max(axis=1))
            case ("standard_deviation",) if values.shape[1] > 1:
                return np.asarray(values.std(axis=1, ddof=1))
            case ("interval", end) if values.shape[1] > 1:
                return _end(inference.t_interval(values, self._confidence), end)
        raise NotRedrawn(keys)

    # ------------------------------------------------------------------------------------------ contrasts

    def _of_contrast(self, name: str, key: str, *rest: str) -> np.ndarray:
        """A number of a contrast, [n_redraws]."""
        if name not in self._pairs or (key == "p_holm" and name not in self._p_holm):
            raise NotRedrawn(name)
        return self._p_holm[name] if key == "p_holm" else self._pairs[name].number(key, rest)

    @cached_property
    def _pairs(self) -> dict[str, Pairs]:
        """By contrast, of those that are measured."""
        return {row["name"]: self._pair(row) for row in self._contrasts if row["n"]}

    def _pair(self, row: ContrastResult) -> Pairs:
        ends = [[run["seed"] for run in self._runs.get(row[end], ())] for end in ("first", "second")]
        seeds = [seed for seed in ends[0] if seed in ends[1]]
        first, second = (self._accuracies(row[end], seeds) for end in ("first", "second"))
        return Pairs(row, first, second, self._confidence, lambda values: self._repetition.repeat(values, seeds))

    @cached_property
    def _p_holm(self) -> dict[str, np.ndarray]:
        """By confirmatory contrast: those are one family, in which the ones not yet measured count with p = 1."""
        family = [row["name"] for row in self._contrasts if row["confirmatory"]]
        measured = [name for name in family if name in self._pairs]
        if not measured:
            return {}
        p_values = np.stack([self._pairs[name].p for name in measured])
        unmeasured = np.ones((len(family) - len(measured), p_values.shape[1]))
        return dict(zip(measured, holm(np.concatenate([p_values, unmeasured])), strict=False))


def mean(values: np.ndarray) -> np.ndarray:
    """Over runs: [n_redraws] of [n_redraws, n_runs]."""
    return np.asarray(values.mean(axis=1))


def _measure(*keys: str) -> Value:
    """What a run's observation has under these keys; None where it has nothing."""

    def value(run: Observation) -> Any:
        found: Any = run
        for key in keys:
            try:
                found = found[int(key) if isinstance(found, list) else key]
            except (LookupError, TypeError, ValueError):
                return None
        return found if isinstance(found, int | float | list) else None

    return value


def _changed_share(run: Observation) -> float | None:
    changed = run["changed_predictions"]
    return None if changed is None else changed / run["images"]


def _epochs_to_plateau(run: Observation) -> float | None:
    curve = run["test_accuracy_by_epoch"]
    reached = summary.epochs_to_plateau([curve]) if curve else None
    return reached["mean"] if reached else None


def _mean_of_last(epochs: int | None) -> Value:
    def value(run: Observation) -> float | None:
        curve = run["test_accuracy_by_epoch"]
        return float(np.mean(curve[-epochs:] if epochs else curve)) if curve else None

    return value


_OF_CURVE: Mapping[str, Value] = {
    "mean_epoch_accuracy": _mean_of_last(None),
    "plateau": _mean_of_last(summary.PLATEAU_EPOCHS),
}


@dataclass(frozen=True)
class Pairs:
    """A contrast in every redraw.

    row: as measured; first, second: accuracies of runs of the same seeds, [n_redraws, n_pairs]; redraw: gives values
    [n_pairs, …] of its seeds in every redraw.
    """

    row: ContrastResult
    first: np.ndarray
    second: np.ndarray
    confidence: float
    redraw: Callable[[np.ndarray], np.ndarray]

    def number(self, key: str, rest: Sequence[str]) -> np.ndarray:
        """The number under `key` and `rest`, [n_redraws]."""
        match key, *rest:
            case ["mean"]:
                return mean(self.differences)
            case ["interval", end]:
                return _end(inference.t_interval(self.differences, self.confidence), end)
            case ["prediction_interval", end]:
                return _end(inference.prediction_interval(self.differences, self.confidence), end)
            case ["equivalence_interval", end] if self.margin is not None:
                return _end(self.equivalence_interval, end)
            case ["equivalent"] if self.margin is not None:
                low, high = self.equivalence_interval
                return np.asarray((-self.margin < low) & (high < self.margin), float)
            case ["bootstrap" | "two_way_interval" as name, "0" | "1" as end]:
                distance = self.row[name][int(end)] - self.row["mean"]
                return np.asarray(mean(self.differences) + distance * self._relative_spread)
            case ["detectable"]:
                return np.asarray(self.row["detectable"] * self._relative_spread)
            case ["superiority"]:
                return inference.superiority(self.first, self.second)
            case ["p"]:
                return self.p
            case ["mcnemar_share"]:
                return self._mcnemar_share
        raise NotRedrawn(key)

    @cached_property
    def differences(self) -> np.ndarray:
        return np.asarray(self.first - self.second)

    @property
    def margin(self) -> float | None:
        return self.row["equivalence_margin"]

    @property
    def equivalence_interval(self) -> tuple[np.ndarray, np.ndarray]:
        return inference.t_interval(self.differences, 2 * self.confidence - 1)

    @cached_property
    def p(self) -> np.ndarray:
        return sign_flip_p(self.differences) if self.margin is None else equivalence_p(self.differences, self.margin)

    @property
    def _relative_spread(self) -> np.ndarray:
        """The standard deviation of the differences, as a multiple of that of those measured."""
        measured = float(np.std(self.row["differences"]))
        spread = np.std(self.differences, axis=1)
        return np.asarray(spread / measured if measured > ROUNDING else np.ones_like(spread))

    @property
    def _mcnemar_share(self) -> np.ndarray:
        counts = np.rint(np.maximum(self.redraw(np.array(self.row["discordant"], float)), 0))
        p = np.reshape(inference.mcnemar_p(counts.reshape(-1, 2)), counts.shape[:2])
        return mean(p < 1 - self.confidence)


def _end(interval: tuple[np.ndarray, np.ndarray], end: str) -> np.ndarray:
    if end not in ("0", "1"):
        raise NotRedrawn(end)
    return interval[int(end)]


# ---------------------------------------------------------------------------------------------- tests, redraw by redraw

ROUNDING = 1e-9


def holm(p_values: np.ndarray) -> np.ndarray:
    """`inference.holm` of each column of `p_values`, [n_tests, n_redraws]."""
    order = np.argsort(p_values, axis=0, kind="stable")
    weights = len(p_values) - np.arange(len(p_values))[:, None]
    adjusted = np.maximum.accumulate(np.minimum(1, weights * np.take_along_axis(p_values, order, axis=0)), axis=0)
    result = np.empty_like(adjusted)
    np.put_along_axis(result, order, adjusted, axis=0)
    return result


def sign_flip_p(differences: np.ndarray) -> np.ndarray:
    """`inference.sign_flip_p` of each row of `differences` [n_redraws, n_pairs]."""
    directed = np.where(differences.mean(axis=1, keepdims=True) > 0, differences, -differences)
    return np.asarray(np.minimum(1, 2 * _share_at_least(directed)))


def equivalence_p(differences: np.ndarray, margin: float) -> np.ndarray:
    """`inference.equivalence_p` of each row of `differences` [n_redraws, n_pairs]."""
    return np.asarray(np.maximum(_share_at_least(differences + margin), _share_at_least(margin - differences)))


def _share_at_least(values: np.ndarray) -> np.ndarray:
    """The share of all assignments of signs to a row of `values` by which its sum is at least what it is: [n_redraws].

    That is the share of subsets whose sum is not above 0. A subset is one of the first half and one of the second, so
    each sum of the first looks up how many sums of the second, sorted, are small enough.
    """
    rows, n = values.shape
    if n > MAX_FLIPPED:
        from scipy import special

        error = np.maximum(values.std(axis=1, ddof=1), ROUNDING**2) / np.sqrt(n)
        return np.asarray(special.stdtr(n - 1, -values.mean(axis=1) / error))
    scaled = values / np.maximum(np.abs(values).sum(axis=1, keepdims=True), ROUNDING**2)  # sums within −1 … 1
    first, second = _subset_sums(scaled[:, : n // 2]), np.sort(_subset_sums(scaled[:, n // 2 :]), axis=1)
    offset = 4.0 * np.arange(rows)[:, None]  # keeps the rows apart, so that one search serves all
    ends = np.searchsorted((second + offset).ravel(), (ROUNDING - first + offset).ravel(), side="right")
    counts = ends.reshape(first.shape) - second.shape[1] * np.arange(rows)[:, None]
    return np.asarray(counts.sum(axis=1) / 2.0**n)


def _subset_sums(values: np.ndarray) -> np.ndarray:
    """The sums of all 2^n subsets of each row of `values`, [n_rows, n]: [n_rows, 2^n]."""
    sums = np.zeros((len(values), 1))
    for column in values.T:
        sums = np.concatenate([sums, sums + column[:, None]], axis=1)
    return sums
