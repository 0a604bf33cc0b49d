"""Exact convolution, of one model or of all: no step by Winograd's algorithm, kept in files, and never stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import pellucid
from pellucid.errors import CheckpointError, ConfigError
from pellucid.files import tensor_file
from pellucid.layers import Conv2D, Dense, Flatten, MaxPool2D
from pellucid.model.inputs import make_examples
from pellucid.ops import native
from pellucid.plan import InferencePlan
from pellucid.train import training_plan
from pellucid.train.feeding import Feeder

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")
X = np.random.default_rng(0).normal(size=(12, 14, 14, 8)).astype(np.float32)
Y = np.arange(12) % 3


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    yield
    pellucid.set_exact_convolution(False)


def network(**options: bool) -> pellucid.Sequential:
    """Convolutions of every kind that Winograd's algorithm is chosen for."""
    model = pellucid.Sequential(
        [
            Conv2D(32, 3, padding="same", activation="relu", input_shape=X.shape[1:]),
            Conv2D(36, 3, padding="same", activation="tanh", name="second"),
            MaxPool2D(2),
            Conv2D(40, 5, padding="same"),
            Flatten(),
            Dense(3, activation="softmax"),
        ],
        **options,
    )
    model.compile("adam")
    return model


def algorithms(model: pellucid.Sequential) -> set[str]:
    """Of every step of training and prediction."""
    examples, _ = make_examples(model, X, Y, None, None)
    feed = Feeder(examples, 4).make_feed(model)
    plans = (
        InferencePlan(model.graph, model.parameters, capacity=4),
        training_plan(model, feed, seed=0, accuracy="categorical"),
    )
    steps = [step for plan in plans for step in plan.steps]
    return {native.conv2d_algorithm(step) for step in steps} - {"auto", "few_filters"}


def test_no_step_takes_winograds_algorithm() -> None:
    assert any(name.startswith("winograd") for name in algorithms(network()))
    assert algorithms(network(exact_convolution=True)) == {"direct"}
    pellucid.set_exact_convolution(True)
    assert algorithms(network()) == {"direct"}


def trained(model: pellucid.Sequential) -> bytes:
    model.fit(X, Y, batch_size=4, epochs=2, verbose=0)
    return model.get_weights()[0].tobytes()


def test_training_is_that_of_direct_convolution() -> None:
    with native.direct_convolution():
        expected = trained(network())
    assert trained(network(exact_convolution=True)) == expected != trained(network())
    pellucid.set_exact_convolution(True)
    assert trained(network()) == expected


def test_what_was_planned_before_is_not_used_again() -> None:
    model = network()
    fast = model.predict(X).tobytes()
    exact = network(exact_convolution=True).predict(X).tobytes()
    assert fast != exact
    model.exact_convolution = True
    assert model.predict(X).tobytes() == exact
    pellucid.set_exact_convolution(model, False)
    assert model.predict(X).tobytes() == fast
    pellucid.set_exact_convolution(True)
    assert model.predict(X).tobytes() == exact
    pellucid.set_exact_convolution(False)
    assert model.predict(X).tobytes() == fast
    pellucid.set_exact_convolution(model)
    assert model.predict(X).tobytes() == exact


def test_layers_called_by_themselves_follow_their_model() -> None:
    exact, fast = network(exact_convolution=True), network()
    layer, other = exact.get_layer("second"), fast.get_layer("second")
    x = np.random.default_rng(1).normal(size=(2, 14, 14, 32)).astype(np.float32)
    y, cache = layer.forward(x)
    dx, grads = layer.backward(y, cache)
    assert not np.array_equal(other.forward(x)[0], y)
    with native.direct_convolution():
        direct, _ = other.forward(x)
        direct_dx, direct_grads = other.backward(y, cache)
    np.testing.assert_array_equal(y, direct)
    np.testing.assert_array_equal(dx, direct_dx)
    np.testing.assert_array_equal(grads["dkernel"], direct_grads["dkernel"])


def test_files_keep_it_and_older_ones_load(tmp_path: Path) -> None:
    for exact in (True, False):
        network(exact_convolution=exact).save(tmp_path / "model.safetensors")
        assert pellucid.load(tmp_path / "model.safetensors").exact_convolution is exact
    tensors, facts = tensor_file.read(tmp_path / "model.safetensors")
    del facts["exact_convolution"]
    tensor_file.write(tmp_path / "old.safetensors", tensors, facts)
    assert pellucid.load(tmp_path / "old.safetensors").exact_convolution is False
    tensor_file.write(tmp_path / "wrong.safetensors", tensors, {**facts, "exact_convolution": "no"})
    with pytest.raises(CheckpointError, match="exact_convolution: expected true or false, got 'no'"):
        pellucid.load(tmp_path / "wrong.safetensors")


def test_a_training_goes_on_as_it_began(tmp_path: Path) -> None:
    network(exact_convolution=True).fit(X, Y, epochs=1, verbose=0, resume=tmp_path)
    with pytest.raises(ConfigError, match="has exact_convolution True, this one False"):
        network().fit(X, Y, epochs=2, verbose=0, resume=tmp_path)
    model, whole = network(exact_convolution=True), network(exact_convolution=True)
    model.fit(X, Y, epochs=2, verbose=0, resume=tmp_path)
    whole.fit(X, Y, epochs=2, verbose=0)
    assert [w.tobytes() for w in model.get_weights()] == [w.tobytes() for w in whole.get_weights()]


def test_on_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from pellucid.cli import main

    monkeypatch.setattr("pellucid.runs.run.draw", lambda *_: None)
    run, short = str(tmp_path / "run"), ["--limit", "40", "--test-limit", "10", "--quiet"]
    assert main(["train", *short, "--epochs", "1", "--exact-convolution", "--out", run]) == 0
    assert main(["train", "--resume", run, "--epochs", "2", "--quiet"]) == 0
    assert pellucid.load(run).exact_convolution
    assert pellucid.load(tmp_path / "run" / "last.safetensors").exact_convolution


@pytest.mark.parametrize("wrong", ["no", 2, None])
def test_anything_else_is_an_error(wrong: object) -> None:
    for ask in (
        lambda: pellucid.set_exact_convolution(wrong),
        lambda: pellucid.set_exact_convolution(network(), wrong),
        lambda: network(exact_convolution=wrong),
    ):
        with pytest.raises(ConfigError, match="exact_convolution must be True or False, got"):
            ask()
