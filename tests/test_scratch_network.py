"""SimpleConvNet on our kernels against the page's own class: on the page's layers, and on ours."""

from __future__ import annotations

import copy
import os
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import page_layers
import pytest
from page_programs import page_network

from pellucid import scratch
from pellucid.errors import CheckpointError, ConfigError, DataError, ShapeError
from pellucid.ops import native
from pellucid.scratch import SimpleConvNet
from pellucid.scratch.program import WholeNetwork

SMALL: dict[str, Any] = {
    "input_dim": (2, 12, 12),
    "conv_param": {"filter_num": 4, "filter_size": 3, "pad": 1, "stride": 1},
    "hidden_size": 9,
    "output_size": 5,
    "weight_init_std": 0.1,
}


def seeded(network: Any, seed: int = 0, **sizes: Any) -> Any:
    np.random.seed(seed)
    return network(**sizes)


def batch(n: int = 6, seed: int = 1, dtype: Any = np.float32) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x = rng.random((n, 2, 12, 12))
    x[:, :, :4] = 0  # black, as most of a digit's picture is
    return x.astype(dtype), rng.integers(0, 5, n)


def digits(count: int = 100) -> tuple[np.ndarray, np.ndarray]:
    return mnist()[0][0][:count], mnist()[0][1][:count]


def mnist() -> Any:
    try:
        return scratch.load_mnist(flatten=False)
    except DataError:
        pytest.skip("mnist is not on this machine")


def book_parameters() -> Path:
    path = Path(os.environ.get("PELLUCID_DATA", ""), "book", "params.pkl")
    if not path.is_file():
        pytest.skip("params.pkl is not on this machine")
    return path


def same_step(network: Any, page: Any, x: np.ndarray, t: np.ndarray, tolerance: float) -> None:
    """Loss and every gradient agree, each relative to its largest number."""
    assert network.loss(x, t) == pytest.approx(page.loss(x.astype(np.float64), t), rel=tolerance)
    found, wanted = network.gradient(x, t), page.gradient(x.astype(np.float64), t)
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        assert found[key].shape == value.shape
        np.testing.assert_allclose(found[key], value, rtol=0, atol=tolerance * np.abs(value).max(), err_msg=key)


NETWORKS = pytest.mark.parametrize(
    "network", [page_network("pellucid.scratch"), SimpleConvNet], ids=["the page's class on our layers", "ours"]
)


@NETWORKS
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_one_step_is_the_pages(network: Any, dtype: Any, tolerance: float) -> None:
    page, ours = (seeded(kind, **SMALL) for kind in (page_network("page_layers"), network))
    for key, value in page.params.items():
        np.testing.assert_array_equal(ours.params[key], value.astype(ours.params[key].dtype))
        ours.params[key] = value.copy()
    same_step(ours, page, *batch(dtype=dtype), tolerance)


@NETWORKS
def test_one_step_on_mnist_is_the_pages_from_the_first_weights_on(network: Any) -> None:
    page, ours = (seeded(kind) for kind in (page_network("page_layers"), network))
    same_step(ours, page, *digits(), 1e-5)


@NETWORKS
def test_one_step_on_mnist_is_the_pages_with_trained_weights(network: Any) -> None:
    path = book_parameters()
    page, ours = page_network("page_layers")(), network()
    for each in (page, ours):
        each.load_params(path)
    same_step(ours, page, *digits(), 1e-5)


def test_five_steps_of_adam_are_the_pages() -> None:
    page, ours = (seeded(kind, **SMALL) for kind in (page_network("page_layers"), SimpleConvNet))
    theirs, own = page_layers.Adam(lr=0.001), scratch.Adam(lr=0.001)
    for seed in range(5):
        x, t = batch(seed=seed)
        theirs.update(page.params, page.gradient(x, t))
        own.update(ours.params, ours.gradient(x, t))
        assert ours.loss(x, t) == pytest.approx(page.loss(x, t), rel=1e-5)


def test_the_gradient_is_the_numerical_one() -> None:
    sizes = {**SMALL, "input_dim": (2, 6, 6), "hidden_size": 4}
    network, (x, t) = seeded(SimpleConvNet, **sizes), batch(3)
    x = x[:, :, 3:9, 3:9]
    found, wanted = network.gradient(x, t), network.numerical_gradient(x, t)
    assert list(found) == list(wanted)
    for key, value in wanted.items():
        np.testing.assert_allclose(found[key], value, atol=3e-5 * np.abs(value).max(), err_msg=key)


