"""Made-up runs of a small study whose truth is known, for the tests of how robust verdicts are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import NormalDist
from typing import Any

import numpy as np

from experiments.analysis import summary
from experiments.analysis.results import Observation, Summary
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.study import load as studies
from experiments.study.model import Study

SECOND = Path(__file__).parents[1] / "second" / "study.toml"
IMAGES = 10_000
SCORES = ("ece", "ece_as_is", "brier", "nll", "sum_before_mean", "sum_error")
SOURCE = Source(datasets.MNIST, None, "a fixture")
CONTRAST = '\n[[contrasts]]\nname = "{}"\nquestion = "?"\nfirst = "{}"\nsecond = "{}"\n{}'


def study(folder: Path, seeds: Mapping[str, Sequence[int]], contrasts: Sequence[tuple[str, ...]] = ()) -> Study:
    """The second article's study with an arm of each of these names over these seeds, and contrasts (name, first,
    second, and perhaps a line more).
    """
    text = SECOND.read_text(encoding="utf-8")
    head, tail = text[: text.index("[blocks.")], "\n[confirmatory]\ndeclared = 2026-01-15\n"
    for width, (arm, of_arm) in enumerate(seeds.items(), 2):
        head += f'\n[blocks.of-{arm}]\nquestion = "?"\nseeds = {list(of_arm)}\n'
        head += f'\n[[arms]]\nname = "{arm}"\nblock = "of-{arm}"\ntitle = "{arm}"\nwidth = {width}\n'
    path = folder / "study.toml"
    path.write_text(head + tail + "".join(CONTRAST.format(*(*row, "")[:4]) for row in contrasts), encoding="utf-8")
    return studies.load(path)


def run(arm: str, seed: int, wrong: Sequence[int], rng: np.random.Generator, images: int = IMAGES) -> Observation:
    """A run that gets the images `wrong` wrong, with made-up values of all else."""
    accuracy = 1 - len(wrong) / images
    moments = {
        when: {"hidden": [float(rng.random())], "output_slope_target": None, "output_slope_other": float(rng.random())}
        for when in ("start", "final")
    }
    observation: dict[str, Any] = {
        "arm": arm,
        "seed": seed,
        "learning_rate": 0.001,
        "schedule": "constant",
        "images": images,
        "wrong": len(wrong),
        "wrong_images": [int(image) for image in sorted(wrong)],
        "diverged_epoch": None,
        "finished": "2026-01-01T00:00:05+00:00",
        "python": "3.11.0",
        "processor": "Fixture CPU",
        "versions": {"numpy": "2"},
        "changed_predictions": int(rng.integers(9)),
        "test_accuracy_by_epoch": [*np.round(accuracy - 0.1 * rng.random(9) / np.arange(1, 10) ** 2, 6), accuracy],
        "training_loss_by_epoch": [0.1] * 10,
        "epoch_seconds": [*(1 + rng.random(10))],
        "predict_seconds": float(rng.random()),
        "map_seconds": float(rng.random()) / 10,
        "training_accuracy": accuracy + 0.01 * float(rng.random()),
        "least_squares_accuracy": accuracy - 0.01 * float(rng.random()),
        "confusion": [[1, 2], [3, 4]],
        "target_outputs": {"mean": float(rng.random()), "quantiles": [*rng.random(3)], "counts": [1, 2]},
        "other_outputs": {"mean": None, "quantiles": None, "counts": None},
        "tied_share": 0.0,
        "row_sum_mean": float(rng.normal()),
        "negative_share": float(rng.random()),
        "calibration": {**dict(zip(SCORES, rng.random(6).tolist(), strict=True)), "reliability": None},
        "gradient": {when: {"first_over_output": float(rng.random())} for when in ("start", "epoch_1", "final")},
        "saturation": moments,
    }
    return observation  # type: ignore[return-value]


def runs(
    rng: np.random.Generator, errors: Mapping[str, float], seeds: Mapping[str, Sequence[int]], own_level: float = 0.02
) -> list[Observation]:
    """Runs of arms whose true shares of wrong images are `errors`; what is hard for one run is hard for all.

    own_level: how far seeds differ as a whole.
    """
    hard = rng.normal(size=IMAGES)
    observations = []
    for arm, share in errors.items():
        for_arm = hard + rng.normal(0, 0.5, IMAGES)
        cut = np.sqrt(1 + 0.5**2 + 0.3**2) * NormalDist().inv_cdf(1 - share)
        for seed in seeds[arm]:
            own = for_arm + rng.normal(0, 0.3, IMAGES) + rng.normal(0, own_level)
            observations.append(run(arm, seed, np.flatnonzero(own > cut), rng))
    return observations


def results(plan: Study, observations: Sequence[Observation]) -> Summary:
    return summary.summarise(plan, observations, len(observations), SOURCE)


def complete(plan: Study, images: int = IMAGES) -> tuple[dict[str, Any], dict[str, Any]]:
    """Results of a whole study on MNIST and Fashion-MNIST, and the evidence that they follow from."""
    evidence: dict[str, Any] = {
        "runs": whole(plan, "mnist", images),
        "replications": {"fashion_mnist": whole(plan, "fashion_mnist", images)},
    }
    summaries = [
        summary.summarise(plan, runs, len(runs), SOURCE)
        for runs in (evidence["runs"], evidence["replications"]["fashion_mnist"])
    ]
    return {**summaries[0], "replications": {"fashion_mnist": summaries[1]}}, evidence


def whole(plan: Study, dataset: str, images: int = IMAGES) -> list[Observation]:
    """Runs of all arms of a study, of which each arm scores as its name has it."""
    rng, hard = np.random.default_rng(0), np.random.default_rng(1).normal(size=images)
    for_arm = {arm.name: hard + np.random.default_rng([*arm.name.encode()]).normal(0, 0.5, images) for arm in plan.arms}
    return [
        run(
            one.arm.name,
            one.seed,
            np.flatnonzero(for_arm[one.arm.name] + rng.normal(0, 0.3, images) > 2.1),
            rng,
            images,
        )
        for one in plan.runs(dataset)
    ]
