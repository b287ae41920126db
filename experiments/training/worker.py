"""What a worker does: trains and measures the runs of a unit. Importing this does not import TensorFlow.

A local worker stores each run in the user's store as soon as it is finished. A remote worker, which need not share a
disk with this machine, has a store of its own for each unit and returns the sealed files of the finished runs.
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
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.files.reading import open_nofollow
from experiments.store import provenance
from experiments.store.provenance import CodeVersion
from experiments.store.store import Entry, Store
from experiments.study.model import Arm, Run, SettingValue
from experiments.training.units import Unit

if TYPE_CHECKING:  # importing it would import TensorFlow
    from experiments.training.trainer import Trained, Trainer

Files = Mapping[str, bytes]  # of a run's folder, by name


# ---------------------------------------------------------------------------------------------- the process


def start(log: Path, scratch: str) -> None:
    """Makes this process a worker that prints to `log`, keeps temporary files in `scratch` and ends with its parent.

    TensorFlow writes the functions that it compiles to files, and a process that is killed leaves them behind.
    """
    os.dup2(open_nofollow(str(log), os.O_WRONLY | os.O_CREAT | os.O_APPEND), sys.stderr.fileno())
    tempfile.tempdir = scratch
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends Ctrl-C to us too; the parent handles it
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_exit_with_parent, args=(parent.sentinel, scratch), daemon=True).start()
    start_tensorflow()


def _exit_with_parent(sentinel: int, scratch: str) -> None:
    """Ends this process once its parent is gone, even by `kill -9`, because nobody is waiting for its results."""
    multiprocessing.connection.wait([sentinel])
    shutil.rmtree(scratch, ignore_errors=True)  # on the parent's behalf
    os._exit(1)


@cache
def start_tensorflow() -> str:
    """Imports TensorFlow and limits it to one thread, so that a run's result does not depend on the machine's load.

    Nor does it depend on the user's own settings of Keras: in KERAS_BACKEND, and in keras.json.

    An accelerator must also give the same result each time, in full precision (by default it multiplies float32
    matrices with 10 bits of fraction instead of 23), and in no more memory than it needs. Returns its name, or "".
    """
    os.environ.update(OMP_NUM_THREADS="1", TF_CPP_MIN_LOG_LEVEL="3", TF_FORCE_GPU_ALLOW_GROWTH="true")
    os.environ["KERAS_BACKEND"] = "tensorflow"
    with _hide_modules("matplotlib", "sklearn"):  # Keras wants them for helpers we don't use: 2 s, 100 MB
        import keras
        import tensorflow as tf

    keras.config.set_floatx("float32")
    keras.config.set_epsilon(1e-7)
    keras.config.set_image_data_format("channels_last")

    tf.config.threading.set_intra_op_parallelism_threads(1)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    if not (gpus := tf.config.list_physical_devices("GPU")):
        return ""
    tf.config.experimental.enable_tensor_float_32_execution(False)
    tf.config.experimental.enable_op_determinism()  # not on a processor: it changes the last bits of softmax
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))


@contextlib.contextmanager
def _hide_modules(*names: str) -> Iterator[None]:
    """While active, importing `names` fails as if they were not installed."""
    hidden = {name: None for name in names if name not in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


# ---------------------------------------------------------------------------------------------- the work


@cache
def _load(source: Source) -> datasets.Dataset:
    """The data set, loaded once for all units of a worker."""
    return source.load()


_trainers: dict[tuple[Source, tuple[SettingValue, ...]], Trainer] = {}  # at most one


def _trainer(arm: Arm, source: Source) -> Trainer:
    """The previous unit's trainer, if it was of the same computation; otherwise a new one that replaces it."""
    from experiments.training.trainer import Trainer

    key = (source, arm.computation())
    if key not in _trainers:
        _trainers.clear()
        gc.collect()  # a trainer's network, compiled programs and copy of the images refer to each other
        _trainers[key] = Trainer(arm, _load(source))
    return _trainers[key]


