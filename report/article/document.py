"""article.md → Article: its front matter, and its text in parts, prose and code, each with its line.

The words are the source's own. Raw HTML in them is shown, not obeyed; links lead to pages alone, nothing is fetched.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from html import unescape
from pathlib import Path
from xml.etree.ElementTree import Element

import markdown
import yaml
from markdown.extensions import Extension
from markdown.treeprocessors import Treeprocessor
from markdown.util import AMP_SUBSTITUTE, AtomicString, HtmlStash
from pygments import highlight
from pygments.formatters import HtmlFormatter
from pygments.lexer import Lexer
from pygments.lexers import get_lexer_by_name
from pygments.util import ClassNotFound

from experiments.files import reading
from experiments.files.errors import UserError, display_path
from report.article import dialect

PARAGRAPH, BRACKETS, DEPTH = 10_000, 100, 50  # more of them take Markdown minutes, or more stack than there is
FRONT_MATTER = 4000  # characters; YAML takes long over brackets, too
LINK = re.compile(r"(?:https?://|mailto:|#).*|[\w./~-]+(?:[?#].*)?", re.IGNORECASE | re.DOTALL)
IMAGE = re.compile(r"data:image/(?:png|jpeg|gif|webp);base64,[\w+/=]+", re.ASCII)
LANGUAGES = {  # other lexers may not come to an end
    *("python", "r", "julia", "matlab", "bash", "sql", "c", "cpp", "java", "javascript", "rust", "go"),
    *("json", "yaml", "toml", "html", "css"),
}
HIGHLIGHTED = 5000  # characters of code; a longer block is shown plain
COLOURED = (
    "k",
    "kn",
    "kc",
    "ow",
    "s1",
    "s2",
    "sa",
    "c1",
    "mi",
    "mf",
)  # kinds of words to which style.css gives a colour
_UNCOLOURED = re.compile(rf'<span class="(?!(?:{"|".join(COLOURED)})")\w+">([^<]*)</span>')
_FENCE = re.compile(  # and the language: `python`, `python title="a.py"`, `{python}`, `{.python #id}`
    r"(`{3,}(?!.*`)|~{3,})[\s{.]*((?:[a-z][\w+#-]*)?)", re.ASCII | re.IGNORECASE
)


@dataclass(frozen=True)
class Part:
    """A stretch of the article: `kind` is "prose" (Markdown) or "code" (in `language`); `line` counts from 1."""

    kind: str
    source: str
    line: int
    language: str = ""


@dataclass(frozen=True)
class Article:
    """The source document. `date` is ISO 8601: a day, or a month or year alone."""

    title: str
    date: str
    id: str
    parts: tuple[Part, ...]


def load(path: Path) -> Article:
    """Reads the article at `path`. Raises `UserError` where it is none, or Markdown does not get through it."""
    lines = reading.read_text(path, "Expected the article as Markdown.").splitlines()
    end = lines.index("---", 1) if lines[:1] == ["---"] and "---" in lines[1:] else 0
    if not end:
        raise UserError(
            f"{display_path(path)}:1: no front matter. Expected title, date and id between two lines of '---'."
        )
    title, day, id_ = _front_matter(lines[1:end], path)
    parts = _parts(lines[end + 1 :], end + 2, path)
    try:
        rendering = Rendering(parts)
        for part in parts:
            rendering.html(part)
    except _Unreadable as error:
        raise UserError(
            f"{display_path(path)}:{error.line}: {error}. Expected an article. Simplify what follows."
        ) from error
    return Article(title, day, id_, parts)


def _front_matter(lines: list[str], path: Path) -> tuple[str, str, str]:
    """Title, date and id, as they are written. Nothing else of YAML is obeyed: no types, aliases or merges."""
    text = "\n".join(lines)
    if len(text) > FRONT_MATTER:
        raise UserError(f"{display_path(path)}:1: front matter of more than {FRONT_MATTER} characters. Shorten it.")
    try:
        node = yaml.compose(text, Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        mark = getattr(error, "problem_mark", None)
        line = mark.line + 2 if mark else 1
        raise UserError(f"{display_path(path)}:{line}: front matter is not valid YAML. Fix this line.") from error
    fields: dict[str, str] = {}
    for key, value in node.value if isinstance(node, yaml.MappingNode) else []:
        place = f"{display_path(path)}:{key.start_mark.line + 2}"
        if not isinstance(key, yaml.ScalarNode) or key.value in fields:
            raise UserError(f"{place}: front matter says '{key.value}' twice. Keep one.")
        if isinstance(value, yaml.ScalarNode):
            fields[key.value] = value.value.strip()
        if key.value == "date" and fields.get("date") and not _is_date(fields["date"]):
            raise UserError(
                f"{place}: date is '{fields['date']}'. Expected a day, a month or a year, such as 2026-01-15. Fix it."
            )
    for key in ("title", "date", "id"):
        if not fields.get(key):
            raise UserError(
                f"{display_path(path)}:1: front matter has no '{key}'. Expected title, date and id. Add it."
            )
        if sign := reading.find_invisible_char(fields[key]):
            raise UserError(
                f"{display_path(path)}:1: '{key}' holds {sign}. Expected plain text. Remove that character."
            )
    return fields["title"], fields["date"], fields["id"]


def _is_date(text: str) -> bool:
    """Whether it is a day of ISO 8601, or a month or year alone, as `<time datetime>` takes them."""
    try:
        return bool(re.fullmatch(r"\d{4}(-\d\d){0,2}", text, re.ASCII) and date.fromisoformat(f"{text}-01-01"[:10]))
    except ValueError:
        return False


def _parts(lines: list[str], first_line: int, path: Path) -> tuple[Part, ...]:
    """Splits at code fences."""
    parts: list[Part] = []
    held: list[str] = []
    start, fence, language = first_line, "", ""
    for number, line in enumerate(lines, first_line):
        match = _FENCE.match(line)
        if fence and line.strip().startswith(fence) and not line.strip(f"{fence[0]} \t"):
            parts.append(Part("code", "\n".join(held), start, language))
            held, start, fence = [], number + 1, ""
        elif match and not fence:
            if any(text.strip() for text in held):
                parts.append(Part("prose", "\n".join(held), start))
            held, start, fence, language = [], number + 1, match[1], match[2]
        else:
            held.append(line)
    if fence:
        raise UserError(
            f"{display_path(path)}:{start - 1}: this code block is never closed. Add a line '{fence}' after it."
        )
    if any(text.strip() for text in held):
        parts.append(Part("prose", "\n".join(held), start))
    return tuple(parts)


class _Unreadable(ValueError):
    """Prose that Markdown does not get through, in the part that begins on `line`."""

    def __init__(self, message: str, line: int):
        super().__init__(message)
        self.line = line


Mark = Callable[[Element, HtmlStash], None]


class Rendering:
    """The parts of one article as HTML, one after the other: their footnotes and the addresses of links are shared.

    Raises `ValueError` for prose that Markdown does not get through; there is none in an article that was loaded.
    """

    def __init__(self, parts: Sequence[Part]):
        self.dialect = dialect.Dialect()
        prose = [part for part in parts if part.kind == "prose"]
        self.last = prose[-1] if prose else None
        if any("]:" in part.source for part in prose):
            for _ in ("learn what is defined", "learn what is referred to first"):
                for part in prose:
                    self.html(part)
                self.dialect.footnotes.sort()

    def html(self, part: Part, mark: Mark | None = None) -> str:
        """A part as HTML. Code is highlighted by CSS classes; a paragraph all in bold is the heading it stands for.

        `mark` may set something into the finished tree of a prose part.
        """
        if part.kind == "code":
            return _code(part)
        self.dialect.footnotes.is_visible = part is self.last
        try:
            return markdown.markdown(part.source, extensions=[_House(mark), self.dialect], output_format="html")
        except (ValueError, RecursionError) as error:
            message = str(error) if isinstance(error, ValueError) else "nested too deeply"
            raise _Unreadable(message, part.line) from error


def to_html(part: Part, mark: Mark | None = None) -> str:
    """A part that stands alone as HTML; see `Rendering`."""
    return Rendering([part]).html(part, mark)


def _code(part: Part) -> str:
    label = f"Code, {part.language or 'text'}, line {part.line} of the article"
    code = _UNCOLOURED.sub(r"\1", highlight(part.source, _lexer(part), HtmlFormatter(nowrap=True)))
    return f'<pre class="code" tabindex="0" role="region" aria-label="{label}"><code>{code}</code></pre>'


def _lexer(part: Part) -> Lexer:
    """How to read a code block: as plain text where the language is not one of those that take no time to speak of."""
    try:
        lexer = get_lexer_by_name(part.language or "text")
    except ClassNotFound:
        return get_lexer_by_name("text")
    quick = LANGUAGES.intersection(lexer.aliases) and len(part.source) <= HIGHLIGHTED
    return lexer if quick else get_lexer_by_name("text")


class _House(Extension):
    def __init__(self, mark: Mark | None):
        super().__init__()
        self.mark = mark

    def extendMarkdown(self, md: markdown.Markdown) -> None:
        md.preprocessors.deregister("html_block")
        md.inlinePatterns.deregister("html")
        md.treeprocessors.register(_Bounds(md), "house_bounds", 25)  # before the text of blocks is read
        md.treeprocessors.register(_Depth(md), "house_depth", 15)
        md.treeprocessors.register(_Links(md), "house_links", 6)
        md.treeprocessors.register(_Headings(md), "house_headings", 5)
        if self.mark:
            md.treeprocessors.register(_Marks(md, self.mark), "house_marks", 4)


class _Bounds(Treeprocessor):
    """Refuses blocks over whose text Markdown would take minutes."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            for text in (element.text or "", element.tail or ""):
                if not isinstance(text, AtomicString) and (len(text) > PARAGRAPH or text.count("[") > BRACKETS):
                    raise ValueError(f"a paragraph of more than {PARAGRAPH} characters, or {BRACKETS} brackets")


class _Depth(Treeprocessor):
    """Refuses emphasis in emphasis, lists in lists … beyond DEPTH, for what comes later goes down on itself."""

    def run(self, root: Element) -> None:
        level = list(root)
        for _ in range(DEPTH):
            level = [child for element in level for child in element]
        if level:
            raise ValueError(f"nested more than {DEPTH} deep")


class _Links(Treeprocessor):
    """A link to anything but a page keeps its words alone, and an image that the page does not hold its description."""

    def run(self, root: Element) -> None:
        for element in root.iter():
            href = unescape(element.get("href", "").replace(AMP_SUBSTITUTE, "&"))  # as browsers read it
            if element.tag == "a" and not LINK.fullmatch(href):
                element.attrib.pop("href", None)
            elif element.tag == "img" and not IMAGE.fullmatch(element.get("src", "")):
                element.tag, element.text = "span", element.get("alt", "")
                element.attrib.clear()


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

    def __init__(self, md: markdown.Markdown, mark: Mark):
        super().__init__(md)
        self.mark, self.stash = mark, md.htmlStash

    def run(self, root: Element) -> None:
        self.mark(root, self.stash)
