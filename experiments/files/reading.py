"""The border: every file that is read whole comes in here. A regular file, of bounded size, with no text that hides.

A pipe would keep us waiting, a device never ends, and signs that nobody sees can turn a line round. Each is refused in
one line that names the place and the fix.
"""

from __future__ import annotations

import errno
import hashlib
import math
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from io import BufferedReader
from pathlib import Path
from typing import Any

from experiments.files.errors import UserError, display_path

TEXT_BYTES = 128_000  # of an article, a study, a ledger: some four times what the longest is
DATA_BYTES = 128_000_000  # of what we wrote ourselves: results.json of some 40,000 runs
LINE_CHARACTERS = 4000  # of TOML, whose parser takes a time that grows with the square of a dotted key
INTEGER = 2**63  # TOML's own limit
INVISIBLE = re.compile(  # control characters, signs that reverse what follows, halves and no characters
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def open_nofollow(path: str, flags: int) -> int:
    """Opens a file to write without following a link to another one, or waiting at a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)


@contextmanager
def open_regular(path: Path, fix: str, most: float = math.inf) -> Iterator[BufferedReader]:
    """The regular file at `path`, of at most `most` bytes. Raises `UserError` ending in `fix` for anything else."""
    try:
        with open(path, "rb", opener=lambda name, flags: os.open(name, flags | os.O_NONBLOCK)) as file:  # of a pipe
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise OSError(errno.EINVAL, "Not a regular file")
            if found.st_size > most:
                raise OSError(errno.EFBIG, f"Larger than {most / 1e6:g} MB")
            yield file
    except OSError as error:
        raise UserError(f"{display_path(path)}: cannot be read: {error.strerror or error}. {fix}") from error


def read(path: Path, fix: str, most: int = DATA_BYTES) -> bytes:
    """The content of a regular file; see `open_regular`."""
    with open_regular(path, fix, most) as file:
        return file.read()  # no more than `most`, by its size


def sha256(path: Path, fix: str, most: float = math.inf) -> str:
    """SHA-256 of a regular file, in hex; see `open_regular`."""
    with open_regular(path, fix, most) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def read_text(path: Path, fix: str) -> str:
    """A text file of TEXT_BYTES at most, in UTF-8 and without a byte order mark; every line ends in a line feed."""
    try:
        text = read(path, fix, TEXT_BYTES).decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{display_path(path)}: cannot be read: it is not UTF-8 text (byte {error.start}). {fix}"
        ) from error
    for number, line in enumerate(text.split("\n"), 1):
        if found := find_invisible_char(line):
            raise UserError(
                f"{display_path(path)}:{number}: holds {found}. Expected plain text. Remove that character."
            )
    return text


def find_invisible_char(text: str) -> str:
    """The name of a character in `text` that nobody sees though it changes what is seen; "" where there is none."""
    found = INVISIBLE.search(text)
    return f"U+{ord(found.group()):04X}" if found else ""


def read_toml(path: Path, fix: str) -> tuple[dict[str, Any], str]:
    """A TOML file as a document and as text. Raises `UserError` with the line, where there is one."""
    text = read_text(path, fix)
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > LINE_CHARACTERS:
            raise UserError(
                f"{display_path(path)}:{number}: longer than {LINE_CHARACTERS} characters. Break this line."
            )
    try:
        document = tomllib.loads(text)
        _check(document)
    except (ValueError, RecursionError) as error:  # besides bad syntax: tables too deep
        told = re.search(r"at line (\d+)", str(error))
        place = f":{told[1]}" if told else f":{len(lines)}" if "end of document" in str(error) else ""
        raise UserError(f"{display_path(path)}{place}: not valid TOML: {error}. {fix} Fix the syntax.") from error
    return document, text


def _check(value: Any) -> None:
    """Raises `ValueError` for what escapes can bring into a text, and for numbers that TOML does not have."""
    if isinstance(value, dict | list):
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(inner)
    elif isinstance(value, str) and find_invisible_char(value):
        raise ValueError(f"'{value[:40]}' holds {find_invisible_char(value)}")
    elif isinstance(value, int) and not -INTEGER <= value < INTEGER:
        raise ValueError("a whole number of more than 64 bits")
