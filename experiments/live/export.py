"""The stage: live.json, copies of the networks that an article declares, made again only when its inputs changed.

It needs the weights and the images. The record's copy of the file lies beside the article, for pages of the record.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import cast

from experiments.data import strokes as pen
from experiments.data.datasets import MNIST
from experiments.data.sources import Source
from experiments.files.durable import write_atomically
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.live import copies, shapes, strokes
from experiments.live.copies import Contested, Layers, Maker, Network, Networks
from experiments.store.store import Entry, Store
from experiments.study import keys
from experiments.study.model import Study

FORMAT = 2
FILE = "live.json"  # in the results folder
DATASET = MNIST  # strokes become images of its kind alone
MODULES = ("copies", "export", "packing", "rounding", "shapes", "strokes")
CODE = (Path(pen.__file__), *(Path(__file__).with_name(f"{module}.py") for module in MODULES))
TRIED, CONTESTED = 80, 3  # variations of each digit that are tried, and how many drawings are kept


def first_seed(study: Study, arms: Sequence[str]) -> int:
    """The seed whose networks are copied: the first of the first arm's block."""
    return study.block(study.arm(arms[0]).block).seeds[0]


def update(study: Study, arms: Sequence[str], source: Source, store: Store) -> str:
    """Brings live.json up to date with the stored weights; what was done, in words.

    Where the weights are not there yet, or the images are none that strokes can be made like, nothing is written.
    """
    if source.spec != DATASET:
        return f"left out: they need {DATASET.name}, and this is {source.name}"
    runs = [study.run(study.arm(name), first_seed(study, arms), source.name) for name in arms]
    resolved = store.resolve_runs(study, runs, source.identity)
    entries = [store.entry(run, source.identity) for run in resolved]
    if len(entries) < len(runs) or not all(entry.done for entry in entries):
        return "left out: not all of them are measured yet"
    path = store.root / FILE
    trained = [entry.training()["weights_sha256"] for entry in entries]
    inputs = keys.digest([FORMAT, trained, [_name(e) for e in entries], [keys.file_digest(code) for code in CODE]])
    if is_made_from(path, inputs):
        return "nothing to do"
    content = make(entries, source)
    write_atomically(path, to_json({"format": FORMAT, "inputs": inputs, **content}))
    agreement = ", ".join(f"{100 * network['agreement']:.2f}" for network in content["networks"])
    size = sum(len(network["weights"]) for network in content["networks"]) / 1000
    return f"{len(entries)} copied, {size:.0f} kB; they answer as the originals on {agreement} % of the test images"


def _name(entry: Entry) -> list[object]:
    return [entry.run.arm.name, entry.run.seed, keys.digest(entry.key)]


def make(entries: Sequence[Entry], source: Source) -> Networks:
    """Copies of the final networks of these runs."""
    dataset = source.load()
    maker = Maker(dataset)
    made = [_copy(entry, maker) for entry in entries]
    return {
        "dataset": source.name,
        "test_images": len(dataset.x_test),
        "pixels": copies.pack_pixels(maker.pixels),
        "networks": [network for network, _ in made],
        "contested": contested([copy for _, copy in made]),
    }


def _copy(entry: Entry, maker: Maker) -> tuple[Network, Layers]:
    arm, weights = entry.run.arm, entry.snapshots()["final"]
    hidden, output = [part.name for part in arm.hidden], arm.output.name
    text, copy = maker.make(weights, hidden, output)
    network = {
        "arm": arm.name,
        "seed": entry.run.seed,
        "run": keys.digest(entry.key)[:16],
        "weights_sha256": entry.training()["weights_sha256"],
        "hidden": hidden,
        "output": output,
        "low_target": arm.low_target,
        "high_target": arm.high_target,
        "units": [len(bias) for bias in weights[1::2]],
        "weights": text,
        **maker.measure(weights, hidden, output, copy),
    }
    return cast(Network, network), copy


def contested(networks: Sequence[Layers]) -> list[Contested]:
    """Drawings that the networks read differently, of different digits: the mildest variations that there are.

    The first network misreads them, and another one does not.
    """
    found: dict[int, Contested] = {}
    for digit, varied in shapes.variations(TRIED):
        if digit in found:
            continue
        numbers = shapes.whole_numbers(varied)
        image = strokes.image(shapes.from_numbers(numbers))[None]
        answers = [int(network.outputs(image).argmax()) for network in networks]
        if answers[0] != digit and digit in answers:
            found[digit] = {"digit": digit, "strokes": numbers}
            if len(found) == CONTESTED:
                break
    return [found[digit] for digit in sorted(found)]


def read(path: Path) -> Networks:
    """The networks in a live.json. Raises `UserError` if the file is damaged or of another version."""
    content = read_json(path, FORMAT, "Run 'make report': it is made again.")
    return cast(Networks, {key: content[key] for key in Networks.__annotations__})


def are_of(networks: Networks, runs: Sequence[Mapping[str, object]]) -> bool:
    """Whether these are copies of some of the `runs`, observations of evidence.json."""
    known = {(run["arm"], run["seed"], run["key"]) for run in runs}
    return all((network["arm"], network["seed"], network["run"]) in known for network in networks["networks"])
