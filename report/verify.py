"""A page against the evidence that it carries: everything derived from it again, and compared.

Finds every change of the page that its own evidence does not bear out. It cannot find a forgery that changes the
evidence too, and everything that follows from it: against that helps only to run the study again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import SequenceMatcher
from html.parser import HTMLParser
from typing import Any

from experiments import evidence, records, statistics, study
from experiments.errors import UserError
from experiments.figures import Figure
from experiments.store import compact
from report import claims

FORMAT = 1
LISTS = ("runs", "replication")
WHOLE = re.compile(  # a page whose tags all end: over others Python's parser takes a time that grows with their square
    r"""(?: [^<]++ | <!-- .*? --> | <script\b .*? </script\s*+> | <style\b .*? </style\s*+>
        | <(?! !-- | script\b | style\b ) [a-z/!] (?: [^<>"']++ | "[^"]*+" | '[^']*+' )*+ > )*+""",
    re.VERBOSE | re.DOTALL | re.IGNORECASE,
)
MARK = re.compile(r'<template id="evidence">\s*([A-Za-z0-9+/=]+)\s*</template>')


def carried(
    content: Mapping[str, Any],
    results: Mapping[str, Any],
    drawn: Mapping[str, Figure],
    found: Sequence[claims.Claim],
    url: str,
) -> str:
    """The evidence as the page carries it. `content`: what evidence.json holds; {} where all is from the record."""
    claimed = claims.asked_of_arms(found, results["arms"])
    contrasted = {contrast[end] for contrast in results["contrasts"] for end in ("first", "second")}
    figures = {name: figure.arms for name, figure in drawn.items()}
    own = None if results["recorded"] else figures  # else the figures show the record's runs
    return evidence.pack(
        {
            "format": FORMAT,
            "url": url,
            "measuring": bool(results["dataset"].get("measuring")),
            **{key: content.get(key) for key in ("quick", "source", "record", "expected")},
            "runs": [
                evidence.reduced(seen, contrasted, own, claimed.get(seen["arm"], ()))
                for seen in content.get("runs", [])
            ],
            "replication": [evidence.reduced(seen, contrasted) for seen in content.get("replication", [])],
        },
        *LISTS,
    )


@dataclass(frozen=True)
class Proof:
    """What a page carries. text: as it stands there; url: where the page is published; results: what follows."""

    text: str
    url: str
    results: dict[str, Any]


def proof(html: str, load: Callable[[], study.Study]) -> Proof:
    """The results that follow from the evidence in a page. Raises `UserError` where there is none, or none of ours."""
    whole = WHOLE.match(html)
    if whole and whole.end() < len(html):
        line = html.count("\n", 0, whole.end()) + 1
        raise UserError(f"The page has a tag in line {line} that does not end. Expected one that 'make report' wrote.")
    found = MARK.findall(html)
    if len(found) != 1:
        raise UserError(f"{len(found)} pieces of evidence in the page. Expected one: a page that 'make report' wrote.")
    content = evidence.unpack(found[0], *LISTS)
    if content.get("format") != FORMAT:
        raise UserError(f"The page's evidence has format {content.get('format')}, expected {FORMAT}. Use its version.")
    if content["record"] not in (None, "", records.fingerprint()):
        raise UserError(
            "The page was made beside another record than experiments/record.json. Check out the version it was made "
            "with and run this again."
        )
    derived = results(content, load())
    return Proof(found[0], content["url"], json.loads(compact(derived)))  # as the page's were read: keys in order


@contextmanager
def foreign() -> Iterator[None]:
    """Within it, what somebody else packed is reckoned with; that nothing can be derived from it is one clear error."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # whatever statistics, rules and drawings raise over numbers that no run ever had
        raise UserError(
            f"Nothing follows from the evidence in the page: {type(error).__name__}: {error}. "
            "Get the page again from where it was, or add --debug to see where it fails."
        ) from error


def results(content: Mapping[str, Any], plan: study.Study) -> dict[str, Any]:
    if content["source"] is None:
        recorded = records.read()
        if recorded is None:
            raise UserError("The page shows the record, and experiments/record.json is missing. Restore it.")
        return records.alone(recorded, records.MEASURING if content.get("measuring") else records.NOTHING_MEASURED)
    return statistics.assemble(plan.quick() if content["quick"] else plan, content)


# ---------------------------------------------------------------------------------------------- what differs


@dataclass(frozen=True)
class Difference:
    """Somewhere below the element with the id `place`, the page has `shown`, its evidence gives `derived`."""

    place: str
    shown: str
    derived: str

    def __str__(self) -> str:
        first = next((n for n, pair in enumerate(zip(self.shown, self.derived, strict=False)) if len(set(pair)) > 1), 0)
        shown, derived = (_around(text, first) for text in (self.shown, self.derived))
        return f"at #{self.place}: the page has {shown}, its evidence gives {derived}"


def _around(text: str, place: int, length: int = 30) -> str:
    """The words around a place in `text`."""
    start, end = max(0, place - length), place + length
    return f"“{'… ' if start else ''}{text[start:end]}{' …' if text[end:] else ''}”" if text else "nothing"


def differences(page: str, derived: str) -> list[Difference]:
    """Where two pages differ in words, drawings, attributes or code; white space and optional tags count for nothing.

    So a page that a browser has saved is the same page.
    """
    first, second = _tokens(page), _tokens(derived)
    start = next((n for n, (one, other) in enumerate(zip(first, second, strict=False)) if one != other), None)
    if start is None:
        start = min(len(first), len(second))
    end = 0
    while end < min(len(first), len(second)) - start and first[-1 - end] == second[-1 - end]:
        end += 1
    middle = [tokens[start : len(tokens) - end] for tokens in (first, second)]
    return [_difference(*pair) for pair in _pairs(*middle)]


Token = tuple[str, str]  # the id that it stands below, and what it is


def _pairs(first: Sequence[Token], second: Sequence[Token]) -> list[tuple[Sequence[Token], Sequence[Token]]]:
    if len(first) == len(second):
        return [([one], [other]) for one, other in zip(first, second, strict=True) if one != other]
    matcher = SequenceMatcher(None, first, second)
    return [(first[a:b], second[c:d]) for kind, a, b, c, d in matcher.get_opcodes() if kind != "equal"]


def _difference(shown: Sequence[Token], derived: Sequence[Token]) -> Difference:
    place = (*derived, *shown)[0][0]
    return Difference(place, *(" ".join(what for _, what in tokens) for tokens in (shown, derived)))


PLACES = ("section", "figure", "tr", "template")  # elements whose id says where something stands


class _Tokens(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.place, self.found = "top", list[Token]()

    def handle_starttag(self, tag: str, attributes: Collection[tuple[str, str | None]]) -> None:
        if tag in PLACES:
            self.place = next((value or "" for name, value in attributes if name == "id"), self.place)
        told = "".join(f' {name}="{value or ""}"' for name, value in attributes)
        self.found.append((self.place, f"<{tag}{told}>"))

    def handle_data(self, data: str) -> None:
        if words := " ".join(data.split()):
            self.found.append((self.place, words))

    def handle_comment(self, data: str) -> None:
        self.found.append((self.place, f"<!--{data}-->"))

    def handle_decl(self, decl: str) -> None:
        self.found.append((self.place, f"<!{decl.lower()}>"))


def _tokens(html: str) -> list[Token]:
    parser = _Tokens()
    parser.feed(html)
    parser.close()
    return parser.found
