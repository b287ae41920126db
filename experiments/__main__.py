"""Trains, measures and plots: everything up to the page. `make help` names the targets that call these commands."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable

from experiments import options, pipeline
from experiments.files import errors

AddOptions = Callable[[argparse.ArgumentParser], None]


def parse(argv: list[str]) -> argparse.Namespace:
    """The command's arguments; `handler` is what to call with them."""
    parser = errors.Parser(prog="python -m experiments", description=__doc__)
    commands = parser.add_subparsers(metavar="COMMAND", required=True)

    def add(name: str, handler: Callable[[options.Settings], object], *groups: AddOptions) -> argparse.ArgumentParser:
        summary = (handler.__doc__ or "").splitlines()[0]
        command = commands.add_parser(name, help=summary, description=summary)
        command.set_defaults(handler=lambda arguments: handler(options.settings(arguments)))
        for add_options in (*groups, options.add_debug):
            add_options(command)
        return command

    study = (options.add_study, options.add_quick)
    add("run", pipeline.run, *study, options.add_training)
    add("plots", pipeline.plots, *study, options.add_figures)
    add("record", pipeline.record, *study)
    add("stand-in", pipeline.prepare_page, options.add_study, options.add_figures)
    add("mnist", pipeline.mnist, options.add_results)
    add("status", pipeline.status, *study)
    why = add("why", pipeline.why, *study)
    why.add_argument("name", nargs="?", default="", metavar="NAME", help="an arm, a block, or 'arm, seed'")
    why.set_defaults(handler=lambda arguments: pipeline.why(options.settings(arguments), arguments.name))
    return parser.parse_args(argv)


def main(arguments: argparse.Namespace) -> None:
    arguments.handler(arguments)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
