"""The view model: results, verdicts and figures in; what templates show out. Templates choose words, nothing else.

A decision is a boolean, a number is ready for a filter, and what was not measured is None. Nothing here names an arm
or a contrast: an article's own decisions are in `view.py` beside its claims, which is loaded by its path.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path

from experiments.analysis import inference, records
from experiments.analysis.results import ContrastResult, DatasetDescription, Results, RunResult, Summary
from experiments.files.errors import UserError, code_place, display_path
from experiments.files.python import load_module
from experiments.plots.figures import Figure, PlottedRun, final_accuracy, plotted_runs
from experiments.study.model import SettingValue
from report.claims import margins, words
from report.claims.model import (
    CANNOT_TELL,
    FEW_SEEDS,
    GENERAL,
    HOLDS,
    NO_QUESTION,
    NOT,
    NOT_MEASURED,
    NOT_TESTABLE,
    PARTLY,
    PREDICTION,
    REFUTED,
    STATED,
    SUPPORTED,
    Claim,
    Judged,
    Ledger,
    Prediction,
    Question,
    Robustness,
    Verdict,
)
from report.claims.robustness import Robust
from report.claims.verdicts import judge_predictions
from report.page.measured import Change, Difference, Measured, changes, difference
from report.page.passport import ranges, unusual_settings, usual_settings
from report.page.robust import RobustRow, Strip, mark, robust_row, strip


@dataclass(frozen=True)
class PageView:
    """What the templates of every article's page decide by.

    equivalence_confidence: of the interval that decides on equivalence. chart: the figure beside the answer; finding:
    the one whose title describes the page. contrasts: those that are tested; described: the others. many_seeds: whether
    one has so many that signs are not enumerated. replications: the largest data set first; not_replicated: why a data
    set of the study was not measured, by what people call it; elsewhere: whether there is any of these. record: None
    where there is none. claims: in the article's order; strip: all their verdicts at once. predictions: those that
    failed first. declared: the day on which the rules were fixed, ISO 8601; commit: the one that fixed the study, ""
    where it is not named. other_article: whether commands must name the article's folder.
    """

    data: Data
    notices: Notices
    equivalence_confidence: float
    chart: Figure
    finding: Figure
    changes: tuple[Change, ...]
    contrasts: tuple[ContrastRow, ...]
    described: tuple[ContrastRow, ...]
    many_seeds: bool
    replications: tuple[Replication, ...]
    not_replicated: Mapping[str, str]
    elsewhere: bool
    record: Record | None
    claims: tuple[ClaimRow, ...]
    thresholds: tuple[ThresholdRow, ...]
    predictions: tuple[PredictionRow, ...]
    strip: Strip
    declared: str
    commit: str
    usual_settings: Mapping[str, SettingValue]
    arms: tuple[ArmRow, ...]
    other_article: bool

    @property
    def claims_by_section(self) -> list[tuple[str, list[ClaimRow]]]:
        """The claims under the article's headings, in its order."""
        return [(section, list(rows)) for section, rows in groupby(self.claims, lambda row: row.section)]

    @property
    def supported(self) -> tuple[ClaimRow, ...]:
        """The claims that hold as the article puts them."""
        return tuple(row for row in self.claims if row.stated.verdict == SUPPORTED)

    @property
    def partly_supported(self) -> tuple[ClaimRow, ...]:
        return tuple(row for row in self.claims if row.stated.verdict == PARTLY)

    @property
    def single_day(self) -> str:
        """The day on which every run finished, "" if these are several."""
        days = {row.finished for row in self.arms}
        return days.pop() if len(days) == 1 else ""

    @property
    def few_seeds(self) -> int:
        """A verdict on fewer is hollow."""
        return FEW_SEEDS

    @property
    def has_hollow(self) -> bool:
        return any(part.hollow for row in self.claims for part in row.parts)

    @property
    def has_close(self) -> bool:
        return any(part.close for row in self.claims for part in row.parts)

    @property
    def single_claim(self) -> bool:
        return len(self.claims) == 1

    @property
    def as_stated(self) -> Tendency:
        """How the claims mostly do as the article puts them."""
        return tendency([row.stated for row in self.claims])

    @property
    def in_general(self) -> Tendency:
        """How they mostly do for their reasons, or in general."""
        return tendency([row.general for row in self.claims])

    @property
    def failed_predictions(self) -> tuple[PredictionRow, ...]:
        return tuple(row for row in self.predictions if row.failed)

    @property
    def failed_narrowly(self) -> bool:
        """Whether some failed, and each of these is a close call."""
        failed = self.failed_predictions
        return bool(failed) and all(row.part.close for row in failed)

    @property
    def every_prediction_held(self) -> bool:
        return bool(self.predictions) and all(row.held for row in self.predictions)


