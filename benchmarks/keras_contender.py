"""The networks of the seeds in Keras, on TensorFlow (with XLA and without) or JAX: for the record."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
from contenders import SHAPES, Made, Task, data
from keras import layers as kl


class LocalResponseNorm(kl.Layer):
    """x / (k + alpha * sum of x^2 over five neighbouring channels)^beta; Keras has no layer for it."""

    def call(self, x: Any) -> Any:
        channels = x.shape[-1]
        squares = keras.ops.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
        total = sum(squares[..., i : i + channels] for i in range(5))
        return x / (2.0 + 1e-4 * total) ** 0.75


def build(network: str) -> Any:
    """The network in Keras, ending in logits; channels last, the layout Keras is at its best with on a CPU."""
    shape, classes = SHAPES[network]

    def conv(filters: int, size: int, **options: Any) -> Any:
        return kl.Conv2D(filters, size, activation="relu", **{"padding": "same", **options})

    def dense(units: int) -> Any:
        return kl.Dense(units, activation="relu")

    if network == "simple-convnet":
        stack = [conv(30, 5, padding="valid"), kl.MaxPooling2D(2), kl.Flatten(), dense(100)]
    elif network == "lenet5":
        first = [kl.Conv2D(6, 5, padding="same", activation="sigmoid"), kl.AveragePooling2D(2)]
        second = [kl.Conv2D(16, 5, activation="sigmoid"), kl.AveragePooling2D(2), kl.Flatten()]
        stack = [*first, *second, kl.Dense(120, activation="sigmoid"), kl.Dense(84, activation="sigmoid")]
    elif network == "cifar-net":
        stack = [layer for n in (36, 72, 144) for layer in (conv(n, 3), kl.MaxPooling2D(2), kl.Dropout(0.25))]
        stack += [kl.Flatten(), dense(576), kl.Dropout(0.5)]
    elif network == "alexnet":
        first = [
            kl.ZeroPadding2D(2),
            conv(96, 11, strides=4, padding="valid"),
            LocalResponseNorm(),
            kl.MaxPooling2D(3, 2),
        ]
        second = [conv(256, 5, groups=2), LocalResponseNorm(), kl.MaxPooling2D(3, 2)]
        third = [conv(384, 3), conv(384, 3, groups=2), conv(256, 3, groups=2), kl.MaxPooling2D(3, 2), kl.Flatten()]
        stack = [*first, *second, *third, dense(4096), kl.Dropout(0.5), dense(4096), kl.Dropout(0.5)]
    else:
        stack = []
        for count, width in zip((2, 2, 3, 3, 3), (64, 128, 256, 512, 512), strict=True):
            stack += [*(conv(width, 3) for _ in range(count)), kl.MaxPooling2D(2)]
        stack += [kl.Flatten(), dense(4096), kl.Dropout(0.5), dense(4096), kl.Dropout(0.5)]
    return keras.Sequential([keras.Input(shape), *stack, kl.Dense(classes)])


def make(task: Task, mode: str) -> Made:
    """mode: "jax", "tensorflow-xla" or "tensorflow"."""
    if mode.startswith("tensorflow"):
        import tensorflow

        tensorflow.config.threading.set_intra_op_parallelism_threads(task.threads)
        tensorflow.config.threading.set_inter_op_parallelism_threads(1)
    keras.utils.set_random_seed(0)
    model = build(task.network)
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(1e-3), loss, jit_compile=mode != "tensorflow")
    x, y = data(task.network, task.batch)
    note = f"{os.environ['KERAS_BACKEND']}, {'graph' if mode == 'tensorflow' else 'XLA'}"
    if task.work == "infer":
        return Made(lambda: np.asarray(model.predict_on_batch(x)), note=note)
    return Made(lambda: model.train_on_batch(x, y), note=note)
