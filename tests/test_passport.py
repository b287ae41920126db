"""A figure's passport tells the runs behind it, what they share and where they differ."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest

from experiments.plots.figures import Figure
from experiments.study.model import SETTINGS
from report.page import render
from report.page.passport import FIELDS, passport, ranges
from tests import fixture


def figure(*arms: str) -> Figure:
    return Figure("made-up", "A title", "A description", arms, ("Arm",), (("example-1",),), "<svg/>")


@pytest.mark.parametrize(
    ("numbers", "told"),
    [([], ""), ([7], "7"), ([0, 1, 2], "0–2"), ([0, 1, 5, 100, 101], "0–1, 5, 100–101")],
)
def test_neighbouring_seeds_are_told_as_a_range(numbers: list[int], told: str) -> None:
    assert ranges(numbers) == told


def test_what_all_runs_share_is_told_once_and_what_differs_with_every_value(results: dict) -> None:
    found = passport(results, figure("example-1", "example-3"))
    assert found.runs == 20
    assert found.blocks == (("examples", 2, "100–109"),)
    assert found.shared["epochs"] == 10
    assert found.shared["batch size"] == 32
    assert found.differing["hidden activation"] == ("relu", "tanh")
    assert found.differing["loss"] == ("categorical_crossentropy", "mean_squared_error")
    assert "readout" in found.shared
    assert not found.shared.keys() & found.differing.keys()


def test_many_values_are_told_by_the_first_and_the_last() -> None:
    assert render.listed([0.001, 0.003, "tanh"]) == "0.001, 0.003, tanh"
    assert render.listed([*range(2, 1000)]) == "998 values from 2 to 999"


def test_a_passport_tells_every_setting_and_leaves_out_what_no_run_has(results: dict) -> None:
    assert set(FIELDS) == {*SETTINGS, "epochs"}
    found = passport(results, figure("example-1"))
    assert found.shared.keys() == set(FIELDS.values()) - {"hidden layers taken from", "rate and schedule chosen from"}


def test_a_passport_says_whose_hidden_layers_runs_have(results: dict) -> None:
    changed = deepcopy(results)
    for run in changed["runs"]:
        run["features_of"] = "example-1" if run["arm"] == "example-3" else ""
    found = passport(changed, figure("example-1", "example-3"))
    assert render.listed(found.differing["hidden layers taken from"]) == "none, example-1"


def test_a_figure_of_one_arm_has_nothing_that_differs(results: dict) -> None:
    assert passport(results, figure("example-2")).differing == {}


def test_every_figure_of_the_page_tells_how_to_make_it_again(results: dict) -> None:
    html = fixture.page_of(results)
    figures = re.findall(r"<figure.*?</figure>", html, re.DOTALL)
    assert figures
    assert all("<code>make report ONLY=examples</code>" in one for one in figures)


def test_a_small_version_is_made_again_as_a_small_version(results: dict) -> None:
    assert "<code>make report ONLY=examples QUICK=1</code>" in fixture.page_of({**results, "quick": True})


def test_recorded_runs_are_not_said_to_be_measured_here(results: dict) -> None:
    recorded = {**results, "recorded": "2026-01-01"}
    recorded["dataset"] = {**results["dataset"], "not_measured_because": "no network"}
    html = fixture.page_of(recorded)
    assert "Recorded on 2026-01-01, not on this machine. Again" in html
    assert "Measured on" not in html
