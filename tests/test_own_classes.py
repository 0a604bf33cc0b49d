"""Models with a loss, optimizer, schedule or layer of a user's own: what a file cannot hold is said, never replaced."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Dense, Input, Sequential, losses, optimizers, schedules
from pellucid.errors import CheckpointError, ConfigError

X, Y = np.zeros((8, 4), np.float32), np.zeros((8, 2))


class MyLoss(losses.MeanSquaredError):
    pass


class MeanSquaredError(losses.MeanSquaredError):
    """Named like ours."""


class Weighted(losses.MeanSquaredError):
    def __init__(self, weights: Any) -> None:
        super().__init__()
        self.weights = weights


class MySGD(optimizers.SGD):
    pass


class SGD(optimizers.SGD):
    """Named like ours."""


class Slow(schedules.Schedule):
    def __call__(self, step: int) -> float:
        return 0.1


class ReLU(pellucid.ReLU):
    """Named like ours, and something else."""

    def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
        return 0 * x, x


class Scaled(pellucid.Layer):
    def __init__(self, factor: Any, *, name: str | None = None) -> None:
        super().__init__(name=name)
        self.factor = factor


def network(optimizer: Any = "sgd", loss: Any = "mse", layer: pellucid.Layer | None = None) -> Sequential:
    model = Sequential([Input((4,)), Dense(2, name="out"), layer or pellucid.ReLU()])
    model.compile(optimizer, loss)
    return model


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"loss": MyLoss()}, "loss 'MyLoss'"),
        ({"loss": MyLoss}, "loss 'MyLoss'"),
        ({"loss": MeanSquaredError()}, "loss 'MeanSquaredError'"),
        ({"loss": Weighted(np.ones(2))}, "loss 'Weighted'"),
        ({"optimizer": MySGD()}, "optimizer 'MySGD'"),
        ({"optimizer": MySGD}, "optimizer 'MySGD'"),
        ({"optimizer": SGD(0.5)}, "optimizer 'SGD'"),
        ({"optimizer": optimizers.SGD(Slow())}, "optimizer 'SGD'"),
        ({"optimizer": optimizers.Adam(schedules.WarmUp(Slow(), 3))}, "optimizer 'Adam'"),
        ({"optimizer": MySGD(), "loss": MyLoss()}, "optimizer 'MySGD' and loss 'MyLoss'"),
    ],
)
def test_a_model_loads_without_the_loss_or_optimizer_that_no_file_holds_and_says_so(
    given: dict[str, Any], said: str, tmp_path: Path
) -> None:
    model = network(**given)
    model.fit(X, Y, verbose=0, doctor=False)
    json.dumps([model.optimizer.config(), model.loss.config()])  # as a checkpoint keeps them
    model.save(tmp_path / "m.safetensors")
    with pytest.warns(
        UserWarning, match=rf"m.safetensors: its {said} needs a class of your own.*call compile\("
    ) as told:
        again = pellucid.load(tmp_path / "m.safetensors")
    assert len(told) == 1
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(ConfigError, match="not compiled; call compile"):
        again.evaluate(X, Y, verbose=0)
    again.compile(**{"optimizer": "sgd", "loss": "mse", **given})
    again.fit(X, Y, verbose=0, doctor=False)
    pickled = pickle.loads(pickle.dumps(model))  # whose classes Python finds by themselves
    assert type(pickled.loss) is type(model.loss) and type(pickled.optimizer) is type(model.optimizer)
    assert pickled.optimizer.config() == model.optimizer.config()


@pytest.mark.parametrize("optimizer", [*optimizers.NAMES, schedules.NAMES])
@pytest.mark.parametrize("loss", losses.NAMES)
def test_all_of_ours_come_back(optimizer: Any, loss: str, tmp_path: Path) -> None:
    if isinstance(optimizer, tuple):
        rates = [schedules.get(name, learning_rate=0.1, steps=10) for name in optimizer]
        chosen: list[Any] = [optimizers.SGD(rate, clipnorm=1, weight_decay=1e-4) for rate in [1, *rates]]
    else:
        chosen = [optimizer]
    for one in chosen:
        model = Sequential([Input((4,)), Dense(2)])
        model.compile(one, loss)
        assert "own" not in json.dumps(model.compiled_config())


def test_a_layer_of_ones_own_is_asked_for_by_name_and_never_replaced_by_ours(tmp_path: Path) -> None:
    model = network(layer=ReLU(name="last"))
    model.save(tmp_path / "m.safetensors")
    with pytest.raises(
        CheckpointError,
        match=r"layer 'last' is of a class of your own, ReLU, .*load\(path, custom_layers=\{'ReLU': ReLU",
    ):
        pellucid.load(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors", {"ReLU": ReLU})
    assert type(again.layers[-1]) is ReLU
    assert type(pickle.loads(pickle.dumps(model)).layers[-1]) is ReLU


def test_a_layer_argument_that_no_file_holds_is_named(tmp_path: Path) -> None:
    network(layer=Scaled(np.float32(2))).save(tmp_path / "m.safetensors")
    for factor in (np.zeros(3), object(), len):
        with pytest.raises(ConfigError, match=r"'times' \(Scaled\): factor: a \w+ is nothing that a file can hold"):
            network(layer=Scaled(factor, name="times")).save(tmp_path / "m.safetensors")
