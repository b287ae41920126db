"""Two results of the study held against each other: which verdicts turned, which effects moved beyond seed noise."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.figures import final_accuracy
from report import claims


@dataclass(frozen=True)
class Turned:
    """A claim whose verdict is not the same."""

    claim: str
    before: str
    after: str


@dataclass(frozen=True)
class Effect:
    """A number with an interval in both results, as fractions. `noise`: how far seeds alone let the two lie apart."""

    name: str
    before: float
    after: float
    noise: float

    @property
    def moved(self) -> bool:
        return abs(self.after - self.before) > self.noise


@dataclass(frozen=True)
class Comparison:
    """`single`: arms and contrasts that only one of the results has measured over two seeds or more."""

    turned: tuple[Turned, ...]
    effects: tuple[Effect, ...]
    single: tuple[str, ...]

    @property
    def differs(self) -> bool:
        return bool(self.turned) or any(effect.moved for effect in self.effects)


def compare(before: Mapping[str, Any], after: Mapping[str, Any], ledger: Sequence[claims.Claim]) -> Comparison:
    """What changed from one results.json to another, by the rules of the same claims."""
    old, new = (
        {judged.claim.id: judged.verdict for judged in claims.judge(ledger, found)} for found in (before, after)
    )
    first, second = _intervals(before), _intervals(after)
    effects = [
        Effect(name, first[name][0], second[name][0], _noise(first[name], second[name]))
        for name in first
        if name in second
    ]
    return Comparison(
        tuple(Turned(name, old[name], new[name]) for name in old if old[name] != new[name]),
        tuple(effects),
        tuple(sorted(first.keys() ^ second.keys())),
    )


Interval = tuple[float, float, float]  # mean, lower end, upper end


def _intervals(results: Mapping[str, Any]) -> dict[str, Interval]:
    """Every contrast, and the accuracy of every arm, that has an interval over seeds."""
    contrasts = {f"contrast {row['name']}": (row["mean"], *row["interval"]) for row in results["contrasts"] if row["n"]}
    arms = {f"arm {name}": final_accuracy(arm) for name, arm in results["arms"].items()}
    return contrasts | {name: (a["mean"], *a["interval"]) for name, a in arms.items() if a["interval"]}


def _noise(first: Interval, second: Interval) -> float:
    """Half the interval of the difference of two independent means, from the halves of theirs, which add in squares.

    Schenker and Gentleman 2001, section 2: intervals may overlap and the means still differ.
    """
    return math.hypot(*((high - low) / 2 for _, low, high in (first, second)))
