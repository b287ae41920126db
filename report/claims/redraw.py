"""Imagined repetitions of a study: how the values of its runs are redrawn.

A repetition has other seeds, and it is as far from the truth as this study is. So each redraw first draws what the
truth may be, given these runs, and then a study from that truth (a posterior predictive draw):

1. The truth: the mean moves by normal weights on the runs' distances from their mean, and all distances are divided by
   the standard deviation of as many standard normal numbers. For the mean this makes Student's t.
2. The study: as many runs, each with the distance of a run picked at random, times √(n / (n − 1)), because n runs are
   nearer to their own mean than to the true one (Hesterberg 2015, The American Statistician 69(4), section 3).

A plain bootstrap of the seeds, step 2 alone, has half the variance and overstates how often a verdict comes back.
docs/robustness.md tries all this on studies whose truth is known.

Weights and picks belong to seeds. Arms over the same seeds get the same ones, so pairs stay pairs. An arm that has only
some of the seeds keeps the weights of those, and the picks that are among them.

New test images shift all runs of an arm alike. The shifts are normal, and vary together over arms as the arms' wrong
images do. Only runs of different seeds are compared for that, because chance on single images differs from run to run
and is in the scatter of the seeds already. Shifts count twice: these images were drawn, and so will others be.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np

from experiments.analysis.results import Observation

REDRAWS = 2000  # the share of a half of them has a standard error of 1.1 %
MAX_REDRAWN_RUNS = 2_000_000  # of one arm, over all redraws: with thousands of seeds there are fewer redraws
MIN_REDRAWS = 200


# ---------------------------------------------------------------------------------------------- seeds


class Repetition(Protocol):
    """How the values of runs are redrawn."""

    def repeat(self, values: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """`values` [n_seeds, …], of the runs of these seeds, in every redraw: [n_redraws, n_seeds, …]."""


class AsMeasured:
    """The one redraw that changes nothing."""

    def repeat(self, values: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        return values[None]


class _Weights(NamedTuple):
    """How the runs of one set of seeds are redrawn."""

    truth: np.ndarray  # [n_redraws, n_seeds]: of each run's distance from the mean, in where the true mean is
    spread: np.ndarray  # [n_redraws]: what distances are multiplied by
    picks: np.ndarray  # [n_redraws, n_seeds]: the place of the run whose distance each run gets


@dataclass(frozen=True)
class Seeds:
    """Random numbers for every seed of a study, the same for all its arms: [n_redraws, n_all_seeds] each."""

    place: Mapping[int, int]  # of a seed
    normal: np.ndarray  # for the mean
    scatter: np.ndarray  # normal
    picks: np.ndarray  # places
    others: np.ndarray  # in [0, 1): picks in place of those that an arm doesn't have
    _weights: dict[tuple[int, ...], _Weights] = field(default_factory=dict, init=False, compare=False)

    @classmethod
    def draw(cls, seeds: Iterable[int], redraws: int = REDRAWS, state: int = 0) -> Seeds:
        """The same numbers for the same `seeds` and `state`."""
        place = {seed: number for number, seed in enumerate(sorted(set(seeds)))}
        rng, n = np.random.default_rng([state, 0]), max(1, len(place))
        shape = (min(redraws, max(MIN_REDRAWS, MAX_REDRAWN_RUNS // n)), n)
        normal, scatter = rng.standard_normal((2, *shape))
        return cls(place, normal, scatter, rng.integers(n, size=shape), rng.random(shape))

    @property
    def redraws(self) -> int:
        return len(self.normal)

    def repeat(self, values: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        """See `Repetition`. A single run shows no scatter, so it stays as it is."""
        if len(seeds) < 2:
            return np.broadcast_to(values, (self.redraws, *values.shape))
        weights = self._weights_of(tuple(seeds))
        beyond = values - values[0]  # measured from the first, equal values have no distances at all
        distances = beyond - beyond.mean(axis=0)
        truth = values[0] + beyond.mean(axis=0) + np.tensordot(weights.truth, distances, 1)
        spread = weights.spread.reshape(-1, *[1] * values.ndim)
        redrawn: np.ndarray = truth[:, None] + spread * distances[weights.picks]
        return redrawn

    def _weights_of(self, seeds: tuple[int, ...]) -> _Weights:
        if seeds not in self._weights:
            n, places = len(seeds), np.array([self.place[seed] for seed in seeds])
            scale = 1 / np.std(self.scatter[:, places], axis=1, ddof=1)
            own = np.full(len(self.place), -1)
            own[places] = np.arange(n)
            picks = own[self.picks[:, places]]
            picks = np.where(picks < 0, (self.others[:, places] * n).astype(int), picks)
            truth = self.normal[:, places] * (scale / np.sqrt(n * (n - 1)))[:, None]
            self._weights[seeds] = _Weights(truth, scale * np.sqrt(n / (n - 1)), picks)
        return self._weights[seeds]


# ---------------------------------------------------------------------------------------------- test images

Shifts = Mapping[str, np.ndarray]  # by arm: of its accuracy, [n_redraws]
MAX_COMPARED = 50  # runs of an arm, for how its images vary: more would change nothing
MAX_CELLS = 50_000_000  # of runs and images, over all arms, which are 200 MB: with millions of images, fewer runs


def image_shifts(runs: Mapping[str, Sequence[Observation]], redraws: int, state: int = 0) -> Shifts:
    """How other test images would shift the accuracy of each arm of which two or more runs list their wrong images.

    runs: by arm, all on the same test images.
    """
    matrices: dict[tuple[tuple[int, ...], bytes], np.ndarray] = {}
    places: dict[str, int] = {}  # by arm; arms that are wrong on the same images share a place, and so a shift
    cells = sum(of_arm[0]["images"] for of_arm in runs.values() if of_arm)
    most = max(2, min(MAX_COMPARED, MAX_CELLS // max(1, cells)))
    for arm, of_arm in runs.items():
        compared = [run for run in of_arm if run["wrong_images"] is not None][:most]
        if 1 < len(compared) == min(len(of_arm), most):
            wrong = _wrong_matrix(compared)
            key = (tuple(run["seed"] for run in compared), np.packbits(wrong).tobytes())
            places[arm] = [*matrices, key].index(key)
            matrices.setdefault(key, wrong)
    if not places:
        return {}
    root = _root(2 * _covariance([seeds for seeds, _ in matrices], [*matrices.values()]))
    shifts = np.random.default_rng([state, 1]).standard_normal((redraws, len(root))) @ root
    return {arm: shifts[:, place] for arm, place in places.items()}


def _wrong_matrix(runs: Sequence[Observation]) -> np.ndarray:
    """Which test images each of an arm's runs gets wrong: bool, [n_runs, n_images]."""
    wrong = np.zeros((len(runs), runs[0]["images"]), bool)
    for row, run in zip(wrong, runs, strict=True):
        row[run["wrong_images"] or []] = True
    return wrong


