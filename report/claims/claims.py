"""claims.toml + results → verdicts. Pure: numbers in, verdicts out.

A rule is a comparison over named evidence, read from the top: supported, else partly supported, else not supported.
Evidence that was not measured leaves a claim "not measured", never decided.
"""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from fnmatch import fnmatch
from fractions import Fraction
from functools import cache, total_ordering
from pathlib import Path
from typing import Any, NamedTuple

from experiments.files import reading
from experiments.files.errors import UserError, display_path
from experiments.plots.figures import accuracy_by_epoch, final_accuracy
from experiments.study.model import Study

LEDGER = Path(__file__).parents[1] / "mse_tanh" / "claims.toml"
SUPPORTED, PARTLY, NOT = "supported", "partly supported", "not supported"
NOT_TESTABLE, NOT_MEASURED = "not testable here", "not measured"
MAX_OF_A_RULE, MAX_TURNS = 1000, 100  # beyond, nobody could read it, and the search for its limits would not end
UNITS = ("points", "percent", "times", "number", "p", "yes")


@dataclass(frozen=True)
class Evidence:
    """A number that a rule names. `path`: where it is in the results; `label`: what it is; `unit`: one of `UNITS`."""

    path: str
    label: str
    unit: str


@dataclass(frozen=True)
class Claim:
    """One claim of the article.

    `quote`: its words, in one or several fragments; `because`: why this rule; `seen`: what was known when the rule was
    fixed; `after_runs`: it was fixed after the study had run; `not_testable`: why there is no rule; `figures`: names of
    those that show the evidence; `topic`: what it is about, in a word; `note`: what a fair
    reader must know of the verdict, a template; `line`: where it stands in the ledger.
    """

    id: str
    quote: tuple[str, ...]
    question: str
    evidence: Mapping[str, Evidence]
    supported: str
    partly: str
    not_testable: str
    because: str = ""
    seen: str = ""
    figures: tuple[str, ...] = ()
    topic: str = ""
    note: str = ""
    after_runs: bool = False
    line: int = 0


@dataclass(frozen=True)
class Flip:
    """If evidence `name` alone rose from `value` above `limit`, or fell below, the verdict would become `verdict`."""

    name: str
    value: float
    limit: float
    rises: bool
    verdict: str


@dataclass(frozen=True)
class Verdict:
    """What the numbers say to a claim.

    `values` are its evidence, None where it is not measured; `flips` what would change the verdict, nearest first;
    `agreeing` in how many seeds, of how many, a difference has the sign of its mean, where it is one over seeds.
    """

    claim: Claim
    verdict: str
    values: Mapping[str, float | None]
    flips: tuple[Flip, ...]
    agreeing: Mapping[str, tuple[int, int]]


def judge(claims: Sequence[Claim], results: Mapping[str, Any]) -> list[Verdict]:
    """The verdict on every claim, from what results.json holds."""
    return [_judged(claim, results) for claim in claims]


def _judged(claim: Claim, results: Mapping[str, Any]) -> Verdict:
    """Raises `UserError` where a rule that could be read cannot be reckoned with these numbers: 1 / max(x, 2) at 3."""
    values = {name: evidence(one.path, results) for name, one in claim.evidence.items()}
    counts = {name: seeds_agreeing(one, results) for name, one in claim.evidence.items()}
    agreeing = {name: count for name, count in counts.items() if count is not None}
    try:
        return Verdict(claim, verdict_of(claim, values), values, tuple(flips(claim, values)), agreeing)
    except (ArithmeticError, ValueError, RecursionError) as error:
        raise UserError(
            f"line {claim.line} of the claims: claim '{claim.id}': {error}, with {values}. Mend its rule."
        ) from error


