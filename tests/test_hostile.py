"""Bad input: whatever stands in a file, its reader gives the right answer or one clear error, soon, in little memory.

HOSTILE=10000 tries so many inputs a property, at random; otherwise few, in `make test-all` five times as many, and
always the same ones.
"""

from __future__ import annotations

import base64
import io
import lzma
import os
import re
import signal
import tracemalloc
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from html.parser import HTMLParser
from itertools import islice
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from experiments.analysis import evidence, summary
from experiments.data import sources
from experiments.data.datasets import MNIST
from experiments.data.sources import DIGITS
from experiments.files import reading, sealed
from experiments.files.errors import MAX_LINE, UserError
from experiments.store import store
from experiments.store.store import Store
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import Study
from experiments.training import worker
from experiments.training.backends import LocalBackend
from report import __main__ as command
from report.article import document, quotes
from report.claims import load as ledgers
from report.claims import margins
from report.claims import words as wording
from report.claims.model import NOT, Claim, Ledger, Question
from report.claims.verdicts import judge, judge_predictions
from report.page import numerals, render, site
from report.sharing import verify
from tests import fixture
from tests.article.test_dialect import ARTICLE as DIALECT
from tests.counts import count, repeated
from tests.data.test_data import described

SECOND, FOURTH = Path(__file__).with_name("second"), Path(__file__).with_name("fourth")
AT_RANDOM = bool(os.environ.get("HOSTILE"))
ENDLESS_SECONDS = 240  # what has not ended by then hangs


def tried(examples: int, **options: Any) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """How often a property is tried, in `make test`; other `options` are Hypothesis's."""
    checks = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
    often = settings(
        max_examples=count("HOSTILE", few=examples, many=5 * examples),
        derandomize=not AT_RANDOM,
        deadline=None,
        database=None,
        suppress_health_check=checks,
        **options,
    )
    return lambda test: repeated(often(test))


@pytest.fixture(autouse=True)
def ends() -> Iterator[None]:
    """A reader that waits for ever is a failure, not a test run that never ends."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TimeoutError("still reading")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(0 if AT_RANDOM else ENDLESS_SECONDS)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


def answers(place: str, action: Callable[[], object]) -> bool:
    """Whether `action` gives an answer; if not, it ends in one clear error that names the place, in nothing else."""
    try:
        action()
    except UserError as error:
        message = str(error)
        assert message.isprintable()
        assert len(message) <= MAX_LINE + 3
        assert place in message
        assert message.endswith(".")
        return False
    return True


@contextmanager
def little_memory(most_bytes: int = 60_000_000) -> Iterator[None]:
    """Fails where more is held at once."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < most_bytes
    finally:
        tracemalloc.stop()


# ---------------------------------------------------------------------------------------------- damage

