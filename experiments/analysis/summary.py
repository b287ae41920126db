"""The store's runs → evidence.json → results.json: what each arm scored, and the paired contrasts between arms.

Accuracies are fractions. A contrast's differences are paired by seed, because a seed gives both arms the same initial
weights and the same order of images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, TypeVar, cast

import numpy as np
from numpy.typing import ArrayLike

from experiments.analysis import evidence, inference, records
from experiments.analysis.results import (
    ArmCalibration,
    ArmDigitOutputs,
    ArmResult,
    Calibration,
    ContrastResult,
    DatasetDescription,
    DatasetSpec,
    DigitOutputs,
    Distribution,
    EvidenceFile,
    Measurements,
    Observation,
    Observations,
    PlateauEpochs,
    ReadoutResult,
    Results,
    ResultsFile,
    RunResult,
    Settings,
    SourceDescription,
    Spread,
    Summary,
)
from experiments.data import datasets
from experiments.data.sources import BESIDE_MNIST, Source
from experiments.files.durable import write_atomically
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.store.store import Entry, Store
from experiments.study import keys
from experiments.study.model import Arm, Contrast, Run, Study

FORMAT = 3
NOT_YET = "none of its runs is measured yet"
TIMES = (  # fields of results.json and training.json that hold times; two trainings of one run differ only in these
    *("started", "finished", "train_seconds", "epoch_seconds", "compile_seconds", "predict_seconds", "map_seconds"),
)
ACCURACY_LEVELS = (0.95, 0.96, 0.97)
PLATEAU_EPOCHS = 3  # the last ones, whose mean accuracy is a run's plateau; all epochs of shorter runs
NEAR_PLATEAU = 0.005  # a run has come near its plateau when its accuracy is at most so much below


def update(
    plan: Study,
    runs: Sequence[Run],
    source: Source,
    store: Store,
    replications: Mapping[str, Sequence[Run]] = MappingProxyType({}),
    not_replicated: Mapping[str, str] = MappingProxyType({}),
    quick: bool = False,
    recorded: bool = True,
) -> ResultsFile:
    """The content of results.json, which is written again only if something that it depends on has changed.

    Its top level is what `runs` measured on the `source`; "replications" is the same for the runs on other data sets,
    by their names. `not_replicated`: why some of these are unavailable. Where the digits stand in for MNIST, the
    record's numbers come first, marked as recorded, if it is the record of this study (`recorded`).
    """
    entries = _measured_entries(plan, runs, source, store)
    replicated = {
        name: _measured_entries(plan, its_runs, BESIDE_MNIST[name], store) for name, its_runs in replications.items()
    }
    everything = [*entries, *(entry for its_entries in replicated.values() for entry in its_entries)]
    record = records.fingerprint() if recorded else ""
    expected = {source.name: len(runs)} | {name: len(its_runs) for name, its_runs in replications.items()}
    study = keys.study_digest(plan)
    inputs = keys.digest(
        {
            "format": FORMAT,
            "runs": [[entry.measures_path.parent.name, entry.measures_path.name] for entry in everything],
            "names": [str(entry.run) for entry in everything],
            "expected": [expected, dict(not_replicated)],
            "study": [study, quick],
            "source": [asdict(source.spec), source.origin, source.fallback],
            "record": record,
            "code": [keys.file_digest(Path(module)) for module in _CODE],
        }
    )
    results_path, evidence_path = store.root / "results.json", store.root / "evidence.json"
    if is_made_from(results_path, inputs) and is_made_from(evidence_path, inputs):
        return cast(ResultsFile, read_json(results_path, FORMAT))
    content: EvidenceFile = {
        "format": evidence.FORMAT,
        "inputs": inputs,
        "quick": quick,
        "source": _source_description(source),
        "record": record,
        "arms": {name: keys.arm_digest(plan, name) for name in {entry.run.arm.name for entry in everything}},
        "expected": expected,
        "runs": observations(entries),
        "replications": {name: observations(its_entries) for name, its_entries in replicated.items()},
        "not_replicated": dict(not_replicated),
    }
    updated: ResultsFile = {**assemble(plan, content), "format": FORMAT, "inputs": inputs, "study": study}
    write_atomically(evidence_path, to_json(content))
    write_atomically(results_path, to_json(updated))
    return updated


_CODE = (__file__, evidence.__file__, inference.__file__, records.__file__)


def assemble(plan: Study, content: Observations) -> Results:
    """The results that follow from evidence: all that results.json holds except its format, inputs and study."""
    if content["source"] is None:
        raise ValueError("nothing was observed")
    source = _source(content["source"])
    plan, expected = plan.about(source.spec), content["expected"]
    replications = {
        name: summarise(plan, its_observations, expected[name], BESIDE_MNIST[name])
        for name, its_observations in content["replications"].items()
        if its_observations
    }
    not_measured = expected.keys() - {source.name} - replications.keys()
    measurements: Measurements = {
        **summarise(plan, content["runs"], expected[source.name], source),
        "replications": replications,
        "not_replicated": {name: content["not_replicated"].get(name, NOT_YET) for name in sorted(not_measured)},
        "recorded": None,
        "quick": content["quick"],
    }
    return records.merge_record(measurements, records.read() if content["record"] else None)


def _source_description(source: Source) -> SourceDescription:
    facts = cast(DatasetSpec, asdict(source.spec))
    return {"facts": facts, "origin": source.origin, "fallback": source.fallback}


def _source(description: SourceDescription) -> Source:
    """The inverse of `_source_description`, except for the path."""
    return Source(datasets.DatasetSpec.of(description["facts"]), None, description["origin"], description["fallback"])


def observations(entries: Sequence[Entry]) -> list[Observation]:
    """An observation of each entry's run. An arm with a map is compared with the arm whose outputs it maps."""
    unmapped = {entry.folder: entry for entry in entries if entry.run.arm.readout == "as_is"}
    return [
        evidence.observe(entry, None if entry.run.arm.readout == "as_is" else unmapped.get(entry.folder))
        for entry in entries
    ]


