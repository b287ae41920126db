"""What the tests share: real MNIST where it is to be had, and fixture results that need no training."""

from __future__ import annotations

import fcntl
import gc
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from experiments.analysis import records
from experiments.analysis.results import Results
from experiments.data import datasets, sources
from experiments.data.sources import Source
from experiments.plots import drawing
from experiments.plots.figures import Figure
from experiments.study import load as studies
from experiments.study.model import Study
from experiments.training import pool
from tests import chromium, fixture, trained

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
MNIST_NPZ = os.environ.pop("MNIST_NPZ", "")  # no test may depend on it by accident
FASHION_NPZ = os.environ.pop("FASHION_NPZ", "")
os.environ.pop("DATASET_NPZ", None)

LONGEST = (  # the modules that take longest
    *("test_runner", "test_accessibility", "test_article_code", "test_training", "test_crash", "test_plots"),
    *("test_hostile", "test_measures", "test_install", "test_another_article", "test_verify", "test_live"),
    *("test_browser", "test_vocabulary", "test_why", "test_networks", "test_early", "test_records", "test_page"),
    *("test_opposite", "test_sharing", "test_unfinished", "test_golden"),
)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Tells a worker of pytest-xdist where the data are: it inherits an environment that says so no more."""
    node.workerinput["mnist_npz"], node.workerinput["fashion_npz"] = MNIST_NPZ, FASHION_NPZ


@pytest.fixture(scope="session")
def mnist_path(pytestconfig: pytest.Config) -> Path:
    """The file with real MNIST that MNIST_NPZ names, or that Keras has cached."""
    return named_or_cached(getattr(pytestconfig, "workerinput", {}).get("mnist_npz", MNIST_NPZ), datasets.MNIST)


@pytest.fixture(scope="session")
def fashion_path(pytestconfig: pytest.Config) -> Path:
    """The file with real Fashion-MNIST that FASHION_NPZ names, or that was made of what Keras has cached."""
    named = getattr(pytestconfig, "workerinput", {}).get("fashion_npz", FASHION_NPZ)
    return named_or_cached(named, datasets.FASHION_MNIST)


def named_or_cached(named: str, spec: datasets.DatasetSpec) -> Path:
    known = datasets.KERAS[spec]
    cached = Path.home() / ".keras" / "datasets" / known.file
    if not named and not cached.exists():
        pytest.skip(f"{known.label}. Name it: {known.variable}=path/to/{known.file} make test")
    return Path(named).resolve() if named else cached


@pytest.fixture(scope="session")
def mnist(mnist_path: Path) -> datasets.Dataset:
    return datasets.load(datasets.MNIST, mnist_path)


@pytest.fixture(scope="session")
def digits() -> datasets.Dataset:
    return datasets.load(datasets.DIGITS)


@pytest.fixture(scope="session")
def shared_folder(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all workers of this test run share."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if hasattr(pytestconfig, "workerinput") else own


@pytest.fixture(scope="session")
def once(shared_folder: Path) -> Callable[[Callable[[Path], None]], Path]:
    """Gives the folder that a function fills, which is called once in a test run: the first worker to ask calls it."""

    def made(fill: Callable[[Path], None]) -> Path:
        folder = shared_folder / fill.__name__
        with (shared_folder / f"{fill.__name__}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not folder.exists():
                unfinished = Path(tempfile.mkdtemp(dir=shared_folder))
                fill(unfinished)
                unfinished.rename(folder)
        return folder

    return made


@pytest.fixture(scope="session")
def trained_examples(once: Callable[[Callable[[Path], None]], Path]) -> Path:
    return once(trained.examples)


@pytest.fixture(scope="session")
def trained_at_once(once: Callable[[Callable[[Path], None]], Path]) -> Path:
    return once(trained.examples_at_once)


@pytest.fixture(scope="session")
def built(once: Callable[[Callable[[Path], None]], Path]) -> Path:
    """The second article's `results` and `site`, on a machine with names that would be found again."""
    return once(trained.second_article) / trained.FOLDER


@pytest.fixture(scope="session")
def third(once: Callable[[Callable[[Path], None]], Path]) -> Path:
    """The third article's `results` and `site`."""
    return once(trained.third_article)


@pytest.fixture(scope="session")
def fourth(once: Callable[[Callable[[Path], None]], Path]) -> Path:
    """The fourth article's `results` and `site`."""
    return once(trained.fourth_article)


@pytest.fixture(autouse=True, scope="session")
def drawn_once(shared_folder: Path) -> Iterator[None]:
    """What `fixture.draw` has drawn, it need not draw again."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fixture, "DRAWN", shared_folder / "drawn")
        yield


@pytest.fixture(scope="module")
def commands_draw_once(drawn_once: None) -> Iterator[None]:
    """Commands that draw this article's figures take what `fixture.draw` has drawn of equal results."""
    draw = drawing.draw

    def drawn(results: Results, figures: Path | None = None, pictures: bool = True) -> list[Figure]:
        return fixture.draw(results, pictures) if figures == fixture.FIGURES else draw(results, figures, pictures)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(drawing, "draw", drawn)
        yield


@pytest.fixture(autouse=True, scope="session")
def unsynced() -> Iterator[None]:
    """No test of this process waits for the disk: what it stores need not survive a power cut."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", lambda _: None)
        yield


@pytest.fixture(scope="session")
def launched() -> Iterator[Browser]:
    """One Chromium for all tests of a process."""
    if not chromium.PATH:
        pytest.skip(f"Chromium. Install it: {chromium.INSTALL}. Then: make test")
    with chromium.launched() as browser:
        yield browser


@pytest.fixture
def browser(launched: Browser) -> Iterator[Browser]:
    """Chromium; what a test opens in it is closed after the test."""
    yield launched
    for context in launched.contexts:
        context.close()


@pytest.fixture(autouse=True, scope="session")
def no_record(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Made-up results are not held against the committed record; tests of the record put one of their own in place."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD", tmp_path_factory.mktemp("record") / "record.json")
        yield


@pytest.fixture(autouse=True, scope="session")
def no_fashion() -> Iterator[None]:
    """No test looks for Fashion-MNIST by accident, and so downloads it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "find_fashion", lambda *_, **__: "no test looks for it")
        yield


@pytest.fixture(scope="session")
def plan() -> Study:
    return studies.load()


@pytest.fixture(scope="session")
def results(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Made-up results of the three examples on MNIST; see `fixture.SCORES`."""
    return fixture.results(plan, tmp_path_factory.mktemp("results"), Source(datasets.MNIST, None, "a fixture"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """As many processes as processors and memory allow trainings; with more than eight, the tests end no sooner."""
    return min(pool.default_jobs(), 8)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Modules that take long come first: each runs in one process, and all processes should end together."""
    place = {name: number for number, name in enumerate(LONGEST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def pytest_collection_finish() -> None:
    """Leaves what the tests have imported, TensorFlow above all, out of every garbage collection to come."""
    gc.collect()
    gc.freeze()


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