NASTY = some.sampled_from(
    [
        *(
            b"\x00",
            b"\xff",
            b"\xed\xa0\x80",
            b"\xef\xbb\xbf",
            "\u202e".encode(),
            "\u200f".encode(),
            b"\x1b[2J",
            b"\r\n",
        ),
        *(
            b"[" * 300,
            b"{" * 300,
            b"- " * 300,
            b"> " * 300,
            b"**" * 300,
            b"9" * 5000,
            b"1e999",
            b"nan",
            b"\\",
            b'"',
            b"'",
        ),
        *(b"<script>alert(1)</script>", b"[a](javascript:b)", b"![a](http://b/c)", b"{{ 1/0 }}", b"{% if", b"$\\frac$"),
        *(
            b"```\n",
            b"\n---\n",
            b"&a ",
            b"*a ",
            b"<<: *a",
            b"!!python/name:os.system ",
            b'"\\ud800"',
            b'"\\u0000"',
            b'""',
        ),
    ]
)
EDITS = some.lists(
    some.tuples(
        some.sampled_from(["flip", "cut off", "insert", "leave out", "double"]),
        some.floats(0, 1, exclude_max=True),
        NASTY | some.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=3,
)


def damaged(content: bytes, edits: list[tuple[str, float, bytes]]) -> bytes:
    """`content` after the edits, each a kind, a place as a fraction of the length, and bytes."""
    for kind, where, some_bytes in edits:
        at = int(where * len(content))
        before, after, length = content[:at], content[at:], 3 * len(some_bytes)
        if kind == "flip" and after:
            content = before + bytes([after[0] ^ (some_bytes[0] or 1)]) + after[1:]
        elif kind == "cut off":
            content = before
        elif kind == "insert":
            content = before + some_bytes + after
        elif kind == "leave out":
            content = before + after[length:]
        elif kind == "double":
            content = before + after[:length] + after
    return content


TOML = some.sampled_from(
    [
        *(
            "1",
            "-1",
            "0.5",
            "nan",
            "inf",
            "1e300",
            "9223372036854775807",
            "true",
            "2026-01-01",
            "12:00:00",
            "0x" + "f" * 3000,
        ),
        *(
            '""',
            '" "',
            '"x"',
            '"\\u0000"',
            '"\\u202e"',
            '"<b>"',
            '"../x"',
            '"*"',
            '"$"',
            '"{{ 1/0 }}"',
            "'''\n'''",
            "[" * 200,
        ),
        *(
            "[]",
            "[1]",
            '["a", 1]',
            '[" "]',
            "[[]]",
            "{}",
            "{ a = 1 }",
            "[{ a = 1 }]",
            "[0.1, nan]",
            "[1, 1]",
            '["a", "b"]',
        ),
        *(
            '"gap > 0"',
            '"1 > 0"',
            '"-((1"',
            '"lead > 1e308 * 1e308"',
            '"contrast targets mean"',
            '"arm example-1 n / arm x y"',
        ),
        *('{ path = "contrast targets mean", label = "x", unit = "points" }', '{ path = 1, label = [], unit = "p" }'),
    ]
)
LINES = some.lists(
    some.tuples(
        some.sampled_from(["value", "value", "value", "key", "leave out", "double", "swap", "insert"]),
        some.floats(0, 1, exclude_max=True),
        some.floats(0, 1, exclude_max=True),
        TOML,
        some.sampled_from(
            ["[x]", "[[arms]]", "[[claims]]", "[rules.number_at]", "[[notes]]", "[defaults]", "x = 1", "a.b = 1"]
        ),
    ),
    min_size=1,
    max_size=3,
)


def edited(content: bytes, edits: list[tuple[str, float, float, str, str]]) -> bytes:
    """TOML after edits of whole lines: other values and keys, lines left out, doubled, exchanged and put in."""
    lines = content.decode().split("\n")
    for kind, where, there, value, header in edits:
        assigned = [number for number, line in enumerate(lines) if re.match(r"[\w\"-]+ = ", line)]
        at, other = int(where * len(lines)), int(there * len(lines))
        if kind in ("value", "key") and assigned:
            at = assigned[int(where * len(assigned))]
            key, _, old = lines[at].partition(" = ")
            lines[at] = f"{key} = {value}" if kind == "value" else f"{key[:-1]} = {old}"
        elif kind == "leave out" and len(lines) > 1:
            del lines[at]
        elif kind == "double":
            lines.insert(other, lines[at])
        elif kind == "swap":
            lines[at], lines[other] = lines[other], lines[at]
        else:
            lines.insert(at, header)
    return "\n".join(lines).encode()


def damaged_toml(content: bytes) -> some.SearchStrategy[bytes]:
    return LINES.map(lambda edits: edited(content, edits)) | EDITS.map(lambda edits: damaged(content, edits))


# ---------------------------------------------------------------------------------------------- what people write

STUDIES = [studies.STUDY.read_bytes(), (SECOND / "study.toml").read_bytes(), (FOURTH / "study.toml").read_bytes()]
LEDGERS = [fixture.LEDGER.read_bytes(), (SECOND / "claims.toml").read_bytes()]
ARTICLES = [fixture.ARTICLE.read_bytes(), (SECOND / "article.md").read_bytes(), DIALECT.encode()]
PROSE = (fixture.PROSE / "article.toml").read_bytes()


@tried(300)
@given(content=some.sampled_from(STUDIES).flatmap(damaged_toml))
def test_a_damaged_study_plans_its_runs_or_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.toml"
    path.write_bytes(content)

    def plan() -> None:
        found = studies.load(path)
        for run in [*found.runs("mnist")[:20], *found.runs("digits")[:20], *found.quick().runs("mnist")]:
            keys.training_key(run, "data")
            found.choose_settings(run, lambda _: 0.5)
            assert run.cost > 0

    answers("study.toml", plan)


@tried(300)
@given(content=some.sampled_from(LEDGERS).flatmap(damaged_toml))
def test_a_damaged_ledger_is_judged_or_refused(results: dict, plan: Study, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "claims.toml"
    path.write_bytes(content)

    def judge_all() -> None:
        found = ledgers.load(path)
        ledgers.check(found, plan, path)
        margins_of(found, results)

    answers("claim", judge_all)


def margins_of(ledger: Ledger, results: dict) -> None:
    """Reads every rule aloud, judges it and says what would turn it."""
    for question in ledger.questions.values():
        wording.rule(question, ledger.limits())
    verdicts = [verdict for judged in judge(ledger, results) for verdict in judged.verdicts.values()]
    for verdict in verdicts + [judged.verdict for judged in judge_predictions(ledger, results)]:
        margins.margin(verdict)


TOKENS = some.sampled_from(
    [
        *(
            "x",
            "y",
            "x",
            "y",
            "0",
            "1",
            "one",
            "more",
            "huge",
            "tiny",
            "(",
            ")",
            "not",
            "-",
            "abs(",
            "min(",
            "max(",
            ",",
        ),
        *("+", "-", "*", "/", "<", "<=", ">", "==", "and", "or"),
    ]
)
FINITE = some.floats(allow_nan=False, allow_infinity=False)


@tried(400)
@given(rule=some.lists(TOKENS, min_size=1, max_size=14).map(" ".join), x=FINITE, y=FINITE)
def test_any_rule_is_evaluated_or_refused_whatever_the_numbers(tmp_path: Path, rule: str, x: float, y: float) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM % rule)
    arms = {name: {"n": number, "seeds": [1, 2]} for name, number in (("x", x), ("y", y))}
    numbers_ = {"arms": arms, "contrasts": [], "runs": []}
    answers("claim 'c'", lambda: margins_of(ledgers.load(path), numbers_))


def test_a_rule_that_parses_but_cannot_be_evaluated_is_an_error_that_names_the_claim(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM % "one / max(x, more) > 0")
    arms = {name: {"n": 3.0, "seeds": [1, 2]} for name in "xy"}
    results = {"arms": arms, "contrasts": [], "runs": []}
    ledger = ledgers.load(path)
    with pytest.raises(UserError, match=r"line 12 of the claims: claim 'c'\.stated: .*divide by evidence.* Fix its r"):
        judge(ledger, results)


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("claims.toml", 'id = "lower-accuracy"', 'id = "slower-convergence"', "an id that no other claim has"),
        ("claims.toml", 'id = "lower-accuracy"', "id = 'a b\"'", "Expected letters, digits, dots and hyphens"),
        (
            "claims.toml",
            'quote = "slower convergence"',
            'quote = [" "]',
            '.quote is [" "]. Expected words of',
        ),
        ("claims.toml", 'figures = ["accuracy"]', "figures = [1]", ".figures is [1]. Expected a list of texts."),
        ("claims.toml", "version = 2", "version = 2\nclaim = 2", "unknown key 'claim'"),
        ("claims.toml", "[unchecked]", '[unchecked]\nwhy = "First words"', "unchecked.why is"),
        ("claims.toml", "version = 2", 'version = 2\nclaims = [{ id = "a" }]', "not valid TOML"),
        ("study.toml", 'title = "Example 1: tanh', 'title = "$\\\\frac$: tanh', "without $"),
        ("article.toml", "[changes]", "[changes]\nhidden = 1", "not valid TOML"),
        (
            "article.toml",
            "code_blocks = [",
            "code_blocks = [1, ",
            'code_blocks is [1, "example-1", ',
        ),
        (
            "article.toml",
            "[[notes]]",
            "[[note]]",
            "unknown key 'note'. Known here: code_blocks,",
        ),
    ],
)
def test_values_that_would_break_the_page_are_refused(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    path, text = tmp_path / name, REAL[name].decode()
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)) as error:
        READERS[name](path)
    assert name in str(error.value)


