"""claims.toml → Ledger, validated: a wrong key, value or rule is one `UserError` that names the file and the line."""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

from experiments.data.datasets import MNIST
from experiments.files.errors import UserError, display_path
from experiments.files.toml import TEXTS, Expected, TomlReader, TomlTable, one_of
from experiments.study.model import Arm, Study
from report.claims.margins import check_rule
from report.claims.model import (
    GENERAL,
    HOLDS,
    NOT,
    NOT_TESTABLE,
    PARTLY,
    PARTS,
    PREDICTION,
    REFUTED,
    STATED,
    SUPPORTED,
    UNITS,
    Claim,
    Evidence,
    Ledger,
    Prediction,
    Question,
    Threshold,
)
from report.claims.rules import FUNCTIONS, Operand, find_misnamed, names_in, parse, parse_path

MAX_RULE = 1000  # characters; beyond, nobody could read it

_VERSION = Expected(
    int,
    "2, with two tables in each claim: [claims.stated] and [claims.general]",
    lambda version: version == 2,
)
_DECLARED = Expected(date, "the day on which the rules were fixed, such as 2026-11-23")
_ID = Expected(str, "letters, digits, dots and hyphens, 64 at most", lambda value: re.fullmatch(r"[\w.-]{1,64}", value))
_SENTENCE = Expected(str, "a sentence", str.strip)
_TEXT = Expected(str, "a text")
_FLAG = Expected(bool, "true or false")
_REASON = Expected(str, "at most eight words: it stands in the margin", lambda reason: 0 < len(reason.split()) <= 8)
_QUOTE = Expected(
    (str, list), "words of the article, or a list of such", lambda value: value and TEXTS.is_valid(_listed(value))
)
_ABOVE_0 = Expected(float, "a number above 0", lambda value: value > 0)
_EVIDENCE, _THRESHOLD = '{ path = "…", label = "…", unit = "…" }', '{ value = 0.0025, reason = "…" }'
_TEXTS_OF_A_CLAIM = ("seen", "topic", "note")
_RULES = ("supported", "partly")
_KEYS = ("question", "reading", "evidence", *_RULES, "none", "not_testable", "because", "theorem", "after_runs")
_EXCLUDED = {  # by a key that says why there is no rule: what can't be beside it
    "none": ("not_testable", "question", "reading", "evidence", *_RULES, "because", "theorem", "after_runs"),
    "not_testable": ("evidence", *_RULES, "theorem"),
}
_ABSENT = {  # what to write where a whole part is missing
    part: f'a table [claims.{part}] with a question and its rule, or with none = "why there is no such question"'
    for part in PARTS
}


def load(path: Path) -> Ledger:
    """Reads and validates the ledger. Raises `UserError` with the line of what is not as expected."""
    root = TomlReader(path, "Expected the article's claims, as TOML with [[claims]].").root
    root.reject_unknown(("version", "declared", "thresholds", "claims", "predictions", "unchecked"))
    root.get_valid("version", _VERSION)
    declared = root.get_valid("declared", _DECLARED)
    if not root.values.get("claims"):
        raise root.error("claims", None, "the article's claims, each headed [[claims]]")
    thresholds = _thresholds(root)
    claims: dict[str, Claim] = {}
    for table in root.list_of_tables("claims"):
        id_ = table.get_valid("id", _ID)
        claim = _claim(id_, replace(table, label=f"claim '{id_}'"), thresholds)
        if id_ in claims:
            raise table.error("id", id_, "an id that no other claim has")
        claims[id_] = claim
    ledger = Ledger(
        tuple(claims.values()), thresholds, _unchecked(root), declared.isoformat(), _predictions(root, thresholds)
    )
    _reject_unused(root, ledger)
    return ledger


def _unchecked(root: TomlTable) -> dict[str, tuple[str, ...]]:
    """Why sentences of the article have no claim → their first words."""
    reasons = root.table("unchecked", required=False)
    words = TEXTS._replace(words="a list of sentences' first words")
    return {reason: tuple(reasons.get_valid(reason, words)) for reason in reasons.values}


# ---------------------------------------------------------------------------------------------- thresholds


def _thresholds(root: TomlTable) -> dict[str, Threshold]:
    tables = root.table("thresholds", required=False)
    thresholds: dict[str, Threshold] = {}
    for name, value in tables.values.items():
        table = _named_table(tables, name, value, _THRESHOLD)
        table.reject_unknown(("value", "reason"))
        thresholds[name] = Threshold(
            table.get_valid("value", _ABOVE_0), table.get_valid("reason", _SENTENCE), table.line()
        )
    return thresholds


def _named_table(tables: TomlTable, name: str, value: object, form: str) -> TomlTable:
    """The table under a name that rules can use."""
    if not isinstance(value, dict) or not value:
        raise tables.error(name, value, form)
    if not name.isascii() or not name.isidentifier() or keyword.iskeyword(name) or name in FUNCTIONS:
        raise tables.error(name, value, "it under a name of letters, digits and _, which rules can use")
    return tables.table(name)


