"""`make bench`: seconds per epoch of the article's script, of two ways between, of ours and of the floor, as ratios.

All are measured in one run, each in a process of its own, in turn, so that the machine's drift falls on all alike; the
median of the rounds counts. The network is Example 1's: 784-128-10, batch 32, Adam.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from experiments.data import datasets
from experiments.study import keys
from experiments.study import load as studies

ROUNDS = 3
EPOCHS = 3  # timed in each round, after one that is not
WAYS = {
    "article": "model.fit as the article has it, all threads",
    "fit": "model.fit, jit_compile, an epoch an execution",
    "ours": "this project's epoch, one thread",
    "floor": "matrix products and Adam alone, one thread",
}


def main() -> None:
    path = os.environ.get("MNIST_NPZ") or str(Path.home() / ".keras" / "datasets" / "mnist.npz")
    if not Path(path).exists():
        sys.exit("error: the benchmark needs MNIST. Name it: MNIST_NPZ=path/to/mnist.npz make bench")
    seconds: dict[str, list[float]] = {way: [] for way in (*WAYS, "two")}
    memory = 0.0
    for number in range(1, ROUNDS + 1):
        print(f"Round {number} of {ROUNDS} …", flush=True)
        for way in WAYS:
            took, megabytes = measure(way, path)
            seconds[way].append(took)
            memory = max(memory, megabytes) if way == "ours" else memory
        with ThreadPoolExecutor(2) as both:
            pair = list(both.map(lambda _: measure("ours", path)[0], range(2)))
        seconds["two"].append(1 / sum(1 / took for took in pair))
    report({way: statistics.median(values) for way, values in seconds.items()}, memory)


def report(median: dict[str, float], memory: float) -> None:
    print(f"\n{'':50} {'s an epoch':>10} {'× the article':>14} {'× the floor':>12}")
    for way, label in {**WAYS, "two": "this project's, two workers together"}.items():
        took = median[way]
        print(f"{label:50} {took:10.2f} {median['article'] / took:13.1f}× {took / median['floor']:11.2f}×")
    print(f"\nMedian of {ROUNDS} rounds. Peak memory of this project's process: {memory:.0f} MB.")
    plan = studies.load()
    trainings = {keys.digest(keys.training_key(run, "")): run.cost for run in plan.runs("mnist")}
    epochs = sum(trainings.values())
    hours = epochs * median["article"] / 3600
    print(
        f"The study's {epochs:,.0f} epochs on MNIST (deeper networks counted as more) would take the article's script"
    )
    print(f"{hours:.1f} hours at this speed. A cold 'make experiments' says what they take here.")


def measure(way: str, path: str) -> tuple[float, float]:
    """Median seconds an epoch, and peak resident memory in MB, of one fresh process."""
    command = [sys.executable, "-m", "tests.bench_training", way, path]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(answer[-2]), float(answer[-1])


# ---------------------------------------------------------------------------------------------- in the child


def child(way: str, path: str) -> None:
    import resource

    if way == "article":
        import tensorflow as tf  # noqa: F401  (all threads, as a script has it)
    else:
        from experiments.training import worker

        worker.start_tensorflow()
    epoch = {"article": article_epoch, "fit": fit_epoch, "ours": our_epoch, "floor": floor_epoch}[way](path)
    epoch()
    took = []
    for _ in range(EPOCHS):
        start = time.perf_counter()
        epoch()
        took.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "darwin" else 1e3)
    print(statistics.median(took), peak)


def article_epoch(path: str, **compile_options: object) -> Callable[[], object]:
    import keras

    mnist = datasets.load(datasets.MNIST, Path(path))
    x = mnist.x_train.reshape(-1, 28, 28).astype("float32") / 255.0
    y = keras.utils.to_categorical(mnist.y_train, num_classes=10)
    model = keras.Sequential(
        [
            keras.Input((28, 28)),
            keras.layers.Flatten(),
            keras.layers.Dense(128, activation="tanh"),
            keras.layers.Dense(10, activation="tanh"),
        ]
    )
    model.compile(optimizer="adam", loss="mse", metrics=["accuracy"], **compile_options)
    return lambda: model.fit(x, y, epochs=1, verbose=0)


def fit_epoch(path: str) -> Callable[[], object]:
    return article_epoch(path, jit_compile=True, steps_per_execution=1875)


def our_epoch(path: str) -> Callable[[], object]:
    import tensorflow as tf

    from experiments.training.trainer import Trainer, batch_order, learning_rates, targets

    dataset = datasets.load(datasets.MNIST, Path(path))
    arm = studies.load().arm("example-1")
    trainer = Trainer(arm, dataset)
    images = len(dataset.x_train)
    rates = tf.constant(learning_rates(arm, 1, 10, images // arm.batch_size))
    wanted = tf.constant(targets(arm, dataset.y_train, dataset.classes))
    return lambda: float(trainer.epoch(tf.constant(batch_order(0, 1, images)), rates, wanted))


def floor_epoch(path: str) -> Callable[[], object]:
    """The same matrix products and the same traffic of an optimizer with two moments, on tensors of the same shapes."""
    import numpy as np
    import tensorflow as tf

    rng = np.random.default_rng(0)
    shapes = [(784, 128), (128, 10)]
    start = [tf.constant(rng.normal(0, 0.05, shape).astype("float32")) for shape in shapes]
    zeros = [tf.zeros(shape) for shape in shapes]
    x = tf.constant(rng.random((32, 784), np.float32))
    d = tf.constant(rng.random((32, 10), np.float32))

    @tf.function(jit_compile=True)
    def floor(w: list[tf.Tensor], m: list[tf.Tensor], v: list[tf.Tensor]) -> list[tf.Tensor]:
        for _ in tf.range(1875):
            h = x @ w[0]
            dz = d + 1e-6 * (h @ w[1])  # so that no product can be moved out of the loop
            gradients = [
                tf.matmul(x, tf.matmul(dz, w[1], transpose_b=True), transpose_a=True),
                tf.matmul(h, dz, transpose_a=True),
            ]
            m = [a + 0.1 * (g - a) for a, g in zip(m, gradients, strict=True)]
            v = [a + 0.001 * (g * g - a) for a, g in zip(v, gradients, strict=True)]
            w = [a - 1e-9 * b / (tf.sqrt(c) + 1e-7) for a, b, c in zip(w, m, v, strict=True)]
        return w

    return lambda: floor(start, zeros, zeros)[0].numpy()


if __name__ == "__main__":
    child(*sys.argv[1:]) if len(sys.argv) > 1 else main()
