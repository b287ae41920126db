"""What a user can fix is one line and an exit status; anything else stays a traceback."""

from __future__ import annotations

import argparse
import errno
import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments import __main__ as experiments
from experiments import options
from experiments.files import errors
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError
from report import __main__ as report

ROOT = Path(__file__).parents[2]
QUIET, DEBUG = argparse.Namespace(debug=False), argparse.Namespace(debug=True)
FULL = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/runs")


def raising(error: BaseException) -> Callable[[argparse.Namespace], None]:
    def main(_: argparse.Namespace) -> None:
        raise error

    return main


def test_success_is_silent_and_exits_with_0(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(lambda _: None, QUIET) == 0
    assert capsys.readouterr() == ("", "")


def test_a_command_receives_its_arguments() -> None:
    seen: list[argparse.Namespace] = []
    errors.command(seen.append, QUIET)
    assert seen == [QUIET]


def test_a_users_mistake_is_one_line_and_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(raising(UserError("study.toml:3: wrong. Fix this line.")), QUIET) == 2
    assert capsys.readouterr() == ("", "error: study.toml:3: wrong. Fix this line.\n")


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (errno.ENOSPC, "No space left on device. Free some space and run the same command again"),
        (errno.EDQUOT, "Disk quota exceeded. Free some space and run the same command again"),
        (errno.EACCES, "Permission denied. Make the folder writable and run the same command again"),
        (errno.EPERM, "Operation not permitted. Make the folder writable and run the same command again"),
        (errno.EROFS, "Read-only file system. Make the folder writable and run the same command again"),
        (errno.EEXIST, "File exists. Expected a folder there. Move that file away and run the same command again"),
        (errno.ENOTDIR, "Not a directory. Expected folders on the way there. Move the file away and run"),
        (errno.EISDIR, "Is a directory. Expected a file there. Move that folder away and run the same command again"),
        (errno.EIO, "Input/output error. Fix that and run the same command again, or add --debug"),
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
def test_a_file_system_error_is_one_line_with_path_and_fix_and_exit_status_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], code: int, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    error = OSError(code, os.strerror(code), str(tmp_path / "results" / "runs"))
    assert errors.command(raising(error), QUIET) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith(f"error: results/runs: {message}")
    assert err.index("\n") == len(err) - 1


def test_a_failed_rename_names_its_target(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "results.json").mkdir()
    assert errors.command(lambda _: write_atomically(tmp_path / "results.json", b"{}"), QUIET) == 2
    assert capsys.readouterr().err.startswith("error: results.json: Is a directory. Expected a file there.")


def test_a_file_that_cannot_be_written_is_named_and_not_the_temporary_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    name = 250 * "a"  # with what a temporary file's name begins with it is too long
    assert errors.command(lambda _: write_atomically(tmp_path / name, b"{}"), QUIET) == 2
    assert capsys.readouterr().err.startswith(f"error: {name}: File name too long. ")


def test_a_full_disk_is_reported_without_a_path_if_none_is_known(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(raising(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))), QUIET) == 2
    assert capsys.readouterr().err.startswith("error: No space left on device. Free some space")


@pytest.mark.parametrize("buffered", [True, False], ids=["buffered", "unbuffered"])
@pytest.mark.parametrize(("full", "status"), [(False, 141), (True, 2)], ids=["reader gone", "full device"])
def test_failing_to_write_to_stdout_is_neither_success_nor_pythons_own_error(
    buffered: bool, full: bool, status: int
) -> None:
    program = "import argparse, sys; from experiments.files import errors; " + (
        "sys.exit(errors.command(lambda _: print('Identical') or 0, argparse.Namespace(debug=False)))"
    )
    reader, pipe = os.pipe()
    os.close(reader)
    taken = os.open("/dev/full", os.O_WRONLY) if full else pipe
    environment = {**os.environ, "PYTHONUNBUFFERED": "" if buffered else "1"}
    result = subprocess.run([sys.executable, "-c", program], stdout=taken, stderr=subprocess.PIPE, env=environment)
    os.close(pipe)
    assert result.returncode == status
    assert b"Exception ignored" not in result.stderr
    assert result.stderr.startswith(b"error: No space left on device") if full else result.stderr == b""