class Tags(HTMLParser):
    """The tags of a fragment with the names of their attributes, and where its links lead."""

    def __init__(self, html: str):
        super().__init__()
        self.found: list[tuple[str, ...]] = []
        self.targets: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, *(name for name, _ in attrs)))
        self.targets += [value or "" for name, value in attrs if name in ("href", "src")]


MARKDOWNS = {
    *(
        "p",
        "h3",
        "h4",
        "h5",
        "h6",
        "em",
        "strong",
        "code",
        "pre",
        "a",
        "img",
        "ul",
        "ol",
        "li",
        "blockquote",
        "hr",
        "br",
    ),
    *("span", "table", "thead", "tbody", "tr", "th", "td", "div", "sup", "dl", "dt", "dd", "del"),
}


@tried(300)
@given(content=some.builds(damaged, some.sampled_from(ARTICLES), EDITS))
def test_a_damaged_article_renders_without_scripts_or_requests_or_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "article.md"
    path.write_bytes(content)

    def show() -> None:
        found = document.load(path)
        quotes.sentences(found)
        html = Tags("".join(document.to_html(part) for part in found.parts))
        f"{found.title}{found.date}{found.id}".encode()
        assert {tag[0] for tag in html.found} <= MARKDOWNS
        assert not [name for tag in html.found for name in tag[1:] if name.startswith("on") or name == "style"]
        assert not [
            to for to in html.targets if re.match(r"\s*(javascript|vbscript|data:(?!image/))", to, re.IGNORECASE)
        ]

    answers("article.md", show)


@tried(100)
@given(content=damaged_toml(PROSE))
def test_damaged_prose_is_read_as_text_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "article.toml").write_bytes(content)

    def read() -> None:
        found = render.load_prose(tmp_path)
        pairs = (*found.figures, *found.notes, *found.changes.items())
        assert all(isinstance(text, str) for text in (*found.code_blocks, *(text for pair in pairs for text in pair)))

    answers("article.toml", read)


@tried(50)
@given(content=damaged_toml((fixture.PROSE / "numbers.toml").read_bytes()))
def test_a_damaged_list_of_exemptions_is_read_or_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "numbers.toml").write_bytes(content)
    answers("numbers.toml", lambda: numerals.exemptions(tmp_path / "numbers.toml"))


# ---------------------------------------------------------------------------------------------- what we wrote ourselves

JSON = some.recursive(
    some.none() | some.booleans() | some.integers() | FINITE | some.text(some.characters(exclude_categories=["Cs"])),
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(some.text(max_size=5).filter(str.isascii), inner),
    max_leaves=8,
)


@tried(100)
@given(value=JSON, edits=EDITS)
def test_a_sealed_file_yields_what_was_written_or_is_refused(tmp_path: Path, value: Any, edits: list) -> None:
    path, told = tmp_path / "a.json", {"format": store.FORMAT, "value": value}
    path.write_bytes(sealed.to_json(told))
    assert sealed.read_json(path, 2) == told
    content = damaged(path.read_bytes(), edits)
    path.write_bytes(content)
    assert answers("a.json", lambda: sealed.read_json(path, 2)) == (content == sealed.to_json(told))


