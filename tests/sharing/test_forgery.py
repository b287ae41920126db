"""Forged pages: whatever is changed, a page that verifies has in Chromium the tree of the page that was derived.

HOSTILE=500 tries so many batches of damaged pages, at random; otherwise few, and always the same ones.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import Phase, given
from hypothesis import strategies as some
from playwright.sync_api import Browser

from report.sharing import verify
from tests import fixture
from tests.test_hostile import tried

# ---------------------------------------------------------------------------------------------- Chromium's own trees

HEADERS = {  # as from a file, so no encoding is told; scripting is on, but scripts change nothing
    "Content-Type": "text/html",
    "Content-Security-Policy": "script-src 'none'; frame-src 'self'",
}
TREES = """async (count) => {
  const told = (node) => JSON.stringify([node.nodeType, node.namespaceURI, node.nodeName, node.nodeValue,
    node.publicId, node.systemId, [...(node.attributes ?? [])].map((a) => [a.namespaceURI, a.name, a.value])]);
  const inside = (node) => [...node.childNodes, ...(node.content?.nodeType ? [node.content] : [])];
  const tree = (node) => [told(node), inside(node).map(tree)];
  const written = (node) => node.outerHTML ?? (node.nodeType === 8 ? `<!--${node.data}-->` : `<!DOCTYPE ${node.name}>`);
  const read = (document) => ({
    tree: JSON.stringify([document.compatMode, document.characterSet, tree(document)]),
    text: [...document.childNodes].map(written).join(""),
    encoding: document.characterSet,
  });
  const load = (number) => new Promise((resolve, reject) => {
    const frame = document.createElement("iframe");
    frame.onload = () => {
      try { resolve(read(frame.contentDocument)); } catch (error) { reject(error); }
      frame.remove();
    };
    frame.src = "/" + number;
    document.body.append(frame);
  });
  return Promise.all([...Array(count).keys()].map(load));
}"""
Read = Callable[[Sequence[str | bytes]], list[dict[str, str]]]


@pytest.fixture(scope="module")
def chromium(launched: Browser) -> Iterator[Read]:
    """What Chromium's document parser makes of files: each one's tree, its text and its encoding."""
    sheet, files = launched.new_context().new_page(), list[bytes]()

    def serve(route) -> None:
        name = route.request.url.rpartition("/")[2]
        if name.isdigit():
            route.fulfill(body=files[int(name)], headers=HEADERS)
        else:
            route.fulfill(body=b"<!doctype html><body>", headers={"Content-Type": "text/html"})

    def read(texts: Sequence[str | bytes]) -> list[dict[str, str]]:
        files[:] = [text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for text in texts]
        return sheet.evaluate(TREES, len(files))

    sheet.route("**/*", serve)
    sheet.goto("http://page.test/")
    yield read
    sheet.close()


@pytest.fixture(scope="module")
def html(results: dict) -> str:
    return fixture.page_of(results, evidence="abcd" * 200)


def without_end(html: str) -> str:
    """The page without the blank lines behind its script, which the button 'Save this page' is too early for."""
    return re.sub(r"\s+</body>\s+</html>\s*$", "</body></html>", html)


def test_a_saved_page_has_chromiums_text_and_tree_of_the_page(html: str, chromium: Read) -> None:
    whole, saved = verify.saved_forms(html)
    page, ended, *forms = chromium([html, without_end(html), whole, saved])
    assert not APART.search(html)
    assert whole == page["text"]
    assert [form["tree"] for form in forms] == [page["tree"], ended["tree"]]
    assert [verify.judge(text, html) for text in (html, whole, saved)] == [
        verify.Result.IDENTICAL,
        *[verify.Result.SAVED] * 2,
    ]


def test_a_page_that_a_browser_would_save_as_a_different_page_has_no_saved_form() -> None:
    assert verify.saved_forms("<!doctype html><pre>\n\nx</pre>") == ()


# ---------------------------------------------------------------------------------------------- forged by hand

POLICY = r'<meta http-equiv="Content-Security-Policy" content="[^"]*">'
SCRIPT = "<script>document.body.textContent = 'All claims are supported.'</script>"
FORGERIES: dict[str, tuple[str, str, str]] = {  # pattern, replacement, place; each is another page in a browser
    # A declaration that browsers end sooner, a tag that they see elsewhere
    "CDATA that ends at the first >": ("</head>", rf"<![CDATA[>{SCRIPT}]]></head>", "top"),
    "a comment that ends at once": ("</head>", f"<!-->{SCRIPT}<!-- --></head>", "top"),
    "a comment that ends with --!>": ("</head>", f"<!-- --!>{SCRIPT}<!-- --></head>", "top"),
    "an instruction that is a comment": ("</head>", f"<?x >{SCRIPT}?></head>", "top"),
    "an end tag that is a comment": ("<h1>", f"</ ><h1 class=x>{SCRIPT}", "answer"),
    "CDATA in a drawing": ("</desc>", r"<![CDATA[</desc><text>x</text>]]></desc>", "figure-accuracy"),
    "a comment in a script": (r"<script>(?!\{)", "<script><!--<script>", "evidence"),
    "a title that ends late": ("</title>", "</titles></title>", "top"),
    # An end tag left out
    "a title without its end": ("</title>", "", "top"),
    "a description without its end": ("</desc>", "", "figure-accuracy"),
    "details without their end": ("</details>", "", "top"),
    "a section without its end": ("</section>", "", "figure-accuracy"),
    # Attributes
    "quotes turned into references": (r'content="(default-src [^"]*)">', r"content=&quot;\1&quot;>", "top"),
    "an attribute twice": (r'<meta http-equiv="', r'<meta http-equiv="x" http-equiv="', "top"),
    "an attribute's name with a quote": (r'<html lang="en">', r"""<html lang="en" a"='>'>""", "top"),
    "a slash in a tag": (r'<path (data-row="[^"]*") ', r'<path/onload="x"/\1 ', "figure-accuracy"),
    "a number without quotes": (r'(<path data-row=)"([^"]*)"', r"\1\2/", "figure-accuracy"),
    "attributes of a second html": ("<h1>", '<html class="x" style="display:none"><h1>', "answer"),
    "attributes of a second body": ("<h1>", '<body hidden onload="x"><h1>', "answer"),
    "a style attribute": ("<main>", '<main style="opacity:0">', "top"),
    "hidden": ('<section id="claims"', '<section hidden id="claims"', "claims"),
    # Drawings
    "a description that swallows": (r"</desc>(<path [^>]*>)", r"\1</desc>", "figure-accuracy"),
    "marks put into one another": (
        r"(<path data-row[^>]*[^/>])/>(<path.*?)/>",
        r"\1>\2/></path>",
        "figure-accuracy",
    ),
    "neighbouring marks merged": (r'(<path data-row="\d+")( d="[^"]*")/>(<path)', r"\1/>\3\2", "figure-accuracy"),
    "a paragraph that ends the drawing": ("</desc>", "</desc><p></p>", "figure-accuracy"),
    "HTML inside a drawing": ("</desc>", "</desc><foreignObject><b>98 %</b></foreignObject>", "figure-accuracy"),
    "a drawing inside a title": ("(<title>)(?=[^<]*</title><desc)", r"\1<svg></svg>", "figure-accuracy"),
    "MathML's text that is HTML": ("<h1>", "<math><mtext><h1></mtext></math>", "answer"),
    "an annotation that is HTML": (
        "<h1>",
        '<math><annotation-xml encoding="text/html"><h1></annotation-xml></math>',
        "answer",
    ),
    "an image": ("<h1>", "<image src=x><h1>", "answer"),
    # Elements that change how the rest is read
    "noscript": ("<h1>", "<noscript><p>not so</noscript><h1>", "answer"),
    "noscript in the head": ("</head>", "<noscript><style>main{}</style></noscript></head>", "top"),
    "a template around the answer": ('(<section id="answer".*?</section>)', r"<template>\1</template>", "top"),
    "plaintext": ("<footer>", "<plaintext><footer>", ""),
    "xmp": ("<footer>", "<xmp><footer>", ""),
    "a select that drops tags": ("<h1>", "<select><h1>", "answer"),
    "a textarea": ("<h1>", "<textarea><h1></textarea><h1>", "answer"),
    "an iframe": ("<h1>", "<iframe><h1></iframe><h1>", "answer"),
    "nested forms": ("<h1>", "<form><form action=x><h1>", "answer"),
    "words fostered out of a table": ("<tbody>", "<tbody>98 % ", "figure-accuracy"),
    "a table ends a table": ("<tbody>", "<table><tbody>", "figure-accuracy"),
    "misnested letters": ("<h1>", "<b><p></b></p><h1>", "answer"),
    "frames": ("<body>", "<frameset><frame></frameset><body>", "top"),
    "links in links": ("<footer>", "<a href=x><footer><a>", ""),
    # The head
    "no doctype": ("^<!doctype html>", "", "top"),
    "quirks": ("^<!doctype html>", '<!doctype html public "-//W3C//DTD HTML 3.2//EN">', "top"),
    "a comment before the doctype": ("^", "<!-- saved -->", "top"),
    "a base": ("</head>", '<base href="https://elsewhere.example/"></head>', "top"),
    "a refresh": ("</head>", '<meta http-equiv="refresh" content="60; url=https://elsewhere.example/"></head>', "top"),
    "no policy": (POLICY, "", "top"),
    "the policy after the style": (rf"({POLICY})(.*?</style>)", r"\2\1", "top"),
    "a style": ("</head>", "<style>.verdict{display:none}</style></head>", "top"),
    "head ends before the policy": (POLICY, r"</head>\g<0>", "top"),
    # Encodings
    "no encoding": ('<meta charset="utf-8">', "", "top"),
    "another encoding": ('charset="utf-8"', 'charset="windows-1251"', "top"),
    "an encoding that is not known": ('charset="utf-8"', 'charset="utf-7"', "top"),
    "the encoding too late": ('(<meta charset="utf-8">)', f"<!-- {'x' * 1100} -->\\1", "top"),
    # Signs
    "NUL in a drawing": ("<desc ", "\0<desc ", "figure-accuracy"),
    "form feed": ("The interaction", "The\x0cinteraction", "article"),
    "a reference to another sign": ("The interaction", "The inter&#x430;ction", "article"),
    "a reference of windows-1252": ("The interaction", "The interaction&#x80;", "article"),
    "a reference without semicolon": ("The interaction", "The interaction&notit", "article"),
    "a sign that looks the same": ("The interaction", "The inter\u0430ction", "article"),
    "turned round": ("The interaction", "\u202eThe interaction", "article"),
    "a sign of no width": ("The interaction", "The inter\u200baction", "article"),
    "U+FEFF in a word": ("The interaction", "The inter\ufeffaction", "article"),
    "another blank": ("The interaction", "The\u00a0interaction", "article"),
    "a blank in preformatted code": (r"(<pre\b.*?\n)(?=<)", r"\1 ", "code"),
    "two lines of code on one": (r"(<pre\b[^\n]*)\n", r"\1 ", "code"),
    "two lines of the style on one": (r"(<style>[^\n]*\n[^\n]*)\n", r"\1 ", "top"),
    "two lines of the script on one": (r"(<script>[^\n]*\n[^\n]*)\n", r"\1 ", "evidence"),
    "a sign that is k in lower case": ('stroke-width="', 'stro\u212ae-width="', "figure-accuracy"),
}
SAME_TREE: dict[str, tuple[str, str, str]] = {  # refused too, though a browser shows the same
    "a byte order mark": ("^", "\ufeff", "top"),
    "CR LF": ("\n", "\r\n", "top"),
    "capitals": ("<main>", "<MAIN>", "top"),
    "another quote": ('lang="en"', "lang='en'", "top"),
    "blank before a tag's end": ("</h1>", "</h1 >", "answer"),
    "a reference where none is needed": ("The interaction", "The inter&#97;ction", "article"),
    "the body ends early": ("<main>", "</body><main>", "top"),
    "NUL in a word": ("The interaction", "The inter\0action", "article"),
    "nothing but a blank line at the end": ("$", "\n", ""),
}


