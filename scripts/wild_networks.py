"""Networks with ordinary and absurd sizes, and what is done with them; for fuzz_geometry.py."""

from __future__ import annotations

import contextlib
import inspect
import json
import math
import os
import random
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from pellucid import layers, ops
from pellucid.errors import PellucidError
from pellucid.model import Sequential
from pellucid.ops import native

Array = Any
Random = random.Random

ABSURD: tuple[Any, ...] = (
    *(0, -1, 255, 256, 1000, 70_001, 2**20, 2**20 + 1, 2**30, 2**31 - 1, 2**31, 2**32, 2**32 + 1, 2**40, 2**60 + 1),
    *(2**62 - 1, 2**62, 2**62 + 1, 2**63 - 1, 2**63, 2**64, -(2**63), 10**30, 10**400, 10**5000),
    *(1.5, 1e300, math.inf, math.nan, None, True, "3", "x" * 5000, [], {}, (1, 2, 3), ((1,),), b"1", np.float32(2)),
    *(np.int64(2**62), np.array(3), np.array([2, 2]), np.array([[1]]), range(2), object),
)
FEW_NUMBERS = 1 << 16
"""Of one network's activations: more is built and summarised, but not run, to save time."""


def nested(depth: int = 2000) -> list[Any]:
    """A list in a list in a list."""
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def absurd(rng: Random) -> Any:
    """A number or a thing that makes no size."""
    return nested() if rng.random() < 0.02 else rng.choice(ABSURD)


class Wild:
    """Draws arguments: ordinary ones, and one in `often` absurd."""

    def __init__(self, rng: Random, often: int) -> None:
        self.rng, self.often = rng, often

    def __call__(self, ordinary: Any) -> Any:
        if self.rng.randrange(self.often):
            return ordinary
        return absurd(self.rng) if self.rng.random() < 0.7 else (absurd(self.rng), absurd(self.rng))

    def size(self, most: int) -> Any:
        """One int or a pair."""
        both = self.rng.randint(1, most), self.rng.randint(1, most)
        return self(both[0] if self.rng.random() < 0.5 else both)

    def padding(self, most: int = 3) -> Any:
        pads = [self.rng.randint(0, most) for _ in range(4)]
        kinds: tuple[Any, ...] = ("valid", "same", pads[0], tuple(pads[:2]), (tuple(pads[:2]), tuple(pads[2:])))
        return self(self.rng.choice(kinds))


ARGUMENTS: dict[str, Callable[[Wild], Any]] = {
    **dict.fromkeys(("filters", "units"), lambda wild: wild(wild.rng.choice((1, 2, 3, 6, 17)))),
    **dict.fromkeys(("kernel_size", "pool_size", "strides", "size"), lambda wild: wild.size(4)),
    **dict.fromkeys(("dilation_rate", "output_padding"), lambda wild: wild.size(2)),
    **dict.fromkeys(("groups", "depth_multiplier"), lambda wild: wild(wild.rng.choice((1, 1, 2, 3)))),
    **dict.fromkeys(("padding", "cropping"), lambda wild: wild.padding(2)),
    **dict.fromkeys(("rate", "stddev", "alpha", "negative_slope", "threshold", "max_value"), lambda wild: wild(0.3)),
    **dict.fromkeys(("ceil_mode", "count_include_pad", "use_bias"), lambda wild: wild.rng.random() < 0.5),
    "activation": lambda wild: wild.rng.choice((None, "softmax", *ops.ACTIVATIONS)),
    "axis": lambda wild: wild(wild.rng.randint(-3, 3)),
    "dims": lambda wild: wild(wild.rng.sample((1, 2, 3), 3)),
    "interpolation": lambda wild: wild.rng.choice(ops.INTERPOLATIONS),
    "mode": lambda wild: wild.rng.choice(ops.BORDERS),
    "shared_axes": lambda wild: wild(wild.rng.sample((1, 2, 3), wild.rng.randint(0, 3))),
    "target_shape": lambda wild: (wild(wild.rng.randint(1, 4)), -1),
}
"""What an argument of this name may be, of whatever layer."""
EVERY = [
    kind
    for kind in dict.fromkeys(layers.LAYERS.values())
    if not kind.merges
    and kind.role != "input"
    and {one.name for one in inspect.signature(kind).parameters.values() if one.default is one.empty} <= set(ARGUMENTS)
]
"""Layers that read one value and whose arguments are known here."""


