"""What models list, beside Keras: layers, their names and order, models within as one, inputs, weights, summaries."""

from __future__ import annotations

import os
import pickle
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from keras_networks import NETWORKS, small

os.environ.setdefault("KERAS_BACKEND", "torch")
theirs = pytest.importorskip("keras")

from pellucid import keras  # noqa: E402  # after the backend was chosen
from pellucid.errors import CheckpointError, ConfigError  # noqa: E402
from pellucid.files import tensor_file  # noqa: E402
from pellucid.keras import layers  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PyTorch and NumPy 2


def kind(layer: Any) -> str:
    """Keras's name for a layer's class, which is also ours for it."""
    name = type(layer).__name__
    ours = getattr(keras.layers, name, None)
    return next((long for long in dir(theirs.layers) if ours and getattr(keras.layers, long, None) is ours), name)


def listed(model: Any, name: Any) -> list[Any]:
    """Of each layer the name, the class, the number of weights, whether it is trained; of a model within its own."""
    return [
        (layer.name, name(layer), layer.count_params(), len(layer.trainable_weights), *_within(layer, name))
        for layer in model.layers
    ]


def _within(layer: Any, name: Any) -> list[Any]:
    return [listed(layer, name)] if hasattr(layer, "layers") else []


@pytest.mark.parametrize("make", NETWORKS.values(), ids=NETWORKS.keys())
def test_models_list_what_they_list_in_keras(make: Any) -> None:
    theirs.utils.clear_session()
    keras.utils.clear_session()
    expected, model = make(theirs), make(keras)
    for _ in range(2):  # another model of the process goes on in the numbers
        assert (model.name, type(model).__name__) == (expected.name, type(expected).__name__)
        assert listed(model, kind) == listed(expected, kind)
        assert [w.shape for w in model.get_weights()] == [w.shape for w in expected.get_weights()]
        for name in ("weights", "trainable_weights", "non_trainable_weights"):
            assert len(getattr(model, name)) == len(getattr(expected, name)), name
        if hasattr(expected, "output_names"):
            assert model.output_names == expected.output_names
            assert model.input_names == [each._keras_history.operation.name for each in expected.inputs]
            assert [tuple(each.shape) for each in model.outputs] == [tuple(each.shape) for each in expected.outputs]
        expected, model = make(theirs), make(keras)


NESTED = ["nested_frozen_in_use", "row_in_row", "twice_nested", "siamese", "same_names_within"]


def pictures_for(model: Any) -> Any:
    several = isinstance(model.input_shape, list)
    x = [
        np.random.default_rng(0).random((2, *shape[1:])).astype(np.float32)
        for shape in (model.input_shape if several else [model.input_shape])
    ]
    return x if several else x[0]


def expect_same(model: Any, other: Any, x: Any) -> None:
    """Layers, names and answers; a file of ours need not keep the name of the only input."""
    found, wanted = listed(model, kind), listed(other, kind)
    assert found[1:] == wanted[1:] and found[0][1:] == wanted[0][1:]
    np.testing.assert_allclose(np.asarray(model(x, training=False)), np.asarray(other.predict(x, verbose=0)), atol=1e-5)


@pytest.mark.parametrize("name", NESTED)
def test_models_within_stay_models_in_configs_clones_pickles_and_files(name: str, tmp_path: Path) -> None:
    model = NETWORKS[name](keras)
    x = pictures_for(model)
    expect_same(pickle.loads(pickle.dumps(model)), model, x)
    for copy in (
        type(model).from_config(model.get_config()),
        keras.models.clone_model(model),
        keras.models.model_from_json(model.to_json()),
    ):
        copy.set_weights(model.get_weights())
        expect_same(copy, model, x)
    for ending in ("safetensors", "keras", "h5"):
        model.save(tmp_path / f"m.{ending}")
        loaded = keras.models.load_model(tmp_path / f"m.{ending}")
        expect_same(loaded, model, x)
        loaded.save(tmp_path / f"again.{ending}")
        expect_same(keras.models.load_model(tmp_path / f"again.{ending}"), model, x)
        if ending != "safetensors":
            expect_same(model, theirs.models.load_model(tmp_path / f"m.{ending}"), x)
    inner = next(layer for layer in loaded.layers if hasattr(layer, "layers"))
    inner.trainable = False
    assert not any(layer.trainable for layer in inner.layers if layer.count_params())


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize("name", NESTED)
def test_models_within_are_read_from_kerass_files(name: str, tmp_path: Path) -> None:
    expected = NETWORKS[name](theirs)
    x = pictures_for(expected)
    for ending in ("keras", "h5"):
        expected.save(tmp_path / f"k.{ending}")
        expect_same(keras.models.load_model(tmp_path / f"k.{ending}"), expected, x)
    copy = getattr(keras, type(expected).__name__.replace("Functional", "Model")).from_config(expected.get_config())
    copy.set_weights(expected.get_weights())
    expect_same(copy, expected, x)


