"""`python -m report COMMAND …`: from results to the page, its verdicts and copies. `make help` names the targets."""

# Only this file prints or exits.

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import textwrap
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, cast

from experiments import options
from experiments.analysis import records
from experiments.analysis.results import Results, ResultsFile
from experiments.analysis.summary import FORMAT
from experiments.files import errors, reading
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import read_json, to_json
from experiments.live import export
from experiments.plots import formats
from experiments.plots.figures import Figure
from experiments.store.store import Store
from experiments.study import load as studies
from report.article.folder import DEFAULT, ArticleFolder, open_folder
from report.claims import margins, robustness, words
from report.claims.model import CANNOT_TELL, NOT_MEASURED, Verdict
from report.claims.verdicts import judge, judge_predictions
from report.page import citation, site
from report.sharing.compare import Effect

if TYPE_CHECKING:  # Jinja and Markdown take time to import
    from report.page.compose import Page
    from report.sharing.publish import Site as Publishable
    from report.sharing.versions import Published

ROOT = Path(__file__).parent.parent
MAX_DIFFERENCES = 20  # that `verify` prints
BRANCH = "gh-pages"  # what GitHub Pages serves where no workflow deploys
OPEN = "Open it in a browser, or run 'make serve'."
PAGE_BYTES = 4_000_000  # of a page; one with its evidence has less than a tenth


def main(arguments: argparse.Namespace) -> int:
    """Runs the command that was named; returns the exit status."""
    status: int | None = arguments.handler(arguments)
    return status or 0


# ---------------------------------------------------------------------------------------------- study, first, render


def measure_study(arguments: argparse.Namespace) -> None:
    """Trains, measures, draws and renders; the page is written whenever an early block is measured, and at the end."""
    from experiments import pipeline

    write_first_page(arguments)
    pipeline.measure(_settings(arguments), write_page=lambda: write_site(arguments))


def write_first_page(arguments: argparse.Namespace) -> None:
    """Where nothing was measured yet, writes the record's page, which says that the measurements have begun.

    Raises `UserError` for a mistake in the article's files first: nobody should wait for the runs to be told of it.
    """
    from experiments import pipeline
    from report.page import render  # Jinja takes time to import

    folder, settings = open_folder(arguments.article), _settings(arguments)
    render.load_prose(folder.prose)
    _check_quotes(folder)
    studies.load(settings.study).runs("mnist", settings.only)  # reports a wrong name before anything is written
    if pipeline.stand_in(settings, records.MEASURING):
        with Store(settings.results).locked():
            write_site(arguments)


def _check_quotes(folder: ArticleFolder) -> None:
    """Raises `UserError` for a mistake in the article or its claims, or where they quote what it does not say."""
    from report.article import document, quotes  # Markdown takes time to import

    quotes.check(document.load(folder.article), folder.load_claims().claims, folder.claims)


def _settings(arguments: argparse.Namespace) -> options.Settings:
    """The options that the experiments know, with the study, the figures and the networks of the article."""
    folder = open_folder(arguments.article)
    live = () if arguments.no_live else tuple(network.arm for network in folder.load_live())
    return replace(options.settings(arguments), study=folder.study, figures=folder.figures, live=live)


def render_site(arguments: argparse.Namespace) -> None:
    """Writes the site from what was measured."""
    with Store(arguments.results).locked():
        write_site(arguments)


def write_site(arguments: argparse.Namespace) -> None:
    """Writes the site, unless it is up to date; nothing is written unless the whole page could be rendered.

    For callers that have locked the results.
    """
    folder, url, live = open_folder(arguments.article), citation.address(arguments.url), not arguments.no_live
    site.clean_up(arguments.site)
    results, drawn = site.read_results(folder, arguments.results)
    inputs = site.digest_inputs(folder, arguments.results, results, url, live)
    memory, index = arguments.results / "rendered.json", arguments.site / "index.html"
    if site.is_current(memory, inputs, arguments.site):
        print(f"Page: nothing to render, {display_path(index)} is up to date. {OPEN}")
        return
    page = _compose(folder, arguments.results, results, drawn, url, live)
    if page.numerals:
        print(f"Numbers: {page.numerals}.")
    site.write(arguments.site, memory, inputs, page, results, drawn, live)
    print(f"Page: {display_path(index)}, {len(page.html.encode()) / 1000:.0f} kB. {OPEN}")


