"""Results, figures and the article → the page. The only importer of jinja2.

The page is one file: its style is in it, its figures are inline SVG, and nothing is fetched.
"""

from __future__ import annotations

import base64
import hashlib
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, TemplateError, TemplateSyntaxError
from markupsafe import Markup

from experiments.errors import UserError, shown
from experiments.figures import Figure
from report import article as articles
from report.claims import Verdict

ROOT = Path(__file__).parent.parent
SETTINGS = ROOT / "report" / "prose" / "article.toml"
TEMPLATES = (ROOT / "templates", ROOT / "report" / "prose")


def render(
    results: Mapping[str, Any],
    figures: Mapping[str, Figure],
    article: articles.Article,
    settings: Mapping[str, Any],
    ledger: Sequence[Verdict] = (),
    templates: tuple[Path, ...] = TEMPLATES,
) -> str:
    """The page as HTML. `settings` is prose/article.toml: how the study speaks of this article.

    Raises `UserError` with file and line for a mistake in a template or a value it asks for in vain.
    """
    environment = Environment(
        loader=FileSystemLoader(templates),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(
        percent=percent, points=points, p_value=p_value, measure=measure, thousands=thousands, count=count
    )
    try:
        style = environment.get_template("style.css").render()
        return environment.get_template("page.html").render(
            results=results,
            dataset=results["dataset"],
            data_name={"mnist": "MNIST", "digits": "scikit-learn’s small digits"}[results["dataset"]["name"]],
            contrasts={contrast["name"]: contrast for contrast in results["contrasts"]},
            figures={name: {"figure": figure, "svg": Markup(figure.svg)} for name, figure in figures.items()},
            article=article,
            parts=_parts(article, settings["code_blocks"], results),
            questions=settings["figures"],
            ledger=ledger,
            verdict_counts=Counter(judged.verdict for judged in ledger).most_common(),
            style=Markup(style),
            style_hash=_csp_hash(style),
        )
    except TemplateSyntaxError as error:
        raise UserError(f"{shown(error.filename or '?')}:{error.lineno}: {error.message}. Fix the template.") from error
    except (TemplateError, TypeError, KeyError, ValueError) as error:
        raise UserError(f"{_template_place(error, templates)}: {error}. Fix the template or what it names.") from error


def settings(path: Path = SETTINGS) -> dict[str, Any]:
    """How the study speaks of this article. Raises `UserError` where the file is not as expected."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        return {
            "code_blocks": list(found["code_blocks"]),
            "figures": [{"name": figure["name"], "question": figure["question"]} for figure in found["figures"]],
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(f"{shown(path)}: {error!r}. Expected code_blocks and [[figures]]. Mend this file.") from error


def _parts(article: articles.Article, code_blocks: Sequence[str], results: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The article's parts as HTML, each code block with the measured arm that it trains (None if not measured)."""
    arms = iter(code_blocks)
    found = []
    for part in article.parts:
        name = next(arms, None) if part.kind == "code" else None
        arm = results["arms"].get(name)
        found.append({"kind": part.kind, "html": Markup(articles.to_html(part)), "arm": arm, "arm_name": name})
    return found


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
