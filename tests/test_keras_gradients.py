"""No loss and no operation is silently without a gradient: by a tape against Keras on PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import keras, losses
from pellucid.autodiff import Variable
from pellucid.errors import ConfigError
from pellucid.keras import ops
from pellucid.keras import tensorflow as tf
from tests.test_keras_ops import CALLS, function_of
from tests.test_losses_keras import CASES, ONE_HOT, SCORES, SHARES, TRUE_SHARES

torch = pytest.importorskip("torch")
theirs = pytest.importorskip("keras")

KERNELS = [
    ("MeanSquaredError", {}, SCORES, SHARES),
    ("MeanAbsoluteError", {}, SCORES, SHARES),
    ("BinaryCrossentropy", {"label_smoothing": 0.2}, TRUE_SHARES, SHARES),
    ("BinaryCrossentropy", {"from_logits": True}, TRUE_SHARES, SCORES),
    ("CategoricalCrossentropy", {"label_smoothing": 0.2}, TRUE_SHARES, SHARES),
    ("CategoricalCrossentropy", {"from_logits": True}, TRUE_SHARES, SCORES),
    ("SparseCategoricalCrossentropy", {"from_logits": True}, ONE_HOT.argmax(1), SCORES),
]
EACH = [*KERNELS, *CASES]
NOT_KERAS = {"MAPCriterion"}


def test_every_loss_is_among_them() -> None:
    assert {name for name, *_ in EACH} == set(losses.CLASSES) - NOT_KERAS


@pytest.mark.parametrize(("name", "arguments", "t", "y"), EACH, ids=[f"{c[0]}-{c[1]}" for c in EACH])
def test_both_arguments_of_a_loss_have_gradients_and_these_have(
    name: str, arguments: dict[str, Any], t: Any, y: Any
) -> None:
    numbered = t.dtype.kind in "iu"
    truth, answers = t if numbered else tf.Variable(t), tf.Variable(y)
    with tf.GradientTape() as outer:
        with tf.GradientTape() as inner:
            loss = getattr(keras.losses, name)(**arguments)(truth, answers)
        slopes = inner.gradient(loss, [answers] if numbered else [answers, truth])
        steepness = tf.reduce_sum(tf.square(slopes[0]))
    again = outer.gradient(steepness, answers)

    given, of = torch.tensor(t, requires_grad=not numbered), torch.tensor(y, requires_grad=True)
    loss = getattr(theirs.losses, name)(**arguments)(given, of)
    wanted = torch.autograd.grad(loss, [of] if numbered else [of, given], create_graph=True)
    for ours, other in zip(slopes, wanted, strict=True):
        np.testing.assert_allclose(ours, other.detach(), rtol=2e-4, atol=2e-6)
    turns = torch.autograd.grad(wanted[0].square().sum(), of, allow_unused=True)[0] if wanted[0].requires_grad else None
    again, turns = (np.zeros(y.shape) if each is None else each for each in (again, turns))
    np.testing.assert_allclose(again, turns, rtol=1e-3, atol=1e-5)


REFUSED = {"polar", "view_as_complex"}
"""Operations whose gradient is not known, which they say."""
THEIRS_HAS_NONE = {"floor_divide", "heaviside", "histogram", "image.perspective_transform", "vander"}
COMPARED = {"cholesky_inverse": np.tril, "eigh": lambda d: d + np.swapaxes(d, -1, -2)}
"""The part of a gradient that a function reads: PyTorch gives numbers for the other half, too, or both in one."""


def _is_float(one: Any) -> bool:
    return isinstance(one, np.ndarray) and one.dtype == np.float32


def _put(one: Any, made: Any) -> Any:
    """The same with each array of floats made a variable."""
    if type(one) in (list, tuple):
        return type(one)(_put(each, made) for each in one)
    return made(one) if _is_float(one) else one


def _flat(given: Any) -> list[Any]:
    return [leaf for one in given for leaf in _flat(one)] if isinstance(given, list | tuple) else [given]


@pytest.mark.filterwarnings("ignore::UserWarning", "ignore::RuntimeWarning")
@pytest.mark.parametrize("name", sorted(CALLS))
def test_operations_have_kerass_gradients_or_say_that_they_have_none(name: str) -> None:
    given = _put(list(CALLS[name]), lambda x: torch.tensor(x, requires_grad=True))
    wanted = [one for one in _flat(function_of(theirs.ops, name)(*given)) if torch.is_tensor(one) and one.requires_grad]
    if not wanted:
        return
    weights = [np.random.default_rng(1).normal(size=each.shape).astype(np.float32) for each in wanted]
    if name in THEIRS_HAS_NONE:
        return
    own = _put(list(CALLS[name]), tf.Variable)
    if name in REFUSED:
        with pytest.raises(ConfigError, match="gradient is not known"), tf.GradientTape():
            function_of(ops, name)(*own)
        return
    sum((each * torch.tensor(weight)).sum() for each, weight in zip(wanted, weights, strict=True)).backward()

    with tf.GradientTape() as tape:
        found = [one for one in _flat(function_of(ops, name)(*own)) if one.dtype.kind == "f"]
        parts = [tf.reduce_sum(each * weight) for each, weight in zip(found, weights, strict=True)]
        total = sum(parts[1:], parts[0])
    gradients = tape.gradient(total, [one for one in _flat(own) if isinstance(one, Variable)])
    compared = COMPARED.get(name, lambda d: d)
    for ours, other in zip(gradients, [one for one in _flat(given) if torch.is_tensor(one)], strict=True):
        expected = np.zeros(other.shape) if other.grad is None else other.grad.numpy()
        of_ours = np.zeros(other.shape) if ours is None else np.asarray(ours)
        np.testing.assert_allclose(compared(of_ours), compared(expected), rtol=1e-4, atol=1e-5)


def test_a_loss_of_a_networks_values_trains_as_in_keras() -> None:
    """Keras 2's variational autoencoder without its noise: what is rebuilt is compared with the input itself."""

    inputs = keras.Input((6,))
    middle = keras.layers.Dense(3)(inputs)
    outputs = keras.layers.Dense(6, activation="sigmoid")(middle)
    ours = keras.Model(inputs, outputs)
    rebuilt = keras.losses.binary_crossentropy(inputs, outputs) * 6.0
    ours.add_loss(ops.mean(rebuilt + ops.sum(ops.square(middle), axis=-1)))
    ours.compile(keras.optimizers.SGD(0.05))
    x = np.random.default_rng(2).random((8, 6)).astype(np.float32)
    weights = [np.array(each) for each in ours.get_weights()]
    history = ours.fit(x, epochs=3, batch_size=4, shuffle=False, verbose=0).history["loss"]

    w, b, v, c = (torch.tensor(each, requires_grad=True) for each in weights)
    for _ in range(3):
        for batch in torch.tensor(x).split(4):
            middle = batch @ w + b
            answers = torch.sigmoid(middle @ v + c)
            losses = torch.nn.functional.binary_cross_entropy(answers, batch, reduction="none").mean(1) * 6
            loss = (losses + middle.square().sum(1)).mean()
            for each, slope in zip((w, b, v, c), torch.autograd.grad(loss, (w, b, v, c)), strict=True):
                each.data -= 0.05 * slope
    for now, other in zip(ours.get_weights(), (w, b, v, c), strict=True):
        np.testing.assert_allclose(now, other.detach(), atol=1e-5)
    assert history[2] < history[0]


def test_tensors_in_a_list_are_followed() -> None:
    a, b = tf.Variable(2.0), tf.Variable(3.0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(tf.convert_to_tensor([a * a, [b][0] * 4.0]))
    assert list(map(float, tape.gradient(loss, [a, b]))) == [2.0, 2.0]
