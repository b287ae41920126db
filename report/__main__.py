"""`python -m report render|claims`: the page, or the verdicts. The only place of this room that prints or exits."""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from experiments import errors, figures, study
from experiments.errors import UserError, shown
from experiments.statistics import FORMAT
from experiments.store import RESULTS, Store, read_json, sweep, to_json, write_atomically
from report import claims

ROOT = Path(__file__).parent.parent
COLUMNS = (
    *("dataset", "arm", "seed", "hidden", "output", "loss", "low_target", "high_target", "depth", "width"),
    *("optimizer", "learning_rate", "batch_size", "readout", "epochs"),
    *("test_accuracy", "train_seconds", "diverged_epoch"),
)


def main(arguments: argparse.Namespace) -> None:
    """Reads, renders, writes; nothing is written unless the whole page could be rendered."""
    if arguments.command == "claims":
        tell(arguments)
        return
    with Store(arguments.results).locked():
        sweep(arguments.site, arguments.site / "data")
        render(arguments)


def tell(arguments: argparse.Namespace) -> None:
    """The verdicts, a line each, with what decided them."""
    results, _ = _read(arguments.results)
    for judged in claims.judge(claims.load(), results):
        values = ", ".join(f"{n} = {'not measured' if v is None else f'{v:.3g}'}" for n, v in judged.values.items())
        print(f"{judged.verdict:20} {judged.claim.id:32} {values}")


def render(arguments: argparse.Namespace) -> None:
    results, drawn = _read(arguments.results)
    index = arguments.site / "index.html"
    memory = arguments.results / "rendered.json"
    inputs = study.digest({"results": results["inputs"], "plots": drawn[1], "files": _fingerprints()})
    if _is_current(memory, inputs, arguments.site):
        print(f"Page: nothing to render, {shown(index)} is up to date. Open it in a browser, or run 'make serve'.")
        return

    from report import article, page  # Jinja, Markdown and Pygments: only where something is rendered

    verdicts = claims.judge(claims.load(), results)
    html = page.render(results, drawn[0], article.load(), page.settings(), verdicts)
    files = {
        "index.html": html.encode(),
        "data/results.json": to_json(results),
        "data/runs.csv": runs_csv(results).encode(),
        "data/claims.json": to_json({"format": 1, "claims": [asdict(verdict) for verdict in verdicts]}),
        ".nojekyll": b"",
    }
    for name, content in files.items():
        write_atomically(arguments.site / name, content)
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    write_atomically(memory, to_json({"format": 1, "inputs": inputs, "files": hashes}))
    print(f"Page: {shown(index)}, {len(html.encode()) / 1000:.0f} kB. Open it in a browser, or run 'make serve'.")


def _read(folder: Path) -> tuple[dict[str, Any], tuple[dict[str, figures.Figure], str]]:
    """The results, and the figures with the digest of what they were drawn from."""
    path, plots = folder / "results.json", folder / "plots"
    if not path.exists() or not (plots / "figures.json").exists():
        raise UserError(f"{shown(path)}: nothing to render yet. Run 'make report', which measures first.")
    results, drawn = read_json(path, FORMAT), figures.read(plots)
    if drawn[1] != results["inputs"]:
        raise UserError(f"{shown(plots)}: drawn from other results. Run 'make plots' first.")
    return results, drawn


def _fingerprints() -> list[str]:
    """Everything besides the results that the page is made of: templates, prose, the article, this room's code."""
    files = sorted(path for folder in ("templates", "report") for path in (ROOT / folder).rglob("*.*"))
    texts = [path for path in files if path.suffix != ".pyc"]
    versions = study.versions("jinja2", "markdown", "pygments", "markupsafe")
    return [*(hashlib.sha256(path.read_bytes()).hexdigest() for path in texts), *versions.values()]


def _is_current(memory: Path, inputs: str, site: Path) -> bool:
    """Whether the site holds, byte for byte, what was rendered from these inputs."""
    try:
        old = read_json(memory, 1)
        return old["inputs"] == inputs and all(
            hashlib.sha256((site / name).read_bytes()).hexdigest() == sha256 for name, sha256 in old["files"].items()
        )
    except (UserError, OSError, KeyError):
        return False


def runs_csv(results: dict[str, Any]) -> str:
    """One row a run; accuracy a fraction. An epoch number in diverged_epoch means that the run diverged there."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(results["runs"])
    return buffer.getvalue()


def parse(argv: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m report", description=__doc__)
    parser.add_argument("command", choices=("render", "claims"))
    parser.add_argument("--results", type=Path, default=RESULTS, help="the folder that runs are stored in")
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="the folder to write the page into")
    parser.add_argument("--debug", action="store_true", help="show the traceback of an error")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
