"""A Dask cluster as an executor of runs. Its workers need this project and its libraries, and no disk in common.

Dask sends the work out, tries it elsewhere where a worker is lost, and gives late workers their share.
`docs/cluster.md` says how such a cluster is had; `python -m experiments.training.cluster` starts a small one to try it.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments.data.sources import Source
from experiments.files import errors
from experiments.files.errors import UserError
from experiments.training import runner, worker

ANSWER_SECONDS = 10
PORT = 8786  # Dask's own


class Cluster(Executor):
    """The workers of the Dask scheduler at `address`; connected when it first gets something to do.

    The files of `sources` are sent once to each worker, also to one that joins late. Raises `UserError` where the
    scheduler does not answer; a future's error is one where it is lost, `BrokenExecutor` where its workers died.
    """

    def __init__(self, address: str, sources: Iterable[Source]):
        self.address, self.sources, self.ended = address, tuple(sources), False

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        passed: Future[Any] = Future()
        self._executor.submit(task, *args, **options).add_done_callback(lambda done: self._pass_on(done, passed))
        return passed

    @cached_property
    def _executor(self) -> Any:
        try:
            from distributed import Client
        except ImportError as error:
            raise UserError("Dask is not installed. 'make report CLUSTER=…' installs what its lock names.") from error
        for name in logging.root.manager.loggerDict:
            if name.startswith(("distributed", "tornado")):  # what is wrong is said here, in a line
                logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            self.client = Client(self.address, timeout=ANSWER_SECONDS)
        except (OSError, ValueError) as error:
            raise UserError(
                f"No scheduler of a Dask cluster answers at {self.address}. Expected an address such as "
                f"tcp://127.0.0.1:{PORT}. Start one with 'make cluster', or leave CLUSTER out to train here."
            ) from error
        for source in self.sources:
            if source.path:
                bringer = _bringer(source.identity, source.path.read_bytes())
                self.client.register_plugin(bringer, name=f"data-{source.identity}")
        workers = len(self.client.scheduler_info(n_workers=-1)["workers"])
        print(f"Cluster: {workers} {'worker' if workers == 1 else 'workers'}.", flush=True)
        return self.client.get_executor(pure=False)  # pure: as if it had nothing to do where it was once done

    def _pass_on(self, done: Future[Any], passed: Future[Any]) -> None:
        if done.cancelled():
            fix = "What came home is stored; the same command goes on from there, once there is a scheduler again."
            passed.set_exception(UserError(f"The scheduler at {self.address} is gone. {fix}"))
        elif type(error := done.exception()).__name__ == "KilledWorker":  # Dask has tried it on several
            passed.set_exception(BrokenExecutor(str(error)))
        elif error:
            passed.set_exception(error)
        else:
            passed.set_result(done.result())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if "_executor" in vars(self):
            self._executor.shutdown(wait=wait and not cancel_futures)
            self.client.close(timeout=ANSWER_SECONDS)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.shutdown(cancel_futures=error is not None)


def _bringer(identity: str, content: bytes) -> Any:
    """A plugin that puts a data set's file beside each worker, whenever it joins."""
    from distributed import WorkerPlugin

    class Bringer(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            bring(identity, content, Path(worker.local_directory))

    bring = worker.bring
    return Bringer()


# ---------------------------------------------------------------------------------------------- one to try


def main(arguments: argparse.Namespace) -> None:
    with local(arguments.workers, arguments.port) as address:
        print(f"A cluster of {arguments.workers} workers. In another terminal: make report CLUSTER={address}")
        print("Ctrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


@contextlib.contextmanager
def local(workers: int, port: int = PORT) -> Iterator[str]:
    """The address of a scheduler on 127.0.0.1 with so many workers, one thread each, each a process of its own."""
    from distributed import LocalCluster

    here = {"host": "127.0.0.1", "scheduler_port": port, "dashboard_address": None}
    with LocalCluster(n_workers=workers, threads_per_worker=1, **here) as cluster:
        yield cluster.scheduler_address


if __name__ == "__main__":
    parser = errors.Parser(prog="python -m experiments.training.cluster", description="A small cluster on 127.0.0.1.")
    parser.add_argument("--workers", type=int, default=runner.default_jobs(), metavar="N")
    parser.add_argument("--port", type=int, default=PORT)
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    sys.exit(errors.command(main, parser.parse_args()))
