"""The page in Markdown, for readers that are no browsers: its words, verdicts, numbers and tables, drawings as links.

It is derived from the page's HTML, so no sentence is written twice. What only browsers can use is left out: navigation,
drawings (each has a description, a table and a picture of its own), and what needs a script.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

LEFT_OUT = "nav, script, style, template, fieldset, .skip, .try, .key, [aria-hidden=true]"
BLOCKS = (
    *("article", "aside", "blockquote", "dd", "details", "div", "dl", "dt", "figcaption", "figure", "footer"),
    *("h1", "h2", "h3", "h4", "h5", "h6", "header", "hr", "li", "main", "ol", "p", "pre", "section", "summary"),
    *("table", "ul"),
)
SPACE = re.compile(r"[ \t\n\f\r]+")  # that HTML runs together; no-break spaces stay
INVISIBLE = re.compile("[\u2061-\u2064]")  # signs of MathML, such as “apply this function”
SPECIAL = re.compile(r"[\\`*_\[\]<>|~]|&(?=#?\w+;)")  # what Markdown would obey anywhere in a line
LEADING = re.compile(r"\A(?:([-+#=:])|(\d{1,9})([.)]))(?=\s|\Z|[-#=])")  # … and at the beginning of one
EMPHASIS = {"strong": "**", "b": "**", "em": "*", "i": "*", "cite": "*", "del": "~~"}
DEEPEST = 60  # elements within each other; what is deeper is text


def convert(html: str) -> str:
    """The page `html` as Markdown that CommonMark with GitHub's tables reads. Links within it lead to index.html."""
    tree = LexborHTMLParser(html)
    for node in tree.css(LEFT_OUT):
        node.decompose()
    return "\n\n".join(_blocks(tree.body)) + "\n" if tree.body else ""


# ---------------------------------------------------------------------------------------------- blocks


def _blocks(parent: LexborNode, depth: int = 0) -> Iterator[str]:
    """What is in an element, a block each; text beside blocks is a paragraph of its own."""
    if depth > DEEPEST:
        yield _paragraph(_escaped(parent.text()))
        return
    beside: list[LexborNode] = []
    for node in parent.iter(include_text=True):
        if node.tag not in BLOCKS and not _holds_blocks(node):
            beside.append(node)
            continue
        yield from _paragraphs(beside)
        beside = []
        yield from _block(node, depth + 1)
    yield from _paragraphs(beside)


def _holds_blocks(node: LexborNode) -> bool:
    """Whether something inline has blocks in it, such as a link around a paragraph."""
    return node.tag not in ("-text", "svg", "math") and node.css_first(", ".join(BLOCKS)) is not None


def _paragraphs(nodes: Iterable[LexborNode]) -> Iterator[str]:
    if text := _paragraph("".join(map(_inline, nodes))):
        yield text


def _paragraph(text: str) -> str:
    return LEADING.sub(lambda found: f"\\{found[1]}" if found[1] else f"{found[2]}\\{found[3]}", text.strip())


def _block(node: LexborNode, depth: int) -> Iterator[str]:
    match node.tag:
        case "h1" | "h2" | "h3" | "h4" | "h5" | "h6":
            yield f"{'#' * int(node.tag[1])} {_children(node).strip()}"
        case "summary":
            yield from _summary(node)
        case "ul" | "ol":
            yield "\n".join(_items(node, depth))
        case "dt":
            yield f"**{_children(node).strip()}**"
        case "pre":
            yield _code_block(node)
        case "table":
            yield "\n".join(_table(node))
        case "blockquote":
            yield "\n".join(f"> {line}".rstrip() for line in "\n\n".join(_blocks(node, depth)).split("\n"))
        case "figure":
            yield from _figure(node, depth)
        case "hr":
            yield "---"
        case _:
            yield from _blocks(node, depth)


def _summary(node: LexborNode) -> Iterator[str]:
    """The line that unfolds something: its heading, with what is before it, then what is after it."""
    parts = list(node.iter(include_text=True))
    at = next((place for place, part in enumerate(parts) if re.fullmatch("h[1-6]", part.tag or "")), None)
    if at is None:
        yield f"**{_children(node).strip()}**"
        return
    words = "".join(map(_inline, (*parts[:at], *parts[at].iter(include_text=True))))
    yield f"{'#' * int(str(parts[at].tag)[1])} {SPACE.sub(' ', words).strip()}"
    yield from _paragraphs(parts[at + 1 :])


