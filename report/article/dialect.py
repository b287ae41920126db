"""The Markdown that people write on GitHub and for Pandoc, over Python-Markdown: tables, footnotes, nested lists.

An article is rendered in parts; footnotes and the addresses of links are those of the whole article.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element, SubElement

from markdown import Markdown
from markdown.extensions import Extension
from markdown.extensions.def_list import DefListExtension
from markdown.extensions.footnotes import FootnoteExtension
from markdown.extensions.sane_lists import SaneListExtension
from markdown.extensions.tables import TableExtension, TableProcessor
from markdown.inlinepatterns import SimpleTagInlineProcessor
from markdown.preprocessors import Preprocessor
from markdown.treeprocessors import Treeprocessor

ITEM = re.compile(r" *([-*+]|\d{1,9}\.) +(?=\S)")
RULE = re.compile(r" {0,3}([-*_])(?: *\1){2,} *")
QUOTED = re.compile(r"\A *> ?")
HEAD_RULE = re.compile(r"\|?(?: *:?-+:? *\|)+(?: *:?-+:?)?")  # the line between a table's head and its rows
REFERENCE = re.compile(r"\[\^[^\]\n]{0,100}\]:?")  # to a footnote, or its beginning
CELLS, FOOTNOTES = 10_000, 1000  # more of them take minutes, or more memory than there is
TAB = 4  # columns that Python-Markdown indents a list in a list by


class Dialect(Extension):
    """Everything here as one extension, for one part of an article after the other."""

    def __init__(self) -> None:
        super().__init__()
        self.footnotes = _Footnotes()
        self.references: dict[str, tuple[str, str]] = {}

    def extendMarkdown(self, md: Markdown) -> None:
        md.registerExtensions([SaneListExtension(), DefListExtension(), self.footnotes], {})
        tables = TableExtension(use_align_attribute=True)
        md.registerExtensions([tables], {})
        md.parser.blockprocessors.register(_Tables(md.parser, tables.getConfigs()), "table", 75)
        md.inlinePatterns.register(SimpleTagInlineProcessor(r"()~~(?=\S)([^~]+)(?<=\S)~~", "del"), "del", 105)
        md.preprocessors.register(_Blocks(md), "house_blocks", 10)  # after tabs have become spaces
        md.treeprocessors.register(_TableFrames(md), "house_tables", 7)
        md.treeprocessors.register(_BackLinks(md, self.footnotes), "house_back_links", 8)
        md.registerExtension(self)
        self.md = md

    def reset(self) -> None:
        """Python-Markdown calls this once it has forgotten all references, at the beginning of each part."""
        self.md.references = self.references


def words(paragraph: str) -> str:
    """A paragraph without the signs of quotes, of footnotes and of the line below a table's head."""
    lines = [QUOTED.sub("", line) for line in paragraph.split("\n")]
    return REFERENCE.sub(
        "", "\n".join(line for line in lines if "|" not in line or not HEAD_RULE.fullmatch(line.strip(" ")))
    )


# ---------------------------------------------------------------------------------------------- blocks


class _Blocks(Preprocessor):
    """Has lists, quotes and tables begin where they do on GitHub."""

    def run(self, lines: list[str]) -> list[str]:
        if sum(line.count("[^") for line in lines) > FOOTNOTES:
            raise ValueError(f"more than {FOOTNOTES} footnotes")
        return list(_separated(lines))


def _separated(lines: Sequence[str]) -> Iterator[str]:
    """The lines, with a blank one before each block that begins right below another, lists indented by four a level."""
    items: list[tuple[int, bool]] = []  # of each open list item: the column of its text, and whether it is numbered
    above = ""  # the kind of block that the line above belongs to; "" where it is blank
    number = 0
    while number < len(lines):
        line = lines[number]
        text = line.lstrip(" ")
        indent = len(line) - len(text)
        item = None if RULE.fullmatch(line) else ITEM.match(line)
        begins = bool(item) or text.startswith(">")
        inside_list, closed = bool(items), None
        while text and items and indent < items[-1][0] and (begins or not above):
            closed = items.pop()[1]
        inside = indent - (items[-1][0] if items else 0)
        margin = " " * TAB * len(items)
        number += 1
        if not text:
            above = ""
            yield ""
        elif item and inside < TAB:
            numbered = len(item[1]) > 1
            other_list = closed is not None and closed != numbered
            may_begin = inside_list or item[1] in ("-", "*", "+", "1.")  # else a year that begins a line made a list
            if above and (other_list or (above != "item" and may_begin)):
                yield ""
            items.append((item.end(), numbered))
            above = "item"
            yield margin + text
        elif begins and inside < TAB:
            if above not in ("", "quote"):
                yield ""
            above = "quote"
            quote = [QUOTED.sub("", line)]
            while number < len(lines) and (QUOTED.match(lines[number]) or _goes_on(quote[-1], lines[number])):
                quote.append(QUOTED.sub("", lines[number]))
                number += 1
            for quoted in _separated(quote):
                yield f"{margin}> {quoted}" if quoted else f"{margin}>"
        else:
            if above and "|" in text and HEAD_RULE.fullmatch((*lines[number : number + 1], "")[0].strip(" ")):
                yield ""
            above = above or "text"
            yield margin + " " * max(0, inside) + text


