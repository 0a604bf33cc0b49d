"""A reader for pickles that knows arrays, bytes, strings, numbers, lists, tuples and dicts, and runs nothing.

`pickle.load` calls whatever a file names. This is an interpreter of its own for the opcodes plain data needs: names of
NumPy's array constructors stand for themselves and are never looked up; every other name, and every opcode that would
build an object, is refused before anything happens. A caller who knows what else its files hold (tensors) says so in a
`Vocabulary`: names again, each with a function of the caller's own.
"""

from __future__ import annotations

import io
import math
import pickletools
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pellucid.errors import DataError
from pellucid.files.reading import opened

EXPANSION = 4
"""The arrays of an honest pickle take at most this many times its length, copies made on the way included."""
MAX_BYTES = 2 << 30
MAX_OPERATIONS = 1_000_000
"""An opcode of one byte may make a list of sixty; arrays take a few opcodes each, CIFAR-10's batches some 50,000."""
MAX_INT_BITS = 1024
"""Longer numbers could not even be printed in an error."""

_MARK = object()
_SIMPLE_DTYPE = re.compile(r"[<>=|]?(?:[biufc](?:1|2|4|8|16)|[SU]\d{1,9}|\?)")

# Old and new homes of the same few functions (NumPy 2 renamed numpy.core; Python 3 renamed copy_reg).
_NAMES = {
    "numpy.core.multiarray _reconstruct": "reconstruct",
    "numpy._core.multiarray _reconstruct": "reconstruct",
    "numpy.core.numeric _frombuffer": "frombuffer",
    "numpy._core.numeric _frombuffer": "frombuffer",
    "numpy.core.multiarray scalar": "scalar",
    "numpy._core.multiarray scalar": "scalar",
    "numpy ndarray": "ndarray",
    "numpy dtype": "dtype",
    "_codecs encode": "encode",
    "__builtin__ bytes": "empty",
    "builtins bytes": "empty",
}
# fmt: off
_PUSH = frozenset({
    "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4",
    "FLOAT", "BINFLOAT", "STRING", "BINSTRING", "SHORT_BINSTRING",
    "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8",
    "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
})
# fmt: on
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_TUPLES = {"EMPTY_TUPLE": 0, "TUPLE1": 1, "TUPLE2": 2, "TUPLE3": 3}


@dataclass(frozen=True)
class Vocabulary:
    """What one kind of pickle may hold besides arrays. Names are written `module attribute`.

    calls: what answers for a call of a name; ValueError and TypeError there mean a damaged file.
    values: what a name stands for by itself.
    persistent: what answers for a persistent id, such as a tensor's storage; None: there are none.
    classes: the module whose classes' objects are read as their `Attributes`; "": there are none.
    """

    calls: Mapping[str, Callable[..., Any]]
    values: Mapping[str, Any]
    persistent: Callable[[Any], Any] | None = None
    classes: str = ""


NOTHING_MORE = Vocabulary({}, {})


class Attributes(dict[str, Any]):
    """What an object of a class holds, by name; the class is not looked up."""


@dataclass(frozen=True)
class _Name:
    """A constructor by name only: one of NumPy's, or what the vocabulary has for it."""

    kind: str
    answer: Callable[..., Any] | None = None


@dataclass(eq=False)
class _Pending:
    """A dtype or array whose state has not come yet, and where it is remembered."""

    kind: str
    text: str = ""
    memo_keys: list[int] = field(default_factory=list)


class _Refused(Exception):
    """The file asks for something that plain data does not need."""


def load(path: Path) -> Any:
    """The data in a pickle file of at most MAX_BYTES. See `loads`."""
    with opened(path) as file:
        if (size := path.stat().st_size) > MAX_BYTES:
            raise DataError(f"{path}: takes {size} bytes, at most {MAX_BYTES} are read from a pickle")
        data = file.read()
    return loads(data, name=str(path))


