"""The arms of study.toml → Arm, validated: each field by itself, an arm's parts together, and arms with each other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, replace
from fnmatch import fnmatch

from experiments.data.datasets import MNIST
from experiments.files.toml import Expected, TomlTable, one_of
from experiments.study.model import MAX_RUNS, Arm, Block

MAX_ARMS = 1000

NAME = Expected(
    str,
    "small letters, digits, dots and hyphens",
    lambda value: re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", value),
)
HIDDEN = ("tanh", "relu", "sigmoid")
OUTPUT = ("tanh", "linear", "sigmoid", "softmax")
LOSS = ("mean_squared_error", "one_sided_mean_squared_error", "categorical_crossentropy", "binary_crossentropy")
_TARGET = Expected(float, "a number from -10 to 10", lambda value: -10 <= value <= 10)
ARM_FIELDS = {
    "title": Expected(
        str, "a line of text without $, which drawings take for a formula", lambda value: value and "$" not in value
    ),
    "hidden": one_of(HIDDEN),
    "output": one_of(OUTPUT),
    "loss": one_of(LOSS),
    "low_target": _TARGET,
    "high_target": _TARGET,
    "depth": Expected(int, "1 to 64", lambda value: 1 <= value <= 64),
    "width": Expected(int, "1 to 65536", lambda value: 1 <= value <= 65536),
    "optimizer": one_of(("adam", "sgd")),
    "learning_rate": Expected(float, "above 0, at most 100", lambda value: 0 < value <= 100),
    "batch_size": Expected(int, "1 to 60000", lambda value: 1 <= value <= 60000),
    "readout": one_of(("as_is", "half_shift")),
    "schedule": one_of(("constant", "cosine")),
    "output_kernel_scale": Expected(float, "above 0, at most 1000", lambda value: 0 < value <= 1000),
    "holdout": Expected(
        int,
        f"0 to {MNIST.train_images // 2}",
        lambda value: value >= 0,
    ),
    "features_of": Expected(str, "the name of an arm", bool),
    "chosen_from": Expected(str, "a pattern of arms' names, such as rate-*", bool),
}

_DEFAULTS = {field.name: field.default for field in fields(Arm) if field.default is not MISSING}


def load_arms(study: TomlTable, blocks: Sequence[Block]) -> tuple[Arm, ...]:
    """The arms of all families. Raises `UserError` with the line of the first mistake."""
    defaults = study.table("defaults")
    defaults.reject_unknown(ARM_FIELDS)
    if not study.values.get("arms"):
        raise study.error("arms", None, "at least one table headed [[arms]]")
    families = study.list_of_tables("arms")
    arms: dict[str, Arm] = {}
    for family in families:
        family.reject_unknown(("name", "block", *ARM_FIELDS))
        for table in _expand(family):
            arm = _arm(table, defaults, blocks)
            if arm.name in arms:
                raise table.error("name", arm.name, "a name that no other arm has")
            if len(arms) == MAX_ARMS:
                raise table.error("name", arm.name, f"at most {MAX_ARMS} arms")
            arms[arm.name] = arm
    seeds = {block.name: len(block.seeds) for block in blocks}
    runs = sum(seeds[arm.block] for arm in arms.values())
    if runs > MAX_RUNS:
        raise study.error("blocks", f"{runs} runs", f"at most {MAX_RUNS}: fewer seeds, or fewer arms")
    for family in families:
        _check_references(family, tuple(arms.values()), blocks)
    return tuple(arms.values())


def _expand(family: TomlTable) -> Iterator[TomlTable]:
    """A table with lists for values stands for every combination of them; its name tells them apart: `sgd-{depth}`."""
    lists = {key: values for key, values in family.values.items() if isinstance(values, list)}
    for key, several in lists.items():
        if not several or f"{{{key}}}" not in str(family.values.get("name")):
            raise family.error(key, several, f"one value, or several and a name with {{{key}}} in it")
    for combination in itertools.product(*lists.values()):
        values = {**family.values, **dict(zip(lists, combination, strict=True))}
        for key in lists:
            text = f"{values[key]:g}" if type(values[key]) is float else str(values[key])
            for label in ("name", "title"):
                if isinstance(values.get(label), str):
                    values[label] = values[label].replace(f"{{{key}}}", text)
        yield replace(family, values=values)


def _arm(table: TomlTable, defaults: TomlTable, blocks: Sequence[Block]) -> Arm:
    name = table.get_valid("name", NAME)
    block = table.get_valid("block", one_of(block.name for block in blocks))
    values = {"title": name, **_DEFAULTS}
    for key, expected in ARM_FIELDS.items():
        source = table if key in table.values else defaults
        if key in source.values or key not in values:
            values[key] = source.get_valid(key, expected)
    arm = Arm(name=name, block=block, **values)
    _check_composition(arm, table)
    return arm


def _check_composition(arm: Arm, table: TomlTable) -> None:
    """Refuses arms whose parts make no sense together."""
    output = {"categorical_crossentropy": "softmax", "binary_crossentropy": "sigmoid"}.get(arm.loss)
    if output and arm.output != output:
        raise table.error("loss", arm.loss, f'output = "{output}" with it, not "{arm.output}"')
    if output and (arm.low_target, arm.high_target) != (0.0, 1.0):
        key = "low_target" if "low_target" in table.values else "high_target"
        raise table.error(key, getattr(arm, key), f"targets 0 and 1 with {arm.loss}")
    if arm.low_target >= arm.high_target:
        raise table.error("low_target", arm.low_target, f"less than high_target, {arm.high_target}")


def _check_references(family: TomlTable, arms: Sequence[Arm], blocks: Sequence[Block]) -> None:
    """Refuses arms that build on arms that are not there, or do not fit, and that hold out too many images."""
    values = family.values
    block = next(block for block in blocks if block.name == values["block"])
    pattern = values.get("chosen_from")
    if pattern and not any(fnmatch(arm.name, pattern) and not arm.chosen_from for arm in arms):
        raise family.error("chosen_from", pattern, "a pattern that the name of some arm matches")
    if name := values.get("features_of"):
        base = next((arm for arm in arms if arm.name == name and not arm.features_of), None)
        seeds = next((other.seeds for other in blocks if base and other.name == base.block), ())
        if base is None or not set(block.seeds) <= set(seeds):
            raise family.error("features_of", name, "an arm with features of its own and all seeds of this block")
    if values.get("holdout", 0) > MNIST.train_images // 2:
        raise family.error("holdout", values["holdout"], "at most half of the training images")
