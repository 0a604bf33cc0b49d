"""Training by several processes: shards, sums in a binary tree, what is compared, and a killed worker."""

from __future__ import annotations

import os
import queue
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from commands import Command

from pellucid import Sequential, ops
from pellucid import layers as L
from pellucid.datasets.augmentation import Augmentation
from pellucid.errors import ConfigError
from pellucid.model.inputs import make_examples
from pellucid.ops import Array
from pellucid.optimizers import SGD, Adam
from pellucid.plan.buckets import LEAST, Buckets
from pellucid.train import Stop, TrainConfig, Trainer, joined, training_plan
from pellucid.train.distributed import HALVED, Alone, Shards, Tree, Turns, add_up, agree
from pellucid.train.feeding import Feeder
from pellucid.train.joined import agree_on, answers_of_all
from pellucid.train.judging import evaluate
from pellucid.train.shared import Shared

Mail = dict[tuple[int, int], "queue.Queue[Any]"]


@dataclass
class Thread:
    """One of several processes that are threads of this one."""

    rank: int
    world: int
    mail: Mail = field(repr=False)
    far: bool = True

    def swap(self, own: Array | None, into: Array | None, rank: int, adds: bool) -> None:
        if own is not None:
            self.mail[self.rank, rank].put(own.copy())
        if into is not None:
            into[...] = self.mail[rank, self.rank].get(timeout=60) + (into if adds else 0)

    def reduce(self, array: Array) -> None:
        add_up(array.reshape(-1), self.rank, self.world, self.swap)

    def gather(self, text: str) -> list[str]:
        for rank in range(self.world):
            self.mail[self.rank, rank].put(text)
        return [self.mail[rank, self.rank].get(timeout=60) for rank in range(self.world)]

    def share(self, data: bytes) -> bytes:
        raise NotImplementedError

    def together(self, work: Any) -> None:
        raise NotImplementedError


