"""Sizes from nowhere: the first inputs of scripts/fuzz_geometry.py, and the numbers that once crashed."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fuzz_geometry import run_input

from pellucid import initializers, layers, losses, ops, optimizers, schedules, scratch
from pellucid.cli.app import main
from pellucid.errors import CheckpointError, ConfigError, PellucidError, ShapeError, shown
from pellucid.files import tensor_file
from pellucid.model import Sequential
from pellucid.model import file as model_file
from pellucid.ops import geometry
from pellucid.ops.receptive_field import ReceptiveField

HUGE = (2**31, 2**60 + 1, 2**62, 2**62 - 1, 2**63, 10**30, 10**5000)
IMAGE = (8, 8, 8)


@pytest.mark.parametrize(
    ("part", "inputs"), [("layers", 120), ("files", 120), ("ops", 150), ("native", 150), ("drawings", 60)]
)
def test_the_first_inputs_are_refused_or_right(part: str, inputs: int) -> None:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        ended = [run_input(part, 17, number) for number in range(inputs)]
    answered = len([end for end in ended if end in ("run", "trained")])
    assert answered > inputs // 10 and ended.count("refused") > inputs // 10


MAKERS: dict[str, Any] = {
    "Conv2D filters": lambda n: layers.Conv2D(n, 3, input_shape=IMAGE),
    "Conv2D kernel": lambda n: layers.Conv2D(4, n, padding="same", input_shape=IMAGE),
    "Conv2D strides": lambda n: layers.Conv2D(4, 1, strides=n, input_shape=IMAGE),
    "Conv2D padding": lambda n: layers.Conv2D(4, 3, padding=n, input_shape=IMAGE),
    "Conv2D dilation": lambda n: layers.Conv2D(4, 1, dilation_rate=n, input_shape=IMAGE),
    "Conv2D groups": lambda n: layers.Conv2D(n, 1, groups=n, input_shape=IMAGE),
    "Conv2DTranspose kernel": lambda n: layers.Conv2DTranspose(4, n, input_shape=IMAGE),
    "Conv2DTranspose strides": lambda n: layers.Conv2DTranspose(4, 2, n, input_shape=IMAGE),
    "Conv2DTranspose output_padding": lambda n: layers.Conv2DTranspose(4, 2, 2, "valid", n, input_shape=IMAGE),
    "Conv1D kernel": lambda n: layers.Conv1D(4, n, padding="same", input_shape=(8, 2)),
    "Conv1D strides": lambda n: layers.Conv1D(4, 1, n, input_shape=(8, 2)),
    "Conv1D padding": lambda n: layers.Conv1D(4, 1, padding=(0, n), input_shape=(8, 2)),
    "TableConv2D strides": lambda n: layers.TableConv2D([[0]], 1, n, input_shape=(8, 8, 1)),
    "TableConv2D table": lambda n: layers.TableConv2D([[n]], 1),
    "MaxPool2D": lambda n: layers.MaxPool2D(n, padding="same", input_shape=IMAGE),
    "AvgPool2D strides": lambda n: layers.AvgPool2D(2, (2, n), input_shape=IMAGE),
    "MaxPool1D strides": lambda n: layers.MaxPool1D(2, n, input_shape=(8, 2)),
    "Subsampling2D strides": lambda n: layers.Subsampling2D(2, n, input_shape=IMAGE),
    "ZeroPadding2D": lambda n: layers.ZeroPadding2D(((0, 0), (0, n)), input_shape=IMAGE),
    "Padding2D": lambda n: layers.Padding2D(((0, 0), (0, n)), "edge", input_shape=IMAGE),
    "Cropping2D": lambda n: layers.Cropping2D(n, input_shape=IMAGE),
    "UpSampling2D": lambda n: layers.UpSampling2D((1, n), "bilinear", input_shape=IMAGE),
    "Reshape": lambda n: layers.Reshape((n, -1), input_shape=IMAGE),
    "Permute": lambda n: layers.Permute((n, 1, 2), input_shape=IMAGE),
    "Softmax axis": lambda n: layers.Softmax(n, input_shape=IMAGE),
    "LocalResponseNorm": lambda n: layers.LocalResponseNorm(n, input_shape=IMAGE),
    "Dense": lambda n: layers.Dense(n, input_shape=(2**10,)),
    "RBF": lambda n: layers.RBF(n, input_shape=(2**10,)),
    "Input": lambda n: layers.Input((n, 2**10, 3)),
}


@pytest.mark.parametrize("what", MAKERS)
@pytest.mark.parametrize("number", HUGE, ids=shown)
def test_a_size_beyond_its_limit_is_refused_before_memory_is_asked_for(what: str, number: int) -> None:
    with pytest.raises((ConfigError, ShapeError)) as caught:
        Sequential([MAKERS[what](number), layers.Flatten()])
    assert len(str(caught.value)) < 400 and what.split()[0] in str(caught.value)


@pytest.mark.parametrize("number", [*HUGE, [[[[[[[]]]]]]], "9" * 5000, np.array([1, 2, 3]), np.array(3.0)], ids=shown)
def test_nothing_else_is_taken_for_a_size(number: Any) -> None:
    for make in (
        lambda: geometry.pair(number, "strides"),
        lambda: geometry.standardize_padding(number),
        lambda: geometry.standardize_padding((number, number)),
        lambda: geometry.whole(number, "batch_size"),
        lambda: geometry.standardize_shape((number, 3), "Input"),
        lambda: layers.Dropout(number),
        lambda: optimizers.SGD(momentum=[number]),  # type: ignore[arg-type]
        lambda: optimizers.Adam(epsilon=[number]),  # type: ignore[arg-type]
        lambda: schedules.Step(0.1, [number]),  # type: ignore[arg-type]
        lambda: losses.CategoricalCrossentropy(label_smoothing=[number]),  # type: ignore[arg-type]
        lambda: initializers.RandomNormal(stddev=[number]),  # type: ignore[arg-type]
        lambda: ops.dropout(np.zeros(3, np.float32), 0.5, (0, 0, [number])),  # type: ignore[arg-type]
        lambda: Sequential(seed=[number]),  # type: ignore[arg-type]
        lambda: layers.Conv1D(1, 1, padding=[number, 0]),
    ):
        with pytest.raises(PellucidError) as caught:
            make()
        assert len(str(caught.value)) < 400


@pytest.mark.parametrize("number", [2**31, 2**60 + 1, 2**62, 10**30])
@pytest.mark.parametrize("argument", ["strides", "padding", "dilation_rate", "kernel_size"])
def test_a_file_cannot_say_what_a_layer_refuses(tmp_path: Path, argument: str, number: int) -> None:
    model = Sequential([layers.Conv2D(2, 1, padding=0, input_shape=(4, 4, 1))])
    facts = {"kind": "model", **model_file.facts_of(model)}
    facts["layers"][0][argument] = [[number, 0], [0, 0]] if argument == "padding" else [1, number]
    arrays = {f"{layer.name}/{name}": array for layer in model.layers for name, array in layer.params.items()}
    tensor_file.write(tmp_path / "model.safetensors", arrays, facts)
    with pytest.raises(CheckpointError, match=argument):
        model_file.load(tmp_path / "model.safetensors")


def test_batches_that_no_machine_holds_are_refused() -> None:
    model = Sequential([layers.Flatten(input_shape=(64, 64, 3)), layers.Dense(2, "softmax")])
    model.compile("sgd", "categorical_crossentropy")
    x, y = np.zeros((2, 64, 64, 3), np.float32), np.zeros(2, np.int64)
    for number in (2**30, 2**62, 10**5000):
        with pytest.raises(ConfigError):
            model.memory(number)
    for number in (2**62, 10**5000, [[3]]):
        with pytest.raises(ConfigError, match="batch_size"):
            model.fit(x, y, batch_size=number, verbose=0)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="batch_size"):
            model.predict(x, batch_size=number, verbose=0)  # type: ignore[arg-type]
        with pytest.raises(ConfigError, match="epochs"):
            model.fit(x, y, epochs=number, verbose=0)  # type: ignore[arg-type]


def test_a_view_of_the_input_stays_a_number_that_can_be_printed() -> None:
    model = Sequential([layers.Conv2D(1, 1, 2**20, input_shape=(1, 1, 1))])
    for _ in range(99):
        model.add(layers.Conv2D(1, 1, 2**20))
    assert model.outline().rows[-1].receptive_field == (1, 1)
    lines: list[str] = []
    model.summary(lines.append)
    assert ReceptiveField().step((2, 2), (2**20, 2**20)).step((9, 9), (2**20, 2**20)).jump == (2**30, 2**30)


def test_a_window_far_larger_than_the_picture_is_pooled_without_going_through_its_padding() -> None:
    x = np.random.default_rng(0).standard_normal((2, 9, 3), np.float32)
    wide = layers.MaxPool1D(2**20, padding="same")
    np.testing.assert_array_equal(wide(x)[:, 0], x.max(axis=1))
    mean = layers.AvgPool1D(2**20, padding="same")
    np.testing.assert_allclose(mean(x)[:, 0], x.mean(axis=1), rtol=1e-5)


def test_memory_that_is_not_there_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def too_large(*args: object, **kwargs: object) -> None:
        raise MemoryError("Unable to allocate 3.00 TiB")

    monkeypatch.setattr(Sequential, "outline", too_large)
    assert main(["summary", "lenet5"]) == 1
    assert capsys.readouterr().err.startswith("pellucid: out of memory: Unable to allocate 3.00 TiB; use smaller")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_window_of_more_channels_than_there_are_is_that_of_all(dtype: Any) -> None:
    x = np.random.default_rng(0).standard_normal((1, 3, 2, 6)).astype(dtype)
    all_of_them, _ = ops.local_response_norm(x, size=13)
    for size in (14, 15, 2**20):
        y, _ = ops.local_response_norm(x, size=size)
        np.testing.assert_array_equal(y, all_of_them)


def test_columns_and_the_book_s_layers_are_bounded_too() -> None:
    x = np.zeros((1, 1, 4, 4))
    for number in HUGE:
        for make in (
            lambda n: geometry.pair(min(n, 2**20 + 1), "strides"),
            lambda n: scratch.im2col(x, 1, 1, n, 0),
            lambda n: scratch.im2col(x, 1, 1, 1, n),
            lambda n: scratch.col2im(np.zeros((16, 1)), (1, 1, n, 4), 1, 1),
            lambda n: scratch.Convolution(np.zeros((1, 1, 1, 1)), np.zeros(1), n),
            lambda n: scratch.Pooling(1, 1, n).forward(x),
        ):
            with pytest.raises(PellucidError) as caught:
                make(number)
            assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    "setting", ["[" * 100_000, "[" * 900 + "]" * 900, "1" * 5000, "1000000000", str(2**62), "[[[[[1]]]]]", "1e999"]
)
def test_a_setting_that_no_network_can_have_is_one_line(
    setting: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["train", "--limit", "20", "--out", str(tmp_path / "run"), "--set", f"hidden_size={setting}"]
    assert main(words) == 1
    told = capsys.readouterr().err.strip().splitlines()
    assert told[-1].startswith("pellucid: ") and len(told[-1]) < 400
    assert not (tmp_path / "run").exists()
