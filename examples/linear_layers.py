"""Linear layers collapse into one; they do back-propagate. What they lack is a bend.

Three dense layers without activations are multiplied into one with the same outputs. On two rings of points they learn
no better than a single one, although gradients reach every layer; with ReLU between them they separate the rings.
"""

from __future__ import annotations

import numpy as np
from drawing import finish, new_figure, options

from pellucid import Dense, Sequential


def rings(count: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Points on a small and on a large ring. Shapes: (count,2) float32, (count,)."""
    labels = np.arange(count) % 2
    angle, radius = rng.uniform(0, 2 * np.pi, count), 1 + labels + rng.normal(0, 0.12, count)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).astype(np.float32), labels


def network(activation: str | None, depth: int) -> Sequential:
    """Dense layers of 16, the last of 2."""
    hidden = [Dense(16, activation) for _ in range(depth - 1)]
    model = Sequential([*hidden, Dense(2, activation="softmax")], seed=1)
    model.build((2,))
    return model


def collapsed(model: Sequential) -> Sequential:
    """One dense layer that does the same as linear ones in a row: x W1 W2 W3 + (b1 W2 + b2) W3 + b3."""
    kernel, bias = np.eye(2), np.zeros(2)
    for layer in model.layers:
        weights, offset = layer.get_weights()
        kernel, bias = kernel @ weights, bias @ weights + offset
    one = network(None, 1)
    one.set_weights([kernel, bias])
    return one


def main() -> None:
    given = options(__doc__).parse_args()
    rng = np.random.default_rng(0)
    points, labels = rings(600, rng)
    judged, truth = rings(1000, rng)
    side = np.linspace(-2.8, 2.8, 161, dtype=np.float32)
    plane = np.stack(np.meshgrid(side, side), axis=-1).reshape(-1, 2)

    figure = new_figure(11.4, 4.2)
    axes = figure.subplots(1, 3)
    for ax, (name, activation, depth) in zip(
        axes,
        (("1 linear layer", None, 1), ("3 linear layers", None, 3), ("3 layers with ReLU", "relu", 3)),
        strict=True,
    ):
        model = network(activation, depth)
        before = [layer.get_weights()[0] for layer in model.layers]
        model.compile("adam", "categorical_crossentropy")
        model.fit(points, labels, epochs=40, verbose=0)
        moved = [float(np.abs(a - layer.weights[0]).max()) for a, layer in zip(before, model.layers, strict=True)]
        right = model.evaluate(judged, truth, verbose=0)["accuracy"]
        print(f"{name}: {right:.1%} right; learning moved its kernels by up to " + ", ".join(f"{m:.2f}" for m in moved))
        if activation is None and depth > 1:
            apart = np.abs(model.predict(judged) - collapsed(model).predict(judged)).max()
            told = f"three linear layers and the one they collapse into differ by {apart:.0e}"
            print(told)
        shown = ax.imshow(
            model.predict(plane)[:, 1].reshape(161, 161), extent=(-2.8, 2.8, -2.8, 2.8), origin="lower", cmap="gray",
            vmin=0, vmax=1,
        )  # fmt: skip
        for label, marker, face in ((0, "o", "white"), (1, "s", "black")):
            of = judged[truth == label][:80]
            ax.scatter(of[:, 0], of[:, 1], s=14, marker=marker, facecolor=face, edgecolor="0.5", lw=0.8)
        ax.set_title(f"{name}: {right:.0%} right", fontsize=10)
        ax.tick_params(labelsize=7)
    figure.colorbar(shown, ax=axes, shrink=0.8, label="probability of the outer ring (black squares)")
    figure.suptitle(f"Two rings: {told}", fontsize=12)
    finish(figure, given.out, "linear_layers.png")


if __name__ == "__main__":
    main()