Stored = tuple[Study, list[store.Entry]]


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Stored:
    """The four runs of the second study, made up."""
    plan = studies.load(SECOND / "study.toml")
    results_store = Store(tmp_path_factory.mktemp("stored"))
    entries = [results_store.entry(run, DIGITS.identity) for run in plan.runs("digits")]
    for entry in entries:
        arm, seed = entry.run.arm, entry.run.seed
        weights = fixture.snapshot(arm, seed)
        results_store.save_training(entry, fixture.training(entry.run, 0.9), {"epoch_1": weights, "final": weights})
        outputs = fixture.outputs(0.9, seed, softmax=True)
        results_store.save_measures(entry, fixture.measure(arm, weights, outputs))
    return plan, entries


@tried(60)
@given(edits=EDITS, which=some.integers(0, 11), there=some.integers(0, 11), swapped=some.booleans())
def test_a_damaged_store_gives_the_same_statistics_or_is_refused(
    stored: Stored, edits: list, which: int, there: int, swapped: bool
) -> None:
    plan, entries = stored
    paths = [path for entry in entries for path in sorted(entry.folder.iterdir())]
    path, whole = paths[which], paths[which].read_bytes()
    before = (
        summary.summarise(plan, summary.observations(entries), 4, DIGITS),
        [entry.snapshots() for entry in entries],
    )
    after: list[Any] = []
    path.write_bytes(paths[there].read_bytes() if swapped else damaged(whole, edits))

    def read() -> None:
        after.append(
            (
                summary.summarise(plan, summary.observations(entries), 4, DIGITS),
                [entry.snapshots() for entry in entries],
            )
        )

    try:
        answers(path.name, read)
    finally:
        path.write_bytes(whole)
    for results, weights in after:
        assert results == before[0]
        np.testing.assert_equal(weights, before[1])


# ---------------------------------------------------------------------------------------------- a page from elsewhere

SEEN = {"images": 20, "wrong_images": [3, 5], "wrong": 2}
CONTENT = {"format": 2, "runs": [{**SEEN, "seed": seed} for seed in range(3)], "replications": {"digits": []}}
PACKED = evidence.pack(CONTENT).encode()


@tried(100)
@given(edits=EDITS)
def test_damaged_evidence_unpacks_to_the_original_or_is_refused(edits: list) -> None:
    text = damaged(PACKED, edits).decode("latin-1")
    found = []
    if answers("The evidence in the page is damaged", lambda: found.append(evidence.unpack(text))):
        assert found == [CONTENT]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": 3}, "has format 3, expected 2"),
        (
            {"format": 1, "source": {"facts": {"name": "mnist"}}, "expected": [1, 0], "replication": {"count": 0}},
            r"has format 1, expected 2\. .*: check out",
        ),
        ({"record": "another"}, "with a different record"),
        ({"runs": {"count": 10**12, "columns": {}}}, "it has 1000000000000 runs"),
        ({"runs": {"count": 1, "columns": {"images": [10**12], "wrong_images": [0]}}}, "1000000000000 images"),
        (  # of three columns of bits there are runs for one
            {"runs": {"count": 1, "columns": {"images": [9], "wrong_images": [2]}}},
            "other columns of images than any evidence",
        ),
        ({"runs": {"count": 1, "columns": {"images": [9], "wrong_images": [-1]}}}, "other columns of images"),
        ({"runs": {"count": 2, "columns": {"images": [1]}}}, "1 values for 2 runs"),
        ({"runs": 7}, "damaged"),
        ({"source": {"name": "tulips"}}, "Nothing follows from the evidence in the page"),
        ({"expected": None}, "Nothing follows from the evidence in the page"),
    ],
    ids=[
        "another format",
        "an older format",
        "another record",
        "many runs",
        "many images",
        "many columns",
        "a column below 0",
        "few values",
        "no list",
        "no data",
        "a gap",
    ],
)
def test_made_up_evidence_is_refused(change: dict, message: str) -> None:
    nothing = {"count": 0, "columns": []}
    source = {"name": "mnist", "origin": "here", "fallback": ""}
    made_up = {"format": 2, "quick": False, "source": source, "record": "", "runs": nothing, "replications": {}}
    text = base64.b64encode(lzma.compress(sealed.compact({**made_up, **change}) + b"\n")).decode()
    with little_memory(), pytest.raises(UserError, match=message), verify.foreign():
        verify.proof(f'<template id="evidence">{text}</template>', studies.load)


def test_evidence_that_unpacks_to_more_than_any_study_needs_is_refused() -> None:
    text = base64.b64encode(lzma.compress(b'{"a":"' + b" " * (evidence.MAX_UNPACKED_BYTES + 1))).decode()
    with (
        little_memory(3 * evidence.MAX_UNPACKED_BYTES),
        pytest.raises(UserError, match="cut short, or larger than any"),
    ):
        evidence.unpack(text)


