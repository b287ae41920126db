"""What is in site/ becomes a commit on a remote's branch, and nothing of the repository that it comes from changes."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from experiments.analysis import summary
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError
from experiments.files.sealed import to_json
from report import __main__ as command
from report.page.site import MEMORY_FORMAT, written_files
from report.sharing import publish, versions
from report.sharing.branch import look
from report.sharing.versions import Published

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
    monkeypatch.setattr(command, "_publishable", lambda _: publishable(root))
    monkeypatch.setattr(versions, "today", lambda: "2026-01-03")
    return root


def site(root: Path, files: dict[str, bytes]) -> None:
    """Writes the site as rendering does, which notes what it wrote in rendered.json."""
    for name, content in files.items():
        write_atomically(root / "site" / name, content)
    written = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_atomically(root.parent / "results" / "rendered.json", to_json({"format": MEMORY_FORMAT, "files": written}))


def publishable(root: Path, address: str = "") -> publish.Site:
    """The site in `root` as if its page were rendered again for each version; its words may name the `VERSION`."""
    folder, memory = root / "site", root.parent / "results" / "rendered.json"
    names = publish.check_folder(folder, written_files(memory, folder))
    files = {name: (folder / name).read_bytes() for name in names}

    def page(version: str) -> dict[str, bytes]:
        canonical = f'<link rel="canonical" href="{address}v/{version}/">' if address else ""
        return {
            name: content.replace(b"VERSION", f"{version}{canonical}".encode())
            for name, content in files.items()
            if name != "404.html"
        }

    def around(version: str, versions: Sequence[Published]) -> dict[str, bytes]:
        others = {name: content for name, content in files.items() if name == "404.html"}
        return {**others, "versions.html": " ".join(version.name for version in versions).encode()}

    results = json.loads(files.get("data/results.json", to_json(MEASURED)))
    return publish.Site(folder, names, address, results, page, around)


def told(root: Path, capsys: pytest.CaptureFixture[str], *options: str) -> list[str]:
    places = ("--site", str(root / "site"), "--results", str(root.parent / "results"))
    command.main(command.parse(["publish", *places, *options]))
    return capsys.readouterr().out.splitlines()


def publish_page(root: Path, words: str = "<p>VERSION", day: str = "2026-01-03", address: str = "") -> publish.Plan:
    """Publishes a page with these words."""
    site(root, {"index.html": words.encode(), "data/results.json": to_json(MEASURED)})
    planned = publish.plan(publishable(root, address), root, "origin", "gh-pages", day)
    if planned.changes:
        publish.push(planned, root)
    return planned


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
    assert lines[0].endswith("site: 8 files, 5 kB, for the branch 'gh-pages' of the git remote 'origin'.")
    assert lines[1:7] == [
        "Version 2026-01-03, which stays for good.",
        "  new      data/results.json",
        "  new      index.html",
        "  new      preview.png",
        "  new      versions.html",
        "  new      v/2026-01-03/ (4 files)",
    ]
    assert lines[-1] == "A dry run: nothing was pushed. To publish this: make publish PUSH=1"
    assert git(remote, "for-each-ref") == ""
    assert git(root, "for-each-ref", "refs/remotes") == ""
    assert state(root) == before


def test_a_push_publishes_every_byte_and_leaves_tree_index_and_branches_alone(
    root: Path, remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(root)
    assert told(root, capsys, "--push")[-1] == "Published."
    page = ["data/results.json", "index.html", "preview.png", "versions.html"]
    assert sorted(git(remote, "ls-tree", "-r", "--name-only", "gh-pages").split()) == [
        *(*page[:2], "preview.png", *(f"v/2026-01-03/{name}" for name in page), "versions.html")
    ]
    assert published(remote, "index.html") == b"<p>old\r\n"
    assert git(remote, "log", "--format=%an: %s", "gh-pages") == "A Tester: Version 2026-01-03"
    assert state(root) == before


def test_the_next_page_is_one_more_commit_with_the_changes_that_the_dry_run_listed(
    root: Path, remote: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    always = {"index.html": b"<p>old\r\n", "data/results.json": to_json(MEASURED), "preview.png": b"\x89" * 2000}
    site(root, {**always, "figures/old.png": b"old"})
    told(root, capsys, "--push")
    site(root, {**always, "index.html": b"<p>new\n", "figures/new.png": b"new"})
    (root / "site" / "figures" / "old.png").unlink()
    changes = [
        *("  new      figures/new.png", "  removed  figures/old.png", "  changed  index.html"),
        *("  changed  versions.html", "  new      v/2026-01-03-2/ (5 files)"),
    ]
    assert told(root, capsys)[2:7] == changes
    assert told(root, capsys, "--push")[2:7] == changes
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
    assert git(remote, "log", "--format=%s", "gh-pages").splitlines() == ["Version 2026-01-03", "Theirs"]
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
    page = ["data/results.json", "index.html", "preview.png", "versions.html"]
    assert sorted(git(remote, "ls-tree", "-r", "--name-only", "gh-pages").split()) == [
        *(*page[:2], "preview.png", *(f"v/2026-01-03/{name}" for name in page), "versions.html")
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
        plans.append(publish.plan(publishable(root), root, "origin", "gh-pages", "2026-01-03"))
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
    def error(name: str = "origin") -> str:
        with pytest.raises(UserError) as raised:
            publish.plan(publishable(root), root, name, "gh-pages", "2026-01-03")
        return str(raised.value).replace(str(tmp_path), "…")

    assert error("mirror") == "There is no git remote 'mirror'. Known: origin. Name one: make publish REMOTE=…"
    remote.rename(tmp_path / "away")
    assert error().startswith("git ls-remote: fatal: '…/remote.git' does not appear to be a git repository")
    assert error().endswith("Check its address and your access: git remote -v")
    git(root, "remote", "remove", "origin")
    assert error().startswith("There is no git remote 'origin'. Add it: git remote add origin ADDRESS.")
    (root / ".git").rename(tmp_path / "no-git")
    assert "…/clone: not a git repository." in error()
    write_atomically(root.parent / "results" / "rendered.json", b"{}")
    assert error() == "…/clone/site/index.html: not as it was rendered. Run 'make render': it is written again."
    (root / "site" / "index.html").unlink()
    assert error() == "…/clone/site/index.html: missing, so that there is nothing to publish. Run 'make report' first."


def test_git_variables_for_another_repository_are_ignored(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git(tmp_path, "init", "--quiet", "another")
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "another" / ".git"))
    assert publish_page(root).branch.remote == "origin"


# ---------------------------------------------------------------------------------------------- versions stay


def files_of(remote: Path, version: str) -> dict[str, bytes]:
    """Every file of a version, by its name."""
    names = git(remote, "ls-tree", "-r", "--name-only", f"gh-pages:v/{version}").split()
    return {name: published(remote, f"v/{version}/{name}") for name in names}


def test_of_three_publications_each_stays_byte_for_byte_and_the_root_is_the_newest(root: Path, remote: Path) -> None:
    assert publish_page(root, "<p>VERSION one\r\n").version == "2026-01-03"
    first = files_of(remote, "2026-01-03")
    assert first["index.html"] == b"<p>2026-01-03 one\r\n"
    assert publish_page(root, "<p>VERSION two\n").version == "2026-01-03-2"
    assert publish_page(root, "<p>VERSION three\n", "2026-02-01").version == "2026-02-01"
    assert set(git(remote, "ls-tree", "--name-only", "gh-pages:v").split()) == {
        *("2026-01-03", "2026-01-03-2", "2026-02-01")
    }
    assert files_of(remote, "2026-01-03") == first
    assert git(remote, "rev-parse", "gh-pages~2:v/2026-01-03") == git(remote, "rev-parse", "gh-pages:v/2026-01-03")
    assert files_of(remote, "2026-01-03-2")["index.html"] == b"<p>2026-01-03-2 two\n"
    assert published(remote, "index.html") == files_of(remote, "2026-02-01")["index.html"]
    assert published(remote, "versions.html") == b"2026-01-03 2026-01-03-2 2026-02-01"
    assert git(remote, "log", "--format=%s", "gh-pages").splitlines() == [
        *("Version 2026-02-01", "Version 2026-01-03-2", "Version 2026-01-03")
    ]


def test_a_version_names_the_commit_of_the_code_that_made_it(root: Path, remote: Path) -> None:
    code = git(root, "rev-parse", "HEAD")
    publish_page(root, "<p>VERSION one\n")
    git(root, "checkout", "--quiet", "code.py")
    git(root, "commit", "--quiet", "--message=Two")
    publish_page(root, "<p>VERSION two\n")
    programs = [version.program for version in look(root, "origin", "gh-pages").versions]
    assert programs == [f"{code} with changes", git(root, "rev-parse", "HEAD")]


def test_the_same_page_is_no_other_version_on_whatever_day(root: Path, remote: Path) -> None:
    publish_page(root)
    again = publish_page(root, day="2026-05-05")
    assert (again.version, again.is_new, again.changes) == ("2026-01-03", False, [])


def test_what_changed_only_around_the_page_is_published_without_a_version(root: Path, remote: Path) -> None:
    site(root, {"index.html": b"VERSION", "404.html": b"old"})
    publish.push(publish.plan(publishable(root), root, "origin", "gh-pages", "2026-01-03"), root)
    site(root, {"index.html": b"VERSION", "404.html": b"new"})
    planned = publish.plan(publishable(root), root, "origin", "gh-pages", "2026-05-05")
    assert (planned.changes, planned.is_new) == ([("changed", "404.html")], False)
    assert planned.message == "The site around version 2026-01-03"


@pytest.mark.parametrize(("address", "leads"), [("", True), ("https://example.org/report/", False)])
def test_beside_a_version_without_an_address_a_file_leads_up_to_the_list(
    root: Path, remote: Path, address: str, leads: bool
) -> None:
    publish_page(root, address=address)
    assert (b'href="../../versions.html"' in files_of(remote, "2026-01-03").get("versions.html", b"")) == leads


def test_the_whole_site_can_be_written_into_a_new_folder(
    root: Path, remote: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish_page(root, "<p>VERSION one\r\n")
    site(root, {"index.html": b"<p>VERSION two\n"})
    lines = told(root, capsys, "--into", str(tmp_path / "whole"))
    assert f"The whole site: {tmp_path / 'whole'}." in lines
    assert (tmp_path / "whole" / "v" / "2026-01-03" / "index.html").read_bytes() == b"<p>2026-01-03 one\r\n"
    assert (tmp_path / "whole" / "index.html").read_bytes() == b"<p>2026-01-03-2 two\n"
    assert git(remote, "rev-list", "--count", "gh-pages") == "1"
    with pytest.raises(UserError, match=r"whole: there already\. Expected a new folder, or an empty one\."):
        told(root, capsys, "--into", str(tmp_path / "whole"))


# ---------------------------------------------------------------------------------------------- what nobody may do


@pytest.fixture
def other(root: Path, remote: Path, tmp_path: Path) -> Path:
    """Somebody's clone of the published branch, after two publications."""
    publish_page(root, "<p>VERSION one\n")
    publish_page(root, "<p>VERSION two\n")
    git(tmp_path, "clone", "--quiet", "--branch=gh-pages", str(remote), "other")
    return tmp_path / "other"


