"""The book's trainer: epochs of mini-batches for any network that knows its gradient."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np

from pellucid._text import say
from pellucid.errors import ConfigError, ShapeError, unknown_name
from pellucid.ops import Array
from pellucid.ops.geometry import pair
from pellucid.scratch.optimizers import OPTIMIZERS

__all__ = ["Trainer"]

OPTIMIZER_PARAM: Mapping[str, Any] = MappingProxyType({"lr": 0.01})


class Trainer:
    """Trains for `epochs`, each of which shows every picture once, in an order drawn from np.random.

    `train_loss_list` gets the loss of every batch, taken after its step as in the book; `train_acc_list` and
    `test_acc_list` get one number an epoch, taken at its end, on the first `evaluate_sample_num_per_epoch` pictures
    (None: all). verbose prints each loss, each epoch and the final test accuracy.

    Differs from the book: it draws each batch anew, so that of 60,000 pictures an epoch misses 22,000 and shows others
    twice; judges after the first step of an epoch instead of the last; and knows RMSprop only as "rmsprpo", which is
    taken too. The last batch of an epoch may be smaller. `train` goes on where an interrupted one stopped.

    network: of ours, or of one's own: `params`, `gradient(x, t)`, `loss(x, t)` and `accuracy(x, t)`.
    optimizer: SGD, Momentum, Nesterov, AdaGrad, RMSprop or Adam, in any case; optimizer_param are its arguments.
    Errors: ConfigError for an unknown optimizer or argument, or counts below 1; ShapeError if there are not as many
        labels as pictures.
    """

    def __init__(
        self,
        network: Any,
        x_train: Array,
        t_train: Array,
        x_test: Array,
        t_test: Array,
        epochs: int = 20,
        mini_batch_size: int = 100,
        optimizer: str = "SGD",
        optimizer_param: Mapping[str, Any] = OPTIMIZER_PARAM,
        evaluate_sample_num_per_epoch: int | None = None,
        verbose: bool = True,
    ) -> None:
        for part, x, t in (("training", x_train, t_train), ("test", x_test, t_test)):
            if len(x) != len(t) or not len(x):
                raise ShapeError(f"{part} needs pictures and a label for each, got {len(x)} and {len(t)}")
        if optimizer.lower() not in OPTIMIZERS:
            raise unknown_name("optimizer", optimizer, OPTIMIZERS)
        try:
            self.optimizer = OPTIMIZERS[optimizer.lower()](**optimizer_param)
        except (TypeError, ConfigError) as error:
            raise ConfigError(f"optimizer_param {dict(optimizer_param)} does not fit {optimizer}: {error}") from error
        self.network, self.verbose = network, verbose
        self.x_train, self.t_train, self.x_test, self.t_test = x_train, t_train, x_test, t_test
        self.epochs, _ = pair(epochs, "epochs")
        self.batch_size, _ = pair(mini_batch_size, "mini_batch_size")
        self.evaluate_sample_num_per_epoch = (
            None
            if evaluate_sample_num_per_epoch is None
            else pair(evaluate_sample_num_per_epoch, "evaluate_sample_num_per_epoch")[0]
        )
        self.train_size = len(x_train)
        self.iter_per_epoch = -(-self.train_size // self.batch_size)
        self.max_iter = self.epochs * self.iter_per_epoch
        self.current_iter = 0
        self.current_epoch = 0
        self.train_loss_list: list[float] = []
        self.train_acc_list: list[float] = []
        self.test_acc_list: list[float] = []
        self._order = np.empty(0, np.int64)

    def train_step(self) -> None:
        """One batch; at the end of an epoch also its accuracies."""
        place = self.current_iter % self.iter_per_epoch
        if place == 0:
            self._order = np.random.permutation(self.train_size)
        rows = self._order[place * self.batch_size : (place + 1) * self.batch_size]
        x, t = self.x_train[rows], self.t_train[rows]
        grads = self.network.gradient(x, t)
        self.optimizer.update(self.network.params, grads)
        loss = self.network.loss(x, t)
        self.train_loss_list.append(loss)
        self._say(f"train loss:{loss}")
        self.current_iter += 1
        if self.current_iter % self.iter_per_epoch == 0:
            self._end_epoch()

    def train(self) -> None:
        """Every step that is left, then the accuracy on all test pictures."""
        while self.current_iter < self.max_iter:
            self.train_step()
        accuracy = self.network.accuracy(self.x_test, self.t_test)
        self._say("=============== Final Test Accuracy ===============")
        self._say(f"test acc:{accuracy}")

    def _end_epoch(self) -> None:
        self.current_epoch += 1
        some = slice(self.evaluate_sample_num_per_epoch)
        train = self.network.accuracy(self.x_train[some], self.t_train[some])
        test = self.network.accuracy(self.x_test[some], self.t_test[some])
        self.train_acc_list.append(train)
        self.test_acc_list.append(test)
        self._say(f"=== epoch:{self.current_epoch}, train acc:{train}, test acc:{test} ===")

    def _say(self, line: str) -> None:
        if self.verbose:
            say(line)
