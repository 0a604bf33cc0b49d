"""Every sentence of the exercises, in both languages: entered beside the checker that says it."""

from __future__ import annotations

from collections.abc import Mapping

from pellucid._language import LANGUAGES

MESSAGES: dict[str, dict[str, str]] = {lang: {} for lang in LANGUAGES}
"""By language and name. `{}` places are filled by whoever says it."""


def enter(sentences: Mapping[str, tuple[str, str]]) -> None:
    """Add sentences, in English and Korean. Errors: KeyError for a name that is taken."""
    for name, texts in sentences.items():
        for lang, text in zip(LANGUAGES, texts, strict=True):
            if name in MESSAGES[lang]:
                raise KeyError(f"two sentences of the exercises are called {name!r}")
            MESSAGES[lang][name] = text


def both(name: str, **places: object) -> dict[str, str]:
    """One sentence by language, its places filled; what stands in one may be said by language itself."""
    return {lang: MESSAGES[lang][name].format(**_in(lang, places)) for lang in LANGUAGES}


def _in(lang: str, places: Mapping[str, object]) -> dict[str, object]:
    return {name: value[lang] if isinstance(value, Mapping) else value for name, value in places.items()}


enter({
    "right": ("Right: {how}.", "맞습니다: {how}."),
    "wrong": ("Not yet: {given} is not it{hint}.", "아직 아닙니다. 적으신 답은 {given}입니다{hint}."),
})  # fmt: skip
