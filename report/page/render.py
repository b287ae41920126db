"""Results, figures and the article → the page. Only this and `compiled` beside it import jinja2.

The page is one file: its style is in it, its figures are inline SVG, and nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment as AnyEnvironment
from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from jinja2.loaders import split_template_path
from jinja2.sandbox import SandboxedEnvironment as Environment  # notes come with the claims, from anybody
from markupsafe import Markup, escape

from experiments.analysis.results import Results, Summary
from experiments.files import reading
from experiments.files.errors import UserError, display_path
from experiments.files.toml import TEXT, TEXTS, TomlReader, TomlTable
from experiments.plots import formats, svg
from experiments.plots.figures import Figure
from report.article import document, quotes
from report.article.folder import DEFAULT, PROSE_HINT
from report.claims.model import Judged, Ledger
from report.claims.robustness import Robust
from report.page import machines, measured, minify, view
from report.page.citation import Publication
from report.page.compiled import Compiled
from report.page.live import LiveView
from report.page.passport import passport
from report.page.tables import merged

ROOT = Path(__file__).parents[2]
TEMPLATES = (ROOT / "templates",)


@dataclass(frozen=True)
class Prose:
    """The project's own words about one article: a folder of templates, and article.toml with what stands where.

    code_blocks: the arm that each of the article's code blocks trains, in their order.
    figures: name and question, in the order of the page; folded: the names of those that are folded up; groups: title
    and names of those that are folded up under a small heading; finding: of the one whose title describes the page in
    previews of links, "" for the first.
    notes: (words of the article, the note after their block).
    changes: what a contrast changes, in words, by its name. view: what the templates decide by, see `report.page.view`.
    """

    folder: Path
    code_blocks: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    folded: tuple[str, ...] = ()
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    finding: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    view: Callable[[Summary], object] = field(default=lambda results: None, compare=False)

    @property
    def is_default(self) -> bool:
        """Whether it is about this project's own article."""
        return self.folder == DEFAULT / "prose"

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()


def load_prose(folder: Path) -> Prose:
    """Reads the prose in `folder`; empty where there is no article.toml. Raises `UserError` for a mistake in it."""
    path = folder / "article.toml"
    decide = view.load(folder.parent)
    if not os.path.lexists(path):
        return Prose(folder, view=decide)
    article = TomlReader(path, PROSE_HINT).root
    article.reject_unknown(("code_blocks", "folded", "groups", "finding", "changes", "figures", "notes", "live"))
    changes = article.table("changes", required=False)
    return Prose(
        folder,
        tuple(article.get_valid("code_blocks", TEXTS, default=())),
        _pairs(article, "figures", ("name", "question")),
        tuple(article.get_valid("folded", TEXTS, default=())),
        _groups(article),
        article.get_valid("finding", TEXT, default=""),
        _pairs(article, "notes", ("after", "text")),
        {name: changes.get_valid(name, TEXT) for name in changes.values},
        decide,
    )


