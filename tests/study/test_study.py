"""study.toml says what the article says; a mistake in it is one line with its place; fingerprints tell runs apart."""

from __future__ import annotations

import hashlib
from dataclasses import fields, replace
from pathlib import Path

import pytest

from experiments.data import datasets
from experiments.files.errors import UserError
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import SETTINGS, Arm, Part, Study
from tests import bench_scale

TEXT = studies.STUDY.read_text(encoding="utf-8")
SEEDS = "seeds = [300, 301, 302, 303, 304, 305, 306, 307, 308, 309, 310]"


def line_of(text: str, part: str, start: int = 0) -> int:
    """The line of the first `part` in `text` from the character `start` on, counted from 1."""
    return text.count("\n", 0, text.index(part, start)) + 1


def complaint(path: Path) -> str:
    with pytest.raises(UserError) as error:
        studies.load(path)
    return str(error.value)


# ---------------------------------------------------------------------------------------------- the committed study


@pytest.mark.parametrize(
    ("name", "hidden", "output", "loss", "readout"),
    [
        ("example-1", "tanh", "tanh", "mean_squared_error", "as_is"),
        ("example-2", "tanh", "tanh", "mean_squared_error", "half_shift"),
        ("example-3", "relu", "softmax", "categorical_crossentropy", "as_is"),
    ],
)
def test_each_example_has_the_articles_configuration(
    plan: Study, name: str, hidden: str, output: str, loss: str, readout: str
) -> None:
    arm = plan.arm(name)
    assert (*map(str, (*arm.hidden, arm.output, arm.loss)), arm.readout) == (hidden, output, loss, readout)
    assert (arm.low_target, arm.high_target, arm.depth, arm.width) == (0.0, 1.0, 1, 128)
    assert (str(arm.optimizer), arm.learning_rate, arm.batch_size) == ("adam", 0.001, 32)


def test_example_2_is_trained_like_example_1(plan: Study) -> None:
    assert plan.arm("example-2").training_spec() == plan.arm("example-1").training_spec()


@pytest.mark.parametrize(
    ("dataset", "epochs", "seeds"), [("mnist", 10, 11), ("fashion_mnist", 10, 5), ("digits", 40, 5)]
)
def test_the_examples_use_fresh_seeds(plan: Study, dataset: str, epochs: int, seeds: int) -> None:
    found = [(run.arm.name, run.seed, run.dataset, run.epochs) for run in plan.runs(dataset, ("examples",))]
    names = [name for name in ("example-1", "example-2", "example-3") if name in {arm for arm, *_ in found}]
    assert {"example-1", "example-3"} <= set(names)
    assert found == [(name, seed, dataset, epochs) for name in names for seed in range(300, 300 + seeds)]


def test_only_the_listed_arms_run_on_the_digits(plan: Study) -> None:
    assert {run.arm.name for run in plan.runs("digits")} == plan.datasets["digits"].arms
    assert {run.arm.block for run in plan.runs("mnist", only=("changes",))} == {"changes"}
    assert len(plan.runs("mnist", only=("changes",))) == 6 * 11


def test_a_list_makes_a_family_of_arms_with_their_values_in_their_names(plan: Study) -> None:
    family = [arm for arm in plan.arms if arm.name.startswith("sgd-example-1-")]
    assert [(arm.name, arm.learning_rate) for arm in family] == [
        ("sgd-example-1-0.1", 0.1),
        ("sgd-example-1-0.3", 0.3),
        ("sgd-example-1-1", 1.0),
    ]


def test_an_arm_takes_rate_and_schedule_from_the_candidate_with_the_best_mean_score(plan: Study) -> None:
    run = plan.runs("mnist", ("rates-chosen",))[0]
    scores = {"rate-example-1-0.003": 0.97, "rate-example-1-cosine": 0.98}
    chosen = plan.choose_settings(run, lambda other: scores.get(other.arm.name, 0.9) - 0.001 * other.seed)
    assert (chosen.arm.learning_rate, chosen.arm.schedule) == (0.001, "cosine")
    assert chosen.arm.name == "best-rate-example-1"
    assert plan.choose_settings(run, lambda other: None if other.seed else 0.9) is None


