"""Whatever part of the study is measured, there is a page of it: it is written early, and after Ctrl-C."""

from __future__ import annotations

import random
from typing import Any

import pytest

from experiments.analysis import summary
from experiments.files.sealed import read_json
from experiments.store.store import Store
from experiments.study.model import Study
from tests import fixture
from tests.counts import count, repeated

PARTS = max(2, count("HOSTILE", few=40, many=200) // 20)  # random parts of the study


@pytest.fixture(scope="module")
def evidence(plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Made-up evidence of the whole study, on all its data sets."""
    store = Store(tmp_path_factory.mktemp("whole"))
    fixture.whole(plan, store, lambda runs: fixture.SCORES)
    return read_json(store.root / "evidence.json", summary.evidence.FORMAT)


@repeated
@pytest.mark.parametrize("number", range(PARTS))
def test_any_part_of_the_study_has_a_page(plan: Study, evidence: dict[str, Any], number: int) -> None:
    rng = random.Random(number)
    share = rng.choice([0.02, 0.1, 0.3, 0.6])
    arms = {one["arm"] for one in evidence["runs"] if rng.random() < 0.7}
    runs = [one for one in evidence["runs"] if one["arm"] in arms and rng.random() < share] or evidence["runs"][:1]
    repeated = rng.choice([0, share])
    others = {
        name: [one for one in observed if rng.random() < repeated]
        for name, observed in evidence["replications"].items()
    }
    html = fixture.page_of(summary.assemble(plan, {**evidence, "runs": runs, "replications": others}))
    assert f"<strong>Unfinished:</strong> {len(runs)} of {evidence['expected']['mnist']} runs are measured" in html


def test_an_unfinished_page_names_its_missing_blocks(plan: Study, evidence: dict[str, Any]) -> None:
    early = {arm.name for arm in plan.arms if arm.block in ("examples", "changes")}
    runs = [one for one in evidence["runs"] if one["arm"] in early]
    html = fixture.page_of(summary.assemble(plan, {**evidence, "runs": runs, "replications": {}}))
    notice = html[html.index("<strong>Unfinished") : html.index("goes on from here")]
    assert "shams (10)" in notice
    assert "examples" not in notice
