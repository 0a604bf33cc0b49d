"""What a network takes in memory: said before it runs, true when it runs, and shared where nobody reads it again."""

from __future__ import annotations

import ctypes
import gc
import json
import os
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest

from pellucid import layers as L
from pellucid import zoo
from pellucid.errors import ConfigError
from pellucid.model import Sequential
from pellucid.ops import memory, native
from pellucid.plan import InferencePlan

MB = 2**20
RNG = np.random.default_rng(5)

# Prints what the process grew by, from before the model was built to the highest point of three steps, and what the
# model said it would. Building it has a peak of its own (the largest kernel twice), which is over by then.
MEASURED = """
import json, sys
from pathlib import Path
import numpy as np
from pellucid import zoo

network, work, batch = sys.argv[1], sys.argv[2], int(sys.argv[3])

def resident(name):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(name))

def run(network, count, batch):
    model = zoo.build(network)
    model.compile("adam")
    told = model.memory(batch).to_json()["training" if work == "train" else "inference"]["total"]
    Path("/proc/self/clear_refs").write_text("5")
    if work == "train":
        model.fit(x[network][:count], y[:count], batch_size=batch, epochs=1, verbose=0)
    else:
        model.predict(x[network][:count], batch_size=batch)
    return told

x = {name: np.ones((batch, *zoo.build(name).input_shape), np.uint8) for name in (network, "simple-convnet")}
y = np.arange(batch) % 10
run("simple-convnet", 2, 2)
before = resident("VmRSS")
told = run(network, batch, batch)
print(json.dumps([told, resident("VmHWM") - before]))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="reads Linux's account of resident pages")
@pytest.mark.skipif(not native.available, reason="without kernels NumPy's own arrays come on top")
@pytest.mark.parametrize("work", ["train", "infer"])
@pytest.mark.parametrize(
    ("network", "batch"), [("simple-convnet", 500), ("lenet5", 1000), ("cifar-net", 128), ("alexnet", 2)]
)
def test_the_process_grows_by_what_was_said(network: str, work: str, batch: int) -> None:
    """At best of three processes: how many pages of 2 MB the system gives for less is chance, and differs by 5 MB.

    With one thread: what each of them takes besides, up to 4 MB, is not counted.
    """
    command = [sys.executable, "-c", MEASURED, network, work, str(batch)]
    alone = {**os.environ, "PELLUCID_NUM_THREADS": "1"}
    for _ in range(3):
        told, grown = json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=alone).stdout)
        if abs(told - grown) <= max(0.1 * grown, 8 * MB):
            break
    assert abs(told - grown) <= max(0.1 * grown, 8 * MB), f"said {told / MB:.1f} MB, took {grown / MB:.1f} MB"


BUILT = """
from pathlib import Path
from pellucid import zoo

def resident():
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

zoo.build("simple-convnet").parameters
before = resident()
parameters = zoo.build("resnet18").parameters
print(parameters.vector.nbytes, resident() - before)
"""


@pytest.mark.skipif(not hasattr(ctypes.pythonapi, "malloc_trim"), reason="the C library is not glibc")
def test_building_a_network_leaves_its_parameters_alone_in_memory() -> None:
    """The arrays that layers began with are not kept by the allocator: with them it was 7 MB more."""
    parameters, grown = map(
        int, subprocess.run([sys.executable, "-c", BUILT], capture_output=True, check=True).stdout.split()
    )
    assert parameters <= grown <= parameters + 3 * MB


class Doubled(L.Layer):
    """A layer of somebody's own."""

    def output_shape(self, input_shape: tuple[int, ...]) -> tuple[int, ...]:
        return input_shape

    def forward(self, x: np.ndarray, *, training: bool = False, key: object = None) -> tuple[np.ndarray, None]:
        return 2 * x, None


def everything() -> Sequential:
    """A network in which every way of making an output follows every other."""
    return Sequential(
        [
            L.Input((12, 10, 3)),
            L.ReLU(),
            L.Conv2D(8, 3, padding="same", activation="sigmoid"),
            L.Tanh(),
            L.LocalResponseNorm(3, alpha=0.1),
            L.MaxPool2D(2, strides=1),
            L.LocalResponseNorm(5, alpha=0.2),
            Doubled(),
            L.Conv2D(4, 3, padding=1),
            L.BatchNorm(),
            L.ReLU(),
            L.MaxPool2D(2),
            Doubled(),
            L.Softmax(),
            L.Flatten(),
            L.Dropout(0.5),
            L.Dense(9, activation="softmax"),
            L.Dense(7, activation="softmax"),
            L.Dense(5),
            L.Softmax(),
        ]
    )


