"""Where the images come from: the file that MNIST_NPZ names, Keras' cache, Keras' download, or the embedded digits.

Fashion-MNIST, beside MNIST, comes from FASHION_NPZ, Keras' cache or Keras' download; the study can go on without it.
DATASET_NPZ puts any other data set in Keras' layout in MNIST's place.

No file of the user's is overwritten: a download goes to a temporary folder, is checked there, and only then moves to
Keras' cache. Recognised files are remembered by their SHA-256, so that a later call need not unpack them.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import math
import os
import re
import socket
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from experiments.data import datasets
from experiments.data.datasets import FASHION_MNIST, MNIST, DatasetSpec
from experiments.files import reading
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json

ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"  # as in keras.datasets.mnist
ORIGIN_SHA256 = "731c5ac602752760c8e48fbffcf8c3b850d9dc2a2aedcf2cc48468fc17b673d1"
FASHION_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/"  # as in keras.datasets.fashion_mnist
FASHION_FILES = {  # by array: images and labels in the format of MNIST's authors, compressed
    "x_train": "train-images-idx3-ubyte.gz",
    "y_train": "train-labels-idx1-ubyte.gz",
    "x_test": "t10k-images-idx3-ubyte.gz",
    "y_test": "t10k-labels-idx1-ubyte.gz",
}
ANSWER_SECONDS = 12.0  # a network that has not answered by then counts as unreachable
MAX_BYTES, MAX_ARRAYS = 64_000_000, 100  # MNIST is 55 MB where it is not compressed, in four arrays
MAX_OTHER_BYTES = 1_000_000_000  # of a file that DATASET_NPZ names
FORMAT = 3  # of the memory
UNNAMED = "it is neither named nor cached"
_OTHER = "Expected a data set in Keras' layout as .npz. Name one in DATASET_NPZ, or unset it."


@dataclass(frozen=True)
class Source:
    """Which data set runs, and the file that holds it (None for the embedded digits).

    `origin` says in words where it was found; it names no path, so that the page can show it.
    `fallback` is empty, or says why the digits stand in for MNIST.
    """

    spec: DatasetSpec
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
FASHION = Source(FASHION_MNIST, None, "Keras, which downloads it when it is needed")
BESIDE_MNIST = {source.name: source for source in (FASHION, DIGITS)}  # what the study can replicate on


def find(memory: Path, origin: str = ORIGIN, download: bool = True) -> Source:
    """The source to use, by the environment. `memory` is the file that remembers which files were recognised.

    Without `download`, the digits stand in for MNIST where it is neither named nor cached.
    Raises `UserError` where DATASET_NPZ names no data set, or where MNIST_NPZ or the file in Keras' cache is not MNIST.
    """
    if other := os.environ.get("DATASET_NPZ"):
        path = Path(os.path.expanduser(other))
        return Source(_recognise_other(path, memory), path, "the file that DATASET_NPZ names")
    if source := _find_file(MNIST, memory):
        return source
    cached = _cached(MNIST)
    if reason := _download(origin, cached) if download else UNNAMED:
        return replace(DIGITS, fallback=reason)
    return Source(_recognise(cached, memory, MNIST), cached, "Keras' download")


def find_fashion(memory: Path, origin: str = FASHION_ORIGIN, download: bool = True) -> Source | str:
    """The source of Fashion-MNIST, or why there is none. `memory` is the file that remembers recognised files.

    Raises `UserError` where FASHION_NPZ or a file in Keras' cache is not Fashion-MNIST.
    """
    if source := _find_file(FASHION_MNIST, memory):
        return source
    cached, folder = _cached(FASHION_MNIST), _keras_cache() / "fashion-mnist"
    if all((folder / file).is_file() for file in FASHION_FILES.values()):
        _keep_fashion(_read_fashion(folder), cached, "Keras has cached Fashion-MNIST, which is unpacked")
        return Source(_recognise(cached, memory, FASHION_MNIST), cached, "Keras' cache")
    if reason := _download_fashion(origin, cached) if download else UNNAMED:
        return reason
    return Source(_recognise(cached, memory, FASHION_MNIST), cached, "Keras' download")


def _find_file(spec: DatasetSpec, memory: Path) -> Source | None:
    """The file that the environment names, or else the one in Keras' cache."""
    variable, cached = datasets.KERAS[spec].variable, _cached(spec)
    if named := os.environ.get(variable):
        path = Path(os.path.expanduser(named))
        return Source(_recognise(path, memory, spec), path, f"the file that {variable} names")
    if os.path.lexists(cached):
        return Source(_recognise(cached, memory, spec), cached, "Keras' cache")
    return None


