"""The networks by name: parameters, multiply-accumulates and receptive fields against closed forms."""

from __future__ import annotations

import functools
import inspect
from typing import Any

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


LARGE: dict[str, dict[str, Any]] = {
    **{name: {"dense_units": 16} for name in ("alexnet", "alexnet-owt", "vgg11", "vgg13", "vgg16", "vgg19")},
    **{name: {"filters": 8} for name in ("resnet18", "resnet34", "resnet50")},
    "densenet121": {"growth": 4},
}
"""What makes the networks with millions of dense weights quick to build; their own sizes are counted once."""


def built(name: str, seed: int = 0, **options: object) -> Sequential:
    """A network on small pictures that fit every one of them."""
    return zoo.build(name, input_shape=(72, 80, 2), classes=7, seed=seed, options=LARGE.get(name, {}) | options)


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


def test_lenet5_as_taught_layer_by_layer() -> None:
    assert counts(zoo.lenet5()) == {
        "conv1": conv(5, 1, 6),
        "conv2": conv(5, 6, 16),
        "dense1": dense(5 * 5 * 16, 120),
        "dense2": dense(120, 84),
        "dense3": dense(84, 10),
    }


def test_convnetjs_cifar10_layer_by_layer() -> None:
    model = zoo.convnetjs_cifar10()
    assert counts(model) == {
        "conv1": conv(5, 3, 16),
        "conv2": conv(5, 16, 20),
        "conv3": conv(5, 20, 20),
        "classes": dense(4 * 4 * 20, 10),
    }
    picture = np.array([0, 255], np.uint8).repeat(16 * 32 * 3).reshape(1, 32, 32, 3)
    np.testing.assert_allclose(np.unique(model.scaled(picture)), [-0.5, 0.5], atol=1e-7)


def test_alexnet_layer_by_layer() -> None:
    """The paper's counts of kernels, section 3.5: 48, 192 and 192 channels deep where two halves part."""
    assert counts(zoo.alexnet(dense_units=8)) == {
        "conv1": conv(11, 3, 96),
        "conv2": conv(5, 48, 256),
        "conv3": conv(3, 256, 384),
        "conv4": conv(3, 192, 384),
        "conv5": conv(3, 192, 256),
        "fc6": dense(6 * 6 * 256, 8),
        "fc7": dense(8, 8),
        "fc8": dense(8, 1000),
    }
    modern = counts(zoo.alexnet(dense_units=8, groups=1, normalization="batch"))
    assert modern["conv2"] == conv(5, 96, 256) and modern["conv4"] == conv(3, 384, 384)
    assert modern["norm1"] == 4 * 96 and modern["norm2"] == 4 * 256


def test_vgg_layer_by_layer() -> None:
    """Table 1 of the paper: columns A, B, D and E; a letter is a convolution of so many filters, M a pooling."""
    columns = {
        "vgg11": "64 M 128 M 256 256 M 512 512 M 512 512 M",
        "vgg13": "64 64 M 128 128 M 256 256 M 512 512 M 512 512 M",
        "vgg16": "64 64 M 128 128 M 256 256 256 M 512 512 512 M 512 512 512 M",
        "vgg19": "64 64 M 128 128 M 256 256 256 256 M 512 512 512 512 M 512 512 512 512 M",
    }
    for name, column in columns.items():
        for batch_norm in (False, True):
            expected, channels = [], 3
            for word in column.split():
                if word != "M":
                    expected += [conv(3, channels, int(word)), *([4 * int(word)] if batch_norm else [])]
                    channels = int(word)
            expected += [dense(7 * 7 * 512, 8), dense(8, 8), dense(8, 1000)]
            model = zoo.build(name, options={"dense_units": 8, "batch_norm": batch_norm})
            assert list(counts(model).values()) == expected
            kinds = "".join("M" if type(layer) is L.MaxPool2D else "" for layer in model.layers)
            assert kinds == "M" * 5