def _measured_entries(plan: Study, runs: Sequence[Run], source: Source, store: Store) -> list[Entry]:
    """The entries of those runs that are trained and measured."""
    entries = [store.entry(run, source.identity) for run in store.resolve_runs(plan, runs, source.identity)]
    return [entry for entry in entries if entry.done]


def summarise(plan: Study, observations: Sequence[Observation], expected: int, source: Source) -> Summary:
    """Everything that the page uses, from the observations of the runs that are trained and measured."""
    arms = {arm.name: arm for arm in plan.arms}
    runs = [_run_result(plan, arms[observation["arm"]], observation, source) for observation in observations]
    runs_by_arm: dict[str, list[RunResult]] = defaultdict(list)
    by_arm: dict[str, list[Observation]] = defaultdict(list)
    for observation, run in zip(observations, runs, strict=True):
        runs_by_arm[run["arm"]].append(run)
        by_arm[run["arm"]].append(observation)
    versions = {pair for observation in observations for pair in observation["versions"].items()}
    return {
        "dataset": describe(source),
        "runs_expected": expected,
        "runs_missing": _missing_runs(plan, observations, expected, source),
        "runs": runs,
        "arms": {name: _arm_result(arms[name], plan, runs_by_arm[name], of_arm) for name, of_arm in by_arm.items()},
        "contrasts": contrasts(
            plan,
            {name: {observation["seed"]: observation for observation in of_arm} for name, of_arm in by_arm.items()},
        ),
        "declared": plan.declared,
        "declared_commit": plan.declared_commit,
        "confidence": plan.confidence,
        "versions": [list(pair) for pair in sorted(versions)],
        "processors": sorted({run["processor"] for run in runs}),
        "pythons": sorted({run["python"] for run in runs}),
    }


def _missing_runs(plan: Study, observations: Sequence[Observation], expected: int, source: Source) -> dict[str, int]:
    """How many runs of each block are not measured yet; only the blocks that lack some."""
    planned = plan.runs(source.name)
    if len(planned) != expected:
        return {}  # only some of the study's runs were asked for
    measured = {(observation["arm"], observation["seed"]) for observation in observations}
    return dict(Counter(run.arm.block for run in planned if (run.arm.name, run.seed) not in measured))


