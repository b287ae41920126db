"""Missing runs → an executor's workers → the store, a run at a time, with progress.

The unit of work is a network with its missing seeds, so that each worker compiles it once. Workers store every run as
soon as it is finished: whatever ends the process, at most the runs in flight are lost. Progress is read off the store,
so that no worker can block another, and so is the run that a worker died of: the first of its unit that is missing.
Nothing here imports TensorFlow but the worker.
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
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments import data, provenance, sources, study
from experiments.errors import UserError, shown
from experiments.store import Entry, Store

if TYPE_CHECKING:  # importing it would import TensorFlow
    from experiments.training import Trained, Trainer

POLL_SECONDS = 0.2
WORKER_BYTES = 1.2e9  # what a worker may need; more workers than fit into the memory are not started
DEATHS_ALLOWED = 1  # of workers, for each run: a run is tried so often again
HOPELESS = 3  # so many runs given up before any was finished: it is not the runs


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
        if not entry.done:
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


def work(unit: Unit, store: Store, source: sources.Source, code: Mapping[str, Any]) -> None:
    """Trains and measures what the unit lacks, storing each run as it is finished; `code` is its version."""
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
            told = {"compile_seconds": trainer.compile_seconds, **_readout_seconds(trainer), **code}
            store.save_training(entry, {"arm": run.arm.name, **_training(trained, started), **told}, trained.snapshots)
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


def _training(trained: Trained, started: datetime) -> dict[str, Any]:
    """What training.json holds of the training itself; a loss that is not finite is null."""
    diverged = trained.diverged_epoch
    return {
        "training_loss": [
            None if diverged and epoch >= diverged else loss for epoch, loss in enumerate(trained.training_loss, 1)
        ],
        "test_accuracy": trained.test_accuracy,
        "epoch_seconds": trained.epoch_seconds,
        "diverged_epoch": diverged,
        "started": started.isoformat(timespec="seconds"),
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": provenance.machine(threads=1),
        "python": platform.python_version(),
    }


# ---------------------------------------------------------------------------------------------- in the parent


def default_jobs() -> int:
    """A worker for each processor that this process may use, as far as the memory reaches."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return processors
    return max(1, min(processors, int(memory // WORKER_BYTES)))


class LocalPool(Executor):
    """Fresh worker processes on this machine, each in a pool of its own: one that dies fails what it worked on alone.

    (Forking would copy a TensorFlow that was already started.) Shut down with `cancel_futures`, it ends them at once:
    everything that they finished is stored, and nobody waits for the rest.
    """

    def __init__(self, jobs: int, log: Path):
        self.log, self.lock, self.ended = log, threading.Lock(), False
        self.threads = ThreadPoolExecutor(jobs)  # each waits for one worker
        self.idle: list[ProcessPoolExecutor] = []

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        return self.threads.submit(self._pass_on, task, *args, **options)

    def _pass_on(self, task: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self.lock:
            if self.ended:  # no worker starts any more
                raise CancelledError
            worker = self.idle.pop() if self.idle else self._fresh()
            future = worker.submit(task, *args, **options)
        try:
            return future.result()
        finally:
            if not isinstance(future.exception(), BrokenExecutor):
                self.idle.append(worker)

    def _fresh(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(1, mp_context=context, initializer=start_worker, initargs=(self.log,))

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self.lock:
            self.ended = cancel_futures
        self.threads.shutdown(wait and not cancel_futures, cancel_futures=cancel_futures)
        if cancel_futures:
            for child in multiprocessing.active_children():
                child.terminate()
            self.threads.shutdown()
        for worker in self.idle:
            worker.shutdown()


@dataclass(frozen=True)
class Task:
    """Runs on one data set."""

    source: sources.Source
    runs: Sequence[study.Run]


def execute(plan_: study.Study, tasks: Sequence[Task], store: Store, jobs: int | None = None) -> int:
    """Trains and measures whatever `tasks` and the runs they build on lack in the store; returns how many lacked it.

    First the runs that others build on and those that build on none, then the others, all by the same workers.
    Raises `UserError` at the end where a run was given up, or at once when a disk is full, and lets Ctrl-C through;
    what is finished stays stored.
    """
    with Workers(store, jobs or default_jobs()) as workers:
        missing = workers.do([_first(plan_, task) for task in tasks])
        missing += workers.do([_rest(plan_, task, store) for task in tasks])
    if workers.given_up:
        raise workers.complaint("All runs that do not build on that are finished and stored.")
    return missing


def _first(plan_: study.Study, task: Task) -> Task:
    needed = dict.fromkeys(need for run in task.runs for need in plan_.needs(run))
    return Task(task.source, [*needed, *(run for run in task.runs if not plan_.needs(run) and run not in needed)])


def _rest(plan_: study.Study, task: Task, store: Store) -> Task:
    """The runs that build on others, but for those whose others were given up."""
    identity = task.source.identity
    found = store.resolved(plan_, [run for run in task.runs if plan_.needs(run)], identity)
    return Task(task.source, [run for run in found if not run.features or store.entry(run.features, identity).trained])


class Workers:
    """An executor's workers, started when there is something to do, ended with the block.

    A run whose worker dies is tried once more, and given up when it dies again; all others go on.
    """

    def __init__(self, store: Store, jobs: int):
        self.store, self.jobs = store, jobs
        self.log = store.root / "workers.log"
        self.pool: Executor | None = None
        self.deaths: Counter[Path] = Counter()  # by the run's measures
        self.given_up: list[Entry] = []
        self.finished = 0

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=error is not None)

    def do(self, tasks: Sequence[Task]) -> int:
        """Trains and measures what is missing, with progress; returns how many runs that were."""
        entries = {task.source: [self.store.entry(run, task.source.identity) for run in task.runs] for task in tasks}
        units = [(unit, source) for source, own in entries.items() for unit in plan(own, self.jobs)]
        units.sort(key=lambda pair: -pair[0].cost)  # the longest first
        missing = [entry for unit, _ in units for entry in unit.entries]
        if missing:
            self.pool = self.pool or self._started(len(units))
            with Progress(missing) as progress:
                self._follow(units, self.pool, progress)
            self.finished += progress.done
        return len(missing)

    def _started(self, units: int) -> Executor:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        self.log.write_bytes(b"")
        self.code = provenance.code_version()
        return LocalPool(min(self.jobs, units), self.log)

    def _follow(self, units: Sequence[tuple[Unit, sources.Source]], pool: Executor, progress: Progress) -> None:
        """Shows progress until all are done; raises what a worker raised, as soon as it does."""

        def submitted(unit: Unit, source: sources.Source) -> Future[None]:
            return pool.submit(work, unit, self.store, source, self.code)

        pending = {submitted(*pair): pair for pair in units}
        while pending:
            done, _ = wait(pending, timeout=POLL_SECONDS)
            progress.look()
            for future in [future for future in pending if future in done]:  # in the order of their start
                unit, source = pending.pop(future)
                if left := self._left(unit, future.exception(), progress):
                    pending[submitted(left, source)] = left, source

    def _left(self, unit: Unit, error: BaseException | None, progress: Progress) -> Unit | None:
        """What is still to do of a unit that came back; raises its `error`, unless that is the death of its worker."""
        if error and not isinstance(error, BrokenExecutor):
            raise error
        left = [entry for entry in unit.entries if not entry.done] if error else []
        if not left:
            return None
        run, died = left[0].run, left[0].measures_path
        self.deaths[died] += 1
        if self.deaths[died] <= DEATHS_ALLOWED:
            progress.tell(f"A worker died (often: out of memory) while it worked on {run}. It is tried once more.")
            return Unit(tuple(left))
        progress.tell(f"A worker died again while it worked on {run}. It is left out.")
        self.given_up.append(left[0])
        if len(self.given_up) >= HOPELESS and not self.finished + progress.done:
            raise self.complaint("Nothing was finished meanwhile.")
        return Unit(tuple(left[1:])) if left[1:] else None

    def complaint(self, others: str) -> UserError:
        names = "; ".join(str(entry.run) for entry in self.given_up[:3])
        more = f" and {len(self.given_up) - 3} more" if len(self.given_up) > 3 else ""
        return UserError(
            f"Workers died twice (often: out of memory) while they worked on {names}{more}. {others} "
            f"See {shown(self.log)}, then go on with fewer workers: make report JOBS=1."
        )


class Progress:
    """Runs done, time left and the last accuracy: a bar on a terminal, a line for each run elsewhere.

    The time left follows from what is still to train, at the speed so far.
    """

    def __init__(self, missing: Sequence[Entry]):
        self.total, self.done, self.waiting = len(missing), 0, list(missing)
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

    def look(self) -> None:
        """Counts and shows what was finished since the last look."""
        for entry in [entry for entry in self.waiting if entry.done]:
            self.waiting.remove(entry)
            self.finished(entry)

    def tell(self, line: str) -> None:
        """Says something besides."""
        if self.bar:
            self.bar.console.print(line, highlight=False, markup=False)
        else:
            print(line, flush=True)

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
