"""What is written in figures, in English or Korean: a label is asked for by its English words."""

from __future__ import annotations

import re

from pellucid._language import language

KOREAN: dict[str, str] = {
    # curves
    "loss": "손실",
    "accuracy": "정확도",
    "accuracy (%)": "정확도 (%)",
    "learning rate": "학습률",
    "pictures a second": "초당 이미지 수",
    "epoch": "에포크",
    "training": "학습",
    "validation": "검증",
    "test": "테스트",
    "validation or test": "검증 또는 테스트",
    "thick with marks: {held}; thin: training": "굵고 표시 있는 선: {held}, 가는 선: 학습",
    # judgement
    "taken for": "신경망의 답",
    "is": "실제",
    "pictures": "이미지 수",
    "% of the pictures of the row": "그 행의 이미지 중 %",
    "{count:,} pictures, {right} right": "이미지 {count:,}장, 정답 {right}",
    ", rows in percent": ", 행별 백분율",
    "recall (%)": "재현율 (%)",
    "precision (%)": "정밀도 (%)",
    "as right as it is sure": "확신한 만큼 맞음",
    "mean confidence": "평균 확신도",
    "of these right (%)": "그중 정답 (%)",
    "confidence (%)": "확신도 (%)",
    "pictures (%)": "이미지 (%)",
    "{count:,} pictures, expected calibration error {error}": "이미지 {count:,}장, 기대 보정 오차 {error}",
    "said {said} ({share})": "답 {said} ({share})",
    "is {truth}": "실제 {truth}",
    # filters
    "before training": "학습 전",
    "after training": "학습 후",
    "mid-grey is 0; each filter on its own scale": "중간 회색이 0, 필터마다 다른 눈금",
    "mid-grey is 0; ±{limit:.3g} at the ends": "중간 회색이 0, 양 끝이 ±{limit:.3g}",
    "weight, each filter on its own scale": "가중치, 필터마다 다른 눈금",
    "mid-grey is 0; each side on its own scale": "중간 회색이 0, 양쪽의 눈금이 다름",
    "weight, each side on its own scale": "가중치, 양쪽의 눈금이 다름",
    "max": "최대",
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
    "picture: {shape}": "이미지: {shape}",
    "a picture": "이미지 한 장",
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
    "A map of one value has it written in, on the layer's scale.": (
        "값이 하나뿐인 맵은 계층의 눈금으로 그리고 값을 적었습니다."
    ),
    "one scale for all channels of a layer": "한 계층의 모든 채널이 같은 눈금",
    "Framed: what adds most to the score of {answer!r}, by the mean over its places of (d score / d y) · y.": (
        "테두리: {answer!r}의 점수에 가장 많이 보태는 채널, (d 점수 / d y) · y의 자리 평균으로 쟀습니다."
    ),
    "train": "학습",
    ", not trained": ", 학습 전",
    "the picture": "이미지",
    "picture": "이미지",
    # attention
    "largest": "최댓값",
    "largest {value}": "최댓값 {value}",
    "loss of probability\nwhere it is covered": "가렸을 때\n줄어드는 확률",
    "solid line: above half of the scale; dashed: below minus half of it": (
        "실선: 눈금의 절반보다 큰 곳, 점선: 음의 절반보다 작은 곳"
    ),
    "each map on its own scale": "맵마다 다른 눈금",
    "one scale for all maps": "모든 맵이 같은 눈금",
    "slope of each class's score along the pixels": "픽셀에 대한 클래스별 점수의 기울기",
    "Grad-CAM of each class at {layer}": "{layer}에서 본 클래스별 Grad-CAM",
    "what each class loses where {size} pixels are covered": "{size} 픽셀을 가릴 때 클래스별로 줄어드는 확률",
    "{first}, then {second}": "{first}, 이어서 {second}",
    # one number taken apart
    "number ({place}) of {layer}, {shape}": "{layer}({shape})의 값 ({place})",
    "{count} units": "유닛 {count}개",
    "channel {index}": "채널 {index}",
    "input {index}": "입력 {index}",
    "unit {index}": "유닛 {index}",
    "the other {count}": "나머지 {count}개",
    "patch": "패치",
    "kernel": "커널",
    "products": "곱",
    "sum {value}": "합 {value}",
    "pad": "패딩",
    "input, channel {index}": "입력, 채널 {index}",
    "output, channel {index}": "출력, 채널 {index}",
    "output: unit {index} of {count}": "출력: 유닛 {count}개 중 {index}번",
    "the largest {shown} of {count:,} products": "곱 {count:,}개 중 가장 큰 {shown}개",
    "before softmax: the largest {shown} of {count}": "소프트맥스 앞의 값: {count}개 중 가장 큰 {shown}개",
    "before softmax: all {count}": "소프트맥스 앞의 값: {count}개 모두",
    "in": "입력",
    "out": "출력",
    "the value going in and coming out": "들어가는 값과 나오는 값",
    "passed on as it is: {result}": "그대로 전달: {result}",
    "the largest of {count} values = {result}": "값 {count}개 중 최댓값 = {result}",
    "sum of 1 product {total}": "곱 1개의 합 {total}",
    "sum of {count:,} products {total}": "곱 {count:,}개의 합 {total}",
    "+ bias {bias} = {before}": "+ 편향 {bias} = {before}",
    "sum of e^z over {count} values": "값 {count}개의 e^z 합",
    "{amplitude} · tanh({slope} · {value})": "{amplitude} · tanh({slope} · {value})",
    "{gamma} · ({value} - mean {mean}) / sqrt(variance {variance} + {epsilon}) + {beta}": (
        "{gamma} · ({value} - 평균 {mean}) / sqrt(분산 {variance} + {epsilon}) + {beta}"
    ),
    "{value} / ({k} + {alpha} · sum of squares {total})^{beta}": "{value} / ({k} + {alpha} · 제곱합 {total})^{beta}",
    "minus the sum of {count} squared distances": "제곱 거리 {count}개의 합에 음의 부호",
    # sliding and shifting
    "input, {shape}": "입력, {shape}",
    "{count} channels added": "채널 {count}개의 합",
    "map of channel {index}, {size}": "채널 {index}의 맵, {size}",
    "black {low:.3g}, white {high:.3g}": "검정 {low:.3g}, 흰색 {high:.3g}",
    "place": "위치",
    "row {row}, column {column}": "{row}행 {column}열",
    "{name}: {count} maps of {size}": "{name}: {size} 맵 {count}개",
    ", {drawn} of them": ", 그중 {drawn}개",
    "answer": "답",
    "where it was": "제자리",
    "changed by {share}": "{share} 변함",
    "says {answer!r}, {share}": "답 {answer!r}, {share}",
    "moved {way}": "{way} 옮김",
    "up by {pixels}": "위로 {pixels}",
    "down by {pixels}": "아래로 {pixels}",
    "left by {pixels}": "왼쪽으로 {pixels}",
    "right by {pixels}": "오른쪽으로 {pixels}",
    "1 pixel": "1픽셀",
    "{count} pixels": "{count}픽셀",
    # excitement
    "{model}: what excites its channels most, made by gradient ascent": (
        "{model}: 채널을 가장 크게 활성화하는 이미지, 경사 상승법으로 만듦"
    ),
    "{model}: what excites its channels most, found among {count:,} pictures": (
        "{model}: 채널을 가장 크게 활성화하는 이미지, {count:,}장 중에서 찾음"
    ),
    "each picture is what one unit sees within the picture, enlarged to the same width": (
        "각 이미지는 유닛 하나의 수용 영역 중 이미지 안에 드는 부분이며, 같은 너비로 키웠습니다"
    ),
    "each picture is what one unit sees, black beyond the edge, enlarged to the same width": (
        "각 이미지는 유닛 하나가 보는 부분이며(이미지 밖은 검정), 같은 너비로 키웠습니다"
    ),
    "start {index}": "시작점 {index}",
    ", {what} from {count} starts": ", {what}, 시작점 {count}개",
    "{model}: made to excite {layer}": "{model}: {layer} 계층을 크게 활성화하도록 만든 이미지",
    "gradient ascent; each picture is {size} pixels": "경사 상승법, 이미지마다 {size} 픽셀",
    "{model}: what excites {layer} most among {count:,} pictures": (
        "{model}: 이미지 {count:,}장 중 {layer} 계층을 가장 크게 활성화하는 것"
    ),
    "each picture is the {size} pixels that the unit sees, black beyond the edge; above it, its output": (
        "각 이미지는 유닛이 보는 {size} 픽셀이고(이미지 밖은 검정), 위의 수는 그 출력입니다"
    ),
    "sees {size}": "보는 범위 {size}",
    # histograms
    "{dead} of {units} units dead": "유닛 {units}개 중 {dead}개가 죽음",
    "{share} of values saturated, {stuck} of {units} units always": (
        "값의 {share}가 포화, 유닛 {units}개 중 {stuck}개는 늘 포화"
    ),
    "{name}: {count:,} values": "{name}: 값 {count:,}개",
    "{name}: no finite value": "{name}: 유한한 값 없음",
    "values in a bin (log)": "구간의 값 개수 (로그)",
    "activations": "활성값",
    "weights": "가중치",
    "gradients": "기울기",
    "{title}: {kind}": "{title}: {kind}",
    "epoch; height: values in a bin": "에포크, 높이는 구간의 값 개수",
    "{share} at 0": "0이 {share}",
    # architecture
    "{name}: {parameters:,} parameters, {macs} multiply-accumulates a picture": (
        "{name}: 매개변수 {parameters:,}개, 이미지 한 장에 곱셈-덧셈 {macs}번"
    ),
    "input": "입력",
    "convolution, with what follows it": "합성곱과 그에 딸린 계층",
    "pooling": "풀링",
    "fully connected": "완전 연결",
    "other": "그 밖",
    "boxes: height and depth in proportion to H and W, thickness to √channels": (
        "상자: 높이와 깊이는 H와 W에, 두께는 √채널 수에 비례"
    ),
    "bars: length in proportion to √units": "막대: 길이는 √유닛 수에 비례",
    "{name}: {count:,} parameters, node by node": "{name}: 매개변수 {count:,}개, 노드별로",
    "number {unit} of {shape}": "{shape} 중 {unit}번",
    "{count:,} weights": "가중치 {count:,}개",
    "{count:,} connections": "연결 {count:,}개",
    "{count:,} weights, shared": "공유 가중치 {count:,}개",
    "(fully: {sum})": "(완전 연결: {sum})",
    "1 bias": "편향 1개",
    "{count:,} biases": "편향 {count:,}개",
    "Lines to a convolution: the same style is the same weight.": "합성곱으로 가는 선: 같은 모양은 같은 가중치입니다.",
    "Filled units: those whose windows are drawn strong; the others' are faint.": (
        "채운 유닛: 윈도우를 진하게 그린 유닛이며, 나머지는 흐리게 그렸습니다."
    ),
    "test picture {index} of {data}, {answer!r}": "{data}의 테스트 이미지 {index}, {answer!r}",
    "{model} on {data}": "{model}, 데이터 {data}",
    ": the {shown} most confident of {count:,} mistakes in {all:,} pictures": (
        ": 이미지 {all:,}장의 오답 {count:,}개 중 가장 확신한 {shown}개"
    ),
    ": the one mistake in {all:,} pictures": ": 이미지 {all:,}장의 유일한 오답",
    ", {count} test pictures": ", 테스트 이미지 {count}장",
    "flatten to {count:,}": "펼쳐서 {count:,}",
    "from {name}": "{name}에서",
    "and {name}": "및 {name}",
    "{count:,} params": "매개변수 {count:,}",
    # on the command line, beside a figure
    "{count} classes: {file}": "클래스 {count}개: {file}",
    "{count} bins of confidence: {file}": "확신도 구간 {count}개: {file}",
    "{count} epochs: {file}": "에포크 {count}개: {file}",
    "{count} mistakes: {file}": "오답 {count}개: {file}",
    "{run}: no mistake in {all:,} pictures of {data}, so there is nothing to draw": (
        "{run}: {data}의 이미지 {all:,}장에 오답이 없어 그릴 것이 없습니다"
    ),
    "{file}: {size}, fitted to {wanted} ({fit}) as at training": "{file}: {size}, 학습 때처럼 {wanted}에 맞춤({fit})",
    "{file}: {size}, made smaller to {wanted}, so that single pixels can be seen": (
        "{file}: {size}, 픽셀 하나하나가 보이도록 {wanted} 크기로 줄임"
    ),
    "{count} test pictures are counted: more would not fit into memory": (
        "테스트 이미지 {count}장만 셉니다. 더 많으면 메모리에 들어가지 않습니다"
    ),
    "a digit": "숫자 하나",
}
"""Korean by the English words. Names of layers, and what NumPy prints, stay as they are."""

LAYER_WORDS = {
    "global mean pool": "전역 평균 풀링",
    "max pool": "최대 풀링",
    "mean pool": "평균 풀링",
    "subsampling": "서브샘플링",
    "zero padding": "제로 패딩",
    "batch norm": "배치 정규화",
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
    "size": "크기",
}
"""What layers say of themselves, by the English words; longer ones first."""
_KINDS = re.compile(r"\b(" + "|".join(LAYER_WORDS) + r")\b")


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
        """What a layer says of itself; names of arguments and functions stay as they are.

        >>> Labels("ko").layer("max pool 2x2, stride 2, relu")
        '최대 풀링 2x2, 스트라이드 2, relu'
        """
        return _KINDS.sub(lambda found: LAYER_WORDS[found[0]], detail) if self.lang == "ko" else detail


ENGLISH = Labels("en")
