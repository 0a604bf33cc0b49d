"""Curves of a training to be read: small networks are trained for it, on the digits in the package."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid._language import language
from pellucid.errors import expect_known, shown
from pellucid.exercises.comparing import as_numbers
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES, enter
from pellucid.layers import Conv2D, Dense, Flatten, MaxPool2D
from pellucid.model import Sequential
from pellucid.optimizers import SGD, Adam, Optimizer

EPOCHS, CLOSE = 24, 1
"""Of a training, and how far from the best epoch a reading may be."""


@dataclass(frozen=True)
class Setting:
    """How a network is trained, by which its curves come about."""

    pictures: int
    optimizer: type[Optimizer]
    learning_rate: float


SETTINGS = {
    "well": Setting(400, Adam, 0.003),
    "overfits": Setting(40, Adam, 0.02),
    "too fast": Setting(400, SGD, 1.2),
    "too slow": Setting(400, SGD, 0.0005),
}

enter({
    "given.curves": ("loss over the epochs", "에포크별 손실"),
    "curve.epoch": ("epoch", "에포크"),
    "curve.training": ("training pictures", "학습 이미지"),
    "curve.test": ("test pictures", "테스트 이미지"),
    "field.cause": ("what happens", "무슨 일입니까"),
    "field.epoch": ("epoch with the smallest test loss", "테스트 손실이 가장 작은 에포크"),
    "option.well": ("it learns well", "잘 학습합니다"),
    "option.overfits": ("it overfits", "과적합입니다"),
    "option.too fast": ("the learning rate is too high", "학습률이 너무 높습니다"),
    "option.too slow": ("the learning rate is too low", "학습률이 너무 낮습니다"),
    "choose": (
        "Not yet. Choose one of these: {offered}. Got {given}.",
        "아직 아닙니다. 하나를 고르십시오: {offered}. 입력: {given}.",
    ),
    "seen.well": (
        "both losses fall from {first:.2f} to below {most:.2f}, and that of the test pictures ends near its smallest",
        "두 손실이 {first:.2f}에서 {most:.2f} 아래로 함께 내려가고, 테스트 손실은 가장 작은 값 가까이에서 끝납니다",
    ),
    "seen.overfits": (
        "the loss of training falls to {train:.2f}, while that of the test pictures is smallest in epoch {best} "
        "({least:.2f}) and rises to {test:.2f}",
        "학습 손실은 {train:.2f}까지 내려가지만 테스트 손실은 {best}에포크에 {least:.2f}까지 내려간 뒤 "
        "{test:.2f}까지 올라갑니다",
    ),
    "seen.too fast": (
        "the loss of training rises in {rises} of {epochs} epochs, by as much as {most_up:.2f}, and ends at "
        "{train:.2f}",
        "학습 손실이 {epochs}에포크 가운데 {rises}번 올라가고, 많게는 {most_up:.2f}만큼 올라가며, {train:.2f}에서 "
        "끝납니다",
    ),
    "seen.too slow": (
        "the loss of training falls smoothly, but by {change:.3f} an epoch: from {first:.2f} to {train:.2f} in "
        "{epochs} epochs",
        "학습 손실이 매끄럽게 내려가지만 에포크마다 {change:.3f}씩뿐입니다. {epochs}에포크 동안 {first:.2f}에서 "
        "{train:.2f}까지만 내려갔습니다",
    ),
    "misread": ("Not yet. Look: {seen}.", "아직 아닙니다. 곡선을 보십시오. {seen}."),
    "other epoch": (
        "The cause is right. The smallest loss of the test pictures lies elsewhere: in epoch {given} it is {there}.",
        "원인은 맞습니다. 테스트 손실이 가장 작은 곳은 다른 에포크입니다. {given}에포크에는 {there}입니다.",
    ),
    "read": (
        "Right: {seen}. The smallest test loss is in epoch {best}.",
        "맞습니다. {seen}. 테스트 손실이 가장 작은 에포크는 {best}입니다.",
    ),
    "no epoch": ("no epoch of these", "없는 에포크"),
})  # fmt: skip


@lru_cache(16)
def trained_curves(cause: str, seed: int = 0) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """The losses of training and test pictures over the epochs of a network trained so. cause: one of SETTINGS.

    Errors: ConfigError for another cause.
    """
    from pellucid import datasets

    chosen = SETTINGS[expect_known("cause", cause, SETTINGS)]
    digits = datasets.load("digits")
    model = Sequential(
        [
            Conv2D(8, 3, activation="relu", input_shape=(8, 8, 1)),
            MaxPool2D(),
            Flatten(),
            Dense(64, activation="relu"),
            Dense(10, activation="softmax"),
        ],
        seed=seed,
    )
    model.compile(chosen.optimizer(chosen.learning_rate), "sparse_categorical_crossentropy")
    found = model.fit(
        digits.train.images[: chosen.pictures],
        digits.train.labels[: chosen.pictures],
        batch_size=16,
        epochs=EPOCHS,
        validation_data=(digits.test.images, digits.test.labels),
        verbose=0,
        doctor=False,
    )
    return tuple(found["loss"]), tuple(found["val_loss"])


def check_curves(answer: Any, cause: str, *, seed: int = 0, lang: str | None = None) -> Verdict:
    """What do these curves show, and in which epoch is the test loss smallest? One epoch beside it will do.

        >>> check_curves({"cause": "well", "epoch": 3}, "too slow").passed
        False

    answer: cause, one of SETTINGS, and epoch, counted from 1. The curves are those of `trained_curves`.
    Errors: ConfigError for a language or a cause that there is not; an answer of any kind gets a verdict.
    """
    say, chosen = MESSAGES[language(lang)], answer if isinstance(answer, Mapping) else {}
    train, test = map(np.array, trained_curves(cause, seed))
    given = chosen.get("cause")
    if not isinstance(given, str) or given not in SETTINGS:
        offered = ", ".join(say[f"option.{name}"] for name in SETTINGS)
        return Verdict(False, say["choose"].format(offered=offered, given=shown(given)))
    best = int(test.argmin()) + 1
    values = {"train": train[-1], "test": test[-1], "least": test.min(), "first": train[0]}
    steps = np.diff(train)
    values |= {"most": max(train[-1], test[-1]), "most_up": steps.max(), "change": np.abs(steps).mean()}
    seen = say[f"seen.{cause}"].format(best=best, epochs=EPOCHS, rises=int((steps > 0).sum()), **values)
    if given != cause:
        return Verdict(False, say["misread"].format(seen=seen))
    number = as_numbers(chosen.get("epoch"))
    epoch = float(number) if number is not None and number.shape == () else float("nan")
    if not abs(epoch - best) <= CLOSE:
        inside = epoch == int(epoch) and 1 <= epoch <= EPOCHS if np.isfinite(epoch) else False
        there = f"{test[int(epoch) - 1]:.3f}" if inside else say["no epoch"]
        return Verdict(False, say["other epoch"].format(given=shown(chosen.get("epoch")), there=there))
    return Verdict(True, say["read"].format(seen=seen, best=best))


@exercise(
    "curves",
    part="networks",
    title=("Curves to read", "읽어야 할 곡선"),
    ask=(
        "A network was trained for {epochs} epochs. What do the curves say, and in which epoch is the loss of the test "
        "pictures smallest?",
        "신경망을 {epochs}에포크 동안 학습했습니다. 곡선에서 무엇을 알 수 있습니까? 테스트 이미지의 손실은 어느 "
        "에포크에 가장 작습니까?",
    ),
)
def _curves(rng: np.random.Generator) -> Task:
    cause, seed = str(rng.choice(list(SETTINGS))), int(rng.integers(4))
    curves = trained_curves(cause, seed)
    names = "curve.training", "curve.test"
    return Task(
        lambda answer, lang: check_curves(answer, cause, seed=seed, lang=lang),
        {"cause": cause, "epoch": int(np.argmin(curves[1])) + 1},
        (Field("cause", "field.cause", options=tuple(SETTINGS)), Field("epoch", "field.epoch")),
        (Given("given.curves", np.round(curves, 4), "curves", names, "curve.epoch"),),
        {"epochs": EPOCHS},
    )
