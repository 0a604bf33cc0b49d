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
