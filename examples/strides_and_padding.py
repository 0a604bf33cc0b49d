"""Strides and padding against output size: OH = (H + 2 P - K) // S + 1, counted by the layer itself.

A 28x28 digit goes through the same 5x5 averaging kernel with strides 1, 2 and 3 and three paddings.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, draw_map, finish, new_figure, options

from pellucid import Conv2D
from pellucid.exercises import check_output_size

STRIDES = (1, 2, 3)
PADDINGS = (0, 2, 4)


def main() -> None:
    given = options(__doc__).parse_args()
    images, labels, _, _ = digits(given.quick, 200)
    digit = images[labels == 5][:1] / 255.0

    figure = new_figure(8.6, 9.4)
    axes = figure.subplots(len(PADDINGS), len(STRIDES))
    print("28x28 input, 5x5 kernel: output height and width")
    print("padding    " + "".join(f"stride {stride}  " for stride in STRIDES).rstrip())
    for row, padding in zip(axes, PADDINGS, strict=True):
        sizes = []
        for ax, stride in zip(row, STRIDES, strict=True):
            conv = Conv2D(1, 5, strides=stride, padding=padding)
            conv(digit)
            conv.set_weights([np.full((5, 5, 1, 1), 1 / 25), [0]])
            answer = conv(digit)[0, :, :, 0]
            size = answer.shape[0]
            sizes.append(size)
            verdict = check_output_size(size, 28, 5, strides=stride, padding=padding)
            assert verdict.passed
            how = verdict.message.removeprefix("Right: ").removesuffix(".")
            draw_map(ax, answer, f"padding {padding}, stride {stride}: {size}x{size}\n{how}", low=0, high=1, bar=False)
            # one pixel is drawn equally large in all nine, so that sizes can be compared by eye
            ax.set_xlim(-0.5, 31.5)
            ax.set_ylim(31.5, -0.5)
            for side in ("top", "right"):
                ax.spines[side].set_visible(False)
        print(f"{padding:<11}" + "".join(f"{size:<10}" for size in sizes).rstrip())
    figure.suptitle("Output size of a 5x5 convolution on 28x28, one pixel drawn equally large in all", fontsize=11)
    finish(figure, given.out, "strides_and_padding.png")


if __name__ == "__main__":
    main()