def page_view(
    results: Results,
    figures: Mapping[str, Figure],
    rows: tuple[ClaimRow, ...],
    recorded: Mapping[str, Mapping[str, str]],
    labels: Mapping[str, str],
    questions: Mapping[str, str],
    ledger: Ledger,
    other_article: bool = False,
    robustness: Robust | None = None,
    finding: str = "",
) -> PageView:
    """`rows`: from `claim_rows`; `recorded`: the verdicts on the record's numbers, by claim and part; `labels`: what a
    contrast changes, in words, by its name; `questions`: those that figures answer, by the figure's name; `robustness`:
    by claim and part; `finding`: the name of the figure whose title describes the page, "" for the first of these.
    """
    first = next(iter(figures.values()))
    return PageView(
        data=data(results["dataset"]),
        notices=notices(results),
        equivalence_confidence=2 * results["confidence"] - 1,
        chart=first,
        finding=figures.get(finding or next(iter(questions), ""), first),
        changes=changes(results, labels),
        contrasts=contrast_rows(results),
        described=contrast_rows(results, confirmatory=False),
        many_seeds=any(row["n"] > inference.MAX_ENUMERATED for row in results["contrasts"]),
        replications=replications(results, labels),
        not_replicated={data_name(name): reason for name, reason in results["not_replicated"].items()},
        elsewhere=bool(results["replications"] or results["not_replicated"]),
        record=record(results, rows, recorded),
        claims=rows,
        thresholds=threshold_rows(ledger),
        predictions=prediction_rows(results, figures, questions, ledger, (robustness or {}).get(PREDICTION, {})),
        strip=strip(rows),
        declared=ledger.declared,
        commit=results.get("declared_commit") or "",
        usual_settings={label: value for label, value in usual_settings(results).items() if value != ""},
        arms=arm_rows(results),
        other_article=other_article,
    )


# ---------------------------------------------------------------------------------------------- data and notices


DATA_NAMES = {"mnist": "MNIST", "fashion_mnist": "Fashion-MNIST", "digits": "scikit-learn’s small digits"}


def data_name(name: str) -> str:
    """What people call the data set of this name."""
    return DATA_NAMES.get(name, name)


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
    """What a reader must not miss. runs: measured; missing: how many runs each block lacks.

    measured_here: where the page shows the record, the data sets whose numbers are not the record's.
    """

    being_measured: bool
    stand_in: bool
    other_data: bool
    unfinished: bool
    runs: int
    missing: Mapping[str, int]
    measured_here: tuple[str, ...]


def notices(results: Results) -> Notices:
    dataset, runs = results["dataset"], len(results["runs"])
    return Notices(
        being_measured=bool(dataset.get("measuring")),
        stand_in=bool(dataset["fallback"]),
        other_data=dataset["name"] != "mnist",
        unfinished=runs < results["runs_expected"],
        runs=runs,
        missing=results.get("runs_missing", {}),
        measured_here=tuple(data_name(name) for name in results["replications"] if name not in records.KEPT),
    )


# ---------------------------------------------------------------------------------------------- contrasts


@dataclass(frozen=True)
class ContrastRow:
    """A declared contrast. What follows its question is None where it is not measured.

    p_holm, p_smallest: adjusted for the family, and the smallest that so many pairs can give; None for a contrast that
    is only described. told_apart: in how many of its seeds McNemar's test tells the two runs apart. detectable: a
    fraction.
    """

    question: str
    difference: Difference | None
    p_holm: float | None = None
    p_smallest: float | None = None
    told_apart: int | None = None
    detectable: float | None = None


def contrast_rows(results: Summary, confirmatory: bool = True) -> tuple[ContrastRow, ...]:
    """The contrasts that are tested, or those that are only described."""
    return tuple(_contrast_row(row) for row in results["contrasts"] if row.get("confirmatory", True) == confirmatory)


def _contrast_row(row: ContrastResult) -> ContrastRow:
    if not row["n"]:
        return ContrastRow(row["question"], None)
    told_apart = round(row["mcnemar_share"] * row["n"])
    return ContrastRow(
        row["question"], difference(row), row.get("p_holm"), row.get("p_smallest"), told_apart, row["detectable"]
    )


@dataclass(frozen=True)
class Repeated:
    """A contrast that was measured on another data set: what it changes, in words, its difference here and there."""

    label: str
    here: Difference | None
    there: Difference
    same_sign: bool


