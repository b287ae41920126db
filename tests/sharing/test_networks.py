"""The networks in a page are part of its proof: their digest is in the evidence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.analysis import evidence, records
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.study.model import Study
from report import __main__ as command
from report.sharing import verify
from tests import fixture
from tests.live import networks
from tests.sharing.test_verify import page_in, verified

MNIST = Source(datasets.MNIST, None, "a fixture")
pytestmark = pytest.mark.usefixtures("commands_draw_once")
RECORD = fixture.DEFAULT.parents[1] / "experiments" / "record.json"


@pytest.fixture(scope="module")
def folder(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results with networks of their runs, and their page."""
    folder = tmp_path_factory.mktemp("networks")
    fixture.results(plan, folder, MNIST, only=("examples", "changes"))
    networks.put(folder)
    page_in(folder)
    return folder


def render(folder: Path, *options: str) -> Path:
    command.main(command.parse(["render", "--results", str(folder), "--site", str(folder / "site"), *options]))
    return folder / "site" / "index.html"


def test_a_page_with_networks_is_reproduced_byte_for_byte(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page = render(folder)
    assert page.read_text().count('id="networks"') == 1
    assert verified(page, capsys)[0] == 0


@pytest.mark.parametrize(
    ("pattern", "changed"),
    [
        (r'("weights":"[^"]{1000})(.)', r"\1/"),
        (r'("agreement":)[\d.]+', r"\g<1>0.9999"),
        (r'<script type="application/json" id="networks">.*?</script>', ""),
        (r'(<script type="application/json" id="networks">)(.*?</script>)', r"\1{}</script>\1\2"),
    ],
    ids=["a weight", "what was measured", "left out", "two of them"],
)
def test_changed_networks_are_not_verified(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], pattern: str, changed: str
) -> None:
    html = render(folder).read_text()
    other = tmp_path / "changed.html"
    other.write_text(re.sub(pattern, changed, html, count=1))
    assert other.read_text() != html
    status, told = verified(other, capsys)
    assert status == 1
    assert "NOT verified" in told
    assert "at #networks: the page has other networks than those whose SHA-256 is in its evidence" in told


def test_a_changed_bar_is_found_where_it_is(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "changed.html"
    other.write_text(re.sub(r'(<rect class="t-top" x=")\d', r"\g<1>9", render(folder).read_text(), count=1))
    status, told = verified(other, capsys)
    assert (status, "at #pad: the page has" in told) == (1, True)


def test_networks_that_are_none_are_refused_in_one_line(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Somebody's evidence may have the digest of anything at all."""
    html = render(folder).read_text()
    (packed,) = verify.MARK.findall(html)
    forged = '{"pixels":"","networks":[]}'
    content = evidence.unpack(packed)
    content["networks"] = verify.digest(forged)
    html = html.replace(packed, evidence.pack(content))
    other = tmp_path / "forged.html"
    other.write_text(re.sub(r'(id="networks">).*?(?=</script>)', lambda found: found[1] + forged, html, count=1))
    with pytest.raises(UserError, match="Nothing follows from the evidence in the page"):
        verified(other, capsys)


def test_networks_can_be_left_out_and_are_where_they_are_of_other_runs(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_networks = render(folder).read_text()
    without = render(folder, "--no-live")
    assert 'id="try"' not in without.read_text()
    assert verified(without, capsys)[0] == 0
    assert render(folder).read_text() == with_networks
    path = folder / "live.json"
    kept = path.read_bytes()
    others = networks.committed()
    others["networks"][0]["run"] = "0123456789abcdef"
    path.write_bytes(networks.file(others))
    assert 'id="try"' not in render(folder).read_text()
    path.write_bytes(kept)
    assert render(folder).read_text() == with_networks


def test_a_page_with_networks_is_compared_with_one_without(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pages = [tmp_path / name for name in ("with.html", "without.html")]
    for page, options in zip(pages, ((), ("--no-live",)), strict=True):
        page.write_bytes(render(folder, *options).read_bytes())
    assert command.main(command.parse(["compare", *map(str, pages)])) == 0


@pytest.mark.slow("derives the whole page of the record twice; smaller pages with networks are verified above")
def test_the_page_of_the_record_has_its_networks_and_is_verified(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(records, "RECORD", RECORD)
    folders = ["--results", str(tmp_path), "--site", str(tmp_path / "site")]
    command.main(command.parse(["first", *folders]))
    page = tmp_path / "site" / "index.html"
    assert networks.text(networks.committed()) in page.read_text()
    assert verified(page, capsys)[0] == 0
    changed = tmp_path / "changed.html"
    changed.write_text(page.read_text().replace('"agreement":0.99', '"agreement":1.00', 1))
    assert verified(changed, capsys)[0] == 1
