"""results → all figures of an article: its figures.py draws them, or `generic.draw` if it has none."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from experiments.analysis.results import Results
from experiments.files.errors import UserError, display_path
from experiments.files.python import load_module
from experiments.plots import generic
from experiments.plots.figures import Figure
from experiments.plots.selection import on_test_images
from experiments.plots.toolkit import preview, styled

CONTRACT = "Expected a Python file with draw(results) that returns a list of figures"


def draw(results: Results, article_figures: Path | None = None, pictures: bool = True) -> list[Figure]:
    """The figures that `article_figures`, the path of a figures.py, draws; without it, the generic ones.

    Without `pictures`, figures have their drawings alone, no PNG and no preview. Raises `UserError` for a file that
    breaks the contract; what its `draw` raises is passed on.
    """
    draw_figures = _load(article_figures) if article_figures else generic.draw
    with styled(pictures):
        figures = draw_figures(results)
        if article_figures:
            _check(figures, article_figures)
        if not pictures:
            return figures
        return [replace(figures[0], preview=_preview(results, figures[0])), *figures[1:]]


def _load(path: Path) -> Callable[[Results], list[Figure]]:
    """The function `draw` of the module at `path`, an article's figures.py."""
    if not path.is_file():
        raise UserError(
            f"{display_path(path)}: no such file. {CONTRACT}. Name it, or leave it out for the generic figures."
        )
    module = load_module(path, f"{CONTRACT}. Fix it.")
    if not callable(getattr(module, "draw", None)):
        raise UserError(f"{display_path(path)}: no function draw. {CONTRACT}. Add it.")
    function: Callable[[Results], list[Figure]] = module.draw
    return function


def _check(figures: object, path: Path) -> None:
    """Raises `UserError` unless `figures` is a list of figures whose names can be those of files."""
    if not isinstance(figures, list) or not figures or not all(isinstance(figure, Figure) for figure in figures):
        raise UserError(f"{display_path(path)}: draw returned something else. {CONTRACT}, at least one. Fix draw.")
    names = [figure.name for figure in figures]
    for name in names:
        if not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name) or names.count(name) > 1:
            raise UserError(
                f"{display_path(path)}: a figure is called '{name}'. Expected lower-case letters, digits and "
                "hyphens, and each name once. Rename it."
            )


def _preview(results: Results, figure: Figure) -> bytes:
    """The picture for previews of links: the finding of the first figure, over the accuracy of its arms."""
    tested = on_test_images(results)
    arms = {name: arm for name, arm in tested["arms"].items() if name in figure.arms}
    return preview({**tested, "arms": arms or tested["arms"]}, figure.title)
