"""A Dask cluster as an executor of runs. Its workers need this project and its libraries, but no shared disk.

Dask distributes the work, moves it when a worker is lost, and gives late workers their share. `docs/cluster.md` says
where to get such a cluster; `python -m experiments.training.cluster` starts a small one to try.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

from experiments.data.sources import Source
from experiments.files import errors
from experiments.files.errors import UserError
from experiments.training.pool import default_jobs
from experiments.training.worker import cache_dataset

P = ParamSpec("P")
T = TypeVar("T")
ANSWER_SECONDS = 10
PORT = 8786  # Dask's own


class Cluster(Executor):
    """The workers of the Dask scheduler at `address`; connects when the first task is submitted.

    The files of `sources` are sent to each worker once, including workers that join late. Raises `UserError` if the
    scheduler does not answer. A future raises `UserError` if the scheduler is lost, `BrokenExecutor` if workers died.
    """

    def __init__(self, address: str, sources: Iterable[Source]):
        self.address, self.sources = address, tuple(sources)

    def submit(self, task: Callable[P, T], /, *args: P.args, **options: P.kwargs) -> Future[T]:
        future: Future[T] = Future()
        self._executor.submit(task, *args, **options).add_done_callback(lambda done: self._complete(future, done))
        return future

    @cached_property
    def _executor(self) -> Any:
        try:
            from distributed import Client
        except ImportError as error:
            raise UserError("Dask is not installed. 'make report CLUSTER=…' installs what its lock names.") from error
        for name in logging.root.manager.loggerDict:
            if name.startswith(("distributed", "tornado")):  # we report errors ourselves, in one line
                logging.getLogger(name).setLevel(logging.CRITICAL)
        try:
            with ThreadPoolExecutor(1) as thread:  # this one may run an event loop of its own, as in a notebook
                thread.submit(asyncio.run, asyncio.wait_for(_greet(self.address), ANSWER_SECONDS)).result()
        except Exception as error:  # whatever Dask makes of the bytes that another program answers
            raise UserError(
                f"No scheduler of a Dask cluster answers at {self.address}. Expected an address such as "
                f"tcp://127.0.0.1:{PORT}. Start one with 'make cluster', or leave CLUSTER out to train here."
            ) from error
        self.client = Client(self.address, timeout=ANSWER_SECONDS)
        for source in self.sources:
            if source.path:
                plugin = _dataset_plugin(source.identity, source.path.read_bytes())
                self.client.register_plugin(plugin, name=f"data-{source.identity}")
        workers = len(self.client.scheduler_info(n_workers=-1)["workers"])
        print(f"Cluster: {workers} {'worker' if workers == 1 else 'workers'}.", flush=True)
        return self.client.get_executor(pure=False)  # pure=True would skip a task that was done before

    def _complete(self, future: Future[T], done: Future[T]) -> None:
        """Completes `future` as Dask's own future `done`, with the errors of an executor."""
        if done.cancelled():
            fix = "Finished runs are stored; the same command continues from there, once there is a scheduler again."
            future.set_exception(UserError(f"The scheduler at {self.address} is gone. {fix}"))
        elif type(error := done.exception()).__name__ == "KilledWorker":  # Dask has tried it on several
            future.set_exception(BrokenExecutor(str(error)))
        elif error:
            future.set_exception(error)
        else:
            future.set_result(done.result())

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        if "_executor" in vars(self):
            self._executor.shutdown(wait=wait and not cancel_futures)
            self.client.close(timeout=ANSWER_SECONDS)

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        self.shutdown(cancel_futures=error is not None)


async def _greet(address: str) -> None:
    """Connects to a scheduler and leaves. Dask's client would wait for ever for a program that answers nothing."""
    from distributed import Security
    from distributed.comm.core import connect

    connection = await connect(address, ANSWER_SECONDS, **Security().get_connection_args("client"))
    await connection.close()


def _dataset_plugin(identity: str, content: bytes) -> Any:
    """A plugin that gives each worker a data set's file, whenever it joins."""
    from distributed import WorkerPlugin

    class DatasetPlugin(WorkerPlugin):
        def setup(self, worker: Any) -> None:
            cache_dataset(identity, content, Path(worker.local_directory))

    return DatasetPlugin()


# ---------------------------------------------------------------------------------------------- a small cluster to try


def main(arguments: argparse.Namespace) -> None:
    _check_port(arguments.port)
    with local(arguments.workers, arguments.port) as address:
        print(f"A cluster of {arguments.workers} workers. In another terminal: make report CLUSTER={address}")
        print("Ctrl-C ends it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


def _check_port(port: int) -> None:
    """Raises `UserError` where the scheduler could not listen; Dask would say so in a traceback."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise UserError(
            f"Port {port}: {os.strerror(error.errno or 0)}. Name another one: make cluster PORT={PORT + 1}"
        ) from error


@contextlib.contextmanager
def local(workers: int, port: int = PORT) -> Iterator[str]:
    """The address of a new scheduler on 127.0.0.1 with `workers` processes of one thread each."""
    from distributed import LocalCluster

    options = {"host": "127.0.0.1", "scheduler_port": port, "dashboard_address": None}
    with LocalCluster(n_workers=workers, threads_per_worker=1, **options) as cluster:
        yield cluster.scheduler_address


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = errors.Parser(prog="python -m experiments.training.cluster", description="A small cluster on 127.0.0.1.")
    parser.add_argument("--workers", type=errors.whole_number("JOBS", 1, 1024), default=default_jobs(), metavar="N")
    parser.add_argument("--port", type=errors.whole_number("PORT", 0, 65535), default=PORT, help="0: any that is free")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
