"""Engine torch beside our own: the same answers, gradients, steps, losses, and files."""

from __future__ import annotations

import itertools
import sys
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import MagicMock

import numpy as np
import pytest
from commands import Command
from exported_modules import GRAPHS, SMALL, network, shaken

import pellucid
from pellucid import Model, Sequential, losses, optimizers, zoo
from pellucid import layers as L
from pellucid.convert import import_weights
from pellucid.engines.torch import module, plans, update
from pellucid.engines.torch.batch_norm import BatchNorm
from pellucid.engines.torch.device import Device
from pellucid.engines.torch.network import Network
from pellucid.engines.torch.replay import Fused
from pellucid.errors import ConfigError, DivergedError
from pellucid.layers.dropout import Random
from pellucid.runs.resume import resume_run
from pellucid.runs.run import train_run
from pellucid.train import EpochEnded, Event, History, Stop

torch = pytest.importorskip("torch", reason="PyTorch is not installed")

BOUND = 1e-4


class Learned(NamedTuple):
    model: Model
    history: History


RATES = {"rate": 0.0, "stddev": 0.0}


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of PyTorch's wait for each other where other tests run beside them."""
    monkeypatch.setattr(pellucid.ops, "num_threads", lambda: 1)


def calm(model: Model) -> Model:
    """Without what the engines draw differently."""
    for layer in model.layers:
        if isinstance(layer, Random):
            vars(layer).update({name: value for name, value in RATES.items() if name in vars(layer)})
    return model


def trained(
    model: Model, *, engine: str | None, optimizer: Any = None, loss: Any = "mse", targets: Any = None, **options: Any
) -> Learned:
    """The model after a pass over a few pictures."""
    x = np.random.default_rng(1).normal(size=(options.pop("count", 6), *model.input_shape)).astype(np.float32)
    if targets is None:
        targets = np.random.default_rng(2).uniform(0, 1, (len(x), *model.output_shape)).astype(np.float32)
    model.compile(optimizers.SGD(0.05) if optimizer is None else optimizer, loss)
    options = {"batch_size": 3, "verbose": 0, "doctor": False, **options}
    return Learned(model, model.fit(x, targets, engine=engine, **options))


def expect_close(one: Learned, two: Learned, bound: float = BOUND) -> None:
    """Weights, statistics, moments and last gradients: each array relative to its own size; what was measured."""
    ours, theirs = one.model, two.model
    pairs = dict(zip(weight_names(ours), zip(ours.get_weights(), theirs.get_weights(), strict=True), strict=True))
    pairs |= {n: (v, theirs.optimizer_state.slots[n]) for n, v in ours.optimizer_state.slots.items()}
    pairs["gradients"] = ours.parameters.gradients, theirs.parameters.gradients
    for name, (array, other) in pairs.items():
        assert np.linalg.norm(array - other) <= bound * max(np.linalg.norm(array), 1e-3), name
    for name, values in one.history.history.items():
        np.testing.assert_allclose(two.history[name], values, rtol=bound, atol=bound)


def weight_names(model: Model) -> list[str]:
    return [f"{layer.name}/{name}" for layer in model.layers for name in (*layer.params, *layer.state)]


@pytest.mark.parametrize("name", [*SMALL, *GRAPHS])
def test_every_layer_answers_and_learns_as_ours(name: str) -> None:
    model = shaken(calm(network(name)))
    x = np.random.default_rng(1).normal(size=(3, *model.input_shape)).astype(np.float32)
    given = model.predict(x)
    with torch.no_grad():
        found = module(model)(torch.from_numpy(np.moveaxis(x, -1, 1).copy() if x.ndim > 2 else x))
    for one, y in zip(*(each if isinstance(each, list) else [each] for each in (found, given)), strict=True):
        np.testing.assert_allclose(np.moveaxis(one.numpy(), 1, -1) if y.ndim > 2 else one.numpy(), y, atol=1e-5)
    if len(model.graph.outputs) == 1 and model.parameters.gradients.size:
        expect_close(*(trained(shaken(calm(network(name))), engine=engine) for engine in (None, "torch")))


