"""Marks and notes are set beside the article's words, which stay as they are; every sentence is sorted."""

from __future__ import annotations

import re
from html import unescape
from pathlib import Path

import pytest

from experiments.files.errors import UserError
from report.article import document, quotes
from report.claims import load as ledgers
from tests import fixture
from tests.article.test_article import Text

LEDGER = ledgers.load(fixture.LEDGER)


def marked(source: str, *marks: quotes.Mark, notes: tuple[quotes.Note, ...] = ()) -> tuple[str, quotes.Marker]:
    marker = quotes.Marker(marks, notes)
    return document.to_html(document.Part("prose", source, 1), marker.mark), marker


def mark(*quote: str, name: str = "c") -> quotes.Mark:
    return quotes.Mark(name, quote, "1", (STATED,))


STATED = quotes.Half("as the article puts it", "supported", "stated v-supported", ("g-yes",))
REASON = quotes.Half(
    "the reason", "not supported", "general v-not-supported", ("g-hollow-no", "g-close"), "Sleet isn’t."
)
LINK = (
    '<a class="mark whole" href="#claim-c"><span class="number">1</span> <span class="half stated v-supported">'
    '<svg aria-hidden="true" class="g"><use href="#g-yes"></use></svg>'
    '<span class="reading"><span class="asked">as the article puts it: </span><b>supported</b></span></span></a>'
)


def test_a_quote_is_wrapped_and_followed_by_its_mark() -> None:
    html, marker = marked("It is so. Snow is white. Is it?", mark("Snow is white"))
    said = '<span class="said stated v-supported" data-n="1" id="said-c">Snow is white</span>'
    assert html == f"<p>It is so. {said}{LINK}. Is it?</p>"
    assert marker.unplaced == []


def test_a_mark_has_a_half_for_each_question_and_reads_as_a_sentence() -> None:
    html, _ = marked("Snow is white.", quotes.Mark("c", ("Snow is white",), "3", (STATED, REASON)))
    link = re.search(r'<a class="mark halved".*?</a>', html)
    assert link
    assert re.findall(r'class="half ([^"]*)"', link[0]) == ["stated v-supported", "general v-not-supported"]
    assert re.findall(r'use href="#([^"]*)"', link[0]) == ["g-yes", "g-hollow-no", "g-close"]
    text = re.sub("<[^>]*>", "", link[0])
    assert text == "3 as the article puts it: supported; the reason: not supported. Sleet isn’t."


@pytest.mark.parametrize("source", ["Snow is\nwhite.", "Snow  is   white.", "Snow *is* white.", "* Snow **is white**."])
def test_quotes_are_found_across_emphasis_line_breaks_and_lists(source: str) -> None:
    html, marker = marked(source, mark("Snow is white"))
    assert marker.unplaced == []
    assert html.count(LINK) == 1
    assert Text(html.replace(LINK, "")).words == ["Snow", "is", "white."]
    wrapped = "".join(re.findall(r'<span class="said s[^>]*>(.*?)</span>', html, flags=re.DOTALL))
    assert " ".join(wrapped.split()) == "Snow is white"


@pytest.mark.parametrize(
    "source",
    [
        "[Snow is white](https://a.org/) now.",
        "[*Snow* is **white**](https://a.org/) now.",
        "Snow [is white](https://b.org/) now.",
    ],
)
def test_a_quote_that_ends_inside_a_link_has_its_mark_after_the_link(source: str) -> None:
    html, marker = marked(source, mark("Snow is white"))
    assert marker.unplaced == []
    assert not re.search(r"<a [^>]*>(?:(?!</a>).)*<a ", html)
    assert Text(html).words == [*["Snow", "is", "white1", "as", "the", "article", "puts", "it:", "supported", "now."]]


