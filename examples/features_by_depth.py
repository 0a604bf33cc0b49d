"""How features change with depth: the maps of each convolution of a trained cifar-net, and what excites its filters.

The first convolution sees 3x3 pixels, so edges and colours; the third sees 18x18, so something larger. What share of
their values is above 0 is measured. --model takes the file that examples/cifar_net.py writes; without it a
network is trained first, for a few epochs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from cifar_net import train
from drawing import draw_map, finish, new_figure, options, photographs

import pellucid

FILTERS, PATCHES = 6, 5


def maps_of(model: pellucid.Sequential, pictures: np.ndarray) -> dict[str, tuple[np.ndarray, int]]:
    """Each convolution's maps after its ReLU, and how many pixels of the picture one value sees."""
    found, values = {}, model.scaled(pictures)
    for layer, row in zip(model.layers, model.outline().rows, strict=True):
        values = layer(values)
        if layer.name.startswith("relu") and row.receptive_field is not None:
            found[layer.name.replace("relu", "conv")] = (values, row.receptive_field[0])
    return found


def exciting(maps: np.ndarray, channel: int, sees: int, pictures: np.ndarray) -> np.ndarray:
    """The places of the pictures, one a picture at most, that this channel answers most; none over the border.

    Shapes: maps (M,H,W,C), pictures (M,32,32,3) -> (PATCHES,sees,sees,3).
    """
    side, jump = pictures.shape[1], pictures.shape[1] // maps.shape[1]
    starts = jump * np.arange(maps.shape[1]) - (sees - jump) // 2
    inside = starts[(starts >= 0) & (starts + sees <= side)]
    first = int(np.flatnonzero(starts == inside[0])[0])
    answers = maps[:, first : first + len(inside), first : first + len(inside), channel].reshape(len(maps), -1)
    patches = []
    for index in np.argsort(-answers.max(axis=1), kind="stable")[:PATCHES]:
        top, left = (inside[at] for at in divmod(int(answers[index].argmax()), len(inside)))
        patches.append(pictures[index, top : top + sees, left : left + sees])
    return np.stack(patches)


def main() -> None:
    parser = options(__doc__)
    parser.add_argument("--model", type=Path, help="a trained cifar-net; trained here if left out")
    parser.add_argument("--picture", type=int, default=0, help="which test picture")
    given = parser.parse_args()
    model = pellucid.load(given.model) if given.model else train(given.quick, 2)[0]
    _, _, test, _ = photographs(given.quick)
    picture = test[given.picture : given.picture + 1]

    maps = maps_of(model, picture)
    figure = new_figure(1.75 * (FILTERS + 1), 6.0)
    axes = figure.subplots(len(maps), FILTERS + 1)
    for ax in axes[:, 0]:
        ax.set_axis_off()
    axes[0, 0].imshow(picture[0])
    axes[0, 0].set_title("input, 32x32x3", fontsize=9)
    for row, (name, (values, sees)) in zip(axes, maps.items(), strict=True):
        _, height, width, channels = values.shape
        told = f"{name}: {channels} maps of {height}x{width}, one value sees {sees}x{sees} pixels"
        print(f"{told}, {np.mean(values > 0):.0%} of the values above 0")
        strongest = np.argsort(-values[0].std(axis=(0, 1)), kind="stable")[:FILTERS]
        for ax, channel in zip(row[1:], strongest, strict=True):
            draw_map(ax, values[0, :, :, channel], f"{name}, channel {channel}\n{height}x{width}, sees {sees}x{sees}")
            ax.set_xticks([])
            ax.set_yticks([])
    figure.suptitle(f"The {FILTERS} most varied maps of each convolution, after its ReLU", fontsize=12)
    finish(figure, given.out, "features_by_depth.png")

    many = test[: 200 if given.quick else 1000]
    maps = maps_of(model, many)
    figure = new_figure(3.6 * len(maps), 5.6)
    for panel, (name, (values, sees)) in zip(figure.subfigures(1, len(maps)), maps.items(), strict=True):
        axes = panel.subplots(FILTERS, PATCHES)
        strongest = np.argsort(-values.std(axis=(0, 1, 2)), kind="stable")[:FILTERS]
        for row, channel in zip(axes, strongest, strict=True):
            for ax, patch in zip(row, exciting(values, int(channel), sees, many), strict=True):
                ax.imshow(patch, interpolation="nearest")
                ax.set_xticks([])
                ax.set_yticks([])
            row[0].set_ylabel(f"channel {channel}", fontsize=8)
        panel.suptitle(f"{name}, {sees}x{sees} pixels", fontsize=10)
    figure.suptitle(f"What each filter answers most among {len(many)} pictures", fontsize=12)
    finish(figure, given.out, "features_by_depth_patches.png")


if __name__ == "__main__":
    main()