def verdict_of(claim: Claim, values: Mapping[str, Any]) -> str:
    """The verdict on a claim whose evidence has these `values`, None where it is not measured."""
    if claim.not_testable:
        return NOT_TESTABLE
    known = {name: value for name, value in values.items() if value is not None}
    try:
        if evaluate(claim.supported, known):
            return SUPPORTED
        return PARTLY if claim.partly and evaluate(claim.partly, known) else NOT
    except KeyError:
        return NOT_MEASURED


# ---------------------------------------------------------------------------------------------- the ledger


def load(path: Path = LEDGER) -> tuple[Claim, ...]:
    """Reads the ledger. Raises `UserError` with the line of a claim that is not as expected."""
    document, text = _read(path)
    tables = document["claims"]
    lines = [number for number, line in enumerate(text.split("\n"), 1) if re.match(r"\s*\[\[\s*claims\s*\]\]", line)]
    if len(lines) != len(tables):
        raise UserError(
            f"{display_path(path)}: {len(tables)} claims under {len(lines)} headings. Head each one [[claims]]."
        )
    claims: list[Claim] = []
    for line, table in zip(lines, tables, strict=True):
        try:
            claims.append(_claim(table, line))
            if claims[-1].id in [other.id for other in claims[:-1]]:
                raise ValueError("another claim has this id")
        except (ArithmeticError, TypeError, ValueError, SyntaxError, RecursionError) as error:
            raise UserError(
                f"{display_path(path)}:{line}: claim '{table.get('id')}': {error}. Mend this claim."
            ) from error
    return tuple(claims)


def unchecked(path: Path = LEDGER) -> dict[str, tuple[str, ...]]:
    """Why sentences of the article have no claim → their first words. Raises `UserError` where they are no lists."""
    found = _read(path)[0].get("unchecked", {})
    if not isinstance(found, dict) or not all(map(_are_words, found.values())):
        raise UserError(
            f"{display_path(path)}: [unchecked]: Expected lists of sentences' first words by reason. Mend it."
        )
    return {reason: tuple(starts) for reason, starts in found.items()}


def _read(path: Path) -> tuple[dict[str, Any], str]:
    """The ledger as a document and as text. Raises `UserError` if it is no ledger."""
    expected = "Expected the article's claims, as TOML with [[claims]]."
    document, text = reading.read_toml(path, expected)
    tables, others = document.get("claims"), sorted(set(document) - {"version", "declared", "claims", "unchecked"})
    if others:
        raise UserError(f"{display_path(path)}: unknown key '{others[0]}'. {expected} Fix the name or remove it.")
    if not isinstance(tables, list) or not tables or not all(isinstance(table, dict) for table in tables):
        raise UserError(f"{display_path(path)}: no claims in it. {expected}")
    return document, text


def _are_words(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(words, str) and words.strip() for words in value)


_KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(("id", "question", "supported", "partly", "not_testable", "because", "seen", "topic", "note"), str),
    **{"quote": (str, list), "evidence": dict, "figures": list, "after_runs": bool},
}


def _claim(table: Mapping[str, Any], line: int) -> Claim:
    ruled = () if table.get("not_testable") else ("supported", "evidence")
    _only(table, _KINDS, ("id", "quote", "question", *ruled))
    given = {name: _evidence(name, found) for name, found in table.get("evidence", {}).items()}
    quote = [table["quote"]] if isinstance(table["quote"], str) else table["quote"]
    for key, words in (("quote", quote), ("figures", table.get("figures", []))):
        if not _are_words(words):
            raise ValueError(f"'{key}' may not be {table[key]!r}; expected words in each")
    if not re.fullmatch(r"[\w.-]{1,64}", table["id"]):
        raise ValueError("expected an id of letters, digits, dots and hyphens")
    texts = {key: table.get(key, "") for key in ("supported", "partly", "not_testable", "because", "seen")}
    for rule in filter(None, (texts["supported"], texts["partly"])):
        if len(rule) > MAX_OF_A_RULE:
            raise ValueError(f"a rule of {len(rule)} characters; expected {MAX_OF_A_RULE} at most")
        _check_rule(rule, given)
    return Claim(
        id=table["id"],
        quote=tuple(quote),
        question=table["question"],
        evidence=given,
        figures=tuple(table.get("figures", [])),
        topic=table.get("topic", ""),
        note=table.get("note", ""),
        after_runs=table.get("after_runs", False),
        line=line,
        **texts,
    )


