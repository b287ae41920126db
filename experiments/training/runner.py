"""Missing runs → workers → the store, with progress.

A unit of work is a network with its missing seeds, so that each worker compiles it once. Whatever ends this process, at
most the runs in flight are lost. A run whose worker dies is retried once and then abandoned; all others go on.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, Executor, Future, wait
from dataclasses import dataclass
from pathlib import Path

from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.store.store import Entry, Store
from experiments.study.model import Run, Study
from experiments.training.backends import Backend, LocalBackend, Outcome, RemoteBackend
from experiments.training.progress import Progress
from experiments.training.units import Unit

POLL_SECONDS = 0.2
MAX_DEATHS = 2  # of workers on one run, which is then abandoned
ABORT_AFTER_FAILURES = 3  # runs abandoned before any was finished: the runs are not to blame

Missing = dict[Source, list[Entry]]


@dataclass(frozen=True)
class Task:
    """Runs on one data set."""

    source: Source
    runs: Sequence[Run]


def execute(
    study: Study,
    tasks: Sequence[Task],
    store: Store,
    jobs: int | None = None,
    executor: Executor | None = None,
    after_early_block: Callable[[], None] | None = None,
) -> int:
    """Trains and measures the missing runs of `tasks` and those that they depend on; returns how many were missing.

    The first task is trained before the others; of each task, the runs that depend on others come last. The workers are
    `jobs` processes on this machine, or those of an `executor`, which need not share a disk with it. With
    `after_early_block`, the first task's early blocks come before its other runs, one after the other. It is called
    whenever one of them, or all that can be trained of a task, is complete, while the workers go on.
    Raises `UserError` at the end if a run was abandoned, or at once if a disk is full, and lets Ctrl-C through;
    finished runs stay stored.
    """
    early_blocks = [block.name for block in study.blocks if block.early] if after_early_block else []
    with RemoteBackend(store, executor) if executor else LocalBackend(store, jobs) as backend:
        scheduler = Scheduler(backend, early_blocks, after_early_block or (lambda: None))
        first, *others = tasks
        missing = scheduler.run([_independent(study, first)])
        missing += scheduler.run([_dependent(study, first, store), *(_independent(study, task) for task in others)])
        missing += scheduler.run([_dependent(study, task, store) for task in others])
    if scheduler.abandoned:
        raise scheduler.error("All runs that do not depend on them are finished and stored.")
    return missing


def _independent(study: Study, task: Task) -> Task:
    """The runs that others depend on, then the rest of those that depend on none."""
    needed = dict.fromkeys(need for run in task.runs for need in study.needs(run))
    return Task(task.source, [*needed, *(run for run in task.runs if not study.needs(run) and run not in needed)])


def _dependent(study: Study, task: Task, store: Store) -> Task:
    """The runs that depend on others, without those whose others were abandoned."""
    identity = task.source.identity
    runs = store.resolve_runs(study, [run for run in task.runs if study.needs(run)], identity)
    return Task(task.source, [run for run in runs if not run.features or store.entry(run.features, identity).trained])


class Scheduler:
    """Sends units to a backend's workers until every run is done or abandoned."""

    def __init__(self, backend: Backend, early_blocks: Sequence[str], after_early_block: Callable[[], None]):
        self.backend, self.early_blocks, self.after_early_block = backend, early_blocks, after_early_block
        self.pending: dict[Future[Outcome], Unit] = {}
        self.retry_alone: deque[Unit] = deque()
        self.deaths: Counter[Path] = Counter()  # by the run's measures
        self.abandoned: list[Entry] = []
        self.finished = 0  # by earlier calls of `run`

    def run(self, tasks: Iterable[Task]) -> int:
        """Trains and measures what is missing, with progress; returns how many runs that was."""
        store = self.backend.store
        missing: Missing = {}
        for task in tasks:
            entries = [store.entry(run, task.source.identity) for run in task.runs]
            missing.setdefault(task.source, []).extend(entry for entry in entries if not entry.done)
        if everything := [entry for entries in missing.values() for entry in entries]:
            stages = self._stages(missing)
            milestones = [_measures(stage) for stage in stages[:-1]]
            with Progress(everything) as progress:
                self._train([unit for stage in stages for unit in self.backend.plan(stage)], progress, milestones)
            self.finished += progress.done
        return len(everything)

    def _stages(self, missing: Missing) -> list[Missing]:
        """The runs in the order of their training: the first data set's early blocks, its rest, the other data sets."""
        first = next(iter(missing))
        blocks = [[e for e in missing[first] if e.run.arm.block == name] for name in self.early_blocks]
        early = [{first: block} for block in blocks if block]
        started = set().union(*map(_measures, early))
        rest = [{source: [e for e in entries if e.measures_path not in started]} for source, entries in missing.items()]
        return [*early, *(stage for stage in rest if _measures(stage))]

    def _train(self, units: Iterable[Unit], progress: Progress, milestones: list[set[Path]]) -> None:
        """Returns when all units are done; raises what a worker raised as soon as it does.

        A milestone is a set of measures. It is announced once they are all there, unless nothing is left to wait for.
        """
        for unit in units:
            self._submit(unit)
        while self.pending or self.retry_alone:
            if not self.pending:
                self._submit(self.retry_alone.popleft())
            done, _ = wait(self.pending, timeout=POLL_SECONDS, return_when=FIRST_COMPLETED)
            for future in [future for future in self.pending if future in done]:  # in the order of their start
                self._collect(self.pending.pop(future), future, progress)
            progress.poll()
            if _pop_reached(milestones, progress) and (self.pending or self.retry_alone):
                self.after_early_block()
        progress.poll(now=True)

    def _submit(self, unit: Unit) -> None:
        self.pending[self.backend.submit(unit)] = unit

    def _collect(self, unit: Unit, future: Future[Outcome], progress: Progress) -> None:
        error = future.exception()
        if error is None:
            self.backend.collect(unit, future.result())
        elif not isinstance(error, BrokenExecutor):
            raise error
        elif (missing := unit.missing()).entries:
            self._recover(missing, progress)

    def _recover(self, missing: Unit, progress: Progress) -> None:
        """Retries the missing runs of a unit whose worker died; abandons the first one if it has done so before."""
        self.deaths.update(entry.measures_path for entry in self.backend.suspects(missing))
        parts, first = self.backend.split_after_death(missing), missing.entries[0]
        if len(parts) > 1:
            others = f"{first.run}, or {len(missing.entries) - 1} more"
            progress.print(f"A worker died on {others} (out of memory?); retrying each alone, at the end.")
        elif self.deaths[first.measures_path] < MAX_DEATHS:
            progress.print(f"A worker died on {first.run} (out of memory?); retrying once.")
        else:
            self._abandon(first, progress)
            rest = missing.without(first)
            parts = [rest] if rest.entries else []
        for part in parts:
            if self.backend.retries_alone:
                self.retry_alone.append(part)
            else:
                self._submit(part)

    def _abandon(self, entry: Entry, progress: Progress) -> None:
        progress.print(f"A worker died again on {entry.run}; leaving it out.")
        self.abandoned.append(entry)
        progress.poll(now=True)
        if len(self.abandoned) >= ABORT_AFTER_FAILURES and not self.finished + progress.done:
            raise self.error("No other run was finished.")

    def error(self, others: str) -> UserError:
        """What to tell the user about the abandoned runs, and about the others."""
        names = "; ".join(str(entry.run) for entry in self.abandoned[:3])
        more = f" and {len(self.abandoned) - 3} more" if len(self.abandoned) > 3 else ""
        return UserError(f"Workers died twice on {names}{more} (out of memory?). {others} {self.backend.advice}")


def _measures(missing: Missing) -> set[Path]:
    return {entry.measures_path for entries in missing.values() for entry in entries}


def _pop_reached(milestones: list[set[Path]], progress: Progress) -> bool:
    """Drops the first milestones as far as they are reached; returns whether one was.

    A later one may be reached before an earlier one, whose worker started late. It waits: its page needs both.
    """
    before, missing = len(milestones), progress.missing() if milestones else set()
    while milestones and milestones[0].isdisjoint(missing):
        milestones.pop(0)
    return len(milestones) < before
