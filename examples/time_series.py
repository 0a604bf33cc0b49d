"""Convolution in one dimension: two kernels by hand, and a small network that tells heartbeats apart.

The series has the shape of an electrocardiogram and is made by formula, not recorded: each beat is a sum of five
bumps, P, Q, R, S and T; an early beat of the other kind has no P, and a wide R and S. Nothing here is medical.
"""

from __future__ import annotations

import numpy as np
from drawing import finish, new_figure, options, plain

from pellucid import Conv1D, Dense, Flatten, MaxPool1D, Sequential

BEAT = 128
# place in the beat, width, height of each bump
NORMAL = ((0.30, 0.030, 0.15), (0.455, 0.010, -0.12), (0.48, 0.013, 1.0), (0.505, 0.012, -0.22), (0.70, 0.045, 0.30))
WIDE = ((0.43, 0.035, 0.95), (0.53, 0.045, -0.45), (0.72, 0.055, -0.25))


def beat(kind: int, rng: np.random.Generator) -> np.ndarray:
    """One beat, 0 normal or 1 wide, with a wandering ground line, noise, and its own place. Shapes: (128,)."""
    time = np.arange(BEAT) / BEAT - rng.uniform(-0.1, 0.1)
    bumps = sum(
        height * rng.normal(1, 0.1) * np.exp(-(((time - place) / width) ** 2) / 2)
        for place, width, height in (NORMAL, WIDE)[kind]
    )
    ground = 0.15 * np.sin(2 * np.pi * (time + rng.random()))
    return np.asarray(bumps + ground + rng.normal(0, 0.15, BEAT), np.float32)


def beats(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Shapes: (count,128,1), (count,)."""
    labels = rng.integers(0, 2, count)
    return np.stack([beat(kind, rng) for kind in labels])[:, :, None], labels


def by_hand(kernel: list[float], series: np.ndarray) -> np.ndarray:
    """A series through a Conv1D with these weights. Shapes: (W,) -> (W,)."""
    conv = Conv1D(1, len(kernel), padding="same")
    conv(series[None, :, None])
    conv.set_weights([np.array(kernel)[:, None, None], [0]])
    return conv(series[None, :, None])[0, :, 0]


def main() -> None:
    given = options(__doc__).parse_args()
    rng = np.random.default_rng(0)
    series = np.concatenate([beat(kind, rng) for kind in (0, 0, 1, 0, 0, 1)])
    smooth = by_hand([1 / 9] * 9, series)
    slope = by_hand([-1, -1, 0, 1, 1], series)
    high = slope[5:-5]  # at the ends zero padding looks like a step
    print(f"steepest rise, {high.max():.2f}, at sample {5 + high.argmax()}")

    train, labels = beats(400 if given.quick else 2000, rng)
    test, truth = beats(1000, rng)
    model = Sequential(
        [
            Conv1D(8, 9, padding="same", activation="relu", input_shape=(BEAT, 1)),
            MaxPool1D(4),
            Conv1D(8, 5, padding="same", activation="relu"),
            MaxPool1D(4),
            Flatten(),
            Dense(2, activation="softmax"),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    model.fit(train, labels, epochs=15, verbose=0)
    right = model.evaluate(test, truth, verbose=0)["accuracy"]
    print(f"{model.count_params()} parameters tell the two kinds apart: {right:.1%} of {len(test):,} new beats right")

    figure = new_figure(10.5, 7.2)
    top, bottom = figure.subfigures(2, 1, height_ratios=(1.5, 1))
    axes = top.subplots(3, 1, sharex=True)
    for ax, (name, values) in zip(
        axes,
        {"series": series, "mean of 9": smooth, "slope: -1 -1 0 1 1": slope}.items(),
        strict=True,
    ):
        ax.plot(values, color="black", lw=0.9)
        ax.set_title(f"{name}, {len(values)} samples", fontsize=9, loc="left")
        ax.set_ylabel("value", fontsize=8)
        ax.tick_params(labelsize=7)
        plain(ax)
    for start in (2, 5):
        axes[0].axvspan(start * BEAT, (start + 1) * BEAT - 1, color="0.9")
    axes[0].text(2 * BEAT + 4, series.max() * 0.85, "wide beat", fontsize=8)
    axes[2].set_xlabel("sample", fontsize=8)
    kernels = model.layers[0].get_weights()[0]
    limit = float(np.abs(kernels).max()) * 1.1
    for index, ax in enumerate(bottom.subplots(1, 8, sharey=True)):
        ax.axhline(0, color="0.6", lw=0.8)
        ax.plot(kernels[:, 0, index], color="black", marker="o", ms=3, lw=1)
        ax.set_ylim(-limit, limit)
        ax.set_title(f"filter {index}", fontsize=8)
        ax.set_xlabel("sample", fontsize=7)
        ax.tick_params(labelsize=7)
        plain(ax)
    bottom.suptitle(f"the learned first kernels, 9x1 each: {right:.1%} of new beats told apart", fontsize=10)
    top.suptitle(
        "A series with the shape of an electrocardiogram (made by formula), and two kernels by hand", fontsize=11
    )
    finish(figure, given.out, "time_series.png")


if __name__ == "__main__":
    main()
