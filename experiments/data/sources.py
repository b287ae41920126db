"""Where the images come from: MNIST_NPZ, else Keras' cache, else Keras' download, else the embedded digits.

DATASET_NPZ puts any other data set in Keras' layout in MNIST's place.

No file of the user's is overwritten: a download goes to a temporary folder, is checked there, and only then moves to
Keras' cache. Recognised files are remembered by their SHA-256, so that a later call need not unpack them.
"""

from __future__ import annotations

import contextlib
import os
import re
import socket
import tempfile
import threading
import zipfile
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from experiments.data import datasets
from experiments.files import reading
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # as in keras.datasets.mnist
ORIGIN_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
ANSWER_SECONDS = 12.0  # a network that has not answered by then counts as unreachable
MAX_BYTES, MAX_ARRAYS = 64_000_000, 100  # MNIST is 55 MB where it is not compressed, in four arrays
MAX_OTHER_BYTES = 1_000_000_000  # of a file that DATASET_NPZ names
FORMAT = 2  # of the memory
_EXPECTED = (
    "Expected MNIST as .npz. Name the original mnist.npz in MNIST_NPZ, or unset it: Keras finds or downloads it."
)
_OTHER = "Expected a data set in Keras' layout as .npz. Name one in DATASET_NPZ, or unset it."


@dataclass(frozen=True)
class Source:
    """Which data set runs, and the file that holds it (None for the embedded digits).

    `origin` says in words where it was found; it names no path, so that the page can show it.
    `fallback` is empty, or says why the digits stand in for MNIST.
    """

    spec: datasets.DatasetSpec
    path: Path | None
    origin: str
    fallback: str = ""

    @property
    def name(self) -> str:
        return self.spec.name

    @property
    def identity(self) -> str:
        return self.spec.identity

    def load(self) -> datasets.Dataset:
        return datasets.load(self.spec, self.path)


DIGITS = Source(datasets.DIGITS, None, "scikit-learn")


def find(memory: Path, origin: str = ORIGIN, download: bool = True) -> Source:
    """The source to use, by the environment. `memory` is the file that remembers which files were recognised.

    Without `download`, the digits stand in for MNIST where it is neither named nor cached.
    Raises `UserError` where DATASET_NPZ names no data set, or where MNIST_NPZ or the file in Keras' cache is not MNIST.
    """
    if other := os.environ.get("DATASET_NPZ"):
        path = Path(os.path.expanduser(other))
        return Source(_recognise(path, memory, _name(path)), path, "the file that DATASET_NPZ names")
    if mnist := os.environ.get("MNIST_NPZ"):
        path = Path(os.path.expanduser(mnist))
        return Source(_recognise(path, memory), path, "the file that MNIST_NPZ names")
    cached = _keras_cache() / "mnist.npz"
    if os.path.lexists(cached):
        return Source(_recognise(cached, memory), cached, "Keras' cache")
    if not download:
        return Source(datasets.DIGITS, None, "scikit-learn", fallback="it is neither named nor cached")
    if reason := _download(origin, cached):
        return Source(datasets.DIGITS, None, "scikit-learn", fallback=reason)
    return Source(_recognise(cached, memory), cached, "Keras' download")


def _name(path: Path) -> str:
    """The name of the data set in the file at `path`: the file's. Raises `UserError` where that cannot be a name."""
    name = path.name.removesuffix(".npz")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", name) or name.lower() == "digits":
        raise UserError(
            f"{display_path(path)}: the page would call this data set {name!r}, after its file. "
            "Expected up to 40 letters, digits, '.', '_' and '-'. Rename the file."
        )
    return name


def _keras_cache() -> Path:
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")) / "datasets"


def _recognise(path: Path, memory: Path, name: str = "") -> datasets.DatasetSpec:
    """What is in the file at `path`, which is remembered: MNIST, or else a data set that is called `name`.

    Raises `UserError` if it is neither, or without a name not MNIST.
    """
    sha256 = reading.sha256(path, _OTHER if name else _EXPECTED, MAX_OTHER_BYTES if name else MAX_BYTES)
    specs = _read_memory(memory)
    if sha256 not in specs or not (name or specs[sha256].identity == datasets.MNIST.identity):
        _check_packing(path, _OTHER if name else _EXPECTED)
        specs[sha256] = datasets.inspect_npz(path, name) if name else _check_mnist(path)
        recognised = {file: asdict(spec) for file, spec in sorted(specs.items())}
        with contextlib.suppress(OSError):  # only a shortcut: a folder that refuses it fails where it is needed
            write_atomically(memory, to_json({"format": FORMAT, "recognised": recognised}))
    spec = specs[sha256]
    if spec.identity == datasets.MNIST.identity:
        return datasets.MNIST
    if name.lower() == datasets.MNIST.name:
        raise UserError(
            f"{display_path(path)}: is not MNIST, but the page would call it that, from its name. Rename the file."
        )
    return replace(spec, name=name)


