"""Listeners that write elsewhere: a table of epochs, TensorBoard's files, MLflow's runs."""

from __future__ import annotations

import csv
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pellucid
from pellucid.errors import ConfigError
from pellucid.train import CsvLog, MLflow, Stop, TensorBoard
from pellucid.train.events import EpochEnded


def small() -> pellucid.Sequential:
    model = pellucid.Sequential([pellucid.Flatten(input_shape=(2, 2, 1)), pellucid.Dense(3, activation="softmax")])
    model.compile("sgd")
    return model


def fit(model: pellucid.Sequential, *listeners: Any, epochs: int = 3, resume: Path | None = None) -> Any:
    x = np.linspace(0, 1, 24, dtype=np.float32).reshape(6, 2, 2, 1)
    y = np.array([0, 1, 2] * 2)
    return model.fit(
        x, y, epochs=epochs, verbose=0, validation_data=(x, y), callbacks=list(listeners), doctor=False, resume=resume
    )


def table(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def after_two(event: object) -> Stop | None:
    return Stop("enough") if isinstance(event, EpochEnded) and event.epoch == 1 else None


def test_a_table_has_a_row_for_each_epoch(tmp_path: Path) -> None:
    history = fit(small(), CsvLog(tmp_path / "log.csv"))
    rows = table(tmp_path / "log.csv")
    assert [row["epoch"] for row in rows] == ["1", "2", "3"]
    assert [float(row["val_loss"]) for row in rows] == history["val_loss"]


def test_a_table_keeps_rows_where_it_is_asked_to(tmp_path: Path) -> None:
    for _ in range(2):
        fit(small(), CsvLog(tmp_path / "log.csv", append=True), epochs=2)
    assert [row["epoch"] for row in table(tmp_path / "log.csv")] == ["1", "2", "1", "2"]


def test_a_table_of_a_resumed_training_is_that_of_one_that_never_stopped(tmp_path: Path) -> None:
    fit(small(), CsvLog(tmp_path / "log.csv"), after_two, resume=tmp_path / "kept")
    assert len(table(tmp_path / "log.csv")) == 2
    history = fit(small(), CsvLog(tmp_path / "log.csv"), resume=tmp_path / "kept")
    rows = table(tmp_path / "log.csv")
    assert [float(row["loss"]) for row in rows] == history["loss"]


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    """What a folder's event files hold, read by their format: length, its checksum, the message, its checksum."""
    event_pb2 = pytest.importorskip("tensorboardX.proto.event_pb2")
    found = {}
    for file in sorted(folder.iterdir()):
        data, place = file.read_bytes(), 0
        while place < len(data):
            (length,) = struct.unpack_from("<Q", data, place)
            event = event_pb2.Event.FromString(data[place + 12 : place + 12 + length])
            found |= {(value.tag, event.step): value.simple_value for value in event.summary.value}
            place += length + 16
    return found


def test_tensorboard_reads_the_curves(tmp_path: Path) -> None:
    pytest.importorskip("tensorboardX", reason="needs tensorboardX")
    history = fit(small(), TensorBoard(tmp_path, histogram_freq=2, parameters={"epochs": 3}))
    train, held = scalars(tmp_path / "train"), scalars(tmp_path / "validation")
    for epoch in range(3):
        assert train["epoch_loss", epoch] == pytest.approx(history["loss"][epoch])
        assert held["epoch_loss", epoch] == pytest.approx(history["val_loss"][epoch])
    assert {step for tag, step in train if tag == "dense/kernel"} == {0, 2}


@pytest.mark.filterwarnings("ignore::Warning")  # of MLflow's own
def test_mlflow_has_parameters_curves_and_the_model(tmp_path: Path) -> None:
    pytest.importorskip("sqlalchemy", reason="needs SQLAlchemy for a database in a file")
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow")
    uri = f"sqlite:///{tmp_path}/runs.db"
    client = mlflow.MlflowClient(tracking_uri=uri)
    number = client.create_experiment("tried", artifact_location=str(tmp_path / "files"))
    fit(small(), MLflow(uri, name="first", experiment="tried"), after_two, resume=tmp_path / "kept")
    history = fit(small(), MLflow(uri, experiment="tried", parameters={"colour": "red"}), resume=tmp_path / "kept")
    (run,) = client.search_runs([number])  # the resumed training went on with it
    assert run.info.run_name == "first" and run.info.status == "FINISHED"
    assert run.data.params["batch_size"] == "32" and run.data.tags["ended"] == "all epochs done"
    points = client.get_metric_history(run.info.run_id, "val_loss")
    assert [(point.step, point.value) for point in points] == list(enumerate(history["val_loss"], 1))
    file = tmp_path / "files" / run.info.run_id / "artifacts" / "model.safetensors"
    assert pellucid.load(file).predict(np.zeros((1, 2, 2, 1), np.float32), verbose=0).shape == (1, 3)


def test_what_cannot_be_written_is_said_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ConfigError, match=r"ends in \.csv"):
        pellucid.train_run(csv=tmp_path / "log.txt", out=tmp_path / "run", verbose=0)
    monkeypatch.setitem(__import__("sys").modules, "tensorboardX", None)
    with pytest.raises(ConfigError, match=r"pip install 'pellucid\[tensorboard\]'"):
        pellucid.train_run(tensorboard=tmp_path / "tb", out=tmp_path / "run", verbose=0)
    with pytest.raises(ConfigError, match="sqlite:///FILE"):
        MLflow(str(tmp_path))
    assert not (tmp_path / "run").exists()


def test_a_run_writes_where_it_is_asked_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tensorboardX", reason="needs tensorboardX")
    for name in ("draw", "report"):  # which take longer
        monkeypatch.setattr(f"pellucid.runs.run.{name}", lambda *_: None)
    out, board = tmp_path / "first", tmp_path / "board"
    pellucid.train_run(
        epochs=1, limit=32, test_limit=16, verbose=0, out=out, csv=tmp_path / "log.csv", tensorboard=board
    )
    assert len(table(tmp_path / "log.csv")) == 1
    assert ("epoch_loss", 0) in scalars(board / "first" / "train")
    pellucid.resume_run(out, 2, verbose=0, csv=tmp_path / "log.csv")
    assert len(table(tmp_path / "log.csv")) == 2
