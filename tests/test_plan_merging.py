"""What a plan merges: one program a step, no map before its pooling, and the same bits either way."""

from __future__ import annotations

import gc
import tracemalloc

import numpy as np
import pytest
from small_model import training_plan
from test_plan import CAPACITY, NETWORKS, examples, make_feed, pooled

from pellucid import layers as L
from pellucid import zoo
from pellucid.model import Sequential
from pellucid.ops import backend, native
from pellucid.plan import InferencePlan
from pellucid.plan.patterns import PATTERNS


@pytest.mark.skipif(backend().name != "native", reason="counts native programs")
@pytest.mark.parametrize("name", ["simple_convnet", "cifar_net", "photo_net"])
def test_a_training_step_is_one_native_program_and_allocates_nothing(name: str) -> None:
    model = NETWORKS[name]()
    model.compile("adam", "sparse_categorical_crossentropy")
    x, targets = examples(model)
    plan = training_plan(model, make_feed(model, x, targets))
    assert plan.num_stages == 1
    plan.run(CAPACITY, step=0, learning_rate=0.01)
    gc.collect()
    tracemalloc.start()
    for step in range(1, 20):
        plan.run(CAPACITY, step=step, learning_rate=0.01)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4096, f"a step allocated: peak {peak} bytes"


def kernels_of(model: Sequential) -> list[str]:
    """The kernels of a training step, in order."""
    model.compile("adam", "sparse_categorical_crossentropy")
    return [step.kernel for step in training_plan(model, make_feed(model, *examples(model))).steps]


@pytest.mark.skipif(backend().name != "native", reason="looks at native programs")
@pytest.mark.parametrize("name", ["simple_convnet", "pooled_tanh_layer"])
def test_no_step_sees_an_unpooled_map(name: str) -> None:
    steps = kernels_of(NETWORKS[name]())
    assert "conv2d_pool" in steps
    assert "conv2d_pool_backward_kernel" in steps
    assert not {"conv2d", "max_pool2d", "max_pool2d_backward", "conv2d_backward_kernel"} & set(steps)


@pytest.mark.skipif(backend().name != "native", reason="looks at native programs")
def test_averages_of_the_pictures_themselves_are_merged_with_their_convolution() -> None:
    """LeNet's first pooling; behind the second, the convolution's input wants a gradient too."""
    steps = kernels_of(zoo.build("lenet5"))
    assert steps.count("conv2d_pool_map") == steps.count("conv2d_pool_map_backward_kernel") == 1
    assert steps.count("avg_pool2d") == steps.count("avg_pool2d_backward") == 1


@pytest.mark.skipif(backend().name != "native", reason="looks at native programs")
@pytest.mark.parametrize(("pool", "merged"), [(L.MaxPool2D(2), True), (L.MaxPool2D(3, strides=2), False)])
def test_behind_winograd_only_pooling_that_its_tiles_hold_is_merged(pool: L.Layer, merged: bool) -> None:
    conv = L.Conv2D(64, 3, padding="same", activation="relu")
    model = Sequential([L.Input((16, 16, 64)), conv, pool, L.Flatten(), L.Dense(10)])
    x = np.zeros((1, 16, 16, 64), np.float32)
    assert native.conv2d_choice(x, conv.params["kernel"], **conv.options(x.shape[1:])) == "winograd"
    steps = kernels_of(model)
    assert steps.count("conv2d_pool") == merged
    assert steps.count("conv2d") == steps.count("max_pool2d") == (not merged)


@pytest.mark.skipif(backend().name != "native", reason="looks at native programs")
@pytest.mark.parametrize("pool", [L.MaxPool2D, L.AvgPool2D])
@pytest.mark.parametrize("kind", ["relu", "sigmoid", "tanh", "linear"])
def test_merged_and_unmerged_give_the_same_bits_forward(
    kind: str, pool: type[L.Layer], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = pooled(kind, joined=False, pool=pool)
    x, _ = examples(model)
    results = []
    for merged in (True, False):
        if not merged:
            monkeypatch.setattr("pellucid.plan.patterns.PATTERNS", [row for row in PATTERNS if pool not in row[0][1:]])
        plan = InferencePlan(model.graph, model.parameters, capacity=CAPACITY)
        plan.inputs[...] = x
        results.append(plan.run(CAPACITY)[0].copy())
    np.testing.assert_array_equal(*results)
