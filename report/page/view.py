"""The view model: results, verdicts and figures in; what templates show out. Templates choose words, nothing else.

A decision is a boolean, a number is ready for a filter, and what was not measured is None. Nothing here names an arm
or a contrast: an article's own decisions are in `view.py` beside its claims, which is loaded by its path.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from experiments.analysis import inference
from experiments.analysis.results import ContrastResult, DatasetDescription, Results, RunResult, Summary
from experiments.files.errors import UserError, code_place, display_path
from experiments.files.python import load_module
from experiments.plots.figures import Figure, final_accuracy, plotted_runs
from experiments.study.model import SettingValue
from report.claims import margins
from report.claims.model import NOT, PARTLY, SUPPORTED, Claim, Verdict
from report.page.measured import Change, Difference, Measured, changes, difference
from report.page.passport import other_settings


@dataclass(frozen=True)
class PageView:
    """What the templates of every article's page decide by.

    equivalence_confidence: of the interval that decides on equivalence. chart: the figure beside the answer; finding:
    the one whose title describes the page. many_seeds: whether a contrast has so many that signs are not enumerated.
    replication and record: None where there is none. claims: in the article's order. other_article: whether commands
    must name the article's folder.
    """

    data: Data
    notices: Notices
    equivalence_confidence: float
    chart: Figure
    finding: Figure
    changes: tuple[Change, ...]
    contrasts: tuple[ContrastRow, ...]
    many_seeds: bool
    replication: Replication | None
    record: Record | None
    claims: tuple[ClaimRow, ...]
    claims_after_runs: int
    one_claim_after_runs: bool
    verdict_counts: tuple[VerdictCount, ...]
    usual_settings: Mapping[str, SettingValue]
    arms: tuple[ArmRow, ...]
    other_article: bool

    @property
    def supported(self) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.claims if row.verdict == SUPPORTED)

    @property
    def partly_supported(self) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.claims if row.verdict == PARTLY)

    @property
    def number_supported(self) -> int:
        return len(self.supported)

    @property
    def number_partly_supported(self) -> int:
        return len(self.partly_supported)

    @property
    def single_claim(self) -> bool:
        return len(self.claims) == 1


def page_view(
    results: Results,
    figures: Mapping[str, Figure],
    verdicts: Sequence[Verdict],
    recorded: Mapping[str, str],
    labels: Mapping[str, str],
    questions: Mapping[str, str],
    other_article: bool = False,
) -> PageView:
    """`verdicts`: in the article's order; `recorded`: the verdicts on the record's numbers, by claim; `labels`: what a
    contrast changes, in words, by its name; `questions`: those that figures answer, by the figure's name.
    """
    first = next(iter(figures.values()))
    rows = claim_rows(results, figures, verdicts, recorded, questions)
    after_runs = sum(row.claim.after_runs for row in rows)
    return PageView(
        data=data(results["dataset"]),
        notices=notices(results),
        equivalence_confidence=2 * results["confidence"] - 1,
        chart=first,
        finding=figures.get(next(iter(questions), ""), first),
        changes=changes(results, labels),
        contrasts=contrast_rows(results),
        many_seeds=any(row["n"] > inference.MAX_ENUMERATED for row in results["contrasts"]),
        replication=replication(results),
        record=record(results, rows, recorded),
        claims=rows,
        claims_after_runs=after_runs,
        one_claim_after_runs=after_runs == 1,
        verdict_counts=verdict_counts([judged.verdict for judged in verdicts]),
        usual_settings=other_settings(results["arms"]).usual,
        arms=arm_rows(results),
        other_article=other_article,
    )


# ---------------------------------------------------------------------------------------------- data and notices


@dataclass(frozen=True)
class Data:
    """The data set of the page. one_image: what a single test image counts, as a fraction."""

    is_mnist: bool
    shows_digits: bool
    one_image: float


def data(dataset: DatasetDescription) -> Data:
    name = dataset["name"]
    return Data(name == "mnist", name in ("mnist", "digits"), 1 / dataset["test_images"])


@dataclass(frozen=True)
class Notices:
    """What a reader must not miss. runs: measured; missing: how many runs each block lacks."""

    being_measured: bool
    stand_in: bool
    other_data: bool
    unfinished: bool
    runs: int
    missing: Mapping[str, int]


def notices(results: Results) -> Notices:
    dataset, runs = results["dataset"], len(results["runs"])
    return Notices(
        being_measured=bool(dataset.get("measuring")),
        stand_in=bool(dataset["fallback"]),
        other_data=dataset["name"] != "mnist",
        unfinished=runs < results["runs_expected"],
        runs=runs,
        missing=results.get("runs_missing", {}),
    )


# ---------------------------------------------------------------------------------------------- contrasts


@dataclass(frozen=True)
class ContrastRow:
    """A declared contrast. What follows its question is None where it is not measured.

    told_apart: in how many of its seeds McNemar's test tells the two runs apart. detectable: a fraction.
    """

    question: str
    difference: Difference | None
    p: float | None = None
    p_holm: float | None = None
    told_apart: int | None = None
    detectable: float | None = None


def contrast_rows(results: Summary) -> tuple[ContrastRow, ...]:
    return tuple(map(_contrast_row, results["contrasts"]))


def _contrast_row(row: ContrastResult) -> ContrastRow:
    if not row["n"]:
        return ContrastRow(row["question"], None)
    told_apart = round(row["mcnemar_share"] * row["n"])
    return ContrastRow(row["question"], difference(row), row["p"], row["p_holm"], told_apart, row["detectable"])


@dataclass(frozen=True)
class Replication:
    """The same contrasts on another data set. one_image: what a single test image counts, as a fraction."""

    dataset: DatasetDescription
    epochs: int
    one_image: float
    contrasts: tuple[ContrastRow, ...]


def replication(results: Results) -> Replication | None:
    other = results["replication"]
    if not other:
        return None
    dataset = other["dataset"]
    return Replication(dataset, other["runs"][0]["epochs"], 1 / dataset["test_images"], contrast_rows(other))


@dataclass(frozen=True)
class Record:
    """What was measured here, compared with the record.

    compared, agreeing: numbers of contrasts; verdicts: how many there are to compare, 0 for none; turned: the claims
    whose verdict on the record's numbers is another one.
    """

    recorded: str
    processors: Sequence[str]
    compared: int
    agreeing: int
    verdicts: int
    turned: tuple[ClaimRow, ...]


def record(results: Results, rows: Sequence[ClaimRow], recorded: Mapping[str, str]) -> Record | None:
    comparison = results["record_comparison"]
    if not comparison or not comparison["contrasts"]:
        return None
    return Record(
        recorded=comparison["recorded"],
        processors=comparison["processors"],
        compared=len(comparison["contrasts"]),
        agreeing=sum(row["agree"] for row in comparison["contrasts"]),
        verdicts=len(recorded),
        turned=tuple(row for row in rows if row.verdict_on_record),
    )


# ---------------------------------------------------------------------------------------------- claims


@dataclass(frozen=True)
class EvidenceRow:
    """A number that a rule names. agreeing: in how many `seeds` a difference has the sign of its mean, or None."""

    label: str
    value: float | None
    unit: str
    agreeing: int | None
    seeds: int | None


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its number in the article's order and all that its row shows.

    margin: how far the verdict is from turning, in a sentence; decided: whether there is one. figures: name and
    question of those that show the evidence. uncertain: contrasts that differ from 0 over seeds but not over test
    images. verdict_on_record: the verdict on the record's numbers, where it is another one, else "".
    """

    number: int
    claim: Claim
    verdict: str
    evidence: tuple[EvidenceRow, ...]
    decided: bool
    margin: str
    figures: tuple[tuple[str, str], ...]
    uncertain: tuple[Difference, ...]
    verdict_on_record: str


