"""Margins: what would turn a verdict, and how far the numbers are from it, in a sentence. Pure."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import total_ordering
from typing import cast

from experiments.plots.formats import in_unit
from report.claims.model import DECIDED, HOLDS, REFUTED, Flip, Question, Verdict
from report.claims.rules import evaluate, names_in, parse, verdict_of

MAX_TURNS = 100  # of a rule; beyond, the search for its limits would not end
MAX_DEPTH = 100  # of expressions in expressions; what reads a rule calls itself for each


def margin(judged: Verdict, names: Mapping[str, str] | None = None) -> str:
    """How far the verdict is from another one, in a sentence; nothing where it could not be decided, or needs none.

    `names`: what to call each evidence, such as (a); its label where it is None.
    """
    if judged.verdict not in DECIDED or not judged.values or None in judged.values.values():
        return ""
    if not judged.flips:
        return "No single number could change it: several would have to move at once."
    flip = judged.flips[0]
    evidence = judged.question.evidence[flip.name]
    pairs = [[in_unit(end, evidence.unit, finer) for end in (flip.limit, flip.value)] for finer in range(9)]
    limit, value = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    if evidence.unit == "yes":
        moved = "were"
    elif flip.rises:
        moved = "rose to" if flip.at_limit else "rose above"
    else:
        moved = "fell to" if flip.at_limit else "fell below"
    becomes = {HOLDS: "hold", REFUTED: "be refuted"}.get(flip.verdict, f"become {flip.verdict}")
    return f"Would {becomes} if {names[flip.name] if names else evidence.label} {moved} {limit}; it is {value}."


# ---------------------------------------------------------------------------------------------- flips


def flips(question: Question, values: Mapping[str, float | None], thresholds: Mapping[str, float]) -> list[Flip]:
    """Where the verdict would turn if one number alone moved: the first place in each direction, the nearest first.

    Near is measured in steps that matter, NOTICEABLE, so that different units can be compared. None where something is
    not measured. A verdict that holds at a single point alone does not count, but the present one may. Thresholds stay.
    """
    measured = {name: value for name, value in values.items() if value is not None}
    if len(measured) < len(question.evidence):
        return []
    rule = _Rule(question, measured, thresholds)
    flips_: list[Flip | None] = []
    for name in measured:
        if question.evidence[name].unit == "yes":
            flips_.append(rule.flip_to_opposite(name))
        else:
            flips_ += [rule.first_flip(name, direction) for direction in (-1, 1)]
    return sorted(filter(None, flips_), key=lambda flip: _distance(flip, question.evidence[flip.name].unit))


NOTICEABLE = {"points": 0.0025, "percent": 0.01, "times": 0.1, "number": 0.01, "p": 0.01, "yes": 0.0}


def _distance(flip: Flip, unit: str) -> float:
    """How far the limit is, in steps that matter: without a step, as for yes and no, it is the farthest."""
    return abs(flip.value - flip.limit) / NOTICEABLE[unit] if NOTICEABLE[unit] else math.inf


@dataclass(frozen=True)
class _Rule:
    """A question with its measured evidence."""

    question: Question
    values: Mapping[str, float]
    thresholds: Mapping[str, float]

    def verdict(self, moved: Mapping[str, object]) -> str:
        return verdict_of(self.question, {**self.values, **moved}, self.thresholds)

    def flip_to_opposite(self, name: str) -> Flip | None:
        other = float(not self.values[name])
        verdict = self.verdict({name: other})
        changed = verdict != self.verdict({})
        return Flip(name, self.values[name], other, bool(other), verdict, at_limit=True) if changed else None

    def first_flip(self, name: str, direction: int) -> Flip | None:
        """Walks from the value over all places where a comparison in the rules turns, until the verdict turns."""
        present, at = self.verdict({}), Fraction(self.values[name])
        for _ in range(MAX_TURNS):
            turns: list[Fraction] = []
            verdict = self.verdict({name: _Line(Fraction(1), Fraction(0), at, direction, turns)})
            if verdict != present:
                limit = float(at)
                reached = self.verdict({name: limit}) == verdict
                return Flip(name, self.values[name], limit, direction > 0, verdict, reached)
            further = [abs(turn - at) for turn in turns if (turn - at) * direction > 0]
            if not further:
                return None
            at += direction * min(further)
        return None


@total_ordering
@dataclass(frozen=True, eq=False)
class _Line:
    """`slope` · x + `start` for a number x that moves, compared where x is just beyond `at` in its `direction`.

    Each comparison notes in `turns` at which x its answer turns. Up to the next of these, rules say the same and
    expressions stay linear. In fractions, since rounding could leave a limit on the wrong side of itself.
    """

    slope: Fraction
    start: Fraction
    at: Fraction
    direction: int
    turns: list[Fraction]

    def _sign(self) -> Fraction:
        if self.slope:
            self.turns.append(-self.start / self.slope)
        return self.slope * self.at + self.start or self.slope * self.direction

    def __add__(self, other: _Number) -> _Line:
        slope, start = (other.slope, other.start) if isinstance(other, _Line) else (0, Fraction(other))
        return replace(self, slope=self.slope + slope, start=self.start + start)

    def __mul__(self, other: _Number) -> _Line:
        if isinstance(other, _Line):
            raise ValueError("a rule may not multiply a number by itself")
        return replace(self, slope=self.slope * Fraction(other), start=self.start * Fraction(other))

    def __truediv__(self, other: _Number) -> _Line:
        if isinstance(other, _Line):
            raise ValueError("a rule may not divide by evidence")
        return self * (1 / Fraction(other))

    def __rtruediv__(self, other: _Number) -> _Line:
        raise ValueError("a rule may not divide by evidence")

    def __neg__(self) -> _Line:
        return self * -1

    def __sub__(self, other: _Number) -> _Line:
        return self.__add__(-other)

    def __rsub__(self, other: _Number) -> _Line:
        return (-self).__add__(other)

    __radd__, __rmul__ = __add__, __mul__

    def __abs__(self) -> _Line:
        return -self if self < 0 else self

    def __bool__(self) -> bool:
        return self._sign() != 0

    def __eq__(self, other: object) -> bool:
        return self.__sub__(cast(_Number, other))._sign() == 0

    def __lt__(self, other: _Number) -> bool:
        return self.__sub__(other)._sign() < 0


_Number = float | Fraction | _Line  # in a rule whose numbers move


def check_rule(rule: str, evidence: Iterable[str], thresholds: Mapping[str, float]) -> None:
    """Refuses a rule that compares no evidence, has a number of its own, or whose limits could not be found.

    In each number alone it must be linear. Raises `ValueError`, or what evaluating it raises.
    """
    tree = parse(rule)
    _reject_depth(tree)
    for value in (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)):
        if isinstance(value, int | float) and (value or value is False):
            raise ValueError(f"it has the number {value} of its own: add it to [thresholds] and name it here")
    values = dict.fromkeys(evidence, 1.0)
    try:
        if not isinstance(evaluate(rule, {**thresholds, **values}), bool):
            raise ValueError("it is a number, not a comparison")
        for name in values:
            evaluate(rule, {**thresholds, **values, name: _Line(Fraction(1), Fraction(0), Fraction(1), 1, [])})
    except KeyError as error:
        raise ValueError(f"it names {error}, which is neither evidence nor a threshold") from error
    for node in (tree, *(node for node in ast.walk(tree) if isinstance(node, ast.Compare))):
        if not names_in(node) & values.keys():
            raise ValueError(f"'{ast.unparse(node)}' says the same whatever is measured")


def _reject_depth(tree: ast.AST) -> None:
    level = [tree]
    for _ in range(MAX_DEPTH):
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    if level:
        raise ValueError(f"it is nested more than {MAX_DEPTH} deep")
