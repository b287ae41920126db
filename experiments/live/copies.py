"""Copies of trained networks for the page: made of float32 weights, read again, and measured.

`rounding` says what is kept of a weight, `packing` how it is written. How coarse the steps may be is decided by the
training images: as coarse as leaves nearly all answers to them as they were. The test images only measure the outcome.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import TypedDict

import numpy as np

from experiments.data.datasets import Dataset
from experiments.live import packing
from experiments.live.rounding import OCTAVE, Inputs, Rounded, round_layer
from experiments.study.model import Arm

MIN_INKED = 0.0005  # of the training images: a pixel with ink in fewer has no weight
MIN_AGREEMENT = 0.999  # with the original, on the training images; on others it disagrees about twice as often
ERRORS = 2.0 ** (-np.arange(20 * OCTAVE) / OCTAVE)  # by which a step of a weight may move the outputs' sums
LEAST_EFFECT = 1e-9  # of a unit that is never active
CHUNK = 5000  # images at a time: they are many times larger as float32

Function = Callable[[np.ndarray], np.ndarray]


def softmax(sums: np.ndarray) -> np.ndarray:
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


HIDDEN: Mapping[str, Function] = {"tanh": np.tanh, "relu": lambda sums: np.maximum(sums, 0)}
SLOPE: Mapping[str, Function] = {"tanh": lambda outputs: 1 - outputs**2, "relu": lambda outputs: outputs > 0}
OUTPUT: Mapping[str, Function] = {"tanh": np.tanh, "linear": lambda sums: sums, "softmax": softmax}
POSSIBLE = f"hidden layers of {' or '.join(HIDDEN)}, outputs of {', '.join(OUTPUT)}, read as they are"


class Network(TypedDict):
    """A copy, with the run that it is of and what it was measured to be; see experiments/README.md."""

    arm: str
    seed: int
    run: str
    weights_sha256: str
    hidden: list[str]
    output: str
    low_target: float
    high_target: float
    units: list[int]
    weights: str
    training_agreement: float
    agreement: float
    wrong: int
    original_wrong: int


class Contested(TypedDict):
    """A drawing that the networks read differently."""

    digit: int
    strokes: list[list[int]]


class Networks(TypedDict):
    """What the page carries: copies of networks over the same pixels, and what they were measured on."""

    dataset: str
    test_images: int
    pixels: str
    networks: list[Network]
    contested: list[Contested]


class NetworksFile(Networks):
    """live.json."""

    format: int
    inputs: str


def is_possible(arm: Arm) -> bool:
    """Whether a copy of the arm's network can be made."""
    plain = not any(part.arguments for part in (*arm.hidden, arm.output))
    known = all(part.name in HIDDEN for part in arm.hidden) and arm.output.name in OUTPUT
    return plain and known and arm.readout == "as_is"


@dataclass(frozen=True)
class Layers:
    """A network that can be asked. layers: kernel [inputs, units] and bias [units] of each; functions: one of each."""

    layers: Sequence[tuple[np.ndarray, np.ndarray]]
    functions: Sequence[Function]

    @classmethod
    def of(cls, weights: Sequence[np.ndarray], hidden: Sequence[str], output: str) -> Layers:
        """weights: as Keras has them, kernel and bias of each layer."""
        pairs = list(zip(weights[::2], weights[1::2], strict=True))
        return cls(pairs, [*(HIDDEN[name] for name in hidden), OUTPUT[output]])

    def outputs(self, images: np.ndarray) -> np.ndarray:
        """images: [n, inputs], ink in 0 … 1. Outputs [n, classes]."""
        for (kernel, bias), function in zip(self.layers, self.functions, strict=True):
            images = function(images @ kernel + bias)
        return images

    def first(self, depth: int) -> Layers:
        """So many of its layers."""
        return Layers(self.layers[:depth], self.functions[:depth])


