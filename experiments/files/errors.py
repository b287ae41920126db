"""The one error that users see: where, what, what was expected, and the fix, in one line."""

from __future__ import annotations

import argparse
import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from _typeshed import SupportsWrite

from experiments.files.durable import TEMPORARY_NAME

READER_GONE = 141  # 128 + SIGPIPE, as shells report it of other programs
MAX_LINE = 1500  # characters of an error's line; the middle of a longer one is left out


class UserError(Exception):
    """A mistake that the user can fix.

    Its text is one line such as `experiments/study.toml:41: arm 'deep' has depth 0. Expected 1 to 64. Fix the value.`
    The command line prints it and exits with status 2; a traceback comes only with `--debug`. Whatever is quoted in it,
    it stays one line that a terminal shows and does not obey, and it ends with the fix.
    """

    def __init__(self, message: str):
        line = printable(" ".join(message.split()))
        if len(line) > MAX_LINE:
            line = f"{line[: 2 * MAX_LINE // 3]} … {line[-MAX_LINE // 3 :]}"
        super().__init__(line)


def printable(text: str) -> str:
    """`text` as a terminal shows it and does not obey it: other characters are escaped."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


def display_path(path: Path | str) -> str:
    """`path` as a user would type it: relative to the current folder where it lies below it."""
    path = os.path.abspath(path)
    relative = os.path.relpath(path)
    return path if relative.split(os.sep)[0] == ".." else relative


def nearest(text: str, known: Iterable[str], most: int = 1) -> list[str]:
    """Those of the `known` texts that are most like a mistaken one, the nearest first; none where none is like it."""
    from difflib import get_close_matches  # only where something is wrong

    return get_close_matches(text, list(known), n=most, cutoff=0.5)


def code_place(error: BaseException, path: Path) -> str:
    """`path` of somebody's Python file as a user would type it, with the line of it in which `error` arose."""
    absolute = os.path.abspath(path)
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if os.path.abspath(frame.filename) == absolute]
    if isinstance(error, SyntaxError) and error.filename and os.path.abspath(error.filename) == absolute:
        lines.append(error.lineno)
    return f"{display_path(path)}:{lines[-1]}" if lines else display_path(path)


class Parser(argparse.ArgumentParser):
    """A command line whose mistakes are one line, as every error is."""

    def print_help(self, file: SupportsWrite[str] | None = None) -> None:
        _replace_unprintable()
        super().print_help(file)

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {UserError(message)}\n")


def whole_number(name: str, low: int, high: int) -> Callable[[str], int]:
    """Reads an option that `make` calls `name`."""

    def read(text: str) -> int:
        if not (text.isascii() and text.isdigit()) or not low <= int(text) <= high:
            raise argparse.ArgumentTypeError(f"{name} is '{text}'. Expected a whole number from {low} to {high}.")
        return int(text)

    return read


def command(main: Callable[[argparse.Namespace], int | None], arguments: argparse.Namespace) -> int:
    """Runs a command line's `main`; returns its exit status. What users can fix is one line, not a traceback.

    0: done, or what `main` returns. 2: a `UserError`, or a file system that does not let us write. 130: Ctrl-C.
    141: the reader closed the pipe, as in `make claims | head`; with 0, a forged page would count as verified.
    """
    _replace_unprintable()
    try:
        status = main(arguments) or 0
        if sys.stdout:  # None where it was closed
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        status = READER_GONE
    except (UserError, OSError) as error:
        if arguments.debug:
            raise
        print(f"error: {line(error)}", file=sys.stderr)
        status = 2
    except KeyboardInterrupt:
        print("\nInterrupted. What was finished is stored; the same command goes on from there.", file=sys.stderr)
        status = 130
    _drop_unwritten()
    return status


def _replace_unprintable() -> None:
    """Lets stdout write ? for characters that it cannot encode: not every terminal has every one."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _drop_unwritten() -> None:
    """Discards what stdout does not take: on exit, Python would try again, complain, and return 120."""
    try:
        if sys.stdout:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def line(error: UserError | OSError) -> str:
    """One line for a user's mistake, or for what the file system refused."""
    if isinstance(error, UserError):
        return str(error)
    path = error.filename2 or error.filename  # of a rename the target: the other one is a temporary file of ours
    where = f"{display_path(re.sub(TEMPORARY_NAME, '', os.fsdecode(path)))}: " if path else ""
    fix = {
        errno.ENOSPC: "Free some space and run the same command again: what was finished is stored.",
        errno.EDQUOT: "Free some space and run the same command again: what was finished is stored.",
        errno.EACCES: "Make the folder writable and run the same command again.",
        errno.EPERM: "Make the folder writable and run the same command again.",
        errno.EROFS: "Make the folder writable and run the same command again.",
        errno.EEXIST: "Expected a folder there. Move that file away and run the same command again.",
        errno.ENOTDIR: "Expected folders on the way there. Move the file away and run the same command again.",
        errno.EISDIR: "Expected a file there. Move that folder away and run the same command again.",
    }.get(error.errno or 0, "Fix that and run the same command again, or add --debug to see where it happened.")
    return f"{where}{error.strerror or error}. {fix}"
