"""No loose number: every numeral in the project's own words is filled in from a measure, or exempt by name.

Reads templates, prose, claims, captions and questions as text; nothing is rendered or imported. What is not prose
(markup, expressions, code, formulas) is blanked in place: where a numeral stands in the text, it stands in the file.
"""

from __future__ import annotations

import ast
import os
import re
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from experiments.files import reading
from experiments.files.errors import UserError, display_path
from experiments.files.toml import TomlReader
from report.article.folder import DEFAULT

ROOT = Path(__file__).parents[2]
FORMATTERS = (  # the filters that give a number its digits, and the function
    *("percent", "points", "p_value", "measure", "thousands", "count", "signed", "share", "ratio", "in_unit"),
    *("plain_percent", "decimal"),  # in figures
    *("length", "round", "int", "epochs"),
)
ARTICLE = {"quote", "after", "unchecked"}  # keys, and a table, of the article's own words
RULES = {"path", "supported", "partly", "holds"}
MAX_SHOWN = 5  # loose numerals in one error


CAPTIONS = (  # the modules with the words of figures
    *(ROOT / "experiments" / "plots" / f"{name}.py" for name in ("generic", "selection", "toolkit")),
    *(DEFAULT / f"{name}.py" for name in ("figures", "push", "networks")),
)


class Sources(NamedTuple):
    """Where the project's own words stand."""

    templates: Path = ROOT / "templates"
    prose: Path = DEFAULT / "prose"
    claims: Path = DEFAULT / "claims.toml"
    figures: tuple[Path, ...] = CAPTIONS
    study: Path = ROOT / "experiments" / "study.toml"

    @property
    def exemptions(self) -> Path:
        return self.prose / "numbers.toml"


OURS = Sources()


class Text(NamedTuple):
    """Words from `line` of `path` on, all else blank, and how many numerals a measure fills in."""

    path: Path
    line: int
    words: str
    bound: int


class Loose(NamedTuple):
    """A numeral that somebody typed, amid its `text`."""

    path: Path
    line: int
    text: str
    numeral: str


class Exemption(NamedTuple):
    """A phrase whose numerals need no measure; a line of the list of them."""

    path: Path
    line: int
    phrase: str
    reason: str

    @property
    def pattern(self) -> re.Pattern[str]:
        words = r"\s+".join(map(re.escape, self.phrase.split()))
        return re.compile(rf"(?<!\w){words}(?!\w)", re.IGNORECASE)


@dataclass(frozen=True)
class Coverage:
    """How the numerals came into the texts. `dead`: exemptions that exempt nothing."""

    bound: int
    exempt: int
    loose: Sequence[Loose]
    dead: Sequence[Exemption] = ()
    exemptions: Path = OURS.exemptions

    @property
    def summary(self) -> str:
        kept = self.bound + self.exempt
        total = kept + len(self.loose)
        return f"{kept} of {total} numerals bound or exempt ({self.bound} bound, {self.exempt} exempt)"


def check(sources: Sources = OURS) -> Coverage:
    """Counts the numerals that are bound, exempt or loose."""
    listed = {_folded(exemption.phrase): exemption for exemption in exemptions(sources.exemptions)}
    bound, exempt, loose, used = 0, 0, [], set()
    for text in texts(sources):
        bound += text.bound
        numerals = list(NUMERAL.finditer(text.words))
        words = _folded(text.words) if numerals else ""
        near = [exemption for phrase, exemption in listed.items() if phrase in words]  # far faster than a pattern
        spans = [(*match.span(), exemption) for exemption in near for match in exemption.pattern.finditer(text.words)]
        for numeral in numerals:
            around = {e for start, end, e in spans if start <= numeral.start() and numeral.end() <= end}
            used |= around
            exempt += bool(around)
            if not around:
                loose.append(_loose(text, numeral))
    loose.sort(key=lambda numeral: numeral[:2])
    return Coverage(bound, exempt, loose, [e for e in listed.values() if e not in used], sources.exemptions)


def require(coverage: Coverage) -> None:
    """Raises `UserError` if a numeral is loose, or an exemption dead."""
    if coverage.loose:
        places = [f"{display_path(n.path)}:{n.line}: '{n.numeral}' in “{n.text}”" for n in coverage.loose[:MAX_SHOWN]]
        more = len(coverage.loose) - len(places)
        raise UserError(
            f"{'; '.join(places)}{f'; and {more} more' if more else ''}: typed by hand. Expected what is measured. "
            f"Take it from a measure through the template, or list the phrase in {display_path(coverage.exemptions)}."
        )
    for dead in coverage.dead:
        raise UserError(
            f"{display_path(dead.path)}:{dead.line}: '{dead.phrase}' exempts no numeral. "
            "Expected only phrases that stand in the texts. Remove it."
        )


