"""The networks that run in the page: they answer as in Python, and the page is whole where they cannot run."""

from __future__ import annotations

import base64
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from experiments.data.datasets import Dataset
from experiments.live import shapes, strokes
from report.page import live
from tests import fixture
from tests.live import networks
from tests.page.test_accessibility import ALL_RULES, AXE
from tests.page.test_browser import opened

LABELS = [network.label for network in networks.ARTICLE.load_live()]
FIRST = "Example 1 reads 9; the other two read 0. It was drawn as 0."  # where the page opens
ORDER = ["t-pad", "t-status", "t-answer", "t-bars", "t-ready", "t-blend"]
NO_STREAM = "delete window.DecompressionStream"


@pytest.fixture(scope="module")
def path(results: dict, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of made-up results with the record's networks."""
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(fixture.page_of(results, live=networks.view()))
    return path


def running(browser: Browser, path: Path, **options: object) -> Page:
    """The page, once its networks run."""
    sheet = opened(browser, path, **options)
    expect(sheet.locator(".try.live")).to_be_visible()
    return sheet


def values(sheet: Page) -> list[list[float]]:
    """What the page says of each network's outputs."""
    return sheet.evaluate(
        """() => [...document.querySelectorAll('.live .t-net')].map(net => [...net.querySelectorAll('li')].map(
             item => parseFloat(item.textContent.split(': ')[1].replace('−', '-'))))"""
    )


def chip(sheet: Page, name: str) -> None:
    sheet.get_by_role("button", name=name, exact=True).click()


# ---------------------------------------------------------------------------------------------- as in Python


def test_a_drawing_becomes_the_same_image_as_in_python(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    rng = np.random.default_rng(0)
    scribbles = [[rng.uniform(0, 100, (n, 2)) for n in (1, 2, 9)], [np.array([[5.0, 5.0]])]]
    for drawn in [*map(shapes.drawn, shapes.DIGITS), *map(shapes.drawn, shapes.LETTERS.values()), *scribbles]:
        flat = [stroke.ravel().tolist() for stroke in drawn]
        image = sheet.evaluate("drawn => [...document.getElementById('try').image(drawn)]", flat)
        np.testing.assert_allclose(image, strokes.image(drawn), atol=1e-9)


def asked(sheet: Page, pixels: np.ndarray) -> np.ndarray:
    """The outputs [networks, images, 10] in the page for images of uint8."""
    answers = sheet.evaluate(
        """text => { const bytes = Uint8Array.from(atob(text), c => c.charCodeAt(0));
             const ask = document.getElementById('try').ask;
             return Array.from({length: bytes.length / 784}, (_, n) =>
               ask(Float64Array.from(bytes.subarray(784 * n, 784 * (n + 1)), value => value / 255))); }""",
        base64.b64encode(pixels.tobytes()).decode(),
    )
    return np.array(answers).swapaxes(0, 1)


def test_networks_in_the_page_answer_as_in_python(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    images = np.random.default_rng(0).integers(0, 256, (50, 784)).astype(np.uint8)
    images[0] = 0
    for given, network in zip(asked(sheet, images), networks.layers(networks.committed()), strict=True):
        np.testing.assert_allclose(given, network.outputs(images / 255), atol=1e-9)


@pytest.mark.slow("asks the networks in the page about all test images of MNIST")
def test_networks_in_the_page_answer_all_test_images_as_in_python(browser: Browser, path: Path, mnist: Dataset) -> None:
    sheet = running(browser, path)
    given = np.concatenate([asked(sheet, chunk) for chunk in np.split(mnist.x_test, 10)], axis=1)
    committed = networks.committed()
    for outputs, network, loaded in zip(given, committed["networks"], networks.layers(committed), strict=True):
        expected = loaded.outputs(mnist.x_test / 255)
        assert np.abs(outputs - expected).max() <= 1e-5
        assert (outputs.argmax(axis=1) == expected.argmax(axis=1)).all()
        assert np.sum(outputs.argmax(axis=1) != mnist.y_test) == network["wrong"]


def test_the_picture_that_comes_with_the_page_is_what_the_script_shows_first(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    first, still = (
        sheet.evaluate(
            """kind => ['.t-bars rect', '.t-bars text', 'li', '.t-answer span', '.t-seen path', '.t-status'].flatMap(
                 marks => [...document.querySelectorAll('.try.' + kind + ' ' + marks)].map(mark =>
                   [mark.getAttribute('class') ?? '', ...['x', 'y', 'width', 'd'].map(name => mark.getAttribute(name)),
                    mark.textContent.trim()]))""",
            kind,
        )
        for kind in ("live", "still")
    )
    assert len(still) > 100
    assert first == still


# ---------------------------------------------------------------------------------------------- what a reader does


def test_ready_made_digits_are_read_and_the_one_that_is_shown_is_marked(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    for digit in (7, 3):
        chip(sheet, str(digit))
        expect(sheet.get_by_role("status").filter(has_text=f"All read {digit}.")).to_be_visible()
        assert np.argmax(values(sheet), axis=1).tolist() == [digit] * 3
        pressed = sheet.locator('.t-chip[aria-pressed="true"]')
        expect(pressed).to_have_count(1)
        expect(pressed).to_have_accessible_name(str(digit))


def test_networks_disagree_where_the_page_says_so_and_cannot_say_that_it_is_no_digit(
    browser: Browser, path: Path
) -> None:
    sheet = running(browser, path)
    for drawing in networks.committed()["contested"]:
        chip(sheet, f"a {drawing['digit']} that they read differently")
        expect(sheet.locator(".live .t-status")).to_contain_text(f" It was drawn as {drawing['digit']}.")
        assert len(set(np.argmax(values(sheet), axis=1))) > 1
    chip(sheet, "A")
    expect(sheet.locator(".live .t-status")).to_have_text(
        "No digit, yet Example 3 is almost sure it is a 4; Targets ±1 has no output above 0."
    )


@pytest.mark.parametrize(
    ("strokes", "read"),
    [
        ("[50,10,50,90]", "All read 1."),
        ("[30,30,80,40,30,80],[30,40,60,50,10,10]", "Example 1 reads 4; the other two read 7."),
    ],
    ids=["all are sure", "none is"],
)
def test_of_a_letter_on_which_networks_are_not_that_far_apart_the_page_says_what_they_read(
    browser: Browser, path: Path, tmp_path: Path, strokes: str, read: str
) -> None:
    a_letter = '"A":[[22,92,50,8,78,92],[32,64,68,64]]'
    assert a_letter in path.read_text()
    one = tmp_path / "one.html"
    one.write_text(path.read_text().replace(a_letter, f'"A":[{strokes}]'))
    sheet = running(browser, one, bypass_csp=True)
    chip(sheet, "A")
    expect(sheet.locator(".live .t-status")).to_have_text(f"{read} No digit, but none has an output for that.")


def test_only_the_one_that_differs_from_all_others_is_underlined(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    for name, numbers in {
        "a 0 that they read differently": [0],
        "7": [],
        "a 4 that they read differently": [2],
        "A": [],
    }.items():
        chip(sheet, name)
        answers = sheet.locator(".live .t-answer > :last-child").all()
        line = "answer => getComputedStyle(answer).textDecorationLine"
        assert [n for n, answer in enumerate(answers) if answer.evaluate(line) == "underline"] == numbers


def test_a_ready_made_drawing_draws_itself_unless_motion_is_unwanted(browser: Browser, path: Path) -> None:
    moving = "() => [...document.querySelectorAll('.live .t-pad path')].flatMap(line => line.getAnimations()).length"
    for motion, lines in (("no-preference", 2), ("reduce", 0)):
        sheet = running(browser, path, reduced_motion=motion)
        assert sheet.evaluate(moving) == 0
        drawn = "() => [...document.querySelectorAll('.t-chip')].find(one => one.ariaLabel === 'A').click()"
        assert sheet.evaluate(f"() => {{ ({drawn})(); return ({moving})(); }}") == lines


def test_the_slider_turns_a_4_into_a_9(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    slider = sheet.get_by_role("slider", name="From a 4 to a 9")
    expect(slider).to_have_attribute("aria-valuetext", "not in use")  # what is shown first isn't of its making
    slider.press("End")
    expect(sheet.locator(".live .t-status")).to_have_text("All read 9.")
    expect(slider).to_have_attribute("aria-valuetext", "100 % of the way to 9")
    slider.press("Home")
    expect(sheet.locator(".live .t-status")).to_have_text("All read 4.")


def test_the_slider_spends_most_of_its_way_where_answers_change_and_marks_where(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    places = [float(tick.get_attribute("x1")[:-1]) for tick in sheet.locator(".t-flips line").all()]
    assert len(places) >= 3
    assert all(20 < place < 80 for place in places)
    labels = sheet.locator(".t-flips text")
    assert sorted(labels.all_text_contents()) == sorted(f"{label} says 9 from here" for label in LABELS)
    boxes = [label.bounding_box() for label in labels.all()]
    for n, (one, tick) in enumerate(zip(boxes, sheet.locator(".t-flips line").all(), strict=True)):
        at = tick.bounding_box()["x"]
        assert min(abs(one["x"] - at), abs(one["x"] + one["width"] - at)) < 10, "away from its tick"
        for other in boxes[:n]:
            apart = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
            assert apart or abs(one["y"] - other["y"]) >= 12, "over each other"
    sheet.set_viewport_size({"width": 375, "height": 740})
    expect(labels.first).not_to_be_visible()
    slider = sheet.get_by_role("slider")
    slider.fill(str(round(0.4 * min(places)) - 1))
    expect(sheet.locator(".live .t-status")).to_have_text("All read 4.")
    slider.fill(str(round(0.4 * max(places)) + 1))
    expect(sheet.locator(".live .t-status")).to_have_text("All read 9.")


def test_the_slider_is_out_of_use_once_something_else_is_shown(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    slider = sheet.get_by_role("slider")
    slider.fill("20")
    chip(sheet, "7")
    expect(slider).to_have_attribute("aria-valuetext", "not in use")
    expect(slider).to_have_value("0")
    assert slider.evaluate("one => [one.disabled, getComputedStyle(one).opacity]") == [False, "1"]  # nor looks so
    chip(sheet, "9")
    expect(slider).to_have_value("40")


def test_a_one_is_drawn_by_keyboard_and_erased(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    pad = sheet.get_by_role("application", name="Pad to draw on")
    pad.focus()
    for key in [*["ArrowUp"] * 9, " ", *["ArrowDown"] * 18]:
        pad.press(key)
    expect(sheet.locator(".live .t-status")).to_have_text("All read 1.")
    pad.press(" ")
    expect(sheet.locator(".live .t-status")).to_have_text("Pen up. All read 1.")
    pad.press("ArrowRight")
    expect(sheet.locator(".live .t-pad path")).to_have_count(1)
    pad.press("Delete")
    expect(sheet.locator(".live .t-status")).to_have_text("Draw a digit.")
    expect(sheet.locator(".live .t-pad path")).to_have_count(0)
    pad.press("Tab")
    expect(pad).not_to_be_focused()


def test_a_drawing_takes_the_place_of_a_ready_made_one_and_goes_on_stroke_by_stroke(
    browser: Browser, path: Path
) -> None:
    sheet = running(browser, path)
    pad = sheet.locator(".live .t-pad")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    assert box
    for number, line in enumerate((((0.25, 0.15), (0.75, 0.15)), ((0.75, 0.15), (0.45, 0.9))), start=1):
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in line]
        sheet.mouse.move(*places[0])
        sheet.mouse.down()
        sheet.mouse.move(*places[1], steps=10)
        sheet.mouse.up()
        sheet.mouse.move(box["x"] + 1, box["y"] + 1)
        expect(sheet.locator(".live .t-pad path")).to_have_count(number)
    expect(sheet.locator(".live .t-status")).to_have_text("All read 7.")
    expect(sheet.locator('.t-chip[aria-pressed="true"]')).to_have_count(0)
    sheet.get_by_role("button", name="Erase").click()
    expect(sheet.locator(".live .t-pad path")).to_have_count(0)


def test_nothing_moves_or_is_stored_when_the_pad_is_used(browser: Browser, path: Path) -> None:
    sheet = running(browser, path)
    place = "document.querySelector('.t-help').getBoundingClientRect().top + scrollY"
    pad = sheet.locator(".live .t-pad")
    for width in (375, 1280):
        sheet.set_viewport_size({"width": width, "height": 800})
        before = sheet.evaluate(place)
        pad.focus()
        for name in ("8", "A", "a 5 that they read differently"):
            chip(sheet, name)
            assert sheet.evaluate(place) == before
    assert sheet.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    touch = "mark => getComputedStyle(mark).touchAction"
    assert pad.evaluate(touch) == "none"
    assert sheet.locator("#try").evaluate(touch) == "auto"


def test_erase_is_in_the_pads_top_right_corner_on_a_desktop(browser: Browser, path: Path) -> None:
    sheet = running(browser, path, viewport={"width": 1440, "height": 900})
    pad = sheet.locator(".live .t-pad").bounding_box()
    eraser = sheet.get_by_role("button", name="Erase").bounding_box()
    assert (pad["width"], eraser["y"]) == (pytest.approx(304, abs=1), pytest.approx(pad["y"], abs=1))
    assert eraser["x"] + eraser["width"] == pytest.approx(pad["x"] + pad["width"], abs=1)


@pytest.mark.parametrize("size", [(1440, 810), (1280, 720), (1920, 1080)], ids=lambda size: f"{size[0]}x{size[1]}")
def test_a_projector_shows_only_what_one_uses_large_and_whole(
    browser: Browser, path: Path, size: tuple[int, int]
) -> None:
    sheet = running(browser, path, viewport={"width": size[0], "height": size[1]})
    sheet.locator("#try").get_by_role("button", name="Full screen").click()
    expect(sheet.get_by_role("button", name="Close")).to_be_visible()
    for name in ("#try > div:first-of-type", "#try > .aside", "#try details"):
        expect(sheet.locator(name)).not_to_be_visible()
    section = "document.getElementById('try')"
    assert sheet.evaluate(f"[{section}.scrollHeight <= innerHeight, {section}.scrollWidth <= innerWidth]") == [True] * 2
    sizes = sheet.locator("#try").evaluate(
        """section => [...section.querySelectorAll('.live *, button')].filter(one => one.getClientRects().length &&
             !one.closest('.unseen') && [...one.childNodes].some(node => node.nodeType === 3 && node.data.trim())).map(
             one => parseFloat(getComputedStyle(one).fontSize))"""
    )
    assert len(sizes) > 50
    assert min(sizes) >= 16 * min(1, size[1] / 810) - 0.1
    sheet.get_by_role("button", name="Close").click()
    expect(sheet.locator("#try details")).to_be_visible()


# ---------------------------------------------------------------------------------------------- where it cannot run


@pytest.mark.parametrize("script", [True, False], ids=["no DecompressionStream", "no script"])
def test_a_finished_picture_stays_where_networks_cannot_run(browser: Browser, path: Path, script: bool) -> None:
    sheet = browser.new_context(java_script_enabled=script).new_page()
    sheet.add_init_script(NO_STREAM)
    sheet.goto(path.as_uri())
    expect(sheet.locator(".try")).to_have_count(1)
    expect(sheet.locator(".still .t-status")).to_have_text(FIRST)
    expect(sheet.locator(".still .t-lone")).to_be_visible()
    expect(sheet.locator(".still .t-bars rect")).to_have_count(30)
    expect(sheet.locator("#try button:not(.quiet)")).to_have_count(0)


def test_damaged_networks_leave_the_picture(browser: Browser, path: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "damaged.html"
    damaged.write_text(path.read_text().replace('"weights":"', '"weights":"AAAA'))
    sheet = opened(browser, damaged)
    sheet.wait_for_timeout(500)
    expect(sheet.locator(".still .t-status")).to_be_visible()
    expect(sheet.locator(".try.live")).to_have_count(0)


def test_print_shows_the_picture_whatever_was_drawn(browser: Browser, path: Path) -> None:
    sheet = running(browser, path, color_scheme="dark")
    chip(sheet, "7")
    expect(sheet.locator(".try.still")).not_to_be_visible()
    sheet.emulate_media(media="print")
    expect(sheet.locator(".try.still")).to_be_visible()
    expect(sheet.locator(".try.live")).not_to_be_visible()
    expect(sheet.locator(".still .t-lone")).not_to_be_visible()


def test_heading_words_and_picture_are_printed_on_one_page(browser: Browser, path: Path) -> None:
    sheet = running(browser, path, viewport={"width": 673, "height": 800})  # of A4 within its margins
    sheet.emulate_media(media="print")
    section = sheet.locator("#try")
    assert section.evaluate("one => getComputedStyle(one).breakInside") == "avoid"
    assert section.bounding_box()["height"] < 900


# ---------------------------------------------------------------------------------------------- for everyone

MODES = {
    "light": {"color_scheme": "light"},
    "dark": {"color_scheme": "dark"},
    "narrow": {"color_scheme": "dark", "viewport": {"width": 375, "height": 800}},
    "forced": {"forced_colors": "active"},
}


NEARLY = pytest.mark.slow("narrow, and with forced colours, is in `make test`")


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=[NEARLY] if mode in ("light", "dark") else []) for mode in MODES]
)
def test_axe_finds_no_violations_in_the_section(browser: Browser, path: Path, mode: str) -> None:
    sheet = running(browser, path, **MODES[mode])
    sheet.locator("#try details").evaluate("details => details.open = true")
    sheet.evaluate(AXE)
    found = sheet.evaluate(ALL_RULES.replace("axe.run(document,", "axe.run('#try',"))
    assert found["passes"] > 20
    assert not found["violations"], "\n".join(found["violations"])


@pytest.mark.parametrize("width", [320, 375, 1440])
def test_targets_are_large_enough_and_nothing_scrolls_sideways(browser: Browser, path: Path, width: int) -> None:
    sheet = running(browser, path, viewport={"width": width, "height": 800})
    sizes = sheet.evaluate(
        """() => [...document.querySelectorAll('.live button, .live input')].map(
             target => { const box = target.getBoundingClientRect(); return Math.min(box.width, box.height); })"""
    )
    assert len(sizes) == 17
    assert min(sizes) >= 44
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width


def test_a_phone_shows_pad_verdict_bars_chips_and_slider_below_each_other_on_one_screen(
    browser: Browser, path: Path
) -> None:
    sheet = running(browser, path, viewport={"width": 375, "height": 740})
    sheet.evaluate("location.hash = '#pad'")
    sheet.wait_for_timeout(200)
    contents = sheet.locator("nav").bounding_box()
    parts = [sheet.locator(f".live .{name}").first.bounding_box() for name in ORDER]
    ends = [contents["y"] + contents["height"], *(part["y"] + part["height"] for part in parts)]
    assert all(part["y"] >= end - 1 for part, end in zip(parts, ends, strict=False)), "in another order"
    assert ends[-1] <= 740
    assert parts[0]["width"] >= 200


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_outlines_of_bars_stand_out_from_the_background(browser: Browser, path: Path, scheme: str) -> None:
    sheet = running(browser, path, color_scheme=scheme)
    ratios = sheet.evaluate(
        """() => { const rgb = text => text.match(/[\\d.]+/g).map(Number);
             const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
             const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
             const paper = light(rgb(getComputedStyle(document.body).backgroundColor));
             return [...document.querySelectorAll('.live rect')].map(bar => {
               const own = light(rgb(getComputedStyle(bar).stroke));
               return (Math.max(own, paper) + 0.05) / (Math.min(own, paper) + 0.05); }); }"""
    )
    assert min(ratios) >= 4.5


# ---------------------------------------------------------------------------------------------- the words


def test_the_page_says_how_good_its_copies_are_by_what_was_measured(path: Path) -> None:
    html = path.read_text()
    section = html[html.index('<section id="try"') : html.index('id="networks"')]
    committed = networks.committed()["networks"]
    least = min(network["agreement"] for network in committed)
    assert (
        f"they give the same answer as their originals on at least {100 * least:.2f}\u202f% of the 10,000 test images"
        in section
    )
    for network in committed:
        assert f"<td>{network['original_wrong']}<td>{network['wrong']}" in section


def test_networks_that_agree_are_named_together() -> None:
    names = ("one", "two", "three")
    assert live.reading(names, (4, 4, 4)) == "All read 4."
    assert live.reading(names, (9, 4, 9)) == "two reads 4; the other two read 9."
    assert live.reading(names, (1, 2, 3)) == "one reads 1; two reads 2; three reads 3."
    assert live.reading(names[:2], (1, 2)) == "one reads 1; two reads 2."
    assert live.reading((*names, "four"), (1, 2, 1, 2)) == "one and three read 1; two and four read 2."
    assert live.reading(names[:1], (4,)) == "one reads 4."


def test_the_page_opens_on_a_drawing_that_the_first_network_alone_misreads_or_else_on_a_4(path: Path) -> None:
    section = path.read_text().split('<section id="try"')[1]
    assert FIRST in section
    assert 'aria-label="A hand-drawn 0"' in section
    undisputed = live.view(networks.text(networks.committed() | {"contested": []}), networks.ARTICLE.load_live())
    assert (undisputed.reading, undisputed.drawn_digit) == ("All read 4.", 4)
    later = networks.committed()["contested"][1:]
    shown = live.view(networks.text(networks.committed() | {"contested": later}), networks.ARTICLE.load_live())
    assert shown.reading == "Example 3 reads 4; the other two read 0. It was drawn as 4."


def test_a_page_without_networks_has_no_frame_for_them(results: dict) -> None:
    html = fixture.page_of(results)
    assert not [word for word in ('id="try"', "#try", "t-pad", "DecompressionStream", 'id="networks"') if word in html]