def refused(root: Path, remote: Path, day: str = "2026-01-03", address: str = "") -> str:
    """The error of a publication, which leaves the remote as it is."""
    before = git(remote, "for-each-ref")
    with pytest.raises(UserError) as error:
        publish_page(root, "<p>VERSION three\n", day, address)
    assert git(remote, "for-each-ref") == before
    assert "\n" not in str(error.value)
    return str(error.value)


def commit(clone: Path) -> str:
    git(clone, "commit", "--quiet", "--all", "--message=Tidy")
    git(clone, "push", "--quiet", "--force", "origin", "gh-pages")
    return git(clone, "rev-parse", "HEAD")[:10]


def test_a_version_with_other_bytes_than_it_was_published_with_stops_the_next(
    root: Path, remote: Path, other: Path
) -> None:
    first = git(other, "rev-parse", "HEAD~")[:10]
    (other / "v" / "2026-01-03" / "index.html").write_text("better")
    guilty = commit(other)
    fix = f"git restore --source={first} --staged --worktree v/2026-01-03"
    assert refused(root, remote) == (
        f"The branch 'gh-pages' has v/2026-01-03 with other bytes, since commit {guilty}. What is published stays. "
        f"Restore it there and push: {fix}"
    )
    git(other, *fix.split()[1:])
    commit(other)
    assert publish_page(root, "<p>VERSION three\n").version == "2026-01-03-3"


