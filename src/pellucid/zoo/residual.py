"""Residual networks: what a block adds to its input is learned, not the whole of what it gives."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

from pellucid.errors import expect_known
from pellucid.layers import Add, Dense, GlobalAvgPool2D, Input, MaxPool2D, Permute, ReLU, ZeroPadding2D
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape
from pellucid.zoo.normed import l2, normed
from pellucid.zoo.recipes import Recipe, network, variant

Convolve = Callable[..., Symbolic]
Shortcut = Callable[[Symbolic, int, int, str], Symbolic]
"""Of a value, its channels and strides behind it and its name."""

RECIPE = Recipe(
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.1,
    optimizer_settings={"momentum": 0.9},
    schedule="cosine",
    augment="standard",
    standardize=True,
)


def _stages(
    x: Symbolic, blocks: Sequence[int], filters: int, convolve: Convolve, shortcut: Shortcut, *, bottleneck: bool
) -> Symbolic:
    """Stages of residual blocks; each stage but the first halves the map and doubles the channels."""
    for stage, count in enumerate(blocks):
        width = filters * 2**stage
        for block in range(count):
            name, strides = f"block{stage + 1}_{block + 1}", 2 if stage and not block else 1
            x = _block(x, width, strides, name, convolve, shortcut, bottleneck=bottleneck)
    return x


def _projected(convolve: Convolve) -> Shortcut:
    """The paper's option B: a convolution 1x1."""
    return lambda x, channels, strides, name: convolve(x, channels, 1, strides, name=name)


