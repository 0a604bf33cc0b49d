"""Pictures moved, recoloured, cut and mixed on their way into a batch, and their targets mixed alike.

What happens to a picture is a row of `draws`, DRAWN numbers:

    0:6    place     the pixel in row i and column j comes from column place[0]*j + place[1]*i + place[2] and row
                     place[3]*j + place[4]*i + place[5], between pixels by bilinear interpolation
    6:15   colour    a 3x3 matrix from (red, green, blue) to the same; for other than 3 channels its first number
                     multiplies each
    15     grey      so many times the mean of the picture is added to each channel; of colours the mean brightness
    16:20  box       rows box[0] to box[2] and columns box[1] to box[3], the last left out, become half white
    20     share     1, or what is left of the picture beside that much of the one which stands as far from the end of
                     the batch as it from the beginning

White is 255 in bytes, whose results are cut to 0 to 255, and 1 in floats, whose are not.
"""

from __future__ import annotations

import numpy as np

from pellucid.ops.geometry import Array
from pellucid.ops.reference.data import chosen
from pellucid.ops.reference.loss import IGNORED
from pellucid.ops.table import call, op

DRAWN = 21
"""Numbers that say what happens to one picture."""
BORDERS = ("constant", "reflect", "edge")
"""What lies beyond a picture that was moved."""
PLACE, COLOUR, GREY, BOX, SHARE = slice(0, 6), slice(6, 15), 15, slice(16, 20), 20
BRIGHTNESS = np.array([0.299, 0.587, 0.114])
"""Of red, green and blue, as eyes see them: ITU-R BT.601."""
FAR = 2.0**22
"""Pixels: what comes from further away is taken from there."""


@op(
    fields={"source": ("bytes", "floats")},
    typical=[
        call("128 x 32x32x3", source=(1000, 32, 32, 3), indices=(1000,), draws=(1000, 21), out=(128, 32, 32, 3)),
        call("16 x 224x224x3", source=(32, 224, 224, 3), indices=(32,), draws=(32, 21), out=(16, 224, 224, 3)),
    ],
)
def augment(
    source: Array,
    indices: Array,
    draws: Array,
    out: Array,
    scale: Array,
    offset: Array,
    cursor: Array | None = None,
    position: Array | None = None,
    *,
    border: str = "reflect",
) -> None:
    """out[i] = source[indices[cursor + i]] changed by draws[position + i], * scale + offset for each channel."""
    rows = chosen(indices, len(out), cursor)
    drawn = draws[_from(position) :][: len(out)]
    for i, draw in enumerate(drawn):
        share, partner = max(draw[SHARE], 0), len(out) - 1 - i
        out[i] = _changed(source[rows[i]], draw, border) * scale + offset
        if share < 1:
            other = _changed(source[rows[partner]], drawn[partner], border) * scale + offset
            out[i] = share * out[i] + (1 - share) * other


@op(
    typical=[
        call("32 x 128x128", masks=(64, 128, 128), indices=(64,), draws=(64, 21), out=(32, 128, 128)),
    ],
)
def augment_masks(
    masks: Array,
    indices: Array,
    draws: Array,
    out: Array,
    cursor: Array | None = None,
    position: Array | None = None,
    *,
    border: str = "reflect",
    ignored: int = IGNORED,
) -> None:
    """out[i] = masks[indices[cursor + i]] moved as the picture is, each pixel the nearest one's label.

    `ignored` where nothing of the picture is seen: beyond a black border, and in the box.
    """
    height, width = masks.shape[1:]
    i, j = np.arange(height)[:, None], np.arange(width)
    drawn = draws[_from(position) :][: len(out)].astype(np.float64)
    for row, draw, moved in zip(chosen(indices, len(out), cursor), drawn, out, strict=True):
        a, b, c, d, e, f = draw[PLACE]
        (x, inside), (y, within) = (
            _nearest(place, size, border)
            for place, size in ((a * j + (b * i + c), width), (d * j + (e * i + f), height))
        )
        moved[...] = np.where(inside & within, masks[row][y, x], ignored)
        top, left, bottom, right = np.clip(draw[BOX], 0, (height, width, height, width)).astype(int)
        moved[top:bottom, left:right] = ignored


