"""What can be taken along: the model file, the same as ONNX, the program that makes it, the curves; each a download."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from dataclasses import dataclass

from pellucid.export import onnx
from pellucid.lab.curve import COLUMNS
from pellucid.lab.session import Session
from pellucid.model.file import to_bytes


@dataclass(frozen=True)
class Export:
    """A file: how its name ends, what it is, how it is made, and whether it is for whoever steers alone."""

    ending: str
    kind: str
    make: Callable[[Session], bytes]
    owner: bool = False

    def name(self, session: Session) -> str:
        """What the file is called where it is kept."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{session.model.name}-{session.dataset.name}").strip("-.") or "model"
        return f"{plain[:80]}.{self.ending}"


def _model(session: Session) -> bytes:
    return to_bytes(session.model)


def _onnx(session: Session) -> bytes:
    return onnx.to_bytes(session.model)


def _program(session: Session) -> bytes:
    return session.program().encode()


def _curves(session: Session) -> bytes:
    text = io.StringIO(newline="")
    table = csv.writer(text, lineterminator="\n")
    table.writerow(COLUMNS.values())
    table.writerows([point.get(name, "") for name in COLUMNS] for point in session.curve.whole()["points"])
    return text.getvalue().encode()


EXPORTS = {
    "model.safetensors": Export("safetensors", "application/octet-stream", _model, owner=True),
    "network.onnx": Export("onnx", "application/octet-stream", _onnx, owner=True),
    "program.py": Export("py", "text/x-python", _program),
    "curves.csv": Export("csv", "text/csv", _curves),
}
"""By what they are called in an address."""
