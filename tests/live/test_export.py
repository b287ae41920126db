"""live.json is made of the stored weights, only when they changed, and says which runs it is from."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from experiments.data import datasets
from experiments.data.datasets import Dataset
from experiments.data.sources import DIGITS, Source
from experiments.files.errors import UserError
from experiments.live import copies, export
from experiments.store.store import Store
from experiments.study import keys
from experiments.study.model import Study
from report.article.folder import open_folder
from report.page import site
from tests import fixture
from tests.live import networks

ARMS = ("example-1", "example-3")
MNIST = Source(datasets.MNIST, None, "a fixture")
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (80, 784)).astype(np.uint8)
LABELS = (np.arange(80) % 10).astype(np.uint8)


@pytest.fixture(autouse=True)
def made_up_images(monkeypatch: pytest.MonkeyPatch) -> None:
    dataset = Dataset("mnist", IMAGES[:60], LABELS[:60], IMAGES[60:], LABELS[60:], 255, 10)
    monkeypatch.setattr(Source, "load", lambda self: dataset)
    monkeypatch.setattr(export, "TRIED", 1)


def train(plan: Study, store: Store, shift: float = 0.0) -> None:
    """Stores a run of each arm with the first seed."""
    for name in ARMS:
        run = plan.run(plan.arm(name), plan.block("examples").seeds[0], "mnist")
        entry = store.entry(run, MNIST.identity)
        rng = np.random.default_rng(run.seed)
        shapes = ((784, 128), (128,), (128, 10), (10,))
        weights = [(rng.normal(0, 0.1, shape) + shift).astype(np.float32) for shape in shapes]
        store.save_training(entry, fixture.training(run, 0.97), {"epoch_1": weights, "final": weights})
        store.save_measures(entry, {"test_accuracy": 0.97})


def test_it_says_which_runs_it_is_from_and_is_made_once(plan: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    train(plan, store)
    assert export.update(plan, ARMS, MNIST, store).startswith("2 copied, ")
    made = export.read(tmp_path / export.FILE)
    for name, network in zip(ARMS, made["networks"], strict=True):
        entry = store.entry(plan.run(plan.arm(name), 300, "mnist"), MNIST.identity)
        assert (network["arm"], network["seed"]) == (name, 300)
        assert network["run"] == keys.digest(entry.key)[:16]
        assert network["weights_sha256"] == entry.training()["weights_sha256"]
    runs = [{"arm": n["arm"], "seed": n["seed"], "key": n["run"]} for n in made["networks"]]
    assert export.are_of(made, runs)
    assert not export.are_of(made, runs[1:])
    assert export.update(plan, ARMS, MNIST, store) == "nothing to do"
    assert export.update(plan, ARMS[:1], MNIST, store).startswith("1 copied, ")


def test_it_is_made_again_from_other_weights_and_where_it_was_damaged(plan: Study, tmp_path: Path) -> None:
    stores = Store(tmp_path / "one"), Store(tmp_path / "other")
    for store, shift in zip(stores, (0.0, 0.1), strict=True):
        train(plan, store, shift)
    export.update(plan, ARMS, MNIST, stores[0])
    path, other = (store.root / export.FILE for store in stores)
    content = path.read_bytes()
    other.write_bytes(content)
    assert export.update(plan, ARMS, MNIST, stores[1]).startswith("2 copied, ")
    path.write_bytes(content.replace(b'"agreement":', b'"agreement": '))
    with pytest.raises(UserError, match=r"live\.json: not what this version wrote"):
        export.read(path)
    assert export.update(plan, ARMS, MNIST, stores[0]).startswith("2 copied, ")
    assert path.read_bytes() == content


def test_it_is_left_out_where_weights_or_the_right_images_are_missing(plan: Study, tmp_path: Path) -> None:
    store = Store(tmp_path)
    assert export.update(plan, ARMS, MNIST, store) == "left out: not all of them are measured yet"
    assert export.update(plan, ARMS, DIGITS, store) == "left out: they need mnist, and this is digits"
    assert not (tmp_path / export.FILE).exists()


def test_contested_drawings_are_misread_by_the_first_network_and_read_by_another() -> None:
    def always(answer: int) -> copies.Layers:
        return copies.Layers([(np.zeros((784, 10)), np.eye(10)[answer])], [copies.OUTPUT["linear"]])

    found = export.contested([always(3), always(7)])
    assert [drawing["digit"] for drawing in found] == [7]
    assert export.contested([always(3), always(3)]) == []


# ---------------------------------------------------------------------------------------------- the declaration


def article(folder: Path, declared: str) -> Path:
    for name in ("article.md", "claims.toml", "study.toml"):
        (folder / name).write_text((fixture.DEFAULT.parents[1] / "tests" / "second" / name).read_text())
    (folder / "prose").mkdir()
    (folder / "prose" / "article.toml").write_text(declared)
    return folder


def table(arm: str) -> str:
    return f'[[live]]\narm = "{arm}"\nlabel = "a"\nnote = "b"\n'


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        (table("nowhere"), r"article\.toml:2: live 1\.arm is \"nowhere\"\. Expected an arm of .*study\.toml"),
        ('[[live]]\narm = "a"\ncolour = "red"\n', r"article\.toml:3: unknown key 'colour'"),
        (table("a") * 4, r"live is \"4 tables\"\. Expected at most 3"),
    ],
)
def test_a_mistake_in_what_is_declared_is_one_line_with_its_place(tmp_path: Path, declared: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        open_folder(article(tmp_path, declared)).load_live()


def test_a_network_of_another_kind_is_refused_with_what_is_possible(tmp_path: Path) -> None:
    folder = article(tmp_path, table("gelu"))
    study = folder / "study.toml"
    block = re.findall(r'^block = (".*")', study.read_text(), re.MULTILINE)[0]
    study.write_text(f'{study.read_text()}\n[[arms]]\nname = "gelu"\nblock = {block}\nhidden = "gelu"\n')
    with pytest.raises(UserError, match=r"Expected a network that can run in the page: hidden layers of tanh or relu"):
        open_folder(folder).load_live()


def test_this_article_declares_the_three_that_are_committed() -> None:
    folder = open_folder()
    declared = [network.arm for network in folder.load_live()]
    assert declared == [network["arm"] for network in networks.committed()["networks"]]
    assert not open_folder(Path(__file__).parents[1] / "second").load_live()


def test_the_records_networks_are_only_those_of_this_record(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = open_folder()
    assert site.recorded_networks(folder) == ""  # the tests have a record of their own
    monkeypatch.setattr(site.records, "RECORD", fixture.DEFAULT.parents[1] / "experiments" / "record.json")
    assert site.recorded_networks(folder) == networks.text(networks.committed())
