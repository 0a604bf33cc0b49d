"""Layers with kernels of their own in a plan: one native program, and the numbers of the reference."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pellucid import Input, Model, layers
from pellucid.ops import backend, native
from pellucid.ops.geometry import Array
from pellucid.plan import InferencePlan

pytestmark = pytest.mark.skipif(backend().name != "native", reason="looks at native programs")
SHAPE = (6, 5, 4)
Block = Callable[[layers.symbolic.Value], layers.symbolic.Value]


def scaled(x: layers.symbolic.Value) -> layers.symbolic.Value:
    return layers.SqueezeExcite(2)(x)


def product(x: layers.symbolic.Value) -> layers.symbolic.Value:
    """Of maps twice and of a row, which stands first."""
    row = layers.Dense(4, "sigmoid")(layers.GlobalAvgPool2D()(x))
    return layers.Multiply()([row, x, layers.Conv2D(4, 1)(x)])


def joined(axis: int) -> Block:
    """Maps that differ along an axis, one of them twice."""

    def block(x: layers.symbolic.Value) -> layers.symbolic.Value:
        part = layers.Conv2D(3, 1)(layers.Cropping2D(((1, 2), (0, 0)))(x)) if axis == 1 else layers.ReLU()(x)
        if axis == 1:
            x = layers.Conv2D(3, 1)(x)
        return layers.Concatenate(axis)([x, part, x])

    return block


def one_by_one(*row: layers.Layer) -> Block:
    def block(x: layers.symbolic.Value) -> layers.symbolic.Value:
        for layer in row:
            x = layer(x)
        return x

    return block


BLOCKS: dict[str, Callable[[], Block]] = {
    "squeeze-excite": lambda: scaled,
    "product": lambda: product,
    "joined-rows": lambda: joined(1),
    "joined-columns": lambda: joined(2),
    "joined-channels": lambda: joined(-1),
    "permute": lambda: one_by_one(layers.Permute((3, 1, 2)), layers.Conv2D(3, 2), layers.Permute((2, 3, 1))),
    "permute-of-four": lambda: one_by_one(
        layers.Reshape((6, 5, 2, 2)), layers.Permute((2, 4, 1, 3)), layers.Reshape(SHAPE)
    ),
    "softmax-of-rows": lambda: one_by_one(layers.Softmax(1), layers.Softmax(2)),
    "global-max": lambda: one_by_one(layers.GlobalMaxPool2D()),
    "global-max-of-series": lambda: one_by_one(layers.Reshape((30, 4)), layers.GlobalMaxPool1D()),
    **{
        f"prelu-{'-'.join(map(str, shared))}": lambda shared=shared: one_by_one(
            layers.PReLU("random_normal", shared_axes=shared)
        )
        for shared in ((), (1, 2), (3,), (1, 3), (1, 2, 3))
    },
    **{
        f"transposed-{activation}": lambda activation=activation: one_by_one(
            layers.Conv2DTranspose(5, (3, 2), (2, 1)),
            layers.BatchNorm(),
            layers.Conv2DTranspose(3, 2, 2, activation=activation),
        )
        for activation in ("relu", "tanh", "silu")
    },
    "transposed-few": lambda: one_by_one(layers.Conv2DTranspose(2, 5, 1, 2, activation="leaky_relu")),
    "transposed-winograd": lambda: one_by_one(
        layers.Conv2D(32, 1), layers.Conv2DTranspose(32, 3, 1, 1, activation="elu")
    ),
}


def network(block: Block) -> Model:
    inputs = Input(SHAPE)
    y = layers.Flatten()(block(layers.Conv2D(4, 1)(inputs)))
    return Model(inputs, layers.Dense(3, activation="softmax")(y), seed=2)


def trained(name: str, x: Array) -> tuple[Model, Array]:
    model = network(BLOCKS[name]())
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, np.arange(len(x)) % 3, batch_size=3, epochs=2, verbose=0, doctor=False)
    return model, model.predict(x)


@pytest.mark.filterwarnings("ignore:Pellucid runs on its slow")
@pytest.mark.parametrize("name", BLOCKS)
def test_a_plan_is_one_program_and_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    x = np.random.default_rng(0).standard_normal((6, *SHAPE)).astype(np.float32)
    model, answers = trained(name, x)
    assert InferencePlan(model.graph, model.parameters, capacity=6).num_stages == 1
    for layer in model.layers:
        assert not any(np.isnan(array).any() for array in layer.get_weights())
    monkeypatch.setattr(native, "available", False)
    monkeypatch.delenv("PELLUCID_REQUIRE_NATIVE", raising=False)
    other, expected = trained(name, x)
    for one, two in zip(model.layers, other.layers, strict=True):
        for got, wanted in zip(one.get_weights(), two.get_weights(), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5, err_msg=one.place())
    np.testing.assert_allclose(answers, expected, rtol=1e-4, atol=1e-5)


def test_a_norm_behind_a_transposed_convolution_is_no_step() -> None:
    rows = layers.Conv2DTranspose(5, (3, 2), 2), layers.BatchNorm(), layers.ReLU()
    model = network(one_by_one(*rows))
    steps = [step.kernel for step in InferencePlan(model.graph, model.parameters, capacity=4).steps]
    assert steps == ["conv2d", "conv2d_backward_input", "dense", "softmax"]
