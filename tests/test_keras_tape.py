"""Programs that take their own steps: what they come to is what `fit` comes to, and what PyTorch has."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.keras import layers, ops
from pellucid.keras import tensorflow as tf

RNG = np.random.default_rng(5)
X, Y = RNG.normal(size=(24, 8, 8, 2)).astype(np.float32), RNG.integers(0, 3, 24)
SCORES = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def network(*more: Any) -> Any:
    """Layers with kernels, with state, with a penalty."""
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [
            keras.Input((8, 8, 2)), layers.Conv2D(4, 3, use_bias=False, kernel_regularizer=keras.regularizers.L2(0.02)),
            layers.BatchNormalization(), layers.ReLU(), layers.MaxPooling2D(), layers.Flatten(), layers.Dense(3),
            *more,
        ]
    )  # fmt: skip


def steps(model: Any, optimizer: Any, loss_fn: Any, batch: int = 8) -> None:
    for start in range(0, len(X), batch):
        with tf.GradientTape() as tape:
            loss = loss_fn(Y[start : start + batch], model(X[start : start + batch], training=True))
            loss = loss + sum(model.losses)
        weights = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras.optimizers.SGD(0.1, momentum=0.9), lambda: keras.optimizers.Adam(0.01, clipnorm=0.5),
        lambda: keras.optimizers.RMSprop(keras.optimizers.schedules.ExponentialDecay(0.01, 2, 0.5)),
    ],
    ids=["momentum", "adam clipped", "rmsprop decaying"],
)  # fmt: skip
@pytest.mark.parametrize("ending", [(), ("softmax",)], ids=["scores", "probabilities"])
def test_steps_by_a_tape_come_to_what_fit_comes_to(make: Any, ending: Any) -> None:
    fitted, stepped = (network(*map(layers.Activation, ending)) for _ in range(2))
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=not ending)
    fitted.compile(make(), loss)
    fitted.fit(X, Y, batch_size=8, epochs=2, shuffle=False, verbose=0)
    optimizer = make()
    for _ in range(2):
        steps(stepped, optimizer, loss)
    assert int(optimizer.iterations) == 6
    for ours, wanted in zip(stepped.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=2e-5 if ending else 1e-6)


class Scale(layers.Layer):
    """Weights of its own, and a layer within."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(
            name="scale", shape=(input_shape[-1],), initializer="ones", constraint=keras.constraints.NonNeg()
        )
        self.calls = self.add_weight("calls", shape=(), initializer="zeros", trainable=False)
        self.dense = layers.Dense(3, kernel_regularizer="l2")
        self.norm = layers.BatchNormalization()

    def call(self, x: Any) -> Any:
        return ops.tanh(self.norm(self.dense(x * self.scale)))


def own() -> Any:
    keras.utils.set_random_seed(4)
    return keras.Sequential([keras.Input((8, 8, 2)), Scale(), layers.Flatten(), layers.Dense(3)])


def test_a_layer_of_ones_own_trains_in_fit_as_by_a_tape(tmp_path: Path) -> None:
    fitted, stepped = own(), own()
    assert [weight.path.split("/")[1] for weight in fitted.trainable_variables] == [
        "scale", "kernel", "bias", "gamma", "beta", "kernel", "bias",
    ]  # fmt: skip
    assert len(fitted.non_trainable_variables) == 3 and fitted.count_params() == sum(
        weight.array.size for weight in fitted.variables
    )
    before = fitted.get_weights()
    fitted.compile(keras.optimizers.SGD(0.1), SCORES)
    fitted.fit(X, Y, batch_size=8, epochs=1, shuffle=False, verbose=0)
    scale, kernel, bias, gamma, beta = (
        abs(a - b).max() for a, b in zip(before[:5], fitted.get_weights()[:5], strict=True)
    )
    assert min(scale, kernel, gamma, beta) > 1e-4
    assert bias < 1e-6, "batch norm takes off what is added before it: nothing of its gradient is left but roundings"
    steps(stepped, keras.optimizers.SGD(0.1), SCORES)
    for ours, wanted in zip(stepped.get_weights(), fitted.get_weights(), strict=True):
        np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=1e-6)
    twin = copy.deepcopy(fitted)
    twin.fit(X, Y, epochs=1, verbose=0) if twin.compile("sgd", SCORES) else None
    np.testing.assert_array_equal(twin.predict(X, verbose=0), fitted.predict(X, verbose=0))
    fitted.save_weights(tmp_path / "a.weights.h5")
    fitted.save(tmp_path / "a.safetensors")
    stepped.load_weights(tmp_path / "a.weights.h5")
    read = keras.models.load_model(tmp_path / "a.safetensors", custom_objects={"Scale": Scale})
    for each in (stepped, read):
        np.testing.assert_array_equal(each.predict(X, verbose=0), fitted.predict(X, verbose=0))


