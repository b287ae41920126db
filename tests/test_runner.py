"""Runs are planned, trained by workers, stored one at a time, and never trained twice: TensorFlow on the digits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from experiments import data, runner, statistics, study, worker
from experiments.errors import UserError
from experiments.sources import Source
from experiments.store import Entry, Store, read_json, write_atomically
from tests import fixture, victim

ROOT = Path(__file__).parent.parent
DIGITS = Source(data.DIGITS, None, "scikit-learn")


def entries(plan: study.Study, store: Store) -> list[Entry]:
    return [store.entry(run, DIGITS.identity) for run in plan.runs("digits", ("examples",))]


# ---------------------------------------------------------------------------------------------- planning


def test_a_unit_is_a_network_with_its_missing_seeds(plan: study.Study, tmp_path: Path) -> None:
    units = runner.plan(entries(plan, Store(tmp_path)), jobs=1)
    told = [sorted({(e.run.arm.name, e.run.seed) for e in unit.entries}) for unit in units]
    assert [len(names) for names in told] == [20, 10]  # Example 2 reads Example 1's models
    assert [unit.cost for unit in units] == pytest.approx([10 * 40 * 1440 / 60000] * 2)


def test_units_are_split_until_every_worker_has_one(plan: study.Study, tmp_path: Path) -> None:
    units = runner.plan(entries(plan, Store(tmp_path)), jobs=5)
    assert len(units) == 5
    assert sum(len(unit.entries) for unit in units) == 30
    assert max(len(unit.folders) for unit in units) == 5


def test_what_is_stored_is_not_planned(plan: study.Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    fixture.fill(store, plan.runs("digits", ("examples",))[:3], DIGITS, fixture.SCORES)
    seeds = {
        e.run.seed
        for unit in runner.plan(entries(plan, store), jobs=1)
        for e in unit.entries
        if e.run.arm.name == "example-1"
    }
    assert seeds == set(range(103, 110))


def test_the_default_number_of_workers_fits_processors_and_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)), raising=False)
    monkeypatch.setattr(os, "sysconf", {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 8_000_000_000 // 4096}.__getitem__)
    assert runner.default_jobs() == 6


def test_where_tensorflow_sees_a_gpu_one_worker_uses_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    runner.accelerators.cache_clear()
    monkeypatch.setattr(runner, "DRIVERS", (str(tmp_path),))
    answered = subprocess.CompletedProcess([], 0, stdout="1\n")
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answered)
    assert runner.default_jobs() == 1
    monkeypatch.setattr(runner, "DRIVERS", ())
    runner.accelerators.cache_clear()
    assert runner.accelerators() == 0


def test_no_gpu_is_asked_for_where_there_is_no_driver_and_none_is_counted_where_tensorflow_sees_none(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    runner.accelerators.cache_clear()
    monkeypatch.setattr(runner, "DRIVERS", (str(tmp_path),))
    assert runner.accelerators() == 0  # TensorFlow itself was asked
    runner.accelerators.cache_clear()


def test_progress_tells_runs_done_time_left_and_the_last_accuracy(
    plan: study.Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    fixture.fill(store, plan.runs("digits", ("examples",)), DIGITS, fixture.SCORES)
    with runner.Progress(entries(plan, store)[:2]) as progress:
        progress.started -= 30
        progress.finished(entries(plan, store)[0])
    assert re.search(r"1/2 done, 0 min 30 s left · example-1, seed 100: 96\.50%", capsys.readouterr().out)


# ---------------------------------------------------------------------------------------------- running


def small_study(folder: Path, epochs: int = 2, seeds: int = 2) -> Path:
    """The committed study with few seeds and few epochs."""
    text = (ROOT / "experiments" / "study.toml").read_text()
    text = re.sub(r"seeds = \[.*\]", f"seeds = {list(range(seeds))}", text)
    text = text.replace("replicate = true\n", "")  # of all blocks but the examples
    text = text.replace("epochs = 40 ", f"epochs = {epochs} ").replace("epochs = 40\n", f"epochs = {epochs}\n")
    path = folder / "study.toml"
    path.write_text(text)
    assert study.load(path).epochs["digits"] == epochs
    return path


def offline() -> dict[str, str]:
    """An environment in which nothing names or caches MNIST and no network is reached: a proxy that is not there."""
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    return {**os.environ, **nowhere, "KERAS_HOME": "/nonexistent", "no_proxy": "", "NO_PROXY": ""}


def command(path: Path, *options: str, stages: Sequence[str] = ("run",)) -> list[str]:
    folders = ("--study", str(path), "--results", str(path.parent))
    return [sys.executable, "-m", "experiments", *stages, *folders, *options]


def run(path: Path, *options: str, stages: Sequence[str] = ("run",)) -> subprocess.CompletedProcess[str]:
    called = command(path, *options, stages=stages)
    return subprocess.run(called, cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300)


def trainings(folder: Path) -> dict[str, float]:
    return {p.parent.name: p.stat().st_mtime_ns for p in folder.glob("runs/[!.]*/training.json")}


def test_offline_the_digits_run_and_a_second_call_trains_nothing(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    first = run(path)
    assert first.returncode == 0, first.stderr
    assert "MNIST COULD NOT BE HAD" in first.stdout
    assert "6 of 6 runs on digits measured" in first.stdout
    before = trainings(tmp_path)
    second = run(path)
    assert "nothing to train; 6 of 6 runs on digits measured" in second.stdout
    assert trainings(tmp_path) == before
    assert len(before) == 4  # Example 2 shares Example 1's models


def test_a_measure_is_taken_again_from_the_stored_weights(tmp_path: Path) -> None:
    path = small_study(tmp_path)
    assert run(path).returncode == 0
    before = trainings(tmp_path)
    measured = {p: json.loads(p.read_text()) for p in tmp_path.glob("runs/*/measures-*.json")}
    for lost in measured:
        lost.unlink()
    assert "6 runs in" in run(path).stdout
    assert {p: json.loads(p.read_text()) for p in measured} == measured
    assert trainings(tmp_path) == before


def without_times(value: Any) -> Any:
    """`value` without the fields that are marked as times, at any depth."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in statistics.TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


