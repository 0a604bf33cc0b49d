"""How was AlexNet trained on two GPUs that each had too little memory?

Each held half of every layer's kernels. The second, fourth and fifth convolution read only the half of the maps that
lies on their own GPU (today's `groups=2`); the third and the dense layers read all, so there alone the two talk. Here
two processes train such a network, smaller, and a third trains the whole: the weights are the same.

Source: Krizhevsky, Sutskever and Hinton 2012, section 3.5 and figure 2.
"""

from __future__ import annotations

import multiprocessing
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
from drawing import finish, new_figure, options, photographs

from pellucid import Conv2D, Dense, Flatten, MaxPool2D, Sequential
from pellucid.layers import Layer
from pellucid.optimizers import SGD

STEPS, BATCH, RATE = 5, 32, 0.1
HALVES = ("conv1", "conv2", "conv3", "conv4", "conv5", "dense1", "dense2")
"""Layers of which each process holds the half of the kernels."""
CROSSINGS = ("conv3", "dense1", "dense2")
"""Those that read what both processes have computed."""
READ_BOTH = ("conv3", "flatten", "dense2")
"""Where the halves are brought together: of dense1 before its maps become a row."""


def network() -> Sequential:
    """The whole, in one process."""
    layers = [
        Conv2D(32, 5, padding="same", activation="relu", name="conv1", input_shape=(32, 32, 3)),
        MaxPool2D(2, name="pool1"),
        Conv2D(64, 5, padding="same", groups=2, activation="relu", name="conv2"),
        MaxPool2D(2, name="pool2"),
        Conv2D(96, 3, padding="same", activation="relu", name="conv3"),
        Conv2D(96, 3, padding="same", groups=2, activation="relu", name="conv4"),
        Conv2D(64, 3, padding="same", groups=2, activation="relu", name="conv5"),
        MaxPool2D(2, name="pool5"),
        Flatten(name="flatten"),
        Dense(256, "relu", name="dense1"),
        Dense(10, name="dense2"),
    ]
    return Sequential(layers, seed=0)


def half_of(layer: Layer, rank: int) -> list[np.ndarray]:
    """The weights that one of the two holds: half of the kernels."""
    return [np.split(array, 2, axis=-1)[rank] for array in layer.get_weights()]


