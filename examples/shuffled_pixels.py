"""A fully connected network does not see shape: with the pixels of all pictures shuffled alike, it learns as well.

A convolution looks at neighbours, so it loses what the shuffling destroys. Both learn the same few digits, once as they
are and once with their 784 pixels in one fixed random order.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, draw_map, finish, new_figure, options, plain

from pellucid import Conv2D, Dense, Flatten, MaxPool2D, Sequential


def networks() -> dict[str, Sequential]:
    """A fully connected network and a convolutional one, about equally many parameters."""
    dense = [Flatten(), Dense(20, "relu"), Dense(10, "softmax")]
    convolution = [
        Conv2D(12, 5, activation="relu"),
        MaxPool2D(2),
        Conv2D(24, 5, activation="relu"),
        MaxPool2D(2),
        Flatten(),
        Dense(10, "softmax"),
    ]
    return {"fully connected": Sequential(dense), "convolutional": Sequential(convolution)}


def main() -> None:
    given = options(__doc__).parse_args()
    images, labels, test, truth = digits(given.quick, 300 if given.quick else 3000)
    order = np.random.default_rng(0).permutation(28 * 28)

    def shuffled(pictures: np.ndarray) -> np.ndarray:
        return pictures.reshape(-1, 28 * 28)[:, order].reshape(-1, 28, 28, 1)

    pairs = {"as they are": (images, test), "pixels shuffled": (shuffled(images), shuffled(test))}
    right: dict[str, list[float]] = {}
    for how, (train, judge) in pairs.items():
        for name, model in networks().items():
            model.compile("adam", "categorical_crossentropy")
            model.fit(train, labels, epochs=30 if given.quick else 10, verbose=0)
            right.setdefault(name, []).append(100 * model.evaluate(judge, truth, verbose=0)["accuracy"])
            print(f"{name}, {model.count_params():,} parameters, {how}: {right[name][-1]:.1f}% right")

    figure = new_figure(9.6, 3.4)
    axes = figure.subplots(1, 3, width_ratios=(1, 1, 1.3))
    for ax, (how, (train, _)) in zip(axes, pairs.items(), strict=False):
        draw_map(ax, train[0, :, :, 0], f"{how}, 28x28", bar=False)
    for (name, values), style, marker in zip(right.items(), ("--", "-"), ("s", "o"), strict=True):
        axes[2].plot(list(pairs), values, style, color="black", marker=marker, label=name)
        for place, value in enumerate(values):
            above = value >= max(each[place] for each in right.values())
            axes[2].annotate(
                f"{value:.1f}", (place, value), (0, 7 if above else -14), textcoords="offset points", ha="center"
            )
    axes[2].margins(x=0.3, y=0.25)
    axes[2].set_ylabel("test digits right (%)")
    axes[2].legend(frameon=False, fontsize=8, loc="upper right")
    plain(axes[2])
    figure.suptitle("What does a network lose when shape is lost?", fontsize=12)
    finish(figure, given.out, "shuffled_pixels.png")


if __name__ == "__main__":
    main()
