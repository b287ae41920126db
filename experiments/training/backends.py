"""Where units are trained: by processes on this machine, or by any executor's workers, which may not share its disk.

A local worker stores each run as soon as it is finished, so after its death the store shows how far it came. A remote
worker's runs are stored when its whole unit comes back, so units are small, and any of its runs may have killed it.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor, Future
from functools import cached_property

from experiments.data.sources import Source
from experiments.files.errors import display_path
from experiments.files.reading import open_nofollow
from experiments.store import provenance
from experiments.store.provenance import CodeVersion
from experiments.store.store import Entry, Store
from experiments.training import units, worker
from experiments.training.pool import LocalPool, default_jobs
from experiments.training.units import Unit
from experiments.training.worker import Files

Outcome = list[Files] | None  # of a unit: the files of its runs, from a worker that has not stored them itself


class Backend(ABC):
    """What the scheduler needs of the workers; as a context manager, it ends those that it started."""

    advice: str  # for users whose workers die
    retries_alone: bool  # whether to retry a unit only when nothing else is pending

    def __init__(self, store: Store):
        self.store = store

    def __enter__(self) -> Backend:
        return self

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.close(now=error is not None)

    @abstractmethod
    def close(self, now: bool) -> None:
        """Ends the workers; `now` drops what they are working on."""

    @cached_property
    def code(self) -> CodeVersion:
        """The version of the code, as it was when training began, whatever is edited meanwhile."""
        return provenance.code_version()

    @abstractmethod
    def plan(self, missing: Mapping[Source, Sequence[Entry]]) -> list[Unit]:
        """The missing runs as units, in the order in which they start."""

    @abstractmethod
    def submit(self, unit: Unit) -> Future[Outcome]: ...

    @abstractmethod
    def collect(self, unit: Unit, result: Outcome) -> None:
        """Stores what a finished unit returned."""

    @abstractmethod
    def suspects(self, unit: Unit) -> Sequence[Entry]:
        """Those of a dead worker's missing runs that may have killed it."""

    @abstractmethod
    def split_after_death(self, unit: Unit) -> list[Unit]:
        """A dead worker's missing runs as the units to retry."""


class LocalBackend(Backend):
    """Up to `jobs` processes on this machine, started when there is something to do."""

    retries_alone = False

    def __init__(self, store: Store, jobs: int | None = None):
        super().__init__(store)
        self._jobs = jobs
        self.log = store.root / "workers.log"
        self.advice = f"See {display_path(self.log)}, then go on with fewer workers: make report JOBS=1."

    def close(self, now: bool) -> None:
        if "pool" in vars(self):
            self.pool.shutdown(cancel_futures=now)

    @cached_property
    def jobs(self) -> int:
        return self._jobs or default_jobs()

    @cached_property
    def pool(self) -> LocalPool:
        self.log.parent.mkdir(parents=True, exist_ok=True)
        open(self.log, "wb", opener=open_nofollow).close()
        return LocalPool(self.jobs, self.log)

    def plan(self, missing: Mapping[Source, Sequence[Entry]]) -> list[Unit]:
        groups = [units.group(source, entries) for source, entries in missing.items()]
        balanced = [unit for group in groups for unit in units.balance(group, self.jobs)]
        return sorted(balanced, key=lambda unit: -unit.cost)  # longest first

    def submit(self, unit: Unit) -> Future[Outcome]:
        return self.pool.submit(worker.run_unit, unit, self.store, self.code)

    def collect(self, unit: Unit, result: Outcome) -> None:
        """The worker has stored each run itself."""

    def suspects(self, unit: Unit) -> Sequence[Entry]:
        return unit.entries[:1]

    def split_after_death(self, unit: Unit) -> list[Unit]:
        return [unit]


class RemoteBackend(Backend):
    """The workers of `executor`, which belongs to the caller."""

    advice = "See the logs of the cluster's workers, give them more memory, and run the same command again."
    retries_alone = True  # so that no innocent unit is blamed

    def __init__(self, store: Store, executor: Executor):
        super().__init__(store)
        self.executor = executor

    def close(self, now: bool) -> None:
        """The executor's owner does that."""

    def plan(self, missing: Mapping[Source, Sequence[Entry]]) -> list[Unit]:
        groups = [units.group(source, entries) for source, entries in missing.items()]
        return [unit for group in groups for unit in units.split_for_remote(group)]

    def submit(self, unit: Unit) -> Future[Outcome]:
        """Sends the weights along that the worker measures or builds on, because it cannot read the store."""
        needed = {entry.run for entry in unit.entries if entry.trained}
        needed |= {entry.run.features for entry in unit.entries if entry.run.features}
        stored = {run: self.store.content(self.store.entry(run, unit.source.identity)) for run in needed}
        return self.executor.submit(worker.run_unit_remotely, unit, stored, self.code)

    def collect(self, unit: Unit, result: Outcome) -> None:
        assert result is not None  # since `run_unit_remotely` returns files
        for entry, files in zip(unit.entries, result, strict=True):
            self.store.import_run(entry, files)

    def suspects(self, unit: Unit) -> Sequence[Entry]:
        return unit.entries

    def split_after_death(self, unit: Unit) -> list[Unit]:
        return units.split(unit, 0)
