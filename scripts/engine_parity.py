"""Every network of the zoo by both engines, and by PyTorch in float64, which is taken for the truth.

    python scripts/engine_parity.py [NETWORK...] [--optimizer NAME]... [--found FILE]

Needs PyTorch; an hour for all. Prints a table of distances, relative to the length of the vector of all numbers: of
engine torch from the truth, and (of our engine). Those of logits and gradients are medians over three draws of the
pictures, those of the weights after ten steps of an optimizer are of one draw, or the median of three where one is
further than it should be. FILE gets what each draw came to, a line each, and what stands there is not computed again: a
run that was stopped goes on.

"float64": gradients of our layers, calculated with NumPy in float64, from the truth's, which are kept as float32.
Dropout is off, because the engines draw differently; VGG and AlexNet are made with few dense units, and pictures are
small.

In float32 a sum may end on the other side of a ReLU's 0, or another number be the largest of a window, and the first
step of Adam or Lion has the size of the learning rate whatever the gradient's; a network with many batch norms carries
that far. So what is further than its bound passes where our engine is as far from the truth, a ROUNDING times as far at
most.
"""

from __future__ import annotations

import argparse
import copy
import inspect
import itertools
import json
import sys
from collections.abc import Iterable
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from exported_modules import shaken  # of the tests

from pellucid import Model, losses, optimizers, zoo
from pellucid.engines.torch.network import Network
from pellucid.layers import Layer
from pellucid.layers.dropout import Random
from pellucid.plan import InferencePlan, strip_head

BOUNDS = {"float64": 1e-6, "logits": 1e-5}
BOUND = 1e-4
"""Of gradients, and of the weights after STEPS of an optimizer."""
ROUNDING, STEPS = 3, 10
SIDES = {"alexnet": 67, "alexnet-owt": 67, "photo-net": 64, "googlenet": 64}
"""Of pictures, where SIDE is too small."""
SIDE = 32
BATCHES = {True: 8, False: 2}
"""Pictures in a step, by whether there are batch norms, whose statistics of fewer would be less certain."""

DRAWS = 3
"""Of pictures, of which the medians count."""
SINGLE = ("float64", "logits", "gradients")
"""What is measured beside optimizers."""

Distances = tuple[float, float]
"""From the truth: of engine torch, and of ours."""


def built(name: str) -> Model:
    options = {"dense_units": 64} if "dense_units" in zoo.options_of(name) else {}
    height, width, channels = inspect.signature(zoo.BUILDERS[name]).parameters["input_shape"].default
    most = SIDES.get(name, SIDE)
    model = zoo.build(name, options=options, input_shape=(min(height, most), min(width, most), channels))
    for layer in model.layers:
        if isinstance(layer, Random):
            vars(layer).update({key: 0.0 for key in ("rate", "stddev") if key in vars(layer)})
    return model


def apart(one: Any, other: Any) -> float:
    """The distance of two vectors, relative to the second."""
    return float(np.linalg.norm(np.subtract(one, other, dtype=np.float64)) / np.linalg.norm(other))


class Trial:
    """A network, and one draw of the pictures it learns from."""

    def __init__(self, name: str, draw: int) -> None:
        self._name, self._model, rng = name, built(name), np.random.default_rng(draw)
        self._batch = BATCHES[any(layer.role == "batch norm" for layer in self._model.layers)]
        self._start, shape = self._model.get_weights(), self._model.output_shape
        self._x = rng.uniform(0, 1, (STEPS * self._batch, *self._model.input_shape)).astype(np.float32)
        labels = rng.integers(0, shape[-1], (len(self._x), *shape[:-1]))
        self._labels = labels.astype(np.uint8 if len(shape) > 1 else np.int32)
        of_distances = self._model.layers[-1].role == "distance"
        self._loss = losses.get("map_criterion" if of_distances else "categorical_crossentropy")

    def measure(self, quantity: str) -> Distances:
        """What a column of the table says, or the name of an optimizer."""
        if quantity == "logits":
            return self._logits()
        if quantity == "float64":
            return apart(self._by_layers(), self._gradients[0]), 0.0
        truth, theirs, ours = self._gradients if quantity == "gradients" else self._learned(quantity, STEPS)
        return apart(theirs, truth), apart(ours, truth)

    def _logits(self) -> Distances:
        """Of two pictures in use, before a last softmax, which would hide distances."""
        model, x = shaken(built(self._name)), self._x[:2]
        body = strip_head(model.graph, "softmax")
        pictures, network = torch.from_numpy(np.moveaxis(x, -1, 1).copy()), Network(body).eval()
        with torch.no_grad():
            answers = network(pictures), network.double()(pictures.double())
        theirs, truth = (np.moveaxis(each.numpy(), 1, -1) for each in answers)
        plan = InferencePlan(body, model.parameters, capacity=len(x))
        plan.inputs[...] = x
        return apart(theirs, truth), apart(plan.run(len(x))[0], truth)

    @cached_property
    def _gradients(self) -> list[Any]:
        return self._learned(optimizers.SGD(0.0), 1)

    def _learned(self, optimizer: Any, steps: int) -> list[Any]:
        """The truth, engine torch's and ours: gradients after one step, or weights after several."""
        model, count, found = self._model, steps * self._batch, []
        for how in ({"engine": "torch", "precision": "float64"}, {"engine": "torch"}, {}):
            model.set_weights(self._start)
            model.compile(optimizer, self._loss)
            options: dict[str, Any] = {"verbose": 0, "doctor": False, "shuffle": False, **how}
            model.fit(self._x[:count], self._labels[:count], batch_size=self._batch, **options)
            found.append((model.parameters.gradients if steps == 1 else model.parameters.vector).copy())
        return found

    def _by_layers(self) -> Any:
        """The gradients of the first batch by each layer's own mathematics, in float64."""
        model = self._model
        model.set_weights(self._start)
        body = strip_head(model.graph, self._loss.joint_activation)
        body = replace(body, nodes=tuple(replace(node, layer=_in_float64(node.layer)) for node in body.nodes))
        caches: dict[int, Any] = {}
        found: dict[tuple[str, str], Any] = {}

        def forward(number: int, layer: Layer, read: Any) -> Any:
            y, caches[number] = layer.forward(read, training=True, key=(0, 0, number))
            return y

        def backward(number: int, layer: Layer, dy: Any) -> Any:
            dx, gradients = layer.backward(dy, caches[number])
            found.update({(layer.name, name.removeprefix("d")): each for name, each in gradients.items()})
            return dx

        outputs = body.run(self._x[: self._batch].astype(np.float64), forward)
        body.back(self._loss.value_and_gradient(self._labels[: self._batch], outputs)[1], backward)
        for layer in model.layers:
            for name, penalty in layer.penalties().items():
                found[layer.name, name] = found[layer.name, name] + penalty.gradient(layer.params[name].astype(float))
        vector = np.zeros(len(model.parameters.gradients))
        for segment in (each for each in model.parameters.segments if each.trainable):
            model.parameters.slot(vector, segment)[...] = found[segment.layer, segment.name]
        return vector


