"""The images: MNIST from an .npz file, and scikit-learn's embedded digits → Dataset.

MNIST is recognised by the SHA-256 of its four arrays, whatever file they come in. Pickles are never loaded, and no
more is read than MNIST is large. Where the file comes from is the business of `sources.py`.
"""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from experiments.errors import UserError, shown

CLASSES = 10
ARRAYS = ("x_train", "y_train", "x_test", "y_test")
MNIST_SHAPES = {"x_train": (60000, 28, 28), "y_train": (60000,), "x_test": (10000, 28, 28), "y_test": (10000,)}
IDENTITY = {  # SHA-256 of each array's bytes in C order
    "mnist": (
        "741c988805d008ac6e4c904b69001ba184c24b2c540a4ef403f4c71b676cf757",
        "1feba77c54802fa5339a11837ea4b2866434b83314ec45192930f1df69120c13",
        "6d87418db22cc8025d05968bec9bd5c3932904b23485740db143a061a2c9d161",
        "ddeff807876a9661a1110d45c266c86239a3a1b7d37da0c3716a7a683c852ff5",
    ),
    "digits": (
        "c810a4fdcbbd0638a127400b773605eaccf8b9c1a2784b49693ae698d6c97792",
        "b0fa9e3bcbd6fadd2e95e1b752d9e6cb29b93fddd4e43738b45310131fe59ee6",
        "058e07ab12c2a8192981555baff317d20ac5fa72dd17c6fee6435a8a64640ea9",
        "acbd9cc8d63c4fe7ee769f12adcec578acc3799bbef5fea3c200fbe1fdfcfc95",
    ),
}
PIXEL_MAX = {"mnist": 255, "digits": 16}
TRAIN_IMAGES = {"mnist": 60000, "digits": 1440}  # multiples of the batch size 32
TEST_IMAGES = {"mnist": 10000, "digits": 357}
SIDE_PIXELS = {"mnist": 28, "digits": 8}


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
    classes: int = CLASSES

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


def identity(name: str) -> str:
    """One SHA-256 for the data set `name`: of its arrays' digests and of the scale of its pixels."""
    return hashlib.sha256("".join((*IDENTITY[name], str(PIXEL_MAX[name]))).encode()).hexdigest()


def load(name: str, path: Path | None = None) -> Dataset:
    """The data set `name`: "mnist" from the .npz at `path`, or the embedded "digits".

    Raises `UserError` where the file is not exactly MNIST.
    """
    arrays = _digits() if path is None else _read_mnist(path)
    for key, array, expected in zip(ARRAYS, arrays, IDENTITY[name], strict=True):
        found = hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()
        if found != expected:
            where = "scikit-learn's digits" if path is None else shown(path)
            raise UserError(
                f"{where}: array '{key}' is not that of {name}: its SHA-256 begins {found[:8]}, expected "
                f"{expected[:8]}. {_FIX if path else 'Install the locked version of scikit-learn.'}"
            )
    x_train, y_train, x_test, y_test = arrays
    return Dataset(
        name, x_train.reshape(len(x_train), -1), y_train, x_test.reshape(len(x_test), -1), y_test, PIXEL_MAX[name]
    )


_FIX = "Name the original mnist.npz in MNIST_NPZ, or unset it to let Keras find or download MNIST."


def _digits() -> list[np.ndarray]:
    """scikit-learn's 1,797 images of 8 × 8 pixels, shuffled once and split 1,440 : 357."""
    from sklearn.datasets import load_digits  # costs a second: only where it is used

    bunch = load_digits()
    order = np.random.default_rng(0).permutation(len(bunch.target))
    images, labels = bunch.images.astype(np.uint8)[order], bunch.target.astype(np.uint8)[order]
    cut = TRAIN_IMAGES["digits"]
    return [images[:cut], labels[:cut], images[cut:], labels[cut:]]


def _read_mnist(path: Path) -> list[np.ndarray]:
    """The four arrays of an .npz, each read only if its header declares what MNIST has."""
    try:
        with zipfile.ZipFile(path) as archive:
            return [_read_array(archive, path, name) for name in ARRAYS]
    except FileNotFoundError:
        raise UserError(f"{shown(path)}: no such file. Expected MNIST as .npz. {_FIX}") from None
    except (UserError, MemoryError):
        raise
    except OSError as error:
        reason = error.strerror or error
        raise UserError(f"{shown(path)}: cannot be read: {reason}. Expected MNIST as .npz. {_FIX}") from error
    except Exception as error:  # whatever zipfile and NumPy raise on bytes that are not theirs
        raise UserError(f"{shown(path)}: truncated or corrupt ({error}). Expected MNIST as .npz. {_FIX}") from error


def _read_array(archive: zipfile.ZipFile, path: Path, name: str) -> np.ndarray:
    try:
        info = archive.getinfo(name + ".npy")
    except KeyError:
        held = ", ".join(archive.namelist()[:6]) or "nothing"
        raise UserError(f"{shown(path)}: has no array '{name}' (it holds {held}). Expected MNIST. {_FIX}") from None
    shape = MNIST_SHAPES[name]
    with archive.open(info) as member:
        if npy.read_magic(member) != (1, 0):  # the later versions' headers may be gigabytes long
            raise ValueError(f"array '{name}' has not the header that NumPy writes for such arrays")
        found, fortran_order, dtype = npy.read_array_header_1_0(member)
        if found != shape or dtype != np.uint8 or fortran_order:
            raise UserError(
                f"{shown(path)}: array '{name}' is {dtype} {list(found)}. Expected uint8 {list(shape)}: MNIST. {_FIX}"
            )
        size = int(np.prod(shape))
        buffer = member.read(size)
        if len(buffer) != size:
            raise EOFError(f"array '{name}' ends after {len(buffer)} of {size} bytes")
        member.read(1)  # at the end of the member its checksum is compared
    return np.frombuffer(buffer, np.uint8).reshape(shape)
