"""What public programs write around their models, which nothing else here is about."""

from __future__ import annotations

import operator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import keras
from pellucid.errors import ConfigError, DataError
from pellucid.keras import layers
from pellucid.keras import tensorflow as tf

X = np.random.default_rng(0).random((8, 4, 4, 1), np.float32)
Y = np.arange(8) % 2
Dataset = tf.data.Dataset


def numbers(data: Any) -> list[Any]:
    return [numbers(each) if isinstance(each, Dataset) else int(each) for each in data]


def test_windows_and_turns_are_tensorflows() -> None:
    """Against tensorflow-cpu 2.20, which gave these."""
    assert numbers(Dataset.range(7).window(3)) == [[0, 1, 2], [3, 4, 5], [6]]
    assert numbers(Dataset.range(7).window(3, shift=2, stride=2)) == [[0, 2, 4], [2, 4, 6], [4, 6], [6]]
    whole = Dataset.range(7).window(3, shift=1, stride=2, drop_remainder=True)
    assert numbers(whole) == [[0, 2, 4], [1, 3, 5], [2, 4, 6]]
    assert numbers(Dataset.range(10).window(2, shift=4)) == [[0, 1], [4, 5], [8, 9]]
    assert numbers(Dataset.range(4).window(2).flat_map(lambda w: w.map(lambda x: x * 10))) == [0, 10, 20, 30]
    turns = Dataset.range(1, 6).interleave(lambda x: Dataset.from_tensors(x).repeat(6), cycle_length=2, block_length=4)
    assert numbers(turns) == [int(c) for c in "111122221122333344443344555555"]
    assert int(Dataset.range(5).reduce(0, lambda total, x: total + x)) == 10
    assert numbers(Dataset.range(5).take_while(lambda x: x < 3)) == [0, 1, 2]
    repeated = Dataset.range(3).apply(tf.data.experimental.shuffle_and_repeat(3, 2))
    assert sorted(numbers(repeated)) == [0, 0, 1, 1, 2, 2]
    assert [part.tolist() for part in Dataset.range(3).apply(tf.data.experimental.map_and_batch(abs, 2))] == [
        [0, 1],
        [2],
    ]


def test_a_strategy_is_one_replica() -> None:
    strategy = tf.distribute.MirroredStrategy()
    assert strategy.num_replicas_in_sync == 1 == tf.distribute.get_strategy().num_replicas_in_sync
    with strategy.scope():
        model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")])
        model.compile("sgd", "sparse_categorical_crossentropy")
    data = strategy.experimental_distribute_dataset(Dataset.from_tensor_slices((X, Y)).batch(4))
    each = [strategy.run(lambda x, y: tf.reduce_sum(x), args=batch) for batch in data]
    assert float(strategy.reduce(tf.distribute.ReduceOp.SUM, np.array(each), axis=0)) == pytest.approx(X.sum(), 1e-5)
    with pytest.raises(ValueError, match="there is no TPU here"):
        tf.distribute.cluster_resolver.TPUClusterResolver()
    with pytest.raises(ConfigError, match="torchrun"):
        tf.distribute.MultiWorkerMirroredStrategy()


