"""U-Net: a class for each pixel, from what is seen around it and from the pixel's own surroundings at full size."""

from __future__ import annotations

from functools import partial

from pellucid.errors import ConfigError, expect_known
from pellucid.layers import (
    Concatenate,
    Conv2D,
    Conv2DTranspose,
    Input,
    MaxPool2D,
    ReLU,
    Softmax,
    UpSampling2D,
)
from pellucid.layers.symbolic import Symbolic
from pellucid.model import Model
from pellucid.ops.geometry import Shape, whole
from pellucid.zoo.normed import l2, normed
from pellucid.zoo.recipes import Recipe, network

UPWARDS = ("bilinear", "transposed")
MAX_DEPTH = 8


@network("unet", Recipe(batch_size=16, learning_rate=0.002, augment="standard", schedule="cosine"))
def unet(
    input_shape: Shape = (128, 128, 3),
    classes: int = 2,
    *,
    depth: int = 3,
    filters: int = 16,
    up: str = "bilinear",
    decay: float = 0.0,
    momentum: float = 0.9,
    seed: int = 0,
) -> Model:
    """`depth` times two 3x3 convolutions and a pooling that halves the map, and the same way up; a softmax a pixel.

    Each convolution has batch norm and ReLU; the first ones have `filters` filters, those of each halved map twice as
    many. On the way up a map is doubled, by bilinear interpolation or by a transposed 2x2 convolution that halves its
    channels (up="transposed"), and laid beside the one of its size on the way down. The last convolution is 1x1.
    decay: of the convolutions' weights, half of an L2 penalty. momentum: of batch norm's running statistics.

    Shapes: pictures (N, H, W, C) -> (N, H, W, classes), H and W multiples of 2**depth.
    Errors: ConfigError for sides that cannot be halved so often, and for another `up`.
    Source: Ronneberger, Fischer & Brox 2015, "U-Net: Convolutional Networks for Biomedical Image Segmentation", figure
    1, with a quarter of its filters, padding that keeps sizes, and batch norm.
    """
    expect_known("way up of unet", up, UPWARDS)
    least = 2 ** whole(depth, "unet: depth", MAX_DEPTH)
    if any(side % least for side in input_shape[:2]):
        below = [max(side // least, 1) * least for side in input_shape[:2]]
        sizes = " x ".join(map(str, input_shape[:2]))
        raise ConfigError(
            f"unet: pictures of {sizes} cannot be halved {depth} times; their sides must be multiples of {least}, such "
            f"as {below[0]} x {below[1]} (size={min(below)}), or take fewer, depth=1"
        )
    convolve = partial(normed, size=3, decay=decay, momentum=momentum)

    def twice(x: Symbolic, width: int, name: str) -> Symbolic:
        for number in (1, 2):
            x = ReLU(name=f"{name}_relu{number}")(convolve(x, width, name=f"{name}_conv{number}"))
        return x

    def doubled(x: Symbolic, width: int, name: str) -> Symbolic:
        if up == "bilinear":
            value: Symbolic = UpSampling2D(2, interpolation="bilinear", name=name)(x)
            return value
        wider = Conv2DTranspose(width, 2, 2, kernel_initializer="he_normal", kernel_regularizer=l2(decay), name=name)
        value = wider(x)
        return value

    inputs = Input(input_shape)
    x: Symbolic = inputs
    beside = []
    for level in range(1, depth + 1):
        x = twice(x, filters * 2 ** (level - 1), f"down{level}")
        beside.append(x)
        x = MaxPool2D(2, name=f"pool{level}")(x)
    x = twice(x, filters * 2**depth, "bottom")
    for level in range(depth, 0, -1):
        width = filters * 2 ** (level - 1)
        x = Concatenate(name=f"up{level}_concat")([beside.pop(), doubled(x, width, f"up{level}")])
        x = twice(x, width, f"up{level}")
    scores = Conv2D(classes, 1, kernel_regularizer=l2(decay), name="classes")(x)
    return Model(inputs, Softmax(name="softmax")(scores), "unet", seed=seed)
