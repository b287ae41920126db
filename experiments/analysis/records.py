"""The record: the measured numbers of one complete run on real MNIST, committed, so that they can be shown anywhere.

It holds no pixels and no predictions of single images. Where MNIST is unavailable, the page shows its numbers, marked
as recorded; where MNIST was measured, the page says whether both agree. `make record` writes it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from experiments.analysis.evidence import round_floats
from experiments.analysis.results import (
    ArmResult,
    ComparedContrast,
    DatasetDescription,
    Measurements,
    Record,
    RecordComparison,
    RecordFile,
    Results,
    RunResult,
    Summary,
)
from experiments.files import reading
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json
from experiments.study import load as studies
from experiments.study.model import SETTINGS, Arm, Study

FORMAT = 3
RECORD = Path(__file__).parents[1] / "record.json"
DIGITS_KEPT = 6  # significant digits: far below what seeds differ by
ROUNDING = 1e-6  # of a fraction in the record
_RESTORE = "Restore it with 'git checkout', or make it again with 'make record'."
# What is None or empty in a run is left out of the file.
_ABSENT = {
    **dict.fromkeys(("test_accuracy", "held_out_accuracy", "test_accuracy_by_epoch", "held_out_accuracy_by_epoch")),
    **{"diverged_epoch": None, "dirty": None, "commit": ""},
}
# What arms of an older record lack: then there was nothing else.
_NEWER = {"initializer": str(Arm.initializer), "dropout": Arm.dropout, "l2": Arm.l2}


def is_about(plan: Study) -> bool:
    """Whether the record belongs to this study, the committed one, and to the data that the environment names."""
    return plan.path == studies.STUDY and not os.environ.get("DATASET_NPZ")


def fingerprint() -> str:
    """SHA-256 of the record's file; "" where there is none."""
    return reading.sha256(RECORD, _RESTORE) if RECORD.exists() else ""


def read() -> Record | None:
    """The recorded results, as results.json has them; None where there is no record."""
    if not RECORD.exists():
        return None
    record = cast(RecordFile, read_json(RECORD, FORMAT, _RESTORE))
    results = record["results"]
    arms = {name: cast(ArmResult, {**_NEWER, **arm}) for name, arm in results["arms"].items()}
    runs = [cast(RunResult, {**_ABSENT, **_settings(arms[run["arm"]]), **run}) for run in results["runs"]]
    return {**results, "arms": arms, "runs": runs, "recorded": record["recorded"]}


def write(results: Results) -> None:
    """Writes `results` as the record. Raises `UserError` unless they are a complete study measured on MNIST here."""
    missing = results["runs_expected"] - len(results["runs"])
    if results["dataset"]["name"] != "mnist" or results["recorded"] or results["quick"] or missing:
        raise UserError(
            f"{display_path(RECORD)}: only a complete study that was measured on MNIST here can be recorded "
            f"({missing} runs are missing). Run 'make report' with MNIST first."
        )
    runs = []
    for run in results["runs"]:
        settings = _settings(results["arms"][run["arm"]])
        runs.append({key: value for key, value in run.items() if settings.get(key) != value})
    kept = {key: value for key, value in results.items() if key in Summary.__annotations__}
    finished = max(run["finished"] for run in results["runs"])
    content = {
        "format": FORMAT,
        "recorded": finished[:10],
        "results": round_floats({**kept, "runs": runs}, DIGITS_KEPT),
    }
    write_atomically(RECORD, to_json(content))


def merge_record(measurements: Measurements, record: Record | None) -> Results:
    """The record's numbers first where digits stand in for MNIST; else the measurements, compared with the record."""
    if record is None:
        return {**measurements, "record_comparison": None}
    if measurements["dataset"]["name"] == "mnist":
        return {**measurements, "record_comparison": compare(measurements, record)}
    dataset: DatasetDescription = {
        **record["dataset"],
        "fallback": "",
        "not_measured_because": measurements["dataset"]["fallback"],
    }
    return {**record, "dataset": dataset, "replication": measurements, "quick": False, "record_comparison": None}


NOTHING_MEASURED, MEASURING = REASONS = "nothing was measured yet", "the measurements here have only begun"


def results_of_record(record: Record, reason: str) -> Results:
    """The record as results, where nothing at all was measured yet; `reason` is one of REASONS."""
    dataset: DatasetDescription = {
        **record["dataset"],
        "not_measured_because": reason,
        "measuring": reason == MEASURING,
    }
    return {**record, "dataset": dataset, "replication": None, "quick": False, "record_comparison": None}


def compare(summary: Summary, record: Record) -> RecordComparison:
    """Whether the intervals of both overlap, for each contrast that both measured. The record is rounded."""
    recorded = {contrast["name"]: contrast for contrast in record["contrasts"] if contrast["n"]}
    rows: list[ComparedContrast] = []
    for here in summary["contrasts"]:
        there = recorded.get(here["name"])
        if here["n"] and there:
            gap = max(here["interval"][0] - there["interval"][1], there["interval"][0] - here["interval"][1])
            rows.append({"name": here["name"], "here": here["mean"], "there": there["mean"], "agree": gap <= ROUNDING})
    return {"recorded": record["recorded"], "processors": record["processors"], "contrasts": rows}


def _settings(arm: ArmResult) -> dict[str, object]:
    """What an arm's runs have in common."""
    values: Mapping[str, object] = arm
    return {key: values[key] for key in SETTINGS}
