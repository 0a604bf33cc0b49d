"""One layer at several places of a network: its weights are one, and its gradients meet, as in Keras and PyTorch."""

from __future__ import annotations

import copy
import importlib.util
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
import pellucid.keras as pk
from pellucid import Input, Model, Sequential, layers
from pellucid.datasets.transforms import Preprocessing
from pellucid.errors import ConfigError, ShapeError
from pellucid.export import write
from pellucid.layers.store import each_once
from pellucid.model.tracing import trace
from pellucid.zoo.changes import change_layers

keras = pytest.importorskip("keras", reason="Keras is not installed")
torch = pytest.importorskip("torch", reason="PyTorch is not installed")

pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation:DeprecationWarning",  # PyTorch and NumPy 2
    "ignore:You are saving your model as an HDF5 file",
    "ignore:Skipping variable loading for optimizer:UserWarning",
)

RNG = np.random.default_rng(5)
X = RNG.normal(size=(40, 8, 8, 3)).astype(np.float32)
Y = RNG.integers(0, 4, 40)


def twice(seed: int = 3) -> Model:
    """A convolution, a batch norm behind it and a dense layer, each at two places, one behind the other."""
    inputs = Input((8, 8, 3))
    maps = layers.Conv2D(6, 3, padding="same", activation="relu", name="shared")
    norm, rows = layers.BatchNorm(name="norm"), layers.Dense(5, kernel_regularizer="l2", name="rows")
    x = norm(maps(inputs))
    y = norm(maps(layers.Conv2D(3, 1, name="between")(x)))
    pool = layers.GlobalAvgPool2D(name="pool")
    joined = layers.Concatenate()([rows(pool(x)), rows(pool(y))])
    return Model(inputs, layers.Dense(4, activation="softmax", name="head")(joined), seed=seed)


def trained(model: Model, optimizer: Any = "adam", **options: Any) -> Model:
    model.compile(optimizer, "categorical_crossentropy")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False, doctor=False, **options)
    return model


def weights_in(theirs: Any, name: str) -> list[Any]:
    return [np.asarray(each.value.detach()) for each in theirs.get_layer(name).weights] if "pool_" not in name else []


