"""An article in the Markdown of GitHub or Pandoc keeps its tables, footnotes, quotes and lists, and every word."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from experiments.files.errors import UserError
from report.article import dialect, document, quotes
from report.claims import load as ledgers
from tests import fixture
from tests.article.test_quotes import mark, marked, written

ARTICLE = """---
title: t
date: 2026-01-01
id: i
---
Opening words[^later] and ~~struck~~ ones, see [the paper][paper].
- a list right below
  1. numbered inside
  2. twice

     with a paragraph
- its end
> A quote after a list,
lazily continued:
> - quoted item
>
> | quoted head | second |
> |---|---|
> | quoted cell | other |

Below text:
| Loss | Accuracy |
|:-----|---------:|
| squared error | 96.5 and `a|b` |
| cross-entropy | 97.8 | surplus cell |

1. first
2. second
- bullet after numbers

Term
: Definition of it

```python
x = 1
```

After the code[^1], again[^later].

[^1]: The first note.
[^later]: The **later** note,
    continued.

    Its second paragraph.
[^unused]: Nobody refers here.
[paper]: https://example.org/paper
"""


def rendered(tmp_path: Path, text: str) -> str:
    path = tmp_path / "article.md"
    path.write_text(text)
    found = document.load(path)
    rendering = document.Rendering(found.parts)
    return "\n".join(rendering.html(part) for part in found.parts)


def body(text: str) -> str:
    return text.split("---\n", 2)[2]


def words(text: str) -> list[str]:
    return re.findall(r"[\w.-]*\w", text)


def test_every_word_of_the_source_is_in_the_html(tmp_path: Path) -> None:
    text = re.sub(r"\[\^\w+\]:?|^\[paper\].*$|\[paper\]|```\w*|^ *\d\.", " ", body(ARTICLE), flags=re.MULTILINE)
    source = re.sub(r"[>|:`~*-]+(?= |-|$)", " ", text, flags=re.MULTILINE)
    shown = words(unescape(re.sub(r"<[^>]*>", " ", rendered(tmp_path, ARTICLE))))
    assert [word for word in words(source) if word not in shown] == []
    assert {"squared", "surplus", "continued", "Nobody", "Definition", "bullet"} <= set(shown)


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("- a\n- b\n> c", "<ul><li>a</li><li>b</li></ul><blockquote><p>c</p></blockquote>"),
        ("- a\n  > b", "<ul><li><p>a</p><blockquote><p>b</p></blockquote></li></ul>"),
        ("a\n- b", "<p>a</p><ul><li>b</li></ul>"),
        ("a\n2. b", "<p>a2. b</p>"),
        ("1. a\n- b", "<ol><li>a</li></ol><ul><li>b</li></ul>"),
        ("- a\n  - b\n- c", "<ul><li>a<ul><li>b</li></ul></li><li>c</li></ul>"),
        ("1. a\n   - b\n2. c", "<ol><li>a<ul><li>b</li></ul></li><li>c</li></ol>"),
        ("> a\n> - b", "<blockquote><p>a</p><ul><li>b</li></ul></blockquote>"),
        ("> a\nb\n> - c", "<blockquote><p>ab</p><ul><li>c</li></ul></blockquote>"),
        ("- a\n\n  b\n- c", "<ul><li><p>a</p><p>b</p></li><li><p>c</p></li></ul>"),
        ("> > a\n\nb", "<blockquote><blockquote><p>a</p></blockquote></blockquote><p>b</p>"),
        ("    - a", "<pre><code>- a</code></pre>"),
        ("* * *", "<hr>"),
        ("a\n: b", "<dl><dt>a</dt><dd>b</dd></dl>"),
        ("a ~~b c~~ ~d~", "<p>a <del>b c</del> ~d~</p>"),
    ],
)  # fmt: skip
def test_blocks_begin_where_they_do_on_github(source: str, expected: str) -> None:
    assert document.to_html(document.Part("prose", source, 1)).replace("\n", "") == expected


def test_a_table_has_its_head_its_alignment_and_a_frame_to_scroll_in() -> None:
    html = document.to_html(document.Part("prose", "text\n|a *b*|c|\n|--|-:|\n|d|e|f|", 1)).replace("\n", "")
    assert html == (
        '<p>text</p><div aria-label="Table: a b c" class="scroll" role="region" tabindex="0"><table><thead><tr>'
        '<th scope="col">a <em>b</em></th><th class="to-right" scope="col">c</th></tr></thead>'
        '<tbody><tr><td>d</td><td class="to-right">e</td><td>f</td></tr></tbody></table></div>'
    )


def test_footnotes_are_numbered_over_all_parts_and_stand_below_the_last(tmp_path: Path) -> None:
    html = rendered(tmp_path, ARTICLE)
    above, notes = html.split('<div class="footnote">')
    assert re.findall(r'id="(fnref[^"]*)"><a class="footnote-ref" href="([^"]*)">(\d)', above) == [
        ("fnref:1", "#fn:1", "1"),
        ("fnref:2", "#fn:2", "2"),
        ("fnref2:1", "#fn:1", "1"),
    ]
    assert re.findall(r'<li id="(fn:\d)">\s*<p>(.*?)[ ,.]', notes) == [
        ("fn:1", "The"),
        ("fn:2", "The"),
        ("fn:3", "Nobody"),
    ]
    assert notes.index("later") < notes.index("first note") < notes.index("Nobody")
    assert re.findall(r'footnote-backref" href="([^"]*)"', notes) == ["#fnref:1", "#fnref2:1", "#fnref:2"]


def test_a_label_that_is_defined_twice_keeps_both_texts() -> None:
    html = document.to_html(document.Part("prose", "a[^x]\n\n[^x]: One.\n\n[^x]: Two.", 1))
    assert "One." in html
    assert "Two." in html


def test_a_link_finds_its_address_in_another_part(tmp_path: Path) -> None:
    assert 'see <a href="https://example.org/paper">the paper</a>' in rendered(tmp_path, ARTICLE)


@pytest.mark.parametrize(
    "source",
    [
        "|a|b|\n|-|-|\n|x|so: Snow is white.|",
        "|Snow is white|b|\n|-|-|\n|x|y|",
        "- a\n> Snow *is*\n> white",
        "a[^1]\n\n[^1]: Snow is white.",
        "Snow[^1] is white[^1]\n\n[^1]: b",
        "Term\n: Snow is white",
        "1. a\n   - Snow is white",
    ],
)
def test_quotes_are_found_in_tables_blockquotes_and_footnotes_and_across_their_numbers(source: str) -> None:
    html, marker = marked(source, mark("Snow is white"))
    assert marker.unplaced == []
    assert html.count('id="said-c"') == 1
    assert html.count('href="#claim-c"') == 1
    plain = document.to_html(document.Part("prose", source, 1))
    assert re.sub(r'<a class="mark.*?</a>|<span class="said.*?>|</span>', "", html) == plain


def test_a_note_stands_behind_the_table_that_it_is_about() -> None:
    html, _ = marked("|a|b|\n|-|-|\n|c|d|\n\nend", notes=(quotes.Note("d", "<aside>!</aside>"),))
    assert "</table></div>\n<aside>!</aside><p>end</p>" in html


def test_sentences_have_no_signs_of_quotes_footnotes_or_tables(tmp_path: Path) -> None:
    found = written(tmp_path, "> Snow is[^1]\n> white. Is it?\n\n|a|b|\n|-|-|\n|c|d|\n\n[^1]: It is.")
    assert quotes.sentences(found) == ["Snow is white.", "Is it?", "|a|b| |c|d|", "It is."]


def test_no_id_of_an_article_is_one_of_the_page(results: dict, tmp_path: Path) -> None:
    text = ARTICLE + "\n[^claims]: Named as a part of the page is[^claims].\n"
    (tmp_path / "article.md").write_text(text)
    (tmp_path / "claims.toml").write_text(fixture.untestable('id = "fn"\nquote = ["Opening words and", "later note"]'))
    html = fixture.page_of(results, tmp_path)
    ids = re.findall(r' id="([^"]*)"', html)
    assert sorted(ids) == sorted(set(ids))
    assert {"fn:1", "fnref:1", "said-fn", "claims"} <= set(ids)
    assert not [target for target in re.findall(r'href="#([^"]*)"', html) if target not in ids]
    assert ledgers.load(tmp_path / "claims.toml").claims[0].id == "fn"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[^\n" * 5000, "more than 1000 footnotes"),
        ("|" * 200 + "\n" + "|-" * 199 + "|\n" + "x|\n" * 200, "a table of more than 10000 cells"),
        ("".join(" " * 2 * n + "- a\n" for n in range(200)), "nested"),
    ],
    ids=["footnotes", "cells", "lists in lists"],
)
def test_what_would_take_minutes_is_refused_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(UserError, match=rf"article\.md:6: .*{told}"):
        written(tmp_path, text)


def test_many_spaces_before_a_quote_take_no_time_to_speak_of() -> None:
    assert dialect.words(" " * 100_000 + "x|") == " " * 100_000 + "x|"
