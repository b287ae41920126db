"""`python -m report study|first|render|claims|readme|verify|compare|publish|serve`, as `make help` tells.

Only this file prints or exits.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import hashlib
import io
import sys
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import NamedTuple, cast

from experiments import options
from experiments.analysis import evidence, records
from experiments.analysis.results import Results, ResultsFile
from experiments.analysis.summary import FORMAT
from experiments.files import errors, reading
from experiments.files.durable import sweep, write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.plots import figures
from experiments.store.store import Store
from experiments.study import keys
from experiments.study import load as studies
from experiments.study.model import SETTINGS
from report.claims import load as ledgers
from report.claims import margins
from report.claims.model import Claim, Verdict
from report.claims.verdicts import judge
from report.page import citation
from report.sharing.compare import Effect

ROOT = Path(__file__).parent.parent
ARTICLE = ROOT / "report" / "mse_tanh" / "article.md"
FIGURES = ROOT / "report" / "mse_tanh" / "figures.py"
COLUMNS = (
    *("dataset", "arm", "seed", *SETTINGS, "epochs"),
    *("test_accuracy", "held_out_accuracy", "train_seconds", "diverged_epoch"),
    *("started", "finished", "processor", "threads", "python", "commit", "dirty"),
)


def main(arguments: argparse.Namespace) -> int:
    """Reads, renders, writes; nothing is written unless the whole page could be rendered. Returns the exit status."""
    if arguments.command in ("verify", "compare"):
        return verify(arguments) if arguments.command == "verify" else compare(arguments)
    if arguments.command == "claims":
        tell(arguments)
    elif arguments.command == "readme":
        write_readme(ROOT / "README.md")
    elif arguments.command == "publish":
        publish(arguments)
    elif arguments.command == "serve":
        serve(arguments.site, arguments.port)
    elif arguments.command == "study":
        measure_and_render(arguments)
    elif arguments.command == "first":
        write_first_page(arguments)
    else:
        with Store(arguments.results).locked():
            render(arguments)
    return 0


def write_first_page(arguments: argparse.Namespace) -> None:
    """Where nothing was measured yet, writes the record's page, which says that the measurements have begun."""
    from experiments import __main__ as experiments

    recorded = records.read() if records.is_about(studies.load(arguments.study)) else None
    store = Store(arguments.results)
    if experiments.stand_in(store, recorded, records.MEASURING, FIGURES):
        with store.locked():
            render(arguments)


def measure_and_render(arguments: argparse.Namespace) -> None:
    """Trains, measures, draws and renders; the page is written whenever an early block is measured, and at the end."""
    from experiments import __main__ as experiments

    write_first_page(arguments)
    arguments.stages, arguments.figures = ["run", "plots"], FIGURES
    experiments.main(arguments, write_page=lambda: render(arguments))


def tell(arguments: argparse.Namespace) -> None:
    """The verdicts, each with what decided it and what would change it; at the end how many there are of each."""
    results, _ = _read(arguments.results)
    verdicts = judge(_claims(arguments), results)
    wrapped = textwrap.TextWrapper(width=100, initial_indent="  ", subsequent_indent="      ")
    for judged in verdicts:
        print(f"{judged.verdict:16}  {judged.claim.id}")
        for name, one in judged.claim.evidence.items():
            seeds = "(in {} of {} seeds)".format(*judged.agreeing[name]) if name in judged.agreeing else ""
            print(wrapped.fill(f"{one.label}: {margins.format_value(judged.values[name], one.unit)} {seeds}"))
        if sentence := margins.margin(judged) or judged.claim.not_testable:
            print(wrapped.fill(sentence))
        print()
    counts = Counter(judged.verdict for judged in verdicts).most_common()
    print(f"{len(verdicts)} claims: {', '.join(f'{number} {verdict}' for verdict, number in counts)}")


BEGIN, END = "<!-- Written by `make record`. -->\n", "<!-- End of what `make record` writes. -->\n"


def write_readme(path: Path) -> None:
    """Puts what the record found into the README, between two marks."""
    from report.page import render

    recorded = records.read()
    if recorded is None:
        raise UserError(f"{display_path(records.RECORD)}: missing. Run 'make record' after a complete study on MNIST.")
    found = render.readme(recorded, judge(ledgers.load(), recorded), render.prose())
    text = reading.read_text(path, "Expected the README.")
    if not text.count(BEGIN) == text.count(END) == 1:
        raise UserError(
            f"{display_path(path)}: expected one line '{BEGIN.strip()}' and one '{END.strip()}'. Restore them."
        )
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_atomically(path, f"{before}{BEGIN}{found.strip()}\n{END}{after}".encode())


