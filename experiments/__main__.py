"""`python -m experiments STAGE …`: everything up to the plots. `make help` names the targets over them."""

from __future__ import annotations

import argparse
import contextlib
import sys
import time
from collections.abc import Mapping
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
    if arguments.stages == ["stand-in"]:
        stand_in(store)
        return
    source = sources.find(store.root / "recognised.json")
    recorded = (records.read() or {}).get("recorded", "") if source.fallback else ""
    print(sources.warning(source, recorded) or sources.describe(source), flush=True)
    for stage in arguments.stages:
        with contextlib.nullcontext() if stage == "status" else store.locked():
            {"run": run, "plots": plots, "record": record, "status": status}[stage](arguments, plan, store, source)


def run(arguments: argparse.Namespace, plan: study.Study, store: Store, source: sources.Source) -> None:
    """Trains and measures what is missing, on the digits too, then brings the statistics up to date."""
    started = time.monotonic()
    missing = runner.execute(plan, plan.runs(source.name, arguments.only), source, store, arguments.jobs)
    if source.name == "mnist":
        missing += runner.execute(plan, plan.runs("digits", arguments.only), sources.DIGITS, store, arguments.jobs)
    if "plots" not in arguments.stages:  # which does the same
        _update(arguments, plan, store, source)
    took = f"{missing} runs in {time.monotonic() - started:.0f} s" if missing else "nothing to train"
    wanted = plan.runs(source.name)
    entries = [store.entry(one, source.identity) for one in store.resolved(plan, wanted, source.identity)]
    measured = sum(entry.trained and entry.measured for entry in entries)
    print(f"Experiments: {took}; {measured} of {len(wanted)} runs on {source.name} measured.")


def _update(arguments: argparse.Namespace, plan: study.Study, store: Store, source: sources.Source) -> dict[str, Any]:
    replication = plan.runs("digits") if source.name == "mnist" else []
    return statistics.update(plan, plan.runs(source.name), source, store, replication, arguments.quick)


def plots(arguments: argparse.Namespace, plan: study.Study, store: Store, source: sources.Source) -> None:
    """Brings statistics and plots up to date with what is stored."""
    results = _update(arguments, plan, store, source)
    if not results["runs"]:
        raise UserError(f"{shown(store.root)}: nothing is measured yet. Run 'make experiments' first.")
    drawn = figures.update(results, store.root / "plots", _draw)
    print(f"Plots: {f'{drawn} drawn' if drawn else 'nothing to draw'}.")


def record(arguments: argparse.Namespace, plan: study.Study, store: Store, source: sources.Source) -> None:
    """Writes the committed record from the complete study that was measured here."""
    records.write(_update(arguments, plan, store, source))
    print(f"Record: {shown(records.RECORD)}, {records.RECORD.stat().st_size / 1000:.0f} kB.")


def stand_in(store: Store) -> None:
    """Where nothing was measured yet, puts the record's numbers and their plots in place, for the page."""
    recorded = records.read()
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


def status(arguments: argparse.Namespace, plan: study.Study, store: Store, source: sources.Source) -> None:
    """Says for each arm how many of its runs are there, and which stored runs belong to none."""
    runs = store.resolved(plan, plan.runs(source.name), source.identity)
    entries = [store.entry(one, source.identity) for one in runs]
    for arm in dict.fromkeys(entry.run.arm for entry in entries):
        own = [entry for entry in entries if entry.run.arm == arm]
        done = sum(entry.trained and entry.measured for entry in own)
        print(f"{arm.name:24} {done:3} of {len(own):3} runs measured")
    known = {entry.folder for entry in entries}
    others = [folder for folder in sorted((store.root / "runs").glob("*")) if folder not in known]
    print(f"{len(others)} stored runs of other arms, seeds, data or code; they are never shown.")
    for folder in others:
        print(f"  {folder.name}")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m experiments", description=__doc__)
    parser.add_argument("stages", nargs="+", choices=STAGES, help="what to do, in this order")
    parser.add_argument("--study", type=Path, default=study.STUDY, help="the experiments, as TOML")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")
    parser.add_argument("--only", metavar="BLOCK", help="train this block alone")
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="worker processes, one thread each")
    parser.add_argument("--quick", action="store_true", help="a small version, for trying things out")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


def _jobs(text: str) -> int:
    if not text.isdigit() or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"JOBS is '{text}'. Expected a whole number from 1 to 1024.")
    return int(text)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
