"""Keras's arguments that layers do not name are taken where they change nothing, else refused; and constraints."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import layers
from pellucid.errors import ConfigError, ShapeError
from pellucid.layers.constraint import MaxNorm, MinMaxNorm, NonNeg, UnitNorm


def test_arguments_at_their_defaults_change_nothing() -> None:
    plain = layers.Conv2D(4, 3, name="c").config()
    given: dict[str, Any] = {
        "data_format": "channels_last",
        "dtype": "float32",
        "activity_regularizer": None,
        "seed": 1,
    }
    assert layers.Conv2D(4, 3, name="c", **given).config() == plain
    assert layers.Dense(3, input_dim=7).input_shape == (7,)
    assert layers.Flatten(batch_input_shape=(None, 4, 5)).input_shape == (4, 5)
    assert layers.BatchNormalization(fused=True, renorm=False, gamma_regularizer=None).momentum == 0.99


@pytest.mark.parametrize(
    ("make", "remedy"),
    [
        (lambda: layers.Conv2D(4, 3, data_format="channels_first"), r"x\.transpose\(0, 2, 3, 1\)"),
        (lambda: layers.Dense(4, dtype="float16"), "float32"),
        (lambda: layers.Dense(4, activity_regularizer="l2"), r"kernel_regularizer=, or say model\.add_loss\("),
        (lambda: layers.BatchNorm(weights=[1, 0]), r"layer\.set_weights"),
        (
            lambda: layers.Dense(2, weights=np.ones((3, 2))),
            "a list of arrays, one for each of kernel_initializer, bias",
        ),
        (lambda: layers.Dense(2, kernel_initializer="ones", weights=[np.ones((3, 2))]), "another kernel_initializer"),
        (lambda: layers.Dense(2, weights=[np.ones((2, 3))])(np.ones((1, 3))), r"shape \(3, 2\), got \(2, 3\)"),
        (lambda: layers.BatchNorm(renorm=True), "leave renorm out"),
        (lambda: layers.Dense(4, kernel_constraint="maxnorn"), "max_norm"),
    ],
)
def test_what_means_something_else_is_refused_with_a_remedy(make: Any, remedy: str) -> None:
    with pytest.raises(ConfigError, match=remedy):
        make()


def test_weights_that_a_layer_begins_with() -> None:
    kernel, bias, table = np.arange(6.0).reshape(3, 2), [1, 2], np.arange(8.0).reshape(4, 2)
    model = pellucid.Sequential([layers.Dense(2, input_shape=(3,), weights=[kernel, bias]), layers.Dense(1)])
    np.testing.assert_array_equal(model.layers[0](np.eye(3)), kernel + bias)
    embedding = layers.Embedding(4, 2, weights=[table], trainable=False)
    np.testing.assert_array_equal(embedding([[3, 1]]), [table[[3, 1]]])
    assert model.layers[0].get_config()["kernel_initializer"] == "glorot_uniform"  # a config has the rule
    for layer in (model.layers[0], embedding):
        twin = type(layer).from_config(layer.get_config())
        assert 0 < np.abs(twin(np.ones((1, 3)))).max() < 6


def test_a_norm_over_another_axis_than_the_last_is_refused() -> None:
    x = np.zeros((2, 4, 5, 3), np.float32)
    assert layers.BatchNorm(axis=3)(x).shape == x.shape
    with pytest.raises(ShapeError, match="leave axis out"):
        layers.BatchNorm(axis=1)(x)


def test_constraints_are_those_of_keras() -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=(5, 4)).astype(np.float32)
    norms = np.linalg.norm(w, axis=0)
    np.testing.assert_allclose(np.linalg.norm(MaxNorm(1.5)(w), axis=0), np.minimum(norms, 1.5), rtol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(UnitNorm(axis=1)(w), axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(NonNeg()(w), np.where(w < 0, 0, w))
    half = 0.5 * np.clip(norms, 1, 2) + 0.5 * norms
    np.testing.assert_allclose(np.linalg.norm(MinMaxNorm(1, 2, 0.5)(w), axis=0), half, rtol=1e-5)


def test_weights_are_bounded_and_biases_penalised_while_training() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(40, 6)).astype(np.float32), rng.integers(0, 3, 40)

    def trained(**said: Any) -> pellucid.Sequential:
        model = pellucid.Sequential([layers.Dense(3, "softmax", input_shape=(6,), **said)])
        model.compile(pellucid.optimizers.SGD(0.5))
        model.fit(x, y, epochs=2, verbose=0, doctor=False)
        return model

    bounded = trained(kernel_constraint=MaxNorm(0.2), bias_constraint="non_neg").layers[0]
    assert np.linalg.norm(bounded.params["kernel"], axis=0).max() <= 0.2 + 1e-5
    assert bounded.params["bias"].min() >= 0
    plain, small = (np.abs(trained(**said).layers[0].params["bias"]).sum() for said in ({}, {"bias_regularizer": "l2"}))
    assert 0 < small < plain
    again = layers.from_config(json.loads(json.dumps(bounded.config())))
    assert again.config() == bounded.config() and again.constraints() == bounded.constraints()