def render(arguments: argparse.Namespace) -> None:
    """Writes the site, unless it is up to date. For whoever has locked the results."""
    sweep(arguments.site, arguments.site / "data", arguments.site / "figures")
    url = citation.address(arguments.url)
    results, (drawn, _) = _read(arguments.results)
    index = arguments.site / "index.html"
    memory = arguments.results / "rendered.json"
    inputs = keys.digest({"results": results["inputs"], "files": _fingerprints(arguments), "url": url})
    if _is_current(memory, inputs, arguments.site):
        print(
            f"Page: nothing to render, {display_path(index)} is up to date. Open it in a browser, or run 'make serve'."
        )
        return

    from report.page import render
    from report.sharing import verify  # Jinja, Markdown, Pygments: only where something is rendered

    path = arguments.results / "evidence.json"
    seen = read_json(path, evidence.FORMAT) if path.exists() else {}
    if seen and seen["inputs"] != results["inputs"]:
        seen = {}  # of other results: these are the record's
    packed = verify.carried(seen, results, drawn, _claims(arguments), url)
    made = compose(arguments, results, drawn, url, packed)
    if made.numerals:
        print(f"Numbers: {made.numerals}.")
    outputs = {
        "index.html": made.html.encode(),
        "404.html": render.missing(url).encode(),
        "preview.png": next(iter(drawn.values())).preview,
        **{f"figures/{name}.png": figure.png for name, figure in drawn.items()},
        "data/results.json": to_json(results),
        "data/runs.csv": runs_csv(results).encode(),
        "data/claims.json": to_json({"format": 3, "claims": [asdict(verdict) for verdict in made.verdicts]}),
        ".nojekyll": b"",
    }
    if url:
        outputs["sitemap.xml"] = made.shared.sitemap()
    for name, content in outputs.items():
        write_atomically(arguments.site / name, content)
    for name, sha256 in _rendered(memory).items():  # an earlier page's; whatever else is there is the user's
        if name not in outputs and _holds(arguments.site / name, sha256):
            (arguments.site / name).unlink()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in outputs.items()}
    write_atomically(memory, to_json({"format": 1, "inputs": inputs, "files": hashes}))
    print(
        f"Page: {display_path(index)}, {len(made.html.encode()) / 1000:.0f} kB. "
        "Open it in a browser, or run 'make serve'."
    )


class Composed(NamedTuple):
    """A page, and what besides it follows from the same results."""

    html: str
    verdicts: Sequence[Verdict]
    shared: citation.Publication
    numerals: str


def compose(
    arguments: argparse.Namespace,
    results: Results,
    drawn: Mapping[str, figures.Figure],
    url: str,
    packed: str,
) -> Composed:
    """The page of `results`, which carries the evidence `packed`. Raises `UserError` where something does not fit."""
    from report.article import document, quotes
    from report.page import numerals, render

    words = render.prose(arguments.claims.parent / "prose")
    source, unchecked, found = document.load(arguments.article), ledgers.unchecked(arguments.claims), _claims(arguments)
    told = ""
    if arguments.claims == ledgers.LEDGER:  # the project's own words; another article's author has rules of their own
        coverage = numerals.check()
        numerals.require(coverage)
        told = coverage.told
    quotes.check(source, found, arguments.claims)
    verdicts = judge(found, results)
    shared, recorded = citation.publication(url, results, source), verdicts_on_record(results, found)
    html = render.render(results, drawn, source, words, verdicts, unchecked, recorded, told, shared, packed)
    return Composed(html, verdicts, shared, told)


TOLD_DIFFERENCES = 20
BRANCH = "gh-pages"  # what GitHub Pages serves where no workflow deploys


def verify(arguments: argparse.Namespace) -> int:
    """Derives a page again from the evidence it carries, and tells which of three it is; the first word says so.

    0: Identical. 3: Saved, as a browser writes it. 1: NOT verified, with the places that differ.
    """
    from experiments.plots.drawing import draw
    from report.sharing import verify

    if len(arguments.files) != 1:
        raise UserError(f"{len(arguments.files)} files are named. Expected the page: make verify PAGE=file.html")
    path = arguments.files[0]
    html = _text(path)
    with verify.foreign(arguments.seconds):
        proof = verify.proof(html, lambda: studies.load(arguments.study))
        drawn = {figure.name: figure for figure in draw(proof.results, FIGURES, pictures=False)}
        derived = compose(arguments, proof.results, drawn, citation.address(proof.url), proof.text)
    result = verify.judge(html, derived.html)
    counts = f"{len(proof.results['runs'])} runs, {len(drawn)} figures, {len(derived.verdicts)} verdicts derived again"
    print(f"{JUDGED[result].format(display_path(path))} ({counts}).")
    if result == verify.Result.CHANGED:
        found = list(islice(verify.differences(html, derived.html), TOLD_DIFFERENCES + 1))
        for difference in found[:TOLD_DIFFERENCES]:
            print(f"  {difference}")
        print(f"  {'… and more. ' if found[TOLD_DIFFERENCES:] else ''}{SAVE_AS}")
    return result