@dataclass(frozen=True)
class Replication:
    """The same contrasts on another data set. one_image: what a single test image counts, as a fraction.

    name: what people call the data set. repeated: those measured there that ask for a difference; agreeing: in how many
    of the `compared` ones, measured on both, it has the same sign. has_equivalence: whether others are measured, which
    ask for equivalence. unfinished: whether some of the `runs_expected` are
    missing. contrasts: all that are measured there.
    """

    name: str
    dataset: DatasetDescription
    epochs: int
    one_image: float
    repeated: tuple[Repeated, ...]
    compared: int
    agreeing: int
    has_equivalence: bool
    unfinished: bool
    runs: int
    runs_expected: int
    contrasts: tuple[ContrastRow, ...]


def replications(results: Results, labels: Mapping[str, str]) -> tuple[Replication, ...]:
    """What other data sets say, the largest first. `labels`: what a contrast changes, in words, by its name."""
    others = results["replications"].values()
    ordered = sorted(others, key=lambda other: (-other["dataset"]["test_images"], other["dataset"]["name"]))
    return tuple(_replication(results, other, labels) for other in ordered)


def _replication(results: Results, other: Summary, labels: Mapping[str, str]) -> Replication:
    here, dataset = Measured(results), other["dataset"]
    repeated = tuple(
        _repeated(labels.get(row["name"], row["question"]), here.contrast(row["name"]), difference(row))
        for row in other["contrasts"]
        if row["n"] and row["equivalence_margin"] is None
    )
    return Replication(
        name=data_name(dataset["name"]),
        dataset=dataset,
        epochs=other["runs"][0]["epochs"],
        one_image=1 / dataset["test_images"],
        repeated=repeated,
        compared=sum(row.here is not None for row in repeated),
        agreeing=sum(row.same_sign for row in repeated),
        has_equivalence=any(row["n"] and row["equivalence_margin"] is not None for row in other["contrasts"]),
        unfinished=len(other["runs"]) < other["runs_expected"],
        runs=len(other["runs"]),
        runs_expected=other["runs_expected"],
        contrasts=tuple(row for row in contrast_rows(other) if row.difference),
    )


def _repeated(label: str, here: Difference | None, there: Difference) -> Repeated:
    return Repeated(label, here, there, here is not None and here.mean * there.mean > 0)


@dataclass(frozen=True)
class Record:
    """What was measured here, compared with the record.

    same_processor: by name; compared, agreeing: numbers of contrasts; compares_verdicts: whether those on the record's
    numbers are known; turned: the claims with a verdict that is another one there.
    """

    recorded: str
    processors: Sequence[str]
    same_processor: bool
    compared: int
    agreeing: int
    compares_verdicts: bool
    turned: tuple[ClaimRow, ...]


def record(results: Results, rows: Sequence[ClaimRow], recorded: Mapping[str, Mapping[str, str]]) -> Record | None:
    comparison = results["record_comparison"]
    if not comparison or not comparison["contrasts"]:
        return None
    return Record(
        recorded=comparison["recorded"],
        processors=comparison["processors"],
        same_processor=set(comparison["processors"]) == set(results["processors"]),
        compared=len(comparison["contrasts"]),
        agreeing=sum(row["agree"] for row in comparison["contrasts"]),
        compares_verdicts=bool(recorded),
        turned=tuple(row for row in rows if any(part.verdict_on_record for part in row.parts)),
    )


# ---------------------------------------------------------------------------------------------- claims


@dataclass(frozen=True)
class EvidenceRow:
    """A number that a rule names.

    agreeing: in how many `seeds` a difference has the sign of its mean; None where there are too few to count.
    """

    label: str
    value: float | None
    unit: str
    agreeing: int | None
    seeds: int | None


CLOSE_CALL = "a close call"


