"""Networks with branches: what they compute, how they learn, what is refused, and that a file brings them back."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Input, Model, Sequential, layers
from pellucid.errors import CheckpointError, ConfigError, ShapeError
from pellucid.layers.graph import INPUT, Graph
from pellucid.ops.geometry import Array
from pellucid.plan import frozen_nodes
from pellucid.visualise.architecture.data import blocks_of, note_words
from pellucid.visualise.architecture.nodes import draw_nodes
from pellucid.visualise.drawing.labels import Labels

RNG = np.random.default_rng(0)
X = RNG.standard_normal((10, 8, 6, 3), np.float32)
Y = RNG.integers(0, 4, 10)


def residual(*, seed: int = 0) -> Model:
    """Two blocks: one whose shortcut is the value itself, one whose shortcut is a projection."""
    inputs = Input((8, 6, 3))
    x = layers.Conv2D(8, 3, padding="same", activation="relu", name="stem")(inputs)
    y = layers.Conv2D(8, 3, padding="same", activation="relu")(x)
    y = layers.Conv2D(8, 3, padding="same")(y)
    x = layers.ReLU()(x + y)
    y = layers.Conv2D(12, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.Add()([layers.Conv2D(12, 1, strides=2)(x), y])
    x = layers.GlobalAvgPool2D()(layers.ReLU()(x))
    return Model(inputs, layers.Dense(4, activation="softmax", name="head")(x), seed=seed)


def branches() -> Model:
    """One value read three times, its parts multiplied and put behind one another."""
    inputs = Input((8, 6, 3))
    a = layers.Conv2D(4, 3, padding="same", activation="sigmoid")(inputs)
    b = layers.Conv2D(4, 1)(inputs)
    c = layers.Concatenate()([a * b, a, layers.MaxPool2D(3, 1, padding="same")(b)])
    d = layers.Flatten()(layers.MaxPool2D(2)(c))
    return Model(inputs, layers.Dense(4)(d))


NETWORKS = {"residual": residual, "branches": branches}


def by_layers(model: Model, x: Array, targets: Any) -> tuple[Array, dict[str, Array]]:
    """Answers, and every gradient of the mean loss, each layer by its own code."""
    seen = pellucid.trace(model, x, targets)
    gradients = {f"{step.name}/{name}": value for step in seen for name, value in step.d_weights.items()}
    return seen.outputs, gradients


def one_step(model: Model, x: Array, y: Any) -> dict[str, Array]:
    """The gradients that a training step of the plan takes, from how far plain SGD goes."""
    model.compile(pellucid.optimizers.SGD(1.0), "sparse_categorical_crossentropy")
    before = {f"{layer.name}/{name}": np.array(a) for layer in model.layers for name, a in layer.params.items()}
    model.fit(x, y, batch_size=len(x), verbose=0, shuffle=False, doctor=False)
    return {
        key: before[key] - np.array(layer.params[key.split("/")[1]])
        for layer in model.layers
        for key in before
        if key.split("/")[0] == layer.name
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_plans_agree_with_the_layers_themselves(name: str) -> None:
    model = NETWORKS[name]()
    model.compile("sgd", "sparse_categorical_crossentropy")
    outputs, gradients = by_layers(model, X, Y)
    np.testing.assert_allclose(model.predict(X), outputs, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict(X[:1]), outputs[:1], rtol=1e-5, atol=1e-6)
    taken = one_step(model, X, Y)
    assert set(taken) == set(gradients)
    for key, gradient in gradients.items():
        np.testing.assert_allclose(taken[key], gradient, rtol=1e-3, atol=2e-5, err_msg=key)


@pytest.mark.parametrize("name", NETWORKS)
def test_gradients_are_slopes(name: str) -> None:
    model = NETWORKS[name]()
    found = pellucid.check_gradients(model)
    assert found.ok, str(found)
    assert {array.name for array in found.arrays} == {"dx", *(f"d{s.key}" for s in model.parameters.segments)}


def test_a_network_is_brought_back_by_its_file(tmp_path: Path) -> None:
    model = residual()
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(X, Y, epochs=2, verbose=0)
    model.save(tmp_path / "m.safetensors")
    again = pellucid.load(tmp_path / "m.safetensors")
    assert type(again) is Model
    assert again.reads == model.reads
    np.testing.assert_array_equal(again.predict(X), model.predict(X))
    assert again.summary_data() == model.summary_data()


def test_training_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    whole, parts = residual(), [residual(), residual()]
    for model in (whole, *parts):
        model.compile("adam", "sparse_categorical_crossentropy")
    whole.fit(X, Y, batch_size=4, epochs=4, verbose=0)
    parts[0].fit(X, Y, batch_size=4, epochs=2, verbose=0, resume=tmp_path / "run")
    parts[1].fit(X, Y, batch_size=4, epochs=4, verbose=0, resume=tmp_path / "run")
    for mine, theirs in zip(parts[1].get_weights(), whole.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_chain_of_calls_is_the_sequential_of_the_same_layers() -> None:
    def made() -> list[layers.Layer]:
        return [layers.Conv2D(5, 3, activation="relu"), layers.MaxPool2D(), layers.Flatten(), layers.Dense(4)]

    row = Sequential([Input((8, 6, 3)), *made()])
    x = inputs = Input((8, 6, 3))
    for layer in made():
        x = layer(x)
    called = Model(inputs, x)
    for model in (row, called):
        model.compile("sgd", "sparse_categorical_crossentropy")
        model.fit(X, Y, verbose=0)
    np.testing.assert_array_equal(called.predict(X), row.predict(X))


def test_a_network_may_stand_in_another() -> None:
    inner = residual(seed=3)
    answers, weights = inner.predict(X), inner.get_weights()
    count = len(inner.layers)
    inputs = Input((8, 6, 3))
    outer = Model(inputs, layers.Dense(2, activation="softmax")(inner(inputs)))
    for mine, theirs in zip(outer.get_weights(), weights, strict=False):
        np.testing.assert_array_equal(mine, theirs)
    assert len(outer.layers) == count + 1 and not inner.layers
    kept = outer.graph.up_to(outer.layers[count - 1]).run(X, lambda number, layer, read: layer.forward(read)[0])
    np.testing.assert_allclose(kept, answers, rtol=1e-5, atol=1e-6)
    outer.compile("sgd", "sparse_categorical_crossentropy")
    outer.fit(X, Y % 2, verbose=0)
    with pytest.raises(ShapeError, match=r"takes \(N, 8, 6, 3\), got \(N, 9, 9, 3\)"):
        residual()(Input((9, 9, 3)))


def test_what_does_not_fit_is_refused_where_it_stands() -> None:
    inputs = Input((8, 6, 3))
    a, b = layers.Conv2D(4, 3, name="a")(inputs), layers.Conv2D(4, 1, name="b")(inputs)
    with pytest.raises(ShapeError, match=r"needs values of one shape, got \(N, 6, 4, 4\) and \(N, 8, 6, 4\)"):
        layers.Add()([a, b])
    with pytest.raises(ShapeError, match="differ along axis -1 alone"):
        layers.Concatenate()([a, b])
    with pytest.raises(ShapeError, match="merges two values or more"):
        layers.Add()(a)
    with pytest.raises(ConfigError, match="reads one value, got 2"):
        layers.ReLU()([a, b])
    with pytest.raises(ConfigError, match="another Input"):
        Model(Input((8, 6, 3)), a)
    with pytest.raises(ConfigError, match=r"inputs must be a pellucid\.Input\(\(H, W, C\)\), or a list of such"):
        Model(np.array(3), a)
    with pytest.raises(ConfigError, match=r"inputs must be a pellucid\.Input\(\(H, W, C\)\), or a list of such"):
        Model(X, a)
    with pytest.raises(ConfigError, match="outputs must be one value or a list"):
        Model(inputs, X)
    with pytest.raises(ConfigError, match="what a value is calculated with must be a number"):
        _ = a + "1"
    with pytest.raises(ConfigError, match="the power of a value must be a number"):
        _ = a ** "2"
    assert Model([inputs], [layers.Flatten()(a)]).output_shape == (96,)


@pytest.mark.parametrize("reads", [[[-1], [1]], [[-1], [-1]], [[-1], []], [[-1], [5]], [[-1]], [[-2], [0]]])
def test_files_whose_layers_read_what_is_not_there_are_refused(reads: list[list[int]], tmp_path: Path) -> None:
    from pellucid.files import tensor_file

    x = inputs = Input((4, 4, 1))
    for layer in (layers.Flatten(), layers.Dense(2)):
        x = layer(x)
    Model(inputs, x).save(tmp_path / "m.safetensors")
    tensors, facts = tensor_file.read(tmp_path / "m.safetensors")
    tensor_file.write(tmp_path / "m.safetensors", tensors, {**facts, "reads": reads})
    with pytest.raises(CheckpointError):
        pellucid.load(tmp_path / "m.safetensors")


def test_freezing_everything_before_a_value_trains_what_is_behind_it() -> None:
    model = residual()
    frozen = model.layers[: [layer.name for layer in model.layers].index("relu") + 1]
    for layer in frozen:
        layer.trainable = False
    model.compile("sgd", "sparse_categorical_crossentropy")
    before = [layer.get_weights() for layer in model.layers]
    model.fit(X, Y, epochs=3, verbose=0)
    for layer, kept in zip(model.layers, before, strict=True):
        changed = any((a != b).any() for a, b in zip(layer.get_weights(), kept, strict=True))
        assert changed == (layer not in frozen and bool(kept)), layer.name


def test_drawings_say_what_is_read_from_elsewhere() -> None:
    model = residual()
    blocks = {block.name: block for block in blocks_of(model)}
    assert blocks["conv2d_1"].notes == ("+ stem", "ReLU")
    assert blocks["conv2d_3"].notes[:1] == ("from conv2d_1",)
    assert [block.name for block in blocks.values() if block.apart] == ["conv2d_3"]
    text = str(model.outline())
    assert "from stem, conv2d_1" in text
    assert note_words("+ conv", Labels("ko")) == "+ conv"  # a layer's name is no word to translate
    assert note_words("from conv", Labels("ko")) == "conv에서"
    with pytest.raises(ConfigError, match="has branches"):
        draw_nodes(model)
    for block in blocks_of(branches()):
        assert block.what


# ------------------------------------------------------------------------------------------------------------- merging

MERGES = {
    "Add": (lambda: layers.Add(), [(4, 3, 2)] * 3, lambda *x: x[0] + x[1] + x[2]),
    "Multiply-channels": (
        lambda: layers.Multiply(),
        [(4, 3, 2), (2,), (4, 3, 2)],
        lambda *x: x[0] * x[1][:, None, None] * x[2],
    ),
    "Multiply": (lambda: layers.Multiply(), [(4, 3, 2)] * 3, lambda *x: x[0] * x[1] * x[2]),
    "Multiply-one-pixel": (lambda: layers.Multiply(), [(1, 1, 2), (4, 3, 2)], lambda a, b: a * b),
    "Subtract": (lambda: layers.Subtract(), [(4, 3, 2)] * 2, lambda a, b: a - b),
    "Average": (lambda: layers.Average(), [(4, 3, 2)] * 3, lambda *x: sum(x) / 3),
    "Maximum": (lambda: layers.Maximum(), [(4, 3, 2)] * 3, lambda *x: np.max(x, axis=0)),
    "Minimum": (lambda: layers.Minimum(), [(4, 3, 2)] * 3, lambda *x: np.min(x, axis=0)),
    "Dot": (lambda: layers.Dot(1), [(4,), (4,)], lambda a, b: (a * b).sum(1, keepdims=True)),
    "Dot-cosine": (
        lambda: layers.Dot(-1, normalize=True),
        [(4,), (4,)],
        lambda a, b: (
            (a * b).sum(1, keepdims=True) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)[:, None]
        ),
    ),
    "Dot-of-maps": (lambda: layers.Dot((3, 1)), [(4, 3, 2), (2, 5)], lambda a, b: np.einsum("nijk,nkl->nijl", a, b)),
    "Concatenate": (lambda: layers.Concatenate(), [(4, 3, 2), (4, 3, 5)], lambda *x: np.concatenate(x, 3)),
    "Concatenate-rows": (lambda: layers.Concatenate(1), [(4, 3), (2, 3)], lambda *x: np.concatenate(x, 1)),
}


def test_every_merging_layer_has_a_row() -> None:
    of_series = ("recurrent", "attention", "mask")  # in test_layers_series.py
    merging = {cls for cls in layers.LAYERS.values() if cls.merges and cls.role not in of_series}
    assert {type(make()) for make, _, _ in MERGES.values()} == merging


@pytest.mark.parametrize("name", MERGES)
def test_merging_layers_keep_what_layers_promise(name: str) -> None:
    make, shapes, truth = MERGES[name]
    layer, rng = make(), np.random.default_rng(2)
    x = [rng.standard_normal((3, *shape), np.float32) for shape in shapes]
    kept = [np.array(each) for each in x]
    cancels = 1e-7 if isinstance(layer, layers.Dot) else 0  # products of both signs are added
    np.testing.assert_allclose(layer(x), truth(*x), rtol=1e-6, atol=cancels)
    y, cache = layer.forward(x, training=True)
    assert y.dtype == np.float32 and y.shape == (3, *layer.output_of(shapes))
    dy = rng.standard_normal(y.shape, np.float32)
    dx, grads = layer.backward(dy, cache)
    assert [d.shape for d in dx] == [each.shape for each in x] and grads == {}
    assert layer.backward(dy, cache, need_dx=False)[0] is None
    for each, before in zip(x, kept, strict=True):
        np.testing.assert_array_equal(each, before)
    for each, d in zip(x, dx, strict=True):  # against the slope along a random direction, in float64
        direction = rng.standard_normal(each.shape)
        moved = [
            [other.astype(np.float64) + (h * direction if other is each else 0) for other in x] for h in (1e-5, -1e-5)
        ]
        above, below = (float((truth(*read) * dy).sum()) for read in moved)
        assert np.isclose((above - below) / 2e-5, (d * direction).sum(), rtol=1e-4, atol=1e-4)
    again = layers.from_config(layer.config())
    assert type(again) is type(layer) and again.config() == layer.config()


def test_squeeze_and_excite_multiplies_channels_by_what_their_means_say(tmp_path: Path) -> None:
    inputs = Input((8, 6, 3))
    maps = layers.Conv2D(12, 3, name="maps")(inputs)
    model = Model(inputs, layers.Dense(4)(layers.GlobalAvgPool2D()(layers.SqueezeExcite(4, name="se")(maps))))
    x = model.get_layer("maps")(X)
    gate = model.get_layer("se_expand")(model.get_layer("se_reduce")(x.mean(axis=(1, 2))))
    assert model.get_layer("se_reduce").units == 3 and (gate > 0).all() and (gate < 1).all()
    traced = pellucid.trace(model, X)
    np.testing.assert_allclose(traced["se"].output, x * gate[:, None, None], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(traced.outputs, model.predict(X), rtol=1e-5, atol=1e-6)
    assert pellucid.check_gradients(model).ok
    model.save(tmp_path / "m.safetensors")
    np.testing.assert_array_equal(pellucid.load(tmp_path / "m.safetensors").predict(X), model.predict(X))
    assert layers.SqueezeExcite(filters=5)(layers.SqueezeExcite(100)(Input((8, 6, 3)))).shape == (8, 6, 3)
    with pytest.raises(ConfigError, match="block of layers"):
        layers.SqueezeExcite()(X)  # type: ignore[arg-type]
    with pytest.raises(ShapeError, match="takes maps"):
        layers.SqueezeExcite()(Input((6,)))


# ----------------------------------------------------------------------------------------------------- several outputs


def frozen_networks() -> dict[str, tuple[Model, list[str], str | None]]:
    """Networks, the layers frozen in each, and the last of those whose value is kept."""
    inputs = Input((8, 6, 3))
    a = layers.Conv2D(4, 3, padding="same", name="a")(inputs)
    b = layers.Conv2D(4, 1, name="trained")(inputs)
    c = layers.BatchNorm(name="c")(layers.Conv2D(4, 1, name="b")(a))
    end = layers.Dense(4)(layers.Flatten()(layers.Add()([layers.ReLU()(c), b])))
    beside = Model(inputs, end)
    inputs = Input((8, 6, 3))
    x = layers.Conv2D(4, 1, name="stem")(inputs)
    y = layers.Conv2D(4, 3, padding="same", name="left")(x)
    z = layers.Add()([x, y])
    z = layers.Add()([layers.Conv2D(4, 3, padding="same")(z), z, layers.Conv2D(4, 1, name="right")(z)])
    several = Model(inputs, layers.Dense(4)(layers.GlobalAvgPool2D()(z)))
    return {
        "beside": (beside, ["a", "b", "c"], None),
        "block": (residual(), ["stem", "conv2d", "conv2d_1"], "relu"),
        "several": (several, ["stem", "left", "right"], "add"),
    }


@pytest.mark.parametrize("name", ["beside", "block", "several"])
def test_what_nothing_trained_feeds_is_computed_once_or_as_in_use(name: str) -> None:
    """The same bits, kept or not; only what is frozen stays as it is."""
    results, kept, told = [], [], []
    for cache in (True, False):
        model, names, end = frozen_networks()[name]
        for each in names:
            model.get_layer(each).trainable = False
        model.compile("sgd", "sparse_categorical_crossentropy")
        before = [model.get_layer(each).get_weights() for each in names]

        def listen(event: Any) -> None:
            if isinstance(event, pellucid.train.FeaturesComputed):
                kept.append(event.layer)
            if isinstance(event, pellucid.train.FeaturesNotKept):
                told.append(event.text)

        history = model.fit(
            X, Y, 4, 3, verbose=0, callbacks=[listen], cache_features=cache, validation_data=(X, Y), doctor=False
        )
        results.append((model.parameters.vector, history["val_loss"]))
        for each, weights in zip(names, before, strict=True):
            for mine, theirs in zip(model.get_layer(each).get_weights(), weights, strict=True):
                np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(results[0][0], results[1][0])
    assert results[0][1] == results[1][1]
    assert set(kept) == ({end} if end else set())
    alone = {"beside": "'a' on", "several": "'right' on"}.get(name)
    assert told == (
        [] if alone is None else [f"frozen layers from {alone} run in every epoch: several values go on from them"]
    )
    frozen = frozen_nodes(model.graph)
    assert {"beside": 4, "block": 5, "several": 4}[name] == len(frozen)


def test_the_parts_of_a_graph() -> None:
    graph = residual().graph
    stem = graph.layers[0]
    assert graph.up_to(stem).layers == [stem]
    assert [number for number in range(len(graph.nodes)) if graph.cuts(number)] == [0, 3, 4, 7, 8, 9, 10]
    head, rest = graph.split(0)
    assert head.output_shape == rest.input_shape == (8, 6, 8)
    assert rest.output_shape == graph.output_shape == (4,)
    assert Graph.chain([], (3,)).output_shape == (3,)
    assert graph.readers()[INPUT] == [0]
