"""Plots say what the numbers say, are the same bytes in every build, and need no style attribute."""

from __future__ import annotations

import re
from pathlib import Path
from xml.etree import ElementTree

import pytest

from experiments import figures, plots, study, svg
from experiments.figures import Figure
from experiments.sources import Source
from tests import fixture

MNIST = Source("mnist", None, "a fixture")


@pytest.fixture(scope="module")
def drawn(results: dict) -> dict[str, Figure]:
    return {figure.name: figure for figure in plots.draw(results)}


def test_every_figure_is_named_described_and_has_its_numbers(drawn: dict[str, Figure]) -> None:
    assert set(drawn) == {"accuracy", "learning-curves", "outputs", "confusions"}
    for name, figure in drawn.items():
        root = ElementTree.fromstring(figure.svg)
        assert root.get("role") == "img"
        assert root.get("aria-labelledby") == f"{name}-title"
        assert (root[0].tag, root[0].text) == ("title", figure.title)
        assert (root[1].tag, root[1].text) == ("desc", figure.description)
        assert all(len(row) == len(figure.columns) for row in figure.rows)


def test_the_title_is_chosen_by_the_numbers(plan: study.Study, results: dict, tmp_path: Path) -> None:
    assert plots.accuracy(results).title == "Example 3 above Example 1 and Example 2: 1.30 points apart"
    turned = fixture.results(plan, tmp_path, MNIST, scores={"example-1": 0.98, "example-2": 0.98, "example-3": 0.97})
    assert plots.accuracy(turned).title == "Example 1 and Example 2 above Example 3: 1.00 points apart"
    assert plots.learning_curves(turned).title == "Example 1 is ahead after every epoch"


def test_every_seed_is_in_the_accuracy_figures_table(drawn: dict[str, Figure]) -> None:
    assert len(drawn["accuracy"].rows) == 30
    assert ("example-1", "100", "96.50 %") in drawn["accuracy"].rows


def test_learning_curves_tell_every_epoch_of_every_trained_arm(drawn: dict[str, Figure]) -> None:
    assert len(drawn["learning-curves"].rows) == 2 * 10


def test_text_stays_text_and_colours_are_classes(drawn: dict[str, Figure]) -> None:
    for figure in drawn.values():
        assert "style=" not in figure.svg
        assert not re.search(r'(fill|stroke)="#', figure.svg)
        assert not re.search(r"#[0-9a-f]{6}\b", figure.svg)
        assert "<text" in figure.svg


def test_two_drawings_of_the_same_numbers_are_the_same_bytes(results: dict, drawn: dict[str, Figure]) -> None:
    assert [figure.svg for figure in plots.draw(results)] == [figure.svg for figure in drawn.values()]


def test_a_class_in_a_drawing_has_a_rule_in_the_style_sheet(drawn: dict[str, Figure]) -> None:
    style = (Path(__file__).parent.parent / "templates" / "style.css").read_text()
    used = {
        name
        for figure in drawn.values()
        for names in re.findall(r'class="([^"]+)"', figure.svg)
        for name in names.split()
    }
    assert used
    assert all(f".{name} " in style for name in used)


def test_ids_are_the_figures_own_and_every_reference_has_its_target(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        ids = re.findall(r'\bid="([^"]+)"', figure.svg)
        assert len(ids) == len(set(ids))
        assert all(ident.startswith(name) for ident in ids)
        assert set(re.findall(r'href="#([^"]+)"', figure.svg)) <= set(ids)


def test_figures_are_drawn_anew_only_when_something_changed(results: dict, tmp_path: Path) -> None:
    assert figures.update(results, tmp_path, plots.draw) == 4
    assert figures.update(results, tmp_path, plots.draw) == 0
    assert figures.update({**results, "inputs": "other"}, tmp_path, plots.draw) == 4
    assert figures.read(tmp_path)[1] == "other"


def test_a_standalone_drawing_carries_its_own_colours(results: dict, tmp_path: Path) -> None:
    figures.update(results, tmp_path, plots.draw)
    root = ElementTree.parse(tmp_path / "accuracy.svg").getroot()
    assert root.tag == f"{{{svg.SVG}}}svg"
    assert ".f-ink{fill:#111111}" in (tmp_path / "accuracy.svg").read_text()


def test_cleaning_drops_what_shows_nothing_and_keeps_what_does() -> None:
    raw = (
        f'<svg xmlns="{svg.SVG}" viewBox="0 0 9 9" width="9pt"><metadata>m</metadata><g id="a"><g id="b">'
        '<path d="M 1.2345 2 L 3.06 4" style="fill: none; stroke: #111111; stroke-width: 0.8"/></g></g>'
        '<path d="M 0 0" style="fill: none"/><g id="c"/></svg>'
    )
    assert svg.clean(raw, "f", "T", "D") == (
        '<svg viewBox="0 0 9 9" role="img" aria-labelledby="f-title" aria-describedby="f-description">'
        '<title id="f-title">T</title><desc id="f-description">D</desc>'
        '<path fill="none" stroke-width="0.8" d="M1.2 2L3.1 4" class="s-ink" /></svg>'
    )
