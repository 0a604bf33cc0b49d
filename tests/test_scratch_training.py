"""The book's optimizers and trainer, and the page's programs from their first line to their last."""

from __future__ import annotations

import sys
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import page_layers
import pytest
from page_programs import BOOK_MODULES, program, run_program

from pellucid import datasets, ops, scratch
from pellucid.errors import ConfigError, ShapeError
from pellucid.ops import native

NAMES = ["SGD", "Momentum", "Nesterov", "AdaGrad", "RMSprop", "Adam"]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("param", "grad", "tolerance"),
    [(np.float64, np.float64, 1e-13), (np.float32, np.float32, 3e-6), (np.float64, np.float32, 3e-6)],
)
def test_optimizers_are_the_books(name: str, param: Any, grad: Any, tolerance: float) -> None:
    rng = np.random.default_rng(0)
    first = {"W": rng.normal(size=(7, 5)), "b": rng.normal(size=5)}
    ours = {key: value.astype(param) for key, value in first.items()}
    theirs = {key: value.astype(param).astype(np.float64) for key, value in first.items()}
    kept = dict(ours)
    own, book = getattr(scratch, name)(), getattr(page_layers, name)()
    for _ in range(8):
        grads = {key: (rng.normal(size=value.shape) * 1e-3).astype(grad) for key, value in first.items()}
        own.update(ours, grads)
        book.update(theirs, {key: value.astype(np.float64) for key, value in grads.items()})
    for key in first:
        assert ours[key] is kept[key] and ours[key].dtype == param
        moved = np.abs(theirs[key] - first[key]).max()
        atol = tolerance * moved + 1e-15 if param == np.float64 else tolerance
        np.testing.assert_allclose(ours[key], theirs[key], rtol=0, atol=atol)


@pytest.mark.skipif(not native.available, reason="no compiled kernels")
def test_float32_steps_run_on_the_kernels() -> None:
    params, grads = {"W": np.ones((3, 2))}, {"W": np.ones((3, 2), np.float32)}
    with ops.recording() as calls:
        for name in ("SGD", "Momentum", "Nesterov", "Adam"):
            getattr(scratch, name)().update(params, grads)
    assert calls == [("sgd", "native")] * 3 + [("adam", "native")]


def test_parameters_that_are_no_contiguous_stretch_are_updated_too() -> None:
    whole = np.ones((4, 6))
    scratch.SGD(lr=0.5).update({"W": whole[:, ::2]}, {"W": np.ones((4, 3))})
    assert whole[0].tolist() == [0.5, 1, 0.5, 1, 0.5, 1]


