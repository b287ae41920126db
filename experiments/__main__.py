"""`python -m experiments STAGE …`: everything up to the plots. `make help` names the targets over them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from experiments import errors, figures, records, runner, sources, statistics, study
from experiments.errors import UserError, shown
from experiments.store import RESULTS, Store, to_json, write_atomically

STAGES = ("run", "plots", "record", "stand-in", "status")


def main(arguments: argparse.Namespace) -> None:
    plan = study.load(arguments.study)
    plan.runs("mnist", arguments.only)  # so that a wrong name is told before anything is looked for
    if arguments.quick:
        plan = plan.quick()
    store = Store(arguments.results)
    recorded = plan.path == study.STUDY  # the record is of that study and of no other
    if arguments.stages == ["stand-in"]:
        stand_in(store, records.read() if recorded else None)
        return
    source = sources.find(store.root / "recognised.json")
    record = records.read() if source.fallback and recorded else None
    print(sources.warning(source, (record or {}).get("recorded", "")) or sources.describe(source), flush=True)
    stages = Stages(arguments, plan, store, source, recorded)
    for stage in arguments.stages:
        with contextlib.nullcontext() if stage == "status" else store.locked():
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
        replication = self.plan.runs("digits") if self.source.name == "mnist" else []
        runs = self.plan.runs(self.source.name)
        quick = self.arguments.quick
        return statistics.update(self.plan, runs, self.source, self.store, replication, quick, self.recorded)

    def run(self) -> None:
        """Trains and measures what is missing, on the digits too, then brings the statistics up to date."""
        started = time.monotonic()
        used = [self.source, sources.DIGITS] if self.source.name == "mnist" else [self.source]
        tasks = [runner.Task(source, self.plan.runs(source.name, self.arguments.only)) for source in used]
        missing = runner.execute(self.plan, tasks, self.store, self.arguments.jobs)
        took = f"{missing} runs in {time.monotonic() - started:.0f} s" if missing else "nothing to train"
        own = self.results["replication"] if self.results["recorded"] else self.results  # not the record's numbers
        told = f"{len(own['runs'])} of {own['runs_expected']} runs on {self.source.name} measured"
        print(f"Experiments: {took}; {told}.")

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
        runs = self.store.resolved(self.plan, self.plan.runs(self.source.name), self.source.identity)
        entries = [self.store.entry(one, self.source.identity) for one in runs]
        for arm in dict.fromkeys(entry.run.arm for entry in entries):
            own = [entry for entry in entries if entry.run.arm == arm]
            done = sum(entry.trained and entry.measured for entry in own)
            print(f"{arm.name:24} {done:3} of {len(own):3} runs measured")
        known = {entry.folder for entry in entries}
        others = [folder for folder in sorted((self.store.root / "runs").glob("*")) if folder not in known]
        print(f"{len(others)} stored runs of other arms, seeds, data or code; they are never shown.")
        for folder in others:
            print(f"  {folder.name}")


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
    parser.add_argument("stages", nargs="+", choices=STAGES, help="what to do, in this order")
    parser.add_argument("--study", type=Path, default=study.STUDY, help="the experiments, as TOML")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")
    parser.add_argument("--only", type=_names, default=(), metavar="BLOCK,…", help="train these blocks alone")
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="worker processes, one thread each")
    parser.add_argument("--quick", action="store_true", help="a small version, for trying things out")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"JOBS is '{text}'. Expected a whole number from 1 to 1024.")
    return int(text)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