@dataclass(frozen=True)
class VerdictCount:
    verdict: str
    number: int
    single: bool


def verdict_counts(verdicts: Sequence[str]) -> tuple[VerdictCount, ...]:
    """How often each verdict was given, the most frequent first."""
    return tuple(VerdictCount(verdict, n, n == 1) for verdict, n in Counter(verdicts).most_common())


def claim_rows(
    results: Results,
    figures: Mapping[str, Figure],
    verdicts: Sequence[Verdict],
    recorded: Mapping[str, str],
    questions: Mapping[str, str],
) -> tuple[ClaimRow, ...]:
    measured = Measured(results)
    rows = []
    for number, judged in enumerate(verdicts, 1):
        on_record = recorded.get(judged.claim.id, judged.verdict)
        uncertain = (_uncertain(measured, evidence.path) for evidence in judged.claim.evidence.values())
        decisions = (SUPPORTED, PARTLY, NOT)
        rows.append(
            ClaimRow(
                number=number,
                claim=judged.claim,
                verdict=judged.verdict,
                evidence=tuple(_evidence_row(judged, name) for name in judged.values),
                decided=bool(judged.flips) or judged.verdict in decisions,
                margin=margins.margin(judged),
                figures=tuple((name, questions.get(name, "")) for name in judged.claim.figures if name in figures),
                uncertain=tuple(contrast for contrast in uncertain if contrast),
                verdict_on_record=on_record if on_record != judged.verdict else "",
            )
        )
    return tuple(rows)


