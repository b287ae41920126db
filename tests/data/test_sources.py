"""Where MNIST and Fashion-MNIST come from, in which order, and that their absence is quick, told and never silent.

No test here leaves this machine: every address is on 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from experiments.data import datasets, sources
from experiments.data.sources import find_fashion  # which tests of everything else find replaced
from experiments.files.errors import UserError
from tests.data.test_data import other


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras would cache MNIST: in an empty folder of the test's own. Proxies are out of the way."""
    monkeypatch.delenv("MNIST_NPZ", raising=False)
    monkeypatch.delenv("FASHION_NPZ", raising=False)
    monkeypatch.delenv("DATASET_NPZ", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "keras" / "datasets" / "mnist.npz"


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "recognised.json"


@pytest.fixture
def nowhere() -> str:
    """An address on this machine at which nobody listens."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{closed.getsockname()[1]}/mnist.npz"


@contextlib.contextmanager
def serving(
    content: bytes | Mapping[str, bytes], status: int = 200, before: Callable[[], object] = lambda: None
) -> Iterator[str]:
    """The address of a server that sends `content`, or that by the file's name, and calls `before` as it begins to."""

    class Handler(BaseHTTPRequestHandler):
        @property
        def content(self) -> bytes:
            return content if isinstance(content, bytes) else content[self.path.split("/")[-1]]

        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(self.content)))
            self.end_headers()

        def do_GET(self) -> None:
            before()
            self.do_HEAD()
            self.wfile.write(self.content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/mnist.npz"
        server.shutdown()


def put(path: Path, content: bytes | Path) -> None:
    """Makes `path`, with its folder: a file of `content`, or a link to it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(content) if isinstance(content, Path) else path.write_bytes(content)


def trust(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    """Has the download take `content` for the file that it should get."""
    monkeypatch.setattr(sources, "ORIGIN_SHA256", hashlib.sha256(content).hexdigest())


def no_load(*_: object) -> None:
    raise AssertionError("the file was unpacked again")


# ---------------------------------------------------------------------------------------------- the order


def test_mnist_npz_comes_before_the_cache(
    cached: Path, memory: Path, nowhere: str, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cached, b"never looked at")
    monkeypatch.setenv("MNIST_NPZ", str(mnist_path))
    assert sources.find(memory, nowhere) == sources.Source(datasets.MNIST, mnist_path, "the file that MNIST_NPZ names")


def test_the_cache_comes_before_the_network(cached: Path, memory: Path, nowhere: str, mnist_path: Path) -> None:
    put(cached, mnist_path)
    assert sources.find(memory, nowhere) == sources.Source(datasets.MNIST, cached, "Keras' cache")


def test_an_empty_mnist_npz_names_nothing(
    cached: Path, memory: Path, nowhere: str, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cached, mnist_path)
    monkeypatch.setenv("MNIST_NPZ", "")
    assert sources.find(memory, nowhere).origin == "Keras' cache"


def test_a_download_is_cached_and_reused(
    cached: Path, memory: Path, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = mnist_path.read_bytes()
    trust(monkeypatch, content)
    with serving(content) as origin:
        assert sources.find(memory, origin) == sources.Source(datasets.MNIST, cached, "Keras' download")
        assert cached.read_bytes() == content
        assert sources.find(memory, origin) == sources.Source(datasets.MNIST, cached, "Keras' cache")
    assert list(cached.parent.iterdir()) == [cached]


def test_a_source_loads_the_data_with_its_identity(memory: Path, nowhere: str) -> None:
    source = sources.find(memory, nowhere)
    assert source.load().name == "digits"
    assert source.identity == datasets.DIGITS.identity


# ---------------------------------------------------------------------------------------------- bad files


@pytest.mark.parametrize("content", [None, b"not MNIST"], ids=["missing", "something else"])
def test_a_bad_mnist_npz_is_an_error_and_nothing_replaces_it(
    cached: Path,
    memory: Path,
    nowhere: str,
    mnist_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    content: bytes | None,
) -> None:
    put(cached, mnist_path)
    if content is not None:
        put(tmp_path / "named.npz", content)
    monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "named.npz"))
    with pytest.raises(UserError, match=r"named\.npz: .*Expected MNIST"):
        sources.find(memory, nowhere)
    assert not memory.exists()


def test_an_unknown_home_in_mnist_npz_is_a_users_mistake(
    memory: Path, nowhere: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_NPZ", "~nobody-of-that-name/mnist.npz")
    with pytest.raises(UserError, match=r"~nobody-of-that-name/mnist\.npz: "):
        sources.find(memory, nowhere)


def test_a_bad_file_in_the_cache_is_an_error_and_is_left_alone(cached: Path, memory: Path, nowhere: str) -> None:
    put(cached, b"not MNIST")
    with pytest.raises(UserError, match=r"mnist\.npz: .*Expected MNIST"):
        sources.find(memory, nowhere)
    assert cached.read_bytes() == b"not MNIST"


def test_a_file_that_appears_in_the_cache_during_a_download_is_not_overwritten(
    cached: Path, memory: Path, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = mnist_path.read_bytes()
    trust(monkeypatch, content)
    with (
        serving(content, before=lambda: put(cached, b"another's")) as origin,
        pytest.raises(UserError, match="Expected MNIST"),
    ):
        sources.find(memory, origin)
    assert cached.read_bytes() == b"another's"


# ---------------------------------------------------------------------------------------------- no network


def test_a_server_that_never_answers_times_out(cached: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        began = time.monotonic()
        source = sources.find(memory, f"http://127.0.0.1:{silent.getsockname()[1]}/mnist.npz")
        assert time.monotonic() - began < 10
    assert (source.name, source.path) == ("digits", None)
    assert source.fallback.startswith("no network: ")
    assert not cached.exists()


def test_a_closed_port_falls_back_to_the_digits_with_the_reason(cached: Path, memory: Path, nowhere: str) -> None:
    expected = sources.Source(datasets.DIGITS, None, "scikit-learn", fallback="no network: Connection refused")
    assert sources.find(memory, nowhere) == expected
    assert not cached.exists()


def test_a_server_without_the_file_falls_back_to_the_digits_with_the_reason(cached: Path, memory: Path) -> None:
    with serving(b"", status=404) as origin:
        source = sources.find(memory, origin)
    assert (source.name, source.fallback) == ("digits", "no network: Not Found")
    assert not cached.exists()


@pytest.mark.parametrize(
    ("trusted", "reason"), [(False, "the download broke off: "), (True, "is not MNIST")], ids=["as is", "trusted"]
)
def test_a_wrong_download_falls_back_to_the_digits_and_is_not_cached(
    cached: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, trusted: bool, reason: str
) -> None:
    if trusted:
        trust(monkeypatch, b"not MNIST")
    with serving(b"not MNIST") as origin:
        source = sources.find(memory, origin)
    assert source.name == "digits"
    assert reason in source.fallback
    assert "\n" not in source.fallback
    assert not cached.parent.exists()


def test_a_stalled_download_times_out(cached: Path, memory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "ANSWER_SECONDS", 0.5)
    given_up = threading.Event()
    with serving(b"late", before=lambda: given_up.wait(60)) as origin:
        began = time.monotonic()
        source = sources.find(memory, origin)
        assert time.monotonic() - began < 30  # Keras may have to be imported first
        given_up.set()
    assert source.name == "digits"
    assert source.fallback.startswith("the download broke off: ")
    assert socket.getdefaulttimeout() is None
    assert not cached.exists()


def test_an_unwritable_cache_is_an_error_because_mnist_was_available(
    cached: Path, memory: Path, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cached.parent, b"a file where Keras' folder should be")
    content = mnist_path.read_bytes()
    trust(monkeypatch, content)
    with serving(content) as origin, pytest.raises(UserError, match=r"downloaded and cannot be kept.*KERAS_HOME"):
        sources.find(memory, origin)


def test_the_warning_says_that_mnist_was_unavailable_and_why() -> None:
    text = sources.warning(sources.Source(datasets.DIGITS, None, "scikit-learn", fallback="no network: timed out"))
    assert "MNIST IS NOT AVAILABLE" in text
    assert "Why: no network: timed out." in text
    assert "MNIST_NPZ=path/to/mnist.npz make report" in text


def test_with_mnist_there_is_no_warning() -> None:
    assert sources.warning(sources.Source(datasets.MNIST, Path("mnist.npz"), "Keras' cache")) == ""


def test_the_terminal_shows_which_data_is_used_and_where_it_comes_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = sources.Source(datasets.MNIST, tmp_path / "a.npz", "the file that MNIST_NPZ names")
    assert sources.describe(source) == "Data: mnist, from the file that MNIST_NPZ names (a.npz)"
    assert sources.describe(sources.Source(datasets.DIGITS, None, "scikit-learn")) == "Data: digits, from scikit-learn"


# ---------------------------------------------------------------------------------------------- the memory


def test_a_recognised_file_is_not_unpacked_again(
    cached: Path, memory: Path, nowhere: str, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(cached, mnist_path)
    first = sources.find(memory, nowhere)
    assert json.loads(memory.read_text())["recognised"].keys() == {hashlib.sha256(mnist_path.read_bytes()).hexdigest()}
    monkeypatch.setattr(datasets, "load", no_load)
    assert sources.find(memory, nowhere) == first


def test_a_changed_file_is_checked_again(cached: Path, memory: Path, nowhere: str, mnist_path: Path) -> None:
    put(cached, mnist_path)
    sources.find(memory, nowhere)
    cached.unlink()
    put(cached, b"not MNIST")
    with pytest.raises(UserError, match="Expected MNIST"):
        sources.find(memory, nowhere)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"recognised": 1}', b"\xff"], ids=repr)
def test_a_damaged_cache_of_identities_only_costs_another_check(
    cached: Path, memory: Path, nowhere: str, mnist_path: Path, content: bytes
) -> None:
    put(cached, mnist_path)
    put(memory, content)
    assert sources.find(memory, nowhere).name == "mnist"
    assert len(json.loads(memory.read_text())["recognised"]) == 1


# ---------------------------------------------------------------------------------------------- another data set


def test_dataset_npz_comes_first_and_names_the_data_after_its_file(
    cached: Path, memory: Path, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "never looked at.npz"))
    monkeypatch.setenv("DATASET_NPZ", str(tmp_path / "two-kinds.npz"))
    np.savez(tmp_path / "two-kinds.npz", **other())
    source = sources.find(memory, nowhere)
    assert (source.name, source.spec.classes) == ("two-kinds", 3)
    assert source.origin == "the file that DATASET_NPZ names"
    monkeypatch.setattr(datasets, "inspect_npz", no_load)
    assert sources.find(memory, nowhere) == source


def test_mnist_is_recognised_whichever_variable_names_it(
    memory: Path, nowhere: str, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASET_NPZ", str(mnist_path))
    assert sources.find(memory, nowhere).spec == datasets.MNIST


def test_a_file_once_named_by_dataset_npz_is_not_taken_for_mnist(
    memory: Path, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "two-kinds.npz"
    np.savez(path, **other())
    monkeypatch.setenv("DATASET_NPZ", str(path))
    sources.find(memory, nowhere)
    monkeypatch.delenv("DATASET_NPZ")
    monkeypatch.setenv("MNIST_NPZ", str(path))
    with pytest.raises(UserError, match="Expected uint8"):
        sources.find(memory, nowhere)


BINARY = np.arange(36, dtype=np.uint8).reshape(6, 2, 3) % 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"y_train": [1, 2, 3, 1, 2, 3], "y_test": [3, 1]}, "no training image of class 0, though labels reach to 3."),
        ({"y_train": [200, 201, 202, 200, 201, 202], "y_test": [201, 200]}, "no training image of class 0, though"),
        ({"y_train": [0, 1, 2, 0, 1, 2], "y_test": [3, 0]}, "no training image of class 3, though labels reach to 3."),
        ({"y_train": [0, 2, 3, 0, 2, 3], "y_test": [3, 0]}, "no training image of class 1, though labels reach to 3."),
        ({"x_train": BINARY}, "its brightest training pixel is 1: images are nearly black. Expected 0 … 255."),
        ({"x_train": 0 * BINARY}, "its brightest training pixel is 0: images are nearly black."),
    ],
    ids=["from 1", "from 200", "in the test images alone", "a gap", "0 and 1", "black"],
)
def test_a_class_without_a_training_image_and_images_nearly_black_are_refused_each_time(
    memory: Path, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changes: dict, message: str
) -> None:
    np.savez(tmp_path / "mine.npz", **other(**{name: np.array(values) for name, values in changes.items()}))
    monkeypatch.setenv("DATASET_NPZ", str(tmp_path / "mine.npz"))
    for _ in range(2):
        with pytest.raises(UserError, match=re.escape(message)) as error:
            sources.find(memory, nowhere)
        assert str(error.value).endswith("or unset DATASET_NPZ.")


@pytest.mark.parametrize("name", ["mnist", "MNIST", "fashion_mnist", "digits", "two kinds", "<b>", "x" * 41])
def test_a_file_name_unusable_as_the_name_of_the_data_is_refused(
    memory: Path, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    np.savez(tmp_path / f"{name}.npz", **other())
    monkeypatch.setenv("DATASET_NPZ", str(tmp_path / f"{name}.npz"))
    with pytest.raises(UserError, match=r"Rename the file\.$"):
        sources.find(memory, nowhere)


# ---------------------------------------------------------------------------------------------- Fashion-MNIST

SMALL = [
    np.arange(size, dtype=np.uint8).reshape(shape) for size, shape in ((36, (6, 2, 3)), (6, 6), (24, (4, 2, 3)), (4, 4))
]


@pytest.fixture
def fashion(monkeypatch: pytest.MonkeyPatch) -> datasets.DatasetSpec:
    """Has SMALL take the place of Fashion-MNIST."""
    spec = datasets.DatasetSpec("fashion_mnist", datasets.hash_arrays(SMALL), 6, 4, (2, 3))
    monkeypatch.setitem(datasets.KERAS, spec, datasets.KERAS[datasets.FASHION_MNIST])
    monkeypatch.setattr(sources, "FASHION_MNIST", spec)
    return spec


def named(folder: Path, arrays: list[np.ndarray] = SMALL) -> Path:
    path = folder / "clothes.npz"
    np.savez(path, **dict(zip(datasets.ARRAYS, arrays, strict=True)))
    return path


def idx_files(arrays: list[np.ndarray] = SMALL) -> dict[str, bytes]:
    """The arrays as Keras' four files, by their names."""
    headers = [b"\0\0\x08" + bytes([array.ndim]) + np.array(array.shape, ">i4").tobytes() for array in arrays]
    contents = [gzip.compress(header + array.tobytes()) for header, array in zip(headers, arrays, strict=True)]
    return dict(zip(sources.FASHION_FILES.values(), contents, strict=True))


def cache(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        put(folder / "fashion-mnist" / name, content)


def test_fashion_mnist_is_recognised_by_its_content(
    memory: Path, nowhere: str, fashion_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASHION_NPZ", str(fashion_path))
    expected = sources.Source(datasets.FASHION_MNIST, fashion_path, "the file that FASHION_NPZ names")
    assert find_fashion(memory, nowhere) == expected


def test_fashion_npz_comes_before_the_cache(
    cached: Path,
    memory: Path,
    nowhere: str,
    fashion: datasets.DatasetSpec,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(cached.with_name("fashion_mnist.npz"), b"never looked at")
    monkeypatch.setenv("FASHION_NPZ", str(named(tmp_path)))
    found = find_fashion(memory, nowhere)
    assert found == sources.Source(fashion, tmp_path / "clothes.npz", "the file that FASHION_NPZ names")


def test_the_files_of_fashion_mnist_that_keras_has_cached_are_kept_as_one(
    cached: Path, memory: Path, nowhere: str, fashion: datasets.DatasetSpec
) -> None:
    cache(cached.parent, idx_files())
    found = find_fashion(memory, nowhere, download=False)
    assert found == sources.Source(fashion, cached.with_name("fashion_mnist.npz"), "Keras' cache")
    assert np.array_equal(found.load().y_train, SMALL[1])
    assert find_fashion(memory, nowhere) == found


def test_a_download_of_fashion_mnist_is_cached_and_reused(
    cached: Path, memory: Path, fashion: datasets.DatasetSpec
) -> None:
    kept = cached.with_name("fashion_mnist.npz")
    with serving(idx_files()) as origin:
        found = find_fashion(memory, origin.replace("mnist.npz", ""))
        assert found == sources.Source(fashion, kept, "Keras' download")
        assert find_fashion(memory, origin) == sources.Source(fashion, kept, "Keras' cache")
    assert list(kept.parent.iterdir()) == [kept]


def test_a_download_does_not_need_the_backend_that_the_user_gave_keras(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    used = []

    def get_file(*_: object, **__: object) -> str:
        used.append(os.environ["KERAS_BACKEND"])
        return str(tmp_path)

    monkeypatch.setenv("KERAS_BACKEND", "jax")
    monkeypatch.setitem(sys.modules, "keras.utils", SimpleNamespace(get_file=get_file))
    sources._get_file("mnist.npz", "https://example.org/mnist.npz", str(tmp_path))
    assert used == ["tensorflow"]


def test_without_fashion_mnist_there_is_a_reason_and_nothing_else(memory: Path, nowhere: str, tmp_path: Path) -> None:
    assert find_fashion(memory, nowhere) == "no network: Connection refused"
    assert find_fashion(memory, nowhere, download=False) == "it is neither named nor cached"
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_download_of_fashion_mnist_is_a_reason_and_is_not_cached(
    cached: Path, memory: Path, fashion: datasets.DatasetSpec
) -> None:
    with serving(idx_files([SMALL[0] + 1, *SMALL[1:]])) as origin:
        found = find_fashion(memory, origin.replace("mnist.npz", ""))
    assert str(found).endswith(" sent is not Fashion-MNIST")
    assert not cached.parent.exists()


@pytest.mark.parametrize("content", [None, b"not clothes"], ids=["missing", "something else"])
def test_a_bad_fashion_npz_is_an_error(
    memory: Path, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    if content is not None:
        put(tmp_path / "clothes.npz", content)
    monkeypatch.setenv("FASHION_NPZ", str(tmp_path / "clothes.npz"))
    expected = r"clothes\.npz: .*Expected Fashion-MNIST as \.npz\. Name the original fashion_mnist\.npz in FASHION_NPZ"
    with pytest.raises(UserError, match=expected):
        find_fashion(memory, nowhere)


@pytest.mark.parametrize(
    "damage",
    [lambda content: content[:-9], lambda content: b"no gzip", lambda content: gzip.compress(bytes(30))],
    ids=["cut", "no gzip", "too short"],
)
def test_damaged_files_in_keras_cache_are_an_error_that_says_what_to_delete(
    cached: Path, memory: Path, nowhere: str, fashion: datasets.DatasetSpec, damage: Callable[[bytes], bytes]
) -> None:
    cache(cached.parent, {name: damage(content) for name, content in idx_files().items()})
    with pytest.raises(UserError, match=r"fashion-mnist.*Delete this folder: Keras downloads them again\.$"):
        find_fashion(memory, nowhere)


def test_mnist_in_place_of_fashion_mnist_is_called_by_its_name(
    memory: Path, nowhere: str, mnist_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FASHION_NPZ", str(mnist_path))
    with pytest.raises(
        UserError, match=r"holds MNIST\. Expected Fashion-MNIST\. Name it in MNIST_NPZ\. Name the original"
    ):
        find_fashion(memory, nowhere)


def test_fashion_mnist_in_place_of_mnist_is_called_by_its_name(
    memory: Path, nowhere: str, fashion: datasets.DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mnist = datasets.DatasetSpec("mnist", ("0", "1", "2", "3"), 6, 4, (2, 3))
    monkeypatch.setitem(datasets.KERAS, mnist, datasets.KERAS[datasets.MNIST])
    monkeypatch.setattr(sources, "MNIST", mnist)
    monkeypatch.setenv("MNIST_NPZ", str(named(tmp_path)))
    with pytest.raises(
        UserError, match=r"holds Fashion-MNIST\. Expected MNIST\. Name it in FASHION_NPZ\. Name the original"
    ):
        sources.find(memory, nowhere)


def test_fashion_mnist_in_dataset_npz_keeps_its_name_whatever_the_file_is_called(
    memory: Path, fashion: datasets.DatasetSpec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATASET_NPZ", str(named(tmp_path)))
    assert sources.find(memory).spec == fashion


def test_the_terminal_says_that_the_study_goes_on_without_fashion_mnist() -> None:
    line = sources.missing("fashion_mnist", "no network: timed out")
    assert line == (
        "Without Fashion-MNIST: no network: timed out. To include it, connect to the network, or name a file: "
        "FASHION_NPZ=path/to/fashion_mnist.npz make report"
    )
