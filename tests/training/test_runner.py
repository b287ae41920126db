"""Runs are planned, trained by workers, stored one at a time, and never trained twice: TensorFlow on the digits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

import pytest

from experiments.analysis import summary
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError
from experiments.files.sealed import read_json
from experiments.store.store import Entry, Store
from experiments.study import load as studies
from experiments.study.model import Study
from experiments.training import pool, runner, units, worker
from experiments.training.progress import Progress
from experiments.training.units import Unit
from tests import fixture, victim
from tests.trained import (
    ROOT,
    building_study,
    command,
    copied,
    ended,
    offline,
    run,
    run_on_full_disk,
    small_study,
    trainings,
    wait_until_alone,
    without_times,
)

DIGITS = Source(datasets.DIGITS, None, "scikit-learn")


def entries(plan: Study, store: Store) -> list[Entry]:
    return [store.entry(run, DIGITS.identity) for run in plan.runs("digits", ("examples",))]


def planned(plan: Study, store: Store, jobs: int) -> list[Unit]:
    return units.balance(units.group(DIGITS, entries(plan, store)), jobs)


# ---------------------------------------------------------------------------------------------- planning


def test_a_unit_is_one_network_with_its_missing_seeds(plan: Study, tmp_path: Path) -> None:
    few = planned(plan, Store(tmp_path), jobs=1)
    runs = [{(entry.run.arm.name, entry.run.seed) for entry in unit.entries} for unit in few]
    assert [len(names) for names in runs] == [10, 5]  # Example 2 reads Example 1's models
    assert [unit.cost for unit in few] == pytest.approx([5 * 40 * 1440 / 60000] * 2)


def test_units_are_split_until_every_worker_has_one(plan: Study, tmp_path: Path) -> None:
    many = planned(plan, Store(tmp_path), jobs=5)
    assert len(many) == 5
    assert sum(len(unit.entries) for unit in many) == 15
    assert max(len(unit.folders) for unit in many) == 3


def test_stored_runs_are_not_planned(plan: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    fixture.fill(store, plan.runs("digits", ("examples",))[:3], DIGITS, fixture.SCORES)
    seeds = {e.run.seed for unit in planned(plan, store, jobs=1) for e in unit.entries if e.run.arm.name == "example-1"}
    assert seeds == {303, 304}


def test_the_default_number_of_workers_fits_processors_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 8_000_000_000 // 4096}.__getitem__)
    assert pool.default_jobs() == 6


def test_one_worker_uses_the_gpu_if_tensorflow_sees_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pool.accelerators.cache_clear()
    monkeypatch.setattr(pool, "DRIVERS", (str(tmp_path),))
    answered = subprocess.CompletedProcess([], 0, stdout="1\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answered)
    assert pool.default_jobs() == 1
    monkeypatch.setattr(pool, "DRIVERS", ())
    pool.accelerators.cache_clear()
    assert pool.accelerators() == 0


@pytest.mark.slow("asks TensorFlow")
def test_a_driver_alone_does_not_count_as_a_gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    pool.accelerators.cache_clear()
    monkeypatch.setattr(pool, "DRIVERS", (str(tmp_path),))
    assert pool.accelerators() == 0  # TensorFlow itself was asked
    pool.accelerators.cache_clear()


def test_progress_shows_finished_runs_time_left_and_the_last_accuracy(
    plan: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    fixture.fill(store, plan.runs("digits", ("examples",)), DIGITS, fixture.SCORES)
    with Progress(entries(plan, store)[:2]) as progress:
        progress.started -= 30
        progress.advance(entries(plan, store)[0])
    assert re.search(r"1/2 done, 0 min 30 s left · example-1, seed 300: 96\.50%", capsys.readouterr().out)


# ---------------------------------------------------------------------------------------------- running


def test_the_digits_are_trained_offline_and_a_second_call_trains_nothing(
    trained_examples: Path, tmp_path: Path
) -> None:
    first = (trained_examples / ".printed").read_text()
    assert "MNIST IS NOT AVAILABLE" in first
    assert "6 of 6 runs on digits measured" in first
    path = copied(trained_examples, tmp_path / "copy")
    before = trainings(path.parent)
    assert "nothing to train; 6 of 6 runs on digits measured" in run(path).stdout
    assert trainings(path.parent) == before
    assert len(before) == 4  # Example 2 shares Example 1's models


@pytest.mark.slow("starts TensorFlow, as test_why.py does for an edited measure in `make test`")
def test_measures_are_recomputed_from_the_stored_weights(trained_examples: Path, tmp_path: Path) -> None:
    path = copied(trained_examples, tmp_path / "copy")
    before = trainings(path.parent)
    measured = {p: json.loads(p.read_text()) for p in path.parent.glob("runs/*/measures-*.json")}
    for lost in measured:
        lost.unlink()
    assert "6 runs in" in run(path, "--jobs", "1").stdout
    assert {p: json.loads(p.read_text()) for p in measured} == measured
    assert trainings(path.parent) == before


@pytest.mark.slow(
    "trains in four processes; that the order of runs changes nothing is tested with made-up results below"
)
def test_the_number_of_workers_changes_only_the_recorded_times(trained_examples: Path, trained_at_once: Path) -> None:
    found = []
    for folder in (trained_examples, trained_at_once):  # by one worker, by two
        written = read_json(folder / "results.json", summary.FORMAT)  # without its seal
        stored = {
            str(path.relative_to(folder)): path.read_bytes()
            for kind in ("weights.npz", "measures-*.json")
            for path in sorted(folder.glob(f"runs/*/{kind}"))
        }
        found.append((without_times(written), stored))
        assert {run["started"] for run in written["runs"]}
    assert found[0] == found[1]
    assert len(found[0][1]) == 4 + 6


def test_results_do_not_depend_on_the_order_in_which_runs_finish(plan: Study, tmp_path: Path) -> None:
    runs = plan.runs("digits", ("examples",))
    for name, order in (("there", runs), ("back", runs[::-1])):
        fixture.fill(Store(tmp_path / name), order, DIGITS, fixture.SCORES)
        summary.update(plan, runs, DIGITS, Store(tmp_path / name))
    there, back = (tmp_path / name / "results.json" for name in ("there", "back"))
    assert there.read_bytes() == back.read_bytes()


class Interrupted(NamedTuple):
    """What an interrupted call left."""

    status: int
    stderr: str
    scratch: list[Path]
    kept: dict[str, float]


def interrupt(path: Path, ending: signal.Signals) -> Interrupted:
    """Calls the study, and sends `ending` once a training is stored."""
    scratch = path.parent / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        command(path, "--jobs", "1"),
        cwd=ROOT,
        env={**offline(), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored where the tests are a shell's job
    )
    with ended(process):
        deadline = time.monotonic() + 120
        while not trainings(path.parent) and time.monotonic() < deadline:
            time.sleep(0.02)
        if ending is signal.SIGINT:
            os.killpg(process.pid, ending)  # as a terminal does
        else:
            process.send_signal(ending)
        _, told = process.communicate(timeout=30)
        kept = trainings(path.parent)
        wait_until_alone(process.pid)
    return Interrupted(process.returncode, told, list(scratch.iterdir()), kept)


@pytest.mark.parametrize(
    "ending",
    [
        signal.SIGINT,
        pytest.param(signal.SIGKILL, marks=pytest.mark.slow("trains as after Ctrl-C; test_crash.py kills a writer")),
    ],
    ids=["Ctrl-C", "kill -9"],
)
def test_an_interrupted_study_keeps_finished_runs_and_continues(tmp_path: Path, ending: signal.Signals) -> None:
    path = small_study(tmp_path, epochs=30)
    found = interrupt(path, ending)
    assert 0 < len(found.kept) < 4
    if ending is signal.SIGINT:
        assert found.status == 130
        assert "goes on from there" in found.stderr
        assert "Traceback" not in found.stderr
    assert not found.scratch  # TensorFlow's compiled functions, say
    assert run(path, "--jobs", "1").returncode == 0
    assert not list(path.parent.glob("**/.writing-*"))
    after = trainings(path.parent)
    assert {name: after[name] for name in found.kept} == found.kept
    assert len(after) == 4


def poisoned(store: Store, **deaths: int) -> None:
    """Has workers die of runs, by arm and seed as in `example_1_100=2`, so many times."""
    for name, number in deaths.items():
        arm, seed = name.rsplit("_", 1)
        write_atomically(store.root / f"poison-{arm.replace('_', '-')}-{seed}", b"x" * number)


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers store made-up results, and die where there is poison."""
    monkeypatch.setattr(worker, "start", victim.start)
    monkeypatch.setattr(worker, "run_unit", victim.run_unit)


