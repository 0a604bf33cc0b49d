"""The networks of the table in Keras, on TensorFlow (with XLA and without) or JAX: for the record."""

from __future__ import annotations

import os
from typing import Any

import keras
import numpy as np
from contenders import MOBILENET_V2, RESNETS, SHAPES, Made, Task, data
from keras import layers as kl


class LocalResponseNorm(kl.Layer):
    """x / (k + alpha * sum of x^2 over five neighbouring channels)^beta; Keras has no layer for it."""

    def call(self, x: Any) -> Any:
        channels = x.shape[-1]
        squares = keras.ops.pad(x * x, ((0, 0), (0, 0), (0, 0), (2, 2)))
        total = sum(squares[..., i : i + channels] for i in range(5))
        return x / (2.0 + 1e-4 * total) ** 0.75


def residual(network: str) -> Any:
    """ResNet and MobileNetV2, as torch_contender.py has them."""
    shape, classes = SHAPES[network]

    def normed(x: Any, filters: int, size: int, strides: int = 1, bound: float | None = 0.0) -> Any:
        """Convolution, batch norm and ReLU up to `bound` (0: none; None: without end); filters 0: depthwise."""
        if size > 1:
            x = kl.ZeroPadding2D(size // 2)(x)
        options = {"strides": strides, "use_bias": False}
        x = kl.Conv2D(filters, size, **options)(x) if filters else kl.DepthwiseConv2D(size, **options)(x)
        x = kl.BatchNormalization()(x)
        return x if bound == 0 else kl.ReLU(bound)(x)

    inputs = keras.Input(shape)
    if network == "mobilenet-v2":
        x = normed(inputs, 32, 3, 2, 6.0)
        for expansion, width, blocks, first in MOBILENET_V2:
            for block in range(blocks):
                strides, channels = 1 if block else first, x.shape[-1]
                y = normed(x, channels * expansion, 1, bound=6.0) if expansion > 1 else x
                y = normed(normed(y, 0, 3, strides, 6.0), width, 1)
                x = kl.Add()([y, x]) if strides == 1 and channels == width else y
        x = kl.Dropout(0.2)(kl.GlobalAveragePooling2D()(normed(x, 1280, 1, bound=6.0)))
        return keras.Model(inputs, kl.Dense(classes)(x))
    stages, count = RESNETS[network]
    if network == "resnet20":
        x = normed(inputs, stages[0][0], 3, bound=None)
    else:
        x = kl.MaxPooling2D(3, 2)(kl.ZeroPadding2D(1)(normed(inputs, stages[0][0], 7, 2, None)))
    for width, first in stages:
        for block in range(count):
            strides = 1 if block else first
            y = normed(normed(x, width, 3, strides, None), width, 3)
            x = normed(x, width, 1, strides) if strides > 1 or x.shape[-1] != width else x
            x = kl.ReLU()(kl.Add()([y, x]))
    return keras.Model(inputs, kl.Dense(classes)(kl.GlobalAveragePooling2D()(x)))


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
    elif network in RESNETS or network == "mobilenet-v2":
        return residual(network)
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
