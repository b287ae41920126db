"""A study says which of its arms, at which seeds, run on other data sets; what they build on must run there too."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.data.datasets import DIGITS, FASHION_MNIST, MNIST
from experiments.files.errors import UserError
from experiments.study import load as studies
from experiments.study.model import Study

TEXT = studies.STUDY.read_text(encoding="utf-8")
DEFAULTS = TEXT[TEXT.index("[defaults]") : TEXT.index("[datasets.mnist]")]
SMALL = """
version = 1
[datasets.mnist]
epochs = 9
[datasets.fashion_mnist]
epochs = 8
seeds = 2
arms = ["plain", "wide"]
[datasets.digits]
epochs = 7
arms = ["rate-*", "best"]
[blocks.core]
question = "What changes?"
seeds = [12, 10, 11]
early = true
[blocks.rates]
question = "Which rate?"
seeds = [1, 2]
epochs = 5
[blocks.reading]
question = "Read otherwise?"
seeds = [11, 12]
[[arms]]
name = "plain"
block = "core"
[[arms]]
name = "wide"
block = "core"
width = 256
[[arms]]
name = "rate-{learning_rate}"
block = "rates"
learning_rate = [0.1, 0.2]
holdout = 700
[[arms]]
name = "best"
block = "rates"
chosen_from = "rate-*"
[[arms]]
name = "read"
block = "reading"
features_of = "plain"
[confirmatory]
declared = 2026-01-15
measure = "test_accuracy"
confidence = 0.95
"""


def load(folder: Path, text: str = SMALL) -> Study:
    path = folder / "study.toml"
    path.write_text(text + DEFAULTS, encoding="utf-8")
    return studies.load(path)


def named(study: Study, dataset: str) -> list[tuple[str, int, int]]:
    return [(run.arm.name, run.seed, run.epochs) for run in study.runs(dataset)]


def test_a_data_set_has_the_listed_arms_at_the_first_seeds_of_their_blocks(tmp_path: Path) -> None:
    runs = named(load(tmp_path), "fashion_mnist")
    assert runs == [("plain", 12, 8), ("plain", 10, 8), ("wide", 12, 8), ("wide", 10, 8)]


def test_a_pattern_lists_every_arm_that_matches_it_and_a_block_keeps_its_own_epochs(tmp_path: Path) -> None:
    runs = named(load(tmp_path), "digits")
    assert runs == [(name, seed, 5) for name in ("rate-0.1", "rate-0.2", "best") for seed in (1, 2)]


def test_a_run_on_a_data_set_builds_on_runs_there_alone(tmp_path: Path) -> None:
    study = load(tmp_path, SMALL.replace("epochs = 7\n", "epochs = 7\nseeds = 1\n"))
    chosen = study.runs("digits")[-1]
    assert [str(run) for run in study.needs(chosen)] == ["rate-0.1, seed 1, on digits", "rate-0.2, seed 1, on digits"]


def test_a_data_set_without_a_list_of_arms_has_none(tmp_path: Path) -> None:
    study = load(tmp_path, SMALL.replace('arms = ["rate-*", "best"]\n', ""))
    assert study.runs("digits") == []
    assert study.replications == ("fashion_mnist",)


def test_fashion_mnist_may_be_left_out_of_a_study(tmp_path: Path) -> None:
    text = SMALL[: SMALL.index("[datasets.fashion_mnist]")] + SMALL[SMALL.index("[datasets.digits]") :]
    assert load(tmp_path, text).replications == ("digits",)


def test_a_data_set_in_mnists_place_has_all_runs_whatever_its_name(tmp_path: Path) -> None:
    study = load(tmp_path)
    about = study.about(FASHION_MNIST)
    assert named(about, "fashion_mnist") == named(study, "mnist")
    assert (about.replications, study.replications) == ((), ("fashion_mnist", "digits"))
    assert study.about(MNIST) == study.about(DIGITS) == study


def test_the_quick_study_is_small_on_every_data_set(tmp_path: Path) -> None:
    study = load(tmp_path, SMALL.replace('arms = ["rate-*", "best"]', 'arms = ["wide"]')).quick()
    core = [(name, seed, 2) for name in ("plain", "wide") for seed in (12, 10)]
    assert named(study, "fashion_mnist") == core
    assert named(study, "mnist") == [*core, ("rate-0.1", 1, 2)]
    assert named(study, "digits") == [("wide", 12, 7), ("wide", 10, 7)]


MISTAKES = {  # what is wrong: (text, in its place, what is said)
    "an arm that is not there": (
        '"plain", "wide"',
        '"plain", "weit*"',
        'fashion_mnist.arms is "weit*". Expected names of arms, or patterns of them such as rate-*.',
    ),
    "no list": ('["plain", "wide"]', '"plain"', 'fashion_mnist.arms is "plain". Expected a list of texts.'),
    "no seeds": ("seeds = 2", "seeds = 0", "fashion_mnist.seeds is 0. Expected how many of each block's seeds: 1 to"),
    "without the candidates": (
        '["rate-*", "best"]',
        '["rate-0.1", "best"]',
        "digits.arms is [\"rate-0.1\", \"best\"]. Expected 'rate-0.2' too, from which 'best' takes something.",
    ),
    "without the features": (
        '"plain", "wide"',
        '"read", "wide"',
        "Expected 'plain' too, from which 'read' takes something.",
    ),
    "without the features' seeds": (
        '"plain", "wide"',
        '"plain", "read"',
        "fashion_mnist.seeds is 2. Expected so many that 'plain' has all seeds of 'read'.",
    ),
    "too many held out": (
        "holdout = 700",
        "holdout = 721",
        'digits.arms is ["rate-*", "best"]. Expected no arm that holds out more than half of the training images: '
        "'rate-0.1'.",
    ),
    "unknown key": ("seeds = 2", "seed = 2", "unknown key 'seed'. Known here: epochs, arms, seeds."),
    "MNIST with a list": ("epochs = 9", 'epochs = 9\narms = ["plain"]', "unknown key 'arms'. Known here: epochs."),
}


@pytest.mark.parametrize(("old", "new", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_in_a_data_set_is_one_line_with_its_place_and_a_fix(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert SMALL.count(old) == 1
    with pytest.raises(UserError) as error:
        load(tmp_path, SMALL.replace(old, new))
    assert said in str(error.value)
    assert "study.toml:" in str(error.value)
    assert str(error.value).endswith(("Fix this line.", "Fix the name or remove the line."))
