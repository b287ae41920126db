"""What programs read beside the page agrees with it: the crate, the columns, the reviews, the page in Markdown."""

from __future__ import annotations

import csv
import hashlib
import json
import re
from pathlib import Path

import markdown
import pytest
import yaml
from selectolax.lexbor import LexborHTMLParser

from experiments.data import datasets
from experiments.data.sources import Source
from experiments.plots import figures
from experiments.study.model import Study
from report import __main__ as command
from report.article import document
from report.article.folder import DEFAULT
from report.claims.model import NOT, PARTLY, SUPPORTED
from report.page import citation, in_markdown, machines, site
from tests import fixture
from tests.page.test_sharing import linked

ROOT = Path(__file__).parents[2]
MNIST = Source(datasets.MNIST, None, "a fixture")
URL = "https://example.org/report/"
DECIDED = {SUPPORTED, PARTLY, NOT}


@pytest.fixture(scope="module")
def measured(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results and plots, also of figures of their own; and the site, at an address."""
    folder = tmp_path_factory.mktemp("machines")
    blocks = ("examples", "changes")
    figures.update(fixture.results(plan, folder, MNIST, only=blocks), folder / "plots", fixture.draw, fixture.FIGURES)
    rendered(folder, folder / "site")
    return folder


def rendered(measured: Path, folder: Path, *options: str) -> Path:
    command.main(command.parse(["render", "--results", str(measured), "--site", str(folder), "--url", URL, *options]))
    return folder


@pytest.fixture
def built(measured: Path) -> Path:
    return measured / "site"


def entities(folder: Path) -> dict[str, dict]:
    graph = json.loads((folder / machines.CRATE_FILE).read_text())["@graph"]
    assert len({entity["@id"] for entity in graph}) == len(graph)
    return {entity["@id"]: entity for entity in graph}


def claims(folder: Path) -> list[dict]:
    return json.loads((folder / "data" / "claims.json").read_text())["claims"]


# ---------------------------------------------------------------------------------------------- the crate


def test_the_crate_lists_every_other_file_of_the_page_with_its_size_and_digest(built: Path) -> None:
    found = entities(built)
    others = {
        machines.CRATE_FILE,
        "404.html",
        "sitemap.xml",
        ".nojekyll",
    }  # the last three are the site’s
    files = [path for path in built.rglob("*") if path.is_file() and path.name not in others]
    assert {part["@id"] for part in found["./"]["hasPart"]} == {path.relative_to(built).as_posix() for path in files}
    for path in files:
        entity = found[path.relative_to(built).as_posix()]
        assert (entity["@type"], entity["contentSize"]) == ("File", str(path.stat().st_size))
        assert entity["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert entity["description"]


def test_the_crate_agrees_with_the_citation(built: Path) -> None:
    found, fields = entities(built), yaml.safe_load((ROOT / "CITATION.cff").read_text())
    software, authors = found["#software"], [found[f"#author-{n}"]["name"] for n, _ in enumerate(fields["authors"], 1)]
    assert (software["name"], software["softwareVersion"]) == (fields["title"], fields["version"])
    assert authors == [author["name"] for author in fields["authors"]]
    assert found["./"]["license"]["@id"].endswith(f"/{fields['license']}")


@pytest.mark.parametrize("version", ["", "2027-01-31-2"])
def test_the_crate_of_each_version_agrees_with_its_linked_data(results: dict, version: str) -> None:
    shared = citation.publication(URL, results, document.load(DEFAULT / "article.md"), page_version=version)
    html = '<title>A title</title><meta name="description" content="What it says">'
    root = next(entity for entity in machines.crate(html, shared, results, {}, {})["@graph"] if entity["@id"] == "./")
    linked = shared.linked_data("A title", "What it says")
    for key in ("url", "datePublished", "version", "description"):
        assert root.get(key) == linked.get(key)
    assert root["name"] == linked["headline"]


def test_whatever_the_crate_refers_to_is_in_it(built: Path) -> None:
    found = entities(built)
    references = set(re.findall(r'\{\s*"@id": "([^"]+)"\s*\}', (built / machines.CRATE_FILE).read_text()))
    assert references - found.keys() == {machines.CRATE}


def test_the_study_is_an_action_that_made_results_and_figures_from_article_and_data(built: Path) -> None:
    found = entities(built)
    study, results = found["#study"], json.loads((built / "data" / "results.json").read_text())
    assert study["@type"] == "CreateAction"
    assert study["endTime"] == max(run["finished"] for run in results["runs"])
    assert study["startTime"] == min(run["started"] for run in results["runs"])
    made = {result["@id"] for result in study["result"]}
    assert {"index.html", "report.md", "data/runs.csv", "data/results.json", "figures/changes.png"} <= made
    inputs = [found[entity["@id"]] for entity in study["object"]]
    assert [entity["name"] for entity in inputs[1:]] == ["MNIST"]
    assert inputs[0]["name"].startswith("How does using mean squared error loss")
    software = found[study["instrument"]["@id"]]
    used = [found[part["@id"]] for part in software["softwareRequirements"]]
    assert [[part["name"], part["softwareVersion"]] for part in used[:-1]] == results["versions"]


def test_the_same_results_give_the_same_bytes(measured: Path, tmp_path: Path) -> None:
    again = rendered(measured, tmp_path)
    for path in (measured / "site").rglob("*.*"):
        if path.is_file():
            assert (again / path.relative_to(measured / "site")).read_bytes() == path.read_bytes()


# ---------------------------------------------------------------------------------------------- the columns


def test_every_column_of_runs_csv_is_described_with_the_type_of_its_values(built: Path) -> None:
    schema = json.loads((built / machines.COLUMNS_FILE).read_text())["tableSchema"]
    rows = list(csv.DictReader((built / "data" / "runs.csv").open()))
    assert [column["name"] for column in schema["columns"]] == [*rows[0]]
    patterns = {"integer": r"-?\d+", "double": r"-?[\d.]+(e-\d+)?", "string": ".+", "datetime": r"[\d-]{10}T[\d:+]+"}
    for column in schema["columns"]:
        assert len(column["dc:description"]) > 5
        values = {row[column["name"]] for row in rows} - {""}
        pattern = "True|False" if column["name"] == "dirty" else patterns[column["datatype"]]
        assert all(re.fullmatch(pattern, value) for value in values)
    assert len({tuple(row[key] for key in schema["primaryKey"]) for row in rows}) == len(rows)


# ---------------------------------------------------------------------------------------------- the reviews


def test_each_claim_that_was_decided_has_a_review_with_both_verdicts_in_words(built: Path) -> None:
    _, *reviews = linked((built / "index.html").read_text())["@graph"]
    found = {review["url"]: review for review in reviews}
    decided = 0
    for row in claims(built):
        verdicts = [row["verdicts"][part] for part in ("stated", "general")]
        asked = [verdict for verdict in verdicts if not verdict["question"]["none"]]
        address = f"{URL}#claim-{row['claim']['id']}"
        if not DECIDED & {verdict["verdict"] for verdict in verdicts}:
            assert address not in found
            continue
        decided += 1
        review = found[address]
        assert (review["@type"], review["claimReviewed"]) == ("ClaimReview", " … ".join(row["claim"]["quote"]))
        rating = review["reviewRating"]
        first = next(verdict["verdict"] for verdict in verdicts if verdict["verdict"] in DECIDED)
        assert rating["ratingValue"] == {SUPPORTED: 3, PARTLY: 2, NOT: 1}[first]
        told = re.findall(r": ([^:.]+)\.", rating["alternateName"])
        assert [words.removesuffix(", a close call") for words in told] == [verdict["verdict"] for verdict in asked]
    assert len(reviews) == decided > 5


def test_without_an_address_there_are_no_reviews(results: dict) -> None:
    assert "ClaimReview" not in fixture.page_of(results)


def test_reviews_take_at_most_12_kb_of_the_page(measured: Path, built: Path) -> None:
    away = (built / "index.html").read_text()
    data = json.dumps(linked(away)["@graph"][1:], ensure_ascii=False)
    assert len(data.encode()) * 23 / data.count('"ClaimReview"') < 12_000  # as if all claims were decided


# ---------------------------------------------------------------------------------------------- Markdown


def test_the_page_names_its_markdown(built: Path) -> None:
    head = (built / "index.html").read_text().split("</head>")[0]
    (link,) = re.findall(r'<link rel="alternate" type="text/markdown" href="([^"]+)"', head)
    assert (built / link).is_file()


def test_the_markdown_has_every_claims_verdicts(built: Path) -> None:
    text = (built / "report.md").read_text()
    ledger = text.split("## Every claim, checked")[1].split("\n## ")[0]
    for row in claims(built):
        quote = in_markdown._escaped(" … ".join(row["claim"]["quote"]))
        section = ledger.split(f" “{quote}”\n")[1].split("\n### ")[0]
        verdicts = re.findall(r"^(?:As the article puts it|The reason|In general): (.*)$", section, re.MULTILINE)
        told = [verdict.removesuffix(", a close call") for verdict in verdicts]
        assert told == [row["verdicts"][part]["verdict"] for part in ("stated", "general")]


def test_the_markdown_read_as_markdown_has_the_pages_words_in_their_order(built: Path) -> None:
    tree = LexborHTMLParser((built / "index.html").read_text())
    for node in tree.css(f"{in_markdown.LEFT_OUT}, svg, math"):
        node.decompose()
    text = in_markdown.convert(tree.html or "")
    shown = LexborHTMLParser(markdown.markdown(text, extensions=["tables", "fenced_code", "sane_lists"]))
    told, read = (re.sub(r"\W+", "", page.body.text()) for page in (tree, shown))
    assert len(told) > 20_000
    at = next((place for place, pair in enumerate(zip(told, read, strict=False)) if pair[0] != pair[1]), len(told))
    assert read[at - 40 : at + 40] == told[at - 40 : at + 40]
    assert read == told


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ("<p>2 * 3 * 4, a_b_c, [x], &lt;b&gt;, `y`", r"2 \* 3 \* 4, a\_b\_c, \[x\], \<b\>, \`y\`"),
        ("<p>1. First", r"1\. First"),
        ("<p>+ more", r"\+ more"),
        ("<p>a<strong> b </strong>c", "a **b** c"),
        ("<p><code>a`b</code>", "``a`b``"),
        ("<pre><code>x = 1\n\ny = 2\n</code></pre>", "```\nx = 1\n\ny = 2\n```"),
        ("<pre><code><del>-a</del><ins>+b</ins></code></pre>", "```diff\n-a\n+b\n```"),
        ("<ul><li>a<li><p>b<p>c</ul>", "- a\n- b\n\n  c"),
        ("<ol><li>a<li>b</ol>", "1. a\n2. b"),
        ("<blockquote><p>a<p>b</blockquote>", "> a\n>\n> b"),
        ("<table><tr><th>a<tr><td>1 | 2<tr><td><code>x|y</code></table>", "| a |\n|---|\n| 1 \\| 2 |\n| `x\\|y` |"),
        ("<table><tr><td><th colspan=2>a<tr><td>1<td>2<td>3</table>", "|  | a |  |\n|---|---|---|\n| 1 | 2 | 3 |"),
        ("<details><summary><h3>a</h3> <span>b</span></summary>c</details>", "### a\n\nb\n\nc"),
        ("<a href='#x'>a</a> <a href='data/runs.csv'>b</a>", "[a](index.html#x) [b](data/runs.csv)"),
        (
            "<math><mfrac><mrow><mi>a</mi><mi>b</mi></mrow><msup><mi>c</mi><mn>2</mn></msup></mfrac></math>",
            "`(ab)/(c^2)`",
        ),
        ("<nav>a</nav><script>b</script><p>c<svg aria-hidden=true><text>d</text></svg>", "c"),
        ("<div>" * 5000 + "deep", "deep"),
    ],
)
def test_html_becomes_markdown_that_says_the_same(html: str, expected: str) -> None:
    assert in_markdown.convert(html) == f"{expected}\n"


# ---------------------------------------------------------------------------------------------- the list of files


def test_the_documentation_says_what_each_file_is_for_in_the_crates_words() -> None:
    table = (ROOT / "docs" / "files.md").read_text()
    documented = dict(re.findall(r"^\| `([^`]+)` \| (.*?) \|$", table, re.MULTILINE))
    assert {name: documented.get(name) for name in machines.FILES} == machines.FILES
    assert documented.keys() - machines.FILES.keys() == {machines.CRATE_FILE, "figures/*.png"}


def test_the_columns_are_those_of_the_table(built: Path) -> None:
    schema = json.loads((built / machines.COLUMNS_FILE).read_text())["tableSchema"]
    assert [column["name"] for column in schema["columns"]] == [*site.COLUMNS]
