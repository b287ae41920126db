"""A page proves itself: what it carries gives it again byte for byte, and whatever was changed in it is found."""

from __future__ import annotations

import base64
import lzma
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser

from experiments.analysis import evidence, records, summary
from experiments.data import datasets
from experiments.data.sources import BESIDE_MNIST, FASHION, Source
from experiments.files import errors
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError
from experiments.files.sealed import to_json
from experiments.plots import figures
from experiments.store.store import Store
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import Study, replace
from report import __main__ as command
from report.article.folder import DEFAULT
from report.sharing import verify
from tests import fixture
from tests.page import test_browser

MNIST = Source(datasets.MNIST, None, "a fixture")
pytestmark = pytest.mark.usefixtures("commands_draw_once")


def page_in(folder: Path) -> Path:
    """The page of the results in `folder`, as `make plots render` writes it; its figures have no PNG beside it."""
    found = summary.read_json(folder / "results.json", summary.FORMAT)
    figures.update(found, folder / "plots", fixture.draw, fixture.FIGURES)
    command.main(command.parse(["render", "--results", str(folder), "--site", str(folder / "site")]))
    return folder / "site" / "index.html"


@pytest.fixture(scope="module")
def path(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page of the examples and of one contrast besides, over a few seeds."""
    folder = tmp_path_factory.mktemp("verify")
    fixture.results(plan, folder, MNIST, only=("examples", "changes", "rates", "rates-chosen"))
    return page_in(folder)


@pytest.fixture(scope="module")
def html(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def verified(path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    status = command.main(command.parse(["verify", str(path)]))
    return status, capsys.readouterr().out


def test_an_untouched_page_is_reproduced_byte_for_byte(path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, told = verified(path, capsys)
    assert status == 0
    assert told.startswith(f"Identical: {path} is, byte for byte, the page")
    assert "only 'make report' would find that." in told


def test_a_page_about_another_study_is_reported_with_how_to_name_that_study(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "article"
    shutil.copytree(DEFAULT, other)
    (other / "study.toml").write_text(studies.STUDY.read_text().replace('"example-2"', '"example-4"'))
    with pytest.raises(
        UserError, match=r"about another study: \S*study\.toml has no arm 'example-2'\. .* ARTICLE=folder"
    ):
        command.main(command.parse(["verify", str(path), "--article", str(other)]))


def test_a_page_about_another_article_of_the_same_study_is_reported_with_how_to_name_it(
    path: Path, tmp_path: Path
) -> None:
    (tmp_path / "article.md").write_text('---\ntitle: "a"\ndate: "2020"\nid: "a"\n---\nAll is well.\n')
    (tmp_path / "claims.toml").write_text(fixture.untestable('id = "a"\nquote = "All is well"', "Is it?", "No."))
    with pytest.raises(UserError, match=r"Nothing follows .* If it is about another article, .*: ARTICLE=folder\. "):
        command.main(command.parse(["verify", str(path), "--article", str(tmp_path)]))


def test_a_page_made_with_other_settings_is_reported_as_one_about_another_study(path: Path, tmp_path: Path) -> None:
    other = tmp_path / "article"
    shutil.copytree(DEFAULT, other)
    (other / "study.toml").write_text(studies.STUDY.read_text().replace("width = 128", "width = 129", 1))
    with pytest.raises(UserError, match=r"about another study: \S+ has another arm 'example-1'"):
        command.main(command.parse(["verify", str(path), "--article", str(other)]))


def test_a_page_with_other_data_sets_is_reproduced_byte_for_byte(
    plan: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, runs = Store(tmp_path), {name: plan.runs(name, ("examples",)) for name in ("mnist", *BESIDE_MNIST)}
    for name, its_runs in runs.items():
        fixture.fill(store, its_runs, BESIDE_MNIST.get(name, MNIST), fixture.SCORES)
    summary.update(plan, runs.pop("mnist"), MNIST, store, runs)
    path = page_in(tmp_path)
    assert verified(path, capsys)[0] == 0
    assert "Fashion-MNIST" in path.read_text()


def test_a_page_about_fashion_mnist_in_mnists_place_is_reproduced_byte_for_byte(
    plan: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fashion = replace(FASHION, origin="the file that DATASET_NPZ names")
    whole = plan.about(datasets.FASHION_MNIST)
    runs = whole.runs("fashion_mnist", ("examples",))
    fixture.fill(Store(tmp_path), runs, fashion, fixture.SCORES)
    results = summary.update(whole, runs, fashion, Store(tmp_path))
    assert len(results["runs"]) == len(plan.runs("mnist", ("examples",)))
    assert verified(page_in(tmp_path), capsys)[0] == 0


def test_a_changed_number_is_detected_and_named(path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = tmp_path / "changed.html"
    changed.write_text(re.sub(r"(the article’s network<td>300<td>)\d+", r"\g<1>7", path.read_text()))
    status, told = verified(changed, capsys)
    assert status == 1
    assert re.search(r"at #figure-accuracy: the page has “7”, its evidence gives “\d\d+”", told)


def test_changed_evidence_is_detected_by_its_consequences(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    html = path.read_text()
    (text,) = verify.MARK.findall(html)
    content = evidence.unpack(text)
    first = content["runs"][0]
    first["wrong_images"] = first["wrong_images"][1:]
    first["wrong"] -= 1
    changed = tmp_path / "changed.html"
    changed.write_text(html.replace(text, evidence.pack(content)))
    status, told = verified(changed, capsys)
    assert status == 1
    assert re.search(r"at #figure-accuracy: the page has “\d+”, its evidence gives “\d+”", told)


TAMPERINGS = {  # what somebody might change in a page, and where it is found
    "headline": (r"(<h1>.*?MN)(I)", "answer"),
    "title": (r"(<title>.*?)(\d)", "top"),
    "description for search engines": (r'(<meta name="description" content="[^"]*?)(\d)', "top"),
    "policy": (r"(script-src 'sha256-)([\w+/])", "top"),
    "style": (r"(<style>.*?--text:4)(\d)", "top"),
    "linked data": (r'(<script type="application/ld\+json">.*?datePublished[^\d]*)(\d)', "top"),
    "answer": (r'(<div class="lead">.*?)(\d)', "answer"),
    "title of a figure": (r"(<figcaption>.*?</span> Targets of −1 instead of 0 remove )(\d)", "figure-accuracy"),
    "description of a figure": (r'(<desc id="accuracy-description">.*?: )(\d)', "figure-accuracy"),
    "place of a mark": (r'(<path data-row="\d+" d="M\d*?)(\d)', "figure-accuracy"),
    "row of a mark": (r'(data-row=")(\d)', "figure-accuracy"),
    "label in a drawing": (r"(<text[^>]*>\d)(\d)", "figure-accuracy"),
    "row of a table": (r"(>Example 1, the article’s network<td>\d\d)(\d)", "figure-accuracy"),
    "passport": (r'(<div class="passport">\s*<p>)(\d)', "figure-accuracy"),
    "word of the article": (r"(<article.*?The intera)(c)", "article"),
    "verdict in the margin": (r'(class="reading">.*?<b>)(\w)', "article"),
    "box below the code": (r"(Measured here: <strong>)(\d)", "article"),
    "verdict in the ledger": (r'(<section id="claims".*?<span class="verdict [^>]*><svg.*?</svg>)(\w)', "claim-"),
    "number in the ledger": (r"(id=\"claim-.*?<strong>[^\d]*)(\d)", "claim-"),
    "rule": (r"(<p>Supported if [^<]*?0\.)(\d)", "claim-"),
    "p-value of a contrast": (r'(<section id="methods".*?<td>(?:&lt;\W*)?0\.00)(\d)', "methods"),
    "checksum of the data": (r"(<code>x_train</code><td><code>)(\w)", "methods"),
    "accuracy of a run": (r'(<th scope="row">example-1<td>[^\n]*<td>\d\d\.)(\d)', "runs"),
    "script": (r'(<script>.*?"use stric)(t)', "evidence"),
}


@pytest.mark.parametrize("what", TAMPERINGS)
def test_any_change_in_a_page_is_detected_in_its_place(html: str, what: str) -> None:
    pattern, place = TAMPERINGS[what]
    other = {"c": "k", "t": "d", "&gt;": "&lt;"}
    turn = str.maketrans("0123456789", "1234567890")
    changed, count = re.subn(
        pattern,
        lambda m: m[1] + (m[2].translate(turn) if m[2].isdigit() else other.get(m[2], "x" if m[2] != "x" else "y")),
        html,
        count=1,
        flags=re.DOTALL,
    )
    assert count == 1
    found = list(verify.differences(changed, html))
    assert found
    assert found[0].place.startswith(place)
    assert verify.judge(changed, html) == verify.Result.CHANGED


def test_insertions_and_deletions_are_detected_too(html: str) -> None:
    put = html.replace("<p>", "<p>It was all wrong.</p><p>", 1)
    assert "It was all wrong." in next(verify.differences(put, html)).shown
    assert "It was all wrong." in next(verify.differences(html, put)).derived
    cut = re.sub(r"<tr><td>303<td>[^<]*\n?", "", html, count=1)
    assert "303" in next(verify.differences(cut, html)).derived
    assert [difference.shown for difference in verify.differences(html[:-200], html)] != []


def test_a_page_saved_by_a_browser_is_reported_as_saved(
    browser: Browser, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = test_browser.opened(browser, path)
    with sheet.expect_download() as saved:
        sheet.get_by_text("Contents", exact=True).click()
        sheet.get_by_role("button", name="Save this page").click()
    without_script = test_browser.opened(browser, path, java_script_enabled=False)
    (tmp_path / "written.html").write_text(without_script.content())
    for file in (Path(saved.value.path()), tmp_path / "written.html"):
        status, told = verified(file, capsys)
        assert (status, told.split()[0]) == (3, "Saved:")


def test_a_complete_page_is_refused_with_how_to_save_it(
    browser: Browser, path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = test_browser.opened(browser, path)
    (tmp_path / "complete.html").write_text(sheet.content())  # with what the script added
    status, told = verified(tmp_path / "complete.html", capsys)
    assert (status, told.split(":")[0]) == (1, "NOT verified")
    assert "Save it as 'HTML only'" in told
    chromium = re.sub(r'(<template id="evidence">).*?(</template>)', r"\1\2", sheet.content(), flags=re.DOTALL)
    (tmp_path / "complete.html").write_text(chromium)  # Chromium leaves out what a template holds
    with pytest.raises(UserError, match=r"0 pieces of evidence in the page.*saved as 'HTML only'"):
        verified(tmp_path / "complete.html", capsys)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-8-sig", "cp1252", "utf-7"])
def test_a_page_in_another_encoding_is_refused(
    path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], encoding: str
) -> None:
    (tmp_path / "other.html").write_bytes(path.read_text(encoding="utf-8").encode(encoding, "xmlcharrefreplace"))
    status = errors.command(command.main, command.parse(["verify", str(tmp_path / "other.html")]))
    said = capsys.readouterr()
    assert (status, said.out[:12] or said.err[:6]) in ((1, "NOT verified"), (2, "error:"))


def test_a_page_showing_the_record_is_derived_from_the_record(
    plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(records, "RECORD", tmp_path / "record.json")
    examples = replace(plan, arms=tuple(arm for arm in plan.arms if arm.block == "examples"), contrasts=())
    store = Store(tmp_path / "measured")
    runs = examples.runs("mnist")
    fixture.fill(store, runs, MNIST, fixture.SCORES)
    records.write(summary.update(plan, runs, MNIST, store))
    recorded = records.read()
    assert recorded is not None
    alone = {
        **records.results_of_record(recorded, records.NOTHING_MEASURED),
        "format": summary.FORMAT,
        "inputs": records.fingerprint(),
        "study": keys.study_digest(plan),
    }
    write_atomically(tmp_path / "results" / "results.json", to_json(alone))
    path = page_in(tmp_path / "results")
    assert verified(path, capsys)[0] == 0

    fallback = Source(datasets.DIGITS, None, "scikit-learn", fallback="no network")
    digits = plan.runs("digits", ("examples",))
    fixture.fill(Store(tmp_path / "beside"), digits, fallback, {})
    summary.update(plan, digits, fallback, Store(tmp_path / "beside"))
    beside = page_in(tmp_path / "beside")
    assert "not measured on this machine" in beside.read_text()
    assert verified(beside, capsys)[0] == 0

    (tmp_path / "record.json").write_bytes((tmp_path / "record.json").read_bytes() + b"\n")
    with pytest.raises(UserError, match="made with a different record"):
        verified(beside, capsys)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda html: verify.MARK.sub("", html), "0 pieces of evidence"),
        (lambda html: html + verify.MARK.search(html)[0], "2 pieces of evidence"),
        (lambda html: verify.MARK.sub('<template id="evidence">AAAA</template>', html), "is damaged"),
        (lambda html: html.replace('<template id="evidence">/Td6', '<template id="evidence">/Td7'), "is damaged"),
    ],
)
def test_a_page_without_its_evidence_is_refused(html: str, damage, message: str) -> None:
    with pytest.raises(UserError, match=message):
        verify.proof(damage(html), studies.load)


def test_evidence_that_unpacks_to_gigabytes_is_refused_in_bounded_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evidence, "MAX_UNPACKED_BYTES", 1_000_000)
    bomb = base64.b64encode(lzma.compress(bytes(3_000_000))).decode()
    with pytest.raises(UserError, match="larger than any evidence"):
        evidence.unpack(bomb)


def test_packed_evidence_unpacks_to_the_same_evidence() -> None:
    runs = [
        {"arm": "a", "images": 20, "wrong_images": [0, 7, 19], "inside": {"x": 1.5, "y": None}},
        {"arm": "b", "images": 20, "wrong_images": None, "inside": {"x": 2.5, "y": [1, 2]}},
        {"arm": "c", "images": 20, "wrong_images": [], "inside": {"x": 3.5, "y": {"z": 1}}},
    ]
    content = {"format": 2, "runs": [*runs, runs[0]], "replications": {"b": [], "a": runs[:2]}}
    assert evidence.unpack(evidence.pack(content)) == content


def test_runs_that_get_the_same_images_wrong_take_no_more_room() -> None:
    wrong = np.flatnonzero(np.random.default_rng(0).random(10_000) < 0.03).tolist()
    one, many = (
        {"format": 2, "replications": {}, "runs": [{"images": 10_000, "wrong_images": wrong}] * n} for n in (1, 9)
    )
    assert len(evidence.pack(many)) < 1.1 * len(evidence.pack(one))


def test_packing_twice_gives_the_same_text(path: Path, html: str, tmp_path: Path) -> None:
    shutil.copytree(path.parent.parent, tmp_path / "again", ignore=shutil.ignore_patterns("site", "rendered.json"))
    assert page_in(tmp_path / "again").read_text() == html
