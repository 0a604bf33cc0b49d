"""What a layer says of itself is what drawings, views and the doctor take it for: layers of one's own, too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pellucid import layers, visualise
from pellucid.errors import ConfigError
from pellucid.layers import Conv2D, Dense, Flatten, Layer, Nonlinearity
from pellucid.model import Sequential
from pellucid.model.tracing import trace
from pellucid.train.doctor.looks import through
from pellucid.visualise.architecture.data import blocks_of
from pellucid.visualise.depth import drawn_layers
from pellucid.visualise.drawing.labels import Labels
from pellucid.visualise.excitation.views import view_of
from pellucid.visualise.histograms.data import unit_states
from pellucid.visualise.shifting import default_maps

PICTURE = np.random.default_rng(0).random((9, 8, 1), np.float32)


class Clipped(Layer):
    """y = max(x, 0), and says so."""

    role = "activation"
    caption = ("clipped",)
    nonlinearity = Nonlinearity("relu")

    def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
        return np.maximum(x, 0), x

    def backward(self, dy: Any, cache: Any, *, need_dx: bool = True) -> Any:
        return dy * (cache > 0), {}


class EverySecond(Layer):
    """y = x[::2, ::2], a window of one number with stride 2; says nothing but that."""

    def window(self) -> Any:
        return (1, 1), (2, 2), (1, 1)

    def output_shape(self, input_shape: Any) -> Any:
        rows, columns, channels = input_shape
        return -(-rows // 2), -(-columns // 2), channels

    def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
        return np.ascontiguousarray(x[:, ::2, ::2]), x.shape

    def backward(self, dy: Any, cache: Any, *, need_dx: bool = True) -> Any:
        dx = np.zeros(cache, dy.dtype)
        dx[:, ::2, ::2] = dy
        return dx, {}


@pytest.fixture(scope="module")
def model() -> Sequential:
    made = Sequential(
        [
            Conv2D(3, 3, padding="same", name="conv", input_shape=PICTURE.shape),
            Clipped(name="clip"),
            EverySecond(name="second"),
            Flatten(name="flat"),
            Dense(4, activation="softmax", name="classes"),
        ]
    )
    made.build()
    return made


def test_a_layer_of_ones_own_is_drawn_as_what_it_says(model: Sequential) -> None:
    _, conv, second, classes = blocks_of(model)
    assert conv.what == "conv 3x3" and conv.notes == ("clipped",)
    assert (second.name, second.what, second.kind, second.flattened) == ("second", "EverySecond", "other", 60)
    assert classes.notes == ("softmax",)
    assert "EverySecond" in visualise.architecture_text(model) and "clipped" in visualise.architecture_text(model)


def test_views_and_pictures_take_it_for_what_it_says(model: Sequential) -> None:
    view = view_of(model.graph.up_to(model.get_layer("second")))
    assert view is not None and view.field.jump == (2, 2) and view.field.size == (3, 3) and view.start == (-1, -1)
    assert visualise.default_layer(model) == "clip"  # what keeps every number's place belongs to the convolution
    assert drawn_layers(model) == ("conv", "clip", "second", "classes") and default_maps(model) == "second"
    states = unit_states(trace(model, PICTURE[None]))
    assert list(states) == ["clip"] and states["clip"].dead == 0
    assert visualise.feature_maps(model, PICTURE).layers[2].output.shape == (5, 4, 3)


def test_what_it_inherits_is_not_taken_for_its_arithmetic(model: Sequential) -> None:
    class Doubled(layers.Dense):
        def forward(self, x: Any, *, training: bool = False, key: Any = None) -> Any:
            y, cache = super().forward(x)
            return 2 * y, cache

    made = Doubled(2, "sigmoid")
    assert made.custom and made.role == "dense" and not made.steady
    assert made.nonlinearity == Nonlinearity("sigmoid")
    for name in ("clip", "second"):
        with pytest.raises(ConfigError, match="cannot be taken apart"):
            visualise.dissect(model, PICTURE, name)
    outputs, answer = through(model.graph, PICTURE[None])  # the doctor runs no code that is not ours
    assert [output.layer.name for output in outputs] == ["conv"] and answer is None


CAPTIONS: list[tuple[Layer, tuple[str, ...], tuple[str, ...]]] = [
    (
        Conv2D(4, 3, 2, dilation_rate=(1, 2), groups=2),
        ("conv 3x3, stride 2", "dilation 1x2", "2 groups"),
        ("합성곱 3x3, 스트라이드 2", "팽창 1x2", "2 그룹"),
    ),
    (layers.Conv1D(4, 3), ("conv 3",), ("합성곱 3",)),
    (layers.TableConv2D(((0, 1), (1,)), 3), ("conv 3x3", "3 of 4 links"), ("합성곱 3x3", "3 of 4 연결")),
    (layers.MaxPool1D(3, 2), ("max pool 3, stride 1x2",), ("최대 풀링 3, 스트라이드 1x2",)),
    (layers.Subsampling2D(2, 1), ("subsampling 2x2, stride 1",), ("서브샘플링 2x2, 스트라이드 1",)),
    (layers.GlobalAvgPool2D(), ("global mean pool",), ("전역 평균 풀링",)),
    (layers.Dropout(0.25), ("dropout 0.25",), ("드롭아웃 0.25",)),
    (layers.LeakyReLU(), ("leaky ReLU",), ("leaky ReLU",)),
    (layers.ELU(), ("ELU",), ("ELU",)),
    (layers.Activation("linear"), (), ()),
    (layers.Concatenate(), ("Concatenate",), ("이어 붙이기",)),
    (
        layers.DepthwiseConv2D(3, depth_multiplier=2),
        ("depthwise conv 3x3", "multiplier 2"),
        ("깊이별 합성곱 3x3", "배수 2"),
    ),
    (layers.SeparableConv2D(4, 3), ("separable conv 3x3",), ("분리 합성곱 3x3",)),
]


@pytest.mark.parametrize(("layer", "english", "korean"), CAPTIONS, ids=lambda value: getattr(value, "name", ""))
def test_captions_are_words_of_both_languages(layer: Layer, english: tuple[str, ...], korean: tuple[str, ...]) -> None:
    assert layer.caption == english
    assert tuple(map(Labels("ko").layer, layer.caption)) == korean