def test_settings_of_single_layers() -> None:
    options = {
        "conv1.filters": 8,
        "conv*.kernel_initializer": {"type": "RandomNormal", "stddev": 0.2},
        "pool1.type": "AvgPool2D",
        "pool1.pool_size": 3,
        "pool1.strides": 2,
        "affine1.activation": "tanh",
    }
    plain, other = zoo.build("simple-convnet"), zoo.build("simple-convnet", options=options)
    conv1, pool1 = other.layers[:2]
    assert conv1.params["kernel"].shape[-1] == 8 and conv1.params["kernel"].std() == pytest.approx(0.2, rel=0.2)
    assert type(pool1) is L.AvgPool2D and pool1.pool_size == (3, 3) and pool1.strides == (2, 2)
    assert other.layers[3].activation == "tanh" and other.name == plain.name
    np.testing.assert_array_equal(other.layers[4].params["kernel"], plain.layers[4].params["kernel"])
    assert zoo.build("convnetjs-cifar10", options={"*.trainable": False}).preprocessing.mean == (0.5,)
    lenet = zoo.build("lenet5-published", options={"f6.use_bias": False})
    codes = zoo.lenet5_published().get_layer("output").params["kernel"]
    np.testing.assert_array_equal(lenet.get_layer("output").params["kernel"], codes)  # drawn by a function
    for option, value, words in (
        ("conf1.filters", 8, "unknown layer of simple-convnet 'conf1'; did you mean 'conv1'"),
        ("conv1.filter", 8, "unknown argument of conv1 'filter'; did you mean 'filters'"),
        ("conv1.name", "c", "unknown argument of conv1 'name'"),
        ("conv1.filters", "many", "filters must be a whole number"),
        ("pool1.type", "AvgPool", "did you mean 'AvgPool"),
        ("pool1.type", "Dense", "a MaxPool2D cannot become a Dense, which needs units too"),
        ("pool1.type", ["AvgPool2D"], "unknown layer"),
        ("conv1.kernel_initializer", {"type": "RandomNormal", "std": 1}, "unknown argument of RandomNormal: 'std'"),
    ):
        with pytest.raises(ConfigError, match=words):
            zoo.build("simple-convnet", options={option: value})


def test_simple_convnet_names_every_choice() -> None:
    model = zoo.simple_convnet((9, 8, 1), pad="same", pooling="average", pool_size=3, pool_stride=2, activation="tanh")
    assert [layer.detail() for layer in model.layers[:2]] == ["5x5, same, tanh", "3x3, stride 2, valid"]
    assert type(model.layers[1]) is L.AvgPool2D and model.layers[3].activation == "tanh"
    with pytest.raises(ConfigError, match="did you mean 'average'"):
        zoo.simple_convnet(pooling="avrage")
    with pytest.raises(ConfigError, match="did you mean 'lecun_normal'"):
        zoo.simple_convnet(weight_init_std="lecun_norml")


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


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("lenet5", {}, 61_706),
        ("convnetjs-cifar10", {}, 22_466),
        ("alexnet", {}, 60_965_224),
        ("alexnet", {"groups": 1}, 62_378_344),
        ("alexnet-owt", {}, 61_100_840),
        ("vgg11", {}, 132_863_336),
        ("vgg13", {}, 133_047_848),
        ("vgg16", {}, 138_357_544),
        ("vgg19", {}, 143_667_240),
    ],
)
def test_published_parameter_counts_with_dense_layers(name: str, options: dict[str, object], expected: int) -> None:
    """Krizhevsky et al. 2012 and Simonyan & Zisserman 2015, features counted as built."""
    small = zoo.build(name, options=options | LARGE.get(name, {}))
    if name in LARGE:  # the same features before dense layers of the published width
        features = small.get_layer("fc6").params["kernel"].shape[0]
        head = sum(dense(i, u) for i, u in ((features, 4096), (4096, 4096), (4096, 1000)))
        own = sum(small.get_layer(fc).count_params() for fc in ("fc6", "fc7", "fc8"))
        assert small.count_params() - own + head == expected
    else:
        assert small.count_params() == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mobilenet-v2", 3_504_872),
        ("efficientnet-lite0", 4_652_008),
        ("efficientnet-lite1", 5_416_680),
        ("efficientnet-lite2", 6_092_072),
        ("resnet18", 11_689_512),
        ("resnet34", 21_797_672),
        ("resnet50", 25_557_032),
        ("squeezenet1_0", 1_248_424),
        ("squeezenet1_1", 1_235_496),
        ("googlenet", 6_624_904),
        ("densenet121", 7_978_856),
        ("resnet56", 853_018 + 16 * 32 + 32 * 64 + 2 * (32 + 64)),
    ],
)
def test_published_counts_of_trained_numbers(name: str, expected: int) -> None:
    """torchvision's meta["num_params"]; of the Lites, the trained numbers in the published files.

    resnet56: He et al. 2016, table 6 (0.85M), with projections and their norms.
    """
    model = zoo.build(name)
    assert sum(array.size for layer in model.layers for array in layer.params.values()) == expected


