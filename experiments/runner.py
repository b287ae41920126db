"""Missing runs → an executor's workers → the store, a run at a time, with progress.

The unit of work is a network with its missing seeds, so that each worker compiles it once. Workers store every run as
soon as it is finished: whatever ends the process, at most the runs in flight are lost. Progress is read off the store,
so that no worker can block another. Nothing here imports TensorFlow but the worker.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import platform
import signal
import sys
import threading
import time
import timeit
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import data, sources, study
from experiments.errors import UserError, shown
from experiments.store import Entry, Store

if TYPE_CHECKING:  # importing it would import TensorFlow
    from experiments.training import Trained, Trainer

POLL_SECONDS = 0.2
WORKER_BYTES = 1.2e9  # what a worker may need; more workers than fit into the memory are not started


@dataclass(frozen=True)
class Unit:
    """Runs of one computation, to be trained by one worker with one compilation."""

    entries: tuple[Entry, ...]

    @property
    def folders(self) -> dict[Path, float]:
        """The trainings, each with its cost: two readouts of one network share theirs."""
        return {entry.folder: entry.run.cost for entry in self.entries}

    @property
    def cost(self) -> float:
        return sum(self.folders.values())


def plan(entries: Iterable[Entry], jobs: int) -> list[Unit]:
    """The runs that lack something as units, the longest first; split until no worker waits long for another."""
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        if not (entry.trained and entry.measured):
            groups.setdefault(entry.run.arm.computation(), []).append(entry)
    units = [Unit(tuple(sorted(group, key=lambda entry: entry.run.seed))) for group in groups.values()]
    fair = sum(unit.cost for unit in units) / jobs
    while units:
        units.sort(key=lambda unit: -unit.cost)
        if len(units[0].folders) < 2 or (len(units) >= jobs and units[0].cost <= 1.5 * fair):
            break
        units[:1] = _halves(units[0])
    return units


def _halves(unit: Unit) -> list[Unit]:
    folders = list(unit.folders)
    first = set(folders[: len(folders) // 2])
    return [Unit(tuple(e for e in unit.entries if (e.folder in first) == kept)) for kept in (True, False)]


# ---------------------------------------------------------------------------------------------- in the worker


def start_worker(log: Path) -> None:
    """Makes this process a worker: one thread, its noise into `log`, ended with its parent."""
    os.environ.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="-1")
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all: the parent alone decides, at once
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()

    with _not_importable("matplotlib", "sklearn"):  # Keras would, for helpers not used here: two seconds and 100 MB
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)


@contextlib.contextmanager
def _not_importable(*names: str) -> Iterator[None]:
    """Within it, importing `names` fails as if they were not installed."""
    hidden = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def _end_with(sentinel: int) -> None:
    """Ends this process once its parent is gone, even by `kill -9`: nobody would want its results."""
    multiprocessing.connection.wait([sentinel])
    os._exit(1)


@cache
def _loaded(source: sources.Source) -> data.Dataset:
    """The data, once for all units of a worker."""
    return source.load()


def work(unit: Unit, store: Store, source: sources.Source) -> None:
    """Trains and measures what the unit lacks, storing each run as it is finished."""
    from experiments import measures
    from experiments.training import Trainer

    dataset = _loaded(source)
    gc.collect()  # the unit before leaves a network, its compiled programs and a copy of the images in cycles
    trainer = Trainer(unit.entries[0].run.arm, dataset)
    for entry in unit.entries:
        run, features = entry.run, None
        if run.features:
            features = store.entry(run.features, source.identity).snapshots()["final"]
        if not entry.trained:
            started = datetime.now(UTC)
            trained = trainer.train(run.arm, run.seed, run.epochs, features)
            times = {"compile_seconds": trainer.compile_seconds, **_readout_seconds(trainer)}
            store.save_training(entry, _training(trained, times, started), trained.snapshots)
        if not entry.measured:
            snapshots = {"start": trainer.start(run.arm, run.seed, features), **entry.snapshots()}
            outputs = trainer.outputs(snapshots["final"])
            store.save_measures(entry, measures.measure(run.arm, snapshots, outputs, trainer.dataset))


def _readout_seconds(trainer: Trainer) -> dict[str, float]:
    """What predicting the test images takes, once more after all epochs', and what Example 2's map adds to it."""
    from experiments.measures import read_out

    started = time.perf_counter()
    outputs = trainer.outputs()
    predicted = time.perf_counter() - started
    return {
        "predict_seconds": predicted,
        "map_seconds": min(timeit.repeat(lambda: read_out(outputs, "half_shift"), number=1, repeat=3)),
    }


def _training(trained: Trained, times: Mapping[str, float], started: datetime) -> dict[str, Any]:
    """What training.json holds besides its key; a loss that is not finite is null."""
    diverged = trained.diverged_epoch
    return {
        "training_loss": [
            None if diverged and epoch >= diverged else loss for epoch, loss in enumerate(trained.training_loss, 1)
        ],
        "test_accuracy": trained.test_accuracy,
        "epoch_seconds": trained.epoch_seconds,
        "diverged_epoch": diverged,
        **times,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"processor": processor(), "system": platform.system(), "threads": 1},
        "python": platform.python_version(),
    }


def processor() -> str:
    """The processor's name as the system tells it; it names neither the machine nor its user."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


# ---------------------------------------------------------------------------------------------- in the parent


