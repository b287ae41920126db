"""What a user can mend is one line and an exit status; anything else stays a traceback."""

from __future__ import annotations

import argparse
import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import errors
from experiments.errors import UserError
from experiments.store import write_atomically

QUIET, DEBUG = argparse.Namespace(debug=False), argparse.Namespace(debug=True)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/runs")


def raising(error: BaseException) -> Callable[[argparse.Namespace], None]:
    def main(_: argparse.Namespace) -> None:
        raise error

    return main


def test_success_is_status_0_and_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(lambda _: None, QUIET) == 0
    assert capsys.readouterr() == ("", "")


def test_a_command_gets_its_arguments() -> None:
    seen: list[argparse.Namespace] = []
    errors.command(seen.append, QUIET)
    assert seen == [QUIET]


def test_a_users_mistake_is_status_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(raising(UserError("study.toml:3: wrong. Fix this line.")), QUIET) == 2
    assert capsys.readouterr() == ("", "error: study.toml:3: wrong. Fix this line.\n")


@pytest.mark.parametrize(
    ("code", "told"),
    [
        (errno.ENOSPC, "No space left on device. Free some space and run the same command again"),
        (errno.EDQUOT, "Disk quota exceeded. Free some space and run the same command again"),
        (errno.EACCES, "Permission denied. Make the folder writable and run the same command again"),
        (errno.EPERM, "Operation not permitted. Make the folder writable and run the same command again"),
        (errno.EROFS, "Read-only file system. Make the folder writable and run the same command again"),
        (errno.EEXIST, "File exists. Expected a folder there. Move that file away and run the same command again"),
        (errno.ENOTDIR, "Not a directory. Expected folders on the way there. Move the file away and run"),
        (errno.EISDIR, "Is a directory. Expected a file there. Move that folder away and run the same command again"),
        (errno.EIO, "Input/output error. Mend that and run the same command again, or add --debug"),
    ],
    ids=[
        "disk full",
        "quota",
        "no permission",
        "not permitted",
        "read-only",
        "file",
        "below a file",
        "folder",
        "another",
    ],
)
def test_what_the_file_system_refused_is_status_2_and_one_line_with_path_and_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    error = OSError(code, os.strerror(code), str(tmp_path / "results" / "runs"))
    assert errors.command(raising(error), QUIET) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: results/runs: {told}")
    assert err.index("\n") == len(err) - 1


def test_a_rename_that_is_refused_is_told_with_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").mkdir()
    assert errors.command(lambda _: write_atomically(tmp_path / "results.json", b"{}"), QUIET) == 2
    assert capsys.readouterr().err.startswith("error: results.json: Is a directory. Expected a file there.")


def test_a_full_disk_without_a_path_is_told_without_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), QUIET) == 2
    assert capsys.readouterr().err.startswith("error: No space left on device. Free some space")


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(("full", "status"), [(False, 141), (True, 2)], ids=["reader gone", "full device"])
def test_where_stdout_takes_nothing_the_status_is_neither_success_nor_pythons_complaint(
    buffered: bool, full: bool, status: int
) -> None:
    program = "import argparse, sys; from experiments import errors; " + (
        "sys.exit(errors.command(lambda _: print('Identical') or 0, argparse.Namespace(debug=False)))"
    )
    reader, pipe = os.pipe()
    os.close(reader)
    taken = os.open("/dev/full", os.O_WRONLY) if full else pipe
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    done = subprocess.run([sys.executable, "-c", program], stdout=taken, stderr=subprocess.PIPE, env=environment)
    os.close(pipe)
    assert done.returncode == status
    assert b"Exception ignored" not in done.stderr
    assert done.stderr.startswith(b"error: No space left on device") if full else done.stderr == b""


def test_ctrl_c_is_status_130_and_says_that_nothing_finished_is_lost(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(raising(KeyboardInterrupt()), QUIET) == 130
    assert "What was finished is stored; the same command goes on from there." in capsys.readouterr().err


@pytest.mark.parametrize("error", [UserError("wrong"), FULL], ids=["a user's mistake", "disk full"])
def test_debug_raises_the_error_itself(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        errors.command(raising(error), DEBUG)
    assert raised.value is error
    assert capsys.readouterr().err == ""


def test_a_bug_of_ours_is_not_dressed_up_as_a_users_mistake() -> None:
    with pytest.raises(ZeroDivisionError):
        errors.command(raising(ZeroDivisionError()), QUIET)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("here/a.txt", "a.txt"), ("here/b/../c.txt", "c.txt"), ("here", "."), ("there/a.txt", "{tmp}/there/a.txt")],
    ids=["below", "below, written crookedly", "itself", "beside"],
)
def test_a_path_is_relative_where_it_lies_below_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert errors.shown(tmp_path / path) == expected.format(tmp=tmp_path)


def test_a_relative_path_is_shown_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert errors.shown("results/runs") == "results/runs"
