"""Normalisation of each example by itself: of groups of its channels, or of its last axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from pellucid.errors import ShapeError
from pellucid.ops.dispatch import array, arrays, expect_shape, result, run
from pellucid.ops.geometry import Array, Shape, whole


def group_norm(
    x: Array, gamma: Array, beta: Array, *, groups: int, epsilon: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, with mean and biased variance of an example's group.

    Shapes: x (N,...,C), gamma, beta (C,) -> y like x, mean, variance (N,G), taken over all places and C/G channels.
    Errors: ShapeError if the channels do not match, or do not divide into groups.
    Source: Wu & He 2018, equations 1 to 3 and 7.
    """
    x = array("group_norm", "x", x)
    return _forward("group_norm", by_groups("group_norm", x.shape, groups), x, gamma, beta, epsilon, out)


def group_norm_backward(
    dy: Array,
    x: Array,
    gamma: Array,
    mean: Array,
    variance: Array,
    *,
    groups: int,
    epsilon: float,
    out: Array | None = None,
) -> tuple[Array, Array, Array]:
    """dx = (g - mean(g) - xhat * mean(g * xhat)) / std with g = gamma * dy; dgamma = sum(dy * xhat); dbeta = sum(dy).

    Shapes: dy, x (N,...,C), gamma (C,), mean, variance (N,G) -> dx like x, dgamma, dbeta (C,).
    Errors: ShapeError if shapes do not match.
    """
    op = "group_norm_backward"
    x = array(op, "x", x)
    return _backward(op, by_groups(op, x.shape, groups), (dy, x, gamma, mean, variance), epsilon, out)


def layer_norm(
    x: Array, gamma: Array, beta: Array, *, epsilon: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """y = gamma * (x - mean) / sqrt(variance + epsilon) + beta, over as many of the last axes as gamma has.

    Shapes: x (N,...,*axes), gamma, beta (*axes) -> y like x, mean, variance (N,...).
    Errors: ShapeError if x does not end in the axes of gamma, with others before them.
    Source: Ba, Kiros & Hinton 2016, equations 3 and 4.
    """
    x, gamma = arrays("layer_norm", x=x, gamma=gamma)
    return _forward("layer_norm", by_places("layer_norm", x.shape, gamma.shape), x, gamma, beta, epsilon, out)


def layer_norm_backward(
    dy: Array, x: Array, gamma: Array, mean: Array, variance: Array, *, epsilon: float, out: Array | None = None
) -> tuple[Array, Array, Array]:
    """As `group_norm_backward`, where mean and variance are those of the last axes.

    Shapes: dy, x (N,...,*axes), gamma (*axes), mean, variance (N,...) -> dx like x, dgamma, dbeta (*axes).
    Errors: ShapeError if shapes do not match.
    """
    op = "layer_norm_backward"
    x, gamma = arrays(op, x=x, gamma=gamma)
    return _backward(op, by_places(op, x.shape, gamma.shape), (dy, x, gamma, mean, variance), epsilon, out)


@dataclass(frozen=True)
class Laid:
    """How the kernel sees the arrays: x as (N,OUTER,...,C), mean and variance as (N,OUTER,G).

    given: the shape of mean and variance for the caller; weights: that of gamma.
    """

    x: Shape
    statistics: Shape
    given: Shape
    weights: Shape


def by_groups(op: str, x: Shape, groups: int) -> Laid:
    """Of x (N,...,C). Errors: ShapeError where the channels do not divide into groups."""
    groups = whole(groups, f"{op}: groups")
    if len(x) < 2 or x[-1] % groups:
        raise ShapeError(f"{op}: x must have the axes (N, ..., C) with C a multiple of {groups} groups, got shape {x}")
    return Laid((x[0], 1, *x[1:]), (x[0], 1, groups), (x[0], groups), x[-1:])


def by_places(op: str, x: Shape, gamma: Shape) -> Laid:
    """Of x (N,...,*gamma). Errors: ShapeError where x does not end like that."""
    given = x[: -len(gamma)]
    if not given or not gamma or x[len(given) :] != gamma:
        raise ShapeError(f"{op}: x must end in the axes of gamma {gamma}, behind the batch axis, got {x}")
    places = math.prod(given[1:])
    return Laid((x[0], places, math.prod(gamma)), (x[0], places, 1), given, gamma)


def _forward(
    op: str, laid: Laid, x: Array, gamma: Array, beta: Array, epsilon: float, out: Array | None
) -> tuple[Array, Array, Array]:
    x, gamma, beta = arrays(op, x=x, gamma=gamma, beta=beta)
    for name, value in (("gamma", gamma), ("beta", beta)):
        expect_shape(op, name, value, laid.weights, "one number for each of those normalised alike")
    y = result(op, x.shape, (x, gamma, beta), out)
    mean, variance = np.empty(laid.statistics, x.dtype), np.empty(laid.statistics, x.dtype)
    flat = gamma.reshape(-1), beta.reshape(-1)
    run("group_norm", x.reshape(laid.x), *flat, y.reshape(laid.x), mean, variance, epsilon=epsilon)
    return y, mean.reshape(laid.given), variance.reshape(laid.given)


def _backward(
    op: str, laid: Laid, given: tuple[Array, ...], epsilon: float, out: Array | None
) -> tuple[Array, Array, Array]:
    names = "dy", "x", "gamma", "mean", "variance"
    dy, x, gamma, mean, variance = arrays(op, **dict(zip(names, given, strict=True)))
    expect_shape(op, "dy", dy, x.shape, "it is the gradient of the normalised output")
    expect_shape(op, "gamma", gamma, laid.weights, "one number for each of those normalised alike")
    for name, value in (("mean", mean), ("variance", variance)):
        expect_shape(op, name, value, laid.given, "it is a result of the forward pass")
    dx = result(op, x.shape, (dy, x, gamma, mean, variance), out)
    dgamma, dbeta = np.empty_like(gamma), np.empty_like(gamma)
    statistics = mean.reshape(laid.statistics), variance.reshape(laid.statistics)
    grads = dx.reshape(laid.x), dgamma.reshape(-1), dbeta.reshape(-1)
    row = dy.reshape(laid.x), x.reshape(laid.x), gamma.reshape(-1)
    run("group_norm_backward", *row, *statistics, *grads, epsilon=epsilon)
    return dx, dgamma, dbeta