def _in_float64(layer: Layer) -> Layer:
    twin = copy.deepcopy(layer)
    twin.params, twin.state = ({k: np.array(v, np.float64) for k, v in d.items()} for d in (twin.params, twin.state))
    return twin


Found = dict[tuple[str, str, int], Distances]
"""By network, quantity and draw."""


def measured(networks: Iterable[str], chosen: list[str], file: Path | None) -> Found:
    """All of them, those in the file as they stand there."""
    found: Found = {}
    if file and file.exists():
        for line in file.read_text().splitlines():
            *key, theirs, ours = json.loads(line)
            found[tuple(key)] = theirs, ours
    for name, draw in itertools.product(networks, range(DRAWS)):
        doubtful = [each for each in chosen if draw == 0 or is_further(each, *found[name, each, 0])]
        wanted, trial = (*SINGLE, *doubtful), None
        for each in (each for each in wanted if (name, each, draw) not in found):
            trial = trial or Trial(name, draw)
            found[name, each, draw] = trial.measure(each)
            if file:
                with file.open("a") as out:
                    print(json.dumps([name, each, draw, *found[name, each, draw]]), file=out)
    return found


def is_further(quantity: str, theirs: float, ours: float) -> bool:
    """From the truth than rounding explains."""
    return theirs > max(BOUNDS.get(quantity, BOUND), ROUNDING * ours)


def table(found: Found, networks: Iterable[str], chosen: list[str]) -> list[str]:
    """Prints it, a row a network; gives what is further from the truth than rounding."""
    further = []

    def median(name: str, quantity: str) -> Any:
        draws = [found[name, quantity, draw] for draw in range(DRAWS) if (name, quantity, draw) in found]
        theirs, ours = np.median(draws, axis=0)
        if is_further(quantity, theirs, ours):
            further.append(f"{name}, {quantity}")
        return theirs, ours

    def text(theirs: float, ours: float) -> str:
        return f"{theirs:.1e} ({ours:.1e})".replace("e-0", "e-")

    print(f"| network | float64 | logits | gradients | of {len(chosen)} optimizers within 1e-4 | the furthest |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name in networks:
        exact, *single = (median(name, quantity) for quantity in SINGLE)
        cells = [text(*exact).split()[0], *(text(*each) for each in single)]
        steps = {each: median(name, each) for each in chosen}
        theirs, ours = (sum(each[which] <= BOUND for each in steps.values()) for which in (0, 1))
        worst = max(steps, key=lambda each: steps[each][0])
        print(f"| `{name}` | {' | '.join(cells)} | {theirs} ({ours}) | `{worst}` {text(*steps[worst])} |")
    return further


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=list(zoo.NAMES))
    parser.add_argument("--optimizer", action="append", choices=dict.fromkeys(optimizers.NAMES))
    parser.add_argument("--found", type=Path)
    asked = parser.parse_args()
    chosen = asked.optimizer or list(dict.fromkeys(optimizers.NAMES))
    found = measured(asked.networks, chosen, asked.found)
    further = table(found, asked.networks, chosen)
    sys.exit(f"further from the truth than rounding: {'; '.join(further)}" if further else 0)
