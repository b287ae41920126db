"""site/ → one more commit on a branch of a remote, as GitHub Pages and its like serve it. Nothing is ever forced.

The commit stands on the one that is published, so that earlier pages stay where `git` finds them. It is made of git's
own objects, with an index of its own: neither the working tree, nor the index, nor any local branch is touched, and
before a push not even what the clone knows of its remotes.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from experiments.analysis.results import Results
from experiments.analysis.summary import FORMAT
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json
from experiments.store.provenance import git_environment

KEPT = ("CNAME",)  # of what is published and not in site/: where GitHub keeps a domain of one's own
GIT_KEEP = ".gitkeep"  # by which git has the empty folder
KINDS = {"A": "new", "M": "changed", "D": "removed"}


@dataclass(frozen=True)
class Plan:
    """What there is to publish.

    parent: the commit that is published, "" where none is. changes: (new, changed or removed, name), as against it.
    notes: what whoever publishes should know about the page. message: that of the commit.
    """

    remote: str
    branch: str
    parent: str
    tree: str
    files: int
    size_bytes: int
    changes: Sequence[tuple[str, str]]
    notes: Sequence[str]
    message: str


def plan(site: Path, names: Sequence[str], root: Path, remote: str, branch: str) -> Plan:
    """Looks at the site and at the remote; of the repository at `root`, only its store of objects is written to.

    `names`: the files in `site` that rendering wrote. Nothing else is published: it may be the user's, or a link to it.
    """
    index = site / "index.html"
    if not index.is_file():
        raise UserError(
            f"{display_path(index)}: missing, so that there is nothing to publish. Run 'make report' first."
        )
    fix = "Run 'make render': it is written again."
    if index.name not in names:
        raise UserError(f"{display_path(index)}: not as it was rendered. {fix}")
    results = cast(Results, read_json(site / "data" / "results.json", FORMAT, fix))
    if not (root / ".git").exists():  # else git would take a repository around this folder
        raise UserError(
            f"{display_path(root)}: not a git repository. Publish from a clone, or copy {display_path(site)} yourself."
        )
    remotes = _git(root, "remote").split()
    if remote not in remotes:
        advice = f"Known: {', '.join(remotes)}. Name one" if remotes else f"Add it: git remote add {remote} ADDRESS. Or"
        raise UserError(f"There is no git remote '{remote}'. {advice}: make publish REMOTE=…")
    parent = _published(root, remote, branch)
    paths = [site / name for name in sorted(names)]
    tree = _tree(root, site, paths, parent)
    return Plan(
        *(remote, branch, parent, tree),
        files=len(paths),
        size_bytes=sum(path.stat().st_size for path in paths),
        changes=_changes(root, parent, tree),
        notes=[*notes(results, "sitemap.xml" in names), *_not_published(site, names)],
        message=f"The report of {max(run['finished'] for run in results['runs'])[:10]}",
    )


def push(plan: Plan, root: Path) -> None:
    """Commits the planned tree and pushes it. Raises `UserError` where the remote refuses."""
    above = ["-p", plan.parent] if plan.parent else []
    commit = _git(root, "commit-tree", plan.tree, *above, "-m", plan.message, fix="Fix that and publish again.")
    target = f"{commit.strip()}:refs/heads/{plan.branch}"
    fix = f"Nothing was forced. Where '{plan.branch}' has moved meanwhile, 'make publish' tells what is there now."
    _git(root, "push", plan.remote, target, fix=fix)


def notes(results: Results, has_address: bool) -> list[str]:
    """What makes the page less than a complete study of committed code, measured here on MNIST, with its address."""
    runs, name = results["runs"], results["dataset"]["name"]
    edited, missing = sum(run["dirty"] is True for run in runs), results["runs_expected"] - len(runs)
    notes = {
        "it is QUICK, a small version for trying things out": results["quick"],
        f"it is about {name}, not about MNIST": name != "mnist",
        f"its numbers are those recorded on {results['recorded']}, not measured here": results["recorded"],
        f"{missing} of {results['runs_expected']} runs are missing": missing,
        f"{edited} of {len(runs)} runs were trained by code that differs from its commit": edited,
        "it names no address: render it with SITE_URL=https://…": not has_address,
    }
    return [note for note, holds in notes.items() if holds]


def _not_published(site: Path, names: Sequence[str]) -> list[str]:
    """A note that names what else is in the site's folder, if anything is."""
    found = (path for path in sorted(site.rglob("*")) if path.is_symlink() or path.is_file())
    others = [name for path in found if (name := path.relative_to(site).as_posix()) not in (*names, GIT_KEEP)]
    return [f"not published, because rendering did not write them: {', '.join(others)}"] if others else []


def _published(root: Path, remote: str, branch: str) -> str:
    """The commit at the tip of the remote's branch, brought here; "" where there is no such branch."""
    fix = "Check its address and your access: git remote -v"
    listed = _git(root, "ls-remote", remote, f"refs/heads/{branch}", fix=fix)
    if not listed:
        return ""
    quietly = ("--quiet", "--no-tags", "--no-write-fetch-head", "--refmap=")  # objects alone, no branch of any kind
    _git(root, "fetch", *quietly, remote, f"refs/heads/{branch}", fix=fix)
    return listed.split()[0]


def _tree(root: Path, site: Path, paths: Sequence[Path], parent: str) -> str:
    """The files byte for byte, with what is kept of the parent, as a tree in git's store."""
    hashes = _git(
        root, "hash-object", "-w", "--no-filters", "--stdin-paths", given="\n".join(map(os.path.abspath, paths))
    )
    entries = [
        f"100644 {sha}\t{path.relative_to(site).as_posix()}" for sha, path in zip(hashes.split(), paths, strict=True)
    ]
    kept = _git(root, "ls-tree", "-z", parent, *KEPT).split("\0")[:-1] if parent else []
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        listing = "\0".join([*kept, *entries, ""])
        _git(root, "update-index", "-z", "--index-info", given=listing, environment=index)
        return _git(root, "write-tree", environment=index).strip()


def _changes(root: Path, parent: str, tree: str) -> list[tuple[str, str]]:
    before = parent or _git(root, "mktree", given="").strip()  # the empty tree
    told = _git(root, "diff-tree", "-r", "-z", "--no-renames", "--name-status", before, tree).split("\0")
    return [(KINDS[kind], name) for kind, name in zip(told[:-1:2], told[1::2], strict=True)]


def _git(root: Path, *arguments: str, given: str = "", fix: str = "", environment: Mapping[str, str] = {}) -> str:
    """What git prints. Where it fails, a `UserError` with git's own words and the `fix`."""
    environment = git_environment() | {"LC_ALL": "C"} | dict(environment)
    try:
        done = subprocess.run(
            ["git", "-C", str(root), *arguments], env=environment, input=given, capture_output=True, text=True
        )
    except FileNotFoundError as error:
        raise UserError("git is not installed. Debian, Ubuntu: sudo apt-get install git") from error
    if done.returncode:
        told = " ".join(line.strip() for line in done.stderr.splitlines() if not line.startswith("hint:"))
        raise UserError(f"git {arguments[0]}: {told}. {fix}")
    return done.stdout
