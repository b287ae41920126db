"""An article is one folder: its text, its claims, and optionally its experiments, its prose and its figures."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from experiments.files.errors import UserError, display_path
from experiments.study import load as studies
from experiments.study.model import Study
from report.claims import load as ledgers
from report.claims.model import Ledger

DEFAULT = Path(__file__).parents[1] / "mse_tanh"
EXPECTED = (
    "Expected a folder with article.md and claims.toml, and optionally study.toml, prose/, view.py and figures.py"
)


@dataclass(frozen=True)
class ArticleFolder:
    """Where everything about one article is.

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
    def is_default(self) -> bool:
        """Whether it is this project's own article, whose prose has rules of its own."""
        return self.path == DEFAULT

    def load_study(self) -> Study:
        return studies.load(self.study)

    def load_claims(self) -> Ledger:
        """The claims. Raises `UserError` unless the study has the evidence that they name."""
        ledger = ledgers.load(self.claims)
        ledgers.check(ledger, self.load_study(), self.claims)
        return ledger


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
