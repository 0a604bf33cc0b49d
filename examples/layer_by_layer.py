"""One digit layer by layer, as seed 004 follows it: convolution, ReLU, max pooling, Flatten, Dense, with histograms.

ReLU cuts the histogram off at 0; max pooling keeps a quarter of the values, the larger ones. Flatten comes after both,
with 588 values; the page flattens the convolution's 2,352.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, draw_map, finish, new_figure, options, plain

from pellucid import Conv2D, Dense, Flatten, MaxPool2D, ReLU


def main() -> None:
    given = options(__doc__).parse_args()
    images, _, _, _ = digits(given.quick, 1)
    picture = images[:1] / np.float32(255)  # in units of 0 to 1: the page leaves 0 to 255
    conv = Conv2D(3, 3, 1, padding="SAME")
    steps = {"input": picture, "Conv2D(3, 3, 1, SAME)": conv(picture)}
    steps["ReLU()"] = ReLU()(steps["Conv2D(3, 3, 1, SAME)"])
    steps["MaxPool2D(2, 2, SAME)"] = MaxPool2D((2, 2), (2, 2), "SAME")(steps["ReLU()"])
    flat = Flatten()(steps["MaxPool2D(2, 2, SAME)"])
    dense = Dense(32, activation="relu")(flat)
    kernel, bias = conv.get_weights()
    print(f"kernel {kernel.shape}, bias {bias.shape}")
    for name, values in {**steps, "Flatten()": flat, "Dense(32, relu)": dense}.items():
        print(f"{name:22} {values.shape!s:15} {values.size:5,} values from {values.min():.2f} to {values.max():.2f}")
    print(f"flattened straight after the convolution: {Flatten()(conv(picture)).size:,} values")

    maps = dict(list(steps.items())[1:])
    reach = max(float(np.abs(values).max()) for values in maps.values())
    figure = new_figure(11.0, 8.8)
    axes = figure.subplots(len(maps), 3, width_ratios=(1.5, 1, 1))
    bins = np.linspace(-reach, reach, 41)
    for row, (name, values) in enumerate(maps.items()):
        ax = axes[row, 0]
        ax.hist(values.ravel(), bins=bins, color="0.35")
        ax.set_yscale("log")
        ax.set_ylim(0.7, 4000)
        ax.set_ylabel("values (log)")
        ax.set_title(f"{name}: {values.size:,} values, all channels", fontsize=9)
        plain(ax)
        height, width = values.shape[1:3]
        draw_map(axes[row, 2], values[0, :, :, 0], f"{name}\nchannel 0, {height}x{width}", low=-reach, high=reach)
    axes[2, 0].set_xlabel("value")
    draw_map(axes[0, 1], kernel[:, :, 0, 0], "kernel of channel 0, 3x3x1")
    draw_map(axes[1, 1], picture[0, :, :, 0], "input, 28x28x1")
    axes[2, 1].bar(np.arange(32), dense[0], color="0.35")
    axes[2, 1].set_title(f"Flatten: {flat.size}, then Dense(32, relu)", fontsize=9)
    axes[2, 1].set_xlabel("unit")
    plain(axes[2, 1])
    figure.suptitle("What each layer leaves of one digit (untrained)", fontsize=12)
    finish(figure, given.out, "layer_by_layer.png")


if __name__ == "__main__":
    main()
