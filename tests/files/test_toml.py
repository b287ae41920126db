"""The reader of TOML files knows the line of every key, and says in one voice what is wrong there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from experiments.files.errors import UserError
from experiments.files.toml import TEXT, TEXTS, Expected, TomlReader, TomlTable, one_of
from experiments.study import load as studies
from tests import fixture

DOCUMENT = '''# [not.a.header]
top = """
[not.a.header]
nor = "a key"
"""

[defaults] # a comment
depth = 1
"a \\"quoted\\" key" = 2
lists = [
  [1],
  [[2]], # ["]
  "nor = a key",
]
inline = { a = 1, b = { c = 2 } }

[datasets.mnist]
epochs = 10

[[arms]]
name = "one"
evidence.a = { path = "x" }
evidence.b.path = "y"

[[ arms ]]
name = "two"
[arms.evidence]
a = 1
[[arms.parts]]
size = 1
[[arms.parts]]
size = 2
'''


def root(folder: Path, text: str = DOCUMENT) -> TomlTable:
    path = folder / "some.toml"
    path.write_text(text, encoding="utf-8")
    return TomlReader(path, "Expected some TOML.").root


@pytest.mark.parametrize(
    ("place", "text"),
    [
        (("top",), 'top = """'),
        (("defaults",), "[defaults] # a comment"),
        (("defaults", "depth"), "depth = 1"),
        (("defaults", "lists"), "lists = ["),
        (("defaults", "inline"), "inline = { a = 1, b = { c = 2 } }"),
        (("defaults", "inline", "b", "c"), "inline = { a = 1, b = { c = 2 } }"),
        (("defaults", "width"), "[defaults] # a comment"),
        (("datasets",), "[datasets.mnist]"),
        (("datasets", "mnist", "epochs"), "epochs = 10"),
        (("arms",), "[[arms]]"),
        (("arms", 0, "name"), 'name = "one"'),
        (("arms", 0, "evidence"), 'evidence.a = { path = "x" }'),
        (("arms", 0, "evidence", "b", "path"), 'evidence.b.path = "y"'),
        (("arms", 1), "[[ arms ]]"),
        (("arms", 1, "name"), 'name = "two"'),
        (("arms", 1, "evidence", "a"), "a = 1"),
        (("arms", 1, "parts", 1, "size"), "size = 2"),
        (("nowhere",), "# [not.a.header]"),
    ],
    ids=str,
)
def test_a_place_is_found_on_its_line_or_on_that_of_what_encloses_it(
    tmp_path: Path, place: tuple[str | int, ...], text: str
) -> None:
    assert DOCUMENT.split("\n")[root(tmp_path).file.line(place) - 1] == text


def every_place(value: object, place: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    """The places of all keys in `value`."""
    if isinstance(value, dict):
        inner = [found for key in value for found in every_place(value[key], (*place, key))]
        return [place, *inner] if place else inner
    if isinstance(value, list) and all(isinstance(item, dict) for item in value):
        return [found for n, item in enumerate(value) for found in every_place(item, (*place, n))]
    return [place]


@pytest.mark.parametrize("path", [studies.STUDY, fixture.LEDGER], ids=lambda path: path.name)
def test_every_key_of_the_projects_own_files_is_found_on_the_line_that_begins_with_it(path: Path) -> None:
    reader = TomlReader(path, "Expected TOML.")
    lines = reader.text.split("\n")
    places = every_place(reader.document)
    assert len(places) > 200
    for place in places:
        keys = [key for key in place if isinstance(key, str)]
        line = lines[reader.line(place) - 1]
        assert (
            line.strip("[\"' ").startswith((keys[-1], ".".join(keys)))
            or f" {keys[-1]} = " in line
            or f".{keys[-1]} = " in line
            or f'."{keys[-1]}" = ' in line
        )


def test_the_lines_of_two_tables_in_a_list_are_distinguished_whatever_stands_between(tmp_path: Path) -> None:
    table = root(tmp_path).list_of_tables("arms")[1]
    assert str(table.error("name", "two", "another name")).endswith(
        'some.toml:26: arms 2.name is "two". Expected another name. Fix this line.'
    )


@pytest.mark.parametrize(
    ("expected", "value", "valid"),
    [
        (Expected(float, "a number"), 1, True),
        (Expected(float, "a number"), True, False),
        (Expected(int, "a whole number"), True, False),
        (Expected(int, "a whole number"), 1.0, False),
        (Expected((str, list), "one or several"), [], True),
        (Expected((str, list), "one or several"), 1, False),
        (TEXT, " ", False),
        (TEXTS, ["a", " "], False),
        (TEXTS, ["a", 1], False),
        (one_of(("adam", "sgd")), "adam", True),
        (one_of(("adam", "sgd")), "ada", False),
    ],
)
def test_a_value_is_of_the_expected_type_and_valid_or_refused(
    tmp_path: Path, expected: Expected, value: object, valid: bool
) -> None:
    table = root(tmp_path, f"\nkey = {json.dumps(value)}\n")
    if valid:
        assert table.get_valid("key", expected) == value
        return
    with pytest.raises(UserError, match=r"some\.toml:2: key is .*\. Expected .*\. Fix this line\.") as error:
        table.get_valid("key", expected)
    assert f"Expected {expected.words}." in str(error.value)


def test_an_absent_key_is_missing_unless_it_has_a_default(tmp_path: Path) -> None:
    table = root(tmp_path)
    assert table.get_valid("key", TEXT, default=None) is None
    assert table.table("key", required=False).values == {}
    assert table.list_of_tables("key") == []
    for refused in (lambda: table.get_valid("key", TEXT), lambda: table.table("key"), lambda: table.tables("key")):
        with pytest.raises(UserError, match=r"some\.toml:1: key is missing\. Expected a t.*\. Fix this line\."):
            refused()


def test_a_long_value_is_quoted_in_part(tmp_path: Path) -> None:
    message = str(root(tmp_path).error("top", "x" * 1000, "less"))
    assert "x … x" in message
    assert len(message) < 400
