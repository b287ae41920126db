"""The two data sets are what they claim to be; any other file is refused in one line, and nothing in it is run."""

from __future__ import annotations

import hashlib
import json
import math
import os
import struct
import zipfile
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.lib import format as npy

from experiments.data import datasets
from experiments.files.errors import UserError, display_path

MNIST_BYTES = 60000 * 28 * 28  # of its largest array


def refusal(path: Path) -> str:
    """The one line with which the file at `path` is refused as MNIST."""
    with pytest.raises(UserError) as error:
        datasets.load(datasets.MNIST, path)
    message = str(error.value)
    assert message.startswith(f"{display_path(path)}: ")
    assert "xpected" in message
    assert message.endswith(
        "Name the original mnist.npz in MNIST_NPZ, or unset it to let Keras find or download MNIST."
    )
    assert "\n" not in message
    return message


def npz_of(path: Path, content: bytes, method: int = zipfile.ZIP_DEFLATED) -> None:
    """An .npz whose x_train is `content`, header and all."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("x_train.npy", content)


def header(text: str) -> bytes:
    """The start of an .npy file, with `text` in the place of its description."""
    return npy.magic(1, 0) + struct.pack("<H", len(text)) + text.encode()


def described(shape: tuple[int, ...], dtype: str = "|u1", fortran_order: bool = False) -> bytes:
    return header(repr({"descr": dtype, "fortran_order": fortran_order, "shape": shape}))


# ---------------------------------------------------------------------------------------------- what is loaded


def test_the_digits_are_1440_and_357_images_of_64_pixels_up_to_16(digits: datasets.Dataset) -> None:
    assert (digits.name, digits.classes, digits.pixel_max) == ("digits", 10, 16)
    assert (digits.x_train.shape, digits.x_test.shape) == ((1440, 64), (357, 64))
    assert (digits.y_train.shape, digits.y_test.shape) == ((1440,), (357,))
    assert {array.dtype for array in (digits.x_train, digits.y_train, digits.x_test, digits.y_test)} == {np.dtype("u1")}
    assert digits.x_train.max() == digits.x_test.max() == 16
    assert set(digits.y_train) == set(digits.y_test) == set(range(10))


def test_mnist_is_60000_and_10000_images_of_784_pixels_up_to_255(mnist: datasets.Dataset) -> None:
    assert (mnist.name, mnist.classes, mnist.pixel_max) == ("mnist", 10, 255)
    assert (mnist.x_train.shape, mnist.x_test.shape) == ((60000, 784), (10000, 784))
    assert {array.dtype for array in (mnist.x_train, mnist.y_train, mnist.x_test, mnist.y_test)} == {np.dtype("u1")}
    assert mnist.x_train.max() == mnist.x_test.max() == 255
    assert mnist.y_train[:5].tolist() == [5, 0, 4, 1, 9]
    assert np.bincount(mnist.y_test).tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]


@pytest.mark.parametrize("name", ["mnist", "digits"])
def test_the_declared_sizes_match_the_images(name: str, request: pytest.FixtureRequest) -> None:
    dataset = request.getfixturevalue(name)
    spec = {"mnist": datasets.MNIST, "digits": datasets.DIGITS}[name]
    assert len(dataset.x_train) == spec.train_images
    assert len(dataset.x_test) == spec.test_images
    assert dataset.x_train.shape[1] == math.prod(spec.image_shape)


def test_the_two_data_sets_have_different_identities() -> None:
    assert datasets.MNIST.identity != datasets.DIGITS.identity


def test_scaling_the_pixels_changes_the_identity() -> None:
    assert replace(datasets.DIGITS, pixel_max=15).identity != datasets.DIGITS.identity


def test_mnist_is_recognised_however_the_file_is_packed(tmp_path: Path, mnist: datasets.Dataset) -> None:
    path = tmp_path / "packed otherwise.npz"
    np.savez_compressed(
        path,
        y_test=mnist.y_test,
        x_test=mnist.x_test.reshape(-1, 28, 28),
        extra=np.zeros(3),
        y_train=mnist.y_train,
        x_train=mnist.x_train.reshape(-1, 28, 28),
    )
    found = datasets.load(datasets.MNIST, path)
    np.testing.assert_array_equal(found.x_train, mnist.x_train)
    np.testing.assert_array_equal(found.y_test, mnist.y_test)


# ---------------------------------------------------------------------------------------------- what is refused


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "no such file. Expected MNIST as .npz." in refusal(tmp_path / "mnist.npz")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    assert "cannot be read: Is a directory." in refusal(tmp_path)


@pytest.mark.parametrize("content", [b"", b"not a zip file\n" * 1000], ids=["empty", "text"])
def test_a_file_that_is_not_a_zip_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    assert "truncated or corrupt (File is not a zip file)" in refusal(path)


def test_a_truncated_file_is_refused(tmp_path: Path, mnist_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(mnist_path.read_bytes()[:1_000_000])
    assert "truncated or corrupt" in refusal(path)


def test_a_file_with_one_damaged_byte_is_refused(tmp_path: Path, mnist_path: Path) -> None:
    content = bytearray(mnist_path.read_bytes())
    with zipfile.ZipFile(mnist_path) as archive:
        info = archive.getinfo("x_train.npy")
    content[info.header_offset + info.compress_size // 2] ^= 0xFF
    path = tmp_path / "mnist.npz"
    path.write_bytes(content)
    assert "truncated or corrupt" in refusal(path)


def test_labels_other_than_mnists_are_refused(tmp_path: Path, mnist: datasets.Dataset) -> None:
    path = tmp_path / "mnist.npz"
    images = {"x_train": mnist.x_train.reshape(-1, 28, 28), "x_test": mnist.x_test.reshape(-1, 28, 28)}
    np.savez(path, y_train=np.zeros_like(mnist.y_train), y_test=mnist.y_test, **images)
    message = refusal(path)
    assert "array 'y_train' is not that of mnist" in message
    assert "expected 1feba77c." in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (described((10, 28, 28)), "array 'x_train' is uint8 [10, 28, 28]. Expected uint8 [60000, 28, 28]: MNIST."),
        (described((60000, 784)), "array 'x_train' is uint8 [60000, 784]."),
        (described((60000, 28, 28), "<f4"), "array 'x_train' is float32 [60000, 28, 28]."),
        (described((60000, 28, 28), "|O"), "array 'x_train' is object [60000, 28, 28]."),
        (described((60000, 28, 28), fortran_order=True), "array 'x_train' is uint8 [60000, 28, 28] in Fortran order."),
        (described((60000, 28, 28)) + b"few", "truncated or corrupt (array 'x_train' ends after 3 of 47040000 bytes)"),
        (b"", "truncated or corrupt"),
        (b"text", "truncated or corrupt"),
        (header("text"), "truncated or corrupt"),
        (header("{'descr': ("), ""),
        (header("{1: 2, 'shape': 3}"), ""),
        (header("{" + " " * 20_000), ""),
    ],
    ids=[
        "fewer images",
        "flat images",
        "floats",
        "objects",
        "columns first",
        "cut short",
        "empty",
        "no header",
        "a header of text",
        "a header that does not end",
        "a header with numbers for names",
        "a header of 20,000 characters",
    ],
)
def test_arrays_other_than_mnists_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "mnist.npz"
    npz_of(path, content)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ([], "(it holds nothing)"),
        (["images.npy", "labels.npy"], "(it holds images.npy, labels.npy)"),
        (["a\nb.npy"], ""),
    ],
    ids=["no array", "other arrays", "a name of two lines"],
)
def test_a_file_without_all_four_arrays_is_refused(tmp_path: Path, names: list[str], expected: str) -> None:
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    message = refusal(path)
    assert "has no array 'x_train'" in message
    assert expected in message


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA], ids=["bzip2", "lzma"])
def test_damage_is_refused_however_the_file_is_compressed(tmp_path: Path, method: int) -> None:
    path = tmp_path / "mnist.npz"
    npz_of(path, np.random.default_rng(0).bytes(5000), method)
    content = bytearray(path.read_bytes())
    content[80:140] = b"\xff" * 60
    path.write_bytes(content)
    message = refusal(path)
    assert "None" not in message


class Trap:
    """An object whose unpickling makes a folder."""

    def __init__(self, folder: Path):
        self.folder = str(folder)

    def __reduce__(self) -> tuple[Callable, tuple[str]]:
        return os.mkdir, (self.folder,)


def test_a_pickle_in_the_file_is_never_run(tmp_path: Path) -> None:
    path, folder = tmp_path / "mnist.npz", tmp_path / "sprung"
    np.savez(path, x_train=np.array([Trap(folder)], dtype=object))
    assert "array 'x_train' is object [1]." in refusal(path)
    assert not folder.exists()
    np.load(path, allow_pickle=True)["x_train"]
    assert folder.exists()  # the trap would have sprung


@pytest.mark.parametrize(
    "start",
    [
        described((10**12, 28, 28)),
        described((60000, 28, 28)),
        npy.magic(2, 0) + struct.pack("<I", 60_000_000),
    ],
    ids=["a shape beyond bounds", "more than its shape says", "a header beyond bounds"],
)
def test_a_zip_bomb_is_refused_before_more_is_read_than_mnists_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, start: bytes
) -> None:
    path = tmp_path / "mnist.npz"
    npz_of(path, start + b" " * 60_000_000)
    read, whole = 0, zipfile.ZipExtFile.read

    def counted(self: zipfile.ZipExtFile, n: int | None = -1) -> bytes:
        nonlocal read
        found = whole(self, n)
        read += len(found)
        return found

    monkeypatch.setattr(zipfile.ZipExtFile, "read", counted)
    refusal(path)
    assert 0 < read <= MNIST_BYTES + 1000


# ---------------------------------------------------------------------------------------------- any other data set


def other(**changes: np.ndarray) -> dict[str, np.ndarray]:
    """Six training and two test images of 2 × 3 pixels in three classes, with `changes`."""
    return {
        "x_train": np.arange(36, dtype=np.uint8).reshape(6, 2, 3),
        "y_train": np.array([0, 1, 2, 0, 1, 2], np.int64),
        "x_test": np.full((2, 2, 3), 7, np.uint8),
        "y_test": np.array([2, 0], np.int64),
        **changes,
    }


def test_any_data_set_in_the_same_layout_is_identified_by_its_arrays(tmp_path: Path) -> None:
    path = tmp_path / "tiny.npz"
    np.savez(path, **other())
    spec = datasets.inspect_npz(path, "tiny")
    assert (spec.train_images, spec.test_images, spec.image_shape, spec.classes) == (6, 2, (2, 3), 3)
    assert spec.arrays_sha256[3] == hashlib.sha256(np.array([2, 0], np.int64).tobytes()).hexdigest()
    dataset = datasets.load(spec, path)
    assert dataset.x_train.tolist()[1] == [6, 7, 8, 9, 10, 11]
    assert (dataset.y_test.tolist(), dataset.y_test.dtype, dataset.classes) == ([2, 0], np.uint8, 3)
    assert datasets.DatasetSpec.of(json.loads(json.dumps(asdict(spec)))) == spec


def test_labels_may_be_a_column_and_images_may_have_colours(tmp_path: Path) -> None:
    path = tmp_path / "colours.npz"
    colours = {"x_train": np.zeros((6, 2, 2, 3), np.uint8), "x_test": np.zeros((2, 2, 2, 3), np.uint8)}
    np.savez(path, **other(**colours, y_train=np.array([[0], [1], [2], [0], [1], [2]])))
    dataset = datasets.load(datasets.inspect_npz(path, "colours"), path)
    assert (dataset.x_train.shape, dataset.y_train.shape) == ((6, 12), (6,))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"x_test": np.zeros((2, 3, 3), np.uint8)}, "its images are [6, 2, 3] for training, [2, 3, 3] for testing."),
        ({"x_train": np.zeros((6, 2, 3))}, "array 'x_train' is float64 [6, 2, 3]."),
        ({"y_train": np.array([0.0, 1, 2, 0, 1, 2])}, "array 'y_train' is float64 [6]."),
        ({"y_train": np.array([0, 1, 2])}, "array 'y_train' is int64 [3] for 6 images."),
        ({"y_test": np.array([2, -1])}, "its labels reach from -1 to 2."),
        ({"y_test": np.array([2, 999])}, "its labels reach from 0 to 999."),
        ({"y_train": np.ones(6, np.int64)}, "its labels reach from 0 to 2."),
        ({"x_test": np.zeros((0, 2, 3), np.uint8), "y_test": np.zeros(0, np.int64)}, "is int64 [0] for 0 images."),
    ],
    ids=["sizes", "floats", "float labels", "too few labels", "negative", "too many classes", "one class", "no image"],
)
def test_an_unusable_data_set_is_refused_in_one_line(tmp_path: Path, changes: dict, message: str) -> None:
    path = tmp_path / "wrong.npz"
    np.savez(path, **other(**changes))
    with pytest.raises(UserError) as error:
        datasets.inspect_npz(path, "wrong")
    assert str(error.value).startswith(f"{display_path(path)}: ")
    assert message in str(error.value)
    assert str(error.value).endswith("Fix the file, or unset DATASET_NPZ.")
