"""The schema of the files that the experiments leave, as types: mypy checks everyone who writes or reads them.

experiments/README.md describes the same keys for those who read the files without this code; a test compares both.

Accuracies, shares and errors are fractions in 0 … 1, times are seconds, days and times of day are ISO 8601 in UTC. A
number that is undefined or not finite, as after a diverged run, is None. Lists by layer run from the first hidden
layer to the output, lists by epoch from epoch 1, lists by seed have the order of `seeds`.

A page carries less than the files: of each run only what the page shows (`evidence.select_for_page`). Whatever it
leaves out is None in an `Observation`, and therefore in the results that follow from the page.
"""

from __future__ import annotations

from typing import NotRequired, TypedDict, TypeVar

from experiments.store.provenance import Machine

T = TypeVar("T")


def require(value: T | None) -> T:
    """A value that is None only in a page's results, for those who read a part of them that the page carries."""
    if value is None:
        raise ValueError("a number is missing that the page should carry")
    return value


# ---------------------------------------------------------------------------------------------- parts


class Settings(TypedDict):
    """What configures an arm: every field of `study.model.Arm` but its name, its block and its title."""

    hidden: str  # activation of the hidden layers; one for each, as in "tanh, relu", if they differ
    depth: int  # hidden layers
    output: str  # activation of the output layer
    loss: str  # with its arguments in brackets, as all of these have them
    low_target: float  # of a wrong class's output
    high_target: float  # of the right class's output
    width: int  # units in each
    optimizer: str
    learning_rate: float
    batch_size: int  # images
    readout: str  # "as_is" or "half_shift"
    schedule: str  # "constant" or "cosine"
    initializer: str  # of all kernels
    dropout: float  # the fraction of each hidden layer's outputs that training sets to 0
    l2: float  # the factor of the kernels' squares in the loss
    output_kernel_scale: float  # the output layer's initial kernel is multiplied by it
    holdout: int  # training images that are held out
    features_of: str  # the arm whose hidden layers are kept; "" for most
    chosen_from: str  # the pattern of the arms whose best gives rate and schedule; "" for most


class Spread(TypedDict):
    """A fraction over an arm's seeds."""

    mean: float
    standard_deviation: float | None  # None with one seed
    interval: list[float] | None  # [low, high], Student's t for the mean, at `confidence`; None with one seed
    min: float
    max: float


class PlateauEpochs(TypedDict):
    """How many epochs an arm's seeds take to come near their own plateau: see `summary.epochs_to_plateau`."""

    by_seed: list[int]
    mean: float


class Distribution(TypedDict):
    """How outputs are distributed, over all test images."""

    mean: float | None
    quantiles: list[float | None] | None  # at `measures.QUANTILES`
    counts: list[int] | None  # in the 60 bins of `measures.HISTOGRAM_EDGES`; outliers are in the end bins


class CalibrationScores(TypedDict):
    """How reliable the probabilities are: see `measures.calibration`."""

    ece: float | None  # expected calibration error
    ece_as_is: NotRequired[float | None]  # the same before normalising; an older record lacks it
    brier: float | None  # in 0 … 2
    nll: float | None  # nats
    top_mean: NotRequired[float | None]  # mean top probability; a page leaves it out
    sum_before_mean: float | None  # mean row sum before normalising, in 0 … classes
    sum_error: float | None  # mean distance of that sum from 1


class Calibration(CalibrationScores):
    """Of one run."""

    reliability: list[list[float]] | None  # by bin that is not empty: [lower edge, count, mean confidence, accuracy]


class ArmCalibration(CalibrationScores):
    """Of an arm: scores are means over its seeds."""

    reliability: list[list[float]]  # the same over the images of all seeds


class Gradient(TypedDict):
    """The gradient of the loss by layer, at one moment of the training: see training/network_measures.py."""

    delta_rms: NotRequired[list[float | None]]  # a page leaves it out
    kernel_norm: NotRequired[list[float | None]]  # a page leaves it out
    first_over_output: float | None


class Gradients(TypedDict):
    """The gradient by moment; a page has the start alone."""

    start: Gradient
    epoch_1: NotRequired[Gradient]
    final: NotRequired[Gradient]


class Saturation(TypedDict):
    """How much of the network is flat, at one moment of the training: see training/network_measures.py."""

    hidden: NotRequired[list[float | None] | None]  # by hidden layer, tanh or sigmoid; a page has the end's
    dead: NotRequired[list[float | None] | None]  # by hidden layer; None unless ReLU; a page leaves it out
    output_slope_target: float | None  # None for linear and softmax outputs
    output_slope_other: float | None


