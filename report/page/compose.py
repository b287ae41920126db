"""Everything that the page is made of, read and checked, then rendered: article, claims, prose, results and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from experiments.analysis import records
from experiments.analysis.results import Results
from experiments.files.errors import UserError, display_path
from experiments.plots import figures
from report.article import document, quotes
from report.article.folder import ArticleFolder
from report.claims import robustness
from report.claims.model import Judged, Ledger
from report.claims.verdicts import judge
from report.page import citation, live, numerals, render


class Page(NamedTuple):
    """A page, and what besides it follows from the same results."""

    html: str
    not_found: str  # the site's 404.html
    ledger: Ledger
    verdicts: Sequence[Judged]
    robust: robustness.Robust
    shared: citation.Publication
    numerals: str  # how many numerals of the project's own prose are bound


def compose(
    folder: ArticleFolder,
    results: Results,
    drawn: Mapping[str, figures.Figure],
    url: str,
    packed: str,
    content: Mapping[str, Any],
    networks: str = "",
    version: str = "",
    robust: robustness.Robust | None = None,
) -> Page:
    """The page of `results`, which carries the evidence `packed`. Raises `UserError` where something does not fit.

    `content`: that evidence, or all of evidence.json; of both follows the same page. `networks`: that run in it, as the
    page carries them; "" for none. `version`: the name under which the page stays published, or "". `robust`: how
    robust the verdicts are, where that is known already.
    """
    words, source = render.load_prose(folder.prose), document.load(folder.article)
    ledger = folder.load_claims()
    coverage = ""
    if folder.is_default:  # another article's author has rules of their own
        counted = numerals.check()
        numerals.require(counted)
        coverage = counted.summary
    quotes.check(source, ledger.claims, folder.claims)
    _check_figures(folder, words, ledger, next(iter(drawn)))
    verdicts = judge(ledger, results)
    shared = citation.publication(url, results, source, page_version=version)
    recorded = verdicts_on_record(results, ledger)
    if robust is None:
        robust = robustness.of_page(ledger, results, content, folder.robustness)
    toy = live.view(networks, folder.load_live()) if networks else None
    html = render.render(
        results, drawn, source, words, ledger, verdicts, recorded, robust, coverage, shared, packed, toy
    )
    return Page(html, render.not_found_page(shared.site), ledger, verdicts, robust, shared, coverage)


def _check_figures(folder: ArticleFolder, words: render.Prose, ledger: Ledger, first: str) -> None:
    """Raises `UserError` where a claim names a figure that the page never shows, however complete the study is.

    `first`: the figure at the top of the page. Which others a figures.py can draw, only its article.toml says.
    """
    if folder.figures and not words.figures:
        return
    known = dict.fromkeys((first, *dict(words.figures))) if words.figures else dict.fromkeys(figures.GENERIC)
    named = [(claim.id, claim.line, claim.figures) for claim in ledger.claims]
    named += [(prediction.id, prediction.line, prediction.figures) for prediction in ledger.predictions]
    for id_, line, names in named:
        for name in names:
            if name not in known:
                raise UserError(
                    f"{display_path(folder.claims)}:{line}: '{id_}' names the figure '{name}', which the page does not "
                    f"have. Expected one of {', '.join(known)}. Fix its figures."
                )


def verdicts_on_record(results: Results, ledger: Ledger) -> dict[str, dict[str, str]]:
    """The verdicts on the record's numbers, by claim and part.

    None unless this study was measured here and can be compared with the record.
    """
    record = records.read() if results["record_comparison"] else None
    if not record:
        return {}
    return {
        judged.claim.id: {part: verdict.verdict for part, verdict in judged.verdicts.items()}
        for judged in judge(ledger, record, turns=False)
    }
