"""The page says what the results say, is one file, and a mistake in a template is one line."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.analysis import inference, summary
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.plots import figures, formats
from experiments.study import load as studies
from experiments.study.model import SETTINGS, Study
from report import __main__ as command
from report.article.folder import DEFAULT
from report.page import render, site
from tests import fixture
from tests.article.test_article import Text, source_words

ROOT = Path(__file__).parents[2]
MNIST = Source(datasets.MNIST, None, "a fixture")


def said(html: str, section: str) -> str:
    """The text of the section with that id, white space folded."""
    part = html[html.index(f'id="{section}"') :]
    return " ".join(Text(part[: part.index("</section>")]).words)


@pytest.fixture(scope="module")
def html(results: dict) -> str:
    return fixture.page_of(results)


def test_every_word_of_the_article_is_on_the_page_in_order(html: str) -> None:
    quoted = html[html.index('<article class="source"') : html.index("</article>")]
    ours = r'<aside class="result".*?</aside>|<div class="note".*?</div>|<a class="mark .*?</a>|<header>.*?</header>'
    quoted = re.sub(ours, "", quoted, flags=re.DOTALL)
    assert Text(quoted.split(">", 1)[1]).words == source_words(fixture.ARTICLE.read_text())


def test_the_articles_title_date_and_id_are_on_the_page(html: str) -> None:
    text = said(html, "article")
    assert "How does using mean squared error loss and a tanh activation function affect MNIST" in text
    assert "2025-01-30 · how-does-using-mean-squared-error-loss-and" in text


def test_the_answer_quotes_measured_numbers(plan: Study, html: str) -> None:
    text = said(html, "answer").replace("\u202f", " ")
    assert "Example 1 gets 96.55 % of the test images right and its Example 3 97.85 %" in text
    assert "Example 3 against Example 1: +1.30 points, with a 95 % interval from " in text
    assert "holds for its own examples" in text
    assert f"not one of {2 * len(plan.block('examples').seeds)},000 predictions changed" in text


def test_each_code_block_is_followed_by_its_results(html: str) -> None:
    boxes = re.findall(r'</pre>\s*<aside class="result" aria-label="Measured: (Example \d)', html)
    assert boxes == ["Example 1", "Example 2", "Example 3"]


def test_opposite_results_change_the_headline_and_the_answer(plan: Study, tmp_path: Path) -> None:
    scores = {"example-1": 0.980, "example-2": 0.980, "example-3": 0.970}
    turned = fixture.page_of(fixture.results(plan, tmp_path, MNIST, scores))
    assert "score 1.00 points above its ReLU and cross-entropy" in turned
    assert "fails for its own examples: the order is the reverse" in said(turned, "answer")


def test_the_headline_says_so_if_there_is_no_difference(plan: Study, tmp_path: Path) -> None:
    scores = {"example-1": 0.970, "example-2": 0.970, "example-3": 0.970}
    level = fixture.page_of(fixture.results(plan, tmp_path, MNIST, scores))
    assert "no difference was detected" in level
    assert "is not borne out" in said(level, "answer")


def test_digits_in_place_of_mnist_are_announced_prominently(plan: Study, tmp_path: Path) -> None:
    source = Source(datasets.DIGITS, None, "scikit-learn", fallback="no network: no answer")
    text = fixture.page_of(fixture.results(plan, tmp_path, source))
    assert "This page is not about MNIST." in text
    assert "no network: no answer" in text
    assert "On scikit-learn’s small digits, the article’s tanh and squared error" in text


def test_the_page_names_another_data_set(plan: Study, tmp_path: Path) -> None:
    spec = replace(datasets.MNIST, name="seven-kinds", classes=7, image_shape=(10, 12))
    found = fixture.results(plan, tmp_path, Source(spec, None, "the file that DATASET_NPZ names"))
    html = fixture.page_of(found)
    text = " ".join(Text(html.split("<main>")[0]).found)
    assert "This page is not about MNIST, but about seven-kinds:" in " ".join(text.split())
    assert "10 × 12 pixels in seven classes" in " ".join(text.split())
    assert re.search(r"<title>On seven-kinds, ", html)
    answer = said(html, "answer").split("quoted in full below")[1]  # the article's title names MNIST
    assert "MNIST" not in answer.split("Words used")[0]


def test_an_unfinished_study_says_how_far_it_is(plan: Study, tmp_path: Path) -> None:
    runs = len(plan.runs("mnist", ("examples",)))
    assert f"15 of {runs} runs are measured" in fixture.page_of(fixture.results(plan, tmp_path, MNIST, runs=15))


def test_a_page_of_one_arm_alone_can_be_rendered(plan: Study, tmp_path: Path) -> None:
    text = fixture.page_of(fixture.results(plan, tmp_path, MNIST, runs=10))
    assert "Not known yet" in text


def test_unmeasured_contrasts_say_so(html: str) -> None:
    assert said(html, "methods").count("not yet measured") == len(studies.load().contrasts) - 1


def test_every_run_is_in_the_table_of_its_arm(results: dict, html: str) -> None:
    rows = {arm: cells.split("<td>") for arm, cells in table_of_runs(html).items()}
    assert rows.keys() == {run["arm"] for run in results["runs"]}
    for arm, cells in rows.items():
        runs = sorted((run for run in results["runs"] if run["arm"] == arm), key=lambda run: run["seed"])
        assert cells[-2:] == ["300–310", ", ".join(f"{100 * run['test_accuracy']:.2f}" for run in runs)]


def table_of_runs(html: str) -> dict[str, str]:
    """What the table of every run has on each arm, by its name."""
    return dict(re.findall(r'<th scope="row">([^<]*)<td>(.*)\n', html.partition('id="runs"')[2]))


@pytest.fixture(scope="module")
def every_arm(plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Made-up results of every arm, over two seeds at most."""
    blocks = tuple(replace(block, seeds=block.seeds[:2]) for block in plan.blocks)
    return fixture.results(replace(plan, blocks=blocks), tmp_path_factory.mktemp("every"), MNIST, only=())


