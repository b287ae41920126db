"""The committed copies of the record's networks, and pages that carry them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from experiments.analysis import evidence
from experiments.files.durable import write_atomically
from experiments.files.sealed import compact, read_json, to_json
from experiments.live import copies, export
from experiments.live.copies import Layers, Networks
from report.article.folder import open_folder
from report.page import live

ARTICLE = open_folder()


def committed() -> Networks:
    return export.read(ARTICLE.live)


def layers(networks: Networks) -> list[Layers]:
    pixels = copies.unpack_pixels(networks["pixels"], 784)
    return [copies.read(network, pixels) for network in networks["networks"]]


def text(networks: Networks) -> str:
    """As pages carry them."""
    return compact(networks).decode()


def view() -> live.LiveView:
    return live.view(text(committed()), ARTICLE.load_live())


def file(networks: Networks) -> bytes:
    """A live.json."""
    return to_json({"format": export.FORMAT, "inputs": "a fixture", **networks})


def put(folder: Path) -> None:
    """The committed networks into live.json of a results folder, as if they were copies of its runs."""
    runs = read_json(folder / "evidence.json", evidence.FORMAT)["runs"]
    observed = {(run["arm"], run["seed"]): run["key"] for run in runs}
    networks = committed()
    for network in networks["networks"]:
        network["run"] = observed[network["arm"], network["seed"]]
    write_atomically(folder / export.FILE, file(networks))


def answers(networks: list[Layers], images: np.ndarray) -> list[list[int]]:
    """By image: the class that each network answers."""
    return np.array([network.outputs(images).argmax(axis=1) for network in networks]).T.tolist()
