"""Models, results and data sets through pickle, copy and other processes; and how they say what they are."""

from __future__ import annotations

import copy
import io
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import BatchNorm, Conv2D, Dense, Flatten, Input, Layer, MaxPool2D, Sequential, losses, optimizers
from pellucid.errors import CheckpointError, ConfigError
from pellucid.train import EarlyStopping

X = np.random.default_rng(0).integers(0, 256, (12, 6, 6, 1), np.uint8)
WORDS = ["cat", "dog", "owl"] * 4


class Twice(Layer):
    """A layer of one's own."""

    def forward(self, x, *, training=False, key=None):
        return 2 * x, None

    def backward(self, dy, cache, *, need_dx=True):
        return 2 * dy, {}


class Named(Sequential):
    """A model of one's own, which remembers something."""

    note = "none"


def network(*more: Layer, cls: type[Sequential] = Sequential) -> Sequential:
    layers = [
        Conv2D(3, 3, kernel_initializer=lambda shape, rng: rng.random(shape)),
        BatchNorm(),
        MaxPool2D(),
        Flatten(),
    ]
    model = cls([Input((6, 6, 1)), *layers, *more, Dense(3, "softmax")], name="net", seed=3)
    model.compile(optimizers.Adam(0.01), losses.CategoricalCrossentropy(label_smoothing=0.1))
    model.fit(X, WORDS, verbose=0, doctor=False, validation_split=0.25)
    return model


def through_pickle(thing: Any) -> Any:
    return pickle.loads(pickle.dumps(thing))


