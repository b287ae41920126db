"""Each stage from the study to the plots as a function; the command lines of experiments and report call these."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from experiments.analysis import records, summary
from experiments.analysis.results import Results, ResultsFile
from experiments.data import datasets, sources
from experiments.data.sources import Source
from experiments.files import errors
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.live import export
from experiments.options import Settings
from experiments.plots import figures
from experiments.store import freshness
from experiments.store.store import Store
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import Run, Study
from experiments.training import cluster, runner


def run(settings: Settings) -> None:
    """Trains and measures what is missing, then brings the statistics up to date."""
    pipeline = Pipeline.prepare(settings, download=True)
    with pipeline.store.locked():
        pipeline.train()


def measure(settings: Settings, write_page: Callable[[], None]) -> None:
    """Trains, measures and plots. Calls `write_page` whenever there are new results, and at the end."""
    pipeline = Pipeline.prepare(settings, download=True)
    with pipeline.store.locked():
        pipeline.train(write_page)
        pipeline.plot()
        pipeline.copy_networks()
        write_page()


def plots(settings: Settings) -> None:
    """Brings statistics and plots up to date with the measured runs."""
    pipeline = Pipeline.prepare(settings)
    with pipeline.store.locked():
        pipeline.plot()


def record(settings: Settings) -> None:
    """Writes the committed record from a complete study that was measured here."""
    pipeline = Pipeline.prepare(settings)
    with pipeline.store.locked():
        pipeline.require_numbers()
        records.write(pipeline.results())
    print(f"Record: {display_path(records.RECORD)}, {records.RECORD.stat().st_size / 1000:.0f} kB.")


def mnist(settings: Settings) -> None:
    """Downloads MNIST and Fashion-MNIST unless they are named or cached."""
    memory = _memory(Store(settings.results))
    source, fashion = sources.find(memory, download=True), sources.find_fashion(memory, download=True)
    print(sources.warning(source, "") or sources.describe(source), flush=True)
    print(_describe(sources.FASHION.name, fashion), flush=True)
    if source.fallback:
        raise UserError(f"MNIST is not here: {source.fallback}. Connect to the network, or name it in MNIST_NPZ.")


def status(settings: Settings) -> None:
    """Prints how many runs of each arm are measured, and which stored runs belong to none."""
    pipeline = Pipeline.prepare(settings, read_only=True)
    current = set()
    for task in pipeline.tasks():
        entries = [pipeline.store.entry(run, task.source.identity) for run in pipeline.resolved(task)]
        current |= {entry.folder for entry in entries}
        done = Counter(entry.run.arm.name for entry in entries if entry.done)
        for arm, expected in Counter(run.arm.name for run in task.runs).items():
            print(f"{arm:24} {done[arm]:3} of {expected:3} runs on {task.source.name} measured")
    others = {folder: content for folder, content in pipeline.store.training_records().items() if folder not in current}
    print(f"{len(others)} stored runs of other arms, seeds, data or code; they are never shown.")
    for folder, content in others.items():
        trained_as = f"  {content['arm']}, seed {content['key']['seed']}" if "arm" in content else ""
        print(f"  {folder.name}{trained_as}")


def why(settings: Settings, name: str = "") -> None:
    """Prints why each run is fresh, stale or missing.

    name: an arm, a block, or "arm, seed"; without it, prints only how many runs there are for each reason.
    """
    pipeline = Pipeline.prepare(settings, read_only=True)
    reasons: dict[Run, str] = {}
    for task in pipeline.tasks():
        reasons |= freshness.reasons(pipeline.study, task.runs, task.source.identity, pipeline.store)
    if name:
        for run in freshness.select_runs(pipeline.study, reasons, name):
            print(f"{run}: {reasons[run]}")
        return
    first = {reason: run for run, reason in reversed(reasons.items())}
    for reason, count in Counter(reasons.values()).most_common():
        print(f"{count:4} {reason}" + ("" if reason == freshness.FRESH else f" (the first: {first[reason]})"))


def prepare_page(settings: Settings) -> None:
    """Gives the page what it lacks: statistics and plots of the measured runs, or the record if nothing is measured."""
    store = Store(settings.results)
    path = store.root / "results.json"
    if not path.exists() and store.training_records():
        pipeline = Pipeline.prepare(settings)
        with store.locked():
            if pipeline.has_measured:
                pipeline.plot()
                return
    if not stand_in(settings) and path.exists():
        _draw_for_page(settings, store)


def _draw_for_page(settings: Settings, store: Store) -> None:
    """Draws the results as they are, unless today's code has drawn them, or they are another study's."""
    study = studies.load(settings.study)

    def undrawn() -> ResultsFile | None:
        results = cast(ResultsFile, read_json(store.root / "results.json", summary.FORMAT))
        is_own = results.get("study") in (keys.study_digest(study), keys.study_digest(study.quick()))
        is_drawn = figures.are_current(store.root / "plots", results, settings.figures)
        return results if is_own and not is_drawn else None

    if undrawn():
        with store.locked():
            if results := undrawn():  # no other process has drawn them meanwhile
                print(f"Plots: {_draw(results, store, settings.figures)} drawn.", flush=True)


def stand_in(settings: Settings, reason: str = records.NOTHING_MEASURED) -> bool:
    """Gives the page the numbers and plots of the record if nothing is measured yet.

    reason: why the page shows the record, in the page's words. Returns whether they were written now.
    """
    study = studies.load(settings.study)
    content = records.read() if records.is_about(study) else None
    store = Store(settings.results)
    path = store.root / "results.json"
    study_digest = keys.study_digest(study)
    inputs = keys.digest([records.fingerprint(), reason, study_digest, figures.code_digests(settings.figures)])

    def is_needed() -> bool:
        return not path.exists() or (_is_stand_in(path) and not is_made_from(path, inputs))

    if content is None or not is_needed():
        return False
    with store.locked():
        if not is_needed():  # another process has measured something meanwhile
            return False
        results: ResultsFile = {
            **records.results_of_record(content, reason),
            "format": summary.FORMAT,
            "inputs": inputs,
            "study": study_digest,
        }
        write_atomically(path, to_json(results))
        _draw(results, store, settings.figures)
    print(f"The page shows what was recorded on {content['recorded']}: {reason}.", flush=True)
    return True


@dataclass(frozen=True)
class Pipeline:
    """A study, its store and its data, ready to be measured.

    others: by data set that the study has beside MNIST, its source, or why it is unavailable.
    """

    settings: Settings
    study: Study
    store: Store
    source: Source
    others: Mapping[str, Source | str]

    @classmethod
    def prepare(cls, settings: Settings, download: bool = False, read_only: bool = False) -> Pipeline:
        """Loads the study, finds its data and prints where they come from.

        Without `download`, the digits stand in for MNIST if it isn't here; not if `read_only`, which needs no data.
        """
        study = studies.load(settings.study)
        study.runs("mnist", settings.only)  # reports a wrong name before looking for data
        if settings.quick:
            study = study.quick()
        store = Store(settings.results)
        source = sources.find(_memory(store), download=download)
        if source.fallback and read_only:
            source = Source(datasets.MNIST, None, "Keras, which downloads it when it is needed")
        left_out = _describe_left_out(study, source)
        study = study.about(source.spec)
        if source.fallback and not study.runs(source.name):
            raise UserError(
                f"{display_path(study.path)}: MNIST is not here ({source.fallback}), and no arm runs on scikit-learn's "
                "digits in its place. Connect to the network, name a file: MNIST_NPZ=path/to/mnist.npz make report, or "
                "list arms under [datasets.digits]."
            )
        pipeline = cls(settings, study, store, source, _find_others(study, source, store, download, read_only))
        for used in (source, *pipeline.available):
            study.check(used.spec)
        recorded = records.read() if pipeline.shows_record else None
        print(sources.warning(source, recorded["recorded"] if recorded else "") or sources.describe(source), flush=True)
        for name, other in pipeline.others.items():
            print(_describe(name, other), flush=True)
        if left_out:
            print(left_out, flush=True)
        return pipeline

    @property
    def available(self) -> list[Source]:
        """The data sets beside MNIST that can be measured, in the study's order."""
        return [other for other in self.others.values() if isinstance(other, Source)]

    @property
    def has_record(self) -> bool:
        """Whether the record is about this study and these data: it is about one study on MNIST."""
        return self.study.path == studies.STUDY and (self.source.name == "mnist" or bool(self.source.fallback))

    @property
    def shows_record(self) -> bool:
        """Whether the page shows the record, because MNIST is not here."""
        return bool(self.source.fallback) and self.has_record

    def tasks(self, only: Collection[str] = ()) -> list[runner.Task]:
        """The runs of all blocks, or of those in `only`, on each available data set; the page's data come first."""
        return [runner.Task(source, self.study.runs(source.name, only)) for source in (self.source, *self.available)]

    def resolved(self, task: runner.Task) -> list[Run]:
        return self.store.resolve_runs(self.study, task.runs, task.source.identity)

    def results(self) -> ResultsFile:
        """The statistics, brought up to date with the store."""
        return summary.update(
            self.study,
            self.study.runs(self.source.name),
            self.source,
            self.store,
            replications={name: self.study.runs(name) for name in self.others},
            not_replicated={name: other for name, other in self.others.items() if isinstance(other, str)},
            quick=self.settings.quick,
            recorded=self.has_record,
        )

    @property
    def has_measured(self) -> bool:
        """Whether any run is measured on the data of the page."""
        first, *_ = self.tasks()
        return any(self.store.entry(run, first.source.identity).done for run in self.resolved(first))

    def require_numbers(self) -> None:
        """Raises `UserError` if there is nothing to show; then statistics would take the place of the stand-in."""
        if not self.has_measured and not (self.shows_record and records.read()):
            raise UserError(f"{display_path(self.store.root)}: nothing is measured yet. Run 'make experiments' first.")

    def plot(self) -> None:
        """Brings the plots up to date with the statistics."""
        self.require_numbers()
        drawn = _draw(self.results(), self.store, self.settings.figures)
        print(f"Plots: {f'{drawn} drawn' if drawn else 'nothing to draw'}.", flush=True)

    def copy_networks(self) -> None:
        """Brings the networks that run in the page up to date, if the article declares some."""
        if self.settings.live:
            done = export.update(self.study, self.settings.live, self.source, self.store)
            print(f"Networks in the page: {done}.", flush=True)

    def train(self, write_page: Callable[[], None] | None = None) -> None:
        """Trains and measures what is missing, then brings the statistics up to date.

        Calls `write_page` when an early block is complete, and after Ctrl-C or an error.
        """
        started = time.monotonic()
        tasks = self.tasks(self.settings.only)
        # The record's page can wait for the end, because the digits are only its replication.
        after_early_block = (lambda: self._write_early(write_page)) if write_page and not self.shows_record else None
        if after_early_block and _is_stand_in(self.store.root / "results.json"):
            after_early_block()  # shows what an earlier call had measured when it was killed
        try:
            with self._cluster(tasks) as executor:
                missing = runner.execute(self.study, tasks, self.store, self.settings.jobs, executor, after_early_block)
        except (KeyboardInterrupt, UserError) as error:
            if write_page:
                if isinstance(error, KeyboardInterrupt):
                    print("\nInterrupted. Writing the page of what is measured (to skip: Ctrl-C again) …", flush=True)
                self._write_early(write_page)
            raise
        self._report(f"{missing} runs in {time.monotonic() - started:.0f} s" if missing else "nothing to train")

    def _report(self, training: str) -> None:
        results = self.results()
        measured = {self.source.name: results, **results["replications"]}  # also where the record comes first
        counts = [
            f"{len(measured[name]['runs'])} of {measured[name]['runs_expected']} runs on {name}"
            for name in (self.source.name, *self.others)
            if name in measured
        ]
        print(f"Experiments: {training}; {', '.join(counts)} measured.")

    def _write_early(self, write_page: Callable[[], None]) -> None:
        """Writes the page of what is measured so far, if anything is. An error here does not stop the training."""
        if not self.has_measured:
            return  # the record's page stays
        try:
            self.plot()
            self.copy_networks()
            write_page()
        except BrokenPipeError:  # the reader closed the pipe, which ends the command
            raise
        except (UserError, OSError) as error:
            print(f"No page yet: {errors.line(error)}", flush=True)

    def _cluster(self, tasks: Iterable[runner.Task]) -> contextlib.AbstractContextManager[Executor | None]:
        if not self.settings.cluster:
            return contextlib.nullcontext()
        return cluster.Cluster(self.settings.cluster, [task.source for task in tasks])


