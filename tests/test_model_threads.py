"""One model in several threads: its first use, two trainings, files written amid one, and children forked amid one."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid import Sequential, layers
from pellucid._locks import Turns
from pellucid.errors import ConfigError
from pellucid.layers import Conv2D, Dense, Flatten, MaxPool2D
from pellucid.layers.parameters import FlatParameters
from pellucid.plan import TrainingPlan
from pellucid.train.events import BatchEnded, Event

IMAGES = np.random.default_rng(0).random((40, 8, 8, 1), np.float32)
LABELS = (np.arange(40) % 3).astype(np.int32)
QUIET: dict[str, Any] = {"verbose": 0, "doctor": False}


def fresh() -> Sequential:
    model = Sequential([Conv2D(4, 3, activation="relu"), MaxPool2D(), Flatten(), Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy")
    return model


def at_once(*work: Callable[[], object]) -> list[BaseException]:
    """Runs each in a thread, begun together; what they raised."""
    barrier, raised = threading.Barrier(len(work)), []

    def run(each: Callable[[], object]) -> None:
        barrier.wait()
        try:
            each()
        except BaseException as error:
            raised.append(error)

    threads = [threading.Thread(target=run, args=(each,)) for each in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return raised


class Meeting:
    """Holds a thread up until a second one is at the same place, or has had its time to come."""

    def __init__(self) -> None:
        self.count, self._both = 0, threading.Event()

    def come(self) -> None:
        self.count += 1
        if self.count > 1:
            self._both.set()
        self._both.wait(0.3)


def test_parameters_are_laid_out_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, model, found = Meeting(), fresh(), []

    class Slow(FlatParameters):
        def __init__(self, *arguments: Any) -> None:
            meeting.come()
            super().__init__(*arguments)

    model.build((8, 8, 1))
    monkeypatch.setattr("pellucid.model.network.FlatParameters", Slow)
    assert not at_once(*[lambda: found.append(model.parameters)] * 3)
    assert meeting.count == 1 and all(each is found[0] for each in found)


def test_a_layer_is_built_by_one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    meeting, layer, build = Meeting(), Dense(3), Dense.build

    def slow(self: Dense, *arguments: Any) -> None:
        meeting.come()
        build(self, *arguments)

    monkeypatch.setattr(layers.Dense, "build", slow)
    assert not at_once(*[lambda: layer(np.ones((1, 4)))] * 2)
    assert meeting.count == 1


def test_first_use_from_two_threads_loses_no_training(tmp_path: Path) -> None:
    alone = fresh()
    alone.fit(IMAGES, LABELS, **QUIET)
    for _ in range(15):
        model = fresh()
        assert not at_once(lambda: model.fit(IMAGES, LABELS, **QUIET), *[lambda: model.predict(IMAGES[:2])] * 2)  # noqa: B023
        model.save(tmp_path / "model.safetensors")
        saved = pellucid.load(tmp_path / "model.safetensors").get_weights()
        for given in (model.get_weights(), saved):
            assert [w.tobytes() for w in given] == [w.tobytes() for w in alone.get_weights()]


@pytest.mark.parametrize("way", ["run_steps", "run"])
def test_predict_after_an_interrupt_sees_the_weights_of_the_last_step(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, steps = fresh(), getattr(TrainingPlan, way)
    many = np.tile(IMAGES, (3, 1, 1, 1))  # so many that the dense layer packs its weights
    before = model.predict(many)

    def interrupted(*arguments: Any, **options: Any) -> None:
        steps(*arguments, **options)
        raise KeyboardInterrupt  # as Python does it when a native call has ended

    monkeypatch.setattr(TrainingPlan, way, interrupted)
    if way == "run":
        monkeypatch.setattr(TrainingPlan, "runs_alone", False)
    with pytest.raises(KeyboardInterrupt):
        model.fit(IMAGES, LABELS, **QUIET)
    after = model.predict(many)
    assert (after == copy.deepcopy(model).predict(many)).all() and (after != before).any()


def test_answers_amid_a_training_are_of_one_step() -> None:
    model, inside = fresh(), threading.Event()
    model.predict(IMAGES)

    def step() -> None:
        with model.turns.training("it"), model.turns.taken():
            inside.set()
            time.sleep(0.2)
            model.parameters.vector[:] = 0
            model.touch()

    thread = threading.Thread(target=step)
    thread.start()
    assert inside.wait(10)
    answers = model.predict(IMAGES)
    thread.join()
    assert (answers == answers[0, 0]).all()


def test_a_second_training_at_once_is_refused_and_changes_nothing() -> None:
    model, alone, begun, refused = fresh(), fresh(), threading.Event(), threading.Event()
    alone.fit(IMAGES, LABELS, **QUIET)

    def hold(event: Event) -> None:
        begun.set()
        refused.wait(10)

    thread = threading.Thread(target=lambda: model.fit(IMAGES, LABELS, callbacks=[hold], **QUIET))
    thread.start()
    assert begun.wait(10)
    frozen = model.layers[0]
    frozen.trainable = False
    before = model.parameters
    for attempt in (
        lambda: model.fit(IMAGES, LABELS, **QUIET),
        lambda: model.add(Dense(2)),
        model.pop,
        lambda: model.compile("sgd", "mse"),
    ):
        with pytest.raises(ConfigError, match=r"sequential is being trained by another thread.*deepcopy"):
            attempt()
    assert model.parameters is before  # which the training goes on with
    model.predict(IMAGES[:1])
    frozen.trainable = True
    refused.set()
    thread.join()
    assert [w.tobytes() for w in model.get_weights()] == [w.tobytes() for w in alone.get_weights()]
    model.compile("sgd", "categorical_crossentropy")


def test_a_file_written_amid_a_training_is_of_one_step(tmp_path: Path) -> None:
    def wide() -> Sequential:
        model = Sequential([Flatten(input_shape=(8, 8, 1)), Dense(1500, activation="relu"), Dense(3)])
        model.compile("adam", "categorical_crossentropy")
        return model

    steps: set[bytes] = set()
    twin, model, stop = wide(), wide(), threading.Event()

    class Note:
        def __call__(self, event: Event) -> None:
            if isinstance(event, BatchEnded):
                steps.add(b"".join(weight.tobytes() for weight in twin.get_weights()))

        every_batch = True

    steps.add(b"".join(weight.tobytes() for weight in twin.get_weights()))
    twin.fit(IMAGES, LABELS, batch_size=8, epochs=30, callbacks=[Note()], **QUIET)
    written = []

    def write() -> None:
        while not stop.is_set():
            model.save(tmp_path / "m.safetensors")
            written.append(pellucid.load(tmp_path / "m.safetensors").get_weights())
            written.append(model.get_weights())

    def train() -> None:
        try:
            model.fit(IMAGES, LABELS, batch_size=8, epochs=30, callbacks=[lambda event: time.sleep(0.001)], **QUIET)
        finally:
            stop.set()

    assert not at_once(write, train)
    assert written and all(b"".join(weight.tobytes() for weight in each) in steps for each in written)


FORKED = """
import os, threading, time
import numpy as np
from pellucid import Sequential
from pellucid.layers import Dense, Flatten
from pellucid.train.doctor import chart
from pellucid.datasets import pictures