@pytest.mark.parametrize("input_dim", [(1, 11, 11), (1, 9, 14), (3, 8, 7)])
def test_odd_maps_and_oblong_pictures_fit(input_dim: tuple[int, int, int]) -> None:
    network = seeded(SimpleConvNet, **{**SMALL, "input_dim": input_dim, "conv_param": {"filter_num": 3}})
    assert network.layers["Conv1"].W.shape == (3, input_dim[0], 5, 5)
    height, width = (input_dim[1] - 4) // 2, (input_dim[2] - 4) // 2
    assert network.params["W2"].shape == (3 * height * width, 9)
    x = np.random.default_rng(0).random((2, *input_dim)).astype(np.float32)
    assert network.predict(x).shape == (2, 5)
    assert network.gradient(x, np.array([0, 4]))["W2"].shape == network.params["W2"].shape


def test_the_page_has_too_many_weights_for_an_odd_map() -> None:
    page = page_network("page_layers")(**{**SMALL, "input_dim": (1, 11, 11)})
    with pytest.raises(ValueError):
        page.predict(np.zeros((1, 1, 11, 11)))


def test_what_stands_in_params_counts() -> None:
    network, (x, t) = seeded(SimpleConvNet, **SMALL), batch()
    before = network.loss(x, t)
    network.params["W1"] += 0.1
    moved = network.loss(x, t)
    network.params["W1"] = network.params["W1"] - 0.1
    assert moved != before and network.loss(x, t) == pytest.approx(before, rel=1e-6)
    assert network.layers["Conv1"].W is network.params["W1"]


def test_layers_keep_what_they_would_keep_one_by_one() -> None:
    network, twin, (x, t) = seeded(SimpleConvNet, **SMALL), seeded(SimpleConvNet, **SMALL), batch()
    grads = network.gradient(x, t)
    y = x
    for layer in twin.layers.values():
        y = layer.forward(y)
    np.testing.assert_allclose(network.predict(x), y, rtol=1e-5)
    np.testing.assert_array_equal(network.layers["Relu1"].mask, twin.layers["Relu1"].mask)
    np.testing.assert_array_equal(network.layers["Pool1"].arg_max, twin.layers["Pool1"].arg_max)
    np.testing.assert_array_equal(network.layers["Conv1"].x, x)
    # going back by hand, as the page's own gradient() does after its loss()
    network.loss(x, t)
    dout = network.last_layer.backward(1)
    for layer in reversed(network.layers.values()):
        dout = layer.backward(dout)
    np.testing.assert_allclose(network.layers["Conv1"].dW, grads["W1"], atol=1e-6 * np.abs(grads["W1"]).max())
    assert dout.shape == x.shape


@pytest.mark.skipif(not native.available, reason="programs are made of kernels")
def test_the_program_gives_the_bits_of_layers_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """For batches of several sizes, and weights that are changed in place, replaced, or put there in another dtype."""
    results = []
    for whole in (True, False):
        if not whole:
            monkeypatch.setattr(WholeNetwork, "covers", lambda layers: False)
        net, found = seeded(SimpleConvNet, **SMALL), list[np.ndarray]()
        for change in range(5):
            if change == 2:
                net.params["W2"] *= 2
            if change == 3:
                net.params["W3"] = net.params["W3"] + np.float32(0.1)
            if change == 4:
                net.params["W2"] = net.params["W2"].astype(np.float64)
            x, t = batch(6 - change)
            found += [net.predict(x), *net.gradient(x, t).values()]
            assert (type(net._chain[0]) is WholeNetwork) == (whole and change < 4)
            found += [
                getattr(layer, name)
                for layer in net.layers.values()
                for name in ("mask", "arg_max", "x")
                if hasattr(layer, name)
            ]
        results.append([np.array(array) for array in found])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(not native.available, reason="programs are made of kernels")
def test_what_a_pass_gave_stays_when_the_next_one_runs() -> None:
    net = seeded(SimpleConvNet, **SMALL)
    first, second = batch(seed=1), batch(seed=2)
    scores, gradients = net.predict(first[0]), net.gradient(*first)
    kept = [scores.copy(), *(array.copy() for array in gradients.values())]
    net.gradient(*second)
    for a, b in zip([scores, *gradients.values()], kept, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda network: pickle.loads(pickle.dumps(network))])