class Dynamic(keras.Model):
    """What happens depends on the numbers, one layer works twice, and the loss has a part of its own."""

    def __init__(self, adds: bool = False) -> None:
        super().__init__()
        self.same, self.head, self.adds = layers.Conv2D(2, 3, padding="same"), layers.Dense(3), adds
        self.part = Adds() if adds else layers.Activation("linear")

    def call(self, x: Any, training: bool = False) -> Any:
        y = self.part(self.same(self.same(x)))
        if float(ops.max(ops.abs(y))) > 1e6:
            y = y * 0.0
        return self.head(ops.reshape(y, (ops.shape(y)[0], -1)))


class Adds(layers.Layer):
    def call(self, x: Any) -> Any:
        self.add_loss(0.1 * ops.mean(ops.square(x)))
        return x


def test_a_call_that_is_no_network_is_one_layer() -> None:
    keras.utils.set_random_seed(1)
    model = Dynamic()
    model.compile("adam", SCORES, metrics=["accuracy"])
    history = model.fit(X, Y, epochs=4, verbose=0, validation_data=(X, Y))
    assert history.history["loss"][-1] < history.history["loss"][0] and "val_accuracy" in history.history
    np.testing.assert_allclose(model.predict(X, verbose=0), model(X), atol=1e-6)
    assert len(model.trainable_weights) == 4 and model.evaluate(X, Y, verbose=0)[0] < history.history["loss"][0]


def test_add_loss_makes_fit_take_steps_by_a_tape() -> None:
    with_part, without = Dynamic(True), Dynamic()
    for model in (with_part, without):
        model(X)
        model.compile(keras.optimizers.SGD(0.0), SCORES, metrics=["accuracy"])
    without.set_weights(with_part.get_weights())
    first, second = (model.fit(X, Y, batch_size=24, verbose=0).history for model in (with_part, without))
    part = 0.1 * np.square(with_part.same(with_part.same(X))).mean()
    assert first["loss"][0] == pytest.approx(second["loss"][0] + part, rel=1e-4)
    assert first["accuracy"] == second["accuracy"] and with_part.takes_own_steps and not without.takes_own_steps


class Stepping(keras.Model):
    """The default steps, written out, as the guides have them."""

    def train_step(self, data: Any) -> Any:
        x, y = data
        with tf.GradientTape() as tape:
            y_pred = self(x, training=True)
            loss = self.compute_loss(y=y, y_pred=y_pred)
        gradients = tape.gradient(loss, self.trainable_variables)
        self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
        return {**super().test_step((x, y)), "lr": 1.0}


def test_own_steps_hear_callbacks_and_judge() -> None:
    inputs = keras.Input((8, 8, 2))
    model = Stepping(inputs, layers.Dense(3)(layers.Flatten()(inputs)))
    model.compile("adam", SCORES, metrics=["accuracy"])
    heard: list[str] = []

    class Hears(keras.callbacks.Callback):
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            heard.append(f"batch {batch} {sorted(logs)}")

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            heard.append(f"epoch {epoch} {'val_loss' in logs}")

    stop = keras.callbacks.EarlyStopping(monitor="lr", patience=1)
    history = model.fit(X, Y, 12, 5, validation_split=0.5, callbacks=[Hears(), stop], verbose=0)
    assert history.epoch == [0, 1] and heard[0] == "batch 0 ['accuracy', 'loss', 'lr']" and heard[1] == "epoch 0 True"
    judged = model.evaluate(X, Y, return_dict=True, verbose=0)
    assert set(judged) == {"loss", "accuracy"}
    with pytest.raises(ConfigError, match="takes no class_weight"):
        model.fit(X, Y, class_weight={0: 2.0}, verbose=0)


def test_weights_of_layers_are_variables() -> None:
    model = network()
    kernel = model.layers[0].kernel
    model.compile("adam", SCORES)
    model.fit(X, Y, epochs=1, verbose=0)  # which lays all weights out anew
    np.testing.assert_array_equal(kernel.numpy(), model.layers[0].get_weights()[0])
    kernel.assign(np.zeros(kernel.shape))
    assert not model.layers[0].get_weights()[0].any() and kernel.path == "conv2d/kernel" and kernel.trainable
    model.trainable = False
    assert not kernel.trainable and model.trainable_variables == []
    with pytest.raises(ConfigError, match=r"none of .* has a gradient"):
        keras.optimizers.SGD().apply_gradients([(None, kernel)])


