"""Runs on workers that share no disk with this machine: any executor's, and those of a real Dask cluster."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiments.analysis import summary
from experiments.data.sources import DIGITS
from experiments.files.errors import UserError
from experiments.files.sealed import read_json
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Study
from experiments.training import cluster, runner, units, worker
from experiments.training.units import Unit
from tests import victim
from tests.trained import ROOT, building_study, command, offline, run, trainings, without_times

SECONDS = 180  # for whatever a busy machine takes


# ---------------------------------------------------------------------------------------------- any executor


def test_units_for_remote_workers_are_small_and_grouped_by_computation(plan: Study, tmp_path: Path) -> None:
    runs = plan.runs("mnist", ("examples", "changes"))
    small = units.split_for_remote(units.group(DIGITS, [Store(tmp_path).entry(run, "0") for run in runs]))
    assert {entry.run for unit in small for entry in unit.entries} == set(runs)
    assert max(unit.cost for unit in small) <= units.REMOTE_COST
    computations = [unit.entries[0].run.arm.computation() for unit in small]
    changes = sum(one != following for one, following in itertools.pairwise(computations))
    assert changes == len(set(computations)) - 1


def test_runs_finished_by_any_executors_workers_are_stored_and_not_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "run_unit", victim.run_unit)
    store, plan = Store(tmp_path / "results"), studies.load(building_study(tmp_path))
    task = runner.Task(DIGITS, plan.runs("digits"))
    with ThreadPoolExecutor(2) as threads:
        assert runner.execute(plan, [task], store, executor=threads) == 6  # "chosen" is one of those it chose from
        assert runner.execute(plan, [task], store, executor=threads) == 0
    for found in store.resolve_runs(plan, task.runs, DIGITS.identity):
        entry = store.entry(found, DIGITS.identity)
        assert entry.snapshots()["final"][1][0] == entry.measures()["test_accuracy"] == found.seed


def test_a_worker_with_another_version_is_refused_and_says_which(plan: Study, tmp_path: Path) -> None:
    entry = Store(tmp_path).entry(plan.runs("digits", ("examples",))[0], DIGITS.identity)
    other = {**entry.key, "versions": {**entry.key["versions"], "keras": "2.0"}}
    requested = replace(entry, key=other, measures_path=entry.folder.with_name("other") / entry.measures_path.name)
    with pytest.raises(UserError, match=r"than this machine \(keras \S+, here 2\.0\)\. Check out the same commit"):
        worker.run_unit_remotely(Unit(DIGITS, (requested,)), {}, {})


def test_a_worker_uses_the_data_it_was_sent_if_the_path_does_not_exist_there(tmp_path: Path) -> None:
    remote = replace(DIGITS, path=Path("/nonexistent/data.npz"))
    worker.cache_dataset(remote.identity, b"images", tmp_path)
    try:
        assert worker._with_cached_file(remote).path.read_bytes() == b"images"
    finally:
        worker._cached_files.clear()
    assert worker._with_cached_file(remote) == remote


# ---------------------------------------------------------------------------------------------- Dask


class Dask:
    """A real scheduler and real workers on 127.0.0.1, each a process of its own in a folder of its own."""

    def __init__(self, folder: Path, stack: ExitStack):
        self.folder, self.stack, self.workers = folder, stack, 0
        self.told = folder / "scheduler.json"
        self.scheduler = self._started("scheduler", "--port", "0", "--scheduler-file", str(self.told))
        deadline = time.monotonic() + SECONDS
        while not (self.told.exists() and self.told.read_text()):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        self.address = json.loads(self.told.read_text())["address"]

    def worker(self) -> subprocess.Popen[str]:
        self.workers += 1
        own = self.folder / f"worker-{self.workers}"
        return self._started("worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(own))

    def _started(self, kind: str, *options: str) -> subprocess.Popen[str]:
        called = [sys.executable, "-m", f"distributed.cli.dask_{kind}", "--host", "127.0.0.1", "--no-dashboard"]
        environment = {**offline(), "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "0"}
        log = self.stack.enter_context((self.folder / f"{kind}-{self.workers}.log").open("w"))
        process = subprocess.Popen([*called, *options], cwd=ROOT, env=environment, stdout=log, stderr=log, text=True)
        self.stack.callback(process.wait)
        self.stack.callback(process.kill)
        return process


@pytest.fixture
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    with ExitStack() as stack:
        yield Dask(tmp_path_factory.mktemp("dask"), stack)


def started(path: Path, address: str) -> subprocess.Popen[str]:
    """`make experiments CLUSTER=address`, going on meanwhile."""
    called = command(path, "--cluster", address)
    environment = {**offline(), "PYTHONUNBUFFERED": "1"}
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(called, cwd=ROOT, env=environment, **pipes)


def wait_for(process: subprocess.Popen[str], folder: Path, number: int) -> None:
    """Returns once so many trainings are stored."""
    deadline = time.monotonic() + SECONDS
    while len(trainings(folder)) < number:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.02)


def results_of(folder: Path) -> Any:
    return without_times(read_json(folder / "results.json", summary.FORMAT))


def weights_of(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("runs/*/weights.npz")}


@pytest.mark.slow("starts TensorFlow four times")
def test_a_cluster_gives_this_machines_results_even_if_a_worker_is_killed_and_another_joins_late(
    dask: Dask, tmp_path: Path
) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    there = building_study(tmp_path / "there")
    workers = [dask.worker(), dask.worker()]
    process = started(there, dask.address)
    wait_for(process, there.parent, 1)
    workers[0].kill()
    dask.worker()
    told, errors = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, errors
    assert "Cluster: " in told
    here = building_study(tmp_path / "here")
    assert run(here).returncode == 0
    assert weights_of(there.parent) == weights_of(here.parent)
    assert results_of(there.parent) == results_of(here.parent)
    again = run(there, "--cluster", "tcp://127.0.0.1:9")  # nothing to do: no cluster is asked
    assert (again.returncode, again.stderr) == (0, "")


@pytest.mark.slow("starts TensorFlow twice")
def test_losing_the_scheduler_is_one_line_and_keeps_the_finished_runs(dask: Dask, tmp_path: Path) -> None:
    path = building_study(tmp_path)
    dask.worker()
    process = started(path, dask.address)
    wait_for(process, tmp_path, 1)
    dask.scheduler.kill()
    _, told = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert told == (
        f"error: The scheduler at {dask.address} is gone. Finished runs are stored; the same command continues from "
        "there, once there is a scheduler again.\n"
    )
    kept = trainings(tmp_path)
    assert kept
    assert run(path).returncode == 0
    assert {name: when for name, when in trainings(tmp_path).items() if name in kept} == kept


def test_a_run_that_kills_its_workers_is_left_out_and_all_others_are_finished(
    dask: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(worker, "run_unit_remotely", victim.run_unit_remotely)
    monkeypatch.chdir(ROOT)
    for _ in range(4):
        dask.worker()
    store, plan = Store(tmp_path / "results"), studies.load(building_study(tmp_path))
    runs = [found for found in plan.runs("digits") if found.arm.name.startswith("rate")]
    with (
        pytest.raises(UserError, match=r"died twice on rate-0\.01, seed 1, on digits \(.*cluster's workers"),
        cluster.Cluster(dask.address, ()) as executor,
    ):
        runner.execute(plan, [runner.Task(DIGITS, runs)], store, executor=executor)
    left = [str(run_) for run_ in runs if not store.entry(run_, DIGITS.identity).done]
    assert left == ["rate-0.01, seed 1, on digits"]
    assert "retrying each alone, at the end." in capsys.readouterr().out


NO_ANSWER = pytest.param("tcp://127.0.0.1:9", marks=pytest.mark.slow("waits ten seconds for an answer"))


@pytest.mark.parametrize("address", [NO_ANSWER, "nonsense://", "127.0.0.1"])
def test_an_unreachable_scheduler_is_one_line(address: str, tmp_path: Path) -> None:
    result = run(building_study(tmp_path), "--cluster", address)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: No scheduler of a Dask cluster answers at {address}. Expected an address")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "answer", [b"", b"HTTP/1.0 400 Bad Request\r\n\r\n", bytes(1000)], ids=["nothing", "HTTP", "zeros"]
)
def test_whatever_else_listens_at_the_schedulers_address_is_one_line(
    monkeypatch: pytest.MonkeyPatch, answer: bytes
) -> None:
    monkeypatch.setattr(cluster, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as server, ExitStack() as open_connections:

        def serve() -> None:
            connection = open_connections.enter_context(server.accept()[0])
            connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(UserError, match=rf"^No scheduler of a Dask cluster answers at {address}\. "):
            cluster.Cluster(address, ()).submit(print)


def test_a_scheduler_is_found_from_within_an_event_loop_too(dask: Dask, capsys: pytest.CaptureFixture[str]) -> None:
    async def connect() -> None:
        with cluster.Cluster(dask.address, ()) as executor:
            assert executor._executor

    with ThreadPoolExecutor(1) as thread:  # this one may run a loop already, a browser's
        thread.submit(asyncio.run, connect()).result()
    assert capsys.readouterr().out == "Cluster: 0 workers.\n"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("--workers=-1", "JOBS is '-1'. Expected a whole number from 1 to 1024."),
        ("--port=99999", "PORT is '99999'. Expected a whole number from 0 to 65535."),
    ],
)
def test_make_cluster_refuses_impossible_numbers(capsys: pytest.CaptureFixture[str], option: str, message: str) -> None:
    with pytest.raises(SystemExit):
        cluster.parse([option])
    assert message in capsys.readouterr().err


def test_make_cluster_says_so_if_its_port_is_busy() -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(UserError, match=f"^Port {port}: Address already in use. .*make cluster PORT="):
            cluster.main(cluster.parse(["--port", str(port)]))


def test_make_cluster_starts_workers_here_and_names_their_address(tmp_path: Path) -> None:
    called = [sys.executable, "-m", "experiments.training.cluster", "--workers", "1", "--port", "0"]
    process = subprocess.Popen(
        called, cwd=ROOT, env={**os.environ, "TMPDIR": str(tmp_path)}, stdout=subprocess.PIPE, text=True
    )
    try:
        assert process.stdout
        line = process.stdout.readline()
    finally:
        process.terminate()
        process.wait(timeout=SECONDS)
    assert line.startswith("A cluster of 1 workers. In another terminal: make report CLUSTER=tcp://127.0.0.1:")
