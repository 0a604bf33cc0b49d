"""Callbacks of `evaluate` and `predict`, which hear of the beginning, of each batch, and of the end."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

from pellucid.train import standardize_listeners
from pellucid.train.callbacks import Callback


class Hearing:
    """Those callbacks. what: "test" or "predict", as their methods are called; logs: what they are told at the end."""

    def __init__(self, model: Any, callbacks: Any, what: str) -> None:
        self._all = [one for one in standardize_listeners(callbacks) if isinstance(one, Callback)]
        self._what, self._done = what, 0
        self.logs: dict[str, Any] = {}
        for one in self._all:
            one.set_model(model)

    def tell(self, moment: str, *given: Any) -> None:
        """Call their method of this moment."""
        for one in self._all:
            getattr(one, f"on_{self._what}_{moment}")(*given)

    def batch(self, logs: dict[str, Any]) -> None:
        """A batch was answered for."""
        self.tell("batch_begin", self._done, {})
        self.tell("batch_end", self._done, logs)
        self._done += 1


@contextlib.contextmanager
def hearing(model: Any, callbacks: Any, what: str) -> Iterator[Hearing]:
    """Around what they shall hear of."""
    made = Hearing(model, callbacks, what)
    made.tell("begin", {})
    yield made
    made.tell("end", made.logs)
