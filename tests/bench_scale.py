"""`make bench WHAT=scale`: what 100, 1,000 and 10,000 stored runs cost: disk, seconds, memory, and the page's size.

The runs are made up, as many numbers each as real ones on MNIST have, but for their weights, which nothing here reads.
Two shapes of study: nine of this project's arms with more and more seeds, and ten seeds of more and more arms.
Every stage is a process of its own, its memory the peak that the system counted; each size stands beside the smallest,
measured minutes before on the same machine. docs/scale.md tells what was found.
"""

from __future__ import annotations

import gzip
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from experiments.analysis import measures
from experiments.data import datasets
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Arm, Run
from report.article.folder import DEFAULT, open_folder
from tests import fixture

SIZES = (100, 1000, 10_000)
BLOCKS = "examples,changes"  # what is stored of this project's study
SECOND = Path(__file__).with_name("second")
IMAGES = 10_000


def main() -> None:
    if not os.environ.get("MNIST_NPZ"):
        sys.exit("error: the benchmark's runs are on MNIST. Name it: MNIST_NPZ=path/to/mnist.npz make bench WHAT=scale")
    for shape, (describe, written, article) in SHAPES.items():
        columns = []
        for runs in SIZES:
            print(f"{shape}: {runs:,} runs …", file=sys.stderr, flush=True)
            with tempfile.TemporaryDirectory() as temporary:
                columns.append({"runs": runs, **measured(Path(temporary), written(runs), article)})
        report(describe, columns)


# ---------------------------------------------------------------------------------------------- two shapes of study


def more_seeds(runs: int) -> str:
    """This project's study with as many seeds of its examples and changes as make about so many runs."""
    text = studies.STUDY.read_text(encoding="utf-8")
    seeds = _listed(range(300, 300 + round(runs / 9)))  # which others read features of
    blocks = re.compile(r"^(\[blocks\.(?:examples|changes)\]\n.*\n)seeds = .*$", re.MULTILINE)
    return blocks.sub(rf"\1seeds = {seeds}", _on_mnist_alone(text))