def exemptions(path: Path) -> list[Exemption]:
    """The phrases that are exempt, under their reasons; none where there is no list."""
    if not os.path.lexists(path):
        return []
    source = TomlReader(path, "Expected [exempt] with a reason = [phrases].").text
    return [Exemption(path, e.line, e.value, e.key) for e in _strings(source) if e.table == "exempt" and e.key]


def _folded(text: str) -> str:
    return " ".join(text.lower().split())


def _loose(text: Text, numeral: re.Match[str]) -> Loose:
    start, end = numeral.span()
    before, after = (re.sub(f"{SLOT}+", " … ", part) for part in (text.words[:start] + "|", "|" + text.words[end:]))
    around = " ".join(before.split()[-6:])[:-1] + numeral.group() + " ".join(after.split()[:6])[1:]
    line = text.line + text.words.count("\n", 0, start)
    return Loose(text.path, line, around, numeral.group())


# ---------------------------------------------------------------------------------------------- what a numeral is

WORDS = (
    *("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"),
    *("thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen", "twenty", "thirty", "forty"),
    *("fifty", "sixty", "seventy", "eighty", "ninety", "half", "halves", "twice", "double"),
    *("tens", "(?:hundred|thousand|million|third|quarter|fifth|tenth|twentieth|hundredth|thousandth)s?"),
)
NUMERAL = re.compile(
    r"(?:(?<!\w)[+±−-])?(?:\d{1,3}(?:,\d{3})+(?!\d)|\d+)(?:\.\d+)*(?:/\w+)?(?:\s?%)?"
    rf"|[¼-¾⅐-⅞]|\b(?:{'|'.join(WORDS)})\b",
    re.IGNORECASE,
)


# ---------------------------------------------------------------------------------------------- where prose stands


def texts(sources: Sources = OURS) -> Iterator[Text]:
    """All of the project's own words, with their places."""
    templates = [*sources.templates.glob("*.html"), *sources.prose.rglob("*.html"), *sources.prose.rglob("*.md")]
    for path in sorted(templates):
        yield _template(path, 1, _read(path))
    for path in (sources.claims, *sorted(sources.prose.rglob("*.toml"))):
        if path != sources.exemptions:
            for entry in filter(_ours, _strings(_read(path))):
                yield _template(path, entry.line, entry.value)
    for entry in _strings(_read(sources.study)):
        if entry.key in ("question", "title"):
            yield Text(sources.study, entry.line, entry.value, 0)
    for path in sources.figures:
        yield from _captions(path)


def _read(path: Path) -> str:
    expected = "Expected the project's own words."
    return TomlReader(path, expected).text if path.suffix == ".toml" else reading.read_text(path, expected)


SLOT = "\ufffc"  # stands where something other than words stood
STRING = r'"(?:\\.|[^"\\])*"|' r"'(?:\\.|[^'\\])*'"
UNSPOKEN = re.compile(r"\{#.*?#\}|<!--.*?-->|<(code|style|script|math)\b.*?</\1\s*>", re.DOTALL)
JINJA = re.compile(rf"\{{\{{(?:{STRING}|[^\"'])*?\}}\}}|\{{%(?:{STRING}|[^\"'])*?%\}}", re.DOTALL)
LITERAL = re.compile(rf"\bmath\((?:{STRING}|[^()\"'])*\)|(?P<words>{STRING})", re.DOTALL)
FORMATS = re.compile(rf"(?:\|\s*|\{{\{{-?\s*)(?:{'|'.join(FORMATTERS)})\b|%[\d.]*[dfge][\"']\s*\|\s*format\b")
TAG = re.compile(r"<[a-zA-Z/!](?:\"[^\"]*\"|'[^']*'|[^\"'>])*>|&#?\w+;")
ATTRIBUTE = re.compile(
    r"(?<=\s)(?:(?:aria-label|title|alt)|name=.description\b.*?\scontent)\s*=\s*(?P<words>\"[^\"]*\"|'[^']*')",
    re.DOTALL,
)