def _compose(
    folder: ArticleFolder,
    results_folder: Path,
    results: ResultsFile,
    drawn: Mapping[str, Figure],
    url: str,
    live: bool,
    version: str = "",
) -> Page:
    """The page of what was measured. live: whether networks run in it; version: as in `compose`."""
    from report.page.compose import compose  # Jinja and Markdown take time to import
    from report.sharing import verify

    content = site.read_evidence(results_folder, results)
    networks = site.read_networks(folder, results_folder, results, content) if live else ""
    packed = verify.carried(content, results, drawn, folder.load_claims(), url, networks, version)
    robust = site.read_robustness(folder, results_folder, results, content)
    return compose(folder, results, drawn, url, packed, content, networks, version, robust)


# ---------------------------------------------------------------------------------------------- claims, readme


def print_claims(arguments: argparse.Namespace) -> None:
    """Prints the verdicts on each claim, with what decided them and what would change them."""
    folder = open_folder(arguments.article)
    _check_quotes(folder)
    ledger = folder.load_claims()
    results, _ = site.read_results(folder, arguments.results)
    verdicts = judge(ledger, results)
    for judged in verdicts:
        print(judged.claim.id)
        for verdict in judged.verdicts.values():
            _print_verdict(verdict)
        print()
    for prediction in judge_predictions(ledger, results):
        print(prediction.prediction.id)
        _print_verdict(prediction.verdict)
        print()
    asked = [v.verdict for judged in verdicts for v in judged.verdicts.values() if not v.question.none]
    counts = ", ".join(f"{number} {verdict}" for verdict, number in Counter(asked).most_common())
    print(textwrap.fill(f"{len(verdicts)} claims, {len(asked)} questions: {counts}", 100))


WRAPPED = textwrap.TextWrapper(width=100, initial_indent="    ", subsequent_indent="        ")


def _print_verdict(judged: Verdict) -> None:
    question = judged.question
    hollow = f" (few seeds: {judged.seeds})" if judged.hollow else ""
    print(f"  {judged.verdict:18}{words.ASKED[question.asks]}{hollow}")
    for name, evidence in question.evidence.items():
        seeds = "(in {} of {} seeds)".format(*judged.agreeing[name]) if name in judged.agreeing else ""
        print(WRAPPED.fill(f"{evidence.label}: {formats.in_unit(judged.values[name], evidence.unit)} {seeds}"))
    for sentence in filter(None, (margins.margin(judged), question.not_testable, question.none)):
        print(WRAPPED.fill(sentence))


def record_robustness(arguments: argparse.Namespace) -> None:
    """Writes how robust the verdicts on the record are beside the article, for pages that show the record."""
    folder = open_folder()
    results = cast(ResultsFile, read_json(arguments.results / "results.json", FORMAT))
    content = site.read_evidence(arguments.results, results)
    if results["recorded"] or not content:
        raise UserError(
            f"{display_path(arguments.results)}: nothing measured here. Run 'make report' with MNIST first."
        )
    robustness.record(folder.load_claims(), results, content, folder.robustness)
    print(f"Robustness: {display_path(folder.robustness)}.")


def record_networks(arguments: argparse.Namespace) -> None:
    """Writes the networks of the record beside the article, for pages that show the record."""
    folder = open_folder()
    results = cast(ResultsFile, read_json(arguments.results / "results.json", FORMAT))
    content = site.read_evidence(arguments.results, results)
    if results["recorded"] or not site.read_networks(folder, arguments.results, results, content):
        raise UserError(
            f"{display_path(arguments.results / export.FILE)}: no networks of these results. "
            "Run 'make report' with MNIST first."
        )
    networks = export.read(arguments.results / export.FILE)
    file = {"format": export.FORMAT, "inputs": site.recorded_inputs(), **networks}
    write_atomically(folder.live, to_json(file))
    print(f"Networks: {display_path(folder.live)}, {folder.live.stat().st_size / 1000:.0f} kB.")


BEGIN, END = "<!-- Written by `make record`. -->\n", "<!-- End of what `make record` writes. -->\n"


def write_findings(_: argparse.Namespace) -> None:
    """Puts the record's results into the README, between two marks."""
    write_readme(ROOT / "README.md")


def write_readme(path: Path) -> None:
    """Puts the record's results into the README, between two marks."""
    from report.page import render

    folder, recorded = open_folder(), records.read()
    if recorded is None:
        raise UserError(f"{display_path(records.RECORD)}: missing. Run 'make record' after a complete study on MNIST.")
    section = render.readme(recorded, render.load_prose(folder.prose))
    text = reading.read_text(path, "Expected the README.")
    if not text.count(BEGIN) == text.count(END) == 1:
        raise UserError(
            f"{display_path(path)}: expected one line '{BEGIN.strip()}' and one '{END.strip()}'. Restore them."
        )
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    write_atomically(path, f"{before}{BEGIN}{section.strip()}\n{END}{after}".encode())


