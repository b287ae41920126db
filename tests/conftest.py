"""What the tests share: real MNIST where it is to be had, and fixture results that need no training."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments import data, records, study
from experiments.sources import Source
from tests import fixture

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
MNIST_NPZ = os.environ.pop("MNIST_NPZ", "")  # no test may depend on it by accident
os.environ.pop("DATASET_NPZ", None)


@pytest.fixture(scope="session")
def mnist_path() -> Path:
    """The file with real MNIST that MNIST_NPZ names, or that Keras has cached."""
    cached = Path.home() / ".keras" / "datasets" / "mnist.npz"
    path = Path(MNIST_NPZ).resolve() if MNIST_NPZ else cached
    if not MNIST_NPZ and not cached.exists():
        pytest.skip("MNIST. Name it: MNIST_NPZ=path/to/mnist.npz make test")
    return path


@pytest.fixture(scope="session")
def mnist(mnist_path: Path) -> data.Dataset:
    return data.load(data.MNIST, mnist_path)


@pytest.fixture(scope="session")
def digits() -> data.Dataset:
    return data.load(data.DIGITS)


@pytest.fixture(autouse=True, scope="session")
def no_record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Made-up results are not held against the committed record; tests of the record put one of their own in place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD", tmp_path_factory.mktemp("record") / "record.json")
        yield


@pytest.fixture(scope="session")
def plan() -> study.Study:
    return study.load()


@pytest.fixture(scope="session")
def results(no_record: None, plan: study.Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Made-up results of the three examples on MNIST; see `fixture.SCORES`."""
    return fixture.results(plan, tmp_path_factory.mktemp("results"), Source(data.MNIST, None, "a fixture"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What was skipped: a line a reason, which is what the tests need, and how to get it."""
    skipped = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    for reason, number in skipped.items():
        terminalreporter.write_line(f"Not run: {number} tests, which need {reason.removeprefix('Skipped: ')}", red=True)
    if skipped and os.environ.get("CI"):
        terminalreporter.write_line("Failed: in CI every test must run.", red=True)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failed one: a missing tool or missing data must not pass for success."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("CI") and reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
