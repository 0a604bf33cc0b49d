"""The networks of `keras.applications` beside Keras's own: layers, parameters, answers with the same weights."""

from __future__ import annotations

import copy
import hashlib
import inspect
import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command
from published_files import only_data

from pellucid import zoo
from pellucid.convert import KERAS_PUBLISHED, SCALINGS
from pellucid.errors import CheckpointError, ConfigError, DataError
from pellucid.keras import applications, layers, models
from pellucid.keras.applications import imagenet_utils

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras with PyTorch
keras = pytest.importorskip("keras", reason="Keras is not installed")

SCALE, OFFSET = SCALINGS["torchvision"].preprocessing.scale_offset(3)
IN_FILES = ("Xception", "MobileNetV2", "EfficientNetB1")
RNG = np.random.default_rng(7)
BUILDERS = {name: value for name in applications.__all__ if callable(value := getattr(applications, name))}
FIRST = {
    "Xception": 71,
    "InceptionV3": 75,
    "InceptionResNetV2": 75,
    "NASNetMobile": 33,
    "ResNet50": 33,
    "ResNet50V2": 32,
    "DenseNet121": 33,
    "MobileNet": 32,
    "MobileNetV2": 35,
    "MobileNetV3Small": 33,
    "MobileNetV3Large": 32,
    "EfficientNetB1": 32,
    "EfficientNetV2B2": 32,
}
"""Of each family the small ones, and a side of pictures; many are odd, where paddings differ."""


def theirs(name: str, **given: Any) -> Any:
    """Keras's network, whose weights are far from their start."""
    from keras.src.applications import nasnet

    build = getattr(keras.applications, name)
    if name == "NASNetMobile":  # which refuses to be built with PyTorch
        build = partial(nasnet.NASNet, default_size=224, num_blocks=4, penultimate_filters=1056, stem_block_filters=32)
        build = partial(build, skip_reduction=False, filter_multiplier=2)
    model = build(weights=None, **given)
    for weight in model.weights:
        kind, shape = weight.path.rpartition("/")[2], tuple(weight.shape)
        if kind in ("gamma", "variance", "moving_variance"):
            weight.assign(RNG.uniform(0.4, 0.8, shape).astype(np.float32))
        elif kind in ("beta", "bias", "mean", "moving_mean"):
            weight.assign(RNG.normal(0, 0.2, shape).astype(np.float32))
    return model


def pictures(model: Any, count: int = 2) -> Any:
    scaled_within = any(type(layer).__name__ == "Rescaling" for layer in model.layers)
    size = tuple(side or 40 for side in model.input_shape[1:])
    return RNG.uniform(*((0, 255) if scaled_within else (-1, 1)), (count, *size)).astype(np.float32)


def answers(model: Any, x: Any) -> Any:
    return keras.ops.convert_to_numpy(model(x, training=False))


def held(model: Any) -> list[Any]:
    """Keras's weights but for those of its Normalization, which are no weights here."""
    layers = [layer for layer in model.layers if type(layer).__name__ != "Normalization"]
    return [keras.ops.convert_to_numpy(weight) for layer in layers for weight in layer.weights]


@pytest.mark.parametrize("name", FIRST)
def test_a_network_is_keras_s(name: str, tmp_path: Path) -> None:
    given = {"input_shape": (FIRST[name], FIRST[name], 3), "classes": 10, "classifier_activation": None}
    other = theirs(name, **given)
    if name in IN_FILES:
        other.save_weights(tmp_path / "net.weights.h5")
        own = BUILDERS[name](weights=tmp_path / "net.weights.h5", **given)
    else:
        own = BUILDERS[name](weights=None, **given)
        own.set_weights(held(other))
    trained = [tuple(weight.shape) for weight in other.trainable_weights]
    assert [weight.shape for weight in own.trainable_weights] == trained
    assert sum(map(np.size, own.get_weights())) == sum(map(np.size, held(other))) == own.count_params()
    names = [layer.name for layer in other.layers[1:] if layer.name != snake_case(type(layer).__name__, layer.name)]
    assert [layer.name for layer in own.layers if layer.name in names] == names
    x = pictures(other)
    expected = answers(other, x)
    np.testing.assert_allclose(own.predict(x, verbose=0), expected, atol=1e-5 * np.abs(expected).max())


