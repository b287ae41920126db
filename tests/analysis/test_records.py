"""The record holds a complete run's numbers, stands in where MNIST cannot be had, and is compared where it can."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from experiments import pipeline
from experiments.analysis import records, summary
from experiments.data import datasets, sources
from experiments.data.sources import DIGITS, FASHION, Source
from experiments.files import errors
from experiments.files.errors import UserError
from experiments.options import Settings
from experiments.store.store import Store
from experiments.study.model import Study
from experiments.training import runner
from report import __main__ as report_command
from tests import fixture

COMMITTED = records.RECORD
OFFLINE = Source(datasets.DIGITS, None, "scikit-learn", fallback="no network: no answer")
pytestmark = pytest.mark.usefixtures("commands_draw_once")


@pytest.fixture
def recorded(results: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """A record made from the fixture results."""
    monkeypatch.setattr(records, "RECORD", tmp_path / "record.json")
    records.write(results)
    return records.read()


def test_the_record_reads_back_to_six_digits_with_every_runs_configuration(results: dict, recorded: dict) -> None:
    assert recorded["recorded"] == "2026-01-01"
    assert len(recorded["runs"]) == len(results["runs"])
    for here, there in zip(results["runs"], recorded["runs"], strict=True):
        assert {key: value for key, value in here.items() if type(value) is not float} == {
            key: value for key, value in there.items() if type(value) is not float
        } or here["training_loss_by_epoch"] == pytest.approx(there["training_loss_by_epoch"], rel=1e-5)
        assert (here["loss"], here["readout"], here["epochs"]) == (there["loss"], there["readout"], there["epochs"])
        assert here["test_accuracy"] == pytest.approx(there["test_accuracy"], rel=1e-5)


@pytest.mark.parametrize(
    "change",
    [{"runs_expected": 31}, {"quick": True}, {"recorded": "2026-01-01"}, {"dataset": {"name": "digits"}}],
    ids=lambda change: next(iter(change)),
)
def test_only_a_complete_study_measured_on_mnist_is_recorded(results: dict, change: dict) -> None:
    with pytest.raises(UserError, match="only a complete study that was measured on MNIST here"):
        records.write({**results, **change})


def test_without_mnist_the_page_shows_the_record_first_and_the_digits_after_it(
    plan: Study, recorded: dict, tmp_path: Path
) -> None:
    found = fixture.results(plan, tmp_path / "results", OFFLINE)
    assert (found["dataset"]["name"], found["recorded"]) == ("mnist", "2026-01-01")
    assert found["replications"]["digits"]["dataset"]["name"] == "digits"
    html = fixture.page_of(found)
    assert "Recorded on 2026-01-01, not measured on this machine." in html
    assert "no network: no answer" in html
    assert "This page is not about MNIST" not in html


def test_local_results_come_first_and_are_compared_with_the_record(plan: Study, recorded: dict, tmp_path: Path) -> None:
    found = fixture.results(plan, tmp_path / "results", Source(datasets.MNIST, None, "a fixture"))
    assert found["recorded"] is None
    assert [row["agree"] for row in found["record_comparison"]["contrasts"]] == [True]


def test_intervals_that_do_not_overlap_disagree(results: dict, recorded: dict) -> None:
    moved = deepcopy(results)
    moved["contrasts"][0]["interval"] = [0.02, 0.03]
    (row,) = records.compare(moved, recorded)["contrasts"]
    assert not row["agree"]


def test_a_damaged_record_is_one_line_that_says_how_to_fix_it(recorded: dict) -> None:
    records.RECORD.write_text("{")
    with pytest.raises(UserError, match=r"record\.json: not what this version wrote: .*git checkout"):
        records.read()


def test_rendering_without_results_shows_the_record_at_once(
    recorded: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = Store(tmp_path / "empty")
    assert pipeline.stand_in(Settings(results=store.root))
    assert "shows what was recorded on 2026-01-01" in capsys.readouterr().out
    written = json.loads((store.root / "results.json").read_text())
    assert written["dataset"]["not_measured_because"] == "nothing was measured yet"
    assert (store.root / "plots" / "figures.json").exists()


def test_the_records_page_says_whether_a_study_is_running(recorded: dict, tmp_path: Path) -> None:
    def notice(reason: str) -> str:
        pipeline.stand_in(Settings(results=tmp_path), reason)
        html = fixture.page_of(json.loads((tmp_path / "results.json").read_text()))
        return html[html.index("<aside") : html.index("</aside>")]

    assert "Recorded on 2026-01-01; measuring here now." in notice(records.MEASURING)
    assert "not measured on this machine" in notice(records.NOTHING_MEASURED)  # the measuring was given up


@pytest.mark.parametrize("command", [pipeline.plots, pipeline.record])
def test_commands_that_need_runs_leave_the_records_numbers_where_nothing_is_measured(
    recorded: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[[Settings], None]
) -> None:
    monkeypatch.setattr(sources, "find", lambda *_, **__: Source(datasets.MNIST, None, "a fixture"))
    assert pipeline.stand_in(Settings(results=tmp_path))
    before = (tmp_path / "results.json").read_bytes()
    with pytest.raises(UserError, match="nothing is measured yet"):
        command(Settings(results=tmp_path))
    assert (tmp_path / "results.json").read_bytes() == before
    assert not (tmp_path / "evidence.json").exists()


def test_local_results_are_never_replaced_by_the_record(plan: Study, recorded: dict, tmp_path: Path) -> None:
    fixture.results(plan, tmp_path / "results", Source(datasets.MNIST, None, "a fixture"))
    before = (tmp_path / "results" / "results.json").read_bytes()
    assert not pipeline.stand_in(Settings(results=tmp_path / "results"), records.MEASURING)
    assert (tmp_path / "results" / "results.json").read_bytes() == before


def test_the_replication_is_shown_separately_and_never_mixed_in(plan: Study, tmp_path: Path) -> None:
    store, mnist = Store(tmp_path), Source(datasets.MNIST, None, "a fixture")
    fixture.fill(store, plan.runs("digits", ("examples",)), DIGITS, {"example-1": 0.91, "example-2": 0.91})
    fixture.fill(store, plan.runs("mnist", ("examples",)), mnist, fixture.SCORES)
    runs = plan.runs("mnist", ("examples",)), mnist, store, {"digits": plan.runs("digits", ("examples",))}
    found = summary.update(plan, *runs)
    assert {run["dataset"] for run in found["runs"]} == {"mnist"}
    assert {run["dataset"] for run in found["replications"]["digits"]["runs"]} == {"digits"}
    assert found["replications"]["digits"]["arms"]["example-1"]["test_accuracy"]["max"] < 0.92


@pytest.fixture
def with_fashion(plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict:
    """Made-up results of the examples on every data set. No record is there yet."""
    monkeypatch.setattr(records, "RECORD", tmp_path / "record.json")
    store, mnist = Store(tmp_path / "everywhere"), Source(datasets.MNIST, None, "a fixture")
    runs = {name: plan.runs(name, ("examples",)) for name in ("mnist", "fashion_mnist", "digits")}
    fixture.fill(store, runs["mnist"], mnist, fixture.SCORES)
    fixture.fill(store, runs["fashion_mnist"], FASHION, {"example-1": 0.87})
    fixture.fill(store, runs["digits"], DIGITS, {})
    return summary.update(plan, runs.pop("mnist"), mnist, store, runs)


def test_the_record_keeps_what_fashion_mnist_says_and_not_what_the_digits_say(
    plan: Study, with_fashion: dict, tmp_path: Path
) -> None:
    records.write(with_fashion)
    recorded = records.read()
    assert recorded["replications"].keys() == {"fashion_mnist"}
    here, there = (found["replications"]["fashion_mnist"] for found in (with_fashion, recorded))
    here_mean, there_mean = (one["arms"]["example-1"]["test_accuracy"]["mean"] for one in (here, there))
    assert here_mean == pytest.approx(there_mean, rel=1e-5)
    assert [run["loss"] for run in here["runs"]] == [run["loss"] for run in there["runs"]]
    assert records.results_of_record(recorded, records.MEASURING)["replications"].keys() == {"fashion_mnist"}
    shown = fixture.results(plan, tmp_path / "offline", OFFLINE)
    assert shown["replications"].keys() == {"fashion_mnist", "digits"}
    assert "The numbers on scikit-learn’s small digits were measured here." in fixture.page_of(shown)


@pytest.mark.parametrize("lacking", ["a run", "all"])
def test_a_study_that_lacks_runs_on_fashion_mnist_is_not_recorded(with_fashion: dict, lacking: str) -> None:
    if lacking == "all":
        del with_fashion["replications"]["fashion_mnist"]
        with_fashion["not_replicated"]["fashion_mnist"] = "no network: no answer"
    else:
        with_fashion["replications"]["fashion_mnist"]["runs"].pop()
    with pytest.raises(UserError, match=r"with Fashion-MNIST if it is in the study \(1 runs or more are missing\)"):
        records.write(with_fashion)


def test_a_data_set_that_is_unavailable_or_not_measured_yet_is_named_with_the_reason(
    plan: Study, tmp_path: Path
) -> None:
    store, mnist = Store(tmp_path), Source(datasets.MNIST, None, "a fixture")
    runs = plan.runs("mnist", ("examples",))
    fixture.fill(store, runs, mnist, fixture.SCORES)
    others = {name: plan.runs(name) for name in ("fashion_mnist", "digits")}
    found = summary.update(plan, runs, mnist, store, others, {"fashion_mnist": "no network: no answer"})
    assert found["replications"] == {}
    assert found["not_replicated"] == {"fashion_mnist": "no network: no answer", "digits": summary.NOT_YET}
    html = fixture.page_of(found)
    assert "Fashion-MNIST was not measured: no network: no answer." in html
    assert "scikit-learn’s small digits" in html


def report(folder: Path, command_: str) -> int:
    """The exit status of `make report` or `make render` with results and site in `folder`."""
    options = ("--results", str(folder), "--site", str(folder / "site"))
    return errors.command(report_command.main, report_command.parse([command_, *options]))


def test_ctrl_c_before_the_first_run_leaves_the_records_page(
    recorded: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sources, "find", lambda *_, **__: Source(datasets.MNIST, None, "a fixture"))
    monkeypatch.setattr(runner, "execute", interrupted)
    assert report(tmp_path, "study") == 130
    assert "Recorded on 2026-01-01; measuring here now." in (tmp_path / "site" / "index.html").read_text()
    pipeline.stand_in(Settings(results=tmp_path, figures=fixture.FIGURES))
    assert report(tmp_path, "render") == 0
    assert "not measured on this machine" in (tmp_path / "site" / "index.html").read_text()


def test_no_early_page_is_written_while_the_page_shows_the_record(
    recorded: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    early: list[object] = []
    monkeypatch.setattr(sources, "find", lambda *_, **__: Source(datasets.DIGITS, None, "a fixture", "no network"))

    def execute(plan: Study, tasks: list[runner.Task], store: Store, *others: object) -> int:
        fixture.fill(store, tasks[0].runs[:30], DIGITS, fixture.SCORES)
        early.append(others[-1])
        return 30

    monkeypatch.setattr(runner, "execute", execute)
    assert report(tmp_path, "study") == 0
    assert early == [None]


def test_results_that_another_process_just_wrote_are_not_replaced_by_the_record(
    plan: Study, recorded: dict, tmp_path: Path
) -> None:
    store = Store(tmp_path)
    with store.locked():
        waiting = threading.Thread(target=pipeline.stand_in, args=(Settings(results=tmp_path), records.MEASURING))
        waiting.start()
        fixture.results(plan, tmp_path, Source(datasets.MNIST, None, "a fixture"))
        before = (tmp_path / "results.json").read_bytes()
    waiting.join()
    assert (tmp_path / "results.json").read_bytes() == before
