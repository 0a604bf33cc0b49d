"""Networks with several inputs: they learn as Keras's do, take lists, dictionaries and batches, and go into files."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import keras as ours
from pellucid import layers
from pellucid.errors import ConfigError, DataError, PellucidError, ShapeError
from pellucid.export import write
from pellucid.keras.tensorflow import GradientTape, Variable

os.environ.setdefault("KERAS_BACKEND", "torch")

RNG = np.random.default_rng(0)
PICTURES, FACTS = RNG.random((40, 8, 6, 3), np.float32), RNG.random((40, 4), np.float32)
LABELS = (PICTURES.mean((1, 2, 3)) + FACTS[:, 0] > 1).astype(np.int64)
BOTH = [PICTURES, FACTS]
NAMED = {"facts": FACTS, "picture": PICTURES}


def network(of: Any) -> Any:
    """A picture and what is known of it besides."""
    picture, facts = of.Input((8, 6, 3), name="picture"), of.Input((4,), name="facts")
    x = of.layers.Flatten()(of.layers.Conv2D(4, 3, activation="relu")(picture))
    x = of.layers.Concatenate()([x, of.layers.Dense(3, activation="tanh")(facts)])
    return of.Model([picture, facts], of.layers.Dense(2, activation="softmax")(x))


@pytest.fixture
def model() -> Any:
    made = network(ours)
    made.compile(ours.optimizers.SGD(0.05), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return made


def test_it_learns_as_in_keras(model: Any) -> None:
    keras = pytest.importorskip("keras")
    theirs = network(keras)
    model.set_weights([weight.value.detach().numpy() for weight in theirs.weights])
    theirs.compile(keras.optimizers.SGD(0.05), "sparse_categorical_crossentropy")
    for name, x in (("list", BOTH), ("dictionary", NAMED)):
        model.fit(x, LABELS, batch_size=10, epochs=2, shuffle=False, verbose=0)
        for _ in range(2):
            for first in range(0, 40, 10):
                theirs.train_on_batch([each[first : first + 10] for each in BOTH], LABELS[first : first + 10])
        for mine, other in zip(model.weights, theirs.weights, strict=True):
            np.testing.assert_allclose(mine, other.value.detach().numpy(), atol=2e-5, err_msg=name)


def test_the_plan_agrees_with_the_layers_and_with_calls(model: Any) -> None:
    answers = model.predict(BOTH, verbose=0)
    np.testing.assert_array_equal(model.predict(NAMED, verbose=0), answers)
    np.testing.assert_allclose(model(BOTH), answers, atol=1e-6)
    np.testing.assert_allclose(pellucid.trace(model, BOTH, LABELS).outputs, answers, atol=1e-6)
    np.testing.assert_allclose(
        ours.Model(model.inputs, model.get_layer("flatten").output).predict(BOTH, verbose=0),
        model.get_layer("conv2d")(PICTURES).reshape(40, -1),
        atol=1e-6,
    )
    outer = [ours.Input((8, 6, 3)), ours.Input((4,))]
    np.testing.assert_allclose(ours.Model(outer, model(outer)).predict(BOTH, verbose=0), answers, atol=1e-6)
    again = ours.models.clone_model(model)
    again.set_weights(model.get_weights())
    np.testing.assert_allclose(again.predict(NAMED, verbose=0), answers, atol=1e-6)


def test_it_is_judged_and_trained_on_all_that_holds_examples(model: Any) -> None:
    kept = model.fit(BOTH, LABELS, epochs=1, verbose=0, validation_split=0.25)
    assert set(kept.history) >= {"loss", "accuracy", "val_loss", "val_accuracy"}
    given = model.fit(BOTH, LABELS, epochs=1, verbose=0, shuffle=False, validation_data=(NAMED, LABELS))
    assert given.history["val_loss"][0] == pytest.approx(model.evaluate(NAMED, LABELS, verbose=0)[0], rel=1e-6)
    assert model.test_on_batch(BOTH, LABELS)[0] == pytest.approx(model.evaluate(BOTH, LABELS, verbose=0)[0], rel=1e-6)
    assert model.predict_on_batch(NAMED).shape == (40, 2)

    def batches(x: Any) -> Any:
        while True:
            yield x, LABELS[:8]

    for x in ([each[:8] for each in BOTH], {name: each[:8] for name, each in NAMED.items()}):
        before = model.evaluate(x, LABELS[:8], verbose=0)[0]
        model.fit(batches(x), steps_per_epoch=5, epochs=1, verbose=0)
        assert model.evaluate(x, LABELS[:8], verbose=0)[0] < before
    assert len(model.train_on_batch(BOTH, LABELS)) == 2


@pytest.mark.parametrize("ending", ["safetensors", "keras", "h5", "onnx"])
def test_files_have_its_inputs_by_name(model: Any, ending: str, tmp_path: Path) -> None:
    path, answers = tmp_path / f"two.{ending}", model.predict(BOTH, verbose=0)
    model.save(path)
    if ending != "onnx":
        np.testing.assert_allclose(pellucid.load(path).predict(NAMED), answers, atol=1e-6)
        reread = ours.models.load_model(path)
        assert [one.name for one in reread.inputs] == ["picture", "facts"]
        np.testing.assert_allclose(reread(BOTH), answers, atol=1e-6)
    if ending in ("keras", "h5"):
        theirs = pytest.importorskip("keras").models.load_model(path, compile=False)
        assert [one.name for one in theirs.inputs] == ["picture", "facts"]
        np.testing.assert_allclose(theirs(BOTH).detach().numpy(), answers, atol=1e-6)
    if ending == "onnx":
        session = pytest.importorskip("onnxruntime").InferenceSession(path)
        np.testing.assert_allclose(session.run(None, NAMED)[0], answers, atol=1e-6)


def test_pytorchs_module_takes_them_in_order_and_a_tape_goes_back_to_each(model: Any, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    write(model, tmp_path / "two.py")
    scope: dict[str, Any] = {"__name__": "two", "__file__": str(tmp_path / "two.py")}
    exec((tmp_path / "two.py").read_text(), scope)
    picture, facts = torch.from_numpy(PICTURES.transpose(0, 3, 1, 2).copy()), torch.from_numpy(FACTS.copy())
    theirs = scope["load"]()(picture.requires_grad_(), facts.requires_grad_())
    np.testing.assert_allclose(theirs.detach().numpy(), model.predict(BOTH, verbose=0), atol=1e-6)
    theirs.square().sum().backward()
    given = [Variable(PICTURES), Variable(FACTS)]
    with GradientTape() as tape:
        total = ours.ops.sum(ours.ops.square(model(given)))
    mine = tape.gradient(total, given)
    np.testing.assert_allclose(mine[0], picture.grad.numpy().transpose(0, 2, 3, 1), atol=1e-6)
    np.testing.assert_allclose(mine[1], facts.grad.numpy(), atol=1e-6)


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of Keras's own
def test_keras_files_of_several_inputs_are_read(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    theirs = network(keras)
    one = keras.Input((4,), name="facts")
    keras.Model(one, keras.layers.Dense(2)(one)).save(tmp_path / "one.keras")
    assert pellucid.load(tmp_path / "one.keras").predict({"facts": FACTS}).shape == (40, 2)
    theirs.save(tmp_path / "theirs.keras")
    read = pellucid.load(tmp_path / "theirs.keras")
    np.testing.assert_allclose(read.predict(BOTH), theirs(BOTH).detach().numpy(), atol=1e-6)
    assert [one.name for one in ours.models.model_from_json(theirs.to_json()).inputs] == ["picture", "facts"]


def test_one_input_is_taken_under_its_name_alone(tmp_path: Path) -> None:
    model = ours.Model(facts := ours.Input((4,), name="facts"), ours.layers.Dense(2)(facts))
    model.save(tmp_path / "one.safetensors")
    for each in (model, ours.models.load_model(tmp_path / "one.safetensors"), ours.models.clone_model(model)):
        np.testing.assert_array_equal(each.predict({"facts": FACTS}, verbose=0), each.predict(FACTS, verbose=0))
        np.testing.assert_array_equal(each({"facts": FACTS}), each(FACTS))
        with pytest.raises(DataError, match="must be real numbers, got"):
            each.predict({"fact": FACTS}, verbose=0)


def test_bytes_are_scaled_as_pictures_are() -> None:
    a, b = pellucid.Input((8, 6, 1), name="a"), pellucid.Input((8, 6, 1), name="b")
    model = pellucid.Model([a, b], layers.Dense(2)(layers.Flatten()(layers.Subtract()([a, b]))))
    levels = RNG.integers(0, 256, (5, 8, 6, 1)).astype(np.uint8)
    floats = (levels / 255).astype(np.float32)
    np.testing.assert_allclose(model.predict([levels, floats]), model.predict([floats, levels]), atol=1e-6)
    assert np.abs(model.predict([levels, floats * 0])).max() > 0.01


@pytest.mark.parametrize(
    ("do", "error", "what"),
    [
        (lambda m: m.predict([PICTURES]), DataError, "an array for each of picture, facts, got 1"),
        (lambda m: m.predict({"picture": PICTURES, "fact": FACTS}), DataError, "got those of picture, fact"),
        (lambda m: m.predict([PICTURES, FACTS[:3]]), DataError, "'facts' has 3 examples"),
        (lambda m: m.predict(BOTH[::-1]), ShapeError, "'picture' takes pictures"),
        (lambda m: m(ours.Input((8, 6, 3))), ShapeError, r"takes \(N, 8, 6, 3\) and \(N, 4\)"),
        (lambda m: ours.Model(m.inputs[0], m.layers[4].output), ConfigError, "another Input"),
        (lambda m: ours.Model([m.inputs[0]] * 2, m.layers[2].output), ConfigError, "given twice"),
        (lambda m: ours.Model([ours.Input((None, 3)), *m.inputs], m.output), ConfigError, "axis of any size"),
    ],
)
def test_what_does_not_fit_is_said(model: Any, do: Any, error: type[PellucidError], what: str) -> None:
    with pytest.raises(error, match=what):
        do(model)


class Joined(ours.Model):
    """Its inputs come as a list, or as a dictionary."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right = ours.layers.Dense(3, activation="tanh"), ours.layers.Dense(3, activation="tanh")
        self.last = ours.layers.Dense(2, activation="softmax")

    def call(self, inputs: Any) -> Any:
        a, b = (inputs["a"], inputs["b"]) if isinstance(inputs, dict) else inputs
        return self.last(ours.layers.concatenate([self.left(a), self.right(b)]))


