"""An article is one folder: its text, its claims, and optionally its experiments, its prose and its figures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from experiments.files.errors import UserError, display_path
from experiments.files.toml import TEXT, TomlReader, TomlTable
from experiments.live import copies, export
from experiments.study import load as studies
from experiments.study.model import Study
from report.claims import load as ledgers
from report.claims.model import Ledger

DEFAULT = Path(__file__).parents[1] / "mse_tanh"
EXPECTED = (
    "Expected a folder with article.md and claims.toml, and optionally study.toml, prose/, view.py and figures.py"
)


PROSE_HINT = (
    "Expected code_blocks, folded, finding, [changes], [[figures]], [[groups]], [[notes]] and [[live]]."  # article.toml
)
MAX_LIVE = 3  # networks that run in the page: as many as it has colours for


@dataclass(frozen=True)
class LiveNetwork:
    """A network that runs in the page: its arm, its name in a word or two, and what tells it from the others."""

    arm: str
    label: str
    note: str


@dataclass(frozen=True)
class ArticleFolder:
    """Where everything about one article is; its study and claims are read once.

    study: experiments/study.toml if the folder has no study.toml of its own. prose: a folder, which may be missing.
    figures: the article's own figures.py, or None for the generic figures. view: its view.py, or None.
    """

    path: Path
    article: Path
    claims: Path
    study: Path
    prose: Path
    figures: Path | None
    view: Path | None

    @property
    def robustness(self) -> Path:
        """How robust the verdicts on the record are, which may be missing: see `report.claims.robustness`."""
        return self.path / "robustness.json"

    @property
    def live(self) -> Path:
        """The record's networks, which may be missing: see `experiments.live.export`."""
        return self.path / export.FILE

    @property
    def is_default(self) -> bool:
        """Whether it is this project's own article, whose prose has rules of its own."""
        return self.path == DEFAULT

    def load_study(self) -> Study:
        return self._study

    @cached_property
    def _study(self) -> Study:
        return studies.load(self.study)

    def load_claims(self) -> Ledger:
        """The claims. Raises `UserError` unless the study has the evidence that they name."""
        return self._ledger

    @cached_property
    def _ledger(self) -> Ledger:
        ledger = ledgers.load(self.claims)
        ledgers.check(ledger, self.load_study(), self.claims)
        return ledger

    def load_live(self) -> tuple[LiveNetwork, ...]:
        """The networks that article.toml lets run in the page. Raises `UserError` unless the study has such ones."""
        path = self.prose / "article.toml"
        if not os.path.lexists(path):
            return ()
        root = TomlReader(path, PROSE_HINT).root
        tables = root.list_of_tables("live")
        if len(tables) > MAX_LIVE:
            raise root.error("live", f"{len(tables)} tables", f"at most {MAX_LIVE}")
        study = self.load_study() if tables else None
        return tuple(_live_network(table, study, tables[0]) for table in tables if study)


def _live_network(table: TomlTable, study: Study, first: TomlTable) -> LiveNetwork:
    """The network that a [[live]] table declares. first: the one whose seed they all have."""
    table.reject_unknown(("arm", "label", "note"))
    arms = {arm.name: arm for arm in study.arms}
    name = table.get_valid("arm", TEXT)
    if name not in arms:
        raise table.error("arm", name, f"an arm of {display_path(study.path)}")
    if not copies.is_possible(arms[name]):
        raise table.error("arm", name, f"a network that can run in the page: {copies.POSSIBLE}")
    if (
        first.values["arm"] in arms
        and export.first_seed(study, [first.values["arm"]]) not in study.block(arms[name].block).seeds
    ):
        raise table.error("arm", name, f"an arm that has the first seed of '{first.values['arm']}'")
    return LiveNetwork(name, table.get_valid("label", TEXT), table.get_valid("note", TEXT))


def open_folder(path: Path = DEFAULT) -> ArticleFolder:
    """The article in the folder `path`. Raises `UserError` where the folder or a file that it needs is missing."""
    path = Path(os.path.abspath(path))
    name = display_path(path)
    if path.is_file():
        raise UserError(f"{name}: a file. {EXPECTED}. Name the folder: make report ARTICLE={display_path(path.parent)}")
    if not path.is_dir():
        raise UserError(f"{name}: no such folder. {EXPECTED}. Name another one: make report ARTICLE=folder")
    article, ledger, study, prose, figures, view = (
        path / file for file in ("article.md", "claims.toml", "study.toml", "prose", "figures.py", "view.py")
    )
    for file, content in ((article, "the article, as Markdown with front matter"), (ledger, "its claims")):
        if not os.path.lexists(file):
            raise UserError(f"{name}: no {file.name} in this folder. {EXPECTED}. Add {file.name}: {content}.")
    if os.path.lexists(prose) and not prose.is_dir():
        raise UserError(f"{display_path(prose)}: not a folder. Expected a folder of templates. Move the file away.")
    return ArticleFolder(
        path,
        article,
        ledger,
        study if os.path.lexists(study) else studies.STUDY,
        prose,
        figures if os.path.lexists(figures) else None,
        view if os.path.lexists(view) else None,
    )
