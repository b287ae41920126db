"""What programs read beside the page: a crate that says how all files came about, the columns of runs.csv, the reviews.

`docs/files.md` says what each file is for. Sources: RO-Crate 1.1 (https://w3id.org/ro/crate/1.1), Process Run Crate 0.5
(https://w3id.org/ro/wfrun/process/0.5), CSV on the Web (https://www.w3.org/TR/tabular-metadata/), and ClaimReview
(https://schema.org/ClaimReview).
"""

from __future__ import annotations

import hashlib
import json
import re
import typing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from selectolax.lexbor import LexborHTMLParser

from experiments.analysis.results import Results, RunResult
from experiments.files import reading
from experiments.plots.figures import Figure
from report.claims.model import NOT, PARTLY, SUPPORTED
from report.page.citation import DATA, Publication
from report.page.view import CLOSE_CALL, ClaimRow, PartRow, data_name

Entity = dict[str, Any]  # of JSON-LD

README = Path(__file__).parents[2] / "experiments" / "README.md"  # which describes the columns of runs.csv
CRATE, PROFILE = "https://w3id.org/ro/crate/1.1", "https://w3id.org/ro/wfrun/process/0.5"
CRATE_FILE, COLUMNS_FILE = "ro-crate-metadata.json", "data/runs.csv-metadata.json"
MEDIA_TYPES = {
    **{".html": "text/html", ".md": "text/markdown", ".csv": "text/csv", ".png": "image/png"},
    **{".json": "application/json", ".xml": "application/xml", "": "text/plain"},
}
FILES = {  # what each is, by its name; pictures in figures/ have the titles of their drawings
    "index.html": "The page: the article with its measurements, verdicts, figures and methods, and the evidence.",
    "report.md": "The page's words, verdicts and numbers in Markdown.",
    **{name: description for name, _, description in DATA},
    COLUMNS_FILE: "The columns of runs.csv: what each is, and its type (CSV on the Web).",
    "preview.png": "The picture that previews of links show.",
    "404.html": "What the web server shows for missing addresses.",
    "sitemap.xml": "The page's address and day, for search engines.",
    ".nojekyll": "An empty file that tells GitHub Pages to publish all files as they are.",
}
RATINGS = {NOT: 1, PARTLY: 2, SUPPORTED: 3}
DATATYPES = {int: "integer", float: "double", str: "string", bool: {"base": "boolean", "format": "True|False"}}


def to_text(value: Mapping[str, Any]) -> bytes:
    """JSON that people can read too; unlike sealed JSON it has no keys but its own."""
    return (json.dumps(value, ensure_ascii=False, allow_nan=False, indent=1) + "\n").encode()


# ---------------------------------------------------------------------------------------------- the crate


def crate(
    html: str, shared: Publication, results: Results, drawn: Mapping[str, Figure], files: Mapping[str, bytes]
) -> Entity:
    """The site as a Process Run Crate: the study is an action that made its files from the article and the data.

    html: the page; files: all others of the site and the page itself, by name.
    """
    head = LexborHTMLParser(html).head
    assert head  # every page has one
    title, description = (head.css(selector)[0] for selector in ("title", "meta[name=description]"))
    entities = [
        {"@id": CRATE_FILE, "@type": "CreativeWork", "conformsTo": {"@id": CRATE}, "about": {"@id": "./"}},
        _root(title.text(), description.attributes["content"] or "", shared, files),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        *_license(shared),
        *_people(shared),
        _article(shared),
        *_data(results),
        _study(shared, results, files),
        *_software(shared, results),
        *(_file(name, content, drawn) for name, content in files.items()),
    ]
    context = [f"{CRATE}/context", {"sha256": "http://schema.org/sha256"}]  # which that version does not have yet
    return {"@context": context, "@graph": [_without_empty(entity) for entity in entities]}


def _root(title: str, description: str, shared: Publication, files: Mapping[str, bytes]) -> Entity:
    return {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": description,
        "datePublished": shared.published,
        "url": shared.url,
        "version": shared.page_version,
        "author": _references(_people(shared)),
        "license": _references(_license(shared)),
        "conformsTo": {"@id": PROFILE},
        "mainEntity": {"@id": "index.html"},
        "mentions": {"@id": "#study"},
        "hasPart": [{"@id": name} for name in files],
    }


def _study(shared: Publication, results: Results, files: Mapping[str, bytes]) -> Entity:
    started = [run["started"] or "" for run in results["runs"]]
    return {
        "@id": "#study",
        "@type": "CreateAction",
        "name": f"The study on {data_name(results['dataset']['name'])}",
        "description": f"{len(results['runs'])} of {results['runs_expected']} runs: trained, measured, summed up, "
        "drawn, and judged by the claims' rules.",
        "startTime": min(started),
        "endTime": max(run["finished"] for run in results["runs"]),
        "agent": _references(_people(shared)),
        "instrument": {"@id": "#software"},
        "object": _references([_article(shared), *_data(results)]),
        "result": [{"@id": name} for name in files if name.startswith(("data/", "figures/", "index", "report"))],
    }


def _software(shared: Publication, results: Results) -> Iterator[Entity]:
    packages = [*results["versions"], *(["Python", version] for version in results["pythons"])]
    parts = [
        {"@id": f"#{name}-{version}", "@type": "SoftwareApplication", "name": name, "softwareVersion": version}
        for name, version in packages
    ]
    yield {
        "@id": "#software",
        "@type": "SoftwareApplication",
        "name": shared.title,
        "softwareVersion": shared.version,
        "identifier": shared.doi and f"https://doi.org/{shared.doi}",
        "license": _references(_license(shared)),
        "softwareRequirements": _references(parts),
    }
    yield from parts


