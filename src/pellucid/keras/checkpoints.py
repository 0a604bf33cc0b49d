"""TensorFlow's checkpoints: the variables of what a program names, in a .safetensors file beside the name it gives."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from pellucid._arguments import path_of
from pellucid.autodiff import Variable
from pellucid.errors import CheckpointError, ConfigError, shown
from pellucid.files import tensor_file
from pellucid.files.atomic import make_folder
from pellucid.optimizers import Optimizer

__all__ = ["Checkpoint", "CheckpointManager", "latest_checkpoint"]

ENDING = ".safetensors"
KIND = "variables"
ENDINGS = ("", ".ckpt", ".tf")
"""Of the names that TensorFlow 2 takes for a checkpoint; an epoch's loss, as in w.03-0.25, is no ending."""


def is_checkpoint(path: Path) -> bool:
    """Whether TensorFlow writes a checkpoint where it is given this name for weights."""
    return path.suffix.lower() in ENDINGS or path.suffix[1:].isdigit()


def beside(prefix: Any) -> Path:
    """The file of the checkpoint of this name. Errors: ConfigError for no path."""
    named = path_of(prefix, "checkpoint")
    return named.with_name(named.name + ENDING)


class Checkpoint:
    """Models, layers and variables by name. Optimizers may be named; their moments begin anew, which is said.

    Errors: ConfigError for what has no variables.
    """

    def __init__(self, root: Any = None, **objects: Any) -> None:
        self._objects = {**({} if root is None else {"root": root}), **objects}
        self._saved = 0
        for name, value in self._objects.items():
            setattr(self, name, value)
            if not isinstance(value, Variable | Optimizer) and not hasattr(value, "variables"):
                raise ConfigError(f"Checkpoint: {name} has no variables, got {shown(value)}")

    def _variables(self) -> dict[str, Variable]:
        found = {}
        for name, value in self._objects.items():
            if isinstance(value, Optimizer):
                continue
            each = [value] if isinstance(value, Variable) else list(value.variables)
            found.update({f"{name}/{number}": variable for number, variable in enumerate(each)})
        return found

    def write(self, file_prefix: Any) -> str:
        """Write it under this name. Errors: CheckpointError where there is no variable yet."""
        arrays = {name: variable.numpy() for name, variable in self._variables().items()}
        if not arrays:
            raise CheckpointError("Checkpoint: nothing has weights yet; call the models on a batch first")
        path = beside(file_prefix)
        make_folder(path.parent)
        tensor_file.write(path, arrays, {"kind": KIND})
        return str(file_prefix)

    def save(self, file_prefix: Any, **_: Any) -> str:
        """The same with a number behind the name, higher each time."""
        self._saved += 1
        return self.write(f"{file_prefix}-{self._saved}")

    def restore(self, save_path: Any) -> Checkpoint:
        """Read it back; nothing where save_path is None, as `latest_checkpoint` gives it.

        Errors: CheckpointError for a file that is none, or is of other variables.
        """
        if save_path is None:
            return self
        path = beside(save_path)
        arrays, _ = tensor_file.read(path)
        own = self._variables()
        if {name: array.shape for name, array in arrays.items()} != {name: own[name].shape for name in own}:
            raise CheckpointError(f"{path}: holds other variables than these; call the models on a batch first")
        for name, variable in own.items():
            variable.assign(arrays[name])
        self._saved = max(self._saved, _number(path))
        return self

    read = restore

    def expect_partial(self) -> Checkpoint:
        """Itself: what is restored is always whole."""
        return self

    assert_consumed = assert_existing_objects_matched = expect_partial


class CheckpointManager:
    """Numbered checkpoints in a folder, of which the last few are kept."""

    def __init__(
        self, checkpoint: Checkpoint, directory: Any, max_to_keep: int | None = 5, checkpoint_name: str = "ckpt",
        **_: Any,
    ) -> None:  # fmt: skip
        self.checkpoint, self.directory, self._keep = checkpoint, path_of(directory, "directory"), max_to_keep
        self._name = checkpoint_name

    @property
    def checkpoints(self) -> list[str]:
        """Those there are, the oldest first."""
        return _numbered(self.directory, f"{self._name}-*")

    @property
    def latest_checkpoint(self) -> str | None:
        """The last one; None where there is none."""
        return next(reversed(self.checkpoints), None)

    def save(self, checkpoint_number: Any = None, **_: Any) -> str:
        """Write one more, and let go of those beyond max_to_keep."""
        before = _number(Path(f"{self.latest_checkpoint}{ENDING}")) if self.latest_checkpoint else 0
        number = before + 1 if checkpoint_number is None else int(checkpoint_number)
        path = self.checkpoint.write(self.directory / f"{self._name}-{number}")
        if self._keep is not None:
            for old in self.checkpoints[: -self._keep]:
                Path(old + ENDING).unlink(missing_ok=True)
        return path


def latest_checkpoint(checkpoint_dir: Any, latest_filename: Any = None) -> str | None:
    """The checkpoint of the highest number in a folder, or its one without; None where there is none."""
    return next(reversed(_numbered(path_of(checkpoint_dir, "checkpoint_dir"), "*")), None)


def _numbered(folder: Path, name: str) -> list[str]:
    found = [path for path in folder.glob(f"{name}{ENDING}") if _number(path) or path.stem.endswith(ENDINGS[1:])]
    return [str(path)[: -len(ENDING)] for path in sorted(found, key=_number)]


def _number(path: Path) -> int:
    number = re.search(r"-(\d+)(\.\w+)?$", path.name[: -len(ENDING)])
    return int(number[1]) if number else 0