def test_vgg16_at_its_full_size() -> None:
    model = zoo.vgg16()
    assert model.count_params() == 138_357_544
    rows = {row.name: row for row in model.outline().rows}
    assert rows["pool5"].output_shape == (7, 7, 512) and rows["conv5_3"].receptive_field == (196, 196)


def test_alexnet_takes_224_with_padding_and_227_without() -> None:
    for side, padding in ((224, 2), (227, 0)):
        model = zoo.alexnet((side, side, 3), dense_units=8)
        rows = {row.name: row.output_shape for row in model.outline().rows}
        assert rows["conv1"] == (55, 55, 96) and rows["pool5"] == (6, 6, 256)
        assert model.get_layer("conv1").config()["padding"] == [[padding, padding], [padding, padding]]


@pytest.mark.parametrize("name", zoo.NAMES)
def test_every_network_runs_and_is_built(name: str) -> None:
    model = built(name, seed=1)
    assert model.built and model.input_shape == (72, 80, 2) and model.name == name
    assert model.output_shape == ((72, 80, 7) if name == "unet" else (7,))
    y = model.predict(np.random.default_rng(0).normal(size=(2, 72, 80, 2)))
    np.testing.assert_allclose(y.sum(axis=-1), 1, rtol=1e-5)
    assert np.any(built(name, seed=2).weights[0] != model.weights[0])
    assert built(name.upper().replace("-", "_"), **LARGE.get(name, {})).name == name


OTHER_VALUES = {
    "simple-convnet": {
        "filter_num": 7,
        "filter_size": 3,
        "pad": 1,
        "stride": 2,
        "pooling": "average",
        "pool_size": 3,
        "pool_stride": 1,
        "activation": "tanh",
        "hidden_size": 9,
        "weight_init_std": "he",
    },
    "cifar-net": {"n_filter": 4, "dropout": 0.1, "dense_dropout": 0.1},
    "photo-net": {"filters": (4, 5), "dropout": 0.1, "momentum": 0.5},
    **{
        name: {
            **{"blocks": 1, "filters": 4, "decay": 0.01, "momentum": 0.5},
            **{"shortcuts": "padding", "padding": "pytorch"},
        }
        for name in zoo.NAMES
        if "resnet" in name
    },
    **{name: {"dropout": 0.1, "decay": 0.01} for name in ("squeezenet1_0", "squeezenet1_1")},
    "googlenet": {"dropout": 0.1, "momentum": 0.5},
    "mobilenet-v2": {"width": 0.5, "dropout": 0.1, "decay": 0.01, "momentum": 0.5},
    **{name: {"dropout": 0.1, "decay": 0.01, "momentum": 0.5} for name in zoo.NAMES if "lite" in name},
    "densenet121": {"blocks": (1, 2), "growth": 3, "decay": 0.01, "momentum": 0.5},
    "unet": {"depth": 2, "filters": 4, "up": "transposed", "decay": 0.01, "momentum": 0.5},
    "lenet5": {"activation": "tanh"},
    "lenet5-published": {"codes": "random"},
    "alexnet-owt": {"dropout": 0.1, "dense_units": 8},
    "alexnet": {"groups": 1, "normalization": "batch", "dropout": 0.1, "dense_units": 8},
    **{name: {"batch_norm": True, "dropout": 0.1, "dense_units": 8} for name in LARGE if name.startswith("vgg")},
}


@functools.cache
def plain_layers(name: str) -> list[dict[str, Any]]:
    return [layer.config() for layer in built(name).layers]


@pytest.mark.parametrize(("name", "option"), [(n, o) for n in zoo.NAMES for o in zoo.options_of(n)])
def test_every_option_changes_the_network(name: str, option: str) -> None:
    other = built(name, **{option: OTHER_VALUES[name][option]})
    assert plain_layers(name) != [layer.config() for layer in other.layers]


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
        zoo.photo_net((16, 16, 3), filters=(16, 32, 64, 128, 128))


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (8, 8), (8, 40), (15, 15), (28, 28), (31, 64)])
def test_photo_net_is_cut_to_its_pictures(size: tuple[int, int]) -> None:
    model = zoo.photo_net((*size, 1), 3)
    assert model.predict(np.zeros((2, *size, 1), np.float32), verbose=0).shape == (2, 3)


@pytest.mark.parametrize("name", zoo.NAMES)
def test_builders_share_their_first_arguments(name: str) -> None:
    arguments = list(inspect.signature(zoo.BUILDERS[name]).parameters)
    assert arguments[:2] == ["input_shape", "classes"] and arguments[-1] == "seed"
