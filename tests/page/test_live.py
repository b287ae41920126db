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
FIRST = "Example 1 reads 9, ±1 and Example 3 read 0. It was drawn as 0."  # where the page opens
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
            """kind => ['.t-bars rect', '.t-bars text', '.t-net li', '.t-answer', '.t-seen path', '.t-status'].flatMap(
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
    expect(sheet.locator(".live .t-status")).to_contain_text("No digit, but none has an output for that.")


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
        for name in ("8", "A"):
            chip(sheet, name)
            assert sheet.evaluate(place) == before
    assert sheet.evaluate("[localStorage.length, sessionStorage.length, document.cookie]") == [0, 0, ""]
    touch = "mark => getComputedStyle(mark).touchAction"
    assert pad.evaluate(touch) == "none"
    assert sheet.locator("#try").evaluate(touch) == "auto"


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


@pytest.mark.parametrize(
    ("first", "last"),
    [("t-pad", "t-ready"), ("t-pad", "t-answer"), ("t-status", "t-bars")],
    ids=["pad to buttons", "pad to answers", "verdict to bars"],
)
def test_on_a_phone_what_one_touches_and_what_it_does_are_in_sight_together(
    browser: Browser, path: Path, first: str, last: str
) -> None:
    sheet = running(browser, path, viewport={"width": 375, "height": 667})
    top = sheet.locator(f".live .{first}").first.evaluate("one => one.getBoundingClientRect().top")
    below = sheet.locator(f".live .{last}").last.evaluate("one => one.getBoundingClientRect().bottom")
    assert below - top < 600  # a browser's own bars take some of the rest
    assert sheet.locator(".live .t-pad").bounding_box()["width"] >= 200


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
    assert live.reading(names, (9, 4, 9)) == "one and three read 9, two reads 4."
    assert live.reading(names, (1, 2, 3)) == "one reads 1, two reads 2, three reads 3."
    assert live.reading(names[:1], (4,)) == "one reads 4."


def test_the_page_opens_on_a_drawing_that_the_first_network_alone_misreads_or_else_on_a_4(path: Path) -> None:
    section = path.read_text().split('<section id="try"')[1]
    assert FIRST in section
    assert 'aria-label="A hand-drawn 0"' in section
    undisputed = live.view(networks.text(networks.committed() | {"contested": []}), networks.ARTICLE.load_live())
    assert (undisputed.reading, undisputed.drawn_digit) == ("All read 4.", 4)
    later = networks.committed()["contested"][1:]
    shown = live.view(networks.text(networks.committed() | {"contested": later}), networks.ARTICLE.load_live())
    assert shown.reading == "Example 1 and ±1 read 0, Example 3 reads 4. It was drawn as 4."


def test_a_page_without_networks_has_no_frame_for_them(results: dict) -> None:
    html = fixture.page_of(results)
    assert not [word for word in ('id="try"', "#try", "t-pad", "DecompressionStream", 'id="networks"') if word in html]
