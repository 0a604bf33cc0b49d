"""What is written in figures, in English or Korean: a label is asked for by its English words."""

from __future__ import annotations

import re

from pellucid._language import language

KOREAN: dict[str, str] = {
    "training": "학습",
    "validation": "검증",
    "test": "테스트",
    "max": "최대",
    "{count} channels": "채널 {count}개",
    " and ": ", ",
    " (not trained)": " (학습 전)",
    "probability (%)": "확률 (%)",
    "unit": "유닛",
    "train": "학습",
    ", not trained": ", 학습 전",
    "the picture": "이미지",
    "picture": "이미지",
    "each map on its own scale": "맵마다 다른 눈금",
    "one scale for all maps": "모든 맵이 같은 눈금",
    "{first}, then {second}": "{first}, 이어서 {second}",
    "{count} units": "유닛 {count}개",
    "channel {index}": "채널 {index}",
    "unit {index}": "유닛 {index}",
    "kernel": "커널",
    "input": "입력",
    "from {name}": "{name}에서",
    "output {index}": "출력 {index}",
    "test picture {index} of {data}": "{data}의 테스트 이미지 {index}",
    "{run}: gives several labels a picture, so {picture} has nothing to show; see pellucid evaluate": (
        "{run}: 이미지마다 레이블을 여러 개 답하므로 {picture}에 보여 줄 것이 없습니다. pellucid evaluate를 쓰십시오"
    ),
    "{run}: gives a class for each pixel, so {picture} has nothing to show; see pellucid show masks": (
        "{run}: 픽셀마다 클래스를 답하는 신경망이라 {picture} 그림은 뜻이 없습니다. pellucid show masks를 쓰십시오"
    ),
    "{shown} of {count} layers; --layer draws any": "계층 {count}개 중 {shown}개, 나머지는 --layer로 그립니다",
    "test picture {index} of {data}, {answer!r}": "{data}의 테스트 이미지 {index}, {answer!r}",
    "{model} on {data}": "{model}, 데이터 {data}",
    "{file}: not the background that it learned from, so it will guess; {fix}": (
        "{file}: 배경의 밝기가 학습한 이미지와 반대여서 답이 추측입니다. {fix}"
    ),
    "try --invert": "--invert를 써 보십시오",
    "leave out --invert": "--invert를 빼십시오",
    "{file}: {size}, fitted to {wanted} ({fit}) as at training": "{file}: {size}, 학습 때처럼 {wanted}에 맞춤({fit})",
}
"""Korean by the English words, of what several pictures say; each registers its own. Layers keep their names."""

LAYER_WORDS = {
    "global": "전역",
    "max pool": "최대 풀링",
    "mean pool": "평균 풀링",
    "sum pool": "합 풀링",
    "subsampling": "서브샘플링",
    "zero padding": "제로 패딩",
    "reflect padding": "반사 패딩",
    "edge padding": "가장자리 패딩",
    "upsample": "업샘플링",
    "bilinear": "양선형",
    "crop": "잘라내기",
    "reshape": "형상 변경",
    "permute": "축 교환",
    "spatial dropout": "공간 드롭아웃",
    "noise": "잡음",
    "batch norm": "배치 정규화",
    "layer norm": "계층 정규화",
    "group norm": "그룹 정규화",
    "instance norm": "인스턴스 정규화",
    "transposed conv": "전치 합성곱",
    "depthwise": "깊이별",
    "separable": "분리",
    "multiplier": "배수",
    "output padding": "출력 패딩",
    "scaled tanh": "비례 tanh",
    "RBF units": "RBF 유닛",
    "conv": "합성곱",
    "dense": "완전 연결",
    "dropout": "드롭아웃",
    "stride": "스트라이드",
    "padding": "패딩",
    "dilation": "팽창",
    "groups": "그룹",
    "links": "연결",
    "drawn": "개만 그림",
    "Concatenate": "이어 붙이기",
    "counted": "포함",
    "axis": "축",
    "one channel each": "채널마다 따로",
    "block": "블록",
    "beside": "나란히",
    "sum": "합",
    "product": "곱",
    "size": "크기",
}
"""What layers say of themselves, by the English words; longer ones first."""
_KINDS = re.compile(r"\b(" + "|".join(LAYER_WORDS) + r")\b")

_READS = re.compile(r"(.*?)(?:(?:, |^)from (.*?))?(?:(?:, |^)output (\d+))?")
"""What a layer is, what it reads if not the one before, and which output it gives if there are several."""


class Labels:
    """Labels in one language; in that of the locale where none is named.

    >>> Labels("en")("{count} channels", count=3), Labels("ko")("{count} channels", count=3)
    ('3 channels', '채널 3개')

    Errors: ConfigError for a language that there is none of.
    """

    def __init__(self, lang: str | None = None) -> None:
        self.lang = language(lang)

    def __call__(self, english: str, /, **values: object) -> str:
        """A label with its places filled."""
        return (KOREAN[english] if self.lang == "ko" else english).format(**values)

    def layer(self, detail: str) -> str:
        """What a layer says of itself; names of layers, arguments and functions stay as they are.

        >>> Labels("ko").layer("max pool 2x2, stride 2, relu")
        '최대 풀링 2x2, 스트라이드 2, relu'
        >>> Labels("ko").layer("3x3, padding 1, from conv, pool, output 2")
        '3x3, 패딩 1, conv, pool에서, 출력 2'
        """
        if self.lang != "ko":
            return detail
        said = _READS.fullmatch(detail)
        what, names, output = said.groups() if said else (detail, None, None)
        parts = [_KINDS.sub(lambda found: LAYER_WORDS[found[0]], what)]
        parts += [self("from {name}", name=self("input") if names == "input" else names)] if names else []
        parts += [self("output {index}", index=output)] if output else []
        return ", ".join(filter(None, parts))


ENGLISH = Labels("en")