def through_joblib(thing: Any) -> Any:
    joblib = pytest.importorskip("joblib")
    file = io.BytesIO()
    joblib.dump(thing, file)
    return joblib.load(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("way", [through_pickle, through_joblib, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("make", [network, lambda: network(Twice()), lambda: network(cls=Named)])
def test_a_model_comes_back_whole(way: Callable[[Any], Any], make: Callable[[], Sequential]) -> None:
    model = make()
    expected = model.predict(X)
    again = way(model)
    assert type(again) is type(model) and again.class_names == ("cat", "dog", "owl") and again.seed == 3
    assert again.compiled_config() == model.compiled_config() and repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict(X), expected)
    again.fit(X, WORDS, verbose=0, doctor=False)  # layers and buffers of its own
    np.testing.assert_array_equal(model.predict(X), expected)
    assert (again.predict(X) != expected).any()


@pytest.mark.parametrize("way", [through_pickle, through_joblib, copy.copy, copy.deepcopy])
@pytest.mark.parametrize("frozen", [False, True])
def test_training_goes_on_alike_in_a_copy(way: Callable[[Any], Any], frozen: bool) -> None:
    """To the same bits: the moments of Adam, its steps and the order of the epochs come along."""
    model = network()
    if frozen:
        model.layers[1].trainable = False
        model.fit(X, WORDS, verbose=0, doctor=False)
    again = way(model)
    for one in (model, again):
        one.fit(X, WORDS, verbose=0, doctor=False, epochs=2, batch_size=5)
    assert (
        again.optimizer_state.num_epochs == model.optimizer_state.num_epochs
        and again.optimizer_state.step == model.optimizer_state.step
    )
    assert all(map(np.array_equal, model.get_weights(), again.get_weights()))


def test_a_pickled_model_is_its_file(tmp_path: Path) -> None:
    model = network()
    model.save(tmp_path / "m.safetensors")
    assert (tmp_path / "m.safetensors").read_bytes() in pickle.dumps(model)


def test_what_a_model_of_ones_own_remembers_comes_along() -> None:
    model = network(cls=Named)
    model.note = "mine"
    assert through_pickle(model).note == copy.deepcopy(model).note == "mine"


def test_what_cannot_be_pickled_says_why() -> None:
    class Inner(Twice):
        pass

    with pytest.raises(ConfigError, match="define Inner at the top of a module"):
        pickle.dumps(network(Inner()))
    with pytest.raises(ConfigError, match="does not know its input's shape"):
        pickle.dumps(Sequential([Dense(3)]))
    data = bytearray(pickle.dumps(network()))
    data[len(data) // 2] ^= 1
    with pytest.raises(CheckpointError, match=r"a pickled model|a model's bytes"):
        pickle.loads(bytes(data))


def answers(model: Sequential) -> list[Any]:
    return model.predict(X).tolist()


def test_a_model_goes_to_another_process() -> None:
    model = network()
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(answers, [model]) == answers(model)


def things() -> dict[str, Any]:
    model = network()
    digits = pellucid.datasets.load("digits")
    seen = pellucid.trace(model, X[:2], [0, 1])
    return {
        "model": model,
        "unbuilt": Sequential([Dense(3)]),
        "layer": model.layers[0],
        "weights": model.layers[0].params,
        "layers": model.layers,
        "optimizer": model.optimizer,
        "momentum": optimizers.SGD(pellucid.schedules.Cosine(0.1, 5), momentum=0.9),
        "loss": model.loss,
        "history": model.fit(X, WORDS, epochs=3, verbose=0),
        "evaluation": model.evaluate(X, WORDS, verbose=0),
        "data set": digits,
        "split": digits.train,
        "trace": seen,
        "step": seen[0],
        "calibration": pellucid.metrics.calibration([0, 1], [[0.2, 0.8], [0.7, 0.3]]),
        "features": pellucid.visualise.feature_maps(model, X[0]),
        "histogram": pellucid.visualise.layer_histograms(seen)["conv2d"],
        "summary": model.outline(),
        "memory": model.memory(),
        "early stopping": EarlyStopping(patience=3),
        "initializer": model.layers[0].kernel_initializer,
        "preprocessing": model.preprocessing,
        "frozen": pellucid.transfer.frozen(model),
        "check": pellucid.check_gradients(Dense(2), (3,)),
    }


def test_everything_says_what_it_is_on_one_line() -> None:
    for name, thing in things().items():
        text = repr(thing)
        assert " at 0x" not in text and (len(text) < 600 or name == "summary"), f"{name}: {text[:700]}"
        assert "\n" not in text or name in ("summary", "memory", "check"), f"{name}: {text}"
    shown = things()
    assert repr(shown["model"]) == "<Sequential 'net': 5 layers, (6, 6, 1) -> 3, 81 parameters>"
    assert repr(shown["unbuilt"]) == "<Sequential 'sequential': 1 layer, not built>"
    assert repr(shown["data set"]).startswith(
        "<Dataset 'digits': 1,437 pictures to learn from and 360 to judge by, 8x8x1"
    )


@pytest.mark.parametrize("name", ["history", "evaluation", "data set", "split", "optimizer", "momentum", "loss",
                                  "calibration", "trace", "early stopping", "layers", "summary", "check"])  # fmt: skip
def test_results_come_back_from_a_pickle(name: str) -> None:
    thing = things()[name]
    assert repr(through_pickle(thing)) == repr(thing)
    assert repr(copy.deepcopy(thing)) == repr(thing)


ENDINGS = [".hdf5", ".HDF5", ".pt", ".ckpt", ".pkl", ".joblib", ".npz", ".bin", ".tflite", ".v2"]


@pytest.mark.parametrize("ending", ENDINGS)
def test_no_model_is_written_under_another_formats_name(ending: str, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=rf"written as a \.safetensors file.*say m(\{ending})?\.safetensors"):
        network().save(tmp_path / f"m{ending}")
    assert not os.listdir(tmp_path)


def test_names_without_an_ending_are_taken(tmp_path: Path) -> None:
    model = network()
    for name in ("m", "n.safetensors", "o.SAFETENSORS"):
        model.save(str(tmp_path / name))
        np.testing.assert_array_equal(pellucid.load(str(tmp_path / name)).predict(X), model.predict(X))


FOREIGN = {
    "m.pt": (b"PK\x03\x04" + b"0" * 60, "a zip archive, as Keras"),
    "m.pkl": (pickle.dumps([1, 2, 3]), "a pickle"),
    "m.npy": (b"\x93NUMPY" + b"0" * 60, "an array of NumPy"),
    "m.png": (b"\x89PNG\r\n\x1a\n" + b"0" * 60, "a picture"),
    "m.html": (b"<!doctype html>" + b" " * 60, "a web page"),
    "m.tflite": (b"\x1c\x00\x00\x00TFL3" + b"0" * 60, "its name says TensorFlow's format"),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_programs_file_is_called_what_it_is(name: str, tmp_path: Path) -> None:
    data, what = FOREIGN[name]
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CheckpointError, match=rf"is .*{what}.*no model of Pellucid.*pellucid import") as caught:
        pellucid.load(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_figures_show_themselves_in_a_notebook() -> None:
    formatters = pytest.importorskip("IPython.core.formatters")
    from pellucid.visualise import architecture_figure, filters_figure

    model = network()
    for figure in (filters_figure(model.layers[0].params["kernel"]), architecture_figure(model)):
        data, about = formatters.DisplayFormatter().format(figure)
        assert data["image/png"].startswith(b"\x89PNG") and 50 < about["image/png"]["width"] < 2000
    assert formatters.DisplayFormatter().format(pellucid.datasets.load("digits"))[0].keys() == {"text/plain"}


@pytest.mark.parametrize("call", [
    "from pellucid.visualise import filters_figure, write_figure; write_figure(filters_figure(k), Path('f.png'))",
    "from pellucid.visualise import architecture_figure as f, write_figure; write_figure(f(m), Path('f.svg'))",
    "from pellucid.cli import main; sys.exit(main(['show', 'filters', 'simple-convnet', '--out', 'f.png']))",
])  # fmt: skip
def test_a_backend_nobody_knows_does_not_keep_a_figure_from_being_drawn(call: str, tmp_path: Path) -> None:
    code = f"""
import sys
import numpy as np
from pathlib import Path
from pellucid import zoo
m = zoo.simple_convnet((8, 8, 1), 10, pad=2)
k = m.layers[0].params["kernel"]
{call}
"""
    environment = {**os.environ, "MPLBACKEND": "bogus"}
    done = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert len(os.listdir(tmp_path)) == 1
