"""Made-up results, built through the real store and statistics, for tests of everything that comes after training."""

from __future__ import annotations

import hashlib
import itertools
import pickle
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.analysis import measures, summary
from experiments.data import datasets
from experiments.data.sources import BESIDE_MNIST, Source
from experiments.files.durable import write_atomically
from experiments.files.sealed import to_json
from experiments.plots import drawing
from experiments.plots.figures import Figure
from experiments.store.store import Store
from experiments.study import load as studies
from experiments.study.model import Arm, Run, Study
from report.article import document
from report.article.folder import DEFAULT
from report.claims import load as ledgers
from report.claims.verdicts import judge
from report.page import citation, compose, render
from tests import closed_forms

ARTICLE, LEDGER, PROSE, FIGURES = (DEFAULT / name for name in ("article.md", "claims.toml", "prose", "figures.py"))
SCORES = {"example-1": 0.9650, "example-2": 0.9650, "example-3": 0.9780}  # accuracy of even seeds; see `outputs`
TEST_IMAGES = 2000
LABELS = np.arange(TEST_IMAGES) % 10


def outputs(score: float, seed: int, softmax: bool) -> np.ndarray:
    """Outputs [2000, 10] that get `score` of the images right, two more each second seed: wrong ones say label + 1."""
    rng = np.random.default_rng(seed)
    wrong = round((1 - score) * TEST_IMAGES) - 2 * (seed % 2)
    said = LABELS.copy()
    said[:wrong] = (said[:wrong] + 1) % 10
    values = rng.normal(0, 0.05, (TEST_IMAGES, 10))
    values[np.arange(TEST_IMAGES), said] = rng.uniform(0.6, 1, TEST_IMAGES)
    if softmax:
        values = np.abs(values)
        values /= values.sum(axis=1, keepdims=True)
    return values.astype(np.float32)


DATASET = datasets.Dataset(
    name="mnist",
    x_train=np.random.default_rng(0).integers(0, 256, (60, 4)).astype(np.uint8),
    y_train=(np.arange(60) % 10).astype(np.uint8),
    x_test=np.zeros((TEST_IMAGES, 4), np.uint8),
    y_test=LABELS,
    pixel_max=255,
    classes=10,
)


def snapshot(arm: Arm, seed: int) -> list[np.ndarray]:
    """Small random weights of the arm's network on images of four pixels."""
    rng = np.random.default_rng(seed)
    sizes = [4, *[arm.width] * arm.depth, 10]
    shapes = [shape for n, m in itertools.pairwise(sizes) for shape in ((n, m), (m,))]
    return [rng.normal(0, 0.1, shape).astype(np.float32) for shape in shapes]


MEASURED: dict[str, dict[str, Any]] = {}  # what `fill_run` has measured, which takes time, by run and score


def fill(store: Store, runs: list[Run], source: Source, scores: Mapping[str, float]) -> None:
    """Stores a made-up training and real measures of made-up outputs for each of `runs`.

    `scores` are by run ("example-1, seed 100, on mnist") or by arm; 0.97 where none is given.
    A run that takes something from others' results must come after them.
    """
    plan = studies.load()
    for given in runs:
        (run,) = store.resolve_runs(plan, [given], source.identity)
        fill_run(store, run, source, scores)


def fill_run(store: Store, run: Run, source: Source, scores: Mapping[str, float]) -> None:
    """As `fill`, for one run that needs nothing of others any more."""
    entry = store.entry(run, source.identity)
    score = scores.get(str(run), scores.get(run.arm.name, 0.97))
    weights = snapshot(run.arm, run.seed)
    if not entry.trained:
        store.save_training(entry, training(run, score), {"epoch_1": weights, "final": weights})
    if not entry.measured:  # arms with the same settings share their runs
        known = f"{entry.folder.name} {entry.measures_path.name} {score}"
        if known not in MEASURED:
            MEASURED[known] = measure(run.arm, weights, outputs(score, run.seed, run.arm.output.name == "softmax"))
        store.save_measures(entry, MEASURED[known])


def measure(
    arm: Arm, weights: list[np.ndarray], outputs: np.ndarray, dataset: datasets.Dataset = DATASET
) -> dict[str, Any]:
    """Real measures of made-up outputs, and of weights that never change; by closed forms, if the arm has them.

    Else by TensorFlow, which takes seconds to start: so whatever a new experiment names can be made up.

    How well the weights fit is made up, the training images a little better than the test images, and what they say to
    the digit of our own.
    """
    snapshots = dict.fromkeys(("start", "epoch_1", "final"), weights)
    measure_network = closed_forms.measure if closed_forms.are_known(arm) else _measure_by_tensorflow
    numbers = measures.measure(arm, outputs, dataset) | measure_network(arm, snapshots, dataset)
    accuracy = numbers["test_accuracy"]
    made_up = {"training_accuracy": (1 + accuracy) / 2, "least_squares_accuracy": accuracy}
    return numbers | made_up | {"digit_outputs": digit_outputs(arm)}


