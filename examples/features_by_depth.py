"""How features change with depth: the maps of each convolution of a trained cifar-net, for one picture.

The first convolution sees 3x3 pixels and answers edges and colours with large maps; the third sees 18x18, a quarter of
the picture or more, and answers few places, each for something larger. --model takes the file that
examples/cifar_net.py writes; without it a network is trained first, for a few epochs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cifar_net import train
from drawing import draw_map, finish, new_figure, options, photographs

import pellucid

SHOWN = 6


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--model", type=Path, help="a trained cifar-net; trained here if left out")
    parser.add_argument("--picture", type=int, default=0, help="which test picture")
    given = parser.parse_args()
    model = pellucid.load(given.model) if given.model else train(given.quick, 2)[0]
    _, _, test, _ = photographs(given.quick)
    picture = test[given.picture : given.picture + 1]

    maps, values = {}, model.scaled(picture)
    for layer, row in zip(model.layers, model.outline().rows, strict=True):
        values = layer(values)
        if layer.name.startswith("relu") and row.receptive_field is not None:
            maps[layer.name.replace("relu", "conv")] = (values[0], row.receptive_field[0])

    figure = new_figure(1.75 * (SHOWN + 1), 6.0)
    axes = figure.subplots(len(maps), SHOWN + 1)
    for ax in axes[:, 0]:
        ax.set_axis_off()
    axes[0, 0].imshow(picture[0])
    axes[0, 0].set_title("input, 32x32x3", fontsize=9)
    for row, (name, (values, sees)) in zip(axes, maps.items(), strict=True):
        height, width, channels = values.shape
        active = np.mean(values > 0)
        told = f"{name}: {channels} maps of {height}x{width}, one value sees {sees}x{sees} pixels"
        print(f"{told}, {active:.0%} of the values above 0")
        strongest = np.argsort(-values.std(axis=(0, 1)), kind="stable")[:SHOWN]
        for ax, channel in zip(row[1:], strongest, strict=True):
            draw_map(ax, values[:, :, channel], f"{name}, channel {channel}\n{height}x{width}, sees {sees}x{sees}")
            ax.set_xticks([])
            ax.set_yticks([])
    figure.suptitle(f"The {SHOWN} most varied maps of each convolution, after its ReLU", fontsize=12)
    finish(figure, given.out, "features_by_depth.png")


if __name__ == "__main__":
    main()
