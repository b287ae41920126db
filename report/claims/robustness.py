"""How robust each verdict is: the project's own rules, applied to redrawn data, other thresholds and other endpoints.

Of the redraws, `report.claims.redraw` says what they imagine; the share of them in which a verdict stays is the chance
that a repetition of the whole study gives it again. A single run shows no scatter, so a verdict that one decides has no
share, nor has one that follows by arithmetic, or from times alone.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import reduce
from pathlib import Path
from statistics import mode
from typing import Any, cast

import numpy as np

from experiments.analysis import evidence, inference, records
from experiments.analysis.results import Observation, Results, ResultsFile, Summary
from experiments.files.durable import write_atomically
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.plots import figures
from experiments.study import keys
from report.claims.model import (
    CANNOT_MEET,
    CANNOT_TELL,
    DECIDED,
    HOLDS,
    NOT,
    PARTLY,
    PREDICTION,
    REFUTED,
    SUPPORTED,
    Ledger,
    Question,
    Robustness,
    Verdict,
)
from report.claims.redraw import AsMeasured, Repetition, Seeds, Shifts, image_shifts
from report.claims.redrawn import NotRedrawn, Redrawn, Value, final_accuracy
from report.claims.rules import (
    DATASETS,
    Operand,
    keys_by_arm,
    names_in,
    number_at,
    on_dataset,
    parse,
    parse_path,
    verdict_of,
)
from report.claims.verdicts import judge, judge_predictions

FORMAT = 1
CLOSE = 0.9  # a verdict that stays in a smaller share of the redraws is a close call
SHORTEST = 4  # epochs of a training that has other ends
PAGE, FASHION = "", "fashion_mnist"  # data sets, as paths have them

Robust = Mapping[str, Mapping[str, Robustness]]

Numbers = Mapping[str, np.ndarray]  # by name of evidence: in every redraw


def of_page(ledger: Ledger, results: Results, content: Mapping[str, Any], path: Path) -> Robust:
    """How robust the verdicts of a page are, from the evidence that it carries, or from the file at `path`.

    The second where the page shows the record, which has no images; none if the file is of other numbers or rules.
    """
    if not results["recorded"]:
        return assess(ledger, results, content)
    return cast(Robust, read_json(path, FORMAT)["robustness"]) if is_made_from(path, _inputs(ledger)) else {}


def update(ledger: Ledger, results: ResultsFile, content: Mapping[str, Any], path: Path) -> Robust:
    """As `assess`, from the file at `path`; that is written first where numbers, rules or code have changed since."""
    inputs = _inputs_here(ledger, results)
    if not is_made_from(path, inputs):
        robust = json.dumps(assess(ledger, results, content))  # in the order in which the page has it
        write_atomically(path, to_json({"format": FORMAT, "inputs": inputs, "robustness": robust}))
    return cast(Robust, json.loads(read_json(path, FORMAT)["robustness"]))


def _inputs_here(ledger: Ledger, results: ResultsFile) -> str:
    """A digest of all that robustness follows from: results, rules, code and what computes."""
    rules = {name: _decisive(question) for name, question in ledger.questions.items()}
    folders = (Path(__file__).parent, Path(inference.__file__).parent)
    code = [keys.file_digest(path) for folder in folders for path in sorted(folder.glob("*.py"))]
    return keys.digest(
        {
            "results": results["inputs"],
            "rules": rules,
            "limits": ledger.limits(),
            "code": [*code, keys.file_digest(Path(figures.__file__))],
            "versions": dict(keys.versions("numpy", "scipy")),
        }
    )


def _decisive(question: Question) -> list[object]:
    """What of a question decides its verdict; all else is words."""
    evidence = {name: [named.path, named.unit] for name, named in question.evidence.items()}
    excluded = [bool(question.none), bool(question.not_testable), question.theorem]
    return [question.part, question.supported, question.partly, evidence, excluded]


def record(ledger: Ledger, results: Results, content: Mapping[str, Any], path: Path) -> None:
    """Writes how robust the verdicts are on `results`, of which the record was made."""
    robust = assess(ledger, results, content)
    write_atomically(path, to_json({"format": FORMAT, "inputs": _inputs(ledger), "robustness": robust}))


def _inputs(ledger: Ledger) -> str:
    """A digest of the record and the rules."""
    questions = [question for claim in ledger.claims for question in claim.parts.values()]
    questions += [prediction.question for prediction in ledger.predictions]
    rules = [[q.supported, q.partly, {name: e.path for name, e in q.evidence.items()}] for q in questions]
    return keys.digest({"record": records.fingerprint(), "rules": rules, "limits": ledger.limits()})


def assess(ledger: Ledger, results: Results, content: Mapping[str, Any]) -> Robust:
    """How robust the verdicts are that numbers decided, by claim and part; under PREDICTION, by prediction.

    results: what the verdicts are about; content: the evidence that they follow from, in full or as a page carries it.
    """
    study, elsewhere = Study(ledger, results, content), on_dataset(results, FASHION)
    fashion = _verdicts(ledger, elsewhere) if elsewhere else {}
    robust: dict[str, dict[str, Robustness]] = {}
    for (claim, part), judged in _verdicts(ledger, results).items():
        if judged.verdict in DECIDED and judged.values and not judged.question.theorem:
            robust.setdefault(claim, {})[part] = study.assess(judged, fashion.get((claim, part)))
    return robust


def _verdicts(ledger: Ledger, results: Summary) -> dict[tuple[str, str], Verdict]:
    """By claim and part; by PREDICTION and its id."""
    claims = {
        (each.claim.id, part): verdict
        for each in judge(ledger, results, turns=False)
        for part, verdict in each.verdicts.items()
    }
    predictions = judge_predictions(ledger, results, turns=False)
    return claims | {(PREDICTION, each.prediction.id): each.verdict for each in predictions}


# ---------------------------------------------------------------------------------------------- one study


class Study:
    """The measured numbers of a study, and the same numbers redrawn."""

    def __init__(self, ledger: Ledger, results: Results, content: Mapping[str, Any]) -> None:
        self._ledger, self._limits, self._results = ledger, ledger.limits(), results
        self._runs: dict[str, Sequence[Observation]] = {PAGE: content["runs"]}
        self._runs |= {name: runs for name, runs in (content.get("replications") or {}).items() if name in DATASETS}
        every = {run["seed"] for runs in self._runs.values() for run in runs}
        seeds = {name: Seeds.draw(every, state=number) for number, name in enumerate(self._runs)}
        shifts = {
            name: image_shifts(self._with_images(name), seeds[name].redraws, number)
            for number, name in enumerate(self._runs)
        }
        as_measured = dict.fromkeys(self._runs, AsMeasured())
        self._measured = self._redrawn(as_measured)
        self._views = {"seeds": self._redrawn(seeds), "images": self._redrawn(seeds, shifts)}
        self._is_redrawn: dict[str, bool] = {}  # by path
        self._ends = {name: self._redrawn(as_measured, accuracy=end) for name, end in _ends(content["runs"]).items()}

    def _with_images(self, dataset: str) -> dict[str, list[Observation]]:
        """The runs on test images, by arm, of which a page carries the wrong ones: of contrasts, and of claims."""
        summary = on_dataset(self._results, dataset)
        if summary is None:
            return {}
        arms = {contrast[end] for contrast in summary["contrasts"] for end in ("first", "second")}
        for place in {PAGE, dataset}:
            keys = keys_by_arm(self._ledger, summary["arms"], place)
            arms |= {arm for arm, of_arm in keys.items() if any(head in evidence.ACCURACIES for head, *_ in of_arm)}
        tested = [arm for arm in arms & summary["arms"].keys() if summary["arms"][arm]["test_accuracy"]]
        return {arm: [run for run in self._runs[dataset] if run["arm"] == arm] for arm in sorted(tested)}

    def _redrawn(
        self,
        repetitions: Mapping[str, Repetition],
        shifts: Mapping[str, Shifts] | None = None,
        accuracy: Value = final_accuracy,
    ) -> Redrawn:
        """The page's numbers redrawn, and with them those on other data sets."""
        others: dict[str, Redrawn] = {}
        for name, runs in reversed(self._runs.items()):  # the page's own data set is the last
            summary = on_dataset(self._results, name)
            if summary is not None:
                others[name] = Redrawn(summary, runs, repetitions[name], (shifts or {}).get(name), accuracy, others)
        return others[PAGE]

    def assess(self, judged: Verdict, elsewhere: Verdict | None) -> Robustness:
        """elsewhere: the verdict on the same question on Fashion-MNIST, None where that is not measured."""
        question = judged.question
        scatters = any(self.is_redrawn(named.path) for named in question.evidence.values())
        seeds = self._share(judged, self._views["seeds"]) if scatters else None
        images = self._share(judged, self._views["images"]) if self._images_known(question) else None
        return {
            "seeds": seeds,
            "images": images,
            "half": _verdict_at(judged, self._limits, dict.fromkeys(self._limits, 0.5)),
            "twice": _verdict_at(judged, self._limits, dict.fromkeys(self._limits, 2.0)),
            "alone": dict(_alone(judged, self._limits)),
            "endpoints": self._endpoints(judged),
            "fashion": self._on_fashion(elsewhere),
            "close": min((share for share in (seeds, images) if share is not None), default=1.0) < CLOSE,
        }

    def _on_fashion(self, judged: Verdict | None) -> str | None:
        """The verdict there; CANNOT_TELL where another one would take a smaller p than so few seeds can give."""
        there = on_dataset(self._results, FASHION)
        if judged is None or there is None or judged.verdict not in (*DECIDED, CANNOT_TELL):
            return None
        beyond_reach = dict.fromkeys(_never_met(judged, there, self._limits), 0.0)
        met = verdict_of(judged.question, {**judged.values, **beyond_reach}, self._limits)
        return judged.verdict if met == judged.verdict else CANNOT_TELL

    def _share(self, judged: Verdict, view: Redrawn) -> float:
        """Of the redraws, those in which the verdict is the same; in whole per cent, the same on every machine."""
        again = verdicts_in(judged.question, self._numbers(judged, view), self._limits)
        return round(float(np.mean(again == judged.verdict)), 2)

    def _numbers(self, judged: Verdict, view: Redrawn) -> dict[str, np.ndarray]:
        """The evidence in every redraw; as measured where it does not follow from what can be redrawn."""
        return {
            name: self._number(named.path, judged.values[name], view)
            for name, named in judged.question.evidence.items()
        }

    def _number(self, path: str, value: float | None, view: Redrawn) -> np.ndarray:
        redrawn = view.number_at(path) if self.is_redrawn(path) else np.asarray(value)
        if redrawn is None:
            raise NotRedrawn(path)
        return redrawn

    def is_redrawn(self, path: str) -> bool:
        """Whether the number at `path` follows from single runs' values, as the redraws compute it."""
        if path not in self._is_redrawn:
            measured, again = number_at(path, self._results), self._measured.number_at(path)
            self._is_redrawn[path] = (
                measured is not None
                and again is not None
                and math.isclose(again[0], measured, rel_tol=1e-9, abs_tol=1e-9)
            )
        return self._is_redrawn[path]

    def _images_known(self, question: Question) -> bool:
        """Whether evidence names accuracies, and the wrong images of all their runs are known."""
        counted = [operand for operand in _operands(question) if _counts(operand, evidence.ACCURACIES)]
        return bool(counted) and all(self._views["images"].shifts(operand) for operand in counted)

    def _endpoints(self, judged: Verdict) -> dict[str, str]:
        """The verdict by other ends of the training; none where no end counts, or where a run has no such end."""
        if not any(_counts(operand) for operand in _operands(judged.question)):
            return {}
        verdicts = {}
        for name, view in self._ends.items():
            try:
                verdicts[name] = str(verdicts_in(judged.question, self._numbers(judged, view), self._limits)[0])
            except NotRedrawn:
                continue
        return verdicts


