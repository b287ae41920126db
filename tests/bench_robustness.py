"""`make bench WHAT=robustness`: how often a verdict comes back, against what the page would say of it.

Studies are made up whose truth is known, each with many repetitions of the whole study from the same truth. The share
of redraws in which a verdict stays is computed from the first study alone. It should be the rate at which repetitions
give the same verdict. Effects are drawn evenly from far around the thresholds, the scatter of seeds evenly on a
logarithmic scale. The tables of docs/robustness.md are written anew.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np

from experiments.analysis.results import Observation, Summary
from report.claims.model import Evidence, Question
from report.claims.redraw import Repetition, Seeds, image_shifts
from report.claims.redrawn import Redrawn
from report.claims.robustness import verdicts_in

DOCUMENT = Path(__file__).parents[1] / "docs" / "robustness.md"
SIZES = (3, 5, 10, 12)
STUDIES, REPETITIONS, REDRAWS = 5000, 20, 500
STUDIES_WITH_IMAGES, IMAGES = 400, 2000
LIMITS = {"matters": 0.0025, "significant": 0.05}
GROUPS = (0, 0.7, 0.8, 0.9, 0.97, 1.01)  # of the reported share
ENOUGH = 100  # studies of a group, for its rate to be known to within some 3 points


def question(supported: str, partly: str = "", **paths: str) -> Question:
    evidence = {name: Evidence(f"contrast {path}", name, "points") for name, path in paths.items()}
    return Question("stated", "stated", evidence=evidence, supported=supported, partly=partly)


QUESTIONS = (  # the kinds of rules that the article's claims have
    question("lead > matters", "lead > 0", lead="lead mean"),
    question("low > matters", "low > 0", low="lead interval 0"),
    question("lead > 0 and p < significant", lead="lead mean", p="lead p"),
    question("equivalent == 1", equivalent="same equivalent"),
)
CONTRASTS = [
    {"name": name, "first": "first", "second": "second", "equivalence_margin": margin, "n": 2, "confirmatory": True}
    for name, margin in (("lead", None), ("same", LIMITS["matters"]))
]
RESULTS = cast(Summary, {"confidence": 0.95, "contrasts": CONTRASTS, "arms": {}})


# ---------------------------------------------------------------------------------------------- studies of known truth


def _heavy(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(5, shape) / np.sqrt(5 / 3)


def _skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return (4 - rng.gamma(4, size=shape)) / 2


def _failing(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Some seeds, one in seven, score far less."""
    fails = rng.random(shape) < 1 / 7
    return (rng.normal(0, 0.3, shape) - 3 * fails + 3 / 7) / np.sqrt(0.09 + 9 * 6 / 49)


SCATTERS: Mapping[str, Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]] = {
    "normal": lambda rng, shape: rng.standard_normal(shape),
    "long tails (Student’s t, 5 degrees)": _heavy,
    "skewed (skewness −1)": _skewed,
    "one seed in seven fails": _failing,
}


