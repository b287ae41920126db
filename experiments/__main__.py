"""`python -m experiments STAGE …`: everything up to the plots. `make help` names the targets over them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments import cluster, errors, figures, records, runner, sources, statistics, study, why
from experiments.errors import UserError, shown
from experiments.store import RESULTS, Store, to_json, write_atomically

STAGES = ("run", "plots", "record", "stand-in", "status", "why")
LOOKING = ("status", "why")  # these write nothing, and wait for nobody


def main(arguments: argparse.Namespace) -> None:
    plan = study.load(arguments.study)
    plan.runs("mnist", arguments.only)  # so that a wrong name is told before anything is looked for
    if arguments.quick:
        plan = plan.quick()
    store = Store(arguments.results)
    recorded = plan.path == study.STUDY  # the record is of that study, on MNIST, and of no other
    if arguments.stages == ["stand-in"]:
        stand_in(store, records.read() if recorded else None)
        return
    source = sources.find(store.root / "recognised.json")
    plan.check(source.facts)
    recorded = recorded and bool(source.name == "mnist" or source.fallback)
    record = records.read() if source.fallback and recorded else None
    print(sources.warning(source, (record or {}).get("recorded", "")) or sources.describe(source), flush=True)
    stages = Stages(arguments, plan, store, source, recorded)
    with contextlib.nullcontext() if arguments.stages[0] in LOOKING else store.locked():
        for stage in arguments.stages:
            getattr(stages, stage)()


@dataclass
class Stages:
    """What one call does, stage by stage. The statistics are looked at once, after what trains."""

    arguments: argparse.Namespace
    plan: study.Study
    store: Store
    source: sources.Source
    recorded: bool

    @cached_property
    def results(self) -> dict[str, Any]:
        """The statistics, brought up to date with what is stored."""
        first, *others = self.tasks()
        replication = [run for task in others for run in task.runs]
        quick = self.arguments.quick
        return statistics.update(self.plan, first.runs, self.source, self.store, replication, quick, self.recorded)

    def tasks(self, only: Collection[str] = ()) -> list[runner.Task]:
        """The runs of all blocks, or of those in `only`, on the data at hand; on the digits too where that is MNIST."""
        used = [self.source, sources.DIGITS] if self.source.name == "mnist" else [self.source]
        return [runner.Task(source, self.plan.runs(source.name, only)) for source in used]

    def run(self) -> None:
        """Trains and measures what is missing, on the digits too, then brings the statistics up to date."""
        started = time.monotonic()
        tasks = self.tasks(self.arguments.only)
        with self._cluster(tasks) as executor:
            missing = runner.execute(self.plan, tasks, self.store, self.arguments.jobs, executor)
        took = f"{missing} runs in {time.monotonic() - started:.0f} s" if missing else "nothing to train"
        own = self.results["replication"] if self.results["recorded"] else self.results  # not the record's numbers
        told = f"{len(own['runs'])} of {own['runs_expected']} runs on {self.source.name} measured"
        print(f"Experiments: {took}; {told}.")

    def _cluster(self, tasks: Iterable[runner.Task]) -> contextlib.AbstractContextManager[Executor | None]:
        if not self.arguments.cluster:
            return contextlib.nullcontext()
        return cluster.Cluster(self.arguments.cluster, [task.source for task in tasks])

    def plots(self) -> None:
        """Brings the plots up to date with the statistics."""
        if not self.results["runs"]:
            raise UserError(f"{shown(self.store.root)}: nothing is measured yet. Run 'make experiments' first.")
        drawn = figures.update(self.results, self.store.root / "plots", _draw)
        print(f"Plots: {f'{drawn} drawn' if drawn else 'nothing to draw'}.")

    def record(self) -> None:
        """Writes the committed record from the complete study that was measured here."""
        records.write(self.results)
        print(f"Record: {shown(records.RECORD)}, {records.RECORD.stat().st_size / 1000:.0f} kB.")

    def status(self) -> None:
        """Says for each arm how many of its runs are there, and which stored runs belong to none."""
        known = set()
        for task in self.tasks():
            identity = task.source.identity
            entries = [self.store.entry(run, identity) for run in self.store.resolved(self.plan, task.runs, identity)]
            known |= {entry.folder for entry in entries}
            done = Counter(entry.run.arm.name for entry in entries if entry.done)
            for arm, expected in Counter(run.arm.name for run in task.runs).items():
                print(f"{arm:24} {done[arm]:3} of {expected:3} runs on {task.source.name} measured")
        others = {folder: found for folder, found in self.store.stored().items() if folder not in known}
        print(f"{len(others)} stored runs of other arms, seeds, data or code; they are never shown.")
        for folder, found in others.items():
            trained_as = f"  {found['arm']}, seed {found['key']['seed']}" if "arm" in found else ""
            print(f"  {folder.name}{trained_as}")

    def why(self) -> None:
        """Says why each run that is asked for is fresh, or of what it lacks something; without a name, how many."""
        told: dict[study.Run, str] = {}
        for task in self.tasks():
            told |= why.reasons(self.plan, task.runs, task.source.identity, self.store)
        if self.arguments.name:
            for run in why.chosen(self.plan, told, self.arguments.name):
                print(f"{run}: {told[run]}")
            return
        first = {reason: run for run, reason in reversed(told.items())}
        for reason, count in Counter(told.values()).most_common():
            print(f"{count:4} {reason}" + ("" if reason == why.FRESH else f" (the first: {first[reason]})"))


def stand_in(store: Store, recorded: dict[str, Any] | None) -> None:
    """Where nothing was measured yet, puts the record's numbers and their plots in place, for the page."""
    path = store.root / "results.json"
    if path.exists() or recorded is None:
        return
    with store.locked():
        results = {**records.alone(recorded), "format": statistics.FORMAT, "inputs": records.fingerprint()}
        write_atomically(path, to_json(results))
        figures.update(results, store.root / "plots", _draw)
    print(f"Nothing was measured here yet: the page shows what was recorded on {recorded['recorded']}.")


def _draw(results: Mapping[str, Any]) -> list[figures.Figure]:
    from experiments.plots import draw  # matplotlib costs a second: only where something is drawn

    return draw(results)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument(
        "stages",
        nargs="+",
        metavar="STAGE",
        help=f"what to do, in this order: {', '.join(STAGES)}; after 'why' an arm, a block or 'arm, seed', or nothing",
    )
    parser.add_argument("--study", type=Path, default=study.STUDY, help="the experiments, as TOML")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")
    parser.add_argument("--only", type=_names, default=(), metavar="BLOCK,…", help="train these blocks alone")
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="worker processes, one thread each")
    parser.add_argument("--cluster", metavar="ADDRESS", help="the Dask scheduler whose workers train, tcp://host:port")
    parser.add_argument("--quick", action="store_true", help="a small version, for trying things out")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    arguments = parser.parse_args(argv)
    arguments.name = ""
    if arguments.stages[0] == "why":
        arguments.stages, arguments.name = ["why"], " ".join(arguments.stages[1:])
    if unknown := [stage for stage in arguments.stages if stage not in STAGES]:
        parser.error(f"no stage is called '{unknown[0]}'. Known: {', '.join(STAGES)}.")
    return arguments


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"JOBS is '{text}'. Expected a whole number from 1 to 1024.")
    return int(text)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
