"""How robust each verdict is: the project's own rules, applied to redrawn data, other thresholds and other endpoints.

Of the redraws, `report.claims.redraw` says what they imagine; the share of them in which a verdict stays is the chance
that a repetition of the whole study gives it again. A single run shows no scatter, so a verdict that one decides has no
share, nor has one that follows by arithmetic.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from statistics import mode

import numpy as np

from experiments.analysis.results import Observation, Observations, Results, Summary
from report.claims.model import DECIDED, NOT, PARTLY, SUPPORTED, Judged, Ledger, Question, Robustness, Verdict
from report.claims.redraw import AsMeasured, Repetition, Seeds, Shifts, image_shifts
from report.claims.redrawn import Redrawn, Value, final_accuracy
from report.claims.rules import DATASETS, number_at, on_dataset, parse, parse_path, verdict_of
from report.claims.verdicts import judge

CLOSE = 0.9  # a verdict that stays in a smaller share of the redraws is a close call
FACTORS = {"half": 0.5, "twice": 2.0}
SHORTEST = 4  # epochs of a run that has other endpoints; fewer are no end of a training

Numbers = Mapping[str, np.ndarray]  # by name of evidence: in every redraw


# ---------------------------------------------------------------------------------------------- rules, in every redraw


def verdicts_in(question: Question, numbers: Numbers, limits: Mapping[str, float]) -> np.ndarray:
    """The verdict on a question in every redraw, [n_redraws]: `rules.verdict_of` of many values at once."""
    values = {**{name: np.asarray(limit) for name, limit in limits.items()}, **numbers}
    supported = _holds(question.supported, values)
    partly = _holds(question.partly, values) if question.partly else np.zeros_like(supported)
    return np.where(supported, SUPPORTED, np.where(partly, PARTLY, NOT))


def _holds(rule: str, values: Numbers) -> np.ndarray:
    return np.asarray(_value(parse(rule), values), bool)


_OPERATORS: Mapping[type, Callable[..., np.ndarray]] = {
    **{ast.And: np.logical_and, ast.Or: np.logical_or, ast.Not: np.logical_not, ast.USub: np.negative},
    **{ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Eq: np.equal},
    **{ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal},
}
_FUNCTIONS: Mapping[str, Callable[..., np.ndarray]] = {"abs": np.abs, "min": np.minimum, "max": np.maximum}


def _value(node: ast.AST, values: Numbers) -> np.ndarray:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.asarray(number)
        case ast.Name(id=name):
            return values[name]
        case ast.BoolOp(op=op, values=parts):
            return reduce(_OPERATORS[type(op)], (_value(part, values) for part in parts))
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_value(operand, values))
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            with np.errstate(divide="ignore", invalid="ignore"):
                return _OPERATORS[type(op)](_value(left, values), _value(right, values))
        case ast.Call(func=ast.Name(id="abs"), args=[argument]):
            return np.abs(_value(argument, values))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return reduce(_FUNCTIONS[name], (_value(argument, values) for argument in arguments))
    raise ValueError(f"a rule may not say '{ast.unparse(node)}'")
