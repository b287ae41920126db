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
from experiments.live.rounding import LEFT_OUT
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


def test_the_mean_of_each_output_over_the_training_images_is_kept() -> None:
    _, copy = Maker(DATASET).make(weights(), ["tanh", "relu"], "linear")
    images = copies.scaled(DATASET.x_train, DATASET)
    before, after = (network.outputs(images) for network in (Layers.of(weights(), ["tanh", "relu"], "linear"), copy))
    np.testing.assert_allclose(after.mean(axis=0), before.mean(axis=0), atol=1e-5)


def test_pixels_without_ink_have_no_weight_and_the_others_exponents_that_can_be_read_again() -> None:
    pixels = Maker(DATASET).pixels
    assert (pixels == LEFT_OUT).tolist() == [True] * 3 + [False] * 17
    assert copies.unpack_pixels(copies.pack_pixels(pixels), 20).tolist() == pixels.tolist()
    with pytest.raises(ValueError, match="not 784 bytes of numbers"):
        copies.unpack_pixels(copies.pack_pixels(pixels), 784)


def test_a_copy_is_as_coarse_as_its_answers_to_the_training_images_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    for least in (0.8, 0.98):
        monkeypatch.setattr(copies, "MIN_AGREEMENT", least)
        maker, network = Maker(DATASET), (weights(), ["tanh", "tanh"], "linear")
        text, copy = maker.make(*network)
        assert maker.measure(*network, copy)["training_agreement"] >= least
        lengths.append(len(text))
    assert lengths[0] < 0.8 * lengths[1]


def test_answers_to_the_test_images_decide_nothing() -> None:
    other = replace(DATASET, x_test=np.zeros_like(DATASET.x_test))
    made = [Maker(dataset).make(weights(), ["relu", "tanh"], "linear")[0] for dataset in (DATASET, other)]
    assert made[0] == made[1]


def test_the_measured_numbers_are_those_of_the_answers() -> None:
    maker = Maker(DATASET)
    _, copy = maker.make(weights(), ["tanh", "tanh"], "softmax")
    images = copies.scaled(DATASET.x_test, DATASET)
    pair = Layers.of(weights(), ["tanh"] * 2, "softmax"), copy
    before, after = (network.outputs(images).argmax(axis=1) for network in pair)
    training = [network.outputs(copies.scaled(DATASET.x_train, DATASET)).argmax(axis=1) for network in pair]
    assert maker.measure(weights(), ["tanh", "tanh"], "softmax", copy) == {
        "training_agreement": np.mean(training[0] == training[1]),
        "agreement": np.mean(before == after),
        "wrong": np.count_nonzero(after),
        "original_wrong": np.count_nonzero(before),
    }


LENGTH = 4 * 5 + 4 * 5  # of four units over five pixels: an exponent and a bias for each, and the codes


def deflated(content: bytes) -> str:
    compressor = zlib.compressobj(9, zlib.DEFLATED, -15)
    return base64.b64encode(compressor.compress(content) + compressor.flush()).decode()


@pytest.mark.parametrize(
    ("text", "units", "hidden"),
    [
        (deflated(bytes(LENGTH - 1)), [4], []),
        (deflated(bytes(LENGTH + 1)), [4], []),
        (deflated(bytes(100_000_000)), [4], []),
        ("no base64!", [4], []),
        (deflated(bytes(LENGTH))[:-4], [4], []),
        (deflated(bytes(LENGTH)), [4], ["tanh"]),
        (deflated(bytes(LENGTH)), [4, 4], ["tanh"]),
        (deflated(bytes(LENGTH)), [10**9], []),
        (deflated(bytes(LENGTH)), [], []),
    ],
)
def test_other_bytes_than_the_layers_need_are_refused(text: str, units: list[int], hidden: list[str]) -> None:
    pixels = np.zeros(5, np.int8)
    assert copies.decode(deflated(bytes(LENGTH)), [4], pixels, [], "linear").layers[0][0].shape == (5, 4)
    with pytest.raises((ValueError, zlib.error)):
        copies.decode(text, units, pixels, hidden, "linear")


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
def test_pairare_possible_by_their_activations(plan: Study, changed: dict, possible: bool) -> None:
    arm: Arm = replace(plan.arm("example-1"), **changed)
    assert copies.is_possible(arm) is possible


def test_the_records_copies_answer_as_their_originals_and_fit_into_the_page() -> None:
    committed = networks.committed()
    assert len(networks.text(committed)) <= 120_000
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
