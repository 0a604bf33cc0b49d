"""Networks written as .keras files: Keras 3 loads them and answers alike, and so do ours that read them back."""

from __future__ import annotations

import os
import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from commands import Command

os.environ.setdefault("KERAS_BACKEND", "torch")
keras = pytest.importorskip("keras", reason="Keras is not installed")
pytest.importorskip("h5py", reason="h5py is not installed")

import pellucid  # noqa: E402  # after the backend was chosen
from pellucid import ConfigError, layers, zoo  # noqa: E402
from pellucid.convert.keras_layers import BY_OURS  # noqa: E402
from pellucid.datasets.transforms import Preprocessing  # noqa: E402
from pellucid.export import write  # noqa: E402
from pellucid.layers.activation import ACTIVATIONS  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # PyTorch and NumPy 2

RNG = np.random.default_rng(5)
NEEDED = {
    "filters": 4, "kernel_size": 3, "units": 5, "rate": 0.25, "stddev": 0.5, "activation": "gelu", "dims": (2, 1),
    "target_shape": (2, -1), "height": 4, "width": 5, "groups": 2, "mean": 0.5, "variance": 2.0,
    "axes": -1, "n": 3, "keepdims": True, "output_size": 3,
    "factor": 0.2, "height_factor": (-0.1, 0.3), "width_factor": 0.1,
    "num_heads": 2, "key_dim": 3, "equation": "abc,cd->abd", "output_shape": 4,
}  # fmt: skip


def filled(model: pellucid.Model) -> pellucid.Model:
    """With weights that are neither zero nor one anywhere."""
    for layer in model.layers:
        if layer.weights:
            layer.set_weights([array + RNG.uniform(0.1, 0.4, array.shape) for array in layer.get_weights()])
    return model


OF_OURS = {
    False: [
        *(layers.LocalResponseNorm(4, 0.2, 0.6, 1.5), layers.Activation("gelu_tanh"), layers.Padding2D((1, 2), "edge")),
        *(
            layers.Padding2D(((2, 0), (1, 3)), "reflect"),
            layers.MaxPool2D(3, padding=1),
            layers.AvgPool2D(2, padding=1),
        ),
        layers.AvgPool2D((3, 2), ceil_mode=True, padding=((1, 0), (0, 1)), count_include_pad=True),
        *(layers.AvgPool2D(3, 2, ceil_mode=True), layers.MaxPool2D((2, 3), 2, "same", ceil_mode=True)),
    ],
    True: [layers.MaxPool1D(3, padding=(0, 2)), layers.AvgPool1D(3, 1, padding=1), layers.Conv1D(2, 3, padding=(2, 1))],
}
"""What Keras has not: it is registered there, by the module beside the file."""


def of_every_layer(*, series: bool) -> pellucid.Model:
    """A network that answers with what every layer that has a row gives, of maps or of series."""
    inputs = pellucid.Input((8, 4) if series else (7, 6, 4))
    two = [layers.Activation("tanh")(inputs), layers.Activation("relu")(inputs)]
    answers = []
    of_series = layers.Permute, layers.TimeDistributed, layers.EinsumDense
    for cls in BY_OURS:
        if cls is layers.Embedding:  # which reads whole numbers
            continue
        if ("1D" in cls.__name__ or cls in of_series or cls.role in ("recurrent", "attention", "mask")) == series:
            needed = {**NEEDED, "scale": 0.5} if cls is layers.Rescaling else NEEDED
            needed |= {"layer": layers.Dense(3) if cls is layers.TimeDistributed else layers.GRU(3)}
            layer = cls(**{name: value for name, value in needed.items() if name in BY_OURS[cls].arguments})
            rows = layers.Flatten()(inputs) if cls is layers.RepeatVector else inputs
            answers.append(layer(two if layer.merges and cls.role != "recurrent" else rows))
    answers += [layer(inputs) for layer in OF_OURS[series]]
    return filled(pellucid.Model(inputs, answers))


def in_keras(path: Path) -> Any:
    """What Keras loads, with the module beside the file where there is one."""
    if (path.parent / "pellucid_layers.py").exists():
        runpy.run_path(str(path.parent / "pellucid_layers.py"))
    return keras.models.load_model(path)


