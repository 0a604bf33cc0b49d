"""Which part of a data set a folder is, by the words in its name: training, validation or test."""

from __future__ import annotations

import operator
import re
import unicodedata
from collections.abc import Sequence

_ROLES = {
    "train": "train training trainings trains trn learn learning trainval entrenamiento entrainement treinamento "
    "학습 훈련 트레이닝 訓練 学習 训练",
    "validation": "validation validate validating val vals valid dev devel development validierung validierungs "
    "validacion validacao 검증 밸리데이션 検証 验证 校验",
    "test": "test tests testing tst eval evaluate evaluation holdout heldout prueba pruebas teste "
    "테스트 시험 평가 テスト 評価 测试",
    "unlabelled": "pred predict prediction predictions unlabelled unlabeled unlabel submission infer inference 예측",
}
_FILLERS = (
    "set sets data dataset datasets image images img imgs picture pictures pic pics photo photos file files folder dir "
    "split subset sample samples part the of for seg jpg jpeg png daten datensatz bilder "
    "데이터 데이터셋 셋 세트 용 이미지 사진 폴더 원천 データ セット 用 画像 集 数据 图像 图片"
)


def _either(words: str) -> str:
    return "|".join(sorted(words.split(), key=len, reverse=True))


_PIECES = "image images img imgs picture pictures photo photos file files data dataset datasets batch chunk fold split"
_MASKS = "mask masks label labels annotation annotations groundtruth gt segmentation segmentations target targets"
"""Words of folders that hold the pieces of one set, and of those whose pictures belong to other pictures."""

MASK_ENDINGS = f"[_-](?:{_either(_MASKS)})$"
"""What a mask's name may have behind its picture's."""

_ANY_ROLE = "|".join(f"(?P<{role}>{_either(words)})" for role, words in _ROLES.items())
_PATTERN = re.compile(f"(?:{_either(_FILLERS)})*(?:{_ANY_ROLE})(?:{_either(_FILLERS)})*")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[가-힣]+|[^\W\d_]+")


def part_of(name: str) -> str | None:
    """The part that a folder's name means, of "train", "validation", "test" and "unlabelled"; None for another name.

    Case, numbers and whatever separates words do not matter, nor do words such as "set" and "images".

    >>> [part_of(name) for name in ("Training", "seg_train", "val2017", "TestSet", "hold-out", "1.Validation")]
    ['train', 'train', 'validation', 'test', 'test', 'validation']
    >>> [part_of(name) for name in ("cat", "test tube", "train_station", "invalid", "contest")]
    [None, None, None, None, None]
    """
    return _match("".join(_words(name)))


def part_and_rest(name: str) -> tuple[str | None, tuple[str, ...]]:
    """The part that one word of a name means, and its other words: a data set's own name, perhaps.

    >>> part_and_rest("asl_alphabet_train"), part_and_rest("cats")
    (('train', ('asl', 'alphabet')), (None, ('cats',)))
    """
    words = _words(name)
    parts = {word: part for word in words if (part := _match(word)) is not None}
    if len(parts) != 1:
        return None, tuple(words)
    ((word, part),) = parts.items()
    return part, tuple(other for other in words if other != word and not re.fullmatch(_either(_FILLERS), other))


def says_no_class(name: str) -> bool:
    """Whether a folder's name means a part, unknown pictures or nothing, so that loose pictures in it have no class.

    >>> [says_no_class(name) for name in ("test_images", "unknown", "images", "bird")]
    [True, True, True, False]
    """
    squeezed = "".join(_words(name))
    return part_and_rest(name)[0] is not None or bool(re.fullmatch(f"(?:{_either(_FILLERS)}|unknown|all)*", squeezed))


def are_pieces(names: Sequence[str]) -> bool:
    """Whether folders hold one set in pieces, or pictures and their masks, and are no classes.

    >>> are_pieces(["images_001", "images_002"]), are_pieces(["images", "masks"])
    (True, True)
    >>> are_pieces(["Sample001", "Sample002"]), are_pieces(["1", "2"]), are_pieces(["photos", "drawings"])
    (False, False, False)
    >>> are_pieces(["train_images", "train_masks"]), are_pieces(["mask", "no mask"])
    (True, False)
    """
    words = {tuple(_words(name)) for name in names}
    if len(names) > 1 and len(words) == 1:
        return bool(set(*words) & set(_PIECES.split()))
    plain = f"(?:{_either(_FILLERS)}|{_either(' '.join(_ROLES.values()))})"
    masks = [bool(re.fullmatch(f"{plain}*(?:{_either(_MASKS)})", "".join(one))) for one in words]
    others = [bool(re.fullmatch(f"{plain}+", "".join(one))) for one in words]
    return any(masks) and any(others) and all(map(operator.or_, masks, others))


def side_of(name: str) -> str | None:
    """Whether a folder holds the "images" or the "masks" of pictures whose every pixel has a class, by its name alone.

    >>> [side_of(name) for name in ("images", "Masks", "img", "annotations", "mask_images", "cats")]
    ['images', 'masks', 'images', 'masks', None, None]
    """
    squeezed = "".join(_words(name))
    sides = {"images": "image images img imgs picture pictures photo photos", "masks": _MASKS}
    return next((side for side, words in sides.items() if squeezed in words.split()), None)


def only_holds(name: str) -> bool:
    """Whether a folder's name says no more than that it holds something.

    >>> [only_holds(name) for name in ("Dataset", "images_2", "sea images", "7")]
    [True, True, False, False]
    """
    return bool(re.fullmatch(f"(?:{_either(_FILLERS)})+", "".join(_words(name))))


def _words(name: str) -> list[str]:
    """The words, lower case, accents off Latin letters."""
    plain = unicodedata.normalize(
        "NFKC", re.sub("(?<=[A-Za-z])[\u0300-\u036f]", "", unicodedata.normalize("NFKD", name))
    )
    return [word.lower() for word in _WORD.findall(plain)]


def _match(squeezed: str) -> str | None:
    found = _PATTERN.fullmatch(squeezed)
    return None if found is None else next(role for role, word in found.groupdict().items() if word is not None)
