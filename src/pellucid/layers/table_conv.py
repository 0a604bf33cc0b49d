"""Convolution with a connection table: each filter looks at some of the maps below, not at all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from pellucid.errors import ConfigError, shown
from pellucid.layers.conv import Conv2D
from pellucid.layers.weighted import WeightedNamed
from pellucid.ops import Array, Shape
from pellucid.ops.geometry import expect_weights, whole
from pellucid.ops.macs import conv2d_macs

Table = Sequence[Sequence[int]]
"""For each filter, the numbers of the maps it sees."""

MAX_MAPS = 2**16
"""Maps that a table may speak of."""


class TableConv2D(Conv2D):
    """A Conv2D whose filter o sees the channels table[o] alone; its sum runs over those c, and over (a,b) as Conv2D's.

    Only the weights of connections there are exist, are trained and are saved: one KH x KW kernel each. To compute,
    they are laid into a dense kernel with zeros between.

    Shapes: x (N,H,W,C) -> y (N,OH,OW,O) as Conv2D's, O = len(table), C = one more than the highest number in it; kernel
        (KH,KW,connections), filter by filter in the order of the table; bias (O,).
    Units: as Conv2D. A filter's fan-in for the initializer counts the channels it sees.
    Errors: ConfigError for a filter that sees nothing, sees a map twice, or a map nobody sees; ShapeError as Conv2D.
    Source: LeCun, Bottou, Bengio & Haffner 1998, section II-B, layer C3.
    """

    def __init__(
        self,
        table: Table,
        kernel_size: int | Sequence[int],
        strides: int | Sequence[int] = 1,
        padding: str | int | Sequence[Any] = "valid",
        *,
        dilation_rate: int | Sequence[int] = 1,
        **named: Unpack[WeightedNamed],
    ) -> None:
        self.table = standardize_table(table, type(self).__name__)
        super().__init__(len(self.table), kernel_size, strides, padding, dilation_rate=dilation_rate, **named)
        # the input map and the filter of each connection, in the order in which the kernel keeps them
        self.inputs = np.array([channel for seen in self.table for channel in seen])
        self.outputs = np.repeat(np.arange(len(self.table)), [len(seen) for seen in self.table])

    def macs(self, input_shape: Shape) -> int:
        rows, columns, _ = self._map_shape(input_shape)
        return conv2d_macs((rows, columns, 1), (*self.kernel_size, len(self.inputs), 1))

    def detail(self) -> str:
        return f"{super().detail()}, {len(self.inputs)} of {self.filters * self._built_channels()}"

    @property
    def caption(self) -> tuple[str, ...]:
        return (*super().caption, f"{len(self.inputs)} of {self.filters * self._built_channels()} links")

    def channels_seen(self, channel: int, channels: int) -> tuple[int, ...]:
        return self.table[channel]

    def filter_kernel(self, channel: int) -> Array:
        return self.params["kernel"][:, :, self.outputs == channel]

    def _draw_kernel(self, channels: int, rng: np.random.Generator) -> Array:
        expect_weights((*self.kernel_size, channels, self.filters), self.place())
        shapes = [(*self.kernel_size, len(seen), 1) for seen in self.table]
        return np.concatenate([self.draw("kernel_initializer", each, rng)[..., 0] for each in shapes], axis=-1)

    def as_filters(self, kernel: Array) -> Array:
        """(KH,KW,C,O), zero where there is no connection; a copy."""
        dense = np.zeros((*self.kernel_size, self._built_channels(), self.filters), kernel.dtype)
        dense[:, :, self.inputs, self.outputs] = kernel
        return dense

    def _as_stored(self, dkernel: Array) -> Array:
        return np.ascontiguousarray(dkernel[:, :, self.inputs, self.outputs])

    def _built_channels(self) -> int:
        return int(self.inputs.max()) + 1


def standardize_table(table: Table, where: str) -> tuple[tuple[int, ...], ...]:
    """The table as tuples. Errors: ConfigError, see TableConv2D."""
    try:
        filters = tuple(
            tuple(whole(map_, f"a map of filter {number}", MAX_MAPS, least=0) for map_ in seen)
            for number, seen in enumerate(table)
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{where}: table must list the maps that each filter sees: {error}") from None
    for number, seen in enumerate(filters):
        if not seen or len(set(seen)) != len(seen):
            raise ConfigError(f"{where}: filter {number} must see one map or more, each once, got {shown(list(seen))}")
    used = {channel for seen in filters for channel in seen}
    unseen = sorted(set(range(max(used, default=-1) + 1)) - used)
    if not filters or unseen:
        got = f"none that sees map {unseen[0]}" if unseen else "no filter"
        raise ConfigError(f"{where}: table must connect every map to some filter, got {got}")
    return filters
