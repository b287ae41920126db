"""The store's runs → evidence.json → results.json: what each arm scored, and the paired contrasts between arms.

Accuracies are fractions. A contrast's differences are paired by seed, since a seed gives both arms the same initial
weights and the same order of images.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import evidence, inference, records
from experiments.data import datasets
from experiments.data.sources import DIGITS, Source
from experiments.files.durable import write_atomically
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.store.store import Entry, Store
from experiments.study import keys
from experiments.study.model import Arm, Contrast, Run, Study

FORMAT = 2
TIMES = (  # fields of results.json and training.json that tell times: two trainings of the same differ in them alone
    *("started", "finished", "train_seconds", "epoch_seconds", "compile_seconds", "predict_seconds", "map_seconds"),
)


def update(
    plan: Study,
    runs: Sequence[Run],
    source: Source,
    store: Store,
    replication: Sequence[Run] = (),
    quick: bool = False,
    recorded: bool = True,
) -> dict[str, Any]:
    """results.json, written anew only if something that it depends on has changed; returns its content.

    Its top level is what `runs` measured on the `source`; "replication" is the same for the runs on the digits, None
    where there are none. Where the digits stand in for MNIST, the record's numbers come first, marked as recorded, if
    it is the record of this study (`recorded`).
    """
    first, second = _gathered(plan, runs, source, store), _gathered(plan, replication, DIGITS, store)
    inputs = keys.digest(
        {
            "format": FORMAT,
            "runs": [[entry.measures_path.parent.name, entry.measures_path.name] for entry in first + second],
            "names": [str(entry.run) for entry in first + second],
            "expected": [len(runs), len(replication)],
            "contrasts": [vars(contrast) for contrast in plan.contrasts],
            "blocks": [[arm.name, arm.title, plan.block(arm.block).question] for arm in plan.arms],
            "declared": [plan.declared, plan.confidence, quick],
            "source": [asdict(source.spec), source.origin, source.fallback],
            "record": records.fingerprint() if recorded else "",
            "code": [keys.file_digest(Path(module)) for module in _CODE],
        }
    )
    path, seen = store.root / "results.json", store.root / "evidence.json"
    if is_made_from(path, inputs) and is_made_from(seen, inputs):
        return read_json(path, FORMAT)
    content = {
        "format": evidence.FORMAT,
        "inputs": inputs,
        "quick": quick,
        "source": {"facts": asdict(source.spec), "origin": source.origin, "fallback": source.fallback},
        "record": records.fingerprint() if recorded else "",
        "expected": [len(runs), len(replication)],
        "runs": _observed(first),
        "replication": _observed(second),
    }
    results = {**assemble(plan, content), "format": FORMAT, "inputs": inputs}
    write_atomically(seen, to_json(content))
    write_atomically(path, to_json(results))
    return results


_CODE = (__file__, evidence.__file__, inference.__file__, records.__file__)


def assemble(plan: Study, content: Mapping[str, Any]) -> dict[str, Any]:
    """The results that follow from evidence: all that results.json holds but its format and inputs."""
    told = content["source"]
    source = Source(datasets.DatasetSpec.of(told["facts"]), None, told["origin"], told["fallback"])
    summary = summarise(plan, content["runs"], content["expected"][0], source)
    second = content["replication"]
    repeated = summarise(plan, second, content["expected"][1], DIGITS) if second else None
    results = {**summary, "replication": repeated, "recorded": None, "quick": content["quick"]}
    return records.beside(results, records.read() if content["record"] else None)


def _observed(entries: Sequence[Entry]) -> list[evidence.Observation]:
    """What there is to see of each entry's run; an arm with a map beside the arm whose outputs it maps."""
    plain = {(entry.folder, entry.run.arm.readout): entry for entry in entries}
    return [
        evidence.observe(entry, plain.get((entry.folder, "as_is")) if entry.run.arm.readout != "as_is" else None)
        for entry in entries
    ]


