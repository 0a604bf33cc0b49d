"""The 30 filters of SimpleConvNet's first convolution before and after training: noise becomes edges and blobs.

How far neighbouring weights agree is measured too: in noise hardly. --params draws the filters of a pickle, the
book's params.pkl or what examples/scratch_simple_convnet.py keeps, instead of training for an epoch of MNIST.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawing import digits, finish, options

from pellucid.scratch import SimpleConvNet, Trainer
from pellucid.visualise import filters_figure


def agreement(filters: np.ndarray) -> float:
    """Correlation of weights that are neighbours in a filter, to the right or below."""
    pairs = [(filters[..., :-1], filters[..., 1:]), (filters[..., :-1, :], filters[..., 1:, :])]
    left, right = (np.concatenate([pair[side].ravel() for pair in pairs]) for side in (0, 1))
    return round(float(np.corrcoef(left, right)[0, 1]), 2) + 0.0  # +0.0: no minus zero


def trained(network: SimpleConvNet, quick: bool) -> None:
    """An epoch of MNIST, or six of the package's digits."""
    train, train_labels, test, test_labels = digits(quick)
    x_train, x_test = (images.transpose(0, 3, 1, 2) / np.float32(255) for images in (train, test))
    Trainer(
        network,
        x_train,
        train_labels,
        x_test,
        test_labels,
        epochs=6 if quick else 1,
        optimizer="Adam",
        optimizer_param={"lr": 0.001},
        verbose=False,
    ).train()


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--params", type=Path, help="a pickle of trained parameters, which is read and never run")
    given = parser.parse_args()
    np.random.seed(0)
    network = SimpleConvNet()
    before = network.params["W1"].copy()
    if given.params is None:
        trained(network, given.quick)
    else:
        network.load_params(given.params)
    after = network.params["W1"]
    for when, filters in (("before", before), ("after", after)):
        print(
            f"{when + ' training:':<16} weights of +-{filters.std():.3f}, neighbours agree by {agreement(filters):+.2f}"
        )
    # the book's (FN, C, FH, FW) as (FH, FW, C, FN); noise of +-0.01 is only seen on a scale of its own
    kernels = [filters.transpose(2, 3, 1, 0) for filters in (after, before)]
    figure = filters_figure(kernels[0], before=kernels[1], name="first convolution", scale="each")
    finish(figure, given.out, "filters_before_after.png")


if __name__ == "__main__":
    main()
