"""What the statistics need of each run, rounded; and the part of it that travels inside the page, packed as text.

Whoever has the page alone can derive its statistics, its verdicts and its words again: `python -m report verify`.
"""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any

import numpy as np

from experiments.data.datasets import MAX_TEST_IMAGES
from experiments.files.errors import UserError
from experiments.files.reading import unseen
from experiments.files.sealed import compact
from experiments.store.store import Entry
from experiments.study import keys
from experiments.study.model import MAX_RUNS

FORMAT = 1
MEASURE_DIGITS, SECONDS_DIGITS = 5, 3  # significant digits: below what seeds differ by, below what clocks tell
LARGEST_BYTES = 50_000_000  # that the evidence in a page may unpack to
DECODER_BYTES = 100_000_000  # that unpacking itself may take; the presets of `pack` take 65 MB
JSON_BYTES = 20_000_000  # of it, where 16,000 runs have 10; one wide sign makes every character take four
MAX_VALUES = 2_000_000  # in its JSON: 16,000 runs
MAX_OBJECTS = 2_000_000  # that its columns may be spread to: 8 a run
MAX_WRONG = 4_000_000  # images that its runs got wrong: 300 of 10,000 in each of 13,000 runs
LONGEST_TEXT = 2000  # characters of a text in it
ALL_TEXTS = 1_000_000  # of all that differ: 20,000 runs have half of it in times
MANY_BYTES = 4_000_000  # as some 2,500 runs have

Observation = Mapping[str, Any]


# ---------------------------------------------------------------------------------------------- of one run


def observe(entry: Entry, base: Entry | None = None) -> Observation:
    """A run that is trained and measured. `base`: the same network's run without a map, if its outputs are mapped.

    What contrasts are computed from is exact: how many `images` were classified, and which `wrong_images` wrongly.
    `changed_predictions`: of how many images another class is told than by `base`. All else is rounded.
    """
    training, measures = entry.training(), entry.measures()
    predictions = measures["predictions"]
    changed = None
    if base is not None:
        changed = int(np.sum(_classes(predictions) != _classes(base.measures()["predictions"])))
    return {
        "arm": entry.run.arm.name,
        "seed": entry.run.seed,
        "learning_rate": entry.run.arm.learning_rate,  # which may be one that other runs chose
        "schedule": entry.run.arm.schedule,
        "images": len(predictions),
        "wrong": len(measures["wrong_images"]),
        "wrong_images": measures["wrong_images"],
        "changed_predictions": changed,
        **_trained(training),
        "versions": entry.key["versions"],
        "key": keys.digest(entry.key)[:16],
        **{key: _rounded(value, MEASURE_DIGITS) for key, value in measures.items() if key not in _ELSEWHERE},
    }


def _classes(predictions: str) -> np.ndarray:
    """The signs of `predictions`, one a test image."""
    return np.frombuffer(predictions.encode("utf-32-le"), np.uint32)


_ELSEWHERE = ("format", "run", "key", "predictions", "wrong_images", "test_accuracy")  # exactly, or not a measure


def _trained(training: Mapping[str, Any]) -> dict[str, Any]:
    seconds = ("epoch_seconds", "predict_seconds", "map_seconds")
    return {
        "test_accuracy_by_epoch": _rounded(training["test_accuracy"], MEASURE_DIGITS),
        "training_loss_by_epoch": _rounded(training["training_loss"], MEASURE_DIGITS),
        **{key: _rounded(training[key], SECONDS_DIGITS) for key in seconds},
        **{key: training[key] for key in ("diverged_epoch", "started", "finished", "python")},
        **{key: training["machine"][key] for key in ("processor", "threads")},
        "commit": training.get("commit", ""),  # runs that were stored before it was noted have none
        "dirty": training.get("dirty"),
    }


