"""A function of tensors on a CUDA device, recorded once and replayed: one launch for all of its kernels; or as one.

A step of a small network is some hundred kernels of a few microseconds, which take longer to launch than to run.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

WARM_UPS = 3
"""Runs before the recording, in which libraries choose algorithms and take their workspaces."""


class Fused:
    """A formula of vectors as one kernel, which Triton compiles; by itself it goes through memory for each operator.

    Where there is no Triton, or no compiler that it needs, it runs as it is, and says so once.
    """

    def __init__(self, formula: Callable[..., None]) -> None:
        self._formula, self._compiled = formula, torch.compile(formula)

    def __call__(self, *given: Any, **numbers: Any) -> None:
        try:
            self._compiled(*given, **numbers)
        except RuntimeError as error:  # of the compiler, so nothing has changed
            said = str(error).strip().splitlines()[:1]
            warnings.warn(f"optimizers run as they are, not as one kernel: {''.join(said)}", stacklevel=2)
            self._compiled = self._formula
            self._formula(*given, **numbers)


class Replayed:
    """The function for tensors of always the same shapes; restore: undoes what the runs before the recording did.

    Where the device cannot record it, it runs as it is, and says so once.
    """

    def __init__(self, function: Callable[..., Any], restore: Callable[[], object]) -> None:
        self._function, self._restore = function, restore
        self._graph: Any = None
        self._inputs: Sequence[Tensor | None] = ()
        self._outputs: Any = None

    def __call__(self, *given: Tensor | None) -> Any:
        if self._graph is None:
            self._record(given)
        if self._graph is False:
            return self._function(*given)
        for own, tensor in zip(self._inputs, given, strict=True):
            if own is not None and tensor is not None:
                own.copy_(tensor, non_blocking=True)
        self._graph.replay()
        return self._outputs

    def _record(self, given: Sequence[Tensor | None]) -> None:
        self._inputs = [None if tensor is None else tensor.clone() for tensor in given]
        graph = torch.cuda.CUDAGraph()
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UPS):
                    self._function(*self._inputs)
            torch.cuda.current_stream().wait_stream(side)
            with torch.cuda.graph(graph):
                self._outputs = self._function(*self._inputs)
            self._graph = graph
        except RuntimeError as error:
            self._graph, self._inputs = False, ()
            warnings.warn(f"steps are not recorded on this device, and run as they are: {error}", stacklevel=2)
        self._restore()
