"""What processes that train together compare and share before they begin: rank 0 alone has files, all have numbers."""

from __future__ import annotations

import contextlib
import hashlib
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from pellucid import ops
from pellucid._modules import installed_version
from pellucid._text import printable
from pellucid.files import tensor_file
from pellucid.files.inside import Place
from pellucid.layers.parameters import FlatParameters
from pellucid.ops.geometry import Array
from pellucid.train.checkpoints import Checkpoints, Saved
from pellucid.train.config import TrainConfig
from pellucid.train.distributed import Processes, agree, merge
from pellucid.train.examples import Examples
from pellucid.train.gloo import join, sharing, started_together
from pellucid.train.resume import other_backend, settings_of
from pellucid.train.trainable import Trainable
from pellucid.train.trainer import Trainer

SHARDS = 8
"""Of each batch, where torchrun has started this and nothing is said."""

OFTEN_S = 60.0
"""Seconds after which a checkpoint is due amid an epoch: among several machines one is lost more often."""

WAIT_S = 30.0
"""How long a folder may still be taken by a process whose torchrun was killed, until it has noticed."""


def usual_shards(engine: str | None) -> int:
    """How many a batch has where nothing is said: 1 in a single process; with engine torch one a process, for GPUs want
    large ones."""
    if not started_together():
        return 1
    return SHARDS if engine != "torch" else 1 << (join().world - 1).bit_length()


@contextlib.contextmanager
def locked(place: Place, processes: Processes) -> Iterator[Checkpoints | None]:
    """The checkpoints in a folder, while no other training can write there; None in all processes but rank 0.

    Errors: CheckpointError, naming the process, if another training holds them.
    """
    if processes.rank:
        yield None
        return
    together = started_together()
    checkpoints = Checkpoints(place, every_s=OFTEN_S) if together else Checkpoints(place)
    with checkpoints.locked(WAIT_S if together else 0.0):
        yield checkpoints


@contextlib.contextmanager
def first_on_each_machine(processes: Processes) -> Iterator[None]:
    """The block runs in one process of each machine, then in the others: these find read what that one has read."""
    first = os.environ.get("LOCAL_RANK", "0") == "0"
    if not first:
        processes.gather("")
    yield
    if first:
        processes.gather("")


def agree_on(
    processes: Processes,
    network: Trainable,
    examples: tuple[Examples, Examples | None],
    config: TrainConfig,
    *,
    mixed: bool = False,
) -> None:
    """Compare between the processes all that decides the numbers. mixed: but the kernels.

    Errors: ConfigError, in all of them, naming what differs and where.
    """
    if processes.world == 1:
        return
    backend = ops.backend()
    kernels = {"backend": backend.name, "instruction set": backend.instruction_set}
    agree(
        processes,
        {
            **_of_call("fit"),
            **({} if mixed else kernels),
            "epochs": config.epochs,
            "patience": config.patience,
            **settings_of(network, *examples, config),
            "layers": network.facts().get("layers"),
            "weights at the start": _weights(network.parameters),
        },
        {**dict.fromkeys(kernels, ", or give mixed=True: then the last bits depend on who computes what"), **CALLS},
    )


def agree_on_call(call: str, parameters: FlatParameters, pictures: Callable[[], str], batch_size: int) -> Processes:
    """The processes that share a call of `evaluate` or `predict`, which they have compared.

    pictures: a text by which they are known. Errors: ConfigError, in all of them, naming what differs and where.
    """
    processes = sharing()
    if processes.world > 1:
        facts = {"batch size": batch_size, "pictures": pictures(), "weights": _weights(parameters)}
        agree(processes, {**_of_call(call), **facts}, CALLS)
    return processes


def answers_of_all(
    processes: Processes, count: int, batch_size: int, answer: Callable[[slice], Any]
) -> Array | list[Array]:
    """Answers for pictures in batches, of which each process takes its turns; several outputs as a list.

    answer: gives those for the pictures of a batch. Shapes: (count, ...) float32 each.
    """
    starts = range(processes.rank * batch_size, count, processes.world * batch_size)
    places = [slice(start, start + batch_size) for start in starts]
    whole: list[Array] = []
    for place in places or [slice(1)]:  # who has no batch learns the shapes from one picture
        given = answer(place)
        given = given if isinstance(given, list) else [given]
        whole = whole or [np.zeros((count, *array.shape[1:]), np.float32) for array in given]
        for array, rows in zip(whole, given if places else (), strict=bool(places)):
            array[place] = rows
    for array in whole:
        merge(processes, array)
    return whole[0] if len(whole) == 1 else whole


CALLS = {"call": ": under torchrun each process calls fit, evaluate and predict as the others do"}


def _of_call(call: str) -> dict[str, str]:
    return {"call": call, "version": installed_version()}


def _weights(parameters: FlatParameters) -> str:
    return hashlib.sha256(parameters.vector.data).hexdigest()[:16]


def share_saved(
    processes: Processes, saved: Saved | None, record: Mapping[str, Any]
) -> tuple[Saved | None, dict[str, Any]]:
    """Rank 0's checkpoint, None where there is none, and what goes with it, for all."""
    if processes.world == 1:
        return saved, dict(record)
    data = b""
    if saved is not None:
        data = tensor_file.to_bytes(
            saved.tensors, {"path": printable(str(saved.path)), "record": dict(record), "facts": dict(saved.facts)}
        )
    data = processes.share(data)
    if not data or saved is not None:
        return saved, dict(record)
    tensors, given = tensor_file.from_bytes(data)
    return Saved(Path(given["path"]), tensors, given["facts"]), given["record"]


def go_on(trainer: Trainer, checkpoints: Checkpoints | None, processes: Processes) -> None:
    """Let a training begin at the newest whole checkpoint, if there is one.

    checkpoints: None in all processes but rank 0. Errors: ConfigError if the training there is another one.
    """
    saved, _ = share_saved(processes, None if checkpoints is None else checkpoints.newest(_warn), {})
    if saved is not None:
        trainer.resume(saved)
        difference = other_backend(saved)
        if difference:
            _warn(difference)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=4)
