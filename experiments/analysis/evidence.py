"""What the statistics need of each run, rounded, and the part of it that the page carries, packed as text.

From a page alone, `python -m report verify` can derive its statistics, its verdicts and its words again.
"""

from __future__ import annotations

import base64
import json
import lzma
from collections.abc import Collection, Mapping, Sequence
from itertools import islice
from typing import Any, TypedDict, cast

import numpy as np

from experiments.analysis.results import Measures, Observation, PageEvidence, Training
from experiments.data.datasets import DIGITS, MAX_TEST_IMAGES
from experiments.files.errors import UserError
from experiments.files.reading import find_invisible_char
from experiments.files.sealed import compact
from experiments.store.store import Entry
from experiments.study import keys
from experiments.study.model import MAX_RUNS

FORMAT, FIRST_FORMAT = 2, 1
MEASURE_DIGITS, SECONDS_DIGITS = 5, 3  # significant digits: finer than seeds differ, finer than clocks measure

# Limits of the evidence that `unpack` accepts.
MAX_UNPACKED_BYTES = 50_000_000
MAX_DECODER_BYTES = 100_000_000  # of memory while unpacking; the presets of `pack` take 65 MB
MAX_JSON_BYTES = 20_000_000  # 16,000 runs have 10 MB; one wide character makes every character take four bytes
MAX_VALUES = 2_000_000  # in its JSON: 16,000 runs
MAX_OBJECTS = 2_000_000  # that its columns expand to: 8 a run
MAX_WRONG_IMAGES = 4_000_000  # over all runs: 300 of 10,000 in each of 13,000 runs
MAX_TEXT_LENGTH = 2000  # characters
MAX_TOTAL_TEXT_LENGTH = 1_000_000  # of all distinct texts: 20,000 runs have half of it in times

FAST_PRESET_BYTES = 4_000_000  # larger evidence is compressed faster; some 2,500 runs are as large


# ---------------------------------------------------------------------------------------------- of one run


def observe(entry: Entry, base: Entry | None = None) -> Observation:
    """The observation of a run that is trained and measured.

    `base`: the run of the same network without a map, if the outputs of this one are mapped. `changed_predictions`
    counts the images that the two classify differently. Contrasts are computed from exact values: how many `images`
    were classified, and which `wrong_images` wrongly. All else is rounded.
    """
    training, measures = cast(Training, entry.training()), cast(Measures, entry.measures())
    changed = None
    if base is not None:
        base_predictions = cast(Measures, base.measures())["predictions"]
        changed = int(np.sum(_classes(measures["predictions"]) != _classes(base_predictions)))
    observation = {
        "arm": entry.run.arm.name,
        "seed": entry.run.seed,
        "learning_rate": entry.run.arm.learning_rate,  # possibly one that other runs chose
        "schedule": entry.run.arm.schedule,
        "images": len(measures["predictions"]),
        "wrong": len(measures["wrong_images"]),
        "wrong_images": measures["wrong_images"],
        "changed_predictions": changed,
        **_observe_training(training),
        "versions": entry.key["versions"],
        "key": keys.digest(entry.key)[:16],
        **{key: round_floats(value, MEASURE_DIGITS) for key, value in measures.items() if key not in _NOT_COPIED},
    }
    return cast(Observation, observation)


def _classes(predictions: str) -> np.ndarray:
    """The characters of `predictions`, one a test image."""
    return np.frombuffer(predictions.encode("utf-32-le"), np.uint32)


_NOT_COPIED = ("format", "run", "key", "predictions", "wrong_images", "test_accuracy")  # kept exactly, or no measure


def _observe_training(training: Training) -> dict[str, object]:
    return {
        "test_accuracy_by_epoch": round_floats(training["test_accuracy"], MEASURE_DIGITS),
        "training_loss_by_epoch": round_floats(training["training_loss"], MEASURE_DIGITS),
        "epoch_seconds": round_floats(training["epoch_seconds"], SECONDS_DIGITS),
        "predict_seconds": round_floats(training["predict_seconds"], SECONDS_DIGITS),
        "map_seconds": round_floats(training["map_seconds"], SECONDS_DIGITS),
        "diverged_epoch": training["diverged_epoch"],
        "started": training["started"],
        "finished": training["finished"],
        "python": training["python"],
        "processor": training["machine"]["processor"],
        "threads": training["machine"]["threads"],
        "commit": training.get("commit", ""),
        "dirty": training.get("dirty"),
    }


