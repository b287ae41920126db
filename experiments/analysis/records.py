"""The record: the measured numbers of one complete run on real MNIST, committed, so that they can be shown anywhere.

It holds no pixels and no predictions of single images. Where MNIST cannot be had, its numbers stand on the page, marked
as recorded; where MNIST was measured, the page says whether both agree. `make record` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from experiments.files import reading
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json
from experiments.study import load as studies
from experiments.study.model import SETTINGS, Study

FORMAT = 3
RECORD = Path(__file__).parents[1] / "record.json"
DIGITS_KEPT = 6  # significant digits: far below what seeds differ by
_RESTORE = "Restore it with 'git checkout', or make it again with 'make record'."


def is_about(plan: Study) -> bool:
    """Whether the record is of this study on the data that the environment names: of the committed one, on MNIST."""
    return plan.path == studies.STUDY and not os.environ.get("DATASET_NPZ")


def fingerprint() -> str:
    """SHA-256 of the record's file; "" where there is none."""
    return reading.sha256(RECORD, _RESTORE) if RECORD.exists() else ""


def read() -> dict[str, Any] | None:
    """The recorded results, as results.json has them; None where there is no record."""
    if not RECORD.exists():
        return None
    record = read_json(RECORD, FORMAT, _RESTORE)
    results = record["results"]
    optional = ("test_accuracy", "held_out_accuracy", "test_accuracy_by_epoch", "held_out_accuracy_by_epoch")
    absent = dict.fromkeys((*optional, "diverged_epoch", "dirty")) | {"commit": ""}  # what is None is left out
    runs = [{**absent, **_configuration(results["arms"][run["arm"]]), **run} for run in results["runs"]]
    return {**results, "runs": runs, "recorded": record["recorded"]}


def write(results: Mapping[str, Any]) -> None:
    """Writes `results` as the record. Raises `UserError` unless they are a complete study measured on MNIST here."""
    missing = results["runs_expected"] - len(results["runs"])
    if results["dataset"]["name"] != "mnist" or results["recorded"] or results["quick"] or missing:
        raise UserError(
            f"{display_path(RECORD)}: only a complete study that was measured on MNIST here can be recorded "
            f"({missing} runs are missing). Run 'make report' with MNIST first."
        )
    runs = []
    for run in results["runs"]:
        configuration = _configuration(results["arms"][run["arm"]])
        runs.append({key: value for key, value in run.items() if configuration.get(key) != value})
    dropped = ("replication", "recorded", "record_comparison", "quick", "format", "inputs")
    kept = {key: value for key, value in results.items() if key not in dropped}
    finished = max(run["finished"] for run in results["runs"])
    content = {"format": FORMAT, "recorded": finished[:10], "results": _rounded({**kept, "runs": runs})}
    write_atomically(RECORD, to_json(content))


def beside(results: dict[str, Any], record: Mapping[str, Any] | None) -> dict[str, Any]:
    """`results` with the record put beside them: in front where they stand in for MNIST, else for comparison."""
    if record is None:
        return {**results, "record_comparison": None}
    if results["dataset"]["name"] == "mnist":
        return {**results, "record_comparison": compare(results, record)}
    reason = results["dataset"]["fallback"]
    dataset = {**record["dataset"], "fallback": "", "not_measured_because": reason}
    return {**record, "dataset": dataset, "replication": results, "quick": False, "record_comparison": None}


NOTHING_MEASURED, MEASURING = REASONS = "nothing was measured yet", "the measurements here have only begun"


def alone(record: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The record as results, where nothing at all was measured yet; `reason` is one of REASONS."""
    dataset = {**record["dataset"], "not_measured_because": reason, "measuring": reason == MEASURING}
    return {**record, "dataset": dataset, "replication": None, "quick": False, "record_comparison": None}


def compare(results: Mapping[str, Any], record: Mapping[str, Any]) -> dict[str, Any]:
    """Which contrasts agree: the intervals of both overlap, but for the record's rounding. Only what both measured."""
    rounding = 1e-6
    recorded = {contrast["name"]: contrast for contrast in record["contrasts"] if contrast["n"]}
    rows = []
    for here in results["contrasts"]:
        there = recorded.get(here["name"])
        if here["n"] and there:
            apart = max(here["interval"][0] - there["interval"][1], there["interval"][0] - here["interval"][1])
            rows.append(
                {"name": here["name"], "here": here["mean"], "there": there["mean"], "agree": apart <= rounding}
            )
    return {"recorded": record["recorded"], "processors": record["processors"], "contrasts": rows}


def _configuration(arm: Mapping[str, Any]) -> dict[str, Any]:
    """What an arm's runs have in common."""
    return {key: arm[key] for key in SETTINGS}


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return float(f"{value:.{DIGITS_KEPT}g}")
    if isinstance(value, Mapping):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(inner) for inner in value]
    return value
