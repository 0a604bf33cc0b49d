"""Does Winograd's algorithm move accuracy? The same training with the cost model's choice, and with direct convolution.

    python benchmarks/accuracy.py [--only mnist,mnist-3x3,cifar10] [--seeds 3] [--epochs N] [--jobs N] [--write]

mnist      simple-convnet, Adam, batches of 100. Its 5x5 kernels on one channel run by Winograd's algorithm along rows,
           forward only.
mnist-3x3  the same head on two 3x3 convolutions, on the same pictures: Winograd's algorithm along both axes.
cifar10    cifar-net, Adam, batches of 128, pictures in [0, 1].

Each run is judged by the test pictures after its last epoch; learning rates fall to zero with a cosine, so that the
last epoch is no draw of the lot. The target is a difference of the means of at most 0.2 points; the standard error of
a difference of two means of so few seeds is printed beside it. --jobs runs so many trainings side by side, one thread
each: the numbers are the same bits.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import machine

from pellucid import datasets, layers, optimizers, schedules, zoo
from pellucid.model import Sequential
from pellucid.ops import native
from pellucid.plan import InferencePlan

ALGORITHMS = ("chosen", "direct")
TARGET_POINTS = 0.2
LEARNING_RATE = 0.001


@dataclass(frozen=True)
class Run:
    """One comparison: data set, network, batch size, epochs."""

    name: str
    data: str
    network: str
    batch: int
    epochs: int


RUNS = (
    Run("mnist", "mnist", "simple-convnet", 100, 4),
    Run("mnist-3x3", "mnist", "two-3x3", 100, 4),
    Run("cifar10", "cifar10", "cifar-net", 128, 10),
)
RESULTS = machine.RESULTS / "accuracy.json"


def build(network: str, seed: int) -> Sequential:
    """A network of the zoo, or the one with 3x3 kernels."""
    if network != "two-3x3":
        return zoo.build(network, seed=seed)
    return Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Conv2D(32, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
            layers.MaxPool2D(2),
            layers.Conv2D(64, 3, padding="same", activation="relu", kernel_initializer="he_normal"),
            layers.MaxPool2D(2),
            layers.Flatten(),
            layers.Dense(100, activation="relu", kernel_initializer="he_normal"),
            layers.Dense(10, activation="softmax"),
        ],
        name=network,
        seed=seed,
    )


def algorithms(model: Sequential) -> list[str]:
    """What each convolution of the network runs in inference."""
    plan = InferencePlan(model.graph, model.parameters, capacity=1)
    return [native.conv2d_algorithm(step) for step in plan.steps if step.kernel.startswith("conv2d")]


def accuracy(run: Run, algorithm: str, seed: int, epochs: int, limit: int | None) -> float:
    """Per cent of the test pictures that are right after training."""
    data = datasets.load(run.data)
    images, labels = data.train.images[:limit], data.train.labels[:limit]
    rate = schedules.Cosine(LEARNING_RATE, steps=epochs * math.ceil(len(images) / run.batch))
    with native.direct_convolution() if algorithm == "direct" else nullcontext():
        model = build(run.network, seed)
        model.compile(optimizers.Adam(rate), "categorical_crossentropy")
        started = time.perf_counter()
        model.fit(images, labels, batch_size=run.batch, epochs=epochs, verbose=0)
        right = 100 * float(model.evaluate(data.test.images, data.test.labels, batch_size=500, verbose=0)["accuracy"])
        print(
            f"{run.name:10} {algorithm:7} seed {seed}: {right:6.2f} % in {time.perf_counter() - started:5.0f} s "
            f"({', '.join(algorithms(model))})",
            flush=True,
        )
    return right


def judge(run: Run, epochs: int, found: dict[str, list[float]]) -> dict[str, Any]:
    """The difference of the means and its standard error, in points."""
    means = {name: statistics.mean(values) for name, values in found.items()}
    seeds = min(map(len, found.values()))
    error = math.sqrt(sum(statistics.variance(values) / seeds for values in found.values())) if seeds > 1 else None
    return {
        "run": run.name,
        "epochs": epochs,
        "accuracy": found,
        "mean": means,
        "difference": means["chosen"] - means["direct"],
        "error": error,
        "target": TARGET_POINTS,
    }


def line(result: dict[str, Any]) -> str:
    """A comparison on the terminal."""
    error = f" (standard error {result['error']:.2f})" if result["error"] is not None else ""
    return (
        f"{result['run']}, {result['epochs']} epochs, {len(result['accuracy']['chosen'])} seeds: "
        f"{result['mean']['chosen']:.2f} % chosen, {result['mean']['direct']:.2f} % direct; "
        f"difference {result['difference']:+.2f} points{error}, target {result['target']}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="runs, with commas between")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of each run's own")
    parser.add_argument("--limit", type=int, help="training pictures; nothing is kept then")
    parser.add_argument("--jobs", type=int, default=1, help="trainings side by side (default 1, with all threads)")
    parser.add_argument("--json", type=Path, default=RESULTS, help="where comparisons are kept")
    parser.add_argument("--write", action="store_true", help="write benchmarks/RESULTS.md afterwards")
    options = parser.parse_args()
    chosen = [run for run in RUNS if not options.only or run.name in options.only.split(",")]
    stored = machine.Stored(options.json, machine.describe())
    if options.jobs > 1:
        os.environ["PELLUCID_NUM_THREADS"] = "1"
    with ProcessPoolExecutor(options.jobs, multiprocessing.get_context("spawn")) as pool:
        # the longest first, so that none is left alone at the end
        waiting = {
            (run, name, seed): pool.submit(accuracy, run, name, seed, options.epochs or run.epochs, options.limit)
            for run in reversed(chosen)
            for name in reversed(ALGORITHMS)
            for seed in range(options.seeds)
        }
        for run in reversed(chosen):
            found = {name: [waiting[run, name, seed].result() for seed in range(options.seeds)] for name in ALGORITHMS}
            result = judge(run, options.epochs or run.epochs, found)
            if options.limit is None:
                stored.put(run.name, result)
            print(line(result), flush=True)
    if options.write:
        import results

        results.write()


if __name__ == "__main__":
    main()