def every_layer(rng: Random, often: int) -> layers.Layer:
    """Any of them, some of the arguments drawn that it may do without."""
    wild, kind = Wild(rng, often), rng.choice(EVERY)
    every = [one for one in inspect.signature(kind).parameters.values() if one.name in ARGUMENTS]
    given = [one.name for one in every if one.default is one.empty or rng.random() < 0.5]
    return kind(**{name: ARGUMENTS[name](wild) for name in given})


def make_layer(rng: Random, axes: int, often: int) -> layers.Layer:
    """A random layer for pictures, series or rows."""
    if rng.random() < 0.4:
        return every_layer(rng, often)
    wild = Wild(rng, often)
    activation = rng.choice((None, None, "relu", "tanh", "sigmoid", "leaky_relu"))
    groups = rng.choice((1, 1, 1, 2, 3))
    filters = wild(groups * rng.choice((1, 2, 3, 6, 17)))
    kinds: dict[int, tuple[Callable[[], layers.Layer], ...]] = {
        3: (
            lambda: layers.Conv2D(
                filters,
                wild.size(5),
                wild.size(4),
                wild.padding(),
                dilation_rate=wild.size(3) if rng.random() < 0.3 else 1,
                groups=wild(groups),
                activation=activation,
                use_bias=rng.random() < 0.7,
            ),
            lambda: layers.Conv2D(filters, rng.choice((3, 5)), padding="same", activation=activation),
            lambda: layers.TableConv2D([[wild(0)], [0, 1], [1]], wild.size(3), wild.size(2), wild.padding()),
            lambda: layers.MaxPool2D(wild.size(4), wild.size(4), wild.padding(1), ceil_mode=rng.random() < 0.3),
            lambda: layers.AvgPool2D(
                wild.size(4),
                wild.size(4),
                wild.padding(1),
                ceil_mode=rng.random() < 0.3,
                count_include_pad=rng.random() < 0.3,
            ),
            lambda: layers.MaxPool2D(wild(2)),
            lambda: layers.AvgPool2D(wild(2)),
            lambda: layers.Subsampling2D(wild.size(3), wild.size(3)),
            lambda: layers.ZeroPadding2D(wild.padding()),
            lambda: layers.Padding2D(wild.padding(), rng.choice(("reflect", "edge"))),
            lambda: layers.Cropping2D(wild.padding(2)),
            lambda: layers.UpSampling2D(wild.size(3), rng.choice(("nearest", "bilinear"))),
            lambda: layers.Reshape((wild(rng.randint(1, 4)), -1)),
            lambda: layers.Permute(rng.sample((1, 2, 3), 3)),
            lambda: layers.Dense(wild(rng.randint(1, 9)), activation=activation),
            lambda: layers.Softmax(wild(rng.randint(1, 3))),
            lambda: layers.SpatialDropout2D(wild(0.3)),
            lambda: layers.GaussianNoise(wild(0.1)),
            lambda: layers.LocalResponseNorm(wild(rng.randint(1, 7))),
            layers.BatchNorm,
            layers.ReLU,
            layers.GlobalAvgPool2D,
            layers.Flatten,
        ),
        2: (
            lambda: layers.Conv1D(filters, wild(rng.randint(1, 5)), wild(rng.randint(1, 3)), wild.padding()),
            lambda: layers.MaxPool1D(wild(rng.randint(1, 4)), wild(rng.randint(1, 4)), wild.padding(1)),
            lambda: layers.AvgPool1D(wild(rng.randint(1, 4)), wild(rng.randint(1, 4)), wild.padding(1)),
            layers.GlobalAvgPool1D,
            layers.GlobalMaxPool1D,
            layers.Flatten,
        ),
        1: (
            lambda: layers.Dense(wild(rng.randint(1, 40)), activation=activation),
            lambda: layers.RBF(wild(rng.randint(1, 9))),
            lambda: layers.Dropout(wild(0.5)),
            lambda: layers.LeakyReLU(wild(0.1)),
            layers.BatchNorm,
        ),
    }
    return rng.choice(kinds[axes])()


