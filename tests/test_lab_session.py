"""The lab's training: steered while it runs, and the same as any other training where nobody steers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from lab_sessions import WAIT_S, Watched
from small_model import pictures, small

import pellucid
from pellucid.errors import CheckpointError, ConfigError
from pellucid.lab.curve import MAX_POINTS, Curve, Pace
from pellucid.lab.prepare import Start, prepare
from pellucid.lab.rounds import Rounds
from pellucid.lab.session import Command
from pellucid.lab.settings import Settings, choices, put_into
from pellucid.layers import Dense, Dropout, Flatten
from pellucid.model import Sequential


@pytest.fixture
def session() -> Iterator[Watched]:
    made = Watched(prepare())
    made.begin()
    yield made
    made.close()


EDITED = {
    "layers": [
        {"type": "Conv2D", "filters": 6, "kernel_size": 3, "activation": "relu"}, {"type": "Flatten"},
        {"type": "Dropout", "rate": 0.2}, {"type": "Dense", "units": 10, "activation": "softmax"},
    ]
}  # fmt: skip


def small_start(dropout: float | None = None) -> Start:
    images, labels = pictures(120)
    layers = [Flatten(input_shape=(6, 5, 2))] + ([] if dropout is None else [Dropout(dropout)])
    model = small() if dropout is None else Sequential([*layers, Dense(3, activation="softmax")])
    return prepare(model, (images, labels))


def test_steps_are_those_of_fit() -> None:
    """Twelve single steps in the lab, and an epoch of fit, end in the same bits."""
    start = small_start()
    again = small()
    again.compile("adam", "categorical_crossentropy")
    session = Watched(start)
    session.begin()
    steps = -(-len(start.dataset.train) // start.batch_size)
    for step in range(1, steps + 1):
        session.do("step", lambda step=step: session.snapshot["step"] == step and not session._single)  # type: ignore[misc]
    session.close()
    again.fit(start.dataset.train.images, start.dataset.train.labels, batch_size=32, verbose=0)
    for ours, theirs in zip(session.model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_starts_and_pauses(session: Watched) -> None:
    session.do("start", lambda: session.snapshot["step"] > 40)
    session.do("pause", lambda: not session.snapshot["running"])
    rest = session.snapshot["step"]
    session.do("step", lambda: session.snapshot["step"] == rest + 1)
    assert session.snapshot["logs"]["loss"] > 0
    points = session.curve.whole()["points"]
    assert [point["step"] for point in points] == sorted(point["step"] for point in points)


def test_one_picture_is_a_step_of_one(session: Watched) -> None:
    session.do("picture", lambda: session.snapshot["step"] == 1)
    assert session.snapshot["pictures"] == 1
    session.do("step", lambda: session.snapshot["step"] == 2)
    assert session.snapshot["pictures"] == 32  # the batch in hand begins anew


def test_settings_change_while_it_runs(session: Watched) -> None:
    session.do("start", lambda: session.snapshot["step"] > 5)
    for name, value in (
        ("learning_rate", 0.01), ("batch_size", 64), ("momentum", 0.8), ("weight_decay", 1e-4), ("augment", True),
        ("optimizer", "sgd"), ("loss", "mean_squared_error"),
    ):  # fmt: skip
        session.do("set", lambda name=name, value=value: session.snapshot["settings"][name] == value, name, value)  # type: ignore[misc]
        assert session.snapshot["said"] == ""
        step = session.snapshot["step"]
        with session._told:
            assert session._told.wait_for(lambda step=step: session.snapshot["step"] > step, WAIT_S)  # type: ignore[misc]
    assert session.model.optimizer.config()["type"] == "SGD"
    assert session.snapshot["settings"]["learning_rate"] == 0.01  # the new optimizer's own


def test_back_to_the_beginning(session: Watched) -> None:
    before = session.model.get_weights()
    session.do("start", lambda: session.snapshot["step"] > 5)
    session.do("pause", lambda: not session.snapshot["running"])
    session.do("restart", lambda: session.snapshot["generation"] == 1)
    assert session.moment == (1, 0) and session.curve.whole()["points"] == []
    for now, then in zip(session.model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)
    session.do("set", lambda: session.snapshot["settings"]["seed"] == 5, "seed", 5)
    assert session.moment == (2, 0)
    other = prepare(seed=5).model.get_weights()
    for now, then in zip(session.model.get_weights(), other, strict=True):
        np.testing.assert_array_equal(now, then)


def test_a_loss_that_is_no_number_is_said_and_waits() -> None:
    model = Sequential([Flatten(input_shape=(6, 5, 2)), Dense(3)])
    model.compile("sgd", "mean_squared_error")
    session = Watched(prepare(model, pictures(120)))
    session.begin()
    session.do("set", lambda: session.snapshot["settings"]["learning_rate"] == 900, "learning_rate", 900)
    session.do("start", lambda: bool(session.snapshot["said"]))
    assert "learning rate" in session.snapshot["said"] and not session.snapshot["running"]
    assert "학습률" in session.snapshot["said_ko"]
    session.close()


def test_what_cannot_be_set_is_refused(session: Watched) -> None:
    for name, value in (("learning_rate", -1), ("batch_size", 0), ("batch_size", 10**9), ("optimizer", "magic"),
                        ("dropout", 0.5), ("augment", "yes"), ("nothing", 1), ("seed", 1.5)):  # fmt: skip
        with pytest.raises(ConfigError):
            session.obey(Command("set", name, value))
    with pytest.raises(ConfigError, match="command"):
        Command("explode")


def test_dropout_changes_and_moments_stay() -> None:
    start = small_start(dropout=0.25)
    model = start.model
    before = Settings.of(model, batch_size=32, augment=False)
    assert before.dropout == 0.25
    model.prepare_slots()
    model.optimizer_state.slots["m"][:] = 1
    now = put_into(model, before, before.changed("dropout", 0.5).changed("momentum", 0.5))
    assert (now.dropout, now.momentum, model.layers[1].drop_rate) == (0.5, 0.5, 0.5)
    assert (model.optimizer_state.slots["m"] == 1).all()
    other = put_into(model, now, now.changed("optimizer", "rmsprop"))
    assert (other.optimizer, model.optimizer_state.slots) == ("rmsprop", {})


def test_every_choice_can_be_made() -> None:
    model = prepare().model
    settings = Settings.of(model, batch_size=32, augment=False)
    for name, values in choices().items():
        for value in values:
            settings = put_into(model, settings, settings.changed(name, value))
            assert getattr(settings, name) == value


def test_what_was_learned_is_kept(tmp_path: Path) -> None:
    session = Watched(small_start(), tmp_path / "kept")
    session.begin()
    session.do("step", lambda: session.snapshot["step"] == 1)
    kept = session.close()
    assert kept == tmp_path / "kept" / "last.safetensors"
    again = pellucid.load(kept)
    np.testing.assert_array_equal(again.get_weights()[0], session.model.get_weights()[0])
    idle = Watched(small_start(), tmp_path / "idle")
    idle.begin()
    assert idle.close() is None and not (tmp_path / "idle").exists()


def steps_to(session: Watched, last: int) -> None:
    while session.moment[1] < last:
        step = session.moment[1] + 1
        session.do("step", lambda step=step: session.snapshot["step"] == step and not session._single)  # type: ignore[misc]


def test_a_training_of_the_lab_goes_on_exactly(tmp_path: Path) -> None:
    """Stopped amid an epoch and opened again: weights, moments, place and curve are those of one that never stopped."""
    settings = {"learning_rate": 0.003, "batch_size": 100, "augment": True, "seed": 2}
    whole, first = Watched(prepare()), Watched(prepare(), tmp_path / "kept")
    for session in (whole, first):
        session.begin()
        for name, value in settings.items():
            session.do("set", lambda s=session, n=name, v=value: s.snapshot["settings"][n] == v, name, value)  # type: ignore[misc]
        session.do("edit", lambda s=session: s.snapshot["layout"] == 1, value=EDITED)  # type: ignore[misc]
        steps_to(session, 20)
    steps_to(whole, 31)
    first.close()
    start = prepare(tmp_path / "kept")
    assert (start.batch_size, start.augmented, start.folder) == (100, True, tmp_path / "kept")
    second = Watched(start, start.folder)
    assert second.settings.learning_rate == 0.003
    second.begin()
    second.wait(lambda: second.snapshot["step"] == 20)
    assert second.curve.whole()["points"] == first.curve.whole()["points"] != []
    steps_to(second, 31)
    second._keep(second._folder)
    assert len(list((tmp_path / "kept" / "checkpoints").glob("*.safetensors"))) == 2
    assert second.snapshot["pictures"] == whole.snapshot["pictures"] and second.snapshot["epoch"] == 2
    for now, then in zip(second.model.get_weights(), whole.model.get_weights(), strict=True):
        np.testing.assert_array_equal(now, then)
    for name, slot in whole.model.optimizer_state.slots.items():
        np.testing.assert_array_equal(second.model.optimizer_state.slots[name], slot)
    with pytest.raises(CheckpointError, match="is training here"):
        other = Watched(prepare(tmp_path / "kept"), tmp_path / "kept")
        second._keep(second._folder)
        other._state, other._examples = second._state, second._examples
        other.model.optimizer_state.step = 1
        other._keep(other._folder)
    second.close()
    whole.close()


def test_a_folder_with_another_run_is_not_written_into(run_folder: Path) -> None:
    for start in (small_start(), replace(small_start(), folder=run_folder / "other")):
        with pytest.raises(ConfigError, match="holds a run already"):
            Watched(start, run_folder)


def test_a_run_goes_on_with_its_data(run_folder: Path) -> None:
    start = prepare(str(run_folder))
    assert start.dataset.name == "digits" and start.model.optimizer_state is not None
    assert prepare(run_folder / "model.safetensors").dataset.name == "digits"
    with pytest.raises(ConfigError, match="takes pictures"):
        prepare(small(), start.dataset)


def test_images_a_second_are_counted_over_a_while() -> None:
    now = 0.0
    pace = Pace(lambda: now)
    for step in range(40):
        now = 0.1 * step
        pace.add(10)
        assert pace.per_s() == (0 if step < 2 else pytest.approx(100))
    pace.clear()
    assert pace.per_s() == 0


def test_a_long_curve_becomes_coarser() -> None:
    curve = Curve()
    for step in range(5 * MAX_POINTS):
        curve.add({"step": step, **({"epoch": 1} if step % 1000 == 0 else {})})
    points = curve.whole()["points"]
    assert len(points) < MAX_POINTS and curve.generation > 0
    assert [point["step"] for point in points] == sorted(point["step"] for point in points)
    assert [point["step"] for point in points if "epoch" in point] == list(range(0, 5 * MAX_POINTS, 1000))
    assert curve.tail()["points"] == points[-len(curve.tail()["points"]) :]


def test_answers_say_between_which_steps_they_were_given() -> None:
    rounds = Rounds(3, lambda rows: None)
    assert rounds.steps() == (0, 0)
    rounds.turn((0, 5))  # one picture, since nobody knows how long it takes
    assert rounds.steps() == (5, 5)
    rounds.turn((0, 9))
    assert rounds.steps() == (5, 9)
    rounds.clear()
    assert rounds.steps() == (0, 0)
