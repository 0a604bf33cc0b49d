"""Arguments that TensorFlow or Keras calls otherwise than the function here: a function holds all of their names."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pellucid._modules import explained
from pellucid.keras.older import renamed


def also(**theirs: str) -> Callable[[Any], Callable[..., Any]]:
    """The same function that takes arguments by other names, too, and a `name`, which changes nothing:
    `also(x="logits")(softmax)`, `also(x="input variable")(stop_gradient)` where TensorFlow and Keras have one each.

    Errors: ConfigError for an argument that is given twice, or that there is not.
    """
    today = {word: own for own, words in theirs.items() for word in words.split()}

    def wrap(function: Any) -> Callable[..., Any]:
        inner = renamed(**today)(explained(function))

        @functools.wraps(inner)
        def called(*args: Any, name: Any = None, **named: Any) -> Any:
            return inner(*args, **named)

        return called

    return wrap
