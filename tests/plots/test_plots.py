"""Plots say what the numbers say, are the same bytes in every build, and need no style attribute."""

from __future__ import annotations

import io
import itertools
import json
import re
import warnings
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from pathlib import Path
from random import Random
from xml.etree import ElementTree

import numpy as np
import pytest

from experiments.data import datasets
from experiments.data.sources import Source
from experiments.files.errors import UserError
from experiments.files.sealed import to_json
from experiments.plots import drawing, figures, formats, svg, toolkit
from experiments.plots.figures import Figure
from experiments.study.model import Study
from report.mse_tanh import figures as article
from report.mse_tanh import push
from tests import closed_forms, fixture

MNIST = Source(datasets.MNIST, None, "a fixture")


EXAMPLES = ["accuracy", "learning-curves", "outputs", "confusions"]
WHY = [
    *(
        "one-digit",
        "push-back",
        "training",
        "changes",
        "wall",
        "controls",
        "dose",
        "factorial",
        "rates",
        "sgd",
        "saturated",
        "depth",
        "readouts",
        "long",
    ),
    "reliability",
]
SEEDS = {"examples": 3, "changes": 3, "rates": 2, "sgd": 2, "readouts": 2, "wall": 2, "shams": 2, "outputs": 2}
FIRST, SECOND = 300, 301  # the first seeds of every block


MAX_TITLE = 102  # characters of what a folded figure says of itself


@pytest.fixture(scope="module")
def whole(no_record: None, plan: Study, tmp_path_factory: pytest.TempPathFactory) -> dict:
    """Made-up results of every block, over few seeds."""
    blocks = tuple(replace(block, seeds=block.seeds[: SEEDS.get(block.name, 1)]) for block in plan.blocks)
    folder = tmp_path_factory.mktemp("whole")
    return fixture.results(replace(plan, blocks=blocks), folder, MNIST, only=())


@pytest.fixture(scope="module")
def drawn(whole: dict) -> dict[str, Figure]:
    return {figure.name: figure for figure in fixture.draw(whole)}


def scored(results: dict, scores: Mapping[str, float]) -> dict:
    """`results`, but every run of an arm in `scores` had that accuracy after every epoch."""
    changed = deepcopy(results)
    for name, score in scores.items():
        arm = changed["arms"][name]
        arm["test_accuracy"]["mean"] = arm["mean_epoch_accuracy"] = score
        for run in changed["runs"]:
            if run["arm"] == name:
                run |= {"test_accuracy": score, "test_accuracy_by_epoch": [score] * run["epochs"]}
    return changed


def test_every_figure_has_a_title_a_description_and_its_numbers(drawn: dict[str, Figure]) -> None:
    assert set(drawn) == {*EXAMPLES, *WHY}
    for name, figure in drawn.items():
        root = ElementTree.fromstring(figure.svg)
        assert root.get("role") == "img"
        assert (root[0].tag, root[0].text) == ("title", figure.title)
        assert (root[1].tag, root[1].text) == ("desc", figure.description)
        assert root.get("aria-describedby") == root[1].get("id") == f"{name}-description"
        assert figure.rows
        assert all(len(row) == len(figure.columns) for row in figure.rows)
        assert len(figure.title) <= MAX_TITLE


def shown(figure: Figure | None) -> Figure:
    assert figure is not None
    return figure


def test_the_title_depends_on_the_numbers(plan: Study, results: dict, tmp_path: Path) -> None:
    assert article.accuracy(results).title == "Example 3 leads Example 1 and Example 2 by 1.30 points"
    turned = fixture.results(plan, tmp_path, MNIST, scores={"example-1": 0.98, "example-2": 0.98, "example-3": 0.97})
    assert article.accuracy(turned).title == "Example 1 and Example 2 lead Example 3 by 1.00 points"
    assert shown(article.learning_curves(turned)).title == "Example 1 is ahead after every epoch"
    assert shown(article.learning_curves(results)).title == "Example 1 is behind after every epoch"


@pytest.mark.parametrize(("epochs", "answer"), [(5.2, "Yes"), (2.0, "No")])
def test_learning_more_slowly_is_decided_by_the_epochs_to_a_networks_own_plateau(
    whole: dict, epochs: float, answer: str
) -> None:
    turned = deepcopy(whole)
    for name, mean in (("example-1", epochs), ("cross-entropy", 3.9)):
        turned["arms"][name]["epochs_to_plateau"] = {"by_seed": [mean], "mean": mean}
    title = shown(article.learning_curves(turned)).title
    assert title.startswith(f"{answer}: Example 1 comes near its own plateau after {epochs} epochs, cross-entropy")


