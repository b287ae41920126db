"""Which data sets a call measures, and when Fashion-MNIST is looked for on the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from experiments.data import datasets, sources
from experiments.data.sources import DIGITS, FASHION, Source
from experiments.options import Settings
from experiments.pipeline import Pipeline
from experiments.store.store import Store
from experiments.study.model import Study
from tests import fixture

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