def _gathered(plan: Study, runs: Sequence[Run], source: Source, store: Store) -> list[Entry]:
    """The entries of those runs that are trained and measured."""
    entries = [store.entry(run, source.identity) for run in store.resolved(plan, runs, source.identity)]
    return [entry for entry in entries if entry.done]


def summarise(plan: Study, seen: Sequence[evidence.Observation], expected: int, source: Source) -> dict[str, Any]:
    """Everything that the page uses, from what was seen of the runs that are trained and measured."""
    arms = {arm.name: arm for arm in plan.arms}
    runs = [_run(plan, arms[one["arm"]], one, source) for one in seen]
    by_arm: dict[str, list[tuple[evidence.Observation, dict[str, Any]]]] = defaultdict(list)
    for one, run in zip(seen, runs, strict=True):
        by_arm[one["arm"]].append((one, run))
    versions = sorted({(name, version) for one in seen for name, version in one["versions"].items()})
    return {
        "dataset": describe(source),
        "runs_expected": expected,
        "runs_missing": _missing(plan, seen, expected, source),
        "runs": runs,
        "arms": {
            name: _arm(arms[name], plan, [run for _, run in own], [one for one, _ in own])
            for name, own in by_arm.items()
        },
        "contrasts": contrasts(plan, {name: {one["seed"]: one for one, _ in own} for name, own in by_arm.items()}),
        "declared": plan.declared,
        "confidence": plan.confidence,
        "versions": [list(pair) for pair in versions],
        "processors": sorted({run["processor"] for run in runs}),
        "pythons": sorted({run["python"] for run in runs}),
    }


def _missing(plan: Study, seen: Sequence[evidence.Observation], expected: int, source: Source) -> dict[str, int]:
    """How many runs of each block are not measured yet; only the blocks that lack some."""
    planned = plan.runs(source.name)
    if len(planned) != expected:
        return {}  # the study was asked for other runs than all of its own
    measured = {(one["arm"], one["seed"]) for one in seen}
    return dict(Counter(run.arm.block for run in planned if (run.arm.name, run.seed) not in measured))


def describe(source: Source) -> dict[str, Any]:
    """The data set in numbers and words, and by what it was recognised."""
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


def _accuracy(seen: evidence.Observation) -> float:
    return float((seen["images"] - seen["wrong"]) / seen["images"])


def _named(arm: Arm, measure: str, value: Any) -> dict[str, Any]:
    """A measure under the name of the images that it was measured on; under the other name there is None."""
    return {f"test_{measure}": None if arm.holdout else value, f"held_out_{measure}": value if arm.holdout else None}


def _run(plan: Study, arm: Arm, seen: evidence.Observation, source: Source) -> dict[str, Any]:
    """A run's line in results.json: its configuration and what was seen, but for measures and single images."""
    told = ("predict_seconds", "map_seconds", "diverged_epoch", "training_loss_by_epoch")
    kept = ("epoch_seconds", "started", "finished", "processor", "threads", "python", "commit", "dirty", "key")
    return {
        "dataset": source.name,
        "epochs": plan.run(arm, seen["seed"], source.name).epochs,
        **arm.settings(),
        **_named(arm, "accuracy", _accuracy(seen)),
        **_named(arm, "accuracy_by_epoch", seen["test_accuracy_by_epoch"]),
        "train_seconds": None if seen["epoch_seconds"] is None else sum(seen["epoch_seconds"]),
        **{key: seen.get(key) for key in ("arm", "seed", "learning_rate", "schedule", *told, *kept)},
    }


