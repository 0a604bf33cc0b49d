"""A run of several processes: which folder it has begun where torchrun starts it again, and its models for all."""

from __future__ import annotations

import contextlib
import os
import platform
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid.errors import PellucidError
from pellucid.files.inside import Place, reading
from pellucid.runs.folder import RUN_FILE, read_record
from pellucid.train.distributed import Processes
from pellucid.train.gloo import started_together

if TYPE_CHECKING:
    from pellucid.model import Model


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


def load_for_all(processes: Processes, file: Place) -> Model:
    """The model in a file that rank 0 alone has."""
    from pellucid.model.file import from_bytes, load

    if processes.world == 1:
        return load(file)
    data = b""
    if not processes.rank:
        with reading(file) as opened:
            data = opened.read()
    return from_bytes(processes.share(data))