def _pairs(article: TomlTable, name: str, keys: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """The texts under these two keys in each table that is headed [[name]]."""
    tables = article.list_of_tables(name)
    for table in tables:
        table.reject_unknown(keys)
    return tuple((table.get_valid(keys[0], TEXT), table.get_valid(keys[1], TEXT)) for table in tables)


def _groups(article: TomlTable) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Title and names of figures in each table that is headed [[groups]]."""
    tables = article.list_of_tables("groups")
    for table in tables:
        table.reject_unknown(("title", "figures"))
    return tuple((table.get_valid("title", TEXT), tuple(table.get_valid("figures", TEXTS))) for table in tables)


def render(
    results: Results,
    figures: Mapping[str, Figure],
    article: document.Article,
    words: Prose,
    ledger: Ledger,
    verdicts: Sequence[Judged],
    recorded: Mapping[str, Mapping[str, str]] | None = None,
    robustness: Robust | None = None,
    numerals: str = "",
    shared: Publication | None = None,
    evidence: str = "",
    live: LiveView | None = None,
    templates: tuple[Path, ...] = TEMPLATES,
) -> str:
    """The page as HTML.

    words: the prose about this article; recorded: the verdicts on the record's numbers, by claim and part, to compare
    with; robustness: of the verdicts, by claim and part; numerals: how many numbers of the prose are bound, in words;
    shared: how others find and cite the page; evidence: what the page is derived from, packed; live: the networks that
    run in it.

    Raises `UserError` with file and line for a mistake in a template, a missing value, or words that are not in the
    article.
    """
    folders = (*templates, words.folder)
    environment = _environment(folders)
    ordered = _in_article_order(article, verdicts)
    sections = {judged.claim.id: quotes.section(article, judged.claim.quote[0]) for judged in ordered}
    rows = view.claim_rows(
        results, figures, ordered, recorded or {}, dict(words.figures), ledger, robustness or {}, sections
    )
    page = view.page_view(
        results,
        figures,
        rows,
        recorded or {},
        words.changes,
        dict(words.figures),
        ledger,
        not words.is_default,
        robustness,
        words.finding,
    )
    context: dict[str, object] = {
        **_context(results, figures, words),
        "page": page,
        "article": article,
        "numerals": numerals,
        "shared": shared,
        "reviews": machines.claim_reviews(shared, rows),
        "evidence": evidence,
        "live": live,
        "sentences": quotes.sort(article, [judged.claim.quote for judged in ordered], ledger.unchecked),
    }

    def written(text: str) -> str:
        return _render_note(environment, text, context)

    context["written"] = written
    try:
        context |= _style(environment, live is not None)
        parts = _parts(article, words, rows, results, written, live)
        return slim(environment.get_template("page.html").render(context, parts=parts))
    except TemplateSyntaxError as error:
        raise UserError(
            f"{display_path(error.filename or '?')}:{error.lineno}: {error.message}. Fix the template."
        ) from error
    except _TEMPLATE_ERRORS as error:
        place = _template_place(error, folders)
        raise UserError(f"{place}: {_reason(error)}. Fix the template or what it names.") from error


def _context(results: Results, figures: Mapping[str, Figure], words: Prose) -> dict[str, object]:
    """What templates and notes name of the results, the figures and the prose."""
    dataset, numbers, questions = results["dataset"], measured.Measured(results), _questions(words, figures)
    ordered = {name: figures[name] for name in dict.fromkeys([next(iter(figures)), *questions.names, *figures])}
    return {
        "results": results,
        "v": words.view(results),
        "dataset": dataset,
        "data_name": view.data_name(dataset["name"]),
        "contrasts": {contrast["name"]: contrast for contrast in results["contrasts"]},
        "lead": numbers.lead,  # for notes, which come with the claims
        "cal": numbers.calibration,
        "figures": {
            name: {
                "figure": figure,
                "svg": Markup(figure.svg),
                "states": _states(figure),
                "parts": [Markup(part) for part in svg.parts(figure.svg, name)],
                "rows": merged(figure.rows),
                "passport": passport(results, figure),
                "number": number,
            }
            for number, (name, figure) in enumerate(ordered.items(), 1)
        },
        "words": words,
        "questions": questions,
        "closing": [(name, heading) for name, heading in CLOSING.items() if words.has(f"{name}.html")],
    }


CLOSING = {  # the sections after the claims that an article's prose may have, by their template
    "right": "What it gets right",
    "others": "What others found",
    "limits": "Limits",
}


def _states(figure: Figure) -> list[svg.State]:
    """The drawing of each state of a figure; each is named by its row of the table for those who hear it."""
    words = [
        (row[0], "; ".join(f"{column}: {cell}" for column, cell in zip(figure.columns, row, strict=True)))
        for row in figure.rows
    ]
    return [state._replace(svg=Markup(state.svg)) for state in svg.states(figure.svg, figure.name, words)]


# What a faulty template can raise: it is a program, and anybody may write one.
_TEMPLATE_ERRORS = (
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)


def _render_note(environment: Environment, text: str, context: Mapping[str, object]) -> str:
    """A note as HTML. Raises `UserError` for a mistake in it; a note has no file, so its words say where."""
    try:
        return Markup(environment.from_string(text).render(context).strip())
    except _TEMPLATE_ERRORS as error:
        raise UserError(f"the note '{text[:80]} …': {_reason(error)}. Fix it in the claims or the prose.") from error


def _reason(error: Exception) -> str:
    """What is wrong, without the place, which templates and notes have in different ways."""
    message = error.message if isinstance(error, TemplateError) else str(error)
    return message or type(error).__name__


def not_found_page(url: str) -> str:
    """The page for addresses that do not exist; it links to the report, which is published at `url`."""
    environment = _environment(TEMPLATES)
    return environment.get_template("404.html").render(_style(environment), home=url or "index.html")


def versions_page(context: Mapping[str, object]) -> str:
    """The list of versions, from what its template names: see `report.sharing.versions`."""
    environment = _environment(TEMPLATES)
    return slim(environment.get_template("versions.html").render(_style(environment), **context))


def way_up_page() -> str:
    """The page beside a version without an address, which leads to the list of versions two folders above."""
    return _environment(TEMPLATES).get_template("way-up.html").render()


def readme(results: Summary, words: Prose) -> str:
    """The README's findings as Markdown, from the template readme.md of the prose."""
    labels = [*words.changes.values()]
    context = {
        "results": results,
        "v": words.view(results),
        "changes": sorted(measured.changes(results, words.changes), key=lambda change: labels.index(change.label)),
    }
    return _environment((words.folder,)).get_template("readme.md").render(context)


def _style(environment: Environment, live: bool = False) -> dict[str, str]:
    """Style sheet and script, with their hashes for the Content-Security-Policy. live: with what networks need."""
    style: dict[str, str] = {}
    for name, file, shorten in (("style", "style.css", minify.style), ("script", "script.js", minify.script)):
        text = shorten(environment.get_template(file).render(live=live))
        style |= {name: Markup(text), f"{name}_hash": _csp_hash(text)}
    return style


class _Loader(FileSystemLoader):
    """Reads templates as safely as any other file that somebody else may write."""

    def get_source(self, environment: AnyEnvironment, template: str) -> tuple[str, str, Callable[[], bool]]:
        for folder in map(Path, self.searchpath):
            path = folder.joinpath(*split_template_path(template))
            if path.is_file():
                _check_template(path, folder)
                break
        return super().get_source(environment, template)


def _check_template(path: Path, folder: Path) -> None:
    if not path.resolve().is_relative_to(folder.parent.resolve()):
        raise UserError(
            f"{display_path(path)}: a link to a file elsewhere. Expected a template in the article's folder. "
            "Copy that file there, if the page may show it."
        )
    reading.read_text(path, "Expected a template.")  # refuses what is too large, or hides something


@cache  # and with it the compiled templates, for the next page of this process
def _environment(folders: tuple[Path, ...]) -> Environment:
    environment = Environment(
        loader=_Loader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        bytecode_cache=Compiled(),
    )
    environment.filters.update(
        **formats.FILTERS,
        css_class=css_class,
        csp_hash=_csp_hash,
        marked_indents=marked_indents,
        bold_answer=bold_answer,
        unbroken=unbroken,
    )
    # Jinja's own functions are gone, and what is different each time: a page must follow from its evidence.
    environment.globals = {"math": math}
    del environment.filters["random"]
    return environment


class Asked(NamedTuple):
    """A figure under the question that it answers; text: the template with the prose before it, or ""."""

    name: str
    question: str
    text: str


class Group(NamedTuple):
    """Folded figures under a small heading, their title, which is "" for those that are in no group."""

    title: str
    figures: list[Asked]

    @property
    def level(self) -> int:
        """Of the headings of its questions."""
        return 4 if self.title else 3


class Questions(NamedTuple):
    shown: list[Asked]
    folded: list[Group]

    @property
    def names(self) -> list[str]:
        """The figures in the page's order."""
        return [asked.name for asked in (*self.shown, *(asked for group in self.folded for asked in group.figures))]


def _questions(words: Prose, figures: Mapping[str, Figure]) -> Questions:
    """The figures after the first one; without questions, all are shown."""
    all_questions = words.figures or tuple((name, "") for name in list(figures)[1:])
    drawn = [(name, question) for name, question in all_questions if name in figures]
    texts = {name: f"why/{name}.html" for name, _ in drawn}
    asked = [Asked(name, question, texts[name] if words.has(texts[name]) else "") for name, question in drawn]
    groups = [("", words.folded), *words.groups]
    folded = [Group(title, [one for one in asked if one.name in names]) for title, names in groups]
    shown = [one for one in asked if not any(one in group.figures for group in folded)]
    return Questions(shown, [group for group in folded if group.figures])


def _in_article_order(article: document.Article, verdicts: Sequence[Judged]) -> list[Judged]:
    """The verdicts in the order in which the article makes their claims."""
    text = quotes.plain_words(" ".join(part.source for part in article.parts))
    return sorted(verdicts, key=lambda judged: text.find(quotes.plain_words(judged.claim.quote[0])))


def _parts(
    article: document.Article,
    words: Prose,
    rows: Sequence[view.ClaimRow],
    results: Results,
    render_note: Callable[[str], str],
    live: LiveView | None,
) -> list[dict[str, object]]:
    """The article's parts as HTML with marks and notes, each code block with the measured arm that it trains.

    network: the number of the arm's network that runs in the page, which chooses its colour; None where none does.
    """
    marks = [
        quotes.Mark(row.claim.id, row.claim.quote, str(row.number), tuple(_half(part) for part in row.asked))
        for row in rows
    ]
    notes = [
        quotes.Note(after, f'<div class="note" role="note">{render_note(text)}</div>') for after, text in words.notes
    ]
    marker = quotes.Marker(marks, notes)
    arms, numbers = iter(words.code_blocks), measured.Measured(results)
    networks = {network.copied["arm"]: network.number for network in (live.networks if live else ())}
    rendering = document.Rendering(article.parts)
    parts: list[dict[str, object]] = []
    for part in article.parts:
        name = next(arms, None) if part.kind == "code" else None
        html = Markup(rendering.html(part, marker.mark))
        arm, training = results["arms"].get(name or ""), numbers.mean(name or "", "training_accuracy")
        shown = {"kind": part.kind, "html": html, "arm": arm, "network": networks.get(name or "")}
        parts.append({**shown, "training_accuracy": training})
    if marker.unplaced:
        raise UserError(f"The article nowhere says '{marker.unplaced[0]}'. Quote it word for word, in its own order.")
    return parts


def _half(part: view.PartRow) -> quotes.Half:
    verdict = f"{part.verdict}, {view.CLOSE_CALL}" if part.close else part.verdict
    drawings = (part.mark, "g-close") if part.close else (part.mark,)
    return quotes.Half(part.label, verdict, f"{part.question.part} {css_class(part.verdict)}", drawings, part.because)


OPTIONAL_END = re.compile(  # a paragraph also ends where such an element begins, or where the one around it ends
    r"</(?:td|th|tr|li|thead|tbody)>"
    r"|</p>(?=\s*<(?:(?:p|ul|ol|dl|div|table|h[1-6]|figure|section|aside)\b|/(?:div|section|aside|article|footer)>))"
)


def slim(html: str) -> str:
    """`html` without indentation and without optional end tags: a tenth smaller, the same page."""
    pieces = re.split(r"(<(?:pre|script|style)\b.*?</(?:pre|script|style)>)", html, flags=re.DOTALL)
    pieces[::2] = [OPTIONAL_END.sub("", re.sub(r"\n\s+", "\n", part)) for part in pieces[::2]]
    return "".join(pieces)


CHANGE = re.compile(r"(?:<del>.*?</del>)+(?:<ins>.*?</ins>)*", re.DOTALL)
CHANGED_LINE = re.compile(r"(?<=<(?:del|ins)>[-+]) *")


def marked_indents(html: str) -> Markup:
    """`html`, in whose changes of code an element holds the blanks that all lines of a change begin with.

    A style sheet can leave them out where there is no room.
    """

    def marked(change: re.Match[str]) -> str:
        least = min(CHANGED_LINE.findall(change[0]))
        indent = f'<span class="indent">{least}</span>'
        return CHANGED_LINE.sub(lambda blanks: indent + blanks[0].removeprefix(least), change[0])

    return Markup(CHANGE.sub(marked, html))


OPENING = re.compile(r"\A\w+:(?= )")


def bold_answer(finding: str) -> Markup:
    """A finding whose first word stands out where a colon follows it, as in "No: …"."""
    return Markup(OPENING.sub(r"<strong>\g<0></strong>", str(escape(finding))))


def unbroken(finding: str) -> str:
    """A finding in which no line ends before a percent sign; drawings, which have it too, need an ordinary space."""
    return finding.replace(" %", f"{formats.NARROW}%")


def css_class(verdict: str) -> str:
    return "v-" + verdict.replace(" ", "-")


def math(tex: str, display: bool = True) -> Markup:
    """TeX as MathML, which browsers draw without a script. Raises `ValueError` for what is not TeX."""
    from math_core import LatexError, LatexToMathML

    try:
        return Markup(LatexToMathML().convert_with_local_state(tex, displaystyle=display))
    except LatexError as error:
        raise ValueError(f"math({tex!r}): {error}") from error


def _csp_hash(text: str) -> str:
    """The hash by which a Content-Security-Policy allows an element with the content `text`."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def _template_place(error: BaseException, templates: tuple[Path, ...]) -> str:
    """File and line of the template in which `error` arose."""
    place, traceback = "the page's templates", error.__traceback__
    while traceback:
        path = Path(traceback.tb_frame.f_code.co_filename)
        if any(folder in path.parents for folder in templates):
            place = f"{display_path(path)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place