def alike(described: Mapping[str, object]) -> set[frozenset[str]]:
    """The names that share a description, in groups of two or more."""
    return {frozenset(name for name, other in described.items() if other == text) for text in described.values()} - {
        frozenset({name}) for name in described
    }


def test_only_arms_with_the_same_settings_look_alike_in_the_table_and_in_runs_csv(plan: Study, every_arm: dict) -> None:
    same = alike({run["arm"]: (run["epochs"], plan.arm(run["arm"]).settings()) for run in every_arm["runs"]})
    assert same == {
        frozenset({"example-1", "low0", "tanh-tanh-mse"}),
        frozenset({"targets", "low-1", "tanh-tanh-targets"}),
        frozenset({"linear-output", "tanh-linear-mse"}),
        frozenset({"cross-entropy", "tanh-softmax-ce"}),
        frozenset({"relu", "relu-tanh-mse"}),
        frozenset({"example-3", "relu-softmax-ce"}),
    }
    rows = list(csv.DictReader(io.StringIO(site.runs_csv(every_arm))))
    assert alike({row["arm"]: [row[name] for name in (*SETTINGS, "epochs")] for row in rows}) == same
    cells = {name: row.split("<td>")[:-2] for name, row in table_of_runs(fixture.page_of(every_arm)).items()}
    assert cells.keys() == every_arm["arms"].keys()
    assert alike(cells) == same


def test_accuracy_on_held_out_images_is_never_called_test_accuracy(plan: Study, every_arm: dict) -> None:
    held_out = {arm.name for arm in plan.arms if arm.holdout}
    assert len(held_out) > 10
    for row in csv.DictReader(io.StringIO(site.runs_csv(every_arm))):
        assert (row["test_accuracy"] == "") == (row["arm"] in held_out)
        assert (row["held_out_accuracy"] == "") == (row["arm"] not in held_out)
    for run in every_arm["runs"]:
        assert (run["test_accuracy_by_epoch"] is None) == (run["arm"] in held_out)
        assert (run["held_out_accuracy_by_epoch"] is None) == (run["arm"] not in held_out)
    for name, arm in every_arm["arms"].items():
        for measure in ("accuracy", "error"):
            assert (arm[f"test_{measure}"] is None) == (name in held_out)
            assert (arm[f"held_out_{measure}"] is None) == (name not in held_out)
    shown = table_of_runs(fixture.page_of(every_arm))
    assert shown.keys() == every_arm["arms"].keys()
    assert {name for name, row in shown.items() if "held-out training images 5,000" in row} == held_out


