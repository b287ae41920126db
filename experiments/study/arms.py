"""The arms of study.toml → Arm, validated: each field by itself, an arm's parts together, and arms with each other."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import MISSING, fields, replace
from fnmatch import fnmatch

from experiments.data.datasets import MNIST
from experiments.files.toml import Expected, TomlTable, one_of
from experiments.study.model import MAX_RUNS, Arm, Block, Part
from experiments.study.parts import KINDS, NEED_ZERO_AND_ONE, OUTPUTS, describe, read_part

MAX_ARMS, MAX_DEPTH = 1000, 64

NAME = Expected(
    str,
    "small letters, digits, dots and hyphens",
    lambda value: re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", value),
)
_DEPTH = Expected(int, f"1 to {MAX_DEPTH}", lambda value: 1 <= value <= MAX_DEPTH)
_TARGET = Expected(float, "a number from -10 to 10", lambda value: -10 <= value <= 10)
ARM_FIELDS = {
    "title": Expected(
        str, "a line of text without $, which drawings take for a formula", lambda value: value and "$" not in value
    ),
    "low_target": _TARGET,
    "high_target": _TARGET,
    "width": Expected(int, "1 to 65536", lambda value: 1 <= value <= 65536),
    "learning_rate": Expected(float, "above 0, at most 100", lambda value: 0 < value <= 100),
    "batch_size": Expected(int, "1 to 60000", lambda value: 1 <= value <= 60000),
    "readout": one_of(("as_is", "half_shift")),
    "schedule": one_of(("constant", "cosine")),
    "dropout": Expected(float, "0 or more, below 1", lambda value: 0 <= value < 1),
    "l2": Expected(float, "0 to 100", lambda value: 0 <= value <= 100),
    "output_kernel_scale": Expected(float, "above 0, at most 1000", lambda value: 0 < value <= 1000),
    "holdout": Expected(
        int,
        f"0 to {MNIST.train_images // 2}",
        lambda value: value >= 0,
    ),
    "features_of": Expected(str, "the name of an arm", bool),
    "chosen_from": Expected(str, "a pattern of arms' names, such as rate-*", bool),
}
ARM_KEYS = tuple(dict.fromkeys(("title", *KINDS, "depth", *ARM_FIELDS)))

_DEFAULTS = {field.name: field.default for field in fields(Arm) if field.default is not MISSING}


def load_arms(study: TomlTable, blocks: Sequence[Block]) -> tuple[Arm, ...]:
    """The arms of all families. Raises `UserError` with the line of the first mistake."""
    defaults = study.table("defaults")
    defaults.reject_unknown(ARM_KEYS)
    if not study.values.get("arms"):
        raise study.error("arms", None, "at least one table headed [[arms]]")
    families = [_named(family) for family in study.list_of_tables("arms")]
    arms: dict[str, Arm] = {}
    for family in families:
        family.reject_unknown(("name", "block", *ARM_KEYS))
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


def _named(table: TomlTable) -> TomlTable:
    """The table of an arm, or of a family, called by its name in messages, if that can be one."""
    name = table.values.get("name")
    is_name = isinstance(name, str) and NAME.is_valid(re.sub(r"\{\w+\}", "0", name))
    return replace(table, label=f"arm '{name}'") if is_name else table


def _expand(family: TomlTable) -> Iterator[TomlTable]:
    """A table with lists for values stands for every combination of them; its name tells them apart: `sgd-{depth}`.

    Where the name lacks `{hidden}`, a list of activations is a single value: one for each hidden layer.
    """
    name = str(family.values.get("name"))
    lists = {key: values for key, values in family.values.items() if isinstance(values, list)}
    if "{hidden}" not in name:
        lists.pop("hidden", None)
    for key, several in lists.items():
        if not several or f"{{{key}}}" not in name:
            raise family.error(key, several, f"one value, or several and a name with {{{key}}} in it")
    for combination in itertools.product(*lists.values()):
        values = {**family.values, **dict(zip(lists, combination, strict=True))}
        for key in lists:
            for label in ("name", "title"):
                if isinstance(values.get(label), str):
                    values[label] = values[label].replace(f"{{{key}}}", describe(values[key]))
        yield _named(replace(family, values=values))


def _arm(table: TomlTable, defaults: TomlTable, blocks: Sequence[Block]) -> Arm:
    name = table.get_valid("name", NAME)
    block = table.get_valid("block", one_of(block.name for block in blocks))
    values = {"title": name, **_DEFAULTS}
    for key, expected in ARM_FIELDS.items():
        source = table if key in table.values else defaults
        if key in source.values or key not in values:
            values[key] = source.get_valid(key, expected)
    for key, kind in KINDS.items():
        source = table if key in table.values else defaults
        if key != "hidden" and (key in source.values or key not in values):
            values[key] = read_part(source, key, kind, source.values.get(key))
    arm = Arm(name=name, block=block, hidden=_hidden(table, defaults), **values)
    _check_composition(arm, table)
    return arm


def _hidden(table: TomlTable, defaults: TomlTable) -> tuple[Part, ...]:
    """The activation of each hidden layer: a single one, as often as the network is deep, or a list as long."""
    source = table if "hidden" in table.values else defaults
    value = source.values.get("hidden")
    if not isinstance(value, list):
        depth: int = (table if "depth" in table.values else defaults).get_valid("depth", _DEPTH)
        return (read_part(source, "hidden", KINDS["hidden"], value),) * depth
    if not 1 <= len(value) <= MAX_DEPTH:
        raise source.error("hidden", value, f"1 to {MAX_DEPTH} activations, one for each hidden layer")
    counted = table if "depth" in table.values else source
    if counted.values.get("depth", len(value)) != len(value):
        raise counted.error(
            "depth", counted.values["depth"], f"{len(value)}, as many as hidden has activations, or no depth"
        )
    return tuple(read_part(source, "hidden", KINDS["hidden"], layer) for layer in value)


def _check_composition(arm: Arm, table: TomlTable) -> None:
    """Refuses arms whose parts make no sense together."""
    outputs = OUTPUTS.get(arm.loss.name, (arm.output.name,))
    if arm.output.name not in outputs:
        fitting = " or ".join(f'"{name}"' for name in outputs)
        raise table.error("loss", str(arm.loss), f'output = {fitting} with it, not "{arm.output}"')
    if arm.loss.name in NEED_ZERO_AND_ONE and (arm.low_target, arm.high_target) != (0.0, 1.0):
        key = "low_target" if "low_target" in table.values else "high_target"
        raise table.error(key, getattr(arm, key), f"targets 0 and 1 with {arm.loss.name}")
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