class Saturations(TypedDict):
    """The saturation by moment; a page has the start and the end alone."""

    start: Saturation
    epoch_1: NotRequired[Saturation]
    final: Saturation


class Push(TypedDict):
    """How much of the push on wrong classes goes to outputs that were low enough: see training/network_measures.py."""

    below_target: float | None  # of the push, what is on outputs below their target
    below_target_mean: float | None  # that push, over the number of all wrong classes' outputs
    ahead: float | None  # of these outputs, those as large as the right class's; None where there are none


class DigitOutputs(TypedDict):
    """The outputs for the 4 of data/strokes.py by class, at three moments of the training, before the readout."""

    start: list[float | None]
    epoch_1: NotRequired[list[float | None]]  # where the training was longer
    final: list[float | None]


class OutputRanges(TypedDict):
    """Outputs by class, over the seeds."""

    mean: list[float | None]
    min: list[float | None]
    max: list[float | None]


class ArmDigitOutputs(TypedDict):
    """The same of an arm."""

    start: OutputRanges
    epoch_1: NotRequired[OutputRanges]
    final: OutputRanges


# ---------------------------------------------------------------------------------------------- runs/<name>-<key>/


class Training(TypedDict):
    """training.json, format 2."""

    format: int
    run: str  # the name of its folder
    key: dict[str, object]  # all that the weights depend on: see `study.keys.training_key`
    weights_sha256: str
    arm: str
    training_loss: list[float | None]  # by epoch; None where it was not finite
    test_accuracy: list[float]  # by epoch, as the model's outputs are; on held-out images where there are some
    epoch_seconds: list[float]  # by epoch
    compile_seconds: float
    predict_seconds: float  # to predict the test images
    map_seconds: float  # what Example 2's map adds to that
    diverged_epoch: int | None  # the first epoch whose loss was not finite
    started: str
    finished: str
    machine: Machine
    python: str  # its version
    commit: NotRequired[str]  # "" where git is missing; runs stored by an early version lack it
    dirty: NotRequired[bool | None]  # whether tracked files differed from the commit


class Measures(TypedDict):
    """measures-<readout>-<key>.json, format 2: the final model on the test images, or on those held out."""

    format: int
    run: str
    key: dict[str, object]  # all that the measures depend on besides the weights: see `study.keys.measures_key`
    test_accuracy: float
    predictions: str  # a character an image: its class, counted from "0"
    wrong_images: list[int]  # the positions of those classified wrongly
    confusion: list[list[int]]  # counts, [true class][predicted class]
    target_outputs: Distribution  # of the units of the right class
    other_outputs: Distribution  # of all other units
    tied_share: float | None  # of images whose largest output is not the only one of its size
    row_sum_mean: float | None  # mean sum of an image's outputs
    negative_share: float | None  # of outputs
    calibration: Calibration
    gradient: Gradients
    saturation: Saturations
    push: Push  # at the end of the training
    digit_outputs: DigitOutputs | None  # None except on MNIST
    training_accuracy: float  # of the images trained on
    least_squares_accuracy: float | None  # see `measures.LeastSquares`; None where the last hidden layer is too wide


# ---------------------------------------------------------------------------------------------- evidence.json


class Observation(TypedDict):
    """What the statistics need of one run. What contrasts are computed from is exact, all else is rounded.

    In the files, only what is said to be None sometimes is. In a page, all but the first ones may be None.
    """

    arm: str
    seed: int
    learning_rate: float  # possibly one that other runs chose
    schedule: str
    images: int  # that were classified
    wrong: int  # how many of them wrongly
    diverged_epoch: int | None
    finished: str
    python: str
    processor: str
    versions: dict[str, str]  # by package
    changed_predictions: int | None  # images classified otherwise than without the arm's map; None without a map
    wrong_images: list[int] | None  # their positions
    test_accuracy_by_epoch: list[float] | None
    training_loss_by_epoch: list[float | None] | None
    epoch_seconds: list[float] | None
    predict_seconds: float | None
    map_seconds: float | None
    confusion: list[list[int]] | None
    target_outputs: Distribution | None
    other_outputs: Distribution | None
    tied_share: float | None
    row_sum_mean: float | None
    negative_share: float | None
    calibration: Calibration | None
    gradient: Gradients | None
    saturation: Saturations | None
    push: NotRequired[Push | None]  # older evidence lacks it
    digit_outputs: NotRequired[DigitOutputs | None]  # older evidence lacks it
    training_accuracy: NotRequired[float | None]  # older evidence lacks it
    least_squares_accuracy: NotRequired[float | None]  # older evidence lacks it
    started: NotRequired[str]  # a page leaves out this and what follows
    threads: NotRequired[int]
    commit: NotRequired[str]
    dirty: NotRequired[bool | None]
    key: NotRequired[str]  # the first 16 digits of the digest of the run's key


