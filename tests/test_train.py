"""The trainer: what it tells and when, which pictures it uses, and when it stops."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
from small_model import compiled, fit, pictures, small

import pellucid
from pellucid import layers as L
from pellucid import optimizers, zoo
from pellucid.errors import ConfigError, DivergedError
from pellucid.model import Sequential
from pellucid.model.inputs import make_examples
from pellucid.ops import backend
from pellucid.train import (
    BatchEnded,
    EarlyStopping,
    EpochEnded,
    EpochStarted,
    EvaluationStarted,
    Event,
    PicturesJudged,
    Stop,
    TrainConfig,
    Trainer,
    TrainingEnded,
    TrainingStarted,
)
from pellucid.train.history import History

# Events


def test_events_come_in_order_with_their_numbers() -> None:
    told: list[Event] = []
    model, (x, y) = compiled(optimizers.SGD(pellucid.schedules.Step(0.1, 3, 0.5))), pictures(20)
    held = (x[:5], y[:5])
    history = fit(model, x, y, batch_size=8, epochs=2, validation_data=held, callbacks=told.append, doctor=False)
    epoch = [EpochStarted, BatchEnded, BatchEnded, BatchEnded, EvaluationStarted, PicturesJudged, EpochEnded]
    assert [type(event) for event in told] == [TrainingStarted, *epoch, *epoch, TrainingEnded]
    start, batches, ends = told[0], told[2:5] + told[9:12], [told[7], told[14]]
    assert told[6] == PicturesJudged(0, 5, 5, {k[4:]: v for k, v in ends[0].logs.items() if k.startswith("val_")})  # type: ignore[union-attr]
    assert isinstance(start, TrainingStarted) and start.model is model
    assert (start.epochs, start.steps_per_epoch, start.batch_size) == (2, 3, 8)
    assert (start.num_samples, start.num_validation_samples) == (20, 5)
    assert [(e.epoch, e.batch, e.step, e.num_samples) for e in batches] == [  # type: ignore[union-attr]
        (0, 0, 0, 8),
        (0, 1, 1, 8),
        (0, 2, 2, 4),
        (1, 0, 3, 8),
        (1, 1, 4, 8),
        (1, 2, 5, 4),
    ]
    for last, end in zip((batches[2], batches[5]), ends, strict=True):
        assert {k: end.logs[k] for k in last.logs} == last.logs  # type: ignore[union-attr]
    assert [end.learning_rate for end in ends] == pytest.approx([0.1, 0.05]) == history["learning_rate"]  # type: ignore[union-attr]
    assert history["val_loss"] == [end.logs["val_loss"] for end in ends]  # type: ignore[union-attr]
    end = told[-1]
    assert isinstance(end, TrainingEnded) and end.reason == "all epochs done"
    assert end.num_epochs == 2 and end.best_epoch == history.best_epoch
    assert model.optimizer_state.num_epochs == 2 and model.optimizer_state.step == 6


def test_an_epochs_loss_is_the_mean_over_pictures_not_batches() -> None:
    model, (x, y) = compiled(optimizers.SGD(0.0)), pictures(20)
    history = fit(model, x, y, batch_size=16)
    own = -np.log(model.predict(x).astype(np.float64)[np.arange(20), y])
    assert history["loss"][0] == pytest.approx(own.mean(), rel=1e-5)
    assert history["accuracy"][0] == pytest.approx(np.mean(model.predict(x).argmax(1) == y))


class Recorder(L.Layer):
    """Passes pictures on and writes down the first number of each."""

    seen: list[float]

    def forward(self, x, *, training=False, key=None):  # type: ignore[no-untyped-def]
        if training:
            self.seen = [*getattr(self, "seen", []), *x[:, 0, 0, 0].tolist()]
        return x, None

    def backward(self, dy, cache, *, need_dx=True):  # type: ignore[no-untyped-def]
        return dy, {}


def recording() -> tuple[Sequential, Recorder]:
    recorder = Recorder()
    return compiled("sgd", Sequential([L.Input((6, 5, 2)), recorder, L.Flatten(), L.Dense(3)])), recorder


@pytest.mark.parametrize("batch_size", [1, 7, 23, 100])
def test_every_picture_once_an_epoch_in_a_new_order(batch_size: int) -> None:
    x, y = pictures(23)
    x[:, 0, 0, 0] = np.arange(23)
    model, recorder = recording()
    fit(model, x, y, batch_size=batch_size, epochs=2)
    fit(model, x, y, batch_size=batch_size)
    epochs = np.array(recorder.seen).reshape(3, 23)
    for order in epochs:
        assert sorted(order) == list(range(23))
    assert len({tuple(order) for order in epochs}) == 3
    model, recorder = recording()
    fit(model, x, y, batch_size=batch_size, shuffle=False)
    assert recorder.seen == list(range(23))


def test_augmented_pictures_are_new_in_each_epoch() -> None:
    x = np.random.default_rng(0).integers(0, 256, (12, 6, 5, 2), np.uint8)
    y = np.arange(12) % 3
    calls = Counter[int]()

    def brighter(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        calls[len(images)] += 1
        return np.full_like(images, rng.integers(1, 256))

    model, recorder = recording()
    examples, _ = make_examples(model, x, y, None, None)
    Trainer(model, examples, TrainConfig(epochs=2, batch_size=5), augment=brighter).run()
    assert calls == {5: 4, 2: 2}
    values = np.array(recorder.seen) * 255
    assert len(set(values[:5].round(3))) == 1 and len({*values[[0, 5, 10, 12, 17, 22]].round(3)}) > 3


# Stopping


def test_the_time_that_steps_wait_for_pictures_is_told() -> None:
    def slow(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        time.sleep(0.02)
        return images

    ends: list[EpochEnded] = []
    for augment in (slow, None):
        model = compiled()
        examples, _ = make_examples(model, *pictures(20), None, None)
        model.prepare_slots()
        keep = [lambda event: ends.append(event) if isinstance(event, EpochEnded) else None]
        Trainer(model, examples, TrainConfig(batch_size=5), augment=augment, listeners=keep).run()
    assert 0.08 <= ends[0].waited_s <= ends[0].elapsed_s
    assert ends[1].waited_s == 0


def losses_of(values: list[float]) -> Callable[[EarlyStopping], int]:
    """Feeds epochs with these validation losses; answers after how many a listener stopped."""

    def feed(listener: EarlyStopping) -> int:
        best = np.inf
        for epoch, value in enumerate(values):
            event = EpochEnded(epoch, {"loss": 1.0, "val_loss": value}, 0.1, 1.0, 1.0, value < best)
            best = min(best, value)
            if isinstance(listener(event), Stop):
                return epoch + 1
        return 0

    return feed


def test_early_stopping_waits_for_its_patience() -> None:
    feed = losses_of([5, 4, 4.5, 3.9, 4, 4, 4, 1])
    assert feed(EarlyStopping(patience=1)) == 3
    assert feed(EarlyStopping(patience=2)) == 6
    assert feed(EarlyStopping(patience=4)) == 0
    assert feed(EarlyStopping("val_loss", patience=2)) == 6
    assert feed(EarlyStopping("val_loss", 0.5, 2)) == 4
    with pytest.raises(ConfigError, match="monitor must be a name"):
        EarlyStopping(3)  # type: ignore[arg-type]
    assert feed(EarlyStopping(patience=0)) == 3
    with pytest.raises(ConfigError, match="patience must be a whole number of at least 0"):
        EarlyStopping(patience=-1)
    with pytest.raises(ConfigError, match="did you mean 'val_loss'"):
        feed(EarlyStopping("val_los"))


def test_early_stopping_ends_a_run_and_gives_the_best_weights_back() -> None:
    model, (x, y) = compiled(optimizers.SGD(1e-9)), pictures()

    def spoil(event: Event) -> None:
        if isinstance(event, EpochEnded):
            model.layers[-1].set_weights([np.zeros((7, 3)), [event.epoch * 9, 0, 0]])  # worse and worse

    watched = np.ones(24, int)
    stopping = EarlyStopping("val_loss", patience=2, restore_best_weights=True)
    history = fit(model, x, y, epochs=9, validation_data=(x, watched), callbacks=[stopping, spoil])
    assert len(history.epoch) == 4 and int(np.argmin(history["val_loss"])) == 1
    np.testing.assert_allclose(model.layers[-1].params["kernel"], 0, atol=1e-7)
    np.testing.assert_allclose(model.layers[-1].params["bias"], 0, atol=1e-7)


@pytest.mark.parametrize(
    ("kind", "batches", "epochs"),
    [
        (TrainingStarted, 0, 0),
        (EpochStarted, 0, 0),
        (BatchEnded, 1, 0),
        (EvaluationStarted, 3, 0),
        (PicturesJudged, 3, 0),
        (EpochEnded, 3, 1),
    ],
)
def test_a_listener_stops_training(kind: type, batches: int, epochs: int) -> None:
    told: list[Event] = []

    def stop(event: Event) -> Stop | None:
        told.append(event)
        return Stop("enough") if isinstance(event, kind) else None

    x, y = pictures(20)
    model = compiled()
    history = fit(model, x, y, batch_size=8, epochs=5, callbacks=stop, validation_data=(x[:9], y[:9]))
    assert Counter(type(e) for e in told)[BatchEnded] == batches
    assert len(history.epoch) == epochs == model.optimizer_state.num_epochs, "an epoch that was stopped has not ended"
    assert isinstance(told[-1], TrainingEnded) and told[-1].reason == "enough"
    assert told[-1].num_epochs == epochs


def with_dropout() -> Sequential:
    return Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 2), L.ReLU(), L.Dropout(0.3), L.Flatten(), L.Dense(3)])


def with_norm() -> Sequential:
    return Sequential([L.Input((6, 5, 2)), L.Conv2D(3, 2), L.BatchNorm(), L.ReLU(), L.Flatten(), L.Dense(3)])


@pytest.mark.parametrize("build", [small, with_norm])
def test_a_loss_that_is_no_number_stops_and_leaves_the_model_as_it_was(build: Callable[[], Sequential]) -> None:
    model, (x, y) = compiled("adam", build()), pictures(24)
    fit(model, x, y)
    x[17, 2, 2, 1] = np.nan
    kept: list[list[np.ndarray]] = [model.get_weights()]
    told: list[Event] = []

    def watch(event: Event) -> None:
        told.append(event)
        if isinstance(event, BatchEnded):
            kept.append(model.get_weights())

    with pytest.raises(DivergedError, match=r"loss became nan at step 4 \(epoch 1, batch 3\), learning rate 0.001"):
        fit(model, x, y, batch_size=8, shuffle=False, callbacks=watch)
    assert len(kept) == 3 and isinstance(told[-1], TrainingEnded) and "nan" in told[-1].reason
    for now, then in zip(model.weights, kept[-1], strict=True):
        np.testing.assert_array_equal(now, then)
        assert np.isfinite(now).all()
    fit(model, x[:16], y[:16])


class Patient:
    """A listener that need not hear of every batch."""

    every_batch = False

    def __init__(self) -> None:
        self.told: list[BatchEnded] = []

    def __call__(self, event: Event) -> None:
        if isinstance(event, BatchEnded):
            self.told.append(event)


@pytest.mark.skipif(backend().name != "native", reason="stretches are for native programs")
def test_stretches_of_steps_give_the_same_bits_as_single_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.train.stepping.STRETCH_S", 1.0)
    x, y = pictures(90)
    histories, weights, patient = [], [], Patient()
    for callbacks in (patient, lambda event: None):
        model = compiled(optimizers.Adam(pellucid.schedules.Step(0.01, 3, 0.5)), with_dropout())
        histories.append(fit(model, x, y, batch_size=8, epochs=3, callbacks=callbacks))
        weights.append(model.get_weights())
        assert model.optimizer_state.step == 36
    for name in ("loss", "accuracy", "learning_rate"):
        assert histories[0][name] == histories[1][name]
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)
    first = [event for event in patient.told if event.epoch == 0]
    assert sum(event.num_samples for event in first) == 90
    assert len(first) < 12 and first[-1].batch == 11 and first[-1].step == 11


@pytest.mark.skipif(backend().name != "native", reason="stretches are for native programs")
def test_a_stretch_ends_before_a_loss_that_is_no_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pellucid.train.stepping.STRETCH_S", 1.0)
    (x, y), weights = pictures(64), []
    x[43, 2, 2, 1] = np.nan
    for callbacks in (Patient(), lambda event: None):
        model = compiled()
        with pytest.raises(DivergedError, match=r"loss became nan at step 6 \(epoch 1, batch 6\)"):
            fit(model, x, y, batch_size=8, shuffle=False, callbacks=callbacks)
        weights.append(model.get_weights())
        assert model.optimizer_state.step == 5
    for a, b in zip(*weights, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.filterwarnings("ignore:.*encountered in:RuntimeWarning")  # of the reference
def test_a_learning_rate_out_of_all_bounds_stops() -> None:
    model = Sequential([L.Input((6, 5, 2)), L.Flatten(), L.Dense(4), L.Dense(1)])
    model.compile(optimizers.SGD(1e20), "mse")
    with pytest.raises(DivergedError, match="smaller learning rate"):
        fit(model, *pictures(24), batch_size=8, epochs=3)


# Records


def test_history_is_empty_after_no_epochs() -> None:
    history = fit(compiled(), *pictures(), epochs=0)
    assert isinstance(history, History) and history.history == {} and history.best_epoch is None
    assert "0 epochs" in repr(history)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"batch_size": 2.5}, "batch_size"), ({"seed": 2**32}, "at most 4,294,967,295"), ({"patience": 0}, "patience")],
)
def test_wrong_settings(options: dict[str, float], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        TrainConfig(**options)  # type: ignore[arg-type]


def test_real_digits_are_learned() -> None:
    data = pellucid.datasets.load("digits")
    model = zoo.simple_convnet(data.image_shape, filter_num=8, filter_size=3, weight_init_std="he", hidden_size=32)
    model.compile(optimizers.Adam(0.005), "categorical_crossentropy")
    fit(model, data.train.images, data.train.labels, epochs=3)
    assert model.evaluate(data.test.images, data.test.labels, verbose=0)["accuracy"] > 0.9