OPTIMIZERS: dict[str, Any] = {
    **{name: name for name in ("sgd", "adam", "adamax", "nadam", "lion", "adadelta")},
    "momentum": optimizers.SGD(0.01, momentum=0.9, weight_decay=0.01),
    "nesterov": optimizers.SGD(0.01, momentum=0.9, nesterov=True, clipnorm=0.05),
    "adamw": optimizers.AdamW(weight_decay=0.1),
    "adagrad": optimizers.Adagrad(0.01, global_clipnorm=0.1),
    "rmsprop": optimizers.RMSprop(momentum=0.9, centered=True, epsilon=1e-3, clipvalue=0.01),
    "amsgrad": optimizers.Adam(0.01, amsgrad=True, weight_decay=0.1, decoupled_weight_decay=True),
    "ftrl": optimizers.Ftrl(0.1, l1_regularization_strength=0.001, beta=0.1),
    "schedule": optimizers.Adam(pellucid.schedules.CosineDecay(0.01, 12)),
}


FUSED = ("amsgrad",)
"""Compiled into one kernel, which takes seconds."""


@pytest.mark.parametrize(
    ("name", "how"), [*itertools.product(OPTIMIZERS, ["kernels", "formulas"]), *itertools.product(FUSED, ["fused"])]
)
def test_ten_steps_of_every_optimizer(name: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """By our kernels, as on the CPU, and by formulas of tensors, as on a GPU."""
    monkeypatch.setattr(update, "runs_kernels", lambda vector: how == "kernels")
    if how == "fused":
        monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager", fullgraph=True))
        monkeypatch.setattr(Device, "fused", lambda self, formula: Fused(formula))

    def learned(engine: str | None) -> Learned:
        layers = [
            *(
                L.Input((6, 7, 3)),  # no bias before batch norm: its gradient is 0 but for rounding
                L.Conv2D(4, 3, 2, padding="same", use_bias=False, kernel_regularizer=L.L1L2(0.01, 0.02)),
            ),
            *(L.BatchNorm(momentum=0.8), L.ReLU(), L.Flatten(), L.Dense(5, kernel_constraint="max_norm")),
        ]
        optimizer = optimizers.get(OPTIMIZERS[name] if isinstance(OPTIMIZERS[name], str) else OPTIMIZERS[name].config())
        optimizer.exclude_from_weight_decay(["bias", "gamma"])
        labels = np.arange(40) % 5
        return trained(
            Sequential(layers), engine=engine, optimizer=optimizer, loss="categorical_crossentropy", targets=labels,
            count=40, batch_size=4, sample_weight=np.linspace(0.5, 2, 40),
        )  # fmt: skip

    expect_close(learned(None), learned("torch"))


@pytest.mark.parametrize("error", [RuntimeError("Failed to find C compiler"), None])
def test_a_formula_that_cannot_be_compiled_runs_as_it_is(
    error: RuntimeError | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compiled(formula: Any) -> Any:
        return MagicMock(side_effect=error or formula)

    monkeypatch.setattr(torch, "compile", compiled)
    fused, x = Fused(lambda x, *, by: x.add_(by)), torch.zeros(2)
    with nullcontext() if error is None else pytest.warns(UserWarning, match="not as one kernel: Failed to find C"):
        fused(x, by=1)
    fused(x, by=2)
    assert x.tolist() == [3, 3]


def test_every_optimizer_is_tried() -> None:
    tried = {type(optimizers.get(given)) for given in OPTIMIZERS.values()}
    assert {type(optimizers.get(name)) for name in optimizers.NAMES} <= tried


@pytest.mark.parametrize("loss", losses.CLASSES)
def test_every_loss(loss: str) -> None:
    chosen = losses.get(loss)
    last = {"softmax": L.Softmax, "sigmoid": L.Sigmoid}.get(chosen.joint_activation or "sigmoid", L.Sigmoid)

    def learned(engine: str | None) -> Learned:
        layers = [L.Input((9,)), L.Dense(4), L.Activation("linear") if "MAP" in type(chosen).__name__ else last()]
        rows = np.eye(4)[np.arange(6) % 4]
        weights = np.linspace(0.2, 2, 6)
        return trained(Sequential(layers), engine=engine, loss=chosen, targets=rows, sample_weight=weights)

    expect_close(learned(None), learned("torch"))


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_classes_of_pixels(smoothing: float) -> None:
    masks = np.random.default_rng(4).integers(0, 3, (6, 8, 8)).astype(np.uint8)
    masks[:, 0] = 255  # not counted

    def learned(engine: str | None) -> Learned:
        model = zoo.build("unet", input_shape=(8, 8, 3), classes=3, options={"depth": 1, "filters": 4})
        loss = losses.CategoricalCrossentropy(label_smoothing=smoothing)
        return trained(model, engine=engine, loss=loss, targets=masks, class_weight={0: 1.0, 1: 3.0, 2: 0.5})

    ours, theirs = learned(None), learned("torch")
    assert "mean_iou" in theirs.history.history
    expect_close(ours, theirs)


ZOO = {
    "resnet20": (16, 16, 3),
    "photo-net": (32, 32, 3),
    "squeezenet1_1": (40, 40, 3),
    "lenet5-published": (32, 32, 1),
}


@pytest.mark.parametrize("name", ZOO)
def test_networks_of_the_zoo_take_the_same_steps(name: str) -> None:
    def learned(engine: str | None) -> Learned:
        model = calm(zoo.build(name, input_shape=ZOO[name], classes=10))
        loss = "map_criterion" if "published" in name else "categorical_crossentropy"
        return trained(model, engine=engine, loss=loss, targets=np.arange(8), count=8, batch_size=8, epochs=2)

    expect_close(learned(None), learned("torch"), 1e-3)


def test_numbers_that_a_table_has_not_stay_zeros() -> None:
    """Of which Ftrl makes 0 / 0."""

    def learned(engine: str | None) -> Learned:
        model = zoo.build("lenet5-published")
        return trained(model, engine=engine, optimizer="ftrl", loss="map_criterion", targets=np.arange(6))

    expect_close(learned(None), learned("torch"))


@pytest.mark.parametrize("last", [False, True], ids=["channels first", "channels last"])
def test_batch_norm_is_as_exact_as_its_numbers(last: bool) -> None:
    """PyTorch's own is wrong by 2e-6 where channels lie last. Second gradients are there, too."""
    x = 0.5 + torch.from_numpy(np.random.default_rng(0).normal(size=(8, 16, 32, 32)).astype(np.float32))
    weights = torch.linspace(-1, 1, x.numel()).view(x.shape)
    x = x.contiguous(memory_format=torch.channels_last if last else torch.contiguous_format)

    def found(norm: Any, x: Any, weights: Any) -> list[Any]:
        norm.eps, given = 1e-3, [x.requires_grad_(), *norm.parameters()]
        y = norm(x)
        gradients = torch.autograd.grad((weights * y).square().mean(), given, create_graph=True)
        return [y, *gradients, *torch.autograd.grad(gradients[0].square().sum(), given[:2])]

    ours = found(BatchNorm(16), x, weights)
    truth = found(torch.nn.BatchNorm2d(16).double(), x.detach().double(), weights.double())
    for number, (one, true) in enumerate(zip(ours, truth, strict=True)):
        assert torch.linalg.vector_norm(one - true) <= (2e-7 if not number else 1e-5) * torch.linalg.vector_norm(true)


def test_only_plans_overwrite() -> None:
    """Whose passes nobody looks into."""
    model = shaken(Sequential([L.Input((6, 6, 2)), L.Conv2D(3, 3, activation="relu"), L.BatchNorm(), L.ReLU()]))
    x, seen = torch.randn(2, 2, 6, 6), []
    for in_place in (False, True):
        network = Network(model.graph, in_place=in_place).train()
        kept: list[Any] = []
        for part in network.children():
            part.register_forward_hook(lambda _, __, made, kept=kept: kept.append(made))
        y = network(x)
        assert [bool((each < 0).any()) for each in kept] == [not in_place] * 2
        seen.append([y, *torch.autograd.grad(y.square().sum(), list(network.parameters()))])
    for one, other in zip(*seen, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=0)


def test_frozen_layers_stay_and_the_others_learn_the_same() -> None:
    def learned(engine: str | None) -> Learned:
        layers = [
            L.Input((6, 6, 2)),
            L.Conv2D(3, 3),
            L.BatchNorm(),
            L.ReLU(),
            L.Conv2D(3, 3),
            L.BatchNorm(),
            L.Flatten(),
        ]
        model = shaken(Sequential([*layers, L.Dense(2)]))
        model.layers[2].trainable = False
        return trained(model, engine=engine, cache_features=False)

    ours, theirs = learned(None), learned("torch")
    expect_close(ours, theirs)
    assert not theirs.model.layers[2].trainable


@pytest.mark.usefixtures("undrawn")
def test_it_draws_augments_and_orders_as_ours_and_learns_the_digits(tmp_path: Path) -> None:
    runs = [
        train_run(
            "simple-convnet",
            "digits",
            epochs=3,
            batch_size=50,
            augment="shift=0.1",
            settings={"weight_init_std": "he"},
            engine=engine,
            validation=0.2,
            out=tmp_path / str(engine),
            verbose=0,
        )
        for engine in (None, "torch")
    ]
    ours, theirs = (run.history.history for run in runs)
    np.testing.assert_allclose(theirs["loss"], ours["loss"], rtol=1e-3)
    assert (
        theirs["val_accuracy"][-1] == pytest.approx(ours["val_accuracy"][-1], abs=0.01)
        and theirs["val_accuracy"][-1] > 0.8
    )
    saved = pellucid.load(tmp_path / "torch")
    x = pellucid.datasets.load("digits").test.images[:20]
    np.testing.assert_allclose(saved.predict(x), pellucid.load(tmp_path / "None").predict(x), atol=1e-2)


@pytest.mark.usefixtures("undrawn")
@pytest.mark.parametrize("then", ["torch", "pellucid"])
def test_a_stopped_run_goes_on_with_either_engine(then: str, tmp_path: Path) -> None:
    def stop(event: Event) -> Stop | None:
        return Stop("enough") if isinstance(event, EpochEnded) and event.epoch == 0 else None

    asked: dict[str, Any] = {"model": "simple-convnet", "data": "digits", "limit": 300, "epochs": 2, "verbose": 0}
    whole = train_run(**asked, engine="torch", out=tmp_path / "whole")
    train_run(**asked, engine="torch", out=tmp_path / "stopped", callbacks=stop)
    run = resume_run(tmp_path / "stopped", engine=then, verbose=0)
    assert run.config.engine == then
    for one, other in zip(run.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=0 if then == "torch" else 1e-5)


class Rehearsed:
    """What a function is that a device records: it runs a few times before, and that is undone."""

    def __init__(self, function: Any, restore: Any) -> None:
        self.function, self.restore, self.recorded = function, restore, False

    def __call__(self, *given: Any) -> Any:
        if not self.recorded:
            for _ in range(3):
                self.function(*given)
            self.restore()
            self.recorded = True
        return self.function(*given)


def test_steps_that_are_recorded_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def learned(engine: str | None) -> Learned:
        layers = [L.Input((6, 6, 2)), L.Conv2D(3, 3, use_bias=False), L.BatchNorm(), L.ReLU(), L.Flatten(), L.Dense(4)]
        labels, optimizer = np.arange(20) % 4, optimizers.Adam(pellucid.schedules.CosineDecay(0.01, 12), clipnorm=0.1)
        options: dict[str, Any] = {"loss": "categorical_crossentropy", "optimizer": optimizer, "batch_size": 6}
        return trained(Sequential(layers), engine=engine, targets=labels, count=20, epochs=2, **options)

    init = Device.__init__

    def recording(self: Device, *arguments: Any) -> None:
        init(self, *arguments)
        self.copies = self.records = True

    ours = learned(None)
    monkeypatch.setattr(plans, "Replayed", Rehearsed)
    monkeypatch.setattr(Device, "__init__", recording)
    monkeypatch.setattr(Device, "send", lambda self, array: torch.from_numpy(array.copy()))
    expect_close(ours, learned("torch"))


def test_dropout_draws_again_what_it_drew(tmp_path: Path) -> None:
    def learned() -> list[np.ndarray]:
        layers = [L.Input((20,)), L.Dense(30), L.Dropout(0.5), L.Dense(3)]
        return trained(Sequential(layers), engine="torch", epochs=2).model.get_weights()

    for one, other in zip(learned(), learned(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_bfloat16_learns_and_keeps_weights_in_float32() -> None:
    digits = pellucid.datasets.load("digits").train
    model = zoo.build("simple-convnet", input_shape=(8, 8, 1), options={"weight_init_std": "he"})
    model.compile("adam")
    history = model.fit(
        digits.images[:600], digits.labels[:600], epochs=4, verbose=0, engine="torch", precision="bfloat16"
    )
    assert history["accuracy"][-1] > 0.8
    change = np.abs(model.get_weights()[0] - model.get_weights()[0].astype(np.float16)).max()
    assert change > 0, "weights rounded to 16 bits would hardly move"


def test_metrics_and_callbacks_see_the_weights_of_the_moment() -> None:
    seen: list[float] = []
    model = Sequential([L.Input((4,)), L.Dense(3)])
    trained(model, engine="torch", callbacks=lambda event: seen.append(float(model.get_weights()[0].sum())))
    assert len(set(seen)) >= 3


def test_a_loss_that_is_no_number_leaves_the_weights_before_that_step() -> None:
    model = Sequential([L.Input((4,)), L.Dense(3)])
    before = model.get_weights()
    with pytest.raises(DivergedError, match="the loss became inf at step 1"):
        trained(model, engine="torch", targets=np.full((6, 3), 1e30, np.float32))
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_state_dict_comes_back(tmp_path: Path) -> None:
    from safetensors.torch import save_file

    model = shaken(zoo.build("resnet20", input_shape=(16, 16, 3)))
    state = {
        name: tensor.contiguous() for name, tensor in module(model).state_dict().items() if "num_batches" not in name
    }
    save_file(state, tmp_path / "net.safetensors")
    again = zoo.build("resnet20", input_shape=(16, 16, 3), seed=5)
    assert not import_weights(again, tmp_path / "net.safetensors").fresh
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


class Own(L.ReLU):
    """A layer of somebody's own."""


class OwnOptimizer(optimizers.SGD):
    """An optimizer of somebody's own."""


def test_what_it_cannot_do_is_said_in_a_line(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"'own' \(Own\)"):
        trained(Sequential([L.Input((4,)), L.Dense(3), Own(name="own")]), engine="torch")
    with pytest.raises(ConfigError, match="no formula of OwnOptimizer"):
        trained(Sequential([L.Input((4,)), L.Dense(3)]), engine="torch", optimizer=OwnOptimizer())
    with pytest.raises(ConfigError, match="unknown engine 'jax'"):
        trained(Sequential([L.Input((4,)), L.Dense(3)]), engine="jax")
    if not torch.cuda.is_available():
        status, _, err = command("train", "--engine", "torch", "--device", "cuda")
        assert status == 1 and "--device cuda: PyTorch" in err and err.count("\n") == 1
    status, _, err = command("train", "--precision", "bfloat16")
    assert status == 1 and "add --engine torch" in err
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ConfigError, match=r"engine torch needs torch, .*; pip install 'pellucid\[torch\]'"):
        trained(Sequential([L.Input((4,)), L.Dense(3)]), engine="torch")
