"""Layers by their names of Keras 1, whose convolutions take rows and columns of a kernel one by one."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any, ClassVar

from pellucid._fixed import Maker
from pellucid.errors import ConfigError, expect_known, shown
from pellucid.keras.composed import Lambda
from pellucid.layers import NAMES, Concatenate, Conv2D, Conv2DTranspose, Dot, Layer, SeparableConv2D
from pellucid.layers.older import MERGES, OLDER, kernel_of_two


class _OfKeras1(Maker):
    """Calling such a class makes a layer of today's, of which it is a class, too."""

    today: type[Layer]

    def __call__(cls, *args: Any, **given: Any) -> Any:
        if "today" not in vars(cls):  # a class of one's own that derives from it
            return super().__call__(*args, **given)
        read, named = kernel_of_two(cls.__name__, args, given)
        if len(read) < len(args) and given.keys().isdisjoint(OLDER):
            numbers = ", ".join(map(shown, args[:3]))
            warnings.warn(
                f"{cls.__name__}({numbers}) is read as in Keras 1: a kernel of {args[1]} x {args[2]}, strides 1; say "
                f"kernel_size=({args[1]}, {args[2]})",
                stacklevel=2,
            )
        return cls.today(*read, **named)

    def __instancecheck__(cls, layer: object) -> bool:
        return isinstance(layer, cls.today) if "today" in vars(cls) else super().__instancecheck__(layer)


class Convolution2D(Conv2D, metaclass=_OfKeras1):
    """`Conv2D`, also as Convolution2D(filters, rows, columns)."""

    today: ClassVar[type[Layer]] = Conv2D


class AtrousConvolution2D(Conv2D, metaclass=_OfKeras1):
    """`Conv2D`, also as AtrousConvolution2D(filters, rows, columns, atrous_rate=2)."""

    today: ClassVar[type[Layer]] = Conv2D


class SeparableConvolution2D(SeparableConv2D, metaclass=_OfKeras1):
    """`SeparableConv2D`, also as SeparableConvolution2D(filters, rows, columns)."""

    today: ClassVar[type[Layer]] = SeparableConv2D


class Deconvolution2D(Conv2DTranspose, metaclass=_OfKeras1):
    """`Conv2DTranspose`, also as Deconvolution2D(filters, rows, columns, subsample=2)."""

    today: ClassVar[type[Layer]] = Conv2DTranspose


def Merge(
    layers: Any = None,
    mode: str | Callable[[Any], Any] = "sum",
    concat_axis: int = -1,
    dot_axes: int | Sequence[int] = -1,
    arguments: dict[str, Any] | None = None,
    name: str | None = None,
) -> Layer:
    """The layer that merges several values: "sum", "mul", "ave", "max", "concat", "dot", "cos", or a function of them.

    Errors: ConfigError for another mode; for layers, whose values are given to what it returns.
    """
    if layers is not None:
        raise ConfigError(
            "Merge: a Sequential reads one input; make a Model of several: Model([a.input, b.input], "
            f"Merge(mode={shown(mode)})([a.output, b.output]))"
        )
    if callable(mode):
        return Lambda(mode, arguments=arguments, name=name)
    expect_known("Merge: mode", mode, (*MERGES, "dot", "cos"))
    if mode in ("dot", "cos"):
        return Dot(dot_axes, normalize=mode == "cos", name=name)
    return Concatenate(concat_axis, name=name) if mode == "concat" else NAMES[MERGES[mode]](name=name)


def merge(inputs: Sequence[Any], *how: Any, **named: Any) -> Any:
    """What `Merge(mode=..., ...)` gives for these values."""
    return Merge(None, *how, **named)(list(inputs))