def test_a_version_that_was_removed_stops_the_next(root: Path, remote: Path, other: Path) -> None:
    git(other, "rm", "--quiet", "-r", "v/2026-01-03-2")
    guilty = commit(other)
    assert f"has v/2026-01-03-2 no longer, since commit {guilty}." in refused(root, remote)


def test_a_version_that_a_merge_dropped_stops_the_next(root: Path, remote: Path, other: Path) -> None:
    git(other, "checkout", "--quiet", "--orphan", "new")
    git(other, "rm", "--quiet", "-rf", "v")
    git(other, "commit", "--quiet", "--message=Anew")
    git(other, "merge", "--quiet", "--strategy=ours", "--allow-unrelated-histories", "--no-edit", "gh-pages")
    git(other, "push", "--quiet", "origin", "new:gh-pages")
    assert "has v/2026-01-03 no longer, since commit" in refused(root, remote)


def test_a_branch_that_was_rewritten_or_removed_is_noticed_and_not_added_to(
    root: Path, remote: Path, other: Path
) -> None:
    known = git(remote, "rev-parse", "gh-pages")[:10]
    git(other, "commit", "--quiet", "--amend", "--message=Anew")
    git(other, "push", "--quiet", "--force", "origin", "gh-pages")
    told = refused(root, remote)
    assert told.startswith(f"The branch 'gh-pages' of 'origin' was rewritten: it no longer has commit {known}")
    assert told.endswith("Restore it or, if it was meant, run: git fetch --prune origin")
    git(remote, "update-ref", "-d", "refs/heads/gh-pages")
    assert "was removed: it no longer has commit" in refused(root, remote)
    git(root, "fetch", "--quiet", "--prune", "origin")
    assert publish_page(root, "<p>VERSION three\n", "2026-02-01").version == "2026-02-01"


