"""The compiled module itself: whether it is there, threads, instruction sets, running steps, checks."""

from __future__ import annotations

import os
from collections.abc import Sequence
from numbers import Integral
from typing import TYPE_CHECKING, Any

from pellucid.errors import BackendError, ConfigError

try:
    import pellucid.ops._native as _native  # named in full, so that the reason is the true one
    from pellucid.ops._native import Program as _Program
    from pellucid.ops._native import Snapshot as Snapshot
    from pellucid.ops._native import Step as Step
except ImportError as error:
    available = False
    reason = (
        "pellucid.ops._native is not installed (no C++ compiler or no Python headers when Pellucid was)"
        if isinstance(error, ModuleNotFoundError)
        else f"pellucid.ops._native cannot be loaded ({error})"
    )
    if not TYPE_CHECKING:

        class Step:
            """Stands in for the compiled class, so that isinstance works; none is ever made."""

        class _Program:
            """The same."""

        class Snapshot:
            """The bytes of arrays as they were when this was made."""

            def __init__(self, arrays: Any) -> None:
                self._arrays, self._bytes = arrays, [array.tobytes() for array in arrays]

            def holds(self) -> bool:
                return [array.tobytes() for array in self._arrays] == self._bytes

else:
    available = True
    reason = ""

MAX_THREADS = 1024  # more than any machine gains from; each takes a stack and its share of scratch memory


def instruction_set() -> str:
    """The instruction set that new steps use."""
    return _native.instruction_set()


def instruction_sets() -> list[str]:
    """Those this machine has, best first."""
    return _native.instruction_sets() if available else []


def vector_floats() -> int:
    """How many numbers one of its vectors holds."""
    return _native.vector_floats()


def num_threads() -> int:
    """How many threads a kernel may use."""
    return _native.num_threads()


def set_num_threads(count: int, name: str = "the number of threads") -> None:
    """Results are the same bits for any number. Without kernels the number is only checked.

    Errors: ConfigError, naming `name`, for anything but a whole number from 1 to MAX_THREADS.
    """
    if isinstance(count, bool) or not isinstance(count, Integral) or not 1 <= count <= MAX_THREADS:
        digits = isinstance(count, Integral) and int(count).bit_length() > 64
        got = f"one of {int(count).bit_length()} bits" if digits else f"{count!r:.60}"
        raise ConfigError(f"{name} must be a whole number from 1 to {MAX_THREADS}, got {got}")
    if available:
        _native.set_num_threads(int(count))


def _apply_environment() -> None:
    isa = os.environ.get("PELLUCID_ISA", "")
    if isa:
        _native.use_instruction_set(isa)
    threads: Any = os.environ.get("PELLUCID_NUM_THREADS", "").strip()
    if threads:
        number = threads.isascii() and threads.isdecimal() and len(threads) < 20
        set_num_threads(int(threads) if number else threads, "PELLUCID_NUM_THREADS")


if available:
    _apply_environment()


def kernel_fields() -> dict[str, list[tuple[str, str, str, bool, str]]]:
    """Of every kernel that is compiled in: (name, "array", "size" or "real", element type, whether written, axes)."""
    return _native.kernel_fields() if available else {}


def field_choices() -> dict[str, list[str]]:
    """The words of each size that is a choice, in the order of their numbers."""
    return _native.field_choices() if available else {}


def run(step: Step) -> None:
    """Runs one step now, with the GIL released.

    Errors: BackendError if its data are wrong (an index or a label out of range).
    """
    _native.run(step)


def recomputed() -> int:
    """Pictures that this thread's runs have computed a second time, directly, because of their range.

    It counts from the thread's start, each kernel by itself: whoever asks before and after a run knows of that run.
    """
    return _native.recomputed() if available else 0


class Program(_Program):
    """Consecutive steps as one call: the GIL is released once, and one workspace serves all.

    `run(n)` gives every step that has a batch size the size n, at most `batch`, the one it was built with
    (-1 where no step has one).
    fixed_weights: what kernels make of weights, such as packed copies, is kept from run to run; `refresh` says that
    the weights have changed.
    whole: arrays of more pictures than the steps were built for, which read or write their first ones: then `batch` is
    as many, and all steps run for the first pictures, then all for the next.
    """

    def __init__(self, steps: Sequence[Step], *, fixed_weights: bool = False, whole: Sequence[object] = ()) -> None:
        if not available:
            raise BackendError(f"no compiled kernels: {reason}")
        super().__init__(list(steps), fixed_weights, list(whole))

    def run(self, n: int | None = None, memory: object = None, instead: object = None) -> bool:
        """True if every step ran; False if `stop_unless_finite` ended the program.

        memory: an array that steps only read (see `only_reads`); they read the pictures of `instead` where these lie.
        Shapes: memory (N, ...), instead (at least n, ...), both of one type and C-contiguous.
        Errors: BackendError for a larger n than built for, or if a step finds its data wrong.
        """
        if n is not None and n < 0:
            raise BackendError(f"a program cannot run a batch of {n}")
        return super().run(-1 if n is None else n, memory, instead)

    def run_steps(
        self, n: int, count: int, before: Sequence[tuple[object, object]], after: Sequence[tuple[object, object]]
    ) -> int:
        """`count` runs in one call; before run i each (array, values) of `before` gets array = values[i], after it
        each of `after` gives values[i] = array. Returns the runs that ended well: fewer where `stop_unless_finite` said
        so.

        Errors: BackendError as for run, and for values of another size.
        """
        if n < 0:
            raise BackendError(f"a program cannot run a batch of {n}")
        return super().run_steps(n, count, before, after)