def halved(rank: int) -> list[Layer]:
    """The layers of one process, with its halves of the whole network's weights."""
    layers: list[Layer] = []
    for layer in network().layers:
        name = layer.name
        if isinstance(layer, Conv2D):
            own: Layer = Conv2D(layer.filters // 2, layer.kernel_size, padding="same", activation="relu", name=name)
        elif isinstance(layer, Dense):
            own = Dense(layer.units // 2, "relu" if name == "dense1" else None, name=name)
        else:
            own = MaxPool2D(2, name=name) if isinstance(layer, MaxPool2D) else Flatten(name=name)
        if name in HALVES:
            own.build(layer_input(layer), np.random.default_rng(0))
            own.set_weights(half_of(layer, rank))
        layers.append(own)
    return layers


def layer_input(layer: Layer) -> tuple[int, ...]:
    """The shape that one half of a layer reads: as the whole one's kernel has it, which with groups is half of all."""
    channels = layer.params["kernel"].shape[-2]
    return (channels,) if isinstance(layer, Dense) else (8, 8, channels)


def train_half(rank: int, other: Connection, x: np.ndarray, y: np.ndarray, answer: Connection) -> None:
    """Train one half; `other` leads to the process with the other one."""
    layers, crossed = halved(rank), 0

    def swap(array: np.ndarray) -> np.ndarray:
        nonlocal crossed
        crossed += array.size
        if rank == 0:  # if both sent at once, each would wait until the other reads
            other.send(array)
            return np.asarray(other.recv())
        received = np.asarray(other.recv())
        other.send(array)
        return received

    def both(own: np.ndarray) -> np.ndarray:
        pair = (own, swap(own))
        return np.concatenate(pair if rank == 0 else pair[::-1], axis=-1)

    for step in range(STEPS):
        value, caches = x[step * BATCH : (step + 1) * BATCH], list[Any]()
        forward = crossed
        for layer in layers:
            if layer.name in READ_BOTH:
                value = both(value)
            value, cache = layer.forward(value, training=True)
            caches.append(cache)
        forward = crossed - forward
        logits = both(value)
        p = np.exp(logits - logits.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        d = (p - np.eye(10, dtype=np.float32)[y[step * BATCH : (step + 1) * BATCH]]) / BATCH
        d = np.split(d, 2, axis=1)[rank]
        for layer, cache in zip(layers[::-1], caches[::-1], strict=True):
            dx, gradients = layer.backward(d, cache)
            if gradients:
                layer.set_weights([w - RATE * gradients[f"d{name}"] for name, w in layer.params.items()])
            if layer.name in READ_BOTH:
                parts = np.split(dx, 2, axis=-1)
                dx = parts[rank] + swap(parts[1 - rank])
            d = dx
    weights = {layer.name: layer.get_weights() for layer in layers if layer.params}
    answer.send((weights, forward // BATCH))


def draw(figure: Any) -> None:
    """Two columns, and arrows between them where one reads the other's."""
    ax = figure.subplots()
    rows = ["pictures", *HALVES]
    for row, name in enumerate(rows):
        for column in (0, 1):
            text = "all pictures" if not row else f"half of {name}"
            ax.text(column, -row, text, ha="center", va="center", bbox={"boxstyle": "round", "fc": "white"})
            if row:
                ax.annotate("", (column, -row + 0.25), (column, -row + 0.75), arrowprops={"arrowstyle": "->"})
                if name in CROSSINGS:
                    to, start = (1 - column, -row + 0.25), (column, -row + 0.75)
                    ax.annotate("", to, start, arrowprops={"arrowstyle": "->", "linestyle": "--"})
    for column in (0, 1):
        ax.text(column, 0.6, f"process {column}", ha="center", fontsize="large")
    ax.set_xlim(-0.6, 1.6)
    ax.set_ylim(-len(rows) + 0.5, 0.9)
    ax.axis("off")


def main() -> None:
    given = options(__doc__).parse_args()
    images, labels, _, _ = photographs(given.quick)
    x, y = images[: STEPS * BATCH].astype(np.float32) / 255, labels[: STEPS * BATCH]
    whole = network()
    whole.compile(SGD(RATE), "categorical_crossentropy")
    whole.fit(x, y, batch_size=BATCH, shuffle=False, verbose=0, doctor=False)

    from alexnet_in_two import train_half as target  # by a name under which a new process finds it

    spawn = multiprocessing.get_context("spawn")
    ends, results = spawn.Pipe(), [spawn.Pipe(duplex=False) for _ in range(2)]
    workers = [spawn.Process(target=target, args=(rank, ends[rank], x, y, results[rank][1])) for rank in range(2)]
    for worker in workers:
        worker.start()
    (left, crossed), (right, _) = (receiver.recv() for receiver, _ in results)
    for worker in workers:
        worker.join()
    apart = moved = 0.0
    start = {layer.name: layer.get_weights() for layer in network().layers}
    for layer in whole.layers:
        for array, *halves in zip(
            layer.get_weights(), left.get(layer.name, ()), right.get(layer.name, ()), strict=True
        ):
            apart = max(apart, float(np.abs(array - np.concatenate(halves, axis=-1)).max()))
        for array, before in zip(layer.get_weights(), start[layer.name], strict=True):
            moved = max(moved, float(np.abs(array - before).max()))
    held = sum(array.size for arrays in left.values() for array in arrays)
    print(f"{whole.count_params():,} parameters, {held:,} in each process")
    print(f"{crossed:,} numbers of a picture go from each process to the other on the way forward")
    print(f"after {STEPS} steps that moved weights by up to {moved:.2f} the halves are the whole's, to {apart:.0e}")

    figure = new_figure(6.4, 6.4)
    draw(figure)
    finish(figure, given.out, "alexnet_in_two.png")


if __name__ == "__main__":
    main()
