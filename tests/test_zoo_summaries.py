"""Summaries of the networks by name: 80 columns, and as plain data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import pytest
from test_zoo import LARGE

from pellucid import layers as L
from pellucid import zoo
from pellucid.model import Sequential


def frozen() -> Sequential:
    model = zoo.cifar_net()
    for layer in model.layers:
        layer.trainable = False
    return model


def long_names() -> Sequential:
    names = (f"stage_convolution_block_{i}" for i in range(2))
    return Sequential(
        [
            L.Input((224, 224, 3)),
            *(L.Conv2D(64, 3, (2, 1), ((0, 1), (1, 1)), activation="leaky_relu", name=name) for name in names),
            L.Flatten(name="flatten_everything_that_came_before_it"),
            L.Dense(40, kernel_initializer="zeros"),
        ]
    )


TABLES: dict[str, Callable[[], Sequential]] = {
    **{name: partial(zoo.build, name, options=LARGE.get(name)) for name in zoo.NAMES},
    "large photo": partial(zoo.photo_net, (1024, 768, 3), 1000, filters=(64, 128, 256, 512, 512, 512)),
    "frozen": frozen,
    "long names": long_names,
}


@pytest.mark.parametrize("name", TABLES)
def test_summaries_fit_80_columns(name: str) -> None:
    model = TABLES[name]()
    lines = str(model.outline()).splitlines()
    assert max(map(len, lines)) <= 80
    _, *rows, total = [line for line in lines if line.endswith("B")]  # others go on with a name or a kernel
    for row, layer in zip(rows, model.layers, strict=True):
        assert row.startswith(layer.name[:4])
        if layer.params:
            assert f"{layer.count_params():,}" in row
    assert f"{model.count_params():,}" in total
    if name == "frozen":
        assert "0 parameters are trained, 1,451,314 are not" in lines


def test_the_summary_as_plain_data() -> None:
    data = zoo.simple_convnet().summary_data()
    assert data["totals"]["parameters"] == 433_890 and data["input_shape"] == [28, 28, 1]
    assert [row["name"] for row in data["layers"]] == ["conv1", "pool1", "flatten", "affine1", "affine2"]
    assert data["layers"][0] | {"activation_bytes": 0} == {
        "name": "conv1",
        "type": "Conv2D",
        "output_shape": (24, 24, 30),
        "kernel": "5x5, padding 0, relu",
        "parameters": 780,
        "trainable_parameters": 780,
        "trainable": True,
        "macs": 432_000,
        "receptive_field": (5, 5),
        "activation_bytes": 0,
    }
