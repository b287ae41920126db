"""What is in site/ becomes a commit on a remote's branch, and nothing of the repository that it comes from changes."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from experiments.analysis import summary
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError
from experiments.files.sealed import to_json
from report import __main__ as command
from report.page.site import MEMORY_FORMAT
from report.sharing import publish

MEASURED = {
    "format": summary.FORMAT,
    "quick": False,
    "recorded": None,
    "dataset": {"name": "mnist"},
    "runs_expected": 2,
    "runs": [
        {"finished": "2026-01-01T00:00:05+00:00", "dirty": False},
        {"finished": "2026-01-02T00:00:05+00:00", "dirty": None},
    ],
}


def git(folder: Path, *arguments: str) -> str:
    result = subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, text=True, check=True)
    return result.stdout.strip()


def published(remote: Path, name: str, commit: str = "gh-pages") -> bytes:
    return subprocess.run(
        ["git", "-C", str(remote), "show", f"{commit}:{name}"], capture_output=True, check=True
    ).stdout


@pytest.fixture(autouse=True)
def no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text(
        "[user]\n name = A Tester\n email = tester@example.org\n[core]\n autocrlf = true\n"
    )


@pytest.fixture
def remote(tmp_path: Path) -> Path:
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    return tmp_path / "remote.git"


@pytest.fixture
def root(tmp_path: Path, remote: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a commit, something staged, something edited, and a site that git ignores."""
    root = tmp_path / "clone"
    git(tmp_path, "init", "--quiet", "--initial-branch=main", "clone")
    git(root, "remote", "add", "origin", str(remote))
    (root / ".gitignore").write_text("/site/\n")
    (root / "code.py").write_text("one\n")
    git(root, "add", ".")
    git(root, "commit", "--quiet", "--message=One")
    (root / "staged.py").write_text("two\n")
    git(root, "add", "staged.py")
    (root / "code.py").write_text("edited\n")
    site(
        root,
        {
            "index.html": b"<p>old\r\n",
            "data/results.json": to_json(MEASURED),
            "preview.png": b"\x89" * 2000,
        },
    )
    (root / "site" / ".gitkeep").touch()
    monkeypatch.setattr(command, "ROOT", root)
    return root


def site(root: Path, files: dict[str, bytes]) -> None:
    """Writes the site as rendering does, which notes what it wrote in rendered.json."""
    for name, content in files.items():
        write_atomically(root / "site" / name, content)
    written = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_atomically(root.parent / "results" / "rendered.json", to_json({"format": MEMORY_FORMAT, "files": written}))


