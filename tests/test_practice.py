"""The practitioner's loop: runs beside each other, a range test of learning rates, a search for settings."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.text import Text
from picture_files import write, write_pets

import pellucid
from pellucid.cli.app import main
from pellucid.errors import ConfigError, DataError
from pellucid.runs.comparing import differing, find_runs, ordered
from pellucid.runs.learning_rates import LearningRates
from pellucid.runs.tuning import HELD_OUT, Choice, Tuned, _held_out
from pellucid.train import Event, TrainingStarted
from pellucid.visualise.learning_rates import learning_rates_figure
from pellucid.visualise.tuning import tuning_figure


def write_run(
    folder: Path, accuracies: list[float], optimizer: str = "Adam", *, ended: bool = True, **more: Any
) -> None:
    folder.mkdir(parents=True)
    own = {"Adam": {"beta_1": 0.9}, "SGD": {"momentum": 0.9}}[optimizer]
    training = {"optimizer": {"type": optimizer, **own}, "epochs": len(accuracies), "patience": None, **more}
    record = {"model": {"name": "lenet5"}, "data": {"name": "mnist", "load": "mnist"}, "training": training}
    (folder / "run.json").write_text(json.dumps(record))
    best, lines = 0.0, []
    for epoch, share in enumerate(accuracies, 1):
        event = {"event": "epoch", "epoch": epoch, "loss": 1.0, "val_accuracy": share, "elapsed_s": 2.5}
        lines.append({**event, "improved": share > best})
        best = max(best, share)
    lines += [{"event": "end", "reason": "all epochs done"}] if ended else []
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("runs")
    write_run(root / "first", [0.5, 0.9, 0.8], seed=0)
    write_run(root / "more" / "second", [0.7, 0.95], "SGD", seed=1, patience=3)
    write_run(root / "third", [], ended=False, seed=0)
    (root / "damaged").mkdir()
    (root / "damaged" / "run.json").write_text("{")
    return root


def test_runs_are_found_and_measured(folder: Path) -> None:
    found, damaged = find_runs(folder)
    assert [run.folder.name for run in found] == ["first", "second", "third"]
    first = found[0]
    assert (first.best, first.epoch, first.epochs, first.time, first.ended) == (0.9, 2, 3, 7.5, "all epochs done")
    assert (found[2].best, found[2].ended) == (None, None)
    assert [Path(name).name for name, _ in damaged] == ["damaged"]
    assert find_runs(folder / "first")[0][0].best == 0.9
    with pytest.raises(DataError, match="no such folder"):
        find_runs(folder / "nowhere")


def test_what_differs_is_told_and_what_others_do_not_have_is_not(folder: Path) -> None:
    assert differing(find_runs(folder)[0]) == ["optimizer", "epochs", "patience", "seed"]


def test_runs_are_sorted(folder: Path) -> None:
    found, _ = find_runs(folder)

    def names(by: str | None) -> list[str]:
        return [run.folder.name for run in ordered(found, by)]

    assert names("best") == ["second", "first", "third"]
    assert names("-best") == ["first", "second", "third"]  # what has none comes last either way
    assert names("time") == ["third", "second", "first"]
    assert names("optimizer") == ["first", "third", "second"]
    with pytest.raises(ConfigError, match="unknown column 'tme'; did you mean 'time'"):
        names("tme")


def test_the_command_prints_a_table_and_json(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["runs", str(folder), "--csv", str(tmp_path / "runs.csv")]) == 0
    out, err = capsys.readouterr()
    assert "more/second" in out and "95.00 %" in out and "beta_1" not in out and "damaged: left out" in err
    assert (
        (tmp_path / "runs.csv").read_text().startswith("run,optimizer,epochs,patience,seed,best,epoch,epochs,seconds")
    )
    assert main(["runs", str(folder), "--json"]) == 0
    first = json.loads(capsys.readouterr().out)[0]
    assert first["best"] == 0.95 and first["settings"]["momentum"] == 0.9


def test_a_narrow_terminal_shows_the_settings_it_has_room_for(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pellucid.cli.output.columns_there", lambda: 60)
    for sort, there, left in (("best", "optimizer", "patience, seed"), ("seed", "seed", "epochs, patience")):
        assert main(["runs", str(folder), "--sort", sort]) == 0
        out, err = capsys.readouterr()
        head, *rows = (line for line in out.splitlines() if line.strip(" ─"))
        assert there in head.split() and max(map(len, rows)) <= 60 and f"without room here: {left}; --sort" in err
    assert [row.split()[2] for row in rows] == ["0", "0", "1"]  # a seed of 0 is one


def test_a_range_test_finds_where_the_loss_falls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    found = pellucid.find_learning_rate(model="simple-convnet", limit=320, verbose=0, steps=100)
    assert np.all(np.diff(np.log(found.rates)) > 0) and found.rates[0] == pytest.approx(1e-6)
    assert len(found.losses) <= 100 and 1e-4 < found.proposal < 0.1
    assert found.proposal < found.rates[found.smoothed.argmin()]
    assert not list(tmp_path.iterdir())  # nothing is kept
    for lang in ("en", "ko"):
        assert learning_rates_figure(found, title="simple-convnet", lang=lang).axes
    with pytest.raises(ConfigError, match="leave epochs out"):
        pellucid.find_learning_rate(epochs=3)
    with pytest.raises(ConfigError, match="did you mean 'batch_size'"):
        pellucid.find_learning_rate(bach_size=3)
    with pytest.raises(ConfigError, match="falls at no rate"):
        pellucid.find_learning_rate(limit=64, verbose=0, steps=8, highest=1e-5)


def test_what_a_training_draws_is_in_the_language_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written: dict[str, set[str]] = {}

    def keep(figure: Any, path: Any, *_: Any) -> None:
        written[Path(str(path)).name] = {text.get_text() for text in figure.findobj(Text)}

    monkeypatch.setattr("pellucid.visualise.write_figure", keep)
    monkeypatch.setattr("pellucid.cli.drawing.write", lambda figure, out, usual: keep(figure, out or usual))
    small, run = ["--limit", "64", "--test-limit", "8", "-q", "--lang"], str(tmp_path / "run")
    assert main(["train", "--epochs", "1", *small, "ko", "--out", run]) == 0
    assert "에포크" in written["curves.png"] and any("필터" in text for text in written["filters.png"])
    assert main(["train", "--resume", run, "--epochs", "2", "-q", "--lang", "en"]) == 0
    assert "epoch" in written["curves.png"]
    found = LearningRates(*np.linspace(1, 0.1, 24).reshape(3, 8), proposal=0.01)
    monkeypatch.setattr("pellucid.runs.learning_rates.find_learning_rate", lambda **_: found)
    assert main(["train", "--find-lr", *small, "ko"]) == 0
    assert "손실" in written["learning-rates.png"]
    assert main(["train", *small, "kr", "--out", str(tmp_path / "other")]) == 1 and not (tmp_path / "other").exists()


def test_the_losses_of_a_range_test_are_those_of_its_steps() -> None:
    """Two epochs of two batches, whose means over the epoch so far are given."""
    from pellucid.runs.learning_rates import _Watching
    from pellucid.train import BatchEnded, EpochStarted

    watching = _Watching(steps=10)
    for epoch in range(2):
        watching(EpochStarted(epoch))
        for batch, (count, mean) in enumerate(((4, 2.0), (2, 3.0))):  # the second of 5
            watching(BatchEnded(epoch, batch, 0, count, {"loss": mean}))
    assert watching.losses == pytest.approx([2.0, 5.0, 2.0, 5.0])
    assert watching.smoothed[0] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("1e-4..1e-1", Choice(low=1e-4, high=1e-1, logarithmic=True)),
        ("2..5", Choice(low=2, high=5)),
        ("adam|sgd", Choice(("adam", "sgd"))),
        ("none", Choice(("none",))),
    ],
)
def test_a_space_is_read(text: str, wanted: Choice) -> None:
    assert Choice.of("x", text) == wanted


def test_a_space_that_cannot_be_read() -> None:
    with pytest.raises(ConfigError, match="the smaller number first"):
        Choice.of("dropout", "0.5..0.1")


@pytest.fixture(scope="module")
def tuned(tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """Six trials of which the rate alone is searched: the third was interrupted, and the search has gone on."""
    pytest.importorskip("optuna", reason="needs optuna")
    out = tmp_path_factory.mktemp("tune") / "tuned"
    space = dict.fromkeys(("batch_size", "weight_decay", "augment"), "") | {"optimizer": "adam"}
    given = {"out": out, "epochs": 2, "limit": 160, "space": space | {"learning_rate": "1e-7|0.01"}}
    begun = []

    def interrupt(event: Event) -> None:
        begun.extend([event] * isinstance(event, TrainingStarted))
        if len(begun) == 3:
            raise KeyboardInterrupt

    stopped = pellucid.tune("simple-convnet", trials=6, listeners=[interrupt], **given)
    assert [trial["run"] for trial in stopped.trials] == ["trial-001", "trial-002"] and stopped.interrupted
    return pellucid.tune("simple-convnet", trials=6, **given)


def test_a_search_finds_what_is_better_and_goes_on(tuned: Tuned) -> None:
    assert len(tuned.trials) == 6 and tuned.best["learning_rate"] == 0.01 and not tuned.interrupted
    runs = find_runs(tuned.folder)[0]
    assert [run.folder.name for run in runs if run.ended] == [trial["run"] for trial in tuned.trials]
    assert [run.folder.name for run in runs if not run.ended] == ["trial-003"]
    assert max(run.best or 0 for run in runs) == tuned.value
    assert {run.settings["validation"] for run in runs} == {"0.2"}  # and never by the test pictures


def test_a_search_that_was_interrupted_says_so_by_its_status(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Tuned(tmp_path, {"learning_rate": 0.01}, 0.5, [], interrupted=True)
    monkeypatch.setattr("pellucid.cli.tune.tune", lambda *_, **__: found)
    assert main(["tune", "--out", str(tmp_path), "--json"]) == 130


def test_what_a_search_judges_by(tmp_path: Path) -> None:
    """Never by test pictures: where nobody says which pictures to judge by, a fifth is held out of the others."""
    for part, held in (("train", HELD_OUT), ("test", HELD_OUT), ("val", None)):
        write_pets(tmp_path / "pets" / part)
        assert _held_out(tmp_path / "pets", {}) == held
    assert _held_out("digits", {}) == HELD_OUT
    write(tmp_path / "a.png")
    table = tmp_path / "labels.csv"
    table.write_text("file,label,split\na.png,x,val\n")
    assert _held_out("digits", {"labels": [table]}) is None


def test_a_search_is_drawn(tuned: Tuned) -> None:
    trials = [
        {"run": f"trial-{n}", "value": None if n == 2 else n / 10, "settings": {"rate": 10.0**-n, "kind": "ab"[n % 2]}}
        for n in range(6)
    ]
    made = Tuned(tuned.folder, {"rate": 1e-5, "kind": "b"}, 0.5, trials, {"rate": 0.8, "kind": 0.2})
    for lang in ("en", "ko"):
        assert len(tuning_figure(made, lang=lang).axes) == 4
    assert tuning_figure(tuned).axes


def test_without_optuna_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "optuna", None)
    with pytest.raises(ConfigError, match=r"pip install 'pellucid\[tune\]'"):
        pellucid.tune(out=tmp_path / "tuned")