def _find_others(
    study: Study, source: Source, store: Store, download: bool, read_only: bool
) -> dict[str, Source | str]:
    """The source of each data set that the study has beside MNIST, or why it is unavailable.

    Nothing is downloaded if all runs are measured, or nothing is to be trained: the identity of the data is known.
    """
    others: dict[str, Source | str] = dict(sources.BESIDE_MNIST) if source.name == datasets.MNIST.name else {}
    others = {name: others[name] for name in study.replications if name in others}
    if sources.FASHION.name in others:
        identity = sources.FASHION.identity
        runs = store.resolve_runs(study, study.runs(sources.FASHION.name), identity)
        needed = not read_only and not all(store.entry(run, identity).done for run in runs)
        found = sources.find_fashion(_memory(store), download=download and needed)
        if needed or isinstance(found, Source):
            others[sources.FASHION.name] = found
    return others


def _describe_left_out(study: Study, source: Source) -> str:
    """One line for the terminal: the arms for which a data set in MNIST's place is too small; "" where there are none.

    Raises `UserError` if no arm is left.
    """
    holding_out, dependent = study.left_out(source.spec)
    if source.name in (datasets.MNIST.name, datasets.DIGITS.name) or not holding_out:
        return ""
    images = f"{source.spec.train_images:,} training images"
    if len(holding_out) + len(dependent) == len(study.arms):
        raise UserError(
            f"{display_path(study.path)}: every arm holds out more than half of the {images} of {source.name}, or "
            "depends on such arms. Lower holdout, or use more images."
        )
    arms = f"{len(holding_out)} arms that hold" if len(holding_out) > 1 else "1 arm that holds"
    names = f", and what depends on them: {', '.join(arm.name for arm in dependent)}" if dependent else ""
    return f"Left out on {source.name}: {arms} out more than half of its {images}{names}."


def _describe(name: str, other: Source | str) -> str:
    return sources.missing(name, other) if isinstance(other, str) else sources.describe(other)


def _memory(store: Store) -> Path:
    """The file that remembers which data files were recognised."""
    return store.root / "recognised.json"


def _is_stand_in(path: Path) -> bool:
    """Whether the results at `path` are the record's."""
    try:
        return bool(read_json(path, summary.FORMAT)["dataset"].get("not_measured_because") in records.REASONS)
    except UserError:
        return False


def _draw(results: ResultsFile, store: Store, article_figures: Path | None) -> int:
    """Brings the figures up to date; returns how many were drawn. An article's figures.py draws its own."""

    def draw(results: Results) -> list[figures.Figure]:
        from experiments.plots.drawing import draw  # matplotlib costs a second, so only when something is drawn

        return draw(results, article_figures)

    return figures.update(results, store.root / "plots", draw, article_figures)
