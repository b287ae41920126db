"""The networks that run in the page, as templates show them: a drawing, and what each network says to it.

Where no script runs this picture is all there is; `templates/try.js` makes of it what can be drawn on. Positions are in
per cent across, so that texts keep their size, and in em down, so that bars keep to their texts.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from markupsafe import Markup

from experiments.data.strokes import SIDE
from experiments.files.sealed import compact
from experiments.live import copies, shapes, strokes
from experiments.live.copies import Contested, Layers, Network, Networks
from experiments.live.rounding import LEFT_OUT
from experiments.live.shapes import Stroke
from experiments.plots import formats
from report.article.folder import LiveNetwork

LEFT, RIGHT = 13.0, 97.0  # per cent: where −1 and 1 are, beside the names of the classes
LOWEST, HIGHEST = -1.0, 1.0
REACH = 1.05  # outputs beyond it are drawn as if they were it
TOP, PITCH, BASE = 1.1, 1.4, 0.9  # em: above the first bar, from one to the next, from its top to its name's line
LEVELS = 5  # shades of an image
PLACES = 101  # of the slider's way at which networks are asked, to know where they change their answers


@dataclass(frozen=True)
class Bar:
    """One output: its class, where its bar is, and the line of its name, and whether it is the largest."""

    digit: int
    text: str
    x: str
    width: str
    y: str
    base: str
    largest: bool


@dataclass(frozen=True)
class NetworkView:
    """number: from 1, which chooses its colour; odd: whether it alone answers so, and all others agree.

    targets: where they are across; the rest as in live.json.
    """

    number: int
    label: str
    note: str
    answer: int
    odd: bool
    bars: tuple[Bar, ...]
    targets: tuple[str, ...]
    copied: Network


@dataclass(frozen=True)
class LiveView:
    """data and drawings: JSON for the script. pen: the lines of the drawing; shades: the image, by darkness from 1.

    digit, other_digit: the ones that a slider turns into each other. drawn_digit: what the drawing is meant to be;
    reading: what the networks answer, in a sentence or two; others: how many classes are wrong ones; pixels: how many
    have weights, of so many all_pixels; bits: of a weight in the mean; training_agreement, agreement: the smallest of
    all networks; ticks: of the axis; middle: where 0 is.
    """

    data: Markup
    drawings: Markup
    networks: tuple[NetworkView, ...]
    digit: int
    other_digit: int
    drawn_digit: int
    reading: str
    pen: tuple[str, ...]
    shades: tuple[tuple[int, str], ...]
    others: int
    pixels: int
    all_pixels: int
    bits: float
    training_agreement: float
    test_images: int
    agreement: float
    ticks: tuple[tuple[str, str], ...]
    middle: str


def view(text: str, declared: Sequence[LiveNetwork]) -> LiveView:
    """What the page shows of the networks in `text`, JSON of `Networks`, in the words that the article declares.

    Raises `ValueError` or `LookupError` where they are no such networks.
    """
    networks = cast(Networks, json.loads(text))
    pixels = copies.unpack_pixels(networks["pixels"], SIDE**2)
    kept = int(np.sum(pixels != LEFT_OUT))
    layers = [copies.read(network, pixels) for network in networks["networks"]]
    opening = _opening(networks["contested"], layers)
    digit, drawn = _drawing(networks["contested"], opening)
    image = strokes.image(drawn)
    outputs = [network.outputs(image[None])[0] for network in layers]
    answers = [int(values.argmax()) for values in outputs]
    shown = tuple(
        _network(number, network, words, values, odd_one(answers) == number - 1)
        for number, (network, words, values) in enumerate(zip(networks["networks"], declared, outputs, strict=True), 1)
    )
    told = reading([words.label for words in declared], answers)
    return LiveView(
        Markup(text.replace("<", "\\u003c")),
        Markup(compact(_drawings(declared, opening, _flips(layers))).decode().replace("<", "\\u003c")),
        shown,
        shapes.FROM,
        shapes.TO,
        digit,
        told if opening is None else f"{told} It was drawn as {digit}.",
        tuple(path(stroke) for stroke in drawn),
        shades(image),
        len(shapes.DIGITS) - 1,
        kept,
        len(pixels),
        _bits(networks["networks"], kept),
        min(network["training_agreement"] for network in networks["networks"]),
        networks["test_images"],
        min(network["agreement"] for network in networks["networks"]),
        tuple((_percent(value), formats.signed(value)) for value in (LOWEST, 0, HIGHEST)),
        _percent(0),
    )


def _opening(contested: Sequence[Contested], networks: Sequence[Layers]) -> int | None:
    """Which of the drawings is shown first: one that only the first network misreads, or else the first, if any."""
    for place, drawing in enumerate(contested):
        image = strokes.image(shapes.from_numbers(drawing["strokes"]))[None]
        wrong = [bool(network.outputs(image).argmax() != drawing["digit"]) for network in networks]
        if wrong == [True] + [False] * (len(wrong) - 1):
            return place
    return 0 if contested else None


def _flips(networks: Sequence[Layers]) -> list[tuple[float, int, int]]:
    """Where between the two digits of the slider, 0 … 1, which network, by its place, changes to which answer."""
    start, end = (shapes.from_numbers(_numbers(shapes.DIGITS[digit])) for digit in (shapes.FROM, shapes.TO))
    parts = np.linspace(0, 1, PLACES)
    images = np.array([strokes.image([a + part * (b - a) for a, b in zip(start, end, strict=True)]) for part in parts])
    answers = np.array([network.outputs(images).argmax(axis=1) for network in networks])
    changes = np.argwhere(np.diff(answers, axis=1)).tolist()
    return sorted(
        (round(float(parts[place + 1]), 2), network, int(answers[network, place + 1])) for network, place in changes
    )


def _drawing(contested: Sequence[Contested], opening: int | None) -> tuple[int, list[np.ndarray]]:
    """The digit that is shown first, and its strokes: as the script has them."""
    if opening is None:
        return shapes.FROM, shapes.from_numbers(_numbers(shapes.DIGITS[shapes.FROM]))
    return contested[opening]["digit"], shapes.from_numbers(contested[opening]["strokes"])


def _network(number: int, network: Network, words: LiveNetwork, outputs: np.ndarray, odd: bool) -> NetworkView:
    answer = int(outputs.argmax())
    bars = tuple(_bar(digit, float(value), digit == answer) for digit, value in enumerate(outputs))
    targets = (_percent(network["low_target"]), _percent(network["high_target"]))
    return NetworkView(number, words.label, words.note, answer, odd, bars, targets, network)


def _bits(networks: Sequence[Network], pixels: int) -> float:
    """What a weight takes in the mean of all networks, with its share of the rest; a letter of base64 has 6 bits."""
    sizes = [[pixels, *network["units"]] for network in networks]
    weights = sum(before * after for units in sizes for before, after in itertools.pairwise(units))
    return 6 * sum(len(network["weights"]) for network in networks) / weights


def _bar(digit: int, value: float, largest: bool) -> Bar:
    ends, top = sorted((_across(value), _across(0))), TOP + PITCH * digit
    x, width = f"{ends[0]:.2f}%", f"{ends[1] - ends[0]:.2f}%"
    return Bar(digit, formats.decimal(value, 2), x, width, f"{top:.4g}em", f"{top + BASE:.4g}em", largest)


def _across(value: float) -> float:
    """Where an output is on the axis, in per cent."""
    return LEFT + (RIGHT - LEFT) * (float(np.clip(value, -REACH, REACH)) - LOWEST) / (HIGHEST - LOWEST)


def _percent(value: float) -> str:
    return f"{_across(value):.2f}%"


def reading(labels: Sequence[str], answers: Sequence[int]) -> str:
    """What the networks read: the one that differs from all others, or those that agree, by the first of them."""
    if len(set(answers)) == 1 < len(labels):
        return f"All read {answers[0]}."
    odd = odd_one(answers)
    if odd is not None:
        return f"{labels[odd]} reads {answers[odd]}; {_others(labels)} read {answers[odd - 1]}."
    groups = {
        answer: [label for label, given in zip(labels, answers, strict=True) if given == answer] for answer in answers
    }
    parts = [
        f"{' and '.join(names)} {'reads' if len(names) == 1 else 'read'} {answer}" for answer, names in groups.items()
    ]
    return f"{'; '.join(parts)}."


def odd_one(answers: Sequence[int]) -> int | None:
    """The place of the one that differs from two or more others that agree."""
    for place, answer in enumerate(answers):
        rest = [*answers[:place], *answers[place + 1 :]]
        if len(rest) > 1 and len(set(rest)) == 1 and answer not in rest:
            return place
    return None


def _others(labels: Sequence[str]) -> str:
    return f"the other {formats.count(len(labels) - 1)}"


def path(stroke: np.ndarray) -> str:
    """The line of a pen as a path of SVG, in units of the field."""
    numbers = [f"{value:g}" for value in stroke.ravel()]
    return f"M{' '.join(numbers[:2])}L{' '.join(numbers[2:])}"


def shades(image: np.ndarray) -> tuple[tuple[int, str], ...]:
    """The pixels of each darkness as a path, by darkness, 1 … LEVELS; white ones are left out."""
    level = np.ceil(image * LEVELS).astype(int)
    squares = [f"M{pixel % SIDE} {pixel // SIDE}h1v1h-1z" for pixel in range(len(image))]
    return tuple(
        (darkness, "".join(squares[pixel] for pixel in np.flatnonzero(level == darkness)))
        for darkness in range(1, LEVELS + 1)
    )


def _drawings(
    declared: Sequence[LiveNetwork], opening: int | None, flips: Sequence[tuple[float, int, int]]
) -> dict[str, object]:
    """What the script needs besides the networks."""
    return {
        "labels": [words.label for words in declared],
        "others": _others([words.label for words in declared]),
        "digits": [*map(_numbers, shapes.DIGITS)],
        "letters": {name: _numbers(letter) for name, letter in shapes.LETTERS.items()},
        "blend": [shapes.FROM, shapes.TO],
        "opening": opening,
        "flips": flips,
    }


def _numbers(drawing: Sequence[Stroke]) -> list[list[float]]:
    """Strokes as JSON has them: straight ones by their corners, whole numbers without a decimal point."""
    points = [np.array(stroke.controls) if stroke.straight else stroke.points() for stroke in drawing]
    return [[float(value) if value % 1 else int(value) for value in np.round(line, 1).ravel()] for line in points]
