"""One training that is steered while it runs: commands are obeyed between two steps, what happens is told as values.

Training runs in a thread of its own through the ordinary trainer; the session is a listener. What a plan has built in
(batch size, momentum, dropout, ...) is changed by ending the trainer amid the epoch and going on with another one.
"""

from __future__ import annotations

import contextlib
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import transfer
from pellucid.errors import ConfigError, PellucidError, expect_known
from pellucid.lab.curve import Curve, Pace
from pellucid.lab.editing import exchange
from pellucid.lab.keeping import Folder, Hearer
from pellucid.lab.prepare import Start
from pellucid.lab.program import program
from pellucid.lab.settings import Settings, put_into
from pellucid.lab.wording import told
from pellucid.ops import Array
from pellucid.plan import COUNT
from pellucid.runs.setup import augment_for, prepare
from pellucid.train import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    Event,
    Examples,
    Stop,
    TrainConfig,
    TrainingEnded,
    TrainingState,
)
from pellucid.train.checkpoints import Saved
from pellucid.train.config import MAX_EPOCHS
from pellucid.train.doctor import Doctor, in_language
from pellucid.train.history import means
from pellucid.train.resume import settings_of
from pellucid.train.trainer import Trainer

COMMANDS = ("start", "pause", "step", "picture", "restart", "set", "edit")
MAX_COMMANDS = 256
"""That may wait to be obeyed."""


@dataclass(frozen=True)
class Command:
    """One of COMMANDS; name and value of a setting with "set", a network with "edit", see `editing`.

    Errors: ConfigError for another one.
    """

    do: str
    name: str = ""
    value: Any = None

    def __post_init__(self) -> None:
        expect_known("command", self.do, COMMANDS)


