"""A network that does not fit its task, to be repaired; it is built and trained to tell."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np

from pellucid._language import language
from pellucid._numbers import percent
from pellucid.errors import PellucidError, shown
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import MESSAGES, enter
from pellucid.layers import Activation, Conv2D, Dense, Flatten, MaxPool2D
from pellucid.model import Sequential

CHOICES = {
    "kernel": ("3", "5", "9"),
    "padding": ("valid", "same"),
    "units": ("1", "9", "10"),
    "activation": ("softmax", "sigmoid", "relu", "linear"),
}
"""What can be changed: the first convolution's kernel, the padding of both, and how the last layer ends."""

LABELS = {name: "field.kernel size" if name == "kernel" else f"field.{name}" for name in CHOICES}

BROKEN = (
    {"kernel": "5", "padding": "valid", "units": "10", "activation": "softmax"},
    {"kernel": "3", "padding": "same", "units": "9", "activation": "softmax"},
    {"kernel": "3", "padding": "same", "units": "10", "activation": "relu"},
    {"kernel": "9", "padding": "valid", "units": "10", "activation": "softmax"},
    {"kernel": "3", "padding": "same", "units": "1", "activation": "sigmoid"},
)

INPUT, CLASSES, EPOCHS = (8, 8, 1), 10, 8

enter({
    "field.kernel size": ("kernel of the first convolution", "첫 합성곱의 커널 크기"),
    "field.padding": ("padding of both convolutions", "두 합성곱의 패딩"),
    "field.units": ("units of the last layer", "마지막 계층의 유닛 수"),
    "field.activation": ("activation of the last layer", "마지막 계층의 활성화 함수"),
    "option.linear": ("none", "없음"),
    "not offered": (
        "Not yet. The {name} must be one of {offered}, got {given}.",
        "아직 아닙니다. 고를 수 있는 값({name}): {offered}. 입력: {given}.",
    ),
    "not built": (
        "Not yet. The network cannot be built: {error}.",
        "아직 아닙니다. 신경망을 만들 수 없습니다: {error}.",
    ),
    "too few units": (
        "Not yet. The last layer gives {units}, but there are {classes} classes: each needs a number of its own.",
        "아직 아닙니다. 마지막 계층의 출력은 {units}개인데 클래스는 {classes}개입니다. 클래스마다 수가 하나씩 있어야 "
        "합니다.",
    ),
    "last relu": (
        "Not yet. A ReLU at the end erases every score below 0: those classes are alike, and no gradient comes back "
        "through them.",
        "아직 아닙니다. 끝에 ReLU를 두면 0보다 작은 점수가 모두 지워집니다. 그 클래스들은 구별할 수 없고 기울기도 "
        "돌아오지 않습니다.",
    ),
    "last sigmoid": (
        "Not yet. A sigmoid judges each class on its own, as where several can be right at once. A picture shows one "
        "digit, so the classes compete.",
        "아직 아닙니다. 시그모이드는 클래스마다 따로 판단하므로 정답이 여럿일 수 있을 때 씁니다. 이미지 한 장에는 "
        "숫자가 하나뿐이므로 클래스가 서로 겨루어야 합니다.",
    ),
    "repaired": (
        "Right. The shapes are {shapes}; trained for {epochs} epochs on 1,437 digits, it reads {accuracy} of 360 "
        "others.",
        "맞습니다. 형상은 {shapes}입니다. 숫자 1,437개로 {epochs}에포크 동안 학습하면 다른 360개 가운데 {accuracy}를 "
        "맞힙니다.",
    ),
    "as logits": (
        " Without an activation the loss takes the softmax itself.",
        " 활성화 함수가 없으면 손실 함수가 소프트맥스를 직접 계산합니다.",
    ),
})  # fmt: skip