def make_network(rng: Random, often: int) -> Sequential:
    """One to three layers, and rows at the end."""
    axes = rng.choice((3, 3, 3, 3, 2, 1))
    shape: Any = [rng.randint(1, 12) for _ in range(axes)]
    shape[-1] = rng.choice((1, 1, 2, 2, 3, 6, 9, 16))
    if rng.randrange(often * 3) == 0:
        shape[rng.randrange(axes)] = absurd(rng)
    model = Sequential([layers.Input(shape)], seed=rng.randrange(2**32))
    for _ in range(rng.randint(1, 3)):
        model.add(make_layer(rng, len(model.output_shape) if model.layers else axes, often))
    if len(model.output_shape) > 1:
        model.add(layers.Flatten())
    model.add(layers.Dense(2))
    return model


@contextlib.contextmanager
def on_reference() -> Iterator[None]:
    """Everything inside runs on NumPy, layer by layer."""
    required = os.environ.pop("PELLUCID_REQUIRE_NATIVE", None)
    before = native.available
    native.available = False
    try:
        yield
    finally:
        native.available = before
        if required is not None:
            os.environ["PELLUCID_REQUIRE_NATIVE"] = required


def expect_close(what: str, got: Array, wanted: Array, digits: float = 2e-3) -> None:
    """Right within what float32 and Winograd's algorithm lose, where the reference itself has finite numbers."""
    if got.shape != wanted.shape:
        raise AssertionError(f"{what}: shape {got.shape}, the reference has {wanted.shape}")
    scale = max(float(np.abs(wanted).max(initial=0)), 1.0)
    if np.isfinite(scale) and not np.allclose(got, wanted, rtol=digits, atol=digits * scale):
        raise AssertionError(
            f"{what}: {float(np.abs(got - wanted).max()):g} from the reference, whose largest is {scale:g}"
        )


def batch_for(model: Sequential, rng: Random) -> Array:
    draw = np.random.default_rng(rng.randrange(2**32))
    x = draw.standard_normal((rng.randint(1, 5), *model.input_shape), np.float32)
    if rng.random() < 0.5:  # black borders, where a bias of 0 leaves every activation at its kink
        x[:, : rng.randint(0, x.shape[1])] = 0.0
    return x


def use(model: Sequential, rng: Random, *, train: bool) -> str:
    """Summarise a network and, where it is small, run and train it here and on the reference."""
    lines: list[str] = []
    model.summary(lines.append, batch_size=rng.choice((1, 2, 32)))
    with contextlib.suppress(PellucidError):
        model.memory(rng.choice((2**10, 2**20, 2**30)))
    if any(len(line) > 200 for line in "\n".join(lines).splitlines()):
        raise AssertionError("a summary's line is too long")
    weights = model.count_params()
    if model.outline().activation_bytes + 4 * math.prod(model.input_shape) + 4 * weights > 4 * FEW_NUMBERS:
        return "large"
    x = batch_for(model, rng)
    got = model.predict(x, verbose=0)
    with on_reference():
        expect_close("predict", got, model(x))
    if not train or not any(layer.params for layer in model.layers):
        return "run"
    model.compile("sgd", "mse")
    start = model.get_weights()
    y = np.ones((len(x), 2), np.float32)
    model.fit(x, y, batch_size=len(x), verbose=0, doctor=False)
    mine = model.get_weights()
    model.set_weights(start)
    with on_reference():
        twin = Sequential.__deepcopy__(model, {})
        twin.optimizer_state.num_epochs = 0
        twin.compile("sgd", "mse")
        twin.fit(x, y, batch_size=len(x), verbose=0, doctor=False)
    for before, a, b in zip(start, mine, twin.get_weights(), strict=True):
        expect_close("the step of training", a - before, b - before)
    return "trained"


def changed(value: Any, rng: Random) -> Any:
    """JSON with one number in it made absurd."""
    if isinstance(value, dict) and value:
        key = rng.choice([*value])
        return value | {key: changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.9:
        place = rng.randrange(len(value))
        return [*value[:place], changed(value[place], rng), *value[place + 1 :]]
    if isinstance(value, str) and rng.random() < 0.9:
        return value
    while True:
        new = absurd(rng)
        with contextlib.suppress(TypeError, ValueError, RecursionError):
            return json.loads(json.dumps(new))


def small_model() -> Sequential:
    model = Sequential([layers.Conv2D(2, 3, input_shape=(6, 6, 1)), layers.Flatten(), layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    return model
