"""What is gathered of the runs, and the contrasts, on made-up results; their mathematics: test_inference.py."""

from __future__ import annotations

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


def contrast(margin: float | None, wrong: list[tuple[set[int], set[int]]]) -> dict:
    """The first contrast with `margin`, of made-up runs: by seed, which of 100 images both arms get wrong."""
    declared = replace(studies.load().contrasts[0], equivalence_margin=margin)
    measures = {
        arm: {
            seed: {"images": 100, "wrong": len(pair[end]), "wrong_images": sorted(pair[end])}
            for seed, pair in enumerate(wrong)
        }
        for end, arm in enumerate((declared.first, declared.second))
    }
    plan = replace(studies.load(), contrasts=(declared,), confidence=0.95)
    return summary.contrasts(plan, measures)[0]


def test_an_arm_is_summarised_over_its_seeds(results: dict) -> None:
    accuracy = results["arms"]["example-3"]["test_accuracy"]
    assert accuracy["mean"] == pytest.approx(0.9785)  # five seeds at 0.978, five with two images more of 2,000
    assert (accuracy["min"], accuracy["max"]) == (0.978, 0.979)
    assert np.sum(results["arms"]["example-3"]["confusion"]) == 10 * fixture.TEST_IMAGES


def test_a_contrast_is_paired_by_seed_and_counts_discordant_images(results: dict) -> None:
    recipe = results["contrasts"][0]
    assert (recipe["name"], recipe["n"]) == ("recipe", 10)
    assert recipe["differences"] == pytest.approx([0.013] * 10)
    assert recipe["discordant"] == [[26, 0]] * 10
    assert recipe["mcnemar_p"] == pytest.approx([2 * 0.5**26] * 10)


def test_a_contrast_reports_how_many_seeds_agree_and_the_detectable_difference(results: dict) -> None:
    recipe = results["contrasts"][0]
    assert recipe["seeds_agreeing"] == 10
    assert recipe["detectable"] == pytest.approx(0)  # every seed shows the same difference
    assert "equivalent" not in recipe


def test_a_contrasts_bootstrap_treats_test_images_as_random_too(results: dict) -> None:
    low, high = results["contrasts"][0]["bootstrap"]  # 26 of 2,000 images differ for nearly every seed
    assert (low, high) == pytest.approx(0.013 + np.array([-1.96, 1.96]) * np.sqrt(0.013 / 2000), abs=0.001)


def test_a_seed_without_a_difference_agrees_with_neither_direction() -> None:
    found = contrast(None, [({1}, {2}), (set(), {3}), ({4, 5}, {6}), (set(), {7})])
    assert found["discordant"] == [[1, 1], [1, 0], [1, 2], [1, 0]]
    assert found["seeds_agreeing"] == 2


def test_equivalence_is_decided_by_the_interval_of_two_one_sided_tests() -> None:
    wrong = [({1}, {2, 3}), ({4, 5}, {6}), ({7}, {8})]  # differences of 0.01, −0.01 and 0
    half = 2.920 * 0.01 / np.sqrt(3)  # the 95 % point of t with 2 degrees of freedom
    assert contrast(0.0169, wrong)["equivalence_interval"] == pytest.approx([-half, half], abs=1e-5)
    assert contrast(0.0169, wrong)["equivalent"] is True
    assert contrast(0.0168, wrong)["equivalent"] is False


def test_contrasts_without_runs_say_so_and_count_in_holms_family(results: dict) -> None:
    rest = results["contrasts"][1:]
    assert [contrast["n"] for contrast in rest] == [0] * 6
    assert results["contrasts"][0]["p_holm"] == pytest.approx(7 * 2 / 1024)


def test_example_2s_map_is_compared_with_example_1s_predictions(results: dict) -> None:
    readout = results["arms"]["example-2"]["readout_of"]
    assert readout == {"arm": "example-1", "changed": 0, "compared": 10 * fixture.TEST_IMAGES, "changed_share": 0}


def test_unfinished_runs_are_counted_as_missing(plan: Study, tmp_path: Path) -> None:
    found = fixture.results(plan, tmp_path, Source(datasets.MNIST, None, "a fixture"), runs=12)
    assert (len(found["runs"]), found["runs_expected"]) == (12, 30)


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
    assert len(found["runs"]) == found["runs_expected"] == 30
    assert "2025-12-31 23:59" in fixture.page_of(found)
