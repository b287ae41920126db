"""article.md → Article: its front matter, and its text in parts, prose and code, each with its line.

The words are the source's own. Raw HTML in them is shown, not obeyed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

import markdown
import yaml
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import HtmlStash
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from experiments.errors import UserError, shown

ARTICLE = Path(__file__).with_name("article.md")
_FENCE = re.compile(r"^(`{3,}|~{3,})\s*([\w+-]*)\s*$")


@dataclass(frozen=True)
class Part:
    """A stretch of the article: `kind` is "prose" (Markdown) or "code" (in `language`); `line` counts from 1."""

    kind: str
    source: str
    line: int
    language: str = ""


@dataclass(frozen=True)
class Article:
    """The source document. `date` is ISO 8601."""

    title: str
    date: str
    id: str
    parts: tuple[Part, ...]


def load(path: Path = ARTICLE) -> Article:
    """Reads the article at `path`. Raises `UserError` where its front matter is missing or incomplete."""
    try:
        text = path.read_bytes().decode("utf-8")
    except OSError as error:
        raise UserError(f"{shown(path)}: cannot be read: {error.strerror}. Expected the article.") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{shown(path)}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    lines = text.splitlines()
    end = lines.index("---", 1) if lines[:1] == ["---"] and "---" in lines[1:] else 0
    if not end:
        raise UserError(f"{shown(path)}:1: no front matter. Expected title, date and id between two lines of '---'.")
    try:
        front = yaml.safe_load("\n".join(lines[1:end])) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        raise UserError(f"{shown(path)}:{line}: front matter is not valid YAML. Fix this line.") from error
    for key in ("title", "date", "id"):
        if not isinstance(front, dict) or not front.get(key):
            raise UserError(f"{shown(path)}:1: front matter has no '{key}'. Expected title, date and id. Add it.")
    parts = _parts(lines[end + 1 :], end + 2, path)
    return Article(str(front["title"]), str(front["date"]), str(front["id"]), parts)


def _parts(lines: list[str], first_line: int, path: Path) -> tuple[Part, ...]:
    """Splits at code fences."""
    parts: list[Part] = []
    held: list[str] = []
    start, fence, language = first_line, "", ""
    for number, line in enumerate(lines, first_line):
        match = _FENCE.match(line)
        if fence and line.strip() == fence:
            parts.append(Part("code", "\n".join(held), start, language))
            held, start, fence = [], number + 1, ""
        elif match and not fence:
            if any(text.strip() for text in held):
                parts.append(Part("prose", "\n".join(held), start))
            held, start, fence, language = [], number + 1, match[1], match[2]
        else:
            held.append(line)
    if fence:
        raise UserError(f"{shown(path)}:{start - 1}: this code block is never closed. Add a line '{fence}' after it.")
    if any(text.strip() for text in held):
        parts.append(Part("prose", "\n".join(held), start))
    return tuple(parts)


def to_html(part: Part, mark: Callable[[Element, HtmlStash], None] | None = None) -> str:
    """A part as HTML. Code is highlighted by CSS classes; a paragraph all in bold is the heading it stands for.

    `mark` may set something into the finished tree of a prose part.
    """
    if part.kind == "prose":
        return markdown.markdown(part.source, extensions=[_House(mark)], output_format="html")
    try:
        lexer = get_lexer_by_name(part.language or "text")
    except ClassNotFound:
        lexer = get_lexer_by_name("text")
    label = f"Code, {part.language or 'text'}, line {part.line} of the article"
    code = highlight(part.source, lexer, HtmlFormatter(nowrap=True))
    return f'<pre class="code" tabindex="0" role="region" aria-label="{label}"><code>{code}</code></pre>'


class _House(Extension):
    def __init__(self, mark: Callable[[Element, HtmlStash], None] | None):
        super().__init__()
        self.mark = mark

    def extendMarkdown(self, md: markdown.Markdown) -> None:
        md.preprocessors.deregister("html_block")
        md.inlinePatterns.deregister("html")
        md.treeprocessors.register(_Headings(md), "house_headings", 5)
        if self.mark:
            md.treeprocessors.register(_Marks(md, self.mark), "house_marks", 4)


class _Headings(Treeprocessor):
    """Bold-only paragraphs and the article's own headings become h3 to h6, below the page's."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            if element.tag == "p" and len(element) == 1 and element[0].tag == "strong":
                if not (element.text or "").strip() and not (element[0].tail or "").strip():
                    inner = element[0]
                    element.tag, element.text = "h3", inner.text
                    element[:] = list(inner)
            elif re.fullmatch("h[1-6]", element.tag):
                element.tag = f"h{min(6, int(element.tag[1]) + 2)}"


class _Marks(Treeprocessor):
    """Hands the tree to `mark`, once all else is done."""

    def __init__(self, md: markdown.Markdown, mark: Callable[[Element, HtmlStash], None]):
        super().__init__(md)
        self.mark, self.stash = mark, md.htmlStash

    def run(self, root: Element) -> None:
        self.mark(root, self.stash)
