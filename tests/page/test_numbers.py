"""No loose number: what counts as a numeral of the project's own, what binds it, and what exempts it."""

from __future__ import annotations

from pathlib import Path

import pytest

from experiments.files.errors import UserError
from report.page import numerals
from report.page.numerals import Sources


def lay(folder: Path, texts: dict[str, str]) -> Sources:
    """A project that consists of these texts."""
    paths = Sources(
        folder / "templates", folder / "prose", folder / "claims.toml", (folder / "p.py",), folder / "s.toml"
    )
    for path in (paths.templates, paths.prose / "why"):
        path.mkdir(parents=True)
    for name in ("claims.toml", "p.py", "s.toml", *texts):
        (folder / name).write_text(texts.get(name, ""), encoding="utf-8")
    return paths


def loose(folder: Path, texts: dict[str, str]) -> list[tuple[str, int, str]]:
    return [(n.path.name, n.line, n.numeral) for n in numerals.check(lay(folder, texts)).loose]


@pytest.mark.parametrize(
    ("name", "text", "line", "numeral"),
    [
        ("templates/a.html", "<p>\nover 10 seeds</p>", 2, "10"),
        ("templates/a.html", "<p>\n{# why #}\nover ten\nseeds</p>", 3, "ten"),
        ("templates/a.html", "{{ a\n}}, half of them", 2, "half"),
        ("templates/a.html", "{% if a < 0 %}Twice{% endif %}", 1, "Twice"),
        ("templates/a.html", "<a href='#x'\n aria-label='The 3 runs'>", 2, "3"),
        ("templates/a.html", '<img alt="{{ name }}, 4 bars">', 1, "4"),
        ("templates/a.html", '<meta name="description" content="5 claims">', 1, "5"),
        ("templates/a.html", '<p>{{ "6 runs" if all else "none at all" }}</p>', 1, "6"),
        ("templates/a.html", '<p aria-label="{{ "7 runs" if all else "none" }}">', 1, "7"),
        ("prose/why/b.html", "{% set told =\n{'a': 'targets −1'} %}", 2, "−1"),
        ("prose/readme.md", "| all | {{ a|percent }} |\n| 9 | {{ b|percent }} |", 2, "9"),
        ("prose/notes.toml", "# 1\n[[notes]]\ntext = 'some 8 seeds'", 3, "8"),
        ("prose/notes.toml", 'text = """\nMany\nor 8."""', 3, "8"),
        ("prose/notes.toml", 'text = "\\u2212 or \\"9\\""', 1, "9"),
        ("claims.toml", '[claims.evidence]\na = { path = "arm 1", label = "the lead over 3 arms" }', 2, "3"),
        ("claims.toml", '[unchecked]\n"a reason" = ["All 7"]\n"what one run cannot tell" = ["All 7"]', 3, "one"),
        ("s.toml", 'seeds = [1]\nquestion = "Which of three?"', 2, "three"),
        ("s.toml", 'title = "Example 1"', 1, "1"),
        ("p.py", "title = f'{x:.2f} points on 11 runs'", 1, "11"),
        ("p.py", "def f():\n    return 'over ' + 'all 12 runs'", 2, "12"),
        ("p.py", "a = f'{\"the 13 runs\" if x else y} are'", 1, "13"),
    ],
)
def test_a_typed_numeral_is_loose_in_text_for_readers(
    tmp_path: Path, name: str, text: str, line: int, numeral: str
) -> None:
    assert loose(tmp_path, {name: text}) == [(Path(name).name, line, numeral)]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("templates/a.html", '<h2 class="f-1" id="x2" tabindex="0" data-title="3">Runs</h2>'),
        ("templates/a.html", '<meta name="viewport" content="initial-scale=1">'),
        ("templates/a.html", "{{ rows[0].mean * 100 }} {% if a > 2 and b < 3 %}more{% endif %}"),
        ("templates/a.html", '{{ "%.1f"|format(x) }} {{ "low0" }} {{ run[:16]|replace("T", " ") }}'),
        ("templates/a.html", "<code>{{ a }} < 1</code> <style>p { top: 1px }</style> <script>1</script>"),
        ("templates/a.html", "{# 1 and '2 or 3' #} <!-- 4 <b>5</b> -->"),
        ("templates/a.html", '{{ math("\\\\frac{1}{K}{{2}}, \\\\quad (y + 1)", display=False) }}'),
        ("templates/a.html", "a&#8239;b"),
        ("templates/a.html", "The second and the seventh, once, both, someone, tense, L²"),
        ("templates/a.css", "p { top: 1px } /* 2 */"),
        ("prose/why/b.html", "{{ x|percent(1) }} of all"),
        ("prose/notes.toml", 'after = "the 3 examples"\nname = "depth8"\nvalue = 5 # 6 of 7'),
        ("claims.toml", 'quote = ["the 3 examples", "the 4"]\nsupported = "a > 0.5"\npartly = "a > 1 or b"'),
        ("claims.toml", 'a = { path = "arm x 1", unit = "points" }\n[unchecked]\n"some reason" = ["All 7 of them"]'),
        ("s.toml", 'name = "arm 1"\nepochs = 10'),
        ("p.py", '"""About 1 plot."""\ndef f():\n    """All 2 of them."""\n    raise ValueError("3 of them")'),
        ("p.py", 'assert x, "1 of them"\ncolour = "#d55e00"\ny = f"{x:.2f} %"\nz = "low0"'),
    ],
)
def test_digits_that_readers_do_not_take_for_a_result_are_ignored(tmp_path: Path, name: str, text: str) -> None:
    assert loose(tmp_path, {name: text}) == []


