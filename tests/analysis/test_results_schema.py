"""The files have exactly the keys that their types and experiments/README.md name."""

from __future__ import annotations

import csv
import io
import json
import re
import types
import typing
from collections import defaultdict
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from experiments.analysis import evidence, records, results, summary
from experiments.data import datasets
from experiments.data.sources import BESIDE_MNIST, Source
from experiments.live import copies
from experiments.plots import figures
from experiments.store.store import Store
from experiments.study.model import SETTINGS, Study
from report.claims import model
from report.page import site
from tests import fixture

README = Path(results.__file__).parents[1] / "README.md"
MNIST = Source(datasets.MNIST, None, "a fixture")
RARE = {"not_measured_because", "measuring"}  # only where the record stands in for what was measured


def hints(type_: Any) -> dict[str, Any]:
    """The keys of a TypedDict with the types of their values."""
    return typing.get_type_hints(type_, include_extras=True)


def check(value: Any, type_: Any, place: str = "", seen: dict[str, set[str]] | None = None) -> dict[str, set[str]]:
    """Fails unless `value` is of the type, at every depth; returns the keys that it has of each TypedDict, by name."""
    seen = defaultdict(set) if seen is None else seen
    origin, inner = typing.get_origin(type_), typing.get_args(type_)
    if type_ is Any:
        return seen
    if origin is typing.NotRequired:
        return check(value, inner[0], place, seen)
    if origin in (typing.Union, types.UnionType):
        if value is not None or types.NoneType not in inner:
            (only,) = [option for option in inner if option is not types.NoneType]
            check(value, only, place, seen)
    elif typing.is_typeddict(type_):
        optional = {key for key, hint in hints(type_).items() if typing.get_origin(hint) is typing.NotRequired}
        assert not set(value) - set(hints(type_)), f"{place} has keys that {type_.__name__} has not"
        assert not set(hints(type_)) - optional - set(value), f"{place} lacks keys of {type_.__name__}"
        seen[type_.__name__] |= set(value)
        for key, hint in hints(type_).items():
            if key in value:
                check(value[key], hint, f"{place}.{key}", seen)
    elif origin in (list, dict):
        assert isinstance(value, origin), f"{place} is {value!r}, not of {type_}"
        for key, element in enumerate(value) if origin is list else value.items():
            check(element, inner[-1], f"{place}[{key}]", seen)
    else:
        whole = type_ is float and type(value) is int
        assert isinstance(value, type_) or whole, f"{place} is {value!r}, not {type_.__name__}"
        assert type_ is bool or not isinstance(value, bool), f"{place} is {value!r}, not {type_.__name__}"
    return seen


