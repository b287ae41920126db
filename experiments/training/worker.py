"""What a worker does: trains and measures the runs of a unit. Nothing here imports TensorFlow before it works.

A worker of this machine stores each run in the user's store as soon as it is finished. A worker that shares no disk
with it has a store of its own for each unit; the files of the finished runs go home as they are, sealed.
"""

from __future__ import annotations

import contextlib
import gc
import multiprocessing
import multiprocessing.connection
import os
import platform
import shutil
import signal
import sys
import tempfile
import threading
import time
import timeit
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from experiments.data import datasets, sources
from experiments.files.errors import UserError
from experiments.store import provenance
from experiments.store.store import Entry, Store
from experiments.study.model import Arm, Run

if TYPE_CHECKING:  # importing it would import TensorFlow
    from experiments.training.trainer import Trained, Trainer

Files = Mapping[str, bytes]  # of a run's folder, by name


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


# ---------------------------------------------------------------------------------------------- the process


def start(log: Path, scratch: str) -> None:
    """Makes this process a worker: its noise into `log`, its temporary files into `scratch`, ended with its parent.

    TensorFlow writes the functions that it compiles to files, which only a process that ends by itself removes.
    """
    os.dup2(os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    tempfile.tempdir = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal's Ctrl-C reaches all: the parent alone decides, at once
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_end_with, args=(parent.sentinel, scratch), daemon=True).start()
    start_tensorflow()


def _end_with(sentinel: int, scratch: str) -> None:
    """Ends this process once its parent is gone, even by `kill -9`: nobody would want its results."""
    multiprocessing.connection.wait([sentinel])
    shutil.rmtree(scratch, ignore_errors=True)  # the parent would have
    os._exit(1)


@cache
def start_tensorflow() -> str:
    """Has TensorFlow use one thread of the processor, so that a run's result does not depend on what runs beside it.

    An accelerator, too, is to give the same result each time, in the precision of all others (by default it multiplies
    matrices of float32 with 10 bits of fraction instead of 23), and in no more memory than it needs. Returns its name,
    or "".
    """
    os.environ.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", TF_FORCE_GPU_ALLOW_GROWTH="true")
    with _not_importable("matplotlib", "sklearn"):  # Keras would, for helpers not used here: two seconds and 100 MB
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if not (found := tf.config.list_physical_devices("GPU")):
        return ""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.experimental.enable_op_determinism()  # not without one: softmax's last bits would be others
    return str(tf.config.experimental.get_device_details(found[0]).get("device_name", "GPU"))


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


# ---------------------------------------------------------------------------------------------- the work


@cache
def _loaded(source: sources.Source) -> datasets.Dataset:
    """The data, once for all units of a worker."""
    return source.load()


_compiled: dict[tuple[Any, ...], Trainer] = {}


def _trainer(arm: Arm, source: sources.Source) -> Trainer:
    """What the unit before used, if it was of the same computation; else a new one in its place."""
    from experiments.training.trainer import Trainer

    wanted = (source, arm.computation())
    if wanted not in _compiled:
        _compiled.clear()
        gc.collect()  # it was a network, compiled programs and a copy of the images, in cycles
        _compiled[wanted] = Trainer(arm, _loaded(source))
    return _compiled[wanted]


def work(unit: Unit, store: Store, source: sources.Source, code: Mapping[str, Any]) -> None:
    """Trains and measures what the unit lacks, storing each run as it is finished; `code` is its version."""
    from experiments.analysis import measures
    from experiments.training import network_measures

    accelerator = start_tensorflow()
    trainer = _trainer(unit.entries[0].run.arm, source)
    for entry in unit.entries:
        run, features = entry.run, None
        if run.features:
            features = store.entry(run.features, source.identity).snapshots()["final"]
        if not entry.trained:
            started = datetime.now(UTC)
            trained = trainer.train(run.arm, run.seed, run.epochs, features)
            told = {"compile_seconds": trainer.compile_seconds, **_readout_seconds(trainer), **code}
            told |= {"arm": run.arm.name, **_training(trained, started, accelerator)}
            store.save_training(entry, told, trained.snapshots)
        if not entry.measured:
            snapshots = {"start": trainer.start(run.arm, run.seed, features), **entry.snapshots()}
            outputs = trainer.outputs(snapshots["final"])
            numbers = measures.measure(run.arm, outputs, trainer.dataset)
            numbers |= network_measures.measure(run.arm, snapshots, trainer.dataset)
            store.save_measures(entry, numbers)


def _readout_seconds(trainer: Trainer) -> dict[str, float]:
    """What predicting the test images takes, once more after all epochs', and what Example 2's map adds to it."""
    from experiments.analysis.measures import read_out

    started = time.perf_counter()
    outputs = trainer.outputs()
    predicted = time.perf_counter() - started
    return {
        "predict_seconds": predicted,
        "map_seconds": min(timeit.repeat(lambda: read_out(outputs, "half_shift"), number=1, repeat=3)),
    }


def _training(trained: Trained, started: datetime, accelerator: str) -> dict[str, Any]:
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
        "machine": provenance.machine(threads=1, accelerator=accelerator),
        "python": platform.python_version(),
    }


# ---------------------------------------------------------------------------------------------- away from home

_alone = threading.Lock()  # a process that was given several threads still trains one unit at a time


def work_away(unit: Unit, known: Mapping[Run, Files], source: sources.Source, code: Mapping[str, Any]) -> list[Files]:
    """As `work`, where the store is out of reach: takes what it knows of runs, returns what each of the unit's has.

    Raises `UserError` where this machine has other code or versions than the one that asks.
    """
    with _alone, tempfile.TemporaryDirectory(prefix="runs-") as folder:
        store, here = Store(Path(folder)), _source_here(source)
        entries = tuple(store.entry(entry.run, here.identity) for entry in unit.entries)
        for own, asked in zip(entries, unit.entries, strict=True):
            _check_same(own, asked)
        for run, files in known.items():
            store.import_run(store.entry(run, here.identity), files)
        work(Unit(entries), store, here, code)
        return [store.content(entry) for entry in entries]


def _check_same(own: Entry, asked: Entry) -> None:
    """Raises `UserError` where the two places of a run differ in their keys."""
    if own.measures_path.relative_to(own.folder.parent) == asked.measures_path.relative_to(asked.folder.parent):
        return
    parts = [
        f"{name} {known}, here {wanted}"
        for part in ("versions", "code")
        for name, wanted in asked.key[part].items()
        if (known := own.key[part].get(name)) != wanted
    ]
    told = "; ".join(parts) or "other measures"
    raise UserError(
        f"A worker has another version of this project or of its libraries than this machine ({told}). "
        "Check out the same commit there, and let make install what its lock names."
    )


_brought: dict[str, Path] = {}  # data that came with the work, by identity


def bring(identity: str, content: bytes, folder: Path) -> None:
    """Keeps the file of a data set for this worker's units."""
    path = folder / f"{identity}.npz"
    path.write_bytes(content)
    _brought[identity] = path


def _source_here(source: sources.Source) -> sources.Source:
    """`source` with the file that this worker has of it."""
    return replace(source, path=_brought[source.identity]) if source.identity in _brought else source