def test_an_arm_with_many_runs_is_summarised_by_quantiles(results: dict) -> None:
    first = next(run for run in results["runs"] if run["arm"] == "example-1")
    many = [{**first, "seed": seed, "test_accuracy": 0.9 + 0.001 * seed} for seed in range(61)]
    others = [run for run in results["runs"] if run["arm"] != "example-1"]
    shown = said(fixture.page_of({**results, "runs": many + others}), "runs")
    assert "lowest of 61 seeds: 90.00, 5 % quantile of 61 seeds: 90.30, 25 %" in shown
    assert "95 % quantile of 61 seeds: 95.70, highest of 61 seeds: 96.00" in shown


def test_the_page_says_when_sign_assignments_are_counted_rather_than_enumerated(results: dict) -> None:
    for n in (inference.MAX_ENUMERATED, inference.MAX_ENUMERATED + 1):
        contrasts = [{**results["contrasts"][0], "n": n}, *results["contrasts"][1:]]
        shown = said(fixture.page_of({**results, "contrasts": contrasts}), "methods")
        assert ("counted together, by convolution" in shown) == (n > inference.MAX_ENUMERATED)


def test_the_page_is_one_file_that_fetches_nothing(html: str) -> None:
    assert not re.search(r"(?:src|srcset)=|@import|url\((?!data:|#)", html)
    beside = ("#", "data", "report.md")  # followed only by those who ask
    links, fetched = (re.findall(rf'<{kind} [^>]*href="([^"]*)"', html) for kind in ("a", r"(?!a )\w+"))
    assert all(link.startswith((*beside, "https://")) for link in links)
    assert all(link.startswith(beside) for link in fetched)
    assert re.findall(r"<script[^>]*>", html) == ['<script type="application/ld+json">', "<script>"]
    assert "style=" not in html


def test_the_policy_allows_the_style_sheet_and_the_script_by_their_hashes(html: str) -> None:
    for name in ("style", "script"):
        (text,) = re.findall(f"<{name}>(.*?)</{name}>", html, re.DOTALL)
        sha256 = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{name}-src 'sha256-{sha256}'" in html


def test_text_from_an_article_is_escaped(results: dict, tmp_path: Path) -> None:
    (tmp_path / "article.md").write_text(
        '---\ntitle: "<script>1</script>"\ndate: "2020"\nid: "\\"><img src=x>"\n---\n<img src=x onerror=1>\n'
    )
    (tmp_path / "claims.toml").write_text(fixture.untestable('id = "a"\nquote = "<img src=x"', "<img>", "<script>?"))
    hostile = fixture.page_of(results, tmp_path)
    assert "<script>1" not in hostile
    assert "<script>?" not in hostile
    assert "<img" not in hostile


def test_the_same_results_give_the_same_bytes(results: dict, html: str) -> None:
    assert fixture.page_of(results) == html