def describe(source: Source) -> DatasetDescription:
    """The data set in numbers and words, with the digests that identify it."""
    return {
        "name": source.name,
        "train_images": source.spec.train_images,
        "test_images": source.spec.test_images,
        "image_shape": list(source.spec.image_shape),
        "classes": source.spec.classes,
        "origin": source.origin,
        "fallback": source.fallback,
        "arrays_sha256": dict(zip(datasets.ARRAYS, source.spec.arrays_sha256, strict=True)),
    }


# ---------------------------------------------------------------------------------------------- runs and arms


def _accuracy(observation: Observation) -> float:
    return float((observation["images"] - observation["wrong"]) / observation["images"])


def _run_result(plan: Study, arm: Arm, observation: Observation, source: Source) -> RunResult:
    """A run in results.json: its configuration and what was observed, except measures and single images."""
    accuracy, by_epoch = _accuracy(observation), observation["test_accuracy_by_epoch"]
    epoch_seconds = observation["epoch_seconds"]
    return {
        **_settings(arm, observation),
        "arm": observation["arm"],
        "seed": observation["seed"],
        "dataset": source.name,
        "epochs": plan.run(arm, observation["seed"], source.name).epochs,
        "test_accuracy": None if arm.holdout else accuracy,
        "held_out_accuracy": accuracy if arm.holdout else None,
        "test_accuracy_by_epoch": None if arm.holdout else by_epoch,
        "held_out_accuracy_by_epoch": by_epoch if arm.holdout else None,
        "training_accuracy": observation.get("training_accuracy"),
        "least_squares_accuracy": observation.get("least_squares_accuracy"),
        "training_loss_by_epoch": observation["training_loss_by_epoch"],
        "train_seconds": None if epoch_seconds is None else sum(epoch_seconds),
        "epoch_seconds": epoch_seconds,
        "predict_seconds": observation["predict_seconds"],
        "map_seconds": observation["map_seconds"],
        "diverged_epoch": observation["diverged_epoch"],
        "started": observation.get("started"),
        "finished": observation["finished"],
        "processor": observation["processor"],
        "threads": observation.get("threads"),
        "python": observation["python"],
        "commit": observation.get("commit"),
        "dirty": observation.get("dirty"),
        "key": observation.get("key"),
    }


def _settings(arm: Arm, observation: Observation) -> Settings:
    """The arm's settings, with the learning rate and schedule that the run had: other runs may have chosen them."""
    chosen = {"learning_rate": observation["learning_rate"], "schedule": observation["schedule"]}
    return cast(Settings, {**arm.settings(), **chosen})


