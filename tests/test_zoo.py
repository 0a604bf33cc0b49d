"""The networks by name: parameters, multiply-accumulates and receptive fields against closed forms."""

from __future__ import annotations

import inspect

import numpy as np
import pytest

from pellucid import layers as L
from pellucid import zoo
from pellucid.errors import ConfigError, ShapeError
from pellucid.model import Sequential


def conv(kernel: int, channels: int, filters: int) -> int:
    return (kernel * kernel * channels + 1) * filters


def dense(inputs: int, units: int) -> int:
    return (inputs + 1) * units


def counts(model: Sequential) -> dict[str, int]:
    return {row.name: row.parameters for row in model.outline().rows if row.parameters}


def test_simple_convnet_has_the_books_parameters() -> None:
    model = zoo.simple_convnet()
    assert counts(model) == {"conv1": conv(5, 1, 30), "affine1": dense(12 * 12 * 30, 100), "affine2": dense(100, 10)}
    assert model.count_params() == 433_890


def test_cifar_net_layer_by_layer() -> None:
    model = zoo.cifar_net()
    assert counts(model) == {
        "conv1": conv(3, 3, 36),
        "conv2": conv(3, 36, 72),
        "conv3": conv(3, 72, 144),
        "dense1": dense(4 * 4 * 144, 576),
        "dense2": dense(576, 10),
    }
    assert model.count_params() == 1_451_314
    shapes = {row.name: row.output_shape for row in model.outline().rows}
    assert (shapes["conv3"], shapes["pool3"], shapes["flatten"]) == ((8, 8, 144), (4, 4, 144), (2304,))


def test_photo_net_layer_by_layer() -> None:
    model = zoo.photo_net(classes=3)
    widths = (3, 16, 32, 64, 128, 128)
    expected = {"classes": dense(128, 3)}
    for i in range(1, 6):
        expected[f"conv{i}"] = 9 * widths[i - 1] * widths[i]  # no bias: batch norm has one
        expected[f"norm{i}"] = 4 * widths[i]
    assert counts(model) == expected
    outline = model.outline()
    statistics = 2 * sum(widths[1:])
    assert outline.trainable_parameters == model.count_params() - statistics
    assert f"{statistics} are not" in str(outline)
    model.get_layer("norm2").trainable = False
    assert model.outline().trainable_parameters == model.count_params() - statistics - 2 * 32


