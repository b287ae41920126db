"""The figures of the third article: the generic accuracy, and one that names its arms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from experiments.plots import generic, svg
from experiments.plots.figures import Figure
from experiments.plots.formats import plain_percent
from experiments.plots.selection import mean_accuracy
from experiments.plots.style import INK
from experiments.plots.toolkit import finish, labelled_rows


def draw(results: Mapping[str, Any]) -> list[Figure]:
    return [generic.accuracy(results), haste(results)]


def haste(results: Mapping[str, Any]) -> Figure:
    arms = {name: arm for name in ("patient-rate", "hasty-rate") if (arm := results["arms"].get(name))}
    means = [plain_percent(mean_accuracy(arm)) for arm in arms.values()]
    canvas, axes = labelled_rows([arm["title"] for arm in arms.values()], means, "Learning rate")
    for row, arm in enumerate(arms.values()):
        axes.plot([arm["learning_rate"]], [row], "o", color=INK, gid=svg.rows(row))
    return finish(
        canvas,
        "price-of-patience",
        "The price of patience",
        "The learning rate of each arm beside its accuracy.",
        arms=arms,
        columns=("Arm", "Mean accuracy"),
        rows=list(zip(arms, means, strict=True)),
    )