def forged(html: str, forgery: tuple[str, str, str]) -> str:
    pattern, replacement, _ = forgery
    changed, count = re.subn(pattern, replacement, html, count=0 if pattern == "\n" else 1, flags=re.DOTALL)
    assert count
    return changed


@pytest.mark.parametrize("what", [*FORGERIES, *SAME_TREE])
def test_a_forged_page_is_refused_and_the_place_is_named(html: str, what: str) -> None:
    forgery = {**FORGERIES, **SAME_TREE}[what]
    changed = forged(html, forgery)
    assert verify.judge(changed, html) == verify.Result.CHANGED
    found = next(verify.differences(changed, html))
    assert found.place == forgery[2] or not forgery[2]
    assert found.shown != found.derived
    assert not re.search(r"page has (.*), its evidence gives \1(?! \(U\+)", str(found))  # the difference can be seen
    assert str(found).isprintable()


@pytest.mark.slow("Chromium reads seventy pages")
def test_each_forgery_is_a_different_page_in_chromium(html: str, chromium: Read) -> None:
    page, *changed = chromium([html, *(forged(html, forgery) for forgery in FORGERIES.values())])
    same = [what for what, read in zip(FORGERIES, changed, strict=True) if read["tree"] == page["tree"]]
    assert same == []


SAVED_ALIKE = (  # what has the same text in a browser's form of the page
    *("<h1>", "</head>", "<main>", "<body>", "<footer>", '<meta charset="utf-8">'),
    *("The interaction", "</desc>", "<tbody>", "</title>", POLICY),
)