def loads(data: bytes | io.BytesIO, *, name: str = "pickle", vocabulary: Vocabulary = NOTHING_MORE) -> Any:
    """The data in a pickle of any protocol, Python 2's too (whose strings come as str, one character a byte).

    A BytesIO is left behind the pickle, where another may follow.
    Errors: DataError naming what was refused or damaged; nothing has run by then.
    """
    size = data.getbuffer().nbytes if isinstance(data, io.BytesIO) else len(data)
    try:
        with warnings.catch_warnings():  # a damaged string may hold an escape that Python deprecates
            warnings.simplefilter("ignore", DeprecationWarning)
            warnings.simplefilter("ignore", SyntaxWarning)
            return _Machine(vocabulary, EXPANSION * size + 2**20).run(pickletools.genops(data))
    except _Refused as error:
        raise DataError(
            f"{name}: refused: {shortened(error)}. Only arrays, bytes, strings, numbers, lists, tuples and dicts are "
            "read from a pickle, because anything else could run a stranger's code"
        ) from error
    except (ValueError, IndexError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise DataError(f"{name}: damaged pickle ({type(error).__name__}: {shortened(error)})") from error


def shortened(error: Exception, limit: int = 300) -> str:
    """What an error says, in one line of a bounded length: it may quote the file."""
    text = " ".join(str(error).split())
    return text if len(text) <= limit else f"{text[: limit - 3]}..."


class _Machine:
    """The stack, the memo, and what each allowed opcode does to them."""

    def __init__(self, vocabulary: Vocabulary, allowance: int) -> None:
        self.stack: list[Any] = []
        self.memo: dict[int, Any] = {}
        self.vocabulary = vocabulary
        self.allowance = allowance

    def run(self, operations: Iterator[tuple[Any, Any, int | None]]) -> Any:
        for count, (opcode, argument, _) in enumerate(operations):
            if count >= MAX_OPERATIONS:
                raise _Refused(f"more than {MAX_OPERATIONS} opcodes")
            name = opcode.name
            if name == "STOP":
                return self._finished(self.stack.pop())
            self._step(name, argument)
        raise ValueError("no STOP at the end")

    def _step(self, name: str, argument: Any) -> None:
        stack = self.stack
        if name in _PUSH:
            if isinstance(argument, int) and argument.bit_length() > MAX_INT_BITS:
                raise _Refused(f"a whole number of {argument.bit_length()} bits")
            stack.append(argument)
        elif name in _CONSTANTS:
            stack.append(_CONSTANTS[name])
        elif name in _TUPLES:
            stack.append(tuple(self._pop(_TUPLES[name])))
        elif name == "MARK":
            stack.append(_MARK)
        elif name in ("EMPTY_LIST", "EMPTY_DICT"):
            stack.append([] if name == "EMPTY_LIST" else {})
        elif name in ("LIST", "TUPLE"):
            items = self._pop_to_mark()
            stack.append(items if name == "LIST" else tuple(items))
        elif name == "DICT":
            items = self._pop_to_mark()
            stack.append({})
            self._set_items(items)
        elif name in ("APPEND", "APPENDS"):
            items = self._pop(1) if name == "APPEND" else self._pop_to_mark()
            self._top(list).extend(map(self._finished, items))
        elif name in ("SETITEM", "SETITEMS"):
            self._set_items(self._pop(2) if name == "SETITEM" else self._pop_to_mark())
        elif name in ("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"):
            self._remember(len(self.memo) if name == "MEMOIZE" else int(argument))
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(self.memo[int(argument)])
        elif name == "POP":
            stack.pop()
        elif name == "POP_MARK":
            self._pop_to_mark()
        elif name == "DUP":
            stack.append(stack[-1])
        elif name == "GLOBAL":
            stack.append(self._named(str(argument)))
        elif name == "STACK_GLOBAL":
            module, attribute = self._pop(2)
            stack.append(self._named(f"{module} {attribute}"))
        elif name == "REDUCE":
            callee, arguments = self._pop(2)
            stack.append(self._call(callee, arguments))
        elif name == "NEWOBJ" and self.vocabulary.classes:
            callee, arguments = self._pop(2)
            if callee != _Name("class") or arguments != ():
                raise _Refused("an object of a class that is not known")
            stack.append(Attributes())
        elif name == "BUILD":
            pending, state = self._pop(2)
            self._build(pending, state)
        elif name == "BINPERSID" and self.vocabulary.persistent is not None:
            stack.append(self.vocabulary.persistent(*self._pop(1)))
        elif name not in ("PROTO", "FRAME"):
            raise _Refused(f"opcode {name}, which builds an object")

    def _pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("stack underflow")
        items = self.stack[len(self.stack) - count :]
        del self.stack[len(self.stack) - count :]
        if any(item is _MARK for item in items):
            raise ValueError("a mark where a value was expected")
        return items

    def _pop_to_mark(self) -> list[Any]:
        for position in range(len(self.stack) - 1, -1, -1):
            if self.stack[position] is _MARK:
                items = self.stack[position + 1 :]
                del self.stack[position:]
                return items
        raise ValueError("no mark on the stack")

    def _top(self, kind: type) -> Any:
        if not self.stack or not isinstance(self.stack[-1], kind):
            raise ValueError(f"expected a {kind.__name__} on the stack")
        return self.stack[-1]

    def _set_items(self, items: list[Any]) -> None:
        target = self._top(dict)
        if len(items) % 2:
            raise ValueError("a dict key without a value")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # Only flat keys: hashing a deeply nested tuple would overflow C's stack.
            if not isinstance(key, str | bytes | int | float | None):
                raise _Refused(f"a dict key of type {type(key).__name__}")
            target[key] = self._finished(value)

    def _remember(self, key: int) -> None:
        value = self.stack[-1]
        if value is _MARK:
            raise ValueError("a mark cannot be remembered")
        self.memo[key] = value
        if isinstance(value, _Pending):
            value.memo_keys.append(key)

    def _finished(self, value: Any) -> Any:
        parts = value if isinstance(value, tuple) else (value,)
        if any(isinstance(part, _Pending | _Name) or part is _MARK for part in parts):
            raise ValueError("an array without its values")
        return value.dtype if isinstance(value, _Dtype) else value

    def _named(self, name: str) -> Any:
        if name in self.vocabulary.values:
            return self.vocabulary.values[name]
        if name in self.vocabulary.calls:
            return _Name(name, self.vocabulary.calls[name])
        if self.vocabulary.classes and re.match(rf"{self.vocabulary.classes}[. ]", name):
            return _Name("class")
        if name not in _NAMES:
            raise _Refused(f"the name {name.replace(' ', '.')}")
        return _Name(_NAMES[name])

    def _spend(self, raw: Any) -> None:
        """Count what is about to be copied: a few bytes of a pickle can ask for the same copy again and again."""
        self.allowance -= len(raw) if isinstance(raw, str | bytes | bytearray) else 0
        if self.allowance < 0:
            raise _Refused("arrays of more bytes than a file of this length can hold")

    def _call(self, callee: Any, arguments: Any) -> Any:
        if not isinstance(callee, _Name) or not isinstance(arguments, tuple):
            raise _Refused("a call of something that is no constructor of arrays")
        if callee.answer is not None:
            return callee.answer(*arguments)
        if callee.kind == "reconstruct":
            if not (arguments and arguments[0] == _Name("ndarray")):
                raise _Refused("an array of another class than numpy.ndarray")
            return _Pending("array")
        if callee.kind == "dtype":
            return _Pending("dtype", _checked_dtype_text(arguments[0]))
        if callee.kind == "encode":
            text, encoding = arguments if len(arguments) == 2 else (*arguments, "utf-8")
            if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
                raise _Refused(f"encoding as {encoding!r}")
            self._spend(text)
            return text.encode(encoding)
        if callee.kind == "empty" and not arguments:  # how Python 3 writes b"" for Python 2
            return b""
        if callee.kind == "frombuffer":
            raw, dtype, shape, order = arguments
            self._spend(raw)
            return _array(raw, dtype, shape, order)
        if callee.kind == "scalar":
            dtype, raw = arguments
            self._spend(raw)
            return _array(raw, dtype, (), "C")[()]
        raise _Refused(f"a call of {callee.kind}")

    def _build(self, pending: Any, state: Any) -> None:
        if isinstance(pending, Attributes):
            if not isinstance(state, dict) or not all(isinstance(name, str) for name in state):
                raise _Refused("an object whose state is no dict of attributes")
            pending.update(state)
            self.stack.append(pending)
            return
        if isinstance(pending, dict) and self.vocabulary.calls:  # attributes of an OrderedDict, which carry no data
            self.stack.append(pending)
            return
        if not isinstance(pending, _Pending) or not isinstance(state, tuple):
            raise _Refused("state for something that is no array")
        built: Any
        if pending.kind == "dtype":
            order = state[1]
            if order not in ("<", ">", "|", "=") or any(part is not None for part in state[2:5]):
                raise _Refused("a dtype with fields")
            built = _Dtype(np.dtype(pending.text).newbyteorder("|" if order == "=" else order))
        else:
            _, shape, dtype, fortran, raw = state
            self._spend(raw)
            built = _array(raw, dtype, shape, "F" if fortran else "C")
        for key in pending.memo_keys:
            self.memo[key] = built
        self.stack.append(built)


@dataclass(frozen=True)
class _Dtype:
    """A finished dtype, kept apart from data until an array uses it."""

    dtype: np.dtype[Any]


def _checked_dtype_text(text: Any) -> str:
    if not isinstance(text, str) or not _SIMPLE_DTYPE.fullmatch(text):
        raise _Refused(f"dtype {text!r}; arrays hold numbers, booleans or strings")
    return text


def _array(raw: Any, dtype: Any, shape: Any, order: Any) -> np.ndarray[Any, Any]:
    """The array of these bytes, owned and in native byte order, after its length was checked."""
    if not isinstance(dtype, _Dtype):
        raise ValueError("an array without a dtype")
    if isinstance(raw, str):  # Python 2's bytes
        raw = raw.encode("latin-1")
    if not isinstance(raw, bytes | bytearray):
        raise _Refused(f"an array of {type(raw).__name__}; arrays hold numbers, booleans or strings")
    if not isinstance(shape, tuple) or not all(isinstance(size, int) and size >= 0 for size in shape):
        raise ValueError(f"array shape {shape!r}")
    expected = math.prod(shape) * dtype.dtype.itemsize
    if len(raw) != expected or dtype.dtype.itemsize == 0:
        raise ValueError(f"array of shape {shape} and dtype {dtype.dtype} needs {expected} bytes, got {len(raw)}")
    values = np.frombuffer(raw, dtype=dtype.dtype).reshape(shape, order="F" if order == "F" else "C")
    return values.astype(dtype.dtype.newbyteorder("="))