def _operands(question: Question) -> Iterator[Operand]:
    for named in question.evidence.values():
        yield from parse_path(named.path)[1]


FINAL = ("test_accuracy", "test_error", "held_out_accuracy", "held_out_error", "generalization_gap")


def _counts(operand: Operand, accuracies: tuple[str, ...] = FINAL) -> bool:
    """Whether an operand is about one of these accuracies; FINAL has those at the end of the training."""
    return operand.holder == "contrast" or operand.keys[0] in accuracies


# ---------------------------------------------------------------------------------------------- other thresholds


def _alone(judged: Verdict, limits: Mapping[str, float]) -> Iterator[tuple[str, str]]:
    """The thresholds of which half or twice, alone, gives another verdict: "half of matters" and the verdict."""
    for name in limits:
        for word, factor in (("half", 0.5), ("twice", 2.0)):
            verdict = _verdict_at(judged, limits, {name: factor})
            if verdict not in (judged.verdict, CANNOT_MEET):
                yield f"{word} of {name}", verdict


def _verdict_at(judged: Verdict, limits: Mapping[str, float], factors: Mapping[str, float]) -> str:
    """The verdict with thresholds multiplied by `factors`; CANNOT_MEET where it turns as no share is above 1.

    Nothing that shares or p-values are compared with grows above 1.
    """
    shares = [node for node in _comparisons(judged.question) if _has_shares(node, judged.question)]
    capped = {name for node in shares for name in names_in(node)}
    scaled = {name: limit * factors.get(name, 1) for name, limit in limits.items()}
    scaled |= {name: min(scaled[name], max(1.0, limits[name])) for name in capped & limits.keys()}
    verdict = verdict_of(judged.question, judged.values, scaled)
    turned = verdict != judged.verdict and any(_asks_too_much(node, scaled) for node in shares)
    return CANNOT_MEET if turned else verdict


