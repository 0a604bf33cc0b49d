"""What is written in figures, in English or Korean: a label is asked for by its English words."""

from __future__ import annotations

from pellucid.errors import unknown_name

LANGUAGES = ("en", "ko")

KOREAN: dict[str, str] = {
    # curves
    "loss": "손실",
    "accuracy": "정확도",
    "accuracy (%)": "정확도 (%)",
    "learning rate": "학습률",
    "pictures a second": "초당 사진 수",
    "epoch": "에포크",
    "training": "학습",
    "validation": "검증",
    "test": "테스트",
    "validation or test": "검증 또는 테스트",
    "thick with marks: {held}; thin: training": "굵고 표시 있는 선: {held}, 가는 선: 학습",
    # judgement
    "taken for": "신경망의 답",
    "is": "실제",
    "pictures": "사진 수",
    "% of the pictures of the row": "그 행의 사진 중 %",
    "{count:,} pictures, {right} right": "사진 {count:,}장, 정답 {right}",
    ", rows in percent": ", 행별 백분율",
    "recall (%)": "재현율 (%)",
    "precision (%)": "정밀도 (%)",
    "as right as it is sure": "확신한 만큼 맞음",
    "mean confidence": "평균 확신도",
    "of these right (%)": "그중 정답 (%)",
    "confidence (%)": "확신도 (%)",
    "pictures (%)": "사진 (%)",
    "{count:,} pictures, expected calibration error {error}": "사진 {count:,}장, 기대 보정 오차 {error}",
    "said {said} ({share})": "답 {said} ({share})",
    "is {truth}": "실제 {truth}",
    # filters
    "before training": "학습 전",
    "after training": "학습 후",
    "mid-grey is 0; each filter on its own scale": "중간 회색이 0, 필터마다 다른 눈금",
    "mid-grey is 0; ±{limit:.3g} at the ends": "중간 회색이 0, 양 끝이 ±{limit:.3g}",
    "weight, each filter on its own scale": "가중치, 필터마다 다른 눈금",
    "weight, one scale for all": "가중치, 모두 같은 눈금",
    "{name}: {filters} filters of {height} x {width} x {channels}": (
        "{name}: {height} x {width} x {channels} 필터 {filters}개"
    ),
    ", the first {counts} drawn": ", 처음 {counts}만 그림",
    "{count} filters": "필터 {count}개",
    "{count} channels": "채널 {count}개",
    " and ": ", ",
    ", the largest first": ", 큰 것부터",
    ", alike ones side by side": ", 닮은 것끼리",
    "place in the row": "행에서의 자리",
    "first filter of the row": "행의 첫 필터",
    "input channel": "입력 채널",
    "filter": "필터",
    # features
    "picture: {shape}": "사진: {shape}",
    "a picture": "사진 한 장",
    "{what} through {model}": "{model} 속의 {what}",
    " (not trained)": " (학습 전)",
    ", said: {answer!r}": ", 답: {answer!r}",
    "answer: first {shown} of {classes} classes": "답: 클래스 {classes}개 중 처음 {shown}개",
    "answer: {classes} classes": "답: 클래스 {classes}개",
    "probability (%)": "확률 (%)",
    "score": "점수",
    "{name}: {count} units": "{name}: 유닛 {count}개",
    "unit": "유닛",
    "all {count} channels": "채널 {count}개 모두",
    "channel {index} of {count}": "채널 {count}개 중 {index}번",
    "first {shown} of {count} channels": "채널 {count}개 중 처음 {shown}개",
    "first {shown} of {count}, and {last}": "{count}개 중 처음 {shown}개, 그리고 {last}번",
    "framed: channel {index}": "테두리: 채널 {index}",
    "white {limit:.3g}": "흰색 {limit:.3g}",
    "mid-grey 0": "중간 회색 0",
    "black 0": "검정 0",
    "{name}:\n{count} units, {across} in a row": "{name}:\n유닛 {count}개, 한 행에 {across}개",
    "{name}:\n{shape}, a row a channel": "{name}:\n{shape}, 채널마다 한 행",
    "Maps: {scale}; black is 0, or mid-grey is 0 where there are negative values. Left of a row: its first channel.": (
        "특징 맵: {scale}. 검정이 0, 음수가 있으면 중간 회색이 0입니다. 행 왼쪽 숫자는 그 행의 첫 채널입니다."
    ),
    "each channel on its own scale": "채널마다 다른 눈금",
    "one scale for all channels of a layer": "한 층의 모든 채널이 같은 눈금",
    "Framed: what adds most to the score of {answer!r}, by the mean over its places of (d score / d y) · y.": (
        "테두리: {answer!r}의 점수에 가장 많이 보태는 채널, (d 점수 / d y) · y의 자리 평균으로 쟀습니다."
    ),
    # histograms
    "activations": "활성값",
    "weights": "가중치",
    "gradients": "기울기",
    "{title}: {kind}": "{title}: {kind}",
    "epoch; height: values in a bin": "에포크, 높이는 구간의 값 개수",
    "{share} at 0": "0이 {share}",
    # architecture
    "{name}: {parameters:,} parameters, {macs} multiply-accumulates a picture": (
        "{name}: 매개변수 {parameters:,}개, 사진 한 장에 곱셈-덧셈 {macs}번"
    ),
    "input": "입력",
    "convolution, with what follows it": "합성곱과 그에 딸린 층",
    "pooling": "풀링",
    "fully connected": "완전 연결",
    "other": "그 밖",
    "boxes: height and depth in proportion to H and W, thickness to √channels": (
        "상자: 높이와 깊이는 H와 W에, 두께는 √채널 수에 비례"
    ),
    "bars: length in proportion to √units": "막대: 길이는 √유닛 수에 비례",
    "flatten to {count:,}": "펼쳐서 {count:,}",
    "{count:,} params": "매개변수 {count:,}",
}
"""Korean by the English words. Names of layers, and what NumPy prints, stay as they are."""


class Labels:
    """Labels in one language.

    >>> Labels("en")("{count} channels", count=3), Labels("ko")("{count} channels", count=3)
    ('3 channels', '채널 3개')

    Errors: ConfigError for a language that there is none of.
    """

    def __init__(self, lang: str = "en") -> None:
        if lang not in LANGUAGES:
            raise unknown_name("language", lang, LANGUAGES)
        self.lang = lang

    def __call__(self, english: str, /, **values: object) -> str:
        """A label with its places filled."""
        return (KOREAN[english] if self.lang == "ko" else english).format(**values)
