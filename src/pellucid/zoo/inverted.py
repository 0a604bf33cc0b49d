"""Networks of inverted residuals: narrow maps are added, and each filter of the wide ones between sees one channel."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from pellucid.layers import Add, Dense, Dropout, GlobalAvgPool2D, Input, ReLU
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.normed import l2, normed
from pellucid.zoo.recipes import Recipe, network, variant

STEM, HEAD = 32, 1280
"""Filters of the first and of the last convolution."""

RECIPE = Recipe(schedule="cosine", augment="standard", standardize=True)


class Stage(NamedTuple):
    """Blocks in a row: how many times wider the inside is, filters, blocks, strides of the first, kernel size."""

    expansion: int
    filters: int
    blocks: int
    strides: int
    size: int = 3


MOBILENET_V2 = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 32, 3, 2),
    Stage(6, 64, 4, 2),
    Stage(6, 96, 3, 1),
    Stage(6, 160, 3, 2),
    Stage(6, 320, 1, 1),
)
"""Table 2 of the paper."""

EFFICIENTNET_LITE = (
    Stage(1, 16, 1, 1),
    Stage(6, 24, 2, 2),
    Stage(6, 40, 2, 2, 5),
    Stage(6, 80, 3, 2),
    Stage(6, 112, 3, 1, 5),
    Stage(6, 192, 4, 2, 5),
    Stage(6, 320, 1, 1),
)
"""EfficientNet-B0's blocks (Tan & Le 2019, table 1) without squeeze and excitation."""


def rounded(filters: float, least: float = 0.9) -> int:
    """The nearest multiple of 8, at least 8 and `least` times what was asked.

    >>> [rounded(1.1 * filters) for filters in (16, 24, 40, 112)]
    [16, 24, 48, 120]
    """
    nearest = max(8, int(filters + 4) // 8 * 8)
    return nearest if nearest >= least * filters else nearest + 8


def _network(
    name: str,
    stages: tuple[Stage, ...],
    convolve: Callable[..., Symbolic],
    input_shape: Shape,
    classes: int,
    dropout: float,
    decay: float,
    seed: int,
) -> Model:
    """The stem, the blocks of all stages, a last convolution 1x1, global average, dropout and softmax."""

    def active(x: Symbolic, filters: int | None, size: int, strides: int = 1, *, name: str) -> Symbolic:
        y = convolve(x, filters, size, strides, name=name)
        value: Symbolic = ReLU(max_value=6.0, name=f"{name}_relu")(y)
        return value

    inputs = Input(input_shape)
    x = active(inputs, STEM, 3, 2, name="conv")
    number = 0
    for stage in stages:
        for block in range(stage.blocks):
            number += 1
            place, y, channels = f"block{number}", x, int(x.shape[-1])
            if stage.expansion > 1:
                y = active(y, channels * stage.expansion, 1, name=f"{place}_expand")
            strides = 1 if block else stage.strides
            y = active(y, None, stage.size, strides, name=f"{place}_depthwise")
            y = convolve(y, stage.filters, 1, name=f"{place}_project")
            x = Add(name=f"{place}_add")([y, x]) if strides == 1 and channels == stage.filters else y
    x = GlobalAvgPool2D(name="average")(active(x, HEAD, 1, name="last"))
    answers = Dense(classes, activation="softmax", kernel_regularizer=l2(decay), name="classes")
    return Model(inputs, answers(Dropout(dropout, name="dropout")(x)), name, seed=seed)


@network("mobilenet-v2", RECIPE)
def mobilenet_v2(
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    width: float = 1.0,
    dropout: float = 0.2,
    decay: float = 0.00004,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """17 inverted residuals: 1x1 convolution to 6 times the channels, depthwise 3x3, 1x1 back. 3,504,872 parameters.

    Batch norm stands behind every convolution, ReLU6 behind all but those that lead back; what they give is added to
    what the block read, where shapes agree. width: of the blocks, 1 as published. decay: of the weights, half of an L2
    penalty. momentum: of batch norm's running statistics.
    Source: Sandler, Howard, Zhu, Zhmoginov & Chen 2018, table 2; torchvision/models/mobilenetv2.py, whose paddings.
    """
    stages = tuple(stage._replace(filters=rounded(width * stage.filters)) for stage in MOBILENET_V2)
    convolve = partial(normed, decay=decay, momentum=momentum)
    return _network("mobilenet-v2", stages, convolve, input_shape, classes, dropout, decay, seed)


def _lite(
    name: str,
    form: tuple[float, float],
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    dropout: float = 0.2,
    decay: float = 0.00001,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    width, depth = form
    first, *middle, last = (stage._replace(filters=rounded(width * stage.filters)) for stage in EFFICIENTNET_LITE)
    deeper = (stage._replace(blocks=math.ceil(depth * stage.blocks)) for stage in middle)
    convolve = partial(normed, padding="same", decay=decay, momentum=momentum, epsilon=1e-3)
    return _network(name, (first, *deeper, last), convolve, input_shape, classes, dropout, decay, seed)


_SOURCE = "Arguments and source: see `efficientnet_lite0`."
efficientnet_lite0 = variant(
    _lite,
    "efficientnet-lite0",
    (1.0, 1.0),
    RECIPE,
    """16 inverted residuals with kernels 3x3 and 5x5, for pictures of 224 pixels. 4,652,008 parameters.

    EfficientNet-B0 without squeeze and excitation, with ReLU6 for swish; paddings are TensorFlow's. decay, momentum: as
    in `mobilenet_v2`. The first and the last stage keep their depth, and the first and the last convolution their width
    in the larger ones.
    Source: Tan & Le 2019, table 1; tensorflow/tpu/models/official/efficientnet/lite/efficientnet_lite_builder.py.
    """,
)
efficientnet_lite1 = variant(
    _lite,
    "efficientnet-lite1",
    (1.0, 1.1),
    RECIPE,
    f"""`efficientnet_lite0` with 1.1 times the depth, for pictures of 240 pixels. 5,416,680 parameters.

    {_SOURCE}
    """,
    input_shape=(240, 240, 3),
)
efficientnet_lite2 = variant(
    _lite,
    "efficientnet-lite2",
    (1.1, 1.2),
    RECIPE,
    f"""`efficientnet_lite0` with 1.2 times the depth and 1.1 times the width, for 260 pixels. 6,092,072 parameters.

    {_SOURCE}
    """,
    input_shape=(260, 260, 3),
    dropout=0.3,
)
