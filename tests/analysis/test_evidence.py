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
