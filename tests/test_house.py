"""The rules of the house: who may import whom, what may be committed, and what the layers need."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest
import yaml

from experiments.study import load as studies
from experiments.study.model import SETTINGS
from tests.trained import offline

ROOT = Path(__file__).parent.parent
FLOORS = (  # each room sees only those on floors below it
    {"experiments.files"},
    {"experiments.data"},
    {"experiments.study"},
    {"experiments.store"},
    {"experiments.analysis"},
    {"experiments.training", "experiments.plots", "experiments.live"},
    {"experiments"},
    {"report.claims"},
    {"report.article"},
    {"report.page"},
    {"report.sharing"},
    {"report"},
)
ROOMS = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
MODULES = sorted(path for package in ("experiments", "report") for path in (ROOT / package).rglob("*.py"))


@cache
def imports(path: Path) -> set[str]:
    """Every module that the file imports, at its top or inside a function, by dotted name."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def room(module: str) -> str:
    """The room that a module is in: "experiments.study" of "experiments.study.model"."""
    return next((name for name in (".".join(module.split(".")[:2]), module.split(".")[0]) if name in ROOMS), "")


def importers(package: str) -> set[str]:
    return {
        str(path.relative_to(ROOT))
        for path in MODULES
        if any(name == package or name.startswith(package + ".") for name in imports(path))
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_room_imports_only_from_rooms_below_it(path: Path) -> None:
    own = room(".".join(path.relative_to(ROOT).with_suffix("").parts))
    others = {room(name) for name in imports(path)} - {own, ""}
    assert not {other for other in others if ROOMS[other] >= ROOMS[own]}


def test_experiments_know_nothing_of_the_report() -> None:
    for path in (ROOT / "experiments").rglob("*.py"):
        assert not {name for name in imports(path) if name.split(".")[0] in ("report", "jinja2", "markdown")}


@pytest.mark.parametrize("path", sorted((ROOT / "report").rglob("*.py")), ids=lambda path: path.name)
def test_the_report_imports_nothing_that_trains(path: Path) -> None:
    trains = {"tensorflow", "keras", "experiments.training"}
    assert not {name for name in imports(path) if any(name == t or name.startswith(t + ".") for t in trains)}


def test_only_what_draws_imports_matplotlib_and_only_what_renders_jinja() -> None:
    assert importers("matplotlib") == {"experiments/plots/toolkit.py"}
    assert importers("jinja2") == {"report/page/render.py", "report/page/compiled.py"}


def test_only_the_trainer_its_measures_and_the_worker_import_tensorflow() -> None:
    modules = ("trainer", "network_measures", "worker")
    assert importers("tensorflow") == {f"experiments/training/{name}.py" for name in modules}


@pytest.mark.slow("runs the command line eight times")
def test_what_makes_and_checks_pages_needs_the_page_layer_alone(tmp_path: Path) -> None:
    """Without TensorFlow and all else that only training needs, a page is made of the record, verified and compared."""
    locked = [
        {line.split("==")[0] for line in (ROOT / "requirements" / name).read_text().splitlines() if "==" in line}
        for name in ("page.txt", "dev.txt")
    ]
    modules = {"sklearn": "scikit-learn", **{name.replace("-", "_"): name for name in locked[1] - locked[0]}}
    hide = f"import runpy, sys; sys.modules.update(dict.fromkeys({[*modules]})); sys.argv.pop(0); "
    run = "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)"
    page, results = str(tmp_path / "site" / "index.html"), ("--results", str(tmp_path))
    for command in (
        ("report", "first", *results, "--site", str(tmp_path / "site")),
        ("experiments", "stand-in", *results, "--figures", "report/mse_tanh/figures.py"),
        ("report", "render", *results, "--site", str(tmp_path / "site")),
        ("report", "claims", *results),
        ("report", "verify", page),
        ("report", "compare", page, page),
        ("experiments", "status", *results),
        ("experiments", "why", *results),
    ):
        done = subprocess.run(
            [sys.executable, "-c", hide + run, *command], cwd=ROOT, capture_output=True, text=True, env=offline()
        )
        assert (command, done.returncode, done.stderr) == (command, 0, "")


@cache
def names_of_this_article() -> set[str]:
    """Arms, blocks, contrasts and figures that only this article's study.toml and modules of figures define.

    Words of the code itself are not among them: settings and their values, and the generic figures.
    """
    plan = studies.load()
    names = {part.name for part in (*plan.arms, *plan.blocks, *plan.contrasts)}
    figures = [ast.parse((ROOT / "report" / "mse_tanh" / f"{name}.py").read_text()) for name in ("figures", "push")]
    functions = [node for module in figures for node in module.body if isinstance(node, ast.FunctionDef)]
    names |= {function.name for function in functions if function.name[0] != "_"}
    generic = {"draw", "accuracy", "learning_curves", "outputs", "confusions", "reliability"}
    others = {"features_of", "chosen_from"}  # settings that name arms
    values = {str(arm.settings()[setting]) for arm in plan.arms for setting in set(SETTINGS) - others}
    terms = {"one-sided", "cross-entropy"}  # of the field
    keys = {"changes"}  # of every article's prose/article.toml
    return names - generic - values - set(SETTINGS) - terms - keys


GENERIC = [
    *(ROOT / "experiments").rglob("*.py"),
    *(path for name in ("article", "claims", "page", "sharing") for path in (ROOT / "report" / name).glob("*.py")),
    *(ROOT / "report" / "__main__.py", *(ROOT / "templates").iterdir()),
]


@pytest.mark.parametrize("path", GENERIC, ids=lambda path: str(path.relative_to(ROOT)))
def test_generic_rooms_name_no_arm_block_or_figure_of_this_article(path: Path) -> None:
    """A name with a hyphen stands nowhere; another, which may be a plain word, is nowhere quoted as a name."""
    text = path.read_text()
    hyphenated, words = (
        [re.escape(name) for name in names_of_this_article() if ("-" in name) == hyphen] for hyphen in (True, False)
    )
    named = re.findall(rf"(?<![\w-])(?:{'|'.join(hyphenated)})(?![\w-])", text)
    assert named + re.findall(rf"[\"'](?:{'|'.join(words)})[\"']", text) == []


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"\nversion: {project['version']}\n" in (ROOT / "CITATION.cff").read_text()


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    return [ROOT / name for name in listed.decode().split("\0") if name and (ROOT / name).exists()]


def test_nothing_names_a_package_index() -> None:
    pattern = re.compile("index" r"-url|find" r"-links|https?://[^\s\"']*(?:/simple/|/packages/)")
    own = Path(__file__)
    assert not [path.name for path in tracked() if path != own and pattern.search(path.read_text(errors="ignore"))]


def test_the_workflows_actions_are_pinned_by_commit_with_their_version_beside() -> None:
    workflows = "".join(path.read_text() for path in ROOT.glob(".github/workflows/*.yml"))
    used = re.findall(r"uses: (.*)", workflows)
    assert used
    assert not [action for action in used if not re.fullmatch(r"[\w/-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", action)]
    assert len(set(used)) == len({action.split("@")[0] for action in used})  # one version of each, wherever it is used


def test_what_runs_our_code_signs_nothing_and_only_publishing_pushes() -> None:
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "pages.yml").read_text())
    assert workflow["permissions"] == {}
    jobs = workflow["jobs"]
    assert {name: job["permissions"] for name, job in jobs.items()} == {
        "build": {"contents": "read", "pages": "read"},
        "publish": {"contents": "write"},
        "attest": {"id-token": "write", "attestations": "write"},
        "deploy": {"pages": "write", "id-token": "write"},
    }
    steps = {name: str(job["steps"]) for name, job in jobs.items()}
    assert [name for name, step in steps.items() if "actions/checkout" in step or "make " in step] == [
        *("build", "publish")
    ]
    assert "actions/attest-build-provenance" in steps["attest"]
    assert "make publish PUSH=1" in steps["publish"]


def test_no_data_no_images_and_nothing_large_is_committed() -> None:
    unwanted = {".npz", ".npy", ".gz", ".h5", ".keras", ".png", ".jpg", ".webp"}
    assert [p for p in tracked() if p.suffix in unwanted] == [ROOT / "docs" / "page.webp"]  # the README's picture
    assert (ROOT / "docs" / "page.webp").stat().st_size < 80_000
    assert not [p.name for p in tracked() if p.stat().st_size > 700_000]


def test_build_output_is_ignored() -> None:
    outputs = ["site/index.html", "experiments/results/results.json", "experiments/results/runs/x/weights.npz"]
    done = subprocess.run(["git", "check-ignore", *outputs], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.split() == outputs
