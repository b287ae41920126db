"""Which data sets a call measures, and when Fashion-MNIST is looked for on the network."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.data import datasets, sources
from experiments.data.sources import DIGITS, FASHION, Source
from experiments.files.errors import UserError
from experiments.options import Settings
from experiments.pipeline import Pipeline, prepare_page
from experiments.plots import drawing
from experiments.plots.figures import Figure
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Study
from tests import fixture
from tests.study.test_study import LEAST
from tests.trained import SECOND

MNIST = Source(datasets.MNIST, None, "a fixture")


@pytest.fixture
def downloads(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each search for Fashion-MNIST, which is never found, may download it. MNIST is found."""
    calls: list[bool] = []

    def unavailable(memory: Path, download: bool) -> str:
        calls.append(download)
        return "no network: no answer"

    monkeypatch.setattr(sources, "find", lambda *_, **__: MNIST)
    monkeypatch.setattr(sources, "find_fashion", unavailable)
    return calls


def test_without_fashion_mnist_the_other_data_sets_are_measured_and_the_terminal_says_so_once(
    tmp_path: Path, downloads: list[bool], capsys: pytest.CaptureFixture[str]
) -> None:
    pipeline = Pipeline.prepare(Settings(results=tmp_path), download=True)
    assert [task.source.name for task in pipeline.tasks()] == ["mnist", "digits"]
    assert downloads == [True]
    assert capsys.readouterr().out.count("Without Fashion-MNIST: no network: no answer.") == 1


def test_runs_on_fashion_mnist_that_are_measured_need_no_images(
    plan: Study, tmp_path: Path, downloads: list[bool]
) -> None:
    fixture.fill(Store(tmp_path), plan.runs("fashion_mnist"), FASHION, {})
    pipeline = Pipeline.prepare(Settings(results=tmp_path), download=True)
    assert downloads == [False]
    assert pipeline.available == [FASHION, DIGITS]


def test_reading_alone_downloads_nothing_and_knows_every_run(tmp_path: Path, downloads: list[bool]) -> None:
    pipeline = Pipeline.prepare(Settings(results=tmp_path), read_only=True)
    assert downloads == [False]
    assert [task.source.name for task in pipeline.tasks()] == ["mnist", "fashion_mnist", "digits"]


@pytest.mark.parametrize("name", ["fashion_mnist", "tulips", "digits"])
def test_other_data_sets_run_beside_mnist_alone(
    plan: Study, tmp_path: Path, downloads: list[bool], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    spec = {"digits": datasets.DIGITS}.get(name, replace(datasets.FASHION_MNIST, name=name))
    monkeypatch.setattr(sources, "find", lambda *_, **__: Source(spec, None, "a fixture"))
    pipeline = Pipeline.prepare(Settings(results=tmp_path), download=True)
    assert [task.source.name for task in pipeline.tasks()] == [name]
    assert len(pipeline.tasks()[0].runs) == len(plan.runs("digits" if name == "digits" else "mnist"))
    assert downloads == []


def small(images: int) -> Source:
    return Source(replace(datasets.MNIST, name="shapes", train_images=images), None, "a fixture")


def test_the_terminal_says_which_arms_a_small_data_set_leaves_out(
    plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "find", lambda *_, **__: small(3_000))
    pipeline = Pipeline.prepare(Settings(results=tmp_path))
    holding_out = sum(bool(arm.holdout) for arm in plan.arms)
    said = f"\nLeft out on shapes: {holding_out} arms that hold out more than half of its 3,000 training images, and "
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("Left out")]
    assert line.startswith(said.strip())
    assert line.endswith("what depends on them: " + ", ".join(arm.name for arm in plan.arms if arm.chosen_from) + ".")
    assert 0 < len(pipeline.tasks()[0].runs) < len(plan.runs("mnist"))


def test_nothing_is_said_where_every_arm_fits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sources, "find", lambda *_, **__: small(10_000))
    Pipeline.prepare(Settings(results=tmp_path))
    assert "Left out" not in capsys.readouterr().out


def test_a_study_of_which_nothing_fits_a_data_set_ends_in_one_line(
    plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arms = tuple(replace(arm, holdout=5_000) for arm in plan.arms)
    monkeypatch.setattr(studies, "load", lambda _: replace(plan, arms=arms))
    monkeypatch.setattr(sources, "find", lambda *_, **__: small(3_000))
    with pytest.raises(UserError, match=r"study\.toml: every arm holds out more than half of the 3,000 "):
        Pipeline.prepare(Settings(results=tmp_path))


def test_without_mnist_a_study_that_has_no_runs_on_the_digits_ends_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "study.toml").write_text(LEAST)
    monkeypatch.setattr(sources, "find", lambda *_, **__: replace(DIGITS, fallback="no network: no answer"))
    with pytest.raises(UserError, match=r"study\.toml: MNIST is not here \(no network: no answer\)") as error:
        Pipeline.prepare(Settings(results=tmp_path, study=tmp_path / "study.toml"), download=True)
    assert all(fix in str(error.value) for fix in ("MNIST_NPZ=path/to/mnist.npz", "[datasets.digits]"))
    assert capsys.readouterr().out == ""
    assert Pipeline.prepare(Settings(results=tmp_path, study=tmp_path / "study.toml"), read_only=True).available == []


# ---------------------------------------------------------------------------------------------- what a page needs


@pytest.fixture
def measured(plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A store of runs that are measured, without plots. The data are known, and one figure stands for all."""
    figure = Figure(
        "accuracy", "A finding", "What it shows", ("example-1",), ("Arm",), (("Example 1",),), "<svg></svg>"
    )
    monkeypatch.setattr(drawing, "draw", lambda *_: [figure])
    monkeypatch.setattr(sources, "find", lambda *_, **__: MNIST)
    fixture.results(plan, tmp_path, MNIST)
    return tmp_path


def test_after_the_experiments_alone_a_page_gets_the_plots_of_their_results(measured: Path) -> None:
    before = (measured / "results.json").read_bytes()
    prepare_page(Settings(results=measured))
    assert (measured / "plots" / "figures.json").exists()
    assert (measured / "results.json").read_bytes() == before


def test_plots_of_earlier_results_are_drawn_again_for_a_page_and_current_ones_are_not(
    plan: Study, measured: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prepare_page(Settings(results=measured))
    fixture.results(plan, measured, MNIST, only=("examples", "dose"))
    capsys.readouterr()
    for printed in ("Plots: 1 drawn.\n", ""):
        prepare_page(Settings(results=measured))
        assert capsys.readouterr().out == printed


def test_measured_runs_without_results_get_statistics_and_plots_and_not_the_record(measured: Path) -> None:
    (measured / "results.json").unlink()
    prepare_page(Settings(results=measured))
    assert not json.loads((measured / "results.json").read_text())["recorded"]
    assert (measured / "plots" / "figures.json").exists()


def test_no_data_are_looked_for_where_nothing_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "find", lambda *_, **__: pytest.fail("looked for data"))
    prepare_page(Settings(results=tmp_path, study=SECOND / "study.toml"))
    assert not (tmp_path / "results.json").exists()


def test_results_of_another_study_are_not_drawn_for_an_articles_page(measured: Path) -> None:
    prepare_page(Settings(results=measured, study=SECOND / "study.toml"))
    assert not (measured / "plots").exists()
