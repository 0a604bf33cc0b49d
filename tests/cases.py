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

linear and tiles are for data around 0, whose roundings cancel; test_bounds.py has the bounds for all data.
eps is float32's 2^-23.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from case import Arguments, Case, Conv, Pool, given, normal, size_name, sum_bound
from sizes import (
    ACTIVATIONS,
    BLOCKS,
    CONVS,
    DENSES,
    DROPOUTS,
    LOGITS,
    LRNS,
    OPTIMIZERS,
    POOLED,
    POOLS,
    VECTORS,
)

from pellucid.ops import geometry, reference
from pellucid.ops.geometry import Array, Shape


def _convs() -> Iterator[Case]:
    for c in CONVS:
        macs = geometry.conv2d_macs(c.y, c.kernel_shape)
        forward = given(c.x, c.kernel_shape, (c.filters,), **c.options)
        to_input = given(c.y, c.kernel_shape, rest=[c.x], **c.options)
        to_kernel = given(c.x, c.y, rest=[c.kernel_shape], **c.options)
        builds = {"conv2d": forward, "conv2d_backward_input": to_input, "conv2d_backward_kernel": to_kernel}
        for op, build in builds.items():
            yield Case(op, c.name, build, *c.bounds[op], macs)
    yield Case("zero_pad2d", "asymmetric", given((2, 4, 3, 5), rest=[((1, 2), (0, 3))]), "exact")


def _denses() -> Iterator[Case]:
    for n, i, u in DENSES:
        name, macs = f"{n}x{i}x{u}", n * i * u
        yield Case("dense", name, given((n, i), (i, u), (u,)), "linear", sum_bound(i + 1), macs)
        yield Case("dense", f"{name}-no-bias", given((n, i), (i, u)), "linear", sum_bound(i), macs)
        yield Case("dense_backward_input", name, given((n, u), (i, u)), "linear", sum_bound(u), macs)
        yield Case("dense_backward_kernel", name, given((n, i), (n, u)), "linear", sum_bound(n), macs)
    for shape in BLOCKS:
        yield Case("bias_backward", size_name(shape), given(shape), "linear", sum_bound(math.prod(shape[:-1])))


def _whole_numbers(p: Pool, rng: np.random.Generator) -> Arguments:
    """Few different values, so that windows hold ties."""
    return (np.round(normal(rng, p.x)),), p.options


def _max_backward(p: Pool, rng: np.random.Generator) -> Arguments:
    """Places that a real forward pass gives: inside the picture."""
    y, argmax = np.empty(p.y, np.float32), np.empty(p.y, np.uint8 if math.prod(p.pool_size) <= 255 else np.int32)
    reference.pool.max_pool2d(normal(rng, p.x), y, argmax, **p.options)
    return (normal(rng, p.y), argmax, p.x), p.options


def _pools() -> Iterator[Case]:
    for p in POOLS:
        # forward a sum of all taps; backward at most every tap of a window adds to one pixel
        bound = sum_bound(math.prod(p.pool_size))
        yield Case("max_pool2d", p.name, given(p.x, **p.options), "exact")
        yield Case("max_pool2d", f"{p.name}-ties", partial(_whole_numbers, p), "exact")
        yield Case("max_pool2d_backward", p.name, partial(_max_backward, p), "linear", bound)
        yield Case("avg_pool2d", p.name, given(p.x, **p.options), "linear", bound)
        yield Case("avg_pool2d_backward", p.name, given(p.y, rest=[p.x], **p.options), "linear", bound)
    for shape in (s for s in BLOCKS if len(s) == 4):
        bound = sum_bound(shape[1] * shape[2])
        yield Case("global_avg_pool2d", size_name(shape), given(shape), "linear", bound)
        backward = given((shape[0], shape[3]), rest=[shape])
        yield Case("global_avg_pool2d_backward", size_name(shape), backward, "linear", 2)


