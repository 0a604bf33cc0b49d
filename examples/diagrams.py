"""One network, drawn in the two usual ways: as blocks, and node by node.

Blocks show the shape of what each layer gives: small and thick towards the end. Nodes show what is connected to what:
in a convolution of width 3 each output has 3 connections (sparsity); equal line styles are equal weights (sharing).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from drawing import finish, new_figure, options

from pellucid import Conv1D, Dense, Flatten, Sequential, zoo
from pellucid.exercises import check_parameter_count

STYLES = (("black", "-"), ("0.45", "--"), ("black", ":"))


def draw_blocks(ax: Any, model: Sequential) -> None:
    """Each layer's output as a block: as high as its maps, as wide as its number of channels (by the square root)."""
    left = 0.0
    shapes = [("input", model.input_shape)] + [(row.name, row.output_shape) for row in model.outline().rows]
    for name, shape in shapes:
        height = shape[0] if len(shape) == 3 else np.sqrt(shape[0])
        width = 0.8 + (np.sqrt(shape[2]) if len(shape) == 3 else 0.4)
        ax.add_patch(_rectangle(left, -height / 2, width, height))
        ax.text(left + width / 2, height / 2 + 1, name, ha="center", va="bottom", fontsize=8)
        ax.text(left + width / 2, -height / 2 - 1, "x".join(map(str, shape)), ha="center", va="top", fontsize=8)
        left += width + 3.4
    ax.set_xlim(-2, left - 1)
    ax.set_ylim(-36, 36)
    ax.set_axis_off()
    ax.set_title(f"{model.name}: {model.count_params():,} parameters", fontsize=10)


def draw_nodes(ax: Any, inputs: int, outputs: int, links: dict[tuple[int, int], int], title: str) -> None:
    """Nodes above each other, and a line for each connection, in the style of its weight."""
    places = [np.linspace(0, 1, count + 2)[1:-1][::-1] for count in (inputs, outputs)]
    for (source, target), weight in links.items():
        colour, style = STYLES[weight % len(STYLES)] if weight >= 0 else ("0.6", "-")
        ax.plot([0, 1], [places[0][source], places[1][target]], style, color=colour, lw=1.3 if weight >= 0 else 0.6)
    for x, heights in enumerate(places):
        ax.scatter([x] * len(heights), heights, s=150, facecolor="white", edgecolor="black", zorder=3)
    ax.set_xlim(-0.25, 1.25)
    ax.set_axis_off()
    ax.set_title(title, fontsize=9)


def main() -> None:
    given = options(__doc__).parse_args()
    conv, dense = Conv1D(1, 3), Dense(6)
    Sequential([conv], seed=0).build((8, 1))
    Sequential([Flatten(input_shape=(8, 1)), dense])
    weights, full = conv.weights[0].size, dense.weights[0].size
    response = conv(np.eye(8)[:, :, None])[:, :, 0]  # row i: which outputs hear of input i alone
    links = {(i, j): i - j for i, j in np.argwhere(response != 0).tolist()}
    print(f"convolution of width 3, 8 -> 6: {len(links)} connections, {weights} weights")
    print(f"fully connected, 8 -> 6: {full} connections, {full} weights")
    assert check_parameter_count(weights + 1, conv, (8, 1)) and check_parameter_count(full + 6, dense, (8,))
    model = zoo.simple_convnet()
    print(" -> ".join("x".join(map(str, row.output_shape)) for row in model.outline().rows))

    figure = new_figure(10.5, 7.4)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.1, 1))
    draw_blocks(top.subplots(), model)
    axes = bottom.subplots(1, 2)
    draw_nodes(axes[0], 8, 6, links, f"Conv1D(1, 3): {len(links)} connections, {weights} weights, one line style each")
    everything = {(i, j): -1 for i in range(8) for j in range(6)}
    draw_nodes(axes[1], 8, 6, everything, f"Dense(6): {full} connections, {full} weights")
    figure.suptitle("A network as blocks, and a layer as nodes", fontsize=12)
    finish(figure, given.out, "diagrams.png")


def _rectangle(left: float, bottom: float, width: float, height: float) -> Any:
    from matplotlib.patches import Rectangle

    return Rectangle((left, bottom), width, height, facecolor="0.85", edgecolor="black", lw=1)


if __name__ == "__main__":
    main()
