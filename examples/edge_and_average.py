"""One convolution looked at closely: an averaging and an edge kernel on a noisy picture, then one after the other.

The picture of seed 002 is 10 on its left half and 0 on its right, plus noise of standard deviation 1. Averaging four
pixels halves the noise. The edge kernel finds the edge, answers it with about -20, and doubles the noise.
"""

from __future__ import annotations

import numpy as np
from drawing import finish, options, plain

from pellucid import Conv2D, ReLU
from pellucid.exercises import two_halves
from pellucid.visualise import chained_panels, channel_panels, small_grid

AVERAGE = [[0.25, 0.25], [0.25, 0.25]]
EDGE = [[-1.0, 1.0], [-1.0, 1.0]]


def noise(values: np.ndarray) -> float:
    """Standard deviation right of the edge, where the picture holds nothing but noise."""
    return float(values[:, 27:].std())


def main() -> None:
    given = options(__doc__).parse_args()
    picture = two_halves()
    conv = Conv2D(2, (2, 2))
    conv(picture[None, :, :, None])  # a layer has no weights until it has seen data
    conv.set_weights([np.stack([AVERAGE, EDGE], axis=-1)[:, :, None, :], np.zeros(2)])

    def convolve(values: np.ndarray) -> np.ndarray:
        """Both channels of the convolution. Shapes: (H,W) -> (H-1,W-1,2)."""
        return conv(values[None, :, :, None])[0]

    average, edge = np.moveaxis(convolve(picture), -1, 0)
    print(f"noise: picture {noise(picture):.3f}, averaged {noise(average):.3f}, edge kernel {noise(edge):.3f}")
    print(f"the edge answers {edge[:, 24].mean():.2f} on average; after a ReLU {ReLU()(edge)[:, 24].mean():.2f}")

    names = [f"averaging, noise {noise(average):.2f}", f"edge, noise {noise(edge):.2f}"]
    title = "Conv2D(2, (2, 2)) with weights set by hand"
    figure = small_grid(channel_panels(conv, picture, names), 2, 2, title=title)
    row = figure.axes[1]  # above right, where the grid has nothing
    row.set_axis_on()
    row.plot(picture[24], color="0.6", lw=1, label="picture")
    row.plot(average[24], color="black", lw=1.6, label="averaged")
    row.plot(edge[24], color="black", lw=1.2, ls="--", marker=".", ms=3, label="edge")
    row.set_title("row 24 of all three", fontsize=9)
    row.set_xlabel("column")
    row.set_ylabel("value")
    row.legend(fontsize=8, loc="lower right", handlelength=1.5, edgecolor="none", framealpha=1)  # over the grid's lines
    plain(row)
    finish(figure, given.out, "edge_and_average.png")

    chains = {"average": convolve(average), "edge": convolve(edge)}
    middle = np.abs(chains["average"][..., 1] - chains["edge"][..., 0]).max()
    print(f"average then edge, and edge then average, differ by at most {middle:.1e}")

    title = "Each channel through the layer again: the two maps in the middle are the same"
    figure = small_grid(chained_panels(conv, picture, ["average", "edge"]), 3, 4, title=title)
    finish(figure, given.out, "edge_and_average_chained.png")


if __name__ == "__main__":
    main()
