"""Results, figures and the article → the page. The only importer of jinja2.

The page is one file: its style is in it, its figures are inline SVG, and nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, Template, TemplateError, TemplateSyntaxError
from jinja2.sandbox import SandboxedEnvironment as Environment  # notes come with the claims, from anybody
from markupsafe import Markup

from experiments.analysis.results import Results, Summary
from experiments.files.errors import UserError, display_path
from experiments.files.toml import TEXT, TEXTS, TomlReader, TomlTable
from experiments.plots import formats
from experiments.plots.figures import Figure
from report.article import document, quotes
from report.claims import margins
from report.claims.model import Verdict
from report.page import measured, view
from report.page.citation import Publication
from report.page.passport import passport

ROOT = Path(__file__).parents[2]
TEMPLATES = (ROOT / "templates",)
PROSE = ROOT / "report" / "mse_tanh" / "prose"
DATA_NAMES = {"mnist": "MNIST", "digits": "scikit-learn’s small digits"}


@dataclass(frozen=True)
class Prose:
    """The project's own words about one article: a folder of templates, and article.toml with what stands where.

    code_blocks: the arm that each of the article's code blocks trains, in their order.
    figures: name and question, in the order of the page. notes: (words of the article, the note after their block).
    changes: what a contrast changes, in words, by its name. view: what the templates decide by, see `report.page.view`.
    """

    folder: Path
    code_blocks: tuple[str, ...] = ()
    figures: tuple[tuple[str, str], ...] = ()
    notes: tuple[tuple[str, str], ...] = ()
    changes: Mapping[str, str] = field(default_factory=dict)
    view: Callable[[Summary], object] = lambda results: None

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()


def prose(folder: Path = PROSE) -> Prose:
    """Reads the prose in `folder`; none where there is no article.toml. Raises `UserError` for a mistake in it."""
    path = folder / "article.toml"
    if not os.path.lexists(path):
        return Prose(folder, view=view.load(folder.parent))
    article = TomlReader(path, "Expected code_blocks, [changes], [[figures]] and [[notes]].").root
    article.reject_unknown(("code_blocks", "changes", "figures", "notes"))
    changes = article.table("changes", required=False)
    return Prose(
        folder,
        tuple(article.get_valid("code_blocks", TEXTS, default=())),
        _pairs(article, "figures", ("name", "question")),
        _pairs(article, "notes", ("after", "text")),
        {name: changes.get_valid(name, TEXT) for name in changes.values},
        view.load(folder.parent),
    )


def _pairs(article: TomlTable, name: str, keys: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    """The texts under these two keys in each table that is headed [[name]]."""
    tables = article.list_of_tables(name)
    for table in tables:
        table.reject_unknown(keys)
    return tuple((table.get_valid(keys[0], TEXT), table.get_valid(keys[1], TEXT)) for table in tables)


def render(
    results: Results,
    figures: Mapping[str, Figure],
    article: document.Article,
    words: Prose,
    verdicts: Sequence[Verdict],
    unchecked: Mapping[str, Sequence[str]],
    recorded: Mapping[str, str] | None = None,
    numerals: str = "",
    shared: Publication | None = None,
    evidence: str = "",
    templates: tuple[Path, ...] = TEMPLATES,
) -> str:
    """The page as HTML. `words` is how the study speaks of this article; `unchecked` are sentences, by the reason why;
    `recorded` are the verdicts on the record's numbers, by claim, where there are others to hold against them;
    `numerals` says how many numbers of the prose were found to be bound; `shared` is what others find and cite;
    `evidence` is what the page is derived from, packed.

    Raises `UserError` with file and line for a mistake in a template, a value it asks for in vain, or words that are
    not in the article.
    """
    folders = (*templates, words.folder)
    environment = _environment(folders)
    order = _in_order(article, verdicts)
    numbers = measured.Measured(results)
    known: dict[str, Any] = {
        "results": results,
        "page": view.page_view(results, figures, order, recorded or {}, words.changes, dict(words.figures)),
        "v": words.view(results),
        "dataset": results["dataset"],
        "data_name": DATA_NAMES.get(results["dataset"]["name"], results["dataset"]["name"]),
        "contrasts": {contrast["name"]: contrast for contrast in results["contrasts"]},
        "lead": numbers.lead,  # for notes, which come with the claims
        "cal": numbers.calibration,
        "figures": {
            name: {"figure": figure, "svg": Markup(figure.svg), "passport": passport(results, figure)}
            for name, figure in figures.items()
        },
        "article": article,
        "words": words,
        "questions": _questions(words, figures),
        "ledger": order,
        "numerals": numerals,
        "shared": shared,
        "evidence": evidence,
        "sentences": quotes.sort(article, [judged.claim.quote for judged in order], unchecked),
    }
    known["written"] = lambda text: Markup(_compiled(environment, text).render(known))
    try:
        known |= _style(environment)
        parts = _parts(article, words, order, results, known["written"])
        return slim(environment.get_template("page.html").render(known, parts=parts))
    except TemplateSyntaxError as error:
        raise UserError(
            f"{display_path(error.filename or '?')}:{error.lineno}: {error.message}. Fix the template."
        ) from error
    except _TEMPLATE_ERRORS as error:
        raise UserError(f"{_template_place(error, folders)}: {error}. Fix the template or what it names.") from error


# What a template raises that asks for what it should not: it is a program, and anybody may write one.
_TEMPLATE_ERRORS = (TemplateError, ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)


def _compiled(environment: Environment, text: str) -> Template:
    """A note as a template. Raises `UserError` where it is none: it has no file to name, so its words are named."""
    try:
        return environment.from_string(text)
    except TemplateSyntaxError as error:
        raise UserError(f"the note '{text[:80]} …': {error.message}. Mend it in the claims or the prose.") from error


def missing(url: str) -> str:
    """What stands at every address where nothing is; it leads to the page, which is published at `url`."""
    environment = _environment(TEMPLATES)
    return environment.get_template("404.html").render(_style(environment), home=url or "index.html")


def readme(results: Summary, verdicts: Sequence[Verdict], words: Prose) -> str:
    """What the README says was found, as Markdown, by the template readme.md of the prose."""
    labels = [*words.changes.values()]
    known = {
        "results": results,
        "v": words.view(results),
        "changes": sorted(measured.changes(results, words.changes), key=lambda change: labels.index(change.label)),
        "ledger": verdicts,
        "verdict_counts": view.verdict_counts([judged.verdict for judged in verdicts]),
    }
    return _environment((words.folder,)).get_template("readme.md").render(known)


def _style(environment: Environment) -> dict[str, str]:
    """The style sheet and the script, and what the Content-Security-Policy calls them."""
    texts = {"style": environment.get_template("style.css"), "script": environment.get_template("script.js")}
    known: dict[str, str] = {}
    for name, template in texts.items():
        text = template.render()
        known |= {name: Markup(text), f"{name}_hash": _csp_hash(text)}
    return known


def _environment(folders: tuple[Path, ...]) -> Environment:
    environment = Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        **formats.FILTERS, told=margins.format_value, css_class=css_class, csp_hash=_csp_hash,
    )  # fmt: skip
    environment.globals.update(math=math)
    return environment


def _questions(words: Prose, figures: Mapping[str, Figure]) -> list[dict[str, str]]:
    """The figures after the first one, each with its question and the prose before it; without questions, all."""
    asked = words.figures or tuple((name, "") for name in list(figures)[1:])
    found = [(name, question) for name, question in asked if name in figures]
    texts = {name: f"why/{name}.html" for name, _ in found}
    return [
        {"name": name, "question": question, "text": texts[name] if words.has(texts[name]) else ""}
        for name, question in found
    ]


def _in_order(article: document.Article, verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts in the order in which the article says what they judge."""
    text = " ".join(" ".join(part.source for part in article.parts).split())
    return sorted(verdicts, key=lambda judged: text.find(" ".join(judged.claim.quote[0].split())))


