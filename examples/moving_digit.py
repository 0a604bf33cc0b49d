"""Translation invariance measured: how much do maps and predictions change when a digit moves by 0 to 4 pixels?

Three networks of the same size, with max pooling, average pooling, and none (their convolutions take steps of 2
instead), are trained with the digits where they are, and with digits moved at random by up to 4 pixels (augmentation).
What it says at the end, which of the two changes the predictions more, is what was measured.
"""

from __future__ import annotations

import numpy as np
from drawing import digits, finish, new_figure, options, plain

from pellucid import AvgPool2D, Conv2D, Dense, Flatten, Layer, MaxPool2D, Sequential

POOLINGS: dict[str, type[Layer] | None] = {"max": MaxPool2D, "average": AvgPool2D, "none": None}
SHIFTS = (0, 1, 2, 3, 4)


def network(pooling: type[Layer] | None) -> Sequential:
    """Two convolutions, each followed by pooling 2x2, or with stride 2; 14x14 and 7x7 maps in every case."""
    model = Sequential(seed=3)
    for filters, side in ((8, 28), (16, 14)):
        stride = 2 if pooling is None else 1
        shape = (side, side, 1) if filters == 8 else None
        model.add(Conv2D(filters, 5, stride, "same", activation="relu", input_shape=shape))
        if pooling is not None:
            model.add(pooling(2))
    model.add(Flatten())
    model.add(Dense(10, activation="softmax"))
    model.compile("adam", "categorical_crossentropy")
    return model


def moved(images: np.ndarray, pixels: int) -> list[np.ndarray]:
    """The pictures moved up, down, left and right by so many pixels, black coming in."""
    margin = np.pad(images, ((0, 0), (pixels, pixels), (pixels, pixels), (0, 0)))
    side = images.shape[1]
    corners = ((0, pixels), (2 * pixels, pixels), (pixels, 0), (pixels, 2 * pixels))
    return [margin[:, row : row + side, column : column + side] for row, column in corners]


def last_maps(model: Sequential, images: np.ndarray) -> np.ndarray:
    """What goes into Flatten. Shapes: (M,28,28,1) uint8 -> (M,7,7,16)."""
    values = model.scaled(images)
    for layer in model.layers:
        if isinstance(layer, Flatten):
            break
        values = layer(values)
    return values


def measure(model: Sequential, images: np.ndarray, labels: np.ndarray) -> dict[str, list[float]]:
    """For each shift: relative change of the last maps, share of unchanged predictions, accuracy."""
    still, at_rest = last_maps(model, images), model.predict(images).argmax(axis=1)
    size = np.linalg.norm(still.reshape(len(still), -1), axis=1)
    found: dict[str, list[float]] = {"maps changed by": [], "same prediction": [], "accuracy": []}
    for pixels in SHIFTS:
        changes, same, right = [], [], []
        for copies in moved(images, pixels):
            difference = (last_maps(model, copies) - still).reshape(len(still), -1)
            predicted = model.predict(copies).argmax(axis=1)
            changes.append(np.mean(np.linalg.norm(difference, axis=1) / size))
            same.append(np.mean(predicted == at_rest))
            right.append(np.mean(predicted == labels))
        for name, values in zip(found, (changes, same, right), strict=True):
            found[name].append(float(np.mean(values)))
    return found


def conclusions(results: dict[tuple[str, bool], dict[str, list[float]]]) -> list[str]:
    """How many predictions in a hundred pooling keeps, and how many augmentation does, at 1 and at 4 pixels."""
    told = []
    for pixels in (SHIFTS[1], SHIFTS[-1]):
        same = {kind: found["same prediction"][pixels] for kind, found in results.items()}
        pooled = 100 * np.mean([same[name, augmented] - same["none", augmented] for name, augmented in same])
        pooled *= len(POOLINGS) / (len(POOLINGS) - 1)  # the network without pooling differs from itself by nothing
        moved_too = 100 * np.mean([same[name, True] - same[name, False] for name in POOLINGS])
        told.append(
            f"moved by {pixels} px, predictions kept: {pooled:+.0f} by pooling, {moved_too:+.0f} by augmentation"
        )
    return told


def main() -> None:
    given = options(__doc__).parse_args()
    images, labels, test, truth = digits(given.quick, 10_000)
    test, truth = test[:360], truth[:360]
    epochs, shift = (8 if given.quick else 6), {"shift": max(SHIFTS) / images.shape[1], "border": "constant"}
    results = {}
    for augmented in (False, True):
        for name, pooling in POOLINGS.items():
            model = network(pooling)
            model.fit(images, labels, 50, epochs, augment=shift if augmented else None, verbose=0)
            results[name, augmented] = measure(model, test, truth)

    print(f"trained on {len(images):,} digits, {epochs} epochs; judged on {len(test)} moved up, down, left and right")
    for what in next(iter(results.values())):
        print(f"{what:30}" + "".join(f"{pixels} px   " for pixels in SHIFTS).rstrip())
        for (name, augmented), found in results.items():
            told = f"  {'no' if name == 'none' else name} pooling{', augmented' if augmented else ''}"
            print(f"{told:30}" + "  ".join(f"{value:5.1%}" for value in found[what]))

    told = conclusions(results)
    print("\n".join(told))

    figure = new_figure(12.0, 4.4)
    axes = figure.subplots(1, 3)
    styles = {"max": ("black", "o"), "average": ("#0072B2", "s"), "none": ("#D55E00", "^")}
    for ax, what in zip(axes, ("maps changed by", "same prediction", "accuracy"), strict=True):
        for (name, augmented), found in results.items():
            colour, marker = styles[name]
            label = f"{name}{', augmented' if augmented else ''}"
            line = "--" if augmented else "-"
            ax.plot(SHIFTS, np.array(found[what]) * 100, line, color=colour, marker=marker, ms=5, label=label)
        ax.set_title({"maps changed by": "last maps, 7x7x16, changed by"}.get(what, what), fontsize=10)
        ax.set_xlabel("digit moved by (pixels)")
        ax.set_ylabel("%")
        ax.set_xticks(SHIFTS)
        plain(ax)
    axes[1].sharey(axes[2])
    axes[0].legend(frameon=False, fontsize=8, title="pooling", title_fontsize=8)
    figure.suptitle("; ".join(told), fontsize=11)
    finish(figure, given.out, "moving_digit.png")


if __name__ == "__main__":
    main()
