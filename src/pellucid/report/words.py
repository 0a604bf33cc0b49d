"""Every sentence of a report, in every language it can be written in. `{}` places are filled by `Words`."""

from __future__ import annotations

import re

from pellucid._language import LANGUAGES, language

_SENTENCES: dict[str, tuple[str, str]] = {
    "lead": (
        "{accuracy} of {count:,} test pictures right; epochs of training: {epochs}, in {time} ({machine}).",
        "테스트 이미지 {count:,}장 중 {accuracy}를 맞혔습니다. {epochs}에포크를 {time} 동안 학습했습니다({machine}).",
    ),
    "lead of masks": (
        "Mean IoU {iou}, {accuracy} of the pixels of {count:,} test pictures right; epochs of training: {epochs}, in "
        "{time} ({machine}).",
        "평균 IoU {iou}, 테스트 이미지 {count:,}장의 픽셀 중 {accuracy}를 맞혔습니다. "
        "{epochs}에포크를 {time} 동안 학습했습니다({machine}).",
    ),
    "lead of labels": (
        "All labels right of {exact} of {count:,} test pictures, {accuracy} of the labels; epochs of training: "
        "{epochs}, in {time} ({machine}).",
        "테스트 이미지 {count:,}장 중 {exact}에서 레이블을 모두 맞혔고, 레이블 하나하나는 {accuracy}를 맞혔습니다. "
        "{epochs}에포크를 {time} 동안 학습했습니다({machine}).",
    ),
    "f1": ("F1", "F1"),
    "labels judged": (
        "A label counts as given where it is more probable than not. Precision: of the pictures that are given it, "
        "those that have it. Recall: of those that have it, those that are given it. F1 is their harmonic mean.",
        "확률이 절반을 넘으면 그 레이블을 붙인 것으로 셉니다. 정밀도는 그 레이블이 붙은 이미지 중 실제로 그런 것의 "
        "비율이고, 재현율은 실제로 그런 이미지 중 그 레이블이 붙은 것의 비율입니다. F1은 둘의 조화 평균입니다.",
    ),
    "machine": ("{threads} threads, {isa}", "스레드 {threads}개, {isa}"),
    "seconds": ("{seconds} s", "{seconds}초"),
    "minutes": ("{minutes} min {seconds:02} s", "{minutes}분 {seconds:02}초"),
    "hours": ("{hours} h {minutes:02} min", "{hours}시간 {minutes:02}분"),
    "data": ("Data", "데이터"),
    "data and scaling": (
        "{name}: {parts}. Pictures of {height} x {width}, {colour}; to the network: {scaling}.",
        "{name}: {parts}. {height} x {width} {colour} 이미지이며, 신경망에는 이렇게 들어갑니다: {scaling}.",
    ),
    "0 to 255": ("0 to 255", "0~255"),
    "0 to 1": ("0 to 1", "0~1"),
    "less mean": ("less mean", "뺀 평균"),
    "by deviation": ("by deviation", "나눈 표준편차"),
    "grey": ("grey", "흑백"),
    "colour": ("in colour", "컬러"),
    "train": ("training", "학습"),
    "validation": ("validation", "검증"),
    "test": ("test", "테스트"),
    "class": ("class", "클래스"),
    "pictures": ("pictures", "이미지 수"),
    "samples": ("The first test pictures of each class.", "클래스별 첫 테스트 이미지들입니다."),
    "network": ("Network", "신경망"),
    "layer": ("layer", "계층"),
    "output": ("output", "출력"),
    "kernel": ("kernel", "커널"),
    "parameters": ("parameters", "매개변수"),
    "macs": ("multiply-adds", "곱셈-누산"),
    "field": ("sees", "수용 영역"),
    "total": (
        "{parameters:,} parameters, {macs:,} multiply-adds a picture.",
        "매개변수 {parameters:,}개, 이미지 한 장에 곱셈-누산 {macs:,}번.",
    ),
    "training": ("Training", "학습 과정"),
    "curves": (
        "Loss and accuracy after each epoch: training solid, {held} dashed. The epoch kept is {best}.",
        "에포크마다의 손실과 정확도입니다. 실선은 학습, 점선은 {held}입니다. {best}번째 에포크를 남겼습니다.",
    ),
    "setting": ("setting", "설정"),
    "value": ("value", "값"),
    "epochs": ("epochs", "에포크"),
    "batch": ("pictures in a step", "배치 크기"),
    "optimizer": ("optimizer", "옵티마이저"),
    "rate": ("learning rate", "학습률"),
    "loss": ("loss", "손실 함수"),
    "augment": ("augmentation", "데이터 증강"),
    "seed": ("seed", "시드"),
    "ended": ("ended", "종료 이유"),
    "fine-tuning": ("fine-tuning", "미세 조정"),
    "from epoch": ("from epoch {epoch} on", "{epoch}번째 에포크부터"),
    "stages": (
        "Held-out accuracy at best: {head} with the new head alone, {tuned} fine-tuned.",
        "따로 둔 이미지의 최고 정확도는 새 헤드만 학습했을 때 {head}, 미세 조정한 뒤 {tuned}입니다.",
    ),
    "speed": ("pictures a second, median epoch", "초당 이미지 수, 에포크 중앙값"),
    "epoch time": ("an epoch, median", "에포크 하나, 중앙값"),
    "after epoch": ("after epoch", "에포크 뒤"),
    "doctor": ("what the training doctor said", "학습 의사의 조언"),
    "judgement": ("How well", "성적"),
    "precision": ("precision", "정밀도"),
    "recall": ("recall", "재현율"),
    "pixels": ("pixels", "픽셀 수"),
    "iou": ("IoU", "IoU"),
    "iou judged": (
        "IoU is the number of pixels where answer and truth are the class, over that where either is. Precision is the "
        "share of the pixels called a class that are it; recall, of those that are it, the share that was called so.",
        "IoU는 답과 정답이 모두 그 클래스인 픽셀 수를, 둘 중 하나라도 그 클래스인 픽셀 수로 나눈 값입니다. "
        "정밀도는 그 클래스라고 답한 픽셀 가운데 실제로 그 클래스인 비율이고, "
        "재현율은 그 클래스인 픽셀 가운데 그렇게 답한 비율입니다.",
    ),
    "first masks": (
        "The first {count} test pictures: picture, truth, answer, and in vermilion what is wrong.",
        "첫 테스트 이미지 {count}장입니다. 왼쪽부터 이미지, 정답, 답, 그리고 주홍색으로 표시한 오답입니다.",
    ),
    "worst masks": (
        "The {count} test pictures with the least mean IoU.",
        "평균 IoU가 가장 낮은 테스트 이미지 {count}장입니다.",
    ),
    "judged": (
        "Of all pictures that were called a class, precision is the share that is it; of all that are it, recall is "
        "the share that was called so.",
        "정밀도는 그 클래스라고 답한 이미지 가운데 실제로 그 클래스인 비율이고, "
        "재현율은 그 클래스인 이미지 가운데 그렇게 답한 비율입니다.",
    ),
    "flattered": (
        "The epoch kept was chosen on these same pictures, so its result flatters a little; the last epoch was not "
        "chosen: {last}.",
        "남긴 에포크를 바로 이 이미지들로 골랐으므로 실제보다 조금 좋게 나온 성적입니다. "
        "고르지 않은 마지막 에포크의 성적은 {last}입니다.",
    ),
    "mistakes": ("Mistakes", "오답"),
    "surest mistakes": (
        "The {count} mistakes that the network was surest of, of {all:,} in all.",
        "모두 {all:,}개의 오답 가운데 가장 확신한 {count}개입니다.",
    ),
    "none wrong": ("None: every test picture is right.", "없습니다. 테스트 이미지가 모두 정답입니다."),
    "inside": ("What it learned", "학습한 내용"),
    "filters": ("Kernels of {layer}{before}: mid-grey is 0.", "{layer}의 커널{before}. 중간 회색이 0입니다."),
    "before and after": (", before and after training", ", 학습 전과 후"),
    "features": (
        "Test picture {number}{truth} on its way through the network.",
        "테스트 이미지 {number}{truth}: 신경망을 지나는 모습입니다.",
    ),
    "histograms": (
        "Weights of each layer over the epochs, the first in front, each on a scale of its own.",
        "에포크에 따른 계층별 가중치 분포입니다. 앞쪽이 처음이고, 높이의 눈금은 저마다 다릅니다.",
    ),
    "again": ("Do it again", "다시 해 보기"),
    "same numbers": (
        "The same command with the same version, instruction set and data gives the same numbers, whatever the number "
        "of threads.",
        "같은 버전, 같은 명령어 집합, 같은 데이터로 같은 명령을 실행하면 스레드 수와 관계없이 같은 숫자가 나옵니다.",
    ),
    "left out": ("Not drawn: {why}.", "그리지 못했습니다: {why}."),
    "started from": ("Started from {weights}.", "{weights}에서 시작했습니다."),
    "name": ("kernels", "커널"),
    "instruction_set": ("instruction set", "명령어 집합"),
    "threads": ("threads", "스레드 수"),
    "model file": ("model file, SHA-256", "모델 파일, SHA-256"),
}


