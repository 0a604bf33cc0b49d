"""What programs of Keras 2 write before there are numbers: gradients, functions, updates, losses of a network's values.

The truths are PyTorch's, NumPy's, and what the same calculation gives of arrays, step by step.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError, DataError
from pellucid.keras import backend as K
from pellucid.keras import layers
from pellucid.keras import tensorflow as tf

RNG = np.random.default_rng(3)
X = RNG.normal(size=(2, 7, 6, 3)).astype(np.float32)


@pytest.fixture
def model() -> Any:
    return keras.Sequential(
        [
            layers.Input((7, 6, 3)),
            layers.Conv2D(4, 3, activation="tanh", name="seen"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(5, name="scores"),
        ]
    )


def test_gradients_of_an_activation_are_those_of_a_tape(model: Any) -> None:
    seen = model.get_layer("seen").output
    loss = K.mean(seen[:, :, :, 1]) + 0.1 * K.sum(K.square(seen[:, 1:-1, 1:-1, :])) / K.prod(
        K.cast(K.shape(seen), "float32")
    )
    (slope,) = K.gradients(loss, [model.input])
    slope /= K.sqrt(K.mean(K.square(slope))) + 1e-5
    assert K.ndim(loss) == 0 and K.int_shape(slope) == (None, 7, 6, 3)
    found = K.function([model.input], [loss, slope])([X])
    x = tf.constant(X)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = model.layers[0](x)
        wanted = K.mean(y[:, :, :, 1]) + 0.1 * K.sum(y[:, 1:-1, 1:-1, :] ** 2) / y.size
    theirs = tape.gradient(wanted, x)
    np.testing.assert_allclose(found[0], wanted, rtol=1e-5)
    np.testing.assert_allclose(found[1], theirs / (np.sqrt(np.mean(theirs**2)) + 1e-5), rtol=1e-4, atol=1e-6)


def test_placeholders_and_variables_of_a_style_loss_have_pytorchs_gradient() -> None:
    torch = pytest.importorskip("torch")
    base, x = RNG.normal(size=(1, 4, 5, 2)), RNG.normal(size=(1, 4, 5, 2)).astype(np.float32)
    given, changed = K.variable(base), K.placeholder((1, 4, 5, 2))
    both = K.concatenate([given, changed], axis=0)
    assert K.int_shape(both) == (2, 4, 5, 2) and K.int_shape(changed) == (1, 4, 5, 2)

    def gram(one: Any) -> Any:
        features = K.batch_flatten(K.permute_dimensions(one, (2, 0, 1)))
        return K.dot(features, K.transpose(features))

    loss: Any = K.variable(0.0)
    loss += K.sum(K.square(gram(both[0]) - gram(both[1]))) / 40.0
    loss = loss + K.sum(K.pow(K.square(changed[:, :-1] - changed[:, 1:]) + 0.1, 1.25))
    value, slope = K.function([changed], [loss, *K.gradients(loss, changed)])([x])
    v, b = torch.tensor(x, requires_grad=True), torch.tensor(base, dtype=torch.float32)
    grams = [each.permute(2, 0, 1).flatten(1) @ each.permute(2, 0, 1).flatten(1).T for each in (b[0], v[0])]
    wanted = (grams[0] - grams[1]).square().sum() / 40 + ((v[:, :-1] - v[:, 1:]).square() + 0.1).pow(1.25).sum()
    wanted.backward()
    assert float(value) == pytest.approx(wanted.item(), rel=1e-5)
    np.testing.assert_allclose(slope, v.grad, rtol=1e-4, atol=1e-5)
    given.assign(base * 2)
    assert float(K.function([changed], [loss])([x])[0]) != pytest.approx(float(value)), "variables are read live"


def test_a_gradient_of_a_gradient_is_that_of_calculus() -> None:
    x = K.placeholder((3,))
    (slope,) = K.gradients(K.sum(x**4), x)
    (curve,) = K.gradients(K.sum(slope), x)
    found = K.function([x], [slope, curve])([[1.0, 2.0, 3.0]])
    np.testing.assert_allclose(found, [[4, 32, 108], [12, 48, 108]], rtol=1e-6)


def test_updates_come_after_the_outputs(model: Any) -> None:
    count, w = K.variable(1.0), K.variable([2.0, 3.0])
    x = K.placeholder((2,))
    loss = K.sum(w * x)
    K.update_add(count, 1.0)
    assert float(K.get_value(count)) == 2.0, "of numbers alone at once"
    step = K.function([x], [loss], updates=[K.update(w, w - 0.1 * x)])
    assert float(step([[1.0, 1.0]])[0]) == 5.0
    np.testing.assert_allclose(K.get_value(w), [1.9, 2.9], rtol=1e-6)


def test_an_optimizers_updates_are_its_steps() -> None:
    ours, other = K.variable([1.0, -2.0]), tf.Variable([1.0, -2.0])
    x = K.placeholder((2,))
    loss = K.sum(K.square(ours * x - 1.0))
    step = K.function([x], [loss], updates=keras.optimizers.Adam(0.1).get_updates(loss, [ours]))
    optimizer = keras.optimizers.Adam(0.1)
    for k in range(3):
        fed = np.array([1.0, k], np.float32)
        step([fed])
        with tf.GradientTape() as tape:
            wanted = K.sum(K.square(other * fed - 1.0))
        optimizer.apply_gradients(zip(tape.gradient(wanted, [other]), [other], strict=True))
    np.testing.assert_allclose(ours.numpy(), other.numpy(), rtol=1e-6)


def test_learning_phase_says_whether_layers_learn() -> None:
    inputs = layers.Input((4,))
    outputs = layers.Dropout(0.5)(inputs)
    f = K.function([inputs, K.learning_phase()], [outputs])
    x = np.ones((8, 4), np.float32)
    np.testing.assert_array_equal(f([x, 0])[0], x)
    assert set(np.unique(f([x, 1])[0])) == {0.0, 2.0}


@pytest.mark.parametrize(
    ("first", "second", "axes", "spelled"),
    [
        ((2, 3, 4), (2, 4, 5), None, "nij,njk->nik"),
        ((2, 3, 4), (2, 5, 4), 2, "nij,nkj->nik"),
        ((2, 3, 4), (2, 3, 6, 4), (2, 3), "nij,nklj->nikl"),
        ((2, 4), (2, 4, 5), (1, 1), "nj,njk->nk"),
        ((2, 4), (2, 4), 1, "nj,nj->n"),
    ],
)
def test_batch_dot_is_a_sum_of_products(first: Any, second: Any, axes: Any, spelled: str) -> None:
    a, b = RNG.normal(size=first), RNG.normal(size=second)
    wanted = np.einsum(spelled, a, b)
    found = K.batch_dot(a, b, axes)
    np.testing.assert_allclose(found, wanted if wanted.ndim > 1 else wanted[:, None], rtol=1e-12)


def _coder() -> tuple[Any, Any, Any, Any]:
    keras.utils.set_random_seed(4)
    inputs = layers.Input((6,))
    mean, spread = layers.Dense(2, name="mean")(inputs), layers.Dense(2, name="spread")(inputs)
    encoder = keras.Model(inputs, [mean, spread])
    decoder = keras.Sequential([layers.Input((2,)), layers.Dense(6, activation="sigmoid", name="out")])
    return inputs, mean, spread, keras.Model(inputs, decoder(encoder(inputs)[0]))


def _by_hand(rows: Any, epochs: int) -> list[Any]:
    """The same network and loss, step by step."""
    _, *values, whole = _coder()
    optimizer = keras.optimizers.RMSprop(0.01)
    mean, spread, last = (*(value.layer for value in values), whole.get_layer("out"))
    weights = [w for layer in (mean, spread, last) for w in layer.trainable_weights]
    for _ in range(epochs):
        with tf.GradientTape() as tape:
            x = tf.constant(rows)
            m, s = mean(x), spread(x)
            y = last(m)
            own = K.sum(1 + s - K.square(m) - K.exp(s), axis=-1) * -0.5
            loss = K.mean(K.mean(K.square(x - y)) * 6 + own)
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
    return [float(loss), *(w.numpy() for w in weights)]


@pytest.mark.parametrize("how", ["add_loss", "compile"])
def test_a_loss_of_a_networks_values_trains_as_by_hand(how: str) -> None:
    rows = RNG.random((8, 6)).astype(np.float32)
    wanted = _by_hand(rows, 3)
    inputs, mean, spread, model = _coder()
    own = K.sum(1 + spread - K.square(mean) - K.exp(spread), axis=-1) * -0.5
    if how == "add_loss":
        outputs = model.output
        whole = keras.losses.mse(K.flatten(inputs), K.flatten(outputs)) * 6
        model.add_loss(K.mean(whole + own))
        model.compile(optimizer=keras.optimizers.RMSprop(0.01))
        history = model.fit(rows, epochs=3, batch_size=8, verbose=0)
    else:

        def loss(true: Any, pred: Any) -> Any:
            own = K.sum(1 + spread - K.square(mean) - K.exp(spread), axis=-1) * -0.5
            return K.mean(keras.losses.mse(K.flatten(true), K.flatten(pred)) * 6 + own)

        model.compile(optimizer=keras.optimizers.RMSprop(0.01), loss=loss)
        history = model.fit(rows, rows, epochs=3, batch_size=8, verbose=0, shuffle=False)
    assert history.history["loss"][-1] == pytest.approx(wanted[0], rel=1e-5)
    found = [w.numpy() for name in ("mean", "spread", "out") for w in model.get_layer(name).trainable_weights]
    for ours, theirs in zip(found, wanted[1:], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


def test_what_has_no_numbers_says_what_gives_them(model: Any) -> None:
    loss = K.mean(model.output)
    with pytest.raises(ConfigError, match=r"K\.function"):
        np.asarray(loss)
    with pytest.raises(ConfigError, match="name it among the inputs"):
        K.function([], [loss])([])
    with pytest.raises(DataError, match=r"K\.function"):
        layers.Dense(2)(loss)
    with pytest.raises(ConfigError, match="does not come from"):
        K.function([model.input], K.gradients(loss, [K.variable(1.0)]))([X])
    with pytest.raises(ConfigError, match=r"K\.function"):
        keras.Model(model.input, loss)


def test_a_network_begins_at_what_is_calculated_later() -> None:
    given, changed = K.variable(RNG.normal(size=(1, 32, 32, 3))), K.placeholder((1, 32, 32, 3))
    network = keras.applications.VGG16(
        input_tensor=K.concatenate([given, given, changed], axis=0), weights=None, include_top=False
    )
    seen = network.get_layer("block1_conv2").output
    loss = K.mean(K.square(seen[2, :, :, :] - seen[0]))
    picture = RNG.normal(size=(1, 32, 32, 3)).astype(np.float32)
    value, slope = K.function([changed], [loss, *K.gradients(loss, changed)])([picture])
    layers_of = [network.get_layer(f"block1_conv{number}") for number in (1, 2)]
    x = tf.constant(picture)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = tf.concat([tf.constant(given.numpy()), x], 0)
        for layer in layers_of:
            y = layer(y)
        wanted = K.mean(K.square(y[1] - y[0]))
    np.testing.assert_allclose(value, wanted, rtol=1e-5)
    np.testing.assert_allclose(slope, tape.gradient(wanted, x), rtol=1e-4, atol=1e-8)
    fixed = keras.applications.VGG16(input_tensor=given, weights=None, include_top=False)
    (maps,) = K.function([], [fixed.get_layer("block1_conv1").output])([])
    np.testing.assert_allclose(maps, fixed.get_layer("block1_conv1")(given.numpy()), rtol=1e-5, atol=1e-6)


def test_a_picture_by_its_number_is_no_row_of_each() -> None:
    source = keras.Input((2, 5))
    first = K.function([source], [source[1], K.sum(source, axis=0)])
    x = RNG.normal(size=(4, 2, 5)).astype(np.float32)
    for found, wanted in zip(first([x]), (x[1], x.sum(0)), strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-6)