def _goes_on(quoted: str, line: str) -> bool:
    """Whether a line without a sign of its own continues the paragraph of the quote above it."""
    begins = ITEM.match(line) or RULE.fullmatch(line) or line.startswith("#")
    return bool(quoted.strip() and line.strip() and not begins)


# ---------------------------------------------------------------------------------------------- tables


class _Tables(TableProcessor):
    """Tables whose rows keep what they have beyond the columns of the head."""

    def run(self, parent: Element, blocks: list[str]) -> None:
        head, _, *rows = blocks[0].split("\n")
        if len(self._split_row(head)) * (len(rows) + 1) > CELLS:  # type: ignore[attr-defined]
            raise ValueError(f"a table of more than {CELLS} cells")
        super().run(parent, blocks)
        for row, line in zip(parent[-1].iter("tr"), (head, *rows), strict=False):
            for text in self._split_row(line.strip(" "))[len(row) :]:  # type: ignore[attr-defined]
                SubElement(row, row[0].tag).text = text.strip(" ")


class _TableFrames(Treeprocessor):
    """A table is scrolled within a frame of its own, as the page's tables are; its alignment is a class."""

    def run(self, root: Element) -> None:
        for parent in list(root.iter()):
            for place, child in enumerate(parent):
                if child.tag == "table":
                    label = " ".join(" ".join(text for cell in child.iter("th") for text in cell.itertext()).split())
                    frame = Element("div", {"class": "scroll", "tabindex": "0", "role": "region"})
                    frame.set("aria-label", f"Table: {label}")
                    frame.tail, child.tail = child.tail, None
                    frame.append(child)
                    parent[place] = frame
        for cell in [*root.iter("th"), *root.iter("td")]:
            if align := cell.attrib.pop("align", ""):
                cell.set("class", f"to-{align}")
            if cell.tag == "th":
                cell.set("scope", "col")


# ---------------------------------------------------------------------------------------------- footnotes


class _Footnotes(FootnoteExtension):
    """The footnotes of all parts of an article, which stand below its last one, numbered as they are referred to.

    Their ids have a colon, which no other id of the page has.
    """

    def __init__(self) -> None:
        self.is_visible = False  # whether this part is the one that they stand below
        super().__init__(PLACE_MARKER="\0", BACKLINK_TITLE="Back to where footnote %d is referred to")
        super().reset()

    def reset(self) -> None:
        """Does nothing where Python-Markdown asks for it, at the beginning of each part."""

    def setFootnote(self, id: str, text: str) -> None:
        """Keeps every text of a label that is defined more than once."""
        text_before = self.footnotes.get(id, "")
        if text not in text_before:
            super().setFootnote(id, f"{text_before}\n\n{text}".strip())

    def sort(self) -> None:
        """Numbers the footnotes in the order of their first references; forgets the references."""
        order = [*self.footnote_order, *(id for id in self.footnotes if id not in self.footnote_order)]
        texts = dict(self.footnotes)
        super().reset()
        for id in order:
            self.setFootnote(id, texts[id])
        self.used_refs.clear()
        self.found_refs.clear()

    def makeFootnotesDiv(self, root: Element) -> Element | None:
        return super().makeFootnotesDiv(root) if self.is_visible else None

    def makeFootnoteId(self, id: str) -> str:
        return super().makeFootnoteId(self._number(id))

    def makeFootnoteRefId(self, id: str, found: bool = False) -> str:
        return super().makeFootnoteRefId(self._number(id), found)

    def _number(self, id: str) -> str:
        """A label may be anything; an id may not."""
        return str(list(self.footnotes).index(id) + 1)


class _BackLinks(Treeprocessor):
    """Removes the link back from a footnote that nothing refers to."""

    def __init__(self, md: Markdown, footnotes: _Footnotes):
        super().__init__(md)
        self.footnotes = footnotes

    def run(self, root: Element) -> None:
        for parent in list(root.iter()):
            for link in [child for child in parent if child.get("class") == "footnote-backref"]:
                if link.get("href", "")[1:] not in self.footnotes.used_refs:
                    parent.remove(link)
