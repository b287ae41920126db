"""The record: the measured numbers of one complete run on real MNIST, committed, so that they can be shown anywhere.

It has those on Fashion-MNIST too, but not those on the digits, which run anywhere. It holds no pixels and no
predictions of single images. Where MNIST is unavailable, the page shows its numbers, marked as recorded; where MNIST
was measured, the page says whether both agree. `make record` writes it.
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
from experiments.data.datasets import FASHION_MNIST
from experiments.files import reading
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json
from experiments.study import load as studies
from experiments.study.model import SETTINGS, Study

FORMAT = 4
KEPT = (FASHION_MNIST.name,)  # data sets beside MNIST
RECORD = Path(__file__).parents[1] / "record.json"
DIGITS_KEPT = 6  # significant digits: far below what seeds differ by
ROUNDING = 1e-6  # of a fraction in the record
_RESTORE = "Restore it with 'git checkout', or make it again with 'make record'."
# What is None or empty in a run is left out of the file.
_ABSENT = {
    **dict.fromkeys(("test_accuracy", "held_out_accuracy", "test_accuracy_by_epoch", "held_out_accuracy_by_epoch")),
    **dict.fromkeys(("training_accuracy", "least_squares_accuracy", "diverged_epoch", "dirty")),
    "commit": "",
}


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
    file = cast(RecordFile, read_json(RECORD, FORMAT, _RESTORE))
    replications = {name: _with_settings(results) for name, results in file["replications"].items()}
    return {**_with_settings(file["results"]), "recorded": file["recorded"], "replications": replications}


def write(results: Results) -> None:
    """Writes `results` as the record. Raises `UserError` unless they are a complete study measured on MNIST here."""
    replications = {name: summary for name, summary in results["replications"].items() if name in KEPT}
    missing = sum(summary["runs_expected"] - len(summary["runs"]) for summary in (results, *replications.values()))
    missing += sum(name in KEPT for name in results["not_replicated"])
    if results["dataset"]["name"] != "mnist" or results["recorded"] or results["quick"] or missing:
        raise UserError(
            f"{display_path(RECORD)}: only a complete study that was measured on MNIST here can be recorded, with "
            f"Fashion-MNIST if it is in the study ({missing} runs or more are missing). Run 'make report' with both."
        )
    content = {
        "format": FORMAT,
        "recorded": max(run["finished"] for run in results["runs"])[:10],
        "results": _without_settings(results),
        "replications": {name: _without_settings(summary) for name, summary in replications.items()},
    }
    write_atomically(RECORD, to_json(content))


def _without_settings(summary: Summary) -> object:
    """What the file keeps of a summary: of each run what its arm does not say, and numbers with fewer digits."""
    runs = []
    for run in summary["runs"]:
        settings = _settings(summary["arms"][run["arm"]])
        runs.append({key: value for key, value in run.items() if settings.get(key) != value})
    kept = {key: value for key, value in summary.items() if key in Summary.__annotations__}
    return round_floats({**kept, "runs": runs}, DIGITS_KEPT)


def _with_settings(summary: Summary) -> Summary:
    """The inverse of `_without_settings`, but for the digits."""
    runs = [cast(RunResult, {**_ABSENT, **_settings(summary["arms"][run["arm"]]), **run}) for run in summary["runs"]]
    return {**summary, "runs": runs}


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
    return {
        **record,
        "dataset": dataset,
        "replications": {**record["replications"], measurements["dataset"]["name"]: measurements},
        "not_replicated": {},
        "quick": False,
        "record_comparison": None,
    }


NOTHING_MEASURED, MEASURING = REASONS = "nothing was measured yet", "the measurements here have only begun"


def results_of_record(record: Record, reason: str) -> Results:
    """The record as results, where nothing at all was measured yet; `reason` is one of REASONS."""
    dataset: DatasetDescription = {
        **record["dataset"],
        "not_measured_because": reason,
        "measuring": reason == MEASURING,
    }
    return {**record, "dataset": dataset, "not_replicated": {}, "quick": False, "record_comparison": None}


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