@pytest.mark.parametrize(
    ("template", "line", "message"),
    [
        ("<p>\n{{ no_such_number }}</p>", 2, "'no_such_number' is undefined"),
        ("<p>\n\n{% if %}</p>", 3, "Expected an expression"),
        ("{{ results.runs|no_such_filter }}", 1, "no_such_filter"),
        ("<p>\n{{ results|percent }}</p>", 2, "unsupported operand"),
    ],
)
def test_a_mistake_in_a_template_is_reported_with_its_line(
    results: dict, tmp_path: Path, template: str, line: int, message: str
) -> None:
    (tmp_path / "runs.html").write_text(template)
    with pytest.raises(UserError) as error:
        fixture.page_of(results, templates=(tmp_path, *render.TEMPLATES))
    assert f"runs.html:{line}: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("linked", "target"), [("runs.html", "diary.html"), (".", ".")], ids=["a template", "the folder of templates"]
)
def test_a_link_puts_no_file_from_elsewhere_into_the_page(
    results: dict, tmp_path: Path, linked: str, target: str
) -> None:
    elsewhere, templates = tmp_path / "elsewhere", tmp_path / "article" / "prose"
    elsewhere.mkdir()
    (elsewhere / "runs.html").write_text("dear diary")
    (elsewhere / "diary.html").write_text("dear diary")
    (templates.parent if linked == "." else templates).mkdir(parents=True)
    (templates / linked).symlink_to(elsewhere / target)
    with pytest.raises(UserError, match=r"runs\.html: a link to a file elsewhere\. .*Copy that file"):
        fixture.page_of(results, templates=(templates, *render.TEMPLATES))


def test_a_template_of_unreasonable_size_is_refused_unread(results: dict, tmp_path: Path) -> None:
    with (tmp_path / "runs.html").open("wb") as file:
        file.truncate(2**40)  # it takes no space on the disk
    with pytest.raises(UserError, match=r"runs\.html: cannot be read: Larger than"):
        fixture.page_of(results, templates=(tmp_path, *render.TEMPLATES))


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (formats.percent(0.97141), "97.14\u202f%"),
        (formats.points(0.0123), "+1.23"),
        (formats.points(-0.0123), "−1.23"),
        (formats.points(0.0123, signed=False), "1.23"),
        (formats.p_value(0.01367), "0.014"),
        (formats.p_value(0.0001), "<\u202f0.001"),
        (formats.thousands(60000), "60,000"),
        (formats.count(3), "three"),
        (formats.count(40), "40"),
    ],
)
def test_numbers_are_formatted_for_readers(found: str, expected: str) -> None:
    assert found == expected


# ---------------------------------------------------------------------------------------------- the command


@pytest.fixture
def stored(plan: Study, tmp_path: Path) -> Path:
    """A results folder as `make plots` leaves it."""
    found = fixture.results(plan, tmp_path / "results", MNIST)
    figures.update(found, tmp_path / "results" / "plots", fixture.draw, fixture.FIGURES)
    return tmp_path


def arguments(folder: Path) -> list[str]:
    return ["render", "--results", str(folder / "results"), "--site", str(folder / "site")]


def test_the_site_has_the_page_and_the_numbers(stored: Path) -> None:
    command.main(command.parse(arguments(stored)))
    rows = list(csv.DictReader((stored / "site" / "data" / "runs.csv").open()))
    assert len(rows) == len(studies.load().runs("mnist", ("examples",)))
    first = rows[0]
    assert (first["dataset"], first["arm"], first["seed"], first["loss"]) == (
        *("mnist", "example-1", "300"),
        "mean_squared_error",
    )
    assert (float(first["test_accuracy"]), float(first["train_seconds"])) == (0.965, 5.0)
    assert json.loads((stored / "site" / "data" / "results.json").read_text())["format"] == summary.FORMAT
    assert (stored / "site" / "index.html").stat().st_size < 300_000


