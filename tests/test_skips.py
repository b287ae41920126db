"""A test that cannot run says what it needs; in CI it fails."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("true", 1)])
def test_without_mnist_the_tests_that_need_it_are_told_in_one_line_and_fail_in_ci(
    tmp_path: Path, ci: str, status: int
) -> None:
    here = Path(__file__).parent
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "test_data.py", "-k", "mnist_is"]
    environment = os.environ | {"HOME": str(tmp_path), "CI": ci}  # no MNIST in Keras' cache
    done = subprocess.run(command, cwd=here, env=environment, capture_output=True, text=True)
    assert done.returncode == status
    told = [line for line in done.stdout.splitlines() if "MNIST" in line]
    assert told == ["Not run: 2 tests, which need MNIST. Name it: MNIST_NPZ=path/to/mnist.npz make test"]
