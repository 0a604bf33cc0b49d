"""What else the book has, against differences, PyTorch and arithmetic by hand."""

from __future__ import annotations

from pathlib import Path
from pkgutil import resolve_name
from typing import Any

import numpy as np
import pytest

from pellucid import ops, scratch
from pellucid.errors import ConfigError, DataError, ShapeError
from pellucid.scratch import slopes, two_layer_net, two_layer_net_sigmoid
from pellucid.scratch.book import MODULES

SIZES = {"input_size": 6, "hidden_size_list": [5, 4], "output_size": 3}
NETWORKS: list[tuple[Any, dict[str, Any]]] = [
    (two_layer_net.TwoLayerNet, {"input_size": 6, "hidden_size": 5, "output_size": 3, "weight_init_std": 0.5}),
    (two_layer_net_sigmoid.TwoLayerNet, {"input_size": 6, "hidden_size": 5, "output_size": 3, "weight_init_std": 0.5}),
    (scratch.MultiLayerNet, {**SIZES, "weight_decay_lambda": 0.3}),
    (scratch.MultiLayerNet, {**SIZES, "activation": "sigmoid", "weight_init_std": "Xavier"}),
    (scratch.MultiLayerNetExtend, {**SIZES, "use_batchnorm": True, "weight_decay_lambda": 0.1}),
    (scratch.MultiLayerNetExtend, {**SIZES, "weight_init_std": 0.5}),
]


@pytest.mark.parametrize(("make", "arguments"), NETWORKS)
@pytest.mark.parametrize("rows", ["labels", "column", "one-hot"])
def test_a_gradient_is_the_numerical_one(make: Any, arguments: dict[str, Any], rows: str) -> None:
    np.random.seed(0)
    network = make(**arguments)
    x, labels = np.random.randn(7, 6).astype(np.float32), np.arange(7) % 3
    t = {"labels": labels, "column": labels[:, None], "one-hot": np.eye(3)[labels]}[rows]
    grads = network.gradient(x, t)
    assert {key: grad.shape for key, grad in grads.items()} == {key: p.shape for key, p in network.params.items()}
    for key, numerical in network.numerical_gradient(x, t).items():
        np.testing.assert_allclose(grads[key], numerical, atol=5e-5)  # a step of 1e-4 on curves
    assert network.accuracy(x, t) == np.mean(network.predict(x).argmax(axis=1) == labels)


@pytest.mark.parametrize(("make", "arguments"), NETWORKS)
def test_what_stands_in_params_counts(make: Any, arguments: dict[str, Any]) -> None:
    network, x = make(**arguments), np.random.default_rng(0).normal(size=(3, 6))
    for key, value in network.params.items():
        network.params[key] = np.zeros_like(value)  # put in the place of the old one, not into it
    assert np.ptp(network.predict(x)) == 0
    assert network.layers["Affine1"].W is network.params["W1"]


@pytest.mark.parametrize("shape", [(6, 5), (4, 3, 2, 5)])
def test_batch_normalization_is_pytorchs(shape: tuple[int, ...]) -> None:
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(0)
    units = int(np.prod(shape[1:]))
    gamma, beta, dout = rng.normal(size=units), rng.normal(size=units), rng.normal(size=shape)
    theirs = torch.nn.BatchNorm1d(units, eps=1e-6, momentum=0.1, dtype=torch.float64)
    with torch.no_grad():
        theirs.weight.copy_(torch.tensor(gamma))
        theirs.bias.copy_(torch.tensor(beta))
        theirs.running_var.zero_()  # the book begins with none
    ours = scratch.BatchNormalization(gamma, beta)
    for _ in range(3):
        x = rng.normal(size=shape) * 2 + 1
        tx = torch.tensor(x.reshape(len(x), -1), requires_grad=True)
        ty = theirs(tx)
        theirs.zero_grad()
        ty.backward(torch.tensor(dout.reshape(len(x), -1)))
        np.testing.assert_allclose(ours.forward(x), ty.detach().numpy().reshape(shape), atol=1e-12)
        np.testing.assert_allclose(ours.backward(dout), tx.grad.numpy().reshape(shape), atol=1e-12)
        np.testing.assert_allclose(ours.dgamma, theirs.weight.grad.numpy(), atol=1e-12)
        np.testing.assert_allclose(ours.dbeta, theirs.bias.grad.numpy(), atol=1e-12)
    np.testing.assert_allclose(ours.running_mean, theirs.running_mean.numpy(), atol=1e-12)
    n = shape[0]  # PyTorch keeps the variance that divides by n - 1
    np.testing.assert_allclose(ours.running_var, theirs.running_var.numpy() * (n - 1) / n, atol=1e-12)
    with torch.no_grad():
        theirs.running_var.copy_(torch.tensor(ours.running_var))
        expected = theirs.eval()(torch.tensor(x.reshape(n, -1))).numpy().reshape(shape)
    np.testing.assert_allclose(ours.forward(x, train_flg=False), expected, atol=1e-12)