@pytest.mark.parametrize("x", [[FACTS, FACTS[:, :3]], {"b": FACTS[:, :3], "a": FACTS}], ids=["list", "dictionary"])
def test_a_class_of_ones_own_takes_them(x: Any) -> None:
    model = Joined()
    model.compile("adam", "sparse_categorical_crossentropy")
    history = model.fit(x, LABELS, epochs=2, verbose=0)
    assert history.history["loss"][1] < history.history["loss"][0]
    assert model.left.kernel.shape == (4, 3) and model.right.kernel.shape == (3, 3)
    np.testing.assert_allclose(model(x), model.predict(x, verbose=0), atol=1e-6)


def test_inputs_of_two_models_are_those_of_a_third() -> None:
    row = ours.Sequential([ours.layers.Dense(3, input_dim=4, activation="relu")])
    entry = ours.Input((8, 6, 3))
    maps = ours.Model(entry, ours.layers.GlobalAveragePooling2D()(ours.layers.Conv2D(4, 3)(entry)))
    joined = ours.layers.concatenate([row.output, maps.output])
    model = ours.Model([row.input, maps.input], ours.layers.Dense(1)(joined))
    model.compile("adam", "mse")
    model.fit([FACTS, PICTURES], LABELS.astype(np.float32), epochs=1, verbose=0)
    expected = np.concatenate([row.predict(FACTS, verbose=0), maps.predict(PICTURES, verbose=0)], 1)
    found = model.predict([FACTS, PICTURES], verbose=0)
    kernel, bias = (np.asarray(array) for array in model.layers[-1].get_weights())
    np.testing.assert_allclose(found, expected @ kernel + bias, atol=1e-5)