def _measure_by_tensorflow(
    arm: Arm, snapshots: Mapping[str, list[np.ndarray]], dataset: datasets.Dataset
) -> dict[str, Any]:
    from experiments.training import network_measures  # imports TensorFlow: only for a new experiment

    return network_measures.measure(arm, snapshots, dataset)


def digit_outputs(arm: Arm) -> dict[str, list[float]]:
    """Outputs for a 4 that go towards their targets, or down to −0.9 where the loss does not mind."""
    low = -0.9 if arm.loss.name.startswith("one_sided") else arm.low_target
    ends = [arm.high_target if k == 4 else low for k in range(10)]
    return {
        when: [round(part * end, 3) for end in ends] for when, part in (("start", 0), ("epoch_1", 0.8), ("final", 1))
    }


def training(run: Run, score: float) -> dict[str, Any]:
    return {
        "arm": run.arm.name,
        "training_loss": [0.1 / epoch for epoch in range(1, run.epochs + 1)],
        "test_accuracy": [score - 0.02 / epoch for epoch in range(1, run.epochs + 1)],
        "epoch_seconds": [0.5] * run.epochs,
        "diverged_epoch": None,
        "compile_seconds": 1.0,
        "predict_seconds": 0.03,
        "map_seconds": 0.0001,
        "started": "2026-01-01T00:00:00+00:00",
        "finished": "2026-01-01T00:00:05+00:00",
        "machine": {"processor": "Fixture CPU", "system": "Linux", "threads": 1},
        "python": "3.11.0",
        "commit": "0123456789abcdef0123456789abcdef01234567",
        "dirty": False,
    }


def results(
    plan: Study,
    folder: Path,
    source: Source,
    scores: Mapping[str, float] = SCORES,
    runs: int | None = None,
    only: tuple[str, ...] = ("examples",),
) -> dict[str, Any]:
    """results.json as the real statistics make it, of the first `runs` runs (all, if None) of the blocks in `only`."""
    store = Store(folder)
    expected = plan.runs(source.name, only)
    fill(store, expected[:runs], source, scores)
    return summary.update(plan, expected, source, store)


def whole(plan: Study, store: Store, scores: Callable[[list[Run]], Mapping[str, float]]) -> dict[str, Any]:
    """results.json of every run of the study, on MNIST and on all other data sets. `scores`: of a data set's runs."""
    mnist = Source(datasets.MNIST, None, "a fixture")
    runs = {name: plan.runs(name) for name in ("mnist", *plan.replications)}
    for name, its_runs in runs.items():
        source = BESIDE_MNIST.get(name, mnist)
        fill(store, sorted(its_runs, key=lambda run: bool(plan.needs(run))), source, scores(its_runs))
    others = {name: its_runs for name, its_runs in runs.items() if name != "mnist"}
    return summary.update(plan, runs["mnist"], mnist, store, others)


DRAWN: Path | None = None  # where `draw` keeps what it has drawn; set for a test run
_draw = drawing.draw


def draw(results: Mapping[str, Any], pictures: bool = False) -> list[Figure]:
    """As `drawing.draw` with this article's figures, but equal results are drawn once in a test run.

    Without `pictures`, which cost half the time, unless a test looks at them.
    """
    kept = DRAWN and DRAWN / f"{hashlib.sha256(to_json(results)).hexdigest()}{'-pictures' * pictures}"
    if kept and kept.exists():
        return pickle.loads(kept.read_bytes())
    drawn = _draw(results, FIGURES, pictures)
    if kept:
        kept.parent.mkdir(exist_ok=True)
        write_atomically(kept, pickle.dumps(drawn))
    return drawn


def untestable(keys: str, why: str = "No.", question: str = "?") -> str:
    """A ledger of one claim with these keys, that nothing can test."""
    return (
        f'version = 2\ndeclared = 2026-01-01\n[[claims]]\n{keys}\n[claims.stated]\nquestion = "{question}"\n'
        f'not_testable = "{why}"\n[claims.general]\nnone = "No reason."\n'
    )


def page_of(
    results: dict[str, Any], folder: Path = DEFAULT, drawn: Sequence[Figure] | None = None, **options: Any
) -> str:
    """The page of `results` as `make render` makes it, with the article, the claims and the prose in `folder`.

    drawn: figures in place of those of the results, for tests that look at none.
    """
    ledger, source = ledgers.load(folder / "claims.toml"), document.load(folder / "article.md")
    figures = {figure.name: figure for figure in (draw(results) if drawn is None else drawn)}
    words = render.load_prose(folder / "prose")
    verdicts = judge(ledger, results)
    options = {
        "recorded": compose.verdicts_on_record(results, ledger),
        "shared": citation.publication("", results, source),
        **options,
    }
    return render.render(results, figures, source, words, ledger, verdicts, **options)
