"""Numbers that float32 cannot hold are refused where they are given, and weights that end as NaN are said."""

from __future__ import annotations

import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Dense, LeakyReLU, ScaledTanh, Sequential, initializers, load, losses, schedules
from pellucid.errors import CheckpointError, ConfigError, DataError, DivergedError, PellucidError
from pellucid.files import tensor_file
from pellucid.optimizers import SGD, Adagrad, Adam, RMSprop

X = np.linspace(0, 1, 32, dtype=np.float32).reshape(8, 4)
Y = np.arange(8) % 2


def network(optimizer: Any = "sgd", loss: str = "categorical_crossentropy") -> Sequential:
    model = Sequential([Dense(3, "relu", input_shape=(4,)), Dense(2, "softmax" if loss != "mse" else None)])
    model.compile(optimizer, loss)
    return model


def fit(**given: Any) -> Any:
    x, y = given.pop("x", X), given.pop("y", Y)
    return network(loss=given.pop("loss", "categorical_crossentropy")).fit(x, y, verbose=0, doctor=False, **given)


HUGE = np.full(8, 1e300)
GIVEN: dict[str, Callable[[], Any]] = {
    "pictures": lambda: network().predict(X.astype(float) * 1e300 + 1e300, verbose=0),
    "pictures of fit": lambda: fit(x=X.astype(float) * 1e300 + 1e300),
    "a layer's input": lambda: Dense(2)(np.full((1, 2), -1e39)),
    "labels": lambda: fit(y=np.full((8, 2), 1e300), loss="mse"),
    "sample_weight": lambda: fit(sample_weight=HUGE),
    "class_weight": lambda: fit(class_weight={0: 1e300}),
    "both weights": lambda: fit(class_weight={0: 1e30}, sample_weight=np.full(8, 1e30)),
    "weights": lambda: network().layers[0].set_weights([np.full((4, 3), 1e300), np.zeros(3)]),
    "y_pred": lambda: losses.MeanSquaredError()([1.0], [1e300]),
    "y_true": lambda: losses.MeanSquaredError()([1e300], [1.0]),
    "learning_rate": lambda: SGD(1e300),
    "clipnorm": lambda: SGD(0.1, clipnorm=1e300),
    "weight_decay": lambda: SGD(0.1, weight_decay=1e39),
    "schedule": lambda: schedules.Step(0.1, 5, 1e300),
    "initializer": lambda: initializers.Constant(1e300),
    "initializer of one's own": lambda: Dense(2, kernel_initializer=lambda s, rng: np.full(s, 1e300))(X),
    "slope": lambda: LeakyReLU(1e300),
    "amplitude": lambda: ScaledTanh(1e300, 1.0),
    "amplitude of nothing": lambda: ScaledTanh(1e-300, 1.0),
    "penalty": lambda: Dense(2, kernel_regularizer={"l2": 1e300}),
}


@pytest.mark.parametrize("given", GIVEN.values(), ids=GIVEN)
def test_what_float32_cannot_hold_is_refused(given: Callable[[], Any]) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises((ConfigError, DataError), match=r"3\.4e\+38"):
            given()


def test_infinity_stays_what_it_is() -> None:
    assert np.isinf(Dense(2, kernel_initializer="ones")(np.full((1, 2), np.inf))).all()


def test_weights_of_a_file_beyond_float32(tmp_path: Path) -> None:
    network().save(tmp_path / "m.safetensors")
    tensors, facts = tensor_file.read(tmp_path / "m.safetensors")
    tensors["dense/kernel"] = np.full((4, 3), 1e300)
    tensor_file.write(tmp_path / "m.safetensors", tensors, {k: v for k, v in facts.items() if k != "format_version"})
    with pytest.raises(CheckpointError, match=r"m\.safetensors: .*kernel must be numbers that float32 can hold"):
        load(tmp_path / "m.safetensors")


@pytest.mark.parametrize("optimizer", [Adam(epsilon=0), Adam(epsilon=1e-300), RMSprop(epsilon=0)])
def test_weights_that_the_last_step_made_nan_are_said(optimizer: Any) -> None:
    x = X.copy()
    x[:, 1:] = 0  # no gradient there: 0 / 0 without an epsilon
    with pytest.raises(DivergedError, match="the weights became NaN or infinite in epoch 1"):
        network(optimizer).fit(x, Y, verbose=0, doctor=False)


def test_a_growing_rate_overflows_into_infinity() -> None:
    assert schedules.Step(1, 1, 10)(400) == float("inf")


@pytest.mark.parametrize("bad", [[1], [None], "bias", 5, {"bias": 1}, [""]], ids=repr)
def test_no_decay_is_a_list_of_words(bad: Any) -> None:
    optimizer = Adagrad()
    with pytest.raises(ConfigError, match="no_decay"):
        optimizer.no_decay = bad
    with pytest.raises(ConfigError, match="no_decay"):
        optimizer.exclude_from_weight_decay(bad)
    assert optimizer.no_decay == ()


@pytest.mark.parametrize("part", [(X, Y[:-1]), (X, Y + 5), (X, Y, -np.ones(8))], ids=["short", "large", "weights"])
def test_validation_data_is_named(part: tuple[Any, ...]) -> None:
    with pytest.raises(PellucidError, match=r"^validation_data: "):
        fit(validation_data=part)


def test_bytes_are_no_pair() -> None:
    from pellucid import Conv2D

    with pytest.raises(ConfigError, match="strides must be"):
        Conv2D(2, 1, strides=b"ab")


def test_tables_without_standard_output() -> None:
    code = "from pellucid.cli.output import print_table; print_table(['a'], [['b']])"
    done = subprocess.run([sys.executable, "-c", f"import sys; sys.stdout = None; {code}"], capture_output=True)
    assert done.returncode == 0, done.stderr


def test_weights_of_nothing_are_refused() -> None:
    for given in ({"sample_weight": np.zeros(8)}, {"class_weight": {0: 0, 1: 0}}):
        with pytest.raises(DataError, match="every picture has weight 0"):
            fit(**given)
    with pytest.raises(DataError, match="every picture has weight 0"):
        network().evaluate(X, Y, verbose=0, sample_weight=np.zeros(8))


def test_pictures_without_standard_output(monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.cli.output import write_to_output

    monkeypatch.setattr(sys, "stdout", None)
    with pytest.raises(ConfigError, match="standard output is closed; name a file"):
        write_to_output(b"png")
