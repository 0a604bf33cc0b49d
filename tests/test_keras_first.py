"""What programs of Keras 1 write: names of arguments, kernels by rows and columns, merge, numbers of samples."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid._keras_modules import AGAIN
from pellucid.errors import ConfigError
from pellucid.keras import layers
from pellucid.layers import Conv2D
from pellucid.layers.older import OLDER

X = np.random.default_rng(0).random((20, 8, 8, 1), np.float32)
Y = np.arange(20) % 2

PAIRS: list[tuple[Callable[[], Any], Callable[[], Any]]] = [
    (
        lambda: layers.Convolution2D(4, 3, 3, border_mode="same", subsample=(2, 2), init="he_normal", bias=False),
        lambda: layers.Conv2D(4, 3, 2, "same", kernel_initializer="he_normal", use_bias=False),
    ),
    (
        lambda: layers.Convolution2D(4, 3, 5, "uniform", "relu", dim_ordering="tf"),
        lambda: layers.Conv2D(4, (3, 5), activation="relu", kernel_initializer="random_uniform"),
    ),
    (lambda: layers.Conv2D(4, 3, 3, border_mode="same"), lambda: layers.Conv2D(4, 3, padding="same")),
    (lambda: layers.Convolution2D(nb_filter=4, nb_row=3, nb_col=5), lambda: layers.Conv2D(4, (3, 5))),
    (
        lambda: layers.AtrousConvolution2D(4, 3, 3, atrous_rate=(2, 2), W_constraint="max_norm"),
        lambda: layers.Conv2D(4, 3, dilation_rate=2, kernel_constraint="max_norm"),
    ),
    (
        lambda: layers.Deconvolution2D(4, 3, 3, subsample=(2, 2), border_mode="same"),
        lambda: layers.Conv2DTranspose(4, 3, 2, "same"),
    ),
    (
        lambda: layers.Convolution1D(nb_filter=4, filter_length=3, subsample_length=2, input_dim=5, input_length=9),
        lambda: layers.Conv1D(4, 3, 2, input_shape=(9, 5)),
    ),
    (
        lambda: layers.Dense(output_dim=3, init="zero", W_regularizer=keras.regularizers.l2(l=0.1), input_dim=4),
        lambda: layers.Dense(3, kernel_initializer="zeros", kernel_regularizer="l2", input_shape=(4,)),
    ),
    (
        lambda: layers.LSTM(output_dim=3, inner_init="normal", inner_activation="hard_sigmoid", forget_bias_init="one",
                            consume_less="gpu", dropout_W=0.2),
        lambda: layers.LSTM(3, recurrent_initializer="random_normal", recurrent_activation="hard_sigmoid", dropout=0.2),
    ),
    (lambda: layers.Embedding(9, 3, init="one"), lambda: layers.Embedding(9, 3, "ones")),
    (lambda: layers.Dropout(p=0.2), lambda: layers.Dropout(0.2)),
    (lambda: layers.GaussianNoise(sigma=0.2), lambda: layers.GaussianNoise(0.2)),
    (lambda: layers.MaxPooling1D(pool_length=3, stride=1), lambda: layers.MaxPooling1D(3, 1)),
    (lambda: layers.MaxPooling2D((3, 3), border_mode="same"), lambda: layers.MaxPooling2D(3, padding="same")),
    (lambda: layers.UpSampling1D(length=3), lambda: layers.UpSampling1D(3)),
    (lambda: layers.BatchNormalization(mode=0, gamma_init="one"), lambda: layers.BatchNormalization()),
]  # fmt: skip


@pytest.mark.parametrize(("then", "today"), PAIRS)
def test_names_of_then_are_those_of_today(then: Callable[[], Any], today: Callable[[], Any]) -> None:
    made, meant = then(), today()
    expected = {**meant.get_config(), "name": made.name}
    if expected.get("kernel_regularizer"):
        expected["kernel_regularizer"] = {"l1": 0.0, "l2": 0.1}
    assert type(made) is type(meant) and made.get_config() == expected and made.input_shape == meant.input_shape


def test_rows_and_columns_of_a_kernel_are_not_strides() -> None:
    with pytest.warns(UserWarning, match=r"Convolution2D\(4, 3, 3\) is read as in Keras 1: .* kernel_size=\(3, 3\)"):
        layer = layers.Convolution2D(4, 3, 3, activation="relu")
    assert layer.kernel_size == (3, 3) and layer.strides == (1, 1)
    assert isinstance(layer, layers.Convolution2D) and isinstance(layers.Conv2D(1, 1), layers.Convolution2D)
    assert layers.Conv2D(4, 3, 3).strides == layers.Convolution2D(4, (3, 3), 3).strides == (3, 3)  # as Keras 3 has it

    class Own(layers.Convolution2D):
        pass

    assert type(Own(4, 3)) is Own and not isinstance(layer, Own) and issubclass(Own, Conv2D)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: layers.Convolution2D(4, 3, 2), r"a kernel of 3 x 2, Keras 2 and 3 read strides of 2; say kernel_size"),
        (lambda: layers.Convolution2D(4, 3, 3, border_mode="same", padding="same"), "border_mode and padding are one"),
        (lambda: layers.MaxPooling2D(dim_ordering="th"), r"x\.transpose\(0, 2, 3, 1\)"),
        (lambda: layers.BatchNormalization(mode=2), "mode=2 is not known here; a batch's own mean"),
        (lambda: layers.Embedding(9, 3, dropout=0.5), "SpatialDropout1D"),
        (lambda: layers.Merge([keras.Sequential()], mode="sum"), r"Model\(\[a\.input, b\.input\], Merge\(mode='sum'"),
        (lambda: layers.Merge(mode="all"), "mode"),
        (lambda: keras.backend.set_image_dim_ordering("th"), r"x\.transpose\(0, 2, 3, 1\)"),
        (lambda: keras.utils.to_categorical([0], 2, nb_classes=2), "num_classes|argument"),
    ],
)
def test_what_cannot_be_meant_is_refused(make: Callable[[], Any], message: str) -> None:
    with pytest.raises((ConfigError, TypeError), match=message):
        make()


@pytest.mark.parametrize(
    ("how", "expected"),
    [
        ({"mode": "sum"}, lambda a, b: a + b),
        ({"mode": "mul"}, lambda a, b: a * b),
        ({"mode": "ave"}, lambda a, b: (a + b) / 2),
        ({"mode": "max"}, np.maximum),
        ({"mode": "concat", "concat_axis": 3}, lambda a, b: np.concatenate([a, b], 3)),
        ({"mode": lambda both: both[0] - both[1]}, lambda a, b: a - b),
    ],
)
def test_merged_values(how: dict[str, Any], expected: Callable[[Any, Any], Any]) -> None:
    given = keras.Input((8, 8, 1))
    other = layers.ZeroPadding2D()(layers.Cropping2D(1)(given))
    model = keras.Model(input=given, output=layers.merge([given, other], **how))
    b = X.copy()
    b[:, [0, -1]] = b[:, :, [0, -1]] = 0
    np.testing.assert_allclose(model.predict(X, verbose=0), expected(X, b), rtol=1e-6)


def test_cosines_and_products_of_rows() -> None:
    a, b = keras.Input((3,)), keras.Input((3,))
    model = keras.Model([a, b], [layers.merge([a, b], mode=mode, dot_axes=1) for mode in ("dot", "cos")])
    x, y = np.float32([[1, 2, 2]]), np.float32([[2, 0, 0]])
    dot, cosine = model.predict([x, y], verbose=0)
    assert dot.item() == 2 and cosine.item() == pytest.approx(1 / 3)


def batches() -> Iterator[Any]:
    while True:
        yield X[:5], Y[:5]


def test_a_program_of_then_learns_what_one_of_today_does() -> None:
    def trained(then: bool) -> list[Any]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential()
        if then:
            model.add(layers.Convolution2D(4, 3, 3, border_mode="same", input_shape=(8, 8, 1)))
            model.add(layers.Flatten())
            model.add(layers.Dense(output_dim=2, init="uniform", activation="softmax"))
        else:
            model.add(layers.Conv2D(4, 3, padding="same", input_shape=(8, 8, 1)))
            model.add(layers.Flatten())
            model.add(layers.Dense(2, kernel_initializer="random_uniform", activation="softmax"))
        model.compile(keras.optimizers.Adam(lr=0.01, epsilon=None), "categorical_crossentropy")
        rows = keras.utils.to_categorical(y=Y, nb_classes=2) if then else keras.utils.to_categorical(Y, 2)
        model.fit(X, rows, batch_size=5, verbose=0, **({"nb_epoch": 2} if then else {"epochs": 2}))
        return list(model.get_weights())

    for a, b in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(a, b)


def test_samples_are_counted_in_batches() -> None:
    model = keras.Sequential([layers.Flatten(input_shape=(8, 8, 1)), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy")
    seen = []
    counting = keras.callbacks.LambdaCallback(on_batch_end=lambda batch, logs: seen.append(batch))
    model.fit_generator(
        batches(), samples_per_epoch=12, nb_epoch=2, validation_data=batches(), nb_val_samples=10, verbose=0,
        callbacks=[counting],
    )  # fmt: skip
    assert seen == [0, 1, 2, 0, 1, 2]
    assert model.predict_generator(batches(), val_samples=10).shape == (10, 2)
    assert np.isfinite(model.evaluate_generator(batches(), val_samples=10))


@pytest.mark.parametrize("place", AGAIN)
@pytest.mark.parametrize("name", ["", ".layers", ".layers.core", ".datasets.mnist", ".preprocessing.image"])
def test_modules_are_found_by_every_path_of_theirs(place: str, name: str) -> None:
    found = importlib.import_module(f"pellucid.keras.{place}{name}")
    assert found is importlib.import_module(f"pellucid.keras{name}") and found in sys.modules.values()


def test_each_older_name_means_an_argument_that_a_layer_has() -> None:
    import inspect

    names = {name for cls in keras.layers.NAMES.values() for name in inspect.signature(cls).parameters}
    assert {today for each in OLDER.values() for today in each} <= {*names, "data_format"}