@pytest.mark.parametrize("what", [name for name, forgery in FORGERIES.items() if forgery[0] in SAVED_ALIKE])
def test_a_forged_page_saved_by_a_browser_is_refused_too(html: str, what: str) -> None:
    for form in verify.saved_forms(html):
        changed = forged(form, FORGERIES[what])
        assert verify.judge(changed, html) == verify.Result.CHANGED
        found = list(verify.differences(changed, html))
        assert len(found) < 5  # beside the form that is near, not beside the page as it was written
        assert found[0].place == FORGERIES[what][2] or not FORGERIES[what][2]


# ---------------------------------------------------------------------------------------------- damaged at random

BATCH = 8  # damaged pages that Chromium reads at once
SNIPPETS = some.sampled_from(
    [
        *("<![CDATA[>", "]]>", "<!-->", "<!--", "-->", "--!>", "<?", "</>", "</ p>", "<", ">", '"', "'", "=", "/", "&"),
        *("<p>", "</p>", "<br>", "</br>", "<b>", "</b>", "<a>", "<nobr>", "<form>", "</form>", "<button>", "<li>"),
        *("<table>", "<tr>", "<td>", "</table>", "<caption>", "<colgroup><col>", "<select>", "<option>", "<input>"),
        *("<template>", "</template>", "<noscript>", "</noscript>", "<plaintext>", "<xmp>", "<iframe>", "<textarea>"),
        *("<title>", "</title>", "<style>", "</style>", "<script>", "</script>", "<script><!--<script>", "<frameset>"),
        *("<svg>", "</svg>", "<desc>", "</desc>", "<foreignObject>", "<math>", "<mi>", "</math>", "<annotation-xml>"),
        *(
            "<html a=1>",
            "<head>",
            "</head>",
            "<body a=1>",
            "</body>",
            "</html>",
            "<base href=x>",
            "<image>",
            "<isindex>",
        ),
        *(
            " hidden",
            ' style="x"',
            " a=1 a=2",
            ' xlink:href="x"',
            " viewbox=0",
            " definitionurl=x",
            "<p a<b>",
            "<p/a/b>",
        ),
        *("&amp", "&notit;", "&#0;", "&#x80;", "&#xD800;", "&#38;lt;", "&lt", "\r", "\r\n", "\n", "\x0c", "\t", " "),
        *("\0", "\x0b", "\x7f", "\x85", "\ufeff", "\u202e", "\u2028", "\ufdd0", "\U0001fffe", "é", "\U0001f600"),
    ]
)
DAMAGE = some.tuples(
    some.sampled_from(["insert", "insert", "leave out", "replace", "double", "swap", "nothing"]),
    some.sampled_from(["in a tag", "between tags", "anywhere"]),
    some.floats(0, 1, exclude_max=True),
    SNIPPETS,
)