def _arm(
    arm: Arm, plan: Study, its_runs: Sequence[Mapping[str, Any]], own: Sequence[evidence.Observation]
) -> dict[str, Any]:
    """An arm over its seeds: counts are summed, all else is the mean over seeds, None where one seed has none."""
    scores = [_accuracy(m) for m in own]
    return {
        "title": arm.title,
        "block": arm.block,
        "question": plan.block(arm.block).question,
        **arm.settings(),
        "learning_rate": own[0]["learning_rate"],  # which may be one that other runs chose
        "schedule": own[0]["schedule"],
        "readout_of": _readout_of(arm, plan, own),
        "seeds": [m["seed"] for m in own],
        **_named(arm, "accuracy", _spread(scores, plan.confidence)),
        **_named(arm, "error", _spread([1 - score for score in scores], plan.confidence)),
        **_learning(its_runs),
        "confusion": _summed([m["confusion"] for m in own]),
        "target_outputs": _pooled([m["target_outputs"] for m in own]),
        "other_outputs": _pooled([m["other_outputs"] for m in own]),
        "tied_share": _mean([m["tied_share"] for m in own]),
        "row_sum_mean": _mean([m["row_sum_mean"] for m in own]),
        "negative_share": _mean([m["negative_share"] for m in own]),
        "calibration": _calibration([m["calibration"] for m in own]),
        "gradient": _mean([m["gradient"] for m in own]),
        "saturation": _mean([m["saturation"] for m in own]),
    }


def _spread(values: Sequence[float], confidence: float) -> dict[str, Any]:
    """Mean over seeds, with Student's t interval and standard deviation where there are two or more; extremes."""
    several = len(values) > 1
    return {
        "mean": float(np.mean(values)),
        "standard_deviation": float(np.std(values, ddof=1)) if several else None,
        "interval": inference.t_interval(values, confidence) if several else None,
        "min": min(values),
        "max": max(values),
    }


LEVELS = (0.95, 0.96, 0.97)


