"""The awkward sizes and settings at which every operation is tried; `cases` makes calls of them."""

from __future__ import annotations

from typing import Any

from case import Conv, Pool

from pellucid import ops

SAME3 = ((1, 1), (1, 1))

CONVS = (
    Conv("5x5x1", (3, 28, 28, 1), (5, 5), 30),
    Conv("5x5x1-one", (1, 28, 28, 1), (5, 5), 30),
    Conv("5x5x1-six", (3, 28, 28, 1), (5, 5), 6, padding=((2, 2), (2, 2))),
    Conv("5x5x1-asymmetric", (2, 17, 23, 1), (5, 5), 20, padding=((1, 3), (0, 2))),
    Conv("5x5-six-to-16", (3, 14, 14, 6), (5, 5), 16),
    Conv("few-filters-strided", (2, 9, 94, 2), (5, 7), 3, (1, 3), ((1, 1), (2, 1))),
    Conv("few-filters-dilated", (2, 9, 52, 2), (5, 4), 5, padding=((2, 0), (1, 3)), dilation=(2, 3)),
    Conv("few-filters-over-a-vector", (1, 8, 35, 2), (5, 5), 18),
    Conv("few-filters-many-taps", (1, 12, 39, 10), (5, 5), 3, padding=((2, 2), (2, 2))),
    Conv("few-channels-strided", (2, 23, 19, 3), (5, 4), 24, (2, 3), ((3, 1), (0, 2))),
    Conv("few-channels-grouped", (2, 12, 11, 15), (5, 3), 48, (1, 2), ((1, 2), (0, 1)), (2, 1), 3),
    Conv("border-left-out", (1, 30, 31, 2), (4, 5), 20, (4, 5)),
    Conv("11x11x3-stride4", (1, 67, 59, 3), (11, 11), 45, (4, 4), ((2, 2), (2, 2))),
    Conv("3x3-same", (2, 14, 14, 36), (3, 3), 36, padding=SAME3),
    Conv("3x3x3-same", (2, 17, 15, 3), (3, 3), 36, padding=SAME3),
    Conv("3x3-large", (2, 28, 28, 64), (3, 3), 64, padding=SAME3),
    Conv("3x3-deep", (2, 6, 6, 72), (3, 3), 144, padding=SAME3),
    Conv("3x3-cifar", (3, 16, 16, 36), (3, 3), 72, padding=SAME3),
    Conv("3x3-tile-of-46", (3, 13, 13, 46), (3, 3), 45, padding=SAME3),
    Conv("3x3-many", (2, 7, 7, 160), (3, 3), 176, padding=SAME3),
    Conv("3x3-asymmetric", (2, 9, 14, 30), (3, 3), 45, padding=((0, 2), (3, 1))),
    Conv("3x3-smaller-than-a-tile", (2, 2, 3, 16), (3, 3), 16, padding=SAME3),
    Conv("3x3-valid", (2, 11, 7, 72), (3, 3), 30),
    Conv("nonsquare", (2, 9, 17, 6), (3, 2), 16, (1, 2)),
    Conv("asymmetric", (2, 8, 11, 6), (4, 3), 16, padding=((0, 1), (2, 0))),
    Conv("asymmetric-strided", (2, 10, 9, 16), (3, 3), 30, (2, 3), ((1, 0), (0, 2))),
    Conv("remainder", (2, 11, 10, 3), (3, 3), 6, (3, 3)),
    Conv("dilated", (2, 13, 15, 6), (3, 3), 16, dilation=(2, 3)),
    Conv("dilated-same-strided", (1, 13, 12, 16), (3, 2), 6, (2, 2), ((2, 2), (1, 2)), (2, 3)),
    Conv("dilation-is-stride", (2, 12, 11, 3), (3, 3), 8, (2, 2), ((1, 1), (2, 2)), (2, 2)),
    Conv("dilation-over-stride", (2, 15, 14, 3), (3, 2), 8, (2, 3), ((1, 1), (0, 1)), (4, 3)),
    Conv("grouped", (2, 9, 8, 30), (3, 3), 46, padding=SAME3, groups=2),
    Conv("grouped-strided", (2, 11, 9, 36), (5, 3), 45, (2, 1), ((2, 2), (1, 1)), groups=3),
    Conv("depthwise", (2, 9, 8, 6), (3, 3), 12, padding=SAME3, groups=6),
    Conv("depthwise-3x3", (2, 9, 15, 36), (3, 3), 36, padding=SAME3, groups=36),
    Conv("depthwise-3x3-strided", (2, 15, 14, 46), (3, 3), 46, (2, 2), SAME3, groups=46),
    Conv("depthwise-5x5", (2, 7, 7, 45), (5, 5), 45, padding=((2, 2), (2, 2)), groups=45),
    Conv("depthwise-5x5-strided", (1, 12, 17, 33), (5, 5), 33, (3, 2), ((1, 2), (2, 1)), groups=33),
    Conv("depthwise-border-only", (2, 3, 2, 17), (5, 3), 17, (2, 2), ((3, 2), (3, 1)), groups=17),
    Conv("depthwise-chunks", (1, 6, 5, 300), (3, 3), 300, groups=300),
    Conv("depthwise-multiplied", (2, 9, 8, 20), (3, 3), 60, (1, 2), ((0, 2), (1, 0)), groups=20),
    Conv("depthwise-multiplied-3x5", (1, 7, 9, 130), (3, 5), 260, padding=((1, 1), (2, 2)), groups=130),
    Conv("depthwise-dilated", (2, 11, 9, 70), (3, 4), 70, (1, 3), ((2, 1), (0, 3)), (2, 3), 70),
    Conv("depthwise-row-dilated", (2, 11, 9, 20), (3, 3), 20, (2, 1), ((2, 1), (1, 1)), (2, 1), 20),
    Conv("depthwise-one-high", (2, 1, 30, 24), (1, 5), 24, (1, 2), ((0, 0), (2, 2)), groups=24),
    Conv("everything", (2, 15, 14, 6), (3, 2), 10, (2, 3), ((1, 2), (0, 3)), (2, 1), 2),
    Conv("45to46", (1, 7, 9, 45), (3, 3), 46),
    Conv("46to45-pointwise", (3, 8, 7, 46), (1, 1), 45),
    Conv("pointwise-strided", (2, 9, 9, 16), (1, 1), 30, (2, 2)),
    Conv("one-wide", (2, 12, 1, 3), (3, 1), 6),
    Conv("one-wide-padded", (2, 12, 1, 3), (3, 3), 6, padding=SAME3),
    Conv("one-high", (2, 1, 50, 6), (1, 5), 16, (1, 2)),
    Conv("whole-picture", (3, 7, 6, 16), (7, 6), 30),
    Conv("stride-over-kernel", (2, 13, 12, 3), (2, 2), 6, (3, 4)),
    Conv("padding-over-kernel", (2, 5, 4, 3), (2, 2), 6, padding=((3, 2), (4, 3))),
    Conv("one-pixel", (1, 1, 1, 1), (1, 1), 1),
    *(Conv(f"filters-{o}", (1, 6, 11, 3), (3, 3), o, padding=SAME3) for o in (1, 2, 7, 8, 9, 15, 16, 17, 24, 33)),
)