def test_every_mark_that_shows_a_value_has_a_row_in_the_table(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        tied = [int(number) for number in re.findall(r'data-row="(\d+)"', figure.svg)]
        assert tied, name
        assert set(tied) <= set(range(len(figure.rows))), name


@pytest.mark.parametrize(("name", "column"), [("accuracy", 2), ("readouts", 3), ("changes", 3)])
def test_marks_further_right_have_higher_values_in_their_rows(drawn: dict[str, Figure], name: str, column: int) -> None:
    found = re.findall(r'<(?:path|circle) data-row="(\d+)" [^>]*?(?:d="M|cx=")([\d.]+)', drawn[name].svg)
    marks = [(x, row) for row, x in found]
    values = [drawn[name].rows[int(row)][column] for _, row in marks]
    told = [float(value.removesuffix(" %").replace("−", "-")) for value in values]
    assert len({x for x, _ in marks}) > 2
    for (one, value), (other, higher) in itertools.combinations(
        zip([float(x) for x, _ in marks], told, strict=True), 2
    ):
        assert abs(one - other) < 0.2 or (one < other) == (value < higher)


def test_a_figure_says_whose_runs_it_shows(drawn: dict[str, Figure], whole: dict) -> None:
    assert drawn["accuracy"].arms == ("example-1", "targets", "cross-entropy", "example-3")
    assert drawn["saturated"].arms[0].startswith("saturated-")
    for figure in drawn.values():
        assert figure.arms
        assert set(figure.arms) <= set(whole["arms"])


def only(results: dict, runs: list[dict]) -> dict:
    """`results` as if only these runs had been measured, but for the means of arms that lack some."""
    seeds: dict[str, list[int]] = {}
    for run in runs:
        seeds.setdefault(run["arm"], []).append(run["seed"])
    arms = {name: {**arm, "seeds": seeds[name]} for name, arm in results["arms"].items() if name in seeds}
    contrasts = [c if {c["first"], c["second"]} <= set(arms) else {**c, "n": 0} for c in results["contrasts"]]
    return {**results, "arms": arms, "runs": runs, "contrasts": contrasts}


def test_the_examples_alone_have_their_figures(results: dict) -> None:
    assert {figure.name for figure in fixture.draw(results)} == {*EXAMPLES}


ANOTHER = pytest.mark.slow("draws all other figures again; one missing block is in `make test`")


@pytest.mark.parametrize(
    ("gone", "lacking"),
    [
        ("changes", {"one-digit", "training", "changes", "readouts", "reliability"}),
        pytest.param("rates-chosen", {"rates"}, marks=ANOTHER),
        pytest.param("wall", {"wall", "controls"}, marks=ANOTHER),
    ],
)
def test_a_figure_whose_arms_are_missing_is_not_drawn(whole: dict, gone: str, lacking: set[str]) -> None:
    runs = [run for run in whole["runs"] if whole["arms"][run["arm"]]["block"] != gone]
    found = drawing.draw(only(whole, runs), fixture.FIGURES, pictures=False)
    assert {figure.name for figure in found} == {*EXAMPLES, *WHY} - lacking


@pytest.mark.parametrize("seed", range(4))
def test_figures_of_an_unfinished_study_leave_out_what_is_missing(whole: dict, seed: int) -> None:
    random = Random(seed)
    share = (0.1, 0.3, 0.6, 0.9)[seed]
    arms = {name for name in whole["arms"] if random.random() < share}
    runs = [run for run in whole["runs"] if run["arm"] in arms and random.random() < 0.7]
    for figure in drawing.draw(only(whole, runs), fixture.FIGURES, pictures=False):
        assert set(figure.arms) <= arms
        tied = {int(number) for number in re.findall(r'data-row="(\d+)"', figure.svg)}
        assert tied <= set(range(len(figure.rows)))


def test_arms_with_different_seeds_are_compared_by_those_that_they_share(whole: dict) -> None:
    turned = scored(whole, {"wall-4": 0.96, "example-1": 0.97, "one-sided": 0.98})
    for run in turned["runs"]:
        if run["seed"] > SECOND:  # which the arms of the wall do not have
            run["test_accuracy"] = 0.0
    figure = shown(article.wall(turned))
    assert "over two seeds" in figure.description
    assert "4: 96.00 %; 1: 97.00 %" in figure.description
    assert {row[1] for row in figure.rows} == {str(FIRST), str(SECOND)}


def test_the_digit_figure_says_where_wrong_classes_end_in_both_networks(whole: dict) -> None:
    found = shown(push.one_digit(whole))
    assert found.title == "Wrong classes end at 0.00 in the article’s network, at −0.90 where below 0 is not penalised"
    whens = ("untrained", "after epoch 1", "after epoch 10")
    assert [row[:2] for row in found.rows] == [(arm, when) for arm in ("example-1", "one-sided") for when in whens]
    turned = deepcopy(whole)
    turned["arms"]["one-sided"]["digit_outputs"]["final"]["mean"] = [0.1] * 4 + [0.5] + [0.2] * 5
    assert "at 0.16 where below 0 is not penalised" in shown(push.one_digit(turned)).title
    turned["arms"]["one-sided"]["digit_outputs"]["start"]["mean"][0] = None  # as after a diverged run
    assert push.one_digit(turned) is None


def test_the_push_figure_has_a_state_for_each_way_to_place_the_targets(drawn: dict[str, Figure]) -> None:
    figure = drawn["push-back"]
    assert [row[:2] for row in figure.rows] == [
        ("0 and 1", "example-1"),
        ("0 and 1, below 0 not penalised", "one-sided"),
        ("−0.5 and 0.5", "gap1-low-0.5"),
        ("−0.8 and 0.8", "inside-0.8"),
        ("−1 and 0", "gap1-low-1"),
        ("−1 and 1", "targets"),
    ]
    assert [state.row for state in svg.states(figure.svg, "push-back", [(row[0], "so") for row in figure.rows])] == [
        0,
        1,
        2,
        3,
        4,
        5,
    ]
    assert not svg.states(drawn["dose"].svg, "dose", [])


def test_the_parts_of_a_drawing_follow_each_other_and_only_the_first_is_described_at_length(
    drawn: dict[str, Figure],
) -> None:
    figure = drawn["one-digit"]
    head, *networks = map(ElementTree.fromstring, svg.parts(figure.svg, figure.name))
    assert (head[0].text, head[1].text) == (figure.title, figure.description)
    assert [part[0].text for part in networks] == ["Targets 0 and 1", "Targets 0 and 1, below 0 not penalised"]
    assert not [part for part in networks if "aria-describedby" in part.attrib]
    assert [part.get("viewBox", "").split()[1] for part in (head, *networks)] != ["0", "0", "0"]
    tied = [[int(mark.get("data-row", "")) for mark in part.findall(".//*[@data-row]")] for part in networks]
    assert [sorted({*rows}) for rows in tied] == [[0, 1, 2], [3, 4, 5]]
    assert svg.parts(drawn["push-back"].svg, "push-back") == []


def test_the_digits_below_bars_are_one_text_in_which_the_right_one_looks_otherwise(drawn: dict[str, Figure]) -> None:
    digits = [
        t for t in ElementTree.fromstring(drawn["one-digit"].svg).iter("text") if "".join(t.itertext()) == "0123456789"
    ]
    assert len(digits) == 6
    for text in digits:
        assert [(part.text, part.get("class")) for part in text] == [("4", "strong f-ink")]
        assert len(text.get("x", "").split()) == 10


def test_a_state_is_a_drawing_of_its_own_in_its_own_place(drawn: dict[str, Figure]) -> None:
    figure = drawn["push-back"]
    _, _, width, height = map(float, str(ElementTree.fromstring(figure.svg).get("viewBox")).split())
    boxes = set()
    for row, alone in svg.states(figure.svg, "push-back", [(row[0], "so") for row in figure.rows]):
        root = ElementTree.fromstring(alone)
        assert root.get("aria-describedby") == root[1].get("id") == f"push-back-{row}-description"
        assert (root[0].text, root[1].text) == (figure.rows[row][0], "so")
        assert re.findall(r'data-row="(\d+)"', alone) == [str(row)]
        assert figure.rows[row][0] in "".join(text.text or "" for text in root.iter("text"))
        left, top, of_width, of_height = map(float, str(root.get("viewBox")).split())
        assert (of_width, of_height) == (pytest.approx(width / 2), pytest.approx(height / 3))
        boxes.add((round(2 * left / width), round(3 * top / height)))
    assert len(boxes) == len(figure.rows)


def test_the_push_figure_counts_errors_over_the_seeds_that_all_networks_share(whole: dict) -> None:
    before = [row[2] for row in shown(push.push_back(whole)).rows]
    turned = deepcopy(whole)
    for run in turned["runs"]:
        if run["arm"] == "example-1":  # the dose has one seed here
            run["test_accuracy"] = 0.95 if run["seed"] == FIRST else 0.5
    figure = shown(push.push_back(turned))
    assert [row[2] for row in figure.rows] == ["500", *before[1:]]
    assert figure.title.startswith("Stop penalising outputs below 0, and 500 errors become ")
    turned["arms"]["one-sided"]["push"] = None
    assert "errors become" not in shown(push.push_back(turned)).title
    turned["arms"]["example-1"]["push"] = None
    assert push.push_back(turned) is None


@pytest.mark.parametrize("name", ["example-1", "one-sided", "gap1-low-0.5", "targets"])
def test_the_curves_of_the_push_are_those_of_the_loss(plan: Study, whole: dict, name: str) -> None:
    y, curve = push._push_curve(whole["arms"][name])
    targets = np.full((len(y), 10), plan.arm(name).low_target)
    targets[:, 9] = plan.arm(name).high_target
    outputs = np.tile(y[:, None], 10)
    delta = closed_forms.output_delta(outputs, targets, "tanh", plan.arm(name).loss)[:, 0]
    np.testing.assert_allclose(curve, -10 / 2 * delta, atol=1e-12)


def test_the_changes_figure_says_which_changes_help_by_more_than_the_margin(whole: dict) -> None:
    def title(means: Mapping[str, float]) -> str:
        turned = deepcopy(whole)
        for contrast in turned["contrasts"]:
            contrast |= {"mean": means.get(contrast["name"], 0.0), "p_holm": 0.01 if contrast["name"] in means else 1}
        return shown(article.changes(turned)).title

    assert title({}) == "No single change to Example 1 clearly adds more than 0.25 points"
    some = {"targets": 0.012, "hidden": 0.02, "output": 0.002, "recipe": 0.04, "linear-one-sided": 0.04}
    assert title(some) == "Two single changes each add 1.20 to 2.00 points; the other three, at most 0.20"
    only = "A single change clearly helps, targets −1 and 1: +1.20 points; the rest, at most 0.00"
    assert title({"targets": 0.012, "output": -0.03}) == only
    every = dict.fromkeys(("targets", "output", "loss", "hidden", "one-sided"), 0.01)
    assert title(every) == "Five single changes each add 1.00 to 1.00 points"


def test_contrasts_are_grouped_by_what_they_compare_with(drawn: dict[str, Figure], whole: dict) -> None:
    figure = drawn["changes"]
    compared = [row[1] for row in figure.rows]
    assert [name for name, _ in itertools.groupby(compared)] == ["example-1", "linear-output", "targets"]
    headings = re.findall(r">(compared with [^<]*)<", figure.svg)
    compared_with = ("Example 1, all at once", "Example 1, one change at a time", "a linear output", "targets −1 and 1")
    assert headings == [f"compared with {name}" for name in compared_with]
    declared = [c["name"] for c in whole["contrasts"] if c["confirmatory"] and c["second"] == "example-1"]
    ordered = [c["name"] for c in whole["contrasts"] for row in figure.rows if (c["first"], c["second"]) == row[:2]]
    assert [name for name in ordered if name in declared] == declared


def test_lines_of_rows_pass_through_no_label(drawn: dict[str, Figure]) -> None:
    """They are dashed: each dash is between a row's label and the next one."""
    zero = re.search(
        r'stroke-dasharray="([\d.,]+)"[^>]* d="M[\d.]+ ([\d.]+)V[\d.]+" class="s-ink"', drawn["controls"].svg
    )
    assert zero is not None
    edges = list(itertools.accumulate(map(float, zero[1].split(",")), initial=float(zero[2])))
    dashes = list(zip(edges[::2], edges[1::2], strict=False))
    labels = [float(y) for y in re.findall(r'<text y="([\d.]+)">(?:Below|Control|Targets)', drawn["controls"].svg)]
    assert len(labels) == len(dashes) == 6
    assert all(label < start for label, (start, _) in zip(labels, dashes, strict=True))
    assert all(end < label - 11 for label, (_, end) in zip(labels[1:], dashes, strict=False))


def test_the_changes_figure_says_whether_two_arms_are_equivalent(whole: dict) -> None:
    turned = deepcopy(whole)
    (contrast,) = (c for c in turned["contrasts"] if c["name"] == "equivalence")
    contrast["equivalent"] = True
    assert ", within the margin" in shown(article.changes(turned)).description
    contrast["equivalent"] = False
    assert ", not shown to be within the margin" in shown(article.changes(turned)).description


def test_the_training_figure_says_whether_example_1_fits_worse(whole: dict) -> None:
    turned = deepcopy(whole)
    turned["arms"]["example-1"]["training_accuracy"]["mean"] = 0.981
    turned["arms"]["cross-entropy"]["training_accuracy"]["mean"] = 0.997
    title = "No: Example 1 fits worse, too: 98.10 % of training images right, cross-entropy 99.70 %"
    assert shown(article.training(turned)).title == title
    turned["arms"]["example-1"]["training_accuracy"]["mean"] = 0.998
    assert shown(article.training(turned)).title.startswith("Yes: Example 1 fits better: 99.80 %")
    turned["arms"]["relu"]["seeds"] = [FIRST]  # its images that are always wrong would not compare
    assert "relu" not in shown(article.training(turned)).arms
    turned["arms"]["cross-entropy"]["training_accuracy"] = None  # as in an older record
    assert article.training(turned) is None


def test_the_wall_figure_counts_the_steps_at_which_accuracy_rises(whole: dict) -> None:
    rising = dict(zip(article.WALL, (0.95, 0.96, 0.97, 0.975, 0.98), strict=True))
    title = "The less undershooting is penalised, the higher the accuracy: +3.00 points in all"
    assert shown(article.wall(scored(whole, rising))).title == title
    title = "Accuracy rises at 3 of 4 steps as undershooting is penalised less: +3.00 points in all"
    assert shown(article.wall(scored(whole, {**rising, "wall-quarter": 0.96}))).title == title


def test_controls_are_paired_with_the_network_that_they_change_and_may_help_as_much(whole: dict) -> None:
    scores = {"example-1": 0.97, "one-sided": 0.98, "linear-output": 0.97, "linear-one-sided": 0.98}
    figure = shown(article.controls(scored(whole, {**scores, "wrong-half": 0.972, "overshoot-free": 0.971})))
    assert {row[3] for row in figure.rows if row[:2] == ("wrong-half", "example-1")} == {"+0.20"}
    told = "No: controls gain at most 0.20 points, not penalising outputs below 0 at least 1.00"
    assert figure.title == told
    figure = shown(article.controls(scored(whole, {**scores, "wrong-half": 0.975, "overshoot-free": 0.971})))
    assert figure.title.startswith("In part: controls gain at most 0.50 points")


def test_the_factorial_figure_names_the_stronger_factor(whole: dict) -> None:
    base = {name: 0.97 for name, arm in whole["arms"].items() if arm["block"] == "outputs"}
    head = shown(article.factorial(scored(whole, {**base, "relu-softmax-ce": 0.99, "tanh-softmax-ce": 0.985})))
    assert head.title == "Up to 2.00 points come from output, loss and targets, up to 0.50 from hidden activation"
    relu = {name: 0.98 for name in base if whole["arms"][name]["hidden"] == "relu"}
    assert shown(article.factorial(scored(whole, {**base, **relu}))).title == (
        "Up to 1.00 points come from hidden activation, up to 0.00 from output, loss and targets"
    )
    assert len(head.rows) == 14


def test_the_dose_figure_tells_place_from_distance(whole: dict) -> None:
    codings = {name: 0.97 for name, arm in whole["arms"].items() if arm["block"] == "dose"}
    assert shown(article.dose(scored(whole, {**codings, "low0": 0.98}))).title == (
        "Neither: no other targets do better than 0 and 1"
    )
    figure = shown(article.dose(scored(whole, {**codings, "gap1-low-1": 0.976, "inside-0.8": 0.98})))
    title = "Both: lower targets gain 0.60 points at the same distance, lower and wider ones 1.00"
    assert figure.title == title
    place = shown(article.dose(scored(whole, {**codings, "gap1-low-1": 0.98, "inside-0.8": 0.976})))
    assert place.title.startswith("Where they lie: ")
    distance = shown(article.dose(scored(whole, {**codings, "inside-0.8": 0.976})))
    assert distance.title.startswith("How far apart: ")
    assert figure.rows[-1][0] == "inside-0.8"  # the best is the last row


def test_the_rates_figure_ranks_the_arms_on_the_test_images(whole: dict) -> None:
    best = {"best-rate-example-1": 0.97, "best-rate-cross-entropy": 0.98}
    figure = shown(article.rates(scored(whole, best)))
    assert figure.title == "No: each at its best rate, cross-entropy still leads Example 1 by 1.00 points"
    turned = shown(article.rates(scored(whole, {**best, "best-rate-example-1": 0.99})))
    assert turned.title == "Yes: each at its best rate, Example 1 leads cross-entropy by 1.00 points"
    assert {row[-1] for row in turned.rows} == {"held-out images", "test images"}


def test_the_title_of_the_rates_figure_is_about_what_it_draws(whole: dict) -> None:
    with toolkit.styled(pictures=False):
        figure = shown(article.rates(scored(whole, {"best-rate-example-1": 0.97, "best-rate-cross-entropy": 0.98})))
    texts = {re.sub(r"\s+", " ", text).strip() for text in re.findall(r"<text[^>]*>([^<]*)</text>", figure.svg)}
    assert {"97.00 %", "98.00 %", "Test accuracy, %, each at its best rate", "Held-out accuracy, %"} <= texts


def test_the_sgd_figure_marks_the_rates_at_which_a_run_diverged(whole: dict) -> None:
    assert "Diverged" not in shown(article.sgd(whole)).description
    turned = deepcopy(whole)
    name = next(name for name in turned["arms"] if name.startswith("sgd-example-1-"))
    turned["arms"][name]["diverged_seeds"] = 1
    assert f"Diverged: {name}." in shown(article.sgd(turned)).description


def test_the_axis_of_rates_is_stretched_where_one_of_them_fails(whole: dict) -> None:
    def drawn_axis(accuracy: float) -> str:
        turned = deepcopy(whole)
        for run in turned["runs"]:
            if run["arm"].startswith("sgd-targets-1"):
                run["held_out_accuracy"] = accuracy
        with toolkit.styled(pictures=False):
            return shown(article.sgd(turned)).svg

    assert "% (stretched)" in drawn_axis(0.2)
    assert "% (stretched)" not in drawn_axis(0.95)


def test_saturated_starts_are_told_by_optimizer(whole: dict) -> None:
    reached = {"saturated-example-1": 0.1, "saturated-cross-entropy": 0.94, "saturated-adam-example-1": 0.95}
    figure = shown(article.saturated(scored(whole, reached)))
    assert figure.title == "If outputs start saturated, Example 1 reaches 10.0 % with plain SGD, 95.0 % with Adam"
    low = shown(article.saturated(scored(whole, {**reached, "saturated-adam-example-1": 0.2})))
    assert "reaches only 10.0 % with plain SGD, 20.0 % with Adam" in low.title
    assert len(figure.arms) == 6
    slopes = {row[0]: row[2] for row in figure.rows}
    assert slopes["saturated-cross-entropy"] == "–" != slopes["saturated-example-1"]


def test_the_depth_figure_says_where_the_gradient_vanishes(whole: dict) -> None:
    turned = deepcopy(whole)
    for name, arm in turned["arms"].items():
        if arm["block"] == "depth":
            arm["gradient"]["start"]["first_over_output"] = 1.24e-5 if "8-sigmoid" in name else 0.5
    turned["arms"]["depth8-relu-he-mse"]["gradient"]["start"]["first_over_output"] = 0.7
    title = "Yes, with sigmoid: after 8 layers 1/81,000 of the gradient is left; with ReLU, He’s weights, ×0.7"
    assert shown(article.depth(turned)).title == title
    turned["arms"]["depth8-sigmoid-mse"]["gradient"] = None
    assert (
        shown(article.depth(turned)).title
        == "No: 8 layers leave 0.5 (tanh) to 0.7 (ReLU, He’s weights) of the gradient"
    )
    assert [row[3] for row in shown(article.depth(turned)).rows if row[0] == "depth8-sigmoid-mse"] == ["–"]


def test_readouts_are_paired_with_their_features_own_output_layer(whole: dict) -> None:
    swapped = {"example-1-read-by-cross-entropy": 0.97, "cross-entropy-read-by-example-1": 0.975}
    turned = scored(whole, {"example-1": 0.96, "cross-entropy": 0.98, **swapped})
    for run in turned["runs"]:
        run["least_squares_accuracy"] = 0.965 if run["arm"] == "example-1" else 0.978
        if run["seed"] > SECOND and run["arm"] == "example-1":  # not a seed of the swapped readouts
            run["test_accuracy"] = 0.93
    with toolkit.styled(pictures=False):
        texts = shown(article.readouts(turned)).svg
    assert "97.00 (+1.00)" in texts
    assert "97.50 (−0.50)" in texts
    assert "96.50 (+1.50)" in texts  # of all three seeds


def test_the_readouts_figure_says_how_much_the_exact_readout_wins_back(whole: dict) -> None:
    def title(exact: float) -> str:
        turned = scored(whole, {"example-1": 0.96, "cross-entropy": 0.98})
        for run in turned["runs"]:
            run["least_squares_accuracy"] = exact if run["arm"] == "example-1" else 0.98
        return shown(article.readouts(turned)).title

    assert (
        title(0.965) == "Not only the readout: an exact readout wins back 0.50 of the 2.00 points that Example 1 lacks"
    )
    assert title(0.975) == "Mostly the readout: an exact readout wins Example 1 back 1.50 of 2.00 points"
    assert title(0.955) == "Not the readout: an exact readout wins Example 1 back none of 2.00 points"


def test_accuracies_on_held_out_and_on_test_images_never_share_an_axis(results: dict) -> None:
    changed = deepcopy(results)
    hold_out(changed, "example-2")
    first = drawing.draw(changed, fixture.FIGURES, pictures=False)[0]
    assert first.name == "accuracy"
    assert first.arms == ("example-1", "example-3")
    for name in ("example-1", "example-3"):
        hold_out(changed, name)
    first = drawing.draw(changed, fixture.FIGURES, pictures=False)[0]
    assert len(first.arms) == 3
    assert first.description.startswith("Accuracy on held-out training images of every run on MNIST")
    assert first.columns == ("Arm", "Seed", "Accuracy on held-out training images")
    assert ">Accuracy on held-out training images, %<" in re.sub(r"\s+", " ", first.svg)


def hold_out(results: dict, name: str) -> None:
    """Turns an arm of `results` into one that is measured on held-out images, with the same accuracy."""
    for measured in (results["arms"][name], *(run for run in results["runs"] if run["arm"] == name)):
        measured |= {"held_out_accuracy": measured["test_accuracy"], "test_accuracy": None, "holdout": 5000}
        if "test_accuracy_by_epoch" in measured:
            curve = measured["test_accuracy_by_epoch"]
            measured |= {"held_out_accuracy_by_epoch": curve, "test_accuracy_by_epoch": None}


def test_long_training_is_judged_on_test_and_on_training_images(whole: dict) -> None:
    turned = scored(whole, {"long-example-1": 0.97, "long-cross-entropy": 0.98})
    for run in turned["runs"]:
        run["training_accuracy"] = {"long-example-1": 0.996, "long-cross-entropy": 0.999}.get(run["arm"], 0.99)
    figure = shown(article.long(turned))
    title = "No: after 30 epochs, cross-entropy’s lead is +1.00 points on test, +0.30 on training images"
    assert figure.title == title
    fits = {int(row[1]): row[-1] for row in figure.rows if row[0] == "long-example-1"}
    assert (fits[10], fits[30]) == ("99.00 %", "99.60 %")  # after ten epochs, from the shorter run of the same seed
    assert {epoch for epoch, fit in fits.items() if fit == "–"} == {
        1,
        5,
        15,
        20,
        25,
    }  # the first, and those with a mark
    for run in turned["runs"]:
        run["training_accuracy"] = None  # as in an older record
    assert shown(article.long(turned)).title == "No: after 30 epochs cross-entropy leads Example 1 by 1.00 points"
    cured = scored(turned, {"long-example-1": 0.98})
    assert shown(article.long(cured)).title.startswith("Yes: after 30 epochs ")


def test_the_reliability_figure_says_whether_example_1_is_calibrated(whole: dict) -> None:
    turned = deepcopy(whole)
    errors = {"example-1": 0.1, "tanh-softmax-mse": 0.5, "targets": 0.02, "cross-entropy": None}
    for name, error in errors.items():
        turned["arms"][name]["calibration"]["ece"] = error
    turned["arms"]["cross-entropy"]["calibration"]["reliability"] = []
    title = "Example 1’s are not: calibration error 10.0 %, against 2.0 % with targets ±1"
    assert article.reliability(turned).title == title
    turned["arms"]["example-1"]["calibration"]["ece"] = 0.01
    assert article.reliability(turned).title.startswith("Example 1’s nearly are: calibration error 1.0 %")
    turned["arms"]["example-1"]["calibration"]["ece"] = None
    title = "Calibration error: 2.0 % (targets ±1), 50.0 % (softmax, squared error)"
    assert article.reliability(turned).title == title


def test_the_outputs_figure_shows_the_targets_arm_next_to_the_examples(drawn: dict[str, Figure]) -> None:
    assert list(dict.fromkeys(row[0] for row in drawn["outputs"].rows))[-1] == "targets"


def test_outputs_that_are_not_finite_are_a_dash_in_the_figure(whole: dict) -> None:
    diverged = deepcopy(whole)
    diverged["arms"]["example-1"] |= {"negative_share": None, "row_sum_mean": None}
    with toolkit.styled(pictures=False):
        assert article.outputs(diverged).title == (
            "Example 1: – of outputs are negative; per image they sum to – on average"
        )


def test_labels_are_moved_apart_no_further_than_necessary() -> None:
    assert toolkit.spread_out([0.5], 0.1).tolist() == [0.5]
    assert toolkit.spread_out([0.5, 0.1], 0.1).tolist() == pytest.approx([0.5, 0.1])
    assert toolkit.spread_out([0.5, 0.5, 0.9], 0.1).tolist() == pytest.approx([0.45, 0.55, 0.9])
    assert toolkit.spread_out([1.0, 1.0], 0.1).tolist() == pytest.approx([0.9, 1.0])


def test_long_labels_are_broken_into_the_fewest_lines_of_about_the_same_width() -> None:
    assert toolkit.wrap("Example 1", 2) == ["Example 1"]
    assert toolkit.wrap("softmax, squared error", 1.6) == ["softmax,", "squared error"]
    assert toolkit.wrap("a-name-of-many-parts", 1.4) == ["a-name-of-", "many-parts"]
    assert toolkit.wrap("one\ntwo", 2) == ["one", "two"]
    text = "what was changed, and why, and what we expected of it"
    lines = toolkit.wrap(text, 2)
    assert " ".join(lines) == text
    assert max(map(toolkit.text_width, lines)) <= 2
    assert min(map(toolkit.text_width, lines)) > 1


def test_rows_grow_with_the_lines_of_their_labels() -> None:
    label = "A label so long that it needs two lines beside its note"
    assert toolkit.rows_height([label], ["97.00 %"], "x") == pytest.approx(
        toolkit.rows_height(["short"], ["97.00 %"], "x") + 1.2 * toolkit.LINE
    )


def test_a_ratio_is_written_with_two_digits() -> None:
    assert [formats.ratio(value) for value in (1.234, 0.0512, 0.00512, 1.24e-5)] == [
        "1.2",
        "0.051",
        "1/200",
        "1/81,000",
    ]


def test_every_seed_is_in_the_accuracy_figures_table(drawn: dict[str, Figure]) -> None:
    assert len(drawn["accuracy"].rows) == 4 * 3
    assert ("Example 1, the article’s network", str(FIRST), "350") in drawn["accuracy"].rows


@pytest.fixture(scope="module")
def crowded(results: dict) -> dict:
    """The examples with sixty runs each, whose accuracies are 0.900, 0.901, … 0.959; the third diverged."""
    changed = deepcopy(results)
    changed["runs"] = [
        {**run, "seed": seed, "test_accuracy": 0.9 + 0.001 * seed, "diverged_epoch": 4 if seed == 2 else None}
        for run in changed["runs"]
        if run["seed"] == FIRST
        for seed in range(60)
    ]
    for arm in changed["arms"].values():
        arm["seeds"] = list(range(60))
    return changed


def test_quantiles_are_drawn_and_listed_for_many_seeds(crowded: dict) -> None:
    figure = article.accuracy(crowded)
    own = [row[1:] for row in figure.rows if row[0] == "example-1"]
    assert own[0] == ("lowest of 60 seeds", "90.00 %")
    assert own[3] == ("50 % quantile of 60 seeds", "92.95 %")
    assert own[-1] == ("highest of 60 seeds", "95.90 %")
    assert len(own) == figure.svg.count("data-row") / 3 == 7
    assert "of the runs, of many by quantiles, on MNIST" in figure.description


def test_the_lowest_of_many_runs_is_marked_as_diverged(crowded: dict) -> None:
    shown = figures.plotted_runs([run for run in crowded["runs"] if run["arm"] == "example-1"])
    assert [run["diverged_epoch"] for run in shown] == [4, *[None] * 6]


def test_only_the_best_and_the_worst_of_many_arms_are_drawn(results: dict) -> None:
    arms = {}
    for number in range(100):
        arm = deepcopy(results["arms"]["example-1"])
        arm["test_accuracy"]["mean"] = number / 100
        arms[f"arm-{number}"] = {**arm, "block": "another", "title": f"Arm {number}"}
    runs = [{**results["runs"][0], "arm": name} for name in arms]
    figure = article.accuracy({**results, "arms": arms, "runs": runs})
    assert figure.arms == tuple(f"arm-{number}" for number in (*range(99, 89, -1), *range(9, -1, -1)))
    assert "The best and the worst; 80 arms lie between." in figure.description


def test_learning_curves_show_every_epoch_of_every_arm(drawn: dict[str, Figure]) -> None:
    assert len(drawn["learning-curves"].rows) == 4 * 10


def test_text_stays_text_and_colours_are_classes(drawn: dict[str, Figure]) -> None:
    for figure in drawn.values():
        assert "style=" not in figure.svg
        assert not re.search(r'(fill|stroke)="#', figure.svg)
        assert not re.search(r"#[0-9a-f]{6}\b", figure.svg)
        assert "<text" in figure.svg


def test_drawing_the_same_numbers_twice_gives_the_same_bytes(whole: dict, drawn: dict[str, Figure]) -> None:
    again = drawing.draw(json.loads(to_json(whole)), fixture.FIGURES, pictures=False)
    assert [figure.svg for figure in again] == [figure.svg for figure in drawn.values()]


def test_every_class_in_a_figure_has_a_rule_in_the_style_sheet(drawn: dict[str, Figure]) -> None:
    style = (Path(__file__).parents[2] / "templates" / "style.css").read_text()
    used = {
        name
        for figure in drawn.values()
        for names in re.findall(r'class="([^"]+)"', figure.svg)
        for name in names.split()
    }
    assert used
    assert all(f".{name} " in style for name in used)


def test_ids_are_unique_to_the_figure_and_every_reference_has_its_target(drawn: dict[str, Figure]) -> None:
    for name, figure in drawn.items():
        ids = re.findall(r'\bid="([^"]+)"', figure.svg)
        assert len(ids) == len(set(ids))
        assert all(ident.startswith(name) for ident in ids)
        assert set(re.findall(r'href="#([^"]+)"', figure.svg)) <= set(ids)


def test_figures_are_redrawn_only_when_something_changed(results: dict, tmp_path: Path) -> None:
    assert figures.update(results, tmp_path, fixture.draw) == 4
    assert figures.update(results, tmp_path, fixture.draw) == 0
    assert figures.update({**results, "inputs": "other"}, tmp_path, fixture.draw) == 4
    assert figures.read(tmp_path)[1] == "other"


def test_figures_are_redrawn_when_the_articles_own_code_changes(results: dict, tmp_path: Path) -> None:
    path = tmp_path / "figures.py"
    path.write_text("def draw(results): ...")
    assert figures.update(results, tmp_path / "plots", fixture.draw, path) == 4
    assert figures.update(results, tmp_path / "plots", fixture.draw, path) == 0
    path.write_text("def draw(results): return []")
    assert figures.update(results, tmp_path / "plots", fixture.draw, path) == 4


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def draw(results):\n    return 1 / 0\n", "figures.py:2: ZeroDivisionError: "),
        ("def draw(results):\n    raise SystemExit(0)\n", "figures.py:2: SystemExit: 0"),
        ("import sys\nsys.exit(0)\n", "figures.py:2: SystemExit: 0"),
        ("x = 1\ndef draw(:\n", "figures.py:2: SyntaxError: "),
    ],
)
def test_a_mistake_in_the_articles_figures_is_one_line_with_its_place(
    results: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: str
) -> None:
    monkeypatch.chdir(tmp_path)
    path = Path("figures.py")  # as `make plots ARTICLE=.` names it
    path.write_text(text)
    with pytest.raises(UserError) as raised:
        figures.update(results, tmp_path / "plots", lambda found: drawing.draw(found, path), path)
    assert str(raised.value).startswith(expected)