@pytest.mark.parametrize(
    ("source", "quote"),
    [
        (r"So 2 \* 2 is 4.", "2 * 2 is 4"),
        ("Snow &amp; ice &mdash; both &#169;.", "Snow & ice — both ©"),
        ("If `a < b && c` then so.", "If a < b && c then so"),
        ("If a < b & c &lt; d then so.", "a < b & c < d"),
        ("Write to <a@b.org> now.", "to a@b.org now"),
    ],
    ids=["an escape", "entities", "code", "signs", "an address"],
)
def test_words_are_quoted_as_they_are_read_and_stay_as_they_are_written(source: str, quote: str) -> None:
    html, marker = marked(source, mark(quote))
    assert marker.unplaced == []
    unmarked = re.sub(r'<a class="mark.*?</a>|<span class="said s.*?>|</span>', "", html)
    assert unmarked == document.to_html(document.Part("prose", source, 1))
    wrapped = "".join(re.findall(r'<span class="said s[^>]*>(.*?)</span>', html, flags=re.DOTALL))
    assert unescape(wrapped) == quote


def test_a_quote_is_whole_words() -> None:
    html, _ = marked("A concatenation, not a cat.", mark("cat"))
    assert 'A concatenation, not a <span class="said stated v-supported" data-n="1" id="said-c">cat</span>' in html
    assert marked("A concatenation.", mark("cat"))[1].unplaced == ["cat"]
    assert marked("雪は白い。", mark("白い"))[1].unplaced == []  # there are no spaces between words


@pytest.mark.parametrize("source", ["* one\n    * two\n    * three", "* one two\n* three", "> two\n\nthree"])
def test_a_quote_does_not_go_on_from_one_block_into_the_next(source: str) -> None:
    html, marker = marked(source, mark("two three"), mark("one two", name="d"), mark("three", name="e"))
    assert "two three" in marker.unplaced
    assert not re.search(r"<[uo]l>\s*<span", html)


def test_fragments_of_a_quote_share_one_mark_after_the_last() -> None:
    html, _ = marked("Snow, they say, is white.", mark("Snow", "is white"))
    assert html.count(LINK) == 1
    assert html.index("is white") < html.index(LINK)
    assert html.count('id="said-c"') == 1


def test_two_quotes_in_one_sentence_do_not_interfere() -> None:
    html, _ = marked("a b c d e f", mark("e f"), mark("b c", name="d"), mark("a", name="e"))
    assert re.findall(r'<span class="said s[^>]*>(.*?)</span>', html) == ["a", "b c", "e f"]
    assert Text(re.sub(r'<a class="mark.*?</a>', "", html)).words == list("abcdef")


def test_a_quote_that_occurs_twice_is_marked_at_its_first_occurrence() -> None:
    html, _ = marked("white\n\nwhite", mark("white"))
    assert html.count(LINK) == 1
    assert html.index(LINK) < html.index("</p>")


def test_a_quote_that_is_not_in_the_article_is_reported() -> None:
    assert marked("Snow is white.", mark("Snow is black"))[1].unplaced == ["Snow is black"]


def test_a_note_follows_its_block_and_keeps_its_markup() -> None:
    html, marker = marked("**Snow**\n\n* Is *it*\n* white?", notes=(quotes.Note("Is it", "<aside><b>Yes</b></aside>"),))
    assert html.endswith("</ul>\n<aside><b>Yes</b></aside>")
    assert marker.unplaced == []


def test_the_articles_own_quotes_leave_its_words_untouched() -> None:
    marker = quotes.Marker(quotes.Mark(claim.id, claim.quote, "0", (STATED,)) for claim in LEDGER.claims)
    for part in document.load(fixture.ARTICLE).parts:
        html = re.sub(r'<a class="mark.*?</a>|<span class="said s.*?>|</span>', "", document.to_html(part, marker.mark))
        assert html == re.sub("</span>", "", document.to_html(part))
    assert marker.unplaced == []


# ---------------------------------------------------------------------------------------------- sentences