def test_ctrl_c_exits_with_130_and_says_that_finished_runs_are_kept(capsys: pytest.CaptureFixture[str]) -> None:
    assert errors.command(raising(KeyboardInterrupt()), QUIET) == 130
    assert "What was finished is stored; the same command goes on from there." in capsys.readouterr().err


@pytest.mark.parametrize("error", [UserError("wrong"), FULL], ids=["a user's mistake", "disk full"])
def test_debug_reraises_the_error(capsys: pytest.CaptureFixture[str], error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        errors.command(raising(error), DEBUG)
    assert raised.value is error
    assert capsys.readouterr().err == ""


def test_a_bug_is_not_reported_as_a_users_mistake() -> None:
    with pytest.raises(ZeroDivisionError):
        errors.command(raising(ZeroDivisionError()), QUIET)


@pytest.mark.parametrize(
    ("path", "expected"),
    [("here/a.txt", "a.txt"), ("here/b/../c.txt", "c.txt"), ("here", "."), ("there/a.txt", "{tmp}/there/a.txt")],
    ids=["below", "below, written crookedly", "itself", "beside"],
)
def test_a_path_below_the_current_folder_is_shown_relative_to_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, expected: str
) -> None:
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    assert errors.display_path(tmp_path / path) == expected.format(tmp=tmp_path)


def test_a_relative_path_is_shown_unchanged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert errors.display_path("results/runs") == "results/runs"


def test_characters_that_the_terminal_cannot_show_stop_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert errors.command(lambda _: print("−0.5 points"), QUIET) == 0
    terminal.flush()
    assert terminal.buffer.getvalue() == b"?0.5 points\n"  # type: ignore[attr-defined]


def test_characters_that_the_terminal_cannot_show_are_replaced_in_the_help_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="latin-1")
    monkeypatch.setattr(sys, "stdout", terminal)
    with pytest.raises(SystemExit):
        report.parse(["--help"])
    terminal.flush()
    assert b"the record?s verdicts" in terminal.buffer.getvalue()  # type: ignore[attr-defined]


