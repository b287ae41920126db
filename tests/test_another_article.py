"""The machinery checks any article, from data to page: two small ones, each a folder.

The second has claims and experiments of its own; the third also has a figure and words of its own.
"""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from experiments import pipeline
from experiments.files import errors
from report import __main__ as report
from report.article.folder import open_folder
from report.claims.model import PARTS
from report.page import site
from tests.page.test_page import said
from tests.trained import ARTICLE, ROOT, SECOND, THIRD, offline


def command(*arguments: str, status: int = 0) -> str:
    result = subprocess.run(
        [sys.executable, "-m", *arguments], cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300
    )
    assert result.returncode == status, result.stderr
    return result.stdout if status == 0 else result.stderr


@pytest.fixture(scope="module")
def html(built: Path) -> str:
    return (built / "site" / "index.html").read_text()


def test_another_article_gets_its_own_verdicts_in_its_own_words(html: str) -> None:
    article = said(html, "article")
    assert "more accurate1 as the article puts it: supported; in general: not testable here than a narrow" in article
    assert "takes longer to train2 as the article puts it: " in article
    assert "not testable here" in said(html, "claims")
    assert ">Three claims, checked on scikit-learn’s small digits</h1>" in html


def test_the_first_article_is_not_mentioned(html: str) -> None:
    for word in ("Example 1", "tanh network", "cross-entropy’s lead", "trial", "MNIST’s numbers"):
        assert word not in html
    assert "Recorded on" not in html


def test_the_commands_on_its_page_name_its_folder(html: str) -> None:
    commands = re.findall(r"<code>(make (?:report|verify|compare)\b[^<]*)</code>", html)
    assert {command.split()[1] for command in commands} == {"report", "verify", "compare"}
    assert [command for command in commands if "ARTICLE=folder" not in command] == []


def test_an_article_without_figures_of_its_own_gets_the_generic_ones(html: str) -> None:
    assert re.findall(r'<svg [^>]*aria-describedby="([a-z-]+)-description"', html) == [
        *("accuracy", "learning-curves", "outputs", "reliability", "confusions")
    ]


def test_unclassified_sentences_are_counted(html: str) -> None:
    told = said(html, "article")
    assert "Of its 4 sentences, 3 state something that could be checked, three claims in all." in told
    assert "One nobody has looked at yet." in told


def test_its_verdicts_are_written_as_data(built: Path) -> None:
    written = json.loads((built / "site" / "data" / "claims.json").read_text())
    told = {row["claim"]["id"]: [row["verdicts"][part]["verdict"] for part in PARTS] for row in written["claims"]}
    assert told == {
        "wider-is-better": ["supported", "not testable here"],
        "takes-longer": [told["takes-longer"][0], "no such question"],  # a busy machine decides
        "everybody": ["not testable here", "no such question"],
    }
    wider = written["claims"][0]["verdicts"]["stated"]
    assert (wider["seeds"], wider["hollow"]) == (2, True)
    assert (written["format"], written["declared"], written["predictions"]) == (4, "2026-01-15", [])
    assert {name: threshold["value"] for name, threshold in written["thresholds"].items()} == {
        "matters": 0.0025, "tenfold": 10
    }  # fmt: skip


def test_its_page_contains_every_measure_that_its_claims_need(built: Path) -> None:
    told = command("report", "verify", *ARTICLE, str(built / "site" / "index.html"))
    assert told.startswith("Identical: ")


