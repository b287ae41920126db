"""The article's sentences, and what is set beside them: marks after quoted words, notes after a block.

Words are found in the text of a rendered block, so that emphasis and line breaks do not matter, and stay as they are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import NamedTuple
from xml.etree.ElementTree import Element, SubElement

from markdown.util import AMP_SUBSTITUTE, ETX, HTML_PLACEHOLDER_RE, STX, HtmlStash

from experiments.files.errors import UserError, display_path, nearest
from report.article import dialect, document
from report.claims.model import Claim

BLOCKS = {"p", "li", "h3", "h4", "h5", "h6", "th", "td", "dt", "dd"}
INLINE = {"em", "strong", "del", "code", "a", "span", "sup", "img", "br"}


@dataclass(frozen=True)
class Half:
    """A half of a mark: what was asked, the verdict, the CSS classes of both, the drawings' ids, and why, in brief."""

    asked: str
    verdict: str
    kind: str
    drawings: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True)
class Mark:
    """A link to the claim `id`, after the last fragment of `quote`: its number and a half for each of its questions.

    Its text is, say, "3 as the article puts it: supported; the reason: not supported. Tanh is as good."
    """

    id: str
    quote: tuple[str, ...]
    number: str = ""
    halves: tuple[Half, ...] = ()


@dataclass(frozen=True)
class Note:
    """HTML to stand after the block that holds the words `after`."""

    after: str
    html: str


@dataclass(frozen=True)
class _Fragment:
    mark: Mark
    place: int

    @property
    def text(self) -> str:
        return self.mark.quote[self.place]


class Marker:
    """Sets marks and notes into the article's parts, one after the other, each once, at its words' first place."""

    def __init__(self, marks: Iterable[Mark], notes: Iterable[Note] = ()):
        self.fragments = [_Fragment(mark, place) for mark in marks for place in range(len(mark.quote))]
        self.notes = list(notes)
        self.texts: list[str] = []  # of the blocks so far, as they are read

    @property
    def unplaced(self) -> list[str]:
        """The words that were not in any part so far."""
        return [fragment.text for fragment in self.fragments] + [note.after for note in self.notes]

    def mark(self, root: Element, stash: HtmlStash) -> None:
        """Marks the blocks of a part's tree. `stash` keeps the notes' HTML as it is."""
        for block in [element for element in root.iter() if element.tag in BLOCKS]:
            text = "".join(char.shown for *_, stretch in _slots(block, stash) for char in stretch)
            self.texts.append(text.replace(_NO_TEXT, " "))
            for note in [note for note in reversed(self.notes) if _place(note.after, text)]:  # the last one first
                self.notes.remove(note)
                aside = Element("p")
                aside.text = stash.store(note.html)
                root.insert(_index(root, block) + 1, aside)
            for fragment in [fragment for fragment in self.fragments if _place(fragment.text, text)]:
                self.fragments.remove(fragment)
                _wrap(block, stash, *(_place(fragment.text, text) or (0, 0)), fragment)


def check(article: document.Article, claims: Sequence[Claim], path: Path) -> None:
    """Raises `UserError` with the line of a claim in the file at `path` that quotes what nowhere stands."""
    marker = Marker([Mark(claim.id, claim.quote) for claim in claims])
    rendering = document.Rendering(article.parts)
    for part in article.parts:
        rendering.html(part, marker.mark)
    for words in marker.unplaced:
        claim = next(claim for claim in claims if words in claim.quote)
        alike = "".join(
            f"The nearest words there are '{text.strip('.,;:!?')}'. "
            for text in nearest(words, _windows(words, marker.texts))
        )
        raise UserError(
            f"{display_path(path)}:{claim.line}: claim '{claim.id}': the article nowhere says '{words}'. "
            f"{alike}Quote it as it is read, word for word, in fragments where need be."
        )


def _windows(words: str, texts: Iterable[str]) -> Iterator[str]:
    """Whatever in `texts` has as many words as `words`, or one less or more."""
    count = len(words.split())
    for text in texts:
        every = text.split()
        for size in range(max(1, count - 1), count + 2):
            yield from (" ".join(every[start : start + size]) for start in range(max(1, len(every) - size + 1)))


def _index(root: Element, block: Element) -> int:
    """The place of the root's child that is, or holds, `block`."""
    return next(n for n, child in enumerate(root) if any(inner is block for inner in child.iter()))


_LETTER = re.compile(r"[^\W\u0600-\U0010ffff]")  # of the scripts that have spaces between words, above all


