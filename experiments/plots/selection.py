"""The arms, runs and numbers of results.json that a figure shows. Light: no matplotlib."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatch

import numpy as np

from experiments.analysis.results import ArmResult, ContrastResult, Results, RunResult
from experiments.plots.figures import MAX_MARKS, accuracy_by_epoch, final_accuracy
from experiments.plots.formats import plain_percent, points

TEST_ACCURACY = "Test accuracy"
HELD_OUT_ACCURACY = "Accuracy on held-out training images"


def on_test_images(results: Results) -> Results:
    """The results of the arms that are measured on the test images; all results if there is no such arm.

    Accuracy on the test images and accuracy on held-out training images never share an axis.
    """
    arms = {name: arm for name, arm in results["arms"].items() if arm["test_accuracy"] is not None}
    if not arms:
        return results
    return {**results, "arms": arms, "runs": [run for run in results["runs"] if run["arm"] in arms]}


def select_arms(results: Results, most: int) -> dict[str, ArmResult]:
    """All arms in the order of their names; of more than `most`, the best and the worst."""
    arms = dict(sorted(results["arms"].items()))
    if len(arms) <= most:
        return arms
    order = sorted(arms, key=lambda name: -mean_accuracy(arms[name]))
    return {name: arms[name] for name in (*order[: most // 2], *order[-(most // 2) :])}


def arms_of_blocks(results: Results, *blocks: str) -> dict[str, ArmResult]:
    """The arms of `blocks` by name, in the order of their names, which is that of results.json."""
    return {name: arm for name, arm in sorted(results["arms"].items()) if arm["block"] in blocks}


def arms_matching(results: Results, pattern: str) -> dict[str, ArmResult]:
    """The arms whose names match, in the order of their names."""
    return {name: arm for name, arm in sorted(results["arms"].items()) if fnmatch(name, pattern)}


def with_own_models(arms: Mapping[str, ArmResult]) -> dict[str, ArmResult]:
    """The arms that train models; another readout of the same models has the same curves and the same classes."""
    return {name: arm for name, arm in arms.items() if arm["readout"] == "as_is"}


def measured_contrasts(results: Results) -> list[ContrastResult]:
    """The contrasts that have pairs of runs."""
    return [contrast for contrast in results["contrasts"] if contrast["n"]]


def runs_of(results: Results, arm: str) -> list[RunResult]:
    return [run for run in results["runs"] if run["arm"] == arm]


def scores(results: Results, arm: str) -> list[float]:
    """Final accuracy of each of an arm's runs, in percent."""
    return [100 * final_accuracy(run) for run in runs_of(results, arm)]


def accuracy_curves(results: Results, arm: str) -> np.ndarray:
    """Accuracy in percent, [seeds, epochs]."""
    return 100 * np.array([accuracy_by_epoch(run) for run in runs_of(results, arm)])


def mean_accuracy(arm: ArmResult) -> float:
    """An arm's mean final accuracy."""
    return float(final_accuracy(arm)["mean"])


def on_shared_seeds(results: Results, arms: Iterable[str]) -> Results | None:
    """The results of these arms alone, with the runs of the seeds that all of them have; None where they share none.

    Arms with different seeds are compared by these runs: what an `ArmResult` says is about all seeds of its arm.
    """
    runs = {name: runs_of(results, name) for name in arms}
    seeds = set.intersection(*({run["seed"] for run in group} for group in runs.values())) if runs else set()
    if not seeds:
        return None
    shared = [run for group in runs.values() for run in group if run["seed"] in seeds]
    return {**results, "arms": {name: results["arms"][name] for name in runs}, "runs": shared}


def seeds_of(results: Results) -> list[int]:
    """The seeds of all runs."""
    return sorted({run["seed"] for run in results["runs"]})


def mean_score(results: Results, arm: str) -> float:
    """The mean final accuracy of an arm's runs in `results`."""
    return float(np.mean([final_accuracy(run) for run in runs_of(results, arm)]))


# ---------------------------------------------------------------------------------------------- in words


def data_name(results: Results) -> str:
    names = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "digits": "scikit-learn's small digits"}
    return names.get(results["dataset"]["name"], results["dataset"]["name"])


def accuracy_name(arms: Mapping[str, ArmResult]) -> str:
    """What the accuracy of these arms is called: all are measured on the test images, or none is."""
    tested = all(arm["test_accuracy"] is not None for arm in arms.values())
    return TEST_ACCURACY if tested else HELD_OUT_ACCURACY


def short_title(title: str) -> str:
    """An arm's title up to its colon: `Example 1`."""
    return title.split(":")[0]


def describe_marks(results: Results, arms: Iterable[str], noun: str) -> str:
    """What the marks of a figure stand for: `every run`, or quantiles of the runs."""
    many = any(len(results["arms"][name]["seeds"]) > MAX_MARKS for name in arms)
    return f"the {noun}s, of many by quantiles," if many else f"every {noun}"


def join_names(names: Sequence[str]) -> str:
    joined = " and ".join(names)
    return joined if len(names) == 1 or (len(names) == 2 and len(joined) < 45) else f"{len(names)} arms"


def ranking(means: Mapping[str, float]) -> str:
    """Who scores highest and lowest, in words; those within half a hundredth of a point count as equal."""
    high, low = max(means.values()), min(means.values())
    best, worst = ([name for name, mean in means.items() if abs(mean - end) < 5e-5] for end in (high, low))
    ending = "s" if len(best) == 1 else ""
    if high - low < 5e-5:
        return f"{join_names(best)} score{ending} {plain_percent(high)}"
    return f"{join_names(best)} lead{ending} {join_names(worst)} by {points(high - low, signed=False)} points"
