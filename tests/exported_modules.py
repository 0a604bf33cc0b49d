"""Networks with every layer that PyTorch has, and the modules that `pellucid export --to torch` writes of them."""

from __future__ import annotations

import copy
import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shaking import shaken as shaken

from pellucid import Model, Sequential
from pellucid import layers as L
from pellucid.export import write
from pellucid.layers.activation import ACTIVATIONS

torch = pytest.importorskip("torch", reason="PyTorch is not installed")


def exported(model: Model, folder: Path) -> Any:
    """The program that was written for a model, imported."""
    write(model, folder / "net.py")
    spec = importlib.util.spec_from_file_location("net", folder / "net.py")
    assert spec is not None and spec.loader is not None
    program = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(program)
    return program


def answers(program: Any, x: np.ndarray, *, scaled: bool) -> list[np.ndarray]:
    """What the module gives for a batch of ours; each output with its channels last."""
    given = torch.from_numpy(np.moveaxis(x, -1, 1).copy() if x.ndim > 2 else x)
    with torch.no_grad():
        found = program.load()(program.scaled(given) if scaled else given)
    several = found if isinstance(found, tuple) else (found,)
    return [np.moveaxis(one.numpy(), 1, -1) if one.ndim > 2 else one.numpy() for one in several]


def branched() -> Model:
    """Merges, a value with several readers, a flatten that keeps its order, and two outputs."""
    inputs = L.Input((6, 8, 3))
    first = L.Conv2D(4, 3, padding="same", name="conv")(inputs)
    gate = L.Dense(4, activation="sigmoid", name="train")(L.GlobalAvgPool2D()(first))
    y = L.Add()([L.Multiply()([first, gate]), L.Conv2D(4, 1, name="3-x")(inputs)])
    y = L.Concatenate()([y, L.Activation("relu")(first), L.MaxPool2D(3, 1, padding=1)(y)])
    pool = L.AvgPool2D(3, 1, padding=1)(L.Rescaling(0.5, [0.1] * 12)(y))
    y = L.Maximum()([L.Average()([y, pool]), L.Minimum()([pool, L.Subtract()([pool, y])])])
    flat = L.Flatten()(L.Concatenate(axis=1)([y, y]))
    return Model(inputs, [L.Dense(5, name="out")(L.Dropout(0.5)(flat)), L.ReLU()(flat)], "branched")


def products() -> Model:
    """Of rows and of maps, as they are and as cosines; a mean that keeps its axes."""
    inputs = L.Input((4, 3, 2))
    maps = L.UnitNormalization((1, 3))(L.Conv2D(5, 1)(inputs))
    row = L.Flatten()(L.GlobalAvgPool2D(keepdims=True)(L.RMSNorm((1, 2, 3))(maps)))
    cosine = L.Dot(1, normalize=True)([row, L.Dense(5)(row)])
    return Model(inputs, [cosine, L.Dot((2, 1))([maps, L.Reshape((3, 4))(L.Dense(12)(row))])], "products")


def activations() -> Model:
    inputs = L.Input((4, 3, 2))
    kinds = [L.Activation(kind) for kind in ACTIVATIONS if kind not in ("linear", "sparsemax")]
    return Model(inputs, L.Concatenate()([kind(inputs) for kind in [*kinds, L.Softmax(axis=1)]]), "activations")