def test_frozen_features_come_from_the_same_seed_and_are_part_of_the_key(plan: Study) -> None:
    run = plan.runs("mnist", ("readouts",))[1]
    assert (run.features.arm.name, run.features.seed, run.seed) == ("example-1", 301, 301)
    assert plan.needs(run) == [run.features]
    assert keys.training_key(run, "x")["features"] == keys.training_key(run.features, "x")


def test_the_quick_study_keeps_part_of_every_block_that_depends_on_no_other(plan: Study) -> None:
    quick = plan.quick()
    found = {block.name: len(quick.runs("mnist", (block.name,))) for block in quick.blocks}
    assert (found["examples"], found["changes"]) == (3 * 2, 6 * 2)
    assert all(found[name] == 1 for name in ("outputs", "dose", "rates", "sgd", "depth", "long"))
    assert {run.epochs for run in quick.runs("mnist")} == {2}


def test_an_unknown_block_in_only_is_an_error_that_lists_the_blocks(plan: Study) -> None:
    with pytest.raises(UserError, match=r"'example' is no block of .*study\.toml\. Known: examples, changes, "):
        plan.runs("mnist", only=("changes", "example"))


def test_an_arm_without_a_title_is_titled_by_its_name(tmp_path: Path) -> None:
    title = 'title = "Example 1: tanh output, squared error"\n'
    assert title in TEXT
    path = tmp_path / "study.toml"
    path.write_text(TEXT.replace(title, ""), encoding="utf-8")
    assert studies.load(path).arm("example-1").title == "example-1"


def test_settings_cover_everything_but_name_block_and_title(plan: Study) -> None:
    arm = plan.arm("example-1")
    for field in fields(Arm):
        other = replace(arm, **{field.name: (Part("gelu"),) if field.name == "hidden" else "anything else"})
        assert (other.settings() != arm.settings()) == (field.name not in ("name", "block", "title")), field.name
    assert tuple(arm.settings()) == SETTINGS


def test_a_run_is_labelled_by_arm_seed_and_data(plan: Study) -> None:
    assert str(plan.runs("digits")[0]) == "example-1, seed 300, on digits"


# ---------------------------------------------------------------------------------------------- mistakes in it

