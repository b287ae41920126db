"""Missing runs → an executor's workers → the store, a run at a time, with progress.

The unit of work is a network with its missing seeds, so that each worker compiles it once. Workers of this machine
store every run as soon as it is finished: whatever ends the process, at most the runs in flight are lost. Progress is
read off the store, so that no worker can block another, and so is the run that a worker died of: the first of its unit
that is missing. Any other executor's workers may share no disk with this machine: they get smaller units, and what they
finish comes home with their results.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
    ThreadPoolExecutor,
    wait,
)
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.data import sources
from experiments.files.errors import UserError, display_path
from experiments.store import provenance
from experiments.store.store import Entry, Store
from experiments.study.model import Run, Study
from experiments.training import worker
from experiments.training.worker import Unit

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

POLL_SECONDS = 0.2
LOOKING_SHARE = 20  # looking for what is finished takes no more than a twentieth of a processor
WORKER_BYTES = 1.2e9  # what a worker may need; more workers than fit into the memory are not started
AWAY_COST = 30.0  # epochs over 60,000 images: what a worker that shares no disk gets at a time
DEATHS_ALLOWED = 1  # of workers, for each run: a run is tried so often again
DRIVERS = ("/dev/nvidiactl", "/dev/kfd", "/dev/dxg")  # of NVIDIA, of AMD, of either under Windows' Linux
HOPELESS = 3  # so many runs given up before any was finished: it is not the runs


def plan(entries: Iterable[Entry], jobs: int) -> list[Unit]:
    """The runs that lack something as units, the longest first; split until no worker waits long for another."""
    units = _units(entries)
    fair = sum(unit.cost for unit in units) / jobs
    while units:
        units.sort(key=lambda unit: -unit.cost)
        if len(units[0].folders) < 2 or (len(units) >= jobs and units[0].cost <= 1.5 * fair):
            break
        units[:1] = _halves(units[0])
    return units


def plan_away(entries: Iterable[Entry]) -> list[Unit]:
    """The same in small units: a worker that dies costs little, and one that joins late finds something to do.

    Units of one computation follow each other, since a worker keeps what it compiled last.
    """
    longest_first = sorted(_units(entries), key=lambda unit: -unit.cost)
    return [part for unit in longest_first for part in _parts(unit, AWAY_COST)]


def _units(entries: Iterable[Entry]) -> list[Unit]:
    groups: dict[tuple[Any, ...], list[Entry]] = {}
    for entry in entries:
        if not entry.done:
            groups.setdefault(entry.run.arm.computation(), []).append(entry)
    return [Unit(tuple(sorted(group, key=lambda entry: entry.run.seed))) for group in groups.values()]


def _halves(unit: Unit) -> list[Unit]:
    folders = list(unit.folders)
    first = set(folders[: len(folders) // 2])
    return [Unit(tuple(e for e in unit.entries if (e.folder in first) == kept)) for kept in (True, False)]


def _parts(unit: Unit, most: float) -> list[Unit]:
    """The unit in parts that cost at most so much, as far as trainings can be told apart."""
    if unit.cost <= most or len(unit.folders) < 2:
        return [unit]
    return [part for half in _halves(unit) for part in _parts(half, most)]


def default_jobs() -> int:
    """A worker for each processor that this process may use, as far as the memory reaches; one for an accelerator."""
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
    """How many TensorFlow can use. Asked only where there is a driver, in a process of its own: it takes seconds."""
    if not any(os.path.exists(driver) for driver in DRIVERS):
        return 0
    ask = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"
    done = subprocess.run([sys.executable, "-c", ask], capture_output=True, text=True)
    return int(done.stdout) if done.stdout.strip().isdigit() else 0


class LocalPool(Executor):
    """Fresh worker processes on this machine, each in a pool of its own: one that dies fails what it worked on alone.

    (Forking would copy a TensorFlow that was already started.) Shut down with `cancel_futures`, it ends them at once:
    everything that they finished is stored, and nobody waits for the rest.
    """

    def __init__(self, jobs: int, log: Path):
        self.log, self.lock, self.ended = log, threading.Lock(), False
        self.scratch = tempfile.TemporaryDirectory(prefix="workers-", ignore_cleanup_errors=True)
        self.threads = ThreadPoolExecutor(jobs)  # each waits for one worker
        self.idle: list[ProcessPoolExecutor] = []

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        return self.threads.submit(self._pass_on, task, *args, **options)

    def _pass_on(self, task: Callable[..., Any], *args: Any, **options: Any) -> Any:
        with self.lock:
            if self.ended:  # no worker starts any more
                raise CancelledError
            process = self.idle.pop() if self.idle else self._fresh()
            future = process.submit(task, *args, **options)
        try:
            return future.result()
        finally:
            if not isinstance(future.exception(), BrokenExecutor):
                self.idle.append(process)

    def _fresh(self) -> ProcessPoolExecutor:
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            1, mp_context=context, initializer=worker.start, initargs=(self.log, self.scratch.name)
        )

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        with self.lock:
            self.ended = cancel_futures
        self.threads.shutdown(wait and not cancel_futures, cancel_futures=cancel_futures)
        if cancel_futures:
            for child in multiprocessing.active_children():
                child.terminate()
            self.threads.shutdown()
        for process in self.idle:
            process.shutdown()
        self.scratch.cleanup()


Placed = tuple[sources.Source, Entry]  # a run's place, and the data that it is trained on


@dataclass(frozen=True)
class Task:
    """Runs on one data set."""

    source: sources.Source
    runs: Sequence[Run]


def execute(
    plan_: Study,
    tasks: Sequence[Task],
    store: Store,
    jobs: int | None = None,
    executor: Executor | None = None,
    after_early_block: Callable[[], None] | None = None,
) -> int:
    """Trains and measures whatever `tasks` and the runs they build on lack in the store; returns how many lacked it.

    First the runs that others build on and those that build on none, then the others, all by the same workers: `jobs`
    processes of this machine, or those of an `executor`, which need not share a disk with it.
    With `after_early_block`, the first task's early blocks come before all others, one after the other, and it is
    called whenever another one is complete, while the workers go on.
    Raises `UserError` at the end where a run was given up, or at once when a disk is full, and lets Ctrl-C through;
    what is finished stays stored.
    """
    with Workers(store, jobs, executor) as workers:
        if after_early_block:
            workers.early = [block.name for block in plan_.blocks if block.early]
            workers.after_early_block = after_early_block
        missing = workers.do([_first(plan_, task) for task in tasks])
        missing += workers.do([_rest(plan_, task, store) for task in tasks])
    if workers.given_up:
        raise workers.complaint("All runs that do not build on that are finished and stored.")
    return missing


def _first(plan_: Study, task: Task) -> Task:
    needed = dict.fromkeys(need for run in task.runs for need in plan_.needs(run))
    return Task(task.source, [*needed, *(run for run in task.runs if not plan_.needs(run) and run not in needed)])


def _rest(plan_: Study, task: Task, store: Store) -> Task:
    """The runs that build on others, but for those whose others were given up."""
    identity = task.source.identity
    found = store.resolve_runs(plan_, [run for run in task.runs if plan_.needs(run)], identity)
    return Task(task.source, [run for run in found if not run.features or store.entry(run.features, identity).trained])


class Workers:
    """An executor's workers; those of this machine are started when there is something to do, ended with the block.

    A run whose worker dies is tried once more, and given up when it dies again; all others go on.
    """

    def __init__(self, store: Store, jobs: int | None, executor: Executor | None):
        self.store, self.jobs, self.away = store, jobs, executor
        self.log = store.root / "workers.log"
        self.pool: LocalPool | None = None
        self.deaths: Counter[Path] = Counter()  # by the run's measures
        self.given_up: list[Entry] = []
        self.finished = 0
        self.early: list[str] = []  # names of blocks
        self.after_early_block: Callable[[], None] = lambda: None

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if self.pool:
            self.pool.shutdown(cancel_futures=error is not None)

    def do(self, tasks: Sequence[Task]) -> int:
        """Trains and measures what is missing, with progress; returns how many runs that were."""
        entries = [
            (task.source, entry)
            for task in tasks
            for entry in (self.store.entry(run, task.source.identity) for run in task.runs)
            if not entry.done
        ]
        if entries:
            stages = self._stages(entries, tasks[0].source)
            units = [pair for stage in stages for pair in self._planned(stage)]
            milestones = [{entry.measures_path for _, entry in stage} for stage in stages[:-1]]
            with Progress([entry for _, entry in entries]) as progress:
                self._follow(units, progress, milestones)
            self.finished += progress.done
        return len(entries)

    def _stages(self, entries: Sequence[Placed], first: sources.Source) -> list[list[Placed]]:
        """The entries in the order in which they are trained: each early block on the first data set, then the rest."""
        stages = [
            [(source, entry) for source, entry in entries if source is first and entry.run.arm.block == name]
            for name in self.early
        ]
        early = {entry.measures_path for stage in stages for _, entry in stage}
        rest = [pair for pair in entries if pair[1].measures_path not in early]
        return [*filter(None, stages), rest]

    def _planned(self, entries: Sequence[Placed]) -> list[tuple[Unit, sources.Source]]:
        """One stage's units in the order in which they start."""
        planned = []
        for source in dict.fromkeys(source for source, _ in entries):
            own = [entry for place, entry in entries if place == source]
            if not self.away:
                self.jobs = self.jobs or default_jobs()
            units = plan(own, self.jobs) if self.jobs and not self.away else plan_away(own)
            planned += [(unit, source) for unit in units]
        return planned if self.away else sorted(planned, key=lambda pair: -pair[0].cost)  # the longest first

    @cached_property
    def code(self) -> dict[str, Any]:
        """The version of the code that was loaded, whatever is edited while it runs."""
        return provenance.code_version()

    def _started(self, units: int) -> Executor:
        if self.away:
            return self.away
        if not self.pool:
            self.log.parent.mkdir(parents=True, exist_ok=True)
            self.log.write_bytes(b"")
            self.pool = LocalPool(min(self.jobs or 1, units), self.log)
        return self.pool

    def _follow(
        self, units: Sequence[tuple[Unit, sources.Source]], progress: Progress, milestones: list[set[Path]]
    ) -> None:
        """Shows progress until all are done; raises what a worker raised, as soon as it does.

        Reports each of the `milestones`, sets of measures, once all of its measures are there.
        """
        pool, code = self._started(len(units)), self.code

        def submitted(unit: Unit, source: sources.Source) -> Future[Any]:
            if self.away:
                return pool.submit(worker.work_away, unit, self._known(unit, source), source, code)
            return pool.submit(worker.work, unit, self.store, source, code)

        pending = {submitted(*pair): pair for pair in units}
        suspects: list[tuple[Unit, sources.Source]] = []  # each alone, at the end: what lay beside it is not blamed
        while pending or suspects:
            if not pending:
                alone = suspects.pop(0)
                pending[submitted(*alone)] = alone
            done, _ = wait(pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in [future for future in pending if future in done]:  # in the order of their start
                unit, source = pending.pop(future)
                for left in self._left(unit, future, progress):
                    if self.away:
                        suspects.append((left, source))
                    else:
                        pending[submitted(left, source)] = left, source
            progress.look()
            if _pop_reached(milestones, progress) and (pending or suspects):  # at the end the page is written anyway
                self.after_early_block()
        progress.look(now=True)

    def _known(self, unit: Unit, source: sources.Source) -> dict[Run, dict[str, bytes]]:
        """What a worker that does not reach the store needs of it: trained weights that it measures or builds on."""
        needed = {entry.run for entry in unit.entries if entry.trained}
        needed |= {entry.run.features for entry in unit.entries if entry.run.features}
        return {run: self.store.content(self.store.entry(run, source.identity)) for run in needed}

    def _left(self, unit: Unit, future: Future[Any], progress: Progress) -> list[Unit]:
        """What is still to do of a unit that came back; raises its error, unless that is the death of its worker."""
        error = future.exception()
        if not error:
            for entry, files in zip(unit.entries, future.result() or (), strict=False):
                self.store.import_run(entry, files)
            return []
        if not isinstance(error, BrokenExecutor):
            raise error
        if not (left := [entry for entry in unit.entries if not entry.done]):
            return []
        suspects = left if self.away else left[:1]  # whoever works elsewhere does not tell how far it came
        parts = _parts(Unit(tuple(left)), 0) if self.away else [Unit(tuple(left))]
        self.deaths.update(entry.measures_path for entry in suspects)
        run, died = left[0].run, left[0].measures_path
        if len(parts) > 1 or self.deaths[died] <= DEATHS_ALLOWED:
            names, again = f"{run}", "It is tried once more."
            if len(parts) > 1:
                names, again = f"{run}, and {len(left) - 1} more", "Each is tried by itself, at the end."
            progress.tell(f"A worker died (often: out of memory) while it worked on {names}. {again}")
            return parts
        progress.tell(f"A worker died again while it worked on {run}. It is left out.")
        self.given_up.append(left[0])
        progress.look(now=True)
        if len(self.given_up) >= HOPELESS and not self.finished + progress.done:
            raise self.complaint("Nothing was finished meanwhile.")
        return [Unit(tuple(left[1:]))] if left[1:] else []

    def complaint(self, others: str) -> UserError:
        names = "; ".join(str(entry.run) for entry in self.given_up[:3])
        more = f" and {len(self.given_up) - 3} more" if len(self.given_up) > 3 else ""
        fix = f"See {display_path(self.log)}, then go on with fewer workers: make report JOBS=1."
        if self.away:
            fix = "See the logs of the cluster's workers, give them more memory, and run the same command again."
        return UserError(
            f"Workers died twice (often: out of memory) while they worked on {names}{more}. {others} {fix}"
        )


def _pop_reached(milestones: list[set[Path]], progress: Progress) -> bool:
    """Drops the milestones that are reached; returns whether there was one."""
    before, missing = len(milestones), progress.missing() if milestones else set()
    milestones[:] = [measures for measures in milestones if not measures.isdisjoint(missing)]
    return len(milestones) < before


class Progress:
    """Runs done, time left and the last accuracy: a bar on a terminal, a line for each run elsewhere.

    The time left follows from what is still to train, at the speed so far.
    """

    def __init__(self, missing: Sequence[Entry]):
        self.total, self.done, self.waiting = len(missing), 0, dict(enumerate(missing))
        first = {entry.folder: entry.measures_path for entry in reversed(missing)}  # readouts share one training
        self.cost_of = {e.measures_path: e.run.cost * (first[e.folder] == e.measures_path) for e in missing}
        self.cost, self.cost_done = sum(self.cost_of.values()), 0.0
        self.started = self.next_look = time.monotonic()
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

    def look(self, now: bool = False) -> None:
        """Counts and shows what was finished since the last look; more seldom where many runs are waited for."""
        if time.monotonic() < self.next_look and not now:
            return
        began = time.monotonic()
        for number in [number for number, entry in self.waiting.items() if entry.done]:
            self.finished(self.waiting.pop(number))
        self.next_look = time.monotonic() + LOOKING_SHARE * (time.monotonic() - began)

    def missing(self) -> set[Path]:
        """The measures that were not there at the last look."""
        return {entry.measures_path for entry in self.waiting.values()}

    def tell(self, line: str) -> None:
        """Says something besides."""
        if self.bar:
            self.bar.console.print(line, highlight=False, markup=False)
        else:
            print(line, flush=True)

    def finished(self, entry: Entry) -> None:
        self.done += 1
        self.cost_done += self.cost_of.pop(entry.measures_path, 0.0)  # two arms may be one and the same network
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