def snake_case(kind: str, name: str) -> str:
    """What Keras calls a layer of this class that was given no name, with the number that `name` ends in."""
    from keras.src.utils.naming import to_snake_case

    number = re.search(r"_\d+$", name)
    return str(to_snake_case(kind)) + (number[0] if number else "")


def test_maps_pooling_and_values_of_a_network() -> None:
    given = {"include_top": False, "weights": None}
    assert tuple(applications.MobileNet(**given).output.shape) == (None, None, None, 1024)
    assert applications.MobileNet(alpha=0.5, input_shape=(64, 96, 3), **given).output_shape == (None, 2, 3, 512)
    for pooling, value in (("avg", np.mean), ("max", np.max)):
        source = layers.Input((40, 40, 3))
        pooled = applications.MobileNetV2(input_tensor=source, pooling=pooling, **given)
        x = RNG.uniform(-1, 1, (1, 40, 40, 3)).astype(np.float32)
        maps = models.Model(source, pooled.get_layer("out_relu").output).predict(x, verbose=0)
        np.testing.assert_allclose(pooled.predict(x, verbose=0), value(maps, axis=(1, 2)), rtol=1e-5, atol=1e-6)
    source = layers.Input((40, 40, 3))
    scaled = applications.mobilenet_v2.preprocess_input(layers.Resizing(32, 32)(source))
    inner = applications.MobileNetV2(input_tensor=scaled, name="body", **given)
    assert inner.name == "body" and [tuple(one.shape) for one in inner.inputs] == [(None, 40, 40, 3)]
    whole = models.Model(source, layers.GlobalAveragePooling2D()(inner.output))
    assert whole.predict(np.zeros((1, 40, 40, 3)), verbose=0).shape == (1, 1280)


def test_bad_arguments_are_said() -> None:
    with pytest.raises(ConfigError, match=r"input_shape must be .* at least 71 pixels a side, got .64, 64, 3"):
        applications.Xception(weights=None, input_shape=(64, 64, 3))
    with pytest.raises(ConfigError, match="include_top=True needs a size of pictures"):
        applications.Xception(weights=None, input_shape=(None, None, 3))
    with pytest.raises(ConfigError, match="weights of ImageNet are for 1000 classes; give include_top=False"):
        applications.Xception(classes=10)
    with pytest.raises(ConfigError, match=r"the published weights are for alpha=1\.0"):
        applications.MobileNetV2(alpha=0.5, include_top=False)
    with pytest.raises(ConfigError, match=r"Keras has published no file mobilenet_0\.3_224_tf\.h5"):
        applications.MobileNet(alpha=0.3)
    with pytest.raises(ConfigError, match="ConvNeXtTiny is not here"):
        applications.ConvNeXtTiny()


