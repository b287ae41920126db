"""Everything that the page is made of, read and checked, then rendered: article, claims, prose, results and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.analysis import records
from experiments.analysis.results import Results
from experiments.plots import figures
from report.article import document, quotes
from report.article.folder import ArticleFolder
from report.claims import load as ledgers
from report.claims.model import Claim, Verdict
from report.claims.verdicts import judge
from report.page import citation, numerals, render


class Page(NamedTuple):
    """A page, and what besides it follows from the same results."""

    html: str
    not_found: str  # the site's 404.html
    verdicts: Sequence[Verdict]
    shared: citation.Publication
    numerals: str  # how many numerals of the project's own prose are bound


def compose(
    folder: ArticleFolder,
    results: Results,
    drawn: Mapping[str, figures.Figure],
    url: str,
    packed: str,
) -> Page:
    """The page of `results`, which carries the evidence `packed`. Raises `UserError` where something does not fit."""
    words, source = render.load_prose(folder.prose), document.load(folder.article)
    ledger, unchecked = folder.load_claims(), ledgers.unchecked(folder.claims)
    coverage = ""
    if folder.is_default:  # another article's author has rules of their own
        counted = numerals.check()
        numerals.require(counted)
        coverage = counted.summary
    quotes.check(source, ledger, folder.claims)
    verdicts = judge(ledger, results)
    shared, recorded = citation.publication(url, results, source), verdicts_on_record(results, ledger)
    html = render.render(results, drawn, source, words, verdicts, unchecked, recorded, coverage, shared, packed)
    return Page(html, render.not_found_page(shared.url), verdicts, shared, coverage)


def verdicts_on_record(results: Results, ledger: tuple[Claim, ...]) -> dict[str, str]:
    """The verdicts on the record's numbers, if this study was measured here and can be compared with the record."""
    record = records.read() if results["record_comparison"] else None
    return {judged.claim.id: judged.verdict for judged in judge(ledger, record)} if record else {}
