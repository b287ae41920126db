"""Rules and numbers: what a rule says of named values, and the number of the results that evidence names. Pure."""

from __future__ import annotations

import ast
import math
import operator
import re
from collections.abc import Callable, Collection, Mapping, Sequence
from fnmatch import fnmatch
from functools import cache
from types import NoneType, UnionType
from typing import Any, NamedTuple, cast, get_args, get_origin, get_type_hints, is_typeddict

from experiments.analysis.results import ArmResult, ContrastResult, Summary
from experiments.files.errors import nearest
from report.claims.model import (
    HOLDS,
    NO_QUESTION,
    NOT,
    NOT_MEASURED,
    NOT_TESTABLE,
    PARTLY,
    PREDICTION,
    REFUTED,
    SUPPORTED,
    Ledger,
    Question,
)

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
FUNCTIONS: Mapping[str, Callable[..., object]] = {"abs": abs, "min": min, "max": max}


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
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in FUNCTIONS:
            return FUNCTIONS[name](*(_value(argument, values) for argument in arguments))
    raise ValueError(f"a rule may not say '{ast.unparse(node)}'")


@cache
def names_in(expression: ast.AST) -> frozenset[str]:
    """The evidence and thresholds that a rule, or a part of one, names."""
    return frozenset(node.id for node in ast.walk(expression) if isinstance(node, ast.Name)) - FUNCTIONS.keys()


def verdict_of(question: Question, values: Mapping[str, object], thresholds: Mapping[str, float]) -> str:
    """The verdict on a question whose evidence has these `values`, None where it is not measured.

    `thresholds`: those of the ledger, by name (`Ledger.limits`). How many seeds there are is not asked here.
    """
    if question.none:
        return NO_QUESTION
    if question.not_testable:
        return NOT_TESTABLE
    if not question.supported:
        return SUPPORTED  # a theorem without evidence
    yes, no = (HOLDS, REFUTED) if question.part == PREDICTION else (SUPPORTED, NOT)
    known = {**thresholds, **{name: value for name, value in values.items() if value is not None}}
    try:
        if evaluate(question.supported, known):
            return yes
        return PARTLY if question.partly and evaluate(question.partly, known) else no
    except KeyError:
        return NOT_MEASURED


# ---------------------------------------------------------------------------------------------- numbers of the results


DATASETS = ("fashion_mnist",)  # that a path may begin with: the study's numbers on another data set than the page's


class Operand(NamedTuple):
    """`arm NAME KEY …`, `contrast NAME KEY …`, or the `largest` or `smallest` over arms: `largest A|B-* KEY …`.

    `dataset`: another one than the page's, one of `DATASETS`; "" for the page's own.
    """

    kind: str
    name: str
    keys: tuple[str, ...]
    dataset: str = ""

    @property
    def holder(self) -> str:
        return "contrast" if self.kind == "contrast" else "arm"

    @property
    def parts(self) -> list[str]:
        return self.name.split("|") if self.is_extreme else [self.name]

    @property
    def is_extreme(self) -> bool:
        return self.kind in ("largest", "smallest")

    def matches(self, name: str) -> bool:
        """Whether it is about the arm, or the contrast, of this name."""
        return any(fnmatch(name, part) for part in self.parts) if self.is_extreme else name == self.name


@cache
def parse_path(path: str) -> tuple[str, tuple[Operand, ...]]:
    """`-`, `/` or nothing, and the operands around it. Raises `ValueError` with what was expected, for another form."""
    first, *rest = re.split(r" ([-/]) ", path)
    operands = []
    for text in (first, *rest[1::2]):
        words = text.split()
        dataset = words.pop(0) if words[:1] and words[0] in DATASETS else ""
        if len(words) < 3 or words[0] not in ("arm", "contrast", "largest", "smallest"):
            raise ValueError(f"'arm NAME KEY …' or its like in place of '{text}'")
        operands.append(Operand(words[0], words[1], tuple(words[2:]), dataset))
    if len(operands) > 2:
        raise ValueError("one number of the results, or two with ' - ' or ' / ' between")
    return rest[0] if rest else "", tuple(operands)


