"""What runs leave behind: one folder a run, its weights and its measures keyed apart, all written atomically.

    runs/<name>-<key>/training.json      learning curve, the key's components, versions, times, the weights' SHA-256
    runs/<name>-<key>/weights.npz        weights after the first and the last epoch: epoch_1.0, … final.0, … as in Keras
    runs/<name>-<key>/measures-<readout>-<key>.json

The key of a run is the digest of all that its weights depend on (`keys.training_key`); a name with another key is
another run, so a stale result is never read and never overwritten. A folder is created and removed by an atomic rename,
so a crash never leaves a partial result. Every JSON file is sealed: it begins with the SHA-256 of its rest, and a
damaged or edited file is refused before it is parsed.
`experiments/README.md` documents the files for those who read them without this code.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from experiments.files import durable, reading
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json
from experiments.study import keys
from experiments.study.model import Run, Study

FORMAT = 2
RESULTS = Path(__file__).parents[1] / "results"
_TRAIN_AGAIN = "Delete its folder and run 'make experiments': only this run is trained again."


def key_digest(key: Mapping[str, object]) -> str:
    """The digest of a key, for names. It depends on the format, so results in another one are never read."""
    return keys.digest({"format": FORMAT, **key})[:16]


def _trained(folder: Path) -> bool:
    return (folder / "training.json").exists()


@dataclass(frozen=True)
class Entry:
    """One run's place in the store. Whether something is there is read from the file system each time."""

    run: Run
    key: keys.TrainingKey
    folder: Path
    measures_path: Path

    @property
    def trained(self) -> bool:
        return _trained(self.folder)

    @property
    def measured(self) -> bool:
        return self.measures_path.exists()

    @property
    def done(self) -> bool:
        return self.trained and self.measured

    def older_measures(self) -> list[Path]:
        """Measures of this run, by this readout, that other code made."""
        paths = self.folder.glob(f"measures-{self.run.arm.readout}-*.json")
        return sorted(path for path in paths if path != self.measures_path)

    def training(self) -> dict[str, Any]:
        return self._read(self.folder / "training.json", self.key, _TRAIN_AGAIN)

    def measures(self) -> dict[str, Any]:
        fix = "Delete it and run 'make experiments': it is measured again from the stored weights."
        return self._read(self.measures_path, keys.measures_key(self.run), fix)

    def _read(self, path: Path, key: Mapping[str, object], fix: str) -> dict[str, Any]:
        """The content of the file that this run has at `path`: neither another run's nor another file's."""
        content = read_json(path, FORMAT, fix)
        if (content.get("run"), content.get("key")) != (self.folder.name, key):
            raise UserError(
                f"{display_path(path)}: written for another place in the store, in {content.get('run')}. {fix}"
            )
        return content

    def snapshots(self) -> dict[str, list[np.ndarray]]:
        """The weights that were kept, by the names in `training.Trained`."""
        path = self.folder / "weights.npz"
        if reading.sha256(path, _TRAIN_AGAIN) != self.training()["weights_sha256"]:
            raise UserError(
                f"{display_path(path)}: not what this version wrote: its SHA-256 is not training.json's. {_TRAIN_AGAIN}"
            )
        try:
            with np.load(path, allow_pickle=False) as archive:
                names = sorted(archive.files, key=lambda name: int(name.split(".")[1]))
                return {
                    snapshot: [archive[name] for name in names if name.startswith(snapshot + ".")]
                    for snapshot in ("epoch_1", "final")
                }
        except Exception as error:  # zipfile and NumPy raise many kinds on foreign bytes
            raise UserError(f"{display_path(path)}: unreadable ({error}). {_TRAIN_AGAIN}") from error


