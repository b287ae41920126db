"""Whoever finds, previews or cites the page is told what the results say, and no address that nobody gave."""

from __future__ import annotations

import base64
import hashlib
import html as markup
import json
import re
import struct
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest
import yaml
from playwright.sync_api import Browser

from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError
from experiments.files.sealed import read_json, to_json
from experiments.plots import figures, toolkit
from experiments.study.model import Study
from report import __main__ as command
from report.article import document
from report.page import citation, render
from tests import fixture
from tests.page import test_browser
from tests.page.test_page import said

ROOT = Path(__file__).parents[2]
MNIST = Source(datasets.MNIST, None, "a fixture")
URL = "https://example.org/report/"
HOSTILE = "</script><script>alert('&')</script> 50 % of {A_B}"
CITED = 'title: "Under & Test"\nversion: 1.2.3\nlicense: MIT\n'


@pytest.fixture(scope="module")
def measured(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder as `make plots` leaves it."""
    folder = tmp_path_factory.mktemp("measured")
    figures.update(fixture.results(plan, folder, MNIST), folder / "plots", fixture.draw, fixture.FIGURES)
    return folder


def rendered(measured: Path, site: Path, *options: str) -> str:
    command.main(command.parse(["render", "--results", str(measured), "--site", str(site), *options]))
    return (site / "index.html").read_text()


def head(html: str) -> dict[str, str]:
    """The title, every meta and the canonical address, by name."""
    found = re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)">', html)
    found += re.findall(r'<link rel="(canonical)" href="([^"]*)">', html)
    found += re.findall(r"<(title)>(.*?)</title>", html, re.DOTALL)[:1]  # those after it are of drawings
    return {name: markup.unescape(value) for name, value in found}


def linked(html: str) -> dict:
    """The JSON-LD in the head; where the page has an address, its graph begins with the page, and reviews follow."""
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html, re.DOTALL)
    return json.loads(data)


def page_data(html: str) -> dict:
    """What the JSON-LD says of the page."""
    data = linked(html)
    return data["@graph"][0] if "@graph" in data else data


def published(
    results: dict, folder: Path, url: str = "", title: str = "A title", cff: str = CITED, version: str = ""
) -> citation.Publication:
    (folder / "CITATION.cff").write_text(cff)
    return citation.publication(
        url, results, document.Article(title, "2020-01-02", "an-id", ()), folder / "CITATION.cff", version
    )


# ---------------------------------------------------------------------------------------------- the address


def test_no_file_names_an_address_if_none_is_given(measured: Path, tmp_path: Path) -> None:
    html = rendered(measured, tmp_path)
    assert not {"canonical", "og:url", "og:image", "twitter:card"} & set(head(html))
    named = set(re.findall(r"https?://[^\s\"<]+", html.split("</head>")[0]))
    assert named == {"https://schema.org", "https://spdx.org/licenses/MIT"}
    assert not {"url", "image"} & set(linked(html))
    assert not (tmp_path / "sitemap.xml").exists()
    assert 'href="index.html"' in (tmp_path / "404.html").read_text()


@pytest.mark.parametrize("given", [URL, URL.rstrip("/")])
def test_every_file_names_the_address_if_one_is_given(measured: Path, tmp_path: Path, given: str) -> None:
    html = rendered(measured, tmp_path, "--url", given)
    assert head(html)["canonical"] == head(html)["og:url"] == page_data(html)["url"] == URL
    assert head(html)["og:image"] == page_data(html)["image"] == f"{URL}preview.png"
    assert (head(html)["og:image:width"], head(html)["og:image:height"]) == ("1200", "630")
    assert head(html)["twitter:card"] == "summary_large_image"
    assert URL in said(html, "methods")
    assert f'href="{URL}"' in (tmp_path / "404.html").read_text()
    (entry,) = ElementTree.parse(tmp_path / "sitemap.xml").getroot()
    assert [field.text for field in entry] == [URL, "2026-01-01"]


def test_the_users_files_in_the_sites_folder_are_kept(measured: Path, tmp_path: Path) -> None:
    names = ("sitemap.xml", "figures/holiday.png", "notes.txt", ".writing-novel", "figures/.writing-a-novel")
    own = [tmp_path / name for name in names]
    (tmp_path / "figures").mkdir()
    for path in own:
        path.write_text("the user's")
    rendered(measured, tmp_path)
    assert {path.read_text() for path in own} == {"the user's"}


def test_removing_the_address_removes_the_sitemap(measured: Path, tmp_path: Path) -> None:
    rendered(measured, tmp_path, "--url", URL)
    assert URL not in rendered(measured, tmp_path)
    assert not (tmp_path / "sitemap.xml").exists()


@pytest.mark.parametrize(
    "wrong",
    [
        *("example.org", "ftp://example.org/", "https://", "https://example.org/a b", "https://example.org/\n", " "),
        *("https://example.org/?a=1", "https://example.org/#a", "https://example.org/index.html"),
        *('https://example.org/"><script>', "https://me:secret@example.org/", "javascript:alert(1)"),
    ],
)
def test_anything_but_the_address_of_a_web_folder_is_refused(wrong: str) -> None:
    with pytest.raises(UserError, match=r"SITE_URL is .* Expected the address of the folder .* Fix it"):
        citation.address(wrong)


@pytest.mark.parametrize(
    "right", ["http://localhost:8000/", "https://octocat.github.io/my-repo_2/", "https://a.b/c%20d/"]
)
def test_a_valid_address_is_kept_unchanged(right: str) -> None:
    assert citation.address(right) == right


def test_an_invalid_address_is_one_line_and_exit_status_2_and_writes_nothing(measured: Path, tmp_path: Path) -> None:
    options = ["render", "--results", str(measured), "--site", str(tmp_path), "--url", "my page"]
    result = subprocess.run([sys.executable, "-m", "report", *options], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 2
    assert re.fullmatch(r"error: SITE_URL is 'my page'\. .*\n", result.stderr)
    assert not list(tmp_path.iterdir())


def test_make_passes_the_address_on() -> None:
    result = subprocess.run(
        ["make", "-n", "render", f"SITE_URL={URL}"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert f"report render --url='{URL}'" in " ".join(result.stdout.split())


# ---------------------------------------------------------------------------------------------- title, description


def test_title_and_description_state_the_results(plan: Study, results: dict, tmp_path: Path) -> None:
    scores = {"example-1": 0.980, "example-2": 0.980, "example-3": 0.970}
    pages = [fixture.page_of(found) for found in (results, fixture.results(plan, tmp_path, MNIST, scores))]
    told = [head(html) for html in pages]
    assert "1.30 points" in told[0]["title"]
    assert "1.00 points" in told[1]["title"]
    assert told[0]["description"].startswith("Example 3 leads Example 1 and Example 2 by 1.30 points. Every claim")
    assert told[1]["description"].startswith("Example 1 and Example 2 lead Example 3 by 1.00 points. Every claim")
    for found in told:
        assert found["og:title"] == found["title"]
        assert found["og:description"] == found["description"]


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """Another article, with a hostile title and no headline of its own."""
    (tmp_path / "article.md").write_text(f'---\ntitle: "{HOSTILE}"\ndate: "2020-01-02"\nid: "x"\n---\nAll is well.\n')
    (tmp_path / "claims.toml").write_text(fixture.untestable('id = "a"\nquote = "All is well"'))
    return tmp_path


def test_another_article_is_described_without_a_tally_of_its_verdicts(results: dict, other: Path) -> None:
    described = head(fixture.page_of(results, other))
    assert described["title"] == "One claim, checked on MNIST"
    assert described["description"].endswith(" Every claim of the article, checked on MNIST.")


def test_the_description_stays_short_however_long_the_finding(results: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    found = [replace(figure, title="a very long finding " * 20) for figure in fixture.draw(results)]
    monkeypatch.setattr(fixture, "draw", lambda *_, **__: found)
    told = head(fixture.page_of(results))["description"]
    assert 100 < len(told) < 160
    assert told.endswith("…")


# ---------------------------------------------------------------------------------------------- linked data, citation


def test_linked_data_describes_the_page_and_its_sources(measured: Path, tmp_path: Path) -> None:
    html = rendered(measured, tmp_path)
    data = linked(html)
    assert (data["@context"], data["@type"]) == ("https://schema.org", "ScholarlyArticle")
    assert (data["headline"], data["description"]) == (head(html)["title"], head(html)["description"])
    assert data["datePublished"] == head(html)["article:published_time"] == "2026-01-01"
    assert data["license"] == "https://spdx.org/licenses/MIT"
    source, program = data["isBasedOn"]
    assert (program["@type"], program["name"]) == ("SoftwareSourceCode", "Article Under Test")
    assert source["headline"].startswith("How does using mean squared error loss")
    assert (source["datePublished"], source["identifier"]) == (
        *("2025-01-30", "how-does-using-mean-squared-error-loss-and"),
    )


def test_the_policy_lists_the_linked_data_by_its_hash(results: dict, tmp_path: Path) -> None:
    html = fixture.page_of(results, shared=published(results, tmp_path))
    (data,) = re.findall(r'<script type="application/ld\+json">(.*?)</script>', html)
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]+)"', html)
    sha256 = base64.b64encode(hashlib.sha256(data.encode()).digest()).decode()
    (scripts,) = (rule for rule in policy.split("; ") if rule.startswith("script-src"))
    assert f"'sha256-{sha256}'" in scripts


def test_linked_data_names_every_downloadable_file(measured: Path, tmp_path: Path) -> None:
    files = [part["distribution"] for part in page_data(rendered(measured, tmp_path))["hasPart"]]
    assert {file["contentUrl"]: file["encodingFormat"] for file in files} == {
        f"data/{path.name}": {".csv": "text/csv", ".json": "application/json"}[path.suffix]
        for path in (tmp_path / "data").iterdir()
        if path.name != "runs.csv-metadata.json"
    }
    away = page_data(rendered(measured, tmp_path, "--url", URL))["hasPart"]
    assert [part["distribution"]["contentUrl"] for part in away] == [f"{URL}{file['contentUrl']}" for file in files]


def test_a_hostile_title_stays_text(results: dict, other: Path) -> None:
    plain = fixture.page_of(results, shared=published(results, other))
    html = fixture.page_of(results, other, shared=published(results, other, title=HOSTILE))
    assert html.count("<script") == html.count("</script") == plain.count("<script")
    assert linked(html)["isBasedOn"][0]["headline"] == HOSTILE
    assert HOSTILE in said(html, "methods")


def test_the_page_says_how_to_cite_it(results: dict, tmp_path: Path) -> None:
    people = "authors:\n  - family-names: Curie\n    given-names: Marie\n  - name: The Lab\n"
    text = said(fixture.page_of(results, shared=published(results, tmp_path, URL, cff=CITED + people)), "methods")
    assert (
        f"Curie, Marie; The Lab (2026). Under & Test: “A title”, checked on MNIST. "
        f"Runs of 2026-01-01, software version 1.2.3. {URL} "
        "@misc{under-test-2026, author = {Curie, Marie and {The Lab}}, "
        f"title = {{Under \\& Test: {{A title}}}}, year = {{2026}}, "
        f"note = {{Runs of 2026-01-01, software version 1.2.3}}, url = {{{URL}}} }}"
    ) in text


def test_unknown_details_are_left_out_of_the_citation(results: dict, tmp_path: Path) -> None:
    shared = published(results, tmp_path, cff="title: Plain\n")
    assert shared.bibtex == (
        "@misc{plain-2026,\n  title = {Plain: {A title}},\n  year = {2026},\n  note = {Runs of 2026-01-01}\n}"
    )
    assert not {"author", "version", "license", "url"} & set(shared.linked_data("", ""))
    assert "Plain: “A title”, checked on MNIST. Runs of 2026-01-01." in said(
        fixture.page_of(results, shared=shared), "methods"
    )


def test_a_version_is_cited_by_the_address_and_the_day_that_it_keeps(results: dict, tmp_path: Path) -> None:
    shared = published(results, tmp_path, URL, version="2027-01-31-2")
    html = fixture.page_of(results, shared=shared)
    address = f"{URL}v/2027-01-31-2/"
    assert head(html)["canonical"] == head(html)["og:url"] == page_data(html)["url"] == address
    assert (
        "Under & Test: “A title”, checked on MNIST. "
        f"Version 2027-01-31-2, runs of 2026-01-01, software version 1.2.3. {address} @misc{{under-test-2027-01-31-2, "
    ) in said(html, "methods")
    assert f"url = {{{address}}}" in shared.bibtex
    assert "year = {2027}" in shared.bibtex
    assert (page_data(html)["version"], page_data(html)["datePublished"]) == ("2027-01-31-2", "2027-01-31")
    assert {part["distribution"]["contentUrl"].removesuffix(part["name"]) for part in page_data(html)["hasPart"]} == {
        address
    }


def test_page_citation_file_and_linked_data_agree(measured: Path, tmp_path: Path) -> None:
    html = rendered(measured, tmp_path, "--url", URL)
    fields = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    data, text = page_data(html), said(html, "methods")
    _, program = data["isBasedOn"]
    assert (program["name"], program["version"]) == (fields["title"], fields["version"])
    assert data["license"].endswith(f"/{fields['license']}")
    assert [author["name"] for author in data["author"]] == [author["name"] for author in fields["authors"]]
    assert f"{fields['authors'][0]['name']} (2026). {fields['title']}: “{data['isBasedOn'][0]['headline']}”" in text
    assert f"software version {fields['version']}. {data['url']} @misc" in text


def test_no_page_pretends_to_have_a_doi(results: dict, tmp_path: Path) -> None:
    html = fixture.page_of(results, shared=published(results, tmp_path, URL, version="2027-01-31"))
    assert "doi" not in said(html, "methods")
    assert "doi.org" not in html.split('<section id="others"')[0]  # which links papers
    assert "doi.org" not in said(html, "methods")
    given = published(results, tmp_path, URL, cff=f"{CITED}doi: 10.5281/zenodo.123\n")
    assert "software version 1.2.3, doi:10.5281/zenodo.123" in said(fixture.page_of(results, shared=given), "methods")
    assert given.linked_data("", "")["isBasedOn"][1]["identifier"] == "https://doi.org/10.5281/zenodo.123"
    with pytest.raises(UserError, match=r"CITATION\.cff: the doi 'pending' is not of the form 10\.1234/abc\."):
        published(results, tmp_path, cff=f"{CITED}doi: pending\n")


@pytest.mark.parametrize(("url", "link"), [(URL, f"{URL}versions.html"), ("", "versions.html")])
def test_a_version_names_itself_at_the_top_and_leads_to_the_list(
    results: dict, tmp_path: Path, url: str, link: str
) -> None:
    html = fixture.page_of(results, shared=published(results, tmp_path, url, version="2027-01-31"))
    assert f'Version 2027-01-31: <a href="{link}">is it the newest?</a>' in html.split("<h1>")[0]
    assert "This version stays as it is." in said(html, "methods")
    assert "is it the newest?" not in fixture.page_of(results, shared=published(results, tmp_path, url))


def test_tex_commands_are_escaped(results: dict, tmp_path: Path) -> None:
    bibtex = published(results, tmp_path, title=r"\input{a_b} ~^ 5 % & #1 $x$").bibtex
    assert r"{\textbackslash{}input\{a\_b\} \textasciitilde{}\textasciicircum{} 5 \% \& \#1 \$x\$}}," in bibtex


@pytest.mark.parametrize("broken", ["version: 1\n", "- a list\n", "title: [\n", ""])
def test_a_citation_file_without_a_title_is_an_error(results: dict, tmp_path: Path, broken: str) -> None:
    with pytest.raises(UserError, match=r"CITATION\.cff: .* Expected a citation that names a title\. Fix it\."):
        published(results, tmp_path, cff=broken)


# ---------------------------------------------------------------------------------------------- the preview


def drawn(results: dict) -> bytes:
    with toolkit.styled():
        return toolkit.preview(results, "A finding")


def chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = 8
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        yield png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        at += 12 + length


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n")
    return struct.unpack(">II", dict(chunks(png))[b"IHDR"][:8])


def test_the_preview_has_the_standard_size(results: dict) -> None:
    preview = fixture.draw(results, pictures=True)[0].preview
    assert size(preview) == (1200, 630)
    assert len(preview) < 150_000


def test_the_preview_is_byte_for_byte_reproducible_and_has_no_date(results: dict) -> None:
    preview = drawn(results)
    assert drawn(json.loads(json.dumps(results))) == preview
    assert {name for name, _ in chunks(preview)} <= {b"IHDR", b"pHYs", b"IDAT", b"IEND"}


def test_the_preview_follows_the_numbers(plan: Study, results: dict, tmp_path: Path) -> None:
    assert drawn(fixture.results(plan, tmp_path, MNIST, {"example-1": 0.98})) != drawn(results)


@pytest.mark.parametrize("arms", [1, 2, 40])
def test_any_study_has_a_preview(results: dict, arms: int) -> None:
    arm = {**results["arms"]["example-1"], "block": "mine", "title": "An arm with a name that is far too long " * 3}
    run = next(run for run in results["runs"] if run["arm"] == "example-1")
    names = [f"arm-{number}" for number in range(arms)]
    found = {**results, "arms": dict.fromkeys(names, arm), "runs": [{**run, "arm": name} for name in names]}
    assert size(drawn(found)) == (1200, 630)


def test_the_preview_shows_the_best_and_the_worst_of_many_arms(results: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    arm = {**results["arms"]["example-1"], "block": "mine"}
    scores = [0.3, 0.9, 0.5, 0.1, 0.7, 0.2]
    named = {f"arm-{score}": {**arm, "test_accuracy": {**arm["test_accuracy"], "mean": score}} for score in scores}
    shown: list[str] = []
    monkeypatch.setattr(toolkit, "scores", lambda _, name: shown.append(name) or [1.0])
    drawn({**results, "arms": named})
    assert shown == ["arm-0.9", "arm-0.7", "arm-0.2", "arm-0.1"]


def test_the_preview_is_next_to_the_page_and_has_alternative_text(measured: Path, tmp_path: Path) -> None:
    html = rendered(measured, tmp_path, "--url", URL)
    assert (tmp_path / "preview.png").read_bytes() == (measured / "plots" / "preview.png").read_bytes()
    told = head(html)["og:image:alt"]
    assert told.startswith("Example 3 leads Example 1 and Example 2 by 1.30 points. Test accuracy of every run on")
    assert "Example 1: mean 96.55 %" in told
    assert len(told) <= 420


def test_a_deleted_preview_is_redrawn(results: dict, tmp_path: Path) -> None:
    figures.update(results, tmp_path, fixture.draw)
    (tmp_path / "preview.png").unlink()
    assert figures.update(results, tmp_path, fixture.draw) == 4
    assert (tmp_path / "preview.png").exists()


# ---------------------------------------------------------------------------------------------- the files, the browser


@pytest.mark.parametrize("name", ["404.html", "preview.png", "sitemap.xml", "report.md", "ro-crate-metadata.json"])
def test_changed_files_of_the_site_are_rewritten(measured: Path, tmp_path: Path, name: str) -> None:
    rendered(measured, tmp_path, "--url", URL)
    whole = (tmp_path / name).read_bytes()
    (tmp_path / name).write_bytes(b"touched")
    rendered(measured, tmp_path, "--url", URL)
    assert (tmp_path / name).read_bytes() == whole


def test_redrawn_plots_are_rendered_again(plan: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    measured = tmp_path / "results"
    figures.update(fixture.results(plan, measured, MNIST), measured / "plots", fixture.draw, fixture.FIGURES)
    rendered(tmp_path / "results", tmp_path / "site")
    drawings = tmp_path / "results" / "plots" / "figures.json"
    content = read_json(drawings, figures.FORMAT)
    content["figures"][0]["title"] = "Drawn anew"
    write_atomically(drawings, to_json(content))
    assert "Drawn anew" in rendered(tmp_path / "results", tmp_path / "site")


def test_the_icon_is_a_drawing_for_light_and_dark(results: dict) -> None:
    (icon,) = re.findall(r'<link rel="icon" href="data:image/svg\+xml,([^"]+)">', fixture.page_of(results))
    assert ElementTree.fromstring(unquote(icon)).tag == "{http://www.w3.org/2000/svg}svg"
    assert "prefers-color-scheme:dark" in unquote(icon)


@pytest.mark.parametrize("name", ["index.html", "404.html"])
@pytest.mark.parametrize("scripts", [True, False])
def test_no_page_requests_anything_or_breaks_its_policy(
    browser: Browser, measured: Path, tmp_path: Path, name: str, scripts: bool
) -> None:
    rendered(measured, tmp_path, "--url", URL)
    requests: list[str] = []
    sheet = test_browser.opened(browser, tmp_path / name, requests, java_script_enabled=scripts)
    sheet.wait_for_timeout(300)
    assert [url for url in requests if not url.startswith("data:")] == [(tmp_path / name).as_uri()]
    assert sheet.locator("h1").is_visible()


def test_the_browser_reads_the_linked_data_and_shows_the_citation(
    browser: Browser, measured: Path, tmp_path: Path
) -> None:
    html = rendered(measured, tmp_path, "--url", URL)
    sheet = test_browser.opened(browser, tmp_path / "index.html", viewport={"width": 320, "height": 800})
    read = sheet.evaluate("JSON.parse(document.querySelector('script[type=\"application/ld+json\"]').textContent)")
    assert read == linked(html)
    sheet.locator("#cite > summary").click()
    assert sheet.get_by_role("region", name="BibTeX").is_visible()
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 320


def test_the_404_page_looks_like_the_report() -> None:
    style = re.compile(r"<style>(.*?)</style>", re.DOTALL)
    assert style.findall(render.not_found_page("")) == style.findall(render.not_found_page(URL))
    assert "--paper:" in style.findall(render.not_found_page(""))[0]
