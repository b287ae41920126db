"""Numbers of the copies ↔ text in the page: base64 of a raw deflate stream, which browsers can read by themselves.

A network has for each layer the exponents of its inputs (int8; those of the pixels are apart, since copies share them),
the exponents of its units (int8) and a bias for each unit (float32, little-endian); then for each layer the codes
(int8), those with the finest steps first, and of equal steps input by input. The coarser its step, the smaller a code
is likely to be, so neighbours are alike and each block of the stream has a Huffman code that suits it. Looking for
repetitions, which deflate can do as well, would make the stream longer.
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from experiments.live.rounding import LEFT_OUT, Rounded

MEMORY = 7  # zlib's: a block has 2^(7 + 6) numbers
MAX_UNITS, MAX_LAYERS = 4096, 8  # of a copy that somebody sent


def pack(numbers: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15, MEMORY, zlib.Z_HUFFMAN_ONLY)
    return base64.b64encode(compressor.compress(numbers) + compressor.flush()).decode()


def unpack(text: str, count: int) -> np.ndarray:
    """So many bytes [count] as int8. Raises `ValueError` or `zlib.error` where `text` has others."""
    decompressor = zlib.decompressobj(-15)
    numbers = decompressor.decompress(base64.b64decode(text, validate=True), count + 1)
    if len(numbers) != count or not decompressor.eof:
        raise ValueError(f"the networks are not {count} bytes of numbers")
    return np.frombuffer(numbers, np.int8)


def encode(layers: Sequence[Rounded]) -> str:
    heads = [part for layer in layers for part in (layer.inputs, layer.units, layer.bias.astype("<f4"))]
    return pack(b"".join(part.tobytes() for part in [*heads[1:], *map(_sorted_codes, layers)]))


def _sorted_codes(layer: Rounded) -> np.ndarray:
    kept = layer.inputs != LEFT_OUT
    return np.asarray(layer.codes[kept].ravel()[_finest_first(layer.inputs[kept], layer.units)])


def _finest_first(inputs: np.ndarray, units: np.ndarray) -> np.ndarray:
    """Where the weights [inputs · units] are in the order of their steps."""
    return np.argsort(np.add.outer(inputs.astype(int), units), axis=None, kind="stable")


def decode(text: str, units: Sequence[int], pixels: np.ndarray) -> list[Rounded]:
    """The layers in `text`. units: how many there are in each; pixels: exponents [pixels] int8.

    Raises `ValueError` or `zlib.error` where `text` has no such layers.
    """
    if not 1 <= len(units) <= MAX_LAYERS or not all(1 <= n <= MAX_UNITS for n in units):
        raise ValueError(f"the networks have layers of {units} units")
    kept = pixels != LEFT_OUT
    sizes = [int(kept.sum()), *units[:-1]]
    weights = [before * after for before, after in zip(sizes, units, strict=True)]
    rest = unpack(text, 5 * sum(units) + sum(units[:-1]) + sum(weights))

    def take(count: int) -> np.ndarray:
        nonlocal rest
        taken, rest = np.split(rest, [count])
        return taken

    heads = []
    for depth, (before, after) in enumerate(zip(sizes, units, strict=True)):
        inputs = take(before) if depth else pixels[kept]
        heads.append((inputs, take(after), take(4 * after).view("<f4")))
    layers = []
    for inputs, exponents, bias in heads:
        codes = np.empty(len(inputs) * len(exponents), np.int8)
        codes[_finest_first(inputs, exponents)] = take(len(codes))
        layers.append(Rounded(codes.reshape(len(inputs), -1), inputs, exponents, bias))
    whole = np.zeros((len(pixels), units[0]), np.int8)
    whole[kept] = layers[0].codes
    return [replace(layers[0], codes=whole, inputs=pixels), *layers[1:]]
