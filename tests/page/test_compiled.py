"""Compiled templates are kept for the next process: only this project's, and only as long as they are current."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from jinja2.sandbox import SandboxedEnvironment

from report.page import compiled, render

Greet = Callable[[], str]


@pytest.fixture
def compilations(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of the templates that are compiled, one after the other."""
    names: list[str] = []
    compile_ = SandboxedEnvironment.compile

    def noted(self: SandboxedEnvironment, source: str, name: str, *others: str) -> object:
        names.append(name)
        return compile_(self, source, name, *others)

    monkeypatch.setattr(SandboxedEnvironment, "compile", noted)
    return names


@pytest.fixture
def greet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Greet:
    """Renders templates/greeting.html of a project in `tmp_path`, as a new process does."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(compiled, "FOLDER", tmp_path / "kept")
    monkeypatch.setattr(compiled, "OURS", (tmp_path / "templates",))
    (tmp_path / "templates").mkdir()
    (tmp_path / "templates" / "greeting.html").write_text("Hello")
    new_process = render._environment.__wrapped__
    return lambda: new_process((tmp_path / "templates",)).get_template("greeting.html").render()


def test_a_template_is_compiled_once(greet: Greet, compilations: list[str]) -> None:
    assert [greet(), greet()] == ["Hello", "Hello"]
    assert compilations == ["greeting.html"]


def test_a_changed_template_is_compiled_again(greet: Greet, compilations: list[str], tmp_path: Path) -> None:
    greet()
    (tmp_path / "templates" / "greeting.html").write_text("Good day")
    assert greet() == "Good day"
    assert len(compilations) == 2


@pytest.mark.parametrize("module", range(len(compiled.COMPILED_BY)))
def test_changed_code_compiles_every_template_again(
    greet: Greet, compilations: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: int
) -> None:
    greet()
    edited = list(compiled.COMPILED_BY)
    edited[module] = tmp_path / "edited.py"
    edited[module].write_text("changed = True")
    monkeypatch.setattr(compiled, "COMPILED_BY", edited)
    greet()
    assert len(compilations) == 2


@pytest.mark.parametrize("damage", [b"", b"no seal", bytes(1000)])
def test_a_damaged_file_is_compiled_again(greet: Greet, compilations: list[str], tmp_path: Path, damage: bytes) -> None:
    greet()
    (kept,) = (tmp_path / "kept").iterdir()
    kept.write_bytes(damage)
    assert greet() == "Hello"
    assert len(compilations) == 2


def test_the_templates_of_a_folder_that_somebody_sends_are_neither_kept_nor_read_from_there(
    greet: Greet, compilations: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    greet()
    monkeypatch.setattr(compiled, "OURS", ())
    greet()
    assert len(compilations) == 2
    assert len(list((tmp_path / "kept").iterdir())) == 1


def test_a_page_needs_no_place_for_compiled_templates(
    greet: Greet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "kept").write_text("a file where the folder would be")
    assert greet() == "Hello"
    (tmp_path / "kept").unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert greet() == "Hello"
    assert not (tmp_path / "kept").exists()
