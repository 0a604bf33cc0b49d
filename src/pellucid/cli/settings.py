"""`--set KEY=VALUE`: arguments of the model's builder and of the optimizer, by their own names."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from typing import Any

from pellucid.errors import ConfigError, shown

MAX_LENGTH, MAX_DEPTH = 2000, 4
"""Of a value: characters, and lists in lists."""


def parse(settings: Sequence[str]) -> dict[str, Any]:
    """KEY=VALUE texts as a dict; a value is read as JSON where it is JSON, and as text otherwise.

    >>> parse(["filter_num=16", "pool=max", "kernel_size=[3, 5]", "nesterov=true"])
    {'filter_num': 16, 'pool': 'max', 'kernel_size': [3, 5], 'nesterov': True}

    Errors: ConfigError for a value that is too long or too deep, if there is no '=' or no key, or if a key comes twice.
    """
    parsed: dict[str, Any] = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        key = key.strip().replace("-", "_")
        if not equals or not key:
            raise ConfigError(f"--set takes KEY=VALUE, got {shown(setting)}; for example --set hidden_size=50")
        if key in parsed:
            raise ConfigError(
                f"--set {shown(key)} is given twice, {shown(parsed[key])} and {shown(value)}; give it once"
            )
        parsed[key] = _value(key, value.strip())
    return parsed


def _value(key: str, text: str) -> Any:
    if len(text) > MAX_LENGTH or _depth(text) > MAX_DEPTH:
        raise ConfigError(
            f"--set {shown(key)} takes a value of at most {MAX_LENGTH} characters, {MAX_DEPTH} lists deep, "
            f"got {len(text)} characters, {_depth(text)} deep"
        )
    try:
        return json.loads(text)
    except ValueError:
        lowered = text.lower()
        return {"true": True, "false": False, "none": None}.get(lowered, text)


def _depth(text: str) -> int:
    """How deep brackets stand within brackets."""
    steps = ((character in "[{") - (character in "]}") for character in text)
    return max(itertools.accumulate(steps), default=0)
