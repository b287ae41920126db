"""The one reader of TOML files: it knows on which line each table and key is, and words what is wrong there.

A value is wrong in one voice: `study.toml:41: arms 3.depth is 0. Expected 1 to 64. Fix this line.`
"""

from __future__ import annotations

import json
import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from experiments.files.errors import UserError, display_path
from experiments.files.reading import find_invisible_char, read_text

MAX_LINE = 4000  # characters: the time that tomllib takes grows with the square of a dotted key
MAX_INTEGER = 2**63  # TOML's own limit
MAX_QUOTED = 200  # characters of a wrong value in an error

Place = tuple[str | int, ...]  # keys and indices from the top of the document: ("arms", 2, "depth")


class Expected(NamedTuple):
    """What a value must be: its type or types, the same in words, and a check beyond the type."""

    kind: type | tuple[type, ...]
    words: str
    is_valid: Callable[[Any], object] = lambda _: True


def one_of(values: Iterable[str]) -> Expected:
    values = tuple(values)
    return Expected(str, "one of " + ", ".join(values), lambda value: value in values)


def _are_texts(values: list[object]) -> bool:
    return all(isinstance(value, str) and value.strip() for value in values)


TEXT = Expected(str, "a text", str.strip)
TEXTS = Expected(list, "a list of texts", _are_texts)


class TomlReader:
    """A TOML file, as a document and as text. Raises `UserError` ending in `fix` where it cannot be read as TOML."""

    def __init__(self, path: Path, fix: str):
        self.path = path
        self.text = read_text(path, fix)
        self.document = _parse(path, self.text, fix)

    @property
    def root(self) -> TomlTable:
        return TomlTable(self, self.document, (), "")

    def line(self, place: Place) -> int:
        """The line of the key or header at `place`, or of what encloses it where it is not written out; from 1."""
        return next((self._lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in self._lines), 1)

    @cached_property
    def _lines(self) -> dict[Place, int]:
        return _index(self.text)  # only where a line is asked for: most files are right


@dataclass(frozen=True)
class TomlTable:
    """A table of a TOML file: its values, its place, and what it is called in messages, such as "arms 3"."""

    file: TomlReader
    values: Mapping[str, Any]
    place: Place
    label: str

    def line(self, key: str | None = None) -> int:
        """The line of `key`, or of the table where the key is not written out; from 1."""
        return self.file.line(self.place if key is None else (*self.place, key))

    def error(self, key: str, value: object, expected: str) -> UserError:
        """`value` is what was found under `key`, None where nothing was."""
        problem = "is missing" if value is None else f"is {_quote(value)}"
        place = f"{display_path(self.file.path)}:{self.line(key)}"
        return UserError(f"{place}: {self._label(key)} {problem}. Expected {expected}. Fix this line.")

    def reject_unknown(self, keys: Iterable[str]) -> None:
        """Raises `UserError` where the table has a key that is not among `keys`."""
        keys = tuple(keys)
        for key in self.values:
            if key not in keys:
                raise UserError(
                    f"{display_path(self.file.path)}:{self.line(key)}: unknown key '{key}'. "
                    f"Known here: {', '.join(keys)}. Fix the name or remove the line."
                )

    def get_valid(self, key: str, expected: Expected, **default: object) -> Any:
        """The value of `key`, if it is as `expected`; `default=…` where the key is absent."""
        if key not in self.values and "default" in default:
            return default["default"]
        value, kind = self.values.get(key), expected.kind
        if kind is float and isinstance(value, int | float) and type(value) is not bool and abs(value) < 1e300:
            value = float(value) + 0.0  # so that -0.0 is 0.0
        right = type(value) in kind if isinstance(kind, tuple) else type(value) is kind  # so that true is not 1
        if not right or not expected.is_valid(value):
            raise self.error(key, value, expected.words)
        return value

    def table(self, key: str, required: bool = True) -> TomlTable:
        """The table under `key`; an empty one where none is `required` and none is there."""
        value = self.values.get(key, None if required else {})
        if not isinstance(value, dict) or (required and not value):
            raise self.error(key, None if value == {} else value, f"a table [{self._header(key)}]")
        return TomlTable(self.file, value, (*self.place, key), self._label(key))

    def tables(self, key: str) -> dict[str, TomlTable]:
        """The tables in the table under `key`, by name."""
        outer = self.table(key)
        for name, value in outer.values.items():
            if not isinstance(value, dict):
                raise outer.error(name, value, f"a table [{outer._header(name)}]")
        return {name: outer.table(name, required=False) for name in outer.values}

    def list_of_tables(self, key: str) -> list[TomlTable]:
        """The tables that are headed [[key]]; none where there are none."""
        values = self.values.get(key, [])
        if not isinstance(values, list) or not all(isinstance(value, dict) for value in values):
            raise self.error(key, values, f"tables headed [[{self._header(key)}]]")
        return [
            TomlTable(self.file, value, (*self.place, key, n), f"{self._label(key)} {n + 1}")
            for n, value in enumerate(values)
        ]

    def _header(self, key: str) -> str:
        return ".".join(part for part in (*self.place, key) if isinstance(part, str))

    def _label(self, key: str) -> str:
        return f"{self.label}.{key}" if self.label else key