def test_outputs_in_turn_are_those_of_the_layers() -> None:
    model = everything()
    plan = InferencePlan(model.graph, model.parameters, capacity=6)
    for n in (6, 2, 5):
        x = RNG.normal(size=(n, 12, 10, 3)).astype(np.float32)
        plan.inputs[:n] = x
        np.testing.assert_allclose(plan.run(n)[0], model(x), rtol=1e-4, atol=1e-6)
        np.testing.assert_array_equal(plan.inputs[:n], x)


def test_inference_keeps_two_outputs_however_deep_the_network() -> None:
    def planned(depth: int) -> int:
        model = Sequential([L.Input((16, 16, 8)), *(L.Conv2D(8, 1, activation="relu") for _ in range(depth))])
        return model.memory(10).inference.buffers

    one = 10 * 16 * 16 * 8 * 4
    assert planned(2) == planned(9) == 3 * one  # with the input


def test_a_kept_record_is_only_made_where_it_is_read() -> None:
    model = Sequential([L.Input((16, 16, 8)), *(L.LocalResponseNorm() for _ in range(4))])
    one = 10 * 16 * 16 * 8 * 4
    assert model.memory(10).inference.buffers == 4 * one


def test_summary_tells_memory(capsys: pytest.CaptureFixture[str]) -> None:
    model = zoo.simple_convnet()
    model.compile("sgd")
    memory = model.memory(100)
    assert memory.training is not None and memory.training.moments == 0
    assert memory.training.parameters == memory.training.gradients == model.parameters.vector.nbytes
    model.summary(batch_size=100)
    printed = capsys.readouterr().out.splitlines()
    assert any("batches of 100" in line and "SGD" in line for line in printed) and max(map(len, printed)) <= 80
    told = model.summary_data(100)["memory"]
    assert told["training"]["total"] == memory.training.total and told["batch_size"] == 100
    for layer in model.layers:
        layer.trainable = False
    assert model.memory(100).training is None and "train" not in str(model.memory(100))
    with pytest.raises(ConfigError, match="batch_size"):
        model.memory(0)


def test_telling_changes_nothing() -> None:
    model = everything()
    model.memory(4)  # lays the parameters out
    before, version = model.get_weights(), model.version
    model.memory(4)
    assert model.version == version
    for mine, given in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(mine, given)


@pytest.mark.parametrize("work", ["predict", "fit", "outputs"])
def test_more_than_is_free_is_refused_before_the_system_kills(work: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = Sequential([L.Conv2D(64, 3, padding="same", input_shape=(32, 32, 3)), L.GlobalAvgPool2D(), L.Dense(2)])
    model.compile("adam", "mse")
    pictures, targets = np.zeros((64, 32, 32, 3), np.float32), np.zeros((64, 2), np.float32)
    before = model.predict(pictures)
    monkeypatch.setattr(memory, "_FREELY", 0)
    monkeypatch.setattr(memory, "free_bytes", lambda: MB)
    model._predictor.forget()
    with pytest.raises(MemoryError, match=r"takes .* GB, .* GB are free; take smaller pictures or batches"):
        if work == "predict":
            model.predict(pictures, batch_size=64)
        elif work == "fit":
            model.fit(pictures, targets, batch_size=64, verbose=0)
        else:
            memory.aligned_empty((600, 600))
    monkeypatch.undo()
    assert np.array_equal(model.predict(pictures), before), "the model is as it was"


def test_what_nobody_has_any_more_is_freed_before_much_is_handed_out(monkeypatch: pytest.MonkeyPatch) -> None:
    class Holder:
        """Held by itself, so that only Python's collector frees it."""

        def __init__(self) -> None:
            self.array, self.itself = memory.aligned_empty((100, 1000)), self

    gc.disable()
    try:
        monkeypatch.setattr(memory, "_UNCOLLECTED", 10 * MB)
        memory._collect(10 * MB)
        held = weakref.ref(Holder().array)
        assert held() is not None
        for _ in range(30):
            memory.aligned_empty((100, 1000))
        assert held() is None
        held = weakref.ref(Holder().array)
        monkeypatch.setattr(memory, "_FREELY", 0)
        monkeypatch.setattr(memory, "free_bytes", lambda: 0)
        with pytest.raises(MemoryError):
            memory.expect_memory(1, "it")
        assert held() is None, "looked for before anything is refused"
    finally:
        gc.enable()