def test_a_gradient_is_that_of_the_weights_which_the_tape_saw() -> None:
    model = network()
    with tf.GradientTape(persistent=True) as tape:
        loss = SCORES(Y, model(X, training=True))
    optimizer, weights = keras.optimizers.SGD(0.5), model.trainable_variables
    before = tape.gradient(loss, weights)
    for _ in range(2):
        optimizer.apply_gradients(zip(before, weights, strict=True))
    changed = model.get_weights()
    for one, again in zip(before, tape.gradient(loss, weights), strict=True):
        np.testing.assert_array_equal(one, again)
    for one, again in zip(changed, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, again)
    model.set_weights([0 * array for array in changed])
    with tf.GradientTape() as tape:
        loss = SCORES(Y, model(X, training=True))
    model.set_weights(changed)
    with pytest.raises(ConfigError, match="weights changed since"):
        tape.gradient(loss, weights)


def test_a_networks_values_are_calculated_with() -> None:
    inputs = keras.Input((8, 8, 2))
    y = layers.Conv2D(4, 3)(inputs)
    y = tf.exp(-y) / (1 + ops.max(y, axis=(1, 2), keepdims=True) ** 2) - y[:, :, :, :1] * np.float32([1, 2, 3, 4])
    model = keras.Model(inputs, layers.Dense(3)(tf.reshape(tf.nn.l2_normalize(y, axis=-1), (-1, 144))))
    z = model.layers[1](X)
    z = np.exp(-z) / (1 + z.max(axis=(1, 2), keepdims=True) ** 2) - z[..., :1] * np.float32([1, 2, 3, 4])
    z /= np.sqrt((z**2).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(model.predict(X, verbose=0), model.layers[-1](z.reshape(24, -1)), atol=1e-5)
    model.compile("adam", SCORES)
    losses = model.fit(X, Y, epochs=8, verbose=0).history["loss"]
    assert losses[-1] < losses[0]
    with pytest.raises(DataError, match="no row for each picture"):
        keras.layers.Dense(2)(ops.mean(inputs, axis=0))


def test_a_tape_goes_through_every_activation() -> None:
    torch, ours = pytest.importorskip("torch"), keras.activations
    from torch_curves import CURVES, ROWS, functional

    pairs = [(getattr(ours, name), curve) for name, curve in {**CURVES, **ROWS}.items() if name != "gelu_tanh"]
    pairs += [
        (lambda x: ours.gelu(x, True), CURVES["gelu_tanh"]),
        (lambda x: ours.celu(x, 2), lambda x: CURVES["celu"](x, 2)),
        (lambda x: ours.hard_shrink(x, 0.3), lambda x: CURVES["hard_shrink"](x, 0.3)),
        (lambda x: ours.soft_shrink(x, 0.3), lambda x: CURVES["soft_shrink"](x, 0.3)),
        (lambda x: ours.squareplus(x, 3), lambda x: CURVES["squareplus"](x, 3)),
        (lambda x: ours.threshold(x, 0.2, -1), lambda x: functional.threshold(x, 0.2, -1)),
        (lambda x: ours.glu(x, 1), lambda x: functional.glu(x, 1)),
        (lambda x: ours.log_softmax(x, 1), lambda x: functional.log_softmax(x, 1)),
    ]
    for function, curve in pairs:
        x, y = tf.Variable(X[:3]), torch.tensor(X[:3], requires_grad=True)
        slopes = RNG.normal(size=curve(y).shape).astype(np.float32)
        with tf.GradientTape() as tape:
            total = tf.reduce_sum(function(x) * slopes)
        (curve(y) * torch.tensor(slopes)).sum().backward()
        np.testing.assert_allclose(tape.gradient(total, x), y.grad, atol=2e-5, err_msg=function.__name__)


def test_checkpoints_of_steps(tmp_path: Path) -> None:
    model, other = network(), network()
    steps(model, keras.optimizers.SGD(0.1), SCORES)
    checkpoint = tf.train.Checkpoint(model=model, optimizer=keras.optimizers.SGD(), step=tf.Variable(5))
    manager = tf.train.CheckpointManager(checkpoint, tmp_path, max_to_keep=1)
    manager.save()
    assert manager.save() == manager.latest_checkpoint == tf.train.latest_checkpoint(tmp_path)
    assert len(list(tmp_path.iterdir())) == 1
    tf.train.Checkpoint(model=other, step=tf.Variable(0)).restore(manager.latest_checkpoint)
    np.testing.assert_array_equal(other(X), model(X))
    with pytest.raises(CheckpointError, match="other variables"):
        tf.train.Checkpoint(model=own(), step=tf.Variable(0)).restore(manager.latest_checkpoint)
    Path(f"{manager.latest_checkpoint}.safetensors").write_bytes(b"PK\x03\x04 no checkpoint")
    with pytest.raises(CheckpointError, match="safetensors"):
        checkpoint.restore(manager.latest_checkpoint)