def _evidence(name: str, table: Any) -> Evidence:
    keys = dict.fromkeys(("path", "label", "unit"), str)
    try:
        if not isinstance(table, dict):
            raise ValueError('expected { path = "…", label = "…", unit = "…" }')
        _only(table, keys, tuple(keys))
        if table["unit"] not in UNITS:
            raise ValueError(f"unknown unit '{table['unit']}'; expected one of {', '.join(UNITS)}")
        _operands(table["path"])
    except ValueError as error:
        raise ValueError(f"evidence '{name}': {error}") from error
    return Evidence(**table)


def _only(table: Mapping[str, Any], kinds: Mapping[str, Any], needed: Sequence[str]) -> None:
    """Refuses a table with other keys than those of `kinds`, with values of other kinds, or without what is needed."""
    for key, value in table.items():
        if key not in kinds:
            raise ValueError(f"unknown key '{key}'; expected one of {', '.join(kinds)}")
        if not isinstance(value, kinds[key]):
            raise ValueError(f"'{key}' may not be {value!r}")
    for key in needed:
        if not table.get(key):
            raise ValueError(f"'{key}' is missing")


def _check_rule(rule: str, names: Mapping[str, Any]) -> None:
    """Refuses a rule that names no evidence, or whose limits could not be found: in each number alone it is linear."""
    values = dict.fromkeys(names, 1.0)
    try:
        evaluate(rule, values)
        for name in names:
            evaluate(rule, {**values, name: _Line(Fraction(1), Fraction(0), Fraction(1), 1, [])})
    except KeyError as error:
        raise ValueError(f"'{rule}' names {error}, which is not among its evidence") from error
    if not any(isinstance(node, ast.Name) for node in ast.walk(_parsed(rule))):
        raise ValueError(f"'{rule}' says the same whatever is measured; expected a comparison of its evidence")


def check(claims: Sequence[Claim], plan: Study, path: Path = LEDGER) -> None:
    """Raises `UserError` where evidence names an arm or a contrast that the study does not have."""
    known = {"arm": [arm.name for arm in plan.arms], "contrast": [contrast.name for contrast in plan.contrasts]}
    for claim in claims:
        for name, one in claim.evidence.items():
            for operand in _operands(one.path)[1]:
                there = known[operand.holder]
                missing = [part for part in operand.parts if not any(operand.matches(other, part) for other in there)]
                if missing:
                    raise UserError(
                        f"{display_path(path)}:{claim.line}: claim '{claim.id}': evidence '{name}' names the "
                        f"{operand.holder} '{missing[0]}', which {display_path(plan.path)} does not have. "
                        "Mend the name, or declare it there."
                    )
                if operand.holder == "arm" and operand.keys[0].startswith("test_"):
                    _check_tested(
                        operand, plan, f"{display_path(path)}:{claim.line}: claim '{claim.id}': evidence '{name}'"
                    )


def _check_tested(operand: _Operand, plan: Study, place: str) -> None:
    """Refuses the accuracy on test images of arms that are measured on held-out training images."""
    for arm in plan.arms:
        if arm.holdout and any(operand.matches(arm.name, part) for part in operand.parts):
            measure = operand.keys[0]
            raise UserError(
                f"{place} names the {measure} of '{arm.name}', which is measured on held-out training images. "
                f"Use held_out_{measure.removeprefix('test_')}, or name other arms."
            )


# ---------------------------------------------------------------------------------------------- evidence