def _reject_unused(root: TomlTable, ledger: Ledger) -> None:
    """Raises `UserError` for a threshold that no rule uses."""
    rules = filter(None, (rule for q in ledger.questions.values() for rule in (q.supported, q.partly)))
    used = {name for rule in rules for name in names_in(parse(rule))}
    tables = root.table("thresholds", required=False)
    for name, value in tables.values.items():
        if name not in used:
            raise tables.error(name, value, "a threshold that a rule uses")


# ---------------------------------------------------------------------------------------------- claims


def _claim(id_: str, table: TomlTable, thresholds: Mapping[str, Threshold]) -> Claim:
    table.reject_unknown(("id", "quote", "figures", *_TEXTS_OF_A_CLAIM, *PARTS))
    parts = {part: _question(part, table, thresholds) for part in PARTS}
    if all(question.none for question in parts.values()):
        raise table.error(STATED, "none", "a question in at least one of the two tables")
    return Claim(
        id=id_,
        quote=tuple(_listed(table.get_valid("quote", _QUOTE))),
        parts=parts,
        figures=tuple(table.get_valid("figures", TEXTS, default=())),
        line=table.line(),
        **{key: table.get_valid(key, _TEXT, default="") for key in _TEXTS_OF_A_CLAIM},
    )


def _listed(quote: str | list[str]) -> list[str]:
    return [quote] if isinstance(quote, str) else quote


def _question(part: str, claim: TomlTable, thresholds: Mapping[str, Threshold]) -> Question:
    """One of a claim's two questions, or why there is none."""
    if not claim.values.get(part):
        raise claim.error(part, None, _ABSENT[part])
    table = claim.table(part)
    table.reject_unknown((*_KEYS, "asks") if part == GENERAL else _KEYS)
    asks = table.get_valid("asks", one_of(("reason", "general")), default=GENERAL) if part == GENERAL else STATED
    for reason, excluded in _EXCLUDED.items():
        if reason in table.values:
            _reject_beside(table, reason, excluded)
            texts: dict[str, Any] = {
                key: table.get_valid(key, _SENTENCE, default="") for key in ("question", "reading")
            }
            why = {reason: table.get_valid(reason, _SENTENCE)}
            after_runs = table.get_valid("after_runs", _FLAG, default=False)
            texts["because"] = _because(table)
            return Question(part, asks, **texts, **why, after_runs=after_runs, line=table.line())
    return _question_with_rule(part, asks, table, thresholds)


def _reject_beside(table: TomlTable, reason: str, excluded: Collection[str]) -> None:
    for key in excluded:
        if key in table.values:
            raise table.error(key, table.values[key], f"no {key} beside {reason}")


def _question_with_rule(part: str, asks: str, table: TomlTable, thresholds: Mapping[str, Threshold]) -> Question:
    """A question that evidence decides; a theorem may go without."""
    theorem = table.get_valid("theorem", _FLAG, default=False)
    needs_rule = not theorem or any(key in table.values for key in ("evidence", *_RULES))
    evidence = _evidence(table.table("evidence", required=needs_rule), thresholds)
    return Question(
        part=part,
        asks=asks,
        question=table.get_valid("question", _SENTENCE),
        reading=table.get_valid("reading", _SENTENCE),
        evidence=evidence,
        supported=_rule(table, "supported", evidence, thresholds, needs_rule),
        partly=_rule(table, "partly", evidence, thresholds, required=False),
        because=_because(table),
        theorem=theorem,
        after_runs=table.get_valid("after_runs", _FLAG, default=False),
        line=table.line(),
    )


_VERDICTS = (SUPPORTED, PARTLY, NOT, NOT_TESTABLE)


def _because(question: TomlTable, verdicts: Collection[str] = _VERDICTS) -> dict[str, str]:
    """By verdict, what follows from it, for those of which the question says it."""
    table = question.table("because", required=False)
    table.reject_unknown(verdicts)
    return {verdict: table.get_valid(verdict, _REASON) for verdict in table.values}


def _evidence(tables: TomlTable, thresholds: Collection[str]) -> dict[str, Evidence]:
    """The evidence of a question, by the names that its rules use."""
    evidence: dict[str, Evidence] = {}
    for name, value in tables.values.items():
        table = _named_table(tables, name, value, _EVIDENCE)
        if name in thresholds:
            raise tables.error(name, value, f"it under a name that no threshold has, as '{name}' does")
        table.reject_unknown(("path", "label", "unit"))
        path = table.get_valid("path", Expected(str, "where it is in the results", bool))
        label = table.get_valid("label", Expected(str, "words for it", bool))
        unit = table.get_valid("unit", one_of(UNITS))
        try:
            parse_path(path)
        except ValueError as error:
            raise table.error("path", path, str(error)) from error
        evidence[name] = Evidence(path, label, unit, table.line())
    return evidence