def _check_mnist(path: Path) -> datasets.DatasetSpec:
    datasets.load(datasets.MNIST, path)
    return datasets.MNIST


def _read_memory(memory: Path) -> dict[str, datasets.DatasetSpec]:
    try:
        recognised = read_json(memory, FORMAT)["recognised"]
        return {file: datasets.DatasetSpec.of(spec) for file, spec in recognised.items()}
    except (UserError, KeyError):
        return {}  # only a shortcut: without it the file is unpacked and recognised again


def _check_packing(path: Path, fix: str) -> None:
    """Refuses what NumPy never writes, and zipfile unpacks without a bound: 2 kB of bzip2 can hold 2 GB of zeros."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except Exception:  # zipfile raises many kinds on foreign bytes; datasets.load says what is wrong
        return
    packed_by_numpy = {info.compress_type for info in members} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
    if not packed_by_numpy or len(members) > MAX_ARRAYS:
        raise UserError(f"{display_path(path)}: packed in another way than NumPy packs a few arrays. {fix}")


def _download(origin: str, target: Path) -> str:
    """Downloads MNIST to `target` through Keras. Returns why that failed, or "" where it worked.

    Raises `UserError` where it was downloaded and `target` cannot be written.
    """
    if reason := _unreachable(origin):
        return reason
    print("Downloading MNIST (11 MB) through Keras …", flush=True)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from keras.utils import get_file  # imports TensorFlow: only where it is used

    timeout = socket.getdefaulttimeout()
    with tempfile.TemporaryDirectory(prefix="mnist-") as folder:
        try:
            socket.setdefaulttimeout(ANSWER_SECONDS)
            path = Path(get_file("mnist.npz", origin=origin, file_hash=ORIGIN_SHA256, cache_dir=folder))
            datasets.load(datasets.MNIST, path)
        except UserError:
            return f"what {origin} sent is not MNIST"
        except Exception as error:  # Keras raises bare exceptions, whose text names the address and the reason
            return f"the download broke off: {str(error).replace(folder, '…')}"  # the page names no path
        finally:
            socket.setdefaulttimeout(timeout)
        try:
            if not os.path.lexists(target):  # what another process put there meanwhile is the user's
                write_atomically(target, path.read_bytes())
        except OSError as error:
            raise UserError(
                f"{display_path(target)}: MNIST was downloaded and cannot be kept there: {error.strerror}. "
                "Make that folder writable, or name another one in KERAS_HOME."
            ) from error
    return ""


def _unreachable(origin: str) -> str:
    """Why `origin` cannot be reached, or "". Returns within ANSWER_SECONDS even where a name look-up hangs."""
    import urllib.request  # with all of TLS: only where something is asked for

    outcome = ["no answer"]

    def ask() -> None:
        try:
            request = urllib.request.Request(origin, method="HEAD")
            with contextlib.closing(urllib.request.urlopen(request, timeout=ANSWER_SECONDS)):
                outcome[0] = ""
        except Exception as error:  # whatever the reason, the terminal shows it and the digits run
            reason = getattr(error, "reason", error)
            outcome[0] = str(getattr(reason, "strerror", None) or reason)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(ANSWER_SECONDS)
    return f"no network: {outcome[0]}" if outcome[0] else ""


def warning(source: Source, recorded: str = "") -> str:
    """What the terminal says, unmissably, where the digits run in MNIST's place; "" otherwise.

    `recorded`: the day of the record whose numbers the page then shows, if there is one.
    """
    if not source.fallback:
        return ""
    page = "speak of these digits, not of MNIST"
    if recorded:
        page = f"show MNIST's numbers as recorded on {recorded}, marked so, and these digits beside them"
    return "\n".join(
        (
            "!" * 100,
            "!! MNIST IS NOT AVAILABLE: scikit-learn's small digits (1,797 images of 8 × 8) run in its place.",
            f"!! Why: {source.fallback}.",
            f"!! The page will {page}.",
            "!! To use MNIST: connect to the network, or name a file: MNIST_NPZ=path/to/mnist.npz make report",
            "!" * 100,
        )
    )


def describe(source: Source) -> str:
    """One line for the terminal: which data, from where."""
    place = f" ({display_path(source.path)})" if source.path else ""
    return f"Data: {source.name}, from {source.origin}{place}"