def bomb(kind: str) -> str:
    """Evidence that takes little in a page and would take gigabytes in memory."""
    none = {"count": 0, "columns": []}
    head: dict[str, Any] = {"format": 2, "runs": none, "replications": {"digits": none}}
    bits = b""
    if kind == "every image is wrong":
        columns = {"images": [100_000] * 2000, "wrong_images": [*range(2000)]}
        head["runs"], bits = {"count": 2000, "columns": columns}, b"\xff" * (2000 // 8 * 100_000)
    elif kind == "one column for every run":
        head["runs"] = {"count": 2000, "columns": {"images": [100_000] * 2000, "wrong_images": [0] * 2000}}
        bits = b"\x80" * 100_000
    elif kind == "objects for every run":
        head["runs"] = {"count": 20_000, "columns": {str(n): {} for n in range(100_000)}}
    elif kind == "many values":
        head["runs"] = [[]] * 5_000_000
    elif kind == "a long text":
        head["runs"] = {"count": 1, "columns": {"processor": ["x" * 10_000_000]}}
    elif kind == "many texts":
        head["runs"] = {"count": 1000, "columns": {"processor": [f"{n}{'x' * 1900}" for n in range(1000)]}}
    elif kind == "a text turned round":
        head["runs"] = {"count": 1, "columns": {"processor": ["a\u202eb"]}}
    elif kind == "a text of wide signs":
        return base64.b64encode(lzma.compress('{"a":"\U0001f600'.encode() + b" " * 20_000_000 + b'"}\n')).decode()
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 2**29 if kind == "a large dictionary" else 2**20}]
    return base64.b64encode(lzma.compress(sealed.compact(head) + b"\n" + bits, filters=filters)).decode()


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("every image is wrong", "more images are wrong than in any evidence"),
        ("one column for every run", "more images are wrong than in any evidence"),
        ("objects for every run", "more objects than any evidence"),
        ("many values", "more values than any evidence"),
        ("a long text", "a text that is longer than any in evidence"),
        ("many texts", "its texts are longer"),
        ("a text turned round", "or hides something"),
        ("a text of wide signs", "its JSON is larger"),
        ("a large dictionary", "Memory usage limit exceeded"),
    ],
)
def test_evidence_that_would_need_far_more_memory_than_its_size_is_refused(kind: str, message: str) -> None:
    text = bomb(kind)
    assert len(text) < 1_000_000
    with little_memory(3 * evidence.MAX_UNPACKED_BYTES), pytest.raises(UserError, match=message):
        evidence.unpack(text)


def forever() -> None:
    while True:
        pass


def test_evidence_that_takes_forever_to_process_is_given_up() -> None:
    told = r"more than 0\.05 s of processor time.*make verify PATIENCE=0\.5\."
    with pytest.raises(UserError, match=told), verify.foreign(0.05):
        forever()
    assert signal.getitimer(signal.ITIMER_PROF) == (0.0, 0.0)


def test_an_exit_while_the_page_is_derived_again_is_a_failure() -> None:
    told = "Nothing follows from the evidence in the page: SystemExit: 0"
    with pytest.raises(UserError, match=told), verify.foreign():
        raise SystemExit(0)


@pytest.mark.parametrize("seconds", ["-1", "nan", "inf", "1e300"])
def test_a_time_limit_that_is_not_a_number_of_seconds_is_refused(tmp_path: Path, seconds: str) -> None:
    (tmp_path / "page.html").write_text("<p>")
    with pytest.raises(UserError, match="Expected a number of seconds, such as 20"):
        command.main(command.parse(["verify", f"--seconds={seconds}", str(tmp_path / "page.html")]))


@pytest.fixture(scope="module")
def page(results: dict) -> str:
    return fixture.page_of(results, evidence="abcd" * 200)


@pytest.mark.parametrize(
    "repeated",
    [
        *(
            "<a ",
            "<!--",
            '<a b="',
            "<script>",
            "<",
            ">",
            "<>",
            "<![CDATA[",
            "<b>",
            "<p",
            "<tr><td>1",
            "\n",
            " ",
            "x",
            "\0",
        ),
        *(
            '<section id="a">',
            '<template id="evidence">',
            '<template id="evidence">A',
            "<svg><g>",
            "<table><a>",
            " a=1",
        ),
    ],
)
def test_four_megabytes_of_anything_are_compared_in_little_memory(page: str, repeated: str) -> None:
    most = command.PAGE_BYTES - len(page.encode())
    before, after = page.split("<h1>")
    file = f"{before}{repeated * (most // len(repeated))}<h1>{after}"
    with little_memory(200_000_000):
        assert verify.judge(file, page) == verify.Result.CHANGED
        found = list(islice(verify.differences(file, page), 21))
        assert found[0].place == "answer"
        assert all(len(str(difference)) < 500 for difference in found)
        assert len(verify.MARK.findall(file)) == 1


# ---------------------------------------------------------------------------------------------- MNIST


def packed(method: int, **arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array, allow_pickle=True)
            archive.writestr(f"{name}.npy", content.getvalue())
    return buffer.getvalue()


NOT_MNIST = {
    name: np.zeros(shape if len(shape) == 1 else (3, *shape[1:]), "u1") for name, shape in MNIST.shapes.items()
}
ARCHIVES = [packed(method, **NOT_MNIST) for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)]
ARCHIVES += [packed(0, x_train=np.array([{"a": 1}])), packed(0, nested=np.frombuffer(ARCHIVES[0], "u1"))]


@tried(100)
@given(content=some.builds(damaged, some.sampled_from(ARCHIVES), EDITS))
def test_anything_other_than_mnist_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    (tmp_path / "mnist.npz").write_bytes(content)
    monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "mnist.npz"))
    assert not answers("mnist.npz", lambda: sources.find(tmp_path / "memory.json"))


# ---------------------------------------------------------------------------------------------- words on the page

