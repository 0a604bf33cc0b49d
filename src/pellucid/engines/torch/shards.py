"""A batch in shards: gradients and running numbers added up on the device, over processes as PyTorch does it."""

from __future__ import annotations

import atexit
import functools
import inspect
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn.parallel import DistributedDataParallel

from pellucid.engines.torch.device import Device
from pellucid.engines.torch.network import Network

_TAKEN = inspect.signature(DistributedDataParallel).parameters
BUFFERS = next(name for name in ("forward_sync_buffers", "broadcast_buffers") if name in _TAKEN)
"""What it calls the sending of rank 0's running numbers in each pass, since PyTorch 2.13 and before."""


class Shards:
    """What sums the shards of batches. All processes make one, and meet in each batch's last shard of theirs.

    module: the network, whose gradients are the mean over the processes after that shard's way back.
    """

    def __init__(self, network: Network, device: Device) -> None:
        self._group = _group(device.backend) if _num_processes() > 1 else None
        self.factor = _num_processes()
        """On a shard's share of the batch, so that the mean over processes is a sum."""
        self._network, self.module = network, network
        if self._group is not None:  # all begin alike, which was compared; each shard has batch norms of its own
            how: dict[str, Any] = {"init_sync": False, BUFFERS: False, "process_group": self._group}
            self.module = DistributedDataParallel(network, **how)
        self._state: Tensor | None = None

    @property
    def many(self) -> bool:
        """Whether there are other processes, for which a process without pictures goes there and back, too."""
        return self._group is not None

    def summing(self, last: bool) -> AbstractContextManager[Any]:
        """Within it a shard goes there and back; the last one's way back sums over the processes."""
        return nullcontext() if last or self._group is None else self.module.no_sync()

    def add_state(self, share: float) -> None:
        """Count the running numbers that the last pass would leave by its share of the batch."""
        passed = self._network.passed
        if passed:
            flat = share * torch.cat(passed)
            self._state = flat if self._state is None else self._state.add_(flat)

    def end(self) -> None:
        """The network's running numbers of this batch become those of all shards; see `Network.apply_state`."""
        state, self._state = self._state, None
        if state is not None:
            if self._group is not None:
                distributed.all_reduce(state, group=self._group)
            self._network.passed = state.split([len(each) for each in self._network.passed])


def _num_processes() -> int:
    """Those that have joined."""
    there = distributed.is_available() and distributed.is_initialized()
    return distributed.get_world_size() if there else 1


@functools.cache
def _group(backend: str) -> Any:
    """All processes, joined by this backend."""
    atexit.register(_group.cache_clear)  # before the process leaves the group, which ends when nobody holds it
    joined = distributed.group.WORLD
    return joined if distributed.get_backend(joined) == backend else distributed.new_group(backend=backend)
