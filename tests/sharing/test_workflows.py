"""The workflows of a pull request: what runs a fork's code may write nothing, what writes takes only checked text."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

WORKFLOWS = Path(__file__).parents[2] / ".github" / "workflows"
COMPARE, COMMENT = ((WORKFLOWS / f"{name}.yml").read_text() for name in ("compare", "comment"))
POST = next(step for step in yaml.safe_load(COMMENT)["jobs"]["comment"]["steps"] if "run" in step)
REFUSED = re.search(r"grep -qE '(.*?)'", POST["run"])[1].replace(r"[]<>@#&\]", r"[\]<>@#&\\]")  # as Python writes it
Post = Callable[..., tuple[int, list]]
GH = f"""#!{sys.executable}
import json, os, sys
arguments = sys.argv[1:]
body = [open(one.split("@", 1)[1]).read() for one in arguments if one.startswith("body=@")]
with open(os.environ["CALLS"], "a") as calls:
    calls.write(json.dumps([arguments, body]) + chr(10))
if any(one.endswith("/pulls") for one in arguments):
    print(os.environ["NUMBER"])
elif "--paginate" in arguments:
    print(os.environ["EARLIER"])
"""  # in place of GitHub's: it notes what it is asked, and answers with a pull request's number and a comment's


@pytest.fixture
def post(tmp_path: Path) -> Post:
    """Runs the step that posts, on a comparison, as if there were an earlier comment or not."""
    (tmp_path / "untrusted").mkdir()
    (tmp_path / "gh").write_text(GH)
    (tmp_path / "gh").chmod(0o755)

    def run(text: str | None, number: str = "7", earlier: str = "") -> tuple[int, list]:
        path, calls = tmp_path / "untrusted" / "comparison.md", tmp_path / "calls"
        if text is not None:
            path.write_text(text)
        names = {"CALLS": str(calls), "NUMBER": number, "EARLIER": earlier, "MARK": POST["env"]["MARK"]}
        names |= {"REPOSITORY": "us/it", "HEAD": "them:branch", "SHA": "0" * 40}
        names["PATH"] = f"{tmp_path}{os.pathsep}{os.environ['PATH']}"
        # as GitHub runs a step that names no shell
        done = subprocess.run(["bash", "-e", "-c", POST["run"]], cwd=tmp_path, env=names, capture_output=True)
        return done.returncode, [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []

    return run


def writes(calls: list) -> list[tuple[str, str, list[str]]]:
    """Method, address and body of all that changes something."""
    return [
        (arguments[arguments.index("--method") + 1], next(one for one in arguments if one.startswith("repos/")), body)
        for arguments, body in calls
        if "--method" in arguments and "GET" not in arguments
    ]


def test_the_workflow_that_runs_a_forks_code_has_no_secrets_and_may_write_nothing() -> None:
    parsed = yaml.safe_load(COMPARE)
    assert list(parsed[True]) == ["pull_request"]  # YAML reads `on` as true
    assert parsed["permissions"] == {"contents": "read"}
    assert all("permissions" not in job for job in parsed["jobs"].values())
    assert "secrets." not in COMPARE
    assert "github.token" not in COMPARE
    assert COMPARE.count("persist-credentials: false") == COMPARE.count("actions/checkout@")
    assert "uses: actions/cache@" not in COMPARE  # which would also write


def test_the_workflow_that_writes_checks_nothing_out_and_expands_nothing_in_its_script() -> None:
    parsed = yaml.safe_load(COMMENT)
    assert list(parsed[True]) == ["workflow_run"]
    assert parsed["permissions"] == {}
    assert parsed["jobs"]["comment"]["permissions"] == {"actions": "read", "pull-requests": "write"}
    assert "checkout" not in COMMENT
    assert "${{" not in POST["run"]
    assert "head_sha" in POST["env"]["SHA"]


def test_a_first_comparison_is_posted_under_the_mark(post: Post) -> None:
    status, calls = post("**Verdicts turned: 1**\n")
    assert status == 0
    assert writes(calls) == [
        ("POST", "repos/us/it/issues/7/comments", [f"{POST['env']['MARK']}\n**Verdicts turned: 1**\n"])
    ]


def test_a_later_comparison_renews_the_comment(post: Post) -> None:
    assert [write[:2] for write in writes(post("again\n", earlier="42")[1])] == [
        ("PATCH", "repos/us/it/issues/comments/42")
    ]


def test_nothing_is_posted_where_nothing_moved_and_an_earlier_comment_goes(post: Post) -> None:
    assert writes(post("")[1]) == []
    assert [write[:2] for write in writes(post("", earlier="42")[1])] == [("DELETE", "repos/us/it/issues/comments/42")]


def test_nothing_is_posted_where_no_open_pull_request_has_the_commit(post: Post) -> None:
    status, calls = post("text\n", number="")
    assert (status, writes(calls)) == (0, [])


@pytest.mark.parametrize(
    "text",
    [
        *("<img src=x>", "@everybody", "see #1", "[a](b)", "https://example.org", "www.example.org", "a\\b", "&lt;"),
        *("GH-12", "x" * 65_001, "é" * 65_001),
    ],
)
def test_text_that_may_link_or_notify_or_is_too_long_is_refused_before_anything_is_asked(post: Post, text: str) -> None:
    assert post(f"fine\n{text}\n") == (1, [])


def test_the_artefact_must_be_a_file(post: Post, tmp_path: Path) -> None:
    assert post(None) == (1, [])
    (tmp_path / "untrusted" / "comparison.md").symlink_to("/etc/hostname")
    assert post(None) == (1, [])
