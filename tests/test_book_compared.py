"""Everything of the book that exists here, against the book's own modules, on random numbers of random shapes."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from book_modules import load, needs_book

from pellucid import scratch
from pellucid.scratch import chapters, slopes, two_layer_net, two_layer_net_sigmoid
from pellucid.scratch.book import MODULES

pytestmark = needs_book
SEEDS = pytest.mark.parametrize("seed", range(12))


def close(got: Any, wanted: Any, rtol: float = 1e-11) -> None:
    got, wanted = np.asarray(got, np.float64), np.asarray(wanted, np.float64)
    assert got.shape == wanted.shape
    np.testing.assert_allclose(got, wanted, rtol=0, atol=rtol * np.abs(wanted).max(initial=1e-3))


def same_passes(ours: Any, book: Any, x: np.ndarray, *flags: bool, kept: tuple[str, ...] = ()) -> None:
    y = book.forward(x.copy(), *flags)
    close(ours.forward(x.copy(), *flags), y)
    dout = np.random.randn(*np.shape(y))
    close(ours.backward(dout.copy()), book.backward(dout.copy()))
    for name in kept:
        close(getattr(ours, name), getattr(book, name))


def seeded(make: Any, *arguments: Any, **options: Any) -> Any:
    """What a class makes of the same random numbers."""
    np.random.seed(3)
    return make(*arguments, **options)


@SEEDS
def test_functions(seed: int) -> None:
    book = load("common.functions")
    rng = np.random.default_rng(seed)
    rows, classes = rng.integers(1, 9), rng.integers(2, 10)
    x = rng.normal(size=(rows, classes)) * 4
    for name in ("identity_function", "sigmoid", "sigmoid_grad", "relu", "softmax"):
        for given in (x, x[0], x[0, 0], x.astype(np.float32)):
            got = getattr(scratch, name)(given)
            close(got, getattr(book, name)(given), 1e-6 if np.asarray(given).dtype == np.float32 else 1e-12)
    labels = rng.integers(0, classes, rows)
    one_hot = np.eye(classes)[labels]
    y = scratch.softmax(x)
    for t in (labels, one_hot):
        close(scratch.cross_entropy_error(y, t), book.cross_entropy_error(y, t))
        close(scratch.softmax_loss(x, t), book.softmax_loss(x, t))
    close(scratch.cross_entropy_error(y[0], one_hot[0]), book.cross_entropy_error(y[0], one_hot[0]))
    close(scratch.mean_squared_error(y, one_hot), book.mean_squared_error(y, one_hot))


@SEEDS
def test_gradients(seed: int) -> None:
    book, chapter4 = load("common.gradient"), load("ch04.gradient_2d")
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(1, 4, seed % 4 + 1))
    x = rng.normal(size=shape)
    f = lambda a: np.sum(np.sin(a) * np.arange(a.size).reshape(a.shape) + a**2)  # noqa: E731
    close(scratch.numerical_gradient(f, x), book.numerical_gradient(f, x), 1e-7)
    if x.ndim < 3:
        close(scratch.numerical_gradient_2d(f, x), book.numerical_gradient_2d(f, x), 1e-7)
        close(scratch.numerical_gradient_2d(f, x), chapter4.numerical_gradient(f, x), 1e-7)
        close(slopes.function_2(x), chapter4.function_2(x))
        if x.ndim == 1:
            lines = [module.tangent_line(module.function_2, x)(2.0) for module in (slopes, chapter4)]
            close(*lines, 1e-7)


@SEEDS
def test_util(seed: int) -> None:
    book = load("common.util")
    rng = np.random.default_rng(seed)
    x = rng.normal(size=rng.integers(11, 60))
    close(scratch.smooth_curve(list(x)), book.smooth_curve(list(x)))
    n = int(rng.integers(1, 9))
    for shape in ((n, 5), (n, 2, 3, 4)):
        data, labels = rng.normal(size=shape), rng.integers(0, 9, n)
        for got, wanted in zip(
            seeded(scratch.shuffle_dataset, data, labels), seeded(book.shuffle_dataset, data, labels), strict=True
        ):
            np.testing.assert_array_equal(got, wanted)
    size, window, stride, pad = (int(rng.integers(low, high)) for low, high in ((5, 30), (1, 5), (1, 4), (0, 3)))
    assert scratch.conv_output_size(size, window, stride, pad) == book.conv_output_size(size, window, stride, pad)
    pictures = rng.normal(size=(2, 3, size, size + 2))
    columns = book.im2col(pictures, window, window + 1, stride, pad)
    close(scratch.im2col(pictures, window, window + 1, stride, pad), columns)
    close(
        scratch.col2im(columns, pictures.shape, window, window + 1, stride, pad),
        book.col2im(columns, pictures.shape, window, window + 1, stride, pad),
    )


@SEEDS
def test_layers(seed: int) -> None:
    book = load("common.layers")
    np.random.seed(seed)
    rng = np.random.default_rng(seed)
    n, c, filters, fh, fw, stride, pad = (int(number) for number in rng.integers(1, 4, 7))
    pad -= 1
    h, w = (size + stride * int(rng.integers(0, 5)) for size in (fh, fw))
    W = rng.normal(size=(filters, c, fh, fw))
    for b in (rng.normal(size=filters), 0, np.float64(0.5), np.ones(1), rng.normal(size=(1, filters))):
        x = rng.normal(size=(n, c, h, w))
        pair = (scratch.Convolution(W, b, stride, pad), book.Convolution(W, b, stride, pad))
        if (h + 2 * pad - fh) % stride == (w + 2 * pad - fw) % stride == 0:
            same_passes(*pair, x, kept=("dW", "db", "col", "col_W"))
    ph, pw = (int(size) for size in rng.integers(1, 4, 2))
    pooled = rng.normal(size=(n, c, ph + 2 * int(rng.integers(0, 4)), pw + 2 * int(rng.integers(0, 4))))
    same_passes(scratch.Pooling(ph, pw), book.Pooling(ph, pw), pooled)
    for shape in ((n, 6), (n, c, 2, 3)):
        x = rng.normal(size=shape)
        inputs = x[0].size
        weights = rng.normal(size=(inputs, filters))
        for b in (rng.normal(size=filters), 0.0, rng.normal(size=(1, filters))):
            same_passes(scratch.Affine(weights, b), book.Affine(weights, b), x, kept=("dW", "db", "x"))
        same_passes(scratch.Relu(), book.Relu(), x, kept=("mask",))
        same_passes(scratch.Sigmoid(), book.Sigmoid(), x, kept=("out",))
        for flag in (True, False):
            dropouts = scratch.Dropout(0.3), book.Dropout(0.3)
            drawn = [seeded(layer.forward, x, flag) for layer in dropouts]
            close(*drawn)
        gamma, beta = rng.normal(size=(2, inputs))
        ours, theirs = scratch.BatchNormalization(gamma, beta, 0.8), book.BatchNormalization(gamma, beta, 0.8)
        for _ in range(3):
            kept = ("dgamma", "dbeta", "running_mean", "running_var", "std", "xc", "xn", "batch_size")
            batch = rng.normal(size=(n + 3, *shape[1:])) * 3 + 1
            same_passes(ours, theirs, batch, True, kept=kept)
        close(ours.forward(x, False), theirs.forward(x, False))
    scores, labels = rng.normal(size=(n, 5)), rng.integers(0, 5, n)
    for t in (labels, np.eye(5)[labels], *([labels.reshape(1, 1)] if n == 1 else [])):
        ours, theirs = scratch.SoftmaxWithLoss(), book.SoftmaxWithLoss()
        close(ours.forward(scores, t), theirs.forward(scores, t))
        close(ours.backward(), theirs.backward())


@pytest.mark.parametrize("name", ["SGD", "Momentum", "AdaGrad", "RMSprop", "Adam"])
@pytest.mark.parametrize("kind", ["arrays", "numbers", "scalars", "no axes"])
def test_optimizers_over_twenty_steps(name: str, kind: str) -> None:
    module = load("common.optimizer")
    rng = random.Random(0)
    ours, book = getattr(scratch, name)(lr=0.3), getattr(module, name)(lr=0.3)
    made = {
        "arrays": lambda: {"W": np.full((3, 2), 2.0), "b": np.full(2, -1.0)},
        "numbers": lambda: {"x": -7.0, "y": 2.0},
        "scalars": lambda: {"x": np.float64(-7.0), "y": np.float64(2.0)},
        "no axes": lambda: {"x": np.array(-7.0), "y": np.array(2.0)},
    }[kind]
    one, two = made(), made()
    for _ in range(20):
        grads = {key: value * rng.uniform(0.1, 2.0) for key, value in two.items()}
        ours.update(one, grads)
        book.update(two, grads)
        for key in two:
            close(one[key], two[key], 1e-12)
            assert isinstance(one[key], type(made()[key]))


def test_nesterov_is_the_formula_and_not_the_books() -> None:
    module = load("common.optimizer")
    ours, book = {"x": 1.0}, {"x": 1.0}
    scratch.Nesterov(lr=0.1, momentum=0.5).update(ours, {"x": 1.0})
    module.Nesterov(lr=0.1, momentum=0.5).update(book, {"x": 1.0})
    assert ours["x"] == pytest.approx(1 - 1.5 * 0.1) and book["x"] == pytest.approx(ours["x"] - 0.5**2 * 0.1)


def networks() -> Iterator[Any]:
    """(ours, the book's, the pictures' shape) of every network but the two of pictures."""
    for chapter, mine in (("ch04", two_layer_net_sigmoid), ("ch05", two_layer_net)):
        arguments = {"input_size": 7, "hidden_size": 5, "output_size": 4, "weight_init_std": 0.3}
        yield pytest.param(f"{chapter}.two_layer_net", mine.TwoLayerNet, arguments, id=chapter)
    sizes = {"input_size": 7, "hidden_size_list": [6, 5], "output_size": 4}
    for options in (
        {},
        {"activation": "sigmoid", "weight_init_std": "xavier"},
        {"weight_init_std": 0.2, "weight_decay_lambda": 0.1},
    ):
        yield pytest.param("common.multi_layer_net", scratch.MultiLayerNet, {**sizes, **options}, id=f"multi {options}")
    for more in (
        {"use_batchnorm": True},
        {"use_dropout": True, "dropout_ration": 0.3},
        {"use_batchnorm": True, "use_dropout": True, "weight_decay_lambda": 0.05, "activation": "sigmoid"},
    ):
        yield pytest.param(
            "common.multi_layer_net_extend", scratch.MultiLayerNetExtend, {**sizes, **more}, id=f"extend {more}"
        )


@pytest.mark.parametrize(("module", "mine", "arguments"), list(networks()))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_over_ten_steps(module: str, mine: Any, arguments: dict[str, Any], dtype: Any) -> None:
    book = seeded(getattr(load(module), mine.__name__), **arguments)
    ours = seeded(mine, **arguments)
    assert set(vars(book)) <= {name for name in dir(ours) if not name.startswith("__")}
    assert list(ours.params) == list(book.params)
    for name, value in book.params.items():
        np.testing.assert_array_equal(ours.params[name], value)
        assert ours.params[name].dtype == value.dtype
    if hasattr(book, "layers"):
        assert list(ours.layers) == list(book.layers)
        assert [type(layer).__name__ for layer in ours.layers.values()] == [
            type(layer).__name__ for layer in book.layers.values()
        ]
    rng = np.random.default_rng(0)
    optimizers = scratch.Adam(lr=0.05), load("common.optimizer").Adam(lr=0.05)
    for step in range(10):
        x = rng.normal(size=(6, 7)).astype(dtype)
        t = np.eye(4)[rng.integers(0, 4, 6)]
        t = t if module == "ch04.two_layer_net" or step % 2 else t.argmax(axis=1)
        grads = [seeded(network.gradient, x, t) for network in (ours, book)]
        assert set(grads[0]) == set(grads[1])
        for key, wanted in grads[1].items():
            close(grads[0][key], wanted, 1e-9)
        for network, optimizer, grad in zip((ours, book), optimizers, grads, strict=True):
            optimizer.update(network.params, grad)
        close(ours.predict(x), book.predict(x), 1e-8)
        close(ours.loss(x, t), book.loss(x, t), 1e-8)
        assert ours.accuracy(x, t) == book.accuracy(x, t)
    if not arguments.get("use_dropout"):
        wanted = book.numerical_gradient(x, t)
        for key, got in ours.numerical_gradient(x, t).items():
            close(got, wanted[key], 1e-5)


def test_training_is_the_books_where_both_see_the_same_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    x, t = rng.normal(size=(12, 7)).astype(np.float32), rng.integers(0, 4, 12)
    batches = iter(range(99))
    monkeypatch.setattr(np.random, "permutation", np.arange)
    monkeypatch.setattr(np.random, "choice", lambda size, n: np.arange(n) + n * (next(batches) % (size // n)))
    for optimizer in ("SGD", "Momentum", "adagrad", "rmsprpo", "Adam"):
        batches = iter(range(99))
        trained = []
        for module in ("common.trainer", None):
            book = module is not None
            net = load("common.multi_layer_net").MultiLayerNet if book else scratch.MultiLayerNet
            network = seeded(net, 7, [5], 4, weight_decay_lambda=0.1)
            make = load("common.trainer").Trainer if book else scratch.Trainer
            trainer = make(network, x, t, x, t, 3, 4, optimizer, {"lr": 0.05}, verbose=False)
            trainer.train()
            trained.append((trainer.train_loss_list, trainer.max_iter, *network.params.values()))
        for wanted, got in zip(*trained, strict=True):
            close(got, wanted, 1e-9)


def test_deep_convnet() -> None:
    book, ours = seeded(load("ch08.deep_convnet").DeepConvNet), seeded(scratch.DeepConvNet)
    for name, value in book.params.items():
        np.testing.assert_array_equal(ours.params[name], value)
    assert [type(layer).__name__ for layer in ours.layers] == [type(layer).__name__ for layer in book.layers]
    x, t = np.random.default_rng(0).normal(size=(3, 1, 28, 28)), np.array([1, 7, 3])
    close(ours.predict(x), book.predict(x))
    grads = [seeded(network.gradient, x.copy(), t) for network in (ours, book)]
    for key, wanted in grads[1].items():
        close(grads[0][key], wanted, 1e-9)
    close(ours.predict(x.astype(np.float32)), book.predict(x), 1e-5)


def test_simple_convnet() -> None:
    arguments = {"input_dim": (1, 10, 10), "conv_param": {"filter_num": 4, "filter_size": 3, "pad": 0, "stride": 1}}
    book, ours = (
        seeded(load("ch07.simple_convnet").SimpleConvNet, **arguments),
        seeded(scratch.SimpleConvNet, **arguments),
    )
    for name, value in book.params.items():
        np.testing.assert_array_equal(ours.params[name], value.astype(np.float32))
        ours.params[name] = value
    x, t = np.random.default_rng(0).normal(size=(1, 1, 10, 10)), np.array([[1]])
    close(ours.loss(x, t), book.loss(x, t))
    grads = ours.gradient(x, t), book.gradient(x, t)
    for key, wanted in grads[1].items():
        close(grads[0][key], wanted)


def test_gates_and_layers_of_numbers() -> None:
    for name, function in (("and_gate", chapters.AND), ("nand_gate", chapters.NAND), ("or_gate", chapters.OR)):
        book = getattr(load(f"ch02.{name}"), function.__name__)
        for x1 in (0, 1, 0.3, -2):
            for x2 in (0, 1, 0.9):
                assert function(x1, x2) == book(x1, x2)
    book = load("ch05.layer_naive")
    for name in ("MulLayer", "AddLayer"):
        layers = getattr(chapters, name)(), getattr(book, name)()
        assert len({layer.forward(100, 1.1) for layer in layers}) == 1
        assert len({layer.backward(1.3) for layer in layers}) == 1


IMPORTED = (
    "common.",
    "ch02.and",
    "ch02.nand",
    "ch02.or",
    "ch04.gradient_2d",
    "ch04.two",
    "ch05.",
    "ch07.simple",
    "ch08.",
)
"""What the book's programs import; its other files are programs, which run when they are imported."""


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith(IMPORTED)])
def test_every_name_of_its_modules_has_one_here(name: str) -> None:
    missing = {
        own
        for own, value in vars(load(name)).items()
        if getattr(value, "__module__", "").partition(".")[0] in ("common", name.partition(".")[0])
        and not own.startswith("_")
    }
    here: set[str] = set()
    for module in MODULES[name]:
        owner, _, short = module.partition(" as ")
        here |= {short} if short else set(__import__(owner, fromlist=["__all__"]).__all__)
    assert missing <= here
