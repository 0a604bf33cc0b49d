"""Trainings whose kernels find no memory: run by test_starved_trainings.py, in a process with `calls.c` loaded before.

From each request for working space of a training's first steps on there is none, until the training has ended. Prints
how many requests there are, and exits with status 1 where the model is then not as it was before the step that failed,
or does not go on to the same bits as an undisturbed one.
"""

from __future__ import annotations

import ctypes
import sys
import threading

import numpy as np

from pellucid import Sequential
from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten, LocalResponseNorm, MaxPool2D
from pellucid.ops import native

starve = ctypes.CDLL(None).fault_starve
starve.restype, starve.argtypes = ctypes.c_long, [ctypes.c_long]
RNG = np.random.default_rng(0)
IMAGES, LABELS = RNG.random((40, 12, 12, 3), np.float32), np.arange(40) % 3
outcomes: list[tuple[bool, list[bytes]]] = []


def network() -> Sequential:
    model = Sequential(
        [
            Conv2D(16, 3, padding="same", input_shape=(12, 12, 3), activation="relu"),
            BatchNorm(),
            Conv2D(16, 3, padding="same"),
            LocalResponseNorm(),
            MaxPool2D(2),
            Dropout(0.2),
            Flatten(),
            Dense(3),
        ]
    )
    model.compile("adam", "categorical_crossentropy")
    model.build()
    return model


def weights(model: Sequential) -> list[bytes]:
    return [weight.tobytes() for weight in model.get_weights()]


def train(model: Sequential, at: int) -> None:
    """Two epochs, of which working space ends at a request."""
    starve(at)
    try:
        model.fit(IMAGES, LABELS, batch_size=16, epochs=2, verbose=0, doctor=False)
        failed = False
    except MemoryError:
        failed = True
    finally:
        starve(0)
    outcomes.append((failed, weights(model)))


def trained(model: Sequential, at: int = 0) -> tuple[bool, list[bytes]]:
    """Whether there was too little, and the weights; by a thread that has no working space yet."""
    thread = threading.Thread(target=train, args=(model, at))
    thread.start()
    thread.join()
    return outcomes[-1]


native.set_num_threads(int(sys.argv[1]))
begin = weights(network())
_, end = trained(network())
requests, wrong = 0, []
while True:
    requests += 1
    model = network()
    failed, held = trained(model, requests)
    if not failed:
        break
    answers = model.predict(IMAGES)
    if held != begin or not np.isfinite(answers).all():
        wrong.append(f"request {requests}: not the weights before the step")
    if trained(model) != (False, end):
        wrong.append(f"request {requests}: goes on to something else")
print(requests - 1, *wrong, sep="\n")
sys.exit(bool(wrong) or held != end)
