"""Networks in use, a few pictures at a time: the bits of whole batches, and which parts take how many."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest

from pellucid import layers as L
from pellucid import zoo
from pellucid.errors import BackendError
from pellucid.model import Model, Sequential
from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.plan import InferencePlan, sub_batches
from pellucid.plan.plans import _context
from pellucid.plan.sub_batches import Part, parts_of

CAPACITY = 7
SMALL_CACHE = 30_000
"""Bytes with which the networks here are cut."""

pytestmark = pytest.mark.skipif(not native.available, reason="the kernels are not built")


class Doubled(L.Layer):
    """A layer that runs in Python."""

    def forward(self, x: Array, *, training: bool = False, key: object = None) -> tuple[Array, object]:
        return 2 * x, None


def _two_answers() -> Model:
    inputs = L.Input((16, 14, 3))
    x = L.Conv2D(8, 3, padding="same", activation="relu")(inputs)
    y = L.Conv2D(8, 3, 2, padding="same")(x)
    return Model(inputs, [L.GlobalAvgPool2D()(x), L.Dense(4)(L.Flatten()(L.ReLU()(y)))])


def _with_python() -> Sequential:
    rows = [L.Conv2D(8, 3), L.ReLU(), L.Conv2D(8, 3), Doubled(), L.Conv2D(4, 3, 2), L.GlobalAvgPool2D(), L.Dense(3)]
    return Sequential([L.Input((16, 14, 3)), *rows])


NETWORKS: dict[str, Callable[[], Model | Sequential]] = {
    "resnet20": partial(zoo.resnet20, (16, 12, 3), filters=4),
    "mobilenet_v2": partial(zoo.mobilenet_v2, (32, 32, 3), 5, width=0.25),
    "two_answers": _two_answers,
    "with_python": _with_python,
}


def _parts(model: Model | Sequential, capacity: int) -> list[Part]:
    pictures = np.empty((capacity, *model.graph.input_shape), np.float32)
    return parts_of(model.graph, pictures, partial(_context, model.graph, model.parameters, capacity))


def _answers(model: Model | Sequential, x: Array) -> list[Array]:
    plan = InferencePlan(model.graph, model.parameters, capacity=CAPACITY)
    plan.inputs[: len(x)] = x
    return [answer.copy() for answer in plan.run(len(x))]


@pytest.mark.parametrize("name", NETWORKS)
def test_a_few_at_a_time_give_the_bits_of_whole_batches(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = NETWORKS[name]()
    x = np.random.default_rng(0).normal(size=(CAPACITY, *model.graph.input_shape)).astype(np.float32)
    wanted = _answers(model, x)
    monkeypatch.setattr(sub_batches, "CACHE_BYTES", SMALL_CACHE)
    assert len(_parts(model, CAPACITY)) > 1
    for n in (CAPACITY, 4, 1):
        for answer, whole in zip(_answers(model, x[:n]), wanted, strict=True):
            np.testing.assert_array_equal(answer, whole[:n])


def test_new_weights_are_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sub_batches, "CACHE_BYTES", SMALL_CACHE)
    model = NETWORKS["resnet20"]()
    x = np.random.default_rng(1).normal(size=(CAPACITY, *model.graph.input_shape)).astype(np.float32)
    model.predict(x, batch_size=CAPACITY)
    model.set_weights([0.5 * w for w in model.get_weights()])
    np.testing.assert_array_equal(model.predict(x, batch_size=CAPACITY), _answers(model, x)[0])


def test_parts_grow_along_the_network() -> None:
    assert _parts(zoo.lenet5(), 100) == [Part(range(len(zoo.lenet5().graph.nodes)), 100)]
    parts = _parts(zoo.mobilenet_v2(), 16)
    pictures = [part.pictures for part in parts]
    assert pictures == sorted(pictures) and pictures[0] <= 4 and pictures[-1] == 16
    assert [number for part in parts for number in part.numbers] == list(range(len(zoo.mobilenet_v2().graph.nodes)))


def test_buffers_are_those_of_a_few_pictures() -> None:
    model = zoo.mobilenet_v2()
    one, many = (InferencePlan(model.graph, model.parameters, capacity=n) for n in (1, 16))
    assert many.memory_bytes < 16 * one.memory_bytes / 3


def test_a_program_goes_through_whole_arrays() -> None:
    x, y = np.arange(10, dtype=np.float32).reshape(5, 2), np.zeros((5, 2), np.float32)
    between = np.empty((2, 2), np.float32)
    steps = [native.activation(x[:2], between, "relu6", ceiling=6.0), native.activation(between, y[:2], "linear")]
    program = native.Program(steps, whole=[x, y])
    assert program.batch == 5
    program.run(3)
    np.testing.assert_array_equal(y, [[0, 1], [2, 3], [4, 5], [0, 0], [0, 0]])
    program.run()
    np.testing.assert_array_equal(y, np.minimum(x, 6))
    with pytest.raises(BackendError, match="built for N = 5 cannot run N = 6"):
        program.run(6)
    with pytest.raises(BackendError, match="must hold pictures"):
        native.Program(steps, whole=[x[:0], y])


@pytest.mark.parametrize("few", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_pictures_are_read_where_they_lie(name: str, few: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if few:
        monkeypatch.setattr(sub_batches, "CACHE_BYTES", SMALL_CACHE)
    model = NETWORKS[name]()
    rng = np.random.default_rng(2)
    x, other = rng.normal(size=(2, CAPACITY, *model.graph.input_shape)).astype(np.float32)
    plan = InferencePlan(model.graph, model.parameters, capacity=CAPACITY)
    plan.inputs[...], untouched = other, x.copy()
    for n in (CAPACITY, 3):
        given = [answer.copy() for answer in plan.answer(x[:n])]
        np.testing.assert_array_equal(x, untouched)
        assert np.array_equal(plan.inputs, other) == (name != "with_python"), "copied where Python reads the plan's own"
        for answer, wanted in zip(given, _answers(model, x[:n]), strict=True):
            np.testing.assert_array_equal(answer, wanted)
        plan.inputs[...] = other
        for answer, wanted in zip(plan.run(CAPACITY), _answers(model, other), strict=True):
            np.testing.assert_array_equal(answer, wanted)


@pytest.mark.parametrize("rows", [[L.Flatten()], [L.Flatten(), L.Dense(2)], [L.ReLU()], [L.Dropout(0.5)]])
def test_what_shares_memory_with_the_pictures_is_right_too(rows: list[L.Layer]) -> None:
    model = Sequential([L.Input((4, 3, 2)), *rows])
    x, y = np.random.default_rng(3).normal(size=(2, 5, 4, 3, 2)).astype(np.float32)
    for pictures in (x, y, x[::-1], np.asfortranarray(x)):
        before, wanted = pictures.copy(), _answers(model, pictures)[0]
        np.testing.assert_array_equal(model.predict(pictures), wanted)
        np.testing.assert_array_equal(pictures, before)


def test_a_program_reads_only_pictures_like_its_own() -> None:
    x, y = np.ones((3, 2), np.float32), np.zeros((3, 2), np.float32)
    program = native.Program([native.activation(x, y, "linear")])
    assert program.only_reads(x) and not program.only_reads(y)
    program.run(2, x, np.full((2, 2), 5, np.float32))
    np.testing.assert_array_equal(y, [[5, 5], [5, 5], [0, 0]])
    for wrong in (x[:1], x.astype(np.float64), x[:, :1].copy(), x[:, 0].copy()):
        with pytest.raises(BackendError, match="must be pictures like those"):
            program.run(2, x, wrong)
    with pytest.raises(BackendError, match="needs C-contiguous arrays"):
        program.run(2, x, np.ones((3, 4), np.float32)[:, ::2])
    with pytest.raises(BackendError, match="a step writes into"):
        program.run(2, y, x)
