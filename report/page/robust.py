"""How robust each verdict is, for the templates: the sentences beside it, and the strip that shows all verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from report.claims.model import (
    CANNOT_MEET,
    CANNOT_TELL,
    HOLDS,
    NOT,
    PARTLY,
    PREDICTION,
    REFUTED,
    SUPPORTED,
    Ledger,
    Question,
    Robustness,
)
from report.claims.robustness import CLOSE
from report.claims.rules import names_in, parse

if TYPE_CHECKING:
    from report.page.view import ClaimRow, PartRow

WORDS = {  # of where else a verdict was asked for
    "half": "with half the thresholds",
    "twice": "with twice the thresholds",
    "mean of the last three": "averaged over the last three epochs",
    "fashion": "on Fashion-MNIST",
}


@dataclass(frozen=True)
class RobustRow:
    """How robust a verdict is. seeds, images: the share of redraws in which it stays, None if there is none.

    verdicts: elsewhere, by where, such as "half" or "epoch 8". alone: where a rule has several thresholds, those of
    which half or twice is enough for another verdict, in words, and that verdict. on_strip: whether the strip has it.
    """

    seeds: float | None
    images: float | None
    close: bool
    verdict: str
    verdicts: Mapping[str, str]
    alone: tuple[tuple[str, str], ...]
    on_strip: bool

    @property
    def has_share(self) -> bool:
        return self.seeds is not None

    @property
    def has_images(self) -> bool:
        return self.images is not None

    @property
    def same_with_images(self) -> bool:
        return self.seeds == self.images

    @property
    def unchanged(self) -> tuple[str, ...]:
        """Where else the verdict is the same, in words."""
        return tuple(_words(place) for place, verdict in self.verdicts.items() if verdict == self.verdict)

    @property
    def is_summed_up(self) -> bool:
        """Whether a word says of all other views that the verdict is the same there, as the strip shows them."""
        return self.on_strip and bool(self.unchanged)

    @property
    def changed(self) -> tuple[tuple[str, str], ...]:
        """Where else it is another one, in words, and which."""
        return tuple((_words(place), verdict) for place, verdict in self.verdicts.items() if verdict != self.verdict)


def _words(place: str) -> str:
    return WORDS.get(place, f"after {place}")


def robust_row(question: Question, verdict: str, robust: Robustness | None, ledger: Ledger) -> RobustRow | None:
    """None where it was not computed. Other thresholds are told where the rule has some."""
    if not robust:
        return None
    rules = [parse(rule) for rule in (question.supported, question.partly) if rule]
    thresholds = {name for rule in rules for name in names_in(rule)} & ledger.thresholds.keys()
    verdicts = {"half": robust["half"], "twice": robust["twice"]} if thresholds else {}
    verdicts |= robust["endpoints"] | ({"fashion": robust["fashion"]} if robust["fashion"] else {})
    single = {re.sub(r" of (.*)", r" of “\1”", place): turned for place, turned in robust["alone"].items()}
    alone = tuple(single.items()) if len(thresholds) > 1 else ()
    on_strip = question.part != PREDICTION
    return RobustRow(robust["seeds"], robust["images"], robust["close"], verdict, verdicts, alone, on_strip)


# ---------------------------------------------------------------------------------------------- marks

MARKS = {SUPPORTED: "yes", HOLDS: "yes", PARTLY: "part", NOT: "no", REFUTED: "no"}


def mark(verdict: str, hollow: bool) -> str:
    """The id of a verdict's drawing, see glyphs.html: a dash where nothing was decided."""
    drawing = MARKS.get(verdict, "none")
    return f"g-hollow-{drawing}" if hollow else f"g-{drawing}"


# ---------------------------------------------------------------------------------------------- the strip


@dataclass(frozen=True)
class Cell:
    """A verdict on the strip; "" where there is none. share: of redraws, in place of a mark."""

    verdict: str
    share: float | None = None
    close: bool = False
    hollow: bool = False

    @property
    def is_share(self) -> bool:
        return self.share is not None

    @property
    def mark(self) -> str:
        return mark(self.verdict, self.hollow)


@dataclass(frozen=True)
class StripRow:
    """A claim: its id and number, its words, and a cell for each column of each of its two questions."""

    id: str
    number: int
    quote: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Strip:
    """All verdicts at once. columns: headings, the same for both questions."""

    columns: tuple[str, ...]
    rows: tuple[StripRow, ...]
    close: int = round(100 * CLOSE)  # per cent of redraws; a share below makes a verdict a close call

    @property
    def has_shares(self) -> bool:
        return any(cell.is_share for row in self.rows for cell in row.cells)

    @property
    def has_views(self) -> bool:
        return any(name in self.columns for name in ("half", "twice"))

    @property
    def has_undecided(self) -> bool:
        """Whether somewhere seeds are too few, or thresholds too large, for a rule to be met."""
        return any(cell.verdict in (CANNOT_MEET, CANNOT_TELL) for row in self.rows for cell in row.cells)


HEADINGS = {"half": "half", "twice": "twice", "mean of the last three": "last three", "fashion": "Fashion"}


def strip(claims: Sequence[ClaimRow]) -> Strip:
    """Its columns are those that some claim has."""
    parts = [[_cells(part) for part in row.parts] for row in claims]
    fullest = max((cells for row in parts for cells in row), key=len, default={})
    columns = tuple(dict.fromkeys([*fullest, *(name for row in parts for cells in row for name in cells)]))
    rows = [
        StripRow(
            row.claim.id,
            row.number,
            " … ".join(row.claim.quote),
            tuple(cells.get(name, Cell("")) for cells in of_row for name in columns),
        )
        for row, of_row in zip(claims, parts, strict=True)
    ]
    return Strip(columns, tuple(rows))


def _cells(part: PartRow) -> dict[str, Cell]:
    """A part's cells, by the heading of their column."""
    cells = {"as measured": Cell(part.verdict if part.is_asked else "", hollow=part.hollow)}
    if robust := part.robust:
        shares = {"seeds": robust.seeds, "seeds, images": robust.images}
        known = {name: share for name, share in shares.items() if share is not None}
        cells |= {name: Cell(part.verdict, share, share < CLOSE) for name, share in known.items()}
        cells |= {HEADINGS.get(place, place): Cell(verdict) for place, verdict in robust.verdicts.items()}
    return cells