def _asks_too_much(node: ast.Compare, limits: Mapping[str, float]) -> bool:
    """Whether a comparison wants a share above 1."""
    match node:
        case ast.Compare(left=ast.Name(), ops=[ast.Gt()], comparators=[limit]) if names_in(limit) <= limits.keys():
            return bool(_value(limit, _arrays(limits)) >= 1)
    return False


def _comparisons(question: Question) -> list[ast.Compare]:
    rules = [parse(rule) for rule in (question.supported, question.partly) if rule]
    return [node for rule in rules for node in ast.walk(rule) if isinstance(node, ast.Compare)]


def _has_shares(node: ast.Compare, question: Question) -> bool:
    """Whether all evidence in a comparison is shares or p-values."""
    units = {question.evidence[name].unit for name in names_in(node) & question.evidence.keys()}
    return bool(units) and units <= {"percent", "p"}


# ---------------------------------------------------------------------------------------------- few seeds


def _never_met(judged: Verdict, results: Summary, limits: Mapping[str, float]) -> set[str]:
    """The evidence that is a p, by name, and compared with less than the smallest that so few seeds can give."""
    values = _arrays({**limits, **{name: value for name, value in judged.values.items() if value is not None}})
    paths = {name: named.path for name, named in judged.question.evidence.items() if named.path.endswith(" p_holm")}
    smallest = {name: number_at(path.replace("p_holm", "p_smallest"), results) for name, path in paths.items()}
    return {
        name
        for node in _comparisons(judged.question)
        for name in names_in(node) & smallest.keys()
        if _value(node, {**values, name: np.asarray(0)}) != _value(node, {**values, name: np.asarray(smallest[name])})
    }


