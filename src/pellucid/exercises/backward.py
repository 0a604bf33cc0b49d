"""What layers send back, worked out by hand: through pooling, and to a kernel."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

from pellucid import ops
from pellucid.errors import expect_known
from pellucid.exercises.comparing import judge, products
from pellucid.exercises.forward import KINDS, first_wrong, pooled, pooling_window
from pellucid.exercises.registry import Field, Given, Task, exercise
from pellucid.exercises.verdict import Verdict
from pellucid.exercises.words import enter
from pellucid.ops import Array, Pair
from pellucid.ops.geometry import NO_PADS, Pooling

enter({
    "given.output gradient": ("gradient that arrives at the output", "출력에 도착한 기울기"),
    "option.max gradient": ("through max pooling", "최대 풀링을 거쳐"),
    "option.average gradient": ("through average pooling", "평균 풀링을 거쳐"),
    "slip.shared": (
        "You shared each gradient among its window, as average pooling does. In max pooling only the largest number "
        "had a say, so it gets all of it.",
        "기울기를 창의 모든 자리에 나누셨습니다. 평균 풀링이 그렇게 합니다. 최대 풀링에서는 가장 큰 수만 출력에 영향을 "
        "주었으므로 그 자리가 기울기를 모두 받습니다.",
    ),
    "slip.to all": (
        "You gave each gradient to every number of its window. Changing one of them by a little does not change the "
        "output by as much.",
        "창의 모든 자리에 기울기를 그대로 주셨습니다. 한 자리를 조금 바꾸어도 출력이 그만큼 바뀌지는 않습니다.",
    ),
    "slip.to the largest": (
        "You gave each gradient to the largest number alone, as max pooling does. A mean depends on all numbers of its "
        "window alike.",
        "가장 큰 수에만 기울기를 주셨습니다. 최대 풀링이 그렇게 합니다. 평균은 창의 모든 수에 똑같이 달려 있습니다.",
    ),
    "slip.values": (
        "You put the largest numbers there. What comes back is the gradient, at the places of the largest numbers.",
        "그 자리에 가장 큰 수를 적으셨습니다. 되돌아오는 것은 가장 큰 수의 자리에 놓인 기울기입니다.",
    ),
    "slip.first place": (
        "You gave each gradient to the first number of its window. It belongs where the largest number was.",
        "창의 첫 자리에 기울기를 주셨습니다. 가장 큰 수가 있던 자리에 주어야 합니다.",
    ),
    "slip.turned": (
        "These are the right numbers, turned by 180 degrees. Weight [a, b] met the input at [i + a, j + b].",
        "맞는 수를 180도 돌려 적으셨습니다. 가중치 [a, b]는 입력의 [i + a, j + b] 자리와 곱해졌습니다.",
    ),
    "slip.no arriving": (
        "You added up the inputs alone. Each is multiplied by the gradient that arrives where it was used.",
        "입력만 더하셨습니다. 입력마다 그것이 쓰인 출력에 도착한 기울기를 곱해야 합니다.",
    ),
})  # fmt: skip


def check_pooling_gradient(
    answer: Any,
    x: Any,
    dy: Any,
    pool_size: int | Pair = 2,
    *,
    strides: int | Pair | None = None,
    kind: Literal["max", "average"] = "max",
    lang: str | None = None,
) -> Verdict:
    """What comes back through pooling? Max: to the largest number of each window all; average: to each its share.

        >>> check_pooling_gradient([[0, 0], [0, 8]], [[1, 2], [3, 4]], [[8]]).passed
        True
        >>> check_pooling_gradient([[2, 2], [2, 2]], [[1, 2], [3, 4]], [[8]], kind="average").passed
        True
        >>> print(check_pooling_gradient([[2, 2], [2, 2]], [[1, 2], [3, 4]], [[8]]).message[:39])
        Not yet. You shared each gradient among

    Shapes: x and answer (H,W), dy (OH,OW).
    Errors: ShapeError for a dy that does not fit; ConfigError for another kind. An answer of any kind gets a verdict.
    """
    expect_known("kind of pooling", kind, KINDS)
    picture, arriving = (np.atleast_2d(np.asarray(values, np.float64)) for values in (x, dy))
    window = pooling_window(pool_size, strides)
    right, shared = (pooling_gradient(picture, arriving, window, each) for each in (kind, "average"))
    slips = {"slip.to all": shared * window["pool_size"][0] * window["pool_size"][1]}
    if kind == "max":
        largest = pooled(picture, window, "max")
        slips["slip.shared"] = shared
        slips["slip.values"] = pooling_gradient(picture, largest, window, "max")
        slips["slip.first place"] = pooling_gradient(np.zeros_like(picture), arriving, window, "max")  # ties: the first
    else:
        slips["slip.to the largest"] = pooling_gradient(picture, arriving, window, "max")

    def how(place: tuple[int, ...]) -> str:
        shares = []
        for index, value in np.ndenumerate(arriving):
            single = np.zeros_like(arriving)
            single[index] = 1.0
            shares.append((float(value), float(pooling_gradient(picture, single, window, kind)[place])))
        return products([(value, share) for value, share in shares if share])

    return judge(answer, right, lang, how=how, slips=slips)


def check_kernel_gradient(answer: Any, x: Any, dy: Any, *, lang: str | None = None) -> Verdict:
    """What is the gradient of a kernel that slid over x, with dy arriving? Stride 1, no padding.

        >>> check_kernel_gradient([[2, 4], [6, 8]], [[1, 2], [3, 4]], [[2]]).passed
        True
        >>> print(check_kernel_gradient([[8, 6], [4, 2]], [[1, 2], [3, 4]], [[2]]).message[:30])
        Not yet. These are the right n

    Shapes: x (H,W), dy (OH,OW), answer (H-OH+1, W-OW+1).
    Errors: ShapeError for a dy that is larger than x. An answer of any kind gets a verdict.
    """
    picture, arriving = (np.atleast_2d(np.asarray(values, np.float64)) for values in (x, dy))
    rows, columns = arriving.shape
    right = kernel_gradient(picture, arriving)
    slips = {"slip.turned": right[::-1, ::-1], "slip.no arriving": kernel_gradient(picture, np.ones_like(arriving))}

    def how(place: tuple[int, ...]) -> str:
        patch = picture[place[0] : place[0] + rows, place[1] : place[1] + columns]
        return products(zip(patch.ravel(), arriving.ravel(), strict=True))

    return judge(answer, right, lang, how=how, slips=slips)


@exercise(
    "pooling-gradient",
    part="backward",
    title=("A gradient goes back through pooling", "풀링을 거슬러 가는 기울기"),
    ask=(
        "2x2 pooling has seen this input, and this gradient arrives at its output. Fill in what goes on to the input, "
        "for max pooling and for average pooling.",
        "2x2 풀링이 이 입력을 보았고 출력에 이 기울기가 도착했습니다. 최대 풀링과 평균 풀링에서 입력으로 가는 "
        "기울기를 각각 채우십시오.",
    ),
)
def _pooling_gradient(rng: np.random.Generator) -> Task:
    x = rng.permutation(16).reshape(4, 4).astype(np.float64)
    dy = 4.0 * rng.permutation([-2, -1, 1, 2]).reshape(2, 2)
    window = pooling_window(2)
    solution = {kind: pooling_gradient(x, dy, window, kind) for kind in KINDS}

    def check(answer: Any, lang: str) -> Verdict:
        return first_wrong(
            check_pooling_gradient(answer["max"], x, dy, lang=lang),
            check_pooling_gradient(answer["average"], x, dy, kind="average", lang=lang),
        )

    fields = tuple(Field(kind, f"option.{kind} gradient", x.shape) for kind in KINDS)
    return Task(check, solution, fields, (Given("given.input", x), Given("given.output gradient", dy)))


@exercise(
    "kernel-gradient",
    part="backward",
    title=("The gradient of a kernel", "커널의 기울기"),
    ask=(
        "A 2x2 kernel slid over this input (stride 1, no padding), and this gradient arrives at the map that it gave. "
        "Each weight was used at every place. Fill in the gradient of the four weights.",
        "2x2 커널이 이 입력 위를 지나갔고(스트라이드 1, 패딩 없음) 나온 맵에 이 기울기가 도착했습니다. 가중치는 모든 "
        "자리에서 함께 쓰였습니다. 네 가중치의 기울기를 채우십시오.",
    ),
)
def _kernel_gradient(rng: np.random.Generator) -> Task:
    x = rng.integers(0, 4, (3, 3)).astype(np.float64)
    dy = rng.permutation([1, -1, 2, 0]).reshape(2, 2).astype(np.float64)
    right = kernel_gradient(x, dy)
    return Task(
        lambda answer, lang: check_kernel_gradient(answer["kernel"], x, dy, lang=lang),
        {"kernel": right},
        (Field("kernel", "field.answer", (2, 2)),),
        (Given("given.input", x), Given("given.output gradient", dy)),
    )


def pooling_gradient(picture: Array, arriving: Array, window: Pooling, kind: str) -> Array:
    """Shapes: picture (H,W), arriving (OH,OW) -> (H,W)."""
    batch, gradient = picture[None, :, :, None], np.ascontiguousarray(arriving)[None, :, :, None]
    if kind == "max":
        places = ops.max_pool2d(batch, **window)[1]
        return ops.max_pool2d_backward(gradient, places, batch.shape, **window)[0, :, :, 0]
    return ops.avg_pool2d_backward(gradient, batch.shape, **window)[0, :, :, 0]


def kernel_gradient(picture: Array, arriving: Array) -> Array:
    """Shapes: picture (H,W), arriving (OH,OW) -> (H-OH+1, W-OW+1)."""
    shape = *(size - other + 1 for size, other in zip(picture.shape, arriving.shape, strict=True)), 1, 1
    batch = picture[None, :, :, None], arriving[None, :, :, None]
    return ops.conv2d_backward_kernel(*batch, shape, strides=(1, 1), padding=NO_PADS)[:, :, 0, 0]
