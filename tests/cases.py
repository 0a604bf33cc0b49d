"""Every operation at every awkward size, for correctness and gradients.

A case builds the arguments of one call of `pellucid.ops` in float32. What comes of them must agree with what
the reference gives for the same numbers in float64, within the case's bound. `kind` says what the bound multiplies:

exact   nothing: bits must agree (a maximum, a mask, a copy: no rounding takes place).
linear  eps * the operation on absolute values. A sum of K products rounds K times, each time by at most eps/2 of a
        partial sum, itself at most the sum of absolute values; independent roundings add up like sqrt(K). Hence the
        bound 2 + sqrt(K), the 2 for the product and the epilogue.
tiles   eps * the largest of the operation on absolute values: where Winograd's F(4x4,3x3) may run. All results of a
        tile share the roundings of its 36 points, so a small result beside large ones may lose more than its own size
        tells. A point sums K products (K channels; for the kernel's gradient K tiles). Its error is eps/2 *
        sqrt(6 + K/2) of one product: six roundings in the transforms, then a partial sum's for each term, which grows
        like its square root. The transform back magnifies that by the root mean square of its weights, over
        the size of a plain sum: 8.8 at worst for 3x3 sums, 7.2 for the kernel's gradient (points 0, 3/4, -3/4, 3/2,
        -3/2, infinity). A plain sum of normal products is 3 sqrt(K), the sum of its absolute values 9 * 0.64 K.
        Four standard deviations give 4 * 8.8 * 3 / 5.76 * sqrt(6/K + 1/2) / 2 = 6.5 sqrt(1 + 12/K), and the bound
        is 7 sqrt(1 + 12/K). Measured: up to 5.6 (16 channels, 64 pictures; 7.7 for a kernel's gradient from 3 tiles);
        direct convolution stays below 2.4.
        F(2x2,3x3), points 0, 1, -1, infinity, magnifies 1.67 times, 2 times for the kernel's gradient (2x2 sums):
        4 * 1.67 * 3 / 5.76 and 4 * 2 * 2 / 2.56 times sqrt(6/K + 1/2) / 2 are 1.2 and 2.2 sqrt(1 + 12/K). Its bound
        is 1 + 2.5 sqrt(1 + 12/K), the 1 for the way back and the epilogue. Measured: up to 1.5.
        F(2x2,5x5) has the points of F(4x4,3x3) and magnifies 6.4 times: 2.8 sqrt(1 + 12/K), under the same 7. The
        gradient of its kernel (5x5 numbers of 2x2 sums) magnifies 11.8 times: 13 sqrt(1 + 12/K); 24.5 are allowed.
        F(4,5) along rows (one channel before pooling, points 0, 1, -1, 2, -2, 1/2, -1/2, infinity) sums 5 rows and
        magnifies 5.5 times: 4 * 5.5 * 5/16 * sqrt(6 + 5/2) / 2 = 10. Simulated standard deviation: 1.4; measured: up
        to 6.2, without fused multiply-adds 7.1.
        A test that forces an algorithm asks for that algorithm's bound; elsewhere, for the widest that may run.
scaled  eps * the largest result: for formulas with exp, powers and means, a stated number of roundings each.

pointwise  eps * what `bound` gives for the same arguments in float64, number by number (activation_bounds.py).

linear and tiles are for data around 0, whose roundings cancel; test_bounds.py has the bounds for all data.
eps is float32's 2^-23.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from activation_bounds import backward_bound, forward_bound
from agreement import behind
from case import Arguments, Build, Case, Conv, Pool, given, normal, size_name, sum_bound
from cases_moving import augments, gathers, parts, products, slopes, swaps
from sizes import (
    ACTIVATIONS,
    BLOCKS,
    BORDERS,
    CONVS,
    DENSES,
    DROPOUTS,
    ENLARGED,
    LOGITS,
    LRNS,
    OPTIMIZERS,
    POOLED,
    POOLS,
    VECTORS,
)

from pellucid import ops
from pellucid.ops import geometry
from pellucid.ops.geometry import Array, Shape, padded_shape
from pellucid.ops.macs import conv2d_macs
from pellucid.ops.rearranging import upsampled_shape

STRAIGHT = {"linear", "relu", "leaky_relu", "relu6"}
"""Activations made of straight pieces."""
RISING = [kind for kind in ops.ACTIVATIONS if kind not in ops.READ_INPUT]
"""Those that run with pooling."""


def _transposed(c: Conv) -> Build:
    """With a bias, as a transposed convolution."""
    shapes = c.y, c.kernel_shape
    return lambda rng: ((*(normal(rng, shape) for shape in shapes), c.x), {"bias": normal(rng, c.x[3:]), **c.options})


def _convs() -> Iterator[Case]:
    for c in CONVS:
        macs = conv2d_macs(c.y, c.kernel_shape)
        forward = given(c.x, c.kernel_shape, (c.filters,), **c.options)
        to_input = given(c.y, c.kernel_shape, rest=[c.x], **c.options)
        to_kernel = given(c.x, c.y, rest=[c.kernel_shape], **c.options)
        yield Case("conv2d_backward_input", f"{c.name}-bias", _transposed(c), *c.bounds["conv2d_backward_input"])
        builds = {"conv2d": forward, "conv2d_backward_input": to_input, "conv2d_backward_kernel": to_kernel}
        for op, build in builds.items():
            yield Case(op, c.name, build, *c.bounds[op], macs)


def _borders() -> Iterator[Case]:
    for name, shape, pads in BORDERS:
        larger = padded_shape(shape[1:], pads)
        for mode in ops.BORDERS:
            if mode != "reflect" or all(max(each) < size for each, size in zip(pads, shape[1:3], strict=True)):
                # at most every number of a row and of a column is a copy of one
                bound = sum_bound(larger[0] * larger[1]) if mode != "constant" else 0.0
                yield Case("pad2d", f"{mode}-{name}", given(shape, rest=[pads, mode]), "exact")
                backward = given((shape[0], *larger), rest=[shape, pads, mode])
                yield Case("pad2d_backward", f"{mode}-{name}", backward, "linear" if bound else "exact", bound)
    for shape, factors in ENLARGED:
        for how in ops.INTERPOLATIONS:
            name, larger = f"{how}-{size_name(factors)}-{size_name(shape)}", upsampled_shape(shape[1:], factors, "y")
            # three products and a sum each way; back, at most nine windows' pixels
            kind = "exact" if how == "nearest" else "linear"
            yield Case("upsample2d", name, given(shape, rest=[factors, how]), kind, 0.0 if how == "nearest" else 6.0)
            backward = given((shape[0], *larger), rest=[shape, factors, how])
            yield Case("upsample2d_backward", name, backward, "linear", 4 + sum_bound(9 * math.prod(factors)))


def _denses() -> Iterator[Case]:
    for n, i, u in DENSES:
        name, macs = f"{n}x{i}x{u}", n * i * u
        yield Case("dense", name, given((n, i), (i, u), (u,)), "linear", sum_bound(i + 1), macs)
        yield Case("dense", f"{name}-no-bias", given((n, i), (i, u)), "linear", sum_bound(i), macs)
        yield Case("dense_backward_input", name, given((n, u), (i, u)), "linear", sum_bound(u), macs)
        yield Case("dense_backward_kernel", name, given((n, i), (n, u)), "linear", sum_bound(n), macs)
    for shape in BLOCKS:
        yield Case("bias_backward", size_name(shape), given(shape), "linear", sum_bound(math.prod(shape[:-1])))


def _whole_numbers(shape: Shape, options: dict[str, Any], rng: np.random.Generator) -> Arguments:
    """Few different values, so that windows hold ties."""
    return (np.round(normal(rng, shape)),), options


def _pools() -> Iterator[Case]:
    for p in POOLS:
        # forward a sum of all taps; backward at most every tap of a window adds to one pixel
        bound = sum_bound(math.prod(p.pool_size))
        yield Case("max_pool2d", p.name, given(p.x, **p.options), "exact")
        yield Case("max_pool2d", f"{p.name}-ties", partial(_whole_numbers, p.x, p.options), "exact")
        yield Case(
            "max_pool2d_backward", p.name, behind("max_pool2d_backward", given(p.x, **p.options)), "linear", bound
        )
        mean = {**p.options, "counted": p.counted}
        yield Case("avg_pool2d", p.name, given(p.x, **mean), "linear", bound)
        yield Case("avg_pool2d_backward", p.name, given(p.y, rest=[p.x], **mean), "linear", bound)
    for shape in (s for s in BLOCKS if len(s) == 4):
        bound = sum_bound(shape[1] * shape[2])
        yield Case("global_avg_pool2d", size_name(shape), given(shape), "linear", bound)
        yield Case("global_max_pool2d", size_name(shape), given(shape), "exact")
        yield Case("global_max_pool2d", f"{size_name(shape)}-ties", partial(_whole_numbers, shape, {}), "exact")
        to_input = behind("global_max_pool2d_backward", given(shape))
        yield Case("global_max_pool2d_backward", size_name(shape), to_input, "exact")
        backward = given((shape[0], shape[3]), rest=[shape])
        yield Case("global_avg_pool2d_backward", size_name(shape), backward, "linear", 2)


def _pooled_convs() -> Iterator[Case]:
    convs = {c.name: c for c in CONVS}
    for name, size, strides, padding in POOLED:
        c = convs[name]
        p = Pool(name, c.y, size, strides, padding)
        macs, taps = conv2d_macs(c.y, c.kernel_shape), math.prod(c.kernel_shape[:3])
        by_two = (size, strides, padding) == ((2, 2), (2, 2), ((0, 0), (0, 0)))
        side_by_side = c.groups == 1 and geometry.windows_side_by_side(c.y, **p.options)
        # The products' sum as in conv2d, a factor 0.3 for leaky; of a mean the sum over the window too.
        plain = "linear", sum_bound(taps + 1) + 1
        mean = "linear", sum_bound(taps + 1) + 1 + sum_bound(math.prod(size))
        # Pooling that Winograd's tiles hold may run by that algorithm.
        tiles = c.bounds_of("winograd_rows" if c.grey else "winograd")["conv2d"]
        forward = {
            "conv2d_max_pool2d": tiles if by_two and (c.winograd or c.grey) else plain,
            "conv2d_avg_pool2d": mean,
        }
        # At most every pixel of the convolution has a gradient; up to three roundings of the derivative, and a mean's
        # share. Of the input: windows that share a pixel, each with the filters of its group.
        rows, fan_out = math.prod(c.y[:3]), math.prod(c.kernel) * c.filters // c.groups
        shared = math.prod(-(-a // b) for a, b in zip(size, strides, strict=True))
        back = c.bounds if c.winograd and by_two else {}
        backward = {
            "conv2d_max_pool2d_backward_kernel": back.get("conv2d_backward_kernel", ("linear", sum_bound(rows) + 3)),
            "conv2d_max_pool2d_backward_input": back.get(
                "conv2d_backward_input", ("linear", sum_bound(fan_out * shared) + 3)
            ),
        }
        if side_by_side:
            forward["conv2d_avg_pool2d_map"] = mean
            backward["conv2d_avg_pool2d_map_backward_kernel"] = "linear", sum_bound(rows) + 4
        for kind in ("linear", *RISING) if c.filters < 64 else ("relu",):
            numbers = {"slope": 0.3, "ceiling": 0.75}  # that a float32 is too, for it is compared with results
            options = {"convolution": c.options, "pooling": p.options, "activation": kind, **numbers}
            curved = kind not in STRAIGHT
            for op, (how, bound) in forward.items():
                if curved:
                    # 8 roundings of a number below 1, and its argument's error, whose sum of absolute values is near
                    # taps * 0.3^2 and some deviations of it.
                    how, bound = "scaled", 8 + bound * (1 + 0.2 * taps)
                build = given(c.x, c.kernel_shape, (c.filters,), scale=0.3, **options)
                yield Case(op, f"{name}-{kind}", build, how, bound, macs)
            small = math.sqrt(0.3) / taps**0.25 if curved else 0.3  # what 1 - y^2 is made of must not cancel
            build = given(c.x, c.kernel_shape, (c.filters,), scale=small, **options)
            for op, (how, bound) in backward.items():
                yield Case(op, f"{name}-{kind}", behind(op, build, zeros=0.3), how, bound, macs)


def _activations() -> Iterator[Case]:
    for shape in BLOCKS:
        for kind, numbers in ACTIVATIONS:
            values = {"slope": 0.0, **numbers}.values()
            name = "-".join([kind, *(f"{value:g}" for value in values), size_name(shape)])
            build = given(shape, rest=[kind], scale=3.0, **numbers)
            yield Case("activation", name, build, "pointwise", forward_bound)
            yield Case("activation_backward", name, behind("activation_backward", build), "pointwise", backward_bound)
    for shape in LOGITS:
        # exp of one rounded difference, a sum of K terms, a quotient
        bound = 8 + math.sqrt(shape[1])
        for scale in (1.0, 1e4):
            yield Case("softmax", f"{size_name(shape)}-{scale:g}", given(shape, scale=scale), "scaled", bound)
        yield Case("softmax_backward", size_name(shape), behind("softmax_backward", given(shape)), "scaled", bound)


def _cross_entropy(n: int, k: int, how: str, rng: np.random.Generator) -> Arguments:
    of_pixels = how.endswith("pixels")
    pixels = (n, *((9, 5) if n * k < 1000 else (3, 2))) if of_pixels else (n,)
    logits = normal(rng, (*pixels, k), 1e4 if how == "large" else 2.0)
    targets: Array = rng.integers(0, k, pixels)
    if how == "rows":
        rows = rng.random((n, k)) + 0.01
        targets = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    options: dict[str, Any] = {"label_smoothing": 0.1 if how.startswith("smoothed") else 0.0}
    if of_pixels:
        targets[:, 0, 0] = ops.IGNORED
        options |= {"ignored": ops.IGNORED, "class_weights": rng.random(k).astype(np.float32)}
    if of_pixels or how == "weighted":
        options["weights"] = rng.random(n).astype(np.float32)
    return (targets, logits), options


def _elementwise_loss(shape: Shape, rng: np.random.Generator) -> Arguments:
    targets, weights = rng.random(shape).astype(np.float32), rng.random(shape[0]).astype(np.float32)
    return (targets, normal(rng, shape, 3.0)), {"weights": weights}


def _losses() -> Iterator[Case]:
    for n, k in LOGITS:
        for how in ("labels", "rows", "smoothed", "weighted", "large", "pixels", "smoothed-pixels"):
            # log of a sum of K exps less one logit; the largest loss sets the scale
            build, bound = partial(_cross_entropy, n, k, how), 8 + math.sqrt(k)
            yield Case("softmax_cross_entropy", f"{how}-{n}x{k}", build, "scaled", bound)
    for shape in BLOCKS:
        for op in ("binary_cross_entropy", "mean_squared_error", "mean_absolute_error"):
            bound = 8 + math.sqrt(math.prod(shape[1:]))
            yield Case(op, size_name(shape), partial(_elementwise_loss, shape), "scaled", bound)


def _batch_norm(shape: Shape, rng: np.random.Generator) -> Arguments:
    x = normal(rng, shape, 2.0) + normal(rng, shape[-1:])
    return (x, normal(rng, shape[-1:]), normal(rng, shape[-1:])), {"epsilon": 1e-3}


def _own_norms(shape: Shape) -> Iterator[Case]:
    """Layer and group norm, bounds as batch norm's: sums over the numbers that are normalised together."""
    for axes in (1, len(shape) - 1):
        last, name = shape[-axes:], f"{axes}-of-{size_name(shape)}"
        build = partial(_one_norm, shape, last, {})
        bound = 32 + math.sqrt(max(math.prod(last), math.prod(shape[:-axes])))
        if math.prod(last) > 2:
            yield Case("layer_norm", name, build, "scaled", bound)
            yield Case("layer_norm_backward", name, behind("layer_norm_backward", build), "scaled", bound)
    for groups in {1, 2, shape[-1]}:
        if shape[-1] % groups == 0 and math.prod(shape[1:]) // groups > 2:
            build, name = partial(_one_norm, shape, shape[-1:], {"groups": groups}), f"{groups}-of-{size_name(shape)}"
            bound = 32 + math.sqrt(math.prod(shape[:-1]) * shape[-1] // groups)
            yield Case("group_norm", name, build, "scaled", bound)
            yield Case("group_norm_backward", name, behind("group_norm_backward", build), "scaled", bound)


def _one_norm(shape: Shape, last: Shape, options: dict[str, Any], rng: np.random.Generator) -> Arguments:
    x = normal(rng, shape, 2.0) + normal(rng, (shape[0], *(1 for _ in shape[1:])))
    return (x, normal(rng, last), normal(rng, last)), {"epsilon": 1e-3, **options}


def _normalizations() -> Iterator[Case]:
    for shape in BLOCKS:
        rows, build = math.prod(shape[:-1]), partial(_batch_norm, shape)
        bound = 32 + math.sqrt(rows)
        # mean and variance are sums over the rows; a small variance magnifies what the mean lost
        yield Case("batch_norm_inference", size_name(shape), behind("batch_norm_inference", build), "scaled", bound)
        if rows > 1:  # one row has no variance
            yield Case("batch_norm", size_name(shape), build, "scaled", bound)
            yield Case("batch_norm_backward", size_name(shape), behind("batch_norm_backward", build), "scaled", bound)
        if len(shape) > 2:
            yield from _own_norms(shape)
        for options in LRNS:
            name = "-".join([size_name(shape), *(f"{key}{value:g}" for key, value in options.items())])
            build = given(shape, scale=2.0, **options)
            yield Case("local_response_norm", name, build, "scaled", 16)
            backward = behind("local_response_norm_backward", build)
            yield Case("local_response_norm_backward", name, backward, "scaled", 16)


def _dropouts() -> Iterator[Case]:
    for shape in BLOCKS:
        for rate, key in DROPOUTS:
            # which are kept is exact; one product each
            build, name = given(shape, rest=[rate, key]), f"{rate:g}-{key[1]}-{size_name(shape)}"
            yield Case("dropout", name, build, "scaled", 1)
            yield Case("spatial_dropout", name, build, "scaled", 1)
            # a logarithm and a root, an angle's sine, a product and a sum: of numbers up to 5.8 times the deviation
            yield Case("gaussian_noise", name, build, "scaled", 8 + 12 * rate)


def _optimizer(size: int, slots: int, options: dict[str, Any], rng: np.random.Generator) -> Arguments:
    """Some slots are means of squares, so small positive numbers serve for every slot."""
    moments = [(np.abs(normal(rng, (size,))) * 0.1 + 0.5).astype(np.float32) for _ in range(slots)]
    if options.get("centered"):
        moments[2] *= np.float32(0.1)
    return (normal(rng, (size,)), normal(rng, (size,)), *moments), options


def _optimizers() -> Iterator[Case]:
    for op, variants in OPTIMIZERS.items():
        for number, (slots, options) in enumerate(variants):
            for size in VECTORS:
                # a dozen roundings of numbers no larger than the largest
                yield Case(op, f"{number}-{size}", partial(_optimizer, size, slots, options), "scaled", 12)


CASES: tuple[Case, ...] = (
    *_convs(),
    *_borders(),
    *_denses(),
    *_pools(),
    *_pooled_convs(),
    *_activations(),
    *_losses(),
    *_normalizations(),
    *_dropouts(),
    *_optimizers(),
    *gathers(),
    *augments(),
    *swaps(),
    *products(),
    *parts(),
    *slopes(),
)
