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

from experiments.files import reading
from experiments.files.errors import UserError, shown
from experiments.plots.figures import Figure
from report.article import document, quotes
from report.claims import claims
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
    view: Callable[[Mapping[str, Any]], object] = lambda results: None

    def has(self, name: str) -> bool:
        return (self.folder / name).is_file()


def prose(folder: Path = PROSE) -> Prose:
    """Reads the prose in `folder`; none where there is no article.toml. Raises `UserError` for a mistake in it."""
    path = folder / "article.toml"
    if not os.path.lexists(path):
        return Prose(folder, view=view.load(folder.parent))
    expected = "Expected code_blocks, [changes], [[figures]] with name and question, [[notes]] with after and text."
    found = {"code_blocks": [], "changes": {}, "figures": [], "notes": [], **reading.read_toml(path, expected)[0]}
    right = {
        "code_blocks": _are_texts(found["code_blocks"]),
        "changes": isinstance(found["changes"], dict) and _are_texts(list(found["changes"].values())),
        "figures": _are_tables(found["figures"], "name", "question"),
        "notes": _are_tables(found["notes"], "after", "text"),
    }
    for key in found:
        if not right.get(key):
            raise UserError(f"{shown(path)}: '{key}' may not be there, or not so. {expected} Mend it.")
    return Prose(
        folder,
        tuple(found["code_blocks"]),
        tuple((figure["name"], figure["question"]) for figure in found["figures"]),
        tuple((note["after"], note["text"]) for note in found["notes"]),
        found["changes"],
        view.load(folder.parent),
    )


def _are_texts(values: Any) -> bool:
    return isinstance(values, list) and all(isinstance(value, str) and value.strip() for value in values)


def _are_tables(values: Any, *keys: str) -> bool:
    """Whether it is a list of tables with texts under exactly these keys."""
    tables = isinstance(values, list) and all(isinstance(value, dict) and set(value) == set(keys) for value in values)
    return tables and all(_are_texts(list(table.values())) for table in values)


def render(
    results: Mapping[str, Any],
    figures: Mapping[str, Figure],
    article: document.Article,
    words: Prose,
    verdicts: Sequence[claims.Verdict],
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
    known = {
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
        raise UserError(f"{shown(error.filename or '?')}:{error.lineno}: {error.message}. Fix the template.") from error
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


def readme(results: Mapping[str, Any], verdicts: Sequence[claims.Verdict], words: Prose) -> str:
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
        percent=percent, points=points, p_value=p_value, measure=measure, thousands=thousands, count=count,
        signed=signed, setting=setting, share=share, ratio=ratio, told=claims.told, css_class=css_class,
        csp_hash=_csp_hash, listed=listed,
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


def _in_order(article: document.Article, verdicts: Sequence[claims.Verdict]) -> list[claims.Verdict]:
    """The verdicts in the order in which the article says what they judge."""
    text = " ".join(" ".join(part.source for part in article.parts).split())
    return sorted(verdicts, key=lambda judged: text.find(" ".join(judged.claim.quote[0].split())))


def _parts(
    article: document.Article,
    words: Prose,
    ledger: Sequence[claims.Verdict],
    results: Mapping[str, Any],
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
        found.append({"kind": part.kind, "html": html, "arm": results["arms"].get(name), "arm_name": name})
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
            place = f"{shown(path)}:{traceback.tb_lineno}"
        traceback = traceback.tb_next
    return place


# ---------------------------------------------------------------------------------------------- filters

NARROW = "\u202f"  # a thin space that does not break


def percent(fraction: float, digits: int = 2) -> str:
    """0.9714 → 97.14 %"""
    return f"{100 * fraction:.{digits}f}{NARROW}%".replace("-", "−")


def points(difference: float, digits: int = 2, signed: bool = True) -> str:
    """A difference of two fractions in percentage points: 0.0031 → +0.31"""
    text = f"{100 * difference:+.{digits}f}" if signed else f"{100 * difference:.{digits}f}"
    return text.replace("-", "−")


def p_value(p: float) -> str:
    """0.00195 → 0.002; below 0.001: < 0.001"""
    return f"{p:.3f}" if p >= 0.001 else f"<{NARROW}0.001"


def signed(number: float) -> str:
    """A target or another plain number with a true minus: -0.5 → −0.5"""
    return f"{number:g}".replace("-", "−")


def setting(value: float | str) -> str:
    """What a run is configured with, as words: −0.5, mean squared error."""
    if isinstance(value, str):
        return value.replace("_", " ") or "none"
    return signed(value) if value < 1000 else thousands(int(value))


MAX_VALUES = 20  # that are listed; of more, the first and the last


def listed(values: Sequence[float | str]) -> str:
    """What runs are configured with, in order: 0.001, 0.003; of many, from where to where."""
    if len(values) <= MAX_VALUES:
        return ", ".join(map(setting, values))
    return f"{len(values):,} values from {setting(values[0])} to {setting(values[-1])}"


def share(fraction: float | None, digits: int = 1) -> str:
    """0.0123 → 1.2 %; None → not measured."""
    return "not measured" if fraction is None else percent(fraction, digits)


def ratio(value: float | None) -> str:
    """A positive ratio in two digits, a small one as a fraction: 0.81, 1/43,000; None → not measured."""
    if not value:
        return "not measured"
    return f"{value:.2g}" if value >= 0.01 else f"1/{float(f'{1 / value:.2g}'):,.0f}"


def measure(value: float | None) -> str:
    """A number of any size to three digits: 0.01137 → 0.0114; None → not measured."""
    return "not measured" if value is None else f"{value:.3g}".replace("-", "−")


def thousands(number: int) -> str:
    """60000 → 60,000"""
    return f"{number:,}"


def count(number: int) -> str:
    """Small numbers in words: 3 → three."""
    words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"]
    return words[number] if 0 <= number < len(words) else f"{number:,}"
