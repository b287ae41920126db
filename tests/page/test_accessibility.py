"""The page is for everyone: axe-core finds nothing against it in any mode; what axe cannot judge is computed here."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib import resources
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from experiments.analysis import records
from tests import audit, fixture
from tests.page.test_browser import opened

RECORD = records.RECORD
AXE = resources.files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
MODES = {  # of the browser, and whether everything is unfolded
    "light": ({"color_scheme": "light"}, False),
    "dark": ({"color_scheme": "dark"}, False),
    "narrow": ({"viewport": {"width": 375, "height": 800}}, False),
    "unfolded": ({"color_scheme": "dark"}, True),
    "print": ({"color_scheme": "dark", "media": "print"}, False),
}
NEARLY = pytest.mark.slow("the page unfolded shows the same, and test_text_in_figures… looks at these colours")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page of the committed record, with all figures and tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD", RECORD)
        recorded = records.read()
    assert recorded is not None
    path = tmp_path_factory.mktemp("site") / "index.html"
    path.write_text(fixture.page_of(records.results_of_record(recorded, records.NOTHING_MEASURED)))
    return path


def display_path(browser: Browser, path: Path, mode: str) -> Page:
    options, unfolded = MODES[mode]
    sheet = opened(browser, path, **{key: value for key, value in options.items() if key != "media"})
    sheet.emulate_media(media=options.get("media"))
    if unfolded:
        sheet.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    return sheet


@pytest.mark.parametrize(
    "mode", [pytest.param(mode, marks=[NEARLY] if mode in ("light", "dark", "print") else []) for mode in MODES]
)
def test_axe_finds_no_violations(browser: Browser, path: Path, mode: str) -> None:
    sheet = display_path(browser, path, mode)
    sheet.evaluate(AXE)
    found = sheet.evaluate(ALL_RULES)
    assert found["passes"] > 40
    assert not found["violations"], "\n".join(found["violations"])
    assert set(found["undecided"]) <= {"color-contrast", "hidden-content"}  # computed below; what no one is shown


# Every rule that axe has, best practices and experiments too, but for WCAG's level AAA, which is not promised.
ALL_RULES = """async () => {
  const wanted = axe.getRules().filter(rule => !rule.tags.includes('deprecated') && !rule.tags.includes('wcag2aaa'));
  const rules = Object.fromEntries(wanted.map(rule => [rule.ruleId, {enabled: true}]));
  const found = await axe.run(document, {rules, resultTypes: ['violations', 'incomplete']});
  return {
    passes: found.passes.length, undecided: found.incomplete.map(rule => rule.id),
    violations: found.violations.flatMap(rule => rule.nodes.map(
      node => `${rule.id}: ${rule.help}: ${node.target}: ${node.html.slice(0, 120)}`)),
  };
}"""


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_text_in_figures_meets_wcag_aa_contrast(browser: Browser, path: Path, mode: str) -> None:
    ratios = [(kind, *told) for kind, *told in display_path(browser, path, mode).evaluate(DRAWN) if kind == "text"]
    assert len(ratios) > 250
    assert [told for told in ratios if told[1] < 4.5] == []


@pytest.mark.parametrize("mode", ["light", "dark", "print"])
def test_marks_and_lines_in_figures_stand_out_from_the_background(browser: Browser, path: Path, mode: str) -> None:
    ratios = [(kind, *told) for kind, *told in display_path(browser, path, mode).evaluate(DRAWN) if kind != "text"]
    assert len(ratios) > 400
    assert [told for told in ratios if told[1] < 3] == []


# For each text, filled shape and line of the drawings: its kind, its contrast ratio (WCAG 2.2) and where it is: a text
# against all that is filled below it, a mark against the paper. The grid and the bands behind curves are left out:
# without them the drawing says the same.
DRAWN = """() => {
  const rgb = text => text.match(/[\\d.]+/g).map(Number);
  const channel = c => (c /= 255) <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  const light = c => 0.2126 * channel(c[0]) + 0.7152 * channel(c[1]) + 0.0722 * channel(c[2]);
  const ratio = (a, b) => (Math.max(light(a), light(b)) + 0.05) / (Math.min(light(a), light(b)) + 0.05);
  const over = (style, part, below) => { const share = style[part + 'Opacity'] * style.opacity;
    return rgb(style[part]).map((c, n) => share * c + (1 - share) * below[n]); };
  const paper = rgb(getComputedStyle(document.body).backgroundColor);
  const covers = (shape, x, y) => { const box = shape.getBoundingClientRect();
    return shape.isPointInFill ? shape.isPointInFill(new DOMPoint(x, y).matrixTransform(shape.getScreenCTM().inverse()))
      : box.left <= x && x <= box.right && box.top <= y && y <= box.bottom; };
  const behind = (shapes, x, y) => shapes.filter(shape => covers(shape, x, y)).reduce(
    (below, shape) => over(getComputedStyle(shape), 'fill', below), paper);
  const found = [];
  for (const svg of document.querySelectorAll('figure svg')) {
    const filled = [];
    for (const drawn of svg.querySelectorAll('text, path, rect, circle, line, use')) {
      const style = getComputedStyle(drawn), where = [svg.closest('figure').id, drawn.outerHTML.slice(0, 120)];
      if (drawn.closest('defs')) continue;
      if (drawn.tagName === 'text') {
        const box = drawn.getBoundingClientRect(), y = box.top + box.height / 2;
        const grounds = [0.02, 0.25, 0.5, 0.75, 0.98].map(part => behind(filled, box.left + part * box.width, y));
        found.push(['text', Math.min(...grounds.map(ground => ratio(over(style, 'fill', ground), ground))), ...where]);
        continue;
      }
      if (style.fill !== 'none') filled.push(drawn);
      if (drawn.matches('.s-grid, .f-grid, .f-paper, [fill-opacity="0.18"]')) continue;
      const hollow = style.stroke !== 'none' && style.fill !== 'none' && String(rgb(style.fill)) === String(paper);
      for (const part of hollow ? ['stroke'] : ['fill', 'stroke'])
        if (style[part] !== 'none') found.push([part, ratio(over(style, part, paper), paper), ...where]);
    }
  }
  return found;
}"""


@pytest.mark.parametrize("preferred", ["dark", "light"])
def test_print_is_black_on_white_even_if_dark_is_preferred_or_chosen(
    browser: Browser, path: Path, preferred: str
) -> None:
    sheet = opened(browser, path, color_scheme=preferred)
    if preferred == "light":
        sheet.get_by_text("Contents", exact=True).click()
        sheet.get_by_role("button", name="Dark colours").click()
    sheet.emulate_media(media="print")
    assert sheet.locator("body").evaluate("body => getComputedStyle(body).color") == "rgb(0, 0, 0)"


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_figures_bring_their_background_where_the_system_forces_its_colours(
    browser: Browser, path: Path, theme: str
) -> None:
    sheet = opened(browser, path, color_scheme="light" if theme == "dark" else "dark", forced_colors="active")
    sheet.get_by_text("Contents", exact=True).click()
    sheet.get_by_role("button", name=f"{theme.capitalize()} colours").click()
    grounds = sheet.evaluate(
        "[...document.querySelectorAll('figure svg')].map(svg => getComputedStyle(svg).backgroundColor)"
    )
    (ground,) = set(grounds)
    red, green, blue = map(int, re.findall(r"\d+", ground))
    assert red + green + blue < 120 if theme == "dark" else red + green + blue > 700


# What readers may set: WCAG 2.2, success criterion 1.4.12.
SPACED = "* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important; }"


@pytest.mark.parametrize("width", [320, 375])
def test_the_page_never_scrolls_sideways_with_the_text_spacing_of_wcag(
    browser: Browser, path: Path, width: int
) -> None:
    sheet = opened(browser, path, viewport={"width": width, "height": 800}, bypass_csp=True)
    sheet.add_style_tag(content=SPACED)
    sheet.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "scale"), [(640, 2), (320, 4)], ids=["200%", "400%"])
def test_the_page_never_scrolls_sideways_when_zoomed_in_a_1280_pixel_window(
    browser: Browser, path: Path, width: int, scale: int
) -> None:
    sheet = opened(browser, path, viewport={"width": width, "height": 720 // scale}, device_scale_factor=scale)
    for _ in ("folded", "unfolded"):
        assert sheet.evaluate("document.documentElement.scrollWidth") <= width
        sheet.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")


def test_nothing_moves_when_the_reader_prefers_reduced_motion(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path, reduced_motion="reduce")
    assert sheet.evaluate(MOVING) == []
    sheet.locator("main summary").first.click()
    assert sheet.evaluate("document.getAnimations().length") == 0


MOVING = """() => {
  const moves = style => style.animationName !== 'none' || /[1-9]/.test(style.transitionDuration)
    || style.scrollBehavior !== 'auto';
  const parts = ['', '::before', '::after', '::details-content'];
  const moving = element => parts.some(part => moves(getComputedStyle(element, part)));
  return [...document.querySelectorAll('*')].filter(moving).map(element => element.outerHTML.slice(0, 120));
}"""


def test_the_page_has_its_landmarks_and_exactly_one_h1(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path)
    for role in ("main", "contentinfo"):
        expect(sheet.get_by_role(role)).to_have_count(1)
    expect(sheet.get_by_role("navigation", name="Contents")).to_have_count(1)
    expect(sheet.get_by_role("heading", level=1)).to_have_count(1)


def test_every_figure_is_labelled_with_its_finding_and_has_a_description(browser: Browser, path: Path) -> None:
    sheet = display_path(browser, path, "unfolded")
    figures = sheet.get_by_role("figure").all()
    assert len(figures) == sheet.locator("figure svg:not(.states svg, .panels svg), .states, .panels").count() == 19
    for figure in figures:
        drawing = figure.get_by_role("img").first
        finding = figure.locator("figcaption").evaluate("caption => caption.lastChild.textContent")
        name = figure.locator("label:has(:checked)").all_inner_texts() or [finding.strip().removesuffix(".")]
        expect(drawing).to_have_accessible_name(name[0])
        expect(drawing).to_have_accessible_description(re.compile(r"(\S+\s+){10}"))


def test_a_stepper_shows_the_chosen_state_alone_without_a_script_and_print_shows_all(
    browser: Browser, path: Path
) -> None:
    sheet = opened(browser, path, java_script_enabled=False)
    choices, states = sheet.locator(".stepper label"), sheet.locator(".states svg")
    assert choices.count() == states.count() == 6
    for chosen in (0, 3, 5):
        choices.nth(chosen).click()
        assert [state.is_visible() for state in states.all()] == [number == chosen for number in range(6)]
    sheet.keyboard.press("ArrowLeft")
    assert states.nth(4).is_visible()
    sheet.emulate_media(media="print")
    assert all(state.is_visible() for state in states.all())
    assert not choices.first.is_visible()


def test_the_choices_of_a_stepper_are_large_enough_for_a_finger(browser: Browser, path: Path) -> None:
    sheet = opened(browser, path, viewport={"width": 375, "height": 800})
    boxes = [label.bounding_box() for label in sheet.locator(".stepper label").all()]
    assert all(box and min(box["width"], box["height"]) >= 44 for box in boxes)


def test_the_audit_says_what_is_missing_and_how_to_install_it() -> None:
    command = [sys.executable, "-m", "tests.audit"]
    result = subprocess.run(command, cwd=audit.ROOT, env=os.environ | {"PATH": ""}, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (2, "")
    assert "apt-get install nodejs npm default-jre-headless chromium" in result.stderr


def test_the_audits_packages_are_locked_by_hash_and_name_no_registry() -> None:
    lock = audit.LOCK.read_text()
    packages = re.findall(r'^    "node_modules/', lock, re.MULTILINE)
    assert len(packages) == lock.count('"integrity": "sha512-') > 100
    assert '"resolved"' not in lock