@dataclass(frozen=True)
class PartRow:
    """One of a claim's two questions and all that its place shows.

    label: what it asks about, in words; is_asked: whether there is such a question. rule, margin: in sentences, or "".
    hollow: whether fewer than five seeds decided; single_seed: whether one alone would have. uncertain:
    contrasts that differ from 0 over seeds but not over test images. verdict_on_record: the verdict on the record's
    numbers, where it is another one, else "". robust: how robust it is, None where that was not computed.
    """

    label: str
    question: Question
    is_asked: bool
    verdict: str
    hollow: bool
    single_seed: bool
    seeds: int | None
    evidence: tuple[EvidenceRow, ...]
    rule: str
    margin: str
    uncertain: tuple[Difference, ...]
    verdict_on_record: str
    robust: RobustRow | None

    @property
    def mark(self) -> str:
        return mark(self.verdict, self.hollow)

    @property
    def because(self) -> str:
        """What follows from the verdict, in a few words, or ""."""
        return self.question.because.get(self.verdict, "")

    @property
    def close(self) -> bool:
        return bool(self.robust and self.robust.close)

    @property
    def has_letters(self) -> bool:
        """Whether the rule has several numbers, and names each by its letter in the list: (a), (b), …"""
        return len(self.evidence) > 1

    @property
    def computed(self) -> str:
        """What each number is in the results, a line each."""
        letters = words.letters(self.question)
        paths = {name: evidence.path for name, evidence in self.question.evidence.items()}
        return "\n".join(f"{letters[name]} = {path}" if self.has_letters else path for name, path in paths.items())

    @property
    def unfolds(self) -> bool:
        """Whether there is a reading or a rule to unfold."""
        return bool(self.question.reading or self.rule)


@dataclass(frozen=True)
class ClaimRow:
    """A claim with its number in the article's order, its two parts, and name and question of figures to see.

    section: the heading under which the article makes it, "" before any.
    """

    number: int
    claim: Claim
    stated: PartRow
    general: PartRow
    figures: tuple[tuple[str, str], ...]
    section: str = ""

    @property
    def parts(self) -> tuple[PartRow, PartRow]:
        return self.stated, self.general

    @property
    def has_more(self) -> bool:
        """Whether something is said of the claim as a whole."""
        return bool(self.claim.note or self.claim.seen or self.figures)

    @property
    def asked(self) -> tuple[PartRow, ...]:
        return tuple(part for part in self.parts if part.is_asked)

    @property
    def has_reasons(self) -> bool:
        """Whether something is said of each of its verdicts, in a few words."""
        return all(part.because for part in self.asked)

    @property
    def key(self) -> EvidenceRow | None:
        """The number that stands for the claim in its line: the first that any of its rules names."""
        return next((number for part in self.parts for number in part.evidence), None)


def claim_rows(
    results: Results,
    figures: Mapping[str, Figure],
    verdicts: Sequence[Judged],
    recorded: Mapping[str, Mapping[str, str]],
    questions: Mapping[str, str],
    ledger: Ledger,
    robustness: Robust,
    sections: Mapping[str, str] = {},
) -> tuple[ClaimRow, ...]:
    """`verdicts`: in the article's order; `recorded`, `robustness`: by claim and part; `questions`: by figure;
    `sections`: by claim, the heading under which it stands."""
    measured, units, rows = Measured(results), words.units_of_thresholds(ledger), []
    for number, judged in enumerate(verdicts, 1):
        claim = judged.claim
        stated, general = (
            _part_row(
                measured,
                judged.verdicts[part],
                recorded.get(claim.id, {}).get(part, ""),
                robustness.get(claim.id, {}).get(part),
                ledger,
                units,
            )
            for part in (STATED, GENERAL)
        )
        shown = _shown(claim.figures, figures, questions)
        rows.append(ClaimRow(number, claim, stated, general, shown, sections.get(claim.id, "")))
    return tuple(rows)


def _part_row(
    measured: Measured,
    judged: Verdict,
    on_record: str,
    robustness: Robustness | None,
    ledger: Ledger,
    units: Mapping[str, str],
) -> PartRow:
    question = judged.question
    uncertain = (_uncertain(measured, evidence.path) for evidence in question.evidence.values())
    return PartRow(
        label=words.ASKED[question.asks],
        question=question,
        is_asked=judged.verdict != NO_QUESTION,
        verdict=judged.verdict,
        hollow=judged.hollow,
        single_seed=judged.verdict == CANNOT_TELL,
        seeds=judged.seeds,
        evidence=tuple(_evidence_row(judged, name) for name in judged.values),
        rule=words.rule(question, ledger.limits(), units),
        margin=margins.margin(judged, words.letters(question)),
        uncertain=tuple(contrast for contrast in uncertain if contrast),
        verdict_on_record="" if judged.verdict in (on_record, NOT_MEASURED) else on_record,
        robust=robust_row(question, judged.verdict, robustness, ledger),
    )


@dataclass(frozen=True)
class Tendency:
    """Whether most of several questions are answered with yes, most with no, or most with no or partly."""

    holds: bool
    fails: bool
    falls_short: bool