def _quote(value: object) -> str:
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= MAX_QUOTED else f"{text[: MAX_QUOTED // 2]} … {text[-MAX_QUOTED // 2 :]}"


def _parse(path: Path, text: str, fix: str) -> dict[str, Any]:
    """The document. Raises `UserError` with the line, where there is one."""
    lines = text.split("\n")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_LINE:
            raise UserError(f"{display_path(path)}:{number}: longer than {MAX_LINE} characters. Break this line.")
    try:
        document = tomllib.loads(text)
        _check(document)
    except (ValueError, RecursionError) as error:  # besides bad syntax: tables too deep
        match = re.search(r"at line (\d+)", str(error))
        line_number = f":{match[1]}" if match else f":{len(lines)}" if "end of document" in str(error) else ""
        raise UserError(f"{display_path(path)}{line_number}: not valid TOML: {error}. {fix} Fix the syntax.") from error
    return document


def _check(value: object) -> None:
    """Raises `ValueError` for what escapes can bring into a text, and for numbers that TOML does not have."""
    if isinstance(value, dict | list):
        for inner in (*value, *value.values()) if isinstance(value, dict) else value:
            _check(inner)
    elif isinstance(value, str) and (character := find_invisible_char(value)):
        raise ValueError(f"'{value[:40]}' holds {character}")
    elif isinstance(value, int) and not -MAX_INTEGER <= value < MAX_INTEGER:
        raise ValueError("a whole number of more than 64 bits")


_NAME = r"""(?:[\w-]+|"(?:\\.|[^"\\\n])*"|'[^'\n]*')"""
_DOTTED = rf"{_NAME}(?:[ \t]*\.[ \t]*{_NAME})*"
_TOKEN = re.compile(
    rf"""\#[^\n]*|\"{{3}}(?:\\.|[^\\])*?\"{{3}}|'{{3}}.*?'{{3}}
    |^[ \t]*\[\[[ \t]*(?P<item>{_DOTTED})[ \t]*\]\]|^[ \t]*\[[ \t]*(?P<table>{_DOTTED})[ \t]*\]
    |^[ \t]*(?P<key>{_DOTTED})[ \t]*=
    |"(?:\\.|[^"\\\n])*"|'[^'\n]*'|(?P<bracket>[\[\]{{}}])""",
    re.DOTALL | re.MULTILINE | re.VERBOSE,
)


def _index(text: str) -> dict[Place, int]:
    """The line of every header, and of every key that begins a line, in a document that tomllib accepts."""
    lines: dict[Place, int] = {}
    lengths: Counter[Place] = Counter()  # of the lists of tables, so far
    table: Place = ()
    depth, line, end = 0, 1, 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "bracket":
            depth += 1 if token[kind] in "[{" else -1
        elif kind and depth == 0:  # not in a value of several lines
            line, end = line + text.count("\n", end, token.start(kind)), token.start(kind)
            above = table if kind == "key" else ()
            place = _enter(above, token[kind], lengths)
            if kind == "item":
                lengths[place] += 1
                place = (*place, lengths[place] - 1)
            for n in range(len(above) + 1, len(place) + 1):
                lines.setdefault(place[:n], line)
            table = table if kind == "key" else place
    return lines


def _enter(table: Place, dotted: str, lengths: Mapping[Place, int]) -> Place:
    """The place of a dotted key in `table`: what follows the name of a list is in its last table so far."""
    place = table
    for name in re.findall(_NAME, dotted):
        if place in lengths:
            place = (*place, lengths[place] - 1)
        place = (*place, name[1:-1] if name[0] in "\"'" else name)
    return place
