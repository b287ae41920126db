"""Claims and verdicts as frozen values.

A rule is a comparison over named evidence, read from the top: supported, else partly supported, else not supported.
Evidence that was not measured leaves a claim "not measured", never decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

SUPPORTED, PARTLY, NOT = "supported", "partly supported", "not supported"
NOT_TESTABLE, NOT_MEASURED = "not testable here", "not measured"
UNITS = ("points", "percent", "times", "number", "p", "yes")


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
class Claim:
    """One claim of the article.

    `quote`: its words, in one or several fragments; `because`: why this rule; `seen`: what was known when the rule was
    fixed; `after_runs`: it was fixed after the study had run; `not_testable`: why there is no rule; `figures`: names of
    those that show the evidence; `topic`: what it is about, in a word; `note`: what a fair
    reader must know of the verdict, a template; `line`: where it stands in the ledger.
    """

    id: str
    quote: tuple[str, ...]
    question: str
    evidence: Mapping[str, Evidence]
    supported: str
    partly: str
    not_testable: str
    because: str = ""
    seen: str = ""
    figures: tuple[str, ...] = ()
    topic: str = ""
    note: str = ""
    after_runs: bool = False
    line: int = 0


@dataclass(frozen=True)
class Flip:
    """If evidence `name` alone rose from `value` above `limit`, or fell below, the verdict would become `verdict`."""

    name: str
    value: float
    limit: float
    rises: bool
    verdict: str


@dataclass(frozen=True)
class Verdict:
    """What the numbers say to a claim.

    `values` are its evidence, None where it is not measured; `flips` what would change the verdict, nearest first;
    `agreeing` in how many seeds, of how many, a difference has the sign of its mean, where it is one over seeds.
    """

    claim: Claim
    verdict: str
    values: Mapping[str, float | None]
    flips: tuple[Flip, ...]
    agreeing: Mapping[str, tuple[int, int]]
