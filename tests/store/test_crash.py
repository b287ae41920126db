"""Kills at random moments: after each, all that is taken for a result is whole, and nothing finished is lost.

Of KILLS, a hundred in `make test-all`, four fifths hit a process that does nothing but write, a tenth one that trains
with TensorFlow, a tenth one that draws. The moments are random, from fixed seeds; what they hit depends on the machine.
"""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from experiments.data.sources import DIGITS
from experiments.plots import figures
from experiments.store.store import Store, key_digest
from experiments.study import load as studies
from experiments.study.model import Run
from tests import fixture, victim
from tests.counts import count, repeated
from tests.trained import ROOT, command, copied, ended, offline, run, small_study, twice_at_once, wait_until_alone

KILLS = count("KILLS", few=20, many=100)
STORES = 8
KILLS_OF_EACH = max(KILLS // 10, 1)  # of the writer of each store, of training, of drawing


def results(root: Path) -> dict[Path, str]:
    """Every file that is taken for a result, with its SHA-256; fails if one is not whole."""
    found = []
    for folder in root.glob("runs/[!.]*"):
        training = json.loads((folder / "training.json").read_bytes())
        assert folder.name.endswith("-" + key_digest(training["key"]))
        with np.load(folder / "weights.npz") as weights:
            assert all(weights[name].size for name in weights.files)
        for path in folder.glob("measures-*.json"):
            key = json.loads(path.read_bytes())["key"]
            assert path.stem.endswith("-" + key_digest(key))
        found += [path for path in folder.iterdir() if not path.name.startswith(".")]
    return {path: hashlib.sha256(path.read_bytes()).hexdigest() for path in found}


def derived(root: Path) -> None:
    """Fails if a file is not whole that others are spared to make again."""
    for path in (*root.glob("[!.]*.json"), *root.glob("plots/[!.]*.json")):
        assert json.loads(path.read_bytes())["inputs"]


def killed(arguments: list[str], moment: Callable[[subprocess.Popen[str]], list[str]]) -> list[str]:
    """Starts a process, kills all its group at once when `moment` returns; returns the lines that it had printed."""
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        env=offline(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    with ended(process):
        before = moment(process)
    told, _ = process.communicate(timeout=60)
    wait_until_alone(process.pid)
    return before + told.split("\n")[:-1]  # the last one may be cut short


def after_seconds(seconds: float, line: str = "") -> Callable[[subprocess.Popen[str]], list[str]]:
    """The moment so many seconds after the process has printed a line with `line` in it; after its start, without.

    Gives the lines printed up to that one.
    """

    def moment(process: subprocess.Popen[str]) -> list[str]:
        assert process.stdout
        printed: list[str] = []
        while line and not (printed and line in printed[-1]):
            printed.append(process.stdout.readline())
            assert printed[-1], f"the process ended without a line with '{line}'"
        time.sleep(seconds)
        return printed

    return moment


@repeated
@pytest.mark.parametrize("number", range(STORES))
def test_a_writer_killed_at_any_moment_leaves_complete_results_and_loses_none(number: int, tmp_path: Path) -> None:
    moments, arm, store = random.Random(number), studies.load().arms[0], Store(tmp_path)
    before: dict[Path, str] = {}
    stored = 0
    for kill in range(KILLS_OF_EACH):
        begun = after_seconds(moments.uniform(0.0, 0.3), line="begun" if kill else "stored")
        told = killed([sys.executable, "-m", "tests.victim", str(tmp_path), str(stored)], begun)
        stored += sum(line.startswith("stored") for line in told)
        after = results(tmp_path)
        assert {path: after.get(path) for path in before} == before
        entries = [store.entry(Run(arm, seed, "digits", 1), DIGITS.identity) for seed in range(stored)]
        assert all(entry.done for entry in entries)
        derived(tmp_path)
        before = after
    assert stored
    with store.locked():  # as the next call does
        victim.save(store, Run(arm, stored, "digits", 1), DIGITS.identity)
    assert not list(tmp_path.rglob(".writing-*"))
    assert {path: sha256 for path, sha256 in results(tmp_path).items() if path in before} == before


@pytest.mark.slow("starts TensorFlow once for each kill; in test_runner.py, one kill of training is in `make test`")
def test_training_killed_at_any_moment_continues_from_complete_results_and_loses_none(tmp_path: Path) -> None:
    moments = random.Random(0)
    before: dict[Path, str] = {}
    for number in range(KILLS_OF_EACH):
        path = small_study(tmp_path, epochs=60, seeds=2 * number + 2)  # so that there is always work left
        early = number in (3, 7)  # before anything is trained: while TensorFlow starts, or compiles
        begun = after_seconds(moments.uniform(1, 6)) if early else after_seconds(moments.uniform(0, 0.5), " left · ")
        killed(command(path, "--jobs", str(1 + number % 3 // 2)), begun)
        after = results(tmp_path)
        assert {path: after.get(path) for path in before} == before
        assert early or len(after) > len(before)
        derived(tmp_path)
        before = after
    result = run(path)
    runs = 3 * 2 * KILLS_OF_EACH
    assert f"{runs} of {runs} runs on digits measured" in result.stdout, result.stderr
    after = results(tmp_path)
    assert {path: after[path] for path in before} == before
    assert not list(tmp_path.rglob(".writing-*"))


@repeated
def test_plots_killed_at_any_moment_are_completed_by_the_next_call(tmp_path: Path) -> None:
    moments = random.Random(0)
    path = small_study(tmp_path)
    fixture.fill(Store(tmp_path), studies.load(path).runs("digits", ("examples",)), DIGITS, fixture.SCORES)
    before = results(tmp_path)
    for _ in range(KILLS_OF_EACH):
        for made in (tmp_path / "results.json", tmp_path / "plots" / "figures.json"):
            made.unlink(missing_ok=True)
        killed(command(path, stage="plots"), after_seconds(moments.uniform(0.3, 2.5)))
        derived(tmp_path)
        assert results(tmp_path) == before
    assert run(path, stage="plots").returncode == 0
    derived(tmp_path)
    assert figures.read(tmp_path / "plots")


@pytest.mark.slow("trains in four processes; in test_store.py, a second process waits for the first one")
def test_two_calls_at_once_train_each_run_once_and_leave_complete_results(
    trained_at_once: Path, tmp_path: Path
) -> None:
    printed = json.loads((trained_at_once / ".calls.json").read_text())
    assert sum("nothing to train" in output for output in printed) == 1
    assert len(results(trained_at_once)) == 4 * 2 + 6
    path = copied(trained_at_once, tmp_path / "copy")
    printed = twice_at_once(command(path, stage="plots"))
    assert sum("nothing to draw" in output for output in printed) == 1
    derived(path.parent)