EXAMPLE_1 = 'name = "example-1"'
MISTAKES = {
    # what is wrong: (text, in its place, the line it is reported on ("" = `in its place`), what is said)
    "unknown key": ("depth = 1 ", "depht = 1 ", "", "unknown key 'depht'. Known here: title, hidden,"),
    "unknown key of an arm": (
        'title = "Example 1 with hidden ReLU"\nhidden',
        'title = "Example 1 with hidden ReLU"\nhiden',
        "hiden",
        "unknown key 'hiden'. Known here: name, block, title, hidden,",
    ),
    "unknown key at the top": ("version = 1", "versions = 1", "", "unknown key 'versions'. Known here: version,"),
    "unknown table": ("[confirmatory]", "[confirmatori]", "", "unknown key 'confirmatori'. Known here: version,"),
    "unknown list of tables": ("[[contrasts]]", "[[contrast]]", "", "unknown key 'contrast'. Known here: version,"),
    "unknown data set": (
        "[datasets.digits]",
        "[datasets.digit]",
        "",
        "unknown key 'digit'. Known here: mnist, fashion_mnist, digits.",
    ),
    "unknown value": (
        'hidden = "tanh"',
        'hidden = "tanhh"',
        "",
        'defaults.hidden is "tanhh". Expected one of Keras\' activations, such as tanh, ',
    ),
    "unknown version": ("version = 1", "version = 2", "", "version is 2. Expected version = 1."),
    "unknown measure": ('"test_accuracy"', '"accuracy"', "", 'measure is "accuracy". Expected "test_accuracy".'),
    "text for a number": ("width = 128", 'width = "128"', "", 'defaults.width is "128". Expected 1 to 65536.'),
    "true for a number": ("depth = 1 ", "depth = true ", "", "defaults.depth is true. Expected 1 to 64."),
    "fraction for a whole number": ("batch_size = 32", "batch_size = 32.0", "", "defaults.batch_size is 32.0."),
    "text for true or false": (
        "early = true ",
        'early = "yes" ',
        "",
        'blocks.examples.early is "yes". Expected true or false.',
    ),
    "a pattern that matches nothing": (
        'chosen_from = "rate-example-1-*"',
        'chosen_from = "rates-example-1-*"',
        "",
        "arm 'best-rate-example-1'.chosen_from is \"rates-example-1-*\". Expected a pattern that the name of some arm "
        "matches.",
    ),
    "features of an arm without these seeds": (
        'features_of = "example-1"',
        'features_of = "long-example-1"',
        "",
        "Expected an arm with features of its own and all seeds of this block.",
    ),
    "a split larger than the data": ("holdout = 5000", "holdout = 50000", "", "at most half of the training images"),
    "a value in a family": (
        "low_target = [0.0, -1.0]",
        "low_target = [0.0, -11.0]",
        "",
        "arm 'low-11'.low_target is -11.0. Expected a number from -10 to 10.",
    ),
    "a key of a family": (
        "low_target = [0.0, -1.0]",
        'low_target = [0.0, -1.0]\nchosen_from = "none"',
        'chosen_from = "none"',
        "arm 'low{low_target}'.chosen_from is \"none\".",
    ),
    "a list whose value is not in the name": (
        'name = "low{low_target}"',
        'name = "low"',
        "low_target = [",
        "or several and a name with {low_target} in it",
    ),
    "number for a table": (
        "[blocks.examples]",
        "[blocks]\nother = 10\n[blocks.examples]",
        "other",
        "blocks.other is 10. Expected a table [blocks.other].",
    ),
    "negative epochs": ("epochs = 40", "epochs = -40", "", "datasets.digits.epochs is -40. Expected 1 to 100000."),
    "block without seeds": (
        "[blocks.examples]\n",
        '[blocks.empty]\nquestion = "Why?"\n\n[blocks.examples]\n',
        "[blocks.empty]",
        "blocks.empty.seeds is missing. Expected a list",
    ),
    "learning rate 0": ("rate = 0.001", "rate = 0", "", "learning_rate is 0.0. Expected above 0, at most 100."),
    "learning rate not a number": ("rate = 0.001", "rate = nan", "", "learning_rate is NaN. Expected above 0,"),
    "confidence in percent": ("confidence = 0.95", "confidence = 95", "", "confidence is 95.0. Expected 0.51 to 0.99"),
    "confidence too near to 1": (
        "confidence = 0.95",
        "confidence = 0.9999999999999999",
        "",
        "confidence is 0.9999999999999999. Expected 0.51 to 0.99, in steps of 0.01.",
    ),
    "margin in percent": ("margin = 0.0025", "margin = 25", "", "equivalence_margin is 25.0. Expected between 0"),
    "seed named twice": (SEEDS, SEEDS.replace("310", "309"), "", "Expected a list of different whole numbers"),
    "seed below 0": (SEEDS, SEEDS.replace("310", "-1"), "", "Expected a list of different whole numbers from 0"),
    "no seeds": (SEEDS, "seeds = []", "", "blocks.examples.seeds is []. Expected a list"),
    "arm name that is no file name": (
        'name = "example-2"',
        'name = "../2"',
        "",
        'arms 2.name is "../2". Expected small letters, digits, dots and hyphens.',
    ),
    "two arms of one name": (
        'name = "example-2"',
        'name = "example-1" # again',
        "",
        "Expected a name that no other arm has.",
    ),
    "two contrasts of one name": (
        'name = "recipe"',
        'name = "targets"',
        'name = "targets"\nquestion = "Does',
        "no other contrast has.",
    ),
    "unknown block": (
        'name = "relu"\nblock = "changes"',
        'name = "relu"\nblock = "change"',
        'block = "change"',
        "arm 'relu'.block is \"change\". Expected one of examples, changes,",
    ),
    "cross-entropy of tanh": (
        'output = "softmax"',
        'output = "tanh"',
        'loss = "categorical_crossentropy"',
        'arm \'example-3\'.loss is "categorical_crossentropy". Expected output = "softmax" with it, not "tanh".',
    ),
    "cross-entropy of other targets": (
        'output = "softmax"',
        'low_target = -1\noutput = "softmax"',
        "low_target",
        "arm 'example-3'.low_target is -1.0. Expected targets 0 and 1 with categorical_crossentropy.",
    ),
    "targets in the wrong order": (
        "low_target = -1.0",
        "low_target = 1.0",
        "",
        "arm 'targets'.low_target is 1.0. Expected less than high_target, 1.0.",
    ),
    "contrast of a missing arm": (
        'first = "one-sided"',
        'first = "two-sided"',
        "",
        'contrasts 6.first is "two-sided". Expected one of example-1, example-2,',
    ),
    "contrast without its question": (
        '[[contrasts]]\nname = "recipe"\nquestion = "Is Example 3 better than Example 1?"',
        '[[contrasts]]\nname = "recipe"',
        "",
        "contrasts 1.question is missing. Expected a sentence.",
    ),
    "contrast without seeds in common": (
        'what do they score?"\nseeds = [300, 301, 302, 303, 304]',
        'what do they score?"\nseeds = [400, 401]',
        'second = "sigmoid-undershoots"',
        "contrasts 14.second is \"sigmoid-undershoots\". Expected two or more seeds in common with 'tanh-sigmoid-mse'",
    ),
    "a contrast of held-out images": (
        'name = "targets"\nblock = "changes"\n',
        'name = "targets"\nblock = "changes"\nholdout = 100\n',
        'first = "targets"',
        'contrasts 2.first is "targets". Expected an arm that is measured on the test images: without holdout.',
    ),
    "not TOML": ("epochs = 10", "epochs = ten", "", "not valid TOML: "),
    "a key named twice": ("width = 128", "width = 128\nwidth = 64", "width = 64", "not valid TOML: "),
}


