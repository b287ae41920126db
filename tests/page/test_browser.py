"""The reading contract, kept in a real browser: Debian's Chromium, driven by Playwright, opening the page as a file."""

from __future__ import annotations

import itertools
import re
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser, Page, expect

from tests import fixture
from tests.article.test_article import Text


@pytest.fixture(scope="module")
def path(results: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(fixture.page_of(results))
    return path


WITHOUT_BUTTONS = """  // what the script adds goes; a heading that it made a button of is a heading again
    document.querySelectorAll('th button').forEach(button => button.replaceWith(button.textContent));
    document.querySelectorAll('button, .tools, .told').forEach(added => added.remove());
"""


def opened(browser: Browser, path: Path, requests: list[str] | None = None, **options: object) -> Page:
    """The page in a fresh context; every console message is an error."""
    sheet = browser.new_context(**options).new_page()
    sheet.on("console", lambda message: pytest.fail(f"console: {message.text}"))
    sheet.on("pageerror", lambda error: pytest.fail(f"page error: {error}"))
    if requests is not None:
        sheet.on("request", lambda request: requests.append(request.url))
    sheet.goto(path.as_uri())
    return sheet


def test_the_page_requests_nothing_but_itself(browser: Browser, path: Path) -> None:
    requests: list[str] = []
    opened(browser, path, requests).wait_for_timeout(300)
    assert [url for url in requests if not url.startswith("data:")] == [path.as_uri()]


def test_the_page_has_the_same_words_and_figures_offline_and_without_scripts(browser: Browser, path: Path) -> None:
    plain = opened(browser, path)
    bare = opened(browser, path, java_script_enabled=False, offline=True)
    plain.evaluate(WITHOUT_BUTTONS)
    words = [sheet.locator("body").inner_text().split() for sheet in (plain, bare)]
    assert words[0] == words[1]
    assert len(words[0]) > 1300
    assert bare.locator("figure svg").count() == 4
    shown = bare.locator("section > .row > figure svg").all()
    assert shown
    assert all(figure.is_visible() for figure in shown)


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_the_page_never_scrolls_sideways(browser: Browser, path: Path, width: int) -> None:
    sheet = opened(browser, path, viewport={"width": width, "height": 800})
    sheet.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_meets_wcag_aa_contrast(browser: Browser, path: Path, scheme: str) -> None:
    sheet = opened(browser, path, color_scheme=scheme)
    sheet.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    ratios = sheet.evaluate(CONTRASTS)
    assert len(ratios) > 200
    assert [told for told in ratios if told[0] < 4.5] == []


# For each element with text of its own: contrast ratio (WCAG 2.2, 1.4.3) of its colour against the nearest opaque
# background, and the text. Confusion cells are left out: their text stands on a translucent rectangle.
CONTRASTS = """() => {
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const rgb = s => s.match(/[\\d.]+/g).map(Number);
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const behind = e => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor);
    if (c.length < 4 || c[3] > 0) return c; } return [255, 255, 255]; };
  return [...document.querySelectorAll('body *')].filter(e => !e.closest('#figure-confusions svg, title, desc, .skip')
      && [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim())).map(e => {
    const style = getComputedStyle(e);
    const ink = light(rgb(e.closest('svg') ? style.fill : style.color)), paper = light(behind(e));
    return [(Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05), e.textContent.trim().slice(0, 40)];
  });
}"""


def test_there_is_one_h1_and_headings_skip_no_level(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    levels = sheet.evaluate("[...document.querySelectorAll('h1,h2,h3,h4,h5,h6')].map(h => +h.tagName[1])")
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))