def test_the_generic_figures_fit_any_study(whole: dict) -> None:
    renamed = {name: {**arm, "block": "mine"} for name, arm in whole["arms"].items()}
    found = drawing.draw({**whole, "arms": renamed}, pictures=False)
    assert tuple(figure.name for figure in found) == figures.GENERIC
    for figure in found:
        assert figure.rows
        assert all(len(row) == len(figure.columns) for row in figure.rows)
        assert len(figure.title) <= MAX_TITLE


def test_long_titles_leave_room_for_the_drawing(whole: dict) -> None:
    """Drawings whose labels take all the room are left as they are by Matplotlib, which warns, and that is an error."""
    title = "A network with a title that says at length what was changed, and why, and then goes on: as here"
    arms = {f"{name}-{'long-' * 9}{name}"[:64]: arm for name, arm in list(whole["arms"].items())[:4]}
    names = dict(zip(list(whole["arms"])[:4], arms, strict=True))
    runs = [{**run, "arm": names[run["arm"]]} for run in whole["runs"] if run["arm"] in names]
    renamed = {name: {**arm, "title": title, "block": "mine"} for name, arm in arms.items()}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = drawing.draw({**whole, "arms": renamed, "runs": runs, "contrasts": []}, pictures=False)
    labels = {toolkit.arm_label(name, arm) for name, arm in renamed.items()}
    assert len(labels) == len(arms)
    assert max(map(len, labels)) == toolkit.MAX_LABEL
    assert all(label in found[0].svg for label in labels)


