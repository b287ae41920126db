"""The finished plots as values and as files. Light: those who only read them need no matplotlib."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, TypedDict, cast, overload

import numpy as np

from experiments.analysis.results import ArmResult, Results, ResultsFile, RunResult, Spread
from experiments.files.durable import write_atomically
from experiments.files.errors import UserError, code_place, display_path
from experiments.files.sealed import is_made_from, read_json, to_json
from experiments.plots import svg
from experiments.study import keys

FORMAT = 3


@dataclass(frozen=True)
class Figure:
    """A finished plot.

    title: the finding, in one line; description: what there is to see, for those who hear it;
    arms: those whose runs it shows; measures: which of `evidence.FOR_FIGURES` it shows of them, so that the page's
    evidence carries these; columns and rows: the numbers behind it, as text;
    svg: the drawing, ready to stand inline in a page, its marks tied to the rows by data-row; png: a picture of it;
    preview: the finding as PNG, for previews of links; only the first figure, which stands for the study, has one.
    """

    name: str
    title: str
    description: str
    arms: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    svg: str
    measures: tuple[str, ...] = ()
    png: bytes = b""
    preview: bytes = b""


GENERIC = ("accuracy", "learning-curves", "outputs", "reliability", "confusions", "contrasts")  # what `generic` draws

MAX_MARKS = 50  # runs of an arm that are drawn and listed one by one; of more, these quantiles
QUANTILES = {"lowest": 0.0, **{f"{share} % quantile": share / 100 for share in (5, 25, 50, 75, 95)}, "highest": 1.0}


def plotted_values(values: Sequence[float]) -> Sequence[float]:
    """The values that are shown: all, or of many their quantiles."""
    return values if len(values) <= MAX_MARKS else np.quantile(values, [*QUANTILES.values()]).tolist()


class PlottedRun(TypedDict):
    """A run as it is drawn and listed, or which quantile of many: what `RunResult` and it have in common."""

    arm: str
    seed: int | str
    test_accuracy: float | None
    held_out_accuracy: float | None
    diverged_epoch: int | None


@overload
def final_accuracy(measured: RunResult | PlottedRun) -> float: ...
@overload
def final_accuracy(measured: ArmResult) -> Spread: ...
def final_accuracy(measured: RunResult | PlottedRun | ArmResult) -> float | Spread | None:
    """The final accuracy of a run or an arm: on the test images, or on those held out where these were used."""
    return measured["test_accuracy"] if measured["test_accuracy"] is not None else measured["held_out_accuracy"]


def accuracy_by_epoch(run: RunResult) -> list[float] | None:
    """A run's accuracy after each epoch, on the same images as its final accuracy; None where it is not known."""
    tested = run["test_accuracy_by_epoch"]
    return tested if tested is not None else run["held_out_accuracy_by_epoch"]


def plotted_runs(runs: Sequence[RunResult]) -> Sequence[PlottedRun]:
    """The runs of one arm as they are shown: each, or of many the quantiles of their accuracy.

    A quantile's name then stands in place of the seed; the lowest says whether one diverged.
    """
    if len(runs) <= MAX_MARKS:
        return cast(Sequence[PlottedRun], runs)
    diverged = next(filter(None, (run["diverged_epoch"] for run in runs)), None)
    pairs = zip(QUANTILES, plotted_values([final_accuracy(run) for run in runs]), strict=True)
    return [
        {
            "arm": runs[0]["arm"],
            "seed": f"{quantile} of {len(runs):,} seeds",
            "test_accuracy": None if runs[0]["test_accuracy"] is None else accuracy,
            "held_out_accuracy": accuracy if runs[0]["test_accuracy"] is None else None,
            "diverged_epoch": diverged if quantile == "lowest" else None,
        }
        for quantile, accuracy in pairs
    ]