class DatasetSpec(TypedDict):
    """A data set, as `data.datasets` knows it before it is read."""

    name: str
    arrays_sha256: list[str]
    train_images: int
    test_images: int
    image_shape: list[int]
    classes: int
    pixel_max: int


class SourceDescription(TypedDict):
    """Where the images come from: see `data.sources.Source`."""

    facts: DatasetSpec
    origin: str  # in words
    fallback: str  # why digits stand in for MNIST, or ""


class Observations(TypedDict):
    """All that results are derived from."""

    format: int
    quick: bool  # whether this is the small version of the study
    source: SourceDescription | None  # None in a page that shows the record alone: then nothing is derived from it
    record: str  # SHA-256 of the record that the results are merged with, or ""
    arms: dict[str, str]  # by arm that was observed: the digest of its configuration, to recognise another study's
    expected: dict[str, int]  # by data set: how many runs the study has there
    runs: list[Observation]
    replications: dict[str, list[Observation]]  # by data set beside MNIST
    not_replicated: dict[str, str]  # by data set that is unavailable: why


class EvidenceFile(Observations):
    """evidence.json, format 2."""

    inputs: str  # digest of all that the file depends on


class PageEvidence(Observations):
    """The evidence in a page, format 2, unpacked."""

    url: str  # where the newest page is published, or ""
    version: NotRequired[str]  # the name under which this page stays published, or ""
    measuring: bool  # whether the measurements had just begun
    networks: NotRequired[str]  # SHA-256 of the networks that run in the page, or ""


# ---------------------------------------------------------------------------------------------- results.json


class DatasetDescription(TypedDict):
    """The data set in numbers and words."""

    name: str
    train_images: int
    test_images: int
    image_shape: list[int]  # pixels down and across, and colours if there are several
    classes: int
    origin: str
    fallback: str  # why digits stand in for MNIST, or ""
    arrays_sha256: dict[str, str]  # by array
    not_measured_because: NotRequired[str]  # only where the record's numbers stand in for MNIST
    measuring: NotRequired[bool]  # only where nothing at all was measured yet: whether that has begun


class RunResult(Settings):
    """One run. Either both `test_` keys or both `held_out_` keys have a value."""

    arm: str
    seed: int
    dataset: str
    epochs: int
    test_accuracy: float | None
    held_out_accuracy: float | None
    test_accuracy_by_epoch: list[float] | None
    held_out_accuracy_by_epoch: list[float] | None
    training_accuracy: float | None  # of the images trained on; None also in older records, like the next
    least_squares_accuracy: float | None  # with the exact least-squares readout of the last hidden layer
    training_loss_by_epoch: list[float | None] | None
    train_seconds: float | None
    epoch_seconds: list[float] | None
    predict_seconds: float | None
    map_seconds: float | None
    diverged_epoch: int | None
    started: str | None
    finished: str
    processor: str
    threads: int | None
    python: str
    commit: str | None
    dirty: bool | None
    key: str | None


class ReadoutResult(TypedDict):
    """How another readout of an arm's models changes what they predict."""

    arm: str  # the one whose outputs are mapped
    changed: int  # predictions
    compared: int  # predictions
    changed_share: float | None  # None where nothing was compared


class ArmResult(Settings):
    """An arm over its seeds: counts are summed, all else is the mean over seeds, None where a seed has none."""

    title: str
    block: str
    question: str  # the block's
    readout_of: ReadoutResult | None  # None where the outputs are read as they are
    seeds: list[int]
    test_accuracy: Spread | None  # None where images are held out
    held_out_accuracy: Spread | None  # None where none are
    test_error: Spread | None  # 1 − accuracy
    held_out_error: Spread | None
    training_accuracy: NotRequired[Spread | None]  # of the images trained on; older records lack this and what follows
    generalization_gap: NotRequired[float | None]  # mean training accuracy − mean accuracy
    least_squares_accuracy: NotRequired[Spread | None]  # with the exact least-squares readout of the last hidden layer
    always_wrong: NotRequired[int | None]  # images that every run gets wrong; None with one seed
    plateau: NotRequired[float | None]  # mean accuracy of the last epochs: see `summary.PLATEAU_EPOCHS`
    epochs_to_plateau: NotRequired[PlateauEpochs | None]
    mean_epoch_accuracy: float | None  # over epochs and seeds
    first_epoch_at: dict[str, list[int | None]]  # by accuracy ("0.95"): the first epoch that reaches it, by seed
    diverged_seeds: int
    epoch_seconds: float | None  # median
    predict_seconds: float | None  # median
    map_seconds: float | None  # median
    confusion: list[list[int]] | None
    target_outputs: Distribution
    other_outputs: Distribution
    tied_share: NotRequired[float | None]  # an older record lacks it
    row_sum_mean: float | None
    negative_share: float | None
    calibration: ArmCalibration | None
    gradient: Gradients | None
    saturation: Saturations | None
    push: NotRequired[Push | None]  # older records lack it
    digit_outputs: NotRequired[ArmDigitOutputs | None]  # older records lack it