@pytest.mark.parametrize("name", ["Accuracy", "a/b", "../a", ""])
def test_a_figure_whose_name_is_no_file_name_is_refused(results: dict, tmp_path: Path, name: str) -> None:
    path = tmp_path / "figures.py"
    path.write_text(
        f"from experiments.plots import generic\nfrom dataclasses import replace\n"
        f"def draw(results):\n    return [replace(generic.accuracy(results), name={name!r})]"
    )
    with pytest.raises(UserError, match="a figure is called"):
        drawing.draw(results, path)


@pytest.mark.parametrize("damaged", ["figures.json", "accuracy.png", "preview.png"])
def test_damaged_figures_are_redrawn(results: dict, tmp_path: Path, damaged: str) -> None:
    figures.update(results, tmp_path, fixture.draw)
    before = figures.read(tmp_path)
    (tmp_path / damaged).unlink()
    assert figures.update(results, tmp_path, fixture.draw) == 4
    (tmp_path / "figures.json").write_text('{"format": 3, "figures": 7}')
    with pytest.raises(UserError, match="Run 'make report'"):
        figures.read(tmp_path)
    assert figures.update(results, tmp_path, fixture.draw) == 4
    assert figures.read(tmp_path) == before


def test_a_standalone_figure_includes_its_colours(results: dict, tmp_path: Path) -> None:
    figures.update(results, tmp_path, fixture.draw)
    root = ElementTree.parse(tmp_path / "accuracy.svg").getroot()
    assert root.tag == f"{{{svg.SVG}}}svg"
    assert ".f-ink{fill:#111111}" in (tmp_path / "accuracy.svg").read_text()