def _evidence_row(judged: Verdict, name: str) -> EvidenceRow:
    evidence = judged.claim.evidence[name]
    label = evidence.label[:1].upper() + evidence.label[1:]
    return EvidenceRow(label, judged.values[name], evidence.unit, *judged.agreeing.get(name, (None, None)))


def _uncertain(measured: Measured, of: str) -> Difference | None:
    """The contrast whose interval over seeds is evidence and excludes 0, where its bootstrap interval does not."""
    match = re.fullmatch(r"contrast (\S+) interval \d", of)
    contrast = measured.contrast(match[1]) if match else None
    return contrast if contrast and not contrast.includes_zero and contrast.bootstrap_includes_zero else None


# ---------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class Score:
    """What a seed scored, or which quantile of many, in per cent."""

    seed: int | str
    percent: float
    diverged: bool


@dataclass(frozen=True)
class ArmRow:
    """An arm's runs. layers: hidden layers, where there are several that are alike; schedule: "" for a constant learning rate;
    held_out: training images that it is measured on, 0 for the test images; other_settings: those without a column.
    """

    name: str
    hidden: str
    layers: int | None
    output: str
    loss: str
    low_target: float
    high_target: float
    optimizer: str
    learning_rate: float
    schedule: str
    epochs: int
    other_settings: Mapping[str, SettingValue]
    held_out: int
    scores: tuple[Score, ...]
    finished: str


def arm_rows(results: Results) -> tuple[ArmRow, ...]:
    """A row an arm, by name."""
    runs: dict[str, list[RunResult]] = {}
    for run in results["runs"]:
        runs.setdefault(run["arm"], []).append(run)
    unusual = other_settings(results["arms"]).unusual
    return tuple(_arm_row(runs[name], unusual[name]) for name in sorted(runs, key=lambda name: (name.lower(), name)))


def _arm_row(runs: Sequence[RunResult], settings: Mapping[str, SettingValue]) -> ArmRow:
    first = runs[0]
    return ArmRow(
        name=first["arm"],
        hidden=first["hidden"].replace("_", " "),
        layers=first["depth"] if first["depth"] > 1 and not re.search(r", (?![^(]*\))", first["hidden"]) else None,
        output=first["output"].replace("_", " "),
        loss=first["loss"].replace("_", " "),
        low_target=first["low_target"],
        high_target=first["high_target"],
        optimizer=first["optimizer"],
        learning_rate=first["learning_rate"],
        schedule="" if first["schedule"] == "constant" else first["schedule"],
        epochs=first["epochs"],
        other_settings=settings,
        held_out=first["holdout"],
        scores=tuple(
            Score(run["seed"], 100 * final_accuracy(run), bool(run["diverged_epoch"])) for run in plotted_runs(runs)
        ),
        finished=max(run["finished"] for run in runs)[:16].replace("T", " "),
    )


# ---------------------------------------------------------------------------------------------- an article's own view


def load(folder: Path) -> Callable[[Summary], object]:
    """The function `view` of view.py in an article's folder; one that gives None where there is no such file.

    The function takes the results. Raises `UserError` for a mistake in the file, when it is read and when it is called.
    """
    path = folder / "view.py"
    if not path.is_file():
        return lambda results: None

    view = getattr(load_module(path, "Fix it."), "view", None)
    if not callable(view):
        raise UserError(f"{display_path(path)}: has no function 'view'. Expected 'def view(results)'. Add it.")

    def call(results: Summary) -> object:
        try:
            return view(results)
        except (Exception, SystemExit) as error:
            raise UserError(f"{code_place(error, path)}: {type(error).__name__}: {error}. Fix it.") from error

    return call