WORDS = some.text(
    some.sampled_from("<>&\"'`/=;:{}%#$[]()!-*_ ab\u05d0\u200f")
    | some.characters(exclude_categories=["C", "Z"]).filter(lambda sign: not reading.find_invisible_char(sign)),
    min_size=1,
    max_size=60,
).filter(str.strip) | some.sampled_from(
    [
        "<script>alert(1)</script>",
        "</script>",
        "</title>",
        "-->",
        "]]>",
        "{{ 1/0 }}",
        "{% raw %}",
        "<img src=x onerror=y>",
    ]
)


@pytest.fixture(scope="module")
def tags_of(results: dict) -> Callable[[str], list[tuple[str, ...]]]:
    """The page's tags where every text that comes from a file is replaced by the given words."""
    drawn = {figure.name: figure for figure in fixture.draw(results)}
    source, given = document.load(fixture.ARTICLE), ledgers.load(fixture.LEDGER)

    def question(one: Question, words: str) -> Question:
        evidence = {name: replace(part, label=words) for name, part in one.evidence.items()}
        reasons = {key: getattr(one, key) and words for key in ("question", "reading", "none", "not_testable")}
        return replace(one, **reasons, evidence=evidence)

    def claim(one: Claim, words: str) -> Claim:
        parts = {part: question(asked, words) for part, asked in one.parts.items()}
        return replace(one, seen=words, topic=words, note="", parts=parts)

    def ledger(words: str) -> Ledger:
        return replace(
            given,
            declared=words,
            unchecked={words: ("It's designed",)},
            claims=tuple(claim(one, words) for one in given.claims),
            thresholds={name: replace(one, reason=words) for name, one in given.thresholds.items()},
            predictions=tuple(
                replace(one, refuted=words, question=question(one.question, words)) for one in given.predictions
            ),
        )

    def tags(words: str) -> list[tuple[str, ...]]:
        arms = {name: {**arm, "title": words, "question": words} for name, arm in results["arms"].items()}
        told = {name: replace(figure, title=words, description=words) for name, figure in drawn.items()}
        read = {**results, "arms": arms, "processors": [words]}
        titled = replace(source, title=words, date=words, id=words)
        worded = ledger(words)
        html = render.render(read, told, titled, render.Prose(Path("none")), worded, judge(worded, results))
        return Tags(html).found

    return tags


@tried(10)
@given(words=WORDS)
def test_no_text_from_a_file_changes_the_pages_tags(
    tags_of: Callable[[str], list[tuple[str, ...]]], words: str
) -> None:
    assert tags_of(words) == tags_of("plain")


@pytest.mark.parametrize(
    ("note", "message"),
    [
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "'__class__' of 'str' object is unsafe"),
        ("{{ lipsum() }}", "'lipsum' is undefined"),
        ("{{ range(9) }}", "'range' is undefined"),
        ("{{ [1, 2]|random }}", "No filter named 'random'"),
        ("{{ 'x'|center(10 ** 18) }}", "MemoryError"),
    ],
    ids=["the program", "chance", "a long loop", "chance by a filter", "too much memory"],
)
def test_a_note_can_access_nothing_but_the_results_and_is_named_where_it_tries(
    results: dict, note: str, message: str
) -> None:
    given = ledgers.load(fixture.LEDGER)
    ledger = replace(given, claims=(replace(given.claims[0], note=note),))
    drawn = {figure.name: figure for figure in fixture.draw(results)}
    source, verdicts = document.load(fixture.ARTICLE), judge(ledger, results)
    with pytest.raises(
        UserError, match=rf"^the note '{re.escape(note[:20])}.*{message}.*Fix it in the claims or the pr"
    ):
        render.render(results, drawn, source, render.Prose(Path("none")), ledger, verdicts)


# ---------------------------------------------------------------------------------------------- what nobody sees

