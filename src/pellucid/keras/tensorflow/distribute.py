"""Training on several devices, by TensorFlow's names: here is one, so a strategy has one replica, this process.

`torchrun -m pellucid train` trains on many machines.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from pellucid.errors import ConfigError
from pellucid.keras.tensorflow.math import reduce_mean, reduce_sum

__all__ = [
    "InputContext", "MirroredStrategy", "OneDeviceStrategy", "ReduceOp", "Strategy", "cluster_resolver",
    "get_strategy", "has_strategy",
]  # fmt: skip


class ReduceOp:
    """What becomes of the values of all replicas."""

    SUM, MEAN = "SUM", "MEAN"


class InputContext:
    """Which part of the data a process reads: all."""

    num_input_pipelines, input_pipeline_id, num_replicas_in_sync = 1, 0, 1

    def get_per_replica_batch_size(self, global_batch_size: int) -> int:
        """The whole batch."""
        return global_batch_size


class Strategy:
    """One replica: what runs on it runs here. devices and cross_device_ops change nothing."""

    num_replicas_in_sync = 1

    def __init__(self, devices: Any = None, cross_device_ops: Any = None) -> None: ...

    def scope(self) -> AbstractContextManager[Strategy]:
        """A block in which models are made and compiled."""
        return nullcontext(self)

    def run(self, fn: Callable[..., Any], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        """What a function gives."""
        return fn(*args, **(kwargs or {}))

    def reduce(self, reduce_op: Any, value: Any, axis: int | None = None) -> Any:
        """The value; with an axis its sum, or mean, along that.

        Errors: ConfigError for another operation.
        """
        word = str(getattr(reduce_op, "name", reduce_op)).upper()
        if word not in (ReduceOp.SUM, ReduceOp.MEAN):
            raise ConfigError(f"Strategy.reduce: reduce_op must be SUM or MEAN, got {reduce_op!r}")
        return value if axis is None else (reduce_sum if word == ReduceOp.SUM else reduce_mean)(value, axis=axis)

    def experimental_distribute_dataset(self, dataset: Any, options: Any = None) -> Any:
        """The data set as it is."""
        return dataset

    def distribute_datasets_from_function(self, dataset_fn: Callable[[InputContext], Any], options: Any = None) -> Any:
        """The data set that a function makes."""
        return dataset_fn(InputContext())

    def experimental_local_results(self, value: Any) -> tuple[Any, ...]:
        """The values of the replicas here."""
        return (value,)

    def gather(self, value: Any, axis: int) -> Any:
        """The value."""
        return value


MirroredStrategy = OneDeviceStrategy = Strategy


def get_strategy() -> Strategy:
    """The one there is."""
    return Strategy()


def has_strategy() -> bool:
    """False: a strategy's block is as any other."""
    return False


class cluster_resolver:
    """Finds machines."""

    @staticmethod
    def TPUClusterResolver(*args: Any, **kwargs: Any) -> Any:
        """Errors: ConfigError, which is a ValueError, as where TensorFlow finds none."""
        raise ConfigError("TPUClusterResolver: there is no TPU here; get_strategy() trains on the processor")