def _covariance(seeds: Sequence[Sequence[int]], wrong: Sequence[np.ndarray]) -> np.ndarray:
    """Of the arms' error rates over sets of as many test images: [n_arms, n_arms].

    seeds: of the runs of each arm; wrong: which images each gets wrong, bool, [n_runs, n_images] an arm. It averages
    over pairs of runs of different seeds, which have nothing in common but the images.
    """
    every = np.concatenate(wrong).astype(np.float32)  # counts of images are exact in it
    images, of_run = every.shape[1], np.concatenate([np.asarray(of_arm) for of_arm in seeds])
    together, alone = (every @ every.T).astype(float), every.sum(axis=1, dtype=float)
    differ = of_run[:, None] != of_run
    single = np.where(differ, together / images - np.outer(alone, alone) / images**2, 0)
    starts = np.cumsum([0, *map(len, wrong[:-1])])
    sums, pairs = (
        np.add.reduceat(np.add.reduceat(table, starts, axis=0), starts, axis=1) for table in (single, differ)
    )
    covariance: np.ndarray = sums / np.maximum(pairs, 1) / (images - 1)
    return covariance


def _root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric square root, which is the same on every machine. Negative variances of an estimate count as 0."""
    values, vectors = np.linalg.eigh(covariance)
    root: np.ndarray = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    return root