def test_a_network_can_be_copied_after_a_pass(copied: Any) -> None:
    network, (x, t) = seeded(SimpleConvNet, **SMALL), batch()
    grads = network.gradient(x, t)
    twin = copied(network)
    np.testing.assert_array_equal(twin.layers["Relu1"].mask, network.layers["Relu1"].mask)
    network.params["W1"] += 1
    for key, value in twin.gradient(x, t).items():
        np.testing.assert_array_equal(value, grads[key])


def test_an_override_of_predict_or_of_a_layer_wins() -> None:
    class Plain(SimpleConvNet):
        def predict(self, x: Any) -> np.ndarray:
            for layer in self.layers.values():
                x = layer.forward(x)
            return x

    class NoRelu(scratch.Relu):
        def forward(self, x: Any) -> np.ndarray:
            return x

        def backward(self, dout: Any) -> np.ndarray:
            return dout

    network, plain, (x, t) = seeded(SimpleConvNet, **SMALL), seeded(Plain, **SMALL), batch()
    wanted = network.gradient(x, t)
    for key, value in plain.gradient(x, t).items():
        np.testing.assert_allclose(value, wanted[key], atol=1e-5 * np.abs(wanted[key]).max())
    before = network.loss(x, t)
    network.layers["Relu1"] = NoRelu()
    assert network.loss(x, t) != before
    network.gradient(x, t)


def test_deeper_networks_merge_every_row_of_three_and_go_back_through_all() -> None:
    rng = np.random.default_rng(5)
    network, (x, t) = seeded(SimpleConvNet, **SMALL), batch()
    first = scratch.Convolution(rng.normal(size=(2, 2, 3, 3)), np.zeros(2), 1, 1)
    rest = network.layers
    network.layers = OrderedDict(First=first, R=scratch.Relu(), P=scratch.Pooling(2, 2, 1, 1), **rest)
    network.params["W2"] = rng.normal(size=(4 * 6 * 6, 9)) * 0.1
    network.gradient(x, t)
    found = first.dW
    network.gradient(x.astype(np.float64), t)  # layer by layer, on the reference
    np.testing.assert_allclose(found, first.dW, atol=1e-5 * np.abs(first.dW).max())


def test_accuracy_counts_the_last_smaller_batch() -> None:
    network, (x, t) = seeded(SimpleConvNet, **SMALL), batch(23)
    right = int((network.predict(x).argmax(axis=1) == t).sum())
    for batch_size in (1, 5, 23, 100):
        assert network.accuracy(x, t, batch_size=batch_size) == right / 23
    assert network.accuracy(x, np.eye(5)[t], batch_size=10) == right / 23


@pytest.mark.parametrize(("word", "gain"), [("he", 2), ("relu", 2), ("Xavier", 1), ("sigmoid", 1)])
def test_weight_init_std_takes_the_words_of_the_pages_docstring(word: str, gain: int) -> None:
    network = seeded(SimpleConvNet, input_dim=(1, 28, 28), weight_init_std=word)
    assert network.params["W2"].std() == pytest.approx(np.sqrt(gain / 4320), rel=0.01)
    assert network.params["W1"].std() == pytest.approx(np.sqrt(gain / 25), rel=0.15)


def test_the_books_parameters_get_9890_of_10000_right() -> None:
    path, (_, (x_test, t_test)) = book_parameters(), mnist()
    network = SimpleConvNet()
    network.load_params(path)
    assert round(network.accuracy(x_test, t_test) * len(x_test)) == 9890


def test_saved_parameters_are_read_by_plain_pickle_and_by_the_page(tmp_path: Path) -> None:
    network, page, (x, t) = seeded(SimpleConvNet, **SMALL), seeded(page_network("page_layers"), 7, **SMALL), batch()
    path = tmp_path / "params.pkl"
    network.save_params(str(path))
    with path.open("rb") as file:
        assert list(pickle.load(file)) == ["W1", "b1", "W2", "b2", "W3", "b3"]
    page.load_params(path)
    assert page.loss(x, t) == pytest.approx(network.loss(x, t), rel=1e-5)
    again = seeded(SimpleConvNet, 8, **SMALL)
    before = again.params["W1"]
    kept = before.copy()
    again.load_params(path)
    np.testing.assert_array_equal(again.params["W1"], network.params["W1"])
    np.testing.assert_array_equal(before, kept)  # whoever held the old weights still does
    assert again.loss(x, t) == network.loss(x, t) and os.listdir(tmp_path) == ["params.pkl"]