# ---------------------------------------------------------------------------------------------- verify, compare


def verify_page(arguments: argparse.Namespace) -> int:
    """Derives a page again from the evidence it carries, and compares; the first word says the result.

    0: Identical. 3: Saved, as a browser writes it. 1: NOT verified, with the places that differ.
    """
    from experiments.plots.drawing import draw
    from report.page.compose import compose
    from report.sharing import verify

    if len(arguments.files) != 1:
        raise UserError(f"{len(arguments.files)} files are named. Expected the page: make verify PAGE=file.html")
    path, folder = arguments.files[0], open_folder(arguments.article)
    html = _read_page(path)
    with _naming(path), verify.foreign(arguments.seconds):
        proof = verify.proof(html, folder.load_study)
        drawn = {figure.name: figure for figure in draw(proof.results, folder.figures, pictures=False)}
        networks = verify.networks(html, proof, site.recorded_networks(folder) if proof.results["recorded"] else "")
        url, version = citation.address(proof.url), citation.page_version(proof.version)
        derived = compose(folder, proof.results, drawn, url, proof.text, proof.evidence, networks or "", version)
    result = verify.judge(html, derived.html) if networks is not None else verify.Result.CHANGED
    claims = len(derived.verdicts)
    counts = f"{len(proof.results['runs'])} runs, {len(drawn)} figures, {claims} claims derived again"
    print(f"{VERIFIED_AS[result].format(display_path(path))} ({counts}).")
    if networks is None:
        print("  at #networks: the page has other networks than those whose SHA-256 is in its evidence")
    elif result == verify.Result.CHANGED:
        differences = list(islice(verify.differences(html, derived.html), MAX_DIFFERENCES + 1))
        for difference in differences[:MAX_DIFFERENCES]:
            print(f"  {difference}")
        print(f"  {'… and more. ' if differences[MAX_DIFFERENCES:] else ''}{SAVE_AS}")
        if version:
            print(f"  {MADE_BY.format(version, url)}")
    else:
        print(f"  {CAVEAT}")
        if version:
            print(f"  {ATTESTED[result].format(version, display_path(path))}")
    return result


VERIFIED_AS = (  # by `verify.Result`
    "Identical: {} is, byte for byte, the page that follows from its evidence",
    "NOT verified: {} is not the page that follows from its evidence",
    "",
    "Saved: {} is, byte for byte, the page that follows from its evidence, as a browser writes it",
)
CAVEAT = "Evidence that was changed with all that follows from it looks the same: only 'make report' would find that."
_ASK_GITHUB = (
    "'gh attestation verify {} --repo OWNER/NAME' says which workflow built these very bytes, of which commit."
)
ATTESTED = {  # by `verify.Result`, of a published version
    0: f"Version {{}}. If GitHub Actions published it, {_ASK_GITHUB} That proves where the page comes from, not that "
    "its numbers are right.",
    3: "Version {}. An attestation is of the file as it was published: download that to check one.",
}
MADE_BY = (
    "Version {} follows from the code that made it. Check out the commit that {}versions.html names, and try again."
)
SAVE_AS = "Did a browser save this as a complete page? Save it as 'HTML only', and verify that."


def compare_results(arguments: argparse.Namespace) -> int:
    """Prints what changed between two pages or results.json. 0: no verdict turned, no effect moved; else 1.

    With `--all`, each effect that did not move too. With `--format markdown`, the comment on a pull request, about two
    folders that `render` wrote; always 0.
    """
    from report.sharing import comment, compare, verify

    if len(arguments.files) != 2:
        raise UserError(f"{len(arguments.files)} files are named. Expected two: make compare A=old.html B=new.html")
    if arguments.format == "markdown":
        print(comment.write(*map(comment.read, arguments.files)), end="")
        return 0
    folder = open_folder(arguments.article)
    before, after = (_results_in(path, folder, arguments.seconds) for path in arguments.files)
    with verify.foreign(arguments.seconds):
        changes = compare.compare(before, after, folder.load_claims())
    for turned in changes.turned:
        asked = words.ASKED[turned.asks]
        print(f"{'verdict turned':23}  {turned.claim}, {asked}: {turned.before} → {turned.after}")
    _print_effects("moved beyond seed noise", changes.moved)
    _print_effects("changed, noise unknown", changes.unclear)
    _print_effects("not moved", changes.unmoved if arguments.all else ())
    for name in changes.single:
        print(f"{'only in one':23}  {name}")
    first, second = (f"could not be decided on {display_path(path)}" for path in arguments.files)
    for where, numbers in zip((first, second, "could be decided on neither"), changes.undecided, strict=True):
        for verdict, number in numbers.items():
            print(f"{number} verdicts {where}: {UNDECIDED[verdict]} there")
    hint = " ALL=1 lists those that did not move." if changes.unmoved and not arguments.all else ""
    print(f"{changes.counts}.{hint}")
    return int(changes.differs)


