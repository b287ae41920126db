"""What was declared before the runs decides now: the commit that study.toml names has the same arms and rules."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.study import load as studies
from experiments.study.model import Study
from report.article.folder import DEFAULT
from report.claims import load as ledgers

ROOT = studies.STUDY.parents[1]
pytestmark = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs the repository's history")


@pytest.fixture
def declared(plan: Study, tmp_path: Path) -> Path:
    """A folder with study.toml and claims.toml as the declaring commit has them."""
    for file in (studies.STUDY, DEFAULT / "claims.toml"):
        name = file.relative_to(ROOT).as_posix()
        shown = subprocess.run(
            ["git", "show", f"{plan.declared_commit}:{name}"], cwd=ROOT, capture_output=True, check=True
        )
        (tmp_path / file.name).write_bytes(shown.stdout)
    return tmp_path


def test_arms_seeds_and_contrasts_are_those_of_the_declaring_commit(plan: Study, declared: Path) -> None:
    then = studies.load(declared / "study.toml")
    assert replace(then, path=plan.path, declared_commit=plan.declared_commit) == plan


def test_questions_rules_evidence_and_thresholds_are_those_of_the_declaring_commit(declared: Path) -> None:
    then, now = ledgers.load(declared / "claims.toml"), ledgers.load(DEFAULT / "claims.toml")
    assert then.limits() == now.limits()
    assert {name: replace(question, because={}) for name, question in now.questions.items()} == then.questions


def test_the_declaration_is_dated_on_or_before_the_day_that_the_study_names(plan: Study) -> None:
    shown = subprocess.run(
        ["git", "show", "-s", "--format=%cs", plan.declared_commit],
        cwd=ROOT,
        capture_output=True,
        check=True,
        text=True,
    )
    assert shown.stdout.strip() <= plan.declared