def round_floats(value: object, digits: int) -> object:
    """Rounds every float in `value`, which is as JSON has it, to that many significant digits."""
    if isinstance(value, float):
        return float(f"{value:.{digits}g}")
    if isinstance(value, dict):
        return {key: round_floats(inner, digits) for key, inner in value.items()}
    if isinstance(value, list):  # the long lists hold counts: skip the call for these
        return [inner if isinstance(inner, int) else round_floats(inner, digits) for inner in value]
    return value


# ---------------------------------------------------------------------------------------------- in the page

ALWAYS = (  # what the page shows of every run, and what contrasts need
    *("arm", "seed", "learning_rate", "schedule", "images", "wrong", "wrong_images", "changed_predictions"),
    *("diverged_epoch", "finished", "python", "processor", "versions"),
)
NEVER = ("started", "threads", "commit", "dirty", "key")
ACCURACIES = (  # of an arm: where claims name one, the page carries which images are wrong
    *("test_accuracy", "test_error", "generalization_gap", "mean_epoch_accuracy", "plateau"),
)
FOR_FIGURES = (  # carried only for arms of which a figure needs them
    *("training_loss_by_epoch", "confusion", "target_outputs", "other_outputs", "reliability", "push", "digit_outputs"),
)
_Parts = Mapping[str, "_Parts | None"]  # the names of parts, at every depth; None: all of one
SHOWN_OF: Mapping[str, _Parts] = {  # only these parts of these measures are carried
    "calibration": dict.fromkeys(("ece", "ece_as_is", "brier", "nll", "sum_before_mean", "sum_error", "reliability")),
    "gradient": {"start": {"first_over_output": None}, "final": {"first_over_output": None}},
    "saturation": {
        "start": dict.fromkeys(("output_slope_target", "output_slope_other")),
        "final": dict.fromkeys(("hidden", "output_slope_target", "output_slope_other")),
    },
}
FOR_CLAIMS = (  # carried only for arms of which a claim names them
    *(("epoch_seconds",), ("predict_seconds",), ("map_seconds",), ("gradient", "final", "first_over_output")),
    *(("calibration", score) for score in ("brier", "nll", "sum_before_mean", "sum_error")),
)


def select_for_page(
    observation: Observation,
    contrasted: Collection[str],
    figures: Mapping[str, Collection[str]] | None = None,
    claimed: Collection[Sequence[str]] = (),
) -> Observation:
    """The observation with only what the page shows; all else is None. `contrasted`: the arms of contrasts.

    `figures`: by measure, the arms of which a figure shows it; None where nothing but the contrasts is shown.
    `claimed`: what claims ask of the run's arm, as keys of results.json.
    """
    values: Mapping[str, object] = observation
    kept: dict[str, Any] = {key: values[key] if key in ALWAYS else None for key in values if key not in NEVER}
    claims_accuracy = figures is not None and any(path[0] in ACCURACIES for path in claimed)
    if observation["arm"] not in contrasted and not claims_accuracy:
        kept["wrong_images"] = None
    if figures is None:
        return cast(Observation, kept)
    drawn = {key for key in FOR_FIGURES if values["arm"] in figures.get(key, ())}
    kept |= {key: values[key] for key in kept if key not in ALWAYS and (key in drawn or key not in FOR_FIGURES)}
    for key, wanted in SHOWN_OF.items():
        kept[key] = _select(values[key], wanted)
    if "reliability" not in drawn:
        kept["calibration"]["reliability"] = None
    for path in set(FOR_CLAIMS).difference(map(tuple, claimed)):
        _remove(kept, path)
    kept |= {path[0]: values[path[0]] for path in claimed if path[0] in kept and not _has_value(kept, path)}
    return cast(Observation, kept)


def _remove(value: Any, path: Sequence[str]) -> None:
    """Leaves None at `path`."""
    *outer, last = path
    for key in outer:
        value = value and value[key]
    if value:
        value[last] = None


def _has_value(value: object, path: Sequence[str]) -> bool:
    """Whether there is a value at `path`; a list is whole, or None."""
    for key in path:
        value = value.get(key) if isinstance(value, Mapping) else value
    return value is not None


