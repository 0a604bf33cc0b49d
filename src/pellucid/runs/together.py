"""A run that several processes train: rank 0 keeps its folder, and what stands there is the same for all of them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import platform
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._text import printable
from pellucid.errors import PellucidError
from pellucid.files import tensor_file
from pellucid.files.inside import Inside
from pellucid.runs.folder import CHECKPOINTS, RUN_FILE, read_record
from pellucid.runs.record import installed_version
from pellucid.train.distributed import Processes, agree
from pellucid.train.gloo import join, started_together

if TYPE_CHECKING:
    from pellucid.model import Model
    from pellucid.train import Checkpoints, Examples, Saved, TrainConfig

SHARDS = 8
"""Of each batch, where torchrun has started this and nothing is said."""

OFTEN_S = 60.0
"""Seconds after which a checkpoint is due amid an epoch: among several machines one is lost more often."""

WAIT_S = 30.0
"""How long a folder may still be taken by a process whose torchrun was killed, until it has noticed."""


def usual_shards(engine: str) -> int:
    """How many a batch has where nothing is said: 1 in a single process; with engine torch one a process, for GPUs want
    large ones."""
    if not started_together():
        return 1
    return SHARDS if engine != "torch" else 1 << (join().world - 1).bit_length()


def begun_before(processes: Processes, out: Path | None, facts: dict[str, Any]) -> Path | None:
    """The folder of the run that this very command has begun, where torchrun starts it again; None where it has not.

    facts: what run.json will hold besides; the command is among it. Without `out`, only a run of this torchrun counts.
    """
    if not started_together():
        return None
    facts["launcher"] = f"{platform.node()} {os.getppid()}"
    found = ""
    for folder in [] if processes.rank else [out] if out else sorted(Path("runs").glob("*")):
        with contextlib.suppress(PellucidError):
            if (folder / RUN_FILE).is_file():
                record = read_record(folder)
                same = record.get("command") == facts["command"]
                if same and (out is not None or record.get("launcher") == facts["launcher"]):
                    found = str(folder)
    found = os.fsdecode(processes.share(os.fsencode(found)))
    return Path(found) if found else None


@contextlib.contextmanager
def locked(folder: Inside, processes: Processes) -> Iterator[Checkpoints | None]:
    """The checkpoints of a run, while no other training can write there; None in all processes but rank 0.

    Errors: CheckpointError, naming the process, if another training holds them.
    """
    from pellucid.train import Checkpoints

    if processes.rank:
        yield None
        return
    place = folder / CHECKPOINTS
    checkpoints = Checkpoints(place, every_s=OFTEN_S) if started_together() else Checkpoints(place)
    with checkpoints.locked(WAIT_S if started_together() else 0.0):
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
    network: Model,
    examples: tuple[Examples, Examples | None],
    config: TrainConfig,
    *,
    mixed: bool,
) -> None:
    """Compare between the processes all that decides the numbers. mixed: but the kernels.

    Errors: ConfigError, in all of them, naming what differs and where.
    """
    from pellucid import ops
    from pellucid.train.resume import settings_of

    if processes.world == 1:
        return
    backend = ops.backend()
    kernels = {"backend": backend.name, "instruction set": backend.instruction_set}
    agree(
        processes,
        {
            "version": installed_version(),
            **({} if mixed else kernels),
            "epochs": config.epochs,
            "patience": config.patience,
            **settings_of(network, *examples, config),
            "layers": network.facts().get("layers"),
            "weights at the start": hashlib.sha256(network.parameters.vector.data).hexdigest()[:16],
        },
        dict.fromkeys(kernels, ", or give mixed=True: then the last bits depend on who computes what"),
    )


def share_saved(processes: Processes, saved: Saved | None, record: Mapping[str, Any]) -> tuple[Saved, dict[str, Any]]:
    """Rank 0's checkpoint and run.json, for all. saved: None in the others."""
    from pellucid.train import Saved

    data = b""
    if processes.world == 1 and saved is not None:
        return saved, dict(record)
    if saved is not None:
        data = tensor_file.to_bytes(
            saved.tensors, {"path": printable(str(saved.path)), "record": dict(record), "facts": dict(saved.facts)}
        )
    tensors, given = tensor_file.from_bytes(processes.share(data))
    if saved is None:
        saved = Saved(Path(given["path"]), tensors, given["facts"])
    return saved, given["record"]
