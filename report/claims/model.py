"""Claims and verdicts as frozen values.

A claim of the article is asked twice: as the article puts it (`stated`), and for the reason that it gives or beyond its
own configuration (`general`). A rule is a comparison over named evidence and named thresholds, read from the top:
supported, else partly supported, else not supported. Evidence that was not measured leaves a question "not measured",
never decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypedDict

SUPPORTED, PARTLY, NOT = "supported", "partly supported", "not supported"
NOT_TESTABLE, NOT_MEASURED, CANNOT_TELL = "not testable here", "not measured", "cannot be decided"
CANNOT_MEET = "cannot be met"  # of a rule with other thresholds: a share would have to exceed 100 %
NO_QUESTION = "no such question"
HOLDS, REFUTED = "holds", "refuted"  # of a prediction
DECIDED = (SUPPORTED, PARTLY, NOT, HOLDS, REFUTED)

STATED, GENERAL = PARTS = ("stated", "general")
PREDICTION = "prediction"
UNITS = ("points", "percent", "times", "number", "p", "yes")
FEW_SEEDS = 5  # a verdict on fewer is hollow


@dataclass(frozen=True)
class Threshold:
    """A number that rules name, such as the least difference that matters, and why it is this one.

    `line`: where it is in the ledger.
    """

    value: float
    reason: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Evidence:
    """A number that a rule names.

    `path`: where it is in the results; `label`: what it is; `unit`: one of `UNITS`; `line`: where it is in the ledger.
    """

    path: str
    label: str
    unit: str
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Question:
    """One of the two questions that a claim is put as, or a prediction.

    `part`: one of `PARTS`, or `PREDICTION`. `asks`: "stated", "reason" or "general", which of these it asks about, or
    `PREDICTION`. `reading`: why the words are read so. `none`: why there is no such question; `not_testable`: why no
    rule can decide it. `because`: by verdict, what follows from it, in at most eight words; not declared.
    `theorem`: the answer follows by arithmetic, whatever is measured. `after_runs`: the rule was fixed after the study
    had run. `line`: where it is in the ledger.
    """

    part: str
    asks: str
    question: str = ""
    reading: str = ""
    evidence: Mapping[str, Evidence] = field(default_factory=dict)
    supported: str = ""
    partly: str = ""
    none: str = ""
    not_testable: str = ""
    because: Mapping[str, str] = field(default_factory=dict)
    theorem: bool = False
    after_runs: bool = False
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Claim:
    """One claim of the article.

    `quote`: its words, in one or several fragments; `seen`: what was known when the rules were fixed; `figures`: names
    of those that show the evidence; `topic`: what it is about, in a word; `note`: what a fair reader must know of the
    verdicts, a template; `line`: where it is in the ledger; `parts`: its questions, by each of `PARTS`.
    """

    id: str
    quote: tuple[str, ...]
    parts: Mapping[str, Question]
    seen: str = ""
    figures: tuple[str, ...] = ()
    topic: str = ""
    note: str = ""
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Prediction:
    """What must be so if our own explanation is right.

    `refuted`: what would refute it, in words; `question`: what is predicted, with the rule by which it holds;
    `figures`: names of those that show the evidence; `line`: where it is in the ledger.
    """

    id: str
    refuted: str
    question: Question
    figures: tuple[str, ...] = ()
    line: int = field(default=0, compare=False)


@dataclass(frozen=True)
class Ledger:
    """All that claims.toml says.

    `thresholds`: by the name that rules use; `unchecked`: why sentences have no claim → their first words; `declared`:
    the day on which the rules were fixed, ISO 8601.
    """

    claims: tuple[Claim, ...]
    thresholds: Mapping[str, Threshold]
    unchecked: Mapping[str, tuple[str, ...]]
    declared: str
    predictions: tuple[Prediction, ...] = ()

    @property
    def questions(self) -> dict[str, Question]:
        """Every question, of claims and of predictions, by a name for errors."""
        claims = {f"claim '{claim.id}'.{part}": q for claim in self.claims for part, q in claim.parts.items()}
        return claims | {f"prediction '{prediction.id}'": prediction.question for prediction in self.predictions}

    def limits(self, factor: float = 1.0) -> dict[str, float]:
        """The thresholds' values by name, each multiplied by `factor`."""
        return {name: factor * threshold.value for name, threshold in self.thresholds.items()}


@dataclass(frozen=True)
class Flip:
    """If evidence `name` alone rose from `value` above `limit`, or fell below, the verdict would become `verdict`.

    `at_limit`: whether it would at the limit itself already.
    """

    name: str
    value: float
    limit: float
    rises: bool
    verdict: str
    at_limit: bool = False


@dataclass(frozen=True)
class Verdict:
    """What the numbers say to a question.

    `values` are its evidence, None where it is not measured; `flips` what would change the verdict, nearest first;
    `agreeing` in how many seeds, of how many, a difference has the sign of its mean, where it is one over seeds;
    `seeds` the smallest number of seeds behind any of its numbers, None where it has none.
    """

    question: Question
    verdict: str
    values: Mapping[str, float | None]
    flips: tuple[Flip, ...] = ()
    agreeing: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    seeds: int | None = None

    @property
    def hollow(self) -> bool:
        """Whether so few seeds decided that others could well decide otherwise."""
        return self.verdict in DECIDED and self.seeds is not None and self.seeds < FEW_SEEDS


@dataclass(frozen=True)
class Judged:
    """A claim with the verdict on each of its questions, by part."""

    claim: Claim
    verdicts: Mapping[str, Verdict]


@dataclass(frozen=True)
class JudgedPrediction:
    """A prediction and whether it holds."""

    prediction: Prediction
    verdict: Verdict


class Robustness(TypedDict):
    """How robust a verdict is; see `report.claims.robustness`.

    seeds: the share of redraws of the seeds in which it stays, None where nothing that decides scatters over seeds;
    images: of the seeds and the test images. half, twice: the verdict with all thresholds of that size, or CANNOT_MEET;
    alone: the thresholds of which one alone, such as "half of matters", gives another verdict, and which. endpoints:
    the verdict by where the training ends, such as "epoch 8". fashion: the verdict on Fashion-MNIST, CANNOT_TELL where
    it has too few seeds for the rule. close: whether the smallest share is below 0.9.
    """

    seeds: float | None
    images: float | None
    half: str
    twice: str
    alone: dict[str, str]
    endpoints: dict[str, str]
    fashion: str | None
    close: bool
