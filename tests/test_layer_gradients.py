"""Gradients of layers' own gradients, by the calculation that a layer is, for every row of the layers' contract."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from test_layer_contract import KEY, Row, every_row

from pellucid.autodiff import GradientTape, tensor
from pellucid.errors import ConfigError
from pellucid.layers import Layer, check_gradients


class GradientOf(Layer):
    """The gradient of a layer's input, as a layer: its backward is the gradient of that gradient, by `calculate`."""

    def __init__(self, inner: Layer, training: bool) -> None:
        super().__init__()
        self.inner, self.how = inner, {"training": training, "key": KEY}

    def build(self, input_shape: Any, rng: np.random.Generator) -> None:
        self.inner.ensure_built(input_shape, rng)
        self.params, self.state = dict(self.inner.params), dict(self.inner.state)
        self.built = True

    def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
        vars(self.inner.store).update(_params=dict(self.params), _state=dict(self.state))
        y, cache = self.inner.forward(x, **self.how)
        d = np.random.default_rng(4).standard_normal(y.shape)
        dx, grads = self.inner.backward(d, cache)
        return dx, (x, d, dx, grads)

    def backward(self, dy: Any, cache: Any, *, need_dx: bool = True) -> Any:
        kept, d, first, grads = cache
        x, *weights = (tensor(np.array(each)) for each in (kept, *self.params.values()))
        with GradientTape(persistent=True) as tape:
            tape.watch([x, *weights])
            y = self.inner.calculate(x, dict(zip(self.params, weights, strict=True)), **self.how)
            dx, *own = tape.gradient(y, [x, *weights], output_gradients=d, unconnected_gradients="zero")
            total = (dx * dy).sum()
        for found, wanted in zip(
            (dx, *own), (first, *(grads[f"d{n}"] for n in self.params)), strict=True
        ):  # the same as of backward itself
            np.testing.assert_allclose(found, wanted, 1e-9, 1e-9 * abs(wanted).max(initial=1e-30))
        again, *of_weights = tape.gradient(total, [x, *weights], unconnected_gradients="zero")
        return np.asarray(again), {f"d{n}": np.asarray(g) for n, g in zip(self.params, of_weights, strict=True)}


UNKNOWN = {
    "AdaptiveMaxPool1D", "AdaptiveMaxPool2D", "AlphaDropout", "LocalResponseNorm", "RBF", "RandomBrightness",
    "RandomContrast", "UnitNormalization",
}  # fmt: skip
"""Layers of which no gradient of a gradient is known; they say so."""


@every_row
@pytest.mark.parametrize("training", [True, False])
def test_gradients_of_gradients_against_finite_differences(row: Row, training: bool) -> None:
    inner = row.make()
    if type(inner).__name__ in UNKNOWN:
        x = tensor(np.zeros((2, *row.input_shape), np.float32))
        inner(x)
        with GradientTape() as outer:
            outer.watch(x)
            with GradientTape() as tape:
                tape.watch(x)
                y = inner(x, training=training)
            with pytest.raises(ConfigError, match="gradient of its gradient is not known"):
                tape.gradient(y, x)
        return
    result = check_gradients(GradientOf(inner, training), row.input_shape)
    assert result.ok, str(result)