READERS: dict[str, Callable[[Path], object]] = {
    "study.toml": studies.load,
    "claims.toml": ledgers.load,
    "article.md": document.load,
    "article.toml": lambda path: render.load_prose(path.parent),
    "numbers.toml": numerals.exemptions,
}
REAL = {"study.toml": STUDIES[0], "claims.toml": LEDGERS[0], "article.md": ARTICLES[0], "article.toml": PROSE}
REAL["numbers.toml"] = (fixture.PROSE / "numbers.toml").read_bytes()


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_and_windows_line_endings_change_nothing(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(REAL[name])
    plain = READERS[name](path)
    path.write_bytes(b"\xef\xbb\xbf" + REAL[name].replace(b"\n", b"\r\n"))
    assert READERS[name](path) == plain


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("sign", ["\x00", "\x1b", "\x9b", "\u202e", "\u2066", "\uffff"], ids=ascii)
def test_invisible_characters_are_refused_with_their_line_and_name(tmp_path: Path, name: str, sign: str) -> None:
    path = tmp_path / name
    lines = REAL[name].decode().split("\n")
    path.write_text("\n".join([*lines[:4], lines[4] + sign, *lines[5:]]), encoding="utf-8")
    with pytest.raises(UserError, match=rf"{name}:5: holds U\+{ord(sign):04X}\. "):
        READERS[name](path)


@pytest.mark.parametrize(
    ("name", "old", "new"),
    [
        ("study.toml", 'title = "', 'title = "\\u202e'),
        ("claims.toml", 'question = "', 'question = "\\u0000'),
        ("article.toml", 'question = "', 'question = "\\u0007'),
        ("article.md", 'title: "', 'title: "\\u202e'),
        ("article.md", 'title: "', 'title: "\\ud800'),
    ],
)
def test_invisible_characters_written_as_escapes_are_refused(tmp_path: Path, name: str, old: str, new: str) -> None:
    path, text = tmp_path / name, REAL[name].decode()
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(UserError, match=r"holds U\+(202E|0000|0007|D800)"):
        READERS[name](path)


# ---------------------------------------------------------------------------------------------- what is no file

READERS_OF_FILES = {
    **READERS,
    "results.json": lambda path: sealed.read_json(path, 2),
    "mnist.npz": lambda path: sources.find(path.with_name("memory.json")),
}


def endless(path: Path) -> None:
    path.symlink_to("/dev/zero")


def in_a_circle(path: Path) -> None:
    path.symlink_to(path)


def huge(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**40)  # it takes no space on the disk


@pytest.mark.parametrize("name", READERS_OF_FILES)
@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "Not a regular file"),
        (os.mkdir, "Is a directory"),
        (endless, "Not a regular file"),
        (in_a_circle, "Too many levels of symbolic links"),
        (huge, "Larger than"),
    ],
    ids=["a pipe", "a folder", "a device", "a link to itself", "a terabyte"],
)
def test_anything_but_a_file_of_reasonable_size_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[Path], None], message: str
) -> None:
    path = tmp_path / name
    make(path)
    monkeypatch.setenv("MNIST_NPZ", str(path))
    with pytest.raises(UserError, match=rf"{name}: cannot be read: {message}"):
        READERS_OF_FILES[name](path)


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir, endless, huge], ids=lambda make: make.__name__)
def test_a_cache_entry_that_is_not_a_file_is_ignored(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "memory.json")
    assert sources._read_memory(tmp_path / "memory.json") == {}
    assert not site.is_current(tmp_path / "memory.json", "inputs", tmp_path)


def test_a_lock_that_is_a_link_is_refused_and_its_target_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "diary").write_text("dear")
    (tmp_path / ".lock").symlink_to(tmp_path / "diary")
    with pytest.raises(OSError, match="Too many levels"), Store(tmp_path).locked():
        pass
    assert (tmp_path / "diary").read_text() == "dear"


@pytest.mark.parametrize(
    "write",
    [lambda log: LocalBackend(Store(log.parent), 1).pool, lambda log: worker.start(log, "")],
    ids=["before training", "in a worker"],
)
def test_a_log_that_is_a_link_is_refused_and_its_target_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], object]
) -> None:
    def went_on(*_: object) -> None:
        raise AssertionError("the link was followed")

    (tmp_path / "diary").write_text("dear")
    (tmp_path / "workers.log").symlink_to(tmp_path / "diary")
    with monkeypatch.context() as patch:
        patch.setattr(os, "dup2", went_on)  # else this process would become a worker
        with pytest.raises(OSError, match="Too many levels"):
            write(tmp_path / "workers.log")
    assert (tmp_path / "diary").read_text() == "dear"


# ---------------------------------------------------------------------------------------------- bombs

ARTICLE = "---\ntitle: t\ndate: 2026-01-01\nid: i\n{more}\n---\n{text}\n"
DOUBLED = "".join(f"k{n}: &k{n} [{', '.join([f'*k{n - 1}'] * 9)}]\n" for n in range(1, 30))
MERGED = "".join(f"k{n}: &k{n} {{<<: [{', '.join([f'*k{n - 1}'] * 9)}]}}\n" for n in range(1, 30))
LISTS = "".join(
    f"{key} = [{', '.join(map(str, range(1, 65)))}]\n" for key in ("depth", "width", "batch_size", "holdout")
)
FAMILY = f'[[arms]]\nname = "a-{{depth}}-{{width}}-{{batch_size}}-{{holdout}}"\nblock = "examples"\n{LISTS}'
NUMBERS = {"one": 1, "more": 2.5, "huge": 1e299, "tiny": 1e-299} | {f"p{n}": 2**n for n in range(1, 31)}
EVIDENCE = "".join(f'evidence.{n} = {{ path = "arm {n} n", label = "it", unit = "number" }}\n' for n in "xy")
THRESHOLDS = "".join(f'{name} = {{ value = {value!r}, reason = "why" }}\n' for name, value in NUMBERS.items())
CLAIM = (
    'version = 2\ndeclared = 2026-01-01\n[[claims]]\nid = "c"\nquote = "q"\n'
    f'[claims.general]\nquestion = "?"\nreading = "so"\n{EVIDENCE}supported = "max(x, {", ".join(NUMBERS)}) > 0"\n'
    f'[claims.stated]\nquestion = "?"\nreading = "so"\n{EVIDENCE}supported = "%s"\n[thresholds]\n{THRESHOLDS}'
)
TENT = "x"
for power in range(30, 0, -1):  # a line that is folded in two 30 times
    TENT = f"abs({TENT} - p{power})"