def together(world: int, work: Any, far: bool = True) -> list[Any]:
    """work(processes) in so many threads; what each gave."""
    mail: Mail = defaultdict(queue.Queue)
    for pair in np.ndindex(world, world):
        mail[pair] = queue.Queue()
    answers: list[Any] = [None] * world

    def one(rank: int) -> None:
        try:
            answers[rank] = work(Thread(rank, world, mail, far))
        except Exception as error:
            answers[rank] = error

    threads = [threading.Thread(target=one, args=(rank,)) for rank in range(world)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
    return answers


def sum_of_halves(terms: Array) -> Array:
    """The binary tree, as it is defined."""
    if len(terms) == 1:
        return terms[0]
    return sum_of_halves(terms[: len(terms) // 2]) + sum_of_halves(terms[len(terms) // 2 :])


SIZES = (37, 3 * HALVED + 5)
"""Of arrays that go whole, and in halves."""


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("world", [1, 2, 3, 4, 5, 8])
def test_any_number_of_processes_sums_the_same_tree(world: int, size: int) -> None:
    scales = 10.0 ** np.arange(8)[:, None]
    terms = (np.random.default_rng(0).standard_normal((8, size)) * scales).astype(np.float32)

    def work(processes: Thread) -> Array:
        shards, tree = Shards.of(8, processes), Tree(size, np.float32)
        for number in range(shards.first, shards.last - 1):
            tree.add(2 * terms[number], 0.5)
        total = np.zeros(size, np.float32)
        if shards.first < shards.last:
            tree.finish(np.multiply(2, terms[shards.last - 1], out=total), 0.5)
        processes.reduce(total)
        return total

    for total in together(world, work):
        np.testing.assert_array_equal(total, sum_of_halves(terms))
    assert (terms.sum(axis=0) != sum_of_halves(terms)).any()  # the order tells


def test_large_arrays_are_sent_twice_in_all_however_many_processes_there_are() -> None:
    def work(processes: Thread) -> int:
        numbers = 0

        def swap(own: Array | None, into: Array | None, rank: int, adds: bool) -> None:
            nonlocal numbers
            numbers += 0 if own is None else len(own)
            processes.swap(own, into, rank, adds)

        add_up(np.ones(8 * HALVED), processes.rank, processes.world, swap)
        return numbers

    assert together(8, work) == [2 * 7 * HALVED] * 8


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="Linux's memory without a name")
@pytest.mark.parametrize("size", [5, (5 << 20) // 4])
def test_memory_that_is_shared_holds_what_the_network_would_bring(size: int) -> None:
    def work(processes: Thread) -> Array:
        shared = Shared(processes.rank, processes.world, processes.gather)
        assert [shared.reaches(rank) for rank in range(3)] == [rank != processes.rank for rank in range(3)]
        total = np.full(size, 10.0**processes.rank, np.float32)
        for _ in range(3):  # each slot is used again
            add_up(total, processes.rank, processes.world, shared.swap)
        return total

    for total in together(3, work):
        np.testing.assert_array_equal(total, np.full(size, 9 * 111.0, np.float32))


def test_parts_of_the_gradients_are_whole_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Told of on the way back, the last layers' first; each holds then what it holds in the end."""
    monkeypatch.setattr("pellucid.plan.buckets.LEAST", 1)
    model = normed(0.0)
    model.compile("sgd", "categorical_crossentropy")
    pictures, _ = examples(model)
    feeder = Feeder(pictures, 10)
    plan = training_plan(model, feeder.make_feed(model), seed=0, accuracy=None, batch_size=20)
    seen: list[Array] = []
    plan.tell = lambda: seen.append(plan.parameters.gradients.copy())
    plan.compute(next(feeder.batches(plan.feed)), key=0)
    bounds, end = plan.buckets, plan.parameters.gradients.copy()
    assert len(seen) == len(bounds) - 1 == 1 and bounds[0][1] == end.size and bounds[-1][0] == 0
    assert [start for start, _ in bounds[:-1]] == [stop for _, stop in bounds[1:]]
    for (start, stop), then in zip(bounds, seen, strict=False):
        np.testing.assert_array_equal(then[start:stop], end[start:stop])
        assert (then[:start] != end[:start]).any()  # not there yet
    buckets = Buckets(model.parameters)
    assert not buckets.closed_by(model.layers[:2]) and buckets.bounds == [(0, end.size)]


@pytest.mark.parametrize(("size", "count"), [(30, 8), (3, 8), (8, 8), (1, 1), (10, 4)])
@pytest.mark.parametrize("world", [1, 2, 3, 4])
def test_shards_are_all_pictures_once_in_order_and_by_size_alone(size: int, count: int, world: int) -> None:
    worlds = min(world, count)
    parts = [Shards.of(count, Thread(rank, worlds, {})) for rank in range(worlds)]
    pieces = [piece for part in parts for piece in part.pieces(2, 100, 100 + size)]
    assert [piece.stop - piece.start for piece in pieces] == np.diff(np.arange(count + 1) * size // count).tolist()
    assert [row for piece in pieces for row in range(piece.start, piece.stop)] == list(range(100, 100 + size))
    assert len({piece.key for piece in pieces}) == len(pieces)
    assert max(piece.stop - piece.start for piece in pieces) <= parts[0].capacity(size)
    turns = [Turns(rank, world).pieces(n, 4 * n, 4 * n + 4) for rank in range(world) for n in range(5)]
    assert sorted(row for turn in turns for piece in turn for row in range(piece.start, piece.stop)) == list(range(20))


def normed(rate: float = 0.2) -> Sequential:
    """Batch norm, dropout, a penalty, clipping: whatever is done once a batch, or once a shard."""
    return Sequential(
        [
            L.Conv2D(4, 3, padding="same", use_bias=False, kernel_regularizer=L.L2(1e-3), input_shape=(6, 5, 2)),
            L.BatchNorm(),
            L.ReLU(),
            L.Dropout(rate),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ]
    )


def examples(model: Sequential, count: int = 35) -> Any:
    rng = np.random.default_rng(1)
    x, y = rng.integers(0, 256, (count, 6, 5, 2), np.uint8), rng.integers(0, 3, count)
    return make_examples(model, x, y, {0: 1.0, 1: 2.0, 2: 0.5}, None, validation_data=(x[:13], y[:13]))


def trained(
    processes: Any, *, shards: int = 8, function: bool = False, rate: float = 0.2, engine: str = "pellucid"
) -> dict[str, Array]:
    """Every number that a training leaves."""
    model = normed(rate)
    model.compile(Adam(clipnorm=0.5), "categorical_crossentropy")
    pictures, held = examples(model)
    augment: Any = Augmentation.of("standard")
    if function:
        augment = lambda batch, rng: (batch + rng.integers(0, 9, batch.shape)).astype(np.uint8)  # noqa: E731
    config = TrainConfig(epochs=2, batch_size=10, seed=3, shards=shards, engine=engine)
    history = Trainer(model, pictures, config, validation=held, augment=augment, processes=processes).run()
    left = dict(enumerate(model.get_weights()))
    return {**left, **model.optimizer_state.slots, **{name: np.array(v) for name, v in history.history.items()}}  # type: ignore[dict-item]


@pytest.mark.parametrize(("function", "least"), [(False, 1), (True, LEAST)], ids=["kinds in parts", "function"])
def test_bits_are_the_same_for_any_number_of_processes(
    function: bool, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = trained(Alone(), function=function)
    monkeypatch.setattr("pellucid.plan.buckets.LEAST", least)
    for world in (2, 3, 8):
        work = lambda processes: trained(processes, function=function)  # noqa: E731
        for rank, left in enumerate(together(world, work, far=world > 2)):
            assert isinstance(left, dict), left
            assert left.keys() == alone.keys()
            for name, array in alone.items():
                np.testing.assert_array_equal(left[name], array, err_msg=f"{name} in {rank} of {world}")


def test_engine_torch_takes_shards_too(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch")
    monkeypatch.setattr(ops, "num_threads", lambda: 1)
    ours, alone = (trained(Alone(), shards=4, rate=0.0, engine=engine) for engine in ("pellucid", "torch"))
    for name, array in ours.items():
        np.testing.assert_allclose(alone[name], array, rtol=1e-3, atol=1e-5, err_msg=str(name))


def test_a_step_in_shards_is_that_of_pytorch() -> None:
    """The mean of all pictures' gradients, each shard normalised by its own statistics; running means averaged."""
    import torch
    from torch.nn import functional as F

    model = Sequential([L.Conv2D(4, 3, use_bias=False, input_shape=(6, 5, 2)), L.BatchNorm(), L.Flatten(), L.Dense(3)])
    model.compile(SGD(0.5), "categorical_crossentropy")
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((7, 6, 5, 2)).astype(np.float32), rng.integers(0, 3, 7)
    kernel, gamma, beta, mean, variance, dense, bias = (
        torch.tensor(array, requires_grad=True) for array in model.get_weights()
    )
    norm = model.layers[1]
    means, loss = [], torch.zeros(())
    for start, stop in ((0, 3), (3, 7)):
        own_mean, own_variance = mean.detach().clone(), variance.detach().clone()
        z = F.conv2d(torch.tensor(x[start:stop]).permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1))
        z = F.batch_norm(z, own_mean, own_variance, gamma, beta, True, 1 - norm.momentum, norm.epsilon)
        logits = z.permute(0, 2, 3, 1).flatten(1) @ dense + bias
        loss = loss + F.cross_entropy(logits, torch.tensor(y[start:stop]), reduction="sum") / 7
        means.append(own_mean * (stop - start) / 7)
    loss.backward()
    pictures, _ = make_examples(model, x, y, None, None)
    config = TrainConfig(epochs=1, batch_size=7, shuffle=False, shards=2)
    history = Trainer(model, pictures, config).run()
    assert history["loss"][0] == pytest.approx(loss.item(), rel=1e-5)
    after = model.get_weights()
    for array, before in zip(after, (kernel, gamma, beta, None, None, dense, bias), strict=True):
        if before is not None and before.grad is not None:
            np.testing.assert_allclose(array, (before - 0.5 * before.grad).detach(), atol=2e-6)
    np.testing.assert_allclose(after[3], sum(means).numpy(), atol=1e-6)  # type: ignore[attr-defined]


def test_without_batch_norm_shards_change_no_more_than_rounding() -> None:
    left = []
    for shards in (1, 4):
        convolution = L.Conv2D(3, 3, activation="relu", input_shape=(6, 5, 2))
        model = Sequential([convolution, L.Flatten(), L.Dense(3, activation="softmax")])
        model.compile(SGD(0.1), "categorical_crossentropy")
        pictures, held = examples(model)
        history = Trainer(model, pictures, TrainConfig(epochs=2, batch_size=10, shards=shards), validation=held).run()
        left.append([*model.get_weights(), np.array(history["loss"]), np.array(history["val_loss"])])
    for one, other in zip(*left, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_all_stop_after_the_same_step_whoever_was_asked() -> None:
    def work(processes: Thread) -> tuple[int, int, str]:
        told: list[Any] = []

        def asked(event: Any) -> Stop | None:
            told.append(event)
            steps = sum(type(one).__name__ == "BatchEnded" for one in told)
            return Stop("enough") if processes.rank == 1 and steps >= 2 else None

        model = normed()
        model.compile("adam", "categorical_crossentropy")
        pictures, held = examples(model)
        config = TrainConfig(epochs=3, batch_size=10, shards=2)
        trainer = Trainer(model, pictures, config, validation=held, listeners=[asked], processes=processes)
        trainer.run()
        return trainer.state.epoch, trainer.state.batch, told[-1].reason

    assert together(2, work) == [(0, 3, "another process was asked to stop"), (0, 3, "enough")]


def test_what_differs_is_named() -> None:
    for error in together(3, lambda processes: agree(processes, {"epochs": 5, "seed": processes.rank // 2})):
        assert isinstance(error, ConfigError)
        assert re.match(r"process 2 of 3, on \S+, has seed 1, process 0, on \S+, 0; start all alike", str(error))
    assert together(2, lambda processes: agree(processes, {"seed": 1})) == [None, None]


@pytest.mark.parametrize("world", [2, 3, 8])
def test_judging_and_answering_are_shared_to_the_last_bit(world: int) -> None:
    """35 pictures in batches of 4: nine, of which eight processes have one or two each."""
    model = normed()
    model.compile("adam", "categorical_crossentropy")
    pictures, _ = examples(model)
    with np.errstate(all="ignore"):
        rows = -model.predict(pictures.images, batch_size=4) * np.float32(0)  # -0, which a sum would make 0

    def judged(processes: Any) -> list[Array]:
        seen: list[Array] = []
        logs = evaluate(model, pictures, 4, outputs=lambda given: seen.append(given.copy()), processes=processes)
        return [np.array(list(logs.values())), np.concatenate(seen)]

    def answered(processes: Any) -> list[Array]:
        return [answers_of_all(processes, 35, 4, lambda place: rows[place])]  # type: ignore[list-item]

    for work, alone in ((judged, judged(Alone())), (answered, [rows])):
        for given in together(world, work):
            assert isinstance(given, list), given
            assert [one.tobytes() for one in given] == [one.tobytes() for one in alone]


def _differing(monkeypatch: pytest.MonkeyPatch, what: str) -> Any:
    """agree_on in two threads that differ in one fact."""
    ranks: dict[int, int] = {}

    def mine(usual: Any, other: Any) -> Any:
        return other if ranks[threading.get_ident()] else usual

    def work(processes: Thread) -> None:
        rank = ranks[threading.get_ident()] = processes.rank
        model = normed(0.5 if rank and what == "layers" else 0.2)
        if rank and what == "weights at the start":
            model.set_weights([weights + 1 for weights in model.get_weights()])
        model.compile("adam", "categorical_crossentropy")
        pictures, held = examples(model, 36 if rank and what == "pictures" else 35)
        config = TrainConfig(epochs=1, batch_size=10, seed=int(bool(rank and what == "seed")), shards=2)
        agree_on(processes, model, (pictures, held), config, mixed=what == "mixed")

    with monkeypatch.context() as patch:
        if what == "version":
            patch.setattr(joined, "installed_version", lambda: mine("1.0", "2.0"))
        elif what in ("instruction set", "mixed"):
            backend = SimpleNamespace(name="native", instruction_set="avx2")
            other = SimpleNamespace(name="native", instruction_set="avx512")
            patch.setattr(joined.ops, "backend", lambda: mine(backend, other))
        return together(2, work)


@pytest.mark.parametrize("what", ["version", "instruction set", "seed", "pictures", "layers", "weights at the start"])
def test_processes_that_differ_are_refused(what: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for error in _differing(monkeypatch, what):
        assert isinstance(error, ConfigError), error
        assert re.match(rf"process 1 of 2, on \S+, has .*{what} .*, process 0, on \S+, .*; start all alike", str(error))
        assert ("mixed=True" in str(error)) == (what == "instruction set")


def test_other_kernels_may_take_part_where_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _differing(monkeypatch, "mixed") == _differing(monkeypatch, "nothing") == [None, None]


def test_processes_that_call_different_methods_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    """One judges, the other trains."""
    model = normed()
    model.compile("adam", "categorical_crossentropy")
    pictures, held = examples(model)

    def work(processes: Thread) -> None:
        if processes.rank:
            with monkeypatch.context() as patch:
                patch.setattr(joined, "sharing", lambda: processes)
                joined.agree_on_call("evaluate", model.parameters, pictures.fingerprint, 4)
        else:
            agree_on(processes, model, (pictures, held), TrainConfig(epochs=1, batch_size=10, shards=2))

    for error in together(2, work):
        assert "has call 'evaluate', process 0" in str(error) and "each process calls fit, evaluate" in str(error)


def test_bad_shards_are_refused(command: Command, tmp_path: Path) -> None:
    for given, what in ((3, "a power of two up to 1024"), (0, "of at least 1"), (4096, "at most 1,024")):
        status, _, err = command("train", "--shards", given, "--out", tmp_path / "run")
        assert status == 1 and re.search(f"shards must be .*{what}", err)
    with pytest.raises(ConfigError, match=r"shards=2: 3 processes train together.*give shards=4"):
        Shards.of(2, Thread(0, 3, {}))