@pytest.mark.parametrize(("old", "new", "wrong", "said"), MISTAKES.values(), ids=MISTAKES)
def test_a_mistake_is_one_line_with_its_place_the_expectation_and_a_fix(
    tmp_path: Path, old: str, new: str, wrong: str, said: str
) -> None:
    assert old in TEXT
    text = TEXT.replace(old, new, 1)
    path = tmp_path / "study.toml"
    path.write_text(text, encoding="utf-8")
    message = complaint(path)
    assert f"study.toml:{line_of(text, wrong or new, TEXT.index(old))}: " in message
    assert said in message
    assert message.endswith(("Fix this line.", "Fix the name or remove the line.", "Fix the syntax."))
    assert "\n" not in message


@pytest.mark.parametrize("table", ["defaults", "datasets", "blocks", "confirmatory"])
def test_a_missing_table_is_named(tmp_path: Path, table: str) -> None:
    paragraphs = TEXT.split("\n\n")
    kept = [p for p in paragraphs if f"[{table}]" not in p and f"[{table}." not in p]
    assert len(kept) < len(paragraphs)
    path = tmp_path / "study.toml"
    path.write_text("\n\n".join(kept), encoding="utf-8")
    message = complaint(path)
    assert message.endswith(f"study.toml:1: {table} is missing. Expected a table [{table}]. Fix this line.")