class _Operand(NamedTuple):
    """`arm NAME KEY …`, `contrast NAME KEY …`, or the `largest` or `smallest` over arms: `largest A|B-* KEY …`."""

    kind: str
    name: str
    keys: tuple[str, ...]

    @property
    def holder(self) -> str:
        return "contrast" if self.kind == "contrast" else "arm"

    @property
    def parts(self) -> list[str]:
        return self.name.split("|") if self.kind in ("largest", "smallest") else [self.name]

    def matches(self, name: str, part: str) -> bool:
        return fnmatch(name, part) if self.kind in ("largest", "smallest") else name == part


def _operands(of: str) -> tuple[str, list[_Operand]]:
    """`-`, `/` or nothing, and the numbers that it stands between. Raises `ValueError` for another form."""
    first, *rest = re.split(r" ([-/]) ", of)
    operands = []
    for text in (first, *rest[1::2]):
        words = text.split()
        if len(words) < 3 or words[0] not in ("arm", "contrast", "largest", "smallest"):
            raise ValueError(f"'{text}' is no number of the results; expected 'arm NAME KEY …' or its like")
        operands.append(_Operand(words[0], words[1], tuple(words[2:])))
    if len(operands) > 2:
        raise ValueError(f"'{of}' has more than two numbers")
    return rest[0] if rest else "", operands


def asked_of_arms(claims: Sequence[Claim], arms: Collection[str]) -> dict[str, list[tuple[str, ...]]]:
    """For each of `arms` that evidence names: which of its numbers."""
    found: dict[str, list[tuple[str, ...]]] = {}
    paths = [one.path for claim in claims for one in claim.evidence.values()]
    for operand in (operand for path in paths for operand in _operands(path)[1]):
        if operand.holder == "arm":
            for name in (name for name in arms if any(operand.matches(name, part) for part in operand.parts)):
                found.setdefault(name, []).append(operand.keys)
    return found


def evidence(of: str, results: Mapping[str, Any]) -> float | None:
    """A number of the results, or the difference or ratio of two: `arm NAME KEY … - contrast NAME KEY …`.

    None where one of them is not measured, not finite, or divided by 0.
    """
    sign, operands = _operands(of)
    numbers = [found[1] for found in (_found(operand, results) for operand in operands) if found]
    if len(numbers) < len(operands) or (sign == "/" and numbers[1] == 0):
        return None
    if not sign:
        return numbers[0]
    return numbers[0] - numbers[1] if sign == "-" else numbers[0] / numbers[1]


def _found(operand: _Operand, results: Mapping[str, Any]) -> tuple[str, float] | None:
    """The number, and whose it is; None where it, or one of those that it is the largest of, is not measured."""
    contrasts = {row["name"]: row for row in results["contrasts"]}
    tables = contrasts if operand.holder == "contrast" else results["arms"]
    names = [name for name in tables if any(operand.matches(name, part) for part in operand.parts)]
    numbers = {name: _number(tables[name], operand.keys) for name in names}
    measured = [(name, number) for name, number in numbers.items() if number is not None]
    if not measured or len(measured) < len(names):
        return None
    return (min if operand.kind == "smallest" else max)(measured, key=lambda pair: pair[1])