# ---------------------------------------------------------------------------------------------- ends of the training


def _ends(runs: Sequence[Observation]) -> dict[str, Value]:
    """Other accuracies that could count as a run's: two epochs earlier, one earlier, and the mean of the last three.

    They are named after the usual number of epochs. None where runs are too short.
    """
    lengths = [len(run["test_accuracy_by_epoch"] or ()) for run in runs]
    usual = mode(lengths) if lengths else 0
    if usual < SHORTEST:
        return {}
    return {
        f"epoch {usual - 2}": _end(-3, -2),
        f"epoch {usual - 1}": _end(-2, -1),
        "mean of the last three": _end(-3, None),
    }


def _end(first: int, beyond: int | None) -> Value:
    def accuracy(run: Observation) -> float | None:
        curve = run["test_accuracy_by_epoch"] or ()
        return float(np.mean(curve[first:beyond])) if len(curve) >= SHORTEST else None

    return accuracy


# ---------------------------------------------------------------------------------------------- rules, in every redraw


def verdicts_in(question: Question, numbers: Numbers, limits: Mapping[str, float]) -> np.ndarray:
    """The verdict on a question in every redraw, [n_redraws]: `rules.verdict_of` of many values at once."""
    values = {**_arrays(limits), **numbers}
    yes, no = (HOLDS, REFUTED) if question.part == PREDICTION else (SUPPORTED, NOT)
    supported = _holds(question.supported, values)
    partly = _holds(question.partly, values) if question.partly else np.zeros_like(supported)
    return np.atleast_1d(np.where(supported, yes, np.where(partly, PARTLY, no)))


def _arrays(values: Mapping[str, float]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in values.items()}


def _holds(rule: str, values: Numbers) -> np.ndarray:
    return np.asarray(_value(parse(rule), values), bool)


_OPERATORS: Mapping[type, Callable[..., np.ndarray]] = {
    **{ast.And: np.logical_and, ast.Or: np.logical_or, ast.Not: np.logical_not, ast.USub: np.negative},
    **{ast.Add: np.add, ast.Sub: np.subtract, ast.Mult: np.multiply, ast.Div: np.divide, ast.Eq: np.equal},
    **{ast.Lt: np.less, ast.LtE: np.less_equal, ast.Gt: np.greater, ast.GtE: np.greater_equal},
}
_FUNCTIONS: Mapping[str, Callable[..., np.ndarray]] = {"abs": np.abs, "min": np.minimum, "max": np.maximum}


def _value(node: ast.AST, values: Numbers) -> np.ndarray:
    match node:
        case ast.Constant(value=int() | float() as number):
            return np.asarray(number)
        case ast.Name(id=name):
            return values[name]
        case ast.BoolOp(op=op, values=parts):
            return reduce(_OPERATORS[type(op)], (_value(part, values) for part in parts))
        case ast.UnaryOp(op=op, operand=operand):
            return _OPERATORS[type(op)](_value(operand, values))
        case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.asarray(_OPERATORS[type(op)](_value(left, values), _value(right, values)))
        case ast.Call(func=ast.Name(id="abs"), args=[argument]):
            return np.asarray(np.abs(_value(argument, values)))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return reduce(_FUNCTIONS[name], (_value(argument, values) for argument in arguments))
    raise ValueError(f"a rule may not say '{ast.unparse(node)}'")