@op(
    fields={"targets": ("labels", "rows")},
    typical=[call("1000 x 10", targets=(10_000,), indices=(10_000,), draws=(10_000, 21), out=(1000, 10))],
)
def mix_targets(
    targets: Array,
    indices: Array,
    draws: Array,
    out: Array,
    cursor: Array | None = None,
    position: Array | None = None,
) -> None:
    """out[i] = share * target[i] + (1 - share) * target[n - 1 - i]; class numbers become shares of the classes."""
    picked = targets[chosen(indices, len(out), cursor)]
    if picked.dtype.kind == "i":
        picked = np.eye(out.shape[1], dtype=out.dtype)[picked]
    share = np.clip(draws[_from(position) :][: len(out), SHARE], 0, 1)[:, None]
    out[...] = share * picked + (1 - share) * picked[::-1]


def _from(position: Array | None) -> int:
    return 0 if position is None else int(position[0])


def _changed(picture: Array, draw: Array, border: str) -> Array:
    """The picture as its row of draws has it, in its own levels, before it is mixed."""
    numbers = picture.astype(draw.dtype)
    white = 255 if picture.dtype == np.uint8 else 1
    height, width, channels = picture.shape
    i, j = np.arange(height)[:, None], np.arange(width)
    a, b, c, d, e, f = draw[PLACE]
    (x, across), (y, down) = (
        _neighbours(place, size, border)
        for place, size in ((a * j + (b * i + c), width), (d * j + (e * i + f), height))
    )
    moved = sum((down[k] * across[m])[..., None] * numbers[y[k], x[m]] for k in (0, 1) for m in (0, 1))
    mean = numbers.mean(dtype=np.float64) if channels != 3 else numbers.mean(axis=(0, 1), dtype=np.float64) @ BRIGHTNESS
    tint = moved * draw[COLOUR][0] if channels != 3 else moved @ draw[COLOUR].reshape(3, 3).T
    changed = np.asarray(tint + (draw[GREY] * mean).astype(draw.dtype))
    if white == 255:
        changed = np.clip(changed, 0, 255)
    top, left, bottom, right = np.clip(draw[BOX], 0, (height, width, height, width)).astype(int)
    changed[top:bottom, left:right] = white / 2
    return changed


def _neighbours(place: Array, count: int, border: str) -> tuple[list[Array], list[Array]]:
    """The two rows, or columns, that each place lies between, and their weights."""
    place = np.clip(place, -FAR, FAR)
    first = np.floor(place)
    weights = [1 - (place - first), place - first]
    pixels = []
    for k in (0, 1):
        pixel = (first + k).astype(np.int64)
        if border == "reflect":
            pixel %= 2 * count
            pixel = np.minimum(pixel, 2 * count - 1 - pixel)
        elif border == "constant":
            weights[k] = weights[k] * ((pixel >= 0) & (pixel < count))
        pixels.append(np.clip(pixel, 0, count - 1))
    return pixels, weights


def _nearest(place: Array, count: int, border: str) -> tuple[Array, Array]:
    """The pixel that is nearest to each place, and whether there is one."""
    pixel = np.floor(np.clip(place, -FAR, FAR) + 0.5).astype(np.int64)
    if border == "reflect":
        pixel = np.minimum(pixel % (2 * count), 2 * count - 1 - pixel % (2 * count))
    inside = (pixel >= 0) & (pixel < count) if border == "constant" else np.ones(pixel.shape, bool)
    return np.clip(pixel, 0, count - 1), inside


def moved_back(dy: Array, draw: Array, border: str) -> Array:
    """The gradient of a picture that was moved alone, as `draw` says, from that of the result. Shapes: (H,W,C)."""
    height, width = dy.shape[:2]
    i, j = np.arange(height)[:, None], np.arange(width)
    a, b, c, d, e, f = draw[PLACE]
    (x, across), (y, down) = (
        _neighbours(place, size, border)
        for place, size in ((a * j + (b * i + c), width), (d * j + (e * i + f), height))
    )
    dx = np.zeros_like(dy)
    for k in (0, 1):
        for m in (0, 1):
            np.add.at(dx, (y[k], x[m]), (down[k] * across[m])[..., None].astype(dy.dtype) * dy)
    return dx
