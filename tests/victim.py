"""What tests kill: a worker's stand-in that dies of some runs, and a process that does nothing but write."""

from __future__ import annotations

import itertools
import os
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.data import datasets
from experiments.files.durable import write_atomically
from experiments.files.sealed import to_json
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Run
from experiments.training.units import Unit
from experiments.training.worker import Files


def start(log: Path, scratch: str) -> None:
    """As `worker.start`, without TensorFlow, which costs seconds."""


def run_unit(unit: Unit, store: Store, code: Mapping[str, Any]) -> None:
    """As `worker.run_unit`, with made-up arrays; dies once of every run for each byte in the file named after it.

    It reads the weights that a run builds on, as a training would.
    """
    for entry in unit.entries:
        if entry.run.features:
            store.entry(entry.run.features, unit.source.identity).snapshots()
        poison = store.root / f"poison-{entry.run.arm.name}-{entry.run.seed}"
        if poison.exists() and (left := poison.read_bytes()):
            poison.write_bytes(left[1:])
            os.kill(os.getpid(), signal.SIGKILL)
        save(store, entry.run, unit.source.identity)


def run_unit_for_page(unit: Unit, store: Store, code: Mapping[str, Any]) -> None:
    """As `run_unit`, with made-up results of which a page can be made."""
    from tests import fixture

    for entry in unit.entries:
        fixture.fill_run(store, entry.run, unit.source, fixture.SCORES)


def run_unit_late(unit: Unit, store: Store, code: Mapping[str, Any]) -> None:
    """As `run_unit`, but an example waits until a run after the early blocks is stored by another worker."""
    while any(entry.run.arm.name == "example-1" for entry in unit.entries) and not list(store.root.glob("late")):
        time.sleep(0.01)
    run_unit(unit, store, code)
    if any(entry.run.arm.block not in ("examples", "changes") for entry in unit.entries):
        (store.root / "late").touch()


def run_unit_remotely(unit: Unit, stored: Mapping[Run, Files], code: Mapping[str, Any]) -> list[Files]:
    """As `worker.run_unit_remotely`; always dies of one run."""
    if any(str(entry.run) == "rate-0.01, seed 1, on digits" for entry in unit.entries):
        os.kill(os.getpid(), signal.SIGKILL)
    with tempfile.TemporaryDirectory() as folder:
        store = Store(Path(folder))
        entries = tuple(store.entry(entry.run, unit.source.identity) for entry in unit.entries)
        run_unit(Unit(unit.source, entries), store, code)
        return [store.content(entry) for entry in entries]


def save(store: Store, run: Run, data_identity: str) -> None:
    """Stores a training and measures of `run`, both made of its seed."""
    entry = store.entry(run, data_identity)
    weights = [np.full((300, 100), run.seed, np.float32), np.full(100, run.seed, np.float32)]
    store.save_training(entry, {"test_accuracy": [run.seed]}, {"epoch_1": weights, "final": weights})
    store.save_measures(entry, {"test_accuracy": run.seed, "predictions": f"{run.seed % 10}" * 10_000})


def write(root: Path, first_seed: int) -> None:
    """Stores run after run, announcing each that is stored, and writes the same derived file after each."""
    store, arm = Store(root), studies.load().arms[0]
    with store.locked():
        print("begun", flush=True)
        for seed in itertools.count(first_seed):
            save(store, Run(arm, seed, "digits", 1), datasets.DIGITS.identity)
            write_atomically(
                root / "derived.json", to_json({"format": 1, "inputs": str(seed), "rest": [seed] * 10_000})
            )
            print(f"stored {seed}", flush=True)


if __name__ == "__main__":
    write(Path(sys.argv[1]), int(sys.argv[2]))
