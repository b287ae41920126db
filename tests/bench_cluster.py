"""`make bench WHAT=cluster`: two workers of a Dask cluster on this machine beside two of the local pool.

Throughput: the three examples, cold, as whole processes in turn. Overhead: what a run costs besides its training, where
the training is nothing: sent out, brought home, stored.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from experiments.data.sources import DIGITS
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Run
from experiments.training import cluster, runner, worker
from tests import victim

ROUNDS, JOBS, RUNS = 3, 2, 500


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, cluster.local(JOBS, port=0) as address:
        overhead(Path(folder), address)
        throughput(Path(folder), address)


def throughput(folder: Path, address: str) -> None:
    ways = {"local pool": ("--jobs", str(JOBS)), "Dask": ("--cluster", address)}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for number in range(1, ROUNDS + 1):
        print(f"Round {number} of {ROUNDS} …", flush=True)
        for way, options in ways.items():
            results = folder / f"{way} {number}"
            called = [sys.executable, "-m", "experiments", "run", "--only", "examples", "--results", str(results)]
            start = time.perf_counter()
            subprocess.run([*called, *options], check=True, stdout=subprocess.DEVNULL)
            seconds[way].append(time.perf_counter() - start)
    first = statistics.median(seconds["local pool"])
    for way, took in seconds.items():
        median = statistics.median(took)
        print(f"{way:12} {median:6.1f} s for the three examples: {first / median:.2f} × the local pool's throughput")


def overhead(folder: Path, address: str) -> None:
    original = worker.run_unit_remotely
    worker.run_unit_remotely = victim.run_unit_remotely  # made-up arrays in place of a training
    plan = studies.load()
    arm = plan.arm("example-1")
    runs = [Run(arm, seed, DIGITS.name, epochs=1250) for seed in range(RUNS)]  # so many, that each is a unit
    store = Store(folder / "overhead")
    with cluster.Cluster(address, ()) as executor:
        executor.submit(int).result()  # connected
        start = time.perf_counter()
        runner.execute(plan, [runner.Task(DIGITS, runs)], store, executor=executor)
        took = time.perf_counter() - start
    worker.run_unit_remotely = original
    print(
        f"Dask: {1000 * took / RUNS:.1f} ms a run besides its training ({RUNS} made-up runs, brought home and stored)."
    )


if __name__ == "__main__":
    main()
