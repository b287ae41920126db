"""Small studies of the digits, the command line that trains them, and those that a test run trains once for all tests.

TensorFlow's start costs more than all the training: a test that needs a trained store takes a copy of a shared one.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from experiments.analysis import summary
from experiments.data.sources import DIGITS
from experiments.store.store import Store
from experiments.study import load as studies
from tests import fixture

ROOT = Path(__file__).parent.parent
SECOND, THIRD, FOURTH = (Path(__file__).with_name(name) for name in ("second", "third", "fourth"))
STUDY = ("--study", str(SECOND / "study.toml"))
ARTICLE = ("--article", str(SECOND))
USER, HOST, FOLDER = "the-user-name", "the-host-name", "the-folder-name"
RENAMED = f"""
import os, platform, socket
real = os.uname()
os.uname = lambda: os.uname_result((real[0], "{HOST}", *real[2:]))
platform.node = socket.gethostname = lambda: "{HOST}"
"""


def small_study(folder: Path, epochs: int = 2, seeds: int = 2) -> Path:
    """The committed study with few seeds and few epochs."""
    text = (ROOT / "experiments" / "study.toml").read_text()
    text = re.sub(r"seeds = \[.*\]", f"seeds = {list(range(seeds))}", text)
    limits = r"(\[datasets\.digits\].*\nepochs = 40\n)seeds = 5\narms = \[[^]]*\]"
    text = re.sub(limits, r'\1arms = ["example-?"]', text)
    text = text.replace("epochs = 40 ", f"epochs = {epochs} ").replace("epochs = 40\n", f"epochs = {epochs}\n")
    path = folder / "study.toml"
    path.write_text(text)
    assert studies.load(path).datasets["digits"].epochs == epochs
    return path


def offline() -> dict[str, str]:
    """An environment in which nothing names or caches MNIST and no network is reached: a proxy that is not there."""
    nowhere = dict.fromkeys(("https_proxy", "HTTPS_PROXY", "http_proxy", "HTTP_PROXY"), "http://127.0.0.1:9")
    return {**os.environ, **nowhere, "KERAS_HOME": "/nonexistent", "no_proxy": "", "NO_PROXY": ""}


def command(path: Path, *options: str, stage: str = "run") -> list[str]:
    folders = ("--study", str(path), "--results", str(path.parent))
    return [sys.executable, "-m", "experiments", stage, *folders, *options]


def run(path: Path, *options: str, stage: str = "run") -> subprocess.CompletedProcess[str]:
    called = command(path, *options, stage=stage)
    return subprocess.run(called, cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300)


def trainings(folder: Path) -> dict[str, float]:
    return {p.parent.name: p.stat().st_mtime_ns for p in folder.glob("runs/[!.]*/training.json")}


@contextmanager
def ended(process: subprocess.Popen[str]) -> Iterator[None]:
    """Leaves no process of that session behind, not even where the test is interrupted: it has no terminal."""
    try:
        yield
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)


def wait_until_alone(session: int) -> None:
    """Returns once no process of the session is left: workers end with their parent."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            os.killpg(session, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)
    raise AssertionError("a worker outlived its parent")


def without_times(value: Any) -> Any:
    """`value` without the fields that are marked as times, at any depth."""
    if isinstance(value, dict):
        return {key: without_times(inner) for key, inner in value.items() if key not in summary.TIMES}
    return [without_times(inner) for inner in value] if isinstance(value, list) else value


BUILDING = """
version = 1
[datasets.mnist]
epochs = 1
[datasets.digits]
epochs = 3
arms = ["*"]
[blocks.tried]
question = "Which rate?"
seeds = [0, 1]
[blocks.built]
question = "And then?"
seeds = [0, 1]
[[arms]]
name = "rate-{learning_rate}"
block = "tried"
learning_rate = [0.0001, 0.01]
[[arms]]
name = "chosen"
block = "built"
chosen_from = "rate-*"
[[arms]]
name = "reading"
block = "built"
output = "softmax"
loss = "categorical_crossentropy"
features_of = "rate-0.01"
"""


def building_study(folder: Path) -> Path:
    text = (ROOT / "experiments" / "study.toml").read_text()
    defaults = text[text.index("[defaults]") : text.index("[datasets.mnist]")]
    confirmatory = text[text.index("[confirmatory]") : text.index("[[contrasts]]")]
    path = folder / "study.toml"
    path.write_text(f"{BUILDING}{defaults}{confirmatory}")
    return path


# ---------------------------------------------------------------------------------------------- trained once


def examples(folder: Path) -> None:
    """Trains the small study with one worker. What the call printed is in .printed."""
    first = run(small_study(folder), "--jobs", "1")
    assert first.returncode == 0, first.stderr
    (folder / ".printed").write_text(first.stdout)


def run_on_full_disk(path: Path) -> subprocess.CompletedProcess[str]:
    """As `run` with one worker, which cannot write a whole file of weights."""
    unmeasured = "unset COVERAGE_PROCESS_CONFIG"  # what `make coverage` writes is larger
    uncached = "export PYTHONDONTWRITEBYTECODE=1"  # else Python leaves cut .pyc files, which stop later calls
    blocks = "ulimit -f 40"  # of 512 bytes
    limited = f"{blocks}; {unmeasured}; {uncached}; exec {' '.join(command(path, '--jobs', '1'))}"
    return subprocess.run(["sh", "-c", limited], cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300)


def examples_at_once(folder: Path) -> None:
    """Trains the small study with two workers, called twice at once. What both calls printed is in .calls.json."""
    printed = twice_at_once(command(small_study(folder), "--jobs", "2"))
    (folder / ".calls.json").write_text(json.dumps(printed))


def twice_at_once(called: list[str]) -> list[str]:
    """What two processes with the same command print."""
    both = [subprocess.Popen(called, cwd=ROOT, env=offline(), stdout=subprocess.PIPE, text=True) for _ in range(2)]
    printed = [process.communicate(timeout=300)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    return printed


def copied(trained: Path, folder: Path) -> Path:
    """The study in a copy of what was trained, times of files and all."""
    shutil.copytree(trained, folder)
    return folder / "study.toml"


def second_article(folder: Path) -> None:
    """Trains and renders tests/second in FOLDER, on a machine with names that would be found again."""
    home = folder / FOLDER
    (home / "names").mkdir(parents=True)
    (home / "names" / "sitecustomize.py").write_text(RENAMED)
    names = {"USER": USER, "LOGNAME": USER, "HOME": str(home), "HOSTNAME": HOST, "PYTHONPATH": str(home / "names")}
    places = ("--results", str(home / "results"), "--site", str(home / "site"))
    called = [sys.executable, "-m", "report", "study", *ARTICLE, *places, "--jobs", "1"]
    environment = {**offline(), **names}
    result = subprocess.run(called, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


def third_article(folder: Path) -> None:
    """Makes the `results` of tests/third, which are made up, and its `site`."""
    store = Store(folder / "results")
    for run in studies.load(THIRD / "study.toml").runs(DIGITS.spec.name):
        fixture.fill_run(store, run, DIGITS, {"patient-rate": 0.9})
    _report(THIRD, folder)


def fourth_article(folder: Path) -> None:
    """Makes the `results` and the `site` of tests/fourth."""
    _report(FOURTH, folder)


def _report(article: Path, folder: Path) -> None:
    """As `make report ARTICLE=…` does, with `results` and `site` in `folder`."""
    places = ("--results", str(folder / "results"), "--site", str(folder / "site"))
    called = [sys.executable, "-m", "report", "study", "--article", str(article), *places, "--jobs", "1"]
    result = subprocess.run(called, cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
