"""A kernel on its way over a picture: at each place the patch, the products, their sum, and the map so far."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pellucid._display import Brief
from pellucid.datasets.download import Progress
from pellucid.errors import ConfigError, ShapeError, expect_known
from pellucid.layers import Conv2D
from pellucid.model import Model, Sequential
from pellucid.model.tracing import trace
from pellucid.ops import Array, Pair
from pellucid.ops.geometry import whole
from pellucid.visualise.answers import batch_of_one
from pellucid.visualise.dissection.data import Dissection, dissect_step
from pellucid.visualise.drawing.labels import ENGLISH, Labels

FRAMES = 100
"""Places that are drawn at most if nobody says; the first row of the map takes up to half of them."""

KERNELS: dict[str, tuple[tuple[float, ...], ...]] = {
    "edge": ((-1, 0, 1), (-1, 0, 1), (-1, 0, 1)),
    "horizontal-edge": ((-1, -1, -1), (0, 0, 0), (1, 1, 1)),
    "average": ((1 / 9,) * 3,) * 3,
    "sharpen": ((0, -1, 0), (-1, 5, -1), (0, -1, 0)),
}
"""Kernels that need no network: Prewitt's two for edges, the mean of nine pixels, and what stands out from them."""


@dataclass(frozen=True, repr=False)
class SlideFrame(Brief):
    """The window at one place of the map.

    Shapes: patch (KH,KW,C'); products (KH,KW), added over the channels, None for the largest value of a pooling.
    Units: place, rows, columns as in Dissection; filled: places of the map that are done, in the order of its rows.
    """

    place: Pair
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    patch: Array
    products: Array | None
    picked: tuple[int, ...] | None
    result: float
    in_words: Callable[[Labels], str]
    """The equation in a language."""
    filled: int

    @property
    def equation(self) -> str:
        """In English."""
        return self.in_words(ENGLISH)


@dataclass(frozen=True, repr=False)
class Slide(Brief, Sequence[SlideFrame]):
    """All that a sliding kernel meets on its way, frame by frame.

    Shapes: input (H,W,C'), the channels that the kernel sees, named in `channels`; kernel (KH,KW,C'), None of a
        pooling; map (OH,OW), complete.
    """

    layer: str
    detail: str
    kind: str
    channel: int
    channels: tuple[int, ...]
    input: Array
    kernel: Array | None
    map: Array
    frames: tuple[SlideFrame, ...]

    def __len__(self) -> int:
        return len(self.frames)

    def __getitem__(self, index: Any) -> Any:
        return self.frames[index]

    def grown(self, index: int) -> Array:
        """The map as far as it is done at a frame; NaN where the window has not been. Shapes: (OH,OW)."""
        order = np.arange(self.map.size).reshape(self.map.shape)
        return np.where(order < self.frames[index].filled, self.map, np.nan)


def slide(
    model: Model,
    picture: Any,
    layer: str | None = None,
    channel: int | None = None,
    *,
    frames: int | None = None,
    every: int | None = None,
    progress: Progress | None = None,
) -> Slide:
    """A layer's window on its way over what the layer gets for one picture.

    layer: a convolution or pooling, by name; None for the first convolution. channel: of its output; None for the one
    with the largest value. frames, every: see `slide_places`.
    Shapes: picture (H, W, C), or (H, W), uint8 or float.
    Errors: ShapeError and DataError as `trace`; ConfigError for a layer without a window, or an unknown channel.
    """
    seen = trace(model, batch_of_one(model, picture))
    slides = [one.name for one in seen if one.layer.window() is not None and one.output.ndim == 4]
    first = next((one.name for one in seen if one.layer.role == "convolution"), seen[0].name)
    step = seen[first if layer is None else layer]
    if step.name not in slides:
        with_one = ", ".join(slides) or "-"
        raise ConfigError(f"{step.layer.place()} has no window that slides over a picture; layers with one: {with_one}")
    output = step.output[0]
    count = output.shape[2]
    chosen = int(np.unravel_index(int(np.nan_to_num(output).argmax()), output.shape)[2]) if channel is None else channel
    if not 0 <= chosen < count:
        raise ConfigError(f"{step.layer.place()} has channels 0 to {count - 1}, got {channel}")
    height, width = output.shape[:2]
    strongest = int(np.nan_to_num(output[:, :, chosen]).argmax()) // width
    places = slide_places((height, width), strongest, frames=frames, every=every)
    shots = []
    for number, place in enumerate(places, 1):
        found = dissect_step(step, (*divmod(place, width), chosen))
        shots.append(_frame(found, place + 1 if number < len(places) else height * width))
        if progress is not None:
            progress(number, len(places), "sliding the kernel")
    return Slide(
        layer=step.name,
        detail=found.detail,
        kind=found.kind,
        channel=chosen,
        channels=found.channels,
        input=found.input[:, :, list(found.channels)],
        kernel=found.kernel if found.kind == "convolution" else None,
        map=np.asarray(output[:, :, chosen]),
        frames=tuple(shots),
    )


def slide_places(
    map_shape: Pair, slow_row: int = 0, *, frames: int | None = None, every: int | None = None
) -> list[int]:
    """The places of a map at which a window is shown, numbered row by row; the first and the last are among them.

    every: each so many-th place, and the last. Without it, places at even distances, and in `slow_row` place by place,
    as far as half of the `frames` allow: there one can follow, and the rest does not take for ever.
    frames: at most so many; None for FRAMES, or with `every` for all there are, of which it takes the first.
    Errors: ConfigError for frames or every below 1.
    """
    height, width = map_shape
    last = height * width - 1
    count = None if frames is None else whole(frames, "frames")
    if every is not None:
        places = [*range(0, last, whole(every, "every")), last]
        return places if count is None else places[:count]
    count = FRAMES if count is None else count
    if count > last:
        return list(range(last + 1))
    slow = range(slow_row * width, min((slow_row + 1) * width, slow_row * width + count // 2))
    rest = np.linspace(0, last, count - len(slow)).round().astype(int) if count - len(slow) > 1 else [last]
    return sorted({*slow, *map(int, rest)})


def kernel_network(kernel: str | Any, shape: Sequence[int]) -> Model:
    """A network of one convolution, whose kernel is known by name or given, for pictures of a shape.

    Of colours it takes the mean: the kernel is the same for every channel, divided by their number.
    Shapes: shape (H,W,C); kernel one of KERNELS, or (KH,KW).
    Errors: ConfigError for an unknown name; ShapeError for a kernel of other axes, or larger than the picture.
    """
    if isinstance(kernel, str):
        expect_known("kernel", kernel, KERNELS)
        name, values = kernel.replace("-", "_"), np.array(KERNELS[kernel])
    else:
        name, values = "kernel", np.asarray(kernel, np.float64)
    if values.ndim != 2:
        raise ShapeError(f"a kernel to slide: expected rows and columns (KH,KW), got shape {values.shape}")
    layer = Conv2D(1, values.shape, use_bias=False, name=name, input_shape=tuple(shape))
    model = Sequential([layer], name=name)
    channels = shape[2]
    layer.set_weights([np.repeat(values[:, :, None, None] / channels, channels, axis=2)])
    return model


def _frame(found: Dissection, filled: int) -> SlideFrame:
    return SlideFrame(
        place=(found.position[0], found.position[1]),
        rows=found.rows,
        columns=found.columns,
        patch=found.patch,
        products=None if found.products is None else found.products.sum(axis=2),
        picked=found.picked,
        result=found.result,
        in_words=found.in_words,
        filled=filled,
    )
