"""The article's code blocks, executed as printed, score what the study's arms score.

Their elisions are filled from Example 1's lines, each gets a fresh model, and only the data loader is replaced.
"""

from __future__ import annotations

import re

import keras
import pytest

from experiments import data, measures, study
from experiments.training import Trainer
from report import article

MODEL = "# ... (same model as Example 1) ...\n"
LOADING = "# ... (data loading as in Example 1) ...\n"


def code_blocks() -> list[str]:
    """The three code blocks with their elisions filled from the first."""
    first, second, third = (part.source + "\n" for part in article.load().parts if part.kind == "code")
    model = first[first.index("model = keras") : first.index("model.compile")]
    loading = first[first.index("(x_train, y_train)") : first.index("model.fit")]
    assert MODEL in second
    assert LOADING in second
    assert LOADING in third
    return [first, second.replace(MODEL, model).replace(LOADING, loading), third.replace(LOADING, loading)]


@pytest.mark.parametrize(("index", "name"), enumerate(("example-1", "example-2", "example-3")))
def test_the_articles_code_scores_what_the_study_measures(
    plan: study.Study,
    mnist: data.Dataset,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    index: int,
    name: str,
) -> None:
    loaded = (mnist.x_train.reshape(-1, 28, 28), mnist.y_train), (mnist.x_test.reshape(-1, 28, 28), mnist.y_test)
    monkeypatch.setattr(keras.datasets.mnist, "load_data", lambda: loaded)
    keras.utils.set_random_seed(0)
    exec(compile(code_blocks()[index], f"code block {index + 1}", "exec"), {})
    printed = float(re.findall(r"Test accuracy: ([\d.]+)", capsys.readouterr().out)[-1])

    arm = plan.arm(name)
    trainer = Trainer(arm, mnist)
    trainer.train(0, plan.epochs["mnist"])
    measured = measures.measure(measures.read_out(trainer.outputs(), arm.readout), mnist.y_test)
    assert printed == pytest.approx(measured["test_accuracy"], abs=0.005)
