"""How others find and cite the page: its address, what CITATION.cff says, JSON-LD, BibTeX, the sitemap."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple
from xml.etree import ElementTree

from experiments.analysis.results import Results
from experiments.files import reading
from experiments.files.errors import UserError, display_path

if TYPE_CHECKING:  # the check whether the page is up to date needs an address, and no Markdown
    from report.article.document import Article

CITATION = Path(__file__).parents[2] / "CITATION.cff"
FOLDER = re.compile(r"https?://[\w-]+(?:\.[\w-]+)*(?::\d{1,5})?(?:/[\w.~%@:+,=&/-]*)?(?<!\.html)", re.ASCII)
DATA = (  # what can be downloaded: file, media type, what it holds
    ("data/runs.csv", "text/csv", "Every training run with its settings, its seed and its accuracy."),
    ("data/results.json", "application/json", "All numbers that the page shows: of runs, of arms and of contrasts."),
    ("data/claims.json", "application/json", "Every claim of the article with its rule, its verdict and its evidence."),
)
TEX = str.maketrans(
    {character: f"\\{character}" for character in "&%$#_{}"}
    | {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
)


class Author(NamedTuple):
    """`kind` is Person, named family first, or Organization."""

    kind: str
    name: str


@dataclass(frozen=True)
class Publication:
    """What a citation of the page names.

    url: the folder that it is published in, with a slash at its end, or "" where nobody said. day: of the last run.
    """

    url: str
    day: str
    article: Article
    title: str
    authors: tuple[Author, ...]
    version: str
    license: str

    @property
    def year(self) -> str:
        return self.day[:4]

    @property
    def author_names(self) -> list[str]:
        return [author.name for author in self.authors]

    @property
    def bibtex(self) -> str:
        names = [_tex(name) if kind == "Person" else f"{{{_tex(name)}}}" for kind, name in self.authors]
        fields = {
            "author": " and ".join(names),
            "title": f"{_tex(self.title)}: {{{_tex(self.article.title)}}}",
            "year": self.year,
            "note": f"{f'Version {_tex(self.version)}, runs' if self.version else 'Runs'} of {self.day}",
            "url": self.url,
        }
        key = re.sub(r"\W+", "-", f"{self.title} {self.year}".lower(), flags=re.ASCII).strip("-")
        lines = "".join(f",\n  {name} = {{{value}}}" for name, value in fields.items() if value)
        return f"@misc{{{key}{lines}\n}}"

    @property
    def article_url(self) -> str:
        """Where the page quotes the article; "" where the page has no address."""
        return self.url and f"{self.url}#article"

    def linked_data(
        self, headline: str, description: str, reviews: Sequence[Mapping[str, object]] = ()
    ) -> dict[str, object]:
        """The page and its data as JSON-LD in the vocabulary of schema.org, without empty fields, then `reviews`."""
        source = self.article
        fields = {
            "@context": "https://schema.org",
            "@type": "ScholarlyArticle",
            "headline": headline,
            "description": description,
            "inLanguage": "en",
            "datePublished": self.day,
            "author": [{"@type": kind, "name": name} for kind, name in self.authors],
            "version": self.version,
            "license": self.license and f"https://spdx.org/licenses/{self.license}",
            "url": self.url,
            "image": self.url and f"{self.url}preview.png",
            "isBasedOn": _without_empty(
                {
                    "@type": "Article",
                    "@id": self.article_url,
                    "headline": source.title,
                    "datePublished": source.date,
                    "identifier": source.id,
                }
            ),
            "hasPart": [self._dataset(*row) for row in DATA],
        }
        page = _without_empty(fields)
        return {"@context": page.pop("@context"), "@graph": [page, *reviews]} if reviews else page

    def _dataset(self, name: str, media_type: str, description: str) -> dict[str, object]:
        file = {"@type": "DataDownload", "contentUrl": self.url + name, "encodingFormat": media_type}
        return {"@type": "Dataset", "name": name, "description": description, "distribution": file}

    def sitemap(self) -> bytes:
        root = ElementTree.Element("urlset", xmlns="http://www.sitemaps.org/schemas/sitemap/0.9")
        entry = ElementTree.SubElement(root, "url")
        ElementTree.SubElement(entry, "loc").text = self.url
        ElementTree.SubElement(entry, "lastmod").text = self.day
        return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def address(text: str) -> str:
    """The folder on the web that `text` names, ending in a slash; "" for "". Raises `UserError` for anything else."""
    if text and not FOLDER.fullmatch(text):
        raise UserError(
            f"SITE_URL is '{text}'. Expected the address of the folder that the page is published in, such as "
            "https://example.org/report/. Fix it or leave it out."
        )
    return text and text.rstrip("/") + "/"


def publication(url: str, results: Results, article: Article, path: Path = CITATION) -> Publication:
    """Reads CITATION.cff. Raises `UserError` where it cannot be read or names no title."""
    import yaml  # only where a page is rendered

    day = max(run["finished"] for run in results["runs"])[:10]
    try:
        fields = yaml.safe_load(reading.read_text(path, "Expected the project's citation."))
        return Publication(
            url,
            day,
            article,
            str(fields["title"]),
            tuple(map(_author, fields.get("authors", []))),
            str(fields.get("version", "")),
            str(fields.get("license", "")),
        )
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{display_path(path)}: {error}. Expected a citation that names a title. Fix it.") from error


def _author(entry: Mapping[str, str]) -> Author:
    if "name" in entry:
        return Author("Organization", entry["name"])
    return Author("Person", ", ".join(entry[key] for key in ("family-names", "given-names") if key in entry))


def _without_empty(fields: Mapping[str, object]) -> dict[str, object]:
    return {key: value for key, value in fields.items() if value}


def _tex(text: str) -> str:
    """`text` with the characters escaped that TeX would obey."""
    return text.translate(TEX)
