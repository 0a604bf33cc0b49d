"""What does a network lose when the pixels of all pictures are shuffled alike, and shape with them?

A fully connected network has no neighbours to lose; a convolution looks at nothing else. Both learn the same few
digits, as they are and with their 784 pixels in one fixed random order, from several starts: one start alone differs
from the next by more than the shuffling changes. What it says at the end is what was measured.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, draw_map, finish, new_figure, options, plain

from pellucid import Conv2D, Dense, Flatten, MaxPool2D, Sequential

STARTS = 4


def networks(seed: int) -> dict[str, Sequential]:
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
    return {"fully connected": Sequential(dense, seed=seed), "convolutional": Sequential(convolution, seed=seed)}


def main() -> None:
    given = options(__doc__).parse_args()
    images, labels, test, truth = digits(given.quick, 300 if given.quick else 3000)
    order = np.random.default_rng(0).permutation(28 * 28)

    def shuffled(pictures: np.ndarray) -> np.ndarray:
        return pictures.reshape(-1, 28 * 28)[:, order].reshape(-1, 28, 28, 1)

    pairs = {"as they are": (images, test), "pixels shuffled": (shuffled(images), shuffled(test))}
    right: dict[str, list[float]] = {}
    sizes: dict[str, int] = {}
    for how, (train, judge) in pairs.items():
        found: dict[str, list[float]] = {}
        for seed in range(STARTS):
            for name, model in networks(seed).items():
                model.compile("adam", "categorical_crossentropy")
                model.fit(train, labels, epochs=12 if given.quick else 10, verbose=0)
                sizes[name] = model.count_params()
                found.setdefault(name, []).append(100 * model.evaluate(judge, truth, verbose=0)["accuracy"])
        for name, each in found.items():
            right.setdefault(name, []).append(float(np.mean(each)))
            spread = f"{min(each):.1f} to {max(each):.1f}"
            print(f"{name}, {sizes[name]:,} parameters, {how}: {np.mean(each):.1f}% right, {spread}")
    lost = {name: values[1] - values[0] for name, values in right.items()}
    print("shuffling changes: " + ", ".join(f"{name} {points:+.1f} points" for name, points in lost.items()))

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
    told = ", ".join(f"{name} {points:+.1f}" for name, points in lost.items())
    figure.suptitle(f"Pixels shuffled, mean of {STARTS} starts, in points: {told}", fontsize=12)
    finish(figure, given.out, "shuffled_pixels.png")


if __name__ == "__main__":
    main()