def _article(shared: Publication) -> Entity:
    source = shared.article
    return {
        "@id": "index.html#article",
        "@type": ["Article", "CreativeWork"],
        "name": source.title,
        "datePublished": source.date,
        "identifier": source.id,
    }


def _data(results: Results) -> Iterator[Entity]:
    """The images that networks were trained on, by data set."""
    for summary in (results, *results["replications"].values()):
        dataset = summary["dataset"]
        yield {
            "@id": f"#data-{quote(dataset['name'])}",  # a user's data set has the name of its file
            "@type": "CreativeWork",
            "name": data_name(dataset["name"]),
            "description": f"{dataset['train_images']} training and {dataset['test_images']} test images.",
            "identifier": [f"{name} sha256:{sha256}" for name, sha256 in dataset["arrays_sha256"].items()],
        }


def _people(shared: Publication) -> list[Entity]:
    return [{"@id": f"#author-{n}", "@type": kind, "name": name} for n, (kind, name) in enumerate(shared.authors, 1)]


def _license(shared: Publication) -> list[Entity]:
    address = f"https://spdx.org/licenses/{shared.license}"
    return [{"@id": address, "@type": "CreativeWork", "name": shared.license}] if shared.license else []


def _file(name: str, content: bytes, drawn: Mapping[str, Figure]) -> Entity:
    figure = drawn.get(name.removeprefix("figures/").removesuffix(".png"))
    return {
        "@id": name,
        "@type": "File",
        "name": Path(name).name,
        "description": f"{figure.title}." if name.startswith("figures/") and figure else FILES[name],
        "encodingFormat": MEDIA_TYPES[Path(name).suffix],
        "contentSize": str(len(content)),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def _references(entities: Iterable[Entity]) -> Entity | list[Entity]:
    """A single one stands for itself, as RO-Crate recommends."""
    references = [{"@id": entity["@id"]} for entity in entities]
    return references[0] if len(references) == 1 else references


def _without_empty(entity: Entity) -> Entity:
    return {key: value for key, value in entity.items() if value}


# ---------------------------------------------------------------------------------------------- the columns


def columns(names: Sequence[str], shared: Publication) -> Entity:
    """CSV on the Web's description of runs.csv, whose columns have these `names`.

    Types are those of `RunResult`, descriptions those of experiments/README.md.
    """
    types, described = typing.get_type_hints(RunResult), _descriptions()
    (description,) = (text for name, _, text in DATA if name == "data/runs.csv")
    return {
        "@context": ["http://www.w3.org/ns/csvw", {"@language": "en"}],
        "url": "runs.csv",
        "dc:title": shared.title,
        "dc:description": description,
        "tableSchema": {
            "columns": [_column(name, types[name], described[name]) for name in names],
            "primaryKey": ["dataset", "arm", "seed"],
        },
    }


def _column(name: str, type_: Any, description: str) -> Entity:
    known = [part for part in typing.get_args(type_) or (type_,) if part is not type(None)]
    datatype = "datetime" if name in ("started", "finished") else DATATYPES[known[0]]
    return {"name": name, "titles": name, "datatype": datatype, "dc:description": description}


def _descriptions() -> dict[str, str]:
    """What each column is: where experiments/README.md describes runs.csv, and the settings of an arm."""
    text = reading.read_text(README, "Expected what describes the columns of runs.csv. Restore it.")
    sections = re.findall(r"^##+ (?:`site/data/runs\.csv`|Settings).*?(?=^##|\Z)", text, re.MULTILINE | re.DOTALL)
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", "".join(sections), re.MULTILINE)
    return {name: description.replace("`", "") for name, description in rows}


# ---------------------------------------------------------------------------------------------- the reviews


def claim_reviews(shared: Publication | None, rows: Sequence[ClaimRow]) -> list[Entity]:
    """A ClaimReview of each claim that numbers decided; none where the page has no address that they could name."""
    if not shared or not shared.url:
        return []
    return [_claim_review(shared, row) for row in rows if _rating(row)]


def _claim_review(shared: Publication, row: ClaimRow) -> Entity:
    return {
        "@type": "ClaimReview",
        "url": f"{shared.url}#claim-{row.claim.id}",
        "author": [{"@type": kind, "name": name} for kind, name in shared.authors],
        "claimReviewed": " … ".join(row.claim.quote),
        "itemReviewed": {"@type": "Claim", "appearance": {"@id": shared.article_url}},
        "reviewRating": {
            "@type": "Rating",
            "ratingValue": _rating(row),
            "bestRating": max(RATINGS.values()),
            "worstRating": min(RATINGS.values()),
            "alternateName": " ".join(_in_words(part) for part in row.asked),
        },
    }


def _rating(row: ClaimRow) -> int | None:
    """The claim as the article puts it counts; where that is not decided, its reason, or the claim in general."""
    return next((RATINGS[part.verdict] for part in row.parts if part.verdict in RATINGS), None)


def _in_words(part: PartRow) -> str:
    close = f", {CLOSE_CALL}" if part.close else ""
    return f"{part.label[:1].upper()}{part.label[1:]}: {part.verdict}{close}."