class Planted:
    def __init__(self, canary: Path) -> None:
        self.canary = canary

    def __reduce__(self) -> Any:
        return open, (str(self.canary), "w")


def test_a_pickle_that_would_run_code_is_refused_and_nothing_runs(tmp_path: Path) -> None:
    network = seeded(SimpleConvNet, **SMALL)
    before = {key: value.copy() for key, value in network.params.items()}
    path, canary = tmp_path / "evil.pkl", tmp_path / "canary"
    path.write_bytes(pickle.dumps({**network.params, "W1": Planted(canary)}))
    with pytest.raises(DataError, match=r"evil\.pkl: refused"):
        network.load_params(path)
    assert not canary.exists()
    for key, value in before.items():
        np.testing.assert_array_equal(network.params[key], value)


def test_a_pickle_of_another_network_is_refused_with_everything_that_is_wrong(tmp_path: Path) -> None:
    network = seeded(SimpleConvNet, **SMALL)
    loaded = {**network.params, "W1": np.zeros((4, 1, 3, 3)), "b2": [0.0], "extra": np.zeros(1)}
    del loaded["b3"]
    path = tmp_path / "params.pkl"
    path.write_bytes(pickle.dumps(loaded))
    words = r"'extra' is not.*W1 is \(4, 1, 3, 3\), this network's \(4, 2, 3, 3\).*b2 is no array.*list.*b3 is missing"
    with pytest.raises(DataError, match=words):
        network.load_params(path)
    path.write_bytes(pickle.dumps([1, 2]))
    with pytest.raises(DataError, match=r"expected a dict of W1, .*got list"):
        network.load_params(path)
    with pytest.raises(DataError, match="cannot be read"):
        network.load_params(tmp_path / "nowhere.pkl")
    with pytest.raises(CheckpointError, match="cannot be written"):
        network.save_params(tmp_path / "nowhere" / "params.pkl")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"conv_param": {"filters": 3}}, ConfigError, "unknown key of conv_param 'filters'"),
        ({"conv_param": {"stride": 0}}, ConfigError, "stride must be .* got 0"),
        ({"conv_param": {"pad": -1}}, ConfigError, "pad must be"),
        ({"conv_param": {"filter_num": 0}}, ConfigError, "every size must be at least 1"),
        ({"input_dim": (28, 28)}, ConfigError, r"input_dim must be \(channels, height, width\), got \(28, 28\)"),
        ({"input_dim": (1, 4, 9)}, ShapeError, "needs at least 5x5 input, got 4x9"),
        ({"hidden_size": 0}, ConfigError, "every size must be at least 1"),
        ({"weight_init_std": "hee"}, ConfigError, "did you mean 'he'"),
    ],
)
def test_arguments_are_checked_where_they_are_given(
    arguments: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        SimpleConvNet(**arguments)


def test_accuracy_of_nothing_is_refused() -> None:
    network, (x, t) = seeded(SimpleConvNet, **SMALL), batch()
    for arguments in ((x[:0], t[:0]), (x, t[:2]), (x, t, 0)):
        with pytest.raises(ShapeError, match="a label for each"):
            network.accuracy(*arguments)


def test_load_mnist_as_the_book_has_it() -> None:
    (x_train, t_train), (x_test, t_test) = mnist()
    assert x_train.shape == (60000, 1, 28, 28) and x_test.shape == (10000, 1, 28, 28)
    assert x_train.dtype == np.float32 and x_train.min() == 0 and x_train.max() == 1
    assert t_train.shape == (60000,) and t_test[:5].tolist() == [7, 2, 1, 0, 4] and t_train.dtype == np.uint8
    (raw, rows), _ = scratch.load_mnist(normalize=False, one_hot_label=True)
    assert raw.shape == (60000, 784) and raw.dtype == np.uint8 and rows.shape == (60000, 10)
    np.testing.assert_array_equal(raw[:50].reshape(50, 1, 28, 28) / np.float32(255), x_train[:50])
    np.testing.assert_array_equal(rows.argmax(axis=1), t_train)
    assert (rows.sum(axis=1) == 1).all()
