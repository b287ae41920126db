"""Every result says where it comes from, and nothing that leaves the machine names it, its user or its folders."""

from __future__ import annotations

import csv
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from experiments.analysis import records
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.sealed import to_json
from experiments.plots import figures
from experiments.store import provenance
from experiments.study import keys
from experiments.study.model import Study
from report import __main__ as command
from report.page.site import runs_csv
from tests import fixture
from tests.trained import FOLDER, HOST, ROOT, USER

TOLD = re.compile(rf"{USER}|{HOST}|{FOLDER}|(?<![\w./:<-])/(?:home|root|tmp|Users|private|var|usr|opt|work|mnt)/\w+")


def git(folder: Path, *arguments: str) -> str:
    named = ("-c", "user.name=somebody", "-c", "user.email=somebody@example.org", "-c", "commit.gpgsign=false")
    result = subprocess.run(["git", *named, *arguments], cwd=folder, check=True, capture_output=True, text=True)
    return result.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with one commit."""
    folder = tmp_path / "repository"
    folder.mkdir()
    git(folder, "init", "-q")
    (folder / "a.py").write_text("a = 1\n")
    git(folder, "add", "a.py")
    git(folder, "commit", "-q", "-m", "One")
    git(folder, "tag", "v1")
    return folder


def test_the_commit_is_recorded_with_whether_tracked_files_differ_from_it(repository: Path) -> None:
    commit = git(repository, "rev-parse", "HEAD")
    assert re.fullmatch(r"[0-9a-f]{40}", commit)
    (repository / "results.json").write_text("{}")
    assert provenance.code_version(repository) == {"commit": commit, "dirty": False}
    (repository / "a.py").write_text("a = 2\n")
    assert provenance.code_version(repository) == {"commit": commit, "dirty": True}


def test_the_commit_is_recorded_in_a_folder_of_another_user_too(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to try out "dubious ownership"
    monkeypatch.chdir(repository.parent)
    assert provenance.code_version(repository)["commit"] == git(
        repository, "-c", "safe.directory=*", "rev-parse", "HEAD"
    )


def test_asking_for_the_commit_writes_nothing_into_the_repository(repository: Path) -> None:
    os.utime(repository / "a.py", (0, 0))  # git would note the new time
    before = (repository / ".git" / "index").read_bytes()
    assert provenance.code_version(repository)["dirty"] is False
    assert (repository / ".git" / "index").read_bytes() == before


def test_without_git_there_is_no_commit(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = repository / "unpacked"  # not of the repository around it
    inside.mkdir()
    assert provenance.code_version(inside) == {"commit": "", "dirty": None}
    monkeypatch.setenv("PATH", "")
    assert provenance.code_version(repository) == {"commit": "", "dirty": None}


def test_a_stored_training_says_where_it_comes_from(built: Path) -> None:
    found = [json.loads(path.read_text()) for path in built.glob("results/runs/*/training.json")]
    assert len(found) == 4
    for training in found:
        assert {key: training[key] for key in ("commit", "dirty")} == provenance.code_version()
        assert training["key"]["versions"] == keys.versions("tensorflow", "keras", "numpy")
        assert training["machine"] == provenance.machine(threads=1)
        assert training["started"] <= training["finished"]
        assert training["arm"] in ("wide", "narrow")


def test_a_row_in_runs_csv_says_where_its_run_comes_from(built: Path) -> None:
    rows = list(csv.DictReader((built / "site" / "data" / "runs.csv").open()))
    version = provenance.code_version()
    dirty = str(version["dirty"]) if version["commit"] else ""
    assert [(row["commit"], row["dirty"]) for row in rows] == [(version["commit"], dirty)] * 4
    assert {(row["processor"], row["threads"]) for row in rows} == {(provenance.processor(), "1")}
    assert all(row["started"] <= row["finished"] for row in rows)


def test_no_stored_file_and_no_page_names_the_machine_its_user_or_a_path(built: Path) -> None:
    files = [path for folder in ("results", "site") for path in (built / folder).rglob("*") if path.is_file()]
    kinds = {path.suffix for path in files}
    assert {".json", ".npz", ".svg", ".html", ".csv", ".png"} <= kinds
    leaves = [path for path in files if path.name != "workers.log"]  # what libraries print stays here
    assert {path.name: found for path in leaves if (found := TOLD.findall(path.read_text(errors="replace")))} == {}


def test_the_page_of_the_first_article_names_no_path_either(plan: Study, tmp_path: Path) -> None:
    source = Source(datasets.MNIST, Path("/home/somebody/mnist.npz"), "the file that MNIST_NPZ names")
    measured, site = tmp_path / FOLDER, tmp_path / "site"
    figures.update(fixture.results(plan, measured, source), measured / "plots", fixture.draw, fixture.FIGURES)
    command.main(command.parse(["render", "--results", str(measured), "--site", str(site)]))
    files = [path for folder in (measured, site) for path in folder.rglob("*") if path.is_file()]
    assert {path.name: found for path in files if (found := TOLD.findall(path.read_text(errors="replace")))} == {}


def test_runs_from_before_commits_were_recorded_have_none(
    plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made_up = fixture.training
    monkeypatch.setattr(
        fixture, "training", lambda *of: {k: v for k, v in made_up(*of).items() if k not in ("commit", "dirty", "arm")}
    )
    found = fixture.results(plan, tmp_path, Source(datasets.MNIST, None, "a fixture"))
    assert {(run["commit"], run["dirty"]) for run in found["runs"]} == {("", None)}
    assert "\nmnist,example-1,300," in runs_csv(found)
    record = json.loads((ROOT / "experiments" / "record.json").read_text())
    for run in record["results"]["runs"]:
        run.pop("commit", None)
        run.pop("dirty", None)
    monkeypatch.setattr(records, "RECORD", tmp_path / "record.json")
    records.RECORD.write_bytes(to_json({key: value for key, value in record.items() if key != "sha256"}))
    recorded = records.read()
    assert recorded
    assert {(run["commit"], run["dirty"]) for run in recorded["runs"]} == {("", None)}
    assert runs_csv(recorded).count(",,\n") == len(recorded["runs"])