UNDECIDED = {NOT_MEASURED: "not measured", CANNOT_TELL: "a single seed"}


def _print_effects(word: str, effects: Sequence[Effect]) -> None:
    for effect in effects:
        noise = effect.unknown if effect.noise is None else f"seed noise ±{100 * effect.noise:.2f}"
        change = f"{100 * effect.before.mean:.2f} → {100 * effect.after.mean:.2f} points ({noise})"
        print(f"{word:23}  {effect.name}: {change}")


def _results_in(path: Path, folder: ArticleFolder, seconds: float | None) -> Results:
    """The results in a results.json, or those that follow from the evidence in a page, within so many `seconds`."""
    from report.sharing import verify

    text = _read_page(path)
    if text.lstrip().startswith("{"):
        fix = "Name a page, of any version, or a results.json of this one."
        results = cast(Results, read_json(path, FORMAT, fix))
        if not {"runs", "arms", "contrasts"} <= results.keys():
            raise UserError(f"{display_path(path)}: no results in it. {fix}")
        return results
    with _naming(path), verify.foreign(seconds):
        proof = verify.proof(text, folder.load_study, to_compare=True)
    if proof.foreign_arms:
        arms = ", ".join(proof.foreign_arms)
        print(f"{display_path(path)}: leaving out arms that this study lacks, or has with other settings: {arms}")
    return proof.results


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Puts the page's path before an error that speaks of the page."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{display_path(path)}: {error}") from error


def _read_page(path: Path) -> str:
    expected = "Expected a page of this project."
    try:
        return reading.read(path, expected, PAGE_BYTES).decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{display_path(path)}: cannot be read as text ({error}). {expected}") from error


# ---------------------------------------------------------------------------------------------- publish, serve


def publish_site(arguments: argparse.Namespace) -> None:
    """Prints what publishing would change; with `--push`, publishes. With `--into`, writes the whole site there."""
    from report.sharing import publish, versions

    with Store(arguments.results).locked():
        planned = publish.plan(
            _publishable(arguments), ROOT, arguments.remote, BRANCH, versions.today(), arguments.moved
        )
    size = f"{planned.files} files, {planned.size_bytes / 1000:.0f} kB"
    print(f"{display_path(arguments.site)}: {size}, for the branch '{BRANCH}' of the git remote '{arguments.remote}'.")
    print(f"Version {planned.version}{', which stays for good' if planned.is_new else ', which is published already'}.")
    for kind, name in planned.changes:
        print(f"  {kind:8} {name}")
    for note in planned.notes:
        print(f"Note: {note}.")
    if arguments.into:
        publish.write(planned, ROOT, arguments.into)
        print(f"The whole site: {display_path(arguments.into)}.")
    if not planned.changes:
        print("Nothing to publish: all of it is there.")
    elif arguments.push:
        publish.push(planned, ROOT)
        print("Published.")
    else:
        print("A dry run: nothing was pushed. To publish this: make publish PUSH=1")


def _publishable(arguments: argparse.Namespace) -> Publishable:
    """The site as it was rendered. Raises `UserError` unless it is still the page of what was measured."""
    from report.sharing import publish, versions

    folder, memory = open_folder(arguments.article), arguments.results / "rendered.json"
    names = publish.check_folder(arguments.site, site.written_files(memory, arguments.site))
    url, live = site.options_of(memory)
    results, drawn = site.read_results(folder, arguments.results)
    if not site.is_current(memory, site.digest_inputs(folder, arguments.results, results, url, live), arguments.site):
        address = f" SITE_URL={url}" if url else ""
        raise UserError(
            f"{display_path(arguments.site)}: rendered before something changed. Run 'make render{address}'."
        )

    @functools.cache
    def page_of(version: str) -> Page:
        return _compose(folder, arguments.results, results, drawn, url, live, version)

    def around(version: str, published: Sequence[Published]) -> dict[str, bytes]:
        page = page_of(version)
        return {**site.site_files(page), **versions.files(published, folder, page.shared)}

    return publish.Site(
        *(arguments.site, names, url, results),
        page=lambda version: site.page_files(page_of(version), results, drawn),
        around=around,
    )


