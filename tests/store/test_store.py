"""What is stored is whole, is found again exactly, is told apart by what it depends on, and says so where damaged."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import subprocess
import sys
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.files import durable, sealed
from experiments.files.errors import UserError, display_path
from experiments.store.store import Entry, Store
from experiments.study import keys
from experiments.study.model import Run, Study

TRAINING = {"test_accuracy": [0.5]}
WEIGHTS = [np.float32([[1, 2], [3, 4]]), np.float32([5, 6])]
SNAPSHOTS = {"epoch_1": WEIGHTS, "final": WEIGHTS}


@pytest.fixture
def results_store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


@pytest.fixture
def entry(results_store: Store, plan: Study) -> Entry:
    """The place of example 1, seed 100, in an empty store."""
    return results_store.entry(plan.runs("digits")[0], "data")


def complaint(path: Path, action: Callable[[], object]) -> str:
    """The one line that `action` gives, about the file at `path`, with the way out."""
    with pytest.raises(UserError) as error:
        action()
    message = str(error.value)
    assert message.startswith(f"{display_path(path)}:")
    assert "Delete " in message
    assert "run 'make experiments'" in message
    assert "\n" not in message
    return message


# ---------------------------------------------------------------------------------------------- whole or not at all


def test_writing_a_file_creates_its_folder_and_replaces_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.json"
    durable.write_atomically(path, b"old")
    durable.write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert list(path.parent.iterdir()) == [path]


def full_disk(_: int) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b"old")
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        durable.write_atomically(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_full_disk_leaves_no_partial_training(
    entry: Entry, results_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    entry.folder.parent.mkdir(parents=True)
    monkeypatch.setattr("os.fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        results_store.save_training(entry, TRAINING, SNAPSHOTS)
    assert not entry.trained
    assert list(entry.folder.parent.iterdir()) == []


@pytest.mark.parametrize("place", ["", "runs", "runs/{run}"])
def test_a_killed_writers_leftovers_are_no_result_and_are_swept_away(
    entry: Entry, results_store: Store, place: str
) -> None:
    folder = results_store.root / place.format(run=entry.folder.name)
    unfinished = folder / f".writing-0123456789ab-{entry.folder.name}"
    unfinished.mkdir(parents=True)
    (unfinished / "training.json").write_text("{")
    file = folder / f".writing-0123456789ab-{entry.measures_path.name}"
    file.write_text("{")
    assert not entry.trained
    assert not entry.measured
    with results_store.locked():
        assert not unfinished.exists()
        assert not file.exists()


def test_a_writer_whose_folder_is_swept_away_publishes_nothing(
    entry: Entry, results_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = durable.write_durably

    def swept_before_the_last(path: Path, content: bytes) -> None:
        if path.name == "training.json":
            durable.sweep(entry.folder.parent)  # by the next call, whose worker outlived its parent by a moment
        write(path, content)

    monkeypatch.setattr(durable, "write_durably", swept_before_the_last)
    with pytest.raises(FileNotFoundError):
        results_store.save_training(entry, TRAINING, SNAPSHOTS)
    assert list(entry.folder.parent.iterdir()) == []


def test_constant_sweeping_never_leaves_a_partial_result(plan: Study, results_store: Store) -> None:
    entries = [results_store.entry(Run(plan.arms[0], seed, "digits", 1), "data") for seed in range(300)]
    ended = threading.Event()

    def sweep() -> None:
        while not ended.is_set():
            durable.sweep(results_store.root / "runs")

    with ThreadPoolExecutor(1) as sweeper:
        swept = sweeper.submit(sweep)
        try:
            for entry in entries:
                with contextlib.suppress(FileNotFoundError):  # its writing was swept away
                    results_store.save_training(entry, TRAINING, SNAPSHOTS)
        finally:
            ended.set()
        swept.result()
    for entry in entries:
        if entry.folder.exists():
            assert entry.training()["key"] == entry.key
            assert len(entry.snapshots()["final"]) == 2


def test_sweeping_leaves_the_results(entry: Entry, results_store: Store) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    results_store.save_measures(entry, {"accuracy": 0.5})
    with results_store.locked():
        assert entry.trained
        assert entry.measured


# ---------------------------------------------------------------------------------------------- found again


def test_a_stored_training_is_found_by_its_key(entry: Entry, results_store: Store) -> None:
    assert not entry.trained
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    assert entry.trained
    assert not entry.measured
    weights = hashlib.sha256((entry.folder / "weights.npz").read_bytes()).hexdigest()
    own = {"format": 2, "run": entry.folder.name, "key": entry.key, "weights_sha256": weights}
    assert entry.training() == {**own, "test_accuracy": [0.5]}


def test_weights_come_back_exactly_and_in_order(entry: Entry, results_store: Store) -> None:
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=(3, n)).astype(np.float32) for n in range(1, 13)]  # more than ten: 10 sorts before 2
    weights[0][:, 0] = (-0.0, 1e-45, np.inf)
    results_store.save_training(entry, TRAINING, {"epoch_1": WEIGHTS, "final": weights})
    found = entry.snapshots()["final"]
    assert [(array.dtype, array.shape) for array in found] == [(array.dtype, array.shape) for array in weights]
    assert [array.tobytes() for array in found] == [array.tobytes() for array in weights]


def test_storing_a_training_twice_keeps_the_first(entry: Entry, results_store: Store) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    results_store.save_training(entry, {"test_accuracy": [0.9]}, {"final": [2 * array for array in WEIGHTS]})
    assert entry.training()["test_accuracy"] == [0.5]
    np.testing.assert_array_equal(entry.snapshots()["final"][0], WEIGHTS[0])
    assert list(entry.folder.parent.iterdir()) == [entry.folder]


def test_a_training_that_another_process_stores_at_the_last_moment_is_kept(
    entry: Entry, results_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    sync = durable.sync_folder

    def overtaken(folder: Path) -> None:
        monkeypatch.setattr(durable, "sync_folder", sync)
        results_store.save_training(entry, {"test_accuracy": [0.9]}, SNAPSHOTS)

    (results_store.root / "runs").mkdir(parents=True)
    monkeypatch.setattr(durable, "sync_folder", overtaken)
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    assert entry.training()["test_accuracy"] == [0.9]
    assert list(entry.folder.parent.iterdir()) == [entry.folder]


def test_measures_of_a_deleted_training_are_not_stored(entry: Entry, results_store: Store) -> None:
    with pytest.raises(FileNotFoundError):
        results_store.save_measures(entry, {"accuracy": 0.5})
    assert not entry.folder.exists()


def test_measures_are_found_by_their_key(entry: Entry, results_store: Store) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    results_store.save_measures(entry, {"accuracy": 0.5})
    assert entry.measured
    own = {"format": 2, "run": entry.folder.name, "key": keys.measures_key(entry.run)}
    assert entry.measures() == {**own, "accuracy": 0.5}


def test_measures_from_older_code_are_removed_and_those_of_other_readouts_are_kept(
    entry: Entry, results_store: Store
) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    (entry.folder / "measures-as_is-0000000000000000.json").write_text("{}")
    (entry.folder / "measures-half_shift-0000000000000000.json").write_text("{}")
    results_store.save_measures(entry, {"accuracy": 0.5})
    found = {path.name for path in entry.folder.glob("measures-*")}
    assert found == {entry.measures_path.name, "measures-half_shift-0000000000000000.json"}


def test_equal_values_give_equal_bytes_and_nan_is_refused() -> None:
    rest = '"a":[1,null],"b":"−"}'.encode()
    sha256 = hashlib.sha256(rest).hexdigest().encode()
    assert sealed.to_json({"b": "−", "a": [1, None]}) == b'{"sha256":"' + sha256 + b'",' + rest
    with pytest.raises(ValueError, match="JSON compliant"):
        sealed.to_json({"loss": float("nan")})


# ---------------------------------------------------------------------------------------------- told apart


def test_runs_that_differ_only_in_readout_share_a_training_but_not_measures(results_store: Store, plan: Study) -> None:
    first, second = (
        results_store.entry(Run(plan.arm(name), 100, "digits", 40), "data") for name in ("example-1", "example-2")
    )
    assert first.folder == second.folder
    assert first.measures_path != second.measures_path


@pytest.mark.parametrize("change", [{"seed": 101}, {"dataset": "mnist"}, {"epochs": 41}], ids=str)
def test_different_runs_have_different_folders(entry: Entry, results_store: Store, change: dict) -> None:
    assert results_store.entry(replace(entry.run, **change), "data").folder != entry.folder


def test_different_data_have_different_folders(entry: Entry, results_store: Store) -> None:
    assert results_store.entry(entry.run, "other data").folder != entry.folder


def test_a_folders_name_contains_data_network_and_seed(entry: Entry) -> None:
    assert entry.folder.name.startswith("digits-tanh-tanh-mean_squared_error-s300-")


# ---------------------------------------------------------------------------------------------- damaged

RUN = sealed.to_json({"format": 2, "run": "x", "test_accuracy": 0.97})
DAMAGED_JSON = {
    "cut short": (RUN[:-1], ": not what this version wrote: the SHA-256 at its beginning is not that of its rest."),
    "empty": (b"", ": not what this version wrote"),
    "not text": (b"\xff\xfe\xff", ": not what this version wrote"),
    "no object": (b"[]", ": not what this version wrote"),
    "a digit changed": (RUN.replace(b"0.97", b"0.98"), ": not what this version wrote"),
    "its digest gone": (b'{"format":2,"run":"x","test_accuracy":0.97}', ": not what this version wrote"),
    "of another format": (sealed.to_json({"format": 0}), ": format 0, expected 2."),
    "without its format": (sealed.to_json({"a": 1}), ": format None, expected 2."),
    "of another run": (RUN, ": written for another place in the store, in x."),
}


@pytest.mark.parametrize(("content", "message"), DAMAGED_JSON.values(), ids=DAMAGED_JSON)
@pytest.mark.parametrize("what", ["training", "measures"])
def test_damaged_json_is_reported_with_the_fix(
    entry: Entry, results_store: Store, what: str, content: bytes, message: str
) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    path = entry.folder / "training.json" if what == "training" else entry.measures_path
    path.write_bytes(content)
    assert message in complaint(path, getattr(entry, what))


@pytest.mark.parametrize("content", [content for content, _ in DAMAGED_JSON.values()], ids=DAMAGED_JSON)
def test_a_damaged_derived_file_counts_as_missing(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "derived.json"
    assert not sealed.is_made_from(path, "abc")
    path.write_bytes(sealed.to_json({"format": 1, "inputs": "abc"}))
    assert sealed.is_made_from(path, "abc")
    assert not sealed.is_made_from(path, "ab")
    path.write_bytes(content)
    assert not sealed.is_made_from(path, "abc")


def test_missing_measures_are_named(entry: Entry) -> None:
    assert ": cannot be read: No such file or directory." in complaint(entry.measures_path, entry.measures)


@pytest.mark.parametrize("damage", ["missing", "empty", "truncated", "a byte changed", "a lone array", "compression"])
def test_damaged_weights_are_reported_with_the_fix(entry: Entry, results_store: Store, damage: str) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    path = entry.folder / "weights.npz"
    content = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    elif damage == "a lone array":
        with path.open("wb") as file:
            np.save(file, WEIGHTS[0])
    else:
        if damage == "a byte changed":
            content[content.index(WEIGHTS[0].tobytes())] ^= 1
        elif damage == "compression":
            content[content.index(b"PK\x01\x02") + 10] = 99  # the method, in the directory at the end
        path.write_bytes(content[: {"empty": 0, "truncated": len(content) // 2}.get(damage)])
    told = (
        ": cannot be read: No such file" if damage == "missing" else ": not what this version wrote: its SHA-256 is not"
    )
    assert told in complaint(path, entry.snapshots)


def test_a_training_deleted_as_the_error_suggests_can_be_stored_again(entry: Entry, results_store: Store) -> None:
    results_store.save_training(entry, TRAINING, SNAPSHOTS)
    (entry.folder / "training.json").unlink()  # "Delete it (or its folder) and run 'make experiments'"
    assert not entry.trained
    results_store.save_training(entry, {"test_accuracy": [0.9]}, SNAPSHOTS)
    assert entry.training()["test_accuracy"] == [0.9]


# ---------------------------------------------------------------------------------------------- one writer at a time

SECOND = """
import sys
from pathlib import Path
from experiments.store.store import Store
root = Path(sys.argv[1])
with Store(root).locked():
    print("found", len(list(root.glob("runs/*/training.json"))))
"""


def test_a_second_process_waits_and_then_finds_the_first_ones_results(entry: Entry, results_store: Store) -> None:
    with results_store.locked():
        second = subprocess.Popen(
            [sys.executable, "-c", SECOND, str(results_store.root)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        deadline = threading.Timer(60, second.kill)
        deadline.start()
        assert second.stdout
        assert second.stdout.readline().startswith("Another process is working on these results; waiting")
        assert second.poll() is None
        results_store.save_training(entry, TRAINING, SNAPSHOTS)
    out, _ = second.communicate()
    deadline.cancel()
    assert out == "found 1\n"
    assert second.returncode == 0


def test_an_error_releases_the_lock(results_store: Store) -> None:
    with pytest.raises(ZeroDivisionError), results_store.locked():
        raise ZeroDivisionError
    result = subprocess.run(
        [sys.executable, "-c", SECOND, str(results_store.root)],
        capture_output=True,
        text=True,
        timeout=60,
        cwd=Path(__file__).parents[2],
    )
    assert (result.returncode, result.stdout) == (0, "found 0\n")