APART = re.compile("<noscript|\0|^\ufeff")  # what lexbor reads otherwise than Chromium; no page of ours has it


def damaged(text: str, kind: str, where: str, place: float, snippet: str) -> str:
    """`text` after one small edit."""
    start = int(place * len(text))
    if where == "in a tag":
        start = text.find(" ", max(0, text.find("<", start)))
    elif where == "between tags":
        start = text.find("<", start)
    start = max(0, start)
    end = text.find(">", start) + 1
    before, tag, after = text[:start], text[start:end], text[end:]
    return {
        "insert": before + snippet + tag + after,
        "leave out": before + after,
        "replace": before + snippet + after,
        "double": before + tag + tag + after,
        "swap": before + after[: len(tag)] + tag + after[len(tag) :],
        "nothing": text,
    }[kind]


@tried(2, phases=(Phase.explicit, Phase.generate))  # Chromium is too slow for finding a smaller example
@given(
    damages=some.lists(some.lists(DAMAGE, min_size=1, max_size=3), min_size=BATCH, max_size=BATCH),
    form=some.integers(0, 2),
)
def test_a_damaged_page_that_verifies_has_the_original_tree_in_chromium(
    html: str, chromium: Read, damages: list[list[tuple[str, str, float, str]]], form: int
) -> None:
    start = (html, *verify.saved_forms(html))[form]
    texts = []
    for edits in damages:
        text = start
        for edit in edits:
            text = damaged(text, *edit)
        texts.append(text)
    page, ended, *found = chromium([html, without_end(html), *texts])
    for text, read in zip(texts, found, strict=True):
        result = verify.judge(text, html)
        assert (result == verify.Result.CHANGED) == (text != start)
        if result != verify.Result.CHANGED:
            assert read["tree"] in (page["tree"], ended["tree"])
        if read["encoding"] == "UTF-8" and not APART.search(text):
            assert verify.serialised(text) == read["text"]