def serve_site(arguments: argparse.Namespace) -> None:
    """Serves the site to this machine alone, until Ctrl-C."""
    serve(arguments.site, arguments.port)


def serve(folder: Path, port: int) -> None:
    from functools import partial
    from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

    if not (folder / "index.html").is_file():
        raise UserError(f"{display_path(folder / 'index.html')}: missing. Run 'make report' or 'make render' first.")
    try:
        server = ThreadingHTTPServer(("127.0.0.1", port), partial(SimpleHTTPRequestHandler, directory=folder))
    except OSError as error:
        raise UserError(f"Port {port}: {error.strerror}. Name another one: make serve PORT=8001") from error
    print(f"The page is at http://127.0.0.1:{port}/ until you press Ctrl-C.", flush=True)
    with server, contextlib.suppress(KeyboardInterrupt):
        server.serve_forever()


# ---------------------------------------------------------------------------------------------- the command line


def parse(argv: Sequence[str]) -> argparse.Namespace:
    parser = errors.Parser(prog="python -m report", description=__doc__)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def add(
        name: str,
        handler: Callable[[argparse.Namespace], int | None],
        summary: str,
        *groups: Callable[[argparse.ArgumentParser], object],
    ) -> None:
        command = commands.add_parser(name, help=summary, description=handler.__doc__)
        command.set_defaults(handler=handler)
        for add_options in groups:
            add_options(command)
        options.add_debug(command)

    written = (_article, _site, _url, _no_live)
    add("study", measure_study, "train what is missing, measure, draw, and write the page", _measuring, *written)
    add("first", write_first_page, "write the record's page if nothing was measured yet", _measuring, *written)
    add("render", render_site, "write the page from what was measured", options.add_results, *written)
    add("claims", print_claims, "print the verdict on each claim", options.add_results, _article)
    add("robustness", record_robustness, "write how robust the record’s verdicts are", options.add_results)
    add("networks", record_networks, "write the record’s networks that run in the page", options.add_results)
    add("readme", write_findings, "put the record's results into the README")
    add("verify", verify_page, "derive a page again from its evidence, and compare", _files, _article)
    add("compare", compare_results, "list changed verdicts and moved effects", _files, _article, _all, _format)
    add("publish", publish_site, "publish the site to a branch", options.add_results, _article, _site, _remote)
    add("serve", serve_site, "serve the site on this machine", _site, _port)
    return parser.parse_args(argv)


def _measuring(parser: argparse.ArgumentParser) -> None:
    options.add_results(parser)
    options.add_quick(parser)
    options.add_training(parser)


def _article(parser: argparse.ArgumentParser) -> None:
    contents = "with article.md and claims.toml, and optionally study.toml, prose/, view.py and figures.py"
    parser.add_argument("--article", type=Path, default=DEFAULT, metavar="FOLDER", help=contents)


def _site(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--site", type=Path, default=ROOT / "site", help="the folder that the page is written into")


def _url(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--url", default="", help="where the page is published, such as https://example.org/report/")


def _no_live(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--no-live", action="store_true", help="leave out the networks that run in the page")


def _files(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="*", type=Path, help="verify: a page; compare: two pages, results.json or sites")
    parser.add_argument("--seconds", type=float, help="how much processor time it may take")


def _all(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--all", action="store_true", help="list the effects that did not move too")


def _format(parser: argparse.ArgumentParser) -> None:
    described = "markdown: a comment for a pull request, from two sites; silent where nothing moved"
    parser.add_argument("--format", choices=("text", "markdown"), default="text", help=described)


def _remote(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--remote", default="origin", help="the git remote to publish to")
    parser.add_argument("--moved", action="store_true", help="the site has another address than its earlier versions")
    parser.add_argument("--into", type=Path, metavar="FOLDER", help="write the site with all its versions there too")
    parser.add_argument("--push", action="store_true", help="publish; without it, only what would change is printed")


def _port(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--port", type=errors.whole_number("PORT", 1, 65535), default=8000, help="on 127.0.0.1")


if __name__ == "__main__":
    sys.exit(errors.command(main, parse(sys.argv[1:])))
