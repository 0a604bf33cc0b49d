"""Where others keep experiments: listeners that write to TensorBoard and to MLflow. `log.CsvLog` writes a table."""

from __future__ import annotations

import os
import tempfile
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pellucid._arguments import path_of, word
from pellucid._modules import optional
from pellucid.errors import ConfigError, shown
from pellucid.ops.geometry import Array, whole
from pellucid.train.events import EpochEnded, Event, TrainingEnded, TrainingStarted
from pellucid.train.trainable import Trainable

TRAIN, VALIDATION = "train", "validation"
"""TensorBoard's sub-folders, as Keras names them: its page draws both curves in one chart."""

EXPERIMENT = "pellucid"
"""MLflow's experiment, unless MLFLOW_EXPERIMENT_NAME has another."""

MLFLOW_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
}
"""Nothing is told to third parties, and a server that is not there is said within seconds; unless set otherwise."""


class TensorBoard:
    """Writes each epoch's numbers for TensorBoard: LOG_DIR/train and LOG_DIR/validation, as Keras's callback does.

    log_dir: a folder, made where there is none. histogram_freq: every so many epochs the weights' histograms; 0: never.
    parameters: what made the run, by name, shown as a text.
    Errors: ConfigError where tensorboardX is not installed.
    """

    every_batch, writes = False, True

    def __init__(
        self, log_dir: str | Path = "logs", *, histogram_freq: int = 0, parameters: Mapping[str, Any] | None = None
    ) -> None:
        self._writer_of = optional("tensorboardX", "tensorboard", "TensorBoard").SummaryWriter
        self._folder = path_of(log_dir, "log_dir")
        self._frequency = whole(histogram_freq, "histogram_freq", least=0)
        self._parameters = dict(parameters or {})
        self._writers: dict[str, Any] = {}
        self._model: Trainable | None = None
        self._first = 0

    def __call__(self, event: Event) -> None:
        match event:
            case TrainingStarted():
                self._model, self._first = event.model, event.first_epoch
                if self._parameters:
                    table = "\n".join(f"    {name}: {value}" for name, value in self._parameters.items())
                    self._writer(TRAIN).add_text("parameters", table, event.first_epoch)
            case EpochEnded():
                for name, value in {**event.logs, "learning_rate": event.learning_rate}.items():
                    part = VALIDATION if name.startswith("val_") else TRAIN
                    self._writer(part).add_scalar(f"epoch_{name.removeprefix('val_')}", value, event.epoch)
                if self._frequency and event.epoch % self._frequency == 0 and self._model is not None:
                    for layer in self._model.flat_layers:
                        for name, array in layer.params.items():
                            self._writer(TRAIN).add_histogram(f"{layer.name}/{name}", np.asarray(array), event.epoch)
                for writer in self._writers.values():
                    writer.flush()
            case TrainingEnded():
                for writer in self._writers.values():
                    writer.close()
                self._writers, self._model = {}, None

    def _writer(self, part: str) -> Any:
        """The writer of a part's file; what a stopped run wrote there after its checkpoint is no longer shown."""
        if part not in self._writers:
            purge = {"purge_step": self._first} if self._first else {}
            self._writers[part] = self._writer_of(str(self._folder / part), **purge)
        return self._writers[part]


class MLflow:
    """Keeps a training as a run of MLflow: parameters, the numbers of each epoch, and the model's file at the end.

    uri: of the server, http://HOST:PORT, or of a database, sqlite:///FILE.db. name: of the run.
    experiment: None for MLFLOW_EXPERIMENT_NAME, or else "pellucid". parameters: what made it, by name. files: what is
    kept at the end; by default the model as the last epoch left it.
    A resumed training goes on with its run. A server that is lost amid training is warned of, and training goes on.
    Errors: ConfigError where MLflow is not installed, or where nobody answers at the start.
    """

    every_batch, writes = False, True

    def __init__(
        self,
        uri: str,
        *,
        name: str | None = None,
        experiment: str | None = None,
        parameters: Mapping[str, Any] | None = None,
        files: Sequence[Path] = (),
    ) -> None:
        for variable, value in MLFLOW_SETTINGS.items():
            os.environ.setdefault(variable, value)
        if "://" not in word(uri, "uri"):
            raise ConfigError(f"MLflow's uri must be as http://HOST:PORT or sqlite:///FILE.db, got {shown(uri)}")
        optional("mlflow", "mlflow", "MLflow")
        from mlflow import MlflowClient

        self.name, self.parameters, self.files = name, dict(parameters or {}), tuple(files)
        self._uri, self._run = uri, ""
        self._model: Trainable | None = None
        experiment = experiment or os.environ.get("MLFLOW_EXPERIMENT_NAME") or EXPERIMENT
        try:
            self._client: Any = MlflowClient(tracking_uri=uri)
            found = self._client.get_experiment_by_name(experiment)
            self._number = found.experiment_id if found else self._client.create_experiment(experiment)
        except Exception as error:  # of the server's client, or of its database
            raise ConfigError(f"MLflow at {uri} does not answer: {_said(error)}; is the address right?") from error

    def __call__(self, event: Event) -> None:
        if not isinstance(event, TrainingStarted | EpochEnded | TrainingEnded) or self._client is None:
            return
        try:
            match event:
                case TrainingStarted():
                    self._start(event)
                case EpochEnded():
                    self._epoch(event)
                case TrainingEnded():
                    self._end(event)
        except Exception as error:  # whatever the server's client raises, training is worth more
            self._client = None
            lost = f"MLflow at {self._uri} is lost, training goes on without it"
            warnings.warn(f"{lost}: {_said(error)}", stacklevel=2)

    def state(self) -> Mapping[str, Array]:
        """The run's number at the server."""
        return {"run": np.frombuffer(self._run.encode(), np.uint8)}

    def resume(self, state: Mapping[str, Array]) -> None:
        """Go on with that run."""
        self._run = bytes(state["run"]).decode()

    def _start(self, event: TrainingStarted) -> None:
        self._model = event.model
        if self._run and (event.first_epoch or event.first_batch):
            self._client.update_run(self._run, status="RUNNING")
            return
        self._run = self._client.create_run(self._number, run_name=self.name).info.run_id
        own = {"network": event.model.name, "samples": event.num_samples, "batch_size": event.batch_size}
        for name, value in {**own, **self.parameters}.items():
            self._client.log_param(self._run, name, value)

    def _epoch(self, event: EpochEnded) -> None:
        for name, value in {**event.logs, "learning_rate": event.learning_rate}.items():
            self._client.log_metric(self._run, name, float(value), step=event.epoch + 1)

    def _end(self, event: TrainingEnded) -> None:
        with tempfile.TemporaryDirectory() as folder:
            files = [file for file in self.files if file.is_file()]
            if not self.files and self._model is not None:
                files = [Path(folder) / "model.safetensors"]
                self._model.save(files[0])
            for file in files:
                self._client.log_artifact(self._run, str(file))
        self._client.set_tag(self._run, "ended", event.reason)
        self._client.set_terminated(self._run, "KILLED" if event.reason == "interrupted" else "FINISHED")
        self._model = None


def _said(error: BaseException) -> str:
    """What was wrong at first, in a line."""
    while (cause := error.__cause__ or error.__context__) is not None:
        error = cause
    return " ".join(str(error).split())[:200] or type(error).__name__
