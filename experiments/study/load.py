"""study.toml → Study, validated: a wrong key or value is one `UserError` that names the file and the line."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import MISSING, dataclass, field, fields
from datetime import date
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from experiments.data.datasets import DIGITS, MNIST
from experiments.files import reading
from experiments.files.errors import UserError, display_path
from experiments.study.model import MAX_RUNS, Arm, Block, Contrast, Study

STUDY = Path(__file__).parents[1] / "study.toml"
MAX_ARMS, MAX_EPOCHS = 1000, 100_000

HIDDEN = ("tanh", "relu", "sigmoid")
OUTPUT = ("tanh", "linear", "sigmoid", "softmax")
LOSS = ("mean_squared_error", "one_sided_mean_squared_error", "categorical_crossentropy", "binary_crossentropy")
OPTIMIZER = ("adam", "sgd")
READOUT = ("as_is", "half_shift")
SCHEDULE = ("constant", "cosine")


def load(path: Path = STUDY) -> Study:
    """Reads and validates study.toml. Raises `UserError` with file and line."""
    document, text = reading.read_toml(path, "Expected the study as TOML.")
    where = _Places(path, text)
    where.only(document, "", ("version", "defaults", "datasets", "blocks", "arms", "confirmatory", "contrasts"))
    where.take(document, "", "version", int, "version = 1", lambda version: version == 1)
    blocks = tuple(_block(name, table, where) for name, table in where.tables(document, "blocks").items())
    arms = _arms(document, blocks, where)
    confirmatory = where.table(document, "confirmatory")
    where.only(confirmatory, "confirmatory", ("declared", "measure", "confidence"))
    if confirmatory.get("measure") != "test_accuracy":
        raise where.wrong("confirmatory", "measure", confirmatory.get("measure"), '"test_accuracy"')
    expected = "a day before the first run of its contrasts, such as 2026-11-23"
    declared = where.take(confirmatory, "confirmatory", "declared", date, expected)
    confidence = where.take(
        confirmatory, "confirmatory", "confidence", float, "between 0.5 and 1", lambda c: 0.5 < c < 1
    )
    return Study(
        path=path,
        epochs=_epochs(document, where),
        blocks=blocks,
        arms=arms,
        contrasts=_contrasts(document, arms, blocks, where),
        declared=declared.isoformat(),
        confidence=confidence,
    )


_EPOCHS = (f"1 to {MAX_EPOCHS}", lambda epochs: 1 <= epochs <= MAX_EPOCHS)


def _epochs(document: dict, where: _Places) -> dict[str, int]:
    tables = where.tables(document, "datasets")
    for name in tables:
        where.only(tables[name], f"datasets.{name}", ("epochs",))
        if name not in ("mnist", "digits"):
            raise where.wrong(f"datasets.{name}", None, name, "mnist or digits")
    missing = {"mnist", "digits"} - set(tables)
    if missing:
        raise UserError(f"{display_path(where.path)}: [datasets.{min(missing)}] is missing. Add it with its epochs.")
    return {name: where.take(table, f"datasets.{name}", "epochs", int, *_EPOCHS) for name, table in tables.items()}


def _block(name: str, table: dict, where: _Places) -> Block:
    place = f"blocks.{name}"
    where.only(table, place, tuple(f.name for f in fields(Block) if f.name != "name"))
    seeds = where.take(table, place, "seeds", list, "a list of different whole numbers from 0 to 2**31", _are_seeds)
    question = where.take(table, place, "question", str, "a sentence", bool)
    epochs = where.take(table, place, "epochs", int, *_EPOCHS, default=None)
    replicate = where.take(table, place, "replicate", bool, "true or false", default=False)
    early = where.take(table, place, "early", bool, "true or false", default=False)
    return Block(name, question, tuple(seeds), epochs, replicate, early)


def _are_seeds(value: list) -> bool:
    whole = all(type(seed) is int and 0 <= seed <= 2**31 for seed in value)
    return bool(value) and whole and len(set(value)) == len(value)


def _one_of(known: tuple[str, ...]) -> tuple[type, str, Callable[[Any], bool]]:
    return (str, "one of " + ", ".join(known), lambda value: value in known)


ARM_FIELDS: dict[str, tuple[type, str, Callable[[Any], bool]]] = {
    "title": (str, "a line of text without $, which drawings take for a formula", lambda v: v and "$" not in v),
    "hidden": _one_of(HIDDEN),
    "output": _one_of(OUTPUT),
    "loss": _one_of(LOSS),
    "low_target": (float, "a number from -10 to 10", lambda v: -10 <= v <= 10),
    "high_target": (float, "a number from -10 to 10", lambda v: -10 <= v <= 10),
    "depth": (int, "1 to 64", lambda v: 1 <= v <= 64),
    "width": (int, "1 to 65536", lambda v: 1 <= v <= 65536),
    "optimizer": _one_of(OPTIMIZER),
    "learning_rate": (float, "above 0, at most 100", lambda v: 0 < v <= 100),
    "batch_size": (int, "1 to 60000", lambda v: 1 <= v <= 60000),
    "readout": _one_of(READOUT),
    "schedule": _one_of(SCHEDULE),
    "output_kernel_scale": (float, "above 0, at most 1000", lambda v: 0 < v <= 1000),
    "holdout": (
        int,
        f"0 to {DIGITS.train_images // 2}, or to {MNIST.train_images // 2} on MNIST",
        lambda v: v >= 0,
    ),
    "features_of": (str, "the name of an arm", bool),
    "chosen_from": (str, "a pattern of arms' names, such as rate-*", bool),
}


def _arms(document: dict, blocks: tuple[Block, ...], where: _Places) -> tuple[Arm, ...]:
    defaults = where.table(document, "defaults")
    where.only(defaults, "defaults", tuple(ARM_FIELDS))
    if not document.get("arms"):
        raise where.wrong("", "arms", None, "at least one table headed [[arms]]")
    arms: list[Arm] = []
    for index, family in enumerate(where.list_of_tables(document, "arms")):
        place = ("arms", index)
        where.only(family, place, ("name", "block", *ARM_FIELDS))
        for table in _expanded(family, place, where):
            arm = _arm(table, defaults, blocks, place, where)
            if arm.name in {other.name for other in arms}:
                raise where.wrong(place, "name", arm.name, "a name that no other arm has")
            if len(arms) == MAX_ARMS:
                raise where.wrong(place, "name", arm.name, f"at most {MAX_ARMS} arms")
            arms.append(arm)
    seeds = {block.name: len(block.seeds) for block in blocks}
    runs = sum(seeds[arm.block] for arm in arms)
    if runs > MAX_RUNS:
        raise where.wrong("", "blocks", f"{runs} runs", f"at most {MAX_RUNS}: fewer seeds, or fewer arms")
    for index, family in enumerate(document["arms"]):
        _check_references(family, ("arms", index), arms, blocks, where)
    return tuple(arms)


def _expanded(family: dict, place: tuple[str, int], where: _Places) -> Iterator[dict]:
    """A table with lists for values stands for every combination of them; its name tells them apart: `sgd-{depth}`."""
    lists = {key: value for key, value in family.items() if isinstance(value, list)}
    for key, values in lists.items():
        if not values or f"{{{key}}}" not in str(family.get("name")):
            raise where.wrong(place, key, values, f"one value, or several and a name with {{{key}}} in it")
    for combination in itertools.product(*lists.values()):
        chosen = dict(zip(lists, combination, strict=True))
        table = {**family, **chosen}
        for key, value in chosen.items():
            told = f"{value:g}" if type(value) is float else str(value)
            table |= {
                k: table[k].replace(f"{{{key}}}", told) for k in ("name", "title") if isinstance(table.get(k), str)
            }
        yield table


def _arm(table: dict, defaults: dict, blocks: tuple[Block, ...], place: tuple[str, int], where: _Places) -> Arm:
    name = where.take(table, place, "name", str, "small letters, digits, dots and hyphens", _is_name)
    block = where.take(table, place, "block", *_one_of(tuple(block.name for block in blocks)))
    own = {f.name: f.default for f in fields(Arm) if f.default is not MISSING}
    values = {"title": name, **own}
    for key, (kind, expected, valid) in ARM_FIELDS.items():
        source, at = (table, place) if key in table else (defaults, "defaults")
        if key in source or key not in values:
            values[key] = where.take(source, at, key, kind, expected, valid)
    arm = Arm(name=name, block=block, **values)
    _check_composition(arm, table, place, where)
    return arm


def _check_references(
    family: dict, place: tuple[str, int], arms: list[Arm], blocks: tuple[Block, ...], where: _Places
) -> None:
    """Refuses arms that build on arms that are not there, or do not fit."""
    own = next(block for block in blocks if block.name == family["block"])
    pattern = family.get("chosen_from")
    if pattern and not [arm for arm in arms if fnmatch(arm.name, pattern) and not arm.chosen_from]:
        raise where.wrong(place, "chosen_from", pattern, "a pattern that the name of some arm matches")
    if name := family.get("features_of"):
        base = next((arm for arm in arms if arm.name == name and not arm.features_of), None)
        seeds = next((block.seeds for block in blocks if base and block.name == base.block), ())
        if base is None or not set(own.seeds) <= set(seeds):
            raise where.wrong(place, "features_of", name, "an arm with features of its own and all seeds of this block")
    if family.get("holdout", 0) > (DIGITS if own.replicate else MNIST).train_images // 2:
        raise where.wrong(place, "holdout", family["holdout"], "at most half of the training images")


def _is_name(value: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9.-]{0,63}", value) is not None


def _check_composition(arm: Arm, table: dict, place: tuple[str, int], where: _Places) -> None:
    """Refuses arms whose parts make no sense together."""
    needs = {"categorical_crossentropy": "softmax", "binary_crossentropy": "sigmoid"}.get(arm.loss)
    if needs and arm.output != needs:
        raise where.wrong(place, "loss", arm.loss, f'output = "{needs}" with it, not "{arm.output}"')
    if needs and (arm.low_target, arm.high_target) != (0.0, 1.0):
        key = "low_target" if "low_target" in table else "high_target"
        raise where.wrong(place, key, getattr(arm, key), f"targets 0 and 1 with {arm.loss}")
    if arm.low_target >= arm.high_target:
        raise where.wrong(place, "low_target", arm.low_target, f"less than high_target, {arm.high_target}")


def _contrasts(
    document: dict, arms: tuple[Arm, ...], blocks: tuple[Block, ...], where: _Places
) -> tuple[Contrast, ...]:
    by_name = {arm.name: arm for arm in arms}
    seeds = {block.name: block.seeds for block in blocks}
    contrasts: list[Contrast] = []
    for index, table in enumerate(where.list_of_tables(document, "contrasts")):
        place = ("contrasts", index)
        where.only(table, place, tuple(f.name for f in fields(Contrast)))
        name = where.take(table, place, "name", str, "letters, digits and hyphens", _is_name)
        if name in {contrast.name for contrast in contrasts}:
            raise where.wrong(place, "name", name, "a name of its own")
        first, second = (where.take(table, place, end, *_one_of(tuple(by_name))) for end in ("first", "second"))
        shared = set(seeds[by_name[first].block]) & set(seeds[by_name[second].block])
        if first == second:
            raise where.wrong(place, "second", second, "another arm than the first")
        if len(shared) < 2:
            raise where.wrong(place, "second", second, f"two or more seeds in common with '{first}' to pair by")
        for end, arm in (("first", first), ("second", second)):
            if by_name[arm].holdout:
                raise where.wrong(place, end, arm, "an arm that is measured on the test images: without holdout")
        question = where.take(table, place, "question", str, "a sentence", bool)
        margin = where.take(
            table, place, "equivalence_margin", float, "between 0 and 1", lambda m: 0 < m < 1, default=None
        )
        contrasts.append(Contrast(name, question, first, second, margin))
    return tuple(contrasts)


@dataclass(frozen=True)
class _Places:
    """Knows on which line of study.toml each table and key stands, and words what is wrong there.

    A table is named by its dotted header ("blocks.examples", "" for the top) or, in a list, by (header, index).
    """

    path: Path
    text: str
    lines: list[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "lines", self.text.split("\n"))

    def line(self, table: str | tuple[str, int], key: str | None = None) -> int:
        """The line of `key` in `table`, or of the table's header where the key is not written out; from 1."""
        name, index = table if isinstance(table, tuple) else (table, 0)
        headers = [(n, line.split("#")[0].replace(" ", "").strip()) for n, line in enumerate(self.lines)]
        header = f"[[{name}]]" if isinstance(table, tuple) else f"[{name}]"
        starts = [n for n, found in headers if found == header]
        start = starts[index] if len(starts) > index else -1
        if not name and key is not None:  # a table at the top is found by its header
            known = (f"[{key}]", f"[[{key}]]")
            start = next((n for n, found in headers if found in known or found.startswith(f"[{key}.")), -1)
            if start >= 0:
                return start + 1
        for number in range(start + 1, len(self.lines)):
            line = self.lines[number].strip()
            if line.startswith("[") and line.split("#")[0].strip().endswith("]") and "=" not in line:
                break
            if key is not None and re.match(rf"[\"']?{re.escape(key)}[\"']?\s*[=.]", line):
                return number + 1
        return max(start + 1, 1)

    def wrong(self, table: str | tuple[str, int], key: str | None, value: object, expected: str) -> UserError:
        name = table[0] + f" {table[1] + 1}" if isinstance(table, tuple) else table
        what = ".".join(part for part in (name, key) if part)
        told = "is missing" if value is None else f"is {json.dumps(value, default=str, ensure_ascii=False)}"
        return UserError(
            f"{display_path(self.path)}:{self.line(table, key)}: {what} {told}. Expected {expected}. Fix this line."
        )

    def only(self, table: Mapping, place: str | tuple[str, int], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                raise UserError(
                    f"{display_path(self.path)}:{self.line(place, key)}: unknown key '{key}'. "
                    f"Known here: {', '.join(known)}. Fix the name or remove the line."
                )

    def take(
        self,
        table: Mapping,
        place: str | tuple[str, int],
        key: str,
        kind: type,
        expected: str,
        valid: Callable[[Any], bool] = lambda _: True,
        **default: Any,
    ) -> Any:
        """The value of `key`, if it is of `kind` and valid; `default=…` where the key is absent."""
        if key not in table and "default" in default:
            return default["default"]
        value = table.get(key)
        if kind is float and isinstance(value, int | float) and type(value) is not bool and abs(value) < 1e300:
            value = float(value) + 0.0  # so that -0.0 is 0.0
        if type(value) is not kind or not valid(value):
            raise self.wrong(place, key, value, expected)
        return value

    def table(self, document: Mapping, name: str) -> dict:
        value = document.get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, None, value if value != {} else None, f"a table [{name}]")
        return value

    def tables(self, document: Mapping, name: str) -> dict[str, dict]:
        value = self.table(document, name)
        for key, inner in value.items():
            if not isinstance(inner, dict):
                raise self.wrong(name, key, inner, f"a table [{name}.{key}]")
        return value

    def list_of_tables(self, document: Mapping, name: str) -> list[dict]:
        value = document.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong("", name, value, f"tables headed [[{name}]]")
        return value