def _number(table: Any, keys: Sequence[str]) -> float | None:
    for key in keys:
        try:
            table = table[int(key) if isinstance(table, list | tuple) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return float(table) if isinstance(table, int | float) and math.isfinite(table) else None


def seeds_agreeing(one: Evidence, results: Mapping[str, Any]) -> tuple[int, int] | None:
    """In how many seeds a difference of accuracies has the sign of its mean, and how many there are.

    None for what has no sign to agree with: anything else than a contrast or the mean accuracies of two arms, told in
    points; a mean of 0; an end of an interval on the other side of 0. A tie agrees with neither direction.
    """
    sign, operands = _operands(one.path)
    if one.unit != "points":
        return None
    if not sign and operands[0].kind == "contrast":
        rows = [row for row in results["contrasts"] if row["name"] == operands[0].name and row.get("n")]
        same = rows and (evidence(one.path, results) or 0) * rows[0]["mean"] > 0
        return (rows[0]["seeds_agreeing"], rows[0]["n"]) if same else None
    keys = {operand.keys for operand in operands if operand.holder != "contrast"}
    final = keys in ({("test_accuracy", "mean")}, {("held_out_accuracy", "mean")})
    if sign != "-" or len(operands) != 2 or not (final or keys == {("mean_epoch_accuracy",)}):
        return None
    arms = [found[0] for found in (_found(operand, results) for operand in operands) if found]
    scores = [{run["seed"]: _score(run, final) for run in results["runs"] if run["arm"] == arm} for arm in arms]
    shared = set.intersection(*map(set, scores)) if len(scores) == 2 else set()
    differences = [scores[0][seed] - scores[1][seed] for seed in shared]
    total = round(math.fsum(differences), 9)  # accuracies are counts of images: what is smaller is rounding
    agreeing = sum(difference * total > 0 for difference in differences)
    return (agreeing, len(shared)) if total and len(shared) > 1 else None


def _score(run: Mapping[str, Any], final: bool) -> float:
    """A run's accuracy, at the end or averaged over its epochs."""
    if final:
        return float(final_accuracy(run))
    curve = accuracy_by_epoch(run)
    return float(sum(curve) / len(curve))


# ---------------------------------------------------------------------------------------------- telling

NARROW = "\u202f"  # a thin space that does not break


def told(value: float | None, unit: str, finer: int = 0) -> str:
    """Evidence as text in its unit: 0.0089 points → +0.89 points; with `finer`, so many digits more."""
    digits = 3 + finer
    if value is None:
        return "not measured"
    match unit:
        case "yes":
            return "yes" if value else "no"
        case "points":
            rounded = round(100 * value, digits - 1) or 0.0  # not −0
            text = f"{rounded:{'+' if rounded else ''}.{digits - 1}f} points"
        case "percent":
            text = f"{_plain(100 * value, digits)}{NARROW}%"
        case "times":
            text = f"{_plain(value, digits)}{NARROW}×"
        case "p":
            text = f"{value:.{digits}f}" if value >= 10**-digits else f"<{NARROW}{10**-digits:.{digits}f}"
        case _:
            text = _plain(value, digits)
    return text.replace("-", "−")


def _plain(value: float, digits: int) -> str:
    """So many significant digits, never with an exponent."""
    return f"{Decimal(f'{value:.{digits}g}'):f}"


def margin(judged: Verdict) -> str:
    """How far the verdict is from another one, in a sentence; nothing where it could not be decided."""
    if judged.verdict in (NOT_TESTABLE, NOT_MEASURED) or None in judged.values.values():
        return ""
    if not judged.flips:
        return "No single number could change it: several would have to move at once."
    flip = judged.flips[0]
    one = judged.claim.evidence[flip.name]
    pairs = [(told(flip.limit, one.unit, finer), told(flip.value, one.unit, finer)) for finer in range(9)]
    limit, value = next((pair for pair in pairs if pair[0] != pair[1]), pairs[0])
    reached = verdict_of(judged.claim, {**judged.values, flip.name: flip.limit}) == flip.verdict
    if one.unit == "yes":
        moved = "were"
    elif flip.rises:
        moved = "rose to" if reached else "rose above"
    else:
        moved = "fell to" if reached else "fell below"
    return f"Would become {flip.verdict} if {one.label} {moved} {limit}; it is {value}."


# ---------------------------------------------------------------------------------------------- rules

_OPERATORS: Mapping[type, Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.USub: operator.neg,
    ast.Not: operator.not_,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
}
_FUNCTIONS: Mapping[str, Callable[..., Any]] = {"abs": abs, "min": min, "max": max}


def evaluate(rule: str, values: Mapping[str, Any]) -> Any:
    """What the `rule` says of the named `values`: numbers, + - * /, comparisons, and, or, not, abs, min, max.

    Raises `KeyError` for a name that has no value, `ValueError` for anything else than these.
    """
    return _value(_parsed(rule), values)


@cache
def _parsed(rule: str) -> ast.expr:
    return ast.parse(rule, mode="eval").body


def _value(node: ast.AST, values: Mapping[str, Any]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BoolOp(op=op, values=parts):
            found = [_value(part, values) for part in parts]
            return all(found) if isinstance(op, ast.And) else any(found)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand, values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, values) for argument in arguments))
    raise ValueError(f"a rule may not say '{ast.unparse(node)}'")


