"""A small article about RMSprop, dropout, He's initial weights and a GELU layer is checked without any code for it."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.trained import FOURTH, ROOT, offline

TRAINS = pytest.mark.slow("trains the whole article; test_training.py compares such words of Keras with model.fit")


@pytest.fixture(scope="module")
def results(fourth: Path) -> dict[str, Any]:
    return json.loads((fourth / "results" / "results.json").read_text())


def test_its_folder_has_no_code() -> None:
    assert sorted(path.name for path in FOURTH.iterdir()) == ["article.md", "claims.toml", "study.toml"]


@TRAINS
def test_each_of_its_claims_gets_a_verdict_from_measured_numbers(fourth: Path) -> None:
    rows = json.loads((fourth / "site" / "data" / "claims.json").read_text())["claims"]
    verdicts = {row["claim"]["id"]: row["verdicts"]["stated"] for row in rows}
    assert {name: verdicts[name]["verdict"] for name in ("rmsprop", "he", "gelu")} == {
        "rmsprop": "supported",
        "he": "supported",
        "gelu": "supported",
    }
    assert verdicts["dropout"]["verdict"] in ("supported", "not supported")  # the gap is small
    for verdict in verdicts.values():
        assert None not in verdict["values"].values()


@TRAINS
def test_what_the_study_names_is_what_was_trained(results: dict[str, Any], fourth: Path) -> None:
    arms = results["arms"]
    assert arms["rmsprop"]["optimizer"] == "rmsprop(rho=0.95)"
    assert (arms["dropout"]["dropout"], arms["dropout"]["l2"]) == (0.3, 1e-5)
    assert (arms["deep-he-normal"]["initializer"], arms["deep-he-normal"]["depth"]) == ("he_normal", 6)
    assert (arms["gelu"]["hidden"], arms["gelu"]["depth"]) == ("tanh, gelu(approximate=True)", 2)
    assert {arm["loss"] for arm in arms.values()} == {"categorical_crossentropy"}
    with (fourth / "site" / "data" / "runs.csv").open(newline="") as file:
        hidden = {row["arm"]: row["hidden"] for row in csv.DictReader(file)}
    assert hidden["gelu"] == "tanh, gelu(approximate=True)"


@TRAINS
def test_measures_that_do_not_apply_to_a_layer_say_so(results: dict[str, Any]) -> None:
    tanh, gelu = results["arms"]["gelu"]["saturation"]["final"]["hidden"]
    assert (tanh is None, gelu) == (False, None)
    deep = results["arms"]["deep-he-normal"]["saturation"]["final"]
    assert (deep["hidden"], len(deep["dead"])) == (None, 6)


@TRAINS
def test_its_page_shows_its_settings_and_proves_itself(fourth: Path) -> None:
    page = fourth / "site" / "index.html"
    assert "tanh, gelu(approximate=True)" in page.read_text()
    called = [sys.executable, "-m", "report", "verify", "--article", str(FOURTH), str(page)]
    result = subprocess.run(called, cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300)
    assert result.stdout.startswith("Identical: "), result.stdout + result.stderr