def test_the_terminal_lists_its_verdicts(built: Path) -> None:
    told = command("report", "claims", *ARTICLE, "--results", str(built / "results"))
    assert "Would become partly supported if the wide layer’s lead fell to +0.25 points" in " ".join(told.split())


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "a wider hidden layer",
            "a hidden layer",
            "claims.toml:10: claim 'wider-is-better': the article nowhere says 'a hidden layer is",
        ),
        ("arm wide test", "arm wild test", "wild"),
        ('reading = "Longer', 'meaning = "Longer', "unknown key 'meaning'"),
        (
            'id = "takes-longer"',
            'id = "takes-longer"\nfigures = ["contrasts", "no-such"]',
            "claims.toml:23: 'takes-longer' names the figure 'no-such', which the page does not have. Expected one of",
        ),
    ],
)
def test_a_mistake_in_the_claims_stops_the_build_and_names_its_place(
    built: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = (SECOND / "claims.toml").read_text()
    assert old in text
    folder = tmp_path / "article"
    shutil.copytree(SECOND, folder)
    (folder / "claims.toml").write_text(text.replace(old, new, 1))
    places = ("--results", str(built / "results"), "--site", str(tmp_path / "site"))
    said = command("report", "render", "--article", str(folder), *places, status=2)
    assert said.startswith("error: ")
    assert message in said
    assert not (tmp_path / "site" / "index.html").exists()


MISTAKES = [  # a file of the article, what is wrong in it, and what is said
    ("claims.toml", "a wider hidden layer", "a hidden layer", "claims.toml:10: claim 'wider-is-better': the article"),
    ("claims.toml", "arm wide test", "arm wild test", "names the arm 'wild', which"),
    ("claims.toml", "arm wide test_accuracy", "arm wide test_acuracy", "'test_acuracy mean' of the arm 'wide'"),
    ("claims.toml", 'reading = "Longer', 'meaning = "Longer', "unknown key 'meaning'"),
    ("article.md", 'id: "width', 'is: "width', "article.md:1: front matter has no 'id'"),
    ("study.toml", "width = 2", "widht = 2", "unknown key 'widht'"),
    ("prose/article.toml", "", "no = 1", "unknown key 'no'"),
]


@pytest.mark.parametrize("name", ["first", "study"])
@pytest.mark.parametrize(("file", "old", "new", "message"), MISTAKES)
def test_a_mistake_in_an_articles_files_is_found_before_the_first_run(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    file: str,
    old: str,
    new: str,
    message: str,
) -> None:
    monkeypatch.setattr(pipeline, "stand_in", lambda *_: pytest.fail("went on"))
    folder = with_mistake(tmp_path, file, old, new)
    arguments = report.parse([name, "--article", str(folder), "--results", str(tmp_path / "results")])
    assert errors.command(report.main, arguments) == 2
    assert message in capsys.readouterr().err


def test_make_claims_finds_words_that_the_article_does_not_say(built: Path, tmp_path: Path) -> None:
    folder = with_mistake(tmp_path, *MISTAKES[0][:3])
    said = command("report", "claims", "--article", str(folder), "--results", str(built / "results"), status=2)
    assert MISTAKES[0][3] in said


def with_mistake(folder: Path, file: str, old: str, new: str) -> Path:
    """A copy of the second article's folder, with a mistake in one of its files."""
    copy = shutil.copytree(SECOND, folder / "article")
    path = copy / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else ""
    assert old in text
    path.write_text(text.replace(old, new, 1) if old else new)
    return copy


def test_results_of_another_study_are_never_shown_in_an_articles_words(built: Path, tmp_path: Path) -> None:
    folder = tmp_path / "article"
    shutil.copytree(SECOND, folder)
    study = folder / "study.toml"
    study.write_text(study.read_text().replace("width = 64", "width = 65", 1))
    for stage in (["render", "--site", str(tmp_path / "site")], ["claims"]):
        error = command("report", *stage, "--article", str(folder), "--results", str(built / "results"), status=2)
        assert f"results.json: measured for another study than {study} is now. " in error
        assert f"Run 'make report ARTICLE={folder}' first." in error
    assert not (tmp_path / "site" / "index.html").exists()


def test_another_articles_results_are_never_shown_in_the_first_articles_words(built: Path, tmp_path: Path) -> None:
    error = command("report", "render", "--site", str(tmp_path), "--results", str(built / "results"), status=2)
    assert "measured for another study than experiments/study.toml is now. Run 'make report' first." in error
    assert not (tmp_path / "index.html").exists()


# ---------------------------------------------------------------------------------------------- the third article


def test_an_article_brings_its_own_figure_and_its_own_words(third: Path) -> None:
    html = (third / "site" / "index.html").read_text()
    assert (
        "a network with a learning rate of a ten-thousandth is behind1 as the article puts it: supported one with"
        in said(html, "article")
    )
    assert re.findall(r'<svg [^>]*aria-describedby="([a-z-]+)-description"', html) == ["accuracy", "price-of-patience"]
    assert (third / "site" / "figures" / "price-of-patience.png").exists()
    assert re.search(r"Here the hasty network reached \d\d\.\d\d\u202f%\.", html)


def test_a_page_with_figures_of_its_own_is_verified_with_the_articles_folder(third: Path, tmp_path: Path) -> None:
    page = str(third / "site" / "index.html")
    assert command("report", "verify", "--article", str(THIRD), page).startswith("Identical: ")
    shutil.copytree(THIRD, tmp_path / "other")
    path = tmp_path / "other" / "figures.py"
    path.write_text(path.read_text().replace("The price of patience", "The wages of haste"))
    result = subprocess.run(
        [sys.executable, "-m", "report", "verify", "--article", str(path.parent), page],
        cwd=ROOT, env=offline(), capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert (result.returncode, result.stdout.split(":")[0]) == (1, "NOT verified")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("article.md", None, "no article.md in this folder. Expected a folder with article.md and claims.toml, and"),
        ("claims.toml", None, "no claims.toml in this folder. Expected a folder with article.md and claims.toml, and"),
        ("study.toml", None, "results.json: measured for another study than experiments/study.toml is now. Run"),
        ("prose/limits.html", "{{ nothing }}", "limits.html:1: 'nothing' is undefined"),
    ],
)
def test_what_is_missing_in_an_articles_folder_is_one_line(
    third: Path, tmp_path: Path, name: str, content: str | None, message: str
) -> None:
    folder = tmp_path / "article"
    shutil.copytree(THIRD, folder)
    if content is None:
        (folder / name).unlink()
    else:
        (folder / name).write_text(content)
    places = ("--results", str(third / "results"), "--site", str(tmp_path / "site"))
    error = command("report", "render", "--article", str(folder), *places, status=2)
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


