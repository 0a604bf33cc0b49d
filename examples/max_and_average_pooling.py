"""Max against average pooling: a digit made smaller and smaller, as a caricature of itself.

Max pooling keeps the strongest stroke of each window at full strength; average pooling fades thin strokes away. On dark
strokes over a bright ground it is the other way round: the largest value is the ground, and max pooling eats the digit.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, draw_map, finish, new_figure, options

from pellucid import AvgPool2D, Layer, MaxPool2D

POOLINGS: dict[str, Layer] = {"max": MaxPool2D(2), "average": AvgPool2D(2)}


def main() -> None:
    given = options(__doc__).parse_args()
    images, labels, _, _ = digits(given.quick, 200)
    bright = images[labels == 2][:1] / np.float32(255)

    figure = new_figure(9.0, 9.6)
    axes = figure.subplots(4, 4)
    rows = iter(axes)
    for ground, digit in (("bright on dark", bright), ("dark on bright", 1 - bright)):
        for name, pooling in POOLINGS.items():
            maps = [digit]
            for _ in range(3):
                maps.append(pooling(maps[-1]))
            contrast = [float(np.ptp(each)) for each in maps]
            print(f"{ground}, {name:7}: contrast " + " -> ".join(f"{value:.2f}" for value in contrast))
            for ax, each in zip(next(rows), maps, strict=True):
                height, width = each.shape[1:3]
                whose = f"{ground}, {name}:\n" if each is digit else ""
                draw_map(ax, each[0, :, :, 0], f"{whose}{height}x{width}", low=0, high=1, bar=False)
                ax.set_xticks([])
                ax.set_yticks([])
    print(f"parameters of both poolings together: {sum(layer.count_params() for layer in POOLINGS.values())}")
    figure.suptitle("2x2 pooling, once, twice and three times", fontsize=12)
    finish(figure, given.out, "max_and_average_pooling.png")


if __name__ == "__main__":
    main()