def test_a_writer_of_summaries(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX")
    loader = pytest.importorskip("tensorboard.backend.event_processing.event_file_loader")
    assert not tf.summary.scalar("loss", 1.0, step=0)  # no writer is the default
    writer = tf.summary.create_file_writer(str(tmp_path))
    with writer.as_default():
        tf.summary.scalar("loss", tf.constant(0.5), step=7)
        tf.summary.histogram("weights", X, step=7)
        tf.summary.image("pictures", X, step=7, max_outputs=2)
        with pytest.raises(ConfigError, match="say step="):
            tf.summary.text("words", ["a", "b"])
    writer.close()
    (file,) = tmp_path.iterdir()
    events = [event for event in loader.EventFileLoader(str(file)).Load() if event.summary.value]
    assert [(event.step, event.summary.value[0].tag) for event in events] == [
        (7, "loss"), (7, "weights"), (7, "pictures"),
    ]  # fmt: skip


def test_variables_of_a_model_are_trained() -> None:
    class Line(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.w, self.b = tf.Variable(0.0, name="weight"), tf.Variable(0.0, name="bias")

        def call(self, x: Any) -> Any:
            return self.w * x + self.b

    model, x = Line(), np.linspace(-1, 1, 16, dtype=np.float32)[:, None]
    model.compile("sgd", lambda y, p: tf.reduce_mean(tf.square(y - p)), metrics=["mae"])
    losses = model.fit(x, 3 * x + 1, epochs=2, batch_size=16, verbose=0, shuffle=False).history["loss"]
    w = b = 0.0  # the same steps in numbers
    for loss in losses:
        error = w * x + b - (3 * x + 1)
        assert loss == pytest.approx(float((error**2).mean()), 1e-5)
        w, b = w - 0.01 * float((2 * error * x).mean()), b - 0.01 * float((2 * error).mean())
    assert [float(v) for v in model.trainable_variables] == pytest.approx([w, b], 1e-5)


def test_one_number_for_a_batch_is_a_loss() -> None:
    def network(loss: Any) -> Any:
        keras.utils.set_random_seed(1)
        model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
        model.compile("sgd", loss)
        model.fit(X, Y, epochs=2, batch_size=4, verbose=0, shuffle=False)
        return model

    own, known = network(lambda y, p: keras.ops.mean(keras.ops.square(y - p))), network("mse")
    np.testing.assert_allclose(own.get_weights()[0], known.get_weights()[0], rtol=1e-5)


def test_a_step_gives_the_loss_alone_where_nothing_is_measured() -> None:
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(1, activation="sigmoid")])
    model.compile("sgd", "binary_crossentropy")
    assert isinstance(model.train_on_batch(X, Y), float)
    model.compile("sgd", "binary_crossentropy", metrics=["accuracy"])
    assert len(model.train_on_batch(X, Y)) == 2


def test_whole_numbers_go_in_as_they_are() -> None:
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1, kernel_initializer="ones")])
    model.compile("sgd", "mse")
    pairs = np.array([[-1, 300], [2, 3]])
    np.testing.assert_array_equal(model.predict(pairs, verbose=0), [[299], [5]])
    assert model.evaluate(pairs, np.array([299, 5]), verbose=0) == 0


