"""Two results are compared by verdict and by effect; what seeds alone can do is no change."""

from __future__ import annotations

import json
from copy import deepcopy
from dataclasses import replace
from pathlib import Path

import pytest

from experiments.analysis import summary
from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.files.sealed import to_json
from experiments.plots import drawing
from experiments.study import load as studies
from experiments.study.model import Study
from report import __main__ as command
from report.claims import load as ledgers
from report.claims.model import CANNOT_TELL, NOT_MEASURED, Ledger
from report.claims.verdicts import judge, judge_predictions
from report.sharing import verify
from report.sharing.compare import Comparison, Effect, Measured, compare
from tests import fixture

LEDGER = ledgers.load(fixture.LEDGER)
MNIST = Source(datasets.MNIST, None, "a fixture")


def test_results_do_not_differ_from_themselves(results: dict) -> None:
    found = compare(results, results, LEDGER)
    assert not found.differs
    assert {effect.name for effect in found.effects} == {
        "contrast recipe", "arm example-1", "arm example-2", "arm example-3"
    }  # fmt: skip


def effect(before: float, after: float, halves: tuple[float, float] = (0.003, 0.004), seeds: int = 3) -> Effect:
    return Effect("a", Measured(before, halves[0], seeds), Measured(after, halves[1], 3))


def test_an_effect_moved_if_the_interval_of_the_difference_excludes_0() -> None:
    assert effect(0.10, 0.1051).noise == pytest.approx(0.005)
    assert effect(0.10, 0.1051).moved
    assert not effect(0.10, 0.1049).moved
    assert effect(0.10, 0.0949).moved


@pytest.mark.parametrize(
    ("halves", "seeds", "why"),
    [((0.0, 0.004), 1, "one seed"), ((1e-17, 0.004), 2, "2 equal seeds"), ((0.003, 0.0), 2, "3 equal seeds")],
)
def test_without_spread_between_seeds_a_change_counts_neither_as_moved_nor_as_unmoved(
    halves: tuple[float, float], seeds: int, why: str
) -> None:
    changed = effect(0.10, 0.90, halves, seeds)
    assert (changed.noise, changed.unknown) == (None, why)
    assert changed.undecided
    assert not changed.moved
    assert not Comparison((), (changed,), ()).differs


def test_an_unchanged_effect_did_not_move_however_few_its_seeds() -> None:
    same = effect(0.10, 0.10 + 1e-7, (0.0, 0.0), 1)
    assert not same.undecided
    assert not same.moved


def test_the_noise_of_a_difference_adds_both_intervals_in_quadrature(results: dict) -> None:
    changed = deepcopy(results)
    for found, half in ((results, 0.003), (changed, 0.004)):
        accuracy = found["arms"]["example-1"]["test_accuracy"]
        accuracy["interval"] = [accuracy["mean"] - half, accuracy["mean"] + half]
    (found,) = [e for e in compare(results, changed, LEDGER).effects if e.name == "arm example-1"]
    assert found.noise == pytest.approx(0.005)


@pytest.fixture
def paths(plan: Study, tmp_path: Path) -> list[str]:
    """Two results.json; in the second the examples have changed places."""
    first = f"example-3, seed {plan.block('examples').seeds[0]}, on mnist"
    scores = {first: 0.977}  # so that not every seed shows the same difference
    mapped = {"example-2": 0.978, "example-3": 0.965, first: 0.964}
    found = [
        fixture.results(plan, tmp_path / "a", MNIST, fixture.SCORES | scores),
        fixture.results(plan, tmp_path / "b", MNIST, {"example-1": 0.978} | mapped),
    ]
    for name, results in zip("ab", found, strict=True):
        (tmp_path / f"{name}.json").write_bytes(to_json(results))
    return [str(tmp_path / f"{name}.json") for name in "ab"]


