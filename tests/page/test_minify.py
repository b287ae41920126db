"""Style sheet and script lose what says nothing on their way into the page, and nothing else."""

from __future__ import annotations

from playwright.sync_api import Browser

from report.page import minify, render

RULES = """css => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(css);
  return [...sheet.cssRules].map(rule => rule.cssText);
}"""


def test_a_browser_reads_the_same_rules_in_the_short_style_sheet(browser: Browser) -> None:
    whole = render._environment(render.TEMPLATES).get_template("style.css").render(live=True)
    short = minify.style(whole)
    sheet = browser.new_page()
    read = [[rule.replace(", ", ",") for rule in sheet.evaluate(RULES, css)] for css in (whole, short)]
    assert read[0] == read[1]
    assert len(read[0]) > 200
    assert len(short) < 0.9 * len(whole)
    assert "/*" not in short


def test_what_is_in_quotes_stays_in_the_style_sheet() -> None:
    assert minify.style('a b > c { content: "{ ; } /  :"; /* why */ }\n') == 'a b>c{content:"{ ; } /  :"}'


def test_a_comment_of_the_script_goes_and_an_address_in_a_string_stays() -> None:
    text = '// why\n"use strict";\n\n  const at = "http://a/b"; // where\n  go(at);\n'
    assert minify.script(text) == '"use strict";\nconst at = "http://a/b";\ngo(at);'
