"""The mathematics of the comparisons: intervals, exact tests, bootstrap and power.

Numbers in, numbers out: this module does not know about arms, runs or files.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np


def t_interval(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's t confidence interval for the mean of two or more `values`, in their unit (Student 1908).

    It covers further seeds on the same test images. Its width is 0 if all values are equal. With
    2 · confidence − 1 for `confidence` (above one half) it is the interval of the two one-sided t tests at level
    1 − confidence: equivalence within ± margin is shown if the interval is inside it (Schuirmann 1987).
    """
    from scipy import special  # stats, which is built on it, costs half a second more

    half = special.stdtrit(len(values) - 1, (1 + confidence) / 2) * _standard_error(values)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def detectable_difference(differences: Sequence[float], confidence: float, power: float = 0.8) -> float:
    """The smallest true mean difference that runs like these would probably detect, in the unit of the differences.

    Detect means: by a two-sided paired t test at level 1 − confidence, in the right direction. With n differences of
    this standard deviation, t is then noncentral with n − 1 degrees of freedom (Cohen 1988, chapter 2). The result
    is the mean at which it exceeds its critical value with probability `power`, in (0, 1). The standard deviation is
    an estimate from n differences; the observed mean plays no part. 0 if all differences are equal.
    """
    from scipy import special

    freedom = len(differences) - 1
    critical = special.stdtrit(freedom, (1 + confidence) / 2)
    return float(special.nctdtrinc(freedom, 1 - power, critical) * _standard_error(differences))


def _standard_error(values: Sequence[float]) -> float:
    _require_two(len(values))
    # Measured from the first, equal values scatter by exactly 0; from their mean, by its rounding.
    return float(np.std(np.subtract(values, values[0]), ddof=1) / np.sqrt(len(values)))


def _require_two(n: int) -> None:
    if n < 2:
        raise ValueError(f"n = {n}: how far values scatter shows only from two on")


RESAMPLES = 10_000
MAX_DRAWN_SEEDS = 2_000_000  # over all resamples of many seeds, which are then fewer
MIN_RESAMPLES = 1000  # chance moves the ends of a 95 % interval by 4 % of its half, and by 1.4 % with RESAMPLES


