"""The versions of the page that stay published: their names, and the list that says what changed from each to the next.

What changed is what `make compare` tells: by the rules of the claims as they are now, from the numbers of each version.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import NamedTuple, cast

from experiments.analysis.results import Results
from experiments.analysis.summary import FORMAT
from experiments.files.errors import UserError
from experiments.files.sealed import read_json
from report.article.folder import ArticleFolder
from report.claims.model import PREDICTION
from report.claims.words import ASKED
from report.page import render, view
from report.page.citation import PAGE_VERSION, Publication, sitemap, version_address
from report.sharing import verify
from report.sharing.compare import Comparison, Turned, compare

CANONICAL = re.compile(r'<link rel="canonical" href="([^"]*)">')


# ---------------------------------------------------------------------------------------------- names


def today() -> str:
    """The day on which something is published now: everywhere the same one."""
    return datetime.now(UTC).date().isoformat()


def in_order(names: Iterable[str]) -> list[str]:
    """Those of `names` that are names of versions, the oldest first."""
    return sorted(filter(PAGE_VERSION.fullmatch, names), key=_place)


def _place(name: str) -> tuple[str, int]:
    """The day, and which of that day, in a name of a version."""
    return name[:10], int(name[11:] or 1)


def next_name(names: Sequence[str], day: str) -> str:
    """The name of a version published on `day` after those of these names, in their order."""
    newest, number = _place(names[-1]) if names else ("", 0)
    if newest < day:
        return day
    return f"{newest}-{number + 1}"  # of that day even where this machine's clock is behind: names keep the order


# ---------------------------------------------------------------------------------------------- what changed


@dataclass(frozen=True)
class Published:
    """A version. `read` gives the text of its file of a name, "" where it has no such file.

    program: the commit of the code that made it, "" where nobody knows.
    """

    name: str
    read: Callable[[str], str]
    program: str = ""

    @property
    def site(self) -> str:
        """The address of the site that it was published in, or ""."""
        found = CANONICAL.search(self.read("index.html"))
        return unescape(found[1]).removesuffix(version_address("", self.name)) if found else ""


class TurnedRow(NamedTuple):
    """A verdict that turned, for the template. anchor: its place in the version's page."""

    name: str
    anchor: str
    asked: str
    before: str
    after: str


@dataclass(frozen=True)
class Row:
    """A version in the list. about: what its page shows; changes: since the version before; problem: why not known."""

    name: str
    program: str
    about: str = ""
    changes: Comparison | None = None
    problem: str = ""

    @property
    def address(self) -> str:
        return version_address("", self.name)

    @property
    def turned(self) -> list[TurnedRow]:
        return [_turned(turned) for turned in self.changes.turned] if self.changes else []


def _turned(turned: Turned) -> TurnedRow:
    kind = "prediction" if turned.asks == PREDICTION else "claim"
    return TurnedRow(turned.claim, f"{kind}-{turned.claim}", ASKED[turned.asks], turned.before, turned.after)


def rows(versions: Sequence[Published], folder: ArticleFolder) -> Iterator[Row]:
    """The versions with what changed, in their order. `folder`: the article, with its claims and study of now."""
    ledger, before = folder.load_claims(), None
    for number, version in enumerate(versions):
        results, about, changes, problem = None, "", None, ""
        try:
            with verify.foreign():
                results = _results(version, folder)
                about, changes = _about(results), compare(before, results, ledger) if before else None
        except UserError as error:
            problem = f"What changed is not known. {error}"
        if number and not before:
            problem = problem or "What changed is not known: the numbers of the version before can’t be read."
        yield Row(version.name, version.program, about, changes, problem)
        before = results


def _results(version: Published, folder: ArticleFolder) -> Results:
    """The results in a version's results.json or, where that has another format, those that follow from its page."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "results.json"
        path.write_text(version.read("data/results.json"), encoding="utf-8")
        try:
            return cast(Results, read_json(path, FORMAT))
        except UserError:
            return verify.proof(version.read("index.html"), folder.load_study, to_compare=True).results


def _about(results: Results) -> str:
    day = max(run["finished"] for run in results["runs"])[:10]
    return f"{len(results['runs'])} runs on {view.data_name(results['dataset']['name'])}, the last of {day}."


# ---------------------------------------------------------------------------------------------- files of the site


def files(versions: Sequence[Published], folder: ArticleFolder, shared: Publication) -> dict[str, bytes]:
    """What a site with these versions has at its root besides the page: the list of them, and the sitemap.

    shared: how the newest is found and cited.
    """
    newest_first = [*rows(versions, folder)][::-1]
    listed = {"versions.html": render.versions_page({"rows": newest_first, "shared": shared}).encode()}
    if not shared.site:
        return listed
    addresses = [(version_address(shared.site, row.name), row.name[:10]) for row in newest_first]
    return {**listed, "sitemap.xml": sitemap([*addresses, (shared.versions, shared.published)])}