_ENDINGS = (
    (r"all epochs done", "모든 에포크를 마쳤습니다"),
    (r"interrupted", "중단했습니다"),
    (r"no better epoch among the last (\d+)", r"마지막 \1개 에포크가 더 낫지 않았습니다"),
    (r"the loss became (\S+) at step (\d+)", r"스텝 \2에서 손실이 \1이 되었습니다"),
)
"""Why a training ended, as its log says it."""


class Words:
    """The sentences in one language; in that of the locale where none is named.

    >>> Words("en").say("total", parameters=1000, macs=5)
    '1,000 parameters, 5 multiply-adds a picture.'

    Errors: ConfigError for a language that there is none of.
    """

    def __init__(self, lang: str | None = None) -> None:
        self.lang = language(lang)

    @property
    def in_pictures(self) -> str:
        """The language of labels in pictures, which need a font for it."""
        from pellucid.visualise.drawing.fonts import korean_font

        return "en" if self.lang == "ko" and korean_font() is None else self.lang

    def ending(self, reason: str) -> str:
        """Why a training ended, from its log."""
        if self.lang == "ko":
            for english, korean in _ENDINGS:
                if re.fullmatch(english, reason):
                    return re.sub(english, korean, reason)
        return reason

    def say(self, key: str, /, **values: object) -> str:
        """A sentence with its places filled."""
        return self.pick(_SENTENCES[key]).format(**values)

    def pick(self, both: tuple[str, str]) -> str:
        """The one of two sentences that is in this language."""
        return both[LANGUAGES.index(self.lang)]
