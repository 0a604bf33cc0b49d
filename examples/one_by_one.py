"""A 1x1 convolution extracts features: it mixes the channels of each pixel.

The plate below is made by formula, after the plates for testing colour vision: every dot has its own brightness, and a
digit stands out by hue alone. The mean of the channels does not show it; three numbers, red minus green, do.
"""

from __future__ import annotations

import numpy as np
from drawing import draw_map, finish, new_figure, options
from PIL import Image

from pellucid import Conv2D, datasets

KERNELS = {"mean of the channels": (1 / 3, 1 / 3, 1 / 3), "red minus green": (1.0, -1.0, 0.0)}
DOT = 4


def plate(rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A plate of square dots with a hidden 3, and where that is.

    Shapes: (192,192,3) float32 from 0 to 1, (192,192) bool.
    """
    digit = datasets.load("digits").train
    mask = np.asarray(digit.images)[digit.labels == 3][0, :, :, 0]
    inside = np.pad(np.asarray(Image.fromarray(mask).resize((32, 32), Image.Resampling.BICUBIC)) > 110, 8)
    brightness = rng.uniform(0.35, 0.75, inside.shape)
    hue = np.where(inside, 0.12, -0.12) + rng.normal(0, 0.03, inside.shape)
    dots = np.stack([brightness + hue, brightness - hue, brightness], axis=-1)
    picture, where = (array.repeat(DOT, axis=0).repeat(DOT, axis=1) for array in (dots, inside))
    return np.clip(picture, 0, 1).astype(np.float32), where


def main() -> None:
    given = options(__doc__).parse_args()
    picture, where = plate(np.random.default_rng(3))
    conv = Conv2D(len(KERNELS), 1)
    conv(picture[None])
    conv.set_weights([np.array(list(KERNELS.values())).T.reshape(1, 1, 3, len(KERNELS)), np.zeros(len(KERNELS))])
    maps = conv(picture[None])[0]
    print(f"kernel {conv.weights[0].shape}, {conv.count_params()} parameters, output {maps.shape}")

    figure = new_figure(11.4, 3.9)
    axes = figure.subplots(1, 1 + len(KERNELS))
    axes[0].imshow(picture)
    axes[0].set_title("input, 192x192x3", fontsize=9)
    axes[0].tick_params(labelsize=7)
    for channel, (ax, (name, weights)) in enumerate(zip(axes[1:], KERNELS.items(), strict=True)):
        values = maps[:, :, channel]
        inside, outside = values[where], values[~where]
        apart = abs(inside.mean() - outside.mean()) / np.hypot(inside.std(), outside.std())
        print(f"channel {channel}, {name}: the digit stands {apart:.1f} standard deviations apart")
        rounded = ", ".join(f"{weight:.2g}" for weight in weights)
        draw_map(ax, values, f"channel {channel}: 1x1 kernel ({rounded})\n{name}, 192x192")
    figure.suptitle("A 1x1 kernel looks at one pixel, and at all its channels", fontsize=12)
    finish(figure, given.out, "one_by_one.png")


if __name__ == "__main__":
    main()
