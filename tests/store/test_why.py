"""What is trained or measured again after which edit, and what `make why` says of it, on small stores in a checkout."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.data.sources import DIGITS
from experiments.files.errors import UserError
from experiments.store import freshness
from experiments.store.store import Entry, Store
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import Run, Study
from tests import fixture
from tests.trained import copied, offline, trainings

ROOT = Path(__file__).parents[2]
STUDY = """
version = 1
[datasets.mnist]
epochs = 1
[datasets.digits]
epochs = 1
arms = ["*"]
[blocks.tried]
question = "Which rate?"
seeds = [0]
[blocks.built]
question = "And then?"
seeds = [0]
[[arms]]
name = "slow"
block = "tried"
title = "A slow one"
learning_rate = 0.0001
[[arms]]
name = "fast"
block = "tried"
learning_rate = 0.01
[[arms]]
name = "chosen"
block = "built"
chosen_from = "*s*"
loss = "one_sided_mean_squared_error"
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of the experiments with a small study and nothing measured."""
    folder = tmp_path / "checkout"
    shutil.copytree(ROOT / "experiments", folder / "experiments", ignore=lambda _, names: {"results", "__pycache__"})
    text = (ROOT / "experiments" / "study.toml").read_text()
    defaults = text[text.index("[defaults]") : text.index("[datasets.mnist]")]
    confirmatory = text[text.index("[confirmatory]") : text.index("[[contrasts]]")]
    (folder / "study.toml").write_text(f"{STUDY}{defaults}{confirmatory}")
    return folder


@pytest.fixture
def plan(checkout: Path) -> Study:
    return studies.load(checkout / "study.toml")


@pytest.fixture
def measured(checkout: Path, plan: Study) -> Store:
    """The checkout's store with all runs of the first block: made-up weights, real measures."""
    store = Store(checkout / "results")
    fixture.fill(store, plan.runs("digits", ("tried",)), DIGITS, {"slow": 0.9, "fast": 0.95})
    return store


