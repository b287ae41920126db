"""Worker processes on this machine, and how many of them fit."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import ParamSpec, TypeVar

from experiments.training import worker

P = ParamSpec("P")
T = TypeVar("T")
WORKER_BYTES = 1.2e9  # what a worker may need; we start no more workers than fit into memory
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # NVIDIA's, AMD's, and either one's under Windows' Linux


def default_jobs() -> int:
    """One worker for each processor that this process may use, as far as memory allows; one for an accelerator."""
    if accelerators():
        return 1
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return processors
    return max(1, min(processors, int(memory // WORKER_BYTES)))


@cache
def accelerators() -> int:
    """How many TensorFlow can use. We ask it only if there is a driver, in another process: that takes seconds."""
    if not any(os.path.exists(driver) for driver in DRIVERS):
        return 0
    code = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    return int(result.stdout) if result.stdout.strip().isdigit() else 0


class LocalPool(Executor):
    """Up to `jobs` fresh processes on this machine, each a pool of its own, so that one that dies fails only its task.

    (Forking would copy a TensorFlow that was already started.) `shutdown(cancel_futures=True)` ends them at once:
    everything that they finished is stored, and nobody waits for the rest.
    """

    def __init__(self, jobs: int, log: Path):
        self.log, self.lock, self.closed = log, threading.Lock(), False
        self.scratch = tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True)
        self.threads = ThreadPoolExecutor(jobs)  # each waits for one process
        self.idle: list[ProcessPoolExecutor] = []

    def submit(self, task: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        return self.threads.submit(lambda: self._run(task, *args, **options))

    def _run(self, task: Callable[P, T], *args: P.args, **options: P.kwargs) -> T:
        with self.lock:
            if self.closed:  # start no more processes
                raise CancelledError
            process = self.idle.pop() if self.idle else self._start_process()
            future = process.submit(task, *args, **options)
        try:
            return future.result()
        finally:
            if not isinstance(future.exception(), BrokenExecutor):
                self.idle.append(process)

    def _start_process(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            1, mp_context=context, initializer=worker.start, initargs=(self.log, self.scratch.name)
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self.lock:
            self.closed = cancel_futures
        self.threads.shutdown(wait and not cancel_futures, cancel_futures=cancel_futures)
        if cancel_futures:
            for child in multiprocessing.active_children():
                child.terminate()
            self.threads.shutdown()
        for process in self.idle:
            process.shutdown()
        self.scratch.cleanup()
