"""The ledger and results → verdicts: numbers in, verdicts out. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from experiments.analysis.results import RunResult, Summary, require
from experiments.files.errors import UserError
from experiments.plots.figures import accuracy_by_epoch, final_accuracy
from report.claims.margins import flips
from report.claims.model import CANNOT_TELL, DECIDED, Evidence, Judged, JudgedPrediction, Ledger, Question, Verdict
from report.claims.rules import find_number, find_tables, number_at, on_dataset, parse_path, verdict_of


def judge(ledger: Ledger, results: Summary, turns: bool = True) -> list[Judged]:
    """The verdicts on both questions of every claim, from what results.json holds.

    turns: whether to find what would change them, which takes longer than the verdicts.
    """
    limits = ledger.limits()
    return [
        Judged(
            claim,
            {part: _judge(f"claim '{claim.id}'.{part}", q, limits, results, turns) for part, q in claim.parts.items()},
        )
        for claim in ledger.claims
    ]


def judge_predictions(ledger: Ledger, results: Summary, turns: bool = True) -> list[JudgedPrediction]:
    """Whether each prediction holds. turns: as of `judge`."""
    limits = ledger.limits()
    return [
        JudgedPrediction(one, _judge(f"prediction '{one.id}'", one.question, limits, results, turns))
        for one in ledger.predictions
    ]


def _judge(name: str, question: Question, limits: dict[str, float], results: Summary, turns: bool) -> Verdict:
    """Raises `UserError` where a rule that could be read cannot be evaluated with these numbers: 1 / max(x, y)."""
    values = {name: number_at(evidence.path, results) for name, evidence in question.evidence.items()}
    counts = {name: seeds_agreeing(evidence, results) for name, evidence in question.evidence.items()}
    agreeing = {name: count for name, count in counts.items() if count is not None}
    seeds = None if question.theorem else fewest_seeds(question, results)
    try:
        verdict = verdict_of(question, values, limits)
        changes = tuple(flips(question, values, limits)) if turns else ()
    except (ArithmeticError, ValueError, RecursionError) as error:
        raise UserError(f"line {question.line} of the claims: {name}: {error}, with {values}. Fix its rule.") from error
    if seeds == 1 and verdict in DECIDED:
        return Verdict(question, CANNOT_TELL, values, (), agreeing, seeds)
    return Verdict(question, verdict, values, changes, agreeing, seeds)


# ---------------------------------------------------------------------------------------------- seeds


def fewest_seeds(question: Question, results: Summary) -> int | None:
    """The smallest number of seeds behind any of a question's numbers: an arm's seeds, or a contrast's pairs.

    None where nothing is measured.
    """
    return min((n for evidence in question.evidence.values() for n in _seeds(evidence, results)), default=None)


def _seeds(evidence: Evidence, results: Summary) -> Iterator[int]:
    for operand in parse_path(evidence.path)[1]:
        for table in find_tables(operand, results).values():
            count = table["n"] if operand.holder == "contrast" else len(table["seeds"])
            if count:
                yield count


def seeds_agreeing(evidence: Evidence, results: Summary) -> tuple[int, int] | None:
    """In how many seeds a difference of accuracies has the sign of its mean, and how many there are.

    None for what has no sign to agree with: anything else than a contrast or the mean accuracies of two arms, in
    points; a mean of 0; an end of an interval on the other side of 0. A tie agrees with neither direction.
    """
    sign, operands = parse_path(evidence.path)
    summary = on_dataset(results, operands[0].dataset)
    if evidence.unit != "points" or summary is None or len({operand.dataset for operand in operands}) > 1:
        return None
    if not sign and operands[0].kind == "contrast":
        rows = [row for row in summary["contrasts"] if row["name"] == operands[0].name and row.get("n")]
        same = rows and (number_at(evidence.path, results) or 0) * rows[0]["mean"] > 0
        return (rows[0]["seeds_agreeing"], rows[0]["n"]) if same else None
    keys = {operand.keys for operand in operands if operand.holder != "contrast"}
    final = keys in ({("test_accuracy", "mean")}, {("held_out_accuracy", "mean")})
    if sign != "-" or len(operands) != 2 or not (final or keys == {("mean_epoch_accuracy",)}):
        return None
    arms = [arm for arm, _ in filter(None, (find_number(operand, results) for operand in operands))]
    scores = [{run["seed"]: _score(run, final) for run in summary["runs"] if run["arm"] == arm} for arm in arms]
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
