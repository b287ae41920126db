"""What a change does to the report, in Markdown, for one comment on its pull request: "" where nothing moved.

It compares two sites, each with the verdicts that its own rules gave, so a changed rule is seen as well as a changed
number. The workflow that posts it takes it for a stranger's text and refuses whatever could link or notify: here are no
links, no headings, no names of people, and names stand as code.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from experiments.analysis.results import Results, ResultsFile
from experiments.analysis.summary import FORMAT
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json
from experiments.plots import formats
from report.claims import words
from report.claims.model import DECIDED
from report.page.site import CLAIMS_FORMAT
from report.sharing.compare import Comparison, Effect, Verdicts, differences

MAX_ROWS = 40  # of each table: four of them stay far below the 65,536 characters that a comment may have
MAX_NAME = 64  # characters
NOTICEABLE = 0.01  # of a file's size; a smaller change alone is nothing to tell
RENDERED = "Expected two folders that 'make render' wrote: make compare A=old/site B=site FORMAT=markdown."


@dataclass(frozen=True)
class Site:
    """What a comparison reads of a site. close: the questions whose verdict is a close call; sizes: bytes by file."""

    results: Results
    verdicts: Verdicts
    close: frozenset[tuple[str, str]]
    sizes: Mapping[str, int]


def read(folder: Path) -> Site:
    """The site in `folder`. Raises `UserError` where there is none, or one of another version."""
    if not folder.is_dir():
        raise UserError(f"{display_path(folder)}: no folder. {RENDERED}")
    results = cast(ResultsFile, read_json(folder / "data" / "results.json", FORMAT, RENDERED))
    asked = dict(_asked(read_json(folder / "data" / "claims.json", CLAIMS_FORMAT, RENDERED)))
    return Site(
        results,
        {name: verdict["verdict"] for name, verdict in asked.items()},
        frozenset(name for name, verdict in asked.items() if (verdict["robustness"] or {}).get("close")),
        {path.relative_to(folder).as_posix(): path.stat().st_size for path in folder.rglob("*") if path.is_file()},
    )


def _asked(claims: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], dict[str, Any]]]:
    """The verdicts in a claims.json on all that could be decided, by claim or prediction and what is asked."""
    judged = [(row["claim"]["id"], verdict) for row in claims["claims"] for verdict in row["verdicts"].values()]
    judged += [(row["prediction"]["id"], row["verdict"]) for row in claims["predictions"]]
    for name, verdict in judged:
        question = verdict["question"]
        if not question["none"] and not question["not_testable"]:
            yield (name, question["asks"]), verdict


def write(before: Site, after: Site) -> str:
    """The comment. Names that only one site has are listed, and are a change."""
    found = differences(before.results, after.results, before.verdicts, after.verdicts)
    single = [_named(name) for name in found.single]
    single += [_code(name) for name, _ in sorted(before.verdicts.keys() ^ after.verdicts.keys())]
    tables = [*_turned(found), *_undecided(before, after), *_close(before, after), *_moved(found)]
    grown = _sizes(before.sizes, after.sizes)
    if not tables and not single and "index.html" not in dict(grown):
        return ""
    parts = [f"**The report before and after this change.** Before: {_basis(before)}. After: {_basis(after)}.", *tables]
    if single:
        parts.append(f"Only in one of them: {_listed(list(dict.fromkeys(single)))}.")
    sizes = [(_code(name), *map(_kilobytes, pair)) for name, pair in grown]
    sizes.append(("all files", *(_kilobytes(sum(site.sizes.values())) for site in (before, after))))
    parts.append(_table("Sizes", ("file", "before", "after"), sizes))
    return "\n\n".join(parts) + "\n"


def _basis(site: Site) -> str:
    results = site.results
    if results["recorded"]:
        return f"the record of {results['recorded']}"
    return f"{len(results['runs'])} of {results['runs_expected']} runs, measured"


# ---------------------------------------------------------------------------------------------- what moved


def _turned(found: Comparison) -> Iterator[str]:
    rows = [(_code(one.claim), words.ASKED[one.asks], one.before, one.after) for one in found.turned]
    if rows:
        yield _table(f"Verdicts turned: {len(rows)}", ("claim", "asked", "before", "after"), rows)


def _undecided(before: Site, after: Site) -> Iterator[str]:
    """Verdicts that at most one of the two could decide."""
    pairs = {name: (old, after.verdicts.get(name, old)) for name, old in before.verdicts.items()}
    rows = [
        (_code(name), words.ASKED[asks], *pair)
        for (name, asks), pair in pairs.items()
        if pair[0] != pair[1] and not set(pair) <= set(DECIDED)
    ]
    if rows:
        yield _table(f"Verdicts gained or lost: {len(rows)}", ("claim", "asked", "before", "after"), rows)


def _close(before: Site, after: Site) -> Iterator[str]:
    """Of the verdicts that both could decide."""
    decided = [{name for name, verdict in one.verdicts.items() if verdict in DECIDED} for one in (before, after)]
    changed = sorted((before.close ^ after.close) & decided[0] & decided[1])
    words_for = {True: "yes", False: "no more"}
    rows = [(_code(one[0]), words.ASKED[one[1]], after.verdicts[one], words_for[one in after.close]) for one in changed]
    if rows:
        yield _table(f"Close calls, new or gone: {len(rows)}", ("claim", "asked", "verdict", "close call"), rows)


def _moved(found: Comparison) -> Iterator[str]:
    moved = [effect for effect in found.effects if effect.moved]
    moved += [effect for effect in found.effects if effect.undecided]
    rows = [(_named(effect.name), *_means(effect), _noise(effect)) for effect in moved]
    if rows:
        title = f"Effects beyond seed noise: {len(rows)} of {len(found.effects)}, in points"
        yield _table(title, ("effect", "before", "after", "seed noise"), rows)


def _means(effect: Effect) -> tuple[str, str]:
    signed = effect.name.startswith("contrast ")
    before, after = (formats.points(one.mean, signed=signed) for one in (effect.before, effect.after))
    return before, after


def _noise(effect: Effect) -> str:
    return f"unknown: {effect.unknown}" if effect.noise is None else f"±{formats.points(effect.noise, signed=False)}"


def _sizes(before: Mapping[str, int], after: Mapping[str, int]) -> list[tuple[str, tuple[int, int]]]:
    """Files whose size changed noticeably, the page first; new and gone ones too."""
    names = sorted(before.keys() | after.keys(), key=lambda name: (name != "index.html", name))
    pairs = {name: (before.get(name, 0), after.get(name, 0)) for name in names}
    return [(name, (old, new)) for name, (old, new) in pairs.items() if abs(new - old) > NOTICEABLE * max(old, new)]


# ---------------------------------------------------------------------------------------------- in Markdown


def _table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in (columns, ["---"] * len(columns), *rows[:MAX_ROWS])]
    more = len(rows) - MAX_ROWS
    return "\n".join([f"**{title}**", "", *lines, *(["", f"… and {more} more."] if more > 0 else [])])


def _listed(names: Sequence[str]) -> str:
    more = len(names) - MAX_ROWS
    return ", ".join([*names[:MAX_ROWS], *([f"and {more} more"] if more > 0 else [])])


def _named(effect: str) -> str:
    """A contrast or an arm: the kind, and its name as code."""
    kind, _, name = effect.partition(" ")
    name, held_out, _ = name.partition(" on held-out images")
    return f"{kind} {_code(name)}{held_out}"


def _code(name: str) -> str:
    """A name as code; what is no name, such as a file of the user's, loses what it must not have."""
    kept = re.sub(r"[^\w./ -]", "?", name)
    return f"`{kept if len(kept) <= MAX_NAME else kept[: MAX_NAME - 1] + '…'}`"


def _kilobytes(size: int) -> str:
    return f"{size / 1000:,.1f} kB" if size else "–"
