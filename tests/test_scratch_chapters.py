"""What single programs of the book define, by the names their modules have under `pellucid run`, against arithmetic."""

from __future__ import annotations

import pickle
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from book_modules import FOLDER, chapters_names, defined, load, needs_book

from pellucid import datasets, scratch
from pellucid.cli.program_modules import ProgramModules
from pellucid.errors import DataError
from pellucid.scratch.book import MODULES

NAMES = {
    "ch01.man": "Man",
    "ch03.mnist_show": "img_show load_mnist",
    "ch03.neuralnet_mnist": "get_data init_network predict load_mnist",
    "ch03.neuralnet_mnist_batch": "get_data init_network predict",
    "ch03.relu": "relu",
    "ch03.sigmoid": "sigmoid",
    "ch03.step_function": "step_function",
    "ch03.sig_step_compare": "sigmoid step_function",
    "ch04.gradient_1d": "numerical_diff function_1 tangent_line",
    "ch04.gradient_2d": "numerical_gradient function_2 tangent_line _numerical_gradient_no_batch",
    "ch04.gradient_method": "gradient_descent function_2 numerical_gradient",
    "ch04.gradient_simplenet": "simpleNet softmax cross_entropy_error numerical_gradient",
    "ch06.optimizer_compare_naive": "f df Adam OrderedDict",
    "ch06.show_optimizer_adagrad": "f df",
    "ch06.show_optimizer_adam": "f df",
    "ch06.show_optimizer_momentum": "f df",
    "ch06.show_optimizer_sgd": "f df",
    "ch06.weight_init_activation_histogram": "sigmoid ReLU tanh",
    "ch07.apply_filter": "filter_show",
    "ch07.visualize_filter": "filter_show",
    "common.gradient": "numerical_gradient numerical_gradient_2d _numerical_gradient_1d",
    "dataset.mnist": "dataset_dir save_file key_file url_base load_mnist",
}


def made(name: str) -> Any:
    """A module of the book as a program gets it."""
    module = ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)
    ProgramModules(MODULES, Path("nowhere")).exec_module(module)
    return module


@pytest.mark.parametrize("name", NAMES)
def test_a_chapters_module_has_its_names(name: str) -> None:
    module = made(name)
    assert [own for own in NAMES[name].split() if not hasattr(module, own)] == []
    assert module.np is np


@needs_book
def test_no_name_of_the_book_is_missing() -> None:
    inner = {"_download", "_load_label", "_load_img", "_convert_numpy", "_change_one_hot_label", "__train"}
    wanted = {name: set(names) - inner for name, names in chapters_names().items() if set(names) - inner}
    assert len(wanted) > 30
    assert {name: missing for name, names in wanted.items() if (missing := names - set(vars(made(name))))} == {}


def test_a_slope_and_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    module = made("ch04.gradient_1d")
    x = np.array([-3.0, 0.0, 5.0, 10.0])
    np.testing.assert_allclose(module.numerical_diff(module.function_1, x), 0.02 * x + 0.1, rtol=1e-8)
    line = module.tangent_line(module.function_1, 5.0)
    assert line(5.0) == module.function_1(5.0) and line(6.0) - line(5.0) == pytest.approx(0.2)
    assert float(capsys.readouterr().out) == pytest.approx(0.2)


def test_descent_shrinks_a_bowl_by_the_same_factor() -> None:
    module = made("ch04.gradient_method")
    start = np.array([-3.0, 4.0])
    x, way = module.gradient_descent(module.function_2, start, lr=0.1, step_num=20)
    np.testing.assert_allclose(way, np.array([-3.0, 4.0]) * 0.8 ** np.arange(20)[:, None], rtol=1e-6)
    np.testing.assert_allclose(x, np.array([-3.0, 4.0]) * 0.8**20, rtol=1e-6)
    assert x is start, "moved in place"
    grid = np.arange(12.0).reshape(2, 2, 3)
    np.testing.assert_array_equal(module.function_2(grid), grid[0] ** 2 + grid[1] ** 2)


def test_the_smallest_networks_gradient() -> None:
    np.random.seed(0)
    net, x, t = scratch.simpleNet(), np.array([0.6, 0.9]), np.array([0, 0, 1])
    assert net.W.shape == (2, 3)
    wanted = np.outer(x, scratch.softmax(x @ net.W) - t)
    np.testing.assert_allclose(scratch.numerical_gradient(lambda _: net.loss(x, t), net.W), wanted, atol=1e-5)


def test_the_valley_and_its_slope() -> None:
    module = made("ch06.show_optimizer_sgd")
    x, y = np.array([-7.0, 2.0])
    assert module.f(x, y) == 49 / 20 + 4
    numerical = scratch.numerical_gradient(lambda at: module.f(*at), np.array([x, y]))
    np.testing.assert_allclose(module.df(x, y), numerical, rtol=1e-8)
    activations = made("ch06.weight_init_activation_histogram")
    assert activations.ReLU(np.array([-1.0, 2.0])).tolist() == [0, 2] and activations.tanh(0.5) == np.tanh(0.5)