def test_cleaning_drops_only_elements_that_show_nothing() -> None:
    raw = (
        f'<svg xmlns="{svg.SVG}" viewBox="0 0 9 9" width="9pt"><metadata>m</metadata><g id="a"><g id="b">'
        '<path d="M 1.2345 2 L 3.06 4" style="fill: none; stroke: #111111; stroke-width: 0.8"/></g></g>'
        '<path d="M 0 0" style="fill: none"/><g id="c"/></svg>'
    )
    assert svg.clean(raw, "f", "T", "D") == (
        '<svg viewBox="0 0 9 9" font-size="11.2px" fill="none" stroke-width="0.6" role="img" '
        'aria-describedby="f-description"><title>T</title><desc id="f-description">D</desc>'
        '<path stroke-width="0.8" d="M1.2 2 3.1 4" class="s-ink"/></svg>'
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("M 0 0 L 5 0 L 9 0 L 9 4", "M0 0H9V4"),  # level, then upright
        ("M 0 0 L 5 0 L 3 0", "M0 0H5 3"),  # a way back is drawn
        ("M 1 1 L 1 1 L 2 2 z", "M1 1 2 2z"),  # a step that goes nowhere is not
        ("M 0 0 C 1 1 2 2 3 3", "M0 0C1 1 2 2 3 3"),  # curves stay
        ("M 100 100 L 100.5 99 L 101 102", "M100 100l.5-1 .5 3"),  # from point to point where that is shorter
        ("M 50 90 L 90 50 z M 51 91 L 60 95", "M50 90 90 50zm1 1 9 4"),  # a closed path ends at its start
    ],
)
def test_a_path_is_written_in_the_fewest_steps(given: str, message: str) -> None:
    raw = f'<svg xmlns="{svg.SVG}" viewBox="0 0 9 9"><path d="{given}" style="stroke: #111111"/></svg>'
    assert f' d="{message}" ' in svg.clean(raw, "f", "T", "D")