def default_jobs() -> int:
    """A worker for each processor that this process may use, as far as the memory reaches."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return processors
    return max(1, min(processors, int(memory // WORKER_BYTES)))


def local_pool(jobs: int, log: Path) -> ProcessPoolExecutor:
    """Fresh worker processes on this machine. (Forking would copy a TensorFlow that was already started.)"""
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(jobs, mp_context=context, initializer=start_worker, initargs=(log,))


@dataclass(frozen=True)
class Task:
    """Runs on one data set."""

    source: sources.Source
    runs: Sequence[study.Run]


def execute(plan_: study.Study, tasks: Sequence[Task], store: Store, jobs: int | None = None) -> int:
    """Trains and measures whatever `tasks` and the runs they build on lack in the store; returns how many lacked it.

    First the runs that others build on and those that build on none, then the others, all by the same workers.
    Raises `UserError` when a worker dies or its disk is full, and lets Ctrl-C through; what is finished stays stored.
    """
    with Workers(store, jobs or default_jobs()) as workers:
        missing = workers.do([_first(plan_, task) for task in tasks])
        return missing + workers.do([_rest(plan_, task, store) for task in tasks])


def _first(plan_: study.Study, task: Task) -> Task:
    needed = dict.fromkeys(need for run in task.runs for need in plan_.needs(run))
    return Task(task.source, [*needed, *(run for run in task.runs if not plan_.needs(run) and run not in needed)])


def _rest(plan_: study.Study, task: Task, store: Store) -> Task:
    waiting = [run for run in task.runs if plan_.needs(run)]
    return Task(task.source, store.resolved(plan_, waiting, task.source.identity))


class Workers:
    """A pool of worker processes on this machine, started when there is something to do, ended with the block."""

    def __init__(self, store: Store, jobs: int):
        self.store, self.jobs = store, jobs
        self.log = store.root / "workers.log"
        self.pool: Executor | None = None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self.pool and error:
            _stop(self.pool)
        elif self.pool:
            self.pool.shutdown()

    def do(self, tasks: Sequence[Task]) -> int:
        """Trains and measures what is missing, with progress; returns how many runs that were."""
        entries = {task.source: [self.store.entry(run, task.source.identity) for run in task.runs] for task in tasks}
        units = [(unit, source) for source, own in entries.items() for unit in plan(own, self.jobs)]
        units.sort(key=lambda pair: -pair[0].cost)  # the longest first
        missing = [entry for unit, _ in units for entry in unit.entries]
        if missing:
            self.pool = self.pool or self._started(len(units))
            _follow([self.pool.submit(work, unit, self.store, source) for unit, source in units], missing, self.log)
        return len(missing)

    def _started(self, units: int) -> Executor:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        return local_pool(min(self.jobs, units), self.log)


def _stop(pool: Executor) -> None:
    """Ends the workers at once: everything that they finished is stored, and nobody waits for the rest."""
    pool.shutdown(wait=False, cancel_futures=True)
    for child in multiprocessing.active_children():
        child.terminate()
    for child in multiprocessing.active_children():
        child.join()


def _follow(futures: Sequence[Future[None]], missing: Sequence[Entry], log: Path) -> None:
    """Shows progress until all are done; raises what a worker raised, as soon as it does."""
    waiting = list(missing)
    pending = set(futures)
    with Progress(missing) as progress:
        while pending:
            done, pending = wait(pending, timeout=POLL_SECONDS)
            for entry in [entry for entry in waiting if entry.trained and entry.measured]:
                waiting.remove(entry)
                progress.finished(entry)
            for future in done:
                _raise_for(future, waiting, log)


def _raise_for(future: Future[None], waiting: Sequence[Entry], log: Path) -> None:
    error = future.exception()
    if isinstance(error, BrokenExecutor):
        names = ", ".join(str(entry.run) for entry in waiting[:3])
        raise UserError(
            f"A worker process died (often: out of memory) with {len(waiting)} runs to go, the first: {names}. "
            f"What was finished is stored. See {shown(log)}, then go on with fewer workers: make report JOBS=1."
        ) from error
    if error is not None:
        raise error


class Progress:
    """Runs done, time left and the last accuracy: a bar on a terminal, a line for each run elsewhere.

    The time left follows from what is still to train, at the speed so far.
    """

    def __init__(self, missing: Sequence[Entry]):
        self.total, self.done = len(missing), 0
        first = {entry.folder: entry.measures_path for entry in reversed(missing)}  # readouts share one training
        self.cost_of = {e.measures_path: e.run.cost * (first[e.folder] == e.measures_path) for e in missing}
        self.cost, self.cost_done = sum(self.cost_of.values()), 0.0
        self.started = time.monotonic()
        self.last = ""

    def __enter__(self) -> Progress:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        console = Console()
        self.bar: Bar | None = None
        if console.is_terminal:
            text = TextColumn("{task.description}")
            self.bar = Bar(text, BarColumn(bar_width=30), TextColumn("{task.fields[told]}"), console=console)
            self.task = self.bar.add_task("Runs", total=self.cost, told=self._told())
            self.bar.start()
        else:
            print(f"{self.total} runs to train or measure …", flush=True)
        return self

    def __exit__(self, *_: object) -> None:
        if self.bar:
            self.bar.stop()

    def finished(self, entry: Entry) -> None:
        self.done += 1
        self.cost_done += self.cost_of[entry.measures_path]
        self.last = f"{entry.run.arm.name}, seed {entry.run.seed}: {entry.measures()['test_accuracy']:.2%}"
        if self.bar:
            self.bar.update(self.task, completed=self.cost_done, told=self._told())
        else:
            print(self._told(), flush=True)

    def _told(self) -> str:
        if not self.cost_done:
            return f"{self.done}/{self.total} done, TensorFlow is starting …"
        speed = self.cost_done / (time.monotonic() - self.started)
        minutes, seconds = divmod(round((self.cost - self.cost_done) / speed), 60)
        return f"{self.done}/{self.total} done, {minutes} min {seconds:02d} s left · {self.last}"
