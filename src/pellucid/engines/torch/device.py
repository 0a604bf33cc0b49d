"""Where PyTorch computes, and how precisely."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor

from pellucid import ops
from pellucid.engines.torch.network import Network
from pellucid.engines.torch.replay import Fused
from pellucid.errors import ConfigError
from pellucid.ops.geometry import Array


class Device:
    """A device by name, with a precision. Errors: ConfigError for one that this machine has not."""

    def __init__(self, name: str, precision: str) -> None:
        there = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
        if not there[name]:
            others = ", ".join(other for other, found in there.items() if found)
            raise ConfigError(f"device={name!r}: PyTorch {torch.__version__} finds none here; there is {others}")
        if (name, precision) == ("mps", "float64"):
            raise ConfigError("device='mps', precision='float64': such a device has no float64; take device='cpu'")
        local, beside = int(os.environ.get("LOCAL_RANK", 0)), int(os.environ.get("LOCAL_WORLD_SIZE", 1))
        gpus = torch.cuda.device_count() if name == "cuda" else 1
        if name != "cpu" and beside > gpus:
            raise ConfigError(
                f"device={name!r}: {beside} processes on this machine, and each takes a GPU of its own, of which there "
                f"{'is 1' if gpus == 1 else f'are {gpus}'}; give torchrun --nproc-per-node {gpus}"
            )
        number = local if name == "cuda" else None
        self.torch, self._precision = torch.device(name, number), getattr(torch, precision)
        self.dtype = torch.float64 if precision == "float64" else torch.float32
        """Of weights, moments and losses."""
        self.records = name == "cuda"
        """Whether steps may be recorded, see `replay`."""
        self.backend = "nccl" if name == "cuda" else "gloo"
        """What sums over processes, by PyTorch's name."""
        self.copies = name != "cpu"
        """Whether what is sent is a copy, and the array free again."""
        self.control = torch.float32 if name == "mps" else torch.float64
        """Of learning rate and step as tensors."""
        self._side = torch.cuda.Stream(number) if name == "cuda" else None
        seeds = {"cpu": torch.default_generator, "cuda": torch.cuda, "mps": torch.mps}
        self.seed: Callable[[int], object] = seeds[name].manual_seed
        """Of what is drawn there; `torch.manual_seed` goes through all devices, which takes half a millisecond."""
        if name == "cpu":
            torch.set_num_threads(ops.num_threads())
        elif name == "cuda":
            torch.backends.cudnn.benchmark = True
            torch.cuda.set_device(self.torch)

    def __str__(self) -> str:
        name = torch.cuda.get_device_name(self.torch) if self.torch.type == "cuda" else self.torch.type
        return f"PyTorch {torch.__version__} on {name}, {str(self._precision).removeprefix('torch.')}"

    def place(self, network: Network) -> Network:
        """The module there, kernels with the channels last."""
        network.to(self.torch, self.dtype)
        return network

    @contextmanager
    def between(self) -> Iterator[None]:
        """Within it our kernels run between PyTorch's: on the CPU in one thread, since its others spin for a while and
        would be waited for, which takes three times as long."""
        threads = ops.num_threads()
        if self.torch.type != "cpu" or threads == 1:
            yield
            return
        ops.set_num_threads(1)
        try:
            yield
        finally:
            ops.set_num_threads(threads)

    def buffer(self, array: Array) -> Array:
        """One of the same shape that a GPU reads by itself, out of pinned memory; elsewhere the array itself."""
        if self._side is None:
            return array
        pinned: Array = torch.empty(array.shape, dtype=torch.from_numpy(array).dtype, pin_memory=True).numpy()
        return pinned

    def send(self, array: Array) -> Tensor:
        """An array there, of a buffer without waiting; on the CPU, in float32, the array itself."""
        tensor = torch.from_numpy(array)
        dtype = self.dtype if tensor.is_floating_point() else tensor.dtype
        return tensor.to(self.torch, dtype, non_blocking=self._side is not None)

    def beside(self) -> AbstractContextManager[Any]:
        """Within it arrays are sent while the device computes; see `arrive`."""
        return nullcontext() if self._side is None else torch.cuda.stream(self._side)

    def arrive(self) -> None:
        """Wait until what was sent beside a computation is there, and its buffers are free again."""
        if self._side is not None:
            self._side.synchronize()

    def fused(self, formula: Callable[..., None]) -> Callable[..., None]:
        """A formula of vectors as one kernel, on a GPU."""
        return formula if self._side is None else Fused(formula)

    def precision(self) -> AbstractContextManager[Any]:
        """Within it layers compute so; weights stay as `dtype` says."""
        lower = self._precision != self.dtype
        context: AbstractContextManager[Any] = torch.autocast(self.torch.type, self._precision, enabled=lower)
        return context
