"""Korean texts use the terms of docs/glossary.ko.md, in one style."""

from __future__ import annotations

import ast
import itertools
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from pellucid.exercises import MESSAGES
from pellucid.report.words import _ENDINGS, _SENTENCES
from pellucid.train.doctor.sentences import SENTENCES
from pellucid.visualise.drawing.labels import KOREAN, LAYER_WORDS

ROOT = Path(__file__).parent.parent
GLOSSARY = ROOT / "docs" / "glossary.ko.md"
LAB_WORDS = ROOT / "src" / "pellucid" / "lab" / "page" / "words.js"
LESSONS = LAB_WORDS.with_name("lessons.json")
LAB = re.compile(r'\["([^"\n]*)", "([^"\n]*)"\]')
DOCUMENTS = [ROOT / "README.ko.md", *sorted((ROOT / "docs").rglob("*.ko.md"))]
POLITE = re.compile(r"(니다|십시오|시오|니까)$")
SENTENCE_END = re.compile(r"([가-힣]+)(?=[.?!:](?:\s|$|<)|[()])")


@cache
def terms() -> dict[str, list[str]]:
    """Each term, and what is not written for it."""
    rows = [line.split("|")[1:4] for line in GLOSSARY.read_text("utf-8").splitlines() if line.startswith("|")][2:]
    return {row[0].strip(): [word.strip() for word in row[2].split(",") if word.strip()] for row in rows}


def forbidden(text: str) -> list[str]:
    """Words that the glossary tells not to use; a term that contains one is none."""
    found = []
    for word in itertools.chain.from_iterable(terms().values()):
        # one syllable is a word only where it stands alone, with or without its particle
        pattern = (r"(?<!\w)" if len(word.split()[0]) == 1 else "") + re.escape(word)
        pattern += "(?=[^가-힣]|[은이을의과도에마들])" if len(word) == 1 else ""
        longer = "|".join(re.escape(term) for term in terms() if word in term) or "(?!)"
        rest = re.sub(longer, lambda at: "*" * len(at[0]), text)
        found += [text[max(0, at.start() - 10) : at.end() + 5] for at in re.finditer(pattern, rest)]
    return found


def impolite(text: str) -> list[str]:
    """Sentences that end in a plain verb (한다, 있다, 하세요, 했어요); notes without a verb are none."""
    ends = [end[1] for end in SENTENCE_END.finditer(text)]
    return [
        end
        for end in ends
        if re.search(r"(다|세요|[어아해에예]요|하자|보자|하라)$", end) and not POLITE.search(end) and len(end) > 1
    ]


def prose(path: Path) -> str:
    """A document without its code and links."""
    text = re.sub(r"```.*?```|<!--.*?-->", "", path.read_text("utf-8"), flags=re.DOTALL)
    return re.sub(r"`[^`]*`|\]\([^)]*\)|\*\*", "", text)


def programs() -> Iterator[tuple[str, str]]:
    yield from ((f"label {english}", korean) for english, korean in {**KOREAN, **LAYER_WORDS}.items())
    yield from ((f"report {key}", both[1]) for key, both in _SENTENCES.items())
    yield from ((f"ending {english}", korean) for english, korean in _ENDINGS)
    yield from ((f"doctor {key}", both[1] + ".") for key, both in SENTENCES.items())
    yield from ((f"exercise {key}", korean) for key, korean in MESSAGES["ko"].items())
    yield from ((f"lab {english}", korean) for english, korean in LAB.findall(LAB_WORDS.read_text("utf-8")))
    yield from (("lesson", text) for text in re.findall(r'"ko": "([^"]*)"', LESSONS.read_text("utf-8")))
    for path in sorted((ROOT / "examples").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.search("[가-힣]", node.value):
                yield f"{path.name}:{node.lineno}", node.value


def test_the_glossary_is_one() -> None:
    assert {"에포크", "매개변수", "배치 크기", "시드", "옵티마이저", "계층", "이미지"} <= set(terms())
    assert forbidden("파라미터는 에폭마다 층을 지난다") and impolite("학습한다. 해 보세요.") == ["학습한다", "보세요"]
    assert impolite("같아야 한다(3.11).") == ["한다"]
    assert len(forbidden("숨은 계층, 이 네트워크")) == 2 and not forbidden(
        "하이퍼파라미터, 은닉층, 층층이, 네트워크 없이"
    )
    assert not impolite("학습합니다. 보십시오. 이미지 수.")


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_documents_keep_to_the_glossary(path: Path) -> None:
    if path == GLOSSARY:
        return
    text = prose(path)
    assert forbidden(text) == []
    assert impolite(text) == []


@pytest.mark.parametrize("path", [p for p in DOCUMENTS if p != GLOSSARY], ids=lambda path: path.name)
def test_a_photograph_is_one_in_english_too(path: Path) -> None:
    english = path.with_name(path.name.replace(".ko.md", ".md"))
    told = prose(english).lower().count("photo")
    assert prose(path).count("사진") <= told, "이미지 is any picture; 사진 is a photograph"


def test_programs_keep_to_the_glossary() -> None:
    assert (
        len(LAB.findall(LAB_WORDS.read_text("utf-8"))) > 60 and sum(place == "lesson" for place, _ in programs()) > 90
    )
    for place, text in programs():
        assert forbidden(text) == [], place
        assert impolite(text) == [], place
        assert "사진" not in text, f"{place}: 이미지 is any picture"
        assert "네트워크" not in text, f"{place}: 신경망 learns, 네트워크 joins computers"


def test_particles_fit_the_words_before_them() -> None:
    wrong = re.compile(
        r"(이미지|에포크|시드|매개변수|옵티마이저|규제|인수|네트워크)(은|을|과|으로|이)(?![가-힣])"
        r"|(계층|스텝|학습률|신경망|유닛|데이터셋|픽셀|형상|곱셈-누산)(는|를|와|가)(?![가-힣])"
    )
    for path in DOCUMENTS:
        assert [at[0] for at in wrong.finditer(path.read_text("utf-8"))] == [], path.name
    for place, text in programs():
        assert [at[0] for at in wrong.finditer(text)] == [], place


ENDS_IN_A_VOWEL = {"accuracy", "share", "kind", "joint"}
"""Places that always hold "... %" (퍼센트) or the name of an activation."""


def test_particles_after_what_is_filled_in_fit_whatever_that_is() -> None:
    """A number or a name may end in a consonant or a vowel: no particle that depends on it stands right behind."""
    behind = re.compile(
        r"\{(\w+)[^{}]*\}['\"]?(?:(?:을|를|은|는|이|가|와|과|로|으로)(?=[\s,.:]|$)|라고|이라고|였|이었|이\(가\)|\(으\)로)"
    )
    for place, text in programs():
        found = [at[0] for at in behind.finditer(text) if at[1] not in ENDS_IN_A_VOWEL]
        assert found == [], place