def _arm_result(arm: Arm, plan: Study, runs: Sequence[RunResult], observations: Sequence[Observation]) -> ArmResult:
    """An arm over its seeds: counts are summed, all else is the mean over seeds, None where one seed has none."""
    scores = [_accuracy(observation) for observation in observations]
    accuracy = _spread(scores, plan.confidence)
    error = _spread([1 - score for score in scores], plan.confidence)
    curves = [run["held_out_accuracy_by_epoch" if arm.holdout else "test_accuracy_by_epoch"] for run in runs]
    learning = [curve for curve in curves if curve is not None]
    training = _spread_of(observations, "training_accuracy", plan.confidence)
    return {
        **_settings(arm, observations[0]),
        "title": arm.title,
        "block": arm.block,
        "question": plan.block(arm.block).question,
        "readout_of": _readout_result(arm, plan, observations),
        "seeds": [observation["seed"] for observation in observations],
        "test_accuracy": None if arm.holdout else accuracy,
        "held_out_accuracy": accuracy if arm.holdout else None,
        "test_error": None if arm.holdout else error,
        "held_out_error": error if arm.holdout else None,
        "training_accuracy": training,
        "generalization_gap": training and training["mean"] - accuracy["mean"],
        "least_squares_accuracy": _spread_of(observations, "least_squares_accuracy", plan.confidence),
        "always_wrong": _always_wrong(observations),
        "plateau": float(np.mean([_plateau(curve) for curve in learning])) if learning else None,
        "epochs_to_plateau": epochs_to_plateau(learning),
        "mean_epoch_accuracy": float(np.mean(learning)) if learning else None,
        "first_epoch_at": {
            f"{level:.2f}": [_first_epoch(curve, level) for curve in learning] for level in ACCURACY_LEVELS
        },
        "diverged_seeds": sum(run["diverged_epoch"] is not None for run in runs),
        "epoch_seconds": _median(seconds for run in runs for seconds in run["epoch_seconds"] or []),
        "predict_seconds": _median(run["predict_seconds"] for run in runs),
        "map_seconds": _median(run["map_seconds"] for run in runs),
        "confusion": _sum([observation["confusion"] for observation in observations]),
        "target_outputs": _distribution([observation["target_outputs"] for observation in observations]),
        "other_outputs": _distribution([observation["other_outputs"] for observation in observations]),
        "tied_share": _mean([observation["tied_share"] for observation in observations]),
        "row_sum_mean": _mean([observation["row_sum_mean"] for observation in observations]),
        "negative_share": _mean([observation["negative_share"] for observation in observations]),
        "calibration": _calibration([observation["calibration"] for observation in observations]),
        "gradient": _mean([observation["gradient"] for observation in observations]),
        "saturation": _mean([observation["saturation"] for observation in observations]),
        "push": _mean([observation.get("push") for observation in observations]),
        "digit_outputs": _digit_outputs([observation.get("digit_outputs") for observation in observations]),
    }


def _spread(values: Sequence[float], confidence: float) -> Spread:
    """Mean over seeds, with Student's t interval and standard deviation where there are two or more; extremes."""
    several = len(values) > 1
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)) if several else None,
        "interval": _ends(inference.t_interval(values, confidence)) if several else None,
        "min": min(values),
        "max": max(values),
    }


def _spread_of(
    observations: Sequence[Observation],
    measure: Literal["training_accuracy", "least_squares_accuracy"],
    confidence: float,
) -> Spread | None:
    """The spread of a measure over the seeds; None where one seed has none."""
    values = [observation.get(measure) for observation in observations]
    measured = [value for value in values if value is not None]
    return _spread(measured, confidence) if len(measured) == len(values) else None


def _ends(interval: tuple[float | np.ndarray, float | np.ndarray]) -> list[float]:
    """[low, high] as JSON has it."""
    return [float(end) for end in interval]


def _always_wrong(observations: Sequence[Observation]) -> int | None:
    """How many images all of an arm's runs get wrong; None unless several runs say which ones they do."""
    wrong = [observation["wrong_images"] for observation in observations]
    listed = [set(images) for images in wrong if images is not None]
    return len(set.intersection(*listed)) if len(listed) == len(wrong) > 1 else None


def _plateau(curve: Sequence[float]) -> float:
    """The mean accuracy of a run's last PLATEAU_EPOCHS epochs."""
    return float(np.mean(curve[-PLATEAU_EPOCHS:]))


def epochs_to_plateau(curves: Sequence[Sequence[float]]) -> PlateauEpochs | None:
    """The first epoch, counted from 1, at which each run's accuracy is at most NEAR_PLATEAU below its own plateau.

    curves: by run, the accuracy by epoch. It says how fast a run approaches its end, wherever that is; accuracy after
    the same epochs mixes both.
    """
    levels = [_plateau(curve) - NEAR_PLATEAU - 1e-9 for curve in curves]  # less than an image: rounding decides nothing
    epochs = [
        next(epoch for epoch, accuracy in enumerate(curve, 1) if accuracy >= level)
        for curve, level in zip(curves, levels, strict=True)
    ]
    return {"by_seed": epochs, "mean": float(np.mean(epochs))} if epochs else None


def _first_epoch(curve: Sequence[float], level: float) -> int | None:
    """The first epoch, counted from 1, whose accuracy reaches `level`."""
    return next((epoch for epoch, accuracy in enumerate(curve, 1) if accuracy >= level), None)


def _median(values: Iterable[float | None]) -> float | None:
    measured = [value for value in values if value is not None]
    return float(np.median(measured)) if measured else None