def run_unit(unit: Unit, store: Store, code: CodeVersion) -> None:
    """Trains and measures what is missing of the unit, storing each run as soon as it is finished.

    code: its version, which is stored with each training.
    """
    from experiments.analysis import measures
    from experiments.training import network_measures

    accelerator = start_tensorflow()
    trainer = _trainer(unit.entries[0].run.arm, unit.source)
    for entry in unit.entries:
        run, features = entry.run, None
        if run.features:
            features = store.entry(run.features, unit.source.identity).snapshots()["final"]
        if not entry.trained:
            started = datetime.now(UTC)
            trained = trainer.train(run.arm, run.seed, run.epochs, features)
            record = {"compile_seconds": trainer.compile_seconds, **_readout_seconds(trainer), **code}
            record |= {"arm": run.arm.name, **_training_record(trained, started, accelerator)}
            store.save_training(entry, record, trained.snapshots)
        if not entry.measured:
            snapshots = {"start": trainer.start(run.arm, run.seed, features), **entry.snapshots()}
            outputs = trainer.outputs(snapshots["final"])
            numbers = measures.measure(run.arm, outputs, trainer.dataset)
            numbers |= network_measures.measure(run.arm, snapshots, trainer.dataset)
            store.save_measures(entry, numbers)


def _readout_seconds(trainer: Trainer) -> dict[str, float]:
    """How long it takes to predict the test images, and how much Example 2's map adds to that."""
    from experiments.analysis.measures import read_out

    started = time.perf_counter()
    outputs = trainer.outputs()
    predict_seconds = time.perf_counter() - started
    return {
        "predict_seconds": predict_seconds,
        "map_seconds": min(timeit.repeat(lambda: read_out(outputs, "half_shift"), number=1, repeat=3)),
    }


def _training_record(trained: Trained, started: datetime, accelerator: str) -> dict[str, object]:
    """The training itself, as in training.json; a loss that is not finite is null."""
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


# ---------------------------------------------------------------------------------------------- remote workers

_one_at_a_time = threading.Lock()  # even in a worker that was given several threads


def run_unit_remotely(unit: Unit, stored: Mapping[Run, Files], code: CodeVersion) -> list[Files]:
    """As `run_unit` where the user's store is out of reach; returns the files of each of the unit's runs.

    stored: the files of runs that this unit measures or builds on.
    Raises `UserError` if this machine's code or libraries are not those of the machine that sent the unit.
    """
    with _one_at_a_time, tempfile.TemporaryDirectory(prefix="runs-") as folder:
        store, source = Store(Path(folder)), _with_cached_file(unit.source)
        entries = tuple(store.entry(entry.run, source.identity) for entry in unit.entries)
        for local, requested in zip(entries, unit.entries, strict=True):
            _check_same(local, requested)
        for run, files in stored.items():
            store.import_run(store.entry(run, source.identity), files)
        run_unit(Unit(source, entries), store, code)
        return [store.content(entry) for entry in entries]


def _check_same(local: Entry, requested: Entry) -> None:
    """Raises `UserError` if the same run has another key on this machine."""
    local_path, requested_path = (e.measures_path.relative_to(e.folder.parent) for e in (local, requested))
    if local_path == requested_path:
        return
    differences = [
        f"{name} {version}, here {requested_version}"
        for here, there in (
            (requested.key["versions"], local.key["versions"]),
            (requested.key["code"], local.key["code"]),
        )
        for name, requested_version in here.items()
        if (version := there.get(name)) != requested_version
    ]
    raise UserError(
        "A worker has another version of this project or of its libraries than this machine "
        f"({'; '.join(differences) or 'other measures'}). Check out the same commit there, and let make install what "
        "its lock names."
    )


_cached_files: dict[str, Path] = {}  # by the identity of the data set


def cache_dataset(identity: str, content: bytes, folder: Path) -> None:
    """Keeps a data set's file, as sent by the user's machine, for this worker's units."""
    path = folder / f"{identity}.npz"
    path.write_bytes(content)
    _cached_files[identity] = path


def _with_cached_file(source: Source) -> Source:
    """`source` with this worker's file, if it was sent one."""
    return replace(source, path=_cached_files[source.identity]) if source.identity in _cached_files else source