@pytest.mark.parametrize(
    ("params", "grads", "error", "words"),
    [
        ({"W": np.ones(2)}, {"V": np.ones(2)}, ConfigError, "grads has nothing for 'W'; it has 'V'"),
        ({"W": np.ones(2)}, {"W": np.ones(3)}, ShapeError, r"shaped like its parameter \(2,\), got \(3,\)"),
        ({"W": [1.0]}, {"W": np.ones(1)}, ConfigError, r"params\['W'\] must be a writable array of floats"),
        ({"W": np.ones(2, int)}, {"W": np.ones(2)}, ConfigError, "writable array of floats"),
    ],
)
def test_optimizers_say_what_does_not_fit(params: Any, grads: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        scratch.Adam().update(params, grads)


class Counter:
    """A network of one number that notes what it was shown: pictures are their own indices."""

    def __init__(self) -> None:
        self.params = {"W": np.ones(1)}
        self.shown: list[list[int]] = []
        self.judged: list[tuple[int, int]] = []

    def gradient(self, x: Any, t: Any) -> dict[str, Any]:
        assert (x == t).all()
        self.shown.append(x.tolist())
        return {"W": np.ones(1)}

    def loss(self, x: Any, t: Any) -> float:
        return float(self.params["W"][0])

    def accuracy(self, x: Any, t: Any) -> float:
        self.judged.append((len(self.shown), len(x)))
        return len(x) / 1000


def trainer(network: Any, count: int = 10, **options: Any) -> scratch.Trainer:
    x, test = np.arange(count), np.arange(4)
    return scratch.Trainer(network, x, x, test, test, **{"verbose": False, **options})


@pytest.mark.parametrize("batch_size", [1, 3, 5, 7, 10, 100])
def test_an_epoch_shows_every_picture_once_and_is_judged_at_its_end(batch_size: int) -> None:
    network = Counter()
    run = trainer(network, epochs=4, mini_batch_size=batch_size)
    run.train()
    steps = -(-10 // batch_size)
    assert len(network.shown) == len(run.train_loss_list) == 4 * steps == run.max_iter
    for epoch in range(4):
        seen = chain.from_iterable(network.shown[epoch * steps : (epoch + 1) * steps])
        assert sorted(seen) == list(range(10))
    assert run.train_acc_list == [0.01] * 4 and run.test_acc_list == [0.004] * 4
    ends = [(steps * epoch, size) for epoch in (1, 2, 3, 4) for size in (10, 4)]
    assert network.judged == [*ends, (4 * steps, 4)]
    assert network.shown[0] != network.shown[steps] or batch_size == 1
    # the loss of a batch after its step: W = 1 - 0.01 * steps
    np.testing.assert_allclose(run.train_loss_list, 1 - 0.01 * np.arange(1, 4 * steps + 1))


def test_an_epoch_is_judged_on_as_many_as_were_asked_for() -> None:
    network = Counter()
    run = trainer(network, epochs=2, evaluate_sample_num_per_epoch=3)
    run.train()
    assert run.train_acc_list == run.test_acc_list == [0.003] * 2 and network.judged[-1][1] == 4


def test_training_goes_on_where_it_was_interrupted() -> None:
    network = Counter()
    run = trainer(network, epochs=3, mini_batch_size=4)
    for _ in range(4):
        run.train_step()
    assert run.current_epoch == 1 and len(run.train_acc_list) == 1
    run.train()
    assert len(run.train_acc_list) == 3 and len(run.train_loss_list) == 9
    assert sorted(chain.from_iterable(network.shown[3:6])) == list(range(10))


def test_the_same_seed_gives_the_same_order() -> None:
    orders = []
    for _ in range(2):
        np.random.seed(4)
        network = Counter()
        trainer(network, epochs=2).train()
        orders.append(network.shown)
    assert orders[0] == orders[1]


def test_it_prints_as_the_book_does(capsys: pytest.CaptureFixture[str]) -> None:
    trainer(Counter(), epochs=1, mini_batch_size=5, verbose=True).train()
    assert capsys.readouterr().out.splitlines() == [
        "train loss:0.99",
        "train loss:0.98",
        "=== epoch:1, train acc:0.01, test acc:0.004 ===",
        "=============== Final Test Accuracy ===============",
        "test acc:0.004",
    ]
    trainer(Counter(), epochs=1).train()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", [*NAMES, "adam", "rmsprop"])
def test_every_optimizer_is_found_by_name(name: str) -> None:
    run = trainer(Counter(), optimizer=name, optimizer_param={"lr": 0.5})
    assert type(run.optimizer).__name__.lower() == name.lower() and run.optimizer.lr == 0.5


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"optimizer": "adan"}, ConfigError, "did you mean 'adam'"),
        ({"optimizer_param": {"rate": 1}}, ConfigError, "optimizer_param {'rate': 1} does not fit SGD: .*'rate'"),
        ({"epochs": 0}, ConfigError, "epochs must be"),
        ({"mini_batch_size": 0}, ConfigError, "mini_batch_size must be"),
        ({"evaluate_sample_num_per_epoch": 0}, ConfigError, "evaluate_sample_num_per_epoch must be"),
        ({"count": 0}, ShapeError, "training needs pictures and a label for each, got 0 and 0"),
    ],
)
def test_a_trainer_checks_its_arguments(options: dict[str, Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        trainer(Counter(), **options)


# the page's programs ------------------------------------------------------------------------------------------------


@pytest.fixture
def plt(monkeypatch: pytest.MonkeyPatch) -> Any:
    pyplot = pytest.importorskip("matplotlib.pyplot")
    pyplot.switch_backend("Agg")
    monkeypatch.setattr(pyplot, "show", lambda: pyplot.gcf().canvas.draw())
    pyplot.close("all")
    yield pyplot
    pyplot.close("all")


@pytest.fixture
def few_digits(monkeypatch: pytest.MonkeyPatch) -> str:
    """A module whose load_mnist gives a few pictures: the program's own reduction of the data, further down."""
    if datasets.locate("mnist") is None:
        pytest.skip("mnist is not on this machine")

    def load_mnist(flatten: bool = True) -> Any:
        (x_train, t_train), (x_test, t_test) = scratch.load_mnist(flatten=flatten)
        return (x_train[:430], t_train[:430]), (x_test[:150], t_test[:150])

    module = ModuleType("few_digits")
    module.load_mnist = load_mnist  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "few_digits", module)
    return module.__name__


def test_only_the_imports_of_a_program_change() -> None:
    for name in ("simple_convnet", "train_convnet", "visualize_filter"):
        ours, theirs = program(name, "pellucid.scratch").splitlines(), program(name, "book").splitlines()
        different = [line for line, other in zip(ours, theirs, strict=True) if line != other]
        assert different and all(line.startswith("from pellucid.scratch import ") for line in different)


def test_the_training_program_runs(
    plt: Any, few_digits: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.random.seed(0)
    homes = {**dict.fromkeys(BOOK_MODULES, "pellucid.scratch"), "dataset.mnist": few_digits}
    found = run_program("train_convnet", homes)
    trained = found["trainer"]
    assert len(trained.train_acc_list) == len(trained.test_acc_list) == found["max_epochs"] == 20
    assert len(trained.train_loss_list) == 20 * 5
    assert trained.train_acc_list[-1] > 0.9 and trained.test_acc_list[-1] > 0.7
    printed = capsys.readouterr().out
    assert printed.count("train loss:") == 100 and printed.count("=== epoch:") == 20
    assert printed.endswith("Saved Network Parameters!\n")
    lines = plt.gcf().axes[0].lines
    assert [line.get_label() for line in lines] == ["train", "test"]
    np.testing.assert_array_equal(lines[0].get_ydata(), trained.train_acc_list)

    # and the second program, with the parameters that the first one saved
    plt.close("all")
    np.random.seed(1)
    filters = run_program("visualize_filter", {**homes, "simple_convnet": "pellucid.scratch"})
    np.testing.assert_array_equal(filters["network"].params["W1"], found["network"].params["W1"])
    assert len(plt.get_fignums()) == 2 and all(len(plt.figure(number).axes) == 30 for number in plt.get_fignums())


def test_filter_show_draws_the_smallest_weight_black(plt: Any) -> None:
    filters = np.random.default_rng(0).normal(size=(10, 2, 3, 4))
    scratch.filter_show(filters, nx=4, margin=5, scale=7)
    figure = plt.gcf()
    assert len(figure.axes) == 10
    width, height = 4 * (4 * 7 + 5) + 5, 3 * (3 * 7 + 5) + 5
    drawn = np.asarray(figure.canvas.buffer_rgba())
    assert drawn.shape == (height, width, 4)
    for index, axes in enumerate(figure.axes):
        np.testing.assert_array_equal(axes.images[0].get_array(), filters[index, 0])
        row, column = divmod(index, 4)
        for place, grey in (
            (np.unravel_index(filters[index, 0].argmin(), (3, 4)), 0),
            (np.unravel_index(filters[index, 0].argmax(), (3, 4)), 255),
        ):
            middle = np.array([5 + row * 26, 5 + column * 33]) + 7 * np.array(place) + 3
            assert drawn[tuple(middle)].tolist() == [grey, grey, grey, 255]


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((np.ones((3, 3)),), ShapeError, r"filters must be \(FN, C, FH, FW\), none empty, got shape \(3, 3\)"),
        ((np.ones((0, 1, 3, 3)),), ShapeError, "none empty"),
        ((np.ones((1, 1, 3, 3)), 0), ConfigError, "got nx 0"),
        ((np.ones((1, 1, 3, 3)), 8, -1), ConfigError, "margin -1"),
    ],
)
def test_filter_show_checks_what_it_is_given(arguments: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        scratch.filter_show(*arguments)


def test_the_names_are_there_flat() -> None:
    for name in scratch.__all__:
        assert getattr(scratch, name).__doc__
    names: dict[str, Any] = {}
    exec("from pellucid.scratch import *", names)
    assert set(scratch.__all__) <= set(names) and len(set(names) - {"__builtins__"}) == len(scratch.__all__)