def test_marks_of_one_class_share_a_group_and_each_has_its_row() -> None:
    use = f'<use xmlns:x="{svg.XLINK}" x:href="#mark" x="{{}}" y="1" style="fill: #0072b2"/>'
    shape = '<path id="mark" d="M 0 0 L 1 1 L 0 1 z"/>'
    group = f'<g id="{svg.rows(3, 7)}"><defs>{shape}</defs>{use.format(1)}{use.format(2)}</g>'
    cleaned = svg.clean(f'<svg xmlns="{svg.SVG}" viewBox="0 0 9 9">{group}</svg>', "f", "T", "D")
    marks = '<path data-row="3" d="M1 1 2 2H1z"/><path data-row="7" d="M2 1 3 2H2z"/>'
    assert cleaned.endswith(f'<g class="f-a point">{marks}</g></svg>')


def test_round_marks_are_points_with_round_ends_and_share_their_opacity() -> None:
    with toolkit.styled():
        canvas, axes = toolkit.plt.subplots()
        axes.scatter([1, 2, 3], [1, 2, 3], color="#0072b2", alpha=0.5, linewidths=0)
        axes.scatter([1, 2, 3], [3, 2, 1], color="#0072b2", alpha=0.5, linewidths=0, marker="D")
        buffer = io.StringIO()
        canvas.savefig(buffer, format="svg")
        toolkit.plt.close(canvas)
    cleaned = svg.clean(buffer.getvalue(), "f", "T", "D")
    ((width, points),) = re.findall(
        r'<g stroke-width="([\d.]+)" stroke-linecap="round" stroke-opacity="0.5" class="s-a">(.*?)</g>', cleaned
    )
    assert float(width) == pytest.approx(toolkit.plt.rcParams["lines.markersize"], abs=0.2)
    assert re.fullmatch(r'(<path d="M[\d.]+ [\d.]+h.01"/>){3}', points)
    assert len(re.findall(r'<g fill-opacity="0.5" class="f-a">(?:<path d="M[^"]*z"/>){3}</g>', cleaned)) == 1
    assert (cleaned.count("-opacity"), cleaned.count("<use"), cleaned.count("<defs")) == (2, 0, 0)
    assert not re.search(r'd="[^"]*C', cleaned)


