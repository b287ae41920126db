"""How often each interval holds what it should, on made-up runs whose truth is known: docs/statistics.md.

    .venv/bin/python -m tests.intervals

measures again and writes the table; a test compares it with another measurement from the same seeds.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy import stats

from experiments.analysis import inference

DOCUMENT = Path(__file__).parents[1] / "docs" / "statistics.md"
CONFIDENCE = 0.95
SIMULATIONS, IMAGES, RESAMPLES = 1000, 1000, 1000
SEEDS = (3, 5, 10, 16)
SCATTERS = (0, 0.06, 0.5)  # of whole seeds: none, about as on MNIST in this study, far more
CASES = [(n_seeds, seed_sd) for seed_sd in SCATTERS for n_seeds in SEEDS]
HEAD = (
    *("seeds", "scatter that is images", "Student's t, same images", "Student's t, all images", "two-way", "bootstrap"),
    *("width of bootstrap ÷ two-way", "ten further seeds"),
)


class Models(NamedTuple):
    """Two arms' made-up runs."""

    first: np.ndarray  # bool, [n_seeds, n_images], the images that each run gets wrong
    second: np.ndarray
    truth: float  # the difference of accuracy, first − second, over all seeds and images that could be
    truth_here: float  # over all seeds, on these images


def models(rng: np.random.Generator, n_seeds: int, n_images: int, seed_sd: float = 0.02) -> Models:
    """Runs of which an image is wrong where a sum of normal effects is above 0.

    These are the arm's level, how hard the image is, how hard it is for this arm, the seed's, and chance. So the share
    of wrong images over all seeds and images is known: Φ of the level over the root of the other effects' variances.
    Levels and effects give about the errors of MNIST in this study, their overlap, and the same mean squares.
    """
    levels, image_sd, arm_image_sd, chance_sd = (-2.2, -2.0), 1.0, 0.3, 0.3
    hard = rng.normal(0, image_sd, n_images)
    runs, shares, shares_here = [], [], []
    for level in levels:
        mean = level + hard + rng.normal(0, arm_image_sd, n_images)
        effects = rng.normal(0, seed_sd, (n_seeds, 1)) + rng.normal(0, chance_sd, (n_seeds, n_images))
        runs.append(mean + effects > 0)
        shares.append(stats.norm.cdf(level / np.linalg.norm([image_sd, arm_image_sd, seed_sd, chance_sd])))
        shares_here.append(stats.norm.cdf(mean / np.hypot(seed_sd, chance_sd)).mean())
    return Models(*runs, shares[1] - shares[0], shares_here[1] - shares_here[0])


class Coverage(NamedTuple):
    """Shares of simulations in which an interval holds what it should, and what else a line of the table has."""

    image_share: float  # of the scatter of seeds, what chance on the images makes
    student_here: float  # Student's interval holds the difference on the same images
    student: float  # … on all images that could be
    two_way: float
    bootstrap: float
    widths: float  # the bootstrap's mean width over the two-way interval's
    prediction: float  # the prediction interval holds the mean of ten further seeds on the same images


def measure(n_seeds: int, seed_sd: float, simulations: int = SIMULATIONS) -> Coverage:
    """Simulates one line of the table; its random numbers depend on nothing but the arguments."""
    rng = np.random.default_rng([n_seeds, round(1000 * seed_sd)])
    held, widths, squares = np.zeros(5), np.zeros(2), np.zeros(3)
    for number in range(simulations):
        made_up = models(rng, n_seeds + inference.FURTHER_SEEDS, IMAGES, seed_sd)
        first, second = made_up.first[:n_seeds], made_up.second[:n_seeds]
        further = made_up.second[n_seeds:].mean() - made_up.first[n_seeds:].mean()
        by_image = second.astype(np.int8) - first
        student = inference.t_interval(by_image.mean(axis=1), CONFIDENCE)
        two_way = inference.two_way_interval(by_image, CONFIDENCE)
        bootstrap = inference.bootstrap_interval(first, second, CONFIDENCE, RESAMPLES, seed=number)
        prediction = inference.prediction_interval(by_image.mean(axis=1), CONFIDENCE)
        intervals = (student, student, two_way, bootstrap, prediction)
        sought = (made_up.truth_here, made_up.truth, made_up.truth, made_up.truth, further)
        held += [low <= value <= high for (low, high), value in zip(intervals, sought, strict=True)]
        widths += [np.ptp(bootstrap), np.ptp(two_way)]
        squares += inference.mean_squares(by_image)
    *shares, prediction_share = (held / simulations).tolist()
    return Coverage(min(1.0, squares[2] / squares[0]), *shares, widths[0] / widths[1], prediction_share)


def row(n_seeds: int, coverage: Coverage) -> str:
    """A line of the table."""
    cells = [f"{value:.2f}" if name == "widths" else f"{value:.1%}" for name, value in coverage._asdict().items()]
    return f"| {' | '.join([str(n_seeds), *cells])} |".replace("%", " %")


def written() -> list[str]:
    """The lines of the table in the document, in the order of CASES."""
    return re.findall(r"^\| \d.*$", DOCUMENT.read_text(encoding="utf-8"), re.MULTILINE)


def main() -> None:
    rows = [row(n_seeds, measure(n_seeds, seed_sd)) for n_seeds, seed_sd in CASES]
    table = "\n".join([f"| {' | '.join(HEAD)} |", "|--:" * len(HEAD) + "|", *rows])
    text = DOCUMENT.read_text(encoding="utf-8")
    DOCUMENT.write_text(
        re.sub(r"^\| seeds \|.*?(?=\n\n)", table, text, flags=re.DOTALL | re.MULTILINE), encoding="utf-8"
    )


if __name__ == "__main__":
    main()