def test_man_says_what_the_book_prints(capsys: pytest.CaptureFixture[str]) -> None:
    man = scratch.Man("David")
    man.hello()
    man.goodbye()
    assert capsys.readouterr().out == "Initilized!\nHello David!\nGood-bye David!\n" and man.name == "David"


def test_three_layers_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = made("ch03.neuralnet_mnist")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"sample_weight\.pkl: not found; put"):
        module.init_network()
    rng = np.random.default_rng(0)
    sizes = [5, 4, 3, 2]
    network = {f"W{i + 1}": rng.normal(size=sizes[i : i + 2]).astype(np.float32) for i in range(3)}
    network |= {f"b{i + 1}": rng.normal(size=sizes[i + 1]).astype(np.float32) for i in range(3)}
    (tmp_path / "ch03").mkdir()
    path = tmp_path / "ch03" / "sample_weight.pkl"
    path.write_bytes(pickle.dumps(network))
    x = rng.normal(size=(6, 5)).astype(np.float32)
    hidden = x.astype(np.float64)
    for number in (1, 2):
        hidden = 1 / (1 + np.exp(-(hidden @ network[f"W{number}"] + network[f"b{number}"])))
    powers = np.exp(hidden @ network["W3"] + network["b3"])
    wanted = powers / powers.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(module.predict(module.init_network(), x), wanted, atol=1e-6)
    np.testing.assert_allclose(module.predict(network, x[0]), wanted[0], atol=1e-6)
    path.write_bytes(pickle.dumps({"W1": x}))
    with pytest.raises(DataError, match="arrays named W1, W2"):
        module.init_network()


def test_where_the_data_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "mnist"
    folder.mkdir()
    monkeypatch.setenv("PELLUCID_DATA", str(tmp_path))
    before = made("dataset.mnist")
    for name in before.key_file.values():
        (folder / name).touch()
    module = made("dataset.mnist")
    assert module.dataset_dir == str(folder) == str(datasets.locate("mnist"))
    assert scratch.dataset_dir == module.dataset_dir and not hasattr(scratch, "dataset_dirs")
    assert module.save_file == str(folder / "mnist.pkl") and module.url_base.startswith("http")
    assert list(module.key_file) == ["train_img", "train_label", "test_img", "test_label"]
    with pytest.raises(AttributeError, match="no attribute 'dataset_file'"):
        _ = scratch.mnist.dataset_file


def test_filters_of_two_chapters(monkeypatch: pytest.MonkeyPatch) -> None:
    plt = pytest.importorskip("matplotlib.pyplot")
    monkeypatch.setattr(plt, "show", lambda: None)
    filters = np.random.default_rng(0).normal(size=(9, 1, 3, 3))
    for arguments, shown in (((filters,), 9), ((filters, 3, 5), 5), ((filters, 3, 99), 9)):
        made("ch07.apply_filter").filter_show(*arguments)
        assert len(plt.gcf().axes) == shown
        plt.close()


@needs_book
def test_the_chapters_functions_are_the_books() -> None:
    rng = np.random.default_rng(0)
    functions, book_2d = load("common.functions"), load("ch04.gradient_2d")
    names = ("sigmoid", "softmax", "cross_entropy_error")
    given: dict[str, Any] = {name: getattr(functions, name) for name in names}
    given["numerical_gradient"] = book_2d.numerical_gradient

    def same(module: str, name: str, *arguments: Any) -> None:
        ours, book = getattr(made(module), name), defined(module, **given)[name]
        results = [f(*(np.copy(a) if isinstance(a, np.ndarray) else a for a in arguments)) for f in (ours, book)]
        for got, wanted in zip(*(r if isinstance(r, tuple) else (r,) for r in results), strict=True):
            np.testing.assert_allclose(got, wanted, rtol=1e-5)

    for _ in range(10):
        x, y = rng.normal(size=(2, int(rng.integers(1, 9))))
        same("ch04.gradient_1d", "function_1", x)
        same("ch04.gradient_1d", "numerical_diff", np.sin, x)
        same("ch04.gradient_method", "function_2", np.array([x, y]))
        same("ch04.gradient_method", "gradient_descent", lambda at: np.sum(np.cos(at)), x, 0.1, 7)
        for name in MODULES:
            if "optimizer_" in name:
                same(name, "f", x, y)
                same(name, "df", x, y)
        same("ch06.weight_init_activation_histogram", "ReLU", x)
        same("ch06.weight_init_activation_histogram", "tanh", x)
        same("common.gradient", "_numerical_gradient_1d", lambda at: np.sum(np.cos(at)), x)
        same("ch04.gradient_2d", "_numerical_gradient_no_batch", lambda at: np.sum(np.cos(at)), x)
    network = pickle.loads((FOLDER / "ch03" / "sample_weight.pkl").read_bytes())
    for name in ("ch03.neuralnet_mnist", "ch03.neuralnet_mnist_batch"):
        same(name, "predict", network, rng.random((8, 784), np.float32))
    ours, book = scratch.simpleNet(), defined("ch04.gradient_simplenet", **given)["simpleNet"]()
    book.W, t = ours.W, np.array([0, 1, 0])
    assert ours.loss(np.array([0.6, 0.9]), t) == pytest.approx(book.loss(np.array([0.6, 0.9]), t), rel=1e-6)