@pytest.mark.parametrize(
    ("path", "message"),
    [("nowhere", "nowhere: no such folder. Expected"), ("README.md", "README.md: a file. Expected a folder")],
)
def test_an_article_that_is_no_folder_is_one_line(path: str, message: str) -> None:
    error = command("report", "claims", "--article", path, status=2)
    assert error.startswith(f"error: {message}")
    assert "make report ARTICLE=" in error


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("def draw(results:", "SyntaxError"),
        ("figures = []", "no function draw. Expected a Python file with draw(results)"),
        ("def draw(results):\n    return []", "draw returned something else."),
        ("def draw(results):\n    return results['nothing']", "figures.py:2: KeyError: 'nothing'."),
        (None, "Name another"),
    ],
)
def test_a_mistake_in_an_articles_figures_is_one_line(
    third: Path, tmp_path: Path, text: str | None, message: str
) -> None:
    shutil.copytree(third / "results", tmp_path / "results")
    path = tmp_path / "figures.py"
    if text is not None:
        path.write_text(text)
    options = ("--study", str(THIRD / "study.toml"), "--results", str(tmp_path / "results"), "--figures", str(path))
    error = command("experiments", "plots", *options, status=2)
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error


FILES = ("article.md", "claims.toml", "study.toml", "figures.py", "view.py", "prose/limits.html")


@pytest.mark.parametrize("name", FILES)
def test_an_edit_of_any_file_in_the_articles_folder_renders_the_page_again(
    third: Path, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "article"
    shutil.copytree(THIRD, folder)
    (folder / "view.py").write_text("def view(results):\n    return None\n")

    def digest() -> str:
        return site.digest_inputs(open_folder(folder), third / "results", {"inputs": ""}, "")

    before = digest()
    assert digest() == before
    (folder / name).write_text((folder / name).read_text() + "\n")
    assert digest() != before
