"""What the lab's users are most often told, in Korean too: each sentence by its English words, as errors say it."""

from __future__ import annotations

import re
from functools import cache

KOREAN = {
    "this address is for looking; the other one steers": "이 주소는 보기 전용입니다. 조종은 다른 주소에서 하십시오",
    "{view}: this address is for looking; the other one steers": (
        "이 주소는 보기 전용입니다. 조종은 다른 주소에서 하십시오"
    ),
    "too many commands at once; wait a moment": "명령이 한꺼번에 너무 많습니다. 잠시 기다리십시오",
    "a message may have {most} characters, got {count}": "한 번에 보낼 수 있는 글자는 {most}자인데 {count}자입니다",
    "the loss became {loss} at step {step} (epoch {epoch}, batch {batch}), learning rate {rate}; the "
    "parameters before that step are kept. {remedy}": (
        "스텝 {step}에서 손실 값이 {loss}입니다(에포크 {epoch}, 배치 {batch}, 학습률 {rate}). 그 스텝 "
        "전의 매개변수로 되돌렸습니다. 학습률을 낮추거나 기울기를 클리핑하고(clipnorm=1), 이미지에 NaN이 없는지 "
        "확인하십시오"
    ),
    "the weights became NaN or infinite in epoch {epoch} (by an epsilon of 0, too). {remedy}": (
        "에포크 {epoch}에서 가중치가 NaN이나 무한대가 되었습니다. 학습률을 낮추거나 기울기를 "
        "클리핑하고(clipnorm=1), 이미지에 NaN이 없는지 확인하십시오"
    ),
    "{folder}: process {owner} is training here; wait until it ends, stop it, or train in another folder": (
        "{folder}: 프로세스 {owner}번이 여기에서 학습하고 있습니다. 끝나기를 기다리거나 멈추거나, 다른 폴더를 쓰십시오"
    ),
    '{place} needs at least {height}x{width} input, got {rows}x{columns}{source}; use padding="same", a '
    "smaller kernel, or a larger picture": (
        '{place}: 입력이 {height}x{width} 이상이어야 하는데 {rows}x{columns}입니다. padding="same"을 쓰거나 '
        "커널을 줄이거나, 더 큰 이미지를 쓰십시오"
    ),
    "{place} needs input (N, {axes}), got (N, {got}){source}; {fix}": (
        "{place}: 입력의 형상이 (N, {axes})이어야 하는데 (N, {got})입니다"
    ),
    "{place} merges two values or more; call it on a list of them": "{place}: 값을 둘 이상 합치는 계층입니다",
    "{place} cannot split {channels} input channels{source} into {groups} groups; choose groups that divide "
    "the channels": (
        "{place}: 입력 채널 {channels}개를 {groups}개의 그룹으로 나눌 수 없습니다. 채널 수를 나누는 그룹 수를 "
        "고르십시오"
    ),
    "{layer}: {filters} filters do not divide into {groups} groups; choose a multiple of {multiple}": (
        "{layer}: 필터 {filters}개를 {groups}개의 그룹으로 나눌 수 없습니다. {multiple}의 배수를 고르십시오"
    ),
    "{place} would have {count} weights, at most {most} can be; use fewer units or filters, a smaller "
    "kernel, or smaller pictures": (
        "{place}: 가중치가 {count}개가 됩니다. {most}개까지 가능하니 유닛이나 필터를 줄이거나, 커널이나 이미지를 "
        "줄이십시오"
    ),
    "{what} must be a whole number of at least {least}{above}, got {value}": (
        "{what}: {least} 이상의 정수여야 하는데 {value}입니다"
    ),
    "{what} must be a number {bound}, got {value}": "{what}: 범위에 맞는 수여야 하는데 {value}입니다",
    "{what}: these arguments do not make it: {why}": "{what}: 인수가 맞지 않습니다({why})",
    "{model} has a layer {name} already; give this one another name": (
        "이름이 {name}인 계층이 이미 있습니다. 다른 이름을 쓰십시오"
    ),
    "a network needs a layer": "신경망에는 계층이 있어야 합니다",
    "a network can be edited up to {most} layers, got {count}": "계층은 {most}개까지 편집할 수 있는데 {count}개입니다",
    "{place} gives {size}, and what is learned here needs {wanted}, one number a class; change its units or filters": (
        "{place}: 출력이 {size}인데, 이 데이터에는 클래스마다 하나씩 {wanted}개가 필요합니다. 유닛이나 필터 "
        "수를 바꾸십시오"
    ),
    "{place}: no layer has weights that are trained, so nothing can be learned": (
        "{place}: 학습할 가중치가 있는 계층이 없습니다"
    ),
    "{place}: up to here a picture takes {macs} multiply-accumulates, at most {most} are trained here; use "
    "fewer filters, larger strides, or pooling": (
        "{place}: 여기까지 이미지 한 장에 곱셈-누산 {macs}번이 듭니다. 여기서는 {most}번까지 학습하니 필터를 "
        "줄이거나, 스트라이드를 늘리거나, 풀링을 쓰십시오"
    ),
    "{what} would take {size}, at most {most} are taken here; use fewer filters or units, larger strides, "
    "pooling, or a smaller batch": (
        "{what}: 메모리가 {size} 필요합니다. 여기서는 {most}까지 쓰니 필터나 유닛을 줄이거나, 스트라이드를 "
        "늘리거나, 풀링을 쓰거나, 배치를 줄이십시오"
    ),
    "picture {number} is not kept any more; draw or choose it again": (
        "{number}번 이미지는 더 이상 남아 있지 않습니다. 다시 그리거나 고르십시오"
    ),
    "pictures of one's own have 1 or 3 channels, this network takes {shape}": (
        "직접 만든 이미지는 채널이 1개나 3개인데, 이 신경망의 입력은 {shape}입니다"
    ),
    "this picture's {width} x {height} pixels are more than the {most} million that can be sent; make it smaller": (
        "이 이미지는 {width} x {height}픽셀입니다. {most}백만 픽셀까지 보낼 수 있으니 크기를 줄이십시오"
    ),
    "{picture}: cannot be decoded ({reason})": "이미지를 읽을 수 없습니다({reason})",
    "a picture file may have {most} MB; make it smaller": "이미지 파일은 {most} MB까지 보낼 수 있습니다. 줄이십시오",
    "too many pictures are sent at once; try again": ("이미지를 한꺼번에 너무 많이 보내고 있습니다. 다시 시도하십시오"),
    "the picture did not arrive within {seconds} seconds": "{seconds}초 안에 이미지가 도착하지 않았습니다",
    "the score of this class does not change with any pixel, so there is no step to take": (
        "어떤 픽셀을 바꾸어도 이 클래스의 점수가 변하지 않아 더 바꿀 수 없습니다"
    ),
    "the features are not finite, so they have no place; the training diverged": (
        "특징이 유한한 수가 아니어서 놓을 자리가 없습니다. 학습이 발산했습니다"
    ),
    "{model} has no convolution with maps to draw; use the gradient or occlusion": (
        "이 신경망에는 맵을 그릴 합성곱이 없습니다. 점수의 기울기를 보거나 일부를 가려 보십시오"
    ),
    "{model} takes {macs} multiply-accumulates for a picture, too many to cover it place by place while it trains; use "
    "Grad-CAM": (
        "이 신경망은 이미지 한 장에 곱셈-누산 {macs}번이 들어, 학습하는 동안 자리마다 가려 볼 수 없습니다. "
        "Grad-CAM을 쓰십시오"
    ),
    "{view}: {model} gives a class for each pixel, so none for a picture": (
        "이 신경망은 픽셀마다 클래스를 답하므로 이미지 하나의 클래스는 없습니다"
    ),
    "{model} gives {shape} a picture, no row of scores, so no classes": (
        "이 신경망은 이미지마다 점수 한 줄을 답하지 않으므로 클래스가 없습니다"
    ),
}
"""Korean by the English sentence, with the same places in both; not all places need to be said."""


def told(name: str, text: str) -> dict[str, str]:
    """A message's entries: the sentence under its name and, where it is known, in Korean under NAME_ko."""
    korean = in_korean(text)
    return {name: text} if korean is None else {name: text, f"{name}_ko": korean}


def in_korean(text: str) -> str | None:
    """The sentence in Korean; None where nobody has written it."""
    for pattern, korean in _patterns():
        found = pattern.fullmatch(text)
        if found is not None:
            return re.sub(r"\blayer (\d+) '", r"계층 \1 '", korean.format(**found.groupdict()))
    return None


@cache
def _patterns() -> list[tuple[re.Pattern[str], str]]:
    found = []
    for english, korean in KOREAN.items():
        # a place that another one follows at once has no spaces in it
        pattern = re.sub(r"\\{(\w+)\\}(?=\\{)", r"(?P<\1>\\S*)", re.escape(english))
        found.append((re.compile(re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*?)", pattern), re.DOTALL), korean))
    return found
