"""Runs are planned, trained by workers, stored one at a time, and never trained twice: TensorFlow on the digits."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from experiments import runner, study
from experiments.sources import Source
from experiments.store import Entry, Store
from tests import fixture

ROOT = Path(__file__).parent.parent
DIGITS = Source("digits", None, "scikit-learn")


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


def small_study(folder: Path, epochs: int = 2) -> Path:
    """The committed study with two seeds and a few epochs."""
    text = (ROOT / "experiments" / "study.toml").read_text()
    text = re.sub(r"seeds = \[.*\]", "seeds = [0, 1]", text)
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


def command(path: Path, *options: str) -> list[str]:
    return [sys.executable, "-m", "experiments", "run", "--study", str(path), "--results", str(path.parent), *options]


def run(path: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(path, *options), cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=180)


def trainings(folder: Path) -> dict[str, float]:
    return {p.parent.name: p.stat().st_mtime_ns for p in folder.glob("runs/*/training.json")}


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


def test_the_numbers_do_not_depend_on_the_number_of_workers(tmp_path: Path) -> None:
    found = []
    for jobs in ("1", "4"):
        (tmp_path / jobs).mkdir()
        assert run(small_study(tmp_path / jobs), "--jobs", jobs).returncode == 0
        written = json.loads((tmp_path / jobs / "results.json").read_text())
        runs = (written["replication"] or written)["runs"]  # beside the record's, where there is one
        found.append([(r["arm"], r["seed"], r["training_loss_by_epoch"], r["test_accuracy"]) for r in runs])
    assert found[0] == found[1]


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGKILL], ids=["Ctrl-C", "kill -9"])
def test_an_interrupted_run_keeps_what_was_finished_and_goes_on(tmp_path: Path, ending: signal.Signals) -> None:
    path = small_study(tmp_path, epochs=400)
    process = subprocess.Popen(
        command(path, "--jobs", "1"),
        cwd=ROOT,
        env=offline(),
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


def test_a_worker_that_dies_is_one_line_and_what_was_finished_stays(
    plan: study.Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from concurrent.futures.process import BrokenProcessPool

    future: runner.Future[None] = runner.Future()
    future.set_exception(BrokenProcessPool("a process terminated abruptly"))
    waiting = entries(plan, Store(tmp_path))[:5]
    with pytest.raises(runner.UserError, match=r"A worker process died .* 5 runs to go.*JOBS=1"):
        runner._raise_for(future, waiting, tmp_path / "workers.log")


def test_a_full_disk_is_one_line_and_exit_status_2(tmp_path: Path) -> None:
    limited = f"ulimit -f 40; exec {' '.join(command(small_study(tmp_path)))}"  # no file above 40 blocks of 512 bytes
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


def test_arms_that_build_on_others_are_trained_after_them_even_where_only_they_are_asked_for(tmp_path: Path) -> None:
    text = (ROOT / "experiments" / "study.toml").read_text()
    path = tmp_path / "study.toml"
    defaults = text[text.index("[defaults]") : text.index("[datasets.mnist]")]
    confirmatory = text[text.index("[confirmatory]") : text.index("[[contrasts]]")]
    path.write_text(f"{BUILDING}{defaults}{confirmatory}")
    assert run(path, "--only", "built").returncode == 0
    runs = json.loads((tmp_path / "results.json").read_text())
    arms = (runs["replication"] or runs)["arms"]
    assert (arms["chosen"]["learning_rate"], arms["reading"]["output"]) == (0.01, "softmax")
    assert arms["chosen"]["test_accuracy"] == arms["rate-0.01"]["test_accuracy"]  # the same training, stored once
    assert len(trainings(tmp_path)) == 2 * 2 + 2
