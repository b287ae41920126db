"""Copies of trained networks for the page: made of float32 weights, written as text, read again, and measured.

The text of a network's weights is base64 of a raw deflate stream: for each layer a float32 scale and a float32 bias for
each unit, little-endian; then for each layer the codes as int8, unit by unit, over the pixels kept or the units before.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypedDict

import numpy as np

from experiments.data.datasets import Dataset
from experiments.live.rounding import Inputs, round_layer
from experiments.study.model import Arm

MIN_INKED = 0.002  # of the training images: a pixel with ink in fewer has no weight
HIDDEN_BITS, OUTPUT_BITS = 6, 8  # of a weight; the output layer has few, and what is shown depends on them
CHUNK = 5000  # images at a time: they are many times larger as float32
MAX_UNITS, MAX_LAYERS = 4096, 8  # of a copy that somebody sent

Function = Callable[[np.ndarray], np.ndarray]


def softmax(sums: np.ndarray) -> np.ndarray:
    powers = np.exp(sums - sums.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


HIDDEN: Mapping[str, Function] = {"tanh": np.tanh, "relu": lambda sums: np.maximum(sums, 0)}
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
    bits: list[int]
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


def scaled(pixels: np.ndarray, dataset: Dataset) -> np.ndarray:
    """uint8 pixels → float32 ink in 0 … 1, as in the training."""
    return pixels.astype(np.float32) / np.float32(dataset.pixel_max)


# ---------------------------------------------------------------------------------------------- making


class Maker:
    """Makes copies of networks that were trained on one data set; they all keep the same pixels."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        images = dataset.x_train
        self.kept = np.mean(images > 0, axis=0) >= MIN_INKED
        self._chunks = [slice(start, start + CHUNK) for start in range(0, len(images), CHUNK)]
        self._pixels = Inputs.of(self._products([]), self.kept)

    def _products(
        self, layers: Sequence[tuple[np.ndarray, np.ndarray]], functions: Sequence[Function] = ()
    ) -> np.ndarray:
        """H [n + 1, n + 1] of what these layers make of the training images, with a constant 1 as the last input."""
        total: np.ndarray | float = 0.0
        for chunk in self._chunks:
            inputs = Layers(layers, functions).outputs(scaled(self._dataset.x_train[chunk], self._dataset))
            inputs = np.hstack([inputs, np.ones((len(inputs), 1), np.float32)])
            total = total + (inputs.T @ inputs).astype(np.float64)
        return np.asarray(total)

    def make(self, weights: Sequence[np.ndarray], hidden: Sequence[str], output: str) -> tuple[str, Layers]:
        """The copy as text, and the copy. weights: final ones, as Keras has them."""
        functions = [HIDDEN[name] for name in hidden]
        original = list(zip(weights[::2], weights[1::2], strict=True))
        copied: list[tuple[np.ndarray, np.ndarray]] = []
        rounded = []
        for depth, (kernel, bias) in enumerate(original):
            if depth == 0:
                codes, scales, bias = round_layer(kernel, bias, self._pixels, HIDDEN_BITS)
            else:
                before, after = (self._products(layers[:depth], functions[:depth]) for layers in (original, copied))
                bits = HIDDEN_BITS if depth < len(hidden) else OUTPUT_BITS
                inputs = Inputs.of(after, np.ones(len(kernel), bool))
                codes, scales, bias = round_layer(kernel, bias, inputs, bits)
                bias += _mean_sums(before, *original[depth]) - _mean_sums(after, codes * scales, bias)
            copied.append((codes * scales, bias))
            rounded.append((codes if depth else codes[self.kept], scales, bias))
        text = _encode(rounded)
        return text, decode(text, [len(bias) for _, _, bias in rounded], self.kept, hidden, output)

    def measure(
        self, weights: Sequence[np.ndarray], hidden: Sequence[str], output: str, copy: Layers
    ) -> dict[str, float]:
        """How a copy answers the test images, beside its original."""
        images, labels = scaled(self._dataset.x_test, self._dataset), self._dataset.y_test
        networks = Layers.of(weights, hidden, output), copy
        before, after = (network.outputs(images).argmax(axis=1) for network in networks)
        return {
            "agreement": float(np.mean(before == after)),
            "wrong": int(np.sum(after != labels)),
            "original_wrong": int(np.sum(before != labels)),
        }


def _mean_sums(products: np.ndarray, kernel: np.ndarray, bias: np.ndarray) -> np.ndarray:
    """What each unit sums up in the mean [units] over images of whose layer these are the products, float32."""
    means = products[-1] / products[-1, -1]
    return np.asarray(means[:-1] @ kernel + bias, np.float32)


def _encode(layers: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> str:
    """codes [inputs, units], scales [units] and bias [units] of each layer → text."""
    numbers = [np.concatenate([scales, bias]).astype("<f4").tobytes() for _, scales, bias in layers]
    codes = [codes.T.astype(np.int8).tobytes() for codes, _, _ in layers]
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(compressor.compress(b"".join([*numbers, *codes])) + compressor.flush()).decode()


# ---------------------------------------------------------------------------------------------- reading


def pack_pixels(kept: np.ndarray) -> str:
    """Which pixels are kept, as text: a bit for each."""
    return base64.b64encode(np.packbits(kept).tobytes()).decode()


def unpack_pixels(text: str, count: int) -> np.ndarray:
    """The inverse of `pack_pixels`, for so many pixels. Raises `ValueError` where there are not as many."""
    bits = np.unpackbits(np.frombuffer(base64.b64decode(text, validate=True), np.uint8))
    if not count <= len(bits) < count + 8:
        raise ValueError(f"the networks have {len(bits)} pixels, expected {count}")
    return bits[:count].astype(bool)


def read(network: Network, kept: np.ndarray) -> Layers:
    """The copy that can be asked."""
    return decode(network["weights"], network["units"], kept, network["hidden"], network["output"])


def decode(text: str, units: Sequence[int], kept: np.ndarray, hidden: Sequence[str], output: str) -> Layers:
    """The copy in `text`, in double precision, over whole images. Raises `ValueError` where it is not such a copy."""
    if not 1 <= len(units) == len(hidden) + 1 <= MAX_LAYERS or not all(1 <= n <= MAX_UNITS for n in units):
        raise ValueError(f"the networks have layers of {units} units")
    sizes = [int(kept.sum()), *units[:-1]]
    numbers, codes = 2 * sum(units), sum(n * m for n, m in zip(sizes, units, strict=True))
    decompressor = zlib.decompressobj(-15)
    content = decompressor.decompress(base64.b64decode(text, validate=True), 4 * numbers + codes + 1)
    if len(content) != 4 * numbers + codes or not decompressor.eof:
        raise ValueError("the networks have other weights than their layers need")
    values = iter(np.split(np.frombuffer(content, "<f4", numbers), np.cumsum(np.repeat(units, 2))[:-1]))
    rest = np.frombuffer(content, np.int8, codes, 4 * numbers)
    layers = []
    for depth, (before, after) in enumerate(zip(sizes, units, strict=True)):
        scales, bias = next(values).astype(float), next(values).astype(float)
        kernel = rest[: before * after].reshape(after, before).T * scales
        rest = rest[before * after :]
        if depth == 0:
            whole = np.zeros((len(kept), after))
            whole[kept] = kernel
            kernel = whole
        layers.append((kernel, bias))
    return Layers(layers, [*(HIDDEN[name] for name in hidden), OUTPUT[output]])