def test_deep_convnet_is_the_same_network_in_pytorch() -> None:
    torch = pytest.importorskip("torch")
    np.random.seed(0)
    network, nn = scratch.DeepConvNet(), torch.nn.functional
    assert sum(value.size for value in network.params.values()) == 123_552
    x = np.random.rand(3, 1, 28, 28)
    W = {key: torch.tensor(value, requires_grad=True) for key, value in network.params.items()}
    y = torch.tensor(x)
    for number, pad in enumerate((1, 1, 1, 2, 1, 1), 1):
        y = nn.relu(nn.conv2d(y, W[f"W{number}"], W[f"b{number}"], padding=pad))
        y = nn.max_pool2d(y, 2) if number % 2 == 0 else y
    hidden = nn.relu(y.reshape(3, -1) @ W["W7"] + W["b7"])
    scores = (hidden * 0.5) @ W["W8"] + W["b8"]
    np.testing.assert_allclose(network.predict(x), scores.detach().numpy() * 0.5, atol=1e-10)
    np.testing.assert_allclose(network.predict(x.astype(np.float32)), scores.detach().numpy() * 0.5, atol=1e-4)

    t = np.array([1, 2, 3])
    grads = network.gradient(x, t)
    masks = [torch.tensor(network.layers[place].mask) for place in (17, 19)]
    dropped = ((hidden * masks[0]) @ W["W8"] + W["b8"]) * masks[1]
    nn.cross_entropy(dropped, torch.tensor(t)).backward()
    for key, grad in grads.items():
        np.testing.assert_allclose(grad, W[key].grad.numpy(), atol=1e-8)


def test_deep_convnet_runs_on_the_kernels_and_fits_other_pictures(tmp_path: Path) -> None:
    network = scratch.DeepConvNet((3, 20, 17), hidden_size=7, output_size=4)
    x, t = np.random.default_rng(0).random((5, 3, 20, 17), np.float32), np.array([0, 1, 2, 3, 3])
    with ops.recording() as calls:
        scores = network.predict(x)
    assert scores.shape == (5, 4) and scores.dtype == np.float32 and {backend for _, backend in calls} <= {"native"}
    before = network.loss(x, t)
    network.save_params(tmp_path / "deep.pkl")
    other = scratch.DeepConvNet((3, 20, 17), hidden_size=7, output_size=4)
    other.load_params(tmp_path / "deep.pkl")
    np.testing.assert_array_equal(other.predict(x), scores)
    assert before > 0 and other.accuracy(x, t, batch_size=2) == np.mean(scores.argmax(axis=1) == t)
    with pytest.raises(DataError, match=r"W7 is .* this network's"):
        scratch.DeepConvNet().load_params(tmp_path / "deep.pkl")


