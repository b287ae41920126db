"""Git's own objects: files and trees in a repository's store, without its working tree, its index or its branches."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.files.errors import UserError
from experiments.store.provenance import git_environment

KINDS = {"A": "new", "M": "changed", "T": "changed", "D": "removed"}


def write_tree(root: Path, files: Mapping[str, bytes], parent: str, kept_names: Sequence[str]) -> str:
    """A tree of the files, byte for byte, and of what the commit `parent` has under `kept_names`."""
    entries = [f"100644 {sha}\t{name}" for name, sha in store(root, files).items()]
    kept = run(root, "ls-tree", "-r", "-z", parent, *kept_names).split("\0")[:-1] if parent else []
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        listing = "\0".join([*kept, *entries, ""])
        run(root, "update-index", "-z", "--index-info", given=listing, environment=index)
        return run(root, "write-tree", environment=index).strip()


def store(root: Path, files: Mapping[str, bytes]) -> dict[str, str]:
    """The digest of each file in git's store, by its name."""
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / str(number) for number in range(len(files))]
        for path, content in zip(paths, files.values(), strict=True):
            path.write_bytes(content)
        given = "\n".join(map(os.fspath, paths))
        hashes = run(root, "hash-object", "-w", "--no-filters", "--stdin-paths", given=given).split()
    return dict(zip(files, hashes, strict=True))


def entries(root: Path, tree: str, folder: str = "", below: bool = False) -> dict[str, str]:
    """The digest of each file and folder in a tree, or in a `folder` of it, by its name; of all files `below` it."""
    options = [*(["-r"] if below else []), "-z", tree, *(["--", folder] if folder else [])]
    found = run(root, "ls-tree", *options).split("\0")[:-1]
    return {name: kind.split()[2] for kind, name in (entry.split("\t", 1) for entry in found)}


def changes(root: Path, parent: str, tree: str) -> list[tuple[str, str]]:
    """What differs in a tree from the commit `parent`, or from nothing: new, changed or removed, and the name."""
    before = parent or run(root, "mktree", given="").strip()  # the empty tree
    told = run(root, "diff-tree", "-r", "-z", "--no-renames", "--name-status", before, tree).split("\0")
    return [(KINDS[kind], name) for kind, name in zip(told[:-1:2], told[1::2], strict=True)]


def read(root: Path, sha: str) -> bytes:
    return run_bytes(root, ("cat-file", "blob", sha))


def run(root: Path, *arguments: str, given: str = "", fix: str = "", environment: Mapping[str, str] = {}) -> str:
    """What git prints. Where it fails, a `UserError` with git's own words and the `fix`."""
    return run_bytes(root, arguments, given, fix, environment).decode("utf-8", "surrogateescape")


def run_bytes(
    root: Path, arguments: Sequence[str], given: str = "", fix: str = "", environment: Mapping[str, str] = {}
) -> bytes:
    """As `run`, in bytes."""
    whole = git_environment() | {"LC_ALL": "C"} | dict(environment)
    command, text = ["git", "-C", str(root), *arguments], given.encode("utf-8", "surrogateescape")
    try:
        done = subprocess.run(command, env=whole, input=text, capture_output=True)
    except FileNotFoundError as error:
        raise UserError("git is not installed. Debian, Ubuntu: sudo apt-get install git") from error
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").splitlines()
        told = " ".join(line.strip() for line in lines if not line.startswith("hint:"))
        raise UserError(f"git {arguments[0]}: {told}. {fix}")
    return done.stdout