def _rounded(value: Any, digits: int) -> Any:
    """Every float in `value`, which is as JSON has it, to so many significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: _rounded(inner, digits) for key, inner in value.items()}
    if isinstance(value, list):  # most are long ones of counts
        return [inner if isinstance(inner, int) else _rounded(inner, digits) for inner in value]
    return value


# ---------------------------------------------------------------------------------------------- in the page

ALWAYS = (  # what the page tells of every run, and what contrasts need
    *("arm", "seed", "learning_rate", "schedule", "images", "wrong", "wrong_images", "changed_predictions"),
    *("diverged_epoch", "finished", "python", "processor", "versions"),
)
NEVER = ("started", "threads", "commit", "dirty", "key")
FOR_FIGURES = (
    "training_loss_by_epoch",
    "confusion",
    "target_outputs",
    "other_outputs",
    "reliability",
)  # that need them
SHOWN_OF: Mapping[str, Mapping[str, Any]] = {  # of these measures, no more than this
    "calibration": dict.fromkeys(("ece", "ece_as_is", "brier", "nll", "sum_before_mean", "sum_error", "reliability")),
    "gradient": {"start": {"first_over_output": None}},
    "saturation": {when: {"output_slope_target": None, "output_slope_other": None} for when in ("start", "final")},
}


def reduced(
    seen: Observation,
    contrasted: Collection[str],
    figures: Mapping[str, Collection[str]] | None = None,
    claimed: Collection[Sequence[str]] = (),
) -> dict[str, Any]:
    """Of a run, what the page shows; all else is None. `contrasted`: the arms of contrasts.

    `figures`: by measure, the arms of which a figure shows it; None where nothing but the contrasts is shown.
    `claimed`: what claims ask of the run's arm, as keys of results.json.
    """
    kept: dict[str, Any] = {key: seen[key] if key in ALWAYS else None for key in seen if key not in NEVER}
    if seen["arm"] not in contrasted:
        kept["wrong_images"] = None
    if figures is None:
        return kept
    drawn = {key for key in FOR_FIGURES if seen["arm"] in figures.get(key, ())}
    kept |= {key: seen[key] for key in kept if key not in ALWAYS and (key in drawn or key not in FOR_FIGURES)}
    if seen["arm"] not in contrasted:
        kept["epoch_seconds"] = None
    for key, wanted in SHOWN_OF.items():
        kept[key] = _only(seen[key], wanted)
    if "reliability" not in drawn:
        kept["calibration"]["reliability"] = None
    return kept | {keys[0]: seen[keys[0]] for keys in claimed if keys[0] in kept and not _has(kept, keys)}


def _has(value: Any, keys: Sequence[str]) -> bool:
    """Whether something stands there below `keys`; a list is whole, or None."""
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else value
    return value is not None


def _only(value: Any, wanted: Mapping[str, Any] | None) -> Any:
    if wanted is None or value is None:
        return value
    return {key: _only(value[key], inner) for key, inner in wanted.items()}


def pack(content: Mapping[str, Any], *lists: str) -> str:
    """`content` as text of letters and digits; the observations in its `lists` column by column, images bit by bit."""
    packed, bits = dict(content), b""
    for name in lists:
        wrong = [seen["wrong_images"] for seen in content[name]]
        marked = [seen | {"wrong_images": None if seen["wrong_images"] is None else True} for seen in content[name]]
        packed[name] = {"count": len(marked), "columns": _columns(marked)}
        bits += _bits([places for places in wrong if places is not None], _images(content[name]))
    whole = compact(packed) + b"\n" + bits
    preset = 9 | lzma.PRESET_EXTREME if len(whole) < MANY_BYTES else 4  # half the time for a twentieth more
    return base64.b64encode(lzma.compress(whole, preset=preset)).decode()


def unpack(text: str, *lists: str) -> dict[str, Any]:
    """What `pack` was given. Raises `UserError` where the text is not its own, in bounded memory."""
    try:
        decompressor = lzma.LZMADecompressor(memlimit=DECODER_BYTES)
        whole = decompressor.decompress(base64.b64decode(text, validate=True), LARGEST_BYTES)
        if not decompressor.eof:
            raise ValueError("it is cut short, or larger than any evidence")
        head, bits = whole.split(b"\n", 1)
        del whole
        _check_size(head, bits)
        content: dict[str, Any] = json.loads(head)
        _check_texts(content)
        for name in lists:
            if not 0 <= content[name]["count"] <= MAX_RUNS:
                raise ValueError(f"it speaks of {content[name]['count']} runs")
            if _objects(content[name]["columns"]) * content[name]["count"] > MAX_OBJECTS:
                raise ValueError("it has more objects than any evidence")
            seen = _rows(content[name]["columns"], content[name]["count"])
            own = [one for one in seen if one["wrong_images"]]
            size = _images(seen) * -(-len(own) // 8)
            for one, places in zip(own, _places(bits[:size], len(own)), strict=True):
                one["wrong_images"] = places
            content[name], bits = seen, bits[size:]
    except (ValueError, KeyError, TypeError, IndexError, lzma.LZMAError, RecursionError) as error:
        raise UserError(
            f"The evidence in the page is damaged ({error}). Get the page again from where it was."
        ) from error
    return content


def _check_size(head: bytes, bits: bytes) -> None:
    """Raises `ValueError` for what would take much more memory as Python's objects than it takes here."""
    if len(head) > JSON_BYTES:
        raise ValueError("its JSON is larger than any evidence's")
    if sum(head.count(sign) for sign in (b",", b"[", b"{")) > MAX_VALUES:
        raise ValueError("it has more values than any evidence")
    if np.bitwise_count(np.frombuffer(bits, np.uint8)).sum() > MAX_WRONG:
        raise ValueError("more images are wrong than in any evidence")


