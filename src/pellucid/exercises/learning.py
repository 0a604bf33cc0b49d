"""Where the gradient begins, how it reaches a weight, and what a step makes of it, worked out by hand."""

from __future__ import annotations

from typing import Any

import numpy as np

from pellucid import ops
from pellucid.exercises.comparing import TWO_DECIMALS, judge, plain
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import enter
from pellucid.layers import Dense
from pellucid.losses import MeanSquaredError
from pellucid.model import Sequential
from pellucid.model.tracing import trace
from pellucid.ops import Array

enter({
    "given.probabilities": ("probabilities of three classes", "세 클래스의 확률"),
    "given.weights": ("weights", "가중치"),
    "given.weight": ("weight, gradient, velocity", "가중치, 기울기, 속도"),
    "field.velocity": ("velocity after the step", "스텝 뒤의 속도"),
    "field.weight": ("weight after the step", "스텝 뒤의 가중치"),
    "slip.sign": (
        "The sign is the wrong way round: it is the probability less the target. The gradient points to where the loss "
        "grows.",
        "부호가 반대입니다. 확률에서 정답을 뺍니다. 기울기는 손실이 커지는 쪽을 가리킵니다.",
    ),
    "slip.only probabilities": (
        "These are the probabilities. At the right class 1 is subtracted.",
        "확률을 그대로 적으셨습니다. 정답 클래스에서는 1을 빼야 합니다.",
    ),
    "slip.only the target": (
        "Only the right class has a gradient here. The others are pushed down as well, each by its probability.",
        "정답 클래스에만 기울기를 적으셨습니다. 다른 클래스도 저마다의 확률만큼 내려갑니다.",
    ),
    "slip.no square": (
        "The derivative of the squared difference has a 2 in front.",
        "차이를 제곱한 것의 도함수에는 앞에 2가 붙습니다.",
    ),
    "slip.wrong sign": (
        "The sign is the wrong way round: the difference is what the unit gives, less the target.",
        "부호가 반대입니다. 유닛의 출력에서 목푯값을 뺍니다.",
    ),
    "slip.no inputs": (
        "This is the gradient before the weights. Each weight's is that times its own input.",
        "가중치 앞까지의 기울기입니다. 가중치마다 자기 입력을 곱해야 합니다.",
    ),
    "slip.by the weights": (
        "You multiplied by the weights: that is the gradient of the inputs. A weight's is multiplied by its input.",
        "가중치를 곱하셨습니다. 그것은 입력의 기울기입니다. 가중치의 기울기에는 입력을 곱합니다.",
    ),
    "slip.off": (
        "ReLU let this number through, for it is above 0: its slope is 1, not 0.",
        "이 수는 0보다 커서 ReLU를 그대로 지나갔습니다. 활성화의 기울기는 0이 아니라 1입니다.",
    ),
    "slip.uphill": (
        "You went up: a step goes against the gradient.",
        "기울기를 따라 올라가셨습니다. 스텝은 기울기의 반대쪽으로 갑니다.",
    ),
    "slip.no rate": (
        "The learning rate is left out.",
        "학습률이 빠졌습니다.",
    ),
    "slip.no momentum": (
        "The velocity is left out: a part of the last step, as momentum says, is taken again.",
        "속도가 빠졌습니다. 모멘텀이 정한 만큼 지난 스텝을 이어 갑니다.",
    ),
    "slip.whole velocity": (
        "The velocity is kept in part only: multiply it by the momentum.",
        "속도는 일부만 남습니다. 모멘텀을 곱하십시오.",
    ),
})  # fmt: skip


