"""Progress: a bar on a terminal, plain lines anywhere else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from small_model import compiled, pictures, small

from pellucid.errors import DivergedError
from pellucid.train import (
    BatchEnded,
    Diagnosed,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Progress,
    TrainingEnded,
    TrainingStarted,
)


def epochs_on(file: io.StringIO, seconds: list[float], monkeypatch: pytest.MonkeyPatch, bar: bool = True) -> str:
    """One epoch of three batches, at these moments on the clock."""
    clock = iter(seconds)
    monkeypatch.setattr("pellucid.train.listeners.time.perf_counter", lambda: next(clock))
    with Progress(file, bar=bar) as progress:
        progress(TrainingStarted(0, 2, 3, 30, 5, 10, small()))
        progress(EpochStarted(0))
        for batch in range(3):
            progress(BatchEnded(0, batch, batch, 10, {"loss": 0.5, "accuracy": 0.25}))
        progress(EvaluationStarted(0, 5))
        progress(EpochEnded(0, {"loss": 0.5, "accuracy": 0.25, "val_loss": 0.75}, 0.1, 30.0, 1.0, True))
        progress(TrainingEnded("enough", 1, 0))
    return file.getvalue()


def test_plain_lines_where_the_output_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    printed = epochs_on(io.StringIO(), [100, 100, 120, 140, 160], monkeypatch)
    assert "\x1b" not in printed and "\r" not in printed
    lines = printed.splitlines()
    # 10 pictures in 20 s; one of six steps done in 20 s leaves 100 s
    assert lines[0] == "epoch 1/2  batch 1/3  loss 0.5000  accuracy 25.00%  0 images/s  1:40 left"
    assert lines[1].startswith("epoch 1/2  batch 2/3")
    assert lines[2].split() == ["epoch", "loss", "accuracy", "val", "loss", "images/s", "time"]
    assert lines[3].split()[:4] == ["1/2", "0.5000", "25.00%", "0.7500"]
    assert lines[4] == "stopped after epoch 1: enough" and len(lines) == 5
    assert all(len(line) <= 80 for line in lines)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_bar_where_the_output_is_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.delenv("NO_COLOR", raising=False)
    file = Terminal()
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1.0
        return clock[0]

    monkeypatch.setattr("pellucid.train.listeners.time.perf_counter", tick)
    monkeypatch.setattr("pellucid.train.listeners.REDRAW_S", 0.0)
    with Progress(file) as progress:
        progress(TrainingStarted(0, 2, 3, 30, 5, 10, small()))
        progress(EpochStarted(0))
        for batch in range(2):
            progress(BatchEnded(0, batch, batch, 10, {"loss": 0.5, "accuracy": 0.25}))
        assert progress._bar is not None
        progress._bar.refresh()
        drawn = file.getvalue()
        progress(EpochEnded(0, {"loss": 0.5}, 0.1, 30.0, 1.0, True))
    for part in ("\x1b[", "epoch 1/2", "2/3", "loss 0.5000", "accuracy 25.00%", "images/s", "left"):
        assert part in drawn
    assert progress._bar is None
    plain = Terminal()
    assert "\x1b[" not in epochs_on(plain, [0, 0, 20, 40, 60], monkeypatch, bar=False)


@pytest.mark.parametrize(("epochs", "seconds", "lines"), [(50, 0.1, 50), (100, 0.04, 11), (100, 2.0, 97)])
def test_of_many_quick_epochs_some_have_a_line(epochs: int, seconds: float, lines: int) -> None:
    """The first, each tenth, and the last one, after 97 of 100."""
    file = io.StringIO()
    with Progress(file) as progress:
        progress(TrainingStarted(0, epochs, 3, 30, 5, 10, small()))
        for epoch in range(min(epochs, 97)):
            progress(EpochEnded(epoch, {"loss": 0.5}, 0.1, seconds, 30.0, False))
        progress(TrainingEnded("enough", 97, 0))
    head, *shown, _ = file.getvalue().splitlines()
    assert head.split()[0] == "epoch" and len(shown) == lines
    assert shown[0].split()[0] == f"1/{epochs}" and shown[-1].split()[0] == f"{min(epochs, 97)}/{epochs}"


@pytest.mark.parametrize("terminal", [True, False])
def test_the_doctor_speaks_in_a_line_of_its_own(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "80")
    file = Terminal() if terminal else io.StringIO()
    with Progress(file) as progress:
        progress(TrainingStarted(0, 2, 3, 30, 5, 10, small()))
        progress(EpochStarted(0))
        progress(Diagnosed("dead-relu", "[bold]all units[/bold] of 'conv' are 0", {}, 0))
        progress(BatchEnded(0, 0, 0, 10, {"loss": 0.5}))
    lines = [line.rpartition("\x1b[2K")[2].strip("\r\n") for line in file.getvalue().split("\n")]
    assert "doctor: [bold]all units[/bold] of 'conv' are 0" in lines


def test_fit_closes_its_bar_on_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("rich")
    closed: list[bool] = []
    own = Progress.close
    monkeypatch.setattr(Progress, "close", lambda self: (closed.append(True), own(self))[1])
    monkeypatch.setattr("sys.stdout", Terminal())
    x, y = pictures()
    x[:] = np.nan
    with pytest.raises(DivergedError):
        compiled().fit(x, y)
    assert closed


@pytest.mark.parametrize(("verbose", "lines"), [(0, 0), (1, 3), (2, 3), ("auto", 3)])
def test_verbose_as_in_keras(verbose: int | str, lines: int, capsys: pytest.CaptureFixture[str]) -> None:
    compiled().fit(*pictures(), epochs=2, verbose=verbose)
    assert len(capsys.readouterr().out.splitlines()) == lines
