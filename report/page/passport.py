"""A figure's passport: the runs behind it, how they were configured, when, and how to repeat them.

Data, versions and the settings that most arms have are the same for all figures: the page's Methods say them once.
Pure: the results in, words' raw material out; the template passport.html says it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, cast

from experiments.analysis.results import ArmResult, Results, Settings, Summary
from experiments.plots.figures import Figure
from experiments.study.model import SETTINGS, SettingValue

_LABELS = {  # what settings are called whose own names do not say it
    "hidden": "hidden activation",
    "depth": "hidden layers",
    "width": "units",
    "output": "output activation",
    "low_target": "target of wrong classes",
    "high_target": "target of the right class",
    "initializer": "initial kernels",
    "l2": "L2 penalty",
    "output_kernel_scale": "factor on the output layer’s first kernel",
    "holdout": "held-out training images",
    "features_of": "hidden layers taken from",
    "chosen_from": "rate and schedule chosen from",
}
FIELDS = {name: _LABELS.get(name, name.replace("_", " ")) for name in (*SETTINGS, "epochs")}
IN_COLUMNS = (  # of the table of every run
    *("hidden", "depth", "output", "loss", "low_target", "high_target", "optimizer", "learning_rate", "schedule"),
)


class Block(NamedTuple):
    """A block of the study that a figure draws from: how many of its arms, and their seeds, as text."""

    name: str
    arms: int
    seeds: str

    @property
    def single_arm(self) -> bool:
        return self.arms == 1

    @property
    def single_seed(self) -> bool:
        return self.seeds.isdigit()


@dataclass(frozen=True)
class Passport:
    """What stands behind a figure.

    blocks: those of the study that the figure draws from, in their order.
    shared and differing: configuration by name: the one value of all runs where it is not the usual one, or the
    several, in order.
    first_day and last_day: when the runs finished, ISO 8601.
    """

    runs: int
    blocks: tuple[Block, ...]
    shared: Mapping[str, SettingValue]
    differing: Mapping[str, tuple[SettingValue, ...]]
    first_day: str
    last_day: str

    @property
    def single_day(self) -> bool:
        return self.first_day == self.last_day

    @property
    def block_names(self) -> list[str]:
        return [block.name for block in self.blocks]


def passport(results: Results, figure: Figure) -> Passport:
    """The passport of a figure that was drawn from `results`."""
    arms = set(figure.arms)
    runs = [run for run in results["runs"] if run["arm"] in arms]
    blocks: dict[str, list[ArmResult]] = {}
    for arm in (results["arms"][name] for name in figure.arms):
        blocks.setdefault(arm["block"], []).append(arm)
    seeds = {name: ranges(sorted({seed for arm in arms for seed in arm["seeds"]})) for name, arms in blocks.items()}
    values_of = {label: sorted({_values(run)[key] for run in runs}) for key, label in FIELDS.items()}
    days, usual = sorted(run["finished"][:10] for run in runs), usual_settings(results)
    return Passport(
        len(runs),
        tuple(Block(name, len(arms), seeds[name]) for name, arms in blocks.items()),
        {label: values[0] for label, values in values_of.items() if len(values) == 1 and values[0] != usual[label]},
        {label: tuple(values) for label, values in values_of.items() if len(values) > 1},
        days[0],
        days[-1],
    )


def usual_settings(results: Summary) -> dict[str, SettingValue]:
    """The value of each setting that most arms have, by label; "" where most have none."""
    arms = {run["arm"]: _values(run) for run in results["runs"]}
    return {label: Counter(arm[key] for arm in arms.values()).most_common(1)[0][0] for key, label in FIELDS.items()}


def unusual_settings(results: Summary) -> dict[str, dict[str, SettingValue]]:
    """For each arm, by label, what it has unlike most and in no column of its own in the table of every run."""
    usual, keys = usual_settings(results), [key for key in SETTINGS if key not in IN_COLUMNS]
    return {
        name: {FIELDS[key]: value for key in keys if (value := _values(arm)[key]) != usual[FIELDS[key]]}
        for name, arm in results["arms"].items()
    }


def _values(configured: Settings) -> Mapping[str, SettingValue]:
    """What is configured, to be looked up by names that are not written out."""
    return cast(Mapping[str, SettingValue], configured)


def ranges(numbers: Sequence[int]) -> str:
    """Whole numbers in order, neighbours drawn together: [0, 1, 2, 100] → 0–2, 100."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and number == spans[-1][1] + 1:
            spans[-1][1] = number
        else:
            spans.append([number, number])
    return ", ".join(str(low) if low == high else f"{low}–{high}" for low, high in spans)
