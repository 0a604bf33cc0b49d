"""Sparsity and sharing: (6,6,1) -> (5,5,2) takes 1,800 weights fully connected and 8 as a convolution.

The matrix of a fully connected layer that computes the same as the convolution is drawn: of its 1,800 entries 200 are
not zero (sparsity), and they are the same 8 numbers again and again (sharing).
"""

from __future__ import annotations

import numpy as np
from drawing import draw_map, finish, new_figure, options

from pellucid import Conv2D, Dense, Flatten, Sequential
from pellucid.exercises import check_parameter_count


def main() -> None:
    given = options(__doc__).parse_args()
    conv = Conv2D(2, (2, 2), kernel_initializer="glorot_normal")
    each_pixel = np.eye(36, dtype=np.float32).reshape(36, 6, 6, 1)
    matrix = conv(each_pixel, seed=4).reshape(36, 50)  # row i: what the i-th pixel alone gives

    dense = Dense(50)
    network = Sequential([Flatten(input_shape=(6, 6, 1)), dense])
    dense.set_weights([matrix, np.zeros(50)])
    pictures = np.random.default_rng(0).normal(size=(4, 6, 6, 1))
    difference = np.abs(network(pictures).reshape(4, 5, 5, 2) - conv(pictures)).max()

    weights, biases = (array.size for array in dense.weights)
    print(f"fully connected: {weights:,} weights, {weights + biases:,} with biases")
    weights, biases = (array.size for array in conv.weights)
    print(f"convolution: {weights} weights, {weights + biases} with biases")
    used = np.count_nonzero(matrix)
    different = len(np.unique(matrix[matrix != 0].round(5)))
    print(f"entries that are not zero: {used}, of them different: {different}")
    print(f"both compute the same, to {difference:.0e}")
    print(check_parameter_count(8, conv, (6, 6, 1)))

    figure = new_figure(8.6, 6.0)
    ax = figure.subplots()
    limit = float(np.abs(matrix).max())
    order = np.arange(50).reshape(25, 2).T.ravel()  # channel by channel
    draw_map(ax, matrix[:, order], "", low=-limit, high=limit)
    ax.axvline(24.5, color="black", lw=0.8)
    ax.set_xlabel("output: 25 places of channel 0, then 25 of channel 1")
    ax.set_ylabel("input: 36 pixels, row by row")
    figure.suptitle(
        f"The convolution as a 36x50 matrix: {used} of {matrix.size:,} entries not 0 (mid-grey), {different} numbers",
        fontsize=11,
    )
    finish(figure, given.out, "parameter_counting.png")


if __name__ == "__main__":
    main()