def _items(node: LexborNode, depth: int) -> Iterator[str]:
    for number, item in enumerate((child for child in node.iter() if child.tag == "li"), 1):
        mark = f"{number}. " if node.tag == "ol" else "- "
        lines = "\n\n".join(_blocks(item, depth)).split("\n")
        yield mark + ("\n".join(f"{' ' * len(mark)}{line}".rstrip() for line in lines)).lstrip()


def _code_block(node: LexborNode) -> str:
    """As a fenced block; a line that was taken out or put in is a line of its own."""
    changed = node.css_first("del, ins") is not None
    text = "\n".join(line.text() for line in node.css("del, ins")) if changed else node.text().strip("\n")
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{'diff' if changed else ''}\n{text}\n{fence}"


def _table(node: LexborNode) -> Iterator[str]:
    """Rows of cells; a cell over several columns leaves the others empty."""
    rows = [[*_cells(row)] for row in node.css("tr")]
    width = max(map(len, rows), default=0)
    for number, row in enumerate(rows):
        yield f"| {' | '.join([*row, *[''] * (width - len(row))])} |"
        if number == 0:
            yield f"|{'---|' * width}"


def _cells(row: LexborNode) -> Iterator[str]:
    for cell in row.css("th, td"):
        words = SPACE.sub(" ", " ".join(_blocks(cell))).strip()
        yield re.sub(r"(?<!\\)\|", r"\\|", words)
        span = cell.attributes.get("colspan") or "1"
        yield from [""] * (int(span) - 1)


def _figure(node: LexborNode, depth: int) -> Iterator[str]:
    """Its finding, its picture with the drawing's description as words, and what unfolds."""
    caption, described = node.css_first("figcaption"), node.css("desc")
    if caption:
        yield _paragraph(_children(caption))
        caption.decompose()
    name = (node.id or "").removeprefix("figure-")
    if name and described:
        words = _escaped(described[0].text()) if len(described) == 1 else "The drawing, in several states"
        yield f"![{words.strip()}](figures/{name}.png)"
    yield from _blocks(node, depth)


# ---------------------------------------------------------------------------------------------- within a line


def _children(node: LexborNode) -> str:
    return SPACE.sub(" ", "".join(map(_inline, node.iter(include_text=True))))


def _inline(node: LexborNode) -> str:
    match node.tag:
        case "-text":
            return _escaped(node.text())
        case "svg" | "-comment":
            return ""
        case "br":
            return " "
        case "math":
            return _code("".join(map(_formula, node.iter(include_text=True))))
        case "code":
            return _code(node.text())
        case "a":
            link = _link(_children(node), node.attributes.get("href") or "")
            return f" ({link})" if "mark" in _classes(node) else link
        case "img":
            return _escaped(node.attributes.get("alt") or "")
        case "strong" | "b" | "em" | "i" | "cite" | "del":
            return _emphasis(_children(node), EMPHASIS[node.tag])
    words = _children(node)
    return f" {words} " if "unseen" in _classes(node) else words


def _classes(node: LexborNode) -> list[str]:
    return (node.attributes.get("class") or "").split()


def _escaped(text: str) -> str:
    return SPACE.sub(" ", SPECIAL.sub(lambda found: f"\\{found[0]}", text))


def _code(text: str) -> str:
    """Between more backticks than it has; in a table a bar must be escaped even there."""
    text = SPACE.sub(" ", text).strip()
    fence = "`" * (1 + max(map(len, re.findall("`+", text)), default=0))
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}" if text else ""


def _link(text: str, address: str) -> str:
    if not text.strip() or not address:
        return text
    target = f"index.html{address}" if address.startswith("#") else address
    return f"[{text.strip()}](<{target}>)" if re.search(r"[\s()<>]", target) else f"[{text.strip()}]({target})"


def _emphasis(text: str, mark: str) -> str:
    """The signs are at the words, not at the blanks around them."""
    words = text.strip()
    before, _, after = text.partition(words) if words else (text, "", "")
    return f"{before}{mark}{words}{mark}{after}" if words else text


def _formula(node: LexborNode) -> str:
    """MathML in a line: (a)/(b), a_b, a^b."""
    parts = [_formula(child) for child in node.iter(include_text=True)] if node.tag != "-text" else []
    match node.tag:
        case "-text":
            return INVISIBLE.sub("", node.text())
        case "mfrac":
            return "/".join(_grouped(part) for part in parts)
        case "msub" | "msup" | "msubsup" | "munder":
            signs = "^" if node.tag == "msup" else "_^"
            return parts[0] + "".join(f"{sign}{_grouped(part)}" for sign, part in zip(signs, parts[1:], strict=False))
        case "mspace":
            return " "
    return "".join(parts)


def _grouped(part: str) -> str:
    part = part.strip()
    return part if len(part) < 2 else f"({part})"
