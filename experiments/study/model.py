"""Study, Arm, Block, Contrast and Run: what study.toml says, as frozen values. Nothing here trains or reads data."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields, replace
from fnmatch import fnmatch
from pathlib import Path

from experiments.data.datasets import DIGITS, MNIST, DatasetSpec
from experiments.files.errors import UserError, display_path

SettingValue = str | int | float  # of one setting of an arm
PartValue = bool | int | float | str  # of one argument of a part

MAX_RUNS = 20_000  # a product of lists grows fast


@dataclass(frozen=True)
class Part:
    """An activation, loss, optimizer or initializer by its name in Keras, or a loss of ours.

    `arguments`: those that are not Keras' own defaults, sorted by name.
    """

    name: str
    arguments: tuple[tuple[str, PartValue], ...] = ()

    def __str__(self) -> str:
        arguments = ", ".join(f"{name}={value}" for name, value in self.arguments)
        return f"{self.name}({arguments})" if arguments else self.name


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One configuration of the network and its training; all its runs differ only in their seed.

    `name`, `block`, `title` and `readout` say how it is reported; every other field changes the trained weights.
    `low_target` and `high_target` are what a wrong and the right class's output is trained towards.
    `hidden`: the activation of each hidden layer; there are as many as the network is deep.
    `schedule`: the learning rate stays, or falls to 0 over the run along half a cosine.
    `initializer`: of every layer's kernel; biases start at 0.
    `dropout`: the fraction of each hidden layer's outputs that training sets to 0; `l2`: the factor of the squares of
    all kernels that train, which are added to the loss.
    `output_kernel_scale`: the output layer's initial kernel is multiplied by this.
    `holdout`: so many of the last training images are held out, and measured on in place of the test images.
    `features_of`: the hidden layers are those that this arm's run of the same seed has learned, and stay as they are.
    `chosen_from`: learning rate and schedule are those of the best arm whose name matches this pattern.
    """

    name: str
    block: str
    title: str
    hidden: tuple[Part, ...]
    output: Part
    loss: Part
    low_target: float = 0.0
    high_target: float = 1.0
    width: int
    optimizer: Part
    learning_rate: float
    batch_size: int
    readout: str = "as_is"
    schedule: str = "constant"
    initializer: Part = Part("glorot_uniform")
    dropout: float = 0.0
    l2: float = 0.0
    output_kernel_scale: float = 1.0
    holdout: int = 0
    features_of: str = ""
    chosen_from: str = ""

    @property
    def depth(self) -> int:
        """How many hidden layers there are."""
        return len(self.hidden)

    def training_spec(self) -> dict[str, SettingValue]:
        """The fields that change the trained weights, by name."""
        elsewhere = ("readout", "features_of", "chosen_from")
        return {name: value for name, value in self.settings().items() if name not in elsewhere}

    def settings(self) -> dict[str, SettingValue]:
        """What configures the arm, by name, as plain values: arms with the same settings are the same network.

        A part is its name with its arguments; `hidden` is one where all layers have the same, else one for each.
        """
        values = {name: getattr(self, name) for name in SETTINGS}
        plain = {name: str(value) if isinstance(value, Part) else value for name, value in values.items()}
        return plain | {"hidden": ", ".join(map(str, self.hidden[:1] if len(set(self.hidden)) == 1 else self.hidden))}

    def computation(self) -> tuple[SettingValue, ...]:
        """What arms have in common that can share one compilation: rates, targets and starts are only its input."""
        parts = (*self.hidden, self.output, self.loss, self.optimizer)
        return (
            *map(str, parts),
            self.width,
            self.dropout,
            self.l2,
            self.batch_size,
            self.holdout,
            bool(self.features_of),
        )


_REPORTED = ("name", "block", "title")
SETTINGS = ("hidden", "depth", *(f.name for f in fields(Arm) if f.name not in ("hidden", *_REPORTED)))


@dataclass(frozen=True)
class Block:
    """Arms that answer one question together, over the same seeds.

    `epochs` of each run, where they are not the data set's own. The `early` blocks are trained first, and the page is
    written as soon as each of them is measured.
    """

    name: str
    question: str
    seeds: tuple[int, ...]
    epochs: int | None = None
    early: bool = False


