"""Every network of the zoo by both engines, and by PyTorch in float64, which is taken for the truth.

    python scripts/engine_parity.py [NETWORK...] [--optimizer NAME]... [--batch 8]

Needs PyTorch; minutes a network. Dropout is off, because the engines draw differently; VGG and AlexNet are made
with few dense units, and pictures are small. Distances are relative to the length of the vector of all numbers. Each
line has two for logits, gradients and ten steps of each optimizer: of engine torch from the truth, and of our engine.

In float32 a sum may end on the other side of a ReLU's 0, or another number be the largest of a window; a network with
many batch norms carries that far. So what is further than the bound passes where our engine is as far from the truth,
a ROUNDING times as far at most, by the median over DRAWS of the pictures.
"""

from __future__ import annotations

import argparse
import inspect
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from exported_modules import shaken  # of the tests

from pellucid import Model, optimizers, zoo
from pellucid.engines.torch.network import Network
from pellucid.layers.dropout import Random
from pellucid.plan import InferencePlan, strip_head

BOUND, LOGITS = 1e-4, 1e-5
ROUNDING, DRAWS = 3, 3
SIDES = {"alexnet": 67, "alexnet-owt": 67, "photo-net": 64, "googlenet": 64}
"""Of pictures, where SIDE is too small."""
SIDE = 32


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


def logits(name: str, draw: int) -> tuple[float, float]:
    """How far what engine torch and ours answer is from the truth, before a last softmax, which would hide it."""
    model = shaken(built(name))
    body = strip_head(model.graph, "softmax")
    x = np.random.default_rng(draw).uniform(0, 1, (2, *model.input_shape)).astype(np.float32)
    pictures, network = torch.from_numpy(np.moveaxis(x, -1, 1).copy()), Network(body).eval()
    with torch.no_grad():
        found, truth = (
            np.moveaxis(answers.numpy(), 1, -1) for answers in (network(pictures), network.double()(pictures.double()))
        )
    plan = InferencePlan(body, model.parameters, capacity=len(x))
    plan.inputs[...] = x
    return apart(found, truth), apart(plan.run(len(x))[0], truth)


def learned(name: str, optimizer: Any, steps: int, batch: int, draw: int) -> tuple[float, float]:
    """The same of the gradients after one step, or of the weights after several."""
    rng, found = np.random.default_rng(draw), []
    for how in ({"engine": "torch", "precision": "float64"}, {"engine": "torch"}, {}):
        model = built(name)
        if not found:
            x = rng.uniform(0, 1, (steps * batch, *model.input_shape)).astype(np.float32)
            masks = len(model.output_shape) > 1
            labels = rng.integers(0, model.output_shape[-1], (len(x), *model.output_shape[:-1]))
            y = labels.astype(np.uint8 if masks else np.int32)
        loss = "map_criterion" if model.layers[-1].role == "distance" else "categorical_crossentropy"
        model.compile(optimizer, loss)
        model.fit(x, y, batch_size=batch, verbose=0, doctor=False, shuffle=False, **how)
        found.append(model.parameters.gradients if steps == 1 else model.parameters.vector)
    truth, theirs, ours = found
    return apart(theirs, truth), apart(ours, truth)


def tried(name: str, chosen: list[str], batch: int) -> bool:
    """One network, in a line; whether all is within the bounds."""
    started, right = time.perf_counter(), True
    print(f"{name:20}", end="", flush=True)
    measures = {"logits": partial(logits, name), "gradients": partial(learned, name, optimizers.SGD(0.0), 1, batch)}
    measures |= {each: partial(learned, name, each, 10, batch) for each in chosen}
    for key, measure in measures.items():
        bound = LOGITS if key == "logits" else BOUND
        draws = [measure(0)]
        if max(draws[0]) > bound:
            draws += [measure(draw) for draw in range(1, DRAWS)]
        theirs, ours = np.median(draws, axis=0)
        right &= bool(theirs <= max(bound, ROUNDING * ours))
        print(f" {key} {theirs:.1e} ({ours:.1e}),", end="", flush=True)
    print(f" {'well' if right else 'WRONG'}; {time.perf_counter() - started:.0f} s", flush=True)
    return right


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=zoo.NAMES)
    parser.add_argument("--optimizer", action="append")
    parser.add_argument("--batch", type=int, default=8)
    asked = parser.parse_args()
    names = asked.optimizer or list(dict.fromkeys(optimizers.NAMES))
    wrong = [name for name in asked.networks if not tried(name, names, asked.batch)]
    sys.exit(f"further from the truth than rounding: {', '.join(wrong)}" if wrong else 0)