SERIES = [
    L.SpatialDropout1D(0.2),
    L.AlphaDropout(0.1),
    L.ZeroPadding1D((0, 2)),
    L.UpSampling1D(3),
    L.Cropping1D((1, 4)),
]
SMALL: dict[str, Any] = {
    "borders": [
        *(L.Input((9, 8, 2)), L.Padding2D((1, 2), "reflect"), L.Conv2D(3, (3, 2), 2, padding="same"), L.ELU(0.7)),
        *(L.UpSampling2D((2, 1), "bilinear"), L.Cropping2D(((1, 0), (0, 2))), L.UpSampling2D((1, 2))),
        *(L.Resizing(12, 9, "nearest"), L.RandomCrop(8, 7), L.Identity(), L.CenterCrop(9, 6)),
        *(
            L.Resizing(5, 7, crop_to_aspect_ratio=True),
            L.RandomFlip(),
            L.Normalization(mean=[1, 2, 3], variance=[1, 2, 4]),
        ),
    ],
    "pools": [
        *(L.Input((11, 10, 2)), L.MaxPool2D(3, 2, padding="same"), L.AvgPool2D(3, 1, padding=1), L.ReLU(6, 0.1, 0.2)),
        *(
            L.AvgPool2D(2, 2, padding=1, count_include_pad=True),
            L.AvgPool2D(2, 2, ceil_mode=True, padding=((0, 1), (1, 0))),
        ),
        *(L.MaxPool2D(2, 1, padding=((1, 0), (0, 0))), L.GlobalMaxPool2D()),
    ],
    "norms": [
        *(L.Input((5, 4, 6)), L.BatchNorm(scale=False), L.LayerNorm(), L.GroupNorm(3), L.LocalResponseNorm(3, 0.1)),
        *(L.LayerNorm((1, 2, 3)), L.PReLU(shared_axes=(1, 2)), L.Flatten(), L.BatchNorm(), L.Dense(4), L.Softmax()),
    ],
    "convs": [
        *(L.Input((8, 9, 4)), L.SeparableConv2D(6, 3, padding=1, depth_multiplier=2, activation="relu")),
        *(
            L.DepthwiseConv2D(3, 2, depth_multiplier=2),
            L.Conv2D(6, 2, groups=3, dilation_rate=2),
            L.SpatialDropout2D(0.2),
            L.StochasticDepth(0.2),
        ),
        *(L.Conv2DTranspose(5, (3, 2), 2), L.Conv2DTranspose(3, 2, 3, padding="same"), L.GaussianNoise(0.1)),
        *(L.Conv2DTranspose(3, 3, 2, padding=1, output_padding=1), L.Dense(2), L.Sigmoid()),
    ],
    "published": [
        *(L.Input((8, 8, 2)), L.Subsampling2D(2), L.ScaledTanh(), L.TableConv2D([[0], [0, 1], [1]], 3)),
        *(L.Flatten(), L.RBF(4)),
    ],
    "moved": [L.Input((3, 4, 2)), L.Permute((3, 1, 2)), L.Reshape((4, 6)), L.Conv1D(3, 2), L.MaxPool1D(2), L.Flatten()],
    "series": [
        L.Input((12, 3)),
        L.Conv1D(4, 3, padding="same"),
        L.AvgPool1D(2),
        L.LeakyReLU(),
        *SERIES,
        L.GlobalAvgPool1D(),
    ],
    "adaptive": [
        *(L.Input((9, 7, 2)), L.AdaptiveMaxPool2D((5, 6)), L.AdaptiveAvgPool2D((3, 4)), L.Reshape((12, 2))),
        *(L.AdaptiveAvgPool1D(7), L.AdaptiveMaxPool1D(3), L.Flatten()),
    ],
    "more series": [
        *(L.Input((6,)), L.RepeatVector(7), L.SeparableConv1D(4, 3, depth_multiplier=2), L.RMSNorm()),
        *(L.Conv1DTranspose(3, 3, 2, "same"), L.Conv1DTranspose(4, 2, 3, (1, 2)), L.UnitNormalization(), L.Power(3)),
        *(L.DepthwiseConv1D(3, 2, (1, 0), 2, dilation_rate=2), L.GlobalMaxPool1D(keepdims=True), L.Flatten()),
    ],
    "row": [
        L.Input((6,)),
        L.Slice(1, (5,)),
        L.Dense(5, use_bias=False),
        L.BatchNorm(),
        L.Tanh(),
        L.Dense(2, activation="softmax"),
    ],
}
GRAPHS = {"branched": branched, "activations": activations, "products": products}


def network(name: str) -> Model:
    """One of SMALL or GRAPHS."""
    return GRAPHS[name]() if name in GRAPHS else Sequential(copy.deepcopy(SMALL[name]), name=name)