def test_a_file_with_models_within_that_were_changed_is_refused(tmp_path: Path) -> None:
    model, path = NETWORKS["nested"](keras), tmp_path / "m.safetensors"
    model.save(path)
    tensors, facts = tensor_file.read(path)
    for change in ({"within": [[7]]}, {"names": []}, {"calls": [{"model": 3, "inputs": [-1], "outputs": [0]}]}):
        tensor_file.write(path, tensors, {**facts, "nested": {**facts["nested"], **change}})
        with pytest.raises(CheckpointError, match="model within"):
            keras.models.load_model(path)
    calls = [{**facts["nested"]["calls"][0], "inputs": [1]}]
    tensor_file.write(path, tensors, {**facts, "nested": {**facts["nested"], "calls": calls}})
    with pytest.raises(CheckpointError, match="model within"):
        keras.models.load_model(path)


def test_a_summary_has_a_model_within_as_one_row() -> None:
    model = NETWORKS["twice_nested"](keras)
    said: list[str] = []
    model.summary(print_fn=said.append)
    names = ["input_layer_2", "cropping2d_1", "middle", "dense"]
    rows = [line.split() for line in said[-1].splitlines()]
    assert [row[0] for row in rows[3:7]] == names and rows[5][1] == "144" and rows[8][1] == "346"
    model.summary(print_fn=said.append, expand_nested=True)
    assert re.findall(r"\u2514 (\w+)", said[-1]) == ["cropping2d", "inner", "conv2d", "batch_normalization", "flatten"]
    assert re.search(r"^total +346", said[-1], re.M)


def test_a_model_within_is_trained_frozen_and_continued_as_one() -> None:
    base = small(keras, "base")
    inputs = keras.Input((8, 8, 1))
    model = keras.Model(inputs, layers.Dense(2)(layers.Flatten()(base(inputs))))
    assert model.layers[1] is base and model.get_layer("base") is base and model.get_layer(index=1) is base
    model.layers[1].trainable = False
    assert [layer.trainable for layer in base.layers[1:]] == [False, False] and len(model.trainable_weights) == 2
    x = np.random.default_rng(0).random((6, 8, 8, 1), np.float32)
    seen = keras.Model(base.input, base.layers[-2].output).predict(x, verbose=0)  # of the base, not of the whole
    model.compile("sgd", "mse")
    model.fit(x, np.ones((6, 2)), verbose=0)
    np.testing.assert_array_equal(keras.Model(base.input, base.layers[1].output).predict(x, verbose=0), seen)
    body = keras.Model(model.input, model.layers[-2].output)
    assert [layer.name for layer in body.layers] == ["input_layer_1", "base", "flatten"]
    np.testing.assert_allclose(body.predict(x, verbose=0), base.predict(x, verbose=0).reshape(6, -1), atol=1e-6)
    with pytest.raises(ConfigError, match="no layer 9"):
        model.get_layer(index=9)
    copy = keras.models.clone_model(body)
    assert [layer.name for layer in copy.flat_layers] == [layer.name for layer in body.flat_layers]


def test_all_layers_may_be_called_in_turn() -> None:
    base, x = small(keras), keras.Input((8, 8, 1))
    y = x
    for layer in base.layers:
        y = layer(y)
    a = np.random.default_rng(1).random((3, 8, 8, 1), np.float32)
    np.testing.assert_allclose(keras.Model(x, y).predict(a, verbose=0), base.predict(a, verbose=0), atol=1e-6)
    assert base.layers[0].output is base.input and base.layers[0].get_config()["batch_shape"] == (None, 8, 8, 1)


def test_a_network_with_a_function_leaves_its_weights_in_h5(tmp_path: Path) -> None:
    pytest.importorskip("h5py")

    def made() -> Any:
        inputs = keras.Input((4,))
        return keras.Model(inputs, layers.Dense(2)(layers.Lambda(lambda x: keras.ops.sin(x) * 2)(inputs)))

    model, x = made(), np.random.default_rng(3).random((5, 4), np.float32)
    with pytest.warns(UserWarning, match="holds the weights alone"):
        model.save(tmp_path / "model.h5")
    with pytest.raises(CheckpointError):
        keras.models.load_model(tmp_path / "model.h5")
    other = made()
    assert np.abs(other.predict(x, verbose=0) - model.predict(x, verbose=0)).max() > 1e-3
    other.load_weights(tmp_path / "model.h5")
    np.testing.assert_array_equal(other.predict(x, verbose=0), model.predict(x, verbose=0))


def test_a_history_has_the_rate_where_a_callback_sets_it() -> None:
    for module in (theirs, keras):
        model = module.Sequential([module.Input((4,)), module.layers.Dense(1)])
        model.compile("sgd", "mse")
        x, y = np.ones((8, 4), np.float32), np.ones((8, 1), np.float32)
        assert list(model.fit(x, y, verbose=0).history) == ["loss"]
        falling = module.callbacks.LearningRateScheduler(lambda epoch: 0.1)
        history = model.fit(x, y, verbose=0, validation_split=0.5, callbacks=[falling]).history
        assert list(history) == ["loss", "val_loss", "learning_rate"]
