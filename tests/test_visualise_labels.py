"""Labels of figures in two languages."""

from __future__ import annotations

import re

import pytest

from pellucid.errors import ConfigError
from pellucid.visualise.drawing.labels import KOREAN, Labels


def test_every_label_has_the_same_places_in_every_language() -> None:
    for english, korean in KOREAN.items():
        assert sorted(re.findall(r"{[^}]*}", english)) == sorted(re.findall(r"{[^}]*}", korean)), english


def test_a_language_there_is_none_of_is_named() -> None:
    with pytest.raises(ConfigError, match="did you mean 'ko'"):
        Labels("kr")


def test_what_a_layer_reads_keeps_its_name_in_korean() -> None:
    """Also where layers are called by words that have a Korean one."""
    say = Labels("ko")
    assert say.layer("3x3, padding 1, from padding, conv") == "3x3, 패딩 1, padding, conv에서"
    assert say.layer("from input, output 2") == "입력에서, 출력 2"
    assert Labels("en").layer("from input, output 2") == "from input, output 2"
