"""Layers for series against Keras: answers, ten steps of training, masks, states, and files both ways."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import keras as pk
from pellucid import layers
from pellucid.errors import ConfigError, DataError, ShapeError

keras = pytest.importorskip("keras", reason="Keras is not installed")

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
RNG = np.random.default_rng(0)
X = RNG.integers(1, 30, (24, 9))
X[:, 7:] = 0
X[:8, 4:] = 0
Y = RNG.integers(0, 3, 24)

BODIES: dict[str, Callable[[Any, Any], Any]] = {
    "mean": lambda L, x: x,
    "rnn": lambda L, x: L.SimpleRNN(5)(L.SimpleRNN(6, activation="relu", return_sequences=True)(x)),
    "lstm": lambda L, x: L.LSTM(6, return_sequences=True)(x),
    "lstm-states": lambda L, x: chained(L, x),
    "gru": lambda L, x: L.GRU(4, go_backwards=True)(L.GRU(6, reset_after=False, return_sequences=True)(x)),
    "bidirectional": lambda L, x: L.Bidirectional(L.GRU(4), merge_mode="mul")(
        L.Bidirectional(L.LSTM(5, return_sequences=True))(x)
    ),
    "bidirectional-states": lambda L, x: L.Concatenate()(
        L.Bidirectional(L.GRU(3, return_state=True, return_sequences=True), merge_mode="ave")(x)[1:]
    ),
    "each-step": lambda L, x: L.LSTM(4)(L.TimeDistributed(L.Dense(5, activation="relu"))(x)),
    "einsum": lambda L, x: L.EinsumDense("abc,cd->abd", (None, 6), "relu", "d")(x),
    "heads": lambda L, x: L.Add()([L.LayerNormalization()(x), L.MultiHeadAttention(2, 3, value_dim=4)(x, x)]),
    "heads-causal": lambda L, x: L.MultiHeadAttention(2, 3, use_bias=False)(x, x, use_causal_mask=True),
    "attention": lambda L, x: L.Attention(use_scale=True)([x, L.Dense(5)(x)]),
    "attention-concat": lambda L, x: L.Attention(score_mode="concat")([x, x]),
    "attention-additive": lambda L, x: L.AdditiveAttention()([x, x]),
}
FILES = ("lstm", "gru", "bidirectional", "each-step", "heads-causal", "attention", "heads")


def chained(L: Any, x: Any) -> Any:
    _, *states = L.LSTM(6, return_state=True, return_sequences=True)(x)
    return L.LSTM(6)(x, initial_state=states)


def network(k: Any, name: str, mask: bool) -> Any:
    inputs = k.Input((9,))
    x = BODIES[name](k.layers, k.layers.Embedding(30, 5, mask_zero=mask)(inputs))
    x = k.layers.GlobalAveragePooling1D()(x) if len(x.shape) == 3 else x
    return k.Model(inputs, k.layers.Dense(3, activation="softmax")(x))


def both(name: str, mask: bool) -> tuple[Any, Any]:
    ours, theirs = network(pk, name, mask), network(keras, name, mask)
    theirs.set_weights([RNG.normal(0, 0.5, np.shape(one)) for one in theirs.get_weights()])
    ours.set_weights(theirs.get_weights())
    return ours, theirs


@pytest.mark.parametrize("mask", [False, True])
@pytest.mark.parametrize("name", BODIES)
def test_ten_steps_come_to_the_same_as_in_keras(name: str, mask: bool) -> None:
    ours, theirs = both(name, mask)
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), atol=1e-6)
    losses = []
    for model, k in ((ours, pk), (theirs, keras)):
        model.compile(k.optimizers.SGD(0.5), "sparse_categorical_crossentropy")
        losses.append(model.fit(X, Y, batch_size=24, epochs=10, verbose=0, shuffle=False).history["loss"])
    np.testing.assert_allclose(*losses, atol=2e-6)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, atol=5e-6)


@pytest.mark.parametrize("ending", ["keras", "h5"])
@pytest.mark.parametrize("name", FILES)
def test_files_pass_both_ways(name: str, ending: str, tmp_path: Path) -> None:
    ours, theirs = both(name, True)
    answers = ours.predict(X, verbose=0)
    ours.save(tmp_path / f"ours.{ending}")
    theirs.save(tmp_path / f"theirs.{ending}")
    there = keras.models.load_model(tmp_path / f"ours.{ending}")
    here = pk.models.load_model(tmp_path / f"theirs.{ending}")
    for model in (there, here):
        np.testing.assert_allclose(np.asarray(model.predict(X, verbose=0)), answers, atol=1e-6)
    ours.save_weights(tmp_path / "ours.weights.h5")
    theirs.load_weights(tmp_path / "ours.weights.h5")
    theirs.save_weights(tmp_path / "again.weights.h5")
    ours.load_weights(tmp_path / "again.weights.h5")
    np.testing.assert_array_equal(ours.predict(X, verbose=0), answers)


def test_our_own_file_keeps_states_and_masks(tmp_path: Path) -> None:
    ours, _ = both("lstm-states", True)
    ours.save(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(again.predict(X.astype(np.float32)), ours.predict(X, verbose=0))
    with pytest.raises(ConfigError, match="gives several values"):
        ours.save(tmp_path / "m.keras")


SEVERAL: dict[str, tuple[Callable[[], Any], list[tuple[int, ...]]]] = {
    "rnn": (lambda: layers.SimpleRNN(4, go_backwards=True, dropout=0.3, recurrent_dropout=0.2), [(5, 3)]),
    "lstm": (lambda: layers.LSTM(4, use_bias=False, return_sequences=True, return_state=True), [(5, 3), (4,), (4,)]),
    "gru": (lambda: layers.GRU(4, reset_after=False, kernel_regularizer="l2"), [(5, 3), (4,)]),
    "bidirectional": (lambda: layers.Bidirectional(layers.LSTM(3, return_sequences=True), None), [(5, 3)]),
    "attention": (lambda: layers.Attention(True, "concat", 0.3, True, True), [(5, 3), (4, 2), (4, 3)]),
    "additive": (lambda: layers.AdditiveAttention(), [(5, 3), (4, 3), (4, 3), (4, 1)]),
    "heads": (lambda: layers.MultiHeadAttention(2, 3, 4, 0.2, False, 7), [(5, 3), (4, 2), (4, 6)]),
    "weights": (lambda: layers.StepWeights(), [(5, 3), (5, 1)]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_gradients_are_slopes_and_configs_make_the_same(name: str) -> None:
    make, shapes = SEVERAL[name]
    inputs = [pellucid.Input(shape) for shape in shapes]
    checked = pellucid.check_gradients(pellucid.Model(inputs, make()(inputs if len(inputs) > 1 else inputs[0])))
    masks = ("weights", "additive")  # whose mask has no slope
    wrong = [one.name for one in checked.arrays if one.error > checked.tolerance]
    assert wrong == (["dx"] if name == "weights" else []) or name in masks, str(checked)
    again = layers.from_config(make().config())
    assert again.config() == make().config()


def test_what_does_not_fit_is_refused() -> None:
    model = pk.Sequential([pk.layers.Embedding(5, 2), pk.layers.LSTM(3), pk.layers.Dense(1)])
    with pytest.raises(DataError, match="rows 0 to 4, got 9"):
        model.predict(np.array([[1, 9]]), verbose=0)
    with pytest.raises(ShapeError, match="needs a series"):
        layers.LSTM(3)(np.zeros((2, 4), np.float32))
    with pytest.raises(ConfigError, match="stateful"):
        layers.GRU(3, stateful=True)
    with pytest.raises(ConfigError, match="go_backwards"):
        layers.Bidirectional(layers.LSTM(2), backward_layer=layers.LSTM(2))
    with pytest.raises(ConfigError, match="abc,cd->abd"):
        layers.EinsumDense("abc", 3)


def test_positions_that_a_layer_looks_up_itself_are_trained() -> None:
    class Positions(pk.layers.Layer):
        def __init__(self) -> None:
            super().__init__()
            self.table = pk.layers.Embedding(9, 5)

        def call(self, x: Any) -> Any:
            return x + self.table(pk.ops.arange(start=0, stop=9))

    inputs = pk.Input((9,), dtype="int64")
    x = Positions()(pk.layers.Embedding(30, 5)(inputs))
    x = pk.layers.GlobalAveragePooling1D()(pk.layers.MultiHeadAttention(2, 3)(x, x))
    model = pk.Model(inputs, pk.layers.Dense(3, activation="softmax")(x))
    before = [np.array(one) for one in model.get_weights()]
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, verbose=0)
    shapes = [one.shape for one, old in zip(model.get_weights(), before, strict=True) if (one != old).any()]
    assert (9, 5) in shapes and (30, 5) in shapes
