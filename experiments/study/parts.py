"""A Keras object as study.toml names it, `"relu"` or `{ name = "sgd", momentum = 0.9 }` → Part, validated.

What Keras knows is in keras_names.json, so that no TensorFlow is needed; experiments/training/keras_names.py writes it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from experiments.files.errors import nearest
from experiments.files.toml import Expected, TomlTable
from experiments.study.model import Part, PartValue

NAMES = Path(__file__).with_name("keras_names.json")
KINDS = {  # the keys of an arm that name a Keras object, and what they name
    "hidden": "activations",
    "output": "activations",
    "loss": "losses",
    "optimizer": "optimizers",
    "initializer": "initializers",
}
OUR_LOSSES: Mapping[str, Mapping[str, float]] = {  # arguments with their defaults; training/trainer.py defines them
    "one_sided_mean_squared_error": {},
    "weighted_mean_squared_error": {"undershoot": 1.0, "overshoot": 1.0, "wrong": 1.0},
}
SQUARED_ERRORS = ("mean_squared_error", *OUR_LOSSES)
MAX_WEIGHT = 100
_NOT_NEGATIVE = ("exponential", "hard_sigmoid", "relu", "relu6", "sigmoid", "softmax", "softplus", "squareplus")
OUTPUTS = {  # what a loss can be computed from
    "categorical_crossentropy": ("softmax",),
    "categorical_focal_crossentropy": ("softmax",),
    "kl_divergence": ("softmax",),
    "binary_crossentropy": ("sigmoid",),
    "binary_focal_crossentropy": ("sigmoid",),
    "poisson": _NOT_NEGATIVE,
}
NEED_ZERO_AND_ONE = (*OUTPUTS, "categorical_hinge")  # as targets

_NUMBER = Expected((int, float), "a number", lambda value: abs(value) < 1e30)
_EXPECTED = {bool: Expected(bool, "true or false"), str: Expected(str, "a text", bool)}
_WEIGHT = Expected(
    (int, float), f"0 to {MAX_WEIGHT}, a weight of squared errors", lambda value: 0 <= value <= MAX_WEIGHT
)


@cache
def keras_names() -> dict[str, Any]:
    """What keras_names.json holds: by kind and name, the arguments with their defaults; and aliases by kind."""
    content: dict[str, Any] = json.loads(NAMES.read_text(encoding="utf-8"))
    return content


def known(kind: str) -> dict[str, Mapping[str, PartValue | None]]:
    """By name, the arguments with their defaults of every activation, loss, optimizer or initializer of study.toml."""
    names: dict[str, Mapping[str, PartValue | None]] = keras_names()[kind]
    return {**names, **OUR_LOSSES} if kind == "losses" else names


def read_part(table: TomlTable, key: str, kind: str, value: object) -> Part:
    """The part that `value`, found under `key`, describes. Raises `UserError` where Keras has none such."""
    if not isinstance(value, dict):
        return Part(_name(table, key, kind, value))
    inner = TomlTable(table.file, value, (*table.place, key), f"{table.label}.{key}")
    name = _name(inner, "name", kind, value.get("name"))
    arguments = {argument: _argument(inner, kind, name, argument) for argument in value if argument != "name"}
    defaults = known(kind)[name]
    return Part(name, tuple(sorted((key, value) for key, value in arguments.items() if value != defaults[key])))


def _name(table: TomlTable, key: str, kind: str, value: object) -> str:
    """The name that we use for what Keras calls `value`."""
    names = known(kind)
    name = keras_names()["aliases"][kind].get(value, value) if isinstance(value, str) else value
    if isinstance(name, str) and name in names:
        return name
    if name is not None and not isinstance(name, str):
        raise table.error(key, value, f'one of Keras\' {kind} as a text, or as a table such as {{ name = "…", … }}')
    alike = nearest(str(name).lower(), names, most=3)
    raise table.error(key, value, f"one of Keras' {kind}, such as {', '.join(alike or names)}")


def _argument(table: TomlTable, kind: str, name: str, argument: str) -> PartValue:
    """A validated argument; a whole number where Keras' default is a fraction becomes one."""
    defaults = known(kind)[name]
    if argument not in defaults:
        takes = f"an argument of {name}: {', '.join(defaults)}" if defaults else f"no argument, as {name} takes none"
        rate = "; learning_rate is a key of the arm" if argument == "learning_rate" else ""
        raise table.error(argument, table.values[argument], takes + rate)
    default = defaults[argument]
    expected = _WEIGHT if name in OUR_LOSSES else _EXPECTED.get(type(default), _NUMBER)
    value: PartValue = table.get_valid(argument, expected)
    return float(value) if expected.kind is not bool and isinstance(default, float) else value


def describe(values: Any) -> str:
    """What a list's value adds to the name of an arm: `leaky-relu`, `sgd-momentum-0.9`, `tanh-relu`, `0.001`."""
    if isinstance(values, dict):
        values = [
            values.get("name"),
            *(part for key, value in values.items() if key != "name" for part in (key, value)),
        ]
    if isinstance(values, list):
        return "-".join(map(describe, values))
    return f"{values:g}" if type(values) is float else str(values).lower().replace("_", "-")
