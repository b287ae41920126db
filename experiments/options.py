"""The command-line options of whatever measures: shared by `python -m experiments` and `python -m report`."""

from __future__ import annotations

import argparse
from pathlib import Path

from experiments.store.store import RESULTS
from experiments.study import load as studies


def add(parser: argparse.ArgumentParser, study: bool = True) -> None:
    if study:  # else the study is that of an article
        parser.add_argument("--study", type=Path, default=studies.STUDY, help="the experiments, as TOML")
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")
    parser.add_argument("--only", type=_names, default=(), metavar="BLOCK,…", help="train these blocks alone")
    parser.add_argument("--jobs", type=_jobs, metavar="N", help="worker processes, one thread each")
    parser.add_argument("--cluster", metavar="ADDRESS", help="the Dask scheduler whose workers train, tcp://host:port")
    parser.add_argument("--quick", action="store_true", help="a small version, for trying things out")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))


def _jobs(text: str) -> int:
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= 1024:
        raise argparse.ArgumentTypeError(f"JOBS is '{text}'. Expected a whole number from 1 to 1024.")
    return int(text)
