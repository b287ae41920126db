"""A figure's table with each cell once: what a run of rows has in common stands in one cell beside all of them."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

FEWEST = 3  # rows; to say something twice is shorter than to say for how many rows it is


class Cell(NamedTuple):
    """A cell of a table. rows: over how many it reaches."""

    text: str
    rows: int

    @property
    def spans(self) -> bool:
        return self.rows > 1


def merged(rows: Sequence[Sequence[str]]) -> list[list[Cell]]:
    """The rows, without the cells that one further up covers; only among rows that have all columns before it alike."""
    found: list[list[Cell]] = [[] for _ in rows]
    _merge(rows, range(len(rows)), 0, found)
    return found


def _merge(rows: Sequence[Sequence[str]], run: Sequence[int], column: int, found: list[list[Cell]]) -> None:
    """Adds to `found` the cells from this column on, of rows that are alike up to it."""
    width = max((len(rows[row]) for row in run), default=0)
    if column >= width - 1 or len(run) < FEWEST:
        for row in run:
            found[row] += [Cell(text, 1) for text in rows[row][column:]]
        return
    for text, members in groupby(run, key=lambda row: rows[row][column]):
        alike = [*members]
        if len(alike) < FEWEST:
            _merge(rows, alike, column, found)
            continue
        found[alike[0]].append(Cell(text, len(alike)))
        _merge(rows, alike, column + 1, found)
