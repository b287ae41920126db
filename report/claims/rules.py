"""Rules and numbers: what a rule says of named values, and the number of the results that evidence names. Pure."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatch
from functools import cache
from typing import Any, NamedTuple

from experiments.analysis.results import Summary
from report.claims.model import NOT, NOT_MEASURED, NOT_TESTABLE, PARTLY, SUPPORTED, Claim

_OPERATORS: Mapping[type, Callable[..., object]] = {
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
_FUNCTIONS: Mapping[str, Callable[..., object]] = {"abs": abs, "min": min, "max": max}


def evaluate(rule: str, values: Mapping[str, object]) -> object:
    """What the `rule` says of the named `values`: numbers, + - * /, comparisons, and, or, not, abs, min, max.

    Raises `KeyError` for a name that has no value, `ValueError` for anything else than these.
    """
    return _value(parse(rule), values)


@cache
def parse(rule: str) -> ast.expr:
    return ast.parse(rule, mode="eval").body


def _value(node: ast.AST, values: Mapping[str, object]) -> object:
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name):
            return values[name]
        case ast.BoolOp(op=op, values=parts):
            operands = [_value(part, values) for part in parts]
            return all(operands) if isinstance(op, ast.And) else any(operands)
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(operand, values))
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _OPERATORS:
            return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*(_value(argument, values) for argument in arguments))
    raise ValueError(f"a rule may not say '{ast.unparse(node)}'")


def verdict_of(claim: Claim, values: Mapping[str, object]) -> str:
    """The verdict on a claim whose evidence has these `values`, None where it is not measured."""
    if claim.not_testable:
        return NOT_TESTABLE
    measured = {name: value for name, value in values.items() if value is not None}
    try:
        if evaluate(claim.supported, measured):
            return SUPPORTED
        return PARTLY if claim.partly and evaluate(claim.partly, measured) else NOT
    except KeyError:
        return NOT_MEASURED


# ---------------------------------------------------------------------------------------------- numbers of the results


class Operand(NamedTuple):
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


def parse_path(path: str) -> tuple[str, list[Operand]]:
    """`-`, `/` or nothing, and the operands around it. Raises `ValueError` with what was expected, for another form."""
    first, *rest = re.split(r" ([-/]) ", path)
    operands = []
    for text in (first, *rest[1::2]):
        words = text.split()
        if len(words) < 3 or words[0] not in ("arm", "contrast", "largest", "smallest"):
            raise ValueError(f"'arm NAME KEY …' or its like in place of '{text}'")
        operands.append(Operand(words[0], words[1], tuple(words[2:])))
    if len(operands) > 2:
        raise ValueError("one number of the results, or two with ' - ' or ' / ' between")
    return rest[0] if rest else "", operands


def keys_by_arm(claims: Sequence[Claim], arms: Collection[str]) -> dict[str, list[tuple[str, ...]]]:
    """For each of `arms` that evidence names: which of its numbers."""
    keys: dict[str, list[tuple[str, ...]]] = {}
    paths = [evidence.path for claim in claims for evidence in claim.evidence.values()]
    for operand in (operand for path in paths for operand in parse_path(path)[1]):
        if operand.holder == "arm":
            for name in (name for name in arms if any(operand.matches(name, part) for part in operand.parts)):
                keys.setdefault(name, []).append(operand.keys)
    return keys


def number_at(path: str, results: Summary) -> float | None:
    """A number of the results, or the difference or ratio of two: `arm NAME KEY … - contrast NAME KEY …`.

    None where one of them is not measured, not finite, or divided by 0.
    """
    sign, operands = parse_path(path)
    numbers = [number for _, number in filter(None, (find_number(operand, results) for operand in operands))]
    if len(numbers) < len(operands) or (sign == "/" and numbers[1] == 0):
        return None
    if not sign:
        return numbers[0]
    return numbers[0] - numbers[1] if sign == "-" else numbers[0] / numbers[1]


def find_number(operand: Operand, results: Summary) -> tuple[str, float] | None:
    """Whose number it is, and the number; None where it, or one of those that it is the largest of, is not measured."""
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
