"""What programs write around their calculations: here nothing is compiled or placed."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np

from pellucid.autodiff import Variable
from pellucid.errors import PellucidError
from pellucid.keras import loops
from pellucid.keras.tensor import Dimensions, Tensor
from pellucid.keras.tensorflow.naming import also

__all__ = [
    "TensorShape", "TensorSpec", "UnconnectedGradients", "cond", "device", "errors", "executing_eagerly", "function",
    "is_tensor", "map_fn", "name_scope", "numpy_function", "print", "py_function", "while_loop",
]  # fmt: skip


class TensorShape(Dimensions):
    """Sizes of axes; None for one that nobody knows."""

    def __new__(cls, dims: Sequence[int | None] = ()) -> TensorShape:
        return super().__new__(cls, dims)


def is_tensor(x: Any) -> Any:
    """Whether it is a tensor or a variable."""
    return isinstance(x, Tensor | Variable)


def executing_eagerly() -> Any:
    """True: everything is calculated where it is written."""
    return True


class errors:
    """What programs catch, by TensorFlow's names: errors of ours, and Python's."""

    OpError = InvalidArgumentError = NotFoundError = FailedPreconditionError = PellucidError
    OutOfRangeError, ResourceExhaustedError = StopIteration, MemoryError


class UnconnectedGradients:
    """What `tape.gradient` gives for what the target does not come from."""

    NONE, ZERO = "none", "zero"


def print(*inputs: Any, **more: Any) -> None:
    """On standard output."""
    builtins.print(*inputs)


def numpy_function(func: Callable[..., Any], inp: Sequence[Any], Tout: Any = None, **more: Any) -> Any:
    """What a Python function makes of these."""
    return func(*inp)


py_function, cond = numpy_function, also()(loops.cond)


def while_loop(cond: Any, body: Any, loop_vars: Any, *more: Any, maximum_iterations: Any = None, **named: Any) -> Any:
    """As `keras.ops.while_loop`; how it is to run changes nothing."""
    return loops.while_loop(cond, body, loop_vars, maximum_iterations)


def map_fn(fn: Callable[[Any], Any], elems: Any, *more: Any, **named: Any) -> Any:
    """As `keras.ops.map`: what a function makes of each row; of which type, the rows say."""
    return loops.map(fn, elems)


def function(func: Callable[..., Any] | None = None, **more: Any) -> Any:
    """The function as it is: nothing is compiled."""
    return (lambda given: given) if func is None else func


def device(device_name: Any) -> AbstractContextManager[None]:
    """A block that runs where everything does."""
    return nullcontext()


def name_scope(name: Any) -> AbstractContextManager[None]:
    """A block: names of what stands in it change nothing."""
    return nullcontext()


class TensorSpec:
    """How an array is described: its shape and type."""

    def __init__(self, shape: Any = None, dtype: Any = np.float32, name: str | None = None) -> None:
        self.shape, self.dtype, self.name = shape, dtype, name