T = TypeVar("T")


def _mean(values: Sequence[T | None]) -> T | None:
    """The mean of numbers, or of every number in equally built lists and objects. None where one of them is None."""
    return cast("T | None", _mean_json(values))


def _mean_json(values: Sequence[Any]) -> Any:
    if any(value is None for value in values):
        return None
    if isinstance(values[0], Mapping):
        return {key: _mean_json([value[key] for value in values]) for key in values[0]}
    if isinstance(values[0], list):
        return [_mean_json(column) for column in zip(*values, strict=True)]
    return float(np.mean(values))


def _calibration(runs: Sequence[Calibration | None]) -> ArmCalibration | None:
    """Scores as means over seeds; the reliability curve over all seeds' images, [edge, count, confidence, accuracy]."""
    measured = [run for run in runs if run is not None]
    if not measured:
        return None
    bins: dict[float, list[list[float]]] = {}
    for edge, *rest in (row for run in measured for row in run["reliability"] or []):
        bins.setdefault(edge, []).append(rest)
    curve = []
    for edge, rows in sorted(bins.items()):
        counts, confidences, accuracies = np.array(rows).T
        means = [float(np.average(values, weights=counts)) for values in (confidences, accuracies)]
        curve.append([edge, int(counts.sum()), *means])
    scores = [{key: value for key, value in run.items() if key != "reliability"} for run in measured]
    return cast(ArmCalibration, {**_mean_json(scores), "reliability": curve})


def _digit_outputs(runs: Sequence[DigitOutputs | None]) -> ArmDigitOutputs | None:
    """The outputs of each class over the seeds, by moment; None where one seed has none."""
    measured: list[Mapping[str, Any]] = [run for run in runs if run is not None]
    if len(measured) < len(runs):
        return None
    moments = {moment: [*zip(*(run[moment] for run in measured), strict=True)] for moment in measured[0]}
    return cast(
        ArmDigitOutputs,
        {
            moment: {
                name: [None if None in values else float(reduce(values)) for values in by_class]
                for name, reduce in (("mean", np.mean), ("min", min), ("max", max))
            }
            for moment, by_class in moments.items()
        },
    )


def _readout_result(arm: Arm, plan: Study, observations: Sequence[Observation]) -> ReadoutResult | None:
    """For another readout of an arm's models: which arm, and how many predictions the readout changed."""
    if arm.readout == "as_is":
        return None
    base = next(other for other in plan.arms if other.settings() == {**arm.settings(), "readout": "as_is"})
    compared = sum(
        observation["images"] for observation in observations if observation["changed_predictions"] is not None
    )
    changed = sum(observation["changed_predictions"] or 0 for observation in observations)
    return {
        "arm": base.name,
        "changed": changed,
        "compared": compared,
        "changed_share": changed / compared if compared else None,
    }


def _sum(counts: Sequence[T | None]) -> T | None:
    """Counts summed over seeds; None where one seed has none."""
    return None if any(count is None for count in counts) else cast(T, np.sum(cast(ArrayLike, counts), axis=0).tolist())


def _distribution(runs: Sequence[Distribution | None]) -> Distribution:
    """Counts summed, mean and quantiles as means over seeds; all None where one seed has none."""
    measured = [run for run in runs if run is not None]
    if len(measured) < len(runs):
        return {"mean": None, "quantiles": None, "counts": None}
    return {
        "mean": _mean([run["mean"] for run in measured]),
        "quantiles": _mean([run["quantiles"] for run in measured]),
        "counts": _sum([run["counts"] for run in measured]),
    }


# ---------------------------------------------------------------------------------------------- contrasts


