"""Every network of the zoo by both engines: how far logits, gradients and ten steps of optimizers are apart.

    python scripts/engine_parity.py [NETWORK...] [--optimizer NAME]... [--batch 8]

Needs PyTorch; a minute a network. Dropout is off, because the engines draw differently; VGG and AlexNet are made
with few dense units. Distances are relative to the length of the vector of all numbers. Of some networks rounding alone
moves gradients further than the bound, by an activation on the other side of 0 or a batch norm over few numbers: so the
second number of each pair is how far our own engine is from itself where the pictures are changed in their last bits.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))

from exported_modules import shaken  # of the tests

from pellucid import Model, optimizers, zoo
from pellucid.engines.torch import module
from pellucid.layers.dropout import Random

BOUNDS = {"logits": 1e-5, "gradients": 1e-4, "ten steps": 1e-4}
ROUNDING = 10
"""So many times the distance that rounding makes is allowed, where that is more than the bound."""
SIDES = {"unet": 32, "photo-net": 64}
"""Of pictures, where a network takes any."""


def built(name: str) -> Model:
    options = {"dense_units": 64} if "dense_units" in zoo.options_of(name) else {}
    shape = (SIDES[name], SIDES[name], 3) if name in SIDES else None
    model = zoo.build(name, options=options, input_shape=shape)
    for layer in model.layers:
        if isinstance(layer, Random):
            vars(layer).update({key: 0.0 for key in ("rate", "stddev") if key in vars(layer)})
    return model


def apart(one: Any, other: Any) -> float:
    """The distance of two vectors, relative to the second."""
    return float(np.linalg.norm(np.subtract(one, other, dtype=np.float64)) / np.linalg.norm(other))


def trained(name: str, x: Any, y: Any, optimizer: Any, engine: str, batch: int) -> Model:
    model = built(name)
    loss = "map_criterion" if model.layers[-1].role == "distance" else "categorical_crossentropy"
    model.compile(optimizer, loss)
    model.fit(x, y, batch_size=batch, verbose=0, doctor=False, shuffle=False, engine=engine)
    return model


def tried(name: str, chosen: list[str], batch: int) -> bool:
    """One network, in a line; whether all is within the bounds."""
    started, rng = time.perf_counter(), np.random.default_rng(1)
    model = shaken(built(name))
    masks, classes = len(model.output_shape) > 1, model.output_shape[-1]
    x = rng.uniform(0, 1, (10 * batch, *model.input_shape)).astype(np.float32)
    near = x * (1 + 1e-7 * rng.choice([-1, 1], x.shape)).astype(np.float32)
    y = rng.integers(0, classes, (10 * batch, *model.output_shape[:-1])).astype(np.uint8 if masks else np.int32)
    with torch.no_grad():
        found = module(model)(torch.from_numpy(np.moveaxis(x[:2], -1, 1).copy())).numpy()
    ours = model.predict(x[:2], verbose=0)
    pairs = {"logits": (apart(np.moveaxis(found, 1, -1) if masks else found, ours), 0.0)}
    for key, optimizer, count in (
        ("gradients", optimizers.SGD(0.0), batch),
        *((each, each, len(x)) for each in chosen),
    ):
        ways = (("pellucid", x), ("torch", x), ("pellucid", near))
        models = [trained(name, pictures[:count], y[:count], optimizer, engine, batch) for engine, pictures in ways]
        vectors = [each.parameters.gradients if key == "gradients" else each.parameters.vector for each in models]
        pairs[key] = apart(vectors[1], vectors[0]), apart(vectors[2], vectors[0])
    told = ", ".join(f"{key} {value:.1e} ({rounding:.1e})" for key, (value, rounding) in pairs.items())
    print(f"{name:20} {told}; {time.perf_counter() - started:.0f} s", flush=True)
    return all(
        value <= max(BOUNDS.get(key, BOUNDS["ten steps"]), ROUNDING * rounding)
        for key, (value, rounding) in pairs.items()
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("networks", nargs="*", default=zoo.NAMES)
    parser.add_argument("--optimizer", action="append")
    parser.add_argument("--batch", type=int, default=8)
    asked = parser.parse_args()
    names = asked.optimizer or list(dict.fromkeys(optimizers.NAMES))
    wrong = [name for name in asked.networks if not tried(name, names, asked.batch)]
    sys.exit(f"not within {BOUNDS}: {', '.join(wrong)}" if wrong else 0)