def check_loss_gradient(answer: Any, logits: Any, label: int, *, lang: str | None = None) -> Verdict:
    """What is the gradient of softmax with cross-entropy, of the scores, with two decimals? Probability less target.

        >>> check_loss_gradient([0.5, -0.5], [3, 3], 1).passed
        True
        >>> print(check_loss_gradient([0.5, 0.5], [3, 3], 1))
        Not yet. These are the probabilities. At the right class 1 is subtracted.

    Shapes: logits and answer (classes,).
    Errors: DataError for a label that is no class. An answer of any kind gets a verdict.
    """
    scores = np.asarray(logits, np.float64)[None]
    right = ops.softmax_cross_entropy(np.array([label]), scores)[1][0]
    shares = ops.softmax(scores)[0]
    only = np.where(np.arange(len(right)) == label, right, 0.0)
    slips = {"slip.sign": -right, "slip.only probabilities": shares, "slip.only the target": only}

    def how(place: tuple[int, ...]) -> str:
        return f"{shares[place]:.3f} - {int(place[0] == label)}"

    return judge(answer, right, lang, how=how, slips=slips, tolerance=TWO_DECIMALS)


def check_unit_gradient(
    answer: Any, x: Any, weights: Any, target: float, *, bias: float = 0.0, lang: str | None = None
) -> Verdict:
    """What is the gradient of a unit's weights? The unit gives y = ReLU(x w + b); the loss is (y - target)^2.

        >>> check_unit_gradient([4, 8], [1, 2], [1, 1], 1).passed
        True
        >>> print(check_unit_gradient([2, 4], [1, 2], [1, 1], 1))
        Not yet. The derivative of the squared difference has a 2 in front.

    Shapes: x, weights and answer (inputs,).
    Errors: an answer of any kind gets a verdict.
    """
    inputs, own = np.asarray(x, np.float32), np.asarray(weights, np.float32)
    model = Sequential([Dense(1, activation="relu", input_shape=inputs.shape)])
    model.layers[0].set_weights([own[:, None], np.array([bias], np.float32)])
    model.compile("sgd", MeanSquaredError())
    step = trace(model, inputs[None], np.array([[target]], np.float32))[0]
    right, y = step.d_weights["kernel"][:, 0].astype(np.float64), float(step.output[0, 0])
    before = float(step.d_weights["bias"][0])
    slips = {
        "slip.no square": right / 2,
        "slip.wrong sign": -right,
        "slip.no inputs": np.full(len(inputs), before),
        "slip.by the weights": before * own,
    }
    if y > 0:
        slips["slip.off"] = np.zeros(len(inputs))

    def how(place: tuple[int, ...]) -> str:
        return f"2 * ({plain(y)} - {plain(target)}) * {int(y > 0)} * {plain(float(inputs[place]))}"

    return judge(answer, right, lang, how=how, slips=slips)


def check_step(
    answer: Any,
    weight: float,
    gradient: float,
    velocity: float,
    *,
    learning_rate: float,
    momentum: float,
    lang: str | None = None,
) -> Verdict:
    """What does a step of SGD with momentum make of velocity and weight? v = m v - lr g; w = w + v.

        >>> check_step((-0.1, 0.9), 1, 1, 0, learning_rate=0.1, momentum=0.9).passed
        True
        >>> print(check_step((0.1, 1.1), 1, 1, 0, learning_rate=0.1, momentum=0.9))
        Not yet. You went up: a step goes against the gradient.

    Shapes: answer: the velocity and the weight after the step, (2,).
    Errors: an answer of any kind gets a verdict.
    """

    def stepped(rate: float, kept: float) -> Array:
        param, moving = np.array([float(weight)]), np.array([float(velocity)])
        ops.sgd_update(param, np.array([float(gradient)]), moving, lr=rate, momentum=kept)
        return np.concatenate([moving, param])

    right = stepped(learning_rate, momentum)
    slips = {
        "slip.no momentum": stepped(learning_rate, 0.0),
        "slip.whole velocity": stepped(learning_rate, 1.0),
        "slip.no rate": stepped(1.0, momentum),
        "slip.uphill": stepped(-learning_rate, momentum),
    }

    def how(place: tuple[int, ...]) -> str:
        if place == (0,):
            return f"{plain(momentum)} * {plain(velocity)} - {plain(learning_rate)} * {plain(gradient)}"
        return f"{plain(weight)} + ({plain(right[0])})"

    return judge(answer, right, lang, how=how, slips=slips, tolerance=1e-4)