class Repeated:
    """The repetitions that each run's values list, in place of redraws."""

    def repeat(self, values: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        return np.moveaxis(values, 1, 0)


class Plain:
    """A plain bootstrap of the seeds, to compare with."""

    def __init__(self, n: int, state: int) -> None:
        self._picks = np.random.default_rng(state).integers(n, size=(REDRAWS, n))

    def repeat(self, values: np.ndarray, seeds: Sequence[int]) -> np.ndarray:
        return np.asarray(values[self._picks])


def _study(scatter: str, n: int, state: int) -> dict[str, np.ndarray]:
    """By arm: the accuracies of a study and of its repetitions, [1 + REPETITIONS, n]."""
    rng, draw = np.random.default_rng([state, n]), SCATTERS[scatter]
    sigma, effect = 0.001 * np.exp(rng.uniform(np.log(0.3), np.log(3))), rng.uniform(-0.012, 0.0145)
    shared, own = 0.95 + sigma * rng.standard_normal((1 + REPETITIONS, n)), draw(rng, (1 + REPETITIONS, n))
    return {"first": shared + effect + sigma * own, "second": shared}


def _runs(accuracies: Mapping[str, np.ndarray]) -> list[Observation]:
    runs = [
        {"arm": arm, "seed": seed, "accuracies": of_arm[:, seed]}
        for arm, of_arm in accuracies.items()
        for seed in range(of_arm.shape[1])
    ]
    return cast(list[Observation], runs)


class Compared(NamedTuple):
    reported: float  # share of redraws in which the verdict stays
    actual: float  # of repetitions


def compare(runs: list[Observation], redraws: Redrawn, n: int) -> Iterator[Compared]:
    """For each question on a study: how often its verdict stays in the redraws, and how often in the repetitions."""
    repeated = Redrawn(RESULTS, runs, Repeated(), accuracy=lambda run: cast(Any, run)["accuracies"])
    for asked in QUESTIONS:
        if "p" in asked.evidence and 2 / 2**n >= LIMITS["significant"]:
            continue  # so few pairs can never be significant
        first, *others = _verdicts(asked, repeated)
        reported, actual = (float(np.mean(np.equal(v, first))) for v in (_verdicts(asked, redraws), others))
        yield Compared(reported, actual)


def _verdicts(asked: Question, redrawn: Redrawn) -> np.ndarray:
    numbers = {name: redrawn.number_at(evidence.path) for name, evidence in asked.evidence.items()}
    return verdicts_in(asked, cast(Mapping[str, np.ndarray], numbers), LIMITS)


def of_seeds(scatter: str, n: int, plain: bool = False) -> list[Compared]:
    compared: list[Compared] = []
    for state in range(STUDIES):
        runs = _runs(_study(scatter, n, state))
        repetition: Repetition = Plain(n, state) if plain else Seeds.draw(range(n), REDRAWS, state)
        redrawn = Redrawn(RESULTS, runs, repetition, accuracy=lambda run: cast(Any, run)["accuracies"][0])
        compared += compare(runs, redrawn, n)
    return compared


def _study_with_images(n: int, state: int) -> np.ndarray:
    """Which images are wrong, bool, [2 arms, 1 + REPETITIONS, n, IMAGES]: each repetition has images of its own.

    Some images are hard for all, some for one arm, and seeds differ as a whole and in single images.
    """
    rng, shape = np.random.default_rng([state, n, IMAGES]), (2, 1 + REPETITIONS, n, IMAGES)
    hard, of_arm = rng.standard_normal((1, *shape[1:2], 1, IMAGES)), rng.normal(0, 0.4, (*shape[:2], 1, IMAGES))
    seeds = rng.normal(0, np.exp(rng.uniform(np.log(0.02), np.log(0.1))), (*shape[:3], 1))
    level = -1.6 + np.array([rng.uniform(-0.16, 0.12), 0])[:, None, None, None]
    return hard + of_arm + seeds + level + rng.normal(0, 0.4, shape) > 0


def of_images(n: int, shifted: bool) -> list[Compared]:
    """With `shifted`, of seeds and images; without, of seeds alone, against repetitions that have other images too."""
    compared: list[Compared] = []
    for state in range(STUDIES_WITH_IMAGES):
        wrong = _study_with_images(n, state)
        runs = _runs(dict(zip(("first", "second"), 1 - wrong.mean(axis=-1), strict=True)))
        seeds = Seeds.draw(range(n), REDRAWS, state)
        listed = {
            arm: [
                cast(Observation, {"seed": seed, "images": IMAGES, "wrong_images": np.flatnonzero(row).tolist()})
                for seed, row in enumerate(of_arm[0])
            ]
            for arm, of_arm in zip(("first", "second"), wrong, strict=True)
        }
        shifts = image_shifts(listed, seeds.redraws, state) if shifted else None
        redrawn = Redrawn(RESULTS, runs, seeds, shifts, accuracy=lambda run: cast(Any, run)["accuracies"][0])
        compared += compare(runs, redrawn, n)
    return compared


# ---------------------------------------------------------------------------------------------- tables

HEAD = "| {} | seeds | reported | came back | below 70 | 70 to 80 | 80 to 90 | 90 to 97 | 97 to 100 |"
LINE = "|---" * 9 + "|"


def row(name: str, n: int, compared: Sequence[Compared]) -> str:
    """Means in per cent: overall, and "reported → came back" in each group of the reported share."""
    reported, actual = 100 * np.array(compared).T
    cells = [f"{reported.mean():.0f}", f"{actual.mean():.0f}"]
    for low, high in pairwise(GROUPS):
        group = (reported >= 100 * low) & (reported < 100 * high)
        known = group.sum() >= ENOUGH
        cells.append(f"{reported[group].mean():.0f} → {actual[group].mean():.0f}" if known else "–")
    return f"| {name} | {n} | {' | '.join(cells)} |"


def tables() -> Iterator[tuple[str, list[str]]]:
    """Each table's name and lines."""
    yield "seeds", [row(name, n, of_seeds(name, n)) for name in SCATTERS for n in SIZES]
    yield "plain", [row("normal", n, of_seeds("normal", n, plain=True)) for n in SIZES]
    views = (("seeds and images", True), ("seeds alone", False))
    yield "images", [row(name, n, of_images(n, shifted)) for name, shifted in views for n in (5, 10)]


def main() -> None:
    started = time.monotonic()
    for name, rows in tables():
        lines = [HEAD.format("redrawn" if name == "images" else "scatter"), LINE, *rows]
        print("\n".join(lines), flush=True)
        before, rest = DOCUMENT.read_text(encoding="utf-8").split(f"<!-- {name} -->\n")
        after = rest[rest.index("<!-- end -->") :]
        DOCUMENT.write_text(f"{before}<!-- {name} -->\n" + "\n".join(lines) + f"\n{after}", encoding="utf-8")
    print(f"docs/robustness.md: written in {time.monotonic() - started:.0f} s.")


if __name__ == "__main__":
    main()
