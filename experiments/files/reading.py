"""Safe reading: every file that is read whole is a regular file, of bounded size, without invisible characters.

A pipe would keep us waiting, a device never ends, and a control character can reverse a line. Each is refused in one
line that names the place and the fix.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path

from experiments.files.errors import UserError, display_path

MAX_TEXT_BYTES = 128_000  # of an article, a study, a ledger: some four times what the longest is
MAX_DATA_BYTES = 128_000_000  # of what this program wrote: results.json of some 40,000 runs
INVISIBLE = re.compile(  # control characters, those that reverse what follows, surrogates and no characters
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def open_nofollow(path: str, flags: int) -> int:
    """Opens a file to write without following a link to another one, or waiting at a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


@contextmanager
def open_regular(path: Path, fix: str, max_bytes: float = math.inf) -> Iterator[BufferedReader]:
    """The regular file at `path`, of at most `max_bytes`. Raises `UserError` ending in `fix` for anything else."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:  # of a pipe
            status = os.fstat(file.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise OSError(errno.EINVAL, "Not a regular file")
            if status.st_size > max_bytes:
                raise OSError(errno.EFBIG, f"Larger than {max_bytes / 1e6:g} MB")
            yield file
    except OSError as error:
        raise UserError(f"{display_path(path)}: cannot be read: {error.strerror or error}. {fix}") from error


def read(path: Path, fix: str, max_bytes: int = MAX_DATA_BYTES) -> bytes:
    """The content of a regular file; see `open_regular`."""
    with open_regular(path, fix, max_bytes) as file:
        return file.read()  # no more than `max_bytes`, by its size


def sha256(path: Path, fix: str, max_bytes: float = math.inf) -> str:
    """SHA-256 of a regular file, in hex; see `open_regular`."""
    with open_regular(path, fix, max_bytes) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, fix: str) -> str:
    """A text file of MAX_TEXT_BYTES at most, in UTF-8 and without a byte order mark; every line ends in a line feed."""
    try:
        text = read(path, fix, MAX_TEXT_BYTES).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{display_path(path)}: cannot be read: it is not UTF-8 text (byte {error.start}). {fix}"
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        if character := find_invisible_char(line):
            raise UserError(
                f"{display_path(path)}:{number}: holds {character}. Expected plain text. Remove that character."
            )
    return text


def find_invisible_char(text: str) -> str:
    """The name of an invisible character in `text` that changes how the rest is shown; "" where there is none."""
    match = INVISIBLE.search(text)
    return f"U+{ord(match.group()):04X}" if match else ""