BOMBS = {
    # what it is: (file, content, how the answer begins; "" for no error)
    "aliases of aliases": ("article.md", ARTICLE.format(more="k0: &k0 a\n" + DOUBLED, text="a"), ""),
    "merges of merges": ("article.md", ARTICLE.format(more="k0: &k0 {a: b}\n" + MERGED, text="a"), ""),
    "an alias for a title": ("article.md", "---\na: &a [a]\ntitle: *a\ndate: 2026-01-01\nid: i\n---\n", "no 'title'"),
    "a title said twice": ("article.md", ARTICLE.format(more="title: u", text="a"), "says 'title' twice"),
    "YAML in YAML": ("article.md", ARTICLE.format(more="a: " + "[" * 500, text="a"), "not valid YAML"),
    "quotes in quotes": ("article.md", ARTICLE.format(more="", text="> " * 5000 + "a"), "nested"),
    "lists in lists": ("article.md", ARTICLE.format(more="", text="- " * 5000 + "a"), "nested"),
    "emphasis in emphasis": ("article.md", ARTICLE.format(more="", text="*a **b " * 500 + " c** d*" * 500), "nested"),
    "open brackets": ("article.md", ARTICLE.format(more="", text="[" * 100_000), "a paragraph of more than"),
    "a paragraph without an end": ("article.md", ARTICLE.format(more="", text="a " * 60_000), "a paragraph of more"),
    "tables in tables": ("study.toml", "a = " + "{a = " * 700, "not valid TOML"),
    "a key without an end": ("study.toml", "a" + ".a" * 60_000 + " = 1", "longer than 4000 characters"),
    "a number without an end": ("study.toml", "version = 0x" + "f" * 3900, "a whole number of more than 64 bits"),
    "a product of lists": ("study.toml", STUDIES[0].decode() + FAMILY, "Expected at most 1000 arms"),
    "very many runs": (
        "study.toml",
        re.sub(r"seeds = .*", "seeds = [\n" + "".join(f"{n},\n" for n in range(900)) + "]", STUDIES[0].decode()),
        "runs",
    ),
    "a power of a power": ("claims.toml", CLAIM % ("x ** x ** x ** x > 0"), "a rule may not say"),
    "a rule in a rule": ("claims.toml", CLAIM % ("(" * 300 + "x"), "claim 'c'"),
    "a rule without an end": (
        "claims.toml",
        CLAIM % ("x + " * 900 + "x"),
        "at most 1000 characters, not 3601",
    ),
}


@pytest.mark.parametrize(("name", "content", "message"), BOMBS.values(), ids=BOMBS)
def test_a_bomb_does_not_go_off(tmp_path: Path, name: str, content: str, message: str) -> None:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    with little_memory(), pytest.raises(UserError, match=re.escape(message)) if message else nullcontext():
        READERS[name](path)


def test_a_rule_that_flips_endlessly_is_still_evaluated(tmp_path: Path) -> None:
    path = tmp_path / "claims.toml"
    path.write_text(CLAIM % f"{TENT} > p10")
    with little_memory():
        arms = {name: {"n": 0.3, "seeds": [1, 2]} for name in "xy"}
        (judged,) = judge(ledgers.load(path), {"arms": arms, "contrasts": [], "runs": []})
    assert judged.verdicts["stated"].verdict == NOT


def unpacked(path: Path, method: int, start: bytes, megabytes: int) -> None:
    """An .npz that is small until it is unpacked."""
    with zipfile.ZipFile(path, "w", method) as archive, archive.open("x_train.npy", "w") as member:
        member.write(start)
        for _ in range(megabytes):
            member.write(bytes(1_000_000))


@pytest.mark.parametrize(
    ("method", "start", "message"),
    [
        (zipfile.ZIP_BZIP2, described((60000, 28, 28)), "packed in another way than NumPy packs a few arrays."),
        (zipfile.ZIP_DEFLATED, described((10**12,)), "array 'x_train' is uint8 [1000000000000]."),
    ],
    ids=["bzip2", "a header that lies"],
)
def test_a_zip_bomb_in_place_of_mnist_is_refused_before_it_is_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: int, start: bytes, message: str
) -> None:
    unpacked(tmp_path / "mnist.npz", method, start, 200)
    monkeypatch.setenv("MNIST_NPZ", str(tmp_path / "mnist.npz"))
    with little_memory(), pytest.raises(UserError, match=re.escape(message)):
        sources.find(tmp_path / "memory.json")


def test_a_file_without_a_valid_seal_is_not_even_parsed(tmp_path: Path, stored: Stored) -> None:
    (tmp_path / "results.json").write_bytes(b'{"format":1,"runs":[' + b"{}," * 5_000_000 + b"0]}")  # 400 MB as objects
    with little_memory(), pytest.raises(UserError, match="not what this version wrote"):
        sealed.read_json(tmp_path / "results.json", 2)
    path = stored[1][0].folder / "weights.npz"
    whole = path.read_bytes()
    unpacked(path, zipfile.ZIP_DEFLATED, described((10**8,)), 100)
    try:
        with little_memory(), pytest.raises(UserError, match="not what this version wrote"):
            stored[1][0].snapshots()
    finally:
        path.write_bytes(whole)


@tried(100)
@given(words=some.text())
def test_an_error_is_one_printable_line_whatever_it_quotes(words: str) -> None:
    message = str(UserError(f"here: {words} is wrong. Fix it."))
    assert message.isprintable()
    assert len(message) <= MAX_LINE + 3
    assert message.startswith("here: ")
    assert message.endswith("is wrong. Fix it.")
