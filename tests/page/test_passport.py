"""A figure's passport tells the runs behind it, what they share and where they differ."""

from __future__ import annotations

import re
from copy import deepcopy

import pytest

from experiments.plots import formats
from experiments.plots.figures import Figure
from experiments.study.model import SETTINGS
from report.page.passport import FIELDS, passport, ranges, usual_settings
from tests import fixture


def figure(*arms: str) -> Figure:
    return Figure("made-up", "A title", "A description", arms, ("Arm",), (("example-1",),), "<svg/>")


@pytest.mark.parametrize(
    ("numbers", "message"),
    [([], ""), ([7], "7"), ([0, 1, 2], "0–2"), ([0, 1, 5, 100, 101], "0–1, 5, 100–101")],
)
def test_consecutive_seeds_are_written_as_a_range(numbers: list[int], message: str) -> None:
    assert ranges(numbers) == message


def test_shared_settings_are_listed_where_they_are_unusual_and_differing_ones_with_every_value(results: dict) -> None:
    changed = deepcopy(results)
    for run in changed["runs"]:
        run["dropout"] = 0.5 if run["arm"] in ("example-1", "example-3") else 0.0
    changed["runs"] += [{**run, "arm": f"{run['arm']}-{k}"} for run in results["runs"] for k in range(2)]
    found = passport(changed, figure("example-1", "example-3"))
    assert found.runs == 22
    assert found.blocks == (("examples", 2, "300–310"),)
    assert found.shared == {"dropout": 0.5}
    assert found.differing["hidden activation"] == ("relu", "tanh")
    assert found.differing["loss"] == ("categorical_crossentropy", "mean_squared_error")


def test_many_values_are_abbreviated_to_the_first_and_the_last() -> None:
    assert formats.listed([0.001, 0.003, "tanh"]) == "0.001, 0.003, tanh"
    assert formats.listed([*range(2, 1000)]) == "998 values from 2 to 999"


def test_methods_list_every_usual_setting_and_omit_those_that_most_arms_do_not_have(results: dict) -> None:
    assert set(FIELDS) == {*SETTINGS, "epochs"}
    assert usual_settings(results).keys() == set(FIELDS.values())
    html = fixture.page_of(results)
    listed = html[html.index("usual settings: ") :].partition(". All start")[0]
    assert "batch size 32" in listed
    assert all(
        (f"{label} " in listed) == (label not in ("hidden layers taken from", "rate and schedule chosen from"))
        for label in FIELDS.values()
    )


def test_a_passport_names_the_arm_whose_hidden_layers_are_used(results: dict) -> None:
    changed = deepcopy(results)
    for run in changed["runs"]:
        run["features_of"] = "example-1" if run["arm"] == "example-3" else ""
    found = passport(changed, figure("example-1", "example-3"))
    assert formats.listed(found.differing["hidden layers taken from"]) == "none, example-1"


def test_a_figure_of_one_arm_lists_no_differences(results: dict) -> None:
    assert passport(results, figure("example-2")).differing == {}


def test_every_figure_on_the_page_says_how_to_reproduce_it(results: dict) -> None:
    html = fixture.page_of(results)
    figures = re.findall(r"<figure.*?</figure>", html, re.DOTALL)
    assert figures
    assert all("<code>make report ONLY=examples</code>" in one for one in figures)


def test_a_quick_page_is_reproduced_by_a_quick_run(results: dict) -> None:
    assert "<code>make report ONLY=examples QUICK=1</code>" in fixture.page_of({**results, "quick": True})


def test_runs_from_the_record_are_not_said_to_be_measured_here(results: dict) -> None:
    recorded = {**results, "recorded": "2026-01-01"}
    recorded["dataset"] = {**results["dataset"], "not_measured_because": "no network"}
    html = fixture.page_of(recorded)
    assert "Recorded on 2026-01-01, not on this machine. Again" in html
    assert "Measured on" not in html
