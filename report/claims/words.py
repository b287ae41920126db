"""A question's rule in words: evidence by the letter that its list gives it, thresholds as numbers. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

from experiments.plots.formats import NARROW, count, in_unit
from report.claims.model import GENERAL, PREDICTION, STATED, Ledger, Question
from report.claims.rules import names_in, parse

ASKED = {  # by `Question.asks`
    STATED: "as the article puts it",
    "reason": "the reason",
    GENERAL: "in general",
    PREDICTION: "our prediction",
}
_COMPARED: Mapping[type, str] = {
    ast.Lt: "below ",
    ast.LtE: "at most ",
    ast.Gt: "above ",
    ast.GtE: "at least ",
    ast.Eq: "",
}
_JOINT: Mapping[type, str] = {ast.And: "and", ast.Or: "or"}
_COMBINED: Mapping[type, str] = {ast.Add: "plus", ast.Sub: "minus", ast.Mult: "times", ast.Div: "divided by"}
_CALLED = {"abs": "the size of {}", "min": "the smallest of {}", "max": "the largest of {}"}
_MULTIPLIED = "multiplied"  # in place of a unit: by another number
_RISING, _FALLING = (ast.Gt, ast.GtE), (ast.Lt, ast.LtE)


def rule(question: Question, thresholds: Mapping[str, float], units: Mapping[str, str] | None = None) -> str:
    """Supported if both numbers are above 0.25 points; partly if one of them is. "" where there is no rule.

    `units`: of the thresholds, see `units_of_thresholds`; they tell what is in points where thresholds are multiplied.
    """
    if not question.supported:
        return ""
    reader = _Reader(question, thresholds, letters(question), units or {})
    start = "Holds" if question.part == PREDICTION else "Supported"
    supported = reader.words(parse(question.supported))
    partly = f"; partly if {_shortened(reader.words(parse(question.partly)), supported)}" if question.partly else ""
    return f"{start} if {supported}{partly}."


def _shortened(partly: str, supported: str) -> str:
    """What holds of one number, after the same was said of all."""
    every, one = (re.fullmatch(r".* numbers? (?:are|is) (.*)", words) for words in (supported, partly))
    return "one of them is" if every and one and every[1] == one[1] else partly


def letters(question: Question) -> dict[str, str]:
    """What a rule in words calls each evidence: (a), (b) … in its order; "it" where there is one alone."""
    names = list(question.evidence)
    if len(names) == 1:
        return {names[0]: "it"}
    return {name: f"({ascii_lowercase[n % 26] * (n // 26 + 1)})" for n, name in enumerate(names)}


def threshold(value: float, unit: str) -> str:
    """A threshold in a unit of evidence, without a sign: 0.0025 points → 0.25 points"""
    if unit == "points":
        return in_unit(value, "percent").replace(f"{NARROW}%", " point" if value == 0.01 else " points")
    return in_unit(value, "number" if unit in ("p", "yes") else unit)


def units_of_thresholds(ledger: Ledger) -> dict[str, str]:
    """The unit in which each threshold is compared; "number" where rules disagree, or only multiply by it."""
    found: dict[str, set[str]] = {name: set() for name in ledger.thresholds}
    for question in ledger.questions.values():
        for text in filter(None, (question.supported, question.partly)):
            for name, unit in _uses(parse(text), question):
                if name in found and unit != _MULTIPLIED:
                    found[name].add(unit)
    return {name: units.pop() if len(units) == 1 else "number" for name, units in found.items()}


def _uses(node: ast.AST, question: Question, unit: str = "number") -> Iterator[tuple[str, str]]:
    """Every name in an expression, with the unit of what it is compared with."""
    match node:
        case ast.Name(id=name):
            yield name, unit
            return
        case ast.Compare():
            unit = _unit(node, question)
        case ast.BinOp(op=ast.Mult() | ast.Div()):
            unit = _MULTIPLIED
    for child in ast.iter_child_nodes(node):
        yield from _uses(child, question, unit)


def _unit(node: ast.AST, question: Question) -> str:
    """The one unit of the evidence in an expression, else "number"."""
    units = {question.evidence[name].unit for name in names_in(node) & question.evidence.keys()}
    return units.pop() if len(units) == 1 else "number"


@dataclass(frozen=True)
class _Reader:
    """Reads a rule's expressions aloud."""

    question: Question
    thresholds: Mapping[str, float]
    letters: Mapping[str, str]
    units: Mapping[str, str]

    def words(self, node: ast.expr, unit: str = "number") -> str:
        """`unit`: of what the expression is compared with."""
        match _spread(node):
            case ast.BoolOp(op=op, values=parts):
                return self._joined(op, parts)
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"{self.words(left, _unit(node, self.question))} is {self._limit(op, right, node)}"
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return f"not {self._inside(operand, unit)}"
            case ast.UnaryOp(operand=operand):
                return f"minus {self._inside(operand, unit)}"
            case ast.BinOp(left=left, op=op, right=right):
                unit = _MULTIPLIED if isinstance(op, ast.Mult | ast.Div) else unit
                if isinstance(op, ast.Mult) and names_in(left) & self.letters.keys():
                    left, right = right, left  # half of it, rather than it times half
                return f"{self._inside(left, unit)} {_COMBINED[type(op)]} {self._inside(right, unit)}"
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _CALLED[name].format(_listed([self._inside(part, unit) for part in arguments], "and"))
            case ast.Name(id=name) if name in self.letters:
                return self.letters[name]
            case ast.Name(id=name):
                if unit == _MULTIPLIED:
                    unit = "points" if self.units.get(name) == "points" else "number"
                return threshold(self.thresholds[name], unit)
        return ast.unparse(node)

    def _limit(self, op: ast.cmpop, right: ast.expr, compared: ast.expr) -> str:
        """What something is compared with: "above 0.25 points". Above 0 is yes, all else with 0 is no."""
        unit = _unit(compared, self.question)
        if unit == "yes" and isinstance(right, ast.Constant):
            return "no" if isinstance(op, (ast.Eq, *_FALLING)) else "yes"
        return f"{_COMPARED[type(op)]}{self.words(right, unit)}"

    def _joined(self, op: ast.boolop, parts: Sequence[ast.expr]) -> str:
        """Comparisons of several numbers with the same limit are said once."""
        groups: dict[str, list[ast.expr]] = {}
        flat = list(_flat(op, parts))
        for part in flat:
            match part:
                case ast.Compare(left=left, ops=[compared], comparators=[right]):
                    groups.setdefault(self._limit(compared, right, part), []).append(left)
                case _:
                    groups[f"({self.words(part)})"] = []
        clauses = [self._clause(op, limit, lefts) if lefts else limit for limit, lefts in groups.items()]
        comma = "," if len(clauses) < len(flat) else ""
        return f"{comma} {_JOINT[type(op)]} ".join(clauses)

    def _clause(self, op: ast.boolop, limit: str, lefts: Sequence[ast.expr]) -> str:
        every, joint = isinstance(op, ast.And), _JOINT[type(op)]
        named = [left.id for left in lefts if isinstance(left, ast.Name)]
        if 1 < len(lefts) == len(set(named)) == len(self.question.evidence):
            if every:
                return f"{'both' if len(named) == 2 else f'all {count(len(named))}'} numbers are {limit}"
            return f"one of the {count(len(named))} numbers is {limit}"
        words = _listed([self._inside(left, "number") for left in lefts], joint)
        if every and len(lefts) > 1:
            return f"{words} are {'both' if len(lefts) == 2 else 'all'} {limit}"
        return f"{words} is {limit}"

    def _inside(self, node: ast.expr, unit: str) -> str:
        inner = self.words(node, unit)
        return inner if isinstance(node, ast.Name | ast.Constant | ast.Call) else f"({inner})"


def _listed(words: Sequence[str], joint: str) -> str:
    """a, b and c"""
    *first, last = words
    return f"{', '.join(first)} {joint} {last}" if first else last


def _flat(op: ast.boolop, parts: Iterable[ast.expr]) -> Iterator[ast.expr]:
    """The parts of `and` in `and`, or of `or` in `or`."""
    for part in map(_spread, parts):
        if isinstance(part, ast.BoolOp) and type(part.op) is type(op):
            yield from _flat(op, part.values)
        else:
            yield part


def _spread(node: ast.expr) -> ast.expr:
    """min(a, b) > c → a > c and b > c, and its like."""
    match node:
        case ast.Compare(
            left=ast.Call(func=ast.Name(id="min" | "max" as name), args=parts), ops=[op], comparators=limit
        ):
            if isinstance(op, (*_RISING, *_FALLING)):
                every = (name == "min") == isinstance(op, _RISING)
                compared: list[ast.expr] = [ast.Compare(part, [op], limit) for part in parts]
                return ast.BoolOp(ast.And() if every else ast.Or(), compared)
    return node