@pytest.mark.parametrize(
    "numeral", ["60,000", "−0.25", "±1", "97.14 %", "1/K", "1.5.5", "twelve", "hundredths", "Quarter", "½"]
)
def test_a_numeral_is_matched_whole(tmp_path: Path, numeral: str) -> None:
    assert loose(tmp_path, {"templates/a.html": f"about {numeral}, or so"}) == [("a.html", 1, numeral)]


@pytest.mark.parametrize(
    ("name", "text", "bound"),
    [
        ("templates/a.html", "{{ a|percent }} {{ b.c[0]|points(signed=False) }} {{ d|length|count|capitalize }}", 3),
        ("templates/a.html", "{{ '%.1f'|format(a) }} {{ (a * n)|round|int }} {{- epochs('x') }}", 3),
        ("templates/a.html", "{{ a }} {{ a|join(', ') }} {% if a|length %}{% endif %} {# {{ a|int }} #}", 0),
        ("templates/a.html", '<a aria-label="{{ a|thousands }} runs">', 1),
        ("prose/notes.toml", "text = 'of {{ a|thousands }} runs'", 1),
        ("p.py", "a = f'{x:.2f} points, {points(y)}, of {name}'\nb = f'{x:.2f}'", 2),
    ],
)
def test_a_numeral_filled_in_by_a_measure_is_bound(tmp_path: Path, name: str, text: str, bound: int) -> None:
    coverage = numerals.check(lay(tmp_path, {name: text}))
    assert (coverage.bound, coverage.exempt, list(coverage.loose)) == (bound, 0, [])


def test_loose_numerals_are_listed_in_file_order(tmp_path: Path) -> None:
    code = "a = ['of 1', f(['of 2'], 'of 3')]\nb = 'of 4'\nc = ['of 5', 'of 6']"
    assert [line for _, line, _ in loose(tmp_path, {"p.py": code})] == [1, 1, 1, 2, 3, 3]


EXEMPT = '[exempt]\n"a name" = ["Example 1", "[0, 1]"]\n"no count" = ["one at a time", "1 seed"]\n'


@pytest.mark.parametrize(
    "text",
    [
        "Example 1’s",
        "example\n  <b>1</b>, ",
        "scaled to [0, 1]",
        "One at\na time",
        '<p title="Example 1">',
    ],
)
def test_a_numeral_inside_an_exempt_phrase_is_exempt(tmp_path: Path, text: str) -> None:
    coverage = numerals.check(lay(tmp_path, {"templates/a.html": text, "prose/numbers.toml": EXEMPT}))
    assert coverage.exempt > 0
    assert not coverage.loose


@pytest.mark.parametrize(
    "text", ["Example 1.5", "Example 12", "Example 1,000", "Counterexample 1", "[0, 10]", "one at", "0.1 seed"]
)
def test_a_numeral_that_only_overlaps_an_exempt_phrase_is_loose(tmp_path: Path, text: str) -> None:
    assert loose(tmp_path, {"templates/a.html": text, "prose/numbers.toml": EXEMPT})


def test_the_summary_counts_numerals_by_whether_they_are_bound_or_exempt(tmp_path: Path) -> None:
    text = "Example 1: {{ a|percent }} of {{ n|thousands }}, ten times"
    coverage = numerals.check(lay(tmp_path, {"templates/a.html": text, "prose/numbers.toml": EXEMPT}))
    assert coverage.summary == "3 of 4 numerals bound or exempt (2 bound, 1 exempt)"


def test_a_loose_numeral_is_an_error_with_its_place_text_and_fix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    coverage = numerals.check(lay(tmp_path, {"templates/a.html": "<b>all</b>\nten runs of {{ n }}" + "\n<i>7</i>" * 6}))
    with pytest.raises(UserError) as error:
        numerals.require(coverage)
    assert str(error.value).startswith("templates/a.html:2: 'ten' in “all ten runs of … 7")
    assert "; and 2 more: typed by hand. Expected what is measured. Take it from a measure" in str(error.value)
    assert str(error.value).endswith("or list the phrase in prose/numbers.toml.")


def test_an_unused_exemption_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    texts = {"templates/a.html": "Example 1, one at a time, 1 seed", "prose/numbers.toml": EXEMPT}
    with pytest.raises(UserError, match=r"^prose/numbers\.toml:2: '\[0, 1\]' exempts no numeral\..* Remove it\.$"):
        numerals.require(numerals.check(lay(tmp_path, texts)))


def test_exemptions_that_are_not_valid_toml_are_an_error_with_the_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"/numbers\.toml:1: .*Expected \[exempt\]"):
        numerals.check(lay(tmp_path, {"prose/numbers.toml": "[exempt"}))


def test_bound_and_exempt_numerals_are_allowed(tmp_path: Path) -> None:
    numerals.require(numerals.check(lay(tmp_path, {"templates/a.html": "{{ a|percent }} of all"})))


def test_no_numeral_in_this_project_is_loose() -> None:
    coverage = numerals.check()
    assert coverage.bound > 100
    numerals.require(coverage)