def _select(value: Any, wanted: _Parts | None) -> Any:
    """The parts of `value` that `wanted` has keys for, at every depth; all of it where that is None."""
    if wanted is None or value is None:
        return value
    return {key: _select(value[key], inner) for key, inner in wanted.items()}


def pack(content: Mapping[str, Any]) -> str:
    """`content` as letters and digits; its observations column by column, wrong images bit by bit.

    Runs that get the same images wrong, as those of Examples 1 and 2 do, share a column of bits. Columns with similarly
    many are neighbours, which compresses better.
    """
    packed, bits = {**content, "replications": dict(content["replications"])}, b""
    for lists, name in _lists_of_observations(packed):
        observations: Sequence[Observation] = lists[name]
        listed = {tuple(o["wrong_images"]) for o in observations if o["wrong_images"] is not None}
        wrong = sorted(listed, key=lambda images: (len(images), images))
        places = dict(zip(wrong, range(len(wrong)), strict=True))
        marked = [
            o | {"wrong_images": None if o["wrong_images"] is None else places[tuple(o["wrong_images"])]}
            for o in observations
        ]
        lists[name] = {"count": len(marked), "columns": _to_columns(marked)}
        bits += _to_bits(wrong, _count_images(observations))
    whole = compact(packed) + b"\n" + bits
    preset = 9 | lzma.PRESET_EXTREME if len(whole) < FAST_PRESET_BYTES else 4  # half the time for 5 % more bytes
    return base64.b64encode(lzma.compress(whole, preset=preset)).decode()


def _lists_of_observations(content: dict[str, Any]) -> list[tuple[dict[str, Any], str]]:
    """Where `content` has lists of observations: in which object, under which key."""
    return [(content, "runs"), *((content["replications"], name) for name in sorted(content["replications"]))]


def unpack(text: str) -> PageEvidence:
    """What `pack` was given. Raises `UserError` where the text is not its own, in bounded memory.

    Evidence of an older format is given as it would be today, but for its `format`.
    """
    try:
        decompressor = lzma.LZMADecompressor(memlimit=MAX_DECODER_BYTES)
        whole = decompressor.decompress(base64.b64decode(text, validate=True), MAX_UNPACKED_BYTES)
        if not decompressor.eof:
            raise ValueError("it is cut short, or larger than any evidence")
        head, bits = whole.split(b"\n", 1)
        del whole
        _check_size(head, bits)
        content: dict[str, Any] = json.loads(head)
        _check_texts(content)
        absent: dict[str, None] = {}
        if content["format"] == FIRST_FORMAT:
            _modernise(content)
            absent = dict.fromkeys(Observation.__required_keys__)  # measures that were not taken then
        for lists, name in _lists_of_observations(content):
            observations = [cast(Observation, {**absent, **o}) for o in _unpack_observations(lists[name])]
            if content["format"] == FIRST_FORMAT:
                _number_columns(observations)
            lists[name], bits = observations, bits[_list_wrong_images(observations, bits) :]
    except (ValueError, KeyError, TypeError, IndexError, lzma.LZMAError, RecursionError) as error:
        raise UserError(
            f"The evidence in the page is damaged ({error}). Get the page again from where it was."
        ) from error
    return cast(PageEvidence, content)


def _modernise(content: dict[str, Any]) -> None:
    """Evidence of format 1: the digits were the only other data set, and nothing said how arms were configured."""
    here, digits = content["expected"]
    if source := content["source"]:
        content["expected"] = {source["facts"]["name"]: here} | ({DIGITS.name: digits} if digits else {})
    replication = content.pop("replication")
    content["replications"] = {DIGITS.name: replication} if replication["count"] else {}
    content["not_replicated"], content["arms"] = {}, {}


def _number_columns(observations: Sequence[Observation]) -> None:
    """In format 1 every run has bits of its own, in the order of the runs."""
    for number, observation in enumerate(o for o in observations if o["wrong_images"]):
        observation["wrong_images"] = cast(Any, number)