@dataclass(frozen=True)
class Store:
    """The results folder."""

    root: Path = RESULTS

    def entry(self, run: Run, data_identity: str) -> Entry:
        """The place of `run` on the data of that identity, whether or not anything is there yet."""
        key = keys.training_key(run, data_identity)
        arm = run.arm
        name = f"{run.dataset}-{arm.hidden[0].name}-{arm.output.name}-{arm.loss.name}-s{run.seed}-{key_digest(key)}"
        folder = self.root / "runs" / name
        measures = key_digest(keys.measures_key(run))
        return Entry(run, key, folder, folder / f"measures-{arm.readout}-{measures}.json")

    def score(self, run: Run, data_identity: str) -> float | None:
        """Test accuracy of `run`, or accuracy on the images that it held out; None if it is not measured."""
        entry = self.entry(run, data_identity)
        return entry.measures()["test_accuracy"] if entry.done else None

    def resolver(self, study: Study, data_identity: str) -> Callable[[Run], Run | None]:
        """Fills in what a run takes from others' results; gives None for a run that still waits for some."""
        score = cache(lambda run: self.score(run, data_identity))  # many runs choose from the same candidates
        return lambda run: study.choose_settings(run, score)

    def resolve_runs(self, study: Study, runs: Iterable[Run], data_identity: str) -> list[Run]:
        """The `runs` with what they take from others' results filled in, without those that still wait for some."""
        resolve = self.resolver(study, data_identity)
        return [resolved for run in runs if (resolved := resolve(run)) is not None]

    def training_records(self) -> dict[Path, dict[str, Any]]:
        """What is in the training.json of every run's folder, whoever it belongs to; {} where that is unreadable."""
        records = {}
        for folder in sorted((self.root / "runs").glob("[!.]*")):
            try:
                records[folder] = read_json(folder / "training.json", FORMAT)
            except UserError:
                records[folder] = {}
        return records

    def save_training(
        self, entry: Entry, training: Mapping[str, object], snapshots: Mapping[str, Sequence[np.ndarray]]
    ) -> None:
        """Stores a finished training as a whole folder; one that another process stored meanwhile stays."""
        buffer = io.BytesIO()
        arrays = {f"{name}.{n}": array for name, weights in snapshots.items() for n, array in enumerate(weights)}
        np.savez(buffer, **arrays)  # type: ignore[arg-type]
        weights = buffer.getvalue()
        digest = hashlib.sha256(weights).hexdigest()
        header = {"format": FORMAT, "run": entry.folder.name, "key": entry.key, "weights_sha256": digest}
        self._place(entry.folder, {"weights.npz": weights, "training.json": to_json({**header, **training})})

    def _place(self, folder: Path, content: Mapping[str, bytes]) -> None:
        """A run's folder appears whole, or not at all."""
        temporary = durable.temporary_name(folder)
        durable.make_folder(temporary.parent)
        temporary.mkdir()
        try:
            for name, file in content.items():
                durable.write_durably(temporary / name, file)
            durable.sync_folder(temporary)
            if folder.exists() and not _trained(folder):
                durable.discard(folder)  # a partial one
            try:
                temporary.rename(folder)
                durable.sync_folder(folder.parent)
            except OSError:
                if not _trained(folder):  # else another process was first: a full folder is never replaced
                    raise
        finally:
            shutil.rmtree(temporary, ignore_errors=True)

    def save_measures(self, entry: Entry, measures: Mapping[str, object]) -> None:
        """Stores the measures of a trained run and drops those of the same readout that older code made."""
        key = keys.measures_key(entry.run)
        header = {"format": FORMAT, "run": entry.folder.name, "key": key}
        durable.replace_file(entry.measures_path, to_json({**header, **measures}))
        for older in entry.older_measures():
            older.unlink(missing_ok=True)

    def content(self, entry: Entry) -> dict[str, bytes]:
        """The files of the run's folder, by name, as they go to another store or come from it; {} where none is."""
        names = ("weights.npz", "training.json", entry.measures_path.name)
        paths = [entry.folder / name for name in names]
        return {path.name: path.read_bytes() for path in paths if path.exists()}

    def import_run(self, entry: Entry, content: Mapping[str, bytes]) -> None:
        """Stores the run's files that `content` gave in another store, except those that are here already."""
        measures = entry.measures_path.name
        if not entry.trained:
            self._place(entry.folder, content)
        elif measures in content and not entry.measured:
            durable.replace_file(entry.measures_path, content[measures])
        for older in entry.older_measures():
            older.unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time: a second process waits here, and then finds the first one's results.

        Leftovers of writers that were killed are swept away, since nobody can be writing them now.
        """
        import fcntl  # where it is missing (Windows) the Makefile does not run either

        self.root.mkdir(parents=True, exist_ok=True)
        with open(self.root / ".lock", "ab", opener=reading.open_nofollow) as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                print("Another process is working on these results; waiting for it …", flush=True)
                fcntl.flock(lock, fcntl.LOCK_EX)
            durable.sweep(self.root, self.root / "plots", self.root / "runs", *self.root.glob("runs/*"))
            yield