POOLS = (
    Pool("2x2", (2, 24, 24, 30), (2, 2), (2, 2)),
    Pool("2x2-channels1", (3, 9, 8, 1), (2, 2), (2, 2)),
    Pool("2x2-channels6", (3, 29, 28, 6), (2, 2), (2, 2)),
    Pool("3x2-side-by-side", (2, 16, 15, 10), (3, 2), (3, 2)),
    Pool("3x3-overlapping", (2, 13, 13, 16), (3, 3), (2, 2)),
    Pool("3x3-stride1", (1, 7, 9, 3), (3, 3), (1, 1), SAME3),
    Pool("padded", (2, 11, 9, 45), (3, 3), (2, 2), SAME3),
    Pool("asymmetric", (2, 5, 7, 36), (2, 2), (2, 2), ((0, 1), (0, 1))),
    Pool("asymmetric-wide", (2, 8, 7, 6), (4, 3), (3, 2), ((1, 3), (2, 0))),
    Pool("counted", (2, 11, 9, 45), (3, 3), (2, 2), SAME3, SAME3),
    Pool("counted-in-part", (2, 8, 7, 6), (4, 3), (3, 2), ((1, 3), (2, 2)), ((1, 2), (2, 0))),
    Pool("counted-behind-alone", (2, 8, 7, 3), (3, 3), (2, 2), ((0, 2), (0, 1)), ((0, 1), (0, 1))),
    Pool("nonsquare", (2, 9, 10, 46), (2, 3), (1, 2)),
    Pool("stride-over-window", (2, 11, 10, 6), (2, 2), (3, 4)),
    Pool("one-wide", (2, 12, 1, 3), (3, 1), (2, 1)),
    Pool("whole-picture", (3, 5, 6, 16), (5, 6), (1, 1)),
    Pool("one-pixel", (1, 1, 1, 1), (1, 1), (1, 1)),
    Pool("255-taps", (1, 18, 19, 3), (15, 17), (2, 1)),
    Pool("256-taps", (1, 18, 19, 3), (16, 16), (2, 1)),
)