def _rule(
    table: TomlTable, key: str, evidence: Collection[str], thresholds: Mapping[str, Threshold], required: bool
) -> str:
    """The rule under `key`; "" where none is required and none is there."""
    if not required and table.values.get(key, "") == "":
        return ""
    expected = "a comparison of its evidence"
    rule: str = table.get_valid(key, Expected(str, expected, bool))
    if len(rule) > MAX_RULE:
        raise table.error(key, rule, f"at most {MAX_RULE} characters, not {len(rule)}")
    try:
        check_rule(rule, evidence, {name: threshold.value for name, threshold in thresholds.items()})
    except (ArithmeticError, TypeError, ValueError, SyntaxError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise table.error(key, rule, f"{expected} ({reason})") from error
    return rule


# ---------------------------------------------------------------------------------------------- predictions


def _predictions(root: TomlTable, thresholds: Mapping[str, Threshold]) -> tuple[Prediction, ...]:
    predictions: dict[str, Prediction] = {}
    for table in root.list_of_tables("predictions"):
        id_ = table.get_valid("id", _ID)
        if id_ in predictions:
            raise table.error("id", id_, "an id that no other prediction has")
        predictions[id_] = _prediction(id_, replace(table, label=f"prediction '{id_}'"), thresholds)
    return tuple(predictions.values())


def _prediction(id_: str, table: TomlTable, thresholds: Mapping[str, Threshold]) -> Prediction:
    table.reject_unknown(("id", "says", "refuted", "holds", "because", "evidence", "figures"))
    says, refuted = (table.get_valid(key, _SENTENCE) for key in ("says", "refuted"))
    evidence = _evidence(table.table("evidence"), thresholds)
    holds = _rule(table, "holds", evidence, thresholds, required=True)
    because = _because(table, (HOLDS, REFUTED))
    question = Question(
        PREDICTION, PREDICTION, says, evidence=evidence, supported=holds, because=because, line=table.line()
    )
    figures = tuple(table.get_valid("figures", TEXTS, default=()))
    return Prediction(id_, refuted, question, figures, table.line())


# ---------------------------------------------------------------------------------------------- against the study


def check(ledger: Ledger, study: Study, path: Path) -> None:
    """Raises `UserError` where evidence names what the study does not have, what no results have, or a single seed."""
    known = {"arm": [arm.name for arm in study.arms], "contrast": [contrast.name for contrast in study.contrasts]}
    for place, operand in _operands(ledger, path):
        for part in operand.parts:
            if not any(map(operand._replace(name=part).matches, known[operand.holder])):
                raise UserError(
                    f"{place} names the {operand.holder} '{part}', which {display_path(study.path)} does not have. "
                    "Fix the name, or declare it there."
                )
        if misnamed := find_misnamed(operand):
            key, expected, meant = misnamed
            question = f"Did you mean {meant[0]}? " if meant else ""
            where = f"in place of {key!r}" if key else "after it"
            raise UserError(
                f"{place} names '{' '.join(operand.keys)}' of the {operand.holder} '{operand.name}', which is no "
                f"number of the results. {question}Expected {expected} {where}. Fix the path."
            )
        if operand.holder == "arm" and operand.keys[0].startswith("test_"):
            _check_tested(operand, study, place)
        _check_runs(operand, study, place)


def _operands(ledger: Ledger, path: Path) -> Iterator[tuple[str, Operand]]:
    """Every operand of the questions' evidence, after the words that say in an error where it is."""
    for label, question in ledger.questions.items():
        for name, evidence in question.evidence.items():
            place = f"{display_path(path)}:{evidence.line or question.line}: {label}.evidence.{name}"
            for operand in parse_path(evidence.path)[1]:
                yield place, operand


def _check_tested(operand: Operand, study: Study, place: str) -> None:
    """Refuses the accuracy on test images of arms that are measured on held-out training images."""
    for arm in _arms(operand, study):
        if arm.holdout:
            measure = operand.keys[0]
            raise UserError(
                f"{place} names the {measure} of '{arm.name}', which is measured on held-out training images. "
                f"Use held_out_{measure.removeprefix('test_')}, or name other arms."
            )


def _check_runs(operand: Operand, study: Study, place: str) -> None:
    """Refuses what does not run on the data set that is named, and what a single seed would decide."""
    name, file = operand.dataset or MNIST.name, display_path(study.path)
    runs = study.datasets.get(name)
    for arm in _arms(operand, study):
        if not runs or not runs.has(arm):
            raise UserError(
                f"{place} names '{arm.name}' on {name}, where {file} does not run it. List it there, under "
                f"[datasets.{name}], or name other arms."
            )
        if len(study.seeds(arm, name)) == 1:
            raise UserError(
                f"{place} rests on '{arm.name}', whose block '{arm.block}' has one seed on {name} in {file}. "
                "One seed decides nothing: add seeds there, or name other arms."
            )


def _arms(operand: Operand, study: Study) -> list[Arm]:
    """The study's arms behind an operand: those that it names, or both of its contrast."""
    held = [contrast for contrast in study.contrasts if operand.holder == "contrast" and contrast.name == operand.name]
    if operand.holder == "contrast":
        return [study.arm(name) for contrast in held for name in (contrast.first, contrast.second)]
    return [arm for arm in study.arms if operand.matches(arm.name)]