def test_a_plot_with_marks_that_have_no_row_is_an_error() -> None:
    group = f'<g id="{svg.rows(1, 2)}"><path d="M 0 0 L 1 1"/></g>'
    with pytest.raises(ValueError, match="longer than"):
        svg.clean(f'<svg xmlns="{svg.SVG}" viewBox="0 0 9 9">{group}</svg>', "f", "T", "D")


def test_the_drawings_are_the_same_without_png_copies(results: dict) -> None:
    whole, without = (drawing.draw(results, fixture.FIGURES, pictures=pictures) for pictures in (True, False))
    assert [replace(figure, png=b"", preview=b"") for figure in whole] == without
    assert whole[0].png
    assert whole[0].preview


def drawing_of(*elements: str) -> str:
    """What is left of these elements, without the drawing around them."""
    cleaned = svg.clean(f'<svg xmlns="{svg.SVG}" viewBox="0 0 9 9">{"".join(elements)}</svg>', "f", "T", "D")
    return cleaned.split("</desc>")[1].removesuffix("</svg>")


def test_lines_that_look_the_same_are_one_path_but_not_where_crossings_would_vanish_or_rows_would_mix() -> None:
    plain = '<path d="M 0 0 L 9 0" style="stroke: #111111"/>'
    sheer = '<path d="M 0 0 L 9 0" style="stroke: #111111; stroke-opacity: 0.5"/>'
    assert drawing_of(plain, plain).count("<path") == 1
    assert drawing_of(sheer, sheer).count("<path") == 2
    assert drawing_of(f'<g id="{svg.rows(0, 1)}">{plain}{plain}</g>').count("<path") == 2


def test_labels_that_look_the_same_share_a_group_and_most_text_says_no_size() -> None:
    label = '<text style="font-size: 11px; text-anchor: middle" x="1" y="{}">a</text>'
    grid = '<path d="M 0 {0} L 9 {0}" style="stroke: #dddddd"/>'
    ticks = [element.format(y) for y in (1, 2) for element in (grid, label)]
    assert drawing_of(*ticks) == (
        '<path d="M0 1H9M0 2H9" class="s-grid"/>'
        '<g text-anchor="middle"><text x="1" y="1">a</text><text x="1" y="2">a</text></g>'
    )
