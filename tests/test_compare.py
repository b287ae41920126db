"""Two results are compared by verdict and by effect; what seeds alone can do is no change."""

from __future__ import annotations

from copy import deepcopy
from math import hypot
from pathlib import Path

import pytest

from experiments import data, statistics, study
from experiments.errors import UserError
from experiments.sources import Source
from experiments.store import to_json
from report import __main__ as command
from report import claims
from report.compare import Effect, compare
from tests import fixture

MNIST = Source(data.MNIST, None, "a fixture")


def test_results_do_not_differ_from_themselves(results: dict) -> None:
    found = compare(results, results, claims.load())
    assert not found.differs
    assert {effect.name for effect in found.effects} == {
        "contrast recipe", "arm example-1", "arm example-2", "arm example-3"
    }  # fmt: skip


def test_an_effect_moves_where_the_interval_of_the_difference_leaves_0_out() -> None:
    noise = hypot(0.003, 0.004)
    assert noise == pytest.approx(0.005)
    assert Effect("a", 0.10, 0.1051, noise).moved
    assert not Effect("a", 0.10, 0.1049, noise).moved
    assert Effect("a", 0.10, 0.0949, noise).moved


def test_the_noise_of_a_difference_adds_both_intervals_in_squares(results: dict) -> None:
    changed = deepcopy(results)
    for found, half in ((results, 0.003), (changed, 0.004)):
        accuracy = found["arms"]["example-1"]["test_accuracy"]
        accuracy["interval"] = [accuracy["mean"] - half, accuracy["mean"] + half]
    (effect,) = [e for e in compare(results, changed, ()).effects if e.name == "arm example-1"]
    assert effect.noise == pytest.approx(0.005)


def test_a_turned_verdict_is_told_with_both_and_decides_the_exit_status(
    plan: study.Study, results: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    turned = fixture.results(plan, tmp_path / "b", MNIST, {"example-1": 0.978, "example-2": 0.978, "example-3": 0.965})
    paths = []
    for name, found in (("one", results), ("other", turned)):
        paths.append(str(tmp_path / f"{name}.json"))
        Path(paths[-1]).write_bytes(to_json(found))
    assert command.main(command.parse(["compare", *paths])) == 1
    told = capsys.readouterr().out
    assert "verdict turned   far-more-effective: partly supported → not supported" in told
    assert "moved beyond seed noise  contrast recipe: 1.30 → -1.30 points" in told
    assert command.main(command.parse(["compare", paths[0], paths[0]])) == 0
    assert "0 verdicts turned; 0 of 4 effects moved" in capsys.readouterr().out


def test_what_only_one_has_measured_is_told_and_is_no_change(plan: study.Study, results: dict, tmp_path: Path) -> None:
    fewer = fixture.results(plan, tmp_path, MNIST, runs=10)
    found = compare(results, fewer, ())
    assert found.single == ("arm example-2", "arm example-3", "contrast recipe")
    assert not found.differs


@pytest.mark.parametrize("files", [[], ["a"], ["a", "b", "c"]])
def test_anything_but_two_files_is_an_error_that_shows_the_command(files: list[str]) -> None:
    with pytest.raises(UserError, match=r"make compare A=old\.html B=new\.html"):
        command.main(command.parse(["compare", *files]))


def test_results_of_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(to_json({"format": statistics.FORMAT + 1}))
    with pytest.raises(UserError, match="format"):
        command.main(command.parse(["compare", str(tmp_path / "old.json"), str(tmp_path / "old.json")]))
