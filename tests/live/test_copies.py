"""Copies answer as their originals, fit into the page, and are refused where they are not what they say."""

from __future__ import annotations

import base64
import itertools
import zlib
from dataclasses import replace

import numpy as np
import pytest

from experiments.data.datasets import Dataset
from experiments.live import copies
from experiments.live.copies import Layers, Maker
from experiments.study.model import Arm, Part, Study
from tests.live import networks

RNG = np.random.default_rng(0)
IMAGES = (RNG.random((400, 20)) < RNG.random(20)).astype(np.uint8) * RNG.integers(1, 256, (400, 20)).astype(np.uint8)
IMAGES[:, :3] = 0  # pixels without ink
DATASET = Dataset("made up", IMAGES[:300], np.zeros(300, np.uint8), IMAGES[300:], np.zeros(100, np.uint8), 255, 4)
SIZES = [20, 16, 12, 4]


def weights() -> list[np.ndarray]:
    shapes = [shape for n, m in itertools.pairwise(SIZES) for shape in ((n, m), (m,))]
    return [
        np.random.default_rng(number).normal(0, 0.5, shape).astype(np.float32) for number, shape in enumerate(shapes)
    ]


@pytest.mark.parametrize("output", copies.OUTPUT)
@pytest.mark.parametrize("hidden", copies.HIDDEN)
def test_a_copy_of_several_layers_gives_nearly_the_same_outputs(hidden: str, output: str) -> None:
    maker = Maker(DATASET)
    _, copy = maker.make(weights(), [hidden, hidden], output)
    images = copies.scaled(DATASET.x_test, DATASET)
    original = Layers.of(weights(), [hidden, hidden], output).outputs(images)
    assert np.sqrt(np.mean((copy.outputs(images) - original) ** 2)) < 0.06 * np.std(original)
    assert maker.measure(weights(), [hidden, hidden], output, copy)["agreement"] > 0.9


def test_pixels_without_ink_have_no_weight_and_are_told_as_bits() -> None:
    maker = Maker(DATASET)
    assert maker.kept.tolist() == [False] * 3 + [True] * 17
    assert copies.unpack_pixels(copies.pack_pixels(maker.kept), 20).tolist() == maker.kept.tolist()
    with pytest.raises(ValueError, match="24 pixels, expected 784"):
        copies.unpack_pixels(copies.pack_pixels(maker.kept), 784)


def test_the_measured_numbers_are_those_of_the_answers() -> None:
    maker = Maker(DATASET)
    _, copy = maker.make(weights(), ["tanh", "tanh"], "softmax")
    images = copies.scaled(DATASET.x_test, DATASET)
    before, after = (
        network.outputs(images).argmax(axis=1) for network in (Layers.of(weights(), ["tanh"] * 2, "softmax"), copy)
    )
    assert maker.measure(weights(), ["tanh", "tanh"], "softmax", copy) == {
        "agreement": np.mean(before == after),
        "wrong": np.count_nonzero(after),
        "original_wrong": np.count_nonzero(before),
    }


def deflated(content: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(compressor.compress(content) + compressor.flush()).decode()


@pytest.mark.parametrize(
    ("text", "units", "hidden"),
    [
        (deflated(bytes(8 * 4 + 5 * 4 - 1)), [4], []),
        (deflated(bytes(8 * 4 + 5 * 4 + 1)), [4], []),
        (deflated(bytes(100_000_000)), [4], []),
        ("no base64!", [4], []),
        (deflated(bytes(8 * 4 + 5 * 4))[:-4], [4], []),
        (deflated(bytes(52)), [4, 4], []),
        (deflated(bytes(52)), [10**9], []),
        (deflated(bytes(52)), [], []),
    ],
)
def test_other_bytes_than_the_layers_need_are_refused(text: str, units: list[int], hidden: list[str]) -> None:
    kept = np.ones(5, bool)
    assert copies.decode(deflated(bytes(8 * 4 + 5 * 4)), [4], kept, [], "linear").layers[0][0].shape == (5, 4)
    with pytest.raises((ValueError, zlib.error)):
        copies.decode(text, units, kept, hidden, "linear")


@pytest.mark.parametrize(
    ("changed", "possible"),
    [
        ({}, True),
        ({"hidden": (Part("relu"), Part("tanh"))}, True),
        ({"output": Part("softmax")}, True),
        ({"hidden": (Part("gelu"),)}, False),
        ({"hidden": (Part("relu", (("max_value", 6),)),)}, False),
        ({"output": Part("sigmoid")}, False),
        ({"readout": "half_shift"}, False),
    ],
)
def test_networks_are_possible_by_their_activations(plan: Study, changed: dict, possible: bool) -> None:
    arm: Arm = replace(plan.arm("example-1"), **changed)
    assert copies.is_possible(arm) is possible


def test_the_records_copies_answer_as_their_originals_and_fit_into_the_page() -> None:
    committed = networks.committed()
    assert len(networks.text(committed)) <= 210_000
    assert committed["test_images"] == 10_000
    for network in committed["networks"]:
        assert network["agreement"] >= 0.997
        assert abs(network["wrong"] - network["original_wrong"]) <= 10


@pytest.mark.slow("reads all test images of MNIST")
def test_the_records_copies_make_the_errors_that_were_measured(mnist: Dataset) -> None:
    committed = networks.committed()
    images = copies.scaled(mnist.x_test, mnist)
    for network, loaded in zip(committed["networks"], networks.layers(committed), strict=True):
        assert np.sum(loaded.outputs(images).argmax(axis=1) != mnist.y_test) == network["wrong"]
