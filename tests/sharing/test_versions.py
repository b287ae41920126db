"""Versions have names in order, and the list of them tells what `make compare` would."""

from __future__ import annotations

import re
import subprocess
from copy import deepcopy
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.files.sealed import to_json
from experiments.plots import figures
from experiments.study.model import Study
from report import __main__ as command
from report.article import document
from report.article.folder import open_folder
from report.page import citation
from report.sharing import versions
from report.sharing.versions import Published, Row
from tests import fixture
from tests.page import test_browser
from tests.page.test_page import said

MNIST = Source(datasets.MNIST, None, "a fixture")
URL = "https://example.org/report/"
SWAPPED = {"example-1": 0.978, "example-2": 0.978, "example-3": 0.965}


# ---------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("names", "day", "name"),
    [
        ((), "2026-01-31", "2026-01-31"),
        (("2026-01-30",), "2026-01-31", "2026-01-31"),
        (("2026-01-31",), "2026-01-31", "2026-01-31-2"),
        (("2026-01-31", "2026-01-31-9"), "2026-01-31", "2026-01-31-10"),
        (("2026-01-31",), "2026-01-30", "2026-01-31-2"),  # a clock that is behind
    ],
)
def test_the_next_version_has_the_name_of_its_day_and_comes_last(names: tuple, day: str, name: str) -> None:
    assert versions.next_name(names, day) == name
    assert versions.in_order([*names, name])[-1] == name


def test_only_names_of_versions_are_versions_and_they_are_in_the_order_of_publication() -> None:
    names = ("2026-02-01", "2026-01-31-10", "2026-01-31-2", "2026-01-31", "latest", "2026-01-31-1", "2026-01-31-02")
    assert versions.in_order(names) == ["2026-01-31", "2026-01-31-2", "2026-01-31-10", "2026-02-01"]


def test_today_is_the_same_day_everywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    assert re.fullmatch(citation.PAGE_VERSION, versions.today())


@pytest.mark.parametrize("wrong", ["latest", "2026-01-31-1", "../x", '2026-01-31"><script>', "2026-01-31\n"])
def test_a_page_that_names_itself_otherwise_is_refused(wrong: str) -> None:
    with pytest.raises(UserError, match=r"^The page says that it is version .*\. Expected a day, such as"):
        citation.page_version(wrong)


# ---------------------------------------------------------------------------------------------- what changed


