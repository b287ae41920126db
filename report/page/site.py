"""The page of an article as a value, and the site as files: what is written, and when it is up to date."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from experiments.analysis import evidence, records
from experiments.analysis.results import Results, ResultsFile
from experiments.analysis.summary import FORMAT
from experiments.files import reading
from experiments.files.durable import sweep, write_atomically
from experiments.files.errors import UserError, display_path
from experiments.files.sealed import compact, is_made_from, read_json, to_json
from experiments.live import export
from experiments.live.copies import Networks
from experiments.plots import figures
from experiments.study import keys
from experiments.study.model import SETTINGS
from report.article.folder import ArticleFolder
from report.claims import robustness
from report.claims.model import PREDICTION, JudgedPrediction, Robustness, Verdict
from report.claims.verdicts import judge_predictions
from report.page import citation, in_markdown, machines

if TYPE_CHECKING:  # Jinja and Markdown: only where something is rendered
    from report.page.compose import Page

ROOT = Path(__file__).parents[2]
MEMORY_FORMAT = 1
CLAIMS_FORMAT = 4
COLUMNS = (
    *("dataset", "arm", "seed", *SETTINGS, "epochs"),
    *("test_accuracy", "held_out_accuracy", "train_seconds", "diverged_epoch"),
    *("started", "finished", "processor", "threads", "python", "commit", "dirty"),
)


# ---------------------------------------------------------------------------------------------- what it is made of


def read_results(folder: ArticleFolder, results_folder: Path) -> tuple[ResultsFile, dict[str, figures.Figure]]:
    """The results in `results_folder`, and the figures that the article's code drew from them.

    Raises `UserError` where they are of another study than the article's.
    """
    path, plots = results_folder / "results.json", results_folder / "plots"
    if not all(file.is_file() for file in (path, plots / "figures.json", plots / "preview.png")):
        raise UserError(f"{display_path(path)}: nothing to render yet. Run 'make report', which measures first.")
    results, (drawn, drawn_from) = cast(ResultsFile, read_json(path, FORMAT)), figures.read(plots)
    article, study = "" if folder.is_default else f" ARTICLE={display_path(folder.path)}", folder.load_study()
    if results.get("study") not in (keys.study_digest(study), keys.study_digest(study.quick())):
        raise UserError(
            f"{display_path(path)}: measured for another study than {display_path(study.path)} is now. "
            f"Run 'make report{article}' first."
        )
    if drawn_from != results["inputs"]:
        raise UserError(f"{display_path(plots)}: drawn from other results. Run 'make plots' first.")
    if not figures.are_current(plots, results, folder.figures):
        raise UserError(f"{display_path(plots)}: drawn by other code. Run 'make plots{article}' first.")
    return results, drawn


def read_evidence(folder: Path, results: ResultsFile) -> dict[str, Any]:
    """What evidence.json in `folder` says of each run; nothing if the results are not its own but the record's."""
    path = folder / "evidence.json"
    content = read_json(path, evidence.FORMAT) if path.exists() else {}
    return content if content and content["inputs"] == results["inputs"] else {}


def read_robustness(
    folder: ArticleFolder, results_folder: Path, results: ResultsFile, content: Mapping[str, Any]
) -> robustness.Robust:
    """How robust the verdicts on these results are. content: their evidence."""
    ledger = folder.load_claims()
    if results["recorded"]:
        return robustness.of_page(ledger, results, content, folder.robustness)
    return robustness.update(ledger, results, content, results_folder / "robustness.json")


def read_networks(folder: ArticleFolder, results_folder: Path, results: Results, content: Mapping[str, Any]) -> str:
    """The networks that run in the page, as it carries them; "" where there are none of the runs that it shows.

    content: the evidence of these results.
    """
    path = results_folder / export.FILE
    if results["recorded"]:
        return recorded_networks(folder)
    if not path.exists() or not export.are_of(networks := export.read(path), content.get("runs", ())):
        return ""
    return _declared(folder, networks)


def recorded_networks(folder: ArticleFolder) -> str:
    """The networks of the record, as pages carry them that show it; "" where there are none of this record."""
    if not folder.live.exists() or not is_made_from(folder.live, recorded_inputs()):
        return ""
    return _declared(folder, export.read(folder.live))


def _declared(folder: ArticleFolder, networks: Networks) -> str:
    """The networks as the page carries them, if they are those that the article declares."""
    declared = [network.arm for network in folder.load_live()]
    return compact(networks).decode() if declared == [network["arm"] for network in networks["networks"]] else ""


def recorded_inputs() -> str:
    """A digest of what the record's networks belong to."""
    return keys.digest({"format": export.FORMAT, "record": records.fingerprint()})


def digest_inputs(
    folder: ArticleFolder, results_folder: Path, results: Mapping[str, object], url: str, live: bool = True
) -> str:
    """A digest of all that the site is made of. live: whether networks run in it."""
    files = _fingerprints(folder, results_folder)
    return keys.digest({"results": results["inputs"], "files": files, "url": url, "live": live})


def _fingerprints(folder: ArticleFolder, results_folder: Path) -> list[str]:
    """All that the page is made of except the results: plots, the article's folder, templates, the report's code."""
    folders = (
        ROOT / "templates",
        ROOT / "report",
        *(ROOT / "experiments" / room for room in ("plots", "live")),
        folder.prose,
    )
    files = {
        path for base in folders for path in base.rglob("*.*") if path.is_file() and path.parent.name != "__pycache__"
    }
    texts = [*sorted(files), folder.article, folder.claims, folder.study, citation.CITATION, machines.README]
    texts += [path for path in (folder.figures, folder.view) if path]
    texts += [path for path in (folder.live, results_folder / export.FILE) if path.exists()]
    texts += [results_folder / "plots" / name for name in ("figures.json", "preview.png")]
    versions = keys.versions("jinja2", "markdown", "math-core", "pygments", "markupsafe", "selectolax")
    return [*(reading.sha256(path, "Expected what the page is made of.") for path in texts), *versions.values()]