def more_arms(runs: int) -> str:
    """The second study with ten seeds, as many widths as make so many runs, and seven contrasts, as in the first."""
    text = _on_mnist_alone((SECOND / "study.toml").read_text(encoding="utf-8"))
    text = text.replace("seeds = [0, 1]", f"seeds = {_listed(range(10))}")
    widths = range(3, runs // 10 + 1)
    text += f'\n[[arms]]\nname = "width-{{width}}"\nblock = "width"\nwidth = {_listed(widths)}\n'
    text += "\n[confirmatory]\ndeclared = 2026-01-15\n"
    contrast = '\n[[contrasts]]\nname = "to-{0}"\nquestion = "{0} units?"\nfirst = "wide"\nsecond = "width-{0}"\n'
    return text + "".join(contrast.format(width) for width in widths[:7])


def _on_mnist_alone(study: str) -> str:
    return re.sub(r"^arms = \[[^]]*\]\n", "", study, flags=re.MULTILINE)


def _listed(numbers: range) -> str:
    """As TOML, a few numbers a line."""
    lines = [", ".join(map(str, numbers[start : start + 20])) for start in range(0, len(numbers), 20)]
    return "[\n  " + ",\n  ".join(lines) + "\n]"


SHAPES: Mapping[str, tuple[str, Callable[[int], str], Path]] = {
    "seeds": ("Nine arms, more and more seeds", more_seeds, DEFAULT),
    "arms": ("Ten seeds, more and more arms", more_arms, SECOND),
}


# ---------------------------------------------------------------------------------------------- made-up runs


def fill(store: Store, runs: Sequence[Run]) -> None:
    """Stores made-up runs on MNIST: no number is the same in two of them, and what is hard for one is hard for all.

    With these spreads of hardness, arms err on some two in a hundred images, and overlap as real ones do.
    """
    identity, patterns = datasets.MNIST.identity, dict[Arm, dict[str, Any]]()
    hard = np.random.default_rng(0).normal(0, 1, IMAGES)
    for run in runs:
        arm, trained = run.arm, list(str(run.arm.training_spec()).encode())
        rng = np.random.default_rng([*trained, run.seed])  # two readouts of one network have its predictions
        for_arm = np.random.default_rng(trained).normal(-2.2, 0.3, IMAGES)
        wrong = np.flatnonzero(hard + for_arm + rng.normal(0, 0.3, IMAGES) > 0)
        alike = replace(arm, name="", title="", width=16)
        if alike not in patterns:
            patterns[alike] = pattern(alike)
        entry = store.entry(run, identity)
        if not entry.trained:
            told = varied(fixture.training(run, 0.97), rng)
            curve = 1 - len(wrong) / IMAGES - 0.03 / np.arange(1, run.epochs + 1) + rng.normal(0, 0.001, run.epochs)
            told |= {"arm": arm.name, "test_accuracy": np.round(curve, 4).tolist()}
            store.save_training(entry, told, {"epoch_1": [], "final": []})
        store.save_measures(entry, {**varied(patterns[alike], rng), **classified(wrong, rng)})


def pattern(arm: Arm) -> dict[str, Any]:
    """Real measures of made-up outputs, around which the runs of such an arm vary."""
    weights = fixture.snapshot(arm, 0)
    said = np.tile(fixture.outputs(0.97, 0, arm.output.name == "softmax"), (IMAGES // fixture.TEST_IMAGES, 1))
    labels = np.tile(fixture.LABELS, IMAGES // fixture.TEST_IMAGES)
    dataset = replace(fixture.DATASET, y_test=labels)
    return fixture.measure(arm, weights, said, dataset)


def varied(value: Any, rng: np.random.Generator, key: str = "") -> Any:
    """Every measured number in `value` a little different; edges of bins stay."""
    if isinstance(value, Mapping):
        return {name: varied(inner, rng, name) for name, inner in value.items()}
    if key == "reliability" and value:
        return [[edge, *varied(rest, rng)] for edge, *rest in value]
    if key == "counts":
        return rng.poisson(value).tolist()
    if isinstance(value, list):
        return [varied(inner, rng) for inner in value]
    return value * (1 + 0.02 * rng.normal()) if isinstance(value, float) else value


def classified(wrong: np.ndarray, rng: np.random.Generator) -> dict[str, Any]:
    """What `measures.prediction_measures` says of a run that takes the images `wrong` for others."""
    labels = np.arange(IMAGES) % 10
    predictions = labels.copy()
    predictions[wrong] = (labels[wrong] + rng.integers(1, 10, len(wrong))) % 10
    return {
        "test_accuracy": 1 - len(wrong) / IMAGES,
        "predictions": "".join(map(str, predictions)),
        "wrong_images": wrong.tolist(),
        "confusion": measures.confusion(predictions, labels, 10),
    }


# ---------------------------------------------------------------------------------------------- measured


class Cost(NamedTuple):
    """What a process took. seconds: by the clock; processor: those it computed; megabytes: its resident peak.

    The system counts no less memory than the process that starts them has had, up to 150 MB.
    """

    seconds: float
    processor: float
    megabytes: float


def measured(folder: Path, text: str, article: Path) -> dict[str, Any]:
    """Fills a store in `folder` with the runs of the study in `text`, and runs every stage over it; by name."""
    copy, results = folder / "article", folder / "results"
    shutil.copytree(article, copy)
    (copy / "study.toml").write_text(text, encoding="utf-8")
    only = ["--only", BLOCKS] if article == DEFAULT else []
    child(
        ["-m", "tests.bench_scale", str(copy / "study.toml"), str(results), *only[1:]]
    )  # whose memory is then not this process's
    stored = [file.stat().st_size for file in results.rglob("*.*") if file.is_file()]
    sizes = {"files stored": len(stored), "stored, kB": sum(stored) / 1e3}
    return {**sizes, **stages(copy, results, folder / "site", only)}


def fill_child(path: str, results: str, only: str = "") -> None:
    os.fsync = lambda _: None  # nobody needs them after a power cut
    fill(Store(Path(results)), studies.load(Path(path)).runs("mnist", only.split(",") if only else ()))


def stages(article: Path, results: Path, site: Path, only: Sequence[str]) -> dict[str, Any]:
    """What each stage costs over the runs in `results`, from nothing derived on, and how large the page is."""
    folder = open_folder(article)
    figures = ["--figures", str(folder.figures)] if folder.figures else []
    given = ["--study", str(folder.study), "--results", str(results)]

    def stage(name: str, *more: str) -> Cost:
        return child(["-m", "experiments", name, *given, *more])

    render = ["-m", "report", "render", "--article", str(article), "--results", str(results), "--site", str(site)]
    found: dict[str, Any] = {name: stage(name) for name in ("status", "why")}
    found["statistics"] = stage("run", *only)
    found["plots"] = stage("plots", *figures)
    found["page"] = child(render)
    found["nothing to do: runs"] = stage("run", *only)
    found["nothing to do: plots"] = stage("plots", *figures)
    found["nothing to do: page"] = child(render)
    html = (site / "index.html").read_bytes()
    found |= {"page, kB": len(html) / 1e3, "gzipped, kB": len(gzip.compress(html)) / 1e3}
    without = re.sub(rb'<template id="evidence">.*?</template>', b"", html, flags=re.DOTALL)
    found["without its evidence, kB"] = len(without) / 1e3
    found["verify"] = child(["-m", "report", "verify", "--article", str(article), str(site / "index.html")])
    return found


def child(arguments: Sequence[str]) -> Cost:
    """Runs Python with `arguments`; ends with its output where it fails."""
    started = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"error: {' '.join(arguments)}:\n{output.decode()}")
    peak = usage.ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    return Cost(time.monotonic() - started, usage.ru_utime + usage.ru_stime, peak)


def report(title: str, columns: Sequence[Mapping[str, Any]]) -> None:
    """A row a stage, a column a size: seconds computed, in multiples of the smallest size's, and megabytes at most."""
    print(f"\n{title}")
    waited = max(
        value.seconds / value.processor for column in columns for value in column.values() if isinstance(value, Cost)
    )
    print(f"(Seconds of processor time; by the clock at most {waited:.1f} times as many.)")
    for name, first in columns[0].items():
        print(f"{name:28}" + "".join(f"{cell(column[name], first):>30}" for column in columns))


def cell(value: Any, first: Any) -> str:
    if isinstance(value, Cost):
        return f"{value.processor:.1f} s ({value.processor / first.processor:.1f} ×) {value.megabytes:,.0f} MB"
    return f"{value:,.0f} ({value / first:.1f} ×)"


if __name__ == "__main__":
    fill_child(*sys.argv[1:]) if len(sys.argv) > 1 else main()
