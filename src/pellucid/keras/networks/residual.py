"""Residual networks as Keras has them: convolutions with biases, and a stage halved by the first convolution of one."""

from __future__ import annotations

from functools import partial
from typing import Any

from pellucid.keras.networks.application import application
from pellucid.keras.networks.parts import Top
from pellucid.keras.networks.torchvision import from_zoo
from pellucid.layers import Activation, Add, BatchNorm, Conv2D, MaxPool2D, ZeroPadding2D

_norm = partial(BatchNorm, epsilon=1.001e-5)


def _active(x: Any, name: str) -> Any:
    return Activation("relu", name=f"{name}_relu")(_norm(name=f"{name}_bn")(x))


def _block(x: Any, filters: int, strides: int, name: str, *, projected: bool) -> Any:
    """Convolutions 1x1, 3x3 and 1x1 with batch norm behind each, ReLU behind the sum."""
    shortcut = x
    if projected:
        shortcut = _norm(name=f"{name}_0_bn")(Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(x))
    x = _active(Conv2D(filters, 1, strides=strides, name=f"{name}_1_conv")(x), f"{name}_1")
    x = _active(Conv2D(filters, 3, padding="same", name=f"{name}_2_conv")(x), f"{name}_2")
    x = _norm(name=f"{name}_3_bn")(Conv2D(4 * filters, 1, name=f"{name}_3_conv")(x))
    return Activation("relu", name=f"{name}_out")(Add(name=f"{name}_add")([shortcut, x]))


def _block_before(x: Any, filters: int, strides: int, name: str, *, projected: bool) -> Any:
    """The same with batch norm and ReLU before each convolution, and nothing behind the sum."""
    y = _active(x, f"{name}_preact")
    if projected:
        shortcut = Conv2D(4 * filters, 1, strides=strides, name=f"{name}_0_conv")(y)
    else:
        shortcut = MaxPool2D(1, strides=strides)(x) if strides > 1 else x
    y = _active(Conv2D(filters, 1, use_bias=False, name=f"{name}_1_conv")(y), f"{name}_1")
    y = ZeroPadding2D(1, name=f"{name}_2_pad")(y)
    y = _active(Conv2D(filters, 3, strides=strides, use_bias=False, name=f"{name}_2_conv")(y), f"{name}_2")
    return Add(name=f"{name}_out")([shortcut, Conv2D(4 * filters, 1, name=f"{name}_3_conv")(y)])


def _resnet(blocks: tuple[int, ...], before: bool, x: Any, top: Top | None) -> Any:
    x = ZeroPadding2D(3, name="conv1_pad")(x)
    x = Conv2D(64, 7, strides=2, name="conv1_conv")(x)
    x = x if before else _active(x, "conv1")
    x = MaxPool2D(3, strides=2, name="pool1_pool")(ZeroPadding2D(1, name="pool1_pad")(x))
    for stage, count in enumerate(blocks):
        # what halves a stage: its first block, in version 2 the last one of the stage before
        halving = (count if stage < 3 else 0) if before else (1 if stage else 0)
        for number in range(1, count + 1):
            strides, name = 2 if number == halving else 1, f"conv{stage + 2}_block{number}"
            x = (_block_before if before else _block)(x, 64 * 2**stage, strides, name, projected=number == 1)
    x = _active(x, "post") if before else x
    return x if top is None else top(x)


def _network(name: str, blocks: tuple[int, ...], parameters: str, *, before: bool = False, ready: Any = None) -> Any:
    doc = f"""Four stages of {", ".join(map(str, blocks))} blocks of three convolutions. {parameters} parameters.

    Source: He, Zhang, Ren & Sun 2016, "{
        "Identity Mappings in Deep Residual Networks" if before else "Deep Residual Learning for Image Recognition"
    }"."""
    return application(name, partial(_resnet, blocks, before), ready=ready, doc=doc)


ResNet50 = _network("ResNet50", (3, 4, 6, 3), "25,636,712", ready=partial(from_zoo, "resnet50", "caffe"))
ResNet101 = _network("ResNet101", (3, 4, 23, 3), "44,707,176")
ResNet152 = _network("ResNet152", (3, 8, 36, 3), "60,419,944")
ResNet50V2 = _network("ResNet50V2", (3, 4, 6, 3), "25,613,800", before=True)
ResNet101V2 = _network("ResNet101V2", (3, 4, 23, 3), "44,675,560", before=True)
ResNet152V2 = _network("ResNet152V2", (3, 8, 36, 3), "60,380,648", before=True)
