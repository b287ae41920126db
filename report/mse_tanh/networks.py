"""The networks that show what a low target does to outputs that are low enough: what was measured of them.

Light, without matplotlib: the figure shows them (push.py), and sentences are chosen by them (view.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple, cast

import numpy as np

from experiments.analysis.results import ArmResult, OutputRanges, Push, Results, Summary, require
from experiments.data import strokes
from experiments.plots.formats import signed
from experiments.plots.selection import mean_score, on_shared_seeds, runs_of, seeds_of

ARTICLE, FREE, ENDS = "example-1", "one-sided", "targets"
IMAGES = 10_000  # of so many errors are counted
HARMLESS = 0.01


# ---------------------------------------------------------------------------------------------- outputs for a digit

Moments = Mapping[str, OutputRanges]  # outputs for the digit by when they were taken, in words, in order


def moments(results: Summary, name: str) -> Moments:
    """An arm's outputs by when they were taken, in words; empty where they were not, or where one is not finite."""
    outputs: Mapping[str, OutputRanges] = results["arms"][name].get("digit_outputs") or {}  # type: ignore[assignment]
    if None in [value for ranges in outputs.values() for value in ranges["mean"]]:
        return {}
    epochs = runs_of(cast(Results, results), name)[0]["epochs"]
    when = {"start": "untrained", "epoch_1": "after epoch 1", "final": f"after epoch {epochs}"}
    return {words: outputs[moment] for moment, words in when.items() if moment in outputs}


def right_class(outputs: OutputRanges) -> float:
    return float(require(outputs["mean"][strokes.FOUR_LABEL]))


def answers(outputs: OutputRanges) -> bool:
    """Whether the right class's mean output is the largest."""
    return all(require(y) < right_class(outputs) for k, y in enumerate(outputs["mean"]) if k != strokes.FOUR_LABEL)


def wrong_mean(outputs: OutputRanges) -> float:
    return float(np.mean([require(y) for k, y in enumerate(outputs["mean"]) if k != strokes.FOUR_LABEL]))


# ---------------------------------------------------------------------------------------------- push on outputs


def targets_label(arm: ArmResult) -> str:
    return f"{signed(arm['low_target'])} and {signed(arm['high_target'])}"


def network_label(arm: ArmResult) -> str:
    """What an arm asks of outputs: its targets, and whether an output may lie below the low one."""
    free = arm["loss"] == "one_sided_mean_squared_error"
    return targets_label(arm) + (f", below {signed(arm['low_target'])} not penalised" if free else "")


class Network(NamedTuple):
    """An arm, and what was measured of it.

    seeds: how many all networks share; errors: of 10,000 images, over these. strength: of the push on outputs below
    their target, as a share of that in the first network. shares: of wrong classes' outputs, by bin of HISTOGRAM_EDGES.
    """

    name: str
    arm: ArmResult
    seeds: int
    errors: float
    push: Push
    strength: float | None
    shares: np.ndarray

    @property
    def whole_errors(self) -> int:
        return round(self.errors)

    @property
    def distance(self) -> float:
        """How far apart its targets are."""
        return round(self.arm["high_target"] - self.arm["low_target"], 6)

    @property
    def is_harmless_below(self) -> bool:
        """Whether at most HARMLESS of the wrong classes' outputs below their target could decide an answer."""
        return (self.push["ahead"] or 0) <= HARMLESS

    @property
    def label(self) -> str:
        return network_label(self.arm)


def networks(results: Summary) -> list[Network]:
    """The article's network first, then the others in the order of `_names`; empty unless it and another were measured.

    A network that shares no seed with the others, or whose push was not measured, is left out.
    """
    shared = on_shared_seeds(cast(Results, results), _names(results))
    found: list[Network] = []
    for name, arm in shared["arms"].items() if shared else ():
        push, counts = arm.get("push"), arm["other_outputs"]["counts"]
        if shared and push and counts and push["below_target_mean"] is not None:
            first = found[0].push if found else push
            strength = push["below_target_mean"] / first["below_target_mean"] if first["below_target_mean"] else None
            errors = IMAGES * (1 - mean_score(shared, name))
            shares = np.array(counts) / sum(counts)
            found.append(Network(name, arm, len(seeds_of(shared)), errors, push, strength, shares))
    return found if len(found) > 1 and found[0].name == ARTICLE else []


def _names(results: Summary) -> list[str]:
    """The article's network, the one not penalised below 0, and other targets of a tanh output, from high to low."""
    known = {name: arm for name, arm in results["arms"].items() if arm.get("push")}
    arms = {name: known[name] for name in (ARTICLE, FREE, ENDS) if name in known}
    codings = {network_label(arm) for arm in arms.values()}
    for name, arm in sorted(known.items()):
        if arm["block"] == "dose" and arm["output"] == "tanh" and network_label(arm) not in codings:
            arms[name] = arm
    return sorted(arms, key=lambda name: (-arms[name]["low_target"], name == FREE, arms[name]["high_target"]))
