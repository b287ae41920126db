"""study.toml → Study, Arm, Block, Contrast, Run: the experiments as frozen values, validated, with their fingerprints.

Nothing here trains or reads data. A wrong key or value is one `UserError` that names the file and the line.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import date
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from experiments.errors import UserError, shown

STUDY = Path(__file__).with_name("study.toml")

HIDDEN = ("tanh", "relu", "sigmoid")
OUTPUT = ("tanh", "linear", "sigmoid", "softmax")
LOSS = ("mean_squared_error", "one_sided_mean_squared_error", "categorical_crossentropy", "binary_crossentropy")
OPTIMIZER = ("adam", "sgd")
READOUT = ("as_is", "half_shift")


@dataclass(frozen=True)
class Arm:
    """One configuration of the network and its training; all its runs differ only in their seed.

    `name`, `block`, `title` and `readout` say how it is reported; every other field changes the trained weights.
    `low_target` and `high_target` are what a wrong and the right class's output is trained towards.
    """

    name: str
    block: str
    title: str
    hidden: str
    output: str
    loss: str
    low_target: float
    high_target: float
    depth: int
    width: int
    optimizer: str
    learning_rate: float
    batch_size: int
    readout: str

    def training_spec(self) -> dict[str, Any]:
        """The fields that change the trained weights, by name."""
        told = ("name", "block", "title", "readout")
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name not in told}


@dataclass(frozen=True)
class Block:
    """Arms that answer one question together, over the same seeds. A planned block is declared and not yet run."""

    name: str
    question: str
    seeds: tuple[int, ...]
    planned: bool = False


@dataclass(frozen=True)
class Contrast:
    """A predeclared comparison: final test accuracy of arm `first` minus that of arm `second`, paired by seed.

    With `equivalence_margin` (a fraction of the test images) the question is whether the difference lies within
    ± that margin; without it, whether it differs from 0.
    """

    name: str
    question: str
    first: str
    second: str
    equivalence_margin: float | None = None


@dataclass(frozen=True)
class Run:
    """One training: an arm, a seed, a data set, and for how many epochs."""

    arm: Arm
    seed: int
    dataset: str
    epochs: int

    def __str__(self) -> str:
        return f"{self.arm.name}, seed {self.seed}, on {self.dataset}"


@dataclass(frozen=True)
class Study:
    """All that study.toml says."""

    path: Path
    epochs: Mapping[str, int]  # by data set
    blocks: tuple[Block, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    declared: str  # the day on which the contrasts were fixed, ISO 8601
    confidence: float

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def block(self, name: str) -> Block:
        return next(block for block in self.blocks if block.name == name)

    def runs(self, dataset: str, only: str | None = None) -> list[Run]:
        """Every run on `dataset` in the file's order, of all blocks that are not planned, or of the block `only`.

        Raises `UserError` if there is no block of that name.
        """
        if only is not None and only not in {block.name for block in self.blocks}:
            known = ", ".join(block.name for block in self.blocks)
            raise UserError(f"ONLY={only} is no block of {shown(self.path)}. Known: {known}. Name one of these.")
        return [
            Run(arm, seed, dataset, self.epochs[dataset])
            for arm in self.arms
            for seed in self.block(arm.block).seeds
            if (not self.block(arm.block).planned if only is None else arm.block == only)
        ]


# ---------------------------------------------------------------------------------------------- fingerprints


def digest(value: Any) -> str:
    """SHA-256 of `value` as canonical JSON, in hex: equal values have equal digests on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_fingerprint(path: Path) -> str:
    """SHA-256 of what the Python file at `path` does: comments, docstrings and layout change nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def _code(*names: str) -> dict[str, str]:
    return {name: code_fingerprint(Path(__file__).with_name(name)) for name in names}


@cache
def versions(*packages: str) -> Mapping[str, str]:
    """Installed version of each package, by name, without importing any."""
    return {package: metadata.version(package) for package in packages}


def training_key(run: Run, data_identity: str) -> dict[str, Any]:
    """Everything that the trained weights of `run` depend on, component by component."""
    return {
        "spec": run.arm.training_spec(),
        "seed": run.seed,
        "epochs": run.epochs,
        "dataset": run.dataset,
        "data": data_identity,
        "code": _code("data.py", "training.py"),
        "versions": dict(versions("tensorflow", "keras", "numpy")),
    }


def measures_key(run: Run) -> dict[str, Any]:
    """Everything that the measures of a trained `run` depend on besides its weights."""
    return {"readout": run.arm.readout, "code": _code("measures.py")}


# ---------------------------------------------------------------------------------------------- study.toml


def load(path: Path = STUDY) -> Study:
    """Reads and validates study.toml. Raises `UserError` with file and line."""
    text = _read(path)
    where = _Places(path, text)
    try:
        document = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # besides bad syntax: numbers too long, tables too deep
        line = re.search(r"at line (\d+)", str(error))
        number = line[1] if line else len(where.lines)
        raise UserError(f"{shown(path)}:{number}: not valid TOML: {error}. Fix the syntax.") from error

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
    confidence = where.take(confirmatory, "confirmatory", "confidence", float, "between 0 and 1", lambda c: 0 < c < 1)
    return Study(
        path=path,
        epochs=_epochs(document, where),
        blocks=blocks,
        arms=arms,
        contrasts=_contrasts(document, arms, blocks, where),
        declared=declared.isoformat(),
        confidence=confidence,
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise UserError(f"{shown(path)}: cannot be read: {reason}. Expected the study as TOML; name it.") from error


def _epochs(document: dict, where: _Places) -> dict[str, int]:
    tables = where.tables(document, "datasets")
    for name in tables:
        where.only(tables[name], f"datasets.{name}", ("epochs",))
        if name not in ("mnist", "digits"):
            raise where.wrong(f"datasets.{name}", None, name, "mnist or digits")
    missing = {"mnist", "digits"} - set(tables)
    if missing:
        raise UserError(f"{shown(where.path)}: [datasets.{min(missing)}] is missing. Add it with its epochs.")
    return {
        name: where.take(table, f"datasets.{name}", "epochs", int, "1 or more", lambda n: n >= 1)
        for name, table in tables.items()
    }


def _block(name: str, table: dict, where: _Places) -> Block:
    place = f"blocks.{name}"
    where.only(table, place, ("question", "seeds", "planned"))
    seeds = where.take(table, place, "seeds", list, "a list of different whole numbers from 0 to 2**31", _are_seeds)
    question = where.take(table, place, "question", str, "a sentence", bool)
    return Block(
        name, question, tuple(seeds), where.take(table, place, "planned", bool, "true or false", default=False)
    )


def _are_seeds(value: list) -> bool:
    whole = all(type(seed) is int and 0 <= seed <= 2**31 for seed in value)
    return bool(value) and whole and len(set(value)) == len(value)


def _one_of(known: tuple[str, ...]) -> tuple[type, str, Callable[[Any], bool]]:
    return (str, "one of " + ", ".join(known), lambda value: value in known)


ARM_FIELDS: dict[str, tuple[type, str, Callable[[Any], bool]]] = {
    "title": (str, "a line of text", bool),
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
}


def _arms(document: dict, blocks: tuple[Block, ...], where: _Places) -> tuple[Arm, ...]:
    defaults = where.table(document, "defaults")
    where.only(defaults, "defaults", tuple(ARM_FIELDS))
    if not document.get("arms"):
        raise where.wrong("", "arms", None, "at least one table headed [[arms]]")
    arms: list[Arm] = []
    for index, table in enumerate(where.list_of_tables(document, "arms")):
        place = ("arms", index)
        where.only(table, place, ("name", "block", *ARM_FIELDS))
        name = where.take(table, place, "name", str, "letters, digits and hyphens", _is_name)
        if name in {arm.name for arm in arms}:
            first = where.line(("arms", [arm.name for arm in arms].index(name)), "name")
            raise where.wrong(place, "name", name, f"a name of its own (line {first} has it)")
        known = tuple(block.name for block in blocks)
        block = where.take(table, place, "block", *_one_of(known))
        values = {}
        for key, (kind, expected, valid) in ARM_FIELDS.items():
            source, at = (table, place) if key in table else (defaults, "defaults")
            values[key] = (
                name if key == "title" and key not in source else where.take(source, at, key, kind, expected, valid)
            )
        arm = Arm(name=name, block=block, **values)
        _check_composition(arm, table, place, where)
        arms.append(arm)
    return tuple(arms)


def _is_name(value: str) -> bool:
    return re.fullmatch(r"[a-z0-9][a-z0-9-]{0,63}", value) is not None


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
            f"{shown(self.path)}:{self.line(table, key)}: {what} {told}. Expected {expected}. Fix this line."
        )

    def only(self, table: Mapping, place: str | tuple[str, int], known: tuple[str, ...]) -> None:
        for key in table:
            if key not in known:
                raise UserError(
                    f"{shown(self.path)}:{self.line(place, key)}: unknown key '{key}'. "
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