def weights_agree(one: Model, other: Model, atol: float) -> None:
    for a, b in zip(one.weights, other.weights, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


def test_weights_are_counted_and_listed_once() -> None:
    model = twice()
    assert [layer.name for layer in model.layers][3:5] == ["shared_1", "norm_1"]
    assert model.layers[0].params["kernel"] is model.layers[3].params["kernel"]
    sizes = [3 * 3 * 3 * 6 + 6, 4 * 6, 6 * 3 + 3, 6 * 5 + 5, 10 * 4 + 4]
    assert model.count_params() == sum(sizes) == model.outline().parameters
    assert sum(array.size for array in model.get_weights()) == sum(sizes)
    assert sum(segment.length for segment in model.parameters.segments) == sum(sizes) - 12
    assert "weights of norm" in str(model.outline())
    model.set_weights([array + 1 for array in model.get_weights()])
    np.testing.assert_array_equal(model.layers[4].params["gamma"], 2)
    model.layers[3].trainable = False
    assert not model.layers[0].trainable
    assert "shared" not in {segment.layer for segment in model.parameters.segments if segment.trainable}


@pytest.mark.parametrize("kernels", [True, False])
def test_gradients_are_those_of_pytorch(kernels: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a step of plain gradient descent, and of a traced pass, whose parts are added."""
    if not kernels:
        monkeypatch.setattr("pellucid.ops.native.available", False)
        monkeypatch.delenv("PELLUCID_REQUIRE_NATIVE", raising=False)
    model = twice()
    model.get_layer("rows").set_weights([RNG.normal(size=(6, 5)), RNG.normal(size=5)])
    model.compile(pellucid.optimizers.SGD(1.0), "categorical_crossentropy")
    before = {s.key: model.parameters.view(s).copy() for s in model.parameters.segments}
    seen = trace(model, X[:8], Y[:8], training=True)
    named = {key: torch.tensor(array, requires_grad=True) for key, array in before.items()}

    def maps(x: Any) -> Any:
        kernel = named["shared/kernel"].permute(3, 2, 0, 1)
        y = torch.relu(torch.nn.functional.conv2d(x, kernel, named["shared/bias"], padding=1))
        return torch.nn.functional.batch_norm(
            y, None, None, named["norm/gamma"], named["norm/beta"], training=True, eps=1e-3
        )

    x = maps(torch.from_numpy(X[:8]).permute(0, 3, 1, 2))
    y = maps(torch.nn.functional.conv2d(x, named["between/kernel"].permute(3, 2, 0, 1), named["between/bias"]))
    rows = [each.mean((2, 3)) @ named["rows/kernel"] + named["rows/bias"] for each in (x, y)]
    logits = torch.cat(rows, 1) @ named["head/kernel"] + named["head/bias"]
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(Y[:8]))
    loss.backward()
    assert seen.losses is not None
    np.testing.assert_allclose(seen.losses.mean(), loss.item(), rtol=1e-5)
    grads = {key: tensor.grad.numpy() for key, tensor in named.items() if tensor.grad is not None}
    for key in before:
        layer, name = key.split("/")
        parts = [step.d_weights[name] for step in seen if step.name in (layer, f"{layer}_1")]
        np.testing.assert_allclose(sum(parts), grads[key], rtol=0, atol=2e-6, err_msg=key)
    model.fit(X[:8], Y[:8], batch_size=8, verbose=0, shuffle=False, doctor=False)
    for segment in model.parameters.segments:
        penalty = 0.02 * before[segment.key] if segment.key == "rows/kernel" else 0.0
        change = before[segment.key] - model.parameters.view(segment)
        np.testing.assert_allclose(change, grads[segment.key] + penalty, rtol=0, atol=3e-6, err_msg=segment.key)


@pytest.mark.parametrize(
    ("kind", "options"),
    [("SGD", {"momentum": 0.9, "global_clipnorm": 0.3}), ("AdamW", {"weight_decay": 0.5}), ("Adam", {"clipnorm": 0.1})],
)
def test_ten_steps_are_those_of_keras(kind: str, options: dict[str, Any], tmp_path: Path) -> None:
    """Running means too, which each place updates in its turn; and every way out and back."""
    model = twice()
    model.preprocessing = Preprocessing(scale=1.0)  # else the file's first layer scales
    model.save(tmp_path / "m.keras")
    theirs = keras.saving.load_model(tmp_path / "m.keras")
    assert [len(layer._inbound_nodes) for layer in theirs.layers if layer.name in ("shared", "norm", "rows")] == [2] * 3
    trained(model, getattr(pellucid.optimizers, kind)(0.01, **options))
    theirs.compile(getattr(keras.optimizers, kind)(0.01, **options), "sparse_categorical_crossentropy")
    theirs.fit(X, Y, batch_size=8, epochs=2, verbose=0, shuffle=False)
    assert theirs.count_params() == model.count_params()
    for layer in each_once(model.layers):
        for ours, other in zip(layer.weights, weights_in(theirs, layer.name), strict=True):
            np.testing.assert_allclose(ours, other, rtol=0, atol=3e-5, err_msg=layer.name)


def test_the_torch_engine_takes_the_same_steps() -> None:
    weights_agree(trained(twice()), trained(twice(), engine="torch"), 2e-5)


def test_files_copies_and_pickles_keep_it_one(tmp_path: Path) -> None:
    model = trained(twice())
    model.save(tmp_path / "m.safetensors")
    copies = [pellucid.load(tmp_path / "m.safetensors"), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    for other in copies:
        np.testing.assert_array_equal(other.predict(X), model.predict(X))
        assert [layer.name for layer in other.layers] == [layer.name for layer in model.layers]
        assert other.layers[0].store is other.layers[3].store is not model.layers[0].store
        assert other.count_params() == model.count_params()
    trained(copies[0], "sgd")
    assert not np.array_equal(copies[0].predict(X), model.predict(X))
    assert change_layers(model, {"shared.filters": 7}).layers[3].params["kernel"].shape == (3, 3, 3, 7)
    assert len(pellucid.transfer.like(model, classes=9).weights) == len(model.weights)


def test_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, parts = trained(twice()), twice()
    parts.compile("adam", "categorical_crossentropy")
    for epochs in (1, 2):
        options: dict[str, Any] = {"verbose": 0, "shuffle": False, "doctor": False, "resume": tmp_path / "run"}
        parts.fit(X, Y, batch_size=8, epochs=epochs, **options)
    weights_agree(whole, parts, 0)


def test_other_programs_have_the_same_answers(tmp_path: Path) -> None:
    model = trained(twice())
    want = model.predict(X)
    for name in ("m.keras", "m.h5", "m.onnx", "m.py"):
        write(model, tmp_path / name)
    for name in ("m.keras", "m.h5"):
        back = pellucid.load(tmp_path / name)
        np.testing.assert_allclose(back.predict(X), want, rtol=0, atol=1e-6)
        assert back.count_params() == model.count_params()
        found = keras.saving.load_model(tmp_path / name).predict(X, verbose=0)
        np.testing.assert_allclose(found, want, rtol=0, atol=1e-6)
    onnx = pytest.importorskip("onnx")
    proto = onnx.load(tmp_path / "m.onnx")
    numbers = [int(np.prod(array.dims)) for array in proto.graph.initializer if array.data_type == 1]
    assert sum(numbers) == model.count_params()
    session = pytest.importorskip("onnxruntime").InferenceSession(tmp_path / "m.onnx")
    np.testing.assert_allclose(session.run(None, {"pictures": X})[0], want, rtol=0, atol=1e-6)
    spec = importlib.util.spec_from_file_location("shared_network", tmp_path / "m.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    network = module.load()
    assert sum(each.numel() for each in network.parameters()) == model.count_params() - 12
    answers = network(torch.from_numpy(X).permute(0, 3, 1, 2)).detach().numpy()
    np.testing.assert_allclose(answers, want, rtol=0, atol=1e-6)


def test_a_model_is_called_twice_as_keras_programs_do() -> None:
    """A siamese network: one encoder for two pictures."""
    encoder = pk.Sequential([pk.Input((8, 8, 3)), pk.layers.Conv2D(4, 3), pk.layers.Flatten(), pk.layers.Dense(3)])
    left, right = pk.Input((8, 8, 3), name="left"), pk.Input((8, 8, 3), name="right")
    distance = pk.layers.Subtract()([encoder(left), encoder(right)])
    model = pk.Model([left, right], pk.layers.Dense(1, activation="sigmoid")(distance))
    assert model.count_params() == encoder.count_params() + 4
    model.compile("adam", "binary_crossentropy")
    before = encoder.predict(X, verbose=0)
    model.fit([X, X[::-1].copy()], Y % 2, verbose=0)
    one, other = encoder.predict(X, verbose=0), encoder.predict(X[::-1].copy(), verbose=0)
    assert not np.allclose(one, before)
    kernel, bias = model.layers[-1].get_weights()
    want = 1 / (1 + np.exp(-((one - other) @ kernel + bias)))
    np.testing.assert_allclose(model.predict([X, X[::-1].copy()], verbose=0), want, rtol=0, atol=1e-6)
    assert len(model.trainable_variables) == 6
    clone = pk.models.clone_model(model)
    assert clone.count_params() == model.count_params()


def test_what_cannot_be_one_is_refused() -> None:
    inputs, dense = Input((4,)), layers.Dense(3)
    with pytest.raises(ShapeError, match="dense"):
        Model(inputs, dense(dense(inputs)))
    same = layers.Dense(4)
    with pytest.raises(ConfigError, match="has the layer 'dense' already; make a new one, or call it twice"):
        Sequential([inputs, same, same])
    assert Model(inputs, layers.Dense(4)(inputs)).layers[0] is not same


def test_models_that_share_a_layer_called_twice_see_each_others_training() -> None:
    inputs, dense = pk.Input((4,)), pk.layers.Dense(4)
    model = pk.Model(inputs, dense(dense(inputs)))
    other = pk.Model(inputs, model.layers[1](inputs))
    want = other.predict(np.eye(4), verbose=0)
    np.testing.assert_allclose(model.predict(np.eye(4), verbose=0), other.predict(want, verbose=0), atol=1e-6)
    model.compile("sgd", "mse")
    model.fit(np.eye(4), np.eye(4), verbose=0)
    want = other.predict(np.eye(4), verbose=0)
    np.testing.assert_allclose(model.predict(np.eye(4), verbose=0), other.predict(want, verbose=0), atol=1e-6)