def test_published_files_are_looked_for_and_named(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_data(tmp_path, tmp_path / "cache", monkeypatch)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert {one.scaling for one in KERAS_PUBLISHED.values()} <= SCALINGS.keys()
    for name, file in (
        ("ResNet101", "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5"),
        ("EfficientNetB0", "efficientnetb0_notop.h5"),
        ("EfficientNetV2S", "efficientnetv2-s_notop.h5"),
        ("MobileNet", "mobilenet_1_0_224_tf_no_top.h5"),
        ("MobileNetV3Small", "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"),
        ("NASNetMobile", "NASNet-mobile-no-top.h5"),
    ):
        assert file in KERAS_PUBLISHED
        assert command("weights", "fetch", file)[2].startswith(f"pellucid: {file} is not on this machine")
        with pytest.raises(DataError, match=f"{re.escape(file)} is not on this machine"):
            BUILDERS[name](include_top=False, input_shape=(64, 64, 3))


def test_published_weights_are_read_as_keras_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import h5py
    from keras.src.legacy.saving import legacy_h5_format
    from keras.src.utils import file_utils

    only_data(tmp_path, tmp_path / "cache", monkeypatch)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    path = tmp_path / "keras" / "models" / "efficientnetb0_notop.h5"
    path.parent.mkdir(parents=True)
    given = {"include_top": False, "input_shape": (33, 33, 3)}
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, theirs("EfficientNetB0", **given))
    with pytest.raises(CheckpointError, match="has the name of a published file, whose MD5 begins with 50bc09e7"):
        applications.EfficientNetB0(**given)
    digest = hashlib.md5(path.read_bytes()).hexdigest()
    monkeypatch.setitem(KERAS_PUBLISHED, path.name, replace(KERAS_PUBLISHED[path.name], digest=digest))
    monkeypatch.setattr(file_utils, "get_file", lambda *args, **kwargs: str(path))
    other, own = keras.applications.EfficientNetB0(**given), applications.EfficientNetB0(**given)
    x = pictures(other)
    expected = answers(other, x)
    np.testing.assert_allclose(own.predict(x, verbose=0), expected, atol=1e-5 * np.abs(expected).max())


STAND_INS = {"MobileNetV2": ("mobilenet-v2", "tf"), "ResNet50": ("resnet50", "caffe")}


@pytest.mark.parametrize("name", STAND_INS)
def test_weights_of_torchvision_take_pictures_as_keras_scales_them(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    network, mode = STAND_INS[name]
    made = zoo.build(network, input_shape=(224, 224, 3), seed=3)
    monkeypatch.setattr(zoo, "build", lambda *args, **kwargs: copy.deepcopy(made))
    x = RNG.integers(0, 256, (1, 224, 224, 3)).astype(np.float32)
    expected = made(x * SCALE + OFFSET)
    own = BUILDERS[name]()
    np.testing.assert_allclose(
        own.predict(imagenet_utils.preprocess_input(x, mode=mode), verbose=0), expected, atol=1e-5
    )
    bare = BUILDERS[name](weights=None)
    assert [a.name for a in own.layers if a.weights] == [b.name for b in bare.layers if b.weights]
    assert {layer.name for layer in own.layers[1:]} <= {layer.name for layer in bare.layers}


@pytest.mark.parametrize("mode", ["caffe", "tf", "torch"])
def test_pictures_are_scaled_as_keras_scales_them(mode: str) -> None:
    x = RNG.integers(0, 256, (2, 5, 4, 3)).astype(np.uint8)
    expected = keras.applications.imagenet_utils.preprocess_input(x.astype(np.float64), mode=mode)
    np.testing.assert_allclose(imagenet_utils.preprocess_input(x, mode=mode), expected, atol=2e-5)
    source = layers.Input((5, 4, 3))
    model = models.Model(source, imagenet_utils.preprocess_input(source, mode=mode))
    np.testing.assert_allclose(model.predict(x, verbose=0), expected, atol=2e-5)


MODULES = [name for name in applications.__all__ if not callable(getattr(applications, name)) and "utils" not in name]


@pytest.mark.parametrize("module", MODULES)
def test_each_module_scales_as_keras_s_does_and_has_its_functions(module: str) -> None:
    own, other = getattr(applications, module), getattr(keras.applications, module)
    public = [name for name in dir(other) if not name.startswith("_")]
    assert set(public) <= set(dir(own)), set(public) - set(dir(own))
    x = RNG.uniform(0, 255, (1, 2, 2, 3)).astype(np.float32)
    np.testing.assert_allclose(own.preprocess_input(x), other.preprocess_input(x.copy()), atol=2e-5)
    for name in public:
        function = getattr(other, name)
        if isinstance(function, type(lambda: 0)) and name[0].isupper():
            assert list(inspect.signature(getattr(own, name)).parameters.values()) == [
                each.replace(annotation=inspect.Parameter.empty)
                for each in inspect.signature(function).parameters.values()
            ]
