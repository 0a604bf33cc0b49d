"""Work in order: native steps that follow each other become one native program; Python runs between programs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from pellucid.ops import native
from pellucid.ops.geometry import Array
from pellucid.ops.memory import give_back

Call = Callable[[int], object]
"""Work done in Python on the first n pictures of the plan's buffers; an answer of False ends the run."""


@dataclass(frozen=True)
class SubBatches:
    """Steps built for a few pictures, which run for all, a few at a time: what lies between stays in the cache.

    steps: all native. whole: the arrays of all pictures, of which the steps read and write the first few.
    """

    steps: Sequence[native.Step]
    whole: Sequence[Array]


@dataclass(frozen=True)
class AsBuilt:
    """Steps on all of their arrays, however many pictures there are."""

    steps: Sequence[native.Step]


Work = native.Step | SubBatches | AsBuilt | Call


def for_no_batch(steps: list[native.Step]) -> list[Work]:
    """Steps on all of their arrays, however many pictures there are, as one piece of work."""
    return [AsBuilt(steps)] if steps else []


class WorkSequence:
    """Runs work items in order, consecutive native steps in a single call that releases the GIL once.

    fixed_weights: no step changes a parameter; `refresh` says that somebody else has. prepare: steps that make
    something of weights, done before the first run and the first one after `refresh`, for no batch.
    Shapes: the programs are built for a batch of N; `run(n)` does the first n <= N pictures.
    """

    def __init__(
        self, work: Iterable[Work], *, fixed_weights: bool = False, prepare: list[native.Step] | None = None
    ) -> None:
        self.work, self.preparing, self.fixed_weights = list(work), list(prepare or ()), fixed_weights
        self._prepare = native.Program(self.preparing) if prepare else None
        self._stale = True
        self._stages: list[Callable[..., object]] = []
        self._programs: list[native.Program] = []
        self.workspace_bytes = self._prepare.workspace_bytes if self._prepare else 0
        self.steps: list[native.Step] = []
        pending: list[native.Step] = []
        for item in self.work:
            if isinstance(item, native.Step):
                pending.append(item)
                continue
            self._close(pending)
            if isinstance(item, SubBatches):
                self._close(list(item.steps), item.whole)
            elif isinstance(item, AsBuilt):
                self._close(list(item.steps), as_built=True)
            else:
                self._stages.append(item)
        self._close(pending)
        give_back()  # what building the network left in holes between the buffers

    def _close(self, pending: list[native.Step], whole: Sequence[Array] = (), *, as_built: bool = False) -> None:
        if pending:
            program = native.Program(list(pending), fixed_weights=self.fixed_weights, whole=whole)
            self.workspace_bytes += program.workspace_bytes
            self._programs.append(program)
            if not as_built:  # those are for weights, not for pictures
                self.steps.extend(pending)
            self._stages.append((lambda n, *elsewhere: program.run(None, *elsewhere)) if as_built else program.run)
            pending.clear()

    @property
    def num_stages(self) -> int:
        """Calls a run makes: programs and pieces of Python."""
        return len(self._stages)

    @property
    def program(self) -> native.Program | None:
        """The one program that is all of the work, or None where Python has a part in it."""
        return self._programs[0] if len(self._programs) == len(self._stages) == 1 else None

    def only_reads(self, array: Array) -> bool:
        """Whether all of the work may read other pictures than those of `array` (see `run`): it is native, and no step
        writes there."""
        programs = self._programs
        return len(programs) == len(self._stages) and all(program.only_reads(array) for program in programs)

    def refresh(self) -> None:
        """The weights may have changed since the last run."""
        self._stale = True
        for program in self._programs:
            program.refresh()

    def prepare(self) -> None:
        """Make of the weights what is made of them once, unless that is done."""
        if self._stale and self._prepare:
            self._prepare.run()
        self._stale = False

    def run(self, n: int, *elsewhere: Array) -> bool:
        """Do everything for the first n pictures; False if a stage ended the run because a number was not finite.

        elsewhere: an array of a plan, and pictures that are read where they lie instead of those in it.
        """
        self.prepare()
        for stage in self._stages:  # noqa: SIM110 - a generator takes longer than a small stage of Python
            if stage(n, *elsewhere) is False:
                return False
        return True
