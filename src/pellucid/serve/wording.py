"""What `/openapi.json?lang=ko` says of the addresses: Korean by the English sentences of `openapi`."""

from __future__ import annotations

KOREAN = {
    "A picture file, as it is.": "이미지 파일 그대로.",
    "A picture file in base64; data:image/...;base64,... too.": (
        "base64로 적은 이미지 파일. data:image/...;base64,...도 됩니다."
    ),
    "A form with picture files, under any names.": "이미지 파일을 담은 폼. 이름은 무엇이든 됩니다.",
    'Picture files in base64: {"pictures": ["...", ...]}, or {"picture": "..."}.': (
        'base64로 적은 이미지 파일: {"pictures": ["...", ...]} 또는 {"picture": "..."}.'
    ),
    "There is no picture, or the form or JSON cannot be read.": "이미지가 없거나, 폼이나 JSON을 읽을 수 없습니다.",
    "The token is missing or wrong, or another site's page sent this.": (
        "토큰이 없거나 맞지 않거나, 다른 사이트의 페이지가 보낸 요청입니다."
    ),
    "The pictures took too long to arrive.": "이미지가 도착하는 데 너무 오래 걸렸습니다.",
    "Too many pictures, or too large ones.": "이미지가 너무 많거나 너무 큽니다.",
    "Neither a picture, nor a form, nor JSON.": "이미지도 폼도 JSON도 아닙니다.",
    "None of the pictures could be read.": "읽을 수 있는 이미지가 하나도 없습니다.",
    "Too much waits; try again in a second.": "기다리는 요청이 너무 많습니다. 1초 뒤에 다시 시도하십시오.",
    "A network that tells {count} classes apart.": "클래스 {count}개를 구별하는 신경망입니다.",
    "The most probable classes of up to {count} pictures": "이미지마다 확률이 가장 높은 클래스(한 번에 {count}장까지)",
    "Classes in each answer.": "답마다 보낼 클래스의 수.",
    "An answer for each picture, in order.": "이미지마다 답 하나, 보낸 순서대로.",
    "Whether it answers, and what it is": "서버가 답하는지, 어떤 신경망인지",
    "It does.": "답합니다.",
    "Counts and times, for Prometheus": "Prometheus가 읽는 횟수와 시간",
    "Text.": "텍스트.",
    "Of one picture: predictions, or the problem with it.": "이미지 한 장의 예측, 또는 읽지 못한 까닭.",
    "What the sender called it.": "보낸 쪽에서 붙인 이름.",
}


def said(text: str, lang: str, **places: object) -> str:
    """A sentence in a language, its {places} filled."""
    found = KOREAN[text] if lang == "ko" else text
    for name, value in places.items():
        found = found.replace(f"{{{name}}}", str(value))
    return found