def test_a_missing_data_set_is_named(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text("\n\n".join(p for p in TEXT.split("\n\n") if "[datasets.mnist]" not in p), encoding="utf-8")
    assert complaint(path).endswith("datasets.mnist is missing. Expected a table [datasets.mnist]. Fix this line.")


LEAST = """
version = 1
[defaults]
hidden = "tanh"
output = "softmax"
loss = "categorical_crossentropy"
depth = 1
width = 64
optimizer = "adam"
learning_rate = 0.001
batch_size = 32
[datasets.mnist]
epochs = 2
[blocks.width]
question = "Does width matter?"
seeds = [0, 1]
[[arms]]
name = "wide"
block = "width"
[[arms]]
name = "narrow"
block = "width"
width = 2
"""
CONTRAST = '[[contrasts]]\nname = "wider"\nquestion = "Is it?"\nfirst = "wide"\nsecond = "narrow"\n'


def least(folder: Path, more: str = "") -> Path:
    path = folder / "study.toml"
    path.write_text(LEAST + more, encoding="utf-8")
    return path


def test_a_study_need_not_say_what_it_does_not_use(tmp_path: Path) -> None:
    study = studies.load(least(tmp_path))
    wide = study.arm("wide")
    assert (wide.readout, wide.low_target, wide.high_target) == ("as_is", 0.0, 1.0)
    assert (study.declared, study.declared_commit, study.confidence) == ("", "", 0.95)
    assert (study.runs("digits"), study.replications) == ([], ())
    assert len(study.runs("mnist")) == 4


def test_contrasts_need_the_day_on_which_they_were_declared_and_nothing_else(tmp_path: Path) -> None:
    assert "confirmatory is missing. Expected a table [confirmatory]." in complaint(least(tmp_path, CONTRAST))
    message = complaint(least(tmp_path, f"{CONTRAST}[confirmatory]\nconfidence = 0.9\n"))
    assert "confirmatory.declared is missing. Expected a day before the first run of its contrasts" in message
    study = studies.load(least(tmp_path, f"{CONTRAST}[confirmatory]\ndeclared = 2026-01-15\n"))
    assert (study.declared, study.confidence, len(study.contrasts)) == ("2026-01-15", 0.95, 1)


def test_a_study_without_arms_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    kept = [p for p in TEXT.split("\n\n") if "[[arms]]" not in p and "[[contrasts]]" not in p]
    path.write_text("\n\n".join(kept), encoding="utf-8")
    assert "arms" in complaint(path)


def test_truncated_toml_is_reported_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "study.toml"
    path.write_text('version = 1\n\n[defaults]\nhidden = [\n"tanh",', encoding="utf-8")
    assert "study.toml:5: not valid TOML: " in complaint(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), ("folder", "Is a directory"), (b"\xff\xfe", "it is not UTF-8 text")],
    ids=["missing", "a folder", "not UTF-8"],
)
def test_an_unreadable_study_is_one_line_with_the_reason(
    tmp_path: Path, content: bytes | str | None, reason: str
) -> None:
    path = tmp_path / "study.toml"
    if content == "folder":
        path.mkdir()
    elif isinstance(content, bytes):
        path.write_bytes(content)
    message = complaint(path)
    assert f"study.toml: cannot be read: {reason}" in message
    assert "Expected the study as TOML" in message
    assert "\n" not in message


# ---------------------------------------------------------------------------------------------- fingerprints


def test_a_digest_is_the_sha256_of_canonical_json() -> None:
    expected = hashlib.sha256(b'{"a":[1,2.5,null],"b":"\\u2212"}').hexdigest()
    assert keys.digest({"b": "−", "a": [1, 2.5, None]}) == expected
    assert keys.digest({"a": [1, 2.5, None], "b": "−"}) == expected


def test_nan_has_no_digest() -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        keys.digest({"loss": float("nan")})


