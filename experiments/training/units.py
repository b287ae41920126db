"""Units of work: runs that one worker trains with one compilation, and how the missing runs are divided into them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from experiments.data.sources import Source
from experiments.store.store import Entry
from experiments.study.model import SettingValue

REMOTE_COST = 30.0  # epochs over 60,000 images: the most that a worker without our disk gets at a time
UNEVENNESS = 1.5  # a unit may cost this many times a worker's fair share


@dataclass(frozen=True)
class Unit:
    """Runs of one computation on one data set, for one worker and one compilation."""

    source: Source
    entries: tuple[Entry, ...]

    @property
    def folders(self) -> dict[Path, float]:
        """The trainings, each with its cost: two readouts of one network share theirs."""
        return {entry.folder: entry.run.cost for entry in self.entries}

    @property
    def cost(self) -> float:
        return sum(self.folders.values())

    def missing(self) -> Unit:
        """The runs that are not in the store yet."""
        return replace(self, entries=tuple(entry for entry in self.entries if not entry.done))

    def without(self, entry: Entry) -> Unit:
        return replace(self, entries=tuple(other for other in self.entries if other is not entry))


def group(source: Source, entries: Iterable[Entry]) -> list[Unit]:
    """The runs that are not done, a unit for each computation, its seeds in order."""
    groups: dict[tuple[SettingValue, ...], list[Entry]] = {}
    for entry in entries:
        if not entry.done:
            groups.setdefault(entry.run.arm.computation(), []).append(entry)
    return [Unit(source, tuple(sorted(group, key=lambda entry: entry.run.seed))) for group in groups.values()]


def balance(units: Sequence[Unit], jobs: int) -> list[Unit]:
    """The units for `jobs` workers, longest first; the longest are split until no worker waits long for another."""
    units = list(units)
    fair_share = sum(unit.cost for unit in units) / jobs
    while units:
        units.sort(key=lambda unit: -unit.cost)
        if len(units[0].folders) < 2 or (len(units) >= jobs and units[0].cost <= UNEVENNESS * fair_share):
            break
        units[:1] = _halves(units[0])
    return units


def split_for_remote(units: Iterable[Unit]) -> list[Unit]:
    """The units in small parts: a worker that dies costs little, and one that joins late finds something to do.

    Parts of one computation follow each other, since a worker keeps what it compiled last.
    """
    longest_first = sorted(units, key=lambda unit: -unit.cost)
    return [part for unit in longest_first for part in split(unit, REMOTE_COST)]


def split(unit: Unit, max_cost: float) -> list[Unit]:
    """The unit in parts of at most `max_cost`; a single training is never split."""
    if unit.cost <= max_cost or len(unit.folders) < 2:
        return [unit]
    return [part for half in _halves(unit) for part in split(half, max_cost)]


def _halves(unit: Unit) -> list[Unit]:
    folders = list(unit.folders)
    first = set(folders[: len(folders) // 2])
    return [
        replace(unit, entries=tuple(entry for entry in unit.entries if (entry.folder in first) == in_first))
        for in_first in (True, False)
    ]
