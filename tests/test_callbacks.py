"""Callbacks with Keras's names: when their methods are called, what they do, and batches that somebody else makes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pellucid import Sequential, metrics
from pellucid.errors import ConfigError, DataError
from pellucid.keras import callbacks
from pellucid.layers import Dense, Flatten
from pellucid.schedules import ExponentialDecay

RNG = np.random.default_rng(2)
X, Y = RNG.random((40, 3, 3, 1), np.float32), np.arange(40) % 3


def compiled(*asked: Any, rate: float = 0.05, loss: str = "sparse_categorical_crossentropy") -> Sequential:
    from pellucid.optimizers import SGD

    model = Sequential([Flatten(input_shape=(3, 3, 1)), Dense(3, activation="softmax")], seed=1)
    model.compile(SGD(rate), loss, list(asked) or None)
    return model


def fit(model: Sequential, *args: Any, **options: Any) -> Any:
    return model.fit(*(args or (X, Y)), verbose=0, **options)


class Told(callbacks.Callback):
    """Writes down what it is called for."""

    def __init__(self) -> None:  # as programs write it, without super().__init__()
        self.calls: list[Any] = []

    def on_train_begin(self, logs: Any = None) -> None:
        self.calls.append(("train", self.params["epochs"], self.params["steps"]))

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(("epoch", epoch))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("batch", batch))

    def on_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("done", batch, sorted(logs)))

    def on_test_begin(self, logs: Any = None) -> None:
        self.calls.append(("test",))

    def on_test_batch_end(self, batch: int, logs: Any = None) -> None:
        self.calls.append(("judged", batch))

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self.calls.append(("end", epoch, sorted(logs)))

    def on_train_end(self, logs: Any = None) -> None:
        self.calls.append(("over", type(self.model).__name__))


def test_methods_are_called_in_kerass_order() -> None:
    told = Told()
    fit(compiled("acc"), batch_size=20, callbacks=[told], validation_data=(X[:4], Y[:4]))
    assert told.calls == [
        ("train", 1, 2), ("epoch", 0), ("batch", 0), ("done", 0, ["acc", "loss"]), ("batch", 1),
        ("done", 1, ["acc", "loss"]), ("test",), ("judged", 0), ("end", 0, ["acc", "loss", "val_acc", "val_loss"]),
        ("over", "Sequential"),
    ]  # fmt: skip
    assert told.every_batch and not callbacks.EarlyStopping().every_batch and not callbacks.Callback().every_batch


def test_stop_training_ends_it_and_the_next_fit_begins_anew() -> None:
    class Enough(callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            if epoch == 1:
                self.model.stop_training = True

    model = compiled()
    assert fit(model, epochs=5, callbacks=[Enough()]).epoch == [0, 1]
    assert fit(model, epochs=2).epoch == [0, 1]
    assert fit(model, epochs=5, initial_epoch=3).epoch == [3, 4]


def test_metrics_of_a_training_are_those_of_its_pictures() -> None:
    asked = ("acc", metrics.AUC(), metrics.Precision(thresholds=0.4), "mae", metrics.SparseCategoricalAccuracy("own"))
    model = compiled(*asked, rate=0.0)
    history = fit(model, batch_size=16, epochs=2, validation_data=(X[:7], Y[:7]), validation_freq=2)
    names = ["loss", "acc", "auc", "precision", "mae", "own"]
    assert model.metrics_names == names
    assert list(history.history) == [*names, "learning_rate", *(f"val_{name}" for name in names)]
    assert len(history["val_auc"]) == 1 and len(history["auc"]) == 2
    judged = model.evaluate(X, Y, verbose=0)
    assert judged.keys() == names
    for name in names:
        assert history[name][0] == pytest.approx(judged[name], rel=1e-5)
    answers = model.predict(X)
    assert judged["auc"] == pytest.approx(metrics.AUC()(Y, answers))
    assert judged["own"] == judged["acc"] == pytest.approx(metrics.accuracy(Y, answers))
    with pytest.raises(ConfigError, match="gives 3 numbers"):
        fit(compiled(metrics.F1Score()))


def test_accuracy_of_what_are_no_classes_is_picked_as_keras_does() -> None:
    model = Sequential([Flatten(input_shape=(3, 3, 1)), Dense(1)], seed=1)
    model.compile("sgd", "mse", ["accuracy"])
    bits = (Y > 0).astype(np.float32)
    assert fit(model, X, bits)["accuracy"][0] >= 0
    expected = ((model.predict(X)[:, 0] > 0.5) == bits).mean()
    assert model.evaluate(X, bits, verbose=0)["accuracy"] == pytest.approx(expected)


def test_early_stopping_watches_as_keras_does() -> None:
    model = compiled("acc", rate=0.0)
    options: dict[str, Any] = {"epochs": 9, "validation_data": (X[:7], Y[:7])}
    assert fit(model, **options, callbacks=callbacks.EarlyStopping()).epoch == [0, 1]
    stop = callbacks.EarlyStopping("val_acc", patience=2, mode="max", start_from_epoch=3, restore_best_weights=True)
    assert len(fit(model, **options, callbacks=[stop]).epoch) == 6 and stop.stopped_epoch == 5
    assert len(fit(model, **options, callbacks=callbacks.EarlyStopping(baseline=1e-6, patience=3)).epoch) == 3
    with pytest.warns(UserWarning, match="EarlyStopping does nothing.*'val_loss'"):
        assert len(fit(model, epochs=3, callbacks=callbacks.EarlyStopping()).epoch) == 3


def test_the_learning_rate_is_changed_between_epochs() -> None:
    model = compiled(rate=0.1)
    falling = callbacks.LearningRateScheduler(lambda epoch, rate: rate * 0.5)
    assert fit(model, epochs=3, callbacks=[falling])["learning_rate"] == pytest.approx([0.05, 0.025, 0.0125])
    model = compiled(rate=0.1)
    assert fit(model, epochs=2, callbacks=[callbacks.LearningRateScheduler(lambda epoch: 0.1 / (epoch + 1))])[
        "learning_rate"
    ] == pytest.approx([0.1, 0.05])
    plateau = callbacks.ReduceLROnPlateau("loss", factor=0.1, patience=1, min_delta=10.0, min_lr=2e-3, mode="min")
    model = compiled(rate=0.1)
    assert fit(model, epochs=4, callbacks=[plateau])["learning_rate"] == pytest.approx([0.1, 0.1, 0.01, 0.002])
    model.compile(model.optimizer.__class__(ExponentialDecay(0.1, 10, 0.9)), "mse")
    with pytest.raises(ConfigError, match="follows ExponentialDecay"):
        fit(model, X, np.eye(3)[Y], callbacks=[falling])


def test_files_are_written(tmp_path: Path) -> None:
    model = compiled("acc")
    best = callbacks.ModelCheckpoint(tmp_path / "best.safetensors", monitor="val_acc", save_best_only=True)
    each = callbacks.ModelCheckpoint(str(tmp_path / "runs" / "{epoch:02d}-{val_accuracy:.1f}.safetensors"), verbose=0)
    table = callbacks.CSVLogger(tmp_path / "log.csv")
    seen = callbacks.History()
    fit(model, epochs=2, validation_data=(X[:7], Y[:7]), callbacks=[best, each, table, seen])
    assert (tmp_path / "best.safetensors").exists() and len(list((tmp_path / "runs").iterdir())) == 2
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert lines[0] == "epoch,acc,loss,val_acc,val_loss" and [line[0] for line in lines[1:]] == ["0", "1"]
    assert seen.epoch == [0, 1] and len(seen.history["val_loss"]) == 2
    wrong = callbacks.ModelCheckpoint(tmp_path / "{val_auc}.safetensors")
    with pytest.raises(ConfigError, match="asks for 'val_auc'; there are epoch, loss, acc"):
        fit(model, callbacks=wrong)
    backup = callbacks.BackupAndRestore(tmp_path / "backup")
    fit(compiled(), callbacks=[backup])
    assert not (tmp_path / "backup").exists()


def test_functions_are_a_callback() -> None:
    ends: list[int] = []
    fit(compiled(), epochs=2, callbacks=[callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(epoch))])
    assert ends == [0, 1]
    with pytest.raises(ConfigError, match="on_epoch is no method"):
        callbacks.LambdaCallback(on_epoch=print)


class Numbered:
    """Batches by number, as keras.utils.Sequence gives them."""

    def __init__(self, *parts: Any, size: int = 8) -> None:
        self.parts, self.size, self.ended = parts, size, 0

    def __len__(self) -> int:
        return -(-len(self.parts[0]) // self.size)

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        return tuple(part[number * self.size : (number + 1) * self.size] for part in self.parts)

    def on_epoch_end(self) -> None:
        self.ended += 1


def endless(size: int = 8) -> Iterator[tuple[Any, Any]]:
    while True:
        for start in range(0, len(X), size):
            yield X[start : start + size], Y[start : start + size]


def test_batches_train_as_the_arrays_they_are_of() -> None:
    expected = compiled("acc", rate=0.3)
    history = fit(expected, epochs=3, batch_size=8, shuffle=False, validation_data=(X[:12], Y[:12]))
    held = Numbered(X[:12], Y[:12])
    for given in (endless(), Numbered(X, Y), list(Numbered(X, Y)[i] for i in range(5))):
        steps = 5 if hasattr(given, "__next__") else None
        model = compiled("acc", rate=0.3)
        mine = fit(model, given, epochs=3, steps_per_epoch=steps, shuffle=False, validation_data=held)
        for name, values in history.history.items():
            np.testing.assert_allclose(mine[name], values, rtol=1e-6, err_msg=name)
        np.testing.assert_array_equal(model.get_weights()[0], expected.get_weights()[0])
    assert expected.evaluate(Numbered(X, Y), verbose=0)["acc"] == expected.evaluate(X, Y, verbose=0)["acc"]
    np.testing.assert_array_equal(expected.predict(Numbered(X, Y)), expected.predict(X))
    np.testing.assert_array_equal(expected.predict(endless(), steps=2), expected.predict(X[:16]))


def test_weights_of_batches_count() -> None:
    weights = RNG.random(len(X)).astype(np.float32)
    expected, model = compiled(), compiled()
    options: dict[str, Any] = {"class_weight": {0: 2.0, 1: 0.5}, "shuffle": False}
    fit(expected, X, Y, sample_weight=weights, batch_size=8, **options)
    numbered = Numbered(X, Y, weights)
    fit(model, numbered, **options)
    assert numbered.ended == 1
    np.testing.assert_allclose(model.get_weights()[0], expected.get_weights()[0], rtol=1e-6)


def test_batches_that_cannot_be_trained_on_are_refused() -> None:
    def grows() -> Iterator[Any]:
        yield X[:4], Y[:4]
        yield X[:4], Y[:4]
        yield X, Y

    for given, options, error, message in (
        (endless(), {}, ConfigError, "steps_per_epoch=N"),
        (grows(), {"steps_per_epoch": 3}, ConfigError, "batch of 40 pictures after others of 4"),
        (iter([(X, Y)]), {"steps_per_epoch": 2}, DataError, "ended after 1 of 2"),
        (iter([]), {"steps_per_epoch": 1}, DataError, "there are no batches"),
        (Numbered(X), {}, DataError, "without labels"),
        (Numbered(X, Y), {"augment": "flip"}, ConfigError, "augment needs pictures as arrays"),
    ):
        with pytest.raises(error, match=message):
            fit(compiled(), given, **options)
    with pytest.raises(ConfigError, match="steps_per_epoch is of batches"):
        fit(compiled(), X, Y, steps_per_epoch=3)