def contrasts(plan: Study, observations: Mapping[str, Mapping[int, Observation]]) -> list[ContrastResult]:
    """Every declared contrast; `n` is 0 and nothing is computed where fewer than two pairs have been measured.

    observations: by arm and seed. One without its wrong images counts as not measured: it is from the page of an older
    study, which did not compare it. Holm's family is the whole declared one: confirmatory contrasts that are not yet
    measured count with p = 1. Descriptive ones have no p-value.
    """
    rows = []
    for contrast in plan.contrasts:
        firsts, seconds = (observations.get(name, {}) for name in (contrast.first, contrast.second))
        pairs = [(first, seconds[seed]) for seed, first in firsts.items() if seed in seconds]
        pairs = [pair for pair in pairs if all(run["wrong_images"] is not None for run in pair)]
        rows.append(_contrast_result(contrast, pairs, plan.confidence))
    family = [row for row in rows if row["confirmatory"]]
    p_values = [row.get("p", 1.0) for row in family]
    least = [inference.smallest_p(row["n"], row["equivalence_margin"] is not None) for row in family]
    adjusted = zip(family, inference.holm(p_values), inference.smallest_holm(p_values, least), strict=True)
    for row, p_holm, p_smallest in adjusted:
        if row["n"]:
            row |= {"p_holm": p_holm, "p_smallest": p_smallest}
    return rows


def _contrast_result(
    contrast: Contrast, pairs: Sequence[tuple[Observation, Observation]], confidence: float
) -> ContrastResult:
    """A contrast, from the observations of both arms in `pairs`, one a seed. Differences are first − second."""
    row = cast(ContrastResult, {**vars(contrast), "n": len(pairs) if len(pairs) > 1 else 0})
    if not row["n"]:
        return row
    scores_first, scores_second = ([_accuracy(run) for run in runs] for runs in zip(*pairs, strict=True))
    differences = [first - second for first, second in zip(scores_first, scores_second, strict=True)]
    discordant = [_discordant(first, second) for first, second in pairs]
    mcnemar = inference.mcnemar_p(discordant)
    gains = [first_only - second_only for first_only, second_only in discordant]  # in images, so that ties are exact
    wrong_first, wrong_second = map(_wrong_matrix, zip(*pairs, strict=True))
    by_image = wrong_second.astype(np.int8) - wrong_first  # [n_seeds, n_images]
    row |= {
        "differences": differences,
        "mean": float(np.mean(differences)),
        "interval": _ends(inference.t_interval(differences, confidence)),
        "prediction_interval": _ends(inference.prediction_interval(differences, confidence)),
        "two_way_interval": _ends(inference.two_way_interval(by_image, confidence)),
        "bootstrap": _ends(inference.bootstrap_interval(wrong_first, wrong_second, confidence)),
        "image_share": inference.image_share(by_image),
        "superiority": float(inference.superiority(scores_first, scores_second)),
        "detectable": inference.detectable_difference(differences, confidence),
        "seeds_agreeing": sum(gain * sum(gains) > 0 for gain in gains),  # a tie agrees with neither direction
        "discordant": [[*counts] for counts in discordant],
        "mcnemar_p": mcnemar,
        "mcnemar_share": float(np.mean(np.array(mcnemar) < 1 - confidence)),
    }
    if not contrast.confirmatory:
        return row
    margin, images = contrast.equivalence_margin, pairs[0][0]["images"]
    if margin is None:
        return row | {"p": inference.sign_flip_p(differences, images)}
    low, high = _ends(inference.t_interval(differences, 2 * confidence - 1))
    return row | {
        "p": inference.equivalence_p(differences, margin, images),
        "equivalence_interval": [low, high],
        "equivalent": -margin < low and high < margin,
    }


def _wrong_images(observation: Observation) -> list[int]:
    images = observation["wrong_images"]
    assert images is not None, "only runs that have them are paired"
    return images


def _discordant(first: Observation, second: Observation) -> tuple[int, int]:
    """How many test images only the first, and only the second, gets right."""
    wrong_first, wrong_second = set(_wrong_images(first)), set(_wrong_images(second))
    return len(wrong_second - wrong_first), len(wrong_first - wrong_second)


def _wrong_matrix(observations: Sequence[Observation]) -> np.ndarray:
    """Which test images each of an arm's runs gets wrong: bool, [n_runs, n_images]."""
    wrong = np.zeros((len(observations), observations[0]["images"]), bool)
    for row, observation in zip(wrong, observations, strict=True):
        row[_wrong_images(observation)] = True
    return wrong