def told(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    places = ("--site", str(root / "site"), "--results", str(root.parent / "results"))
    command.main(command.parse(["publish", *places, *options]))
    return capsys.readouterr().out.splitlines()


def state(root: Path) -> list[str]:
    """What the user has in hand: the working tree, the index, the branches."""
    return [
        git(root, "status", "--porcelain", "--ignored"),
        git(root, "diff"),
        git(root, "for-each-ref", "refs/heads", "refs/tags"),
        git(root, "symbolic-ref", "HEAD"),
    ]


def test_a_dry_run_lists_what_would_be_new_and_pushes_nothing(
    root: Path, remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(root)
    lines = told(root, capsys)
    assert lines[0].endswith("site: 3 files, 2 kB, for the branch 'gh-pages' of the git remote 'origin'.")
    assert lines[1:4] == ["  new      data/results.json", "  new      index.html", "  new      preview.png"]
    assert lines[-1] == "A dry run: nothing was pushed. To publish this: make publish PUSH=1"
    assert git(remote, "for-each-ref") == ""
    assert git(root, "for-each-ref", "refs/remotes") == ""
    assert state(root) == before


def test_a_push_publishes_every_byte_and_leaves_tree_index_and_branches_alone(
    root: Path, remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(root)
    assert told(root, capsys, "--push")[-1] == "Published."
    assert git(remote, "ls-tree", "-r", "--name-only", "gh-pages").split() == [
        *("data/results.json", "index.html", "preview.png")
    ]
    assert published(remote, "index.html") == b"<p>old\r\n"
    assert git(remote, "log", "--format=%an: %s", "gh-pages") == "A Tester: The report of 2026-01-02"
    assert state(root) == before


def test_the_next_page_is_one_more_commit_with_the_changes_that_the_dry_run_listed(
    root: Path, remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    always = {"index.html": b"<p>old\r\n", "data/results.json": to_json(MEASURED), "preview.png": b"\x89" * 2000}
    site(root, {**always, "figures/old.png": b"old"})
    told(root, capsys, "--push")
    site(root, {**always, "index.html": b"<p>new\n", "figures/new.png": b"new"})
    (root / "site" / "figures" / "old.png").unlink()
    changes = ["  new      figures/new.png", "  removed  figures/old.png", "  changed  index.html"]
    assert told(root, capsys)[1:4] == changes
    assert told(root, capsys, "--push")[1:4] == changes
    assert published(remote, "index.html") == b"<p>new\n"
    assert git(remote, "rev-list", "--count", "gh-pages") == "2"
    assert published(remote, "index.html", "gh-pages~") == b"<p>old\r\n"
    assert told(root, capsys, "--push")[-1] == "Nothing to publish: all of it is there."
    assert git(remote, "rev-list", "--count", "gh-pages") == "2"


def test_publishing_adds_to_what_others_published_and_keeps_their_domain(
    root: Path, remote: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others = tmp_path / "others"
    git(tmp_path, "init", "--quiet", "--initial-branch=gh-pages", "others")
    (others / "CNAME").write_text("example.org\n")
    (others / "about.html").write_text("theirs\n")
    git(others, "add", ".")
    git(others, "commit", "--quiet", "--message=Theirs")
    git(others, "push", "--quiet", str(remote), "gh-pages")
    before = state(root)
    assert "  removed  about.html" in told(root, capsys)
    assert git(root, "for-each-ref", "refs/remotes") == ""
    told(root, capsys, "--push")
    assert published(remote, "CNAME") == b"example.org\n"
    assert git(remote, "log", "--format=%s", "gh-pages").splitlines() == ["The report of 2026-01-02", "Theirs"]
    assert state(root) == before


def test_only_what_rendering_wrote_is_published_and_all_else_is_named(
    root: Path, remote: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "diary").write_text("dear diary")
    (root / "site" / "link.html").symlink_to(tmp_path / "diary")
    (root / "site" / "figures").symlink_to(tmp_path)
    (root / "site" / "notes.txt").write_text("the user's")
    lines = told(root, capsys, "--push")
    assert [line for line in lines if line.startswith("Note: not published")] == [
        "Note: not published, because rendering did not write them: figures, link.html, notes.txt."
    ]
    assert git(remote, "ls-tree", "-r", "--name-only", "gh-pages").split() == [
        *("data/results.json", "index.html", "preview.png")
    ]


def test_a_site_that_was_changed_after_rendering_is_not_published(
    root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (root / "site" / "index.html").write_text("edited")
    with pytest.raises(UserError, match=r"index\.html: not as it was rendered\. Run 'make render' first\."):
        told(root, capsys)


def test_a_branch_that_has_moved_on_is_not_forced(root: Path, remote: Path) -> None:
    plans = []
    for content in (b"mine\n", b"theirs\n"):
        site(root, {"index.html": content})
        plans.append(publish.plan(root / "site", ("index.html",), root, "origin", "gh-pages"))
    publish.push(plans[1], root)
    with pytest.raises(UserError, match=r"^git push: (?!.*hint:).*rejected.*'make publish' tells what is there now\.$"):
        publish.push(plans[0], root)
    assert published(remote, "index.html") == b"theirs\n"


@pytest.mark.parametrize(
    ("change", "note"),
    [
        ({}, []),
        ({"quick": True}, ["it is QUICK, a small version for trying things out"]),
        ({"dataset": {"name": "digits"}}, ["it is about digits, not about MNIST"]),
        ({"recorded": "2026-01-01"}, ["its numbers are those recorded on 2026-01-01, not measured here"]),
        ({"runs_expected": 5}, ["3 of 5 runs are missing"]),
        (
            {"runs": [{"dirty": True}, {"dirty": False}]},
            ["1 of 2 runs were trained by code that differs from its commit"],
        ),
    ],
    ids=lambda value: next(iter(value), "whole") if isinstance(value, dict) else "",
)
def test_shortcomings_of_a_page_are_reported(change: dict, note: list[str]) -> None:
    assert publish.notes(MEASURED | change, has_address=True) == note


def test_a_missing_address_is_reported_before_pushing(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert told(root, capsys, "--push")[-2:] == [
        *("Note: it names no address: render it with SITE_URL=https://….", "Published.")
    ]


def test_mistakes_are_one_line_that_ends_with_the_fix(root: Path, remote: Path, tmp_path: Path) -> None:
    def error(folder: Path = root, name: str = "origin") -> str:
        with pytest.raises(UserError) as raised:
            publish.plan(folder / "site", ("index.html",), folder, name, "gh-pages")
        return str(raised.value).replace(str(tmp_path), "…")

    assert error(name="mirror") == "There is no git remote 'mirror'. Known: origin. Name one: make publish REMOTE=…"
    remote.rename(tmp_path / "away")
    assert error().startswith("git ls-remote: fatal: '…/remote.git' does not appear to be a git repository")
    assert error().endswith("Check its address and your access: git remote -v")
    git(root, "remote", "remove", "origin")
    assert error().startswith("There is no git remote 'origin'. Add it: git remote add origin ADDRESS.")
    (root / ".git").rename(tmp_path / "no-git")
    assert "…/clone: not a git repository." in error()
    (root / "site" / "data" / "results.json").write_text("{}")
    assert error().endswith("Run 'make render': it is written again.")
    (root / "site" / "index.html").unlink()
    assert error() == "…/clone/site/index.html: missing, so that there is nothing to publish. Run 'make report' first."


def test_git_variables_for_another_repository_are_ignored(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "another")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another" / ".git"))
    assert publish.plan(root / "site", ("index.html",), root, "origin", "gh-pages").remote == "origin"
