"""The command-line options of whatever measures: shared by `python -m experiments` and `python -m report`."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields
from pathlib import Path

from experiments.files import errors
from experiments.store.store import RESULTS
from experiments.study import load as studies


@dataclass(frozen=True)
class Settings:
    """What the options say, for `experiments.pipeline`."""

    study: Path = studies.STUDY
    results: Path = RESULTS
    only: tuple[str, ...] = ()
    jobs: int | None = None
    cluster: str | None = None
    quick: bool = False
    figures: Path | None = None  # the article's figures.py; None for the generic figures
    live: tuple[str, ...] = ()  # the arms whose networks run in the page


def settings(arguments: argparse.Namespace) -> Settings:
    """The settings among a command's arguments; those for which it has no option keep their default."""
    names = {field.name for field in fields(Settings)}
    return Settings(**{name: value for name, value in vars(arguments).items() if name in names})


def add_study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--study", type=Path, default=studies.STUDY, help="the experiments, as TOML")
    add_results(parser)


def add_figures(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--figures", type=Path, metavar="FILE", help="the article's figures.py; without it, generic ones"
    )


def add_results(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")


def add_quick(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--quick", action="store_true", help="a small version, for trying things out")


def add_training(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--only", type=_names, default=(), metavar="BLOCK,…", help="train only these blocks")
    parser.add_argument(
        "--jobs", type=errors.whole_number("JOBS", 1, 1024), metavar="N", help="worker processes, one thread each"
    )
    parser.add_argument("--cluster", metavar="ADDRESS", help="the Dask scheduler whose workers train, tcp://host:port")


def add_debug(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(","))