def test_functions_by_hand() -> None:
    x = np.array([-1000.0, -1.0, 0.0, 2.0])
    np.testing.assert_allclose(scratch.sigmoid(x), [0, 1 / (1 + np.e), 0.5, 1 / (1 + np.exp(-2))])
    assert scratch.sigmoid_grad(0.0) == 0.25 and scratch.identity_function(x) is x
    assert scratch.step_function(x).tolist() == [0, 0, 0, 1] and scratch.step_function(x).dtype == int
    assert scratch.relu(x).tolist() == [0, 0, 0, 2] and scratch.relu_grad(x).tolist() == [0, 0, 1, 1]
    assert scratch.mean_squared_error([1, 2], [3, 5]) == scratch.sum_squared_error([1, 2], [3, 5]) == 6.5
    assert scratch.softmax_loss(np.zeros((2, 4)), np.array([1, 3])) == pytest.approx(np.log(4), rel=1e-6)
    pixels = np.array([3], np.uint8)
    assert scratch.mean_squared_error(pixels, pixels + 2) == 2, "differences below 0 do not wrap"


def test_a_smooth_curve_keeps_its_length_and_its_level() -> None:
    for n in (1, 2, 10, 11, 12, 100):
        np.testing.assert_allclose(scratch.smooth_curve([3.0] * n), np.full(n, 3.0))
    line = np.arange(40.0)
    np.testing.assert_allclose(scratch.smooth_curve(line)[5:-5], line[5:-5])


