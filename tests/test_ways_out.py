"""The page's changes to Example 1's code do what they say: each is applied to the article's own lines and run."""

from __future__ import annotations

import html
import re

import keras
import numpy as np
import pytest

from experiments.data import datasets
from report.article import document
from tests import fixture

WAYS = re.findall(r'<pre[^>]*aria-label="(.*?)"><code>(.*?)</code></pre>', (fixture.PROSE / "code.html").read_text())


def changed(lines: str) -> str:
    """The article's first code block after the change: what is put in stands where what is taken out stood."""
    code = next(part.source for part in document.load(fixture.ARTICLE).parts if part.kind == "code") + "\n"
    for old, new in re.findall(r"<del>-(.*?)</del>((?:<ins>.*?</ins>)+)", lines):
        put_in = [html.unescape(line) for line in re.findall(r"<ins>\+(.*?)</ins>", new)]
        assert code.count(f"{html.unescape(old)}\n") == 1
        code = code.replace(f"{html.unescape(old)}\n", "".join(f"{line}\n" for line in put_in))
    return code


@pytest.mark.parametrize(("name", "lines"), WAYS, ids=[name for name, _ in WAYS])
def test_a_way_out_applies_to_the_articles_code(name: str, lines: str) -> None:
    assert compile(changed(lines), name, "exec") != compile(changed(""), name, "exec")


LEARNS = pytest.mark.slow("trains, as the one-sided error does in `make test`")


@pytest.mark.filterwarnings("ignore:Do not pass an `input_shape`")  # as the article does
@pytest.mark.parametrize(
    ("name", "lines"),
    [pytest.param(*way, id=way[0], marks=[] if way[0] == "A one-sided error" else [LEARNS]) for way in WAYS],
)
def test_the_articles_code_learns_with_a_way_out(
    digits: datasets.Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    name: str,
    lines: str,
) -> None:
    """On scikit-learn's digits in MNIST's shape, in place of MNIST."""
    sets = [(digits.x_train, digits.y_train), (digits.x_test, digits.y_test)]
    enlarged = [(np.pad(np.kron(x.reshape(-1, 8, 8), np.ones((3, 3))), ((0, 0), (2, 2), (2, 2))), y) for x, y in sets]
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: [(15 * x, y) for x, y in enlarged])
    keras.utils.set_random_seed(0)
    exec(compile(changed(lines), name, "exec"), {})
    assert float(re.findall(r"Test accuracy: ([\d.]+)", capsys.readouterr().out)[-1]) > 0.85


def test_the_one_sided_error_is_the_one_that_was_measured() -> None:
    """Nothing is charged for an output below 0 on a wrong class; all else as squared error, the mean over outputs."""
    (code,) = [changed(lines) for name, lines in WAYS if name == "A one-sided error"]
    loss = eval(re.search(r"loss=(lambda.*?axis=-1\))", code, re.DOTALL)[1], {"keras": keras})  # type: ignore[index]
    found = loss(np.array([[1.0, 0.0, 0.0]], "float32"), np.array([[0.5, -0.9, 0.2]], "float32"))
    assert np.asarray(found) == pytest.approx([(0.25 + 0 + 0.04) / 3])