def update(
    results: ResultsFile,
    folder: Path,
    draw: Callable[[Results], list[Figure]],
    article_figures: Path | None = None,
) -> int:
    """Has all figures drawn into `folder` if the results, the code or matplotlib changed; returns how many were drawn.

    The code is this room's and the article's own figures.py, if `article_figures` names one. figures.json holds
    everything the page shows; beside it are each drawing as an .svg and a .png, and preview.png.
    """
    path, inputs = folder / "figures.json", digest_inputs(results, article_figures)
    if is_made_from(path, inputs) and _is_whole(folder):
        return 0
    figures = _draw_safely(results, draw, article_figures)
    for figure in figures:
        write_atomically(folder / f"{figure.name}.svg", svg.standalone(figure.svg).encode())
        write_atomically(folder / f"{figure.name}.png", figure.png)
    write_atomically(folder / "preview.png", figures[0].preview)
    content = {
        "format": FORMAT,
        "inputs": inputs,
        "results": results["inputs"],
        "figures": [{k: v for k, v in asdict(figure).items() if k not in ("png", "preview")} for figure in figures],
    }
    write_atomically(path, to_json(content))
    return len(figures)


def are_current(folder: Path, results: ResultsFile, article_figures: Path | None) -> bool:
    """Whether the figures in `folder` were drawn from these results by today's code."""
    return is_made_from(folder / "figures.json", digest_inputs(results, article_figures))


def digest_inputs(results: ResultsFile, article_figures: Path | None) -> str:
    """A digest of all that figures are made of: results, code and matplotlib."""
    return keys.digest(
        {
            "results": results["inputs"],
            "code": code_digests(article_figures),
            "versions": dict(keys.versions("matplotlib")),
        }
    )


def code_digests(article_figures: Path | None) -> list[str]:
    """Digests of the code that draws: all of this room, and the article's own figures.py with what is beside it."""
    own = () if article_figures is None else (article_figures, *sorted(article_figures.parent.glob("*.py")))
    return [_code_digest(path) for path in (*sorted(Path(__file__).parent.glob("*.py")), *own)]


def _code_digest(path: Path) -> str:
    try:
        return keys.file_digest(path)
    except OSError as error:
        raise UserError(
            f"{display_path(path)}: {error.strerror}. Expected a Python file that draws figures. Name another."
        ) from error


def _draw_safely(
    results: Results, draw: Callable[[Results], list[Figure]], article_figures: Path | None
) -> list[Figure]:
    """The figures; an article's own code may raise anything, which is an error of its author in one line."""
    try:
        return draw(results)
    except (UserError, OSError):
        raise
    except (Exception, SystemExit) as error:  # an exit with status 0 would count as success
        if article_figures is None:
            raise
        place = code_place(error, article_figures)
        raise UserError(
            f"{place}: {type(error).__name__}: {error}. Expected figures of the results. Fix it."
        ) from error


def _is_whole(folder: Path) -> bool:
    try:
        return bool(read(folder))
    except UserError:
        return False


def read(folder: Path) -> tuple[dict[str, Figure], str]:
    """The figures that `update` left in `folder`, by name, and the digest of the results they were drawn from.

    Raises `UserError` where they are not all there, as they were written.
    """
    path = folder / "figures.json"
    content = read_json(path, FORMAT)
    try:
        figures = [_figure(stored, folder) for stored in content["figures"]]
        figures[0] = replace(figures[0], preview=(folder / "preview.png").read_bytes())
        return {figure.name: figure for figure in figures}, str(content["results"])
    except (OSError, KeyError, TypeError, AttributeError, IndexError, ValueError) as error:
        raise UserError(
            f"{display_path(path)}: not the drawings that were written ({error!r}). Run 'make plots'."
        ) from error


def _figure(stored: Mapping[str, Any], folder: Path) -> Figure:
    """A figure from its object in figures.json, with the picture beside it."""
    tuples = {
        "arms": tuple(stored["arms"]),
        "measures": tuple(stored["measures"]),
        "columns": tuple(stored["columns"]),
        "rows": tuple(map(tuple, stored["rows"])),
    }
    return Figure(**{**stored, **tuples, "png": (folder / f"{stored['name']}.png").read_bytes()})
