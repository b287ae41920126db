"""Where MNIST comes from, in which order, and that its absence is quick, told and never silent.

No test here leaves this machine: every address is on 127.0.0.1.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest

from experiments.data import datasets, sources
from experiments.files.errors import UserError
from tests.data.test_data import other


@pytest.fixture(autouse=True)
def cached(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where Keras would cache MNIST: in an empty folder of the test's own. Proxies are out of the way."""
    monkeypatch.delenv("MNIST_NPZ", raising=False)
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
def serving(content: bytes, status: int = 200, before: Callable[[], object] = lambda: None) -> Iterator[str]:
    """The address of a server that sends `content`, and calls `before` as it begins to."""

    class Handler(BaseHTTPRequestHandler):
        def do_HEAD(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()

        def do_GET(self) -> None:
            before()
            self.do_HEAD()
            self.wfile.write(content)

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


@pytest.mark.parametrize("name", ["mnist", "MNIST", "digits", "two kinds", "<b>", "x" * 41])
def test_a_file_name_unusable_as_the_name_of_the_data_is_refused(
    memory: Path, nowhere: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    np.savez(tmp_path / f"{name}.npz", **other())
    monkeypatch.setenv("DATASET_NPZ", str(tmp_path / f"{name}.npz"))
    with pytest.raises(UserError, match=r"Rename the file\.$"):
        sources.find(memory, nowhere)