class ContrastResult(TypedDict):
    """A predeclared comparison: accuracy of arm `first` minus that of `second`, paired by seed.

    Where fewer than two pairs are measured, `n` is 0 and all that follows it is missing. Lists are by pair.
    """

    name: str
    question: str
    first: str
    second: str
    equivalence_margin: float | None  # None: the question is whether the difference is 0
    confirmatory: bool  # whether it is tested; the others are described by their interval
    n: int  # pairs
    differences: NotRequired[list[float]]
    mean: NotRequired[float]
    interval: NotRequired[list[float]]  # [low, high], Student's t over seeds, at `confidence`
    prediction_interval: NotRequired[list[float]]  # [low, high], for the mean of ten further seeds, at `confidence`
    two_way_interval: NotRequired[list[float]]  # [low, high], seeds and images as random effects, at `confidence`
    bootstrap: NotRequired[list[float]]  # [low, high], over seeds and images drawn anew, at `confidence`
    image_share: NotRequired[float | None]  # of the scatter over seeds, what finitely many images explain; None: none
    superiority: NotRequired[float]  # of all pairs of runs, those with the first ahead; ties count half
    detectable: NotRequired[float]  # the difference that is found with a power of 0.8
    seeds_agreeing: NotRequired[int]  # whose difference has the sign of the mean
    discordant: NotRequired[list[list[int]]]  # images that [only the first, only the second] gets right
    mcnemar_p: NotRequired[list[float]]
    mcnemar_share: NotRequired[float]  # of `mcnemar_p`, those below 1 − confidence
    p: NotRequired[float]  # exact, by sign flips
    p_holm: NotRequired[float]  # adjusted for the declared family
    p_smallest: NotRequired[float]  # the smallest p_holm that n pairs can give, all other contrasts as they are
    equivalence_interval: NotRequired[list[float]]  # only with a margin: [low, high], of the two one-sided t tests
    equivalent: NotRequired[bool]  # only with a margin: whether that interval is inside it


class ComparedContrast(TypedDict):
    """A contrast that both this machine and the record have measured."""

    name: str
    here: float  # the mean difference
    there: float
    agree: bool  # whether the intervals overlap


class RecordComparison(TypedDict):
    """Which contrasts agree with the record."""

    recorded: str  # the day
    processors: list[str]  # of the record
    contrasts: list[ComparedContrast]


class Summary(TypedDict):
    """Everything that was measured on one data set."""

    dataset: DatasetDescription
    runs_expected: int
    runs_missing: NotRequired[dict[str, int]]  # by block that lacks some; an older record lacks it
    runs: list[RunResult]
    arms: dict[str, ArmResult]  # by name
    contrasts: list[ContrastResult]  # all that are declared
    declared: str  # the day on which they were, or "" where there are none
    declared_commit: NotRequired[str]  # the git commit that did it, or ""; an older record lacks it
    confidence: float  # of all intervals
    versions: list[list[str]]  # [package, version]
    processors: list[str]
    pythons: list[str]  # versions


class Measurements(Summary):
    """Everything that was measured, before the record comes into it."""

    replications: dict[str, Summary]  # the same by data set beside MNIST, of those measured
    not_replicated: dict[str, str]  # by data set of the study that was not measured: why
    recorded: str | None  # the day of the record whose numbers these are; None where they were measured here
    quick: bool  # whether this is the small version of the study


class Results(Measurements):
    """All that the page shows. The top level is MNIST, the data set that DATASET_NPZ names, or what stands in."""

    record_comparison: RecordComparison | None  # None where there is no record, or where these are its numbers


class ResultsFile(Results):
    """results.json, format 3."""

    format: int
    inputs: str  # digest of all that the file depends on
    study: str  # digest of the study that was measured


# ---------------------------------------------------------------------------------------------- record.json


class Record(Summary):
    """The record as it is read."""

    recorded: str  # the day on which its last run was finished
    replications: dict[str, Summary]  # by data set beside MNIST


class RecordFile(TypedDict):
    """record.json, format 4. Of each run it has only what its arm does not say, and nothing that is None."""

    format: int
    recorded: str
    results: Summary
    replications: dict[str, Summary]