def test_losses_of_a_layer() -> None:
    class Scaled(layers.Layer):
        def build(self, input_shape: Any) -> None:
            self.scale = self.add_weight(shape=(), initializer="ones", regularizer=keras.regularizers.l2(0.5))
            self.add_loss(partial(lambda weight: 3.0 * tf.reduce_sum(weight), self.scale))

        def call(self, x: Any) -> Any:
            return x * self.scale

    layer = Scaled()
    layer(X)
    assert [float(loss) for loss in layer.losses] == pytest.approx([3.0, 0.5])
    model = keras.Sequential([layers.Input((4, 4, 1)), layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    assert model.evaluate(X, X, verbose=0) == pytest.approx(3.5, 1e-5)
    model.fit(X, X, epochs=1, batch_size=8, verbose=0)
    assert float(layer.scale.numpy()) == pytest.approx(1 - 0.1 * 4, 1e-5)
    dense = layers.Dense(2, kernel_regularizer="l1")
    dense(X.reshape(8, 16))
    assert float(dense.losses[0]) == pytest.approx(0.01 * float(np.abs(dense.kernel.numpy()).sum()), 1e-5)


def test_history_answers_by_either_name() -> None:
    model = keras.Sequential([layers.Input((4, 4, 1)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    history = model.fit(X, Y, verbose=0).history
    assert history.get("acc") == history["accuracy"] and history.get("auc") is None


def test_the_modules_of_data_sets() -> None:
    from pellucid.keras.datasets.mnist import load_data

    assert load_data is keras.datasets.mnist.load_data


def test_a_class_of_ones_own_sets_what_compile_sets() -> None:
    class Batches(keras.utils.Sequence):
        def __init__(self) -> None:
            super().__init__()
            self.num_batches = 3

        def __len__(self) -> int:
            return self.num_batches

        def __getitem__(self, index: int) -> Any:
            return X, Y

    class Own(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.loss = []
            self.flat, self.dense = layers.Flatten(), layers.Dense(2)

        def compile(self, rate: float) -> None:
            super().compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
            self.optimizer = keras.optimizers.SGD(rate)

        def call(self, x: Any) -> Any:
            return self.dense(self.flat(x))

    model = Own()
    model.compile(0.25)
    history = model.fit(Batches(), epochs=1, verbose=0)
    assert history.params["steps"] == 3 == Batches().num_batches
    assert float(model.optimizer.learning_rate) == 0.25


def test_a_name_without_an_ending_makes_its_folder(tmp_path: Path) -> None:
    model = keras.Sequential([layers.Input((2,)), layers.Dense(1)])
    model.save(tmp_path / "models" / "net")
    again = keras.models.load_model(tmp_path / "models" / "net")
    np.testing.assert_array_equal(again.get_weights()[0], model.get_weights()[0])


def test_float32_is_taken_as_a_type_too() -> None:
    for made in (partial(layers.Dense, 2), keras.metrics.Mean, keras.losses.MeanSquaredError):
        for kind in (None, "float32", tf.float32, np.dtype("float32")):
            made(dtype=kind)
        with pytest.raises(ConfigError, match="dtype"):
            made(dtype=tf.float64)


SIX = np.arange(24, dtype=np.float32).reshape(2, 3, 4) / 12 - 1
NAMED: list[tuple[str, dict[str, Any]]] = [
    ("reshape", {"tensor": SIX, "shape": (6, 4)}), ("expand_dims", {"input": SIX, "axis": 1}),
    ("squeeze", {"input": SIX[:1]}), ("transpose", {"a": SIX, "perm": (2, 0, 1)}), ("shape", {"input": SIX}),
    ("pad", {"tensor": SIX, "paddings": [(1, 0), (0, 2), (1, 1)], "mode": "REFLECT"}),
    ("boolean_mask", {"tensor": SIX, "mask": [True, False, True], "axis": 1}),
    ("reverse", {"tensor": SIX, "axis": [1]}),
    ("argmax", {"input": SIX, "axis": 1}), ("argmin", {"input": SIX}), ("norm", {"tensor": SIX, "axis": 2}),
    ("reduce_sum", {"input_tensor": SIX, "axis": 1}), ("reduce_logsumexp", {"input_tensor": SIX}),
    ("stop_gradient", {"input": SIX}), ("pow", {"y": 3.0, "x": SIX}), ("math.atan2", {"x": SIX, "y": 2 * SIX**2}),
    ("nn.softmax", {"logits": SIX, "axis": 1}), ("nn.log_softmax", {"logits": SIX}), ("nn.relu", {"features": SIX}),
    ("nn.leaky_relu", {"features": SIX, "alpha": 0.3}), ("nn.selu", {"features": SIX, "name": "own"}),
    ("nn.softplus", {"features": SIX}), ("nn.sigmoid", {"x": SIX, "name": "own"}),
    ("gather", {"params": SIX, "indices": [[2, 0], [1, 1]], "batch_dims": 1}),
    ("gather", {"params": SIX, "indices": [[3, 0], [1, 2]], "batch_dims": 1, "axis": -1}),
    ("one_hot", {"indices": [2, 0, 5], "depth": 3, "on_value": 5.0, "off_value": -1.0, "axis": 0}),
    ("image.adjust_contrast", {"images": SIX[..., None], "contrast_factor": 2.0}),
    ("image.random_crop", {"value": SIX, "size": (2, 3, 4)}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given"), NAMED, ids=[name for name, _ in NAMED])
def test_functions_take_tensorflows_arguments(name: str, given: dict[str, Any]) -> None:
    theirs = pytest.importorskip("tensorflow")
    found, wanted = (operator.attrgetter(name)(module)(**given) for module in (tf, theirs))
    np.testing.assert_allclose(found, wanted.numpy(), rtol=2e-6, atol=1e-6)


def test_an_argument_by_two_names_is_refused() -> None:
    with pytest.raises(ConfigError, match="softmax: logits and x are one argument"):
        tf.nn.softmax(x=X, logits=X)
    with pytest.raises(ConfigError, match="softmax: multiple values for argument 'x'"):
        tf.nn.softmax(X, logits=X)
    with pytest.raises(ConfigError, match="unknown argument of softmax: 'axs'; did you mean 'axis'"):
        tf.nn.softmax(logits=X, axs=1)
    with pytest.raises(np.exceptions.AxisError):
        tf.expand_dims(input=X, axis=9)
    layer = keras.layers.Dense(2, activation=tf.nn.leaky_relu)
    x = np.float32([[1, -2, 3]])
    y = np.asarray(layer(x)).copy()
    plain = x @ np.asarray(layer.kernel)
    np.testing.assert_allclose(y, np.where(plain > 0, plain, 0.2 * plain), rtol=1e-5)


def test_arguments_by_tensorflows_names() -> None:
    assert float(tf.reduce_mean(input_tensor=X)) == pytest.approx(X.mean(), 1e-5)
    np.testing.assert_array_equal(tf.image.adjust_contrast(X, contrast_factor=2.0), tf.image.adjust_contrast(X, 2.0))
    colours = np.random.default_rng(1).random((4, 4, 3), np.float32)
    np.testing.assert_array_equal(
        tf.image.adjust_saturation(colours, saturation_factor=0.5), tf.image.adjust_saturation(colours, 0.5)
    )
    assert tf.constant(X).get_shape() == X.shape
    assert int(Dataset.range(3).batch(3).get_single_element()[2]) == 2
    with pytest.raises(DataError, match="one element is needed, got several"):
        Dataset.range(3).get_single_element()


def test_grad_cam_without_the_last_softmax_reads_the_scores() -> None:
    """model.layers[-1].activation = None, behind a prediction and before a tape."""
    model = keras.Sequential(
        [layers.Input((4, 4, 1)), layers.Conv2D(2, 3, name="conv"), layers.Flatten(), layers.Dense(3, "softmax")]
    )
    likely = model.predict(X, verbose=0)
    model.layers[-1].activation = None
    scores = model.predict(X, verbose=0)
    np.testing.assert_allclose(np.exp(scores) / np.exp(scores).sum(1, keepdims=True), likely, rtol=1e-5)
    grad_model = keras.Model(model.inputs, [model.get_layer("conv").output, model.output])
    with tf.GradientTape() as tape:
        seen, answers = grad_model(X)
        one = answers[:, 1]
    kernel = model.layers[-1].get_weights()[0]
    np.testing.assert_allclose(tape.gradient(one, seen).reshape(8, -1), np.tile(kernel[:, 1], (8, 1)), rtol=1e-5)
    np.testing.assert_allclose(answers, scores, rtol=1e-5)
    twice = layers.Dense(2, "relu")  # one layer at two places
    picture = layers.Input((2,))
    both = keras.Model(picture, twice(twice(picture)))
    twice.set_weights([-np.eye(2), np.zeros(2)])
    twice.activation = "linear"
    np.testing.assert_array_equal(both.predict(np.ones((1, 2)), verbose=0), [[1, 1]])


def test_rows_of_layers_without_a_shape_stand_in_a_model_that_the_pictures_build() -> None:
    smaller = keras.Sequential([layers.Resizing(3, 3), layers.Rescaling(2.0)])
    turned = keras.Sequential([layers.RandomFlip("horizontal")])
    model = keras.Sequential([smaller, turned, layers.Conv2D(2, 3), layers.Flatten(), layers.Dense(2)])
    assert smaller(X[0]).shape == (3, 3, 1)
    data = Dataset.from_tensor_slices(X).batch(4).map(lambda x: smaller(x, training=True))
    np.testing.assert_array_equal(np.concatenate(list(data)), smaller.predict(X, verbose=0))
    answers = model.predict(X, verbose=0)
    kernel, bias, second, last = model.get_weights()
    expected = np.einsum("nhwc,hwco->no", smaller(X), kernel) + bias
    np.testing.assert_allclose(answers, expected @ second + last, rtol=1e-4, atol=1e-5)
    late = keras.Sequential([smaller, keras.Sequential([layers.Input((3, 3, 1)), layers.Flatten()])])
    assert late.predict(X, verbose=0).shape == (8, 9)  # the second's shape is not the pictures'


def test_sizes_that_a_first_layer_leaves_open() -> None:
    """Dense(input_shape=(None, 5)), called by itself and in a model: the axis takes any length."""
    layer = layers.Dense(3, input_shape=(None, 5))
    series = np.random.default_rng(1).random((4, 7, 5), np.float32)
    np.testing.assert_allclose(layer(series), series @ layer.kernel + layer.bias, rtol=1e-5)
    assert layers.Dense(3, input_shape=(None, 5))(series[:, 0]).shape == (4, 3)
    model = keras.Sequential([layers.Dense(3, batch_input_shape=(None, None, 5)), layers.Dense(2)])
    assert model.input.shape == (None, None, 5) and model.count_params() == 26
    assert [model.predict(series[:, :n], verbose=0).shape for n in (7, 2)] == [(4, 7, 2), (4, 2, 2)]
    for wrong in ((None, 0), (None, "5")):
        with pytest.raises(ConfigError, match="input_shape must be 1 to"):
            layers.Dense(3, input_shape=wrong)


def test_a_layer_of_ones_own_is_found_by_its_name_with_what_it_gave() -> None:
    """get_layer("inv_1").output[1], where other layers stand in its place."""

    class Scaled(layers.Layer):
        def call(self, x: Any) -> Any:
            weights = layers.Softmax()(x)
            return x * weights, weights

    picture = layers.Input((6,))
    once, _ = Scaled(name="inv_1")(picture)
    twice, _ = Scaled(name="inv_2")(once)
    model = keras.Model(picture, layers.Dense(2, name="last")(twice))
    seen = keras.Model(model.input, [model.get_layer(name).output[1] for name in ("inv_1", "inv_2")])
    rows = np.random.default_rng(2).random((3, 6), np.float32)
    first, second = seen.predict(rows, verbose=0)
    soft = np.exp(rows) / np.exp(rows).sum(1, keepdims=True)
    np.testing.assert_allclose(first, soft, rtol=1e-5)
    np.testing.assert_allclose(second, np.exp(rows * soft) / np.exp(rows * soft).sum(1, keepdims=True), rtol=1e-5)
    assert model.get_layer("inv_2").input is once and model.get_layer("last").output is model.output

    class Named(layers.Layer):
        def call(self, x: Any) -> Any:
            return {"double": 2 * x}

    double = Named(name="named")(picture)["double"]
    assert keras.Model(picture, double).get_layer("named").output["double"] is double
    with pytest.raises(ConfigError, match="unknown layer of functional 'inv_3'"):
        model.get_layer("inv_3")


def test_a_call_on_a_value_is_enough_for_the_weights() -> None:
    """get_weights and set_weights before a model holds the layer, which keeps them."""
    picture, layer, table = layers.Input((3,)), layers.Dense(2), layers.Embedding(4, 2)
    assert layer.get_weights() == []
    answer = layer(picture)
    rows = table(layers.Input((5,)))
    assert [array.shape for array in layer.get_weights()] == [(3, 2), (2,)] and layer.count_params() == 8
    table.set_weights([np.arange(8).reshape(4, 2)])
    assert rows.shape == (None, 5, 2) and table.weights[0][3, 1] == 7
    kernel = layer.get_weights()[0]
    model = keras.Model(picture, answer)
    np.testing.assert_array_equal(model.predict(np.eye(3, dtype=np.float32), verbose=0), kernel)