def written(tmp_path: Path, text: str) -> document.Article:
    path = tmp_path / "article.md"
    path.write_text(f"---\ntitle: t\ndate: 2026-01-01\nid: i\n---\n{text}")
    return document.load(path)


def test_a_quote_stands_under_the_heading_above_it_without_number_and_what_follows_a_colon(tmp_path: Path) -> None:
    text = "Snow.\n\n## 1. Water: a start\n\nRain, and snow again.\n\n**Example 2: Ice**\n\nHail *falls*.\n"
    found = [quotes.section(written(tmp_path, text), words) for words in ("Snow", "snow again", "Hail falls")]
    assert found == ["", "Water", "Example 2"]


def test_sentences_are_split_and_headings_left_out(tmp_path: Path) -> None:
    found = written(tmp_path, "**A heading.**\n\n# Another. One\n\nOne is 0.5. Two,\nreally! Three? Four")
    assert quotes.sentences(found) == ["One is 0.5.", "Two, really!", "Three?", "Four"]


def test_every_sentence_is_checked_or_has_a_reason_or_is_reported(tmp_path: Path) -> None:
    found = written(tmp_path, "Snow is white. Grass is green. Look up. Look down. Why not?")
    reasons = {"advice": ["Look up", "Look down"], "a joke": ["Knock knock", "Snow"]}
    told = quotes.sort(found, [["is white"]], reasons)
    assert (told.total, told.checked, told.unchecked) == (5, 1, {"advice": 2})
    assert told.unsorted == ("Grass is green.", "Why not?")
    assert told.unknown == ("Knock knock", "Snow")


def test_a_sentence_is_checked_if_its_words_are_quoted_without_the_signs_of_markdown(tmp_path: Path) -> None:
    text = r"Snow *is* white \& cold. Ice &mdash; `a < b` &mdash; [melts][1] at [zero](https://a.org/). Why[^1] so?"
    found = written(tmp_path, f"{text}\n\n[1]: https://b.org/\n[^1]: Note.\n")
    fragments = [["Snow is white & cold"], ["Ice — a < b — melts at zero"], ["Why so"], ["?"]]
    told = quotes.sort(found, fragments, {})
    assert told.checked == 3
    assert "Snow" not in "".join(told.unsorted)


def test_no_sentence_of_the_article_is_left_out() -> None:
    article = document.load(fixture.ARTICLE)
    told = quotes.sort(article, [claim.quote for claim in LEDGER.claims], LEDGER.unchecked)
    assert (told.unsorted, told.unknown) == ((), ())
    assert told.checked + sum(told.unchecked.values()) == told.total == len(quotes.sentences(article))


@pytest.mark.parametrize(
    ("quote", "nearest"),
    [
        ("snow is with", "The nearest words there are 'Snow is white'. "),
        ("the rain falls in sheets", "The nearest words there are 'the rain really falls in sheets'. "),
        ("code is `tanh` alone", "The nearest words there are 'code is tanh alone'. "),
        ("something else altogether", ""),
    ],
)
def test_a_misquote_is_an_error_that_names_the_nearest_words_of_the_article(
    tmp_path: Path, quote: str, nearest: str
) -> None:
    text = "Snow is *white*. And when it pours,\nthe rain really falls **in** sheets.\n\n* Here code is `tanh` alone.\n"
    (tmp_path / "article.md").write_text(f"---\ntitle: T\ndate: 2026\nid: i\n---\n{text}")
    (tmp_path / "claims.toml").write_text(fixture.untestable(f'id = "c"\nquote = "{quote}"'))
    claims = ledgers.load(tmp_path / "claims.toml").claims
    with pytest.raises(UserError, match=r"claims\.toml:3: claim 'c': the article nowhere says ") as error:
        quotes.check(document.load(tmp_path / "article.md"), claims, tmp_path / "claims.toml")
    assert f"says '{quote}'. {nearest}Quote it as it is read, word for word" in str(error.value)
