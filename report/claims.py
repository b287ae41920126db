"""claims.toml + results → verdicts. Pure: numbers in, verdicts out.

A rule is a comparison over named evidence, read from the top: supported, else partly supported, else not supported.
Evidence that was not measured leaves a claim "not measured", never decided.
"""

from __future__ import annotations

import ast
import math
import operator
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from experiments.errors import UserError, shown

LEDGER = Path(__file__).with_name("claims.toml")
SUPPORTED, PARTLY, NOT = "supported", "partly supported", "not supported"
NOT_TESTABLE, NOT_MEASURED = "not testable here", "not measured"


@dataclass(frozen=True)
class Claim:
    """One claim of the article.

    `quote`: its words, in one or several fragments; `evidence`: expressions by name; `because`: why this rule;
    `seen`: what was known when the rule was fixed; `not_testable`: why there is no rule.
    """

    id: str
    quote: tuple[str, ...]
    question: str
    evidence: Mapping[str, str]
    supported: str
    partly: str
    not_testable: str
    because: str = ""
    seen: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the numbers say to a claim; `values` are its evidence, None where it is not measured."""

    claim: Claim
    verdict: str
    values: Mapping[str, float | None]


def load(path: Path = LEDGER) -> tuple[Claim, ...]:
    """Reads the ledger. Raises `UserError` with the line of a claim that is not as expected."""
    try:
        text = path.read_text(encoding="utf-8")
        tables = tomllib.loads(text)["claims"]
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read: {error.strerror}. Expected the article's claims.") from error
    except (ValueError, KeyError) as error:
        raise UserError(f"{shown(path)}: not a ledger of claims: {error}. Expected TOML with [[claims]].") from error
    lines = [number for number, line in enumerate(text.split("\n"), 1) if line.strip() == "[[claims]]"]
    claims = []
    for line, table in zip(lines, tables, strict=False):
        try:
            claims.append(_claim(table))
        except (KeyError, TypeError, ValueError, SyntaxError, RecursionError) as error:
            raise UserError(f"{shown(path)}:{line}: claim '{table.get('id')}': {error}. Mend this claim.") from error
    return tuple(claims)


def _claim(table: Mapping[str, Any]) -> Claim:
    quote = (table["quote"],) if isinstance(table["quote"], str) else tuple(table["quote"])
    rule = ("", "", {}) if "not_testable" in table else (table["supported"], table.get("partly", ""), table["evidence"])
    told = [table.get(key, "") for key in ("not_testable", "because", "seen")]
    claim = Claim(table["id"], quote, table["question"], rule[2], rule[0], rule[1], *told)
    for text in (claim.supported, claim.partly):
        if text:
            evaluate(text, dict.fromkeys(claim.evidence, 1.0))
    return claim


def judge(claims: tuple[Claim, ...], results: Mapping[str, Any]) -> list[Verdict]:
    """The verdict on every claim, from what results.json holds."""
    return [_judged(claim, results) for claim in claims]


def _judged(claim: Claim, results: Mapping[str, Any]) -> Verdict:
    values = {name: evidence(text, results) for name, text in claim.evidence.items()}
    known = {name: value for name, value in values.items() if value is not None}
    if claim.not_testable:
        return Verdict(claim, NOT_TESTABLE, values)
    try:
        if evaluate(claim.supported, known):
            return Verdict(claim, SUPPORTED, values)
        return Verdict(claim, PARTLY if claim.partly and evaluate(claim.partly, known) else NOT, values)
    except KeyError:
        return Verdict(claim, NOT_MEASURED, values)


# ---------------------------------------------------------------------------------------------- evidence


def evidence(text: str, results: Mapping[str, Any]) -> float | None:
    """A number of the results, or the difference or ratio of two: `arm NAME KEY … - contrast NAME KEY …`.

    None where one of them is not measured, not finite, or divided by 0.
    """
    first, *rest = re.split(r" ([-/]) ", text)
    value = _operand(first, results)
    if not rest:
        return value
    other = _operand(rest[1], results)
    if value is None or other is None or (rest[0] == "/" and other == 0):
        return None
    return value - other if rest[0] == "-" else value / other


def _operand(text: str, results: Mapping[str, Any]) -> float | None:
    """`arm NAME KEY …`, `contrast NAME KEY …`, or the `largest` or `smallest` over arms: `largest A|B-* KEY …`."""
    kind, name, *keys = text.split()
    if kind in ("arm", "contrast"):
        tables = results["arms"] if kind == "arm" else {row["name"]: row for row in results["contrasts"]}
        return _number(tables.get(name), keys)
    arms = [arm for key, arm in results["arms"].items() if any(fnmatch(key, part) for part in name.split("|"))]
    found = [_number(arm, keys) for arm in arms]
    measured = [value for value in found if value is not None]
    if not measured or len(measured) < len(found):
        return None
    return {"largest": max, "smallest": min}[kind](measured)


def _number(table: Any, keys: list[str]) -> float | None:
    for key in keys:
        try:
            table = table[int(key) if isinstance(table, list | tuple) else key]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return float(table) if isinstance(table, int | float) and math.isfinite(table) else None


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


def evaluate(rule: str, values: Mapping[str, float]) -> Any:
    """What the `rule` says of the named `values`: numbers, + - * /, comparisons, and, or, not, abs, min, max.

    Raises `KeyError` for a name that has no value, `ValueError` for anything else than these.
    """
    return _value(ast.parse(rule, mode="eval").body, values)


def _value(node: ast.AST, values: Mapping[str, float]) -> Any:
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