def check_network(answer: Any, *, lang: str | None = None) -> Verdict:
    """Is this a network that learns to read the digits, 8 x 8, 10 classes? It is built and trained to see.

        >>> broken = {"kernel": "5", "padding": "valid", "units": "10", "activation": "softmax"}
        >>> print(check_network(broken).message[:45])
        Not yet. The network cannot be built: layer 2
        >>> check_network(broken | {"padding": "same"}).passed
        True

    answer: by the names of CHOICES one of these.
    Errors: ConfigError for a language; an answer of any kind gets a verdict.
    """
    say = MESSAGES[language(lang)]
    chosen = answer if isinstance(answer, Mapping) else {}
    for name, offered in CHOICES.items():
        given = chosen.get(name)
        if not isinstance(given, str) or given not in offered:
            words = {"name": say[LABELS[name]], "offered": ", ".join(offered), "given": shown(given)}
            return Verdict(False, say["not offered"].format(**words))
    choice = tuple(chosen[name] for name in CHOICES)
    try:
        model = _network(*choice)
    except PellucidError as error:
        return Verdict(False, say["not built"].format(error=error))
    units, last = model.graph.output_shape[-1], chosen["activation"]
    if units != CLASSES:
        return Verdict(False, say["too few units"].format(units=units, classes=CLASSES))
    if last in ("relu", "sigmoid"):
        return Verdict(False, say[f"last {last}"])
    shapes = ["x".join(map(str, INPUT)), *("x".join(map(str, visit.output_shape)) for visit in model.graph.walk())]
    said = {"shapes": ", ".join(dict.fromkeys(shapes)), "epochs": EPOCHS, "accuracy": percent(_accuracy(*choice))}
    return Verdict(True, say["repaired"].format(**said) + (say["as logits"] if last == "linear" else ""))


def _network(kernel: str, padding: str, units: str, activation: str) -> Sequential:
    """Errors: ShapeError where its layers do not fit together."""
    return Sequential(
        [
            Conv2D(8, int(kernel), padding=padding, activation="relu", name="conv1", input_shape=INPUT),
            MaxPool2D(2, name="pool1"),
            Conv2D(16, 3, padding=padding, activation="relu", name="conv2"),
            Flatten(),
            Dense(int(units), name="dense1"),
            Activation(activation),
        ]
    )


@lru_cache(64)
def _accuracy(*choice: str) -> float:
    """On the digits' test pictures, after a short training of the network that was chosen."""
    from pellucid import datasets

    model, digits = _network(*choice), datasets.load("digits")
    model.compile("adam", "sparse_categorical_crossentropy", ["accuracy"])
    model.fit(digits.train.images, digits.train.labels, epochs=EPOCHS, verbose=0, doctor=False)
    return float(model.evaluate(digits.test.images, digits.test.labels, verbose=0)["accuracy"])


@exercise(
    "network",
    part="networks",
    title=("A network to repair", "고쳐야 할 신경망"),
    ask=(
        "This network is to read the digits: pictures of {height} x {width}, {classes} classes, one digit each. It "
        "cannot. Change what has to be changed.",
        "숫자를 읽으려는 신경망입니다. 이미지는 {height} x {width}, 클래스는 {classes}개이고 이미지마다 숫자가 하나 "
        "있습니다. 이대로는 읽지 못합니다. 필요한 곳을 고치십시오.",
    ),
)
def _network_task(rng: np.random.Generator) -> Task:
    broken = BROKEN[int(rng.integers(len(BROKEN)))]
    lines = [
        f'Conv2D(8, {broken["kernel"]}, padding="{broken["padding"]}", activation="relu")',
        "MaxPool2D(2)",
        f'Conv2D(16, 3, padding="{broken["padding"]}", activation="relu")',
        "Flatten()",
        f"Dense({broken['units']})",
        f'Activation("{broken["activation"]}")',
    ]
    fields = tuple(Field(name, LABELS[name], options=offered, begins=broken[name]) for name, offered in CHOICES.items())
    return Task(
        lambda answer, lang: check_network(answer, lang=lang),
        {**broken, "padding": "same", "units": "10", "activation": "softmax"},
        fields,
        (Given("given.layers", lines, "text"),),
        {"height": INPUT[0], "width": INPUT[1], "classes": CLASSES},
    )