def bootstrap_interval(
    wrong_first: np.ndarray, wrong_second: np.ndarray, confidence: float, resamples: int = RESAMPLES, seed: int = 0
) -> tuple[float, float]:
    """Percentile interval of the mean accuracy difference, first − second, over seeds and test images drawn anew.

    wrong_first, wrong_second: bool, [n_seeds, n_images], the images that each model gets wrong; row by row the same
    seed. Accuracies are fractions. `seed` is that of the resampling: equal arguments give equal intervals. There are
    so many `resamples`, or fewer with more than 200 seeds: see MAX_DRAWN_SEEDS.

    Seeds and images are drawn with replacement, each independently of the other (the pigeonhole bootstrap, Owen
    2007, Annals of Applied Statistics 1(2)). So it covers further seeds and further test images, while Student's
    interval covers further seeds only. Its variance counts that between images once and that of the interaction,
    seed by image, about three times, which makes it conservative. But it counts that between n seeds only 1 − 1/n
    times, and percentiles know nothing of Student's longer tails. Where whole seeds differ far more than chance on
    single images explains, it is therefore too narrow, as a percentile bootstrap over few seeds alone always is: for
    ten seeds that one covers about 90 % where it says 95 % (simulated in tests/analysis/test_inference.py).
    """
    n_seeds = len(wrong_first)
    _require_two(n_seeds)
    resamples = min(resamples, max(MIN_RESAMPLES, MAX_DRAWN_SEEDS // n_seeds))
    rng = np.random.default_rng(seed)
    # Images on which the models differ alike are interchangeable, above all the many on which none differs.
    differences = np.ascontiguousarray((wrong_second.astype(np.int8) - wrong_first).T)
    images = Counter(map(bytes, differences))
    patterns, counts = np.frombuffer(b"".join(images), np.int8).reshape(-1, n_seeds).T, np.array([*images.values()])
    seeds = rng.multinomial(n_seeds, np.full(n_seeds, 1 / n_seeds), size=resamples)
    means = [  # block by block, so that memory stays small
        _resampled_means(seeds[start : start + 500], patterns, counts, rng) for start in range(0, resamples, 500)
    ]
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def _resampled_means(
    seeds: np.ndarray, patterns: np.ndarray, counts: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Mean difference, [n_resamples], over images drawn anew and seeds drawn as `seeds` tells, [n_resamples, n_seeds].

    patterns: −1, 0 or 1, [n_seeds, n_patterns], the differences on an image; counts: the images of each pattern.
    """
    n_seeds, n_images = len(patterns), counts.sum()
    # Given the seeds, an image is worth −n … n, and a multinomial over these few values draws all images at once.
    values = np.arange(-n_seeds, n_seeds + 1)
    worth = (seeds.astype(np.float32) @ patterns.astype(np.float32)).astype(np.int64)  # float32 is exact here, and fast
    place = worth + n_seeds + len(values) * np.arange(len(seeds))[:, None]
    images = np.bincount(place.ravel(), np.tile(counts, len(seeds)), len(seeds) * len(values))
    draws = rng.multinomial(n_images, images.reshape(len(seeds), len(values)) / n_images)
    means: np.ndarray = draws @ values / (n_seeds * n_images)
    return means


def sign_flip_p(differences: Sequence[float], images: int) -> float:
    """Exact two-sided p of the sign-flip test that paired `differences` are symmetric about 0 (Fisher 1935, § 21).

    The share of all 2^n assignments of signs whose mean is at least as far from 0 as the one observed. The differences
    are fractions of so many `images`, and so multiples of 1 / images.
    """
    d = np.asarray(differences, float)
    return min(1.0, 2 * _share_at_least(d if d.mean() > 0 else -d, images))


def equivalence_p(differences: Sequence[float], margin: float, images: int) -> float:
    """Exact p of the two one-sided sign-flip tests that the differences' centre lies within ± `margin`.

    The larger of both tests' p (Schuirmann 1987, with sign flips in place of t). With more than MAX_ENUMERATED pairs, a
    margin counts as the next smaller multiple of 1 / (PARTS_PER_IMAGE · images), which can only make p larger.
    """
    d = np.asarray(differences, float)
    return max(_share_at_least(d + margin, images), _share_at_least(margin - d, images))


MAX_ENUMERATED = 20  # pairs, for which every assignment of signs is tried
PARTS_PER_IMAGE = 16  # the unit in which differences of more pairs are counted
MIN_SHARE = 1e-290  # replaces all smaller shares: processors are slow with them, and in the end they would be 0


def _share_at_least(values: np.ndarray, images: int) -> float:
    """The share of all 2^n assignments of signs to `values` by which their sum is at least what it is.

    To change the signs of some takes twice their sum away; so sought is the share of all subsets whose sum is not above
    0. Few are gone through. Sums of many are whole numbers within narrow bounds, and the share of each is built up
    value by value: a convolution, which counts every one of the 2^n (Pagano & Tritchler 1983, JASA 78).
    """
    if len(values) <= MAX_ENUMERATED:
        sums = np.zeros(1)
        for value in values:
            sums = np.concatenate([sums, sums + value])
        return float(np.mean(sums <= len(values) * 5e-13))
    counts = np.floor(PARTS_PER_IMAGE * images * values + 1e-3).astype(int)
    counts //= max(1, np.gcd.reduce(counts))
    lowest, shares = 0, np.ones(1)  # shares[k]: of the subsets so far, those whose sum is lowest + k
    for count in sorted(counts, key=abs):
        wider = np.zeros(len(shares) + abs(count))
        wider[: len(shares)] = shares / 2
        wider[abs(count) :] += shares / 2
        first, last = np.flatnonzero(wider > MIN_SHARE)[[0, -1]]
        lowest, shares = lowest + min(count, 0) + first, wider[first : last + 1]
    return max(float(shares[: max(0, 1 - lowest)].sum()), MIN_SHARE)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of a family's p-values, in their order (Holm 1979)."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def mcnemar_p(discordant: Sequence[tuple[int, int]]) -> list[float]:
    """Exact two-sided p of each pair of models, from the images that only one of them gets right (McNemar 1947).

    The binomial test that a discordant image is equally likely to favour either.
    """
    from scipy import special

    first_only, second_only = np.array(discordant).T
    more, fewer = np.maximum(first_only, second_only), np.minimum(first_only, second_only)
    p = 2 * special.betainc(more, fewer + 1, 0.5)  # both tails of the binomial, as the incomplete beta function
    clipped: list[float] = np.where(first_only == second_only, 1.0, np.minimum(1.0, p)).tolist()
    return clipped
