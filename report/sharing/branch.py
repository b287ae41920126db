"""The branch that is published: what it has, and whether its versions are as they were published.

Reading it brings objects into the clone's store and nothing else: no branch, no tag, no file of the working tree.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from experiments.files.errors import UserError, display_path
from report.page.citation import PAGE_VERSION, VERSIONS_FOLDER, version_address
from report.sharing import git
from report.sharing.versions import Published, in_order

PROGRAM = "Program"  # what the message of a commit that publishes a version says the code's commit after
PROGRAMS = re.compile(r"[0-9a-f]{40,64}(?: with changes)?")


@dataclass(frozen=True)
class Branch:
    """What is published. commit: "" where nothing is. versions: the oldest first."""

    remote: str
    name: str
    commit: str
    versions: Sequence[Published]


def look(root: Path, remote: str, name: str) -> Branch:
    """What the remote's branch has, brought here. Raises `UserError` where it has lost or changed what it had."""
    if not (root / ".git").exists():  # else git would take a repository around this folder
        raise UserError(f"{display_path(root)}: not a git repository. Publish from a clone, or copy site/ yourself.")
    remotes = git.run(root, "remote").split()
    if remote not in remotes:
        advice = f"Known: {', '.join(remotes)}. Name one" if remotes else f"Add it: git remote add {remote} ADDRESS. Or"
        raise UserError(f"There is no git remote '{remote}'. {advice}: make publish REMOTE=…")
    commit = _fetch(root, remote, name)
    _check_not_rewritten(root, remote, name, commit)
    if not commit:
        return Branch(remote, name, "", ())
    folders, history = _folders(root, commit), _history(root, remote, name, commit)
    _check_unchanged(name, folders, history)
    versions = [_published(root, commit, version, history[version].first) for version in in_order(folders)]
    return Branch(remote, name, commit, versions)


def _fetch(root: Path, remote: str, name: str) -> str:
    """The commit at the tip of the remote's branch, brought here; "" where there is no such branch."""
    fix = "Check its address and your access: git remote -v"
    listed = git.run(root, "ls-remote", remote, f"refs/heads/{name}", fix=fix)
    if not listed:
        return ""
    quietly = ("--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=")  # objects alone, no branch of any kind
    git.run(root, "fetch", *quietly, remote, f"refs/heads/{name}", fix=fix)
    return listed.split()[0]


def _check_not_rewritten(root: Path, remote: str, name: str, commit: str) -> None:
    """Raises `UserError` where this clone knows of a published commit that the branch no longer has."""
    known = git.run(root, "for-each-ref", "--format=%(objectname)", f"refs/remotes/{remote}/{name}").strip()
    if known and (not commit or git.run(root, "rev-list", "--max-count=1", known, f"^{commit}")):
        raise UserError(
            f"The branch '{name}' of '{remote}' was {'rewritten' if commit else 'removed'}: it no longer has commit "
            f"{known[:10]}, which was published, so versions may be lost. Restore it or, if it was meant, run: "
            f"git fetch --prune {remote}"
        )


def _folders(root: Path, commit: str) -> dict[str, str]:
    """What is in the folder of versions: the digest of each folder's or file's content, by its name."""
    entries = git.entries(root, commit, f"{VERSIONS_FOLDER}/")
    return {name.removeprefix(f"{VERSIONS_FOLDER}/"): digest for name, digest in entries.items()}


class Kept(NamedTuple):
    """A version in the branch's history: the commits that published and last changed it, and what was published."""

    first: str
    digest: str
    last: str


def _history(root: Path, remote: str, name: str, commit: str) -> dict[str, Kept]:
    """Every version that the branch ever had. Raises `UserError` where this clone has not all of its history."""
    shallow = root / git.run(root, "rev-parse", "--git-path", "shallow").strip()
    first_commits = git.run(root, "rev-list", "--max-parents=0", commit).split()
    if shallow.exists() and set(shallow.read_text().split()) & set(first_commits):
        raise UserError(
            f"This clone lacks the beginning of '{name}', so nobody can tell whether its versions are as they were "
            f"published. Get it: git fetch --unshallow {remote}"
        )
    plain = ("-c", "color.ui=false", "-c", "log.showSignature=false", "-c", "log.decorate=false")
    order = ("--topo-order", "--reverse", "--full-history", "-m")  # a merge may drop what its second parent had
    form = ("--raw", "-t", "--no-abbrev", "--no-renames", "--format=%H")
    log = git.run(root, *plain, "log", *order, *form, commit, "--", VERSIONS_FOLDER)
    history: dict[str, Kept] = {}
    at = ""
    for line in filter(None, log.splitlines()):
        if not line.startswith(":"):
            at = line[:10]
            continue
        change, path = line.split("\t", 1)
        version = path.removeprefix(f"{VERSIONS_FOLDER}/")
        if PAGE_VERSION.fullmatch(version):
            history[version] = history.get(version, Kept(at, change.split()[3], at))._replace(last=at)
    return history


def _check_unchanged(name: str, folders: Mapping[str, str], history: Mapping[str, Kept]) -> None:
    """Raises `UserError` unless each version is, byte for byte, what its first commit published."""
    for version, kept in history.items():
        if folders.get(version) != kept.digest:
            folder = f"{VERSIONS_FOLDER}/{version}"
            raise UserError(
                f"The branch '{name}' has {folder} {'with other bytes' if version in folders else 'no longer'}, since "
                f"commit {kept.last}. What is published stays. Restore it there and push: git restore "
                f"--source={kept.first} --staged --worktree {folder}"
            )


def _published(root: Path, commit: str, name: str, first: str) -> Published:
    """A version on the branch, which the commit `first` published."""
    folder = version_address("", name)
    entries = git.entries(root, commit, folder, below=True)
    said = git.run(root, "log", "-1", f"--format=%(trailers:key={PROGRAM},valueonly)", first).strip()

    def read(path: str) -> str:
        sha = entries.get(f"{folder}{path}")
        return git.read(root, sha).decode("utf-8", "replace") if sha else ""

    return Published(name, read, said if PROGRAMS.fullmatch(said) else "")
