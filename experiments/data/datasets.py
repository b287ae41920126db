"""The images: MNIST, Fashion-MNIST or any data set in their layout from an .npz, and scikit-learn's digits → Dataset.

A data set is recognised by the SHA-256 of its four arrays, whatever file they come in. Pickles are never loaded, and no
more is read than was declared and is allowed. Where the file comes from is the business of `sources.py`.
"""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy

from experiments.files.errors import UserError, display_path

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
MAX_BYTES = 1_000_000_000  # of an array
MAX_CLASSES = 256
MAX_TEST_IMAGES = 100_000


@dataclass(frozen=True)
class DatasetSpec:
    """What is known of a data set before it is read.

    arrays_sha256: of each array's bytes in C order, in the order of ARRAYS. image_shape: pixels down and across, and
    colours if there are several. Pixels are 0 … pixel_max, labels 0 … classes − 1.
    """

    name: str
    arrays_sha256: tuple[str, ...]
    train_images: int
    test_images: int
    image_shape: tuple[int, ...]
    classes: int = 10
    pixel_max: int = 255

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> DatasetSpec:
        """The inverse of `asdict`, from JSON."""
        lists = {key: tuple(values[key]) for key in ("arrays_sha256", "image_shape")}
        return cls(**{**values, **lists})

    @property
    def identity(self) -> str:
        """One SHA-256 for the data set: of its arrays' digests and of the scale of its pixels."""
        return hashlib.sha256("".join((*self.arrays_sha256, str(self.pixel_max))).encode()).hexdigest()

    @property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of each array, by its name."""
        train, test = (self.train_images,), (self.test_images,)
        return dict(zip(ARRAYS, (train + self.image_shape, train, test + self.image_shape, test), strict=True))


MNIST = DatasetSpec(
    "mnist",
    (
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
    train_images=60000,
    test_images=10000,
    image_shape=(28, 28),
)
FASHION_MNIST = replace(
    MNIST,
    name="fashion_mnist",
    arrays_sha256=(
        "2e487a6c89124f78f2d7521542223cafe96f7123c3ca13d447772ac6ecbb3012",
        "657fbd221bfc9f4198cc14b5619cc33ec57c58dd0e47af4d99d6650759e869a7",
        "c867c93ff95360594e8ec3287995350b824dd110b11595c0e13d5423f621867a",
        "3d0e6c6ea990b53b6f8f500a41cac93881d981b315f84578b7d915342ade01e9",
    ),
)
DIGITS = DatasetSpec(
    "digits",
    (
        "c810a4fdcbbd0638a127400b773605eaccf8b9c1a2784b49693ae698d6c97792",
        "b0fa9e3bcbd6fadd2e95e1b752d9e6cb29b93fddd4e43738b45310131fe59ee6",
        "058e07ab12c2a8192981555baff317d20ac5fa72dd17c6fee6435a8a64640ea9",
        "acbd9cc8d63c4fe7ee769f12adcec578acc3799bbef5fea3c200fbe1fdfcfc95",
    ),
    train_images=1440,  # a multiple of the batch size 32
    test_images=357,
    image_shape=(8, 8),
    pixel_max=16,
)


class Named(NamedTuple):
    """A data set that Keras can download: what people call it, the variable that names its file, and that file."""

    label: str
    variable: str
    file: str


KERAS = {
    MNIST: Named("MNIST", "MNIST_NPZ", "mnist.npz"),
    FASHION_MNIST: Named("Fashion-MNIST", "FASHION_NPZ", "fashion_mnist.npz"),
}


@dataclass(frozen=True, eq=False)
class Dataset:
    """Labelled images, split once and for all.

    x_train: [n_train, pixels] uint8 in 0 … pixel_max; x_test: [n_test, pixels] uint8.
    y_train, y_test: [n] uint8 in 0 … classes − 1.
    """

    name: str
    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    pixel_max: int
    classes: int

    def with_holdout(self, images: int) -> Dataset:
        """The last `images` training images in place of the test images; with 0, the data set as it is."""
        if not images:
            return self
        kept = len(self.x_train) - images
        return replace(
            self,
            x_train=self.x_train[:kept],
            y_train=self.y_train[:kept],
            x_test=self.x_train[kept:],
            y_test=self.y_train[kept:],
        )


def load(spec: DatasetSpec, path: Path | None = None) -> Dataset:
    """The data set of this `spec`, from the .npz at `path`, or the embedded digits.

    Raises `UserError` where the file is not exactly that.
    """
    arrays = _digits() if path is None else _read(path, spec)
    if (digests := hash_arrays(arrays)) != spec.arrays_sha256:
        raise _wrong_content(spec, path, digests)
    x_train, y_train, x_test, y_test = arrays
    return Dataset(
        spec.name,
        x_train.reshape(len(x_train), -1),
        y_train.reshape(-1).astype(np.uint8),
        x_test.reshape(len(x_test), -1),
        y_test.reshape(-1).astype(np.uint8),
        spec.pixel_max,
        spec.classes,
    )


def _wrong_content(spec: DatasetSpec, path: Path | None, digests: tuple[str, ...]) -> UserError:
    """What is wrong with arrays that have these digests, and how to fix it."""
    where = display_path(path) if path else "scikit-learn's digits"
    fix = _choose(spec) if path else "Install the locked version of scikit-learn."
    for other, known in KERAS.items():
        if digests == other.arrays_sha256:
            label = KERAS[spec].label if spec in KERAS else spec.name
            return UserError(f"{where}: holds {known.label}. Expected {label}. Name it in {known.variable}. {fix}")
    pairs = zip(ARRAYS, digests, spec.arrays_sha256, strict=True)
    array, actual, expected = next(pair for pair in pairs if pair[1] != pair[2])
    return UserError(
        f"{where}: array '{array}' is not that of {spec.name}: its SHA-256 begins {actual[:8]}, expected "
        f"{expected[:8]}. {fix}"
    )


def inspect_npz(path: Path, name: str) -> DatasetSpec:
    """The spec of any data set in Keras' layout, in the .npz at `path`. Raises `UserError` if it holds none."""
    arrays = _read(path, None)
    x_train, y_train, x_test, y_test = arrays

    def error(problem: str) -> UserError:
        return UserError(f"{display_path(path)}: {problem}. {_ANY}")

    if x_train.shape[1:] != x_test.shape[1:] or not 2 <= x_train.ndim <= 4 or not x_train[:1].size:
        raise error(f"its images are {list(x_train.shape)} for training, {list(x_test.shape)} for testing")
    for x, y, kind in ((x_train, y_train, "train"), (x_test, y_test, "test")):
        if y.shape not in ((len(x),), (len(x), 1)) or not len(x) or len(x_test) > MAX_TEST_IMAGES:
            raise error(f"array 'y_{kind}' is {y.dtype} {list(y.shape)} for {len(x)} images")
    classes = int(max(y_train.max(), y_test.max())) + 1
    if min(y_train.min(), y_test.min()) < 0 or not 2 <= classes <= MAX_CLASSES or y_train.min() == y_train.max():
        raise error(f"its labels reach from {min(y_train.min(), y_test.min())} to {classes - 1}")
    return DatasetSpec(name, hash_arrays(arrays), len(x_train), len(x_test), x_train.shape[1:], classes)