def test_weights_and_results_are_the_same_but_for_the_times_whatever_the_number_of_workers(tmp_path: Path) -> None:
    found = []
    for jobs in ("1", "2"):
        (tmp_path / jobs).mkdir()
        assert run(small_study(tmp_path / jobs), "--jobs", jobs).returncode == 0
        written = read_json(tmp_path / jobs / "results.json", statistics.FORMAT)  # without its seal
        stored = {
            str(path.relative_to(tmp_path / jobs)): path.read_bytes()
            for kind in ("weights.npz", "measures-*.json")
            for path in sorted(tmp_path.glob(f"{jobs}/runs/*/{kind}"))
        }
        found.append((without_times(written), stored))
        assert {run["started"] for run in written["runs"]}
    assert found[0] == found[1]
    assert len(found[0][1]) == 4 + 6


def test_results_do_not_depend_on_the_order_in_which_runs_finish(plan: study.Study, tmp_path: Path) -> None:
    runs = plan.runs("digits", ("examples",))
    for name, order in (("there", runs), ("back", runs[::-1])):
        fixture.fill(Store(tmp_path / name), order, DIGITS, fixture.SCORES)
        statistics.update(plan, runs, DIGITS, Store(tmp_path / name))
    there, back = (tmp_path / name / "results.json" for name in ("there", "back"))
    assert there.read_bytes() == back.read_bytes()


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_run_keeps_what_was_finished_and_goes_on(tmp_path: Path, ending: signal.Signals) -> None:
    path, scratch = small_study(tmp_path, epochs=400), tmp_path / "scratch"
    scratch.mkdir()
    process = subprocess.Popen(
        command(path, "--jobs", "1"),
        cwd=ROOT,
        env={**offline(), "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 120
    while not trainings(tmp_path) and time.monotonic() < deadline:
        time.sleep(0.02)
    if ending is signal.SIGINT:
        os.killpg(process.pid, ending)  # as a terminal does
    else:
        process.send_signal(ending)
    _, told = process.communicate(timeout=30)
    kept = trainings(tmp_path)
    assert 1 <= len(kept) < 4
    if ending is signal.SIGINT:
        assert process.returncode == 130
        assert "goes on from there" in told
        assert "Traceback" not in told
    wait_until_alone(process.pid)
    assert not list(scratch.iterdir())  # TensorFlow's compiled functions, say
    assert run(path).returncode == 0
    after = trainings(tmp_path)
    assert len(after) == 4
    assert {name: after[name] for name in kept} == kept
    assert not list(tmp_path.glob("**/.writing-*"))


def wait_until_alone(session: int) -> None:
    """Returns once no process of the session is left: workers end with their parent."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("a worker outlived its parent")


def poisoned(store: Store, **deaths: int) -> None:
    """Has workers die of runs, by arm and seed as in `example_1_100=2`, so many times."""
    for name, number in deaths.items():
        arm, seed = name.rsplit("_", 1)
        write_atomically(store.root / f"poison-{arm.replace('_', '-')}-{seed}", b"x" * number)


@pytest.fixture
def mortal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers store made-up results, and die where there is poison."""
    monkeypatch.setattr(worker, "start", victim.start)
    monkeypatch.setattr(worker, "work", victim.work)


@pytest.mark.usefixtures("mortal")
def test_a_run_whose_worker_dies_is_named_and_tried_once_more(
    plan: study.Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path)
    poisoned(store, example_1_103=1, example_3_100=1)
    task = runner.Task(DIGITS, plan.runs("digits", ("examples",)))
    assert runner.execute(plan, [task], store, jobs=2) == 30
    assert all(entry.done for entry in entries(plan, store))
    told = [line for line in capsys.readouterr().out.splitlines() if "died" in line]
    assert sorted(told) == [
        f"A worker died (often: out of memory) while it worked on {name}, on digits. It is tried once more."
        for name in ("example-1, seed 103", "example-3, seed 100")
    ]


@pytest.mark.usefixtures("mortal")
def test_a_run_that_kills_two_workers_is_reported_at_the_end_and_all_others_are_finished(
    plan: study.Study, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    poisoned(store, example_1_103=2)
    task = runner.Task(DIGITS, plan.runs("digits", ("examples",)))
    with pytest.raises(UserError, match=r"died twice .* worked on example-1, seed 103, on digits\. All .*JOBS=1"):
        runner.execute(plan, [task], store, jobs=2)
    assert [str(entry.run) for entry in entries(plan, store) if not entry.done] == ["example-1, seed 103, on digits"]
    assert runner.execute(plan, [task], store, jobs=2) == 1  # the next call tries again


@pytest.mark.usefixtures("mortal")
def test_where_every_worker_dies_the_study_ends_soon(plan: study.Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    poisoned(store, **{f"example_{n}_{seed}": 2 for n in (1, 2, 3) for seed in range(100, 110)})
    with pytest.raises(UserError, match=r"example-1, seed 100, on.*example-3, seed 100, on.*Nothing was finished"):
        runner.execute(plan, [runner.Task(DIGITS, plan.runs("digits", ("examples",)))], store, jobs=1)
    assert not trainings(tmp_path)


@pytest.mark.usefixtures("mortal")
def test_what_builds_on_a_run_that_was_given_up_waits_and_all_else_is_finished(tmp_path: Path) -> None:
    store, plan = Store(tmp_path), study.load(building_study(tmp_path))
    poisoned(store, **{"rate_0.01_1": 2})
    with pytest.raises(UserError, match=r"rate-0\.01, seed 1, on digits"):
        runner.execute(plan, [runner.Task(DIGITS, plan.runs("digits"))], store, jobs=1)
    found = [store.entry(run, DIGITS.identity) for run in plan.runs("digits") if not run.arm.chosen_from]
    assert {str(entry.run) for entry in found if not entry.done} == {
        "rate-0.01, seed 1, on digits",
        "reading, seed 1, on digits",
    }


def test_a_read_only_folder_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    done = run(small_study(tmp_path), "--results", "/sys/results")  # where even root cannot write
    assert done.returncode == 2
    assert re.fullmatch(r"error: /sys.*: .*\. Make the folder writable and run the same command again\.\n", done.stderr)


def test_a_full_disk_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    unmeasured = "unset COVERAGE_PROCESS_CONFIG"  # what `make coverage` writes is larger
    limited = f"ulimit -f 40; {unmeasured}; exec {' '.join(command(small_study(tmp_path)))}"  # 40 blocks of 512 bytes
    done = subprocess.run(["sh", "-c", limited], cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=180)
    assert done.returncode == 2
    assert re.fullmatch(r"error: .*File too large.*\n", done.stderr)
    assert not trainings(tmp_path)
    assert run(small_study(tmp_path)).returncode == 0


@pytest.mark.parametrize(
    ("options", "told"),
    [(("--only", "nothing"), "'nothing' is no block"), (("--jobs", "0"), "Expected a whole number from 1")],
)
def test_wrong_options_are_named(tmp_path: Path, options: tuple[str, ...], told: str) -> None:
    done = run(small_study(tmp_path), *options)
    assert done.returncode == 2
    assert told in done.stderr
    assert "Traceback" not in done.stderr


def test_debug_shows_the_traceback(tmp_path: Path) -> None:
    done = run(small_study(tmp_path), "--only", "nothing", "--debug")
    assert "Traceback" in done.stderr


BUILDING = """
version = 1
[datasets.mnist]
epochs = 1
[datasets.digits]
epochs = 3
[blocks.tried]
question = "Which rate?"
seeds = [0, 1]
replicate = true
[blocks.built]
question = "And then?"
seeds = [0, 1]
replicate = true
[[arms]]
name = "rate-{learning_rate}"
block = "tried"
learning_rate = [0.0001, 0.01]
[[arms]]
name = "chosen"
block = "built"
chosen_from = "rate-*"
[[arms]]
name = "reading"
block = "built"
output = "softmax"
loss = "categorical_crossentropy"
features_of = "rate-0.01"
"""


def building_study(folder: Path) -> Path:
    text = (ROOT / "experiments" / "study.toml").read_text()
    defaults = text[text.index("[defaults]") : text.index("[datasets.mnist]")]
    confirmatory = text[text.index("[confirmatory]") : text.index("[[contrasts]]")]
    path = folder / "study.toml"
    path.write_text(f"{BUILDING}{defaults}{confirmatory}")
    return path


def test_arms_that_build_on_others_are_trained_after_them_even_where_only_they_are_asked_for(tmp_path: Path) -> None:
    path = building_study(tmp_path)
    assert run(path, "--only", "built").returncode == 0
    runs = json.loads((tmp_path / "results.json").read_text())
    arms = (runs["replication"] or runs)["arms"]
    assert (arms["chosen"]["learning_rate"], arms["reading"]["output"]) == (0.01, "softmax")
    assert arms["chosen"]["test_accuracy"] == arms["rate-0.01"]["test_accuracy"]  # the same training, stored once
    assert len(trainings(tmp_path)) == 2 * 2 + 2