# convolution and the pooling behind it: (name of a row of CONVS, pool_size, strides, padding)
POOLED = (
    ("5x5x1", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("5x5x1-six", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("5x5x1-asymmetric", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("few-filters-strided", (2, 3), (2, 3), ((0, 0), (0, 0))),
    ("5x5x1-one", (3, 2), (2, 1), ((1, 1), (0, 1))),
    ("11x11x3-stride4", (3, 3), (2, 2), ((0, 0), (0, 0))),
    ("3x3x3-same", (2, 2), (2, 2), ((0, 1), (0, 1))),
    ("3x3-same", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("3x3-large", (3, 3), (2, 2), ((1, 1), (1, 1))),
    ("3x3-deep", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("3x3-many", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("3x3-many", (2, 2), (2, 2), ((0, 1), (0, 1))),
    ("nonsquare", (2, 3), (1, 2), ((0, 0), (0, 0))),
    ("asymmetric-strided", (2, 2), (3, 2), ((1, 0), (0, 1))),
    ("dilated", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("dilated-same-strided", (3, 2), (1, 1), ((1, 1), (1, 0))),
    ("grouped", (2, 2), (3, 4), ((0, 0), (0, 0))),
    ("grouped-strided", (3, 2), (2, 2), ((0, 0), (0, 0))),
    ("depthwise", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("45to46", (2, 3), (2, 3), ((0, 0), (0, 0))),
    ("46to45-pointwise", (2, 2), (2, 2), ((0, 0), (0, 0))),
    ("one-wide-padded", (3, 1), (2, 1), ((0, 0), (0, 0))),
    ("stride-over-kernel", (2, 2), (1, 1), ((0, 0), (0, 0))),
    ("padding-over-kernel", (9, 9), (1, 1), ((0, 0), (0, 0))),
    ("one-pixel", (1, 1), (1, 1), ((0, 0), (0, 0))),
    *((f"filters-{o}", (2, 2), (2, 2), ((0, 0), (0, 0))) for o in (1, 7, 8, 9, 15, 17, 33)),
)

# a border: (name, x, padding)
BORDERS = (
    ("asymmetric", (2, 4, 3, 5), ((1, 2), (0, 2))),
    ("one-channel", (3, 9, 7, 1), ((2, 2), (3, 3))),
    ("channels-17", (1, 5, 6, 17), ((4, 0), (0, 5))),
    ("none", (2, 3, 2, 3), ((0, 0), (0, 0))),
    ("wider-than-the-picture", (1, 2, 3, 4), ((5, 1), (0, 7))),
    ("one-pixel", (1, 1, 1, 1), ((1, 0), (2, 3))),
)
# axes in another order: (x, dims)
ORDERS = (
    ((2, 9, 17, 5), (3, 1, 2)),
    ((2, 5, 9, 17), (2, 3, 1)),
    ((3, 4, 7, 6), (2, 1, 3)),
    ((1, 8, 21, 40), (1, 3, 2)),
    ((2, 20, 3, 33), (3, 2, 1)),
    ((1, 3, 4, 2, 5), (2, 4, 1, 3)),
    ((2, 40, 33), (2, 1)),
    ((1, 1, 1, 1), (3, 2, 1)),
)
# parts behind one another: (shapes, axis)
PARTS = (
    (((2, 3, 5, 1), (2, 3, 5, 17), (2, 3, 5, 3)), -1),
    (((2, 9, 7, 64), (2, 9, 7, 32)), 3),
    (((3, 2, 5, 6), (3, 4, 5, 6)), 1),
    (((1, 4, 3, 5), (1, 4, 1, 5), (1, 4, 2, 5)), 2),
    (((2, 9), (3, 9)), 0),
    (((5, 33), (5, 1), (5, 0), (5, 16)), 1),
    (((7,),), 0),
    (((3, 20_011), (3, 16_384)), 1),
)
# slopes: (x, axes of a picture that share one)
SLOPES = (
    ((3, 10), ()),
    ((3, 10), (1,)),
    ((2, 5, 7, 3), (1, 2)),
    ((2, 5, 7, 3), (1, 2, 3)),
    ((1, 4, 3, 45), (1, 2)),
    ((2, 6, 5, 16), ()),
    ((2, 6, 5, 16), (3,)),
    ((2, 6, 5, 18), (2,)),
    ((2, 3, 4, 46), (1, 3)),
    ((4, 150, 130, 1), (1, 2)),
    ((2, 2, 3, 2, 3), (2, 4)),
)
# upsampling: (x, factors)
ENLARGED = (
    ((2, 5, 7, 3), (2, 2)),
    ((1, 4, 3, 16), (3, 2)),
    ((3, 6, 5, 1), (1, 4)),
    ((2, 3, 2, 17), (4, 5)),
    ((1, 1, 1, 2), (2, 3)),
    ((1, 8, 9, 36), (1, 1)),
)
# (N, inputs, units)
DENSES = (
    *((1, 1, 1), (1, 7, 10), (3, 45, 46), (5, 16, 30), (100, 36, 10), (100, 720, 100), (7, 33, 17), (13, 6, 1)),
    *((1, 17, 1), (3, 2060, 70), (60, 2060, 70), (57, 515, 530), (2, 300, 1100)),  # blocks, strips, shared strips
)
# activations, normalisations: (N, ..., C)
BLOCKS = (
    (1, 1),
    (3, 10),
    (2, 5, 7, 3),
    (1, 4, 3, 45),
    (2, 6, 5, 16),
    (2, 3, 4, 46),
    (1, 9, 2, 30),
    (3, 2, 2, 1),
    (2, 7, 5, 1),
    (2, 3, 2, 6),
)
# logits: (N, K)
LOGITS = ((1, 2), (3, 10), (100, 10), (5, 45), (2, 1000), (7, 16))
# flat vectors of parameters
VECTORS = (1, 7, 8, 15, 16, 33, 1000)
ACTIVATIONS: tuple[tuple[str, dict[str, float]], ...] = (
    *((kind, {"slope": 0.3} if usual.get("slope") else {}) for kind, usual in ops.ACTIVATIONS.items()),
    ("leaky_relu", {"slope": 0.0}),
    ("relu6", {"ceiling": 1.5}),
    ("relu6", {"slope": 0.3, "threshold": 0.4, "ceiling": 1.5}),
)
LRNS: tuple[dict[str, Any], ...] = (
    {},
    {"size": 3, "alpha": 0.1, "beta": 0.5, "k": 1.0},
    {"size": 4, "alpha": 0.3},
    {"size": 1, "alpha": 0.2},
)
DROPOUTS = (
    (0.5, (0, 0, 0)),
    (0.25, (7, 123456, 3)),
    (0.9, (2**32 - 1, 2**32 - 1, 2**31)),
    (0.0, (1, 2, 3)),
)
_ADAM = {"lr": 0.01, "beta1": 0.9, "beta2": 0.999, "epsilon": 1e-7}
# moments, options; an update by the name of its operation, or of its rule alone
OPTIMIZERS: dict[str, tuple[tuple[int, dict[str, Any]], ...]] = {
    "sgd_update": (
        (0, {"lr": 0.1}),
        (0, {"lr": 0.1, "weight_decay": 0.01}),
        (1, {"lr": 0.1, "momentum": 0.9}),
        (1, {"lr": 0.1, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01}),
    ),
    "adam_update": (
        (2, {**_ADAM, "step": 1}),
        (2, {**_ADAM, "step": 1000, "weight_decay": 0.01}),
        (2, {**_ADAM, "step": 3, "weight_decay": 0.1, "decoupled": True}),
    ),
    "adam": ((3, {**_ADAM, "step": 3}),),  # the largest v
    "adamax": ((2, {**_ADAM, "step": 1}), (2, {**_ADAM, "step": 7, "weight_decay": 0.1, "decoupled": True})),
    "nadam": ((2, {**_ADAM, "step": 1}), (2, {**_ADAM, "step": 2000, "weight_decay": 0.01})),
    "lion": ((1, {"lr": 0.01, "beta1": 0.9, "beta2": 0.99, "weight_decay": 0.01}),),
    "ftrl": (
        (2, {"lr": 0.1}),
        (
            2,
            {"lr": 0.1, "l1": 0.3, "l2": 0.1, "l2_shrinkage": 0.1, "beta": 0.5, "weight_decay": 0.1, "decoupled": True},
        ),
    ),
    "adagrad_update": ((1, {"lr": 0.1, "epsilon": 1e-7}), (1, {"lr": 0.1, "epsilon": 1e-7, "weight_decay": 0.01})),
    "rmsprop_update": (
        (1, {"lr": 0.01, "rho": 0.9, "epsilon": 1e-7}),
        (2, {"lr": 0.01, "rho": 0.9, "epsilon": 1e-7, "momentum": 0.9, "weight_decay": 0.01}),
        (3, {"lr": 0.01, "rho": 0.9, "epsilon": 1e-2, "momentum": 0.9, "centered": True}),
    ),
    "adadelta_update": ((2, {"lr": 1.0, "rho": 0.95, "epsilon": 1e-7}),),
}