def hash_arrays(arrays: Sequence[np.ndarray]) -> tuple[str, ...]:
    """The SHA-256 of each array's bytes in C order, in hex."""
    return tuple(hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest() for array in arrays)


_ANY = (
    "Expected an .npz of x_train, y_train, x_test and y_test: images of one size as uint8, and for each a whole number "
    f"that names its class, 0 to {MAX_CLASSES - 1}. Fix the file, or unset DATASET_NPZ."
)


def expectation(spec: DatasetSpec | None) -> str:
    """What a file must be that should hold this data set, or any if None, and how to name another file."""
    known = KERAS.get(spec) if spec else None
    return f"Expected {known.label} as .npz. {_choose(spec)}" if known else _ANY


def _choose(spec: DatasetSpec | None) -> str:
    """How to name another file."""
    known = KERAS.get(spec) if spec else None
    if not known:
        return _ANY
    return (
        f"Name the original {known.file} in {known.variable}, or unset it to let Keras find or download {known.label}."
    )


def _digits() -> list[np.ndarray]:
    """scikit-learn's 1,797 images of 8 × 8 pixels, shuffled once and split 1,440 : 357."""
    from sklearn.datasets import load_digits  # costs a second: only where it is used

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    images, labels = bunch.images.astype(np.uint8)[order], bunch.target.astype(np.uint8)[order]
    cut = DIGITS.train_images
    return [images[:cut], labels[:cut], images[cut:], labels[cut:]]


def _read(path: Path, spec: DatasetSpec | None) -> list[np.ndarray]:
    """The four arrays of an .npz, each read only if its header declares what `spec` says, or else what is allowed."""
    fix = expectation(spec)
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_array(archive, path, name, spec) for name in ARRAYS]
    except FileNotFoundError:
        raise UserError(f"{display_path(path)}: no such file. {fix}") from None
    except (UserError, MemoryError):
        raise
    except OSError as error:
        raise UserError(f"{display_path(path)}: cannot be read: {error.strerror or error}. {fix}") from error
    except Exception as error:  # zipfile and NumPy raise many kinds on foreign bytes
        raise UserError(f"{display_path(path)}: truncated or corrupt ({error}). {fix}") from error


def _read_array(archive: zipfile.ZipFile, path: Path, name: str, spec: DatasetSpec | None) -> np.ndarray:
    try:
        info = archive.getinfo(name + ".npy")
    except KeyError:
        content = ", ".join(archive.namelist()[:6]) or "nothing"
        raise UserError(
            f"{display_path(path)}: has no array '{name}' (it holds {content}). {expectation(spec)}"
        ) from None
    with archive.open(info) as member:
        if npy.read_magic(member) != (1, 0):  # the later versions' headers may be gigabytes long
            raise ValueError(f"array '{name}' lacks the header that NumPy writes for such arrays")
        shape, fortran_order, dtype = npy.read_array_header_1_0(member)
        right_type = dtype == np.uint8 if spec in KERAS or name.startswith("x") else dtype.kind in "iu"
        size = math.prod(shape) * dtype.itemsize
        expected = (spec.shapes[name], (*spec.shapes[name], 1)) if spec else (shape,)
        if not right_type or fortran_order or not 0 <= size <= MAX_BYTES or shape not in expected:
            known = KERAS.get(spec) if spec else None
            wanted = f"Expected uint8 {list(expected[0])}: {known.label}. {_choose(spec)}" if known else _ANY
            order = " in Fortran order" if fortran_order else ""
            raise UserError(f"{display_path(path)}: array '{name}' is {dtype} {list(shape)}{order}. {wanted}")
        buffer = member.read(size)
        if len(buffer) != size:
            raise EOFError(f"array '{name}' ends after {len(buffer)} of {size} bytes")
        member.read(1)  # at the end of the member its checksum is compared
    return np.frombuffer(buffer, dtype).reshape(shape)
