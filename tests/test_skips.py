"""A test that cannot run says what it needs; in CI it fails."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ALIKE = pytest.mark.slow("starts pytest once more; in CI, in one process, is in `make test`")


@pytest.mark.parametrize(
    ("ci", "workers", "status"),
    [pytest.param("", 0, 0, marks=ALIKE), ("true", 0, 1), pytest.param("true", 2, 1, marks=ALIKE)],
)
def test_tests_that_need_mnist_are_listed_in_one_line_without_it_and_fail_in_ci(
    tmp_path: Path, ci: str, workers: int, status: int
) -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "data/test_data.py", "-k", "mnist_is"]
    command += ["-n", str(workers)] if workers else []
    environment = os.environ | {"HOME": str(tmp_path), "CI": ci}  # no MNIST in Keras' cache
    result = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert result.returncode == status
    assert re.fullmatch(r"2 skipped.* in \S+", result.stdout.splitlines()[-1])
    told = [line for line in result.stdout.splitlines() if "MNIST" in line]
    assert told == ["Not run: 2 tests, which need MNIST. Name it: MNIST_NPZ=path/to/mnist.npz make test"]