def agree(model: pellucid.Model, folder: Path, pictures: Any = None, ending: str = "keras") -> Any:
    """Keras's model of what is written, after its answers were compared, and those of ours that is read back."""
    x = RNG.normal(size=(2, *model.input_shape)).astype(np.float32) if pictures is None else pictures
    if pictures is None:
        model.trained_on = {"range": [-2.0, 2.0]}
    path = folder / f"model.{ending}"
    write(model, path)
    theirs = in_keras(path)
    expected = model.predict(x)
    answers = theirs(x.astype(np.float32), training=False)
    several = isinstance(expected, list)
    answers = [each.detach().numpy() for each in (answers if several else [answers])]
    again = pellucid.load(path).predict(x)
    for found in (answers, again if several else [again]):
        for ours, other in zip(expected if several else [expected], found, strict=True):
            np.testing.assert_allclose(other, ours, rtol=1e-5, atol=1e-5)
    return theirs


@pytest.mark.parametrize(("series", "ending"), [(False, "keras"), (True, "h5")])
def test_every_layer_with_a_row_answers_in_keras(series: bool, ending: str, tmp_path: Path) -> None:
    agree(of_every_layer(series=series), tmp_path, ending=ending)


def test_every_activation_answers_in_keras(tmp_path: Path) -> None:
    inputs, names = pellucid.Input((5, 4)), [name for name in ACTIVATIONS if name != "sparsemax"]
    agree(pellucid.Model(inputs, [layers.Activation(name)(inputs) for name in names]), tmp_path)


def padded() -> pellucid.Model:
    """Padding that Keras has not, before convolutions and behind a ReLU before pooling."""
    inputs = pellucid.Input((12, 11, 3))
    x = layers.Conv2D(4, 3, strides=2, padding=((0, 2), (1, 1)), activation="relu")(inputs)
    x = layers.MaxPool2D(3, strides=2, padding=1)(layers.Dropout(0.2)(x))
    y = layers.Conv2D(4, 3, padding=1, dilation_rate=1)(x)
    y = layers.AvgPool2D(3, strides=1, padding=1, count_include_pad=True)(y)
    y = layers.Add()([x, layers.Conv2D(4, 1)(y)])
    x = layers.Conv2DTranspose(3, 3, strides=2, padding=1)(y)
    return pellucid.Model(inputs, layers.Padding2D(1)(layers.Multiply()([x, layers.GlobalAvgPool2D()(x)])))


def networks() -> dict[str, Callable[[], pellucid.Model]]:
    return {
        "padding": padded,
        "lenet5-published": lambda: zoo.build("lenet5-published"),
        "alexnet": lambda: zoo.build("alexnet", input_shape=(67, 67, 3), options={"dense_units": 16}),
        "squeezenet1_1": lambda: zoo.build("squeezenet1_1", input_shape=(40, 40, 3)),
        "photo-net": lambda: zoo.build("photo-net", input_shape=(16, 16, 3), classes=3),
    }


@pytest.mark.parametrize("name", networks())
def test_networks_answer_in_keras_for_pixels(name: str, tmp_path: Path) -> None:
    model = networks()[name]()
    pictures = RNG.integers(0, 256, (2, *model.input_shape)).astype(np.uint8)
    agree(model, tmp_path, pictures)


def test_the_older_form_says_the_same(tmp_path: Path) -> None:
    model = filled(padded())
    model.compile("adam", "mse")
    theirs = agree(model, tmp_path, ending="h5")
    assert (
        type(theirs.optimizer).__name__ == "Adam" and pellucid.load(tmp_path / "model.h5").compiled_config() is not None
    )


