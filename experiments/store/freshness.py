"""Why a run is fresh, is trained or measured again, or waits: its key, compared with the nearest stored one."""

from __future__ import annotations

import contextlib
import json
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json
from experiments.store.store import FORMAT, Entry, Store
from experiments.study import keys
from experiments.study.model import Run, Study

FRESH = "fresh"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def select_runs(study: Study, runs: Iterable[Run], name: str) -> list[Run]:
    """Those of `runs` that `name` means: an arm's, a block's, or one as "arm, seed". Raises `UserError` if none."""
    group, _, seed = (part.strip() for part in name.partition(","))
    number = seed.removeprefix("seed ").strip()
    selected = [run for run in runs if group in (run.arm.name, run.arm.block) and number in ("", str(run.seed))]
    if not selected:
        raise UserError(
            f"NAME={name} is no arm, block or 'arm, seed' of {display_path(study.path)}. Its blocks: "
            f"{', '.join(block.name for block in study.blocks)}; 'make status' lists the arms. Name one of these."
        )
    return selected


def reasons(study: Study, runs: Sequence[Run], data_identity: str, store: Store) -> dict[Run, str]:
    """Why each of the study's `runs` on one data set is fresh, stale or waiting, in one line."""
    resolve = store.resolver(study, data_identity)
    entries = {run: store.entry(resolved, data_identity) if (resolved := resolve(run)) else None for run in runs}
    older = Older(store, [entry for entry in entries.values() if entry])
    return {run: _reason(entry, older) if entry else _waits(run) for run, entry in entries.items()}


class Older:
    """The stored keys that belong to no current run, and what is stored and cannot be read."""

    def __init__(self, store: Store, entries: Iterable[Entry]):
        entries = list(entries)
        places = {entry.folder for entry in entries}
        self.current = {_configuration(entry.key) for entry in entries}
        self.alike: dict[tuple[str, int], list[tuple[str, dict[str, Any]]]] = defaultdict(list)
        self.unreadable: set[str] = set()
        for folder, record in store.training_records().items():
            if folder not in places and (key := record.get("key")):
                self.alike[key.get("dataset"), key.get("seed")].append((_configuration(key), key))
            elif folder not in places:
                self.unreadable.add(_without_key(folder))

    def nearest(self, key: keys.TrainingKey) -> dict[str, Any] | None:
        """Of the same data set and seed, the key most like this one; none that another current run has."""
        taken = self.current - {_configuration(key)}
        free = [older for configuration, older in self.alike[key["dataset"], key["seed"]] if configuration not in taken]
        return min(free, key=lambda older: len(changes(older, key)), default=None)


def _configuration(key: Mapping[str, Any]) -> str:
    """What the study says of a run, without code, versions and the rest."""
    features = (key.get("features") or {}).get("spec")
    return json.dumps([key.get("dataset"), key.get("seed"), key.get("spec"), features], sort_keys=True)


def _without_key(folder: Path) -> str:
    """A folder's name without its key: data set, network and seed."""
    return folder.name.rpartition("-")[0]


def _reason(entry: Entry, older: Older) -> str:
    try:
        if entry.trained:
            entry.training()
        if entry.done:
            entry.measures()
            return FRESH
        if entry.trained:
            return f"measures: {_measured_before(entry)} from the stored weights"
    except UserError as error:
        return f"damaged: {error}"
    if before := older.nearest(entry.key):
        return f"{'; '.join(changes(before, entry.key))}: will be trained again"
    if _without_key(entry.folder) in older.unreadable:
        return "stored in a format that this version does not read: will be trained again"
    return "not trained yet"


def _measured_before(entry: Entry) -> str:
    """What changed since the last measures of a trained run."""
    for path in entry.older_measures():
        with contextlib.suppress(UserError, KeyError):  # a damaged one says nothing
            differences = changes(read_json(path, FORMAT)["key"], keys.measures_key(entry.run))
            return f"{'; '.join(differences)}: will be measured again"
    return "not there yet: will be measured"


def _waits(run: Run) -> str:
    return f"waits until {run.arm.chosen_from} is measured, and takes the best one's learning rate"


def changes(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """What differs between two keys, component by component, old → new."""
    old, new = _components(before), _components(after)
    differing = {name: (old.get(name), new.get(name)) for name in {**new, **old} if old.get(name) != new.get(name)}
    return [
        _describe(name, *values)
        for name, values in differing.items()
        if not (name[0] == "features" and differing.get(name[1:]) == values)  # reported once, of the run itself
    ]


def _components(value: object, name: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    if not isinstance(value, Mapping):
        return {name: value}
    return {inner: leaf for key in value for inner, leaf in _components(value[key], (*name, key)).items()}


def _describe(name: tuple[str, ...], old: object, new: object) -> str:
    """As in `code training/trainer.py changed (3f2a… → 91bc…)` and `spec.learning_rate 0.001 → 0.003`."""
    if any(isinstance(value, str) and _DIGEST.fullmatch(value) for value in (old, new)):
        return f"{' '.join(name)} changed ({_short(old)} → {_short(new)})"
    return f"{'.'.join(name)} {_short(old)} → {_short(new)}"


def _short(value: object) -> str:
    if value is None:
        return "none"
    return f"{value[:4]}…" if isinstance(value, str) and _DIGEST.fullmatch(value) else str(value)
