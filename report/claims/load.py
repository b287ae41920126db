"""claims.toml → Claims, validated: a wrong key, value or rule is one `UserError` that names the file and the line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from experiments.files.errors import UserError, display_path
from experiments.files.toml import TEXTS, Expected, TomlReader, TomlTable, one_of
from experiments.study.model import Study
from report.claims.margins import check_rule
from report.claims.model import UNITS, Claim, Evidence
from report.claims.rules import Operand, parse_path

MAX_RULE = 1000  # characters; beyond, nobody could read it

_ID = Expected(str, "letters, digits, dots and hyphens, 64 at most", lambda value: re.fullmatch(r"[\w.-]{1,64}", value))
_SENTENCE = Expected(str, "a sentence", bool)
_TEXT = Expected(str, "a text")
_QUOTE = Expected(
    (str, list), "words of the article, or a list of such", lambda value: value and TEXTS.is_valid(_listed(value))
)
_EVIDENCE = '{ path = "…", label = "…", unit = "…" }'
_TEXTS_OF_A_CLAIM = ("because", "seen", "topic", "note")
_KEYS = ("id", "quote", "question", "evidence", "supported", "partly", "not_testable", "figures", "after_runs")


def load(path: Path) -> tuple[Claim, ...]:
    """Reads and validates the ledger. Raises `UserError` with the line of what is not as expected."""
    claims: dict[str, Claim] = {}
    for table in _ledger(path).list_of_tables("claims"):
        id_ = table.get_valid("id", _ID)
        claim = _claim(id_, replace(table, label=f"claim '{id_}'"))
        if id_ in claims:
            raise table.error("id", id_, "an id that no other claim has")
        claims[id_] = claim
    return tuple(claims.values())


def unchecked(path: Path) -> dict[str, tuple[str, ...]]:
    """Why sentences of the article have no claim → their first words. Raises `UserError` where they are no lists."""
    reasons = _ledger(path).table("unchecked", required=False)
    words = TEXTS._replace(words="a list of sentences' first words")
    return {reason: tuple(reasons.get_valid(reason, words)) for reason in reasons.values}


def _ledger(path: Path) -> TomlTable:
    """The ledger's top table. Raises `UserError` if it is no ledger."""
    ledger = TomlReader(path, "Expected the article's claims, as TOML with [[claims]].").root
    ledger.reject_unknown(("version", "declared", "claims", "unchecked"))
    if not ledger.values.get("claims"):
        raise ledger.error("claims", None, "the article's claims, each headed [[claims]]")
    return ledger


def _claim(id_: str, table: TomlTable) -> Claim:
    table.reject_unknown((*_KEYS, *_TEXTS_OF_A_CLAIM))
    not_testable = table.get_valid("not_testable", _TEXT, default="")
    evidence = _evidence(table.table("evidence", required=not not_testable))
    return Claim(
        id=id_,
        quote=tuple(_listed(table.get_valid("quote", _QUOTE))),
        question=table.get_valid("question", _SENTENCE),
        evidence=evidence,
        supported=_rule(table, "supported", evidence, required=not not_testable),
        partly=_rule(table, "partly", evidence, required=False),
        not_testable=not_testable,
        figures=tuple(table.get_valid("figures", TEXTS, default=())),
        after_runs=table.get_valid("after_runs", Expected(bool, "true or false"), default=False),
        line=table.line(),
        **{key: table.get_valid(key, _TEXT, default="") for key in _TEXTS_OF_A_CLAIM},
    )


def _listed(quote: str | list[str]) -> list[str]:
    return [quote] if isinstance(quote, str) else quote


def _evidence(tables: TomlTable) -> dict[str, Evidence]:
    """The evidence of a claim, by the names that its rules use."""
    evidence: dict[str, Evidence] = {}
    for name, value in tables.values.items():
        if not isinstance(value, dict) or not value:
            raise tables.error(name, value, _EVIDENCE)
        table = tables.table(name)
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


def _rule(table: TomlTable, key: str, evidence: Mapping[str, Evidence], required: bool) -> str:
    """The rule under `key`; "" where none is required and none is there."""
    if not required and table.values.get(key, "") == "":
        return ""
    expected = "a comparison of its evidence"
    rule: str = table.get_valid(key, Expected(str, expected, bool))
    if len(rule) > MAX_RULE:
        raise table.error(key, rule, f"at most {MAX_RULE} characters, not {len(rule)}")
    try:
        check_rule(rule, evidence)
    except (ArithmeticError, TypeError, ValueError, SyntaxError, RecursionError) as error:
        reason = error.msg if isinstance(error, SyntaxError) else error
        raise table.error(key, rule, f"{expected} ({reason})") from error
    return rule


def check(claims: Sequence[Claim], study: Study, path: Path) -> None:
    """Raises `UserError` where evidence names an arm or a contrast that the study does not have."""
    names = {"arm": [arm.name for arm in study.arms], "contrast": [contrast.name for contrast in study.contrasts]}
    for place, operand in _operands(claims, path):
        for part in operand.parts:
            if not any(operand.matches(name, part) for name in names[operand.holder]):
                raise UserError(
                    f"{place} names the {operand.holder} '{part}', which {display_path(study.path)} does not have. "
                    "Fix the name, or declare it there."
                )
        if operand.holder == "arm" and operand.keys[0].startswith("test_"):
            _check_tested(operand, study, place)


def _operands(claims: Sequence[Claim], path: Path) -> Iterator[tuple[str, Operand]]:
    """Every operand of the claims' evidence, after the words that say in an error where it is."""
    for claim in claims:
        for name, evidence in claim.evidence.items():
            place = f"{display_path(path)}:{evidence.line or claim.line}: claim '{claim.id}'.evidence.{name}"
            for operand in parse_path(evidence.path)[1]:
                yield place, operand


def _check_tested(operand: Operand, study: Study, place: str) -> None:
    """Refuses the accuracy on test images of arms that are measured on held-out training images."""
    for arm in study.arms:
        if arm.holdout and any(operand.matches(arm.name, part) for part in operand.parts):
            measure = operand.keys[0]
            raise UserError(
                f"{place} names the {measure} of '{arm.name}', which is measured on held-out training images. "
                f"Use held_out_{measure.removeprefix('test_')}, or name other arms."
            )