def _name(path: Path) -> str:
    """The name of the data set in the file at `path`: the file's. Raises `UserError` where that cannot be a name."""
    name = path.name.removesuffix(".npz")
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", name) or name.lower() == datasets.DIGITS.name:
        raise UserError(
            f"{display_path(path)}: the page would call this data set {name!r}, after its file. "
            "Expected up to 40 letters, digits, '.', '_' and '-'. Rename the file."
        )
    return name


def _keras_cache() -> Path:
    return Path(os.path.expanduser(os.environ.get("KERAS_HOME") or "~/.keras")) / "datasets"


def _cached(spec: DatasetSpec) -> Path:
    return _keras_cache() / datasets.KERAS[spec].file


def _recognise(path: Path, memory: Path, spec: DatasetSpec) -> DatasetSpec:
    """`spec`, if the file at `path` holds that data set. Raises `UserError` if it does not."""
    fix = datasets.expectation(spec)
    sha256 = reading.sha256(path, fix, MAX_BYTES)
    specs = _read_memory(memory)
    if sha256 not in specs or specs[sha256].identity != spec.identity:
        _check_packing(path, fix)
        datasets.load(spec, path)
        _remember(memory, {**specs, sha256: spec})
    return spec


def _recognise_other(path: Path, memory: Path) -> DatasetSpec:
    """What is in the file at `path`: a data set that Keras knows, or any other one, which is called after the file."""
    name, sha256, specs = _name(path), reading.sha256(path, _OTHER, MAX_OTHER_BYTES), _read_memory(memory)
    if sha256 not in specs:
        _check_packing(path, _OTHER)
        specs[sha256] = datasets.inspect_npz(path, name)
        _check_content(path, specs[sha256])
        _remember(memory, specs)
    for spec, known in datasets.KERAS.items():
        if specs[sha256].identity == spec.identity:
            return spec
        if name.lower() == spec.name:
            raise UserError(
                f"{display_path(path)}: is not {known.label}, but the page would call it that, from its name. "
                "Rename the file."
            )
    return replace(specs[sha256], name=name)


def _check_content(path: Path, spec: DatasetSpec) -> None:
    """Refuses labels that leave a class without a training image, and images that were scaled to 0 … 1."""
    dataset = datasets.load(spec, path)
    counts = np.bincount(dataset.y_train, minlength=spec.classes)
    if not counts.all():
        raise UserError(
            f"{display_path(path)}: no training image of class {counts.argmin()}, though labels reach to "
            f"{spec.classes - 1}. Expected labels from 0, each class with at least one training image. Number the "
            "classes so, or unset DATASET_NPZ."
        )
    if (brightest := dataset.x_train.max()) <= 1:
        raise UserError(
            f"{display_path(path)}: its brightest training pixel is {brightest}: images are nearly black. "
            "Expected 0 … 255. Multiply by 255 before astype('uint8'), or unset DATASET_NPZ."
        )


def _read_memory(memory: Path) -> dict[str, DatasetSpec]:
    try:
        recognised = read_json(memory, FORMAT)["recognised"]
        return {file: DatasetSpec.of(spec) for file, spec in recognised.items()}
    except (UserError, KeyError):
        return {}  # only a shortcut: without it the file is unpacked and recognised again


def _remember(memory: Path, specs: dict[str, DatasetSpec]) -> None:
    recognised = {file: asdict(spec) for file, spec in sorted(specs.items())}
    with contextlib.suppress(OSError):  # only a shortcut: a folder that refuses it fails where it is needed
        write_atomically(memory, to_json({"format": FORMAT, "recognised": recognised}))


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
    with tempfile.TemporaryDirectory(prefix="mnist-") as folder:
        try:
            path = _get_file("mnist.npz", origin, folder, ORIGIN_SHA256)
            datasets.load(MNIST, path)
        except UserError:
            return f"what {origin} sent is not MNIST"
        except Exception as error:  # Keras raises bare exceptions, whose text names the address and the reason
            return _broken_off(error, folder)
        _keep(target, path.read_bytes(), "MNIST was downloaded")
    return ""