def call(checkout: Path, *arguments: str) -> str:
    """What the command line prints in the checkout of the runs on the digits, below what it says of the data."""
    options = ("--study", "study.toml", "--results", "results")
    result = subprocess.run(
        [sys.executable, "-m", "experiments", *arguments, *options],
        cwd=checkout,
        env=offline(),
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    below = result.stdout.split("!" * 100 + "\n")[-1].splitlines(keepends=True)
    return "".join(line for line in below if not line.startswith("Data: ") and "on mnist" not in line)


def edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1
    path.write_text(text.replace(old, new))


# ---------------------------------------------------------------------------------------------- what an edit costs

HARMLESS = {
    "a comment": (
        "experiments/training/trainer.py",
        "        losses, accuracies",
        "        # Now.\n        losses, accuracies",
    ),
    "a docstring": ("experiments/data/datasets.py", '"""Labelled images, split once', '"""Images, split once'),
    "layout": ("experiments/analysis/measures.py", "import numpy as np\n", "import numpy as np\n\n\n"),
    "a caption": ("study.toml", 'title = "A slow one"', 'title = "Another"'),
    "other code": ("experiments/plots/generic.py", "def draw(", "UNUSED = 0\n\n\ndef draw("),
}


@pytest.mark.parametrize("change", HARMLESS.values(), ids=HARMLESS)
def test_an_edit_that_changes_no_number_trains_and_measures_nothing(
    checkout: Path, measured: Store, change: tuple[str, str, str]
) -> None:
    name, old, new = change
    edit(checkout / name, old, new)
    assert call(checkout, "why", "tried") == "slow, seed 0, on digits: fresh\nfast, seed 0, on digits: fresh\n"
    assert "nothing to train; 2 of 3 runs on digits measured" in call(checkout, "run", "--only", "tried", "--jobs", "1")


def test_touched_files_and_a_fresh_checkout_train_nothing(checkout: Path, measured: Store, tmp_path: Path) -> None:
    for path in checkout.rglob("*"):
        os.utime(path, (4e9, 4e9))  # in the year 2096
    assert "nothing to train" in call(checkout, "run", "--only", "tried", "--jobs", "1")
    elsewhere = shutil.copytree(checkout, tmp_path / "elsewhere", copy_function=shutil.copyfile)
    assert "nothing to train" in call(elsewhere, "run", "--only", "tried")


CODE = {
    "training": ("training/trainer.py", "total += step(batches[index]", "total += 1 * step(batches[index]"),
    "data": ("data/datasets.py", "default_rng(0).permutation", "default_rng(1).permutation"),
}


@pytest.mark.parametrize("change", CODE.values(), ids=CODE)
def test_editing_training_or_data_code_trains_again_and_is_named(
    checkout: Path, measured: Store, change: tuple[str, str, str]
) -> None:
    name, old, new = change
    edit(checkout / "experiments" / name, old, new)
    told = rf"code {re.escape(name)} changed \([0-9a-f]{{4}}… → [0-9a-f]{{4}}…\): will be trained again"
    assert re.fullmatch(rf"fast, seed 0, on digits: {told}\n", call(checkout, "why", "fast"))
    assert re.search(rf"   2 {told} \(the first: slow, seed 0, on digits\)\n", call(checkout, "why"))
    assert "slow                       0 of   1 runs on digits measured" in call(checkout, "status")


def test_an_edited_measure_is_recomputed_from_the_stored_weights_without_training(
    checkout: Path, trained_examples: Path
) -> None:
    copied(trained_examples, checkout / "results").rename(checkout / "study.toml")
    before = trainings(checkout / "results")
    edit(checkout / "experiments" / "training" / "network_measures.py", "SATURATION = 0.95", "SATURATION = 0.96")
    told = call(checkout, "why", "example-1, 0")
    assert re.search(
        r"measures: code training/network_measures\.py changed \(.*\): will be measured again from the stored weights",
        told,
    )
    assert "6 runs in" in call(checkout, "run", "--jobs", "1")
    assert trainings(checkout / "results") == before
    assert "example-1, seed 0, on digits: fresh\n" in call(checkout, "why", "example-1, 0")
    assert len(list(checkout.glob("results/runs/*/measures-*.json"))) == 6


def test_a_removed_arm_is_never_shown_and_status_names_its_leftovers(checkout: Path, measured: Store) -> None:
    edit(checkout / "study.toml", 'name = "slow"', 'name = "renamed-so"')
    edit(checkout / "study.toml", "learning_rate = 0.0001", "learning_rate = 0.0003")
    fixture.fill(measured, studies.load(checkout / "study.toml").runs("digits", ("tried",)), DIGITS, {})
    call(checkout, "run", "--only", "tried")
    results = (checkout / "results" / "results.json").read_text()
    assert '"arm":"renamed-so"' in results
    assert '"slow"' not in results
    told = call(checkout, "status")
    (left,) = re.findall(r"^1 stored runs of other arms.*; they are never shown\.\n  (.*)\n", told, re.MULTILINE)
    assert re.fullmatch(r"digits-tanh-tanh-mean_squared_error-s0-[0-9a-f]{16}  slow, seed 0", left)


# ---------------------------------------------------------------------------------------------- the words


def reasons(plan: Study, store: Store) -> dict[str, str]:
    found = freshness.reasons(plan, plan.runs("digits"), DIGITS.identity, store)
    return {run.arm.name: told for run, told in found.items()}


def stored(store: Store, run: Run, **changed: object) -> Entry:
    """Stores a training of `run` under a key with `changed` components, as an older version would have."""
    entry = store.entry(run, DIGITS.identity)
    older = replace(entry, key={**entry.key, **changed}, folder=entry.folder.with_name("older-" + run.arm.name))
    weights = fixture.snapshot(run.arm, run.seed)
    store.save_training(older, fixture.training(run, 0.9), {"epoch_1": weights, "final": weights})
    return older


def test_a_missing_run_is_not_trained_yet_and_its_dependents_wait(plan: Study, tmp_path: Path) -> None:
    assert reasons(plan, Store(tmp_path / "empty")) == {
        "slow": "not trained yet",
        "fast": "not trained yet",
        "chosen": "waits until *s* is measured, and takes the best one's learning rate",
    }


def test_changed_versions_and_settings_are_listed_old_and_new_from_the_nearest_run(plan: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    slow, fast = plan.runs("digits", ("tried",))
    versions = keys.training_key(slow, "")["versions"]
    stored(store, slow, versions={**versions, "keras": "3.0.0"})
    stored(store, replace(fast, arm=replace(fast.arm, learning_rate=0.03), epochs=2))
    told = reasons(plan, store)
    assert told["slow"] == f"versions.keras 3.0.0 → {versions['keras']}: will be trained again"
    assert told["fast"] == "spec.learning_rate 0.03 → 0.01; epochs 2 → 1: will be trained again"


def test_an_older_version_of_another_arm_is_not_mistaken_for_this_arms(plan: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    stored(store, plan.runs("digits", ("tried",))[0], epochs=2)
    told = reasons(plan, store)
    assert told["slow"] == "epochs 2 → 1: will be trained again"
    assert told["fast"] == "not trained yet"


def test_a_run_in_an_obsolete_format_is_reported_as_such(plan: Study, tmp_path: Path) -> None:
    folder = Store(tmp_path).entry(plan.runs("digits")[0], DIGITS.identity).folder
    older = folder.with_name(folder.name[:-16] + "0" * 16)
    older.mkdir(parents=True)
    (older / "training.json").write_text('{"format":1}')
    told = reasons(plan, Store(tmp_path))
    assert told["slow"] == "stored in a format that this version does not read: will be trained again"


def test_changes_that_a_run_shares_with_its_features_are_listed_once() -> None:
    old = {"code": {"training.py": "a" * 64}, "features": {"code": {"training.py": "a" * 64}, "seed": 0}}
    new = {"code": {"training.py": "b" * 64}, "features": {"code": {"training.py": "b" * 64}, "seed": 1}}
    assert freshness.changes(old, new) == ["code training.py changed (aaaa… → bbbb…)", "features.seed 0 → 1"]


def test_a_new_component_is_shown_as_previously_absent() -> None:
    assert freshness.changes({"spec": {}}, {"spec": {"holdout": 0}}) == ["spec.holdout none → 0"]


def test_weights_without_measures_will_be_measured(plan: Study, measured: Store) -> None:
    next(measured.root.glob("runs/*/measures-*")).unlink()
    told = "measures: not there yet: will be measured from the stored weights"
    assert sorted(reasons(plan, measured)[name] for name in ("slow", "fast")) == ["fresh", told]


def test_a_damaged_run_is_reported_with_the_fix(plan: Study, measured: Store) -> None:
    (measured.entry(plan.runs("digits")[0], DIGITS.identity).folder / "training.json").write_text("{")
    assert re.match(r"damaged: .*training\.json: .* Delete its folder", reasons(plan, measured)["slow"])


@pytest.mark.parametrize("name", ["nothing", "slow, 7", "slow, first"])
def test_a_name_that_matches_no_run_is_refused_with_the_valid_names(plan: Study, name: str) -> None:
    with pytest.raises(UserError, match=rf"NAME={name} is no arm, block or 'arm, seed'.*Its blocks: tried, built;"):
        freshness.select_runs(plan, plan.runs("digits"), name)


@pytest.mark.parametrize("name", ["slow,0", "slow, seed 0"])
def test_arm_and_seed_select_a_single_run(plan: Study, name: str) -> None:
    assert freshness.select_runs(plan, plan.runs("digits"), name) == plan.runs("digits", ("tried",))[:1]