CODE = '"""Doc."""\n\n\ndef f(x):\n    """Doc."""\n    return x + 1\n'


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("    return", "    # why\n    return"),
        ("x + 1", "x + 1  # why"),
        ('"""Doc."""\n\n\n', '"""Other.\n\nLonger."""\n\n\n'),
        ('    """Doc."""\n', '    """Other."""\n'),
        ('    """Doc."""\n', ""),
        ('"""Doc."""\n\n\n', ""),
        ("\n\n\n", "\n\n\n\n\n"),
        ("x + 1", "(x +\n        1)"),
    ],
    ids=[
        "a comment",
        "a comment at the end",
        "the module's docstring",
        "a function's docstring",
        "no docstring in the function",
        "no docstring in the module",
        "blank lines",
        "a broken line",
    ],
)
def test_comments_docstrings_and_layout_do_not_change_the_code_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    assert old in CODE
    (tmp_path / "before.py").write_text(CODE)
    (tmp_path / "after.py").write_text(CODE.replace(old, new, 1))
    assert keys.code_fingerprint(tmp_path / "before.py") == keys.code_fingerprint(tmp_path / "after.py")


@pytest.mark.parametrize(("old", "new"), [("x + 1", "x + 2"), ("x + 1", "x - 1"), ("return ", "")])
def test_a_change_of_behaviour_changes_the_code_fingerprint(tmp_path: Path, old: str, new: str) -> None:
    assert old in CODE
    (tmp_path / "before.py").write_text(CODE)
    (tmp_path / "after.py").write_text(CODE.replace(old, new))
    assert keys.code_fingerprint(tmp_path / "before.py") != keys.code_fingerprint(tmp_path / "after.py")


@pytest.mark.parametrize("field", ["name", "block", "title", "readout"])
def test_how_an_arm_is_reported_does_not_change_its_training_key(plan: Study, field: str) -> None:
    run = plan.runs("digits")[0]
    other = replace(run, arm=replace(run.arm, **{field: "other"}))
    assert keys.training_key(other, "data") == keys.training_key(run, "data")


