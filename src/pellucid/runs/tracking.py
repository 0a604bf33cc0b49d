"""Where a run's numbers go besides its folder: a table, TensorBoard, MLflow."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pellucid._arguments import path_of
from pellucid._modules import optional
from pellucid.errors import ConfigError
from pellucid.files.inside import Inside
from pellucid.runs.folder import MODEL_FILE
from pellucid.runs.record import settings_of

if TYPE_CHECKING:
    from pellucid.train import Listener, MLflow


class Tracking:
    """What was asked for; checked before anything is trained.

    Never in a run's record: whoever sends a run would choose what is written where when it is resumed.
    Errors: ConfigError for a package that is missing, a table that is no .csv, and where no MLflow answers.
    """

    def __init__(self, csv: str | Path | None, tensorboard: str | Path | None, mlflow: str | None) -> None:
        self.csv = None if csv is None else path_of(csv, "csv")
        self.tensorboard = None if tensorboard is None else path_of(tensorboard, "tensorboard")
        if self.csv is not None and self.csv.suffix.lower() != ".csv":
            raise ConfigError(f'csv="{csv}": expected a name that ends in .csv; rename it')
        if self.tensorboard is not None:
            optional("tensorboardX", "tensorboard", f'tensorboard="{tensorboard}"')
        self.mlflow: MLflow | None = None
        if mlflow is not None:
            from pellucid.train import MLflow

            self.mlflow = MLflow(mlflow)

    def listeners(self, folder: Inside, record: Mapping[str, Any]) -> list[Listener]:
        """Who writes there, for the run of this folder and record."""
        from pellucid.train import CsvLog, TensorBoard

        settings = {name: value for name, value in settings_of(record).items() if value not in (None, [], {})}
        name = folder.path.resolve().name
        found: list[Listener] = []
        if self.csv is not None:
            found.append(CsvLog(self.csv))
        if self.tensorboard is not None:
            found.append(TensorBoard(self.tensorboard / name, parameters=settings))
        if self.mlflow is not None:
            self.mlflow.name, self.mlflow.parameters = name, settings
            self.mlflow.files = ((folder / MODEL_FILE).path,)
            found.append(self.mlflow)
        return found
