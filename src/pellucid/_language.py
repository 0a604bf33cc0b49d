"""In which language a result is written where nobody says.

The rule: what `show` and `report` draw, write and print of a result, what `train` and `tune` draw, and what `exercises`
asks and answers, is in the language of --lang, or of the locale.
Help, progress, warnings, errors, what is left out, tables and JSON for programs, and all other commands are English.
"""

from __future__ import annotations

import os

from pellucid.errors import expect_known

LANGUAGES = ("en", "ko")


def language(lang: str | None = None) -> str:
    """The language asked for, or that of the locale (LC_ALL, else LC_MESSAGES, else LANG): Korean, or else English.

    Errors: ConfigError for a language that there is none of.
    """
    if lang is None:
        locale = next(filter(None, map(os.environ.get, ("LC_ALL", "LC_MESSAGES", "LANG"))), "")
        spoken = locale.lower().replace("-", "_").split(".")[0].split("_")[0]
        return {"korean": "ko"}.get(spoken, spoken if spoken in LANGUAGES else "en")
    return expect_known("language", lang, LANGUAGES)
