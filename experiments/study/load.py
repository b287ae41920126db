"""study.toml → Study, validated: a wrong key or value is one `UserError` that names the file and the line."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from datetime import date
from fnmatch import fnmatch
from pathlib import Path

from experiments.data.datasets import DIGITS, FASHION_MNIST, MNIST, DatasetSpec
from experiments.files.toml import TEXTS, Expected, TomlReader, TomlTable, one_of
from experiments.study.arms import NAME, load_arms
from experiments.study.model import Arm, Block, Contrast, DatasetRuns, Study

STUDY = Path(__file__).parents[1] / "study.toml"
MAX_EPOCHS, MAX_SEED = 100_000, 2**31


def _are_seeds(values: list[object]) -> bool:
    whole = all(type(seed) is int and 0 <= seed <= MAX_SEED for seed in values)
    return bool(values) and whole and len(set(values)) == len(values)


_EPOCHS = Expected(int, f"1 to {MAX_EPOCHS}", lambda epochs: 1 <= epochs <= MAX_EPOCHS)
_FIRST_SEEDS = Expected(int, f"how many of each block's seeds: 1 to {MAX_SEED}", lambda seeds: 1 <= seeds <= MAX_SEED)
_SEEDS = Expected(list, "a list of different whole numbers from 0 to 2**31", _are_seeds)
_QUESTION = Expected(str, "a sentence", bool)
_FLAG = Expected(bool, "true or false")
_MEASURE = Expected(str, '"test_accuracy"', lambda measure: measure == "test_accuracy")
_DECLARED = Expected(date, "a day before the first run of its contrasts, such as 2026-11-23")
_COMMIT = Expected(str, "a git commit, 40 digits of 0-9a-f", lambda commit: re.fullmatch("[0-9a-f]{40}", commit))
_CONFIDENCE = Expected(  # a whole percentage, as the page writes it; far beyond, detectable_difference never ends
    float,
    "0.51 to 0.99, in steps of 0.01",
    lambda confidence: 0.5 < confidence < 1 and confidence == round(confidence, 2),
)


def load(path: Path = STUDY) -> Study:
    """Reads and validates study.toml. Raises `UserError` with file and line."""
    study = TomlReader(path, "Expected the study as TOML.").root
    study.reject_unknown(("version", "defaults", "datasets", "blocks", "arms", "confirmatory", "contrasts"))
    study.get_valid("version", Expected(int, "version = 1", lambda version: version == 1))
    blocks = tuple(_block(name, table) for name, table in study.tables("blocks").items())
    arms = load_arms(study, blocks)
    contrasts = _contrasts(study, arms, blocks)
    confirmatory = study.table("confirmatory", required=bool(contrasts))
    confirmatory.reject_unknown(("declared", "commit", "measure", "confidence"))
    confirmatory.get_valid("measure", _MEASURE, default="test_accuracy")
    is_declared = contrasts or "declared" in confirmatory.values
    return Study(
        path=path,
        datasets=_datasets(study.table("datasets"), arms, blocks),
        blocks=blocks,
        arms=arms,
        contrasts=contrasts,
        declared=confirmatory.get_valid("declared", _DECLARED).isoformat() if is_declared else "",
        declared_commit=confirmatory.get_valid("commit", _COMMIT, default=""),
        confidence=confirmatory.get_valid("confidence", _CONFIDENCE, default=0.95),
    )


def _datasets(datasets: TomlTable, arms: Sequence[Arm], blocks: Sequence[Block]) -> dict[str, DatasetRuns]:
    """Which runs each data set has: MNIST all of them, the others those of the arms that they list.

    Where the file leaves the digits out, they have none: a data set that is missing here would have MNIST's.
    """
    datasets.reject_unknown((MNIST.name, FASHION_MNIST.name, DIGITS.name))
    mnist = datasets.table(MNIST.name)
    mnist.reject_unknown(("epochs",))
    epochs = mnist.get_valid("epochs", _EPOCHS)
    runs = {MNIST.name: DatasetRuns(epochs)}
    for spec in (FASHION_MNIST, DIGITS):
        table = datasets.table(spec.name, required=False)
        table.reject_unknown(field.name for field in fields(DatasetRuns))
        if table.values:
            runs[spec.name] = _dataset_runs(table, arms)
            _check_dataset(table, runs[spec.name], spec, arms, {block.name: block.seeds for block in blocks})
        elif spec == DIGITS:
            runs[spec.name] = DatasetRuns(epochs, frozenset())
    return runs


def _dataset_runs(table: TomlTable, arms: Sequence[Arm]) -> DatasetRuns:
    patterns = table.get_valid("arms", TEXTS, default=[])
    for pattern in patterns:
        if not any(fnmatch(arm.name, pattern) for arm in arms):
            raise table.error("arms", pattern, "names of arms, or patterns of them such as rate-*")
    return DatasetRuns(
        table.get_valid("epochs", _EPOCHS),
        frozenset(arm.name for arm in arms if any(fnmatch(arm.name, pattern) for pattern in patterns)),
        table.get_valid("seeds", _FIRST_SEEDS, default=None),
    )


def _check_dataset(
    table: TomlTable, runs: DatasetRuns, spec: DatasetSpec, arms: Sequence[Arm], seeds: Mapping[str, tuple[int, ...]]
) -> None:
    """Refuses arms that take something from runs which the data set does not have, or hold out too many images."""
    by_name, patterns = {arm.name: arm for arm in arms}, table.values.get("arms")
    for arm in filter(runs.has, arms):
        base = by_name.get(arm.features_of)
        candidates = [a for a in arms if fnmatch(a.name, arm.chosen_from) and not a.chosen_from]
        for needed in [*candidates, *([base] if base else [])]:
            if not runs.has(needed):
                raise table.error("arms", patterns, f"'{needed.name}' too, from which '{arm.name}' takes something")
        if base and not set(seeds[arm.block][: runs.seeds]) <= set(seeds[base.block][: runs.seeds]):
            raise table.error("seeds", runs.seeds, f"so many that '{base.name}' has all seeds of '{arm.name}'")
        if arm.holdout > spec.train_images // 2:
            raise table.error(
                "arms", patterns, f"no arm that holds out more than half of the training images: '{arm.name}'"
            )


def _block(name: str, table: TomlTable) -> Block:
    table.reject_unknown(field.name for field in fields(Block) if field.name != "name")
    return Block(
        name,
        seeds=tuple(table.get_valid("seeds", _SEEDS)),
        question=table.get_valid("question", _QUESTION),
        epochs=table.get_valid("epochs", _EPOCHS, default=None),
        early=table.get_valid("early", _FLAG, default=False),
    )


def _contrasts(study: TomlTable, arms: Sequence[Arm], blocks: Sequence[Block]) -> tuple[Contrast, ...]:
    by_name = {arm.name: arm for arm in arms}
    seeds = {block.name: block.seeds for block in blocks}
    contrasts: dict[str, Contrast] = {}
    for table in study.list_of_tables("contrasts"):
        contrast = _contrast(table, by_name, seeds)
        if contrast.name in contrasts:
            raise table.error("name", contrast.name, "a name that no other contrast has")
        contrasts[contrast.name] = contrast
    return tuple(contrasts.values())


_MARGIN = Expected(float, "between 0 and 1", lambda margin: 0 < margin < 1)


def _contrast(table: TomlTable, arms: Mapping[str, Arm], seeds: Mapping[str, tuple[int, ...]]) -> Contrast:
    table.reject_unknown(field.name for field in fields(Contrast))
    name = table.get_valid("name", NAME)
    first, second = (table.get_valid(end, one_of(arms)) for end in ("first", "second"))
    if first == second:
        raise table.error("second", second, "another arm than the first")
    if len(set(seeds[arms[first].block]) & set(seeds[arms[second].block])) < 2:
        raise table.error("second", second, f"two or more seeds in common with '{first}' to pair by")
    for end, arm in (("first", first), ("second", second)):
        if arms[arm].holdout:
            raise table.error(end, arm, "an arm that is measured on the test images: without holdout")
    question = table.get_valid("question", _QUESTION)
    confirmatory = table.get_valid("confirmatory", _FLAG, default=True)
    if not confirmatory and "equivalence_margin" in table.values:
        margin = table.values["equivalence_margin"]
        raise table.error(
            "equivalence_margin", margin, "none: equivalence is tested, which needs a confirmatory contrast"
        )
    margin = table.get_valid("equivalence_margin", _MARGIN, default=None)
    return Contrast(name, question, first, second, margin, confirmatory)