# ---------------------------------------------------------------------------------------------- flips


def flips(claim: Claim, values: Mapping[str, float | None]) -> list[Flip]:
    """Where the verdict would turn if one number alone moved: the first place in each direction, the nearest first.

    Near is measured in steps that matter, NOTICEABLE, so that different units can be compared. None where something is
    not measured. A verdict that holds at a single point alone does not count, but the present one may.
    """
    known = {name: value for name, value in values.items() if value is not None}
    if len(known) < len(claim.evidence):
        return []
    found = []
    for name in known:
        if claim.evidence[name].unit == "yes":
            found.append(_reversed(claim, known, name))
        else:
            found += [_first(claim, known, name, direction) for direction in (-1, 1)]
    return sorted((flip for flip in found if flip), key=lambda flip: _distance(flip, claim.evidence[flip.name].unit))


NOTICEABLE = {"points": 0.0025, "percent": 0.01, "times": 0.1, "number": 0.01, "p": 0.01, "yes": 0.0}


def _distance(flip: Flip, unit: str) -> float:
    """How far the limit is, in steps that matter: without a step, as for yes and no, it is the farthest."""
    return abs(flip.value - flip.limit) / NOTICEABLE[unit] if NOTICEABLE[unit] else math.inf


def _reversed(claim: Claim, values: Mapping[str, float], name: str) -> Flip | None:
    other = float(not values[name])
    verdict = verdict_of(claim, {**values, name: other})
    changed = verdict != verdict_of(claim, values)
    return Flip(name, values[name], other, bool(other), verdict) if changed else None


def _first(claim: Claim, values: Mapping[str, float], name: str, direction: int) -> Flip | None:
    """Walks from the value over all places where a comparison in the rules turns, until the verdict turns."""
    present = verdict_of(claim, values)
    at = Fraction(values[name])
    for _ in range(MAX_TURNS):
        turns: list[Fraction] = []
        verdict = verdict_of(claim, {**values, name: _Line(Fraction(1), Fraction(0), at, direction, turns)})
        if verdict != present:
            return Flip(name, values[name], float(at), direction > 0, verdict)
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

    def __add__(self, other: Any) -> _Line:
        slope, start = (other.slope, other.start) if isinstance(other, _Line) else (0, Fraction(other))
        return replace(self, slope=self.slope + slope, start=self.start + start)

    def __mul__(self, other: Any) -> _Line:
        if isinstance(other, _Line):
            raise ValueError("a rule may not multiply a number by itself")
        return replace(self, slope=self.slope * Fraction(other), start=self.start * Fraction(other))

    def __truediv__(self, other: Any) -> _Line:
        if isinstance(other, _Line):
            raise ValueError("a rule may not divide by evidence")
        return self * (1 / Fraction(other))

    def __rtruediv__(self, other: Any) -> _Line:
        raise ValueError("a rule may not divide by evidence")

    def __neg__(self) -> _Line:
        return self * -1

    def __sub__(self, other: Any) -> _Line:
        return self + -other

    def __rsub__(self, other: Any) -> _Line:
        return -self + other

    __radd__, __rmul__ = __add__, __mul__

    def __abs__(self) -> _Line:
        return -self if self < 0 else self

    def __bool__(self) -> bool:
        return self._sign() != 0

    def __eq__(self, other: Any) -> bool:
        return (self - other)._sign() == 0

    def __lt__(self, other: Any) -> bool:
        return (self - other)._sign() < 0