@dataclass(frozen=True)
class DatasetRuns:
    """Which of the study's runs a data set has.

    `epochs` of each run, unless its block says otherwise. `arms`: the names of those that run on it, None for all.
    `seeds`: only the first so many of each block, None for all.
    """

    epochs: int
    arms: frozenset[str] | None = None
    seeds: int | None = None

    def has(self, arm: Arm) -> bool:
        return self.arms is None or arm.name in self.arms


@dataclass(frozen=True)
class Contrast:
    """A predeclared comparison: final test accuracy of arm `first` minus that of arm `second`, paired by seed.

    With `equivalence_margin` (a fraction of the test images) the question is whether the difference lies within
    ± that margin; without it, whether it differs from 0. The `confirmatory` ones are one family, tested with Holm's
    correction; the others are described by an interval and have no p-value.
    """

    name: str
    question: str
    first: str
    second: str
    equivalence_margin: float | None = None
    confirmatory: bool = True


@dataclass(frozen=True)
class Run:
    """One training: an arm, a seed, a data set, for how many epochs, and the run whose hidden layers it keeps."""

    arm: Arm
    seed: int
    dataset: str
    epochs: int
    features: Run | None = None

    @property
    def cost(self) -> float:
        """What the run takes, in epochs of MNIST with one hidden layer; each further one adds a sixth.

        All data sets but the digits count as MNIST: Fashion-MNIST has its size, and no other one runs beside them.
        """
        share = DIGITS.train_images / MNIST.train_images if self.dataset == DIGITS.name else 1
        return self.epochs * (1 + (self.arm.depth - 1) / 6) * share

    def __str__(self) -> str:
        return f"{self.arm.name}, seed {self.seed}, on {self.dataset}"