def _parts(
    article: document.Article,
    words: Prose,
    ledger: Sequence[Verdict],
    results: Results,
    rendered: Callable[[str], str],
) -> list[dict[str, Any]]:
    """The article's parts as HTML with marks and notes, each code block with the measured arm that it trains."""
    marks = [
        quotes.Mark(judged.claim.id, judged.claim.quote, f"{number} {judged.verdict}", css_class(judged.verdict))
        for number, judged in enumerate(ledger, 1)
    ]
    notes = [quotes.Note(after, f'<div class="note" role="note">{rendered(text)}</div>') for after, text in words.notes]
    marker = quotes.Marker(marks, notes)
    arms = iter(words.code_blocks)
    rendering = document.Rendering(article.parts)
    found = []
    for part in article.parts:
        name = next(arms, None) if part.kind == "code" else None
        html = Markup(rendering.html(part, marker.mark))
        found.append({"kind": part.kind, "html": html, "arm": results["arms"].get(name or ""), "arm_name": name})
    if marker.unplaced:
        raise UserError(f"The article nowhere says '{marker.unplaced[0]}'. Quote it word for word, in its own order.")
    return found


def slim(html: str) -> str:
    """`html` without indentation and without the end tags that HTML lets go unsaid: a tenth less, the same page."""
    found = re.split(r"(<(?:pre|script|style)\b.*?</(?:pre|script|style)>)", html, flags=re.DOTALL)
    found[::2] = [re.sub(r"</(?:td|th|tr|li|thead|tbody)>", "", re.sub(r"\n\s+", "\n", part)) for part in found[::2]]
    return "".join(found)


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
    """What a Content-Security-Policy calls the element whose whole content is `text`."""
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
