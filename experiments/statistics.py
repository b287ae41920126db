"""The store's runs → results.json: what each arm scored, and the paired contrasts between arms.

Accuracies are fractions. A contrast's differences are paired by seed, since a seed gives both arms the same initial
weights and the same order of images.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments import data, study
from experiments.sources import Source
from experiments.store import Entry, Store, read_json, to_json, write_atomically

FORMAT = 1


# ---------------------------------------------------------------------------------------------- the mathematics


def t_interval(values: Sequence[float], confidence: float) -> tuple[float, float]:
    """Student's t confidence interval for the mean of two or more `values` (Student 1908)."""
    from scipy import stats  # costs half a second: only where something is computed

    n = len(values)
    half = stats.t.ppf((1 + confidence) / 2, n - 1) * np.std(values, ddof=1) / np.sqrt(n)
    return float(np.mean(values) - half), float(np.mean(values) + half)


def sign_flip_p(differences: Sequence[float]) -> float:
    """Exact two-sided p of the sign-flip test that paired `differences` are symmetric about 0 (Fisher 1935, § 21).

    The share of all 2^n assignments of signs whose mean is at least as far from 0 as the one observed. n ≤ 20.
    """
    means = _flipped_means(differences)
    return float(np.mean(np.abs(means) >= abs(np.mean(differences)) - 1e-12))


def equivalence_p(differences: Sequence[float], margin: float) -> float:
    """Exact p of the two one-sided sign-flip tests that the differences' centre lies within ± `margin`.

    The larger of both tests' p (Schuirmann 1987, with sign flips in place of t).
    """
    d = np.asarray(differences, float)
    above = np.mean(_flipped_means(d + margin) >= np.mean(d + margin) - 1e-12)
    below = np.mean(_flipped_means(d - margin) <= np.mean(d - margin) + 1e-12)
    return float(max(above, below))


def _flipped_means(differences: Sequence[float] | np.ndarray) -> np.ndarray:
    n = len(differences)
    if n > 20:
        raise ValueError(f"{n} pairs: enumerating 2^{n} sign assignments is too much; at most 20")
    signs = np.array(list(itertools.product((1.0, -1.0), repeat=n)))
    return signs @ np.asarray(differences, float) / n


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjustment of a family's p-values, in their order (Holm 1979)."""
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def mcnemar_p(first_only: int, second_only: int) -> float:
    """Exact two-sided McNemar p from the images that only one of two models gets right (McNemar 1947).

    The binomial test that a discordant image is equally likely to favour either.
    """
    from scipy import stats

    total = first_only + second_only
    return float(stats.binomtest(first_only, total).pvalue) if total else 1.0


# ---------------------------------------------------------------------------------------------- the results


def update(plan: study.Study, runs: Sequence[study.Run], source: Source, store: Store) -> dict[str, Any]:
    """results.json for `runs`, written anew only if something that it depends on has changed; returns its content."""
    entries = [store.entry(run, source.identity) for run in runs]
    measured = [entry for entry in entries if entry.trained and entry.measured]
    inputs = study.digest(
        {
            "format": FORMAT,
            "runs": [[str(entry.run), entry.measures_path.parent.name, entry.measures_path.name] for entry in measured],
            "missing": len(entries) - len(measured),
            "contrasts": [vars(contrast) for contrast in plan.contrasts],
            "blocks": [[arm.name, arm.title, plan.block(arm.block).question] for arm in plan.arms],
            "declared": [plan.declared, plan.confidence],
            "source": [source.name, source.origin, source.fallback],
            "code": study.code_fingerprint(Path(__file__)),
        }
    )
    path = store.root / "results.json"
    if path.exists() and (old := read_json(path, FORMAT))["inputs"] == inputs:
        return old
    results = {"format": FORMAT, "inputs": inputs, **summarise(plan, measured, len(entries), source)}
    write_atomically(path, to_json(results))
    return results


def summarise(plan: study.Study, entries: Sequence[Entry], expected: int, source: Source) -> dict[str, Any]:
    """Everything that the page uses, from the entries of runs that are trained and measured."""
    measures = {(e.run.arm.name, e.run.seed): e.measures() for e in entries}
    runs = [_run(entry, measures[entry.run.arm.name, entry.run.seed]) for entry in entries]
    arms = [arm for arm in plan.arms if any(run["arm"] == arm.name for run in runs)]
    versions = sorted({(k, v) for e in entries for k, v in e.key["versions"].items()})
    return {
        "dataset": describe(source),
        "runs_expected": expected,
        "runs": runs,
        "arms": {arm.name: _arm(arm, plan, measures) for arm in arms},
        "contrasts": contrasts(plan, measures),
        "declared": plan.declared,
        "confidence": plan.confidence,
        "versions": [list(pair) for pair in versions],
        "processors": sorted({run["processor"] for run in runs}),
        "pythons": sorted({run["python"] for run in runs}),
    }


def describe(source: Source) -> dict[str, Any]:
    """The data set in numbers and words, and by what it was recognised."""
    return {
        "name": source.name,
        "train_images": data.TRAIN_IMAGES[source.name],
        "test_images": data.TEST_IMAGES[source.name],
        "image_side_pixels": data.SIDE_PIXELS[source.name],
        "classes": data.CLASSES,
        "origin": source.origin,
        "fallback": source.fallback,
        "arrays_sha256": dict(zip(data.ARRAYS, data.IDENTITY[source.name], strict=True)),
    }