def _learning(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """How fast an arm learns: mean accuracy over the epochs, and the first epoch that reaches each level (or None)."""
    every = [run[f"{images}_accuracy_by_epoch"] for run in runs for images in ("test", "held_out")]
    curves = [curve for curve in every if curve is not None]  # a run has one of the two
    first = {
        f"{level:.2f}": [next((n for n, value in enumerate(curve, 1) if value >= level), None) for curve in curves]
        for level in LEVELS
    }
    return {
        "mean_epoch_accuracy": float(np.mean(curves)) if curves else None,
        "first_epoch_at": first,
        "diverged_seeds": sum(run["diverged_epoch"] is not None for run in runs),
        "epoch_seconds": _median([seconds for run in runs for seconds in run["epoch_seconds"] or []]),
        "predict_seconds": _median([run["predict_seconds"] for run in runs]),
        "map_seconds": _median([run["map_seconds"] for run in runs]),
    }


def _median(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return float(np.median(known)) if known else None


def _mean(values: Sequence[Any]) -> Any:
    """The mean of numbers, or of every number in equally built lists and objects. None where one of them is None."""
    if any(value is None for value in values):
        return None
    if isinstance(values[0], Mapping):
        return {key: _mean([value[key] for value in values]) for key in values[0]}
    if isinstance(values[0], list):
        return [_mean(list(column)) for column in zip(*values, strict=True)]
    return float(np.mean(values))


def _calibration(found: Sequence[Mapping[str, Any] | None]) -> dict[str, Any] | None:
    """Scores as means over seeds; the reliability curve over all seeds' images, [edge, count, confidence, accuracy]."""
    known = [one for one in found if one is not None]
    if not known:
        return None
    bins: dict[float, list[list[float]]] = {}
    for edge, *rest in (row for one in known for row in one["reliability"] or []):
        bins.setdefault(edge, []).append(rest)
    curve = []
    for edge, rows in sorted(bins.items()):
        counts, confidences, accuracies = np.array(rows).T
        means = [float(np.average(values, weights=counts)) for values in (confidences, accuracies)]
        curve.append([edge, int(counts.sum()), *means])
    scores = {key: _mean([one[key] for one in known]) for key in known[0] if key != "reliability"}
    return {**scores, "reliability": curve}


def _readout_of(arm: Arm, plan: Study, own: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """For another readout of an arm's models: which arm, and how many predictions the readout changed."""
    if arm.readout == "as_is":
        return None
    base = next(other for other in plan.arms if other.settings() == {**arm.settings(), "readout": "as_is"})
    compared = sum(m["images"] for m in own if m["changed_predictions"] is not None)
    changed = sum(m["changed_predictions"] or 0 for m in own)
    return {
        "arm": base.name,
        "changed": changed,
        "compared": compared,
        "changed_share": changed / compared if compared else None,
    }


def _summed(counts: Sequence[Any]) -> Any:
    """Counts summed over seeds; None where one seed has none."""
    return None if any(found is None for found in counts) else np.sum(counts, axis=0).tolist()


def _pooled(distributions: Sequence[Mapping[str, Any] | None]) -> dict[str, Any]:
    """Counts summed, mean and quantiles as means over seeds; a seed whose outputs are not finite has no counts."""
    found = [d or dict.fromkeys(("mean", "quantiles", "counts")) for d in distributions]
    counts = [d["counts"] for d in found if d["counts"] is not None]
    return {
        "mean": _mean([d["mean"] for d in found]),
        "quantiles": _mean([d["quantiles"] for d in found]),
        "counts": np.sum(counts, axis=0).tolist() if counts else None,
    }


def contrasts(plan: Study, measures: Mapping[str, Mapping[int, Mapping[str, Any]]]) -> list[dict[str, Any]]:
    """Every declared contrast; `n` is 0 and nothing is computed where fewer than two pairs have been measured.

    measures: by arm and seed. Holm's family is the whole declared one: contrasts not yet measured count with p = 1.
    """
    found = []
    for contrast in plan.contrasts:
        firsts, seconds = (measures.get(name, {}) for name in (contrast.first, contrast.second))
        pairs = [(first, seconds[seed]) for seed, first in firsts.items() if seed in seconds]
        computed = _contrast(contrast, pairs, plan.confidence) if len(pairs) > 1 else {"n": 0}
        found.append({**vars(contrast), **computed})
    for row, adjusted in zip(found, inference.holm([row.get("p", 1.0) for row in found]), strict=True):
        if row["n"]:
            row["p_holm"] = adjusted
    return found


def _contrast(
    contrast: Contrast,
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    confidence: float,
) -> dict[str, Any]:
    """Everything that is computed of `pairs`, the measures of both arms by seed. Differences are first − second."""
    firsts, seconds = zip(*pairs, strict=True)
    differences = [_accuracy(first) - _accuracy(second) for first, second in pairs]
    discordant = [_discordant(first, second) for first, second in pairs]
    mcnemar = inference.mcnemar_p(discordant)
    gains = [first_only - second_only for first_only, second_only in discordant]  # in images, so that ties are exact
    found = {
        "n": len(pairs),
        "differences": differences,
        "mean": float(np.mean(differences)),
        "interval": inference.t_interval(differences, confidence),
        "bootstrap": inference.bootstrap_interval(_wrong(firsts), _wrong(seconds), confidence),
        "detectable": inference.detectable_difference(differences, confidence),
        "seeds_agreeing": sum(gain * sum(gains) > 0 for gain in gains),  # a tie agrees with neither direction
        "discordant": discordant,
        "mcnemar_p": mcnemar,
        "mcnemar_share": float(np.mean(np.array(mcnemar) < 1 - confidence)),  # of single runs that tell the arms apart
    }
    margin, images = contrast.equivalence_margin, firsts[0]["images"]
    if margin is None:
        return {**found, "p": inference.sign_flip_p(differences, images)}
    low, high = inference.t_interval(differences, 2 * confidence - 1)
    return {
        **found,
        "p": inference.equivalence_p(differences, margin, images),
        "equivalence_interval": [low, high],
        "equivalent": -margin < low and high < margin,
    }


def _discordant(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[int, int]:
    """How many test images only the first, and only the second, gets right."""
    wrong = [set(m["wrong_images"]) for m in (first, second)]
    return len(wrong[1] - wrong[0]), len(wrong[0] - wrong[1])


def _wrong(arm: Sequence[Mapping[str, Any]]) -> np.ndarray:
    """Which test images each of an arm's runs gets wrong: bool, [n_runs, n_images]."""
    wrong = np.zeros((len(arm), arm[0]["images"]), bool)
    for row, seen in zip(wrong, arm, strict=True):
        row[seen["wrong_images"]] = True
    return wrong