def _download_fashion(origin: str, target: Path) -> str:
    """As `_download`, for the four files of Fashion-MNIST below the address `origin`."""
    if reason := _unreachable(origin + FASHION_FILES["x_train"]):
        return reason
    print("Downloading Fashion-MNIST (31 MB) through Keras …", flush=True)
    with tempfile.TemporaryDirectory(prefix="fashion-mnist-") as folder:
        try:
            paths = [_get_file(file, origin + file, folder) for file in FASHION_FILES.values()]
        except Exception as error:  # as in `_download`
            return _broken_off(error, folder)
        try:
            arrays = _read_fashion(paths[0].parent)
        except UserError:
            return f"what {origin} sent is not Fashion-MNIST"
    _keep_fashion(arrays, target, "Fashion-MNIST was downloaded")
    return ""


def _get_file(name: str, origin: str, folder: str, sha256: str | None = None) -> Path:
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ["KERAS_BACKEND"] = "tensorflow"  # the user's own may not be installed here
    from keras.utils import get_file  # imports TensorFlow: only where it is used

    timeout = socket.getdefaulttimeout()
    socket.setdefaulttimeout(ANSWER_SECONDS)
    try:
        return Path(get_file(name, origin=origin, file_hash=sha256, cache_dir=folder))
    finally:
        socket.setdefaulttimeout(timeout)


def _broken_off(error: Exception, folder: str) -> str:
    return f"the download broke off: {str(error).replace(folder, '…')}"  # the page names no path


def _keep(target: Path, content: bytes, how: str) -> None:
    """Puts the file into Keras' cache; what another process put there meanwhile is the user's."""
    try:
        if not os.path.lexists(target):
            write_atomically(target, content)
    except OSError as error:
        raise UserError(
            f"{display_path(target)}: {how} and cannot be kept there: {error.strerror}. "
            "Make that folder writable, or name another one in KERAS_HOME."
        ) from error


def _read_fashion(folder: Path) -> list[np.ndarray]:
    """The arrays in Keras' four files. Raises `UserError` where they are not Fashion-MNIST's."""
    arrays = [_read_idx(folder / FASHION_FILES[name], shape) for name, shape in FASHION_MNIST.shapes.items()]
    if datasets.hash_arrays(arrays) != FASHION_MNIST.arrays_sha256:
        raise UserError(f"{display_path(folder)}: its files are not Fashion-MNIST's. {_DELETE}")
    return arrays


def _keep_fashion(arrays: Sequence[np.ndarray], target: Path, how: str) -> None:
    """Puts the arrays into Keras' cache as one .npz, which is how every other data set comes."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **dict(zip(datasets.ARRAYS, arrays, strict=True)))  # type: ignore[arg-type]
    _keep(target, buffer.getvalue(), how)


_DELETE = "Delete this folder: Keras downloads them again."


def _read_idx(path: Path, shape: tuple[int, ...]) -> np.ndarray:
    """An array in the format of MNIST's authors, compressed: after four bytes its shape, four bytes each, then all."""
    header, size = 4 + 4 * len(shape), math.prod(shape)
    try:
        with gzip.open(path) as file:
            content = file.read(header + size + 1)  # one more than there should be
        return np.frombuffer(content, np.uint8, offset=header).reshape(shape)
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(f"{display_path(path)}: not Fashion-MNIST's ({error}). {_DELETE}") from error


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


def missing(name: str, reason: str) -> str:
    """One line for the terminal: the study goes on without the data set of this name, and why."""
    known = datasets.KERAS[BESIDE_MNIST[name].spec]
    fix = f"connect to the network, or name a file: {known.variable}=path/to/{known.file} make report"
    return f"Without {known.label}: {reason}. To include it, {fix}"


def describe(source: Source) -> str:
    """One line for the terminal: which data, from where."""
    place = f" ({display_path(source.path)})" if source.path else ""
    return f"Data: {source.name}, from {source.origin}{place}"