def _pooled_backward(c: Conv, p: Pool, kind: str, rng: np.random.Generator) -> tuple[Arguments, Arguments]:
    """Arguments of both gradients, on what a forward pass gives; a third of dy is zero, as behind a dropout."""
    options = {"convolution": c.options, "pooling": p.options, "activation": kind, "slope": 0.3}
    small = 0.3 / math.sqrt(math.prod(c.kernel_shape[:3])) if kind == "tanh" else 0.3  # 1 - y^2 must not cancel
    x, kernel, bias = normal(rng, c.x), normal(rng, c.kernel_shape, small), normal(rng, (c.filters,), small)
    y, argmax = np.empty(p.y, np.float32), np.empty(p.y, np.uint8)
    reference.conv_pool.conv2d_pool(x, kernel, bias, y, argmax, **options)
    dy = (normal(rng, p.y) * (rng.random(p.y) > 0.3)).astype(np.float32)
    return ((x, dy, y, argmax, c.kernel_shape), options), ((dy, y, argmax, kernel, c.x), options)


def _pooled_convs() -> Iterator[Case]:
    convs = {c.name: c for c in CONVS}
    for name, size, strides, padding in POOLED:
        c = convs[name]
        p = Pool(name, c.y, size, strides, padding)
        macs, taps = geometry.conv2d_macs(c.y, c.kernel_shape), math.prod(c.kernel_shape[:3])
        fan_out = math.prod(c.kernel) * c.filters // c.groups
        for kind in ("linear", "relu", "leaky_relu", "tanh") if c.filters < 64 else ("relu",):
            options = {"convolution": c.options, "pooling": p.options, "activation": kind, "slope": 0.3}
            forward = given(c.x, c.kernel_shape, (c.filters,), scale=0.3, **options)
            # The products' sum as in conv2d, a factor 0.3 for leaky. A tanh adds 8 roundings of a number below 1 to
            # its argument's error, whose sum of absolute values is near taps * 0.3^2 and some deviations of it.
            # Pooling that Winograd's tiles hold may run by that algorithm.
            by_two = (size, strides, padding) == ((2, 2), (2, 2), ((0, 0), (0, 0)))
            in_tiles = c.winograd and by_two
            plain = "linear", sum_bound(taps + 1) + 1
            max_bound = c.bounds_of("winograd_rows" if c.grey and by_two else "winograd")["conv2d"]
            for op, (how, bound) in (
                ("conv2d_max_pool2d", max_bound if by_two and (c.winograd or c.grey) else plain),
                ("conv2d_avg_pool2d", (plain[0], plain[1] + sum_bound(math.prod(size)))),
            ):
                if kind == "tanh":
                    how, bound = "scaled", 8 + bound * (1 + 0.2 * taps)
                yield Case(op, f"{name}-{kind}", forward, how, bound, macs)
            # At most every pixel of the convolution has a gradient; up to three roundings of the derivative.
            rows = sum_bound(math.prod(c.y[:3])) + 3
            windows = math.prod(-(-a // b) for a, b in zip(size, strides, strict=True))  # that share a pixel
            fan = sum_bound(fan_out * windows) + 3
            to_kernel, to_input = (partial(_pooled_backward_part, c, p, kind, i) for i in range(2))
            back = c.bounds if in_tiles else {}
            how, bound = back.get("conv2d_backward_kernel", ("linear", rows))
            yield Case("conv2d_max_pool2d_backward_kernel", f"{name}-{kind}", to_kernel, how, bound, macs)
            how, bound = back.get("conv2d_backward_input", ("linear", fan))
            yield Case("conv2d_max_pool2d_backward_input", f"{name}-{kind}", to_input, how, bound, macs)


def _map_backward(c: Conv, p: Pool, kind: str, rng: np.random.Generator) -> Arguments:
    """Any map will do, within what the activation gives: 0 to 1."""
    planes = np.abs(np.sin(normal(rng, (c.y[0], *(c.y[i] for i in (3, 1, 2))))))
    options = {"convolution": c.options, "pooling": p.options, "activation": kind, "slope": 0.3}
    return (normal(rng, c.x), normal(rng, p.y), planes, c.kernel_shape), options


def _mapped_convs() -> Iterator[Case]:
    """Average pooling that keeps its map, where its windows lie side by side."""
    convs = {c.name: c for c in CONVS}
    for name, size, strides, padding in POOLED:
        c = convs[name]
        p = Pool(name, c.y, size, strides, padding)
        if c.groups > 1 or not geometry.windows_side_by_side(c.y, **p.options):
            continue
        macs, taps = geometry.conv2d_macs(c.y, c.kernel_shape), math.prod(c.kernel_shape[:3])
        for kind in ("linear", "relu", "leaky_relu", "sigmoid"):
            options = {"convolution": c.options, "pooling": p.options, "activation": kind, "slope": 0.3}
            # As of conv2d_avg_pool2d, a sigmoid's like a tanh's.
            how, bound = "linear", sum_bound(taps + 1) + 1 + sum_bound(math.prod(size))
            if kind == "sigmoid":
                how, bound = "scaled", 8 + bound * (1 + 0.2 * taps)
            forward = given(c.x, c.kernel_shape, (c.filters,), scale=0.3, **options)
            yield Case("conv2d_avg_pool2d_map", f"{name}-{kind}", forward, how, bound, macs)
            # A mean's share, and up to three roundings of the derivative.
            rows = sum_bound(math.prod(c.y[:3])) + 4
            backward = partial(_map_backward, c, p, kind)
            yield Case("conv2d_avg_pool2d_map_backward_kernel", f"{name}-{kind}", backward, "linear", rows, macs)


def _pooled_backward_part(c: Conv, p: Pool, kind: str, part: int, rng: np.random.Generator) -> Arguments:
    return _pooled_backward(c, p, kind, rng)[part]


def _activation_backward(kind: str, slope: float, shape: Shape, rng: np.random.Generator) -> Arguments:
    x = normal(rng, shape, 3.0)
    y = np.empty_like(x)
    reference.nonlinear.activation(x, y, kind, slope=slope)
    return (normal(rng, shape), y, kind), {"slope": slope}


def _softmax_backward(shape: Shape, rng: np.random.Generator) -> Arguments:
    y = np.exp(normal(rng, shape))
    return (normal(rng, shape), (y / y.sum(axis=1, keepdims=True)).astype(np.float32)), {}


def _activations() -> Iterator[Case]:
    for shape in BLOCKS:
        for kind, slope in ACTIVATIONS:
            # one product for leaky; exp, sum and quotient for the others
            how, bound = ("exact", 0.0) if kind == "relu" else ("scaled", 1.0 if kind == "leaky_relu" else 8.0)
            name = f"{kind}-{slope:g}-{size_name(shape)}"
            yield Case("activation", name, given(shape, rest=[kind], scale=3.0, slope=slope), how, bound)
            yield Case("activation_backward", name, partial(_activation_backward, kind, slope, shape), how, bound)
    for shape in LOGITS:
        # exp of one rounded difference, a sum of K terms, a quotient
        bound = 8 + math.sqrt(shape[1])
        for scale in (1.0, 1e4):
            yield Case("softmax", f"{size_name(shape)}-{scale:g}", given(shape, scale=scale), "scaled", bound)
        yield Case("softmax_backward", size_name(shape), partial(_softmax_backward, shape), "scaled", bound)


def _cross_entropy(n: int, k: int, how: str, rng: np.random.Generator) -> Arguments:
    logits = normal(rng, (n, k), 1e4 if how == "large" else 2.0)
    targets: Array = rng.integers(0, k, n)
    if how == "rows":
        rows = rng.random((n, k)) + 0.01
        targets = (rows / rows.sum(axis=1, keepdims=True)).astype(np.float32)
    options: dict[str, Any] = {"label_smoothing": 0.1 if how == "smoothed" else 0.0}
    if how == "weighted":
        options["weights"] = rng.random(n).astype(np.float32)
    return (targets, logits), options


def _elementwise_loss(shape: Shape, rng: np.random.Generator) -> Arguments:
    targets, weights = rng.random(shape).astype(np.float32), rng.random(shape[0]).astype(np.float32)
    return (targets, normal(rng, shape, 3.0)), {"weights": weights}


def _losses() -> Iterator[Case]:
    for n, k in LOGITS:
        for how in ("labels", "rows", "smoothed", "weighted", "large"):
            # log of a sum of K exps less one logit; the largest loss sets the scale
            build, bound = partial(_cross_entropy, n, k, how), 8 + math.sqrt(k)
            yield Case("softmax_cross_entropy", f"{how}-{n}x{k}", build, "scaled", bound)
    for shape in BLOCKS:
        for op in ("binary_cross_entropy", "mean_squared_error", "mean_absolute_error"):
            bound = 8 + math.sqrt(math.prod(shape[1:]))
            yield Case(op, size_name(shape), partial(_elementwise_loss, shape), "scaled", bound)


def _batch_norm(op: str, shape: Shape, rng: np.random.Generator) -> Arguments:
    c, options = shape[-1:], {"epsilon": 1e-3}
    x = normal(rng, shape, 2.0) + normal(rng, c)
    gamma, beta = normal(rng, c), normal(rng, c)
    if op == "batch_norm":
        return (x, gamma, beta), options
    axes = tuple(range(len(shape) - 1))
    mean, variance = x.mean(axis=axes), x.var(axis=axes)
    if op == "batch_norm_inference":
        return (x, gamma, beta, mean, variance), options
    return (normal(rng, shape), x, gamma, mean, variance), options


def _lrn_backward(shape: Shape, options: dict[str, Any], rng: np.random.Generator) -> Arguments:
    full = {"size": 5, "alpha": 1e-4, "beta": 0.75, "k": 2.0, **options}
    x = normal(rng, shape, 2.0)
    y, scale = np.empty_like(x), np.empty_like(x)
    reference.normalization.local_response_norm(x, y, scale, **full)
    del full["k"]
    return (normal(rng, shape), x, y, scale), full


def _normalizations() -> Iterator[Case]:
    for shape in BLOCKS:
        rows = math.prod(shape[:-1])
        for op in ("batch_norm", "batch_norm_inference", "batch_norm_backward"):
            if rows > 1 or op == "batch_norm_inference":  # one row has no variance
                # mean and variance are sums over the rows; a small variance magnifies what the mean lost
                yield Case(op, size_name(shape), partial(_batch_norm, op, shape), "scaled", 32 + math.sqrt(rows))
        for options in LRNS:
            name = "-".join([size_name(shape), *(f"{key}{value:g}" for key, value in options.items())])
            yield Case("local_response_norm", name, given(shape, scale=2.0, **options), "scaled", 16)
            yield Case("local_response_norm_backward", name, partial(_lrn_backward, shape, options), "scaled", 16)


def _dropouts() -> Iterator[Case]:
    for shape in BLOCKS:
        for rate, key in DROPOUTS:
            # which are kept is exact; one product each
            build = given(shape, rest=[rate, key])
            yield Case("dropout", f"{rate:g}-{key[1]}-{size_name(shape)}", build, "scaled", 1)


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


def _gather(shape: Shape, dtype: type, rng: np.random.Generator) -> Arguments:
    source: Array = rng.integers(0, 256, shape).astype(dtype)
    options = {"scale": rng.random(shape[3]).astype(np.float32) / 255, "offset": normal(rng, (shape[3],))}
    return (source, rng.integers(0, shape[0], 5)), options


def _gathers() -> Iterator[Case]:
    for shape in ((9, 8, 8, 1), (7, 5, 3, 3), (4, 2, 3, 16), (3, 1, 1, 1)):
        for dtype in (np.uint8, np.float32):
            build = partial(_gather, shape, dtype)
            yield Case("gather", f"{np.dtype(dtype)}-{size_name(shape)}", build, "scaled", 2)


def _swaps() -> Iterator[Case]:
    for shape in ((30, 144, 100), (3, 5, 7), (1, 9, 46), (6, 1, 1), (2, 3, 8)):
        yield Case("swap_axes", size_name(shape), given(shape), "exact")


CASES: tuple[Case, ...] = (
    *_convs(),
    *_denses(),
    *_pools(),
    *_pooled_convs(),
    *_mapped_convs(),
    *_activations(),
    *_losses(),
    *_normalizations(),
    *_dropouts(),
    *_optimizers(),
    *_gathers(),
    *_swaps(),
)