@pytest.fixture(scope="module")
def swapped(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Results in which the examples have changed places, though not by the same in every seed."""
    first = f"example-3, seed {plan.block('examples').seeds[0]}, on mnist"
    return fixture.results(plan, tmp_path_factory.mktemp("swapped"), MNIST, SWAPPED | {first: 0.964})


@pytest.fixture(scope="module")
def usual(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    first = f"example-3, seed {plan.block('examples').seeds[0]}, on mnist"
    return fixture.results(plan, tmp_path_factory.mktemp("usual"), MNIST, fixture.SCORES | {first: 0.977})


def version(name: str, results: dict | str, page: str = "") -> Published:
    text = results if isinstance(results, str) else to_json(results).decode()
    files = {"data/results.json": text, "index.html": page}
    return Published(name, files.__getitem__, f"commit-of-{name}")


def listed(*published: Published) -> list[Row]:
    return list(versions.rows(published, open_folder()))


def shared(results: dict, name: str, url: str = URL) -> citation.Publication:
    article = document.Article("A <title>", "2020-01-02", "an-id", ())
    return citation.publication(url, results, article, page_version=name)


def test_each_version_is_listed_with_the_verdicts_that_turned_and_the_effects_that_moved(
    usual: dict, swapped: dict
) -> None:
    published = [version("2026-01-31", usual), version("2026-01-31-2", swapped), version("2026-02-01", swapped)]
    files = versions.files(published, open_folder(), shared(usual, "2026-02-01"))
    html = files["versions.html"].decode()
    assert re.findall(r'<h2 id="version-([^"]+)"><a href="v/\1/">\1</a>( <span)?', html) == [
        *(("2026-02-01", " <span"), ("2026-01-31-2", ""), ("2026-01-31", ""))
    ]
    newest, second, first = html.split("<h2")[1:]
    assert "0 verdicts turned; 0 of 4 effects moved" in newest
    assert "The first version." in first
    turned = (
        '<a href="v/2026-01-31-2/#claim-far-more-effective">far-more-effective</a>, as the article puts it: supported'
    )
    assert f"{turned} → <strong>not supported</strong>" in second
    assert re.search(
        r"contrast recipe<td>1\.29<td>−1\.31<td>−2\.60<td>±0\.\d\d", re.sub(r"</?t[hr][^>]*>|\n", "", second)
    )
    assert "Made by the code of commit <code>commit-of-2026-01-31-2</code>." in second
    assert "33 runs on MNIST, the last of 2026-01-01." in second
    assert "“A &lt;title&gt;”" in html


def test_a_version_of_an_older_format_is_compared_by_the_evidence_in_its_page(
    usual: dict, swapped: dict, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def proof(html: str, load: object, to_compare: bool) -> object:
        asked.append((html, to_compare))
        return type("Proof", (), {"results": usual})

    monkeypatch.setattr(versions.verify, "proof", proof)
    old = version("2026-01-31", to_json(deepcopy(usual) | {"format": 1}).decode(), "its page")
    _, second = listed(old, version("2026-02-01", swapped))
    assert asked == [("its page", True)]
    assert second.changes
    assert second.turned


def test_a_version_whose_numbers_cannot_be_read_is_listed_with_the_reason(usual: dict) -> None:
    damaged = version("2026-02-01", "{}", "<p>no page of ours")
    first, second, third, fourth = listed(
        version("2026-01-31", usual), damaged, version("2026-03-01", usual), version("2026-04-01", usual)
    )
    assert (first.problem, fourth.problem) == ("", "")
    assert second.problem.startswith("What changed is not known. 0 pieces of evidence in the page.")
    assert third.problem == "What changed is not known: the numbers of the version before can’t be read."
    assert fourth.changes


def test_the_sitemap_lists_every_version_and_the_list_of_them(usual: dict) -> None:
    published = [version("2026-01-31", usual), version("2026-02-01", usual)]
    files = versions.files(published, open_folder(), shared(usual, "2026-02-01"))
    assert [[field.text for field in entry] for entry in ElementTree.fromstring(files["sitemap.xml"])] == [
        [f"{URL}v/2026-02-01/", "2026-02-01"],
        [f"{URL}v/2026-01-31/", "2026-01-31"],
        [f"{URL}versions.html", "2026-02-01"],
    ]
    assert f'<link rel="canonical" href="{URL}versions.html">' in files["versions.html"].decode()
    nowhere = versions.files(published, open_folder(), shared(usual, "2026-02-01", ""))
    assert [*nowhere] == ["versions.html"]
    assert "http" not in nowhere["versions.html"].decode().split("</style>")[1]


def test_the_list_asks_for_nothing_and_fits_a_telephone(
    browser: Browser, usual: dict, swapped: dict, tmp_path: Path
) -> None:
    published = [version("2026-01-31", usual), version("2026-02-01", swapped)]
    files = versions.files(published, open_folder(), shared(usual, "2026-02-01"))
    (tmp_path / "versions.html").write_bytes(files["versions.html"])
    requests: list[str] = []
    sheet = test_browser.opened(browser, tmp_path / "versions.html", requests, viewport={"width": 320, "height": 800})
    assert [url for url in requests if not url.startswith("data:")] == [(tmp_path / "versions.html").as_uri()]
    assert sheet.get_by_role("heading", name="2026-02-01").is_visible()
    assert sheet.evaluate("document.documentElement.scrollWidth") <= 320


# ---------------------------------------------------------------------------------------------- all of it


def git(folder: Path, *arguments: str) -> bytes:
    return subprocess.run(["git", "-C", str(folder), *arguments], capture_output=True, check=True).stdout


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone with a bare repository beside it as its remote."""
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    (tmp_path / "gitconfig").write_text("[user]\n name = A Tester\n email = tester@example.org\n")
    git(tmp_path, "init", "--quiet", "--bare", "remote.git")
    git(tmp_path, "init", "--quiet", "clone")
    git(tmp_path / "clone", "remote", "add", "origin", str(tmp_path / "remote.git"))
    monkeypatch.setattr(command, "ROOT", tmp_path / "clone")
    return tmp_path / "clone"


def rendered(clone: Path, plan: Study, scores: dict, url: str = URL) -> tuple[str, ...]:
    """Measures, draws and renders what has these scores; where that is."""
    folder = clone.parent / f"results-{scores['example-1']}"
    figures.update(fixture.results(plan, folder, MNIST, scores), folder / "plots", fixture.draw, fixture.FIGURES)
    places = ("--results", str(folder), "--site", str(clone / "site"))
    command.main(command.parse(["render", *places, "--url", url]))
    return places


@pytest.mark.slow("renders seven pages and derives two of them again")
def test_three_published_pages_stay_with_their_own_addresses_and_verify(
    no_record: None,
    plan: Study,
    clone: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def published(name: str) -> bytes:
        return git(tmp_path / "remote.git", "show", f"gh-pages:{name}")

    def publish(scores: dict, day: str) -> None:
        monkeypatch.setattr(versions, "today", lambda: day)
        command.main(command.parse(["publish", "--push", *rendered(clone, plan, scores)]))

    publish(fixture.SCORES, "2026-03-01")
    first = published("v/2026-03-01/index.html")
    publish(SWAPPED, "2026-03-01")
    publish(fixture.SCORES, "2026-03-02")
    assert published("v/2026-03-01/index.html") == first
    for name in ("2026-03-01", "2026-03-01-2", "2026-03-02"):
        html = published(f"v/{name}/index.html").decode()
        assert f'<link rel="canonical" href="{URL}v/{name}/">' in html
        assert f"{URL}v/{name}/" in said(html, "methods")
        assert published(f"v/{name}/data/runs.csv")
    assert published("index.html") == published("v/2026-03-02/index.html")
    assert "2 verdicts turned; 3 of 4 effects moved beyond seed noise" in said(
        published("versions.html").decode(), "version-2026-03-01-2"
    )
    capsys.readouterr()
    (tmp_path / "page.html").write_bytes(first)
    assert command.main(command.parse(["verify", str(tmp_path / "page.html")])) == 0
    told = capsys.readouterr().out
    assert "Version 2026-03-01. If GitHub Actions published it, 'gh attestation verify" in told
    assert "not that its numbers are right." in told
    (tmp_path / "page.html").write_bytes(first.replace(b"v/2026-03-01/", b"v/2026-03-02/"))
    capsys.readouterr()
    assert command.main(command.parse(["verify", str(tmp_path / "page.html")])) == 1
    assert f"Check out the commit that {URL}versions.html names, and try again." in capsys.readouterr().out


def test_a_page_that_was_rendered_before_something_changed_is_not_published(
    no_record: None, plan: Study, clone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = rendered(clone, plan, fixture.SCORES)
    monkeypatch.setattr(command.site, "digest_inputs", lambda *_: "others")
    with pytest.raises(UserError, match=rf"site: rendered before something changed\. Run 'make render SITE_URL={URL}'"):
        command.main(command.parse(["publish", *places]))
