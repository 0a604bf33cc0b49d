"""One network, drawn in the two usual ways: as blocks, and node by node.

Blocks show the shape of what each layer gives: small and thick towards the end. Nodes show what is connected to what:
in a convolution of width 3 each output has 3 connections (sparsity); equal line styles are equal weights (sharing).
"""

from __future__ import annotations

import numpy as np
from drawing import finish, new_figure, options

from pellucid import Conv1D, Dense, Flatten, Sequential, zoo
from pellucid.exercises import check_parameter_count
from pellucid.visualise import architecture_figure


def main() -> None:
    given = options(__doc__).parse_args()
    conv, dense = Conv1D(1, 3), Dense(6)
    sparse = Sequential([conv], name="convolution of width 3", seed=0)
    sparse.build((8, 1))
    everything = Sequential([Flatten(input_shape=(8, 1)), dense], name="fully connected")
    weights, full = conv.weights[0].size, dense.weights[0].size
    response = conv(np.eye(8)[:, :, None])[:, :, 0]  # row i: which outputs hear of input i alone
    links = np.argwhere(response != 0)
    print(f"convolution of width 3, 8 -> 6: {len(links)} connections, {weights} weights")
    print(f"fully connected, 8 -> 6: {full} connections, {full} weights")
    assert check_parameter_count(weights + 1, conv, (8, 1)) and check_parameter_count(full + 6, dense, (8,))
    model = zoo.simple_convnet()
    print(" -> ".join("x".join(map(str, row.output_shape)) for row in model.outline().rows))

    figure = new_figure(11, 11.2)
    figure.set_layout_engine("none")
    architecture_figure(model, axes=figure.add_axes((0.02, 0.46, 0.96, 0.52)))
    architecture_figure(sparse, "nodes", axes=figure.add_axes((0.02, 0.02, 0.47, 0.42)))
    architecture_figure(everything, "nodes", axes=figure.add_axes((0.51, 0.02, 0.47, 0.42)))
    finish(figure, given.out, "diagrams.png")


if __name__ == "__main__":
    main()