def test_an_invalid_option_is_one_line_and_exit_status_2(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        errors.Parser().parse_args(["--nonsense"])
    assert ended.value.code == 2
    assert capsys.readouterr() == ("", "error: unrecognized arguments: --nonsense\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND"),
        (["draw"], "argument COMMAND: invalid choice: 'draw'"),
        (["run", "plots"], "unrecognized arguments: plots"),
        (["plots", "--jobs", "2"], "unrecognized arguments: --jobs 2"),
        (["run", "--jobs", "two"], "argument --jobs: JOBS is 'two'. Expected a whole number from 1 to 1024."),
        (["why", "slow", "0"], "unrecognized arguments: 0"),
    ],
)
def test_a_command_refuses_what_it_does_not_know_in_one_line(
    capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        experiments.parse(arguments)
    assert ended.value.code == 2
    output, error = capsys.readouterr()
    assert (output, error.count("\n")) == ("", 1)
    assert error.startswith(f"error: {message}")


def test_options_reach_the_command_and_others_keep_their_default() -> None:
    arguments = experiments.parse(["run", "--jobs", "3", "--only", "depth, dose", "--quick"])
    assert options.settings(arguments) == options.Settings(jobs=3, only=("depth", "dose"), quick=True)
    assert options.settings(experiments.parse(["why", "slow, 0", "--results", "x"])) == options.Settings(
        results=Path("x")
    )


# ---------------------------------------------------------------------------------------------- what make hands over


def received(tmp_path: Path, *values: str, program: str = 'printf "%s\\n" "$@"') -> list[str]:
    """The arguments of the last program that make starts, or what else `program` prints in place of our Python."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\n{program} > "$0.arguments"\n')
    python.chmod(0o755)
    touched = [option for layer in ("page", "train", "cluster", "dev") for option in ("-o", f".venv/.{layer}")]
    subprocess.run(["make", *touched, f"PY={python}", *values], cwd=ROOT, check=True, capture_output=True)
    return (tmp_path / "python.arguments").read_text().splitlines()


HOSTILE = "it's; touch pwned '\"&|`x`"


@pytest.mark.parametrize(
    ("values", "last"),
    [
        (["verify", f"PAGE={HOSTILE}"], [HOSTILE]),
        (["verify", "PAGE=-dash  two.html"], ["./-dash  two.html"]),
        (["compare", "A=-a.html", f"B={HOSTILE}"], ["./-a.html", HOSTILE]),
        (["compare"], ["compare"]),
        (["render", f"SITE_URL={HOSTILE}"], [f"--url={HOSTILE}"]),
        (["experiments", f"ONLY={HOSTILE}"], [f"--only={HOSTILE}"]),
        (["publish", "REMOTE=--upload-pack=x"], ["--remote=--upload-pack=x"]),
        (["cluster", "JOBS=3"], ["experiments.training.cluster", "--workers=3"]),
        (["cluster", f"PORT={HOSTILE}"], [f"--port={HOSTILE}"]),
    ],
)
def test_make_passes_values_on_unchanged(tmp_path: Path, values: list[str], last: list[str]) -> None:
    assert received(tmp_path, *values)[-len(last) :] == last


def test_make_passes_the_files_of_an_article_on_unchanged(tmp_path: Path) -> None:
    folder = tmp_path / HOSTILE
    folder.mkdir()
    (folder / "article.md").touch()
    assert received(tmp_path, "plots", f"ARTICLE={folder}") == ["-m", "experiments", "plots"]
    (folder / "study.toml").touch()
    (folder / "figures.py").touch()
    files = [f"--study={folder}/study.toml", f"--figures={folder}/figures.py"]
    assert received(tmp_path, "plots", f"ARTICLE={folder}") == ["-m", "experiments", "plots", *files]
    assert received(tmp_path, "render", f"ARTICLE={folder}")[-1] == f"--article={folder}"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("ARTICLE=nowhere", "nowhere: no article.md there. ARTICLE names a folder with article.md, claims.toml and"),
        ("CLAIMS=claims.toml", "make report ARTICLE=folder"),
        ("STUDY=study.toml", "make report ARTICLE=folder"),
    ],
)
def test_make_says_how_to_name_an_article(value: str, message: str) -> None:
    result = subprocess.run(["make", "render", value], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert message in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("name", ["ARTICLE", "STUDY", "CLAIMS"])
def test_names_in_the_environment_stop_only_what_uses_them(name: str) -> None:
    elsewhere = {**os.environ, name: "nowhere"}
    for target in ("help", "clean", "test", "serve"):
        result = subprocess.run(["make", "-n", target], cwd=ROOT, env=elsewhere, capture_output=True, text=True)
        assert result.returncode == 0, result.stderr
    result = subprocess.run(["make", "-n", "plots"], cwd=ROOT, env=elsewhere, capture_output=True, text=True)
    assert ("nowhere: no article.md there." in result.stderr) == (name == "ARTICLE")


@pytest.mark.parametrize("target", ["report", "plots", "record", "mnist", "status", "serve", "render", "verify"])
def test_make_passes_debug_on(tmp_path: Path, target: str) -> None:
    assert "--debug" in received(tmp_path, target, "DEBUG=1")


@pytest.mark.parametrize(
    ("name", "target", "option"),
    [
        *(("QUICK", "plots", "--quick"), ("DEBUG", "plots", "--debug"), ("ALL", "compare", "--all")),
        *(("PUSH", "publish", "--push"), ("UPGRADE", "lock", "--upgrade")),
    ],
)
def test_a_switch_is_on_unless_it_is_0_or_no(name: str, target: str, option: str) -> None:
    for value, on in (("1", True), ("yes", True), ("0", False), ("no", False), ("", False)):
        called = ["make", "-n", "-o", ".venv/.page", "-o", ".venv/.dev", target, f"{name}={value}"]
        result = subprocess.run(called, cwd=ROOT, capture_output=True, text=True, check=True)
        assert (option in result.stdout) == on


def test_make_why_ignores_the_name_of_the_machine_in_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME", "this-machine")
    assert received(tmp_path, "why") == ["-m", "experiments", "why"]
    assert received(tmp_path, "why", "NAME=slow, 0") == ["-m", "experiments", "why", "slow, 0"]


def test_make_names_a_benchmark_that_there_is_not_however_it_is_spelt() -> None:
    called = ["make", "-o", ".venv/.dev", "bench", f"WHAT={HOSTILE}"]
    result = subprocess.run(called, cwd=ROOT, capture_output=True, text=True)
    assert result.stderr.startswith(f"error: WHAT is '{HOSTILE}'. Expected page or training")


@pytest.mark.parametrize("name", ["PYTHONPATH", "PYTHONSAFEPATH", "PYTHONOPTIMIZE", "PYTHONHOME"])
def test_make_starts_python_without_the_users_settings_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, "1")
    assert received(tmp_path, "render", program=f'echo "${{{name}-none}}"') == ["none"]


@pytest.mark.parametrize("target", ["clean", "clean-all"])
def test_clean_empties_folders_that_are_links_too(tmp_path: Path, target: str) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    for path in ("requirements/install.py", "experiments/results/.gitkeep", "report/mse_tanh/article.md", "tests/x"):
        (project / path).parent.mkdir(parents=True, exist_ok=True)
        (project / path).touch()
    (elsewhere / "results" / "runs").mkdir(parents=True)
    (elsewhere / "site").mkdir()
    for folder in ("results", "site"):
        (elsewhere / folder / ".gitkeep").touch()
        (elsewhere / folder / "page.html").touch()
    shutil.rmtree(project / "experiments" / "results")
    (project / "site").symlink_to(elsewhere / "site")
    (project / "experiments" / "results").symlink_to(elsewhere / "results")
    subprocess.run(["make", "-s", "-C", project, "-f", ROOT / "Makefile", target], check=True, capture_output=True)
    assert [path.name for path in (elsewhere / "site").iterdir()] == [".gitkeep"]
    kept = sorted(path.name for path in (elsewhere / "results").iterdir())
    assert kept == ([".gitkeep"] if target == "clean-all" else [".gitkeep", "page.html", "runs"])


def test_make_in_another_folder_says_how_to_name_the_projects_folder(tmp_path: Path) -> None:
    result = subprocess.run(["make", "-f", ROOT / "Makefile", "render"], cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert "make -C path/to/project" in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("port", ["abc", "0", "-1", "65536", ""])
def test_an_invalid_port_is_named(capsys: pytest.CaptureFixture[str], port: str) -> None:
    with pytest.raises(SystemExit):
        report.parse(["serve", f"--port={port}"])
    assert f"PORT is '{port}'. Expected a whole number from 1 to 65535." in capsys.readouterr().err


def test_a_busy_port_and_a_missing_page_are_reported_with_the_fix(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="make render"):
        report.serve(tmp_path, 8000)
    (tmp_path / "index.html").touch()
    with socket.create_server(("127.0.0.1", 0)) as busy:
        port = busy.getsockname()[1]
        with pytest.raises(UserError, match=f"Port {port}: Address already in use. Name another one"):
            report.serve(tmp_path, port)
