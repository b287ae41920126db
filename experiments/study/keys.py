"""Keys of runs: the digest of all that a run's weights, or its measures, depend on."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import TypedDict

from experiments.study.model import Run, SettingValue, Study

EXPERIMENTS = Path(__file__).parents[1]
LOCK = EXPERIMENTS.parent / "requirements" / "train.txt"
TRAINING_CODE = ("data/datasets.py", "training/trainer.py")  # what the weights of a run depend on
MEASURES_CODE = ("analysis/measures.py", "data/strokes.py", "training/network_measures.py")


class TrainingKey(TypedDict):
    """What the weights of a run depend on: see `training_key`."""

    spec: dict[str, SettingValue]
    features: TrainingKey | None  # of the run whose hidden layers are kept
    seed: int
    epochs: int
    dataset: str
    data: str  # the identity of the images
    code: dict[str, str]  # fingerprints, by file
    versions: dict[str, str]  # by package


class MeasuresKey(TypedDict):
    """What the measures of a run depend on besides its weights: see `measures_key`."""

    readout: str
    code: dict[str, str]  # fingerprints, by file


def digest(value: object) -> str:
    """SHA-256 of `value` as canonical JSON, in hex: equal values have equal digests on every machine."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


@cache
def code_fingerprint(path: Path) -> str:
    """SHA-256 of what the Python file at `path` does: comments, docstrings and layout change nothing."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
    return hashlib.sha256(ast.unparse(tree).encode()).hexdigest()


def file_digest(path: Path) -> str:
    """SHA-256 of the file's bytes: for code whose results are rebuilt in seconds, comments may count."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _code(*names: str) -> Mapping[str, str]:
    return {name: code_fingerprint(EXPERIMENTS / name) for name in names}


@cache
def versions(*packages: str) -> Mapping[str, str]:
    """Version of each package, by name, without importing any: as installed, else as locked for the training layer.

    So the keys of runs are known without TensorFlow.
    """
    return {package: _version(package) for package in packages}


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        locked = re.search(rf"^{re.escape(package)}==(\S+)", LOCK.read_text(encoding="utf-8"), re.MULTILINE)
        if not locked:
            raise
        return locked[1]


def arm_digest(study: Study, name: str) -> str:
    """Tells whether an arm of this name is configured as in `study`: its settings and how long it trains on MNIST."""
    run = study.run(study.arm(name), 0, "mnist")
    return digest([run.arm.settings(), run.epochs])[:16]


def study_digest(study: Study) -> str:
    """Tells whether results are of `study`: the same for all that its file says of arms, blocks and contrasts."""
    arms = [[arm.name, arm.block, arm.title, arm.settings()] for arm in study.arms]
    others = [[vars(value) for value in values] for values in (study.blocks, study.contrasts)]
    declared = [study.declared, study.declared_commit, study.confidence]
    return digest([arms, others, declared, study.on("mnist").epochs])


def training_key(run: Run, data_identity: str) -> TrainingKey:
    """Everything that the trained weights of `run` depend on, component by component."""
    return {
        "spec": run.arm.training_spec(),
        "features": training_key(run.features, data_identity) if run.features else None,
        "seed": run.seed,
        "epochs": run.epochs,
        "dataset": run.dataset,
        "data": data_identity,
        "code": dict(_code(*TRAINING_CODE)),
        "versions": dict(versions("tensorflow", "keras", "numpy")),
    }


def measures_key(run: Run) -> MeasuresKey:
    """Everything that the measures of a trained `run` depend on, apart from what `training_key` has already."""
    return {"readout": run.arm.readout, "code": dict(_code(*MEASURES_CODE))}