def _template(path: Path, line: int, source: str) -> Text:
    """A template's words: what stands outside of tags, and in the attributes and literals that people read."""
    spoken = UNSPOKEN.sub(lambda element: _blank(element.group()), source)
    bound = sum(tag.startswith("{{") and bool(FORMATS.search(tag)) for tag in JINJA.findall(spoken))
    words = JINJA.sub(lambda tag: _literals(tag.group()), spoken)
    return Text(path, line, TAG.sub(lambda tag: _attributes(tag.group()), words), bound)


def _literals(tag: str) -> str:
    spans = [match.span("words") for match in LITERAL.finditer(tag) if _is_prose(match["words"] or "")]
    return _only(tag, spans, SLOT)


def _attributes(tag: str) -> str:
    spans = [match.span("words") for match in ATTRIBUTE.finditer(tag)]
    return _only(tag, spans, SLOT if spans else " ")


def _is_prose(text: str) -> bool:
    return " " in text and re.search(rf"[^\W\d_]|{SLOT}", text) is not None


def _only(text: str, quoted: Sequence[tuple[int, int]], fill: str) -> str:
    """The text with nothing left of it but what stands between the quotes at these places."""
    kept, end = "", 0
    for start, stop in quoted:
        kept += _blank(text[end : start + 1], fill) + text[start + 1 : stop - 1]
        end = stop - 1
    return kept + _blank(text[end:], fill)


def _blank(text: str, fill: str = SLOT) -> str:
    return "\n".join(fill * len(line) for line in text.split("\n"))


class Entry(NamedTuple):
    """A string of a TOML file with its key and the last part of its table's name; a quoted key has no key."""

    line: int
    table: str
    key: str
    value: str


TOKEN = re.compile(
    r"#[^\n]*|^\[+(?P<table>[^\]\n]+)\]|(?P<key>[\w-]+)(?=[ \t]*=)"
    r'|(?P<string>"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\')(?P<names>[ \t]*=)?',
    re.DOTALL | re.MULTILINE,
)


def _strings(source: str) -> Iterator[Entry]:
    """Every string with its line, which tomllib does not tell."""
    table = key = ""
    for token in TOKEN.finditer(source):
        if string := token["string"]:
            line = source.count("\n", 0, token.start()) + 1 + (string[3:4] == "\n")
            yield Entry(line, table, "" if token["names"] else key, _value(string))
            key = string[1:-1] if token["names"] else key
        elif token["table"]:
            table, key = token["table"].split(".")[-1].strip(), ""
        key = token["key"] or key


def _value(string: str) -> str:
    """What a string of TOML says; only what stands on several lines keeps its line breaks."""
    if "\\" not in string and string[:3] not in ('"""', "'''"):
        return string[1:-1]
    value: str = tomllib.loads(f"_ = {string}")["_"]
    return value if "\n" in string else value.replace("\n", " ")


def _ours(entry: Entry) -> bool:
    """Whether an entry is prose, and neither a rule nor the article's."""
    quoted = entry.key in ARTICLE or (entry.key and entry.table in ARTICLE)
    return " " in entry.value and entry.key not in RULES and not quoted


def _captions(path: Path) -> Iterator[Text]:
    """The strings of a module that are prose, a slot for each value that an f-string fills in."""
    nodes: list[ast.AST] = [ast.parse(_read(path))]
    while nodes:
        match nodes.pop():
            case ast.Raise() | ast.Expr(value=ast.Constant()):
                pass  # messages and docstrings are not on the page
            case ast.Assert(test=test):
                nodes.append(test)
            case ast.Constant(value=str(words), lineno=line) if _is_prose(words):
                yield Text(path, line, words.replace("\n", " "), 0)
            case ast.JoinedStr(values=parts, lineno=line):
                filled = [part.value for part in parts if isinstance(part, ast.FormattedValue)]
                words = "".join(str(part.value) if isinstance(part, ast.Constant) else SLOT for part in parts)
                nodes += filled
                if _is_prose(words):
                    yield Text(path, line, words.replace("\n", " "), sum(map(_formats_a_number, parts)))
            case node:
                nodes += ast.iter_child_nodes(node)


def _formats_a_number(part: ast.expr) -> bool:
    """Whether a part of an f-string fills in a number: it has a format, or is called from what gives one its digits."""
    if not isinstance(part, ast.FormattedValue):
        return False
    called = isinstance(part.value, ast.Call) and isinstance(part.value.func, ast.Name) and part.value.func.id
    return part.format_spec is not None or called in (*FORMATTERS, "len")
