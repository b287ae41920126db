"""What is gathered of the runs, and the contrasts, on made-up results; their mathematics: test_inference.py."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from experiments.analysis import summary
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Study
from tests import fixture


def contrast(margin: float | None, wrong: list[tuple[set[int] | None, set[int]]]) -> dict:
    """The first contrast with `margin`, of made-up runs: by seed, which of 100 images both arms get wrong, if known."""
    declared = replace(studies.load().contrasts[0], equivalence_margin=margin)
    measures = {
        arm: {
            seed: {"images": 100, "wrong": len(images or ()), "wrong_images": None if images is None else [*images]}
            for seed, images in enumerate(pair[end] for pair in wrong)
        }
        for end, arm in enumerate((declared.first, declared.second))
    }
    plan = replace(studies.load(), contrasts=(declared,), confidence=0.95)
    return summary.contrasts(plan, measures)[0]


def test_an_arm_is_summarised_over_its_seeds(results: dict) -> None:
    accuracy = results["arms"]["example-3"]["test_accuracy"]
    assert accuracy["mean"] == pytest.approx(0.978 + 0.001 * 5 / 11)  # five of eleven seeds: two images more of 2,000
    assert (accuracy["min"], accuracy["max"]) == (0.978, 0.979)
    assert np.sum(results["arms"]["example-3"]["confusion"]) == 11 * fixture.TEST_IMAGES


def arm(plan: Study, folder: Path, **changed: list) -> dict:
    """Example 1's result after its runs' observations were `changed`: by key, the values by seed, for all eleven."""
    fixture.results(plan, folder, Source(datasets.MNIST, None, "a fixture"))
    content = json.loads((folder / "evidence.json").read_text())
    runs = [run for run in content["runs"] if run["arm"] == "example-1"]
    for key, values in changed.items():
        for run, value in zip(runs, values, strict=True):
            run[key] = value
    return summary.assemble(plan, content | {"runs": runs})["arms"]["example-1"]


def test_an_arm_has_its_training_accuracy_and_what_it_lacks_on_the_test_images(plan: Study, tmp_path: Path) -> None:
    found = arm(plan, tmp_path, training_accuracy=[0.99, *[0.99, 0.98] * 5], least_squares_accuracy=[0.97] * 11)
    assert found["training_accuracy"]["mean"] == pytest.approx(0.985 + 0.005 / 11)
    assert found["training_accuracy"]["min"] == 0.98
    assert found["generalization_gap"] == pytest.approx(
        0.985 + 0.005 / 11 - 0.965 - 0.005 / 11
    )  # five of eleven: 0.966
    assert found["least_squares_accuracy"]["mean"] == pytest.approx(0.97)


def test_an_arm_has_no_training_accuracy_if_one_seed_has_none(plan: Study, tmp_path: Path) -> None:
    found = arm(plan, tmp_path, training_accuracy=[*[0.99] * 10, None])
    assert found["training_accuracy"] is None
    assert found["generalization_gap"] is None


def test_images_wrong_in_every_run_are_counted(plan: Study, tmp_path: Path) -> None:
    assert arm(plan, tmp_path, wrong_images=[[3, 7, 8 + seed, 1900] for seed in range(11)])["always_wrong"] == 3
    assert arm(plan, tmp_path, wrong_images=[*[[3, 7]] * 10, None])["always_wrong"] is None


def test_images_wrong_in_the_only_run_are_not_said_to_be_wrong_in_every_run(plan: Study, tmp_path: Path) -> None:
    found = fixture.results(plan, tmp_path, Source(datasets.MNIST, None, "a fixture"), runs=1)
    assert found["arms"]["example-1"]["always_wrong"] is None


def test_a_plateau_is_the_mean_accuracy_of_the_last_three_epochs(plan: Study, tmp_path: Path) -> None:
    found = arm(plan, tmp_path, test_accuracy_by_epoch=[[0.9, 0.95, 0.96, 0.97, 0.98]] * 10 + [[0.9] * 5])
    assert found["plateau"] == pytest.approx((10 * 0.97 + 0.9) / 11)
    assert found["epochs_to_plateau"] == {"by_seed": [4] * 10 + [1], "mean": pytest.approx(41 / 11)}


@pytest.mark.parametrize(
    ("curve", "epoch"),
    [
        ([0.9, 0.9649, 0.97, 0.97, 0.97], 3),
        ([0.9, 0.965, 0.97, 0.97, 0.97], 2),  # just as near as it must be, whatever 0.97 − 0.005 is as a float
        ([0.99, 0.97, 0.9, 0.9, 0.9], 1),  # it was above
        ([0.5, 0.6], 2),  # fewer than three epochs: the mean of both is 0.55
        ([0.5], 1),
    ],
)
def test_the_plateau_is_reached_half_a_point_below_it(curve: list[float], epoch: int) -> None:
    assert summary.epochs_to_plateau([curve]) == {"by_seed": [epoch], "mean": epoch}


def test_an_arm_without_curves_has_no_plateau(plan: Study, tmp_path: Path) -> None:
    found = arm(plan, tmp_path, test_accuracy_by_epoch=[None] * 11)
    assert found["plateau"] is None
    assert found["epochs_to_plateau"] is None


def test_a_contrast_is_paired_by_seed_and_counts_discordant_images(results: dict) -> None:
    recipe = results["contrasts"][0]
    assert (recipe["name"], recipe["n"]) == ("recipe", 11)
    assert recipe["differences"] == pytest.approx([0.013] * 11)
    assert recipe["discordant"] == [[26, 0]] * 11
    assert recipe["mcnemar_p"] == pytest.approx([2 * 0.5**26] * 11)


def test_a_contrast_reports_how_many_seeds_agree_and_the_detectable_difference(results: dict) -> None:
    recipe = results["contrasts"][0]
    assert recipe["seeds_agreeing"] == 11
    assert recipe["detectable"] == pytest.approx(0)  # every seed shows the same difference
    assert "equivalent" not in recipe


def test_a_contrasts_bootstrap_treats_test_images_as_random_too(results: dict) -> None:
    low, high = results["contrasts"][0]["bootstrap"]  # 26 of 2,000 images differ for nearly every seed
    assert (low, high) == pytest.approx(0.013 + np.array([-1.96, 1.96]) * np.sqrt(0.013 / 2000), abs=0.001)


def test_a_seed_without_a_difference_agrees_with_neither_direction() -> None:
    found = contrast(None, [({1}, {2}), (set(), {3}), ({4, 5}, {6}), (set(), {7})])
    assert found["discordant"] == [[1, 1], [1, 0], [1, 2], [1, 0]]
    assert found["seeds_agreeing"] == 2


def test_a_run_whose_wrong_images_are_unknown_is_in_no_contrast() -> None:
    """As in the page of an older study, which did not compare this arm."""
    assert contrast(None, [({1}, {2}), (None, {2})])["n"] == 0
    assert contrast(None, [({1}, {2}), (None, {2}), ({3}, {2})])["n"] == 2


def test_a_contrast_has_intervals_for_further_seeds_and_further_images() -> None:
    found = contrast(None, [({1, 2}, {3}), ({1}, set()), ({1}, {4}), ({1, 5}, {6})])  # −0.01, −0.01, 0, −0.01
    mean, error = -0.0075, 0.005 / 2
    half = 3.18245 * error * np.sqrt(1 + 4 / 10)  # the 97.5 % point of t with 3 degrees of freedom
    assert found["prediction_interval"] == pytest.approx([mean - half, mean + half], abs=1e-7)
    low, high = found["two_way_interval"]
    assert low + high == pytest.approx(2 * mean)
    assert low < found["interval"][0]
    assert found["image_share"] == 1  # chance on images explains more than all of this scatter


def test_superiority_compares_each_run_of_one_arm_with_each_of_the_other() -> None:
    found = contrast(None, [(set(), {1}), ({1, 2}, {3, 4, 5})])  # 1, 0.98 against 0.99, 0.97: three pairs of four
    assert found["superiority"] == 0.75
    assert found["seeds_agreeing"] == 2


def test_the_smallest_p_that_the_pairs_can_give_counts_the_declared_family(results: dict) -> None:
    assert results["contrasts"][0]["p_smallest"] == results["contrasts"][0]["p_holm"]  # all seeds agree
    assert [row for row in results["contrasts"][1:] if "p_smallest" in row] == []
    found = contrast(None, [({1}, set()), (set(), {1}), ({1}, set())])
    assert (found["p_holm"], found["p_smallest"]) == (1, 2 / 8)


def test_equivalence_is_decided_by_the_interval_of_two_one_sided_tests() -> None:
    wrong = [({1}, {2, 3}), ({4, 5}, {6}), ({7}, {8})]  # differences of 0.01, −0.01 and 0
    half = 2.920 * 0.01 / np.sqrt(3)  # the 95 % point of t with 2 degrees of freedom
    assert contrast(0.0169, wrong)["equivalence_interval"] == pytest.approx([-half, half], abs=1e-5)
    assert contrast(0.0169, wrong)["equivalent"] is True
    assert contrast(0.0168, wrong)["equivalent"] is False


def test_contrasts_without_runs_say_so_and_count_in_holms_family(results: dict) -> None:
    rest = results["contrasts"][1:]
    assert {contrast["n"] for contrast in rest} == {0}
    assert sum(contrast["confirmatory"] for contrast in rest) == 7
    assert results["contrasts"][0]["p_holm"] == pytest.approx(8 * 2 / 2048)


def test_example_2s_map_is_compared_with_example_1s_predictions(results: dict) -> None:
    readout = results["arms"]["example-2"]["readout_of"]
    assert readout == {"arm": "example-1", "changed": 0, "compared": 11 * fixture.TEST_IMAGES, "changed_share": 0}


def test_unfinished_runs_are_counted_as_missing(plan: Study, tmp_path: Path) -> None:
    found = fixture.results(plan, tmp_path, Source(datasets.MNIST, None, "a fixture"), runs=12)
    assert (len(found["runs"]), found["runs_expected"]) == (12, 33)


def test_results_are_rewritten_only_when_something_changed(plan: Study, tmp_path: Path) -> None:
    source = Source(datasets.MNIST, None, "a fixture")
    fixture.results(plan, tmp_path, source)
    before = (tmp_path / "results.json").stat().st_mtime_ns
    fixture.results(plan, tmp_path, source)
    assert (tmp_path / "results.json").stat().st_mtime_ns == before
    changed = replace(plan, confidence=0.9)
    assert fixture.results(changed, tmp_path, source)["confidence"] == 0.9


@pytest.mark.parametrize("name", ["results.json", "evidence.json"])
@pytest.mark.parametrize("content", [b"", b'{"format":1,', b'{"format":0}', b"[]"], ids=repr)
def test_a_damaged_or_outdated_derived_file_is_rebuilt(tmp_path: Path, content: bytes, name: str) -> None:
    plan, source = studies.load(), Source(datasets.MNIST, None, "a fixture")
    found = fixture.results(plan, tmp_path, source, runs=2)
    path = tmp_path / name
    whole = path.read_bytes()
    path.write_bytes(content)
    again = summary.update(plan, plan.runs("mnist", ("examples",)), source, Store(tmp_path))
    assert again["inputs"] == found["inputs"]
    assert path.read_bytes() == whole


def test_a_clock_that_jumps_back_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made_up = fixture.training
    back = {"started": "2026-01-01T00:00:05+00:00", "finished": "2025-12-31T23:59:00+00:00"}
    monkeypatch.setattr(fixture, "training", lambda run, score: {**made_up(run, score), **back})
    found = fixture.results(studies.load(), tmp_path, Source(datasets.MNIST, None, "a fixture"))
    assert len(found["runs"]) == found["runs_expected"] == 33
    assert "2025-12-31" in fixture.page_of(found)