@pytest.fixture(scope="module")
def folder(plan: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with made-up runs, on the digits too, their results, and a record of them in record.json."""
    store = Store(tmp_path_factory.mktemp("schema"))
    runs, others = plan.runs("mnist", ("examples", "changes")), {n: plan.runs(n, ("examples",)) for n in BESIDE_MNIST}
    fixture.fill(store, runs, MNIST, fixture.SCORES)
    for name, its_runs in others.items():
        fixture.fill(store, its_runs, BESIDE_MNIST[name], {})
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(records, "RECORD", store.root / "record.json")
        records.write(summary.update(plan, runs, MNIST, store, others))
        summary.update(plan, runs, MNIST, store, others)
    return store.root


def read(path: Path) -> dict[str, Any]:
    content = json.loads(path.read_text())
    del content["sha256"]
    return content


def test_results_have_exactly_the_keys_of_their_types(folder: Path) -> None:
    seen = check(read(folder / "results.json"), results.ResultsFile)
    for name, keys in seen.items():
        assert keys == set(hints(getattr(results, name))) - RARE, name
    assert {"ArmResult", "RunResult", "ContrastResult", "ReadoutResult", "ComparedContrast", "Summary"} <= set(seen)


def test_evidence_has_exactly_the_keys_of_its_types(folder: Path) -> None:
    seen = check(read(folder / "evidence.json"), results.EvidenceFile)
    for name, keys in seen.items():
        assert keys == set(hints(getattr(results, name))), name


def test_stored_runs_have_exactly_the_keys_of_their_types(folder: Path) -> None:
    for name, type_ in (("training.json", results.Training), ("measures-*.json", results.Measures)):
        path = next(folder.glob(f"runs/*/{name}"))
        content = read(path)
        for name, keys in check(content, type_).items():
            assert keys == set(hints(getattr(results, name))), name


def test_a_record_read_and_shown_has_the_keys_of_its_types(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD", folder / "record.json")
    assert set(read(records.RECORD)) == set(hints(results.RecordFile))
    record = records.read()
    assert record
    check(record, results.Record)
    shown = records.results_of_record(record, records.MEASURING)
    assert check(shown, results.Results)["DatasetDescription"] >= RARE


def test_the_committed_record_has_the_keys_of_its_types(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "RECORD", README.with_name("record.json"))
    record = records.read()
    assert record
    for contrast in record["contrasts"]:
        contrast.pop("predictions_changed", None)  # type: ignore[typeddict-item]  # of a version that counted them
    check(record, results.Record)


@pytest.mark.parametrize("figures_drawn", [None, {"target_outputs": ["example-1"]}])
def test_a_page_carries_only_keys_of_an_observation(folder: Path, figures_drawn: dict | None) -> None:
    content = read(folder / "evidence.json")
    for observation in content["runs"]:
        carried = evidence.select_for_page(observation, {"example-1"}, figures_drawn)
        assert set(carried) == set(hints(results.Observation)) - set(evidence.NEVER)


def test_results_that_follow_from_a_page_have_the_keys_of_their_types(plan: Study, folder: Path) -> None:
    content = read(folder / "evidence.json") | {"record": ""}
    contrasted = {end for contrast in plan.contrasts for end in (contrast.first, contrast.second)}
    content["runs"] = [evidence.select_for_page(run, contrasted, {}) for run in content["runs"]]
    for name, its_runs in content["replications"].items():
        content["replications"][name] = [evidence.select_for_page(run, contrasted) for run in its_runs]
    check(summary.assemble(plan, typing.cast(results.EvidenceFile, content)), results.Results)


def test_a_run_is_configured_by_every_setting_of_an_arm() -> None:
    assert set(hints(results.Settings)) == set(SETTINGS)


# ---------------------------------------------------------------------------------------------- the documentation


def tables() -> dict[str, set[str]]:
    """The keys in the README's tables, by each type that a heading names; those of "X with Y" are in both tables."""
    keys: dict[str, set[str]] = {}
    bases: dict[str, str] = {}
    for section in re.split(r"^#{2,3} ", README.read_text(), flags=re.MULTILINE)[1:]:
        heading, _, text = section.partition("\n")
        if match := re.search(r"\((`\w+`(?:, `\w+`)*)(?: with `(\w+)`)?\)$", heading):
            cells = re.findall(r"^\| (`.*?`) \|", text, re.MULTILINE)
            for name in re.findall(r"\w+", match[1]):
                keys[name] = set(re.findall(r"`(\w+)`", " ".join(cells)))
                bases[name] = match[2]
    return {name: own | keys.get(bases[name], set()) for name, own in keys.items()}


def schema() -> dict[str, set[str]]:
    """The keys of every type that is written to a file."""
    claims = {name: type_ for name, type_ in vars(model).items() if is_dataclass(type_) and type_ is not model.Ledger}
    written = {**vars(results), **vars(copies), "Robustness": model.Robustness}
    typed = {name: set(hints(type_)) for name, type_ in written.items() if typing.is_typeddict(type_)}
    keys = {
        name: {field.name for field in fields(type_)} for name, type_ in {**claims, "Figure": figures.Figure}.items()
    }
    keys["Verdict"] |= {"hollow", "robustness"}
    keys["Claim"] -= {"parts"}  # which are with their verdicts, as the question of a prediction is
    keys["Prediction"] -= {"question"}
    return typed | keys


def test_the_readme_documents_every_key_of_every_type_and_no_other() -> None:
    documented, types_ = tables(), schema()
    assert documented == {name: types_.get(name) for name in documented}
    for name in types_.keys() - documented.keys():  # parts of others
        assert any(types_[name] <= keys for keys in documented.values()), name


def test_the_readme_documents_every_column_of_the_table_of_runs() -> None:
    section = README.read_text().split("## `site/data/runs.csv`")[1].split("\n## ")[0]
    columns = set(re.findall(r"`(\w+)`", " ".join(re.findall(r"^\| (.*?) \|", section, re.MULTILINE))))
    assert columns | set(SETTINGS) == set(next(csv.reader(io.StringIO(site.runs_csv({"runs": []})))))
