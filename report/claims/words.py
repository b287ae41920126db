"""A question's rule in words, with its labels and thresholds in place of names. Pure."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from experiments.plots.formats import in_unit
from report.claims.model import GENERAL, STATED, Ledger, Question
from report.claims.rules import names_in, parse

ASKED = {STATED: "as the article has it", "reason": "the reason", GENERAL: "in general"}  # by `Question.asks`
_COMPARED: Mapping[type, str] = {
    ast.Lt: "is below",
    ast.LtE: "is at most",
    ast.Gt: "is above",
    ast.GtE: "is at least",
    ast.Eq: "is",
}
_COMBINED: Mapping[type, str] = {ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "divided by"}
_CALLED = {"abs": "the size of {}", "min": "the smallest of {}", "max": "the largest of {}"}
_TIGHT = (ast.Name, ast.Constant, ast.Call)  # needs no brackets


def rule(question: Question, thresholds: Mapping[str, float]) -> str:
    """Supported if cross-entropy’s lead is above 0.25 points, else partly if … . "" where there is no rule."""
    if not question.supported:
        return ""
    reader = _Reader(question, thresholds)
    partly = f"; else partly, if {reader.words(parse(question.partly))}" if question.partly else ""
    return f"Supported if {reader.words(parse(question.supported))}{partly}."


def threshold(value: float, unit: str) -> str:
    """A threshold in a unit of evidence, without a sign: 0.0025 points → 0.25 points"""
    return in_unit(value, unit).lstrip("+")


def units_of_thresholds(ledger: Ledger) -> dict[str, str]:
    """The unit in which each threshold is compared; "number" where rules disagree."""
    found: dict[str, set[str]] = {name: set() for name in ledger.thresholds}
    for question in (question for claim in ledger.claims for question in claim.parts.values()):
        for text in filter(None, (question.supported, question.partly)):
            for node in (node for node in ast.walk(parse(text)) if isinstance(node, ast.Compare)):
                for name in names_in(node) & found.keys():
                    found[name].add(_unit(node, question))
    return {name: units.pop() if len(units) == 1 else "number" for name, units in found.items()}


def _unit(node: ast.AST, question: Question) -> str:
    """The one unit of the evidence in an expression, else "number"."""
    units = {question.evidence[name].unit for name in names_in(node) & question.evidence.keys()}
    return units.pop() if len(units) == 1 else "number"


@dataclass(frozen=True)
class _Reader:
    """Reads a rule's expressions aloud."""

    question: Question
    thresholds: Mapping[str, float]

    def words(self, node: ast.AST, unit: str = "number") -> str:
        """`unit`: of what the expression is compared with."""
        match node:
            case ast.BoolOp(op=op, values=parts):
                joint = " and " if isinstance(op, ast.And) else " or "
                return joint.join(self._inside(part, unit, (ast.Compare,)) for part in parts)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._compared(left, op, right, _unit(node, self.question))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"not {self._inside(operand, unit)}"
            case ast.UnaryOp(operand=operand):
                return f"minus {self._inside(operand, unit)}"
            case ast.BinOp(left=left, op=op, right=right):
                return f"{self._inside(left, unit)} {_COMBINED[type(op)]} {self._inside(right, unit)}"
            case ast.Call(func=ast.Name(id=name), args=arguments):
                listed = " and ".join(self._inside(argument, unit) for argument in arguments)
                return _CALLED[name].format(listed)
            case ast.Name(id=name) if name in self.question.evidence:
                return self.question.evidence[name].label
            case ast.Name(id=name):
                return threshold(self.thresholds[name], unit)
        return ast.unparse(node)

    def _compared(self, left: ast.AST, op: ast.AST, right: ast.AST, unit: str) -> str:
        """Yes and no are compared with nothing but 0: above it is yes."""
        if unit == "yes" and isinstance(left, ast.Name) and isinstance(right, ast.Constant):
            return f"{self.words(left)} is {'no' if isinstance(op, ast.Eq | ast.LtE | ast.Lt) else 'yes'}"
        return f"{self.words(left, unit)} {_COMPARED[type(op)]} {self.words(right, unit)}"

    def _inside(self, node: ast.AST, unit: str, plain: tuple[type, ...] = ()) -> str:
        inner = self.words(node, unit)
        return inner if isinstance(node, (*_TIGHT, *plain)) else f"({inner})"