def model():
    made = Sequential([Flatten(input_shape=(8, 8, 1)), Dense(3)])
    made.compile("adam", "categorical_crossentropy")
    return made

images, labels = np.random.default_rng(0).random((20, 8, 8, 1), np.float32), (np.arange(20) % 3).astype(np.int32)
inside, work = threading.Event(), chart.chance_loss
def slow(*given):
    inside.set()
    time.sleep(0.3)
    return work(*given)
chart.chance_loss = slow
first = model()
thread = threading.Thread(target=lambda: first.fit(images, labels, epochs=3, verbose=0))
with pictures._OPENING:
    pass
thread.start()
assert inside.wait(20)
child = os.fork()
if not child:
    chart.chance_loss = work
    for each in (model(), first):
        each.fit(images, labels, verbose=0)
        each.predict(images)
        each.get_weights()
    os._exit(0)
print(os.waitpid(child, 0)[1])
def hold():
    with first.turns.taken(), pictures._OPENING:
        inside.set()
        time.sleep(0.3)
thread.join()
inside.clear()
thread = threading.Thread(target=hold)
thread.start()
assert inside.wait(20)
child = os.fork()
if not child:
    first.fit(images, labels, verbose=0)
    with pictures._OPENING:
        os._exit(0)
print(os.waitpid(child, 0)[1])
"""


# Every way to be amid something when another thread forks: the bar's package imported by half, a bar on the screen that
# its thread has hold of, and any moment of a training with the doctor, checkpoints and a file.
FORKED_ANYWHERE = """
import os, signal, sys, threading, time
import numpy as np
from pellucid import Sequential
from pellucid.layers import BatchNorm, Conv2D, Dense, Dropout, Flatten
from pellucid._progress import WorkBar

