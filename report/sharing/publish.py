"""site/ → one more commit on a branch of a remote, as GitHub Pages and its like serve it. Nothing is ever forced.

The branch has the newest page at its root, and each page that was published in a folder of its own, such as
v/2026-01-31/, for good. Those folders are taken over from the commit that is published, as git's own objects, so that
not a byte of them can change. The newest page is the same file in both places, with the address that lasts: whoever
cites, mails or saves it from the root names what will still be there.

The commit stands on the one that is published, and has an index of its own: neither the working tree, nor the index,
nor any local branch is touched, and before a push not even what the clone knows of its remotes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.analysis.results import Results
from experiments.files.errors import UserError, display_path, printable
from experiments.store import provenance
from report.page import render
from report.page.citation import VERSIONS_FOLDER, version_address
from report.sharing import git
from report.sharing.branch import PROGRAM, Branch, look
from report.sharing.versions import Published, next_name

KEPT = ("CNAME", VERSIONS_FOLDER)  # of what is published: where GitHub keeps a domain of one's own, and all versions
GIT_KEEP = ".gitkeep"  # by which git has the empty folder


@dataclass(frozen=True)
class Site:
    """What can be published.

    folder: the site as it was rendered. names: the files in it that rendering wrote; nothing else is published: it may
    be the user's, or a link to it. address: where the site is on the web, or "". results: what the page shows. page:
    the files of the page as the version of this name. around: what belongs to the root besides, given all versions.
    """

    folder: Path
    names: Sequence[str]
    address: str
    results: Results
    page: Callable[[str], Mapping[str, bytes]]
    around: Callable[[str, Sequence[Published]], Mapping[str, bytes]]


@dataclass(frozen=True)
class Plan:
    """What there is to publish.

    version: the name of the newest version then; is_new: whether it is one more. changes: (new, changed or removed,
    name), as against what is published. notes: what whoever publishes should know about the page. message: that of the
    commit.
    """

    branch: Branch
    version: str
    is_new: bool
    tree: str
    files: int
    size_bytes: int
    changes: Sequence[tuple[str, str]]
    notes: Sequence[str]
    message: str


def plan(site: Site, root: Path, remote: str, branch_name: str, day: str, moved: bool = False) -> Plan:
    """Looks at the site and at the remote; of the repository at `root`, only its store of objects is written to.

    day: of the publication. moved: whether the site may have another address than the versions that are published.
    """
    branch = look(root, remote, branch_name)
    published = [*branch.versions]
    if published and not moved:
        _check_address(site.address, published[-1])
    version, page = _version(site, root, branch, day)
    is_new, lasting = version not in [known.name for known in published], {}
    if is_new:
        published.append(Published(version, lambda name: page.get(name, b"").decode(), _program(root)))
        lasting = {f"{version_address('', version)}{name}": content for name, content in _lasting(page, site).items()}
    files = {**page, **site.around(version, published), **lasting}
    tree = git.write_tree(root, files, branch.commit, KEPT)
    changes = git.changes(root, branch.commit, tree)
    return Plan(
        *(branch, version, is_new, tree),
        files=len(files),
        size_bytes=sum(map(len, files.values())),
        changes=_folded(changes, version_address("", version)) if is_new else changes,
        notes=[*notes(site.results, bool(site.address)), *_not_published(site.folder, site.names)],
        message=_message(published[-1]) if is_new else f"The site around version {version}",
    )


def _program(root: Path) -> str:
    """The commit of the code that renders, and whether it has changes; "" where there is none."""
    code = provenance.code_version(root)
    return f"{code['commit']}{' with changes' if code['dirty'] else ''}"


def _message(version: Published) -> str:
    return f"Version {version.name}\n\n{PROGRAM}: {version.program}" if version.program else f"Version {version.name}"


def check_folder(site: Path, names: Sequence[str]) -> Sequence[str]:
    """The `names` of files that rendering wrote. Raises `UserError` unless the page is among them."""
    index = site / "index.html"
    if not index.is_file():
        raise UserError(
            f"{display_path(index)}: missing, so that there is nothing to publish. Run 'make report' first."
        )
    if index.name not in names:
        raise UserError(f"{display_path(index)}: not as it was rendered. Run 'make render': it is written again.")
    return names


def _version(site: Site, root: Path, branch: Branch, day: str) -> tuple[str, Mapping[str, bytes]]:
    """The name of the version that the page is or will be, with its files; the newest one's, if it is the same page."""
    names = [version.name for version in branch.versions]
    for newest in names[-1:]:
        page, folder = site.page(newest), version_address("", newest)
        same = {f"{folder}{name}": sha for name, sha in git.store(root, _lasting(page, site)).items()}
        if same == git.entries(root, branch.commit, folder, below=True):
            return newest, page
    name = next_name(names, day)
    return name, site.page(name)


def _lasting(page: Mapping[str, bytes], site: Site) -> Mapping[str, bytes]:
    """The files of a version's folder."""
    return page if site.address else {**page, "versions.html": render.way_up_page().encode()}


def push(plan: Plan, root: Path) -> None:
    """Commits the planned tree and pushes it. Raises `UserError` where the remote refuses."""
    branch = plan.branch
    above = ["-p", branch.commit] if branch.commit else []
    commit = git.run(root, "commit-tree", plan.tree, *above, "-m", plan.message, fix="Fix that and publish again.")
    target = f"{commit.strip()}:refs/heads/{branch.name}"
    fix = f"Nothing was forced. Where '{branch.name}' has moved meanwhile, 'make publish' tells what is there now."
    git.run(root, "push", branch.remote, target, fix=fix)


def write(plan: Plan, root: Path, folder: Path) -> None:
    """Writes the site with all its versions into a new folder, as it is or would be published."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{display_path(folder)}: there already. Expected a new folder, or an empty one. Name another.")
    for name, sha in git.entries(root, plan.tree, below=True).items():
        path = folder / name
        if ".." in path.parts:
            raise UserError(f"The branch '{plan.branch.name}' has a file '{printable(name)}'. Remove it there.")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(git.read(root, sha))


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


def _check_address(address: str, newest: Published) -> None:
    if newest.site not in ("", address):
        raise UserError(
            f"Version {newest.name} was published for {newest.site}, this page is for {address or 'no address'}. "
            f"Render it with SITE_URL={newest.site} or, if the site has moved for good, publish with MOVED=1."
        )


def _folded(changes: Sequence[tuple[str, str]], folder: str) -> list[tuple[str, str]]:
    """The changes with all new files of a `folder` as one."""
    rest = [(kind, name) for kind, name in changes if not name.startswith(folder)]
    return [*rest, ("new", f"{folder} ({len(changes) - len(rest)} files)")]