def _padded(x: Symbolic, channels: int, strides: int, name: str) -> Symbolic:
    """The paper's option A: every second number of each side, with maps of zeros before and behind."""
    more = channels - x.shape[-1]
    x = MaxPool2D(1, strides, name=f"{name}_part")(x)
    x = ZeroPadding2D(((0, 0), (more // 2, more - more // 2)), name=f"{name}_zeros")(Permute((1, 3, 2))(x))
    found: Symbolic = Permute((1, 3, 2), name=name)(x)
    return found


def _block(
    x: Symbolic, width: int, strides: int, name: str, convolve: Convolve, shortcut: Shortcut, *, bottleneck: bool
) -> Symbolic:
    """Two convolutions 3x3, or 1x1, 3x3 and 1x1 of four times the width, and a shortcut around them."""
    wide = ((width, 1, 1), (width, 3, strides), (4 * width, 1, 1))
    convolutions = wide if bottleneck else ((width, 3, strides), (width, 3, 1))
    y, last = x, len(convolutions)
    for number, (filters, size, step) in enumerate(convolutions, start=1):
        y = convolve(y, filters, size, step, name=f"{name}_conv{number}")
        if number < last:
            y = ReLU(name=f"{name}_relu{number}")(y)
    if strides > 1 or x.shape[-1] != y.shape[-1]:
        x = shortcut(x, y.shape[-1], strides, f"{name}_shortcut")
    added: Symbolic = ReLU(name=f"{name}_relu{last}")(Add(name=f"{name}_add")([y, x]))
    return added


def _classified(inputs: Symbolic, x: Symbolic, classes: int, decay: float, name: str, seed: int) -> Model:
    answers = Dense(classes, activation="softmax", kernel_regularizer=l2(decay), name="classes")
    return Model(inputs, answers(GlobalAvgPool2D(name="average")(x)), name, seed=seed)


def _small(
    name: str,
    input_shape: Shape,
    classes: int,
    blocks: int,
    filters: int,
    shortcuts: str,
    padding: str,
    decay: float,
    momentum: float,
    seed: int,
) -> Model:
    pads = {"same": "same", "pytorch": None}[expect_known("padding", padding, ("same", "pytorch"))]
    convolve = partial(normed, padding=pads, decay=decay, momentum=momentum)
    inputs = Input(input_shape)
    x = ReLU(name="relu")(convolve(inputs, filters, 3, name="conv"))
    known = {"projection": _projected(convolve), "padding": _padded}
    shortcut = known[expect_known("shortcuts", shortcuts, known)]
    x = _stages(x, (blocks,) * 3, filters, convolve, shortcut, bottleneck=False)
    return _classified(inputs, x, classes, decay, name, seed)


@network("resnet20", RECIPE)
def resnet20(
    input_shape: Shape = (32, 32, 3),
    classes: int = 10,
    *,
    blocks: int = 3,
    filters: int = 16,
    shortcuts: str = "projection",
    padding: str = "same",
    decay: float = 0.0001,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """3 stages of `blocks` residual blocks with n, 2n and 4n filters; global average; softmax. 272,474 trained numbers.

    Each block is two 3x3 convolutions with batch norm, and a shortcut around them: the value itself, or where a stage
    halves the map and doubles the channels its 1x1 projection (the paper's option B); shortcuts="padding": every second
    number of it, and zeros for the other channels (option A). padding: "same", or "pytorch", one pixel on every side,
    which differs where a map is halved: files of PyTorch's need it, and `import` takes it for them. 6 * blocks + 2
    layers with weights. decay: of the convolutions' and the dense layer's weights, half of an L2 penalty; the paper
    decays all.
    momentum: of batch norm's running statistics.
    Source: He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition", section 4.2; weights as He et al.
    2015 draw them.
    """
    return _small("resnet20", input_shape, classes, blocks, filters, shortcuts, padding, decay, momentum, seed)


@network("resnet56", RECIPE)
def resnet56(
    input_shape: Shape = (32, 32, 3),
    classes: int = 10,
    *,
    blocks: int = 9,
    filters: int = 16,
    shortcuts: str = "projection",
    padding: str = "same",
    decay: float = 0.0001,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """`resnet20` with 9 blocks a stage: 855,770 trained numbers. Arguments and source: see there."""
    return _small("resnet56", input_shape, classes, blocks, filters, shortcuts, padding, decay, momentum, seed)


def _large(
    name: str,
    form: tuple[tuple[int, ...], bool],
    input_shape: Shape = (224, 224, 3),
    classes: int = 1000,
    *,
    filters: int = 64,
    decay: float = 0.0001,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    blocks, bottleneck = form
    convolve = partial(normed, decay=decay, momentum=momentum)
    inputs = Input(input_shape)
    x = ReLU(name="relu")(convolve(inputs, filters, 7, 2, name="conv"))
    x = MaxPool2D(3, strides=2, padding=1, name="pool")(x)
    x = _stages(x, blocks, filters, convolve, _projected(convolve), bottleneck=bottleneck)
    return _classified(inputs, x, classes, decay, name, seed)


_SOURCE = "Source and deviations: see `resnet50`."
# the paper's 0.1 is for batches of 256
_RECIPE = replace(RECIPE, batch_size=32, learning_rate=0.0125)
resnet18 = variant(
    _large,
    "resnet18",
    ((2, 2, 2, 2), False),
    _RECIPE,
    f"""Four stages of two blocks of two 3x3 convolutions; 11,689,512 trained numbers.

    {_SOURCE}
    """,
)
resnet34 = variant(
    _large,
    "resnet34",
    ((3, 4, 6, 3), False),
    _RECIPE,
    f"""Four stages of 3, 4, 6 and 3 blocks of two 3x3 convolutions; 21,797,672 trained numbers.

    {_SOURCE}
    """,
)
resnet50 = variant(
    _large,
    "resnet50",
    ((3, 4, 6, 3), True),
    _RECIPE,
    """Four stages of 3, 4, 6 and 3 blocks of convolutions 1x1, 3x3 and 1x1; 25,557,032 trained numbers.

    filters: of the first stage's 3x3 convolutions; each stage has twice as many as the one before. decay, momentum: as
    in `resnet20`. A stage halves the map in the 3x3 convolution of its first block, as torchvision does ("v1.5"), where
    the paper does it in the 1x1 before; paddings are PyTorch's. Shortcuts are projected where shapes differ (option B).
    Source: He, Zhang, Ren & Sun 2016, "Deep Residual Learning for Image Recognition", table 1 and section 3.4;
    torchvision/models/resnet.py.
    """,
)
