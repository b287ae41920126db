"""A page is there long before the study is finished: of the early blocks, and of what was measured before Ctrl-C."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import pytest

from experiments import pipeline
from experiments.data import datasets, sources
from experiments.data.sources import DIGITS, FASHION, Source
from experiments.files import errors
from experiments.files.errors import UserError
from experiments.plots import drawing
from experiments.plots.figures import Figure
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Study
from experiments.training import runner, worker
from report import __main__ as command
from report.article.folder import DEFAULT
from tests import fixture, victim

MNIST = Source(datasets.MNIST, None, "a fixture")


@pytest.fixture
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The study with two seeds of each block; workers store made-up results, and one figure stands for all."""
    figure = Figure(
        "accuracy", "A finding", "What it shows", ("example-1",), ("Arm",), (("Example 1",),), "<svg></svg>"
    )
    monkeypatch.setattr(drawing, "draw", lambda *_: [figure])
    shutil.copytree(DEFAULT, tmp_path / "article")
    path = tmp_path / "article" / "study.toml"
    path.write_text(re.sub(r"(seeds = \[\d+, \d+).*\]", r"\1]", studies.STUDY.read_text()))
    monkeypatch.setattr(worker, "start", victim.start)
    monkeypatch.setattr(worker, "run_unit", victim.run_unit_for_page)
    monkeypatch.setattr(sources, "find", lambda *_, **__: MNIST)
    return studies.load(path)


def report_study(folder: Path, *options: str) -> int:
    """`make report` with the article, the store and the site in `folder`; returns the exit status."""
    places = ("--article", str(folder / "article"), "--results", str(folder), "--site", str(folder / "site"))
    return errors.command(command.main, command.parse(["study", *places, "--jobs", "2", "--no-live", *options]))


def page(folder: Path) -> str:
    return (folder / "site" / "index.html").read_text()


def share(plan: Study, store: Store, block: str) -> float:
    """How much of the block is measured on MNIST."""
    entries = [store.entry(run, MNIST.identity) for run in plan.runs("mnist", (block,))]
    return sum(entry.done for entry in entries) / len(entries)


def test_early_blocks_are_measured_first_and_each_is_announced(small: Study, tmp_path: Path) -> None:
    assert [block.name for block in small.blocks if block.early] == ["examples", "changes"]
    store = Store(tmp_path)
    announced: list[list[float]] = []

    def announce() -> None:
        announced.append([share(small, store, block) for block in ("examples", "changes", "depth")])

    tasks = [runner.Task(source, small.runs(source.name)) for source in (MNIST, DIGITS)]
    runner.execute(small, tasks, store, 1, after_early_block=announce)
    assert 2 <= len(announced) <= 3  # two where both were finished between two looks; the last when MNIST is complete
    assert {examples for examples, _, _ in announced} == {1}
    assert announced[-2][1] == 1
    assert announced[-2][2] < 1


def test_an_early_block_is_not_announced_before_the_one_that_it_follows(
    small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker, "run_unit", victim.run_unit_late)
    store = Store(tmp_path)
    announced: list[float] = []
    tasks = [runner.Task(MNIST, small.runs("mnist")), runner.Task(DIGITS, small.runs("digits"))]
    runner.execute(small, tasks, store, 2, after_early_block=lambda: announced.append(share(small, store, "examples")))
    assert set(announced) == {1}


def test_other_data_sets_are_trained_after_mnist(small: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    tasks = [runner.Task(source, small.runs(source.name, ("examples", "readouts"))) for source in (MNIST, FASHION)]
    runner.execute(small, tasks, store, 1)
    finished = {
        task.source.name: [
            store.entry(run, task.source.identity).measures_path.stat().st_mtime_ns
            for run in store.resolve_runs(small, task.runs, task.source.identity)
        ]
        for task in tasks
    }
    assert len(finished["fashion_mnist"]) == len(tasks[1].runs) > 0
    assert max(finished["mnist"]) < min(finished["fashion_mnist"])


def test_early_blocks_that_are_already_measured_are_not_announced(small: Study, tmp_path: Path) -> None:
    fixture.fill(Store(tmp_path), small.runs("mnist", ("examples", "changes")), MNIST, {})
    tasks = [runner.Task(MNIST, small.runs("mnist", ("examples", "changes", "dose")))]
    runner.execute(small, tasks, Store(tmp_path), 1, after_early_block=lambda: pytest.fail("announced"))


class Immediate(Executor):
    """Does each task when it is submitted."""

    def submit(self, task: Callable[..., Any], /, *args: Any, **options: Any) -> Future[Any]:
        future: Future[Any] = Future()
        future.set_result(task(*args, **options))
        return future


def test_an_early_block_is_not_announced_if_nothing_is_left_to_train(small: Study, tmp_path: Path) -> None:
    tasks = [runner.Task(MNIST, small.runs("mnist", ("examples",)))]
    missing = runner.execute(
        small, tasks, Store(tmp_path), executor=Immediate(), after_early_block=lambda: pytest.fail("announced")
    )
    assert missing == len(tasks[0].runs)


def test_the_page_is_written_after_each_early_block_and_at_the_end(
    small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notices: list[list[str]] = []
    write_site = command.write_site

    def rendered(arguments: object) -> None:
        write_site(arguments)  # type: ignore[arg-type]
        notices.append(re.findall(r"<strong>Unfinished:</strong> \d+ of (\d+) runs are measured", page(tmp_path)))

    monkeypatch.setattr(command, "write_site", rendered)
    assert report_study(tmp_path, "--jobs", "1") == 0  # of two, one could start so late that the other has done all
    runs = len(small.runs("mnist"))
    assert notices[0] == [str(runs)]
    assert notices[-1] == []
    assert 3 <= len(notices) <= 4  # the last but one when MNIST is complete, before the digits are


@pytest.mark.parametrize("name", ["first", "study"])
def test_a_block_that_is_not_in_the_study_stops_before_a_page_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    monkeypatch.setattr(pipeline, "stand_in", lambda *_: pytest.fail("wrote a page"))
    arguments = command.parse([name, "--results", str(tmp_path), "--only", "nonsense"])
    assert errors.command(command.main, arguments) == 2
    assert "nonsense" in capsys.readouterr().err


def test_ctrl_c_leaves_a_page_of_the_finished_runs(
    small: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(plan: Study, tasks: list[runner.Task], store: Store, *_: object) -> int:
        fixture.fill(store, tasks[0].runs[:3], MNIST, fixture.SCORES)
        raise KeyboardInterrupt

    monkeypatch.setattr(runner, "execute", interrupted)
    assert report_study(tmp_path) == 130
    assert f" of {len(small.runs('mnist'))} runs are measured" in page(tmp_path)
    assert "goes on from there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("no page of this."), "no page of this."),
        pytest.param(
            FileExistsError(17, "File exists"),
            "File exists. Expected",
            marks=pytest.mark.slow("measures the study again; the same for a mistake is in `make test`"),
        ),
    ],
    ids=["a mistake", "the file system"],
)
def test_failing_to_write_an_early_page_does_not_stop_training(
    small: Study,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: Exception,
    message: str,
) -> None:
    def refused(arguments: object) -> None:
        raise error

    monkeypatch.setattr(command, "write_site", refused)
    assert report_study(tmp_path) == 2  # at the end it counts
    assert f"No page yet: {message}" in capsys.readouterr().out
    assert share(small, Store(tmp_path), "examples") == share(small, Store(tmp_path), "depth") == 1