def _place(words: str, text: str) -> tuple[int, int] | None:
    """Where `words` stand in `text` as whole words, however their spaces are broken."""
    pieces = words.split()
    if not all(piece in text for piece in pieces):  # far faster than a pattern
        return None
    pattern = re.compile(r"\s+".join(map(re.escape, pieces)))
    match = pattern.search(text)
    while match and any(_splits_word(text, place) for place in match.span()):
        match = pattern.search(text, match.start() + 1)
    return match.span() if match else None


def _splits_word(text: str, place: int) -> bool:
    """Whether there is a letter on both sides of a place in `text`."""
    return 0 < place < len(text) and all(_LETTER.match(char) for char in text[place - 1 : place + 1])


class _Char(NamedTuple):
    """A character that readers see, and how Markdown's tree writes it: an escape, an entity, or as it is."""

    shown: str
    written: str


_WRITTEN = re.compile(rf"{AMP_SUBSTITUTE}#?\w+;|{STX}[^{ETX}]*{ETX}|&#?\w+;|.", re.DOTALL)
_NO_TEXT = "\0"  # in no article


def _characters(text: str, stash: HtmlStash) -> list[_Char]:
    """A text of the tree, character by character. Where one entity shows several, the first has its code."""
    pairs = ((written, _shown(written, stash) or _NO_TEXT) for written in _WRITTEN.findall(text))
    return [_Char(char, "" if place else written) for written, shown in pairs for place, char in enumerate(shown)]


def _shown(written: str, stash: HtmlStash) -> str:
    if len(written) == 1:
        return written
    if entity := HTML_PLACEHOLDER_RE.fullmatch(written):
        return unescape(str(stash.rawHtmlBlocks[int(entity[1])]))
    if escaped := re.fullmatch(rf"{STX}(\d+){ETX}", written):
        return chr(int(escaped[1]))
    return unescape(written.replace(AMP_SUBSTITUTE, "&"))


def _written(text: Iterable[_Char]) -> str:
    return "".join(char.written for char in text)


_Slot = tuple[Element, Element | None, list[_Char]]


def _slots(element: Element, stash: HtmlStash) -> Iterator[_Slot]:
    """The article's own text within `element`, in stretches: (parent, the child that it follows or None, text).

    Blocks within it, such as a list in a list, have a text of their own: no quote goes on from one into the other.
    """
    yield element, None, _characters(element.text or "", stash)
    for child in element:
        if child.tag not in INLINE:
            yield element, child, [_Char(_NO_TEXT, "")]
        elif not child.get("class", "").startswith("mark ") and not _is_footnote_link(child):
            yield from _slots(child, stash)
        yield element, child, _characters(child.tail or "", stash)


def _is_footnote_link(element: Element) -> bool:
    """Whether it is the number of a footnote, or the link back from one: neither is a word of the article."""
    return element.get("class") == "footnote-backref" or (
        element.tag == "sup" and len(element) == 1 and element[0].get("class") == "footnote-ref"
    )


def _wrap(block: Element, stash: HtmlStash, start: int, end: int, fragment: _Fragment) -> None:
    """Puts the text from `start` to `end` into spans, stretch by stretch, and the mark's link after the last one."""
    pieces: list[tuple[Element, Element | None, str, str, str]] = []
    at = 0
    for parent, after, text in _slots(block, stash):
        low, high = max(start - at, 0), min(end - at, len(text))
        if low < high:
            pieces.append((parent, after, _written(text[:low]), _written(text[low:high]), _written(text[high:])))
        at += len(text)
    last = fragment.place == len(fragment.mark.quote) - 1
    kinds = [half.kind for half in fragment.mark.halves[:1]]  # the underline is the first question's
    for number, (parent, after, before, said, rest) in reversed(list(enumerate(pieces))):
        span = Element("span", {"class": " ".join(["said", *kinds])})
        if number == fragment.place == 0:
            span.set("id", f"said-{fragment.mark.id}")
        span.text, span.tail = said, rest
        place = 0 if after is None else list(parent).index(after) + 1
        if after is None:
            parent.text = before
        else:
            after.tail = before
        parent.insert(place, span)
        if last and number == len(pieces) - 1:
            span.set("data-n", fragment.mark.number)
            _insert_after(block, parent, span, _link(fragment.mark))