def test_scaling_is_a_layer_and_names_of_classes_go_along(tmp_path: Path) -> None:
    model = pellucid.Sequential([layers.Input((4, 4, 3)), layers.Flatten(), layers.Dense(2, name="head")], name="own")
    model.preprocessing = Preprocessing(mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    model.class_names = ("cat", "dog")
    model.save(tmp_path / "own.keras")
    theirs = keras.models.load_model(tmp_path / "own.keras")
    assert [type(layer).__name__ for layer in theirs.layers] == ["Rescaling", "Flatten", "Dense"]
    assert theirs.name == "own"
    again = pellucid.load(tmp_path / "own.keras")
    assert again.class_names == ("cat", "dog")
    pictures = RNG.integers(0, 256, (2, 4, 4, 3)).astype(np.uint8)
    np.testing.assert_allclose(again.predict(pictures), model.predict(pictures), rtol=1e-5)


@pytest.mark.filterwarnings("ignore:Skipping variable loading for optimizer:UserWarning")  # its moments are not there
@pytest.mark.parametrize("activation", [None, "softmax"])
@pytest.mark.parametrize(
    "optimizer",
    [
        pellucid.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
        pellucid.optimizers.Adam(pellucid.schedules.ExponentialDecay(0.1, 10, 0.5)),
    ],
    ids=["sgd", "schedule"],
)
def test_what_it_was_compiled_with_goes_along(activation: str | None, optimizer: Any, tmp_path: Path) -> None:
    model = pellucid.Sequential([layers.Flatten(input_shape=(3, 3, 1)), layers.Dense(4, activation=activation)], seed=1)
    model.compile(optimizer, pellucid.losses.CategoricalCrossentropy(label_smoothing=0.2), metrics=["accuracy"])
    rng = np.random.default_rng(0)
    x, y = rng.random((24, 3, 3, 1), dtype=np.float32), np.eye(4, dtype=np.float32)[rng.integers(0, 4, 24)]
    model.fit(x, y, verbose=0)
    model.save(tmp_path / "net.keras")
    wanted = list(model.evaluate(x, y, verbose=0))
    again, theirs = pellucid.load(tmp_path / "net.keras"), keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_allclose(list(again.evaluate(x, y, verbose=0)), wanted, rtol=1e-6)
    np.testing.assert_allclose(theirs.evaluate(x, y, verbose=0), wanted, rtol=1e-5)
    assert again.compiled_config()["optimizer"] == model.compiled_config()["optimizer"]
    assert type(theirs.optimizer).__name__ == type(model.optimizer).__name__


def test_the_same_model_gives_the_same_bytes(tmp_path: Path) -> None:
    model = pellucid.Sequential([layers.Input((4,)), layers.Dense(2)])
    for name in ("a.keras", "b.keras"):
        model.save(tmp_path / name)
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


def test_what_keras_calculates_otherwise_is_refused(tmp_path: Path) -> None:
    model = pellucid.Sequential([layers.Input((4,)), layers.Activation("sparsemax")])
    with pytest.raises(ConfigError, match="sums to 1 here"):
        write(model, tmp_path / "m.keras")


def test_a_layer_of_ones_own_is_named(tmp_path: Path) -> None:
    class Own(layers.ReLU):
        pass

    with pytest.raises(ConfigError, match=r"'own' \(Own\) is a layer of your own, which Keras has not"):
        write(pellucid.Sequential([layers.Input((8, 8, 3)), Own(name="own")]), tmp_path / "m.keras")
    assert not os.listdir(tmp_path)


def test_what_keras_trained_on_and_wrote_again_comes_back(tmp_path: Path, command: Command) -> None:
    """Ours in Keras's words, its layers of ours too; the module is written for a file that needs it alone."""
    model = pellucid.Sequential(
        [layers.Input((9, 9, 3)), layers.Conv2D(4, 3, activation="gelu_tanh"), layers.LocalResponseNorm(3, 0.5)]
    )
    model.save(tmp_path / "own.safetensors")
    status, said, err = command("export", tmp_path / "own.safetensors", "--out", tmp_path / "own.keras")
    assert status == 0 and "pellucid_layers.py" in said and "import pellucid_layers" in err
    theirs = in_keras(tmp_path / "own.keras")
    theirs.set_weights([weight * 1.5 for weight in theirs.get_weights()])
    pictures = RNG.integers(0, 256, (2, 9, 9, 3)).astype(np.uint8)
    expected = np.asarray(theirs(pictures.astype(np.float32)).detach())
    for ending in ("keras", "h5"):
        theirs.save(tmp_path / f"again.{ending}")
        np.testing.assert_allclose(pellucid.load(tmp_path / f"again.{ending}").predict(pictures), expected, atol=1e-5)
    (tmp_path / "plain").mkdir()
    pellucid.Sequential([layers.Input((4,)), layers.Dense(2)]).save(tmp_path / "plain" / "plain.keras")
    assert os.listdir(tmp_path / "plain") == ["plain.keras"]