def test_every_control_is_reachable_by_keyboard_and_shows_its_focus(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    sheet.keyboard.press("Tab")
    assert sheet.evaluate("document.activeElement.textContent") == "Skip to the answer"
    assert sheet.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    reached = 1
    for _ in range(400):
        sheet.keyboard.press("Tab")
        if sheet.evaluate("document.activeElement === document.body"):
            break
        reached += 1
    operable = ":is(a[href], summary, button, select, input, [tabindex='0'])"
    closed = sheet.evaluate(f'document.querySelectorAll("{operable}").length')
    inside = sheet.evaluate(
        f'document.querySelectorAll("details:not([open]) > :not(summary) {operable}, '
        f'details:not([open]) > {operable}:not(summary)").length'
    )
    assert reached == closed - inside


def test_every_link_within_the_page_has_its_target(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    lost = "[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => !document.querySelector(a.hash)).length"
    assert sheet.evaluate(lost) == 0
    assert sheet.evaluate("document.querySelectorAll('[id]').length") == sheet.evaluate(
        "new Set([...document.querySelectorAll('[id]')].map(e => e.id)).size"
    )


def test_a_checked_passage_and_its_ledger_entry_link_to_each_other(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    for mark in sheet.locator(".source .mark").all():
        claim = sheet.locator(mark.get_attribute("href"))
        verdicts = [told for told in claim.locator(".verdict").all_text_contents() if told != "no such question"]
        told = [said.removesuffix(".") for said in mark.locator("b").all_text_contents()]
        assert told == verdicts
        assert claim.locator("xpath=..").get_attribute("class") == "claim"
        back = claim.locator("a.back").get_attribute("href")
        assert sheet.locator(f"{back} ~ .mark").first.get_attribute("href") == mark.get_attribute("href")
        words = " ".join(sheet.locator(back).inner_text().split())
        assert words in " ".join(claim.locator("xpath=..").locator("summary").inner_text().split())
    sheet.locator(".source .mark").first.click()
    assert sheet.url.endswith("#claim-slower-convergence")


@pytest.mark.parametrize(("width", "beside"), [(1280, True), (375, False)])
def test_verdicts_are_in_the_margin_if_the_window_has_room_for_one(
    browser: Browser, path: Path, width: int, beside: bool
) -> None:
    sheet = opened(browser, path, viewport={"width": width, "height": 900})
    mark = sheet.locator(".source .mark").first.bounding_box()
    text = sheet.locator(".source p").nth(2).bounding_box()
    assert (mark["x"] >= text["x"] + text["width"]) == beside
    assert mark["x"] + mark["width"] <= width


def test_the_ledger_can_be_filtered_and_a_link_reveals_a_hidden_claim(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    every = sheet.locator(".ledger .claim")

    def shown() -> list[str | None]:
        return [claim.locator(".parts").get_attribute("id") for claim in every.all() if claim.is_visible()]

    verdict = sheet.locator("#claim-experience .stated .verdict").text_content()
    sheet.get_by_label("As the article puts it").select_option(verdict)
    assert shown() == ["claim-experience"]
    assert sheet.get_by_text(f"1 of {every.count()} claims shown").is_visible()
    sheet.evaluate("location.hash = '#claim-overhead'")
    sheet.locator("#claim-overhead").wait_for(state="visible")
    assert len(shown()) == every.count()
    sheet.get_by_label("The reason, or in general").select_option("no such question")
    assert all(
        "no such question" in str(every.nth(n).text_content())
        for n in range(every.count())
        if every.nth(n).is_visible()
    )
    sheet.get_by_label("The reason, or in general").select_option("")
    sheet.get_by_label("Topic").select_option("speed")
    assert shown() == ["claim-slower-convergence", "claim-overhead"]
    sheet.get_by_label("Topic").select_option("")
    sheet.get_by_label("Search").fill("Slower convergence")
    assert shown()[0] == "claim-slower-convergence"
    assert len(shown()) < every.count()


@pytest.mark.parametrize(("width", "beside"), [(1280, True), (375, False)])
def test_the_two_questions_of_a_claim_are_side_by_side_if_there_is_room(
    browser: Browser, path: Path, width: int, beside: bool
) -> None:
    claim = opened(browser, path, viewport={"width": width, "height": 900}).locator(".ledger .claim").first
    claim.locator("summary").click()
    stated, general = claim.locator(".stated").bounding_box(), claim.locator(".general").bounding_box()
    assert (general["y"] == stated["y"]) == beside
    assert (general["x"] > stated["x"]) == beside


def test_pointing_at_a_mark_or_using_the_arrow_keys_shows_its_table_row(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    figure = sheet.locator("#figure-accuracy")
    rows: list[list[str]] = []
    for row in figure.locator("tr").all()[1:]:
        cells = [cell.strip() for cell in row.locator("td").all_text_contents()]
        rows.append(cells if len(cells) == 3 else [rows[-1][0], *cells])  # an arm has one cell for all its seeds
    assert len({arm for arm, _, _ in rows}) == 3 < len(rows)
    told = figure.locator(".told")
    hint = told.inner_text()
    assert "arrow keys" in hint
    mark = figure.locator("[data-row='12']").bounding_box()
    sheet.mouse.move(mark["x"] + mark["width"] / 2, mark["y"] + mark["height"] / 2)
    assert told.inner_text() == "Arm: {} · Seed: {} · Test accuracy: {}".format(*rows[12])
    figure.locator("svg").focus()
    sheet.mouse.move(0, 0)
    for key, row in (("ArrowRight", 0), ("ArrowRight", 1), ("ArrowLeft", 0), ("ArrowLeft", len(rows) - 1)):
        sheet.keyboard.press(key)
        assert told.inner_text() == "Arm: {} · Seed: {} · Test accuracy: {}".format(*rows[row])
    sheet.keyboard.press("Tab")
    assert told.inner_text() == hint


def test_light_and_dark_can_be_chosen_and_the_choice_is_remembered(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path, color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = sheet.evaluate(paper)
    sheet.get_by_text("Contents", exact=True).click()
    sheet.get_by_role("button", name="Dark colours").click()
    dark = sheet.evaluate(paper)
    sheet.wait_for_timeout(300)  # a busy browser stores the choice a moment later
    sheet.reload()
    assert sheet.evaluate(paper) == dark != light
    sheet.get_by_text("Contents", exact=True).click()
    sheet.get_by_role("button", name="Light colours").click()
    assert sheet.evaluate(paper) == light


def test_page_figures_and_numbers_can_be_saved_from_the_page_itself(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    with sheet.expect_download() as page:
        sheet.get_by_text("Contents", exact=True).click()
        sheet.get_by_role("button", name="Save this page").click()
    assert Path(page.value.path()).read_text().count("<button") == 0
    figure = sheet.locator("#figure-accuracy")
    figure.get_by_text("Data and method").click()
    with sheet.expect_download() as numbers:
        figure.get_by_role("button", name="Save CSV").click()
    rows = Path(numbers.value.path()).read_text().splitlines()
    assert (rows[0], len(rows)) == ('"Arm","Seed","Test accuracy"', 34)
    assert all(re.fullmatch(r'"example-\d","\d+","[\d.]+ %"', row) for row in rows[1:])
    with sheet.expect_download() as drawing:
        figure.get_by_role("button", name="Save SVG").click()
    svg = ElementTree.parse(drawing.value.path()).getroot()
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    assert "var(" not in Path(drawing.value.path()).read_text()


def test_a_figure_on_the_whole_screen_has_a_button_that_closes_it(browser: Browser, path: Path) -> None:
    figure = opened(browser, path, viewport={"width": 1280, "height": 800}).locator("#figure-accuracy")
    figure.get_by_role("button", name="Full screen").click()
    figure.get_by_role("button", name="Close").click()
    expect(figure.get_by_role("button", name="Full screen")).to_be_visible()


def test_no_button_covers_a_changed_program_and_its_lines_fit_a_phone(browser: Browser, path: Path) -> None:
    for width in (375, 1440):
        sheet = opened(browser, path, viewport={"width": width, "height": 900})
        for code in sheet.locator("#code pre").all():
            box, button = code.bounding_box(), code.locator("+ button").bounding_box()
            assert button["y"] >= box["y"] + box["height"]
            assert code.evaluate("code => code.scrollWidth <= code.clientWidth")


def test_a_mark_that_is_pointed_at_or_focused_is_quoted_below_all_marks_and_nothing_moves(
    browser: Browser, path: Path
) -> None:
    sheet = opened(browser, path, viewport={"width": 1280, "height": 900})
    marks = sheet.locator(".marks")
    quoted, height = marks.locator(".told"), marks.bounding_box()["height"]
    assert quoted.inner_text() == "Point at a number to read the claim."
    claim = sheet.locator(".cells a").nth(4)
    for act in (claim.hover, claim.focus):
        act()
        assert quoted.inner_text() == f"5 “{claim.get_attribute('title')}”"
        assert marks.bounding_box()["height"] == height
        sheet.mouse.move(0, 0)
    claim.blur()
    assert quoted.inner_text() == "Point at a number to read the claim."


def test_below_all_marks_stands_what_the_verdicts_of_the_claim_that_is_pointed_at_rest_on(
    browser: Browser, path: Path
) -> None:
    sheet = opened(browser, path, viewport={"width": 1280, "height": 900})
    claim = sheet.locator(".ledger .claim:has(.value > span:nth-child(2))").first
    place = "#" + str(claim.locator(".parts").get_attribute("id"))
    sheet.locator(f".cells a[href='{place}']").hover()
    reasons = [
        span.evaluate("span => span.lastChild.textContent.trim()") for span in claim.locator(".value > span").all()
    ]
    rest = sheet.locator(".marks .told > span")
    assert " ".join(rest.inner_text().split()) == " ".join(reasons)
    marks = "svg => svg.firstElementChild.getAttribute('href')"
    assert [mark.evaluate(marks) for mark in rest.locator("svg").all()] == [
        mark.evaluate(marks) for mark in claim.locator("summary svg").all()
    ]


def test_an_open_claim_leads_back_to_all_of_them(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path, viewport={"width": 1280, "height": 900})
    sheet.locator(".cells a").nth(4).click()
    sheet.locator(".claim[open]").get_by_text("Back to all claims").click()
    expect(sheet.locator(".cells")).to_be_in_viewport()


def test_a_touch_screen_is_told_to_tap(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path, viewport={"width": 375, "height": 800}, has_touch=True, is_mobile=True)
    assert sheet.locator(".marks .told").inner_text() == "Tap a number to read the claim."
    assert sheet.locator("figure .told").first.inner_text() == "Tap a mark for its exact values."


def test_paper_shows_no_marker_of_what_is_closed_but_says_how_to_print_it(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    advice = "getComputedStyle(document.querySelector('#claims > h2'), '::after').content"
    assert sheet.evaluate(advice) == "none"
    assert not sheet.locator("#article .key").is_visible()
    sheet.emulate_media(media="print")
    assert "before printing" in sheet.evaluate(advice)
    markers = "[...new Set([...document.querySelectorAll('summary')].map(s => getComputedStyle(s).listStyleType))]"
    assert sheet.evaluate(markers) == ["none"]
    assert sheet.locator("#article .key").is_visible()


def test_what_is_unfolded_is_printed(browser: Browser, path: Path, tmp_path: Path) -> None:
    sheet = opened(browser, path)
    sheet.emulate_media(media="print")
    row = sheet.locator("#runs tbody tr").last
    assert not row.is_visible()
    sheet.emulate_media(media="screen")
    sheet.get_by_text("Contents", exact=True).click()
    sheet.get_by_role("button", name="Unfold everything").click()
    sheet.emulate_media(media="print")
    assert row.is_visible()
    sheet.pdf(path=tmp_path / "page.pdf")
    assert (tmp_path / "page.pdf").stat().st_size > 50_000


def test_paper_shows_what_answers_at_length_without_a_script_and_no_link_to_elsewhere_on_the_page(
    browser: Browser, path: Path
) -> None:
    sheet = opened(browser, path, java_script_enabled=False)
    folded = [
        sheet.locator(place).first for place in ("#answer > .fold li", ".glossary dd", ".sources li", "#cite pre")
    ]
    links = sheet.locator(".next > p:not(.aside)").first
    assert [place.is_visible() for place in (*folded, links)] == [False] * len(folded) + [True]
    sheet.emulate_media(media="print")
    assert [place.is_visible() for place in (*folded, links)] == [True] * len(folded) + [False]


def test_paper_keeps_each_figure_and_each_block_of_code_with_its_result_on_one_page(
    browser: Browser, path: Path
) -> None:
    sheet = opened(browser, path)
    sheet.emulate_media(media="print")

    def styles(places: str, style: str) -> set[str]:
        return set(sheet.evaluate(f"[...document.querySelectorAll({places!r})].map(p => getComputedStyle(p).{style})"))

    assert styles("figure", "breakInside") == {"avoid"}
    assert styles(".row:not(:has(.lead))", "display") == {"block"}  # a figure in a grid parts from its caption
    assert styles(".source .code", "breakInside") == styles(".code:has(+ .result)", "breakAfter") == {"avoid"}


def test_the_browser_shows_the_words_in_the_file(browser: Browser, path: Path) -> None:
    written = Text(path.read_text().split("<main>")[1].split("</main>")[0]).words
    sheet = opened(browser, path)
    sheet.evaluate(WITHOUT_BUTTONS)
    shown = sheet.evaluate("document.querySelector('main').textContent").split()
    assert "".join(shown) == "".join(written)