def test_shuffling_keeps_pairs_together() -> None:
    for shape in ((9,), (9, 2), (9, 2, 3, 4)):
        x, t = scratch.shuffle_dataset(np.arange(np.prod(shape)).reshape(shape), np.arange(9))
        np.testing.assert_array_equal(x.reshape(9, -1)[:, 0] // np.prod(shape[1:]), t)


def test_a_gradient_of_rows_shows_the_function_one_row() -> None:
    X = np.array([[1.0, 2.0], [-3.0, 0.5]])
    of_rows = scratch.numerical_gradient_2d
    np.testing.assert_allclose(of_rows(slopes.function_2, X), 2 * X, atol=1e-8)
    np.testing.assert_allclose(of_rows(slopes.function_2, X[0]), 2 * X[0], atol=1e-8)
    assert slopes.function_2(X).tolist() == [5.0, 9.25]
    for f in (lambda x: float(np.sum(x**2)), slopes.function_2, lambda x: np.sum(x**2, keepdims=True)):
        np.testing.assert_allclose(scratch.numerical_gradient(f, X), 2 * X, atol=1e-8)


def test_gates() -> None:
    cases = [(0, 0), (1, 0), (0, 1), (1, 1)]
    assert [scratch.AND(*case) for case in cases] == [0, 0, 0, 1]
    assert [scratch.NAND(*case) for case in cases] == [1, 1, 1, 0]
    assert [scratch.OR(*case) for case in cases] == [0, 1, 1, 1]
    assert [scratch.XOR(*case) for case in cases] == [0, 1, 1, 0]


def test_apples_and_oranges() -> None:
    apple, tax, both = scratch.MulLayer(), scratch.MulLayer(), scratch.AddLayer()
    assert tax.forward(both.forward(apple.forward(100, 2), 450), 1.1) == pytest.approx(715)
    dboth, dtax = tax.backward(1)
    dapples, _ = both.backward(dboth)
    assert (dtax, apple.backward(dapples)) == (650, (pytest.approx(2.2), pytest.approx(110)))


@pytest.mark.parametrize("b", [0, 0.5, np.float32(2), np.ones(1), np.ones((1, 3)), [1.0, 2.0, 3.0]], ids=repr)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bias_may_be_one_number(b: Any, dtype: Any) -> None:
    x = np.random.default_rng(0).normal(size=(2, 1, 4, 5)).astype(dtype)
    W = np.random.default_rng(1).normal(size=(3, 1, 2, 2))
    conv, plain = scratch.Convolution(W, b), scratch.Convolution(W, np.zeros(3))
    wanted = plain.forward(x) + np.broadcast_to(np.reshape(b, -1), 3).astype(dtype)[:, None, None]
    np.testing.assert_allclose(conv.forward(x), wanted, atol=1e-6)
    conv.backward(np.ones_like(wanted))
    assert np.shape(conv.db) == (3,)
    affine, flat = scratch.Affine(W.reshape(3, 4).T, b), x.reshape(-1, 4)
    wanted = flat @ W.reshape(3, 4).T + np.reshape(b, -1)
    np.testing.assert_allclose(affine.forward(flat), wanted, atol=1e-5)


@pytest.mark.parametrize("name", ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"])
def test_plain_numbers_move_as_arrays_do(name: str) -> None:
    numbers: dict[str, Any] = {"float": -7.0, "int": 2, "float64": np.float64(3), "float32": np.float32(1)}
    arrays = {key: np.array([value], np.float64) for key, value in numbers.items()}
    one, other = getattr(scratch, name)(lr=0.1), getattr(scratch, name)(lr=0.1)
    for _ in range(30):
        one.update(numbers, {key: value[0] / 2 for key, value in arrays.items()})
        other.update(arrays, {key: value / 2 for key, value in arrays.items()})
    for key, value in numbers.items():
        assert value == pytest.approx(arrays[key][0], rel=1e-5)
    kinds = {key: type(value) for key, value in numbers.items()}
    assert kinds == {"float": float, "int": float, "float64": np.float64, "float32": np.float32}


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: scratch.MultiLayerNet(3, [2], 2, activation="rlu"), ConfigError, "did you mean 'relu'"),
        (lambda: scratch.MultiLayerNet(3, [2], 2, weight_init_std="hee"), ConfigError, "did you mean 'he'"),
        (lambda: scratch.MultiLayerNet(3, [0], 2), ConfigError, "at least 1"),
        (lambda: scratch.MultiLayerNet(3, [2], 2).predict(np.ones((1, 4))), ShapeError, "takes 3 numbers"),
        (lambda: scratch.MultiLayerNetExtend(3, [2], 2, use_dropout=True, dropout_ration=2), ConfigError, "0 to 1"),
        (lambda: scratch.MultiLayerNet(3, [2], 2).accuracy(np.ones((2, 3)), np.ones(1, int)), ShapeError, "a label"),
        (lambda: scratch.DeepConvNet((28, 28)), ConfigError, "channels, height, width"),
        (lambda: scratch.DeepConvNet((1, 1, 1)), ShapeError, "2x2"),
        (lambda: scratch.DeepConvNet(conv_param_3={"filters": 3}), ConfigError, "key of conv_param_3 'filters'"),
        (lambda: scratch.BatchNormalization(1, 0).backward(np.ones((2, 2))), ConfigError, "forward pass first"),
        (lambda: scratch.BatchNormalization(np.ones(3), 0).forward(np.ones((2, 2))), ShapeError, "gamma must hold 2"),
        (lambda: scratch.BatchNormalization(1, 0).forward(np.ones(2)), ShapeError, "got shape"),
        (lambda: scratch.MulLayer().backward(1), ConfigError, "forward pass first"),
        (lambda: scratch.mean_squared_error(np.ones(3), np.ones(2)), ShapeError, "same shape"),
        (lambda: scratch.smooth_curve([]), ShapeError, "at least one"),
        (lambda: scratch.shuffle_dataset(np.ones((3, 2)), np.ones(2)), ShapeError, "equally many"),
        (lambda: scratch.conv_output_size(5, 3, stride=0), ConfigError, "at least 1"),
        (lambda: scratch.SGD().update({"W": [1.0]}, {"W": [1.0]}), ConfigError, "or a number"),
    ],
)  # fmt: skip
def test_errors_say_what_to_do(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_every_module_of_the_table_is_there_and_the_flat_names_are_theirs() -> None:
    too_general = {"dataset_dir", "df", "f", "get_data", "key_file", "predict", "save_file", "url_base"}
    names = set()
    for module in {module for modules in MODULES.values() for module in modules}:
        owner, _, short = module.partition(" as ")
        if not short:
            names |= set(__import__(module, fromlist=["__all__"]).__all__)
        else:
            assert resolve_name(owner) is not None
            names |= {short} if owner.startswith(("pellucid.scratch.chapters", "pellucid.scratch.slopes")) else set()
    assert names - too_general <= set(scratch.__all__) and set(scratch.__all__) - names == {"np"}
