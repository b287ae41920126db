"""`python -m experiments STAGE …`: everything up to the plots. `make help` names the targets over them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

from experiments import options
from experiments.analysis import records, summary
from experiments.analysis.results import Record, Results, ResultsFile
from experiments.data import datasets, sources
from experiments.files import errors
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.plots import figures
from experiments.store import freshness
from experiments.store.store import Store
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import Run, Study
from experiments.training import cluster, runner

STAGES = ("run", "plots", "record", "stand-in", "mnist", "status", "why")
TRAINING = ("run", "mnist")  # these download MNIST; all others need no TensorFlow
LOOKING = ("status", "why")  # these are read-only and take no lock
ALONE = ("stand-in", *LOOKING)  # these are not combined with others


def main(arguments: argparse.Namespace, write_page: Callable[[], None] | None = None) -> None:
    """Does the stages that are asked for. `write_page` is called whenever there are new statistics and plots."""
    plan = studies.load(arguments.study)
    plan.runs("mnist", arguments.only)  # so that a wrong name is told before anything is looked for
    if arguments.quick:
        plan = plan.quick()
    store = Store(arguments.results)
    recorded = plan.path == studies.STUDY  # the record is of that study, on MNIST, and of no other
    if arguments.stages == ["stand-in"]:
        recorded_results = records.read() if records.is_about(plan) else None
        stand_in(store, recorded_results, records.NOTHING_MEASURED, arguments.figures)
        return
    source = sources.find(store.root / "recognised.json", download=arguments.stages[0] in TRAINING)
    if source.fallback and arguments.stages[0] in LOOKING:
        source = sources.Source(datasets.MNIST, None, "Keras, which downloads it when it is needed")
    for used in _used(source):
        plan.check(used.spec)
    recorded = recorded and bool(source.name == "mnist" or source.fallback)
    record = records.read() if source.fallback and recorded else None
    print(sources.warning(source, record["recorded"] if record else "") or sources.describe(source), flush=True)
    stages = Stages(arguments, plan, store, source, recorded, write_page)
    with contextlib.nullcontext() if arguments.stages[0] in LOOKING else store.locked():
        for stage in arguments.stages:
            getattr(stages, stage)()


def _used(source: sources.Source) -> list[sources.Source]:
    """The data sets that are measured where `source` is at hand."""
    return [source, sources.DIGITS] if source.name == "mnist" else [source]


@dataclass
class Stages:
    """What one call does, stage by stage."""

    arguments: argparse.Namespace
    plan: Study
    store: Store
    source: sources.Source
    recorded: bool
    write_page: Callable[[], None] | None = None

    def results(self) -> ResultsFile:
        """The statistics, brought up to date with what is stored."""
        first, *others = self.tasks()
        replication = [run for task in others for run in task.runs]
        quick = self.arguments.quick
        return summary.update(self.plan, first.runs, self.source, self.store, replication, quick, self.recorded)

    def tasks(self, only: Collection[str] = ()) -> list[runner.Task]:
        """The runs of all blocks, or of those in `only`, on the data at hand; on the digits too where that is MNIST."""
        return [runner.Task(source, self.plan.runs(source.name, only)) for source in _used(self.source)]

    def run(self) -> None:
        """Trains and measures what is missing, on the digits too, then brings the statistics up to date."""
        started = time.monotonic()
        tasks = self.tasks(self.arguments.only)
        shows_record = self.source.fallback and self.recorded  # the digits beside it can wait for the end
        early = self._write_page_early if self.write_page and not shows_record else None
        if early and _is_stand_in(self.store.root / "results.json"):
            early()  # of what a call that was killed has measured
        try:
            with self._cluster(tasks) as executor:
                missing = runner.execute(self.plan, tasks, self.store, self.arguments.jobs, executor, early)
        except (KeyboardInterrupt, UserError) as ended:
            if self.write_page:
                if isinstance(ended, KeyboardInterrupt):
                    print("\nInterrupted. Writing the page of what is measured (to skip: Ctrl-C again) …", flush=True)
                self._write_page_early()
            raise
        took = f"{missing} runs in {time.monotonic() - started:.0f} s" if missing else "nothing to train"
        results = self.results()
        own = (results["replication"] if results["recorded"] else None) or results  # not the record's numbers
        measured = f"{len(own['runs'])} of {own['runs_expected']} runs on {self.source.name} measured"
        print(f"Experiments: {took}; {measured}.")

    def _write_page_early(self) -> None:
        """Writes the page of what is measured so far, if anything is. An error here does not stop the training."""
        first, *_ = self.tasks()
        runs = self.store.resolve_runs(self.plan, first.runs, first.source.identity)
        if not any(self.store.entry(run, first.source.identity).done for run in runs):
            return  # so that the record's page stays
        try:
            self.plots()
        except BrokenPipeError:  # the reader closed the pipe: that ends the command
            raise
        except (UserError, OSError) as error:
            print(f"No page yet: {errors.line(error)}", flush=True)

    def _cluster(self, tasks: Iterable[runner.Task]) -> contextlib.AbstractContextManager[Executor | None]:
        if not self.arguments.cluster:
            return contextlib.nullcontext()
        return cluster.Cluster(self.arguments.cluster, [task.source for task in tasks])

    def plots(self) -> None:
        """Brings the plots up to date with the statistics."""
        results = self.results()
        if not results["runs"]:
            raise UserError(f"{display_path(self.store.root)}: nothing is measured yet. Run 'make experiments' first.")
        drawn = _draw(results, self.store, self.arguments.figures)
        print(f"Plots: {f'{drawn} drawn' if drawn else 'nothing to draw'}.", flush=True)
        if self.write_page:
            self.write_page()

    def record(self) -> None:
        """Writes the committed record from the complete study that was measured here."""
        records.write(self.results())
        print(f"Record: {display_path(records.RECORD)}, {records.RECORD.stat().st_size / 1000:.0f} kB.")

    def mnist(self) -> None:
        """Makes sure that MNIST is here: `main` had it downloaded where it was not."""
        if self.source.fallback:
            raise UserError(
                f"MNIST is not here: {self.source.fallback}. Connect to the network, or name it in MNIST_NPZ."
            )

    def status(self) -> None:
        """Says for each arm how many of its runs are there, and which stored runs belong to none."""
        known = set()
        for task in self.tasks():
            identity = task.source.identity
            entries = [
                self.store.entry(run, identity) for run in self.store.resolve_runs(self.plan, task.runs, identity)
            ]
            known |= {entry.folder for entry in entries}
            done = Counter(entry.run.arm.name for entry in entries if entry.done)
            for arm, expected in Counter(run.arm.name for run in task.runs).items():
                print(f"{arm:24} {done[arm]:3} of {expected:3} runs on {task.source.name} measured")
        others = {folder: found for folder, found in self.store.training_records().items() if folder not in known}
        print(f"{len(others)} stored runs of other arms, seeds, data or code; they are never shown.")
        for folder, found in others.items():
            trained_as = f"  {found['arm']}, seed {found['key']['seed']}" if "arm" in found else ""
            print(f"  {folder.name}{trained_as}")

    def why(self) -> None:
        """Says why each run that is asked for is fresh, or of what it lacks something; without a name, how many."""
        told: dict[Run, str] = {}
        for task in self.tasks():
            told |= freshness.reasons(self.plan, task.runs, task.source.identity, self.store)
        if self.arguments.name:
            for run in freshness.select_runs(self.plan, told, self.arguments.name):
                print(f"{run}: {told[run]}")
            return
        first = {reason: run for run, reason in reversed(told.items())}
        for reason, count in Counter(told.values()).most_common():
            print(f"{count:4} {reason}" + ("" if reason == freshness.FRESH else f" (the first: {first[reason]})"))


def stand_in(store: Store, recorded: Record | None, reason: str, article_figures: Path | None = None) -> bool:
    """Where nothing was measured yet, puts the record's numbers and their plots in place, for the page.

    `reason`: why they stand there, as the page says it. Returns whether they were put there now.
    """
    path = store.root / "results.json"
    inputs = keys.digest([records.fingerprint(), reason, figures.code_digests(article_figures)])

    def is_needed() -> bool:
        return not path.exists() or (_is_stand_in(path) and not is_made_from(path, inputs))

    if recorded is None or not is_needed():
        return False
    with store.locked():
        if not is_needed():  # another process has measured something meanwhile
            return False
        results: ResultsFile = {
            **records.results_of_record(recorded, reason),
            "format": summary.FORMAT,
            "inputs": inputs,
        }
        write_atomically(path, to_json(results))
        _draw(results, store, article_figures)
    print(f"The page shows what was recorded on {recorded['recorded']}: {reason}.", flush=True)
    return True


def _is_stand_in(path: Path) -> bool:
    try:
        return bool(read_json(path, summary.FORMAT)["dataset"].get("not_measured_because") in records.REASONS)
    except UserError:
        return False


def _draw(results: ResultsFile, store: Store, article_figures: Path | None) -> int:
    """Brings the figures up to date; returns how many were drawn. An article's figures.py draws its own."""

    def draw(results: Results) -> list[figures.Figure]:
        from experiments.plots.drawing import draw  # matplotlib costs a second: only where something is drawn

        return draw(results, article_figures)

    return figures.update(results, store.root / "plots", draw, article_figures)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = errors.Parser(prog="python -m experiments", description=__doc__)
    parser.add_argument(
        "stages",
        nargs="+",
        metavar="STAGE",
        help=f"what to do, in this order: {', '.join(STAGES)}; after 'why' an arm, a block or 'arm, seed', or nothing",
    )
    options.add(parser)
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="the article's figures.py; without it, generic ones"
    )
    arguments = parser.parse_args(argv)
    arguments.name = ""
    if arguments.stages[0] == "why":
        arguments.stages, arguments.name = ["why"], " ".join(arguments.stages[1:])
    if unknown := [stage for stage in arguments.stages if stage not in STAGES]:
        parser.error(f"no stage is called '{unknown[0]}'. Known: {', '.join(STAGES)}.")
    if len(arguments.stages) > 1 and (alone := set(ALONE).intersection(arguments.stages)):
        parser.error(f"'{min(alone)}' stands alone. Leave the other stages out, or call it by itself.")
    return arguments


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
