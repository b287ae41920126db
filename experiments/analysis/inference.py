"""The mathematics of the comparisons: intervals, exact tests, variance components, bootstrap and power.

Numbers in, numbers out: this module does not know about arms, runs or files. Functions that say [..., n] work along
the last axis, so that they take many resamples at once; of n plain numbers they return plain numbers.
How often the intervals cover what they should is measured in docs/statistics.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike


def t_interval(values: ArrayLike, confidence: float) -> tuple[np.ndarray, np.ndarray]:
    """Student's t confidence interval for the mean of n ≥ 2 `values` [..., n]: low and high, [...] (Student 1908).

    It covers further seeds on the same test images. Its width is 0 if all values are equal. With
    2 · confidence − 1 for `confidence` (above one half) it is the interval of the two one-sided t tests at level
    1 − confidence: equivalence within ± margin is shown if the interval is inside it (Schuirmann 1987).
    """
    return _around_mean(values, confidence, _standard_error(values))


FURTHER_SEEDS = 10


def prediction_interval(
    values: ArrayLike, confidence: float, further: int = FURTHER_SEEDS
) -> tuple[np.ndarray, np.ndarray]:
    """Interval for the mean of so many `further` values, from n ≥ 2 `values` [..., n]: low and high, [...].

    mean ± t · s · √(1/n + 1/further), with n − 1 degrees of freedom (Hahn & Meeker 1991, chapter 4). It is what to
    expect of somebody who repeats the runs with other seeds, on the same test images; an interval for the true mean
    is narrower.
    """
    n = np.shape(values)[-1]
    return _around_mean(values, confidence, _standard_error(values) * np.sqrt(1 + n / further))


def _around_mean(values: ArrayLike, confidence: float, error: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean ± t · error, with n − 1 degrees of freedom."""
    from scipy import special  # stats, which is built on it, costs half a second more

    mean, freedom = np.asarray(values, float).mean(axis=-1), np.shape(values)[-1] - 1
    half = special.stdtrit(freedom, (1 + confidence) / 2) * error
    return mean - half, mean + half


def superiority(first: ArrayLike, second: ArrayLike) -> np.ndarray:
    """How often a value of `first` [..., n] is above one of `second` [..., m]: a share of all n · m pairs, [...].

    Ties count half, so 0.5 is no difference and 1 means that the worst of `first` is above the best of `second`. It
    is the A of Vargha & Delaney (2000), or the Mann–Whitney U over n · m.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    # Value by value: thousands of seeds would make a table of all pairs that is larger than memory.
    above = sum(np.heaviside(first - second[..., [place]], 0.5).mean(axis=-1) for place in range(second.shape[-1]))
    share: np.ndarray = np.divide(above, second.shape[-1])
    return share


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


def _standard_error(values: ArrayLike) -> np.ndarray:
    """Of the mean of `values` [..., n], [...]."""
    values = np.asarray(values, float)
    n = values.shape[-1]
    _require_two(n)
    # Measured from the first, equal values scatter by exactly 0; from their mean, by its rounding.
    error: np.ndarray = np.std(values - values[..., :1], axis=-1, ddof=1) / np.sqrt(n)
    return error


def _require_two(n: int) -> None:
    if n < 2:
        raise ValueError(f"n = {n}: how far values scatter shows only from two on")


# ---------------------------------------------------------------------------------------------- seeds and images


class MeanSquares(NamedTuple):
    """The analysis of variance of values [n_seeds, n_images], each seed with each image once (Searle et al. 1992).

    If value = mean + effect of the seed + effect of the image + rest, with independent random effects, the mean
    squares estimate, in turn: rest + n_images · seed, rest + n_seeds · image, and rest, each a variance.
    """

    seed: float
    image: float
    interaction: float  # of seed and image, with all chance on single images


def mean_squares(values: np.ndarray) -> MeanSquares:
    """The mean squares of `values`, [n_seeds, n_images], with two or more of each."""
    n_seeds, n_images = values.shape
    _require_two(min(n_seeds, n_images))
    by_seed, by_image = values.sum(axis=1, dtype=float), values.sum(axis=0, dtype=float)
    seeds = np.square(by_seed - by_seed.mean()).sum() / n_images
    images = np.square(by_image - by_image.mean()).sum() / n_seeds
    total = np.einsum("si,si->", values, values, dtype=float) - by_seed.sum() ** 2 / values.size
    rest = max(0.0, total - seeds - images)
    return MeanSquares(
        float(seeds / (n_seeds - 1)), float(images / (n_images - 1)), float(rest / ((n_seeds - 1) * (n_images - 1)))
    )


def two_way_interval(values: np.ndarray, confidence: float) -> tuple[float, float]:
    """Confidence interval for the mean of `values` [n_seeds, n_images] over further seeds and further images.

    Both are random effects, crossed. The variance of the mean is seed / n_seeds + image / n_images + rest / (both),
    with the components that `mean_squares` estimates; one that comes out negative is 0 (Searle, Casella & McCulloch
    1992, chapter 4). So it is a sum of mean squares over n_seeds · n_images, and t has the degrees of freedom of that
    sum (Satterthwaite 1946). It counts the rest once, where `bootstrap_interval` counts it about three times.
    """
    from scipy import special

    squares, n_seeds, n_images = mean_squares(values), *values.shape
    seeds, images = squares.seed > squares.interaction, squares.image > squares.interaction  # whose component is > 0
    terms = np.multiply(squares, (seeds, images, 1 - seeds - images))
    freedom = np.array([n_seeds - 1, n_images - 1, (n_seeds - 1) * (n_images - 1)])
    mean, total = float(values.mean()), terms.sum()
    if not total:
        return mean, mean
    t = special.stdtrit(total**2 / np.sum(terms**2 / freedom), (1 + confidence) / 2)
    half = float(t * np.sqrt(total / values.size))
    return mean - half, mean + half


def image_share(values: np.ndarray) -> float | None:
    """The share of the scatter of seeds, in 0 … 1, that is only chance on the finitely many images.

    values: [n_seeds, n_images]. The means of the seeds differ with variance seed + rest / n_images, the components of
    `mean_squares`; with infinitely many images the second term would be gone. So the share is the interaction's mean
    square over the seeds', at most 1. None if all seeds have the same mean.
    """
    squares = mean_squares(values)
    return min(1.0, squares.interaction / squares.seed) if squares.seed else None


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


# ---------------------------------------------------------------------------------------------- exact tests


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


def smallest_p(n: int, equivalence: bool) -> float:
    """The smallest p that n pairs can give, of `equivalence_p` or else of `sign_flip_p`.

    Only one of the 2^n assignments of signs is then as far from 0 as the one observed, or two, one on either side.
    """
    return (1 if equivalence else 2) * max(2.0**-n, MIN_SHARE)


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


def smallest_holm(p_values: Sequence[float], smallest: Sequence[float]) -> list[float]:
    """Holm's adjusted p of each test if its own p were the `smallest` possible, and all others as they are.

    No test can have a smaller one with the data it has, however clear its effect.
    """
    return [holm([*p_values[:index], least, *p_values[index + 1 :]])[index] for index, least in enumerate(smallest)]


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
