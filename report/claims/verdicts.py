"""Claims and results → verdicts: numbers in, verdicts out. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from experiments.analysis.results import RunResult, Summary, require
from experiments.files.errors import UserError
from experiments.plots.figures import accuracy_by_epoch, final_accuracy
from report.claims.margins import flips
from report.claims.model import Claim, Evidence, Verdict
from report.claims.rules import find_number, number_at, parse_path, verdict_of


def judge(claims: Sequence[Claim], results: Summary) -> list[Verdict]:
    """The verdict on every claim, from what results.json holds."""
    return [_judge_claim(claim, results) for claim in claims]


def _judge_claim(claim: Claim, results: Summary) -> Verdict:
    """Raises `UserError` where a rule that could be read cannot be evaluated with these numbers: 1 / max(x, 2) at 3."""
    values = {name: number_at(evidence.path, results) for name, evidence in claim.evidence.items()}
    counts = {name: seeds_agreeing(evidence, results) for name, evidence in claim.evidence.items()}
    agreeing = {name: count for name, count in counts.items() if count is not None}
    try:
        return Verdict(claim, verdict_of(claim, values), values, tuple(flips(claim, values)), agreeing)
    except (ArithmeticError, ValueError, RecursionError) as error:
        raise UserError(
            f"line {claim.line} of the claims: claim '{claim.id}': {error}, with {values}. Fix its rule."
        ) from error


def seeds_agreeing(evidence: Evidence, results: Summary) -> tuple[int, int] | None:
    """In how many seeds a difference of accuracies has the sign of its mean, and how many there are.

    None for what has no sign to agree with: anything else than a contrast or the mean accuracies of two arms, in
    points; a mean of 0; an end of an interval on the other side of 0. A tie agrees with neither direction.
    """
    sign, operands = parse_path(evidence.path)
    if evidence.unit != "points":
        return None
    if not sign and operands[0].kind == "contrast":
        rows = [row for row in results["contrasts"] if row["name"] == operands[0].name and row.get("n")]
        same = rows and (number_at(evidence.path, results) or 0) * rows[0]["mean"] > 0
        return (rows[0]["seeds_agreeing"], rows[0]["n"]) if same else None
    keys = {operand.keys for operand in operands if operand.holder != "contrast"}
    final = keys in ({("test_accuracy", "mean")}, {("held_out_accuracy", "mean")})
    if sign != "-" or len(operands) != 2 or not (final or keys == {("mean_epoch_accuracy",)}):
        return None
    arms = [arm for arm, _ in filter(None, (find_number(operand, results) for operand in operands))]
    scores = [{run["seed"]: _score(run, final) for run in results["runs"] if run["arm"] == arm} for arm in arms]
    shared = set.intersection(*map(set, scores)) if len(scores) == 2 else set()
    differences = [scores[0][seed] - scores[1][seed] for seed in shared]
    total = round(math.fsum(differences), 9)  # accuracies are counts of images: what is smaller is rounding
    agreeing = sum(difference * total > 0 for difference in differences)
    return (agreeing, len(shared)) if total and len(shared) > 1 else None


def _score(run: RunResult, final: bool) -> float:
    """A run's accuracy, at the end or averaged over its epochs."""
    if final:
        return float(final_accuracy(run))
    curve = require(accuracy_by_epoch(run))
    return float(sum(curve) / len(curve))