def test_a_clone_without_the_beginning_of_the_branch_says_how_to_get_it(
    root: Path, remote: Path, other: Path, tmp_path: Path
) -> None:
    git(tmp_path, "clone", "--quiet", "--depth=1", "--branch=gh-pages", f"file://{remote}", "shallow")
    (root / ".git").rename(tmp_path / "full")
    (tmp_path / "shallow" / ".git").rename(root / ".git")
    assert refused(root, remote).endswith("Get it: git fetch --unshallow origin")
    git(root, "fetch", "--quiet", "--unshallow", "origin")
    assert publish_page(root, "<p>VERSION three\n").version == "2026-01-03-3"


def test_a_repository_without_a_commit_can_publish(root: Path, remote: Path, tmp_path: Path) -> None:
    (root / ".git").rename(tmp_path / "full")
    git(root, "init", "--quiet")
    git(root, "remote", "add", "origin", str(remote))
    assert publish_page(root).version == "2026-01-03"
    assert git(remote, "rev-list", "--count", "gh-pages") == "1"


def test_another_address_than_that_of_the_published_versions_must_be_meant(root: Path, remote: Path) -> None:
    publish_page(root, "<p>VERSION one\n", address="https://example.org/a&b/")
    for address, name in (("https://example.net/", "https://example.net/"), ("", "no address")):
        assert refused(root, remote, address=address) == (
            f"Version 2026-01-03 was published for https://example.org/a&b/, this page is for {name}. Render it with "
            "SITE_URL=https://example.org/a&b/ or, if the site has moved for good, publish with MOVED=1."
        )
    site(root, {"index.html": b"<p>VERSION two\n"})
    there = publishable(root, "https://example.net/")
    assert publish.plan(there, root, "origin", "gh-pages", "2026-01-03", moved=True).version == "2026-01-03-2"