JUDGED = (  # by `verify.Result`
    "Identical: {} is, byte for byte, the page that follows from its evidence",
    "NOT verified: {} is not the page that follows from its evidence",
    "",
    "Saved: {} is, byte for byte, the page that follows from its evidence, as a browser writes it",
)
SAVE_AS = "Did a browser save this as a complete page? Save it as 'HTML only', and verify that."


PAGE_BYTES = 4_000_000  # of a page; one with its evidence has less than a tenth


def _text(path: Path) -> str:
    expected = "Expected a page of this project."
    try:
        return reading.read(path, expected, PAGE_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{display_path(path)}: cannot be read as text ({error}). {expected}") from error


def compare(arguments: argparse.Namespace) -> int:
    """Says what changed between two pages or results.json. 0: no verdict turned, no effect moved; else 1.

    With `--all`, each effect that did not move too.
    """
    from report.sharing import compare, verify

    if len(arguments.files) != 2:
        raise UserError(f"{len(arguments.files)} files are named. Expected two: make compare A=old.html B=new.html")
    with verify.foreign(arguments.seconds):
        before, after = (_results_of(path, arguments) for path in arguments.files)
        found = compare.compare(before, after, _claims(arguments))
    for turned in found.turned:
        print(f"verdict turned   {turned.claim}: {turned.before} → {turned.after}")
    moved = [effect for effect in found.effects if effect.moved]
    undecided = [effect for effect in found.effects if effect.undecided]
    rest = [effect for effect in found.effects if not effect.moved and not effect.undecided]
    for word, effects in (("moved beyond seed noise", moved), ("changed, noise unknown", undecided)):
        _print_effects(word, effects)
    _print_effects("not moved", rest if arguments.all else ())
    for name in found.single:
        print(f"{'only in one':23}  {name}")
    counts = f"{len(moved)} of {len(found.effects)} effects moved beyond seed noise, {len(rest)} did not"
    unclear = f", {len(undecided)} undecided: too few seeds, or identical ones" if undecided else ""
    hint = " ALL=1 lists those that did not move." if rest and not arguments.all else ""
    print(f"{len(found.turned)} verdicts turned; {counts}{unclear}.{hint}")
    return int(found.differs)


def _print_effects(word: str, effects: Sequence[Effect]) -> None:
    for effect in effects:
        noise = effect.unknown if effect.noise is None else f"seed noise ±{100 * effect.noise:.2f}"
        change = f"{100 * effect.before.mean:.2f} → {100 * effect.after.mean:.2f} points ({noise})"
        print(f"{word:23}  {effect.name}: {change}")


def publish(arguments: argparse.Namespace) -> None:
    """Tells what publishing would change, and publishes where that is asked for."""
    from report.sharing import publish

    planned = publish.plan(arguments.site, ROOT, arguments.remote, BRANCH)
    size = f"{planned.files} files, {planned.size_bytes / 1000:.0f} kB"
    print(f"{display_path(arguments.site)}: {size}, for the branch '{BRANCH}' of the git remote '{arguments.remote}'.")
    for kind, name in planned.changes:
        print(f"  {kind:8} {name}")
    for note in planned.notes:
        print(f"Note: {note}.")
    if not planned.changes:
        print("Nothing to publish: all of it is there.")
    elif arguments.push:
        publish.push(planned, ROOT)
        print("Published.")
    else:
        print("A dry run: nothing was pushed. To publish this: make publish PUSH=1")


def serve(site: Path, port: str) -> None:
    """Shows the site to this machine alone, until Ctrl-C."""
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    if not (site / "index.html").is_file():
        raise UserError(f"{display_path(site / 'index.html')}: missing. Run 'make report' or 'make render' first.")
    if not (port.isascii() and port.isdigit() and 1 <= int(port) <= 65535):
        raise UserError(f"PORT is '{port}'. Expected a whole number from 1 to 65535, such as 8000.")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", int(port)), partial(SimpleHTTPRequestHandler, directory=site))
    except OSError as error:
        raise UserError(f"Port {port}: {error.strerror}. Name another one: make serve PORT=8001") from error
    print(f"The page is at http://127.0.0.1:{port}/ until you press Ctrl-C.", flush=True)
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


def _results_of(path: Path, arguments: argparse.Namespace) -> Results:
    """The results in a results.json, or those that follow from the evidence in a page."""
    from report.sharing import verify

    text = _text(path)
    if text.lstrip().startswith("{"):
        fix = "Name a page, of any version, or a results.json of this one."
        found = cast(Results, read_json(path, FORMAT, fix))
        if not {"runs", "arms", "contrasts"} <= found.keys():
            raise UserError(f"{display_path(path)}: no results in it. {fix}")
        return found
    return verify.proof(text, lambda: studies.load(arguments.study), same_record=False).results


def _read(folder: Path) -> tuple[ResultsFile, tuple[dict[str, figures.Figure], str]]:
    """The results, and the figures with the digest of what they were drawn from."""
    path, plots = folder / "results.json", folder / "plots"
    if not all(file.is_file() for file in (path, plots / "figures.json", plots / "preview.png")):
        raise UserError(f"{display_path(path)}: nothing to render yet. Run 'make report', which measures first.")
    results, drawn = cast(ResultsFile, read_json(path, FORMAT)), figures.read(plots)
    if drawn[1] != results["inputs"]:
        raise UserError(f"{display_path(plots)}: drawn from other results. Run 'make plots' first.")
    return results, drawn


def _claims(arguments: argparse.Namespace) -> tuple[Claim, ...]:
    """The claims, whose evidence the study has."""
    found = ledgers.load(arguments.claims)
    ledgers.check(found, studies.load(arguments.study), arguments.claims)
    return found


def verdicts_on_record(results: Results, ledger: tuple[Claim, ...]) -> dict[str, str]:
    """The verdicts on the record's numbers, where this study was measured here and can be held against it."""
    record = records.read() if results["record_comparison"] else None
    return {judged.claim.id: judged.verdict for judged in judge(ledger, record)} if record else {}


def _fingerprints(arguments: argparse.Namespace) -> list[str]:
    """All besides the results that the page is made of: plots, article, claims, prose, templates, this room's code."""
    folders = (ROOT / "templates", ROOT / "report", arguments.claims.parent / "prose")
    found = sorted({path for folder in folders for path in folder.rglob("*.*") if path.is_file()})
    texts = [path for path in found if path.suffix != ".pyc"] + [arguments.article, arguments.claims, arguments.study]
    texts += sorted(arguments.claims.parent.glob("view.py"))
    texts += [citation.CITATION, *(arguments.results / "plots" / name for name in ("figures.json", "preview.png"))]
    versions = keys.versions("jinja2", "markdown", "math-core", "pygments", "markupsafe")
    return [*(reading.sha256(path, "Expected what the page is made of.") for path in texts), *versions.values()]


def _is_current(memory: Path, inputs: str, site: Path) -> bool:
    """Whether the site holds, byte for byte, what was rendered from these inputs."""
    held = _rendered(memory)
    return bool(held) and is_made_from(memory, inputs) and all(_holds(site / name, sha) for name, sha in held.items())


def _rendered(memory: Path) -> dict[str, str]:
    """SHA-256 of each file that was rendered last, by its name; none where that is not known."""
    try:
        return dict(read_json(memory, 1)["files"])
    except UserError:
        return {}


def _holds(path: Path, sha256: str) -> bool:
    try:
        return reading.sha256(path, "It is rendered again.") == sha256
    except UserError:
        return False


def runs_csv(results: Results) -> str:
    """One row per run, accuracy as a fraction. diverged_epoch is the epoch in which the run diverged, if it did."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, COLUMNS, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    writer.writerows(results["runs"])
    return buffer.getvalue()


COMMANDS = ("study", "first", "render", "claims", "readme", "verify", "compare", "publish", "serve")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = errors.Parser(prog="python -m report", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("files", nargs="*", type=Path, help="the page to verify, or two pages or results to compare")
    options.add(parser)
    parser.add_argument("--article", type=Path, default=ARTICLE, help="the article, as Markdown with front matter")
    parser.add_argument("--claims", type=Path, default=ledgers.LEDGER, help="its claims; prose/ beside it is used too")
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="the folder to write the page into")
    parser.add_argument("--url", default="", help="where the page is published, such as https://example.org/report/")
    parser.add_argument("--seconds", type=float, help="of processor time that verify and compare may take")
    parser.add_argument("--remote", default="origin", help="the git remote to publish to")
    parser.add_argument("--port", default="8000", help="serve: the port on 127.0.0.1")
    parser.add_argument("--all", action="store_true", help="compare: list the effects that did not move too")
    parser.add_argument("--push", action="store_true", help="publish, where without it one is told what would be")
    return parser.parse_intermixed_args(argv)


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
