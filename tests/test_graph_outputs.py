"""Graphs with several outputs: predicted as a list, one trained, and files that name outputs that are not there."""

from __future__ import annotations

import copy
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from test_graph import X, Y

import pellucid
from pellucid import Input, Model, layers
from pellucid.errors import CheckpointError, ConfigError
from pellucid.ops.geometry import Array


def forked(*, seed: int = 0) -> Model:
    """The answer first, then a map amid the network that is read on and could be overwritten, and that answer again."""
    inputs = Input((8, 6, 3))
    x = layers.Conv2D(8, 3, padding="same", name="map")(inputs)
    y = layers.Dense(4, name="scores")(layers.GlobalAvgPool2D()(layers.ReLU()(x)))
    return Model(inputs, [y, x, y], seed=seed)


def each_output(model: Model, x: Array) -> list[Array]:
    kept: list[Array] = model.graph.run(x, lambda number, layer, read: layer.forward(read)[0])
    return kept


def test_several_outputs_are_predicted_as_a_list(tmp_path: Path) -> None:
    model = forked()
    wanted = each_output(model, X)
    assert [y.shape for y in wanted] == [(10, 4), (10, 8, 6, 8), (10, 4)]
    model.save(tmp_path / "m.safetensors")
    inputs = Input((8, 6, 3))
    outer = Model(inputs, forked()(inputs)[:2])
    twins = [model, pellucid.load(tmp_path / "m.safetensors"), pickle.loads(pickle.dumps(model)), copy.copy(model)]
    for twin in (*twins, pellucid.transfer.like(model)):
        for mine, theirs in zip(twin(X), wanted, strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    for twin in (*twins, outer):
        for batch_size in (None, 3):
            for mine, theirs in zip(twin.predict(X, batch_size), wanted, strict=twin is not outer):
                np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-6)
    assert pellucid.trace(model, X)["map"].output.shape == wanted[1].shape
    assert re.search(r"scores .*output 1", str(model.outline())) and "output 2" in str(model.outline())
    assert "-> 4 and (8, 6, 8) and 4" in repr(model)
    assert pellucid.check_gradients(model).ok


def test_one_output_is_trained_and_judged() -> None:
    model = forked()
    model.compile("sgd", "sparse_categorical_crossentropy")
    for work in (
        lambda: model.fit(X, Y),
        lambda: model.evaluate(X, Y),
        lambda: pellucid.trace(model, X, Y),
        lambda: pellucid.trace(model, X).outputs,
        lambda: model.output_shape,
    ):
        with pytest.raises(
            ConfigError, match="gives 3 outputs, 'scores' and 'map' and 'scores', which predict returns"
        ):
            work()
    with pytest.raises(ConfigError, match="outputs must be one value or a list"):
        Model(Input((8, 6, 3)), [])


@pytest.mark.parametrize("outputs", [[3], [0], [-1], [], ["a"], 1])
def test_outputs_that_are_not_there_are_refused(outputs: Any, tmp_path: Path) -> None:
    from pellucid.files import tensor_file

    forked().save(tmp_path / "m.safetensors")
    tensors, facts = tensor_file.read(tmp_path / "m.safetensors")
    assert facts["outputs"] == [3, 0, 3]
    tensor_file.write(tmp_path / "m.safetensors", tensors, {**facts, "outputs": [0, 4] if outputs == [3] else outputs})
    if outputs == []:
        assert pellucid.load(tmp_path / "m.safetensors").output_shape == (4,)
        return
    with pytest.raises(CheckpointError):
        pellucid.load(tmp_path / "m.safetensors")


# --------------------------------------------------------------------------------------------------------------- frozen