def _run(entry: Entry, measures: Mapping[str, Any]) -> dict[str, Any]:
    training = entry.training()
    return {
        "arm": entry.run.arm.name,
        "seed": entry.run.seed,
        "dataset": entry.run.dataset,
        "epochs": entry.run.epochs,
        **entry.run.arm.training_spec(),
        "readout": entry.run.arm.readout,
        "test_accuracy": measures["test_accuracy"],
        "train_seconds": sum(training["epoch_seconds"]),
        "diverged_epoch": training["diverged_epoch"],
        "training_loss_by_epoch": training["training_loss"],
        "test_accuracy_by_epoch": training["test_accuracy"],
        "epoch_seconds": training["epoch_seconds"],
        "started": training["started"],
        "finished": training["finished"],
        "processor": training["machine"]["processor"],
        "threads": training["machine"]["threads"],
        "python": training["python"],
        "key": study.digest(entry.key)[:16],
    }


def _arm(arm: study.Arm, plan: study.Study, measures: Mapping[tuple[str, int], Mapping[str, Any]]) -> dict[str, Any]:
    """An arm over its seeds. Counts are summed; means are over seeds."""
    own = [found for (name, _), found in measures.items() if name == arm.name]
    accuracies = [m["test_accuracy"] for m in own]
    interval = t_interval(accuracies, plan.confidence) if len(own) > 1 else None
    return {
        "title": arm.title,
        "block": arm.block,
        "question": plan.block(arm.block).question,
        **arm.training_spec(),
        "readout": arm.readout,
        "readout_of": _readout_of(arm, plan, measures),
        "seeds": [seed for (name, seed) in measures if name == arm.name],
        "test_accuracy": {
            "mean": float(np.mean(accuracies)),
            "standard_deviation": float(np.std(accuracies, ddof=1)) if len(own) > 1 else None,
            "interval": interval,
            "min": min(accuracies),
            "max": max(accuracies),
        },
        "confusion": np.sum([m["confusion"] for m in own], axis=0).tolist(),
        "target_outputs": _pooled([m["target_outputs"] for m in own]),
        "other_outputs": _pooled([m["other_outputs"] for m in own]),
        "row_sum_mean": float(np.mean([m["row_sum_mean"] for m in own])),
        "negative_share": float(np.mean([m["negative_share"] for m in own])),
    }


def _readout_of(
    arm: study.Arm, plan: study.Study, measures: Mapping[tuple[str, int], Mapping[str, Any]]
) -> dict[str, Any] | None:
    """For another readout of an arm's models: which arm, and how many predictions the readout changed."""
    base = next((a for a in plan.arms if a.training_spec() == arm.training_spec() and a.readout == "as_is"), arm)
    if arm.readout == "as_is":
        return None
    pairs = [
        (m["predictions"], measures[base.name, seed]["predictions"])
        for (name, seed), m in measures.items()
        if name == arm.name and (base.name, seed) in measures
    ]
    changed = sum(one != other for pair in pairs for one, other in zip(*pair, strict=True))
    return {"arm": base.name, "changed": changed, "compared": sum(len(pair[0]) for pair in pairs)}


def _pooled(distributions: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    return {
        "mean": float(np.mean([d["mean"] for d in distributions])),
        "quantiles": np.mean([d["quantiles"] for d in distributions], axis=0).tolist(),
        "counts": np.sum([d["counts"] for d in distributions], axis=0).tolist(),
    }


def contrasts(plan: study.Study, measures: Mapping[tuple[str, int], Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Every declared contrast; `n` is 0 and nothing is computed where fewer than two pairs have been measured.

    Holm's family is the whole declared one: contrasts not yet measured count with p = 1.
    """
    found = []
    for contrast in plan.contrasts:
        pairs = [
            (first, measures[contrast.second, seed])
            for (name, seed), first in measures.items()
            if name == contrast.first and (contrast.second, seed) in measures
        ]
        computed = _contrast(contrast, pairs, plan.confidence) if len(pairs) > 1 else {"n": 0}
        found.append({**vars(contrast), **computed})
    for row, adjusted in zip(found, holm([row.get("p", 1.0) for row in found]), strict=True):
        if row["n"]:
            row["p_holm"] = adjusted
    return found


def _contrast(
    contrast: study.Contrast,
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]],
    confidence: float,
) -> dict[str, Any]:
    differences = [first["test_accuracy"] - second["test_accuracy"] for first, second in pairs]
    margin = contrast.equivalence_margin
    return {
        "n": len(pairs),
        "differences": differences,
        "mean": float(np.mean(differences)),
        "interval": t_interval(differences, confidence),
        "p": sign_flip_p(differences) if margin is None else equivalence_p(differences, margin),
        "mcnemar_p": [mcnemar_p(*_discordant(first, second)) for first, second in pairs],
        "predictions_changed": [
            sum(a != b for a, b in zip(first["predictions"], second["predictions"], strict=True))
            for first, second in pairs
        ],
    }


def _discordant(first: Mapping[str, Any], second: Mapping[str, Any]) -> tuple[int, int]:
    """How many test images only the first, and only the second, gets right."""
    wrong = [set(m["wrong_images"]) for m in (first, second)]
    return len(wrong[1] - wrong[0]), len(wrong[0] - wrong[1])