@pytest.mark.usefixtures("mortal")
def test_a_run_whose_worker_dies_is_named_and_retried_once(
    plan: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    poisoned(store, example_1_303=1, example_1_304=1, example_3_300=1)
    task = runner.Task(DIGITS, plan.runs("digits", ("examples",)))
    assert runner.execute(plan, [task], store, jobs=2) == 15
    assert all(entry.done for entry in entries(plan, store))
    told = [line for line in capsys.readouterr().out.splitlines() if "died" in line]
    assert sorted(told) == [
        f"A worker died on {name}, on digits (out of memory?); retrying once."
        for name in ("example-1, seed 303", "example-1, seed 304", "example-3, seed 300")
    ]


@pytest.mark.usefixtures("mortal")
def test_a_run_that_kills_two_workers_is_reported_at_the_end_and_all_others_are_finished(
    plan: Study, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    poisoned(store, example_1_303=2)
    task = runner.Task(DIGITS, plan.runs("digits", ("examples",)))
    with pytest.raises(UserError, match=r"died twice on example-1, seed 303, on digits \(.*\)\. All .*JOBS=1"):
        runner.execute(plan, [task], store, jobs=2)
    assert [str(entry.run) for entry in entries(plan, store) if not entry.done] == ["example-1, seed 303, on digits"]
    assert runner.execute(plan, [task], store, jobs=2) == 1  # the next call tries again


@pytest.mark.usefixtures("mortal")
def test_the_study_stops_early_if_every_worker_dies(plan: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    poisoned(store, **{f"example_{n}_{seed}": 2 for n in (1, 2, 3) for seed in range(300, 305)})
    with pytest.raises(UserError, match=r"example-1, seed 300, on.*example-3, seed 300, on.*No other run was finished"):
        runner.execute(plan, [runner.Task(DIGITS, plan.runs("digits", ("examples",)))], store, jobs=1)
    assert not trainings(tmp_path)


@pytest.mark.usefixtures("mortal")
def test_runs_that_depend_on_a_failed_run_are_left_out_and_all_others_are_finished(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), studies.load(building_study(tmp_path))
    poisoned(store, **{"rate_0.01_1": 2})
    with pytest.raises(UserError, match=r"rate-0\.01, seed 1, on digits"):
        runner.execute(plan, [runner.Task(DIGITS, plan.runs("digits"))], store, jobs=1)
    found = [store.entry(run, DIGITS.identity) for run in plan.runs("digits") if not run.arm.chosen_from]
    assert {str(entry.run) for entry in found if not entry.done} == {
        "rate-0.01, seed 1, on digits",
        "reading, seed 1, on digits",
    }


def test_a_read_only_folder_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    result = run(small_study(tmp_path), "--results", "/sys/results")  # where even root cannot write
    assert result.returncode == 2
    assert re.fullmatch(
        r"error: /sys.*: .*\. Make the folder writable and run the same command again\.\n", result.stderr
    )


@pytest.mark.slow("trains twice; that a folder cannot be written is one line in `make test` too")
def test_a_full_disk_is_one_line_and_exit_status_2_and_the_next_call_goes_on(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    full = run_on_full_disk(path)
    assert full.returncode == 2
    assert re.fullmatch(r"error: .*File too large.*\n", full.stderr)
    assert not trainings(tmp_path)
    assert run(path, "--jobs", "1").returncode == 0
    assert len(trainings(tmp_path)) == 4


@pytest.mark.parametrize(
    ("options", "message"),
    [(("--only", "nothing"), "'nothing' is no block"), (("--jobs", "0"), "Expected a whole number from 1")],
)
def test_invalid_options_are_named(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    result = run(small_study(tmp_path), *options)
    assert result.returncode == 2
    assert message in result.stderr
    assert "Traceback" not in result.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    result = run(small_study(tmp_path), "--only", "nothing", "--debug")
    assert "Traceback" in result.stderr


@pytest.mark.slow("trains; what a dependent run waits for is tested with made-up results above")
def test_arms_are_trained_after_those_they_depend_on_even_if_only_the_former_are_requested(tmp_path: Path) -> None:
    path = building_study(tmp_path)
    assert run(path, "--only", "built", "--jobs", "1").returncode == 0
    runs = json.loads((tmp_path / "results.json").read_text())
    arms = runs["replications"].get("digits", runs)["arms"]
    assert (arms["chosen"]["learning_rate"], arms["reading"]["output"]) == (0.01, "softmax")
    assert arms["chosen"]["test_accuracy"] == arms["rate-0.01"]["test_accuracy"]  # the same training, stored once
    assert len(trainings(tmp_path)) == 2 * 2 + 2