def _list_wrong_images(observations: Sequence[Observation], bits: bytes) -> int:
    """Puts the wrong images in place of the number of their column in `bits`; how many bytes the columns take."""
    with_images = [o for o in observations if o["wrong_images"] is not None]
    columns = cast(Sequence[int], [o["wrong_images"] for o in with_images])
    count = 1 + max(columns, default=-1)
    size = _count_images(observations) * -(-count // 8)
    if not 0 <= min(columns, default=0) <= count <= len(columns):
        raise ValueError("runs have other columns of images than any evidence")
    lists = _from_bits(bits[:size], count)
    if sum(len(lists[column]) for column in columns) > MAX_WRONG_IMAGES:
        raise ValueError("more images are wrong than in any evidence")
    for observation, column in zip(with_images, columns, strict=True):
        observation["wrong_images"] = lists[column]
    return size


class _Table(TypedDict):
    """Observations column by column."""

    count: int
    columns: object  # see `_to_columns`


def _unpack_observations(table: _Table) -> list[Observation]:
    """The observations of a table, with the number of a column of bits in place of the wrong images."""
    if not 0 <= table["count"] <= MAX_RUNS:
        raise ValueError(f"it has {table['count']} runs")
    if _objects_per_row(table["columns"]) * table["count"] > MAX_OBJECTS:
        raise ValueError("it has more objects than any evidence")
    return _to_rows(table["columns"], table["count"])


def _check_size(head: bytes, bits: bytes) -> None:
    """Raises `ValueError` for what would take much more memory as Python objects than it takes here."""
    if len(head) > MAX_JSON_BYTES:
        raise ValueError("its JSON is larger than any evidence's")
    if sum(head.count(character) for character in (b",", b"[", b"{")) > MAX_VALUES:
        raise ValueError("it has more values than any evidence")
    if np.bitwise_count(np.frombuffer(bits, np.uint8)).sum() > MAX_WRONG_IMAGES:
        raise ValueError("more images are wrong than in any evidence")


def _check_texts(content: object) -> None:
    """Raises `ValueError` for texts in `content` that no run has: they would make the page huge, or hide something."""
    texts, remaining = set(), [content]
    while remaining:
        value = remaining.pop()
        if isinstance(value, str):
            texts.add(value)
        remaining += value if isinstance(value, list) else (*value, *value.values()) if isinstance(value, dict) else ()
    if any(len(text) > MAX_TEXT_LENGTH or find_invisible_char(text) for text in texts):
        raise ValueError("it has a text that is longer than any in evidence, or hides something")
    if sum(map(len, texts)) > MAX_TOTAL_TEXT_LENGTH:
        raise ValueError("its texts are longer than in any evidence")


def _count_images(observations: Sequence[Observation]) -> int:
    """How many test images the runs have whose wrong images are listed."""
    images = max((o["images"] for o in observations if o["wrong_images"] is not None), default=0)
    if not 0 <= images <= MAX_TEST_IMAGES:
        raise ValueError(f"it has {images} images")
    return images


def _to_bits(wrong: Sequence[Sequence[int]], images: int) -> bytes:
    """A bit for each run, image by image: what is hard for one network is hard for all, which compresses well."""
    matrix = np.zeros((images, len(wrong)), bool)
    for run, positions in enumerate(wrong):
        matrix[positions, run] = True
    return np.packbits(matrix, axis=1).tobytes() if wrong else b""


def _from_bits(bits: bytes, runs: int) -> list[list[int]]:
    """The inverse of `_to_bits`."""
    if not runs:
        return []
    groups = (
        np.frombuffer(bits, np.uint8).reshape(-1, -(-runs // 8)).T
    )  # of 8 runs; unpacking all takes 8 times as much
    columns = (column for group in groups for column in np.unpackbits(group[:, None], axis=1).T)
    return [np.flatnonzero(column).tolist() for column in islice(columns, runs)]


def _to_columns(values: Sequence[Any]) -> Any:
    """Objects with the same keys as one object of columns, at every depth; all else as it is."""
    if values and all(isinstance(value, dict) and value.keys() == values[0].keys() for value in values):
        return {key: _to_columns([value[key] for value in values]) for key in values[0]}
    return list(values)


def _objects_per_row(columns: object) -> int:
    """How many objects `_to_rows` makes of `columns` for each run."""
    return 1 + sum(map(_objects_per_row, columns.values())) if isinstance(columns, dict) else 0


def _to_rows(columns: Any, count: int) -> list[Any]:
    """The inverse of `_to_columns`."""
    if isinstance(columns, dict):
        inner = {key: _to_rows(column, count) for key, column in columns.items()}
        return [{key: column[row] for key, column in inner.items()} for row in range(count)]
    if len(columns) != count:
        raise ValueError(f"{len(columns)} values for {count} runs")
    return list(columns)