def _link(mark: Mark) -> Element:
    """The mark itself. What a half asks is for screen readers where the place of the half shows it."""
    link = Element("a", {"class": "mark halved" if len(mark.halves) > 1 else "mark whole", "href": f"#claim-{mark.id}"})
    number = SubElement(link, "span", {"class": "number"})
    number.text, number.tail = mark.number, " "
    for place, half in enumerate(mark.halves, 1):
        element = SubElement(link, "span", {"class": f"half {half.kind}"})
        drawing = SubElement(element, "svg", {"aria-hidden": "true", "class": "g"})
        for use in half.drawings:
            SubElement(drawing, "use", {"href": f"#{use}"})
        text = SubElement(element, "span", {"class": "reading"})
        asked = SubElement(text, "span", {"class": "asked"})
        asked.text = f"{half.asked}: "
        verdict = SubElement(text, "b")
        verdict.text = f"{half.verdict}{'.' if half.because else ''}"
        verdict.tail = half.because and f" {half.because}"
        if place < len(mark.halves):
            separator = SubElement(element, "span", {"class": "unseen"})
            separator.text, element.tail = "" if half.because else ";", " "
    return link


def _insert_after(block: Element, parent: Element, span: Element, link: Element) -> None:
    """Puts `link` after `span` in `parent`, or after the article's own link that holds it: links hold no links."""
    above = {child: element for element in block.iter() for child in element}
    before = element = span
    while element in above:
        element = above[element]
        before = element if element.tag == "a" else before
    holder = parent if before is span else above[before]
    link.tail, before.tail = before.tail, ""
    holder.insert(list(holder).index(before) + 1, link)


# ---------------------------------------------------------------------------------------------- sentences


@dataclass(frozen=True)
class Sentences:
    """The article's sentences by what is done with them: `checked` by a claim, or not, by the reason; the rest."""

    total: int
    checked: int
    unchecked: Mapping[str, int]
    unsorted: tuple[str, ...]
    unknown: tuple[str, ...]  # beginnings, given as unchecked, of no sentence


_ADDRESS = re.compile(r"\]\([^)]*\)|\]\[[^\]]*\]")  # of a link, after its words


def sentences(article: document.Article) -> list[str]:
    """The sentences of the article's prose, headings left out, with single spaces."""
    result = []
    for paragraph in _paragraphs(article):
        if not _is_heading(paragraph):
            result += re.split(r"(?<=[.!?])\s+(?=[A-Z])", paragraph)
    return result


def section(article: document.Article, fragment: str) -> str:
    """The heading above the article's first paragraph with the words `fragment`, cut at a colon; "" before any."""
    heading = ""
    for paragraph in _paragraphs(article):
        if _is_heading(paragraph):
            heading = re.sub(r"^[\d.)]+ ", "", paragraph.strip("#* ")).split(":")[0]
        if plain_words(fragment) in plain_words(paragraph):
            break
    return heading


def _paragraphs(article: document.Article) -> Iterator[str]:
    """The article's prose, with single spaces."""
    for paragraph in "\n\n".join(part.source for part in article.parts if part.kind == "prose").split("\n\n"):
        if text := " ".join(dialect.words(paragraph).split()):
            yield text


def _is_heading(paragraph: str) -> bool:
    """Whether it is marked as one, or bold as a whole."""
    return paragraph.startswith("#") or bool(re.fullmatch(r"\*\*[^*]+\*\*", paragraph))


def plain_words(text: str) -> str:
    """The words in `text` alone, to find in Markdown what is quoted as it is read."""
    return " ".join(re.findall(r"[^\W_]+", unescape(_ADDRESS.sub("]", dialect.words(text)))))


def sort(
    article: document.Article, quotes: Sequence[Sequence[str]], unchecked: Mapping[str, Sequence[str]]
) -> Sentences:
    """Those with a fragment of a quote are checked; `unchecked` gives others by their first words, under the reason."""
    said = [*filter(None, (plain_words(fragment) for quote in quotes for fragment in quote))]
    starts = {" ".join(start.split()): reason for reason, list_ in unchecked.items() for start in list_}
    counts: Counter[str] = Counter()
    checked, unsorted, used = 0, [], set()
    every = sentences(article)
    for sentence in every:
        start = next((start for start in starts if sentence.startswith(start)), None)
        if any(fragment in plain_words(sentence) for fragment in said):
            checked += 1
        elif start is not None:
            used.add(start)
            counts[starts[start]] += 1
        else:
            unsorted.append(sentence)
    unknown = tuple(start for start in starts if start not in used)
    return Sentences(len(every), checked, dict(counts), tuple(unsorted), unknown)