def _check_texts(content: Any) -> None:
    """Raises `ValueError` for texts in `content` that no run has: they would make the page huge, or hide."""
    texts, inner = set(), [content]
    while inner:
        value = inner.pop()
        if isinstance(value, str):
            texts.add(value)
        inner += value if isinstance(value, list) else (*value, *value.values()) if isinstance(value, dict) else ()
    if any(len(text) > LONGEST_TEXT or unseen(text) for text in texts):
        raise ValueError("it has a text that is longer than any in evidence, or hides something")
    if sum(map(len, texts)) > ALL_TEXTS:
        raise ValueError("its texts are longer than in any evidence")


def _images(seen: Sequence[Observation]) -> int:
    images = max((one["images"] for one in seen if one["wrong_images"] is not None), default=0)
    if not 0 <= images <= MAX_TEST_IMAGES:
        raise ValueError(f"it speaks of {images} images")
    return images


def _bits(wrong: Sequence[Sequence[int]], images: int) -> bytes:
    """A bit for each run, image by image: what is hard for one network is hard for all, which compresses well."""
    matrix = np.zeros((images, len(wrong)), bool)
    for run, places in enumerate(wrong):
        matrix[places, run] = True
    return np.packbits(matrix, axis=1).tobytes() if wrong else b""


def _places(bits: bytes, runs: int) -> list[list[int]]:
    """The inverse of `_bits`."""
    if not runs:
        return []
    eights = (
        np.frombuffer(bits, np.uint8).reshape(-1, -(-runs // 8)).T
    )  # of runs; unpacking all would take 8 times as much
    columns = (column for eight in eights for column in np.unpackbits(eight[:, None], axis=1).T)
    return [np.flatnonzero(column).tolist() for column in islice(columns, runs)]


def _columns(values: Sequence[Any]) -> Any:
    """Objects with the same keys as one object of columns, at every depth; all else as it is."""
    if values and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        return {key: _columns([value[key] for value in values]) for key in values[0]}
    return list(values)


def _objects(columns: Any) -> int:
    """How many objects `_rows` makes of `columns` for each run."""
    return 1 + sum(map(_objects, columns.values())) if isinstance(columns, dict) else 0


def _rows(columns: Any, count: int) -> list[Any]:
    """The inverse of `_columns`."""
    if isinstance(columns, dict):
        inner = {key: _rows(column, count) for key, column in columns.items()}
        return [{key: column[row] for key, column in inner.items()} for row in range(count)]
    if len(columns) != count:
        raise ValueError(f"{len(columns)} values for {count} runs")
    return list(columns)