def test_macs_receptive_fields_and_memory_by_hand() -> None:
    outline = zoo.simple_convnet().outline()
    rows = {row.name: row for row in outline.rows}
    assert rows["conv1"].macs == 24 * 24 * 30 * 5 * 5 and rows["pool1"].macs == 0
    assert rows["affine1"].macs == 4320 * 100 and rows["affine2"].macs == 1000
    assert outline.macs == 432_000 + 432_000 + 1000
    assert rows["conv1"].receptive_field == (5, 5)
    assert rows["pool1"].receptive_field == (6, 6)  # two windows of 5, one pixel apart
    assert rows["flatten"].receptive_field is None
    assert rows["conv1"].activation_bytes == 24 * 24 * 30 * 4
    fields = [row.receptive_field for row in zoo.cifar_net().outline().rows if row.type == "Conv2D"]
    # 3; pool: 4, jump 2: 4 + 2*2 = 8; pool: 10, jump 4: 10 + 2*4 = 18
    assert fields == [(3, 3), (8, 8), (18, 18)]
    uneven = Sequential(
        [L.Input((30, 30, 2)), L.Conv2D(4, (5, 3), (2, 1)), L.Conv2D(6, (3, 2), dilation_rate=(2, 3), groups=2)]
    ).outline()
    assert uneven.rows[1].receptive_field == (5 + 4 * 2, 3 + 3 * 1)
    assert uneven.rows[1].output_shape == (9, 25, 6) and uneven.rows[1].macs == 9 * 25 * 6 * 3 * 2 * (4 // 2)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_network_runs_and_is_built(name: str) -> None:
    model = zoo.build(name, input_shape=(33, 40, 2), classes=7, seed=1)
    assert model.built and model.input_shape == (33, 40, 2) and model.output_shape == (7,) and model.name == name
    y = model.predict(np.random.default_rng(0).normal(size=(2, 33, 40, 2)))
    np.testing.assert_allclose(y.sum(axis=1), 1, rtol=1e-5)
    other = zoo.build(name, input_shape=(33, 40, 2), classes=7, seed=2)
    assert np.any(other.weights[0] != model.weights[0])
    assert zoo.build(name.upper().replace("-", "_")).name == name


OTHER_VALUES = {
    "simple-convnet": {
        "filter_num": 7,
        "filter_size": 3,
        "pad": 1,
        "stride": 2,
        "hidden_size": 9,
        "weight_init_std": "he",
    },
    "cifar-net": {"n_filter": 4, "dropout": 0.1, "dense_dropout": 0.1},
    "photo-net": {"filters": (4, 5), "dropout": 0.1, "momentum": 0.5},
}


@pytest.mark.parametrize(("name", "option"), [(n, o) for n in zoo.NAMES for o in zoo.options_of(n)])
def test_every_option_changes_the_network(name: str, option: str) -> None:
    plain, other = zoo.build(name), zoo.build(name, options={option: OTHER_VALUES[name][option]})
    assert [layer.config() for layer in plain.layers] != [layer.config() for layer in other.layers]


def test_weight_init_std_scales_what_is_drawn() -> None:
    for std in (0.01, 0.2):
        for layer in zoo.simple_convnet(weight_init_std=std).layers:
            if "kernel" in layer.params:
                assert layer.params["kernel"].std() == pytest.approx(std, rel=0.1)
    for spelling, numerator in (("he", 2.0), ("Relu", 2.0), ("xavier", None), ("sigmoid", None)):
        kernel = zoo.simple_convnet(weight_init_std=spelling).get_layer("affine1").params["kernel"]
        variance = numerator / 4320 if numerator else 2 / (4320 + 100)
        assert kernel.var() == pytest.approx(variance, rel=0.02)


def test_unknown_names_and_options_suggest_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'cifar-net'"):
        zoo.build("cifarnet")
    with pytest.raises(ConfigError, match="option of cifar-net 'dropuot'; did you mean 'dropout'"):
        zoo.build("cifar-net", options={"dropuot": 0.1})
    with pytest.raises(ConfigError, match="weight_init_std 'hee'; did you mean 'he'"):
        zoo.simple_convnet(weight_init_std="hee")
    with pytest.raises(ConfigError, match="above 0"):
        zoo.simple_convnet(weight_init_std=0.0)
    with pytest.raises(ShapeError, match=r"layer 19 'pool5' .* from 'relu5'"):
        zoo.photo_net((16, 16, 3))


@pytest.mark.parametrize("name", zoo.NAMES)
def test_builders_share_their_first_arguments(name: str) -> None:
    arguments = list(inspect.signature(zoo.BUILDERS[name]).parameters)
    assert arguments[:2] == ["input_shape", "classes"] and arguments[-1] == "seed"


def tables() -> dict[str, Sequential]:
    found = {name: zoo.build(name) for name in zoo.NAMES}
    found["large photo"] = zoo.photo_net((1024, 768, 3), 1000, filters=(64, 128, 256, 512, 512, 512))
    found["frozen"] = zoo.cifar_net()
    for layer in found["frozen"].layers:
        layer.trainable = False
    found["long names"] = Sequential(
        [
            L.Input((224, 224, 3)),
            *(
                L.Conv2D(64, 3, (2, 1), ((0, 1), (1, 1)), activation="leaky_relu", name=f"stage_convolution_block_{i}")
                for i in range(2)
            ),
            L.Flatten(name="flatten_everything_that_came_before_it"),
            L.Dense(40, kernel_initializer="zeros"),
        ]
    )
    return found


@pytest.mark.parametrize("name", tables())
def test_summaries_fit_80_columns(name: str) -> None:
    model = tables()[name]
    lines = str(model.outline()).splitlines()
    assert max(map(len, lines)) <= 80
    rows = [line for line in lines[3 : 3 + len(model.layers)]]
    for row, layer in zip(rows, model.layers, strict=True):
        assert row.startswith(layer.name[:4])
        if layer.params:
            assert f"{layer.count_params():,}" in row
    assert f"{model.count_params():,}" in lines[4 + len(model.layers)]
    if name == "long names":
        assert {rows[0].split()[0][-2:], rows[1].split()[0][-2:]} == {"_0", "_1"}
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
