"""What a page carries of each run."""

from __future__ import annotations

import json

import pytest

from experiments.analysis import evidence
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.study.model import Study
from tests import fixture


@pytest.fixture(scope="module")
def observation(plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """That of a run of Example 1, with accuracies."""
    folder = tmp_path_factory.mktemp("evidence")
    fixture.results(plan, folder, Source(datasets.MNIST, None, "a fixture"), runs=1)
    (run,) = json.loads((folder / "evidence.json").read_text())["runs"]
    return run | {"training_accuracy": 0.99, "least_squares_accuracy": 0.97}


def test_a_page_carries_how_well_each_run_fits_and_how_well_its_features_could(observation: dict) -> None:
    carried = evidence.select_for_page(observation, set(), {})
    assert (carried["training_accuracy"], carried["least_squares_accuracy"]) == (0.99, 0.97)


def test_a_page_carries_the_saturation_of_hidden_layers_at_the_end_alone(observation: dict) -> None:
    carried = evidence.select_for_page(observation, set(), {})["saturation"]
    assert carried["final"]["hidden"] == observation["saturation"]["final"]["hidden"]
    assert set(carried) == {"start", "final"}
    assert "hidden" not in carried["start"]


def test_a_page_carries_older_evidence_without_these_accuracies(observation: dict) -> None:
    older = {key: value for key, value in observation.items() if not key.endswith("_accuracy")}
    assert set(evidence.select_for_page(older, set(), {})) == set(older) - set(evidence.NEVER)


def test_a_page_carries_times_and_the_rarer_scores_only_where_a_claim_names_them(observation: dict) -> None:
    carried = evidence.select_for_page(observation, {observation["arm"]}, {}, [("row_sum_mean",)])
    assert [carried[key] for key in ("epoch_seconds", "predict_seconds", "map_seconds")] == [None] * 3
    assert [score for score, value in carried["calibration"].items() if value is not None] == ["ece", "ece_as_is"]
    assert carried["gradient"]["start"]["first_over_output"] == observation["gradient"]["start"]["first_over_output"]
    assert carried["gradient"]["final"] == {"first_over_output": None}


def test_a_page_carries_exactly_what_a_claim_names(observation: dict) -> None:
    paths = [("predict_seconds",), ("calibration", "nll"), ("gradient", "final", "first_over_output")]
    carried = evidence.select_for_page(observation, set(), {}, paths)
    assert carried["predict_seconds"] == observation["predict_seconds"]
    assert carried["calibration"]["nll"] == observation["calibration"]["nll"]
    assert carried["calibration"]["brier"] is None
    assert carried["gradient"]["final"] == {"first_over_output": observation["gradient"]["final"]["first_over_output"]}
    assert observation["calibration"]["brier"] is not None