def test_a_changed_verdict_is_listed_as_before_and_after_and_sets_the_exit_status(
    paths: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(command.parse(["compare", *paths])) == 1
    told = capsys.readouterr().out
    assert "verdict turned           far-more-effective, as the article puts it: supported → not supported" in told
    assert "moved beyond seed noise  contrast recipe: 1.29 → -1.31 points (seed noise ±" in told
    assert "not moved" not in told


def test_unmoved_effects_are_counted_and_listed_only_on_request(
    paths: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command.main(command.parse(["compare", paths[0], paths[0]])) == 0
    assert capsys.readouterr().out.splitlines()[-1] == (
        "0 verdicts turned; 0 of 4 effects moved beyond seed noise, 4 did not. ALL=1 lists those that did not move."
    )
    assert command.main(command.parse(["compare", "--all", paths[0], paths[0]])) == 0
    *listed, counted = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in listed if line.startswith("not moved")] == [
        f"not moved                {name}"
        for name in ("contrast recipe", "arm example-1", "arm example-2", "arm example-3")
    ]
    assert counted == "0 verdicts turned; 0 of 4 effects moved beyond seed noise, 4 did not."


def questions(ledger: Ledger, results: dict) -> list[str]:
    """The verdicts on all that could be decided."""
    verdicts = [verdict for judged in judge(ledger, results) for verdict in judged.verdicts.values()]
    verdicts += [judged.verdict for judged in judge_predictions(ledger, results)]
    return [v.verdict for v in verdicts if not v.question.none and not v.question.not_testable]


def test_verdicts_that_one_of_the_two_cannot_decide_are_counted_and_have_not_turned(
    plan: Study, results: dict, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    fewer = fixture.results(plan, tmp_path / "fewer", MNIST, runs=len(plan.block("examples").seeds))
    paths = [tmp_path / "old.json", tmp_path / "new.json"]
    for path, content in zip(paths, (fewer, results), strict=True):
        path.write_bytes(to_json(content))
    before, after = (questions(LEDGER, content) for content in (fewer, results))
    missing, both = before.count(NOT_MEASURED), after.count(NOT_MEASURED)
    assert missing > both > 0
    assert command.main(command.parse(["compare", *map(str, paths)])) == 0
    told = capsys.readouterr().out
    assert f"{missing - both} verdicts could not be decided on {paths[0]}: not measured there\n" in told
    assert f"{both} verdicts could be decided on neither: not measured there\n" in told
    assert "verdict turned" not in told


def test_a_verdict_of_a_single_seed_is_none_that_could_turn(results: dict) -> None:
    alone = deepcopy(results)
    for arm in alone["arms"].values():
        arm["seeds"] = arm["seeds"][:1]
    for row in alone["contrasts"]:
        row["n"] = 0
    found = compare(alone, results, LEDGER)
    assert found.turned == ()
    assert found.undecided[0][CANNOT_TELL] > 0


def test_an_arm_with_one_seed_is_reported_to_have_unknown_noise(
    plan: Study, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = []
    for score in (0.97, 0.99):
        found = fixture.results(plan, tmp_path / str(score), MNIST, {"example-1": score}, runs=1)
        paths.append(tmp_path / f"{score}.json")
        paths[-1].write_bytes(to_json(found))
    command.main(command.parse(["compare", *map(str, paths)]))
    told = capsys.readouterr().out
    assert "changed, noise unknown   arm example-1: 97.00 → 99.00 points (one seed)\n" in told
    assert "0 of 1 effects moved beyond seed noise, 0 did not, 1 undecided: too few seeds, or identical ones.\n" in told


def test_accuracies_on_different_images_are_not_compared(results: dict) -> None:
    changed = deepcopy(results)
    arm = changed["arms"]["example-1"]
    arm |= {"test_accuracy": None, "held_out_accuracy": arm["test_accuracy"]}
    assert compare(results, changed, LEDGER).single == ("arm example-1", "arm example-1 on held-out images")


def test_a_page_made_with_another_record_is_compared_by_its_own_numbers(
    plan: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = fixture.results(plan, tmp_path, MNIST)
    content = json.loads((tmp_path / "evidence.json").read_text()) | {"record": "0" * 64}
    drawn = {figure.name: figure for figure in drawing.draw(found, fixture.FIGURES)}
    packed = verify.carried(content, found, drawn, LEDGER, "")
    page = f'<template id="evidence">{packed}</template>'
    with pytest.raises(UserError, match="with a different record"):
        verify.proof(page, lambda: plan)
    own = verify.proof(page, lambda: plan, to_compare=True).results
    assert own["contrasts"][0]["mean"] == found["contrasts"][0]["mean"]
    content["source"]["fallback"] = "no network"
    packed = verify.carried(content, found, {}, LEDGER, "")
    with pytest.raises(UserError, match="with a different record"):  # all that it shows is from that record
        verify.proof(f'<template id="evidence">{packed}</template>', lambda: plan, to_compare=True)


def test_measurements_in_only_one_of_the_two_are_listed_and_are_no_change(
    plan: Study, results: dict, tmp_path: Path
) -> None:
    fewer = fixture.results(plan, tmp_path, MNIST, runs=10)
    found = compare(results, fewer, LEDGER)
    assert found.single == ("arm example-2", "arm example-3", "contrast recipe")
    assert not found.differs


@pytest.mark.parametrize("files", [[], ["a"], ["a", "b", "c"]])
def test_anything_but_two_files_is_an_error_that_shows_the_command(files: list[str]) -> None:
    with pytest.raises(UserError, match=r"make compare A=old\.html B=new\.html"):
        command.main(command.parse(["compare", *files]))


def test_results_in_another_format_are_refused(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(to_json({"format": summary.FORMAT + 1}))
    with pytest.raises(UserError, match="format"):
        command.main(command.parse(["compare", str(tmp_path / "old.json"), str(tmp_path / "old.json")]))


def test_another_kind_of_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.json"
    path.write_bytes(to_json({"format": summary.FORMAT, "claims": []}))
    with pytest.raises(UserError, match=r"claims\.json: no results in it\. Name a page"):
        command.main(command.parse(["compare", str(path), str(path)]))


def test_a_page_without_evidence_is_named(results: dict, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_bytes(to_json(results))
    (tmp_path / "new.html").write_text("<p>Hello")
    with pytest.raises(UserError, match=r"new\.html: 0 pieces of evidence in the page\."):
        command.main(command.parse(["compare", str(tmp_path / "old.json"), str(tmp_path / "new.html")]))


OLD = Path(__file__).with_name("format-1.txt")  # a page's evidence, by round one's code, of made-up runs
SECOND = Path(__file__).parents[1] / "second"


def old_page(folder: Path) -> Path:
    """A page of format 1 about the second article's study, but with another `narrow` and with one arm more."""
    (folder / "old.html").write_text(f'<template id="evidence">{OLD.read_text()}</template>')
    return folder / "old.html"


def test_a_page_of_the_first_format_is_compared_without_the_arms_that_mean_something_else_now(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = str(old_page(tmp_path))
    assert command.main(command.parse(["compare", "--all", "--article", str(SECOND), page, page])) == 0
    told = capsys.readouterr().out
    assert told.count("leaving out arms that this study lacks, or has with other settings: narrow, gone\n") == 2
    assert "not moved                arm wide: 97.50 → 97.50 points" in told
    assert "0 of 1 effects moved" in told
    found = verify.proof(Path(page).read_text(), lambda: studies.load(SECOND / "study.toml"), to_compare=True).results
    assert found["replications"]["digits"]["arms"].keys() == {"wide"}
    assert found["runs_expected"] == 6


def test_a_page_of_the_first_format_is_verified_by_its_own_version_only(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"format 1, expected 2\. .* check out the version that they name"):
        command.main(command.parse(["verify", "--article", str(SECOND), str(old_page(tmp_path))]))


@pytest.mark.parametrize(
    ("change", "left_out"),
    [({"learning_rate": 0.002}, ["example-1"]), ({"width": 64}, ["example-1"]), ({"title": "Other"}, [])],
    ids=["rate", "width", "title"],
)
def test_arms_that_a_page_has_with_other_settings_are_left_out(
    plan: Study, results: dict, tmp_path: Path, change: dict, left_out: list[str]
) -> None:
    found = fixture.results(plan, tmp_path, MNIST)
    packed = verify.carried(json.loads((tmp_path / "evidence.json").read_text()), found, {}, LEDGER, "")
    page = f'<template id="evidence">{packed}</template>'
    arms = tuple(replace(arm, **change) if arm.name == "example-1" else arm for arm in plan.arms)
    other = replace(plan, arms=(*arms, replace(plan.arm("example-1"), name="base")))  # that example-2 reads out
    proof = verify.proof(page, lambda: other, to_compare=True)
    assert list(proof.foreign_arms) == left_out
    assert proof.results["arms"].keys() == {"example-1", "example-2", "example-3"} - set(left_out)
