"""Does Winograd's algorithm move accuracy? The same training with the cost model's choice, and with direct convolution.

    python benchmarks/accuracy.py [--only mnist,mnist-3x3,cifar10] [--seeds 3] [--epochs N] [--limit N] [--json FILE]

mnist      the seed's run: simple-convnet, Adam, batches of 100. Its 5x5 kernels are direct either way, so the two
           columns must be the same numbers: a check of this script, and the run the seed speaks of.
mnist-3x3  the same head on two 3x3 convolutions, on the same pictures, so that Winograd does run.
cifar10    cifar-net, Adam, batches of 128, pictures in [0, 1]; data under PELLUCID_DATA.

Each run is judged by the test pictures after its last epoch. The target is a difference of the means of at most 0.2
points; the error of a difference of two means of so few seeds is printed beside it.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pellucid import datasets, layers, zoo
from pellucid.model import Sequential
from pellucid.ops import native
from pellucid.plan import InferencePlan

ALGORITHMS = ("chosen", "direct")
TARGET_POINTS = 0.2


@dataclass(frozen=True)
class Run:
    """One comparison: data set, network, batch size, epochs."""

    name: str
    data: str
    network: str
    batch: int
    epochs: int


RUNS = (
    Run("mnist", "mnist", "simple-convnet", 100, 3),
    Run("mnist-3x3", "mnist", "two-3x3", 100, 3),
    Run("cifar10", "cifar10", "cifar-net", 128, 6),
)


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
    plan = InferencePlan(model.layers, model.parameters, input_shape=model.input_shape, capacity=1)
    return [native.conv2d_algorithm(step) for step in plan.steps if step.kernel.startswith("conv2d")]


def accuracy(run: Run, algorithm: str, seed: int, data: Any, epochs: int, limit: int | None) -> float:
    """Per cent of the test pictures that are right after training."""
    with native.direct_convolution() if algorithm == "direct" else nullcontext():
        model = build(run.network, seed)
        model.compile("adam", "categorical_crossentropy")
        started = time.perf_counter()
        images, labels = data.train.images[:limit], data.train.labels[:limit]
        model.fit(images, labels, batch_size=run.batch, epochs=epochs, verbose=0)
        right = 100 * float(model.evaluate(data.test.images, data.test.labels, batch_size=500, verbose=0)["accuracy"])
        print(
            f"{run.name:10} {algorithm:7} seed {seed}: {right:6.2f} % in {time.perf_counter() - started:5.0f} s "
            f"({', '.join(algorithms(model))})",
            flush=True,
        )
    return right


def compare(run: Run, seeds: int, epochs: int, limit: int | None) -> dict[str, Any]:
    """Accuracies by algorithm and seed, the difference of their means and its standard error, in points."""
    data = datasets.load(run.data)
    found: dict[str, list[float]] = {name: [] for name in ALGORITHMS}
    for seed in range(seeds):
        for name in ALGORITHMS:
            found[name].append(accuracy(run, name, seed, data, epochs, limit))
    means = {name: statistics.mean(values) for name, values in found.items()}
    difference = means["chosen"] - means["direct"]
    error = math.sqrt(sum(statistics.variance(values) / seeds for values in found.values())) if seeds > 1 else math.nan
    print(
        f"{run.name}: {means['chosen']:.2f} % chosen, {means['direct']:.2f} % direct; difference {difference:+.2f} "
        f"points (standard error {error:.2f}), target {TARGET_POINTS}\n",
        flush=True,
    )
    return {
        "run": run.name,
        "epochs": epochs,
        "accuracy": found,
        "mean": means,
        "difference": difference,
        "error": error,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="runs, with commas between")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, help="instead of each run's own")
    parser.add_argument("--limit", type=int, help="training pictures")
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    chosen = [run for run in RUNS if not options.only or run.name in options.only.split(",")]
    results = [compare(run, options.seeds, options.epochs or run.epochs, options.limit) for run in chosen]
    if options.json:
        options.json.write_text(json.dumps(results, indent=1))


if __name__ == "__main__":
    main()
