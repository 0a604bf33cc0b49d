"""Arguments that TensorFlow calls otherwise than Keras, or than the names of functions here let them be called."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from pellucid._modules import explained
from pellucid.errors import ConfigError


def also(**theirs: str) -> Callable[[Any], Callable[..., Any]]:
    """The same function that takes arguments by TensorFlow's names, too, and a `name`, which changes nothing:
    `also(x="logits")(softmax)`.

    Errors: ConfigError for an argument that is given twice, or that there is not.
    """
    ours = {word: own for own, word in theirs.items()}

    def wrap(function: Any) -> Callable[..., Any]:
        inner = explained(function)

        @functools.wraps(inner)
        def called(*args: Any, name: Any = None, **named: Any) -> Any:
            twice = [word for word in named if ours.get(word) in named]
            if twice:
                raise ConfigError(f"{function.__name__}: {twice[0]} and {ours[twice[0]]} are one argument; give one")
            return inner(*args, **{ours.get(word, word): value for word, value in named.items()})

        return called

    return wrap