class Screen:
    closed, encoding = False, "utf-8"
    isatty, write, flush = (lambda self: True), (lambda self, text: len(text)), (lambda self: None)

class Slow:
    def find_spec(self, name, path=None, target=None):
        if name == "rich.progress":
            inside.set()
            time.sleep(0.1)

def model():
    made = Sequential([Conv2D(2, 3, input_shape=(8, 8, 1)), BatchNorm(), Dropout(0.2), Flatten(), Dense(3)])
    made.compile("adam", "categorical_crossentropy")
    return made

def expect(child_does):
    child = os.fork()
    if not child:
        signal.alarm(15)
        child_does()
        os._exit(0)
    ended.append(os.waitpid(child, 0)[1])

images, labels = np.random.default_rng(0).random((24, 8, 8, 1), np.float32), (np.arange(24) % 3).astype(np.int32)
ended, inside, told, sys.stderr = [], threading.Event(), sys.stdout, Screen()
sys.stdout = Screen()
sys.meta_path.insert(0, Slow())
first = model()
thread = threading.Thread(target=lambda: first.fit(images, labels, verbose=1))
thread.start()
assert inside.wait(20)
expect(lambda: model().fit(images, labels, verbose=1))
thread.join()

def draw():
    with WorkBar() as bar, bar._lock:
        inside.set()
        time.sleep(0.2)

def drawn():
    with WorkBar() as bar:
        bar(1, 2, "pictures")
        bar.busy("more")

inside.clear()
thread = threading.Thread(target=draw)
thread.start()
assert inside.wait(20)
expect(drawn)
thread.join()

stop = False
def train():
    while not stop:
        first.fit(images, labels, batch_size=8, epochs=2, validation_split=0.25, verbose=0)
        first.save(sys.argv[1] + "/m.safetensors")

def all_of_it():
    for each in (model(), first):
        each.fit(images, labels, verbose=1, resume=f"{sys.argv[1]}/{os.getpid()}")
        each.predict(images)
        each.save(f"{sys.argv[1]}/{os.getpid()}.safetensors")

thread = threading.Thread(target=train)
thread.start()
for turn in range(int(sys.argv[2])):
    time.sleep(0.001 * (turn % 7))
    expect(all_of_it)
stop = True
thread.join()
print(*ended, file=told)
"""
FORKS = 20


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_forked_amid_a_training_trains_predicts_and_saves() -> None:
    assert forked(FORKED) == ["0", "0"]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
def test_a_child_forked_at_any_moment_does_not_wait(tmp_path: Path) -> None:
    assert forked(FORKED_ANYWHERE, str(tmp_path), str(FORKS)) == ["0"] * (2 + FORKS)


def forked(code: str, *arguments: str) -> list[str]:
    """How the children of a program ended, which prints it."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        out, err = process.communicate(timeout=60)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, 9)  # the child that hangs, too
        raise
    assert process.returncode == 0, err
    return out.split()


def test_a_turn_within_a_turn_waits_for_nobody() -> None:
    turns, ended = Turns(), threading.Event()

    def nested() -> None:
        with turns.taken():
            other.start()
            while turns._next._lock.acquire(blocking=False):  # until the other thread has the next turn
                turns._next._lock.release()
                time.sleep(0.001)
            with turns.taken():
                ended.set()

    def one() -> None:
        with turns.taken():
            pass

    first, other = threading.Thread(target=nested, daemon=True), threading.Thread(target=one, daemon=True)
    first.start()
    assert ended.wait(10), "the thread that holds the weights waits for the one that waits for them"
    first.join(10)
    other.join(10)