def test_rendering_again_writes_nothing_unless_the_site_was_changed(
    stored: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for expected in ("kB", "nothing to render"):
        command.main(command.parse(arguments(stored)))
        assert expected in capsys.readouterr().out
    (stored / "site" / "index.html").write_text("edited")
    command.main(command.parse(arguments(stored)))
    assert "edited" not in (stored / "site" / "index.html").read_text()


def test_rendering_never_imports_tensorflow_or_matplotlib(stored: Path) -> None:
    code = (
        "import sys; from report.__main__ import main, parse; main(parse(sys.argv[1:]));"
        "print([name for name in ('tensorflow', 'keras', 'matplotlib', 'sklearn') if name in sys.modules])"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, *arguments(stored)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert result.stdout.splitlines()[-1] == "[]"


def test_rendering_without_results_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"nothing to render yet\. Run 'make report'"):
        command.main(command.parse(arguments(tmp_path)))


def test_plots_from_other_results_are_refused(plan: Study, stored: Path) -> None:
    fixture.results(plan, stored / "results", Source(datasets.MNIST, None, "another fixture"))
    with pytest.raises(UserError, match="drawn from other results"):
        command.main(command.parse(arguments(stored)))


def test_plots_that_other_code_drew_are_refused(stored: Path, tmp_path: Path) -> None:
    article = tmp_path / "article"
    shutil.copytree(DEFAULT, article)
    options = [*arguments(stored), "--article", str(article)]
    command.main(command.parse(options))
    (article / "figures.py").write_text((article / "figures.py").read_text() + "\n")
    with pytest.raises(UserError, match=r"plots: drawn by other code\. Run 'make plots ARTICLE=\S*article' first\."):
        command.main(command.parse(options))


def test_plots_of_the_default_article_that_other_code_drew_are_refused(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "code_digests", lambda path: ["edited"])
    with pytest.raises(UserError, match=r"drawn by other code\. Run 'make plots' first\."):
        command.main(command.parse(arguments(stored)))


def test_an_unreadable_result_is_one_line_and_exit_status_2(stored: Path) -> None:
    (stored / "results" / "results.json").write_text('{"format": 1,\n "runs": [')
    result = subprocess.run(
        [sys.executable, "-m", "report", *arguments(stored)], cwd=ROOT, capture_output=True, text=True
    )
    assert result.returncode == 2
    assert re.fullmatch(r"error: .*results\.json: not what this version wrote: .*\n", result.stderr)


def test_figures_are_numbered_in_the_order_of_the_page_the_folded_ones_too(results: dict) -> None:
    numbers = re.findall(r'<figcaption><span class="number">Figure (\d+)</span> \w', fixture.page_of(results))
    assert len(numbers) > 3
    assert numbers == [str(number) for number in range(1, len(numbers) + 1)]


def test_folded_figures_stand_in_groups_under_headings_that_skip_no_level(results: dict, tmp_path: Path) -> None:
    folder = shutil.copytree(DEFAULT, tmp_path / "article")
    toml = folder / "prose" / "article.toml"
    text, _ = toml.read_text().split("[[groups]]", 1)
    groups = 'figures = ["confusions"]\n[[groups]]\ntitle = "None of them is drawn"\nfigures = ["no-such"]\n'
    toml.write_text(f'folded = ["learning-curves"]\n{text}[[groups]]\ntitle = "What <is> confused"\n{groups}')
    further = fixture.page_of(results, folder).split('id="further"')[1].split("</section>")[0]
    headings = re.findall(r"<h(\d)[^>]*>(.*?)</h", further)
    assert headings == [
        ("2", "Other explanations we tested"),
        ("3", "Does it learn more slowly?"),  # in no group
        ("3", "What &lt;is&gt; confused"),
        ("4", "Which classes are confused?"),
    ]


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        ("No: it <fits> worse", "<strong>No:</strong> it &lt;fits&gt; worse"),
        ("Yes, with sigmoid: 8 layers", "Yes, with sigmoid: 8 layers"),
        ("At 10:30", "At 10:30"),
    ],
)
def test_the_first_word_of_a_finding_is_bold_if_a_colon_follows_it(finding: str, expected: str) -> None:
    assert render.bold_answer(finding) == expected


def test_no_line_of_a_finding_ends_before_a_percent_sign() -> None:
    assert render.unbroken("0.3 % and 99.79 %") == "0.3\u202f% and 99.79\u202f%"


def test_the_blanks_that_all_lines_of_a_change_begin_with_are_marked_so_that_a_phone_can_leave_them_out() -> None:
    code = "<del>-    a</del><ins>+    b</ins><ins>+      c</ins><del>-d</del><ins>+ e</ins>"
    indent = '<span class="indent">    </span>'
    assert render.marked_indents(code) == (
        f"<del>-{indent}a</del><ins>+{indent}b</ins><ins>+{indent}  c</ins>"
        '<del>-<span class="indent"></span>d</del><ins>+<span class="indent"></span> e</ins>'
    )