class Session:
    """Trains `start.model` as it is told.

    moment: (generation, step): another one whenever weights have changed. snapshot: what there is to tell, as plain
    data, replaced as a whole. changed: called after each change of it, from the training thread; to be quick.
    looking: to be held by other threads while they look at the network's layers, which are changed by "edit"; layout
    counts these changes.
    """

    def __init__(
        self, start: Start, *, folder: Path | None = None, changed: Callable[[], object] = lambda: None
    ) -> None:
        self.start, self.model, self.dataset = start, start.model, start.dataset
        self.settings = Settings.of(self.model, batch_size=start.batch_size, augment=start.augmented)
        self.changed = changed
        self.curve = Curve()
        self.moment = (0, self.model.optimizer_state.step)
        self.snapshot: dict[str, Any] = {}
        self.looking = threading.Lock()
        self.layout = 0
        self._edit: Any = None
        """What the network is to become."""
        self._begin: list[Array] | None = self.model.get_weights()
        self._begin_seed = self.settings.seed
        self._folder = None if folder is None else Folder(folder, start)
        self._commands: queue.Queue[Command | None] = queue.Queue(MAX_COMMANDS)
        self._running = self._closing = self._renew = False
        self._single = 0
        """Steps that are still to be done one by one; `_pictures` in each, None for a batch."""
        self._pictures: int | None = None
        self._trainer: Trainer | None = None
        self._state: TrainingState | None = None
        self._first_step = 0
        """The optimizer's first, counted over the whole training."""
        self._works = self.settings
        """The last settings that a trainer could be made with."""
        self._examples: tuple[str, tuple[Examples, Examples | None]] | None = None
        self._doctor: Doctor | None = None
        self._before = np.zeros(0)
        self._pace = Pace()
        self._own: dict[str, float] = {}
        """Loss and accuracy of the last steps; `_held` of the held-out pictures after the last epoch."""
        self._held: dict[str, float] = {}
        self._said = ""
        self._tell()
        self._thread = threading.Thread(target=self._work, name="pellucid lab: training", daemon=True)

    # From any thread

    def begin(self) -> None:
        """Start the thread; it waits for commands."""
        self._thread.start()

    def obey(self, command: Command) -> None:
        """Do this before the next step. Errors: ConfigError for a setting that it cannot have, or too many at once."""
        if command.do == "set":
            self.settings.changed(command.name, command.value)  # says what is wrong while somebody listens
        try:
            self._commands.put_nowait(command)
        except queue.Full:
            raise ConfigError("too many commands at once; wait a moment") from None

    def close(self, timeout_s: float = 30.0) -> Path | None:
        """End after the step in hand; the file in which the network is kept, where it learned anything."""
        self._closing = True
        if self._thread.is_alive():
            with contextlib.suppress(queue.Full):  # then it is awake
                self._commands.put_nowait(None)
            self._thread.join(timeout_s)
        if self._folder is None:
            return None
        self._keep(self._folder)
        return self._folder.close()

    # In the training thread

    def _work(self) -> None:
        if self.start.resume is not None:
            self._resume(self.start.resume)
        while True:
            self._may_go_on()
            if self._closing:
                return
            self._renew = False
            try:
                trainer = self._make_trainer()
                self._works = self.settings
                trainer.run()
            except PellucidError as error:
                self._say(str(error))
                if self._works != self.settings:
                    self.settings = put_into(self.model, self.settings, self._works)
            finally:
                self._trainer = None
                self._tell()

    def _resume(self, saved: Saved) -> None:
        """Be where a checkpoint was written."""
        try:
            self._make_trainer().resume(saved)
        except PellucidError as error:
            self._state = None
            self._say(str(error))
        else:
            step, points = self.model.optimizer_state.step, self.curve.tail()["points"]
            self._first_step = points[-1]["step"] - step if points else 0
            self.moment, self._begin = (0, self._first_step + step), None
        finally:
            self._trainer = None
            self._tell()

    def _may_go_on(self) -> Stop | None:
        """Obey what was asked, and wait while there is nothing to do. A Stop where this trainer can do no more."""
        while True:
            if self._edit is not None:
                if self._trainer is not None:
                    return Stop("another network")
                self._take_edit()
            idle = not self._running and not self._single
            try:
                command = self._commands.get(block=idle and not self._closing)
                if command is not None:
                    self._do(command)
                continue
            except queue.Empty:
                pass
            if self._closing:
                return Stop("closed")
            if self._trainer is None:
                return None
            if self._renew or self._mode != self._trainer_mode:
                return Stop("goes on otherwise")
            return None

    def _do(self, command: Command) -> None:
        self._said = ""
        try:
            match command.do:
                case "start" | "pause":
                    self._running, self._single = command.do == "start", 0
                    self._pace.clear()
                case "step" | "picture":
                    self._running, self._single = False, self._single + 1
                    self._pictures = 1 if command.do == "picture" else None
                case "restart":
                    self._restart()
                case "set":
                    self._set(command.name, command.value)
                case "edit":
                    self._edit = command.value
        except PellucidError as error:
            self._said = str(error)
        self._tell()

    def _set(self, name: str, value: Any) -> None:
        before, now = self.settings, self.settings.changed(name, value)
        if now == before:
            return
        if name == "learning_rate":
            self.model.optimizer.learning_rate, self.settings = now.learning_rate, now
            return
        self.settings = put_into(self.model, before, now)
        if name == "optimizer":
            self._first_step = self.moment[1]
        if name == "seed":
            self._restart()
        self._renew = True

    def _restart(self) -> None:
        """The weights of the beginning; those of another seed are drawn as a new network's are."""
        weights = self._begin if self.settings.seed == self._begin_seed else None
        if weights is None:
            weights = transfer.like(self.model, seed=self.settings.seed).get_weights()
        self.model.set_weights(weights)
        state = self.model.optimizer_state
        state.restart()
        state.num_epochs = 0
        self._state = self._doctor = None
        self._own, self._held = {}, {}
        self._pace.clear()
        self.curve.clear()
        self._renew = True
        self.moment, self._first_step = (self.moment[0] + 1, 0), 0

    def _take_edit(self) -> None:
        """Train another network from here on, between two trainers."""
        given, self._edit = self._edit, None
        try:
            with self.looking:
                exchange(self.model, given, batch_size=self.settings.batch_size)
                self.layout += 1
        except PellucidError as error:
            self._said = str(error)
        else:
            self._begin = self._doctor = None
            self._examples = None
            self.settings = self._works = replace(
                Settings.of(self.model, batch_size=self.settings.batch_size, augment=self.settings.augment),
                learning_rate=self.settings.learning_rate,
            )
            self.moment = (self.moment[0] + 1, self.moment[1])
        self._tell()

    @property
    def _mode(self) -> tuple[bool, int]:
        """Whether each step is heard of, and how many pictures it has."""
        single = self._single > 0 or not self._running
        return single, (self._pictures or self.settings.batch_size) if single else self.settings.batch_size

    def _make_trainer(self) -> Trainer:
        self._trainer_mode = each, size = self._mode
        model, settings, config = self.model, self.settings, self._config(size)
        if self._examples is None or self._examples[0] != settings.loss:
            self._examples = settings.loss, prepare(model, self.dataset, replace(config, augment="none"))
        learn, held = self._examples[1]
        if self._doctor is None:
            self._doctor = Doctor(model, learn, held, tell=(self._hear_doctor,))
        hear = Hearer(self._hear, self.curve, every_batch=each)
        change = augment_for(self.dataset, config)
        trainer = Trainer(model, learn, config, validation=held, augment=change, listeners=[hear])
        if self._state is not None:
            trainer.state = self._placed(size)
        self._trainer, self._state, self._batch_size = trainer, trainer.state, size
        self._before = np.array(trainer.state.totals)
        return trainer

    def _config(self, size: int) -> TrainConfig:
        augment = self.start.augment if self.settings.augment else "none"
        return TrainConfig(MAX_EPOCHS, size, seed=self.settings.seed, augment=augment)

    def program(self) -> str:
        """The program that makes this network and trains it with the settings of now, for as many epochs as so far."""
        change = augment_for(self.dataset, self._config(self.settings.batch_size))
        epochs = self.snapshot["epoch"] + (self.snapshot["pictures"] > 0)
        with self.looking:
            return program(self.model, self.dataset, self.start.loading, self.settings, change, max(epochs, 1))

    def _hear(self, event: Event) -> Stop | None:
        if self._doctor is not None and not isinstance(event, TrainingEnded):  # it goes on with the next trainer
            self._doctor(event)
        match event:
            case BatchEnded():
                self._stepped(event)
                return self._may_go_on()
            case EpochEnded():
                self._held = {name: value for name, value in event.logs.items() if name.startswith("val_")}
                self.curve.add({"step": self.moment[1], "epoch": event.epoch + 1, **self._held})
                self._tell()
        return Stop("closed") if self._closing else None

    def _hear_doctor(self, event: Event) -> None:
        if isinstance(event, Diagnosed):
            self._tell()

    def _stepped(self, event: BatchEnded) -> None:
        """Note a step, or a stretch of them: its own mean loss and accuracy, and how quick it was."""
        if self._state is None:
            return
        totals = np.array(self._state.totals)
        before = self._before if event.num_samples < totals[COUNT] else np.zeros_like(totals)  # of this epoch
        self._own = means(totals - before, "accuracy" if "accuracy" in event.logs else None)
        self._before = totals
        self.moment = (self.moment[0], self._first_step + event.step + 1)
        self._pace.add(event.num_samples)
        speed = {"images_per_s": round(self._pace.per_s(), 1)} if self._running and self._pace.per_s() else {}
        self.curve.add({"step": self.moment[1], "rate": self._state.learning_rate, **self._own, **speed})
        if self._single:
            self._single -= 1
        if self._folder is not None and self._folder.due():
            self._keep(self._folder)
        self._tell()

    def _keep(self, folder: Folder) -> None:
        """Write a checkpoint, from which this training goes on exactly, where it has learned something."""
        if self._state is None or self._examples is None or self.model.optimizer_state.step == 0:
            return
        learn, held = self._examples[1]
        config = self._config(self.settings.batch_size)
        settings = partial(settings_of, self.model, learn, held, config)
        hear, steps = Hearer(self._hear, self.curve), -(-len(learn) // config.batch_size)
        folder.keep(self._placed(config.batch_size), config, settings, (hear,), steps)

    def _placed(self, size: int) -> TrainingState:
        """How far the training is, in steps of so many pictures."""
        assert self._state is not None
        return replace(self._state, batch=self._state.batch * self._batch_size // size)

    def _say(self, text: str) -> None:
        """A sentence about what went wrong; training waits then."""
        self._running, self._single, self._said = False, 0, text

    def _tell(self) -> None:
        state, found = self._state, self._doctor.findings if self._doctor is not None else []
        self.snapshot = {
            "running": self._running,
            "generation": self.moment[0],
            "step": self.moment[1],
            "layout": self.layout,
            "epoch": state.epoch if state is not None else 0,
            "pictures": int(state.batch * self._batch_size) if state is not None else 0,
            "num_pictures": len(self.dataset.train),
            "logs": {**self._own, **self._held},
            "images_per_s": self._pace.per_s() if self._running else 0.0,
            "settings": self.settings.to_json(),
            "findings": [
                {"rule": said.rule, "en": in_language(said, "en"), "ko": in_language(said, "ko")} for said in found
            ],
            **told("said", self._said),
            "curve": self.curve.tail(),
        }
        self.changed()

    _batch_size = 1
    _trainer_mode = (True, 1)