@pytest.mark.parametrize(
    "change",
    [
        {"hidden": (Part("relu"),)},
        {"output": Part("linear")},
        {"loss": Part("one_sided_mean_squared_error")},
        {"low_target": -1.0},
        {"high_target": 0.5},
        {"hidden": (Part("tanh"), Part("tanh"))},
        {"width": 64},
        {"optimizer": Part("sgd")},
        {"optimizer": Part("adam", (("beta_1", 0.8),))},
        {"initializer": Part("he_normal")},
        {"dropout": 0.5},
        {"l2": 0.001},
        {"learning_rate": 0.01},
        {"batch_size": 16},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changing_an_arms_training_changes_its_training_key(plan: Study, change: dict) -> None:
    run = plan.runs("digits")[0]
    other = replace(run, arm=replace(run.arm, **change))
    assert keys.digest(keys.training_key(other, "data")) != keys.digest(keys.training_key(run, "data"))


@pytest.mark.parametrize("change", [{"seed": 101}, {"epochs": 41}, {"dataset": "mnist"}], ids=str)
def test_changing_a_runs_seed_epochs_or_data_set_changes_its_training_key(plan: Study, change: dict) -> None:
    run = plan.runs("digits")[0]
    assert keys.training_key(replace(run, **change), "data") != keys.training_key(run, "data")


def test_different_data_change_the_training_key(plan: Study) -> None:
    run = plan.runs("digits")[0]
    assert keys.training_key(run, "data") != keys.training_key(run, "other data")


def test_another_version_of_a_library_changes_the_training_key(plan: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    run = plan.runs("digits")[0]
    before = keys.training_key(run, "data")
    monkeypatch.setattr(keys, "versions", lambda *packages: {**before["versions"], "keras": "0.1"})
    assert keys.training_key(run, "data") != before


def test_the_measures_key_depends_on_the_readout_but_not_on_the_seed(plan: Study) -> None:
    first, second = plan.runs("digits")[:2]
    assert keys.measures_key(first) == keys.measures_key(second)
    assert keys.measures_key(replace(first, arm=plan.arm("example-2"))) != keys.measures_key(first)


SMALL = replace(datasets.MNIST, name="small", train_images=9_999)


def test_an_arm_that_holds_out_more_than_half_of_the_images_fits_no_data_set_of_the_study(plan: Study) -> None:
    arms = tuple(replace(arm, holdout=30_001) for arm in plan.arms)
    with pytest.raises(
        UserError, match=r"study\.toml: arm '\S+' holds out 30001 of the 60000 training images of mnist\."
    ):
        replace(plan, arms=arms).check(datasets.MNIST)
    plan.check(datasets.MNIST)
    plan.check(datasets.DIGITS)


def test_a_small_data_set_runs_without_the_arms_that_hold_out_more_than_half_and_what_depends_on_them(
    plan: Study,
) -> None:
    about = plan.about(SMALL)
    about.check(SMALL)
    left_out = {run.arm.name for run in plan.runs("mnist")} - {run.arm.name for run in about.runs("small")}
    holding_out = {arm.name for arm in plan.arms if arm.holdout}
    choosing = {arm.name for arm in plan.arms if arm.chosen_from}
    assert holding_out
    assert choosing
    assert left_out == holding_out | choosing
    assert (about.arms, about.contrasts) == (plan.arms, plan.contrasts)
    assert plan.about(replace(SMALL, train_images=10_000)).runs("small") == plan.runs("small")


def test_an_arm_is_left_out_with_whatever_it_builds_on_however_far_away(plan: Study) -> None:
    first, second, third, fourth, *_ = plan.arms
    arms = (
        replace(first, name="reads", features_of="chosen"),
        replace(second, name="chosen", chosen_from="rate-*"),
        replace(third, name="rate-1", holdout=5_000),
        replace(fourth, name="alone", holdout=4_000),
    )
    holding_out, dependent = replace(plan, arms=arms).left_out(SMALL)
    assert ([arm.name for arm in holding_out], [arm.name for arm in dependent]) == (["rate-1"], ["reads", "chosen"])


@pytest.mark.parametrize(("holdout", "message"), [(0, "32 images and trains on"), (4, "32 images and trains on 31 of")])
def test_a_batch_larger_than_the_training_set_is_reported_before_training(
    plan: Study, holdout: int, message: str
) -> None:
    arms = tuple(replace(arm, holdout=holdout, batch_size=32) for arm in plan.arms)
    enough = replace(datasets.MNIST, name="small", train_images=32 + holdout)
    replace(plan, arms=arms).check(enough)
    with pytest.raises(
        UserError, match=rf"study\.toml: arm '\S+' has batches of {message} .* training images of small\."
    ):
        replace(plan, arms=arms).check(replace(enough, train_images=31 + holdout))


def test_a_batch_larger_than_the_digits_matters_only_in_blocks_that_run_on_them(plan: Study) -> None:
    arm = plan.arm("example-1")
    large = replace(plan, arms=(replace(arm, batch_size=datasets.DIGITS.train_images + 1),))
    large.check(datasets.MNIST)
    with pytest.raises(UserError, match="1440 training images of digits"):
        large.check(datasets.DIGITS)
    without = {**plan.datasets, "digits": replace(plan.datasets["digits"], arms=frozenset())}
    replace(large, datasets=without).check(datasets.DIGITS)


def test_another_data_set_runs_all_blocks_with_mnists_epochs(plan: Study) -> None:
    there, here = plan.runs("mnist"), plan.runs("fashion")
    assert [(run.arm, run.seed, run.epochs) for run in here] == [(run.arm, run.seed, run.epochs) for run in there]


@pytest.mark.parametrize("shape", list(bench_scale.SHAPES))
def test_the_studies_that_the_benchmark_makes_up_can_be_read(shape: str, tmp_path: Path) -> None:
    _, make, _ = bench_scale.SHAPES[shape]
    path = tmp_path / "study.toml"
    path.write_text(make(100))
    assert len(studies.load(path).runs("mnist")) >= 100