def scaled(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """uint8 pixels → float32 ink in 0 … 1, as in the training."""
    return pixels.astype(np.float32) / np.float32(dataset.pixel_max)


# ---------------------------------------------------------------------------------------------- making


class Maker:
    """Makes copies of networks that were trained on one data set; they all keep the same pixels.

    pixels: the exponents of their steps, int8.
    """

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        images = dataset.x_train
        self._chunks = [slice(start, start + CHUNK) for start in range(0, len(images), CHUNK)]
        self._inputs = Inputs.of(self._products(Layers([], [])), np.mean(images > 0, axis=0) >= MIN_INKED)
        self.pixels = self._inputs.exponents

    def _products(self, network: Layers) -> np.ndarray:
        """H [n + 1, n + 1] of what it makes of the training images, with a constant 1 as the last input."""
        total: np.ndarray | float = 0.0
        for chunk in self._chunks:
            inputs = network.outputs(scaled(self._dataset.x_train[chunk], self._dataset))
            inputs = np.hstack([inputs, np.ones((len(inputs), 1), np.float32)])
            total = total + (inputs.T @ inputs).astype(np.float64)
        return np.asarray(total)

    def _answers(self, network: Layers) -> np.ndarray:
        """To the training images."""
        images = (scaled(self._dataset.x_train[chunk], self._dataset) for chunk in self._chunks)
        return np.concatenate([network.outputs(chunk).argmax(axis=1) for chunk in images])

    def make(self, weights: Sequence[np.ndarray], hidden: Sequence[str], output: str) -> tuple[str, Layers]:
        """The copy as text, and the copy. weights: final ones, as Keras has them."""
        original = Layers.of(weights, hidden, output)
        answers = self._answers(original)
        effects = _effects(original, hidden, scaled(self._dataset.x_train[:CHUNK], self._dataset))
        inputs = [self._products(original.first(depth)) for depth in range(1, len(original.layers))]
        sums = [_mean_sums(products, *layer) for products, layer in zip(inputs, original.layers[1:], strict=True)]

        @cache
        def copy(error: float) -> list[Rounded]:
            return self._round(original, [error / effect for effect in effects], sums)

        def agrees(error: float) -> bool:
            return bool(np.mean(self._answers(_rounded(copy(error), original)) == answers) >= MIN_AGREEMENT)

        place = bisect_left(ERRORS, True, key=agrees)  # the coarsest that agrees: finer ones do so as well
        text = packing.encode(copy(ERRORS[min(place, len(ERRORS) - 1)]))
        return text, decode(text, [len(bias) for _, bias in original.layers], self.pixels, hidden, output)

    def _round(self, original: Layers, steps: Sequence[np.ndarray], sums: Sequence[np.ndarray]) -> list[Rounded]:
        """steps: that the units of each layer want; sums: of the units of all but the first, in the mean."""
        (kernel, bias), *others = original.layers
        layers = [round_layer(kernel, bias, self._inputs, steps[0])]
        for (kernel, bias), wanted, expected in zip(others, steps[1:], sums, strict=True):
            products = self._products(_rounded(layers, original))
            layer = round_layer(kernel, bias, Inputs.of(products, np.ones(len(kernel), bool)), wanted)
            lost = expected - _mean_sums(products, layer.kernel, layer.bias)
            layers.append(replace(layer, bias=layer.bias + lost))
        return layers

    def measure(
        self, weights: Sequence[np.ndarray], hidden: Sequence[str], output: str, copy: Layers
    ) -> dict[str, float]:
        """How a copy answers, beside its original; all but the first number are of the test images."""
        images, labels = scaled(self._dataset.x_test, self._dataset), self._dataset.y_test
        networks = Layers.of(weights, hidden, output), copy
        first, second = map(self._answers, networks)
        before, after = (network.outputs(images).argmax(axis=1) for network in networks)
        return {
            "training_agreement": float(np.mean(first == second)),
            "agreement": float(np.mean(before == after)),
            "wrong": int(np.sum(after != labels)),
            "original_wrong": int(np.sum(before != labels)),
        }


def _rounded(layers: Sequence[Rounded], original: Layers) -> Layers:
    """The network of these layers, which are the first of the original's."""
    pairs = [(layer.kernel.astype(np.float32), layer.bias) for layer in layers]
    return Layers(pairs, original.functions[: len(layers)])


def _effects(original: Layers, hidden: Sequence[str], images: np.ndarray) -> list[np.ndarray]:
    """How far the outputs' sums move with the sum of each unit [units], by layer: root mean square over images."""
    effects = [np.ones(len(original.layers[-1][1]))]
    for depth in range(len(hidden), 0, -1):
        slopes = SLOPE[hidden[depth - 1]](original.first(depth).outputs(images))
        moved = np.linalg.norm(original.layers[depth][0] * effects[0], axis=1)
        effects.insert(0, np.maximum(moved * np.sqrt(np.mean(slopes**2, axis=0)), LEAST_EFFECT))
    return effects


def _mean_sums(products: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """What each unit sums up in the mean [units] over images of whose layer these are the products, float32."""
    means = products[-1] / products[-1, -1]
    return np.asarray(means[:-1] @ kernel + bias, np.float32)


# ---------------------------------------------------------------------------------------------- reading


def pack_pixels(exponents: np.ndarray) -> str:
    """The exponents of the pixels' steps as text."""
    return packing.pack(exponents.tobytes())


def unpack_pixels(text: str, count: int) -> np.ndarray:
    """The inverse of `pack_pixels`, for so many pixels. Raises `ValueError` where there are not as many."""
    return packing.unpack(text, count)


def read(network: Network, pixels: np.ndarray) -> Layers:
    """The copy that can be asked."""
    return decode(network["weights"], network["units"], pixels, network["hidden"], network["output"])


def decode(text: str, units: Sequence[int], pixels: np.ndarray, hidden: Sequence[str], output: str) -> Layers:
    """The copy in `text`, in double precision, over whole images. Raises `ValueError` where it is not such a copy."""
    if len(units) != len(hidden) + 1:
        raise ValueError(f"the networks have {len(units)} layers, expected {len(hidden) + 1}")
    layers = packing.decode(text, units, pixels)
    return Layers.of([array for layer in layers for array in (layer.kernel, layer.bias.astype(float))], hidden, output)