def tendency(parts: Sequence[PartRow]) -> Tendency:
    """Of those that numbers can decide. One that is not decided yet is no answer, and arithmetic is no finding."""
    asked = [part for part in parts if part.is_asked and part.verdict != NOT_TESTABLE and not part.question.theorem]
    yes, partly, no = (sum(part.verdict == verdict for part in asked) for verdict in (SUPPORTED, PARTLY, NOT))
    return Tendency(2 * yes > len(asked), 2 * no > len(asked), 2 * (partly + no) > len(asked))


@dataclass(frozen=True)
class PredictionRow:
    """A prediction of our own explanation, its verdict as that of a question, and figures to see as in `ClaimRow`."""

    prediction: Prediction
    part: PartRow
    figures: tuple[tuple[str, str], ...]

    @property
    def failed(self) -> bool:
        return self.part.verdict == REFUTED

    @property
    def held(self) -> bool:
        return self.part.verdict == HOLDS


def prediction_rows(
    results: Results,
    figures: Mapping[str, Figure],
    questions: Mapping[str, str],
    ledger: Ledger,
    robustness: Mapping[str, Robustness],
) -> tuple[PredictionRow, ...]:
    """What failed comes first, then what is not decided. `robustness`: by prediction."""
    measured, units = Measured(results), words.units_of_thresholds(ledger)
    rows = [
        PredictionRow(
            judged.prediction,
            _part_row(measured, judged.verdict, "", robustness.get(judged.prediction.id), ledger, units),
            _shown(judged.prediction.figures, figures, questions),
        )
        for judged in judge_predictions(ledger, results)
    ]
    return tuple(sorted(rows, key=lambda row: (not row.failed, row.held)))


def _shown(
    names: Sequence[str], figures: Mapping[str, Figure], questions: Mapping[str, str]
) -> tuple[tuple[str, str], ...]:
    """Name and question of the figures that were drawn."""
    return tuple((name, questions.get(name, "")) for name in names if name in figures)


@dataclass(frozen=True)
class ThresholdRow:
    """A number that rules name: its value in the unit of what it is compared with, and why it is this one."""

    name: str
    value: str
    reason: str


def threshold_rows(ledger: Ledger) -> tuple[ThresholdRow, ...]:
    units = words.units_of_thresholds(ledger)
    return tuple(
        ThresholdRow(name, words.threshold(threshold.value, units[name]), threshold.reason)
        for name, threshold in ledger.thresholds.items()
    )


def _evidence_row(judged: Verdict, name: str) -> EvidenceRow:
    evidence = judged.question.evidence[name]
    label = evidence.label[:1].upper() + evidence.label[1:]
    agreeing, seeds = judged.agreeing.get(name, (0, 0))
    counted = (agreeing, seeds) if seeds >= FEW_SEEDS else (None, None)
    return EvidenceRow(label, judged.values[name], evidence.unit, *counted)


def _uncertain(measured: Measured, of: str) -> Difference | None:
    """The contrast whose interval over seeds is evidence and excludes 0, where that over test images too does not."""
    match = re.fullmatch(r"contrast (\S+) interval \d", of)
    contrast = measured.contrast(match[1]) if match else None
    return contrast if contrast and contrast.uncertain_over_images else None


# ---------------------------------------------------------------------------------------------- runs


@dataclass(frozen=True)
class Score:
    """What a seed scored, in per cent; or a quantile of many, which `label` names."""

    label: str
    percent: float
    diverged: bool


@dataclass(frozen=True)
class ArmRow:
    """An arm's runs. layers: hidden layers, where there are several that are alike; schedule: "" for a constant rate.

    other_settings: those without a column. seeds: of its runs, as text; scores: in their order. finished: the day.
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
    seeds: str
    scores: tuple[Score, ...]
    finished: str


def arm_rows(results: Results) -> tuple[ArmRow, ...]:
    """A row an arm, by name."""
    runs: dict[str, list[RunResult]] = {}
    for run in results["runs"]:
        runs.setdefault(run["arm"], []).append(run)
    unusual = unusual_settings(results)
    return tuple(_arm_row(runs[name], unusual[name]) for name in sorted(runs, key=lambda name: (name.lower(), name)))


def _arm_row(runs: Sequence[RunResult], settings: Mapping[str, SettingValue]) -> ArmRow:
    first, runs = runs[0], sorted(runs, key=lambda run: run["seed"])
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
        seeds=ranges([run["seed"] for run in runs]),
        scores=tuple(_score(run) for run in plotted_runs(runs)),
        finished=max(run["finished"] for run in runs)[:10],
    )


def _score(run: RunResult | PlottedRun) -> Score:
    label = "" if isinstance(run["seed"], int) else run["seed"]
    return Score(label, 100 * final_accuracy(run), bool(run["diverged_epoch"]))


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