# ---------------------------------------------------------------------------------------------- the files


def clean_up(site: Path) -> None:
    """Removes what an interrupted call left half written."""
    sweep(site, site / "data", site / "figures")


def page_files(page: Page, results: Results, drawn: Mapping[str, figures.Figure]) -> dict[str, bytes]:
    """The page and what belongs to it, by name: with these files it can be published in any folder."""
    files = {
        "index.html": page.html.encode(),
        "preview.png": next(iter(drawn.values())).preview,
        **{f"figures/{name}.png": figure.png for name, figure in drawn.items()},
        "data/results.json": to_json(results),
        "data/runs.csv": runs_csv(results).encode(),
        "data/claims.json": to_json(claims_json(page, judge_predictions(page.ledger, results))),
    }
    return files | machine_readable(page, results, drawn, files)


def site_files(page: Page) -> dict[str, bytes]:
    """What the root of a site has besides, by name."""
    shared = page.shared
    sitemap = {"sitemap.xml": citation.sitemap([(shared.url, shared.published)])} if shared.url else {}
    return {"404.html": page.not_found.encode(), ".nojekyll": b"", **sitemap}


def write(
    site: Path,
    memory: Path,
    inputs: str,
    page: Page,
    results: Results,
    drawn: Mapping[str, figures.Figure],
    live: bool = True,
) -> None:
    """Writes the site, removes what an earlier page had written beside it, and notes both in `memory`."""
    outputs = {**page_files(page, results, drawn), **site_files(page)}
    for name, content in outputs.items():
        write_atomically(site / name, content)
    for name, sha256 in _written(memory).items():  # by an earlier page; whatever else is there is the user's
        if name not in outputs and _holds(site / name, sha256):
            (site / name).unlink()
    hashes = {name: hashlib.sha256(content).hexdigest() for name, content in outputs.items()}
    note = {"format": MEMORY_FORMAT, "inputs": inputs, "files": hashes, "url": page.shared.site, "live": live}
    write_atomically(memory, to_json(note))


def machine_readable(
    page: Page, results: Results, drawn: Mapping[str, figures.Figure], others: Mapping[str, bytes]
) -> dict[str, bytes]:
    """The page's files for programs, by name; the last of them lists all the others: those and `others`."""
    files = {
        "report.md": in_markdown.convert(page.html).encode(),
        machines.COLUMNS_FILE: machines.to_text(machines.columns(COLUMNS, page.shared)),
    }
    crate = machines.crate(page.html, page.shared, results, drawn, {**others, **files})
    return {**files, machines.CRATE_FILE: machines.to_text(crate)}


def claims_json(page: Page, predictions: Sequence[JudgedPrediction]) -> dict[str, Any]:
    """What claims.json holds: see experiments/README.md."""
    ledger, robust = page.ledger, page.robust
    return {
        "format": CLAIMS_FORMAT,
        "declared": ledger.declared,
        "thresholds": {name: asdict(threshold) for name, threshold in ledger.thresholds.items()},
        "claims": [
            {
                "claim": _without(asdict(judged.claim), "parts"),
                "verdicts": {
                    part: _verdict(verdict, robust.get(judged.claim.id, {}).get(part))
                    for part, verdict in judged.verdicts.items()
                },
            }
            for judged in page.verdicts
        ],
        "predictions": [
            {
                "prediction": _without(asdict(judged.prediction), "question"),
                "verdict": _verdict(judged.verdict, robust.get(PREDICTION, {}).get(judged.prediction.id)),
            }
            for judged in predictions
        ],
    }


def _verdict(verdict: Verdict, robustness: Robustness | None) -> dict[str, Any]:
    return asdict(verdict) | {"hollow": verdict.hollow, "robustness": robustness}


def _without(values: dict[str, Any], key: str) -> dict[str, Any]:
    """All but the questions, which are with their verdicts."""
    return {name: value for name, value in values.items() if name != key}


def is_current(memory: Path, inputs: str, site: Path) -> bool:
    """Whether the site holds, byte for byte, what was rendered from these inputs."""
    files = _written(memory)
    return bool(files) and is_made_from(memory, inputs) and all(_holds(site / name, sha) for name, sha in files.items())


def _written(memory: Path) -> dict[str, str]:
    """SHA-256 of each file that was written last, by its name; nothing if that is not known."""
    try:
        return dict(read_json(memory, MEMORY_FORMAT)["files"])
    except UserError:
        return {}


def options_of(memory: Path) -> tuple[str, bool]:
    """What the site was rendered with: its address, and whether networks run in its page."""
    try:
        content = read_json(memory, MEMORY_FORMAT)
    except UserError:
        return "", True
    return content.get("url", ""), content.get("live", True)


def written_files(memory: Path, site: Path) -> list[str]:
    """Names of the files in `site` that rendering wrote. Raises `UserError` where one was changed or removed since."""
    files = _written(memory)
    for name, sha256 in files.items():
        if not _holds(site / name, sha256):
            raise UserError(f"{display_path(site / name)}: not as it was rendered. Run 'make render' first.")
    return sorted(files)


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
