"""Atomic writes: a file appears whole, by a rename, so a crash or a power cut never leaves part of one."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
from pathlib import Path

# What comes before a file's own name until it is whole; the number is twelve hexadecimal digits.
TEMPORARY_NAME = r"\.writing-[0-9a-f]{12}-"


def write_atomically(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, whole or not at all, even if the machine stops in the middle."""
    make_folder(path.parent)
    replace_file(path, content)


def replace_file(path: Path, content: bytes) -> None:
    """As `write_atomically`, in a folder that must be there."""
    temporary = temporary_name(path)
    try:
        write_durably(temporary, content)
        temporary.replace(path)
        sync_folder(path.parent)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def write_durably(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def make_folder(folder: Path) -> None:
    """Makes `folder` and those above it."""
    if not folder.is_dir():
        make_folder(folder.parent)
        folder.mkdir(exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Makes the names in `folder` survive a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def sweep(*folders: Path) -> None:
    """Removes what killed writers left in `folders`, by its exact form of name, and nothing of the user's.

    Only for the one process that writes there.
    """
    for folder in folders:
        for leftover in list(folder.glob(".writing-*")):
            if re.match(TEMPORARY_NAME, leftover.name):
                discard(leftover)


def discard(path: Path) -> None:
    """Removes a file or folder under another name: a writer that outlives its parent by a moment cannot publish it."""
    trash = temporary_name(path.with_name("trash"))
    with contextlib.suppress(FileNotFoundError):
        path.rename(trash)
        shutil.rmtree(trash) if trash.is_dir() else trash.unlink()


def temporary_name(path: Path) -> Path:
    """A name beside `path` that no other writer uses."""
    return path.with_name(f".writing-{secrets.token_hex(6)}-{path.name}")