class Misnamed(NamedTuple):
    """A key of an operand that results never have, "" where one is missing; what is expected; what may be meant."""

    key: str
    expected: str
    meant: Sequence[str] = ()


def find_misnamed(operand: Operand) -> Misnamed | None:
    """The first key of an operand that results never have; None if all is well."""
    return _misnamed(ContrastResult if operand.holder == "contrast" else ArmResult, operand.keys)


def _misnamed(kind: Any, keys: Sequence[str]) -> Misnamed | None:
    """The same for what is left of a path, in results of the type `kind`."""
    origin, inner = get_origin(kind), [one for one in get_args(kind) if one is not NoneType]
    key, rest = (keys[0], keys[1:]) if keys else ("", ())
    if origin is UnionType:
        return _misnamed(inner[0], keys)
    if is_typeddict(kind):
        fields = _fields(kind)
        if key in fields:
            return _misnamed(fields[key], rest)
        return Misnamed(key, f"one of {', '.join(fields)}", nearest(key, fields))
    if origin is list:
        return _misnamed(inner[0], rest) if re.fullmatch(r"-?\d+", key) else Misnamed(key, "a place such as 0 or -1")
    if origin is dict:
        return _misnamed(inner[1], rest) if key else Misnamed(key, "the name of an entry")
    if key:
        return Misnamed(key, "nothing")
    return None if kind in (int, float, bool) else Misnamed(key, "a number")


@cache
def _fields(kind: Any) -> Mapping[str, Any]:
    """The type of each key of a TypedDict, which takes long to find."""
    return get_type_hints(kind)


def keys_by_arm(ledger: Ledger, arms: Collection[str], dataset: str = "") -> dict[str, list[tuple[str, ...]]]:
    """For each of `arms` that evidence names: which of its numbers. `dataset`: as of `Operand`."""
    keys: dict[str, list[tuple[str, ...]]] = {}
    paths = [evidence.path for question in ledger.questions.values() for evidence in question.evidence.values()]
    for operand in (operand for path in paths for operand in parse_path(path)[1]):
        if operand.holder == "arm" and operand.dataset == dataset:
            for name in filter(operand.matches, arms):
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
    tables = find_tables(operand, results)
    numbers = {name: _number(table, operand.keys) for name, table in tables.items()}
    measured = [(name, number) for name, number in numbers.items() if number is not None]
    if not measured or len(measured) < len(tables):
        return None
    return (min if operand.kind == "smallest" else max)(measured, key=lambda pair: pair[1])


def find_tables(operand: Operand, results: Summary) -> dict[str, Mapping[str, Any]]:
    """The arms, or the contrast, of the results that an operand names; none where its data set is not measured."""
    summary = on_dataset(results, operand.dataset)
    if summary is None:
        return {}
    if operand.holder == "contrast":
        rows = cast(Sequence[Mapping[str, Any]], summary["contrasts"])
        return {row["name"]: row for row in rows if row["name"] == operand.name}
    arms = cast(Mapping[str, Mapping[str, Any]], summary["arms"])
    names = filter(operand.matches, arms) if operand.is_extreme else {operand.name} & arms.keys()
    return {name: arms[name] for name in names}


def on_dataset(results: Summary, dataset: str) -> Summary | None:
    """The results themselves, or those on another data set where one is named; None where these are not measured."""
    if not dataset:
        return results
    replications = cast(Mapping[str, Summary], results.get("replications") or {})  # an older record has no such key
    return replications.get(dataset)


def _number(table: Any, keys: Sequence[str]) -> float | None:
    for key in keys:
        try:
            table = table[int(key) if isinstance(table, list | tuple) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return float(table) if isinstance(table, int | float) and math.isfinite(table) else None