@dataclass(frozen=True)
class Study:
    """All that study.toml says."""

    path: Path
    datasets: Mapping[str, DatasetRuns]  # by name; MNIST is among them
    blocks: tuple[Block, ...]
    arms: tuple[Arm, ...]
    contrasts: tuple[Contrast, ...]
    declared: str  # the day on which the contrasts were fixed, ISO 8601, or "" where there are none
    declared_commit: str  # the git commit that fixed them, or ""
    confidence: float

    def arm(self, name: str) -> Arm:
        return next(arm for arm in self.arms if arm.name == name)

    def block(self, name: str) -> Block:
        return next(block for block in self.blocks if block.name == name)

    @property
    def replications(self) -> tuple[str, ...]:
        """The data sets beside MNIST on which some arms run too."""
        return tuple(name for name, runs in self.datasets.items() if name != MNIST.name and runs.arms)

    def on(self, dataset: str) -> DatasetRuns:
        """Which runs `dataset` has; one that the study does not name has those of MNIST."""
        return self.datasets.get(dataset, self.datasets[MNIST.name])

    def about(self, spec: DatasetSpec) -> Study:
        """The study as it runs where the page is about this data set.

        On one that takes MNIST's place all of it runs, but for the arms that are `left_out`.
        """
        if spec.name in (MNIST.name, DIGITS.name):
            return self
        left_out = {arm.name for arms in self.left_out(spec) for arm in arms}
        kept = frozenset(arm.name for arm in self.arms if arm.name not in left_out)
        runs = self.datasets[MNIST.name]
        return replace(self, datasets={MNIST.name: replace(runs, arms=kept) if left_out else runs})

    def left_out(self, spec: DatasetSpec) -> tuple[list[Arm], list[Arm]]:
        """The arms that hold out more than half of the training images, and those that depend on such arms."""
        holding_out = [arm for arm in self.arms if arm.holdout > spec.train_images // 2]
        names = {arm.name for arm in holding_out}
        while more := {arm.name for arm in self.arms if arm.name not in names and self._builds_on(arm, names)}:
            names |= more
        return holding_out, [arm for arm in self.arms if arm.name in names and arm not in holding_out]

    def _builds_on(self, arm: Arm, names: Collection[str]) -> bool:
        """Whether `arm` takes something from an arm with one of these names."""
        return arm.features_of in names or any(candidate.name in names for candidate in self._candidates(arm))

    def _candidates(self, arm: Arm) -> list[Arm]:
        """The arms of which `arm` takes the best one's learning rate and schedule."""
        pattern = arm.chosen_from
        return [other for other in self.arms if pattern and fnmatch(other.name, pattern) and not other.chosen_from]

    def seeds(self, arm: Arm, dataset: str) -> tuple[int, ...]:
        return self.block(arm.block).seeds[: self.on(dataset).seeds]

    def runs(self, dataset: str, only: Collection[str] = ()) -> list[Run]:
        """Every run on `dataset` in the file's order, of all blocks or of those named in `only`.

        Raises `UserError` if there is no block of such a name.
        """
        names = [block.name for block in self.blocks]
        for name in only:
            if name not in names:
                problem = f"ONLY={','.join(only)}: '{name}' is no block of {display_path(self.path)}"
                raise UserError(f"{problem}. Known: {', '.join(names)}. Name one of these, or several with commas.")
        return [
            self.run(arm, seed, dataset)
            for block in self.blocks
            if not only or block.name in only
            for arm in self.arms
            if arm.block == block.name and self.on(dataset).has(arm)
            for seed in self.seeds(arm, dataset)
        ]

    def quick(self) -> Study:
        """A small version for trying things out: the main blocks at two seeds, one arm of each other block at one.

        The main blocks are the early ones and those with arms that run on another data set too. Two epochs each, but
        for the digits. Arms that build on others are left out.
        """
        elsewhere = {name for dataset in self.replications for name in self.datasets[dataset].arms or ()}
        main = {block.name for block in self.blocks if block.early}
        main |= {arm.block for arm in self.arms if arm.name in elsewhere}
        alone = [arm for arm in self.arms if not arm.chosen_from and not arm.features_of]
        first = {arm.block: arm for arm in reversed(alone)}
        blocks = (replace(block, seeds=block.seeds[: 1 + (block.name in main)]) for block in self.blocks)
        return replace(
            self,
            blocks=tuple(replace(block, epochs=block.epochs and min(2, block.epochs)) for block in blocks),
            arms=tuple(arm for arm in alone if arm.block in main or arm is first[arm.block]),
            datasets={
                name: runs if name == DIGITS.name else replace(runs, epochs=min(2, runs.epochs))
                for name, runs in self.datasets.items()
            },
        )

    def run(self, arm: Arm, seed: int, dataset: str) -> Run:
        epochs = self.block(arm.block).epochs or self.on(dataset).epochs
        features = self.run(self.arm(arm.features_of), seed, dataset) if arm.features_of else None
        return Run(arm, seed, dataset, epochs, features)

    def check(self, spec: DatasetSpec) -> None:
        """Raises `UserError` where an arm holds out more than half of the training images, or lacks a whole batch."""
        for arm in filter(self.on(spec.name).has, self.arms):
            images = f"the {spec.train_images} training images of {spec.name}"
            if arm.holdout > spec.train_images // 2:
                raise UserError(
                    f"{display_path(self.path)}: arm '{arm.name}' holds out {arm.holdout} of {images}. "
                    "Expected at most half. Lower it."
                )
            if arm.batch_size > spec.train_images - arm.holdout:
                rest = f"{spec.train_images - arm.holdout} of " if arm.holdout else ""
                raise UserError(
                    f"{display_path(self.path)}: arm '{arm.name}' has batches of {arm.batch_size} images and trains on "
                    f"{rest}{images}. Expected at least one whole batch. Lower batch_size or use more images."
                )

    def needs(self, run: Run) -> list[Run]:
        """The runs that must be measured before `run` can be trained."""
        arms = self._candidates(run.arm)
        candidates = [self.run(arm, seed, run.dataset) for arm in arms for seed in self.seeds(arm, run.dataset)]
        return candidates + ([run.features] if run.features else [])

    def choose_settings(self, run: Run, score: Callable[[Run], float | None]) -> Run | None:
        """`run` with the learning rate and schedule of the best of its candidates; None while one is not measured.

        The best has the highest mean `score` over its seeds; `score` is None for a run that is not measured.
        """
        if not run.arm.chosen_from:
            return run
        scores: dict[Arm, list[float]] = {}
        for candidate in self.needs(replace(run, features=None)):
            accuracy = score(candidate)
            if accuracy is None:
                return None
            scores.setdefault(candidate.arm, []).append(accuracy)
        best = max(scores, key=lambda arm: sum(scores[arm]) / len(scores[arm]))
        return replace(run, arm=replace(run.arm, learning_rate=best.learning_rate, schedule=best.schedule))