@exercise(
    "loss-gradient",
    part="backward",
    title=("Where the gradient begins", "기울기가 시작되는 곳"),
    ask=(
        "Softmax has made these probabilities, and class {label} is right (classes count from 0). What is the "
        "gradient of the cross-entropy, of each score? Two decimals.",
        "소프트맥스가 이런 확률을 냈고 정답은 클래스 {label}입니다(클래스는 0부터 셉니다). 점수마다 교차 엔트로피의 "
        "기울기는 얼마입니까? 소수 둘째 자리까지 적으십시오.",
    ),
)
def _loss_gradient(rng: np.random.Generator) -> Task:
    shares = rng.permutation([[0.7, 0.2, 0.1], [0.5, 0.3, 0.2], [0.6, 0.3, 0.1]][rng.integers(3)])
    label = int(rng.integers(3))
    logits = np.log(shares)
    return Task(
        lambda answer, lang: check_loss_gradient(answer["gradient"], logits, label, lang=lang),
        {"gradient": ops.softmax_cross_entropy(np.array([label]), logits[None])[1][0]},
        (Field("gradient", "field.answer", (3,)),),
        (Given("given.probabilities", shares[None]),),
        {"label": label},
    )


@exercise(
    "unit-gradient",
    part="backward",
    title=("A gradient by the chain rule", "연쇄 법칙으로 구하는 기울기"),
    ask=(
        "A unit gives y = ReLU(x1 w1 + x2 w2 + x3 w3), with no bias. The loss is (y - {target})^2. What is its "
        "gradient of each weight?",
        "유닛의 출력은 y = ReLU(x1 w1 + x2 w2 + x3 w3)이고 편향은 없습니다. 손실은 (y - {target})^2입니다. 가중치마다 "
        "손실의 기울기는 얼마입니까?",
    ),
)
def _unit_gradient(rng: np.random.Generator) -> Task:
    x, weights = rng.permutation([1.0, 2.0, 3.0]), rng.permutation([1.0, -1.0, 2.0])
    y = max(float(x @ weights), 0.0)
    target = y + float(rng.choice([-1.0, 2.0]))
    return Task(
        lambda answer, lang: check_unit_gradient(answer["gradient"], x, weights, target, lang=lang),
        {"gradient": 2 * (y - target) * (y > 0) * x},
        (Field("gradient", "field.answer", (3,)),),
        (Given("given.input", x[None]), Given("given.weights", weights[None])),
        {"target": plain(target)},
    )


@exercise(
    "step",
    part="backward",
    title=("One step of the optimizer", "옵티마이저의 한 스텝"),
    ask=(
        "SGD with momentum {momentum} and learning rate {rate}: the weight, its gradient and its velocity are given. "
        "What are velocity and weight after the step?",
        "모멘텀 {momentum}, 학습률 {rate}인 SGD입니다. 가중치와 그 기울기와 속도가 주어졌습니다. 스텝 뒤의 속도와 "
        "가중치는 얼마입니까?",
    ),
)
def _step(rng: np.random.Generator) -> Task:
    weight, gradient, velocity = (float(rng.choice(values)) for values in ([1, 2, -1], [2, -2, 4], [0.5, -0.5, 1]))
    rate, momentum = 0.1, float(rng.choice([0.5, 0.9]))
    moved = momentum * velocity - rate * gradient

    def check(answer: Any, lang: str) -> Verdict:
        given = (answer["velocity"], answer["weight"])
        return check_step(given, weight, gradient, velocity, learning_rate=rate, momentum=momentum, lang=lang)

    return Task(
        check,
        {"velocity": moved, "weight": weight + moved},
        (Field("velocity", "field.velocity"), Field("weight", "field.weight")),
        (Given("given.weight", np.array([[weight, gradient, velocity]])),),
        {"momentum": plain(momentum), "rate": plain(rate)},
    )
