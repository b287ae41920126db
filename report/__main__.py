"""`python -m report render`: what is stored → site/. The only place of this room that prints or exits."""

from __future__ import annotations

import argparse
import csv
import io
import sys
import tomllib
from pathlib import Path
from typing import Any

from experiments import errors, figures
from experiments.errors import UserError, shown
from experiments.statistics import FORMAT
from experiments.store import RESULTS, read_json, to_json, write_atomically
from report import article, page

ROOT = Path(__file__).parent.parent
COLUMNS = (
    *("dataset", "arm", "seed", "hidden", "output", "loss", "low_target", "high_target", "depth", "width"),
    *("optimizer", "learning_rate", "batch_size", "readout", "epochs"),
    *("test_accuracy", "train_seconds", "diverged_epoch"),
)


def main(arguments: argparse.Namespace) -> None:
    """Reads, renders, writes; nothing is written unless the whole page could be rendered."""
    results_path = arguments.results / "results.json"
    if not results_path.exists() or not (arguments.results / "plots" / "figures.json").exists():
        raise UserError(f"{shown(results_path)}: nothing to render yet. Run 'make report', which measures first.")
    results = read_json(results_path, FORMAT)
    drawn, drawn_from = figures.read(arguments.results / "plots")
    if drawn_from != results["inputs"]:
        raise UserError(f"{shown(arguments.results / 'plots')}: drawn from other results. Run 'make plots' first.")
    settings = tomllib.loads((Path(__file__).parent / "prose" / "article.toml").read_text(encoding="utf-8"))
    html = page.render(results, drawn, article.load(), tuple(settings["code_blocks"]))
    for name, content in {
        "index.html": html.encode(),
        "data/results.json": to_json(results),
        "data/runs.csv": runs_csv(results).encode(),
        ".nojekyll": b"",
    }.items():
        path = arguments.site / name
        if not path.exists() or path.read_bytes() != content:
            write_atomically(path, content)
    index = arguments.site / "index.html"
    print(f"Page: {shown(index)}, {len(html.encode()) / 1000:.0f} kB. Open it in a browser, or run 'make serve'.")


def runs_csv(results: dict[str, Any]) -> str:
    """One row a run; accuracy a fraction. An epoch number in diverged_epoch means that the run diverged there."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(results["runs"])
    return buffer.getvalue()


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m report", description=__doc__)
    parser.add_argument("command", choices=("render",))
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="the folder to write the page into")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
