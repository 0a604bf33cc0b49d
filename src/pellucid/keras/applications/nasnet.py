"""NASNet: cells that a search found, each of the two maps before it."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top, correct_pad
from pellucid.keras.networks.scaling import decode_predictions as decode_predictions
from pellucid.keras.networks.scaling import to_one as preprocess_input
from pellucid.layers import (
    Activation,
    Add,
    AvgPool2D,
    BatchNorm,
    Concatenate,
    Conv2D,
    Cropping2D,
    MaxPool2D,
    SeparableConv2D,
    ZeroPadding2D,
)

__all__ = ["NASNetLarge", "NASNetMobile", "decode_predictions", "preprocess_input"]

_norm = partial(BatchNorm, momentum=0.9997, epsilon=1e-3)
_conv = partial(Conv2D, kernel_size=1, padding="same", use_bias=False, kernel_initializer="he_normal")
_mean = partial(AvgPool2D, 3, strides=1, padding="same")


def _separable(x: Any, filters: int, size: int, cell: str, *, strides: int = 1) -> Any:
    """ReLU, separable convolution and batch norm, twice; the first moves by the strides."""
    for number in (1, 2):
        x, name, padding = Activation("relu")(x), f"separable_conv_{number}", "same"
        if strides > 1:
            x, padding = ZeroPadding2D(correct_pad(x, size), name=f"{name}_pad_{cell}")(x), "valid"
        conv = partial(SeparableConv2D, use_bias=False, padding=padding, strides=strides)
        x, strides = _norm(name=f"{name}_bn_{cell}")(conv(filters, size, name=f"{name}_{cell}")(x)), 1
    return x


def _adjusted(before: Any, x: Any, filters: int, cell: str) -> Any:
    """The maps before x with its size and this many channels."""
    if before is None:
        return x
    if before.shape[-2] != x.shape[-2]:
        before = Activation("relu", name=f"adjust_relu_1_{cell}")(before)
        moved = Cropping2D(((1, 0), (1, 0)))(ZeroPadding2D(((0, 1), (0, 1)))(before))
        halves = [
            _conv(filters // 2, name=f"adjust_conv_{number}_{cell}")(
                AvgPool2D(1, strides=2, name=f"adjust_avg_pool_{number}_{cell}")(maps)
            )
            for number, maps in ((1, before), (2, moved))
        ]
        return _norm(name=f"adjust_bn_{cell}")(Concatenate()(halves))
    if before.shape[-1] != filters:
        before = _conv(filters, name=f"adjust_conv_projection_{cell}")(Activation("relu")(before))
        return _norm(name=f"adjust_bn_{cell}")(before)
    return before


def _begun(x: Any, filters: int, kind: str, cell: str) -> Any:
    x = _conv(filters, name=f"{kind}_conv_1_{cell}")(Activation("relu")(x))
    return _norm(name=f"{kind}_bn_1_{cell}")(x)


def _normal(x: Any, before: Any, filters: int, cell: str) -> tuple[Any, Any]:
    p = _adjusted(before, x, filters, cell)
    h = _begun(x, filters, "normal", cell)

    def separable(maps: Any, size: int, side: str) -> Any:
        return _separable(maps, filters, size, f"normal_{side}_{cell}")

    def added(number: int, *maps: Any) -> Any:
        return Add(name=f"normal_add_{number}_{cell}")(list(maps))

    parts = [
        added(1, separable(h, 5, "left1"), separable(p, 3, "right1")),
        added(2, separable(p, 5, "left2"), separable(p, 3, "right2")),
        added(3, _mean(name=f"normal_left3_{cell}")(h), p),
        added(4, _mean(name=f"normal_left4_{cell}")(p), _mean(name=f"normal_right4_{cell}")(p)),
        added(5, separable(h, 3, "left5"), h),
    ]
    return Concatenate(name=f"normal_concat_{cell}")([p, *parts]), x


def _reduction(x: Any, before: Any, filters: int, cell: str) -> tuple[Any, Any]:
    p = _adjusted(before, x, filters, cell)
    h = _begun(x, filters, "reduction", cell)
    padded = ZeroPadding2D(correct_pad(h, 3), name=f"reduction_pad_1_{cell}")(h)

    def halved(maps: Any, size: int, side: str) -> Any:
        return _separable(maps, filters, size, f"reduction_{side}_{cell}", strides=2)

    def largest(side: str) -> Any:
        return MaxPool2D(3, strides=2, name=f"reduction_{side}_{cell}")(padded)

    first = Add(name=f"reduction_add_1_{cell}")([halved(h, 5, "left1"), halved(p, 7, "right1")])
    second = Add(name=f"reduction_add_2_{cell}")([largest("left2"), halved(p, 7, "right2")])
    mean = AvgPool2D(3, strides=2, name=f"reduction_left3_{cell}")(padded)
    third = Add(name=f"reduction_add3_{cell}")([mean, halved(p, 5, "right3")])
    fourth = Add()([second, _mean(name=f"reduction_left4_{cell}")(first)])
    again = _separable(first, filters, 3, f"reduction_left4_{cell}")
    fifth = Add(name=f"reduction_add4_{cell}")([again, largest("right5")])
    return Concatenate(name=f"reduction_concat_{cell}")([second, third, fourth, fifth]), x


def _nasnet(last: int, cells: int, first: int, skipping: bool, x: Any, top: Top | None) -> Any:
    """last: maps in the end. cells: of each stage. skipping: whether a stage reads what came before the halving."""
    filters = last // 24
    x = Conv2D(first, 3, strides=2, use_bias=False, kernel_initializer="he_normal", name="stem_conv1")(x)
    x, before = _reduction(_norm(name="stem_bn1")(x), None, filters // 4, "stem_1")
    x, before = _reduction(x, before, filters // 2, "stem_2")
    for stage in range(3):
        if stage:
            x, read = _reduction(x, before, filters * 2**stage, f"reduce_{stage * cells}")
            before = before if skipping else read
        for number in range(cells):
            x, before = _normal(x, before, filters * 2**stage, f"{stage * cells + number + bool(stage)}")
    x = Activation("relu")(x)
    return x if top is None else top(x)


def _network(name: str, size: int, parameters: str, last: int, cells: int, first: int, *, skipping: bool) -> Any:
    return application(
        f"NASNet{name}",
        partial(_nasnet, last, cells, first, skipping),
        f"nasnet_{name.lower()}",
        size=size,
        order="input_shape include_top weights input_tensor pooling classes classifier_activation name",
        file=lambda given: f"NASNet-{name.lower()}{'' if given['include_top'] else '-no-top'}.h5",
        doc=f"""{3 * cells} normal cells and four that halve maps. {parameters} parameters.

    Source: Zoph, Vasudevan, Shlens & Le 2018, figures 2 and 4.""",
    )


NASNetMobile = _network("Mobile", 224, "5,326,716", 1056, 4, 32, skipping=False)
NASNetLarge = _network("Large", 331, "88,949,818", 4032, 6, 96, skipping=True)
