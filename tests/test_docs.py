"""The documentation: it is short where a stranger begins, its links lead somewhere, and its examples work."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from experiments.study import load as studies
from report.claims import load as claims

ROOT = Path(__file__).parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), ROOT / "experiments" / "README.md"])
named = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The fragments that GitHub gives the page's headings: lower case, without punctuation, spaces as hyphens."""
    headings = re.findall(r"^#+ (.*)", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def code(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def test_the_readme_is_short_and_opens_with_the_picture_one_sentence_and_two_commands() -> None:
    lines = (ROOT / "README.md").read_text().splitlines()
    assert len(lines) <= 90
    before = "\n".join(lines[: lines.index("```sh")])
    assert "](docs/page.webp)" in before
    assert len(re.findall(r"\.(?=\s|$)", before.split("page.webp)")[1])) == 1
    block = lines[lines.index("```sh") + 1 : lines.index("```")]
    assert [line.split()[:2] for line in block] == [["make", "report"], ["make", "test"]]


@named
def test_every_link_to_a_file_leads_to_it_and_to_its_heading(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if not link.startswith("https://"):
            path, _, fragment = link.partition("#")
            target = page.parent / path if path else page
            assert target.exists(), link
            assert not fragment or fragment in anchors(target), link


@named
def test_every_command_that_is_named_exists(page: Path) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    named = re.findall(r"^make ([a-z-]+)|`make(?: -C \S+)?\s([a-z-]+)", page.read_text(), re.MULTILINE)
    assert {one or other for one, other in named} <= set(targets)


def test_the_experiments_of_the_documentation_can_be_appended_to_the_study(tmp_path: Path) -> None:
    single, contrast, family, settings = code("docs/experiments.md", "toml")
    study = (ROOT / "experiments" / "study.toml").read_text()
    arm = '[[arms]]\nname = "new"\nblock = "mine"\noutput = "softmax"\ndepth = 2\n'
    path = tmp_path / "study.toml"
    path.write_text(f"{study}\n{single}\n{contrast}\n{family}\n{arm}{settings}")
    plan = studies.load(path)
    arms = {arm.name: arm for arm in plan.arms}
    assert arms["plain"].training_spec() == arms["example-1"].training_spec()
    assert arms["slow"].learning_rate == arms["rate-0.0003"].learning_rate == 0.0003
    assert str(arms["new"].hidden[1]) == "gelu(approximate=True)"
    assert arms["new"].dropout == 0.3
    assert [c.name for c in plan.contrasts if c.first == "slow" and not c.confirmatory] == ["slow"]


def test_the_claim_of_the_documentation_is_one_that_the_program_reads(tmp_path: Path) -> None:
    [text] = code("docs/articles.md", "toml")
    path = tmp_path / "claims.toml"
    path.write_text(text)
    assert [claim.id for claim in claims.load(path).claims] == ["wider-is-better"]


def test_the_makefile_uses_nothing_that_came_after_make_3_81_which_macos_has() -> None:
    makefile = (ROOT / "Makefile").read_text()
    newer = r"^\w+ *(!=|::=)|\.ONESHELL|\.SHELLFLAGS|\$\(file |\$\(let |\$\(intcmp |&:|^undefine |\.EXTRA_PREREQS"
    assert re.findall(newer, makefile, re.MULTILINE) == []
    gnu = r"sed -i |sed .*\\[tn+]|grep -P|readlink -f|date -d|xargs -r|cp --|stat -c"  # not what macOS' tools have
    assert re.findall(gnu, makefile) == []
