"""The article is the source document byte for byte, and every word of it stands on the page in its order."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from experiments.files.errors import UserError
from report.article import document
from report.page import render
from tests import fixture


class Text(HTMLParser):
    """The text of an HTML fragment. Block elements end a word; inline ones do not."""

    def __init__(self, fragment: str):
        super().__init__()
        self.found: list[str] = []
        self.feed(fragment)

    def handle_data(self, data: str) -> None:
        self.found.append(data)

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.found.append("\n" if tag in {"p", "h3", "h4", "li", "pre"} else "")

    @property
    def words(self) -> list[str]:
        return "".join(self.found).split()


def source_words(text: str) -> list[str]:
    """The words of the source without its front matter and Markdown's own signs."""
    body = text.split("---\n", 2)[2]
    body = re.sub(r"^```.*$", "", body, flags=re.MULTILINE)
    return re.sub(r"\*\*|`", "", body).split()


def test_the_article_is_the_source_document_byte_for_byte() -> None:
    sha256 = hashlib.sha256(fixture.ARTICLE.read_bytes()).hexdigest()
    assert sha256 == "5a44e059f4071f90281c83812e6ca573e175d3d85a92193a552c5341db55d241"


def test_every_word_of_the_source_is_rendered_in_order() -> None:
    html = "\n".join(document.to_html(part) for part in document.load(fixture.ARTICLE).parts)
    assert Text(html).words == source_words(fixture.ARTICLE.read_text())


def test_title_date_and_id_come_from_the_front_matter() -> None:
    found = document.load(fixture.ARTICLE)
    assert found.title.startswith("How does using mean squared error loss")
    assert (found.date, found.id) == ("2025-01-30", "how-does-using-mean-squared-error-loss-and")


def test_each_part_records_the_line_it_starts_on() -> None:
    lines = fixture.ARTICLE.read_text().splitlines()
    for part in document.load(fixture.ARTICLE).parts:
        assert lines[part.line - 1] == part.source.splitlines()[0]


def test_headings_emphasis_lists_and_code_are_rendered() -> None:
    prose = document.Part("prose", "**All bold:**\n\n# One\n\nA *word*, **two**.\n\n* x\n* y", 1)
    html = document.to_html(prose)
    for expected in ("<h3>All bold:</h3>", "<h3>One</h3>", "<em>word</em>", "<strong>two</strong>", "<li>x</li>"):
        assert expected in html
    code = document.to_html(document.Part("code", "import os  # why", 1, "python"))
    assert code.endswith('<code><span class="kn">import</span> os  <span class="c1"># why</span>\n</code></pre>')


def test_only_words_that_have_a_colour_are_marked_as_code() -> None:
    style = (render.TEMPLATES[0] / "style.css").read_text(encoding="utf-8")
    assert set(re.findall(r"\.code \.(\w+)", style)) == set(document.COLOURED)


def test_raw_html_in_an_article_is_shown_as_text() -> None:
    html = document.to_html(document.Part("prose", "<script>alert(1)</script> and <b onclick=x>b</b>", 1))
    assert "<script" not in html
    assert "<b " not in html
    assert "&lt;script&gt;" in html


@pytest.mark.parametrize(
    ("opened", "language", "closed"),
    [
        ('```python title="a.py"', "python", "```"),
        ("```{python}", "python", "```"),
        ('``` { .python .numberLines startFrom="3" }', "python", "```"),
        ("```{r, echo=FALSE}", "r", "```"),
        ("```python:a.py", "python", "```"),
        ("```c# {1,3}", "c#", "```"),
        ("```{1,3}", "", "```"),
        ("~~~ python `a.py`", "python", "~~~"),
        ("````python", "python", "`````"),
    ],
)
def test_a_code_block_may_say_more_than_its_language(tmp_path: Path, opened: str, language: str, closed: str) -> None:
    path = tmp_path / "article.md"
    path.write_text(f"---\ntitle: a\ndate: 2026-01-01\nid: c\n---\nBefore\n{opened}\nx = 1\n{closed}\nAfter\n")
    assert [(part.kind, part.source, part.language) for part in document.load(path).parts] == [
        ("prose", "Before", ""),
        ("code", "x = 1", language),
        ("prose", "After", ""),
    ]


def test_words_between_backticks_open_no_code_block(tmp_path: Path) -> None:
    path = tmp_path / "article.md"
    path.write_text("---\ntitle: a\ndate: 2026-01-01\nid: c\n---\n```x = 1``` is code in a line\n")
    assert [part.kind for part in document.load(path).parts] == ["prose"]


def test_code_in_an_unknown_language_is_not_highlighted() -> None:
    assert "<code>a &lt; b" in document.to_html(document.Part("code", "a < b", 1, "klingon"))


@pytest.mark.parametrize(
    ("text", "place", "message"),
    [
        ("No front matter", ":1:", "front matter"),
        ("---\ntitle: a\ndate: 2020-01-01\n---\n", ":1:", "'id'"),
        (
            "---\ntitle: a\ndate: yesterday\nid: c\n---\n",
            ":3:",
            "date is 'yesterday'. Expected a day, a month or a year",
        ),
        ("---\ntitle: a\ndate: 2026-02-30\nid: c\n---\n", ":3:", "date is '2026-02-30'"),
        ("---\ntitle: 'a\n---\n", ":", "YAML"),
        ("---\ntitle: a\ndate: 2026-01-01\nid: c\n---\nText\n```python\nx = 1\n", ":7:", "never closed"),
    ],
)
def test_an_error_in_the_article_names_its_line(tmp_path: Path, text: str, place: str, message: str) -> None:
    path = tmp_path / "article.md"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        document.load(path)
    assert f"article.md{place}" in str(error.value)
    assert message in str(error.value)


def test_a_missing_article_is_reported_by_its_path(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.md: cannot be read"):
        document.load(tmp_path / "none.md")
